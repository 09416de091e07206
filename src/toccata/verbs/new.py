"""New pieces, and continuations of a prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from typing import Any

from symusic import ControlChange, KeySignature, Score, Tempo, TimeSignature, Track
from symusic import Note as ScoreNote

from toccata.engine.job import Decoded, DecodeJob
from toccata.engine.sampling import Sampling
from toccata.events import Announcer, Event, NoteKey, SongClock, note_keys
from toccata.midi.keys import Key
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
    """The arguments for new music: a request, its prompt and how to sample.

    Attributes:
        request: The request.
        prompt: The prompt to continue; None: a new piece.
        sampling: The sampling parameters.
        max_tokens: The piece ends after about so many new ids; None: the usual limit.
        continuation_only: Whether the prompt is left out of the piece.
    """

    request: Request
    prompt: Prompt | None
    sampling: Sampling
    max_tokens: int | None = None
    continuation_only: bool = False

    @property
    def limit(self) -> int:
        """The most new ids of the piece."""
        bars = self.request.bars
        return self.max_tokens or (MAX_TOKENS if bars is None else MAX_TOKENS * -(-bars // 8))


def write_new(writer: Writer, new_music: NewMusic, task: Task, seed: int, piece: int = 0) -> PieceVerb:
    """Write new music; one decode job.

    Args:
        writer: The model.
        new_music: What to write.
        task: Its request, compiled.
        seed: The seed of the job.
        piece: The piece's number, for events.
    """
    drawn = writer.with_style_levels(new_music.request, seed)
    if drawn is not new_music.request:
        new_music, task = replace(new_music, request=drawn), writer.compile(drawn, writer.context * 3 // 4)
    notes = NewNotes.of(writer.tokenizer, new_music, task, piece)
    made, done = yield from decode_new(writer, new_music, task, seed, notes)
    yield from notes.announcer.settle(_new_keys(made, done, new_music))
    return made


def decode_new(
    writer: Writer, new_music: NewMusic, task: Task, seed: int, notes: NewNotes
) -> Generator[DecodeJob | Event, Decoded | None, tuple[Piece, Decoded]]:
    """Write new music like :func:`write_new`, and return the decoded ids, too; announced notes are not settled."""
    done = yield DecodeJob(task, seed, new_music.sampling, new_music.limit, notes)
    assert done is not None
    return _piece(writer, new_music, task, seed, done), done


def _new_keys(made: Piece, done: Decoded, new_music: NewMusic) -> Counter[NoteKey]:
    """Return the notes of a finished piece that are not its prompt's."""
    prompt = new_music.prompt
    if prompt is None or new_music.continuation_only:
        return note_keys(made.score) if done.notes else Counter()
    return note_keys(made.score) - note_keys(read_score(prompt.midi), before=prompt.keep_until)


@dataclass
class NewNotes:
    """A Listener that makes events of new music while it is decoded.

    Attributes:
        announcer: Makes the events.
        task: The task that is decoded.
        bounded: Whether the number of bars is fixed, so that notes end with the last bar.
        grid: The tokenizer's ticks per quarter.
        at: The tick of the piece's file where the new music begins.
        steady: Whether the tempo is fixed, whatever the model writes.
        first: The index of the first new bar among the requested bars.
    """

    announcer: Announcer
    task: Task
    bounded: bool
    grid: int
    at: int
    steady: bool
    first: int = 0

    @classmethod
    def of(cls, tokenizer: Tokenizer, new_music: NewMusic, task: Task, piece: int) -> NewNotes:
        """Return the listener for one piece."""
        prompt, request = new_music.prompt, new_music.request
        grid = tokenizer.grammar().scheme.timing.ticks_per_quarter
        if prompt is None:
            clock, at = SongClock(grid, [(0, request.tempo or 120.0)]), 0
        else:
            clock, at = SongClock.of(prompt.score), 0 if new_music.continuation_only else task.seam
            if new_music.continuation_only:
                clock = SongClock(prompt.score.ticks_per_quarter, [(0, clock.tempo(task.seam))])
            clock.cut(at)
            if request.tempo is not None:
                clock.change(at, request.tempo)
        steady = request.tempo is not None or prompt is not None
        return cls(Announcer(piece, clock), task, request.bars is not None, grid, at, steady)

    def note(self, note: Note, cursor: Cursor) -> Iterable[Event]:
        """Called with every complete note."""
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
        """Called with the index of every bar that begins."""
        if bar < 0:
            return []
        return self.announcer.bar(self.first + bar, self._tick(cursor.state.bar_tick), cursor.state.meter)

    def tempo(self, cursor: Cursor) -> None:
        """Called when the model has written a tempo change."""
        if not self.steady:
            self.announcer.clock.change(self._tick(cursor.state.tick), cursor.state.tempo / 1000)

    def _tick(self, tick: int) -> int:
        """Convert a tick of the tokenizer's grid to one of the file."""
        return self.at + round((tick - self.task.start) * self.announcer.clock.ticks_per_quarter / self.grid)


def new_score(tokenizer: Tokenizer, done: Decoded, task: Task, request: Request) -> Score:
    """Return the decoded notes and events from the seam on; tick 0 is the seam."""
    grid = tokenizer.decode(done.ids[task.skip :])
    end, bounded = done.end_tick, request.bars is not None
    out = Score(grid.ticks_per_quarter)
    for track in grid.tracks:
        new = Track(track.name, track.program, track.is_drum)
        final: set[tuple[int, int]] = set()
        if request.end and bounded and not track.is_drum:
            final = _final_notes(track, end - done.cursor.state.ticks_per_bar, end)
        for note in track.notes:
            if note.time >= task.start and (not bounded or note.time < end):
                length = min(note.duration, end - note.time) if bounded else note.duration
                if (note.time, note.pitch) in final:  # the last chord sounds until the piece is over
                    length = end - note.time
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
        if s.time >= task.start
    ]
    if first and (not len(out.time_signatures) or not tokenizer.grammar().scheme.has_meters):
        out.time_signatures = [TimeSignature(0, *(request.meter or (4, 4)))]
    elif first and request.meter is not None:  # the model may have written another meter of the same length
        out.time_signatures[0] = TimeSignature(0, *request.meter)
    out.key_signatures = [
        KeySignature(s.time - task.start, s.key, s.tonality) for s in grid.key_signatures if s.time >= task.start
    ]
    if request.key is not None:
        key = Key.read(request.key)
        out.key_signatures = [KeySignature(0, key.fifths, int(key.minor))]
    tempos = [Tempo(max(0, t.time - task.start), mspq=t.mspq) for t in grid.tempos if t.time > task.start or first]
    if request.tempo is not None:
        tempos = [Tempo(0, qpm=request.tempo)]
    elif first and not tempos:
        tempos = [Tempo(0, qpm=120.0)]
    out.tempos = tempos
    return out


def _final_notes(track: Track, start: int, end: int) -> set[tuple[int, int]]:
    """Return onset and pitch of the notes of a track that sound to the end of its last bar, ``[start, end)``.

    They are its last notes; in a track of several notes at once, the lowest of the bar as well, unless it is struck
    again.
    """
    inside = [(note.time, note.pitch) for note in track.notes if start <= note.time < end]
    if not inside:
        return set()
    last = max(inside)[0]
    final = {note for note in inside if note[0] == last}
    low = min(inside, key=lambda note: (note[1], -note[0]))
    at_once = len({time for time, _ in inside}) < len(inside)
    return final | {low} if at_once else final


def _piece(writer: Writer, new_music: NewMusic, task: Task, seed: int, done: Decoded) -> Piece:
    """Return the piece of the decoded ids."""
    request, prompt = new_music.request, new_music.prompt
    new = new_score(writer.tokenizer, done, task, request)
    origin: dict[str, Any] = {
        **writer.origin(seed, new_music.sampling),
        **({} if new_music.max_tokens is None else {"max_tokens": new_music.max_tokens}),
        "bars": request.bars,
        "key": request.key,
        "tempo": request.tempo,
        "meter": request.meter,
        "programs": request.programs,
        **origin_of(request, writer.styles),
        "prompt": None if prompt is None else prompt.about,
        **({"remarks": list(task.remarks)} if task.remarks else {}),
        "tokens": done.new_tokens,
        "notes": done.notes,
        "nats_per_note": round(done.nats / max(1, done.notes), 4),
    }
    text = origin_text(origin)
    if prompt is None:
        return Piece(new_file(new, text=text), origin)
    whole = continue_file(prompt.midi, task.seam, new, keep_until=prompt.keep_until, text=text)
    if new_music.continuation_only:
        return Piece(drop_before(whole, task.seam), origin)
    return Piece(whole, origin, task.seam)
