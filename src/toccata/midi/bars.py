"""The bars of a Score, as all other code computes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.errors import MidiError

MAX_BARS = 20_000
"""The most bars laid over a piece; operas have some six thousand."""


@dataclass(frozen=True)
class BarMap:
    """The bars of a Score, in ticks.

    Attributes:
        starts: ``int64[bars + 1]``, the tick at which each bar starts; the last entry is the end of the last bar.
        meters: One ``(numerator, denominator)`` a bar.
    """

    starts: NDArray[np.int64]
    meters: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.meters)

    @property
    def end(self) -> int:
        """The tick at which the last bar ends."""
        return int(self.starts[-1])

    def at(self, tick: int) -> int:
        """The bar that holds ``tick``; a tick past the end counts as in the last bar."""
        return int(np.clip(np.searchsorted(self.starts, tick, side="right") - 1, 0, len(self) - 1))


def bar_ticks(numerator: int, denominator: int, ticks_per_quarter: int) -> int:
    """The length in ticks of a bar of the given meter; at least one tick."""
    return max(1, round(ticks_per_quarter * 4 * numerator / denominator))


def meter_at(score: Score, tick: int) -> tuple[int, int]:
    """The meter in force at ``tick``, whether or not there is music."""
    known = [(s.time, s.numerator, s.denominator) for s in score.time_signatures if s.time <= tick]
    return max(known, key=lambda change: change[0], default=(0, 4, 4))[1:]


def rescaled_onset(tick: int, ticks_per_quarter: int, before: int) -> int:
    """The tick of an onset that was counted in ``before`` ticks a quarter, in ``ticks_per_quarter``.

    Where that is coarser it is rounded down: rounded up, the last onset of a bar could begin in the next one.
    """
    if ticks_per_quarter < before:
        return tick * ticks_per_quarter // before
    return round(tick * (ticks_per_quarter / before))


def last_note_end(score: Score) -> int:
    """The tick at which the last note has ended, whatever controllers and pedals come after it; 0 without notes."""
    ends = [0]
    for track in score.tracks:
        columns = track.notes.numpy()  # a track's own end may be that of a pedal
        ends.append(int((columns["time"].astype(np.int64) + columns["duration"]).max(initial=0)))
    return max(ends)


def bar_map(score: Score) -> BarMap:
    """Lay bars over ``score`` from tick 0 until its last note has ended.

    A meter that begins inside a bar cuts that bar short, as sequencers do: the bar ends where the new meter starts.
    Before the first meter, 4/4 is assumed, as the MIDI standard has it. A Score without notes has one bar.

    Raises:
        MidiError: There would be more than ``MAX_BARS``; the message is the bare reason.
    """
    tpq = score.ticks_per_quarter
    changes: list[tuple[int, int, int]] = [(0, 4, 4)]
    for signature in sorted(score.time_signatures, key=lambda s: s.time):
        numerator, denominator = max(1, signature.numerator), max(1, signature.denominator)
        if signature.time <= changes[-1][0]:
            changes[-1] = (changes[-1][0], numerator, denominator)
        elif (numerator, denominator) != changes[-1][1:]:
            changes.append((signature.time, numerator, denominator))
    last = last_note_end(score)
    pieces: list[NDArray[np.int64]] = []
    meters: list[tuple[int, int]] = []
    bounds = [c[0] for c in changes[1:]] + [max(last, 1)]
    _refuse_many(changes, bounds, max(last, 1), tpq)
    for (start, numerator, denominator), stop in zip(changes, bounds, strict=True):
        if start >= max(last, 1):
            break
        stop = min(stop, max(last, 1))
        grid = np.arange(start, stop, bar_ticks(numerator, denominator, tpq), dtype=np.int64)
        pieces.append(grid)
        meters.extend([(numerator, denominator)] * len(grid))
    starts = np.concatenate(pieces)
    # The last bar is as long as its meter says, even when the music stops before its end.
    end = starts[-1] + bar_ticks(*meters[-1], tpq)
    return BarMap(np.append(starts, end), tuple(meters))


def _refuse_many(changes: list[tuple[int, int, int]], bounds: list[int], last: int, tpq: int) -> None:
    """Count the bars before they are laid: a few bytes may stand for millions."""
    count = 0
    for (start, numerator, denominator), stop in zip(changes, bounds, strict=True):
        count += max(0, -(-(min(stop, last) - start) // bar_ticks(numerator, denominator, tpq)))
    if count > MAX_BARS:
        raise MidiError(f"is absurd: it has {count:,} bars; at most {MAX_BARS:,} are read")
