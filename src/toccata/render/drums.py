"""The drum kit of the built-in synthesis: skins are sines that sink, metal is high noise."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]

# By key: what it is made of, and its numbers. A skin: start and end in Hz, seconds of decay, share of noise. Metal:
# seconds of decay, how often the noise is differentiated (the higher, the thinner), partials in Hz. A block: Hz, decay.
_SKINS = {
    35: (120, 45, 0.22, 0.05), 36: (150, 50, 0.20, 0.06), 38: (230, 180, 0.13, 0.75), 40: (260, 200, 0.11, 0.8),
    41: (110, 75, 0.30, 0.08), 43: (130, 90, 0.28, 0.08), 45: (155, 110, 0.26, 0.08), 47: (185, 130, 0.24, 0.08),
    48: (215, 155, 0.22, 0.08), 50: (250, 185, 0.20, 0.08), 60: (420, 390, 0.09, 0.1), 61: (310, 280, 0.11, 0.1),
    62: (350, 330, 0.05, 0.2), 63: (320, 290, 0.16, 0.1), 64: (230, 205, 0.18, 0.1), 65: (360, 330, 0.14, 0.25),
    66: (270, 245, 0.16, 0.25), 78: (500, 560, 0.10, 0.1), 79: (420, 330, 0.18, 0.1),
}  # fmt: skip
_METAL: dict[int, tuple[float, int, tuple[float, ...]]] = {
    42: (0.035, 2, ()), 44: (0.05, 2, ()), 46: (0.25, 2, ()), 49: (0.75, 1, ()), 57: (0.85, 1, ()), 52: (0.6, 1, ()),
    55: (0.35, 1, ()), 51: (0.40, 2, (3420.0, 5130.0)), 59: (0.45, 2, (3180.0, 4870.0)),
    53: (0.5, 2, (2380.0, 3970.0)), 54: (0.12, 2, (6100.0,)), 69: (0.05, 2, ()), 70: (0.04, 2, ()),
    39: (0.09, 0, ()), 58: (0.4, 1, ()), 73: (0.08, 1, ()), 74: (0.2, 1, ()),
}  # fmt: skip
_BLOCKS = {
    37: (1700.0, 0.03), 56: (620.0, 0.10), 67: (1350.0, 0.14), 68: (920.0, 0.16), 75: (2500.0, 0.035),
    76: (1150.0, 0.05), 77: (820.0, 0.06), 80: (4900.0, 0.08), 81: (4900.0, 0.6), 71: (2300.0, 0.12), 72: (2300.0, 0.3),
}  # fmt: skip
_PANS = {
    42: 0.25, 44: 0.25, 46: 0.25, 49: -0.4, 57: 0.45, 51: 0.4, 59: 0.4, 53: 0.4, 41: 0.4, 43: 0.3, 45: 0.1, 47: -0.1,
    48: -0.25, 50: -0.35, 54: -0.3, 56: 0.3, 70: -0.35, 69: 0.35,
}  # fmt: skip


def drum_pan(key: int) -> float:
    """Where a drum stands, from -1 (left) to 1 (right), seen by the listener."""
    return _PANS.get(key, 0.0)


@lru_cache(maxsize=256)
def drum(key: int, rate: int) -> Wave:
    """A stroke on the drum of a General MIDI key, until it has died away."""
    noise = np.random.default_rng(key)
    if key in _METAL:
        decay, thin, partials = _METAL[key]
        time = _time(decay, rate)
        wave = noise.standard_normal(len(time) + thin)
        for _ in range(thin):
            wave = np.diff(wave) / 1.5
        for partial in partials:
            if partial < 0.45 * rate:
                wave += 0.7 * np.sin(2 * np.pi * partial * time)
        return _finished(wave * np.exp(time / -decay), 0.30 if thin else 0.45, rate)
    if key in _BLOCKS:
        frequency, decay = _BLOCKS[key]
        time = _time(decay, rate)
        wave = np.sin(2 * np.pi * frequency * time) + 0.5 * np.sin(
            2 * np.pi * min(1.47 * frequency, 0.45 * rate) * time
        )
        return _finished(wave * np.exp(time / -decay), 0.45, rate)
    start, end, decay, share = _SKINS.get(key, (300 - key, 200 - key, 0.15, 0.3))
    time = _time(decay, rate)
    # The pitch sinks quickly; its integral is the phase.
    glide = 0.03
    phase = end * time + (start - end) * glide * (1 - np.exp(time / -glide))
    skin = np.sin(2 * np.pi * phase) * np.exp(time / -decay)
    rattle = noise.standard_normal(len(time)) * np.exp(time / -(0.8 * decay if share > 0.5 else 0.02))
    return _finished((1 - 0.6 * share) * skin + 0.5 * share * rattle, 0.9, rate)


def _time(decay: float, rate: int) -> NDArray[np.float64]:
    return np.arange(int(7 * decay * rate), dtype=np.float64) / rate


def _finished(wave: NDArray[np.float64], peak: float, rate: int) -> Wave:
    edge = max(1, rate // 1000)
    wave[:edge] *= np.linspace(0.0, 1.0, edge)
    wave[-edge:] *= np.linspace(1.0, 0.0, edge)
    return (wave * (peak / max(1e-9, float(np.abs(wave).max())))).astype(np.float32)
