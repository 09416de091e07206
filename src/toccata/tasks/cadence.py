"""Endings on a cadence: the dominant, then the tonic."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from toccata.errors import RequestError
from toccata.midi.keys import Key, estimate, every_octave
from toccata.tasks.chords import slack, strong_beats
from toccata.tokenizers.state import State

Mask = NDArray[np.bool_]

_FREE, _DOMINANT, _TONIC, _NOTHING = range(4)


@dataclass(frozen=True)
class Cadence:
    """A cadence at the end of a piece; a :class:`~toccata.tokenizers.rulebook.PitchRule`.

    In the last bar only tones of the tonic triad begin, and only on its strong beats. On the
    strong beats of the second half of the bar before, or on its last beat where there are none (3/4, 5/4), only tones
    of the dominant seventh. Elsewhere anything.

    Without a key, it is that of ``state.pitch_class_histogram``, which must not count what begins at ``start``
    or later, so that the key does not change halfway.

    Attributes:
        key: The key of the piece; None: the key estimated from the notes so far, C major if there are none.
        last_bar: The tick, in the tokenizer's grid, at which the last bar begins.
        ticks_per_bar: The length of the last two bars.
        ticks_per_beat: The length of a beat of their meter's denominator.
    """

    key: Key | None
    last_bar: int
    ticks_per_bar: int
    ticks_per_beat: int

    @cached_property
    def dominants(self) -> tuple[int, ...]:
        """The ticks of the bar before the last at which the dominant sounds."""
        beats = max(1, self.ticks_per_bar // self.ticks_per_beat)
        late = [beat for beat in strong_beats(beats) if 2 * beat >= beats] or [beats - 1]
        return tuple(self.last_bar - self.ticks_per_bar + beat * self.ticks_per_beat for beat in late)

    @cached_property
    def start(self) -> int:
        """The first tick with a constraint."""
        return min(self.dominants) - slack(self.ticks_per_beat)

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        """The row of the chord table for each tick from ``start - 1`` to the one after the end."""
        near, first = slack(self.ticks_per_beat), self.start - 1
        rows = np.full(self.last_bar + self.ticks_per_bar - first + 1, _FREE, np.int64)
        rows[self.last_bar - near - first :] = _NOTHING
        beats = max(1, self.ticks_per_bar // self.ticks_per_beat)
        tonics = [self.last_bar + beat * self.ticks_per_beat for beat in strong_beats(beats)]
        for ticks, what in ((self.dominants, _DOMINANT), (tonics, _TONIC)):
            for tick in ticks:
                rows[max(0, tick - near - first) : tick + near - first + 1] = what
        return rows

    def pitches(self, state: State, ticks: NDArray[np.int64]) -> Mask:
        """The pitches that may begin at each of ``ticks``, ``bool[n, 128]``."""
        rows = self._rows
        place = np.minimum(np.maximum(ticks - (self.start - 1), 0), len(rows) - 1)
        here = rows[place]
        if not here.any():  # the key may be unknown yet
            return np.ones((len(ticks), 128), np.bool_)
        allowed: Mask = _chords(self.key or _key(state.pitch_class_histogram.tobytes()))[here]
        return allowed

    def contradictions(self, allowed: Mask, why: str = "the key and the range asked for") -> None:
        """Refuse a cadence that cannot be written, if its key is known.

        Args:
            allowed: ``bool[128]``, the pitches that other constraints allow to pitched programs.
            why: These constraints in words, for the error.

        Raises:
            RequestError: No tone of the dominant or of the tonic is allowed.
        """
        if self.key is None:
            return
        for row, name in ((_DOMINANT, "dominant"), (_TONIC, "tonic")):
            if not (_chords(self.key)[row] & allowed).any():
                raise RequestError(
                    f"no tone of {self.key}'s {name} lies in {why}, so the piece cannot come to an end: allow more"
                )


@dataclass(frozen=True)
class Ending:
    """A :class:`Cadence` in the last two of a number of bars, with the meter in force there.

    Attributes:
        key: As in :class:`Cadence`.
        bars: The number of bars, as the state counts them.
    """

    key: Key | None
    bars: int

    def pitches(self, state: State, ticks: NDArray[np.int64]) -> Mask:
        """The pitches that may begin at each of ``ticks``, ``bool[n, 128]``."""
        last = state.bar_tick + (self.bars - 1 - max(state.bar, 0)) * state.ticks_per_bar
        return _cadence(self.key, last, state.ticks_per_bar, state.ticks_per_beat).pitches(state, ticks)


@lru_cache(maxsize=64)
def _cadence(key: Key | None, last_bar: int, ticks_per_bar: int, ticks_per_beat: int) -> Cadence:
    return Cadence(key, last_bar, ticks_per_bar, ticks_per_beat)


@lru_cache(maxsize=32)
def _chords(key: Key) -> Mask:
    """Return the pitches that may begin: any, dominant, tonic, none; ``bool[4, 128]``."""
    every = np.ones(128, np.bool_)
    return np.array([every, every_octave(key.dominant()), every_octave(key.triad()), ~every])


@lru_cache(maxsize=256)
def _key(histogram: bytes) -> Key:
    return estimate(np.frombuffer(histogram, np.int64).astype(np.float64))
