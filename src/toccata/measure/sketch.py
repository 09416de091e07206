"""A thinned index of a model's training pieces: small enough to ship with the model, it finds longer passages alone.

The index of ``measure.passages`` has every passage, and takes some 8 bytes a note. A sketch has the hashes of a sample
of all passages of ``NOTES`` notes of all lines (see ``measure.lines``), with the piece that each is from: about one for
each ``every`` notes. Which passages are in the sample depends on nothing but the passages, so those of a copy are
sampled as those of the original were. As a passage begins with an onset, chords have fewer passages a note than
melodies: one of few onsets is sampled more often, so that as many notes of each are covered.

Sampled passages of a piece that follow one another and were all sampled in one training piece make a run. What lies
between the beginning of the first and the end of the last is taken to be copied; how much before and after it is, is
not known. So a run's length is a lower bound, and copies of fewer than some ``2 * every`` notes often have none.
In which bar of the training piece a passage stands is not known either.

Left out, as in the index: passages that mostly repeat what was before. Idioms (see ``corpus.groups.COMMON``) are marked
as such: they are in no run's count, but do not end it.

In the file (of arrays, see ``corpus.arrayfile``) hashes are sorted and stored as differences; all numbers are stored by
byte, first the lowest bytes of all of them, then the next, so that what can be compressed is in one place when the file
is packed. Hashes are as short as their number allows: ``SPARE`` bits more than it takes to number them, so that a
passage that was never seen has one chance in ``2 ** SPARE`` to be taken for one that was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.corpus.arrayfile import read_arrays, write_arrays
from toccata.corpus.groups import COMMON
from toccata.errors import ModelError
from toccata.measure.follower import AGAIN, FIGURE, NEW
from toccata.measure.lines import Line, lines, pitched
from toccata.measure.passages import Place, is_normal
from toccata.midi.facts import REPEATS

FORMAT = 1
NOTES = 12
"""Notes in a passage whose hash may be in a sketch."""
EVERY = 20
"""A sketch has a passage for each so many notes, about."""
SPARE = 10
"""Bits of a hash beyond those that number all hashes."""

_STEPS = NOTES - 1  # from note to note
_TYPES = {"hashes": ("|u1",), "owners": ("|u1",)}
_MOST_BITS = 62
_MISSING = -1
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Sampled:
    """The sampled passages of a line.

    Attributes:
        first: ``int64[n]``, the number in the line of each passage's first note.
        hashes: ``uint64[n]``.
        lively: ``bool[n]``, whether it does more than to repeat what was before.
        new: ``int64[notes]``, how many notes of the line, up to each, repeat nothing.
    """

    first: Ints
    hashes: Hashes
    lively: Bools
    new: Ints


@dataclass(frozen=True, eq=False)
class Sketch:
    """A sample of the passages of some pieces.

    Attributes:
        paths: Of the pieces.
        every: See the module.
        bits: The length of a hash.
        about: What else is known: ``notes`` of the pieces, ``models`` (see `Sketch.models`), and what is put there.
        hashes: ``uint64[n]``, ascending.
        owners: ``int64[n]``, twice the number of the first piece in which each stands, and one more if there are
            several; twice the number of all pieces for an idiom.
    """

    paths: list[str]
    every: int
    bits: int
    about: dict[str, Any]
    hashes: Hashes = field(repr=False)
    owners: Ints = field(repr=False)

    @classmethod
    def of(cls, pieces: Iterable[tuple[str, Score]], every: int = EVERY) -> Sketch:
        """Sample the passages of pieces, given with their paths."""
        paths: list[str] = []
        hashes: list[Hashes] = [np.empty(0, np.uint64)]
        count = 0
        for path, score in pieces:
            paths.append(path)
            count += sum(len(track.notes) for track in score.tracks)
            found = [sampled(line, every) for line in lines(pitched(score), score.ticks_per_quarter)]
            hashes.append(np.unique(np.concatenate([hashes[0], *(line.hashes[line.lively] for line in found)])))
        every_hash = np.concatenate(hashes)
        every_owner = np.repeat(np.arange(len(paths)), [len(some) for some in hashes[1:]])
        kept, first, counts = np.unique(every_hash, return_index=True, return_counts=True)
        owners = np.where(counts > COMMON, len(paths), every_owner[first]) * 2 + ((counts > 1) & (counts <= COMMON))
        bits = max(1, len(kept) - 1).bit_length() + SPARE
        kept, first = np.unique(kept >> np.uint64(64 - bits), return_index=True)
        return cls(paths, every, bits, {"notes": count}, kept, owners[first].astype(np.int64))

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def models(self) -> list[tuple[str, int]]:
        """The models whose training pieces these are: names, and how many of the ``paths``, in order, belong to each.

        The name of the model that the sketch belongs to is empty.
        """
        return [(name, count) for name, count in self.about.get("models", [["", len(self.paths)]])]

    def inherited(self, name: str) -> Sketch:
        """Return the same sketch for a model that was finetuned from its own, which is called ``name``."""
        models = [[model or name, count] for model, count in self.models]
        return replace(self, about={**self.about, "models": models})

    def save(self, path: Path) -> None:
        """Write the sketch to ``path``, wholly or not at all."""
        arrays = {"hashes": _by_byte(np.diff(self.hashes, prepend=np.uint64(0))), "owners": _by_byte(self.owners)}
        sizes = {"passages": len(self), "every": self.every, "bits": self.bits}
        write_arrays(path, {"format": FORMAT, **sizes, "about": self.about, "paths": self.paths}, arrays, _TYPES)

    @classmethod
    def load(cls, path: Path) -> Sketch:
        """Open the sketch at ``path``.

        Raises:
            ModelError: There is none, it is damaged, or it is of another format.
        """
        try:
            header, arrays = read_arrays(path, FORMAT, _TYPES)
            count = header["passages"]
            hashes, owners = (_from_bytes(arrays[name], count) for name in _TYPES)
            numbers = (header["every"], header["bits"])
            sketch = cls(list(header["paths"]), *numbers, dict(header["about"]), _summed(hashes), owners.view(np.int64))
            if not sketch._sound():
                raise ValueError("numbers that do not fit together")
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            why = "missing" if isinstance(error, FileNotFoundError) else "damaged"
            raise ModelError(f"{path} is {why}: copy the whole model folder again", path=path) from None
        return sketch

    def runs(self, line: Line) -> Iterator[tuple[int, int, int]]:
        """Yield the runs of a line: its first and its last note, by their numbers in the line, and the piece's number.

        A passage that was sampled in the line but is not in the sketch ends a run, unless it only repeats what was
        before; so does one from another piece, unless it is known to stand in several.
        """
        there = sampled(line, self.every)
        begun: dict[int, list[int]] = {}  # the first notes of the passages of each run
        owners = self._owners_of(there.hashes)
        for first, owner, lively in zip(there.first.tolist(), owners.tolist(), there.lively.tolist(), strict=True):
            if owner == _MISSING:
                ended = list(begun) if lively else []
            elif owner == 2 * len(self.paths):
                continue
            else:
                begun.setdefault(owner // 2, []).append(first)
                ended = [] if owner % 2 else [piece for piece in begun if piece != owner // 2]
            for piece in ended:
                yield from _run(piece, begun.pop(piece), there.new)
        for piece, firsts in begun.items():
            yield from _run(piece, firsts, there.new)

    def place(self, piece: int) -> Place:
        """Return the place of a run: its piece, in a bar that is not known."""
        number = piece
        for name, count in self.models:
            number -= count
            if number < 0:
                return Place(self.paths[piece], None, name)
        return Place(self.paths[piece], None)

    def _owners_of(self, hashes: Hashes) -> Ints:
        """Return the owner of each of some whole hashes, or ``_MISSING``."""
        if not len(self):
            return np.full(len(hashes), _MISSING)
        short = hashes >> np.uint64(64 - self.bits)
        slots = np.minimum(np.searchsorted(self.hashes, short), len(self) - 1)
        return np.where(self.hashes[slots] == short, self.owners[slots], _MISSING)

    def _sound(self) -> bool:
        """Whether all numbers are in their ranges."""
        if not (_is_count(self.every) and _is_count(self.bits) and self.every and 0 < self.bits <= _MOST_BITS):
            return False
        return bool(
            len(self.hashes) == len(self.owners)
            and (self.hashes[1:] > self.hashes[:-1]).all()
            and int(self.hashes.max(initial=0)) < 1 << self.bits
            and 0 <= int(self.owners.min(initial=0)) <= int(self.owners.max(initial=0)) <= 2 * len(self.paths)
            and all(isinstance(name, str) for name in self.paths)
            and all(isinstance(name, str) and name.isprintable() and _is_count(count) for name, count in self.models)
            and sum(count for _, count in self.models) == len(self.paths)
            and is_normal(self.about.get("normal"))
        )


def sampled(line: Line, every: int) -> Sampled:
    """Return the sampled passages of a line, one for each ``every`` notes, about."""
    symbols = line.symbols[1:].astype(np.uint64)
    count = max(0, len(symbols) - _STEPS + 1)
    steps = symbols[:, 0] << np.uint64(8) | symbols[:, 1]
    new = np.concatenate([[0], np.cumsum(repeats_nothing(steps))])
    onsets = np.concatenate([[0], np.cumsum(symbols[:, 0] != 0)])
    # A polynomial of the passage's steps modulo 2**64, its bits mixed; the rhythm of the first step does not count.
    hashes = symbols[:count, 1].copy()
    for place in range(1, _STEPS):
        hashes *= _MULTIPLIER
        hashes += steps[place : place + count]
    hashes *= _MULTIPLIER
    for shift, multiplier in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        hashes ^= hashes >> np.uint64(shift)
        hashes *= np.uint64(multiplier)
    notes_an_onset = _STEPS / np.maximum(1, onsets[_STEPS:] - onsets[:count])
    is_chosen = (hashes & np.uint64(0xFFFFFFFF)) < 2**32 / every * notes_an_onset
    first = np.flatnonzero(is_chosen & (symbols[:count, 0] != 0))
    fresh = new[first + _STEPS] - new[first]
    return Sampled(first, hashes[first], (fresh > max(REPEATS)) & (fresh >= NEW * _STEPS), new)


def repeats_nothing(steps: NDArray[Any]) -> Bools:
    """Return which steps of a line repeat none of the few before them and go on with no figure, as a `Follower` does.

    Args:
        steps: Each as one number.
    """
    again = np.zeros(len(steps), bool)
    for lag in range(1, min(FIGURE, len(steps) - 1) + 1):
        same = steps[lag:] == steps[:-lag]
        if lag <= max(REPEATS):
            again[lag:] |= same
        elif len(same) >= AGAIN:
            on_end = np.lib.stride_tricks.sliding_window_view(same, AGAIN).all(axis=1)
            again[lag + AGAIN - 1 :] |= on_end
    return ~again


def _run(piece: int, firsts: Sequence[int], new: Ints) -> Iterator[tuple[int, int, int]]:
    """Yield the longest end of a run of which enough is new, if there is one."""
    last = firsts[-1] + _STEPS
    for first in firsts:
        if (fresh := int(new[last] - new[first])) > max(REPEATS) and fresh >= NEW * (last - first):
            yield first, last, piece
            return


def _by_byte(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return numbers as bytes, the lowest of all of them first; as many of each as the largest one needs."""
    size = max(1, (int(values.max(initial=0)).bit_length() + 7) // 8)
    return values.astype("<u8").view(np.uint8).reshape(-1, 8).T[:size].reshape(-1)


def _from_bytes(stored: NDArray[np.uint8], count: int) -> Hashes:
    """Return the ``count`` numbers that `_by_byte` stored."""
    if type(count) is not int or count < 0:
        raise ValueError("no count")
    size = len(stored) // max(1, count)
    if len(stored) != count * size or size > 8 or (count and not size):
        raise ValueError("another count of numbers")
    wide = np.zeros((count, 8), np.uint8)
    wide[:, :size] = stored.reshape(size, count).T
    return wide.view("<u8").reshape(count).astype(np.uint64)


def _summed(steps: Hashes) -> Hashes:
    """Return the numbers whose differences are ``steps``."""
    sums: Hashes = np.cumsum(steps, dtype=np.uint64)
    return sums


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
