"""What a corpus has read so far: a line a file, and the pieces' bytes in shards. A rerun reads only what is new.

Bytes are written before the line that names them, so a torn end is only forgotten. Each line has the digest of its
piece's bytes; when the journal is opened, lines whose bytes are gone or damaged are forgotten, and their files are read
again.
"""

from __future__ import annotations

import json
import mmap
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from toccata.corpus.store import JOURNAL, piece_digest, shard_name
from toccata.files import write_bytes

SHARD_BYTES = 64 * 2**20
DEAD = 0.5
"""Shards are written anew when what no piece needs any more is this share of what is needed."""

Entry = dict[str, Any]
_REJECTED = {"path", "stamp", "reason"}
_PIECE = {
    "path", "stamp", "content", "steps", "midi", "passages", "sketch", "notes", "bars", "seconds", "shard", "offset",
    "length",
}  # fmt: skip


class Journal:
    """The journal of a corpus, open for going on with.

    Attributes:
        entries: By path below the source what was read of the file, or why it cannot be used.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.path = out / JOURNAL
        self.entries: dict[str, Entry] = {}
        self._places: dict[str, tuple[int, int, int]] = {}  # where bytes lie, by their digest
        self._shard, self._offset = 0, 0
        self._log: BinaryIO | None = None
        self._bytes: BinaryIO | None = None
        if self.path.exists():
            self._recall()

    def _recall(self) -> None:
        """Read what an earlier run wrote; what was torn or damaged is forgotten, in the file too."""
        lines = self.path.read_bytes().splitlines(keepends=True)
        known = [entry for text in lines if (entry := _parsed(text)) is not None]
        self.entries = {entry["path"]: entry for entry in known}
        sizes = {number: path.stat().st_size for number, path in _shards(self.out).items()}
        for entry in known:
            if "shard" in entry and (end := entry["offset"] + entry["length"]) <= sizes.get(entry["shard"], 0):
                # Behind what no piece needs any more, too: whoever has the index of then open may be reading it.
                self._shard, self._offset = max((self._shard, self._offset), (entry["shard"], end))
        with _mapped(self.out) as shards:
            for name, entry in list(self.entries.items()):
                if "shard" in entry and not _is_whole(entry, shards.get(entry["shard"])):
                    del self.entries[name]
        self._places = {e["midi"]: (e["shard"], e["offset"], e["length"]) for e in self.entries.values() if "midi" in e}
        if len(self.entries) < len(lines):
            self._rewrite()

    def _rewrite(self) -> None:
        write_bytes(self.path, b"".join(_line(entry) for entry in self.entries.values()))

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._bytes, self._log):
            if file is not None:
                file.close()
        self._bytes = self._log = None

    def add(self, entry: Entry, data: bytes = b"") -> None:
        """Write down what was read of a file, and its piece's bytes if they are not in a shard already."""
        if data:
            place = self._places.get(entry["midi"])
            if place is None:
                place = self._places[entry["midi"]] = self._append(data)
            entry |= dict(zip(("shard", "offset", "length"), place, strict=True))
        if self._log is None:
            self._log = self.path.open("ab")
        self._log.write(_line(entry))
        self._log.flush()
        self.entries[entry["path"]] = entry

    def _append(self, data: bytes) -> tuple[int, int, int]:
        if self._offset and self._offset + len(data) > SHARD_BYTES:
            self._shard, self._offset = self._shard + 1, 0
            if self._bytes is not None:
                self._bytes.close()
            self._bytes = None
        if self._bytes is None:
            path = self.out / shard_name(self._shard)
            path.touch()
            self._bytes = path.open("r+b")
            self._bytes.truncate(self._offset)
            self._bytes.seek(self._offset)
        self._bytes.write(data)
        self._bytes.flush()
        place = self._shard, self._offset, len(data)
        self._offset += len(data)
        return place

    def compact(self, present: Iterable[str]) -> None:
        """Forget files that are no longer there, and write shards anew that hold much that no piece needs any more.

        The new shards have new numbers, and the journal changes over to them at once: wherever this is interrupted, the
        journal and the index name bytes that are there. The old shards are left for `remove_unused`.
        """
        kept = {name: self.entries[name] for name in present}
        places = {entry["midi"]: entry for entry in kept.values() if "midi" in entry}
        live = sum(entry["length"] for entry in places.values())
        dead = sum(path.stat().st_size for path in _shards(self.out).values()) - live
        if dead <= DEAD * live:
            return
        numbers = _shards(self.out)
        first = max(numbers) + 1
        try:
            moved = self._written_anew(places, first)
        except OSError:  # the disk is too full for it: all is as it was
            for number in set(_shards(self.out)) - set(numbers):
                (self.out / shard_name(number)).unlink(missing_ok=True)
            return
        self.entries = {name: {**entry, **moved.get(entry.get("midi", ""), {})} for name, entry in kept.items()}
        self._rewrite()

    def _written_anew(self, places: Mapping[str, Entry], first: int) -> dict[str, Entry]:
        """Write pieces to shards from number ``first`` on; by digest where they are now."""
        moved: dict[str, Entry] = {}
        number, offset = first, 0
        order = sorted(places.values(), key=lambda entry: (entry["shard"], entry["offset"]))
        with _mapped(self.out) as shards:
            file = (self.out / shard_name(number)).open("wb")
            try:
                for entry in order:
                    if offset and offset + entry["length"] > SHARD_BYTES:
                        _finish(file)
                        number, offset = number + 1, 0
                        file = (self.out / shard_name(number)).open("wb")
                    file.write(shards[entry["shard"]][entry["offset"] : entry["offset"] + entry["length"]])
                    moved[entry["midi"]] = {"shard": number, "offset": offset}
                    offset += entry["length"]
                _finish(file)
            finally:
                file.close()
        return moved

    def remove_unused(self) -> None:
        """Delete the shards that no line names: the index must name none of them."""
        used = {entry["shard"] for entry in self.entries.values() if "shard" in entry}
        for number, path in _shards(self.out).items():
            if number not in used:
                with suppress(OSError):  # where a file that is being read cannot be deleted, the next run does it
                    path.unlink()


def forget(out: Path) -> None:
    """Delete a journal and its shards, the journal first: without it nothing names the rest."""
    (out / JOURNAL).unlink(missing_ok=True)
    for path in _shards(out).values():
        path.unlink()


def _shards(out: Path) -> dict[int, Path]:
    found = {path: re.fullmatch(r"shard-(\d{4,})\.bin", path.name) for path in out.iterdir()}
    return {int(name[1]): path for path, name in sorted(found.items()) if name is not None}


@contextmanager
def _mapped(out: Path) -> Iterator[dict[int, mmap.mmap | bytes]]:
    """The shards, to read from."""
    maps: dict[int, mmap.mmap | bytes] = {}
    try:
        for number, path in _shards(out).items():
            with path.open("rb") as file:
                empty = not os.fstat(file.fileno()).st_size
                maps[number] = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        yield maps
    finally:
        for one in maps.values():
            if isinstance(one, mmap.mmap):
                one.close()


def _parsed(text: bytes) -> Entry | None:
    """A line's entry; None if it is torn, damaged, or of an earlier format."""
    try:
        entry = json.loads(text)
        if not text.endswith(b"\n") or set(entry) not in (_REJECTED, _PIECE) or not isinstance(entry["path"], str):
            return None
        if "shard" in entry and not all(type(entry[k]) is int and entry[k] >= 0 for k in ("shard", "offset", "length")):
            return None
        return dict(entry)
    except (ValueError, TypeError, RecursionError):
        return None


def _is_whole(entry: Entry, shard: mmap.mmap | bytes | None) -> bool:
    """Whether the bytes of an entry are there, as they were written."""
    if shard is None:
        return False
    return piece_digest(shard[entry["offset"] : entry["offset"] + entry["length"]]) == str(entry["midi"])


def _line(entry: Entry) -> bytes:
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def _finish(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
