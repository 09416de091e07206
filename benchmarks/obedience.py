"""Obedience: of pieces told a level, a key or a style, how many have it; beside what untold pieces have by chance.

Levels and keys are measured as in training. Styles are told apart by a judge of their own: the nearest mean of simple
features (intervals, lengths, density, polyphony, register) among excerpts of each style; how well it tells human
held-out excerpts apart is printed beside. Of two styles together it is also said where between the two the pieces lie,
by the same features: 0 where those of the one do, on average, 1 where those of the other.

Everything that guidance bears on is asked at each ``--guidance``, with the mean surprise (nats a note, unguided).

    python benchmarks/obedience.py --model DIR [--corpus DIR] [--pieces 200] [--bars 8] [--guidance 1 2 3] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score

import toccata
from toccata.corpus.store import Corpus
from toccata.engine.sampling import Sampling
from toccata.midi.bars import bar_map
from toccata.midi.features import Sounding
from toccata.midi.keys import Key
from toccata.midi.levels import COUNTS
from toccata.musicmodel import Model
from toccata.piece import Piece
from toccata.tasks.controls import Controls, measured

BATCH = 16


def written(model: Model, count: int, bars: int, seed: int, guidance: float = 1, **options: Any) -> Iterator[Piece]:
    """``count`` pieces."""
    sampling = Sampling(guidance=guidance)
    for first in range(0, count, BATCH):
        yield from model.generate(
            n=min(BATCH, count - first), bars=bars, seed=seed + first, sampling=sampling, **options
        )


def surprise(pieces: Sequence[Piece]) -> float:
    """Nats a note of all of them."""
    notes = [piece.origin["notes"] for piece in pieces]
    nats = sum(piece.origin["nats_per_note"] * count for piece, count in zip(pieces, notes, strict=True))
    return round(nats / max(1, sum(notes)), 3)


def found(model: Model, score: Score) -> Controls:
    """What a piece has, by the measures of training."""
    return measured(Sounding.of(score), int(bar_map(score).starts[-1]), model.tokenizer.grammar().scheme.levels)


def levels(
    model: Model, name: str, pieces: int, bars: int, guidance: float, untold: Sequence[Controls]
) -> dict[str, Any]:
    """One control: every level asked of as many pieces."""
    count = COUNTS[name]
    right = near = total = 0
    chance: list[float] = []
    said = []
    everything: list[Piece] = []
    for level in range(1, count + 1):
        each = -(-pieces // count)
        new = list(written(model, each, bars, 1000 * level, guidance, controls={name: level}))
        everything += new
        have = [getattr(found(model, piece.score), name) for piece in new]
        right += sum(have_it == level for have_it in have)
        near += sum(have_it is not None and abs(have_it - level) <= 1 for have_it in have)
        total += each
        chance.append(float(np.mean([getattr(one, name) == level for one in untold])))
        said.append(float(np.mean([one for one in have if one is not None] or [0])))
    return {
        "control": name, "guidance": guidance, "nats_a_note": surprise(everything), "levels": count, "pieces": total,
        "right": right / total, "within_one": near / total, "chance": float(np.mean(chance)),
        "mean_level_by_asked": [round(mean, 2) for mean in said],
    }  # fmt: skip


def keys(model: Model, pieces: int, bars: int, untold: Sequence[Controls]) -> dict[str, Any]:
    """Every key told alone, without the mask that ``key=`` brings with it."""
    from dataclasses import replace

    from toccata.tasks.request import Request

    right = total = 0
    each = max(1, pieces // 24)
    for tonic in range(12):
        for minor in (False, True):
            request = replace(Request(bars=bars), controls=Controls(key=Key(tonic, minor)))
            first = 5000 + 100 * tonic + minor
            for done in model.decode(model.compile(request), range(first, first + each)):
                right += found(model, model.tokenizer.decode(done.ids)).key == Key(tonic, minor)
                total += 1
    have = [one.key for one in untold if one.key is not None]
    chance = float(np.mean([have.count(Key(t, m)) / len(have) for t in range(12) for m in (False, True)]))
    return {
        "control": "key (told, not masked)",
        "levels": 24,
        "pieces": total,
        "right": right / total,
        "chance": chance,
    }


def bar_by_bar(model: Model, pieces: int, bars: int, guidance: float) -> dict[str, Any]:
    """The density of every bar, busy and thin ones in turn."""
    asked = [2, 7] * (bars // 2)
    right = near = total = 0
    new = list(written(model, pieces, len(asked), 9000, guidance, controls={"density": asked}))
    for score in (piece.score for piece in new):
        lines, notes = bar_map(score).starts.tolist(), Sounding.of(score)
        for level, start, end in zip(asked, lines, lines[1:], strict=False):
            have = (
                measured(notes.between(start, end), end - start, model.tokenizer.grammar().scheme.levels).density or 1
            )
            right, near, total = right + (have == level), near + (abs(have - level) <= 1), total + 1
    return {
        "control": "density, bar by bar (2, 7, 2, 7 ...)", "guidance": guidance, "nats_a_note": surprise(new),
        "levels": 8, "pieces": pieces, "right": right / total, "within_one": near / total, "chance": None,
    }  # fmt: skip


def features(score: Score, start: int, end: int) -> NDArray[np.float64] | None:
    """What the judge of styles looks at in an excerpt; None: too few notes."""
    notes = Sounding.of(score).between(start, end)
    pitched = notes.pitches[~notes.drums]
    if len(pitched) < 16:
        return None
    steps = np.clip(np.abs(np.diff(pitched)), 0, 24)
    lengths = np.log2(np.maximum(notes.lengths[~notes.drums], 1) / notes.ticks_per_quarter)
    return np.concatenate([
        np.bincount(steps, minlength=25)[:25] / len(steps),
        np.histogram(lengths, bins=np.arange(-4.25, 3.5, 0.5))[0] / len(lengths),
        [np.log(notes.density(end - start)), np.log(notes.polyphony() or 1), (notes.register() or 60) / 12,
         float(pitched.std()) / 12, len({t.program for t in score.tracks if len(t.notes)}) / 4],
    ])  # fmt: skip


def excerpts(corpus: Corpus, split: str, style: str, bars: int, most: int) -> list[NDArray[np.float64]]:
    """Features of excerpts of a style's pieces."""
    out = []
    for number in corpus.split(split):  # type: ignore[arg-type]
        if corpus.pieces[number].style != style:
            continue
        score = corpus.score(number)
        lines = bar_map(score).starts.tolist()
        for first in range(0, len(lines) - bars, 2 * bars)[:8]:
            one = features(score, lines[first], lines[first + bars])
            if one is not None:
                out.append(one)
    return out[:: max(1, len(out) // most)][:most]


def styles(model: Model, corpus: Corpus, pieces: int, bars: int, guidance: float) -> Iterator[dict[str, Any]]:
    """Every style with pitched notes asked of as many pieces, and every two of them together."""
    every = {style: np.array(excerpts(corpus, "train", style, bars, 400)) for style in model.styles}
    learned = {style: rows for style, rows in every.items() if len(rows)}
    known = list(learned)
    everything = np.concatenate(list(learned.values()))
    mean, spread = everything.mean(axis=0), everything.std(axis=0) + 1e-3
    centres = {style: ((rows - mean) / spread).mean(axis=0) for style, rows in learned.items()}

    def judge(row: NDArray[np.float64]) -> str:
        return min(known, key=lambda style: float((((row - mean) / spread - centres[style]) ** 2).sum()))

    def with_styles(asked: Sequence[str], count: int, seed: int) -> tuple[NDArray[np.float64], list[Piece]]:
        new = list(written(model, count, bars, seed, guidance, style=asked))
        rows = (features(piece.score, 0, int(bar_map(piece.score).starts[-1])) for piece in new)
        return np.array([row for row in rows if row is not None]), new

    human = [(style, row) for style in known for row in excerpts(corpus, "test", style, bars, 100)]
    made = {s: with_styles([s], pieces // len(known), 20_000 + 1000 * i) for i, s in enumerate(known)}
    judged = [(style, judge(row)) for style, (rows, _) in made.items() for row in rows]
    yield {
        "control": "style", "guidance": guidance, "nats_a_note": surprise([p for _, new in made.values() for p in new]),
        "levels": len(known), "pieces": len(judged),
        "right": float(np.mean([a == b for a, b in judged])), "chance": 1 / len(known),
        "human_excerpts_right": float(np.mean([style == judge(row) for style, row in human])),
        "by_style": {s: float(np.mean([b == s for a, b in judged if a == s] or [0])) for s in known},
    }  # fmt: skip
    for number, (one, other) in enumerate(itertools.combinations(known, 2)):
        rows, new = with_styles([one, other], pieces // 4, 30_000 + 1000 * number)
        start, end = (((made[style][0] - mean) / spread).mean(axis=0) for style in (one, other))
        place = (((rows - mean) / spread).mean(axis=0) - start) @ (end - start) / ((end - start) ** 2).sum()
        yield {
            "control": f"styles {one} and {other}", "guidance": guidance, "nats_a_note": surprise(new),
            "pieces": len(rows), "right": float(np.mean([judge(row) in (one, other) for row in rows])), "chance": None,
            "between": round(float(place), 2),
        }  # fmt: skip


def main() -> None:
    """Write, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, help="the prepared corpus; else the model's own, in its training folder")
    parser.add_argument("--pieces", type=int, default=200)
    parser.add_argument("--bars", type=int, default=8)
    parser.add_argument("--guidance", type=float, nargs="+", default=[1.0, 2.0, 3.0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = toccata.load(options.model)
    untold = [found(model, piece.score) for piece in written(model, options.pieces, options.bars, 50_000)]
    rows = []

    def report(row: dict[str, Any]) -> None:
        rows.append(row)
        if not options.json:
            near = f", within one {row['within_one']:.0%}" if "within_one" in row else ""
            chance = "" if row["chance"] is None else f", by chance {row['chance']:.0%}"
            strength = f", guidance {row['guidance']:g}" if "guidance" in row else ""
            shown = ("nats_a_note", "mean_level_by_asked", "by_style", "human_excerpts_right", "between")
            more = {key: value for key, value in row.items() if key in shown}
            what = f"{row['control']}{strength}"
            print(f"{what:38} {row['pieces']} pieces: {row['right']:.0%} right{near}{chance}  {more}", flush=True)

    report(keys(model, options.pieces, options.bars, untold))
    corpus = options.corpus or options.model / "training" / "corpus"
    for guidance in options.guidance:
        for name in COUNTS:
            report(levels(model, name, options.pieces, options.bars, guidance, untold))
        report(bar_by_bar(model, options.pieces // 4, options.bars, guidance))
        if model.styles and corpus.exists():
            for row in styles(model, Corpus(corpus), options.pieces, options.bars, guidance):
                report(row)
    if options.json:
        json.dump({"rows": rows}, sys.stdout)
        print()


if __name__ == "__main__":
    main()
