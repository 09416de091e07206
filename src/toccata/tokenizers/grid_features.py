"""Features that a decoder reads beside each id of a grid of voices, computed from the ids before.

After each id it is known which voice comes next, and at which step; what each voice sings, the voices that this step
has already been written for with their pitches here, the others with those of the step before; since when, and what
before; how the voices have moved; which pitch classes sound; in which key the music has been so far; and what followed
when the last cells were the same before. All of it follows from the ids, see ``features.py``.

:meth:`GridFeatures.of` computes them for whole sequences, as arrays, ``grid_reader.GridReader`` token by token.

A pitch is counted from 1, :data:`REST` is a rest, 0 is nothing: as in ``features.py``, one that is known is a number
from which the next may be reached by a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.matches import followed

Ints = NDArray[np.int64]
NOTHING, REST = 0, 129
"""What stands for no pitch at all, and for a rest, among pitches that are counted from 1."""
_PITCHES = 130
LONGEST = 48
"""Steps, from which on a note is just long."""
WIDE = 30
"""Semitones, from which on an interval is just wide."""
LEAP = 13
"""The same of a voice's own steps."""
MATCHES = (4, 8, 12, 16, 24, 32)
"""How many last cells have to be the same, for each guess of what comes."""
LINES = (4, 8, 16)
"""How many last pitches of the voice have to be the same, for each guess from the voice alone."""
PERIODS = (12, 32)
"""Steps after which time is counted anew, beside a bar of four quarters: one of three, and two bars."""
STILL, FAR = 6, 64
"""Steps for which no voice moves, from which on it is a rest from moving; and from which on such is long ago."""
AGO = (4, 8, 16)
"""Steps back, at which the voice's own pitch is looked up."""
NEAR = 32
"""Steps back, over which the present key is estimated."""
RECENT = 4
"""Steps back, over which it is told whether there was a change at each."""
REACHED = ("after 8", "after 24", "own after 8", "4 ago", "16 ago")
"""Pitches of before from which the next may be reached by a step."""
FROM_HERE = (
    "own before that", *(f"{ago} ago" for ago in AGO), *(f"after {n}" for n in MATCHES),
    *(f"own after {n}" for n in LINES),
)  # fmt: skip
"""Pitches of before that are told as intervals from the voice's own pitch."""
# Krumhansl and Kessler (1982): how well each pitch class fits a major and a minor key.
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


@dataclass(frozen=True)
class GridLayout:
    """The vocabulary of a grid as numbers: specials, the rest, the pitches, then chord symbols if there are any.

    Attributes:
        voices: Voices a step.
        order: The voices, in the order in which a step is written.
        cycle: Steps of a bar of four quarters.
        rest: The id of a rest; the pitches follow.
        lowest: The lowest pitch.
        keys: How many pitches there are.
        size: How many ids there are.
    """

    voices: int
    order: tuple[int, ...]
    cycle: int
    rest: int
    lowest: int
    keys: int
    size: int

    @property
    def chords(self) -> int:
        """How many chord symbols there are."""
        return self.size - self.rest - 1 - self.keys

    def is_cell(self, ids: Ints) -> NDArray[np.bool_]:
        """Which of ``ids int[T]`` are a pitch or a rest."""
        return (ids >= self.rest) & (ids <= self.rest + self.keys)

    def cells(self, ids: Ints) -> Ints:
        """The pitches, counted from 1, and rests among ``ids int[T]``, in their order."""
        own = ids[self.is_cell(ids)]
        return np.where(own == self.rest, REST, own - self.rest - 1 + self.lowest + 1)


class GridFeatures:
    """The features of a grid of voices; see :class:`~toccata.tokenizers.features.Features`.

    Attributes:
        blocks: Name and number of rows of each feature's block of the table.
        intervals: Names of those that are pitches from which the next one may be reached by a step.
        pitches: The ids that are pitches: the first, the pitch that it is, and how many there are.
    """

    def __init__(self, layout: GridLayout) -> None:
        self.layout = layout
        self.pitches = layout.rest + 1, layout.lowest, layout.keys
        voices = [f"voice {voice + 1}" for voice in range(layout.voices)]
        self.intervals = ("own", *voices, "own before", *REACHED, "tonic", "present tonic")
        self.blocks = tuple(self._sizes().items())
        self.offsets = np.cumsum([0, *(rows for _, rows in self.blocks[:-1])]).astype(np.int32)
        profiles = np.array([np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)])
        profiles -= profiles.mean(1, keepdims=True)
        profiles /= np.linalg.norm(profiles, axis=1, keepdims=True)
        self.profiles = np.rint(10_000 * profiles).astype(np.int64)  # [24, 12], whole, so that sums are exact

    def _sizes(self) -> dict[str, int]:
        V, numbers = self.layout.voices, range(1, self.layout.voices + 1)
        sizes = {
            "place": V * self.layout.cycle,
            "own": _PITCHES,
            "own held": 1 + LONGEST,
            "own before": _PITCHES,
            "length before": 1 + LONGEST,
            "own step": 2 * LEAP + 2,
            "own degree": 25,
            "present degree": 25,
            "tonic": _PITCHES,
            "present tonic": _PITCHES,
            "written": V << V,
            "moved": V << V,
            "own rhythm": V << RECENT,
            "rhythm": V << RECENT,
            "classes": 1 << 12,
            "harmony": 1 << 12,
        }
        sizes |= {f"voice {n}": _PITCHES for n in numbers} | {f"held {n}": 1 + LONGEST for n in numbers}
        sizes |= {f"degree {n}": 25 for n in numbers}
        sizes |= {f"above {n}": 2 * WIDE + 2 for n in numbers} | {f"step {n}": 2 * LEAP + 3 for n in numbers}
        sizes |= dict.fromkeys(REACHED, _PITCHES) | {f"{name}, from here": 2 * LEAP + 2 for name in FROM_HERE}
        sizes |= {f"of {period}": V * period for period in PERIODS}
        sizes |= {"still": 1 + LONGEST, "since still": 1 + FAR, "since all": 1 + LONGEST}
        if self.layout.chords:
            sizes |= {"chord": V * (1 + self.layout.chords), "chord from here": 12 * 5 + 1}
        return sizes

    def of(self, ids: Sequence[int] | NDArray[np.integer]) -> NDArray[np.int32]:
        """The rows of the table ``int32[T, columns]`` of ``ids int[T]``: at each token, with what it says."""
        read = np.asarray(ids, np.int64)
        layout = self.layout
        found = _of_cells(layout.cells(read), layout, self.profiles)
        count: Ints = np.cumsum(layout.is_cell(read)).astype(np.int64)
        rows = {name: column[count] for name, column in found.items()}
        if layout.chords:
            rows |= self._chords(read, count, rows["own"])
        table = np.stack([rows[name] for name, _ in self.blocks], axis=1).astype(np.int32)
        table += self.offsets
        return table

    def _chords(self, ids: Ints, count: Ints, own: Ints) -> dict[str, Ints]:
        """The chord symbol of the step that is being written, once it is known."""
        first, V = self.layout.rest + 1 + self.layout.keys, self.layout.voices
        is_chord = ids >= first
        latest = np.maximum.accumulate(np.where(is_chord, np.arange(len(ids)), -1))
        # Behind the last voice of a step the next one's symbol is still to come.
        known = (latest >= 0) & (count[latest] // V == count // V)
        chord = np.where(known, 1 + ids[latest] - first, 0)
        rooted = (chord >= 1) & (chord <= 48) & (own >= 1) & (own < REST)
        near = 1 + (chord - 1) // 12 * 12 + (chord - own) % 12
        voice = np.array(self.layout.order)[count % V]
        return {"chord": voice * (1 + self.layout.chords) + chord, "chord from here": np.where(rooted, near, 0)}


# Of N cells, and so N + 1 places before, between and behind them; V voices.


def _of_cells(cells: Ints, layout: GridLayout, profiles: Ints) -> dict[str, Ints]:
    """The features at each place, ``int[N + 1]`` each, of ``cells int[N]`` in the order of writing."""
    V, N = layout.voices, len(cells)
    order = np.array(layout.order)
    place = np.arange(N + 1)
    step, turn = place // V, place % V  # of the cell that comes
    voice = order[turn]
    T = N // V + 2
    grid = np.zeros((T, V), np.int64)  # what is not written yet is what was before
    grid.reshape(-1)[: T * V] = np.append(cells, np.zeros(T * V - N, np.int64))
    grid = grid[:, np.argsort(order)]
    runs = _Runs.of(grid)
    rank = np.argsort(order)  # of each voice, when it is written
    written = rank[None, :] < turn[:, None]  # [N + 1, V]
    at = step[:, None] - 1 + written  # the step at which each voice is known, -1: none
    known = np.where(at >= 0, np.take_along_axis(grid, np.maximum(at, 0), 0), NOTHING)
    own = known[place, voice]
    last = step - 1
    there = last >= 0
    safe = np.maximum(last, 0)
    held = np.where(at >= 0, np.take_along_axis(runs.held, np.maximum(at, 0), 0), 0)
    before = np.where(there, runs.before[safe, voice], NOTHING)
    found = {
        "place": voice + V * (step % layout.cycle),
        "own": own,
        "own held": held[place, voice],
        "own before": before,
        "own before that": np.where(there, runs.before_that[safe, voice], NOTHING),
        "length before": np.where(there, runs.length_before[safe, voice], 0),
        "own step": _interval(own, before, LEAP),
        "own rhythm": voice << RECENT | _recent(runs.moved)[step, voice],
        "rhythm": voice << RECENT | _recent(np.any(runs.moved, axis=1, keepdims=True))[step, 0],
    }
    moved = written & (known != np.where(there[:, None], grid[safe], NOTHING))
    bits = 1 << np.arange(V)
    found |= {"written": voice << V | written @ bits, "moved": voice << V | moved @ bits}
    for number in range(V):
        here, was = known[:, number], np.where(there, grid[safe, number], NOTHING)
        found[f"voice {number + 1}"], found[f"held {number + 1}"] = here, held[:, number]
        found[f"above {number + 1}"] = _interval(here, own, WIDE)
        found[f"step {number + 1}"] = np.where(written[:, number], 1 + _interval(here, was, LEAP), 0)
    for ago in AGO:
        back = step - ago
        found[f"{ago} ago"] = np.where(back >= 0, grid[np.maximum(back, 0), voice], NOTHING)
    for period in PERIODS:
        found[f"of {period}"] = voice + V * (step % period)
    found |= _pauses(runs, step) | _in_key(cells, known, own, profiles)
    found |= _guesses(cells, voices=V) | _line_guesses(grid, step, voice)
    return found | {f"{name}, from here": _interval(found[name], own, LEAP) for name in FROM_HERE}


@dataclass(frozen=True)
class _Runs:
    """What is known of each voice at each step, once it is written, each ``int64[T, V]``.

    Attributes:
        moved: Whether it changes there.
        held: Steps since it changed, itself included.
        before: Its pitch before the present one.
        before_that: The one before that.
        length_before: How long it was.
    """

    moved: NDArray[np.bool_]
    held: Ints
    before: Ints
    before_that: Ints
    length_before: Ints

    @classmethod
    def of(cls, grid: Ints) -> _Runs:
        """Of pitches ``int64[T, V]``."""
        T = len(grid)
        at = np.arange(T)[:, None]
        moved = np.ones(grid.shape, np.bool_)
        moved[1:] = grid[1:] != grid[:-1]
        begin = np.maximum.accumulate(np.where(moved, at, 0), 0)
        earlier = begin - 1  # the last step of the run before
        safe = np.maximum(earlier, 0)
        before = np.where(earlier >= 0, np.take_along_axis(grid, safe, 0), NOTHING)
        first = np.take_along_axis(begin, safe, 0)
        length = np.where(earlier >= 0, earlier - first + 1, 0)
        second = np.where((earlier >= 0) & (first >= 1), np.take_along_axis(grid, np.maximum(first - 1, 0), 0), NOTHING)
        held = np.minimum(at - begin + 1, LONGEST)
        return cls(moved, held, before, second, np.minimum(length, LONGEST))


def _recent(moved: NDArray[np.bool_]) -> Ints:
    """For each step, which of the last ``RECENT`` ones before it had a change, as bits: ``int64[T, n]``."""
    padded = np.concatenate([np.zeros((RECENT, moved.shape[1]), np.int64), moved.astype(np.int64)])
    bits = np.zeros(moved.shape, np.int64)
    for back in range(RECENT):
        bits |= padded[RECENT - 1 - back :][: len(moved)] << back
    return bits


def _interval(pitch: Ints, base: Ints, most: int) -> Ints:
    """The interval from ``base`` to ``pitch``, from 1; 0: one of them is no pitch."""
    found: Ints = np.where(_sounds(pitch) & _sounds(base), 1 + most + np.clip(pitch - base, -most, most), 0)
    return found


def _in_key(cells: Ints, known: Ints, own: Ints, profiles: Ints) -> dict[str, Ints]:
    """What is known as degrees of the key, and the pitch classes that sound, from the own pitch and from the tonic.

    The key is that which all cells so far fit best, and for the present that of the last ``NEAR`` steps.
    """
    V = known.shape[1]
    pitched = np.flatnonzero(cells < REST)
    counts = np.zeros((len(cells) + 1, 12), np.int64)
    counts[1 + pitched, (cells[pitched] - 1) % 12] = 1
    counts = np.cumsum(counts, 0)
    whole = _key(counts, profiles)
    past = np.maximum(np.arange(len(counts)) - NEAR * V, 0)
    present = _key(counts - counts[past], profiles)
    found = {f"degree {number + 1}": _degree(pitch, whole) for number, pitch in enumerate(known.T)}
    found |= {"own degree": _degree(own, whole), "present degree": _degree(own, present)}
    for name, key in (("tonic", whole), ("present tonic", present)):
        found[name] = np.where(_degree(own, key) > 0, own - (own - key) % 12, NOTHING)
    for name, zero, there in (("classes", own, _sounds(own)), ("harmony", whole, whole > 0)):
        bits = np.where(_sounds(known) & there[:, None], 1 << (known - zero[:, None]) % 12, 0)
        found[name] = np.bitwise_or.reduce(bits, axis=1)
    return found


def _sounds(pitch: Ints) -> NDArray[np.bool_]:
    """Which are pitches."""
    return np.asarray((pitch >= 1) & (pitch < REST))


def _key(counts: Ints, profiles: Ints) -> Ints:
    """The key that counts of pitch classes ``int64[n, 12]`` fit best, from 1, in minor from 13; 0: there are none."""
    found: Ints = np.where(counts.any(1), 1 + (counts @ profiles.T).argmax(1), 0)
    return found


def _degree(pitch: Ints, key: Ints) -> Ints:
    """Semitones from the tonic up to a pitch, from 1, in minor from 13; 0: there is no pitch, or no key."""
    found: Ints = np.where(_sounds(pitch) & (key > 0), 1 + (key - 1) // 12 * 12 + (pitch - key) % 12, 0)
    return found


def _guesses(cells: Ints, voices: int) -> dict[str, Ints]:
    """What came when the last cells were the same before, for each of ``MATCHES``."""
    words = cells * voices + np.arange(len(cells)) % voices
    found = followed(words, MATCHES)
    return {
        f"after {length}": np.append(0, np.where(guess >= 0, guess // voices, NOTHING))
        for length, guess in zip(MATCHES, found, strict=True)
    }


def _line_guesses(grid: Ints, step: Ints, voice: Ints) -> dict[str, Ints]:
    """What the voice did when its last pitches were the same before, for each of ``LINES``."""
    table = np.zeros((len(LINES), len(grid) + 1, grid.shape[1]), np.int64)  # the first row: there is nothing before
    for number, line in enumerate(grid.T):
        for row, guess in zip(table, followed(line, LINES), strict=True):
            row[1:, number] = np.maximum(guess, NOTHING)
    return {f"own after {length}": row[step, voice] for length, row in zip(LINES, table, strict=True)}


def _pauses(runs: _Runs, step: Ints) -> dict[str, Ints]:
    """Since when no voice has moved, how long ago none had for a while, and since when not all have moved at once."""
    T = len(runs.moved)
    at = np.arange(T)
    any_moved = runs.moved.any(1)
    begin = np.maximum.accumulate(np.where(any_moved, at, 0))
    still = at - begin + 1
    rest = np.maximum.accumulate(np.where(still >= STILL, at, -FAR))
    together = np.maximum.accumulate(np.where(runs.moved.all(1), at, 0))
    columns = {
        "still": np.minimum(still, LONGEST),
        "since still": np.minimum(at - rest, FAR - 1) + 1,
        "since all": np.minimum(at - together + 1, LONGEST),
    }
    return {name: np.append(0, column)[step] for name, column in columns.items()}
