"""Bars of a song written anew, and instruments added to it; everything else stays as it was, event for event.

A song is written bar by bar of its holes: each hole is a request of its own, in whose context what was written before
already stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from symusic import Note, Score, Track

from toccata.errors import RequestError
from toccata.midi import gm
from toccata.midi import replace as replace_in
from toccata.midi.bars import BarMap, rescaled_onset
from toccata.midi.locks import Lock
from toccata.midi.spread import Line, line_of, spread
from toccata.midi.tracks import chosen_tracks as chosen_tracks
from toccata.piece import Piece
from toccata.tasks.fill import Hole, Kept, cut
from toccata.tasks.prompt import Source
from toccata.tokenizers.rulebook import PitchRule, Script

BLOCK = 8
"""At most so many bars are written at a time; longer holes are written block by block."""
MAX_BARS = 1_000
"""At most so many bars are asked for in one request: an hour of music."""
_LINE = 32
"""Notes of a part by which it is known where its line goes."""


@dataclass(frozen=True)
class Ask:
    """One hole to be filled.

    Attributes:
        hole: What is cut out.
        programs: What is to play, -1 the drums; None: what played there.
        moving: The rules for the pitches of a hole, beside those of the request; None: there are none.
        script: What else says what may come; None: nothing does.
        deal: What makes parts of the new music, as :func:`dealt` does; None: that.
        own: How many tracks the song had before anything was added; the further ones are those of added programs.
    """

    hole: Hole
    programs: tuple[int, ...] | None = None
    moving: Callable[[Hole], tuple[PitchRule, ...]] | None = None
    script: Callable[[Hole], Script] | None = None
    deal: Callable[[Score, Score, BarMap, Ask], list[Part]] | None = None
    own: int | None = None


def halves(ask: Ask) -> list[Ask]:
    """The same as two holes, for models that cannot read what stands around the whole one."""
    hole = ask.hole
    middle = (hole.first + hole.last) // 2
    spans = (hole.first, middle), (middle, hole.last)
    return [replace(ask, hole=replace(hole, first=first, last=last)) for first, last in spans]


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


def blocks(
    bars: BarMap,
    spans: Sequence[tuple[int, int]],
    tracks: frozenset[int] | None,
    kept: frozenset[Kept] = frozenset(),
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
    asked = sum(max(0, min(last, len(bars)) - first) for first, last in spans)
    if asked > MAX_BARS:
        raise RequestError(
            f"{asked:,} bars are asked for, and at most {MAX_BARS:,} are written at a time: name some of them (--bars "
            f"1-{MAX_BARS})"
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


def locks_of(song: Source) -> tuple[Lock, ...]:
    """What a song has locked: nothing, if it is no Piece."""
    return song.locks if isinstance(song, Piece) else ()


def dealt(new: Score, song: Score, bars: BarMap, ask: Ask) -> list[Part]:
    """New music for a hole as parts of the song.

    Args:
        new: As the model wrote it, a track for each program; tick 0 is the beginning of the hole.
        song: As it stands, what was cut out included.
        bars: Its bars.
        ask: What was asked for.
    """
    start = int(bars.starts[ask.hole.first])
    scale = song.ticks_per_quarter / new.ticks_per_quarter
    parts: list[Part] = []
    following = len(song.tracks)
    for track in new.tracks:
        program = -1 if track.is_drum else int(track.program)
        notes = [
            (
                start + rescaled_onset(n.time, song.ticks_per_quarter, new.ticks_per_quarter),
                start + round(n.end * scale),
                n.pitch,
                n.velocity,
            )
            for n in sorted(track.notes, key=lambda n: (n.time, n.pitch))
        ]
        mine = _tracks_of(song, ask, program)
        if not mine:
            parts.append(_part(following, program, notes))
            following += 1
            continue
        lines = [_line(song.tracks[number], start) for number in mine]
        shares = spread(notes, lines) if len(mine) > 1 else [notes]
        parts += [_part(number, program, share) for number, share in zip(mine, shares, strict=True) if share]
    return parts


def _tracks_of(song: Score, ask: Ask, program: int) -> list[int]:
    """The song's tracks that were cut and play ``program``; where none does, all that were cut, of one kind.

    Of an added program it is the track that was added for it, if one was.
    """
    if ask.programs is not None:
        added = range(len(song.tracks) if ask.own is None else ask.own, len(song.tracks))
        return [number for number in added if _program(song.tracks[number]) == program][:1]
    cut_tracks = [n for n in range(len(song.tracks)) if ask.hole.tracks is None or n in ask.hole.tracks]
    cut_tracks = [n for n in cut_tracks if len(song.tracks[n].notes)]
    of_program = [n for n in cut_tracks if _program(song.tracks[n]) == program]
    # A model without programs writes everything as a piano.
    return of_program or [n for n in cut_tracks if song.tracks[n].is_drum == (program == -1)]


def _program(track: Track) -> int:
    return -1 if track.is_drum else int(track.program)


def _line(track: Track, start: int) -> Line:
    notes = sorted((n.time, n.pitch) for n in track.notes)
    before = [note for note in notes if note[0] < start][-_LINE:]
    return line_of(before or notes[:_LINE])


def _part(number: int, program: int, notes: Sequence[tuple[int, int, int, int]]) -> Part:
    return Part(number, program, tuple(Note(a, max(1, b - a), pitch, velocity) for a, b, pitch, velocity in notes))


def written(song: Score, bars: BarMap, ask: Ask, parts: Sequence[Part]) -> Score:
    """The song with a hole filled: what the next hole is written into."""
    out = cut(song, bars, ask.hole)[0]
    for part in parts:
        while len(out.tracks) <= part.track:
            out.tracks.append(Track("", max(part.program, 0), part.program == -1))
        out.tracks[part.track].notes.extend(part.notes)
        out.tracks[part.track].notes.sort(key=lambda n: (n.time, n.pitch))
    return out


def alone(song: Score, parts: Sequence[Part]) -> Score:
    """The new notes without the song's own."""
    out = Score(song.ticks_per_quarter)
    for part in parts:
        track = Track("", max(part.program, 0), part.program == -1)
        track.notes.extend(part.notes)
        out.tracks.append(track)
    return out


def rewritten(midi: bytes, song: Score, bars: BarMap, asks: Sequence[Ask], parts: Sequence[Part], text: str) -> bytes:
    """The song's own file with what was asked for in place of what was cut out; the rest event for event.

    Raises:
        MidiError: The file cannot be taken apart, or has no channel left for a new instrument.
    """
    holes = []
    for ask in asks:
        end = int(bars.starts[ask.hole.last])
        end = max(end, song.end() + 1) if ask.hole.last == len(bars) else end
        holes.append(replace_in.Hole(int(bars.starts[ask.hole.first]), end, ask.hole.tracks, ask.hole.kept))
    new, targets = Score(song.ticks_per_quarter), []
    for number in sorted({part.track for part in parts}):
        mine = [part for part in parts if part.track == number]
        first = mine[0]
        drums = first.program == -1
        track = Track(gm.track_name(first.name, first.program, drums), max(first.program, 0), drums)
        for part in mine:
            track.notes.extend(part.notes)
        track.sort()
        new.tracks.append(track)
        targets.append(number if number < len(song.tracks) else None)
    return replace_in.replace_notes(midi, holes, new, targets, text=text)
