"""Repitching of bars whose rhythm is preserved: which notes may change pitch, and the constraints between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

import numpy as np
from numpy.typing import NDArray

from toccata.errors import RequestError
from toccata.midi.repitch import Keys
from toccata.tasks.fill import TOO_LONG
from toccata.tasks.pitches import Pitches
from toccata.tasks.script import Slot

_TOGETHER = 16
"""Notes of a track that begin within this part of a quarter are a chord."""
_MOST = 300_000
"""The most pairs of simultaneous notes; eight bars of a symphony have some ten thousand."""


@dataclass(frozen=True, eq=False)
class Song:
    """The current notes of a song, as arrays.

    Attributes:
        keys: The file's notes.
        pitches: The current pitch of each; changed in place.
        programs: The program of each in the tokenizer's numbers, 128 the drums.
        start: ``int64[n]``, their onsets in ticks.
        end: ``float64[n]``, their ends in ticks; infinite if there is none.
        ticks_per_quarter: The song's resolution.
    """

    keys: Keys
    pitches: list[int]
    programs: list[int]
    ticks_per_quarter: int
    start: NDArray[np.int64] = field(init=False)
    end: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        notes = self.keys.notes
        object.__setattr__(self, "start", np.array([note.start for note in notes], np.int64))
        ends = [inf if note.end is None else note.end for note in notes]
        object.__setattr__(self, "end", np.array(ends, np.float64))


@dataclass(frozen=True)
class Freedom:
    """Which notes may change pitch.

    Attributes:
        notes: The indices of the notes that may be free.
        share: The probability that each of them is.
        dice: A random number from 0 to 1 for each note of the song.
        certain: A note that is free in any case; -1: none.
        pitches: ``bool[128]``, the pitches they may have.
        contour: Whether the contour of each line is preserved.
    """

    notes: frozenset[int]
    share: float
    dice: NDArray[np.float64]
    certain: int
    pitches: NDArray[np.bool_]
    contour: bool = False


@dataclass(frozen=True)
class Revoicing:
    """The voices of a script: groups of notes with one pitch, as they are one token or have to remain equal.

    Attributes:
        pitches: The voices that may change pitch, and those they depend on.
        voices: For each slot its voice; -1: its pitch is fixed.
        notes: The song's notes of each voice that may change pitch, by the index of its first slot.
    """

    pitches: Pitches
    voices: list[int]
    notes: dict[int, list[int]]


def line_pairs(song: Song, numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of notes whose order of pitch is the contour: successive top notes, and a top note and its chord.

    The highest note of each onset is the line; notes that begin within a 16th of a quarter are one onset.
    """
    chords: list[list[int]] = []
    for number in sorted(numbers, key=lambda n: int(song.start[n])):
        near = chords and (song.start[number] - song.start[chords[-1][0]]) * _TOGETHER < song.ticks_per_quarter
        chords[-1].append(number) if near else chords.append([number])
    tops = [max(chord, key=lambda n: song.pitches[n]) for chord in chords]
    yield from pairwise(tops)
    for top, chord in zip(tops, chords, strict=True):
        yield from ((top, other) for other in chord if other != top)


def revoicing(song: Song, found: Sequence[Slot], owners: Sequence[Sequence[int]], free: Freedom) -> Revoicing:
    """Return the voices of a script.

    Args:
        song: The current song.
        found: The notes of the script.
        owners: For each of them the notes of the song that it stands for.
        free: Which notes may change pitch.
    """
    groups = _PitchGroups([list(numbers) for numbers in owners])
    near = _near(song, [n for n in free.notes if groups.of(n) >= 0])
    relations = _chords(found, groups)
    if free.contour:
        relations += _contour(song, free, groups)
    for one, other in near:
        same = song.pitches[one] == song.pitches[other] and groups.of(one) != groups.of(other)
        if same and song.keys.clash(one, other):  # one key struck twice at once: both stay as they were
            groups.fix(one)
            groups.fix(other)
    for slot in range(len(owners)):
        groups.settle(slot, free)
    voice_of: dict[int, int] = {}
    start: list[int] = []
    order: list[int] = []
    allowed: list[NDArray[np.bool_]] = []
    notes: dict[int, list[int]] = {}

    def voice(number: int) -> int:
        """Return the voice of a note, a new one if there is none."""
        group = groups.of(number)
        moves = group >= 0 and groups.moves[group]
        name = group if moves else -1 - number
        if name not in voice_of:
            voice_of[name] = len(start)
            start.append(song.pitches[number])
            order.append(group if moves else -1)
            row = free.pitches.copy()
            if moves:
                notes[group] = groups.notes(group)
                row[sorted(set().union(*(song.keys.stray(n) for n in notes[group])))] = False
            allowed.append(row)
        return voice_of[name]

    voices = [-1] * len(found)
    for slot, numbers in enumerate(owners):
        if numbers and groups.moves[groups.find(slot)]:
            voices[slot] = voice(numbers[0])
    moving = {n for group in notes.values() for n in group}
    below = [(voice(a), voice(b)) for a, b in relations if a in moving or b in moving]
    apart = [
        (voice(a), voice(b)) for a, b in near if (a in moving or b in moving) and song.pitches[a] != song.pitches[b]
    ]
    table = np.stack(allowed) if allowed else np.zeros((0, 128), np.bool_)
    return Revoicing(Pitches(start, order, table, below, apart), voices, notes)


class _PitchGroups:
    """Groups of slots with one pitch (a union-find); each is identified by its first slot."""

    def __init__(self, owners: list[list[int]]) -> None:
        self._owners = owners
        self._slot = {number: slot for slot, numbers in enumerate(owners) for number in numbers}
        self._first = list(range(len(owners)))
        self.moves = [True] * len(owners)
        self._notes: dict[int, list[int]] = {}

    def find(self, slot: int) -> int:
        while self._first[slot] != slot:
            slot = self._first[slot]
        return slot

    def of(self, number: int) -> int:
        """Return the group of a note; -1: no slot stands for it."""
        slot = self._slot.get(number)
        return -1 if slot is None else self.find(slot)

    def tie(self, one: int, other: int) -> None:
        """Merge the groups of two notes."""
        a, b = self.of(one), self.of(other)
        if a < 0 or b < 0:
            self.fix(one)
            self.fix(other)
        elif a != b:
            low, high = min(a, b), max(a, b)
            self._first[high] = low
            self.moves[low] = self.moves[low] and self.moves[high]

    def fix(self, number: int) -> None:
        """Fix the pitch of a note's group."""
        if (group := self.of(number)) >= 0:
            self.moves[group] = False

    def notes(self, group: int) -> list[int]:
        """Return the notes of a group, after all merging."""
        if not self._notes:
            collected: dict[int, list[int]] = defaultdict(list)
            for slot, numbers in enumerate(self._owners):
                collected[self.find(slot)] += numbers
            self._notes = dict(collected)
        return self._notes[group]

    def settle(self, slot: int, free: Freedom) -> None:
        """Fix a group with a note that is not free, or with too high a random number."""
        if self._first[slot] != slot or not self.moves[slot]:
            return
        mine = self.notes(slot)
        lucky = bool(mine) and (free.dice[min(mine)] < free.share or free.certain in mine)
        self.moves[slot] = lucky and free.notes.issuperset(mine)


def _near(song: Song, numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return pairs, the first of ``numbers``, that may not have one pitch: simultaneous on one channel or program.

    Raises:
        RequestError: There are too many.
    """
    if not numbers:
        return []
    channel = np.array([note.place.channel for note in song.keys.notes])
    program = np.array(song.programs)
    first, last = min(song.start[n] for n in numbers), max(song.end[n] for n in numbers)
    window = np.flatnonzero((song.start <= last) & (song.end >= first))
    start, end, channel, program = song.start[window], song.end[window], channel[window], program[window]
    out, looked = [], 0
    for number in numbers:
        at, until = song.start[number], song.end[number]
        note = song.keys.notes[number]
        alike = (channel == note.place.channel) | (program == song.programs[number])
        together = np.flatnonzero(alike & (start <= until) & (end >= at)).tolist()
        looked += len(together)
        if looked > _MOST:
            raise RequestError(
                "too many notes sound at once in these bars for other pitches to be found: name fewer bars, or lock "
                "some of them",
                kind=TOO_LONG,
            )
        for index in together:
            other = int(window[index])
            if other == number:
                continue
            at_once = start[index] < until and end[index] > at and program[index] == song.programs[number]
            if at_once or song.keys.clash(number, other):
                out.append((number, other))
    return out


def _chords(found: Sequence[Slot], groups: _PitchGroups) -> list[tuple[int, int]]:
    """Return the order of pitches within each chord, as pairs of notes, the lower first."""
    out = []
    for number, (one, other) in enumerate(pairwise(found)):
        mine, others = groups._owners[number], groups._owners[number + 1]
        if (one.tick, one.program) == (other.tick, other.program) and mine and others and one.pitch != other.pitch:
            out.append((mine[0], others[0]) if one.pitch < other.pitch else (others[0], mine[0]))
    return out


def _contour(song: Song, free: Freedom, groups: _PitchGroups) -> list[tuple[int, int]]:
    """Return the order of pitches along the lines of tracks with free notes; equal pitches are merged."""
    out = []
    tracks: dict[int, list[int]] = defaultdict(list)
    for number, track in enumerate(song.keys.tracks):
        if song.keys.notes[number].end is not None:
            tracks[track].append(number)
    for track in {song.keys.tracks[n] for n in free.notes}:
        for one, other in line_pairs(song, tracks[track]):
            low, high = song.pitches[one], song.pitches[other]
            if low == high:
                groups.tie(one, other)
            else:
                out.append((one, other) if low < high else (other, one))
    return out


def matched(song: Song, found: Sequence[Slot], seen: Sequence[int], origin: int, scale: float) -> list[list[int]]:
    """Return for each note of a script the notes of the song that it stands for.

    Args:
        song: The current song.
        found: The notes of the script.
        seen: The notes of the song that were encoded.
        origin: The tick of the song at which the script begins.
        scale: The song's ticks per tick of the tokenizer.
    """
    out: list[list[int]] = [[] for _ in found]
    written: dict[tuple[int, int], list[int]] = defaultdict(list)
    for slot, note in enumerate(found):
        written[note.program, note.pitch].append(slot)
    real: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number in seen:
        real[song.programs[number], song.pitches[number]].append(number)
    for name, numbers in real.items():
        mine = written.get(name, [])
        numbers.sort(key=lambda n: int(song.start[n]))
        if len(mine) == len(numbers):
            for slot, number in zip(mine, numbers, strict=True):
                out[slot].append(number)
        elif mine:
            ticks = np.array([origin + found[slot].tick * scale for slot in mine])
            for number in numbers:
                nearest = int(np.argmin(np.abs(ticks - song.start[number])))
                if abs(ticks[nearest] - song.start[number]) * 2 <= song.ticks_per_quarter:
                    out[mine[nearest]].append(number)
    return out
