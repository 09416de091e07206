"""Tokenizers by what a recipe says, and by what a folder holds."""

from __future__ import annotations

from pathlib import Path

from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.events import EventOptions, EventTokenizer


def build_tokenizer(options: EventOptions) -> Tokenizer:
    """A new tokenizer as a recipe describes it.

    Raises:
        RecipeError: An option it does not have.
    """
    return EventTokenizer.build(options)


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer that was saved in ``folder``.

    Raises:
        ModelError: There is none, or it is damaged.
    """
    return EventTokenizer.load(folder)
