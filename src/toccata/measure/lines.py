"""The lines of a piece as steps, by which passages are compared whatever their key, tempo and instruments.

Music is many notes at once, so a piece is not one sequence but several, its *lines*:

- the **texture** of each instrument: all notes of all tracks of one General MIDI program, in order of onset, then of
  pitch, doublings left out. By program, because that is how a model writes it: the two hands of a piano, which files
  often keep in two tracks, come back as one.
- the **top line** of each track with chords, and of each instrument: the highest note of each onset, but not what
  begins and ends beneath a higher note. This is how a melody is found over another accompaniment.

A note of a line is two bytes. The second is the interval from the note before it in the line, so that transposed music
is the same music. The first is 0 in a chord; for a note that begins a new onset it is the ratio of the step to it to
the step before, in five classes (much shorter, shorter, about as long, longer, much longer; the borders are where
neither 2:3, 1:2, 1:3 nor 1:4 lies), so that neither tempo nor note values twice as long make another passage, nor a
grid's rounding as a rule. Note lengths and velocities do not count; onsets closer than a 16th of a quarter are one
chord.

A passage begins after the last note of its first chord: that note is counted, the step to it is not compared, and
nor is the ratio of the step after it, as both would speak of what was there before. So of a copied melody each note is
found, and of copied chords all but the others of the first.

Not found: drums, whose patterns are everybody's; a voice inside an instrument's chords; a melody whose notes were
changed, ornamented or filled in (what lies between the changes is found, if it is long enough), as it is by an
accompaniment on the same track that sounds in its rests; rhythm alone; what was turned upside down or back to front;
performed music whose onsets moved so far that chords broke up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from symusic import Score

BEGIN = 0
"""The second byte of a line's first note, which has no interval. Nothing else has it: no passage crosses it."""

FIRST = 3
"""The rhythm of the second onset of a line: about as long as the step before, which there is none of."""

_TOGETHER = 16  # onsets closer than this part of a quarter are one chord
_LONGER = ((17, 10), (7, 2))  # from which ratio on a step is longer, and much longer, than the one before


@dataclass(frozen=True, eq=False)
class Notes:
    """The pitched notes of a Score, each a row: onset and end in ticks, pitch, program, track."""

    time: NDArray[np.int64]
    end: NDArray[np.int64]
    pitch: NDArray[np.int64]
    program: NDArray[np.int64]
    track: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, eq=False)
class Line:
    """A line of a piece.

    Attributes:
        symbols: ``uint8[n, 2]``, rhythm and interval of each note.
        onsets: ``int64[n]``, the tick of the chord that each note belongs to.
        notes: ``int64[n]``, which of the piece's `Notes` each is.
    """

    symbols: NDArray[np.uint8]
    onsets: NDArray[np.int64]
    notes: NDArray[np.int64]


def pitched(score: Score, since: int = 0, until: int | None = None) -> Notes:
    """The pitched notes of ``score`` that begin at tick ``since`` or later, and before ``until``."""
    rows: list[NDArray[np.int64]] = [np.empty((5, 0), np.int64)]
    for number, track in enumerate(score.tracks):
        if track.is_drum or not len(track.notes):
            continue
        columns = track.notes.numpy()
        time, pitch = columns["time"].astype(np.int64), columns["pitch"].astype(np.int64)
        same = np.ones_like(time)
        table = np.stack([time, time + columns["duration"], pitch, same * int(track.program), same * number])
        rows.append(table[:, (time >= since) & (time < (time.max() + 1 if until is None else until))])
    return Notes(*np.concatenate(rows, axis=1))


def lines(notes: Notes, ticks_per_quarter: int, *, merged: bool = False) -> Iterator[Line]:
    """The lines of a piece, no two the same.

    Args:
        notes: Of the piece.
        ticks_per_quarter: Of the piece.
        merged: Also the top line of instruments that have several tracks, as a piece that is looked up has it; those
            that it is compared with need not.
    """
    seen: set[bytes] = set()
    together = (ticks_per_quarter - 1) // _TOGETHER
    for program in np.unique(notes.program):
        here = np.flatnonzero(notes.program == program)
        tracks = np.unique(notes.track[here])
        parts = [here[notes.track[here] == track] for track in tracks]
        found = [_texture(notes, here, together)]
        found += [_top_line(notes, _texture(notes, part, together)) for part in parts]
        if merged and len(parts) > 1:
            found.append(_top_line(notes, found[0]))
        for line in found:
            known = line.symbols.tobytes()
            if known not in seen:
                seen.add(known)
                yield line


def top_lines(notes: Notes, ticks_per_quarter: int) -> Iterator[Line]:
    """The top line of each track of a piece."""
    together = (ticks_per_quarter - 1) // _TOGETHER
    for track in np.unique(notes.track):
        yield _top_line(notes, _texture(notes, np.flatnonzero(notes.track == track), together))


def ratio(step: int, before: int) -> int:
    """The class of a step by its ratio to the one before, 1 to 5; see the module."""
    longer = sum(step * bottom > before * top for top, bottom in _LONGER)
    return FIRST + longer - sum(before * bottom > step * top for top, bottom in _LONGER)


class TopLine:
    """Return which notes of a track are its top line, from the highest of each onset in order of time."""

    def __init__(self) -> None:
        self._over: list[tuple[int, int]] = []

    def takes(self, onset: int, pitch: int, end: int) -> bool:
        """Whether a note is in it: unless it begins and ends beneath a higher one."""
        over = [held for held in self._over if held[1] > onset]
        taken = not any(p > pitch and e >= end for p, e in over)
        self._over = [*(held for held in over if held[0] > pitch or held[1] > end), (pitch, end)] if taken else over
        return taken

    def copy(self) -> TopLine:
        """Another of the same state."""
        other = TopLine()
        other._over = self._over  # replaced, never changed
        return other


def _texture(notes: Notes, which: NDArray[np.int64], together: int) -> Line:
    order = which[np.lexsort((-notes.end[which], notes.pitch[which], notes.time[which]))]
    time = notes.time[order]
    heads = np.diff(time, prepend=time[:1] - together - 1) > together
    chord = np.cumsum(heads) - 1
    # Chords whose notes were not struck quite together are put in order of pitch, too.
    _, first = np.unique(chord << 7 | notes.pitch[order], return_index=True)
    return _line(notes, order[first], time[heads][chord][first])


def _top_line(notes: Notes, texture: Line) -> Line:
    last = np.diff(texture.onsets, append=-1) != 0
    onsets, which = texture.onsets[last], texture.notes[last]
    line = TopLine()
    columns = (onsets.tolist(), notes.pitch[which].tolist(), notes.end[which].tolist())
    taken = np.fromiter((line.takes(*note) for note in zip(*columns, strict=True)), bool, len(which))
    return _line(notes, which[taken], onsets[taken])


def _line(notes: Notes, which: NDArray[np.int64], onsets: NDArray[np.int64]) -> Line:
    symbols = np.zeros((len(which), 2), np.uint8)
    pitch = notes.pitch[which]
    symbols[1:, 1] = np.diff(pitch) + 128
    heads = np.flatnonzero(np.diff(onsets)) + 1
    steps = np.diff(onsets[np.append(0, heads)])
    rhythm = np.full(len(heads), FIRST)
    for top, bottom in _LONGER:
        rhythm[1:] += steps[1:] * bottom > steps[:-1] * top
        rhythm[1:] -= steps[:-1] * bottom > steps[1:] * top
    symbols[heads, 0] = rhythm
    return Line(symbols, onsets, which)


def symbols_of(onset_step: int, step_before: int, below: int, pitches: Sequence[int]) -> list[tuple[int, int]]:
    """The notes of one onset, from the lowest, as symbols.

    Args:
        onset_step: Ticks since the onset before.
        step_before: The step to that one, 0 if there was none.
        below: The pitch of the note before.
        pitches: Ascending, each once.
    """
    rhythm = ratio(onset_step, step_before) if step_before else FIRST
    out = []
    for pitch in pitches:
        out.append((rhythm, pitch - below + 128))
        rhythm, below = 0, pitch
    return out
