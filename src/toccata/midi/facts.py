"""Statistics of a Score, and its fingerprint, by which it is recognised in another key, tempo or instrumentation."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score, Track

from toccata.midi.bars import bar_map
from toccata.midi.likeness import exact, sketch

GRAM = 24
"""Notes in a passage: about six chords of four voices."""

SAMPLED = 8
"""One passage in this many is used, chosen by its hash, so that copies use the same ones."""

REPEATS = (1, 2, 3, 4)
"""A passage that mostly repeats what was this many notes before (a scale, a figure, one note) says nothing."""

_FEW_NOTES = 16  # with fewer pitched notes than this, the drums are the piece
_LIVELY = 6  # notes of a passage that have to be new in the sense of REPEATS
_DRUM_GRID = 24  # to what part of a quarter the steps between drums are rounded: triplets and 32nds
_MULTIPLIER = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Facts:
    """Statistics of a Score.

    Attributes:
        notes: Number of notes.
        tracks: Number of tracks with notes.
        seconds: Until the last note has ended.
        quarters: The same in quarter notes.
        bars: The same in bars.
        programs: General MIDI programs of the tracks with notes, sorted, each once; -1 for drums.
        meters: Meters in force while there are notes, in order of first appearance, e.g. ``("4/4", "3/4")``.
        tempo: Lowest and highest tempo in force, in quarters a minute.
        pitches: Lowest and highest pitch of the pitched notes; None if all are drums.
        quantised: Share of onsets that lie on a 32nd or on a triplet 16th (a 1/8 or 1/12 of a quarter), to half a tick.
            About 1 for engraved music and sequences, a few hundredths for played music of fine resolution.
        polyphony: Notes sounding at once, on average over the time in which any does.
    """

    notes: int
    tracks: int
    seconds: float
    quarters: float
    bars: int
    programs: tuple[int, ...]
    meters: tuple[str, ...]
    tempo: tuple[float, float]
    pitches: tuple[int, int] | None
    quantised: float
    polyphony: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """The fingerprint of a piece: hashes by which it is recognised.

    Attributes:
        content: 16 hexadecimal digits, the same for every copy of the piece: whatever its file name, key, tempo, ticks
            per quarter, note lengths, velocities, instruments, and tracks and their order. Rhythm and drums count.
        passages: ``uint64[n]``, sorted, each once: hashes of one in ``SAMPLED`` of the passages of ``GRAM`` notes of
            the whole, of each track, and of their top lines. Parts, arrangements, and editions that differ here and
            there, have many of theirs in common with the whole.
        steps: As ``content``, but of the succession of pitches alone: pieces of one melody or bass line have the same,
            whatever their rhythm and drums. It says what belongs together, not what is the same.
        sketch: A sample of constellations of notes (see ``midi.likeness``): copies whose notes were moved a little, or
            of which some are missing, have many of them.
    """

    content: str
    passages: NDArray[np.uint64]
    steps: str = ""
    sketch: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))


def facts(score: Score) -> Facts:
    """Count what is in ``score``."""
    time, length, pitch, drum = _notes(score)
    tpq = score.ticks_per_quarter
    end = int((time + length).max(initial=0))
    bars = bar_map(score)
    with_notes = [track for track in score.tracks if len(track.notes)]
    pitched = pitch[~drum]
    tempos = _tempos(score, end)[1]
    return Facts(
        notes=len(time),
        tracks=len(with_notes),
        seconds=round(float(seconds_at(score, np.array([end]))[0]), 3),
        quarters=round(end / tpq, 3),
        bars=len(bars),
        programs=tuple(sorted({-1 if track.is_drum else int(track.program) for track in with_notes})),
        meters=tuple(dict.fromkeys(f"{top}/{bottom}" for top, bottom in dict.fromkeys(bars.meters))),
        tempo=(round(60e6 / float(tempos.max()), 2), round(60e6 / float(tempos.min()), 2)),
        pitches=(int(pitched.min()), int(pitched.max())) if len(pitched) else None,
        quantised=round(_quantised(time, tpq), 4),
        polyphony=round(_polyphony(time, length), 3),
    )


def seconds_at(score: Score, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the times of ``ticks`` of ``score`` in seconds; the tempo before the first tempo event is 120."""
    starts, mspq = _tempos(score, None)
    rate = mspq / (1e6 * score.ticks_per_quarter)  # seconds a tick
    passed = np.concatenate([[0.0], np.cumsum(np.diff(starts) * rate[:-1])])
    at = np.searchsorted(starts, ticks, side="right") - 1
    seconds: NDArray[np.float64] = passed[at] + (ticks - starts[at]) * rate[at]
    return seconds


def fingerprint(score: Score) -> Fingerprint:
    """Return the fingerprint of ``score``; see `Fingerprint`.

    For steps and passages pitched notes are put in order of onset, then of pitch, doublings left out; what is hashed is
    each note's interval from the note before it and whether it begins a new onset. Lengths, and how long onsets lie
    apart, do not count, so that neither tempo nor resolution does. Drums count only in pieces with almost nothing else:
    there it is the drum and the time since the note before, in 24ths of a quarter. Copies of music played off the grid
    whose resolution was made coarser have another content, as their onsets were rounded together, but still share
    passages.
    """
    time, _, pitch, drum = _notes(score)
    pitched = ~drum
    others: list[NDArray[np.int64]] = []
    if pitched.sum() >= _FEW_NOTES or not drum.any():
        order = np.unique(time[pitched] << 7 | pitch[pitched])
        tokens = _steps(order)
        kind = b"pitched"
        parts = [_order(track) for track in score.tracks if len(track.notes) and not track.is_drum]
        others = [_steps(part) for part in parts if len(parts) > 1]
        others += [_steps(_top(line)) for line in (order, *parts)]
    else:
        order = np.unique(time[drum] << 7 | pitch[drum])
        # Steps are rounded, not places: a part that begins anywhere has the same ones.
        ticks = np.diff(order >> 7, prepend=order[:1] >> 7)
        steps = np.rint(ticks * _DRUM_GRID / score.ticks_per_quarter).astype(np.int64)
        tokens = steps << 7 | order & 127
        kind = b"drums"
    return Fingerprint(
        content=exact(time, pitch, drum, score.ticks_per_quarter),
        passages=np.unique(np.concatenate([_passages(line) for line in (tokens, *others)])),
        steps=hashlib.blake2b(kind + tokens.astype("<i4").tobytes(), digest_size=8).hexdigest(),
        sketch=sketch(time[pitched], pitch[pitched], score.ticks_per_quarter),
    )


def content_of(score: Score) -> str:
    """The content of ``score`` alone; see `Fingerprint`."""
    time, _, pitch, drum = _notes(score)
    return exact(time, pitch, drum, score.ticks_per_quarter)


def _order(track: Track) -> NDArray[np.int64]:
    """Onset and pitch of a track's notes as one number each, in order, doublings left out."""
    columns = track.notes.numpy()
    return np.unique(columns["time"].astype(np.int64) << 7 | columns["pitch"].astype(np.int64))


def _steps(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each note's interval from the note before it, and whether it begins a new onset."""
    tokens: NDArray[np.int64] = np.diff(order & 127) + 128 << 1 | (np.diff(order >> 7) > 0)
    return tokens


def _top(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """The highest note of every onset."""
    onsets = order >> 7
    return order[np.append(onsets[1:] != onsets[:-1], True)] if len(order) else order


def shared(one: Fingerprint, other: Fingerprint) -> float:
    """The share of passages of the piece that has fewer that the other has too, from 0 to 1.

    Pieces too short to have passages share all or nothing, by their steps.
    """
    fewer = min(len(one.passages), len(other.passages))
    if one.steps == other.steps or not fewer:
        return float(one.steps == other.steps)
    return len(np.intersect1d(one.passages, other.passages, assume_unique=True)) / fewer


def novel(tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which tokens of a passage are informative: those that do not repeat one of the few before them."""
    repeats = np.zeros(len(tokens), bool)
    for lag in REPEATS:
        repeats[lag:] |= tokens[lag:] == tokens[:-lag]
    return ~repeats


def _passages(tokens: NDArray[np.int64]) -> NDArray[np.uint64]:
    windows = len(tokens) - GRAM + 1
    if windows < 1:
        return np.empty(0, np.uint64)
    values = tokens.astype(np.uint64)
    # A polynomial of the window's tokens, modulo 2**64 by overflow; then its bits are mixed (splitmix64's last step).
    hashes = np.zeros(windows, np.uint64)
    factor = np.uint64(_MULTIPLIER)
    for place in range(GRAM):
        hashes *= factor
        hashes += values[place : place + windows]
    for shift, multiplier in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        hashes ^= hashes >> np.uint64(shift)
        hashes *= np.uint64(multiplier)
    new = np.concatenate([[0], np.cumsum(novel(tokens))])
    lively = new[GRAM:] - new[:-GRAM] >= _LIVELY
    return np.unique(hashes[lively & (hashes % np.uint64(SAMPLED) == 0)])


def _notes(score: Score) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Onset and length in ticks, pitch, and whether it is a drum, of all notes."""
    columns = [(track.notes.numpy(), track.is_drum) for track in score.tracks if len(track.notes)]
    if not columns:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool)
    time, length, pitch = (
        np.concatenate([column[name] for column, _ in columns]).astype(np.int64)
        for name in ("time", "duration", "pitch")
    )
    return time, length, pitch, np.concatenate([np.full(len(c["time"]), is_drum) for c, is_drum in columns])


def _tempos(score: Score, end: int | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ticks from which tempos hold, the first being 0, and microseconds a quarter; those up to ``end`` only."""
    if not len(score.tempos):
        return np.zeros(1, np.int64), np.array([500_000])
    columns = score.tempos.numpy()
    order = np.argsort(columns["time"], kind="stable")
    time, mspq = columns["time"][order].astype(np.int64), columns["mspq"][order].astype(np.int64)
    if time[0] > 0:
        time, mspq = np.insert(time, 0, 0), np.insert(mspq, 0, 500_000)
    if end is not None:
        held = time < max(end, 1)
        time, mspq = time[held], mspq[held]
    return time, mspq


def _quantised(time: NDArray[np.int64], tpq: int) -> float:
    if not len(time):
        return 1.0
    on = np.zeros(len(time), bool)
    for grid in (8, 12):
        # Twice the distance to the nearest line, in ticks times grid, without fractions.
        off = (time * grid) % tpq
        on |= 2 * np.minimum(off, tpq - off) <= grid
    return float(on.mean())


def _polyphony(time: NDArray[np.int64], length: NDArray[np.int64]) -> float:
    if not len(time):
        return 0.0
    order = np.argsort(time, kind="stable")
    start, end = time[order], (time + length)[order]
    reach = np.maximum.accumulate(end)
    # What each note adds to the time in which something sounds: its end past the farthest end so far.
    before = np.concatenate([[start[0]], reach[:-1]])
    sounding = int(np.maximum(reach - np.maximum(before, start), 0).sum())
    return float(length.sum() / sounding) if sounding else float(len(time))
