"""How much of a piece stands in the music that a model was trained on, and how much does in music by people.

The longest passage of a piece that also stands in the training data, in any key, at any tempo, on any instrument, with
the file and the bar where it stands there; what counts as the same passage, and what is not found, is said in
``measure.lines``. Two things are no copies: a passage that for the most part repeats what was a few notes before (a
scale, a figure, a chord again and again), and one that stands in more than ``corpus.groups.COMMON`` pieces, which is
idiom. Passages of fewer than ``SHORT`` notes say nothing; pieces by different people share some of a dozen, which is
why the same figures of held-out pieces are part of an index.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np
from symusic import Score

from toccata.corpus.groups import COMMON
from toccata.corpus.store import Corpus
from toccata.measure.lines import TopLine, lines, pitched, symbols_of
from toccata.measure.passages import DEEP, Index
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.facts import REPEATS

SHORT = 8
"""Passages of fewer notes than this are not spoken of."""

NEW = 0.5
"""The share of a passage's notes that have to be new: none of the few before again, nor part of a repeated figure."""

FIGURE = 16
"""A figure of up to so many notes is known as repeated by ``AGAIN`` notes on end that are those so long before."""
AGAIN = 3

COPIED = 12
"""A note is counted as copied if it lies in a passage of so many notes."""

BARS = 64
"""How much of each held-out piece is looked at: longer pieces have longer passages in common with others."""

HELD_OUT = 100
"""How many held-out pieces are looked at, at most."""

_PROGRAMS = 128
_FEW = 16  # so many places and fewer are followed one by one


@dataclass(frozen=True)
class Originality:
    """The longest passage of a piece that stands in the training data.

    Attributes:
        notes: Notes in it, at least ``SHORT``; 0 if there is none, and then all else is 0 or empty.
        bars: How long it is, in bars of the piece.
        path: The training piece, as the corpus calls it; the first of them, if it stands in several.
        bar: The bar of that piece in which it begins, from 1.
        piece_bar: The bar of the piece looked at in which it begins, from 1.
        share: Share of the pitched notes, 0 to 1, that lie in such passages of ``COPIED`` notes and more.
    """

    notes: int = 0
    bars: float = 0.0
    path: str = ""
    bar: int = 0
    piece_bar: int = 0
    share: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Normal:
    """What is found in pieces that are no copies: the notes and the share of `Originality`.

    Attributes:
        pieces: How many were looked at.
        notes: Of the piece in the middle.
        notes_90: Nine in ten have no longer passage.
        share: Of the piece in the middle.
        share_90: Nine in ten have no larger share.
    """

    pieces: int
    notes: int
    notes_90: int
    share: float
    share_90: float


def build_index(corpus: Corpus, *, held_out: int = HELD_OUT) -> Index:
    """Index the training pieces of ``corpus``, and note what is normal for its other pieces; see `normal_of`.

    Args:
        corpus: What the model is trained on.
        held_out: At how many of the other pieces to look, at most.
    """
    index = Index.of((corpus.pieces[i].path, corpus.score(i)) for i in corpus.split("train"))
    others = sorted([*corpus.split("valid"), *corpus.split("test")])
    index.about["corpus"] = corpus.digest
    if chosen := others[:: max(1, -(-len(others) // max(1, held_out)))]:
        index.about["normal"] = asdict(normal(index, (corpus.score(i) for i in chosen)))
    return index


def normal(index: Index, scores: Iterable[Score], bars: int = BARS) -> Normal:
    """What is found in the first bars of ``scores``, which are no training pieces: the middle, and nine in ten."""
    found = []
    for score in scores:
        starts = bar_map(score).starts
        found.append(originality(score, index, until=int(starts[min(bars, len(starts) - 1)])))
    notes, shares = sorted(f.notes for f in found), sorted(f.share for f in found)
    if not found:
        return Normal(0, 0, 0, 0.0, 0.0)
    middle, most = (len(found) - 1) // 2, -(-9 * len(found) // 10) - 1
    return Normal(len(found), notes[middle], notes[most], round(shares[middle], 4), round(shares[most], 4))


def normal_of(index: Index) -> Normal | None:
    """What is normal, as it was found when the index was built; None if there were no held-out pieces."""
    said = index.about.get("normal")
    return Normal(**said) if isinstance(said, Mapping) else None


def originality(score: Score, index: Index, *, since: int = 0, until: int | None = None) -> Originality:
    """Look for the longest passage of ``score`` that stands in the training data.

    Args:
        score: The piece.
        index: Of the training data.
        since: The tick from which its notes count, e.g. the end of a prompt.
        until: The tick from which they no longer do.
    """
    notes = pitched(score, since, until)
    copied = np.zeros(len(notes), bool)
    best = _Run()
    bounds = (0, 0)
    for line in lines(notes, score.ticks_per_quarter, merged=True):
        follower = Follower(index)
        for place, (rhythm, interval) in enumerate(line.symbols[1:].tolist(), 1):
            run = follower.read(rhythm, interval)
            first = place + 1 - run.notes
            if run.notes >= COPIED:
                copied[line.notes[first : place + 1]] = True
            if run.notes > best.notes:
                best, bounds = run, (int(line.notes[first]), int(line.notes[place]))
                begins = int(line.onsets[first])
    if not best.notes:
        return Originality()
    bars = bar_map(score)
    there = index.place(min(_places(index, best.passage)))
    return Originality(
        notes=best.notes,
        bars=round(_bar_at(bars, int(notes.end[bounds[1]])) - _bar_at(bars, begins), 2),
        path=there.path,
        bar=there.bar,
        piece_bar=bars.at(begins) + 1,
        share=round(float(copied.mean()), 4),
    )


@dataclass(frozen=True)
class _Run:
    """A passage that ends where a follower is: how many notes, and its symbols, as `Index.find` reads them."""

    notes: int = 0
    passage: bytes = b""


_NONE = _Run()


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

    def read(self, rhythm: int, interval: int) -> _Run:
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

    def _telling(self) -> _Run:
        """The longest end of the passage of which enough is new; nothing if that is idiom."""
        length, new = len(self._symbols), sum(self._novel)
        for gone in range(length - SHORT + 2):
            if new <= max(REPEATS):
                return _NONE  # a figure has so many
            if (not gone or self._symbols[gone][0]) and new >= NEW * (length - gone):
                passage = self._passage[2 * gone :]
                return _NONE if self._is_idiom(passage, gone) else _Run(length - gone + 1, passage)
            new -= self._novel[gone]
        return _NONE

    def _is_idiom(self, passage: bytes, gone: int) -> bool:
        if not gone and self._at is not None:
            return len(self._at) > COMMON and self._index.pieces(np.array(self._at)) > COMMON
        return self._index.pieces(np.array(_places(self._index, passage))) > COMMON


def _is_new(symbols: tuple[tuple[int, int], ...]) -> bool:
    """Whether the first of some symbols, newest first, repeats none of the few before it and goes on with no figure."""
    near, far = symbols[1 : max(REPEATS) + 1], symbols[max(REPEATS) + 1 : FIGURE + 1]
    if symbols[0] in near:
        return False
    if symbols[0] not in far:
        return True
    lags = (lag for lag, other in enumerate(far, max(REPEATS) + 1) if other == symbols[0])
    return not any(symbols[lag : lag + AGAIN] == symbols[:AGAIN] for lag in lags)


def _places(index: Index, passage: bytes) -> Sequence[int]:
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
        heard = sorted((note for note in notes if 0 <= note[0] < _PROGRAMS), key=lambda n: (n[0], n[1], -n[2]))
        for program, group in groupby(heard, key=lambda n: n[0]):
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


def _bar_at(bars: BarMap, tick: int) -> float:
    """Where ``tick`` is, in bars from the beginning."""
    bar = bars.at(tick)
    start, end = int(bars.starts[bar]), int(bars.starts[bar + 1])
    return bar + (tick - start) / (end - start)
