"""Constraint satisfaction for pitches that are chosen one after the other, by forward checking.

A feasible assignment is kept at any time, at first the original pitches, so that there is always a choice. A pitch may
be chosen if the voices it conflicts with can be moved up or down; that is the new assignment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Assignment = tuple[int, ...]
"""A pitch for every voice that fulfils all constraints."""


class Pitches:
    """Voices (notes that share a pitch), and the constraints between their pitches.

    Attributes:
        start: The original pitches.
        order: When each voice is chosen; -1: it is fixed.
    """

    def __init__(
        self,
        start: Sequence[int],
        order: Sequence[int],
        allowed: NDArray[np.bool_],
        below: Iterable[tuple[int, int]],
        apart: Iterable[tuple[int, int]],
    ) -> None:
        """Create the constraints, which ``start`` has to fulfil.

        Args:
            start: The original pitch of each voice, 0 to 127.
            order: When each voice is chosen; -1: it is fixed.
            allowed: ``bool[voices, 128]``, the pitches of each voice; its original pitch need not be among them.
            below: Pairs of voices of which the first is lower than the second.
            apart: Pairs of voices whose pitches differ.
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
        """Return the pitches that may be chosen for ``voice``, with the assignment after each.

        Args:
            assignment: The current assignment, with the choices made so far.
            voice: The voice to choose for.
        """
        found = {pitch: moved for pitch in self._choices[voice] if (moved := self._moved(assignment, voice, pitch))}
        return found or {assignment[voice]: assignment}

    def _moved(self, assignment: Assignment, voice: int, pitch: int) -> Assignment | None:
        """Return the assignment with ``voice`` at ``pitch`` and conflicting voices moved; None: they cannot be."""
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
    """Return for each pitch the next allowed one, upwards (1) or downwards (-1); 128 or -1: there is none."""
    out, last = [0] * 128, 128 if direction == 1 else -1
    for pitch in range(127, -1, -1) if direction == 1 else range(128):
        out[pitch] = last
        if allowed[pitch]:
            last = pitch
    return out
