"""Music to base tokens, for REMI, TSD, MIDI-like and Structured: the ids that MidiTok 3.1 writes, by array arithmetic.

What a piece says comes as rows of tokens in the order of time (``rows.py``); here the tokens of time go between them:
rests, bars with their meters, positions, or time shifts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from symusic import Score, Track

from toccata.tokenizers import quantise
from toccata.tokenizers.quantise import Columns, Grid, Ints, Meter
from toccata.tokenizers.rows import Rows, RowWriter
from toccata.tokenizers.settings import Settings
from toccata.tokenizers.simplify import one_track, writable_meters
from toccata.tokenizers.tables import Tables
from toccata.tokenizers.vocabulary import DRUMS, Kind, Vocabulary

_NOTE_KINDS = (Kind.PITCH, Kind.NOTE_ON, Kind.INTERVAL_TIME, Kind.INTERVAL_CHORD)
_TOUCHING = {Kind.PROGRAM, Kind.TEMPO, Kind.KEY_SIG, Kind.PEDAL, Kind.PEDAL_OFF, Kind.PITCH_BEND, Kind.CHORD}
"""Kinds after which a rest cannot have begun before them."""
_NO_PROGRAM = (Kind.PEDAL, Kind.PEDAL_OFF, Kind.TIME_SIG, Kind.TEMPO)
"""Kinds before which no change of program is written."""


class Written(NamedTuple):
    """A piece as base tokens.

    Attributes:
        ids: ``int64[T]``.
        cuts: Where its bars (or beats) begin, between which nothing is merged; the first is 0.
    """

    ids: Ints
    cuts: Ints


class Writer:
    """Writes music as the base tokens of one tokenizer."""

    def __init__(self, settings: Settings, vocabulary: Vocabulary) -> None:
        self.settings, self.vocabulary = settings, vocabulary
        self.tables = Tables(settings, {word: i for i, word in enumerate(vocabulary.words)})
        self._kinds = vocabulary.kinds.astype(np.int64)
        touching = {*_TOUCHING} if settings.note_off else {*_TOUCHING, Kind.TIME_SIG, Kind.CONTROL}
        self._touching = np.isin(self._kinds, list(touching))

    def write(self, score: Score) -> Written:
        """The base tokens of ``score``, from tick 0 on."""
        settings = self.settings
        if not settings.use_programs:
            score = score.copy()
            score.tracks = [track for track in score.tracks if len(track.notes)]
            score = one_track(score)
        if settings.use_time_signatures:
            found = writable_meters(score, self.vocabulary.meters)
            meters = [Meter(m.time, m.numerator, m.denominator) for m in found]
            meters = [m for m in meters if (m.beats, m.unit) in settings.meters]
        else:
            meters = [Meter(0, 4, 4)]
        grid = Grid.of(meters, score.ticks_per_quarter, settings.positions_per_beat)
        rows = RowWriter(self.tables, grid, score, _notes_of(score)).rows()
        if settings.running_status:
            rows = self._with_status(rows)
        elif settings.program_changes:
            rows = self._with_programs(rows)
        if not len(rows.time):
            return Written(rows.token, np.zeros(1, np.int64))
        if settings.bar_lines:
            ids, times = self._with_bars(rows, grid)
        elif settings.scheme == "Structured":
            ids, times = self._with_every_shift(rows, grid)
        else:
            ids, times = self._with_shifts(rows, grid)
        return Written(ids, self._cuts(times, grid, rows.last))

    def _cuts(self, times: Ints, grid: Grid, last: int) -> Ints:
        """Return the places where tokens are split before they are merged."""
        if self.settings.encode_ids_split == "no":
            return np.zeros(1, np.int64)
        return quantise.cuts(times, grid.lines(last, beats=self.settings.encode_ids_split == "beat")[1:])

    # -- programs ------------------------------------------------------------------------------------------------------

    def _with_programs(self, rows: Rows) -> Rows:
        """Return rows with a program token wherever the program changes."""
        kinds = self._kinds[rows.token]
        counts = ~np.isin(kinds, _NO_PROGRAM)
        counts[1:] &= ~((kinds[1:] == Kind.DURATION) & (kinds[:-1] == Kind.PEDAL))
        counted = np.flatnonzero(counts)
        programs = rows.program[counted]
        changed = counted[np.append(True, np.diff(programs) != 0)[: len(counted)]]
        own = rows.program[changed]
        tokens = self.tables.program[np.where(own < 0, DRUMS, own)]
        nothing = np.zeros(len(changed), np.int64)
        columns = [(rows.time, rows.time[changed]), (rows.token, tokens), (rows.end, nothing), (rows.program, own)]
        time, token, end, program = (np.insert(old, changed, new) for old, new in columns)
        return Rows(time, token, end, program, np.zeros_like(time), rows.last)

    def _with_status(self, rows: Rows) -> Rows:
        """Return rows with programs, and each program's velocities and durations, only where they change."""
        kinds, programs = self._kinds[rows.token], rows.program
        keep = np.ones(len(kinds), np.bool_)
        for kind in (Kind.VELOCITY, Kind.DURATION):
            at = np.flatnonzero(kinds == kind)
            at = at[np.argsort(programs[at], kind="stable")]
            again = (np.diff(programs[at]) == 0) & (np.diff(rows.token[at]) == 0)
            keep[at[1:][again]] = False
        notes = np.flatnonzero(kinds == (Kind.VELOCITY if self.settings.use_velocities else Kind.DURATION))
        at = notes[np.diff(programs[notes], prepend=-2) != 0] if self.settings.use_programs else notes[:0]
        own = programs[at]
        tokens = self.tables.program[np.where(own < 0, DRUMS, own)]
        nothing = np.zeros(len(at), np.int64)
        columns = ((rows.time, rows.time[at]), (rows.token, tokens), (rows.end, nothing), (programs, own))
        keep = np.insert(keep, at, True)
        time, token, end, program = (np.insert(old, at, new)[keep] for old, new in columns)
        return Rows(time, token, end, program, np.zeros_like(time), rows.last)

    # -- time ----------------------------------------------------------------------------------------------------------

    def _with_bars(self, rows: Rows, grid: Grid) -> tuple[Ints, Ints]:
        """REMI: a bar line, its meter, and a position before what happens there."""
        time, is_meter = rows.time, self._kinds[rows.token] == Kind.TIME_SIG
        sections = _Sections(grid, time[is_meter])
        section = np.cumsum(is_meter) - is_meter  # in force before each row
        bar = sections.bar_at(section, time)
        bar_before = np.append(-1, bar[:-1])
        new = np.append(True, (np.diff(time) != 0) | is_meter[:-1])
        out = _Inserted(rows, new)
        if self.settings.use_rests:
            before = np.append(-1, time[:-1] - is_meter[:-1])
            rested, now = self._rests(out, rows, before, sections.beat[section], new)
            bar_before[rested] = np.maximum(bar_before[rested], sections.bar_at(section[rested], now[rested]))
        bars = np.where(new, np.maximum(bar - bar_before, 0), 0)
        self._bar_lines(out, bars, bar_before, sections, section, is_meter)
        at = np.flatnonzero(new & ~is_meter)
        start = sections.start_of(section[at], bar[at])
        position = (time[at] - start) // sections.step[section[at]]
        out.add(at, self._positions()[position], time[at])
        if self.settings.add_trailing_bars:
            self._trailing(out, rows, sections, int(bar[-1]), len(sections.meters) - 1)
        return out.done()

    def _bar_lines(
        self, out: _Inserted, bars: Ints, before: Ints, sections: _Sections, section: Ints, is_meter: NDArray[np.bool_]
    ) -> None:
        """Insert the bar lines of ``bars`` new bars before each row, with meters unless the row itself is the meter."""
        owner = np.repeat(np.arange(len(bars)), bars)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(bars) - bars, bars)
        ticks = sections.start_of(section[owner], before[owner] + 1 + within)
        line = np.full_like(ticks, self.tables.id("Bar_None"))
        if not self.settings.use_time_signatures:
            out.add(owner, line, ticks)
            return
        meter = sections.token(self.tables)[section[owner]]
        with_meter = ~(is_meter[owner] & (within + 1 == bars[owner]))
        pairs = np.stack([line, meter], 1).ravel()
        both = np.stack([np.ones_like(with_meter), with_meter], 1).ravel()
        out.add(np.repeat(owner, 2)[both], pairs[both], np.repeat(ticks, 2)[both])

    def _positions(self) -> NDArray[np.intp]:
        return self.vocabulary.of_kind[Kind.POSITION]

    def _trailing(self, out: _Inserted, rows: Rows, sections: _Sections, bar: int, last: int) -> None:
        """The bars in which nothing begins any more, up to the end of the last note."""
        end = int(self._note_ends(rows)[-1])
        number = np.array([last])
        bars = np.arange(bar + 1, int(sections.bar_at(number, np.array([end]))[0]) + 1)
        if end <= int(rows.time[-1]):
            return
        ticks = sections.start_of(np.full_like(bars, last), bars)
        tokens = [np.full_like(bars, self.tables.id("Bar_None"))]
        if self.settings.use_time_signatures:
            tokens.append(np.full_like(bars, sections.token(self.tables)[last]))
        out.end(np.stack(tokens, 1).ravel(), np.repeat(ticks, len(tokens)))

    def _with_shifts(self, rows: Rows, grid: Grid) -> tuple[Ints, Ints]:
        """TSD and MIDI-like: the time since what came before."""
        time, is_meter = rows.time, self._kinds[rows.token] == Kind.TIME_SIG
        beats = np.array([grid.beat(4), *(grid.beat(m.unit) for m in grid.meters)], np.int64)
        beat = beats[np.cumsum(is_meter) - is_meter]
        before = np.append(0, time[:-1])
        new = time != before
        out = _Inserted(rows, new)
        if self.settings.use_rests:
            _, before = self._rests(out, rows, before, beat, new)
        at = np.flatnonzero(new & (time > before))
        self._waits(out, "TimeShift", at, beat[at], before[at], time[at] - before[at])
        return out.done()

    def _with_every_shift(self, rows: Rows, grid: Grid) -> tuple[Ints, Ints]:
        """Structured: a time shift before every note, of nothing where it begins with the one before it."""
        kind = Kind.PROGRAM if self.settings.use_programs else Kind.PITCH
        new = self._kinds[rows.token] == kind
        at = np.flatnonzero(new)
        shift = np.diff(rows.time[at], prepend=0)
        known = self.tables.lengths("TimeShift", grid.ticks_per_quarter)
        token = np.where(
            shift == 0, self.tables.id("TimeShift_0.0.1"), known.tokens[quantise.nearest(known.ticks, shift)]
        )
        out = _Inserted(rows, new)
        out.add(at, token, rows.time[at])
        return out.done()

    def _note_ends(self, rows: Rows) -> Ints:
        """Return the latest end of notes and other events up to each row."""
        until = np.where(self._touching[rows.token], rows.time, rows.end)
        return np.maximum.accumulate(np.maximum(until, 0))

    def _rests(
        self, out: _Inserted, rows: Rows, before: Ints, beat: Ints, new: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], Ints]:
        """Write the rests.

        Args:
            out: Where to.
            rows: What they stand between.
            before: How far time has come before each row.
            beat: Ticks a beat before each row.
            new: Whether time passes before it.

        Returns:
            The rows before which there is a rest, and how far time has come before each row after it.
        """
        since = np.append(0, self._note_ends(rows)[:-1])
        shortest = np.zeros_like(beat)
        for one in np.unique(beat).tolist():
            shortest[beat == one] = self.tables.lengths("Rest", one).ticks[0]
        at = np.flatnonzero(new & (rows.time - since >= shortest))
        now = before.copy()
        now[at] = np.maximum(since[at], before[at])
        now[at] += self._waits(out, "Rest", at, beat[at], now[at], rows.time[at] - now[at])
        return at, now

    def _waits(self, out: _Inserted, kind: str, at: NDArray[np.intp], beat: Ints, start: Ints, length: Ints) -> Ints:
        """Write the tokens in which time passes before the rows ``at``; returns how much of it they are."""
        found = [self.tables.wait(kind, b, n) for b, n in zip(beat.tolist(), length.tolist(), strict=True)]
        passed = np.array([ticks.sum() for _, ticks in found], np.int64)
        if found:
            counts = np.array([len(tokens) for tokens, _ in found])
            before = [np.cumsum(ticks) - ticks for _, ticks in found]
            times = np.repeat(start, counts) + np.concatenate(before)
            out.add(np.repeat(at, counts), np.concatenate([tokens for tokens, _ in found]), times)
        return passed


class _Sections:
    """The meters of a piece, as they come in its rows; the first stands for what is in force before the first row."""

    def __init__(self, grid: Grid, times: Ints) -> None:
        first = grid.meters[0]
        meters = [first, *(grid.meters if len(times) else ())]
        self.meters = meters
        self.beat = np.array([grid.beat(m.unit) for m in meters], np.int64)
        self.length = self.beat * np.array([m.beats for m in meters], np.int64)
        self.step = self.beat // grid.positions_per_beat
        self.start = np.array([0, *times.tolist()], np.int64)
        bars = [0]
        for i in range(len(meters) - 1):
            bars.append(bars[-1] + int(self.start[i + 1] - self.start[i]) // int(self.length[i]))
        self.bar = np.array(bars, np.int64)

    def bar_at(self, section: Ints, time: Ints) -> Ints:
        """The bar that holds a time, counted from the start."""
        return self.bar[section] + (time - self.start[section]) // self.length[section]

    def start_of(self, section: Ints, bar: Ints) -> Ints:
        """The tick at which a bar begins."""
        return self.start[section] + (bar - self.bar[section]) * self.length[section]

    def token(self, tables: Tables) -> Ints:
        """The token of each section's meter."""
        return np.array([tables.meter(m.beats, m.unit) for m in self.meters], np.int64)


class _Inserted:
    """Rows, and what is to stand before them."""

    def __init__(self, rows: Rows, new: NDArray[np.bool_]) -> None:
        self.rows = rows
        self._parts: list[tuple[NDArray[np.intp], Ints, Ints]] = []
        self._end: tuple[Ints, Ints] | None = None

    def add(self, before: NDArray[np.intp], tokens: Ints, times: Ints) -> None:
        """Tokens that stand before rows, after those that were added earlier; ``before`` never falls."""
        if len(before):
            self._parts.append((before, tokens, times))

    def end(self, tokens: Ints, times: Ints) -> None:
        """Tokens that stand after all rows."""
        self._end = tokens, times

    def done(self) -> tuple[Ints, Ints]:
        """All tokens, and their times."""
        rows = self.rows
        parts = [*self._parts, (np.arange(len(rows.time)), rows.token, rows.time)]
        owner, tokens, times = (np.concatenate([part[i] for part in parts]) for i in range(3))
        order = np.argsort(owner, kind="stable")
        tokens, times = tokens[order], times[order]
        if self._end is not None:
            tokens, times = np.append(tokens, self._end[0]), np.append(times, self._end[1])
        return tokens, times


def _notes_of(score: Score) -> Sequence[tuple[Track, Columns]]:
    """The tracks that have notes, with these notes by time, pitch, length and velocity."""
    found = []
    for track in score.tracks:
        if len(track.notes):
            columns = {name: column.astype(np.int64) for name, column in track.notes.numpy().items()}
            found.append((track, quantise.ordered(columns, "time", "pitch", "duration", "velocity")))
    return found
