"""Figures as text for people: with their confidence interval, or with a note on how few pieces they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

ENOUGH = 3
"""The least number of pieces for which an interval or a usual range is printed: one or two show no variation."""
_FEW = {0: "no piece", 1: "one piece only", 2: "two pieces only"}


_Number = TypeVar("_Number", int, float)


def median(values: Sequence[_Number]) -> _Number:
    """Return the number in the middle, of two the lower one; there is at least one."""
    return sorted(values)[(len(values) - 1) // 2]


def few(pieces: int) -> str:
    """``one piece only`` where a figure stands on so few that it says little of others; empty where it does not."""
    return _FEW[pieces] if pieces < ENOUGH else ""


def usual_range(low: str, high: str, pieces: int | None) -> str:
    """``usual 1.6 to 4.0``; of few pieces, ``of one piece only: 1.6 to 4.0``.

    Args:
        low: Where the range begins.
        high: Where it ends.
        pieces: How many pieces it is of; None: not known.
    """
    word = f"of {few(pieces)}:" if pieces is not None and few(pieces) else "usual"
    return f"{word} {low} to {high}"


def with_interval(found: Mapping[str, Any], digits: int = 2) -> str:
    """``3.67 nats a note (95 %: 3.41 to 3.90)``; of few pieces, ``3.67 nats a note (one piece only)``.

    Args:
        found: ``nats_per_note``, ``nats_per_note_ci95`` and ``pieces``, as evaluations and model folders have them.
        digits: After the point, of the figure itself.
    """
    low, high = found["nats_per_note_ci95"]
    how_sure = few(found["pieces"]) or f"95 %: {low:.2f} to {high:.2f}"
    return f"{found['nats_per_note']:.{digits}f} nats a note ({how_sure})"
