"""What the page requests of a model, as the verbs have it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from toccata.arguments import checked_value
from toccata.errors import ArgumentError, RequestError, shown
from toccata.midi.locks import Lock, NoteRef
from toccata.musicmodel import Model
from toccata.studio.rows import LockedNote
from toccata.studio.song import Song

VERBS = ("continue", "infill", "accompany", "vary", "harmonise", "generate")
MOST_IDEAS = 16
MOST_BARS = 1_000
NEW_BARS, MORE_BARS = 16, 8
"""Bars of a new piece and of a continuation where none are chosen."""
_OURS = frozenset(
    (
        *("self", "song", "prompt", "n", "seed", "tracks", "locks", "accept", "on_event", "best_of", "prompt_bars"),
        *("prompt_tokens", "prompt_seconds", "continuation_only", "max_copy"),
    )
)
"""Arguments of verbs that the page does not give as such."""


@dataclass(frozen=True)
class Call:
    """A call of a verb.

    Attributes:
        verb: The name of the method of ``Model``.
        song: The MIDI file to work on; None: new music.
        arguments: Its keyword arguments, but for number and seed.
        bars: First and last bar that are written, counted from 1.
    """

    verb: str
    song: bytes | None
    arguments: dict[str, Any] = field(repr=False)
    bars: tuple[int, int]


def call_of(
    song: Song,
    verb: str,
    bars: tuple[int, int] | None,
    tracks: Sequence[str],
    arguments: Mapping[str, Any],
    locks: Iterable[LockedNote] = (),
) -> Call:
    """Return the call that a request of the page comes to.

    Args:
        song: What is on screen.
        verb: One of ``VERBS``.
        bars: The chosen bars, first and last, counted from 1; None: none are chosen.
        tracks: The ids of the chosen tracks; empty: all.
        arguments: Of the verb, see ``toccata.arguments``.
        locks: The locked notes of the piece.

    Raises:
        RequestError: It cannot be fulfilled with this song, and why.
        ArgumentError: An argument that the verb does not have, or a value that it cannot have.
    """
    if verb not in VERBS:
        raise ArgumentError(f"there is no verb {shown(verb)}: there are {', '.join(VERBS)}")
    if bars is not None and not (1 <= bars[0] <= bars[1] and bars[1] - bars[0] < MOST_BARS):
        raise ArgumentError(f"bars must be the first and the last, at most {MOST_BARS:,}, not {shown(list(bars))}")
    method = "generate" if verb == "continue" else verb
    own = _arguments(method, arguments)
    numbers = [song.track(name).number + 1 for name in tracks]
    if verb == "generate" or (verb == "continue" and not song.tracks):
        return _new(song, bars, own)
    if not song.tracks:
        raise RequestError(f"the piece is empty: there is nothing to {verb} yet; generate, draw or record something")
    if verb == "continue":
        return _continued(song, bars, own)
    count = song.bar_count
    if bars is not None and bars[1] > count:
        raise RequestError(f"the piece has {count} bars: choose some of them, or continue it")
    if verb == "infill":
        if bars is None:
            raise RequestError("choose the bars to fill first")
        own["bars"] = [bars]
    elif bars is not None:
        own["bars"] = [bars]
    if verb in ("infill", "vary"):
        if numbers:
            own["tracks"] = numbers
        if held := _locks(song, bars, tracks, locks):
            own["locks"] = [Lock(notes=held)]
    elif verb == "harmonise" and numbers:
        if len(numbers) > 1:
            raise RequestError("choose one track, the melody, to harmonise")
        own["melody"] = numbers[0]
    elif verb == "accompany" and not own.get("programs"):
        raise RequestError("choose the instruments to add")
    return Call(verb, song.midi, own, bars or (1, count))


def _arguments(method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return checked arguments."""
    known = set(inspect.signature(getattr(Model, method)).parameters) - _OURS
    own = {}
    for name, value in arguments.items():
        if name not in known:
            raise ArgumentError(f"{method} has no argument {shown(name)}: there are {', '.join(sorted(known))}")
        if value is not None:
            own[name] = checked_value(name, value, verb=method)
    return own


def _new(song: Song, bars: tuple[int, int] | None, own: dict[str, Any]) -> Call:
    if song.tracks:
        raise RequestError("there is music in the piece: continue it, or generate in a new piece")
    count = int(own.pop("bars", 0)) or (bars[1] if bars is not None else NEW_BARS)
    own["bars"] = count
    own.setdefault("tempo", min(max(10.0, song.tempos[0][1]), 500.0))
    own.setdefault("meter", song.meters[0][1:])
    return Call("generate", None, own, (1, count))


def _continued(song: Song, bars: tuple[int, int] | None, own: dict[str, Any]) -> Call:
    there = song.bar_count
    count = int(own.pop("bars", 0))
    if not count and bars is not None:
        # Empty bars after the end are filled, with those before them; chosen bars of the music say how many follow.
        count = bars[1] - there if bars[1] > there else bars[1] - bars[0] + 1
    count = count or MORE_BARS
    own["bars"] = count
    return Call("generate", song.midi, own, (there + 1, there + count))


def _locks(
    song: Song, bars: tuple[int, int] | None, tracks: Sequence[str], locks: Iterable[LockedNote]
) -> tuple[NoteRef, ...]:
    """Return the locked notes that are where music is written anew, with the numbers of their tracks."""
    start, end = (0, 1 << 62) if bars is None else (song.start(bars[0]), song.start(bars[1] + 1))
    held = []
    for lock in sorted(set(locks)):
        track = song.by_id.get(lock.track)
        if track is None or (tracks and lock.track not in tracks) or not start <= lock.tick < end:
            continue
        if any(note.tick == lock.tick and note.pitch == lock.pitch for note in track.notes):
            held.append(NoteRef(track.number + 1, lock.tick, lock.pitch))
    return tuple(held)
