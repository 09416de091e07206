"""Holes: the bars of a song that are to be infilled, in blocks short enough for a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from symusic import Note, Score

from toccata.errors import RequestError
from toccata.midi.bars import BarMap
from toccata.tasks.compile import knows_meter
from toccata.tasks.fill import Hole, NoteRef
from toccata.tasks.voiced import Voiced
from toccata.tokenizers.grammar import Grammar
from toccata.tokenizers.rulebook import PitchRule, Script

BLOCK = 8
"""The most bars that are infilled at a time; longer holes are split into blocks."""
MAX_BARS = 1_000
"""The most bars of one request: an hour of music."""


@dataclass(frozen=True)
class Part:
    """New notes of one part of a song.

    Attributes:
        track: The index of their track in the song; indices from the number of its tracks on are new tracks.
        program: The program; -1 is the drums.
        notes: The notes, in the song's ticks.
        name: The name of a new track; empty: its instrument's name.
    """

    track: int
    program: int
    notes: tuple[Note, ...]
    name: str = ""


@dataclass(frozen=True)
class InfillJob:
    """One hole to be infilled.

    Attributes:
        hole: The bars, tracks and notes that are written anew.
        programs: The programs that are to play, -1 the drums; None: those that played there.
        pitch_rules: Returns the pitch rules of a hole, beside those of the request; None: there are none.
        template: Returns the script of a hole, which fixes some of its tokens; None: there is none.
        assign_tracks: Makes parts of the new music; None: :func:`~toccata.verbs.parts.assigned`.
        plan: Returns the chords of a hole in the version of a seed, in a key if one is requested; None: no chords.
        melody: Notes that stay, and stay the top line.
        original_tracks: The number of tracks before any program was added; those after them are of added programs.
    """

    hole: Hole
    programs: tuple[int, ...] | None = None
    pitch_rules: Callable[[Hole], tuple[PitchRule, ...]] | None = None
    template: Callable[[Hole], Script] | None = None
    assign_tracks: Callable[[Score, Score, BarMap, InfillJob], list[Part]] | None = None
    plan: Callable[[Hole, int, str | None], Voiced] | None = None
    melody: frozenset[NoteRef] = frozenset()
    original_tracks: int | None = None

    def of_bars(self, first: int, last: int) -> InfillJob:
        """Return the same job for some of its bars."""
        return replace(self, hole=replace(self.hole, first=first, last=last))


def halves(job: InfillJob) -> list[InfillJob]:
    """Split a job into two, for a model that cannot read the context of the whole hole."""
    hole = job.hole
    middle = (hole.first + hole.last) // 2
    return [job.of_bars(hole.first, middle), job.of_bars(middle, hole.last)]


def blocks(
    bars: BarMap,
    spans: Sequence[tuple[int, int]],
    tracks: frozenset[int] | None,
    preserved: frozenset[NoteRef] = frozenset(),
) -> list[Hole]:
    """Split spans of bars into holes, none longer than ``BLOCK`` and none across a change of meter.

    Args:
        bars: The song's bars.
        spans: First bar and the bar after the last one, counted from 0.
        tracks: The indices of the tracks to infill; None: all.
        preserved: Notes that are not replaced.

    Raises:
        RequestError: The song has no such bars, spans overlap, or they have more than ``MAX_BARS`` bars.
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
            holes += [Hole(a, b, tracks, preserved) for a, b in pairwise(edges)]
    return sorted(holes, key=lambda hole: hole.first)


def in_unknown_meters(grammar: Grammar, bars: BarMap, holes: Sequence[Hole]) -> tuple[frozenset[Hole], list[str]]:
    """Return the holes that are left out, as their meters are unknown to the model, and remarks; none if all are."""
    unknown = frozenset(hole for hole in holes if not knows_meter(grammar, bars.meters[hole.first]))
    if unknown.issuperset(holes):
        return frozenset(), []
    remarks = []
    for first, last in sorted({(hole.first, hole.last) for hole in unknown}):
        which = f"bar {last} is" if last == first + 1 else f"bars {first + 1} to {last} are"
        numerator, denominator = bars.meters[first]
        remarks.append(f"{which} left out: in {numerator}/{denominator}, a meter that the model does not know")
    return unknown, remarks


def bars_of(holes: Sequence[Hole]) -> list[int]:
    """Return all bars of some holes, sorted, each once."""
    return sorted({bar for hole in holes for bar in range(hole.first, hole.last)})
