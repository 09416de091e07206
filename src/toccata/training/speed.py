"""Measures how fast this machine trains, with two small decoders and random data for a few seconds.

Two, because a processor that works on wide matrices does more at a time than on narrow ones.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from toccata.model.config import DecoderConfig
from toccata.model.decoder import Decoder
from toccata.training import device as devices
from toccata.training import optim
from toccata.training.options import TrainOptions

PROBES = (
    DecoderConfig(vocab=512, layers=4, width=128, heads=2, kv_heads=1, ffn=352),
    DecoderConfig(vocab=512, layers=2, width=512, heads=8, kv_heads=2, ffn=1408),
)
ROWS = 4
"""Rows of a context that a step reads."""


def measure(seconds: float) -> dict[str, Any]:
    """Train each of :data:`PROBES` for a while.

    Args:
        seconds: How long it may take in all, once torch is loaded; a slow machine takes as long as three steps of each.

    Returns:
        As plain JSON values: ``device`` and ``precision``; ``rates``, for each probe its ``width`` and the
        floating-point operations a second that forward and backward made; ``update``, the seconds that an update of the
        weights takes for each of them.
    """
    options = TrainOptions()
    where, precision = devices.device(), devices.precision(options)
    rates, updates = [], []
    for config in PROBES:
        took, update = _train(config, options, where, precision == "bf16", seconds / len(PROBES))
        rates.append({"width": config.width, "rate": config.work(config.context) * ROWS * config.context / took})
        updates.append(update / config.parameters)
    return {"device": where, "precision": precision, "rates": rates, "update": sum(updates) / len(updates)}


def _train(config: DecoderConfig, options: TrainOptions, where: str, bf16: bool, budget: float) -> tuple[float, float]:
    """Seconds for one forward and backward, and for one update: the medians of as many steps as the time allows."""
    begun = time.monotonic()
    with torch.random.fork_rng(devices=[]):  # so that the process's random state is unchanged
        decoder = Decoder(config).to(where)
        ids = torch.randint(config.vocab, (ROWS, config.context + 1)).to(where)
    (optimizer,) = optim.build(dict(decoder.named_parameters()), options)
    steps: list[tuple[float, float]] = []
    while len(steps) < 3 or (time.monotonic() - begun < budget and len(steps) < 200):
        before = _now(where)
        with torch.autocast(torch.device(where).type, torch.bfloat16, enabled=bf16):
            loss: Tensor = decoder(ids[:, :-1], None, ids[:, 1:])
            loss.backward()  # type: ignore[no-untyped-call]
        between = _now(where)
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), options.clip)
        optimizer.step()
        optimizer.zero_grad()
        steps.append((between - before, _now(where) - between))
    counted = steps[1:]  # the first one warms up
    middle = len(counted) // 2
    return sorted(first for first, _ in counted)[middle], sorted(second for _, second in counted)[middle]


def _now(where: str) -> float:
    """Return the time after all work of the device is done."""
    if where == "cuda":
        torch.cuda.synchronize()
    elif where == "mps":
        torch.mps.synchronize()
    return time.perf_counter()
