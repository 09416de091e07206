"""Nats a note on unseen pieces: the recipes at equal training time on the same data, one after the other.

python benchmarks/likelihood.py [--data DIR] [--minutes 18] [--json] [RECIPE ...] [section.key=value ...]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import toccata
from toccata.measure.figures import with_interval


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="RECIPE|section.key=value")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("TOCCATA_DATA", "../shared/data")) / "bach" / "mutopia"
    )
    parser.add_argument("--minutes", type=float, default=18)
    parser.add_argument("--out", type=Path, help="keep the models here")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    recipes = [word for word in options.words if "=" not in word] or ["bach-gpt", "toccata"]
    settings = [word for word in options.words if "=" in word]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for recipe in recipes:
            out = (options.out or Path(temporary)) / recipe
            made = toccata.train(options.data, out, recipe=recipe, settings=settings, minutes=options.minutes)
            metrics, lineage = made.about["metrics"], made.about["lineage"]
            rows.append({"recipe": recipe, "minutes": lineage["minutes"], "tokens_seen": lineage["tokens"], **metrics})
            if not options.json:
                print(
                    f"{recipe:12} {lineage['minutes']:5.1f} min  {lineage['tokens'] / 1e6:6.2f}M tokens  "
                    f"{with_interval(metrics, 3)} on {metrics['pieces']} pieces, {metrics['notes']:,} notes",
                    flush=True,
                )
    if options.json:
        json.dump({"rows": rows}, sys.stdout)
        print()


if __name__ == "__main__":
    main()
