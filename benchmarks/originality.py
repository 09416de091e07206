"""The index of what a model was trained on: its size, its speed, what is normal, and which planted copies it finds.

For each folder: a corpus is prepared, its training pieces are indexed (seconds, peak memory, bytes a note), pieces of
64 bars that are not among them are looked up (seconds), and what is found there is what is normal. Then passages of N
notes from training pieces are planted in held-out pieces, in several dresses. One is found if the longest passage that
is said to be copied in the bars where it was planted, and one on either side, has three quarters of its notes at least;
beside it, how many held-out pieces have somewhere a passage of N notes in common with the training pieces as they are.

    TOCCATA_DATA=... python benchmarks/originality.py [--json] [--quick] [FOLDER ...]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from symusic import Note, Score, Track

from toccata.corpus.prepare import prepare
from toccata.corpus.store import Corpus
from toccata.measure.follower import Matcher
from toccata.measure.lines import Line, Notes, lines, pitched
from toccata.measure.originality import BARS, build_index, normal, originality
from toccata.measure.passages import Index
from toccata.midi.bars import bar_map
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.events import EventOptions
from toccata.tokenizers.load import build_tokenizer

LENGTHS = (12, 16, 24, 32)
DRESSES = (
    "melody, as it is",
    "melody, another key, tempo and instrument",
    "melody, another key, tempo and instrument, while other music goes on",
    "melody, another key and tempo, over other notes on its own track",
    "chords, another key, tempo and instrument",
    "melody, another key and instrument, written in REMI tokens",
)
STRETCHES = (0.5, 0.75, 1.5, 2.0)
Copy = list[tuple[int, int, int]]
"""Onset and length in ticks, from 0, and pitch."""


def peak() -> int:
    """Peak memory of this process until now, in MB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(size / (2**20 if sys.platform == "darwin" else 2**10))


def opening(score: Score) -> Score:
    """The first ``BARS`` bars of a piece."""
    starts = bar_map(score).starts
    out: Score = score.clip(0, int(starts[min(BARS, len(starts) - 1)]))
    return out


def taken(corpus: Corpus, rng: random.Random, count: int, chords: bool) -> tuple[str, Score, Copy]:
    """A passage of ``count`` notes of a training piece."""
    while True:
        number = rng.choice(corpus.split("train"))
        score = corpus.score(number)
        notes = pitched(score)
        if found := [line for line in lines(notes, score.ticks_per_quarter) if fits(line, notes, count, chords)]:
            line = rng.choice(found)
            begin = rng.randrange(len(line.notes) - count)
            rows = line.notes[begin : begin + count]
            first = int(notes.time[rows].min())
            columns = (notes.time[rows] - first, notes.end[rows] - notes.time[rows], notes.pitch[rows])
            return corpus.pieces[number].path, score, list(zip(*(c.tolist() for c in columns), strict=True))


def fits(line: Line, notes: Notes, count: int, chords: bool) -> bool:
    """Whether a line is long enough, and is chords, or is none."""
    is_chords = bool((line.symbols[1:, 0] == 0).mean() > 0.2) if len(line.notes) > count else False
    return len(line.notes) > count and is_chords == chords


def planted(host: Score, copy: Copy, tpq: int, dress: str, rng: random.Random) -> tuple[Score, range]:
    """A piece with the copy in its middle, in a dress, and the bars in which it is, from 1."""
    scale = host.ticks_per_quarter / tpq * (rng.choice(STRETCHES) if "tempo" in dress else 1)
    by = 0 if "as it is" in dress else rng.choice([-5, -4, -3, -2, 2, 3, 4, 5])
    starts = bar_map(host).starts
    at = int(starts[len(starts) // 2])
    moved = [(at + round(o * scale), max(1, round(n * scale)), min(127, max(0, p + by))) for o, n, p in copy]
    end = max(o + n for o, n, _ in moved)
    goes_on = "goes on" in dress
    out = host.copy()
    used = {track.program for track in out.tracks if not track.is_drum}
    if not goes_on:
        for track in out.tracks:
            for note in track.notes:
                note.time += (end - at) * (note.time >= at)
    program = min(used) if used and "as it is" in dress else rng.choice(sorted(set(range(128)) - used))
    track = Track("", program, False)
    if "its own track" in dress:
        moved += [(o, n, max(0, p - rng.choice([12, 15, 16, 19, 24]))) for o, n, p in moved[::2]]
    for onset, length, pitch in sorted(moved):
        track.notes.append(Note(onset, length, pitch, 80))
    out.tracks.append(track)
    bars = bar_map(out)
    return out, range(bars.at(at) + 1, bars.at(end) + 2)


def found_of(
    index: Index, corpus: Corpus, hosts: list[Score], dress: str, count: int, tries: int, tokenizer: Tokenizer
) -> dict[str, float]:
    """Of copies planted in ``hosts``, the share that is found, and the share that is found in the right file."""
    rng = random.Random(f"{dress} {count}")
    found = right = 0
    for number in range(tries):
        path, source, copy = taken(corpus, rng, count, "chords" in dress)
        score, bars = planted(hosts[number % len(hosts)], copy, source.ticks_per_quarter, dress, rng)
        if "REMI" in dress:
            score = tokenizer.decode(tokenizer.encode(score).ids)
        starts = bar_map(score).starts
        since, until = starts[max(0, bars[0] - 2)], starts[min(len(starts) - 1, bars[-1] + 1)]
        said = originality(score, index, since=int(since), until=int(until))
        hit = said.notes >= 0.75 * count
        found += hit
        right += hit and said.path == path
    return {"found": found / tries, "right_file": right / tries}


def measure(source: Path, work: Path, quick: bool) -> dict[str, Any]:
    """Everything, of one folder."""
    corpus = prepare(source, work / "corpus")
    before, wall, cpu = peak(), time.perf_counter(), time.process_time()
    index = build_index(corpus, held_out=0)
    out: dict[str, Any] = {"notes": index.about["notes"], "pieces": len(index.paths)}
    out |= {"build_s": time.perf_counter() - wall, "build_cpu_s": time.process_time() - cpu}
    out |= {"peak_mb": peak(), "peak_mb_before": before}
    path = work / "originality.bin"
    index.save(path)
    out["bytes_per_note"] = path.stat().st_size / index.about["notes"]
    wall = time.perf_counter()
    index = Index.load(path)
    out["load_s"] = time.perf_counter() - wall
    others = sorted([*corpus.split("valid"), *corpus.split("test")])
    hosts = [opening(corpus.score(i)) for i in others[:: max(1, len(others) // (20 if quick else 100))]]
    hosts = [host for host in hosts if len(pitched(host)) >= 100]
    times, lengths = [], []
    for host in hosts:
        wall, cpu = time.perf_counter(), time.process_time()
        lengths.append(originality(host, index).notes)
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    for kind, values in zip(("", "_cpu"), np.array(times).T, strict=True):
        for word, share in (("median", 0.5), ("90", 0.9), ("most", 1.0)):
            out[f"lookup{kind}_s_{word}"] = float(np.quantile(values, share))
    out["lookup_notes"] = float(np.median([len(pitched(host)) for host in hosts]))
    out["matcher_us_a_note"] = matcher_speed(index, hosts)
    out["normal"] = asdict(normal(index, hosts))
    styles: dict[str, list[int]] = {}
    for number in others:
        styles.setdefault(corpus.pieces[number].style, []).append(number)
    out["normal_by_folder"] = {
        style: asdict(normal(index, (corpus.score(i) for i in numbers[:: max(1, len(numbers) // 30)])))
        for style, numbers in styles.items()
    }
    out["held_out_with"] = {str(n): float(np.mean(np.array(lengths) >= n)) for n in LENGTHS}
    tokenizer = build_tokenizer(EventOptions("REMI"))
    tries = 10 if quick else 60
    out["tries"] = tries
    out["planted"] = {
        dress: {str(n): found_of(index, corpus, hosts, dress, n, tries, tokenizer) for n in LENGTHS}
        for dress in DRESSES
    }
    return out


def matcher_speed(index: Index, hosts: list[Score]) -> float:
    """Microseconds that a `Matcher` takes for each note that it reads."""
    spent, count = 0.0, 0
    for host in hosts[:20]:
        notes = pitched(host)
        at: dict[int, list[tuple[int, int, int]]] = {}
        for onset, end, pitch, program in zip(notes.time, notes.end, notes.pitch, notes.program, strict=True):
            at.setdefault(int(onset), []).append((int(program), int(pitch), int(end - onset)))
        matcher = Matcher(index)
        begun = time.process_time()
        for onset in sorted(at):
            matcher.push(onset, at[onset])
        spent += time.process_time() - begun
        count += len(notes)
    return 1e6 * spent / max(1, count)


def table(name: str, result: dict[str, Any]) -> str:
    """A result as text."""
    said = [f"{name}: {result['pieces']:,} pieces, {result['notes']:,} notes"]
    said += [f"  {key}: {value:,.4g}" for key, value in result.items() if isinstance(value, float)]
    said += [f"  peak {result['peak_mb']} MB ({result['peak_mb_before']} MB before)", f"  normal {result['normal']}"]
    said += [f"    {style or 'all':24} {found}" for style, found in result["normal_by_folder"].items()]
    said += [f"  {'notes':68} " + " ".join(f"{n:>9}" for n in LENGTHS)]
    said += [
        f"  {'held-out pieces that have such a passage':68} "
        + " ".join(f"{v:9.0%}" for v in result["held_out_with"].values())
    ]
    for dress, found in result["planted"].items():
        said += [f"  {dress:68} " + " ".join(f"{v['found']:>4.0%}/{v['right_file']:>4.0%}" for v in found.values())]
    return "\n".join(said)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help="below the data; by default bach/mutopia and all")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="Bach alone, and fewer copies")
    given = parser.parse_args()
    data = Path(os.environ.get("TOCCATA_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not data.is_dir():
        sys.exit(f"no folder of real MIDI at {data}: set TOCCATA_DATA")
    results = {}
    for name in given.folders or (["bach/mutopia"] if given.quick else ["bach/mutopia", "."]):
        with tempfile.TemporaryDirectory() as work:
            results[name] = measure(data / name, Path(work), given.quick)
        if not given.json:
            print(table(name, results[name]), flush=True)
    if given.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
