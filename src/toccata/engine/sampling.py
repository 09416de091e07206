"""Sampling of the next id from logits, with masks, temperature and seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from toccata.arguments import checked_value
from toccata.errors import ModelError

Floats = NDArray[np.float32]
TEMPERATURE, TOP_P, REPEAT_PENALTY = 1.0, 0.97, 0.0
"""Those of models that have none of their own."""


@dataclass(frozen=True)
class Sampling:
    """How the next id is drawn.

    Attributes:
        temperature: 1: as the model thinks; below, safer; 0: always the likeliest (greedy). None: the model's own.
        top_p: Of the likeliest ids, those that together have this probability; 1: all (Holtzman et al. 2020). None:
            the model's own.
        top_k: The k likeliest ids; 0: all.
        min_p: Ids at least this share as likely as the likeliest; 0: all (Nguyen et al. 2024).
        repetition: Pitches among the last ``RECENT`` ids count as less likely by this factor of their logit; 1: not
            (Keskar et al. 2019).
        guards: Keep out of loops, long silence and the ends of the keyboard; see `toccata.engine.guards`.
        figure_bonus: What is added to the logit of a pitch that goes on with a melodic figure of before, transposed;
            see `toccata.engine.figures`.
        repeat_penalty: What is taken from that of a pitch that goes on with one note for note. None: the model's own.
        guidance: How much control tokens and styles count; 1: as it has learned; else every piece is
            read once more without them; see `toccata.engine.guidance`.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int = 0
    min_p: float = 0.0
    repetition: float = 1.0
    guards: bool = True
    figure_bonus: float = 0.0
    repeat_penalty: float | None = None
    guidance: float = 2.0

    def __post_init__(self) -> None:
        for name, field in self.__dataclass_fields__.items():
            value = getattr(self, name)
            if value is not None or field.default is not None:
                object.__setattr__(self, name, checked_value(name, value))

    @property
    def chosen(self) -> bool:
        """Whether any of the parameters that a model has of its own is given."""
        return (self.temperature, self.top_p, self.repeat_penalty) != (None, None, None)

    def or_else(self, own: Sampling) -> Sampling:
        """Return the same with what ``own`` has where it has none, and the usual values at last."""
        return replace(
            self,
            temperature=_first(self.temperature, own.temperature, TEMPERATURE),
            top_p=_first(self.top_p, own.top_p, TOP_P),
            repeat_penalty=_first(self.repeat_penalty, own.repeat_penalty, REPEAT_PENALTY),
        )


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)


RECENT = 64
_GREEDY = 1e-6
"""A temperature below this is 0: what is divided by it has no digits left."""


def log_probabilities(logits: Floats, ids: Sequence[int]) -> Floats:
    """The natural logarithm of each row's probability of its id, before any mask or temperature: ``float[B]``."""
    top = logits.max(axis=1)
    total = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
    picked: Floats = logits[np.arange(len(ids)), ids] - total
    return picked


def masked(logits: Floats, allowed: NDArray[np.bool_]) -> Floats:
    """The logits ``float[B, V]``, -inf where an id is not allowed."""
    return np.where(allowed, logits, np.float32(-np.inf))


def unsound(masked_logits: Floats) -> list[int]:
    """The rows from which nothing can be drawn: nothing is allowed there, or what is allowed is not finite."""
    found: list[int] = np.flatnonzero(~np.isfinite(masked_logits.max(axis=1, initial=-np.inf))).tolist()
    return found


def draw(
    masked_logits: Floats,
    sampling: Sampling,
    generators: Sequence[np.random.Generator],
    admits: Sequence[Callable[[int], bool]],
) -> list[int]:
    """One id for each row.

    An id that turns out not to be admissible to its end (one of several base tokens) is masked and the row is drawn
    again, which comes to the same as having masked it before.

    Args:
        masked_logits: ``float[B, V]``, -inf where an id is not allowed; at least one of every row is finite.
        sampling: How.
        generators: One a row, so that a row draws the same in any batch.
        admits: One a row: whether an id holds to its end.

    Raises:
        ModelError: Nothing that is allowed is admissible: the tokenizer is damaged.
    """
    weights = _weights(masked_logits, sampling)
    picks = _picked(weights, generators)
    for row, pick in enumerate(picks):
        if not admits[row](pick):
            picks[row] = _redrawn(masked_logits[row], weights[row], pick, sampling, generators[row], admits[row])
    return picks


def _picked(weights: Floats, generators: Sequence[np.random.Generator]) -> list[int]:
    """One id for each row of ``weights [B, V]``, each as likely as its weight."""
    sums = np.cumsum(weights, axis=1, dtype=np.float64)
    points = np.array([generator.random() for generator in generators]) * sums[:, -1]
    # The first whose sum is above the point; rounding may leave none, then it is the last that counts.
    above = sums > np.minimum(points, np.nextafter(sums[:, -1], 0))[:, None]
    picks: list[int] = above.argmax(axis=1).tolist()
    return picks


def _redrawn(
    logits: Floats,
    weights: Floats,
    refused: int,
    sampling: Sampling,
    generator: np.random.Generator,
    admits: Callable[[int], bool],
) -> int:
    """Draw from one row until an id holds to its end; those that do not are out."""
    pick = refused
    while True:
        logits[pick] = -np.inf
        weights[pick] = 0
        if not weights.any():  # all that truncation had left were refused: truncate what remains
            if not np.isfinite(logits).any():
                raise damaged(np.zeros(1, np.bool_))  # never with a tokenizer of ours; see the property tests
            weights = _weights(logits[None], sampling)[0]
        pick = _picked(weights[None], [generator])[0]
        if admits(pick):
            return pick


def damaged(allowed: NDArray[np.bool_]) -> ModelError:
    """What is wrong where no id can be drawn; ``allowed bool[V]``."""
    if allowed.any():
        return ModelError(
            "the model is damaged: what it expects next is not finite. Copy the model folder again, or train it anew "
            "with a lower training.lr"
        )
    return ModelError(
        "the model's tokenizer is damaged: by its grammar nothing can follow here. Copy the whole model folder again"
    )


def _weights(logits: Floats, sampling: Sampling) -> Floats:
    """How likely each id of each row of ``logits [B, V]`` is to be drawn, up to a factor a row."""
    temperature, top_p = _first(sampling.temperature, TEMPERATURE), _first(sampling.top_p, TOP_P)
    if temperature < _GREEDY:
        likeliest: Floats = (logits == logits.max(axis=1, keepdims=True)).astype(np.float32)
        return likeliest
    p: Floats = np.exp((logits - logits.max(axis=1, keepdims=True)) / np.float32(temperature))
    if sampling.min_p:
        p[p < sampling.min_p] = 0  # the likeliest has 1
    if 0 < sampling.top_k < p.shape[1]:
        least = np.partition(p, -sampling.top_k, axis=1)[:, -sampling.top_k]
        p[p < least[:, None]] = 0
    if top_p < 1:
        falling = np.sort(p, axis=1)[:, ::-1]
        sums = np.cumsum(falling, axis=1)
        inside = (sums < top_p * sums[:, -1:]).sum(axis=1)
        p[p < falling[np.arange(len(p)), inside][:, None]] = 0
    return p
