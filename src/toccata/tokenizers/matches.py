"""What followed the last time: what came next at the latest place where the last tokens were the same.

Music comes back, mostly on other steps of the scale and often with other notes to the same rhythm. So a sequence is
compared with itself in three ways: as it is, but that pitches are steps from the pitch before; as a rhythm, all pitches
alike; as a melody, of the steps alone. A decoder learns to look back like this by itself (induction heads: Olsson et
al. 2022, arXiv 2209.11895), but from far more music than a musician has.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.vocabulary import Kind, Vocabulary

TOKENS, RHYTHM, MELODY = (3, 4, 6), (4, 8), (3, 5)
"""How many last words have to be the same, for each guess."""
Guesses = tuple[int, ...]
Ints = NDArray[np.int64]


class PitchIds:
    """The pitches of a vocabulary; drum keys are none.

    Attributes:
        size: The number of ids.
        pitches: By id, its pitch; -1 for what has none.
        ids: By pitch, its id.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.size = len(vocabulary.kinds)
        pitched = (vocabulary.kinds == Kind.PITCH) & ~vocabulary.drums
        self.pitches: list[int] = np.where(pitched, vocabulary.values, -1).tolist()
        self.ids = {pitch: token for token, pitch in enumerate(self.pitches) if pitch >= 0}
        # The same as arrays, the second from pitch -128 on: a step may lead out of the range of pitches.
        self.pitch_of = np.array(self.pitches)
        self.id_of = np.full(3 * 128, -1)
        self.id_of[[128 + pitch for pitch in self.ids]] = list(self.ids.values())

    @property
    def blocks(self) -> dict[str, int]:
        """Name and number of values of each guess; 0 is none."""
        return {
            **{f"after {n} tokens": 1 + self.size for n in TOKENS},
            **{f"after a rhythm of {n}": 2 + self.size for n in RHYTHM},  # the last: any pitch
            **{f"after {n} steps": 1 + self.size for n in MELODY},
        }


class History:
    """Words in a row, and for each number of them where they were last followed by what."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self.words: list[int] = []
        self._seen: list[tuple[int, dict[tuple[int, ...], int]]] = [(length, {}) for length in lengths]

    def add(self, word: int) -> list[int | None]:
        """Append a word; for each length, what followed the last so many words before."""
        words = self.words
        words.append(word)
        found: list[int | None] = []
        for length, seen in self._seen:
            if len(words) < length:
                found.append(None)
                continue
            last = tuple(words[-length:])
            after = seen.get(last)
            seen[last] = len(words)
            found.append(None if after is None else words[after])
        return found

    def copy(self) -> History:
        made = History(())
        made.words = self.words.copy()
        made._seen = [(length, seen.copy()) for length, seen in self._seen]
        return made


class Matches:
    """Reads one sequence token by token, and guesses the next from what followed the same before."""

    def __init__(self, pitches: PitchIds) -> None:
        self._ids = pitches
        self._pitch = 0
        self._tokens, self._rhythm, self._melody = (History(lengths) for lengths in (TOKENS, RHYTHM, MELODY))
        self._after_tokens: Guesses = (0,) * len(TOKENS)
        self._after_rhythm: Guesses = (0,) * len(RHYTHM)
        self._after_steps: Guesses = (0,) * len(MELODY)

    @property
    def guesses(self) -> Guesses:
        """The id guessed in each way, from 1; in the order of :attr:`PitchIds.blocks`."""
        return self._after_tokens + self._after_rhythm + self._after_steps

    def read(self, token: int) -> None:
        """Read the next token."""
        size = self._ids.size
        pitch = self._ids.pitches[token]
        if pitch < 0:
            word = beat = token
        else:
            step, self._pitch = pitch - self._pitch, pitch
            word, beat = 2 * size + step, size
            self._after_steps = tuple([self._guess(found) for found in self._melody.add(word)])
        self._after_tokens = tuple([self._guess(found) for found in self._tokens.add(word)])
        self._after_rhythm = tuple([0 if found is None else 1 + found for found in self._rhythm.add(beat)])

    def _guess(self, word: int | None) -> int:
        """The id that a word is from here, from 1; 0: there is none."""
        if word is None:
            return 0
        size = self._ids.size
        return 1 + (word if word < size else self._ids.ids.get(self._pitch + word - 2 * size, -1))

    def copy(self) -> Matches:
        """One that goes on from here by itself."""
        made = object.__new__(Matches)
        made.__dict__.update(self.__dict__)
        made._tokens, made._rhythm, made._melody = (h.copy() for h in (self._tokens, self._rhythm, self._melody))
        return made


def guesses(pitches: PitchIds, ids: NDArray[np.int64]) -> Ints:
    """The guesses ``int64[T, n]`` after each of ``ids int64[T]``, a column for each of :attr:`PitchIds.blocks`.

    The same numbers as :class:`Matches` has, a whole sequence at a time.
    """
    size = pitches.size
    pitch = pitches.pitch_of[ids]
    pitched = np.flatnonzero(pitch >= 0)
    sung = pitch[pitched]
    nth = np.cumsum(pitch >= 0) - 1  # the number of the latest pitch; -1: there is none yet
    latest = np.where(nth >= 0, np.append(sung, 0)[nth], 0)
    steps = 2 * size + np.diff(sung, prepend=0)
    words = ids.copy()
    words[pitched] = steps
    beats = np.where(pitch >= 0, size, ids)
    columns = [_named(pitches, found, latest) for found in followed(words, TOKENS)]
    columns += [1 + found for found in followed(beats, RHYTHM)]
    for found in followed(steps, MELODY):
        columns.append(np.append(_named(pitches, found, sung), 0)[nth])
    return np.stack(columns, axis=1)


def _named(pitches: PitchIds, words: Ints, latest: Ints) -> Ints:
    """The ids, from 1, that words are after the pitches ``latest``; 0: there is none."""
    reached = np.clip(128 + latest + words - 2 * pitches.size, 0, len(pitches.id_of) - 1)
    return 1 + np.where(words < pitches.size, words, pitches.id_of[reached])


def followed(words: Ints, lengths: Sequence[int]) -> list[Ints]:
    """For each length and word: what followed when the last so many words were there before; -1: they never were."""
    runs: dict[int, Ints] = {1: np.unique(words, return_inverse=True)[1]}

    def numbered(length: int) -> Ints:
        """A number for each run of so many words, the same for the same words."""
        if length not in runs:
            first, last = numbered(length - length // 2), numbered(length // 2)
            count = max(len(words) - length + 1, 0)
            pairs = first[:count] * (len(words) + 1) + last[length - length // 2 :][:count]
            runs[length] = np.unique(pairs, return_inverse=True)[1]
        return runs[length]

    found = []
    for length in lengths:
        own = numbered(length)
        order = np.argsort(own, kind="stable")
        again = own[order[1:]] == own[order[:-1]]
        followed = np.full(len(words), -1)
        followed[order[1:][again] + length - 1] = words[order[:-1][again] + length]
        found.append(followed)
    return found
