"""Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685): a Decoder whose weights stay, with small changes beside them.

A matrix becomes ``W + scale * B @ A``; a vector (of a norm, a bias) becomes ``w + offset``. The changes are
parametrisations of torch: the Decoder computes with the sums and knows nothing of them, so every architecture, kernel
and precision serves unchanged, and what is trained is to the rounding what a merge of the file gives.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from toccata.model.decoder import Decoder
from toccata.model.stylefile import adapted


class LowRank(nn.Module):
    """A matrix ``[rows, columns]`` plus ``scale * B @ A``; nothing is added at the beginning, as B is zero.

    Attributes:
        A: ``[rank, columns]``, random.
        B: ``[rows, rank]``.
    """

    def __init__(self, matrix: Tensor, rank: int, scale: float) -> None:
        super().__init__()
        rows, columns = matrix.shape
        self.scale = scale
        self.A = nn.Parameter(torch.randn(rank, columns, device=matrix.device) * columns**-0.5)
        self.B = nn.Parameter(torch.zeros(rows, rank, device=matrix.device))

    def forward(self, matrix: Tensor) -> Tensor:
        """Return the sum, in float32 whatever the training computes in."""
        with torch.autocast(matrix.device.type, enabled=False):
            return torch.addmm(matrix, self.B, self.A, alpha=self.scale)


class Offset(nn.Module):
    """A vector plus an offset, zero at the beginning."""

    def __init__(self, vector: Tensor) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros_like(vector))

    def forward(self, vector: Tensor) -> Tensor:
        """Return the sum."""
        return vector + self.offset


def adapt(decoder: Decoder, rank: int, scale: float, parts: Collection[str]) -> dict[str, nn.Parameter]:
    """Freeze a Decoder and put changes beside its weights.

    Args:
        decoder: The Decoder; it computes the same as before until a change is trained.
        rank: Of the factors.
        scale: Their product counts so many times.
        parts: Which weights get changes.

    Returns:
        What is to be trained, by the names that it has in a style file: ``NAME.A``, ``NAME.B``, ``NAME.offset``.
    """
    trained: dict[str, nn.Parameter] = {}
    decoder.requires_grad_(False)
    weights = {name: decoder.get_parameter(name) for name in adapted(decoder.config, parts)}
    # A tied head has the embedding's weight: the change is beside both.
    holders = [
        (module, leaf, parameter)
        for module in decoder.modules()
        for leaf, parameter in module.named_parameters(recurse=False, remove_duplicate=False)
    ]
    for name, weight in weights.items():
        change = LowRank(weight, rank, scale) if weight.ndim == 2 else Offset(weight)
        for module, leaf, parameter in holders:
            if parameter is weight:
                parametrize.register_parametrization(module, leaf, change)
        trained |= {f"{name}.{kind}": parameter for kind, parameter in change.named_parameters()}
    return trained
