"""The names a Decoder's weights have in ``model.safetensors``: Mistral's, so that transformers reads them as they are.

What Mistral does not have (biases, LayerNorm, learned positions) is named in the same manner. The file holds query, key
and value apart, and gate and up apart; the Decoder keeps them stacked.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from toccata.errors import ModelError
from toccata.model.config import DecoderConfig
from toccata.model.decoder import Decoder


def _layout(config: DecoderConfig) -> dict[str, tuple[tuple[str, int], ...]]:
    """Each parameter of a Decoder, and the file's tensors that it is a stack of, with their rows."""
    C, D, ffn = config.width, config.head_width, config.ffn
    layout: dict[str, tuple[tuple[str, int], ...]] = {
        "embedding.weight": (("model.embed_tokens.weight", config.vocab),),
        "norm.weight": (("model.norm.weight", C),),
    }
    if not config.tied:
        layout["head.weight"] = (("lm_head.weight", config.vocab),)
    if config.positions == "learned":
        layout["places.weight"] = (("model.embed_positions.weight", config.context),)
    if config.norm == "layer":
        layout["norm.bias"] = (("model.norm.bias", C),)
    for i in range(config.layers):
        ours, theirs = f"blocks.{i}", f"model.layers.{i}"
        attention, mlp = f"{theirs}.self_attn", f"{theirs}.mlp"
        for kind in ("weight", "bias") if config.bias else ("weight",):
            layout[f"{ours}.attention.qkv.{kind}"] = (
                (f"{attention}.q_proj.{kind}", config.heads * D),
                (f"{attention}.k_proj.{kind}", config.kv_heads * D),
                (f"{attention}.v_proj.{kind}", config.kv_heads * D),
            )
            layout[f"{ours}.attention.out.{kind}"] = ((f"{attention}.o_proj.{kind}", C),)
            up = ((f"{mlp}.up_proj.{kind}", ffn),)
            gate = ((f"{mlp}.gate_proj.{kind}", ffn),) if config.mlp == "swiglu" else ()
            layout[f"{ours}.mlp.up.{kind}"] = gate + up
            layout[f"{ours}.mlp.down.{kind}"] = ((f"{mlp}.down_proj.{kind}", C),)
        for kind in ("weight", "bias") if config.norm == "layer" else ("weight",):
            layout[f"{ours}.norm1.{kind}"] = ((f"{theirs}.input_layernorm.{kind}", C),)
            layout[f"{ours}.norm2.{kind}"] = ((f"{theirs}.post_attention_layernorm.{kind}", C),)
    return layout


def to_tensors(config: DecoderConfig, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A Decoder's ``state_dict`` as the tensors of a file, float32 on the CPU."""
    tensors: dict[str, Tensor] = {}
    for name, parts in _layout(config).items():
        rows = [n for _, n in parts]
        for (part, _), tensor in zip(parts, torch.split(state[name].detach(), rows), strict=True):
            tensors[part] = tensor.to("cpu", torch.float32).contiguous().clone()
    return tensors


def from_tensors(config: DecoderConfig, tensors: Mapping[str, Tensor]) -> Decoder:
    """A Decoder with the weights of a file.

    Raises:
        ModelError: A tensor is missing, has the wrong shape, or is none of this config's.
    """
    layout = _layout(config)
    expected = {part for parts in layout.values() for part, _ in parts}
    if missing := expected - set(tensors):
        raise ModelError(f"model.safetensors lacks {len(missing)} tensors, the first {min(missing)}")
    if foreign := set(tensors) - expected:
        raise ModelError(f"model.safetensors has tensors that config.json does not describe, the first {min(foreign)}")
    decoder = Decoder(config)
    state = {name: torch.cat([tensors[part] for part, _ in parts]) for name, parts in layout.items()}
    if config.tied:
        state["head.weight"] = state["embedding.weight"]
    try:
        decoder.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"model.safetensors does not fit config.json: {str(error).splitlines()[-1].strip()}") from None
    return decoder
