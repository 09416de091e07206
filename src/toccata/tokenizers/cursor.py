"""A place in a token sequence, and what may be written there. The rules of the grammar, one method each.

Time is in ticks of the tokenizer's grid throughout.
"""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.reach import Reach
from toccata.tokenizers.rulebook import Mask, Rule
from toccata.tokenizers.scheme import Clock
from toccata.tokenizers.state import NEVER
from toccata.tokenizers.vocabulary import DRUMS, Kind


class Cursor(Reach):
    """A place in one sequence, and what may be written there.

    Attributes:
        state: The music reached.
        constraints: What the request allows.
        floor: No note may begin before this tick.
        closing: Whether to come to the end by the shortest way.
        place: How many base tokens have been read.
        begun: With a script, the pitches of the notes begun.
        struck: With a script, the notes begun at tick ``struck_at``: each pitch, and whether a note of it had ended
            just there.
    """

    __slots__ = ()

    def allowed(self) -> Mask:
        """The ids that may come next, ``bool[grammar.size]``.

        A merged id among them may still fail further on (see :meth:`admits`).
        """
        grammar = self.grammar
        mask = self._allowed()
        if grammar.merges is None:
            return mask
        state = self.state
        step = state.ticks_per_position
        position = (state.position_tick - state.bar_tick) // step if state.position_tick >= 0 else -1
        whole: Mask = mask[grammar.merges.first] & self._within
        return whole & grammar.merges.fitting(
            position, state.ticks_per_bar // step, self._meter_number(), self.constraints.meter
        )

    def admits(self, token: int) -> bool:
        """Whether ``token``, allowed by its first part, holds to its end."""
        parts = self.grammar.base(token)
        if len(parts) == 1:
            return True
        ahead = copy.copy(self)
        ahead.state = copy.copy(self.state)
        for base in parts:
            if not ahead._allowed()[base]:
                return False
            ahead.read(base)
        return True

    def synonym(self) -> tuple[int, NDArray[np.intp]] | None:
        """Return an id to which the probabilities of some others are added, as here they mean the same.

        In the last bar a bar line is the end: a model does not know the requested number of bars, and both say that
        this bar is over. If the bar line were only masked, its probability would go to the notes of the last bar.
        Before the last bar, an end means a bar line.

        Returns:
            The id, and the ids whose probabilities are added to it; None where there are none.
        """
        grammar, state, scheme = self.grammar, self.state, self.grammar.scheme
        after = grammar.masks[state.prev]
        if self.end_tick == NEVER or state.ended or not after[scheme.eos]:
            return None
        last = np.ones(len(after), np.bool_)
        self.rule_end(last)
        bars = self._ids(Kind.BAR)
        if last[scheme.eos]:
            over = bars
            if scheme.timing.clock is Clock.SHIFTS:
                shifts = self._ids(Kind.TIME_SHIFT)
                over = shifts[state.tick + self._lengths(Kind.TIME_SHIFT) > self.end_tick]
            over = over[after[over]]
            return (grammar.single(scheme.eos), self._ids_that_begin_with(over)) if len(over) else None
        if len(bars) and after[bars[0]] and not any(state.started.values()):
            return grammar.single(int(bars[0])), np.array([grammar.single(scheme.eos)])
        return None

    def _ids_that_begin_with(self, base: NDArray[np.intp]) -> NDArray[np.intp]:
        merges = self.grammar.merges
        return base if merges is None else np.flatnonzero(np.isin(merges.first, base))

    def _meter_number(self) -> int:
        meters = self.grammar.scheme.vocabulary.meters
        return meters.index(self.state.meter) if self.state.meter in meters else -1

    def _allowed(self) -> Mask:
        grammar, state = self.grammar, self.state
        if state.ended:
            only_end = np.zeros(len(grammar.scheme.vocabulary), np.bool_)
            only_end[grammar.scheme.eos] = True
            return only_end
        if self.constraints.script is not None:
            return self.constraints.script.allowed(self)
        return self.unscripted()

    def unscripted(self) -> Mask:
        """The base tokens that may come next, whatever a script says."""
        grammar, state = self.grammar, self.state
        mask: Mask = grammar.masks[state.prev].copy()
        for rule in grammar.rules[state.prev]:
            rule(self, mask)
        if entering := self._entering():  # else others might play for as long as they have pitches
            programs = mask[grammar.scheme.spans[Kind.PROGRAM]] & np.isin(grammar.program_values, list(entering))
            if programs.any():
                mask[:] = False
                mask[grammar.scheme.spans[Kind.PROGRAM]] = programs
        return self._shortest_way(mask) if self.closing else mask

    def _shortest_way(self, mask: Mask) -> Mask:
        """Return those of the allowed ids that lead to the end soonest.

        The end, else notes ended, else the longest step of time.
        """
        grammar = self.grammar
        if mask[grammar.scheme.eos]:
            only_end = np.zeros_like(mask)
            only_end[grammar.scheme.eos] = True
            return only_end
        shortest = mask & grammar.closing
        ids = self._ids(Kind.PROGRAM)
        shortest[ids] &= np.array([self._may_stop(program) for program in grammar.program_values.tolist()], np.bool_)
        shifts = self._ids(Kind.TIME_SHIFT)
        if shortest[shifts].any():
            longest = shifts[np.argmax(np.where(shortest[shifts], self._lengths(Kind.TIME_SHIFT), -1))]
            shortest[shifts] = False
            shortest[longest] = True
        return shortest if shortest.any() else mask

    # -- time ----------------------------------------------------------------------------------------------------------

    def _bar(self, mask: Mask) -> None:
        bars, state = self.constraints.bars, self.state
        last = bars is not None and state.bar + 1 >= bars
        if last or self._next_bar_tick() >= self.end_tick or self.deadline < NEVER:
            mask[self.grammar.scheme.spans[Kind.BAR]] = False

    def rule_end(self, mask: Mask) -> None:
        bars, state = self.constraints.bars, self.state
        early = state.bar < 0 if bars is None else state.bar < bars - 1
        if self.constraints.end is not None:
            early = self._next_bar_tick() < self.constraints.end
        early = early or self.deadline < NEVER
        if early or state.tick < self.floor or any(state.started.values()) or state.codes:
            mask[self.grammar.scheme.eos] = False
        elif self._waits():
            # Where no note can begin any more, the end is all that is left.
            mask[self.grammar.scheme.eos] = False
            mask[self.grammar.scheme.eos] = not mask.any()

    def _meter(self, mask: Mask) -> None:
        state, scheme = self.state, self.grammar.scheme
        span = scheme.spans[Kind.TIME_SIG]
        mask[span] = False
        at_bar = state.prev in _TIME_KINDS and state.untouched and state.tick == state.bar_tick
        if not at_bar or (Kind.TIME_SIG, 0) in state.seen or state.tick >= self.end_tick:
            return
        if self.constraints.meter and not (self.constraints.steady and state.bar > 0):
            bars, last = self.constraints.bars, max(state.note_end, state.tick)
            room = True if bars is None else state.bar_tick + (bars - state.bar) * scheme.meter_bars >= last
            mask[span] = room
        if (number := self._meter_number()) >= 0:
            mask[self._ids(Kind.TIME_SIG)[number]] = True

    def _position(self, mask: Mask) -> None:
        state = self.state
        scheme = self.grammar.scheme
        ticks = state.bar_tick + scheme.position_ticks[state.ticks_per_position]
        first = max(state.position_tick + 1, state.tick, self.floor)
        line = self._next_bar_tick()
        if self._any_fits_before(line):
            fits = ticks >= max(first, self._soonest)
        else:
            fits = (ticks >= first) & self._some_note_fits(ticks)
        fits &= (ticks < line) & (ticks <= self.deadline)
        mask[scheme.spans[Kind.POSITION]] = fits

    def _shift(self, mask: Mask) -> None:
        state = self.state
        ids = self._ids(Kind.TIME_SHIFT)
        ticks = state.tick + self._lengths(Kind.TIME_SHIFT)
        if self.grammar.shift_needs_note:
            mask[ids] &= (ticks >= self.floor) & self._some_note_fits(ticks)
        else:
            mask[ids] &= ticks <= self.end_tick
            self._keep_in_reach(mask, ids, ticks)
        self._keep_in_bar(mask, ids, ticks)

    def _rest(self, mask: Mask) -> None:
        state, timing = self.state, self.grammar.scheme.timing
        since = max(state.note_end, state.tick) if timing.rest_from_note_end else state.tick
        ids = self._ids(Kind.REST)
        last = self.end_tick if timing.clock is Clock.SHIFTS else self.end_tick - 1
        ticks = since + self._lengths(Kind.REST)
        mask[ids] &= (ticks <= last) & (state.bar >= 0)
        self._keep_in_reach(mask, ids, ticks)
        self._keep_in_bar(mask, ids, ticks)

    def _keep_in_bar(self, mask: Mask, ids: NDArray[np.intp], ticks: NDArray[np.int64]) -> None:
        """While players must still enter, forbid moving time past that; and, if it can be helped, past a whole bar."""
        if not self.constraints.players or self.closing:
            return
        mask[ids] &= ticks <= self.deadline
        in_sight = mask[ids] & (ticks <= self._next_bar_tick())
        mask[ids] = in_sight if in_sight.any() else mask[ids]

    def _keep_in_reach(self, mask: Mask, ids: NDArray[np.intp], ticks: NDArray[np.int64]) -> None:
        """While the end waits for a note, forbid moving time to where none can begin any more."""
        if not self._waits():
            return
        fits = mask[ids] & self._some_note_fits(ticks)
        if self._lines is not None and fits.any():  # a line may still sound where time passes to, and end in time
            fits = mask[ids] & (ticks <= ticks[fits].max())
        follows = self.grammar.masks[self.state.prev]
        programs, starts = self._ids(Kind.PROGRAM), self._ids(self.grammar.scheme.start_kind)
        now = follows[programs].any() and self._some_note_fits(np.array([self.state.tick]))[0]
        # Behind a program there may be a note without another program.
        now = now or (follows[starts].any() and self._may_start(self.state.program))
        if fits.any() or now:
            mask[ids] = fits

    # -- notes ---------------------------------------------------------------------------------------------------------

    def _program(self, mask: Mask) -> None:
        state, grammar = self.state, self.grammar
        may = self._may_begin()
        if grammar.scheme.running_status and state.program_known:
            may[state.program] = False
        for program in state.started:
            if self._may_stop(program):
                may[program] = True
        mask[grammar.scheme.spans[Kind.PROGRAM]] = may[grammar.program_span]

    def _may_begin(self) -> Mask:
        """The programs that may begin a note now, ``bool[129]``."""
        state = self.state
        if state.tick < self.floor:
            return np.zeros(DRUMS + 1, np.bool_)
        may = self._plays & self._open_now()
        left = self.end_tick - state.tick
        if left < self._longest_shortest():
            may &= self.grammar.scheme.shortest_notes[state.ticks_per_beat] <= left
        return may

    def _notes(self, mask: Mask) -> None:
        scheme, program = self.grammar.scheme, self.state.program
        mask[scheme.spans[scheme.start_kind]] = False
        if self._may_start(program) and self._status_fits():
            which = scheme.start_kind, program == DRUMS
            free = self._free_pitches(program)
            if self.constraints.script is None:
                free = self._preferred(program, free)
            mask[scheme.note_spans[which]] = free[scheme.pitch_spans[which]]

    def _status_fits(self) -> bool:
        """Whether a note can begin with its program's running status; true where there is none."""
        state, scheme = self.state, self.grammar.scheme
        if not scheme.running_status:
            return True
        velocity, duration = state.status
        known = state.program_known and duration >= 0 and (velocity >= 0 or not scheme.has_velocities)
        return known and state.tick + scheme.lengths[duration, state.ticks_per_beat] <= self._note_limit()

    def _velocity(self, mask: Mask) -> None:
        """In running status a velocity is a change of it, before a note that can begin."""
        state, scheme = self.state, self.grammar.scheme
        if not scheme.running_status:
            return
        if not (state.program_known and self._may_start(state.program)):
            mask[scheme.spans[Kind.VELOCITY]] = False
        elif state.status.velocity in scheme.velocity_ids:
            mask[scheme.velocity_ids[state.status.velocity]] = False

    def _intervals(self, mask: Mask) -> None:
        scheme, state = self.grammar.scheme, self.state
        free = self._free_pitches(state.program)
        if not self._may_start(state.program):
            free = np.zeros(128, np.bool_)
        for kind, before in ((Kind.INTERVAL_TIME, state.onset_pitch), (Kind.INTERVAL_CHORD, state.chord_pitch)):
            ids = self._ids(kind)
            pitches = before.get(state.program, -256) + scheme.vocabulary.values[ids]
            mask[ids] &= (pitches >= 0) & (pitches <= 127) & free[np.clip(pitches, 0, 127)]

    def _note_off(self, mask: Mask) -> None:
        scheme, state = self.grammar.scheme, self.state
        mask[self._ids(Kind.NOTE_OFF)] = False
        sounding = np.zeros(128, np.bool_)
        sounding[
            [pitch for pitch, (onset, _) in state.started.get(state.program, {}).items() if onset < state.tick]
        ] = True
        which = Kind.NOTE_OFF, state.program == DRUMS
        mask[scheme.note_ids[which]] = sounding[scheme.note_values[which]]

    def _duration(self, mask: Mask) -> None:
        state, scheme = self.state, self.grammar.scheme
        span, lengths = scheme.spans[Kind.DURATION], self._lengths(Kind.DURATION)
        if scheme.running_status:
            known = state.program_known and (state.status.velocity >= 0 or not scheme.has_velocities)
            if not known or not self._may_start(state.program):
                mask[span] = False
                return
        fits = lengths <= self._note_limit() - state.tick
        if not scheme.running_status and not fits.any():  # a pedal put down at the very end
            fits[np.argmin(lengths)] = True
        mask[span] = fits
        if state.status.duration >= 0:
            mask[state.status.duration] = False

    # -- the rest ------------------------------------------------------------------------------------------------------

    def _pedal(self, mask: Mask) -> None:
        state = self.state
        over = state.tick >= self.end_tick
        for kind in (Kind.PEDAL, Kind.PEDAL_OFF):
            for token in self._ids(kind).tolist():
                value = self.grammar.scheme.values[token]
                turns = (value in state.active_pedals) == (kind is Kind.PEDAL_OFF)
                mask[token] &= turns and not over and bool(self._plays[value]) and (Kind.PEDAL, value) not in state.seen

    def _once(self, mask: Mask) -> None:
        """Tempo, key, chord, bend and controller.

        Each once at a tick, none after the last bar, none of programs that may not play.
        """
        state = self.state
        over = state.tick >= self.end_tick
        silent = over or not self._plays[state.program]
        for kind in (Kind.TEMPO, Kind.KEY_SIG):
            if over or (kind is Kind.TEMPO and not self.constraints.tempo) or state.once(kind, 0) in state.seen:
                mask[self._ids(kind)] = False
        if self.constraints.tempos is not None and mask[self._ids(Kind.TEMPO)].any():
            slow, fast = self.constraints.tempos
            values = self.grammar.scheme.vocabulary.values[self._ids(Kind.TEMPO)] / 1000
            mask[self._ids(Kind.TEMPO)] &= (values >= slow) & (values <= fast)
        if silent or state.once(Kind.PITCH_BEND, 0) in state.seen:
            mask[self._ids(Kind.PITCH_BEND)] = False
        note_fits = self._may_start(state.program) or bool(self._some_note_fits(np.array([state.tick]))[0])
        if over or state.tick < self.floor or not note_fits or state.once(Kind.CHORD, 0) in state.seen:
            mask[self._ids(Kind.CHORD)] = False
        controls = self._ids(Kind.CONTROL)
        if silent:
            mask[controls] = False
        elif len(controls):
            written = [
                value // 256 for kind, value in state.seen if kind == Kind.CONTROL and value % 256 == state.program
            ]
            mask[controls] &= ~np.isin(self.grammar.scheme.vocabulary.values[controls], written)

    def _code(self, mask: Mask) -> None:
        if self.state.tick >= self.end_tick:
            mask[self._ids(Kind.CODE)] = False
        codebook = self.grammar.scheme.codebook
        if codebook is not None and (allowed := codebook.allowed(len(self.state.codes))) is not None:
            mask[self._ids(Kind.CODE)] &= allowed

    # -- looking ahead -------------------------------------------------------------------------------------------------

    def _ids(self, kind: Kind) -> NDArray[np.intp]:
        return self.grammar.scheme.vocabulary.of_kind[kind]


_TIME_KINDS = (Kind.BAR, Kind.REST, Kind.TIME_SHIFT, Kind.SPECIAL)
RULES: tuple[tuple[set[Kind], Rule], ...] = (
    ({Kind.BAR}, Cursor._bar),
    ({Kind.TIME_SIG}, Cursor._meter),
    ({Kind.POSITION}, Cursor._position),
    ({Kind.TIME_SHIFT}, Cursor._shift),
    ({Kind.REST}, Cursor._rest),
    ({Kind.PROGRAM}, Cursor._program),
    ({Kind.PITCH, Kind.NOTE_ON}, Cursor._notes),
    ({Kind.INTERVAL_TIME, Kind.INTERVAL_CHORD}, Cursor._intervals),
    ({Kind.VELOCITY}, Cursor._velocity),
    ({Kind.NOTE_OFF}, Cursor._note_off),
    ({Kind.DURATION}, Cursor._duration),
    ({Kind.PEDAL, Kind.PEDAL_OFF}, Cursor._pedal),
    ({Kind.TEMPO, Kind.KEY_SIG, Kind.CHORD, Kind.PITCH_BEND, Kind.CONTROL}, Cursor._once),
    ({Kind.CODE}, Cursor._code),
)
