"""Follows music note by note and says how long a passage it has just copied from the pieces of an index."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from toccata.corpus.groups import COMMON
from toccata.measure.lines import TopLine, symbols_of
from toccata.measure.passages import DEEP, Index
from toccata.midi.facts import REPEATS

SHORT = 8
"""Passages of fewer notes than this are not spoken of."""

NEW = 0.5
"""The share of a passage's notes that have to be new: none of the few before again, nor part of a repeated figure."""

FIGURE = 16
"""A figure of up to so many notes is known as repeated by ``AGAIN`` notes on end that are those so long before."""
AGAIN = 3

_PROGRAMS = 128
_FEW = 16  # so many places and fewer are followed one by one


@dataclass(frozen=True)
class Run:
    """A passage that ends where a follower is.

    Attributes:
        notes: How many it has; 0 if there is none.
        passage: Its symbols, as `Index.find` reads them.
    """

    notes: int = 0
    passage: bytes = b""


_NONE = Run()


class Follower:
    """Reads one line, note by note, and knows the longest passage that ends with the last one read."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._symbols: list[tuple[int, int]] = []  # of the passage that is followed, from its second note on
        self._novel: list[bool] = []
        self._before: tuple[tuple[int, int], ...] = ()  # the last symbols, newest first, in the passage or not
        self._passage = b""
        self._slots = (0, len(index))
        self._at: list[int] | None = None  # where it stands, as soon as these are few

    def copy(self) -> Follower:
        """Another of the same state."""
        other = copy.copy(self)
        other._symbols, other._novel = self._symbols.copy(), self._novel.copy()
        return other

    def read(self, rhythm: int, interval: int) -> Run:
        """Read a note; what is then the longest passage, none if it is too short, says nothing, or is idiom."""
        symbol = (rhythm, interval)
        self._before = (symbol, *self._before[: FIGURE + AGAIN])
        self._novel.append(_is_new(self._before))
        self._symbols.append(symbol)
        if len(self._symbols) == 1 and not rhythm:
            self._drop()  # a passage begins with a new onset
            return _NONE
        added = bytes(symbol) if len(self._symbols) > 1 else bytes((interval,))
        self._passage += added
        if not self._narrowed():
            self._drop()
            while self._symbols and not self._found():
                self._drop()
        return self._telling() if len(self._symbols) + 1 >= SHORT else _NONE

    def _narrowed(self) -> bool:
        """Whether the passage, longer by a note, still stands somewhere."""
        if self._at is None:
            self._slots = self._index.narrow(self._passage, *self._slots)
            if len(self._symbols) == DEEP or 0 < self._slots[1] - self._slots[0] <= _FEW:
                self._at = self._index.places(self._slots).tolist()
            return self._slots[0] < self._slots[1]
        last, before = self._passage[-2:], len(self._symbols) - 1
        self._at = [at for at in self._at if self._index.goes_on(last, at, before)]
        return bool(self._at)

    def _found(self) -> bool:
        """Look the passage up anew."""
        self._at = None
        self._slots = self._index.find(self._passage[: 2 * DEEP - 1])
        count = self._slots[1] - self._slots[0]
        if count and (count <= _FEW or len(self._symbols) >= DEEP):
            self._at = _standing(self._index, self._passage, self._slots)
            return bool(self._at)
        return bool(count)

    def _drop(self) -> None:
        """Let the passage begin with the next onset it has."""
        heads = (i for i, (rhythm, _) in enumerate(self._symbols) if i and rhythm)
        gone = next(heads, len(self._symbols))
        del self._symbols[:gone], self._novel[:gone]
        self._passage = self._passage[2 * gone :]
        if not self._symbols:
            self._slots, self._at = (0, len(self._index)), None

    def _telling(self) -> Run:
        """The longest end of the passage of which enough is new; nothing if that is idiom."""
        length, new = len(self._symbols), sum(self._novel)
        for gone in range(length - SHORT + 2):
            if new <= max(REPEATS):
                return _NONE  # a figure has so many
            if (not gone or self._symbols[gone][0]) and new >= NEW * (length - gone):
                passage = self._passage[2 * gone :]
                return _NONE if self._is_idiom(passage, gone) else Run(length - gone + 1, passage)
            new -= self._novel[gone]
        return _NONE

    def _is_idiom(self, passage: bytes, gone: int) -> bool:
        if not gone and self._at is not None:
            return len(self._at) > COMMON and self._index.pieces(np.array(self._at)) > COMMON
        return self._index.pieces(np.array(places(self._index, passage))) > COMMON


def _is_new(symbols: tuple[tuple[int, int], ...]) -> bool:
    """Whether the first of some symbols, newest first, repeats none of the few before it and goes on with no figure."""
    near, far = symbols[1 : max(REPEATS) + 1], symbols[max(REPEATS) + 1 : FIGURE + 1]
    if symbols[0] in near:
        return False
    if symbols[0] not in far:
        return True
    lags = (lag for lag, other in enumerate(far, max(REPEATS) + 1) if other == symbols[0])
    return not any(symbols[lag : lag + AGAIN] == symbols[:AGAIN] for lag in lags)


def places(index: Index, passage: bytes) -> Sequence[int]:
    """The notes of the index' text at which ``passage`` stands, as `Index.place` takes them."""
    slots = index.find(passage[: 2 * DEEP - 1])
    return _standing(index, passage, slots)


def _standing(index: Index, passage: bytes, slots: tuple[int, int]) -> list[int]:
    at: list[int] = index.places(slots).tolist()
    return at if len(passage) < 2 * DEEP else [place for place in at if index.holds(passage, place)]


class Matcher:
    """Follows music while it is written, and says how long a passage it has just copied from the training data.

    Each instrument's texture and top line are followed, as `originality` does it, so what it counts is the same, where
    no instrument has several tracks and no two onsets are closer than a 16th of a quarter.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._voices: dict[int, tuple[_Voice, _Voice, TopLine]] = {}

    def copy(self) -> Matcher:
        """Another that has read the same: to try how a piece could go on."""
        other = Matcher(self._index)
        other._voices = {p: (a.copy(), b.copy(), top.copy()) for p, (a, b, top) in self._voices.items()}
        return other

    def push(self, onset: int, notes: Iterable[tuple[int, int, int]]) -> int:
        """Read the notes of one onset.

        Args:
            onset: In ticks, later than the one before.
            notes: Program, pitch and length in ticks of each; what has no General MIDI program (the drums have none) is
                passed over.

        Returns:
            Notes in the longest passage that ends here and stands in the training data; 0 if it is none to speak of.
        """
        longest = 0
        followed = sorted((note for note in notes if 0 <= note[0] < _PROGRAMS), key=lambda n: (n[0], n[1], -n[2]))
        for program, group in groupby(followed, key=lambda n: n[0]):
            ends: dict[int, int] = {}
            for _, pitch, length in group:
                ends.setdefault(pitch, onset + length)
            if program not in self._voices:
                self._voices[program] = (_Voice(self._index), _Voice(self._index), TopLine())
            texture, top, line = self._voices[program]
            longest = max(longest, texture.push(onset, list(ends)))
            if line.takes(onset, max(ends), ends[max(ends)]):
                longest = max(longest, top.push(onset, [max(ends)]))
        return longest


class _Voice:
    """A line that is being written: what its next symbols depend on, and its follower."""

    def __init__(self, index: Index) -> None:
        self._follower = Follower(index)
        self._onset = self._step = 0
        self._pitch = -1

    def copy(self) -> _Voice:
        other = copy.copy(self)
        other._follower = self._follower.copy()
        return other

    def push(self, onset: int, pitches: list[int]) -> int:
        """Read the pitches of one onset, ascending; notes in the longest passage that ends among them."""
        begins = self._pitch < 0
        below = pitches[0] if begins else self._pitch
        symbols = symbols_of(onset - self._onset, self._step, below, pitches)
        self._step = 0 if begins else onset - self._onset
        self._onset, self._pitch = onset, pitches[-1]
        return max((self._follower.read(*symbol).notes for symbol in symbols[begins:]), default=0)
