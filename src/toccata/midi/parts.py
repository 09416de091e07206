"""A file's tracks taken apart, so that each track holds one instrument and says which.

The native parser goes by tracks and channels alone. Where a file's instruments are not plain (see
`toccata.midi.instruments`), it is given tracks in which they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from toccata.errors import MidiError
from toccata.midi import smf
from toccata.midi.chunks import MAX_TRACKS
from toccata.midi.gm import DRUM_CHANNEL
from toccata.midi.instruments import BANKS, Instruments
from toccata.midi.karaoke import has_lyrics, karaoke_words
from toccata.midi.notes import Place, Struck, notes_of
from toccata.midi.smf import Event, MidiTrack

_CHANNEL = 15  # of every pitched part: where the parser looks for lyrics
_Placed = tuple[int, int, int, int, bytes]
"""An event's tick; 0 for another track's, 1 for the part's own; its number in the track; order; its bytes."""


def separate(tracks: Sequence[MidiTrack], instruments: Instruments) -> list[MidiTrack]:
    """Return tracks that each hold one instrument, in the order of `toccata.midi.notes.score_places`.

    Each part begins with its program, and before it its bank where the file names one; has the controllers, bends and
    pressure that hold on its channel while it plays; and lyrics, if it is the first pitched part of its track.
    System-exclusive messages are left out.

    Args:
        tracks: The file's tracks.
        instruments: Their instruments.

    Raises:
        MidiError: There are more parts than tracks are read; the message is the bare reason.
    """
    words = karaoke_words(tracks)
    notes = [notes_of(track, number, instruments)[0] for number, track in enumerate(tracks)]
    if (count := len({note.place for own in notes for note in own})) > MAX_TRACKS:
        raise MidiError(f"has {count:,} parts; at most {MAX_TRACKS:,} are read")
    out: list[MidiTrack] = []
    for number, track in enumerate(tracks):
        own = words.get(number, set())
        metas = [e for n, e in enumerate(track.events) if e.meta >= 0 and e.meta != smf.LYRIC and n not in own]
        out.append(MidiTrack(metas, track.end))
        names = [event for event in metas if event.meta == smf.TRACK_NAME]
        lyrics = list(_lyrics(track, own)) if has_lyrics(track, own) else []
        for place, placed in _parts(track, number, notes[number], instruments):
            drums = instruments.is_drums(number, place.channel)
            if lyrics and not drums:
                placed, lyrics = placed + lyrics, []
            out.append(MidiTrack(names + _on_channel(sorted(placed), DRUM_CHANNEL if drums else _CHANNEL), track.end))
        if lyrics:
            out.append(MidiTrack(names + [Event(tick, data) for tick, *_, data in sorted(lyrics)], track.end))
    return out


def _lyrics(track: MidiTrack, words: Collection[int]) -> Iterator[_Placed]:
    for index, event in enumerate(track.events):
        if event.meta == smf.LYRIC or index in words:
            yield event.tick, 1, index, 0, smf.meta(smf.LYRIC, event.payload)


def _on_channel(events: Sequence[_Placed], channel: int) -> list[Event]:
    return [
        Event(tick, data if data[0] >= 0xF0 else bytes((data[0] & 0xF0 | channel,)) + data[1:])
        for tick, *_, data in events
    ]


def _parts(
    track: MidiTrack, number: int, own: Sequence[Struck], instruments: Instruments
) -> Iterator[tuple[Place, list[_Placed]]]:
    """The parts of one track, whose notes are ``own``, by place."""
    by_channel: dict[int, list[Struck]] = defaultdict(list)
    first: dict[Place, Struck] = {}
    for note in own:
        by_channel[note.place.channel].append(note)
        first.setdefault(note.place, note)
    for channel, notes in sorted(by_channel.items()):
        parts = _with_state(notes, _states(number, channel, instruments))
        for note in notes:
            for index in (note.on, note.off):
                if index is not None:
                    parts[note.place].append((track.events[index].tick, 1, index, 1, track.events[index].data))
        for place in sorted(parts):
            bank = instruments.at(number, channel, first[place].start, first[place].on).bank
            head = [bytes((smf.PROGRAM, place.program))]
            head += [bytes((smf.CONTROL, n, part)) for n, part in zip(BANKS, bank, strict=True) if part is not None]
            # In front of all else; the bank stands behind its program, as the parser has no track before it.
            yield place, [(0, -1, order, 0, data) for order, data in enumerate(head)] + parts[place]


def _states(number: int, channel: int, instruments: Instruments) -> list[_Placed]:
    """Controllers (but for banks), bends and pressure that hold for a channel of a track, in order."""
    return [
        (tick, mine, place, 0, data)
        for tick, mine, place, data in instruments.states(number, channel)
        if data[0] & 0xF0 != smf.CONTROL or data[1] not in BANKS
    ]


def _with_state(notes: Sequence[Struck], states: Sequence[_Placed]) -> dict[Place, list[_Placed]]:
    """For each part of a channel the events of ``states`` that hold while it plays."""
    parts: dict[Place, list[_Placed]] = {note.place: [] for note in notes}
    if len(parts) == 1:
        return {place: list(states) for place in parts}
    current: dict[bytes, bytes] = {}
    known: dict[Place, dict[bytes, bytes]] = {place: {} for place in parts}
    playing: Place | None = None
    at = 0
    for note in notes:
        while at < len(states) and states[at][:3] < (note.start, 1, note.on):
            data = states[at][-1]
            key = data[: 2 if data[0] & 0xF0 == smf.CONTROL else 1]
            current[key] = data
            if playing is not None:
                parts[playing].append(states[at])
                known[playing][key] = data
            at += 1
        if note.place != playing:
            playing = note.place
            for key, data in current.items():
                if known[playing].get(key) != data:
                    parts[playing].append((note.start, 1, note.on, 0, data))
                    known[playing][key] = data
    if playing is not None:
        parts[playing] += states[at:]
    return parts
