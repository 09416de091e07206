"""Music as piano rolls, one slice a quarter note, and back.

A slice is ``[2, 88, S]``: two channels, the 88 keys of a piano (A0 to C8), ``S`` steps. Channel 0 is 1 where a key is
struck, channel 1 where it sounds, the step of the stroke included. A note held from one slice into the next sounds
there from step 0 without a stroke, so it stays one note; a key struck again while it sounds has a stroke, so it is two.

What a roll does not hold: velocities, programs, tempo, meter. Drums are left out, and all other tracks are one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Note, Score, Track

from toccata.errors import MidiError

LOWEST, KEYS = 21, 88
"""The lowest key, A0, as a MIDI pitch; and how many there are."""
STEPS = 24
"""Steps a quarter: triplets, sextuplets and thirty-seconds stand on this grid."""
VELOCITY = 80
"""The velocity of every note that is decoded from a roll."""
LONGEST = 20_000
"""The most quarters that become a roll at a time, 85 MB of them; nearly three hours at 120 quarters a minute."""

Rolls = NDArray[np.uint8]


def rolls(score: Score, steps: int = STEPS, *, quarters: int | None = None) -> Rolls:
    """The piano rolls of ``score``.

    Beginnings and ends of notes go to the nearest step, halves upwards, and every note is at least one step long. Where
    notes of one pitch begin together the longest stays; a later one ends an earlier one. Pitches below A0 or above C8
    are brought in by octaves, so that no note is lost.

    Args:
        score: Any music, of any ticks a quarter; time is counted from tick 0.
        steps: Steps a quarter.
        quarters: How many slices: what lies behind is cut off, what is missing is silence. None: up to the last note's
            end.

    Returns:
        ``uint8[Q, 2, 88, steps]``, of zeros and ones.

    Raises:
        MidiError: The music is longer than ``LONGEST`` quarters; the message is the bare reason.
    """
    key, onset, end = _notes(score, steps)
    Q = -(-int(end.max(initial=0)) // steps) if quarters is None else quarters
    if Q > LONGEST:
        raise MidiError(f"is too long for a piano roll: {Q:,} quarters, at most {LONGEST:,}")
    T = Q * steps
    inside = onset < T
    key, onset, end = key[inside], onset[inside], np.minimum(end[inside], T)
    grid = np.zeros((2, KEYS, T + 1), np.int8)
    grid[0, key, onset] = 1
    np.add.at(grid[1], (key, onset), 1)
    np.add.at(grid[1], (key, end), -1)
    np.cumsum(grid[1], axis=1, dtype=np.int8, out=grid[1])
    slices = grid[:, :, :T].reshape(2, KEYS, Q, steps).transpose(2, 0, 1, 3)
    return np.ascontiguousarray(slices).astype(np.uint8)


def notes(slices: NDArray[Any], steps: int = STEPS, *, threshold: float = 0.5) -> Score:
    """The music of piano rolls: of those of :func:`rolls`, or of probabilities.

    Every note begins where its key is struck and lasts as long as it sounds, across slices too; it is at least one step
    long, ends when the key is struck again, and at the end of the last slice at the latest. Of strokes at neighbouring
    steps those less probable than a neighbour do not count, and neither does sound that no stroke began.

    Args:
        slices: ``[Q, 2, 88, steps]``: zeros and ones, or probabilities.
        steps: Steps a quarter.
        threshold: The least probability that counts as one.

    Returns:
        A Score of ``steps`` ticks a quarter with one piano track, sorted by time and pitch; velocity ``VELOCITY``, no
        tempo. Without any note it has no track.
    """
    Q = len(slices)
    grid = slices.transpose(1, 2, 0, 3).reshape(2, KEYS, Q * steps)
    T = grid.shape[2]
    stroke = np.array(grid[0], np.float32)
    struck = stroke >= threshold
    struck[:, 1:] &= stroke[:, 1:] >= stroke[:, :-1]
    struck[:, :-1] &= stroke[:, :-1] >= stroke[:, 1:]
    # A note goes on until the first step that is silent or struck again: the nearest such step behind each one.
    stops = np.ones((KEYS, T + 1), bool)
    stops[:, :T] = (grid[1] < threshold) | struck
    nearest = np.where(stops, np.arange(T + 1), T)
    nearest = np.minimum.accumulate(nearest[:, ::-1], axis=1)[:, ::-1]
    time, key = np.nonzero(struck.T)
    out = Score(steps)
    if len(time):
        length = nearest[key, time + 1] - time
        track = Track("", 0, False)
        track.notes = Note.from_numpy(
            time.astype(np.int32),
            length.astype(np.int32),
            (key + LOWEST).astype(np.int8),
            np.full(len(time), VELOCITY, np.int8),
        )
        out.tracks.append(track)
    return out


def _notes(score: Score, steps: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Key, first step and end of every note, no two of one key overlapping."""
    parts = [track.notes.numpy() for track in score.tracks if not track.is_drum and len(track.notes)]
    names = ("time", "duration", "pitch")
    time, duration, pitch = (
        np.concatenate([np.asarray(part[name], np.int64) for part in parts] or [np.zeros(0, np.int64)])
        for name in names
    )
    ticks = score.ticks_per_quarter
    onset = (2 * time * steps + ticks) // (2 * ticks)
    end = np.maximum((2 * (time + duration) * steps + ticks) // (2 * ticks), onset + 1)
    key = pitch - LOWEST
    key = np.where(key < 0, key % 12, key)
    key = np.where(key >= KEYS, KEYS - 12 + (key - KEYS) % 12, key)
    order = np.lexsort((-end, onset, key))
    key, onset, end = key[order], onset[order], end[order]
    same = key[1:] == key[:-1]
    keep = np.ones(len(key), bool)
    keep[1:] = ~(same & (onset[1:] == onset[:-1]))
    key, onset, end = key[keep], onset[keep], end[keep]
    same = key[1:] == key[:-1]
    end[:-1] = np.where(same, np.minimum(end[:-1], onset[1:]), end[:-1])
    return key, onset, end
