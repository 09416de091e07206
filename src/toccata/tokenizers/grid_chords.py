"""The chord symbol of a step: a function of the pitches that sound in it, and of nothing else.

Fifty symbols: a root and one of four qualities, "other", and "rest". It is TonicNet's kind of symbol (Peracha 2019,
arXiv 1911.11775), defined here on pitch classes, as a MIDI pitch has no spelling.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_QUALITIES = (("major", 4, 7), ("minor", 3, 7), ("diminished", 3, 6), ("augmented", 4, 8))
"""Name, third and fifth, in semitones above the root."""
CHORDS = (*(f"{root}:{name}" for name, _, _ in _QUALITIES for root in _NAMES), "other", "rest")
"""The symbols."""
OTHER, REST = len(CHORDS) - 2, len(CHORDS) - 1


def chord_of(pitches: Iterable[int]) -> int:
    """The number in ``CHORDS`` of the chord of ``pitches``, negative ones being rests.

    A chord has a root with its third and, mostly, its fifth and a seventh (ten or eleven semitones above the root; in a
    diminished chord nine or ten). Only major and minor chords may lack the fifth. Of all pairs of a root that sounds
    and a quality whose third sounds above it, those come first that name the most of the sounding pitch classes, then
    those with their fifth, then the order of the qualities, then a root in the bass, then the lowest root. Where there
    is no such pair, or it names less than all sounding pitch classes but one, the chord is "other".
    """
    sounding = sorted(pitch for pitch in pitches if pitch >= 0)
    if not sounding:
        return REST
    return _chord(frozenset(pitch % 12 for pitch in sounding), sounding[0] % 12)


@lru_cache(maxsize=2**16)
def _chord(classes: frozenset[int], bass: int) -> int:
    best: tuple[int, bool, int, bool, int] | None = None
    for root in sorted(classes):
        above = {(one - root) % 12 for one in classes}
        for number, (_, third, fifth) in enumerate(_QUALITIES):
            if third not in above or (fifth != 7 and fifth not in above):
                continue
            named = len(above & {0, third, fifth, 10, 9 if fifth == 6 else 11})
            found = -named, fifth not in above, number, root != bass, root
            if best is None or found < best:
                best = found
    if best is None or -best[0] < len(classes) - 1:
        return OTHER
    return best[2] * 12 + best[4]
