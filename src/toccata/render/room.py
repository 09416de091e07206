"""The last two steps of the built-in sound: a room around the players, and an even loudness."""

from __future__ import annotations

import numpy as np

from toccata.render.synth import Stereo

_BLOCK = 1 << 16
_ECHO = _BLOCK // 2
_PEAK = 10 ** (-1 / 20)  # -1 dBFS: codecs overshoot a little
_KNEE = 0.7
_LOOKED_AT = 500_000  # samples by which the usual loudness of a piece is found


class Room:
    """A short reverberation, for a piece that comes block by block.

    It is made of every second sample: walls send back little of what is above ten kilohertz.
    """

    def __init__(self, rate: int) -> None:
        length = min(int(0.65 * rate), _ECHO)
        time = np.arange(length) / (rate / 2)
        noise = np.random.default_rng(0).standard_normal((2, length))
        # Walls soften sound: a running mean over a few samples takes the noise's edge.
        noise = noise + np.roll(noise, 1, axis=1)
        impulse = noise * np.exp(time / -0.28) * np.clip(time / 0.012, 0.0, 1.0)
        impulse *= 0.30 / np.sqrt((impulse**2).sum(axis=1, keepdims=True))
        self._response = np.fft.rfft(impulse, 2 * _ECHO).astype(np.complex64)
        self._tail = np.zeros((2, _ECHO), np.float32)  # what rings on from the blocks before
        self._latest = np.zeros((2, 1), np.float32)

    def add(self, out: Stereo) -> None:
        """Add to ``out`` (float32[2, samples]) the echo of it and of all before; whole blocks, but for the last."""
        for at in range(0, out.shape[1], _BLOCK):
            block = out[:, at : at + _BLOCK]
            wet = self._echo(block)
            between = (np.concatenate([self._latest, wet[:, :-1]], axis=1) + wet) / 2
            block[:, ::2] += between[:, : -(-block.shape[1] // 2)]
            block[:, 1::2] += wet[:, : block.shape[1] // 2]
            self._latest = wet[:, -1:]

    def _echo(self, block: Stereo) -> Stereo:
        """What comes back during a block, every second sample of it."""
        dry = np.zeros(_BLOCK, np.float32)
        dry[: block.shape[1]] = block[0] + block[1]
        dry = (dry[::2] + dry[1::2]) * np.float32(0.25)
        if not dry.any():
            wet, self._tail = self._tail, np.zeros_like(self._tail)
            return wet
        wet = np.fft.irfft(np.fft.rfft(dry, 2 * _ECHO) * self._response, 2 * _ECHO).astype(np.float32)
        now: Stereo = wet[:, :_ECHO] + self._tail
        self._tail = wet[:, _ECHO:]
        return now


class Loudness:
    """Brings a piece to a common loudness: most peaks below the knee of a soft limiter, the top at -1 dBFS.

    First all of its blocks are looked at, then each is levelled.
    """

    def __init__(self, samples: int) -> None:
        """For a piece of so many samples."""
        self._step = max(1, samples // _LOOKED_AT)
        self._some: list[Stereo] = []
        self._largest = 0.0
        self._seen = 0

    def look(self, block: Stereo) -> None:
        """Take note of the next block (float32[2, samples])."""
        if block.size:
            self._some.append(np.abs(block[:, -self._seen % self._step :: self._step]))
            self._largest = max(self._largest, float(block.max()), -float(block.min()))
            self._seen += block.shape[1]

    def ready(self) -> None:
        """All blocks were looked at: find by how much each is to be louder."""
        usual = float(np.quantile(np.concatenate(self._some, axis=1), 0.9995)) if self._some else 0.0
        self._some = []
        self._gain = _KNEE / usual if usual > 1e-9 else 0.0
        top = np.array([[self._largest * self._gain]], np.float32)
        _limit(top)
        self._top = _PEAK / float(top[0, 0]) if top[0, 0] else 0.0

    def level(self, block: Stereo) -> None:
        """Level a block in place."""
        for at in range(0, block.shape[1], _BLOCK):  # so little at a time stays in the processor's cache
            part = block[:, at : at + _BLOCK]
            part *= np.float32(self._gain)
            _limit(part)
            part *= np.float32(self._top)


def _limit(sound: Stereo) -> None:
    """Let what is above the knee come ever closer to 1, and no further, in place."""
    size = np.abs(sound)
    over = size > _KNEE
    if over.any():
        sound[over] = np.sign(sound[over]) * (_KNEE + (1 - _KNEE) * np.tanh((size[over] - _KNEE) / (1 - _KNEE)))
