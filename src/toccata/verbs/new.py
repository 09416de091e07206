"""New pieces, and music that goes on from a prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

from symusic import ControlChange, KeySignature, Score, Tempo, TimeSignature, Track
from symusic import Note as ScoreNote

from toccata.engine.job import Decoded, DecodeJob
from toccata.engine.sampling import Sampling
from toccata.events import Announcer, Event, NoteKey, SongClock, note_keys
from toccata.midi.read import read_score
from toccata.midi.splice import continue_file, drop_before, new_file
from toccata.piece import Piece, origin_text
from toccata.tasks.conditioning import origin_of
from toccata.tasks.prompt import Prompt
from toccata.tasks.request import Request, Task
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.cursor import Cursor
from toccata.tokenizers.state import Note
from toccata.tokenizers.vocabulary import DRUMS
from toccata.verbs.writer import MAX_TOKENS, PieceVerb, Writer


@dataclass(frozen=True)
class NewMusic:
    """What new music is asked for.

    Attributes:
        request: What is asked of it.
        prompt: What it goes on from; None: nothing.
        sampling: How to draw.
        max_tokens: It comes to its end after about so many new ids; None: after as many as usual.
        only: Whether the prompt is left out of the piece.
    """

    request: Request
    prompt: Prompt | None
    sampling: Sampling
    max_tokens: int | None = None
    only: bool = False

    @property
    def limit(self) -> int:
        """After so many new ids it comes to its end."""
        bars = self.request.bars
        return self.max_tokens or (MAX_TOKENS if bars is None else MAX_TOKENS * -(-bars // 8))


def write_new(writer: Writer, asked: NewMusic, task: Task, seed: int, piece: int = 0) -> PieceVerb:
    """Write new music; one decode job.

    Args:
        writer: The model.
        asked: What is asked for.
        task: The same, compiled.
        seed: Of the job.
        piece: The piece's number, for events.
    """
    notes = NewNotes.of(writer.tokenizer, asked, task, piece)
    made, done = yield from decode_new(writer, asked, task, seed, notes)
    yield from notes.announcer.settle(_new_keys(made, done, asked))
    return made


def decode_new(
    writer: Writer, asked: NewMusic, task: Task, seed: int, notes: NewNotes
) -> Generator[DecodeJob | Event, Decoded | None, tuple[Piece, Decoded]]:
    """The same, with what was decoded, and without a last look at what has become of the notes announced."""
    done = yield DecodeJob(task, seed, asked.sampling, asked.limit, notes)
    assert done is not None
    return _piece(writer, asked, task, seed, done), done


def _new_keys(made: Piece, done: Decoded, asked: NewMusic) -> Counter[NoteKey]:
    """The notes of a finished piece that are not its prompt's."""
    prompt = asked.prompt
    if prompt is None or asked.only:
        return note_keys(made.score) if done.notes else Counter()
    return note_keys(made.score) - note_keys(read_score(prompt.midi), before=prompt.keep_until)


@dataclass
class NewNotes:
    """Makes events of new music while it is written: a Listener.

    Attributes:
        announcer: Makes them.
        task: What is written.
        bounded: Whether the number of bars is given, so that nothing sounds behind them.
        grid: Ticks a quarter of the tokenizer.
        at: The tick of the piece's file where the new music begins.
        steady: Whether the tempo is given, whatever the model writes.
        first: The number of the first new bar among those asked for.
    """

    announcer: Announcer
    task: Task
    bounded: bool
    grid: int
    at: int
    steady: bool
    first: int = 0

    @classmethod
    def of(cls, tokenizer: Tokenizer, asked: NewMusic, task: Task, piece: int) -> NewNotes:
        """For one piece."""
        prompt, request = asked.prompt, asked.request
        grid = tokenizer.grammar().scheme.timing.ticks_per_quarter
        if prompt is None:
            clock, at = SongClock(grid, [(0, request.tempo or 120.0)]), 0
        else:
            clock, at = SongClock.of(prompt.score), 0 if asked.only else task.seam
            if asked.only:
                clock = SongClock(prompt.score.ticks_per_quarter, [(0, clock.tempo(task.seam))])
            clock.cut(at)
            if request.tempo is not None:
                clock.change(at, request.tempo)
        steady = request.tempo is not None or prompt is not None
        return cls(Announcer(piece, clock), task, request.bars is not None, grid, at, steady)

    def note(self, note: Note, cursor: Cursor) -> Iterable[Event]:
        """A note is complete."""
        end = note.onset + note.length
        if note.onset < self.task.start or note.length <= 0:
            return []
        if self.bounded:
            if note.onset >= cursor.end_tick:
                return []
            end = min(end, cursor.end_tick)
        onset, drum = self._tick(note.onset), note.program == DRUMS
        program = 0 if drum else note.program
        return [self.announcer.add(NoteKey(onset, self._tick(end) - onset, note.pitch, note.velocity, program, drum))]

    def bar(self, bar: int, cursor: Cursor) -> Iterable[Event]:
        """A bar has been reached."""
        if bar < 0:
            return []
        return self.announcer.bar(self.first + bar, self._tick(cursor.state.bar_tick), cursor.state.meter)

    def tempo(self, cursor: Cursor) -> None:
        """The model has written another tempo."""
        if not self.steady:
            self.announcer.clock.change(self._tick(cursor.state.tick), cursor.state.tempo / 1000)

    def _tick(self, tick: int) -> int:
        """A tick of the file."""
        return self.at + round((tick - self.task.start) * self.announcer.clock.ticks_per_quarter / self.grid)


def new_score(tokenizer: Tokenizer, done: Decoded, task: Task, request: Request) -> Score:
    """The notes and events that were decoded, from the seam on; tick 0 is the seam."""
    grid = tokenizer.decode(done.ids[task.skip :])
    end, bounded = done.end_tick, request.bars is not None
    out = Score(grid.ticks_per_quarter)
    for track in grid.tracks:
        new = Track(track.name, track.program, track.is_drum)
        for note in track.notes:
            if note.time >= task.start and (not bounded or note.time < end):
                length = min(note.duration, end - note.time) if bounded else note.duration
                new.notes.append(ScoreNote(note.time - task.start, length, note.pitch, note.velocity))
        new.controls = [
            ControlChange(c.time - task.start, c.number, c.value) for c in track.controls if c.time >= task.start
        ]
        new.pedals = [type(p)(p.time - task.start, p.duration) for p in track.pedals if p.time >= task.start]
        new.pitch_bends = [type(b)(b.time - task.start, b.value) for b in track.pitch_bends if b.time >= task.start]
        if len(new.notes):
            out.tracks.append(new)
    first = request.prompt is None
    out.time_signatures = [
        TimeSignature(s.time - task.start, s.numerator, s.denominator)
        for s in grid.time_signatures
        if s.time > task.start or (first and s.time == task.start)
    ]
    if first and (not len(out.time_signatures) or not tokenizer.grammar().scheme.has_meters):
        out.time_signatures = [TimeSignature(0, *(request.meter or (4, 4)))]
    elif first and request.meter is not None:  # the model may have said it as another of the same length
        out.time_signatures[0] = TimeSignature(0, *request.meter)
    out.key_signatures = [
        KeySignature(s.time - task.start, s.key, s.tonality) for s in grid.key_signatures if s.time >= task.start
    ]
    tempos = [Tempo(max(0, t.time - task.start), mspq=t.mspq) for t in grid.tempos if t.time > task.start or first]
    if request.tempo is not None:
        tempos = [Tempo(0, qpm=request.tempo)]
    elif first and not tempos:
        tempos = [Tempo(0, qpm=120.0)]
    out.tempos = tempos
    return out


def _piece(writer: Writer, asked: NewMusic, task: Task, seed: int, done: Decoded) -> Piece:
    """The piece, from the ids that were decoded."""
    request, prompt = asked.request, asked.prompt
    new = new_score(writer.tokenizer, done, task, request)
    origin: dict[str, Any] = {
        **writer.origin(seed, asked.sampling),
        **({} if asked.max_tokens is None else {"max_tokens": asked.max_tokens}),
        "bars": request.bars,
        "key": request.key,
        "tempo": request.tempo,
        "meter": request.meter,
        "programs": request.programs,
        **origin_of(request, writer.styles),
        "prompt": None if prompt is None else prompt.about,
        "tokens": done.new_tokens,
        "notes": done.notes,
        "nats_per_note": round(done.nats / max(1, done.notes), 4),
    }
    text = origin_text(origin)
    if prompt is None:
        return Piece(new_file(new, text=text), origin)
    whole = continue_file(prompt.midi, task.seam, new, keep_until=prompt.keep_until, text=text)
    if asked.only:
        return Piece(drop_before(whole, task.seam), origin)
    return Piece(whole, origin, task.seam)
