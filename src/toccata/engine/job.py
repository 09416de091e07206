"""A decode job: what a verb wants a model to write, and what comes back."""

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
    """Turns what a job writes into events of the piece that it belongs to, while it is being written."""

    def note(self, note: Note, cursor: Cursor) -> Iterable[object]:
        """A note is complete. Its times are ticks of the tokenizer's grid from the start of the job's ids."""

    def bar(self, bar: int, cursor: Cursor) -> Iterable[object]:
        """Bar ``bar`` of the job's new ones has been reached, counted from 0; -1 and below: one before them."""

    def tempo(self, cursor: Cursor) -> None:
        """The tempo changes here."""


@dataclass(frozen=True)
class DecodeJob:
    """One sequence to be decoded.

    Attributes:
        task: What the model reads first, and the rules for what it writes.
        seed: Of its random numbers; the same seed gives the same ids, whatever else is decoded beside it.
        sampling: How to draw.
        limit: After this many new ids it comes to its end by the shortest legal way.
        listener: Makes events of it, where anyone wants them; None: there are none before it is done.
    """

    task: Task
    seed: int
    sampling: Sampling
    limit: int
    listener: Listener | None = None


@dataclass(frozen=True)
class Decoded:
    """A job that is done.

    Attributes:
        ids: ``int32[T]``, everything from the start of the task's ids on.
        new_tokens: How many of them are new.
        nats: Negative log-likelihood of the new ids under the model, without mask or temperature.
        notes: How many new notes there are.
        cursor: Where it ended.
        end_tick: Where the last of the bars asked for ends, in ticks of the tokenizer's grid; none: far away.
        bars: So many of a hole's bars were written, and there is no room in the context for the others; None: all.
    """

    ids: NDArray[np.int32]
    new_tokens: int
    nats: float
    notes: int
    cursor: Cursor
    end_tick: int
    bars: int | None = None
