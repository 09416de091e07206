"""MIDI files that are nearly right: mutations that know the grammar of the format, for fuzzing.

A file is taken apart as far as it goes, without a line of toccata's own code: header fields, chunks with the size they
claim, events with their delta times. Each mutation changes one of these, so that what comes out is mostly well formed
and wrong in one place, or right in an unusual way. The same generator state gives the same file.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

LONGEST = 48_000
"""Files that would be larger are cut: fuzzing is for odd files, not for large ones."""
_TIMES = (0, 0, 1, 1, 24, 96, 120, 480, 1920, 0x7F, 0x80, 0x3FFF, 0x4000, 0x1FFFFF, 0x200000, 0xFFFFFFF)
_DIVISIONS = (1, 2, 24, 96, 120, 480, 960, 0x7FFF, 0, 0xE728, 0xE250, 0xE764, 0xE301, 0xE800, 0x8000, 0xFFFF)
_SIZES = (0, 1, 2, 7, 0x7F, 0x80, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_METAS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x0F, 0x20, 0x21, 0x2F, 0x51, 0x54, 0x58, 0x59, 0x60, 0x7F, 0x80, 0xFF)
_WELL = {0x51: 3, 0x54: 5, 0x58: 4, 0x59: 2, 0x20: 1, 0x21: 1, 0: 2, 0x2F: 0}


def number(value: int) -> bytes:
    """A number of variable length."""
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


@dataclass
class Chunk:
    """A chunk: its name, its events (delta time and bytes each), and by how much its size is a lie.

    Attributes:
        claims: The size it claims; None: the one it has.
    """

    name: bytes
    events: list[tuple[bytes, bytes]] = field(default_factory=list)
    claims: int | None = None

    def __bytes__(self) -> bytes:
        body = b"".join(delta + data for delta, data in self.events)
        size = len(body) if self.claims is None else self.claims
        return self.name + (size & 0xFFFFFFFF).to_bytes(4, "big") + body


@dataclass
class File:
    """A file taken apart.

    Attributes:
        header: Size, type, number of tracks and division, as the header says them.
        chunks: What comes after it.
        before: Bytes before the header.
        behind: Bytes behind the last chunk.
    """

    header: list[int]
    chunks: list[Chunk]
    before: bytes = b""
    behind: bytes = b""

    def __bytes__(self) -> bytes:
        size, *fields = self.header
        head = b"MThd" + size.to_bytes(4, "big") + b"".join(f.to_bytes(2, "big") for f in fields)
        return self.before + head + b"".join(map(bytes, self.chunks)) + self.behind


def taken_apart(data: bytes) -> File:
    """A file as parts, what cannot be understood as one event."""
    at = max(0, data.find(b"MThd"))
    head = data[at : at + 14].ljust(14, b"\0")
    fields = [int.from_bytes(head[4:8], "big"), *(int.from_bytes(head[i : i + 2], "big") for i in (8, 10, 12))]
    out = File(fields, [], data[:at])
    at += 14
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        body = data[at + 8 : at + 8 + size]
        out.chunks.append(Chunk(data[at : at + 4], _events(body), None if len(body) == size else size))
        at += 8 + size
    out.behind = data[at:]
    return out


def _events(body: bytes) -> list[tuple[bytes, bytes]]:
    events, at, running = [], 0, 0
    while at < len(body):
        start = at
        try:
            at = _past_number(body, at)
            first = at
            status = body[at] if body[at] >= 0x80 else running
            at += body[at] >= 0x80
            if status in (0xFF, 0xF0, 0xF7):
                at += status == 0xFF
                begin = _past_number(body, at)
                at = begin + _value(body[at:begin])
            elif status >= 0xF0:
                at += {0xF1: 1, 0xF2: 2, 0xF3: 1}.get(status, 0)
            else:
                at += 1 if status & 0xE0 == 0xC0 else 2
                running = status
        except IndexError:
            at, first = len(body), len(body)
        at = min(max(at, start + 1), len(body))
        events.append((body[start : min(first, at)], body[min(first, at) : at]))
    return events


def _past_number(body: bytes, at: int) -> int:
    while body[at] >= 0x80:
        at += 1
    return at + 1


def _value(data: bytes) -> int:
    value = 0
    for byte in data:
        value = value << 7 | byte & 0x7F
    return value


# -- mutations -----------------------------------------------------------------------------------------------------


def mutated(dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of ``seeds``, changed in one to eight places."""
    data = dice.choice(seeds)
    for _ in range(min(8, 1 + int(dice.expovariate(0.6)))):
        if dice.random() < 0.8:
            file = taken_apart(data)
            dice.choice(_GRAMMAR)(dice, file)
            if dice.random() < 0.05:
                _spliced(dice, file, taken_apart(dice.choice(seeds)))
            data = bytes(file)[:LONGEST]
        else:
            data = dice.choice(_BYTES)(dice, data)[:LONGEST]
    return data


def _track(dice: random.Random, file: File) -> list[tuple[bytes, bytes]]:
    """The events of some chunk; of a new one where there is none."""
    if not file.chunks:
        file.chunks.append(Chunk(b"MTrk"))
    return dice.choice(file.chunks).events


def _place(dice: random.Random, events: list[tuple[bytes, bytes]]) -> int:
    return dice.randrange(len(events)) if events else 0


def random_event(dice: random.Random) -> bytes:
    """Any event at all, most of them possible."""
    kind = dice.random()
    if kind < 0.35:
        status = dice.choice((0x80, 0x90, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0)) | dice.choice((0, 0, 1, 9, 15))
        data = bytes(dice.choice((0, 1, 60, 64, 127, dice.randrange(256))) for _ in range(1 + (status & 0xE0 != 0xC0)))
        return (bytes((status,)) if dice.random() < 0.8 else b"") + data
    if kind < 0.7:
        meta = dice.choice(_METAS)
        size = _WELL.get(meta, 3) if dice.random() < 0.5 else dice.choice((0, 1, 2, 3, 4, 5, 6, 9, 130))
        body = dice.randbytes(size) if dice.random() < 0.7 else b"\xff" * size
        size_bytes = number(size) if dice.random() < 0.8 else number(dice.choice(_SIZES) & 0xFFFFFFF)
        return bytes((0xFF, meta)) + size_bytes + body
    if kind < 0.92:
        body = dice.choice((b"", b"\xf7", b"\x7e\x7f\x09\x01\xf7", b"\x90\x3c\x40", b"\xff\x2f\x00", dice.randbytes(5)))
        size_bytes = number(len(body)) if dice.random() < 0.8 else number(dice.choice(_SIZES) & 0xFFFFFFF)
        return bytes((dice.choice((0xF0, 0xF7)),)) + size_bytes + body
    return bytes((dice.randrange(0xF1, 0xFF),)) + dice.randbytes(dice.randrange(3))


def _delta(dice: random.Random) -> bytes:
    """A delta time, now and then written in more bytes than it needs or may have."""
    plain = number(dice.choice(_TIMES))
    return plain if dice.random() < 0.9 else b"\x80" * dice.randrange(1, 6) + plain


def _inserted(dice: random.Random, file: File) -> None:
    events = _track(dice, file)
    events.insert(_place(dice, events), (_delta(dice), random_event(dice)))


def _deleted(dice: random.Random, file: File) -> None:
    events = _track(dice, file)
    if events:
        del events[_place(dice, events)]


def _repeated(dice: random.Random, file: File) -> None:
    events = _track(dice, file)
    if events:
        at = _place(dice, events)
        some = events[at : at + dice.choice((1, 1, 2, 8))]
        events[at:at] = some * dice.choice((1, 1, 2, 20, 300))


def _swapped(dice: random.Random, file: File) -> None:
    events = _track(dice, file)
    if events:
        one, other = _place(dice, events), _place(dice, events)
        events[one], events[other] = events[other], events[one]


def _retimed(dice: random.Random, file: File) -> None:
    events = _track(dice, file)
    if events:
        at = _place(dice, events)
        events[at] = (_delta(dice), events[at][1])


def _restated(dice: random.Random, file: File) -> None:
    """Another status, or none: running status."""
    events = _track(dice, file)
    if events:
        at = _place(dice, events)
        delta, data = events[at]
        status = b"" if dice.random() < 0.5 else bytes((dice.randrange(0x80, 0x100),))
        events[at] = (delta, status + data[data[:1] >= b"\x80" :])


def _resized(dice: random.Random, file: File) -> None:
    """Another length of a meta or sysex event, its bytes as they are."""
    events = _track(dice, file)
    sized = [n for n, (_, data) in enumerate(events) if data[:1] in (b"\xff", b"\xf0", b"\xf7") and len(data) > 2]
    if sized:
        at = dice.choice(sized)
        delta, data = events[at]
        head = 2 if data[0] == 0xFF else 1
        size_bytes = number(max(0, data[head] + dice.choice((-1, 1, -data[head], 3, 1 << 20, (1 << 28) - 200))))
        events[at] = (delta, data[:head] + size_bytes + data[head + 1 :])


def _redone(dice: random.Random, file: File) -> None:
    """Another data byte."""
    events = _track(dice, file)
    if events:
        at = _place(dice, events)
        delta, data = events[at]
        if data:
            place = dice.randrange(len(data))
            value = dice.choice((0, 0x7F, 0x80, 0xFF, data[place] ^ 1 << dice.randrange(8)))
            events[at] = (delta, data[:place] + bytes((value,)) + data[place + 1 :])


def _reheaded(dice: random.Random, file: File) -> None:
    field_ = dice.randrange(4)
    file.header[field_] = (
        dice.choice((6, 6, 0, 5, 7, 8, 14, 255, 0xFFFFFFFF)),
        dice.choice((0, 1, 2, 2, 3, 0xFFFF)),
        dice.choice((0, 1, len(file.chunks), len(file.chunks) + 1, 0xFFFF)),
        dice.choice((*_DIVISIONS, dice.randrange(0x10000))),
    )[field_]


def _rechunked(dice: random.Random, file: File) -> None:
    """A chunk with another name or size, once more, elsewhere, without its end, or empty."""
    if not file.chunks:
        return
    at = dice.randrange(len(file.chunks))
    chunk = file.chunks[at]
    match dice.randrange(6):
        case 0:
            chunk.claims = max(0, len(bytes(chunk)) - 8 + dice.choice((-9, -4, -1, 1, 4, 8, 100)))
        case 1:
            chunk.claims = dice.choice(_SIZES)
        case 2:
            chunk.name = dice.choice((b"MTrk", b"MThd", b"XFIH", b"mtrk", b"\0\0\0\0", dice.randbytes(4)))
        case 3:
            copy = Chunk(chunk.name, list(chunk.events), chunk.claims)
            file.chunks[at:at] = [copy] * dice.choice((1, 1, 3, 40))
        case 4:
            chunk.events = chunk.events[: _place(dice, chunk.events)]
        case _:
            file.chunks.insert(dice.randrange(len(file.chunks) + 1), file.chunks.pop(at))


def _wrapped(dice: random.Random, file: File) -> None:
    """RIFF or MacBinary before it, junk behind it."""
    inside = bytes(file)
    match dice.randrange(4):
        case 0:
            size = len(inside) + dice.choice((0, 0, 1, -1, 1000))
            file.before = b"RIFF" + (size + 12).to_bytes(4, "little") + b"RMIDdata" + max(0, size).to_bytes(4, "little")
        case 1:
            file.before = dice.randbytes(dice.choice((1, 127, 128, 511, 512)))
        case 2:
            file.behind = dice.randbytes(dice.randrange(1, 40))
        case _:
            file.behind = b"MTrk" + dice.randbytes(dice.randrange(1, 20))


def _spliced(dice: random.Random, file: File, other: File) -> None:
    """Events or chunks of another file."""
    if file.chunks and other.chunks and dice.random() < 0.5:
        mine, theirs = _track(dice, file), _track(dice, other)
        mine[_place(dice, mine) :] = theirs[_place(dice, theirs) :]
    else:
        file.chunks += other.chunks[:4]


def _flipped(dice: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 8))):
        if out:
            out[dice.randrange(len(out))] ^= 1 << dice.randrange(8)
    return bytes(out)


def _overwritten(dice: random.Random, data: bytes) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.randbytes(dice.choice((1, 2, 4))) + data[at + dice.choice((0, 1, 4)) :]


def _cut_short(dice: random.Random, data: bytes) -> bytes:
    return data[: dice.randrange(len(data) + 1)]


def _cut_out(dice: random.Random, data: bytes) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + data[at + dice.choice((1, 2, 3, 8, 50)) :]


def _doubled(dice: random.Random, data: bytes) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + data[at : at + dice.choice((1, 2, 8, 60))] * 2 + data[at:]


_GRAMMAR = (
    _inserted, _inserted, _inserted, _deleted, _repeated, _swapped, _retimed, _retimed, _restated, _restated, _resized,
    _resized, _redone, _redone, _reheaded, _rechunked, _wrapped,
)  # fmt: skip
_BYTES = (_flipped, _flipped, _overwritten, _cut_short, _cut_out, _doubled)


# -- seeds ---------------------------------------------------------------------------------------------------------


def built_seeds() -> list[bytes]:
    """Small files that use what the format has, each in its own way."""
    notes = b"".join(bytes((0, 0x90, 60 + n, 80, 0x60, 0x80, 60 + n, 64)) for n in range(8))
    running = b"\x00\x90\x3c\x50" + b"\x30\x3c\x00\x00\x3e\x50\x30\x3e\x00\x00\x40\x50\x30\x40\x00"
    maps = b"\x00\xff\x51\x03\x07\xa1\x20\x00\xff\x58\x04\x03\x02\x18\x08\x00\xff\x59\x02\xfd\x01"
    words = b"\x00\xff\x03\x05Piano\x00\xff\x04\x05Grand\x00\xff\x01\x04caf\xe9\x00\xff\x05\x02la\x10\xff\x06\x01A"
    sysex = b"\x00\xf0\x05\x7e\x7f\x09\x01\xf7\x00\xf0\x03\x43\x12\x00\x60\xf7\x02\x01\xf7\x00\xf7\x03\x90\x3c\x40"
    controls = b"\x00\xb0\x00\x01\x00\xb0\x20\x02\x00\xc0\x28\x00\xb0\x40\x7f\x60\xb0\x40\x00"
    controls += b"\x00\xe0\x00\x50\x00\xd0\x20"
    drums = b"\x00\xc9\x00" + b"".join(bytes((0, 0x99, p, 90, 24, 0x89, p, 0)) for p in (36, 42, 38, 42))
    end = b"\x00\xff\x2f\x00"

    def file(*tracks: bytes, kind: int = 1, division: int = 96) -> bytes:
        chunks = (b"MTrk" + len(t).to_bytes(4, "big") + t for t in tracks)
        head = b"".join(f.to_bytes(2, "big") for f in (kind, len(tracks), division))
        return b"MThd\0\0\0\x06" + head + b"".join(chunks)

    plain = file(maps + notes + end, kind=0)
    return [
        plain,
        file(maps + end, words + notes + end, controls + running + end),
        file(maps + words + sysex + controls + notes + drums + end, kind=0),
        file(sysex + notes + end, sysex + running + end),
        file(maps + notes + end, maps + running + end, drums + end, kind=2),
        file(notes + end, kind=0, division=0xE728),
        file(notes + end, kind=1, division=1),
        file(running + b"\x00\xff\x01\x00\x00\x43\x50\x30\x43\x00"),  # running status goes on after a text
        file(notes, running + b"\x00\xff\x2f\x00" + notes),
        file(
            maps + end, b"\x00\xff\x21\x01\x00\x00\xff\x20\x01\x03" + notes + end, controls + notes + end, drums + end
        ),
        b"RIFF" + (len(plain) + 12).to_bytes(4, "little") + b"RMIDdata" + len(plain).to_bytes(4, "little") + plain,
        plain + b"XFIH\0\0\0\x02ab",
    ]
