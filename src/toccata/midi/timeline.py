"""Notes in the time of a piece: ticks, quarters and seconds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from symusic import Score


@dataclass(frozen=True)
class SongNote:
    """A note of a piece.

    Attributes:
        onset: In ticks of the piece's file.
        length: In ticks.
        pitch: 0 to 127.
        velocity: 1 to 127.
        program: The General MIDI program, 0 to 127; of no meaning for drums.
        drum: Whether it is played on the drums.
        onset_quarters: When it begins, in quarters from the beginning of the piece.
        length_quarters: Its length in quarters.
        onset_seconds: When it begins, in seconds from the beginning of the piece.
        length_seconds: Its length in seconds.
    """

    onset: int
    length: int
    pitch: int
    velocity: int
    program: int
    drum: bool
    onset_quarters: float
    length_quarters: float
    onset_seconds: float
    length_seconds: float


class SongClock:
    """Quarters and seconds at the ticks of a piece whose tempo may still change further on."""

    def __init__(self, ticks_per_quarter: int, tempos: Sequence[tuple[int, float]] = ()) -> None:
        """Begin with what is known.

        Args:
            ticks_per_quarter: Of the piece's file.
            tempos: Tick and quarters a minute of each tempo change, by tick; 120 before the first.
        """
        self.ticks_per_quarter = ticks_per_quarter
        self._ticks, self._seconds, self._tempos = [0], [0.0], [120.0]
        for tick, tempo in tempos:
            self.change(tick, tempo)

    @classmethod
    def of(cls, score: Score) -> SongClock:
        """Return the timeline of a score."""
        return cls(score.ticks_per_quarter, sorted((int(t.time), float(t.qpm)) for t in score.tempos))

    def change(self, tick: int, tempo: float) -> None:
        """From ``tick`` on, which is not before the last change, there are ``tempo`` quarters a minute."""
        if tick <= self._ticks[-1]:
            self._tempos[-1] = tempo
        elif tempo != self._tempos[-1]:
            self._seconds.append(self.seconds(tick))
            self._ticks.append(tick)
            self._tempos.append(tempo)

    def cut(self, tick: int) -> None:
        """Forget the changes after ``tick``."""
        keep = max(1, bisect_right(self._ticks, tick))
        del self._ticks[keep:], self._seconds[keep:], self._tempos[keep:]

    def tempo(self, tick: int) -> float:
        """Quarters a minute in force at ``tick``."""
        return self._tempos[max(0, bisect_right(self._ticks, tick) - 1)]

    def note(self, onset: int, length: int, pitch: int, velocity: int, program: int, drum: bool) -> SongNote:
        """A note, from its ticks."""
        begins = self.seconds(onset)
        at = self.quarters(onset), self.quarters(length), begins, self.seconds(onset + length) - begins
        return SongNote(onset, length, pitch, velocity, program, drum, *at)

    def quarters(self, tick: int) -> float:
        """Quarters from the beginning."""
        return tick / self.ticks_per_quarter

    def seconds(self, tick: int) -> float:
        """Seconds from the beginning."""
        at = max(0, bisect_right(self._ticks, tick) - 1)
        return self._seconds[at] + (tick - self._ticks[at]) / self.ticks_per_quarter * 60 / self._tempos[at]


def song_notes(score: Score) -> tuple[SongNote, ...]:
    """The notes of a score, by onset and pitch."""
    clock = SongClock.of(score)
    found = [
        clock.note(n.time, n.duration, n.pitch, n.velocity, 0 if track.is_drum else int(track.program), track.is_drum)
        for track in score.tracks
        for n in track.notes
    ]
    return tuple(sorted(found, key=lambda note: (note.onset, note.pitch, note.program)))
