"""The built-in synthesis: notes to sound with numpy alone, so that there is always sound."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from toccata.render.drums import drum, drum_pan
from toccata.render.perform import Part
from toccata.render.timbres import Timbre, Wave, timbre_of, tone

_PIECE = 4.0  # seconds of a note made at a time
_SILENT = 7.0  # times of decay after which nothing is heard

Stereo = NDArray[np.float32]


def mix(parts: Sequence[Part], out: Stereo, rate: int) -> None:
    """Add the sound of ``parts`` to ``out`` (float32[2, samples]), without room or limiter."""
    seats = iter(_seats(sum(not part.is_drum for part in parts)))
    for part in parts:
        if part.is_drum:
            _add_drums(part, out, rate)
        else:
            seat = next(seats)
            _add_notes(part, out, rate, seat if part.pan is None else part.pan)


def _seats(count: int) -> list[float]:
    """Where players sit who do not say: from left to right, few of them close together."""
    width = min(0.5, 0.12 * (count - 1))
    return [width * (2 * n / max(1, count - 1) - 1) for n in range(count)]


def _sides(pan: float) -> tuple[np.float32, np.float32]:
    """Gains of left and right, of equal power wherever ``pan`` is."""
    angle = (min(1.0, max(-1.0, pan)) + 1) * np.pi / 4
    return np.float32(np.cos(angle)), np.float32(np.sin(angle))


def _add_notes(part: Part, out: Stereo, rate: int, pan: float) -> None:
    timbre = timbre_of(part.program)
    left, right = _sides(pan)
    made: dict[int, Wave] = {}  # the tones of one pitch, by loudness
    latest = -1
    piece = int(_PIECE * rate)
    fading = _release(timbre, rate)
    for n in np.lexsort((part.start, part.pitch)).tolist():
        pitch, velocity = int(part.pitch[n]), float(part.velocity[n])
        if pitch != latest:
            made, latest = {}, pitch
        begin = int(part.start[n] * rate)
        held = max(1, int((part.end[n] - part.start[n]) * rate))
        count = held + len(fading)
        if timbre.decay is not None:
            count = min(count, int(_SILENT * timbre.decay * 2.0 ** ((60 - pitch) / 20) * rate) + 1)
        count = min(count, out.shape[1] - begin)
        loudness = np.float32((velocity / 127) ** 1.7 * 0.2)
        level = min(3, int(velocity) // 32)
        for at in range(0, count, piece):
            size = min(piece, count - at)
            if at:
                wave = tone(timbre, pitch, _brightness(level), at, size, rate)
            else:
                wave = made.get(level, _NOTHING)
                if len(wave) < size:
                    # A little longer than asked for: the next note of this pitch is seldom of the very same length.
                    wave = made[level] = tone(timbre, pitch, _brightness(level), 0, min(piece, size + size // 4), rate)
                wave = wave[:size]
            wave = wave * loudness
            if at + size > held:
                first = max(0, held - at)
                into = at + first - held
                wave[first:] *= fading[into : into + size - first]
            place = slice(begin + at, begin + at + size)
            out[0, place] += left * wave
            out[1, place] += right * wave


_NOTHING: Wave = np.zeros(0, np.float32)


def _brightness(level: int) -> float:
    """Louder is brighter: the share of bright partials in four steps of velocity."""
    return (0.35, 0.6, 0.85, 1.0)[level]


def _release(timbre: Timbre, rate: int) -> Wave:
    """What becomes of a note when it is let go."""
    count = max(2, int(2.5 * timbre.release * rate))
    time = np.arange(count) / rate
    wave = np.exp(time / -(0.5 * timbre.release)) * np.linspace(1.0, 0.0, count)
    return wave.astype(np.float32)


def _add_drums(part: Part, out: Stereo, rate: int) -> None:
    choked = _choked(part)
    for n in range(len(part.start)):
        key = int(part.pitch[n])
        begin = int(part.start[n] * rate)
        wave = drum(key, rate)[: max(0, out.shape[1] - begin)] * np.float32((part.velocity[n] / 127) ** 1.5 * 0.7)
        if np.isfinite(choked[n]):
            stop = int((choked[n] - part.start[n]) * rate)
            wave[stop:] *= np.exp(np.arange(max(0, len(wave) - stop)) / (-0.01 * rate)).astype(np.float32)
        left, right = _sides(drum_pan(key))
        out[0, begin : begin + len(wave)] += left * wave
        out[1, begin : begin + len(wave)] += right * wave


def _choked(part: Part) -> NDArray[np.float64]:
    """When an open hi-hat is closed by the next stroke of a hi-hat; infinity for all else."""
    out = np.full(len(part.start), np.inf)
    hats = np.flatnonzero(np.isin(part.pitch, (42, 44, 46)))
    for this, following in pairwise(hats.tolist()):
        if part.pitch[this] == 46 and part.start[following] > part.start[this]:
            out[this] = part.start[following]
    return out
