"""Times, lengths and values on a tokenizer's grid: array arithmetic on the columns of notes and events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Columns = dict[str, Ints]
"""Notes or events as columns of equal length, by the names that symusic gives them."""
_FOUR_FOUR = (4, 4)


class Meter(NamedTuple):
    """A meter and the tick from which it holds."""

    time: int
    beats: int
    unit: int


def rescaled(times: Ints, before: int, after: int) -> Ints:
    """Ticks of a grid of ``before`` a quarter in a grid of ``after``, halves rounded up."""
    return times if before == after else (2 * times * after + before) // (2 * before)


def nearest(choices: NDArray[np.generic], values: NDArray[np.generic]) -> NDArray[np.intp]:
    """For each value the index of the nearest of ascending ``choices``; of two as near, the larger."""
    above = np.searchsorted(choices, values, side="left")
    last = len(choices) - 1
    lower, upper = choices[np.maximum(above - 1, 0)], choices[np.minimum(above, last)]
    below = (above > last) | (np.abs(values - lower) < np.abs(values - upper))  # type: ignore[operator]
    return above - below


@dataclass(frozen=True)
class Grid:
    """The time grid of one piece: its ticks, and its resolution in each meter.

    The piece's finest meter has a tick for every position; in coarser ones a position is several ticks.

    Attributes:
        ticks_per_quarter: Of the piece.
        meters: In the order of time, the first at tick 0; no two next to each other are the same.
    """

    ticks_per_quarter: int
    meters: tuple[Meter, ...]
    positions_per_beat: int

    @classmethod
    def of(cls, meters: Sequence[Meter], ticks_per_quarter: int, positions_per_beat: int) -> Grid:
        """The grid for a piece of ``ticks_per_quarter`` with these meters, which are moved to bar lines.

        Args:
            meters: Those that there are tokens for, in the order of time and in the piece's own ticks.
            ticks_per_quarter: Of the piece.
            positions_per_beat: How finely the tokenizer tells time.
        """
        known = list(meters)
        if not known or known[0].time != 0:
            known.insert(0, Meter(0, *_FOUR_FOUR))
        tpq = int(positions_per_beat * max(m.unit for m in known) / 4)
        if tpq != ticks_per_quarter:
            ratio = tpq / ticks_per_quarter
            known = [m._replace(time=int(m.time * ratio)) for m in known]
        return cls(tpq, tuple(_on_bar_lines(known, tpq)), positions_per_beat)

    def beat(self, unit: int) -> int:
        """Ticks of a beat in a meter over ``unit``."""
        return ticks_per_beat(unit, self.ticks_per_quarter)

    def sections(self) -> tuple[Ints, Ints]:
        """Return where the length of a beat changes: the first tick of each section, and its ticks a beat."""
        starts, beats = [0], [self.beat(self.meters[0].unit)]
        for meter in self.meters[1:]:
            if (beat := self.beat(meter.unit)) != beats[-1]:
                starts.append(meter.time)
                beats.append(beat)
        return np.array(starts, np.int64), np.array(beats, np.int64)

    def steps(self) -> tuple[Ints, Ints] | None:
        """Return where the ticks of a position change, likewise; None if they are the same throughout."""
        if len({m.unit for m in self.meters}) == 1:
            return None
        starts, sizes = [0], [self._step(self.meters[0].unit)]
        for meter in self.meters[1:]:
            if (step := self._step(meter.unit)) != sizes[-1]:
                starts.append(meter.time)
                sizes.append(step)
        return np.array(starts, np.int64), np.array(sizes, np.int64)

    def _step(self, unit: int) -> int:
        return int(self.ticks_per_quarter // (self.positions_per_beat * (unit / 4)))

    def lines(self, last: int, *, beats: bool = False) -> Ints:
        """The ticks at which bars (or beats) begin, up to ``last``."""
        if last == 0:
            return np.zeros(1, np.int64)
        found, bounds = [], [*(m.time for m in self.meters[1:]), last + 1]
        for meter, end in zip(self.meters, bounds, strict=True):
            size = self.beat(meter.unit) * (1 if beats else meter.beats)
            found.append(np.arange(meter.time, max(end, meter.time), size, dtype=np.int64))
        return np.concatenate(found)


def ticks_per_beat(unit: int, ticks_per_quarter: int) -> int:
    """Ticks of a beat in a meter over ``unit``."""
    return ticks_per_quarter if unit == 4 else int(ticks_per_quarter * (4 / unit))


def _on_bar_lines(meters: list[Meter], tpq: int) -> list[Meter]:
    """Meters moved to the next bar line, those that then say nothing new left out."""
    out: list[Meter] = []
    for meter in meters:
        if out and meter[1:] == out[-1][1:]:
            continue
        time = max(meter.time, out[-1].time) if out else meter.time
        start, bar = (out[-1].time, _bar(out[-1], tpq)) if out else (0, _bar(meter, tpq))
        bars, rest = divmod(time - start, bar)
        time = start + (bars + 1) * bar if rest else time
        if out and time == out[-1].time:
            out.pop()
            if out and meter[1:] == out[-1][1:]:
                continue
        out.append(meter._replace(time=time))
    return out


def _bar(meter: Meter, tpq: int) -> int:
    return int(ticks_per_beat(meter.unit, tpq) * meter.beats)


def section_of(starts: Ints, times: Ints) -> NDArray[np.intp]:
    """For each time the section that holds it."""
    return np.searchsorted(starts[1:], times, side="right")


def snapped(times: Ints, steps: tuple[Ints, Ints] | None) -> Ints:
    """Times on the nearest position of their section."""
    if steps is None:
        return times
    starts, sizes = steps
    section = section_of(starts, times)
    start, size = starts[section], sizes[section]
    out: Ints = (np.round((times - start) / size) * size + start).astype(np.int64)
    return np.where(size == 1, times, out)


def snap_spans(columns: Columns, steps: tuple[Ints, Ints] | None) -> None:
    """Move both ends of notes or pedals to positions, in place; what would vanish lasts one position."""
    if steps is None:
        return
    ends = snapped(columns["time"] + columns["duration"], steps)
    columns["time"] = snapped(columns["time"], steps)
    starts, sizes = steps
    shortest = columns["time"] + sizes[section_of(starts, columns["time"])]
    columns["duration"] = np.where(ends <= columns["time"], shortest, ends) - columns["time"]


def chosen(columns: Columns, which: NDArray[np.generic]) -> Columns:
    """The rows of columns that ``which`` (a mask or an order) names."""
    return {name: column[which] for name, column in columns.items()}


def joined(parts: Sequence[Columns]) -> Columns:
    """Columns one under the other."""
    return parts[0] if len(parts) == 1 else {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def ordered(columns: Columns, *names: str) -> Columns:
    """Rows by the given columns, the first of them first; equal ones as they were."""
    return chosen(columns, np.lexsort([columns[name] for name in reversed(names)]))


def cuts(times: Ints, lines: Ints) -> Ints:
    """Return where tokens are split at ``lines``: at the first token from each of them on; the first is 0."""
    found = np.searchsorted(np.maximum.accumulate(times), lines, side="left")
    return np.append(0, found[found < len(times)])


def merged_spans(columns: Columns) -> Columns:
    """Pedals of which none begins before the one before it has ended: those that touch are one."""
    if len(columns["time"]) < 2:
        return columns
    starts, ends = columns["time"], columns["time"] + columns["duration"]
    reach = np.maximum.accumulate(ends)
    first = np.append(True, starts[1:] > reach[:-1])
    group = np.flatnonzero(first)
    last = np.maximum.reduceat(ends, group)
    return {**chosen(columns, group), "duration": last - starts[group]}
