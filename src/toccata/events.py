"""Events of pieces while they are written, in the time of the finished pieces."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from symusic import Score

from toccata.midi.bars import bar_map
from toccata.midi.timeline import SongClock as SongClock
from toccata.midi.timeline import SongNote as SongNote
from toccata.piece import Piece


@dataclass(frozen=True)
class NoteAdded:
    """A note has been written.

    Attributes:
        piece: The index of the piece, in the order of the seeds.
        note: The note.
    """

    piece: int
    note: SongNote


@dataclass(frozen=True)
class NoteRemoved:
    """An announced note is not in the piece: it was cut, or struck a key that sounds already."""

    piece: int
    note: SongNote


@dataclass(frozen=True)
class BarBegun:
    """The music has reached a new bar.

    Attributes:
        piece: The index of the piece.
        bar: The index of the bar among the requested bars.
        onset: The beginning of the bar in ticks of the piece's file.
        onset_quarters: The same in quarters from the beginning of the piece.
        onset_seconds: The same in seconds from the beginning of the piece.
        meter: The meter in force, numerator and denominator.
        tempo: The tempo in force, in quarters a minute.
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
    """A piece was rejected and is written again with another seed: its earlier notes and bars are void."""

    piece: int


@dataclass(frozen=True)
class PieceFinished:
    """A piece is finished.

    Attributes:
        piece: The index of the piece.
        music: The piece; the notes that were announced and not removed are its new ones.
    """

    piece: int
    music: Piece


Event = NoteAdded | NoteRemoved | BarBegun | PieceRestarted | PieceFinished


class EventBuffer:
    """A thread-safe buffer of events between a producer, which never waits, and a consumer.

    It is no larger than the pieces: a note that is removed before it was read leaves the buffer, and a restarted piece
    drops its earlier events. The consumer ends up with the same notes as if it had read every event.
    """

    def __init__(self) -> None:
        self._some = threading.Condition()
        self._events: dict[int, Event] = {}  # by number, ascending
        self._notes: dict[tuple[int, SongNote], list[int]] = {}  # the numbers of the notes among them
        self._number = 0

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> None:
        """Add an event; can be used as ``on_event`` of a verb."""
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
        """Return all events since the last call, in their order.

        Args:
            timeout: Seconds to wait if there are none; None: without limit.
        """
        with self._some:
            if not self._events:
                self._some.wait_for(lambda: bool(self._events), timeout)
            events = list(self._events.values())
            self._events.clear()
            self._notes.clear()
        return events

    def _forget(self, piece: int) -> None:
        """Drop the buffered events of a piece."""
        for number in [number for number, event in self._events.items() if event.piece == piece]:
            del self._events[number]
        for key in [key for key in self._notes if key[0] == piece]:
            del self._notes[key]


class NoteKey(NamedTuple):
    """The identity of a note in a file: times in its ticks, and the program 0 for drums."""

    onset: int
    length: int
    pitch: int
    velocity: int
    program: int
    drum: bool


def note_keys(score: Score, *, since: int = 0, before: int | None = None) -> Counter[NoteKey]:
    """Return the notes of a score that begin at tick ``since`` or later, and before tick ``before``."""
    found: Counter[NoteKey] = Counter()
    for track in score.tracks:
        program, drum = (0, True) if track.is_drum else (int(track.program), False)
        for n in track.notes:
            if n.time >= since and (before is None or n.time < before):
                found[NoteKey(n.time, n.duration, n.pitch, n.velocity, program, drum)] += 1
    return found


def changed_outside(before: Score, after: Score, bars: Sequence[tuple[int, int]] | None, *, adds: bool = False) -> int:
    """Count the notes of a song that are missing, new or changed where nothing was to change.

    Args:
        before: The song.
        after: The same song, edited; in the same ticks.
        bars: First and last bar of each span that was open to change, counted from 1; None: all bars.
        adds: Whether notes were only to be added in them.
    """
    lines = bar_map(before)
    spans = [(1, len(lines))] if bars is None else bars
    ends = [(int(lines.starts[first - 1]), int(lines.starts[min(last, len(lines))])) for first, last in spans]
    old, new = note_keys(before), note_keys(after)
    changed = 0
    for note, count in ((old - new) + (new - old)).items():
        is_open = any(start <= note.onset < end for start, end in ends)
        if not is_open or (adds and note in old):
            changed += count
    return changed


class Announcer:
    """Makes the events of one piece, and records which notes have been announced."""

    def __init__(self, piece: int, clock: SongClock) -> None:
        self.piece = piece
        self.clock = clock
        self._announced: dict[NoteKey, list[SongNote]] = {}
        self._bars: set[int] = set()

    def add(self, key: NoteKey) -> NoteAdded:
        """Announce a note."""
        note = self.clock.note(*key)
        self._announced.setdefault(key, []).append(note)
        return NoteAdded(self.piece, note)

    def bar(self, bar: int, onset: int, meter: tuple[int, int]) -> list[BarBegun]:
        """Announce a bar, unless it has been announced before."""
        if bar in self._bars:
            return []
        self._bars.add(bar)
        clock = self.clock
        at = clock.quarters(onset), clock.seconds(onset)
        return [BarBegun(self.piece, bar, onset, *at, meter, clock.tempo(onset))]

    def settle(self, notes: Counter[NoteKey]) -> Iterable[NoteAdded | NoteRemoved]:
        """Yield the events by which the announced notes become ``notes``."""
        for key in list(self._announced):
            known = self._announced[key]
            while len(known) > notes.get(key, 0):
                yield NoteRemoved(self.piece, known.pop())
            if not known:
                del self._announced[key]
        for key in sorted(notes):
            for _ in range(notes[key] - len(self._announced.get(key, ()))):
                yield self.add(key)
