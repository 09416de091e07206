"""Examples as batches of numpy arrays, made ahead of the trainer in processes of their own. Free of torch."""

from __future__ import annotations

import multiprocessing
import queue
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.corpus.examples import Examples, Row
from toccata.errors import ToccataError
from toccata.midi.pool import interrupts_deferred as interrupts_deferred  # training starts processes too
from toccata.midi.pool import main_left_alone

AHEAD = 8
"""The number of batches that a worker makes ahead."""


@dataclass(frozen=True)
class Batch:
    """Rows of packed passages.

    Attributes:
        inputs: ``int32[B, T]``.
        targets: ``int32[B, T]``.
        lengths: For each row the lengths of its passages.
        features: ``int32[B, T, n]``, for a model that has features.
    """

    inputs: NDArray[np.int32]
    targets: NDArray[np.int32]
    lengths: tuple[tuple[int, ...], ...]
    features: NDArray[np.int32] | None = None

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Batch:
        """Rows as one batch."""
        inputs, targets = np.stack([row.inputs for row in rows]), np.stack([row.targets for row in rows])
        features = [row.features for row in rows if row.features is not None]
        beside = np.stack(features) if features else None
        return cls(inputs, targets, tuple(row.lengths for row in rows), beside)


def numbers(batch: int, rows: int, rank: int = 0, processes: int = 1) -> list[int]:
    """The example numbers of one process's batch.

    The batches of all processes together are consecutive numbers, so that two processes see what one with twice the
    rows would see.
    """
    first = (batch * processes + rank) * rows
    return list(range(first, first + rows))


def batches(examples: Examples, rows: int, *, start: int = 0, workers: int = 1) -> Iterator[Batch]:
    """Batches number ``start``, ``start + 1``, ... of ``rows`` rows, for ever.

    Args:
        examples: Where they come from.
        rows: Rows a batch.
        start: The first batch's number.
        workers: Processes that make the examples; 0, and where a process may not start others: this one does.

    Raises:
        ToccataError: A worker ended before its time.
    """
    if workers <= 0 or multiprocessing.current_process().daemon:
        batch = start
        while True:
            yield Batch.of([examples.row(number) for number in numbers(batch, rows)])
            batch += 1
    context = multiprocessing.get_context("spawn")
    made: list[Any] = [context.Queue(AHEAD) for _ in range(workers)]
    helpers = [
        context.Process(
            target=_work, args=(examples, rows, start + i, workers, made[i]), name=f"toccata-rows-{i}", daemon=True
        )
        for i in range(workers)
    ]
    try:
        with main_left_alone(_work), interrupts_deferred():
            for helper in helpers:
                helper.start()
        batch = start
        while True:
            turn = (batch - start) % workers
            found = _next(made[turn], helpers[turn])
            if isinstance(found, Exception):
                raise found
            yield found
            batch += 1
    finally:
        for helper in helpers:
            if helper.pid is not None:
                helper.kill()
                helper.join()
        for one in made:
            one.close()


def _work(examples: Examples, rows: int, first: int, step: int, made: Any) -> None:
    """The life of a worker: every ``step``-th batch from ``first`` on, until its parent has gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent's to handle, which finishes its step first
    made.cancel_join_thread()  # the reader may have ended before it has read all
    batch = first
    while True:
        found: Batch | Exception
        try:
            found = Batch.of([examples.row(number) for number in numbers(batch, rows)])
        except ToccataError as error:
            found = error
        except Exception as error:
            found = ToccataError(f"examples cannot be made: {type(error).__name__}: {error}")
        if not _put(made, found):
            return
        batch += step


def _put(made: Any, found: Batch | Exception) -> bool:
    """Put an item into the queue; return False if the parent process has ended."""
    parent = multiprocessing.parent_process()
    while parent is None or parent.is_alive():
        with suppress(queue.Full):
            made.put(found, timeout=1.0)
            return True
    return False


def _next(made: Any, helper: Any) -> Batch | Exception:
    while True:
        try:
            found: Batch | Exception = made.get(timeout=1.0)
            return found
        except queue.Empty:
            if not helper.is_alive():
                return ToccataError(
                    "a process that makes examples has ended: run the same command again, with training.workers=0 if "
                    "it happens again",
                    kind="no-workers",
                )
