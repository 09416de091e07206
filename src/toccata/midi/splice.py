"""New music into a MIDI file whose own events stay as they were, and MIDI files from nothing.

The original is never decoded into a Score and written again: its events stay bytes (see ``smf``) and new ones
are merged between them, at one tick in the order note-offs, the original, the rest, note-ons.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from symusic import Score

from toccata.midi import smf
from toccata.midi.notes import notes_of
from toccata.midi.seam import Seam, pedal_releases
from toccata.midi.smf import Event, MidiFile, MidiTrack
from toccata.midi.text import to_bytes
from toccata.midi.voices import Added, Rank, lay, make_room, place, score_voices

_NAMES = (0x02, 0x03, 0x04)  # copyright, track and instrument
_MOMENTS = (0x05, 0x06, 0x07)  # lyrics, markers and cue points belong to their moment


def continue_file(
    original: bytes, at: int, new: Score, *, keep_until: int | None = None, text: str | None = None
) -> bytes:
    """Put ``new`` into ``original`` from tick ``at`` on; what was there stays event for event.

    Every original event before ``keep_until`` keeps its tick, its bytes and its place in its track. New notes stand at
    ``at + round(tick * original ticks a quarter / new ticks a quarter)``, those of one track of ``new`` together:

    - on the original track and channel that plays the same program at the seam (drums: channel 9), where there is one;
      each is taken once, one of the same name first. If the original has several such parts and ``new`` only one track
      for them all (a choir, two hands), its notes are dealt out to the parts whose lines they go on with;
    - else on a track of their own, named, on a free channel, after a program change at the seam. No channel free: one
      whose original notes are over by the seam; then one that other new notes use, with program changes between them;
      then one of the same program or family that the original goes on using, with the original's program.

    A file of type 0 stays of type 0: all is merged into its one track, by the same rules for channels. Notes of ``new``
    that repeat or overlap one of the same pitch in their track are merged or shortened, as MIDI cannot separate them.
    A new note whose pitch the original still holds in that place goes to a second channel in the same track (or, where
    none is free, begins when the old one ends).

    Args:
        original: The bytes of a MIDI file of type 0 or 1, any ticks per quarter.
        at: The seam, in ticks of ``original``.
        new: The new music; its tick 0 is the seam. Tempo, meter and key changes are written where they differ from
            what is in force there.
        keep_until: Drop the original's events from this tick (of ``original``) on, but for the ends of notes that
            began before.
        text: Stored as a text event at tick 0 of the first track, after what stands there.

    Returns:
        The bytes of the new file, with the original's ticks per quarter. On channels that get new notes and have no
        later original ones, pedals, bends, modulation and aftertouch still active at the seam are released there; where
        the original is cut, pedals that hold notes are released on all its channels.

    Raises:
        MidiError: ``original`` is no MIDI file that can be taken apart; the message is the bare reason.
        ValueError: ``at`` or ``keep_until`` is negative.
    """
    if at < 0 or (keep_until is not None and keep_until < 0):
        raise ValueError(f"a seam at tick {at}, keeping until {keep_until}")
    file = smf.read(original)
    tracks = [_before(track, keep_until) for track in file.tracks] or [MidiTrack()]
    single = file.format == 0 and len(tracks) == 1
    voices = score_voices(new, at, file.division)
    seam = Seam.of(tracks, at)
    names = place(voices, seam, None if single else len(tracks))
    make_room(voices, seam)
    tracks += [named_track(name) for name in names]
    added = lay(voices, seam)
    continued = {voice.channel for voice in voices}  # whose pedals are released with their new notes
    for number, data in [] if keep_until is None else pedal_releases(tracks, keep_until):
        if data[0] & 0x0F not in continued:
            added[number].append((keep_until or 0, Rank.RESET, data))
    added.setdefault(0, []).extend(_changes(tracks, _maps(new, at, file.division)))
    out = [merged(track, added.get(number, [])) for number, track in enumerate(tracks)]
    if text is not None:
        add_text(out[0], text)
    return smf.write(MidiFile(0 if single else 1, file.division, out, file.foreign))


def new_file(score: Score, *, text: str | None = None) -> bytes:
    """``score`` as a MIDI file of type 1: ``text``, tempo, meter, key and markers on the first track, then its tracks.

    Each track is named (after its instrument where it has no name) and has a channel of its own as long as there are
    enough: beyond 15, tracks of one program share; beyond 15 programs, channels are shared with program changes between
    the notes. Drums are on channel 9. Notes of one pitch that overlap in their track are merged or shortened. Ticks a
    quarter are unchanged, up to the 32,767 that a MIDI file can have.
    """
    division = min(max(1, score.ticks_per_quarter), 0x7FFF)
    voices = score_voices(score, 0, division)
    seam = Seam(0)
    tracks = [MidiTrack(), *(named_track(name) for name in place(voices, seam, 1))]
    added = lay(voices, seam)
    first: list[Added] = [(tick, Rank.META, data) for tick, data in _maps(score, 0, division)]
    if text is not None:
        first.insert(0, (0, Rank.META, smf.meta(smf.TEXT, to_bytes(text))))
    first += [(max(0, mark.time), Rank.CONTROL, smf.meta(smf.MARKER, to_bytes(mark.text))) for mark in score.markers]
    added[0] = first
    return smf.write(MidiFile(1, division, [merged(t, added.get(n, [])) for n, t in enumerate(tracks)]))


def drop_before(data: bytes, tick: int) -> bytes:
    """Return a MIDI file without its events before ``tick``, which becomes tick 0.

    Notes that began before are dropped, with their note-offs. The programs, controllers, bends, tempo, meter and key in
    force at ``tick`` are set at tick 0, in the tracks they were set in; names and texts of tick 0 and sysex are
    preserved. Lyrics and markers before ``tick`` are dropped.

    Raises:
        MidiError: ``data`` is no MIDI file that can be taken apart; the message is the bare reason.
        ValueError: ``tick`` is negative.
    """
    if tick < 0:
        raise ValueError(f"a cut at tick {tick}")
    file = smf.read(data)
    before = [
        (e.tick, n, e) for n, track in enumerate(file.tracks) for e in track.events if e.meta >= 0 and e.tick < tick
    ]
    # Several tracks may change the tempo: the last change in any of them applies to all.
    last = {e.meta: e.data for _, _, e in sorted(before, key=lambda item: item[:2])}
    for track in file.tracks:
        track.events = _carried(track, tick, last) + _after(track, tick)
        track.end = max(0, track.end - tick)
    return smf.write(file)


def _before(track: MidiTrack, until: int | None) -> MidiTrack:
    """Return the part of ``track`` before ``until``, with the note-offs of its notes, wherever they are."""
    if until is None:
        return track
    ends = {note.off for note in notes_of(track)[0] if note.start < until}
    events = [event for n, event in enumerate(track.events) if event.tick < until or n in ends]
    return MidiTrack(events, min(track.end, until))


def merged(track: MidiTrack, added: Iterable[Added]) -> MidiTrack:
    """``track`` with new events between its own; both keep their order where tick and rank are the same."""
    items: list[Added] = [(event.tick, Rank.ORIGINAL, event.data) for event in track.events]
    items.extend(added)
    items.sort(key=lambda item: item[:2])
    return MidiTrack([Event(tick, data) for tick, _, data in items], track.end)


def named_track(name: str) -> MidiTrack:
    """A track that holds nothing but its name."""
    return MidiTrack([Event(0, smf.meta(smf.TRACK_NAME, to_bytes(name)))])


def add_text(track: MidiTrack, text: str) -> None:
    """Put a text event into ``track`` at tick 0, after what stands there."""
    place = bisect_right(track.events, 0, key=lambda e: e.tick)
    track.events.insert(place, Event(0, smf.meta(smf.TEXT, to_bytes(text))))


def _maps(score: Score, at: int, division: int) -> list[tuple[int, bytes]]:
    """Tempo, meter and key of ``score`` as events, by tick."""
    tpq = score.ticks_per_quarter
    out = [(e.time, smf.meter(e.numerator, e.denominator)) for e in score.time_signatures]
    out += [(e.time, smf.key(e.key, e.tonality)) for e in score.key_signatures]
    out += [(e.time, smf.tempo(e.mspq)) for e in score.tempos]
    return [(at + round(max(0, tick) * division / tpq), data) for tick, data in sorted(out, key=lambda item: item[0])]


def _changes(tracks: Sequence[MidiTrack], new: Iterable[tuple[int, bytes]]) -> Iterator[Added]:
    """Yield those events of ``new`` that change what is in force in ``tracks`` at their tick."""
    changes: dict[int, list[tuple[int, int, bytes]]] = {
        smf.TEMPO: [(0, -1, smf.tempo(500_000))],
        smf.METER: [(0, -1, smf.meter(4, 4))],
        smf.KEY: [(0, -1, smf.key(0, 0))],
    }
    for number, track in enumerate(tracks):
        for event in track.events:
            if event.meta in changes:
                changes[event.meta].append((event.tick, number, event.data))
    for events in changes.values():
        events.sort(key=lambda item: item[:2])
    place = dict.fromkeys(changes, 0)  # how many of them are before the current tick
    in_force: dict[int, dict[int, bytes]] = {kind: {} for kind in changes}  # the last change in each track
    latest: dict[int, bytes] = {}
    for tick, data in sorted(new, key=lambda item: item[0]):
        kind = data[1]
        events, at = changes[kind], place[kind]
        while at < len(events) and events[at][0] <= tick:
            latest[kind] = in_force[kind][events[at][1]] = _meaning(events[at][2])
            at += 1
        place[kind] = at
        # Each part of an orchestra has its own key; tempo and meter are common to all.
        apart = kind == smf.KEY and len(tracks) not in in_force[kind]
        meaning = _meaning(data)
        if meaning not in (in_force[kind].values() if apart else (latest[kind],)):
            latest[kind] = in_force[kind][len(tracks)] = meaning
            yield tick, Rank.META, data


def _meaning(data: bytes) -> bytes:
    """Return the part of a tempo, meter or key event that is compared: of a meter, without the metronome."""
    return data[3:5] if data[1] == smf.METER else data[3:]


def _state(event: Event) -> tuple[int, ...] | None:
    """Return which state an event sets; None for events that set none."""
    if event.meta in (smf.TEMPO, smf.METER, smf.KEY):
        return (event.meta,)
    kind = event.kind
    if kind == smf.CONTROL:
        return event.data[0], event.data[1]
    return (event.data[0],) if kind in (smf.PROGRAM, smf.BEND, smf.CHANNEL_PRESSURE) else None


def _carried(track: MidiTrack, tick: int, last: dict[int, bytes]) -> list[Event]:
    """Return the events for tick 0 of a track whose part before ``tick`` is dropped: names, texts and states."""
    restated = {_state(event) for event in track.events if event.tick == tick}
    states: dict[tuple[int, ...], bytes] = {}
    others = []
    for event in track.events:
        if event.tick >= tick:
            break
        if state := _state(event):
            states.pop(state, None)  # the last change comes last: banks before programs
            states[state] = last[event.meta] if event.meta in (smf.TEMPO, smf.METER) else event.data
        else:
            of_the_start = event.meta >= 0 and event.tick == 0 and event.meta not in _MOMENTS
            if of_the_start or event.meta in _NAMES or event.kind in (0xF0, 0xF7):
                others.append(event.data)
    return [Event(0, data) for data in others + [data for state, data in states.items() if state not in restated]]


def _after(track: MidiTrack, tick: int) -> list[Event]:
    """Return the events from ``tick`` on, moved to tick 0, without the note-offs of notes that began before it."""
    ends = {note.off for note in notes_of(track)[0] if note.start < tick}
    return [Event(e.tick - tick, e.data) for n, e in enumerate(track.events) if e.tick >= tick and n not in ends]
