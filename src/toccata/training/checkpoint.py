"""Checkpoints: the state of a run in one file, written atomically; safetensors and JSON, nothing pickled."""

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
from toccata.training.place import PARTS as PARTS

MODEL = "model."
"""The prefix of the names of weights; other names are the backend's own."""
FREE = ("workers", "checkpoint_minutes", "shard", "calibrate", "choose_sampling")
"""Training options that do not change what a run computes: a resumed run may have other values."""


def save(path: Path, arrays: Mapping[str, NDArray[Any]], state: dict[str, Any], parts: str = "") -> None:
    """Write a checkpoint to ``path``.

    Args:
        path: The file.
        arrays: The backend's arrays: weights, optimizer state.
        state: The run's other state, as JSON values.
        parts: The folder beside the file that holds the arrays in parts, if they are not in the file itself.
    """
    # Through bytes, as safetensors' own writer raises other errors when the disk is full.
    metadata = {"state": json.dumps(state), **({"parts": parts} if parts else {})}
    write_bytes(path, to_bytes(dict(arrays), metadata=metadata))


def parts_of(step: int) -> str:
    """Return the name of the folder in which the processes of a sharded run write their parts of a checkpoint."""
    return f"last-{step:09}{PARTS}"


def remove_parts(folder: Path, current: str = "") -> None:
    """Remove the parts of checkpoints that were replaced or never finished.

    Args:
        folder: The run's ``training`` folder.
        current: The folder of parts that stays; empty: the one that the checkpoint in ``folder`` names.
    """
    last = folder / LAST
    if not current and last.exists():
        with safe_open(last, framework="np") as file:
            current = file.metadata().get("parts", "")
    for one in folder.glob(f"*{PARTS}"):
        if one.name != current:
            shutil.rmtree(one, ignore_errors=True)


def _joined(folder: Path) -> dict[str, NDArray[Any]]:
    """Return whole arrays, joined from the parts of all processes, whose places are in the files' headers."""
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
    """Whether two identities are of one run: equal but for the options in ``FREE``."""
    return _bare(one) == _bare(other)


def same_model(made: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a finished model, or a style file, is that of a run, by whatever version of toccata it was written.

    Args:
        made: What it says of itself.
        now: What the run would write; the version and the names of styles may differ.
    """
    known = dict(made.get("lineage") or {})
    lineage = {name: value for name, value in now["lineage"].items() if name in known}
    compared = now.keys() - {"toccata", "styles", "lineage"}
    there = {name: made.get(name) for name in compared} | {"lineage": known}
    return same_run(there, {name: now[name] for name in compared} | {"lineage": lineage})


def other_run(folder: Path, saved: Mapping[str, Any], now: Mapping[str, Any]) -> ToccataError:
    """Return the error for a folder that holds another run.

    Args:
        folder: The run's ``training`` folder.
        saved: The identity saved in its checkpoint.
        now: The identity of the run to be resumed.
    """
    return ToccataError(
        f"{folder.parent} holds a run with another recipe or other data ({differences(saved, now)}): choose another "
        "folder, or delete this one",
        path=folder.parent,
        kind="other-run",
    )


def differences(saved: Mapping[str, Any], now: Mapping[str, Any], most: int = 3) -> str:
    """Return the differences between two identities in words: ``training.lr is 0.1 and was 0.002``.

    Args:
        saved: The identity saved in a checkpoint.
        now: The identity of the run to be resumed.
        most: The most differences listed; the others are counted.
    """
    one, other = _bare(saved), _bare(now)
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
    """Yield the leaves in which two trees of plain values differ: key, value in one, value in the other."""
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
    """Return the JSON state of the checkpoint at ``path``; its ``identity`` is the run's recipe, data and parent.

    Raises:
        ModelError: The file is damaged.
    """
    path.open("rb").close()  # safetensors reports a file without read permission as missing
    try:
        with safe_open(path, framework="np") as file:
            found = dict(json.loads(file.metadata()["state"]))
            return {**found, "identity": dict(found["identity"])}
    except Exception as error:
        raise refused(path, error) from None


def identity(path: Path) -> dict[str, Any]:
    """Return the identity of the run of the checkpoint at ``path``: its recipe, data and parent.

    Raises:
        ModelError: The file is damaged.
    """
    found: dict[str, Any] = state(path)["identity"]
    return found


def load(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the JSON state and the arrays of the checkpoint at ``path``.

    Raises:
        ModelError: The file is damaged, or a number in it is not finite.
    """
    path.open("rb").close()  # safetensors reports a file without read permission as missing
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
    """Return the error for a checkpoint that cannot be used: torn, or with shapes of another model."""
    reason = " ".join(str(error).split())[:200]
    return ModelError(f"{path} cannot be resumed from ({reason}): delete it to begin anew", path=path)


def part(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """Return the arrays whose names begin with ``prefix``, without the prefix."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
