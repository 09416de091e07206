"""An index of all passages of some pieces: what a model was trained on, to be asked what it holds, and where.

It is a suffix array: the symbols of all lines (see ``measure.lines``) one after another, and the places at which
passages can begin, sorted by what follows. So any passage is found by bisection, however long, and what is found stands
there: nothing is hashed. A note takes two bytes for its symbol in each line it is in, and three for each onset that it
begins there (four where there are more than 16 million notes). The file is mapped into memory, not read: opening it is
quick, and many processes share it.

The file, all numbers little-endian: ``toccata`` and a zero byte; the length of the header, 8 bytes; the header, JSON,
with paths, numbers and the shape of each array; the arrays, each at a multiple of 64 bytes from the beginning.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.errors import ModelError
from toccata.files import parse_json, written_aside
from toccata.measure.lines import BEGIN, lines, pitched
from toccata.midi.bars import bar_map

FORMAT = 1
DEEP = 256
"""Places are sorted by so many notes; of longer passages every place that has so many in common is looked at."""

_MAGIC = b"toccata\0"
_ALIGN = 64
_LARGEST_HEADER = 128 << 20  # bytes; about 50 a piece
_HEAD = 3  # bytes: an interval, a rhythm, an interval
_PACKED = 4  # notes, of two bytes, that one 64-bit number holds
_FULL = 255  # a count of so many notes goes on in the next byte
_NORMAL = {"pieces", "notes", "notes_90", "share", "share_90"}
_DTYPES = {
    "text": ("|u1",), "low": ("<u2",), "high": ("|u1", "<u2"), "starts": ("<u4",), "owners": ("<u4",),
    "first_bars": ("<u4",), "bar_starts": ("<u4",), "bar_notes": ("|u1",),
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a passage stands: the piece's path in the corpus, and the bar, from 1, of the passage's first note."""

    path: str
    bar: int


@dataclass(frozen=True, eq=False)
class Index:
    """All passages of some pieces.

    Attributes:
        paths: Of the pieces.
        about: What else is known: ``notes`` of the pieces, and what is put there.
        arrays: ``text`` uint8[2n], symbols; ``low`` uint16[m] and ``high`` uint8[m] or uint16[m], the lower and the
            higher bits of the notes at which passages begin, sorted by what follows; ``starts`` uint32[lines + 1],
            where each line begins in the text, in notes; ``owners`` uint32[lines], its piece; ``first_bars``
            uint32[lines], the bar in which it begins, from 0; ``bar_starts`` uint32[lines + 1], where its bars are in
            ``bar_notes`` uint8, how many of its notes are in each (255 means that the next number is added).
    """

    paths: list[str]
    about: dict[str, Any]
    arrays: dict[str, NDArray[Any]] = field(repr=False)

    @classmethod
    def of(cls, pieces: Iterable[tuple[str, Score]]) -> Index:
        """Index pieces, given with their paths."""
        parts: dict[str, list[NDArray[Any]]] = {"text": [], "bar_notes": []}
        sizes: dict[str, list[int]] = {"starts": [0], "bar_starts": [0], "owners": [], "first_bars": []}
        paths: list[str] = []
        count = 0
        for path, score in pieces:
            notes = pitched(score)
            bars = bar_map(score).starts
            for line in lines(notes, score.ticks_per_quarter):
                held = np.searchsorted(bars, line.onsets, side="right") - 1
                counts = _counts(np.bincount(held)[held[0] :])
                parts["text"].append(line.symbols.reshape(-1))
                parts["bar_notes"].append(counts)
                sizes["starts"].append(sizes["starts"][-1] + len(line.symbols))
                sizes["bar_starts"].append(sizes["bar_starts"][-1] + len(counts))
                sizes["owners"].append(len(paths))
                sizes["first_bars"].append(int(held[0]))
            paths.append(path)
            count += sum(len(track.notes) for track in score.tracks)
        text = np.concatenate([np.empty(0, np.uint8), *parts["text"]])
        places = _sorted_places(text.reshape(-1, 2))
        arrays: dict[str, NDArray[Any]] = {
            "text": text,
            "low": (places & 0xFFFF).astype("<u2"),
            "high": (places >> 16).astype("|u1" if len(text) <= 2 * 2**24 else "<u2"),
            "bar_notes": np.concatenate([np.empty(0, np.uint8), *parts["bar_notes"]]),
        }
        arrays |= {name: np.array(values, "<u4") for name, values in sizes.items()}
        return cls(paths, {"notes": count}, arrays)

    def __len__(self) -> int:
        return len(self.arrays["low"])

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays.values())

    def save(self, path: Path) -> None:
        """Write the index to ``path``, wholly or not at all."""
        shapes = {name: [self.arrays[name].dtype.str, len(self.arrays[name])] for name in _DTYPES}
        header = {"format": FORMAT, "about": self.about, "paths": self.paths, "arrays": shapes}
        said = json.dumps(header, ensure_ascii=True).encode()
        with written_aside(path) as aside, aside.open("wb") as file:
            file.write(_MAGIC + len(said).to_bytes(8, "little") + said)
            for name in _DTYPES:
                _align(file)
                file.write(self.arrays[name].tobytes())

    @classmethod
    def load(cls, path: Path) -> Index:
        """Open the index at ``path``.

        Raises:
            ModelError: There is none, it is damaged, or it is of another format.
        """
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                magic, length = file.read(8), int.from_bytes(file.read(8), "little")
                if magic != _MAGIC or length > size:
                    raise ValueError("no header")
                header = parse_json(file.read(min(length, _LARGEST_HEADER + 1)), limit=_LARGEST_HEADER)
            if header["format"] != FORMAT:
                raise ModelError(
                    f"{path} has format {header['format']!r}, this version of toccata reads {FORMAT}: update toccata",
                    path=path,
                )
            raw = np.asarray(np.memmap(path, np.uint8, "r"))  # slices of a plain array are made faster
            arrays, at = {}, 16 + length
            for name, dtypes in _DTYPES.items():
                dtype, count = header["arrays"][name]
                at += -at % _ALIGN
                end = at + count * np.dtype(dtypes[dtypes.index(dtype)]).itemsize
                if not 0 <= count <= size or end > size:
                    raise ValueError("cut short")
                arrays[name] = raw[at:end].view(dtype)
                at = end
            index = cls(list(header["paths"]), dict(header["about"]), arrays)
            if at != size or not index._sound():
                raise ValueError("arrays that do not fit together")
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            why = "missing" if isinstance(error, FileNotFoundError) else "damaged"
            raise ModelError(f"{path} is {why}: copy the whole model folder again", path=path) from None
        return index

    def find(self, passage: bytes) -> tuple[int, int]:
        """Which of the sorted places begin with a passage of up to ``DEEP`` notes: from one to before another.

        Args:
            passage: The interval to its second note, then rhythm and interval of each further one.
        """
        # Most of the bisection is for the first notes, of which there are not that many different ones.
        head = passage[:_HEAD]
        if (slots := self._heads.get(head)) is None:
            slots = self._heads[head] = self.narrow(head, 0, len(self))
        return self.narrow(passage, *slots) if len(passage) > _HEAD else slots

    def narrow(self, passage: bytes, low: int, high: int) -> tuple[int, int]:
        """As `find`, among the places from ``low`` to before ``high``, which `find` named for its beginning."""
        (low_bits, high_bits), text, length = self._places, self._text, len(passage)

        def here(slot: int) -> bytes:
            at = (high_bits[slot] << 17) + 2 * low_bits[slot] + 1
            return bytes(text[at : at + length])

        slots = range(high)
        low = bisect_left(slots, passage, low, high, key=here)
        if low == high or here(low) != passage:
            return low, low
        step = 1
        while low + step < high and here(low + step) == passage:
            step *= 2
        return low, bisect_right(slots, passage, low + step // 2, min(low + step, high), key=here)

    def places(self, slots: tuple[int, int]) -> NDArray[np.uint32]:
        """The notes of the text that are the places that `find` named."""
        low, high = self.arrays["low"][slice(*slots)], self.arrays["high"][slice(*slots)]
        found: NDArray[np.uint32] = high.astype(np.uint32) << np.uint32(16) | low
        return found

    def holds(self, passage: bytes, at: int) -> bool:
        """Whether ``passage`` stands at note ``at`` of the text."""
        return bytes(self._text[2 * at + 1 : 2 * at + 1 + len(passage)]) == passage

    def goes_on(self, symbol: bytes, at: int, notes: int) -> bool:
        """Whether ``symbol`` stands ``notes`` notes after note ``at`` of the text."""
        return bytes(self._text[2 * (at + notes) : 2 * (at + notes) + 2]) == symbol

    def place(self, at: int) -> Place:
        """Where the passage stands whose second note is note ``at`` of the text."""
        arrays = self.arrays
        line = int(np.searchsorted(arrays["starts"], at, side="right")) - 1
        before = at - 1 - int(arrays["starts"][line])
        counts = arrays["bar_notes"][arrays["bar_starts"][line] : arrays["bar_starts"][line + 1]]
        passed = counts[: np.searchsorted(np.cumsum(counts, dtype=np.int64), before, side="right")]
        bar = int(np.count_nonzero(passed != _FULL))
        return Place(self.paths[arrays["owners"][line]], int(arrays["first_bars"][line]) + bar + 1)

    def pieces(self, at: NDArray[Any]) -> int:
        """How many pieces the notes ``at`` of the text are from."""
        line = np.searchsorted(self.arrays["starts"], at, side="right") - 1
        return len(np.unique(self.arrays["owners"][line]))

    @cached_property
    def _heads(self) -> dict[bytes, tuple[int, int]]:
        return {}

    @cached_property
    def _text(self) -> memoryview:
        return self.arrays["text"].data

    @cached_property
    def _places(self) -> tuple[memoryview, memoryview]:
        low, high = self.arrays["low"], self.arrays["high"]  # a view needs the machine's own byte order
        return low.astype("=u2", copy=False).data, high.astype(high.dtype.newbyteorder("="), copy=False).data

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("paths", "about", "arrays")}

    def _sound(self) -> bool:
        """Whether no number points anywhere where nothing is."""
        text, low, high, starts, owners, first, bars, notes = (self.arrays[name] for name in _DTYPES)
        return bool(
            len(text) == 2 * int(starts[-1])
            and len(starts) == len(bars) == len(owners) + 1 == len(first) + 1
            and int(bars[-1]) == len(notes)
            and all((np.diff(a.astype(np.int64)) >= 0).all() for a in (starts, bars))
            and len(low) == len(high)
            and int(self.places((0, len(self))).max(initial=0)) < max(int(starts[-1]), 1)
            and int(owners.max(initial=0)) < max(len(self.paths), 1)
            and all(isinstance(name, str) for name in self.paths)
            and type(self.about.get("notes", 0)) is int
            and _is_normal(self.about.get("normal"))
        )


def _is_normal(said: Any) -> bool:
    """Whether it is what `toccata.measure.originality.Normal` is made of, or nothing."""
    if said is None:
        return True
    return isinstance(said, dict) and set(said) == _NORMAL and all(type(n) in (int, float) for n in said.values())


def _counts(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Counts as bytes, those that need it as several."""
    ends = np.cumsum(counts // _FULL + 1)
    out = np.full(int(ends[-1]), _FULL, np.uint8)
    out[ends - 1] = counts % _FULL
    return out


def _align(file: BinaryIO) -> None:
    file.write(b"\0" * (-file.tell() % _ALIGN))


def _sorted_places(symbols: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """The notes that begin an onset, sorted by the ``DEEP`` notes that follow, by doubling what is compared.

    What is compared of a note begins with its interval, not its rhythm, and ends with the rhythm of the note after the
    last one.
    """
    total = len(symbols)
    flat = np.concatenate([symbols.reshape(-1)[1:], np.zeros(2 * _PACKED, np.uint8)])
    keys = np.zeros(total, np.uint64)
    for byte in range(2 * _PACKED):
        keys <<= np.uint64(8)
        keys |= flat[byte : byte + 2 * total : 2]
    order = np.argsort(keys, kind="stable").astype(np.uint32)
    keys = keys[order]
    fresh = np.ones(total, bool)
    fresh[1:] = keys[1:] != keys[:-1]
    del keys, flat
    rank = np.zeros(total + DEEP, np.uint32)
    rank[order] = _group(fresh, np.arange(total, dtype=np.uint32))
    depth = _PACKED
    while depth < DEEP:
        tied = ~fresh
        tied[:-1] |= tied[1:]  # the first of a group, too
        slots = np.flatnonzero(tied)
        if not len(slots):
            break
        # Groups keep their slots: they are sorted within by the rank of what follows what is known to be the same.
        which = order[slots]
        key = rank[which].astype(np.uint64) << np.uint64(32) | rank[which + np.uint32(depth)]
        inner = np.argsort(key, kind="stable")
        key, which = key[inner], which[inner]
        order[slots] = which
        fresh[slots[1:]] = key[1:] != key[:-1]
        rank[which] = _group(fresh[slots], slots.astype(np.uint32))
        depth *= 2
    chosen: NDArray[np.uint32] = order[(symbols[order, 0] != 0) & (symbols[order, 1] != BEGIN)]
    return chosen.astype("<u4")


def _group(fresh: NDArray[np.bool_], slots: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """For each of ``slots`` the last one until there that is fresh: all that are the same have the same."""
    found: NDArray[np.uint32] = np.maximum.accumulate(np.where(fresh, slots, np.uint32(0)))
    return found
