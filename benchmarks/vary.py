"""Variations of real music: whether what is kept is kept, as mido reads it.

``vary`` of four bars in 40 real pieces, sequenced and played, with everything open that may change: in how many the
rhythm is as it was (every event at its tick, every note as long and as loud), in how many nothing but pitches inside
the bars changed, in how many each track's top line moves as it did (``--keep contour``), and how many notes moved.

    python benchmarks/vary.py --model DIR [--data DIR] [--files 40] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import toccata
from toccata.errors import ToccataError
from toccata.midi.bars import bar_map
from toccata.midi.read import find_midi, read_score
from toccata.midi.replace import Hole
from toccata.musicmodel import Model

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from outside import read, untouched_outside  # an independent reader, mido, which the tests use too
from test_vary import changed, contour, rhythm

BARS = 4
FOLDERS = ("quartets", "songs", "game", "choir", "orchestra", "piano", "bach")


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("TOCCATA_DATA", "../shared/data"))
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = varied(toccata.load(options.model), options.data, options.files)
    print(json.dumps(found) if options.json else "\n".join(f"{key:24} {value}" for key, value in found.items()))


def varied(model: Model, data: Path, count: int) -> dict[str, Any]:
    """Vary bars of real pieces, and look at what was to be kept."""
    folders = [find_midi(data / folder) for folder in FOLDERS if (data / folder).is_dir()]
    paths = [paths[number * len(paths) // count] for number in range(count) for paths in folders]
    found = dict.fromkeys(("files", "rhythm", "untouched", "contour", "moved", "notes"), 0)
    began = time.perf_counter()
    for number, path in enumerate(paths):
        if found["files"] == count:
            break
        midi = path.read_bytes()
        try:
            bars = bar_map(read_score(path))
            first = 1 + number % max(1, len(bars) - BARS)
            asked = [(first, min(len(bars), first + BARS - 1))]
            (free,) = model.vary(path, keep="rhythm", strength=1, bars=asked, n=1, seed=number)
            (bound,) = model.vary(path, keep="contour", strength=1, bars=asked, n=1, seed=number)
        except ToccataError as error:  # nothing there, or a file that cannot be read
            print(f"{path.name}: {error.message}", file=sys.stderr)
            continue
        hole = Hole(int(bars.starts[asked[0][0] - 1]), int(bars.starts[asked[0][1]]) + (asked[0][1] == len(bars)))
        found["files"] += 1
        found["rhythm"] += rhythm(free.midi) == rhythm(midi) == rhythm(bound.midi)
        own = untouched_outside(midi, midi, [hole])  # keys that the song itself strikes twice at once
        found["untouched"] += len(untouched_outside(midi, free.midi, [hole])) <= len(own)
        found["contour"] += contour(bound.midi, read(midi).ticks) == contour(midi, read(midi).ticks)
        found["moved"] += len(changed(midi, free.midi))
        found["notes"] += int(free.origin["notes"])
    return found | {"seconds_a_file": round((time.perf_counter() - began) / max(1, found["files"]) / 2, 2)}


if __name__ == "__main__":
    main()
