"""The state of a run, in one file that is written whole or not at all; safetensors and JSON, nothing pickled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from toccata.errors import ModelError
from toccata.files import write_bytes

LAST, BEST = "last.safetensors", "best.safetensors"


def save(
    path: Path,
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    state: dict[str, Any],
    ema: dict[str, Tensor] | None,
) -> None:
    """Write weights, optimiser states, averaged weights and ``state`` (JSON) to ``path``."""
    tensors = {f"model.{name}": tensor for name, tensor in _own(model).items()}
    for name, tensor in (ema or {}).items():
        tensors[f"ema.{name}"] = tensor
    for i, optimizer in enumerate(optimizers):
        for number, values in optimizer.state_dict()["state"].items():
            for name, value in values.items():
                tensors[f"optimizer{i}.{number}.{name}"] = torch.as_tensor(value)
    tensors = {name: tensor.detach().to("cpu").contiguous().clone() for name, tensor in tensors.items()}
    # By way of bytes: safetensors, writing for itself, has errors of its own for a disk that is full.
    write_bytes(path, to_bytes(tensors, metadata={"state": json.dumps(state)}))


def identity(path: Path) -> dict[str, Any]:
    """What the checkpoint at ``path`` is one of: its run's recipe, data and parent.

    Raises:
        ModelError: The file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return dict(json.loads(file.metadata()["state"])["identity"])
    except Exception as error:
        raise _refused(path, error) from None


def load(
    path: Path, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]
) -> tuple[dict[str, Any], dict[str, Tensor] | None]:
    """Put the weights and states of ``path`` into place.

    Returns:
        The JSON state, and the averaged weights if there are any.

    Raises:
        ModelError: The file is damaged or of another model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        if missing := set(_own(model)) - set(_part(tensors, "model.")):
            raise ValueError(f"it lacks {min(missing)}")
        model.load_state_dict(_part(tensors, "model."), strict=False)  # a tied weight is there once
        for i, optimizer in enumerate(optimizers):
            values: dict[int, dict[str, Tensor]] = {}
            for name, tensor in _part(tensors, f"optimizer{i}.").items():
                number, _, key = name.partition(".")
                values.setdefault(int(number), {})[key] = tensor
            optimizer.load_state_dict({**optimizer.state_dict(), "state": values})
    except Exception as error:
        # Whatever is wrong with it, from a torn file to shapes of another model, the user's way out is the same.
        raise _refused(path, error) from None
    ema = _part(tensors, "ema.")
    return state, ema or None


def _refused(path: Path, error: Exception) -> ModelError:
    reason = " ".join(str(error).split())[:200]
    return ModelError(f"{path} cannot be resumed from ({reason}): delete it to begin anew", path=path)


def _own(model: nn.Module) -> dict[str, Tensor]:
    """The weights, a tied one once."""
    return dict(model.named_parameters())


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
