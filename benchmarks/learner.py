"""What a change to a recipe is worth: nats a note on unseen pieces, for several variants trained alike.

All variants learn from the same pieces, for as many minutes or steps, and are measured on the same held-out pieces
(those of the validation and the test split), so they are compared piece by piece: "of the first" is the difference
to the first variant, with an interval from pieces drawn anew.

    python benchmarks/learner.py [--data DIR] [--minutes 18 | --steps N] [--seeds 0 1] [--recipe toccata] [--out DIR]
        [--json] ["NAME: section.key=value ..." ...]

    python benchmarks/learner.py --minutes 2 "as it is:" "without: model.latest=false" "wide: model.width=256"
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import toccata
from toccata import api
from toccata.corpus.store import Corpus
from toccata.measure.likelihood import likelihood
from toccata.recipes import load

BEFORE_AND_NOW = (
    "before: tokenizer.scheme=REMI tokenizer.options.program_changes=true model.features=false model.intervals=false "
    "training.embedding_lr=1",
    "now:",
)
"""The recipe ``toccata`` as it was until tokens by change, features and intervals, and as it is."""
DRAWN = 2000
"""How often pieces are drawn anew for an interval."""


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*", default=BEFORE_AND_NOW, metavar="NAME: section.key=value ...")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("TOCCATA_DATA", "../shared/data")) / "bach" / "mutopia"
    )
    parser.add_argument("--recipe", default="toccata")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int, help="instead of minutes: for a machine that is not quiet")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path, help="keep the models here, and go on with what is there")
    parser.add_argument("--json", action="store_true", help="one JSON object for each training")
    options = parser.parse_args()
    if options.minutes is None and options.steps is None:
        options.minutes = 18.0
    with tempfile.TemporaryDirectory() as temporary:
        out = options.out or Path(temporary)
        corpus = api.prepare(options.data, out / "corpus", load(options.recipe).prepare_options())
        first: dict[int, list[tuple[float, int]]] = {}
        for variant in options.variants:
            name, _, settings = variant.partition(":")
            for seed in options.seeds:
                row, each = trained(options, corpus, out, name.strip(), shlex.split(settings), seed)
                reference = first.setdefault(seed, each)
                row["of_the_first"], row["of_the_first_ci95"] = compared(each, reference)
                print(json.dumps(row) if options.json else line(row), flush=True)


def trained(
    options: argparse.Namespace, corpus: Corpus, out: Path, name: str, settings: list[str], seed: int
) -> tuple[dict[str, Any], list[tuple[float, int]]]:
    """Train one variant with one seed: what came of it, and the nats and notes of each held-out piece."""
    length = [] if options.steps is None else [f"training.steps={options.steps}"]
    place = out / f"{name.replace(' ', '-')}-{seed}"
    made = toccata.train(
        corpus.folder,
        place,
        recipe=options.recipe,
        settings=[*length, *settings, f"training.seed={seed}"],
        minutes=options.minutes,
    )
    model = toccata.load(place, precision="fp32")
    numbers = [n for split in ("valid", "test") for n in corpus.numbers(split)]
    found = likelihood(model, (corpus.score(n) for n in numbers))
    lineage = made.about["lineage"]
    row = {
        "variant": name,
        "seed": seed,
        "parameters": model.config.parameters,
        "minutes": lineage["minutes"],
        "tokens": lineage["tokens"],
        "pieces": found.pieces,
        "notes": found.notes,
        "nats_per_note": round(found.nats_per_note, 4),
    }
    return row, list(found.each)


def compared(each: list[tuple[float, int]], first: list[tuple[float, int]]) -> tuple[float, tuple[float, float]]:
    """By what share of its nats a variant differs from the first, on the same pieces, with the middle 95 %."""
    nats, theirs = (np.array([n for n, _ in rows]) for rows in (each, first))
    drawn = np.random.default_rng(0).integers(0, len(nats), (DRAWN, len(nats)))
    low, high = np.quantile(nats[drawn].sum(1) / theirs[drawn].sum(1) - 1, [0.025, 0.975]).tolist()
    return round(float(nats.sum() / theirs.sum()) - 1, 4), (round(low, 4), round(high, 4))


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    low, high = row["of_the_first_ci95"]
    return (
        f"{row['variant']:24} seed {row['seed']}  {row['parameters'] / 1e6:5.2f}M  {row['minutes']:6.1f} min  "
        f"{row['tokens'] / 1e6:6.2f}M tokens  {row['nats_per_note']:.3f} nats a note on {row['pieces']} pieces  "
        f"{row['of_the_first']:+.1%} ({low:+.1%} to {high:+.1%})"
    )


if __name__ == "__main__":
    main()
