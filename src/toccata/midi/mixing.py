"""How loud the tracks of a MIDI file are, and where they sit from left to right."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple, TypeAlias

from symusic import Track

from toccata.midi import smf
from toccata.midi.smf import MidiFile, MidiTrack

VOLUME, PAN, EXPRESSION = 7, 10, 11
"""Numbers of the controllers that say so."""
USUAL = 100
"""The volume of a channel that is given none (General MIDI)."""


class Mix(NamedTuple):
    """How loud a track is at its loudest, and where it sits when its music begins.

    Attributes:
        volume: 0 to 127; None: the file says nothing.
        pan: 0 is left, 64 the middle, 127 right; None: the file says nothing.
    """

    volume: int | None = None
    pan: int | None = None

    def to_json(self) -> dict[str, int]:
        """Return what the file says."""
        return {what: value for what, value in self._asdict().items() if value is not None}


class _Settings:
    """What one controller is set to, in the order of time, and the highest value from each setting on."""

    def __init__(self, settings: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(settings, key=lambda one: one[0])
        self._ticks = [tick for tick, _ in ordered]
        self._values = [value for _, value in ordered]
        self._highest = list(accumulate(reversed(self._values), max))[::-1]

    @property
    def loudest(self) -> int:
        """The highest value of all."""
        return max(self._values)

    def at(self, tick: int) -> int | None:
        """Return what holds at a tick; None: nothing was set before."""
        place = bisect_right(self._ticks, tick)
        return self._values[place - 1] if place else None

    def highest(self, tick: int) -> int | None:
        """Return the highest of what holds from a tick on; None: nothing was set before it."""
        place = bisect_right(self._ticks, tick)
        return self._highest[place - 1] if place else None


Controllers: TypeAlias = "dict[int, _Settings]"
"""What is set, by the number of the controller."""


def mix_of(track: Track) -> Mix:
    """Return the mix of a track of a Score."""
    found: dict[int, list[tuple[int, int]]] = {}
    for control in track.controls:
        found.setdefault(int(control.number), []).append((int(control.time), int(control.value)))
    first = min((int(note.time) for note in track.notes), default=0)
    return _mix([{number: _Settings(settings) for number, settings in found.items()}], first)


class Mixing:
    """The mix of each of a file's tracks.

    Args:
        tracks: The tracks of the file.
        ports: The port of each.
    """

    def __init__(self, tracks: Sequence[MidiTrack], ports: Sequence[int]) -> None:
        self._ports = ports
        own: dict[tuple[int, int], dict[int, list[tuple[int, int]]]] = {}
        for number, track in enumerate(tracks):
            for event in track.events:
                if event.kind == smf.CONTROL and event.data[1] in (VOLUME, PAN, EXPRESSION):
                    settings = own.setdefault((number, event.channel), {}).setdefault(event.data[1], [])
                    settings.append((event.tick, min(event.data[2], 127)))
        everyones: dict[tuple[int, int], dict[int, list[tuple[int, int]]]] = {}
        for (number, channel), controllers in own.items():
            shared = everyones.setdefault((ports[number], channel), {})
            for controller, settings in controllers.items():
                shared.setdefault(controller, []).extend(settings)
        self._own = {key: {c: _Settings(found) for c, found in each.items()} for key, each in own.items()}
        self._everyones = {key: {c: _Settings(found) for c, found in each.items()} for key, each in everyones.items()}

    def at(self, track: int, channel: int, tick: int) -> Mix:
        """Return the mix of a channel's notes in a track that begin at a tick.

        What the track has set by then comes first, then what any other has.
        """
        port = self._ports[track] if track < len(self._ports) else 0
        return _mix([self._own.get((track, channel), {}), self._everyones.get((port, channel), {})], tick)

    def expression(self, track: int, channel: int) -> int:
        """Return the highest expression of a channel's notes in a track; 127 where there is none."""
        settings = self._own.get((track, channel), {}).get(EXPRESSION)
        return 127 if settings is None else settings.loudest


def with_mix(midi: bytes, track: int, channel: int, mix: Mix) -> bytes:
    """Return a MIDI file in which a track's notes on a channel have another volume or pan from beginning to end.

    Args:
        midi: The file's bytes.
        track: The track, from 0.
        channel: 0 to 15.
        mix: What is set in place of all that the track says about it; None: that stays as it is.
    """
    file = smf.read(midi)
    expression = Mixing(file.tracks, [0] * len(file.tracks)).expression(track, channel)
    values = {VOLUME: mix.volume, PAN: mix.pan}
    if mix.volume is not None:  # what swells goes on to swell, up to this volume
        values[VOLUME] = min(127, round(mix.volume * 127 / max(1, expression)))
    chosen = {controller: value for controller, value in values.items() if value is not None}
    events = [
        event
        for event in file.tracks[track].events
        if not (event.kind == smf.CONTROL and event.channel == channel and event.data[1] in chosen)
    ]
    status = smf.CONTROL | channel
    own = [smf.Event(0, bytes([status, controller, value])) for controller, value in chosen.items()]
    tracks = list(file.tracks)
    tracks[track] = MidiTrack([*own, *events], file.tracks[track].end)
    return smf.write(MidiFile(file.format, file.division, tracks, file.foreign))


def _mix(sources: Sequence[Controllers], tick: int) -> Mix:
    """Return what is set from a tick on by the first of several sources that has set it by then."""

    def first(controller: int, read: Callable[[_Settings], int | None]) -> int | None:
        found = (read(source[controller]) for source in sources if controller in source)
        return next((value for value in found if value is not None), None)

    # The highest value: a swell that begins in silence, by volume or expression, is heard.
    volume = first(VOLUME, lambda settings: settings.highest(tick))
    expression = first(EXPRESSION, lambda settings: settings.highest(tick))
    if expression is not None:
        volume = round((USUAL if volume is None else volume) * expression / 127)
    return Mix(volume, first(PAN, lambda settings: settings.at(tick)))
