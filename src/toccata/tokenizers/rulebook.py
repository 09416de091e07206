"""The data of cursors: the constraints of a request, and the rules of a tokenizer as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.merges import Merges
from toccata.tokenizers.scheme import Scheme, Span
from toccata.tokenizers.state import State
from toccata.tokenizers.vocabulary import Kind

Mask = NDArray[np.bool_]
Rule = Callable[[Any, Mask], None]
"""A method of a cursor that takes from a mask what its kind of token may not be here."""


class PitchRule(Protocol):
    """A time-dependent pitch constraint: a chord chart, a cadence, a preserved harmony. Several rules all apply.

    Where a rule leaves no pitch, nothing pitched begins. In schemes where time passes only to a note (Structured),
    rules together must leave some pitch in every bar.
    """

    def pitches(self, state: State, ticks: NDArray[np.int64]) -> Mask:
        """The pitches that pitched programs may begin at each of ``ticks``, ``bool[n, 128]``.

        Args:
            state: The music reached.
            ticks: ``int64[n]``, of the tokenizer's grid, from the start of its ids.
        """


class Preference(Protocol):
    """Pitches that are preferred wherever there is a choice: how a new part fits the music around it.

    Unlike a PitchRule it never silences anybody: where none of the preferred pitches may begin, any other may.
    """

    def preferred(self, state: State, program: int) -> Sequence[Mask]:
        """Return sets of pitches, ``bool[128]`` each, the best first, for the note that ``program`` begins now.

        The first set is taken of which a pitch is allowed; 128 is the drums.
        """


class Tendency(Protocol):
    """How much likelier or less likely tokens become than the model has them."""

    @property
    def guided(self) -> bool:
        """Whether it follows from controls, and is left out where guidance is 0."""

    def leaning(self, state: State) -> NDArray[np.float32] | None:
        """Return what is added to the logit of each base token, ``float32[V]``; None: nothing.

        A merged id gets what its first part does.
        """


class Entry(NamedTuple):
    """A note that must begin.

    Attributes:
        program: Of the note; 128 is the drums.
        first: The first tick at which it may begin.
        last: The last one.
    """

    program: int
    first: int
    last: int


class Players(Protocol):
    """Which programs must begin a note in the current bar; where one cannot any more, the bar goes on without."""

    def missing(self, state: State) -> Sequence[Entry]:
        """Return the notes that must still begin in the current bar."""

    def free_by(self, state: State, program: int, single: bool) -> int:
        """Return the tick by which the note that ``program`` begins now must have ended; NEVER: any.

        Args:
            state: The music reached.
            program: The program; 128 is the drums.
            single: Whether it plays so few notes at a time that a long one would be in the way of an entry.
        """


class Joining(Protocol):
    """Who may play, by who has played so far."""

    def may_play(self, state: State) -> Mask:
        """Return the programs that may play from here on, ``bool[129]``, among them those that have played."""


class Script(Protocol):
    """A template for the tokens, of which only some are left open: a preserved rhythm."""

    def allowed(self, cursor: Any) -> Mask:
        """Return the base tokens that may come next, ``bool[V]``, after ``cursor.place`` of them."""


class Ends(IntEnum):
    """The condition for the end of a piece, which prevents silent pieces."""

    ANYHOW = 0
    """No condition."""
    AFTER_A_NOTE = 1
    """Some note has begun."""
    SOUNDING = 2
    """Some note sounds in the last bar."""
    ON_A_NOTE = 3
    """Some note begins in the last bar."""


@dataclass(frozen=True)
class Constraints:
    """The constraints of a request that the grammar can guarantee.

    Attributes:
        bars: The piece has exactly this many bars, counted from the start of the sequence; None: as many as it likes.
        end: The tick at which it ends instead, inside a bar: where a new meter begins before the last bar is whole.
        programs: ``bool[129]``, programs that may play (128: drums); None: all.
        pitches: ``bool[128]``, pitches that pitched programs may play; None: all.
        ranges: ``bool[129, 128]``, the pitches that each program may play, drums included; None: all.
        lines: ``int64[129]``, the most notes of each program that may sound at once; None: any number. Not for schemes
            with note-offs, in which it is not known when a note ends.
        players: Which programs must play in a bar; all of them apply.
        joining: Which programs may join those that have played; None: any, at any time.
        tempo: Whether new tempo changes may be written.
        tempos: The slowest and the fastest of them, in quarters a minute; None: any.
        meter: Whether new meters may be written.
        steady: The first bar's meter stays.
        pitch_rules: Time-dependent constraints on the pitches of pitched programs; all of them apply.
        preferences: Preferred pitches, one narrowing what the one before leaves.
        tendencies: What makes tokens likelier or less likely.
        rests: By pitched program, ``bool[n]``: at which ticks it may begin no note; later ones are free.
        script: A template for all tokens, which also sets bars, tempo and meter.
        ends: The condition for the end, wherever it can be met.
        calm: In the last two bars, a pitched program sounds no more notes at once than it did before, and stays in the
            range that it had. Not for schemes with note-offs.
    """

    bars: int | None = None
    end: int | None = None
    programs: Mask | None = None
    pitches: Mask | None = None
    ranges: Mask | None = None
    lines: NDArray[np.int64] | None = None
    players: tuple[Players, ...] = ()
    joining: Joining | None = None
    tempo: bool = True
    tempos: tuple[float, float] | None = None
    meter: bool = True
    steady: bool = False
    pitch_rules: tuple[PitchRule, ...] = ()
    preferences: tuple[Preference, ...] = ()
    tendencies: tuple[Tendency, ...] = ()
    rests: Mapping[int, Mask] = field(default_factory=dict)
    script: Script | None = None
    ends: Ends = Ends.ANYHOW
    calm: bool = False


@dataclass(frozen=True)
class Rulebook:
    """The tables of a tokenizer's cursors; shared by all of them, never changed.

    Attributes:
        scheme: The base tokens and their grid.
        merges: The merged ids, where there are any.
        masks: For each kind the base tokens that may come right after it, ``bool[V]``.
        rules: For each kind the rules that can matter after it.
        closing: Base tokens that lead towards the end, ``bool[V]``.
        shift_needs_note: Nothing but a note may follow a time shift (Structured), so it must lead to where one can
            stand.
        program_before_note: Every note names its program; otherwise a program holds until the next.
        program_values: The programs there are tokens for.
        program_span: Where they stand among the 129.
    """

    scheme: Scheme
    merges: Merges | None
    masks: Mapping[Kind, Mask]
    rules: Mapping[Kind, tuple[Rule, ...]]
    closing: Mask
    shift_needs_note: bool
    program_before_note: bool
    program_values: NDArray[np.int32]
    program_span: Span

    @property
    def size(self) -> int:
        """Number of ids."""
        return len(self.scheme.vocabulary) if self.merges is None else len(self.merges.parts)

    def base(self, token: int) -> tuple[int, ...]:
        """The base tokens that an id stands for."""
        return (token,) if self.merges is None else self.merges.parts[token]

    def single(self, part: int) -> int:
        """The id that stands for one base token alone."""
        return part if self.merges is None else self.merges.singles[part]
