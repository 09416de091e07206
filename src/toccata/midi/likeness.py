"""Hashes by which equal and nearly equal pieces are recognised, whatever their key, tempo and instruments.

`exact` is one hash of all notes, rhythm and drums included. `sketch` is a sample of small constellations of notes, each
with its place: a copy whose notes were moved a little or of which some are missing still has many of them, all at one
distance from where they stand in the original. Two pieces that have only their vocabulary in common have them at many
different distances. (The idea is that of audio fingerprints by landmarks.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

STEP_GRID = 48
"""Steps between onsets are rounded to this part of a note value that is about as long as they are on average."""
SKETCH = 256
"""The most constellations in a sketch."""

_BETWEEN = 0.37  # where one note value ends and the next begins: no simple ratio
_CELLS = 4  # onsets are rounded to 16ths: they may move by up to an eighth of a quarter and mostly stay in their cell
_REACH = 12  # a constellation is a note and three of so many that follow
_ONSETS, _PITCHES = 3, 3  # of which at least so many differ, or it says nothing
_RARE = 6  # of 2**6 constellations one is looked at
_MOST_NOTES = 2**15  # of the piece, from its beginning, that are looked at
_FEWEST_NOTES = 16
_PLACE, _PITCH = 24, 7  # bits
_HASH = 64 - _PLACE - _PITCH
_LAGS = np.array(list(combinations(range(1, _REACH + 1), 3)))
_AT_ONCE = 2**16  # constellations that are looked at together: as many as there is quick memory for
_PRIMES = tuple(np.uint64(prime) for prime in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


def exact(time: Ints, pitch: Ints, drum: NDArray[np.bool_], ticks_per_quarter: int) -> str:
    """The hash of a piece's notes, 16 hexadecimal digits.

    Of each note counts the time since the onset before it, and for a pitched note its interval from the pitched note
    before it, for a drum which one it is. Doublings are left out. So the hash is the same in another key, at another
    tempo or resolution, in double note values, with other loudness, lengths and instruments, and whatever tracks the
    notes are in.

    Args:
        time: Onsets in ticks.
        pitch: MIDI pitches; of drums, which drum.
        drum: Which notes are drums.
        ticks_per_quarter: Of the piece.
    """
    order = np.unique(time << 8 | drum.astype(np.int64) << 7 | pitch)
    drums, values = (order >> 7 & 1).astype(bool), order & 127
    ticks = np.diff(order >> 8, prepend=order[:1] >> 8)
    steps = np.rint(ticks * (STEP_GRID / _unit(ticks, ticks_per_quarter))).astype(np.int64)
    pitched = values[~drums]
    values[~drums] = np.diff(pitched, prepend=pitched[:1]) + 128
    tokens = steps << 9 | drums.astype(np.int64) << 8 | values
    return hashlib.blake2b(tokens.astype("<i8").tobytes(), digest_size=8).hexdigest()


def _unit(ticks: Ints, ticks_per_quarter: int) -> float:
    """A whole, half, quarter, ... note in ticks: the one next to the mean time between onsets."""
    steps = ticks[ticks > 0]
    if not len(steps):
        return float(ticks_per_quarter)
    return float(ticks_per_quarter * 2.0 ** np.floor(np.log2(steps.mean() / ticks_per_quarter) + _BETWEEN))


def sketch(time: Ints, pitch: Ints, ticks_per_quarter: int) -> Hashes:
    """Return a sample of the constellations of four notes in a piece, by which inexact copies are recognised.

    A constellation is described by intervals and by distances in 16ths, so it is the same in another key and at another
    tempo. The sample is chosen by hash, so that copies have the same one.

    Args:
        time: Onsets in ticks, of the pitched notes.
        pitch: Their pitches.
        ticks_per_quarter: Of the piece.

    Returns:
        ``uint64[n]``, sorted, n up to ``SKETCH``: 33 bits of a hash, each hash once; 24 bits of the place where it is
        found first, in 16ths; 7 bits of the pitch of its first note.
    """
    cells = np.rint(time * (_CELLS / ticks_per_quarter)).astype(np.int64)
    order = np.unique(cells << 7 | pitch)[:_MOST_NOTES]
    if len(order) < _FEWEST_NOTES:
        return np.empty(0, np.uint64)
    found = list(_constellations(order >> 7, order & 127))
    hashes = np.concatenate([hashes for hashes, _ in found])
    notes = np.concatenate([notes for _, notes in found])
    first = np.lexsort((notes, hashes))
    first = first[np.append(True, np.diff(hashes[first]) != 0)]
    hashes, notes = hashes[first], notes[first]
    rate = next(r for r in range(_HASH + 1) if np.searchsorted(hashes, np.uint64(1 << _HASH - r)) <= SKETCH)
    sampled = hashes[: np.searchsorted(hashes, np.uint64(1 << _HASH - rate))]
    place = (order[notes[: len(sampled)]] & ((1 << _PLACE + _PITCH) - 1)).astype(np.uint64)
    packed: Hashes = sampled << np.uint64(_PLACE + _PITCH) | place
    return packed


def _constellations(cells: Ints, pitches: Ints) -> Iterator[tuple[Hashes, Ints]]:
    """The rare ones: hashes of 33 bits, and the number of each one's first note; those of some lags at a time."""
    count = len(cells)
    up, on = np.zeros((2, _REACH + 1, count), np.int64)
    for lag in range(1, min(_REACH, count - 1) + 1):
        up[lag, :-lag], on[lag, :-lag] = pitches[lag:] - pitches[:-lag], cells[lag:] - cells[:-lag]
    marks = _mixed((up + 128 << 32 | on).astype(np.uint64))
    together = max(1, _AT_ONCE // max(1, count))
    for first in range(0, len(_LAGS), together):
        lags = _LAGS[first : first + together]
        hashes = marks[lags[:, 0]] * _PRIMES[0]
        hashes += marks[lags[:, 1]] * _PRIMES[1]
        hashes += marks[lags[:, 2]] * _PRIMES[2]
        row, note = np.divmod(np.flatnonzero(hashes.reshape(-1) < np.uint64(1 << 64 - _RARE)), count)
        inside = note + lags[row, 2] < count
        row, note = row[inside], note[inside]
        steps = on[lags[row].T, note]
        rises = np.sort(np.concatenate([np.zeros((1, len(note)), np.int64), up[lags[row].T, note]]), axis=0)
        onsets = 1 + (np.diff(steps, axis=0, prepend=0) > 0).sum(axis=0)
        different = 1 + (np.diff(rises, axis=0) != 0).sum(axis=0)
        varied = (onsets >= _ONSETS) & (different >= _PITCHES)
        yield _mixed(hashes[row[varied], note[varied]]) >> np.uint64(_PLACE + _PITCH), note[varied]


def _mixed(hashes: Hashes) -> Hashes:
    """Every bit made to depend on every other: splitmix64's last step."""
    hashes = hashes.copy()
    for shift, multiplier in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        hashes ^= hashes >> np.uint64(shift)
        hashes *= np.uint64(multiplier)
    return hashes


def hashes_of(sketched: Hashes) -> Hashes:
    """Return the hashes of the constellations of a sketch, without their places."""
    return sketched >> np.uint64(_PLACE + _PITCH)


def as_thin_as(sketched: Hashes, rate: int) -> Hashes:
    """Return a sketch thinned to ``rate``."""
    return sketched[: np.searchsorted(sketched, np.uint64((1 << 64 - rate) - 1), side="right")]


def place_of(sketched: Hashes) -> Ints:
    """Return the places of the constellations of a sketch, in 16ths."""
    return (sketched & np.uint64((1 << _PLACE + _PITCH) - 1)).astype(np.int64) >> _PITCH


def aligned(one: Hashes, other: Hashes) -> NDArray[np.bool_]:
    """Return which constellations of ``one`` are in ``other``, too, at the most frequent shift in time and pitch."""
    found = np.zeros(len(one), bool)
    _, a, b = np.intersect1d(hashes_of(one), hashes_of(other), assume_unique=True, return_indices=True)
    if not len(a):
        return found
    rises = (one[a] & np.uint64(127)).astype(np.int64) - (other[b] & np.uint64(127)).astype(np.int64)
    apart = place_of(one[a]) - place_of(other[b]) << 9 | rises + 256
    distances, counts = np.unique(apart, return_counts=True)
    # One that was moved a little may have come into the next cell.
    following = np.minimum(np.searchsorted(distances, distances + 512), len(distances) - 1)
    counts = counts + np.where(distances[following] == distances + 512, counts[following], 0)
    best = distances[np.argmax(counts)]
    found[a[(apart == best) | (apart == best + 512)]] = True
    return found
