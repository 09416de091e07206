"""The notes of a MIDI file at other pitches; all else stays, byte for byte and in its order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from math import inf

from toccata.midi import smf
from toccata.midi.instruments import Instruments
from toccata.midi.notes import Struck, notes_of, score_places
from toccata.midi.smf import Event, MidiFile, MidiTrack
from toccata.midi.splice import add_text


class Keys:
    """The notes of a file, and which of them share a key.

    Attributes:
        notes: All of them, by track and note-on.
        tracks: For each the number, from 0, of the track that the Score that ``read_score`` makes of the file has it
            in.
    """

    def __init__(self, midi: bytes) -> None:
        """Take a file apart.

        Raises:
            MidiError: It is no file of type 0 or 1 that counts ticks a quarter; the message is the bare reason.
        """
        self._file = smf.read(midi)
        instruments = Instruments(self._file.tracks)
        numbers = {place: number for number, place in enumerate(score_places(self._file.tracks, instruments))}
        self.notes: list[Struck] = []
        self._stray: dict[tuple[int, int], list[int]] = defaultdict(list)
        for number, track in enumerate(self._file.tracks):
            notes, stray = notes_of(track, number, instruments)
            self.notes += notes
            for event in (track.events[index] for index in stray):
                self._stray[event.channel, min(event.data[1], 127)].append(event.tick)
        for ticks in self._stray.values():
            ticks.sort()
        self.tracks = [numbers[note.place] for note in self.notes]
        self._written = [note.pitch for note in self.notes]

    def at(self, pitches: Sequence[int]) -> Keys:
        """The same with other pitches, one a note."""
        other = copy(self)
        other.notes = [replace(note, pitch=pitch) for note, pitch in zip(self.notes, pitches, strict=True)]
        return other

    def clash(self, one: int, other: int) -> bool:
        """Whether two notes would cut each other short if they had the same pitch."""
        a, b = self.notes[one], self.notes[other]
        if a.place.channel != b.place.channel:
            return False
        touching = a.end is not None and b.end is not None and (a.end <= b.start or b.end <= a.start)
        if touching and self._written[one] == self._written[other]:
            return False  # their events stand like that already
        if a.place.track == b.place.track:  # events of one track come in its order
            ends = [inf if note.off is None else note.off for note in (a, b)]
            return not (ends[0] < b.on or ends[1] < a.on)
        ends = [inf if note.end is None else note.end for note in (a, b)]
        return not (ends[0] < b.start or ends[1] < a.start)

    def stray(self, number: int) -> set[int]:
        """The pitches at which a note would be ended by a note-off that ends nothing."""
        note = self.notes[number]
        end = inf if note.end is None else note.end
        return {
            pitch
            for (channel, pitch), ticks in self._stray.items()
            if channel == note.place.channel and _any_within(ticks, note.start, end)
        }

    def written(self, pitches: Sequence[int], text: str = "") -> bytes:
        """The file with other pitches: note-ons, note-offs, and the aftertouch between them.

        Args:
            pitches: One a note, 0 to 127.
            text: Stored as a text event at tick 0 of the first track, after what stands there; empty: none is.
        """
        tracks = [MidiTrack(list(track.events), track.end) for track in self._file.tracks] or [MidiTrack()]
        pressed = _pressed(self._file.tracks)
        for note, pitch in zip(self.notes, pitches, strict=True):
            if pitch == note.pitch:
                continue
            before, events = self._file.tracks[note.place.track].events, tracks[note.place.track].events
            last = len(events) - 1 if note.off is None else note.off
            between = pressed.get((note.place.track, note.place.channel, note.pitch), [])
            between = between[bisect_left(between, note.on) : bisect_right(between, last)]
            for index in (note.on, *between, *([] if note.off is None else [note.off])):
                event = before[index]
                events[index] = Event(event.tick, bytes((event.data[0], pitch)) + event.data[2:])
        if text:
            add_text(tracks[0], text)
        return smf.write(MidiFile(self._file.format, self._file.division, tracks, self._file.foreign))


def _any_within(ticks: Sequence[int], start: int, end: float) -> bool:
    """Whether one of ``ticks``, which are sorted, lies from ``start`` to ``end``."""
    place = bisect_left(ticks, start)
    return place < len(ticks) and ticks[place] <= end


def _pressed(tracks: Sequence[MidiTrack]) -> dict[tuple[int, int, int], list[int]]:
    """The numbers of the aftertouch events of each key, by track, channel and pitch."""
    found: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for number, track in enumerate(tracks):
        for index, event in enumerate(track.events):
            if event.kind == smf.PRESSURE:
                found[number, event.channel, event.data[1]].append(index)
    return found
