"""Standard MIDI files without interpretation: every event with its absolute tick and its own bytes.

Libraries that model MIDI messages lose what they do not model (escaped sysex packets, odd meta events, chunks of other
makers). Here events stay bytes, which are decoded only where needed, so nothing is lost.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from toccata.errors import MidiError
from toccata.midi.chunks import DATA_BYTES, SYSTEM_BYTES, Chunks, number_at, split

NOTE_OFF, NOTE_ON, PRESSURE, CONTROL, PROGRAM, CHANNEL_PRESSURE, BEND = 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0
TEXT, TRACK_NAME, LYRIC, MARKER, END, TEMPO, METER, KEY = 0x01, 0x03, 0x05, 0x06, 0x2F, 0x51, 0x58, 0x59

_LONGEST_DELTA = (1 << 28) - 1


MOST_EVENTS = 250_000
"""The most events of a file that is edited: each takes a few hundred bytes. Songs of 75,000 notes have fewer."""


class Event(NamedTuple):
    """One event of a track.

    Attributes:
        tick: Ticks since the start of the file.
        data: The event's bytes, the status byte always first (running status is written out).
    """

    tick: int
    data: bytes

    @property
    def kind(self) -> int:
        """The status without its channel (``NOTE_ON``, ...), or 0xF0 to 0xFF for sysex and meta events."""
        status = self.data[0]
        return status & 0xF0 if status < 0xF0 else status

    @property
    def channel(self) -> int:
        """The channel, 0 to 15, or -1 for events that have none."""
        status = self.data[0]
        return status & 0x0F if status < 0xF0 else -1

    @property
    def meta(self) -> int:
        """The type of a meta event, or -1."""
        return self.data[1] if self.data[0] == 0xFF else -1

    @property
    def payload(self) -> bytes:
        """The data of a meta event, without its length."""
        size, start = number_at(self.data, 2)
        return self.data[start : start + size]

    @property
    def begins_note(self) -> bool:
        """A note-on with a velocity above 0."""
        return self.data[0] & 0xF0 == NOTE_ON and self.data[2] > 0

    @property
    def ends_note(self) -> bool:
        """A note-off, or a note-on of velocity 0."""
        kind = self.data[0] & 0xF0
        return kind == NOTE_OFF or (kind == NOTE_ON and self.data[2] == 0)


@dataclass
class MidiTrack:
    """The events of one track in the file's order, and the tick of its end."""

    events: list[Event] = field(default_factory=list)
    end: int = 0


@dataclass
class MidiFile:
    """A Standard MIDI file.

    Attributes:
        format: 0 (one track) or 1 (tracks together).
        division: Ticks a quarter note.
        tracks: The tracks.
        foreign: Chunks that are no tracks: how many tracks stand before each, and its bytes with header.
    """

    format: int
    division: int
    tracks: list[MidiTrack]
    foreign: list[tuple[int, bytes]] = field(default_factory=list)


def read(data: bytes) -> MidiFile:
    """Take a MIDI file apart.

    Raises:
        MidiError: These are not the bytes of a MIDI file that counts ticks a quarter, its tracks together, or it has
            more than ``MOST_EVENTS``.
    """
    chunks = split(data)
    _refuse_other_clocks(chunks)
    tracks: list[MidiTrack] = []
    for number, track in enumerate(chunks.tracks, 1):
        tracks.append(track_of(track, number))
        if sum(len(track.events) for track in tracks) > MOST_EVENTS:
            raise MidiError(f"has over {MOST_EVENTS:,} events, more than are worked on: take a part of the file")
    return MidiFile(min(chunks.kind, 1), chunks.division, tracks, chunks.foreign)


def is_editable(data: bytes) -> bool:
    """Return whether a file's events can be worked on where they are: it counts ticks a quarter, its tracks together.

    Raises:
        MidiError: These are not the bytes of a MIDI file.
    """
    chunks = split(data)
    try:
        _refuse_other_clocks(chunks)
    except MidiError:
        return False
    return True


def _refuse_other_clocks(chunks: Chunks) -> None:
    if chunks.division & 0x8000 or not chunks.division:
        raise MidiError(
            "counts time in film frames, so its events cannot be changed in place: `toccata clean` makes a copy that "
            "counts ticks a quarter"
        )
    if chunks.kind == 2 and len(chunks.tracks) > 1:
        raise MidiError(
            "is of type 2, its tracks are songs of their own, so they cannot be changed in place: `toccata clean` "
            "makes a copy of type 1, one song after another"
        )


def write(file: MidiFile) -> bytes:
    """Put a MIDI file together.

    Raises:
        MidiError: Two events lie further apart than a MIDI file can say.
    """
    parts = [b"MThd", struct.pack(">IHHH", 6, file.format, len(file.tracks), file.division)]
    foreign = list(file.foreign)
    for number, track in enumerate(file.tracks):
        while foreign and foreign[0][0] <= number:
            parts.append(foreign.pop(0)[1])
        body = _body(track)
        parts += [b"MTrk", len(body).to_bytes(4, "big"), body]
    return b"".join(parts + [chunk for _, chunk in foreign])


def with_division(data: bytes, division: int) -> bytes:
    """Return a MIDI file with other ticks a quarter; every event stays where it is in the music, to the nearest tick.

    Raises:
        MidiError: The file cannot be taken apart.
    """
    file = read(data)

    def moved(tick: int) -> int:
        return round(tick * division / file.division)

    tracks = [
        MidiTrack([event._replace(tick=moved(event.tick)) for event in track.events], moved(track.end))
        for track in file.tracks
    ]
    return write(replace(file, division=division, tracks=tracks))


def meta(kind: int, payload: bytes) -> bytes:
    """The bytes of a meta event."""
    return bytes((0xFF, kind)) + _to_number(len(payload)) + payload


def tempo(mspq: int) -> bytes:
    """The bytes of a tempo event, in microseconds a quarter note."""
    return meta(TEMPO, min(max(1, mspq), 0xFFFFFF).to_bytes(3, "big"))


def meter(numerator: int, denominator: int) -> bytes:
    """The bytes of a time signature; a denominator that is no power of two is taken as the next lower one."""
    exponent = max(1, denominator).bit_length() - 1
    # MIDI clocks (24 a quarter) a metronome click: a dotted beat in compound meters, else one beat.
    compound = numerator % 3 == 0 and numerator > 3 and denominator >= 8
    clocks = min(255, max(1, 96 * (3 if compound else 1) >> exponent))
    return meta(METER, bytes((min(max(1, numerator), 255), exponent, clocks, 8)))


def key(fifths: int, minor: int) -> bytes:
    """The bytes of a key signature: sharps positive, flats negative."""
    return meta(KEY, bytes((max(-7, min(7, fifths)) & 0xFF, 1 if minor else 0)))


def track_of(chunk: bytes, number: int = 1) -> MidiTrack:
    """Take the bytes of one track apart.

    Args:
        chunk: The bytes, without the chunk's header.
        number: The track's number, from 1, for the error.

    Raises:
        MidiError: The track breaks off inside an event.
    """
    track = MidiTrack()
    try:
        track.end = _events(chunk, track.events)
    except IndexError:
        raise MidiError(f"is broken: track {number} breaks off inside an event") from None
    except ValueError as error:
        raise MidiError(f"is broken: track {number} has {error}") from None
    return track


def _events(chunk: bytes, out: list[Event]) -> int:
    """Read one track's events into ``out``; the tick of its end. IndexError where the chunk ends inside an event."""
    at, tick, running, size = 0, 0, 0, len(chunk)
    while at < size:
        delta, at = number_at(chunk, at)
        tick += delta
        status = chunk[at]
        if status >= 0x80:
            at += 1
        else:
            status = running
        if status < 0x80:
            raise IndexError
        if status < 0xF0:
            running = status
            stop = at + DATA_BYTES[status & 0xF0]
        elif status == 0xFF:
            if chunk[at] == END:
                break
            length, start = number_at(chunk, at + 1)
            stop = start + length
        elif status in (0xF0, 0xF7):
            length, start = number_at(chunk, at)
            stop = start + length
        else:
            stop = at + SYSTEM_BYTES.get(status, 0)
        if stop > size:
            raise IndexError
        out.append(Event(tick, bytes((status,)) + chunk[at:stop]))
        at = stop
    return tick


def _body(track: MidiTrack) -> bytes:
    out = bytearray()
    now = 0
    for tick, data in _ended(track):
        if not 0 <= tick - now <= _LONGEST_DELTA:
            raise MidiError(f"has an event at tick {tick:,}, too far from the one before it (tick {now:,})")
        out += _to_number(tick - now)
        out += data
        now = tick
    return bytes(out)


def _ended(track: MidiTrack) -> Iterable[Event]:
    yield from track.events
    last = track.events[-1].tick if track.events else 0
    yield Event(max(track.end, last), meta(END, b""))


def _to_number(value: int) -> bytes:
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))
