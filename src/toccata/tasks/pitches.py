"""Pitches chosen one after the other, under what must hold between them; there is always one left to choose.

What is kept is an assignment: pitches that fulfil everything, at first those that stand already. A pitch may be chosen
if the others, where they stand in its way, can be pushed up or down out of it; then that is the new assignment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Assignment = tuple[int, ...]
"""A pitch for every voice: all that must hold holds."""


class Pitches:
    """Voices (notes that share a pitch), and what must hold between their pitches.

    Attributes:
        start: The pitches as they stand.
        order: When each is chosen; -1: it stays.
    """

    def __init__(
        self,
        start: Sequence[int],
        order: Sequence[int],
        allowed: NDArray[np.bool_],
        below: Iterable[tuple[int, int]],
        apart: Iterable[tuple[int, int]],
    ) -> None:
        """What is given must hold at ``start``.

        Args:
            start: A pitch a voice, 0 to 127.
            order: The number of the choice that is a voice's; -1: it stays as it is.
            allowed: ``bool[voices, 128]``, what each may be; what it is at ``start`` need not be among them.
            below: Pairs of which the first is lower than the second.
            apart: Pairs whose pitches differ.
        """
        self.start, self.order = tuple(start), list(order)
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

    def choices(self, assignment: Assignment, voice: int) -> dict[int, Assignment]:
        """The pitches that may be chosen for ``voice``, and the assignment after each.

        Args:
            assignment: The one so far: choices made are in it.
            voice: Whose turn it is.
        """
        found = {pitch: moved for pitch in self._choices[voice] if (moved := self._moved(assignment, voice, pitch))}
        return found or {assignment[voice]: assignment}

    def _moved(self, assignment: Assignment, voice: int, pitch: int) -> Assignment | None:
        """It with ``voice`` at ``pitch``, others pushed on where they stand in its way; None: they cannot be."""
        now = self.order[voice]
        up = pitch >= assignment[voice]
        neighbours, step = (self._above, self._up) if up else (self._beneath, self._down)
        new = list(assignment)
        new[voice] = pitch
        waiting = [voice]

        def pushed(other: int, past: int) -> bool:
            if self.order[other] <= now:  # chosen already, or fixed, or the voice itself
                return False
            new[other] = step[other][past]
            waiting.append(other)
            return 0 <= new[other] < 128

        while waiting:
            mover = waiting.pop()
            for other in neighbours[mover]:
                beyond = new[other] > new[mover] if up else new[other] < new[mover]
                if not beyond and not pushed(other, new[mover]):
                    return None
            for other in self._apart[mover]:
                if new[other] != new[mover]:
                    continue
                if not pushed(other, new[mover]) and not pushed(mover, new[mover]):
                    return None
        return tuple(new)


def _steps(allowed: NDArray[np.bool_], direction: int) -> list[int]:
    """For each pitch the next one that is allowed, upwards (1) or downwards (-1); -1 or 128 where there is none."""
    out, last = [0] * 128, 128 if direction == 1 else -1
    for pitch in range(127, -1, -1) if direction == 1 else range(128):
        out[pitch] = last
        if allowed[pitch]:
            last = pitch
    return out
