"""Features token by token, for sequences that are being written: the same numbers as ``features.Features.of``."""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import Union

from toccata.tokenizers.features import CYCLE, LONGEST, MOST, STEP, VOICES, Features
from toccata.tokenizers.grid_features import GridFeatures
from toccata.tokenizers.grid_reader import GridReader
from toccata.tokenizers.matches import Matches
from toccata.tokenizers.vocabulary import DRUMS, Kind

AnyFeatures = Features | GridFeatures
"""The features of one tokenizer or another."""
AnyReader = Union["Reader", GridReader]


def reader_of(features: AnyFeatures) -> AnyReader:
    """A reader of a new sequence."""
    return GridReader(features) if isinstance(features, GridFeatures) else Reader(features)


class Reader:
    """Reads one sequence token by token."""

    def __init__(self, features: Features) -> None:
        self._features = features
        self._meter = features.unknown_meter
        self._bars = self._begin = self._position = 0
        self._program = -1
        self._velocity: dict[int, int] = {}  # by program, the latest token
        self._duration: dict[int, int] = {}
        self._played: dict[int, tuple[int, int]] = {}  # by program, the last two pitches
        self._pitch = self._pitch_before = 0
        self._notes: list[tuple[int, int]] = []  # those that may sound, drums left out: pitch from 1 and end
        self._last: dict[int, tuple[int, int]] = {}  # by program, onset and end of the last note
        self._onset: int | None = None
        self._top = self._top_before = 0
        self._first: dict[tuple[int, int], int] = {}  # by program and onset, the first pitch there
        self._counts: dict[int, int] = {}  # by onset, the notes
        self._onsets: list[int] = []  # ascending
        self._matches = Matches(features.pitch_ids)
        self._note_place()
        self._note_player()
        self._note_moment()
        self._note_sounding()

    @property
    def rows(self) -> list[int]:
        """The rows of the table at the token that was read last, one for each column."""
        values = *self._place, *self._player, *self._moment, *self._matches.guesses, *self._sounding
        return [offset + value for offset, value in zip(self._features.columns, values, strict=True)]

    def copy(self) -> Reader:
        """One that goes on from here by itself."""
        made = object.__new__(Reader)
        made.__dict__.update(self.__dict__)
        for name in ("_velocity", "_duration", "_played", "_notes", "_last", "_first", "_counts", "_onsets"):
            setattr(made, name, getattr(self, name).copy())
        made._matches = self._matches.copy()
        return made

    def read(self, token: int) -> None:
        """Read the next token."""
        self._matches.read(token)
        features = self._features
        kind, value = features.scheme.kinds[token], features.scheme.values[token]
        if kind in _TIME:
            self._move(kind, value)
        elif kind == Kind.PROGRAM:
            self._program = value
        elif kind == Kind.VELOCITY:
            self._velocity[self._program] = token
        elif kind == Kind.DURATION:
            self._duration[self._program] = token
        elif kind == Kind.PITCH:
            drum = bool(features.drums[token]) or self._program == DRUMS
            self._pitch, self._pitch_before = 1 + value + 128 * drum, self._pitch
            self._played[self._program] = self._pitch, self._played.get(self._program, (0, 0))[0]
        elif kind != features.scheme.after_note:
            return
        if kind == features.scheme.after_note:
            self._add()
        if kind in _TIME or kind == features.scheme.after_note:
            self._note_sounding()
        if kind not in (Kind.PROGRAM, Kind.VELOCITY):
            self._note_moment()
        self._note_player()

    def _move(self, kind: int, value: int) -> None:
        if kind == Kind.BAR:
            self._bars += 1
            self._begin += self._features.bars[self._meter] if self._bars > 1 else 0
            self._notes = [note for note in self._notes if note[1] > self._begin]  # time never goes back behind a bar
            self._position = 0
        elif kind == Kind.TIME_SIG:
            self._meter = value
        else:
            self._position = value
        self._note_place()

    def _add(self) -> None:
        """The note that has become complete."""
        duration, now, program = self._duration.get(self._program), self._now, self._program
        if duration is None or not self._pitch:
            return
        end = now + int(self._features.lengths[self._meter, duration])
        self._last[program] = now, end
        if now != self._onset:
            self._top_before, self._top = self._top, 0
            self._onset = now
        if self._pitch <= 128:
            self._top = max(self._top, self._pitch)
            self._notes.append((self._pitch, end))
        if now not in self._counts:
            insort(self._onsets, now)
        self._counts[now] = self._counts.get(now, 0) + 1
        self._first.setdefault((program, now), self._pitch)

    def _time(self, ticks: int, least: int = 0) -> int:
        return min(max(ticks * 12 // self._features.scheme.timing.ticks_per_quarter, least), LONGEST)

    def _note_place(self) -> None:
        features = self._features
        self._now = self._begin + self._position * features.steps[self._meter]
        self._bar = features.bars[self._meter]
        self._place = (
            1 + self._position if self._bars else 0,
            1 + self._meter if self._meter < features.unknown_meter else 0,
            1 + (self._bars - 1) % CYCLE if self._bars else 0,
        )

    def _note_player(self) -> None:
        program, now, place, first = self._program, self._now, self._features.places, self._first
        velocity, duration = self._velocity.get(program), self._duration.get(program)
        pitch, before = self._played.get(program, (0, 0))
        last = self._last.get(program)
        self._player = (
            1 + program,
            0 if velocity is None else place[velocity],
            0 if duration is None else place[duration],
            pitch,
            1 + STEP + min(max(pitch - before, -STEP), STEP) if before else 0,
            0 if last is None else 1 + self._time(now - last[0]),
            0 if last is None else 2 + self._time(last[1] - now, -1),
            first.get((program, now - self._features.scheme.timing.ticks_per_quarter), 0),
            first.get((program, now - self._bar), 0),
            first.get((program, now - 2 * self._bar), 0),
        )

    def _note_moment(self) -> None:
        now, then = self._now, self._now - self._bar
        later = bisect_right(self._onsets, then)
        self._moment = (
            self._pitch,
            self._pitch_before,
            min(self._counts.get(now, 0), MOST),
            0 if self._onset is None else 1 + self._time(now - self._onset),
            self._top_before,
            self._time(self._onsets[later] - then) if then >= 0 and later < len(self._onsets) else 0,
        )

    def _note_sounding(self) -> None:
        now = self._now
        sounding = [(pitch, end) for pitch, end in self._notes if end > now]
        if not sounding:
            self._sounding: tuple[int, ...] = (0,) * (6 + VOICES)
            return
        pitches = sorted({pitch for pitch, _ in sounding}, reverse=True)
        ends = [end for _, end in sounding]
        classes = 0
        for pitch in pitches:
            classes |= 1 << (pitch - 1) % 12
        few = pitches[:VOICES]
        self._sounding = (
            pitches[0],
            pitches[-1],
            min(len(sounding), MOST),
            1 + self._time(min(ends) - now),
            1 + self._time(max(ends) - now),
            classes,
            *few,
            *(0,) * (VOICES - len(few)),
        )


_TIME = frozenset((Kind.BAR, Kind.TIME_SIG, Kind.POSITION))
