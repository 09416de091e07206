"""The tempo that a tempo token is decoded to: a common one where there is one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_USUAL = (
    (120,),
    range(10, 501, 10),
    (*range(40, 60, 2), *range(60, 72, 3), *range(72, 120, 4), *range(120, 144, 6), *range(144, 209, 8)),
    range(10, 501, 5),
    range(10, 501, 2),
)
"""Quarters a minute, the most usual first: MIDI's default, tens, the marks of a metronome, fives, even numbers."""


def usual_tempos(known: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return, for the tempo of each tempo token, the tempo it is decoded to.

    A tempo is encoded as the nearest one that has a token. Of all tempos with the same token the most common is
    decoded, so that 120 comes back as 120 and not as 120.82. The decoded tempo is encoded as the same token again.

    Args:
        known: ``int32[T]``, in thousandths of a quarter a minute.

    Returns:
        ``int32[T]``.
    """
    out = known.copy()
    order = np.argsort(known, kind="stable")
    tempos = known[order].astype(np.float64) / 1000
    if not len(tempos) or tempos[0] <= 0:
        return out
    free = np.ones(len(tempos), np.bool_)
    for usual in _USUAL:
        common = np.array([tempo for tempo in usual if tempos[0] <= tempo <= tempos[-1]], np.float64)
        tokens = _tokens_of(common, tempos)
        # Of several for one token the nearest: written last, it stays.
        far = np.abs(common - tempos[tokens])
        for place in np.argsort(-far, kind="stable").tolist():
            token = int(tokens[place])
            if token >= 0 and free[token]:
                out[order[token]] = round(float(common[place]) * 1000)
        free[tokens[tokens >= 0]] = False
    return out


def _tokens_of(common: NDArray[np.float64], tempos: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the place of the tempo that each is encoded as; -1 where comparing lengths and comparing ratios differ."""
    by_length = np.abs(1 / tempos[:, None] - 1 / common).argmin(axis=0)
    by_ratio = np.abs(np.log(tempos[:, None] / common)).argmin(axis=0)
    return np.where(by_length == by_ratio, by_length, -1)
