"""Reading: the rows of a session that read what is written, and say what may follow.

Most pieces are read in one row. Where a model is told how music shall be, a piece is read in several, each deaf to some
of what is told. One of them hears no wishes: what it expects differs from what the others do by just what was wished
for, and the difference can be made greater (classifier-free guidance: Ho and Salimans 2022; for language models Sanchez
et al. 2023). Of several styles each row hears one, as in training, and what they expect on average is the mixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from toccata.engine.sampling import Floats
from toccata.engine.session import Session
from toccata.tasks.controls import style_words, wish_words
from toccata.tasks.request import Task
from toccata.tasks.window import BarStart, latest_bars
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.cursor import Cursor

KEPT = 0.6
"""How much of the context is kept when it slides."""


class Written(Protocol):
    """A piece being written: all of its ids, where its bars begin in them, and where it stands."""

    ids: list[int]
    bars: list[BarStart]
    cursor: Cursor


class Hearings(NamedTuple):
    """The rows in which a piece is read.

    Attributes:
        deaf: ``bool[rows, V]``, the words that each of them does not hear.
        guided: Whether the last one hears no wishes.
    """

    deaf: NDArray[np.bool_]
    guided: bool


class Reader:
    """Reads pieces side by side; a row that is full begins anew with the latest bars.

    Attributes:
        told: ``float[B, V]``, logits of what follows in each piece, by what the model was told.
        untold: The same if nothing had been wished for; None where nothing is guided.
    """

    told: Floats
    untold: Floats | None = None
    _heard: Floats

    def __init__(self, session: Session, tokenizer: Tokenizer, task: Task, pieces: int, hearings: Hearings) -> None:
        """Read what the task gives, for so many pieces.

        Args:
            session: No row of it in use, and as many as there are pieces and hearings of each.
            tokenizer: The model's.
            task: What is asked.
            pieces: How many are written side by side, B.
            hearings: The rows in which each of them is read.
        """
        self.session, self.tokenizer, self.task = session, tokenizer, task
        self._deaf, self._guided = hearings
        self._each = len(self._deaf)  # rows a piece; those of one piece lie side by side
        ids = task.ids
        first = np.stack([self.session.prefill(row, ids[~deaf[ids]]) for row, deaf in enumerate(self._deaf)])
        for row in range(self._each, self._each * pieces):
            self.session.share(row % self._each, [row])
        self._hear(np.repeat(first[None], pieces, axis=0))

    def step(self, pieces: Sequence[Written], ids: Sequence[int]) -> None:
        """Read one more id of each piece, the last of its own."""
        new = np.array(ids, np.int64)
        rows = len(new) * self._each
        skipped = self._deaf[:, new].T
        for row in np.flatnonzero(self.session.lengths[:rows] + 1 >= self.session.capacity).tolist():
            piece, hearing = divmod(row, self._each)
            if not skipped[piece, hearing]:
                self._renew(row, pieces[piece], self._deaf[hearing])
        logits = self.session.step(np.repeat(new, self._each)).reshape(len(new), self._each, -1)
        if skipped.any():
            # A step moves all rows: those that are deaf to the id go back, and expect what they did before.
            self.session.lengths[:rows] -= skipped.ravel()
            logits = np.where(skipped[:, :, None], self._heard, logits)
        self._hear(logits)

    def release(self, index: int) -> None:
        """Let a piece go; the last one takes its place."""
        for row in reversed(range(index * self._each, (index + 1) * self._each)):
            self.session.release(row)
        self._heard[index] = self._heard[-1]
        self._heard = self._heard[:-1]

    def _hear(self, logits: Floats) -> None:
        # The session writes its array anew; what several rows expect may have to be kept for longer.
        self._heard = logits if self._each == 1 else logits.copy()
        told = logits[:, : self._each - self._guided]
        self.told = told[:, 0] if told.shape[1] == 1 else told.mean(axis=1)
        self.untold = self._heard[:, -1] if self._guided else None

    def _renew(self, row: int, piece: Written, deaf: NDArray[np.bool_]) -> None:
        """Begin a row anew, without its last id: a step moves all rows."""
        ids, bars, prefix = piece.ids, piece.bars, self.task.prefix
        if deaf.any():
            gone = np.concatenate([[0], np.cumsum(deaf[ids])]).tolist()  # before each id
            prefix -= gone[prefix]
            bars = [bar._replace(first=bar.first - gone[bar.first]) for bar in bars]
            ids = [token for token in ids if not deaf[token]]
        room, meter = int(KEPT * self.session.capacity), piece.cursor.state.meter
        read = latest_bars(self.tokenizer, ids, bars, room, meter, prefix)
        self.session.prefill(row, np.array(read[:-1], np.int64))


def hearings(task: Task, tokenizer: Tokenizer, guidance: float) -> Hearings:
    """The rows in which a piece of a task is read.

    Args:
        task: What is asked.
        tokenizer: The model's.
        guidance: How much wishes are to count; 1: as the model has learned.
    """
    wishes, styles = wish_words(tokenizer), style_words(tokenizer)
    prefix = task.ids[: task.prefix]
    said = [*task.ids[wishes[task.ids]].tolist(), *(word for words in task.cues.values() for word in words)]
    rows = []
    for style in prefix[styles[prefix]].tolist():
        others = styles.copy()
        others[style] = False
        rows.append(others)
    if len(rows) < 2:
        rows = [np.zeros_like(wishes)]
    guided = guidance != 1 and bool(wishes[said].any())
    return Hearings(np.array([*rows, wishes] if guided else rows), guided)


def guided(told: Floats, untold: Floats, guidance: float) -> Floats:
    """The logits of what follows where what is told counts ``guidance`` times."""
    mixed: Floats = untold + np.float32(guidance) * (told - untold)
    return mixed
