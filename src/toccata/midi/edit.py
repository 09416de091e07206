"""Cutting and bending a Score: by bar, by pitch, by tempo. Every function returns a new Score."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

import numpy as np
from symusic import ControlChange, KeySignature, Note, Pedal, PitchBend, Score, Tempo, TimeSignature, Track

from toccata.midi.bars import BarMap, bar_map

_TRACK_EVENTS: dict[str, Any] = {
    "notes": Note,
    "controls": ControlChange,
    "pitch_bends": PitchBend,
    "pedals": Pedal,
}


def slice_ticks(score: Score, start: int, end: int) -> Score:
    """The music whose notes begin in ``[start, end)``, moved to tick 0.

    Tempo, meter and key in force at ``start`` stand at tick 0. Notes keep their length, also past ``end``; notes that
    began before ``start`` are left out. Tracks without notes in the range stay, so that track numbers do not change.
    """
    out = Score(score.ticks_per_quarter)
    out.tempos = [Tempo(t, mspq=e.mspq) for t, e in _in_force(score.tempos, start, end)]
    out.time_signatures = [
        TimeSignature(t, e.numerator, e.denominator) for t, e in _in_force(score.time_signatures, start, end)
    ]
    out.key_signatures = [KeySignature(t, e.key, e.tonality) for t, e in _in_force(score.key_signatures, start, end)]
    for track in score.tracks:
        cut = Track(track.name, track.program, track.is_drum)
        for kind, factory in _TRACK_EVENTS.items():
            events = getattr(track, kind)
            if not len(events):
                continue
            columns = events.numpy()
            keep = (columns["time"] >= start) & (columns["time"] < end)
            if keep.any():
                columns = {name: column[keep] for name, column in columns.items()}
                columns["time"] = columns["time"] - np.int32(start)
                setattr(cut, kind, factory.from_numpy(**columns))
        out.tracks.append(cut)
    return out


def slice_bars(score: Score, first: int, last: int, bars: BarMap | None = None) -> Score:
    """Bars ``first`` to ``last - 1`` of ``score`` (counted from 0), moved to tick 0.

    Raises:
        IndexError: The Score does not have these bars.
    """
    bars = bars or bar_map(score)
    if not 0 <= first < last <= len(bars):
        raise IndexError(f"bars {first + 1} to {last} of a piece of {len(bars)}")
    return slice_ticks(score, int(bars.starts[first]), int(bars.starts[last]))


def excerpt(score: Score, first: int, last: int, bars: BarMap | None = None) -> Score:
    """Bars ``first`` to ``last - 1`` of ``score`` as a piece of so many bars: what sounds past their end is cut there.

    Raises:
        IndexError: The Score does not have these bars.
    """
    bars = bars or bar_map(score)
    out = slice_bars(score, first, last, bars)
    end = int(bars.starts[last] - bars.starts[first])
    for track in out.tracks:
        for kind in ("notes", "pedals"):
            events = getattr(track, kind)
            if len(events):
                columns = events.numpy()
                columns["duration"] = np.minimum(columns["duration"], end - columns["time"])
                setattr(track, kind, _TRACK_EVENTS[kind].from_numpy(**columns))
    return out


def opening(score: Score, bars: int) -> Score:
    """The first ``bars`` bars of ``score``, or all of a shorter one, as `excerpt` cuts them."""
    lines = bar_map(score)
    return score if len(lines) <= bars else excerpt(score, 0, bars, lines)


def transpose(score: Score, semitones: int) -> Score:
    """``score`` with every pitched note ``semitones`` higher; drums stay. Notes that would leave 0..127 are dropped."""
    out = score.copy()
    if not semitones:
        return out
    for track in out.tracks:
        if track.is_drum or not len(track.notes):
            continue
        columns = track.notes.numpy()
        pitch = columns["pitch"].astype(np.int16) + semitones
        keep = (pitch >= 0) & (pitch <= 127)
        columns = {name: column[keep] for name, column in columns.items()}
        columns["pitch"] = pitch[keep].astype(columns["pitch"].dtype)
        track.notes = Note.from_numpy(**columns)
    for signature in out.key_signatures:
        signature.key = _transposed_key(signature.key, semitones)
    return out


def scale_tempo(score: Score, factor: float) -> Score:
    """``score`` played ``factor`` times as fast; the ticks of notes stay."""
    out = score.copy()
    if not len(out.tempos):
        out.tempos = [Tempo(0, qpm=120.0)]
    for tempo in out.tempos:
        tempo.mspq = max(1, round(tempo.mspq / factor))
    return out


def scale_velocity(score: Score, factor: float) -> Score:
    """Return ``score`` with every velocity multiplied by ``factor``, clamped to 1..127."""
    out = score.copy()
    for track in out.tracks:
        if len(track.notes):
            columns = track.notes.numpy()
            velocity = np.clip(np.rint(columns["velocity"] * factor), 1, 127)
            columns["velocity"] = velocity.astype(columns["velocity"].dtype)
            track.notes = Note.from_numpy(**columns)
    return out


def _in_force(events: Iterable[Any], start: int, end: int) -> list[tuple[int, Any]]:
    """The events of ``[start, end)`` moved to 0, the one in force at ``start`` first."""
    ordered = sorted(events, key=lambda e: e.time)
    times = [e.time for e in ordered]
    first = max(0, bisect_right(times, start) - 1)
    return [
        (max(0, time - start), event) for time, event in zip(times[first:], ordered[first:], strict=True) if time < end
    ]


def _transposed_key(fifths: int, semitones: int) -> int:
    """The key signature (sharps positive) that lies ``semitones`` higher, with at most six accidentals."""
    return (fifths + 7 * semitones + 6) % 12 - 6
