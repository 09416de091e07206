"""Whether a piece has fallen into what sampling falls into: a loop, one note, silence, the far end of the keyboard.

Read off the finished Score, bar by bar, and knowing nothing of what the engine does against it: a guard that watches
while music is sampled (``engine/guards.py``) is not its own judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.measure.lines import Notes, pitched
from toccata.midi.bars import BarMap, bar_map

FIGURE = 4
"""Bars that a repeated figure may have at most."""
LOOP = 10
"""A loop is as many bars at least, the figure's first appearance among them,"""
ROUNDS = 4
"""in which the figure occurs at least so many times."""
ALIKE = 0.9
"""Two bars are the same if they share so much of their notes (pitch, program and place in the bar)."""
ONE_NOTE = 5
"""Bars in which a single pitch is struck, and nothing else; at least twice a bar."""
SILENT = 4
"""Bars in which nothing sounds."""
FAR = 6
"""Bars whose notes lie on average beyond ``LOW`` or ``HIGH``."""
LOW, HIGH = 36, 96
KINDS = ("loop", "one_note", "silence", "register")


@dataclass(frozen=True)
class Degeneration:
    """The longest stretch of each failure in a piece, in bars; 0: too short to be one.

    Attributes:
        loop: A figure of up to ``FIGURE`` bars that goes round and round. Drums do not count, and nor does silence.
        one_note: One pitch again and again.
        silence: Nothing sounds, drums included; at the end too, if the piece was to be longer.
        register: Pitched notes near one end of the keyboard.
    """

    loop: int = 0
    one_note: int = 0
    silence: int = 0
    register: int = 0

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of degeneration that the piece has, of ``KINDS``."""
        return tuple(kind for kind in KINDS if getattr(self, kind))


def degeneration(score: Score, bars: int | None = None) -> Degeneration:
    """Find the degeneration of a piece.

    Args:
        score: The piece.
        bars: How many it was to have; silence may follow its last note. None: it ends with its last note.
    """
    lines = bar_map(score)
    notes = pitched(score)
    where = np.searchsorted(lines.starts, notes.time, side="right") - 1
    return Degeneration(
        loop=_loop(_bars(notes, where, lines, score.ticks_per_quarter)),
        one_note=_one_note(notes, where, len(lines)),
        silence=_silence(score, lines, bars),
        register=_register(notes, where, len(lines)),
    )


Bar = frozenset[tuple[int, int, int]]


def _bars(notes: Notes, where: NDArray[np.intp], lines: BarMap, tpq: int) -> list[Bar]:
    """Program, pitch and place of the notes of each bar, the place in twelfths of a quarter."""
    places = np.rint((notes.time - lines.starts[where]) * 12 / tpq).astype(int)
    out: list[set[tuple[int, int, int]]] = [set() for _ in range(len(lines))]
    columns = (where, notes.program, notes.pitch, places)
    for bar, program, pitch, place in zip(*(c.tolist() for c in columns), strict=True):
        out[bar].add((program, pitch, place))
    return [frozenset(bar) for bar in out]


def _loop(bars: Sequence[Bar]) -> int:
    longest = 0
    for figure in range(1, FIGURE + 1):
        run = 0
        for now, before in zip(bars[figure:], bars, strict=False):
            run = run + 1 if now and len(now & before) >= ALIKE * len(now | before) else 0
            if run + figure >= max(LOOP, ROUNDS * figure):
                longest = max(longest, run + figure)
    return longest


def _one_note(notes: Notes, where: NDArray[np.intp], bars: int) -> int:
    found, run, pitch = 0, 0, -1
    for bar in range(bars):
        here = notes.pitch[where == bar]
        only = int(here[0]) if len(here) >= 2 and (here == here[0]).all() else -1
        run = 0 if only < 0 else run + 1 if only == pitch else 1
        pitch = only
        found = max(found, run)
    return found if found >= ONE_NOTE else 0


def _silence(score: Score, lines: BarMap, bars: int | None) -> int:
    sounding = np.zeros(max(len(lines), bars or 0), np.bool_)
    last = 0
    for note in (note for track in score.tracks for note in track.notes):
        end = lines.at(note.time + max(note.duration, 1) - 1) + 1
        sounding[lines.at(note.time) : end] = True
        last = max(last, end)
    return _longest(~sounding[: bars or last], SILENT)


def _register(notes: Notes, where: NDArray[np.intp], bars: int) -> int:
    counts = np.bincount(where, minlength=bars)
    means = np.bincount(where, weights=notes.pitch, minlength=bars) / np.maximum(counts, 1)
    return max(_longest((counts > 0) & (means < LOW), FAR), _longest((counts > 0) & (means > HIGH), FAR))


def _longest(flags: NDArray[np.bool_], least: int) -> int:
    """The length of the longest run of true ones, if it is ``least`` or more."""
    longest = run = 0
    for flag in flags.tolist():
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest if longest >= least else 0
