"""The likelihood of unseen music under a model: nats per note over whole pieces."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.engine.sampling import log_probabilities
from toccata.measure.resampling import resampled_ratio
from toccata.musicmodel import Model
from toccata.tasks.window import Replay, bar_starts, latest_bars


@dataclass(frozen=True)
class Likelihood:
    """Negative log-likelihood of some pieces, all their tokens included.

    Attributes:
        pieces: How many.
        notes: How many notes they have.
        tokens: How many ids they are encoded in.
        nats_per_note: The sum over all pieces, divided by all notes.
        ci95: The middle 95 % of that figure when pieces are drawn anew with replacement; NaN: of too few pieces.
        nats_per_token: The sum, divided by all ids.
        each: For each piece its nats and its notes.
    """

    pieces: int
    notes: int
    tokens: int
    nats_per_note: float
    ci95: tuple[float, float]
    nats_per_token: float
    each: tuple[tuple[float, int], ...]

    @property
    def interval(self) -> list[float | None]:
        """``ci95`` as plain JSON values."""
        return [None if math.isnan(end) else round(end, 4) for end in self.ci95]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures that are reported, as plain JSON values."""
        return {
            "nats_per_note": round(self.nats_per_note, 4),
            "nats_per_note_ci95": self.interval,
            "pieces": self.pieces,
            "notes": self.notes,
        }


def likelihood(model: Model, scores: Iterable[Score], progress: Callable[[int], None] | None = None) -> Likelihood:
    """Measure ``model`` on whole pieces. Use one opened with ``precision="fp32"``: eight bits cost a little."""
    each: list[tuple[float, int]] = []
    tokens = 0
    for done, score in enumerate(scores):
        nats, count = piece_nats(model, score)
        each.append((nats, score.note_num()))
        tokens += count
        if progress is not None:
            progress(done + 1)
    nats_of, notes_of = (np.array(column, np.float64) for column in zip(*each, strict=True))
    found = resampled_ratio(nats_of, notes_of)
    return Likelihood(
        pieces=len(each),
        notes=int(notes_of.sum()),
        tokens=tokens,
        nats_per_note=found.value,
        ci95=(found.low, found.high),
        nats_per_token=float(nats_of.sum() / tokens),
        each=tuple(each),
    )


def piece_nats(model: Model, score: Score) -> tuple[float, int]:
    """Negative log-likelihood of a whole piece, BOS given, and the number of ids."""
    _, nats = id_nats(model, score)
    return float(nats.sum()), len(nats)


def id_nats(model: Model, score: Score) -> tuple[list[int], NDArray[np.float64]]:
    """The ids of a whole piece, BOS first, and the negative log-likelihood of each of them but BOS, in nats.

    A piece longer than the context is read in windows that begin at bar lines; every id is counted once, each but those
    of the first window after at least about half a context of what goes before it.
    """
    tokenizer, context = model.tokenizer, model.config.context
    ids = tokenizer.encode(score).ids.tolist()
    bars = bar_starts(tokenizer.grammar(), ids)
    replay = Replay(tokenizer.grammar())  # windows slide forward: reading each from the start would be quadratic
    nats, done = np.zeros(len(ids) - 1), 1
    while done < len(ids):
        before = ids[:done]
        if done > 1:
            before = latest_bars(tokenizer, before, [b for b in bars if b.first <= done], context // 2, replay=replay)
        chunk = ids[done : done + context - len(before)]
        window = np.array((before + chunk)[:-1], np.int32)
        logits = model.logits(window)[len(before) - 1 :]
        nats[done - 1 : done - 1 + len(chunk)] = -log_probabilities(logits, chunk)
        done += len(chunk)
    return ids, nats
