"""A scoreboard as text: numbers as people read them, and the rows of a table for a terminal or for Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from toccata.measure.figures import few
from toccata.measure.resampling import Figure
from toccata.measure.roundtrip import RoundTrip
from toccata.measure.rows import GROUPS, Row
from toccata.measure.scoreboard import Scoreboard

WITHIN = "="
"""Stands behind a figure that is within the human range."""
_UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def number(value: float, unit: str = "") -> str:
    """Return a number as printed; the unit says how: ``%`` in per cent, ``bytes`` in MB, else three digits or four."""
    if unit == "%":
        return f"{100 * value:.1f} %"
    if unit == "bytes":
        word, size = next((word, size) for word, size in (*_UNITS, ("bytes", 1.0)) if value >= size or size == 1)
        return f"{value / size:.1f} {word}"
    digits = 3 if abs(value) < 1 else 2 if abs(value) < 100 else 1 if abs(value) < 1000 else 0
    return f"{value:,.{digits}f}"


def interval(figure: Figure, unit: str = "") -> str:
    """Return ``0.26 to 0.33``; empty where it has none."""
    if not figure.has_interval:
        return ""
    low, high = (number(end, unit).removesuffix(" %") for end in (figure.low, figure.high))
    return f"{low} to {high}"


def cell(figure: Figure | None, unit: str, within: bool | None = None) -> str:
    """Return a figure with its interval and whether it is within the human range; ``-`` where there is none."""
    if figure is None:
        return "-"
    range_ = interval(figure, unit)
    return number(figure.value, unit) + (f" ({range_})" if range_ else "") + (f" {WITHIN}" if within else "")


def label(row: Row) -> str:
    """Return the name of a row with its unit."""
    return row.label if row.unit in ("", "%", "bytes") else f"{row.label}, {row.unit}"


def listed(names: Sequence[str]) -> str:
    """Return names as a list in a sentence: ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def by_group(board: Scoreboard) -> list[tuple[str, list[Row]]]:
    """Return the rows under their headings, empty groups left out; unknown groups come last, under their own names."""
    names = [*GROUPS, *(row.group for row in board.rows if row.group not in GROUPS)]
    found = [
        (GROUPS.get(name, name), [row for row in board.rows if row.group == name]) for name in dict.fromkeys(names)
    ]
    return [(heading, rows) for heading, rows in found if rows]


def table_rows(board: Scoreboard) -> list[list[str]]:
    """Return the table as rows of texts, all of one length: names, headings and figures."""
    width = len(board.systems)
    found = [["", "people", *board.names]]
    for heading, rows in by_group(board):
        found.append([heading.upper(), *[""] * (width + 1)])
        for row in rows:
            within = row.within or (None,) * width
            cells = [cell(figure, row.unit, inside) for figure, inside in zip(row.systems, within, strict=True)]
            people = "" if row.people is None else cell(row.people, row.unit)
            found.append([f"  {label(row)}", people, *cells])
    return found


def markdown(board: Scoreboard) -> str:
    """Return the table as Markdown."""
    head, *rows = table_rows(board)
    lines = [_line(head), _line(["---"] * len(head))]
    lines += [_line([f"**{row[0].capitalize()}**", *row[1:]] if not any(row[1:]) else row) for row in rows]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(text.strip().replace("|", "\\|") for text in cells) + " |"


def remarks(board: Scoreboard, mark: str = f'"{WITHIN}"') -> list[str]:
    """Return what a reader has to know beside the table, a sentence a line.

    Args:
        board: The scoreboard.
        mark: What marks figures that are within the human range.
    """
    people, names = board.people, board.names
    models = [name for name, system in zip(names, board.systems, strict=True) if system.model is not None]
    files = [name for name in names if name not in models]
    unseen = "" if board.include_seen or not models else " that no model has seen"
    found = [
        f"People: {len(people.pieces):,} pieces{unseen}; where it is about what is written, {_bars(board)} of each."
    ]
    if models:
        found.append(f"Written: {board.pieces} pieces of {board.bars} bars by each model, from seed {board.seed} on.")
    if people.seen or people.shared:
        what = "Among them" if board.include_seen else "Left out"
        found.append(
            f"{what}: {people.seen} pieces that a model has seen, and {people.shared} that are much like those."
        )
    if people.unread:
        found.append(f"Left out: {len(people.unread):,} files that cannot be used.")
    if people.unknown:
        found.append(f"Not known: what {listed(people.unknown)} learned; pieces may be among that.")
    found += _cleaned(board)
    for pair in board.paired:
        found.append(
            f"Piece by piece: {names[pair.one]} minus {names[pair.other]}, {cell(pair.difference, '')} nats a note; "
            f"below 0, {names[pair.one]} predicts the music better."
        )
    for name, trip in zip(names, board.trips, strict=True):
        if trip is not None:
            found.append(_round_trip(name, trip))
    if files:
        found.append(f"Not known: whether {listed(files)} has seen the pieces by people.")
    found += _few_pieces(board)
    found += _groups(board)
    found.append(f"{mark} marks what is within the human range, where as many pieces by people lie among themselves.")
    return found


def _cleaned(board: Scoreboard) -> list[str]:
    """Return how the music by people was cleaned, and whose recipe does otherwise."""
    cleaning, names = board.cleaning, board.names
    if cleaning.first is None:
        return ["Cleaned: music by people, as toccata clean does."]
    found = [f"Cleaned: music by people, as the recipe of {names[cleaning.first]} says."]
    if cleaning.otherwise:
        others = listed([names[number] for number in cleaning.otherwise])
        found.append(f"Warning: {others} learned from music cleaned otherwise, and so may predict this less well.")
    return found


def _few_pieces(board: Scoreboard) -> list[str]:
    """Return which figures have no interval because they are of too few pieces."""
    counts = {"people": len(board.people.pieces)}
    counts |= {name: len(system.scores) for name, system in zip(board.names, board.systems, strict=True)}
    return [f"No intervals: {few(count)} of {name}." for name, count in counts.items() if few(count)]


def _groups(board: Scoreboard) -> list[str]:
    """Return in groups of how many pieces the systems are compared with people."""
    width = len(board.systems)
    sizes = [max((row.groups or (0,) * width)[number] for row in board.rows) for number in range(width)]
    each = [f"{name} in groups of {size}" for name, size in zip(board.names, sizes, strict=True) if size]
    if not each:
        return ["Too few pieces to compare with people."]
    found = [f"Compared with people: {listed(each)} pieces."]
    if len({size for size in sizes if size}) > 1:
        found.append(
            "The column of people is for the smallest groups; distances of groups of different sizes do not compare."
        )
    return found


def _bars(board: Scoreboard) -> str:
    return "the first bar" if board.bars == 1 else f"the first {board.bars} bars"


def _round_trip(name: str, trip: RoundTrip) -> str:
    other = trip.pitches - trip.kept
    return (
        f"{name}: of {trip.notes:,} notes {trip.lost:,} do not come back from its tokens, and {other:,} do on another "
        f"instrument; of {trip.velocities:,} velocities, counted piece by piece, {trip.velocities_after:,} come back."
    )
