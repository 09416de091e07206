"""The generation loop: mask, draw, step; for one row or many, past the context, note by note."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from toccata.engine.guards import Guards, Ids
from toccata.engine.reader import Reader, guided, hearings
from toccata.engine.sampling import RECENT, Sampling, draw, log_probabilities
from toccata.engine.session import Session
from toccata.errors import ModelError
from toccata.tasks.request import Task
from toccata.tasks.window import BarStart, bar_start, bar_starts
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.cursor import Cursor
from toccata.tokenizers.state import Note
from toccata.tokenizers.vocabulary import Kind


@dataclass(frozen=True)
class NewNote:
    """A note that has just been written.

    ``row`` says in which piece; times are in the tokenizer's ticks from the start of its ids.
    """

    row: int
    note: Note


@dataclass(frozen=True)
class NewBar:
    """The music has reached bar ``bar`` of the new ones, counted from 0."""

    row: int
    bar: int


@dataclass(frozen=True)
class Finished:
    """A piece is done.

    Attributes:
        row: Which.
        ids: ``int32[T]``, everything from the start of the task's ids on.
        written: How many of them are new.
        nats: Negative log-likelihood of the new ids under the model, without mask or temperature.
        notes: How many new notes there are.
        cursor: Where it ended.
    """

    row: int
    ids: NDArray[np.int32]
    written: int
    nats: float
    notes: int
    cursor: Cursor


WAY_OUT, A_BAR = 50_000, 256
"""So many tokens at most does it take to end all notes that can sound at once, and to pass a bar in silence.

The shortest way to the end is shorter (see `Cursor.closing`); this is what stops a piece for which there is none.
"""
Event = NewNote | NewBar | Finished
Ready = Callable[[int], AbstractContextManager[Session]]
"""Lends a session with at least so many rows, none of them in use."""


@dataclass
class _Row:
    number: int
    cursor: Cursor
    ids: list[int]
    generator: np.random.Generator
    given: int
    notes_before: int
    guards: Guards | None
    nats: float = 0.0
    bars: list[BarStart] = field(default_factory=list)
    cues: list[int] = field(default_factory=list)  # what is said next, whatever the model thinks


def generate(
    ready: Ready,
    tokenizer: Tokenizer,
    task: Task,
    seeds: list[int],
    sampling: Sampling,
    max_tokens: int,
) -> Iterator[Event]:
    """Write one piece for each seed.

    Args:
        ready: Lends a session.
        tokenizer: The model's.
        task: What is asked.
        seeds: One a piece; the same seed gives the same piece, however many are written beside it.
        sampling: How to draw.
        max_tokens: After this many ids a piece comes to its end by the shortest legal way.

    Raises:
        ModelError: What the model computes is not finite, or its tokenizer's grammar has no way on or to the end.

    Yields:
        Notes and bars as they are written, and each piece when it is done.
    """
    heard = hearings(task, tokenizer, sampling.guidance)
    with ready(len(seeds) * len(heard.deaf)) as session:
        reader = Reader(session, tokenizer, task, len(seeds), heard)
        yield from _written(reader, task, seeds, sampling, max_tokens)


def _written(reader: Reader, task: Task, seeds: list[int], sampling: Sampling, max_tokens: int) -> Iterator[Event]:
    """The loop: until all pieces are done."""
    bars = bar_starts(task.cursor.grammar, task.ids.tolist(), task.cursor.state.meter)
    # A part that is filled in, or new pitches for an old rhythm, may rest or go round where a whole piece would not.
    watched = sampling.guards and not task.skip and task.cursor.limits.script is None
    guarded = Ids(task.cursor.grammar) if watched else None
    rows = [_begin(task, number, seed, bars, guarded) for number, seed in enumerate(seeds)]
    repeats = _repeatable(reader.tokenizer) if sampling.repetition != 1 else None
    while rows:
        allowed = np.stack([row.cursor.allowed() for row in rows])
        seen = _meant(reader.told, rows)
        if reader.untold is not None:
            seen = guided(seen, _meant(reader.untold, rows), sampling.guidance)
        if repeats is not None:
            seen = _discouraged(seen, rows, repeats, sampling.repetition)
        for row, values, may in zip(rows, seen, allowed, strict=True):
            if row.guards is not None:
                row.guards.steer(values, may, row.cursor)
        ids = draw(seen, allowed, sampling, [r.generator for r in rows], [r.cursor.admits for r in rows])
        for row, nats in zip(rows, log_probabilities(reader.told, ids).tolist(), strict=True):
            row.nats -= 0.0 if row.cues else nats
        ids = [row.cues.pop(0) if row.cues else token for row, token in zip(rows, ids, strict=True)]
        done = []
        for index, (row, token) in enumerate(zip(rows, ids, strict=True)):
            yield from _advance(row, token, task, max_tokens)
            if row.cursor.state.ended:
                done.append(index)
                written = len(row.ids) - row.given
                notes = row.cursor.state.notes - row.notes_before
                yield Finished(row.number, np.array(row.ids, np.int32), written, row.nats, notes, row.cursor)
        for index in reversed(done):  # the last row takes the place of one that leaves, here as in the session
            reader.release(index)
            last, last_id = rows.pop(), ids.pop()
            if index < len(rows):
                rows[index], ids[index] = last, last_id
        if rows:
            reader.step(rows, ids)


def _begin(task: Task, number: int, seed: int, bars: list[BarStart], guarded: Ids | None) -> _Row:
    cursor = copy.copy(task.cursor)
    cursor.state = copy.copy(task.cursor.state)
    generator = np.random.default_rng(seed)
    guards = None if guarded is None else Guards(guarded, cursor)
    given = task.ids.tolist()
    return _Row(number, cursor, given, generator, len(given), cursor.state.notes, guards, bars=list(bars))


def _advance(row: _Row, token: int, task: Task, max_tokens: int) -> Iterator[Event]:
    """Read the token into the row, and tell of what it brought."""
    cursor = row.cursor
    before = cursor.state.bar
    row.ids.append(token)
    for base in cursor.grammar.base(token):
        cursor.read(base)
        if row.guards is not None:
            row.guards.read(cursor.state)
        for note in cursor.state.made:
            yield NewNote(row.number, note)
    if cursor.state.bar != before:
        row.bars.append(bar_start(cursor.grammar, cursor.state, len(row.ids)))
        yield NewBar(row.number, cursor.state.bar - task.bar)
        for bar in range(before + 1, cursor.state.bar + 1):
            row.cues += task.cues.get(bar, ())
    written = len(row.ids) - row.given
    if written >= max_tokens:
        cursor.closing = True
    if written >= max_tokens + WAY_OUT + A_BAR * (cursor.limits.bars or 0) and not cursor.state.ended:
        raise ModelError(
            f"a piece has not come to its end {written - max_tokens:,} tokens after it had to: the model's tokenizer "
            "is damaged; copy the whole model folder again"
        )


def _meant(logits: NDArray[np.float32], rows: list[_Row]) -> NDArray[np.float32]:
    """The logits, with the probability of what means the same where it belongs (see ``Cursor.synonym``)."""
    out = logits.copy()
    for i, row in enumerate(rows):
        if (same := row.cursor.synonym()) is not None:
            target, others = same
            out[i, target] = np.logaddexp.reduce(np.append(out[i, others], out[i, target]))
    return out


def _repeatable(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """The ids that begin with a pitch: what a repetition penalty is about."""
    grammar = tokenizer.grammar()
    kinds = grammar.scheme.vocabulary.kinds
    pitched = (kinds == Kind.PITCH) | (kinds == Kind.NOTE_ON)
    return (
        pitched
        if grammar.merges is None
        else np.array([any(pitched[b] for b in parts) for parts in grammar.merges.parts])
    )


def _discouraged(
    logits: NDArray[np.float32], rows: list[_Row], repeats: NDArray[np.bool_], factor: float
) -> NDArray[np.float32]:
    out = logits.copy()
    for i, row in enumerate(rows):
        recent = np.unique(row.ids[-RECENT:])
        recent = recent[repeats[recent]]
        values = out[i, recent]
        out[i, recent] = np.where(values > 0, values / factor, values * factor)
    return out
