"""The parts of a journal: its records, the names of its files, and the places of the pieces' bytes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.corpus.columns import DIGEST

RECORD = np.dtype(
    [
        ("name", "<u8"), ("size", "<i8"), ("mtime", "<i8"), ("content", "<u8"), ("steps", "<u8"),
        ("midi", f"V{DIGEST}"), ("notes", "<u4"), ("bars", "<u4"), ("seconds", "<f8"), ("shard", "<u4"),
        ("length", "<u4"), ("offset", "<u8"), ("marks", "<u4"), ("path", "<u4"), ("at", "<u8"), ("reason", "<u4"),
        ("passages", "<u4"), ("sketch", "<u4"), ("is_piece", "<u4"), ("check", "<u8"),
    ]
)  # fmt: skip
"""``name``: the hash of the path. ``size`` and ``mtime``: of the file, to tell whether it changed. ``content`` to
``seconds``: of the piece, see ``corpus.columns``. ``shard``, ``offset``, ``length``: where its bytes lie. ``marks``,
``at``: the file and the place of the marks; of these ``path`` and ``reason`` are the lengths in bytes, ``passages`` and
``sketch`` the numbers of hashes."""

FAILED, PIECE, UNAVAILABLE = 0, 1, 2
"""Values of ``is_piece``: the file cannot be used; it is a piece; it could not be read at that time."""
Records = NDArray[Any]
Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
CHECKED = RECORD.itemsize - 8
"""Bytes of a record that its checksum is of, besides the marks."""
_FEW = 2**16  # digests that are held as Python objects


@dataclass(frozen=True)
class Read:
    """The content of a file that was read.

    Attributes:
        content: The number of its content hash.
        steps: The number of the hash of its steps.
        notes: Number of notes.
        bars: Number of bars.
        seconds: Length.
        midi: Its cleaned bytes.
        passages: ``uint64[n]``.
        sketch: ``uint64[m]``.
    """

    content: int
    steps: int
    notes: int
    bars: int
    seconds: float
    midi: bytes
    passages: Hashes = field(repr=False)
    sketch: Hashes = field(repr=False)


class Places:
    """The places of bytes by their digest: in sorted arrays, and only the last few as Python objects."""

    def __init__(self, records: Records) -> None:
        rows = np.flatnonzero(records["is_piece"] == PIECE)
        keys = _keys(records["midi"][rows])
        rows, self._keys = rows[order := np.argsort(keys, kind="stable")], keys[order]
        self._places = np.stack([records[name][rows].astype(np.int64) for name in ("shard", "offset", "length")], 1)
        self._last: dict[int, tuple[int, int, int]] = {}

    def get(self, digest: str) -> tuple[int, int, int] | None:
        """The shard, the offset and the length; None: unknown. Digests are compared by half their bits."""
        key = int.from_bytes(bytes.fromhex(digest)[:8], "little")
        if (place := self._last.get(key)) is not None:
            return place
        at = int(np.searchsorted(self._keys, np.uint64(key)))
        if at < len(self._keys) and int(self._keys[at]) == key:
            shard, offset, length = self._places[at].tolist()
            return shard, offset, length
        return None

    def add(self, digest: str, place: tuple[int, int, int]) -> tuple[int, int, int]:
        """Note where bytes lie; the same again."""
        self._last[int.from_bytes(bytes.fromhex(digest)[:8], "little")] = place
        if len(self._last) >= _FEW:
            keys = np.concatenate([self._keys, np.array(list(self._last), np.uint64)])
            places = np.concatenate([self._places, np.array(list(self._last.values()), np.int64)])
            order = np.argsort(keys, kind="stable")
            self._keys, self._places, self._last = keys[order], places[order], {}
        return place


def name_hash(path: str) -> int:
    """The number by which a journal knows a path: 64 bits of a hash."""
    data = path.encode("utf-8", "backslashreplace")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def marks_name(number: int) -> str:
    """The file name of marks."""
    return f"marks-{number:04d}.bin"


def shards(out: Path) -> dict[int, Path]:
    """The shards in a folder, by number."""
    return _numbered(out, "shard")


def marks_of(out: Path) -> dict[int, Path]:
    """The files of marks in a folder, by number."""
    return _numbered(out, "marks")


def _numbered(out: Path, kind: str) -> dict[int, Path]:
    found = {path: re.fullmatch(rf"{kind}-(\d{{4,}})\.bin", path.name) for path in out.iterdir()}
    return {int(name[1]): path for path, name in sorted(found.items()) if name is not None}


def _keys(digests: NDArray[Any]) -> Hashes:
    """The first half of some digests, as numbers."""
    halves: Hashes = np.ascontiguousarray(digests).view("<u8").reshape(-1, DIGEST // 8)[:, 0]
    return halves


def as_bytes(found: Read) -> bytes:
    return found.passages.astype("<u8").tobytes() + found.sketch.astype("<u8").tobytes()


def checksum(record: bytes, marks: bytes) -> int:
    """The checksum of a record and its marks."""
    data = hashlib.blake2b(record[:CHECKED], digest_size=8)
    data.update(marks)
    return int.from_bytes(data.digest(), "little")
