"""Some bars of a MIDI file as a file of its own."""

from __future__ import annotations

import os
from pathlib import Path

from toccata.errors import MidiError, RequestError
from toccata.files import write_bytes
from toccata.midi.bars import bar_map
from toccata.midi.read import read_bytes, read_score
from toccata.midi.splice import drop_before

_NAME_BYTES = 160  # of a file's name; file systems allow 255, and some goes on behind it


def from_bar(path: str | Path, bar: int, into: str | Path) -> Path:
    """Write what a MIDI file holds from ``bar`` on, counted from 1, to a file in ``into`` whose name says so.

    What is in force there (programs, controllers, tempo, meter, key) stands at its beginning.

    Raises:
        MidiError: The file cannot be read, or not be taken apart.
        RequestError: It has no such bar.
    """
    path = Path(path)
    bars = bar_map(read_score(path))
    if not 1 <= bar <= len(bars):
        raise RequestError(f"{path} has {len(bars)} bars: there is no bar {bar} in it", path=path)
    try:
        rest = drop_before(read_bytes(path), int(bars.starts[bar - 1]))
    except MidiError as error:
        raise MidiError(f"{path} cannot be cut at a bar line: {error}", path=path) from None
    stem = path.stem[:80]
    while len(os.fsencode(stem)) > _NAME_BYTES:
        stem = stem[:-1]
    out = Path(into) / f"{stem} from bar {bar}.mid"
    write_bytes(out, rest)
    return out
