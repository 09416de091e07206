"""Melodic figures that come back: transposed ones are made likelier, literal repeats less likely.

A figure is a row of melodic steps, in semitones, with their rhythm. Where the line of an instrument has just moved as
some line did before, one pitch would go on with that figure. From another pitch than before that is a sequence or an
imitation, by which pieces by people hang together; from the same pitch it is a repeat, which a model that is sampled
safely (at a low temperature) falls into more often than people do. Time is in *bins*, twelfths of a quarter, as in
``guards``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toccata.engine.guards import BINS, Floats, Ids
from toccata.tokenizers.state import State
from toccata.tokenizers.vocabulary import DRUMS

LONGEST = 3
"""The most steps that are compared; what followed a longer row goes before what followed a shorter one."""


class MelodicStep(NamedTuple):
    """From one note of a line to the next: semitones, and bins from onset to onset."""

    semitones: int
    bins: int


class _Line:
    """The line of an instrument, of the highest note at each onset: its last two notes, and the steps before them."""

    __slots__ = ("before", "last", "steps")

    def __init__(self, onset: int, pitch: int) -> None:
        self.last = onset, pitch
        self.before: tuple[int, int] | None = None
        self.steps: tuple[MelodicStep, ...] = ()

    @property
    def step(self) -> MelodicStep | None:
        """The step to the last note, which is final when another one follows; None: there is only one note."""
        if self.before is None:
            return None
        return MelodicStep(self.last[1] - self.before[1], self.last[0] - self.before[0])


class Figures:
    """The figures of one piece; drums have none."""

    def __init__(self, ids: Ids, ticks_per_quarter: int, bonus: float, penalty: float) -> None:
        """Create the figures of a piece that begins.

        Args:
            ids: Those of the grammar, shared by all pieces.
            ticks_per_quarter: Of the tokenizer's grid.
            bonus: What is added to the logit of a pitch that goes on with a figure from another pitch, in nats.
            penalty: What is taken from that of one that goes on with a repeat.
        """
        self._ids, self._quarter = ids, ticks_per_quarter
        self._bonus, self._penalty = np.float32(bonus), np.float32(penalty)
        self._notes = 0
        self._lines: dict[int, _Line] = {}  # by program
        # By a row of steps: the step that followed it last, and the pitch from which that was.
        self._seen: dict[tuple[MelodicStep, ...], tuple[MelodicStep, int]] = {}

    def read(self, state: State) -> None:
        """Follow on: a base token has been read into ``state``."""
        if state.notes == self._notes:
            return
        self._notes, program = state.notes, state.program
        if program != DRUMS and program in state.chord_pitch:
            self._add(program, self._bin(state.tick), state.chord_pitch[program])

    def _add(self, program: int, onset: int, pitch: int) -> None:
        line = self._lines.get(program)
        if line is None:
            self._lines[program] = _Line(onset, pitch)
        elif onset == line.last[0]:
            line.last = onset, max(pitch, line.last[1])
        else:
            step = line.step
            if step is not None and line.before is not None:
                for length in range(1, len(line.steps) + 1):
                    self._seen[line.steps[-length:]] = step, line.before[1]
                line.steps = (*line.steps, step)[-LONGEST:]
            line.before, line.last = line.last, (onset, pitch)

    def expected(self, program: int, onset: int) -> tuple[int, bool] | None:
        """Return the pitch with which the line of a program, at bin ``onset``, would go on with a figure; None: none.

        With it, whether that repeats the figure from the pitch from which it was. Only a whole row of ``LONGEST`` steps
        is a repeat; a shorter one comes about by chance.
        """
        line = self._lines.get(program)
        step = None if line is None else line.step
        if line is None or step is None:
            return None
        steps = (*line.steps, step)[-LONGEST:]
        moves = any(step.semitones for step in steps)  # one note again and again is no figure
        for length in range(len(steps), 0, -1):
            following, pitch = self._seen.get(steps[-length:], (None, 0))
            repeats = pitch == line.last[1]
            if following is None or (repeats and (length < LONGEST or not moves)):
                continue
            fits = line.last[0] + following.bins == onset
            return (line.last[1] + following.semitones, repeats) if fits else None
        return None

    def steer(self, logits: Floats, allowed: NDArray[np.bool_], state: State) -> None:
        """Add to the logit of the pitch that goes on with a figure, or take from it, in place.

        All other pitches pay for it, so that a note is as likely as before, and only which note it is changes.

        Args:
            logits: ``float32[V]``.
            allowed: ``bool[V]``, what the grammar allows.
            state: The music reached.
        """
        if state.program == DRUMS:
            return
        expected = self.expected(state.program, self._bin(state.tick))
        if expected is None:
            return
        pitch, repeats = expected
        ids, pitches = self._ids.pitched
        may = allowed[ids]
        ids, wanted = ids[may], pitches[may] == pitch
        if wanted.any():
            before = logits[ids]
            after = before + (-self._penalty if repeats else self._bonus) * wanted
            logits[ids] = after + (np.logaddexp.reduce(before) - np.logaddexp.reduce(after))

    def _bin(self, tick: int) -> int:
        return max(0, tick * BINS + self._quarter // 2) // self._quarter
