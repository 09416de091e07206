"""Arguments that cannot be used together: of which one would be ignored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toccata.errors import ArgumentError

RECIPE = "toccata"
"""The recipe where none is named."""


def refuse_two_recipes(recipe: str, start_from: str | Path | None) -> None:
    """Refuse a recipe for a model that starts from another one, whose recipe it keeps.

    Raises:
        ArgumentError: Both are given.
    """
    if start_from is not None and recipe != RECIPE:
        raise ArgumentError("a model that another one starts from keeps its recipe: leave out recipe or start_from")


def refuse_two_lengths(minutes: float | None, settings: Sequence[str]) -> None:
    """Refuse minutes to train for beside a number of steps or of passes, or beside other minutes.

    Raises:
        ArgumentError: Both are given.
    """
    for key in ("".join(text.partition("=")[0].split()) for text in settings):
        if minutes is not None and key in ("training.steps", "training.minutes", "training.epochs"):
            raise ArgumentError(f"minutes and {key} both say how long to train: leave one of them out")


def refuse_no_prompt(prompt: object, continuation_only: bool) -> None:
    """Refuse to leave out a prompt that there is not.

    Raises:
        ArgumentError: There is none.
    """
    if prompt is None and continuation_only:
        raise ArgumentError("there is no prompt to leave out: give one to go on from, or leave continuation_only out")
