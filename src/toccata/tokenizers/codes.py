"""Codes of a learned codebook: a quarter note of music is a few of them.

A codec (a VQ-VAE, see ``model/vqvae.py``) turns piano rolls of one quarter into codes and back. It is handed in, so
this room needs neither torch nor ONNX Runtime. Every sequence of codes can be played: a note that sounds where a
quarter ends continues if the codes of the next one continue it, and no note overlaps itself.

Loudness, instruments, tempo and meter are lost, as a roll does not hold them (see ``rolls.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.errors import ModelError, RecipeError, RequestError, shown
from toccata.files import read_json, write_json
from toccata.tokenizers.base import Tokens, ids_of
from toccata.tokenizers.grammar import Grammar
from toccata.tokenizers.options import PLAIN_SPECIALS
from toccata.tokenizers.play import play
from toccata.tokenizers.rolls import LOWEST, rolls
from toccata.tokenizers.scheme import Clock, Scheme, Timing
from toccata.tokenizers.vocabulary import Kind, read_vocabulary

FILE = "codes.json"
_NOW = {"book": "codebook"}
"""Options that had another name once, and what they are called now."""
_REMEMBERED = 4096
"""Quarters whose music is remembered: the same ones come again and again."""


class Codec(Protocol):
    """The codec, which turns piano rolls into codes and back.

    Attributes:
        steps: Steps a quarter note.
        codes: Codes a quarter note.
        codebook: Number of different codes.
    """

    steps: int
    codes: int
    codebook: int

    @property
    def fingerprint(self) -> str:
        """A digest of its weights: another codec's codes mean other music."""
        ...

    @property
    def threshold(self) -> float:
        """The least probability at which a key counts as struck, or as sounding."""
        ...

    def save(self, folder: Path) -> None:
        """Write its files into ``folder``."""
        ...

    def encode(self, slices: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Rolls ``uint8[Q, 2, 88, S]`` as codes ``int32[Q, K]``."""
        ...

    def decode(self, codes: NDArray[np.int32]) -> NDArray[np.float32]:
        """Codes ``int32[Q, K]`` as probabilities ``float32[Q, 2, 88, S]``."""
        ...


OpenCodec = Callable[[Path], Codec]
"""Opens the codec whose files lie in a folder."""


@dataclass(frozen=True)
class CodesOptions:
    """The recipe's options for a tokenizer of codes; the shape of the network is in ``[codec]``.

    Attributes:
        scheme: ``codes``.
        codes: Codes a quarter note.
        codebook: Number of different codes.
        steps: Steps a quarter note, the time resolution.
        merges: 0; nothing is merged.
    """

    scheme: str = "codes"
    codes: int = 8
    codebook: int = 512
    steps: int = 24
    merges: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (("codes", 1, 64), ("codebook", 2, 65536), ("steps", 4, 96), ("merges", 0, 0)):
            if not low <= getattr(self, name) <= high:
                raise RecipeError(f"tokenizer.{name} goes from {low} to {high}, not {shown(getattr(self, name))}")


class CodesTokenizer:
    """Codes, as toccata's :class:`~toccata.tokenizers.base.Tokenizer`."""

    scheme = "codes"

    def __init__(self, options: CodesOptions, codec: Codec | None = None) -> None:
        """A tokenizer; without a codec it can only tell how many ids it has."""
        self.options, self._codec = options, codec

    @classmethod
    def load(cls, folder: Path, open_codec: OpenCodec) -> CodesTokenizer:
        """Read the tokenizer that :meth:`save` wrote, its codec by ``open_codec``.

        Raises:
            ModelError: A file is missing or is not one of ours.
        """
        path = folder / FILE
        try:
            saved = {**read_json(path)["options"]}
            options = CodesOptions(**{_NOW.get(name, name): value for name, value in saved.items()})
        except (OSError, ValueError, KeyError, TypeError, RecipeError) as error:
            why = "missing" if isinstance(error, FileNotFoundError) else f"no tokenizer ({error})"
            raise ModelError(f"{path} is {why}: copy the whole model folder again", path=path) from None
        codec = open_codec(folder)
        if (codec.steps, codec.codes, codec.codebook) != (options.steps, options.codes, options.codebook):
            raise ModelError(f"{path} is not that of its networks: copy the whole model folder again", path=path)
        return cls(options, codec)

    def save(self, folder: Path) -> None:
        """Write ``codes.json`` and the codec's files into ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        self.codec.save(folder)
        write_json(folder / FILE, {"options": asdict(self.options)})

    @property
    def codec(self) -> Codec:
        """The codec.

        Raises:
            ModelError: None was handed in.
        """
        if self._codec is None:
            raise ModelError("this tokenizer has not learned its codes yet: train a model with it first")
        return self._codec

    # -- the vocabulary ------------------------------------------------------------------------------------------------

    @property
    def vocab_size(self) -> int:
        """Number of ids: the special ones, then the codes."""
        return len(PLAIN_SPECIALS) + self.options.codebook

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the shape and the codec's weights."""
        first = {now: name for name, now in _NOW.items()}  # a model made before keeps its fingerprint
        options = {first.get(name, name): value for name, value in asdict(self.options).items()}
        content = [options, self.codec.fingerprint]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def bos(self) -> int:
        """The id that opens a piece."""
        return PLAIN_SPECIALS.index("BOS")

    @property
    def eos(self) -> int:
        """The id that closes a piece."""
        return PLAIN_SPECIALS.index("EOS")

    @property
    def features(self) -> None:
        """There are none of these tokens."""
        return None

    def words(self, ids: NDArray[np.int32] | Tokens) -> list[str]:
        """Each id as a word."""
        base = self.grammar().scheme.vocabulary.words
        return [base[int(i)].removesuffix("_None") for i in ids_of(self, ids)]

    def fit(self, scores: Iterable[Score]) -> None:
        """Do nothing: the codec was trained before it was passed in."""

    # -- music to ids and back -----------------------------------------------------------------------------------------

    def encode(self, score: Score, *, start: bool = True, end: bool = True, length: int | None = None) -> Tokens:
        """The ids of ``score``, of as many quarters as ``length`` has begun."""
        quarters = None if length is None else -(-length // score.ticks_per_quarter)
        slices = rolls(score, self.options.steps, quarters=quarters)
        codes = self.codec.encode(slices).reshape(-1) if len(slices) else np.zeros(0, np.int32)
        ids = [np.full(int(start), self.bos), codes + len(PLAIN_SPECIALS), np.full(int(end), self.eos)]
        return Tokens(np.concatenate(ids).astype(np.int32), self.fingerprint)

    def decode(self, ids: NDArray[np.int32] | Tokens) -> Score:
        """Return the music of ``ids``, ``steps`` ticks a quarter; special ids and an incomplete quarter are ignored.

        Raises:
            RequestError: Tokens of another tokenizer, or an id that does not exist.
        """
        plain = ids_of(self, ids)
        if len(plain) and not 0 <= int(plain.min()) <= int(plain.max()) < self.vocab_size:
            raise RequestError(f"there are ids outside this tokenizer's 0..{self.vocab_size - 1}")
        return play(self.grammar().scheme, [i for i in plain.tolist() if i >= len(PLAIN_SPECIALS)])

    # -- the grammar ---------------------------------------------------------------------------------------------------

    def grammar(self) -> Grammar:
        """Return the grammar, which ids may follow which; built once."""
        return self._grammar

    @cached_property
    def _grammar(self) -> Grammar:
        special = [f"{name}_None" for name in PLAIN_SPECIALS]
        vocabulary = read_vocabulary([*special, *(f"Code_{code}" for code in range(self.options.codebook))], special)
        steps, nothing = self.options.steps, np.zeros(0, np.int64)
        timing = Timing(
            clock=Clock.SHIFTS,
            ticks_per_quarter=steps,
            ticks_per_beat={4: steps},
            ticks_per_position={4: 1},
            lengths={(kind, steps): nothing for kind in (Kind.DURATION, Kind.TIME_SHIFT, Kind.REST)},
            rest_from_note_end=False,
            default_length=0.5,
            duration_programs=frozenset(range(-1, 128)),
        )
        scheme = Scheme(vocabulary, timing, bos=self.bos, eos=self.eos, codebook=_Player(self))
        follows = {Kind.SPECIAL: frozenset({Kind.CODE}), Kind.CODE: frozenset({Kind.CODE})}
        return Grammar.of(scheme, follows)

    def __getstate__(self) -> dict[str, Any]:
        return {"options": self.options, "_codec": self._codec}


class _Player:
    """Plays codes a quarter at a time: the ``codebook`` of the tokenizer's scheme."""

    def __init__(self, tokenizer: CodesTokenizer) -> None:
        self.tokenizer, self.codes, self.ticks = tokenizer, tokenizer.options.codes, tokenizer.options.steps
        self._known: dict[tuple[int, ...], tuple[NDArray[np.bool_], NDArray[np.bool_]]] = {}

    def allowed(self, place: int) -> None:
        """All codes are, everywhere."""

    def play(
        self, codes: tuple[int, ...], tick: int, held: Mapping[int, int]
    ) -> tuple[list[tuple[int, int, int]], Mapping[int, int], int]:
        """The quarter that begins at ``tick``; see :class:`~toccata.tokenizers.scheme.Codebook`."""
        struck, stops = self._quarter(codes)
        steps = struck.shape[1]
        done, sounding, begun = [], {}, 0
        keys = sorted({*np.flatnonzero(struck.any(axis=1)).tolist(), *(pitch - LOWEST for pitch in held)})
        for key in keys:
            pitch, ends = key + LOWEST, np.flatnonzero(stops[key]).tolist()
            onsets = np.flatnonzero(struck[key]).tolist()
            begun += len(onsets)
            notes = [(held[pitch], -1)] if pitch in held else []
            for onset, step in [*notes, *((tick + step, step) for step in onsets)]:
                end = next((stop for stop in ends if stop > step), steps)
                if end < steps:
                    done.append((pitch, onset, tick + end))
                else:
                    sounding[pitch] = onset
        return done, sounding, begun

    def _quarter(self, codes: tuple[int, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return where keys are struck, and where sounding notes stop: ``bool[88, S]`` each."""
        if codes not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            codec = self.tokenizer.codec
            stroke, sound = codec.decode(np.array([codes], np.int32))[0]
            struck = stroke >= codec.threshold
            struck[:, 1:] &= stroke[:, 1:] >= stroke[:, :-1]
            struck[:, :-1] &= stroke[:, :-1] >= stroke[:, 1:]
            self._known[codes] = struck, (sound < codec.threshold) | struck
        return self._known[codes]
