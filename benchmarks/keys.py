"""Which key a piece is in: our profile beside that of Krumhansl and Kessler, against what the files' signatures say.

Files that have one key signature, with its mode, other than C major (which many programs write where nobody said any).

    python benchmarks/keys.py [--data DIR] [--json] [FOLDER ...]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import mido
import numpy as np
from numpy.typing import NDArray

from toccata.errors import MidiError
from toccata.midi.keys import Key, estimate, weights
from toccata.midi.read import find_midi, read_score

KRUMHANSL = (
    (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
)
"""How well each note was found to fit a key (Krumhansl and Kessler 1982)."""
FOLDERS = ("bach/mutopia", "choir", "piano/chopin_first_editions", "piano/keyboard")


def by_krumhansl(found: NDArray[np.float64]) -> Key:
    """The same by the older profile."""
    best = max(
        (float(np.corrcoef(np.roll(KRUMHANSL[minor], tonic), found)[0, 1]), tonic, minor)
        for tonic in range(12)
        for minor in range(2)
    )
    return Key(best[1], bool(best[2]))


def signature(path: Path) -> Key | None:
    """What a file's one key signature says; None: nothing, or several things, or C major."""
    try:
        said = {m.key for track in mido.MidiFile(path, clip=True).tracks for m in track if m.type == "key_signature"}
    except (OSError, ValueError, EOFError, KeyError):
        return None
    if len(said) != 1 or said == {"C"}:
        return None
    return Key.read(said.pop())


def main() -> None:
    """Estimate, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", metavar="FOLDER")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TOCCATA_DATA", "../shared/data")))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    pairs: list[tuple[Key, NDArray[np.float64]]] = []
    for folder in options.folders or FOLDERS:
        for path in find_midi(options.data / folder):
            key = signature(path)
            try:
                if key is not None:
                    pairs.append((key, weights(read_score(path))))
            except MidiError:
                continue
    rows: list[dict[str, Any]] = []
    for name, judge in (("ours", estimate), ("krumhansl", by_krumhansl)):
        found = [(key, judge(histogram)) for key, histogram in pairs]
        right = [a == b for a, b in found]
        relative = [a.minor != b.minor and (a.tonic + (3 if a.minor else 9)) % 12 == b.tonic for a, b in found]
        parallel = [a.minor != b.minor and a.tonic == b.tonic for a, b in found]
        row = {"profile": name, "files": len(pairs), "right": np.mean(right)}
        row |= {"or_relative": np.mean(right) + np.mean(relative), "or_parallel": np.mean(right) + np.mean(relative)
                + np.mean(parallel)}  # fmt: skip
        rows.append({key: value if isinstance(value, str | int) else float(value) for key, value in row.items()})
        if not options.json:
            print(f"{name:10} {len(pairs)} files: {row['right']:.1%} right", end=", ")
            print(f"{row['or_relative']:.1%} or relative, {row['or_parallel']:.1%} or parallel")
    if options.json:
        json.dump({"rows": rows}, sys.stdout)
        print()


if __name__ == "__main__":
    main()
