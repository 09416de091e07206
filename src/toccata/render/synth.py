"""The built-in synthesis: notes to sound with numpy alone, so that there is always sound.

Sound is made block by block: what a piece needs of memory does not grow with its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from toccata.render.drums import drum, drum_pan
from toccata.render.perform import Part
from toccata.render.timbres import Bend, Timbre, Wave, timbre_of, tone

_PIECE = 4.0  # seconds of a note made at a time
_SILENT = 7.0  # decay times after which a tone is inaudible
_REMEMBERED = 1 << 23  # samples of tones that are there to be played again

Stereo = NDArray[np.float32]


class Player(Protocol):
    """One part of a piece, ready to play.

    Attributes:
        samples: Of all its notes together.
    """

    samples: int

    def add(self, out: Stereo, begin: int) -> None:
        """Add to ``out`` (float32[2, samples]) what sounds from sample ``begin`` of the piece on."""
        ...


def players(parts: Sequence[Part], rate: int) -> list[Player]:
    """Those who play ``parts``, each in a seat from left to right, at ``rate`` samples a second."""
    tones = _Tones(rate)
    seats = iter(_seats(sum(not part.is_drum for part in parts)))
    found: list[Player] = []
    for part in parts:
        if part.is_drum:
            found.append(_Drummer(part, rate))
        else:
            seat = next(seats)
            found.append(_Musician(part, tones, seat if part.pan is None else part.pan))
    return found


def _seats(count: int) -> list[float]:
    """Where players sit who do not say: from left to right, few of them close together."""
    width = min(0.5, 0.12 * (count - 1))
    return [width * (2 * n / max(1, count - 1) - 1) for n in range(count)]


def _sides(pan: float) -> tuple[np.float32, np.float32]:
    """Gains of left and right, of equal power wherever ``pan`` is."""
    angle = (min(1.0, max(-1.0, pan)) + 1) * np.pi / 4
    return np.float32(np.cos(angle)), np.float32(np.sin(angle))


class _Tones:
    """The beginnings of tones: most notes are short, and played again and again."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.piece = int(_PIECE * rate)
        self._made: dict[tuple[Timbre, int, int], Wave] = {}
        self._samples = 0

    def wave(self, timbre: Timbre, pitch: int, level: int, at: int, past: int) -> Wave:
        """Samples from ``at`` on, to ``past`` at most, of a held tone; ``level`` 0 to 3: how bright."""
        past = min(past, at - at % self.piece + self.piece)
        if at >= self.piece:
            return tone(timbre, pitch, _brightness(level), at, past - at, self.rate)
        known = self._made.get((timbre, pitch, level))
        if known is None or len(known) < past:
            if self._samples > _REMEMBERED:
                self._made, self._samples = {}, 0
            # A little longer than needed: the next note of this pitch is seldom of the very same length.
            longer = min(self.piece, past + past // 4)
            known = self._made[timbre, pitch, level] = tone(timbre, pitch, _brightness(level), 0, longer, self.rate)
            self._samples += longer
        return known[at:past]


class _Musician:
    """The notes of a part that is no drums."""

    def __init__(self, part: Part, tones: _Tones, pan: float) -> None:
        self.timbre, self.tones, self.sides = timbre_of(part.program), tones, _sides(pan)
        rate = tones.rate
        self.fading = _release(self.timbre, rate)
        self.pitch = part.pitch
        self.first = (part.start * rate).astype(np.int64)
        self.held = np.maximum(1, ((part.end - part.start) * rate).astype(np.int64))
        count = self.held + len(self.fading)
        if self.timbre.decay is not None:
            longest = _SILENT * self.timbre.decay * 2.0 ** ((60 - part.pitch) / 20) * rate
            count = np.minimum(count, longest.astype(np.int64) + 1)
        self.past = self.first + count
        self.samples = int(count.sum())
        self.loudness = ((part.velocity / 127) ** 1.7 * 0.2).astype(np.float32)
        self.level = np.minimum(3, part.velocity.astype(np.int64) // 32)
        self.bends = _bends(part, self.past / rate)

    def add(self, out: Stereo, begin: int) -> None:
        end = begin + out.shape[1]
        here = np.flatnonzero((self.first < end) & (self.past > begin))
        if not len(here):
            return
        sound = np.zeros(out.shape[1], np.float32)
        for n in here.tolist():
            first = int(self.first[n])
            at, past = max(0, begin - first), min(int(self.past[n]), end) - first
            while at < past:
                wave = self._wave(n, at, past)
                place = first + at - begin
                sound[place : place + len(wave)] += wave
                at += len(wave)
        for side, gain in zip(out, self.sides, strict=True):
            side += gain * sound

    def _wave(self, n: int, at: int, past: int) -> Wave:
        """Note ``n`` from its sample ``at`` on, to ``past`` at most."""
        held = int(self.held[n])
        pitch, level, bend = int(self.pitch[n]), int(self.level[n]), self.bends.get(n)
        if bend is None:
            wave: Wave = self.tones.wave(self.timbre, pitch, level, at, past) * self.loudness[n]
        else:  # like no other note
            count = min(past - at, self.tones.piece)
            wave = tone(self.timbre, pitch, _brightness(level), at, count, self.tones.rate, bend) * self.loudness[n]
        past = at + len(wave)
        if past > held:
            released = max(at, held)
            wave[released - at :] *= self.fading[released - held : past - held]
        return wave


def _bends(part: Part, past: NDArray[np.float64]) -> dict[int, Bend]:
    """The bends of the notes of a part that are bent while they sound, until ``past``, in seconds."""
    if not len(part.bends):
        return {}
    times, semitones = part.bends.T
    found = {}
    for n, (start, end) in enumerate(zip(part.start.tolist(), past.tolist(), strict=True)):
        first, last = np.searchsorted(times, [start + 1e-6, end]).tolist()
        inside = semitones[max(0, first - 1) : last]
        if inside.any():
            at = np.concatenate([[0.0], times[first:last] - start])
            own = np.concatenate([[semitones[first - 1] if first else 0.0], semitones[first:last]])
            found[n] = Bend(at, 2.0 ** (own / 12))
    return found


def _brightness(level: int) -> float:
    """Louder is brighter: the share of bright partials in four steps of velocity."""
    return (0.35, 0.6, 0.85, 1.0)[level]


def _release(timbre: Timbre, rate: int) -> Wave:
    """What becomes of a note when it is let go."""
    count = max(2, int(2.5 * timbre.release * rate))
    time = np.arange(count) / rate
    wave = np.exp(time / -(0.5 * timbre.release)) * np.linspace(1.0, 0.0, count)
    return wave.astype(np.float32)


class _Drummer:
    """The strokes of a part that is drums."""

    def __init__(self, part: Part, rate: int) -> None:
        self.rate, self.key = rate, part.pitch
        self.first = (part.start * rate).astype(np.int64)
        lengths = {key: len(drum(key, rate)) for key in set(part.pitch.tolist())}
        count = np.array([lengths[key] for key in part.pitch.tolist()], np.int64)
        self.past = self.first + count
        self.samples = int(count.sum())
        self.loudness = ((part.velocity / 127) ** 1.5 * 0.7).astype(np.float32)
        self.choked = (_choked(part) - part.start) * rate  # samples after the onset

    def add(self, out: Stereo, begin: int) -> None:
        end = begin + out.shape[1]
        for n in np.flatnonzero((self.first < end) & (self.past > begin)).tolist():
            key, first = int(self.key[n]), int(self.first[n])
            at, past = max(0, begin - first), min(int(self.past[n]), end) - first
            wave = drum(key, self.rate)[at:past] * self.loudness[n]
            if self.choked[n] < past:
                after = np.maximum(0, np.arange(at, past) - int(self.choked[n]))
                wave *= np.exp(after / (-0.01 * self.rate)).astype(np.float32)
            place = slice(first + at - begin, first + past - begin)
            for side, gain in zip(out, _sides(drum_pan(key)), strict=True):
                side[place] += gain * wave


def _choked(part: Part) -> NDArray[np.float64]:
    """When an open hi-hat is closed by the next stroke of a hi-hat; infinity for all else."""
    out = np.full(len(part.start), np.inf)
    hats = np.flatnonzero(np.isin(part.pitch, (42, 44, 46)))
    for this, following in pairwise(hats.tolist()):
        if part.pitch[this] == 46 and part.start[following] > part.start[this]:
            out[this] = part.start[following]
    return out
