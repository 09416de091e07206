"""How much of the music a tokenizer keeps: decode(encode(piece)) against the piece, over every file of a folder.

A note is kept if there is one of the same pitch and program whose onset is within 1/12 of a quarter.

    python benchmarks/roundtrip.py [--data DIR] [--sample N] [--json] [SCHEME ...]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from symusic import Score, Track

from toccata.errors import MidiError
from toccata.measure.roundtrip import notes_kept
from toccata.midi.clean import CleanOptions, clean
from toccata.midi.facts import facts, seconds_at
from toccata.midi.pool import map_files
from toccata.midi.read import find_midi, read_score
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.events import SCHEMES, EventOptions
from toccata.tokenizers.load import build_tokenizer
from toccata.tokenizers.text import TextOptions

ALL = CleanOptions(min_notes=1)
PIANO = {"text": TextOptions()}
"""Tokenizers that play everything on one piano. Of them it is asked to keep what a piano can play of a piece: no drums,
and what two instruments play together in unison once.
"""


@dataclass(frozen=True)
class Found:
    """Of one file: for each scheme notes, notes kept, and how far the last onset moved, as a share of its second."""

    notes: dict[str, int]
    quantised: float
    kept: dict[str, int]
    drift: dict[str, float]
    tokens: dict[str, int]


class Trip:
    """Encode and decode one file with each scheme; runs in a worker process."""

    def __init__(self, schemes: tuple[str, ...]) -> None:
        self.schemes = schemes
        self.tokenizers: dict[str, Tokenizer] = {}

    def __call__(self, path: Path) -> Found:
        """Try one file."""
        score = clean(read_score(path), ALL)
        count, kept, drift, tokens = {}, {}, {}, {}
        for scheme in self.schemes:
            options = PIANO.get(scheme) or EventOptions(scheme)
            tokenizer = self.tokenizers.setdefault(scheme, build_tokenizer(options))
            asked = on_a_piano(score) if scheme in PIANO else score
            ids = tokenizer.encode(asked)
            again = tokenizer.decode(ids)
            count[scheme], kept[scheme], tokens[scheme] = asked.note_num(), notes_kept(asked, again), len(ids)
            ends = [float(seconds_at(s, np.array([last_onset(s)]))[0]) for s in (asked, again)]
            drift[scheme] = abs(ends[1] - ends[0]) / max(ends[0], 1.0)
        return Found(count, facts(score).quantised, kept, drift, tokens)


def on_a_piano(score: Score) -> Score:
    """What a piano can play of ``score``; of notes of one pitch that begin in the same twelfth of a quarter, one."""
    out = Score(score.ticks_per_quarter)
    out.tempos, out.time_signatures = score.tempos, score.time_signatures
    track = Track("", 0, False)
    keys = {}
    for note in (note for part in score.tracks if not part.is_drum for note in part.notes):
        keys.setdefault((round(note.time * 12 / score.ticks_per_quarter), note.pitch), note)
    track.notes.extend(keys.values())
    track.sort()
    out.tracks = [track] if keys else []
    return out


def last_onset(score: Score) -> int:
    """The tick of the last note's beginning."""
    return max((int(t.notes.numpy()["time"].max()) for t in score.tracks if len(t.notes)), default=0)


def main() -> None:
    """Print a table by folder, or with ``--json`` one object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "schemes", nargs="*", metavar="SCHEME", help=f"of {', '.join([*SCHEMES, *PIANO])}; all by default"
    )
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TOCCATA_DATA", "../shared/data")))
    parser.add_argument("--sample", type=int, default=0, help="this many files of each folder only")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.schemes = options.schemes or [*SCHEMES, *PIANO]
    files = find_midi(options.data)
    if options.sample:
        by_folder: dict[Path, list[Path]] = defaultdict(list)
        for path in files:
            by_folder[path.parent].append(path)
        files = [
            p for group in by_folder.values() for p in group[:: max(1, len(group) // options.sample)][: options.sample]
        ]
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    worst: dict[tuple[str, str], float] = defaultdict(float)
    exceptions = []
    for path, found in map_files(files, Trip(tuple(options.schemes)), timeout=300):
        folder = path.relative_to(options.data).parent.as_posix()
        if isinstance(found, MidiError):
            rows[folder]["unread"] += 1
            continue
        rows[folder].update({"files": 1, "notes": max(found.notes.values())})
        for scheme in options.schemes:
            rows[folder].update({scheme: found.kept[scheme], f"{scheme} asked": found.notes[scheme]})
            worst[folder, scheme] = max(worst[folder, scheme], found.drift[scheme])
            if found.kept[scheme] < 0.99 * found.notes[scheme]:
                share = found.kept[scheme] / found.notes[scheme]
                exceptions.append((folder, path.name, scheme, share, found.quantised))
    if options.json:
        json.dump({"folders": rows, "exceptions": exceptions}, sys.stdout)
        print()
        return
    print(
        f"{'folder':34}{'files':>6}{'notes':>10}"
        + "".join(f"{s:>12}" for s in options.schemes)
        + "   largest drift of the last onset"
    )
    for folder in sorted(rows):
        row = rows[folder]
        shares = "".join(f"{row[s] / max(1, row[f'{s} asked']):12.4f}" for s in options.schemes)
        drifts = ", ".join(f"{s} {worst[folder, s]:.1%}" for s in options.schemes)
        print(f"{folder:34}{row['files']:6}{row['notes']:10,}{shares}   {drifts}")
    print(
        f"\n{len(exceptions)} of {sum(r['files'] for r in rows.values()) * len(options.schemes)} round trips keep less "
        f"than 0.99:"
    )
    for folder, name, scheme, share, quantised in sorted(exceptions, key=lambda e: e[3])[:40]:
        print(f"  {share:.3f}  {scheme:10} {folder}/{name}  (on the grid: {quantised:.2f})")


if __name__ == "__main__":
    main()
