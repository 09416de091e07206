"""From a finetuning of low rank to a style file. Free of torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save as to_bytes

from toccata.errors import ModelError, RequestError
from toccata.files import write_bytes
from toccata.folder import ModelFolder
from toccata.model.stylefile import FORMAT, METADATA, StyleFile
from toccata.training import checkpoint
from toccata.training.options import TrainOptions


def about_style(path: Path, base: ModelFolder, options: TrainOptions, run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a style file.

    Args:
        path: Where it goes.
        base: The model that it is for.
        options: How it was trained.
        run: What ``toccata.json`` would say of the run.
    """
    return {
        "format": FORMAT,
        "name": path.stem,
        "base": {"name": base.name, "weights": base.weights},
        "rank": options.lora_rank,
        "scale": options.lora_alpha / options.lora_rank,
        **{name: run[name] for name in ("toccata", "recipe", "lineage")},
    }


def is_finished(path: Path, about: Mapping[str, Any]) -> bool:
    """Whether a style file was written by the run that has these metadata, by whatever version of toccata.

    Raises:
        RequestError: There is a file of another run.
    """
    if not path.exists():
        return False
    if not checkpoint.same_model(StyleFile.read(path).about, about):
        raise RequestError(f"{path} is of another finetuning: choose another name, or delete it", path=path)
    return True


def write_style(path: Path, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> StyleFile:
    """Write a style file, wholly or not at all.

    Args:
        path: Where.
        arrays: Factors and offsets, by name; they are rounded to float16, which is finer than what a training finds.
        about: The metadata.

    Raises:
        ModelError: A number is not finite, or too large for float16. Nothing was written.
    """
    with np.errstate(over="ignore"):
        halves = {name: np.asarray(array, np.float16) for name, array in arrays.items()}
    if (name := next((name for name, half in halves.items() if not np.isfinite(half).all()), None)) is not None:
        raise ModelError(
            f"{path} cannot be written: {name} is not finite; train it again, with a lower training.lr", path=path
        )
    text = json.dumps(about, separators=(",", ":"))
    write_bytes(path, to_bytes(halves, metadata={METADATA: text}))
    return StyleFile.read(path)
