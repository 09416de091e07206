"""How much of a piece stands in the music that a model was trained on, and how much does in music by people.

The longest passage of a piece that also stands in the training data, in any key, at any tempo, on any instrument, with
the file and the bar where it stands there; what counts as the same passage, and what is not found, is described in
``measure.lines``. Two things are no copies: a passage that for the most part repeats what was a few notes before (a
scale, a figure, a chord again and again), and one that stands in more than ``corpus.groups.COMMON`` pieces, which is
idiom. Passages of fewer than ``SHORT`` notes say nothing; pieces by different people share some of a dozen, which is
why the same figures of held-out pieces are part of an index.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.corpus.store import Corpus
from toccata.measure.figures import few, median
from toccata.measure.follower import SHORT, Follower, places
from toccata.measure.lines import Line, Notes, lines, pitched
from toccata.measure.passages import Index, Place
from toccata.measure.sketch import EVERY, Sketch
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.facts import GRAM

COPIED = 12
"""A note is counted as copied if it lies in a passage of so many notes."""

LENGTHS = (8, 16, 32, 64)
"""Lengths, in bars, of the openings of held-out pieces that are compared: longer music has longer known passages."""
BARS = LENGTHS[-1]
"""The most bars of a held-out piece that are compared."""

HELD_OUT = 100
"""The most held-out pieces that are compared."""


Known = Index | Sketch | Sequence[Index | Sketch]
"""What a model learned from, as it is looked up: an index, a thinned one, or several of which each has a part."""


@dataclass(frozen=True)
class Originality:
    """The longest passage of a piece that stands in the training data.

    Attributes:
        notes: New notes in it, at least ``SHORT``; 0 if there is none, and then all else is 0 or empty.
        bars: How long it is, in bars of the piece.
        path: The training piece, as the corpus calls it; the first of them, if it stands in several.
        bar: The bar of that piece in which it begins, from 1; None: a thinned index does not know it.
        piece_bar: The bar of the piece looked at in which it begins, from 1.
        share: Share of the new pitched notes, 0 to 1, that lie in passages of ``COPIED`` new notes and more.
        model: The ancestor that learned the training piece; empty for the model itself.
        at_least: Whether it was looked up in a thinned index, or in one, too: then ``notes``, ``bars`` and ``share``
            are lower bounds, and where there is none, there may be one.
        start: The tick of the piece looked at where it begins.
        end: The tick where it ends.
    """

    notes: int = 0
    bars: float = 0.0
    path: str = ""
    bar: int | None = 0
    piece_bar: int = 0
    share: float = 0.0
    model: str = ""
    at_least: bool = False
    start: int = 0
    end: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Normal:
    """The `Originality` of pieces that are no copies, as statistics of its notes and share.

    Attributes:
        pieces: How many were looked at.
        notes: Of the piece in the middle.
        notes_90: Nine in ten have no longer passage.
        share: Of the piece in the middle.
        share_90: Nine in ten have no larger share.
        bars: How long the music is, one of ``LENGTHS``; 0: up to ``BARS``, of several lengths (models made before the
            lengths were told apart).
    """

    pieces: int
    notes: int
    notes_90: int
    share: float
    share_90: float
    bars: int = 0

    @property
    def most(self) -> str:
        """The limit of nine pieces in ten, in words: ``usual up to 14``, or of how few pieces it is."""
        return f"up to {self.notes_90} in {few(self.pieces)}" if few(self.pieces) else f"usual up to {self.notes_90}"

    @property
    def middle(self) -> str:
        """The median, in words: ``16 bars by people usually share 9``, and of how few pieces it is."""
        bars, few_pieces = self.bars or f"up to {BARS}", few(self.pieces)
        return f"{bars} bars by people {'share' if few_pieces else 'usually share'} {self.notes or 'none'}" + (
            f" ({few_pieces})" if few_pieces else ""
        )


def build_index(
    corpus: Corpus,
    *,
    held_out: int = HELD_OUT,
    inherited: tuple[str, Index] | None = None,
    sketch: Sketch | None = None,
    unknown: Sequence[str] = (),
    known: Collection[int] = (),
) -> Index:
    """Index the training pieces of ``corpus``, and note what is normal for its other pieces; see `normals`.

    Args:
        corpus: What the model is trained on.
        held_out: At how many of the other pieces to look, at most.
        inherited: The name and the index of the model that it was finetuned from; their pieces are in the index, too.
        sketch: That of its ancestors' pieces, which the model keeps beside the index; None: there is none.
        unknown: The ancestors whose training pieces are unknown.
        known: Other pieces that those models have seen: they are not looked at.
    """
    index = Index.of((corpus.pieces.path(i), corpus.score(i)) for i in corpus.numbers("train").tolist())
    if inherited is not None or unknown:
        index = Index.merged([("", index), *([] if inherited is None else [inherited])])
        index.about["models"] += [[name, None] for name in unknown if (name, None) not in index.models]
    index.about.update(_about(corpus, index if sketch is None else (index, sketch), held_out, known))
    return index


def build_sketch(corpus: Corpus, *, every: int = EVERY, held_out: int = HELD_OUT) -> Sketch:
    """Make a thinned index of the training pieces of ``corpus``, and note what is normal for its other pieces.

    Args:
        corpus: What the model was trained on.
        every: It has a passage for each so many notes, about; see ``measure.sketch``.
        held_out: At how many of the other pieces to look, at most.
    """
    sketch = Sketch.of(((corpus.pieces.path(i), corpus.score(i)) for i in corpus.numbers("train").tolist()), every)
    sketch.about.update(_about(corpus, sketch, held_out))
    return sketch


def _about(corpus: Corpus, index: Known, held_out: int, known: Collection[int] = ()) -> dict[str, Any]:
    """What an index of ``corpus`` says of it: its digest, and what is normal for pieces that are not ``known``."""
    others = np.sort(np.concatenate([corpus.numbers("valid"), corpus.numbers("test")]))
    others = others[~np.isin(others, np.array(sorted(known), np.uint32))]
    chosen = others[:: max(1, -(-len(others) // max(1, held_out)))].tolist()
    found = {"normal": [asdict(one) for one in normals(index, map(corpus.score, chosen))]} if chosen else {}
    return {"corpus": corpus.digest, **found}


def normals(index: Known, scores: Iterable[Score]) -> list[Normal]:
    """Return what is normal in the openings of ``scores``, which are no training pieces, for each of ``LENGTHS``.

    A piece counts for the lengths that it has, and one that is shorter than all of them for the shortest. Lengths that
    no piece has are left out.
    """
    found: dict[int, list[Originality]] = {length: [] for length in LENGTHS}
    for score in scores:
        starts = bar_map(score).starts
        for length in LENGTHS:
            if length in (LENGTHS[0], *range(len(starts))):
                found[length].append(_of_opening(score, index, starts, length))
    return [_statistics(some, length) for length, some in found.items() if some]


def normal(index: Known, scores: Iterable[Score], bars: int = BARS) -> Normal:
    """Return what is normal in the first ``bars`` bars of ``scores``, and in all of shorter ones."""
    return _statistics([_of_opening(score, index, bar_map(score).starts, bars) for score in scores], 0)


def _of_opening(score: Score, index: Known, starts: NDArray[np.int64], bars: int) -> Originality:
    return originality(score, index, until=int(starts[min(bars, len(starts) - 1)]))


def _statistics(found: Sequence[Originality], bars: int) -> Normal:
    """Return the median and the 90th percentile."""
    if not found:
        return Normal(0, 0, 0, 0.0, 0.0, bars)
    notes, shares = sorted(one.notes for one in found), sorted(one.share for one in found)
    most = -(-9 * len(found) // 10) - 1
    share, share_90 = round(median(shares), 4), round(shares[most], 4)
    return Normal(len(found), median(notes), notes[most], share, share_90, bars)


def normals_of(index: Index | Sketch) -> tuple[Normal, ...]:
    """Return what is normal for held-out pieces of each length, as saved in the index; empty if there were none."""
    saved = index.about.get("normal") or ()
    return tuple(Normal(**one) for one in ([saved] if isinstance(saved, Mapping) else saved))


def nearest(found: Sequence[Normal], bars: int) -> Normal | None:
    """Return what is normal for pieces of about ``bars`` bars; of lengths with enough pieces, where there are any."""
    enough = [one for one in found if not few(one.pieces)] or found
    return min(enough, key=lambda one: abs(math.log((one.bars or BARS) / max(1, bars))), default=None)


def originality(
    score: Score, index: Known, *, since: int = 0, until: int | None = None, new: Score | None = None
) -> Originality:
    """Look for the longest passage of ``score`` that stands in the training data.

    Args:
        score: The piece.
        index: Of the training data; or several, of which each has a part of it.
        since: The tick from which its notes count, e.g. the end of a prompt.
        until: The tick from which they no longer do.
        new: The notes of it that are new, where the others were given: only bars in which new notes begin are looked
            at, only new notes are counted, and a passage without any is none. None: all notes are new.
    """
    notes, bars = pitched(score, since, until), bar_map(score)
    is_new, found = _new_notes(notes, score, new), []
    for one in (index,) if isinstance(index, Index | Sketch) else index:
        search = _Search(one, notes, is_new)
        for part in [np.arange(len(notes))] if new is None else search.new_parts(bars):
            search.look_at(part, score.ticks_per_quarter)
        found.append(search.found(bars))
    longest = max(found, key=lambda one: one.notes)  # the first of equals
    return replace(longest, share=max(f.share for f in found), at_least=any(f.at_least for f in found))


def known_share(score: Score, index: Index | Sketch, least: int = GRAM) -> float:
    """The share of the pitched notes of ``score``, 0 to 1, that lie in known passages of ``least`` notes and more."""
    notes = pitched(score)
    search = _Search(index, notes, np.ones(len(notes), bool), least)
    search.look_at(np.arange(len(notes)), score.ticks_per_quarter)
    return search.share


@dataclass(frozen=True)
class _Passage:
    """A passage that was found.

    Attributes:
        notes: How many of its notes are new.
        source: In an index, its symbols; in a sketch, the number of the training piece.
        begin: The tick where it begins.
        end: The tick where it ends.
    """

    notes: int = 0
    source: bytes | int = b""
    begin: int = 0
    end: int = 0


class _Search:
    """Looks up the lines of a piece, and keeps the longest passage and which notes are copied."""

    def __init__(self, index: Index | Sketch, notes: Notes, new: NDArray[np.bool_], least: int = COPIED) -> None:
        self.best = _Passage()
        self._index, self._notes, self._new, self._least = index, notes, new, least
        self._copied = np.zeros(len(notes), bool)

    @property
    def share(self) -> float:
        """The share of the new notes that lie in passages with ``least`` new notes."""
        new = int(self._new.sum())
        return round(float((self._copied & self._new).sum()) / new, 4) if new else 0.0

    def new_parts(self, bars: BarMap) -> Iterator[NDArray[np.int64]]:
        """The notes of each stretch of bars in which new notes begin: all of them, and the new ones alone."""
        bar = np.searchsorted(bars.starts, self._notes.time, side="right") - 1
        where = np.unique(bar[self._new])
        for stretch in np.split(where, np.flatnonzero(np.diff(where) > 1) + 1):
            here = np.flatnonzero(np.isin(bar, stretch))
            if len(here):
                yield here
            if not self._new[here].all():
                yield here[self._new[here]]

    def look_at(self, which: NDArray[np.int64], ticks_per_quarter: int) -> None:
        """Look up the lines that some of the notes make."""
        part = Notes(*(getattr(self._notes, f.name)[which] for f in fields(Notes)))
        for line in lines(part, ticks_per_quarter, merged=True):
            rows = which[line.notes]
            new = np.concatenate([[0], np.cumsum(self._new[rows])]).tolist()  # of the first notes of the line
            for first, last, source in self._passages(line):
                count = new[last + 1] - new[first]
                if count >= self._least:
                    self._copied[rows[first : last + 1]] = True
                if count > self.best.notes:
                    end = int(self._notes.end[rows[last]])
                    self.best = _Passage(count, source, int(line.onsets[first]), end)

    def found(self, bars: BarMap) -> Originality:
        """Return the longest passage; ``bars`` are those of the piece."""
        best, at_least = self.best, isinstance(self._index, Sketch)
        if best.notes < SHORT:
            return Originality(at_least=at_least)
        there = self._place(best.source)
        return Originality(
            notes=best.notes,
            bars=round(_bar_at(bars, best.end) - _bar_at(bars, best.begin), 2),
            path=there.path,
            bar=there.bar,
            piece_bar=bars.at(best.begin) + 1,
            share=self.share,
            model=there.model,
            at_least=at_least,
            start=best.begin,
            end=best.end,
        )

    def _passages(self, line: Line) -> Iterator[tuple[int, int, bytes | int]]:
        """Yield the passages of a line that are known: numbers of the first and the last note, and the source."""
        if isinstance(self._index, Sketch):
            yield from self._index.runs(line)
            return
        follower = Follower(self._index)
        for place, symbol in enumerate(line.symbols[1:].tolist(), 1):
            run = follower.read(*symbol)
            yield place + 1 - run.notes, place, run.passage

    def _place(self, source: bytes | int) -> Place:
        if isinstance(self._index, Sketch):
            assert isinstance(source, int)
            return self._index.place(source)
        assert isinstance(source, bytes)
        return self._index.place(min(places(self._index, source)))


def _new_notes(notes: Notes, score: Score, new: Score | None) -> NDArray[np.bool_]:
    """Return which notes of ``score`` are new, compared by onset and pitch."""
    if new is None:
        return np.ones(len(notes), bool)
    if new.ticks_per_quarter != score.ticks_per_quarter:
        new = new.resample(score.ticks_per_quarter, min_dur=1)
    fresh = pitched(new)
    marked: NDArray[np.bool_] = np.isin(notes.time << 7 | notes.pitch, fresh.time << 7 | fresh.pitch)
    return marked


def _bar_at(bars: BarMap, tick: int) -> float:
    """Return the place of ``tick`` in bars from the beginning."""
    bar = bars.at(tick)
    start, end = int(bars.starts[bar]), int(bars.starts[bar + 1])
    return bar + (tick - start) / (end - start)
