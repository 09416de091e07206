"""Ideas while they grow: their notes in the page's tracks, and the music that is made of them when they are stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from toccata.events import BarBegun, SongNote
from toccata.midi.retouch import PlainNote
from toccata.studio.operations import apply
from toccata.studio.rows import LockedNote, Take
from toccata.studio.song import Song, SongTrack

NEW_PARTS = ("accompany", "harmonise")
"""Verbs whose notes get tracks of their own."""
ANEW = ("infill", "vary")
"""Verbs that write notes of the song anew."""
PITCHES_ALONE = ("rhythm", "contour")
"""What a variation keeps where it changes pitches alone."""


class IdeaNote(NamedTuple):
    """A note of a growing idea.

    Attributes:
        track: The id of its track; None: it gets one of its own.
        program: Its General MIDI program.
        drum: Whether it is drums.
        tick: Where it begins.
        length: In ticks.
        pitch: 0 to 127.
        velocity: 1 to 127.
    """

    track: str | None
    program: int
    drum: bool
    tick: int
    length: int
    pitch: int
    velocity: int

    @property
    def plain(self) -> PlainNote:
        """The note alone."""
        return PlainNote(self.tick, max(1, self.length), self.pitch, self.velocity)


@dataclass
class Grown:
    """What there is of a growing idea.

    Attributes:
        notes: Its notes.
        frontier: The tick up to which it is written, as far as is known.
    """

    notes: Counter[IdeaNote] = field(default_factory=Counter)
    frontier: int = 0

    @property
    def count(self) -> int:
        """How many notes there are."""
        return self.notes.total()

    def clear(self) -> None:
        """Forget all."""
        self.notes.clear()
        self.frontier = 0

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"notes": [list(note) for note in self.notes.elements()], "frontier": self.frontier}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Grown:
        """Return what :meth:`to_json` has saved."""
        return cls(Counter(IdeaNote(*note) for note in saved.get("notes", ())), saved.get("frontier", 0))


class Translator:
    """Finds the page's tracks for the notes of an idea.

    A model writes for instruments, and a song may have several tracks of one: then a note goes to the one whose notes
    lie nearest, until the finished piece says where it is.
    """

    def __init__(self, song: Song, verb: str, tracks: Iterable[str]) -> None:
        chosen = set(tracks)
        self._own = verb in NEW_PARTS
        self._quarter = None if song.tracks else song.ticks_per_quarter
        self._tracks: dict[tuple[int, bool], list[tuple[SongTrack, float]]] = {}
        for track in song.tracks:
            if not chosen or track.id in chosen:
                pitches = [note.pitch for note in track.notes]
                key = (0 if track.drum else track.program, track.drum)
                self._tracks.setdefault(key, []).append((track, sum(pitches) / max(1, len(pitches))))

    def note(self, note: SongNote) -> IdeaNote:
        """Return a note of an event as the page has it."""
        name: str | None = None
        there = [] if self._own else self._tracks.get((0 if note.drum else note.program, note.drum), [])
        if there:
            name = min(there, key=lambda one: abs(one[1] - note.pitch))[0].id
        onset, length = note.onset, note.length
        if self._quarter is not None:  # new music comes in ticks of its own
            onset, length = round(note.onset_quarters * self._quarter), round(note.length_quarters * self._quarter)
        return IdeaNote(name, note.program, note.drum, onset, length, note.pitch, note.velocity)

    def onset(self, bar: BarBegun) -> int:
        """Return the tick of the page where a bar begins."""
        return bar.onset if self._quarter is None else round(bar.onset_quarters * self._quarter)


def span_of(song: Song, take: Take) -> tuple[int, int]:
    """Return the ticks from which and before which the notes of what was requested begin."""
    if take.verb == "continue":
        return (song.bars.end if song.tracks else 0), 1 << 62
    if take.bars is None:
        return 0, 1 << 62
    return song.start(take.bars[0]), song.start(take.bars[1] + 1)


def free_notes(song: Song, take: Take, locks: Iterable[LockedNote]) -> dict[str, list[PlainNote]]:
    """Return the notes of a song, by track, that an idea may replace."""
    if take.verb not in ANEW:
        return {}
    start, end = span_of(song, take)
    locked = set(locks)
    return {
        track.id: [
            note
            for note in track.notes
            if start <= note.tick < end and LockedNote(track.id, note.tick, note.pitch) not in locked
        ]
        for track in song.tracks
        if not take.tracks or track.id in take.tracks
    }


def replaceable(song: Song, take: Take, locks: Iterable[LockedNote]) -> dict[str, list[PlainNote]]:
    """Return the notes of a song, by track, in whose place an idea comes that was requested for an earlier song.

    Those are the notes that it may write anew; and what goes on from where it was to go on, another continuation.
    """
    if take.verb != "continue" or take.bars is None:
        return free_notes(song, take, locks)
    start, locked = song.start(take.bars[0]), set(locks)
    later = {
        track.id: [
            note
            for note in track.notes
            if note.tick >= start and LockedNote(track.id, note.tick, note.pitch) not in locked
        ]
        for track in song.tracks
    }
    return {name: notes for name, notes in later.items() if notes}


def stopped(song: Song, take: Take, locks: Sequence[LockedNote], grown: Grown) -> bytes:
    """Return the MIDI bytes of an idea that was stopped: the song with what was written so far.

    Up to the last new note the new music replaces the old; from there on the old music goes on.
    """
    if not grown.notes:
        return song.midi
    added: dict[str, list[PlainNote]] = {}
    about: dict[str, IdeaNote] = {}
    for note in grown.notes.elements():
        name = note.track or f"new:{'drums' if note.drum else note.program}"
        added.setdefault(name, []).append(note.plain)
        about[name] = note
    frontier = max(note.tick for note in grown.notes) + 1
    free = {name: [n for n in notes if n.tick < frontier] for name, notes in free_notes(song, take, locks).items()}
    if take.verb == "vary":
        free = _replaced(free, added, str((take.request or {}).get("arguments", {}).get("keep") or "rhythm"))
    operations = []
    for name in dict.fromkeys([*free, *added]):
        known = song.by_id.get(name)
        first = about.get(name)
        operations.append(
            {
                "type": "notes",
                "track": name,
                "program": known.program if known else first.program if first else 0,
                "drum": known.drum if known else bool(first and first.drum),
                "name": known.name if known else "",
                "remove": free.get(name, []),
                "add": added.get(name, []),
            }
        )
    return apply(song.midi, operations)


def _replaced(
    free: Mapping[str, list[PlainNote]], added: Mapping[str, list[PlainNote]], keep: str
) -> dict[str, list[PlainNote]]:
    """Return which of the free notes a variation has replaced so far."""
    if keep in PITCHES_ALONE:
        moved = {name: Counter((note.tick, note.length) for note in notes) for name, notes in added.items()}
        gone: dict[str, list[PlainNote]] = {}
        for name, notes in free.items():
            left = moved.get(name, Counter())
            for note in notes:
                if left[note.tick, note.length] > 0:
                    left[note.tick, note.length] -= 1
                    gone.setdefault(name, []).append(note)
        return gone
    if keep == "melody":
        tops: dict[int, int] = {}
        for notes in free.values():
            for note in notes:
                tops[note.tick] = max(note.pitch, tops.get(note.tick, 0))
        return {name: [n for n in notes if n.pitch != tops[n.tick]] for name, notes in free.items()}
    return dict(free)
