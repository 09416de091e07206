"""Which instrument plays each note of a MIDI file: the program in force, and what the file makes drums of.

A program belongs to a channel of a port, whichever track names it: many files name all programs in a first track
without notes. But where tracks that share a channel begin with different programs, as notation programs write
them that put a whole choir on one channel, each track keeps its own.

Drums are channel 10, and what the file says: "use for rhythm part" messages (Roland GS), bank 127 or 126 after an XG
System On (Yamaha XG), bank 120 after a GM2 System On.
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
"""Programs, banks and states of a channel times the tracks they hold for; in real files a few thousand."""

_PORT = 0x21
_GS, _XG_ON, _GM2_ON = b"\x41", b"\x43", b"\x7e"
_DRUM_BANKS = {"xg": (126, 127), "gm2": (120,)}
_NOTE_STATE = (smf.CONTROL, smf.CHANNEL_PRESSURE, smf.BEND)


@dataclass(frozen=True)
class Selected:
    """What a channel plays from some moment on.

    Attributes:
        program: 0 to 127.
        bank: The bank's high and low part; None where the file names none.
    """

    program: int = 0
    bank: tuple[int | None, int | None] = (None, None)


@dataclass
class _Said:
    """What the tracks say of one channel of one port.

    Attributes:
        events: Programs and banks: tick, track, number among the track's events, the bytes.
        first_note: By track, the number of its first note-on.
        states: By track, its controllers, bends and pressure: tick, number among the track's events, the bytes.
    """

    events: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    first_note: dict[int, int] = field(default_factory=dict)
    states: dict[int, list[tuple[int, int, bytes]]] = field(default_factory=lambda: defaultdict(list))

    @property
    def setup(self) -> int:
        """How many states stand in tracks that have no notes there: they hold for all that have."""
        return sum(len(states) for number, states in self.states.items() if number not in self.first_note)


class Instruments:
    """The instruments of a file's tracks.

    Attributes:
        need_parts: Whether a reader that goes by tracks alone would miss some of them.

    Raises:
        MidiError: So much is said of so many tracks that sorting it out would take minutes; the message is the bare
            reason.
    """

    def __init__(self, tracks: Sequence[MidiTrack]) -> None:
        self.ports = [_port(track) for track in tracks]
        self._said: dict[tuple[int, int], _Said] = defaultdict(_Said)
        self._drums: dict[tuple[int, int], bool] = {}
        self._timelines: dict[tuple[int, int], tuple[list[tuple[int, int, int]], list[Selected]]] = {}
        self._initials: dict[tuple[int, int], dict[int, int]] = {}
        system = self._gather(tracks)
        for (_, channel), said in self._said.items():
            if (len(said.events) + said.setup) * len(said.first_note) > MOST:
                raise MidiError(f"is absurd: all that is said of channel {channel + 1} holds for too many tracks")
        self._find_drums(system)
        self.need_parts = self._differ()

    def at(self, track: int, channel: int, tick: int, index: int) -> Selected:
        """What plays a note of ``track`` that begins at ``tick``, as event number ``index`` of the track."""
        moments, selected = self._timeline(track, channel)
        return selected[bisect_right(moments, (tick, 1, index))]

    def program(self, track: int, channel: int, tick: int, index: int) -> int:
        """The program of such a note, 0 to 127."""
        return self.at(track, channel, tick, index).program

    def after(self, track: int, channel: int, tick: int) -> int:
        """The program in force on ``channel`` for ``track`` after all that the file's tracks say at ``tick``."""
        moments, selected = self._timeline(track, channel)
        return selected[bisect_right(moments, (tick, 2, 0))].program

    def is_drums(self, track: int, channel: int) -> bool:
        """Whether the notes of ``track`` on ``channel`` are drums."""
        return self._drums.get((self.ports[track], channel), channel == DRUM_CHANNEL)

    @property
    def drum_channels(self) -> frozenset[int]:
        """The channels that play drums, on whichever port."""
        return frozenset({c for (_, c), drums in self._drums.items() if drums} | ({DRUM_CHANNEL} - self._pitched))

    @property
    def _pitched(self) -> set[int]:
        return {channel for (_, channel), drums in self._drums.items() if not drums}

    def states(self, track: int, channel: int) -> list[tuple[int, int, int, bytes]]:
        """The controllers, bends and pressure that hold for the notes of ``track`` on ``channel``, in order.

        They are those of the track itself, and of tracks that have no notes there.

        Returns:
            For each its tick; 0 if another track says it and 1 if the track itself does; its place among those; its
            bytes.
        """
        said = self._said[self.ports[track], channel]
        own = [(tick, 1, index, data) for tick, index, data in said.states.get(track, ())]
        others = [
            (tick, 0, number, data)
            for number, states in sorted(said.states.items())
            if number not in said.first_note
            for tick, _, data in states
        ]
        # Stable: events of another track at one tick stay in that track's order.
        return sorted(others + own, key=lambda state: state[:3])

    def _gather(self, tracks: Sequence[MidiTrack]) -> str:
        """Collect what is said of channels; whether the file is written for ``"xg"`` or ``"gm2"``, else empty."""
        system = ""
        for number, (track, port) in enumerate(zip(tracks, self.ports, strict=True)):
            for index, (tick, data) in enumerate(track.events):
                status = data[0]
                if status < 0xF0:
                    kind, said = status & 0xF0, self._said[port, status & 0x0F]
                    if kind == smf.NOTE_ON and data[2]:
                        said.first_note.setdefault(number, index)
                    elif kind == smf.PROGRAM or (kind == smf.CONTROL and data[1] in BANKS):
                        said.events.append((tick, number, index, data))
                    if kind in _NOTE_STATE:
                        said.states[number].append((tick, index, data))
                elif status == 0xF0:
                    system = _system(data) or system
                    if (part := _rhythm_part(data)) is not None:
                        self._drums[port, part[0]] = part[1]
        return system

    def _find_drums(self, system: str) -> None:
        for key, said in self._said.items() if system else ():
            banks = [
                data[2] for *_, data in sorted(said.events) if data[0] & 0xF0 == smf.CONTROL and data[1] == BANKS[0]
            ]
            if banks:
                self._drums[key] = banks[-1] in _DRUM_BANKS[system]

    def _timeline(self, track: int, channel: int) -> tuple[list[tuple[int, int, int]], list[Selected]]:
        """From when on which selection holds: the moments, and one selection more than there are moments."""
        key = (track, channel)
        if key not in self._timelines:
            said = self._said[self.ports[track], channel]
            own = self._keeps_own(self.ports[track], channel)
            # What another track says at a tick holds for the notes of that tick.
            events = [
                (tick, int(number == track), index if number == track else number, data)
                for tick, number, index, data in said.events
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
        """By track, the program that it names for a channel before its first note there."""
        key = (port, channel)
        if key not in self._initials:
            said = self._said[key]
            first: dict[int, int] = {}
            for _, number, index, data in sorted(said.events, key=lambda event: event[:3]):
                if data[0] & 0xF0 == smf.PROGRAM and index < said.first_note.get(number, index + 1):
                    first[number] = min(data[1], 127)
            self._initials[key] = first
        return self._initials[key]

    def _keeps_own(self, port: int, channel: int) -> bool:
        """Whether the tracks of a channel begin with different programs, so that each keeps its own."""
        return len(set(self._initial(port, channel).values())) > 1

    def _differ(self) -> bool:
        return any(self._is_hidden(*key, said) for key, said in self._said.items() if said.first_note)

    def _is_hidden(self, port: int, channel: int, said: _Said) -> bool:
        """Whether a reader that goes by tracks alone would miss what plays on a channel."""
        programs: dict[int, set[int]] = defaultdict(set)
        for _, number, _, data in said.events:
            if data[0] & 0xF0 == smf.PROGRAM:
                programs[number].add(min(data[1], 127))
        if programs and not self._keeps_own(port, channel):
            unnamed = set(said.first_note) - set(self._initial(port, channel))
            if unnamed - set(programs) or (len(programs) > 1 and (unnamed or len(set().union(*programs.values())) > 1)):
                return True
        banks = any(data[0] & 0xF0 == smf.CONTROL for *_, data in said.events)
        if banks and any(len(own) > 1 for own in programs.values()):
            return True
        if said.setup:
            return True
        return self._drums.get((port, channel), channel == DRUM_CHANNEL) != (channel == DRUM_CHANNEL)


def selects_drums(sysex: bytes) -> bool:
    """Whether a system-exclusive message (without its status and length) can make drums of a channel."""
    return sysex[:1] == _GS or (sysex[:1] == _XG_ON and sysex[2:3] == b"\x4c") or sysex[:3] == b"\x7e\x7f\x09"


def _body(data: bytes) -> bytes:
    try:
        _, start = number_at(data, 1)
    except (IndexError, ValueError):
        return b""
    return data[start:]


def _system(data: bytes) -> str:
    """What a system-exclusive message switches on: ``"xg"``, ``"gm2"`` or nothing."""
    body = _body(data)
    if body[:1] == _XG_ON and body[2:7] == b"\x4c\x00\x00\x7e\x00":
        return "xg"
    return "gm2" if body[:1] == _GM2_ON and body[2:4] == b"\x09\x03" else ""


def _rhythm_part(data: bytes) -> tuple[int, bool] | None:
    """The channel, and whether it becomes drums, of a GS message "use for rhythm part"."""
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
