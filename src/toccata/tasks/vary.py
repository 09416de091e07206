"""Variations: what is preserved of some bars, and how far a version is from them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.midi.bars import BarMap
from toccata.midi.melody import within
from toccata.midi.notes import Place, Struck
from toccata.midi.repitch import Keys
from toccata.tasks.fill import Hole
from toccata.tokenizers.state import State

Keep = Literal["rhythm", "contour", "melody", "harmony"]
"""What a variation preserves."""
_MOVED, _OCTAVES, _LENGTH = 1 / 2, 1 / 24, 1 / 4
"""The distance of a note with another pitch, of each semitone, and of another length."""


def span(score: Score, bars: BarMap, hole: Hole) -> tuple[int, int]:
    """Return the ticks in which notes of a hole begin: the first, and the one after the last."""
    end = int(bars.starts[hole.last])
    return int(bars.starts[hole.first]), max(end, score.end() + 1) if hole.last == len(bars) else end


@dataclass(frozen=True, eq=False)
class Harmony:
    """A harmony that is preserved; a :class:`~toccata.tokenizers.rulebook.PitchRule`.

    In each beat of the meter, notes may begin on the pitch classes that sounded in it, drums left out; in a silent beat
    on any. Notes may ring on into other beats.

    Attributes:
        begins: ``int64[n]``, the beginnings of the beats, in the tokenizer's ticks.
        table: ``bool[n, 128]``, the pitches that may begin in each beat.
    """

    begins: NDArray[np.int64]
    table: NDArray[np.bool_]

    @classmethod
    def of(
        cls, score: Score, bars: BarMap, hole: Hole, ticks_per_quarter: int, key: NDArray[np.bool_] | None = None
    ) -> Harmony:
        """Return the harmony of a hole's bars.

        Args:
            score: The original music.
            bars: Its bars.
            hole: The hole; tick 0 of the tokenizer is its beginning.
            ticks_per_quarter: The tokenizer's resolution.
            key: ``bool[128]``, the pitches of the key; a beat without any of them is like a silent one.
        """
        tracks = [track.notes.numpy() for track in score.tracks if not track.is_drum]
        start = np.concatenate([columns["time"] for columns in tracks] or [np.zeros(0, np.int64)])
        end = np.concatenate([columns["time"] + columns["duration"] for columns in tracks] or [start])
        classes = np.concatenate([columns["pitch"] for columns in tracks] or [start]) % 12
        here = (start < int(bars.starts[hole.last])) & (end > int(bars.starts[hole.first]))
        start, end, classes = start[here], end[here], classes[here]
        origin, begins, table = int(bars.starts[hole.first]), [], []
        for first, last in beats(bars, hole, score.ticks_per_quarter):
            # A tick of the grid belongs to a beat if it does not lie before it.
            begins.append(-(-(first - origin) * ticks_per_quarter // score.ticks_per_quarter))
            sounding = np.isin(np.arange(128) % 12, classes[(start < last) & (end > first)])
            usable = sounding if key is None else sounding & key
            table.append(usable if usable.any() else np.ones(128, np.bool_))
        return cls(np.array(begins, np.int64), np.array(table))

    def pitches(self, state: State, ticks: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return the pitches that may begin at each of ``ticks``, ``bool[n, 128]``."""
        rows = np.searchsorted(self.begins, ticks, side="right") - 1
        allowed: NDArray[np.bool_] = self.table[np.clip(rows, 0, len(self.begins) - 1)]
        return allowed


def beats(bars: BarMap, hole: Hole, ticks_per_quarter: int) -> list[tuple[int, int]]:
    """Return the beats of a hole's bars, by the meter's denominator: first tick, and the one after the last."""
    out = []
    for bar in range(hole.first, hole.last):
        first, last = int(bars.starts[bar]), int(bars.starts[bar + 1])
        step = max(1, ticks_per_quarter * 4 // bars.meters[bar][1])
        edges = [*range(first, last, step), last]
        out += list(pairwise(edges))
    return out


@dataclass(frozen=True)
class Change:
    """The change of some notes in a version.

    Attributes:
        notes: The number of original notes.
        moved: How many have another pitch.
        semitones: The sum of the changes of pitch.
        longer: How many have another length.
        gone: How many were removed.
        new: How many were added.
        distance: From 0, the same, to 1, nothing is left. Notes of a track that begin at one tick are paired, first
            those of one pitch, then the others from the lowest up. In a pair another pitch costs 1/2, each semitone
            1/24 and another length 1/4, together at most 1; a note without a partner costs 1. The distance is the mean
            cost over the notes of both versions.
    """

    notes: int
    moved: int
    semitones: int
    longer: int
    gone: int
    new: int
    distance: float

    @property
    def summary(self) -> str:
        """The change in words, like ``12 of 31 notes moved, by 2.4 semitones on average``."""
        phrases = []
        if self.moved:
            average = self.semitones / self.moved
            phrases.append(
                f"{self.moved} of {self.notes} notes moved, by {average:.1f} semitones on average"
                if self.notes > 1
                else f"1 note moved, by {average:.0f} semitones"
            )
        if self.gone:
            phrases.append(f"{self.gone} gone" if self.moved else f"{self.gone} of {self.notes} notes gone")
        phrases += [f"{self.new} new"] if self.new else []
        phrases += [f"{self.longer} of another length"] if self.longer else []
        return ", ".join(phrases) or "nothing changed"


def change(before: Keys, after: Keys, spans: Sequence[tuple[int, int]], tracks: frozenset[int] | None) -> Change:
    """Return the change from a song to a version.

    Args:
        before: The song.
        after: The version.
        spans: Where to compare: first tick, and the one after the last.
        tracks: The indices of the song's tracks to compare; None: all.
    """
    places = {note.place for note, n in zip(before.notes, before.tracks, strict=True) if tracks is None or n in tracks}
    old, new = (_by_onset(keys.notes, spans, places) for keys in (before, after))
    total = sum(map(len, old.values())) + sum(map(len, new.values()))
    cost, moved, semitones, longer, gone, fresh = 0.0, 0, 0, 0, 0, 0
    for name in old.keys() | new.keys():
        one, other = old.get(name, []), new.get(name, [])
        pairs = _pairs(one, other)
        for was, now in pairs:
            steps, ends = abs(now.pitch - was.pitch), now.end != was.end
            moved, semitones, longer = moved + (steps > 0), semitones + steps, longer + ends
            cost += 2 * min(1.0, (steps > 0) * _MOVED + steps * _OCTAVES + ends * _LENGTH)
        gone, fresh = gone + len(one) - len(pairs), fresh + len(other) - len(pairs)
    distance = (cost + gone + fresh) / max(1, total)
    return Change(sum(map(len, old.values())), moved, semitones, longer, gone, fresh, round(distance, 4))


def _by_onset(
    notes: Sequence[Struck], spans: Sequence[tuple[int, int]], places: set[Place]
) -> dict[tuple[Place, int], list[Struck]]:
    found: dict[tuple[Place, int], list[Struck]] = defaultdict(list)
    for note in notes:
        if note.place in places and within(note.start, spans):
            found[note.place, note.start].append(note)
    return found


def _pairs(old: Sequence[Struck], new: Sequence[Struck]) -> list[tuple[Struck, Struck]]:
    """Pair the old and new notes of one onset."""
    left, right = (sorted(notes, key=lambda n: (n.pitch, n.on)) for notes in (old, new))
    of_pitch: dict[int, deque[Struck]] = defaultdict(deque)
    for note in right:
        of_pitch[note.pitch].append(note)
    pairs = [(note, of_pitch[note.pitch].popleft()) for note in left if of_pitch[note.pitch]]
    matched = {id(note) for pair in pairs for note in pair}
    rest = ([note for note in notes if id(note) not in matched] for notes in (left, right))
    return pairs + list(zip(*rest, strict=False))
