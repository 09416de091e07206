"""Changes a MIDI file by hand: single notes, an instrument, a name, a tempo; all its other events are preserved.

Notes are found by value: tick, length, pitch and velocity. What is preserved is never decoded (see ``splice``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from toccata.midi import smf
from toccata.midi.gm import track_name
from toccata.midi.instruments import Instruments
from toccata.midi.notes import Place, notes_of
from toccata.midi.replace import laid, make_room, settle
from toccata.midi.smf import Event, MidiFile, MidiTrack
from toccata.midi.splice import merged, named_track
from toccata.midi.text import to_bytes, to_text
from toccata.midi.voices import Part


class PlainNote(NamedTuple):
    """A note by value.

    Attributes:
        tick: Where it begins.
        length: In ticks, at least 1.
        pitch: 0 to 127.
        velocity: 1 to 127.
    """

    tick: int
    length: int
    pitch: int
    velocity: int


@dataclass(frozen=True)
class NoteChange:
    """Notes of one track to remove and to add.

    Attributes:
        place: Where in the file; None: a new track is made for what is added.
        remove: Notes to remove; those that are not there are passed over.
        add: Notes to add.
        program: The General MIDI program of a new track.
        drum: Whether a new track is drums.
        name: The name of a new track; empty: its instrument's.
    """

    place: Place | None
    remove: Sequence[PlainNote] = ()
    add: Sequence[PlainNote] = ()
    program: int = 0
    drum: bool = False
    name: str = ""


def file_notes(tracks: Sequence[MidiTrack], instruments: Instruments | None = None) -> dict[Place, list[PlainNote]]:
    """Return the notes of a file by place, each place's by tick and pitch; notes that never end are left out."""
    found: dict[Place, list[PlainNote]] = {}
    instruments = instruments or Instruments(tracks)
    for number, track in enumerate(tracks):
        found |= track_notes(track, number, instruments)
    return found


def track_notes(track: MidiTrack, number: int, instruments: Instruments) -> dict[Place, list[PlainNote]]:
    """Return the notes of one track of a file, as :func:`file_notes`; ``number`` is counted from 0."""
    found: dict[Place, list[PlainNote]] = defaultdict(list)
    events = track.events
    for note in notes_of(track, number, instruments)[0]:
        if note.end is not None:
            length = max(1, note.end - note.start)
            found[note.place].append(PlainNote(note.start, length, note.pitch, events[note.on].data[2] & 0x7F))
    for notes in found.values():
        notes.sort(key=lambda note: (note.tick, note.pitch))
    return dict(found)


def change_notes(midi: bytes, changes: Sequence[NoteChange]) -> bytes:
    """Remove and add notes; every other event is preserved.

    No key of a channel is struck while it sounds, in whichever tracks: an added note ends where the next one begins,
    and is left out where one sounds already or begins with it.

    Raises:
        MidiError: ``midi`` cannot be taken apart, or has no channel left for a new track; the message is the bare
            reason.
    """
    return smf.write(changed_file(smf.read(midi), changes))


def changed_file(file: MidiFile, changes: Sequence[NoteChange], instruments: Instruments | None = None) -> MidiFile:
    """Return a file with notes removed and added, as :func:`change_notes`; other tracks are the same objects.

    Args:
        file: The file, which is not changed.
        changes: What to change.
        instruments: Those of the file.

    Raises:
        MidiError: There is no channel left for a new track; the message is the bare reason.
    """
    tracks = file.tracks or [MidiTrack()]
    single = file.format == 0 and len(tracks) == 1
    instruments = instruments or Instruments(tracks)
    wanted: dict[Place, Counter[PlainNote]] = defaultdict(Counter)
    for change in changes:
        if change.place is not None:
            wanted[change.place].update(change.remove)
    tracks = [_without(track, number, wanted, instruments) for number, track in enumerate(tracks)]
    given: list[Part] = []
    fresh: list[Part] = []
    for change in changes:
        if change.add:
            (fresh if change.place is None else given).append(_part(change))
    names = settle(fresh, tracks, single, instruments.drum_channels)
    make_room(given + fresh, tracks)
    added = laid(given, fresh, tracks)
    tracks += [named_track(name) for name in names]
    done = [merged(track, added[number]) if added[number] else track for number, track in enumerate(tracks)]
    return MidiFile(0 if single and len(done) == 1 else 1, file.division, done, file.foreign)


def change_program(midi: bytes, place: Place, program: int) -> bytes:
    """Give the notes at a place another General MIDI program, 0 to 127.

    Where other tracks would change with it, its notes get a track and a channel of their own.

    Raises:
        MidiError: As :func:`change_notes`.
    """
    file = smf.read(midi)
    instruments = Instruments(file.tracks)
    before = file_notes(file.tracks, instruments)
    notes = before.pop(place, [])
    changed = _written(file, file.format == 0, _reprogrammed(file.tracks, place, program))
    after = file_notes(smf.read(changed).tracks)
    moved = after.pop(place._replace(program=program), [])
    if moved == notes and after == before:
        return changed
    drum = instruments.is_drums(place.track, place.channel)
    name = _name_of(file.tracks[place.track])
    return change_notes(
        midi, [NoteChange(place, remove=notes), NoteChange(None, add=notes, program=program, drum=drum, name=name)]
    )


def rename_track(midi: bytes, number: int, name: str) -> bytes:
    """Give a track of a file, counted from 0, another name."""
    file = smf.read(midi)
    track = file.tracks[number]
    data = smf.meta(smf.TRACK_NAME, to_bytes(name))
    at = next((n for n, event in enumerate(track.events) if event.meta == smf.TRACK_NAME), None)
    if at is None:
        track.events.insert(0, Event(0, data))
    else:
        track.events[at] = Event(track.events[at].tick, data)
    return smf.write(file)


def set_tempo(midi: bytes, tick: int, quarters_per_minute: float) -> bytes:
    """Set the tempo from ``tick`` until the next change."""
    file = smf.read(midi)
    for track in file.tracks:
        track.events = [event for event in track.events if event.tick != tick or event.meta != smf.TEMPO]
    if not file.tracks:
        file.tracks.append(MidiTrack())
    events = file.tracks[0].events
    data = smf.tempo(round(60_000_000 / quarters_per_minute))
    at = bisect_right(events, tick, key=lambda event: event.tick)
    while at and events[at - 1].tick == tick and events[at - 1].begins_note:
        at -= 1
    events.insert(at, Event(tick, data))
    return smf.write(file)


def _written(file: MidiFile, single: bool, tracks: list[MidiTrack]) -> bytes:
    return smf.write(MidiFile(0 if single and len(tracks) == 1 else 1, file.division, tracks, file.foreign))


def _without(
    track: MidiTrack, number: int, wanted: dict[Place, Counter[PlainNote]], instruments: Instruments
) -> MidiTrack:
    """Return ``track`` without the ``wanted`` notes, each of which is taken out of ``wanted``."""
    if not any(place.track == number and count.total() for place, count in wanted.items()):
        return track
    removed = set()
    for note in notes_of(track, number, instruments)[0]:
        count = wanted.get(note.place)
        if count is None or note.end is None:
            continue
        value = PlainNote(note.start, max(1, note.end - note.start), note.pitch, track.events[note.on].data[2] & 0x7F)
        if count[value] > 0:
            count[value] -= 1
            removed |= {note.on, note.off}
    return MidiTrack([event for n, event in enumerate(track.events) if n not in removed], track.end)


def _part(change: NoteChange) -> Part:
    notes = [(note.tick, note.tick + max(1, note.length), note.pitch, note.velocity) for note in sorted(change.add)]
    name = change.name.strip() or track_name("", change.program, change.drum)
    part = Part(name, change.program, change.drum, notes[0][0], notes)
    if change.place is not None:
        part.track, part.channel, part.program = change.place
        part.announced = False
    return part


def _reprogrammed(tracks: Sequence[MidiTrack], place: Place, program: int) -> list[MidiTrack]:
    """Return the tracks with the program changes that give the notes at ``place`` their program changed to another."""
    status = smf.PROGRAM | place.channel
    own = tracks[place.track].events
    names_it = [number for number, track in enumerate(tracks) if _sets(track, status, place.program)]
    if place.track in names_it:
        names_it = [place.track]
    out = [MidiTrack(list(track.events), track.end) for track in tracks]
    for number in names_it:
        out[number].events = [
            Event(event.tick, bytes((status, program)))
            if event.data[0] == status and min(event.data[1], 127) == place.program
            else event
            for event in out[number].events
        ]
    if not names_it:
        first = next((n for n, event in enumerate(own) if event.channel == place.channel), len(own))
        tick = own[first].tick if first < len(own) else 0
        out[place.track].events.insert(first, Event(tick, bytes((status, program))))
    return out


def _sets(track: MidiTrack, status: int, program: int) -> bool:
    return any(event.data[0] == status and min(event.data[1], 127) == program for event in track.events)


def _name_of(track: MidiTrack) -> str:
    named = (event for event in track.events if event.meta == smf.TRACK_NAME)
    return next((to_text(event.payload).strip() for event in named), "")
