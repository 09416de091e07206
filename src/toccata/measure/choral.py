"""Four-part writing: parallel fifths and octaves, voices that cross, full cadences.

A piece counts as four-voice music if on most of its quarters exactly four pitched notes sound. A file may have its
voices in four tracks or all in one. So parallels are counted between the four notes that sound together, from the
highest to the lowest, in whatever tracks they are; only crossings, which cannot be seen in that way, need four tracks
of one note at a time.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.measure.distributions import pitched_beats
from toccata.measure.lines import pitched
from toccata.midi.bars import bar_map
from toccata.midi.features import Sounding
from toccata.midi.keys import estimate

Ints = NDArray[np.int64]

VOICES = 4
FOUR_VOICES = 0.7
"""The share of the quarters with sound on which four notes sound, from which on music is four-voice music."""
SILENT = -1
PERFECT = (0, 7)
"""Octaves (and unisons) and fifths, in semitones without octaves."""
MOST_NOTES = 20_000
"""Of more notes nobody sings."""
PHRASE = 8
"""Cadences are counted in so many bars."""


def part_writing(score: Score) -> dict[str, float]:
    """Return the figures of a piece of four-voice music; of other music, none.

    Returns:
        ``parallel_fifths`` and ``parallel_octaves``, in a hundred steps in which two voices move in one direction;
        ``cadences``, full cadences in eight bars; ``crossings``, the share of onsets at which a voice is above a higher
        one, if the voices are in tracks of their own.
    """
    notes, bars = Sounding.of(score), bar_map(score)
    if len(notes) > MOST_NOTES:
        return {}
    beats = pitched_beats(notes, bars)
    sounding = beats.voices > 0
    if not sounding.any() or (beats.voices[sounding] == VOICES).mean() < FOUR_VOICES:
        return {}
    found = {"cadences": PHRASE * full_cadences(score) / len(bars)}
    together, fifths, octaves = parallels(by_height(score))
    if together:
        found |= {"parallel_fifths": 100 * fifths / together, "parallel_octaves": 100 * octaves / together}
    if (voices := by_track(score)) is not None:
        found["crossings"] = crossings(voices)
    return found


def parallels(chords: Ints) -> tuple[int, int, int]:
    """Count the steps in which two voices move in one direction, and of these the parallel fifths and octaves.

    Args:
        chords: ``int64[onsets, voices]``, what each voice sings at each onset of any of them, the highest voice first,
            ``SILENT`` for nothing.
    """
    together = fifths = octaves = 0
    before, after = chords[:-1], chords[1:]
    for one, other in combinations(range(chords.shape[1]), 2):
        sung = (np.stack([before[:, one], before[:, other], after[:, one], after[:, other]]) != SILENT).all(axis=0)
        along = sung & ((after[:, one] - before[:, one]) * (after[:, other] - before[:, other]) > 0)
        first, second = ((chord[:, one] - chord[:, other]) % 12 for chord in (before, after))
        same = along & (first == second)
        together += int(along.sum())
        octaves += int((same & (first == PERFECT[0])).sum())
        fifths += int((same & (first == PERFECT[1])).sum())
    return together, fifths, octaves


def by_height(score: Score) -> Ints:
    """Return what sounds at each onset of a pitched note, from the highest down, ``int64[onsets, 4]``.

    Where more or fewer than four notes sound, all voices are ``SILENT``.
    """
    notes = pitched(score)
    chords = []
    for tick in np.unique(notes.time):
        here = np.sort(notes.pitch[(notes.time <= tick) & (notes.end > tick)])[::-1]
        chords.append(here if len(here) == VOICES else np.full(VOICES, SILENT))
    return np.array(chords, np.int64).reshape(-1, VOICES)


def by_track(score: Score) -> Ints | None:
    """Return what each of four tracks sings at each onset, ``int64[onsets, 4]``; the highest voice first.

    None: there are not four pitched tracks, or one of them sings two notes at a time for longer than a sixteenth.
    """
    notes = pitched(score)
    tracks = np.unique(notes.track)
    if len(tracks) != VOICES:
        return None
    ticks, columns = np.unique(notes.time), []
    for track in sorted(tracks.tolist(), key=lambda number: -float(notes.pitch[notes.track == number].mean())):
        here = np.flatnonzero(notes.track == track)
        here = here[np.argsort(notes.time[here], kind="stable")]
        time, end, pitch = notes.time[here], notes.end[here], notes.pitch[here]
        if (end[:-1] - time[1:] > score.ticks_per_quarter // 4).any():
            return None
        last = np.searchsorted(time, ticks, side="right") - 1
        columns.append(np.where((last >= 0) & (end[last] > ticks), pitch[last], SILENT))
    return np.stack(columns, axis=1)


def crossings(chords: Ints) -> float:
    """Return the share of onsets at which a voice sings above a higher one, of those at which two sing at least."""
    crossed = np.zeros(len(chords), np.bool_)
    for high, low in combinations(range(chords.shape[1]), 2):
        crossed |= (chords[:, high] != SILENT) & (chords[:, low] > chords[:, high])
    several = (chords != SILENT).sum(axis=1) >= 2
    return float(crossed[several].mean()) if several.any() else 0.0


def full_cadences(score: Score) -> int:
    """Count the steps from the dominant to the tonic of a piece's key, from one quarter to another.

    On a quarter the dominant sounds, its root lowest, with the leading note and nothing that is not of the dominant
    seventh; on the next, the tonic, its root lowest, with its third and nothing that is not of the triad.
    """
    notes, bars = Sounding.of(score), bar_map(score)
    key = estimate(notes.pitch_classes())
    dominant, tonic = (key.tonic + 7) % 12, key.tonic
    third, leading = (key.tonic + (3 if key.minor else 4)) % 12, (key.tonic + 11) % 12
    classes = pitched_beats(notes, bars).classes
    lowest = _lowest(score, np.arange(0, bars.end, score.ticks_per_quarter))
    on_dominant = (lowest == dominant) & classes[:, leading] & ~classes[:, ~key.dominant()].any(axis=1)
    on_tonic = (lowest == tonic) & classes[:, third] & ~classes[:, ~key.triad()].any(axis=1)
    return int((on_dominant[:-1] & on_tonic[1:]).sum())


def _lowest(score: Score, ticks: Ints) -> Ints:
    """Return the pitch class of the lowest pitched note that sounds at each tick, ``SILENT`` where none does."""
    notes = pitched(score)
    sounding = (notes.time <= ticks[:, None]) & (notes.end > ticks[:, None])
    lowest = np.where(sounding, notes.pitch, 128).min(axis=1, initial=128)
    found: Ints = np.where(lowest < 128, lowest % 12, SILENT)
    return found
