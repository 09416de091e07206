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
_AT_ONCE = 1 << 22  # pairs of a note and a beat that are looked at together
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
        of_class = (pitches[:, None] % 12 == np.arange(12)).astype(np.float32)
        voices, classes = np.zeros(len(ticks), np.int64), np.zeros((len(ticks), 12), np.bool_)
        together = max(1, _AT_ONCE // max(1, len(onsets)))
        for first in range(0, len(ticks), together):  # a bar of a stranger's file may have any number of both
            block = slice(first, first + together)
            sounding = (onsets <= ticks[block, None]) & (ends > ticks[block, None])
            voices[block], classes[block] = sounding.sum(axis=1), sounding.astype(np.float32) @ of_class > 0
        return cls(voices, classes)

    @property
    def clashing(self) -> NDArray[np.bool_]:
        """Whether two notes on a beat are a semitone or a major seventh apart, or octaves more: ``bool[N]``."""
        clashing: NDArray[np.bool_] = np.logical_or.reduce(self.classes & np.roll(self.classes, 1, axis=1), axis=1)
        return clashing

    @property
    def chordless(self) -> NDArray[np.bool_]:
        """Whether the pitch classes on a beat are no triad or seventh chord, and no part of one: ``bool[N]``."""
        return np.logical_not(_PARTS_OF_CHORDS[self.classes @ _BITS])
