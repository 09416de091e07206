"""Compilation of a request into a Task: the prompt of the model, and the constraints on what it writes.

Variations that preserve a rhythm are compiled in ``scripted.py``, which builds on the tasks made here.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from symusic import Note, Score, Track

from toccata.errors import RequestError
from toccata.midi.bars import BarMap, bar_ticks, meter_at
from toccata.tasks.constraints import constraints_of, with_music
from toccata.tasks.controls import ControlTokens, insert_control_tokens
from toccata.tasks.coverage import Coverage, in_words, substituted, substitutes
from toccata.tasks.ensemble import accompanying_tracks, ensemble_of, playing_tracks
from toccata.tasks.fill import Hole, window
from toccata.tasks.passage import passage
from toccata.tasks.request import (
    Request,
    Task,
    encode_request_controls,
    shift_bars,
    validate_request,
)
from toccata.tasks.window import bar_starts, header, latest_bars
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.cursor import Cursor
from toccata.tokenizers.grammar import Grammar
from toccata.tokenizers.scheme import Clock
from toccata.tokenizers.vocabulary import DRUMS, Kind

_COMMON = ((4, 4), (3, 4), (2, 4), (6, 8), (2, 2), (3, 8), (9, 8), (12, 8))
"""The meters that a message names first."""
_SILENT = 128
"""The most bars at the end of a prompt in which no note begins."""


def compile_request(
    request: Request, tokenizer: Tokenizer, room: int, *, controls: bool = False, coverage: Coverage | None = None
) -> Task:
    """Compile a request.

    Args:
        request: The request.
        tokenizer: The model's tokenizer.
        room: The most ids of the prompt; of a longer prompt the end is used.
        controls: Whether the model was trained with control tokens.
        coverage: What the model has learned; None: unknown.

    Raises:
        RequestError: The request contradicts itself or the model cannot do it; says which part and why.
    """
    grammar = tokenizer.grammar()
    validate_request(request, grammar)
    control_tokens = encode_request_controls(request, tokenizer, controls)
    if request.prompt is None:
        task = _opening(request, tokenizer, grammar, coverage, control_tokens)
    elif request.hole is not None:
        task = _filling(request, request.hole, tokenizer, coverage, room, control_tokens)
    else:
        task = _continuation(request, tokenizer, grammar, coverage, room, control_tokens)
    task.cursor.place = task.cursor.reached = 0
    return task


def _opening(
    request: Request,
    tokenizer: Tokenizer,
    grammar: Grammar,
    coverage: Coverage | None,
    control_tokens: ControlTokens,
) -> Task:
    if request.chords is not None and request.meter is None:
        request = replace(request, meter=(4, 4))  # else the chart would not know its beats
    meter = request.meter or (4, 4)
    ensemble = ensemble_of(request, grammar.scheme, coverage)
    constraints = constraints_of(request, grammar, ensemble, continued=False, bars=request.bars)
    if coverage is not None and "tempos" not in request.without:
        constraints = replace(constraints, tempos=coverage.usual_tempos)
    cursor = grammar.cursor(constraints, meter=meter)
    head = [tokenizer.bos]
    if request.meter is not None or request.tempo is not None:
        if request.meter is not None and grammar.scheme.has_meters and not knows_meter(grammar, meter):
            raise RequestError(f"this model does not know the meter {meter[0]}/{meter[1]}; it knows {_meters(grammar)}")
        head += header(tokenizer, meter, request.tempo)
    head, _ = insert_control_tokens(grammar, head, [], cursor.state.meter, control_tokens.bars)
    for token in head:
        cursor.advance(token)
    cursor.constraints = with_music(constraints, request, cursor.state, 0)
    ids = np.array([*control_tokens.prefix, *head], np.int32)
    return Task(
        ids,
        cursor,
        0,
        0,
        0,
        prefix=len(control_tokens.prefix),
        control_tokens=control_tokens.bars,
        remarks=ensemble.remarks,
    )


def _continuation(
    request: Request,
    tokenizer: Tokenizer,
    grammar: Grammar,
    coverage: Coverage | None,
    room: int,
    control_tokens: ControlTokens,
) -> Task:
    assert request.prompt is not None
    request, remarks = _with_learned_instruments(request, request.prompt, grammar, coverage)
    score = request.prompt
    assert score is not None
    room -= len(control_tokens.prefix)
    bars = request.lines
    seam = bars.end if request.seam is None else request.seam
    known = _programs_before(score, seam)
    if not known:
        raise RequestError("the prompt has no notes before the place where the new music begins")
    ids, first, meter = _readable(tokenizer, score, bars, seam, room)
    ensemble = ensemble_of(request, grammar.scheme, coverage, known)
    constraints = constraints_of(request, grammar, ensemble, continued=True, bars=None)
    cursor = grammar.cursor(constraints, meter=meter)
    for token in ids.tolist():
        cursor.advance(token)
    tpq = grammar.scheme.timing.ticks_per_quarter
    start = round((seam - int(bars.starts[first])) * tpq / score.ticks_per_quarter)
    start = max(start, cursor.state.tick)
    changed = _bar_in_meter(tokenizer, cursor, meter, start)
    for token in changed:
        cursor.advance(token)
    bar = _bars_until(cursor, start)
    constraints = replace(constraints, bars=None if request.bars is None else bar + request.bars)
    before_seam = replace(request, prompt=_before(score, seam))
    cursor.constraints, cursor.floor = with_music(constraints, before_seam, cursor.state, bar), start
    # Where the prompt ends on a bar line that its last id leads to, the first new bar has begun.
    begun = control_tokens.bars.get(0, ()) if cursor.state.bar >= bar else ()
    for token in begun:
        cursor.advance(token)
    given = np.array([*control_tokens.prefix, *ids.tolist(), *changed, *begun], np.int32)
    return Task(
        given,
        cursor,
        start,
        seam,
        bar,
        prefix=len(control_tokens.prefix),
        control_tokens=shift_bars(control_tokens, bar),
        remarks=(*remarks, *ensemble.remarks),
    )


def _readable(
    tokenizer: Tokenizer, score: Score, bars: BarMap, seam: int, room: int
) -> tuple[NDArray[np.int32], int, tuple[int, int]]:
    """Return the ids of as much of a prompt's end as fits into ``room``, its first bar, and the meter at the seam."""
    grammar = tokenizer.grammar()
    whole = int(np.searchsorted(bars.starts, seam, side="right")) - 1  # bars before the seam's own
    inside = seam - int(bars.starts[min(whole, len(bars))])
    # Not past the last bar in which a note begins: a prompt of silence is useless.
    latest = bars.at(_last_onset(score, seam))
    _refuse_silent(latest, whole)
    first = min(max(whole - _bars_that_fit(tokenizer, score, bars, seam, room), 0), latest)
    while True:
        ids = _prompt_ids(tokenizer, score, bars, first, seam)
        if len(ids) <= room or first >= latest:
            break
        first += max(1, (latest - first) // 4)
    _refuse_unknown_meters(grammar, bars, first, min(whole + (inside > 0), len(bars)))
    meter = meter_at(score, seam)
    if len(ids) > room:  # a single bar of more than can be read: its end, headed by what is in force there
        read = ids.tolist()
        ids = np.array(latest_bars(tokenizer, read, bar_starts(grammar, read, meter), room, meter), np.int32)
    return ids, first, meter


def _with_learned_instruments(
    request: Request, prompt: Score, grammar: Grammar, coverage: Coverage | None
) -> tuple[Request, tuple[str, ...]]:
    """Return the request with a prompt whose instruments the model has learned, and remarks on those put in place."""
    if request.anyway or not grammar.scheme.has_programs:
        return request, ()
    instead = substitutes(coverage, {int(t.program) for t in prompt.tracks if len(t.notes) and not t.is_drum})
    remarks = [
        f"{in_words([other])} goes on in place of {in_words([program])}, which the model has not learned"
        for program, other in sorted(instead.items())
    ]
    return replace(request, prompt=substituted(prompt, instead)), tuple(remarks)


def _filling(
    request: Request,
    hole: Hole,
    tokenizer: Tokenizer,
    coverage: Coverage | None,
    room: int,
    control_tokens: ControlTokens,
) -> Task:
    score = request.prompt
    assert score is not None
    bars, grammar = request.lines, tokenizer.grammar()
    if not 0 <= hole.first < hole.last <= len(bars):
        raise RequestError(f"there are no bars {hole.first + 1} to {hole.last}: the piece has {len(bars)}")
    if len(set(bars.meters[hole.first : hole.last])) > 1:
        raise RequestError(
            f"the meter changes inside bars {hole.first + 1} to {hole.last}: ask for each part by itself"
        )
    _refuse_unknown_meters(grammar, bars, hole.first, hole.last)
    programs = None if request.programs is None else {DRUMS if p == -1 else p for p in request.programs}
    found, _ = window(
        tokenizer, score, bars, hole, room, None if programs is None else frozenset(programs), control_tokens
    )
    playing = {_program(score.tracks[number]) for number in hole.tracks_in(score) if len(score.tracks[number].notes)}
    tracks: dict[int, list[int]] = {}
    for number in accompanying_tracks(score, hole, request.melody):
        tracks.setdefault(_program(score.tracks[number]), []).append(number)
    players = [number for mine in tracks.values() for number in playing_tracks(score, bars, hole, mine)]
    ensemble = ensemble_of(request, grammar.scheme, coverage, playing, players)
    constraints = constraints_of(request, grammar, ensemble, continued=True, bars=hole.last - hole.first)
    ticks = int(bars.starts[hole.last]) - int(bars.starts[hole.first])
    if ticks < (hole.last - hole.first) * bar_ticks(*bars.meters[hole.first], score.ticks_per_quarter):
        # Another meter begins before the last bar is whole: the new music ends where that bar does.
        end = round(ticks * grammar.scheme.timing.ticks_per_quarter / score.ticks_per_quarter)
        constraints = replace(constraints, bars=None, end=max(1, end))
    cursor = grammar.cursor(constraints, meter=bars.meters[hole.first])
    skip = len(found.prompt) - found.header
    for token in found.prompt[skip:].tolist():
        cursor.advance(token)
    cursor.constraints = with_music(constraints, request, cursor.state, 0, bars)
    start, prefix = int(bars.starts[hole.first]), len(control_tokens.prefix)
    return Task(
        found.prompt,
        cursor,
        0,
        start,
        0,
        skip,
        prefix,
        control_tokens.bars,
        slides=False,
        remarks=ensemble.remarks,
    )


def _prompt_ids(tokenizer: Tokenizer, score: Score, bars: BarMap, first: int, seam: int) -> NDArray[np.int32]:
    """Encode the prompt from bar ``first`` to the tick ``seam``."""
    last = min(int(np.searchsorted(bars.starts, seam, side="left")), len(bars))
    first = min(first, last - 1)
    if seam < int(bars.starts[last]):
        score = _before(score, seam)
    return passage(tokenizer, score, bars, first, last, ended=False, until=seam).ids


def _before(score: Score, tick: int) -> Score:
    """Return ``score`` without the notes that begin at ``tick`` or later."""
    out = score.copy()
    for track in out.tracks:
        if len(track.notes):
            columns = track.notes.numpy()
            keep = columns["time"] < tick
            track.notes = Note.from_numpy(**{name: column[keep] for name, column in columns.items()})
    return out


def _bars_that_fit(tokenizer: Tokenizer, score: Score, bars: BarMap, seam: int, room: int) -> int:
    """Guess how many bars fit, by counting notes: a note takes at least a token and a half."""
    onsets = np.sort(np.concatenate([t.notes.numpy()["time"] for t in score.tracks if len(t.notes)]))
    before = onsets[onsets < seam]
    notes = int(room / 1.5)
    first = int(before[-notes]) if len(before) > notes else 0
    return bars.at(seam) - bars.at(first) + 1


def _refuse_silent(latest: int, seam: int) -> None:
    """Refuse a prompt that ends with too many silent bars.

    Args:
        latest: The bar in which the last note begins, counted from 0.
        seam: The bar in which the new music begins.
    """
    if seam - latest > _SILENT:
        raise RequestError(
            f"the prompt's last note begins in bar {latest + 1}, and the new music would in bar {seam + 1}: go on from "
            f"a place at most {_SILENT} bars behind it (prompt_bars={latest + 1})"
        )


def _bar_in_meter(tokenizer: Tokenizer, cursor: Cursor, meter: tuple[int, int], start: int) -> list[int]:
    """Return the ids of the bar that begins at ``start`` in another meter than the one before; none if it is the same.

    A prompt may be a pickup alone: a short bar, whose meter is not that of the music to come.
    """
    grammar, state = tokenizer.grammar(), cursor.state
    scheme = grammar.scheme
    if scheme.timing.clock is not Clock.POSITIONS or not knows_meter(grammar, meter):
        return []
    head = header(tokenizer, meter, None)
    marks = [token for token in head if scheme.kinds[grammar.base(token)[-1]] == Kind.TIME_SIG]
    if not marks or scheme.vocabulary.meters[scheme.values[grammar.base(marks[0])[-1]]] == state.meter:
        return []
    if state.bar_tick + state.ticks_per_bar == start:
        return head
    return marks if state.bar_tick == start and state.prev == Kind.BAR else []


def _bars_until(cursor: Cursor, tick: int) -> int:
    """Return how many bars of the cursor's counting begin before ``tick``, if the meter does not change."""
    state = cursor.state
    if tick <= state.bar_tick:
        return max(state.bar, 0) + (
            0 if tick == state.bar_tick and state.bar <= 0 and state.tick == 0 else 1 if tick > state.bar_tick else 0
        )
    return max(state.bar, 0) + -(-(tick - state.bar_tick) // state.ticks_per_bar)


def _last_onset(score: Score, seam: int) -> int:
    """Return the onset of the last note that begins before ``seam``."""
    onsets = np.concatenate([track.notes.numpy()["time"] for track in score.tracks if len(track.notes)])
    return int(onsets[onsets < seam].max())


def _programs_before(score: Score, seam: int) -> set[int]:
    """Return the programs that play before ``seam``; -1 is the drums."""
    return {
        _program(track) for track in score.tracks if len(track.notes) and int(track.notes.numpy()["time"].min()) < seam
    }


def _program(track: Track) -> int:
    return -1 if track.is_drum else int(track.program)


def _refuse_unknown_meters(grammar: Grammar, bars: BarMap, first: int, last: int) -> None:
    """Refuse a prompt in a meter whose length the tokenizer does not have: its bar lines would be misplaced."""
    for bar in range(first, last):
        numerator, denominator = bars.meters[bar]
        if not knows_meter(grammar, bars.meters[bar]):
            raise RequestError(
                f"the prompt is in {numerator}/{denominator} at bar {bar + 1}, a meter this model does not know; it "
                f"knows {_meters(grammar)}"
            )


def knows_meter(grammar: Grammar, meter: tuple[int, int]) -> bool:
    """Return whether there is a token for a meter, or for one of the same length; or none for any meter."""
    known = grammar.scheme.vocabulary.meters
    return not known or Fraction(*meter) in {Fraction(n, d) for n, d in known}


def _meters(grammar: Grammar) -> str:
    """Return the meters that a tokenizer has, in words, common ones first."""
    known = grammar.scheme.vocabulary.meters
    ordered = sorted(known, key=lambda meter: _COMMON.index(meter) if meter in _COMMON else len(_COMMON))
    shown = [f"{n}/{d}" for n, d in ordered[: len(_COMMON)]]
    return ", ".join(shown) + (f" and {len(ordered) - len(shown)} more" if len(ordered) > len(shown) else "")
