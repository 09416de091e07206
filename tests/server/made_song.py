"""A song."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from symusic import Note, Score, Track


@functools.cache
def four_bars() -> bytes:
    """Four bars of a melody, as a MIDI file."""
    score = Score(480)
    score.tracks.append(Track("soprano", 52, False))
    score.tracks[0].notes.extend([Note(480 * n, 480, 72 + n * 5 % 7, 80) for n in range(16)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "song.mid"
        score.dump_midi(path)
        return path.read_bytes()
