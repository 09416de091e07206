"""How sure a figure is: intervals by resampling, and the interval of a share of trials."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toccata.measure.figures import ENOUGH

Floats = NDArray[np.float64]

RESAMPLES = 2000
"""How often pieces are drawn anew for an interval."""
MIDDLE = (0.025, 0.975)
"""Where an interval of 95 % begins and ends."""
_AT_ONCE = 2**20  # pieces that are drawn at a time, so that memory does not grow with their number
_Z95 = 1.959963984540054  # of the normal distribution, for 95 %


@dataclass(frozen=True)
class Figure:
    """A measured number and its interval.

    Attributes:
        value: The number.
        low: Where its 95 % interval begins; NaN: it has none.
        high: Where that ends.
        count: Of how many pieces, or trials, it is.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    count: int = 0

    @property
    def has_interval(self) -> bool:
        """Whether it is known how sure the number is."""
        return not math.isnan(self.low)

    def to_dict(self) -> dict[str, float | int | None]:
        """Return plain JSON values."""
        low, high = (round(end, 6) if self.has_interval else None for end in (self.low, self.high))
        return {"value": round(self.value, 6), "low": low, "high": high, "count": self.count}


def resampled_ratio(parts: Floats, wholes: Floats, seed: int = 0) -> Figure:
    """Return the sum of ``parts`` divided by that of ``wholes``, with its interval when pieces are drawn anew.

    Two figures of the same pieces are drawn alike, so the ratio of a difference is a paired one. Of fewer than
    ``ENOUGH`` pieces there is no interval.

    Args:
        parts: ``float64[pieces]``, e.g. the nats of each piece.
        wholes: ``float64[pieces]``, e.g. its notes; of each draw, some are above 0.
        seed: Of the draws, which are with replacement.
    """
    # Pieces of a draw may all be empty of what is counted in them, e.g. of steps that move together.
    least = np.finfo(np.float64).tiny
    value, count = float(parts.sum() / wholes.sum()), len(parts)
    if count < ENOUGH:
        return Figure(value, count=count)
    ratios = [parts[drawn].sum(1) / np.maximum(wholes[drawn].sum(1), least) for drawn in _draws(count, count, seed)]
    low, high = np.quantile(np.concatenate(ratios), MIDDLE).tolist()
    return Figure(value, low, high, count)


def resampled_mean(values: Floats, size: int | None = None, seed: int = 0) -> Figure:
    """Return the mean of ``values`` and the interval of the means of ``size`` of them, drawn with replacement.

    Of fewer than ``ENOUGH`` values there is no interval.

    Args:
        values: ``float64[n]``, at least one.
        size: How many are drawn; None: as many as there are, which gives the interval of the mean itself.
        seed: Of the draws.
    """
    value, count = float(values.mean()), len(values)
    if count < ENOUGH:
        return Figure(value, count=count)
    means = [values[drawn].mean(1) for drawn in _draws(count, size or count, seed)]
    low, high = np.quantile(np.concatenate(means), MIDDLE).tolist()
    return Figure(value, low, high, count)


def _draws(count: int, size: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield ``RESAMPLES`` draws of ``size`` of ``count`` pieces, ``int64[some, size]``, a bounded number at a time."""
    rng, left = np.random.default_rng(seed), RESAMPLES
    while left:
        some = min(left, max(1, _AT_ONCE // size))
        yield rng.integers(0, count, (some, size))
        left -= some


def groups(count: int, size: int, draws: int, seed: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yield ``draws`` orders of ``count`` pieces by chance, ``int64[size]``: no piece twice in one."""
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        yield rng.permutation(count)[:size]


def wilson(successes: int, trials: int) -> Figure:
    """Return a share and its 95 % interval after Wilson (1927), which holds for few trials and for shares of 0 and 1.

    Args:
        successes: How many trials succeeded.
        trials: How many there were; of none, the share is 0.5 and the interval everything.
    """
    if not trials:
        return Figure(0.5, 0.0, 1.0, 0)
    share, square = successes / trials, _Z95**2
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = _Z95 / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    return Figure(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)), trials)
