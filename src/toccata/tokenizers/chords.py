"""Chords that begin together: found in the notes of one track, and named as tokens name them."""

from __future__ import annotations

import bisect
from collections.abc import Mapping

from toccata.tokenizers.quantise import Columns, Ints
from toccata.tokenizers.settings import Settings
from toccata.tokenizers.words import PITCH_CLASSES, UNKNOWN_CHORD

_LOOKED_AT = 10
"""Notes that are looked at for one chord."""
_SIZES = range(3, 6)
_WIDEST = 24
"""Semitones from the lowest note of a chord to its highest."""


def chords_in(
    notes: Columns, starts: Ints, beats: Ints, settings: Settings, words: Mapping[str, int]
) -> tuple[list[int], list[int]]:
    """The chords of one track: their ticks, and their tokens.

    Notes make a chord if they begin within a step of each other and end within half a beat. Chords that the vocabulary
    has no word for are left out.

    Args:
        notes: In the order of time, then pitch.
        starts: Where the length of a beat changes.
        beats: Ticks a beat from there on.
        settings: Of the tokenizer.
        words: The vocabulary.
    """
    pitches, onsets = notes["pitch"].tolist(), notes["time"].tolist()
    ends = (notes["time"] + notes["duration"]).tolist()
    steps = next((res for (low, high), res in settings.beat_res if 0 in (low, high)), settings.beat_res[0][1])
    bounds, ticks = starts.tolist(), beats.tolist()
    names = {pitches: quality for quality, pitches in reversed(list(settings.chord_maps.items()))}
    times: list[int] = []
    tokens: list[int] = []
    here, before, count = 0, -1, len(onsets)
    while here < count:
        onset, end = onsets[here], ends[here]
        if onset == before:
            here += 1
            continue
        beat = ticks[0] if len(ticks) == 1 else ticks[bisect.bisect_right(bounds, onset) - 1]
        half, latest = beat // 2, onset + beat / steps
        stop = here + 1
        while stop < count and stop < here + _LOOKED_AT and onsets[stop] <= latest:
            stop += 1
        if any(abs(other - end) > half for other in ends[here + 1 : stop]):
            here = stop  # of too different lengths to be one chord
            continue
        if end - onset <= half:
            while onsets[stop - 1] != onset:
                stop -= 1
        if stop - here in _SIZES and pitches[stop - 1] - pitches[here] <= _WIDEST:
            token = words.get(_name(pitches[here:stop], names, settings), -1)
            if token >= 0:
                times.append(onset)
                tokens.append(token)
        before = onsets[stop - 1]
        here = stop
    return times, tokens


def _name(pitches: list[int], names: Mapping[tuple[int, ...], str], settings: Settings) -> str:
    """The word of a chord; nothing where only known chords are written and this is none."""
    root = pitches[0]
    quality = names.get(tuple(pitch - root for pitch in pitches))
    if quality is None:
        if settings.chord_unknown is None:
            return ""
        quality = f"{UNKNOWN_CHORD}{len(pitches)}"
    return f"Chord_{PITCH_CLASSES[root % 12]}:{quality}" if settings.chord_tokens_with_root_note else f"Chord_{quality}"
