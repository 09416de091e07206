"""Decode jobs: sequences that a verb requests, and their results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from toccata.engine.sampling import Sampling
from toccata.tasks.request import Task
from toccata.tokenizers.cursor import Cursor
from toccata.tokenizers.state import Note


class Listener(Protocol):
    """Makes events of a piece from a job while it is decoded."""

    def note(self, note: Note, cursor: Cursor) -> Iterable[object]:
        """Called with a complete note; its times are ticks of the tokenizer's grid from the start of the job's ids."""

    def bar(self, bar: int, cursor: Cursor) -> Iterable[object]:
        """Called when bar ``bar`` of the new bars begins, counted from 0; negative for bars before them."""

    def tempo(self, cursor: Cursor) -> None:
        """Called when the tempo changes."""


@dataclass(frozen=True)
class DecodeJob:
    """One sequence to be decoded.

    Attributes:
        task: The compiled request.
        seed: The seed of its random numbers; the same seed gives the same ids, whatever else is in the batch.
        sampling: The sampling parameters.
        limit: After this many new ids, the sequence is ended by the shortest legal way.
        listener: Makes events of it; None: no events are needed before it is finished.
    """

    task: Task
    seed: int
    sampling: Sampling
    limit: int
    listener: Listener | None = None


@dataclass(frozen=True)
class Decoded:
    """The result of a finished job.

    Attributes:
        ids: ``int32[T]``, everything from the start of the task's ids on.
        new_tokens: The number of new ids.
        nats: Negative log-likelihood of the new ids under the model, without mask or temperature.
        notes: The number of new notes.
        cursor: The state of the grammar at its end.
        end_tick: The end of the last requested bar, in ticks of the tokenizer's grid; without one, a huge number.
        bars: So many of a hole's bars were written, and there is no room in the context for the others; None: all.
    """

    ids: NDArray[np.int32]
    new_tokens: int
    nats: float
    notes: int
    cursor: Cursor
    end_tick: int
    bars: int | None = None
