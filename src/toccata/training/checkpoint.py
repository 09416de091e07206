"""The state of a run, in one file that is written whole or not at all; safetensors and JSON, nothing pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save as to_bytes

from toccata.errors import ModelError
from toccata.files import write_bytes

LAST, BEST = "last.safetensors", "best.safetensors"
MODEL = "model."
"""What the names of weights begin with; other names are the backend's own."""
FREE = ("workers", "checkpoint_minutes")
"""Training options that change no number of a run, only how it is run: they may be others when it goes on."""


def save(path: Path, arrays: Mapping[str, NDArray[Any]], state: dict[str, Any]) -> None:
    """Write what a backend keeps, and ``state`` (JSON), to ``path``."""
    # By way of bytes: safetensors, writing for itself, has errors of its own for a disk that is full.
    write_bytes(path, to_bytes(dict(arrays), metadata={"state": json.dumps(state)}))


def same_run(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two identities are of one run: equal but for what changes no number in it (``FREE``)."""
    return _bare(one) == _bare(other)


def _bare(identity: Mapping[str, Any]) -> dict[str, Any]:
    recipe = dict(identity.get("recipe") or {})
    recipe["training"] = {key: value for key, value in (recipe.get("training") or {}).items() if key not in FREE}
    return {**identity, "recipe": recipe}


def identity(path: Path) -> dict[str, Any]:
    """What the checkpoint at ``path`` is one of: its run's recipe, data and parent.

    Raises:
        ModelError: The file is damaged.
    """
    path.open("rb").close()  # safetensors calls what may not be read missing
    try:
        with safe_open(path, framework="np") as file:
            return dict(json.loads(file.metadata()["state"])["identity"])
    except Exception as error:
        raise refused(path, error) from None


def load(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The JSON state and the arrays of ``path``.

    Raises:
        ModelError: The file is damaged.
    """
    path.open("rb").close()  # safetensors calls what may not be read missing
    try:
        with safe_open(path, framework="np") as file:
            state = dict(json.loads(file.metadata()["state"]))
            return state, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except Exception as error:
        raise refused(path, error) from None


def refused(path: Path, error: Exception) -> ModelError:
    """Whatever is wrong with it, from a torn file to shapes of another model, the user's way out is the same."""
    reason = " ".join(str(error).split())[:200]
    return ModelError(f"{path} cannot be resumed from ({reason}): delete it to begin anew", path=path)


def part(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
