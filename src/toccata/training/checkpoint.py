"""The state of a run, in one file that is written whole or not at all; safetensors and JSON, nothing pickled."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save as to_bytes

from toccata.errors import ModelError, ToccataError
from toccata.files import write_bytes
from toccata.training.finite import infinite
from toccata.training.place import BEST as BEST
from toccata.training.place import LAST as LAST

MODEL = "model."
"""What the names of weights begin with; other names are the backend's own."""
FREE = ("workers", "checkpoint_minutes", "shard")
"""Training options that say how a run is run, not what it computes: they may be others when it goes on."""


def save(path: Path, arrays: Mapping[str, NDArray[Any]], state: dict[str, Any]) -> None:
    """Write what a backend keeps, and ``state`` (JSON), to ``path``."""
    # By way of bytes: safetensors, writing for itself, has errors of its own for a disk that is full.
    write_bytes(path, to_bytes(dict(arrays), metadata={"state": json.dumps(state)}))


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
    recipe = dict(identity.get("recipe") or {})
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
