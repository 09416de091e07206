"""Compilation of bars whose rhythm is preserved: a task with a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
from symusic import Score

from toccata.errors import RequestError
from toccata.midi.bars import BarMap
from toccata.midi.edit import slice_ticks
from toccata.tasks.compile import compile_request
from toccata.tasks.fill import TOO_LONG, Hole, cut
from toccata.tasks.passage import passage
from toccata.tasks.request import Request, Task
from toccata.tasks.revoice import Freedom, Revoicing, Song, matched, revoicing
from toccata.tasks.script import PitchScript, slots
from toccata.tasks.vary import span
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.rulebook import Constraints

_HEADER = 8
"""The most ids of a script that are in the prompt."""


@dataclass(frozen=True)
class Scripted:
    """A task with a script, and the voices of its open pitches.

    Attributes:
        task: The task.
        parts: The voices with open pitches.
        before: How many notes of the script are in the prompt.
    """

    task: Task
    parts: Revoicing
    before: int

    def apply_pitches(self, begun: Sequence[int], song: Song) -> int:
        """Set the notes of ``song`` to the decoded pitches; return the number of notes that were open."""
        for first, numbers in self.parts.notes.items():
            for number in numbers:
                song.pitches[number] = begun[first - self.before]
        return sum(map(len, self.parts.notes.values()))


def scripted_infill(
    tokenizer: Tokenizer,
    score: Score,
    bars: BarMap,
    hole: Hole,
    song: Song,
    free: Freedom,
    context: int,
    *,
    changed: bool,
) -> Scripted | None:
    """Compile the infilling of a hole with a script; None: no pitch in it is open.

    Args:
        tokenizer: The model's tokenizer.
        score: The current song.
        bars: Its bars.
        hole: The bars to vary.
        song: The current notes of the song.
        free: Which of them may change pitch.
        context: The model's context length, in ids.
        changed: Whether some pitch has changed already; else one has to, if it can.

    Raises:
        RequestError: The hole is too long for the model.
    """
    grammar = tokenizer.grammar()
    start, stop = span(score, bars, hole)
    removed = slice_ticks(cut(score, bars, hole)[1], start, stop)
    ids = tokenizer.encode(removed, start=False).ids.tolist()
    base = [part for token in ids for part in grammar.base(token)]
    found = slots(grammar, base, bars.meters[hole.first])
    seen = _seen(song, start, stop, hole.tracks)
    grid = song.ticks_per_quarter / grammar.scheme.timing.ticks_per_quarter
    parts = revoicing(song, found, matched(song, found, seen, start, grid), free)
    if not parts.notes:
        return None
    room = min(context * 2 // 3, context - len(ids) - _HEADER)
    if room < context // 3:
        if hole.last - hole.first > 1:
            raise RequestError(f"bars {hole.first + 1} to {hole.last} hold too much at a time", kind=TOO_LONG)
        room = context // 3  # a single bar of so many notes slides
    # How many notes each track plays at once, and where, the script says.
    without = frozenset(("players", "lines"))
    request = Request(prompt=score, prompt_bars=bars, hole=hole, bars=hole.last - hole.first, without=without)
    task = compile_request(request, tokenizer, room)
    task = replace(task, slides=True)
    given = [part for token in task.ids[task.skip :].tolist() for part in grammar.base(token)]
    skip = len(given) if base[: len(given)] == given else 0
    script = PitchScript(grammar.scheme, base, parts.voices, parts.pitches, skip=skip, changed=changed)
    task.cursor.constraints = replace(task.cursor.constraints, script=script)
    return Scripted(task, parts, sum(slot.place < skip for slot in found))


def scripted_continuation(
    tokenizer: Tokenizer,
    score: Score,
    bars: BarMap,
    hole: Hole,
    song: Song,
    free: Freedom,
    context: int,
    *,
    changed: bool,
) -> Scripted | None:
    """Compile the bars as a continuation with a script, for models that cannot infill; None: no pitch is open.

    The prompt is everything up to the first open pitch; the notes of other tracks are in the script.
    """
    grammar, room = tokenizer.grammar(), context * 2 // 3
    first = max(0, hole.first - max(8, room // 32))
    while True:
        ids = passage(tokenizer, score, bars, first, hole.last).ids.tolist()
        ids = ids if ids and ids[-1] == tokenizer.eos else [*ids, tokenizer.eos]
        base = [part for token in ids for part in grammar.base(token)]
        meter = bars.meters[first]
        found = slots(grammar, base, meter)
        origin, stop = span(score, bars, Hole(first, hole.last))
        grid = song.ticks_per_quarter / grammar.scheme.timing.ticks_per_quarter
        owners = matched(song, found, _seen(song, origin, stop, None), origin, grid)
        parts = revoicing(song, found, owners, free)
        if not parts.notes:
            return None
        ends = list(accumulate(len(grammar.base(token)) for token in ids))
        known = sum(end <= found[min(parts.notes)].place for end in ends)
        if known <= room or first == hole.first:
            break
        first += max(1, (hole.first - first) // 3)
    cursor = grammar.cursor(Constraints(), meter=meter)
    for token in ids[:known]:
        cursor.advance(token)
    skip = ends[known - 1] if known else 0
    script = PitchScript(grammar.scheme, base, parts.voices, parts.pitches, skip=skip, changed=changed)
    cursor.constraints, cursor.place = Constraints(script=script), 0
    read = ids[max(0, known - room) : known] or [tokenizer.bos]
    task = Task(np.array(read, np.int32), cursor, 0, int(bars.starts[hole.first]), max(cursor.state.bar, 0))
    return Scripted(task, parts, sum(slot.place < skip for slot in found))


def _seen(song: Song, start: int, stop: int, tracks: frozenset[int] | None) -> list[int]:
    """Return the notes that are encoded: those that begin in a span of ticks, in some tracks, and have an end."""
    inside = np.flatnonzero((song.start >= start) & (song.start < stop) & np.isfinite(song.end)).tolist()
    return [n for n in inside if tracks is None or song.keys.tracks[n] in tracks]
