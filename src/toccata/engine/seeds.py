"""Seeds: where the random numbers of each piece begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from toccata.arguments import checked_value
from toccata.errors import ArgumentError

Seed: TypeAlias = "int | Sequence[int] | None"
"""The forms in which seeds are accepted; see :func:`seeds_of`."""
_BITS = 48
"""A new seed has so many: short enough to be typed and exact in JSON, too many for two runs to meet by chance."""


def seeds_of(seed: Seed, n: int) -> list[int]:
    """The seed of each of ``n`` pieces. Alone (``n=1``), it gives the same piece again.

    Args:
        seed: None: new ones, from one stream that begins with the system's randomness. A whole number: itself and the
            numbers after it. A list: these.
        n: How many pieces.

    Raises:
        ArgumentError: There are not as many as pieces, or one of them would be too large.
    """
    if seed is None:
        return _new(n)
    if isinstance(seed, int):
        checked_value("seed", seed + n - 1)
        return [seed + i for i in range(n)]
    if len(seed) != n:
        raise ArgumentError(f"seed is a list of {len(seed):,}, and {n:,} pieces are asked for: give one for each")
    return list(seed)


def _new(n: int) -> list[int]:
    """Return ``n`` different new seeds from the system's randomness."""
    stream = np.random.SeedSequence()  # 128 bits of the system's randomness
    seeds: dict[int, None] = {}
    while len(seeds) < n:
        (child,) = stream.spawn(1)
        seeds |= dict.fromkeys((child.generate_state(n, np.uint64) >> np.uint64(64 - _BITS)).tolist())
    return list(seeds)[:n]
