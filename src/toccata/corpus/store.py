"""A corpus on disk: the cleaned pieces as MIDI bytes in a few large files, and an index of them.

index.bin        the index as columns (``corpus.columns``): where the bytes of each piece lie, its notes, style, split
shard-0000.bin   MIDI bytes, one piece after another; the index has their digests, and what is read is checked
left-out.jsonl   one line a file that is no piece of it: it cannot be used, or another one holds the same music
corpus.json      format, options, counts, digest; written last, so a folder without it is not finished
journal.bin, marks-0000.bin, prepared.json   what a rerun need not read again (``corpus.journal``)
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.corpus.columns import DIGEST, SPLITS, Columns, CorpusEntry, Split, as_text
from toccata.errors import CorpusError
from toccata.files import read_json

__all__ = ["SPLITS", "Corpus", "CorpusEntry", "Split", "piece_digest", "shard_name"]

FORMAT = 4
FORMATS = (2, 3)
"""Older formats, which `prepare` converts."""
CORPUS, INDEX, LEFT_OUT = "corpus.json", "index.bin", "left-out.jsonl"
JOURNAL, PREPARED = "journal.bin", "prepared.json"
PIECES = "pieces.jsonl"
"""The index of formats 2 and 3."""
VERIFIED = 20_000
"""The most pieces that are read to verify a corpus before a training."""

_LARGEST = 512 << 20  # bytes of corpus.json: in format 3, what was left out of a million files was in it
_CHUNK = 2**16  # numbers that are made Python's own at a time


class Corpus:
    """A finished corpus, opened for reading. Cheap to open; pieces are read on access.

    Pickled, it is its folder: the process that unpickles it maps the index again.

    Attributes:
        folder: Where it is.
        about: What ``corpus.json`` says.
        pieces: Its index: columns, and a sequence of entries that are made on access.

    Raises:
        CorpusError: The folder is no corpus, is not finished, or was written by another version; or its index is
            damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.about: dict[str, Any] = read_json(folder / CORPUS, limit=_LARGEST)
            found, digest = self.about["format"], self.about["digest"]
        except (OSError, ValueError, KeyError, TypeError):
            raise CorpusError(
                f"{folder} is not a finished corpus: run `toccata prepare MIDI_DIR {folder}`", path=folder
            ) from None
        if found != FORMAT:
            how = "update toccata"
            if found in FORMATS:
                how = f"`toccata prepare MIDI_DIR {folder}` brings it up to date, and no piece changes sides"
            raise CorpusError(
                f"{folder} is a corpus of format {found}, this version reads {FORMAT}: {how}", path=folder
            )
        self.pieces = Columns.load(folder / INDEX)
        self._refuse_other(digest)

    def _refuse_other(self, digest: str) -> None:
        if self.pieces.header["digest"] != digest:
            path = self.folder / INDEX
            raise CorpusError(f"{path} is not the index of {CORPUS} beside it: prepare the corpus again", path=path)

    @property
    def digest(self) -> str:
        """SHA-256 over every piece's path, bytes and split: what a model was trained on, as one word."""
        return str(self.about["digest"])

    @cached_property
    def styles(self) -> list[str]:
        """The styles that occur, sorted."""
        return [self.pieces.style(number) for number in range(1, len(self.pieces.arrays["style_starts"]))]

    def summary(self) -> str:
        """Return a one-line summary of the corpus."""
        about = self.about
        splits, twice = about["splits"], about["duplicates"]
        text = (
            f"{about['pieces']:,} pieces, {about['notes']:,} notes, {about['hours']:.1f} hours: {splits['train']:,} "
            f"for training, {splits['valid']:,} for validation, {splits['test']:,} for testing"
        )
        text += f"; {about['rejected']:,} left out" if about["rejected"] else ""
        return text + (f"; {twice:,} duplicates left out" if twice else "")

    def column(self, name: str) -> NDArray[Any]:
        """A column of the index, by piece; see ``corpus.columns.TYPES``."""
        return self.pieces.arrays[name]

    def numbers(self, name: Split) -> NDArray[np.uint32]:
        """The numbers of the pieces in a split, rising, mapped into memory."""
        found: NDArray[np.uint32] = self.column("order")[self.pieces.bounds(name)]
        return found

    def note_ends(self, name: Split) -> NDArray[np.uint64]:
        """The notes of a split up to the end of each of its pieces, in the order of `numbers`, mapped into memory."""
        found: NDArray[np.uint64] = self.column("note_ends")[self.pieces.bounds(name)]
        return found

    def split(self, name: Split) -> list[int]:
        """The numbers of the pieces in a split, as Python's own: as many objects as pieces, see `numbers`."""
        numbers: list[int] = self.numbers(name).tolist()
        return numbers

    def sample(self, name: Split, count: int, seed: int = 0) -> list[int]:
        """The numbers of at most ``count`` pieces of a split, in their order, drawn from all of it by ``seed``.

        Which are drawn follows from what they are, so that neither names nor folders decide it.
        """
        numbers = self.numbers(name)
        return self.drawn(numbers, count, seed)

    def drawn(self, numbers: NDArray[Any], count: int, seed: int = 0) -> list[int]:
        """At most ``count`` of some pieces, drawn as by `sample`."""
        if len(numbers) <= count:
            every: list[int] = numbers.tolist()
            return every

        def chances() -> Iterator[tuple[bytes, int]]:
            for first in range(0, len(numbers), _CHUNK):
                part = numbers[first : first + _CHUNK]
                for number, content in zip(part.tolist(), self.column("content")[part].tolist(), strict=True):
                    chance = hashlib.blake2b(f"{seed}:{as_text(content)}".encode(), digest_size=8).digest()
                    yield chance, number

        return sorted(number for _, number in heapq.nsmallest(count, chances()))

    def rejected(self) -> Iterator[dict[str, str]]:
        """The files that cannot be used: ``path`` and ``reason`` of each."""
        return (one for one in self._left_out() if "reason" in one)

    def duplicates(self) -> list[list[str]]:
        """Return the paths of files with the same music, that of the corpus's piece first; sorted."""
        groups: dict[str, list[str]] = {}
        for one in self._left_out():
            if "same_as" in one:
                groups.setdefault(one["same_as"], [one["same_as"]]).append(one["path"])
        return sorted(groups.values())

    def _left_out(self) -> Iterator[dict[str, str]]:
        path = self.folder / LEFT_OUT
        try:
            with path.open(encoding="utf-8", newline="\n") as file:
                for line in file:
                    entry = json.loads(line)
                    yield {name: str(entry[name]) for name in ("path", "reason", "same_as") if name in entry}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise CorpusError(f"{path} is missing or damaged: prepare the corpus again", path=path) from None

    def verify(self) -> Corpus:
        """See whether the bytes of the pieces are there, before hours are spent on them.

        Every shard must be there, as long as the index says; of up to ``VERIFIED`` pieces all are read, of more so many
        of them, evenly: whatever is read later is checked, too, so that nothing damaged is ever learned.

        Returns:
            This corpus.

        Raises:
            CorpusError: Those of a piece are missing or damaged.
        """
        shards, which = np.unique(self.column("shard"), return_inverse=True)
        ends = np.zeros(len(shards), np.uint64)
        np.maximum.at(ends, which, self.column("offset") + self.column("length"))
        for number, end in zip(shards.tolist(), ends.tolist(), strict=True):
            path = self.folder / shard_name(number)
            try:
                size = path.stat().st_size
            except OSError:
                raise _missing(path) from None
            if size < end:
                raise CorpusError(f"{path} is cut short: prepare the corpus again", path=path)
        for number in np.linspace(0, len(self.pieces) - 1, min(len(self.pieces), VERIFIED)).astype(np.int64).tolist():
            self.midi(number)
        return self

    def score(self, number: int) -> Score:
        """Piece ``number``, parsed.

        Raises:
            CorpusError: Its bytes are missing or damaged.
        """
        return Score.from_midi(self.midi(number))

    def midi(self, number: int) -> bytes:
        """Piece ``number`` as the bytes of a MIDI file.

        Raises:
            CorpusError: They are missing or damaged.
        """
        where = (int(self.column(name)[number]) for name in ("shard", "offset", "length"))
        shard, offset, length = where
        path = self.folder / shard_name(shard)
        try:
            # Read, not mapped: what a process has seen of a large corpus would count as its memory.
            with path.open("rb", buffering=0) as file:
                file.seek(offset)
                data = file.read(length)
        except FileNotFoundError:
            raise _missing(path) from None
        except (OSError, OverflowError, ValueError) as error:
            raise CorpusError(f"{path} cannot be read: {error}", path=path) from None
        if piece_digest(data) != self.pieces.midi(number):
            raise CorpusError(
                f"{self.pieces.path(number)} is damaged in {path}: delete that file and prepare the corpus again, "
                "which makes it anew",
                path=path,
            )
        return data

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "about": self.about}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.pieces = Columns.load(self.folder / INDEX, checked=False)  # checked by the process that opened it
        self._refuse_other(self.digest)


def _missing(path: Path) -> CorpusError:
    return CorpusError(f"{path} is missing: prepare the corpus again", path=path)


def shard_name(number: int) -> str:
    """The file name of a shard."""
    return f"shard-{number:04d}.bin"


def piece_digest(data: bytes) -> str:
    """The digest of a piece's bytes, 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=DIGEST).hexdigest()
