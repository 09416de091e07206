"""The index of a corpus as columns in one file, mapped into memory: no Python object a piece.

Every number of every piece is in an array of its own (``corpus.arrayfile``), so that a process that opens a corpus of a
million pieces takes no memory of its own for them, and all processes share the pages that any of them reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toccata.corpus.arrayfile import Types, arrays_digest, read_arrays, write_arrays
from toccata.errors import CorpusError, ModelError

FORMAT = 1
Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
DIGEST = 16
"""Bytes of the digest of a piece's bytes."""

TYPES: Types = {
    "notes": ("<u4",), "bars": ("<u4",), "seconds": ("<f8",), "shard": ("<u4",), "offset": ("<u8",),
    "length": ("<u4",), "split": ("|u1",), "style": ("<u4",), "content": ("<u8",), "steps": ("<u8",),
    "group": ("<u8",), "midi": ("|u1",), "order": ("<u4",), "note_ends": ("<u8",), "path_starts": ("<u8",),
    "paths": ("|u1",), "style_starts": ("<u8",), "styles": ("|u1",),
}  # fmt: skip
"""The columns. ``split``: its number in ``SPLITS``. ``style``: its number from 1, 0: none. ``content``, ``steps`` and
``group``: the number that their sixteen hexadecimal digits are. ``midi``: ``DIGEST`` bytes a piece. ``order``: the
pieces of ``train``, then those of ``valid``, then those of ``test``, and ``note_ends`` the notes of a split up to the
end of each of these. ``paths`` and ``styles``: text in UTF-8, one after another, which begin at the ``*_starts``."""

_LONGEST = 2**28  # bytes of a piece: a buffer of the requested size is allocated
_A_PIECE = (
    "notes", "bars", "seconds", "shard", "offset", "length", "split", "style", "content", "steps", "group", "order",
    "note_ends",
)  # fmt: skip

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class CorpusEntry:
    """The entry of one piece in the index, made on access.

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


class Columns(Sequence[CorpusEntry]):
    """The columns of an index; as a sequence, its entries, each made on access.

    Attributes:
        arrays: By name, see ``TYPES``.
        header: The other values of the file.
    """

    def __init__(self, header: Mapping[str, Any], arrays: Arrays) -> None:
        self.header, self.arrays = header, arrays

    @classmethod
    def load(cls, path: Path, *, checked: bool = True) -> Columns:
        """Map the file at ``path`` into memory.

        Args:
            path: The file.
            checked: Compare it with its checksum, and see whether every number points at something; not needed where
                another process has just done it.

        Raises:
            CorpusError: It is missing or damaged.
        """
        try:
            header, arrays = read_arrays(path, FORMAT, TYPES, checked=checked)
            columns = cls(header, arrays)
            if not columns._fits() or (checked and not columns._is_sound()):
                raise ValueError("columns that do not fit together")
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, ModelError) as error:
            why = "missing" if isinstance(error, FileNotFoundError) else "damaged"
            raise CorpusError(f"{path} is {why}: delete {path.parent} and prepare it again", path=path.parent) from None
        return columns

    def save(self, path: Path) -> None:
        """Write them to ``path``, wholly or not at all."""
        header = {**self.header, "format": FORMAT, "sum": arrays_digest(self.arrays, TYPES)}
        write_arrays(path, header, self.arrays, TYPES)

    def same_as(self, other: Columns) -> bool:
        """Whether all numbers are the same."""
        return self.header["digest"] == other.header["digest"] and all(
            np.array_equal(self.arrays[name], other.arrays[name]) for name in TYPES
        )

    def __len__(self) -> int:
        return len(self.arrays["notes"])

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(f"no piece {number} in an index of {len(self)}")
        number = int(number) % len(self)
        row = {name: self.arrays[name][number].item() for name in _A_PIECE}
        return CorpusEntry(
            path=self.path(number),
            style=self.style(row["style"]),
            content=as_text(row["content"]),
            steps=as_text(row["steps"]),
            midi=self.midi(number),
            group=as_text(row["group"]),
            split=SPLITS[row["split"]],
            **{name: row[name] for name in ("notes", "bars", "seconds", "shard", "offset", "length")},
        )

    def path(self, number: int) -> str:
        """The path of a piece."""
        return self._text("path", number)

    def style(self, number: int) -> str:
        """The style of a number in the column; "" of 0."""
        return self._text("style", number - 1) if number else ""

    def midi(self, number: int) -> str:
        """The digest of a piece's bytes, 32 hexadecimal digits."""
        return bytes(self.arrays["midi"][DIGEST * number : DIGEST * (number + 1)]).hex()

    def bounds(self, split: Split) -> slice:
        """Return the part of ``order`` and of ``note_ends`` that a split is."""
        sizes = [int(self.header["splits"][name]) for name in SPLITS]
        number = SPLITS.index(split)
        return slice(sum(sizes[:number]), sum(sizes[: number + 1]))

    def _text(self, kind: str, number: int) -> str:
        first, last = self.arrays[f"{kind}_starts"][number : number + 2].tolist()
        return bytes(self.arrays[f"{kind}s"][first:last]).decode("utf-8", "replace")

    def _fits(self) -> bool:
        """Whether all columns are as long as they should be."""
        sizes = {name: len(array) for name, array in self.arrays.items()}
        counts = [self.header["splits"][name] for name in SPLITS]
        return (
            {sizes[name] for name in _A_PIECE} == {len(self)}
            and sizes["midi"] == DIGEST * len(self)
            and sizes["path_starts"] == len(self) + 1
            and sizes["style_starts"] >= 1
            and all(type(count) is int and count >= 0 for count in counts)
            and sum(counts) == len(self)
            and isinstance(self.header["digest"], str)
        )

    def _is_sound(self) -> bool:
        """Whether no number points anywhere where nothing is."""
        arrays, styles = self.arrays, len(self.arrays["style_starts"]) - 1
        texts = (("path_starts", "paths"), ("style_starts", "styles"))
        if any(
            arrays[starts][0] or arrays[starts][-1] != len(arrays[text]) or not _rises(arrays[starts])
            for starts, text in texts
        ):
            return False
        if int(arrays["split"].max(initial=0)) >= len(SPLITS) or int(arrays["style"].max(initial=0)) > styles:
            return False
        if int(arrays["length"].max(initial=0)) > _LONGEST or not np.isfinite(arrays["seconds"]).all():
            return False
        if int(arrays["order"].max(initial=0)) >= max(1, len(self)):
            return False
        for number, name in enumerate(SPLITS):
            part = arrays["order"][self.bounds(name)]
            if (arrays["split"][part] != number).any() or not _rises(part, strictly=True):
                return False
            if (np.cumsum(arrays["notes"][part], dtype=np.uint64) != arrays["note_ends"][self.bounds(name)]).any():
                return False
        return True


def in_order(split: NDArray[np.uint8], notes: NDArray[np.uint32]) -> dict[str, NDArray[Any]]:
    """The columns ``order`` and ``note_ends`` of pieces of these splits, with so many notes."""
    order = np.argsort(split, kind="stable")
    ends = [np.cumsum(notes[order[split[order] == number]], dtype="<u8") for number in range(len(SPLITS))]
    return {"order": order.astype("<u4"), "note_ends": np.concatenate(ends)}


def as_text(number: int) -> str:
    """A content hash, as the number that the columns have, as sixteen hexadecimal digits."""
    return f"{number:016x}"


def _rises(numbers: NDArray[Any], *, strictly: bool = False) -> bool:
    if strictly:
        return bool((numbers[1:] > numbers[:-1]).all())
    return bool((numbers[1:] >= numbers[:-1]).all())
