"""A request: what a model is asked for.

Every verb compiles to one, and one function turns it into what the model reads and obeys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from symusic import Note, Score

from toccata.errors import RequestError
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.keys import Key, every_octave
from toccata.tasks.controls import ENDS, Controls, Cues, can_control, cued, cues
from toccata.tasks.fill import Hole, window
from toccata.tasks.passage import passage
from toccata.tasks.window import header
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.cursor import Cursor
from toccata.tokenizers.grammar import Grammar
from toccata.tokenizers.rulebook import Limits, PitchRule, Script
from toccata.tokenizers.scheme import Clock
from toccata.tokenizers.vocabulary import DRUMS


@dataclass(frozen=True)
class Request:
    """What is asked.

    Attributes:
        prompt: The music to go on from; None: a new piece.
        seam: The tick of ``prompt`` where the new music begins; None: the bar line at or after its end.
        bars: How many new bars, exactly; None: as many as the model likes, up to the token limit.
        key: Pitched notes keep to its scale, e.g. ``"D minor"``.
        tempo: Quarters a minute; None: the prompt's, or the model's choice.
        meter: For a new piece; None: the model's choice.
        programs: General MIDI programs that may play, -1 the drums; None: the prompt's, or the model's choice.
        pitches: Lowest and highest pitch of pitched notes.
        hole: What of ``prompt`` is to be written anew, from what stands around it; None: the music goes on.
        controls: What the model is told of the new music.
        bar_controls: What it is told of single new bars, counted from 0.
        end: The piece comes to its end with the last bar asked for.
        moving: Rules for the pitches of pitched notes; their ticks are counted from the hole's first bar, or from the
            start of a new piece.
        script: What is given of the answer, token by token.
    """

    prompt: Score | None = None
    seam: int | None = None
    bars: int | None = None
    key: str | None = None
    tempo: float | None = None
    meter: tuple[int, int] | None = None
    programs: tuple[int, ...] | None = None
    pitches: tuple[int, int] | None = None
    hole: Hole | None = None
    controls: Controls = field(default_factory=Controls)
    bar_controls: Mapping[int, Controls] = field(default_factory=dict)
    end: bool = False
    moving: tuple[PitchRule, ...] = ()
    script: Script | None = None


@dataclass(frozen=True)
class Task:
    """A request in one tokenizer's terms.

    Attributes:
        ids: ``int32[T]``, what the model reads before it writes.
        cursor: Where the new music begins, and what it may be; copy it before moving it.
        start: The tick, in the tokenizer's grid from the start of ``ids``, at which new notes may begin.
        seam: The tick of the prompt that ``start`` stands for; 0 without a prompt.
        bar: Number of bars before the new ones, in the cursor's counting.
        skip: How many of ``ids`` come before those that are decoded with the new ones.
        prefix: How many of ``ids``, from the first, tell of the whole and stay when the window moves on.
        cues: What is said after the bar line of a bar, in the cursor's counting.
    """

    ids: NDArray[np.int32]
    cursor: Cursor
    start: int
    seam: int
    bar: int
    skip: int = 0
    prefix: int = 0
    cues: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


def compile_request(request: Request, tokenizer: Tokenizer, room: int, *, controls: bool = False) -> Task:
    """What the model reads for ``request``, and the rules for what it writes.

    Args:
        request: What is asked.
        tokenizer: The model's.
        room: The most ids the model may be given to read; the last part of a longer prompt is kept.
        controls: Whether the model has learned what controls mean.

    Raises:
        RequestError: The request contradicts itself or the model cannot do it; says which part and why.
    """
    if request.bars is not None and request.bars < 1:
        raise RequestError(f"at least one bar must be asked for, not {request.bars}")
    grammar = tokenizer.grammar()
    told = _told(request, tokenizer, controls)
    if request.prompt is None:
        task = _opening(request, tokenizer, grammar, told)
    elif request.hole is not None:
        task = _filling(request, request.hole, tokenizer, room, told)
    else:
        task = _continuation(request, tokenizer, grammar, room, told)
    task.cursor.place = 0
    return task


def _told(request: Request, tokenizer: Tokenizer, learned: bool) -> Cues:
    """The request's controls in the tokenizer's words; the key asked for is told too, and that the end is near."""
    whole, bars = request.controls, dict(request.bar_controls)
    if not learned or not can_control(tokenizer):
        if whole != Controls() or bars:
            raise RequestError("this model has not learned controls: train one with examples.controls=0.5")
        return Cues()
    if request.key is not None and whole.key is None:
        whole = replace(whole, key=Key.read(request.key))
    if request.end and request.bars is not None:
        for left in range(1, min(ENDS, request.bars) + 1):
            bar = request.bars - left
            bars[bar] = replace(bars.get(bar, Controls()), ends=left)
    return cues(tokenizer, whole, bars)


def _shifted(told: Cues, bars: int) -> dict[int, tuple[int, ...]]:
    """What is said of the new bars, where so many come before them."""
    return {bars + bar: ids for bar, ids in told.bars.items()}


def _opening(request: Request, tokenizer: Tokenizer, grammar: Grammar, told: Cues) -> Task:
    meter = request.meter or (4, 4)
    limits = _limits(request, grammar, None, request.bars)
    own = grammar.scheme.timing.clock is Clock.BAR_SHIFTS
    if own and request.bars is not None:
        limits = replace(limits, bars=None, end=request.bars * grammar.scheme.timing.bar(meter))
    cursor = grammar.cursor(limits, meter=(4, 4) if own else meter)
    head = [tokenizer.bos]
    if request.meter is not None or request.tempo is not None:
        if request.meter is not None and grammar.scheme.has_meters and not _knows(grammar, meter):
            raise RequestError(f"this model does not know the meter {meter[0]}/{meter[1]}; it knows {_meters(grammar)}")
        head += header(tokenizer, meter, request.tempo)
    head, _ = cued(grammar, head, [], cursor.state.meter, told.bars)
    for token in head:
        cursor.advance(token)
    ids = np.array([*told.prefix, *head], np.int32)
    return Task(ids, cursor, 0, 0, 0, prefix=len(told.prefix), cues=told.bars)


def _continuation(request: Request, tokenizer: Tokenizer, grammar: Grammar, room: int, told: Cues) -> Task:
    score = request.prompt
    assert score is not None
    room -= len(told.prefix)
    bars = bar_map(score)
    seam = bars.end if request.seam is None else request.seam
    whole = int(np.searchsorted(bars.starts, seam, side="right")) - 1  # bars before the seam's own
    inside = seam - int(bars.starts[min(whole, len(bars))])
    known = _heard(score, seam)
    if not known:
        raise RequestError("the prompt has no notes before the place where the new music begins")
    first = max(whole - _bars_that_fit(tokenizer, score, bars, seam, room), 0)
    while True:
        ids = _prompt_ids(tokenizer, score, bars, first, seam)
        if len(ids) <= room or first >= min(whole, len(bars) - 1):
            break
        first += max(1, (min(whole, len(bars) - 1) - first) // 4)
    ids = ids[-room:] if len(ids) > room else ids
    _refuse_unknown_meters(grammar, bars, first, min(whole + (inside > 0), len(bars)))
    meter = bars.meters[min(whole, len(bars) - 1)]
    own = grammar.scheme.timing.clock is Clock.BAR_SHIFTS
    cursor = grammar.cursor(_limits(request, grammar, known, None), meter=(4, 4) if own else meter)
    for token in ids.tolist():
        cursor.advance(token)
    tpq = grammar.scheme.timing.ticks_per_quarter
    start = round((seam - int(bars.starts[first])) * tpq / score.ticks_per_quarter)
    start = max(start, cursor.state.tick)
    bar = _bars_until(cursor, start)
    limits = _limits(request, grammar, known, None if request.bars is None else bar + request.bars)
    if own and request.bars is not None:
        line = bars.end if seam >= bars.end else int(bars.starts[np.searchsorted(bars.starts, seam)])
        line = round((line - int(bars.starts[first])) * tpq / score.ticks_per_quarter)
        limits = replace(limits, bars=None, end=line + request.bars * grammar.scheme.timing.bar(meter))
    cursor.limits, cursor.floor = limits, start
    prefix = np.array(told.prefix, np.int32)
    return Task(np.concatenate([prefix, ids]), cursor, start, seam, bar, prefix=len(prefix), cues=_shifted(told, bar))


def _filling(request: Request, hole: Hole, tokenizer: Tokenizer, room: int, told: Cues) -> Task:
    score = request.prompt
    assert score is not None
    bars, grammar = bar_map(score), tokenizer.grammar()
    if not 0 <= hole.first < hole.last <= len(bars):
        raise RequestError(f"there are no bars {hole.first + 1} to {hole.last}: the piece has {len(bars)}")
    if len(set(bars.meters[hole.first : hole.last])) > 1:
        raise RequestError(
            f"the meter changes inside bars {hole.first + 1} to {hole.last}: ask for each part by itself"
        )
    _refuse_unknown_meters(grammar, bars, hole.first, hole.last)
    programs = None if request.programs is None else {DRUMS if p == -1 else p for p in request.programs}
    found, _ = window(tokenizer, score, bars, hole, room, None if programs is None else frozenset(programs), told)
    playing = {
        -1 if track.is_drum else int(track.program)
        for number, track in enumerate(score.tracks)
        if len(track.notes) and (hole.tracks is None or number in hole.tracks)
    }
    limits = _limits(request, grammar, playing, hole.last - hole.first)
    cursor = grammar.cursor(limits, meter=bars.meters[hole.first])
    skip = len(found.given) - found.header
    for token in found.given[skip:].tolist():
        cursor.advance(token)
    start = int(bars.starts[hole.first])
    return Task(found.given, cursor, 0, start, 0, skip, len(told.prefix), told.bars)


def _prompt_ids(tokenizer: Tokenizer, score: Score, bars: BarMap, first: int, seam: int) -> NDArray[np.int32]:
    """The prompt from bar ``first`` to the tick ``seam``."""
    last = min(int(np.searchsorted(bars.starts, seam, side="left")), len(bars))
    first = min(first, last - 1)
    if seam < int(bars.starts[last]):
        score = _before(score, seam)
    return passage(tokenizer, score, bars, first, last, ended=False, until=seam).ids


def _before(score: Score, tick: int) -> Score:
    """``score`` without the notes that begin at ``tick`` or later."""
    out = score.copy()
    for track in out.tracks:
        if len(track.notes):
            columns = track.notes.numpy()
            keep = columns["time"] < tick
            track.notes = Note.from_numpy(**{name: column[keep] for name, column in columns.items()})
    return out


def _bars_that_fit(tokenizer: Tokenizer, score: Score, bars: BarMap, seam: int, room: int) -> int:
    """A first guess, by counting notes: a note takes at least a token and a half."""
    onsets = np.sort(np.concatenate([t.notes.numpy()["time"] for t in score.tracks if len(t.notes)]))
    before = onsets[onsets < seam]
    notes = int(room / 1.5)
    first = int(before[-notes]) if len(before) > notes else 0
    return bars.at(seam) - bars.at(first) + 1


def _bars_until(cursor: Cursor, tick: int) -> int:
    """How many bars of the cursor's counting begin before ``tick``, if the meter stays."""
    state = cursor.state
    if tick <= state.bar_tick:
        return max(state.bar, 0) + (
            0 if tick == state.bar_tick and state.bar <= 0 and state.tick == 0 else 1 if tick > state.bar_tick else 0
        )
    return max(state.bar, 0) + -(-(tick - state.bar_tick) // state.ticks_per_bar)


def _heard(score: Score, seam: int) -> set[int]:
    """The programs that play before ``seam``; -1 is the drums."""
    return {
        -1 if track.is_drum else int(track.program)
        for track in score.tracks
        if len(track.notes) and int(track.notes.numpy()["time"].min()) < seam
    }


def _limits(request: Request, grammar: Grammar, heard: set[int] | None, bars: int | None) -> Limits:
    """What may be written; after a prompt its meter and tempo carry on."""
    programs = None
    wanted = set(request.programs) if request.programs is not None else heard
    if wanted is not None and grammar.scheme.has_programs:
        if outside := {p for p in wanted if not -1 <= p <= 127}:
            raise RequestError(f"programs go from 0 to 127, and -1 for drums; there is no {min(outside)}")
        programs = np.zeros(DRUMS + 1, np.bool_)
        programs[[DRUMS if p == -1 else p for p in wanted]] = True
        if not programs[grammar.program_values].any():
            raise RequestError("none of the programs asked for is one this model knows")
    elif request.programs is not None and set(request.programs) != {0}:
        raise RequestError("this model writes for one instrument and has no programs to choose from")
    if not grammar.scheme.has_notes and (request.key is not None or request.pitches is not None):
        raise RequestError("this model writes whole beats at a time and cannot keep to a key or a range of pitches")
    pitches = None
    if request.key is not None:
        pitches = scale(request.key)
    if request.pitches is not None:
        low, high = request.pitches
        inside = (np.arange(128) >= low) & (np.arange(128) <= high)
        pitches = inside if pitches is None else pitches & inside
    if pitches is not None and not (pitches & grammar.scheme.pitches(False)).any():
        raise RequestError("no pitch is left that lies in the key and the range asked for")
    continued = heard is not None
    return Limits(
        bars=bars,
        programs=programs,
        pitches=pitches,
        tempo=not continued and request.tempo is None,
        meter=not continued and request.meter is None,
        steady=request.end,
        moving=request.moving,
        script=request.script,
        last_note=request.end,
    )


def _refuse_unknown_meters(grammar: Grammar, bars: BarMap, first: int, last: int) -> None:
    """A prompt whose meter the tokenizer cannot even paraphrase would be read with its bar lines in wrong places."""
    known = grammar.scheme.vocabulary.meters
    if not known:
        return
    lengths = {Fraction(n, d) for n, d in known}
    for bar in range(first, last):
        numerator, denominator = bars.meters[bar]
        if Fraction(numerator, denominator) not in lengths:
            raise RequestError(
                f"the prompt is in {numerator}/{denominator} at bar {bar + 1}, a meter this model does not know; it "
                f"knows {_meters(grammar)}"
            )


def _knows(grammar: Grammar, meter: tuple[int, int]) -> bool:
    """Whether there is a word for a meter, or for one of the same length."""
    return Fraction(*meter) in {Fraction(n, d) for n, d in grammar.scheme.vocabulary.meters}


def _meters(grammar: Grammar) -> str:
    return ", ".join(f"{n}/{d}" for n, d in grammar.scheme.vocabulary.meters)


def scale(key: str) -> NDArray[np.bool_]:
    """The pitches of a key, ``bool[128]``; a minor key has both its sevenths.

    Args:
        key: A note name and a mode: ``"C"``, ``"F# minor"``, ``"Bbm"``, ``"e minor"``.

    Raises:
        RequestError: No key is called so.
    """
    return every_octave(Key.read(key).scale())
