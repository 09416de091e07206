"""How notes are distributed in a piece: pitch classes, intervals, onsets, durations, velocities, density, polyphony.

Each distribution of a piece is a histogram whose bins add up to 1. That of several pieces is the mean of theirs, so
that a long piece counts as much as a short one. Two distributions P and Q are compared by their Jensen-Shannon
distance, the square root of the Jensen-Shannon divergence in bits: with M = (P + Q) / 2,

    distance(P, Q) = sqrt((KL(P, M) + KL(Q, M)) / 2),   KL(A, B) = sum of A * log2(A / B)

It is 0 for equal distributions and 1 for such as have nothing in common. (Lin, "Divergence measures based on the
Shannon entropy", IEEE Transactions on Information Theory 37, 1991.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.measure.beats import Beats
from toccata.measure.lines import pitched, top_lines
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.features import Sounding
from toccata.midi.keys import estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CLASSES = 12
_WIDEST = 24
"""Wider intervals, in semitones, count as this one."""
_GRID, _QUARTERS = 12, 8
"""Onsets are counted in parts of a quarter, up to so many quarters behind the bar line; later ones share a bin."""
_SHORTEST, _LONGEST, _OCTAVE_PARTS = -5, 4, 4
"""Durations are counted from 2 to the power of the first to that of the second quarters, so many bins an octave."""
_LOUDNESS = 16  # velocities to a bin: about as many bins as there are dynamic marks
_HALVES, _DENSEST = 2, 16  # bins of density for each note a quarter, up to so many notes a quarter
_MOST_VOICES = 12


@dataclass(frozen=True)
class Distribution:
    """A distribution that is measured.

    Attributes:
        label: Its name, as printed.
        meaning: What is counted, and in which bins.
        bins: How many bins it has.
    """

    label: str
    meaning: str
    bins: int


DISTRIBUTIONS: dict[str, Distribution] = {
    "pitch_class": Distribution(
        "pitch classes",
        "how long each pitch class sounds, counted in semitones above the tonic of the piece's estimated key",
        _CLASSES,
    ),
    "interval": Distribution(
        "melodic intervals",
        f"semitones from note to note of the top line of each track, {_WIDEST} down to {_WIDEST} up",
        2 * _WIDEST + 1,
    ),
    "onset": Distribution(
        "onsets in the bar",
        f"twelfths of a quarter behind the bar line, up to {_QUARTERS} quarters",
        _GRID * _QUARTERS + 1,
    ),
    "duration": Distribution(
        "durations",
        "lengths of pitched notes on a logarithmic scale, a 32nd of a quarter to 16 quarters, four bins to a doubling",
        (_LONGEST - _SHORTEST) * _OCTAVE_PARTS + 1,
    ),
    "velocity": Distribution("velocities", "MIDI velocities, sixteen to a bin", 128 // _LOUDNESS),
    "density": Distribution(
        "density", "notes a quarter in each bar, two bins to a note, up to 16", _HALVES * _DENSEST + 1
    ),
    "polyphony": Distribution(
        "polyphony", "pitched notes that sound on each quarter, none to twelve and more", _MOST_VOICES + 1
    ),
}
"""All of them. Pitch classes, intervals, durations and polyphony are of pitched notes; the others count drums, too."""


def histograms(score: Score) -> dict[str, Floats]:
    """Return the distributions of a piece, ``float64[bins]`` each; those that it has nothing for are left out."""
    bars, notes = bar_map(score), Sounding.of(score)
    if not len(notes):
        return {}
    found = {
        "pitch_class": _pitch_classes(notes),
        "interval": _intervals(score),
        "onset": _onsets(notes, bars),
        "duration": _durations(notes),
        "velocity": np.bincount(notes.velocities // _LOUDNESS, minlength=128 // _LOUDNESS).astype(np.float64),
        "density": _density(notes, bars),
        "polyphony": _polyphony(notes, bars),
    }
    return {name: counts / counts.sum() for name, counts in found.items() if counts.sum() > 0}


def distance(one: Floats, other: Floats) -> Floats:
    """Return the Jensen-Shannon distance of distributions, in bits.

    Args:
        one: ``float64[..., bins]``; each row adds up to 1.
        other: The same.
    """
    middle = (one + other) / 2
    divergence = (_kl(one, middle) + _kl(other, middle)) / 2
    found: Floats = np.sqrt(np.maximum(divergence, 0.0))  # of equal ones, rounding may leave a little less than 0
    return found


def _kl(one: Floats, other: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(one > 0, one * np.log2(one / other), 0.0)
    total: Floats = terms.sum(axis=-1)
    return total


def _counted(values: Ints, bins: int) -> Floats:
    """Return how often each of 0 to ``bins - 1`` is there; what is beyond counts as the last."""
    return np.bincount(np.clip(values, 0, bins - 1), minlength=bins).astype(np.float64)


def _pitch_classes(notes: Sounding) -> Floats:
    weights = notes.pitch_classes()
    return np.roll(weights, -estimate(weights).tonic)


def _intervals(score: Score) -> Floats:
    found = np.zeros(2 * _WIDEST + 1)
    for line in top_lines(pitched(score), score.ticks_per_quarter):
        steps = np.clip(line.symbols[1:, 1].astype(np.int64) - 128, -_WIDEST, _WIDEST)
        found += np.bincount(steps + _WIDEST, minlength=len(found))
    return found


def _onsets(notes: Sounding, bars: BarMap) -> Floats:
    bar = np.searchsorted(bars.starts, notes.onsets, side="right") - 1
    place = np.rint((notes.onsets - bars.starts[bar]) * _GRID / notes.ticks_per_quarter).astype(np.int64)
    return _counted(place, DISTRIBUTIONS["onset"].bins)


def _durations(notes: Sounding) -> Floats:
    quarters = np.maximum(notes.lengths[~notes.drums] / notes.ticks_per_quarter, 2.0**_SHORTEST)
    octaves = np.rint((np.log2(quarters) - _SHORTEST) * _OCTAVE_PARTS).astype(np.int64)
    return _counted(octaves, DISTRIBUTIONS["duration"].bins)


def _density(notes: Sounding, bars: BarMap) -> Floats:
    bar = np.searchsorted(bars.starts, notes.onsets, side="right") - 1
    quarters = np.diff(bars.starts) / notes.ticks_per_quarter
    rates = np.bincount(bar, minlength=len(bars))[: len(bars)] / quarters
    return _counted(np.rint(rates * _HALVES).astype(np.int64), DISTRIBUTIONS["density"].bins)


def _polyphony(notes: Sounding, bars: BarMap) -> Floats:
    if notes.drums.all():
        return np.zeros(_MOST_VOICES + 1)
    voices = pitched_beats(notes, bars).voices
    return _counted(voices, _MOST_VOICES + 1)


def pitched_beats(notes: Sounding, bars: BarMap) -> Beats:
    """Return which pitched notes of a piece sound on each of its quarters."""
    of = ~notes.drums
    ticks = np.arange(0, bars.end, notes.ticks_per_quarter)
    return Beats.of(notes.onsets[of], (notes.onsets + notes.lengths)[of], notes.pitches[of], ticks)
