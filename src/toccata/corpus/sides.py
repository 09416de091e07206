"""On which side of the split groups of pieces fall."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from toccata.corpus.columns import SPLITS

HELD_OUT = 3
"""Pieces on each held-out side, at least, of ``MANY`` pieces: a figure that stands on one or two says little."""
MANY = 30
NEW = -1
"""The side of a piece that has not been on one."""
TRAIN, VALID, TEST = range(len(SPLITS))

Ints = NDArray[np.int64]


def assign(
    groups: Ints, places: NDArray[np.float64], before: NDArray[np.int8], valid: float, test: float
) -> NDArray[np.int8]:
    """Put every group of pieces on one side of the split.

    A piece that was on a side stays there. A new piece joins its group; one related to pieces of both sides goes to the
    held-out side, so that what is held out never gets into training. A new group's side follows from its name; but one
    of more pieces than a held-out side shall have is trained on, and where a side would have fewer pieces than it
    shall, it takes the groups next in line: at least its share of all pieces, and of ``MANY`` pieces or more at least
    ``HELD_OUT``. Where groups are so large that this cannot be, training comes first.

    Args:
        groups: Of each piece the number of its group, from 0.
        places: Of each group where in [0, 1) it falls by its name; see `place`.
        before: Of each piece the side that it was on before, a number in ``SPLITS``, or ``NEW``.
        valid: Share of the pieces to validate on.
        test: Share of the pieces to test on.

    Returns:
        Of each piece its side.
    """
    known = np.full(len(places), NEW, np.int8)  # the sides count up to the one that is held out most
    np.maximum.at(known, groups, before)
    fresh = np.flatnonzero(known == NEW)
    sizes = np.bincount(groups, minlength=len(places))
    wanted = {TEST: _wanted(test, len(groups)), VALID: _wanted(valid, len(groups))}
    sides = np.where(places < test, TEST, np.where(places < test + valid, VALID, TRAIN)).astype(np.int8)
    for side, least in wanted.items():
        sides[(sides == side) & (sizes > least)] = TRAIN
    settled = known != NEW
    sides[settled] = known[settled]
    found = np.where(before == NEW, sides[groups], before)
    if len(fresh) and not (found == TRAIN).any():
        # Of very few pieces, some have to be learned from.
        sides[fresh[np.lexsort((places[fresh], sizes[fresh]))[-1]]] = TRAIN
        found = np.where(before == NEW, sides[groups], before)
    if len(places) >= 3:
        count = np.bincount(found, minlength=len(SPLITS)).tolist()
        _fill(sides, fresh[np.argsort(places[fresh], kind="stable")], sizes, count, wanted)
    return np.where(before == NEW, sides[groups], before).astype(np.int8)


def _wanted(share: float, total: int) -> int:
    """Return the least number of ``total`` pieces for a held-out side."""
    if share <= 0:
        return 0
    return max(math.ceil(share * total - 1e-9), HELD_OUT if total >= MANY else 1)


def _fill(sides: NDArray[np.int8], fresh: Ints, sizes: Ints, count: list[int], wanted: dict[int, int]) -> None:
    """Let held-out sides that are too small take new groups from training.

    Args:
        sides: Of each group, changed here.
        fresh: The new groups, in the order in which they are taken.
        sizes: Of each group.
        count: How many pieces each side has.
        wanted: How many each held-out side shall have.
    """
    least = max(1, (sum(count) - sum(wanted.values())) // 2)  # what training keeps in any case
    spare = fresh[sides[fresh] == TRAIN]
    next_in_line = dict.fromkeys(wanted, 0)
    short = [side for side, pieces in wanted.items() if count[side] < pieces]
    while short:
        side = min(short, key=lambda side: count[side] / wanted[side])
        # What did not fit before does not fit now: training has only become smaller.
        found, at = -1, next_in_line[side]
        while at < len(spare) and found < 0:
            group = int(spare[at])
            size = int(sizes[group])
            if sides[group] == TRAIN and size <= wanted[side] and count[TRAIN] - size >= least:
                found = group
            at += 1
        next_in_line[side] = at
        if found < 0 and not count[side]:  # rather a large group than none
            large = spare[(sides[spare] == TRAIN) & (2 * sizes[spare] <= count[TRAIN])]
            found = int(large[np.argmin(sizes[large])]) if len(large) else -1
        if found < 0:
            short.remove(side)
            continue
        sides[found] = side
        count[side] += int(sizes[found])
        count[TRAIN] -= int(sizes[found])
        short = [side for side in short if count[side] < wanted[side]]


def place(name: str) -> float:
    """Return the place of a group in [0, 1), a hash of its name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") / 2**64
