"""How much of a piece stands in the music that a model was trained on, and how much does in music by people.

The longest passage of a piece that also stands in the training data, in any key, at any tempo, on any instrument, with
the file and the bar where it stands there; what counts as the same passage, and what is not found, is described in
``measure.lines``. Two things are no copies: a passage that for the most part repeats what was a few notes before (a
scale, a figure, a chord again and again), and one that stands in more than ``corpus.groups.COMMON`` pieces, which is
idiom. Passages of fewer than ``SHORT`` notes say nothing; pieces by different people share some of a dozen, which is
why the same figures of held-out pieces are part of an index.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.corpus.store import Corpus
from toccata.measure.figures import few
from toccata.measure.follower import SHORT, Follower, places
from toccata.measure.lines import Notes, lines, pitched
from toccata.measure.passages import Index
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.facts import GRAM

COPIED = 12
"""A note is counted as copied if it lies in a passage of so many notes."""

BARS = 64
"""Bars of each held-out piece that are compared: longer pieces have longer passages in common with others."""

HELD_OUT = 100
"""The most held-out pieces that are compared."""


@dataclass(frozen=True)
class Originality:
    """The longest passage of a piece that stands in the training data.

    Attributes:
        notes: New notes in it, at least ``SHORT``; 0 if there is none, and then all else is 0 or empty.
        bars: How long it is, in bars of the piece.
        path: The training piece, as the corpus calls it; the first of them, if it stands in several.
        bar: The bar of that piece in which it begins, from 1.
        piece_bar: The bar of the piece looked at in which it begins, from 1.
        share: Share of the new pitched notes, 0 to 1, that lie in passages of ``COPIED`` new notes and more.
        model: The ancestor that learned the training piece; empty for the model itself.
    """

    notes: int = 0
    bars: float = 0.0
    path: str = ""
    bar: int = 0
    piece_bar: int = 0
    share: float = 0.0
    model: str = ""

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
    """

    pieces: int
    notes: int
    notes_90: int
    share: float
    share_90: float

    @property
    def most(self) -> str:
        """The limit of nine pieces in ten, in words: ``usual up to 14``, or of how few pieces it is."""
        return f"up to {self.notes_90} in {few(self.pieces)}" if few(self.pieces) else f"usual up to {self.notes_90}"

    @property
    def middle(self) -> str:
        """The median, in words: ``in music by people 9 are usual``, or of how few pieces it is."""
        usual = f"({few(self.pieces)})" if few(self.pieces) else "are usual"
        return f"in music by people {self.notes} {usual}"


def build_index(
    corpus: Corpus,
    *,
    held_out: int = HELD_OUT,
    inherited: tuple[str, Index] | None = None,
    unknown: Sequence[str] = (),
    known: Collection[int] = (),
) -> Index:
    """Index the training pieces of ``corpus``, and note what is normal for its other pieces; see `normal_of`.

    Args:
        corpus: What the model is trained on.
        held_out: At how many of the other pieces to look, at most.
        inherited: The name and the index of the model that it was finetuned from; their pieces are in the index, too.
        unknown: The ancestors whose training pieces are unknown.
        known: Other pieces that those models have seen: they are not looked at.
    """
    index = Index.of((corpus.pieces.path(i), corpus.score(i)) for i in corpus.numbers("train").tolist())
    if inherited is not None or unknown:
        index = Index.merged([("", index), *([] if inherited is None else [inherited])])
        index.about["models"] += [[name, None] for name in unknown if (name, None) not in index.models]
    others = np.sort(np.concatenate([corpus.numbers("valid"), corpus.numbers("test")]))
    others = others[~np.isin(others, np.array(sorted(known), np.uint32))]
    index.about["corpus"] = corpus.digest
    if chosen := others[:: max(1, -(-len(others) // max(1, held_out)))].tolist():
        index.about["normal"] = asdict(normal(index, (corpus.score(i) for i in chosen)))
    return index


def normal(index: Index, scores: Iterable[Score], bars: int = BARS) -> Normal:
    """Return what is normal in the first bars of ``scores``, which are no training pieces: median, 90th percentile."""
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
    """Return what is normal for held-out pieces, as saved in the index; None if there were none."""
    saved = index.about.get("normal")
    return Normal(**saved) if isinstance(saved, Mapping) else None


def originality(
    score: Score, index: Index, *, since: int = 0, until: int | None = None, new: Score | None = None
) -> Originality:
    """Look for the longest passage of ``score`` that stands in the training data.

    Args:
        score: The piece.
        index: Of the training data.
        since: The tick from which its notes count, e.g. the end of a prompt.
        until: The tick from which they no longer do.
        new: The notes of it that are new, where the others were given: only bars in which new notes begin are looked
            at, only new notes are counted, and a passage without any is none. None: all notes are new.
    """
    notes, bars = pitched(score, since, until), bar_map(score)
    search = _Search(index, notes, _new_notes(notes, score, new))
    for part in [np.arange(len(notes))] if new is None else search.new_parts(bars):
        search.look_at(part, score.ticks_per_quarter)
    best = search.best
    if best.notes < SHORT:
        return Originality()
    there = index.place(min(places(index, best.passage)))
    return Originality(
        notes=best.notes,
        bars=round(_bar_at(bars, best.end) - _bar_at(bars, best.begin), 2),
        path=there.path,
        bar=there.bar,
        piece_bar=bars.at(best.begin) + 1,
        share=search.share,
        model=there.model,
    )


def known_share(score: Score, index: Index, least: int = GRAM) -> float:
    """The share of the pitched notes of ``score``, 0 to 1, that lie in known passages of ``least`` notes and more."""
    notes = pitched(score)
    search = _Search(index, notes, np.ones(len(notes), bool), least)
    search.look_at(np.arange(len(notes)), score.ticks_per_quarter)
    return search.share


@dataclass(frozen=True)
class _Passage:
    """A passage that was found: its new notes, its symbols, and the ticks where it begins and where it ends."""

    notes: int = 0
    passage: bytes = b""
    begin: int = 0
    end: int = 0


class _Search:
    """Looks up the lines of a piece, and keeps the longest passage and which notes are copied."""

    def __init__(self, index: Index, notes: Notes, new: NDArray[np.bool_], least: int = COPIED) -> None:
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
            follower, rows = Follower(self._index), which[line.notes]
            new = np.concatenate([[0], np.cumsum(self._new[rows])]).tolist()  # of the first notes of the line
            for place, (rhythm, interval) in enumerate(line.symbols[1:].tolist(), 1):
                run = follower.read(rhythm, interval)
                first = place + 1 - run.notes
                count = new[place + 1] - new[first]
                if count >= self._least:
                    self._copied[rows[first : place + 1]] = True
                if count > self.best.notes:
                    end = int(self._notes.end[rows[place]])
                    self.best = _Passage(count, run.passage, int(line.onsets[first]), end)


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
