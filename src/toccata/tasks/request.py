"""A request, and what it means for decoding: constraints, pitch rules, control tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.arguments import checked_value
from toccata.errors import RequestError
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.keys import Key, estimate, every_octave, weights
from toccata.tasks.cadence import Cadence, Ending
from toccata.tasks.chords import ChordChart, contradictions
from toccata.tasks.controls import ENDS, Controls, ControlTokens, can_control, encode_controls
from toccata.tasks.fill import Hole, NoteRef
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.cursor import Cursor
from toccata.tokenizers.grammar import Grammar
from toccata.tokenizers.rulebook import PitchRule, Players, Preference, Script
from toccata.tokenizers.state import State


class ChordVoicing(Preference, Players, Protocol):
    """How chords are voiced: which pitches are preferred, and who enters with them."""


@dataclass(frozen=True)
class Request:
    """A request for new music.

    Attributes:
        prompt: The music to go on from; None: a new piece.
        prompt_bars: The bars of ``prompt``, which a song has from its notes before any was written anew; None: those
            laid over ``prompt``.
        seam: The tick of ``prompt`` where the new music begins; None: the bar line at or after its end.
        bars: How many new bars, exactly; None: as many as the model likes, up to the token limit.
        key: Pitched notes keep to its scale, e.g. ``"D minor"``.
        tempo: Quarters a minute, after a prompt from the new music on; None: the prompt's, or the model's choice.
        meter: For a new piece only; None: the model's choice, or 4/4 if there is a tempo or a chord chart.
        programs: General MIDI programs that may play, -1 the drums; None: the prompt's, or the model's choice.
        pitches: Lowest and highest pitch of pitched notes.
        hole: The bars of ``prompt`` to infill; None: a continuation.
        controls: Levels and styles of the new music, as control tokens.
        drawn: Names of levels of ``controls`` that were drawn, not requested: they are not counted while writing.
        bar_controls: Controls of single new bars, counted from 0.
        chords: The chord chart of the new bars.
        end: Whether the piece ends with the last new bar, on a cadence.
        pitch_rules: Time-dependent rules for pitched notes; their ticks are counted from the hole's first bar, or from
            the start of a new piece.
        script: The tokens that are fixed, position by position.
        voiced: Chords that the new music voices; None: those of ``chords`` or of the ending.
        anyway: Whether instruments that the model has not learned may play.
        modulate: Whether a new piece without a key may leave the one of its first bars.
        melody: Notes of ``prompt`` that stay, and stay the top line of the hole.
        without: Which of :data:`~toccata.tasks.ensemble.DEFAULTS` do not hold.
    """

    prompt: Score | None = None
    prompt_bars: BarMap | None = None
    seam: int | None = None
    bars: int | None = None
    key: str | None = None
    tempo: float | None = None
    meter: tuple[int, int] | None = None
    programs: tuple[int, ...] | None = None
    pitches: tuple[int, int] | None = None
    hole: Hole | None = None
    controls: Controls = field(default_factory=Controls)
    drawn: frozenset[str] = frozenset()
    bar_controls: Mapping[int, Controls] = field(default_factory=dict)
    chords: ChordChart | None = None
    end: bool = False
    pitch_rules: tuple[PitchRule, ...] = ()
    script: Script | None = None
    voiced: ChordVoicing | None = None
    anyway: bool = False
    modulate: bool = False
    melody: frozenset[NoteRef] = frozenset()
    without: frozenset[str] = frozenset()

    @property
    def counted(self) -> Controls:
        """The controls that are counted while the music is written, and steered to."""
        return self.controls.with_levels(dict.fromkeys(self.drawn))

    @cached_property
    def lines(self) -> BarMap:
        """The bars of the prompt."""
        assert self.prompt is not None
        return bar_map(self.prompt) if self.prompt_bars is None else self.prompt_bars


@dataclass(frozen=True)
class Task:
    """A compiled request, in one tokenizer's ids.

    Attributes:
        ids: ``int32[T]``, the prompt.
        cursor: The grammar's state at the end of the prompt, and the constraints; copy it before advancing it.
        start: The tick, in the tokenizer's grid from the start of ``ids``, at which new notes may begin.
        seam: The tick of the prompt that ``start`` stands for; 0 without a prompt.
        bar: The number of bars before the new ones, in the cursor's counting.
        skip: The number of leading ``ids`` that are left out when the new ids are decoded to music.
        prefix: The number of leading ``ids`` that are control tokens of the whole, and stay when the window slides.
        control_tokens: The ids after the bar line of each bar, in the cursor's counting.
        slides: Whether the window may slide when the context is full: for a continuation, not for a hole.
        remarks: What the request turned out to mean that a user may not expect, in words.
    """

    ids: NDArray[np.int32]
    cursor: Cursor
    start: int
    seam: int
    bar: int
    skip: int = 0
    prefix: int = 0
    control_tokens: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    slides: bool = True
    remarks: tuple[str, ...] = ()


def validate_request(request: Request, grammar: Grammar) -> None:
    """Refuse a request that no music can fulfil."""
    for name in ("bars", "tempo", "meter"):
        if (value := getattr(request, name)) is not None:
            checked_value(name, value)
    if request.prompt is not None and request.meter is not None:
        raise RequestError("music that goes on from a prompt keeps its meter: leave out the meter, or the prompt")
    if request.chords is None and not request.end:
        return
    what = "a chord chart" if request.chords is not None else "an ending"
    scheme = grammar.scheme
    if not scheme.has_notes:
        raise RequestError(f"this model's tokens do not know the music's bars and beats, so it cannot keep to {what}")
    if request.bars is None:
        raise RequestError(f"{what} needs a number of bars")
    if request.chords is not None:
        request.chords.fit(request.bars)


def pitch_rules_of(request: Request, state: State, first: int) -> tuple[PitchRule, ...]:
    """Return the time-dependent pitch rules: chords and ending, from bar ``first`` of the state's counting on.

    Raises:
        RequestError: Chords contradict the range of the request, or an ending its key or its range.
    """
    rules = list(request.pitch_rules)
    key = None if request.key is None else Key.read(request.key)
    if request.chords is not None:  # which may leave the key
        contradictions(request.chords, pitch_range(request))
        tick = state.bar_tick + (first - max(state.bar, 0)) * state.ticks_per_bar
        rules.append(request.chords.rule(tick, state.ticks_per_bar, state.ticks_per_beat, key))
    elif request.end and request.bars is not None:  # a chord chart has its own ending
        left = pitch_range(request) if key is None else pitch_range(request) & every_octave(key.scale())
        key = ending_key(request)
        Cadence(key, state.ticks_per_bar, state.ticks_per_bar, state.ticks_per_beat).contradictions(left)
        rules.append(Ending(key, first + request.bars))
        state.histogram_until_bar = first + request.bars - 2
    return tuple(rules)


def ending_key(request: Request) -> Key | None:
    """Return the key in which a piece ends: the requested one, or the prompt's; None: that of what is written."""
    if request.key is not None:
        return Key.read(request.key)
    return None if request.prompt is None else estimate(weights(request.prompt))


def pitch_range(request: Request) -> NDArray[np.bool_]:
    """Return the pitches of the request's range, ``bool[128]``."""
    low, high = request.pitches or (0, 127)
    inside: NDArray[np.bool_] = (np.arange(128) >= low) & (np.arange(128) <= high)
    return inside


def encode_request_controls(request: Request, tokenizer: Tokenizer, learned: bool) -> ControlTokens:
    """Encode the request's controls, with its key and the number of bars left before an ending."""
    whole, bars = request.controls, dict(request.bar_controls)
    if not learned or not can_control(tokenizer):
        if (whole != Controls() or bars) and not can_control(tokenizer):
            raise RequestError("this model's tokens have no words for controls: train one with recipe toccata")
        if whole != Controls() or bars:
            raise RequestError("this model has not learned controls: train one with examples.controls=0.5")
        return ControlTokens()
    if request.key is not None and whole.key is None:
        whole = replace(whole, key=Key.read(request.key))
    if request.end and request.bars is not None:
        for left in range(1, min(ENDS, request.bars) + 1):
            bar = request.bars - left
            bars[bar] = replace(bars.get(bar, Controls()), ends=left)
    return encode_controls(tokenizer, whole, bars)


def shift_bars(control_tokens: ControlTokens, bars: int) -> dict[int, tuple[int, ...]]:
    """Return the control tokens of the new bars, with ``bars`` bars before them."""
    return {bars + bar: ids for bar, ids in control_tokens.bars.items()}


def scale(key: str) -> NDArray[np.bool_]:
    """Return the pitches of a key, ``bool[128]``; a minor key has both its sevenths.

    Args:
        key: A note name and a mode: ``"C"``, ``"F# minor"``, ``"Bbm"``, ``"e minor"``.

    Raises:
        RequestError: There is no such key.
    """
    return every_octave(Key.read(key).scale())
