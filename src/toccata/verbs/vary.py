"""Variations of a song: some bars anew, with their rhythm, contour, melody or harmony kept."""

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
from toccata.midi.read import read_score
from toccata.midi.repitch import Keys
from toccata.piece import Piece, origin_text
from toccata.tasks.fill import TOO_LONG, Hole, NoteRef, can_fill
from toccata.tasks.prompt import Prompt
from toccata.tasks.request import Request
from toccata.tasks.revoice import Freedom, Song
from toccata.tasks.script import why_not
from toccata.tasks.scripted import Scripted, after, filled
from toccata.tasks.vary import Change, Harmony, Keep, change, melody, span, within
from toccata.tokenizers.cursor import Cursor
from toccata.tokenizers.rulebook import PitchRule
from toccata.tokenizers.state import Note as Written
from toccata.tokenizers.vocabulary import DRUMS
from toccata.verbs.holes import InfillJob, halves
from toccata.verbs.infill import infill_of, write_infill
from toccata.verbs.writer import MAX_TOKENS, Writer, further_seed

PITCHES = ("rhythm", "contour")
"""What is kept where nothing but pitches changes."""


@dataclass(frozen=True)
class Variation:
    """What is asked of every version.

    Attributes:
        song: The song.
        bars: Its bars.
        holes: What is varied.
        spans: The same in ticks.
        tracks: In these alone; None: all.
        locks: What is locked.
        kept: The notes that are.
        keep: What else stays.
        strength: How much of the rest may change, 0 to 1.
        key: Kept to.
        sampling: How bold.
    """

    song: Prompt
    bars: BarMap
    holes: list[Hole]
    spans: list[tuple[int, int]]
    tracks: frozenset[int] | None
    locks: tuple[Lock, ...]
    kept: frozenset[NoteRef]
    keep: Keep
    strength: float
    key: str | None
    sampling: Sampling

    def said(self) -> dict[str, Any]:
        """What the origin of a version says of it."""
        locks = {"locks": [str(lock) for lock in self.locks]} if self.locks else {}
        return {"keep": self.keep, "strength": self.strength, **locks}

    @property
    def scale(self) -> NDArray[np.bool_] | None:
        """``bool[128]``: what lies in the key."""
        return None if self.key is None else every_octave(Key.read(self.key).scale())

    def dice(self, seed: int, count: int) -> NDArray[np.float64]:
        """A number from 0 to 1 for each of so many notes."""
        return np.random.default_rng([seed, count]).random(count)


def refuse_unable(writer: Writer, keep: Keep) -> None:
    """Refuse what a model cannot keep.

    Raises:
        RequestError: It cannot, and why.
    """
    reason = why_not(writer.tokenizer)
    if reason and (keep in PITCHES or not can_fill(writer.tokenizer)):
        raise RequestError(f"{writer.name} cannot keep a {keep}: {reason}; train a model with recipe toccata")
    if keep not in PITCHES and not writer.fills:
        only = "" if reason else ", and can keep only rhythm or contour"
        raise RequestError(f"{writer.name} has not learned to fill{only}: for {keep}, {writer.how_to_fill}")


def write_variation(
    writer: Writer, asked: Variation, keys: Keys, seed: int, piece: int = 0
) -> Generator[DecodeJob | Event, Decoded | None, tuple[Piece, Change]]:
    """Write one version; it comes with how far it is from the song.

    Args:
        writer: The model.
        asked: What is asked for.
        keys: The song's notes.
        seed: Of the version.
        piece: The version's number, for events.
    """
    write = _revoiced if asked.keep in PITCHES or not asked.strength else _around
    made, now = yield from write(writer, asked, keys, seed, piece)
    what = change(keys, now, asked.spans, asked.tracks)
    return replace(made, origin={**made.origin, "distance": what.distance, "changed": what.summary}), what


_Version = Generator[DecodeJob | Event, Decoded | None, tuple[Piece, Keys]]

# -- pitches alone ---------------------------------------------------------------------------------------------------


def _revoiced(writer: Writer, asked: Variation, keys: Keys, seed: int, piece: int) -> _Version:
    """One version with other pitches, written block by block."""
    song = _notes_of(writer, asked, keys)
    free = _freedom(writer, asked, song, seed)
    announcer = Announcer(piece, SongClock.of(asked.song.score))
    there = note_keys(read_score(asked.song.midi))
    last = max((song.start[n] for n in free.notes if free.dice[n] < free.share or n == free.certain), default=-1)
    waiting, number, before = list(asked.holes) if last >= 0 else [], 0, 0
    tokens, notes, decoded, nats = 0, 0, 0, 0.0
    while waiting:
        hole = waiting.pop(0)
        try:
            scripted = _script(writer, asked, song, hole, free, last)
        except RequestError as error:
            if error.kind != TOO_LONG or hole.last - hole.first == 1:
                raise
            waiting[:0] = [job.hole for job in halves(InfillJob(hole))]
            continue
        if scripted is not None:
            listener = _Bars(announcer, asked.bars, hole.first, before)
            done = yield DecodeJob(scripted.task, further_seed(seed, number), asked.sampling, MAX_TOKENS, listener)
            assert done is not None
            notes += scripted.sing(done.cursor.begun, song)
            tokens, decoded, nats = tokens + done.new_tokens, decoded + done.notes, nats + done.nats
            yield from announcer.settle(note_keys(read_score(keys.written(song.pitches))) - there)
            number += 1
        before += hole.last - hole.first
    about = {
        "bars": [[hole.first + 1, hole.last] for hole in asked.holes],
        "tracks": None if asked.tracks is None else sorted(asked.tracks),
        "key": asked.key,
        "programs": None,
        "prompt": asked.song.about,
        "tokens": tokens,
        "notes": notes,
        "nats_per_note": round(nats / max(1, decoded), 4),
    }
    origin = {**writer.origin(seed, asked.sampling), **about, **asked.said()}
    now = keys.at(song.pitches)
    new = _moved(keys, now, asked.song.score)
    made = Piece(keys.written(song.pitches, origin_text(origin)), origin, new=new)
    yield from announcer.settle(note_keys(made.score) - there)
    return made, now


@dataclass
class _Bars:
    """Makes events of bars alone: a Listener. The notes are announced when a block is done."""

    announcer: Announcer
    bars: BarMap
    first: int
    before: int

    def note(self, note: Written, cursor: Cursor) -> list[Event]:
        """Nothing yet."""
        return []

    def bar(self, bar: int, cursor: Cursor) -> list[Event]:
        """A bar has been reached."""
        number = min(self.first + bar, len(self.bars) - 1)
        if bar < 0:
            return []
        return [*self.announcer.bar(self.before + bar, int(self.bars.starts[number]), self.bars.meters[number])]

    def tempo(self, cursor: Cursor) -> None:
        """The song's tempo goes on."""


def _notes_of(writer: Writer, asked: Variation, keys: Keys) -> Song:
    known = writer.tokenizer.grammar().scheme.has_programs
    programs = [
        DRUMS if asked.song.score.tracks[n].is_drum else note.place.program if known else 0
        for note, n in zip(keys.notes, keys.tracks, strict=True)
    ]
    return Song(keys, [note.pitch for note in keys.notes], programs, asked.song.score.ticks_per_quarter)


def _freedom(writer: Writer, asked: Variation, song: Song, seed: int) -> Freedom:
    """Which notes of all that are varied may move in the version of ``seed``."""
    notes = [
        n
        for n, note in enumerate(song.keys.notes)
        if note.end is not None
        and song.programs[n] != DRUMS
        and (asked.tracks is None or song.keys.tracks[n] in asked.tracks)
        and (song.keys.tracks[n], note.start, note.pitch) not in asked.kept
        and within(note.start, asked.spans)
    ]
    if not notes:
        raise RequestError("no pitched note that is not locked begins in these bars: name others, or other tracks")
    pitches = writer.tokenizer.grammar().scheme.pitches(False)
    pitches = pitches if asked.scale is None else pitches & asked.scale
    dice = asked.dice(seed, len(song.keys.notes))
    certain = min(notes, key=lambda n: dice[n]) if asked.strength else -1
    return Freedom(frozenset(notes), asked.strength, dice, certain, pitches, asked.keep == "contour")


def _script(writer: Writer, asked: Variation, song: Song, hole: Hole, free: Freedom, last: int) -> Scripted | None:
    """What the model is asked for in one block; None: nothing."""
    start, end = span(asked.song.score, asked.bars, hole)
    mine = replace(free, notes=frozenset(n for n in free.notes if start <= song.start[n] < end))
    if not mine.notes:
        return None
    stands = read_score(song.keys.written(song.pitches))
    make = filled if writer.fills else after
    done = not start <= last < end or song.pitches != [note.pitch for note in song.keys.notes]
    return make(writer.tokenizer, stands, asked.bars, hole, song, mine, writer.context, changed=done)


# -- notes anew ------------------------------------------------------------------------------------------------------


def _around(writer: Writer, asked: Variation, keys: Keys, seed: int, piece: int) -> _Version:
    """One version with other notes around those that stay."""
    score = asked.song.score
    there = [
        NoteRef(n, note.time, note.pitch)
        for n, track in enumerate(score.tracks)
        if asked.tracks is None or n in asked.tracks
        for note in track.notes
        if within(note.time, asked.spans)
    ]
    if there and all(score.tracks[note.track].is_drum for note in there):
        raise RequestError("only drums play in these bars: name others, or other tracks")
    line = asked.kept
    if asked.keep == "melody":
        line |= melody(score, asked.spans, asked.tracks)
    others = [note for note in there if note not in line]
    if not others:
        what = f"nothing but {'what is locked' if asked.locks else 'the melody'}" if there else "no note"
        raise RequestError(f"{what} stands in these bars: name others, or other tracks")
    dice = asked.dice(seed, len(others))
    goes = {note for note, roll in zip(others, dice.tolist(), strict=True) if roll < asked.strength}
    goes = goes or {others[int(dice.argmin())]}
    kept = frozenset(there) - goes
    ticks = sorted(note.tick for note in goes)
    jobs = [
        InfillJob(replace(hole, kept=kept), pitch_rules=_harmony(writer, asked) if asked.keep == "harmony" else None)
        for hole, (start, end) in zip(asked.holes, asked.spans, strict=True)
        if bisect_left(ticks, start) < bisect_left(ticks, end)
    ]
    infill = infill_of(asked.song, jobs, Request(key=asked.key), asked.sampling, said=asked.said())
    made = yield from write_infill(writer, infill, seed, piece)
    return made, Keys(made.midi)


def _harmony(writer: Writer, asked: Variation) -> Callable[[Hole], tuple[PitchRule, ...]]:
    grid = writer.tokenizer.grammar().scheme.timing.ticks_per_quarter
    return lambda hole: (Harmony.of(asked.song.score, asked.bars, hole, grid, asked.scale),)


def _moved(before: Keys, after: Keys, song: Score) -> Score:
    """The notes that have another pitch, each in the track of the song that it stands in."""
    out = Score(song.ticks_per_quarter)
    out.tracks.extend([Track(track.name, track.program, track.is_drum) for track in song.tracks])
    for was, now, track in zip(before.notes, after.notes, before.tracks, strict=True):
        if now.pitch != was.pitch and now.end is not None:
            out.tracks[track].notes.append(Note(now.start, now.end - now.start, now.pitch, 64))
    return out
