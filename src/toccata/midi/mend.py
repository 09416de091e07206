"""Standard MIDI files as bytes: check their structure, mend what is harmless, before a native parser sees them.

The parser (symusic) is fast because it trusts its input: a status byte in the wrong place can crash the process. What
leaves this module is a plain file: a six-byte header, the right number of tracks, every event whole and explicit where
the parser guesses, every track ended, every instrument where the parser looks for it.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import dataclass, field

from toccata.errors import MidiError
from toccata.midi.chunks import SYSTEM_BYTES, UNDEFINED, number_at, split
from toccata.midi.instruments import Instruments, selects_drums
from toccata.midi.karaoke import karaoke_words
from toccata.midi.parts import separate
from toccata.midi.smf import MidiFile, track_of, write
from toccata.midi.text import to_text

MAX_TICKS = 2**30
"""The latest tick an event may have; the parser counts in 32 bits."""

_NOTHING = b"\xff\x01\x00"  # an empty text event: stands where something was taken out, so that its delta time stays
_END = b"\x00\xff\x2f\x00"
_TEXT, _PORT, _TRACK_END, _TEMPO, _METER, _KEY = 0x01, 0x21, 0x2F, 0x51, 0x58, 0x59


@dataclass(frozen=True)
class SanitizedMidi:
    """A MIDI file that is safe to parse.

    Attributes:
        files: Type 0 or 1 files; several if the file was of type 2, whose tracks are pieces of their own.
        mspq: Microseconds a quarter if the file counts in film frames, which know no tempo; else None.
        cut_short: What is missing, as the end of a sentence, where the file breaks off in its last track; else empty.
    """

    files: tuple[bytes, ...]
    mspq: int | None
    cut_short: str


@dataclass
class _Walk:
    """The findings of a walk through a track.

    Attributes:
        patches: What has to be replaced: from, to, new bytes.
        end: Where the track ends, past its end-of-track event.
        tick: The last tick.
        statuses: Status bytes of its channel messages.
        programs: Programs by channel, in order.
        initial: By channel, the program that is named before anything sounds there.
        special: Whether something was met that may make drums of a channel or names a port.
        karaoke: Whether a text begins as those of karaoke files do.
        latest: Of tempos, meters and keys the last: its tick, and from where to where it stands.
    """

    patches: list[tuple[int, int, bytes]] = field(default_factory=list)
    end: int = 0
    tick: int = 0
    statuses: set[int] = field(default_factory=set)
    programs: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    initial: dict[int, int] = field(default_factory=dict)
    special: bool = False
    karaoke: bool = False
    latest: dict[int, tuple[int, int, int]] = field(default_factory=dict)


def mend(data: bytes) -> SanitizedMidi:
    """Check ``data`` and mend what can be mended without guessing at the music.

    Mended: a RIFF or other wrapping, wrong track count, wrong track lengths, long header, unknown chunks and junk
    behind the tracks, missing end of track, running status across meta events, data bytes over 127 (clipped), text
    that is not UTF-8 (see `toccata.midi.text`), realtime bytes, meta events of a wrong size (dropped), F7 packets
    (dropped: the parser takes their bytes for events), several tempos, meters or keys of a track at one tick (the last
    holds). Instruments that the parser would miss (see `toccata.midi.instruments`) get tracks of their own.

    Args:
        data: The bytes of the file.

    Raises:
        MidiError: This is no MIDI file, or it is broken; the message is the bare reason.
    """
    chunks = split(data)
    ticks, mspq = _clock(chunks.division)
    walks = [_walk(track, f"track {number}") for number, track in enumerate(chunks.tracks, 1)]
    tracks = [_patched(track, walk) for track, walk in zip(chunks.tracks, walks, strict=True)]
    if chunks.kind == 2:
        groups = [([track], [walk]) for track, walk in zip(tracks, walks, strict=True)]
    else:
        groups = [(tracks, walks)]
    return SanitizedMidi(tuple(_file(*group, ticks) for group in groups), mspq, chunks.cut_short)


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


def _file(tracks: list[bytes], walks: list[_Walk], ticks: int) -> bytes:
    """The tracks as a file in which the parser finds every instrument."""
    karaoke = any(walk.karaoke for walk in walks)
    if karaoke or _may_need_parts(walks):
        parsed = [track_of(track, number) for number, track in enumerate(tracks, 1)]
        instruments = Instruments(parsed)
        if instruments.need_parts or (karaoke and karaoke_words(parsed)):
            return write(MidiFile(1, ticks, separate(parsed, instruments)))
    parts = [b"MThd", struct.pack(">IHHH", 6, int(len(tracks) > 1), len(tracks), ticks)]
    for track in tracks:
        parts += [b"MTrk", len(track).to_bytes(4, "big"), track]
    return b"".join(parts)


def _may_need_parts(walks: list[_Walk]) -> bool:
    """Whether `Instruments.need_parts` can be true: a quick look, that rather says yes than no."""
    if any(walk.special for walk in walks):
        return True
    for channel in range(16):
        sounding = [walk for walk in walks if 0x90 | channel in walk.statuses]
        if not sounding:
            continue
        states = {kind | channel for kind in (0xB0, 0xD0, 0xE0)}
        if any(walk.statuses & states and 0x90 | channel not in walk.statuses for walk in walks):
            return True
        naming = [walk.programs[channel] for walk in walks if channel in walk.programs]
        if any(0xB0 | channel in walk.statuses for walk in walks) and any(len(set(own)) > 1 for own in naming):
            return True  # banks have to find their program
        if naming and len({walk.initial[channel] for walk in walks if channel in walk.initial}) <= 1:
            programs = {program for own in naming for program in own}
            if any(channel not in walk.initial for walk in sounding) and (len(naming) > 1 or len(sounding) > 1):
                return True
            if any(channel not in walk.programs for walk in sounding) or (len(naming) > 1 and len(programs) > 1):
                return True
    return False


def _patched(track: bytes, walk: _Walk) -> bytes:
    if not walk.patches and walk.end == len(track):
        return track
    parts, at = [], 0
    for start, stop, new in sorted(walk.patches):
        parts += [track[at:start], new]
        at = stop
    parts.append(track[at : walk.end])
    return b"".join(parts)


def _walk(track: bytes, where: str) -> _Walk:
    """Check every event of a track."""
    walk = _Walk()
    try:
        _walk_events(track, where, walk)
    except IndexError:
        raise MidiError(f"is broken: {where} breaks off inside an event") from None
    except ValueError as error:
        raise MidiError(f"is broken: {where} has {error}") from None
    if walk.tick > MAX_TICKS:
        raise MidiError(f"is absurd: {where} goes on to tick {walk.tick:,}")
    return walk


def _walk_events(track: bytes, where: str, walk: _Walk) -> None:
    """Fill in ``walk``.

    Raises:
        IndexError: The track ends inside an event.
        ValueError: A number has more than four bytes.
    """
    patches, seen = walk.patches, walk.statuses
    at = tick = running = 0
    fresh = False  # the event before was a channel message, so that running status is beyond doubt
    size = len(track)
    while at < size:
        byte = track[at]
        at += 1
        if byte < 0x80:
            tick += byte
        else:
            delta, at = number_at(track, at - 1)
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
            if status != running:
                seen.add(status)
            running, fresh = status, True
            if 0xC0 <= status < 0xE0:
                if track[at] > 127:
                    patches.append((at, at + 1, b"\x7f"))
                if status < 0xD0:
                    walk.programs[status & 0x0F].append(track[at])
                    if status ^ 0x50 not in seen:
                        walk.initial[status & 0x0F] = track[at]
                at += 1
            else:
                if track[at + 1] > 127 or track[at] > 127:
                    patches.append((at, at + 2, bytes(min(value, 127) for value in track[at : at + 2])))
                at += 2
            continue
        fresh = False
        if status in (0xFF, 0xF0, 0xF7):
            ended, at = _walk_long(track, start, at, tick, walk)
            if ended:
                walk.end, walk.tick = at, tick
                return
        elif status in UNDEFINED:
            raise MidiError(f"is broken: {where} has the unknown command {status:#04x} at byte {start:,}")
        else:  # realtime and system common messages have no place in a file
            at += SYSTEM_BYTES.get(status, 0)
            patches.append((start, at, _NOTHING))
        if at > size:
            raise IndexError
    patches.append((size, size, _END))
    walk.end, walk.tick = size, tick


def _walk_long(track: bytes, start: int, at: int, tick: int, walk: _Walk) -> tuple[bool, int]:
    """Look at a meta or system-exclusive event, which begins at ``start`` and whose status ends at ``at``.

    Returns:
        Whether it ends the track, and where it ends.
    """
    status = track[at - 1]
    kind = track[at] if status == 0xFF else -1
    length, at = number_at(track, at + (status == 0xFF))
    body = track[at : at + length]
    at += length
    if at > len(track):
        raise IndexError
    if kind == _TRACK_END:
        return True, at
    new = _mended_meta(kind, body) if kind >= 0 else _NOTHING if status == 0xF7 else None
    if kind in (_TEMPO, _METER, _KEY) and new is None:
        if kind in walk.latest and walk.latest[kind][0] == tick:
            walk.patches.append((*walk.latest[kind][1:], _NOTHING))
        walk.latest[kind] = (tick, start, at)
    if status == 0xF0:
        walk.special = walk.special or selects_drums(body)
    elif kind == _TEXT:
        walk.karaoke = walk.karaoke or body[:1] == b"@"
    elif kind == _PORT:
        walk.special = True
    if new is not None:
        walk.patches.append((start, at, new))
    return False, at


def _mended_meta(kind: int, body: bytes) -> bytes | None:
    """Return the replacement of a meta event; None if it is valid."""
    if kind < 0x10:
        if kind == 0 or body.isascii():
            return None
        text = to_text(body).encode("utf-8")
        return None if text == body else _meta(kind, text)
    well = (
        (len(body) == 3 and any(body))
        if kind == _TEMPO
        else (len(body) == 4 and body[0] > 0 and body[1] <= 7)
        if kind == _METER
        else (len(body) == 2 and (body[0] + 7) % 256 <= 14 and body[1] <= 1)
        if kind == _KEY
        else kind < 0x80
    )
    return None if well else _NOTHING


def _meta(kind: int, body: bytes) -> bytes:
    size, left = [len(body) & 0x7F], len(body) >> 7
    while left:
        size.insert(0, left & 0x7F | 0x80)
        left >>= 7
    return bytes((0xFF, kind, *size)) + body
