"""Merged ids, seen as the base tokens they stand for, all at once.

To know whether a merged id is allowed to its end, its parts have to be read one by one (``Cursor.admits``). This module
rules most others out with a few array operations over the whole vocabulary: parts that can never be side by side,
positions in the past or beyond the bar, and programs, pitches and meters that were not requested.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.scheme import Clock, Scheme
from toccata.tokenizers.vocabulary import DRUMS, Kind

Mask = NDArray[np.bool_]
NOWHERE = 2**20


class Merges:
    """The merged ids of a vocabulary.

    Attributes:
        parts: For each id the base tokens it stands for.
        first: ``intp[V]``, the first of them.
        singles: The id that stands for each base token alone.
        sound: ``bool[V]``, whether they can ever stand side by side.
    """

    def __init__(self, scheme: Scheme, parts: Sequence[Sequence[int]], follows: Mapping[Kind, frozenset[Kind]]) -> None:
        self.scheme = scheme
        self.parts = [tuple(p) for p in parts]
        self.singles = {p[0]: i for i, p in reversed(list(enumerate(self.parts))) if len(p) == 1}
        self.first = np.array([p[0] if p else 0 for p in self.parts], np.intp)
        self.sound = np.array([self._is_sound(p, follows) for p in self.parts])
        lengths = np.array([len(p) for p in self.parts])
        self._owner = np.repeat(np.arange(len(self.parts)), lengths)
        flat = np.array([b for p in self.parts for b in p], np.intp)
        self._kinds, self._values = scheme.vocabulary.kinds[flat], scheme.vocabulary.values[flat]
        inside = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths) > 0
        self._meter = self._one(Kind.TIME_SIG, inside)
        positions = (self._kinds == Kind.POSITION) & inside
        bars = np.array([any(scheme.kinds[b] in (Kind.BAR, Kind.REST) for b in p) for p in self.parts])
        self._lowest = np.full(len(self.parts), NOWHERE)
        np.minimum.at(self._lowest, self._owner[positions], self._values[positions])
        self._lowest[bars] = NOWHERE  # where a bar begins inside, its positions are not those of this bar
        self._highest = np.full(len(self.parts), -1)
        np.maximum.at(self._highest, self._owner[positions], self._values[positions])
        self._highest[self._meter >= 0] = -1  # nor, where the meter changes, of this length

    def within(self, plays: Mask, pitches: Mask | None) -> Mask:
        """The ids, ``bool[V]``, that hold nothing a request rules out for good."""
        bad = np.zeros(len(self._kinds), np.bool_)
        if self.scheme.has_programs:
            programs = self._kinds == Kind.PROGRAM
            bad[programs] = ~plays[self._values[programs]]
        if pitches is not None and not plays[DRUMS]:
            notes = np.isin(self._kinds, [Kind.PITCH, Kind.NOTE_ON])
            bad[notes] |= ~pitches[self._values[notes]]
        good = self.sound.copy()
        good[self._owner[bad]] = False
        return good

    def fitting(self, position: int, positions: int, meter: int, new_meters: bool) -> Mask:
        """The ids, ``bool[V]``, that fit after ``position`` in a bar of ``positions``, in a meter that may stand."""
        fits: Mask = self._highest < positions
        if self.scheme.timing.clock is Clock.POSITIONS:
            fits &= self._lowest > position
        if not new_meters:
            fits &= (self._meter < 0) | (self._meter == meter)
        return fits

    def _one(self, kind: Kind, inside: Mask) -> NDArray[np.int64]:
        """For each id the value of its part of this kind, past the first; -1 where there is none."""
        out = np.full(len(self.parts), -1)
        found = (self._kinds == kind) & inside
        out[self._owner[found]] = self._values[found]
        return out

    def _is_sound(self, parts: Sequence[int], follows: Mapping[Kind, frozenset[Kind]]) -> bool:
        kinds = [Kind(self.scheme.kinds[b]) for b in parts]
        if Kind.SPECIAL in kinds:
            return len(kinds) == 1
        if not all(b in follows.get(a, ()) for a, b in pairwise(kinds)):
            return False
        position = -1
        for kind, base in zip(kinds, parts, strict=True):
            if kind in (Kind.BAR, Kind.REST):
                position = -1
            elif kind is Kind.POSITION:
                if self.scheme.values[base] <= position:
                    return False
                position = self.scheme.values[base]
        return bool(kinds)
