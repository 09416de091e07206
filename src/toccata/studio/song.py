"""A MIDI file as the page has it, and edits of it.

A song's tracks are numbered as ``read_score`` numbers them, so that they can be given to the verbs. Their ids stay the
same while notes are edited: ``t1c0`` is what channel 0 of the file's track 1 plays with the program that is set first
there, ``t1c0p40`` what it plays with another one.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from symusic import Note, Score, TimeSignature, Track

from toccata.errors import MidiError, RequestError, shown
from toccata.midi import smf
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.gm import track_name
from toccata.midi.instruments import Instruments
from toccata.midi.limits import SONG
from toccata.midi.notes import Place, score_places
from toccata.midi.read import read_score
from toccata.midi.retouch import (
    NoteChange,
    PlainNote,
    change_program,
    changed_file,
    file_notes,
    rename_track,
    set_tempo,
    track_notes,
)
from toccata.midi.smf import MidiFile, MidiTrack
from toccata.midi.splice import new_file
from toccata.midi.text import readable, to_text

Operation: TypeAlias = "Mapping[str, Any]"
"""An edit as the page sends it."""
DIVISION = 480
"""Ticks a quarter of a piece that is begun in the studio."""
STALE = "stale"
"""The kind of the error that says that what is to be changed is not there: the page has to load the piece again."""
_LAST_TICK = (1 << 28) - 1
_MOST_OPERATIONS, _LONGEST_NAME = 1_000, 200


@dataclass(frozen=True)
class SongTrack:
    """A track of a song.

    Attributes:
        id: What the page calls it.
        number: Its number, from 0, as ``read_score`` has it.
        place: Its place in the file.
        name: Its name, or its instrument's.
        drum: Whether it is drums.
        notes: Its notes by tick and pitch.
    """

    id: str
    number: int
    place: Place
    name: str
    drum: bool
    notes: tuple[PlainNote, ...]

    @property
    def program(self) -> int:
        """Its General MIDI program."""
        return self.place.program

    def to_json(self) -> dict[str, Any]:
        """Return the track as the page has it."""
        return {
            "id": self.id,
            "name": self.name,
            "program": self.program,
            "drum": self.drum,
            "channel": self.place.channel,
            "notes": flat(self.notes),
        }


@dataclass(frozen=True)
class Song:
    """A MIDI file, opened for the page.

    Attributes:
        midi: Its bytes.
        tracks: The tracks that have notes.
        bars: Its bars; a song without notes has one.
        tempos: Tick and quarters a minute of each tempo.
        meters: Tick, numerator and denominator of each meter.
        keys: Tick, sharps (flats below 0) and 1 for minor of each key.
        ticks_per_quarter: Ticks a quarter.
    """

    midi: bytes
    tracks: tuple[SongTrack, ...]
    bars: BarMap
    tempos: tuple[tuple[int, float], ...]
    meters: tuple[tuple[int, int, int], ...]
    keys: tuple[tuple[int, int, int], ...]
    ticks_per_quarter: int

    @cached_property
    def by_id(self) -> dict[str, SongTrack]:
        """The tracks by id."""
        return {track.id: track for track in self.tracks}

    @property
    def note_count(self) -> int:
        """How many notes there are."""
        return sum(len(track.notes) for track in self.tracks)

    @property
    def bar_count(self) -> int:
        """How many bars have music; 0 for a song without notes."""
        return len(self.bars) if self.tracks else 0

    def track(self, name: str) -> SongTrack:
        """Return the track of an id.

        Raises:
            RequestError: There is none.
        """
        if name not in self.by_id:
            raise RequestError(f"there is no track {shown(name)} in the piece: load it again", kind=STALE)
        return self.by_id[name]

    def start(self, bar: int) -> int:
        """Return the tick where a bar, counted from 1, begins; bars go on after the last one with its meter."""
        starts, count = self.bars.starts, len(self.bars)
        if bar <= count + 1:
            return int(starts[bar - 1])
        return self.bars.end + (bar - 1 - count) * int(starts[-1] - starts[-2])

    def bar_at(self, tick: int) -> int:
        """Return the bar, counted from 1, at a tick."""
        if tick < self.bars.end:
            return self.bars.at(tick) + 1
        starts = self.bars.starts
        return len(self.bars) + 1 + (tick - self.bars.end) // max(1, int(starts[-1] - starts[-2]))

    def values(self) -> dict[str, Counter[PlainNote]]:
        """Return the notes of each track, by id."""
        return {track.id: Counter(track.notes) for track in self.tracks}

    def to_json(self) -> dict[str, Any]:
        """Return the song as the page has it."""
        return {
            "ticksPerQuarter": self.ticks_per_quarter,
            "end": self.bars.end,
            "tempos": [list(each) for each in self.tempos],
            "meters": [list(each) for each in self.meters],
            "keys": [list(each) for each in self.keys],
            "bars": self.bars.starts.tolist(),
            "tracks": [track.to_json() for track in self.tracks],
        }


def flat(notes: Iterable[PlainNote]) -> list[int]:
    """Return notes as the page has them: four numbers each, one after the other."""
    return [number for note in notes for number in note]


def open_song(midi: bytes) -> Song:
    """Open the bytes of a MIDI file of type 0 or 1, with or without notes.

    Raises:
        MidiError: They cannot be read or worked on; the message names what is wrong.
    """
    return _CACHE.song(midi) or _CACHE.remember(*_opened(midi))


def _opened(midi: bytes) -> tuple[Song, _Parsed]:
    try:
        file = smf.read(midi)
        instruments = Instruments(file.tracks)
        notes = file_notes(file.tracks, instruments)
        places = score_places(file.tracks, instruments)
        score = read_score(midi, SONG, cut_short="use") if notes else _without_notes(midi)
    except MidiError as error:
        message = error.message if error.message.startswith("this MIDI data") else f"this MIDI data {error.message}"
        raise MidiError(message) from None
    tracks: list[SongTrack] = []
    for number, place in enumerate(places):
        if place in notes:
            drum = instruments.is_drums(place.track, place.channel)
            alone = sum(other.track == place.track for other in notes) == 1
            name = readable(_file_name(file.tracks[place.track])).strip() if alone else ""
            own = _id(place, file.tracks[place.track])
            if any(track.id == own for track in tracks):  # another track of the file changes this one's program
                own = f"t{place.track}c{place.channel}p{place.program}"
            tracks.append(
                SongTrack(own, number, place, track_name(name, place.program, drum), drum, tuple(notes[place]))
            )
    song = Song(
        midi,
        tuple(tracks),
        bar_map(score),
        tuple(sorted((int(t.time), round(float(t.qpm), 3)) for t in score.tempos)) or ((0, 120.0),),
        tuple(sorted((int(m.time), m.numerator, m.denominator) for m in score.time_signatures)) or ((0, 4, 4),),
        tuple(sorted((int(k.time), int(k.key), int(k.tonality)) for k in score.key_signatures)),
        file.division,
    )
    return song, _Parsed(file, instruments)


def imported(data: bytes) -> bytes:
    """Return a user's MIDI file as the studio keeps it: the same bytes where its events can be changed in place.

    Files of other kinds (several songs in one, time in film frames, damaged ones) become plain files of type 1.

    Raises:
        MidiError: It cannot be read, or has more music than is worked on as one song.
    """
    score = read_score(data, SONG, cut_short="use")
    try:
        song = open_song(data)
        if song.note_count == score.note_num() and len(song.tracks) == sum(len(t.notes) > 0 for t in score.tracks):
            return data
    except MidiError:
        pass
    return new_file(score)


def empty(tempo: float = 120.0, meter: tuple[int, int] = (4, 4)) -> bytes:
    """Return a MIDI file without notes.

    Args:
        tempo: Quarters a minute.
        meter: Numerator and denominator.
    """
    events = [smf.Event(0, smf.tempo(round(60_000_000 / tempo))), smf.Event(0, smf.meter(*meter))]
    return smf.write(smf.MidiFile(1, DIVISION, [MidiTrack(events)]))


def apply(midi: bytes, operations: Sequence[Operation], *, strict: bool = False) -> bytes:
    """Return a MIDI file with edits; all its other events are preserved.

    Args:
        midi: The file's bytes.
        operations: What to change; see docs/studio-design.md. A ``notes`` operation on a track that is not in the song
            makes one.
        strict: Refuse to remove a note that is not there; else it is passed over.

    Raises:
        RequestError: An operation cannot be read; with ``strict``, what it removes is not there.
        MidiError: There is no channel left for a new track, or there would be too many notes.
    """
    if len(operations) > _MOST_OPERATIONS:
        raise RequestError(f"{len(operations):,} operations in one edit; at most {_MOST_OPERATIONS:,} are taken")
    waiting: dict[str, list[Operation]] = {}
    for operation in operations:
        kind = operation.get("type")
        if kind == "notes":
            waiting.setdefault(_text(operation, "track"), []).append(operation)
            continue
        midi, waiting = _with_notes(midi, waiting, strict), {}
        if kind == "program":
            place = open_song(midi).track(_text(operation, "track")).place
            midi = change_program(midi, place, _whole(operation, "program", 0, 127))
        elif kind == "rename":
            midi = _renamed(midi, _text(operation, "track"), _text(operation, "name"))
        elif kind == "tempo":
            midi = set_tempo(midi, _whole(operation, "tick", 0, _LAST_TICK), _tempo(operation))
        else:
            raise RequestError(f"there is no operation {shown(kind)}: it is notes, program, rename or tempo")
    return _with_notes(midi, waiting, strict)


def as_expected(before: Song, after: Song, operations: Sequence[Operation]) -> bool:
    """Return whether a page that applied ``operations`` to ``before`` by itself has ``after``, but for new bars."""
    wanted = before.values()
    for operation in operations:
        if operation["type"] != "notes":
            return False
        if operation["track"] not in wanted:
            return False
        wanted[operation["track"]].subtract(plain_notes(operation["remove"]))
        wanted[operation["track"]].update(plain_notes(operation["add"]))
    found = after.values()
    return all(+notes == found.get(track, Counter()) for track, notes in wanted.items()) and set(found) <= set(wanted)


def plain_notes(listed: Any) -> list[PlainNote]:
    """Return the notes of an operation.

    Raises:
        RequestError: They are no notes.
    """
    if not isinstance(listed, Sequence) or isinstance(listed, str | bytes):
        raise RequestError("notes are listed as [tick, length, pitch, velocity]")
    return [_note(each) for each in listed]


def _with_notes(midi: bytes, by_track: Mapping[str, Sequence[Operation]], strict: bool) -> bytes:
    if not by_track:
        return midi
    song = open_song(midi)
    changes = []
    for name, operations in by_track.items():
        remove, add = Counter[PlainNote](), Counter[PlainNote]()
        for operation in operations:
            add.update(plain_notes(operation.get("add", ())))
            gone = Counter(plain_notes(operation.get("remove", ())))
            both = gone & add
            add, remove = add - both, remove + (gone - both)
        known = song.by_id.get(name)
        if strict and remove - Counter(() if known is None else known.notes):
            raise RequestError("a note that is to be changed is not in the piece: load it again", kind=STALE)
        first = operations[0]
        changes.append(
            NoteChange(
                known.place if known is not None else _old_place(midi, name),
                list(remove.elements()),
                list(add.elements()),
                _whole(first, "program", 0, 127),
                bool(first.get("drum")),
                _text(first, "name"),
            )
        )
    added = sum(len(change.add) for change in changes)
    if song.note_count + added > SONG.notes:
        raise MidiError(f"there would be {song.note_count + added:,} notes; at most {SONG.notes:,} are worked on")
    parsed = _CACHE.parsed(midi) or _opened(midi)[1]
    try:
        file = changed_file(parsed.file, changes, parsed.instruments)
        done = smf.write(file)
    except MidiError as error:
        raise MidiError(f"the piece {error.message}") from None
    if (after := _reopened(song, parsed, file, done)) is not None:
        _CACHE.remember(after, _Parsed(file, parsed.instruments))
    return done


def _reopened(before: Song, parsed: _Parsed, file: MidiFile, midi: bytes) -> Song | None:
    """Return the song of a file in which some tracks have other notes, without reading the rest of it again.

    None: more than notes has changed, and all of it has to be read.
    """
    old = parsed.file.tracks
    if parsed.instruments.need_parts or len(file.tracks) != len(old) or not before.tracks:
        return None
    notes = {track.place: track.notes for track in before.tracks}
    for number, (now, was) in enumerate(zip(file.tracks, old, strict=True)):
        if now is was:
            continue
        if sum(e.kind == smf.PROGRAM for e in now.events) != sum(e.kind == smf.PROGRAM for e in was.events):
            return None
        found = track_notes(now, number, parsed.instruments)
        if set(found) != {place for place in notes if place.track == number}:
            return None
        notes |= {place: tuple(own) for place, own in found.items()}
    score = Score(before.ticks_per_quarter)
    score.time_signatures.extend([TimeSignature(*meter) for meter in before.meters])
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.append(Note(0, max(n.tick + n.length for own in notes.values() for n in own), 60, 80))
    bars = bar_map(score)
    if len(bars) > SONG.bars:
        return None
    tracks = tuple(replace(track, notes=notes[track.place]) for track in before.tracks)
    return replace(before, midi=midi, tracks=tracks, bars=bars)


@dataclass(frozen=True)
class _Parsed:
    """A file taken apart, and its instruments."""

    file: MidiFile
    instruments: Instruments


class _Cache:
    """Songs that were opened last, and of a few of them the events, which take most of the memory."""

    def __init__(self, songs: int = 32, files: int = 4) -> None:
        self._songs: OrderedDict[bytes, Song] = OrderedDict()
        self._files: OrderedDict[bytes, _Parsed] = OrderedDict()
        self._most, self._most_files = songs, files
        self._lock = threading.Lock()

    def song(self, midi: bytes) -> Song | None:
        """Return a song that was opened."""
        with self._lock:
            if (found := self._songs.get(midi)) is not None:
                self._songs.move_to_end(midi)
            return found

    def parsed(self, midi: bytes) -> _Parsed | None:
        """Return a file that was taken apart."""
        with self._lock:
            return self._files.get(midi)

    def remember(self, song: Song, parsed: _Parsed) -> Song:
        """Keep a song and its file; return the song."""
        with self._lock:
            self._songs[song.midi] = song
            self._files[song.midi] = parsed
            while len(self._songs) > self._most:
                self._songs.popitem(last=False)
            while len(self._files) > self._most_files:
                self._files.popitem(last=False)
        return song


_CACHE = _Cache()


def _old_place(midi: bytes, name: str) -> Place | None:
    """Return the place of a track that has lost all its notes and still is in the file; None: it is a new one."""
    try:
        track, channel = (int(part) for part in name.removeprefix("t").split("p")[0].split("c"))
    except ValueError:
        return None
    file = smf.read(midi)
    if not name.startswith("t") or not 0 <= track < len(file.tracks) or not 0 <= channel < 16:
        return None
    events = file.tracks[track].events
    if not any(event.channel == channel for event in events) and not any(e.meta == smf.TRACK_NAME for e in events):
        return None
    program = int(name.split("p")[1]) if "p" in name and name.split("p")[1].isdigit() else _first(events, channel)
    return Place(track, channel, min(program, 127))


def _renamed(midi: bytes, name: str, text: str) -> bytes:
    song = open_song(midi)
    place = song.track(name).place
    if sum(track.place.track == place.track for track in song.tracks) > 1:
        raise RequestError("this track is one of several instruments in one track of the file, which has one name")
    return rename_track(midi, place.track, text)


def _without_notes(midi: bytes) -> Score:
    try:
        return Score.from_midi(smf.write(smf.read(midi)))
    except (RuntimeError, ValueError) as error:
        raise MidiError(f"is broken: {' '.join(str(error).split())[:200]}") from None


def _id(place: Place, track: MidiTrack) -> str:
    plain = f"t{place.track}c{place.channel}"
    sets_any = any(event.data[0] == smf.PROGRAM | place.channel for event in track.events)
    return plain if not sets_any or _first(track.events, place.channel) == place.program else f"{plain}p{place.program}"


def _first(events: Sequence[smf.Event], channel: int) -> int:
    """Return the program that is set first on a channel, 0 where there is none."""
    return next((min(e.data[1], 127) for e in events if e.data[0] == smf.PROGRAM | channel), 0)


def _file_name(track: MidiTrack) -> str:
    return next((to_text(event.payload) for event in track.events if event.meta == smf.TRACK_NAME), "")


def _note(value: Any) -> PlainNote:
    try:
        note = PlainNote(*value)
    except TypeError:
        raise RequestError(f"{shown(value)} is no note: it is [tick, length, pitch, velocity]") from None
    whole = all(isinstance(number, int) and not isinstance(number, bool) for number in note)
    if not (
        whole
        and 0 <= note.tick <= _LAST_TICK // 2
        and 1 <= note.length <= _LAST_TICK // 2
        and 0 <= note.pitch <= 127
        and 1 <= note.velocity <= 127
    ):
        raise RequestError(f"{shown(value)} is no note: pitch 0 to 127, velocity 1 to 127, length at least a tick")
    return note


def _text(operation: Operation, name: str) -> str:
    value = operation.get(name)
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        raise RequestError(f"{name} of an operation must be a text of at most {_LONGEST_NAME} characters")
    return value


def _whole(operation: Operation, name: str, low: int, high: int) -> int:
    value = operation.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RequestError(f"{name} of an operation must be a whole number from {low} to {high:,}, not {shown(value)}")
    return value


def _tempo(operation: Operation) -> float:
    value = operation.get("quartersPerMinute")
    if not isinstance(value, int | float) or isinstance(value, bool) or not 4 <= value <= 1000:
        raise RequestError(f"a tempo is 4 to 1000 quarters a minute, not {shown(value)}")
    return float(value)
