"""Base tokens to music, for REMI, TSD, MIDI-like and Structured: the notes that MidiTok 3.1 reads in them.

Any sequence can be read, well formed or not: an incomplete note is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from symusic import ControlChange, KeySignature, Note, Pedal, PitchBend, Score, Tempo, TimeSignature, Track

from toccata.midi import gm
from toccata.tokenizers.scheme import Scheme
from toccata.tokenizers.settings import Settings
from toccata.tokenizers.state import UNSAID, Status
from toccata.tokenizers.vocabulary import DRUMS, Kind

_LOUDNESS = 100
"""The velocity of notes where none is written."""


class _Part:
    """The events of one program, as lists to make a track of."""

    def __init__(self) -> None:
        self.notes: list[tuple[int, int, int, int]] = []
        self.pedals: list[tuple[int, int]] = []
        self.bends: list[tuple[int, int]] = []
        self.controls: list[tuple[int, int, int]] = []

    def track(self, program: int) -> Track:
        """The track of this part; the drums are program 128."""
        drums = program == DRUMS
        number = 0 if drums else program
        track = Track(gm.track_name("", number, drums), number, drums)
        if self.notes:
            time, duration, pitch, velocity = np.array(self.notes, np.int32).T
            track.notes = Note.from_numpy(
                time=time.copy(),
                duration=duration.copy(),
                pitch=pitch.astype(np.int8),
                velocity=velocity.astype(np.int8),
            )
        track.pedals.extend(Pedal(*pedal) for pedal in self.pedals)
        # A file holds pedals as controllers.
        self.controls += [event for at, length in self.pedals for event in ((at, 64, 127), (at + length, 64, 0))]
        self.controls.sort(key=lambda control: control[0])
        track.pitch_bends.extend(PitchBend(*bend) for bend in self.bends)
        track.controls.extend(ControlChange(*control) for control in self.controls)
        return track


class _Note(NamedTuple):
    onset: int
    velocity: int


class Reader:
    """Reads base tokens of one tokenizer."""

    def __init__(self, settings: Settings, scheme: Scheme) -> None:
        self.settings, self.scheme = settings, scheme

    def read(self, tokens: Sequence[int]) -> Score:
        """The music of base tokens, in ticks of the tokenizer's grid."""
        return _Reading(self.settings, self.scheme, tokens).score()


class _Reading:
    """One sequence, read from its beginning."""

    def __init__(self, settings: Settings, scheme: Scheme, tokens: Sequence[int]) -> None:
        self.settings, self.scheme, self.tokens = settings, scheme, tokens
        self.kinds = [scheme.kinds[token] for token in tokens]
        timing = scheme.timing
        self.beats, self.positions = timing.ticks_per_beat, timing.ticks_per_position
        self.parts: dict[int, _Part] = {}
        self.tempos: list[Tempo] = []
        self.meters: list[TimeSignature] = []
        self.keys: list[KeySignature] = []
        self.tick = self.bar_tick = self.section_tick = self.note_end = self.reach = self.section_bar = 0
        self.bar, self.program, self.here = -1, 0, 0
        self.program_known = not settings.use_programs
        self.running: dict[int, Status] = {}
        self.onset_pitch: dict[int, int] = {}
        self.chord_pitch: dict[int, int] = {}
        self.held: dict[tuple[int, int], list[_Note]] = {}  # program and pitch -> notes begun, until their note-offs
        self.pedals: dict[int, int] = {}  # program -> when its pedal went down
        self.remi = settings.bar_lines
        self._set_meter(self._first_meter())

    def score(self) -> Score:
        """The music of all tokens."""
        readers = _READERS
        for here, kind in enumerate(self.kinds):
            reader = readers.get(kind)
            if reader is not None:
                self.here = here
                reader(self, self.tokens[here])
                if kind in _TOUCHING and not self.remi:
                    self.note_end = max(self.note_end, self.tick)
        self._lift_pedals()
        score = Score(self.scheme.timing.ticks_per_quarter)
        score.tracks = [part.track(program) for program, part in self.parts.items() if self._plays(part)]
        if not self.tempos or self.tempos[0].time != 0:
            self.tempos.insert(0, Tempo(0, self._usual_tempo()))
        if not self.meters or self.meters[0].time != 0:
            self.meters.insert(0, TimeSignature(0, 4, 4))
        score.tempos, score.time_signatures, score.key_signatures = self.tempos, self.meters, self.keys
        return score

    def _usual_tempo(self) -> float:
        """Return the default tempo."""
        vocabulary = self.scheme.vocabulary
        known = vocabulary.values[vocabulary.of_kind[Kind.TEMPO]] / 1000
        return float(known[np.argmin(np.abs(known - 120))]) if len(known) else 120.0

    def _plays(self, part: _Part) -> bool:
        """Whether a part is a track; without programs, pedals alone are none."""
        return bool(self.settings.use_programs or part.notes or part.bends or part.controls)

    def _part(self, program: int) -> _Part:
        """Return the part of ``program``; without programs there is one part."""
        return self.parts.setdefault(program if self.settings.use_programs else 0, _Part())

    # -- time ----------------------------------------------------------------------------------------------------------

    def _first_meter(self) -> tuple[int, int]:
        """REMI's bars need a meter from the start; the others begin to count beats of quarters."""
        found = (4, 4)
        if self.remi:
            for token, kind in zip(self.tokens, self.kinds, strict=True):
                if kind == Kind.TIME_SIG:
                    found = self.scheme.vocabulary.meters[self.scheme.values[token]]
                    break
                if kind in _SOUNDING:
                    break
            self.meters.append(TimeSignature(0, *found))
        return found

    def _set_meter(self, meter: tuple[int, int]) -> None:
        self.meter = meter
        unit = meter[1] if meter[1] in self.beats else 4
        self.beat, self.position = self.beats[unit], self.positions[unit]
        self.ticks_per_bar = self.scheme.timing.bar(meter)

    def _bar(self, token: int) -> None:
        self.bar += 1
        if self.bar > 0:
            self.tick = self.bar_tick + self.ticks_per_bar
        self.bar_tick = self.tick

    def _position(self, token: int) -> None:
        self.bar = max(self.bar, 0)
        self.tick = self.bar_tick + self.scheme.values[token] * self.position

    def _shift(self, token: int) -> None:
        self.tick += self.scheme.lengths[token, self.beat]

    def _rest(self, token: int) -> None:
        since = max(self.note_end, self.tick) if self.scheme.timing.rest_from_note_end else self.tick
        self.tick = since + self.scheme.lengths[token, self.beat]
        if self.remi:
            bar = self.section_bar + (self.tick - self.section_tick) // self.ticks_per_bar
            if bar > self.bar:
                self.bar = max(self.bar, 0)
                self.bar_tick += (bar - self.bar) * self.ticks_per_bar
                self.bar = bar

    def _time_signature(self, token: int) -> None:
        meter = self.scheme.vocabulary.meters[self.scheme.values[token]]
        if not self.remi:
            self.meters.append(TimeSignature(self.tick, *meter))
            self._set_meter(meter)
        elif meter != self.meter:
            self.meters.append(TimeSignature(self.tick, *meter))
            self.section_tick, self.section_bar = self.bar_tick, self.bar
            self._set_meter(meter)

    def _tempo(self, token: int) -> None:
        self.tempos.append(Tempo(self.tick, self.scheme.values[token] / 1000))
        self.note_end = max(self.note_end, self.tick)

    def _key(self, token: int) -> None:
        key, _, mode = self.scheme.vocabulary.words[token].partition("_")[2].partition(":")
        self.keys.append(KeySignature(self.tick, int(key), int(mode)))
        self.note_end = max(self.note_end, self.tick)

    # -- notes ---------------------------------------------------------------------------------------------------------

    def _set_program(self, token: int) -> None:
        self.program, self.program_known = self.scheme.values[token], True

    def _pitch(self, token: int) -> None:
        self._begin(self.scheme.values[token], new=True)

    def _interval_time(self, token: int) -> None:
        self._interval(self.onset_pitch, token, new=True)

    def _interval_chord(self, token: int) -> None:
        self._interval(self.chord_pitch, token, new=False)

    def _interval(self, before: dict[int, int], token: int, *, new: bool) -> None:
        pitch = before.get(self.program, -128) + self.scheme.values[token]
        if self.settings.pitch_range[0] <= pitch <= self.settings.pitch_range[1]:
            self._begin(pitch, new=new)

    def _begin(self, pitch: int, *, new: bool) -> None:
        """A note of ``pitch``, if what follows says the rest of it; ``new``: intervals in time count from it."""
        if new:
            self.onset_pitch[self.program] = pitch
        self.chord_pitch[self.program] = pitch
        if self.settings.running_status:
            self._begin_running(pitch)
            return
        velocity, after = _LOUDNESS, self.here + 1
        if self.settings.use_velocities:
            if not self._is(after, Kind.VELOCITY):
                return
            velocity = self.scheme.values[self.tokens[after]]
            after += 1
        if (-1 if self.program == DRUMS else self.program) not in self.settings.use_note_duration_programs:
            length = int(self.settings.default_note_duration * self.beat)
        elif self.settings.note_off:
            self.held.setdefault((self.program, pitch), []).append(_Note(self.tick, velocity))
            return
        elif self._is(after, Kind.DURATION):
            length = self.scheme.lengths[self.tokens[after], self.beat]
        else:
            return
        self._add_note(pitch, velocity, length)

    def _add_note(self, pitch: int, velocity: int, length: int) -> None:
        self._part(self.program).notes.append((self.tick, length, pitch, velocity))
        self.note_end = max(self.note_end, self.tick + length)
        self.reach = max(self.reach, self.tick + length)

    # -- running status ------------------------------------------------------------------------------------------------

    def _begin_running(self, pitch: int) -> None:
        velocity, duration = self.running.get(self.program, UNSAID)
        if not self.settings.use_velocities:
            velocity = _LOUDNESS
        if self.program_known and velocity >= 0 and duration >= 0:
            self._add_note(pitch, velocity, self.scheme.lengths[duration, self.beat])

    def _velocity(self, token: int) -> None:
        """A velocity; in other schemes it is read with its note."""
        if self.settings.running_status:
            status = self.running.get(self.program, UNSAID)
            self.running[self.program] = status._replace(velocity=self.scheme.values[token])

    def _duration(self, token: int) -> None:
        """A duration, likewise."""
        if self.settings.running_status:
            self.running[self.program] = self.running.get(self.program, UNSAID)._replace(duration=token)

    def _note_off(self, token: int) -> None:
        pitch = self.scheme.values[token]
        held = self.held.get((self.program, pitch))
        if held:
            note = held.pop(0)
            self._part(self.program).notes.append((note.onset, self.tick - note.onset, pitch, note.velocity))

    def _is(self, place: int, kind: Kind) -> bool:
        return place < len(self.kinds) and self.kinds[place] == kind

    # -- the rest ------------------------------------------------------------------------------------------------------

    def _pedal(self, token: int) -> None:
        program = self.scheme.values[token] if self.settings.use_programs else 0
        if not self.settings.sustain_pedal_duration:
            self.pedals.setdefault(program, self.tick)
        elif self._is(self.here + 1, Kind.DURATION):
            length = self.scheme.lengths[self.tokens[self.here + 1], self.beat]
            self._part(program).pedals.append((self.tick, length))

    def _pedal_off(self, token: int) -> None:
        program = self.scheme.values[token] if self.settings.use_programs else 0
        if program in self.pedals:
            down = self.pedals.pop(program)
            self._part(program).pedals.append((down, self.tick - down))

    def _lift_pedals(self) -> None:
        """End the pedals that are still down at the end, of programs that have played."""
        end = max(self.reach, self.tick)
        for program, tick in self.pedals.items():
            if program in self.parts and end > tick:
                self.parts[program].pedals.append((tick, end - tick))

    def _bend(self, token: int) -> None:
        self._part(self.program).bends.append((self.tick, self.scheme.values[token]))

    def _control(self, token: int) -> None:
        number, _, value = self.scheme.vocabulary.words[token].partition("_")[2].partition("-")
        self._part(self.program).controls.append((self.tick, int(number), int(value)))

    def _chord(self, token: int) -> None:
        """Ignore the token: the notes of a chord are tokens of their own."""


_SOUNDING = (Kind.PITCH, Kind.VELOCITY, Kind.DURATION, Kind.PITCH_BEND, Kind.CONTROL, Kind.PEDAL)
_TOUCHING = (
    Kind.PROGRAM, Kind.TEMPO, Kind.TIME_SIG, Kind.KEY_SIG, Kind.PEDAL, Kind.PEDAL_OFF, Kind.PITCH_BEND, Kind.CONTROL,
    Kind.CHORD,
)  # fmt: skip
"""Kinds after which a rest does not count from before them, but for REMI."""
_READERS: dict[int, Callable[[_Reading, int], None]] = {
    Kind.BAR: _Reading._bar,
    Kind.POSITION: _Reading._position,
    Kind.TIME_SHIFT: _Reading._shift,
    Kind.REST: _Reading._rest,
    Kind.TIME_SIG: _Reading._time_signature,
    Kind.TEMPO: _Reading._tempo,
    Kind.KEY_SIG: _Reading._key,
    Kind.PROGRAM: _Reading._set_program,
    Kind.PITCH: _Reading._pitch,
    Kind.NOTE_ON: _Reading._pitch,
    Kind.NOTE_OFF: _Reading._note_off,
    Kind.VELOCITY: _Reading._velocity,
    Kind.DURATION: _Reading._duration,
    Kind.INTERVAL_TIME: _Reading._interval_time,
    Kind.INTERVAL_CHORD: _Reading._interval_chord,
    Kind.PEDAL: _Reading._pedal,
    Kind.PEDAL_OFF: _Reading._pedal_off,
    Kind.PITCH_BEND: _Reading._bend,
    Kind.CONTROL: _Reading._control,
    Kind.CHORD: _Reading._chord,
}
