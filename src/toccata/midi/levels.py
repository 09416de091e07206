"""The levels of controls: what "density 3" means, in notes a quarter, and in the music that a model was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.errors import shown
from toccata.midi.bars import bar_map
from toccata.midi.features import Sounding

Numbers = tuple[float, ...]
COUNTS: Mapping[str, int] = {"density": 8, "polyphony": 6, "register": 8, "length": 6, "velocity": 6}
"""How many levels each control has."""
BARS = 8
"""Bars of the passages whose quantiles are the bounds of levels."""
WIDTH = 4.0
"""Standard deviations that the levels of a control cover in all."""
_DIGITS = {"density": 1, "polyphony": 1, "register": 1, "length": 2, "velocity": 0}
_LEAST = {"density": 0.3, "polyphony": 0.2, "register": 1.0, "length": 0.04, "velocity": 3.0}
"""Levels that are narrower than this cannot be told apart."""


@dataclass(frozen=True)
class Scale:
    """The levels of one control, counted from 1.

    Attributes:
        bounds: The value at which each level but the last ends.
        aims: The value in the middle of each level: what is aimed at where it is asked for.
    """

    bounds: Numbers
    aims: Numbers

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in pairwise(self.bounds))
        between = all(a <= bound <= b for a, bound, b in zip(self.aims, self.bounds, self.aims[1:], strict=False))
        if len(self.aims) != len(self.bounds) + 1 or not rising or not between:
            raise ValueError(f"{shown([self.bounds, self.aims])} are no bounds and aims of levels")

    def level(self, value: float | None) -> int | None:
        """Return the level of a value; None for None."""
        return None if value is None else int(np.searchsorted(self.bounds, value, side="right")) + 1

    def levels(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the level of each value."""
        return np.searchsorted(self.bounds, values, side="right").astype(np.int64) + 1


def _between(bounds: Numbers, first: float, last: float) -> Scale:
    """The levels with these bounds, each aimed at in its middle, the outer ones at ``first`` and ``last``."""
    middles = ((a + b) / 2 for a, b in pairwise(bounds))
    return Scale(bounds, (first, *middles, last))


@dataclass(frozen=True)
class Levels:
    """The levels of all controls.

    Attributes:
        density: Notes a quarter.
        polyphony: Notes at once, on average.
        register: Mean pitch.
        length: Median length of notes, in quarters.
        velocity: Mean velocity.
    """

    density: Scale
    polyphony: Scale
    register: Scale
    length: Scale
    velocity: Scale

    def __getitem__(self, name: str) -> Scale:
        """The levels of a control by its name."""
        if name not in COUNTS:
            raise KeyError(name)
        scale: Scale = getattr(self, name)
        return scale

    @classmethod
    def of(cls, scores: Iterable[Score]) -> Levels:
        """Return levels by the quantiles of music's passages.

        Levels are alike in width where values are spread like a bell: in the middle more common than at the ends, which
        so stay worth asking for. A control whose quantiles are too close together to be told apart keeps the default
        levels: velocities, in music that has only one.

        Args:
            scores: The music.
        """
        rows = [row for score in scores for row in passages(score)]
        scales = {name: DEFAULT[name] for name in COUNTS}
        for name, count in COUNTS.items():
            values = np.sort([row[name] for row in rows if name in row])
            found = _quantiles(values, count, _DIGITS[name], _LEAST[name])
            if found is not None:
                scales[name] = found
        return cls(**scales)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {name: [list(self[name].bounds), list(self[name].aims)] for name in COUNTS}

    @classmethod
    def from_json(cls, found: Any) -> Levels:
        """Parse the result of :meth:`to_json`.

        Raises:
            ValueError: They are not levels of all controls; also KeyError and TypeError.
        """
        scales = {name: Scale(tuple(map(float, found[name][0])), tuple(map(float, found[name][1]))) for name in COUNTS}
        if any(len(scales[name].aims) != count for name, count in COUNTS.items()):
            raise ValueError("controls have another number of levels")
        return cls(**scales)


DEFAULT = Levels(
    density=_between((2.5, 3.5, 4.5, 5.5, 6.5, 8.0, 11.0), 1.5, 13.0),
    polyphony=_between((1.5, 2.5, 3.3, 4.2, 6.0), 1.0, 7.0),
    register=_between((53.0, 57.5, 60.0, 62.0, 64.0, 66.0, 69.0), 48.0, 74.0),
    length=_between((0.2, 0.3, 0.45, 0.6, 1.0), 0.125, 2.0),
    velocity=_between((50.0, 65.0, 78.0, 88.0, 98.0), 40.0, 108.0),
)
"""Bounds found on classical, popular and game music: those of a model whose tokenizer has none of its own."""


def passages(score: Score) -> Iterator[dict[str, float]]:
    """The values of the controls in each of a piece's passages that has a note, as :func:`values_of` returns them."""
    notes, bars = Sounding.of(score), bar_map(score)
    for first in range(0, len(bars), BARS):
        start, end = int(bars.starts[first]), int(bars.starts[min(first + BARS, len(bars))])
        part = notes.between(start, end)
        if len(part):
            yield values_of(part, end - start)


def values_of(notes: Sounding, ticks: int) -> dict[str, float]:
    """The value of each control in ``notes`` that span ``ticks``; one that drums alone do not have is left out."""
    values = {
        "density": notes.density(ticks),
        "polyphony": notes.polyphony(),
        "register": notes.register(),
        "length": notes.length(),
        "velocity": notes.velocity(),
    }
    return {name: value for name, value in values.items() if value is not None}


def _quantiles(values: NDArray[np.float64], count: int, digits: int, least: float) -> Scale | None:
    """The scale of ``count`` levels by quantiles of sorted values; None: some would be narrower than ``least``."""
    if not len(values):
        return None
    deviations = (np.arange(1, 2 * count) - count) * WIDTH / (2 * count)  # each level's middle, between them the bounds
    shares = [NormalDist().cdf(deviation) for deviation in deviations.tolist()]
    found = np.quantile(values, shares).round(digits).tolist()
    aims, bounds = found[::2], found[1::2]
    if any(b - a < least for a, b in pairwise(bounds)):
        return None
    return Scale(tuple(bounds), tuple(aims))
