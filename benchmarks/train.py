"""Training tokens a second on the CPU: toccata's step beside transformers' Mistral of the same size, same tokens.

Ours: a run's own step as a run of 18 minutes takes it on this machine (number format, attention and compiling as tried
here), with its optimiser (AdamW), clipping and schedule. Theirs: MistralForCausalLM in fp32, AdamW, clipping. They take
turns; the median turn counts. The share is of what products of large matrices alone reach here in our number format.
Peak memory is each one's own, in a process of its own. With TOCCATA_DATA, also how fast examples are made, and what
share of a real run is spent waiting for them.

    python benchmarks/train.py [--json] [--quick]
"""

from __future__ import annotations

import os

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from toccata.corpus.examples import ExampleOptions, Examples
from toccata.corpus.prepare import prepare
from toccata.model.attention import Packing
from toccata.model.config import DecoderConfig
from toccata.recipes import load
from toccata.tokenizers.load import build_tokenizer
from toccata.training import log
from toccata.training.compute import processor
from toccata.training.data import Batch
from toccata.training.loop import Trainer
from toccata.training.options import TrainOptions
from toccata.training.schedule import rate
from toccata.training.torchnet import TorchLearner
from toccata.training.trial import choose

MODELS = {
    "2.6M": {"layers": 6, "width": 192, "heads": 3, "kv_heads": 3, "ffn": 512, "vocab": 512},
    "6M": {"layers": 8, "width": 256, "heads": 4, "kv_heads": 2, "ffn": 704, "vocab": 2048},
    "25M": {"layers": 8, "width": 512, "heads": 8, "kv_heads": 4, "ffn": 1408, "vocab": 2048},
}
TOKENS = 4096
"""Tokens a step."""

Turn = Callable[[], float]
"""Trains one step; returns its loss."""


def config(model: str, context: int) -> DecoderConfig:
    """The decoder of a row of the table."""
    return DecoderConfig(context=context, **MODELS[model])


class _Numbers:
    """Stands for Examples: batches are given here."""

    def row(self, number: int) -> Any:
        raise AssertionError("no examples are made while this is measured")


def batch(shape: DecoderConfig, seed: int, *, packed: bool = False) -> Batch:
    """A batch of random ids, a passage a row; ``packed``: in the form that what is compiled takes."""
    rng = np.random.default_rng(seed)
    rows = TOKENS // shape.context
    ids = torch.from_numpy(rng.integers(0, shape.vocab, (rows, shape.context + 1)).astype(np.int32))
    packing = Packing.always([(shape.context,)] * rows) if packed else None
    return Batch(ids[:, :-1].contiguous(), ids[:, 1:].contiguous(), packing)


def ours(shape: DecoderConfig) -> Turn:
    """The step of a run."""
    options = TrainOptions(optimizer="adamw", minutes=18, micro_batch_size=TOKENS // shape.context, workers=0)
    options = choose(shape, options, lambda _: None).options(options)
    learner = TorchLearner(shape, None, _Numbers(), None, options)  # type: ignore[arg-type]
    learner.source = itertools.repeat(batch(shape, 0, packed=options.compile == "on"))
    numbers = itertools.count()

    def turn() -> float:
        number = next(numbers)
        learner.step(number, rate(options, number, options.steps))
        return learner.losses()[-1]

    return turn


def theirs(shape: DecoderConfig) -> Turn:
    """A step of transformers' Mistral."""
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    model = MistralForCausalLM(MistralConfig(**{**shape.to_json(), "use_cache": False}))
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    one = batch(shape, 0)
    targets = one.targets.long().flatten()

    def turn() -> float:
        logits = model(input_ids=one.inputs).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss)

    return turn


def ceiling(precision: str, size: int = 2048) -> float:
    """Operations a second that a product of two large matrices reaches."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    one, other = (torch.randn(size, size).to(dtype) for _ in range(2))
    times = []
    for _ in range(12):
        before = time.perf_counter()
        one @ other
        times.append(time.perf_counter() - before)
    return 2 * size**3 / statistics.median(times)


def speed(model: str, context: int, turns: int) -> dict[str, Any]:
    """One row: both in turns."""
    shape = config(model, context)
    how = choose(shape, TrainOptions(minutes=18, micro_batch_size=TOKENS // context), lambda _: None)
    both = {"toccata": ours(shape), "transformers": theirs(shape)}
    took: dict[str, list[float]] = {name: [] for name in both}
    for number in range(turns + 1):
        for name, turn in both.items():
            before = time.perf_counter()
            turn()
            if number:  # the first warms up
                took[name].append(time.perf_counter() - before)
    rate = {name: TOKENS / statistics.median(times) for name, times in took.items()}
    memory = {name: peak(name, model, context) for name in both}
    return {
        "model": model,
        "context": context,
        "toccata_tok_s": round(rate["toccata"]),
        "transformers_tok_s": round(rate["transformers"]),
        "ratio": round(rate["toccata"] / rate["transformers"], 2),
        "share": round(rate["toccata"] * shape.work(context) / ceiling(how.precision), 3),
        "how": f"{how.precision} {how.attention}{' compiled' if how.compiled else ''}",
        "toccata_mb": memory["toccata"],
        "transformers_mb": memory["transformers"],
    }


def peak(name: str, model: str, context: int) -> int:
    """The most memory three steps take, in MB, measured in a process of its own."""
    command = [sys.executable, __file__, "--peak", name, model, str(context)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1])


def peak_here(name: str, model: str, context: int) -> int:
    """What the process of :func:`peak` does."""
    shape = config(model, context)
    turn = ours(shape) if name == "toccata" else theirs(shape)
    for _ in range(3):
        turn()
    return high_water()


def high_water() -> int:
    """The most memory this process ever had, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says counts the program that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) // 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20  # macOS, in bytes


def music() -> Path | None:
    """The folder of real MIDI, if there is one."""
    folder = Path(os.environ.get("TOCCATA_DATA", Path(__file__).parents[2] / "shared" / "data"))
    return folder / "bach" / "mutopia" if (folder / "bach" / "mutopia").is_dir() else None


def examples(source: Path, rows: int, steps: int) -> dict[str, Any]:
    """Tokens a second of one example worker, and the share of a short real run spent waiting for one."""
    recipe = load("toccata")
    with tempfile.TemporaryDirectory() as folder:
        corpus = prepare(source, Path(folder) / "corpus", recipe.prepare_options())
        tokenizer = build_tokenizer(recipe.tokenizer)
        context = int(recipe.model["context"])
        made = Examples(corpus, tokenizer, "train", context, ExampleOptions(), features=tokenizer.features)
        for number in range(4):
            made.row(number)
        before = time.perf_counter()
        for number in range(4, 4 + rows):
            made.row(number)
        rate = rows * context / (time.perf_counter() - before)
        options = TrainOptions(steps=steps, evaluations=1, valid_rows=1, workers=1, micro_batch_size=8)
        learner = TorchLearner(
            recipe.decoder(tokenizer.vocab_size, tokenizer.features),
            None,
            made,
            None,
            options,
        )
        Trainer(learner, options, Path(folder) / "run").run()
        lines = log.read(Path(folder) / "run" / "log.csv")
    first = max(1, len(lines) // 4)  # the worker has to start, once a run
    waiting = sum(line["waiting"] for line in lines[first:])
    seconds = lines[-1]["seconds"] - lines[first - 1]["seconds"]
    return {
        "tok_s_per_worker": round(rate),
        "train_tok_s": round((lines[-1]["tokens"] - lines[first - 1]["tokens"]) / seconds),
        "waiting_share": round(waiting / seconds, 4),
        "start_seconds": round(lines[0]["waiting"], 1),
    }


def main() -> None:
    """Print a table, or with ``--json`` one object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--quick", action="store_true", help="fewer turns, one size")
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore")
    if chosen.peak:
        print(peak_here(chosen.peak[0], chosen.peak[1], int(chosen.peak[2])))
        return
    turns = 3 if chosen.quick else 7
    rows = []
    if not chosen.json:
        print(f"{torch.get_num_threads()} threads; {TOKENS:,} tokens a step; tokens a second, and MB at most")
        reached = [f"{ceiling(number) / 1e9:.0f} GFLOP/s in {number}" for number in ("fp32", "bf16")]
        print(f"{processor()}; products reach {' and '.join(reached)}")
        names = f"{'toccata':>9} {'transformers':>13} {'ratio':>6} {'share':>6} {'MB':>6} {'MB':>6}  how"
        print(f"{'model':>6} {'context':>8} {names}")
    for model in ("6M",) if chosen.quick else MODELS:
        for context in (512, 1024):
            row = speed(model, context, turns)
            rows.append(row)
            if not chosen.json:
                print(
                    f"{model:>6} {context:>8} {row['toccata_tok_s']:>9,} {row['transformers_tok_s']:>13,} "
                    f"{row['ratio']:>6} {row['share']:>6.0%} {row['toccata_mb']:>6} {row['transformers_mb']:>6}  "
                    f"{row['how']}",
                    flush=True,
                )
    source = music()
    data = None if source is None else examples(source, 30 if chosen.quick else 100, 16 if chosen.quick else 60)
    if chosen.json:
        print(json.dumps({"threads": torch.get_num_threads(), "rows": rows, "examples": data}))
    elif data is not None:
        print(
            f"examples: {data['tok_s_per_worker']:,} tokens/s a worker; training at {data['train_tok_s']:,} waits "
            f"{data['waiting_share']:.1%} of the time (and {data['start_seconds']} s for the worker to start)"
        )
    else:
        print("no real MIDI: set TOCCATA_DATA to measure how examples are made")


if __name__ == "__main__":
    main()
