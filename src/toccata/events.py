"""Events: what can be watched of pieces while they are written, in the time of the pieces that come out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from symusic import Score

from toccata.midi.timeline import SongClock as SongClock
from toccata.midi.timeline import SongNote as SongNote
from toccata.piece import Piece


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


class EventBuffer:
    """Events for a consumer that reads when it likes: who writes them never waits. Safe between threads.

    It holds no more than the pieces do: a note that is removed before it was read leaves it, and a piece that begins
    anew takes its earlier events away. Whoever reads all of it has the same notes as one who read every event.
    """

    def __init__(self) -> None:
        self._some = threading.Condition()
        self._events: dict[int, Event] = {}  # by number, ascending
        self._notes: dict[tuple[int, SongNote], list[int]] = {}  # the numbers of the notes among them
        self._number = 0

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> None:
        """Add an event: what a verb's ``on_event`` can be."""
        with self._some:
            if isinstance(event, NoteRemoved) and (numbers := self._notes.get((event.piece, event.note))):
                del self._events[numbers.pop()]
                return
            if isinstance(event, PieceRestarted):
                self._forget(event.piece)
            self._number += 1
            self._events[self._number] = event
            if isinstance(event, NoteAdded):
                self._notes.setdefault((event.piece, event.note), []).append(self._number)
            self._some.notify()

    def take(self, timeout: float | None = 0) -> list[Event]:
        """All events since the last time, in their order.

        Args:
            timeout: Seconds to wait where there are none; None: as long as it takes.
        """
        with self._some:
            if not self._events:
                self._some.wait_for(lambda: bool(self._events), timeout)
            events = list(self._events.values())
            self._events.clear()
            self._notes.clear()
        return events

    def _forget(self, piece: int) -> None:
        """Drop what waits of a piece."""
        for number in [number for number, event in self._events.items() if event.piece == piece]:
            del self._events[number]
        for key in [key for key in self._notes if key[0] == piece]:
            del self._notes[key]


class NoteKey(NamedTuple):
    """What distinguishes a note of a file from others; times in its ticks, and the program 0 for drums."""

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


class Announcer:
    """Makes the events of one piece, and knows which notes have been announced."""

    def __init__(self, piece: int, clock: SongClock) -> None:
        self.piece = piece
        self.clock = clock
        self._announced: dict[NoteKey, list[SongNote]] = {}
        self._bars: set[int] = set()

    def add(self, key: NoteKey) -> NoteAdded:
        """A note has been written."""
        note = self.clock.note(*key)
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
