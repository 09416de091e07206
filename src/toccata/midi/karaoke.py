"""Words to sing along: lyric events, and in karaoke (.kar) files text events."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from toccata.midi import smf
from toccata.midi.smf import MidiTrack

_FILE, _LANGUAGE, _TITLE = b"@K", b"@L", b"@T"
_NAMES = (b"words", b"lyrics")


def karaoke_words(tracks: Sequence[MidiTrack]) -> dict[int, set[int]]:
    """Find the text events that are the words of a karaoke file.

    Such a file says so in a text event that begins with ``@K``. Its words are the text events of the track named
    "Words" or that has the title and language (``@T``, ``@L``), but for those that begin with ``@``.

    Returns:
        By track, the numbers of the text events among its events; nothing where the file is no karaoke file, or has
        lyric events.
    """
    marks: dict[int, set[bytes]] = {}
    words: dict[int, set[int]] = {}
    for number, track in enumerate(tracks):
        for index, event in enumerate(track.events):
            if event.meta == smf.LYRIC:
                return {}
            if event.meta == smf.TRACK_NAME and event.payload.strip().lower() in _NAMES:
                marks.setdefault(number, set()).add(_TITLE)
            elif event.meta == smf.TEXT:
                text = event.payload
                if text[:1] == b"@":
                    marks.setdefault(number, set()).add(text[:2])
                elif text:
                    words.setdefault(number, set()).add(index)
    if not any(_FILE in found for found in marks.values()):
        return {}
    homes = {number for number, found in marks.items() if found & {_LANGUAGE, _TITLE}}
    return {number: found for number, found in words.items() if number in homes}


def has_lyrics(track: MidiTrack, words: Collection[int] | None) -> bool:
    """Whether a track has words to sing; ``words`` are the numbers of texts that are such."""
    return bool(words) or any(event.meta == smf.LYRIC and event.payload for event in track.events)
