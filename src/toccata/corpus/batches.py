"""Examples as batches of numpy arrays, made ahead of the trainer in processes of their own. Free of torch."""

from __future__ import annotations

import multiprocessing
import queue
import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.corpus.examples import Examples, Row
from toccata.errors import ToccataError
from toccata.midi.pool import NO_WORKERS as NO_WORKERS
from toccata.midi.pool import interrupts_deferred, main_left_alone

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


def batches(
    examples: Examples, rows: int, *, start: int = 0, rank: int = 0, processes: int = 1, workers: int = 1
) -> Generator[Batch, None, None]:
    """Batches number ``start``, ``start + 1``, ... of ``rows`` rows, for ever; closed, it ends its workers.

    Args:
        examples: Where they come from.
        rows: Rows a batch and process.
        start: The first batch's number.
        rank: This process.
        processes: How many train together.
        workers: Processes that make the examples; 0, and where a process may not start others: this one does. The
            batches are the same, and in the same order.

    Raises:
        ToccataError: An example cannot be made, or a worker ended before its time.
    """
    of = partial(numbers, rows=rows, rank=rank, processes=processes)
    batch = start
    if workers <= 0 or multiprocessing.current_process().daemon:
        while True:
            yield _given(_made(examples, of(batch)))
            batch += 1
    context = multiprocessing.get_context("spawn")
    made: list[Any] = [context.Queue(AHEAD) for _ in range(workers)]
    helpers = [
        context.Process(
            target=_work, args=(examples, of, start + i, workers, made[i]), name=f"toccata-rows-{i}", daemon=True
        )
        for i in range(workers)
    ]
    try:
        with main_left_alone(_work), interrupts_deferred():
            for helper in helpers:
                helper.start()
        while True:
            turn = (batch - start) % workers
            yield _given(_next(made[turn], helpers[turn]))
            batch += 1
    finally:
        for helper in helpers:
            if helper.pid is not None:
                helper.kill()
                helper.join()
        for one in made:
            one.close()


def _made(examples: Examples, which: Sequence[int]) -> Batch | ToccataError:
    """The batch of these examples, or why it cannot be made."""
    try:
        return Batch.of([examples.row(number) for number in which])
    except ToccataError as error:
        return error
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return ToccataError(f"examples {which[0]} to {which[-1]} cannot be made: {why}")


def _given(found: Batch | ToccataError) -> Batch:
    if isinstance(found, ToccataError):
        raise found
    return found


def _work(examples: Examples, of: Callable[[int], list[int]], first: int, step: int, made: Any) -> None:
    """The life of a worker: every ``step``-th batch from ``first`` on, until its parent has gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent's to handle, which finishes its step first
    made.cancel_join_thread()  # the reader may have ended before it has read all
    batch = first
    while _put(made, _made(examples, of(batch))):
        batch += step


def _put(made: Any, found: Batch | ToccataError) -> bool:
    """Put an item into the queue; return False if the parent process has ended."""
    parent = multiprocessing.parent_process()
    while parent is None or parent.is_alive():
        with suppress(queue.Full):
            made.put(found, timeout=1.0)
            return True
    return False


def _next(made: Any, helper: Any) -> Batch | ToccataError:
    while True:
        try:
            found: Batch | ToccataError = made.get(timeout=1.0)
            return found
        except queue.Empty:
            if not helper.is_alive():
                return ToccataError(
                    "a process that makes examples has ended: run the same command again, with training.workers=0 if "
                    "it happens again",
                    kind=NO_WORKERS,
                )
