"""How often sampling falls into loops, one note, long silence or the far end of the keyboard, without guards and with.

Pieces of so many bars at each temperature, the same seeds without and with guards; what they have fallen into is read
off the finished pieces (`toccata.measure.degeneration`), not asked of the guards. At temperature 0 all seeds are one
piece, so one is written. Then what the guards cost: speed with and without them, in turns, and their own time; and,
with ``--data``, how often passages of so many bars by people would set off a guard, and count as fallen.

    python benchmarks/degeneration.py --model DIR [--pieces 200] [--bars 32] [--temperatures 1 0.9 0.7]
        [--data DIR ...] [--json]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from symusic import Score

import toccata
from toccata.engine.guards import Guards, Ids
from toccata.engine.sampling import Sampling
from toccata.errors import MidiError
from toccata.measure.degeneration import KINDS, Degeneration, degeneration
from toccata.midi.bars import bar_map
from toccata.midi.clean import clean
from toccata.midi.edit import slice_bars
from toccata.midi.read import find_midi, read_score
from toccata.musicmodel import Model
from toccata.piece import Piece
from toccata.tasks.passage import passage
from toccata.tasks.request import Request
from toccata.tokenizers.base import Tokenizer

ROWS = 16
FROM_A_FILE = 4
"""Passages that one file gives at most."""


def main() -> None:
    """Print a table, or with ``--json`` one object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--pieces", type=int, default=200, help="at each temperature, without and with guards")
    parser.add_argument("--bars", type=int, default=32)
    parser.add_argument("--temperatures", type=float, nargs="+", default=[1.0, 0.9, 0.7])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, nargs="+", default=[], help="folders of MIDI by people")
    parser.add_argument("--passages", type=int, default=200, help="of each folder")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args()
    found: dict[str, Any] = {"sampled": [], "people": []}
    model = toccata.load(options.model, threads=options.threads)
    model.generate(n=1, bars=2)  # warm
    for temperature in options.temperatures:
        for row in sampled(model, temperature, options.pieces if temperature else 1, options.bars):
            found["sampled"].append(row)
            tell(options.json, row)
    found["cost"] = cost(model)
    tell(options.json, found["cost"])
    for folder in options.data:
        row = by_people(model.tokenizer, folder, options.passages, options.bars)
        if row["passages"]:
            found["people"].append(row)
            tell(options.json, row)
    if options.json:
        json.dump(found, sys.stdout)
        print()


def tell(quiet: bool, row: dict[str, Any]) -> None:
    """Print a row, unless all is to be one object."""
    if not quiet:
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


def sampled(model: Model, temperature: float, pieces: int, bars: int) -> list[dict[str, Any]]:
    """A row without guards, and one with: how many of 1,000 pieces have fallen into what.

    A piece in which no guard would have pressed is the same with guards, and is not written again.
    """
    plain: list[Degeneration] = []
    guarded: list[Degeneration] = []
    nats, notes = np.zeros(2), np.zeros(2)
    for first in range(0, pieces, ROWS):
        off, on = Sampling(temperature, guards=False), Sampling(temperature)
        count = min(ROWS, pieces - first)
        written = model.generate(n=count, bars=bars, seed=first, sampling=off)
        limit = 4096 * -(-bars // 8)
        again = model.decode(model.compile(Request(bars=bars)), range(first, first + count), sampling=off, limit=limit)
        ids = [done.ids.tolist() for done in again]
        for row, piece in enumerate(written):
            plain.append(fallen_into(piece, bars))
            if touched := bool(pressed(model.tokenizer, ids[row])):
                [other] = model.generate(bars=bars, seed=first + row, sampling=on)
            guarded.append(fallen_into(other, bars) if touched else plain[-1])
            both = [one.origin for one in (piece, other if touched else piece)]
            notes += [origin["notes"] for origin in both]
            nats += [origin["nats_per_note"] * origin["notes"] for origin in both]
    return [
        {"temperature": temperature, "guards": bool(number), "pieces": pieces}
        | {kind: round(1000 * sum(kind in found.kinds for found in written) / pieces, 1) for kind in KINDS}
        | {"any": round(1000 * sum(bool(found.kinds) for found in written) / pieces, 1)}
        | {"nats_a_note": round(float(nats[number] / max(1, notes[number])), 3), "notes": int(notes[number])}
        for number, written in enumerate((plain, guarded))
    ]


def fallen_into(piece: Piece, bars: int) -> Degeneration:
    """What a piece has fallen into; one without a note is silent throughout."""
    try:
        return degeneration(piece.score, bars)
    except MidiError:
        return Degeneration(silence=bars)


def cost(model: Model, rows: int = 8, bars: int = 8, turns: int = 8) -> dict[str, float]:
    """Tokens a processor second with guards and without, in turns; and microseconds a token of guards by themselves."""
    speed: dict[bool, list[float]] = {False: [], True: []}

    for turn in range(turns):
        for guards in (False, True) if turn % 2 else (True, False):
            began = time.process_time()
            model.generate(n=rows, bars=bars, seed=10_000 + turn, sampling=Sampling(guards=guards))
            speed[guards].append(model.stats.tokens / (time.process_time() - began))
    seeds = range(10_000, 10_000 + rows)
    done = model.decode(model.compile(Request(bars=bars)), seeds, sampling=Sampling(guards=False))
    ids = [token for one in done for token in one.ids.tolist()]
    grammar = model.tokenizer.grammar()
    logits, allowed = np.zeros(grammar.size, np.float32), np.ones(grammar.size, np.bool_)
    seconds = {False: 0.0, True: 0.0}
    for _ in range(3):
        for guarded in seconds:
            began = time.process_time()
            cursor = grammar.cursor()
            guards_of_all = Guards(Ids(grammar), cursor)
            for token in ids:
                for base in grammar.base(token):
                    cursor.read(base)
                    if guarded:
                        guards_of_all.read(cursor.state)
                if guarded:
                    guards_of_all.steer(logits, allowed, cursor)
            seconds[guarded] += time.process_time() - began
    return {
        "tokens_a_second": round(statistics.median(speed[False]), 1),
        "with_guards": round(statistics.median(speed[True]), 1),
        "guards_us_a_token": round(1e6 * (seconds[True] - seconds[False]) / (3 * len(ids)), 2),
    }


def pressed(tokenizer: Tokenizer, ids: list[int]) -> set[str]:
    """What guards press against anywhere in ``ids``."""
    grammar = tokenizer.grammar()
    cursor = grammar.cursor()
    guards = Guards(Ids(grammar), cursor)
    found: set[str] = set()
    for base in (base for token in ids for base in grammar.base(token)):
        cursor.read(base)
        guards.read(cursor.state)
        found.update(guards.against(cursor.state))
    return found


def by_people(tokenizer: Tokenizer, folder: Path, most: int, bars: int) -> dict[str, Any]:
    """How many passages by people set off a guard, and how many count as fallen; with drums and without."""
    counts: Counter[str] = Counter()
    for score in passages(folder, most, bars):
        drums = "drums" if any(track.is_drum and len(track.notes) for track in score.tracks) else "no drums"
        ids = passage(tokenizer, score, bar_map(score), 0, min(bars, len(bar_map(score))), ended=False).ids.tolist()
        touched, fallen = pressed(tokenizer, ids), degeneration(score).kinds
        counts.update(["passages", f"passages, {drums}"])
        counts.update([f"guard {name}, {drums}" for name in touched] + [f"{kind}, {drums}" for kind in fallen])
        counts[f"any guard, {drums}"] += bool(touched)
        counts[f"any, {drums}"] += bool(fallen)
    return {"folder": folder.name, "passages": 0, **counts}


def passages(folder: Path, most: int, bars: int) -> Iterator[Score]:
    """At most ``most`` passages of ``bars`` bars from the files of a folder."""
    files = find_midi(folder)
    random.Random(0).shuffle(files)
    given = 0
    for path in files:
        try:
            score = clean(read_score(path))
        except MidiError:
            continue
        lines = bar_map(score)
        for first in list(range(0, len(lines) - bars + 1, bars))[:FROM_A_FILE]:
            if given == most:
                return
            cut = slice_bars(score, first, first + bars, lines)
            if cut.note_num():
                given += 1
                yield cut


if __name__ == "__main__":
    main()
