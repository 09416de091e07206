"""From trained weights to a model folder that the engine, transformers and MidiTok read, and back. Free of torch."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save as to_bytes

from toccata import folder
from toccata.errors import ModelError
from toccata.files import write_bytes, write_json, write_text
from toccata.model.config import DecoderConfig
from toccata.model.layout import Arrays, apart, shapes, stacked
from toccata.model.tensors import read_tensors
from toccata.tokenizers.base import Tokenizer
from toccata.training.finite import infinite

_LAST_NORM = ("norm.weight", "norm.bias")


def export(
    path: Path, config: DecoderConfig, weights: Arrays, tokenizer: Tokenizer, about: dict[str, Any], card: str
) -> folder.ModelFolder:
    """Write everything a model folder holds but ``training/``, and seal it; ``weights`` by a Decoder's names.

    Raises:
        ModelError: A weight is not a finite number, or the model is too large for a graph. Nothing was written.
    """
    if (name := infinite(weights)) is not None:
        raise ModelError(
            f"{path} cannot be exported: {name} is not finite; train it again, with a lower training.lr", path=path
        )
    # So that a process that reads the folder meanwhile does not take it for finished.
    (path / folder.ABOUT).unlink(missing_ok=True)
    write_json(path / folder.CONFIG, {**config.to_json(), "bos_token_id": tokenizer.bos, "eos_token_id": tokenizer.eos})
    tensors = apart(config, weights)
    write_bytes(path / folder.WEIGHTS, to_bytes(tensors, metadata={"format": "pt"}))
    shutil.rmtree(path / folder.TOKENIZER, ignore_errors=True)  # it may be another kind's
    tokenizer.save(path / folder.TOKENIZER)
    write_text(path / folder.CARD, card)
    return folder.seal(path, about)


def divide_logits(made: folder.ModelFolder, by: float, about: dict[str, Any]) -> folder.ModelFolder:
    """Rewrite a model folder so that all its logits are divided by a number; ``toccata.json`` gets ``about`` besides.

    They are linear in what the last norm returns, so its gain and bias are divided: whatever reads the weights needs to
    know nothing of it.
    """
    config, weights = DecoderConfig.from_json(made.config, made.path / folder.CONFIG), load_weights(made)
    weights |= {name: w / np.asarray(by, w.dtype) for name, w in weights.items() if name in _LAST_NORM}
    (made.path / folder.ABOUT).unlink()
    write_bytes(made.path / folder.WEIGHTS, to_bytes(apart(config, weights), metadata={"format": "pt"}))
    return folder.seal(made.path, {**made.about, **about})


def load_weights(model: folder.ModelFolder) -> dict[str, NDArray[Any]]:
    """The weights of a model folder, by a Decoder's names.

    Raises:
        ModelError: Files are missing, were changed or do not fit each other.
    """
    config = DecoderConfig.from_json(model.config, model.path / folder.CONFIG)
    return stacked(config, read_tensors(model.file(folder.WEIGHTS), shapes(config)))
