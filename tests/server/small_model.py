"""A small model that does everything that models do."""

from __future__ import annotations

from pathlib import Path

from random_model import random_model
from toccata.recipes import load
from toccata.tokenizers.events import EventOptions


def small_model(path: Path, seed: int = 0) -> Path:
    """Write a model folder with random weights."""
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    return random_model(path, recipe.tokenizer, context=192, seed=seed)
