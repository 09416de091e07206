"""A MIDI file as the page has it, and edits of it.

A song's tracks are numbered as ``read_score`` numbers them, so that they can be given to the verbs. Their ids stay the
same while notes are edited: ``t1c0`` is what channel 0 of the file's track 1 plays with the program that is set first
there, ``t1c0p40`` what it plays with another one.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from symusic import Note, Score, TimeSignature, Track

from toccata.errors import MidiError, RequestError, shown
from toccata.midi import smf
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.gm import track_name
from toccata.midi.instruments import Instruments
from toccata.midi.limits import SONG
from toccata.midi.mixing import Mix, Mixing
from toccata.midi.notes import Place, score_places
from toccata.midi.read import read_score
from toccata.midi.retouch import (
    NoteChange,
    PlainNote,
    changed_file,
    file_notes,
    track_notes,
)
from toccata.midi.smf import MidiFile, MidiTrack
from toccata.midi.splice import new_file
from toccata.midi.text import readable, to_text

DIVISION = 480
"""Ticks a quarter of a piece that is begun in the studio."""
LONGEST_NAME = 200
"""Letters of a track's name."""
STALE = "stale"
"""The kind of the error that says that what is to be changed is not there: the page has to load the piece again."""


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
        mix: How loud it is, and where it sits.
    """

    id: str
    number: int
    place: Place
    name: str
    drum: bool
    notes: tuple[PlainNote, ...]
    mix: Mix

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
            **self.mix.to_json(),
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
    mixing = Mixing(file.tracks, instruments.ports)
    tracks: list[SongTrack] = []
    for number, place in enumerate(places):
        if place in notes:
            drum = instruments.is_drums(place.track, place.channel)
            alone = sum(other.track == place.track for other in notes) == 1
            name = readable(_file_name(file.tracks[place.track])).strip()[:LONGEST_NAME] if alone else ""
            own = _id(place, file.tracks[place.track])
            if any(track.id == own for track in tracks):  # another track of the file changes this one's program
                own = f"t{place.track}c{place.channel}p{place.program}"
            own_notes = tuple(notes[place])
            mix = mixing.at(place.track, place.channel, min((note.tick for note in own_notes), default=0))
            tracks.append(SongTrack(own, number, place, track_name(name, place.program, drum), drum, own_notes, mix))
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


def with_notes(song: Song, changes: Sequence[NoteChange]) -> bytes:
    """Return the MIDI bytes of a song with notes removed and added; see ``retouch.change_notes``.

    Raises:
        MidiError: There is no channel left for a new track; the message is the bare reason.
    """
    parsed = _CACHE.parsed(song.midi) or _opened(song.midi)[1]
    file = changed_file(parsed.file, changes, parsed.instruments)
    done = smf.write(file)
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


def _without_notes(midi: bytes) -> Score:
    try:
        return Score.from_midi(smf.write(smf.read(midi)))
    except (RuntimeError, ValueError) as error:
        raise MidiError(f"is broken: {' '.join(str(error).split())[:200]}") from None


def _id(place: Place, track: MidiTrack) -> str:
    plain = f"t{place.track}c{place.channel}"
    sets_any = any(event.data[0] == smf.PROGRAM | place.channel for event in track.events)
    return (
        plain
        if not sets_any or first_program(track.events, place.channel) == place.program
        else f"{plain}p{place.program}"
    )


def first_program(events: Sequence[smf.Event], channel: int) -> int:
    """Return the program that is set first on a channel, 0 where there is none."""
    return next((min(e.data[1], 127) for e in events if e.data[0] == smf.PROGRAM | channel), 0)


def _file_name(track: MidiTrack) -> str:
    return next((to_text(event.payload) for event in track.events if event.meta == smf.TRACK_NAME), "")
