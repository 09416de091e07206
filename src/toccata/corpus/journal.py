"""The journal of a corpus: a record per file read, and the pieces' bytes in shards. A rerun reads only new files.

journal.bin      records of fixed width (``RECORD``), one a file read, in the order they were done; the last one counts
marks-0000.bin   what is not of fixed width: paths, reasons, and the hashes by which relatives are known
shard-0000.bin   the pieces' bytes

Bytes are written before the record that names them, so a torn end is only forgotten. Each record has a checksum of
itself and of its marks, and the digest of its piece's bytes. When the journal is opened, files without a known stamp
are read and checked; records whose bytes are missing or damaged are dropped, and their files are read again.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from toccata.corpus.records import (
    CHECKED,
    FAILED,
    PIECE,
    RECORD,
    UNAVAILABLE,
    Hashes,
    Ints,
    Places,
    Read,
    Records,
    as_bytes,
    checksum,
    marks_name,
    marks_of,
    name_hash,
    shards,
)
from toccata.corpus.store import JOURNAL, piece_digest, shard_name
from toccata.files import written_aside

SHARD_BYTES = 64 * 2**20
DEAD = 0.5
"""Shards are written anew when what no piece needs any more is this share of what is needed."""

_BLOCK = 2048  # records whose marks are read at a time


class Journal:
    """The journal of a corpus, open for going on with.

    Args:
        out: The folder of the corpus.
        vouched: Names of files in it that are as a finished run left them, so that they need not be checked.

    Attributes:
        records: ``RECORD[n]``, mapped into memory, up to the last call of `refresh`.
    """

    def __init__(self, out: Path, vouched: Collection[str] = ()) -> None:
        self.out, self.path = out, out / JOURNAL
        self._files = ExitStack()
        self._log: BinaryIO | None = None
        self._bytes: BinaryIO | None = None
        self._marks: BinaryIO | None = None
        self._shard, self._offset, self._marks_number = 0, 0, 0
        self.refresh()
        self._recall(vouched)
        self._places = Places(self.records)

    def refresh(self) -> None:
        """Map what has been written so far."""
        count = self.path.stat().st_size // RECORD.itemsize if self.path.is_file() else 0
        self.records: Records = np.empty(0, RECORD)
        if count:
            self.records = np.asarray(np.memmap(self.path, RECORD, "r", shape=(count,)))

    def _recall(self, vouched: Collection[str]) -> None:
        """See what an earlier run wrote; what was torn or damaged is forgotten, in the file too."""
        whole = np.ones(len(self.records), bool)
        marks = np.unique(self.records["marks"]).tolist() if len(self.records) else []
        if not {JOURNAL, *map(marks_name, marks)} <= set(vouched):
            for row, (record, text) in enumerate(self._with_marks(np.arange(len(self.records)))):
                whole[row] = text is not None and checksum(record, text) == int.from_bytes(record[CHECKED:], "little")
        pieces = np.flatnonzero(whole & (self.records["is_piece"] == PIECE))
        ends = self.records["offset"][pieces] + self.records["length"][pieces]
        numbers = self.records["shard"][pieces]
        for number, path in sorted(shards(self.out).items(), reverse=True):
            here = ends[(numbers == number) & (ends <= path.stat().st_size)]
            if len(here):
                # Also behind bytes that no piece needs any more: a process with an old index open may be reading them.
                self._shard, self._offset = number, int(here.max())
                break
        self._marks_number = max([0, *marks_of(self.out)])
        if not {shard_name(number) for number in np.unique(numbers).tolist()} <= set(vouched):
            self._check_pieces(whole, set(vouched))
        torn = self.path.is_file() and self.path.stat().st_size != len(self.records) * RECORD.itemsize
        if torn or not whole.all():
            valid = self.records[whole]
            with written_aside(self.path) as aside, aside.open("wb") as file:
                file.write(valid.tobytes())
                _finish(file)
            self.refresh()

    def _check_pieces(self, whole: NDArray[np.bool_], vouched: set[str]) -> None:
        """Strike out records of pieces whose bytes are not in a shard as they were written."""
        files = shards(self.out)
        rows = np.flatnonzero(whole & (self.records["is_piece"] == PIECE))
        rows = rows[np.lexsort((self.records["offset"][rows], self.records["shard"][rows]))]
        for number in np.unique(self.records["shard"][rows]).tolist():
            if shard_name(number) in vouched:
                continue
            mine = rows[self.records["shard"][rows] == number]
            if number not in files:
                whole[mine] = False
                continue
            with files[number].open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                for row in mine.tolist():
                    record = self.records[row]
                    offset, length = int(record["offset"]), int(record["length"])
                    if offset + length > size:
                        whole[row] = False
                        continue
                    file.seek(offset)
                    whole[row] = piece_digest(file.read(length)) == record["midi"].tobytes().hex()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._bytes, self._marks, self._log):
            if file is not None:
                file.close()
        self._bytes = self._marks = self._log = None

    def add(self, path: str, stamp: tuple[int, int], found: Read | str, *, unavailable: bool = False) -> None:
        """Write down what was read of a file, or why it cannot be used.

        A piece's bytes are stored if they are not in a shard already.

        Args:
            path: The file's, as the index has it.
            stamp: Its size and time.
            found: What was read, or the reason.
            unavailable: Whether the reason may pass.
        """
        record = np.zeros((), RECORD)
        record["name"], record["size"], record["mtime"] = name_hash(path), *stamp
        record["is_piece"] = UNAVAILABLE if unavailable else FAILED if isinstance(found, str) else PIECE
        reason, hashes = (found, b"") if isinstance(found, str) else ("", as_bytes(found))
        text = path.encode("utf-8", "backslashreplace"), reason.encode("utf-8", "backslashreplace")
        record["path"], record["reason"] = map(len, text)
        if isinstance(found, Read):
            digest = piece_digest(found.midi)
            place = self._places.get(digest) or self._places.add(digest, self._append(found.midi))
            record["shard"], record["offset"], record["length"] = place
            record["midi"] = np.void(bytes.fromhex(digest))
            for name in ("content", "steps", "notes", "bars", "seconds"):
                record[name] = getattr(found, name)
            record["passages"], record["sketch"] = len(found.passages), len(found.sketch)
        written = b"".join(text)
        data = written + b"\0" * (-len(written) % 8) + hashes
        record["marks"], record["at"] = self._append_marks(data)
        record["check"] = checksum(record.tobytes(), data)
        if self._log is None:
            self._log = self.path.open("ab")
        self._log.write(record.tobytes())
        self._log.flush()

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

    def _append_marks(self, data: bytes) -> tuple[int, int]:
        if self._marks is None:
            self._marks = (self.out / marks_name(self._marks_number)).open("ab")
            self._marks.seek(0, os.SEEK_END)
            self._marks.write(b"\0" * (-self._marks.tell() % 8))
        at = self._marks.tell()
        self._marks.write(data)
        self._marks.flush()
        return self._marks_number, at

    def rows(self, names: Hashes, sizes: Ints, mtimes: Ints) -> Ints:
        """The number of the record of each file of these names; -1 where there is none, or the file has changed."""
        if not len(self.records):
            return np.full(len(names), -1, np.int64)
        known = self.records["name"]
        order = np.argsort(known, kind="stable")
        at = np.searchsorted(known[order], names, side="right") - 1
        rows = order[np.maximum(at, 0)]
        same = (at >= 0) & (known[rows] == names)
        same &= (self.records["size"][rows] == sizes) & (self.records["mtime"][rows] == mtimes)
        found: Ints = np.where(same, rows, -1)
        return found

    def unavailable(self, rows: Ints) -> NDArray[np.bool_]:
        """Which of some records are of files that could not be read at that time; -1 is none."""
        if not len(self.records):
            return np.zeros(len(rows), bool)
        found: NDArray[np.bool_] = (rows >= 0) & (self.records["is_piece"][rows] == UNAVAILABLE)
        return found

    def compact(self, rows: Ints) -> Ints:
        """Forget files that are no longer there, and write anew what holds much that no piece needs any more.

        The new shards and marks have new numbers, and the journal changes over to them at once: wherever this is
        interrupted, the journal and the index name bytes that are there. The old ones are left for `remove_unused`.

        Args:
            rows: The records of the files that are there.

        Returns:
            The same records, by their numbers from now on.
        """
        pieces = rows[self.records["is_piece"][rows] == PIECE]
        _, first, back = np.unique(self.records["midi"][pieces].view("S16"), return_index=True, return_inverse=True)
        unique = pieces[first]
        live = int(self.records["length"][unique].sum(dtype=np.int64))
        dead = sum(path.stat().st_size for path in shards(self.out).values()) - live
        is_thin = dead > DEAD * live
        if not is_thin and len(self.records) <= 2 * len(rows):
            return rows
        before = {*shards(self.out).values(), *marks_of(self.out).values()}
        try:
            records = self.records[rows]
            if is_thin:
                places = self._written_anew(unique)[back]
                of_pieces = np.flatnonzero(records["is_piece"] == PIECE)
                records["shard"][of_pieces], records["offset"][of_pieces] = places[:, 0], places[:, 1]
            self._rewrite(rows, records)
        except OSError:  # the disk is too full for it: all is as it was
            for path in {*shards(self.out).values(), *marks_of(self.out).values()} - before:
                path.unlink(missing_ok=True)
            return rows
        self.refresh()
        return np.arange(len(rows))

    def _written_anew(self, rows: Ints) -> Ints:
        """Write pieces to shards of new numbers; of each the shard and the offset that it has now, ``int64[n, 2]``."""
        found = np.zeros((len(rows), 2), np.int64)
        number, offset = max(shards(self.out), default=-1) + 1, 0
        where = {name: self.records[name][rows] for name in ("shard", "offset", "length")}
        file, source, opened = (self.out / shard_name(number)).open("wb"), None, -1
        try:
            for place in np.lexsort((where["offset"], where["shard"])).tolist():
                shard, start, length = (int(where[name][place]) for name in ("shard", "offset", "length"))
                if shard != opened:
                    if source is not None:
                        source.close()
                    source, opened = (self.out / shard_name(shard)).open("rb"), shard
                if offset and offset + length > SHARD_BYTES:
                    _finish(file)
                    number, offset = number + 1, 0
                    file = (self.out / shard_name(number)).open("wb")
                assert source is not None
                source.seek(start)
                file.write(source.read(length))
                found[place] = number, offset
                offset += length
            _finish(file)
        finally:
            file.close()
            if source is not None:
                source.close()
        return found

    def _rewrite(self, rows: Ints, records: Records) -> None:
        """Write a journal of some records, with marks of a new number."""
        number, at = max(marks_of(self.out), default=-1) + 1, 0
        with (self.out / marks_name(number)).open("wb") as file:
            for place, (_, text) in enumerate(self._with_marks(rows)):
                data = text or b""
                file.write(data)
                records["marks"][place], records["at"][place] = number, at
                records["check"][place] = checksum(records[place].tobytes(), data)
                at += len(data)
            _finish(file)
        with written_aside(self.path) as aside, aside.open("wb") as file:
            file.write(records.tobytes())
            _finish(file)

    def remove_unused(self) -> None:
        """Delete the shards and marks that no record names: the index must name none of them."""
        used = set(np.unique(self.records["shard"][self.records["is_piece"] == PIECE]).tolist())
        marks = set(np.unique(self.records["marks"]).tolist())
        unused = [path for number, path in shards(self.out).items() if number not in used]
        unused += [path for number, path in marks_of(self.out).items() if number not in marks]
        for path in unused:
            with suppress(OSError):  # where a file that is being read cannot be deleted, the next run does it
                path.unlink()

    def texts(self, rows: Ints) -> Iterator[tuple[str, str]]:
        """The path of each record, and the reason why its file cannot be used; in the order of ``rows``."""
        paths, reasons = self.records["path"], self.records["reason"]
        for row, (_, text) in zip(rows.tolist(), self._with_marks(rows, text_only=True), strict=True):
            data, end = text or b"", int(paths[row])
            yield data[:end].decode(), data[end : end + int(reasons[row])].decode()

    def marks(self, rows: Ints) -> Iterator[tuple[Hashes, Hashes]]:
        """The passages and the sketch of each record."""
        sizes = np.stack([self.records["passages"][rows], self.records["sketch"][rows]], axis=1).astype(np.int64)
        for (passages, sketch), (_, data) in zip(sizes.tolist(), self._with_marks(rows), strict=True):
            hashes = np.frombuffer((data or b"")[-8 * (passages + sketch) or len(data or b"") :], "<u8")
            yield hashes[:passages], hashes[passages:]

    def _with_marks(self, rows: Ints, *, text_only: bool = False) -> Iterator[tuple[bytes, bytes | None]]:
        """Some records as bytes, each with its marks; None where these are not there. Read block by block."""
        for first in range(0, len(rows), _BLOCK):
            block = self.records[rows[first : first + _BLOCK]]
            sizes = block["path"].astype(np.int64) + block["reason"]
            if not text_only:
                sizes += -sizes % 8 + 8 * (block["passages"].astype(np.int64) + block["sketch"])
            found: list[bytes | None] = [None] * len(block)
            for number in np.unique(block["marks"]).tolist():
                path = self.out / marks_name(number)
                if not path.is_file():
                    continue
                mine = np.flatnonzero(block["marks"] == number)
                with path.open("rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    for place in mine[np.argsort(block["at"][mine], kind="stable")].tolist():
                        at, length = int(block["at"][place]), int(sizes[place])
                        if at + length <= size:
                            if at != file.tell():
                                file.seek(at)
                            found[place] = file.read(length)
            yield from zip((record.tobytes() for record in block), found, strict=True)


def forget(out: Path) -> None:
    """Delete a journal and its shards, the journal first: without it nothing names the rest."""
    (out / JOURNAL).unlink(missing_ok=True)
    for path in (*shards(out).values(), *marks_of(out).values()):
        path.unlink()


def _finish(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
