"""From trained weights to a model folder that the engine, transformers and MidiTok read, and back. Free of torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes

from toccata import folder
from toccata.engine.graph import head_width, write_graph
from toccata.errors import ModelError
from toccata.files import write_bytes, write_json, write_text
from toccata.model.config import DecoderConfig
from toccata.model.layout import Arrays, apart, stacked
from toccata.tokenizers.base import Tokenizer
from toccata.training.finite import infinite

LARGEST = 2_000_000_000
"""Bytes of weights in one ONNX file: a protobuf message ends at 2 GiB."""


def refuse_too_large(config: DecoderConfig) -> None:
    """Refuse, before it is trained, a model of which no graph could be written.

    Raises:
        ModelError: Its float32 graph would be larger than an ONNX file can be.
    """
    heads = config.heads + 2 * config.kv_heads
    wider = head_width(config) - config.head_width  # the graph's heads are padded
    padding = wider * config.width * (heads + config.heads) + (wider * heads if config.bias else 0)
    if (size := 4 * (config.parameters + config.layers * padding)) > LARGEST:
        raise ModelError(
            f"a model of {config.parameters:,} parameters makes a graph of {size / 1e9:.1f} GB, and an ONNX file holds "
            f"{LARGEST / 1e9:.0f} GB at most: make model.width, model.layers or model.ffn smaller"
        )


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
    refuse_too_large(config)
    # Whoever reads the folder meanwhile must not take it for finished.
    (path / folder.ABOUT).unlink(missing_ok=True)
    write_json(path / folder.CONFIG, {**config.to_json(), "bos_token_id": tokenizer.bos, "eos_token_id": tokenizer.eos})
    tensors = apart(config, weights)
    write_bytes(path / folder.WEIGHTS, to_bytes(tensors, metadata={"format": "pt"}))
    tokenizer.save(path / folder.TOKENIZER)
    write_graph(config, tensors, path / folder.GRAPH)
    write_graph(config, tensors, path / folder.GRAPH_8BIT, bits=8)
    write_text(path / folder.CARD, card)
    return folder.seal(path, about)


def load_weights(model: folder.ModelFolder) -> dict[str, NDArray[Any]]:
    """The weights of a model folder, by a Decoder's names.

    Raises:
        ModelError: Files are missing, were changed or do not fit each other.
    """
    config = DecoderConfig.from_json(model.config)
    path = model.file(folder.WEIGHTS)
    try:
        tensors = load_file(path)
    except Exception as error:
        raise ModelError(f"{path} cannot be read ({error}): copy the model folder again", path=path) from None
    return dict(stacked(config, tensors))
