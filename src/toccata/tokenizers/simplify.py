"""A Score in the form that tokens can say it."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from symusic import Score, TimeSignature, Track

from toccata.midi.bars import bar_map


def one_track(score: Score) -> Score:
    """All pitched tracks as one piano track, for tokenizers without programs."""
    merged = Track("", 0, False)
    for track in score.tracks:
        if not track.is_drum:
            merged.notes.extend(track.notes)
            merged.pedals.extend(track.pedals)
            merged.controls.extend(track.controls)
            merged.pitch_bends.extend(track.pitch_bends)
    merged.sort()
    score.tracks = [merged]
    return score


def writable_meters(score: Score, known: tuple[tuple[int, int], ...]) -> list[TimeSignature]:
    """The meters of ``score`` as tokens can say them, one a bar where it changes.

    A meter without a token is written as one of the same length; a bar that a change of meter cuts short gets the meter
    of the length it really has. Where no meter has that length, the one in force stays, as MidiTok would have it.
    """
    tpq, bars, same = score.ticks_per_quarter, bar_map(score), frozenset(known)
    starts = bars.starts.tolist()
    written: list[TimeSignature] = []
    before: tuple[int, int] | None = None
    for i, meter in enumerate(bars.meters):
        length = starts[i + 1] - starts[i]
        if meter not in same or length * meter[1] != 4 * meter[0] * tpq:
            meter = _by_length(known).get(Fraction(length, tpq)) or (meter if meter in same else (4, 4))
        if meter != before:
            written.append(TimeSignature(starts[i], *meter))
            before = meter
    return written


@lru_cache(maxsize=16)
def _by_length(known: tuple[tuple[int, int], ...]) -> dict[Fraction, tuple[int, int]]:
    """For each length in quarters a meter that has it, one of quarters if there is any."""
    found: dict[Fraction, tuple[int, int]] = {}
    for meter in sorted(known, key=lambda m: (m[1] != 4, m[1])):
        found.setdefault(Fraction(4 * meter[0], meter[1]), meter)
    return found
