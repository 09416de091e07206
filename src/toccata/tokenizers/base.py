"""The interface of all tokenizers: music in, ids out, and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.errors import RequestError
from toccata.tokenizers.feature_reader import AnyFeatures
from toccata.tokenizers.grammar import Grammar


@dataclass(frozen=True)
class Tokens:
    """A piece, or a part of one, as token ids.

    Attributes:
        ids: ``int32[T]``.
        fingerprint: Which tokenizer wrote them; another one refuses to read them.
    """

    ids: NDArray[np.int32]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.ids)


class Tokenizer(Protocol):
    """Score to ids and back. One instance is one vocabulary; training it (:meth:`fit`) fixes that vocabulary."""

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of everything that decides which id means what."""
        ...

    @property
    def bos(self) -> int:
        """The id that opens a piece."""
        ...

    @property
    def eos(self) -> int:
        """The id that closes a piece."""
        ...

    @property
    def features(self) -> AnyFeatures | None:
        """The features that a model can read beside each token; None where there are none."""
        ...

    def fit(self, scores: Iterable[Score]) -> None:
        """Learn what has to be learned (merges, a codebook) from ``scores``; a tokenizer without such does nothing."""
        ...

    def encode(self, score: Score, *, start: bool = True, end: bool = True, length: int | None = None) -> Tokens:
        """The ids of ``score``.

        Args:
            score: Music, from tick 0 on.
            start: Whether it is its piece's beginning (BOS).
            end: Whether it is its piece's end (EOS).
            length: Its length in ticks, for tokenizers that have to say silence; None: up to the end of its last note.
        """
        ...

    def decode(self, ids: NDArray[np.int32] | Tokens) -> Score:
        """The music of ``ids``.

        Raises:
            RequestError: Tokens of another tokenizer.
        """
        ...

    def grammar(self) -> Grammar:
        """Return the grammar: which ids may follow which."""
        ...

    def words(self, ids: NDArray[np.int32] | Tokens) -> list[str]:
        """The ids as words that a person can read, one an id."""
        ...

    def save(self, folder: Path) -> None:
        """Write the tokenizer into ``folder``."""
        ...


def ids_of(tokenizer: Tokenizer, tokens: NDArray[np.int32] | Tokens) -> NDArray[np.int32]:
    """The plain ids of ``tokens``, after checking that they are ``tokenizer``'s own.

    Raises:
        RequestError: They were written by another tokenizer.
    """
    if not isinstance(tokens, Tokens):
        return np.asarray(tokens, dtype=np.int32)
    if tokens.fingerprint != tokenizer.fingerprint:
        raise RequestError(
            f"these ids were written by another tokenizer ({tokens.fingerprint[:8]}, this one is "
            f"{tokenizer.fingerprint[:8]}): encode the music again with this model's tokenizer"
        )
    return tokens.ids
