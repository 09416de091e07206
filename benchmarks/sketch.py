"""What thinning the index of a model's training pieces costs: bytes, and which planted copies are still found.

A prepared corpus is indexed in full, and as sketches (``toccata.measure.sketch``) with a passage for each M notes. Of
each sketch: its bytes, as they are and compressed as in a wheel; milliseconds to open it; what it finds in held-out
pieces (64 bars of each), and how often the full index finds there at least as many notes; and of passages of N notes
from training pieces, planted in held-out pieces in another key and tempo on another instrument, the share that is
found: some passage is said to be known in the bars where it was planted, and one on either side. Beside it, the share
where it is said to be longer than what is found in nine of ten held-out pieces.

    python benchmarks/sketch.py [--json] [--every M ...] [--lengths NOTES ...] [--tries N] CORPUS

CORPUS is a folder that `toccata prepare` made.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from symusic import Score

from originality import opening, planted, taken
from toccata.corpus.store import Corpus
from toccata.measure.lines import pitched
from toccata.measure.originality import build_index, build_sketch, normals_of, originality
from toccata.measure.passages import Index
from toccata.measure.sketch import NOTES, Sketch
from toccata.midi.bars import bar_map

LENGTHS = (16, 24, 36, 48, 64, 96)
EVERY = (16, 20, 24)
DRESSES = ("melody, another key, tempo and instrument", "chords, another key, tempo and instrument")
HOSTS = 100


def sizes(sketch: Sketch, work: Path) -> dict[str, float]:
    """The bytes of a sketch, raw and compressed, and how long it takes to open."""
    path = work / "sketch.idx"
    sketch.save(path)
    spent = []
    for _ in range(5):
        begun = time.process_time()
        Sketch.load(path)
        spent.append(time.process_time() - begun)
    raw = path.read_bytes()
    return {"passages": len(sketch), "bytes": len(raw), "zlib": len(zlib.compress(raw, 9)), "open_ms": 1e3 * min(spent)}


def false_alarms(known: Index | Sketch, hosts: list[Score], full: list[int]) -> dict[str, float]:
    """What is found in pieces that are no training pieces: shares of them, and of those, of which it is true."""
    found = [originality(host, known).notes for host in hosts]
    true = [notes <= there for notes, there in zip(found, full, strict=True) if notes]
    shares = {f"held_out_{n}": float(np.mean(np.array(found) >= n)) for n in (NOTES, 24, 36)}
    return {**shares, "confirmed": float(np.mean(true)) if true else 1.0}


def copies(corpus: Corpus, hosts: list[Score], dress: str, count: int, tries: int) -> list[tuple[str, Score, int, int]]:
    """Pieces with a planted passage: the path of the training piece, the piece, and between which ticks to look."""
    rng, out = random.Random(f"{dress} {count}"), []
    for number in range(tries):
        path, source, copy = taken(corpus, rng, count, "chords" in dress)
        score, bars = planted(hosts[number % len(hosts)], copy, source.ticks_per_quarter, dress, rng)
        starts = bar_map(score).starts
        ends = starts[max(0, bars[0] - 2)], starts[min(len(starts) - 1, bars[-1] + 1)]
        out.append((path, score, int(ends[0]), int(ends[1])))
    return out


def found_of(known: Index | Sketch, made: list[tuple[str, Score, int, int]], usual: int) -> dict[str, float]:
    """The share of planted passages that is found, in the right file, and at a length that is not usual."""
    said = [(path, originality(score, known, since=since, until=until)) for path, score, since, until in made]
    return {
        "found": float(np.mean([each.notes >= NOTES for _, each in said])),
        "right_file": float(np.mean([each.path == path for path, each in said])),
        "unusual": float(np.mean([each.notes > usual for _, each in said])),
        "notes": float(np.median([each.notes for _, each in said])),
    }


def measure(corpus: Corpus, every: list[int], tries: int, lengths: list[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The corpus, the full index and each sketch, as soon as it is measured."""
    others = sorted([*corpus.split("valid"), *corpus.split("test")])
    hosts = [opening(corpus.score(i)) for i in others[:: max(1, len(others) // HOSTS)]]
    hosts = [host for host in hosts if len(pitched(host)) >= 100]
    index = build_index(corpus)
    yield "corpus", {"notes": index.about["notes"], "pieces": len(index.paths), "held_out": len(hosts)}
    full = [originality(host, index).notes for host in hosts]
    made = {(dress, n): copies(corpus, hosts, dress, n, tries) for dress in DRESSES for n in lengths}
    with tempfile.TemporaryDirectory() as work:
        for m in (0, *every):
            known: Index | Sketch = build_sketch(corpus, every=m) if m else index
            row: dict[str, Any] = sizes(known, Path(work)) if isinstance(known, Sketch) else {"bytes": index.nbytes}
            usual = normals_of(known)[-1]
            row |= {"normal": asdict(usual)} | false_alarms(known, hosts, full)
            row["planted"] = {
                dress: {str(n): found_of(known, made[dress, n], usual.notes_90) for n in lengths} for dress in DRESSES
            }
            yield f"one in {m}" if m else "full index", row


def table(name: str, row: dict[str, Any]) -> str:
    """A row of the result as text."""
    said = [f"{name}: " + ", ".join(f"{k} {v:,.5g}" for k, v in row.items() if not isinstance(v, dict))]
    said += [f"  normal {row['normal']}"] if "normal" in row else []
    for dress, found in row.get("planted", {}).items():
        said.append(f"  {dress}; notes: found / right file / longer than usual, % (notes in the middle)")
        cells = (
            f"{n}: {100 * f['found']:.0f}/{100 * f['right_file']:.0f}/{100 * f['unusual']:.0f} ({f['notes']:.0f})"
            for n, f in found.items()
        )
        said.append("    " + "  ".join(cells))
    return "\n".join(said)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path, metavar="CORPUS")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each row")
    parser.add_argument("--every", type=int, nargs="*", default=list(EVERY), metavar="M")
    parser.add_argument("--lengths", type=int, nargs="*", default=list(LENGTHS), metavar="NOTES", help="of the copies")
    parser.add_argument("--tries", type=int, default=200, metavar="N", help="copies of each length")
    given = parser.parse_args()
    for name, row in measure(Corpus(given.corpus), given.every, given.tries, given.lengths):
        print(json.dumps({name: row}) if given.json else table(name, row), flush=True)


if __name__ == "__main__":
    main()
