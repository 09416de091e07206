"""A small file costs little: what no music is, is refused, and no work grows with the square of a file."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic import ControlChange, KeySignature, Note, Score, Tempo, TimeSignature, Track

from random_model import random_model
from toccata.errors import MidiError, RequestError
from toccata.midi import smf
from toccata.midi.bars import MAX_BARS, bar_map
from toccata.midi.facts import seconds_at
from toccata.midi.limits import READ, SONG, without_tail
from toccata.midi.melody import top_line, within
from toccata.midi.read import read_score
from toccata.midi.repitch import Keys
from toccata.midi.seam import Seam
from toccata.midi.smf import Event, MidiFile, MidiTrack
from toccata.midi.splice import _changes, _maps, _meaning, new_file
from toccata.musicmodel import Model
from toccata.piece import song
from toccata.render.perform import perform
from toccata.tasks.prompt import _tick_at, open_prompt
from toccata.tasks.vary import _pairs
from toccata.tasks.window import Replay, bar_starts, latest_bars
from toccata.tokenizers.events import EventOptions, EventTokenizer
from toccata.verbs.holes import MAX_BARS as MOST_ASKED
from toccata.verbs.holes import blocks

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "bombs.py"


@pytest.fixture(scope="module")
def remi() -> EventTokenizer:
    return EventTokenizer.build(EventOptions("REMI", {"program_changes": True}))


def score_of(notes: list[tuple[int, int, int]], tpq: int = 480) -> Score:
    """A Score of (start, length, pitch)."""
    score = Score(tpq)
    score.tracks.append(Track("", 0, False))
    for start, length, pitch in notes:
        score.tracks[0].notes.append(Note(start, length, pitch, 80))
    return score


def file_of(*events: tuple[int, bytes], division: int = 480) -> bytes:
    """A file of one track."""
    return smf.write(MidiFile(0, division, [MidiTrack([Event(*event) for event in events])]))


# -- the doors -----------------------------------------------------------------------------------------------------


def test_bars_are_counted_before_they_are_laid() -> None:
    """Three million bars of a 128th in some bytes."""
    score = score_of([(0, 480, 60), (480 * 99_000, 480, 60)])
    score.time_signatures.append(TimeSignature(0, 1, 128))
    tracemalloc.start()
    with pytest.raises(MidiError, match=rf"is absurd: it has 3,168,032 bars; at most {MAX_BARS:,} are read"):
        bar_map(score)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_meter_a_tick_is_refused_by_its_bars() -> None:
    metas = [(tick, smf.meter(3 + tick % 2, 4)) for tick in range(30_000)]
    data = file_of(*metas, (29_999, b"\x90\x3c\x50"), (30_479, b"\x80\x3c\x00"))
    with pytest.raises(MidiError, match=r"this MIDI data: is absurd: it has 30,000 bars"):
        read_score(data)


@pytest.mark.parametrize("limits", [READ, SONG])
@pytest.mark.parametrize(
    ("what", "add"),
    [
        ("tempo changes", lambda score, tick: score.tempos.append(Tempo(tick, mspq=500_000 + tick % 2))),
        ("changes of key", lambda score, tick: score.key_signatures.append(KeySignature(tick, tick % 2, 0))),
        ("changes of meter", lambda score, tick: score.time_signatures.append(TimeSignature(tick, 3 + tick % 2, 4))),
    ],
)
def test_more_changes_than_music_has(what: str, add: Callable[[Score, int], None], limits: object) -> None:
    assert isinstance(limits, type(READ))
    score = score_of([(0, 480, 60)])
    for tick in range(limits.changes):
        add(score, 1000 + tick)
    limits.refuse(score)
    add(score, 1000 + limits.changes)
    with pytest.raises(MidiError, match=rf"has {limits.changes + 1:,} {what}; at most {limits.changes:,}"):
        limits.refuse(score)


def test_more_notes_than_a_song_has_are_read_and_not_worked_on(remi: EventTokenizer) -> None:
    notes = np.arange(SONG.notes + 1, dtype=np.int32)
    score = Score(480)
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes = Note.from_numpy(
        time=notes * 10, duration=np.full_like(notes, 10), pitch=(notes % 88 + 20).astype(np.int8),
        velocity=np.full(len(notes), 80, np.int8),
    )  # fmt: skip
    READ.refuse(score)
    with pytest.raises(MidiError, match=r"has 75,001 notes; at most 75,000 are worked on: take a part of the file"):
        open_prompt(remi, score)


@pytest.mark.data
def test_the_largest_real_pieces_are_well_within(data: Path) -> None:
    largest = sorted(data.rglob("*.mid"), key=lambda path: path.stat().st_size)[-5:]
    for path in largest:
        score = read_score(path, SONG)
        assert score.note_num() < SONG.notes / 1.4
        assert len(bar_map(score)) < SONG.bars / 2


def test_a_file_of_more_events_than_a_song_has_is_refused() -> None:
    """Keys that are struck and never let go are hardly notes, but a third of a million events."""
    struck = b"\x00\x90\x3c\x40" + b"\x01\x3c\x40" * smf.MOST_EVENTS + b"\x00\xff\x2f\x00"
    head = b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xe0MTrk"
    with pytest.raises(MidiError, match="has over 250,000 events, more than are worked on: take a part of the file"):
        smf.read(head + len(struck).to_bytes(4, "big") + struck)
    struck = struck[:4] + struck[7:]  # one fewer
    assert len(smf.read(head + len(struck).to_bytes(4, "big") + struck).tracks[0].events) == smf.MOST_EVENTS


def test_what_stands_far_behind_the_music_is_left_out(remi: EventTokenizer) -> None:
    """A tempo at the end of time is no hundred thousand empty bars."""
    data = file_of((0, b"\x90\x3c\x50"), (480, b"\x80\x3c\x00"), (2**27, smf.tempo(400_000)))
    score = read_score(data)
    assert score.end() == 480
    assert len(remi.encode(score).ids) < 20
    near = file_of((0, b"\x90\x3c\x50"), (480, b"\x80\x3c\x00"), (480 * 9_000, smf.tempo(400_000)))
    assert read_score(near).end() == 480 * 9_000
    pedal = without_tail(
        read_score(
            file_of((0, b"\x90\x3c\x50"), (1, b"\xb0\x40\x7f"), (480, b"\x80\x3c\x00"), (2**25, b"\xb0\x40\x00"))
        )
    )
    assert pedal.end() <= 480 * 10_002


def test_so_many_bars_and_no_more_at_a_time() -> None:
    bars = bar_map(score_of([(0, 480, 60), (1920 * MOST_ASKED, 480, 60)]))
    assert len(bars) == MOST_ASKED + 1
    assert blocks(bars, [(0, MOST_ASKED)], None)
    with pytest.raises(RequestError, match=r"1,001 bars are asked for, and at most 1,000 are written at a time: name"):
        blocks(bars, [(0, MOST_ASKED + 1)], None)


def test_a_prompt_that_ends_in_endless_silence(tmp_path: Path) -> None:
    """Every silent bar would have to be written before the first new one."""
    model = Model(random_model(tmp_path / "m"), precision="fp32")
    song = file_of((0, b"\x90\x3c\x50"), (480 * 4 * 3000, b"\x80\x3c\x00"))
    with pytest.raises(RequestError, match=r"last note begins in bar 1, and the new music would in bar 3001: go on"):
        model.generate(song, bars=1)
    assert model.generate(song, bars=1, prompt_bars=20, max_tokens=16)


# -- nothing grows with the square of a file -------------------------------------------------------------------------


def test_seconds_of_a_prompt_take_no_array_of_ticks(remi: EventTokenizer) -> None:
    data = file_of((0, b"\x90\x3c\x50"), (480, b"\x80\x3c\x00"), (2**28, b"\x90\x3c\x50"), (2**28 + 9, b"\x80\x3c\x00"),
                   division=0x7FFF)  # fmt: skip
    tracemalloc.start()
    opened = open_prompt(remi, data, seconds=5.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert opened is not None
    assert opened.seam == 0x7FFF * 10
    assert peak < 50 * 2**20


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 3_000_000)), max_size=6),
    st.floats(0, 3000, allow_nan=False),
    st.integers(1, 500),
)
@settings(deadline=None)
def test_the_tick_of_a_second_is_the_first_that_does_not_come_before(
    tempos: list[tuple[int, int]], seconds: float, end: int
) -> None:
    score = score_of([(0, end, 60)], tpq=4)
    score.tempos = [Tempo(tick, mspq=mspq) for tick, mspq in sorted(dict(tempos).items())]
    ticks = np.arange(score.end() + 1)
    assert _tick_at(score, seconds) == int(np.searchsorted(seconds_at(score, ticks), seconds))


SOME_MAPS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from([smf.tempo(500_000), smf.tempo(400_000), smf.meter(3, 4), smf.meter(4, 4), smf.key(0, 0),
                         smf.key(2, 0), smf.key(-1, 1)]),
    ),
    max_size=12,
)  # fmt: skip


@given(st.lists(SOME_MAPS, min_size=1, max_size=3), SOME_MAPS)
@settings(deadline=None)
def test_changes_are_those_that_say_something_new(
    there: list[list[tuple[int, bytes]]], new: list[tuple[int, bytes]]
) -> None:
    """Against the plain reading: look at all that stands before each of them."""
    tracks = [MidiTrack([Event(*event) for event in sorted(track, key=lambda e: e[0])]) for track in there]
    default = {smf.TEMPO: smf.tempo(500_000), smf.METER: smf.meter(4, 4), smf.KEY: smf.key(0, 0)}
    said: dict[int, list[tuple[int, int, bytes]]] = {kind: [(0, -1, data)] for kind, data in default.items()}
    for number, track in enumerate(tracks):
        for event in track.events:
            said[event.meta].append((event.tick, number, event.data))
    for events in said.values():
        events.sort(key=lambda item: item[:2])
    expected = []
    ordered = sorted(new, key=lambda item: item[0])
    for tick, data in ordered:
        events = said[data[1]]
        here = bisect_right(events, tick, key=lambda item: item[0])
        force = {number: _meaning(known) for _, number, known in events[:here]}
        apart = data[1] == smf.KEY and len(tracks) not in force
        if _meaning(data) not in (set(force.values()) if apart else {_meaning(events[here - 1][2])}):
            events.insert(here, (tick, len(tracks), data))
            expected.append((tick, data))
    assert [(tick, data) for tick, _, data in _changes(tracks, ordered)] == expected


def test_a_hundred_thousand_tempos_are_gone_through_once() -> None:
    tracks = [MidiTrack([Event(tick, smf.tempo(400_000 + tick % 7)) for tick in range(100_000)])]
    new = Score(480)
    new.tempos = [Tempo(tick, mspq=300_000 + tick) for tick in range(2_000)]
    assert len(list(_changes(tracks, _maps(new, 0, 480)))) == 2_000


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12), st.integers(60, 66)), max_size=12))
def test_the_top_line_is_what_no_higher_note_covers(notes: list[tuple[int, int, int]]) -> None:
    found = top_line([(start, start + length, pitch) for start, length, pitch in notes], 16)
    heads: list[tuple[int, int, int]] = []
    onset = -16
    for start, length, pitch in sorted(notes, key=lambda n: (n[0], -n[2])):
        note = (start, start + length, pitch)
        if start - onset >= 1:
            onset = start
            heads.append(note)
        elif pitch > heads[-1][2]:
            heads[-1] = note
    line: list[tuple[int, int, int]] = []
    for note in heads:
        if not any(held[1] > note[0] and held[2] > note[2] and held[1] >= note[1] for held in line):
            line.append(note)
    assert found == {(start, pitch) for start, _, pitch in line}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), max_size=5), st.integers(-1, 60))
def test_within_spans(gaps: list[tuple[int, int]], tick: int) -> None:
    spans, at = [], 0
    for gap, length in gaps:
        spans.append((at + gap, at + gap + length))
        at += gap + length
    assert within(tick, spans) == any(start <= tick < end for start, end in spans)


@given(st.lists(st.integers(60, 64), max_size=8), st.lists(st.integers(60, 64), max_size=8))
def test_notes_of_an_onset_are_paired_by_pitch_and_then_from_below(old: list[int], new: list[int]) -> None:
    keys = [
        Keys(file_of(*((0, bytes((0x90, p, 80))) for p in pitches), (9, b"\xb0\x01\x00"))) for pitches in (old, new)
    ]
    found = _pairs(keys[0].notes, keys[1].notes)
    left, right = sorted(old), sorted(new)
    same = [pitch for pitch in set(left) for _ in range(min(left.count(pitch), right.count(pitch)))]
    for pitch in same:
        left.remove(pitch)
        right.remove(pitch)
    expected = sorted([*((p, p) for p in same), *zip(left, right, strict=False)])
    assert sorted((a.pitch, b.pitch) for a, b in found) == expected


PRESSED = st.lists(st.tuples(st.sampled_from([0x80, 0x90, 0xA0, 0x91, 0x81, 0xA1]), st.integers(60, 62)), max_size=30)


@given(PRESSED)
@settings(deadline=None)
def test_aftertouch_goes_with_its_note(events: list[tuple[int, int]]) -> None:
    data = file_of(
        *((n, bytes((status, pitch, 64))) for n, (status, pitch) in enumerate(events)), (99, b"\xb0\x01\x00")
    )
    keys = Keys(data)
    pitches = [note.pitch + 12 for note in keys.notes]
    before = smf.read(data).tracks[0].events
    expected = [event.data for event in before]
    for note, pitch in zip(keys.notes, pitches, strict=True):
        last = len(before) - 1 if note.off is None else note.off
        for index in range(note.on, last + 1):
            event = before[index]
            pressed = event.kind == smf.PRESSURE and event.channel == note.place.channel and event.data[1] == note.pitch
            if index in (note.on, note.off) or pressed:
                expected[index] = bytes((event.data[0], pitch)) + event.data[2:]
    assert [event.data for event in smf.read(keys.written(pitches)).tracks[0].events] == expected
    for number, note in enumerate(keys.notes):
        end = 1000 if note.end is None else note.end
        strays = {
            p for (channel, p), ticks in keys._stray.items()
            if channel == note.place.channel and any(note.start <= tick <= end for tick in ticks)
        }  # fmt: skip
        assert keys.stray(number) == strays


def test_a_key_struck_a_hundred_thousand_times_before_it_is_let_go() -> None:
    count = 100_000
    track = MidiTrack([Event(0, b"\x90\x3c\x50")] * count + [Event(9, b"\x80\x3c\x00")] * count)
    home = Seam.of([track], 5).homes[0]
    assert home.notes == count
    assert home.sounding[60] == [(0, 9)] * count


def test_windows_of_a_long_piece_are_the_same_whoever_has_read_on(remi: EventTokenizer) -> None:
    score = score_of([(n * 240, 240, 50 + n * 7 % 30) for n in range(400)])
    score.tempos = [Tempo(n * 4800, qpm=60 + n) for n in range(20)]
    ids = remi.encode(score).ids.tolist()
    bars = bar_starts(remi.grammar(), ids)
    replay = Replay(remi.grammar())
    for done in (100, 101, 400, 900, 300, len(ids)):
        known = [bar for bar in bars if bar.first <= done]
        assert latest_bars(remi, ids[:done], known, 60, replay=replay) == latest_bars(remi, ids[:done], known, 60)


# -- whole commands ------------------------------------------------------------------------------------------------

DEAR = {
    "bars of a 128th": ("inspect", "generate --prompt-seconds"),
    "far tick": ("generate --prompt-seconds",),
    "a tempo a tick": ("infill",),
    "long overlapping notes": ("infill",),
    "one key again and again": ("infill",),
}
"""Files and the commands that they were dear to."""


@pytest.mark.skipif(sys.platform == "win32", reason="processes cannot be forked there")
def test_small_files_cost_little(tmp_path: Path) -> None:
    """Processor time and memory of each command, in a process of its own, against the limits of the benchmark."""
    model = random_model(tmp_path / "model")
    names = [word for name in DEAR for word in ("--only", name)]
    verbs = [word for verb in dict.fromkeys(v for vs in DEAR.values() for v in vs) for word in ("--command", verb)]
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), "--json", "--model", str(model), *names, *verbs],
        capture_output=True,
        text=True,
    )
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(run["file"], run["command"]) for run in runs} >= {(name, v) for name, vs in DEAR.items() for v in vs}
    assert [run for run in runs if run["fault"]] == []


def test_bars_end_with_the_last_note_whatever_controllers_come_after_it(tmp_path: Path) -> None:
    score = Score(480)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    score.tracks.append(Track("Piano", 0, False))
    score.tracks[0].notes.extend(Note(480 * q, 480, 60, 80) for q in range(8))
    score.tracks[0].controls.extend([ControlChange(0, 64, 127), ControlChange(480 * 4 * 30, 64, 0)])
    midi = new_file(score)
    assert len(bar_map(score)) == len(bar_map(read_score(midi))) == 2
    path = tmp_path / "pedal.mid"
    path.write_bytes(midi)
    assert song(path).bars == 2


def test_a_pedal_is_no_music_that_is_too_long_to_be_played() -> None:
    score = Score(480)
    score.tracks.append(Track("Piano", 0, False))
    score.tracks[0].notes.append(Note(0, 480, 60, 80))
    score.tracks[0].controls.append(ControlChange(480 * 2 * 60 * 70, 64, 0))
    (part,) = perform(score)
    assert part.end.max() < 1
