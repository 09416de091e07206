"""A window on a long sequence: its latest bars, headed by what is in force there.

Generation and likelihood read past the context with it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from symusic import Note, Score, Tempo, TimeSignature, Track

from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.rulebook import Rulebook
from toccata.tokenizers.scheme import Clock
from toccata.tokenizers.state import State
from toccata.tokenizers.vocabulary import DRUMS, Kind


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
    state, bars = State(grammar.scheme, meter), []
    for index, token in enumerate(ids):
        before = state.bar
        for base in grammar.base(token):
            state.read(base)
        if state.bar != before:
            bars.append(bar_start(grammar, state, index + 1))
    return bars


def latest_bars(
    tokenizer: Tokenizer,
    ids: list[int],
    bars: list[BarStart],
    room: int,
    meter: tuple[int, int] = (4, 4),
    prefix: int = 0,
) -> list[int]:
    """The latest bars of ``ids`` that fit into ``room``, begun as a passage in the middle of a piece begins.

    Args:
        tokenizer: That wrote the ids.
        ids: Everything so far.
        bars: Where its bars begin.
        room: The most ids wanted, header and all; a bar too long for it is cut.
        meter: For schemes that write none.
        prefix: So many of the first ids stand before all that is kept.
    """
    grammar = tokenizer.grammar()
    if len(ids) <= room:
        return ids
    length = room - _HEADER - prefix
    # A bar that has only just begun is nothing to read: then the end of the bar before it is.
    fitting = (bar for bar in bars if 1 < len(ids) - bar.first <= length)
    start, offset = next(fitting, BarStart(len(ids) - length, 0))
    state = State(grammar.scheme, meter)
    for token in ids[:start]:
        for base in grammar.base(token):
            state.read(base)
    program = state.program if grammar.scheme.has_programs and not grammar.program_before_note else None
    tempo = state.tempo / 1000 if len(grammar.scheme.vocabulary.of_kind[Kind.TEMPO]) else None
    quarters = Fraction(offset, grammar.scheme.timing.ticks_per_quarter)
    rest = ids[start:]
    head = header(tokenizer, _meter_of(grammar, rest, state.meter), tempo, program, quarters)
    # The bar and its meter are in the header already.
    while rest and head and all(grammar.scheme.kinds[b] in (Kind.BAR, Kind.TIME_SIG) for b in grammar.base(rest[0])):
        rest = rest[1:]
    return ids[:prefix] + head + rest


_HEADER = 8
"""Room that is left for the header."""


def _meter_of(grammar: Rulebook, ids: list[int], before: tuple[int, int]) -> tuple[int, int]:
    """The meter of the bar that ``ids`` begin with: its own token's, if it has one."""
    for token in ids[:2]:
        for base in grammar.base(token):
            if grammar.scheme.kinds[base] == Kind.TIME_SIG:
                return grammar.scheme.vocabulary.meters[grammar.scheme.values[base]]
    return before


def header(
    tokenizer: Tokenizer,
    meter: tuple[int, int],
    tempo: float | None,
    program: int | None = None,
    offset: Fraction = Fraction(0),
) -> list[int]:
    """The ids that say meter and tempo where a sequence begins in the middle of things.

    Found by encoding a single note and leaving the note out, so it is what the tokenizer itself would write.

    Args:
        tokenizer: The model's.
        meter: In force.
        tempo: In force, in quarters a minute; None leaves it unsaid.
        program: Playing, for tokenizers that say a program only when it changes; 128 is the drums.
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
    number = 0 if program is None or program == DRUMS else program
    track = Track("", number, program == DRUMS)
    track.notes.append(Note(int(offset * resolution), resolution, 60, 64))
    score.tracks.append(track)
    ids = tokenizer.encode(score, start=False, end=False).ids.tolist()
    base = [part for token in ids for part in grammar.base(token)]
    kept = []
    for part in base:
        kind = Kind(kinds[part])
        if kind in (Kind.PITCH, Kind.NOTE_ON) or (kind is Kind.PROGRAM and program is None):
            break
        if kind is Kind.PROGRAM and grammar.program_before_note:
            break
        kept.append(part)
    if tempo is None:
        kept = [part for part in kept if kinds[part] in (Kind.BAR, Kind.TIME_SIG, Kind.PROGRAM, Kind.TIME_SHIFT)]
    elif kept and kinds[kept[-1]] == Kind.POSITION and kinds[kept[-2]] in (Kind.BAR, Kind.TIME_SIG):
        kept.pop()
    return [grammar.single(part) for part in kept]
