"""The latest token of each kind, which a decoder can be given beside each token: what is in force where it stands.

A token of an event tokenizer says little by itself: the position, the instrument, the duration that hold for a pitch
were written before it, and a small decoder spends much of what it can learn on finding them again. With
``DecoderConfig.latest`` it is given them: beside the embedding of a token, those of the latest token of each kind are
added up. They follow from the ids alone, so nothing changes about what can be written. Free of torch.

A kind is ``(first, end, by)``: the ids from ``first`` to ``end - 1``. ``by`` is the place of another kind, by whose
latest token this one is remembered (the last duration of each instrument), or -1. Each kind has its own rows in one
table of embeddings: one for each of its ids, and a last one for "none yet".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Kinds = Sequence[tuple[int, int, int]]
Rows = NDArray[np.int64]


def size(kinds: Kinds) -> int:
    """How many rows the table has."""
    return sum(end - first + 1 for first, end, _ in kinds)


def offsets(kinds: Kinds) -> list[int]:
    """The first row of each kind."""
    return [size(kinds[:k]) for k in range(len(kinds))]


def latest(kinds: Kinds, ids: NDArray[np.integer]) -> Rows:
    """The table's rows ``int64[T, kinds]`` for a whole sequence ``ids int[T]``: a token's own id counts."""
    ids = np.asarray(ids, np.int64)
    found = np.zeros((len(ids), len(kinds)), np.int64)
    places = np.arange(len(ids))
    for k, ((first, end, by), offset) in enumerate(zip(kinds, offsets(kinds), strict=True)):
        key = found[:, by] if by >= 0 else np.zeros(len(ids), np.int64)
        order = np.argsort(key, kind="stable")  # those of a key together, the earliest first
        here = (ids[order] >= first) & (ids[order] < end)
        last = np.maximum.accumulate(np.where(here, places, -1))
        known = last >= np.searchsorted(key[order], key[order])
        found[order, k] = offset + np.where(known, ids[order][last] - first, end - first)
    return found


class Memory:
    """The same, token by token, for sequences that are being written.

    Attributes:
        rows: ``int64[sequences, 1, kinds]``, the table's rows at the last token of each sequence; changed in place.
    """

    def __init__(self, kinds: Kinds, sequences: int) -> None:
        """For so many sequences, all of them empty."""
        self._kinds, self._offsets = tuple(kinds), offsets(kinds)
        self._none = [offset + end - first for (first, end, _), offset in zip(kinds, self._offsets, strict=True)]
        self._of_id: dict[int, list[int]] = {}
        for k, (first, end, _) in enumerate(kinds):
            for one in range(first, end):
                self._of_id.setdefault(one, []).append(k)
        self._kept_by = [[d for d, (_, _, by) in enumerate(kinds) if by == k] for k in range(len(kinds))]
        self.rows = np.tile(np.array(self._none, np.int64), (sequences, 1, 1))
        self._known: list[dict[tuple[int, int], int]] = [{} for _ in range(sequences)]

    def begin(self, sequence: int, ids: NDArray[np.integer]) -> Rows:
        """Begin a sequence anew with ``ids``; the rows ``int64[T, kinds]`` at each of them."""
        self.rows[sequence, 0] = self._none
        self._known[sequence] = {}
        for one in np.asarray(ids).tolist():
            self._read(sequence, one)
        return latest(self._kinds, ids)

    def append(self, ids: NDArray[np.integer]) -> None:
        """Append one token to each of the first sequences."""
        for sequence, one in enumerate(ids.tolist()):
            self._read(sequence, one)

    def copy(self, source: int, target: int) -> None:
        """Let sequence ``target`` be as ``source`` is."""
        self.rows[target] = self.rows[source]
        self._known[target] = dict(self._known[source])

    def _read(self, sequence: int, one: int) -> None:
        now, known = self.rows[sequence, 0], self._known[sequence]
        for k in self._of_id.get(one, ()):
            first, _, by = self._kinds[k]
            row = self._offsets[k] + one - first
            if by >= 0:
                known[k, int(now[by])] = row
            self._put(now, known, k, row)

    def _put(self, now: Rows, known: dict[tuple[int, int], int], k: int, row: int) -> None:
        """Note the latest of a kind, and with it what is remembered by it."""
        now[k] = row
        for other in self._kept_by[k]:
            self._put(now, known, other, known.get((other, row), self._none[other]))
