"""Edits of a song: what the page sends when notes are drawn, moved and deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from toccata.errors import MidiError, RequestError, shown
from toccata.midi import smf
from toccata.midi.limits import SONG
from toccata.midi.mixing import Mix, with_mix
from toccata.midi.notes import Place
from toccata.midi.retouch import NoteChange, PlainNote, change_program, rename_track, set_tempo
from toccata.studio.song import LONGEST_NAME, STALE, Song, first_program, open_song, with_notes

Operation: TypeAlias = "Mapping[str, Any]"
"""An edit as the page sends it."""
_LAST_TICK = (1 << 28) - 1
_MOST_OPERATIONS = 1_000


def apply(midi: bytes, operations: Sequence[Operation], *, strict: bool = False) -> bytes:
    """Return a MIDI file with edits; all its other events are preserved.

    Args:
        midi: The file's bytes.
        operations: What to change; see docs/studio-design.md. A ``notes`` operation on a track that is not in the song
            makes one.
        strict: Refuse to remove a note that is not there; else it is passed over.

    Raises:
        RequestError: An operation cannot be read; with ``strict``, what it removes is not there.
        MidiError: There is no channel left for a new track, or there would be too many notes.
    """
    if len(operations) > _MOST_OPERATIONS:
        raise RequestError(f"{len(operations):,} operations in one edit; at most {_MOST_OPERATIONS:,} are taken")
    waiting: dict[str, list[Operation]] = {}
    for operation in operations:
        kind = operation.get("type")
        if kind == "notes":
            waiting.setdefault(_text(operation, "track"), []).append(operation)
            continue
        midi, waiting = _with_notes(midi, waiting, strict), {}
        if kind == "program":
            place = open_song(midi).track(_text(operation, "track")).place
            midi = change_program(midi, place, _whole(operation, "program", 0, 127))
        elif kind == "mix":
            place = open_song(midi).track(_text(operation, "track")).place
            mix = Mix(*(_whole(operation, n, 0, 127) if operation.get(n) is not None else None for n in Mix._fields))
            midi = with_mix(midi, place.track, place.channel, mix)
        elif kind == "rename":
            midi = _renamed(midi, _text(operation, "track"), _text(operation, "name"))
        elif kind == "tempo":
            midi = set_tempo(midi, _whole(operation, "tick", 0, _LAST_TICK), _tempo(operation))
        else:
            raise RequestError(f"there is no operation {shown(kind)}: it is notes, program, mix, rename or tempo")
    return _with_notes(midi, waiting, strict)


def as_expected(before: Song, after: Song, operations: Sequence[Operation]) -> bool:
    """Return whether a page that applied ``operations`` to ``before`` by itself has ``after``, but for new bars."""
    wanted = before.values()
    for operation in operations:
        if operation["type"] != "notes":
            return False
        if operation["track"] not in wanted:
            return False
        wanted[operation["track"]].subtract(plain_notes(operation.get("remove", ())))
        wanted[operation["track"]].update(plain_notes(operation.get("add", ())))
    found = after.values()
    return all(+notes == found.get(track, Counter()) for track, notes in wanted.items()) and set(found) <= set(wanted)


def plain_notes(listed: Any) -> list[PlainNote]:
    """Return the notes of an operation.

    Raises:
        RequestError: They are no notes.
    """
    if not isinstance(listed, Sequence) or isinstance(listed, str | bytes):
        raise RequestError("notes are listed as [tick, length, pitch, velocity]")
    return [_note(each) for each in listed]


def _with_notes(midi: bytes, by_track: Mapping[str, Sequence[Operation]], strict: bool) -> bytes:
    if not by_track:
        return midi
    song = open_song(midi)
    changes = []
    for name, operations in by_track.items():
        remove, add = Counter[PlainNote](), Counter[PlainNote]()
        for operation in operations:
            add.update(plain_notes(operation.get("add", ())))
            gone = Counter(plain_notes(operation.get("remove", ())))
            both = gone & add
            add, remove = add - both, remove + (gone - both)
        known = song.by_id.get(name)
        if strict and remove - Counter(() if known is None else known.notes):
            raise RequestError("a note that is to be changed is not in the piece: load it again", kind=STALE)
        first = operations[0]
        changes.append(
            NoteChange(
                known.place if known is not None else _old_place(midi, name),
                list(remove.elements()),
                list(add.elements()),
                _whole(first, "program", 0, 127),
                bool(first.get("drum")),
                _text(first, "name"),
            )
        )
    added = sum(len(change.add) for change in changes)
    if song.note_count + added > SONG.notes:
        raise MidiError(f"there would be {song.note_count + added:,} notes; at most {SONG.notes:,} are worked on")
    try:
        return with_notes(song, changes)
    except MidiError as error:
        raise MidiError(f"the piece {error.message}") from None


def _old_place(midi: bytes, name: str) -> Place | None:
    """Return the place of a track that has lost all its notes and still is in the file; None: it is a new one."""
    try:
        track, channel = (int(part) for part in name.removeprefix("t").split("p")[0].split("c"))
    except ValueError:
        return None
    file = smf.read(midi)
    if not name.startswith("t") or not 0 <= track < len(file.tracks) or not 0 <= channel < 16:
        return None
    events = file.tracks[track].events
    if not any(event.channel == channel for event in events) and not any(e.meta == smf.TRACK_NAME for e in events):
        return None
    program = (
        int(name.split("p")[1]) if "p" in name and name.split("p")[1].isdigit() else first_program(events, channel)
    )
    return Place(track, channel, min(program, 127))


def _renamed(midi: bytes, name: str, text: str) -> bytes:
    song = open_song(midi)
    place = song.track(name).place
    if sum(track.place.track == place.track for track in song.tracks) > 1:
        raise RequestError("this track is one of several instruments in one track of the file, which has one name")
    return rename_track(midi, place.track, text)


def _note(value: Any) -> PlainNote:
    try:
        note = PlainNote(*value)
    except TypeError:
        raise RequestError(f"{shown(value)} is no note: it is [tick, length, pitch, velocity]") from None
    whole = all(isinstance(number, int) and not isinstance(number, bool) for number in note)
    if not (
        whole
        and 0 <= note.tick <= _LAST_TICK // 2
        and 1 <= note.length <= _LAST_TICK // 2
        and 0 <= note.pitch <= 127
        and 1 <= note.velocity <= 127
    ):
        raise RequestError(f"{shown(value)} is no note: pitch 0 to 127, velocity 1 to 127, length at least a tick")
    return note


def _text(operation: Operation, name: str) -> str:
    value = operation.get(name)
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        raise RequestError(f"{name} of an operation must be a text of at most {LONGEST_NAME} characters")
    return value


def _whole(operation: Operation, name: str, low: int, high: int) -> int:
    value = operation.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RequestError(f"{name} of an operation must be a whole number from {low} to {high:,}, not {shown(value)}")
    return value


def _tempo(operation: Operation) -> float:
    value = operation.get("quartersPerMinute")
    if not isinstance(value, int | float) or isinstance(value, bool) or not 4 <= value <= 1000:
        raise RequestError(f"a tempo is 4 to 1000 quarters a minute, not {shown(value)}")
    return float(value)
