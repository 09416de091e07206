"""Event tokenizers: RunningStatus, and MidiTok's REMI, TSD, MIDI-like and Structured; merges can be learned.

RunningStatus is toccata's own: REMI in which program, velocity and duration stand before a pitch, and only where they
change, as in MIDI's running status. The ids of the others are those of MidiTok 3.1, and its file is ours:
``tokenizer/tokenizer.json`` opens in MidiTok as it is. They are written and read here, without MidiTok
(``writer.py``, ``reader.py``, ``bpe.py``). Around them stands what MidiTok leaves open: meters there is no token for
are written as ones of the same length, meter changes inside a bar close that bar, pedals that are never lifted are
lifted at the end, tempos come back as usual ones, merges never see held-out pieces, and the grammar (``grammar.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Note, Score, Track

from toccata.errors import ModelError, RecipeError, RequestError
from toccata.files import read_json, written_aside
from toccata.midi.levels import DEFAULT, Levels
from toccata.tokenizers.base import Tokens, ids_of
from toccata.tokenizers.bpe import Merged, merged_vocabulary
from toccata.tokenizers.encoding import Encoding
from toccata.tokenizers.features import Features, has_features
from toccata.tokenizers.grammar import Grammar
from toccata.tokenizers.learning import learned, texts_of
from toccata.tokenizers.options import SCHEMES, EventOptions, document_of, refusing
from toccata.tokenizers.vocabulary import Kind

FILE = "tokenizer.json"
LEVELS = "levels"
"""The key of the file that says what the levels of controls mean; MidiTok passes over it."""
_MOST_BYTES = 1 << 27
"""A saved tokenizer is a few megabytes at most."""
__all__ = ["SCHEMES", "EventOptions", "EventTokenizer"]


class EventTokenizer:
    """Music as events, as toccata's :class:`~toccata.tokenizers.base.Tokenizer`."""

    def __init__(self, document: Mapping[str, Any], merges: int = 0, algorithm: str = "BPE") -> None:
        """A tokenizer by what is saved of it.

        Args:
            document: The settings, and what was learned, as MidiTok saves them.
            merges: How many ids :meth:`fit` shall learn in all; 0: none are learned.
            algorithm: How it learns them.

        Raises:
            ValueError: A setting with a value that it cannot have; also KeyError and TypeError.
        """
        self.merges, self.algorithm = merges, algorithm
        self._open(document)

    def _open(self, document: Mapping[str, Any]) -> None:
        self.document = dict(document)
        self.scheme: str = document["tokenization"]
        base = document.get("_vocab_base")
        words = None if base is None else sorted(base, key=base.__getitem__)
        if base is not None and sorted(base.values()) != list(range(len(base))):
            raise ValueError("the ids of its words have gaps")
        levels = Levels.from_json(document[LEVELS]) if LEVELS in document else DEFAULT
        self._encoding = Encoding(self.scheme, document["config"], words, levels)
        self._learned: Merged | None = None
        if "_model" in document:
            ids = {word: i for i, word in enumerate(self._encoding.words)}
            self._learned = merged_vocabulary(document["_model"], document["_vocab_base_byte_to_token"], ids)
        for name in ("_fingerprint", "_grammar", "features"):
            self.__dict__.pop(name, None)

    def __getstate__(self) -> dict[str, Any]:
        # What is built from the document is built anew: a process that is started with a few kilobytes need not be
        # waited for, as one that is started with more than a pipe holds.
        return {"document": self.document, "merges": self.merges, "algorithm": self.algorithm}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    @classmethod
    def build(cls, options: EventOptions) -> EventTokenizer:
        """A new tokenizer, before :meth:`fit`.

        Raises:
            RecipeError: An option that there is not, or a value that it cannot have.
        """
        with refusing(options):  # some are wrong only when there is a note to write
            made = cls(document_of(options), options.merges, options.algorithm)
            made.encode(_one_note())
        return made

    @classmethod
    def load(cls, folder: Path) -> EventTokenizer:
        """Read the tokenizer that :meth:`save` wrote.

        Raises:
            ModelError: The file is missing or damaged, or names a scheme that toccata does not have.
        """
        path = folder / FILE
        again = "copy the whole model folder again"
        try:
            document = read_json(path, limit=_MOST_BYTES)
            scheme = document["tokenization"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            why = "missing" if isinstance(error, FileNotFoundError) else f"no tokenizer ({error})"
            raise ModelError(f"{path} is {why}: {again}", path=path) from None
        if scheme not in SCHEMES:
            raise ModelError(f"{path} is a {scheme!r} tokenizer, which this version does not know", path=path)
        try:
            made = cls(document)
            made.grammar()
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
            reason = f": {error}" if isinstance(error, ValueError) else ""
            raise ModelError(f"{path} is damaged{reason}: {again}", path=path) from None
        return made

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json`` into ``folder``; MidiTok opens it as it is."""
        folder.mkdir(parents=True, exist_ok=True)
        with written_aside(folder / FILE) as aside:
            aside.write_text(json.dumps(self.document, indent=4), encoding="utf-8")

    # -- the vocabulary ------------------------------------------------------------------------------------------------

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return len(self._base_words) if self._merged is None else len(self._merged)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the scheme, its grid, the base tokens, the merges, and levels of its own."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        timing = self._encoding.scheme.timing
        lengths = {f"{kind.name} {beat}": values.tolist() for (kind, beat), values in timing.lengths.items()}
        beats = sorted(timing.ticks_per_beat.items())
        grid = [timing.clock.name, timing.ticks_per_quarter, beats, sorted(lengths.items())]
        content = [self.scheme, grid, self._base_words, self._merged]
        if LEVELS in self.document:
            content.append(self.document[LEVELS])
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def bos(self) -> int:
        """The id that opens a piece."""
        return self._special(self._encoding.scheme.bos)

    @property
    def eos(self) -> int:
        """The id that closes a piece."""
        return self._special(self._encoding.scheme.eos)

    def _special(self, base: int) -> int:
        return base if self._merged is None else self._merged.index((base,))

    @property
    def _base_words(self) -> list[str]:
        return self._encoding.words

    @property
    def _merged(self) -> list[tuple[int, ...]] | None:
        """For each learned id the base ids it stands for."""
        return None if self._learned is None else self._learned.parts

    @cached_property
    def features(self) -> Features | None:
        """The features that a model can read beside each token; None where tokens are merged, or have no durations."""
        scheme = self._encoding.scheme
        return Features(scheme) if self._merged is None and has_features(scheme) else None

    def words(self, ids: NDArray[np.int32] | Tokens) -> list[str]:
        """Each id as MidiTok's words, those of a merged id joined by ``+``."""
        base = self._base_words
        plain = [(int(i),) if self._merged is None else self._merged[int(i)] for i in ids_of(self, ids)]
        return ["+".join(base[b].removesuffix("_None") for b in parts) for parts in plain]

    # -- learning ------------------------------------------------------------------------------------------------------

    def fit(self, scores: Iterable[Score]) -> None:
        """Learn merges from ``scores`` if the recipe requests any; a merge never crosses a bar line.

        Raises:
            RecipeError: Fewer ids are requested than there are base tokens.
            MissingExtra: A library for learning them is not installed.
        """
        if not self.merges:
            return
        if self.merges <= len(self._base_words):
            raise RecipeError(
                f"tokenizer.merges={self.merges} leaves no room for merges: the base tokens alone are "
                f"{len(self._base_words)}"
            )
        written = (self._encoding.write(score) for score in scores)
        texts = texts_of(((w.ids.tolist(), w.cuts.tolist()) for w in written), self._base_words)
        self._open(learned(self.document, self._base_words, texts, self.merges, self.algorithm))

    def fit_levels(self, scores: Iterable[Score]) -> None:
        """Let the levels of controls be those that are equally common in ``scores``."""
        self._open({**self.document, LEVELS: Levels.of(scores).to_json()})

    # -- music to ids --------------------------------------------------------------------------------------------------

    def encode(self, score: Score, *, start: bool = True, end: bool = True, length: int | None = None) -> Tokens:
        """The ids of ``score``, BOS first where it is a piece's ``start``, EOS last where it is its ``end``."""
        base, cuts = self._encoding.write(score)
        ids = base if self._learned is None else np.array(self._learned.encode(base, cuts), np.int64)
        edges = [np.full(int(start), self.bos), ids, np.full(int(end), self.eos)]
        return Tokens(np.concatenate(edges).astype(np.int32), self.fingerprint)

    def decode(self, ids: NDArray[np.int32] | Tokens) -> Score:
        """The music of ``ids``, in the tokenizer's own ticks; special ids say nothing.

        Raises:
            RequestError: Tokens of another tokenizer, or an id that does not exist.
        """
        plain = ids_of(self, ids)
        if len(plain) and not 0 <= int(plain.min()) <= int(plain.max()) < self.vocab_size:
            raise RequestError(f"there are ids outside this tokenizer's 0..{self.vocab_size - 1}")
        base = plain.tolist() if self._merged is None else [b for i in plain.tolist() for b in self._merged[i]]
        kinds = self._encoding.scheme.kinds
        return self._encoding.read([b for b in base if kinds[b] != Kind.SPECIAL])

    # -- the grammar ---------------------------------------------------------------------------------------------------

    def grammar(self) -> Grammar:
        """Return the grammar, which ids may follow which; built once."""
        return self._grammar

    @cached_property
    def _grammar(self) -> Grammar:
        return Grammar.of(self._encoding.scheme, self._encoding.follows, self._merged)


def _one_note() -> Score:
    score = Score(480)
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.append(Note(0, 480, 60, 64))
    return score
