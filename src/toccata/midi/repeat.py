"""A passage of a MIDI file once more: the same events, in the same tracks, on the same channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toccata.midi import smf
from toccata.midi.notes import notes_of
from toccata.midi.seam import pedal_releases
from toccata.midi.smf import Event, MidiTrack
from toccata.midi.text import to_bytes

_CUE, _RESET = 0x07, 121
_MOMENTS = (smf.LYRIC, smf.MARKER, _CUE)
# The defaults of a MIDI file: of the music as a whole, and of a channel's controllers.
_MAPS = {smf.TEMPO: smf.tempo(500_000), smf.METER: smf.meter(4, 4), smf.KEY: smf.key(0, 0)}
_CONTROLS = {1: 0, 7: 100, 10: 64, 11: 127, 64: 0, 65: 0, 66: 0, 67: 0}
_RELEASED = (1, 64, 65, 66, 67)

_State = tuple[int, int, int]
"""A state that an event sets until the next such event: track, status, and which controller or meta event."""


def closed(data: bytes, tick: int, *, text: str | None = None) -> bytes:
    """Return a MIDI file that ends at ``tick``; notes still sounding end there, notes without a note-off are dropped.

    Pedals that hold notes are released at its end.

    Args:
        data: The file.
        tick: The tick at which it is cut.
        text: The text of a text event to drop, too.

    Raises:
        MidiError: ``data`` is no MIDI file that can be taken apart; the message is the bare reason.
        ValueError: ``tick`` is negative.
    """
    if tick < 0:
        raise ValueError(f"a cut at tick {tick}")
    dropped = None if text is None else smf.meta(smf.TEXT, to_bytes(text))
    file = smf.read(data)
    for track in file.tracks:
        notes = notes_of(track)[0]
        offs = {note.off for note in notes if note.start < tick}
        hanging = {note.on for note in notes if note.off is None}
        remaining = [
            Event(min(event.tick, tick), event.data)
            for n, event in enumerate(track.events)
            if n in offs or (event.tick < tick and n not in hanging and event.data != dropped)
        ]
        track.events, track.end = sorted(remaining, key=lambda event: event.tick), tick
    for number, data in pedal_releases(file.tracks, tick):
        file.tracks[number].events.append(Event(tick, data))
    return smf.write(file)


def repeated(data: bytes, start: int, end: int, at: int) -> bytes:
    """Return a MIDI file with its passage from ``start`` to ``end`` repeated at ``at``, after which it ends.

    Repeated are the notes that begin in the passage, which end with it at the latest, programs, controllers, bends,
    lyrics and markers; not names, texts and system exclusive messages. Tempo, meter, key and other states from before
    the passage that have changed since are set again. Everything from ``at`` on is dropped; see :func:`closed`.

    Args:
        data: The file.
        start: The passage's first tick.
        end: The tick after its last.
        at: The tick of the repetition, at ``end`` or later.

    Raises:
        MidiError: ``data`` is no MIDI file that can be taken apart; the message is the bare reason.
        ValueError: There is no such passage.
    """
    if not 0 <= start < end <= at:
        raise ValueError(f"ticks {start} to {end} once more at {at}")
    file = smf.read(closed(data, at))
    then, now = _in_force(file.tracks, start), _in_force(file.tracks, at)
    passage = [(tick, n, what) for n, track in enumerate(file.tracks) for tick, what in _events(track, start, end)]
    passage.sort(key=lambda event: event[:2])
    restated = {_state(number, Event(tick, what)) for tick, number, what in passage if tick == start}
    first = [
        (start, state[0], value)
        for state in sorted({*then, *now} - restated, key=lambda state: state[1] != smf.PROGRAM)
        if (value := then.get(state) or _default(state)) and now.get(state, _default(state)) != value
    ]
    for tick, number, what in first + passage:
        sets = _state(number, Event(tick, what))
        if sets is not None and what[0] == 0xFF:
            if now.get(sets, _default(sets)) == what:
                continue
            now[sets] = what
        file.tracks[number].events.append(Event(tick - start + at, what))
    for track in file.tracks:
        track.end = at + end - start
    return smf.write(file)


def _events(track: MidiTrack, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the events of a passage that are repeated."""
    notes = [note for note in notes_of(track)[0] if start <= note.start < end]
    theirs = {note.on for note in notes} | {note.off for note in notes}
    late = []
    for n, event in enumerate(track.events):
        if event.begins_note or event.ends_note:
            if n in theirs:
                late.append(event) if event.tick >= end else (yield event)
        elif start <= event.tick < end and (event.channel >= 0 or event.meta in _MOMENTS or event.meta in _MAPS):
            yield event
    yield from ((end, event.data) for event in late)


def _in_force(tracks: Sequence[MidiTrack], tick: int) -> dict[_State, bytes]:
    """Return the states in force before ``tick``, each with the event that set it."""
    found: dict[_State, bytes] = {}
    events = [(event.tick, number, event) for number, track in enumerate(tracks) for event in track.events]
    for when, number, event in sorted(events, key=lambda item: item[:2]):
        if when >= tick:
            break
        if event.kind == smf.CONTROL and event.data[1] == _RESET:
            for control in _RELEASED:
                found.pop((number, event.data[0], control), None)
            for kind in (smf.BEND, smf.CHANNEL_PRESSURE):
                found.pop((number, kind | event.channel, -1), None)
        elif state := _state(number, event):
            found[state] = event.data
    return found


def _state(track: int, event: Event) -> _State | None:
    """Return the state that an event sets, tempo and meter for all tracks; None for events that set none."""
    if event.meta in _MAPS:
        return track if event.meta == smf.KEY else 0, 0xFF, event.meta
    if event.kind == smf.CONTROL:
        return track, event.data[0], event.data[1]
    if event.kind in (smf.PROGRAM, smf.BEND, smf.CHANNEL_PRESSURE):
        return track, event.data[0], -1
    return None


def _default(state: _State) -> bytes:
    """Return the event that sets a state to its default; empty if the default is unknown."""
    _, status, which = state
    kind = status & 0xF0
    if status == 0xFF:
        return _MAPS[which]
    if kind == smf.CONTROL:
        return bytes((status, which, _CONTROLS[which])) if which in _CONTROLS else b""
    return bytes((status, 0, 64)) if kind == smf.BEND else bytes((status, 0))
