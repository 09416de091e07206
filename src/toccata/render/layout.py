"""A piano roll as shapes on a page: what goes where, in units that are pixels at normal size.

Painters (see ``roll``) turn the shapes into SVG or pixels; nothing here knows how.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.midi.bars import BarMap, bar_map, last_note_end
from toccata.midi.facts import seconds_at
from toccata.midi.gm import DRUMS, track_name
from toccata.render.colours import (
    ACCENT,
    BLACK_KEY,
    FAINT,
    GRID,
    INK,
    PROMPT,
    QUIET,
    STRONG,
    WHITE_KEY,
    track_colours,
)
from toccata.render.shapes import Line, Page, Rect, Text

WIDTH = 1600.0
_MARGIN = 28.0
_TALLEST = 14_000.0  # a page higher than this is more than a viewer wants to open: systems hold more bars instead
_PALE = 0.3
_BLACK = frozenset((1, 3, 6, 8, 10))


@dataclass(frozen=True)
class _Notes:
    """The notes of all tracks, by onset: columns of equal length."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    colour: NDArray[np.int64]
    drum: NDArray[np.bool_]
    share: NDArray[np.int64]  # how many tracks begin this note together
    place: NDArray[np.int64]  # which of them this one is
    pale: NDArray[np.bool_]  # beside new notes, those that are not

    def within(self, start: int, end: int) -> _Notes:
        """Return those that sound between two ticks."""
        here = (self.start < end) & ((self.end > start) | (self.start >= start))
        return _Notes(*(getattr(self, column.name)[here] for column in fields(self)))


@dataclass(frozen=True)
class _Frame:
    """Where things stand in every system.

    Attributes:
        left: Where the music begins, right of keyboard and labels.
        scale: Units a tick in the longest system; shorter ones are stretched to its width.
        low: The lowest pitch shown.
        high: The highest pitch shown.
        row: The height of a pitch's row.
        keys: The drum keys shown, the lowest last.
        drum_row: The height of a drum key's row.
    """

    left: float
    scale: float
    low: int
    high: int
    row: float
    keys: tuple[int, ...]
    drum_row: float

    @property
    def pitched(self) -> float:
        """The height of the pitched part."""
        return self.row * (self.high - self.low + 1) if self.high >= self.low else 0.0

    @property
    def gap(self) -> float:
        """Between the pitched part and the drums."""
        return 8.0 if self.keys and self.pitched else 0.0

    @property
    def height(self) -> float:
        """The height of a system without its bar numbers."""
        return self.pitched + self.gap + self.drum_row * len(self.keys)

    def y(self, pitch: int) -> float:
        """The top of a pitch's row, from the top of the system."""
        return (self.high - pitch) * self.row


_ABOVE, _BETWEEN = 17.0, 20.0  # room for bar numbers over a system, and below it


class View(TypedDict, total=False):
    """What of a piece is drawn, and how; all of it is optional."""

    prompt_end: int | None
    """The tick up to which the music was given; that part is shaded and its end marked."""
    title: str | None
    """Written at the top."""
    new: Score | None
    """Its new notes, at their ticks; all others are pale. None: all are alike."""
    span: tuple[int, int] | None
    """The first bar to draw, counted from 0, and the one after the last; None: all."""


def lay_out(score: Score, **view: Unpack[View]) -> Page:
    """Draw ``score`` as a piano roll in systems of several bars.

    Args:
        score: The music, in ticks.
        view: See :class:`View`.
    """
    prompt_end, title, new, span = (view.get("prompt_end"), view.get("title"), view.get("new"), view.get("span"))
    bars = bar_map(score)
    notes, labels, colours = _notes(score, new)
    first, last = span or (0, len(bars))
    if span is not None:
        notes = notes.within(int(bars.starts[first]), int(bars.starts[last]))
    page = Page(WIDTH)
    y = _header(page, score, bars, len(notes.start), title, list(zip(labels, colours, strict=True)))
    part = BarMap(bars.starts[first : last + 1] - bars.starts[first], bars.meters[first:last])
    frame, breaks = _frame(score, notes, part, _TALLEST - y)
    breaks = [first + bar for bar in breaks]
    palette = np.array(colours or [INK])
    for first, last in pairwise(breaks):
        y += _ABOVE
        _system(page, y, frame, bars, notes, palette, (first, last), score.ticks_per_quarter, prompt_end)
        y += frame.height + _BETWEEN
    page.height = y + _MARGIN - _BETWEEN
    return page


def _notes(score: Score, new: Score | None) -> tuple[_Notes, list[str], list[str]]:
    """The notes, and name and colour of each kind of track; tracks of one name and instrument are one kind.

    Notes that are not among ``new`` ones are pale.
    """
    kinds: dict[tuple[str, bool], int] = {}
    programs: list[tuple[int, bool]] = []
    columns: list[NDArray[np.int64]] = []
    for track in score.tracks:
        if not len(track.notes):
            continue
        key = (track_name(track.name, track.program, track.is_drum), track.is_drum)
        if key not in kinds:
            kinds[key] = len(kinds)
            programs.append((track.program, track.is_drum))
        own = track.notes.numpy()
        count = len(track.notes)
        start = own["time"].astype(np.int64)
        columns.append(
            np.stack([
                start, start + np.maximum(own["duration"], 1), own["pitch"].astype(np.int64),
                own["velocity"].astype(np.int64), np.full(count, kinds[key]), np.full(count, int(track.is_drum)),
            ])
        )  # fmt: skip
    table = np.concatenate(columns, axis=1) if columns else np.zeros((6, 0), np.int64)
    table = table[:, np.lexsort((table[4], table[2], table[0]))]
    share, place = _unisons(table)
    # By onset, long notes first, so that short ones lie on top.
    order = np.lexsort((table[0] - table[1], table[0]))
    start, end, pitch, velocity, colour, drum = table[:, order]
    pale = np.zeros(len(start), np.bool_)
    if new is not None:
        fresh = {(n.time, n.pitch, track.is_drum) for track in new.tracks for n in track.notes}
        rows = zip(start.tolist(), pitch.tolist(), drum.astype(bool).tolist(), strict=True)
        pale = np.array([row not in fresh for row in rows], np.bool_)
    out = _Notes(start, end, pitch, velocity, colour, drum.astype(bool), share[order], place[order], pale)
    return out, [name for name, _ in kinds], track_colours(programs)


def _unisons(table: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For notes sorted by onset, pitch and colour: how many colours share both, and which this one is."""
    count = table.shape[1]
    if not count:
        return np.ones(0, np.int64), np.zeros(0, np.int64)
    key, colour = table[[0, 2, 5]], table[4]
    fresh = np.ones(count, bool)
    fresh[1:] = (key[:, 1:] != key[:, :-1]).any(axis=0)
    other = np.zeros(count, np.int64)
    other[1:] = (colour[1:] != colour[:-1]) & ~fresh[1:]
    group = np.cumsum(fresh) - 1
    running = np.cumsum(other)
    place = running - running[fresh][group]
    share = np.maximum.reduceat(place, np.flatnonzero(fresh))[group] + 1
    return share, place


def _header(
    page: Page, score: Score, bars: BarMap, notes: int, title: str | None, legend: list[tuple[str, str]]
) -> float:
    """Title, facts and legend; where the first system may begin."""
    y = _MARGIN
    if title:
        y += 16
        page.add(Text(_MARGIN, y, title if len(title) <= 110 else title[:109] + "…", 22, INK))
        y += 8
    y += 12
    page.add(Text(_MARGIN, y, "  ·  ".join(_facts(score, bars, notes)), 13, QUIET))
    x, y = _MARGIN, y + 24
    for name, colour in legend:
        name = name if len(name) <= 32 else name[:31] + "…"
        width = 20 + _text_width(name, 13) + 22
        if x + width > page.width - _MARGIN and x > _MARGIN:
            x, y = _MARGIN, y + 20
        page.add(Rect(x, y - 10, 13, 10, colour, 1.0, 3), Text(x + 20, y, name, 13, INK))
        x += width
    return y + 12


def _text_width(text: str, size: float) -> float:
    """About how wide a text is; painters have fonts of their own."""
    return size * sum(
        0.28 if c in "ijltf.,:;'|! ()1" else 0.8 if c in "mwMWO" else 0.66 if c.isupper() else 0.55 for c in text
    )


def _facts(score: Score, bars: BarMap, notes: int) -> list[str]:
    count = len(bars) if notes else 0
    facts = [f"{count} bar{'s' * (count != 1)}"]
    meters = list(dict.fromkeys(bars.meters))
    facts.append(", ".join(f"{n}/{d}" for n, d in meters[:4]) + (", …" if len(meters) > 4 else ""))
    tempos = [tempo.qpm for tempo in score.tempos if tempo.time < bars.end] or [120.0]
    low, high = round(min(tempos)), round(max(tempos))
    facts.append(f"{low} bpm" if low == high else f"{low} to {high} bpm")
    seconds = round(float(seconds_at(score, np.array([last_note_end(score)]))[0]))
    facts.append(f"{seconds // 60}:{seconds % 60:02d}")
    facts.append(f"{notes:,} note{'s' * (notes != 1)}")
    return facts


def _frame(score: Score, notes: _Notes, bars: BarMap, room: float) -> tuple[_Frame, list[int]]:
    """The measures of the systems, and the bars at which they begin."""
    pitches = notes.pitch[~notes.drum]
    keys = tuple(int(key) for key in np.unique(notes.pitch[notes.drum])[::-1])
    low, high = (int(pitches.min()) - 2, int(pitches.max()) + 2) if len(pitches) else (0, -1)
    if not len(pitches) and not keys:
        low, high = 55, 77  # an empty page still shows its staff
    elif len(pitches) and high - low < 14:
        low, high = low - (14 - high + low + 1) // 2, high + (14 - high + low) // 2
    rows = max(1, high - low + 1)
    left = _MARGIN + (104.0 if keys else 42.0)
    width = WIDTH - _MARGIN - left
    density = _density(notes, score.ticks_per_quarter)
    quarters = bars.end / score.ticks_per_quarter
    count = max(1, round(quarters * density / width + 0.35))
    row = float(np.clip((430 if count == 1 else 250) / rows, 3.6, 11.0))
    drum_row = float(np.clip(110 / max(1, len(keys)), 9.0, 13.0))
    frame = _Frame(left, 1.0, max(0, low), min(127, high), row, keys, drum_row)
    count = min(count, max(1, int(room / (frame.height + _ABOVE + _BETWEEN))))
    breaks = _breaks(bars, count)
    widest = max(bars.starts[b] - bars.starts[a] for a, b in pairwise(breaks))
    return replace(frame, scale=width / float(widest)), breaks


def _density(notes: _Notes, tpq: int) -> float:
    """Units a quarter note at which the piece's shorter notes are still well apart."""
    if not len(notes.start):
        return 40.0
    steps = np.diff(np.unique(notes.start))
    short = float(np.quantile(steps, 0.25)) / tpq if len(steps) else 1.0
    return float(np.clip(9.0 / max(short, 1e-6), 22.0, 62.0))


def _breaks(bars: BarMap, count: int) -> list[int]:
    """Bars at which systems begin, about ``count`` of equal length, and the number of bars at the end.

    Where meters do not change, every system but the last has the same number of bars, a multiple of four if it can be.
    """
    if len(set(bars.meters)) == 1:
        size = -(-len(bars) // count)
        if size > 4 and -size % 4 and -(-len(bars) // size) > 1:
            size += -size % 4 if size % 4 != 1 else -1
        return [*range(0, len(bars), size), len(bars)]
    ideal = np.arange(1, count) * (bars.end / count)
    nearest = np.searchsorted((bars.starts[:-1] + bars.starts[1:]) / 2, ideal)
    return [0, *sorted({int(b) for b in nearest} - {0, len(bars)}), len(bars)]


def _system(
    page: Page,
    top: float,
    frame: _Frame,
    bars: BarMap,
    notes: _Notes,
    palette: NDArray[np.str_],
    span: tuple[int, int],
    tpq: int,
    prompt_end: int | None,
) -> None:
    """One line of the roll: bars ``span[0]`` to ``span[1] - 1``, its upper edge at ``top``."""
    begin, stop = int(bars.starts[span[0]]), int(bars.starts[span[1]])
    right = frame.left + (stop - begin) * frame.scale
    if right > 0.7 * WIDTH:  # all but a short last system end at the margin
        right = WIDTH - _MARGIN
        frame = replace(frame, scale=(right - frame.left) / (stop - begin))
    _rows(page, top, frame, right)
    if prompt_end is not None and begin < prompt_end:
        width = (min(prompt_end, stop) - begin) * frame.scale
        page.add(Rect(frame.left, top, width, frame.height, PROMPT, 0.5))
    seam = -1e9
    if prompt_end is not None and begin <= prompt_end < stop:
        seam = frame.left + (prompt_end - begin) * frame.scale
    _bar_lines(page, top, frame, bars, span, tpq, (seam - 68, seam + 84))
    _paint_notes(page, top, frame, notes, palette, begin, stop)
    if seam > 0:
        page.add(Line(seam, top - _ABOVE + 3, seam, top + frame.height, ACCENT, 2.0))
        if seam > frame.left + 50:
            page.add(Text(seam - 6, top - 5, "prompt", 12, ACCENT, "end"))
        ahead = seam < right - 84
        page.add(Text(seam + (6 if ahead else -52), top - 5, "continuation", 12, ACCENT, "start" if ahead else "end"))


def _rows(page: Page, top: float, frame: _Frame, right: float) -> None:
    """The rows of pitches and drum keys, with keyboard and labels at the left."""
    width, keyboard = right - frame.left, frame.left - 16
    for pitch in range(frame.low, frame.high + 1):
        y = top + frame.y(pitch)
        if pitch % 12 in _BLACK:
            page.add(Rect(frame.left, y, width, frame.row, BLACK_KEY))
    if frame.pitched:
        page.add(Rect(keyboard, top, 14, frame.pitched, WHITE_KEY))
    for pitch in range(frame.low, frame.high + 1):
        y = top + frame.y(pitch)
        if pitch % 12 in _BLACK:
            page.add(Rect(keyboard, y + 0.4, 8.5, frame.row - 0.8, STRONG, 0.9, 1))
        elif pitch % 12 in (0, 5) and pitch > frame.low:  # no black key between: B and C, E and F
            page.add(Line(keyboard, y + frame.row, keyboard + 14, y + frame.row, GRID, 0.8))
        if pitch % 12 == 0:
            if pitch > frame.low:
                page.add(Line(frame.left, y + frame.row, right, y + frame.row, GRID, 0.9))
            page.add(Text(keyboard - 6, y + frame.row / 2 + 3.6, f"C{pitch // 12 - 1}", 10.5, QUIET, "end"))
    for number, key in enumerate(frame.keys):
        y = top + frame.pitched + frame.gap + number * frame.drum_row
        if number % 2 == 0:
            page.add(Rect(frame.left, y, width, frame.drum_row, BLACK_KEY))
        name = DRUMS.get(key, f"Key {key}")
        page.add(Text(frame.left - 7, y + frame.drum_row / 2 + 3.3, name, min(10.0, frame.drum_row + 1), QUIET, "end"))


def _bar_lines(
    page: Page, top: float, frame: _Frame, bars: BarMap, span: tuple[int, int], tpq: int, taken: tuple[float, float]
) -> None:
    """Bars, beats and bar numbers; none of these where the place is ``taken``."""
    first, last = span
    begin = int(bars.starts[first])
    parts = [(top, frame.pitched)] if frame.pitched else []
    if frame.keys:
        parts.append((top + frame.pitched + frame.gap, frame.drum_row * len(frame.keys)))
    average = (int(bars.starts[last]) - begin) * frame.scale / (last - first)
    every = next(n for n in (1, 2, 4, 8, 16, 32, 64, 10**9) if n * average >= 30)
    for bar in range(first, last + 1):
        tick = int(bars.starts[bar])
        x = frame.left + (tick - begin) * frame.scale
        if average >= 4 or bar in (first, last):
            for y, height in parts:
                page.add(Line(x, y, x, y + height, STRONG if bar in (first, last) else GRID, 1.2))
        if bar == last:
            break
        if (bar - first) % every == 0 and not taken[0] < x < taken[1]:
            page.add(Text(x + 1, top - 5, str(bar + 1), 11, QUIET))
        numerator, denominator = bars.meters[bar]
        compound = numerator % 3 == 0 and numerator > 3 and denominator >= 8
        beat = tpq * 4 / denominator * (3 if compound else 1)
        if beat * frame.scale < 7:
            continue
        for at in np.arange(tick + beat, int(bars.starts[bar + 1]) - 1e-6, beat):
            x = frame.left + (float(at) - begin) * frame.scale
            for y, height in parts:
                page.add(Line(x, y, x, y + height, FAINT, 0.8))


def _paint_notes(
    page: Page, top: float, frame: _Frame, notes: _Notes, palette: NDArray[np.str_], begin: int, stop: int
) -> None:
    """The notes of ticks ``begin`` to ``stop``; those that several tracks play in unison share their row in stripes."""
    drums_top = top + frame.pitched + frame.gap
    row_of = {key: number for number, key in enumerate(frame.keys)}
    here = np.flatnonzero((notes.start < stop) & ((notes.end > begin) | (notes.start >= begin)))
    for n in here.tolist():
        colour = str(palette[notes.colour[n]])
        opacity = (0.38 + 0.62 * int(notes.velocity[n]) / 127) * (_PALE if notes.pale[n] else 1)
        x = frame.left + (max(int(notes.start[n]), begin) - begin) * frame.scale
        if notes.drum[n]:
            if notes.start[n] >= begin:
                y = drums_top + row_of[int(notes.pitch[n])] * frame.drum_row
                size = min(frame.drum_row - 1.5, 9.0)
                page.add(Rect(x, y + (frame.drum_row - size) / 2, size * 0.8, size, colour, opacity, 2))
            continue
        # A hair's breadth between notes keeps repeated ones apart.
        width = max((min(int(notes.end[n]), stop) - begin) * frame.scale + frame.left - x - 0.9, 1.4)
        y = top + frame.y(int(notes.pitch[n]))
        height = (frame.row - 0.6) / int(notes.share[n])
        y += 0.3 + height * int(notes.place[n])
        page.add(Rect(x, y, width, height, colour, opacity, min(2.2, height / 3, width / 2)))
