"""A Score in the form that tokens can say it."""

from __future__ import annotations

from fractions import Fraction

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
    tpq, bars = score.ticks_per_quarter, bar_map(score)
    of_length: dict[Fraction, tuple[int, int]] = {}
    for meter in sorted(known, key=lambda m: (m[1] != 4, m[1])):
        of_length.setdefault(Fraction(4 * meter[0], meter[1]), meter)
    written: list[TimeSignature] = []
    for i, meter in enumerate(bars.meters):
        length = Fraction(int(bars.starts[i + 1] - bars.starts[i]), tpq)
        if meter not in known or length != Fraction(4 * meter[0], meter[1]):
            meter = of_length.get(length) or (meter if meter in known else (4, 4))
        if not written or (written[-1].numerator, written[-1].denominator) != meter:
            written.append(TimeSignature(int(bars.starts[i]), *meter))
    return written
