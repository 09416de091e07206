"""Locks: notes of a song that are preserved, whatever is generated around them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from symusic import Score

from toccata.errors import RequestError, shown
from toccata.midi.bars import BarMap
from toccata.midi.melody import is_melody, melody
from toccata.midi.notes import NoteRef as NoteRef
from toccata.midi.tracks import chosen_tracks

One = int | str
"""A bar, a track or a pitch, as a number or as text."""
_NUMBER = re.compile("[0-9]{1,9}")
_PITCH = re.compile(r"([A-Ga-g])([#b♯♭]*)(-?\d)")
_ONE = r"(\d+|[A-Ga-g][#b♯♭]*-?\d)"
_SPAN = re.compile(rf"{_ONE}(?:\s*-\s*{_ONE})?")
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True)
class Lock:
    """A selection of notes to preserve: those that begin in some bars, of some tracks, between some pitches; or notes.

    Attributes:
        bars: First and last bar, counted from 1; None: all.
        tracks: Numbers from 1, or names of tracks or instruments; None: all.
        pitches: Lowest and highest; None: all.
        notes: Single notes instead: the number of the track from 1, the tick where the note begins, its pitch.
    """

    bars: tuple[int, int] | None = None
    tracks: tuple[int | str, ...] | None = None
    pitches: tuple[int, int] | None = None
    notes: tuple[NoteRef, ...] | None = None

    @classmethod
    def read(cls, text: str) -> Lock:
        """Parse ``BARS:TRACKS:PITCHES``, each optional: ``5-6``, ``5-8:melody``, ``::C5-G9``, ``:1,bass``.

        Single notes are ``@TRACK/TICK/PITCH``, with commas between them: ``@1/480/60,2/960/48``.

        Raises:
            RequestError: It has another form.
        """
        if text.startswith("@"):
            return cls(notes=_notes(text))
        parts = [part.strip() for part in text.split(":")]
        if len(parts) > 3 or not any(parts):
            raise RequestError(f"{shown(text)} is no lock: write BARS:TRACKS:PITCHES, e.g. 5-6, 5-8:melody or ::C5-G9")
        bars, tracks, pitches = (*parts, "", "")[:3]
        words = tuple(word.strip() for word in tracks.split(",") if word.strip())
        if tracks and not words:
            raise RequestError(f"no track is named in the lock {shown(text)}")
        return cls(_range(bars, text, _bar), words or None, _range(pitches, text, pitch_number))

    @classmethod
    def of(
        cls,
        bars: int | tuple[int, int] | None = None,
        tracks: One | Sequence[One] | None = None,
        pitches: One | tuple[One, One] | None = None,
    ) -> Lock:
        """Return a lock of one bar or some, one track or some, one pitch or a range of them, pitches as 72 or ``"C5"``.

        Raises:
            RequestError: All are None, or a value is invalid.
        """
        if bars is None and tracks is None and pitches is None:
            raise RequestError("a lock needs bars, tracks or pitches")
        words = None if tracks is None else (tracks,) if isinstance(tracks, int | str) else tuple(tracks)
        if words is not None and not words:
            raise RequestError("no track is named in the lock")
        return cls(_span(bars, "bars", _bar), words, _span(pitches, "pitches", pitch_number))

    def __str__(self) -> str:
        """The lock as text that :meth:`read` parses."""
        if self.notes is not None:
            return "@" + ",".join("/".join(map(str, note)) for note in self.notes)
        bars, pitches = ("" if span is None else f"{span[0]}-{span[1]}" for span in (self.bars, self.pitches))
        return f"{bars}:{','.join(map(str, self.tracks or ()))}:{pitches}".rstrip(":")


def pitch_range(text: str) -> tuple[int, int]:
    """``C3-C6`` and ``48-84`` as (48, 84).

    Raises:
        RequestError: They are no pitches.
    """
    found = _SPAN.fullmatch(text.strip())
    try:
        if found is None or found[2] is None:
            raise ValueError(text)
        low, high = pitch_number(found[1]), pitch_number(found[2])
        if low > high:
            raise ValueError(text)
    except ValueError:
        raise RequestError(f"{shown(text)} is no range of pitches: write C3-C6, or 48-84") from None
    return low, high


def _notes(text: str) -> tuple[NoteRef, ...]:
    try:
        notes = [NoteRef(*map(int, word.split("/"))) for word in text[1:].split(",")]
    except (TypeError, ValueError):
        notes = []
    if not notes or any(note.track < 1 or note.tick < 0 or not 0 <= note.pitch <= 127 for note in notes):
        raise RequestError(f"{shown(text)} are no notes to lock: write @TRACK/TICK/PITCH, e.g. @1/480/60,2/960/48")
    return tuple(notes)


def _range(part: str, text: str, number: Callable[[One], int]) -> tuple[int, int] | None:
    if not part:
        return None
    found = _SPAN.fullmatch(part)
    try:
        if found is None:
            raise ValueError(part)
        first = number(found[1])
        last = first if found[2] is None else number(found[2])
    except ValueError:
        raise RequestError(
            f"{shown(part)} in the lock {shown(text)} cannot be read: write BARS:TRACKS:PITCHES, "
            "e.g. 5-6, 5-8:melody or ::C5-G9"
        ) from None
    if first > last:
        raise RequestError(f"{shown(part)} in the lock {shown(text)} ends before it begins")
    return first, last


def _span(given: One | tuple[One, One] | None, what: str, number: Callable[[One], int]) -> tuple[int, int] | None:
    if given is None:
        return None
    try:
        first, last = (given, given) if isinstance(given, int | str) else given
        low, high = number(first), number(last)
    except (TypeError, ValueError):
        raise RequestError(f"{shown(given)} are no {what} to lock: give the first and the last") from None
    if low > high:
        raise RequestError(f"the {what} {first} to {last} of a lock end before they begin")
    return low, high


def _bar(word: One) -> int:
    if not _NUMBER.fullmatch(str(word)) or int(word) < 1:
        raise ValueError(word)
    return int(word)


def pitch_number(word: One) -> int:
    """``60`` and ``C4`` as 60.

    Raises:
        ValueError: It is no pitch.
    """
    if _NUMBER.fullmatch(str(word)) and int(word) <= 127:
        return int(word)
    found = _PITCH.fullmatch(str(word))
    if not found:
        raise ValueError(word)
    shift = sum(1 if mark in "#♯" else -1 for mark in found[2])
    number = _STEPS[found[1].upper()] + shift + 12 * (int(found[3]) + 1)
    if not 0 <= number <= 127:
        raise ValueError(word)
    return number


def locked_notes(song: Score, bars: BarMap, locks: Sequence[Lock]) -> frozenset[NoteRef]:
    """Return the notes of a song that ``locks`` preserve.

    Raises:
        RequestError: There are no such bars or tracks, or a lock holds no note.
    """
    locked: set[NoteRef] = set(melody_notes(song, bars, locks))
    for lock in locks:
        if lock.notes is not None:
            locked |= _single(song, lock.notes)
            continue
        if lock.tracks is not None and any(map(is_melody, lock.tracks)):
            others = tuple(word for word in lock.tracks if not is_melody(word))
            locked |= locked_notes(song, bars, [replace(lock, tracks=others)]) if others else set()
            continue
        first, last = lock.bars or (1, len(bars))
        if last > len(bars):
            which = f"is no bar {last}" if first == last else f"are no bars {first} to {last}"
            raise RequestError(f"there {which} to lock: the song has {len(bars)}")
        start = int(bars.starts[first - 1])
        end = int(bars.starts[last]) if last < len(bars) else song.end() + 1
        low, high = lock.pitches or (0, 127)
        chosen = range(len(song.tracks)) if lock.tracks is None else chosen_tracks(song, lock.tracks)
        held = {
            NoteRef(number, note.time, note.pitch)
            for number in chosen
            for note in song.tracks[number].notes
            if start <= note.time < end and low <= note.pitch <= high
        }
        if not held:
            raise RequestError(f"the lock {lock} holds no note")
        locked |= held
    return frozenset(locked)


def melody_notes(song: Score, bars: BarMap, locks: Sequence[Lock]) -> frozenset[NoteRef]:
    """Return the notes that are locked as the melody, for locks whose track is ``melody``.

    They are the top line of the track that is so named, or else of the highest.

    Raises:
        RequestError: There are no such bars, or the melody has no note there.
    """
    found: frozenset[NoteRef] = frozenset()
    for lock in locks:
        if lock.tracks is not None and any(map(is_melody, lock.tracks)):
            line = melody(song, [(0, song.end() + 1)], _called_melody(song))
            number = next(iter(line)).track if line else 0
            mine = line & locked_notes(song, bars, [replace(lock, tracks=(number + 1,))])
            if not mine:
                raise RequestError(f"the lock {lock} holds no note")
            found |= mine
    return found


def _called_melody(song: Score) -> frozenset[int] | None:
    """Return the tracks that are called melody; None: there are none."""
    try:
        return chosen_tracks(song, ["melody"])
    except RequestError:
        return None


def _single(song: Score, notes: Sequence[NoteRef]) -> set[NoteRef]:
    """Return single notes of a song, their tracks counted from 0."""
    found = {NoteRef(number - 1, tick, pitch) for number, tick, pitch in notes}
    for number in sorted({note.track for note in found}):
        there = range(len(song.tracks))
        own = {(note.time, note.pitch) for note in song.tracks[number].notes} if number in there else set()
        for note in sorted(found):
            if note.track == number and note[1:] not in own:
                raise RequestError(
                    f"there is no note to lock in track {number + 1} at tick {note.tick:,} of pitch {note.pitch}"
                )
    return found
