"""The piano roll alone in a real browser: a page bundled from studio/, driven with a real mouse."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import browsers
from symusic import Score

from toccata.midi.bars import bar_map
from toccata.midi.read import read_score

STUDIO = Path(__file__).parents[2] / "studio"
ESBUILD = STUDIO / "node_modules" / ".bin" / "esbuild"

Song = dict[str, Any]


def why_not() -> str | None:
    """Why the roll cannot be tried in a browser here, or None."""
    if not ESBUILD.exists():
        return "studio/node_modules is missing: run npm ci in studio/"
    return browsers.why_not()


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
