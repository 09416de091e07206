"""The grammar: which ids may come next, so that every generated sequence is a valid piece.

A :class:`Grammar` knows a token scheme; a :class:`~toccata.tokenizers.cursor.Cursor` walks along one sequence.
``cursor.allowed()`` is the set of ids after which a valid piece can still be reached:

- tokens in the order their decoder reads them, no note incomplete;
- time that only goes forward, within its bar; exactly the requested bars, with every note ended by then;
- no note begun while the same pitch sounds in the same program, so none is doubled and none overlaps itself;
- only the requested programs and pitches.

The set is never empty, because nothing is allowed that leaves no way to the end: a time is offered only if some allowed
pitch is free then and a shortest note still fits, and a meter only if the notes that sound fit into the bars that
remain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from toccata.tokenizers.cursor import RULES, Cursor
from toccata.tokenizers.merges import Merges
from toccata.tokenizers.rulebook import Constraints, Mask, Rule, Rulebook
from toccata.tokenizers.scheme import Clock, Scheme, span
from toccata.tokenizers.state import State
from toccata.tokenizers.vocabulary import Kind

Follows = Mapping[Kind, frozenset[Kind]]
"""For each kind, the kinds that may come right after it; for SPECIAL, those that may open a piece."""
_CLOSING = (Kind.BAR, Kind.TIME_SIG, Kind.NOTE_OFF, Kind.PROGRAM, Kind.TIME_SHIFT)


class Grammar(Rulebook):
    """The rules of one tokenizer."""

    @classmethod
    def of(cls, scheme: Scheme, follows: Follows, merges: Sequence[Sequence[int]] | None = None) -> Grammar:
        """The grammar of a scheme.

        Args:
            scheme: The base tokens and their grid.
            follows: What may come after what.
            merges: For tokenizers with learned merges: for each id the base ids it stands for. None: ids are base ids.
        """
        vocabulary = scheme.vocabulary
        masks = {kind: _mask(scheme, kind, follows) for kind in Kind}
        closing: Mask = np.isin(vocabulary.kinds, _CLOSING)
        closing[scheme.eos] = True
        return cls(
            scheme=scheme,
            merges=None if merges is None else Merges(scheme, merges, follows),
            masks=masks,
            rules={kind: _rules(scheme, mask) for kind, mask in masks.items()},
            closing=closing,
            shift_needs_note=Kind.TIME_SHIFT not in follows.get(Kind.TIME_SHIFT, frozenset()),
            program_before_note=scheme.start_kind not in follows.get(scheme.after_note, frozenset()),
            program_values=vocabulary.values[vocabulary.of_kind[Kind.PROGRAM]],
            program_span=span(vocabulary.values[vocabulary.of_kind[Kind.PROGRAM]]),
        )

    def cursor(self, constraints: Constraints | None = None, *, meter: tuple[int, int] = (4, 4)) -> Cursor:
        """A cursor before the first token; ``meter`` counts for schemes that do not write meters."""
        return Cursor(self, State(self.scheme, meter), constraints or Constraints())


def _mask(scheme: Scheme, kind: Kind, follows: Follows) -> Mask:
    after = follows.get(kind, frozenset())
    mask: Mask = np.isin(scheme.vocabulary.kinds, [int(k) for k in after if k is not Kind.SPECIAL])
    # A piece may end wherever time may move on; after a time shift too, as silence at the end is time as well.
    moves = Kind.TIME_SHIFT if scheme.timing.clock is Clock.SHIFTS else Kind.BAR
    ends = kind in (scheme.after_note, Kind.CODE)
    mask[scheme.eos] = kind is not Kind.SPECIAL and (moves in after or ends)
    return mask


def _rules(scheme: Scheme, mask: Mask) -> tuple[Rule, ...]:
    """Return the rules that apply to some token in ``mask``, the tokens that may follow."""
    present = {Kind(int(k)) for k in np.unique(scheme.vocabulary.kinds[mask])}
    chosen = [rule for kinds, rule in RULES if present & kinds]
    return (*chosen, Cursor.rule_end) if mask[scheme.eos] else tuple(chosen)
