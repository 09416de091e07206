"""A model and those it was finetuned from, as its folder records them."""

from __future__ import annotations

from toccata.folder import ModelFolder
from toccata.measure.passages import Index
from toccata.measure.sketch import Sketch

UNNAMED = "a model without a name"
"""The name of a parent whose own name cannot be read."""


def lineage(made: ModelFolder) -> list[tuple[str, str | None]]:
    """Return the names and digests of a model and its ancestors, as far as its ``toccata.json`` has them."""
    before: list[tuple[str, str | None]] = [(g["model"], g["digest"]) for g in made.learned[1:]]
    parent = made.about["lineage"].get("parent")
    if not made.learned and parent is not None:
        about = parent if isinstance(parent, dict) else {}
        name = about.get("name")
        before = [(name, about.get("digest")) if isinstance(name, str) and name.isprintable() else (UNNAMED, None)]
    return [(made.name, made.digest), *before]


def unindexed(made: ModelFolder, index: Index | None, sketch: Sketch | None = None) -> tuple[str, ...]:
    """Return the models of a lineage whose training pieces are neither in the model's index nor in its sketch."""
    names = [name for name, _ in lineage(made)]
    if index is not None and index.is_merged:
        names = [name or made.name for name, count in index.models if count is None]
    elif index is not None:  # it holds the training pieces of the model alone
        names = names[1:]
    for name, _ in () if sketch is None else sketch.models:
        if (name or made.name) in names:
            names.remove(name or made.name)
    return tuple(names)
