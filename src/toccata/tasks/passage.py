"""Passages: consecutive bars of a piece as ids, for training examples and prompts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.midi.bars import BarMap
from toccata.midi.edit import slice_ticks
from toccata.tokenizers.base import Tokenizer


@dataclass(frozen=True)
class Passage:
    """Bars ``first`` to ``last - 1`` of a piece as ids.

    Attributes:
        ids: ``int32[T]``; BOS opens the passage if it is the piece's beginning, EOS closes it if it is its end.
        first: The first bar, counted from 0.
        last: The bar after the last one.
    """

    ids: NDArray[np.int32]
    first: int
    last: int


def passage(
    tokenizer: Tokenizer,
    score: Score,
    bars: BarMap,
    first: int,
    last: int,
    *,
    ended: bool = True,
    until: int | None = None,
) -> Passage:
    """Encode bars ``first`` to ``last - 1``.

    Args:
        tokenizer: The tokenizer.
        score: The whole piece.
        bars: Its bars.
        first: The first bar, counted from 0.
        last: The bar after the last one.
        ended: Whether the piece ends with its last bar; for a prompt it does not.
        until: The tick at which the passage ends; None: the end of its last bar.
    """
    end = ended and last == len(bars)
    # Notes that begin on the very last tick of a piece belong to its last bar.
    stop = max(int(bars.starts[last]), score.end() + 1) if last == len(bars) else int(bars.starts[last])
    music = slice_ticks(score, int(bars.starts[first]), stop)
    length = (int(bars.starts[last]) if until is None else until) - int(bars.starts[first])
    return Passage(tokenizer.encode(music, start=first == 0, end=end, length=length).ids, first, last)


def passage_of_length(
    tokenizer: Tokenizer, score: Score, bars: BarMap, onsets: NDArray[np.int64], first: int, tokens: int
) -> Passage:
    """Return the passage from bar ``first`` on that has at least ``tokens`` ids, or reaches the end of the piece.

    Args:
        tokenizer: The tokenizer.
        score: The whole piece.
        bars: Its bars.
        onsets: The onsets of all notes in ticks, sorted.
        first: The first bar, counted from 0.
        tokens: How many ids are wanted.
    """
    per_note = 2.0  # few tokenizers need fewer tokens for a note; a wrong guess costs a second encoding
    before = int(np.searchsorted(onsets, bars.starts[first]))
    while True:
        target = before + int(tokens / per_note) + 1
        tick = int(onsets[target]) if target < len(onsets) else bars.end
        last = min(max(bars.at(tick) + 1, first + 1), len(bars))
        found = passage(tokenizer, score, bars, first, last)
        if last == len(bars) or len(found.ids) >= tokens:
            return found
        per_note /= 2
