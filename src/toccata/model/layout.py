"""The names a Decoder's weights have in ``model.safetensors``: Mistral's, so that transformers reads them as they are.

What Mistral does not have (biases, LayerNorm, learned positions, features, intervals) is named in the same manner. The
file holds query, key and value apart, and gate and up apart; a Decoder keeps them stacked. Free of torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.errors import ModelError
from toccata.model.config import INTERVALS, DecoderConfig

Arrays = Mapping[str, NDArray[Any]]
EMBEDDINGS = frozenset({"embedding.weight", "places.weight", "features.weight"})
"""The parameters of a Decoder that are embeddings of tokens, positions and features."""


def layout(config: DecoderConfig) -> dict[str, tuple[tuple[str, int], ...]]:
    """Each parameter of a Decoder, and the file's tensors that it is a stack of, with their rows."""
    C, D, ffn = config.width, config.head_width, config.ffn
    made: dict[str, tuple[tuple[str, int], ...]] = {
        "embedding.weight": (("model.embed_tokens.weight", config.vocab),),
        "norm.weight": (("model.norm.weight", C),),
    }
    if not config.tied:
        made["head.weight"] = (("lm_head.weight", config.vocab),)
    if config.positions == "learned":
        made["places.weight"] = (("model.embed_positions.weight", config.context),)
    if config.features:
        made["features.weight"] = (("model.embed_features.weight", config.feature_rows),)
    if config.intervals:
        made["intervals.weight"] = (("interval_head.weight", len(config.intervals) * INTERVALS),)
    if config.norm == "layer":
        made["norm.bias"] = (("model.norm.bias", C),)
    for i in range(config.layers):
        ours, theirs = f"blocks.{i}", f"model.layers.{i}"
        attention, mlp = f"{theirs}.self_attn", f"{theirs}.mlp"
        for kind in ("weight", "bias") if config.bias else ("weight",):
            made[f"{ours}.attention.qkv.{kind}"] = (
                (f"{attention}.q_proj.{kind}", config.heads * D),
                (f"{attention}.k_proj.{kind}", config.kv_heads * D),
                (f"{attention}.v_proj.{kind}", config.kv_heads * D),
            )
            made[f"{ours}.attention.out.{kind}"] = ((f"{attention}.o_proj.{kind}", C),)
            up = ((f"{mlp}.up_proj.{kind}", ffn),)
            gate = ((f"{mlp}.gate_proj.{kind}", ffn),) if config.mlp == "swiglu" else ()
            made[f"{ours}.mlp.up.{kind}"] = gate + up
            made[f"{ours}.mlp.down.{kind}"] = ((f"{mlp}.down_proj.{kind}", C),)
        for kind in ("weight", "bias") if config.norm == "layer" else ("weight",):
            made[f"{ours}.norm1.{kind}"] = ((f"{theirs}.input_layernorm.{kind}", C),)
            made[f"{ours}.norm2.{kind}"] = ((f"{theirs}.post_attention_layernorm.{kind}", C),)
    return made


def shapes(config: DecoderConfig) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of ``model.safetensors``."""
    inner = {"down_proj": config.ffn, "o_proj": config.heads * config.head_width}
    made: dict[str, tuple[int, ...]] = {}
    for parts in layout(config).values():
        for name, rows in parts:
            *_, part, kind = name.split(".")
            is_vector = kind == "bias" or "norm" in part
            made[name] = (rows,) if is_vector else (rows, inner.get(part, config.width))
    return made


def apart(config: DecoderConfig, weights: Arrays) -> dict[str, NDArray[np.float32]]:
    """A Decoder's parameters as the tensors of a file, float32."""
    tensors: dict[str, NDArray[np.float32]] = {}
    for name, parts in layout(config).items():
        first = 0
        for part, rows in parts:
            tensors[part] = np.array(weights[name][first : first + rows], np.float32)
            first += rows
    return tensors


def stacked(config: DecoderConfig, tensors: Arrays) -> dict[str, NDArray[np.float32]]:
    """The tensors of a file as a Decoder's parameters, a tied head left out.

    Raises:
        ModelError: A tensor is missing, has the wrong number of rows, or is none of this config's.
    """
    made = layout(config)
    rows = {part: n for parts in made.values() for part, n in parts}
    if missing := set(rows) - set(tensors):
        raise ModelError(f"model.safetensors lacks {len(missing)} tensors, the first {min(missing)}")
    if foreign := set(tensors) - set(rows):
        raise ModelError(f"model.safetensors has tensors that config.json does not describe, the first {min(foreign)}")
    for part, n in rows.items():
        if tensors[part].shape[:1] != (n,):
            shape = list(tensors[part].shape)
            raise ModelError(f"model.safetensors does not fit config.json: {part} is {shape}, not {n} rows")
    return {
        name: np.concatenate([np.asarray(tensors[part], np.float32) for part, _ in parts])
        for name, parts in made.items()
    }
