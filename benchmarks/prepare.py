"""Files a second of `toccata prepare` beside a plain loop of symusic reading and MidiTok encoding over the same files.

Prepare reads in a guarded way, cleans, fingerprints, groups, splits and stores, on all processors; the loop does
none of that, on one. Peak memory is the main process's, in a process of its own, at two corpus sizes ten times apart.

    TOCCATA_DATA=... python benchmarks/prepare.py [--json] [--quick]
"""

from __future__ import annotations

import os

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.midi.clean import CleanOptions

FOLDERS = ("bach", "songs", "piano", "choir", "game")


def sample(data: Path, count: int) -> list[Path]:
    """``count`` files, the same ones each time, evenly from the folders."""
    found = sorted(p for name in FOLDERS for p in (data / name).rglob("*.mid"))
    return [found[i * len(found) // count] for i in range(min(count, len(found)))]


def laid_out(paths: list[Path], folder: Path) -> Path:
    """The files, copied into one folder."""
    folder.mkdir()
    for i, path in enumerate(paths):
        shutil.copy(path, folder / f"{i:05}.mid")
    return folder


def loop(folder: Path) -> int:
    """What one would write without toccata: read, encode, keep the ids. Returns the number of files that went well."""
    from miditok import REMI, TokenizerConfig
    from symusic import Score

    tokenizer = REMI(TokenizerConfig(use_programs=True, use_tempos=True, use_time_signatures=True))
    done = 0
    for path in sorted(folder.iterdir()):
        try:
            tokenizer.encode(Score(path))
            done += 1
        except Exception:  # whatever a file may hold: the loop goes on, as one's own would
            continue
    return done


def seconds(what: str, folder: Path, processes: int | None) -> tuple[float, int]:
    """How long it takes, and how many files went well."""
    before = time.perf_counter()
    if what == "loop":
        done = loop(folder)
    else:
        with tempfile.TemporaryDirectory() as out:
            about = prepare(folder, Path(out), processes=processes).about
            done = about["files"] - about["rejected"]
    return time.perf_counter() - before, done


def memory(folder: Path) -> int:
    """The most memory the main process of a prepare takes, in MB; Linux and macOS."""
    done = subprocess.run([sys.executable, __file__, "--peak", str(folder)], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1])


def peak_here(folder: Path) -> int:
    """What the process of :func:`memory` does."""
    with tempfile.TemporaryDirectory() as out:
        prepare(folder, Path(out), PrepareOptions(CleanOptions()))
    return high_water()


def high_water() -> int:
    """The most memory this process ever had, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says counts the program that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) // 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20  # macOS, in bytes


def measured(data: Path, files: int) -> dict[str, Any]:
    """All figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = sample(data, files)
        large = laid_out(paths, folder / "large")
        small = laid_out(paths[::10], folder / "small")
        seconds("prepare", small, None)  # what is imported once is not a file's time
        seconds("loop", small, None)
        prepared, ours = seconds("prepare", large, None)
        alone, _ = seconds("prepare", large, 1)
        looped, theirs = seconds("loop", large, None)
        return {
            "files": len(paths),
            "prepare_files_s": round(len(paths) / prepared, 1),
            "prepare_one_worker_files_s": round(len(paths) / alone, 1),
            "loop_files_s": round(len(paths) / looped, 1),
            "ratio": round(looped / prepared, 2),
            "prepared": ours,
            "encoded": theirs,
            "memory": [
                {"files": len(paths[::10]), "mb": memory(small)},
                {"files": len(paths), "mb": memory(large)},
            ],
        }


def main() -> None:
    """Print a table, or with ``--json`` one object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--quick", action="store_true", help="200 files instead of 1,000")
    parser.add_argument("--peak", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore")
    if chosen.peak:
        print(peak_here(chosen.peak))
        return
    data = Path(os.environ.get("TOCCATA_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not data.is_dir():
        parser.error(f"no folder of real MIDI at {data}: set TOCCATA_DATA")
    found = measured(data, 200 if chosen.quick else 1000)
    if chosen.json:
        print(json.dumps(found))
        return
    print(f"{found['files']} files                      files/s")
    print(f"toccata prepare                  {found['prepare_files_s']:>8}")
    print(f"toccata prepare, one worker      {found['prepare_one_worker_files_s']:>8}")
    print(f"loop of symusic and MidiTok      {found['loop_files_s']:>8}   (prepare is {found['ratio']} times as fast)")
    for row in found["memory"]:
        print(f"peak memory at {row['files']:>5} files        {row['mb']:>8} MB")


if __name__ == "__main__":
    main()
