"""Bars whose rhythm is kept, as what a model reads and the script it keeps to."""

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
"""Ids that belong to a script, and are read before it."""


@dataclass(frozen=True)
class Scripted:
    """A script, ready to be written.

    Attributes:
        task: What the model reads, and the rules it obeys.
        parts: The voices that are open.
        before: How many notes of the script come before those the model begins.
    """

    task: Task
    parts: Revoicing
    before: int

    def sing(self, begun: Sequence[int], song: Song) -> int:
        """Give the notes of ``song`` the pitches that were written; how many notes were open."""
        for first, numbers in self.parts.notes.items():
            for number in numbers:
                song.pitches[number] = begun[first - self.before]
        return sum(map(len, self.parts.notes.values()))


def filled(
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
    """A hole to be filled by a script, for models that have learned to fill; None: nothing in it is open.

    Args:
        tokenizer: The model's.
        score: The song as it stands.
        bars: Its bars.
        hole: What is varied.
        song: The song's notes as they stand.
        free: Which of them may move.
        context: The most ids the model can read, those of the script included.
        changed: Whether something has changed already; else something shall, where it can.

    Raises:
        RequestError: The hole is too long for the model.
    """
    grammar = tokenizer.grammar()
    start, stop = span(score, bars, hole)
    asked = slice_ticks(cut(score, bars, hole)[1], start, stop)
    ids = tokenizer.encode(asked, start=False).ids.tolist()
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
    task = compile_request(Request(prompt=score, hole=hole, bars=hole.last - hole.first), tokenizer, room)
    task = replace(task, slides=True)
    given = [part for token in task.ids[task.skip :].tolist() for part in grammar.base(token)]
    skip = len(given) if base[: len(given)] == given else 0
    script = PitchScript(grammar.scheme, base, parts.voices, parts.pitches, skip=skip, changed=changed)
    task.cursor.constraints = replace(task.cursor.constraints, script=script)
    return Scripted(task, parts, sum(slot.place < skip for slot in found))


def after(
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
    """The same for other models: the bars are gone on with from what comes before them.

    What the model reads is everything up to the first pitch that is open; the notes of other tracks are in the script.
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
    """The notes that begin in some ticks, of some tracks, and have an end: what is encoded."""
    inside = np.flatnonzero((song.start >= start) & (song.start < stop) & np.isfinite(song.end)).tolist()
    return [n for n in inside if tracks is None or song.keys.tracks[n] in tracks]
