"""Conditioning: user-level controls, styles and chords as part of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from toccata.errors import ArgumentError, RequestError, shown
from toccata.midi.levels import COUNTS
from toccata.tasks.chords import ChordChart
from toccata.tasks.controls import MOST_STYLES, Controls
from toccata.tasks.request import Request

Levels = Mapping[str, int | Sequence[int]]
"""Controls by name: a level for the whole, or one for each bar, of which the last repeats."""


def with_controls(
    request: Request,
    bars: int | None,
    known: Sequence[str],
    controls: Levels | None = None,
    style: Sequence[str] = (),
    chords: str | None = None,
) -> Request:
    """Return ``request`` with controls, styles and chords.

    Args:
        request: The request.
        bars: The number of new bars; None: not fixed.
        known: The styles the model was trained with, by number.
        controls: Levels, see :data:`~toccata.midi.levels.COUNTS`.
        style: Names of styles.
        chords: A chord chart.

    Raises:
        RequestError: There is no such control, level, style or chord, or more levels or chords than bars.
    """
    whole: dict[str, int] = {}
    single: dict[int, dict[str, int]] = {}
    for name, levels in (controls or {}).items():
        if name not in COUNTS:
            raise ArgumentError(f"there is no control {shown(name)}: there are {', '.join(COUNTS)}")
        if not isinstance(levels, Sequence):
            whole[name] = levels
            continue
        if bars is None:
            raise RequestError(f"{name} for each bar needs a number of bars")
        if not 0 < len(levels) <= bars:
            raise RequestError(f"{name} has levels for {len(levels)} bars, and there are {bars}: give one for each")
        for bar in range(bars):
            single.setdefault(bar, {})[name] = levels[min(bar, len(levels) - 1)]
    chart = None if chords is None else ChordChart.read(chords)
    if chart is not None and bars is not None:
        chart.fit(bars)
    return replace(
        request,
        controls=_controls(whole, _numbers(style, known)),
        bar_controls={bar: _controls(of_bar) for bar, of_bar in single.items()},
        chords=chart,
    )


def part(request: Request, first: int, bars: int) -> Request:
    """Return the request for ``bars`` of the new bars, from index ``first`` on."""
    return replace(
        request,
        bars=bars,
        bar_controls={
            bar - first: of_bar for bar, of_bar in request.bar_controls.items() if first <= bar < first + bars
        },
        chords=None if request.chords is None else request.chords.part(first, bars),
    )


def origin_of(request: Request, known: Sequence[str]) -> dict[str, object]:
    """Return the controls, styles and chords of a request, as entries of a piece's origin."""
    levels = {name: getattr(request.controls, name) for name in COUNTS}
    single = {
        name: [getattr(of_bar, name) for _, of_bar in sorted(request.bar_controls.items())]
        for name in COUNTS
        if any(getattr(of_bar, name) is not None for of_bar in request.bar_controls.values())
    }
    entries: dict[str, object] = {
        "controls": {**{name: level for name, level in levels.items() if level is not None}, **single},
        "style": [known[number] for number in request.controls.style],
        "chords": None if request.chords is None else request.chords.text,
        "end": request.end,
        "pitches": request.pitches,
    }
    return {name: value for name, value in entries.items() if value}


def _controls(levels: Mapping[str, int], style: tuple[int, ...] = ()) -> Controls:
    get = levels.get
    return Controls(
        get("density"), get("polyphony"), get("register"), get("length"), get("velocity"), style=style
    )  # fmt: skip


def _numbers(style: Sequence[str], known: Sequence[str]) -> tuple[int, ...]:
    """Return the indices of styles by their names, in any case."""
    there = [name.casefold() for name in known[:MOST_STYLES]]
    numbers = []
    for name in style:
        if not name.strip():
            raise RequestError("a style needs a name")
        if len(there) < 2:
            raise RequestError(
                f"this model knows no styles, so none is {shown(name)}: train it on a folder that has a folder for each"
            )
        if name.casefold() not in there:
            raise RequestError(
                f"this model knows no style {shown(name)}: it knows {', '.join(known[:MOST_STYLES])}"[:300]
            )
        numbers.append(there.index(name.casefold()))
    return tuple(dict.fromkeys(numbers))
