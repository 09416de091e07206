"""The learning rate over a run."""

from __future__ import annotations

import math

from toccata.training.options import TrainOptions

DECAY = 0.2
"""The share of a WSD run in which the rate falls."""


def rate(options: TrainOptions, step: int, steps: int) -> float:
    """The learning rate at ``step`` (0 .. steps - 1), a function of the step alone."""
    warm = math.ceil(options.warmup * steps)
    if step < warm:
        return options.lr * (step + 1) / warm
    left = 1 - (step - warm) / max(1, steps - warm)  # 1 -> 0
    if options.schedule == "cosine":
        share = (1 - math.cos(math.pi * left)) / 2
    elif options.schedule == "linear":
        share = left
    else:
        share = min(1.0, left / DECAY)
    return options.lr * (options.floor + (1 - options.floor) * share)
