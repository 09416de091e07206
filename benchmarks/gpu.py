"""Training on one CUDA GPU: tokens a second of a step, and of the examples that have to keep up with it.

A step is a run's own: bf16, FlexAttention, compiled whole, with its optimiser, over random ids. The rate of arithmetic
counts six operations for each number of a matrix and attention's products (``DecoderConfig.work``). With a prepared
corpus, also how fast worker processes make examples of it. Without a GPU it says so.

    python benchmarks/gpu.py [--corpus DIR] [--workers 15] [--steps 30] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from toccata.corpus.examples import Examples
from toccata.corpus.store import Corpus
from toccata.model.attention import Packing
from toccata.model.config import DecoderConfig
from toccata.recipes import Recipe, load
from toccata.tokenizers.load import build_tokenizer
from toccata.training.data import Batch, batches
from toccata.training.options import TrainOptions
from toccata.training.torchnet import TorchLearner

ROOT = Path(__file__).parents[1]
SECONDS = 6
"""For how long examples are made."""


class _None:
    """Stands for Examples: batches are given here."""

    def row(self, number: int) -> Any:
        raise AssertionError("no examples are made while steps are measured")


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="a prepared corpus")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 1) - 1))
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("there is no CUDA GPU here: nothing was measured")
    rows: list[dict[str, Any]] = []
    base = load(str(ROOT / "models" / "base.toml"))
    if options.corpus is not None:
        rows.append({"what": "examples", "tokens_per_second": examples(base, options.corpus, options.workers)})
    tokenizer = build_tokenizer(base.tokenizer)
    plain = TrainOptions(micro_batch_size=64, optimizer="adamw")
    for what, config, training in (
        ("base", base.decoder(tokenizer.vocab_size, tokenizer.features), base.training),
        ("25M", DecoderConfig(2048, 1024, layers=8, width=512, heads=8, kv_heads=4, ffn=1408), plain),
    ):
        rows.append({"what": what, **step(config, training, options.steps)})
    for row in rows:
        row["gpu"] = torch.cuda.get_device_name()
        print(json.dumps(row) if options.json else "  ".join(f"{key} {value}" for key, value in row.items()))


def step(config: DecoderConfig, training: TrainOptions, count: int) -> dict[str, Any]:
    """One decoder's step: milliseconds, tokens and TFLOP a second, seconds of the first three, GiB at most."""
    made = TrainOptions(
        micro_batch_size=training.micro_batch_size, optimizer=training.optimizer,
        precision="bf16", attention="flex", compile="on",
    )  # fmt: skip
    learner = TorchLearner(config, None, _None(), None, made)  # type: ignore[arg-type]
    rows, context = training.micro_batch_size, config.context
    rng = np.random.default_rng(0)
    ids = torch.from_numpy(rng.integers(0, config.vocab, (rows, context + 1)).astype(np.int32))
    least = min((size for _, size in config.features), default=1)
    beside = torch.zeros((rows, context, len(config.features)), dtype=torch.int32) + least // 2
    batch = Batch(
        ids[:, :-1].contiguous(), ids[:, 1:].contiguous(), Packing.always([(context,)] * rows),
        beside if config.features else None,
    ).pin_memory()  # fmt: skip
    learner.source = itertools.repeat(batch)
    began = time.monotonic()
    _steps(learner, 3)
    first, began = time.monotonic() - began, time.monotonic()
    _steps(learner, count)
    seconds = (time.monotonic() - began) / count
    return {
        "parameters": config.parameters,
        "milliseconds": round(1000 * seconds, 1),
        "tokens_per_second": round(rows * context / seconds),
        "tflop_per_second": round(config.work(context) * rows * context / seconds / 1e12, 1),
        "seconds_of_three_first": round(first, 1),
        "gib": round(torch.cuda.max_memory_allocated() / 2**30, 1),
    }


def _steps(learner: TorchLearner, count: int) -> None:
    for number in range(count):
        learner.step(number, 1e-4)
    learner.losses()
    torch.cuda.synchronize()


def examples(recipe: Recipe, place: Path, workers: int) -> int:
    """Tokens a second of the examples that workers make."""
    tokenizer = build_tokenizer(recipe.tokenizer)
    rows, context = recipe.training.micro_batch_size, int(recipe.model["context"])
    source = batches(
        Examples(Corpus(place), tokenizer, "train", context, recipe.examples, features=tokenizer.features),
        rows, workers=workers, packed=True, pinned=True,
    )  # fmt: skip
    for _ in range(workers):
        next(source)
    began, count = time.monotonic(), 0
    while time.monotonic() - began < SECONDS:
        next(source)
        count += 1
    return round(count * rows * context / (time.monotonic() - began))


if __name__ == "__main__":
    main()
