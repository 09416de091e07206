"""Pitches chosen one after the other, under what must hold between them; there is always one left to choose.

What is kept is a way out: pitches that fulfil everything, at first those that stand already. A pitch may be chosen if
the others, where they stand in its way, can be pushed up or down out of it; then that is the new way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Way = tuple[int, ...]
"""A pitch for every voice: all that must hold holds."""


class Pitches:
    """Voices (notes that share a pitch), and what must hold between their pitches.

    Attributes:
        start: The pitches as they stand.
        turn: When each is chosen; -1: it stays.
    """

    def __init__(
        self,
        start: Sequence[int],
        turn: Sequence[int],
        allowed: NDArray[np.bool_],
        below: Iterable[tuple[int, int]],
        apart: Iterable[tuple[int, int]],
    ) -> None:
        """What is given must hold at ``start``.

        Args:
            start: A pitch a voice, 0 to 127.
            turn: The number of the choice that is a voice's; -1: it stays as it is.
            allowed: ``bool[voices, 128]``, what each may be; what it is at ``start`` need not be among them.
            below: Pairs of which the first is lower than the second.
            apart: Pairs whose pitches differ.
        """
        self.start, self.turn = tuple(start), list(turn)
        self._choices = [np.flatnonzero(row).tolist() for row in allowed]
        self._up = [_steps(row, 1) for row in allowed]
        self._down = [_steps(row, -1) for row in allowed]
        self._above: list[list[int]] = [[] for _ in start]
        self._beneath: list[list[int]] = [[] for _ in start]
        self._apart: list[list[int]] = [[] for _ in start]
        for low, high in set(below):
            self._above[low].append(high)
            self._beneath[high].append(low)
        for one, other in {(min(pair), max(pair)) for pair in apart}:
            self._apart[one].append(other)
            self._apart[other].append(one)

    def choices(self, way: Way, voice: int) -> dict[int, Way]:
        """The pitches that may be chosen for ``voice``, and the way out after each.

        Args:
            way: The way out so far: choices made are in it.
            voice: Whose turn it is.
        """
        found = {pitch: moved for pitch in self._choices[voice] if (moved := self._moved(way, voice, pitch))}
        return found or {way[voice]: way}

    def _moved(self, way: Way, voice: int, pitch: int) -> Way | None:
        """``way`` with ``voice`` at ``pitch``, others pushed on where they stand in its way; None: they cannot be."""
        now = self.turn[voice]
        up = pitch >= way[voice]
        order, step = (self._above, self._up) if up else (self._beneath, self._down)
        new = list(way)
        new[voice] = pitch
        waiting = [voice]

        def pushed(other: int, past: int) -> bool:
            if self.turn[other] <= now:  # chosen already, or fixed, or the voice itself
                return False
            new[other] = step[other][past]
            waiting.append(other)
            return 0 <= new[other] < 128

        while waiting:
            mover = waiting.pop()
            for other in order[mover]:
                beyond = new[other] > new[mover] if up else new[other] < new[mover]
                if not beyond and not pushed(other, new[mover]):
                    return None
            for other in self._apart[mover]:
                if new[other] != new[mover]:
                    continue
                if not pushed(other, new[mover]) and not pushed(mover, new[mover]):
                    return None
        return tuple(new)


def _steps(allowed: NDArray[np.bool_], way: int) -> list[int]:
    """For each pitch the next one that is allowed, upwards (1) or downwards (-1); -1 or 128 where there is none."""
    out, last = [0] * 128, 128 if way == 1 else -1
    for pitch in range(127, -1, -1) if way == 1 else range(128):
        out[pitch] = last
        if allowed[pitch]:
            last = pitch
    return out
