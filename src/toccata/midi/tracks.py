"""Tracks of a song by what people call them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from symusic import Score

from toccata.errors import RequestError
from toccata.midi import gm
from toccata.midi.text import readable

_NUMBER = re.compile("[0-9]{1,9}")


def chosen_tracks(song: Score, words: Sequence[int | str]) -> frozenset[int]:
    """Tracks of a song by their numbers from 1, or by what they or their instruments are called (``"bass"``).

    Raises:
        RequestError: There is no such track, or it has no notes.
    """
    names = [gm.track_name("", t.program, t.is_drum).lower() for t in song.tracks]
    own = [readable(track.name).strip().lower() for track in song.tracks]
    chosen: set[int] = set()
    for word in words:
        if _NUMBER.fullmatch(str(word).strip()):
            found = [int(word) - 1] if 1 <= int(word) <= len(song.tracks) else []
        else:
            text = str(word).strip().lower()
            found = [n for n in range(len(names)) if text and (text in own[n] or text in names[n])]
        found = [n for n in found if len(song.tracks[n].notes)]
        if not found:
            there = ", ".join(f"{n + 1} {own[n] or names[n]}" for n in range(len(names)) if len(song.tracks[n].notes))
            raise RequestError(f"the song has no track {str(word)[:60]}; there are {there}"[:300])
        chosen |= set(found)
    return frozenset(chosen)
