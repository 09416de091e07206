"""How quickly the studio answers: from the command to a usable page, from a click to an idea's first notes, to sound.

    python benchmarks/studio.py [--times 20] [--json]

A real `toccata studio` with the bundled model, in a library of its own, and a Chromium that is driven as a musician
would: a range dragged in the ruler, then a key. First notes are measured in the page, from the key to the frame in
which the idea's first note is there; sound by the page itself, from a touched key to the first sample above silence at
the output. It needs what the browser's tests need (see tests/studio/roll_page.py).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from symusic import Note, Score, TimeSignature, Track

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "studio"))

from browsers import browser, why_not
from walk import Process, Walk, opened

QUARTER = 480
MELODY, BASS = (72, 74, 76, 77, 79, 77, 76, 74), (48, 55, 53, 50)
# Resolves with the milliseconds from the next key that is pressed to the first note of an idea.
FIRST = """
() => new Promise((found) => {
  const { studio } = document.querySelector("toccata-studio");
  addEventListener("keydown", () => {
    const began = performance.now(), known = new Set(studio.ideas.chips.map((idea) => idea.take.id));
    const look = () => {
      const some = studio.ideas.chips.some((idea) => !known.has(idea.take.id)
        && [...idea.layer.added.values()].some((one) => one.notes.length > 0));
      if (some) found(performance.now() - began);
      else if (performance.now() - began > 30000) found(NaN);
      else requestAnimationFrame(look);
    };
    look();
  }, { once: true, capture: true });
})
"""


def music(path: Path, bars: int = 16) -> Path:
    """A tune over a bass."""
    score = Score(QUARTER)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    tune, bass = Track("Flute", 73, False), Track("Cello", 42, False)
    for beat in range(4 * bars):
        tune.notes.append(Note(beat * QUARTER, QUARTER - 20, MELODY[beat % 8], 80))
        if beat % 2 == 0:
            bass.notes.append(Note(beat * QUARTER, 2 * QUARTER - 20, BASS[beat // 2 % 4], 70))
    score.tracks.append(tune)
    score.tracks.append(bass)
    score.dump_midi(path)
    return path


def usable(run: Any, folder: Path) -> float:
    """Seconds from the command to a page that shows a piece."""
    began = time.perf_counter()
    process = Process(folder)
    walk = opened(run, process)
    walk.wait("return studio.ready ?? studio.state !== null")
    seconds = time.perf_counter() - began
    walk.page.close()
    process.end()
    return seconds


def first_notes(walk: Walk, keys: str, times: int) -> list[float]:
    """Milliseconds from the key of a verb to the first note, for each of so many ideas."""
    found = []
    for number in range(times):
        first = 3 + 2 * (number % 5)
        walk.choose_bars(first, first + 1)
        waiting = walk.page.evaluate_handle(f"{{ const first = ({FIRST})(); ({{ first }}) }}")
        walk.press(keys)
        found.append(float(waiting.evaluate("({ first }) => first")))
        walk.press("s")
        walk.wait("return studio.ideas.growing.length === 0", long=True)
        walk.press("Escape")
    return found


def touched(walk: Walk) -> list[float]:
    """Milliseconds from a touched key to the first sound at the output, each of five times."""
    found = []
    for _ in range(5):
        walk.holds("studio.playing.player.touch(0, false, 72, 100)")
        walk.page.wait_for_timeout(1500)
        found.append(walk.holds("studio.playing.player.latency()"))
    return [round(value, 1) for value in found if value is not None]


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if (why := why_not()) is not None:
        sys.exit(f"the studio cannot be measured here: {why}")
    row: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary, browser() as run:
        folder = Path(temporary)
        row["usable_page_s"] = [round(usable(run, folder / "library"), 2) for _ in range(3)]
        process = Process(folder / "library")
        walk = opened(run, process)
        walk.drop(music(folder / "music.mid"))
        for verb, keys in (("fill", "f"), ("continue", "c"), ("vary", "v")):
            times = np.array(first_notes(walk, keys, options.times))
            row[f"{verb}_first_note_ms"] = {
                "p50": round(float(np.quantile(times, 0.5))),
                "p95": round(float(np.quantile(times, 0.95))),
            }  # fmt: skip
        row["touch_to_sound_ms"] = touched(walk)
        walk.page.close()
        process.end()
    if options.json:
        json.dump(row, sys.stdout)
        print()
    else:
        for name, value in row.items():
            print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
