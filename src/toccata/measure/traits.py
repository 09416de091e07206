"""Traits of a piece that separate good from bad at a glance: texture, motion, repetition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.measure.beats import Beats
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.features import Sounding

BARS = 8
"""Traits depend on how much is looked at, so it is always so many bars; of longer music, all such passages."""

_GRID = 12  # parts of a quarter, to which onsets are rounded where bars are compared
_MOST = 1500  # notes of a passage that are compared with one another
_CLASHES = (1, 2, 6)  # semitones between pitch classes that sound harsh together
_FIGURE = 4  # steps of a melodic figure
_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11)


@dataclass(frozen=True)
class Trait:
    """A measured property of a passage.

    Attributes:
        unit: The unit, as printed after the number.
        low: The word for a piece with too little of it.
        high: The word for a piece with too much of it.
        least: An inaudible difference: the usual range is taken to be no narrower, on each side.
        percent: Whether it is a share, printed in percent.
        comparative: Whether the words compare, as in "more clashes than usual".
    """

    unit: str
    low: str
    high: str
    least: float
    percent: bool = False
    comparative: bool = False


TRAITS: dict[str, Trait] = {
    "density": Trait("notes a quarter", "thin", "crowded", 0.2),
    "polyphony": Trait("notes at once", "bare", "thick", 0.2),
    "register": Trait("as mean pitch", "low", "high", 2.0),
    "length": Trait("quarters long", "short of breath", "drawn out", 0.1),
    "dynamics": Trait("as spread of velocities", "flat in loudness", "uneven in loudness", 4.0),
    "colour": Trait("bits of pitch classes", "poor in pitches", "out of all keys", 0.1),
    "in_key": Trait("in its key", "far from any key", "plain in key", 0.03, True),
    "silence": Trait("silence", "poor in rests", "rich in rests", 0.05, True),
    "sameness": Trait("of a bar heard before", "poor in returns", "repetitive", 0.05, True),
    "rhythms": Trait("rhythms a bar", "even in rhythm", "uneven in rhythm", 0.1),
    "beat": Trait("of onsets on a beat", "off the beat", "square", 0.05, True),
    "leaps": Trait("semitones a step on top", "still", "leaping about", 0.5),
    "figures": Trait("of figures on top heard before", "wandering", "full of the same figures", 0.05, True),
    "clashes": Trait("seconds, sevenths and tritones", "bland", "harsh", 0.03, True),
    "clashing_beats": Trait(
        "of beats with a semitone or major seventh",
        "fewer clashes than usual",
        "more clashes than usual",
        0.03,
        True,
        True,
    ),
    "chordless_beats": Trait(
        "of beats without a triad or seventh chord",
        "plainer chords than usual",
        "stranger chords than usual",
        0.05,
        True,
        True,
    ),
    "steps": Trait("nats a step of its lines", "familiar in its steps", "odd in its steps", 0.2),
}
"""All of them. Drums have no pitch, so a piece of drums alone has only some. The last is found by ``measure.steps``."""


def traits(score: Score, since: int = 0) -> dict[str, float]:
    """The traits of ``score`` from the bar of tick ``since`` on, each the mean over its passages of ``BARS`` bars.

    Traits that say nothing of the music (it has no notes, or drums alone) are left out.
    """
    bars = bar_map(score)
    return mean_traits(score, bars, passages(bars.at(since) if since else 0, len(bars)))


def passages(first: int, end: int) -> list[tuple[int, int]]:
    """Divide bars ``[first, end)`` into passages of ``BARS`` bars; the last may overlap the one before it."""
    starts = list(range(first, max(first, end - BARS) + 1, BARS))
    if starts[-1] + BARS < end:
        starts.append(end - BARS)
    return [(start, min(start + BARS, end)) for start in starts]


def surroundings(score: Score, bars: BarMap, new: Score) -> list[tuple[int, int]]:
    """Return the passages of ``score`` in which the notes of ``new`` begin, with the bars around them.

    Args:
        score: The whole song.
        bars: Its bars.
        new: Some of its notes, at least one.
    """
    onsets = Sounding.of(new).onsets
    held = np.unique(np.searchsorted(bars.starts, onsets, side="right") - 1)
    found = []
    for group in np.split(held, np.flatnonzero(np.diff(held) > BARS) + 1):
        first, end = int(group[0]), int(group[-1]) + 1
        if (missing := BARS - (end - first)) > 0:
            first = max(0, min(first - missing // 2, len(bars) - BARS))
            end = min(first + BARS, len(bars))
        found += passages(first, end)
    return found


def mean_traits(score: Score, bars: BarMap, where: Sequence[tuple[int, int]]) -> dict[str, float]:
    """Return the mean traits of some passages, given by first bar and end."""
    notes = Sounding.of(score)
    found = [passage_traits(notes, bars, first, end) for first, end in where]
    return {
        name: float(np.mean(values))
        for name in TRAITS
        if (values := [passage[name] for passage in found if name in passage])
    }


def passage_traits(notes: Sounding, bars: BarMap, first: int, last: int) -> dict[str, float]:
    """The traits of the notes that begin in bars ``first`` to ``last - 1``, counted from 0."""
    start, end = int(bars.starts[first]), int(bars.starts[last])
    part = notes.between(start, end)
    if not len(part):
        return {}
    tpq = part.ticks_per_quarter
    bar = np.searchsorted(bars.starts, part.onsets, side="right") - 1
    place = np.rint((part.onsets - bars.starts[bar]) * _GRID / tpq).astype(np.int64)
    found: dict[str, float | None] = {
        "density": part.density(end - start),
        "polyphony": part.polyphony(),
        "register": part.register(),
        "length": part.length(),
        "dynamics": float(part.velocities.std()),
        "silence": _silence(part, start, end),
        "beat": float((place % _GRID == 0).mean()),
    }
    patterns = [frozenset(place[bar == b].tolist()) for b in range(first, last)]
    if len(played := [pattern for pattern in patterns if pattern]) > 1:
        found["rhythms"] = len(set(played)) / len(played)
        found["sameness"] = _sameness([(place[bar == b] << 7 | part.pitches[bar == b]) for b in range(first, last)])
    if (~part.drums).sum() > 1:
        found |= _harmony(part) | _beats(part, start, end)
    return {name: value for name, value in found.items() if value is not None}


def _beats(part: Sounding, start: int, end: int) -> dict[str, float]:
    """The traits of what sounds together on the quarters of ``[start, end)``."""
    pitched = ~part.drums
    onsets = part.onsets[pitched]
    ticks = np.arange(start, end, part.ticks_per_quarter)
    beats = Beats.of(onsets, onsets + part.lengths[pitched], part.pitches[pitched], ticks)
    out: dict[str, float] = {}
    if (several := beats.voices >= 2).any():
        out["clashing_beats"] = float(beats.clashing[several].mean())
    if (chords := beats.voices >= 3).any():
        out["chordless_beats"] = float(beats.chordless[chords].mean())
    return out


def _silence(part: Sounding, start: int, end: int) -> float:
    """The share of ``[start, end)`` in which nothing sounds."""
    ends = np.minimum(np.maximum.accumulate(part.onsets + part.lengths), end)
    gaps = np.append(part.onsets[1:], end) - ends
    return float((np.maximum(gaps, 0).sum() + part.onsets[0] - start) / (end - start))


def _sameness(bars: list[NDArray[np.int64]]) -> float:
    """Return the average share that a bar has in common with the most similar bar before it."""
    sets = [frozenset(bar.tolist()) for bar in bars if len(bar)]
    return float(np.mean([max(len(a & b) / len(a | b) for b in sets[:i]) for i, a in enumerate(sets) if i]))


def _figures(onsets: NDArray[np.int64], pitches: NDArray[np.int64]) -> dict[str, float]:
    """Return the share of figures of a line, four steps with their rhythm, that were there before, on any pitch."""
    steps = np.stack([np.diff(onsets), np.diff(pitches)], axis=1)
    if len(steps) <= _FIGURE:
        return {}
    figures = [figure.tobytes() for figure in np.lib.stride_tricks.sliding_window_view(steps, _FIGURE, axis=0)]
    return {"figures": 1 - len(set(figures)) / len(figures)}


def _harmony(part: Sounding) -> dict[str, float]:
    """The traits of pitched notes, two at least."""
    pitched = ~part.drums
    weights = part.pitch_classes()
    out: dict[str, float] = {}
    if weights.sum() > 0:
        shares = weights / weights.sum()
        out["colour"] = float(-(shares[shares > 0] * np.log2(shares[shares > 0])).sum())
        scales = [[(tonic + step) % 12 for step in scale] for scale in (_MAJOR, _MINOR) for tonic in range(12)]
        out["in_key"] = float(max(shares[scale].sum() for scale in scales))
    onsets, pitches = part.onsets[pitched], part.pitches[pitched]
    ends = onsets + part.lengths[pitched]
    heads = np.flatnonzero(np.diff(onsets, prepend=onsets[0] - 1))
    if len(heads) > 1:
        top = np.maximum.reduceat(pitches, heads)
        out["leaps"] = float(np.abs(np.diff(top)).mean())
        out |= _figures(np.rint(onsets[heads] * _GRID / part.ticks_per_quarter).astype(np.int64), top)
    onsets, pitches, ends = onsets[:_MOST], pitches[:_MOST], ends[:_MOST]
    later, earlier = np.tril_indices(len(onsets), -1)
    together = onsets[later] < ends[earlier]
    if together.any():
        apart = (pitches[later] - pitches[earlier])[together] % 12
        out["clashes"] = float(np.isin(np.minimum(apart, 12 - apart), _CLASHES).mean())
    return out
