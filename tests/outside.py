"""What changed in a MIDI file outside some holes, as mido reads it: nothing of our own reading or writing is used."""

from __future__ import annotations

import functools
import io
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import mido
from symusic import Score


class AnyHole(Protocol):
    """A span of ticks, and the Score tracks it is about."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def tracks(self) -> frozenset[int] | None: ...


class Heard(NamedTuple):
    """A note: where it is, when, and the numbers of its messages in its track; no end: nothing releases it."""

    track: int
    channel: int
    program: int
    start: int
    end: int | None
    pitch: int
    velocity: int
    on: int
    off: int | None


Messages = list[tuple[int, mido.Message]]


def parsed(data: bytes) -> mido.MidiFile:
    """The file as mido reads it."""
    return mido.MidiFile(file=io.BytesIO(data))


def messages(track: mido.MidiTrack) -> Messages:
    """The messages with their ticks, the end of the track left out."""
    out, now = [], 0
    for message in track:
        now += message.time
        if message.type != "end_of_track":
            out.append((now, message.copy(time=0)))
    return out


class Read(NamedTuple):
    """A file as mido reads it: its type, ticks a beat, the messages and the end of each track."""

    type: int
    ticks: int
    tracks: list[Messages]
    ends: list[int]


@functools.lru_cache(maxsize=4)
def read(data: bytes) -> Read:
    """The file as mido reads it."""
    file = parsed(data)
    ends = [sum(message.time for message in track) for track in file.tracks]
    tracks = []
    for track in file.tracks:
        now, out = 0, []
        for message in track:
            now += message.time
            message.time = 0
            if message.type != "end_of_track":
                out.append((now, message))
        tracks.append(out)
    return Read(file.type, file.ticks_per_beat, tracks, ends)


Programs = dict[tuple[int, int], list[tuple[tuple[int, int, int, int], int]]]
"""By track and channel what is named when: the moment (a tick, 0 for another track, its place) and the program."""


def programs_of(tracks: Sequence[Messages]) -> Programs:
    """Which programs hold for the notes of each track and channel.

    A channel's program holds in all tracks, unless some begin with different ones: then each has its own.
    """
    named: dict[int, list[tuple[int, int, int, int]]] = defaultdict(list)
    initial: dict[int, dict[int, int]] = defaultdict(dict)
    for number, track in enumerate(tracks):
        begun = set()
        for n, (tick, message) in enumerate(track):
            if message.type == "program_change":
                named[message.channel].append((tick, number, n, message.program))
                if message.channel not in begun:
                    initial[message.channel][number] = message.program
            elif message.type == "note_on" and message.velocity:
                begun.add(message.channel)
    return {
        (number, channel): sorted(
            ((tick, int(other == number), n if other == number else other, n), program)
            for tick, other, n, program in named[channel]
            if other == number or len(set(initial[channel].values())) < 2
        )
        for channel in range(16)
        for number in range(len(tracks))
    }


def heard(track: Messages, number: int = 0, programs: Programs | None = None) -> list[Heard]:
    """The notes of a track; in a channel and pitch the first to begin is the first to end."""
    programs = programs_of([track]) if programs is None else programs
    number_of = number if (number, 0) in programs else 0
    begun: dict[tuple[int, int], list[Heard]] = defaultdict(list)
    out = []
    for index, (tick, message) in enumerate(track):
        if message.type in ("note_on", "note_off"):
            waiting = begun[message.channel, message.note]
            if message.type == "note_on" and message.velocity:
                said = [p for when, p in programs[number_of, message.channel] if when < (tick, 1, index, 0)]
                place = number, message.channel, said[-1] if said else 0
                waiting.append(Heard(*place, tick, None, message.note, message.velocity, index, None))
            elif waiting:
                out.append(waiting.pop(0)._replace(end=tick, off=index))
    return sorted([*out, *(note for waiting in begun.values() for note in waiting)], key=lambda note: note.on)


def inside(data: bytes, holes: Sequence[AnyHole]) -> list[Heard]:
    """The notes of a file that begin in the holes, but for those that the holes keep."""
    tracks = read(data).tracks
    programs = programs_of(tracks)
    notes = [note for number, track in enumerate(tracks) for note in heard(track, number, programs)]
    numbers = _score_tracks(data, notes)
    kept = {note for hole in holes for note in getattr(hole, "preserved", ())}
    out = []
    for note in notes:
        if kept and (numbers.get(note[:3]), note.start, note.pitch) in kept:
            continue
        spans = [hole for hole in holes if hole.start <= note.start < hole.end]
        if any(hole.tracks is None or numbers[note[:3]] in hole.tracks for hole in spans):
            out.append(note)
    return out


def _score_tracks(data: bytes, notes: list[Heard]) -> dict[tuple[int, int, int], int]:
    """The number of the Score's track of each track, channel and program with notes.

    Where the tracks are plain to a parser, it is asked: the file's tracks are parsed one by one, and what it makes of
    lyrics comes after all channels but the last. Else parts are in the order of tracks, channels and programs.
    """
    parts: dict[tuple[int, int, int], list[tuple[int, ...]]] = defaultdict(list)
    for note in notes:
        parts[note[:3]] += [] if note.end is None else [(note.start, note.end - note.start, note.pitch, note.velocity)]
    tracks = read(data).tracks
    if not _plain(tracks):
        out, first = {}, 0
        for number, track in enumerate(tracks):
            mine = sorted(part for part in parts if part[0] == number)
            out |= {part: first + n for n, part in enumerate(mine)}
            sung = any(m.type == "lyrics" and m.text for _, m in track) and all(part[1] == 9 for part in mine)
            first += len(mine) + sung
        return out
    out, first = {}, 0
    for number, chunk in enumerate(re.split(b"(?=MTrk)", data)[1:]):
        score = Score.from_midi(data[:8] + b"\0\1\0\1" + data[12:14] + chunk)
        mine = sorted(part for part in parts if part[0] == number)
        left = list(enumerate(score.tracks, start=first))
        for part in mine:
            while part[1] == 15 and left[0][1].program != part[2]:
                left.pop(0)
            out[part], track = left.pop(0)
            assert sorted(parts[part]) == sorted((n.time, n.duration, n.pitch, n.velocity) for n in track.notes)
            assert (track.program, track.is_drum) == (part[2], part[1] == 9)
        first += len(score.tracks)
    return out


def _plain(tracks: Sequence[Messages]) -> bool:
    """Whether each track says for itself what it plays, and has no controllers for another."""
    programs = programs_of(tracks)
    for number, track in enumerate(tracks):
        if heard(track, number, programs) != heard(track, number):
            return False
        sounding = {m.channel for _, m in track if m.type == "note_on" and m.velocity}
        state = {m.channel for _, m in track if m.type in ("control_change", "pitchwheel", "aftertouch")} - sounding
        others = {m.channel for t in tracks if t is not track for _, m in t if m.type == "note_on" and m.velocity}
        if state & others:
            return False
    return True


def untouched_outside(before: bytes, after: bytes, holes: Sequence[AnyHole]) -> list[str]:
    """What is not as it was outside the holes; an empty list is what is wanted.

    Every message of ``before`` but the note-ons in the holes and their note-offs must be in the same track at the same
    tick in the same order; each note of ``before`` outside must last as it did, in its track and for a player of all
    tracks together. What is new must be notes that are heard as long as they are written, program changes,
    controllers and the names of new tracks, and a text at tick 0.
    """
    old, new = read(before), read(after)
    if old[:2] != new[:2] or len(new.tracks) < len(old.tracks):
        return [f"another type, ticks a beat, or fewer tracks: {new[:2]}, {len(new.tracks)}"]
    out: list[str] = []
    gone: dict[int, set[int | None]] = defaultdict(set)
    for note in inside(before, holes):
        gone[note.track] |= {note.on, note.off}
    kept_tracks, places = [], []
    left = [[m for n, m in enumerate(track) if n not in gone[number]] for number, track in enumerate(old.tracks)]
    were, are = programs_of(left), programs_of(new.tracks)
    for number, now in enumerate(new.tracks):
        own = number >= len(old.tracks)
        kept = [] if own else left[number]
        matched = _matched(kept, now)
        if len(matched) < len(kept):
            out.append(f"track {number}: lost or moved: {kept[len(matched)]}")
        taken = set(matched)
        rest = [message for n, message in enumerate(now) if n not in taken]
        out += [f"track {number}: {what}" for what in _odd(rest, first=number == 0, own=own)]
        # The same notes for a reader of the file: as they were, and the new ones.
        before_notes, after_notes = heard(kept, number, were), heard(now, number, are)
        if lost := Counter(n[:7] for n in before_notes) - Counter(n[:7] for n in after_notes):
            out.append(f"track {number}: other lengths or programs: {lost}")
        if _strays(kept) != _strays(now):
            out.append(f"track {number}: {_strays(now)} note-offs end nothing, not {_strays(kept)}")
        if not own and new.ends[number] != max([old.ends[number]] + [tick for tick, _ in rest]):
            out.append(f"track {number}: ends elsewhere, at {new.ends[number]}")
        kept_tracks.append(kept)
        places.append(matched)
    return out or _disturbed(kept_tracks, new.tracks, places)


def new_notes(before: bytes, after: bytes, holes: Sequence[AnyHole]) -> list[tuple[int, ...]]:
    """``(track, channel, start, end, pitch, velocity)`` of the notes that ``after`` has beyond what must stay."""
    have: Counter[tuple[int, ...]] = Counter()
    for data, sign in ((after, 1), (before, -1)):
        for number, track in enumerate(read(data).tracks):
            for note in heard(track, number):
                have[_facts(note)] += sign
    for note in inside(before, holes):
        have[_facts(note)] += 1
    assert min(have.values(), default=0) >= 0, "a note is lost"
    return sorted(have.elements())


def _facts(note: Heard) -> tuple[int, ...]:
    end = -1 if note.end is None else note.end
    return note.track, note.channel, note.start, end, note.pitch, note.velocity


def _matched(kept: Messages, now: Messages) -> list[int]:
    """Where in ``now`` the messages of ``kept`` are, in their order, as far as they are."""
    out: list[int] = []
    for index, message in enumerate(now):
        if len(out) < len(kept) and message == kept[len(out)]:
            out.append(index)
    return out


def _strays(track: Messages) -> int:
    """How many note-offs end no note."""
    ends = sum(m.type == "note_off" or (m.type == "note_on" and not m.velocity) for _, m in track)
    return ends - sum(note.end is not None for note in heard(track))


def _odd(rest: Messages, *, first: bool, own: bool) -> list[str]:
    """What has no place among new messages."""
    fine = {"note_on", "note_off", "program_change"} | ({"track_name", "control_change"} if own else set())
    out = [
        f"new at tick {tick}: {message}"
        for tick, message in rest
        if message.type not in fine and not (message.type == "text" and first and tick == 0)
    ]
    struck = sum(message.type == "note_on" and message.velocity > 0 for _, message in rest)
    ends = sum(message.type in ("note_on", "note_off") for _, message in rest) - struck
    notes = [note for note in heard(rest) if note.end is not None]
    if not struck == ends == len(notes):
        out.append(f"{struck} new note-ons and {ends} new note-offs are {len(notes)} notes")
    return out


def _disturbed(kept: list[Messages], now: list[Messages], places: list[list[int]]) -> list[str]:
    """Notes that do not sound for a player as they did, or are new and not heard to their end."""
    before, after = _played(kept), _played(now)
    out = []
    old = set()
    for number, matched in enumerate(places):
        for index, place in enumerate(matched):
            old.add((number, place))
            if before.get((number, index)) != after.get((number, place)):
                out.append(f"track {number}: {kept[number][index]} sounds until {after[number, place]}")
    for number, track in enumerate(now):
        for note in heard(track, number):
            if (number, note.on) not in old and after[number, note.on] != note.end:
                out.append(f"new: {note} sounds until {after[number, note.on]}")
    return out


def _played(tracks: list[Messages]) -> dict[tuple[int, int], int | None]:
    """When each note-on (track, number) ends for a player: when its key is struck again or let go, in any track."""
    together = sorted(
        (tick, number, index) for number, track in enumerate(tracks) for index, (tick, _) in enumerate(track)
    )
    out: dict[tuple[int, int], int | None] = {}
    sounding: dict[tuple[int, int], tuple[int, int]] = {}
    for tick, number, index in together:
        message = tracks[number][index][1]
        if message.type in ("note_on", "note_off"):
            key = message.channel, message.note
            if key in sounding:
                out[sounding.pop(key)] = tick
            if message.type == "note_on" and message.velocity:
                sounding[key] = number, index
                out[number, index] = None
    return out
