"""A model folder with random weights: all that tests of the engine need, made in a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from toccata import folder
from toccata.files import write_json
from toccata.model.config import DecoderConfig
from toccata.model.decoder import Decoder
from toccata.model.weights import from_arrays, to_tensors
from toccata.musicmodel import Model
from toccata.recipes import load
from toccata.tokenizers.events import EventOptions, EventTokenizer
from toccata.tokenizers.grid import GridTokenizer
from toccata.training.export import load_weights


def random_model(
    path: Path,
    options: EventOptions | None = None,
    *,
    tokenizer: EventTokenizer | GridTokenizer | None = None,
    seed: int = 0,
    styles: Sequence[str] = (),
    settings: Sequence[str] = (),
    features: bool = False,
    **shape: Any,
) -> Path:
    """Write a model folder of random weights, large enough that they have opinions."""
    tokenizer = tokenizer or EventTokenizer.build(options or EventOptions("REMI", {"program_changes": True}))
    sizes: dict[str, Any] = {"context": 96, "layers": 2, "width": 32, "heads": 2, "kv_heads": 1, "ffn": 64}
    if features and (known := tokenizer.features) is not None:
        sizes |= {"features": known.blocks, "intervals": known.intervals, "pitches": known.pitches}
    config = DecoderConfig(vocab=tokenizer.vocab_size, **{**sizes, **shape})
    torch.manual_seed(seed)
    decoder = Decoder(config)
    if decoder.intervals is not None:
        torch.nn.init.normal_(decoder.intervals.weight, std=0.02)  # nothing at the beginning
    for parameter in decoder.parameters():
        if parameter.ndim > 1:
            parameter.data.mul_(6)
    tensors = to_tensors(config, decoder.state_dict())
    path.mkdir(parents=True, exist_ok=True)
    write_json(path / folder.CONFIG, config.to_json())
    save_file(tensors, path / folder.WEIGHTS, metadata={"format": "pt"})
    tokenizer.save(path / folder.TOKENIZER)
    recipe = load("toccata", ["examples.fill=0.25", *settings])
    about = {"name": path.name, "toccata": "0", "recipe": recipe.to_json(), "lineage": {}, "styles": list(styles)}
    folder.seal(path, about)
    return path


def opened(path: Path, options: EventOptions | None = None, **shape: Any) -> Model:
    """The same, opened; float32, as random weights are no test of eight bits."""
    return Model(random_model(path, options, **shape), precision="fp32")


def load_decoder(model: folder.ModelFolder) -> Decoder:
    """The Decoder of a model folder."""
    return from_arrays(DecoderConfig.from_json(model.config, model.path / folder.CONFIG), load_weights(model))
