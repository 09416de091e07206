"""What constraints cost: the time they take for each id, as a share of the whole loop's.

Pieces are written under each constraint and timed. Then the same ids are read again by a cursor that has the
constraint and by one that has the grammar alone, in turns, without the model: the difference, by the least of many
rounds, is what the constraint takes, and is the same on a quiet machine and a busy one. Whole pieces with and without a
constraint, side by side, differ by more than what is looked for: other music is other work.

Guidance is no mask: it reads every piece twice. Its cost is that of whole pieces, with and without it.

    python benchmarks/constraints.py --model DIR [--rounds 9] [--bars 16] [--batch 1 8] [--json]
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import toccata
from toccata.engine.guards import Guards, Ids
from toccata.engine.sampling import Sampling
from toccata.musicmodel import Model
from toccata.tasks.chords import ChordChart
from toccata.tasks.compile import compile_request
from toccata.tasks.controls import Controls
from toccata.tasks.request import Request, Task

LIMIT = 8192
"""New ids that a piece may have."""
CHART = ChordChart.read("Dm7 | G7 | Cmaj7 | %")
KINDS: dict[str, dict[str, Any]] = {
    "key": {"key": "C major"},
    "range": {"pitches": (48, 84)},
    "chords": {"chords": CHART},
    "chords and key": {"chords": CHART, "key": "C major"},
    "an ending": {"end": True},
    "instruments and key": {"programs": (0, 40, 42), "key": "G major"},
    "everything": {"programs": (0, 40), "key": "C major", "pitches": (48, 84), "chords": CHART, "end": True},
}


def main() -> None:
    """Write, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = toccata.load(options.model, threads=options.threads)
    rows = []
    plain = Request(bars=options.bars, meter=(4, 4))
    for batch in options.batch:
        for name, changes in {"guards": {}, **KINDS}.items():
            row = {"batch": batch, "constraint": name, **cost(model, plain, changes, batch, options.rounds)}
            rows.append(row)
            if not options.json:
                print(
                    f"batch {batch}  {name:20} {row['loop_us']:7.1f} microseconds an id, of which the constraint "
                    f"{row['own_us']:6.1f}: {row['cost']:6.1%}",
                    flush=True,
                )
        if model.has_learned("controls"):
            row = {"batch": batch, "constraint": "guidance", "cost": guidance(model, batch, options.bars, 5)}
            rows.append(row)
            if not options.json:
                print(f"batch {batch}  guidance: {row['cost']:.0%} more time for an id")
    if options.json:
        json.dump({"rows": rows}, sys.stdout)
        print()


def cost(model: Model, plain: Request, changes: dict[str, Any], batch: int, rounds: int) -> dict[str, float]:
    """What a constraint takes for each id; no wishes: what the guards take."""
    room = model.config.context * 3 // 4
    asked, free = (
        compile_request(request, model.tokenizer, room, controls=False)
        for request in (replace(plain, **changes), plain)
    )
    written, micros = pieces(model, replace(plain, **changes), batch, rounds)
    count = sum(map(len, written))
    guards = Ids(model.tokenizer.grammar()) if not changes else None
    with_it, without = [], []
    for _ in range(rounds):
        with_it.append(timed(lambda: [again(asked, ids, guards) for ids in written]))
        without.append(timed(lambda: [again(free, ids, None) for ids in written]))
    own = 1e6 * (min(with_it) - min(without)) / count
    return {"loop_us": round(micros, 1), "own_us": round(own, 1), "cost": own / (micros - own)}


def pieces(model: Model, request: Request, batch: int, rounds: int) -> tuple[list[list[int]], float]:
    """The new ids of some pieces, and the least time for an id in microseconds, of all that were written together."""
    ids: list[list[int]] = []
    least = float("inf")
    for turn in range(max(2, rounds // 3)):
        began = time.perf_counter()
        done = model.decode(model.compile(request), range(100 * turn, 100 * turn + batch), limit=LIMIT)
        seconds = time.perf_counter() - began
        ids += [one.ids[-one.new_tokens :].tolist() for one in done][: 8 - len(ids)]
        least = min(least, 1e6 * seconds / sum(one.new_tokens for one in done))
    return ids, least


def again(task: Task, ids: list[int], guarded: Ids | None) -> None:
    """Read ids as the loop does, all but the model's part and the draw."""
    cursor = copy.copy(task.cursor)
    cursor.state = copy.copy(task.cursor.state)
    guards = None if guarded is None else Guards(guarded, cursor)
    values = np.zeros(len(cursor.allowed()), np.float32)
    for token in ids:
        allowed = cursor.allowed()
        cursor.synonym()
        if guards is not None:
            guards.steer(values, allowed, cursor)
        cursor.admits(token)
        for base in cursor.grammar.base(token):
            cursor.read(base)
            if guards is not None:
                guards.read(cursor.state)


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    began = time.process_time()
    work()
    return time.process_time() - began


def guidance(model: Model, batch: int, bars: int, rounds: int) -> float:
    """How much longer an id takes where two rows are read for each piece; by the middle of pairs in turns."""
    request = Request(bars=bars, meter=(4, 4))
    controlled = replace(request, controls=Controls(density=4))
    ratios = []
    for turn in range(rounds + 1):
        each = []
        for strength in (1.0, 2.0):
            began, seeds = time.perf_counter(), range(100 * turn, 100 * turn + batch)
            done = model.decode(model.compile(controlled), seeds, sampling=Sampling(guidance=strength), limit=LIMIT)
            each.append((time.perf_counter() - began) / sum(one.new_tokens for one in done))
        ratios.append(each[1] / each[0])
    return statistics.median(ratios[1:]) - 1


if __name__ == "__main__":
    main()
