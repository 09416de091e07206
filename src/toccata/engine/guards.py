"""Guards against degeneration in sampling: endless figures, notes or silence, and extreme registers.

Guards follow the notes of one piece as they are begun. Once a failure lasts, they take from the logits of the ids that
would go on with it: finite amounts, more the longer they have to, so that the grammar's mask stays the only mask. Music
that repeats itself as music does is left alone: ``benchmarks/degeneration.py`` says how often pieces by people would be
touched.

Drums are not listened to, as their loops are music; while they play, repetition counts for less, and they end a
silence. Codes of a codebook are not steered: what notes they make is known only a quarter later. Time is in *bins*,
twelfths of a quarter.
"""

from __future__ import annotations

from collections import deque
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.cursor import Cursor
from toccata.tokenizers.rulebook import Rulebook
from toccata.tokenizers.state import NEVER, State
from toccata.tokenizers.vocabulary import DRUMS, Kind

Floats = NDArray[np.float32]
BINS = 12
"""Bins a quarter."""
MOST = 12.0
"""Nats that a guard takes from an id at most."""


class Onset(NamedTuple):
    """A pitched note that has just been begun, at ``bin``; whether drums play with it."""

    program: int
    pitch: int
    bin: int
    drums: bool = False


class LoopGuard:
    """A figure of up to ``LONGEST`` quarters that is repeated, note for note, and again, and again.

    For every lag it adds up the time in which all that began had begun just so one lag before; other time takes
    ``NOVELTY`` times as much away. A loop is as old as that sum. One that has grown too old is pressed against until it
    is half forgotten.
    """

    LONGEST = 16
    """Quarters."""
    PATIENCE = 12
    """Quarters that may be repeated before anything is done; a longer figure may come back whole, once.

    Of passages of 16 bars by people, one in a hundred repeats more.
    """
    NOVELTY = 3.0
    DRUMMED = 3
    """With drums, time counts for so many times less."""
    FIRST, GROWTH = 4.0, 1.0
    """Nats taken when patience ends, and further ones for every quarter for which the failure lasts after that."""
    MEMORY = 8
    """Quarters beyond patience that are remembered."""

    def __init__(self) -> None:
        longest = self.LONGEST * BINS
        self._patience = np.maximum(self.PATIENCE * BINS, np.arange(longest + 1)).astype(np.float32)
        self._most = self._patience + self.MEMORY * BINS
        self._age = np.zeros(longest + 1, np.float32)
        self._pressed = np.zeros(longest + 1, np.float32)
        self._all = (1 << (longest + 1)) - 2  # lags from 1 on
        self._bin = -1
        self._again = self._all  # lags at which all of the current onset's notes were begun, as bits
        # By program and pitch: the bin of its last onset, and how many bins before that one others were, as bits.
        self._started: dict[tuple[int, int], tuple[int, int]] = {}
        self._onsets: deque[tuple[int, list[tuple[int, int]]]] = deque()
        self.lags: list[tuple[int, float]] = []
        """The loops that are pressed against: bins, and for how many quarters already."""

    def add(self, note: Onset) -> None:
        """A note begins."""
        key = note.program, note.pitch
        if note.bin > self._bin:
            if self._bin >= 0:
                self._grow(min(note.bin - self._bin, 4 * BINS) / (self.DRUMMED if note.drums else 1))
            self._bin, self._again = note.bin, self._all
            self._onsets.append((note.bin, []))
            while self._onsets[0][0] < note.bin - self.LONGEST * BINS:
                self._onsets.popleft()
        self._onsets[-1][1].append(key)
        last, back = self._started.get(key, (0, 0))
        back = (back << (self._bin - last)) & (self._all | 1)
        self._again &= back
        self._started[key] = self._bin, back | 1

    def _grow(self, bins: float) -> None:
        """Count the time since the last onset."""
        size = len(self._age)
        bits = np.frombuffer(self._again.to_bytes(size // 8 + 1, "little"), np.uint8)
        again = np.unpackbits(bits, bitorder="little", count=size)
        age = self._age
        age += again * np.float32((1 + self.NOVELTY) * bins) - np.float32(self.NOVELTY * bins)
        np.maximum(age, 0, out=age)
        np.minimum(age, self._most, out=age)
        old = age > self._patience
        if self.lags or old.any():
            old |= (self._pressed > 0) & (age > self._patience / 2)
            self._pressed = np.where(old, self._pressed + np.float32(bins / BINS), np.float32(0))
            self.lags = [(lag, float(self._pressed[lag])) for lag in np.flatnonzero(old).tolist()]

    def weights(self, now: int | None, program: int) -> Floats:
        """What to take from each pitch, ``float32[128]``, if it began at bin ``now`` on ``program``.

        Args:
            now: None: it is not known when, and every note of the figure counts.
            program: 0 to 127.
        """
        out = np.zeros(128, np.float32)
        onsets = dict(self._onsets)
        for lag, over in self.lags:
            weight = _nats(self.FIRST, self.GROWTH, over)
            figure = [now - lag] if now is not None else [onset for onset in onsets if onset > self._bin - lag]
            for key in (key for onset in figure for key in onsets.get(onset, ())):
                if key[0] == program:
                    out[key[1]] = max(out[key[1]], weight)
        return out


class NoteGuard:
    """A guard against endless repeats of a note, or of two: no other has begun for a long time, whatever the rhythm."""

    PATIENCE = (12, 20)
    """Quarters without any note but the one, or the two, played last."""
    NOTES = (10, 20)
    """And so many notes begun in them."""
    FIRST, GROWTH = 2.0, 1.0

    def __init__(self) -> None:
        # By pitch: when it last began, and as which note; the latest is the last.
        self._last: dict[int, tuple[int, int]] = {}
        self._count = 0
        self.stuck: dict[int, float] = {}
        """What to take from which pitches."""

    def add(self, note: Onset) -> None:
        """A note begins."""
        last = self._last
        if not last:
            last[-1] = note.bin, 0  # before the first note there was none
        last.pop(note.pitch, None)
        self._count += 1
        last[note.pitch] = note.bin, self._count
        if len(last) > len(self.PATIENCE) + 1:
            del last[next(iter(last))]
        self.stuck = {}
        latest = list(last.items())
        for many in range(1, min(len(latest), len(self.PATIENCE) + 1)):
            since, before = latest[-1 - many][1]
            over = (note.bin - since) / BINS - self.PATIENCE[many - 1]
            if over > 0 and self._count - before >= self.NOTES[many - 1]:
                weight = _nats(self.FIRST, self.GROWTH, over)
                for pitch, _ in latest[-many:]:
                    self.stuck[pitch] = max(weight, self.stuck.get(pitch, 0.0))

    def weights(self) -> Floats:
        """What to take from each pitch, ``float32[128]``."""
        out = np.zeros(128, np.float32)
        for pitch, weight in self.stuck.items():
            out[pitch] = weight
        return out


class RegisterGuard:
    """A guard against extreme registers: recent notes lie, on average, where hardly any music stays."""

    LOW, HIGH = 34.0, 98.0
    """Pitches; wider where the prompt went further."""
    OF_LATE = 24
    """Notes."""
    PATIENCE = 8
    """Quarters that it may last."""
    MEMORY = 24
    """Quarters beyond patience that are remembered."""
    FIRST, GROWTH = 1.0, 0.5
    """Nats taken for every octave beyond, counted from an octave before, and more for every quarter."""

    def __init__(self, low: float = LOW, high: float = HIGH) -> None:
        self.low, self.high = min(low, self.LOW), max(high, self.HIGH)
        self._mean, self._bin, self._outside = 64.0, 0, 0.0
        self.over = 0.0
        """Quarters that it has lasted too long; time on the keyboard's middle takes them away again."""

    def add(self, note: Onset) -> None:
        """A note begins."""
        self._mean += (note.pitch - self._mean) / self.OF_LATE
        quarters = min((note.bin - self._bin) / BINS, 4)
        self._bin = note.bin
        if not self.low <= self._mean <= self.high:
            self._outside = min(self._outside + quarters, self.PATIENCE + self.MEMORY)
        elif self._outside:
            self._outside = max(self._outside - quarters, 0.0)
        self.over = max(0.0, self._outside - self.PATIENCE)

    def weights(self) -> Floats:
        """What to take from each pitch, ``float32[128]``."""
        if not self.over:
            return np.zeros(128, np.float32)
        pitches = np.arange(128, dtype=np.float32)
        beyond: Floats = (
            np.clip(pitches - (self.high - 12) if self._mean > 64 else self.low + 12 - pitches, 0, None) / 12
        )
        return beyond * np.float32(_nats(self.FIRST, self.GROWTH, self.over))


class SilenceGuard:
    """A guard against endless silence: nothing sounds, or only notes that began long ago."""

    PATIENCE = 8
    """Quarters of silence: one in two hundred passages of 16 bars by people has a longer one."""
    BEFORE = 2.5
    """The same before the first note: of passages of 16 bars by people, one in a hundred begins later."""
    HELD = 32
    """Quarters in which nothing begins while something sounds."""
    FIRST, GROWTH = 8.0, 1.0
    """More than the others: a model that learned single parts of ensembles knows that another bar of rest follows."""

    def __init__(self, tick: int, ticks_per_quarter: int) -> None:
        self._quarter, self._patience = ticks_per_quarter, self.BEFORE
        self._onset = tick
        self.next = tick + self.BEFORE * ticks_per_quarter
        """No silence can have lasted too long before this tick."""

    def add(self, tick: int) -> None:
        """A note begins, a drum perhaps."""
        self._onset, self._patience = tick, self.PATIENCE
        self.next = tick + self.PATIENCE * self._quarter

    def over(self, state: State, tick: int) -> float:
        """Quarters that have passed since patience ended, at ``tick`` if nothing begins until then; 0: it has not."""
        if tick < self.next:
            return 0.0
        ends = [int(ends.max()) for ends in state.ends.values()]
        held = (tick - self._onset) / self._quarter
        quiet = min(held, (tick - max(ends, default=0)) / self._quarter)  # negative while a note has no end yet
        return max(quiet - self._patience, held - self.HELD, 0.0)


class Ids:
    """Which ids begin which pitches and which let time pass, found when first needed."""

    def __init__(self, grammar: Rulebook) -> None:
        self._grammar = grammar
        vocabulary = grammar.scheme.vocabulary
        self._kinds, self._values = vocabulary.kinds, vocabulary.values
        self._begins = np.isin(self._kinds, [Kind.PITCH, Kind.NOTE_ON]) & ~vocabulary.drums

    @property
    def merged(self) -> bool:
        """Whether an id may stand for several base tokens."""
        return self._grammar.merges is not None

    @cached_property
    def bars(self) -> NDArray[np.intp]:
        """Those that begin with a new bar."""
        return self._first_of(Kind.BAR)

    @cached_property
    def shifts(self) -> NDArray[np.intp]:
        """Those that begin with another step of time."""
        return self._first_of(Kind.REST, Kind.TIME_SHIFT)

    def _first_of(self, *kinds: Kind) -> NDArray[np.intp]:
        merges = self._grammar.merges
        firsts = self._kinds if merges is None else self._kinds[merges.first]
        return np.flatnonzero(np.isin(firsts, kinds))

    @cached_property
    def pitched(self) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """Those with a pitch that is no drum's, and the first pitch of each."""
        merges = self._grammar.merges
        if merges is None:
            ids = np.flatnonzero(self._begins)
            return ids, self._values[ids]
        firsts = ((i, next((b for b in parts if self._begins[b]), -1)) for i, parts in enumerate(merges.parts))
        found = np.array([(i, self._values[base]) for i, base in firsts if base >= 0], np.int32).reshape(-1, 2)
        return found[:, 0].astype(np.intp), found[:, 1]


class Guards:
    """All guards of one piece.

    They follow the notes that are written, not those of the prompt: a figure that was given may be gone on with.
    """

    def __init__(self, ids: Ids, cursor: Cursor) -> None:
        """Guards of what is written from ``cursor`` on; ``ids`` are those of its grammar, shared by all pieces."""
        state, wanted = cursor.state, cursor.constraints.pitches
        self._ids, self._notes = ids, state.notes
        self._quarter = state.scheme.timing.ticks_per_quarter
        self._drum = -NEVER
        known = [np.flatnonzero(ends) for program, ends in state.ends.items() if program != DRUMS]
        if wanted is not None and not wanted[int(RegisterGuard.LOW) : int(RegisterGuard.HIGH)].any():
            known.append(np.flatnonzero(wanted))
        there = np.concatenate([*known, [64]])
        self._loop, self._note = LoopGuard(), NoteGuard()
        self._register = RegisterGuard(float(there.min()), float(there.max()))
        self._silence = SilenceGuard(state.tick, self._quarter)
        self.pressing = False
        """Whether a loop, a note or the end of the keyboard is pressed against."""

    def read(self, state: State) -> None:
        """Follow on: a base token has been read into ``state``."""
        if state.notes == self._notes:
            return
        self._notes, tick = state.notes, state.tick
        self._silence.add(tick)
        if state.program == DRUMS:
            self._drum = tick
        elif state.program in state.chord_pitch:
            drums = tick - self._drum <= LoopGuard.LONGEST * self._quarter
            note = Onset(state.program, state.chord_pitch[state.program], self._bin(tick), drums)
            self._loop.add(note)
            self._note.add(note)
            self._register.add(note)
            self.pressing = bool(self._loop.lags or self._note.stuck or self._register.over)

    def steer(self, logits: Floats, allowed: NDArray[np.bool_], cursor: Cursor) -> None:
        """Turn the logits of one row away from what would go on with a failure.

        Silence takes from what lets time pass. The others take from pitches, and what they take is given to all pitches
        that are allowed, so that a note is as likely as before, and only which note it is changes.

        Args:
            logits: ``float32[V]``, changed in place, by finite amounts.
            allowed: ``bool[V]``, what the grammar allows.
            cursor: Where the row is.
        """
        state = cursor.state
        ahead = max(state.tick, state.bar_tick + state.ticks_per_bar if state.bar >= 0 else 0)
        if ahead >= self._silence.next:
            for ids, tick in ((self._ids.bars, ahead), (self._ids.shifts, state.tick)):
                if over := self._silence.over(state, tick):
                    logits[ids] -= np.float32(_nats(SilenceGuard.FIRST, SilenceGuard.GROWTH, over))
        if self.pressing and state.program != DRUMS:
            ids, pitches = self._ids.pitched
            may = allowed[ids]
            if may.any():
                ids = ids[may]
                now = None if self._ids.merged else self._bin(state.tick)
                weights = self._note.weights() + self._loop.weights(now, state.program) + self._register.weights()
                before, after = logits[ids], logits[ids] - weights[pitches[may]]
                logits[ids] = after + (np.logaddexp.reduce(before) - np.logaddexp.reduce(after))

    def against(self, state: State) -> tuple[str, ...]:
        """What they are pressing against at ``state``: ``loop``, ``one_note``, ``register``, ``silence``."""
        pressing = {
            "loop": self._loop.lags,
            "one_note": self._note.stuck,
            "register": self._register.over,
            "silence": self._silence.over(state, state.tick),
        }
        return tuple(name for name, over in pressing.items() if over)

    def _bin(self, tick: int) -> int:
        return max(0, tick * BINS + self._quarter // 2) // self._quarter


def _nats(first: float, growth: float, over: float) -> float:
    return min(MOST, first + growth * over)
