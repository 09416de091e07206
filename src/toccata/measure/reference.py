"""Reference statistics of a model's data: the traits of its training pieces, and its surprise at held-out pieces."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.corpus.store import Corpus, Split
from toccata.errors import ModelError
from toccata.folder import ABOUT, ModelFolder
from toccata.measure.figures import usual_range
from toccata.measure.likelihood import id_nats
from toccata.measure.passages import Index
from toccata.measure.steps import Steps
from toccata.measure.traits import BARS, TRAITS, passage_traits
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.edit import slice_bars
from toccata.midi.features import Sounding
from toccata.model.stylefile import StyleFile
from toccata.musicmodel import Model
from toccata.tasks.window import bars_reached

USUAL = "usual"
"""The key of the reference statistics in ``toccata.json``."""
EXCERPTS = 400
"""The most passages of training pieces whose traits are measured."""
PASSAGES = 48
"""The most held-out passages on which the model's surprise is measured."""
LENGTHS = (BARS, 16, 32)
"""The lengths of these passages, in bars. The longer music is, the more it repeats: its notes have fewer nats."""
IDS = 60_000
"""The number of ids after which no further passage is read: those of orchestras would take minutes."""
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The quantiles that are saved. Values between the outer ones are called usual: nine passages in ten."""
FEW = 8
"""The least number of passages from which a range is called usual."""
HELD_OUT: tuple[Split, ...] = ("valid", "test")
"""The sides of the split from which held-out passages are drawn: the first that has any."""

_PARSED = 32  # pieces that are cached while passages are drawn


@dataclass(frozen=True)
class Spread:
    """The distribution of a number over many passages.

    Attributes:
        mean: Its mean.
        sd: Its standard deviation.
        quantiles: Its quantiles at ``SHARES``.
    """

    mean: float
    sd: float
    quantiles: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the distribution of some values, at least one."""
        quantiles = np.quantile(values, SHARES).tolist()
        return cls(
            round(float(np.mean(values)), 4), round(float(np.std(values)), 4), tuple(round(q, 4) for q in quantiles)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"mean": self.mean, "sd": self.sd, "quantiles": list(self.quantiles)}

    @property
    def low(self) -> float:
        """The lower end of the usual range."""
        return self.quantiles[0]

    @property
    def high(self) -> float:
        """The upper end of the usual range."""
        return self.quantiles[-1]

    def away(self, value: float, least: float) -> float:
        """Return how far ``value`` is from the median, where -1 and 1 are the ends of the usual range.

        Args:
            value: The value, in the unit of the distribution.
            least: The least distance of an end from the median that is assumed.
        """
        middle = self.quantiles[len(SHARES) // 2]
        side = self.high - middle if value > middle else middle - self.low
        return (value - middle) / max(side, least)


@dataclass(frozen=True)
class ReferenceStats:
    """Statistics of the training and held-out passages of a model's data.

    Attributes:
        excerpts: How many passages of training pieces the traits are of.
        traits: By name, see ``measure.traits.TRAITS``; the steps are those of held-out passages, as they are familiar
            in the training pieces themselves.
        passages: How many held-out passages the surprise is of.
        surprise: Nats a note of these, ``BARS`` bars long; None if there was too little held-out music. The passages
            begin with nothing before them.
        pieces: How many held-out pieces these passages are of; 0: a model made before that was counted.
        learned: How many training pieces the excerpts are of; 0 likewise.
        longer: By their bars, the surprise of longer passages that begin where those do.
    """

    excerpts: int
    traits: Mapping[str, Spread]
    passages: int
    surprise: Spread | None
    pieces: int = 0
    learned: int = 0
    longer: Mapping[int, Spread] = field(default_factory=dict)

    def surprise_of(self, bars: int | None) -> Spread | None:
        """Return the surprise of passages about as long as music of so many bars; None: any length, or none is known.

        Of lengths on both sides of it, the nearer one by their ratio.
        """
        if self.surprise is None or bars is None or bars < 1:
            return self.surprise
        known = {BARS: self.surprise, **self.longer}
        return known[min(known, key=lambda length: abs(math.log(length / bars)))]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "bars": BARS,
            "excerpts": self.excerpts,
            "traits": {name: spread.to_dict() for name, spread in self.traits.items()},
            "passages": self.passages,
            "pieces": self.pieces,
            "surprise": None if self.surprise is None else self.surprise.to_dict(),
            "surprise_of_longer": {str(bars): spread.to_dict() for bars, spread in self.longer.items()},
            "learned": self.learned,
        }

    def range_of(self, name: str, low: str, high: str) -> str:
        """Return the usual range in words, ``usual 1.6 to 4.0``, or that there were too few pieces to call it so.

        Args:
            name: The trait, or ``surprise``.
            low: The lower end, as text.
            high: The upper end.
        """
        held_out = name in ("steps", "surprise")  # the other traits are those of training pieces
        return usual_range(low, high, (self.pieces if held_out else self.learned) or None)

    @classmethod
    def of_model(cls, made: ModelFolder, style_files: Sequence[StyleFile] = ()) -> ReferenceStats | None:
        """Return the statistics saved in the last of some style files or a model folder; None if there are none.

        Raises:
            ModelError: They are damaged.
        """
        sources = [(made.path / ABOUT, made.about), *((style.path, style.about) for style in style_files)]
        path, saved = next(
            ((path, about[USUAL]) for path, about in reversed(sources) if about.get(USUAL)), (None, None)
        )
        if saved is None:
            return None
        try:
            surprise = None if saved["surprise"] is None else _spread(saved["surprise"])
            # Traits of other versions, which this one does not compute, are left out.
            known = {name: _spread(spread) for name, spread in saved["traits"].items() if name in TRAITS}
            counts = {key: int(saved.get(key, 0)) for key in ("pieces", "learned")}
            longer = {int(bars): _spread(spread) for bars, spread in saved.get("surprise_of_longer", {}).items()}
            if any(bars < 1 for bars in longer):
                raise ValueError("no length")
            return cls(int(saved["excerpts"]), known, int(saved["passages"]), surprise, **counts, longer=longer)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ModelError(
                f"{path} says {USUAL!r} in a way that cannot be read: copy the model again", path=path
            ) from None


def reference_stats(
    corpus: Corpus,
    model: Model,
    index: Index | None,
    *,
    excerpts: int = EXCERPTS,
    passages: int = PASSAGES,
    known: Collection[int] = (),
) -> ReferenceStats:
    """Look at passages of ``BARS`` bars of ``corpus``, the same ones each time.

    Args:
        corpus: What the model was trained on.
        model: Reads passages of pieces it was not trained on.
        index: Of the training pieces; None: how familiar steps are is not measured.
        excerpts: At how many passages of training pieces to look, at most.
        passages: How many the model reads, at most.
        known: Held-out pieces that the model it was finetuned from has seen: they are left out.
    """
    found: dict[str, list[float]] = {}
    looked = 0
    learned = corpus.numbers("train")
    for score, bars, first in drawn(corpus, learned, excerpts):
        looked += 1
        for name, value in passage_traits(Sounding.of(score), bars, first, min(first + BARS, len(bars))).items():
            found.setdefault(name, []).append(value)
    sides = (without(corpus.numbers(side), known) for side in HELD_OUT)
    others, steps = next(filter(len, sides), learned[:0]), None if index is None else Steps(index)
    for score, bars, first in drawn(corpus, others, excerpts // 4) if steps is not None else ():
        since, until = bars.starts[first], bars.starts[min(first + BARS, len(bars))]
        if steps is not None and (nats := steps.nats(score, int(since), int(until))) is not None:
            found.setdefault("steps", []).append(nats)
    read = surprises(corpus, model, others, passages)
    surprise = {bars: Spread.of(values) for bars, values in read.items() if len(values) >= FEW}
    return ReferenceStats(
        excerpts=looked,
        traits={name: Spread.of(found[name]) for name in TRAITS if len(found.get(name, ())) >= FEW},
        passages=len(read[BARS]),
        surprise=surprise.pop(BARS, None),
        pieces=len(others),
        learned=len(learned),
        longer=surprise,
    )


def surprises(
    corpus: Corpus, model: Model, numbers: Sequence[int] | NDArray[np.uint32], passages: int
) -> dict[int, list[float]]:
    """Return nats a note of passages of some pieces, by the passages' bars, one of ``LENGTHS``.

    The shorter ones are the beginnings of the longer ones; a piece shorter than ``BARS`` counts whole.
    """
    read: dict[int, list[float]] = {bars: [] for bars in LENGTHS}
    count = 0
    for score, lines, first in drawn(corpus, numbers, passages):
        if count >= IDS:
            break
        part = slice_bars(score, first, min(first + LENGTHS[-1], len(lines)), lines)
        bars = bar_map(part)
        ids, nats = id_nats(model, part)
        count += len(nats)
        reached = np.array(bars_reached(model.tokenizer.grammar(), ids)[1:])
        onsets = np.concatenate([t.notes.numpy()["time"] for t in part.tracks if len(t.notes)] or [np.zeros(0, int)])
        for length in LENGTHS:
            if length > max(len(bars), BARS):
                continue
            notes = int((onsets < int(bars.starts[min(length, len(bars))])).sum())
            if notes:
                read[length].append(float(nats[reached < length].sum()) / notes)
    return read


def without(numbers: NDArray[np.uint32], known: Collection[int]) -> NDArray[np.uint32]:
    """Return ``numbers`` without those in ``known``."""
    return numbers[~np.isin(numbers, np.array(sorted(known), np.uint32))] if known else numbers


def drawn(
    corpus: Corpus, numbers: Sequence[int] | NDArray[np.uint32], count: int, seed: int = 0
) -> Iterator[tuple[Score, BarMap, int]]:
    """Passages of pieces of ``corpus``: the piece, its bars, and the bar, from 0, where the passage begins.

    Pieces have as many as is their share of all bars, and all have no more than they have room for side by side. The
    order is by chance, so that the first few are from all.
    """
    if not len(numbers):
        return
    rng = np.random.default_rng(seed)
    sizes = corpus.column("bars")[np.asarray(numbers)].astype(np.int64)
    count = min(count, -(-int(sizes.sum()) // BARS))

    @lru_cache(_PARSED)
    def parsed(number: int) -> tuple[Score, BarMap]:
        score = corpus.score(number)
        return score, bar_map(score)

    for number in rng.choice(numbers, count, p=sizes / sizes.sum()).tolist():
        score, bars = parsed(number)
        yield score, bars, int(rng.integers(max(1, len(bars) - BARS + 1)))


def _spread(saved: Mapping[str, Any]) -> Spread:
    quantiles = tuple(float(q) for q in saved["quantiles"])
    if len(quantiles) != len(SHARES):
        raise ValueError("quantiles of other shares")
    return Spread(float(saved["mean"]), float(saved["sd"]), quantiles)
