"""The instrument of each note of a MIDI file: its program, and whether its channel plays drums.

A program change applies to a channel of a port, whichever track it is in: many files set all programs in a first track
without notes. But where tracks that share a channel begin with different programs, as notation software writes a whole
choir on one channel, each track has its own program.

Drums are channel 10, and the channels that the file itself makes drums: by "use for rhythm part" messages (Roland GS),
bank 127 or 126 after an XG System On (Yamaha XG), or bank 120 after a GM2 System On.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from toccata.errors import MidiError
from toccata.midi import smf
from toccata.midi.chunks import number_at
from toccata.midi.gm import DRUM_CHANNEL
from toccata.midi.smf import MidiTrack

BANKS = (0, 32)
"""The controllers that select a bank: its high and its low part."""

MOST = 2_000_000
"""The limit of a channel's events times the tracks they apply to; real files have a few thousand."""

_PORT = 0x21
_GS, _XG_ON, _GM2_ON = b"\x41", b"\x43", b"\x7e"
_DRUM_BANKS = {"xg": (126, 127), "gm2": (120,)}
_NOTE_STATE = (smf.CONTROL, smf.CHANNEL_PRESSURE, smf.BEND)


@dataclass(frozen=True)
class Selected:
    """The program and bank selected on a channel from some moment on.

    Attributes:
        program: 0 to 127.
        bank: The bank's high and low part; None where the file selects none.
    """

    program: int = 0
    bank: tuple[int | None, int | None] = (None, None)


@dataclass
class _ChannelEvents:
    """The events of all tracks on one channel of one port.

    Attributes:
        selections: Program changes and bank selects: tick, track, number among the track's events, the bytes.
        first_note: By track, the number of its first note-on.
        states: By track, its controllers, bends and pressure: tick, number among the track's events, the bytes.
    """

    selections: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    first_note: dict[int, int] = field(default_factory=dict)
    states: dict[int, list[tuple[int, int, bytes]]] = field(default_factory=lambda: defaultdict(list))

    @property
    def setup(self) -> int:
        """The number of states in tracks without notes on this channel; they apply to all tracks with notes."""
        return sum(len(states) for number, states in self.states.items() if number not in self.first_note)


class Instruments:
    """The instruments of a file's tracks.

    Attributes:
        need_parts: Whether reading each track on its own would give some notes a wrong instrument.

    Raises:
        MidiError: So many events apply to so many tracks that resolving them would take minutes; the message is the
            bare reason.
    """

    def __init__(self, tracks: Sequence[MidiTrack]) -> None:
        self.ports = [_port(track) for track in tracks]
        self._channels: dict[tuple[int, int], _ChannelEvents] = defaultdict(_ChannelEvents)
        self._drums: dict[tuple[int, int], bool] = {}
        self._timelines: dict[tuple[int, int], tuple[list[tuple[int, int, int]], list[Selected]]] = {}
        self._initials: dict[tuple[int, int], dict[int, int]] = {}
        system = self._collect(tracks)
        for (_, channel), found in self._channels.items():
            if (len(found.selections) + found.setup) * len(found.first_note) > MOST:
                raise MidiError(
                    f"is absurd: the program changes and controllers of channel {channel + 1} apply to "
                    f"{len(found.first_note):,} tracks"
                )
        self._find_drums(system)
        self.need_parts = self._any_hidden()

    def at(self, track: int, channel: int, tick: int, index: int) -> Selected:
        """Return the program and bank of a note of ``track`` at ``tick``, which is the track's event ``index``."""
        moments, selected = self._timeline(track, channel)
        return selected[bisect_right(moments, (tick, 1, index))]

    def program(self, track: int, channel: int, tick: int, index: int) -> int:
        """Return the program, 0 to 127, of a note as in :meth:`at`."""
        return self.at(track, channel, tick, index).program

    def after(self, track: int, channel: int, tick: int) -> int:
        """Return the program on ``channel`` for ``track`` after all events of all tracks at ``tick``."""
        moments, selected = self._timeline(track, channel)
        return selected[bisect_right(moments, (tick, 2, 0))].program

    def is_drums(self, track: int, channel: int) -> bool:
        """Whether the notes of ``track`` on ``channel`` are drums."""
        return self._drums.get((self.ports[track], channel), channel == DRUM_CHANNEL)

    @property
    def drum_channels(self) -> frozenset[int]:
        """The channels that play drums on any port."""
        return frozenset({c for (_, c), drums in self._drums.items() if drums} | ({DRUM_CHANNEL} - self._pitched))

    @property
    def _pitched(self) -> set[int]:
        return {channel for (_, channel), drums in self._drums.items() if not drums}

    def states(self, track: int, channel: int) -> list[tuple[int, int, int, bytes]]:
        """Return the controllers, bends and pressure that apply to the notes of ``track`` on ``channel``, in order.

        They come from the track itself, and from tracks without notes on the channel.

        Returns:
            For each event its tick; 0 if it is in another track and 1 if it is in ``track``; its place among those; its
            bytes.
        """
        found = self._channels[self.ports[track], channel]
        own = [(tick, 1, index, data) for tick, index, data in found.states.get(track, ())]
        others = [
            (tick, 0, number, data)
            for number, states in sorted(found.states.items())
            if number not in found.first_note
            for tick, _, data in states
        ]
        # Stable: events of another track at one tick stay in that track's order.
        return sorted(others + own, key=lambda state: state[:3])

    def _collect(self, tracks: Sequence[MidiTrack]) -> str:
        """Collect the events of each channel; return ``"xg"`` or ``"gm2"`` if the file turns it on, else ``""``."""
        system = ""
        for number, (track, port) in enumerate(zip(tracks, self.ports, strict=True)):
            for index, (tick, data) in enumerate(track.events):
                status = data[0]
                if status < 0xF0:
                    kind, found = status & 0xF0, self._channels[port, status & 0x0F]
                    if kind == smf.NOTE_ON and data[2]:
                        found.first_note.setdefault(number, index)
                    elif kind == smf.PROGRAM or (kind == smf.CONTROL and data[1] in BANKS):
                        found.selections.append((tick, number, index, data))
                    if kind in _NOTE_STATE:
                        found.states[number].append((tick, index, data))
                elif status == 0xF0:
                    system = _system(data) or system
                    if (part := _rhythm_part(data)) is not None:
                        self._drums[port, part[0]] = part[1]
        return system

    def _find_drums(self, system: str) -> None:
        for key, found in self._channels.items() if system else ():
            banks = [
                data[2]
                for *_, data in sorted(found.selections)
                if data[0] & 0xF0 == smf.CONTROL and data[1] == BANKS[0]
            ]
            if banks:
                self._drums[key] = banks[-1] in _DRUM_BANKS[system]

    def _timeline(self, track: int, channel: int) -> tuple[list[tuple[int, int, int]], list[Selected]]:
        """Return the moments at which the selection changes, and the selections: one before each, and the last."""
        key = (track, channel)
        if key not in self._timelines:
            found = self._channels[self.ports[track], channel]
            own = self._keeps_own(self.ports[track], channel)
            # Selections of another track at a tick apply to the notes of that tick.
            events = [
                (tick, int(number == track), index if number == track else number, data)
                for tick, number, index, data in found.selections
                if number == track or not own
            ]
            events.sort(key=lambda event: event[:3])
            bank: list[int | None] = [None, None]
            moments, selected = [], [Selected()]
            for tick, mine, order, data in events:
                if data[0] & 0xF0 == smf.PROGRAM:
                    moments.append((tick, mine, order))
                    selected.append(Selected(min(data[1], 127), (bank[0], bank[1])))
                else:
                    bank[BANKS.index(data[1])] = min(data[2], 127)
            self._timelines[key] = moments, selected
        return self._timelines[key]

    def _initial(self, port: int, channel: int) -> dict[int, int]:
        """Return, by track, the program that it sets on a channel before its first note there."""
        key = (port, channel)
        if key not in self._initials:
            found = self._channels[key]
            first: dict[int, int] = {}
            for _, number, index, data in sorted(found.selections, key=lambda event: event[:3]):
                if data[0] & 0xF0 == smf.PROGRAM and index < found.first_note.get(number, index + 1):
                    first[number] = min(data[1], 127)
            self._initials[key] = first
        return self._initials[key]

    def _keeps_own(self, port: int, channel: int) -> bool:
        """Whether the tracks of a channel begin with different programs, so that each has its own."""
        return len(set(self._initial(port, channel).values())) > 1

    def _any_hidden(self) -> bool:
        return any(self._is_hidden(*key, found) for key, found in self._channels.items() if found.first_note)

    def _is_hidden(self, port: int, channel: int, found: _ChannelEvents) -> bool:
        """Whether reading each track on its own would give notes of a channel a wrong instrument."""
        programs: dict[int, set[int]] = defaultdict(set)
        for _, number, _, data in found.selections:
            if data[0] & 0xF0 == smf.PROGRAM:
                programs[number].add(min(data[1], 127))
        if programs and not self._keeps_own(port, channel):
            unnamed = set(found.first_note) - set(self._initial(port, channel))
            if unnamed - set(programs) or (len(programs) > 1 and (unnamed or len(set().union(*programs.values())) > 1)):
                return True
        banks = any(data[0] & 0xF0 == smf.CONTROL for *_, data in found.selections)
        if banks and any(len(own) > 1 for own in programs.values()):
            return True
        if found.setup:
            return True
        return self._drums.get((port, channel), channel == DRUM_CHANNEL) != (channel == DRUM_CHANNEL)


def selects_drums(sysex: bytes) -> bool:
    """Whether a system-exclusive message (without its status and length) can make a channel play drums."""
    return sysex[:1] == _GS or (sysex[:1] == _XG_ON and sysex[2:3] == b"\x4c") or sysex[:3] == b"\x7e\x7f\x09"


def _body(data: bytes) -> bytes:
    try:
        _, start = number_at(data, 1)
    except (IndexError, ValueError):
        return b""
    return data[start:]


def _system(data: bytes) -> str:
    """Return the system that a system-exclusive message switches on: ``"xg"``, ``"gm2"`` or ``""``."""
    body = _body(data)
    if body[:1] == _XG_ON and body[2:7] == b"\x4c\x00\x00\x7e\x00":
        return "xg"
    return "gm2" if body[:1] == _GM2_ON and body[2:4] == b"\x09\x03" else ""


def _rhythm_part(data: bytes) -> tuple[int, bool] | None:
    """Return the channel of a GS message "use for rhythm part", and whether it becomes drums; else None."""
    body = _body(data)
    if body[:1] != _GS or body[2:5] != b"\x42\x12\x40" or len(body) < 8 or body[5] & 0xF0 != 0x10 or body[6] != 0x15:
        return None
    block = body[5] & 0x0F  # block 0 is channel 10, 1 to 9 are channels 1 to 9, 10 to 15 are 11 to 16
    return DRUM_CHANNEL if not block else block - 1 if block < 10 else block, body[7] > 0


def _port(track: MidiTrack) -> int:
    for event in track.events:
        if event.meta == _PORT and event.payload:
            return event.payload[0]
    return 0
