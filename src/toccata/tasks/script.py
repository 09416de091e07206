"""Scripts that preserve a rhythm: every token of some music is fixed, except pitches that are open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.tasks.pitches import Assignment, Pitches
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.rulebook import Rulebook
from toccata.tokenizers.scheme import Scheme
from toccata.tokenizers.state import State
from toccata.tokenizers.vocabulary import Kind

_REMEMBERED = 256
"""The most assignments that are cached for lookahead."""


@dataclass(frozen=True)
class Slot:
    """A note in a sequence of base tokens.

    Attributes:
        place: The index of its pitch token.
        program: The program; 128 is the drums.
        pitch: The current pitch.
        tick: Its onset in the tokenizer's grid, without micro timing.
    """

    place: int
    program: int
    pitch: int
    tick: int


def why_not(tokenizer: Tokenizer) -> str:
    """Return why a tokenizer cannot preserve a rhythm; empty: it can."""
    scheme = tokenizer.grammar().scheme
    if not scheme.has_notes:
        return "its tokens are not notes"
    if scheme.note_off:
        return "its tokens say when a pitch ends, so that no pitch can change alone"
    if any(len(scheme.vocabulary.of_kind[kind]) for kind in (Kind.INTERVAL_TIME, Kind.INTERVAL_CHORD)):
        return "its tokens say steps from note to note, so that no pitch can change alone"
    return ""


def slots(grammar: Rulebook, base: Sequence[int], meter: tuple[int, int]) -> list[Slot]:
    """Return the notes of base tokens, in their order; ``meter`` is for schemes without meter tokens."""
    state, scheme, out = State(grammar.scheme, meter), grammar.scheme, []
    for place, token in enumerate(base):
        state.read(token)
        if scheme.kinds[token] == scheme.start_kind:
            out.append(Slot(place, state.program, scheme.values[token], state.tick))
    return out


class PitchScript:
    """Fixed tokens with open pitches; a :class:`~toccata.tokenizers.rulebook.Script`.

    A pitch is open if it is the first of its voice; the others of the voice, and pitches without one, are fixed.
    """

    def __init__(
        self,
        scheme: Scheme,
        base: Sequence[int],
        voices: Sequence[int],
        pitches: Pitches,
        *,
        skip: int = 0,
        changed: bool = False,
    ) -> None:
        """Create a script.

        Args:
            scheme: The tokenizer's scheme.
            base: All base tokens, the end last.
            voices: For each note the voice whose pitch it has; -1: its pitch is fixed.
            pitches: The voices; the order of each is the index of its first note.
            skip: How many of ``base`` are in the prompt.
            changed: Whether some pitch has changed already; else the last open one has to, if it can.
        """
        self._scheme, self._base, self._skip = scheme, list(base), skip
        starts = [place for place, token in enumerate(base) if scheme.kinds[token] == scheme.start_kind]
        begun = sum(place < skip for place in starts)
        self._voices, self._before, self._pitches = list(voices), begun, pitches
        self._assignments: dict[tuple[int, ...], Assignment] = {}
        ids, values = (table[scheme.start_kind, False] for table in (scheme.note_ids, scheme.note_values))
        self._tokens = dict(zip(values.tolist(), ids.tolist(), strict=True))
        self._last = -1 if changed else max(pitches.order, default=-1)

    def allowed(self, cursor: Any) -> NDArray[np.bool_]:
        """Return the base tokens that may come next, ``bool[V]``."""
        mask = np.zeros(len(self._scheme.vocabulary), np.bool_)
        place = self._skip + cursor.place
        token = self._base[place] if place < len(self._base) else self._scheme.eos
        if self._scheme.kinds[token] != self._scheme.start_kind:
            mask[token] = True
            return mask
        slot = self._before + len(cursor.begun)
        voice = self._voices[slot]
        if voice < 0:
            mask[token] = True
            return mask
        assignment = self._assignment(cursor.begun)
        if self._pitches.order[voice] == slot:
            open_to = list(self._pitches.choices(assignment, voice))
            if slot == self._last and assignment == self._pitches.start and len(open_to) > 1:
                open_to = [pitch for pitch in open_to if pitch != assignment[voice]]
        else:
            open_to = [assignment[voice]]
        same = self._scheme.values[token]
        mask[[token if pitch == same else self._tokens[pitch] for pitch in open_to]] = True
        return mask

    def _assignment(self, begun: tuple[int, ...]) -> Assignment:
        """Return the assignment after the pitches that have begun."""
        known = len(begun)
        while known and begun[:known] not in self._assignments:
            known -= 1
        assignment = self._assignments[begun[:known]] if known else self._pitches.start
        for number in range(known, len(begun)):
            slot = self._before + number
            voice = self._voices[slot]
            if voice >= 0 and self._pitches.order[voice] == slot:
                assignment = self._pitches.choices(assignment, voice)[begun[number]]
            if len(self._assignments) >= _REMEMBERED:
                self._assignments.clear()
            self._assignments[begun[: number + 1]] = assignment
        return assignment
