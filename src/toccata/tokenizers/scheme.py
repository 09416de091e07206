"""A token scheme: the vocabulary, the grid it counts time on, and what follows from both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from toccata.midi.levels import DEFAULT, Levels
from toccata.tokenizers.vocabulary import DRUMS, Kind, Vocabulary


class Clock(Enum):
    """How a token scheme encodes time."""

    POSITIONS = "bars and positions in them (REMI)"
    SHIFTS = "time shifts alone (TSD, MIDI-like, Structured)"


@dataclass(frozen=True)
class Timing:
    """The tokenizer's grid. All lengths in ticks."""

    clock: Clock
    ticks_per_quarter: int
    ticks_per_beat: Mapping[int, int]
    """By the meter's denominator."""
    ticks_per_position: Mapping[int, int]
    """By the meter's denominator."""
    lengths: Mapping[tuple[Kind, int], NDArray[np.int64]]
    """By kind (DURATION, TIME_SHIFT, REST) and ticks a beat: the length each of the kind's tokens stands for."""
    rest_from_note_end: bool
    """A rest counts from the end of the last note (REMI, TSD), not from now (MIDI-like)."""
    default_length: float
    """Beats, for notes of programs without a duration."""
    duration_programs: frozenset[int]

    @cached_property
    def shortest(self) -> Mapping[tuple[Kind, int], int]:
        """The shortest of ``lengths``, a time shift of nothing left out."""
        return {key: int(n[n > 0].min()) if (n > 0).any() else 0 for key, n in self.lengths.items()}

    def bar(self, meter: tuple[int, int]) -> int:
        """The length of a bar."""
        return self.ticks_per_quarter * 4 * meter[0] // meter[1]


class Codebook(Protocol):
    """The function that decodes codes to notes, a group of codes at a time: a quarter note, or a step of a grid."""

    codes: int
    """Codes a group."""
    ticks: int
    """Its length."""

    def allowed(self, place: int) -> NDArray[np.bool_] | None:
        """Which codes may stand at a place of a group, ``bool[all codes]``; None: all of them."""
        ...

    def play(
        self, codes: tuple[int, ...], tick: int, held: Mapping[int, int]
    ) -> tuple[list[tuple[int, int, int]], Mapping[int, int], int]:
        """The group that begins at ``tick``.

        Args:
            codes: Of the group.
            tick: Where it begins.
            held: Pitch and onset of the notes that sound when it begins.

        Returns:
            The notes that end in it, as pitch, onset and end; those that sound when it ends; how many began in it.
        """
        ...


Span: TypeAlias = "slice | NDArray[np.intp]"
"""Places in an array: a slice where they stand side by side, which is many times as fast as a list of them."""


class Scheme:
    """A vocabulary on a grid, with what its readers keep asking.

    Attributes:
        spans: Where the ids of a kind stand in a mask, in the order of ``of_kind``.
        note_spans: The same of the ids that begin or end a note, by kind and whether they are the drums'.
        pitch_spans: Where the pitches of those ids stand among the 128.
        velocity_ids: The id of each velocity.
        position_ticks: By ticks a position, ``int64[n]`` from the bar line, in the order of the ids of POSITION.
        meter_bars: ``int64[n]``, ticks of a bar of each meter, in the order of the ids of TIME_SIG.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        timing: Timing,
        *,
        bos: int,
        eos: int,
        codebook: Codebook | None = None,
        running_status: bool = False,
        levels: Levels = DEFAULT,
    ) -> None:
        """A vocabulary on a grid.

        Args:
            vocabulary: The base tokens.
            timing: The grid.
            bos: The token that opens a piece.
            eos: The token that closes it.
            codebook: What plays codes, for vocabularies of codes.
            running_status: Whether program, velocity and duration stand before a pitch, and hold until they change.
            levels: What the levels of its control tokens mean.
        """
        self.running_status, self.levels = running_status, levels
        self.vocabulary, self.timing, self.bos, self.eos, self.codebook = vocabulary, timing, bos, eos, codebook
        # Plain lists: reading one element of an array takes ten times as long.
        self.kinds: list[int] = vocabulary.kinds.tolist()
        self.values: list[int] = vocabulary.values.tolist()
        of_kind = vocabulary.of_kind
        self.has_programs = len(of_kind[Kind.PROGRAM]) > 0
        self.has_velocities = len(of_kind[Kind.VELOCITY]) > 0
        self.has_meters = bool(vocabulary.meters)
        self.note_off = len(of_kind[Kind.NOTE_OFF]) > 0
        self.has_notes = len(of_kind[Kind.PITCH]) + len(of_kind[Kind.NOTE_ON]) > 0
        self.start_kind = Kind.NOTE_ON if self.note_off else Kind.PITCH
        self.after_note = self._kind_that_ends_a_note()
        self.lengths: dict[tuple[int, int], int] = {}
        for (kind, beat), lengths in timing.lengths.items():
            self.lengths |= {(int(i), beat): int(n) for i, n in zip(of_kind[kind], lengths, strict=True)}
        # Without drum tokens of their own, drums use the pitch tokens of everyone.
        own = bool(vocabulary.drums.any())
        self.note_ids: dict[tuple[Kind, bool], NDArray[np.intp]] = {}
        self.note_values: dict[tuple[Kind, bool], NDArray[np.int32]] = {}
        for kind in (Kind.PITCH, Kind.NOTE_ON, Kind.NOTE_OFF):
            for drums in (False, True):
                ids = of_kind[kind]
                ids = ids[vocabulary.drums[ids] == drums] if own else ids
                self.note_ids[kind, drums], self.note_values[kind, drums] = ids, vocabulary.values[ids]
        self.spans = {kind: span(ids) for kind, ids in of_kind.items()}
        self.note_spans = {which: span(ids) for which, ids in self.note_ids.items()}
        self.pitch_spans = {which: span(pitches) for which, pitches in self.note_values.items()}
        self.velocity_ids = {self.values[i]: i for i in of_kind[Kind.VELOCITY].tolist()}
        meters = [vocabulary.meters[self.values[i]] for i in of_kind[Kind.TIME_SIG].tolist()]
        positions = vocabulary.values[of_kind[Kind.POSITION]].astype(np.int64)
        self.position_ticks = {step: positions * step for step in set(timing.ticks_per_position.values())}
        self.meter_bars = np.array([timing.bar(meter) for meter in meters], np.int64)

    @cached_property
    def shortest_notes(self) -> Mapping[int, NDArray[np.int64]]:
        """For each number of ticks a beat the length of the shortest note of each program, ``int64[129]``."""
        kind = Kind.TIME_SHIFT if self.note_off else Kind.DURATION
        table = {}
        for beat in set(self.timing.ticks_per_beat.values()):
            with_duration = [(-1 if p == DRUMS else p) in self.timing.duration_programs for p in range(DRUMS + 1)]
            default = int(self.timing.default_length * beat)
            table[beat] = np.where(with_duration, self.timing.shortest[kind, beat], default).astype(np.int64)
        return table

    def pitches(self, drums: bool) -> NDArray[np.bool_]:
        """``bool[128]``: the pitches there are tokens for. Not to be changed in place."""
        return self._pitches[drums]

    @cached_property
    def _pitches(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        pitched, drums = np.zeros(128, np.bool_), np.zeros(128, np.bool_)
        pitched[self.note_values[self.start_kind, False]] = True
        drums[self.note_values[self.start_kind, True]] = True
        return pitched, drums

    def _kind_that_ends_a_note(self) -> Kind:
        of_kind = self.vocabulary.of_kind
        if self.running_status:
            return self.start_kind
        if len(of_kind[Kind.DURATION]) and not self.note_off:
            return Kind.DURATION
        return Kind.VELOCITY if len(of_kind[Kind.VELOCITY]) else self.start_kind


def span(places: NDArray[np.integer[Any]]) -> Span:
    """Places in an array, as a slice where they stand side by side."""
    if len(places) and bool((np.diff(places) == 1).all()):
        return slice(int(places[0]), int(places[-1]) + 1)
    return places.astype(np.intp)
