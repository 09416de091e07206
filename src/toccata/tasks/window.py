"""A sliding window over a long sequence: its latest bars, with a header of the meter, tempo and position.

Used by generation and likelihood beyond the context.
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
    """The beginning of a bar in a sequence of ids.

    Attributes:
        first: The index of the first id inside the bar. Where bars have tokens, the bar's own is inside; a time shift
            that led into the bar is not.
        offset: Ticks between the bar line and the time of that id.
    """

    first: int
    offset: int


def bar_start(grammar: Rulebook, state: State, length: int) -> BarStart:
    """Return the start of the bar that was reached with the last of ``length`` ids."""
    clocked = grammar.scheme.timing.clock is not Clock.SHIFTS
    return BarStart(length - clocked, state.tick - state.bar_tick)


def bar_starts(grammar: Rulebook, ids: list[int], meter: tuple[int, int] = (4, 4)) -> list[BarStart]:
    """Return where the bars of ``ids`` begin; ``meter`` is for schemes without meter tokens."""
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
    """Return the bar after each of ``ids``, from 0; -1 before the first. ``meter`` is for schemes without meters."""
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
    """Return which of ``ids`` begin a bar; None if that depends on the ids between them."""
    scheme = grammar.scheme
    if grammar.merges is not None or scheme.timing.clock is not Clock.POSITIONS or len(ids) == 0:
        return None
    kinds = scheme.vocabulary.kinds[np.asarray(ids)]
    lines = kinds == Kind.BAR
    inside = np.flatnonzero((kinds == Kind.POSITION) | lines)
    whole = not (kinds == Kind.REST).any() and (not len(inside) or lines[inside[0]])
    return lines if whole else None


class Replay:
    """The states at places of a sequence; for places in ascending order, each id is read only once.

    Args:
        grammar: The grammar of the tokenizer.
        meter: For schemes without meter tokens.
    """

    def __init__(self, grammar: Rulebook, meter: tuple[int, int] = (4, 4)) -> None:
        self._grammar, self._meter = grammar, meter
        self._state, self._read = State(grammar.scheme, meter), 0

    def before(self, ids: list[int], place: int) -> State:
        """Return the state before ``ids[place]``; ``ids`` have to begin with those of earlier calls."""
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
    """Return the latest bars of ``ids`` that fit into ``room``, with the header of a passage in the middle of a piece.

    Args:
        tokenizer: The tokenizer of the ids.
        ids: The whole sequence.
        bars: Where its bars begin.
        room: The most ids of the result, with the header; a longer bar is cut.
        meter: For schemes without meter tokens.
        prefix: The number of leading ids that stay at the beginning.
        replay: The replay of the same ids, for repeated calls.
    """
    grammar = tokenizer.grammar()
    if len(ids) <= room:
        return ids
    length = room - _HEADER - prefix
    # A bar that has only just begun is too little context: use the end of the bar before it, too.
    whole = next((bar for bar in bars if 1 < len(ids) - bar.first <= length), None)
    start = len(ids) - length if whole is None else whole.first
    state = (replay or Replay(grammar, meter)).before(ids, start)
    offset = max(0, state.tick - state.bar_tick) if whole is None else whole.offset
    tempo = state.tempo / 1000 if len(grammar.scheme.vocabulary.of_kind[Kind.TEMPO]) else None
    quarters = Fraction(offset, grammar.scheme.timing.ticks_per_quarter)
    # The bar and its meter are in the header already; control tokens of the bar come right after its line.
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
    """Restate the running status before the first note of each program.

    Args:
        grammar: The grammar of the tokenizer.
        ids: The rest of a sequence.
        state: The state at its beginning.
    """
    scheme, vocabulary = grammar.scheme, grammar.scheme.vocabulary
    known, restated = copy.copy(state), State(scheme, state.meter)
    words = {(kind, int(vocabulary.values[i])): int(i) for kind in _STATUS for i in vocabulary.of_kind[kind]}
    out: list[int] = []
    for token in ids:
        parts: list[int] = []
        for base in grammar.base(token):
            kind = scheme.kinds[base]
            missing: list[int] = []
            if kind in _NOTE and known.program_known and not restated.program_known:
                missing.append(words[Kind.PROGRAM, known.program])
            holds, stated = known.status, restated.status if restated.program_known else UNSAID
            if kind in _NOTE[1:] and stated.velocity < 0 <= holds.velocity:
                missing.append(words[Kind.VELOCITY, holds.velocity])
            if kind == Kind.PITCH and stated.duration < 0 <= holds.duration:
                missing.append(holds.duration)
            for word in missing:
                restated.read(word)
            parts += [*missing, base]
            restated.read(base)
            known.read(base)
        out += [token] if len(parts) == len(grammar.base(token)) else [grammar.single(part) for part in parts]
    return out


def _with_program(grammar: Rulebook, ids: list[int], program: int) -> list[int]:
    """Restate the program before the first note, if the ids depend on an earlier program token."""
    if not grammar.scheme.has_programs or grammar.program_before_note:
        return ids
    place = next((i for i, token in enumerate(ids) if not _is(grammar, token, _BEFORE_A_NOTE)), len(ids))
    if ids[place:] and grammar.scheme.kinds[grammar.base(ids[place])[0]] == Kind.PROGRAM:
        return ids
    vocabulary = grammar.scheme.vocabulary
    words = [grammar.single(int(i)) for i in vocabulary.of_kind[Kind.PROGRAM] if int(vocabulary.values[i]) == program]
    return ids[:place] + words + ids[place:]


def _opened(grammar: Rulebook, ids: list[int]) -> tuple[list[int], list[int]]:
    """Split ids after the leading tokens of a bar, its meter and its control tokens."""
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
    """Return the ids for meter and tempo at the beginning of a sequence in the middle of a piece.

    They are found by encoding a single note and leaving the note out, so they are what the tokenizer itself writes.

    Args:
        tokenizer: The model's tokenizer.
        meter: The meter in force.
        tempo: The tempo in force, in quarters a minute; None: no tempo token.
        offset: The position in the bar, in quarters.
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
    head = []
    for part in base:
        kind = Kind(kinds[part])
        if kind in (Kind.PITCH, Kind.NOTE_ON, Kind.PROGRAM, Kind.VELOCITY, Kind.DURATION):
            break
        head.append(part)
    if tempo is None:
        head = [part for part in head if kinds[part] in (Kind.BAR, Kind.TIME_SIG, Kind.TIME_SHIFT)]
    elif head and kinds[head[-1]] == Kind.POSITION and kinds[head[-2]] in (Kind.BAR, Kind.TIME_SIG):
        head.pop()
    return [grammar.single(part) for part in head]
