"""What many clients get out of one scheduler: tokens per second together, and how long each waits for its first note.

Clients ask for new music, continuations, infills and added parts in turn, each as soon as its last one is done. The
weights are random, the shapes those of the recipes; nothing is different from one client to 32 but how many they are.
Then: what a token of ``infill(n=8)`` takes beside one of ``generate(n=8)`` after the same song, and by how much a
newcomer with a long prompt delays the others' next token.

    python benchmarks/scheduler.py [--json] [--quick]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from symusic import Note, Score, Track

from toccata import folder
from toccata.engine.scheduler import Handle, Scheduler, Verb
from toccata.events import NoteAdded
from toccata.files import write_json
from toccata.model.config import DecoderConfig, sized
from toccata.model.decoder import Decoder
from toccata.model.weights import to_tensors
from toccata.musicmodel import Model, plan
from toccata.recipes import load
from toccata.tokenizers.load import build_tokenizer

THREADS = 2
MODELS = {"3M": "nano", "25M": "small"}
CLIENTS = (1, 8, 16, 32)
ROWS = 32


def main() -> None:
    """Print a table, or with ``--json`` one object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--quick", action="store_true", help="five seconds a row instead of twenty")
    options = parser.parse_args()
    seconds = 5.0 if options.quick else 20.0
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        for name, size in MODELS.items():
            model = made_model(Path(place) / name, size)
            kinds = requests(model)
            one = 0.0
            for clients in CLIENTS:
                row = served(model, kinds, clients, seconds)
                one = one or row["tok_s"]
                rows.append({"model": name, **row, "times_one": round(row["tok_s"] / one, 2)})
                tell(options.json, rows[-1])
            rows.append({"model": name, **fills(model, 2 if options.quick else 6), **delay(model)})
            tell(options.json, rows[-1])
    if options.json:
        json.dump({"rows": rows}, sys.stdout)
        print()


def tell(as_json: bool, row: dict[str, Any]) -> None:
    """A row, as soon as it is there."""
    if not as_json:
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


def made_model(path: Path, size: str) -> Model:
    """A model folder of random weights that are as sure of themselves as a trained model's."""
    recipe = load("toccata")
    tokenizer = build_tokenizer(recipe.tokenizer)
    features = tokenizer.features
    known = (
        {}
        if features is None
        else {"features": features.blocks, "intervals": features.intervals, "pitches": features.pitches}
    )
    config = DecoderConfig(vocab=tokenizer.vocab_size, context=1024, **known, **sized(size))
    torch.manual_seed(0)
    decoder = Decoder(config)
    with torch.no_grad():
        decoder.head.weight.mul_(5)
    path.mkdir()
    write_json(path / folder.CONFIG, config.to_json())
    save_file(to_tensors(config, decoder.state_dict()), path / folder.WEIGHTS, metadata={"format": "pt"})
    tokenizer.save(path / folder.TOKENIZER)
    folder.seal(path, {"name": path.name, "toccata": "0", "recipe": recipe.to_json(), "lineage": {}})
    return Model(path, threads=THREADS)


def song(bars: int = 16) -> Score:
    """Two parts in quarters."""
    score = Score(480)
    for program, low in ((40, 64), (42, 43)):
        track = Track("", program, False)
        track.notes.extend([Note(480 * n, 480, low + n * 5 % 12, 80) for n in range(4 * bars)])
        score.tracks.append(track)
    return score


def requests(model: Model) -> list[Callable[[int], Verb]]:
    """What clients ask for, each with a seed."""
    asked = song()

    def verb(name: str, *arguments: Any, **named: Any) -> Callable[[int], Verb]:
        return lambda seed: plan(model, name, *arguments, seed=seed, n=1, **named).verbs[0]

    return [
        verb("generate", bars=4, programs=[0, 40], max_tokens=300),
        verb("infill", asked, [(7, 8)]),
        verb("generate", asked, bars=4, max_tokens=300),
        verb("accompany", asked, [32], bars=[(5, 8)]),
    ]


def served(model: Model, kinds: list[Callable[[int], Verb]], clients: int, seconds: float) -> dict[str, Any]:
    """Tokens per second of all clients together, and when they hear their first notes."""
    first: list[float] = []
    tokens, seed = 0, 0

    def come(scheduler: Scheduler, client: int) -> Handle:
        nonlocal seed
        seed += 1
        began = time.perf_counter()
        first_notes = deque[float]()

        def on_event(event: object) -> None:
            if isinstance(event, NoteAdded) and not first_notes:
                first_notes.append(time.perf_counter())
                first.append(first_notes[0] - began)

        return scheduler.submit(kinds[(client + seed) % len(kinds)](seed), on_event)

    with model.scheduler(ROWS) as scheduler:
        handles = [come(scheduler, client) for client in range(clients)]
        began, counting = time.perf_counter(), False
        while (now := time.perf_counter() - began) < seconds * 1.25:
            if not counting and now > seconds / 4:  # the first round is no usual one: all come at once
                counting, tokens, since = True, -sum(handle.tokens for handle in handles), time.perf_counter()
                first.clear()
            scheduler.step()
            for client, handle in enumerate(handles):
                if handle.done:
                    if handle.error is not None:
                        raise handle.error
                    tokens += handle.tokens
                    handles[client] = come(scheduler, client)
        tokens += sum(handle.tokens for handle in handles)
        took = time.perf_counter() - since
    late = np.percentile(first or [took], [50, 95])
    return {
        "clients": clients,
        "tok_s": round(tokens / took, 1),
        "first_note_ms_p50": round(1000 * late[0]),
        "first_note_ms_p95": round(1000 * late[1]),
    }


def fills(model: Model, turns: int) -> dict[str, float]:
    """What a token of ``infill(n=8)`` takes beside one of ``generate(n=8)`` after the same song: the middle of turns.

    Both read as much before they write: what a token costs depends on how many there are before it.
    """
    asked, ratios = song(), []
    for turn in range(turns + 1):
        each = []
        for verb, arguments, named in (
            ("generate", (asked,), {"bars": 8}),
            ("infill", (asked, [(5, 12)]), {}),
        ):
            deque(model.stream(*arguments, verb=verb, n=8, seed=100 * turn, **named), maxlen=0)  # type: ignore[arg-type]
            each.append(model.stats.seconds / model.stats.tokens)
        ratios.append(each[1] / each[0])
    return {"infill_to_generate": round(statistics.median(ratios[1:]), 2)}


def delay(model: Model) -> dict[str, float]:
    """By how much the others' next token is late while a newcomer's prompt of hundreds of ids is read, at most."""
    long = song(60)
    usual: list[float] = []
    late: list[float] = []
    with model.scheduler(8) as scheduler:
        for seed in range(4):
            scheduler.submit(plan(model, "generate", bars=60, programs=[0, 40], seed=seed, n=1).verbs[0])
        for _ in range(150):
            began = time.perf_counter()
            scheduler.step()
            usual.append(time.perf_counter() - began)
        handle = scheduler.submit(plan(model, "generate", long, bars=2, seed=1, n=1).verbs[0])
        while not handle.tokens:
            began = time.perf_counter()
            scheduler.step()
            late.append(time.perf_counter() - began)
    step = statistics.median(usual[50:])
    return {"newcomer_delays_ms": round(1000 * (max(late) - step), 1), "in_steps": len(late)}


if __name__ == "__main__":
    main()
