"""Keys of recipes that have another name now: in recipes, settings and models made before, the old ones are read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from toccata.errors import RecipeWarning

RENAMED = {
    "tokenizer": {"book": "codebook"},
    "training": {"rows": "micro_batch_size", "accumulate": "gradient_accumulation_steps"},
}
"""The sections, and in each the new name of an old one."""


def renamed(table: Mapping[str, Any], *, warn: bool = False) -> dict[str, Any]:
    """A recipe's table, its keys by the names that they have now. Where both are there, the new one holds.

    Args:
        table: Sections, as a recipe, a setting or a model folder has them.
        warn: Say so in a `RecipeWarning`: a user wrote an old name.
    """
    if warn:
        for section, old, new in dict.fromkeys(_old(table)):
            warnings.warn(f"{section}.{old} is now called {section}.{new}", RecipeWarning, stacklevel=2)
    return {name: _section(name, value) for name, value in table.items()}


def _section(name: str, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if name == "times":
        return {minutes: renamed(part) if isinstance(part, Mapping) else part for minutes, part in value.items()}
    names = RENAMED.get(name, {})
    return {names.get(key, key): one for key, one in value.items() if names.get(key) not in value}


def _old(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Section, old name and new name of each key that has another name now."""
    for name, value in table.items():
        if not isinstance(value, Mapping):
            continue
        if name == "times":
            for part in value.values():
                yield from _old(part) if isinstance(part, Mapping) else ()
        for key in value:
            if new := RENAMED.get(name, {}).get(key):
                yield name, key, new
