"""Keys: how they are written, what lies in them, and which one a piece is in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.errors import RequestError, shown
from toccata.midi.features import Sounding

Mask = NDArray[np.bool_]

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""The pitch classes of the white keys."""
_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10, 11)
_MAJOR_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")


class Key(NamedTuple):
    """A major or minor key.

    Attributes:
        tonic: Its pitch class, 0 for C to 11 for B.
        minor: Whether it is minor.
    """

    tonic: int
    minor: bool

    @classmethod
    def read(cls, text: str) -> Key:
        """The key that is called so: a note name and a mode.

        Args:
            text: E.g. ``"C"``, ``"F# minor"``, ``"Bbm"``, ``"e minor"``.

        Raises:
            RequestError: No key is called so.
        """
        stripped = text.strip()
        letter, rest = stripped[:1].upper(), stripped[1:]
        shift = 0
        while rest[:1] in ("#", "b", "♯", "♭") and rest[:1]:
            shift += 1 if rest[0] in "#♯" else -1
            rest = rest[1:]
        mode = rest.strip()
        minor = mode in ("m", "min", "minor") or mode.lower() in ("minor", "min")
        if letter not in STEPS or not (minor or mode.lower() in ("", "major", "maj") or mode == "M"):
            raise RequestError(f'there is no key {shown(text)}: write a note and a mode, e.g. "D minor" or "Bb major"')
        return cls((STEPS[letter] + shift) % 12, minor)

    def __str__(self) -> str:
        return f"{_MINOR_NAMES[self.tonic]} minor" if self.minor else f"{_MAJOR_NAMES[self.tonic]} major"

    @property
    def fifths(self) -> int:
        """The sharps of its signature, or minus the flats: -5 to 6."""
        major = self.tonic + 3 if self.minor else self.tonic
        return (major * 7 + 5) % 12 - 5

    def scale(self) -> Mask:
        """``bool[12]``: the pitch classes of its scale; a minor key has both its sevenths."""
        return self._above(_MINOR if self.minor else _MAJOR)

    def triad(self) -> Mask:
        """``bool[12]``: the pitch classes of the chord on its tonic."""
        return self._above((0, 3, 7) if self.minor else (0, 4, 7))

    def dominant(self) -> Mask:
        """``bool[12]``: the pitch classes of its dominant seventh chord."""
        return self._above((7, 11, 2, 5))

    def _above(self, steps: Iterable[int]) -> Mask:
        return pitch_classes(self.tonic + step for step in steps)


def pitch_classes(pitches: Iterable[int]) -> Mask:
    """``bool[12]``: the pitch classes of ``pitches``."""
    found = np.zeros(12, np.bool_)
    found[[pitch % 12 for pitch in pitches]] = True
    return found


def every_octave(classes: Mask) -> Mask:
    """``bool[128]``: the pitches of so many pitch classes, ``bool[12]``."""
    return np.resize(classes, 128)


# How much of a piece each degree of its key takes, from 490 pieces: Albrecht and Shanahan, "The use of large corpora to
# train a new type of key-finding algorithm", Music Perception 31 (2013). They know the keys of engraved music
# better than those of Krumhansl and Kessler (1982), which say how well listeners found each note to fit.
_PROFILES = (
    (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
    (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
)


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred: NDArray[np.float64] = values - values.mean(axis=-1, keepdims=True)
    return centred


def _keys() -> NDArray[np.float64]:
    """The profile of every key, of mean 0 and length 1, ``float64[24, 12]``, major keys first."""
    table = _centred(np.array([np.roll(profile, tonic) for profile in _PROFILES for tonic in range(12)]))
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    return table


_KEYS = _keys()


def estimate(weights: NDArray[np.float64]) -> Key:
    """The key whose profile correlates best with how much each pitch class sounds.

    A piece that spends its time in several keys has the one that explains the whole best, and what lies in a key as
    much as in its relative one may be taken for either.

    Args:
        weights: ``float64[12]``, e.g. from :func:`weights`; C major if all are zero.
    """
    minor, tonic = divmod(int((_KEYS @ _centred(np.asarray(weights, np.float64))).argmax()), 12)
    return Key(tonic, bool(minor))


def estimate_closing(weights: NDArray[np.float64], last: int) -> Key:
    """The key of a melody: as by :func:`estimate`, but one in whose tonic chord the melody ends is likelier.

    Args:
        weights: ``float64[12]``, how long each pitch class sounds.
        last: The pitch that sounds last.
    """
    centred = _centred(np.asarray(weights, np.float64))
    scores = _KEYS @ centred / max(float(np.linalg.norm(centred)), 1e-9)
    for number in range(24):
        minor, tonic = divmod(number, 12)
        step = (last - tonic) % 12
        scores[number] += _CLOSES_ON.get(step if step != 3 + (not minor) else -1, 0.0)
    minor, tonic = divmod(int(scores.argmax()), 12)
    return Key(tonic, bool(minor))


_CLOSES_ON = {0: 0.3, -1: 0.12, 7: 0.08}
"""How much likelier a key is, as a correlation, if a melody ends on its tonic, its third (-1) or its fifth."""


def weights(score: Score) -> NDArray[np.float64]:
    """``float64[12]``: for how long each pitch class sounds in ``score``, in quarters; drums have none."""
    return Sounding.of(score).pitch_classes()
