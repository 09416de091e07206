"""Variations of a song: some bars written anew, with their rhythm, contour, melody or harmony preserved."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Note, Score, Track

from toccata.engine.job import Decoded, DecodeJob
from toccata.engine.sampling import Sampling
from toccata.errors import RequestError
from toccata.events import Announcer, Event, SongClock, note_keys
from toccata.midi.bars import BarMap
from toccata.midi.keys import Key, every_octave
from toccata.midi.locks import Lock
from toccata.midi.melody import melody, within
from toccata.midi.read import read_score
from toccata.midi.repitch import Keys
from toccata.piece import Piece, origin_text
from toccata.tasks.fill import TOO_LONG, Hole, NoteRef, can_fill
from toccata.tasks.prompt import Prompt
from toccata.tasks.request import Request
from toccata.tasks.revoice import Freedom, Song
from toccata.tasks.script import why_not
from toccata.tasks.scripted import Scripted, scripted_continuation, scripted_infill
from toccata.tasks.vary import Change, Harmony, Keep, change, span
from toccata.tokenizers.cursor import Cursor
from toccata.tokenizers.rulebook import PitchRule
from toccata.tokenizers.state import Note as Written
from toccata.tokenizers.vocabulary import DRUMS
from toccata.verbs.holes import InfillJob, halves, in_unknown_meters
from toccata.verbs.infill import infill_of, stand_ins, unwritable_tracks, write_infill
from toccata.verbs.writer import MAX_TOKENS, Writer, further_seed

PITCHES = ("rhythm", "contour")
"""The values of ``keep`` with which only pitches change."""


@dataclass(frozen=True)
class Variation:
    """The arguments for varying a song, the same for every version.

    Attributes:
        song: The song.
        bars: Its bars.
        holes: The bars to vary.
        spans: The same in ticks.
        tracks: The indices of the tracks to vary; None: all.
        locks: The locks.
        locked: The notes that are locked.
        keep: What is preserved: rhythm, contour, melody or harmony.
        strength: How much of the rest may change, 0 to 1.
        key: The key of new pitches; None: any pitch.
        sampling: The sampling parameters.
    """

    song: Prompt
    bars: BarMap
    holes: list[Hole]
    spans: list[tuple[int, int]]
    tracks: frozenset[int] | None
    locks: tuple[Lock, ...]
    locked: frozenset[NoteRef]
    keep: Keep
    strength: float
    key: str | None
    sampling: Sampling

    def origin_entries(self) -> dict[str, Any]:
        """Return the entries of a version's origin that describe the variation."""
        locks = {"locks": [str(lock) for lock in self.locks]} if self.locks else {}
        return {"keep": self.keep, "strength": self.strength, **locks}

    @property
    def scale(self) -> NDArray[np.bool_] | None:
        """The pitches of the key, ``bool[128]``; None: there is no key."""
        return None if self.key is None else every_octave(Key.read(self.key).scale())

    def dice(self, seed: int, count: int) -> NDArray[np.float64]:
        """Return a random number from 0 to 1 for each of ``count`` notes."""
        return np.random.default_rng([seed, count]).random(count)


def refuse_unable(writer: Writer, keep: Keep) -> None:
    """Refuse a ``keep`` that the model cannot preserve.

    Raises:
        RequestError: The model cannot preserve it, and why.
    """
    reason = why_not(writer.tokenizer)
    if reason and (keep in PITCHES or not can_fill(writer.tokenizer)):
        raise RequestError(f"{writer.name} cannot keep a {keep}: {reason}; train a model with recipe toccata")
    if keep not in PITCHES and not writer.fills:
        only = "" if reason else ", and can keep only rhythm or contour"
        raise RequestError(f"{writer.name} has not learned to fill{only}: for {keep}, {writer.how_to_fill}")


def write_variation(
    writer: Writer, variation: Variation, keys: Keys, seed: int, piece: int = 0
) -> Generator[DecodeJob | Event, Decoded | None, tuple[Piece, Change]]:
    """Write one version; return it with its change from the song.

    Args:
        writer: The model.
        variation: What to write.
        keys: The song's notes.
        seed: The seed of the version.
        piece: The version's number, for events.
    """
    write = _revoiced if variation.keep in PITCHES or not variation.strength else _around
    made, now = yield from write(writer, variation, keys, seed, piece)
    what = change(keys, now, variation.spans, variation.tracks)
    return replace(made, origin={**made.origin, "distance": what.distance, "changed": what.summary}), what


_Version = Generator[DecodeJob | Event, Decoded | None, tuple[Piece, Keys]]

# -- pitches alone ---------------------------------------------------------------------------------------------------


def _revoiced(writer: Writer, variation: Variation, keys: Keys, seed: int, piece: int) -> _Version:
    """Write one version in which only pitches change, block by block."""
    song = _notes_of(writer, variation, keys)
    free = _freedom(writer, variation, song, seed)
    announcer = Announcer(piece, SongClock.of(variation.song.score))
    stands = read_score(variation.song.midi)
    there = note_keys(stands)
    last = max((song.start[n] for n in free.notes if free.dice[n] < free.share or n == free.certain), default=-1)
    left_out, remarks = in_unknown_meters(writer.tokenizer.grammar(), variation.bars, variation.holes)
    waiting, number, before = [hole for hole in variation.holes if hole not in left_out and last >= 0], 0, 0
    tokens, notes, decoded, nats = 0, 0, 0, 0.0
    while waiting:
        hole = waiting.pop(0)
        try:
            scripted = _script(writer, variation, song, stands, hole, free, last)
        except RequestError as error:
            if error.kind != TOO_LONG or hole.last - hole.first == 1:
                raise
            waiting[:0] = [job.hole for job in halves(InfillJob(hole))]
            continue
        if scripted is not None:
            listener = _Bars(announcer, variation.bars, hole.first, before)
            done = yield DecodeJob(scripted.task, further_seed(seed, number), variation.sampling, MAX_TOKENS, listener)
            assert done is not None
            notes += scripted.apply_pitches(done.cursor.begun, song)
            tokens, decoded, nats = tokens + done.new_tokens, decoded + done.notes, nats + done.nats
            stands = read_score(keys.written(song.pitches))
            yield from announcer.settle(note_keys(stands) - there)
            number += 1
        before += hole.last - hole.first
    about = {
        "bars": [[hole.first + 1, hole.last] for hole in variation.holes],
        "tracks": None if variation.tracks is None else sorted(variation.tracks),
        "key": variation.key,
        "programs": None,
        "prompt": variation.song.about,
        **({"remarks": remarks} if remarks else {}),
        "tokens": tokens,
        "notes": notes,
        "nats_per_note": round(nats / max(1, decoded), 4),
    }
    origin = {**writer.origin(seed, variation.sampling), **about, **variation.origin_entries()}
    now = keys.at(song.pitches)
    new = _moved(keys, now, variation.song.score)
    made = Piece(keys.written(song.pitches, origin_text(origin)), origin, new=new)
    yield from announcer.settle(note_keys(made.score) - there)
    return made, now


@dataclass
class _Bars:
    """A Listener that makes events of bars only; notes are announced when a block is done."""

    announcer: Announcer
    bars: BarMap
    first: int
    before: int

    def note(self, note: Written, cursor: Cursor) -> list[Event]:
        """Called with every complete note; ignored."""
        return []

    def bar(self, bar: int, cursor: Cursor) -> list[Event]:
        """Called with the index of every bar that begins."""
        number = min(self.first + bar, len(self.bars) - 1)
        if bar < 0:
            return []
        return [*self.announcer.bar(self.before + bar, int(self.bars.starts[number]), self.bars.meters[number])]

    def tempo(self, cursor: Cursor) -> None:
        """Called when the model has written a tempo change; ignored, as the song's tempo holds."""


def _notes_of(writer: Writer, variation: Variation, keys: Keys) -> Song:
    known = writer.tokenizer.grammar().scheme.has_programs
    programs = [
        DRUMS if variation.song.score.tracks[n].is_drum else note.place.program if known else 0
        for note, n in zip(keys.notes, keys.tracks, strict=True)
    ]
    return Song(keys, [note.pitch for note in keys.notes], programs, variation.song.score.ticks_per_quarter)


def _freedom(writer: Writer, variation: Variation, song: Song, seed: int) -> Freedom:
    """Return which notes may change their pitch in the version of ``seed``."""
    notes = [
        n
        for n, note in enumerate(song.keys.notes)
        if note.end is not None
        and song.programs[n] != DRUMS
        and (variation.tracks is None or song.keys.tracks[n] in variation.tracks)
        and (song.keys.tracks[n], note.start, note.pitch) not in variation.locked
        and within(note.start, variation.spans)
    ]
    if not notes:
        raise RequestError("no pitched note that is not locked begins in these bars: name others, or other tracks")
    pitches = writer.tokenizer.grammar().scheme.pitches(False)
    pitches = pitches if variation.scale is None else pitches & variation.scale
    dice = variation.dice(seed, len(song.keys.notes))
    certain = min(notes, key=lambda n: dice[n]) if variation.strength else -1
    return Freedom(frozenset(notes), variation.strength, dice, certain, pitches, variation.keep == "contour")


def _script(
    writer: Writer, variation: Variation, song: Song, stands: Score, hole: Hole, free: Freedom, last: int
) -> Scripted | None:
    """Return the scripted task of one block of the song as it ``stands``; None: no note of it may change."""
    start, end = span(variation.song.score, variation.bars, hole)
    mine = replace(free, notes=frozenset(n for n in free.notes if start <= song.start[n] < end))
    if not mine.notes:
        return None
    make = scripted_infill if writer.fills else scripted_continuation
    done = not start <= last < end or song.pitches != [note.pitch for note in song.keys.notes]
    return make(writer.tokenizer, stands, variation.bars, hole, song, mine, writer.context, changed=done)


# -- notes anew ------------------------------------------------------------------------------------------------------


def _around(writer: Writer, variation: Variation, keys: Keys, seed: int, piece: int) -> _Version:
    """Write one version with new notes around those that are preserved."""
    score = variation.song.score
    cannot = unwritable_tracks(writer, variation.song, False, stand_ins(writer, variation.song, False))
    there = [
        NoteRef(n, note.time, note.pitch)
        for n, track in enumerate(score.tracks)
        if n not in cannot and (variation.tracks is None or n in variation.tracks)
        for note in track.notes
        if within(note.time, variation.spans)
    ]
    if there and all(score.tracks[note.track].is_drum for note in there):
        raise RequestError("only drums play in these bars: name others, or other tracks")
    top = variation.song.melody(variation.locks)
    if variation.keep == "melody":
        top |= melody(score, variation.spans, variation.tracks)
    line = variation.locked | top
    others = [note for note in there if note not in line]
    if not others:
        what = f"nothing but {'what is locked' if variation.locks else 'the melody'}" if there else "no note"
        raise RequestError(f"{what} stands in these bars: name others, or other tracks")
    dice = variation.dice(seed, len(others))
    goes = {note for note, roll in zip(others, dice.tolist(), strict=True) if roll < variation.strength}
    goes = goes or {others[int(dice.argmin())]}
    preserved = frozenset(there) - goes
    ticks = sorted(note.tick for note in goes)
    jobs = [
        InfillJob(
            replace(hole, preserved=preserved),
            pitch_rules=_harmony(writer, variation) if variation.keep == "harmony" else None,
            melody=top,
        )
        for hole, (start, end) in zip(variation.holes, variation.spans, strict=True)
        if bisect_left(ticks, start) < bisect_left(ticks, end)
    ]
    infill = infill_of(
        variation.song, jobs, Request(key=variation.key), variation.sampling, extra_origin=variation.origin_entries()
    )
    made = yield from write_infill(writer, infill, seed, piece)
    return made, Keys(made.midi)


def _harmony(writer: Writer, variation: Variation) -> Callable[[Hole], tuple[PitchRule, ...]]:
    grid = writer.tokenizer.grammar().scheme.timing.ticks_per_quarter
    return lambda hole: (Harmony.of(variation.song.score, variation.bars, hole, grid, variation.scale),)


def _moved(before: Keys, after: Keys, song: Score) -> Score:
    """Return the notes whose pitch changed, each in its track of the song."""
    out = Score(song.ticks_per_quarter)
    out.tracks.extend([Track(track.name, track.program, track.is_drum) for track in song.tracks])
    for was, now, track in zip(before.notes, after.notes, before.tracks, strict=True):
        if now.pitch != was.pitch and now.end is not None:
            out.tracks[track].notes.append(Note(now.start, now.end - now.start, now.pitch, 64))
    return out
