"""Pieces with a form: sections, some of which are repeated."""

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
from toccata.midi.bars import bar_map, bar_ticks, meter_at
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
"""The most sections of a form."""
_ENDING = 2
"""How many bars are new at the end of a repeated last section, where the piece is to have an ending."""


@dataclass(frozen=True)
class Step:
    """Consecutive bars of a piece, all repeated or all new; bars are counted from 0.

    Attributes:
        first: The first bar.
        bars: The number of bars.
        source: The first of the bars that they repeat; None: they are new.
        end: Whether the piece ends with them.
        section: The index of their section.
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
        sections: A letter for each section. A section with the name of an earlier one repeats it; ``A'`` begins like A
            and continues differently.
    """

    sections: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> Form:
        """Parse a form like ``"AABA"`` or ``"A B A'"``, in any case.

        Raises:
            ArgumentError: It has something other than letters, new letters are not in the order of the alphabet, or it
                varies a section before that section.
        """
        plain = re.sub(r"[\s\-|,]", "", text).translate({0x2019: "'", 0x2032: "'", 0x60: "'"}).upper()
        if not re.fullmatch(r"([A-Z]'*)+", plain):
            raise ArgumentError(f"{shown(text)} is no form: write a letter for each section, as in AABA or ABA'")
        sections = tuple(re.findall(r"[A-Z]'*", plain))
        if len(sections) > MOST:
            raise ArgumentError(f"a form of {len(sections)} sections is too long: {MOST} are the most")
        new = list(dict.fromkeys(name[0] for name in sections))
        if new != [chr(ord("A") + number) for number in range(len(new))]:  # a word, such as "verse"
            raise ArgumentError(
                f"{shown(text)} is no form: write a letter for each section, new ones in the order of the alphabet, "
                "as in AABA or ABA'"
            )
        for number, name in enumerate(sections):
            if len(name) > 1 and name[0] not in sections[:number]:
                raise ArgumentError(f"{name} in the form {plain} varies {name[0]}, which has to come before it")
        return cls(sections)

    def __str__(self) -> str:
        return "".join(self.sections)

    def length(self, bars: int | None) -> int:
        """Return the bars of a section of a piece of ``bars`` bars.

        Raises:
            RequestError: The bars cannot be divided into equal sections.
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
        """Return the steps in which the piece is written, from its first bar to its last.

        Args:
            bars: The bars of the whole piece.
            given: The bars of the prompt: the first section, or its beginning.
            end: Whether the piece has an ending, for which its last two bars are new.

        Raises:
            RequestError: The bars cannot be divided into equal sections, the prompt is longer than the first section,
                or nothing is new.
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


def write_form(writer: Writer, form: Form, new_music: NewMusic, seed: int, piece: int = 0) -> PieceVerb:
    """Write a piece of a form.

    A new section is a continuation of everything before it. A section with an earlier name repeats it event for event,
    with its tempo and meter. Notes end with their section, those of a prompt included, and with repeated bars that are
    followed by other bars than before.

    Args:
        writer: The model.
        form: The form.
        new_music: What to write; its bars are those of the whole piece, a prompt's included. The prompt is the
            beginning of the first section, or all of it.
        seed: The seed of the piece.
        piece: The piece's number, for events.

    Raises:
        RequestError: The request cannot be fulfilled, and why.
    """
    request, prompt = writer.with_style_levels(new_music.request, seed), new_music.prompt
    new_music = replace(new_music, request=request)
    steps = form.steps(request.bars, given=_given(prompt), end=request.end)
    _refuse_other_chords(request, steps)
    work = _Work(writer, form, new_music, seed, Announcer(piece, SongClock(1)))
    for step in steps:
        if work.silent:
            break
        yield from work.take(step)
    return work.finished()


_Steps = Generator[DecodeJob | Event, Decoded | None, None]


@dataclass
class _Work:
    """A piece in progress.

    Attributes:
        announcer: Makes its events.
        midi: The file so far.
        lines: The tick at which each bar begins, and the tick at which the last bar ends.
        tokens: The number of new tokens so far.
        notes: The number of new notes so far, repeats left out.
        nats: The negative log-likelihood of the new tokens so far.
        written: How many sections, or parts of them, were decoded.
        fresh: For each bar, whether it is new or repeats a new one; the others are a prompt's.
        origin: The origin of the part that was decoded last.
        silent: Whether the first section has no note; then the piece ends with it.
    """

    writer: Writer
    form: Form
    new_music: NewMusic
    seed: int
    announcer: Announcer
    midi: bytes = b""
    lines: list[int] = field(default_factory=lambda: [0])
    tokens: int = 0
    notes: int = 0
    nats: float = 0.0
    written: int = 0
    fresh: list[bool] = field(default_factory=list)
    origin: Mapping[str, Any] = field(default_factory=dict)
    silent: bool = False

    @property
    def seam(self) -> int:
        """The tick of the file where the new music begins."""
        return 0 if self.new_music.prompt is None else self.new_music.prompt.seam

    @property
    def shift(self) -> int:
        """The number of ticks at the beginning of the file that are left out of the piece."""
        return self.seam if self.new_music.continuation_only else 0

    def take(self, step: Step) -> _Steps:
        """Carry out one step, and yield its decode job and events."""
        prompt = self.new_music.prompt
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
        """Announce the bars of a step that have not been announced."""
        music = read_score(self.midi)
        for number in range(step.first, step.first + step.bars):
            tick = self.lines[number]
            yield from self.announcer.bar(number, tick - self.shift, meter_at(music, tick))

    def _settle(self) -> Generator[Event, None, None]:
        """Announce the final state of the notes so far."""
        self.announcer.clock = self._clock(self.midi)
        keys = note_keys(read_score(self.midi), since=self.seam)
        if self.shift:
            keys = Counter({key._replace(onset=key.onset - self.shift): count for key, count in keys.items()})
        yield from self.announcer.settle(keys)

    def _new(self, step: Step) -> _Steps:
        """Write a step as a continuation of the piece so far."""
        new_music, before = self.new_music, self.new_music.prompt
        request = replace(part(new_music.request, step.first, step.bars), end=step.end)
        if step.section:
            before = Prompt(self.midi, read_score(self.midi), self.lines[-1], None, "")
            request = replace(request, prompt=before.score, seam=before.seam, meter=None)  # that of the first section
        left = None if new_music.max_tokens is None else max(1, new_music.max_tokens - self.tokens)
        new = NewMusic(request, before, new_music.sampling, left)
        task = self.writer.compile(request, self.writer.context * 3 // 4)
        draw = further_seed(self.seed, step.section if self.written else 0)
        made, done = yield from decode_new(self.writer, new, task, draw, self._notes(new, task, step))
        self.written += 1
        self._join(step, made, done)
        if not self.silent:
            yield from self._settle()
            yield from self._begin_bars(step)

    def _notes(self, new: NewMusic, task: Task, step: Step) -> NewNotes:
        """Return the listener that announces the notes of a step."""
        notes = NewNotes.of(self.writer.tokenizer, new, task, self.announcer.piece)
        notes.first = step.first
        notes.at -= self.shift
        self.announcer.clock = self._clock(self.midi or (b"" if new.prompt is None else new.prompt.midi), notes)
        notes.announcer = self.announcer
        return notes

    def _clock(self, midi: bytes, notes: NewNotes | None = None) -> SongClock:
        """Return the clock of the piece so far, without the ticks that are left out of it."""
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
            if self.new_music.request.tempo is not None:
                clock.change(notes.at, self.new_music.request.tempo)
        return clock

    def _join(self, step: Step, piece: Piece, done: Decoded) -> None:
        """Append the decoded step, which ends ``piece``, to the piece so far."""
        self.origin = piece.origin
        self.tokens += done.new_tokens
        self.nats += done.nats
        try:
            music = piece.score
        except MidiError:  # the first section has no note: there is nothing to continue or to repeat
            self.silent, self.midi = True, piece.midi
            return
        self.lines = bar_lines(music, step.first + step.bars)
        self.midi = closed(piece.midi, self.lines[-1], text=origin_text(piece.origin))
        self.notes += done.notes

    def finished(self) -> Piece:
        """Return the finished piece, without its prompt if that is left out."""
        new_music, prompt = self.new_music, self.new_music.prompt
        request, seam = new_music.request, self.seam
        music = Score(1) if self.silent else read_score(self.midi)
        origin = {
            **self.origin,
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
        if new_music.continuation_only:
            return Piece(drop_before(midi, seam), origin, new=new)
        return Piece(midi, origin, seam, new=new)

    def _new_notes(self, music: Score, seam: int) -> Score:
        """Return the notes of the new bars, without repeats of the prompt; tick 0 is at ``seam``."""
        starts = np.array(self.lines)
        out = Score(music.ticks_per_quarter)
        for track in music.tracks:
            mine = Track(track.name, track.program, track.is_drum)
            bars = np.searchsorted(starts, [note.time for note in track.notes], side="right") - 1
            pairs = zip(track.notes, bars.tolist(), strict=True)
            new_notes = [note for note, bar in pairs if bar >= len(self.fresh) or self.fresh[bar]]
            mine.notes.extend([Note(n.time - seam, n.duration, n.pitch, n.velocity) for n in new_notes])
            out.tracks.append(mine)
        return out


def bar_lines(score: Score, bars: int) -> list[int]:
    """Return the ticks at which the first ``bars`` bars of ``score`` begin, silent ones included, and the last ends."""
    starts: list[int] = bar_map(score).starts.tolist()
    while len(starts) <= bars:
        starts.append(starts[-1] + bar_ticks(*meter_at(score, starts[-1]), score.ticks_per_quarter))
    return starts[: bars + 1]


def _given(prompt: Prompt | None) -> int:
    """Return the number of bars of a prompt.

    Raises:
        RequestError: The prompt ends inside a bar.
    """
    if prompt is None:
        return 0
    starts = bar_map(prompt.score).starts
    given = int(np.searchsorted(starts, prompt.seam))
    if starts[given] != prompt.seam:
        raise RequestError("a form is made of whole bars, and the prompt ends inside one: cut it with prompt_bars=...")
    return given


def _refuse_other_chords(request: Request, steps: Sequence[Step]) -> None:
    """Refuse a chord chart with different chords for a bar and its repeat."""
    for step in steps:
        if request.chords is None or step.source is None:
            continue
        for bar in range(step.bars):
            if request.chords.part(step.first + bar, 1) != request.chords.part(step.source + bar, 1):
                raise RequestError(
                    f"bar {step.first + bar + 1} is bar {step.source + bar + 1} again, and the chord chart has other "
                    "chords there: change one of them, or the form"
                )
