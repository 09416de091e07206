"""Infilling: bars of a song written anew, and instruments added; everything else is unchanged, event for event.

A song is infilled hole by hole. Each hole is a decode job, whose context has the holes that were infilled before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from symusic import Score

from toccata.engine.job import DecodeJob
from toccata.engine.sampling import Sampling
from toccata.errors import RequestError
from toccata.events import Announcer, Event, NoteKey, SongClock
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.replace import refuse_no_channel
from toccata.piece import Piece, origin_text
from toccata.tasks.conditioning import origin_of, part
from toccata.tasks.coverage import in_words, substituted, substitutes
from toccata.tasks.ensemble import refuse_unlearned
from toccata.tasks.fill import TOO_LONG
from toccata.tasks.prompt import Prompt
from toccata.tasks.request import Request, Task
from toccata.tokenizers.cursor import Cursor
from toccata.tokenizers.state import Note
from toccata.tokenizers.vocabulary import DRUMS
from toccata.verbs.holes import InfillJob, Part, bars_of, halves, in_unknown_meters
from toccata.verbs.new import new_score
from toccata.verbs.parts import alone, assigned, bent, new_keys, part_keys, program_of, rewritten, tracks_of, written
from toccata.verbs.writer import MAX_TOKENS, PieceVerb, Writer, further_seed


@dataclass(frozen=True)
class Infill:
    """The arguments for infilling a song, the same for every version.

    Attributes:
        song: The song.
        jobs: Its holes, in the order in which they are infilled.
        request: The request for the new music; its controls and chords are those of ``bars``, one after the other.
        sampling: The sampling parameters.
        bars: Indices of the song's bars that controls and chords apply to.
        extra_origin: Further entries of a version's origin.
        first_tasks: The compiled tasks of holes that are infilled before any other, which all versions share.
    """

    song: Prompt
    jobs: tuple[InfillJob, ...]
    request: Request
    sampling: Sampling
    bars: tuple[int, ...]
    extra_origin: Mapping[str, Any]
    first_tasks: dict[tuple[int, int], Task] = field(default_factory=dict, compare=False, repr=False)


def infill_of(
    song: Prompt,
    jobs: Sequence[InfillJob],
    request: Request,
    sampling: Sampling,
    *,
    bars: Sequence[int] | None = None,
    extra_origin: Mapping[str, Any] | None = None,
    new_tracks: Sequence[int] | None = None,
) -> Infill:
    """Return the :class:`Infill` of some holes.

    Args:
        song: The song.
        jobs: Its holes.
        request: The request for the new music.
        sampling: The sampling parameters.
        bars: Indices of the song's bars that controls and chords apply to; None: those of the holes.
        extra_origin: Further entries of a version's origin.
        new_tracks: The programs of the tracks that are added, -1 is the drums; None: one for each that the jobs name.

    Raises:
        MidiError: The song has no channel left for a new track.
        RequestError: There are no holes.
    """
    if not jobs:
        raise RequestError("no bars are asked for")
    if new_tracks is None:
        new_tracks = list(dict.fromkeys(program for job in jobs for program in job.programs or ()))
    if new_tracks:
        start = int(bar_map(song.score).starts[min(job.hole.first for job in jobs)])
        with song.named():
            refuse_no_channel(song.midi, new_tracks, start)
    found = bars or bars_of([job.hole for job in jobs])
    return Infill(song, tuple(jobs), request, sampling, tuple(found), extra_origin or {})


def write_infill(writer: Writer, infill: Infill, seed: int, piece: int = 0) -> PieceVerb:
    """Write one version of a song, hole by hole, each with the holes before it already infilled.

    Args:
        writer: The model.
        infill: What to write.
        seed: The seed of the version.
        piece: The piece's number, for events.
    """
    song, bars = infill.song, bar_map(infill.song.score)
    instead = stand_ins(writer, song, infill.request.anyway)
    infill, remarks = _writable(writer, infill, bars, instead)
    stands = substituted(song.score, instead)
    assign = partial(assigned, programs=writer.tokenizer.grammar().scheme.has_programs)
    announcer = Announcer(piece, SongClock.of(song.score))
    parts: list[Part] = []
    tokens, notes, nats, number = 0, 0, 0.0, 0
    waiting = list(infill.jobs)
    while waiting:
        job = waiting.pop(0)
        hole = job.hole
        request = replace(_request(infill, job, stands, instead, seed), prompt_bars=bars)
        # Of the first hole the versions differ in nothing but the seed, unless a plan was made with it.
        shared = infill.first_tasks if number == 0 and job.plan is None else {}
        try:
            task = shared.get((hole.first, hole.last)) or writer.compile(request, writer.context * 2 // 3)
            shared[hole.first, hole.last] = task
        except RequestError as error:
            if error.kind != TOO_LONG or hole.last - hole.first == 1:
                raise
            waiting[:0] = halves(job)
            continue
        remarks += task.remarks
        listener = InfillNotes.of(writer, announcer, infill, job, stands, bars)
        limit = MAX_TOKENS * -(-(hole.last - hole.first) // 8)
        done = yield DecodeJob(task, further_seed(seed, number), infill.sampling, limit, listener)
        assert done is not None
        number += 1
        tokens, notes, nats = tokens + done.new_tokens, notes + done.notes, nats + done.nats
        if done.bars is not None:  # the context was full: the remaining bars are another hole, whose context has these
            rest = hole.first + done.bars
            waiting.insert(0, job.of_bars(rest, hole.last))
            job = job.of_bars(hole.first, rest)
        made = (job.assign_tracks or assign)(new_score(writer.tokenizer, done, task, request), stands, bars, job)
        stands = substituted(written(stands, bars, job, made), instead)
        parts += made
        yield from announcer.settle(part_keys(song.score, parts))
    remarks += bent(song.score, bars, parts)
    about = {
        "bars": [list(span) for span in dict.fromkeys((job.hole.first + 1, job.hole.last) for job in infill.jobs)],
        "tracks": sorted(infill.jobs[0].hole.tracks) if infill.jobs[0].hole.tracks is not None else None,
        "key": infill.request.key,
        **origin_of(infill.request, writer.styles),
        "programs": tuple(dict.fromkeys(program for job in infill.jobs for program in job.programs or ())) or None,
        "prompt": song.about,
        **({"remarks": list(dict.fromkeys(remarks))} if remarks else {}),
        "tokens": tokens,
        "notes": notes,
        "nats_per_note": round(nats / max(1, notes), 4),
    }
    origin = {**writer.origin(seed, infill.sampling), **about, **infill.extra_origin}
    with song.named():
        midi, parts = rewritten(
            song.midi, song.score, bars, infill.jobs, parts, lambda count: origin_text({**origin, "notes": count})
        )
    origin["notes"] = sum(len(part.notes) for part in parts)
    made_piece = Piece(midi, origin, new=alone(song.score, parts))
    yield from announcer.settle(new_keys(made_piece, song.score, bars, infill.jobs))
    return made_piece


def stand_ins(writer: Writer, song: Prompt, anyway: bool) -> dict[int, int]:
    """Return, for each program of the song that the model has not learned, the one as which it reads and writes it."""
    if anyway or not writer.tokenizer.grammar().scheme.has_programs:
        return {}
    tracks = song.score.tracks
    return substitutes(writer.coverage, {int(t.program) for t in tracks if len(t.notes) and not t.is_drum})


def unwritable_tracks(writer: Writer, song: Prompt, anyway: bool, instead: Mapping[int, int]) -> frozenset[int]:
    """Return the tracks of a song that the model cannot write: drums, or instruments, that it does not have.

    Args:
        writer: The model.
        song: The song.
        anyway: Whether instruments that the model has not learned may play.
        instead: The programs as which the model writes some that it has not learned.
    """
    programs = {n: program_of(track) for n, track in enumerate(song.score.tracks) if len(track.notes)}
    return frozenset(n for n, p in programs.items() if not writer.can_write(instead.get(p, p), anyway))


def _writable(writer: Writer, infill: Infill, bars: BarMap, instead: Mapping[int, int]) -> tuple[Infill, list[str]]:
    """Return the infilling without what the model cannot write, bars or tracks, which is unchanged; and remarks.

    Raises:
        RequestError: Nothing is left of a hole.
    """
    left_out, remarks = in_unknown_meters(writer.tokenizer.grammar(), bars, [job.hole for job in infill.jobs])
    score, anyway = infill.song.score, infill.request.anyway
    cannot = unwritable_tracks(writer, infill.song, anyway, instead)
    jobs, unchanged = [], set[int]()
    for job in (job for job in infill.jobs if job.hole not in left_out):
        chosen = frozenset(job.hole.tracks_in(score))
        if job.programs is None and chosen & cannot:
            left, programs = chosen - cannot, {program_of(score.tracks[n]) for n in chosen & cannot}
            if not any(len(score.tracks[n].notes) for n in left):
                refuse_unlearned(sorted(programs), None if anyway else writer.coverage)
                raise RequestError(f"{writer.name} does not write {in_words(sorted(programs))}: name other tracks")
            job, unchanged = replace(job, hole=replace(job.hole, tracks=left)), unchanged | programs
        jobs.append(job)
    remarks += [f"unchanged, as the model cannot write it: {in_words([program])}" for program in sorted(unchanged)]
    infill = replace(infill, jobs=tuple(jobs))
    return infill, [*remarks, *_remarks(infill, instead)]


def _remarks(infill: Infill, instead: Mapping[int, int]) -> list[str]:
    """Return in words as what instruments the new notes are written, where the model has not learned their own."""
    tracks = infill.jobs[0].hole.tracks
    written = {
        int(track.program)
        for number, track in enumerate(infill.song.score.tracks)
        if not track.is_drum and len(track.notes) and (tracks is None or number in tracks)
    }
    return [
        f"{in_words([program])} is written as if it were {in_words([other])}: the model has not learned it"
        for program, other in sorted(instead.items())
        if program in written
    ]


def _request(infill: Infill, job: InfillJob, stands: Score, instead: Mapping[int, int], seed: int) -> Request:
    """Return the request for one hole of ``stands``, the song with the holes before it infilled."""
    hole = job.hole
    request = part(infill.request, infill.bars.index(hole.first), hole.last - hole.first)
    programs = job.programs
    if programs is not None and job.template is not None:  # voices played by an instrument of the song
        programs = tuple(instead.get(program, program) for program in programs)
    request = replace(request, prompt=stands, hole=hole, programs=programs, melody=job.melody)
    if job.pitch_rules is not None:
        request = replace(request, pitch_rules=(*request.pitch_rules, *job.pitch_rules(hole)))
    if job.plan is not None and request.chords is None:
        request = replace(request, voiced=job.plan(hole, seed, request.key))
    return request if job.template is None else replace(request, script=job.template(hole))


@dataclass
class InfillNotes:
    """A Listener that makes events of a hole while it is infilled, except notes that are assigned to voices later.

    Attributes:
        announcer: Makes the events.
        start: The tick of the song where the hole begins.
        scale: The song's ticks per tick of the tokenizer's grid.
        first: The index of its first bar among the requested bars.
        programs: The program in the file for each program the model writes, where they differ.
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
        cls, writer: Writer, announcer: Announcer, infill: Infill, job: InfillJob, stands: Score, bars: BarMap
    ) -> InfillNotes:
        """Return the listener for one hole."""
        grid = writer.tokenizer.grammar().scheme.timing.ticks_per_quarter
        original = infill.song.score.tracks
        programs = {
            int(read.program): int(own.program)
            for read, own in zip(stands.tracks, original, strict=False)
            if int(read.program) != int(own.program)
        }
        if not writer.tokenizer.grammar().scheme.has_programs and (mine := tracks_of(stands, bars, job, None)):
            programs[0] = int(stands.tracks[mine[0]].program)
        return cls(
            announcer,
            int(bars.starts[job.hole.first]),
            stands.ticks_per_quarter / grid,
            infill.bars.index(job.hole.first),
            programs,
            job.assign_tracks is None,
        )

    def note(self, note: Note, cursor: Cursor) -> Iterable[Event]:
        """Called with every complete note."""
        end = min(note.onset + note.length, cursor.end_tick)
        if not self.notes or not 0 <= note.onset < end:
            return []
        onset, drum = self._tick(note.onset), note.program == DRUMS
        program = 0 if drum else self.programs.get(note.program, note.program)
        length = max(1, self.start + round(end * self.scale) - onset)
        return [self.announcer.add(NoteKey(onset, length, note.pitch, note.velocity, program, drum))]

    def bar(self, bar: int, cursor: Cursor) -> Iterable[Event]:
        """Called with the index of every bar that begins."""
        return self.announcer.bar(self.first + bar, self._tick(cursor.state.bar_tick), cursor.state.meter)

    def tempo(self, cursor: Cursor) -> None:
        """Called when the model has written a tempo change; ignored, as the song's tempo holds."""

    def _tick(self, tick: int) -> int:
        return self.start + round(tick * self.scale)
