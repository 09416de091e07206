"""The time encoding and the order of tokens of each scheme, from its settings."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.scheme import Clock, Timing
from toccata.tokenizers.settings import Settings
from toccata.tokenizers.vocabulary import Kind, Vocabulary

INSIDE = frozenset({Kind.VELOCITY, Kind.DURATION})
"""The kinds that belong to a note that has begun."""


def timing(settings: Settings, vocabulary: Vocabulary) -> Timing:
    """Return how a scheme encodes time with these settings."""
    beats = settings.ticks_per_beat if settings.use_time_signatures else {4: settings.ticks_per_quarter}
    lengths: dict[tuple[Kind, int], NDArray[np.int64]] = {}
    for beat in set(beats.values()):
        for kind in (Kind.DURATION, Kind.TIME_SHIFT, Kind.REST):
            lengths[kind, beat] = np.array([length(text, beat) for text in vocabulary.times(kind)], np.int64)
    return Timing(
        clock=Clock.POSITIONS if settings.bar_lines else Clock.SHIFTS,
        ticks_per_quarter=beats[4],
        ticks_per_beat=beats,
        ticks_per_position={d: ticks // settings.positions_per_beat for d, ticks in beats.items()},
        lengths=lengths,
        rest_from_note_end=settings.scheme != "MIDILike",
        default_length=settings.default_note_duration,
        duration_programs=settings.use_note_duration_programs,
    )


def length(text: str, ticks_per_beat: int) -> int:
    """The ticks of a length that a word says (``"2.5.8"``)."""
    beats, steps, resolution = map(int, text.split("."))
    return (beats * resolution + steps) * ticks_per_beat // resolution


def follows_of(settings: Settings, vocabulary: Vocabulary) -> dict[Kind, frozenset[Kind]]:
    """For each kind of token the kinds that may come next, and for SPECIAL those that may open a piece."""
    graph = _Successions(settings)
    clock = Clock.POSITIONS if settings.bar_lines else Clock.SHIFTS
    return finished(graph.after, vocabulary, clock)


def finished(graph: dict[Kind, set[Kind]], vocabulary: Vocabulary, clock: Clock) -> dict[Kind, frozenset[Kind]]:
    """A graph of kinds, cut to those that a vocabulary has, and with what may open a piece."""
    present = {Kind(int(k)) for k in np.unique(vocabulary.kinds)}
    follows = {kind: frozenset(after) & present for kind, after in graph.items()}
    # A controller may follow anything; inside a note the decoder would lose the note.
    for kind, kinds in follows.items():
        if kinds & INSIDE:
            follows[kind] = kinds - {Kind.CONTROL}
    if Kind.CONTROL in follows:
        follows[Kind.CONTROL] -= INSIDE
    if clock is Clock.POSITIONS:
        follows[Kind.SPECIAL] = frozenset({Kind.BAR})
    elif Kind.TIME_SIG in present:
        follows[Kind.SPECIAL] = frozenset({Kind.TIME_SIG})
    else:
        after_time = follows.get(Kind.TIME_SHIFT, frozenset())
        alone = Kind.TIME_SHIFT not in after_time  # Structured: every note has its time shift
        follows[Kind.SPECIAL] = frozenset({Kind.TIME_SHIFT}) if alone else after_time | {Kind.TIME_SHIFT}
    return follows


class _Successions:
    """Builds the graph of what may follow what, one option after the other.

    Attributes:
        after: For each kind the kinds that may follow it.
        head: The kind that a note begins with.
        heads: All kinds that a note may begin with.
        last: The kind that a note ends with.
        move: The kind that time moves by within a bar, or altogether.
        moves: All kinds that time moves by.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.after: dict[Kind, set[Kind]] = {}
        self.start = Kind.NOTE_ON if settings.note_off else Kind.PITCH
        self.head = Kind.PROGRAM if settings.use_programs and not settings.program_changes else self.start
        with_length = bool(settings.use_note_duration_programs)
        self.ends = with_length and settings.note_off  # by a note-off
        self.lengths = with_length and not settings.note_off
        self.last = Kind.DURATION if self.lengths else Kind.VELOCITY if settings.use_velocities else self.start
        self.move = Kind.POSITION if settings.bar_lines else Kind.TIME_SHIFT
        self.moves = {Kind.POSITION, Kind.BAR} if settings.bar_lines else {Kind.TIME_SHIFT}
        if settings.scheme == "Structured":
            self._structured()
            return
        self.heads: tuple[Kind, ...] = (self.head,)
        if settings.running_status:
            self._running_status()
            self._global()
            return
        self._notes()
        if settings.use_pitch_intervals:
            self._intervals()
        if settings.program_changes:
            self._add([self.last, *([Kind.NOTE_OFF] if self.ends else [])], Kind.PROGRAM)
        self._global()
        if settings.use_sustain_pedals:
            self._pedals()
        if settings.use_pitch_bends:
            self._bends()
        self._rests()
        if settings.program_changes:
            self._program_changes()
        if settings.use_control_changes:
            known = set(self.after) | {Kind.CONTROL}
            self._add(known, Kind.CONTROL)
            self.after[Kind.CONTROL] |= known

    def _add(self, kinds: Iterable[Kind], *more: Kind) -> None:
        """``more`` may follow each of ``kinds``."""
        for kind in kinds:
            self.after.setdefault(kind, set()).update(more)

    def _structured(self) -> None:
        order = [Kind.TIME_SHIFT, *([Kind.PROGRAM] if self.settings.use_programs else []), Kind.PITCH]
        order += [Kind.VELOCITY] if self.settings.use_velocities else []
        order += [Kind.DURATION] if self.lengths else []
        for kind, following in zip(order, [*order[1:], order[0]], strict=True):
            self.after[kind] = {following}

    def _running_status(self) -> None:
        """Before a pitch what has changed, in one order."""
        settings = self.settings
        note = [
            *([Kind.PROGRAM] if settings.use_programs else []),
            *([Kind.VELOCITY] if settings.use_velocities else []),
        ]
        note += [Kind.DURATION, Kind.PITCH]
        self.heads = tuple(note)
        for number, kind in enumerate(note[:-1]):
            self._add([kind], *note[number + 1 :])
        self._add([Kind.PITCH], *note, *self.moves)
        self._add([Kind.POSITION], *note)
        self._add([Kind.BAR], *((Kind.TIME_SIG,) if settings.use_time_signatures else self.moves))

    def _notes(self) -> None:
        settings, moves = self.settings, self.moves
        if settings.use_programs:
            self._add([Kind.PROGRAM], self.start, *([Kind.NOTE_OFF] if self.ends else []))
        inside = [self.start, *([Kind.VELOCITY] if settings.use_velocities else [])]
        inside += [Kind.DURATION] if self.lengths else []
        for kind, following in itertools.pairwise(inside):
            self._add([kind], following)
        self._add([inside[-1]], self.head, *moves)
        self._add([self.move], self.head)
        if Kind.BAR in moves:
            self._add([Kind.BAR], *((Kind.TIME_SIG,) if settings.use_time_signatures else moves))
        else:
            self._add([self.move], self.move)
        if self.ends:
            self._add([Kind.NOTE_OFF], Kind.NOTE_OFF, self.head, *moves)
            self._add([self.move], Kind.NOTE_OFF)

    def _intervals(self) -> None:
        """Intervals stand where pitches do."""
        settings, both = self.settings, (Kind.INTERVAL_TIME, Kind.INTERVAL_CHORD)
        if settings.note_off:
            self._add(both, self.last)
            if not settings.use_velocities:
                self._add(both, *both, *self.moves)
        elif self.last is self.start:
            self._add(both, self.head, *both, *self.moves)
        else:
            self._add(both, Kind.VELOCITY if settings.use_velocities else Kind.DURATION)
        if settings.use_programs:
            self._add([Kind.PROGRAM], *both)
        else:
            self._add([self.last, self.move, *([Kind.NOTE_OFF] if self.ends else [])], *both)

    def _global(self) -> None:
        """Chords, tempos, meters and keys."""
        settings = self.settings
        if settings.use_chords:
            self._add([Kind.CHORD], self.head, *self._interval_kinds())
            self._add([self.move, *([Kind.NOTE_OFF] if self.ends else [])], Kind.CHORD)
            if settings.use_programs:
                self._add([Kind.PROGRAM], Kind.CHORD)
        used = self._global_kinds()
        for kind in used:
            if kind is not Kind.TIME_SIG or not settings.bar_lines:
                self._add([self.move], kind)
            self._add([kind], *self.heads, *self.moves, *self._interval_kinds())
            if settings.use_chords:
                self._add([kind], Kind.CHORD)
            if settings.use_rests:
                self._add([kind], Kind.REST)
            if self.ends and self.head is self.start:
                self._add([kind], Kind.NOTE_OFF)
        if {Kind.TEMPO, Kind.TIME_SIG} <= set(used):
            first, second = (Kind.TEMPO, Kind.TIME_SIG) if settings.bar_lines else (Kind.TIME_SIG, Kind.TEMPO)
            self._add([first], second)
        if settings.use_key_signatures:
            self._add(used, Kind.KEY_SIG)

    def _pedals(self) -> None:
        settings = self.settings
        held = settings.sustain_pedal_duration
        both = (Kind.PEDAL,) if held else (Kind.PEDAL, Kind.PEDAL_OFF)
        self._add([self.move, *self._global_kinds(), *([Kind.NOTE_OFF] if self.ends else [])], *both)
        if held:
            self._add([Kind.PEDAL], Kind.DURATION)
            self._add([self.last], *([] if settings.note_off else [Kind.PEDAL]))
            if not self.lengths:
                self._add([Kind.DURATION], self.head, *self.moves)
            if settings.note_off:
                self._add([Kind.DURATION], Kind.PEDAL, *([Kind.NOTE_OFF] if self.ends else []))
            self._add([Kind.DURATION], *self._interval_kinds())
        else:
            self._add([Kind.PEDAL], Kind.PEDAL, self.head, *self.moves)
            self._add([Kind.PEDAL_OFF], *both, self.head, *self.moves)
            self._add(both, *self._interval_kinds(), *([Kind.NOTE_OFF] if self.ends else []))
        if settings.use_chords:
            self._add(both, Kind.CHORD)
            if not held:
                self._add([Kind.CHORD], Kind.PEDAL_OFF)
        if settings.use_rests:
            self._add(both, Kind.REST)

    def _bends(self) -> None:
        settings = self.settings
        self._add([Kind.PITCH_BEND], self.head, *self.moves, *([Kind.NOTE_OFF] if self.ends else []))
        if settings.use_programs and not settings.program_changes:
            self._add([Kind.PROGRAM], Kind.PITCH_BEND)
        else:
            before = [self.move, *self._global_kinds(), *([Kind.NOTE_OFF] if self.ends else [])]
            if settings.use_sustain_pedals:
                before += [Kind.PEDAL, Kind.DURATION if settings.sustain_pedal_duration else Kind.PEDAL_OFF]
            self._add(before, Kind.PITCH_BEND)
        if settings.use_chords:
            self._add([Kind.PITCH_BEND], Kind.CHORD)
        if settings.use_rests:
            self._add([Kind.PITCH_BEND], Kind.REST)

    def _rests(self) -> None:
        settings = self.settings
        if not settings.use_rests:
            return
        self._add([Kind.REST], Kind.REST, self.head, *self.moves, *self._global_kinds(), *self._interval_kinds())
        self._add([Kind.NOTE_OFF] if settings.note_off else [self.last], Kind.REST)
        if settings.use_chords:
            self._add([Kind.REST], Kind.CHORD)
        if settings.use_sustain_pedals:
            self._add([Kind.REST], Kind.PEDAL)
            if settings.sustain_pedal_duration:
                self._add([Kind.DURATION], Kind.REST)
            else:
                self._add([Kind.REST], Kind.PEDAL_OFF)
        if settings.use_pitch_bends:
            self._add([Kind.REST], Kind.PITCH_BEND)

    def _program_changes(self) -> None:
        """A program may change before anything but a note's inside, and be followed by all that is not one."""
        around = {self.move, Kind.REST, Kind.PITCH_BEND, Kind.CONTROL, Kind.PEDAL, Kind.PEDAL_OFF, Kind.TEMPO}
        around |= {Kind.TIME_SIG, Kind.KEY_SIG, Kind.CHORD}
        known = around & (set(self.after) | ({Kind.CONTROL} if self.settings.use_control_changes else set()))
        self._add([Kind.PROGRAM], *known)
        self._add(known, Kind.PROGRAM)

    def _global_kinds(self) -> list[Kind]:
        settings = self.settings
        used = (settings.use_tempos, settings.use_time_signatures, settings.use_key_signatures)
        kinds = (Kind.TEMPO, Kind.TIME_SIG, Kind.KEY_SIG)
        return [kind for kind, uses in zip(kinds, used, strict=True) if uses]

    def _interval_kinds(self) -> tuple[Kind, ...]:
        return (Kind.INTERVAL_TIME, Kind.INTERVAL_CHORD) if self.settings.use_pitch_intervals else ()
