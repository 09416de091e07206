"""Training examples: made on the Score while training, and a pure function of (corpus, options, seed, number).

Example ``number`` is one row: passages of pieces, encoded and laid end to end without padding until the row is full.
Where a row reads follows a low-discrepancy sequence over all notes of the split, so that every note is seen about
equally often at every moment of training.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.corpus.store import Corpus, Split
from toccata.errors import CorpusError, RecipeError, shown
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.edit import scale_tempo, scale_velocity, slice_ticks, transpose
from toccata.midi.features import Sounding
from toccata.tasks.controls import ControlTokens, can_control, encode_controls, insert_control_tokens, random_controls
from toccata.tasks.fill import Hole, cut, filling, random_hole
from toccata.tasks.passage import Passage, passage_of_length
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.feature_reader import AnyFeatures
from toccata.tokenizers.grid import GridTokenizer
from toccata.tokenizers.load import TokenizerOptions, writes_drums

GOLDEN = 0.6180339887498949
"""The golden ratio's fraction: its multiples fill [0, 1) most evenly."""
_PITCHES = 21, 108
"""Transposition stays on the piano's keys."""
IGNORED = -100
"""The target that torch's cross entropy, and JAX's here, leave out."""
_CACHED = 64
_FILLED = 96
"""Ids that a passage with a hole has at least."""


@dataclass(frozen=True)
class ExampleOptions:
    """How training examples are drawn and augmented.

    Attributes:
        transpose: Up to this many semitones up or down, evenly; drums stay.
        tempo: Up to this share faster or slower.
        velocity: Up to this share louder or softer.
        starts: Share of passages that begin where a piece begins, so that a model learns to open one.
        fill: Share of passages with bars cut out, to be written from what stands around them.
        fill_prompts: Share of these in which the music around the gap is learned, too, and not only what fills it.
        controls: Share of passages with control tokens before them: density, register, key, style and others.
        feature_dropout: Up to this share of a passage's features are withheld, at each token by chance.
        voice_orders: Whether each passage of a grid writes the voices of a step in an order of its own, drawn anew: one
            model of all orders, which learns more from little music.
    """

    transpose: int = 5
    tempo: float = 0.1
    velocity: float = 0.1
    starts: float = 0.1
    fill: float = 0.0
    fill_prompts: float = 1.0
    controls: float = 0.0
    feature_dropout: float = 0.0
    voice_orders: bool = False

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self) if field.name != "voice_orders"):
            most = 24 if name == "transpose" else 1.0
            if not 0 <= getattr(self, name) <= most:
                raise RecipeError(f"examples.{name} must be between 0 and {most}, not {shown(getattr(self, name))}")

    def held_out(self) -> ExampleOptions | None:
        """Return how held-out music is read beside these: None, as it is, from anywhere; or from beginnings alone."""
        return ExampleOptions(transpose=0, tempo=0.0, velocity=0.0, starts=1.0) if self.starts == 1 else None


@dataclass(frozen=True)
class Row:
    """One example: T predictions.

    Attributes:
        inputs: ``int32[T]``.
        targets: ``int32[T]``, the id that follows each input; ``IGNORED``: it is not learned.
        lengths: How many predictions each of the row's passages has; they add up to T.
        features: ``int32[T, n]``, what is known at each input, for a model that has features.
    """

    inputs: NDArray[np.int32]
    targets: NDArray[np.int32]
    lengths: tuple[int, ...]
    features: NDArray[np.int32] | None = None


class Examples:
    """The examples of one split, by number.

    Args:
        corpus: The music.
        tokenizer: What to encode it with.
        split: Which pieces.
        length: Predictions a row, T.
        options: Augmentation; None bends nothing, which is how validation reads.
        seed: Another seed, another sequence of examples.
        features: Those of the tokenizer, for a model that has them.

    Raises:
        CorpusError: The split has no pieces.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: Tokenizer,
        split: Split,
        length: int,
        options: ExampleOptions | None = None,
        seed: int = 0,
        features: AnyFeatures | None = None,
    ) -> None:
        self.features = features
        self.corpus, self.tokenizer, self.length, self.options, self.seed = corpus, tokenizer, length, options, seed
        self.split = split
        self._map()
        if not len(self.numbers):
            raise CorpusError(f"the corpus has no pieces to {_USES[split]}: it needs more pieces", path=corpus.folder)
        self._parsed: OrderedDict[int, _Parsed] = OrderedDict()

    def _map(self) -> None:
        # Columns of the corpus, mapped into memory: nothing here grows with it.
        self.numbers, self.ends = self.corpus.numbers(self.split), self.corpus.note_ends(self.split)

    @property
    def notes(self) -> int:
        """Notes in the split."""
        return int(self.ends[-1])

    def row(self, number: int) -> Row:
        """Example ``number``."""
        rng = np.random.default_rng([self.seed, number])
        inputs: list[NDArray[np.int32]] = []
        targets: list[NDArray[np.int32]] = []
        lengths: list[int] = []
        beside: list[NDArray[np.int32]] = []
        place = (self._phase() + number * GOLDEN) % 1.0
        while (room := self.length - sum(lengths)) > 0:
            tokenizer, features = self._in_an_order(rng)
            ids, given = self._passage(tokenizer, place, room + 1, rng)
            ids = ids[: room + 1]
            place = rng.random()
            if len(ids) < 2:
                continue
            inputs.append(ids[:-1])
            targets.append(ids[1:].copy())
            targets[-1][: max(0, given - 1)] = IGNORED
            lengths.append(len(ids) - 1)
            if features is not None:
                beside.append(features.of(ids[:-1]))
        rows = np.concatenate([self._withheld(found, rng) for found in beside]) if beside else None
        return Row(np.concatenate(inputs), np.concatenate(targets), tuple(lengths), rows)

    def _in_an_order(self, rng: np.random.Generator) -> tuple[Tokenizer, AnyFeatures | None]:
        """The tokenizer for a passage and its features, in an order of the voices that is drawn if it is to be."""
        tokenizer = self.tokenizer
        if self.options is None or not self.options.voice_orders or not isinstance(tokenizer, GridTokenizer):
            return tokenizer, self.features
        drawn = tokenizer.in_order(rng.permutation(tokenizer.options.voices).tolist())
        return drawn, self.features and drawn.features

    def _withheld(self, rows: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int32]:
        """Rows of the features' table, some of them changed to those of features that are not known."""
        if self.features is None or self.options is None or not self.options.feature_dropout:
            return rows
        share = rng.uniform(0, self.options.feature_dropout)
        found: NDArray[np.int32] = np.where(rng.random(rows.shape, np.float32) < share, self.features.offsets, rows)
        return found

    def _phase(self) -> float:
        return float(np.random.default_rng([self.seed, 2**32]).random())

    def _passage(
        self, tokenizer: Tokenizer, place: float, tokens: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int32], int]:
        """The ids of a passage, and how many of them are given and not learned."""
        note = min(int(place * self.notes), self.notes - 1)
        index = int(np.searchsorted(self.ends, np.uint64(note), side="right"))
        number = int(self.numbers[index])
        piece = self._piece(number)
        inside = note - (int(self.ends[index - 1]) if index else 0)
        onset = piece.onsets[min(inside, len(piece.onsets) - 1)]
        first = piece.bars.at(int(onset))
        if self.options is not None and rng.random() < self.options.starts:
            first = 0
        if self.options is None:
            return passage_of_length(tokenizer, piece.score, piece.bars, piece.onsets, first, tokens).ids, 0
        augment = self._augmentation(piece, rng)
        # A note mostly takes a token at least, so no passage reaches further than this; where learned tokens stand for
        # several notes, it may.
        after = int(np.searchsorted(piece.onsets, piece.bars.starts[first])) + tokens
        reach = len(piece.bars)
        if after < len(piece.onsets):
            reach = min(piece.bars.at(int(piece.onsets[after])) + 2, reach)
        for last in (reach, len(piece.bars)):
            part = piece.score if last == len(piece.bars) else slice_ticks(piece.score, 0, int(piece.bars.starts[last]))
            music = augment(part)
            found = passage_of_length(tokenizer, music, piece.bars, piece.onsets, first, tokens)
            if found.last <= last:
                break
        controlled = bool(self.options.controls) and rng.random() < self.options.controls
        conditioner = _Conditioner(
            tokenizer, music, piece.bars, self._style(number) if controlled else None, controlled
        )
        if tokens >= _FILLED and self.options.fill and rng.random() < self.options.fill:
            filled = self._filled(conditioner, first, found.last, tokens, rng)
            if filled is not None:
                return filled
        return conditioner.ids(found, rng), 0

    def _style(self, number: int) -> int | None:
        """The number of a piece's style; None: it has none, or there is no other."""
        style = int(self.corpus.column("style")[number])
        return style - 1 if len(self.corpus.styles) > 1 and style else None

    def _filled(
        self, conditioner: _Conditioner, first: int, last: int, tokens: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int32], int] | None:
        """Bars ``first`` to ``last - 1`` with a hole, as few bars fewer as make it ``tokens`` ids at most.

        Returns:
            The ids, and how many of them are given and not learned; None: there is no such hole.
        """
        while last > first:
            hole = random_hole(conditioner.score, conditioner.bars, first, last, rng)
            if hole is None:
                return None
            found = filling(
                conditioner.tokenizer,
                conditioner.score,
                conditioner.bars,
                first,
                last,
                hole,
                control_tokens=conditioner.of_hole(hole, rng),
            )
            ids = np.concatenate([found.prompt, found.target])
            if len(ids) <= tokens:
                share = 1.0 if self.options is None else self.options.fill_prompts
                learned = share == 1 or rng.random() < share
                return ids, 0 if learned else len(found.prompt)
            last = min(last - 1, first + int((last - first) * tokens / len(ids)))
        return None

    def _piece(self, number: int) -> _Parsed:
        parsed = self._parsed.pop(number, None) or _Parsed.of(self.corpus.score(number))
        self._parsed[number] = parsed
        if len(self._parsed) > _CACHED:
            self._parsed.popitem(last=False)
        return parsed

    def _augmentation(self, piece: _Parsed, rng: np.random.Generator) -> Callable[[Score], Score]:
        """What transposes, makes faster or slower, louder or softer; by how much is drawn here."""
        options = self.options
        assert options is not None
        low, high = piece.pitches
        down, up = min(options.transpose, max(0, low - _PITCHES[0])), min(options.transpose, max(0, _PITCHES[1] - high))
        semitones = int(rng.integers(-down, up + 1))
        faster = float(np.exp(rng.uniform(-1, 1) * np.log1p(options.tempo)))
        louder = float(np.exp(rng.uniform(-1, 1) * np.log1p(options.velocity)))

        def augment(score: Score) -> Score:
            score = transpose(score, semitones)
            score = scale_tempo(score, faster) if options.tempo else score
            return scale_velocity(score, louder) if options.velocity else score

        return augment

    def __getstate__(self) -> dict[str, Any]:
        # A worker process parses for itself, maps the columns itself, and has the features from its tokenizer.
        mapped = ("numbers", "ends")
        state = {name: value for name, value in self.__dict__.items() if name not in mapped}
        return {**state, "_parsed": OrderedDict(), "features": self.features is not None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.features = self.tokenizer.features if state["features"] else None
        self._map()


def refuse_drums_alone(corpus: Corpus, options: TokenizerOptions) -> None:
    """Refuse a corpus of which the tokens can say no note: a model would learn silence from it.

    Raises:
        CorpusError: All training pieces are of drums alone, and the tokens have no drums.
    """
    numbers = corpus.numbers("train")
    if writes_drums(options) or not len(numbers):
        return
    for number in numbers:  # of nearly every corpus it is the first
        if any(len(track.notes) and not track.is_drum for track in corpus.score(number).tracks):
            return
    raise CorpusError(
        f"{corpus.folder} has nothing but drums to train on, and the recipe's tokens have none: choose a recipe that "
        "has, such as toccata",
        path=corpus.folder,
    )


@dataclass(frozen=True)
class _Conditioner:
    """Measures the controls of passages of a piece and puts their tokens in.

    Attributes:
        tokenizer: What the passages are encoded with.
        score: The piece.
        bars: Its bars.
        style: Its style's number, if it has one.
        enabled: Whether there are controls at all.
    """

    tokenizer: Tokenizer
    score: Score
    bars: BarMap
    style: int | None
    enabled: bool

    def ids(self, passage: Passage, rng: np.random.Generator) -> NDArray[np.int32]:
        """The ids of a passage with its control tokens."""
        if not self.enabled or not can_control(self.tokenizer):
            return passage.ids
        ends = int(passage.ids[-1]) == self.tokenizer.eos
        controls = self._controls(self.score, passage.first, passage.last, ends, rng)
        meter = self.bars.meters[passage.first]
        first, ids = insert_control_tokens(self.tokenizer.grammar(), [], passage.ids.tolist(), meter, controls.bars)
        return np.array([*controls.prefix, *first, *ids], np.int32)

    def of_hole(self, hole: Hole, rng: np.random.Generator) -> ControlTokens:
        """The control tokens of the notes that a hole takes out."""
        if not self.enabled:
            return ControlTokens()
        taken = cut(self.score, self.bars, hole)[1]
        return self._controls(taken, hole.first, hole.last, False, rng)

    def _controls(self, score: Score, first: int, last: int, ends: bool, rng: np.random.Generator) -> ControlTokens:
        lines = self.bars.starts[first : last + 1].tolist()
        levels = self.tokenizer.grammar().scheme.levels
        whole, bars = random_controls(Sounding.of(score), lines, self.style, ends, levels, rng)
        return encode_controls(self.tokenizer, whole, bars)


@dataclass(frozen=True)
class _Parsed:
    """A piece with what drawing from it needs."""

    score: Score
    bars: BarMap
    onsets: NDArray[np.int64]
    pitches: tuple[int, int]

    @classmethod
    def of(cls, score: Score) -> _Parsed:
        columns = [track.notes.numpy() for track in score.tracks if len(track.notes)]
        onsets = np.sort(np.concatenate([c["time"] for c in columns])).astype(np.int64)
        pitched = [t.notes.numpy()["pitch"] for t in score.tracks if len(t.notes) and not t.is_drum]
        low = min((int(p.min()) for p in pitched), default=_PITCHES[0])
        high = max((int(p.max()) for p in pitched), default=_PITCHES[1])
        return cls(score, bar_map(score), onsets, (low, high))


_USES = {"train": "train on", "valid": "validate on", "test": "test on"}
