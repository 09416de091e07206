"""A corpus on disk: the cleaned pieces as MIDI bytes in a few large files, and an index of them.

pieces.jsonl     one line a piece, sorted by path: where its bytes lie, its notes, bars, style, content and split
shard-0000.bin   MIDI bytes, one piece after another
corpus.json      format, options, counts, digest; written last, so a folder without it is not finished
journal.jsonl    one line a file read, in the order they were done: what a rerun need not read again
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.errors import CorpusError
from toccata.files import read_json

FORMAT = 2
CORPUS, PIECES, JOURNAL = "corpus.json", "pieces.jsonl", "journal.jsonl"
Split = Literal["train", "valid", "test"]


@dataclass(frozen=True)
class Piece:
    """A line of the index.

    Attributes:
        path: The source file, relative to the folder it was found in, with forward slashes.
        style: The first folder of the path, "" at the top.
        content: The fingerprint of the notes (see ``midi.facts``).
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
            raise CorpusError(
                f"{folder} is a corpus of format {found}, this version reads {FORMAT}: prepare it again", path=folder
            )
        try:
            self.pieces: Sequence[Piece] = [Piece(**entry) for entry in read_lines(index)]
        except (ValueError, TypeError):
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

    def score(self, number: int) -> Score:
        """Piece ``number``, parsed."""
        return Score.from_midi(self.midi(number))

    def midi(self, number: int) -> bytes:
        """Piece ``number`` as the bytes of a MIDI file."""
        piece = self.pieces[number]
        shard = self._shards.get(piece.shard)
        if shard is None:
            path = self.folder / shard_name(piece.shard)
            try:
                shard = self._shards[piece.shard] = np.memmap(path, np.uint8, "r")
            except (OSError, ValueError):
                raise CorpusError(f"{path} is missing: prepare the corpus again", path=path) from None
        return shard[piece.offset : piece.offset + piece.length].tobytes()

    @cached_property
    def _shards(self) -> dict[int, NDArray[np.uint8]]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        # A worker process maps the files itself.
        return {name: value for name, value in self.__dict__.items() if name != "_shards"}


def shard_name(number: int) -> str:
    """The file name of a shard."""
    return f"shard-{number:04d}.bin"


def read_lines(index: str) -> list[Any]:
    """What the lines of an index say."""
    return [
        json.loads(text) for text in index.split("\n") if text
    ]  # a file's name may hold what splitlines() splits at


def line(piece: Piece) -> str:
    """A piece as a line of the index."""
    return json.dumps(asdict(piece), ensure_ascii=False)
