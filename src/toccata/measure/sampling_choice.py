"""Chooses sampling parameters for a model: those with which it writes what is most like music by people.

With each of a few settings the same number of pieces is written, from the same seeds. Their traits (``measure.traits``)
are compared with those of held-out pieces of the same length. The distance of a trait is the Wasserstein distance of
its two distributions, in units of its standard deviation in the training music; that of a setting is the mean of its
traits' distances.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from toccata.corpus.store import Corpus
from toccata.engine.sampling import REPEAT_PENALTY, TEMPERATURE, TOP_P, Sampling
from toccata.folder import OwnSampling
from toccata.measure.reference import ReferenceStats
from toccata.measure.traits import BARS, TRAITS, traits
from toccata.midi.edit import opening
from toccata.musicmodel import Model, Plan, plan
from toccata.piece import Piece

SETTINGS = (
    OwnSampling(TEMPERATURE, TOP_P, REPEAT_PENALTY),
    OwnSampling(0.7, 0.95, 2.0),
    OwnSampling(0.8, 0.95, 2.0),
    OwnSampling(0.9, 0.95, 1.0),
    OwnSampling(1.0, 0.95, 0.0),
)
"""The settings that are tried. The first is kept where no other is closer.

The safer, the more a model repeats itself: over 16 bars more than people do, which 8 bars do not show. So the lower the
temperature, the higher the penalty. Few settings, so that more pieces are written with each: with eight pieces, chance
decided between neighbours. None is above 1, at which a model is as sure as it learned to be: what it writes strays from
there on its own.
"""
OF_STYLES = (
    OwnSampling(0.9, 0.95, 1.0),
    OwnSampling(1.0, 0.98, 2.0),
    OwnSampling(1.0, 1.0, 0.0),
    OwnSampling(1.15, 0.95, 0.0),
)
"""The settings that are tried for each style, bolder ones among them: a style of few pieces repeats itself at 1."""
CLEARLY = 0.9
"""A style has its own setting where that is so many times as far from people as the model's own, or less."""
PIECES, FEWEST = 16, 4
"""The most and the fewest pieces that are written with each setting."""
OF_STYLE = 8
"""The pieces of a style that are written with each setting."""
TOKENS = 25_000
"""The most tokens of all pieces: about ten seconds of a model of 5M parameters on two cores."""
LEARNED = 20
"""A model writes at most one token for so many that it was trained on: one that learned little is not worth more."""
HELD_OUT, FEWEST_HELD_OUT = 100, 3
"""The most and the fewest held-out pieces that the written ones are compared with."""
RUNAWAY = 4
"""A piece ends when it has so many times the tokens of the held-out ones."""
FAR = 5.0
"""The distance of a trait that none of the written pieces has, and of every trait of a silent piece."""

Traits = Mapping[str, float]


@dataclass(frozen=True)
class Tried:
    """A setting that was tried.

    Attributes:
        setting: Its temperature, top-p and repeat penalty.
        distance: How far its pieces are from the held-out ones: the mean of the traits' distances.
        traits: The distance of each trait, in standard deviations of the training music.
    """

    setting: OwnSampling
    distance: float
    traits: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            **self.setting._asdict(),
            "distance": round(self.distance, 4),
            "traits": {name: round(value, 3) for name, value in self.traits.items()},
        }


@dataclass(frozen=True)
class SamplingChoice:
    """All settings that were tried, and the one that was chosen.

    Attributes:
        settings: In the order in which they were tried.
        pieces: The number of pieces written with each.
        held_out: The number of held-out pieces that these were compared with.
    """

    settings: tuple[Tried, ...]
    pieces: int
    held_out: int

    @property
    def best(self) -> Tried:
        """The closest setting; of equally close ones, the first."""
        return min(self.settings, key=lambda tried: tried.distance)

    @property
    def sampling(self) -> Sampling:
        """The chosen setting, to generate with."""
        return Sampling(**self.best.setting._asdict())

    def entry(self) -> dict[str, float]:
        """Return the entry of ``toccata.json``."""
        return self.best.setting._asdict()

    def to_dict(self) -> dict[str, Any]:
        """Return the figures that are reported, as plain JSON values."""
        return {
            "bars": BARS,
            "pieces": self.pieces,
            "held_out": self.held_out,
            "settings": [tried.to_dict() for tried in self.settings],
        }


@dataclass(frozen=True)
class StyleChoice:
    """The closest setting of a style, beside the model's own.

    Attributes:
        setting: The closest of those that were tried.
        distance: How far its pieces are from held-out ones of the style; the pieces are written with other seeds than
            those it was chosen by, the held-out ones are the same.
        own: How far those of the model's own setting are, from the same new seeds.
        pieces: The number of pieces written with each, to choose and again to compare.
        held_out: The number of held-out pieces.
    """

    setting: OwnSampling
    distance: float
    own: float
    pieces: int
    held_out: int

    @property
    def clear(self) -> bool:
        """Whether the style's own setting is clearly closer."""
        return self.distance <= CLEARLY * self.own

    def to_dict(self) -> dict[str, Any]:
        """Return the figures that are reported, as plain JSON values."""
        return {
            **self.setting._asdict(),
            "distance": round(self.distance, 4),
            "own": round(self.own, 4),
            "pieces": self.pieces,
            "held_out": self.held_out,
        }


def choose_by_style(
    model: Model,
    corpus: Corpus,
    numbers: Sequence[int],
    usual: ReferenceStats,
    own: OwnSampling,
    pieces: int = OF_STYLE,
    styles: Sequence[str] | None = None,
    update: Callable[[str, StyleChoice], None] | None = None,
) -> dict[str, StyleChoice]:
    """Try some settings for each style of a model.

    The closest one is compared with the model's own anew, with other seeds: what is chosen by chance is found out.

    Args:
        model: The model.
        corpus: Where the held-out pieces are.
        numbers: The held-out pieces that the model has not seen.
        usual: The reference statistics of its training music.
        own: The model's own setting.
        pieces: How many pieces are written with each setting, and again with two.
        styles: Those of the model's styles to try; None: all.
        update: Called with each style and what was found.

    Returns:
        What was found for each style with enough held-out pieces for which another setting than ``own`` is closest.
    """
    found = {}
    for style in model.styles if styles is None else styles:
        of_style = [number for number in numbers if corpus.pieces[number].style == style]
        people, tokens = _held_out(model, corpus, of_style)
        if len(people) < FEWEST_HELD_OUT:
            continue
        limit = RUNAWAY * max(1, round(fmean(tokens)))

        def distances(settings: Sequence[OwnSampling], seed: int) -> list[float]:
            written = _written(model, pieces, limit, None, settings, [style], seed)  # noqa: B023
            each = [trait_distances(_traits(some), people, usual) for _, some in written]  # noqa: B023
            return [fmean(one.values()) for one in each if one]

        settings = list(dict.fromkeys((own, *OF_STYLES)))
        first = distances(settings, 0)
        if not first:  # the training music has no trait that these pieces have
            continue
        closest = settings[int(np.argmin(first))]
        if closest != own:
            again = distances([own, closest], pieces)
            found[style] = StyleChoice(closest, again[1], again[0], pieces, len(people))
            if update is not None:
                update(style, found[style])
    return found


def choose_sampling(
    model: Model,
    corpus: Corpus,
    numbers: Sequence[int],
    usual: ReferenceStats,
    learned: int,
    update: Callable[[int, int], None] | None = None,
) -> SamplingChoice | None:
    """Try some settings.

    Args:
        model: The model.
        corpus: Where the held-out pieces are.
        numbers: The held-out pieces that the model has not seen.
        usual: The reference statistics of its training music.
        learned: How many tokens it was trained on.
        update: Called with (pieces written, pieces in all).

    Returns:
        What was found; None: there are too few held-out pieces, or the model has learned from too little.
    """
    people, tokens = _held_out(model, corpus, numbers)
    if len(people) < FEWEST_HELD_OUT:
        return None
    tokens_a_piece = max(1, round(fmean(tokens)))
    pieces = min(PIECES, min(TOKENS, learned // LEARNED) // (len(SETTINGS) * tokens_a_piece))
    if pieces < FEWEST:
        return None
    tried = []
    for setting, written in _written(model, pieces, RUNAWAY * tokens_a_piece, update, SETTINGS):
        distances = trait_distances(_traits(written), people, usual)
        if not distances:
            return None
        tried.append(Tried(setting, fmean(distances.values()), distances))
    return SamplingChoice(tuple(tried), pieces, len(people))


def _written(
    model: Model,
    pieces: int,
    limit: int,
    update: Callable[[int, int], None] | None,
    settings: Sequence[OwnSampling],
    style: Sequence[str] = (),
    seed: int = 0,
) -> list[tuple[OwnSampling, list[Piece]]]:
    """Write pieces with each setting, all side by side, so that no batch waits for its longest piece.

    Args:
        model: The model.
        pieces: How many with each setting.
        limit: A piece ends after about so many tokens.
        update: Called with (pieces written, pieces in all).
        settings: The settings.
        style: The style of the pieces.
        seed: The seed of the first piece of each setting.
    """
    asked: dict[str, Any] = {"n": pieces, "bars": BARS, "seed": seed, "style": style, "max_tokens": limit}
    plans = [plan(model, "generate", sampling=Sampling(**setting._asdict()), **asked) for setting in settings]
    together = Plan(model, [verb for each in plans for verb in each.verbs])
    written: list[Piece] = []
    for done, _ in enumerate(model.carry_out(together, written, watched=False)):
        if update is not None:
            update(done + 1, len(together.verbs))
    return [(setting, written[i * pieces : (i + 1) * pieces]) for i, setting in enumerate(settings)]


def _held_out(model: Model, corpus: Corpus, numbers: Sequence[int]) -> tuple[list[Traits], list[int]]:
    """Return the traits, and the number of tokens, of the first bars of held-out pieces: so are written ones."""
    found: list[Traits] = []
    tokens: list[int] = []
    for number in corpus.drawn(np.asarray(numbers), HELD_OUT):
        score = corpus.score(number)
        part = opening(score, BARS)
        if part.note_num():
            found.append(traits(part))
            tokens.append(len(model.tokenizer.encode(part).ids))
    return found, tokens


def _traits(pieces: Sequence[Piece]) -> list[Traits | None]:
    """Return the traits of each piece; None: it is silent."""
    return [traits(piece.score) if piece.origin["notes"] else None for piece in pieces]


def trait_distances(
    written: Sequence[Traits | None], people: Sequence[Traits], usual: ReferenceStats
) -> dict[str, float]:
    """Return the distance of each trait between two sets of pieces, in standard deviations of the training music.

    Silent pieces, given as None, are ``FAR`` from any other, and count with their share.
    """
    found = {}
    silent = written.count(None) / max(1, len(written))
    sounding = [piece for piece in written if piece is not None]
    for name, spread in usual.traits.items():
        theirs = [piece[name] for piece in people if name in piece]
        ours = [piece[name] for piece in sounding if name in piece]
        if len(theirs) >= FEWEST_HELD_OUT:
            unit = max(spread.sd, TRAITS[name].least)
            sounds = wasserstein(ours, theirs) / unit if ours else FAR
            found[name] = silent * FAR + (1 - silent) * sounds
    return found


def wasserstein(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the Wasserstein-1 distance of two sets of numbers, neither of them empty: the area between their CDFs."""
    a, b = np.sort(one), np.sort(other)
    points = np.sort(np.concatenate([a, b]))
    shares = [np.searchsorted(values, points[:-1], side="right") / len(values) for values in (a, b)]
    return float((np.abs(shares[0] - shares[1]) * np.diff(points)).sum())
