"""Tendencies: what makes some pitches likelier than a model has them, without ruling others out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from toccata.midi.keys import estimate, every_octave
from toccata.tokenizers.state import State
from toccata.tokenizers.vocabulary import DRUMS, Kind

ESTABLISHED = 4
"""The bars in which a new piece establishes its key."""
_OUTSIDE = -0.7
"""What is added to the logit of a pitch outside the key: half as likely."""
_JOINS = -1.5
"""What is added to the logit of an instrument that has not played yet, after the first bar."""


@dataclass(frozen=True)
class KeyTendency:
    """The tendency to stay in the key of the music so far; a :class:`~toccata.tokenizers.rulebook.Tendency`.

    The key is estimated from ``state.pitch_class_histogram``, which should not count what begins at ``first`` or later.

    Attributes:
        first: The bar, in the state's counting, from which on it holds.
    """

    first: int

    guided = False

    def leaning(self, state: State) -> NDArray[np.float32] | None:
        """Return what is added to the logit of each base token, ``float32[V]``; None: nothing."""
        if state.bar < self.first or state.program == DRUMS:
            return None
        pitches = _leaning(state.pitch_class_histogram.tobytes())
        if pitches is None:
            return None
        scheme = state.scheme
        bias = np.zeros(len(scheme.vocabulary), np.float32)
        which = scheme.start_kind, False
        bias[scheme.note_ids[which]] = pitches[scheme.note_values[which]]
        return bias


@dataclass(frozen=True)
class EnsembleTendency:
    """The tendency of a new piece to go on with who plays in its first bar; a Tendency.

    Attributes:
        first: The first bar, in the state's counting.
    """

    first: int

    guided = False

    def leaning(self, state: State) -> NDArray[np.float32] | None:
        """Return what is added to the logit of each base token, ``float32[V]``; None: nothing."""
        ids = state.scheme.vocabulary.of_kind[Kind.PROGRAM]
        if state.bar <= self.first or not len(ids) or not state.bars_played:
            return None
        bias = np.zeros(len(state.scheme.vocabulary), np.float32)
        bias[ids] = np.where(np.isin(state.scheme.vocabulary.values[ids], list(state.bars_played)), 0, _JOINS)
        return bias


@lru_cache(maxsize=256)
def _leaning(histogram: bytes) -> NDArray[np.float32] | None:
    """Return what is added to the logit of each pitch, ``float32[128]``; None: nothing."""
    counts = np.frombuffer(histogram, np.int64)
    if not counts.any():
        return None
    scale = every_octave(estimate(counts.astype(np.float64)).scale())
    return np.where(scale, 0, _OUTSIDE).astype(np.float32)
