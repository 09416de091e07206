"""Bars of a song written anew, and instruments added to it; everything else stays as it was, event for event.

A song is written hole by hole: each is a decode job of its own, in whose context what was written before already
stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from symusic import Score

from toccata.engine.job import DecodeJob
from toccata.engine.sampling import Sampling
from toccata.errors import RequestError
from toccata.events import Announcer, Event, NoteKey, SongClock
from toccata.midi.bars import BarMap, bar_map
from toccata.piece import Piece, origin_text
from toccata.tasks.conditioning import origin_of, part
from toccata.tasks.fill import TOO_LONG
from toccata.tasks.prompt import Prompt
from toccata.tasks.request import Request
from toccata.tokenizers.cursor import Cursor
from toccata.tokenizers.state import Note
from toccata.tokenizers.vocabulary import DRUMS
from toccata.verbs.holes import InfillJob, Part, bars_of, halves
from toccata.verbs.new import new_score
from toccata.verbs.parts import alone, assigned, new_keys, part_keys, rewritten, tracks_of, written
from toccata.verbs.writer import MAX_TOKENS, PieceVerb, Writer, further_seed


@dataclass(frozen=True)
class Infill:
    """What is asked for of every version of a song.

    Attributes:
        song: The song.
        jobs: Its holes, in the order in which they are infilled.
        request: What else is asked of the new music; its controls and chords are counted through ``bars``.
        sampling: How to draw.
        bars: Numbers of the song's bars.
        said: What the origin of a version says besides.
    """

    song: Prompt
    jobs: tuple[InfillJob, ...]
    request: Request
    sampling: Sampling
    bars: tuple[int, ...]
    said: Mapping[str, Any]


def infill_of(
    song: Prompt,
    jobs: Sequence[InfillJob],
    request: Request,
    sampling: Sampling,
    *,
    bars: Sequence[int] | None = None,
    said: Mapping[str, Any] | None = None,
) -> Infill:
    """An :class:`Infill` of some holes; ``bars`` are those of the holes if not given.

    Raises:
        RequestError: There are no holes.
    """
    if not jobs:
        raise RequestError("no bars are asked for")
    found = bars or bars_of([job.hole for job in jobs])
    return Infill(song, tuple(jobs), request, sampling, tuple(found), said or {})


def write_infill(writer: Writer, asked: Infill, seed: int, piece: int = 0) -> PieceVerb:
    """Write one version of a song: hole after hole, each with those before it already infilled.

    Args:
        writer: The model.
        asked: What is asked for.
        seed: Of the version.
        piece: The piece's number, for events.
    """
    song = asked.song
    stands, bars = song.score, bar_map(song.score)
    announcer = Announcer(piece, SongClock.of(song.score))
    parts: list[Part] = []
    tokens, notes, nats, number = 0, 0, 0.0, 0
    waiting = list(asked.jobs)
    while waiting:
        job = waiting.pop(0)
        hole = job.hole
        request = _request(asked, job, stands)
        try:
            task = writer.compile(request, writer.context * 2 // 3)
        except RequestError as error:
            if error.kind != TOO_LONG or hole.last - hole.first == 1:
                raise
            waiting[:0] = halves(job)
            continue
        listener = InfillNotes.of(writer, announcer, asked, job, stands, bars)
        limit = MAX_TOKENS * -(-(hole.last - hole.first) // 8)
        done = yield DecodeJob(task, further_seed(seed, number), asked.sampling, limit, listener)
        assert done is not None
        number += 1
        tokens, notes, nats = tokens + done.new_tokens, notes + done.notes, nats + done.nats
        if done.bars is not None:  # there was no room for more: the rest is a hole in whose context these bars stand
            rest = hole.first + done.bars
            waiting.insert(0, job.of_bars(rest, hole.last))
            job = job.of_bars(hole.first, rest)
        made = (job.assign_tracks or assigned)(new_score(writer.tokenizer, done, task, request), stands, bars, job)
        stands = written(stands, bars, job, made)
        parts += made
        yield from announcer.settle(part_keys(song.score, parts))
    about = {
        "bars": [list(span) for span in dict.fromkeys((job.hole.first + 1, job.hole.last) for job in asked.jobs)],
        "tracks": sorted(asked.jobs[0].hole.tracks) if asked.jobs[0].hole.tracks is not None else None,
        "key": asked.request.key,
        **origin_of(asked.request, writer.styles),
        "programs": tuple(dict.fromkeys(program for job in asked.jobs for program in job.programs or ())) or None,
        "prompt": song.about,
        "tokens": tokens,
        "notes": notes,
        "nats_per_note": round(nats / max(1, notes), 4),
    }
    origin = {**writer.origin(seed, asked.sampling), **about, **asked.said}
    midi = rewritten(song.midi, song.score, bars, asked.jobs, parts, origin_text(origin))
    made_piece = Piece(midi, origin, new=alone(song.score, parts))
    yield from announcer.settle(new_keys(made_piece, song.score, bars, asked.jobs))
    return made_piece


def _request(asked: Infill, job: InfillJob, stands: Score) -> Request:
    """What is asked for in one hole of a song as it stands."""
    hole = job.hole
    request = part(asked.request, asked.bars.index(hole.first), hole.last - hole.first)
    request = replace(request, prompt=stands, hole=hole, programs=job.programs)
    if job.pitch_rules is not None:
        request = replace(request, pitch_rules=(*request.pitch_rules, *job.pitch_rules(hole)))
    return request if job.template is None else replace(request, script=job.template(hole))


@dataclass
class InfillNotes:
    """Makes events of a hole while it is infilled: a Listener. Of a choir's voices only bars, until they are assigned.

    Attributes:
        announcer: Makes them.
        start: The tick of the song where the hole begins.
        scale: Ticks of the song for one of the tokenizer's grid.
        first: The number of its first bar among those asked for.
        programs: The program that plays in the file what the model writes for a program, where it is another.
        notes: Whether notes are announced.
    """

    announcer: Announcer
    start: int
    scale: float
    first: int
    programs: Mapping[int, int]
    notes: bool

    @classmethod
    def of(
        cls, writer: Writer, announcer: Announcer, asked: Infill, job: InfillJob, stands: Score, bars: BarMap
    ) -> InfillNotes:
        """For one hole."""
        grid = writer.tokenizer.grammar().scheme.timing.ticks_per_quarter
        programs = {}
        if not writer.tokenizer.grammar().scheme.has_programs and (mine := tracks_of(stands, job, 0)):
            programs[0] = int(stands.tracks[mine[0]].program)
        return cls(
            announcer,
            int(bars.starts[job.hole.first]),
            stands.ticks_per_quarter / grid,
            asked.bars.index(job.hole.first),
            programs,
            job.assign_tracks is None,
        )

    def note(self, note: Note, cursor: Cursor) -> Iterable[Event]:
        """A note is complete."""
        end = min(note.onset + note.length, cursor.end_tick)
        if not self.notes or not 0 <= note.onset < end:
            return []
        onset, drum = self._tick(note.onset), note.program == DRUMS
        program = 0 if drum else self.programs.get(note.program, note.program)
        length = max(1, self.start + round(end * self.scale) - onset)
        return [self.announcer.add(NoteKey(onset, length, note.pitch, note.velocity, program, drum))]

    def bar(self, bar: int, cursor: Cursor) -> Iterable[Event]:
        """A bar has been reached."""
        return self.announcer.bar(self.first + bar, self._tick(cursor.state.bar_tick), cursor.state.meter)

    def tempo(self, cursor: Cursor) -> None:
        """The song's tempo goes on."""

    def _tick(self, tick: int) -> int:
        return self.start + round(tick * self.scale)
