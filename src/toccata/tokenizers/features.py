"""What is known where a token stands: features that a decoder is given beside each token.

A token of an event tokenizer says little by itself. Where in the bar it stands, who plays, how long and how loud, what
sounds and since when: all of that was written before it, and a small decoder spends much of what it can learn on
finding it again. It follows from the ids alone, so it can be computed and handed to the decoder, which adds up an
embedding for each feature. What may be written does not change, nor what a token says.

Each feature is a number of a few values; 0 stands for "none". They index one table of embeddings, a block of rows for
each feature; ``sounding`` has several columns that share a block, one for each pitch that sounds.

Two ways to the same numbers: :meth:`Features.of` for whole sequences, as arrays, and :class:`Reader`, token by token.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.scheme import Clock, Scheme
from toccata.tokenizers.vocabulary import DRUMS, Kind

Table = NDArray[np.int32]
VOICES = 12
"""Pitches that ``sounding`` counts at most: the highest."""
_LONGEST = 96
"""Ticks, from which on a time is just long."""
_MOST = 15
"""Notes, from which on there are just many."""
_CYCLE = 8
"""Bars are counted so far, then from the beginning: phrases are mostly 4 or 8 bars long."""
_PITCHES = 2 * 128 + 1  # none, pitches, drum keys


class Features:
    """The features of an event tokenizer that writes bars, positions and durations.

    Attributes:
        blocks: Name and number of rows of each feature's block of the table.
    """

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
        positions = of_kind[Kind.POSITION]
        sizes = {
            "position": 2 + int(self.value[positions].max()),
            "meter": len(meters),
            "bar": 1 + _CYCLE,
            "program": 2 + DRUMS,
            "velocity": 1 + len(of_kind[Kind.VELOCITY]),
            "duration": 1 + len(of_kind[Kind.DURATION]),
            "pitch": _PITCHES,
            "pitch before": _PITCHES,
            "own pitch": _PITCHES,
            "gap": 2 + _LONGEST,
            "notes": 1 + _MOST,
            "top": 1 + 128,
            "bass": 1 + 128,
            "top before": 1 + 128,
            "voices": 1 + _MOST,
            "first end": 2 + _LONGEST,
            "last end": 2 + _LONGEST,
            "own end": 3 + _LONGEST,
            "a bar ago": _PITCHES,
            "two bars ago": _PITCHES,
            "pitch classes": 1 << 12,
            "sounding": 1 + 128,
        }
        self.blocks = tuple(sizes.items())
        ends = np.cumsum([0, *sizes.values()])
        columns = [*range(len(sizes)), *[len(sizes) - 1] * (VOICES - 1)]
        self.offsets = ends[columns].astype(np.int32)

    def of(self, ids: Sequence[int] | NDArray[np.integer]) -> Table:
        """The rows of the table ``int32[T, columns]`` of ``ids int[T]``: at each token, with what it says."""
        return self._of(np.asarray(ids, np.int64))

    def _of(self, ids: NDArray[np.int64]) -> Table:
        kind, value, at = self.kind[ids], self.value[ids], np.arange(len(ids))
        # Where the token stands.
        meter_at, bar_at = _last(kind == Kind.TIME_SIG), _last(kind == Kind.BAR)
        meter = np.where(meter_at >= 0, value[meter_at], len(self.bar_ticks) - 1)
        bars = np.cumsum(kind == Kind.BAR)
        bar_ticks = self.bar_ticks[meter]
        position_at = _last(kind == Kind.POSITION)
        position = np.where(position_at > bar_at, value[position_at], 0)
        begins = np.cumsum(np.where((kind == Kind.BAR) & (bars > 1), bar_ticks, 0))
        now = begins + position * self.position_ticks[meter]
        # Who plays, and how.
        program_at = _last(kind == Kind.PROGRAM)
        program = np.where(program_at >= 0, value[program_at], -1)
        is_pitch = kind == Kind.PITCH
        own = {k: _last_by(kind == k, program) for k in (Kind.VELOCITY, Kind.DURATION, Kind.PITCH)}
        named = 1 + value + 128 * (self.drums[ids] | (program == DRUMS))  # pitches and drum keys
        pitches_at = np.flatnonzero(is_pitch)
        nth = np.cumsum(is_pitch) - 1
        found = np.zeros((len(ids), len(self.offsets)), np.int32)
        found[:, 0] = np.where(bars > 0, 1 + position, 0)
        found[:, 1] = np.where(meter_at >= 0, 1 + meter, 0)
        found[:, 2] = np.where(bars > 0, 1 + (bars - 1) % _CYCLE, 0)
        found[:, 3] = 1 + program
        for column, k in ((4, Kind.VELOCITY), (5, Kind.DURATION)):
            found[:, column] = np.where(own[k] >= 0, self.place[ids[own[k]]], 0)
        if len(pitches_at):
            found[:, 6] = np.where(nth >= 0, named[pitches_at[np.maximum(nth, 0)]], 0)
            found[:, 7] = np.where(nth >= 1, named[pitches_at[np.maximum(nth - 1, 0)]], 0)
            found[:, 8] = np.where(own[Kind.PITCH] >= 0, named[own[Kind.PITCH]], 0)
        notes = self._notes(ids, kind, named, program, meter, now, own[Kind.DURATION], _last(is_pitch))
        if len(notes[0]):
            _sounding(found, at, now, bar_ticks, program, *notes)
        found += self.offsets
        return found

    def _notes(
        self,
        ids: NDArray[np.int64],
        kind: NDArray[np.int64],
        named: NDArray[np.int64],
        program: NDArray[np.int64],
        meter: NDArray[np.int64],
        now: NDArray[np.int64],
        duration_at: NDArray[np.int64],
        pitch_at: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], ...]:
        """The notes of a sequence: the token that completes each, its program, its pitch as named, onset and end."""
        if self.scheme.running_status:
            done = np.flatnonzero((kind == Kind.PITCH) & (duration_at >= 0))
        else:
            done = np.flatnonzero((kind == Kind.DURATION) & (pitch_at >= 0))
        length = self.lengths[meter[done], ids[duration_at[done]]]
        return done, program[done], named[pitch_at[done]], now[done], now[done] + length


def _sounding(
    found: Table,
    at: NDArray[np.int64],
    now: NDArray[np.int64],
    bar_ticks: NDArray[np.int64],
    program: NDArray[np.int64],
    done: NDArray[np.int64],
    whose: NDArray[np.int64],
    named: NDArray[np.int64],
    onset: NDArray[np.int64],
    end: NDArray[np.int64],
) -> None:
    """Fill in the features of notes: T tokens by N notes, of which a token knows those that are complete."""
    known = done <= at[:, None]  # [T, N]
    last = known.sum(1) - 1
    some = last >= 0
    since = now - onset[last]
    found[:, 9] = np.where(some, 1 + np.clip(since, 0, _LONGEST), 0)
    found[:, 10] = np.minimum((known & (onset == now[:, None])).sum(1), _MOST)
    # What sounds.
    pitched = named <= 128
    pitch = named - 1
    sounds = known & (end > now[:, None]) & pitched  # [T, N]
    any_sounds = sounds.any(1)
    found[:, 11] = np.where(sounds, 1 + pitch, 0).max(1)
    found[:, 12] = np.where(any_sounds, np.where(sounds, 1 + pitch, 999).min(1), 0)
    found[:, 14] = np.minimum(sounds.sum(1), _MOST)
    left = end - now[:, None]
    found[:, 15] = np.where(any_sounds, 1 + np.minimum(np.where(sounds, left, 2**40).min(1), _LONGEST), 0)
    found[:, 16] = np.where(any_sounds, 1 + np.minimum(np.where(sounds, left, 0).max(1), _LONGEST), 0)
    # The highest note of the moment before this one.
    moment = np.cumsum(np.diff(onset, prepend=onset[0]) != 0)
    tops = np.zeros(moment[-1] + 2, np.int64)
    np.maximum.at(tops, moment + 1, np.where(pitched, named, 0))
    found[:, 13] = np.where(some, tops[moment[last]], 0)
    # What the instrument plays, and played a bar ago.
    own = known & (whose == program[:, None])  # [T, N]
    latest = len(done) - 1 - own[:, ::-1].argmax(1)
    found[:, 17] = np.where(own.any(1), 2 + np.clip(end[latest] - now, -1, _LONGEST), 0)
    for column, bars in ((18, 1), (19, 2)):
        then = own & (onset == (now - bars * bar_ticks)[:, None])
        found[:, column] = np.where(then.any(1), named[then.argmax(1)], 0)
    present = np.zeros((len(at), 128), np.bool_)
    rows, notes = np.nonzero(sounds)
    present[rows, pitch[notes]] = True
    octaves = np.pad(present, ((0, 0), (0, 4))).reshape(len(at), 11, 12)
    found[:, 20] = octaves.any(axis=1) @ (1 << np.arange(12))
    rows, high = np.nonzero(present[:, ::-1])  # from the highest down
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    few = rank < VOICES
    found[rows[few], 21 + rank[few]] = 128 - high[few]


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


class Reader:
    """Reads one sequence token by token.

    Attributes:
        rows: ``int32[columns]``, the rows of the table at the token that was read last; changed in place.
    """

    def __init__(self, features: Features) -> None:
        self._features = features
        self.rows = np.array(features.offsets)
        self._meter = len(features.bar_ticks) - 1
        self._bars = self._begin = self._position = 0
        self._program = -1
        self._own: dict[tuple[Kind, int], int] = {}  # kind and program: the latest id of them
        self._own_pitch: dict[int, int] = {}
        self._pitch = self._pitch_before = 0
        self._notes: list[tuple[int, int, int, int]] = []  # those that may sound: program, pitch as named, onset, end
        self._own_end: dict[int, int] = {}
        self._onset: int | None = None
        self._top = self._top_before = self._count = 0
        self._first: dict[tuple[int, int], int] = {}  # program and onset: the first pitch there
        self._counts: dict[int, int] = {}  # onset: notes

    def copy(self) -> Reader:
        """One that goes on from here by itself."""
        made = object.__new__(Reader)
        made.__dict__.update(self.__dict__)
        for name in ("rows", "_own", "_own_pitch", "_notes", "_own_end", "_first", "_counts"):
            setattr(made, name, getattr(self, name).copy())
        return made

    def read(self, token: int) -> None:
        """Read the next token."""
        features = self._features
        kind, value = features.scheme.kinds[token], features.scheme.values[token]
        if kind == Kind.BAR:
            self._bars += 1
            self._begin += int(features.bar_ticks[self._meter]) if self._bars > 1 else 0
            self._position = 0
        elif kind == Kind.TIME_SIG:
            self._meter = value
        elif kind == Kind.POSITION:
            self._position = value
        elif kind == Kind.PROGRAM:
            self._program = value
        elif kind in (Kind.VELOCITY, Kind.DURATION):
            self._own[Kind(kind), self._program] = token
        elif kind == Kind.PITCH:
            drum = features.drums[token] or self._program == DRUMS
            self._pitch, self._pitch_before = 1 + value + 128 * int(drum), self._pitch
            self._own_pitch[self._program] = self._pitch
        if kind == features.scheme.after_note:
            self._note()
        self._tell(features)

    @property
    def _now(self) -> int:
        return self._begin + self._position * int(self._features.position_ticks[self._meter])

    def _note(self) -> None:
        duration, now = self._own.get((Kind.DURATION, self._program)), self._now
        if duration is None or not self._pitch:
            return
        end = now + int(self._features.lengths[self._meter, duration])
        self._notes = [note for note in self._notes if note[3] > self._begin]  # time never goes back behind a bar line
        self._notes.append((self._program, self._pitch, now, end))
        self._own_end[self._program] = end
        if now != self._onset:
            self._top_before, self._top = self._top if self._onset is not None else 0, 0
            self._onset = now
        if self._pitch <= 128:
            self._top = max(self._top, self._pitch)
        self._counts[now] = self._counts.get(now, 0) + 1
        self._first.setdefault((self._program, now), self._pitch)

    def _tell(self, features: Features) -> None:
        """Set the rows to what is known now."""
        now, own = self._now, self._own
        place = features.place
        velocity, duration = own.get((Kind.VELOCITY, self._program)), own.get((Kind.DURATION, self._program))
        sounding = [(named - 1, end) for _, named, _, end in self._notes if named <= 128 and end > now]
        pitches = sorted({pitch for pitch, _ in sounding}, reverse=True)
        ends = [min(end - now, _LONGEST) for _, end in sounding]
        bar = int(features.bar_ticks[self._meter])
        end = self._own_end.get(self._program)
        classes = 0
        for pitch in pitches:
            classes |= 1 << pitch % 12
        self.rows[:] = features.offsets
        self.rows[:21] += np.array(
            [
                1 + self._position if self._bars else 0,
                1 + self._meter if self._meter < len(features.bar_ticks) - 1 else 0,
                1 + (self._bars - 1) % _CYCLE if self._bars else 0,
                1 + self._program,
                0 if velocity is None else place[velocity],
                0 if duration is None else place[duration],
                self._pitch,
                self._pitch_before,
                self._own_pitch.get(self._program, 0),
                0 if self._onset is None else 1 + min(max(now - self._onset, 0), _LONGEST),
                min(self._counts.get(now, 0), _MOST),
                1 + pitches[0] if pitches else 0,
                1 + pitches[-1] if pitches else 0,
                self._top_before,
                min(len(sounding), _MOST),
                1 + min(ends) if ends else 0,
                1 + max(ends) if ends else 0,
                0 if end is None else 2 + min(max(end - now, -1), _LONGEST),
                self._first.get((self._program, now - bar), 0),
                self._first.get((self._program, now - 2 * bar), 0),
                classes,
            ],
            np.int32,
        )
        few = pitches[:VOICES]
        self.rows[21 : 21 + len(few)] += np.array(few, np.int32) + 1


def has_features(scheme: Scheme) -> bool:
    """Whether there are features of a scheme's tokens: it needs bars, positions, pitches and durations."""
    of_kind = scheme.vocabulary.of_kind
    needed = (Kind.BAR, Kind.POSITION, Kind.PITCH, Kind.DURATION)
    return scheme.timing.clock is Clock.POSITIONS and not scheme.note_off and all(len(of_kind[k]) for k in needed)
