"""What a model has written, as music: from ids to a Score, and to a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from symusic import ControlChange, KeySignature, Score, Tempo, TimeSignature, Track
from symusic import Note as ScoreNote

from toccata.engine.generate import Finished
from toccata.piece import Piece
from toccata.tasks.request import Request, Task
from toccata.tokenizers.base import Tokenizer

MAX_TOKENS = 4096
"""New ids a piece may have if bars are not asked for; with bars, this many for every 8 of them."""


@dataclass
class Stats:
    """What a call to generate took."""

    tokens: int = 0
    notes: int = 0
    seconds: float = 0.0
    nats: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, pieces: Sequence[Piece], seconds: float) -> Stats:
        """What some pieces took that were written in so many seconds."""
        tokens, notes = (sum(piece.origin[name] for piece in pieces) for name in ("tokens", "notes"))
        return cls(tokens, notes, seconds)


def new_music(tokenizer: Tokenizer, done: Finished, task: Task, request: Request) -> Score:
    """The notes and events written, from the seam on; tick 0 is the seam."""
    grid = tokenizer.decode(done.ids[task.skip :])
    end = done.cursor.end_tick
    out = Score(grid.ticks_per_quarter)
    for track in grid.tracks:
        new = Track(track.name, track.program, track.is_drum)
        for note in track.notes:
            if note.time >= task.start and (request.bars is None or note.time < end):
                length = min(note.duration, end - note.time) if request.bars is not None else note.duration
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
