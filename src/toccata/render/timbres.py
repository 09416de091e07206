"""The instruments of the built-in synthesis: what partials they have, and how they come and go."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]

_TABLE = 1 << 14  # samples a wave table: fine enough to be read without interpolation
_PARTIALS = 24


@dataclass(frozen=True)
class Timbre:
    """How an instrument sounds.

    Attributes:
        bright: Strengths of the partials at the onset of a loud note.
        dark: Strengths of the partials that stay.
        attack: Seconds until a note is at its loudest.
        decay: Seconds in which a struck or plucked middle C falls by a factor of e; None for what is blown or bowed.
        fade: Seconds in which the bright partials leave.
        release: Seconds a note rings on when let go.
        vibrato: Its depth in cents; it sets in after a third of a second.
        chorus: Two players this many cents apart.
        gain: Loudness beside the others.
    """

    bright: tuple[float, ...]
    dark: tuple[float, ...]
    attack: float = 0.004
    decay: float | None = None
    fade: float = 0.3
    release: float = 0.12
    vibrato: float = 0.0
    chorus: float = 0.0
    gain: float = 1.0


def _falling(power: float, count: int = _PARTIALS, even: float = 1.0) -> tuple[float, ...]:
    """Partials that fall off with a power of their number; ``even`` scales every second one."""
    return tuple((1.0 if n % 2 else even) / n**power for n in range(1, count + 1))


_PIANO = Timbre(_falling(1.15), _falling(2.1, 8), 0.003, 1.5, 0.35, 0.14, gain=1.1)
_ELECTRIC = Timbre((1, 0.15, 0.5, 0.05, 0.2, 0.02, 0.12), (1, 0.12, 0.08), 0.004, 1.6, 0.25, 0.15)
_HARPSICHORD = Timbre(_falling(0.7), _falling(1.1, 16), 0.002, 0.8, 0.2, 0.06, gain=0.6)
_BELL = Timbre((1, 0, 0.3, 0.55, 0, 0, 0.2, 0, 0.1, 0, 0.25), (1, 0, 0, 0.2), 0.002, 0.9, 0.12, 0.5)
_WOOD = Timbre((1, 0, 0.1, 0.6, 0, 0, 0, 0, 0, 0.2), (1, 0, 0, 0.1), 0.002, 0.22, 0.05, 0.15, gain=1.2)
_ORGAN = Timbre(
    (1, 0.8, 0.5, 0.6, 0.1, 0.3, 0, 0.25), (1, 0.8, 0.5, 0.6, 0.1, 0.3, 0, 0.25), 0.015, release=0.07, gain=0.45
)
_ACCORDION = Timbre(_falling(0.9, 18), _falling(1.0, 18), 0.03, release=0.08, chorus=7, gain=0.5)
_GUITAR = Timbre(_falling(1.0, 18), _falling(1.9, 8), 0.003, 0.9, 0.2, 0.1)
_LEAD_GUITAR = Timbre(_falling(0.75), _falling(0.9), 0.004, 5.0, 1.0, 0.1, vibrato=6, gain=0.45)
_MUTED = Timbre(_falling(1.2, 12), _falling(2.2, 6), 0.002, 0.14, 0.06, 0.05, gain=1.1)
_BASS = Timbre(_falling(1.2, 12), _falling(1.8, 5), 0.005, 1.3, 0.2, 0.08, gain=1.3)
_STRINGS = Timbre(_falling(1.05), _falling(1.2, 18), 0.07, release=0.16, vibrato=9, fade=0.4, gain=0.62)
_SECTION = Timbre(_falling(1.1, 20), _falling(1.3, 16), 0.11, release=0.28, vibrato=5, chorus=9, gain=0.55)
_VOICES = Timbre((1, 0.75, 0.45, 0.2, 0.1, 0.12, 0.09, 0.04), (1, 0.7, 0.4, 0.15, 0.07, 0.1, 0.06), 0.08,
                 release=0.2, vibrato=10, chorus=7, gain=0.75)  # fmt: skip
_HARP = Timbre(_falling(1.3, 14), _falling(2.2, 6), 0.003, 1.1, 0.2, 0.5, gain=1.1)
_TIMPANI = Timbre((1, 0.6, 0.4, 0.3, 0.2), (1, 0.3, 0.1), 0.003, 0.45, 0.1, 0.4, gain=1.6)
_BRASS = Timbre(_falling(0.85, 20), _falling(1.05, 16), 0.035, release=0.1, fade=0.25, vibrato=4, gain=0.5)
_SOFT_BRASS = Timbre(_falling(1.3, 14), _falling(1.6, 10), 0.05, release=0.12, gain=0.75)
_REED = Timbre(_falling(0.9, 18), _falling(1.0, 16), 0.03, release=0.08, vibrato=6, gain=0.5)
_CLARINET = Timbre(_falling(1.0, 15, even=0.08), _falling(1.15, 13, even=0.08), 0.035, release=0.08, gain=0.7)
_FLUTE = Timbre((1, 0.45, 0.2, 0.06, 0.03), (1, 0.3, 0.1, 0.03), 0.045, release=0.1, vibrato=9, gain=0.85)
_SQUARE = Timbre(_falling(1.0, 23, even=0.0), _falling(1.0, 23, even=0.0), 0.006, release=0.06, gain=0.45)
_SAW = Timbre(_falling(1.0), _falling(1.1), 0.006, release=0.06, chorus=5, gain=0.45)
_PAD = Timbre(_falling(1.3, 16), _falling(1.7, 12), 0.3, release=0.6, chorus=11, gain=0.65)

_FAMILIES = (
    _PIANO, _BELL, _ORGAN, _GUITAR, _BASS, _STRINGS, _SECTION, _BRASS,
    _REED, _FLUTE, _SAW, _PAD, _PAD, _GUITAR, _WOOD, _PAD,
)  # fmt: skip
_EXCEPTIONS = {
    4: _ELECTRIC, 5: _ELECTRIC, 6: _HARPSICHORD, 7: _HARPSICHORD, 12: _WOOD, 13: _WOOD, 15: _HARP, 20: _ACCORDION,
    21: _ACCORDION, 22: _ACCORDION, 23: _ACCORDION, 28: _MUTED, 29: _LEAD_GUITAR, 30: _LEAD_GUITAR, 44: _SECTION,
    45: _MUTED, 46: _HARP, 47: _TIMPANI, 52: _VOICES, 53: _VOICES, 54: _VOICES, 55: _BRASS, 58: _SOFT_BRASS,
    60: _SOFT_BRASS, 71: _CLARINET, 80: _SQUARE, 82: _FLUTE, 83: _FLUTE, 85: _VOICES, 87: _BASS, 91: _VOICES,
    98: _BELL, 109: _REED, 110: _STRINGS, 111: _REED, 116: _TIMPANI, 117: _TIMPANI,
}  # fmt: skip


def timbre_of(program: int) -> Timbre:
    """The timbre that stands for a General MIDI program."""
    return _EXCEPTIONS.get(program, _FAMILIES[program // 8 % 16])


@dataclass(frozen=True, eq=False)
class Bend:
    """How a note is bent while it sounds.

    Attributes:
        times: ``float64[B]``, seconds since its onset, rising, the first 0.
        ratios: ``float64[B]``, from each of these on, by what its frequency is multiplied.
    """

    times: NDArray[np.float64]
    ratios: NDArray[np.float64]

    @cached_property
    def _passed(self) -> NDArray[np.float64]:
        """The periods of a frequency of 1 that have passed at each of ``times``."""
        return np.concatenate([[0.0], np.cumsum(np.diff(self.times) * self.ratios[:-1])])

    def warped(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the time at which the note, were it not bent, would have come as far as it has at ``time``."""
        place = np.searchsorted(self.times, time, side="right") - 1
        warped: NDArray[np.float64] = self._passed[place] + (time - self.times[place]) * self.ratios[place]
        return warped


def tone(
    timbre: Timbre, pitch: int, brightness: float, begin: int, count: int, rate: int, bend: Bend | None = None
) -> Wave:
    """Samples ``begin`` to ``begin + count - 1`` of a held note, before its release.

    Every sample depends on its number alone, so that a long note can be made piece by piece.

    Args:
        timbre: The instrument.
        pitch: The MIDI pitch; A4 (69) is 440 Hz.
        brightness: 0 to 1: how much of the bright partials there is.
        begin: The first sample, counted from the onset.
        count: How many samples.
        rate: Samples a second.
        bend: How it is bent; None: it is not.
    """
    frequency = 440.0 * 2.0 ** ((pitch - 69) / 12)
    time = np.arange(begin, begin + count, dtype=np.float64) / rate
    audible = max(1, min(_PARTIALS, int(0.45 * rate / frequency)))
    dark, bright = _tables(timbre, audible)
    phase = frequency * (time if bend is None else bend.warped(time))
    if timbre.vibrato:
        depth = frequency * (2.0 ** (timbre.vibrato / 1200) - 1) / (2 * np.pi * 5.4)
        phase -= depth * np.clip((time - 0.15) * 3, 0.0, 1.0) * np.cos(2 * np.pi * 5.4 * time)
    shares = [1.0]
    if timbre.chorus:
        shares = [2.0 ** (timbre.chorus / 2400), 2.0 ** (-timbre.chorus / 2400)]
    fade = (brightness * np.exp(time / -timbre.fade)).astype(np.float32)
    if timbre.decay is None:  # what is blown or bowed keeps some of its brilliance
        fade = np.float32(0.5 * brightness) + 0.5 * fade
    out = np.zeros(count, np.float32)
    for share in shares:
        index = (phase * (share * _TABLE)).astype(np.int64) & (_TABLE - 1)
        out += dark[index] + fade * bright[index]
    out *= np.float32(timbre.gain / len(shares))
    envelope = np.minimum(1.0, (time + 0.5 / rate) / timbre.attack)
    if timbre.decay is not None:
        # High strings die away sooner.
        envelope *= np.exp(time / -(timbre.decay * 2.0 ** ((60 - pitch) / 20)))
    out *= envelope.astype(np.float32)
    return out


@lru_cache(maxsize=256)
def _tables(timbre: Timbre, audible: int) -> tuple[Wave, Wave]:
    """One period of the partials that stay, and of what the bright ones add, with at most ``audible`` partials."""
    tables = []
    for partials in (timbre.dark, timbre.bright):
        spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
        strengths = np.array(partials[:audible])
        # Phases spread as the squares of the numbers keep the peaks of the sum low.
        spectrum[1 : len(strengths) + 1] = (
            strengths * np.exp(1j * np.pi * np.arange(len(strengths)) ** 2 / 16) * _TABLE / 2
        )
        wave = np.fft.irfft(spectrum, _TABLE)
        tables.append(wave / np.sqrt(np.mean(wave**2)))
    dark, bright = tables
    return (0.75 * dark).astype(np.float32), (bright - 0.75 * dark).astype(np.float32) * np.float32(0.8)
