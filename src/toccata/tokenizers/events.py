"""Event tokenizers: MidiTok's REMI, TSD, MIDI-like, Structured and PerTok, with learned merges if one likes.

MidiTok does the encoding and decoding, and its file is ours: ``tokenizer/tokenizer.json`` opens in MidiTok as it is.
Around it stands what it leaves open: meters it has no token for are written as ones of the same length, meter changes
inside a bar close that bar, pedals that are never lifted are lifted at the end, merges never see held-out pieces, and
the grammar (see ``grammar.py``).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Note, Pedal, Score, TimeSignature, Track

from toccata.errors import ModelError, RecipeError, RequestError
from toccata.files import read_json, written_aside
from toccata.tokenizers.base import Tokens, ids_of
from toccata.tokenizers.grammar import Grammar
from toccata.tokenizers.limits import refuse_large
from toccata.tokenizers.options import SCHEMES, EventOptions, built, library, refusing
from toccata.tokenizers.scheme import Scheme
from toccata.tokenizers.schemes import follows_of, timing
from toccata.tokenizers.simplify import one_track, writable_meters
from toccata.tokenizers.state import State
from toccata.tokenizers.vocabulary import Kind, read_vocabulary

FILE = "tokenizer.json"
__all__ = ["SCHEMES", "EventOptions", "EventTokenizer"]


class EventTokenizer:
    """A MidiTok tokenizer, as toccata's :class:`~toccata.tokenizers.base.Tokenizer`."""

    def __init__(self, miditok: Any, merges: int = 0, algorithm: str = "BPE") -> None:
        self.miditok = miditok
        self.merges, self.algorithm = merges, algorithm

    @classmethod
    def build(cls, options: EventOptions) -> EventTokenizer:
        """A new tokenizer, before :meth:`fit`.

        Raises:
            RecipeError: An option or a value that MidiTok does not have.
        """
        made = cls(built(options), options.merges, options.algorithm)
        with refusing(options):  # some of them are wrong only when there is a note to write
            made.encode(_one_note())
        return made

    @classmethod
    def load(cls, folder: Path) -> EventTokenizer:
        """Read the tokenizer that :meth:`save` wrote.

        Raises:
            ModelError: The file is missing, is not JSON, or names a scheme that toccata does not have.
        """
        path = folder / FILE
        try:
            document = read_json(path)
            scheme = document["tokenization"]
            refuse_large(document["config"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            why = "missing" if isinstance(error, FileNotFoundError) else f"no tokenizer ({error})"
            raise ModelError(f"{path} is {why}: copy the whole model folder again", path=path) from None
        if scheme not in SCHEMES:
            raise ModelError(f"{path} is a {scheme!r} tokenizer, which this version does not know", path=path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                made = cls(getattr(library(), scheme)(params=path))
                made.decode(made.encode(_one_note()))  # some settings are wrong only when there is a note
            except Exception as error:  # MidiTok looks at little of what it reads before it computes
                reason = " ".join(str(error).split())[:100]
                raise ModelError(
                    f"{path} is damaged ({type(error).__name__}: {reason}): copy the whole model folder again",
                    path=path,
                ) from None
        return made

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json`` into ``folder``; MidiTok opens it as it is."""
        folder.mkdir(parents=True, exist_ok=True)
        with written_aside(folder / FILE) as aside:
            self.miditok.save(aside)

    # -- the vocabulary ------------------------------------------------------------------------------------------------

    @property
    def scheme(self) -> str:
        """MidiTok's name for how time and notes are written."""
        return type(self.miditok).__name__

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return len(self._merged) if self._merged is not None else len(self.miditok.vocab)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the scheme, its grid, the base tokens and the merges."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        timing = self.grammar().scheme.timing
        lengths = {f"{kind.name} {beat}": values.tolist() for (kind, beat), values in timing.lengths.items()}
        beats = sorted(timing.ticks_per_beat.items())
        grid = [timing.clock.name, timing.ticks_per_quarter, beats, sorted(lengths.items())]
        content = [self.scheme, grid, self._base_words, self._merged]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def bos(self) -> int:
        """The id that opens a piece."""
        return self._special("BOS")

    @property
    def eos(self) -> int:
        """The id that closes a piece."""
        return self._special("EOS")

    def _special(self, name: str) -> int:
        base = int(self.miditok.vocab[f"{name}_None"])
        return base if self._merged is None else self._merged.index((base,))

    @cached_property
    def _base_words(self) -> list[str]:
        return sorted(self.miditok.vocab, key=self.miditok.vocab.__getitem__)

    @cached_property
    def _merged(self) -> list[tuple[int, ...]] | None:
        """For each learned id the base ids it stands for."""
        if not self.miditok.is_trained:
            return None
        model, parts = self.miditok._model, self.miditok._vocab_learned_bytes_to_tokens
        vocab = self.miditok.vocab
        written = (model.id_to_token(i) for i in range(model.get_vocab_size()))
        return [tuple(vocab[word] for word in parts.get(text, ())) for text in written]

    def words(self, ids: NDArray[np.int32] | Tokens) -> list[str]:
        """Each id as MidiTok's words, those of a merged id joined by ``+``."""
        base = self._base_words
        plain = [(int(i),) if self._merged is None else self._merged[int(i)] for i in ids_of(self, ids)]
        return ["+".join(base[b].removesuffix("_None") for b in parts) for parts in plain]

    # -- learning ------------------------------------------------------------------------------------------------------

    def fit(self, scores: Iterable[Score]) -> None:
        """Learn merges from ``scores`` if the recipe asks for any; a merge never crosses a bar line.

        Raises:
            RecipeError: Fewer ids are asked for than there are base tokens.
        """
        if not self.merges:
            return
        if self.merges <= len(self.miditok.vocab):
            raise RecipeError(
                f"tokenizer.merges={self.merges} leaves no room for merges: the base tokens alone are "
                f"{len(self.miditok.vocab)}"
            )
        texts = _Texts(self, scores)
        with warnings.catch_warnings(), _nothing_printed():
            warnings.simplefilter("ignore")
            self.miditok.train(vocab_size=self.merges, model=self.algorithm, iterator=texts)
        for name in ("_merged", "_fingerprint", "_base_words", "_grammar"):
            self.__dict__.pop(name, None)

    # -- music to ids --------------------------------------------------------------------------------------------------

    def encode(self, score: Score, *, start: bool = True, end: bool = True, length: int | None = None) -> Tokens:
        """The ids of ``score``, BOS first where it is a piece's ``start``, EOS last where it is its ``end``."""
        sequence = self._sequence(score)
        if self.miditok.is_trained:
            self.miditok.encode_token_ids(sequence)
        ids = [self.bos] * start + list(sequence.ids) + [self.eos] * end
        return Tokens(np.array(ids, np.int32), self.fingerprint)

    def _sequence(self, score: Score) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sequence = self.miditok.encode(self._ready(score), encode_ids=False)
        return sequence[0] if isinstance(sequence, list) else sequence

    def _ready(self, score: Score) -> Score:
        """``score`` in the form MidiTok reads without loss."""
        config = self.miditok.config
        score = score.copy()
        score.tracks = [track for track in score.tracks if len(track.notes)]
        if not config.use_programs:
            score = one_track(score)
        if config.use_time_signatures:
            score.time_signatures = writable_meters(score, self.grammar().scheme.vocabulary.meters)
        else:
            score.time_signatures = [TimeSignature(0, 4, 4)]
        for track in score.tracks:
            track.notes.sort(key=lambda n: (n.time, n.pitch, n.duration, n.velocity))
        return score

    def decode(self, ids: NDArray[np.int32] | Tokens) -> Score:
        """The music of ``ids``, in the tokenizer's own ticks; special ids say nothing.

        Raises:
            RequestError: Tokens of another tokenizer, or an id that does not exist.
        """
        plain = ids_of(self, ids)
        if len(plain) and not 0 <= int(plain.min()) <= int(plain.max()) < self.vocab_size:
            raise RequestError(f"there are ids outside this tokenizer's 0..{self.vocab_size - 1}")
        base = plain.tolist() if self._merged is None else [b for i in plain for b in self._merged[int(i)]]
        kinds = self.grammar().scheme.kinds
        base = [b for b in base if kinds[b] != Kind.SPECIAL]
        sequence = library().TokSequence(ids=base)
        one = self.miditok.config.one_token_stream_for_programs
        score = self.miditok.decode(sequence if one else [sequence])
        self._lift_pedals(score, base)
        return score

    def _lift_pedals(self, score: Score, base: list[int]) -> None:
        """End the pedals that are still down at the end: MidiTok would forget them."""
        scheme = self.grammar().scheme
        if not len(scheme.vocabulary.of_kind[Kind.PEDAL_OFF]):
            return
        state = State(scheme)
        down: dict[int, int] = {}
        for token in base:
            state.read(token)
            if scheme.kinds[token] == Kind.PEDAL:
                down.setdefault(scheme.values[token], state.tick)
            elif scheme.kinds[token] == Kind.PEDAL_OFF:
                down.pop(scheme.values[token], None)
        end = max(state.note_end, state.tick)
        for program, tick in down.items():
            track = next((t for t in score.tracks if (128 if t.is_drum else t.program) == program), None)
            if track is not None and end > tick:
                track.pedals.append(Pedal(tick, end - tick))

    # -- the grammar ---------------------------------------------------------------------------------------------------

    def grammar(self) -> Grammar:
        """What may follow what, for every id; built once."""
        return self._grammar

    @cached_property
    def _grammar(self) -> Grammar:
        vocabulary = read_vocabulary(
            self._base_words, [w for w in self._base_words if w.endswith("_None") and w != "Bar_None"]
        )
        grid = timing(self.miditok, vocabulary)
        follows = follows_of(self.miditok, vocabulary, grid.clock)
        vocab = self.miditok.vocab
        bos, eos = int(vocab["BOS_None"]), int(vocab["EOS_None"])
        return Grammar.of(Scheme(vocabulary, grid, bos=bos, eos=eos), follows, self._merged)


def _one_note() -> Score:
    score = Score(480)
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.append(Note(0, 480, 60, 64))
    return score


@contextmanager
def _nothing_printed() -> Iterator[None]:
    """Keep the tokenizers library off the standard output, which may be another program's input.

    Its progress bar cannot be turned off from here, and it does not write by way of Python.
    """
    try:
        sys.stdout.flush()
        kept = os.dup(1)
    except (OSError, ValueError, AttributeError):  # there is no standard output to keep clean
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  # a device, not a file of ours
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


class _Texts:
    """The scores as the texts that the merges are learned from: one a bar. Has a length, as MidiTok asks for one."""

    def __init__(self, tokenizer: EventTokenizer, scores: Iterable[Score]) -> None:
        self.tokenizer, self.scores = tokenizer, list(scores)

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[list[str]]:
        for score in self.scores:
            sequence = self.tokenizer._sequence(score)
            split = self.tokenizer.miditok.config.encode_ids_split
            parts = (
                sequence.split_per_bars()
                if split == "bar"
                else sequence.split_per_beats()
                if split == "beat"
                else [sequence]
            )
            texts = self.tokenizer.miditok._ids_to_bytes([part.ids for part in parts if len(part)], as_one_str=True)
            yield [texts] if isinstance(texts, str) else texts
