"""Training tokens a second of the two backends: a step with JAX beside a step with torch, same model, same batch.

Each is the step of a run, with its optimiser, clipping and schedule, at both precisions. They take turns; the median
turn counts. What JAX needs to compile its step, once a run, is told apart. Devices are whatever each of them finds.

    python benchmarks/jax_step.py [--json] [--quick]
"""

from __future__ import annotations

import os

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable
from typing import Any, Literal

import jax
import numpy as np
import torch

from toccata.corpus.batches import Batch
from toccata.jaxnet.learner import JaxLearner
from toccata.model.attention import Packing
from toccata.model.config import DecoderConfig
from toccata.training import data
from toccata.training.options import TrainOptions
from toccata.training.schedule import rate
from toccata.training.torchnet import TorchLearner
from train import TOKENS, config

Precision = Literal["fp32", "bf16"]


def batch(shape: DecoderConfig) -> Batch:
    """Random ids, two passages a row, as a real batch has them."""
    rows = TOKENS // shape.context
    ids = np.random.default_rng(0).integers(0, shape.vocab, (rows, shape.context + 1), dtype=np.int32)
    half = shape.context // 3
    return Batch(ids[:, :-1], ids[:, 1:], ((half, shape.context - half),) * rows)


def turn(backend: str, shape: DecoderConfig, precision: Precision, optimizer: Any) -> Callable[[], float]:
    """What trains one step and returns its loss."""
    options = TrainOptions(
        optimizer=optimizer, steps=1000, micro_batch_size=TOKENS // shape.context, workers=0, precision=precision
    )
    one = batch(shape)
    learner: Any
    if backend == "jax":
        learner = JaxLearner(shape, None, None, None, options)  # type: ignore[arg-type]
        learner.source = itertools.repeat(one)
    else:
        learner = TorchLearner(shape, None, None, None, options)  # type: ignore[arg-type]
        both = (torch.from_numpy(np.ascontiguousarray(ids)) for ids in (one.inputs, one.targets))
        learner.source = itertools.repeat(data.Batch(*both, Packing.of(one.lengths)))
    numbers = itertools.count()

    def step() -> float:
        number = next(numbers)
        learner.step(number, rate(options, number, options.steps))
        return float(learner.losses()[-1])

    return step


def row(model: str, context: int, optimizer: str, turns: int) -> dict[str, Any]:
    """One row: both backends at both precisions, in turns."""
    shape = config(model, context)
    kinds: list[tuple[str, Precision]] = [("torch", "fp32"), ("jax", "fp32"), ("torch", "bf16"), ("jax", "bf16")]
    steps = {}
    first: dict[str, float] = {}
    for backend, precision in kinds:
        name = f"{backend}_{precision}"
        steps[name] = turn(backend, shape, precision, optimizer)
        before = time.perf_counter()
        steps[name]()
        first[name] = time.perf_counter() - before
        steps[name]()
    took: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(turns):
        for name, step in steps.items():
            before = time.perf_counter()
            step()
            took[name].append(time.perf_counter() - before)
    rates = {name: round(TOKENS / statistics.median(times)) for name, times in took.items()}
    compiling = round(first["jax_fp32"] - statistics.median(took["jax_fp32"]), 1)
    return {"model": model, "context": context, "optimizer": optimizer, **rates, "jax_compiles_s": compiling}


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="one row, three turns")
    asked = parser.parse_args()
    todo = [("2.6M", 512, "adamw"), ("2.6M", 512, "muon")][: 1 if asked.quick else None]
    rows = [row(*one, turns=3 if asked.quick else 12) for one in todo]
    found = {"torch": str(torch.__version__), "jax": jax.__version__, "device": jax.default_backend(), "rows": rows}
    if asked.json:
        print(json.dumps(found))
        return
    print(f"torch {found['torch']}, jax {found['jax']} on {found['device']}, tokens/s")
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for one in rows:
        print("| " + " | ".join(str(value) for value in one.values()) + " |")


if __name__ == "__main__":
    main()
