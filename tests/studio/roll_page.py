"""The piano roll alone in a real browser: a page bundled from studio/, driven with a real mouse."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from symusic import Score

from toccata.midi.bars import bar_map
from toccata.midi.read import read_score

STUDIO = Path(__file__).parents[2] / "studio"
ESBUILD = STUDIO / "node_modules" / ".bin" / "esbuild"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")

Song = dict[str, Any]


def chromium() -> str | None:
    """The path of a Chromium on this machine: of the variable CHROMIUM, or on the PATH."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in CHROMIUM if (path := shutil.which(name))), None)


def why_not() -> str | None:
    """Why the roll cannot be tried in a browser here, or None."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "the Python package playwright is not installed"
    if not ESBUILD.exists():
        return "studio/node_modules is missing: run npm ci in studio/"
    return None if chromium() else "no Chromium found: install one, or name it in the variable CHROMIUM"


def bundle(folder: Path) -> Path:
    """Bundle the page in studio/roll.html into one HTML file in ``folder``."""
    script = folder / "demo.js"
    entry = STUDIO / "tests" / "demo.ts"
    subprocess.run(
        [ESBUILD, entry, "--bundle", "--format=iife", "--log-level=error", f"--outfile={script}"], check=True
    )
    html = (STUDIO / "roll.html").read_text(encoding="utf-8")
    page = folder / "roll.html"
    page.write_text(html.replace('type="module" src="/tests/demo.ts"', 'src="demo.js"'), encoding="utf-8")
    return page


def song_of(midi: Path) -> Song:
    """A MIDI file as the page has it."""
    score: Score = read_score(midi)
    bars = bar_map(score)
    tracks = [
        {
            "id": f"t{number}",
            "name": track.name,
            "program": track.program,
            "drum": track.is_drum,
            "channel": 9 if track.is_drum else number % 9,
            "notes": [value for n in track.notes for value in (n.time, n.duration, n.pitch, n.velocity)],
        }
        for number, track in enumerate(score.tracks)
    ]
    return {
        "ticksPerQuarter": score.ticks_per_quarter,
        "end": bars.end,
        "tempos": [[change.time, change.qpm] for change in score.tempos],
        "meters": [[change.time, change.numerator, change.denominator] for change in score.time_signatures],
        "keys": [[change.time, change.key, change.tonality] for change in score.key_signatures],
        "bars": [int(tick) for tick in bars.starts],
        "tracks": tracks,
    }


@contextmanager
def browser() -> Iterator[Any]:
    """A Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield running
        finally:
            running.close()
