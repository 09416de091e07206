"""Chords and clashes beat by beat: what sounds together on each quarter of a passage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

CHORDS: tuple[tuple[int, ...], ...] = (
    (0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8), (0, 4, 7, 10), (0, 3, 7, 10), (0, 4, 7, 11), (0, 3, 6, 10),
    (0, 3, 6, 9), (0, 3, 7, 11),
)  # fmt: skip
"""Triads and seventh chords, in semitones above their roots."""
_BITS = 1 << np.arange(12)


def _parts_of_chords() -> NDArray[np.bool_]:
    """Return for each set of pitch classes whether it is a triad, a seventh chord or part of one, ``bool[4096]``."""
    sets = np.arange(1 << 12)
    found = np.zeros(len(sets), np.bool_)
    for root in range(12):
        for chord in CHORDS:
            found |= sets & ~int(_BITS[[(root + step) % 12 for step in chord]].sum()) == 0
    return found


_PARTS_OF_CHORDS = _parts_of_chords()


@dataclass(frozen=True)
class Beats:
    """What sounds on each of ``N`` beats.

    Attributes:
        voices: The number of notes that sound on each, ``int64[N]``.
        classes: Their pitch classes, ``bool[N, 12]``.
    """

    voices: Ints
    classes: NDArray[np.bool_]

    @classmethod
    def of(cls, onsets: Ints, ends: Ints, pitches: Ints, ticks: Ints) -> Beats:
        """Return what sounds at some ticks, of pitched notes that begin at ``onsets`` and sound to before ``ends``."""
        sounding = (onsets <= ticks[:, None]) & (ends > ticks[:, None])
        of_class = pitches[:, None] % 12 == np.arange(12)
        return cls(sounding.sum(axis=1), sounding.astype(np.float32) @ of_class.astype(np.float32) > 0)

    @property
    def clashing(self) -> NDArray[np.bool_]:
        """Whether two notes on a beat are a semitone or a major seventh apart, or octaves more: ``bool[N]``."""
        clashing: NDArray[np.bool_] = np.logical_or.reduce(self.classes & np.roll(self.classes, 1, axis=1), axis=1)
        return clashing

    @property
    def chordless(self) -> NDArray[np.bool_]:
        """Whether the pitch classes on a beat are no triad or seventh chord, and no part of one: ``bool[N]``."""
        return np.logical_not(_PARTS_OF_CHORDS[self.classes @ _BITS])
