"""Plain features of music: how much sounds, how many notes at once, how high, how long, how loud."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from symusic import Score

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sounding:
    """The notes of a piece in the order in which they begin, all tracks together.

    Attributes:
        onsets: ``int64[N]``, ticks.
        lengths: ``int64[N]``, ticks.
        pitches: ``int64[N]``.
        velocities: ``int64[N]``.
        drums: ``bool[N]``.
        ticks_per_quarter: Of the piece.
    """

    onsets: Ints
    lengths: Ints
    pitches: Ints
    velocities: Ints
    drums: NDArray[np.bool_]
    ticks_per_quarter: int

    @classmethod
    def of(cls, score: Score) -> Sounding:
        """All notes of ``score``."""
        tracks = [(track.notes.numpy(), track.is_drum) for track in score.tracks if len(track.notes)]
        names = ("time", "duration", "pitch", "velocity")
        columns = [np.concatenate([c[name] for c, _ in tracks] or [np.zeros(0)]).astype(np.int64) for name in names]
        drums = np.concatenate([np.full(len(c["time"]), drum) for c, drum in tracks] or [np.zeros(0)]).astype(np.bool_)
        order = np.argsort(columns[0], kind="stable")
        onsets, lengths, pitches, velocities = (column[order] for column in columns)
        return cls(onsets, lengths, pitches, velocities, drums[order], score.ticks_per_quarter)

    def between(self, start: int, end: int) -> Sounding:
        """Return the notes that begin in ``[start, end)``, in ticks."""
        a, b = np.searchsorted(self.onsets, [start, end]).tolist()
        return Sounding(
            self.onsets[a:b], self.lengths[a:b], self.pitches[a:b], self.velocities[a:b], self.drums[a:b],
            self.ticks_per_quarter,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.onsets)

    def density(self, ticks: int) -> float:
        """Notes a quarter over so many ticks."""
        return len(self) * self.ticks_per_quarter / max(1, ticks)

    def polyphony(self) -> float | None:
        """Return the average number of pitched notes that sound at once, where any does; None: none does."""
        pitched = ~self.drums & (self.lengths > 0)
        if not pitched.any():
            return None
        onsets, ends = self.onsets[pitched], (self.onsets + self.lengths)[pitched]
        reached = np.concatenate([[onsets[0]], np.maximum.accumulate(ends)[:-1]])
        covered = np.maximum(ends, reached) - np.maximum(onsets, reached)
        return float((ends - onsets).sum() / np.maximum(covered, 0).sum())

    def register(self) -> float | None:
        """The mean pitch of pitched notes; None: there are none."""
        pitched = self.pitches[~self.drums]
        return float(pitched.mean()) if len(pitched) else None

    def length(self) -> float | None:
        """The median length of pitched notes, in quarters; None: there are none."""
        pitched = self.lengths[~self.drums]
        return float(np.median(pitched)) / self.ticks_per_quarter if len(pitched) else None

    def velocity(self) -> float | None:
        """The mean velocity; None: there are no notes."""
        return float(self.velocities.mean()) if len(self) else None

    def pitch_classes(self) -> NDArray[np.float64]:
        """``float64[12]``: for how long each pitch class sounds, in quarters; drums have none."""
        pitched = ~self.drums
        quarters = self.lengths[pitched] / self.ticks_per_quarter
        return np.bincount(self.pitches[pitched] % 12, weights=quarters, minlength=12).astype(np.float64)
