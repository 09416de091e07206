"""How loud the tracks of a MIDI file are, and where they sit from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from symusic import Track

from toccata.midi import smf
from toccata.midi.smf import MidiTrack

VOLUME, PAN, EXPRESSION = 7, 10, 11
"""Numbers of the controllers that say so."""
USUAL = 100
"""The volume of a channel that is given none (General MIDI)."""


class Mix(NamedTuple):
    """What is set when the music of a track begins.

    Attributes:
        volume: 0 to 127, expression included; None: the file says nothing.
        pan: 0 is left, 64 the middle, 127 right; None: the file says nothing.
    """

    volume: int | None = None
    pan: int | None = None

    def to_json(self) -> dict[str, int]:
        """Return what the file says."""
        return {what: value for what, value in self._asdict().items() if value is not None}


Settings: TypeAlias = "dict[int, list[tuple[int, int]]]"
"""Tick and value of each setting, by the number of the controller."""


def mix_of(track: Track) -> Mix:
    """Return how loud a track of a Score is, and where it sits, at its first note."""
    found: Settings = {}
    for control in track.controls:
        found.setdefault(int(control.number), []).append((int(control.time), int(control.value)))
    return _mix([found], min((int(note.time) for note in track.notes), default=0))


class Mixing:
    """The volumes and pans of a file's tracks.

    Args:
        tracks: The tracks of the file.
    """

    def __init__(self, tracks: Sequence[MidiTrack]) -> None:
        self._of_track: dict[tuple[int, int], Settings] = {}
        self._of_channel: dict[int, Settings] = {}
        for number, track in enumerate(tracks):
            for event in track.events:
                if event.kind == smf.CONTROL and event.data[1] in (VOLUME, PAN, EXPRESSION):
                    setting = (event.tick, min(event.data[2], 127))
                    for found in (
                        self._of_track.setdefault((number, event.channel), {}),
                        self._of_channel.setdefault(event.channel, {}),
                    ):
                        found.setdefault(event.data[1], []).append(setting)

    def at(self, track: int, channel: int, tick: int) -> Mix:
        """Return what is set for a channel's notes in a track at a tick, by the track itself or else by any other."""
        return _mix([self._of_track.get((track, channel), {}), self._of_channel.get(channel, {})], tick)


def _mix(sources: Sequence[Settings], tick: int) -> Mix:
    """Return what is set at a tick by the first of several sources that sets it at all."""

    def value(controller: int) -> int | None:
        settings = next((source[controller] for source in sources if controller in source), [])
        before = sorted((one for one in settings if one[0] <= tick), key=lambda one: one[0])
        return before[-1][1] if before else None

    volume, pan, expression = value(VOLUME), value(PAN), value(EXPRESSION)
    if expression is not None:
        volume = round((USUAL if volume is None else volume) * expression / 127)
    return Mix(volume, pan)
