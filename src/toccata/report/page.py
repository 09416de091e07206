"""A scoreboard as one HTML page: figures with their ranges drawn, and music to see and to hear; nothing is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from string import Template

from symusic import Score

from toccata.measure.resampling import Figure
from toccata.measure.rows import Row
from toccata.measure.scoreboard import Scoreboard
from toccata.midi.edit import opening
from toccata.report.media import page_file, roll, sound
from toccata.report.text import by_group, cell, interval, label, listed, number, remarks

EXAMPLES = 3
"""Pieces of each system, and by people, that are shown."""
SHOWN_BARS, SECONDS = 16, 30.0
"""How much of each: bars in its picture, and seconds of sound at most."""
_WIDE, _HIGH, _EDGE = 220, 12, 6
"""The drawing of a row: its width, the height of each system's line, and what is left free on both sides."""


def as_page(board: Scoreboard) -> str:
    """Return the page."""
    return Template(page_file("scoreboard.html")).substitute(
        title=escape(listed(board.names)),
        style=page_file("scoreboard.css"),
        columns="".join(f'<th scope="col">{escape(name)}</th>' for name in board.names),
        rows="\n".join(_group(heading, rows, len(board.systems)) for heading, rows in by_group(board)),
        remarks="\n".join(f"<li>{escape(remark)}</li>" for remark in remarks(board, "Green")),
        faults=_faults(board),
        music="\n".join(_examples(name, scores) for name, scores in _music(board)),
    )


def _group(heading: str, rows: Sequence[Row], systems: int) -> str:
    head = f'<tr class="group"><th colspan="{systems + 3}" scope="rowgroup">{escape(heading)}</th></tr>'
    return "\n".join([head, *(_row(row) for row in rows)])


def _row(row: Row) -> str:
    better = {"lower": "lower is better", "higher": "higher is better", "people": "best where people are", "": ""}
    meaning = f"{escape(row.meaning)}{'; ' if better[row.better] else ''}{better[row.better]}"
    cells = [f'<th scope="row">{escape(label(row))}<small>{meaning}</small></th>', _cell(row.people, row)]
    within = row.within or (None,) * len(row.systems)
    cells += [_cell(figure, row, inside) for figure, inside in zip(row.systems, within, strict=True)]
    return f"<tr>{''.join(cells)}<td>{_drawing(row)}</td></tr>"


def _cell(figure: Figure | None, row: Row, within: bool | None = None) -> str:
    if figure is None:
        return f'<td class="none" title="{escape(row.why_empty)}">&ndash;</td>'
    mark = ' class="within" title="within the human range"' if within else ""
    return f"<td{mark}><b>{number(figure.value, row.unit)}</b><small>{interval(figure, row.unit)}</small></td>"


def _drawing(row: Row) -> str:
    """Draw where the systems lie, a line each, over the human range."""
    shown = [figure for figure in (row.people, *row.systems) if figure is not None]
    if len(shown) < 2 and row.people is None:
        return ""
    ends = [end for f in shown for end in ((f.low, f.high) if f.has_interval else (f.value,))]
    ends += [figure.value for figure in shown]
    low, high = min(ends), max(ends)
    if high <= low:
        return ""

    def x(value: float) -> str:
        return f"{_EDGE + (value - low) / (high - low) * (_WIDE - 2 * _EDGE):.1f}"

    height = _HIGH * len(row.systems) + 4
    parts = [f'<svg viewBox="0 0 {_WIDE} {height}" width="{_WIDE}" height="{height}" role="img">']
    parts.append(f"<title>{escape(row.label)}: {escape(cell(row.people, row.unit))}, people</title>")
    if row.people is not None:
        left, right = float(x(row.people.low)), float(x(row.people.high))
        parts.append(
            f'<rect class="people" x="{left:.1f}" y="0" width="{max(1.0, right - left):.1f}" height="{height}"/>'
        )
        parts.append(
            f'<line class="people" x1="{x(row.people.value)}" x2="{x(row.people.value)}" y1="0" y2="{height}"/>'
        )
    for line, figure in enumerate(row.systems):
        if figure is None:
            continue
        y = 2 + _HIGH * line + _HIGH / 2
        if figure.has_interval:
            parts.append(f'<line class="s{line % 4}" x1="{x(figure.low)}" x2="{x(figure.high)}" y1="{y}" y2="{y}"/>')
        parts.append(f'<circle class="s{line % 4}" cx="{x(figure.value)}" cy="{y}" r="4"/>')
    return "".join([*parts, "</svg>"])


def _music(board: Scoreboard) -> list[tuple[str, Sequence[Score]]]:
    return [
        ("People", board.openings[:EXAMPLES]),
        *((name, system.scores[:EXAMPLES]) for name, system in zip(board.names, board.systems, strict=True)),
    ]


def _examples(name: str, scores: Sequence[Score]) -> str:
    parts = [f"<section><h3>{escape(name)}</h3>"]
    for number_, score in enumerate(scores, 1):
        part = opening(score, SHOWN_BARS)
        spoken = escape(f"{name}, piece {number_}")
        parts.append(f'<figure>{roll(part)}<audio controls preload="metadata" aria-label="{spoken}" ')
        parts.append(f'src="{sound(part, SECONDS)}"></audio></figure>')
    return "".join([*parts, "</section>"])


def _faults(board: Scoreboard) -> str:
    lines = [
        f"<li>{escape(name)}: {escape(fault)}</li>"
        for name, system in zip(board.names, board.systems, strict=True)
        for fault in system.valid.faults[:20]
    ]
    return f"<details><summary>Faults</summary><ul>{''.join(lines)}</ul></details>" if lines else ""
