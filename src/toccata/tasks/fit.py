"""How new notes fit the music around them: consonance with a song, the bass below, a locked melody on top.

Times are ticks of the tokenizer's grid, from the beginning of the hole or of the piece.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.midi.bars import BarMap
from toccata.midi.ranges import BASSES, playable
from toccata.tasks.fill import Hole, NoteRef
from toccata.tokenizers.rulebook import Mask
from toccata.tokenizers.state import State
from toccata.tokenizers.vocabulary import DRUMS

_NONE, _ALL = -1, 128
_PITCHES = np.arange(128)
_LOWER = 5
"""Semitones by which the range of an ensemble's bass lies below that of the next instrument, middle from middle."""
_CHORD = 3
"""So many pitch classes that sound in a beat are a chord."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What sounds in the bars of a hole while it is written: the notes of the song that stay.

    Attributes:
        sounds: ``bool[T, 128]``, the pitches of pitched programs at each tick.
        lowest: ``int64[T]``, the lowest pitch but for basses; 128: none sounds.
        bass: ``int64[T]``, the highest pitch of the basses; -1: none sounds.
    """

    sounds: Mask
    lowest: NDArray[np.int64]
    bass: NDArray[np.int64]

    @classmethod
    def of(
        cls, score: Score, bars: BarMap, hole: Hole, ticks_per_quarter: int, basses: frozenset[int] = BASSES
    ) -> Surroundings:
        """Return what sounds of ``score``, which is the song without the notes of ``hole``."""
        spans = _spans(score, bars, hole, ticks_per_quarter)
        count = max(1, _ticks(bars, hole, score.ticks_per_quarter, ticks_per_quarter))
        sounds = np.zeros((count, 128), np.bool_)
        lowest, bass = np.full(count, _ALL), np.full(count, _NONE)
        for track, program, start, end, pitch in spans:
            if score.tracks[track].is_drum:
                continue
            sounds[start:end, pitch] = True
            if program in basses:
                bass[start:end] = np.maximum(bass[start:end], pitch)
            else:
                lowest[start:end] = np.minimum(lowest[start:end], pitch)
        return cls(sounds, lowest, bass)

    @property
    def silent(self) -> bool:
        """Whether nothing sounds at all."""
        return not self.sounds.any()


@dataclass(frozen=True, eq=False)
class Consonant:
    """Prefers pitches that fit the song: no semitone and no major seventh against what sounds, chord tones on beats.

    A Preference. Where the length of a note is known before its pitch (running status), the whole note fits; else its
    first beat.

    Attributes:
        around: The song.
    """

    around: Surroundings

    def preferred(self, state: State, program: int) -> Sequence[Mask]:
        """Return the chord tones that fit if a beat begins, what fits all along, and what fits now."""
        tick, sounds = state.tick, self.around.sounds
        if program == DRUMS or tick >= len(sounds):
            return ()
        sounding = _classes(sounds[tick : tick + _length(state)])
        if not sounding.any():
            return ()
        calm = ~_near(sounding)
        found = [calm]
        if (tick - state.bar_tick) % state.ticks_per_beat == 0:
            chord = _classes(sounds[tick : tick + state.ticks_per_beat])
            if chord.sum() >= _CHORD:
                found = [chord & calm, calm]
        now = _classes(sounds[tick : tick + 1])
        return [np.tile(classes, 11)[:128] for classes in (*found, ~_near(now))]


@dataclass(frozen=True, eq=False)
class BassBelow:
    """Prefers pitches of basses below, and of all others above: nobody plays under the bass. A Preference.

    Attributes:
        around: The song; None: there is nothing but what is written.
        basses: The programs whose place is below.
    """

    around: Surroundings | None = None
    basses: frozenset[int] = BASSES

    def preferred(self, state: State, program: int) -> Sequence[Mask]:
        """Return the pitches below all others, or above the bass."""
        if program == DRUMS:
            return ()
        tick, is_bass = state.tick, program in self.basses
        limit = _ALL if is_bass else _NONE
        if self.around is not None and tick < len(self.around.lowest):
            window = slice(tick, tick + _length(state))
            limit = int(self.around.lowest[window].min() if is_bass else self.around.bass[window].max())
        others = state.ends if is_bass else self.basses.intersection(state.ends)
        for other in others:
            if other != DRUMS and (other in self.basses) != is_bass:
                ends = state.ends[other]
                sounding = np.flatnonzero(ends > tick)
                if len(sounding):
                    limit = min(limit, int(sounding[0])) if is_bass else max(limit, int(sounding[-1]))
        if limit in (_ALL, _NONE):
            return ()
        return [limit > _PITCHES if is_bass else limit < _PITCHES]


@dataclass(frozen=True, eq=False)
class TopLine:
    """A melody that stays, and stays on top: nothing begins above it while it sounds. A PitchRule and a Preference.

    Attributes:
        ceiling: ``int64[T]``, its pitch at each tick; 128: it rests.
    """

    ceiling: NDArray[np.int64]

    @classmethod
    def of(
        cls, score: Score, bars: BarMap, hole: Hole, ticks_per_quarter: int, melody: Collection[NoteRef]
    ) -> TopLine | None:
        """Return the melody in the bars of a hole; None: it rests there."""
        known = frozenset(melody)
        ceiling = np.full(max(1, _ticks(bars, hole, score.ticks_per_quarter, ticks_per_quarter)), _ALL)
        for _, _, start, end, pitch in _spans(score, bars, hole, ticks_per_quarter, known):
            ceiling[start:end] = np.minimum(ceiling[start:end], pitch)
        return cls(ceiling) if (ceiling < _ALL).any() else None

    def pitches(self, state: State, ticks: NDArray[np.int64]) -> Mask:
        """Return the pitches that may begin at each of ``ticks``, ``bool[n, 128]``."""
        limit = np.where(ticks < len(self.ceiling), self.ceiling[np.minimum(ticks, len(self.ceiling) - 1)], _ALL)
        allowed: Mask = _PITCHES[None] < limit[:, None]
        return allowed

    def preferred(self, state: State, program: int) -> Sequence[Mask]:
        """Return the pitches that stay below it until the note ends."""
        if program == DRUMS or state.tick >= len(self.ceiling):
            return ()
        limit = int(self.ceiling[state.tick : state.tick + _length(state)].min())
        return [limit > _PITCHES] if limit < _ALL else ()

    @property
    def sounds(self) -> Mask:
        """Return at which ticks it sounds, ``bool[T]``."""
        found: Mask = self.ceiling < _ALL
        return found


def basses_of(programs: Collection[int]) -> frozenset[int]:
    """Return the programs whose place is below all others: basses, and the lowest instrument of an ensemble.

    Args:
        programs: The pitched programs of the ensemble.
    """
    middles = sorted((sum(playable(program)) / 2, program) for program in programs if program >= 0)
    if len(middles) < 2 or middles[1][0] - middles[0][0] < _LOWER:
        return BASSES
    return BASSES | {middles[0][1]}


def _spans(
    score: Score, bars: BarMap, hole: Hole, ticks_per_quarter: int, only: frozenset[NoteRef] | None = None
) -> list[tuple[int, int, int, int, int]]:
    """Return track, program, first tick, tick after the last, and pitch of the notes that sound in a hole."""
    start, end = int(bars.starts[hole.first]), int(bars.starts[hole.last])
    scale = ticks_per_quarter / score.ticks_per_quarter
    found = []
    for number, track in enumerate(score.tracks):
        columns = track.notes.numpy()
        ends = columns["time"] + columns["duration"]
        sounding = (columns["time"] < end) & (ends > start)
        notes = (column[sounding].tolist() for column in (columns["time"], ends, columns["pitch"]))
        for begun, ended, pitch in zip(*notes, strict=True):
            if only is None or (number, begun, pitch) in only:
                first = round((max(begun, start) - start) * scale)
                last = max(first + 1, round((min(ended, end) - start) * scale))
                found.append((number, int(track.program), first, last, pitch))
    return found


def _ticks(bars: BarMap, hole: Hole, song_ticks: int, ticks_per_quarter: int) -> int:
    return round(int(bars.starts[hole.last] - bars.starts[hole.first]) * ticks_per_quarter / song_ticks)


def _length(state: State) -> int:
    """Return for how long the note that begins now will sound, or a beat where that is not known yet."""
    duration = state.status.duration if state.scheme.running_status else -1
    return state.ticks_per_beat if duration < 0 else max(1, state.scheme.lengths[duration, state.ticks_per_beat])


def _classes(sounds: Mask) -> Mask:
    """Return the pitch classes that sound at any of some ticks, ``bool[12]``."""
    pitches = np.flatnonzero(sounds.any(axis=0))
    found = np.zeros(12, np.bool_)
    found[pitches % 12] = True
    return found


def _near(classes: Mask) -> Mask:
    """Return the pitch classes a semitone from some, ``bool[12]``."""
    return np.roll(classes, 1) | np.roll(classes, -1)
