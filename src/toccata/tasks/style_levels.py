"""Levels for a new piece of which only the style is requested: those of a training piece of that style.

A style leaves open how dense, high or loud a piece is. A model that decides it token by token tends to what all of its
music has in common; with the levels of one of the style's own pieces, a new piece lies where the style does. They are
control tokens only: counting them while the piece is written, as requested levels are, flattens its dynamics and costs
it chords (docs/experiments.md, "Levels of a style").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean

import numpy as np

from toccata.midi.levels import COUNTS, Levels
from toccata.tasks.coverage import Coverage, Passage
from toccata.tasks.request import Request

DEFAULT = "levels"
"""The name of this in a request's ``without``."""


def with_style_levels(request: Request, coverage: Coverage | None, levels: Levels, seed: int) -> Request:
    """Return the request for a new piece with levels of its style, drawn by ``seed``, for controls that it leaves open.

    They are those of one training piece: of the style, with the requested instruments if there are any, and as near as
    there is one to the levels that are requested. Without such a piece, and for what goes on from a prompt, nothing
    changes.

    Args:
        request: The request.
        coverage: What the model has learned; None: unknown.
        levels: What the levels of the model's controls mean.
        seed: Of the piece.
    """
    if coverage is None or request.prompt is not None or DEFAULT in request.without:
        return request
    passages = [
        passage
        for style in request.controls.style
        for passage in coverage.passages.get(style, ())
        if request.programs is None or passage.programs == frozenset(request.programs)
    ]
    if not passages:
        return request
    given = _given(request)
    rows = [_levels(passage, levels) for passage in passages]
    far = np.array([sum(abs(row.get(name, level) - level) for name, level in given.items()) for row in rows])
    nearest = np.flatnonzero(far == far.min())
    drawn = rows[int(np.random.default_rng([seed, len(rows)]).choice(nearest))]
    open_ones = {name: level for name, level in drawn.items() if name not in given}
    if request.pitches is not None:
        open_ones.pop("register", None)
    return replace(request, controls=request.controls.with_levels(open_ones), drawn=frozenset(open_ones))


def _given(request: Request) -> dict[str, float]:
    """The levels that are requested, by control: of the piece, or the mean of its bars'."""
    found: dict[str, float] = {}
    for name in COUNTS:
        of_bars = [getattr(of_bar, name) for of_bar in request.bar_controls.values()]
        known = [level for level in (getattr(request.controls, name), *of_bars) if level is not None]
        if known:
            found[name] = fmean(known)
    return found


def _levels(passage: Passage, levels: Levels) -> Mapping[str, int]:
    return {name: level for name, value in passage.values.items() if (level := levels[name].level(value)) is not None}
