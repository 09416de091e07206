"""The melody of a song: the top line of the track that has it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import numpy as np
from symusic import Score

from toccata.midi.notes import NoteRef

_TOGETHER = 16
"""Notes of a track that begin within this part of a quarter are a chord."""


def is_melody(word: int | str) -> bool:
    """Return whether a track is named as the melody."""
    return str(word).strip().lower() == "melody"


def top_line(notes: Iterable[tuple[int, int, int]], ticks_per_quarter: int) -> set[tuple[int, int]]:
    """Return the melody of a track: the highest note of each onset, unless it begins and ends beneath a higher one.

    Args:
        notes: Start, end and pitch of each note.
        ticks_per_quarter: The resolution of the ticks; notes that begin within a 16th of a quarter are one onset.

    Returns:
        Start and pitch of its notes.
    """
    heads: list[tuple[int, int, int]] = []
    onset = -ticks_per_quarter
    for note in sorted(notes, key=lambda n: (n[0], -n[2])):
        if (note[0] - onset) * _TOGETHER >= ticks_per_quarter:
            onset = note[0]
            heads.append(note)
        elif note[2] > heads[-1][2]:
            heads[-1] = note
    line: list[tuple[int, int, int]] = []
    until: dict[int, int] = {}  # for each pitch of the line, the end of its last note
    for note in heads:
        if not any(pitch > note[2] and end >= note[1] and end > note[0] for pitch, end in until.items()):
            line.append(note)
            until[note[2]] = max(note[1], until.get(note[2], note[1]))
    return {(start, pitch) for start, _, pitch in line}


def melody(score: Score, spans: Sequence[tuple[int, int]], tracks: frozenset[int] | None) -> frozenset[NoteRef]:
    """Return the notes of the melody in some spans of ticks: the top line of the highest track.

    Args:
        score: The song.
        spans: First tick, and the one after the last.
        tracks: The indices of the tracks to look at; None: all but drums.
    """
    best: tuple[float, int] | None = None
    for number, track in enumerate(score.tracks):
        if track.is_drum or (tracks is not None and number not in tracks):
            continue
        pitches = [note.pitch for note in track.notes if within(note.time, spans)]
        if pitches and (best is None or float(np.mean(pitches)) > best[0]):
            best = float(np.mean(pitches)), number
    if best is None:
        return frozenset()
    columns = ((n.time, n.end, n.pitch) for n in score.tracks[best[1]].notes)
    line = top_line(columns, score.ticks_per_quarter)
    return frozenset(NoteRef(best[1], *note) for note in line if within(note[0], spans))


def within(tick: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Return whether ``tick`` lies in one of ``spans``, which are sorted and do not overlap."""
    place = bisect_right(spans, tick, key=lambda span: span[0])
    return place > 0 and tick < spans[place - 1][1]
