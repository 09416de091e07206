"""Tokens per second of toccata's loop (8-bit graph) beside ``transformers.generate`` (fp32), on the same weights.

The loop is the one users run: grammar masks, sampling, notes told as they are written. Prompt of about 32 tokens, 512
new ones, temperature 1, top-p 0.95, 2 threads each; they take turns, the median turn counts. ``of_bandwidth`` is a
share: of the tokens per second that reading the weights alone would allow, at the speed of two threads over 400 MB.

    python benchmarks/decode.py [--json] [--quick]
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import MistralConfig, MistralForCausalLM

from toccata.engine.cache import KeyValueCache
from toccata.engine.job import DecodeJob
from toccata.engine.network import Network
from toccata.engine.sampling import Sampling
from toccata.engine.scheduler import Scheduler, Verb
from toccata.model.config import DecoderConfig, sized
from toccata.model.decoder import Decoder
from toccata.model.weights import to_tensors
from toccata.recipes import load
from toccata.tasks.compile import compile_request
from toccata.tasks.request import Request
from toccata.tokenizers.cursor import Cursor
from toccata.tokenizers.load import build_tokenizer
from toccata.tokenizers.state import Note
from toccata.training.compute import processor

THREADS = 2
PROMPT = 32
TOP_P = 0.95
TOKENIZER = build_tokenizer(load("toccata").tokenizer)
MODELS = {
    label: DecoderConfig(vocab=TOKENIZER.vocab_size, context=1024, **sized(size))
    for label, size in (("6M", "micro"), ("25M", "small"))
}

Loop = Callable[[int, int], int]
"""Continues ``batch`` prompts by ``new`` tokens each; how many notes that made, where it is known."""


def main() -> None:
    """Print a table, or with ``--json`` one object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--quick", action="store_true", help="128 new tokens instead of 512")
    parser.add_argument("--bits", type=int, choices=(8, 32), default=8, help="which of toccata's graphs")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    speed = read_bandwidth()
    machine = {"processor": processor(), "read_gb_s": round(speed / 1e9, 1)}
    if not options.json:
        print(f"{machine['processor']}, reads {machine['read_gb_s']} GB/s", flush=True)
    rows = []
    for name, config in MODELS.items():
        torch.manual_seed(0)
        decoder = Decoder(config)
        with torch.no_grad():
            decoder.head.weight.mul_(5)  # a trained model is surer of itself than a new one
        tensors = to_tensors(config, decoder.state_dict())
        ours = toccata_loop(config, tensors, options.bits)
        theirs = transformers_loop(config, tensors)
        for batch in (1, 8):
            rows.append({"model": name, "batch": batch, **measure(ours, theirs, batch, options.quick)})
            if batch == 1:
                weights = sum(
                    tensor.numel() for key, tensor in tensors.items() if tensor.ndim > 1 and "embed" not in key
                )
                rows[-1]["of_bandwidth"] = round(rows[-1]["toccata_tok_s"] * weights * options.bits / 8 / speed, 2)
            if not options.json:
                print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    if options.json:
        json.dump({**machine, "rows": rows}, sys.stdout)
        print()


def read_bandwidth() -> float:
    """Bytes per second that the threads read together, at best."""
    parts = [np.ones(25_000_000 // THREADS // 8) for _ in range(THREADS)]
    best = math.inf
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(8):
            start = time.perf_counter()
            list(pool.map(np.sum, parts))
            best = min(best, time.perf_counter() - start)
    return sum(part.nbytes for part in parts) / best


def measure(ours: Loop, theirs: Loop, batch: int, quick: bool) -> dict[str, float]:
    """Median tokens per second of either, run in turns of at least a second."""
    new = 128 if quick else 512
    seconds: dict[Loop, list[float]] = {ours: [], theirs: []}
    notes = 0
    for loop in (ours, theirs):
        loop(batch, 8)  # warm
    for _ in range(3):
        for loop, taken in seconds.items():
            end = time.perf_counter() + 1
            while (start := time.perf_counter()) < end:
                notes = loop(batch, new) or notes
                taken.append(time.perf_counter() - start)
    mine, other = (batch * new / statistics.median(seconds[loop]) for loop in (ours, theirs))
    return {
        "toccata_tok_s": round(mine, 1),
        "transformers_tok_s": round(other, 1),
        "ratio": round(mine / other, 2),
        "toccata_notes_s": round(notes / statistics.median(seconds[ours]), 1),
    }


def toccata_loop(config: DecoderConfig, tensors: dict[str, torch.Tensor], bits: Any) -> Loop:
    """The engine: scheduler, grammar and sampler."""
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    cache = KeyValueCache(Network.of(config, arrays, bits=bits, threads=THREADS), rows=8)
    # A piece that may not end before it is long enough; the first bars of it are what is timed.
    task = compile_request(Request(bars=10_000, tempo=100, meter=(4, 4)), TOKENIZER, PROMPT)

    def loop(batch: int, new: int) -> int:
        scheduler, notes = Scheduler(cache, TOKENIZER), Notes()
        for seed in range(batch):
            one = DecodeJob(task, seed, Sampling(1.0, TOP_P), 10**9, notes)
            scheduler.submit(job(one), lambda event: None)  # without anyone who listens, no notes are told
        while not cache.slots or cache.slots[0].length < len(task.ids) + new:
            scheduler.step()
        scheduler.close()
        return notes.count

    return loop


def job(one: DecodeJob) -> Verb:
    """A verb of one job."""
    return (yield one)


class Notes:
    """Counts notes as they are written."""

    count = 0

    def note(self, note: Note, cursor: Cursor) -> Iterable[object]:
        """One more."""
        self.count += 1
        return ()

    def bar(self, bar: int, cursor: Cursor) -> Iterable[object]:
        """No note."""
        return ()

    def tempo(self, cursor: Cursor) -> None:
        """No note."""


def transformers_loop(config: DecoderConfig, tensors: dict[str, torch.Tensor]) -> Loop:
    """``MistralForCausalLM.generate`` with the same settings."""
    model: Any = MistralForCausalLM(MistralConfig(**config.to_json()))
    model.load_state_dict(tensors)
    model.eval()
    prompt = torch.from_numpy(_prompt(config))

    def loop(batch: int, new: int) -> int:
        ids = prompt.expand(batch, -1)
        settings: dict[str, Any] = {"do_sample": True, "temperature": 1.0, "top_p": TOP_P, "top_k": 0}
        settings |= {"max_new_tokens": new, "min_new_tokens": new, "pad_token_id": 0}
        with torch.inference_mode():
            out = model.generate(ids, attention_mask=torch.ones_like(ids), **settings)
        assert out.shape == (batch, PROMPT + new)
        return 0  # these ids are not held to any grammar, so there are no notes to count

    return loop


def _prompt(config: DecoderConfig) -> NDArray[np.int64]:
    return np.random.default_rng(1).integers(3, config.vocab, PROMPT)


if __name__ == "__main__":
    main()
