"""Between torch's Decoder and the tensors of ``model.safetensors``."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from toccata.errors import ModelError
from toccata.model.config import DecoderConfig
from toccata.model.decoder import Decoder
from toccata.model.layout import apart, layout, stacked


def to_tensors(config: DecoderConfig, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A Decoder's ``state_dict`` as the tensors of a file, float32 on the CPU."""
    arrays = {name: state[name].detach().to("cpu", torch.float32).numpy() for name in layout(config)}
    return {name: torch.from_numpy(array) for name, array in apart(config, arrays).items()}


def from_tensors(config: DecoderConfig, tensors: Mapping[str, Tensor]) -> Decoder:
    """A Decoder with the weights of a file.

    Raises:
        ModelError: A tensor is missing, has the wrong shape, or is none of this config's.
    """
    arrays = stacked(config, {name: tensor.to("cpu", torch.float32).numpy() for name, tensor in tensors.items()})
    state = {name: torch.from_numpy(array) for name, array in arrays.items()}
    decoder = Decoder(config)
    if config.tied:
        state["head.weight"] = state["embedding.weight"]
    try:
        decoder.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"model.safetensors does not fit config.json: {str(error).splitlines()[-1].strip()}") from None
    return decoder
