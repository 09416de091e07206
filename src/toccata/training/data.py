"""Examples as batches of tensors, made ahead of the trainer in processes of their own."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from toccata.corpus.batches import interrupts_kept
from toccata.corpus.examples import Examples, Row


@dataclass(frozen=True)
class Batch:
    """Rows of packed passages.

    Attributes:
        inputs: ``int64[B, T]``.
        targets: ``int64[B, T]``.
        lengths: For each row the lengths of its passages.
    """

    inputs: Tensor
    targets: Tensor
    lengths: tuple[tuple[int, ...], ...]


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


def stack(rows: Sequence[Row]) -> Batch:
    """Rows as one batch."""
    inputs = torch.from_numpy(np.stack([row.inputs for row in rows]).astype(np.int64))
    targets = torch.from_numpy(np.stack([row.targets for row in rows]).astype(np.int64))
    return Batch(inputs, targets, tuple(row.lengths for row in rows))


def batches(
    examples: Examples, rows: int, *, start: int = 0, rank: int = 0, processes: int = 1, workers: int = 1
) -> Iterator[Batch]:
    """Batches number ``start``, ``start + 1``, ... of ``rows`` rows, for ever.

    Args:
        examples: Where they come from.
        rows: Rows a batch and process.
        start: The first batch's number.
        rank: This process.
        processes: How many train together.
        workers: Processes that make the examples; 0: this one does.
    """
    loader = DataLoader(
        _Rows(examples),
        batch_sampler=_Numbers(start, rows, rank, processes),
        collate_fn=stack,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        prefetch_factor=8 if workers else None,
        worker_init_fn=_leave_interrupts if workers else None,
    )
    with interrupts_kept():
        return iter(loader)


def _leave_interrupts(worker: int) -> None:
    """Ctrl-C in a terminal, and what torchrun sends, reach every process.

    They are the trainer's to handle, which finishes its step first.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
