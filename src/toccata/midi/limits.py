"""Limits on the size of the music in a file; beyond them it is no music, or made to exhaust memory.

Two doors: what is read at all, and what is worked on as one song (continued, filled, varied, drawn, shown). The largest
of some eleven thousand real files, symphonies among them, has 50,452 notes, 3,720 bars, 201 tempos, 142 meters and nine
keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from symusic import ControlChange, KeySignature, Pedal, PitchBend, Score, Tempo, TimeSignature

from toccata.errors import MidiError
from toccata.midi.bars import MAX_BARS, bar_map, last_note_end

MAX_TAIL = 10_000
"""Quarters after the end of the last note beyond which events are dropped."""

_MAPS: tuple[tuple[str, Any], ...] = (
    ("tempos", Tempo),
    ("time_signatures", TimeSignature),
    ("key_signatures", KeySignature),
)
_TRACK_EVENTS: tuple[tuple[str, Any], ...] = (("controls", ControlChange), ("pitch_bends", PitchBend))


@dataclass(frozen=True)
class Limits:
    """The most that a piece may have.

    Attributes:
        notes: Notes.
        bars: Bars.
        changes: Tempo changes; as many changes of meter, and of key.
        does: What is done with it, for the message.
    """

    notes: int
    bars: int
    changes: int
    does: str

    def refuse(self, score: Score) -> None:
        """Stop if ``score`` has more.

        Raises:
            MidiError: It has; the message is the bare reason.
        """
        counts = (
            ("notes", score.note_num(), self.notes),
            ("tempo changes", len(score.tempos), self.changes),
            ("changes of meter", len(score.time_signatures), self.changes),
            ("changes of key", len(score.key_signatures), self.changes),
        )
        for what, count, most in counts:
            if count > most:
                raise MidiError(f"has {count:,} {what}; at most {most:,} {self.does}")
        if (bars := len(bar_map(score))) > self.bars:
            raise MidiError(f"has {bars:,} bars; at most {self.bars:,} {self.does}")


READ = Limits(notes=500_000, bars=MAX_BARS, changes=50_000, does="are read")
"""The limits for reading a file."""

SONG = Limits(notes=75_000, bars=10_000, changes=10_000, does="are worked on: take a part of the file")
"""The limits for a song to write for or to edit."""


def without_tail(score: Score) -> Score:
    """``score``, changed in place: no event stands more than ``MAX_TAIL`` quarters after the last note.

    A tempo at the end of time would be hundreds of thousands of empty bars to whatever counts until the last event.
    """
    last = last_note_end(score) + MAX_TAIL * score.ticks_per_quarter
    if score.end() <= last:
        return score
    for kind, factory in _MAPS:
        setattr(score, kind, _until(getattr(score, kind), factory, last))
    score.markers = [mark for mark in score.markers if mark.time <= last]
    for track in score.tracks:
        for kind, factory in _TRACK_EVENTS:
            setattr(track, kind, _until(getattr(track, kind), factory, last))
        track.lyrics = [lyric for lyric in track.lyrics if lyric.time <= last]
        track.pedals = [Pedal(p.time, min(p.duration, last - p.time)) for p in track.pedals if p.time < last]
    return score


def _until(events: Any, factory: Any, last: int) -> Any:
    columns = events.numpy()
    mask: Any = columns["time"] <= last
    return events if np.all(mask) else factory.from_numpy(**{name: column[mask] for name, column in columns.items()})
