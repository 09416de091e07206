"""What sounds when: a Score's notes in seconds, held by the pedal, as loud as the mixer says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.errors import RequestError

LONGEST = 3600.0
"""The longest piece rendered, in seconds."""

_VOLUME, _PAN, _EXPRESSION = 7, 10, 11
_RANGE, _WIDEST = 2.0, 24.0  # semitones of a full bend where a file does not say, and at most
_HELD_AT_MOST = 12.0  # seconds that a pedal keeps a note: strings have long died away, and some pedals never end

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """The notes of one track, by onset.

    Attributes:
        program: The General MIDI program.
        is_drum: Whether pitches are drum keys.
        start: Onsets in seconds.
        end: Where notes are let go, in seconds: by the key, or by the pedal.
        pitch: MIDI pitches.
        velocity: 0 to 127, as the track's volume and expression leave it.
        pan: -1 (left) to 1 (right), or None if the track does not say.
        bends: ``float64[B, 2]``, by time: from which second on the pitch is bent, and by how many semitones.
    """

    program: int
    is_drum: bool
    start: Floats
    end: Floats
    pitch: NDArray[np.int64]
    velocity: Floats
    pan: float | None
    bends: Floats = field(default_factory=lambda: np.zeros((0, 2)))


def perform(score: Score) -> list[Part]:
    """The notes of ``score`` as they sound.

    Raises:
        RequestError: The piece is longer than an hour.
    """
    timed = score.to("second")
    notes = [track.notes.numpy() for track in timed.tracks if len(track.notes)]
    length = max((float((columns["time"] + columns["duration"]).max()) for columns in notes), default=0.0)
    if length > LONGEST:
        raise RequestError(
            f"a piece of {length / 60:,.0f} minutes: at most {LONGEST / 60:.0f} are rendered; cut it first"
        )
    return [_part(track) for track in timed.tracks if len(track.notes)]


def _part(track: Any) -> Part:
    columns = track.notes.numpy()
    order = np.argsort(columns["time"], kind="stable")
    start = columns["time"][order].astype(np.float64)
    end = start + np.maximum(columns["duration"][order].astype(np.float64), 0.01)
    pitch = columns["pitch"][order].astype(np.int64)
    velocity = columns["velocity"][order].astype(np.float64)
    controls = track.controls.numpy()
    volume = _in_force(controls, _VOLUME, start, 100.0) / 100.0
    expression = _in_force(controls, _EXPRESSION, start, 127.0) / 127.0
    loudness = np.minimum(velocity * np.sqrt(volume * expression), 127.0)
    if len(track.pedals) and not track.is_drum:
        end = _held(start, end, pitch, track.pedals.numpy())
    pans = controls["value"][controls["number"] == _PAN]
    pan = (float(pans[0]) - 64.0) / 64.0 if len(pans) else None
    return Part(track.program, track.is_drum, start, end, pitch, loudness, pan, _bends(track, controls))


def _bends(track: Any, controls: dict[str, Any]) -> Floats:
    """The bends of a track that is not drums; none if it is never bent."""
    bends = track.pitch_bends.numpy() if len(track.pitch_bends) else {"value": np.zeros(0)}
    if track.is_drum or not bends["value"].any():
        return np.zeros((0, 2))
    order = np.argsort(bends["time"], kind="stable")
    times = bends["time"][order].astype(np.float64)
    # Registered parameter 0 is the range of bends, in semitones.
    coarse, fine = (_in_force(controls, number, times, 127.0) for number in (101, 100))
    reach = _in_force(controls, 6, times, _RANGE)
    reach = np.where((coarse == 0) & (fine == 0), np.clip(reach, 0, _WIDEST), _RANGE)
    return np.stack([times, bends["value"][order] / 8192 * reach], axis=1)


def _in_force(controls: dict[str, Any], number: int, at: Floats, default: float) -> Floats:
    """The value of a controller at each of the times ``at``."""
    mine = controls["number"] == number
    times, values = controls["time"][mine].astype(np.float64), controls["value"][mine].astype(np.float64)
    order = np.argsort(times, kind="stable")
    place = np.searchsorted(times[order], at + 1e-6, side="right")
    known: Floats = np.concatenate([[default], values[order]])
    return known[place]


def _held(start: Floats, end: Floats, pitch: NDArray[np.int64], pedals: dict[str, Any]) -> Floats:
    """Where notes end that a pedal holds: with it, or when their key is struck again."""
    order = np.argsort(pedals["time"], kind="stable")
    down = pedals["time"][order].astype(np.float64)
    up = down + pedals["duration"][order].astype(np.float64)
    which = np.searchsorted(down, end, side="right") - 1
    held = (which >= 0) & (end < up[which])
    longer = np.where(held, np.minimum(up[which], end + _HELD_AT_MOST), end)
    by_pitch = np.lexsort((start, pitch))
    following = np.full(len(start), np.inf)
    same = pitch[by_pitch][1:] == pitch[by_pitch][:-1]
    following[by_pitch[:-1][same]] = start[by_pitch[1:][same]]
    out: Floats = np.maximum(end, np.minimum(longer, following))
    return out
