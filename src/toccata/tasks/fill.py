"""Infilling: bars are removed from a passage, marked, and written at its end; for training and requests alike.

The sequence, in ids of the tokenizer::

    music from the hole on, with FILL before every bar of the hole  SEP  [BOS] music before it  ANSWER  target  EOS

The suffix comes first (suffix, prefix, middle: Bavarian et al. 2022), so that the target follows the music before it,
as in a continuation. If only some instruments are removed, their programs follow each FILL. The target is written like
a piece: it begins with its meter and tempo, which belong to the prompt, and has as many bars as the hole, so that the
constraints of a new piece (the grammar, the number of bars, an ending) apply to it unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from symusic import Note, Score

from toccata.errors import RequestError
from toccata.midi.bars import BarMap
from toccata.midi.edit import slice_ticks
from toccata.midi.locks import NoteRef as NoteRef
from toccata.tasks.controls import ControlTokens, insert_control_tokens
from toccata.tasks.window import bar_starts, header
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.options import SPECIALS
from toccata.tokenizers.vocabulary import DRUMS, Kind

FILL, SEP, ANSWER = (SPECIALS.index(name) for name in ("FILL", "SEP", "ANSWER"))
"""The base tokens that mark a hole, separate suffix and prefix, and begin the target."""
TOO_LONG = "too-long"
"""The kind of the error for a hole that does not fit in a model's context."""


@dataclass(frozen=True)
class Hole:
    """The bars of a piece that are to be infilled.

    Attributes:
        first: The first bar, counted from 0.
        last: The bar after the last one.
        tracks: The indices of the tracks to infill; None: all.
        preserved: Notes in these bars that are not removed.
    """

    first: int
    last: int
    tracks: frozenset[int] | None = None
    preserved: frozenset[NoteRef] = frozenset()

    def tracks_in(self, score: Score) -> list[int]:
        """Return the indices of the tracks of a piece that are to be infilled."""
        return [number for number in range(len(score.tracks)) if self.tracks is None or number in self.tracks]


@dataclass(frozen=True)
class Filling:
    """A passage with a hole, as ids.

    Attributes:
        prompt: ``int32[T]``, the ids before the target.
        target: ``int32[A]``, the removed music, EOS last. Empty if no note was removed.
        header: The number of ids at the end of ``prompt`` that belong to the target: its meter and tempo.
    """

    prompt: NDArray[np.int32]
    target: NDArray[np.int32]
    header: int


def can_fill(tokenizer: Tokenizer) -> bool:
    """Return whether a tokenizer has note tokens and the special tokens for infilling."""
    scheme = tokenizer.grammar().scheme
    known = scheme.vocabulary.words[FILL].startswith("FILL")
    return scheme.has_notes and known


def cut(score: Score, bars: BarMap, hole: Hole) -> tuple[Score, Score]:
    """Return ``score`` without the notes of ``hole``, and those notes, both at their ticks.

    A note belongs to the hole if it begins in it and is not preserved. Notes that began before and ring into it stay.
    """
    start, end = int(bars.starts[hole.first]), _stop(score, bars, hole.last)
    rest, taken = score.copy(), score.copy()
    for number, (stays, goes) in enumerate(zip(rest.tracks, taken.tracks, strict=True)):
        columns = stays.notes.numpy()
        inside = (columns["time"] >= start) & (columns["time"] < end)
        if hole.tracks is not None and number not in hole.tracks:
            inside[:] = False
        if hole.preserved:
            known = np.flatnonzero(inside)
            notes = zip(columns["time"][known].tolist(), columns["pitch"][known].tolist(), strict=True)
            inside[known] = [(number, *note) not in hole.preserved for note in notes]
        if inside.any():
            stays.notes = Note.from_numpy(**{name: column[~inside] for name, column in columns.items()})
        goes.notes = Note.from_numpy(**{name: column[inside] for name, column in columns.items()})
    return rest, taken


def filling(
    tokenizer: Tokenizer,
    score: Score,
    bars: BarMap,
    first: int,
    last: int,
    hole: Hole,
    programs: frozenset[int] | None = None,
    control_tokens: ControlTokens | None = None,
) -> Filling:
    """Encode bars ``first`` to ``last - 1`` of a piece, which contain ``hole``.

    Args:
        tokenizer: A tokenizer that :func:`can_fill`.
        score: The whole piece.
        bars: Its bars.
        first: The first bar, counted from 0.
        last: The bar after the last one.
        hole: The bars to infill.
        programs: The requested programs, 128 the drums; None: those of the hole's tracks, if not all tracks have it.
        control_tokens: The control tokens of the target and of its bars.
    """
    control_tokens = control_tokens or ControlTokens()
    rest, taken = cut(score, bars, hole)
    if programs is None and hole.tracks is not None:
        programs = frozenset(DRUMS if t.is_drum else t.program for i, t in enumerate(score.tracks) if i in hole.tracks)
    grammar = tokenizer.grammar()
    start = int(bars.starts[hole.first])
    before = slice_ticks(rest, int(bars.starts[first]), start)
    past = [tokenizer.bos] if first == 0 else []
    if before.note_num():
        past = tokenizer.encode(before, start=first == 0, end=False).ids.tolist()
    removed = slice_ticks(taken, start, _stop(score, bars, hole.last))
    head = header(tokenizer, bars.meters[hole.first], _tempo(removed))
    target = tokenizer.encode(removed, start=False).ids.tolist() if removed.note_num() else []
    if target[: len(head)] != head:
        head = [] if target else head
    target = target[len(head) :]
    head, target = insert_control_tokens(grammar, head, target, bars.meters[hole.first], control_tokens.bars)
    context = _context(tokenizer, rest, bars, last, hole, programs)
    prompt = [*control_tokens.prefix, *context, grammar.single(SEP), *past, grammar.single(ANSWER), *head]
    return Filling(np.array(prompt, np.int32), np.array(target, np.int32), len(head))


def _stop(score: Score, bars: BarMap, last: int) -> int:
    """Return the tick before which notes of the bars before ``last`` begin, those on the piece's last tick included."""
    return max(int(bars.starts[last]), score.end() + 1) if last == len(bars) else int(bars.starts[last])


def _context(
    tokenizer: Tokenizer, rest: Score, bars: BarMap, last: int, hole: Hole, programs: frozenset[int] | None
) -> list[int]:
    """Encode the music from the hole on, with FILL before every bar of the hole."""
    grammar = tokenizer.grammar()
    music = slice_ticks(rest, int(bars.starts[hole.first]), _stop(rest, bars, last))
    mark = [grammar.single(FILL), *_programs(tokenizer, programs)]
    ids = tokenizer.encode(music, start=False, end=False).ids.tolist() if music.note_num() else []
    places = [bar.first for bar in bar_starts(grammar, ids, bars.meters[hole.first])]
    out: list[int] = []
    done = 0
    for bar in range(hole.last - hole.first):
        # Bars after the last remaining note have no ids: their marks stand at the end.
        place = places[bar] if bar < len(places) else len(ids)
        out += ids[done:place] + mark
        done = place
    return out + ids[done:]


def _programs(tokenizer: Tokenizer, programs: frozenset[int] | None) -> list[int]:
    """Return the ids of ``programs``; empty if the tokenizer has none."""
    grammar = tokenizer.grammar()
    vocabulary = grammar.scheme.vocabulary
    if programs is None or not grammar.scheme.has_programs:
        return []
    ids = vocabulary.of_kind[Kind.PROGRAM]
    return [grammar.single(int(i)) for i in ids if int(vocabulary.values[i]) in programs]


def _tempo(score: Score) -> float | None:
    return float(score.tempos[0].qpm) if len(score.tempos) else None


def random_hole(score: Score, bars: BarMap, first: int, last: int, rng: np.random.Generator) -> Hole | None:
    """Draw a hole in bars ``first`` to ``last - 1``: up to half of them, for all instruments or some of them.

    A hole for some of the instruments may have all the bars, up to 16. Sometimes some notes are preserved.

    Returns:
        The hole; None if it would have no note.
    """
    length = int(rng.integers(1, max(1, min(16, (last - first) // 2)) + 1))
    playing = [number for number, track in enumerate(score.tracks) if len(track.notes)]
    tracks = None
    if len(playing) > 1 and rng.random() < 0.5:
        count = int(rng.integers(1, len(playing)))
        tracks = frozenset(int(n) for n in rng.choice(playing, count, replace=False))
        length = min(16, last - first) if rng.random() < 0.4 else length
    start = int(rng.integers(first, last - length + 1))
    hole = Hole(start, start + length, tracks)
    taken = cut(score, bars, hole)[1]
    if not taken.note_num():
        return None
    if rng.random() < 0.25:
        preserved = _random_preserved(taken, rng)
        hole = replace(hole, preserved=preserved) if len(preserved) < taken.note_num() else hole
    return hole


def _random_preserved(taken: Score, rng: np.random.Generator) -> frozenset[NoteRef]:
    """Draw the preserved notes of a hole: the highest or the lowest of each onset, or some at random."""
    notes = [NoteRef(n, note.time, note.pitch) for n, track in enumerate(taken.tracks) for note in track.notes]
    kind = rng.integers(3)
    if kind == 2:
        share = rng.random()
        return frozenset(note for note in notes if rng.random() < share)
    outer: dict[int, NoteRef] = {}
    for note in sorted(notes, key=lambda note: note.pitch if kind == 0 else -note.pitch):
        outer[note.tick] = note
    return frozenset(outer.values())


def window(
    tokenizer: Tokenizer,
    score: Score,
    bars: BarMap,
    hole: Hole,
    room: int,
    programs: frozenset[int] | None = None,
    control_tokens: ControlTokens | None = None,
) -> tuple[Filling, int]:
    """Return the filling with as much music around ``hole`` as fits in ``room`` ids, two thirds of it before.

    Returns:
        The filling, and its first bar.

    Raises:
        RequestError: The bars of the hole do not fit.
    """
    before, after = _at_most(score, bars, hole, room)
    while True:
        first, last = hole.first - before, hole.last + after
        found = filling(tokenizer, score, bars, first, last, hole, programs, control_tokens)
        if len(found.prompt) <= room:
            return found, first
        if not before and not after:
            if hole.last - hole.first == 1:
                return _cropped(tokenizer, found, room), first
            span = f"bars {hole.first + 1} to {hole.last}"
            raise RequestError(
                f"{span} hold more than this model can read at a time: ask for fewer bars", kind=TOO_LONG
            )
        share = room / len(found.prompt)
        if after > before / 2:
            after = min(after - 1, int(after * share)) if after else 0
        else:
            before = min(before - 1, int(before * share))
        before, after = max(before, 0), max(after, 0)


def _cropped(tokenizer: Tokenizer, found: Filling, room: int) -> Filling:
    """Crop the filling of a single bar that does not fit: the music after its beginning is cut short."""
    sep = int(np.flatnonzero(found.prompt == tokenizer.grammar().single(SEP))[-1])
    rest = found.prompt[sep:]
    return replace(found, prompt=np.concatenate([found.prompt[: room - len(rest)], rest]))


def _at_most(score: Score, bars: BarMap, hole: Hole, room: int) -> tuple[int, int]:
    """Return how many bars before and after the hole may fit, if a note takes at least a token and a half."""
    onsets = np.sort(np.concatenate([t.notes.numpy()["time"] for t in score.tracks if len(t.notes)] or [np.zeros(0)]))
    notes = int(room / 1.5)
    start, end = np.searchsorted(onsets, [bars.starts[hole.first], bars.starts[hole.last]]).tolist()
    earliest = bars.at(int(onsets[start - notes])) if start > notes else 0
    latest = bars.at(int(onsets[end + notes])) + 1 if end + notes < len(onsets) else len(bars)
    return hole.first - earliest, latest - hole.last
