"""The state of a run, in one file that is written whole or not at all; safetensors and JSON, nothing pickled."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save as to_bytes

from toccata.errors import ModelError, ToccataError
from toccata.files import write_bytes
from toccata.recipes.renamed import renamed
from toccata.training.finite import infinite
from toccata.training.place import BEST as BEST
from toccata.training.place import LAST as LAST

PARTS = ".parts"
"""How the name of a folder ends in which processes write their parts of a state."""
MODEL = "model."
"""What the names of weights begin with; other names are the backend's own."""
FREE = ("workers", "checkpoint_minutes", "shard")
"""Training options that say how a run is run, not what it computes: they may be others when it goes on."""


def save(path: Path, arrays: Mapping[str, NDArray[Any]], state: dict[str, Any], parts: str = "") -> None:
    """Write what a backend keeps, and ``state`` (JSON), to ``path``.

    Args:
        path: The file.
        arrays: What a backend keeps.
        state: What the run remembers besides.
        parts: The folder beside it in which the arrays lie already, in parts, if they do not go into the file itself.
    """
    # By way of bytes: safetensors, writing for itself, has errors of its own for a disk that is full.
    metadata = {"state": json.dumps(state), **({"parts": parts} if parts else {})}
    write_bytes(path, to_bytes(dict(arrays), metadata=metadata))


def parts_of(step: int) -> str:
    """The name of the folder in which the processes of a sharded run write their parts of its state."""
    return f"last-{step:09}{PARTS}"


def remove_parts(folder: Path, but: str = "") -> None:
    """Remove what processes wrote for checkpoints that are there no more, or never were finished.

    Args:
        folder: The run's ``training`` folder.
        but: The one that is kept; empty: the one that the checkpoint there says.
    """
    last = folder / LAST
    if not but and last.exists():
        with safe_open(last, framework="np") as file:
            but = file.metadata().get("parts", "")
    for one in folder.glob(f"*{PARTS}"):
        if one.name != but:
            shutil.rmtree(one, ignore_errors=True)


def _joined(folder: Path) -> dict[str, NDArray[Any]]:
    """Whole arrays from the parts that processes wrote, each with its place in the file's header."""
    pieces: dict[str, list[tuple[list[int], NDArray[Any]]]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="np") as file:
            places = json.loads(file.metadata()["DCP_SHARDING_INFO"])
            for name in file.keys():  # noqa: SIM118 - not a dict
                pieces.setdefault(name, []).append((places[name]["saved_offsets"], file.get_tensor(name)))
    arrays: dict[str, NDArray[Any]] = {}
    for name, found in pieces.items():
        ends = [[at + size for at, size in zip(start, part.shape, strict=True)] for start, part in found]
        whole = np.empty([max(sizes) for sizes in zip(*ends, strict=True)], found[0][1].dtype)
        if sum(part.size for _, part in found) != whole.size:
            raise ValueError(f"a part of {name} is missing")
        for (start, part), end in zip(found, ends, strict=True):
            whole[tuple(slice(a, b) for a, b in zip(start, end, strict=True))] = part
        arrays[name] = whole
    return arrays


def same_run(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two identities are of one run: equal but for what changes no number in it (``FREE``)."""
    return _bare(one) == _bare(other)


def other_run(folder: Path, kept: Mapping[str, Any], now: Mapping[str, Any]) -> ToccataError:
    """The refusal of a run that was begun with something else.

    Args:
        folder: The run's ``training`` folder.
        kept: The identity it was begun with.
        now: The identity it would be gone on with.
    """
    return ToccataError(
        f"{folder.parent} holds a run with another recipe or other data ({differences(kept, now)}): choose another "
        "folder, or delete this one",
        path=folder.parent,
        kind="other-run",
    )


def differences(kept: Mapping[str, Any], now: Mapping[str, Any], most: int = 3) -> str:
    """In what two identities differ, in words: ``training.lr is 0.1 and was 0.002``.

    Args:
        kept: What a run was begun with.
        now: What it would be gone on with.
        most: So many differences are told, and the number of the others.
    """
    one, other = _bare(kept), _bare(now)
    texts = [
        f"{key} is {_short(value)} and was {_short(was)}"
        for key, was, value in _differing(one["recipe"], other["recipe"])
    ]
    if one.get("parent") != other.get("parent"):
        texts.append("the model to start from is another")
    if one.get("data") != other.get("data"):
        texts.append("the music is other music")
    if one.get("backend", "torch") != other.get("backend", "torch"):
        texts.append(f"the backend is {other.get('backend', 'torch')} and was {one.get('backend', 'torch')}")
    left = len(texts) - most
    return "; ".join(texts[:most]) + (f"; and {left} more" if left > 0 else "")


def _differing(one: Any, other: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The leaves in which two trees of plain values differ: key, value here, value there."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in [*one, *(key for key in other if key not in one)]:
            yield from _differing(one.get(key), other.get(key), f"{where}.{key}" if where else str(key))
    elif one != other:
        yield where, one, other


def _short(value: Any) -> str:
    text = "not set" if value is None else " ".join(json.dumps(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _bare(identity: Mapping[str, Any]) -> dict[str, Any]:
    recipe = renamed(identity.get("recipe") or {})
    recipe["training"] = {key: value for key, value in (recipe.get("training") or {}).items() if key not in FREE}
    return {**identity, "recipe": recipe}


def state(path: Path) -> dict[str, Any]:
    """The JSON state of the checkpoint at ``path``; its ``identity`` is the run's recipe, data and parent.

    Raises:
        ModelError: The file is damaged.
    """
    path.open("rb").close()  # safetensors calls what may not be read missing
    try:
        with safe_open(path, framework="np") as file:
            found = dict(json.loads(file.metadata()["state"]))
            return {**found, "identity": dict(found["identity"])}
    except Exception as error:
        raise refused(path, error) from None


def identity(path: Path) -> dict[str, Any]:
    """What the checkpoint at ``path`` is one of: its run's recipe, data and parent.

    Raises:
        ModelError: The file is damaged.
    """
    found: dict[str, Any] = state(path)["identity"]
    return found


def load(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The JSON state and the arrays of ``path``.

    Raises:
        ModelError: The file is damaged, or a number in it is not finite.
    """
    path.open("rb").close()  # safetensors calls what may not be read missing
    try:
        with safe_open(path, framework="np") as file:
            found = dict(json.loads(file.metadata()["state"]))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            if parts := file.metadata().get("parts"):
                if not re.fullmatch(rf"last-\d+{PARTS}", parts):
                    raise ValueError("its parts lie nowhere")
                arrays |= _joined(path.parent / parts)
                if not arrays:
                    raise ValueError(f"{parts} is missing")
        if (name := infinite(arrays)) is not None:
            raise ValueError(f"{name} is not finite")
        return found, arrays
    except Exception as error:
        raise refused(path, error) from None


def refused(path: Path, error: Exception) -> ModelError:
    """Whatever is wrong with it, from a torn file to shapes of another model, the user's way out is the same."""
    reason = " ".join(str(error).split())[:200]
    return ModelError(f"{path} cannot be resumed from ({reason}): delete it to begin anew", path=path)


def part(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
