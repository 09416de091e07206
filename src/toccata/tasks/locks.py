"""Locks: notes of a song that stay, whatever is written around them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from symusic import Score

from toccata.errors import RequestError
from toccata.midi.bars import BarMap
from toccata.tasks.fill import Kept

_PITCH = re.compile(r"([A-Ga-g])([#b♯♭]*)(-?\d)")
_ONE = r"(\d+|[A-Ga-g][#b♯♭]*-?\d)"
_SPAN = re.compile(rf"{_ONE}(?:\s*-\s*{_ONE})?")
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True)
class Lock:
    """Which notes of a song stay: those that begin in some bars, of some tracks, between some pitches.

    Attributes:
        bars: First and last bar, counted from 1; None: all.
        tracks: Numbers from 1, or names of tracks or instruments; None: all.
        pitches: Lowest and highest; None: all.
    """

    bars: tuple[int, int] | None = None
    tracks: tuple[int | str, ...] | None = None
    pitches: tuple[int, int] | None = None

    @classmethod
    def read(cls, text: str) -> Lock:
        """``BARS:TRACKS:PITCHES``, each of which may be empty: ``5-6``, ``5-8:melody``, ``::C5-G9``, ``:1,bass``.

        Raises:
            RequestError: It does not read like this.
        """
        parts = [part.strip() for part in text.split(":")]
        if len(parts) > 3 or not any(parts):
            raise RequestError(f"{text!r} is no lock: write BARS:TRACKS:PITCHES, e.g. 5-6, 5-8:melody or ::C5-G9")
        bars, tracks, pitches = (*parts, "", "")[:3]
        words = tuple(word.strip() for word in tracks.split(",") if word.strip())
        return cls(_range(bars, text, _bar), words or None, _range(pitches, text, pitch_number))


def _range(part: str, text: str, number: Callable[[str], int]) -> tuple[int, int] | None:
    if not part:
        return None
    found = _SPAN.fullmatch(part)
    try:
        if found is None:
            raise ValueError(part)
        first = number(found[1])
        last = first if found[2] is None else number(found[2])
    except ValueError:
        raise RequestError(f"{part!r} in the lock {text!r} cannot be read") from None
    if first > last:
        raise RequestError(f"{part!r} in the lock {text!r} ends before it begins")
    return first, last


def _bar(word: str) -> int:
    if not word.isdigit() or int(word) < 1:
        raise ValueError(word)
    return int(word)


def pitch_number(word: str) -> int:
    """``60`` and ``C4`` as 60.

    Raises:
        ValueError: It is no pitch.
    """
    if word.isdigit() and int(word) <= 127:
        return int(word)
    found = _PITCH.fullmatch(word)
    if not found:
        raise ValueError(word)
    shift = sum(1 if mark in "#♯" else -1 for mark in found[2])
    number = _STEPS[found[1].upper()] + shift + 12 * (int(found[3]) + 1)
    if not 0 <= number <= 127:
        raise ValueError(word)
    return number


def kept_notes(
    song: Score,
    bars: BarMap,
    locks: Sequence[Lock],
    tracks_of: Callable[[Score, Sequence[int | str]], frozenset[int]],
) -> frozenset[Kept]:
    """The notes that ``locks`` hold.

    Args:
        song: Whose.
        bars: Its bars.
        locks: What is locked.
        tracks_of: Finds tracks by their numbers and names.

    Raises:
        RequestError: There are no such bars or tracks, or a lock holds no note.
    """
    kept: set[Kept] = set()
    for lock in locks:
        first, last = lock.bars or (1, len(bars))
        if last > len(bars):
            raise RequestError(f"there are no bars {first} to {last} to lock: the song has {len(bars)}")
        start = int(bars.starts[first - 1])
        end = int(bars.starts[last]) if last < len(bars) else song.end() + 1
        low, high = lock.pitches or (0, 127)
        chosen = range(len(song.tracks)) if lock.tracks is None else tracks_of(song, lock.tracks)
        held = {
            Kept(number, note.time, note.pitch)
            for number in chosen
            for note in song.tracks[number].notes
            if start <= note.time < end and low <= note.pitch <= high
        }
        if not held:
            raise RequestError(f"a lock of bars {first} to {last} holds no note")
        kept |= held
    return frozenset(kept)
