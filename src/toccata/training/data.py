"""Batches of examples as torch's tensors."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toccata.corpus import batches as arrays
from toccata.corpus.examples import Examples
from toccata.model.attention import Packing


@dataclass(frozen=True)
class Batch:
    """Rows of packed passages.

    Attributes:
        inputs: ``int32[B, T]``.
        targets: ``int32[B, T]``.
        packing: Where the passages of the rows lie; None: every row is one passage.
        features: ``int32[B, T, n]``, for a model that has features.
    """

    inputs: Tensor
    targets: Tensor
    packing: Packing | None
    features: Tensor | None = None

    @classmethod
    def of(cls, found: arrays.Batch, *, packed: bool = False) -> Batch:
        """A batch of arrays as tensors.

        Args:
            found: The arrays.
            packed: Whether rows of one passage get a packing, too: one form for every batch.
        """
        packing = Packing.always(found.lengths) if packed else Packing.of(found.lengths)
        features = None if found.features is None else _ids(found.features)
        return cls(_ids(found.inputs), _ids(found.targets), packing, features)

    def pin_memory(self) -> Batch:
        """The same in page-locked memory, which a GPU copies from while all else goes on."""
        packing = None if self.packing is None else self.packing.pin_memory()
        features = None if self.features is None else self.features.pin_memory()
        return Batch(self.inputs.pin_memory(), self.targets.pin_memory(), packing, features)

    def to(self, device: torch.device) -> Batch:
        """The same on ``device``; from page-locked memory without waiting for the copy."""
        if device.type == "cpu":
            return self
        ahead = device.type == "cuda"
        packing = None if self.packing is None else self.packing.to(device, non_blocking=ahead)
        inputs, targets = (ids.to(device, non_blocking=ahead) for ids in (self.inputs, self.targets))
        features = None if self.features is None else self.features.to(device, non_blocking=ahead)
        return Batch(inputs, targets, packing, features)


def _ids(rows: NDArray[np.int32]) -> Tensor:
    return torch.from_numpy(rows.astype(np.int32, copy=False))


def batches(
    examples: Examples,
    rows: int,
    *,
    start: int = 0,
    rank: int = 0,
    processes: int = 1,
    workers: int = 1,
    packed: bool = False,
    pinned: bool = False,
) -> Generator[Batch, None, None]:
    """Batches of :func:`toccata.corpus.batches.batches` as tensors.

    Args:
        examples: Where they come from.
        rows: Rows a batch and process.
        start: The first batch's number.
        rank: This process.
        processes: How many train together.
        workers: Processes that make the examples; 0: this one does.
        packed: Whether every batch has a packing.
        pinned: Whether batches come in page-locked memory, for a GPU.

    Raises:
        ToccataError: An example cannot be made, or a worker ended before its time.
    """
    found = arrays.batches(examples, rows, start=start, rank=rank, processes=processes, workers=workers)
    with closing(found):
        for one in found:
            batch = Batch.of(one, packed=packed)
            yield batch.pin_memory() if pinned else batch
