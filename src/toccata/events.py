"""Events: what can be watched of pieces while they are written, in the time of the pieces that come out."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from symusic import Score

from toccata.piece import Piece


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


@dataclass(frozen=True)
class NoteAdded:
    """A note has been written.

    Attributes:
        piece: In which piece, counted from 0 in the order of the seeds.
        note: The note.
    """

    piece: int
    note: SongNote


@dataclass(frozen=True)
class NoteRemoved:
    """A note that was announced is not in the piece: one was cut, or struck a key that sounds already."""

    piece: int
    note: SongNote


@dataclass(frozen=True)
class BarBegun:
    """The music has reached a new bar.

    Attributes:
        piece: In which piece.
        bar: Which of the bars asked for, counted from 0.
        onset: In ticks of the piece's file.
        onset_quarters: In quarters from the beginning of the piece.
        onset_seconds: In seconds from the beginning of the piece.
        meter: Numerator and denominator in force.
        tempo: Quarters a minute in force.
    """

    piece: int
    bar: int
    onset: int
    onset_quarters: float
    onset_seconds: float
    meter: tuple[int, int]
    tempo: float


@dataclass(frozen=True)
class PieceRestarted:
    """A piece was not accepted and is written again with another seed: forget its notes and bars."""

    piece: int


@dataclass(frozen=True)
class PieceFinished:
    """A piece is done.

    Attributes:
        piece: Which.
        music: The piece; the notes that were announced and not removed are its new ones.
    """

    piece: int
    music: Piece


Event = NoteAdded | NoteRemoved | BarBegun | PieceRestarted | PieceFinished


class NoteKey(NamedTuple):
    """What tells a note of a file from others; times in its ticks, and the program 0 for drums."""

    onset: int
    length: int
    pitch: int
    velocity: int
    program: int
    drum: bool


def note_keys(score: Score, *, since: int = 0, before: int | None = None) -> Counter[NoteKey]:
    """The notes of a score that begin at tick ``since`` or later, and before tick ``before``."""
    found: Counter[NoteKey] = Counter()
    for track in score.tracks:
        program, drum = (0, True) if track.is_drum else (int(track.program), False)
        for n in track.notes:
            if n.time >= since and (before is None or n.time < before):
                found[NoteKey(n.time, n.duration, n.pitch, n.velocity, program, drum)] += 1
    return found


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
        """That of a score."""
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

    def quarters(self, tick: int) -> float:
        """Quarters from the beginning."""
        return tick / self.ticks_per_quarter

    def seconds(self, tick: int) -> float:
        """Seconds from the beginning."""
        at = max(0, bisect_right(self._ticks, tick) - 1)
        return self._seconds[at] + (tick - self._ticks[at]) / self.ticks_per_quarter * 60 / self._tempos[at]


class Announcer:
    """Makes the events of one piece, and knows which notes have been announced."""

    def __init__(self, piece: int, clock: SongClock) -> None:
        self.piece = piece
        self.clock = clock
        self._announced: dict[NoteKey, list[SongNote]] = {}
        self._bars: set[int] = set()

    def add(self, key: NoteKey) -> NoteAdded:
        """A note has been written."""
        clock, end = self.clock, key.onset + key.length
        begins = clock.seconds(key.onset)
        note = SongNote(
            *key,
            clock.quarters(key.onset),
            clock.quarters(key.length),
            begins,
            clock.seconds(end) - begins,
        )
        self._announced.setdefault(key, []).append(note)
        return NoteAdded(self.piece, note)

    def bar(self, bar: int, onset: int, meter: tuple[int, int]) -> list[BarBegun]:
        """A bar has been reached; no event for one that has been announced before."""
        if bar in self._bars:
            return []
        self._bars.add(bar)
        clock = self.clock
        at = clock.quarters(onset), clock.seconds(onset)
        return [BarBegun(self.piece, bar, onset, *at, meter, clock.tempo(onset))]

    def settle(self, notes: Counter[NoteKey]) -> Iterable[NoteAdded | NoteRemoved]:
        """What is missing, and what is too much, for ``notes`` to be the notes announced."""
        for key in list(self._announced):
            known = self._announced[key]
            while len(known) > notes.get(key, 0):
                yield NoteRemoved(self.piece, known.pop())
            if not known:
                del self._announced[key]
        for key in sorted(notes):
            for _ in range(notes[key] - len(self._announced.get(key, ()))):
                yield self.add(key)
