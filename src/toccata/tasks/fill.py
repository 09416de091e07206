"""Filling: some bars are cut out of a passage, marked, and asked for at the end. For training and for requests alike.

What the model reads, ids of the tokenizer's own words throughout::

    what comes from the hole on, FILL before every bar of it  SEP  [BOS] what comes before it  ANSWER  what was cut  EOS

What comes after stands first (suffix, prefix, middle: Bavarian et al. 2022), so that an answer follows on what comes
before it as any music does, and what was learned of going on holds for filling. Where only some instruments are cut
out, their programs follow each FILL. What was cut is written as a piece of its own: it begins with its meter and tempo,
which are given, and has as many bars as the hole, so everything that holds for a new piece (the grammar, the number of
bars, an end) holds for an answer as it is.
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
"""The base tokens that mark a hole, end what is given, and begin what is asked for."""
TOO_LONG = "too-long"
"""The kind of the error that says that a hole is too long for a model, with what stands around it."""


@dataclass(frozen=True)
class Hole:
    """What is cut out of a piece.

    Attributes:
        first: The first bar, counted from 0.
        last: The bar after the last one.
        tracks: The numbers of the tracks it is cut from; None: all.
        kept: Notes that stay all the same.
    """

    first: int
    last: int
    tracks: frozenset[int] | None = None
    kept: frozenset[NoteRef] = frozenset()


@dataclass(frozen=True)
class Filling:
    """A passage with a hole, as ids.

    Attributes:
        given: ``int32[T]``, what the model reads before it writes.
        answer: ``int32[A]``, what was cut out, EOS last: what the model is to write. Empty where nothing was cut out.
        header: How many of ``given`` belong to the answer already: its meter and tempo.
    """

    given: NDArray[np.int32]
    answer: NDArray[np.int32]
    header: int


def can_fill(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer has notes, words to ask for them, and the bars of the music."""
    scheme = tokenizer.grammar().scheme
    known = scheme.vocabulary.words[FILL].startswith("FILL")
    return scheme.has_notes and known


def cut(score: Score, bars: BarMap, hole: Hole) -> tuple[Score, Score]:
    """``score`` without the notes of ``hole``, and those notes, at their ticks.

    A note belongs to the hole if it begins in it and is not kept. Notes that began before and ring into it stay.
    """
    start, end = int(bars.starts[hole.first]), _stop(score, bars, hole.last)
    rest, taken = score.copy(), score.copy()
    for number, (stays, goes) in enumerate(zip(rest.tracks, taken.tracks, strict=True)):
        columns = stays.notes.numpy()
        inside = (columns["time"] >= start) & (columns["time"] < end)
        if hole.tracks is not None and number not in hole.tracks:
            inside[:] = False
        elif hole.kept:
            known = zip(columns["time"].tolist(), columns["pitch"].tolist(), strict=True)
            inside &= np.array([(number, *note) not in hole.kept for note in known], np.bool_)
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
    """Bars ``first`` to ``last - 1`` of a piece, with ``hole``, which lies in them.

    Args:
        tokenizer: What to encode with; one that :func:`can_fill`.
        score: The whole piece.
        bars: Its bars.
        first: The first bar, counted from 0.
        last: The bar after the last one.
        hole: What is cut out.
        programs: The programs asked for, 128 the drums; None: those of the tracks that are cut, if not all are.
        control_tokens: What is told of the answer, and of its bars.
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
    asked = slice_ticks(taken, start, _stop(score, bars, hole.last))
    head = header(tokenizer, bars.meters[hole.first], _tempo(asked))
    answer = tokenizer.encode(asked, start=False).ids.tolist() if asked.note_num() else []
    if answer[: len(head)] != head:
        head = [] if answer else head
    answer = answer[len(head) :]
    head, answer = insert_control_tokens(grammar, head, answer, bars.meters[hole.first], control_tokens.bars)
    context = _context(tokenizer, rest, bars, last, hole, programs)
    given = [*control_tokens.prefix, *context, grammar.single(SEP), *past, grammar.single(ANSWER), *head]
    return Filling(np.array(given, np.int32), np.array(answer, np.int32), len(head))


def _stop(score: Score, bars: BarMap, last: int) -> int:
    """The tick before which notes of the bars before ``last`` begin; those on a piece's very last tick count."""
    return max(int(bars.starts[last]), score.end() + 1) if last == len(bars) else int(bars.starts[last])


def _context(
    tokenizer: Tokenizer, rest: Score, bars: BarMap, last: int, hole: Hole, programs: frozenset[int] | None
) -> list[int]:
    """What is left from the hole on, a mark before every bar of it."""
    grammar = tokenizer.grammar()
    music = slice_ticks(rest, int(bars.starts[hole.first]), _stop(rest, bars, last))
    mark = [grammar.single(FILL), *_programs(tokenizer, programs)]
    ids = tokenizer.encode(music, start=False, end=False).ids.tolist() if music.note_num() else []
    places = [bar.first for bar in bar_starts(grammar, ids, bars.meters[hole.first])]
    out: list[int] = []
    done = 0
    for bar in range(hole.last - hole.first):
        # Bars after the last note that is left have no place in the ids: their marks stand at the end.
        place = places[bar] if bar < len(places) else len(ids)
        out += ids[done:place] + mark
        done = place
    return out + ids[done:]


def _programs(tokenizer: Tokenizer, programs: frozenset[int] | None) -> list[int]:
    """The words for ``programs``, where the tokenizer has any."""
    grammar = tokenizer.grammar()
    vocabulary = grammar.scheme.vocabulary
    if programs is None or not grammar.scheme.has_programs:
        return []
    ids = vocabulary.of_kind[Kind.PROGRAM]
    return [grammar.single(int(i)) for i in ids if int(vocabulary.values[i]) in programs]


def _tempo(score: Score) -> float | None:
    return float(score.tempos[0].qpm) if len(score.tempos) else None


def random_hole(score: Score, bars: BarMap, first: int, last: int, rng: np.random.Generator) -> Hole | None:
    """Something to cut out of bars ``first`` to ``last - 1``: up to half of them, all instruments or some of them.

    Some instruments may also be cut out all along, up to 16 bars. Now and then some notes are kept.

    Returns:
        None where nothing would be cut out.
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
        kept = _some_kept(taken, rng)
        hole = replace(hole, kept=kept) if len(kept) < taken.note_num() else hole
    return hole


def _some_kept(taken: Score, rng: np.random.Generator) -> frozenset[NoteRef]:
    """The highest or the lowest notes of what would be cut out, or some of its notes at random."""
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
    """The filling with as much music around ``hole`` as ``room`` ids hold, two thirds of it before.

    Returns:
        The filling, and its first bar.

    Raises:
        RequestError: Not even the bars of the hole alone fit.
    """
    before, after = _at_most(score, bars, hole, room)
    while True:
        first, last = hole.first - before, hole.last + after
        found = filling(tokenizer, score, bars, first, last, hole, programs, control_tokens)
        if len(found.given) <= room:
            return found, first
        if not before and not after:
            if hole.last - hole.first == 1:
                return _cropped(tokenizer, found, room), first
            span = f"bars {hole.first + 1} to {hole.last}"
            raise RequestError(
                f"{span} hold more than this model can read at a time: ask for fewer bars", kind=TOO_LONG
            )
        share = room / len(found.given)
        if after > before / 2:
            after = min(after - 1, int(after * share)) if after else 0
        else:
            before = min(before - 1, int(before * share))
        before, after = max(before, 0), max(after, 0)


def _cropped(tokenizer: Tokenizer, found: Filling, room: int) -> Filling:
    """The filling of a single bar that holds more than can be read: what stands there only as far as it fits."""
    answer = int(np.flatnonzero(found.given == tokenizer.grammar().single(SEP))[-1])
    asked = found.given[answer:]
    return replace(found, given=np.concatenate([found.given[: room - len(asked)], asked]))


def _at_most(score: Score, bars: BarMap, hole: Hole, room: int) -> tuple[int, int]:
    """How many bars before and after the hole are worth trying: a note takes at least a token and a half."""
    onsets = np.sort(np.concatenate([t.notes.numpy()["time"] for t in score.tracks if len(t.notes)] or [np.zeros(0)]))
    notes = int(room / 1.5)
    start, end = np.searchsorted(onsets, [bars.starts[hole.first], bars.starts[hole.last]]).tolist()
    earliest = bars.at(int(onsets[start - notes])) if start > notes else 0
    latest = bars.at(int(onsets[end + notes])) + 1 if end + notes < len(onsets) else len(bars)
    return hole.first - earliest, latest - hole.last
