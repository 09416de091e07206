"""What a recipe changes about itself by the minutes that there are: sizes, context, batch, augmentation.

A recipe's ``[times.N]`` holds for trainings of up to N minutes, the largest N also for longer ones. A training that is
given in steps has none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toccata.errors import RecipeError, shown

SECTIONS = ("model", "examples", "training")


def for_minutes(times: Any, minutes: object) -> Mapping[str, Any]:
    """The changes for a training of ``minutes``; none where that is no number, or the recipe has no times.

    Args:
        times: A recipe's ``times``, sections by minutes.
        minutes: As a setting or the recipe says it.

    Raises:
        RecipeError: The recipe's times are not by minutes, or change something else.
    """
    known = _checked(times)
    if not known or isinstance(minutes, bool) or not isinstance(minutes, int | float):
        return {}
    return known[min((limit for limit in known if limit >= minutes), default=max(known))]


def _checked(times: Any) -> dict[float, Mapping[str, Any]]:
    if not isinstance(times, Mapping):
        raise RecipeError(f"times must be sections by minutes, as in [times.20], not {shown(times)}")
    found: dict[float, Mapping[str, Any]] = {}
    for name, change in times.items():
        if not str(name).isdigit() or not 1 <= int(name) <= 10**6:
            raise RecipeError(f"times.{shown(name)} is no whole number of minutes")
        if not isinstance(change, Mapping) or (unknown := set(change) - set(SECTIONS)):
            what = shown(min(unknown)) if isinstance(change, Mapping) else shown(change)
            raise RecipeError(f"times.{name} may change {', '.join(SECTIONS)}, not {what}")
        found[float(name)] = change
    return found
