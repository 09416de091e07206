"""Features that a decoder reads beside each token, computed from the tokens before it.

A token of an event tokenizer says little by itself. Where in the bar it stands, who plays, how long and how loud, what
sounds and since when: all of that was written before it, and a small decoder spends much of what it can learn on
finding it again. It follows from the ids alone, so it can be computed and handed to the decoder, which adds up an
embedding for each feature. What may be written does not change, nor what a token says.

Each feature is a number of a few values; 0 stands for "none". They index one table of embeddings, a block of rows for
each feature; ``sounding`` has several columns that share a block, one for each pitch that sounds.

Two ways to the same numbers: :meth:`Features.of` here for whole sequences, as arrays, and ``feature_reader.Reader``
token by token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.matches import PitchIds, guesses
from toccata.tokenizers.scheme import Clock, Scheme
from toccata.tokenizers.vocabulary import DRUMS, Kind

Ints = NDArray[np.int32]
VOICES = 12
"""Pitches that ``sounding`` counts at most: the highest."""
LONGEST = 96
"""Times are counted in twelfths of a quarter note, and from this on are just long."""
MOST = 15
"""Notes, from which on there are just many."""
STEP = 24
"""Semitones, from which on a step is just wide."""
CYCLE = 8
"""Bars are counted so far, then from the beginning: phrases are mostly 4 or 8 bars long."""
_FAR = np.int32(2**24)  # ticks that no bar has, and 32 bits can hold twelve times
_PITCHES = 2 * 128 + 1  # none, pitches, drum keys


class Features:
    """The features of an event tokenizer that writes bars, positions and durations.

    Attributes:
        blocks: Name and number of rows of each feature's block of the table.
        intervals: Names of those that are pitches from which the next one may be reached by a step.
        pitches: The ids that are pitches: the first, the pitch that it is, and how many there are.
    """

    intervals: tuple[str, ...] = (
        "own pitch", "pitch", "a bar ago", "top", "bass", "a beat ago", "two bars ago", "pitch before",
    )  # fmt: skip

    def __init__(self, scheme: Scheme) -> None:
        """The features of a scheme; :func:`has_features` says whether it has any."""
        of_kind, timing = scheme.vocabulary.of_kind, scheme.timing
        self.scheme = scheme
        # As arrays, and as lists: reading one element of an array takes ten times as long.
        self.kind, self.value = scheme.vocabulary.kinds.astype(np.int64), scheme.vocabulary.values.astype(np.int64)
        meters = [*scheme.vocabulary.meters, (4, 4)]  # the last stands where none was written yet
        beats = [m[1] if m[1] in timing.ticks_per_beat and scheme.has_meters else 4 for m in meters]
        self.bar_ticks = np.array([timing.bar(meter) for meter in meters])
        self.position_ticks = np.array([timing.ticks_per_position[beat] for beat in beats])
        self.lengths = np.zeros((len(meters), len(self.kind)), np.int64)  # of DURATION tokens, by meter
        for row, beat in zip(self.lengths, beats, strict=True):
            row[of_kind[Kind.DURATION]] = timing.lengths[Kind.DURATION, timing.ticks_per_beat[beat]]
        self.place = np.zeros(len(self.kind), np.int64)  # of velocities and durations among their kind, from 1
        for kind in (Kind.VELOCITY, Kind.DURATION):
            self.place[of_kind[kind]] = np.arange(1, len(of_kind[kind]) + 1)
        self.drums = scheme.vocabulary.drums
        self.pitch_ids = PitchIds(scheme.vocabulary)
        sizes = self._sizes()
        self.blocks = tuple(sizes.items())
        named = sorted((token, pitch) for pitch, token in self.pitch_ids.ids.items())
        self.pitches = (*named[0], len(named))
        if named != [(named[0][0] + i, named[0][1] + i) for i in range(len(named))]:
            self.intervals = ()  # no vocabulary that toccata builds
        ends = np.cumsum([0, *sizes.values()])
        columns = [*range(len(sizes)), *[len(sizes) - 1] * (VOICES - 1)]
        self.offsets = ends[columns].astype(np.int32)
        self.unknown_meter = len(meters) - 1
        self.columns: list[int] = self.offsets.tolist()
        self.bars: list[int] = self.bar_ticks.tolist()
        self.steps: list[int] = self.position_ticks.tolist()
        self.places: list[int] = self.place.tolist()

    def _sizes(self) -> dict[str, int]:
        """Name and number of rows of each feature, ``sounding`` last."""
        of_kind = self.scheme.vocabulary.of_kind
        return {
            # The place.
            "position": 2 + int(self.value[of_kind[Kind.POSITION]].max()),
            "meter": len(self.bar_ticks),
            "bar": 1 + CYCLE,
            # The instrument that plays.
            "program": 2 + DRUMS,
            "velocity": 1 + len(of_kind[Kind.VELOCITY]),
            "duration": 1 + len(of_kind[Kind.DURATION]),
            "own pitch": _PITCHES,
            "own step": 2 + 2 * STEP,
            "own gap": 2 + LONGEST,
            "own end": 3 + LONGEST,
            "a beat ago": _PITCHES,
            "a bar ago": _PITCHES,
            "two bars ago": _PITCHES,
            # This moment, and what was before it.
            "pitch": _PITCHES,
            "pitch before": _PITCHES,
            "notes": 1 + MOST,
            "gap": 2 + LONGEST,
            "top before": 1 + 128,
            "next onset a bar ago": 1 + LONGEST,
            # What followed the last time.
            **self.pitch_ids.blocks,
            # What sounds.
            "top": 1 + 128,
            "bass": 1 + 128,
            "voices": 1 + MOST,
            "first end": 2 + LONGEST,
            "last end": 2 + LONGEST,
            "pitch classes": 1 << 12,
            "sounding": 1 + 128,
        }

    def of(self, ids: Sequence[int] | NDArray[np.integer]) -> Ints:
        """The rows of the table ``int32[T, columns]`` of ``ids int[T]``: at each token, with what it says."""
        return self._of(np.asarray(ids, np.int64))

    def _of(self, ids: NDArray[np.int64]) -> Ints:
        kind, value = self.kind[ids], self.value[ids]
        meter_at, bar_at, position_at = (_last(kind == k) for k in (Kind.TIME_SIG, Kind.BAR, Kind.POSITION))
        meter = np.where(meter_at >= 0, value[meter_at], self.unknown_meter)
        bars = np.cumsum(kind == Kind.BAR)
        begins = np.cumsum(np.where((kind == Kind.BAR) & (bars > 1), self.bar_ticks[meter], 0))
        position = np.where(position_at > bar_at, value[position_at], 0)
        program_at = _last(kind == Kind.PROGRAM)
        program = np.where(program_at >= 0, value[program_at], -1)
        own = {k: _last_by(kind == k, program) for k in (Kind.VELOCITY, Kind.DURATION, Kind.PITCH)}
        named = 1 + value + 128 * (self.drums[ids] | (program == DRUMS))  # pitches and drum keys
        pitches = np.append(np.flatnonzero(kind == Kind.PITCH), 0)  # never empty
        nth = np.cumsum(kind == Kind.PITCH) - 1
        found = {
            "position": np.where(bars > 0, 1 + position, 0),
            "meter": np.where(meter_at >= 0, 1 + meter, 0),
            "bar": np.where(bars > 0, 1 + (bars - 1) % CYCLE, 0),
            "program": 1 + program,
            "velocity": np.where(own[Kind.VELOCITY] >= 0, self.place[ids[own[Kind.VELOCITY]]], 0),
            "duration": np.where(own[Kind.DURATION] >= 0, self.place[ids[own[Kind.DURATION]]], 0),
            "own step": _steps(kind, named, own[Kind.PITCH], program),
            "pitch": np.where(nth >= 0, named[pitches[nth]], 0),
            "pitch before": np.where(nth >= 1, named[pitches[np.maximum(nth - 1, 0)]], 0),
            "own pitch": np.where(own[Kind.PITCH] >= 0, named[own[Kind.PITCH]], 0),
        }
        ticks = begins + position * self.position_ticks[meter]
        now, bar, who = (a.astype(np.int32) for a in (ticks, self.bar_ticks[meter], program))
        at = np.arange(len(ids), dtype=np.int32)
        here = _Places(at, now, bar, who, self.scheme.timing.ticks_per_quarter)
        notes = self._notes(ids, kind, named, meter, here, own[Kind.DURATION])
        rows = np.zeros((len(ids), len(self.offsets)), np.int32)
        if len(notes.done):
            found |= _since(here, notes) | _own(here, notes)
            more, rows[:, -VOICES:] = _sounding(here, notes)
            found |= more
        found |= dict(zip(self.pitch_ids.blocks, guesses(self.pitch_ids, ids).T, strict=True))
        for column, (name, _) in enumerate(self.blocks[:-1]):
            rows[:, column] = found.get(name, 0)
        rows += self.offsets
        return rows

    def _notes(
        self,
        ids: NDArray[np.int64],
        kind: NDArray[np.int64],
        named: NDArray[np.int64],
        meter: NDArray[np.int64],
        here: _Places,
        duration_at: NDArray[np.int64],
    ) -> _Notes:
        """The notes of a sequence; ``duration_at`` is where the duration of each token's program was written."""
        if self.scheme.running_status:
            done = pitch_at = np.flatnonzero((kind == Kind.PITCH) & (duration_at >= 0))
        else:
            latest = _last(kind == Kind.PITCH)
            done = np.flatnonzero((kind == Kind.DURATION) & (latest >= 0))
            pitch_at = latest[done]
        onset = here.now[done]
        end = onset + self.lengths[meter[done], ids[duration_at[done]]]
        return _Notes(*(a.astype(np.int32) for a in (done, here.program[done], named[pitch_at], onset, end)))


# Of T tokens and N notes, in 32 bits: arrays of T by N are what takes time.


@dataclass(frozen=True)
class _Places:
    """The place of each token, each ``int32[T]``: number, tick, length of the bar, program (-1: not known)."""

    at: Ints
    now: Ints
    bar: Ints
    program: Ints
    quarter: int  # ticks

    def time(self, ticks: Ints, least: int = 0) -> Ints:
        """Times as they are counted."""
        found: Ints = np.clip(ticks * 12 // self.quarter, least, LONGEST)
        return found


@dataclass(frozen=True)
class _Notes:
    """Notes, each ``int32[N]``: the token that completes them, program, pitch (or 128 more, a drum's), onset and end.

    Pitches are counted from 1.
    """

    done: Ints
    program: Ints
    named: Ints
    onset: Ints
    end: Ints


def _since(here: _Places, notes: _Notes) -> dict[str, Ints]:
    """Of this moment, and of the one before it."""
    known = notes.done <= here.at[:, None]  # [T, N]
    last = known.sum(1) - 1
    some = last >= 0
    moment = np.cumsum(np.diff(notes.onset, prepend=notes.onset[0]) != 0)
    tops = np.zeros(moment[-1] + 2, np.int32)  # of each moment, the first is number 1
    np.maximum.at(tops, moment + 1, np.where(notes.named <= 128, notes.named, 0))
    then = (here.now - here.bar)[:, None]
    later = (known & (notes.onset > then)) * (notes.onset - then)  # 0 where it is not later
    following = here.time(later.min(1, where=later > 0, initial=_FAR))
    return {
        "next onset a bar ago": np.where((then[:, 0] >= 0) & (later > 0).any(1), following, 0),
        "gap": np.where(some, 1 + here.time(here.now - notes.onset[last]), 0),
        "notes": np.minimum((known & (notes.onset == here.now[:, None])).sum(1), MOST),
        "top before": np.where(some, tops[moment[last]], 0),
    }


def _own(here: _Places, notes: _Notes) -> dict[str, Ints]:
    """Of the instrument that plays: when its last note ends, and what it played a bar ago."""
    own = (notes.done <= here.at[:, None]) & (notes.program == here.program[:, None])  # [T, N]
    latest = len(notes.done) - 1 - own[:, ::-1].argmax(1)
    some = own.any(1)
    found = {
        "own gap": np.where(some, 1 + here.time(here.now - notes.onset[latest]), 0),
        "own end": np.where(some, 2 + here.time(notes.end[latest] - here.now, -1), 0),
    }
    for name, ticks in (("a beat ago", here.quarter), ("a bar ago", here.bar), ("two bars ago", 2 * here.bar)):
        then = own & (notes.onset == (here.now - ticks)[:, None])
        found[name] = np.where(then.any(1), notes.named[then.argmax(1)], 0)
    return found


def _sounding(here: _Places, notes: _Notes) -> tuple[dict[str, Ints], Ints]:
    """Of what sounds, drums left out; and the highest pitches themselves, ``int32[T, VOICES]``."""
    left = notes.end - here.now[:, None]  # [T, N]
    sounds = (notes.done <= here.at[:, None]) & (left > 0) & (notes.named <= 128)
    some = sounds.any(1)
    present = np.zeros((len(here.at), 11 * 12), np.bool_)
    token, note = np.nonzero(sounds)
    present[token, notes.named[note] - 1] = True
    token, place = np.nonzero(present[:, ::-1])  # from the highest down
    named = present.shape[1] - place
    rank = np.arange(len(token)) - np.searchsorted(token, token)
    voices = np.zeros((len(here.at), VOICES), np.int32)
    few = rank < VOICES
    voices[token[few], rank[few]] = named[few]
    bass = np.zeros(len(here.at), np.int32)
    bass[token] = named  # the last one written is the lowest
    found = {
        "top": voices[:, 0],
        "bass": bass,
        "voices": np.minimum(sounds.sum(1), MOST),
        "first end": np.where(some, 1 + here.time(left.min(1, where=sounds, initial=_FAR)), 0),
        "last end": np.where(some, 1 + here.time(left.max(1, where=sounds, initial=0)), 0),
        "pitch classes": present.reshape(-1, 11, 12).any(axis=1) @ (1 << np.arange(12)),
    }
    return found, voices


def _steps(
    kind: NDArray[np.int64], named: NDArray[np.int64], own: NDArray[np.int64], program: NDArray[np.int64]
) -> Ints:
    """The interval between the last two pitches of the instrument that plays."""
    at = np.flatnonzero(kind == Kind.PITCH)
    at = at[np.argsort(program[at], kind="stable")]  # those of an instrument together
    same = program[at[1:]] == program[at[:-1]]
    before = np.full(len(kind), -1)  # of each pitch, the one before it of its instrument
    before[at[1:][same]] = at[:-1][same]
    two = (own >= 0) & (before[own] >= 0)
    step = np.clip(named[own] - named[before[own]], -STEP, STEP)
    return np.where(two, 1 + STEP + step, 0)


def _last(hit: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each place the last one up to it that is hit, or -1."""
    found: NDArray[np.int64] = np.maximum.accumulate(np.where(hit, np.arange(len(hit)), -1))
    return found


def _last_by(hit: NDArray[np.bool_], key: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same among places of the same key."""
    order = np.argsort(key, kind="stable")  # those of a key together, the earliest first
    last = _last(hit[order])
    known = last >= np.searchsorted(key[order], key[order])
    found = np.empty(len(hit), np.int64)
    found[order] = np.where(known, order[last], -1)
    return found


def has_features(scheme: Scheme) -> bool:
    """Whether there are features of a scheme's tokens: it needs bars, positions, pitches and durations."""
    of_kind = scheme.vocabulary.of_kind
    needed = (Kind.BAR, Kind.POSITION, Kind.PITCH, Kind.DURATION)
    return scheme.timing.clock is Clock.POSITIONS and not scheme.note_off and all(len(of_kind[k]) for k in needed)
