"""The musical state of a token sequence: what tick and bar it has reached, and what sounds there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.scheme import Clock, Scheme
from toccata.tokenizers.vocabulary import DRUMS, Kind

NEVER = 2**40
"""A tick that no piece reaches: the end of a note whose end is not known yet."""


class Note(NamedTuple):
    """A note as it was written. ``program`` 128 is the drums; times in ticks of the tokenizer's grid."""

    program: int
    pitch: int
    onset: int
    length: int
    velocity: int


class Status(NamedTuple):
    """What holds for the notes of a program until it changes (running status); -1 where nothing has been written yet.

    Attributes:
        velocity: Of the notes.
        duration: The base token of their length.
    """

    velocity: int = -1
    duration: int = -1


UNSAID = Status()


class State:
    """A place in one sequence, and the music there, as the tokenizer's decoder would have it.

    Time is in ticks of the tokenizer's grid. Copies are cheap: nothing inside is changed in place.
    """

    __slots__ = (
        "active_pedals",
        "bar",
        "bar_tick",
        "bars_played",
        "chord_pitch",
        "codes",
        "ended",
        "ends",
        "heard",
        "held",
        "histogram_until_bar",
        "last_onset",
        "latest_bar",
        "made",
        "meter",
        "note_end",
        "notes",
        "notes_before_bar",
        "onset",
        "onset_pitch",
        "pedal",
        "pitch",
        "pitch_class_histogram",
        "pitch_sum",
        "pitched_notes",
        "position_tick",
        "prev",
        "program",
        "program_known",
        "running",
        "scheme",
        "seen",
        "started",
        "tempo",
        "tick",
        "ticks_per_bar",
        "ticks_per_beat",
        "ticks_per_position",
        "untouched",
        "velocity",
    )  # fmt: skip

    def __init__(self, scheme: Scheme, meter: tuple[int, int] = (4, 4)) -> None:
        self.scheme = scheme
        bars_first = scheme.timing.clock is Clock.POSITIONS
        self.tick = self.bar_tick = self.note_end = 0
        self.bar = -1 if bars_first else 0
        self.position_tick = -1
        self.prev: Kind = Kind.SPECIAL
        self.program = 0
        self.program_known = not scheme.has_programs  # whether a program has been written that still holds
        self.running: Mapping[int, Status] = {}  # program -> its running status
        self.pitch = -1  # of the note being written
        self.pedal = False  # whether a pedal, not a note, is being written
        self.ends: dict[int, NDArray[np.int64]] = {}  # program -> int64[128], when each pitch is free again
        self.started: dict[
            int, dict[int, tuple[int, int]]
        ] = {}  # program -> pitch -> onset and velocity, until the note-off
        self.active_pedals: frozenset[int] = frozenset()
        self.seen: frozenset[tuple[int, int]] = (
            frozenset()
        )  # what was written at this tick and may not be written twice
        self.onset_pitch: dict[int, int] = {}
        self.chord_pitch: dict[int, int] = {}
        self.untouched = True  # nothing but time has been written in this bar
        self.ended = False
        self.notes = 0
        self.notes_before_bar = 0  # how many of them began before this bar
        self.pitched_notes = self.pitch_sum = 0  # how many notes of pitched programs, and the sum of their pitches
        self.onset = -1  # of the note begun last
        self.latest_bar: Mapping[int, int] = {}  # program -> the latest bar in which it began a note
        self.last_onset: Mapping[int, int] = {}  # program -> the tick at which its latest note began
        self.heard: tuple[int, ...] = (-1,) * 12  # pitch class -> the tick at which it began last
        self.bars_played: Mapping[int, int] = {}  # program -> in how many bars it began one
        # int64[12]: for how many ticks each pitch class of pitched programs has sounded
        self.pitch_class_histogram: NDArray[np.int64] = np.zeros(12, np.int64)
        self.histogram_until_bar = NEVER  # the bar from which on nothing is counted any more
        self.velocity = 64
        self.made: tuple[Note, ...] = ()  # the notes that the token read last completed
        self.codes: tuple[int, ...] = ()  # of the quarter that is being written
        self.held: Mapping[int, int] = {}  # pitch -> onset, of notes that the quarter before left sounding
        self.tempo = 120_000
        self._set_meter(meter)

    def read(self, token: int) -> None:
        """Read one base token, legal or not: a prompt may hold what a generator may not write."""
        scheme = self.scheme
        kind, value = scheme.kinds[token], scheme.values[token]
        self.made = ()
        if kind == Kind.SPECIAL:
            if token == scheme.eos and not self.ended:
                self.ended = True
                self.made = tuple(self._note(pitch, onset) for pitch, onset in self.held.items())
            return
        reader = _READERS.get(kind)
        previous = self.prev
        self.prev = Kind(kind)
        if kind > Kind.REST:
            self.untouched = False
        if reader is not None:
            reader(self, token, value)
        elif kind in (Kind.TEMPO, Kind.KEY_SIG, Kind.CHORD, Kind.PITCH_BEND, Kind.CONTROL):
            self.seen = self.seen | {self.once(kind, value)}
            if kind == Kind.TEMPO:
                self.tempo = value
            if kind != Kind.CONTROL or previous not in (Kind.PITCH, Kind.VELOCITY):
                self.note_end = max(self.note_end, self.tick)

    def _read_bar(self, token: int, value: int) -> None:
        self.bar += 1
        if self.bar > 0:
            self.bar_tick += self.ticks_per_bar
        self.position_tick = -1
        self.untouched = True
        self.notes_before_bar = self.notes
        self._move(self.bar_tick)

    def _read_position(self, token: int, value: int) -> None:
        self.bar = max(self.bar, 0)
        self.position_tick = self.bar_tick + value * self.ticks_per_position
        self._move(self.position_tick)

    def _read_shift(self, token: int, value: int) -> None:
        self._move(self.tick + self._length(token))
        if self.scheme.timing.clock is Clock.SHIFTS:
            self._count_bars()

    def _read_rest(self, token: int, value: int) -> None:
        timing = self.scheme.timing
        since = max(self.note_end, self.tick) if timing.rest_from_note_end else self.tick
        self._move(since + self._length(token))
        self.bar = max(self.bar, 0)
        self._count_bars()

    def _read_meter(self, token: int, value: int) -> None:
        meter = self.scheme.vocabulary.meters[value]
        if meter != self.meter:
            if self.scheme.timing.clock is Clock.SHIFTS and self.tick != self.bar_tick:
                self.bar_tick = self.tick
                self.bar += 1
                self.notes_before_bar = self.notes
            self._set_meter(meter)
        self.seen = self.seen | {(Kind.TIME_SIG, 0)}

    def _read_program(self, token: int, value: int) -> None:
        self.program, self.program_known = value, True
        self.note_end = max(self.note_end, self.tick)

    def _read_pitch(self, token: int, value: int) -> None:
        self.onset_pitch = {**self.onset_pitch, self.program: value}
        self.chord_pitch = {**self.chord_pitch, self.program: value}
        self._start_note(value)

    def _read_interval(self, token: int, value: int) -> None:
        before = self.onset_pitch if self.scheme.kinds[token] == Kind.INTERVAL_TIME else self.chord_pitch
        pitch = before.get(self.program, -128) + value
        if not 0 <= pitch <= 127:
            return
        if self.scheme.kinds[token] == Kind.INTERVAL_TIME:
            self.onset_pitch = {**self.onset_pitch, self.program: pitch}
        self.chord_pitch = {**self.chord_pitch, self.program: pitch}
        self.prev = Kind.NOTE_ON if self.scheme.note_off else Kind.PITCH
        self._start_note(pitch)

    def _start_note(self, pitch: int) -> None:
        self.pitch, self.pedal = pitch, False
        if self.scheme.running_status:
            self._start_running_note()
        elif self.scheme.after_note in (Kind.PITCH, Kind.NOTE_ON):
            self._finish_note()

    def _start_running_note(self) -> None:
        """A note as its program's running status has it; where that is not known, there is none."""
        status = self.status
        if not self.program_known or status.duration < 0 or (self.scheme.has_velocities and status.velocity < 0):
            self.pitch = -1
            return
        if self.scheme.has_velocities:
            self.velocity = status.velocity
        self._finish_note(self._length(status.duration))

    @property
    def status(self) -> Status:
        """The running status of the program that plays."""
        return self.running.get(self.program, UNSAID)

    def _read_velocity(self, token: int, value: int) -> None:
        if self.scheme.running_status:
            self.running = {**self.running, self.program: self.status._replace(velocity=value)}
            return
        self.velocity = value
        if (
            self.scheme.after_note is Kind.VELOCITY
            or self._program_number() not in self.scheme.timing.duration_programs
        ):
            self._finish_note()

    def _read_duration(self, token: int, value: int) -> None:
        if self.scheme.running_status:
            self.running = {**self.running, self.program: self.status._replace(duration=token)}
            return
        if not self.pedal:
            self._finish_note(self._length(token))
        self.pedal = False

    def _finish_note(self, length: int | None = None) -> None:
        if self.pitch < 0:
            return
        timing, onset = self.scheme.timing, self.tick
        waits = self.scheme.note_off and self._program_number() in timing.duration_programs
        if length is None:
            length = int(timing.default_length * self.ticks_per_beat)
        end = NEVER if waits else onset + length
        if waits:
            held = {**self.started.get(self.program, {}), self.pitch: (onset, self.velocity)}
            self.started = {**self.started, self.program: held}
        else:
            self.note_end = max(self.note_end, end)
            self.made = (Note(self.program, self.pitch, onset, length, self.velocity),)
            self._count_pitch_class(self.pitch, length)
        self.onset = max(self.onset, onset)
        self._set_end(self.pitch, end)
        if self.last_onset.get(self.program) != onset:
            self.last_onset = {**self.last_onset, self.program: onset}
        if self.program != DRUMS:
            place = self.pitch % 12
            self.pitched_notes += 1
            self.pitch_sum += self.pitch
            self.heard = (*self.heard[:place], onset, *self.heard[place + 1 :])
        if self.latest_bar.get(self.program) != self.bar:
            self.latest_bar = {**self.latest_bar, self.program: self.bar}
            self.bars_played = {**self.bars_played, self.program: self.bars_played.get(self.program, 0) + 1}
        self.notes += 1
        self.pitch = -1
        self.prev = self.scheme.after_note

    def _read_note_off(self, token: int, value: int) -> None:
        held = dict(self.started.get(self.program, {}))
        if (note := held.pop(value, None)) is not None:
            onset, velocity = note
            self.made = (Note(self.program, value, onset, self.tick - onset, velocity),)
            self.started = {**self.started, self.program: held}
            self._set_end(value, self.tick)
            self._count_pitch_class(value, self.tick - onset)
            self.note_end = max(self.note_end, self.tick)

    def _count_pitch_class(self, pitch: int, length: int) -> None:
        if self.program != DRUMS and self.bar < self.histogram_until_bar:
            counts = self.pitch_class_histogram.copy()
            counts[pitch % 12] += length
            self.pitch_class_histogram = counts

    def _read_pedal(self, token: int, value: int) -> None:
        self.pedal = True
        self.seen = self.seen | {(Kind.PEDAL, value)}
        self.active_pedals = self.active_pedals | {value}
        self.note_end = max(self.note_end, self.tick)

    def _read_pedal_off(self, token: int, value: int) -> None:
        self.pedal = False
        self.seen = self.seen | {(Kind.PEDAL, value)}
        self.active_pedals = self.active_pedals - {value}
        self.note_end = max(self.note_end, self.tick)

    def _read_code(self, token: int, value: int) -> None:
        """Of a codebook: so many codes are a group, with a length, known when the last of them has been read."""
        codebook = self.scheme.codebook
        assert codebook is not None
        self.codes = (*self.codes, value)
        if len(self.codes) < codebook.codes:
            return
        done, self.held, begun = codebook.play(self.codes, self.tick, self.held)
        self.codes = ()
        self.made = tuple(Note(0, pitch, onset, end - onset, self.velocity) for pitch, onset, end in done)
        self.notes += begun
        for pitch, onset, end in done:
            self._count_pitch_class(pitch, end - onset)
        self._move(self.tick + codebook.ticks)
        self.note_end = self.tick
        self._count_bars()

    def _note(self, pitch: int, onset: int) -> Note:
        return Note(0, pitch, onset, self.tick - onset, self.velocity)

    def _length(self, token: int) -> int:
        return self.scheme.lengths[token, self.ticks_per_beat]

    def _program_number(self) -> int:
        return -1 if self.program == DRUMS else self.program

    def once(self, kind: int, value: int) -> tuple[int, int]:
        """Return the key in ``seen`` of an event that may come only once at a tick."""
        if kind in (Kind.CHORD, Kind.PITCH_BEND):
            return kind, self.program
        return kind, value * 256 + self.program if kind == Kind.CONTROL else 0

    def _set_meter(self, meter: tuple[int, int]) -> None:
        timing = self.scheme.timing
        self.meter = meter
        self.ticks_per_bar = timing.bar(meter)
        denominator = meter[1] if meter[1] in timing.ticks_per_beat and self.scheme.has_meters else 4
        self.ticks_per_beat = timing.ticks_per_beat[denominator]
        self.ticks_per_position = timing.ticks_per_position[denominator]

    def _move(self, tick: int) -> None:
        if tick != self.tick:
            self.seen = frozenset()
        self.tick = tick

    def _count_bars(self) -> None:
        while self.tick >= self.bar_tick + self.ticks_per_bar:
            self.bar_tick += self.ticks_per_bar
            self.bar += 1
            self.untouched = True
            self.notes_before_bar = self.notes
            self.position_tick = -1

    def _set_end(self, pitch: int, end: int) -> None:
        ends = self.ends.get(self.program)
        ends = np.zeros(128, np.int64) if ends is None else ends.copy()
        ends[pitch] = end if end != NEVER and ends[pitch] == NEVER else max(end, int(ends[pitch]))
        self.ends = {**self.ends, self.program: ends}


_READERS: dict[int, Callable[[State, int, int], None]] = {
    Kind.BAR: State._read_bar,
    Kind.TIME_SIG: State._read_meter,
    Kind.POSITION: State._read_position,
    Kind.TIME_SHIFT: State._read_shift,
    Kind.REST: State._read_rest,
    Kind.PROGRAM: State._read_program,
    Kind.PITCH: State._read_pitch,
    Kind.NOTE_ON: State._read_pitch,
    Kind.NOTE_OFF: State._read_note_off,
    Kind.INTERVAL_TIME: State._read_interval,
    Kind.INTERVAL_CHORD: State._read_interval,
    Kind.VELOCITY: State._read_velocity,
    Kind.DURATION: State._read_duration,
    Kind.PEDAL: State._read_pedal,
    Kind.PEDAL_OFF: State._read_pedal_off,
    Kind.CODE: State._read_code,
}
