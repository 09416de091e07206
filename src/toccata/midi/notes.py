"""The notes of a MIDI file among its events, and which track of the parsed Score each of them is in."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from toccata.midi import smf
from toccata.midi.instruments import Instruments
from toccata.midi.karaoke import has_lyrics, karaoke_words
from toccata.midi.smf import MidiTrack

_LYRICS = 15  # the low half of 0xFF, the status of a meta event


class Place(NamedTuple):
    """The place in a file of a track of its Score.

    Attributes:
        track: The file's track, from 0; a file of type 0 has one.
        channel: 0 to 15.
        program: The program in force there when a note begins (see `toccata.midi.instruments`), 0 before any is named.
    """

    track: int
    channel: int
    program: int


class NoteRef(NamedTuple):
    """A reference to a note of a song.

    Attributes:
        track: The number of its track.
        tick: The tick at which it begins.
        pitch: Its pitch.
    """

    track: int
    tick: int
    pitch: int


@dataclass(frozen=True, slots=True)
class Struck:
    """A note as a file has it.

    Attributes:
        place: Where it is.
        pitch: 0 to 127.
        start: The tick of its note-on.
        end: The tick of its note-off; None: there is none.
        on: The number of the note-on among its track's events.
        off: The number of the note-off.
    """

    place: Place
    pitch: int
    start: int
    end: int | None
    on: int
    off: int | None


def notes_of(
    track: MidiTrack, number: int = 0, instruments: Instruments | None = None
) -> tuple[list[Struck], list[int]]:
    """The notes of one track of a file, by their note-ons, and the numbers of note-offs that end none.

    In a channel and pitch the note that began first ends first.

    Args:
        track: The track.
        number: Its number in the file, from 0.
        instruments: The file's instruments; by default a channel's program is the one set in this track.
    """
    programs = [0] * 16
    shared = instruments if instruments is not None and instruments.need_parts else None
    begun: list[tuple[int, int]] = []
    ended: dict[int, int] = {}
    waiting: dict[tuple[int, int], deque[int]] = defaultdict(deque)
    stray = []
    for index, (tick, data) in enumerate(track.events):
        kind, channel = data[0] & 0xF0, data[0] & 0x0F
        if kind == smf.PROGRAM:
            programs[channel] = min(data[1], 127)
        elif kind == smf.NOTE_ON and data[2]:
            program = programs[channel] if shared is None else shared.program(number, channel, tick, index)
            begun.append((index, program))
            waiting[channel, min(data[1], 127)].append(index)
        elif kind in (smf.NOTE_ON, smf.NOTE_OFF):
            if before := waiting[channel, min(data[1], 127)]:
                ended[before.popleft()] = index
            else:
                stray.append(index)
    notes = []
    for on, program in begun:
        tick, data = track.events[on]
        off = ended.get(on)
        end = None if off is None else track.events[off].tick
        notes.append(Struck(Place(number, data[0] & 0x0F, program), min(data[1], 127), tick, end, on, off))
    return notes, stray


def score_places(tracks: Sequence[MidiTrack], instruments: Instruments | None = None) -> list[Place]:
    """Return the places in a file of type 0 or 1 of the tracks of its Score (see ``read_score``), in their order.

    A Score has a track for each program that begins notes in a channel of a file's track: in the order of the file's
    tracks, then of channels, then of programs. Where the file's instruments are plain (see `Instruments.need_parts`),
    the parser takes lyrics for something on channel 15: where no note begins with the program that is in force there,
    they have a track without notes. Elsewhere they do where all notes of their track are drums.
    """
    instruments = instruments or Instruments(tracks)
    words = karaoke_words(tracks)
    places: list[Place] = []
    apart = instruments.need_parts or bool(words)
    for number, track in enumerate(tracks):
        notes = notes_of(track, number, instruments)[0]
        if not apart:
            places += sorted({note.place for note in notes} | _lyrics(track, number))
            continue
        own = {note.place for note in notes}
        places += sorted(own)
        if has_lyrics(track, words.get(number)) and all(instruments.is_drums(number, p.channel) for p in own):
            places.append(Place(number, _LYRICS, 0))
    return places


def _lyrics(track: MidiTrack, number: int) -> set[Place]:
    """The Score tracks of channel 15 that a file track's lyrics bring about, and that are not empty."""
    program, loose = 0, False
    known: set[int] = set()
    filled: set[int] = set()
    for event in track.events:
        channel = _LYRICS if event.meta == smf.LYRIC else event.channel
        if channel != _LYRICS:
            continue
        if event.kind == smf.PROGRAM:
            program = min(event.data[1], 127)
        elif event.kind in (smf.CONTROL, smf.BEND):
            # What comes before there is a track goes to the first there is.
            loose = loose or program not in known
            filled |= {program} & known
        elif event.begins_note or event.meta == smf.LYRIC:
            if program not in known and loose:
                filled.add(program)
                loose = False
            known.add(program)
            if event.meta == smf.LYRIC and event.payload:
                filled.add(program)
    return {Place(number, _LYRICS, program) for program in filled}
