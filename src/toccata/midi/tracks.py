"""Tracks of a song by what people call them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from symusic import Score

from toccata.errors import RequestError
from toccata.midi import gm
from toccata.midi.text import readable

_NUMBER = re.compile("[0-9]{1,9}")
_FORMS = ("^{}$", r"(?<!\w){}(?!\w)", "{}")
"""How a name may match: it is the word, or has it as a word, or has it."""


def chosen_tracks(song: Score, words: Sequence[int | str]) -> frozenset[int]:
    """Tracks of a song by their numbers from 1, or by what they or their instruments are called (``"bass"``).

    Of the names those count that a word is; if there are none, those in which it is a word; else those that have it.

    Raises:
        RequestError: There is no such track, or it has no notes.
    """
    names = [gm.track_name("", t.program, t.is_drum).lower() for t in song.tracks]
    own = [readable(track.name).strip().lower() for track in song.tracks]
    playing = [n for n, track in enumerate(song.tracks) if len(track.notes)]
    chosen: set[int] = set()
    for word in words:
        if _NUMBER.fullmatch(str(word).strip()):
            found = [int(word) - 1] if 1 <= int(word) <= len(song.tracks) else []
        else:
            text = str(word).strip().lower()
            matches = (re.compile(form.format(re.escape(text))) for form in _FORMS) if text else ()
            hits = ([n for n in playing if m.search(own[n]) or m.search(names[n])] for m in matches)
            found = next((hit for hit in hits if hit), [])
        found = [n for n in found if n in playing]
        if not found:
            there = ", ".join(f"{n + 1} {own[n] or names[n]}" for n in playing)
            raise RequestError(f"the song has no track {str(word)[:60]}; there are {there}"[:300])
        chosen |= set(found)
    return frozenset(chosen)
