"""Compares a reconstructed piece with the original: onsets and pitches, and durations."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import numpy as np
from symusic import Score

TOLERANCE = 1 / 12
"""Quarters by which an onset may be off and still be the same."""


@dataclass(frozen=True)
class Agreement:
    """Counts, that can be added up over pieces.

    Attributes:
        right: Notes that are in both: the same pitch, and an onset within the tolerance.
        truth: Notes that should be there.
        found: Notes that are there.
        off: By how much the durations of the right ones differ, in quarters, added up.
    """

    right: int = 0
    truth: int = 0
    found: int = 0
    off: float = 0.0

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.right + other.right, self.truth + other.truth, self.found + other.found, self.off + other.off
        )

    @property
    def f1(self) -> float:
        """Twice what is right, of what should be there and what is there; 1 where both are nothing."""
        return 2 * self.right / (self.truth + self.found) if self.truth + self.found else 1.0

    @property
    def duration_error(self) -> float:
        """Mean difference of the durations of the right notes, in quarters."""
        return self.off / max(1, self.right)


def agreement(truth: Score, found: Score, tolerance: float = TOLERANCE) -> Agreement:
    """Compare two pieces note by note.

    Drums are left out and all other tracks are one; notes of one pitch that begin together count once, the longest.
    Each note is paired with the first one of its pitch that is near enough and not taken.

    Args:
        truth: The piece as it should be.
        found: The piece as it is; its ticks may be others.
        tolerance: Quarters between two onsets that count as one.
    """
    ours, theirs = _by_pitch(truth), _by_pitch(found)
    right, off = 0, 0.0
    for pitch, notes in ours.items():
        others = theirs.get(pitch, [])
        onsets = [onset for onset, _ in others]
        at = 0
        for onset, length in notes:
            at = max(at, bisect_left(onsets, onset - tolerance - 1e-6))
            if at < len(others) and onsets[at] <= onset + tolerance + 1e-6:
                right += 1
                off += abs(others[at][1] - length)
                at += 1
    return Agreement(right, sum(map(len, ours.values())), sum(map(len, theirs.values())), off)


def _by_pitch(score: Score) -> dict[int, list[tuple[float, float]]]:
    """For each pitch its notes as (onset, duration) in quarters, in order."""
    parts: list[Any] = [track.notes.numpy() for track in score.tracks if not track.is_drum and len(track.notes)]
    if not parts:
        return {}
    names = ("pitch", "time", "duration")
    pitch, time, length = (np.concatenate([part[name] for part in parts]).astype(np.int64) for name in names)
    order = np.lexsort((-length, time, pitch))
    pitch, time, length = pitch[order], time[order], length[order]
    first = np.ones(len(pitch), bool)
    first[1:] = (pitch[1:] != pitch[:-1]) | (time[1:] != time[:-1])
    pitch, time, length = pitch[first], time[first], length[first]
    pairs = np.stack([time, length], 1) / score.ticks_per_quarter
    starts = np.flatnonzero(np.diff(pitch, prepend=-1))
    found: dict[int, list[tuple[float, float]]] = {}
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(pitch)], strict=True):
        found[int(pitch[start])] = [(onset, lasts) for onset, lasts in pairs[start:end].tolist()]
    return found
