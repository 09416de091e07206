"""Decoded notes of a hole as parts of the song, and the song's file with these parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from symusic import Note, Score, Track

from toccata.events import NoteKey, note_keys
from toccata.midi import gm
from toccata.midi import replace as replace_in
from toccata.midi.bars import BarMap, rescaled_onset
from toccata.midi.spread import Line, line_of, spread
from toccata.piece import Piece
from toccata.tasks.ensemble import accompanying_tracks, playing_tracks
from toccata.tasks.fill import cut
from toccata.verbs.holes import InfillJob, Part

_LINE = 32
"""How many notes of a track are used to find its line."""


def assigned(new: Score, song: Score, bars: BarMap, job: InfillJob, *, programs: bool = True) -> list[Part]:
    """Assign the new notes of a hole to tracks of the song.

    Args:
        new: The decoded music, a track for each program; tick 0 is the beginning of the hole.
        song: The song, with the notes that are to be replaced.
        bars: Its bars.
        job: The hole.
        programs: Whether the model distinguishes programs; one that does not writes all pitched tracks as a piano.
    """
    start = int(bars.starts[job.hole.first])
    scale = song.ticks_per_quarter / new.ticks_per_quarter
    parts: list[Part] = []
    following = len(song.tracks)
    for track in new.tracks:
        program = -1 if track.is_drum else int(track.program)
        notes = [
            (
                start + rescaled_onset(n.time, song.ticks_per_quarter, new.ticks_per_quarter),
                start + round(n.end * scale),
                n.pitch,
                n.velocity,
            )
            for n in sorted(track.notes, key=lambda n: (n.time, n.pitch))
        ]
        mine = tracks_of(song, bars, job, program if programs or track.is_drum else None)
        if not mine:
            parts.append(_part(following, program, notes))
            following += 1
            continue
        lines = [_line(song.tracks[number], start) for number in mine]
        shares = spread(notes, lines) if len(mine) > 1 else [notes]
        parts += [_part(number, program, share) for number, share in zip(mine, shares, strict=True) if share]
    return parts


def tracks_of(song: Score, bars: BarMap, job: InfillJob, program: int | None) -> list[int]:
    """Return the tracks that play the new notes of ``program`` in a hole.

    Of the tracks with the hole that play it (of all pitched ones, if ``program`` is None) they are those whose notes
    there are replaced; if all rest there, those that play near it; else all.

    For an added program it is the track that was added for it, if there is one.
    """
    if job.programs is not None:
        added = range(len(song.tracks) if job.original_tracks is None else job.original_tracks, len(song.tracks))
        return [number for number in added if program_of(song.tracks[number]) == program][:1]
    tracks = accompanying_tracks(song, job.hole, job.melody)
    programs = {n: program_of(song.tracks[n]) for n in tracks if len(song.tracks[n].notes)}
    mine = [n for n, own in programs.items() if (own == program if program is not None else own != -1)]
    return playing_tracks(song, bars, job.hole, mine)


def program_of(track: Track) -> int:
    """Return the program of a track; -1 is the drums."""
    return -1 if track.is_drum else int(track.program)


def _line(track: Track, start: int) -> Line:
    notes = sorted((n.time, n.pitch) for n in track.notes)
    before = [note for note in notes if note[0] < start][-_LINE:]
    return line_of(before or notes[:_LINE])


def _part(number: int, program: int, notes: Sequence[tuple[int, int, int, int]], name: str = "") -> Part:
    own = tuple(Note(a, max(1, b - a), pitch, velocity) for a, b, pitch, velocity in notes)
    return Part(number, program, own, name)


def written(song: Score, bars: BarMap, job: InfillJob, parts: Sequence[Part]) -> Score:
    """Return the song with a hole infilled."""
    out = cut(song, bars, job.hole)[0]
    for part in parts:
        while len(out.tracks) <= part.track:
            out.tracks.append(Track("", max(part.program, 0), part.program == -1))
        out.tracks[part.track].notes.extend(part.notes)
        out.tracks[part.track].notes.sort(key=lambda n: (n.time, n.pitch))
    return out


def alone(song: Score, parts: Sequence[Part]) -> Score:
    """Return the new notes without the song's own."""
    out = Score(song.ticks_per_quarter)
    for part in parts:
        track = Track("", max(part.program, 0), part.program == -1)
        track.notes.extend(part.notes)
        out.tracks.append(track)
    return out


def rewritten(
    midi: bytes,
    song: Score,
    bars: BarMap,
    jobs: Sequence[InfillJob],
    parts: Sequence[Part],
    text: Callable[[int], str],
) -> tuple[bytes, list[Part]]:
    """Return the song's file with the new parts in place of the holes; the rest is unchanged, event for event.

    Args:
        midi: The song's file.
        song: The song.
        bars: Its bars.
        jobs: The holes.
        parts: The new parts.
        text: Called with the number of new notes that are in the file; returns its text.

    Returns:
        The new file, and the parts as they are in it: without notes that had no room beside others of their key.

    Raises:
        MidiError: The file cannot be taken apart, or has no channel left for a new instrument.
    """
    holes = []
    for job in jobs:
        end = int(bars.starts[job.hole.last])
        end = max(end, song.end() + 1) if job.hole.last == len(bars) else end
        holes.append(replace_in.Hole(int(bars.starts[job.hole.first]), end, job.hole.tracks, job.hole.preserved))
    new, targets, firsts = Score(song.ticks_per_quarter), [], []
    for number in sorted({part.track for part in parts}):
        mine = [part for part in parts if part.track == number]
        first = mine[0]
        drums = first.program == -1
        track = Track(gm.track_name(first.name, first.program, drums), max(first.program, 0), drums)
        for part in mine:
            track.notes.extend(part.notes)
        track.sort()
        new.tracks.append(track)
        targets.append(number if number < len(song.tracks) else None)
        firsts.append(first)
    out, notes = replace_in.replaced(midi, holes, new, targets, text=text)
    found = zip(firsts, notes, strict=True)
    return out, [_part(first.track, first.program, own, first.name) for first, own in found if own]


def new_keys(piece: Piece, song: Score, bars: BarMap, jobs: Sequence[InfillJob]) -> Counter[NoteKey]:
    """Return the notes of a version that are not the song's."""
    remaining = song
    for job in jobs:
        if job.hole.tracks != frozenset():  # which is how instruments are added
            remaining = cut(remaining, bars, job.hole)[0]
    return note_keys(piece.score) - note_keys(remaining)


def bent(song: Score, bars: BarMap, parts: Sequence[Part]) -> list[str]:
    """Return remarks on new notes that the song's own pitch bends, which are unchanged, bend."""
    found: dict[int, set[int]] = {}
    for part in parts:
        bends = song.tracks[part.track].pitch_bends.numpy() if part.track < len(song.tracks) else {"value": np.zeros(0)}
        if not bends["value"].any():
            continue
        order = np.argsort(bends["time"], kind="stable")
        times, values = bends["time"][order], bends["value"][order]
        for note in part.notes:
            first, last = np.searchsorted(times, [note.time, note.end - 1], side="right").tolist()
            if values[max(0, first - 1) if times[0] <= note.time else 0 : last].any():
                found.setdefault(part.track, set()).add(bars.at(note.time) + 1)
    return [
        f"track {track + 1} has pitch bends in bar{'s' * (len(own) > 1)} {', '.join(map(str, sorted(own)))}, which "
        "bend its new notes"
        for track, own in sorted(found.items())
    ]


def part_keys(song: Score, parts: Sequence[Part]) -> Counter[NoteKey]:
    """Return the notes of parts as they will be in the song's file."""
    found: Counter[NoteKey] = Counter()
    for part in parts:
        program = part.program
        if part.track < len(song.tracks):
            track = song.tracks[part.track]
            program = -1 if track.is_drum else int(track.program)
        for n in part.notes:
            found[NoteKey(n.time, n.duration, n.pitch, n.velocity, max(0, program), program == -1)] += 1
    return found
