"""Songs as the page has them, and edits: what was not edited is the same event for event."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from studio_support import two_hands

from toccata.errors import MidiError, RequestError
from toccata.midi import smf
from toccata.midi.read import read_score
from toccata.studio.operations import apply, as_expected
from toccata.studio.song import Song, _opened, empty, imported, open_song


def notes_op(song: Song, track: str, remove: list[Any] | None = None, add: list[Any] | None = None) -> dict[str, Any]:
    known = song.by_id.get(track)
    about = {"program": 24, "drum": False, "name": "Guitar"}
    if known is not None:
        about = {"program": known.program, "drum": known.drum, "name": known.name}
    return {"type": "notes", "track": track, **about, "remove": remove or [], "add": add or []}


def others(midi: bytes) -> list[list[tuple[int, bytes]]]:
    """All events but notes, by track."""
    return [
        [(e.tick, e.data) for e in track.events if e.kind not in (smf.NOTE_ON, smf.NOTE_OFF)]
        for track in smf.read(midi).tracks
    ]


def test_a_song_has_what_its_file_has() -> None:
    song = open_song(two_hands())
    assert [(t.name, t.program, t.drum, len(t.notes)) for t in song.tracks] == [
        ("Melody", 0, False, 16), ("Bass", 32, False, 8)
    ]  # fmt: skip
    shown = song.to_json()
    assert shown["bars"] == [0, 1920, 3840, 5760, 7680]
    assert shown["end"] == 7680
    assert shown["tracks"][0]["notes"][:8] == [0, 480, 60, 80, 480, 480, 61, 80]
    assert (song.bar_at(0), song.bar_at(7679), song.bar_at(7680), song.bar_at(7680 + 1920)) == (1, 4, 5, 6)
    assert song.start(7) == 7680 + 2 * 1920


def test_tracks_are_numbered_as_the_verbs_number_them(data: Path) -> None:
    for path in sorted(data.glob("*/*.mid"))[::400]:
        midi = imported(path.read_bytes())
        score = read_score(midi, cut_short="use")
        for track in open_song(midi).tracks:
            there = score.tracks[track.number]
            assert (len(there.notes), there.is_drum) == (len(track.notes), track.drum)


def test_a_piece_can_be_empty() -> None:
    song = open_song(empty(90, (3, 4)))
    assert (song.tracks, song.bar_count, song.tempos, song.meters) == ((), 0, ((0, 90.0),), ((0, 3, 4),))
    midi = apply(song.midi, [notes_op(song, "new:24", add=[[0, 480, 60, 80]])])
    (track,) = open_song(midi).tracks
    assert (track.name, track.program, track.notes) == ("Guitar", 24, ((0, 480, 60, 80),))
    assert open_song(midi).meters == ((0, 3, 4),)


def test_all_notes_of_a_track_can_go_and_come_back() -> None:
    song = open_song(two_hands())
    melody = song.tracks[0]
    gone = apply(song.midi, [notes_op(song, melody.id, remove=list(melody.notes))])
    assert [t.name for t in open_song(gone).tracks] == ["Bass"]
    back = open_song(apply(gone, [notes_op(song, melody.id, add=list(melody.notes))]))
    assert back.tracks == song.tracks


def test_notes_of_one_pitch_never_overlap() -> None:
    song = open_song(two_hands())
    melody = song.tracks[0].id
    operation = [notes_op(song, melody, add=[[100, 1000, 60, 70], [240, 960, 100, 70], [480, 960, 100, 70]])]
    after = open_song(apply(song.midi, operation))
    added = Counter(after.by_id[melody].notes) - Counter(song.by_id[melody].notes)
    assert sorted(added) == [(240, 240, 100, 70), (480, 960, 100, 70)]
    assert not as_expected(song, after, operation)
    plain = [notes_op(song, melody, add=[[240, 100, 100, 70]])]
    assert as_expected(song, open_song(apply(song.midi, plain)), plain)


def test_program_name_and_tempo() -> None:
    song = open_song(two_hands())
    bass = song.tracks[1].id
    midi = apply(
        song.midi,
        [
            {"type": "program", "track": bass, "program": 43},
            {"type": "rename", "track": bass, "name": "Contrabass é"},
            {"type": "tempo", "tick": 1920, "quartersPerMinute": 90},
        ],
    )
    after = open_song(midi)
    assert [(t.id, t.name, t.program) for t in after.tracks] == [
        (song.tracks[0].id, "Melody", 0), (bass, "Contrabass é", 43)
    ]  # fmt: skip
    assert after.tempos[-1] == (1920, 90.0)
    assert after.values() == song.values()


def test_a_program_in_a_shared_channel_gets_a_channel_of_its_own() -> None:
    on, off = (lambda p, t: smf.Event(t, bytes((0x90, p, 80)))), (lambda p, t: smf.Event(t, bytes((0x80, p, 0))))
    tracks = [
        smf.MidiTrack([smf.Event(0, b"\xc0\x05")]),
        smf.MidiTrack([on(60, 0), off(60, 96)]),
        smf.MidiTrack([on(48, 0), off(48, 96)]),
    ]
    song = open_song(smf.write(smf.MidiFile(1, 96, tracks)))
    assert [t.program for t in song.tracks] == [5, 5]
    after = open_song(apply(song.midi, [{"type": "program", "track": song.tracks[0].id, "program": 40}]))
    assert sorted((t.program, t.notes[0].pitch) for t in after.tracks) == [(5, 48), (40, 60)]


@pytest.mark.parametrize(
    "operation",
    [
        {"type": "explode"},
        {"type": "notes", "track": 7},
        {"type": "notes", "track": "x", "program": 0, "name": "", "add": [[0, 0, 60, 80]]},
        {"type": "notes", "track": "x", "program": 0, "name": "", "add": [[0, 1, 60, 128]]},
        {"type": "notes", "track": "x", "program": 0, "name": "", "add": [[-1, 1, 60, 80]]},
        {"type": "notes", "track": "x", "program": 0, "name": "", "add": [[0.5, 1, 60, 80]]},
        {"type": "notes", "track": "x", "program": 0, "name": "", "add": "C4"},
        {"type": "program", "track": "t1c0", "program": 128},
        {"type": "rename", "track": "nobody", "name": "x"},
        {"type": "tempo", "tick": 0, "quartersPerMinute": 0},
        {"type": "tempo", "tick": 0, "quartersPerMinute": float("nan")},
    ],
)
def test_an_operation_that_is_none_is_refused(operation: dict[str, Any]) -> None:
    with pytest.raises((RequestError, MidiError)):
        apply(two_hands(), [operation], strict=True)


def test_what_is_not_there_cannot_be_removed() -> None:
    song = open_song(two_hands())
    operation = [notes_op(song, song.tracks[0].id, remove=[[1, 2, 3, 4]])]
    with pytest.raises(RequestError, match="load it again"):
        apply(song.midi, operation, strict=True)
    assert open_song(apply(song.midi, operation)).values() == song.values()


def test_broken_bytes_are_refused_in_one_line() -> None:
    for data in (b"", b"hello", b"MThd" + bytes(20), two_hands()[:40]):
        with pytest.raises(MidiError) as caught:
            imported(data)
        assert "\n" not in caught.value.message


NOTE = st.tuples(st.integers(0, 9000), st.integers(1, 700), st.integers(0, 127), st.integers(1, 127))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_an_edit_and_its_inverse_give_the_same_notes(data: Path, draw: st.DataObject) -> None:
    files = sorted(data.glob("*/*.mid"))[::600]
    song = open_song(imported(draw.draw(st.sampled_from(files), "file").read_bytes()))
    track = draw.draw(st.sampled_from(song.tracks), "track")
    remove = draw.draw(st.lists(st.sampled_from(track.notes), max_size=5, unique=True), "remove")
    midi = apply(song.midi, [notes_op(song, track.id, remove=remove)], strict=True)
    assert others(midi) == others(song.midi)
    assert_reads_the_same(midi)
    again = draw.draw(st.lists(NOTE, max_size=4), "add")
    more = open_song(apply(midi, [notes_op(song, track.id, add=again)]))
    assert_reads_the_same(more.midi)
    now = Counter(more.by_id[track.id].notes if track.id in more.by_id else ())
    added = list((now - Counter(open_song(midi).values().get(track.id, ()))).elements())
    back = open_song(apply(more.midi, [notes_op(song, track.id, remove=added, add=remove)]))
    # A note that was struck again while it sounded cannot be put back as it was.
    if not _overlapping(song, track.place.channel):
        assert back.values() == song.values()


def assert_reads_the_same(midi: bytes) -> None:
    """What an edit leaves in memory is what is read from its bytes."""
    known, fresh = open_song(midi), _opened(midi)[0]
    assert known.to_json() == fresh.to_json()
    assert [(t.place, t.number) for t in known.tracks] == [(t.place, t.number) for t in fresh.tracks]


def _overlapping(song: Song, channel: int) -> bool:
    """Whether a key of the channel is struck while it sounds, in whichever tracks."""
    spans = sorted(
        (note.pitch, note.tick, note.tick + note.length)
        for track in song.tracks
        if track.place.channel == channel
        for note in track.notes
    )
    return any(a[0] == b[0] and b[1] <= a[2] for a, b in pairwise(spans))
