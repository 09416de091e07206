"""The state of a MIDI file at a tick: instruments, controllers, notes still sounding."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from toccata.midi import smf
from toccata.midi.gm import DRUM_CHANNEL
from toccata.midi.instruments import Instruments
from toccata.midi.smf import Event, MidiTrack
from toccata.midi.text import to_text

_VOLUME, _PAN, _EXPRESSION = 7, 10, 11
# What a performer lets go of when a phrase ends: modulation, the three pedals and portamento.
_RELEASED = (1, 64, 65, 66, 67)
_HOLDS = (64, 66, 69)  # the pedals that make notes sound on: sustain, sostenuto, hold 2
_RESET = 121
_DEFAULTS = {0: 0, 32: 0, _VOLUME: 100, _PAN: 64, _EXPRESSION: 127}
_INAUDIBLE = 16  # a volume or expression below this is the end of a fade-out


@dataclass
class Home:
    """A track and channel of the original."""

    track: int
    channel: int
    name: str
    program: int | None = None  # what the track itself says; several tracks of a channel may say different things
    notes: int = 0
    drums: bool = False
    # Onset and pitch of the latest notes before the seam.
    recent: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=16))
    # For each pitch, when the original's notes sound after the seam, and how many never end.
    sounding: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    hanging: Counter[int] = field(default_factory=Counter)


@dataclass
class Seam:
    """The state of the original at the seam.

    Attributes:
        tick: The seam.
        programs: The program of each of the 16 channels.
        homes: The tracks and channels of the original.
        controls: Values of controllers by channel and number; of bends and aftertouch by channel and status.
        loudest: The highest value so far of controllers by channel and number.
        busy: Channels on which original notes begin at the seam or later.
        drums: Channels that play drums.
    """

    tick: int
    programs: list[int] = field(default_factory=lambda: [0] * 16)
    homes: list[Home] = field(default_factory=list)
    controls: dict[tuple[int, int], int] = field(default_factory=dict)
    loudest: dict[tuple[int, int], int] = field(default_factory=dict)
    busy: set[int] = field(default_factory=set)
    drums: frozenset[int] = frozenset({DRUM_CHANNEL})

    @classmethod
    def of(cls, tracks: Sequence[MidiTrack], tick: int) -> Seam:
        """Return the state of ``tracks`` at ``tick``."""
        instruments = Instruments(tracks)
        seam = cls(tick, drums=instruments.drum_channels)
        homes: dict[tuple[int, int], Home] = {}
        events = [(e.tick, n, e) for n, track in enumerate(tracks) for e in track.events if e.channel >= 0]
        events.sort(key=lambda item: item[:2])
        names = [_name(track) for track in tracks]
        open_notes: dict[tuple[int, int, int], deque[int]] = defaultdict(deque)
        for when, number, event in events:
            home = homes.get((number, event.channel))
            if home is None:
                drums = instruments.is_drums(number, event.channel)
                home = homes[number, event.channel] = Home(number, event.channel, names[number], drums=drums)
            if event.begins_note:
                home.notes += 1
                open_notes[number, event.channel, event.data[1]].append(when)
                if when >= tick:
                    seam.busy.add(event.channel)
                else:
                    home.recent.append((when, event.data[1]))
            elif event.ends_note:
                begun = open_notes[number, event.channel, event.data[1]]
                since = begun.popleft() if begun else when
                if when > tick:  # notes that end by the seam block nothing
                    home.sounding[event.data[1]].append((since, when))
            elif when <= tick:
                seam._update(event, home)
        for (number, channel, pitch), begun in open_notes.items():
            homes[number, channel].hanging[pitch] += len(begun)
        seam.homes = list(homes.values())
        return seam

    @property
    def drum_channel(self) -> int:
        """The channel for new drums."""
        return DRUM_CHANNEL if DRUM_CHANNEL in self.drums or not self.drums else min(self.drums)

    def sounding(self, channel: int, pitch: int) -> list[tuple[int, int, int]]:
        """Return when a key of a channel sounds after the seam: from, to, track."""
        return [
            (*span, home.track)
            for home in self.homes
            if home.channel == channel
            for span in home.sounding.get(pitch, ())
        ]

    def hanging(self, channel: int, pitch: int) -> int:
        """Return the number of original notes of a key of a channel that never end."""
        return sum(home.hanging[pitch] for home in self.homes if home.channel == channel)

    def _update(self, event: Event, home: Home) -> None:
        channel, kind = event.channel, event.kind
        if kind == smf.PROGRAM:
            self.programs[channel] = home.program = event.data[1] & 0x7F
        elif kind == smf.CONTROL:
            at = (channel, event.data[1])
            self.controls[at] = event.data[2]
            self.loudest[at] = max(self.loudest.get(at, 0), event.data[2])
            if event.data[1] == _RESET:
                for number in (*_RELEASED, smf.BEND, smf.CHANNEL_PRESSURE):
                    self.controls.pop((channel, number), None)
        elif kind == smf.BEND:
            self.controls[channel, kind] = (event.data[2] << 7 | event.data[1]) - 8192
        elif kind == smf.CHANNEL_PRESSURE:
            self.controls[channel, kind] = event.data[1]

    def resets(self, channel: int) -> list[bytes]:
        """Return the events that reset ``channel`` before new notes; none where original notes still need its state."""
        if channel in self.busy:
            return []
        released = [n for n in sorted({*_RELEASED, *_HOLDS}) if self.controls.get((channel, n))]
        out = [bytes((smf.CONTROL | channel, n, 0)) for n in released]
        for number in (_VOLUME, _EXPRESSION):
            value, loudest = (d.get((channel, number), 127) for d in (self.controls, self.loudest))
            if value < _INAUDIBLE <= loudest:
                out.append(bytes((smf.CONTROL | channel, number, loudest)))
        if self.controls.get((channel, smf.BEND)):
            out.append(bytes((smf.BEND | channel, 0, 64)))
        if self.controls.get((channel, smf.CHANNEL_PRESSURE)):
            out.append(bytes((smf.CHANNEL_PRESSURE | channel, 0)))
        return out

    def defaults(self, channel: int) -> list[bytes]:
        """Return the events that reset a channel that another instrument has used to its defaults."""
        return [
            bytes((smf.CONTROL | channel, number, value))
            for number, value in _DEFAULTS.items()
            if self.controls.get((channel, number), value) != value
        ]

    def mix(self, channel: int, to: int) -> list[bytes]:
        """The bank, volume, pan and expression of ``channel``, for channel ``to``."""
        return [
            bytes((smf.CONTROL | to, number, self.controls[channel, number]))
            for number in _DEFAULTS
            if (channel, number) in self.controls
        ]


def pedal_releases(tracks: Sequence[MidiTrack], tick: int) -> list[tuple[int, bytes]]:
    """Return the events that release the pedals which are down at ``tick`` and hold notes, each with its track."""
    down: dict[tuple[int, int], int] = {}  # by channel and controller the track that has set it
    events = [
        (e.tick, n, e)
        for n, track in enumerate(tracks)
        for e in track.events
        if e.kind == smf.CONTROL and e.tick < tick
    ]
    for _, number, event in sorted(events, key=lambda item: item[:2]):
        controller, value = event.data[1], event.data[2]
        if controller == _RESET:
            down = {key: track for key, track in down.items() if key[0] != event.channel}
        elif controller in _HOLDS and value:
            down[event.channel, controller] = number
        else:
            down.pop((event.channel, controller), None)
    return [(track, bytes((smf.CONTROL | channel, number, 0))) for (channel, number), track in sorted(down.items())]


def _name(track: MidiTrack) -> str:
    for event in track.events:
        if event.meta == smf.TRACK_NAME:
            return to_text(event.payload).strip()
    return ""
