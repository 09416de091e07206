"""Standard MIDI files as bytes: check their structure, mend what is harmless, before a native parser sees them.

The parser (symusic) is fast because it trusts its input: a status byte in the wrong place can crash the process. What
leaves this module is a plain file: a six-byte header, the right number of tracks, every event whole and explicit where
the parser guesses, every track ended.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from toccata.errors import MidiError

MAX_BYTES = 100 * 2**20
"""The largest file read, in bytes."""

MAX_TICKS = 2**30
"""The latest tick an event may have; the parser counts in 32 bits."""

MAX_TRACKS = 1_000
"""The most tracks a file may have; the largest orchestral scores have about a hundred."""

WALK_BYTES = 8 * 2**20
"""Files up to this size are walked event by event, which takes about 0.1 s a megabyte; larger ones chunk by chunk."""

_NOTHING = b"\xff\x01\x00"  # an empty text event: stands where something was taken out, so that its delta time stays
_END = b"\x00\xff\x2f\x00"
_SYSTEM_SIZE = {0xF1: 1, 0xF2: 2, 0xF3: 1}


@dataclass(frozen=True)
class Sound:
    """A MIDI file that is safe to parse.

    Attributes:
        files: Type 0 or 1 files; several if the file was of type 2, whose tracks are pieces of their own.
        mspq: Microseconds a quarter if the file counts in film frames, which know no tempo; else None.
        walked: Whether every event was looked at.
    """

    files: tuple[bytes, ...]
    mspq: int | None
    walked: bool


def mend(data: bytes, *, walk: bool | None = None) -> Sound:
    """Check ``data`` and mend what can be mended without guessing at the music.

    Mended: a RIFF or other wrapping, wrong track count, long header, unknown chunks and junk behind the tracks, missing
    end of track, running status across meta events, data bytes over 127 (clipped), text that is not UTF-8 (taken for
    Western European), realtime bytes, meta events of a wrong size (dropped).

    Args:
        data: The bytes of the file.
        walk: Look at every event; by default if there are at most ``WALK_BYTES``.

    Raises:
        MidiError: This is no MIDI file, or it is broken; the message is the bare reason.
    """
    data = _unwrapped(data)
    kind, division, tracks = _chunks(data)
    ticks, mspq = _clock(division)
    walk = len(data) <= WALK_BYTES if walk is None else walk
    if walk:
        tracks = [_walked(track, f"track {number}") for number, track in enumerate(tracks, 1)]
    groups = [[track] for track in tracks] if kind == 2 else [tracks]
    return Sound(tuple(_file(group, ticks) for group in groups), mspq, walk)


def _unwrapped(data: bytes) -> bytes:
    if not data:
        raise MidiError("is empty (0 bytes)")
    if len(data) > MAX_BYTES:
        raise MidiError(f"is too large: {len(data) / 2**20:,.0f} MB, at most {MAX_BYTES // 2**20} are read")
    if data[:4] == b"MThd":
        return data
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        at = data.find(b"data", 12, 4096)
        if at >= 0 and data[at + 8 : at + 12] == b"MThd":
            return data[at + 8 :]
    at = data.find(b"MThd", 0, 512)  # a MacBinary header, a stray download header
    if at < 0:
        raise MidiError("is no MIDI file: it does not start with MThd")
    return data[at:]


def _chunks(data: bytes) -> tuple[int, int, list[bytes]]:
    """The type, the division and the tracks' bytes."""
    if len(data) < 14:
        raise MidiError("is cut short: the header is incomplete")
    size, kind, _, division = struct.unpack_from(">IHHH", data, 4)
    if size < 6 or size > len(data) - 8:
        raise MidiError(f"has a broken header: it claims {size:,} bytes")
    if kind > 2:
        raise MidiError(f"is of type {kind}: only types 0, 1 and 2 exist")
    tracks: list[bytes] = []
    at = 8 + size
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "big")
        left = len(data) - at - 8
        if name == b"MTrk":
            if size > left:
                raise MidiError(
                    f"is cut short: track {len(tracks) + 1} claims {size:,} bytes and the file has {left:,}"
                )
            if len(tracks) == MAX_TRACKS:
                count = data.count(b"MTrk")
                raise MidiError(f"has about {count:,} tracks; at most {MAX_TRACKS:,} are read")
            tracks.append(data[at + 8 : at + 8 + size])
        elif size > left:
            break  # junk behind the last track
        at += 8 + size
    if not tracks:
        raise MidiError("has no tracks")
    return kind, division, tracks


def _clock(division: int) -> tuple[int, int | None]:
    """Ticks a quarter, and the tempo that goes with them if the file counts film frames."""
    if division & 0x8000:
        rate, ticks = 256 - (division >> 8), division & 0xFF
        if rate not in (24, 25, 29, 30) or not ticks:
            raise MidiError(f"counts time in {ticks} ticks of {rate} frames a second, which does not exist")
        # 29 stands for 30 frames in 1.001 seconds. A quarter of half a second is what sequencers assume; where it is
        # no whole number of ticks, a quarter is a second.
        second = 1_001_000 if rate == 29 else 1_000_000
        ticks *= 30 if rate == 29 else rate
        return (ticks, second) if ticks % 2 else (ticks // 2, second // 2)
    if not division:
        raise MidiError("has no time: it counts 0 ticks a quarter")
    return division, None


def _file(tracks: list[bytes], ticks: int) -> bytes:
    parts = [b"MThd", struct.pack(">IHHH", 6, int(len(tracks) > 1), len(tracks), ticks)]
    for track in tracks:
        parts += [b"MTrk", len(track).to_bytes(4, "big"), track]
    return b"".join(parts)


def _walked(track: bytes, where: str) -> bytes:
    """``track`` with every event checked, mended where need be."""
    try:
        patches, end, tick = _faults(track, where)
    except IndexError:
        raise MidiError(f"is broken: {where} breaks off inside an event") from None
    if tick > MAX_TICKS:
        raise MidiError(f"is absurd: {where} goes on to tick {tick:,}")
    if not patches and end == len(track):
        return track
    parts, at = [], 0
    for start, stop, new in patches:
        parts += [track[at:start], new]
        at = stop
    parts.append(track[at:end])
    return b"".join(parts)


def _faults(track: bytes, where: str) -> tuple[list[tuple[int, int, bytes]], int, int]:
    """Walk over the events of a track.

    Returns:
        Patches (from, to, new bytes) in order; where the track ends, past its end-of-track event; the last tick.

    Raises:
        IndexError: The track ends inside an event.
    """
    patches: list[tuple[int, int, bytes]] = []
    at = tick = running = 0
    fresh = False  # the event before was a channel message, so that running status is beyond doubt
    size = len(track)
    while at < size:
        byte = track[at]
        at += 1
        if byte < 0x80:
            tick += byte
        else:
            delta, at = _number(track, at - 1, where)
            tick += delta
        start = at
        status = track[at]
        if status < 0x80:
            if not running:
                raise MidiError(f"is broken: {where} has data without a command at byte {at:,}")
            status = running
            if not fresh:
                patches.append((at, at, bytes((status,))))
        else:
            at += 1
        if status < 0xF0:
            running, fresh = status, True
            if 0xC0 <= status < 0xE0:
                if track[at] > 127:
                    patches.append((at, at + 1, b"\x7f"))
                at += 1
            else:
                if track[at + 1] > 127 or track[at] > 127:
                    patches.append((at, at + 2, bytes(min(value, 127) for value in track[at : at + 2])))
                at += 2
            continue
        fresh = False
        if status == 0xFF:
            kind = track[at]
            length, at = _number(track, at + 1, where)
            body = track[at : at + length]
            at += length
            if at > size:
                raise IndexError
            if kind == 0x2F:
                return patches, at, tick
            if (new := _mended_meta(kind, body)) is not None:
                patches.append((start, at, new))
        elif status in (0xF0, 0xF7):
            length, at = _number(track, at, where)
            at += length
        elif status in (0xF4, 0xF5, 0xF9, 0xFD):
            raise MidiError(f"is broken: {where} has the unknown command {status:#04x} at byte {start:,}")
        else:  # realtime and system common messages have no place in a file
            at += _SYSTEM_SIZE.get(status, 0)
            patches.append((start, at, _NOTHING))
        if at > size:
            raise IndexError
    patches.append((size, size, _END))
    return patches, size, tick


def _number(track: bytes, at: int, where: str) -> tuple[int, int]:
    """A number of variable length (at most four bytes) and where it ends."""
    value = 0
    for place in range(at, at + 4):
        byte = track[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    raise MidiError(f"is broken: {where} has a number of more than four bytes at byte {at:,}")


def _mended_meta(kind: int, body: bytes) -> bytes | None:
    """What has to stand for a meta event, None if it is well as it is."""
    if kind < 0x10:
        if kind == 0 or body.isascii():
            return None
        try:
            body.decode("utf-8")
        except UnicodeDecodeError:
            return _meta(kind, body.decode("cp1252", "replace").encode("utf-8"))
        return None
    well = (
        (len(body) == 3 and any(body))
        if kind == 0x51
        else (len(body) == 4 and body[0] > 0 and body[1] <= 7)
        if kind == 0x58
        else (len(body) == 2 and (body[0] + 7) % 256 <= 14 and body[1] <= 1)
        if kind == 0x59
        else kind < 0x80
    )
    return None if well else _NOTHING


def _meta(kind: int, body: bytes) -> bytes:
    size, left = [len(body) & 0x7F], len(body) >> 7
    while left:
        size.insert(0, left & 0x7F | 0x80)
        left >>= 7
    return bytes((0xFF, kind, *size)) + body
