"""A window on a long sequence: its latest bars, headed by what is in force there.

Generation and likelihood read past the context with it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from symusic import Note, Score, Tempo, TimeSignature, Track

from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.rulebook import Rulebook
from toccata.tokenizers.scheme import Clock
from toccata.tokenizers.state import UNSAID, State
from toccata.tokenizers.vocabulary import Kind


class BarStart(NamedTuple):
    """Where a bar begins in a sequence of ids.

    Attributes:
        first: The index of the first id inside the bar. Where bars have tokens, the bar's own is inside; a time shift
            that led into the bar is not.
        offset: Ticks between the bar line and what that id speaks of.
    """

    first: int
    offset: int


def bar_start(grammar: Rulebook, state: State, length: int) -> BarStart:
    """The start of the bar that was reached with the last of ``length`` ids."""
    clocked = grammar.scheme.timing.clock is not Clock.SHIFTS
    return BarStart(length - clocked, state.tick - state.bar_tick)


def bar_starts(grammar: Rulebook, ids: list[int], meter: tuple[int, int] = (4, 4)) -> list[BarStart]:
    """Where the bars of ``ids`` begin; ``meter`` counts for schemes that write none."""
    if (lines := _bar_lines(grammar, ids)) is not None:
        return [BarStart(int(index), 0) for index in np.flatnonzero(lines)]
    state, bars = State(grammar.scheme, meter), []
    for index, token in enumerate(ids):
        before = state.bar
        for base in grammar.base(token):
            state.read(base)
        if state.bar != before:
            bars.append(bar_start(grammar, state, index + 1))
    return bars


def bars_reached(grammar: Rulebook, ids: Sequence[int], meter: tuple[int, int] = (4, 4)) -> list[int]:
    """The bar reached with each of ``ids``, counted from 0; -1 before the first. ``meter``: for schemes without any."""
    if (lines := _bar_lines(grammar, ids)) is not None:
        reached: list[int] = (np.cumsum(lines) - 1).tolist()
        return reached
    state, bars = State(grammar.scheme, meter), []
    for token in ids:
        for base in grammar.base(token):
            state.read(base)
        bars.append(state.bar)
    return bars


def _bar_lines(grammar: Rulebook, ids: Sequence[int]) -> NDArray[np.bool_] | None:
    """Which of ``ids`` begin a bar, where that can be seen without reading what stands between them; else None."""
    scheme = grammar.scheme
    if grammar.merges is not None or scheme.timing.clock is not Clock.POSITIONS or len(ids) == 0:
        return None
    kinds = scheme.vocabulary.kinds[np.asarray(ids)]
    lines = kinds == Kind.BAR
    inside = np.flatnonzero((kinds == Kind.POSITION) | lines)
    whole = not (kinds == Kind.REST).any() and (not len(inside) or lines[inside[0]])
    return lines if whole else None


class Replay:
    """What is in force at places of a sequence, asked for in their order: each id is read once, however many are asked.

    Args:
        grammar: Of the tokenizer that wrote the ids.
        meter: For schemes that write none.
    """

    def __init__(self, grammar: Rulebook, meter: tuple[int, int] = (4, 4)) -> None:
        self._grammar, self._meter = grammar, meter
        self._state, self._read = State(grammar.scheme, meter), 0

    def before(self, ids: list[int], place: int) -> State:
        """The state before ``ids[place]``; ``ids`` are those of the calls before, or go on where those ended."""
        if place < self._read:
            self._state, self._read = State(self._grammar.scheme, self._meter), 0
        for index in range(self._read, place):
            for base in self._grammar.base(ids[index]):
                self._state.read(base)
        self._read = place
        return self._state


def latest_bars(
    tokenizer: Tokenizer,
    ids: list[int],
    bars: list[BarStart],
    room: int,
    meter: tuple[int, int] = (4, 4),
    prefix: int = 0,
    replay: Replay | None = None,
) -> list[int]:
    """The latest bars of ``ids`` that fit into ``room``, begun as a passage in the middle of a piece begins.

    Args:
        tokenizer: That wrote the ids.
        ids: Everything so far.
        bars: Where its bars begin.
        room: The most ids wanted, header and all; a bar too long for it is cut.
        meter: For schemes that write none.
        prefix: So many of the first ids stand before all that is kept.
        replay: Has read the beginning of the same ids for calls before this one.
    """
    grammar = tokenizer.grammar()
    if len(ids) <= room:
        return ids
    length = room - _HEADER - prefix
    # A bar that has only just begun is nothing to read: then the end of the bar before it is.
    whole = next((bar for bar in bars if 1 < len(ids) - bar.first <= length), None)
    start = len(ids) - length if whole is None else whole.first
    state = (replay or Replay(grammar, meter)).before(ids, start)
    offset = max(0, state.tick - state.bar_tick) if whole is None else whole.offset
    tempo = state.tempo / 1000 if len(grammar.scheme.vocabulary.of_kind[Kind.TEMPO]) else None
    quarters = Fraction(offset, grammar.scheme.timing.ticks_per_quarter)
    # The bar and its meter are in the header already; what is said of the bar comes right after its line.
    opening, rest = _opened(grammar, ids[start:])
    specials = [token for token in opening if grammar.scheme.kinds[grammar.base(token)[0]] == Kind.SPECIAL]
    head = header(tokenizer, _meter_of(grammar, ids[start:][: len(opening) + 1], state.meter), tempo, quarters)
    line = next((i + 1 for i, token in enumerate(head) if grammar.scheme.kinds[grammar.base(token)[-1]] == Kind.BAR), 0)
    head = head[:line] + specials + head[line:]
    if rest and rest[0] in head and _is(grammar, rest[0], (Kind.POSITION,)):
        rest = rest[1:]  # the header's, for the tempo
    if rest and _is(grammar, rest[0], (Kind.TEMPO,)) and head and _is(grammar, head[-1], (Kind.TEMPO,)):
        head.pop()
    if grammar.scheme.running_status:
        return ids[:prefix] + head + _restated(grammar, rest, state)
    return ids[:prefix] + head + _with_program(grammar, rest, state.program)


def _restated(grammar: Rulebook, ids: list[int], state: State) -> list[int]:
    """Ids that say before the first note of a program what holds for it, where they left that to what came before.

    Args:
        grammar: Of the tokenizer.
        ids: From somewhere in a piece on.
        state: What holds there.
    """
    scheme, vocabulary = grammar.scheme, grammar.scheme.vocabulary
    known, said = copy.copy(state), State(scheme, state.meter)
    words = {(kind, int(vocabulary.values[i])): int(i) for kind in _STATUS for i in vocabulary.of_kind[kind]}
    out: list[int] = []
    for token in ids:
        parts: list[int] = []
        for base in grammar.base(token):
            kind = scheme.kinds[base]
            missing: list[int] = []
            if kind in _NOTE and known.program_known and not said.program_known:
                missing.append(words[Kind.PROGRAM, known.program])
            holds, stated = known.status, said.status if said.program_known else UNSAID
            if kind in _NOTE[1:] and stated.velocity < 0 <= holds.velocity:
                missing.append(words[Kind.VELOCITY, holds.velocity])
            if kind == Kind.PITCH and stated.duration < 0 <= holds.duration:
                missing.append(holds.duration)
            for word in missing:
                said.read(word)
            parts += [*missing, base]
            said.read(base)
            known.read(base)
        out += [token] if len(parts) == len(grammar.base(token)) else [grammar.single(part) for part in parts]
    return out


def _with_program(grammar: Rulebook, ids: list[int], program: int) -> list[int]:
    """Ids that say which program plays before the first note, where they left that to what came before them."""
    if not grammar.scheme.has_programs or grammar.program_before_note:
        return ids
    place = next((i for i, token in enumerate(ids) if not _is(grammar, token, _BEFORE_A_NOTE)), len(ids))
    if ids[place:] and grammar.scheme.kinds[grammar.base(ids[place])[0]] == Kind.PROGRAM:
        return ids
    vocabulary = grammar.scheme.vocabulary
    words = [grammar.single(int(i)) for i in vocabulary.of_kind[Kind.PROGRAM] if int(vocabulary.values[i]) == program]
    return ids[:place] + words + ids[place:]


def _opened(grammar: Rulebook, ids: list[int]) -> tuple[list[int], list[int]]:
    """Ids in two: those they begin with that say a bar, its meter or what is told of it; and the rest."""
    kinds, count, bars = grammar.scheme.kinds, 0, 0
    for token in ids:
        base = grammar.base(token)
        bars += sum(kinds[b] == Kind.BAR for b in base)
        if bars > 1 or not _is(grammar, token, _OPENING) or grammar.scheme.eos in base:
            break
        count += 1
    return ids[:count], ids[count:]


_OPENING = (Kind.BAR, Kind.TIME_SIG, Kind.SPECIAL)


_STATUS, _NOTE = (Kind.PROGRAM, Kind.VELOCITY), (Kind.VELOCITY, Kind.DURATION, Kind.PITCH)

_BEFORE_A_NOTE = (*_OPENING, Kind.POSITION, Kind.TEMPO)


def _is(grammar: Rulebook, token: int, kinds: tuple[Kind, ...]) -> bool:
    """Whether an id says these and nothing else."""
    return all(grammar.scheme.kinds[base] in kinds for base in grammar.base(token))


_HEADER = 8
"""Room that is left for the header."""


def _meter_of(grammar: Rulebook, ids: list[int], before: tuple[int, int]) -> tuple[int, int]:
    """The meter of the bar that ``ids`` begin with: its own token's, if it has one."""
    for token in ids:
        for base in grammar.base(token):
            if grammar.scheme.kinds[base] == Kind.TIME_SIG:
                return grammar.scheme.vocabulary.meters[grammar.scheme.values[base]]
    return before


def header(
    tokenizer: Tokenizer,
    meter: tuple[int, int],
    tempo: float | None,
    offset: Fraction = Fraction(0),
) -> list[int]:
    """The ids that say meter and tempo where a sequence begins in the middle of things.

    Found by encoding a single note and leaving the note out, so it is what the tokenizer itself would write.

    Args:
        tokenizer: The model's.
        meter: In force.
        tempo: In force, in quarters a minute; None leaves it unsaid.
        offset: Where in the bar the sequence begins, in quarters.
    """
    grammar = tokenizer.grammar()
    if not grammar.scheme.has_notes or (grammar.shift_needs_note and grammar.scheme.timing.clock is Clock.SHIFTS):
        return []
    kinds = grammar.scheme.kinds
    resolution = 480
    score = Score(resolution)
    score.time_signatures = [TimeSignature(0, *meter)]
    score.tempos = [Tempo(0, qpm=tempo or 120.0)]
    track = Track("", 0, False)
    track.notes.append(Note(int(offset * resolution), resolution, 60, 64))
    score.tracks.append(track)
    ids = tokenizer.encode(score, start=False, end=False).ids.tolist()
    base = [part for token in ids for part in grammar.base(token)]
    kept = []
    for part in base:
        kind = Kind(kinds[part])
        if kind in (Kind.PITCH, Kind.NOTE_ON, Kind.PROGRAM, Kind.VELOCITY, Kind.DURATION):
            break
        kept.append(part)
    if tempo is None:
        kept = [part for part in kept if kinds[part] in (Kind.BAR, Kind.TIME_SIG, Kind.TIME_SHIFT)]
    elif kept and kinds[kept[-1]] == Kind.POSITION and kinds[kept[-2]] in (Kind.BAR, Kind.TIME_SIG):
        kept.pop()
    return [grammar.single(part) for part in kept]
