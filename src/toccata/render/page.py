"""A Score as a page of its own: a piano roll to look through, and to hear, in one file that needs no network.

What draws and plays is ``notebook.js`` beside this module, built from ``studio/src/notebook.ts``. Where scripts do not
run, a picture and a recording stand in its place.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
from symusic import Score

from toccata.midi.bars import bar_map
from toccata.midi.gm import track_name
from toccata.midi.mixing import mix_of

_STYLE = "html,body{margin:0;height:100%;font-family:system-ui,sans-serif;color-scheme:light dark}body>div{height:100%}"


def song_json(score: Score) -> dict[str, Any]:
    """Return ``score`` as the scripts of the page have it; ``Song`` in studio/src/protocol.ts says what is in it."""
    bars = bar_map(score)
    tracks = [track for track in score.tracks if len(track.notes)]
    return {
        "ticksPerQuarter": score.ticks_per_quarter,
        "end": bars.end,
        "tempos": sorted([int(tempo.time), float(tempo.qpm)] for tempo in score.tempos) or [[0, 120.0]],
        "meters": sorted([int(m.time), int(m.numerator), int(m.denominator)] for m in score.time_signatures)
        or [[0, 4, 4]],
        "keys": sorted([int(key.time), int(key.key), int(key.tonality)] for key in score.key_signatures),
        "bars": bars.starts.tolist(),
        "tracks": [
            {
                "id": f"t{number}",
                "name": track_name(track.name, track.program, track.is_drum),
                "program": int(track.program),
                "drum": bool(track.is_drum),
                "channel": 9 if track.is_drum else number % 9,
                **mix_of(track).to_json(),
                "notes": _flat(track),
            }
            for number, track in enumerate(tracks)
        ],
    }


def element(score: Score, midi: bytes, fallback: str, *, name: str = "piece", script: bool = True) -> str:
    """Return an element for a notebook: the roll and the player, and ``fallback`` where scripts do not run.

    Args:
        score: The music.
        midi: Its file, to be downloaded from the element.
        fallback: HTML that shows and plays the music without scripts.
        name: The file's name without a suffix.
        script: With the scripts; False where they are on the page already.
    """
    place = "toccata-" + hashlib.sha256(midi).hexdigest()[:12]
    call = _call(score, midi, place, name)
    return f'<div data-toccata="{place}">{fallback}</div><script>{_script() if script else ""}{call}</script>'


def document(score: Score, midi: bytes, title: str) -> str:
    """Return a whole HTML document with the roll and the player, that loads nothing from anywhere."""
    script = _script() + _call(score, midi, "toccata-page", title)
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(_STYLE)}; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head>"
        f'<body><div data-toccata="toccata-page"><noscript>This page needs JavaScript.</noscript></div>'
        f"<script>{script}</script></body></html>\n"
    )


def _flat(track: Any) -> list[int]:
    notes = track.notes.numpy()
    columns = np.stack([notes[key].astype(np.int64) for key in ("time", "duration", "pitch", "velocity")], axis=1)
    order = np.lexsort((columns[:, 2], columns[:, 0]))
    flat: list[int] = columns[order].reshape(-1).tolist()
    return flat


def _call(score: Score, midi: bytes, place: str, name: str) -> str:
    """What the script does once it is there."""
    given = [place, song_json(score), {"name": name, "midi": base64.b64encode(midi).decode()}]
    text = json.dumps(given, separators=(",", ":"), allow_nan=False)
    # In a script nothing ends it but a tag: names from a MIDI file are not to be one.
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f"window.toccataShow(...{text});"


@lru_cache(maxsize=1)
def _script() -> str:
    """The scripts; a second time on a page, they are passed over."""
    code = files("toccata.render").joinpath("notebook.js").read_text(encoding="utf-8").strip()
    return f"if(!window.toccataShow){{{code}}}"


def _digest(text: str) -> str:
    """A text as a content security policy permits it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
