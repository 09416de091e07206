"""Filling bars: what both sides are worth, and whether everything else stays as it was.

1. Nats a note of two bars of pieces a model has not seen, given what stands on both sides, beside the same bars given
   only what comes before; of the words of notes alone (bar lines, meters and tempos are given in the one case).
2. ``infill`` of two bars in 40 real pieces of several tracks: in how many every event outside is as it was, as mido
   reads it, and whether the bars are as many as before.

    python benchmarks/infill.py [--model DIR] [--held DIR] [--data DIR] [--minutes 10] [--spans 4] [--files 40] [--json]

Without a model, two are trained first, one as the recipe says and one without holes and controls, on the Bach of
``--data``; 3. is then what plain continuation loses by them, on pieces that neither has seen.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from symusic import Score

import toccata
from recipes import parted
from toccata.engine.sampling import log_probabilities
from toccata.errors import MidiError
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.read import find_midi, read_score
from toccata.midi.replace import Hole as TickHole
from toccata.musicmodel import Model
from toccata.tasks.fill import Hole, cut, filling, window
from toccata.tasks.passage import passage
from toccata.tasks.window import bar_starts
from toccata.tokenizers.vocabulary import Kind

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from outside import untouched_outside  # an independent reader, mido, which the tests use too

LENGTH = 2
"""Bars of a hole."""
FRAME = (Kind.SPECIAL, Kind.BAR, Kind.TIME_SIG, Kind.TEMPO)
"""Words that do not count."""
FOLDERS = ("quartets", "songs", "game", "choir", "orchestra")


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("TOCCATA_DATA", "../shared/data"))
    parser.add_argument("--model", type=Path, help="a model that has learned to fill")
    parser.add_argument("--held", type=Path, help="MIDI that the model has not seen; without, only part 2")
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--minutes", type=float, default=10, help="for each of the two, where no model is given")
    parser.add_argument("--spans", type=int, default=4, help="holes a piece")
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        if options.model is None:
            options.model, options.held, found = trained(
                options.data / "bach" / "mutopia", Path(temporary), options.minutes
            )
        if options.held is not None:
            model = toccata.load(options.model, precision="fp32")
            found |= sides(model, [read_score(path) for path in find_midi(options.held)], options.spans)
        found |= untouched(toccata.load(options.model), options.data, options.files)
    print(json.dumps(found) if options.json else "\n".join(f"{key:24} {value}" for key, value in found.items()))


def trained(data: Path, place: Path, minutes: float) -> tuple[Path, Path, dict[str, Any]]:
    """A model that has learned to fill and the music held back from it; and what continuation lost by all of that."""
    music = parted(data, place, 0)
    nats_of = {}
    for name, settings in (("plain", ["examples.fill=0", "examples.controls=0"]), ("recipe", [])):
        made = toccata.train(music.train, place / name, settings=["prepare.test=0", *settings], minutes=minutes)
        nats_of[name] = toccata.evaluate(made.path, music.held, include_seen=True).likelihood.nats_per_note
    found = {
        "continuation_without": round(nats_of["plain"], 4),
        "continuation_with": round(nats_of["recipe"], 4),
        "continuation_loses": f"{nats_of['recipe'] / nats_of['plain'] - 1:.1%}",
    }
    return place / "recipe", music.held, found


def sides(model: Model, scores: list[Score], spans: int) -> dict[str, Any]:
    """Nats a note of holes, with both sides and with what comes before alone; the gain with an interval over pieces."""
    rng = np.random.default_rng(0)
    found: list[tuple[int, int, float, float, float]] = []
    for number, score in enumerate(scores):
        bars = bar_map(score)
        for _ in range(spans):
            if len(bars) < LENGTH + 8:
                continue
            first = int(rng.integers(4, len(bars) - LENGTH - 4))
            hole = Hole(first, first + LENGTH)
            count = cut(score, bars, hole)[1].note_num()
            each = None if not count else one(model, score, bars, hole)
            if each is not None:
                found.append((number, count, *each))
    table = np.array(found)
    notes, gains = table[:, 1], table[:, 3] - table[:, 2]
    pieces = [np.flatnonzero(table[:, 0] == number) for number in np.unique(table[:, 0])]
    drawn = (np.concatenate([pieces[i] for i in rng.integers(0, len(pieces), len(pieces))]) for _ in range(2000))
    low, high = np.quantile([gains[rows].sum() / notes[rows].sum() for rows in drawn], [0.025, 0.975])
    both, past, asked = (float(column.sum() / notes.sum()) for column in table[:, 2:].T)
    return {
        "holes": len(table),
        "notes": int(notes.sum()),
        "nats_both_sides": round(both, 4),
        "nats_past_only": round(past, 4),
        "nats_past_asked_for": round(asked, 4),
        "gain": round(past - both, 4),
        "gain_ci95": [round(float(low), 4), round(float(high), 4)],
        "holes_better": round(float((gains > 0).mean()), 3),
    }


def one(model: Model, score: Score, bars: BarMap, hole: Hole) -> tuple[float, float, float] | None:
    """Nats of a hole's notes with both sides; with the past, going on; and with the past, asked to fill.

    None: it does not fit the model.
    """
    context = model.config.context
    filled, first = window(model.tokenizer, score, bars, hole, context * 2 // 3)
    answer = filled.target[: context - len(filled.prompt)]
    if len(answer) < len(filled.target):
        return None
    both = nats(model, filled.prompt, answer)
    ending = filling(model.tokenizer, score, bars, first, hole.last, hole)  # nothing follows
    asked = nats(model, ending.prompt, ending.target)
    while True:  # as much of the past as fits
        ids = passage(model.tokenizer, score, bars, first, hole.last, ended=False).ids
        starts = bar_starts(model.tokenizer.grammar(), ids.tolist(), bars.meters[first])
        start = starts[hole.first - first].first
        if len(ids) <= context or first == hole.first:
            break
        first += 1
    return (both, nats(model, ids[:start], ids[start:]), asked) if start and len(ids) <= context else None


def nats(model: Model, given: np.ndarray[Any, Any], asked: np.ndarray[Any, Any]) -> float:
    """Negative log-likelihood of the words of notes among ``asked``, after ``given``."""
    grammar = model.tokenizer.grammar()
    ids = np.concatenate([given, asked]).astype(np.int32)
    logits = model.logits(ids[:-1])[len(given) - 1 :]
    each = log_probabilities(logits, asked.tolist())
    counts = [grammar.scheme.kinds[grammar.base(int(i))[0]] not in FRAME for i in asked]
    return -float(each[np.array(counts)].sum())


def untouched(model: Model, data: Path, count: int) -> dict[str, Any]:
    """Fill two bars of real pieces of several tracks, and look at all the others."""
    paths = [path for folder in FOLDERS for path in find_midi(data / folder)[:: max(1, 400 // count)]]
    same = whole = done = 0
    began = time.perf_counter()
    for path in paths:
        if done == count:
            break
        try:
            score = read_score(path)
        except MidiError:
            continue
        bars = bar_map(score)
        if len([t for t in score.tracks if len(t.notes)]) < 2 or len(bars) < 8:
            continue
        first = 2 + done % (len(bars) - 4)
        (piece,) = model.infill(path, [(first + 1, first + LENGTH)], seed=done)
        hole = TickHole(int(bars.starts[first]), int(bars.starts[first + LENGTH]))
        faults = untouched_outside(path.read_bytes(), piece.midi, [hole])
        same, whole, done = same + (not faults), whole + (piece.bars == len(bars)), done + 1
    seconds = round((time.perf_counter() - began) / max(1, done), 2)
    return {"files": done, "untouched": same, "same_bars": whole, "seconds_a_file": seconds}


if __name__ == "__main__":
    main()
