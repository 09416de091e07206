"""What constraints cost: ids a second with and without them, one after the other, round after round, in one run.

The grammar is always there. The same number of bars is asked for each time; what counts is the time for an id, so that
constraints that make pieces shorter gain nothing by it.

    python benchmarks/constraints.py --model DIR [--rounds 5] [--bars 16] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import toccata

KINDS: dict[str, dict[str, Any]] = {
    "the grammar alone": {},
    "without guards": {"sampling": toccata.Sampling(guards=False)},
    "key": {"key": "C major"},
    "chords": {"chords": "Dm7 | G7 | Cmaj7 | %"},
    "chords and key": {"chords": "Dm7 | G7 | Cmaj7 | %", "key": "C major"},
    "ending": {"end": True},
    "instruments and key": {"programs": (0, 40, 42), "key": "G major"},
}
LEARNED: dict[str, dict[str, Any]] = {"controls": {"controls": {"density": 4, "register": 5}}}


def main() -> None:
    """Write, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = toccata.load(options.model)
    kinds = {**KINDS, **(LEARNED if model.has_learned("controls") else {})}
    rows = []
    for batch in (1, 8):
        speeds: dict[str, list[float]] = {name: [] for name in kinds}
        for turn in range(options.rounds + 1):
            for name, wishes in kinds.items():
                began = time.process_time()
                model.generate(n=batch, bars=options.bars, seed=100 * turn, meter=(4, 4), **wishes)
                if turn:  # the first warms up
                    speeds[name].append(model.stats.tokens / (time.process_time() - began))
        plain = sorted(speeds["the grammar alone"])[options.rounds // 2]
        for name, found in speeds.items():
            middle = sorted(found)[options.rounds // 2]
            rows.append(
                {"batch": batch, "constraint": name, "ids_per_second": round(middle), "cost": 1 - middle / plain}
            )
            if not options.json:
                print(
                    f"batch {batch}  {name:22} {middle:7,.0f} ids a processor second  {1 - middle / plain:6.1%} slower"
                )
    if options.json:
        json.dump({"rows": rows}, sys.stdout)
        print()


if __name__ == "__main__":
    main()
