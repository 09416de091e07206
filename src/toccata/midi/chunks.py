"""The chunks of a MIDI file: where each track's bytes begin and end, also where the file's own lengths are wrong.

Every reader of MIDI bytes starts here, so that a Score and a spliced file hold the same tracks.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from toccata.errors import MidiError

MAX_BYTES = 100 * 2**20
"""The largest file read, in bytes."""

MAX_TRACKS = 1_000
"""The most tracks a file may have; the largest orchestral scores have about a hundred."""

DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
"""Data bytes after the status byte of a channel message, by its high nibble."""

SYSTEM_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Data bytes after the status byte of a system message; those that are not named have none."""

UNDEFINED = (0xF4, 0xF5, 0xF9, 0xFD)
"""Status bytes that MIDI gives no meaning."""

_TRACK = b"MTrk"
_END = b"\xff\x2f\x00"


@dataclass(frozen=True)
class Chunks:
    """A MIDI file as its chunks.

    Attributes:
        kind: 0, 1 or 2, the type in the header.
        division: The header's division: ticks a quarter, or film frames where bit 15 is set.
        tracks: Each track's bytes, without its chunk header.
        foreign: Chunks that are no tracks: how many tracks stand before each, and its bytes with header.
        cut_short: What is missing, as the end of a sentence, where the file breaks off in its last track; else empty.
    """

    kind: int
    division: int
    tracks: list[bytes] = field(default_factory=list)
    foreign: list[tuple[int, bytes]] = field(default_factory=list)
    cut_short: str = ""


def split(data: bytes) -> Chunks:
    """Take a MIDI file apart into its chunks; a RIFF (RMID) or other wrapping is looked through.

    A track whose header claims a wrong number of bytes ends where its end-of-track event says, if another track or the
    end of the file follows there. A last track that is cut short is used up to its last whole event.

    Raises:
        MidiError: This is no MIDI file, or it has no tracks or too many; the message is the bare reason.
    """
    data = _unwrapped(data)
    if len(data) < 14:
        raise MidiError("is cut short: the header is incomplete")
    size, kind, _, division = struct.unpack_from(">IHHH", data, 4)
    if size < 6 or size > len(data) - 8:
        raise MidiError(f"has a broken header: it claims {size:,} bytes")
    if kind > 2:
        raise MidiError(f"is of type {kind}: only types 0, 1 and 2 exist")
    tracks: list[bytes] = []
    foreign: list[tuple[int, bytes]] = []
    missing, at = "", 8 + size
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "big")
        if name == _TRACK:
            if len(tracks) == MAX_TRACKS:
                count = data.count(_TRACK)
                raise MidiError(f"has about {count:,} tracks; at most {MAX_TRACKS:,} are read")
            extent = _extent(data, at, size)
            tracks.append(data[extent.start : extent.stop])
            at = extent.after
            if not extent.whole:
                left = len(data) - extent.start
                missing = f"track {len(tracks)} should have {size:,} bytes and the file has {left:,}"
        elif _is_chunk(data, at):
            foreign.append((len(tracks), data[at : at + 8 + size]))
            at += 8 + size
        else:  # junk; a track may follow
            at = _find(data, at + 1)
    if not tracks:
        raise MidiError("has no tracks")
    return Chunks(kind, division, tracks, foreign, missing)


def number_at(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length (at most four bytes) at ``at``, and where it ends.

    Raises:
        IndexError: The bytes end in it.
        ValueError: It has more than four bytes.
    """
    value = 0
    for place in range(at, at + 4):
        byte = data[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    raise ValueError(f"a number of more than four bytes at byte {at:,}")


def _unwrapped(data: bytes) -> bytes:
    if not data:
        raise MidiError("is empty (0 bytes)")
    if len(data) > MAX_BYTES:
        raise MidiError(f"is too large: {len(data) / 2**20:,.0f} MB, at most {MAX_BYTES // 2**20} are read")
    if data[:4] == b"MThd":
        return data
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        at = 12
        while at + 8 <= len(data):
            if data[at : at + 4] == b"data" and data[at + 8 : at + 12] == b"MThd":
                return data[at + 8 :]
            size = int.from_bytes(data[at + 4 : at + 8], "little")
            at += 8 + size + size % 2  # RIFF pads chunks to an even length
    at = data.find(b"MThd", 0, 512)  # a MacBinary header, a stray download header
    if at < 0:
        raise MidiError("is no MIDI file: it does not start with MThd")
    return data[at:]


@dataclass(frozen=True)
class _Extent:
    """Return where a track's events begin and end, where the next chunk begins, and whether the track is whole."""

    start: int
    stop: int
    after: int
    whole: bool = True


def _extent(data: bytes, at: int, size: int) -> _Extent:
    """Return the end of the track chunk at ``at``, whose header claims ``size`` bytes."""
    start, claimed = at + 8, at + 8 + size
    fits = claimed <= len(data)
    followed = claimed == len(data) or _is_chunk(data, claimed)
    if fits and followed and data[claimed - 3 : claimed] == _END:
        return _Extent(start, claimed, claimed)
    header = _find(data, start)  # no walk leads past it, so that all walks together are no longer than the file
    stop, ended = _track_end(data, start, header)
    if fits and followed:
        swallowed = data.find(_TRACK, stop, claimed + 3) if ended else -1
        return _Extent(start, claimed, claimed) if swallowed < 0 else _Extent(start, stop, swallowed)
    if ended:
        within = min(claimed, len(data))
        return _Extent(start, stop, header if header < within + 3 else max(stop, within))
    if header < len(data):  # no end of its own
        return _Extent(start, header, header)
    return _Extent(start, claimed, claimed) if fits else _Extent(start, stop, len(data), whole=False)


def _is_chunk(data: bytes, at: int) -> bool:
    """Whether a chunk that the file has room for begins at ``at``."""
    name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "big")
    return name == _TRACK or (name.isalnum() and len(name) == 4 and at + 8 + size <= len(data))


def _find(data: bytes, at: int) -> int:
    found = data.find(_TRACK, at)
    return len(data) if found < 0 else found


def _track_end(data: bytes, at: int, size: int) -> tuple[int, bool]:
    """Return where a track whose events begin at ``at`` ends, after its end-of-track event, if that is before ``size``.

    Without one: where its last whole event ends, and False.
    """
    running, whole = 0, at
    try:
        while at < size:
            whole = at
            _, at = number_at(data, at)
            status = data[at]
            if status >= 0x80:
                at += 1
            else:
                status = running
            if status < 0x80 or status in UNDEFINED:
                return whole, False
            if status < 0xF0:
                running = status
                at += DATA_BYTES[status & 0xF0]
            elif status == 0xFF:
                kind = data[at]
                length, at = number_at(data, at + 1)
                at += length
                if kind == 0x2F and at <= size:
                    return at, True
            elif status in (0xF0, 0xF7):
                length, at = number_at(data, at)
                at += length
            else:
                at += SYSTEM_BYTES.get(status, 0)
            if at > size:
                return whole, False
    except (IndexError, ValueError):
        return whole, False
    return at, False
