"""A place in a token sequence: which notes can begin there, and later.

Time is in ticks of the tokenizer's grid throughout.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.rulebook import Constraints, Ends, Mask, Rulebook
from toccata.tokenizers.state import NEVER, State
from toccata.tokenizers.vocabulary import DRUMS, Kind


class Reach:
    """The part of :class:`~toccata.tokenizers.cursor.Cursor` that computes which notes can still begin."""

    __slots__ = (
        "_free", "_longest", "_plays", "_soonest", "_within", "begun", "closing", "constraints", "floor", "grammar",
        "place", "reached", "state", "struck", "struck_at",
    )  # fmt: skip

    def __init__(self, grammar: Rulebook, state: State, constraints: Constraints) -> None:
        self.grammar, self.state, self.constraints = grammar, state, constraints
        self.floor = 0
        self.closing = False
        self.place = 0
        self.reached = 0  # the tick until which what began at ``floor`` or later sounds
        self.begun: tuple[int, ...] = ()
        # The notes begun at tick ``struck_at``: each pitch, and whether a note of it had ended just there.
        self.struck: tuple[tuple[int, bool], ...] = ()
        self.struck_at = -1
        self._free = np.zeros(DRUMS + 1, np.int64)  # for each program, when it has a pitch it may play
        # Which programs may play, bool[129]; a scheme that names none has one.
        self._plays = np.zeros(DRUMS + 1, np.bool_)
        self._plays[grammar.program_values if grammar.scheme.has_programs else [0]] = True
        if constraints.programs is not None and grammar.scheme.has_programs:
            self._plays &= constraints.programs
        self._soonest = 0  # the earliest of those of the programs that may play
        self._longest: dict[int, int] = {}  # by ticks a beat, the longest of their shortest notes
        if grammar.merges is not None:
            self._within = grammar.merges.within(self._plays, constraints.pitches)

    def advance(self, token: int) -> None:
        """Read one id, legal or not: a prompt may hold what a generator may not write."""
        for base in self.grammar.base(token):
            self.read(base)

    def read(self, base: int) -> None:
        """Read one base token."""
        ends = self.state.ends
        if self.constraints.script is not None and self.grammar.scheme.kinds[base] in _STARTS:
            self._strike(self.grammar.scheme.values[base])
        self.state.read(base)
        self.place += 1
        for note in self.state.made:
            if note.onset >= self.floor:
                self.reached = max(self.reached, note.onset + note.length)
        if self.state.ends is not ends:  # a note of the program that is playing
            program = self.state.program
            playable = self._playable(program)
            free = self._free.copy()  # copies of this cursor share it
            free[program] = self.state.ends[program].min(where=playable, initial=NEVER)
            self._free = free
            self._soonest = int(free.min(where=self._plays, initial=NEVER))

    def _strike(self, pitch: int) -> None:
        """A note is about to begin."""
        tick, ends = self.state.tick, self.state.ends.get(self.state.program)
        before = self.struck if self.struck_at == tick else ()
        self.struck, self.struck_at = (*before, (pitch, ends is not None and int(ends[pitch]) == tick)), tick
        self.begun = (*self.begun, pitch)

    # -- bounds --------------------------------------------------------------------------------------------------------

    @property
    def end_tick(self) -> int:
        """The tick at which the last requested bar ends, if the meter stays."""
        if self.constraints.end is not None:
            return self.constraints.end
        if self.constraints.bars is None:
            return NEVER
        state = self.state
        return state.bar_tick + (self.constraints.bars - max(state.bar, 0)) * state.ticks_per_bar

    def _waits(self) -> bool:
        """Whether the end still waits for a note (see :class:`~toccata.tokenizers.rulebook.Ends`)."""
        ends, state = self.constraints.ends, self.state
        if self.closing or ends is Ends.ANYHOW or not self.grammar.scheme.has_notes:
            return False  # the end is requested, so nothing delays it
        if ends is Ends.AFTER_A_NOTE:
            return state.onset < self.floor
        last = self.end_tick - state.ticks_per_bar
        if state.onset >= last:
            return False
        # A note that has not ended yet may still sound there.
        open_ended = any(onset >= self.floor for held in state.started.values() for onset, _ in held.values())
        return ends is Ends.ON_A_NOTE or not (open_ended or self.reached > last)

    def _lengths(self, kind: Kind) -> NDArray[np.int64]:
        return self.grammar.scheme.timing.lengths[kind, self.state.ticks_per_beat]

    def _shortest(self, program: int) -> int:
        """The length of the shortest note that ``program`` can play."""
        return int(self.grammar.scheme.shortest_notes[self.state.ticks_per_beat][program])

    def _longest_shortest(self) -> int:
        """The longest of the shortest notes of the programs that may play; this long before the end any of them can."""
        beat = self.state.ticks_per_beat
        if beat not in self._longest:
            self._longest[beat] = int(self.grammar.scheme.shortest_notes[beat].max(where=self._plays, initial=0))
        return self._longest[beat]

    def _playable(self, program: int) -> Mask:
        known = self.grammar.scheme.pitches(program == DRUMS)
        return known if self.constraints.pitches is None or program == DRUMS else known & self.constraints.pitches

    def free_pitches(self, program: int) -> Mask:
        """The pitches that a note of ``program`` may begin on at this tick, ``bool[128]``; none where it may not."""
        return self._free_pitches(program) if self._may_start(program) else np.zeros(128, np.bool_)

    def _free_pitches(self, program: int) -> Mask:
        free = self._playable(program)
        ends = self.state.ends.get(program)
        free = free if ends is None else free & (ends <= self.state.tick)
        return free & self._ruled(np.array([self.state.tick]))[0] if self._is_ruled(program) else free

    def _is_ruled(self, program: int) -> bool:
        return bool(self.constraints.pitch_rules) and program != DRUMS

    def _ruled(self, ticks: NDArray[np.integer[Any]]) -> Mask:
        """Return the pitches that all ``pitch_rules`` allow at each of ``ticks``, ``bool[n, 128]``."""
        first, *others = self.constraints.pitch_rules
        left = first.pitches(self.state, ticks.astype(np.int64))
        for rule in others:
            left = left & rule.pitches(self.state, ticks.astype(np.int64))
        return left

    def _open_now(self) -> Mask:
        """Return which programs have a pitch that they may begin at this tick, ``bool[129]``."""
        tick = self.state.tick
        free: Mask = self._free <= tick
        if self.constraints.pitch_rules:
            left = self._ruled(np.array([tick]))[0] & self._playable(0)
            free[:DRUMS] = left.any()
            for program, ends in self.state.ends.items():
                if program != DRUMS:
                    free[program] = (left & (ends <= tick)).any()
        return free

    def _any_fits_before(self, tick: int) -> bool:
        """Whether until ``tick`` a note fits as soon as a pitch is free, whichever the time and the program."""
        return not self.constraints.pitch_rules and tick <= self.end_tick - self._longest_shortest()

    def _some_note_fits(self, ticks: NDArray[np.integer[Any]]) -> Mask:
        """At which of ``ticks`` a program that may play has a pitch free and the time for its shortest note."""
        if self.constraints.pitch_rules:
            return self._some_ruled_note_fits(ticks)
        if self._any_fits_before(int(ticks.max(initial=0))):
            fits: Mask = ticks >= self._soonest
            return fits
        latest = self.end_tick - self.grammar.scheme.shortest_notes[self.state.ticks_per_beat][self._plays]
        free = self._free[self._plays]
        together: Mask = np.any((ticks[:, None] >= free) & (ticks[:, None] <= latest), axis=1)
        return together

    def _some_ruled_note_fits(self, ticks: NDArray[np.integer[Any]]) -> Mask:
        """The same where pitches depend on the time; of ticks to come."""
        latest = self.end_tick - self.grammar.scheme.shortest_notes[self.state.ticks_per_beat]
        fits: Mask = np.zeros(len(ticks), np.bool_)
        if self._plays[DRUMS]:
            fits |= (ticks >= self._free[DRUMS]) & (ticks <= latest[DRUMS])
        ends = self.state.ends
        fresh = self._plays[:DRUMS].copy()
        fresh[[program for program in ends if program != DRUMS]] = False
        coming = (ticks >= self.state.tick) & ~fits
        if not coming.any():
            return fits
        left = self._ruled(ticks) & self._playable(0)
        if fresh.any():
            fits |= left.any(axis=1) & (ticks <= latest[:DRUMS][fresh].max())
        for program, until in ends.items():
            late = coming & ~fits & (ticks <= latest[program])
            if program == DRUMS or not self._plays[program] or not late.any():
                continue
            # Mostly a pitch is left that does not sound any more; else it depends on when each one ends.
            fits |= late & (left & (until <= self.state.tick)).any(axis=1)
            if (late := late & ~fits).any():
                fits[late] = (left[late] & (until <= ticks[late, None])).any(axis=1)
        return fits

    def _may_start(self, program: int) -> bool:
        tick = self.state.tick
        if tick < self.floor or not self._plays[program] or tick > self.end_tick - self._shortest(program):
            return False
        return bool(self._free_pitches(program).any() if self._is_ruled(program) else self._free[program] <= tick)

    def _may_stop(self, program: int) -> bool:
        return any(onset < self.state.tick for onset, _ in self.state.started.get(program, {}).values())


_STARTS = (Kind.PITCH, Kind.NOTE_ON)
