"""The quarter notes that codes are learned from, as piano rolls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toccata.corpus.store import Corpus, Split
from toccata.errors import MidiError
from toccata.model.vqconfig import CHANNELS, KEYS
from toccata.tokenizers.rolls import LONGEST, rolls

MOST = 200_000
"""At most so many quarter notes of the training split are learned from: 105 MB."""


class Slices:
    """The quarter notes of a split, eight steps a byte, and how many each piece has."""

    def __init__(self, corpus: Corpus, split: Split, steps: int, most: int, seed: int) -> None:
        numbers = corpus.numbers(split)
        self.steps = steps
        self.pieces: list[int] = []
        packed: list[NDArray[np.uint8]] = []
        for number in np.random.default_rng(seed).permutation(numbers).tolist():
            score = corpus.score(number)
            try:
                slices = rolls(score, steps)
            except MidiError:
                slices = rolls(score, steps, quarters=LONGEST)
            slices = slices[: most - sum(self.pieces)]
            if not len(slices):
                continue
            packed.append(np.packbits(slices.reshape(len(slices), -1), axis=1))
            self.pieces.append(len(slices))
            if sum(self.pieces) >= most:
                break
        self.packed = np.concatenate(packed) if packed else np.zeros((0, 1), np.uint8)

    def __len__(self) -> int:
        return len(self.packed)

    def take(self, which: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        """``uint8[n, 2, 88, S]``."""
        return np.unpackbits(self.packed[which], axis=1).reshape(-1, CHANNELS, KEYS, self.steps)


def transposed(slices: NDArray[np.uint8], by: int) -> NDArray[np.uint8]:
    """The slices some keys higher or lower; what leaves the piano is gone."""
    moved = np.roll(slices, by, axis=2)
    if by > 0:
        moved[:, :, :by] = 0
    elif by < 0:
        moved[:, :, by:] = 0
    return moved
