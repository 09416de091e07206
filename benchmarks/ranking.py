"""Whether the ranking of pieces means anything: the share of pairs that it orders rightly, for several kinds of damage.

Passages of eight bars by people, from pieces of the test split, stand against the same passages damaged, against
passages of training pieces, and against what the model writes; what it writes as it is meant to, against what it writes
far too boldly or too safely. What is printed is the share of pairs in which the good one is ranked before the bad one
(a half is chance), by each part alone and by all together. The weights were chosen on the pieces with even numbers; the
figures are of the others, if not said otherwise (--half).

python benchmarks/ranking.py [--model DIR] [--data DIR] [--minutes 7] [--pieces 96] [--half 1] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from symusic import Note, Score

import toccata
from toccata import folder
from toccata.corpus.store import CORPUS, Corpus
from toccata.measure.likelihood import piece_nats
from toccata.measure.ranking import Ranked, Ranker
from toccata.measure.reference import drawn
from toccata.midi.bars import bar_map
from toccata.midi.edit import excerpt, slice_bars
from toccata.midi.splice import new_file
from toccata.musicmodel import Model
from toccata.piece import Piece

BARS = 8
Rows = dict[str, list[tuple[int, Ranked]]]
"""Of each kind: the half it belongs to, and what was found."""


def with_pitches(score: Score, pitches: Iterable[int]) -> Score:
    """A piece with other pitches."""
    out, each = score.copy(), iter(pitches)
    for track in out.tracks:
        if not track.is_drum:
            track.notes = [Note(n.time, n.duration, next(each), n.velocity) for n in track.notes]
    return out


def shuffled(score: Score, rng: random.Random) -> Score:
    """Its own pitches, each at another note."""
    pitches = [note.pitch for track in score.tracks if not track.is_drum for note in track.notes]
    rng.shuffle(pitches)
    return with_pitches(score, pitches)


def any_pitches(score: Score, rng: random.Random) -> Score:
    """Pitches by chance."""
    return with_pitches(score, (rng.randrange(36, 85) for _ in range(score.note_num())))


def in_order(score: Score, order: Iterable[int]) -> Score:
    """Its bars in another order, or some of them again and again."""
    starts, out = bar_map(score).starts.tolist(), score.copy()
    for track in out.tracks:
        track.notes = [
            Note(n.time - starts[bar] + starts[place], n.duration, n.pitch, n.velocity)
            for place, bar in enumerate(order)
            for n in track.notes
            if starts[bar] <= n.time < starts[bar + 1]
        ]
    return out


def loop(score: Score, _: random.Random) -> Score:
    """Its first bar that is not empty, all the time."""
    bars = bar_map(score)
    return in_order(score, [min(bars.at(n.time) for track in score.tracks for n in track.notes)] * BARS)


def disordered(score: Score, rng: random.Random) -> Score:
    """Its bars in an order by chance."""
    return in_order(score, rng.sample(range(BARS), BARS))


def both(score: Score, other: Score) -> Score:
    """Two pieces at once."""
    out, end = score.copy(), bar_map(score).end
    for track in other.copy().resample(score.ticks_per_quarter, 1).tracks:
        track.notes = [note for note in track.notes if note.time < end]
        out.tracks.append(track)
    return out


DAMAGE: dict[str, Callable[[Score, random.Random], Score]] = {
    "pitches shuffled": shuffled, "pitches by chance": any_pitches, "one bar for eight": loop,
    "bars in any order": disordered,
}  # fmt: skip


def passages(corpus: Corpus, count: int) -> list[tuple[int, Score]]:
    """About so many passages of test pieces, as many of each; with the number of the piece among them."""
    rng, numbers = np.random.default_rng(1), corpus.split("test")
    found = []
    for place, number in enumerate(numbers):
        score = corpus.score(number)
        bars = bar_map(score)
        for _ in range(-(-count // len(numbers))):
            first = int(rng.integers(max(1, len(bars) - BARS + 1)))
            part = excerpt(score, first, min(first + BARS, len(bars)), bars)
            if part.note_num() >= 2 * BARS and len(bar_map(part)) >= BARS:
                found.append((place, part))
    return found


def read(model: Model, score: Score) -> Piece:
    """Music that the model did not write, as if it had."""
    nats, _ = piece_nats(model, score)
    return Piece(new_file(score), {"nats_per_note": nats / score.note_num(), "notes": score.note_num()})


def judged(model: Model, corpus: Corpus, count: int) -> Rows:
    """All kinds of pieces, ranked."""
    ranker, rng, rows = Ranker.of(model), random.Random(0), Rows()
    weigh: Callable[[str, int, Piece], None] = lambda kind, number, piece: (  # noqa: E731
        rows.setdefault(kind, []).append((number % 2, ranker.weigh(piece)))
    )
    people = passages(corpus, count)
    rng.shuffle(people)
    for index, (number, part) in enumerate(people):
        weigh("people", number, read(model, part))
        for kind, damaged in DAMAGE.items():
            weigh(kind, number, read(model, damaged(part, rng)))
        weigh("two at once", number, read(model, both(part, people[index - 7][1])))
    for index, (score, bars, first) in enumerate(drawn(corpus, corpus.split("train"), count, seed=5)):
        part = excerpt(score, first, min(first + BARS, len(bars)), bars)
        if part.note_num() >= 2 * BARS:
            weigh("copied", index, read(model, part))
    for kind, temperature in (("model", 1.0), ("model, 1.3", 1.3), ("model, 1.6", 1.6)):
        written = model.generate(n=count, bars=BARS, seed=1000, sampling=toccata.Sampling(temperature=temperature))
        for index, piece in enumerate(written):
            weigh(kind, index, piece)
    safe = toccata.Sampling(temperature=0)  # always the same without a prompt
    for number, part in people[: count // 2]:
        prompt = slice_bars(part, 0, 2)
        if prompt.note_num():
            (piece,) = model.generate(prompt, bars=BARS, sampling=safe, continuation_only=True)
            weigh("model, greedy", number, piece)
    return rows


def right(good: list[float], bad: list[float]) -> float:
    """The share of pairs in which the good one has less, ties counting half."""
    a, b = np.array(good)[:, None], np.array(bad)[None]
    return float(((a < b) + 0.5 * (a == b)).mean())


def compared(rows: Rows, half: int) -> dict[str, dict[str, dict[str, float]]]:
    """The share of pairs in order: by what they are compared with, kind and part."""
    columns: dict[str, Callable[[Ranked], float]] = {
        part: lambda found, part=part: found.parts[part] or 0.0  # type: ignore[misc]
        for part in ("surprise", "traits", "known")
    }
    columns["all"] = lambda found: found.total
    of = {kind: [found for side, found in rows[kind] if side == half] for kind in rows}
    pairs = {"people": [kind for kind in rows if kind != "people"]}
    pairs["model"] = [kind for kind in rows if kind.startswith("model,")]
    return {
        good: {
            kind: {name: right([*map(value, of[good])], [*map(value, of[kind])]) for name, value in columns.items()}
            for kind in kinds
        }
        for good, kinds in pairs.items()
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", type=Path, help="a model folder with its training/ folder; by default one is trained"
    )
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TOCCATA_DATA", "../shared/data")) / "bach")
    parser.add_argument("--minutes", type=float, default=7)
    parser.add_argument("--pieces", type=int, default=96, help="of each kind")
    parser.add_argument("--half", type=int, choices=(0, 1), default=1, help="0: those that the weights were chosen on")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = given.model or Path(temporary) / "model"
        if given.model is None:
            toccata.train(given.data, path, minutes=given.minutes)
        corpus = Corpus(path / folder.TRAINING / CORPUS.removesuffix(".json"))
        rows = judged(toccata.load(path), corpus, given.pieces)
        counts = {kind: len([1 for half, _ in found if half == given.half]) for kind, found in rows.items()}
        result: dict[str, Any] = {"pieces": counts, "right": compared(rows, given.half)}
    if given.json:
        json.dump(result, sys.stdout)
        print()
        return
    for good, kinds in result["right"].items():
        print(
            f"{good + ' before':24}"
            + "".join(f"{name:>10}" for name in ("surprise", "traits", "known", "all", "pieces"))
        )
        for kind, shares in kinds.items():
            figures = "".join(f"{share:10.2f}" for share in shares.values())
            print(f"  {kind:22}{figures}{result['pieces'][kind]:10}")


if __name__ == "__main__":
    main()
