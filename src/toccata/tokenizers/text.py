"""Music as text: a note is a character, and SentencePiece learns the words.

Score -> characters (see ``layouts.py``) -> SentencePiece's pieces. A piece stands for the base tokens of its
characters, so the rules for merged event tokens (``grammar.py``, ``merges.py``) apply unchanged: every generated string
can be played, and obeys the request.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.errors import ModelError, RecipeError, RequestError, ToccataError, shown
from toccata.files import read_json, write_json
from toccata.tokenizers.base import Tokens, ids_of
from toccata.tokenizers.grammar import Grammar
from toccata.tokenizers.layouts import LAYOUTS, Layout, layout
from toccata.tokenizers.options import PLAIN_SPECIALS, refuse_merges
from toccata.tokenizers.play import play
from toccata.tokenizers.vocabulary import Kind

FILE = "text.json"
_ALGORITHMS = ("unigram", "bpe")
_LONGEST = 16
"""Characters that a piece may have."""
_RARE = 3
"""A note that the training pieces have fewer times than this is spelled."""


@dataclass(frozen=True)
class TextOptions:
    """The recipe's options for a text tokenizer.

    Attributes:
        scheme: ``text``.
        layout: ``rhythm``, or ``theremin`` for the characters of theremin-midi.
        velocities: Degrees of loudness, 1 to 7 (``theremin`` has 3).
        merges: How many ids in all, learned pieces included; 0: none are learned, and every note is spelled.
        algorithm: ``unigram`` (SentencePiece's own) or ``bpe``.
    """

    scheme: str = "text"
    layout: str = "rhythm"
    velocities: int = 4
    merges: int = 0
    algorithm: str = "unigram"

    def __post_init__(self) -> None:
        if self.algorithm not in _ALGORITHMS:
            raise RecipeError(
                f"tokenizer.algorithm must be one of {', '.join(_ALGORITHMS)}, not {shown(self.algorithm)}"
            )
        if self.layout not in LAYOUTS:
            raise RecipeError(f"tokenizer.layout must be one of {', '.join(LAYOUTS)}, not {shown(self.layout)}")
        if self.layout == "rhythm" and not 1 <= self.velocities <= 7:
            raise RecipeError(f"tokenizer.velocities goes from 1 to 7 in this layout, not {shown(self.velocities)}")
        refuse_merges(self.merges)


class TextTokenizer:
    """Notes as characters, as toccata's :class:`~toccata.tokenizers.base.Tokenizer`."""

    scheme = "text"

    def __init__(self, options: TextOptions, model: bytes | None = None) -> None:
        """A tokenizer; ``model`` is what SentencePiece has learned.

        Raises:
            RecipeError: A layout or a value that there is not.
        """
        self.options, self.model = options, model
        self.layout: Layout = layout(options.layout, options.velocities)

    @classmethod
    def load(cls, folder: Path) -> TextTokenizer:
        """Read the tokenizer that :meth:`save` wrote.

        Raises:
            ModelError: The file is missing or is not one of ours.
        """
        path = folder / FILE
        try:
            saved = read_json(path)
            model = saved["sentencepiece"]
            options = TextOptions(**saved["options"])
            made = cls(options, None if model is None else base64.b64decode(model))
            made.grammar()
            return made
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ToccataError) as error:
            why = "missing" if isinstance(error, FileNotFoundError) else f"no tokenizer ({error})"
            raise ModelError(f"{path} is {why}: copy the whole model folder again", path=path) from None

    def save(self, folder: Path) -> None:
        """Write ``text.json`` into ``folder``; SentencePiece's own model is in it, in base64."""
        folder.mkdir(parents=True, exist_ok=True)
        model = None if self.model is None else base64.b64encode(self.model).decode()
        write_json(folder / FILE, {"options": asdict(self.options), "sentencepiece": model})

    # -- the vocabulary ------------------------------------------------------------------------------------------------

    @property
    def vocab_size(self) -> int:
        """Number of ids: the special ones, then SentencePiece's pieces, or the base tokens where none are learned."""
        return len(self.layout.scheme.vocabulary) if self._pieces is None else len(PLAIN_SPECIALS) + len(self._pieces)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the layout and the pieces."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        content = [asdict(self.options), self.layout.scheme.vocabulary.words, self._pieces]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def bos(self) -> int:
        """The id that opens a piece."""
        return PLAIN_SPECIALS.index("BOS")

    @property
    def eos(self) -> int:
        """The id that closes a piece."""
        return PLAIN_SPECIALS.index("EOS")

    @cached_property
    def _processor(self) -> Any:
        """SentencePiece, ready; None before it has learned."""
        if self.model is None:
            return None
        from sentencepiece import SentencePieceProcessor

        try:
            return SentencePieceProcessor(model_proto=self.model)
        except RuntimeError:
            raise ModelError("the tokenizer's pieces are damaged: copy the whole model folder again") from None

    @cached_property
    def _pieces(self) -> list[str] | None:
        """SentencePiece's pieces in the order of its ids, the unknown one left out."""
        sp = self._processor
        return None if sp is None else [sp.id_to_piece(i) for i in range(1, sp.get_piece_size())]

    @cached_property
    def _parts(self) -> list[tuple[int, ...]] | None:
        """For each id the base tokens it stands for."""
        if self._pieces is None:
            return None
        special = [(base,) for base in range(len(PLAIN_SPECIALS))]
        return special + [tuple(b for c in piece for b in self.layout.parts(c)) for piece in self._pieces]

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(piece for piece in self._pieces or () if len(piece) == 1)

    @property
    def features(self) -> None:
        """There are none of these tokens."""
        return None

    def words(self, ids: NDArray[np.int32] | Tokens) -> list[str]:
        """Each id as the words of its base tokens, joined by ``+``."""
        base = self.layout.scheme.vocabulary.words
        parts = self._parts
        plain = [(int(i),) if parts is None else parts[int(i)] for i in ids_of(self, ids)]
        return ["+".join(base[b].removesuffix("_None") for b in group) for group in plain]

    # -- learning ------------------------------------------------------------------------------------------------------

    def fit(self, scores: Iterable[Score]) -> None:
        """Learn pieces from ``scores`` if the recipe requests any; a piece never crosses a bar line.

        Raises:
            RecipeError: Fewer ids are requested than there are base tokens.
        """
        if not self.options.merges:
            return
        spelled = sorted(self.layout.own.values())
        room = self.options.merges - len(PLAIN_SPECIALS) - 1
        if room <= len(spelled):
            least = len(spelled) + len(PLAIN_SPECIALS) + 2
            raise RecipeError(
                f"tokenizer.merges={self.options.merges} leaves no room for pieces: take at least {least}"
            )
        texts = [bar for score in scores for bar in self.layout.write(score) if bar]
        counts = Counter("".join(texts))
        own = set(spelled)
        notes = [c for c, n in counts.most_common() if c not in own and n >= _RARE][: (room - len(spelled)) // 2]
        known = own | set(notes)
        lines = ["".join(c if c in known else self.layout.spelled(c) for c in bar) for bar in texts]
        self.model = _learned(lines, "".join(sorted(known)), room + 1, self.options.algorithm)
        for name in ("_processor", "_pieces", "_parts", "_known", "_fingerprint", "_grammar"):
            self.__dict__.pop(name, None)

    # -- music to ids and back -----------------------------------------------------------------------------------------

    def text(self, score: Score) -> list[str]:
        """The characters of ``score``, one string a bar."""
        return self.layout.write(score)

    def encode(self, score: Score, *, start: bool = True, end: bool = True, length: int | None = None) -> Tokens:
        """The ids of ``score``, BOS first where it is a piece's ``start``, EOS last where it is its ``end``."""
        ids = [self.bos] * start
        for bar in self.text(score):
            ids += self.read(bar)
        return Tokens(np.array(ids + [self.eos] * end, np.int32), self.fingerprint)

    def read(self, text: str) -> list[int]:
        """The ids of characters; those that no piece has are spelled, those of no layout are left out."""
        if self._processor is None:
            return [base for character in text for base in self.layout.parts(character)]
        known = "".join(c if c in self._known else self.layout.spelled(c) for c in text)
        return [len(PLAIN_SPECIALS) - 1 + i for i in self._processor.encode(known)] if known else []

    def decode(self, ids: NDArray[np.int32] | Tokens) -> Score:
        """The music of ``ids``, in the layout's own ticks; special ids say nothing.

        Raises:
            RequestError: Tokens of another tokenizer, or an id that does not exist.
        """
        plain = ids_of(self, ids)
        if len(plain) and not 0 <= int(plain.min()) <= int(plain.max()) < self.vocab_size:
            raise RequestError(f"there are ids outside this tokenizer's 0..{self.vocab_size - 1}")
        parts, kinds = self._parts, self.layout.scheme.kinds
        base = plain.tolist() if parts is None else [b for i in plain.tolist() for b in parts[i]]
        return play(self.layout.scheme, [b for b in base if kinds[b] != Kind.SPECIAL], tempo=self.layout.tempo)

    # -- the grammar ---------------------------------------------------------------------------------------------------

    def grammar(self) -> Grammar:
        """Return the grammar, which ids may follow which; built once."""
        return self._grammar

    @cached_property
    def _grammar(self) -> Grammar:
        return Grammar.of(self.layout.scheme, self.layout.follows, self._parts)

    def __getstate__(self) -> dict[str, Any]:
        return {"options": self.options, "model": self.model, "layout": self.layout}


def _learned(lines: list[str], characters: str, size: int, algorithm: str) -> bytes:
    """Return the model that SentencePiece learns from ``lines``: at most ``size`` pieces, with all ``characters``."""
    from sentencepiece import SentencePieceTrainer

    out = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter([*lines, *characters]),  # a character that no line has would get no piece
        model_writer=out,
        model_type=algorithm,
        vocab_size=size,
        hard_vocab_limit=False,
        character_coverage=1.0,
        required_chars=characters,
        max_sentencepiece_length=_LONGEST,
        max_sentence_length=1 << 20,
        normalization_rule_name="identity",  # a character is a note, not a letter that may be written otherwise
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_by_unicode_script=False,
        split_by_number=False,
        split_by_whitespace=False,
        unk_id=0,
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
        num_threads=2,
        minloglevel=2,
    )
    return out.getvalue()
