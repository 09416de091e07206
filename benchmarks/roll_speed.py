"""How fast the piano roll draws: scrolls, zooms and edits a song of 20,000 notes in a real browser.

    python benchmarks/roll_speed.py [--notes 20000] [--json FILE]

It needs studio/node_modules, the Python package playwright, and a Chromium (on the PATH, or in the variable CHROMIUM).
Figures are milliseconds. `roll` is the processor time of the roll's own code in a frame, `frame` that of all that the
page's main thread does for a frame, both from the browser's trace: other programs do not count. `interval` is the time
from one frame to the next, and does depend on them: 16.7 is 60 frames a second.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "studio"))

from browsers import browser
from roll_page import Song, bundle, why_not

QUARTER = 480
BAR = 4 * QUARTER
TRACKS = 6
FRAMES = 120
EDITS = 30
RUNS = 3

CATEGORIES = ["devtools.timeline", "cc", "disabled-by-default-devtools.timeline"]

# Runs `act(n)` in each of `frames` frames; answers with the milliseconds between frames.
MEASURE = """
async ({ frames, act }) => {
  const roll = demo.roll, step = new Function("roll", "n", act), intervals = [];
  await roll.idle();
  const next = () => new Promise(requestAnimationFrame);
  let last = await next();
  for (let n = 0; n < frames; n++) {
    step(roll, n);
    const now = await next();
    intervals.push(now - last);
    last = now;
  }
  await roll.idle();
  return intervals;
}
"""

# Edits of notes that are in sight, each drawn before the next; answers with how many tiles one draws.
EDIT = """
async (edits) => {
  const roll = demo.roll, width = innerWidth, tiles = roll.frames.tiles;
  const seen = demo.notes().t0.map(([tick, , pitch]) => ({ track: "t0", tick, pitch })).filter((note) => {
    const box = roll.toClient(note);
    return box.x > 60 && box.x < width - 40 && box.y > 60 && box.y < 600;
  });
  for (let n = 0; n < edits; n++) {
    roll.selection = [seen[n % seen.length]];
    roll.command("louder");
    await roll.idle();
  }
  return (roll.frames.tiles - tiles) / edits;
}
"""

SCROLL = "roll.shadowRoot.querySelector('.scroller').scrollLeft"
ACTS = {
    "scroll": f"{SCROLL} = 20 * n",
    "scroll, far out": f"if (n === 0) roll.zoom(0.15, 0.5); {SCROLL} = 10 * n",
    "zoom in": "if (n === 0) roll.zoomToFit(); roll.zoom(1.04, 1)",
    "zoom out": "roll.zoom(1 / 1.04, 1)",
    "play": "roll.cursorAt(n * 40, true)",
}


def song(notes: int) -> Song:
    """A song of about ``notes`` notes on six tracks, 64 of them a bar."""
    chance = random.Random(1)
    bars = max(1, notes // 64)
    tracks = []
    for number in range(TRACKS):
        until: dict[int, int] = {}
        flat: list[int] = []
        ticks = sorted(chance.randrange(bars * BAR // 60) * 60 for _ in range(notes // TRACKS))
        for tick in ticks:
            pitch = 30 + 8 * number + chance.randrange(30)
            while until.get(pitch, 0) > tick:
                pitch = 30 + (pitch - 29) % 90
            length = chance.choice([60, 120, 240, 480])
            until[pitch] = tick + length
            flat += [tick, length, pitch, 30 + chance.randrange(90)]
        drum = number == TRACKS - 1
        tracks.append({"id": f"t{number}", "name": "", "program": 0, "drum": drum, "channel": number, "notes": flat})
    lines = [bar * BAR for bar in range(bars + 1)]
    header = {"ticksPerQuarter": QUARTER, "end": bars * BAR, "tempos": [[0, 120]], "meters": [[0, 4, 4]], "keys": []}
    return {**header, "bars": lines, "tracks": tracks}


def high(values: list[float]) -> float:
    """The value that 95 % are not above."""
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


def traced(running: Any, page: Any, script: str, value: Any) -> tuple[Any, dict[str, list[float]]]:
    """Run a script; return its answer and the processor milliseconds of the main thread's tasks by name."""
    running.start_tracing(page=page, categories=CATEGORIES)
    answer = page.evaluate(script, value)
    events = [event for event in json.loads(running.stop_tracing())["traceEvents"] if "tdur" in event]
    threads = [(event["pid"], event["tid"]) for event in events if event["name"] == "FireAnimationFrame"]
    tasks: dict[str, list[float]] = {}
    for event in events:
        if threads and (event["pid"], event["tid"]) == threads[0]:
            tasks.setdefault(event["name"], []).append(event["tdur"] / 1000)
    return answer, tasks


def measure(running: Any, page: Any, notes: int) -> dict[str, dict[str, float]]:
    """One run: figures by what was done."""
    page.reload()
    page.evaluate("song => demo.load(song)", song(notes))
    page.evaluate("demo.roll.grid = 120")
    figures: dict[str, dict[str, float]] = {}
    for name, act in ACTS.items():
        intervals, tasks = traced(running, page, MEASURE, {"frames": FRAMES, "act": act})
        work, frame = tasks["FireAnimationFrame"], tasks["ProxyMain::BeginMainFrame"]
        figures[name] = {
            "roll p95": high(work),
            "frame p50": median(frame),
            "frame p95": high(frame),
            "interval p50": median(intervals),
        }
    page.evaluate("demo.roll.zoomToFit(); demo.roll.zoom(20, 2); demo.roll.idle()")
    tiles, tasks = traced(running, page, EDIT, EDITS)
    figures["edit, all of it"] = {"mean": sum(tasks["RunTask"]) / EDITS, "tiles": tiles}
    return figures


def main() -> None:
    """Measure, and print the medians of three runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--notes", type=int, default=20_000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if reason := why_not():
        print(f"roll_speed: not measured: {reason}")
        return
    with tempfile.TemporaryDirectory() as folder, browser() as running:
        page = running.new_page(viewport={"width": 1280, "height": 720})
        page.goto(bundle(Path(folder)).as_uri())
        runs = [measure(running, page, given.notes) for _ in range(RUNS)]
    figures = {
        name: {key: round(median([run[name][key] for run in runs]), 1) for key in row} for name, row in runs[0].items()
    }
    for name, row in figures.items():
        print(f"{name:16}", "  ".join(f"{key} {value:6.1f}" for key, value in row.items()))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
