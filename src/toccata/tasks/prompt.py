"""A prompt: a user's MIDI file, and the part of it to continue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from symusic import Score

from toccata.errors import MidiError, RequestError
from toccata.midi import smf
from toccata.midi.bars import bar_map
from toccata.midi.facts import seconds_at
from toccata.midi.limits import SONG
from toccata.midi.locks import Lock, NoteRef, locked_notes, melody_notes
from toccata.midi.melody import is_melody
from toccata.midi.read import read_bytes, read_score
from toccata.midi.smf import is_editable
from toccata.midi.splice import drop_before, new_file
from toccata.midi.tracks import chosen_tracks
from toccata.tasks.passage import passage
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.state import State


class Music(Protocol):
    """An existing piece, as a protocol."""

    @property
    def midi(self) -> bytes:
        """Its MIDI file."""

    @property
    def origin(self) -> Mapping[str, Any]:
        """Where it comes from, with the name of its file if it had one."""


Source: TypeAlias = "str | Path | bytes | Score | Music"
"""The forms in which music is accepted: a MIDI file, its bytes, a Score or a Piece."""


@dataclass(frozen=True)
class Prompt:
    """Music to continue or to edit.

    Attributes:
        midi: The file's bytes, unchanged.
        score: The same, parsed.
        seam: The tick where the new music begins.
        keep_until: The tick from which on the file's own music is left out; None: nothing is left out.
        about: The file's name and the part used, for the piece's origin.
        seen: The caller's Score, if its tracks are numbered differently from ``score``: a Score may have tracks without
            notes, which a file loses.
    """

    midi: bytes
    score: Score
    seam: int
    keep_until: int | None
    about: str
    seen: Score | None = None

    @contextmanager
    def named(self) -> Iterator[None]:
        """A block in which errors that are about the file name it."""
        try:
            yield
        except MidiError as error:
            raise MidiError(f"{self.about}: {error.message}", path=error.path, kind=error.kind) from None

    def tracks(self, words: Sequence[int | str]) -> frozenset[int]:
        """Return the indices in ``score`` of tracks that the caller names by number, from 1, or by name.

        Raises:
            RequestError: There is no such track, or it has no notes.
        """
        chosen = chosen_tracks(self.seen or self.score, words)
        if self.seen is None:
            return chosen
        numbers = [n for n, track in enumerate(self.seen.tracks) if len(track.notes)]
        return frozenset(numbers.index(number) for number in chosen)

    def locked(self, locks: Sequence[Lock]) -> frozenset[NoteRef]:
        """Return the notes of ``score`` that are locked.

        Raises:
            RequestError: There are no such bars or tracks, or a lock has no note.
        """
        return locked_notes(self.score, bar_map(self.score), self._numbered(locks))

    def melody(self, locks: Sequence[Lock]) -> frozenset[NoteRef]:
        """Return the notes that are locked as the melody.

        Raises:
            RequestError: There are no such bars, or the melody has no note there.
        """
        return melody_notes(self.score, bar_map(self.score), self._numbered(locks))

    def _numbered(self, locks: Sequence[Lock]) -> list[Lock]:
        """Return locks with the numbers that their tracks have in ``score``."""
        found = []
        for lock in locks:
            if lock.notes is not None and self.seen is not None:
                moved = [note._replace(track=min(self.tracks([note.track])) + 1) for note in lock.notes]
                lock = replace(lock, notes=tuple(moved))
            elif lock.tracks is not None:
                tops = tuple(word for word in lock.tracks if is_melody(word))
                words = [word for word in lock.tracks if not is_melody(word)]
                numbers = tuple(n + 1 for n in sorted(self.tracks(words))) if words else ()
                lock = replace(lock, tracks=(*tops, *numbers))
            found.append(lock)
        return found


def open_prompt(
    tokenizer: Tokenizer,
    source: Source | None,
    *,
    bars: tuple[int, int] | None = None,
    tokens: int | None = None,
    seconds: float | None = None,
    edit: bool = False,
) -> Prompt | None:
    """Read a prompt and find the tick where the new music begins.

    Args:
        tokenizer: The tokenizer in which ``tokens`` are counted.
        source: A MIDI file, its bytes, a Score, a Piece, or None.
        bars: Use these bars only: the first and the last, counted from 1.
        tokens: Use only the notes in the first so many tokens; the new music begins with the next note.
        seconds: Use only the first so many seconds.
        edit: Refuse a file whose events cannot be changed in place (several songs in one, film frames). Otherwise such
            a file is rewritten.

    Raises:
        MidiError: The file cannot be read, or not be changed in place, or has too many events.
        RequestError: Several of bars, tokens and seconds are given, one of them is not above 0, there are no such bars,
            or there is no prompt to cut.
    """
    part = _part(bars, tokens, seconds)
    if source is None:
        if part:
            raise RequestError(f"there is no prompt to take {part} of: name a MIDI file to go on from")
        return None
    seen = None
    if isinstance(source, str | Path):
        score = read_score(Path(source), SONG)  # first: its errors name the file
        midi, name = read_bytes(Path(source)), Path(source).name
    elif isinstance(source, bytes):
        midi, score, name = source, read_score(source, SONG), "bytes"
    elif isinstance(source, Score):
        SONG.refuse(source)
        midi, score, name = new_file(source), source, "score"
        if edit:
            score, seen = read_score(midi, SONG), source
    else:
        midi, score, name = source.midi, read_score(source.midi, SONG), str(source.origin.get("file", "piece"))
    path = Path(source) if isinstance(source, str | Path) else None
    try:
        if not edit and not is_editable(midi):
            midi = new_file(score)
        smf.read(midi)  # what cannot be taken apart is refused before anything is written
    except MidiError as error:
        raise MidiError(f"{path or name}: {error}", path=path) from None
    lines = bar_map(score)
    seam = lines.end
    if bars is not None:
        first, last = bars
        if last > len(lines):
            gone = first if first > len(lines) else last
            raise RequestError(f"{path or name} has {len(lines)} bars: there is no bar {gone} in it", path=path)
        begin, seam = int(lines.starts[first - 1]), int(lines.starts[last] - lines.starts[first - 1])
        if begin:  # what is in force there stands at the beginning of what is left
            midi = drop_before(midi, begin)
            try:
                score = read_score(midi, SONG)
            except MidiError as error:
                reason = error.message.removeprefix("this MIDI data: ")
                raise MidiError(f"{path or name}, {part}: {reason}", path=path) from None
    elif seconds is not None:
        seam = min(_tick_at(score, seconds), lines.end)
    elif tokens is not None:
        seam = min(_tick_of_token(tokenizer, score, tokens), lines.end)
    about = f"{name}, {part}" if part else name
    return Prompt(midi, score, seam, None if seam >= score.end() else seam, about, seen)


def _part(bars: tuple[int, int] | None, tokens: int | None, seconds: float | None) -> str:
    """Return the used part of a prompt in words; empty: all of it.

    Raises:
        RequestError: Several of bars, tokens and seconds are given.
    """
    cuts = []
    if bars is not None:
        first, last = bars
        cuts.append(f"bar {first}" if first == last else f"bars {first}-{last}")
    if tokens is not None:
        cuts.append(f"the first {tokens:,} tokens")
    if seconds is not None:
        cuts.append(f"the first {seconds:g} seconds")
        if not seconds > 0:  # nor is a number that is none
            raise RequestError(f"a prompt of {seconds:g} seconds is nothing to go on from")
    if len(cuts) > 1:
        raise RequestError(f"cut the prompt in one way: {' or '.join(cuts)}, not both")
    return cuts[0] if cuts else ""


def _tick_at(score: Score, seconds: float) -> int:
    """Return the first tick at or after ``seconds``."""
    low, high = 0, int(score.end()) + 1
    while low < high:
        middle = (low + high) // 2
        if float(seconds_at(score, np.array([middle]))[0]) < seconds:
            low = middle + 1
        else:
            high = middle
    return low


def _tick_of_token(tokenizer: Tokenizer, score: Score, tokens: int) -> int:
    """Return the onset of the first note that is not in the first ``tokens`` ids."""
    bars = bar_map(score)
    ids = passage(tokenizer, score, bars, 0, len(bars), ended=False).ids
    if len(ids) <= tokens:
        return bars.end
    grammar = tokenizer.grammar()
    state, inside = State(grammar.scheme, bars.meters[0]), 0
    outside: list[int] = []  # onsets of the notes that do not fit, in the tokenizer's ticks
    for place, token in enumerate(ids.tolist()):
        for base in grammar.base(token):
            state.read(base)
            inside += len(state.made) if place < tokens else 0
            outside += [note.onset for note in state.made] if place >= tokens else []
    if not inside:
        raise RequestError(f"the first {tokens} tokens of the prompt hold no note: give more")
    if not outside:
        return bars.end
    onsets = np.concatenate([t.notes.numpy()["time"] for t in score.tracks if len(t.notes)])
    grid = grammar.scheme.timing.ticks_per_quarter / score.ticks_per_quarter
    return int(onsets[np.round(onsets * grid) >= min(outside)].min(initial=bars.end))
