"""Settings as given in a command, ``section.key=value``: parsed only here, and looked up by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from toccata.arguments import toml
from toccata.errors import RecipeError, shown
from toccata.recipes.renamed import renamed

_DEEPEST = 6
"""The most keys of a setting."""


@dataclass(frozen=True)
class Settings:
    """The settings of one command as one change to a recipe.

    Attributes:
        change: Sections, their keys and values, as in a recipe's TOML.
    """

    change: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Sequence[str] | Settings) -> Settings:
        """Parse ``section.key=value`` texts, the value as in TOML; spaces around keys and signs do not matter.

        Where two texts set the same key the later one holds; otherwise their order does not matter.

        Raises:
            RecipeError: A text is no setting.
        """
        if isinstance(texts, Settings):
            return texts
        change: dict[str, Any] = {}
        for text in texts:
            change = merged(change, renamed(_parsed(text), warn=True))
        return cls(change)

    def has(self, key: str) -> bool:
        """Whether ``key``, written ``section.key``, is set."""
        found: Any = self.change
        for part in key.split("."):
            if not isinstance(found, Mapping) or part not in found:
                return False
            found = found[part]
        return True


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Two tables as one, section by section; ``change`` wins."""
    out = dict(base)
    for key, value in change.items():
        both = isinstance(out.get(key), Mapping) and isinstance(value, Mapping)
        out[key] = merged(out[key], value) if both else value
    return out


def _parsed(text: str) -> dict[str, Any]:
    path, equals, value = text.partition("=")
    keys = [key.strip() for key in path.split(".")]
    if not equals or not 2 <= len(keys) <= _DEEPEST or not all(keys):
        raise RecipeError(f"{shown(text)} is no setting: write section.key=value, e.g. training.lr=0.001")
    try:
        table = toml.parsed(f"value = {value}")
    except toml.NoToml:
        table = {"value": value.strip()}  # a bare word is a string
    except ValueError as error:
        raise RecipeError(f"{'.'.join(keys)} cannot be read: {error}") from None
    if set(table) != {"value"}:
        raise RecipeError(f"{shown(text)} is more than one setting: give each on its own")
    parsed: Any = table["value"]
    for key in reversed(keys):
        parsed = {key: parsed}
    return dict(parsed)
