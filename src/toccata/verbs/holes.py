"""Holes: the bars of a song that are to be infilled, cut into pieces that a model can write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from symusic import Note, Score

from toccata.errors import RequestError
from toccata.midi.bars import BarMap
from toccata.tasks.fill import Hole, NoteRef
from toccata.tokenizers.rulebook import PitchRule, Script

BLOCK = 8
"""At most so many bars are written at a time; longer holes are written block by block."""
MAX_BARS = 1_000
"""At most so many bars are asked for in one request: an hour of music."""


@dataclass(frozen=True)
class Part:
    """New notes of one part of a song.

    Attributes:
        track: The number of the song's track they belong to; from the number of its tracks on, new ones.
        program: -1 is the drums.
        notes: At the song's ticks.
        name: What a new track is called; empty: its instrument's name.
    """

    track: int
    program: int
    notes: tuple[Note, ...]
    name: str = ""


@dataclass(frozen=True)
class InfillJob:
    """One hole to be infilled.

    Attributes:
        hole: What is cut out.
        programs: What is to play, -1 the drums; None: what played there.
        pitch_rules: The rules for the pitches of a hole, beside those of the request; None: there are none.
        template: What else says what may come; None: nothing does.
        assign_tracks: What makes parts of the new music, as :func:`assigned` does; None: that.
        original_tracks: How many tracks the song had before anything was added; the further ones are those of added
            programs.
    """

    hole: Hole
    programs: tuple[int, ...] | None = None
    pitch_rules: Callable[[Hole], tuple[PitchRule, ...]] | None = None
    template: Callable[[Hole], Script] | None = None
    assign_tracks: Callable[[Score, Score, BarMap, InfillJob], list[Part]] | None = None
    original_tracks: int | None = None

    def of_bars(self, first: int, last: int) -> InfillJob:
        """The same for some of its bars."""
        return replace(self, hole=replace(self.hole, first=first, last=last))


def halves(job: InfillJob) -> list[InfillJob]:
    """The same as two holes, for models that cannot read what stands around the whole one."""
    hole = job.hole
    middle = (hole.first + hole.last) // 2
    return [job.of_bars(hole.first, middle), job.of_bars(middle, hole.last)]


def blocks(
    bars: BarMap,
    spans: Sequence[tuple[int, int]],
    tracks: frozenset[int] | None,
    kept: frozenset[NoteRef] = frozenset(),
) -> list[Hole]:
    """Spans of bars as holes that can be written: none longer than ``BLOCK``, none across a change of meter.

    Args:
        bars: The song's.
        spans: First bar and the bar after the last one, counted from 0.
        tracks: Cut from these alone.
        kept: Notes that stay.

    Raises:
        RequestError: The song has no such bars, or spans overlap, or they are more than ``MAX_BARS``.
    """
    holes: list[Hole] = []
    taken: set[int] = set()
    count = sum(max(0, min(last, len(bars)) - first) for first, last in spans)
    if count > MAX_BARS:
        raise RequestError(
            f"{count:,} bars are asked for, and at most {MAX_BARS:,} are written at a time: name some of them "
            f"(bars=1-{MAX_BARS})"
        )
    for first, last in spans:
        if not 0 <= first < last <= len(bars):
            which = f"is no bar {last}" if last == first + 1 else f"are no bars {first + 1} to {last}"
            raise RequestError(f"there {which}: the song has {len(bars)}")
        if twice := taken & set(range(first, last)):
            raise RequestError(f"bar {min(twice) + 1} is asked for twice")
        taken |= set(range(first, last))
        for _, group in groupby(range(first, last), key=lambda bar: bars.meters[bar]):
            alike = list(group)
            count = -(-len(alike) // BLOCK)
            edges = [alike[0] + len(alike) * i // count for i in range(count + 1)]
            holes += [Hole(a, b, tracks, kept) for a, b in pairwise(edges)]
    return sorted(holes, key=lambda hole: hole.first)


def bars_of(holes: Sequence[Hole]) -> list[int]:
    """All bars of some holes, in their order, each once."""
    return sorted({bar for hole in holes for bar in range(hole.first, hole.last)})
