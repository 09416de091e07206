"""Pieces with a form: sections, some of which come again."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from symusic import Note, Score, Track

from toccata.engine.generate import Event, Finished, NewBar, NewNote
from toccata.engine.music import Stats
from toccata.engine.sampling import Sampling
from toccata.engine.seeds import Seed, seeds_of
from toccata.errors import ArgumentError, MidiError, RequestError, shown
from toccata.midi import smf
from toccata.midi.bars import bar_map, bar_ticks
from toccata.midi.read import read_score
from toccata.midi.repeat import closed, repeated
from toccata.midi.splice import add_text, drop_before
from toccata.piece import Piece, origin_text
from toccata.tasks.prompt import Prompt
from toccata.tasks.request import Request
from toccata.tasks.wishes import part, told

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
                f"(--prompt-bars {length}), or ask for {given * len(self.sections)} bars in all"
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


class Writer(Protocol):
    """What writes the new bars: a model."""

    stats: Stats

    @property
    def styles(self) -> list[str]:
        """The styles that it knows."""

    def stream(
        self,
        request: Request,
        prompt: Prompt | None = None,
        *,
        n: int = 1,
        seed: Seed = None,
        sampling: Sampling | None = None,
        max_tokens: int | None = None,
        continuation_only: bool = False,
    ) -> Iterator[tuple[Event, Piece | None]]:
        """Write, event by event."""


def stream_form(
    model: Writer,
    form: Form,
    request: Request,
    prompt: Prompt | None = None,
    *,
    n: int = 1,
    seed: Seed = None,
    sampling: Sampling | None = None,
    max_tokens: int | None = None,
    continuation_only: bool = False,
) -> Iterator[tuple[Event, Piece | None]]:
    """Pieces of a form, event by event, as ``Model.stream``; one after the other.

    A new section is a continuation of all that stands before it. One that comes again is repeated event for event, with
    its tempo and meter. Notes end with their section, also those of a prompt, and with the bars that come again where
    others follow than before.

    Args:
        model: What writes.
        form: The form.
        request: What is asked of the new bars; its ``bars`` are those of the whole piece, a prompt's included.
        prompt: The beginning of the first section, or all of it.
        n: How many pieces.
        seed: Of each piece; see :func:`~toccata.engine.seeds.seeds_of`.
        sampling: How bold.
        max_tokens: Come to the end after about so many new tokens; bars that are still to be written stay empty.
        continuation_only: Leave the prompt out of the pieces.

    Raises:
        RequestError: What is asked for cannot be had, and why.
    """
    steps = form.steps(request.bars, given=_given(prompt), end=request.end)
    _refuse_other_chords(request, steps)
    began, total = time.perf_counter(), Stats()
    for row, own in enumerate(seeds_of(seed, n)):
        work = _Work(model, form, request, prompt, row, own, sampling, max_tokens)
        for step in steps:
            if work.silent:
                break
            yield from ((event, None) for event in work.take(step))
            total.seconds = time.perf_counter() - began
        total.tokens, total.notes = total.tokens + work.tokens, total.notes + work.notes
        model.stats = total
        yield work.finished(continuation_only)


@dataclass
class _Work:
    """A piece that is being written.

    Attributes:
        midi: What there is of it.
        lines: The tick at which each of its bars begins, and the one at which the last of them ends.
        tokens: New ones so far.
        notes: New ones so far, repeats left out.
        nats: Of the new tokens.
        last: The end of the latest new section.
        fresh: Whether each of its bars is new, or repeats a new one; the others are a prompt's.
        said: Its origin.
        silent: Whether no note was written in its first section; then it ends there.
    """

    model: Writer
    form: Form
    request: Request
    prompt: Prompt | None
    row: int
    seed: int
    sampling: Sampling | None
    max_tokens: int | None
    midi: bytes = b""
    lines: list[int] = field(default_factory=lambda: [0])
    tokens: int = 0
    notes: int = 0
    nats: float = 0.0
    last: Finished | None = None
    fresh: list[bool] = field(default_factory=list)
    said: Mapping[str, Any] = field(default_factory=dict)
    silent: bool = False

    def take(self, step: Step) -> Iterator[Event]:
        """Take one step; the bars and new notes it brings."""
        if self.prompt is not None and not self.midi:
            self.lines = bar_lines(self.prompt.score, _given(self.prompt))
            self.midi = closed(self.prompt.midi, self.prompt.seam) if step.section else b""
            self.fresh = [False] * _given(self.prompt)
        if step.source is None:
            yield from self._new(step)
            self.fresh += [True] * step.bars
            return
        self.fresh += self.fresh[step.source : step.source + step.bars]
        start, end = self.lines[step.source], self.lines[step.source + step.bars]
        self.midi = repeated(self.midi, start, end, self.lines[-1])
        for number in range(step.bars):
            self.lines.append(self.lines[-1] + self.lines[step.source + number + 1] - self.lines[step.source + number])
            yield NewBar(self.row, step.first + number)

    def _new(self, step: Step) -> Iterator[Event]:
        """Write a step as a continuation of what there is."""
        asked, before = replace(part(self.request, step.first, step.bars), end=step.end), self.prompt
        if step.section:
            before = Prompt(self.midi, read_score(self.midi), self.lines[-1], None, "")
            asked = replace(asked, prompt=before.score, seam=before.seam, meter=None)  # that of the first section
        draw = self.seed
        if self.last is not None:
            draw = int(np.random.SeedSequence([self.seed, step.section]).generate_state(1)[0])
        left = None if self.max_tokens is None else max(1, self.max_tokens - self.tokens)
        for event, piece in self.model.stream(asked, before, seed=draw, sampling=self.sampling, max_tokens=left):
            if isinstance(event, NewNote):
                yield NewNote(self.row, event.note)
            elif isinstance(event, NewBar) and event.bar >= 0:  # else a silent bar before the new ones
                yield NewBar(self.row, step.first + event.bar)
            elif isinstance(event, Finished) and piece is not None:
                self._join(step, event, piece)

    def _join(self, step: Step, event: Finished, piece: Piece) -> None:
        """Take a step from the piece it was written in."""
        try:
            music = piece.score
        except MidiError:  # the first section has no note: nothing can go on from it, and nothing come again
            self.silent, self.midi, self.last, self.said = True, piece.midi, event, piece.origin
            self.tokens, self.nats = event.written, event.nats
            return
        self.lines = bar_lines(music, step.first + step.bars)
        self.midi = closed(piece.midi, self.lines[-1], text=origin_text(piece.origin))
        self.tokens += event.written
        self.notes += event.notes
        self.nats += event.nats
        self.last, self.said = event, piece.origin

    def finished(self, only: bool) -> tuple[Event, Piece]:
        """The piece; ``only`` what is new of it."""
        assert self.last is not None
        seam = 0 if self.prompt is None else self.prompt.seam
        music = Score(1) if self.silent else read_score(self.midi)
        origin = {
            **self.said,
            **told(self.request, self.model.styles),
            "seed": self.seed,
            "bars": self.request.bars,
            "meter": self.request.meter,
            "form": str(self.form),
            "prompt": None if self.prompt is None else self.prompt.about,
            "tokens": self.tokens,
            "notes": sum(note.time >= seam for track in music.tracks for note in track.notes),
            "nats_per_note": round(self.nats / max(1, self.notes), 4),
        }
        file = smf.read(self.midi)
        add_text(file.tracks[0], origin_text(origin))
        midi = smf.write(file)
        event = replace(self.last, row=self.row, written=self.tokens, nats=self.nats, notes=self.notes)
        if self.prompt is None:
            return event, Piece(midi, origin)
        new = self._new_notes(music, seam if only else 0)
        if only:
            return event, Piece(drop_before(midi, seam), origin, new=new)
        return event, Piece(midi, origin, seam, new=new)

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
        raise RequestError("a form is made of whole bars, and the prompt ends inside one: cut it with --prompt-bars")
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
