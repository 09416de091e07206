"""Calibration: one number that all logits are divided by, chosen on held-out music (temperature scaling).

A model that has learned a little music many times is surer than it is right. Guo et al. 2017, "On calibration of modern
neural networks", divide its logits by the temperature at which held-out data is likeliest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from toccata.corpus.examples import IGNORED, ExampleOptions, Examples, Row
from toccata.corpus.store import Corpus
from toccata.musicmodel import Model

TEMPERATURES = (0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.45, 1.6, 1.8, 2.0)
"""Those that are tried; between the best and its neighbours it is estimated."""
MOST_TOKENS, MOST_LOGITS = 32_768, 50_000_000
"""Tokens that are read at most, and logits: fewer tokens where there are many different ones."""
LEAST = 0.001
"""Nats a token that calibration has to gain; less changes nothing."""


@dataclass(frozen=True)
class Calibration:
    """What calibration found.

    Attributes:
        temperature: What the logits are divided by.
        tokens: The held-out tokens it was chosen on.
        before: Nats a token on them as the model was trained.
        after: Nats a token with the temperature.
    """

    temperature: float
    tokens: int
    before: float
    after: float

    def to_json(self) -> dict[str, float]:
        """Return it as it stands in ``toccata.json``."""
        return asdict(self)


def calibrate(model: Model, corpus: Corpus, options: ExampleOptions | None, rows: int) -> Calibration | None:
    """Find the temperature at which held-out music is likeliest.

    Args:
        model: The model, as it was trained.
        corpus: The music; its validation split is read.
        options: How held-out music is read beside the training examples; None: as it is.
        rows: How many rows of it are read at most.

    Returns:
        None: there is hardly anything to gain.

    Raises:
        CorpusError: No piece is held back.
    """
    examples = Examples(corpus, model.tokenizer, "valid", model.config.context, options)
    sums, tokens = np.zeros(len(TEMPERATURES)), 0
    most = min(MOST_TOKENS, max(1, MOST_LOGITS // model.config.vocab))
    for inputs, targets in _passages(map(examples.row, range(rows))):
        learned = targets != IGNORED
        sums += _nats(model.logits(inputs)[learned], targets[learned])
        tokens += int(learned.sum())
        if tokens >= most:
            break
    means = sums / tokens
    temperature, after = _lowest(means)
    before = float(means[TEMPERATURES.index(1.0)])
    return Calibration(temperature, tokens, before, after) if before - after >= LEAST else None


def _passages(rows: Iterable[Row]) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """Yield inputs and targets of each passage of some rows."""
    for row in rows:
        begin = 0
        for length in row.lengths:
            yield row.inputs[begin : begin + length], row.targets[begin : begin + length]
            begin += length


def _nats(logits: NDArray[np.float32], targets: NDArray[np.int32]) -> NDArray[np.float64]:
    """The nats of some targets together, at each temperature."""
    found = np.zeros(len(TEMPERATURES))
    picked = logits[np.arange(len(targets)), targets]
    top = logits.max(axis=1)
    for number, temperature in enumerate(TEMPERATURES):
        total = np.log(np.exp((logits - top[:, None]) / temperature).sum(axis=1)) + top / temperature
        found[number] = (total - picked / temperature).sum(dtype=np.float64)
    return found


def _lowest(means: NDArray[np.float64]) -> tuple[float, float]:
    """The lowest place of the parabola through the lowest mean and its neighbours: temperature and nats."""
    best = int(np.clip(means.argmin(), 1, len(means) - 2))
    x, y = np.log(TEMPERATURES[best - 1 : best + 2]), means[best - 1 : best + 2]
    a, b, c = np.polyfit(x, y, 2)
    at = float(np.clip(-b / (2 * a), x[0], x[-1])) if a > 0 else float(x[y.argmin()])
    return round(float(np.exp(at)), 3), float(a * at * at + b * at + c)
