"""How a piece holds together: the rhythm of neighbouring bars, and how much of a bar comes back bars later."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.midi.bars import BarMap, bar_map
from toccata.midi.features import Sounding

LAGS = (1, 2, 4, 8, 16)
"""How many bars later a bar is compared with."""
_GRID = 12  # places of an onset in a quarter


def groove_consistency(score: Score) -> float | None:
    """Return how alike the rhythms of neighbouring bars are, 0 to 1; None: there are no two bars of one length.

    A bar is the set of its onsets among twelfths of a quarter, all instruments together. Two bars differ by the share
    of all places at which only one of them has an onset; the figure is 1 minus the mean of that. (As "groove
    consistency" in MusPy, Dong et al. 2020, after Wu and Yang 2020, with twelve places a quarter.)
    """
    notes, bars = Sounding.of(score), bar_map(score)
    bar, place = _places(notes, bars)
    lengths = np.diff(bars.starts)
    alike = []
    for number in range(len(bars) - 1):
        if lengths[number] == lengths[number + 1]:
            here, after = (frozenset(place[bar == n].tolist()) for n in (number, number + 1))
            alike.append(1 - len(here ^ after) / max(1, round(lengths[number] * _GRID / notes.ticks_per_quarter)))
    return float(np.mean(alike)) if alike else None


def self_similarity(score: Score) -> dict[int, float]:
    """Return how much of a bar comes back so many bars later, for each of ``LAGS`` that the piece is long enough for.

    A bar is the set of its notes, each with its pitch and its onset among twelfths of a quarter. The figure is the mean
    over all pairs of bars at that distance, none of them empty, of the notes in both divided by the notes in either.
    """
    notes, bars = Sounding.of(score), bar_map(score)
    bar, place = _places(notes, bars)
    sets = [frozenset((place[bar == n] << 8 | _keys(notes)[bar == n]).tolist()) for n in range(len(bars))]
    found = {}
    for lag in LAGS:
        shares = [len(a & b) / len(a | b) for a, b in zip(sets, sets[lag:], strict=False) if a and b]
        if shares:
            found[lag] = float(np.mean(shares))
    return found


def _places(notes: Sounding, bars: BarMap) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bar of each note and its onset in it, in twelfths of a quarter."""
    bar = np.searchsorted(bars.starts, notes.onsets, side="right") - 1
    place = np.rint((notes.onsets - bars.starts[bar]) * _GRID / notes.ticks_per_quarter)
    return bar.astype(np.int64), place.astype(np.int64)


def _keys(notes: Sounding) -> NDArray[np.int64]:
    """Return the pitch of each note, and of drums which one it is, apart from the pitches."""
    return notes.pitches | notes.drums.astype(np.int64) << 7
