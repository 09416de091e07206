"""A place in a token sequence: which notes can begin there, and later.

Time is in ticks of the tokenizer's grid throughout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.rulebook import Constraints, Ends, Entry, Joining, Mask, Rulebook
from toccata.tokenizers.scheme import Clock
from toccata.tokenizers.state import NEVER, State
from toccata.tokenizers.vocabulary import DRUMS, Kind

_HANDS = 8
"""How many notes the last chord of a program has at most."""
_LAST = 2
"""The bars of an ending, which has no more notes at once than there were before, and no wider range."""
_BEYOND, _OCTAVE = 2, 12
"""Semitones by which an ending goes beyond a program's range, and what that range is at least."""


class Reach:
    """The part of :class:`~toccata.tokenizers.cursor.Cursor` that computes which notes can still begin."""

    __slots__ = (
        "_before_end", "_deadline", "_ever", "_free", "_lines", "_longest", "_met", "_pitches", "_plays", "_soonest",
        "_within", "begun", "closing",
        "constraints", "floor", "grammar", "place", "reached", "state", "struck", "struck_at",
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
        self._pitches = _pitches(grammar, constraints)  # bool[129, 128], what each program may play
        # int64[129], the most notes at once of each program; None: any number
        self._lines = None if grammar.scheme.note_off else constraints.lines
        # For each program, of its notes before the ending: the most at once, the lowest and the highest.
        self._before_end: Mapping[int, tuple[int, int, int]] = {}
        self._plays &= self._pitches.any(axis=1)
        self._deadline: int | None = None  # see `deadline`; None: not computed since a token was read
        self._ever = self._plays  # those of them that may, whoever has played so far
        self._met: tuple[int, Mapping[int, int]] = (-1, {})  # bar and players for which they were found last
        self._soonest = 0  # the earliest of those of the programs that may play
        self._longest: dict[int, int] = {}  # by ticks a beat, the longest of their shortest notes
        if constraints.joining is not None:
            self._join(constraints.joining)
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
        self._deadline = None
        if self.constraints.joining is not None:
            self._join(self.constraints.joining)
        for note in self.state.made:
            if note.onset >= self.floor:
                self.reached = max(self.reached, note.onset + note.length)
        if self.state.ends is not ends:  # a note of the program that is playing
            program = self.state.program
            pitch_ends = self.state.ends[program]
            free = self._free.copy()  # copies of this cursor share it
            free[program] = pitch_ends.min(where=self._pitches[program], initial=NEVER)
            if (most := self._at_once(program, pitch_ends)) < 128:
                free[program] = max(free[program], np.partition(pitch_ends, 128 - most)[128 - most])
            self._free = free
            self._soonest = int(free.min(where=self._plays, initial=NEVER))

    def _at_once(self, program: int, pitch_ends: NDArray[np.int64]) -> int:
        """Return the most notes of a program, one of which was just read, that may sound at once; 128: any number."""
        most = 128 if self._lines is None else int(self._lines[program])
        constraints, state = self.constraints, self.state
        if not constraints.calm or constraints.bars is None or program == DRUMS or self.grammar.scheme.note_off:
            return most
        at_once, low, high = self._before_end.get(program, (0, 127, 0))
        if state.bar >= constraints.bars - _LAST:
            return min(most, _HANDS, at_once) if at_once else most
        sounding = np.flatnonzero(pitch_ends > state.tick)
        if len(sounding):
            found = max(at_once, len(sounding)), min(low, int(sounding[0])), max(high, int(sounding[-1]))
            self._before_end = {**self._before_end, program: found}
        return most

    def _join(self, joining: Joining) -> None:
        """Find who may play now, where a bar or a player is new."""
        state = self.state
        if state.bar == self._met[0] and state.bars_played is self._met[1]:
            return
        self._met = state.bar, state.bars_played
        plays = self._ever & joining.may_play(state)
        if plays.any() and not np.array_equal(plays, self._plays):
            self._plays, self._longest = plays, {}
            self._soonest = int(self._free.min(where=plays, initial=NEVER))

    def _strike(self, pitch: int) -> None:
        """A note is about to begin."""
        tick, ends = self.state.tick, self.state.ends.get(self.state.program)
        before = self.struck if self.struck_at == tick else ()
        self.struck, self.struck_at = (*before, (pitch, ends is not None and int(ends[pitch]) == tick)), tick
        self.begun = (*self.begun, pitch)

    def plays(self, program: int) -> bool:
        """Whether a program may play at all; 128 is the drums."""
        return bool(self._plays[program])

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

    def _next_bar_tick(self) -> int:
        state = self.state
        return state.bar_tick + (state.ticks_per_bar if state.bar >= 0 else 0)

    @property
    def deadline(self) -> int:
        """The tick to which time may pass in this bar so that every program that must still play in it can.

        NEVER where none must, or none of them can any more.
        """
        if not self.constraints.players or self.closing or self.state.bar < 0:
            return NEVER
        if self._deadline is None:
            entries = [entry for players in self.constraints.players for entry in players.missing(self.state)]
            entries = [entry for entry in entries if self._plays[entry.program]]
            self._deadline = self._latest_entry(entries) if entries else NEVER
        return self._deadline

    def _entering(self) -> frozenset[int]:
        """Return the programs that must begin a note before any time passes; empty: none, or the one that plays."""
        tick, found = self.state.tick, set[int]()
        if self.deadline <= tick:
            for players in self.constraints.players:
                for entry in players.missing(self.state):
                    if self._plays[entry.program] and self._latest_entry([entry]) <= tick:
                        found.add(entry.program)
        return frozenset() if self.state.program in found else frozenset(found)

    def _latest_entry(self, entries: Sequence[Entry]) -> int:
        """Return the latest tick at which none of some entries is too late; those that cannot be are left out."""
        latest, places = NEVER, None
        positions = self.grammar.scheme.timing.clock is Clock.POSITIONS
        for program, first, last in entries:
            # Nearly always a place on the grid can be counted; only rules and single shifts need all of them.
            if not self._is_timed(program) and (not self.grammar.shift_needs_note or positions):
                latest = min(latest, self._last_place(program, first, last))
                continue
            places = self._places_left() if places is None else places
            ticks = places[(places >= first) & (places <= last)]
            ticks = ticks[self._note_of_program_fits(program, ticks)]
            latest = min(latest, int(ticks[-1]) if len(ticks) else NEVER)
        return latest

    def _last_place(self, program: int, first: int, last: int) -> int:
        """Return the last place of this bar in ``[first, last]`` at which a note of a program fits; NEVER: none."""
        step, begin = self.state.ticks_per_position, self._first_place()
        last = min(last, self.end_tick - self._shortest(program), min(self._next_bar_tick(), self.end_tick) - 1)
        place = begin + (last - begin) // step * step
        return place if place >= max(begin, first, int(self._free[program]), self.floor) else NEVER

    def _note_limit(self) -> int:
        """Return the tick by which a note of the program that plays must have ended."""
        state, limit = self.state, self.end_tick
        single = self._lines is not None and self._lines[state.program] < 128
        for players in self.constraints.players:
            limit = min(limit, players.free_by(state, state.program, single))
        return min(max(limit, state.tick + self._shortest(state.program)), self.end_tick)

    def _places_left(self) -> NDArray[np.int64]:
        """Return the ticks of this bar at which a note may still begin, ``int64[n]``, rising."""
        state = self.state
        end = min(self._next_bar_tick(), self.end_tick)
        ticks = np.arange(self._first_place(), end, state.ticks_per_position)
        if self.grammar.shift_needs_note and self.grammar.scheme.timing.clock is Clock.SHIFTS:  # where one shift leads
            ticks = ticks[np.isin(ticks, state.tick + self._lengths(Kind.TIME_SHIFT))]
        return ticks[ticks >= self.floor]

    def _first_place(self) -> int:
        """Return the first tick at which a note may still begin: now, or the next position that can be named."""
        state, step = self.state, self.state.ticks_per_position
        if self.grammar.scheme.timing.clock is Clock.POSITIONS and state.position_tick < state.tick:
            first = max(state.position_tick + 1, state.tick)
            return state.bar_tick - (state.bar_tick - first) // step * step
        return state.tick

    def _note_of_program_fits(self, program: int, ticks: NDArray[np.int64]) -> Mask:
        """Return at which of ``ticks``, from now on, a note of a program can begin, ``bool[n]``."""
        fits: Mask = (ticks >= self._free[program]) & (ticks <= self.end_tick - self._shortest(program))
        if self._is_timed(program) and fits.any():
            left = self._ruled(ticks[fits]) & self._pitches[program] & ~self._rests(program, ticks[fits])[:, None]
            ends = self.state.ends.get(program)
            fits[fits] = (left if ends is None else left & (ends <= ticks[fits, None])).any(axis=1)
        return fits

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

    def free_pitches(self, program: int) -> Mask:
        """The pitches that a note of ``program`` may begin on at this tick, ``bool[128]``; none where it may not."""
        return self._free_pitches(program) if self._may_start(program) else np.zeros(128, np.bool_)

    def _free_pitches(self, program: int) -> Mask:
        free: Mask = self._pitches[program]
        ends = self.state.ends.get(program)
        if ends is not None:
            if self._free[program] > self.state.tick:
                return np.zeros(128, np.bool_)
            free = free & (ends <= self.state.tick)
        if not self._is_timed(program):
            return free
        now = np.array([self.state.tick])
        left: Mask = free & self._ruled(now)[0] & ~self._rests(program, now)
        return left

    def _preferred(self, program: int, free: Mask) -> Mask:
        """Return those of some pitches that the preferences leave, ``bool[128]``; all where they leave none.

        Before them comes, in an ending, the range that the program has had.
        """
        if program in self._before_end and self.state.bar >= (self.constraints.bars or 0) - _LAST:
            _, low, high = self._before_end[program]
            beyond = max(_BEYOND, (_OCTAVE - (high - low)) // 2)
            inside = np.zeros(128, np.bool_)
            inside[max(0, low - beyond) : high + beyond + 1] = True
            free = free & inside if (free & inside).any() else free
        for preference in self.constraints.preferences:
            for wanted in preference.preferred(self.state, program):
                if (better := free & wanted).any():
                    free = better
                    break
        return free

    def _is_timed(self, program: int) -> bool:
        """Whether the pitches of a program depend on the time."""
        constraints = self.constraints
        return program != DRUMS and bool(constraints.pitch_rules or program in constraints.rests)

    def _rests(self, program: int, ticks: NDArray[np.integer[Any]]) -> Mask:
        """Return at which of ``ticks`` a program may begin no note, ``bool[n]``."""
        table = self.constraints.rests.get(program)
        if table is None:
            return np.zeros(len(ticks), np.bool_)
        found: Mask = table[np.minimum(ticks, len(table) - 1)] & (ticks < len(table))
        return found

    def _ruled(self, ticks: NDArray[np.integer[Any]]) -> Mask:
        """Return the pitches that all ``pitch_rules`` allow at each of ``ticks``, ``bool[n, 128]``."""
        if not self.constraints.pitch_rules:
            return np.ones((len(ticks), 128), np.bool_)
        first, *others = self.constraints.pitch_rules
        left = first.pitches(self.state, ticks.astype(np.int64))
        for rule in others:
            left = left & rule.pitches(self.state, ticks.astype(np.int64))
        return left

    def _open_now(self) -> Mask:
        """Return which programs have a pitch that they may begin at this tick, ``bool[129]``."""
        tick = self.state.tick
        free: Mask = self._free <= tick
        if self._any_timed:
            now = np.array([tick])
            left = self._ruled(now)[0] & self._pitches[:DRUMS]
            for program, ends in self.state.ends.items():
                if program != DRUMS:
                    left[program] &= ends <= tick
            for program in self.constraints.rests:
                left[program] &= ~self._rests(program, now)
            free[:DRUMS] &= left.any(axis=1)
        return free

    @property
    def _any_timed(self) -> bool:
        return bool(self.constraints.pitch_rules or self.constraints.rests)

    def _any_fits_before(self, tick: int) -> bool:
        """Whether until ``tick`` a note fits as soon as a pitch is free, whichever the time and the program."""
        return not self._any_timed and tick <= self.end_tick - self._longest_shortest()

    def _some_note_fits(self, ticks: NDArray[np.integer[Any]]) -> Mask:
        """At which of ``ticks`` a program that may play has a pitch free and the time for its shortest note."""
        if self._any_timed:
            return self._some_timed_note_fits(ticks)
        if self._any_fits_before(int(ticks.max(initial=0))):
            fits: Mask = ticks >= self._soonest
            return fits
        latest = self.end_tick - self.grammar.scheme.shortest_notes[self.state.ticks_per_beat][self._plays]
        free = self._free[self._plays]
        together: Mask = np.any((ticks[:, None] >= free) & (ticks[:, None] <= latest), axis=1)
        return together

    def _some_timed_note_fits(self, ticks: NDArray[np.integer[Any]]) -> Mask:
        """The same where pitches depend on the time; of ticks to come."""
        latest = self.end_tick - self.grammar.scheme.shortest_notes[self.state.ticks_per_beat]
        fits: Mask = np.zeros(len(ticks), np.bool_)
        if self._plays[DRUMS]:
            fits |= (ticks >= self._free[DRUMS]) & (ticks <= latest[DRUMS])
        ends = self.state.ends
        fresh = self._plays[:DRUMS].copy()
        apart = {program for program in (*ends, *self.constraints.rests) if program != DRUMS and self._plays[program]}
        fresh[list(apart)] = False
        coming = (ticks >= self.state.tick) & ~fits
        if not coming.any():
            return fits
        left = self._ruled(ticks)
        if fresh.any():
            for pitches, last in self._kinds(fresh, latest):
                fits |= (left & pitches).any(axis=1) & (ticks <= last)
        for program in sorted(apart):
            until = ends.get(program, _SILENT)
            late = coming & ~fits & (ticks <= latest[program]) & (ticks >= self._free[program])
            late &= ~self._rests(program, ticks)
            if not late.any():
                continue
            # Mostly a pitch is left that does not sound any more; else it depends on when each one ends.
            mine = left & self._pitches[program]
            fits |= late & (mine & (until <= self.state.tick)).any(axis=1)
            if (late := late & ~fits).any():
                fits[late] = (mine[late] & (until <= ticks[late, None])).any(axis=1)
        return fits

    def _kinds(self, programs: Mask, latest: NDArray[np.int64]) -> list[tuple[Mask, int]]:
        """Return the different ranges of some pitched programs, each with the latest tick at which one of it fits."""
        found: dict[bytes, tuple[Mask, int]] = {}
        for program in np.flatnonzero(programs).tolist():
            pitches, last = self._pitches[program], int(latest[program])
            key = pitches.tobytes()
            found[key] = pitches, max(last, found[key][1]) if key in found else last
        return list(found.values())

    def _may_start(self, program: int) -> bool:
        tick = self.state.tick
        if tick < self.floor or not self._plays[program] or tick > self.end_tick - self._shortest(program):
            return False
        return bool(self._free_pitches(program).any() if self._is_timed(program) else self._free[program] <= tick)

    def _may_stop(self, program: int) -> bool:
        return any(onset < self.state.tick for onset, _ in self.state.started.get(program, {}).values())


def _pitches(grammar: Rulebook, constraints: Constraints) -> Mask:
    """Return the pitches that each program may play, whatever the time, ``bool[129, 128]``."""
    scheme = grammar.scheme
    found = np.repeat(scheme.pitches(False)[None], DRUMS + 1, axis=0)
    found[DRUMS] = scheme.pitches(True)
    if constraints.pitches is not None:
        found[:DRUMS] &= constraints.pitches
    if constraints.ranges is not None:
        found &= constraints.ranges
    return found


_SILENT = np.zeros(128, np.int64)
"""The ends of the notes of a program that has none."""
_STARTS = (Kind.PITCH, Kind.NOTE_ON)
