"""A sequence in decoding: its cursor, random numbers, guards, and rows in the cache."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from toccata.engine.cache import Slot
from toccata.engine.figures import Figures
from toccata.engine.guards import Guards, Ids
from toccata.engine.guidance import GuidanceRows, guided
from toccata.engine.job import Decoded, DecodeJob
from toccata.engine.sampling import RECENT, Floats, Sampling
from toccata.errors import ModelError
from toccata.tasks.window import bar_start, bar_starts, latest_bars
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.state import State
from toccata.tokenizers.vocabulary import Kind

RETAINED_SHARE = 0.6
"""The share of the context that a continuation retains when the window slides."""
WAY_OUT, A_BAR = 50_000, 256
"""The most tokens that end all sounding notes, and that pass a silent bar.

The shortest way to the end is shorter (see `Cursor.closing`); this is what stops a sequence for which there is none.
"""
_LAST_BAR, _LAST_IDS = 5, 24
"""An infill ends with its current bar if less than 1 / _LAST_BAR of its row is left, and closes with so few ids."""


class DecoderFacts:
    """The data that all sequences of a model share: its tokenizer, and sets of its ids."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.grammar = tokenizer.grammar()
        self.guard_ids = Ids(self.grammar)
        self.pitched = _pitched(tokenizer)
        merges = self.grammar.merges
        self.first_parts = None if merges is None else merges.first


class Sequence:
    """A decode job in progress.

    Attributes:
        job: The decode job.
        cursor: The state of the grammar.
        ids: All ids so far.
        generator: Its random number generator.
        guidance: The rows in which it is read.
        slots: Those rows in the cache; empty while it waits.
        logits: The next logits of each row, ``float[V]`` each.
        nats: Negative log-likelihood of the ids drawn so far.
    """

    def __init__(self, job: DecodeJob, facts: DecoderFacts, guidance: GuidanceRows) -> None:
        task = job.task
        self.job, self.guidance, self._facts = job, guidance, facts
        self.cursor = copy.copy(task.cursor)
        self.cursor.state = copy.copy(task.cursor.state)
        self.ids: list[int] = task.ids.tolist()
        self.generator = np.random.default_rng(job.seed)
        self.slots: list[Slot] = []
        self.logits: list[Floats] = []
        self.nats = 0.0
        self._given, self._notes_before = len(self.ids), self.cursor.state.notes
        self._bars = bar_starts(self.cursor.grammar, self.ids, self.cursor.state.meter)
        # A part that is filled in, or new pitches for an old rhythm, may rest or go round where a piece would not.
        whole = not task.skip and self.cursor.constraints.script is None
        self._guards = Guards(facts.guard_ids, self.cursor) if job.sampling.guards and whole else None
        self._figures = self._figures_so_far(job.sampling) if whole else None
        self._cut: int | None = None
        # A bar that is announced with the next id, as its meter may stand behind its line; the first may be given.
        first = self.cursor.state.bar - task.bar
        self._begun = first if first >= 0 else None

    def _figures_so_far(self, sampling: Sampling) -> Figures | None:
        """Return the figures of the prompt; None: they do not count, or an id stands for more than one pitch."""
        facts, state = self._facts, State(self.cursor.grammar.scheme, self.cursor.state.meter)
        bonus, penalty = sampling.figure_bonus, sampling.repeat_penalty or 0.0
        if facts.guard_ids.merged or not (bonus or penalty):
            return None
        figures = Figures(facts.guard_ids, state.scheme.timing.ticks_per_quarter, bonus, penalty)
        for base in self.ids:
            state.read(base)
            figures.read(state)
        return figures

    # -- what is read --------------------------------------------------------------------------------------------------

    def context(self, capacity: int) -> list[NDArray[np.int64]]:
        """Return the ids that each row reads: all, or the latest bars if a continuation exceeds the capacity."""
        ids = self.ids
        if len(ids) >= capacity:
            room = int(RETAINED_SHARE * capacity)
            meter, prefix = self.cursor.state.meter, self.job.task.prefix
            ids = latest_bars(self._facts.tokenizer, ids, self._bars, room, meter, prefix)
        array = np.array(ids, np.int64)
        return [self.guidance.read_by(row, array) for row in range(len(self.guidance.dropped_ids))]

    @property
    def ready(self) -> bool:
        """Whether its rows have read the whole context."""
        return bool(self.slots) and len(self.logits) == len(self.slots)

    def full(self, capacity: int, new: int) -> bool:
        """Return whether a row has no room for ``new`` more ids, and one after them."""
        return any(slot.length + new >= capacity for slot in self.slots)

    # -- what follows --------------------------------------------------------------------------------------------------

    def expect(self, plain: Floats, seen: Floats) -> None:
        """Write the model's own logits into ``plain``, and those that are sampled into ``seen``, ``float[V]``."""
        sampling = self.job.sampling
        plain[:] = seen[:] = self.guidance.cond_logits(self.logits)
        same = self.cursor.synonym()
        _merge(seen, same)
        if self.guidance.unconditional:
            without = self.logits[-1].copy()
            _merge(without, same)
            seen[:] = guided(seen, without, sampling.guidance)
        if sampling.repetition != 1:
            recent = np.unique(self.ids[-RECENT:])
            recent = recent[self._facts.pitched[recent]]
            values = seen[recent]
            seen[recent] = np.where(values > 0, values / sampling.repetition, values * sampling.repetition)

    def guard(self, logits: Floats, allowed: NDArray[np.bool_]) -> None:
        """Turn ``logits`` towards tendencies, and away from loops, silence and the ends of the keyboard, in place."""
        for tendency in self.cursor.constraints.tendencies:
            if self.job.sampling.guidance or not tendency.guided:
                leaning = tendency.leaning(self.cursor.state)
                if leaning is not None:
                    logits += leaning if self._facts.first_parts is None else leaning[self._facts.first_parts]
        if self._guards is not None:
            self._guards.steer(logits, allowed, self.cursor)
        if self._figures is not None and not (self._guards is not None and self._guards.pressing):
            self._figures.steer(logits, allowed, self.cursor.state)

    # -- going on ------------------------------------------------------------------------------------------------------

    def advance(self, token: int) -> tuple[list[int], list[object]]:
        """Read the id that was drawn.

        Returns:
            All ids that are new with it (control tokens may stand behind a bar line), and its events.

        Raises:
            ModelError: It has not come to its end where it had to.
        """
        cursor, task, events = self.cursor, self.job.task, list[object]()
        listener, before = self.job.listener, cursor.state.bar
        kinds = cursor.grammar.scheme.kinds
        new = [token]
        for base in cursor.grammar.base(token):
            if self._begun is not None and kinds[base] != Kind.TIME_SIG:
                events += [] if listener is None else listener.bar(self._begun, cursor)
                self._begun = None
            tempo = cursor.state.tempo
            cursor.read(base)
            if listener is not None and cursor.state.tempo != tempo:
                listener.tempo(cursor)
            if self._guards is not None:
                self._guards.read(cursor.state)
            if self._figures is not None:
                self._figures.read(cursor.state)
            if listener is not None:
                for note in cursor.state.made:
                    events += listener.note(note, cursor)
        self.ids.append(token)
        if cursor.state.bar != before:
            self._bars.append(bar_start(cursor.grammar, cursor.state, len(self.ids)))
            self._begun = cursor.state.bar - task.bar
            if not cursor.state.ended:
                for bar in range(before + 1, cursor.state.bar + 1):
                    new += self._read_controls(task.control_tokens.get(bar, ()))
        self._watch_length()
        return new, events

    def _read_controls(self, ids: Iterable[int]) -> Iterator[int]:
        for one in ids:
            self.ids.append(one)
            self.cursor.advance(one)
            yield one

    def _watch_length(self) -> None:
        cursor, limit = self.cursor, self.job.limit
        written = len(self.ids) - self._given
        if written >= limit:
            cursor.closing = True
        if written >= limit + WAY_OUT + A_BAR * (cursor.constraints.bars or 0) and not cursor.state.ended:
            raise ModelError(
                f"a piece has not come to its end {written - limit:,} tokens after it had to: the model's tokenizer "
                "is damaged; copy the whole model folder again"
            )

    def make_room(self, capacity: int) -> None:
        """End an infill at a bar line before its row is full, as its context must not slide."""
        state = self.cursor.state
        room = capacity - max(slot.length for slot in self.slots)
        begins = self._bars and self._bars[-1].first >= len(self.ids) - 1
        if room < capacity // (_LAST_BAR if begins else 2 * _LAST_BAR) and self._cut is None:
            self._end_with_this_bar()
        held = sum(len(notes) for notes in state.started.values())
        if room < min(_LAST_IDS + 2 * held, capacity // 4):
            self.cursor.closing = True

    def _end_with_this_bar(self) -> None:
        """Make the current bar the last, if others were requested and the grammar can end there."""
        state, constraints = self.cursor.state, self.cursor.constraints
        begin = self.job.task.cursor.state.bar_tick
        bars, end = max(state.bar, 0) + 1, state.bar_tick + state.ticks_per_bar
        requested = (
            constraints.bars if constraints.end is None else -(-(constraints.end - begin) // state.ticks_per_bar)
        )
        if requested is None or bars >= requested:
            return
        tried = copy.copy(self.cursor)
        if constraints.end is None:
            tried.constraints = replace(constraints, bars=bars)
        else:
            tried.constraints = replace(constraints, end=end)
        if tried.allowed().any():
            self.cursor, self._cut = tried, bars

    def finished(self) -> Decoded | None:
        """Return the decoded sequence, when it has ended."""
        if not self.cursor.state.ended:
            return None
        notes = self.cursor.state.notes - self._notes_before
        ids = np.array(self.ids, np.int32)
        whole = copy.copy(self.cursor)
        whole.constraints = self.job.task.cursor.constraints
        return Decoded(ids, len(ids) - self._given, self.nats, notes, self.cursor, whole.end_tick, self._cut)


def _pitched(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """Return the ids that begin with a pitch, ``bool[V]``, for the repetition penalty."""
    grammar = tokenizer.grammar()
    kinds = grammar.scheme.vocabulary.kinds
    pitched: NDArray[np.bool_] = (kinds == Kind.PITCH) | (kinds == Kind.NOTE_ON)
    if grammar.merges is None:
        return pitched
    return np.array([any(pitched[base] for base in parts) for parts in grammar.merges.parts])


def _merge(logits: Floats, same: tuple[int, NDArray[np.intp]] | None) -> None:
    """Merge the probability of equivalent ids into the one that may be written (``Cursor.synonym``)."""
    if same is not None:
        target, others = same
        together = logits[others[0]] if len(others) == 1 else np.logaddexp.reduce(logits[others])
        logits[target] = np.logaddexp(together, logits[target])
