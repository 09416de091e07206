"""Groups related pieces: those with the same music, or parts of it, or nearly the same.

Pieces are compared by hashes. Pairs that share some are counted slice by slice of the hashes, and added up slice by
slice of the pairs; each slice has a bounded size and is in a file meanwhile (``corpus.buckets``). So memory holds a few
numbers per piece, and never all hashes or all pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from toccata.corpus.buckets import Buckets
from toccata.midi.likeness import aligned, as_thin_as, hashes_of, place_of

SHARED = 0.25
"""Pieces that have this share of the shorter one's passages in common are in one group."""
COMMON = 24
"""A passage found in more pieces than this is an idiom (a scale, a drum loop), not a sign of kinship."""
FEW = 64
"""A piece of more passages than this is known by a quarter of them, so that the index stays small."""
NEAR = 0.12
"""Pieces that have this share of the thinner sketch's constellations in common, at one distance, are near copies,"""
NEAR_LEAST = 6
"""if they are at least so many,"""
SPREAD = 6
"""and stand in so many eighths of the piece: others may share a phrase, or a cadence."""
FAMILIAR = 64
"""A constellation found in more pieces than this does not count."""
_SLICE = 2**21  # hashes, or pairs, that are sorted at a time
_PIECES = 2**12  # whose hashes are gathered before they are sorted into slices
_RATES = 34  # how thin a sketch can be
_POWERS = np.uint64(1) << np.arange(64, dtype=np.uint64)

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]


def thinned(passages: Hashes) -> Hashes:
    """Return a quarter of the passages, chosen by their hashes, so that all pieces with a passage choose alike."""
    chosen: Hashes = passages[(passages >> np.uint64(3)) % np.uint64(4) == 0]
    return chosen


class Marks(Protocol):
    """The hashes by which some pieces are known."""

    def __len__(self) -> int:
        """The number of pieces."""
        ...

    def read(self, kind: str) -> Iterator[tuple[int, Hashes]]:
        """Each piece's number with its ``passages`` or its ``sketch``, in any order."""
        ...

    def sketch(self, number: int) -> Hashes:
        """The sketch of one piece."""
        ...


class Held(Marks):
    """Hashes that are held in memory.

    Args:
        passages: Of each piece.
        sketches: Of each piece; none: they have none.
    """

    def __init__(self, passages: Sequence[Hashes], sketches: Sequence[Hashes]) -> None:
        self._passages, self._sketches = passages, sketches

    def __len__(self) -> int:
        return len(self._passages)

    def read(self, kind: str) -> Iterator[tuple[int, Hashes]]:
        """Each piece's number with its passages or its sketch."""
        yield from enumerate(self._passages if kind == "passages" else self._sketches)

    def sketch(self, number: int) -> Hashes:
        """The sketch of one piece."""
        return self._sketches[number]


def related(passages: Sequence[Hashes], sketches: Sequence[Hashes] = (), steps: Sequence[str] = ()) -> list[int]:
    """Group pieces that hold the same music, or parts of it, or nearly the same.

    Args:
        passages: Of each piece, at most ``FEW`` of them or thinned; see ``midi.facts.Fingerprint``.
        sketches: Of each piece; none: only passages count. Copies whose notes were moved or thinned out, and which so
            have hardly a passage in common with the original, are known by these.
        steps: Of each piece; none: they do not count.

    Returns:
        For each piece the smallest number of a piece in its group.
    """
    numbers = np.unique(np.array(steps, np.str_), return_inverse=True)[1] if steps else None
    found: list[int] = groups_of(Held(passages, sketches), numbers).tolist()
    return found


def groups_of(
    marks: Marks, steps: NDArray[np.integer] | None = None, folder: Path | None = None, size: int = _SLICE
) -> Ints:
    """Group related pieces as `related` does, for any number of pieces.

    Args:
        marks: The hashes of the pieces.
        steps: Of each piece, as a number; None: they do not count.
        folder: Where files may be made that are gone in the end; None: all is held in memory.
        size: How many hashes, or pairs, a slice has, about.

    Returns:
        ``int64[n]``, for each piece the smallest number of a piece in its group.
    """
    forest = _Forest(len(marks))
    if steps is not None:
        _, first, which = np.unique(steps, return_index=True, return_inverse=True)
        forest.join(np.arange(len(marks)), first[which])
    _join_sharing(forest, marks, folder, size)
    _join_near(forest, marks, folder, size)
    return forest.roots(np.arange(len(marks)))


class _Forest:
    """Sets of pieces; each is known by its smallest number."""

    def __init__(self, count: int) -> None:
        self._parent = np.arange(count)

    def roots(self, pieces: Ints) -> Ints:
        """The smallest numbers of the sets that pieces are in."""
        found = self._parent[pieces]
        while len(found) and (found != (above := self._parent[found])).any():
            found = above
        self._parent[pieces] = found
        return found

    def join(self, one: Ints, other: Ints) -> None:
        """Make one of the sets of each pair of pieces."""
        while len(one):
            one, other = self.roots(one), self.roots(other)
            apart = one != other
            one, other = one[apart], other[apart]
            np.minimum.at(self._parent, np.maximum(one, other), np.minimum(one, other))


def _join_sharing(forest: _Forest, marks: Marks, folder: Path | None, size: int) -> None:
    """Join pieces that have passages in common."""
    sizes, thin = np.zeros(len(marks), np.int32), np.zeros(len(marks), np.int32)
    for piece, passages in marks.read("passages"):
        sizes[piece], thin[piece] = len(passages), len(thinned(passages))
    with _Pairs(len(marks), int(sizes.sum(dtype=np.int64)), COMMON, folder, size) as pairs:
        for a, b, common in pairs.of(marks.read("passages")):
            # What one of them has but thinned out, both can only have in common among those.
            is_thin = (sizes == thin)[a] | (sizes == thin)[b]
            smaller = np.where(is_thin, np.minimum(thin[a], thin[b]), np.minimum(sizes[a], sizes[b]))
            kin = common >= np.maximum(2, SHARED * smaller)
            forest.join(a[kin], b[kin])


def _join_near(forest: _Forest, marks: Marks, folder: Path | None, size: int) -> None:
    """Join pieces that are near copies by their sketches.

    A sketch of a long piece is thinner: two sketches are compared as if both were as thin as the thinner one.
    Candidates are pairs that share enough constellations that are not in very many pieces.
    """
    rates, total = np.zeros(len(marks), np.int8), 0
    for piece, sketch in marks.read("sketch"):
        rates[piece] = _levels(sketch[-1:])[0] if len(sketch) else 0
        total += len(sketch)
    if not total:
        return
    hashed = ((piece, hashes_of(sketch)) for piece, sketch in marks.read("sketch"))
    with _Pairs(len(marks), total, FAMILIAR, folder, size) as pairs:
        pairs.gather(hashed)
        sizes = np.zeros((len(marks), int(rates.max()) + 1), np.int16)  # of the rare ones, if thinned to each rate
        for piece, sketch in marks.read("sketch"):
            counts = np.bincount(_levels(sketch[_is_rare(sketch, pairs.idioms)]), minlength=_RATES)
            sizes[piece] = np.cumsum(counts[::-1])[::-1][: sizes.shape[1]]
        for a, b, common in pairs.counted():
            rate = np.maximum(rates[a], rates[b]).astype(np.int64)
            least = np.maximum(NEAR_LEAST, NEAR * np.minimum(sizes[a, rate], sizes[b, rate]))
            maybe = common >= least
            for one, other, thinner, enough in zip(
                *(column[maybe].tolist() for column in (a, b, rate, least)), strict=True
            ):
                pair = np.array([one]), np.array([other])
                if forest.roots(pair[0]) == forest.roots(pair[1]):
                    continue
                sketches = marks.sketch(one), marks.sketch(other)
                if _is_near(*sketches, thinner, enough, _is_rare(sketches[0], pairs.idioms)):
                    forest.join(*pair)


def _levels(sketch: Hashes) -> Ints:
    """Return, for each constellation, the highest rate of thinning at which it remains; see ``midi.likeness``."""
    bits = np.searchsorted(_POWERS, sketch, side="right")
    return np.minimum(64 - bits, _RATES - 1)


def _is_rare(sketch: Hashes, idioms: Hashes) -> NDArray[np.bool_]:
    """Return which constellations of a sketch are not among those of very many pieces."""
    if not len(idioms):
        return np.ones(len(sketch), bool)
    hashes = hashes_of(sketch)
    rare: NDArray[np.bool_] = idioms[np.minimum(np.searchsorted(idioms, hashes), len(idioms) - 1)] != hashes
    return rare


def _is_near(one: Hashes, other: Hashes, rate: int, least: float, rare: NDArray[np.bool_]) -> bool:
    """Whether two pieces are near copies, one of the other or of a part of it; ``rare`` is of ``one``."""
    thin = [as_thin_as(sketch, rate) for sketch in (one, other)]
    found = aligned(*thin) & rare[: len(thin[0])]
    if found.sum() < least:
        return False
    if len(thin[1]) < len(thin[0]):  # the spread is that in the shorter piece
        there = np.isin(hashes_of(thin[1]), hashes_of(thin[0][found]))
        thin, found = [thin[1]], there
    rank = np.argsort(np.argsort(place_of(thin[0]), kind="stable"), kind="stable")
    return len(np.unique(rank[found] * 8 // len(rank))) >= SPREAD


class _Pairs:
    """Counts how many hashes each pair of pieces shares, of those that stand in ``most`` pieces at most.

    Args:
        pieces: How many there are.
        hashes: How many hashes they have in all.
        most: See above.
        folder: Where to keep slices; None: in memory.
        size: How large a slice is, about.

    Attributes:
        idioms: The hashes that stand in more than ``most`` pieces, sorted; known once all are gathered.
    """

    def __init__(self, pieces: int, hashes: int, most: int, folder: Path | None, size: int) -> None:
        self._count, self._most, self._size = max(1, pieces), most, size
        self._hashes = Buckets(folder, -(-hashes // size), ("<u8", "<u4"))
        self._pairs = Buckets(folder, -(-hashes // size), ("<u8", "<u4"))
        self.idioms: Hashes = np.empty(0, np.uint64)

    def __enter__(self) -> _Pairs:
        return self

    def __exit__(self, *_: object) -> None:
        self._hashes.close()
        self._pairs.close()

    def of(self, marks: Iterator[tuple[int, Hashes]]) -> Iterator[tuple[Ints, Ints, Ints]]:
        """Pairs of pieces, the smaller number first, and how many hashes they share; some at a time."""
        self.gather(marks)
        yield from self.counted()

    def gather(self, marks: Iterator[tuple[int, Hashes]]) -> None:
        """Take in the hashes of all pieces."""
        pieces: list[int] = []
        hashes: list[Hashes] = []
        for piece, some in marks:
            pieces.append(piece)
            hashes.append(some)
            if len(pieces) >= _PIECES:
                self._put(pieces, hashes)
                pieces, hashes = [], []
        self._put(pieces, hashes)
        idioms = [np.empty(0, np.uint64)]
        for values, owners in self._hashes.read():
            idioms.append(self._pair(values, owners.astype(np.int64)))
        self.idioms = np.sort(np.concatenate(idioms))
        self._hashes.close()

    def counted(self) -> Iterator[tuple[Ints, Ints, Ints]]:
        """Pairs of pieces as by `of`, once all are gathered."""
        for keys, counts in self._pairs.read(limit=4 * self._size):
            pairs, common = _summed(keys.astype(np.int64), counts.astype(np.int64))
            yield pairs // self._count, pairs % self._count, common

    def _put(self, pieces: list[int], hashes: list[Hashes]) -> None:
        if pieces:
            owners = np.repeat(np.array(pieces, np.uint32), [len(some) for some in hashes])
            self._hashes.put(np.concatenate(hashes).astype(np.uint64, copy=False), owners)

    def _pair(self, values: Hashes, owners: Ints) -> Hashes:
        """Count the pairs of a slice; the hashes of it that stand in too many pieces."""
        order = np.argsort(values, kind="stable")
        values, owners = values[order], owners[order]
        starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]][: len(values)])
        sizes = np.diff(np.r_[starts, len(values)])
        for size in range(2, min(self._most, int(sizes.max(initial=0))) + 1):
            one, other = np.triu_indices(size, 1)
            here = starts[sizes == size]
            for first in range(0, len(here), step := max(1, self._size // len(one))):
                holders = np.sort(owners[here[first : first + step][:, None] + np.arange(size)], axis=1)
                keys = (holders[:, one] * self._count + holders[:, other]).reshape(-1)
                keys, counts = np.unique(keys, return_counts=True)
                self._pairs.put(keys.astype(np.uint64), counts.astype(np.uint32))
        idioms: Hashes = values[starts[sizes > self._most]]
        return idioms


def _summed(keys: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """Each key once, with the sum of its counts."""
    if not len(keys):
        return keys, counts
    order = np.argsort(keys, kind="stable")
    keys, counts = keys[order], counts[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    return keys[starts], np.add.reduceat(counts, starts)
