"""Pieces with a form: sections, some of which come again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from symusic import Note, Score, Track

from toccata.engine.job import Decoded, DecodeJob
from toccata.errors import ArgumentError, MidiError, RequestError, shown
from toccata.events import Announcer, Event, SongClock, note_keys
from toccata.midi import smf
from toccata.midi.bars import bar_map, bar_ticks
from toccata.midi.read import read_score
from toccata.midi.repeat import closed, repeated
from toccata.midi.splice import add_text, drop_before
from toccata.piece import Piece, origin_text
from toccata.tasks.conditioning import origin_of, part
from toccata.tasks.prompt import Prompt
from toccata.tasks.request import Request, Task
from toccata.verbs.new import NewMusic, NewNotes, decode_new
from toccata.verbs.writer import PieceVerb, Writer, further_seed

MOST = 64
"""A form has so many sections at most."""
_ENDING = 2
"""So many bars are written anew where a section comes again and the piece is to come to its end."""


@dataclass(frozen=True)
class Step:
    """Bars of a piece, all repeated or all new; bars are counted from 0.

    Attributes:
        first: The first of them.
        bars: How many.
        source: The first of the bars that they repeat; None: they are new.
        end: Whether the piece comes to its end with them.
        section: The number of the section they belong to.
    """

    first: int
    bars: int
    source: int | None
    end: bool
    section: int


@dataclass(frozen=True)
class Form:
    """The sections of a piece, all of one length.

    Attributes:
        sections: A letter each; a section whose name was there before is the same music again, and ``A'`` begins like
            A and goes on in another way.
    """

    sections: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> Form:
        """``"AABA"``, ``"A B A'"``; small letters are as good.

        Raises:
            RequestError: Something in it is no letter, or it varies a section that is not there yet.
        """
        plain = re.sub(r"[\s\-|,]", "", text).translate({0x2019: "'", 0x2032: "'", 0x60: "'"}).upper()
        if not re.fullmatch(r"([A-Z]'*)+", plain):
            raise ArgumentError(f"{shown(text)} is no form: write a letter for each section, as in AABA or ABA'")
        sections = tuple(re.findall(r"[A-Z]'*", plain))
        if len(sections) > MOST:
            raise ArgumentError(f"a form of {len(sections)} sections is too long: {MOST} are the most")
        for number, name in enumerate(sections):
            if len(name) > 1 and name[0] not in sections[:number]:
                raise ArgumentError(f"{name} in the form {plain} varies {name[0]}, which has to come before it")
        return cls(sections)

    def __str__(self) -> str:
        return "".join(self.sections)

    def length(self, bars: int | None) -> int:
        """The bars of a section where the piece has ``bars``.

        Raises:
            RequestError: So many cannot be shared out.
        """
        count = len(self.sections)
        if bars is None:
            raise RequestError(f"a form needs a number of bars: {8 * count} make {self} of 8 bars each")
        if bars % count or not bars:
            near = [number for number in (bars // count * count, (bars // count + 1) * count) if number]
            raise RequestError(
                f"{bars} bars do not make {count} sections of one length: ask for {' or '.join(map(str, near))}"
            )
        length = bars // count
        if length == 1 and (varied := next((name for name in self.sections if len(name) > 1), None)):
            raise RequestError(f"{varied} begins like {varied[0]}, for which a section needs 2 bars: ask for more")
        return length

    def steps(self, bars: int | None, *, given: int = 0, end: bool = False) -> list[Step]:
        """How the piece comes about, from its first bar to its last.

        Args:
            bars: Of the whole piece.
            given: So many are there already: the first section, or its beginning.
            end: Whether it comes to its end, for which its last two bars are new.

        Raises:
            RequestError: The bars cannot be shared out, more are given than the first section has, or nothing is new.
        """
        length = self.length(bars)
        if given > length:
            raise RequestError(
                f"the prompt has {given} bars, and {self.sections[0]} only {length}: take its first {length} "
                f"(prompt_bars={length}), or ask for {given * len(self.sections)} bars in all"
            )
        steps: list[Step] = []
        for number, name in enumerate(self.sections):
            begin, last = number * length, end and number + 1 == len(self.sections)
            again = self.sections.index(name)
            source, same = again, length
            if again == number:
                source, same = self.sections.index(name[0]), length // 2 if len(name) > 1 else 0
            if number == 0:
                same = given
            elif last:
                same = min(same, max(0, length - _ENDING))
            if same and number:
                steps.append(Step(begin, same, source * length, False, number))
            if same < length:
                steps.append(Step(begin + same, length - same, None, last, number))
        if all(step.source is not None for step in steps):
            raise RequestError(
                f"the prompt is all of {self}, and nothing is left to write: add a letter, or ask for an end"
            )
        return steps


def write_form(writer: Writer, form: Form, asked: NewMusic, seed: int, piece: int = 0) -> PieceVerb:
    """Write a piece of a form.

    A new section is a continuation of all that stands before it. One that comes again is repeated event for event, with
    its tempo and meter. Notes end with their section, also those of a prompt, and with the bars that come again where
    others follow than before.

    Args:
        writer: The model.
        form: The form.
        asked: What is asked of the new bars; its bars are those of the whole piece, a prompt's included. The prompt is
            the beginning of the first section, or all of it.
        seed: Of the piece.
        piece: Its number, for events.

    Raises:
        RequestError: What is asked for cannot be had, and why.
    """
    request, prompt = asked.request, asked.prompt
    steps = form.steps(request.bars, given=_given(prompt), end=request.end)
    _refuse_other_chords(request, steps)
    work = _Work(writer, form, asked, seed, Announcer(piece, SongClock(1)))
    for step in steps:
        if work.silent:
            break
        yield from work.take(step)
    return work.finished()


_Steps = Generator[DecodeJob | Event, Decoded | None, None]


@dataclass
class _Work:
    """A piece that is being written.

    Attributes:
        announcer: Makes its events.
        midi: What there is of it.
        lines: The tick at which each of its bars begins, and the one at which the last of them ends.
        tokens: New ones so far.
        notes: New ones so far, repeats left out.
        nats: Of the new tokens.
        written: How many sections, or parts of them, were decoded.
        fresh: Whether each of its bars is new, or repeats a new one; the others are a prompt's.
        said: The origin of the latest of them.
        silent: Whether no note was written in its first section; then it ends there.
    """

    writer: Writer
    form: Form
    asked: NewMusic
    seed: int
    announcer: Announcer
    midi: bytes = b""
    lines: list[int] = field(default_factory=lambda: [0])
    tokens: int = 0
    notes: int = 0
    nats: float = 0.0
    written: int = 0
    fresh: list[bool] = field(default_factory=list)
    said: Mapping[str, Any] = field(default_factory=dict)
    silent: bool = False

    @property
    def seam(self) -> int:
        """The tick of the file where the new music begins."""
        return 0 if self.asked.prompt is None else self.asked.prompt.seam

    @property
    def shift(self) -> int:
        """So many ticks of the file are left out of the piece."""
        return self.seam if self.asked.only else 0

    def take(self, step: Step) -> _Steps:
        """Take one step; the bars and new notes it brings."""
        prompt = self.asked.prompt
        if prompt is not None and not self.midi:
            self.lines = bar_lines(prompt.score, _given(prompt))
            self.midi = closed(prompt.midi, prompt.seam) if step.section else b""
            self.fresh = [False] * _given(prompt)
        if step.source is None:
            yield from self._new(step)
            self.fresh += [True] * step.bars
            return
        self.fresh += self.fresh[step.source : step.source + step.bars]
        start, end = self.lines[step.source], self.lines[step.source + step.bars]
        self.midi = repeated(self.midi, start, end, self.lines[-1])
        for number in range(step.bars):
            self.lines.append(self.lines[-1] + self.lines[step.source + number + 1] - self.lines[step.source + number])
        yield from self._settle()
        yield from self._begin_bars(step)

    def _begin_bars(self, step: Step) -> Generator[Event, None, None]:
        """Announce the bars of a step that were not."""
        music = read_score(self.midi)
        for number in range(step.first, step.first + step.bars):
            tick = self.lines[number]
            yield from self.announcer.bar(number, tick - self.shift, _meter(music, tick))

    def _settle(self) -> Generator[Event, None, None]:
        """Announce what has become of the notes."""
        self.announcer.clock = self._clock(self.midi)
        keys = note_keys(read_score(self.midi), since=self.seam)
        if self.shift:
            keys = Counter({key._replace(onset=key.onset - self.shift): count for key, count in keys.items()})
        yield from self.announcer.settle(keys)

    def _new(self, step: Step) -> _Steps:
        """Write a step as a continuation of what there is."""
        asked, before = self.asked, self.asked.prompt
        request = replace(part(asked.request, step.first, step.bars), end=step.end)
        if step.section:
            before = Prompt(self.midi, read_score(self.midi), self.lines[-1], None, "")
            request = replace(request, prompt=before.score, seam=before.seam, meter=None)  # that of the first section
        left = None if asked.max_tokens is None else max(1, asked.max_tokens - self.tokens)
        new = NewMusic(request, before, asked.sampling, left)
        task = self.writer.compile(request, self.writer.context * 3 // 4)
        draw = further_seed(self.seed, step.section if self.written else 0)
        made, done = yield from decode_new(self.writer, new, task, draw, self._notes(new, task, step))
        self.written += 1
        self._join(step, made, done)
        if not self.silent:
            yield from self._settle()
            yield from self._begin_bars(step)

    def _notes(self, new: NewMusic, task: Task, step: Step) -> NewNotes:
        """What announces the notes of a step."""
        notes = NewNotes.of(self.writer.tokenizer, new, task, self.announcer.piece)
        notes.first = step.first
        notes.at -= self.shift
        self.announcer.clock = self._clock(self.midi or (b"" if new.prompt is None else new.prompt.midi), notes)
        notes.announcer = self.announcer
        return notes

    def _clock(self, midi: bytes, notes: NewNotes | None = None) -> SongClock:
        """The clock of the piece as it stands, without what is left out of it."""
        if not midi:
            assert notes is not None
            return notes.announcer.clock
        score = read_score(midi)
        clock = SongClock.of(score)
        tempos = sorted((int(t.time) - self.shift, float(t.qpm)) for t in score.tempos)
        if self.shift:
            first = (0, clock.tempo(self.shift))
            clock = SongClock(score.ticks_per_quarter, [first, *((t, q) for t, q in tempos if t > 0)])
        if notes is not None:
            clock.cut(notes.at)
            if self.asked.request.tempo is not None:
                clock.change(notes.at, self.asked.request.tempo)
        return clock

    def _join(self, step: Step, piece: Piece, done: Decoded) -> None:
        """Take a step from the piece it was written in."""
        self.said = piece.origin
        self.tokens += done.new_tokens
        self.nats += done.nats
        try:
            music = piece.score
        except MidiError:  # the first section has no note: nothing can go on from it, and nothing come again
            self.silent, self.midi = True, piece.midi
            return
        self.lines = bar_lines(music, step.first + step.bars)
        self.midi = closed(piece.midi, self.lines[-1], text=origin_text(piece.origin))
        self.notes += done.notes

    def finished(self) -> Piece:
        """The piece; without its prompt where it is left out."""
        asked, prompt = self.asked, self.asked.prompt
        request, seam = asked.request, self.seam
        music = Score(1) if self.silent else read_score(self.midi)
        origin = {
            **self.said,
            **origin_of(request, self.writer.styles),
            "seed": self.seed,
            "bars": request.bars,
            "meter": request.meter,
            "form": str(self.form),
            "prompt": None if prompt is None else prompt.about,
            "tokens": self.tokens,
            "notes": sum(note.time >= seam for track in music.tracks for note in track.notes),
            "nats_per_note": round(self.nats / max(1, self.notes), 4),
        }
        file = smf.read(self.midi)
        add_text(file.tracks[0], origin_text(origin))
        midi = smf.write(file)
        if prompt is None:
            return Piece(midi, origin)
        new = self._new_notes(music, self.shift)
        if asked.only:
            return Piece(drop_before(midi, seam), origin, new=new)
        return Piece(midi, origin, seam, new=new)

    def _new_notes(self, music: Score, seam: int) -> Score:
        """The notes of the bars that are new, and not the prompt's once more; tick 0 is at ``seam``."""
        starts = np.array(self.lines)
        out = Score(music.ticks_per_quarter)
        for track in music.tracks:
            mine = Track(track.name, track.program, track.is_drum)
            bars = np.searchsorted(starts, [note.time for note in track.notes], side="right") - 1
            pairs = zip(track.notes, bars.tolist(), strict=True)
            kept = [note for note, bar in pairs if bar >= len(self.fresh) or self.fresh[bar]]
            mine.notes.extend([Note(n.time - seam, n.duration, n.pitch, n.velocity) for n in kept])
            out.tracks.append(mine)
        return out


def bar_lines(score: Score, bars: int) -> list[int]:
    """The ticks at which the first ``bars`` bars of ``score`` begin, sounding or not, and at which the last ends."""
    starts: list[int] = bar_map(score).starts.tolist()
    while len(starts) <= bars:
        starts.append(starts[-1] + bar_ticks(*_meter(score, starts[-1]), score.ticks_per_quarter))
    return starts[: bars + 1]


def _meter(score: Score, tick: int) -> tuple[int, int]:
    """The meter in force at ``tick``."""
    known = [(s.time, s.numerator, s.denominator) for s in score.time_signatures if s.time <= tick]
    return max(known, key=lambda change: change[0], default=(0, 4, 4))[1:]


def _given(prompt: Prompt | None) -> int:
    """The bars of a prompt.

    Raises:
        RequestError: It ends inside a bar.
    """
    if prompt is None:
        return 0
    starts = bar_map(prompt.score).starts
    given = int(np.searchsorted(starts, prompt.seam))
    if starts[given] != prompt.seam:
        raise RequestError("a form is made of whole bars, and the prompt ends inside one: cut it with prompt_bars=...")
    return given


def _refuse_other_chords(request: Request, steps: Sequence[Step]) -> None:
    """A chart cannot be kept to where it asks for other chords than the music has that comes again."""
    for step in steps:
        if request.chords is None or step.source is None:
            continue
        for bar in range(step.bars):
            if request.chords.part(step.first + bar, 1) != request.chords.part(step.source + bar, 1):
                raise RequestError(
                    f"bar {step.first + bar + 1} is bar {step.source + bar + 1} again, and the chord chart has other "
                    "chords there: change one of them, or the form"
                )
