"""New music in old files: what was there stays event for event, what is new stands where it should."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from itertools import chain
from pathlib import Path

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic import Note, Pedal, Score, Tempo, TimeSignature, Track

from toccata.errors import MidiError
from toccata.midi.bars import rescaled_onset
from toccata.midi.repeat import closed
from toccata.midi.splice import continue_file, drop_before, new_file

FOLDERS = (
    "bach/mutopia", "bach/hauptstimme", "chorales_synthetic", "piano/chopin_first_editions", "piano/keyboard", "choir",
    "songs", "quartets", "orchestra", "game", "drums", "benchmark_only",
)  # fmt: skip
Events = list[tuple[int, bytes]]


def parsed(data: bytes) -> mido.MidiFile:
    return mido.MidiFile(file=io.BytesIO(data))


def events(track: mido.MidiTrack) -> Events:
    out, now = [], 0
    for message in track:
        now += message.time
        if message.type != "end_of_track":
            out.append((now, bytes(message.bin())))
    return out


def left_over(after: Events, before: Events) -> Events:
    """What ``after`` has beyond ``before``, which it must hold in order."""
    rest, want = [], iter(before)
    head = next(want, None)
    for event in after:
        if event == head:
            head = next(want, None)
        else:
            rest.append(event)
    assert head is None, f"lost or moved: {head}"
    return rest


def notes(data: bytes | Events, channel: int | None = None) -> list[tuple[int, int, int, int]]:
    """(start, end, pitch, velocity) of a file or of events, first on with first off; nothing may hang."""
    lists = [data] if isinstance(data, list) else [events(t) for t in parsed(data).tracks]
    out = []
    for one in lists:
        begun: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
        for tick, raw in one:
            kind, where = raw[0] & 0xF0, (raw[0] & 15, raw[1] if len(raw) > 1 else 0)
            if kind == 0x90 and raw[2] and channel in (None, where[0]):
                begun[where].append((tick, raw[2]))
            elif kind in (0x80, 0x90) and begun[where]:
                start, velocity = begun[where].pop(0)
                out.append((start, tick, where[1], velocity))
        assert not any(begun.values()), "a hanging note"
    return sorted(out)


def score(*tracks: tuple[int, list[tuple[int, int, int, int]]], tpq: int = 24) -> Score:
    """Tracks of (program, or -1 for drums; [(time, duration, pitch, velocity)])."""
    out = Score(tpq)
    for program, what in tracks:
        track = Track("", max(0, program), program < 0)
        track.notes.extend(Note(*note) for note in what)
        out.tracks.append(track)
    return out


def midi(*tracks: list[mido.Message], kind: int = 1, tpq: int = 96) -> bytes:
    file = mido.MidiFile(type=kind, ticks_per_beat=tpq, tracks=[mido.MidiTrack(t) for t in tracks])
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def on(pitch: int, time: int = 0, channel: int = 0, velocity: int = 80) -> mido.Message:
    return mido.Message("note_on", note=pitch, velocity=velocity, time=time, channel=channel)


def off(pitch: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, velocity=64, time=time, channel=channel)


def program(number: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("program_change", program=number, time=time, channel=channel)


def control(number: int, value: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", control=number, value=value, time=time, channel=channel)


def of_kind(file: bytes, kind: int, size: int = 1) -> list[tuple[int, ...]]:
    """(tick, bytes of the message...) of the channel messages of a kind, all tracks."""
    return [(t, *raw) for track in parsed(file).tracks for t, raw in events(track) if raw[0] & 0xF0 == kind]


@pytest.fixture(scope="module")
def sample(data: Path) -> list[Path]:
    """Two files a folder, the smaller ones."""
    out = []
    for folder in FOLDERS:
        files = sorted(p for p in (data / folder).rglob("*.mid") if p.stat().st_size < 60_000)
        out += [files[len(files) // 3], files[2 * len(files) // 3]]
    return out


def test_real_files_stay_event_for_event(sample: list[Path]) -> None:
    for path in sample:
        data = path.read_bytes()
        before = parsed(data)
        tracks = [events(t) for t in before.tracks]
        at = max(t[-1][0] for t in tracks if t) // 2
        lead = Score.from_midi(data).tracks[0]
        lead_program = -1 if lead.is_drum else lead.program
        new = score((lead_program, [(0, 12, 61, 77), (12, 7, 61, 78)]), (117, [(5, 24, 62, 79)]), tpq=24)
        for until in (None, at):
            after = parsed(continue_file(data, at, new, keep_until=until, text="made by a test"))
            assert (after.type, after.ticks_per_beat) == (before.type, before.ticks_per_beat)
            rest: Events = []
            for number, track in enumerate(after.tracks):
                now = events(track)
                if number >= len(tracks):
                    rest += now
                elif until is None:
                    rest += left_over(now, tracks[number])
                else:
                    kept = [e for e in tracks[number] if e[0] < until]
                    rest += left_over(now, kept)
            if until is None:
                want = sorted(
                    (at + round(t * after.ticks_per_beat / 24), at + round((t + d) * after.ticks_per_beat / 24), p, v)
                    for track in new.tracks
                    for t, d, p, v in [(n.time, n.duration, n.pitch, n.velocity) for n in track.notes]
                )
                by_channel = defaultdict(list)
                for tick, raw in rest:
                    if raw[0] < 0xF0:
                        by_channel[raw[0] & 15].append((tick, raw))
                assert sorted(n for one in by_channel.values() for n in notes(sorted(one, key=lambda e: e[0]))) == want
            assert (0, bytes(mido.MetaMessage("text", text="made by a test").bin())) in events(after.tracks[0])


def test_the_prompt_keeps_its_notes_whole(sample: list[Path]) -> None:
    for path in sample:
        data = path.read_bytes()
        at = Score.from_midi(data).end() // 3
        before = [tuple(n) for n in _symusic_notes(data) if n[0] < at]
        after = _symusic_notes(continue_file(data, at, Score(480), keep_until=at))
        assert Counter(before) == Counter(after), path


def _symusic_notes(data: bytes) -> list[tuple[int, ...]]:
    return [
        (n.time, n.duration, n.pitch, n.velocity, t.program, int(t.is_drum))
        for t in Score.from_midi(data).tracks
        for n in t.notes
    ]


def test_new_notes_join_the_track_of_their_instrument() -> None:
    original = midi(
        [mido.MetaMessage("track_name", name="Flute"), program(73, channel=3), on(72, 0, 3), off(72, 96, 3)],
        [mido.MetaMessage("track_name", name="Kit"), on(36, 0, 9), off(36, 10, 9)],
    )
    out = continue_file(original, 96, score((73, [(0, 24, 74, 90)]), (-1, [(0, 2, 38, 91)]), (40, [(0, 4, 50, 92)])))
    file = parsed(out)
    assert (96, 192, 74, 90) in notes(events(file.tracks[0]), 3)
    assert (96, 104, 38, 91) in notes(events(file.tracks[1]), 9)
    assert file.tracks[2].name == "Violin"
    (channel,) = {raw[0] & 15 for _, raw in events(file.tracks[2]) if raw[0] < 0xF0}
    assert channel not in (3, 9)
    assert (96, bytes((0xC0 | channel, 40))) in events(file.tracks[2])


def test_each_part_of_a_quartet_of_one_instrument_gets_its_own_track_back() -> None:
    names = ["Soprano", "Alto", "Tenor", "Bass"]
    original = midi(
        *[
            [mido.MetaMessage("track_name", name=n), program(52, 0, c), on(60, 0, c), off(60, 96, c)]
            for c, n in enumerate(names)
        ]
    )
    new = score(*[(52, [(0, 24, 70 - 5 * n, 80)]) for n in range(4)])
    for track, name in zip(new.tracks, reversed(names), strict=True):
        track.name = name
    file = parsed(continue_file(original, 96, new))
    assert [notes(events(t))[-1][2] for t in file.tracks] == [55, 60, 65, 70]


def test_a_choir_written_as_one_instrument_is_dealt_out_to_its_voices() -> None:
    lines = [(72, 74, 76, 77), (67, 67, 67, 69), (60, 59, 60, 60), (48, 55, 48, 53)]
    names = ("Soprano", "Alto", "Tenor", "Bass")
    original = midi(
        *[
            [mido.MetaMessage("track_name", name=name), program(52, 0, c)]
            + [m for p in line for m in (on(p, 0, c), off(p, 96, c))]
            for c, (name, line) in enumerate(zip(names, lines, strict=True))
        ]
    )
    following = [(79, 76, 77), (71, 72, 74), (62, 64, 62), (55, 60, 59)]
    chords = [(24 * n, 24, line[n], 80) for n in range(3) for line in following]
    file = parsed(continue_file(original, 384, score((52, chords))))
    new = [[n[2] for n in notes(events(t)) if n[0] >= 384] for t in file.tracks]
    assert new == [list(line) for line in following]
    # One voice of the four, by its name, stays one voice.
    only = score((52, chords))
    only.tracks[0].name = "Tenor"
    file = parsed(continue_file(original, 384, only))
    assert [len(notes(events(t))) for t in file.tracks] == [4, 4, 16, 4]


def test_type_0_stays_type_0() -> None:
    original = midi([program(5), on(60), off(60, 96), on(40, 0, 4), off(40, 96, 4)], kind=0)
    out = continue_file(original, 192, score((5, [(0, 24, 60, 80)]), (6, [(0, 24, 61, 81)]), (-1, [(0, 1, 40, 82)])))
    file = parsed(out)
    assert (file.type, len(file.tracks)) == (0, 1)
    rest = left_over(events(file.tracks[0]), events(parsed(original).tracks[0]))
    assert notes(rest) == [(192, 196, 40, 82), (192, 288, 60, 80), (192, 288, 61, 81)]
    assert sorted((t.program, t.is_drum) for t in Score.from_midi(out).tracks) == [
        (0, False), (0, True), (5, False), (6, False)
    ]  # fmt: skip


def test_the_pedal_is_lifted_and_the_bend_let_go_at_the_seam() -> None:
    original = midi(
        [
            control(64, 127), mido.Message("pitchwheel", pitch=900), control(7, 90), on(60), off(60, 96),
            control(11, 3), control(64, 0, 96),
        ],
        [control(64, 127, 0, 1), on(60, 0, 1), off(60, 96, 1)],
    )  # fmt: skip
    out = continue_file(original, 96, score((0, [(0, 24, 62, 80)])), keep_until=96)
    assert [e for e in of_kind(out, 0xB0) if e[0] == 96] == [(96, 0xB0, 64, 0), (96, 0xB1, 64, 0)]
    assert of_kind(out, 0xE0)[-1] == (96, 0xE0, 0, 64)
    # With the whole original kept, its own pedal event follows; still the new notes begin without pedal.
    out = continue_file(original, 96, score((0, [(0, 24, 62, 80)])))
    assert (96, 0xB0, 64, 0) in of_kind(out, 0xB0)
    first = events(parsed(out).tracks[0])
    assert first.index((96, bytes((0xB0, 64, 0)))) < first.index((96, bytes((0x90, 62, 80))))


def test_a_performance_with_the_pedal_down_at_the_seam(data: Path) -> None:
    path = sorted((data / "benchmark_only/giantmidi_performances").glob("*.mid"))[0]
    original = path.read_bytes()
    pedal = [(t, raw) for track in parsed(original).tracks for t, raw in events(track) if raw[:1] == b"\xb0"]
    at = next(t for t, raw in pedal[len(pedal) // 2 :] if raw[1] == 64 and raw[2] > 0) + 1
    out = continue_file(original, at, score((0, [(0, 24, 62, 80)])), keep_until=at)
    down = [raw[2] for t, raw in chain(*(events(t) for t in parsed(out).tracks)) if raw[:2] == b"\xb0\x40" and t <= at]
    assert down[-1] == 0
    assert down[-2] > 0


def test_quirks_survive() -> None:
    quirky = [
        on(60), on(60, 5), off(60, 5), on(60, 5, velocity=0), on(60, 0, velocity=0), off(99, 1), on(50, 3),
        mido.Message("sysex", data=(1, 2, 3), time=4), mido.UnknownMetaMessage(0x60, data=[1, 2]),
        mido.MetaMessage("lyrics", text="la", time=1),
    ]  # fmt: skip
    original = midi(quirky)
    out = continue_file(original, 30, score((0, [(0, 24, 50, 70), (24, 24, 60, 71)])))
    rest = left_over(events(parsed(out).tracks[0]), events(parsed(original).tracks[0]))
    # The hanging 50 stays as it is; the new 50 goes where it can end.
    assert notes([e for e in rest if e[1][0] & 15 == 0]) == [(126, 222, 60, 71)]
    assert notes([e for e in rest if e[1][0] & 15 != 0]) == [(30, 126, 50, 70)]


def test_bytes_that_midi_libraries_do_not_keep() -> None:
    body = (
        b"\x00\xf7\x03\xf3\x01\x02"  # an escape, not a sysex
        b"\x00\xff\x59\x02\x63\x00"  # a key of 99 sharps
        b"\x00\x90\x3c\x40\x60\x3c\x00"  # running status
        b"\x00\xff\x2f\x00"
    )
    original = b"MThd\0\0\0\6\0\1\0\1\0\x60" + b"XFIH\0\0\0\2hi" + b"MTrk" + len(body).to_bytes(4, "big") + body
    out = continue_file(original, 96, score((0, [(0, 24, 62, 80)])))
    assert b"XFIH\0\0\0\2hi" in out
    assert b"\x00\xf7\x03\xf3\x01\x02\x00\xff\x59\x02\x63\x00\x00\x90\x3c\x40\x60\x90\x3c\x00" in out


def test_a_held_note_is_not_cut_by_a_new_one() -> None:
    original = midi([program(40), on(60), off(60, 960)])
    out = continue_file(original, 480, score((40, [(0, 24, 60, 70), (0, 24, 64, 71)])), keep_until=480)
    assert notes(out) == [(0, 960, 60, 80), (480, 576, 60, 70), (480, 576, 64, 71)]
    assert {t.program for t in Score.from_midi(out).tracks} == {40}


def test_tempo_and_meter_are_written_where_they_differ() -> None:
    original = midi(
        [
            mido.MetaMessage("set_tempo", tempo=600_000),
            mido.MetaMessage("time_signature", numerator=3, denominator=4),
            mido.MetaMessage("set_tempo", tempo=400_000, time=960),
        ],
        [on(60), off(60, 96)],
    )  # fmt: skip
    new = score((0, [(0, 24, 62, 80)]))
    new.tempos.extend([Tempo(0, mspq=600_000), Tempo(24, mspq=700_000), Tempo(48, mspq=600_000)])
    new.time_signatures.extend([TimeSignature(0, 3, 4), TimeSignature(72, 2, 2)])
    metas = [(m.type, t) for m, t in _with_ticks(continue_file(original, 96, new, keep_until=96))]
    assert metas == [
        ("set_tempo", 0), ("time_signature", 0), ("set_tempo", 192), ("set_tempo", 288), ("time_signature", 384),
    ]  # fmt: skip


def _with_ticks(file: bytes) -> list[tuple[mido.MetaMessage, int]]:
    out, now = [], 0
    for message in parsed(file).tracks[0]:
        now += message.time
        if message.type in ("set_tempo", "time_signature"):
            out.append((message, now))
    return out


def test_more_instruments_than_channels() -> None:
    originals = [[program(p, 0, p + (p >= 9)), on(60, 0, p + (p >= 9)), off(60, 96, p + (p >= 9))] for p in range(15)]
    new = score(*[(p, [(0, 24, 48, 70), (24, 24, 50, 70)]) for p in range(10, 40)], (-1, [(0, 1, 36, 90)]))
    out = continue_file(midi(*originals), 96, new)
    for number, one in enumerate(originals):
        left_over(events(parsed(out).tracks[number]), events(mido.MidiTrack(one)))
    assert Counter(n[:4] for n in _symusic_notes(out)) == Counter(
        [(0, 96, 60, 80)] * 15 + [(96, 96, 48, 70), (192, 96, 50, 70)] * 30 + [(96, 4, 36, 90)]
    )
    played = Counter((p, program) for t, p, program in _as_a_player_hears(out) if t >= 96)
    assert played == Counter([(p, q) for p in (48, 50) for q in range(10, 40)] + [(36, -1)])


def _as_a_player_hears(file: bytes) -> list[tuple[int, int, int]]:
    """(tick, pitch, program in force in the channel) of every note-on, the tracks played together."""
    together = sorted(
        ((t, n, i, raw) for n, track in enumerate(parsed(file).tracks) for i, (t, raw) in enumerate(events(track))),
        key=lambda e: e[:3],
    )
    programs, out = dict.fromkeys(range(16), 0), []
    for tick, _, _, raw in together:
        if raw[0] & 0xF0 == 0xC0:
            programs[raw[0] & 15] = raw[1]
        elif raw[0] & 0xF0 == 0x90 and raw[2]:
            out.append((tick, raw[1], -1 if raw[0] & 15 == 9 else programs[raw[0] & 15]))
    return out


A_NOTE = st.tuples(st.integers(0, 300), st.integers(0, 100), st.integers(40, 60), st.integers(1, 127))
SCORES = st.lists(st.tuples(st.integers(-1, 127), st.lists(A_NOTE, max_size=12)), max_size=24)


@settings(max_examples=60, deadline=None)
@given(SCORES, st.sampled_from([24, 480, 7]), st.sampled_from([0, 1]), st.booleans(), st.integers(0, 400))
def test_any_new_music(what: list, tpq: int, kind: int, cut: bool, at: int) -> None:
    one = [program(3), on(50), control(64, 127), off(50, 200), on(50, 10, 9), off(50, 90, 9), on(45), off(45, 300)]
    two = [program(9, 0, 2), on(50, 100, 2), off(50, 200, 2)]
    original = midi(one, kind=0) if kind == 0 else midi(one, two)
    out = continue_file(original, at, score(*what, tpq=tpq), keep_until=at if cut else None)
    rest: Events = []
    for number, track in enumerate(parsed(out).tracks):
        old = events(parsed(original).tracks[number]) if number < 2 - (kind == 0) else []
        rest.append(left_over(events(track), [e for e in old if not cut or e[0] < at]))
    if not cut:
        onsets = Counter((t, raw[1]) for one in rest for t, raw in one if raw[0] & 0xF0 == 0x90)
        want = Counter()
        for _, listed in what:
            want += Counter({(at + rescaled_onset(n[0], 96, tpq), n[2]) for n in listed})
        assert set(onsets) == set(want)
        # Parts that find no channel of their own share one, where a key is struck once at a time.
        if sum(bool(listed) for _, listed in what) <= 12:
            assert onsets == want
        assert not onsets - want
        for one in rest:
            notes(one)


@settings(max_examples=60, deadline=None)
@given(SCORES)
def test_a_new_file_holds_the_score(what: list) -> None:
    out = new_file(score(*what), text="provenance")
    want = Counter()
    for number, listed in what:
        want += Counter({(n[0], n[2], number) for n in listed})
    assert Counter(_as_a_player_hears(out)) == want
    assert Counter((t, p, -1 if drum else q) for t, _, p, _, q, drum in _symusic_notes(out)) == want
    notes(out)
    file = parsed(out)
    assert (file.type, file.ticks_per_beat) == (1, 24)
    assert all(track.name for track in file.tracks[1:])
    assert file.tracks[0][0].text == "provenance"


def test_a_new_file_keeps_what_a_score_says() -> None:
    new = score((0, [(0, 24, 60, 80)]), (0, [(0, 24, 64, 80)]))
    new.tempos.append(Tempo(0, mspq=450_000))
    new.time_signatures.append(TimeSignature(0, 6, 8))
    new.tracks[0].name = "Right hand"
    new.tracks[0].pedals.append(Pedal(0, 48))
    out = new_file(new)
    back = Score.from_midi(out)
    assert back.tempos[0].mspq == 450_000
    assert (back.time_signatures[0].numerator, back.time_signatures[0].denominator) == (6, 8)
    assert [t.name for t in back.tracks] == ["Right hand", "Acoustic Grand Piano"]
    assert (back.tracks[0].pedals[0].time, back.tracks[0].pedals[0].duration) == (0, 48)
    assert [len({raw[0] & 15 for _, raw in events(t) if raw[0] < 0xF0}) for t in parsed(out).tracks] == [0, 1, 1]
    assert of_kind(out, 0xC0)[0][1] != of_kind(out, 0xC0)[1][1]


def test_cutting_the_front_away() -> None:
    original = midi(
        [mido.MetaMessage("text", text="made by"), mido.MetaMessage("set_tempo", tempo=600_000),
         mido.MetaMessage("set_tempo", tempo=700_000, time=50), mido.MetaMessage("marker", text="A", time=10)],
        [mido.MetaMessage("track_name", name="Lead"), program(80), control(7, 90), control(7, 70, 10), on(60, 10),
         off(60, 90), on(62, 0), off(62, 96)],
    )  # fmt: skip
    file = parsed(drop_before(original, 100))
    assert [m.type for m in file.tracks[0]] == ["text", "set_tempo", "end_of_track"]
    assert file.tracks[0][1].tempo == 700_000
    rest = [(m.type, m.time) for m in file.tracks[1]][:-1]
    assert rest == [
        ("track_name", 0), ("program_change", 0), ("control_change", 0),
        ("note_on", 10), ("note_off", 96),
    ]  # fmt: skip
    assert file.tracks[1][2].value == 70


def test_cut_real_files_play_as_before(sample: list[Path]) -> None:
    for path in sample:
        data = path.read_bytes()
        at = Score.from_midi(data).end() // 3
        want = Counter((n[0] - at, *n[1:]) for n in _symusic_notes(data) if n[0] >= at)
        cut = drop_before(data, at)
        assert Counter(_symusic_notes(cut)) == want, path
        says = {(raw[0], raw[1]) for t in parsed(data).tracks for _, raw in events(t) if raw[0] & 0xF0 == 0xC0}
        if len(says) == len({channel for channel, _ in says}):  # else tracks disagree about a channel's program
            before = Counter((t - at, p, q) for t, p, q in _as_a_player_hears(data) if t >= at)
            assert Counter(_as_a_player_hears(cut)) == before, path


def test_what_is_no_midi_file_is_refused() -> None:
    for data in (b"", b"hello", b"MThd\0\0\0\6\0\1\0\1\xe7\x28", midi()[:14] + b"MTrk\0\0\0\3\0\x90\x3c"):
        with pytest.raises(MidiError):
            continue_file(data, 0, Score(24))
    with pytest.raises(ValueError, match="seam"):
        continue_file(midi([on(60)]), -1, Score(24))


def test_a_cut_leaves_no_pedal_down_on_a_channel_that_does_not_go_on() -> None:
    piano = [program(0), control(64, 127), on(60), off(60, 96), control(64, 0, 96)]
    organ = [
        program(19, channel=1),
        control(66, 127, channel=1),
        control(69, 90, channel=1),
        on(48, 0, 1),
        off(48, 300, 1),
    ]
    new = score((0, [(0, 24, 62, 70)]))
    out = continue_file(midi(piano, organ), 144, new, keep_until=144)
    released = {(tick, status & 15, number) for tick, status, number, value in of_kind(out, 0xB0) if not value}
    assert released == {(144, 0, 64), (144, 1, 66), (144, 1, 69)}
    whole = continue_file(midi(piano, organ), 144, score((73, [(0, 24, 62, 70)])))
    assert not [event for event in of_kind(whole, 0xB0) if event[1] & 15 == 1 and not event[3]]


def test_a_section_ends_without_a_pedal_down() -> None:
    out = closed(midi([program(0), control(64, 127), on(60), off(60, 96), control(64, 0, 96)]), 100)
    assert of_kind(out, 0xB0) == [(0, 0xB0, 64, 127), (100, 0xB0, 64, 0)]
