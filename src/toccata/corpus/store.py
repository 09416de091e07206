"""A corpus on disk: the cleaned pieces as MIDI bytes in a few large files, and an index of them.

pieces.jsonl     one line a piece, sorted by path: where its bytes lie, its notes, bars, style, content and split
shard-0000.bin   MIDI bytes, one piece after another; the index has their digests, and what is read is checked
corpus.json      format, options, counts, digest; written last, so a folder without it is not finished
journal.jsonl    one line a file read, in the order they were done: what a rerun need not read again
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.errors import CorpusError
from toccata.files import read_json

FORMAT = 3
FORMATS = (2, 3)
"""Those that `prepare` brings up to date."""
CORPUS, PIECES, JOURNAL = "corpus.json", "pieces.jsonl", "journal.jsonl"
Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")


@dataclass(frozen=True)
class Piece:
    """A line of the index.

    Attributes:
        path: The source file, relative to the folder it was found in, with forward slashes.
        style: The first folder of the path, "" at the top.
        content: The hash of its notes, rhythm and drums included: exact copies have the same (see ``midi.facts``).
        steps: The hash of its succession of pitches: what has the same belongs together.
        midi: The digest of its bytes.
        group: The smallest content among the pieces that share passages with this one; a group is never split.
        split: train, valid or test.
        notes: Number of notes.
        bars: Number of bars.
        seconds: Length.
        shard: Number of the file that holds the bytes.
        offset: Where they begin.
        length: How many they are.
    """

    path: str
    style: str
    content: str
    steps: str
    midi: str
    group: str
    split: Split
    notes: int
    bars: int
    seconds: float
    shard: int
    offset: int
    length: int


_LARGEST = 512 << 20  # bytes of corpus.json; what was left out of a million files is in it


class Corpus:
    """A finished corpus, opened for reading. Cheap to open; pieces are read when they are asked for.

    Raises:
        CorpusError: The folder is no corpus, is not finished, or was written by another version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.about: dict[str, Any] = read_json(folder / CORPUS, limit=_LARGEST)
            index = (folder / PIECES).read_text(encoding="utf-8")
            found = self.about["format"]
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
        try:
            self.pieces: Sequence[Piece] = [Piece(**entry) for entry in read_lines(index)]
            if corpus_digest(self.pieces) != self.about["digest"]:
                raise ValueError("not the index that was written")
        except (ValueError, TypeError, KeyError, AttributeError):
            raise CorpusError(
                f"{folder / PIECES} is damaged: delete {folder} and prepare it again", path=folder
            ) from None

    @property
    def digest(self) -> str:
        """SHA-256 over every piece's path, bytes and split: what a model was trained on, as one word."""
        return str(self.about["digest"])

    @cached_property
    def styles(self) -> list[str]:
        """The styles that occur, sorted."""
        return sorted({piece.style for piece in self.pieces if piece.style})

    def summary(self) -> str:
        """What is in it, in a line."""
        about = self.about
        splits = about["splits"]
        twice = sum(len(group) - 1 for group in about["duplicates"])
        text = (
            f"{about['pieces']:,} pieces, {about['notes']:,} notes, {about['hours']:.1f} hours: {splits['train']:,} to "
            f"train on, {splits['valid']:,} to watch the training with, {splits['test']:,} kept aside"
        )
        text += f"; {len(about['rejected']):,} left out" if about["rejected"] else ""
        return text + (f"; {twice:,} duplicates left out" if twice else "")

    def split(self, name: Split) -> list[int]:
        """The numbers of the pieces in a split."""
        return [i for i, piece in enumerate(self.pieces) if piece.split == name]

    def sample(self, name: Split, count: int, seed: int = 0) -> list[int]:
        """The numbers of at most ``count`` pieces of a split, in their order, drawn from all of it by ``seed``.

        Which are drawn follows from what they are, so that neither names nor folders decide it.
        """
        numbers = self.split(name)
        if len(numbers) <= count:
            return numbers

        def chance(number: int) -> bytes:
            return hashlib.blake2b(f"{seed}:{self.pieces[number].content}".encode(), digest_size=8).digest()

        return sorted(sorted(numbers, key=chance)[:count])

    def verify(self) -> Corpus:
        """Read the bytes of every piece once, before hours are spent on them.

        Returns:
            This corpus.

        Raises:
            CorpusError: Those of a piece are missing or damaged.
        """
        for number in range(len(self.pieces)):
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
        piece = self.pieces[number]
        shard = self._shards.get(piece.shard)
        if shard is None:
            path = self.folder / shard_name(piece.shard)
            try:
                shard = self._shards[piece.shard] = np.memmap(path, np.uint8, "r")
            except (OSError, ValueError):
                raise CorpusError(f"{path} is missing: prepare the corpus again", path=path) from None
        data = shard[piece.offset : piece.offset + piece.length].tobytes()
        if piece_digest(data) != piece.midi:
            path = self.folder / shard_name(piece.shard)
            raise CorpusError(
                f"{piece.path} is damaged in {path}: prepare the corpus again, which makes it anew", path=path
            )
        return data

    @cached_property
    def _shards(self) -> dict[int, NDArray[np.uint8]]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        # A worker process maps the files itself.
        return {name: value for name, value in self.__dict__.items() if name != "_shards"}


def shard_name(number: int) -> str:
    """The file name of a shard."""
    return f"shard-{number:04d}.bin"


def piece_digest(data: bytes) -> str:
    """The digest of a piece's bytes, 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def corpus_digest(pieces: Iterable[Piece]) -> str:
    """SHA-256 over every piece's path, split and bytes; where these lie does not count."""
    whole = hashlib.sha256()
    for piece in pieces:
        whole.update(f"{piece.path}\n{piece.split}\n{piece.midi}\n".encode())
    return whole.hexdigest()


def read_lines(index: str) -> list[Any]:
    """What the lines of an index say."""
    return [
        json.loads(text) for text in index.split("\n") if text
    ]  # a file's name may hold what splitlines() splits at


def line(piece: Piece) -> str:
    """A piece as a line of the index."""
    return json.dumps(asdict(piece), ensure_ascii=False)
