"""Examples as batches of tensors, made ahead of the trainer in processes of their own."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from toccata.corpus.batches import interrupts_deferred
from toccata.corpus.examples import Examples, Row
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


class _Rows(Dataset[Row]):
    def __init__(self, examples: Examples) -> None:
        self.examples = examples

    def __getitem__(self, number: int) -> Row:
        return self.examples.row(number)


class _Numbers:
    """The example numbers of this process's batches, from ``start`` on, for ever.

    The batches of all processes together are consecutive numbers, so that two processes see what one with twice the
    rows would see.
    """

    def __init__(self, start: int, rows: int, rank: int, processes: int) -> None:
        self.start, self.rows, self.rank, self.processes = start, rows, rank, processes

    def __iter__(self) -> Iterator[list[int]]:
        batch = self.start
        while True:
            first = (batch * self.processes + self.rank) * self.rows
            yield list(range(first, first + self.rows))
            batch += 1


def stack(rows: Sequence[Row], *, packed: bool = False) -> Batch:
    """Rows as one batch.

    Args:
        rows: The rows, alike in length.
        packed: Whether rows of one passage get a packing, too: one form for every batch.
    """
    lengths = [row.lengths for row in rows]
    packing = Packing.always(lengths) if packed else Packing.of(lengths)
    features = [row.features for row in rows if row.features is not None]
    beside = _ids(features) if features else None
    return Batch(_ids([row.inputs for row in rows]), _ids([row.targets for row in rows]), packing, beside)


def _ids(rows: Sequence[NDArray[np.int32]]) -> Tensor:
    return torch.from_numpy(np.stack(rows).astype(np.int32, copy=False))


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
) -> Iterator[Batch]:
    """Batches number ``start``, ``start + 1``, ... of ``rows`` rows, for ever.

    Args:
        examples: Where they come from.
        rows: Rows a batch and process.
        start: The first batch's number.
        rank: This process.
        processes: How many train together.
        workers: Processes that make the examples; 0: this one does. The batches are the same, and in the same order.
        packed: Whether every batch has a packing.
        pinned: Whether batches come in page-locked memory, for a GPU.
    """
    loader = DataLoader(
        _Rows(examples),
        batch_sampler=_Numbers(start, rows, rank, processes),
        collate_fn=partial(stack, packed=packed),
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        prefetch_factor=8 if workers else None,
        worker_init_fn=_leave_interrupts if workers else None,
        pin_memory=pinned,
    )
    with interrupts_deferred():
        return iter(loader)


def _leave_interrupts(worker: int) -> None:
    """Ctrl-C in a terminal, and what torchrun sends, reach every process.

    They are the trainer's to handle, which finishes its step first.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
