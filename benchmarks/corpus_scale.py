"""What `toccata prepare`, an opened corpus and a process that makes training examples take as a corpus grows.

For each size so many small random pieces (three bars to a dozen, in folders; one in ten a copy of another one, one in
ten a part of another one in another key, one in a hundred no MIDI at all) are written to a temporary folder, the same
ones each time. Each measurement is made in a process of its own: seconds, and the most memory that was resident in it.
Pages of files that are mapped into memory are shared by all processes, and count in `peak`; `own` is without them.

With --known there are no files: a journal is written as reading them would have left it, with random hashes, and
`first` is what follows (duplicates, relatives, split, index). Reading takes the same for each file however many there
are, in other processes. All pieces have the same few bytes.

    python benchmarks/corpus_scale.py [--pieces 20000 200000] [--known] [--processes N] [--json] [--quick]
"""

from __future__ import annotations

import os

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import argparse
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

SIZES, QUICK = (20_000, 200_000), (300, 3_000)
FOLDERS = 500
EXAMPLES = 200


HASHES = 60, 200
"""Passages and constellations of a piece whose file is not read."""


def varint(value: int) -> bytes:
    """A delta time as MIDI writes it."""
    out = bytes([value & 127])
    while value := value >> 7:
        out = bytes([value & 127 | 128]) + out
    return out


def tune(seed: int) -> list[tuple[int, int]]:
    """A random melody: of each note its length in ticks and its pitch."""
    rng, pitch = random.Random(seed), 60
    notes = []
    for _ in range(rng.randint(30, 110)):
        pitch = min(max(pitch + rng.choice((-7, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 7)), 40), 90)
        notes.append((rng.choice((120, 240, 240, 480)), pitch))
    return notes


def midi(notes: list[tuple[int, int]]) -> bytes:
    """Notes, one after the other, as a file of type 0."""
    track = b"".join(
        b"\0" + bytes([0x90, pitch, 80]) + varint(length) + bytes([0x80, pitch, 0]) for length, pitch in notes
    )
    track += b"\0\xff\x2f\0"
    head = b"MThd" + (6).to_bytes(4, "big") + b"\0\0\0\1" + (480).to_bytes(2, "big")
    return head + b"MTrk" + len(track).to_bytes(4, "big") + track


def piece(number: int) -> bytes:
    """File ``number``."""
    kind, other = number % 100, number - 50
    if kind == 99:
        return b"no music"
    if kind >= 90:  # the same music in another key
        return midi([(length, pitch + 2) for length, pitch in tune(other)])
    if kind >= 80:  # a part of it
        notes = tune(other)
        return midi([(length, pitch - 3) for length, pitch in notes[: max(28, 3 * len(notes) // 4)]])
    return midi(tune(number))


def written(folder: Path, count: int) -> None:
    """``count`` files in folders."""
    for number in range(count):
        place = folder / f"style{number % 7}" / f"{number % FOLDERS:03d}"
        if number < 7 * FOLDERS:
            place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:07d}.mid").write_bytes(piece(number))


def known(out: Path, count: int) -> None:
    """Write the journal of files that are not there; with copies and relatives as `piece` has them."""
    import numpy as np
    from symusic import Score

    from toccata.corpus.journal import Journal
    from toccata.corpus.prepare import PrepareOptions, begin
    from toccata.corpus.records import Read

    out.mkdir()
    begin(out, "nowhere", PrepareOptions())
    data = Score.from_midi(piece(0)).dumps_midi()
    with Journal(out) as journal:
        for number in range(count):
            name, stamp = f"style{number % 7}/{number % FOLDERS:03d}/{number:07d}.mid", (1000, number)
            if number % 100 == 99:
                journal.add(name, stamp, "is no MIDI file")
                continue
            rng = np.random.default_rng(number if number % 100 < 80 else number - 50)
            content, steps = rng.integers(0, 2**63, 2).tolist()
            passages, sketch = (np.sort(rng.integers(0, 2**63, size, dtype=np.uint64)) for size in HASHES)
            if 80 <= number % 100 < 90:
                content, passages, sketch = content + 1, passages[:40], sketch[:150]
            sketch <<= np.uint64(1)
            journal.add(name, stamp, Read(content, steps, 70, 9, 30.0, data, passages, sketch))


def finished(out: Path) -> None:
    """What `prepare` does once all files are known."""
    import numpy as np

    from toccata.corpus.finish import finish
    from toccata.corpus.journal import Journal
    from toccata.corpus.prepare import PrepareOptions, begin
    from toccata.corpus.records import marks_of, shards
    from toccata.corpus.store import JOURNAL

    options = PrepareOptions()
    vouched = {JOURNAL, *(path.name for path in (*marks_of(out).values(), *shards(out).values()))}
    journal = Journal(out, vouched)
    rows = journal.compact(np.arange(len(journal.records)))
    finish(out, begin(out, "nowhere", options), journal, rows, (options.valid, options.test))


def memory() -> dict[str, float]:
    """The most resident memory so far, and what this process has for itself alone now, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    own = next((int(line.split()[1]) / 2**10 for line in lines if line.startswith("RssAnon")), float("nan"))
    return {"peak_mb": round(peak), "own_mb": round(own)}


def timed(work: Callable[[], object]) -> dict[str, float]:
    """What it takes."""
    before = time.perf_counter()
    work()
    return {"seconds": round(time.perf_counter() - before, 2), **memory()}


def measure(what: str, music: Path, out: Path, processes: int | None) -> dict[str, float]:
    """One measurement, in this process."""
    from toccata.corpus.prepare import prepare
    from toccata.corpus.store import Corpus

    if what == "known":
        return timed(lambda: known(out, int(music.name)))
    if what == "finish":
        return timed(lambda: finished(out))
    if what == "prepare":
        return timed(lambda: prepare(music, out, processes=processes))
    if what == "open":
        return timed(lambda: Corpus(out))
    if what == "verify":
        return timed(lambda: Corpus(out).verify())
    if what == "nothing":  # what Python and the libraries take
        return memory()
    from toccata.corpus.examples import ExampleOptions, Examples
    from toccata.tokenizers.load import build_tokenizer
    from toccata.tokenizers.options import EventOptions

    # As a worker gets them, and nothing else of the process that opened the corpus.
    state = out.parent / "examples.state"
    if what == "send":
        examples = Examples(Corpus(out), build_tokenizer(EventOptions()), "train", 512, ExampleOptions())
        state.write_bytes(ForkingPickler.dumps(examples))
        return {"bytes": state.stat().st_size}
    examples = ForkingPickler.loads(state.read_bytes())
    return timed(lambda: [examples.row(number) for number in range(EXAMPLES)])


def measured(count: int, processes: int | None, place: Path, unread: bool) -> dict[str, Any]:
    """All of one size."""
    music, out = place / "music", place / "corpus"
    before = time.perf_counter()
    if unread:
        music = place / str(count)
    else:
        written(music, count)
    found: dict[str, Any] = {"pieces": count, "writing_seconds": round(time.perf_counter() - before, 1)}

    def in_process(what: str) -> dict[str, Any]:
        command = [sys.executable, __file__, "--measure", what, str(music), str(out), "--processes", str(processes)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said

    found["nothing"] = in_process("nothing")
    if unread:
        found["known"] = in_process("known")
    steps = (
        ("first", "finish" if unread else "prepare"),
        ("unchanged", "prepare"),
        ("open", "open"),
        ("verify", "verify"),
    )
    for name, what in steps:
        if name != "unchanged" or not unread:
            found[name] = in_process(what)
    if not unread:
        for number in range(count, count + 10):
            (music / "style0" / f"new{number}.mid").write_bytes(midi(tune(number)))
        found["ten_more"] = in_process("prepare")
    found["sent"] = in_process("send")
    found["worker"] = in_process("work")
    files = {kind: sum(path.stat().st_size for path in out.glob(f"{kind}*")) for kind in ("shard", "marks", "index")}
    found["disk_mb"] = {kind: round(size / 2**20, 1) for kind, size in files.items()}
    about = json.loads((out / "corpus.json").read_text())
    found["corpus"] = {name: about[name] for name in ("files", "pieces", "notes", "rejected", "duplicates")}
    return found


def show(found: dict[str, Any]) -> None:
    """The figures of one size, for people."""
    print(f"{found['pieces']:,} files: {found['corpus']['pieces']:,} pieces, {found['corpus']['notes']:,} notes")
    for name in ("nothing", "first", "unchanged", "ten_more", "open", "verify", "worker"):
        if (row := found.get(name)) is not None:
            print(f"  {name:10} {row.get('seconds', 0):9.2f} s  peak {row['peak_mb']:6,} MB  own {row['own_mb']:6,} MB")
    print(f"  sent to a worker {found['sent']['bytes']:,} bytes; on disk, MB: {found['disk_mb']}", flush=True)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", type=int, nargs="+", default=SIZES)
    parser.add_argument("--processes", type=lambda text: None if text == "None" else int(text))
    parser.add_argument("--known", action="store_true", help="Do not read the files.")
    parser.add_argument("--quick", action="store_true", help="Few pieces: to see whether it runs.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, help="Where the temporary folders go.")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure is not None:
        what, music, out = given.measure
        print(json.dumps(measure(what, Path(music), Path(out), given.processes)))
        return
    rows = []
    for count in QUICK if given.quick else given.pieces:
        place = Path(tempfile.mkdtemp(dir=given.folder))
        try:
            rows.append(measured(count, given.processes, place, given.known))
        finally:
            shutil.rmtree(place)
        if not given.json:
            show(rows[-1])
    if given.json:
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
