"""One stream of notes dealt out to the parts that are to play it.

Models write a choir, or a piano's two hands, as one instrument; the file they continue has a track for each. A note
goes to the part whose line it goes on with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

Notes = list[tuple[int, int, int, int]]
"""``(start, end, pitch, velocity)`` by onset."""

_AT_HOME = 0.5  # how much the register of a part counts beside the pitch it was at last
_DOUBLED = 30.0  # a second note at once, in a part that plays one at a time
_STILL_BUSY = 18.0  # a note in a part whose last one has not ended


@dataclass
class Line:
    """A part as far as it goes.

    Attributes:
        pitch: Where it is: about its last pitch, or the middle of its last chords.
        middle: The middle of its register.
        single: Whether it plays one note at a time.
        busy: The tick at which its latest note ends.
    """

    pitch: float
    middle: float
    single: bool
    busy: int = 0


def line_of(recent: Sequence[tuple[int, int]]) -> Line:
    """The line of a part, from its latest notes ``(onset, pitch)``."""
    onsets = len({onset for onset, _ in recent})
    single = len(recent) - onsets <= len(recent) // 5
    tail = recent[-3:] if single else recent
    pitch, middle = (sum(pitch for _, pitch in some) / len(some) for some in (tail, recent))
    return Line(pitch, middle, single)


def spread(notes: Notes, lines: Sequence[Line]) -> list[Notes]:
    """Deal ``notes`` out to ``lines``, of which there is at least one; one list of notes a line."""
    out: list[Notes] = [[] for _ in lines]
    lines = [Line(line.pitch, line.middle, line.single, line.busy) for line in lines]
    for _, group in groupby(notes, key=lambda note: note[0]):
        chord = sorted(group, key=lambda note: -note[2])
        for note, number in zip(chord, _dealt(chord, lines), strict=True):
            out[number].append(note)
        for number, line in enumerate(lines):
            mine = [note for note in out[number] if note[0] == chord[0][0]]
            if mine:
                middle = sum(note[2] for note in mine) / len(mine)
                # A hand stays about where it is; a voice is where it sang last.
                line.pitch = middle if line.single else 0.8 * line.pitch + 0.2 * middle
                line.busy = max(note[1] for note in mine)
    return out


def _dealt(chord: Notes, lines: Sequence[Line]) -> list[int]:
    """For each note of a chord, from the highest down, the number of its line: the cheapest way to go on.

    Notes keep the order of the lines' registers, so that voices do not cross within a chord; a dynamic programme over
    (note, line) finds the best.
    """
    order = sorted(range(len(lines)), key=lambda n: -lines[n].middle)
    costs = [[0.0] * len(order)]
    back: list[list[int]] = []
    for index, note in enumerate(chord):
        row, came = [], []
        for place, number in enumerate(order):
            line = lines[number]
            own = abs(note[2] - line.pitch) + _AT_HOME * abs(note[2] - line.middle)
            own += _STILL_BUSY if line.single and line.busy > note[0] else 0.0
            before = range(place + 1) if index else range(1)
            steps = [costs[-1][p] + (_DOUBLED if line.single else 0.0) * (p == place) if index else 0.0 for p in before]
            best = min(range(len(steps)), key=steps.__getitem__)
            row.append(steps[best] + own)
            came.append(best)
        costs.append(row)
        back.append(came)
    place = min(range(len(order)), key=costs[-1].__getitem__)
    places = [place]
    for came in back[:0:-1]:
        place = came[place]
        places.append(place)
    return [order[place] for place in reversed(places)]
