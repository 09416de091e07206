"""Notes of a file exchanged for others: what was not asked to change is the same event for event, read by mido."""

from __future__ import annotations

import io
from pathlib import Path

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic import ControlChange, Note, Score, Tempo, Track

from outside import heard, inside, messages, new_notes, parsed, read, untouched_outside
from toccata.errors import MidiError
from toccata.midi import smf
from toccata.midi.bars import bar_map
from toccata.midi.instruments import Instruments
from toccata.midi.mixing import Mix, with_mix
from toccata.midi.notes import Place, notes_of, score_places
from toccata.midi.read import read_score
from toccata.midi.replace import Hole, refuse_no_channel, replace_notes
from toccata.midi.retouch import change_program

REAL = {
    "songs": 11,
    "quartets": 4,
    "orchestra": 4,
    "game": 9,
    "choir": 6,
    "bach/hauptstimme": 2,
    "chorales_synthetic": 4,
}
NewNotes = list[tuple[int, int, int, int]]


def score(*tracks: NewNotes, tpq: int = 24, program: int = 0, drums: bool = False) -> Score:
    """Tracks of [(time, duration, pitch, velocity)]."""
    out = Score(tpq)
    for what in tracks:
        out.tracks.append(Track("", program, drums))
        out.tracks[-1].notes.extend(Note(*note) for note in what)
    return out


def midi(*tracks: list[mido.Message], kind: int = 1, tpq: int = 96) -> bytes:
    out = io.BytesIO()
    mido.MidiFile(type=kind, ticks_per_beat=tpq, tracks=[mido.MidiTrack(t) for t in tracks]).save(file=out)
    return out.getvalue()


def on(pitch: int, time: int = 0, channel: int = 0, velocity: int = 80) -> mido.Message:
    return mido.Message("note_on", note=pitch, velocity=velocity, time=time, channel=channel)


def off(pitch: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, velocity=64, time=time, channel=channel)


def program(number: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("program_change", program=number, time=time, channel=channel)


def control(number: int, value: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", control=number, value=value, time=time, channel=channel)


def listed(data: bytes) -> list[tuple[int, ...]]:
    """(track, channel, start, end, pitch) of all notes; -1 where a note has no end."""
    return sorted(
        (n, note.channel, note.start, -1 if note.end is None else note.end, note.pitch)
        for n, track in enumerate(parsed(data).tracks)
        for note in heard(messages(track), n)
    )


def replaced(
    data: bytes, holes: list[Hole], new: Score | None = None, targets: list[int | None] | None = None, **options: object
) -> bytes:
    """The new file, checked: all outside is as it was."""
    new = Score(24) if new is None else new
    out = replace_notes(data, holes, new, targets or [None] * len(new.tracks), **options)  # type: ignore[arg-type]
    assert untouched_outside(data, out, holes) == []
    assert len(score_places(smf.read(out).tracks)) == len(Score.from_midi(out).tracks)
    return out


THREE = [
    program(5), program(40, 0, 1), on(60), on(64, 0, 1), on(36, 0, 9), off(36, 10, 9), off(60, 86),
    on(62), off(64, 0, 1),
    on(67, 0, 1), on(38, 0, 9), off(38, 10, 9), off(62, 86), off(67, 0, 1), on(65), off(65, 96),
]  # fmt: skip


def test_type_0_with_three_channels() -> None:
    data = midi(THREE, kind=0)
    assert score_places(smf.read(data).tracks) == [(0, 0, 5), (0, 1, 40), (0, 9, 0)]
    out = replaced(data, [Hole(96, 192, frozenset([1]))], score([(24, 12, 70, 90), (36, 12, 71, 91)]), [1])
    assert (parsed(out).type, len(parsed(out).tracks)) == (0, 1)
    assert new_notes(data, out, [Hole(96, 192, frozenset([1]))]) == [(0, 1, 96, 144, 70, 90), (0, 1, 144, 192, 71, 91)]
    assert [note[:2] + note[2:] for note in listed(out) if note[1] == 1] == [
        (0, 1, 0, 96, 64), (0, 1, 96, 144, 70), (0, 1, 144, 192, 71)
    ]  # fmt: skip
    out = replaced(data, [Hole(0, 96, frozenset([0, 2]))])
    assert [(note[1], note[2]) for note in listed(out)] == [(0, 96), (0, 192), (1, 0), (1, 96), (9, 96)]


def test_type_1_and_all_tracks() -> None:
    data = midi(
        [mido.MetaMessage("set_tempo", tempo=400_000), mido.MetaMessage("key_signature", key="D", time=100)],
        [program(1), on(60), off(60, 96), on(62), off(62, 96)],
        [program(2, 0, 1), on(50, 0, 1), off(50, 96, 1), on(52, 0, 1), off(52, 96, 1)],
    )
    out = replaced(data, [Hole(96, 192)], score([(0, 24, 80, 9)], [(6, 6, 81, 9)], tpq=24), [1, 0], at=96, text="by us")
    assert listed(out) == [(1, 0, 0, 96, 60), (1, 0, 120, 144, 81), (2, 1, 0, 96, 50), (2, 1, 96, 192, 80)]
    assert parsed(out).tracks[0][1] == mido.MetaMessage("text", text="by us")
    assert [t.program for t in Score.from_midi(out).tracks] == [1, 2]


def test_no_hole_and_nothing_new_is_the_same_file() -> None:
    data = midi(THREE, kind=0)
    for holes in ([], [Hole(10, 10)], [Hole(10, 90)], [Hole(0, 500, frozenset())]):
        assert replaced(data, holes) == replace_notes(data, [], Score(96), [])
        assert listed(replaced(data, holes)) == listed(data)


def test_running_status_and_ends_by_velocity_0() -> None:
    body = (
        b"\x00\x90\x3c\x40\x60\x3c\x00\x00\x3e\x40\x60\x3e\x00\x00\x40\x40"  # C D E, the E rings
        b"\x00\xff\x05\x02la\x60\x90\x40\x00"
        b"\x00\xff\x2f\x00"
    )
    data = b"MThd\0\0\0\6\0\0\0\1\0\x60" + b"MTrk" + len(body).to_bytes(4, "big") + body
    out = replaced(data, [Hole(96, 192)], score([(24, 24, 70, 9)]), [0])
    assert listed(out) == [(0, 0, 0, 96, 60), (0, 0, 96, 192, 70), (0, 0, 192, 288, 64)]
    assert [m.text for m in parsed(out).tracks[0] if m.type == "lyrics"] == ["la"]


def test_the_end_of_a_note_goes_with_it_wherever_it_is() -> None:
    data = midi([on(60, 10), on(61, 10), off(61, 100), off(60, 200), on(60, 10), off(60, 5)])
    out = replaced(data, [Hole(5, 30)])
    assert listed(out) == [(0, 0, 330, 335, 60)]
    assert sum(m.type == "note_off" for m in parsed(out).tracks[0]) == 1


def test_what_rings_in_stays_whole_and_is_not_struck_again() -> None:
    data = midi([on(60), on(64), off(60, 150), off(64), on(67), off(67, 96)])
    new = score([(0, 6, 60, 70), (12, 12, 62, 71), (18, 12, 64, 72), (20, 30, 67, 73)])
    out = replaced(data, [Hole(96, 150)], new, [0], at=96)
    # 60 sounds until 150: it is not struck. 64 begins later. 67 ends where the old one begins, or has no room.
    assert listed(out) == [
        (0, 0, 0, 150, 60), (0, 0, 0, 150, 64), (0, 0, 144, 192, 62), (0, 0, 150, 246, 67), (0, 0, 168, 216, 64)
    ]  # fmt: skip
    out = replaced(data, [Hole(96, 150)], score([(4, 90, 67, 73)]), [0], at=96)
    assert (0, 0, 112, 150, 67) in listed(out)


def test_notes_of_one_pitch_that_overlap() -> None:
    data = midi(
        [on(60, 0, velocity=1), on(60, 50, velocity=2), on(60, 50, velocity=3), off(60, 50), off(60, 10), off(60, 10)]
    )
    out = replaced(data, [Hole(50, 100)])
    assert listed(out) == [(0, 0, 0, 150, 60), (0, 0, 100, 170, 60)]
    out = replaced(data, [Hole(0, 50)])
    assert listed(out) == [(0, 0, 50, 160, 60), (0, 0, 100, 170, 60)]


def test_notes_without_an_end_and_ends_without_a_note() -> None:
    data = midi([on(60, 10), on(61, 10), off(60, 10), off(60, 10), off(62, 10)])
    new = score([(5, 1, 61, 9), (30, 5, 61, 8), (9, 4, 60, 7), (35, 50, 60, 7), (45, 24, 62, 6)], tpq=96)
    # 61 is never let go: what is new is before it. The stray ends of 60 and 62, at 40 and 50, end new notes.
    want = [(0, 0, 5, 6, 61), (0, 0, 9, 10, 60), (0, 0, 10, 30, 60), (0, 0, 35, 40, 60), (0, 0, 45, 50, 62)]
    assert listed(replaced(data, [], new, [0])) == sorted([*want, (0, 0, 20, -1, 61)])
    assert listed(replaced(data, [Hole(15, 25)], new, [0])) == sorted([*want, (0, 0, 30, 35, 61)])


def test_controllers_and_lyrics_inside_stay() -> None:
    data = midi(
        [
            mido.MetaMessage("track_name", name="Voice"), control(64, 127, 5), mido.MetaMessage("lyrics", text="la"),
            on(60), mido.Message("polytouch", note=60, value=3), mido.Message("pitchwheel", pitch=77, time=5),
            mido.Message("sysex", data=(1, 2)), mido.MetaMessage("marker", text="B"), off(60, 10), control(64, 0),
            mido.MetaMessage("time_signature", numerator=3), program(9), mido.Message("aftertouch", value=4),
        ]
    )  # fmt: skip
    out = replaced(data, [Hole(0, 100)], score([(5, 5, 70, 70)], tpq=96), [0])
    want = [m.type for _, m in messages(parsed(data).tracks[0]) if not m.type.startswith("note_")]
    assert [m.type for _, m in messages(parsed(out).tracks[0]) if not m.type.startswith("note_")] == want
    assert listed(out) == [(0, 0, 5, 10, 70)]


def test_a_program_change_inside_a_hole() -> None:
    bowed_then_plucked = [program(48), on(60), off(60, 96), program(45, 96), on(62), off(62, 96), on(64), off(64, 96)]
    data = midi(bowed_then_plucked)
    assert score_places(smf.read(data).tracks) == [(0, 0, 45), (0, 0, 48)]
    out = replaced(data, [Hole(0, 400, frozenset([0]))])
    assert listed(out) == [(0, 0, 0, 96, 60)]
    # Both instruments get notes before and after the change, and each note is its own.
    new = score([(0, 12, 70, 9), (60, 12, 71, 9)], [(2, 12, 50, 9), (60, 12, 51, 9)])
    out = replaced(data, [Hole(0, 400)], new, [0, 1])
    tracks = {t.program: sorted((n.time, n.pitch) for n in t.notes) for t in Score.from_midi(out).tracks}
    assert tracks == {45: [(0, 70), (240, 71)], 48: [(8, 50), (240, 51)]}
    changes = [(t, m.program) for t, m in messages(parsed(out).tracks[0]) if m.type == "program_change"]
    assert changes == [(0, 48), (0, 45), (0, 48), (192, 45), (240, 48), (240, 45)]


def test_new_tracks_of_a_type_1_file() -> None:
    data = midi([program(40), on(60), off(60, 960)], [on(36, 0, 9), off(36, 960, 9)])
    new = score([(0, 24, 60, 70)], [(0, 24, 40, 71)], program=33)
    new.tracks[1].name = "My bass"
    new.tracks[1].controls.append(ControlChange(0, 7, 99))
    new.tracks.append(Track("", 0, True))
    new.tracks[2].notes.extend([Note(0, 6, 36, 80), Note(0, 6, 42, 80), Note(245, 6, 36, 80)])
    new.tempos.append(Tempo(0, mspq=300_000))
    out = replaced(data, [], new)
    file = parsed(out)
    assert [t.name for t in file.tracks] == ["", "", "Fingered Bass", "My bass", "Drums"]
    assert [{m.channel for _, m in messages(t) if not m.is_meta} for t in file.tracks] == [{0}, {9}, {1}, {2}, {9}]
    assert [m.program for m in file.tracks[3] if m.type == "program_change"] == [33]
    assert [m.value for m in file.tracks[3] if m.type == "control_change"] == [99]
    # The drum that sounds in the file is not struck again; the tempo is the file's.
    assert [(n[2], n[4]) for n in listed(out) if n[0] == 4] == [(0, 42), (980, 36)]
    assert not any(m.type == "set_tempo" for m in file.tracks[0])


def test_new_tracks_of_a_type_0_file() -> None:
    data = midi(THREE, kind=0)
    new = score([(0, 24, 60, 70)], program=52)
    new.tracks.append(Track("", 0, True))
    new.tracks[1].notes.append(Note(12, 6, 42, 80))
    out = replaced(data, [], new, at=96)
    assert (parsed(out).type, len(parsed(out).tracks)) == (0, 1)
    assert new_notes(data, out, []) == [(0, 2, 96, 192, 60, 70), (0, 9, 144, 168, 42, 80)]
    assert [(t.program, t.is_drum) for t in Score.from_midi(out).tracks] == [
        (5, False), (40, False), (52, False), (0, True)
    ]  # fmt: skip


def test_a_channel_that_the_file_has_left_is_used_when_no_other_is() -> None:
    channels = [c for c in range(16) if c != 9]
    tracks = [
        [program(c, 0, c), control(64, 127, 0, c), on(60, 0, c), off(60, 96 if c == 7 else 960, c)] for c in channels
    ]
    data = midi(*tracks)
    out = replaced(data, [], score([(0, 24, 60, 70)], program=33), at=97)
    assert new_notes(data, out, []) == [(15, 7, 97, 193, 60, 70)]
    assert [(m.type, t) for t, m in messages(parsed(out).tracks[15])][1:4] == [
        ("program_change", 97), ("control_change", 97), ("note_on", 97)
    ]  # fmt: skip
    with pytest.raises(MidiError, match=r"^has no channel left for Fingered Bass: there are 15") as caught:
        replace_notes(data, [], score([(0, 24, 60, 70)], program=33), [None], at=96)
    assert "\n" not in str(caught.value)
    # A note that is never let go holds its channel.
    tracks[7][3] = mido.MetaMessage("marker", text="no end", time=96)
    with pytest.raises(MidiError, match="no channel left"):
        replace_notes(midi(*tracks), [], score([(0, 24, 60, 70)], program=33), [None], at=500)


def test_a_channel_without_notes_is_free_whatever_is_set_on_it() -> None:
    channels = [c for c in range(16) if c != 9]
    tracks = [[program(c, 0, c), control(7, 0, 0, c), control(64, 127, 0, c)] for c in channels]
    tracks[0] += [on(60), off(60, 960)]
    tracks[1] += [control(123, 0, 960, 1)]
    data = midi(*tracks)
    out = replaced(data, [], score(*[[(0, 24, 60 + n, 70)] for n in range(14)], program=33))
    assert {note[1] for note in new_notes(data, out, [])} == set(channels) - {0}
    file = parsed(out)
    set_up = {(m.channel, m.control, m.value) for _, m in messages(file.tracks[-1]) if m.type == "control_change"}
    assert {value for _, number, value in set_up if number == 64} == {0}
    assert {value for _, number, value in set_up if number == 7} == {100}
    # Not where another instrument is called for later, though nobody plays it.
    later = midi(*tracks[:14], [*tracks[14], program(5, 200, 15)])
    out = replaced(later, [], score(*[[(0, 24, 60 + n, 70)] for n in range(14)], program=33))
    assert {note[1] for note in new_notes(later, out, [])} == set(channels) - {0, 15}


def test_instruments_of_one_program_share_a_channel_where_none_is_left() -> None:
    channels = [c for c in range(16) if c != 9]
    data = midi(*[[program(c, 0, c), control(7, 80, 0, c), on(60, 0, c), off(60, 960, c)] for c in channels])
    new = score([(0, 24, 60, 70), (0, 24, 64, 70)], program=5)
    new.tracks[0].controls.append(ControlChange(0, 7, 1))
    out = replaced(data, [], new)
    assert [(note[1], note[4]) for note in new_notes(data, out, [])] == [(5, 64)]
    assert not [m for _, m in messages(parsed(out).tracks[-1]) if m.type == "control_change"]


def test_a_new_instrument_is_refused_before_it_is_written() -> None:
    channels = [c for c in range(16) if c != 9]
    data = midi(*[[program(c, 0, c), on(60, 0, c), off(60, 96 if c == 7 else 960, c)] for c in channels])
    refuse_no_channel(data, [-1, 33, 33, 5], 97)
    with pytest.raises(MidiError, match=r"^has no channel left for Flute: .*$"):
        refuse_no_channel(data, [33, 73], 97)
    with pytest.raises(MidiError, match=r"^has no channel left for Fingered Bass: .*$"):
        refuse_no_channel(data, [33], 96)


def test_the_drums_of_a_file_keep_their_kit() -> None:
    new = score([(0, 6, 42, 80)], program=8, drums=True)
    for kit, want in (([], [8]), ([program(16, 0, 9)], [16])):
        out = replaced(midi([*kit, on(60), off(60, 96)], kind=0), [], new, at=48)
        changes = [m.program for m in parsed(out).tracks[0] if m.type == "program_change"]
        assert changes == want


def test_tracks_that_share_a_channel_do_not_silence_one_another() -> None:
    # Two hands on one channel. The left one, further down, lets go of 60 where the right one strikes it, and again.
    data = midi(
        [program(0), on(72), off(72, 960)], [on(60), off(60, 96), on(48), off(48, 96)], [on(60, 192), off(60, 96)]
    )
    right = score([(24, 48, 60, 70)])
    out = replaced(data, [], right, [0])
    assert new_notes(data, out, []) == [(0, 0, 97, 192, 60, 70)]
    down = score([(24, 24, 60, 70)], [(24, 24, 60, 71)])
    out = replaced(data, [Hole(192, 300)], down, [2, 1])
    assert new_notes(data, out, [Hole(192, 300)]) == [(2, 0, 96, 192, 60, 70)]
    # One further down ends before one further up begins.
    out = replaced(data, [Hole(0, 96)], score([(0, 24, 60, 70)], [(24, 24, 60, 71)]), [1, 0])
    assert new_notes(data, out, [Hole(0, 96)])[1:] == [(1, 0, 0, 95, 60, 70)]


def test_other_ticks_a_quarter() -> None:
    data = midi([on(60), off(60, 480)], tpq=480)
    for tpq in (1, 24, 960):
        out = replaced(data, [Hole(0, 1)], score([(tpq, tpq, 62, 70)], tpq=tpq), [0], at=100)
        assert listed(out) == [(0, 0, 580, 1060, 62)]


def test_files_that_cannot_be_taken_apart() -> None:
    whole = midi([on(60), off(60, 96)], [on(60), off(60, 96)])
    for at, value, what in ((9, b"\2", "is of type 2"), (12, b"\xe7\x28", "film frames")):
        data = whole[:at] + value + whole[at + len(value) :]
        with pytest.raises(MidiError, match=what) as caught:
            replace_notes(data, [], Score(96), [])
        assert "\n" not in str(caught.value)
    with pytest.raises(MidiError):
        replace_notes(b"RIFF", [], Score(96), [])


def test_what_makes_no_sense_is_refused() -> None:
    data = midi([on(60), off(60, 96)])
    new = score([(0, 24, 60, 70)])
    for holes, targets, at in (
        ([Hole(5, 4)], [0], 0), ([Hole(-1, 4)], [0], 0), ([], [0, 0], 0), ([], [1], 0), ([], [-1], 0), ([], [0], -1),
        ([Hole(0, 4, frozenset([1]))], [0], 0),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"."):
            replace_notes(data, holes, new, targets, at=at)


TIMES = st.sampled_from([0, 0, 1, 3, 10])
CHANNELS, PITCHES = st.sampled_from([0, 1, 9, 15]), st.sampled_from([60, 61])
EVENT = st.one_of(
    st.builds(on, PITCHES, TIMES, CHANNELS, st.integers(1, 127)),
    st.builds(on, PITCHES, TIMES, CHANNELS, st.integers(0, 127)),
    st.builds(off, PITCHES, TIMES, CHANNELS),
    st.builds(off, PITCHES, TIMES, CHANNELS),
    st.builds(program, st.integers(0, 2), TIMES, CHANNELS),
    st.builds(control, st.sampled_from([7, 64]), st.integers(0, 127), TIMES, CHANNELS),
    st.builds(lambda text, time: mido.MetaMessage("lyrics", text=text, time=time), st.sampled_from(["", "la"]), TIMES),
    st.builds(lambda value, time: mido.Message("pitchwheel", pitch=value, time=time), st.integers(-99, 99), TIMES),
)
FILES = st.tuples(st.lists(st.lists(EVENT, max_size=24), min_size=1, max_size=3), st.booleans()).map(
    lambda drawn: midi(*drawn[0][: 1 if drawn[1] else 3], kind=0 if drawn[1] else 1)
)
A_NOTE = st.tuples(st.integers(0, 80), st.integers(0, 40), PITCHES, st.integers(1, 127))


@settings(max_examples=150, deadline=None)
@given(FILES)
def test_the_tracks_of_the_score_are_found_in_the_file(data: bytes) -> None:
    try:
        whole = read_score(data)
    except MidiError:
        return
    tracks = smf.read(data).tracks
    places = score_places(tracks)
    want = {place: [] for place in places}
    for number, track in enumerate(tracks):
        for note in notes_of(track, number, Instruments(tracks))[0]:
            if note.end is not None:
                want[note.place].append((note.start, note.end - note.start, note.pitch))
    assert [(t.program, t.is_drum, sorted((n.time, n.duration, n.pitch) for n in t.notes)) for t in whole.tracks] == [
        (place.program, place.channel == 9, sorted(want[place])) for place in places
    ]


@settings(max_examples=300, deadline=None)
@given(FILES, st.data())
def test_any_file_any_holes_any_notes(data: bytes, draw: st.DataObject) -> None:
    count = len(score_places(smf.read(data).tracks))
    some = st.none() | st.frozensets(st.integers(0, count - 1) if count else st.nothing())
    spans = st.tuples(st.integers(0, 90), st.integers(0, 60), some)
    holes = [Hole(start, start + size, own) for start, size, own in draw.draw(st.lists(spans, max_size=3))]
    listed_notes = draw.draw(st.lists(st.lists(A_NOTE, max_size=8), max_size=4))
    where = st.none() | st.integers(0, count - 1) if count else st.none()
    targets = [draw.draw(where) for _ in listed_notes]
    new = score(*listed_notes, tpq=96, program=draw.draw(st.integers(0, 127)), drums=draw.draw(st.booleans()))
    out = replace_notes(data, holes, new, targets, text="made by a test")
    assert untouched_outside(data, out, holes) == []
    # What is there is what was asked for: no other onsets, and each in the track it was meant for.
    places = score_places(smf.read(data).tracks)
    asked = {
        (None if target is None else places[target][:2], note[0] + late, note[2])
        for target, notes in zip(targets, listed_notes, strict=True)
        for note in notes
        for late in range(4)
    }
    for track, channel, start, _, pitch, _ in new_notes(data, out, holes):
        assert ((track, channel), start, pitch) in asked or (None, start, pitch) in asked


def _sample(data: Path) -> list[Path]:
    """The smaller files of several kinds, but the smallest."""
    out = []
    for folder, count in REAL.items():
        files = sorted((data / folder).rglob("*.mid"), key=lambda path: (path.stat().st_size, path.name))
        some = files[len(files) // 20 :][: max(count, len(files) // 6 - len(files) // 20)]
        out += some[:: max(1, len(some) // count)][:count]
    return out


def test_forty_real_pieces_outside_bars_5_and_6(data: Path) -> None:
    paths = _sample(data)
    assert len(paths) == 40
    for number, path in enumerate(paths):
        midi = path.read_bytes()
        whole = read_score(midi)
        bars = bar_map(whole)
        start, end = int(bars.starts[min(4, len(bars) - 2)]), int(bars.starts[min(6, len(bars))])
        full = [n for n, track in enumerate(whole.tracks) if len(track.notes)]
        tracks = full if number % 2 else full[:: 1 + number % 3]
        holes = [Hole(start, end, None if number % 2 else frozenset(tracks))]
        step = (end - start) // 8
        # Each track has pitches of its own, as some share their channels.
        music = [[(k * step, step, 10 + 4 * n + k % 4, 77) for k in range(8)] for n in range(len(tracks))]
        new = score(*music, tpq=whole.ticks_per_quarter)
        out = replace_notes(midi, holes, new, tracks, at=start, text="made by a test")
        assert untouched_outside(midi, out, holes) == [], path
        places = score_places(smf.read(midi).tracks)
        want = {
            (*places[n][:2], start + on_tick, start + on_tick + step, pitch, velocity)
            for n, notes in zip(tracks, music, strict=True)
            for on_tick, _, pitch, velocity in notes
        }
        have = set(new_notes(midi, out, holes))
        assert len(have & want) >= 0.9 * len(want), path
        # What is not as it was asked for has met a note that stays.
        stays = [note for n, track in enumerate(read(midi).tracks) for note in heard(track, n)]
        gone = set(inside(midi, holes))
        for _, channel, first, last, pitch, _ in have ^ want:
            assert any(
                (note.channel, note.pitch) == (channel, pitch)
                and note.start <= last + 1
                and (note.end or last) >= first - 1
                for note in stays
                if note not in gone
            ), path
        again = read_score(out)
        assert [(t.name, t.program) for t in again.tracks] == [(t.name, t.program) for t in whole.tracks], path


def test_a_change_by_hand_keeps_names_and_chunks_of_other_makers() -> None:
    name = "Fl\xf6te".encode("latin-1")  # no UTF-8
    two = midi([program(73), on(60), off(60, 96)], [on(64), off(64, 96)])
    file = smf.read(two)
    file.tracks[0].events.insert(0, smf.Event(0, smf.meta(smf.TRACK_NAME, name)))
    file.foreign.append((1, b"XFIH\0\0\0\2ab"))
    data = smf.write(file)
    mixed = with_mix(data, 0, 0, Mix(volume=50))
    assert smf.read(mixed).foreign == file.foreign
    moved = smf.read(change_program(data, Place(0, 0, 73), 40))
    named = [e.payload for track in moved.tracks for e in track.events if e.meta == smf.TRACK_NAME]
    assert named == [name, name]
    assert moved.foreign == file.foreign
