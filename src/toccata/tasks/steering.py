"""Steering: density, register, note length and velocity are counted while music is written, and held near their levels.

A model that was asked for a level by a control token follows it in tendency; what can be counted makes up for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from toccata.tasks.controls import Controls
from toccata.tokenizers.scheme import Clock, Scheme
from toccata.tokenizers.state import State
from toccata.tokenizers.vocabulary import DRUMS, Kind

Bias = NDArray[np.float32]
_COUNTED = ("density", "register", "length", "velocity")
"""The controls that can be counted note by note."""
SLACK, PULL = 1.5, 0.5
"""So many notes too few or too many cost nothing; each one more, so much of a logit."""
BAR_SLACK, BAR_PULL = 0.2, 24.0
"""The same in a bar with a level of its own: a share of its notes; and what all of them too many would cost."""
MADE_UP = 0.25
"""A bar makes up for what is missing or too much in those before it by at most this share of its own notes."""
TILT, MOST_TILT = 0.2, 1.5
"""What an octave adds to the logit of a pitch for each semitone by which the mean pitch is off, and at most."""
_LENGTH, _VELOCITY = 1.5, 0.05
"""What a note length of another level costs, and each step of velocity outside of the level."""
_MOST = 10.0
_NOTE_KINDS = (Kind.PITCH, Kind.NOTE_ON, Kind.PROGRAM)
_STATUS_KINDS = (Kind.VELOCITY, Kind.DURATION)
"""With a running status, these come before a note, too."""


@dataclass(frozen=True)
class Counts:
    """What has been written at some moment.

    Attributes:
        notes: Notes.
        pitched: Notes of pitched programs.
        pitches: The sum of their pitches.
    """

    notes: int = 0
    pitched: int = 0
    pitches: int = 0

    @classmethod
    def of(cls, state: State) -> Counts:
        """Return the counts of a state."""
        return cls(state.notes, state.pitched_notes, state.pitch_sum)


@dataclass(frozen=True, eq=False)
class Steering:
    """Holds new music near the levels of its controls; a :class:`~toccata.tokenizers.rulebook.Tendency`.

    Attributes:
        whole: The controls of all the new music.
        bars: The controls of single bars, in the state's counting.
        start: The tick at which the new music begins.
        before: What has been written before.
    """

    whole: Controls
    bars: Mapping[int, Controls]
    start: int
    before: Counts

    guided = True

    def leaning(self, state: State) -> Bias | None:
        """Return what is added to the logit of each base token, ``float32[V]``; None: nothing."""
        scheme, bar = state.scheme, self.bars.get(max(state.bar, 0), Controls())
        bias = np.zeros(len(scheme.vocabulary), np.float32)
        levels = {name: getattr(bar, name) or getattr(self.whole, name) for name in _COUNTED}
        if levels["density"] is not None:
            self._density(state, scheme, bias)
        if levels["register"] is not None and state.program != DRUMS:
            self._register(state, scheme, scheme.levels.register.aims[levels["register"] - 1], bias)
        if levels["length"] is not None:
            _length(state, scheme, levels["length"], bias)
        if levels["velocity"] is not None:
            _velocity(scheme, levels["velocity"], bias)
        return bias

    def _density(self, state: State, scheme: Scheme, bias: Bias) -> None:
        """Notes cost where there are too many, and passing time costs where that leaves too few.

        So does passing no more time than to where a note would be too many; a bar line may be passed at any time.
        """
        written = state.notes - self._before(state)
        slack, pull = self._strength(state)
        for kind, arrivals in _arrivals(state, scheme).items():
            expected = self._expected(state, arrivals)
            off = expected - written - slack
            if kind is not Kind.BAR:
                off = np.maximum(off, written + 1 - expected - slack)
            bias[scheme.vocabulary.of_kind[kind]] -= pull * np.clip(off, 0, _MOST / pull)
        soon = state.tick + state.ticks_per_beat
        if self._by_bars:  # the next bar's notes have their own level
            soon = min(soon, state.bar_tick + state.ticks_per_bar)
        ahead = written + 1 - self._expected(state, np.array([soon]))[0] - slack
        for kind in (*_NOTE_KINDS, *(_STATUS_KINDS if scheme.running_status else ())):
            bias[scheme.vocabulary.of_kind[kind]] -= pull * float(np.clip(ahead, 0, _MOST / pull))

    def _strength(self, state: State) -> tuple[float, float]:
        """Return how many notes may be missing or too many, and what each one more costs.

        In a bar with a level of its own that is a matter of few notes: others hardly make up for it.
        """
        if not self._by_bars:
            return SLACK, PULL
        line = np.array([state.bar_tick + state.ticks_per_bar])
        expected = max(1.0, float(self._expected(state, line)[0]))
        return min(SLACK, BAR_SLACK * expected), max(PULL, BAR_PULL / expected)

    def _before(self, state: State) -> float:
        """Return the notes that do not count: those before the new music.

        Where bars have levels of their own, those before this bar do not either, but for some that it makes up for.
        """
        if not self._by_bars:
            return self.before.notes
        earlier = max(self.before.notes, state.notes_before_bar)
        missing = self._expected_before(state) - (earlier - self.before.notes)
        line = np.array([state.bar_tick + state.ticks_per_bar])
        most = MADE_UP * float(self._expected(state, line)[0])
        return earlier + min(max(missing, -most), most)

    def _expected_before(self, state: State) -> float:
        """Return how many new notes there should be before this bar."""
        quarter, aims = state.scheme.timing.ticks_per_quarter, state.scheme.levels.density.aims
        size, bar, total = state.ticks_per_bar, max(state.bar, 0), 0.0
        first = state.bar_tick - bar * size  # as if the meter had always been the same
        for number in range(max(0, (self.start - first) // size), bar):
            level = (self.bars.get(number) or self.whole).density or self.whole.density
            if level is not None:
                begin = max(first + number * size, self.start)
                total += (first + (number + 1) * size - begin) / quarter * aims[level - 1]
        return total

    @cached_property
    def _by_bars(self) -> bool:
        """Whether bars have densities of their own."""
        return any(controls.density is not None for controls in self.bars.values())

    def _expected(self, state: State, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how many new notes that count there should be by each tick."""
        quarter, aims = state.scheme.timing.ticks_per_quarter, state.scheme.levels.density.aims
        if not self._by_bars:
            level = self.whole.density
            assert level is not None
            return (ticks - self.start) / quarter * aims[level - 1]
        total = np.zeros(len(ticks))
        size = state.ticks_per_bar
        for ahead in range(2):
            level = (self.bars.get(max(state.bar, 0) + ahead) or self.whole).density or self.whole.density
            if level is not None:
                end = state.bar_tick + (ahead + 1) * size
                begin = max(end - size, self.start)
                total += np.clip(ticks - begin, 0, max(0, end - begin)) / quarter * aims[level - 1]
        return total

    def _register(self, state: State, scheme: Scheme, target: float, bias: Bias) -> None:
        count = state.pitched_notes - self.before.pitched
        mean = (state.pitch_sum - self.before.pitches) / count if count else target
        off = target - mean if count else 0.0
        tilt = float(np.clip(TILT * off, -MOST_TILT, MOST_TILT))
        ids = scheme.note_ids[scheme.start_kind, False]
        bias[ids] += tilt * (scheme.note_values[scheme.start_kind, False] - target) / 12


def _arrivals(state: State, scheme: Scheme) -> dict[Kind, NDArray[np.int64]]:
    """Return the tick to which each token of the kinds that pass time leads."""
    found: dict[Kind, NDArray[np.int64]] = {}
    if scheme.timing.clock is Clock.POSITIONS:
        found[Kind.POSITION] = state.bar_tick + scheme.position_ticks[state.ticks_per_position]
        line = state.bar_tick + (state.ticks_per_bar if state.bar >= 0 else 0)
        found[Kind.BAR] = np.full(len(scheme.vocabulary.of_kind[Kind.BAR]), line)
    else:
        found[Kind.TIME_SHIFT] = state.tick + scheme.timing.lengths[Kind.TIME_SHIFT, state.ticks_per_beat]
    return found


def _length(state: State, scheme: Scheme, level: int, bias: Bias) -> None:
    ids = scheme.vocabulary.of_kind[Kind.DURATION]
    if len(ids):
        quarters = scheme.timing.lengths[Kind.DURATION, state.ticks_per_beat] / scheme.timing.ticks_per_quarter
        bias[ids] -= _LENGTH * (scheme.levels.length.levels(quarters) != level)


def _velocity(scheme: Scheme, level: int, bias: Bias) -> None:
    ids = scheme.vocabulary.of_kind[Kind.VELOCITY]
    values = scheme.vocabulary.values[ids].astype(np.float64)
    bounds = (0.0, *scheme.levels.velocity.bounds, 127.0)
    low, high = bounds[level - 1], bounds[level]
    bias[ids] -= _VELOCITY * np.clip(np.maximum(low - values, values - high), 0, _MOST / _VELOCITY)


def steering(whole: Controls, bars: Mapping[int, Controls], first: int, start: int, state: State) -> Sequence[Steering]:
    """Return the steering of new music by its controls; none where there are none that can be counted.

    Args:
        whole: The controls of all the new music.
        bars: Those of single bars, counted from 0.
        first: The first new bar, in the state's counting.
        start: The tick at which it begins.
        state: The music before.
    """
    if not any(getattr(controls, name) is not None for controls in (whole, *bars.values()) for name in _COUNTED):
        return ()
    return (Steering(whole, {first + bar: controls for bar, controls in bars.items()}, start, Counts.of(state)),)
