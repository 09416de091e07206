"""From trained weights to a model folder that the engine, transformers and MidiTok read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from toccata import folder
from toccata.engine.graph import write_graph
from toccata.errors import ModelError
from toccata.files import write_bytes, write_json, write_text
from toccata.model.config import DecoderConfig
from toccata.model.decoder import Decoder
from toccata.model.weights import from_tensors, to_tensors
from toccata.tokenizers.base import Tokenizer


def export(path: Path, decoder: Decoder, tokenizer: Tokenizer, about: dict[str, Any], card: str) -> folder.ModelFolder:
    """Write everything a model folder holds but ``training/``, and seal it."""
    config = decoder.config
    # Whoever reads the folder meanwhile must not take it for finished.
    (path / folder.ABOUT).unlink(missing_ok=True)
    write_json(path / folder.CONFIG, {**config.to_json(), "bos_token_id": tokenizer.bos, "eos_token_id": tokenizer.eos})
    tensors = to_tensors(config, decoder.state_dict())
    write_bytes(path / folder.WEIGHTS, to_bytes(tensors, metadata={"format": "pt"}))
    tokenizer.save(path / folder.TOKENIZER)
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    write_graph(config, arrays, path / folder.GRAPH)
    write_graph(config, arrays, path / folder.GRAPH_8BIT, bits=8)
    write_text(path / folder.CARD, card)
    return folder.seal(path, about)


def load_decoder(model: folder.ModelFolder, config: DecoderConfig | None = None) -> Decoder:
    """The Decoder of a model folder.

    Args:
        model: The folder.
        config: Its config with another dropout, if it is to be trained further; None: its own.

    Raises:
        ModelError: Files are missing, were changed or do not fit each other.
    """
    config = config or DecoderConfig.from_json(model.config)
    path = model.file(folder.WEIGHTS)
    try:
        tensors = load_file(path)
    except Exception as error:
        raise ModelError(f"{path} cannot be read ({error}): copy the model folder again", path=path) from None
    return from_tensors(config, tensors)
