"""Between torch's Decoder, arrays by its parameters' names, and the tensors of ``model.safetensors``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toccata.errors import ModelError
from toccata.model.config import DecoderConfig
from toccata.model.decoder import Decoder
from toccata.model.layout import apart, layout, stacked


def to_arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Tensors as arrays of their own."""
    return {name: np.array(tensor.detach().cpu().numpy()) for name, tensor in tensors.items()}


def from_arrays(config: DecoderConfig, weights: Mapping[str, NDArray[Any]]) -> Decoder:
    """A Decoder with weights by its parameters' names, a tied head left out.

    Raises:
        ModelError: They do not fit.
    """
    decoder = Decoder(config)
    state = {name: torch.from_numpy(array) for name, array in weights.items()}
    if config.tied:
        state["head.weight"] = state["embedding.weight"]
    try:
        decoder.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"model.safetensors does not fit config.json: {str(error).splitlines()[-1].strip()}") from None
    return decoder


def to_tensors(config: DecoderConfig, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A Decoder's ``state_dict`` as the tensors of a file, float32 on the CPU."""
    arrays = to_arrays({name: state[name] for name in layout(config)})
    return {name: torch.from_numpy(array) for name, array in apart(config, arrays).items()}


def from_tensors(config: DecoderConfig, tensors: Mapping[str, Tensor]) -> Decoder:
    """A Decoder with the weights of a file.

    Raises:
        ModelError: A tensor is missing, has the wrong shape, or is none of this config's.
    """
    return from_arrays(config, stacked(config, to_arrays(tensors)))
