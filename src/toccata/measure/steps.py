"""How familiar the steps of a piece are: each is predicted from the one before it, by their frequencies in an index."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.measure.lines import BEGIN, lines, pitched
from toccata.measure.passages import Index

ALONE = 20.0
"""The pseudo-count of the overall frequencies, against which the continuations of a step are weighed."""
UNSEEN = 1000.0
"""Steps that were never seen are as likely, all together, as so many that were."""

_SYMBOLS = 1 << 16


class Steps:
    """The steps (rhythm and interval, see ``measure.lines``) of the pieces of an index, and which follows which."""

    def __init__(self, index: Index) -> None:
        text = index.arrays["text"].reshape(-1, 2).astype(np.int64)
        symbols, begins = text[:, 0] << 8 | text[:, 1], text[:, 1] == BEGIN
        pairs = (symbols[:-1] << 16 | symbols[1:])[~begins[:-1] & ~begins[1:]]
        self._pairs, self._counts = np.unique(pairs, return_counts=True)
        self._first = np.bincount(pairs >> 16, minlength=_SYMBOLS)
        self._second = np.bincount(pairs & 0xFFFF, minlength=_SYMBOLS)

    def nats(self, score: Score, since: int = 0, until: int | None = None) -> float | None:
        """Nats a step of the lines of ``score`` from tick ``since`` to before ``until``; None: it has none."""
        found = [
            self._surprise(line.symbols[1:].astype(np.int64))
            for line in lines(pitched(score, since, until), score.ticks_per_quarter, merged=True)
        ]
        steps = np.concatenate([np.empty(0), *found])
        return float(steps.mean()) if len(steps) else None

    def _surprise(self, symbols: NDArray[np.int64]) -> NDArray[np.float64]:
        codes = symbols[:, 0] << 8 | symbols[:, 1]
        before, after = codes[:-1], codes[1:]
        pairs = before << 16 | after
        seen = np.zeros(len(pairs))
        if len(self._pairs):
            at = np.minimum(np.searchsorted(self._pairs, pairs), len(self._pairs) - 1)
            seen = np.where(self._pairs[at] == pairs, self._counts[at], 0)
        alone = (self._second[after] + 0.5) / (self._counts.sum() + UNSEEN)
        surprise: NDArray[np.float64] = -np.log((seen + ALONE * alone) / (self._first[before] + ALONE))
        return surprise
