"""An index of all passages of a model's training pieces, in which a passage can be looked up.

It is a suffix array: the symbols of all lines (see ``measure.lines``) one after another, and the places at which
passages can begin, sorted by what follows. So any passage is found by bisection, however long, and what is found stands
there: nothing is hashed. A note takes two bytes for its symbol in each line it is in, and three for each onset that it
begins there (four where there are more than 16 million notes). The file is mapped into memory, not read: opening it is
quick, and many processes share it.

The file is one of arrays (``corpus.arrayfile``), with paths and numbers in its header.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.corpus.arrayfile import read_arrays, write_arrays
from toccata.errors import ModelError
from toccata.measure.lines import BEGIN, lines, pitched
from toccata.midi.bars import bar_map

FORMAT = 1
DEEP = 256
"""Places are sorted by so many notes; of longer passages every place that has so many in common is looked at."""

_HEAD = 3  # bytes: an interval, a rhythm, an interval
_PACKED = 4  # notes, of two bytes, that one 64-bit number holds
_FULL = 255  # a count of so many notes goes on in the next byte
_SHARES = {"share", "share_90"}
_NORMAL = {"pieces", "notes", "notes_90", "bars", *_SHARES}
_MOST = 2**31
_DTYPES = {
    "text": ("|u1",), "low": ("<u2",), "high": ("|u1", "<u2"), "starts": ("<u4",), "owners": ("<u4",),
    "first_bars": ("<u4",), "bar_starts": ("<u4",), "bar_notes": ("|u1",),
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """The place of a passage.

    Attributes:
        path: The piece, as its corpus calls it.
        bar: The bar, from 1, of the passage's first note; None: unknown.
        model: The model that was trained on the piece, where it is not the index' own but one it was finetuned from.
    """

    path: str
    bar: int | None
    model: str = ""


@dataclass(frozen=True, eq=False)
class Index:
    """All passages of some pieces.

    Attributes:
        paths: Of the pieces.
        about: What else is known: ``notes`` of the pieces, ``models`` (see `Index.models`), and what is put there.
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
        made = _Builder()
        paths: list[str] = []
        count = 0
        for path, score in pieces:
            notes = pitched(score)
            bars = bar_map(score).starts
            for line in lines(notes, score.ticks_per_quarter):
                held = np.searchsorted(bars, line.onsets, side="right") - 1
                counts = _counts(np.bincount(held)[held[0] :])
                made.add(len(paths), line.symbols.reshape(-1), counts, int(held[0]))
            paths.append(path)
            count += sum(len(track.notes) for track in score.tracks)
        return cls(paths, {"notes": count}, made.arrays())

    @classmethod
    def merged(cls, parts: Sequence[tuple[str, Index]]) -> Index:
        """Several indexes as one, sorted anew.

        Pieces whose lines are all the same as those of a piece before them are left out: a model that is finetuned
        again and again on the same music would otherwise take that music for an idiom.

        Args:
            parts: Each with the name of the model whose training pieces it holds; those it has from other models
                keep their names.
        """
        made = _Builder()
        paths: list[str] = []
        models: list[list[Any]] = []
        known: set[bytes] = set()
        for name, index in parts:
            models += [[model or name, None if count is None else 0] for model, count in index.models]
            counts = models[-len(index.models) :]
            whose = [row for row, (_, count) in enumerate(index.models) for _ in range(count or 0)]
            bounds = np.searchsorted(index.arrays["owners"], np.arange(len(index.paths) + 1)).tolist()
            for owner, path in enumerate(index.paths):
                mine = range(bounds[owner], bounds[owner + 1])
                texts = [index._slice("text", "starts", line, 2) for line in mine]
                same = hashlib.blake2b(b"".join(map(bytes, texts)), digest_size=16).digest()
                if texts and same in known:
                    continue
                known.add(same)
                for line, text in zip(mine, texts, strict=True):
                    held = index._slice("bar_notes", "bar_starts", line)
                    made.add(len(paths), text, held, int(index.arrays["first_bars"][line]))
                paths.append(path)
                counts[whose[owner]][1] += 1
        notes = sum(int(index.about.get("notes", 0)) for _, index in parts)
        return cls(paths, {"notes": notes, "models": models}, made.arrays())

    def __len__(self) -> int:
        return len(self.arrays["low"])

    @property
    def is_merged(self) -> bool:
        """Whether it was made of the indexes of several models."""
        return "models" in self.about

    @property
    def models(self) -> list[tuple[str, int | None]]:
        """The models whose training pieces these are: names, and how many of the ``paths``, in order, belong to each.

        The name of the model that the index belongs to is empty. The count is None where the training pieces of a
        model are unknown, and missing.
        """
        return [(name, count) for name, count in self.about.get("models", [["", len(self.paths)]])]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays.values())

    def save(self, path: Path) -> None:
        """Write the index to ``path``, wholly or not at all."""
        write_arrays(path, {"format": FORMAT, "about": self.about, "paths": self.paths}, self.arrays, _DTYPES)

    @classmethod
    def load(cls, path: Path) -> Index:
        """Open the index at ``path``.

        Raises:
            ModelError: There is none, it is damaged, or it is of another format.
        """
        try:
            header, arrays = read_arrays(path, FORMAT, _DTYPES)
            index = cls(list(header["paths"]), dict(header["about"]), arrays)
            if not index._sound():
                raise ValueError("arrays that do not fit together")
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            why = "missing" if isinstance(error, FileNotFoundError) else "damaged"
            raise ModelError(f"{path} is {why}: copy the whole model folder again", path=path) from None
        return index

    def find(self, passage: bytes) -> tuple[int, int]:
        """Return the range of sorted places that begin with a passage of up to ``DEEP`` notes.

        Args:
            passage: The interval to its second note, then rhythm and interval of each further one.
        """
        # Most of the bisection is for the first notes, of which there are not that many different ones.
        head = passage[:_HEAD]
        if (slots := self._heads.get(head)) is None:
            slots = self._heads[head] = self.narrow(head, 0, len(self))
        return self.narrow(passage, *slots) if len(passage) > _HEAD else slots

    def narrow(self, passage: bytes, low: int, high: int) -> tuple[int, int]:
        """Find ``passage`` among the places from ``low`` to before ``high``, the result of `find` for its beginning."""
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
        """Return the notes of the text at the places that `find` returned."""
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
        """Return the place of the passage whose second note is note ``at`` of the text."""
        arrays = self.arrays
        line = int(np.searchsorted(arrays["starts"], at, side="right")) - 1
        before = at - 1 - int(arrays["starts"][line])
        counts = arrays["bar_notes"][arrays["bar_starts"][line] : arrays["bar_starts"][line + 1]]
        passed = counts[: np.searchsorted(np.cumsum(counts, dtype=np.int64), before, side="right")]
        bar = int(np.count_nonzero(passed != _FULL))
        owner = int(arrays["owners"][line])
        return Place(self.paths[owner], int(arrays["first_bars"][line]) + bar + 1, self._model_of(owner))

    def pieces(self, at: NDArray[Any]) -> int:
        """Return the number of pieces that the notes ``at`` of the text are from."""
        line = np.searchsorted(self.arrays["starts"], at, side="right") - 1
        return len(np.unique(self.arrays["owners"][line]))

    def _model_of(self, owner: int) -> str:
        for name, count in self.models:
            owner -= count or 0
            if owner < 0:
                return name
        return ""

    def _slice(self, values: str, starts: str, line: int, size: int = 1) -> NDArray[Any]:
        """Return the part of an array that belongs to a line."""
        first, last = self.arrays[starts][line : line + 2].tolist()
        part: NDArray[Any] = self.arrays[values][size * first : size * last]
        return part

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
            and bool((np.diff(owners.astype(np.int64)) >= 0).all())
            and all(isinstance(name, str) for name in self.paths)
            and all(isinstance(name, str) and name.isprintable() and _is_count(count) for name, count in self.models)
            and sum(count or 0 for _, count in self.models) == len(self.paths)
            and type(self.about.get("notes", 0)) is int
            and is_normal(self.about.get("normal"))
        )


def is_normal(value: Any) -> bool:
    """Whether ``value`` is a list of the fields of `toccata.measure.originality.Normal`, the fields of one, or None."""
    return value is None or all(
        isinstance(one, dict)
        and set(one) | {"bars"} == _NORMAL
        and all(type(number) is int or (type(number) is float and name in _SHARES) for name, number in one.items())
        and all(0 <= number < _MOST for number in one.values())
        for one in (value if isinstance(value, list) else [value])
    )


class _Builder:
    """Gathers the lines of pieces, and makes the arrays of an index of them."""

    def __init__(self) -> None:
        self._text: list[NDArray[np.uint8]] = [np.empty(0, np.uint8)]
        self._bar_notes: list[NDArray[np.uint8]] = [np.empty(0, np.uint8)]
        self._sizes: dict[str, list[int]] = {"starts": [0], "bar_starts": [0], "owners": [], "first_bars": []}

    def add(self, owner: int, text: NDArray[np.uint8], bar_notes: NDArray[np.uint8], first_bar: int) -> None:
        """Add a line of piece ``owner``; see `Index` for the arguments."""
        sizes = self._sizes
        self._text.append(text)
        self._bar_notes.append(bar_notes)
        sizes["starts"].append(sizes["starts"][-1] + len(text) // 2)
        sizes["bar_starts"].append(sizes["bar_starts"][-1] + len(bar_notes))
        sizes["owners"].append(owner)
        sizes["first_bars"].append(first_bar)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays of the index."""
        text = np.concatenate(self._text)
        places = _sorted_places(text.reshape(-1, 2))
        return {
            "text": text,
            "low": (places & 0xFFFF).astype("<u2"),
            "high": (places >> 16).astype("|u1" if len(text) <= 2 * 2**24 else "<u2"),
            "bar_notes": np.concatenate(self._bar_notes),
            **{name: np.array(values, "<u4") for name, values in self._sizes.items()},
        }


def _is_count(value: Any) -> bool:
    return value is None or (type(value) is int and value >= 0)


def _counts(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Counts as bytes, those that need it as several."""
    ends = np.cumsum(counts // _FULL + 1)
    out = np.full(int(ends[-1]), _FULL, np.uint8)
    out[ends - 1] = counts % _FULL
    return out


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
