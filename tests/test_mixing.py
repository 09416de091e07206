"""How loud tracks are, and where they sit: the same from a file's events and from what symusic reads of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from symusic import Score

from toccata.midi import smf
from toccata.midi.instruments import Instruments
from toccata.midi.mixing import Mix, Mixing, mix_of, with_mix
from toccata.midi.smf import Event, MidiTrack


def control(tick: int, channel: int, number: int, value: int) -> Event:
    return Event(tick, bytes([0xB0 | channel, number, value]))


def track(*events: Event) -> MidiTrack:
    return MidiTrack(list(events), 960)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], Mix()),
        ([control(0, 0, 7, 90)], Mix(90)),
        ([control(0, 0, 7, 90), control(0, 0, 11, 64), control(0, 0, 10, 0)], Mix(45, 0)),
        ([control(0, 0, 11, 127)], Mix(100)),
        ([control(0, 0, 7, 20), control(480, 0, 7, 80)], Mix(80)),
        ([control(0, 0, 7, 80), control(481, 0, 7, 20)], Mix(80)),
        ([control(0, 0, 7, 0), control(481, 0, 7, 90), control(900, 0, 7, 40)], Mix(90)),
        ([control(0, 0, 11, 0), control(481, 0, 11, 127)], Mix(100)),
        ([control(0, 0, 10, 20), control(481, 0, 10, 90)], Mix(None, 20)),
        ([control(481, 0, 7, 127)], Mix()),
        ([control(0, 1, 7, 90)], Mix()),
        ([control(0, 0, 1, 90)], Mix()),
    ],
)
def test_what_is_set_when_the_music_begins(events: list[Event], expected: Mix) -> None:
    assert Mixing([track(*events)], [0]).at(0, 0, 480) == expected
    assert Mixing([track(*events), track()], [0, 0]).at(1, 0, 480) == expected  # its channel is set in another track


def test_a_tracks_own_settings_come_first() -> None:
    mixing = Mixing([track(control(0, 0, 7, 30)), track(control(0, 0, 7, 60)), track(), track()], [0, 0, 0, 1])
    assert [mixing.at(number, 0, 0).volume for number in range(4)] == [30, 60, 60, None]


def test_both_readings_of_real_files_agree(data: Path) -> None:
    files = [path for folder in ("game", "songs", "piano") for path in sorted((data / folder).rglob("*.mid"))[:40:4]]
    compared = 0
    for path in files:
        tracks = smf.read(path.read_bytes()).tracks
        played = [{event.channel for event in part.events if event.begins_note} for part in tracks]
        if any(len(channels) > 1 for channels in played) or len(set().union(*played)) < sum(map(len, played)):
            continue  # symusic's tracks are others there
        read = {mix_of(one) for one in Score.from_midi(path.read_bytes()).tracks if one.notes}
        mixing, own = Mixing(tracks, Instruments(tracks).ports), set[Mix]()
        for number, (part, channels) in enumerate(zip(tracks, played, strict=True)):
            for channel in channels:
                own.add(mixing.at(number, channel, next(e.tick for e in part.events if e.begins_note)))
        # After a change of program, symusic begins a track that no controller was set in.
        assert read - {Mix()} == own - {Mix()}, path
        compared += own != {Mix()}
    assert compared > 3


@given(st.integers(0, 127), st.integers(0, 127))
def test_a_mix_that_is_set_is_the_mix_that_is_read_and_nothing_else_changes(volume: int, pan: int) -> None:
    events = [
        control(0, 0, 7, 30),
        control(480, 0, 7, 90),
        control(0, 0, 10, 3),
        control(0, 0, 1, 5),
        control(0, 1, 7, 9),
    ]
    note = [Event(10, b"\x90\x3c\x40"), Event(90, b"\x80\x3c\x40")]
    midi = smf.write(smf.MidiFile(1, 480, [track(*sorted([*events, *note])), track(control(0, 0, 7, 1))]))
    after = smf.read(with_mix(midi, 0, 0, Mix(volume, pan))).tracks
    assert Mixing(after, [0, 0]).at(0, 0, 10) == Mix(volume, pan)
    assert after[1].events == smf.read(midi).tracks[1].events
    others = [event for event in after[0].events if event.channel != 0 or event.data[1] not in (7, 10)]
    kept = [event for event in smf.read(midi).tracks[0].events if event.channel != 0 or event.data[1] not in (7, 10)]
    assert others == kept
    only = smf.read(with_mix(midi, 0, 0, Mix(volume))).tracks
    assert Mixing(only, [0, 0]).at(0, 0, 10) == Mix(volume, 3)


@pytest.mark.parametrize(("expression", "volume", "read"), [(127, 80, 80), (64, 40, 40), (64, 100, 64), (0, 80, 0)])
def test_a_swell_stays_a_swell(expression: int, volume: int, read: int) -> None:
    midi = smf.write(smf.MidiFile(1, 480, [track(control(0, 0, 11, 0), control(480, 0, 11, expression))]))
    found = Mixing(smf.read(with_mix(midi, 0, 0, Mix(volume))).tracks, [0]).at(0, 0, 0)
    assert found.volume == pytest.approx(read, abs=1)
