"""Variations: what is kept is kept to mido's eyes, what is not may change, and the closest comes first."""

from __future__ import annotations

import io
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from symusic import ControlChange, Note, Score, TimeSignature, Track

from cli_support import call
from outside import Heard, heard, messages, parsed, read, untouched_outside
from random_model import random_model
from toccata.engine.sampling import Sampling
from toccata.errors import RequestError
from toccata.midi.bars import bar_map
from toccata.midi.keys import Key
from toccata.midi.melody import melody, top_line
from toccata.midi.read import find_midi, read_score
from toccata.midi.repitch import Keys
from toccata.midi.replace import Hole
from toccata.midi.splice import new_file
from toccata.musicmodel import Model
from toccata.piece import read_origin, song
from toccata.recipes import load
from toccata.tasks.vary import change
from toccata.tokenizers.events import EventOptions
from toccata.tokenizers.load import build_tokenizer
from toccata.tokenizers.text import TextOptions

FOLDERS = ("quartets", "songs", "game", "choir", "orchestra", "piano")
QUICK = settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
FULL = settings(QUICK, max_examples=6)  # a model that knows nothing writes very full bars


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Random weights: a model that knows nothing is the hardest to keep within what was asked for."""
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    return Model(random_model(tmp_path_factory.mktemp("model") / "m", recipe.tokenizer, context=512), precision="fp32")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> list[Model]:
    """Models that cannot fill: one that has not learned to, and one of music as text."""
    folder = tmp_path_factory.mktemp("others")
    made = []
    for name, options in (("tsd", EventOptions("TSD")), ("text", TextOptions())):
        path = random_model(folder / name, tokenizer=build_tokenizer(options), context=256)  # type: ignore[arg-type]
        found = Model(path, precision="fp32")
        found.has_learned = lambda what: False  # type: ignore[method-assign]
        made.append(found)
    return made


def rhythm(data: bytes) -> list[list[tuple[Any, ...]]]:
    """Everything in a file but pitches, and texts at tick 0: every event at its tick, each note with its end."""
    out: list[list[tuple[Any, ...]]] = []
    for track in read(data).tracks:
        out.append([(n.channel, n.program, n.start, n.end, n.velocity) for n in heard(track)])
        out.append([(tick, m.type) if hasattr(m, "note") else (tick, m) for tick, m in track if m.type != "text"])
    return out


def tunes(data: bytes) -> list[list[Heard]]:
    """The notes of each instrument in each track."""
    found: dict[tuple[int, int, int], list[Heard]] = defaultdict(list)
    for number, track in enumerate(read(data).tracks):
        for note in heard(track, number):
            found[note[:3]].append(note)
    return [found[name] for name in sorted(found)]


def contour(data: bytes, ticks: int) -> list[list[int]]:
    """How the top line of each instrument moves, chord for chord: up 1, down -1."""
    out = []
    for notes in tunes(data):
        tops: list[list[Heard]] = []
        for note in sorted(notes, key=lambda n: n.start):
            if tops and (note.start - tops[-1][0].start) * 16 < ticks:
                tops[-1].append(note)
            else:
                tops.append([note])
        line = [max(note.pitch for note in chord) for chord in tops]
        out.append([int(np.sign(b - a)) for a, b in pairwise(line)])
    return out


def changed(before: bytes, after: bytes) -> list[tuple[Heard, int]]:
    """The notes with another pitch, and that pitch."""
    tracks = zip(tunes(before), tunes(after), strict=True)
    pairs = [pair for tune, other in tracks for pair in zip(tune, other, strict=True)]
    return [(old, new.pitch) for old, new in pairs if old.pitch != new.pitch]


@st.composite
def songs(draw: st.DrawFn, grid: int = 60) -> Score:
    """A few bars for up to three instruments, off the grid where ``grid`` is; tracks may share a program."""
    score = Score(480)
    score.time_signatures.append(TimeSignature(0, *draw(st.sampled_from([(4, 4), (3, 4), (6, 8)]))))
    for number in range(draw(st.integers(1, 3))):
        drums = number == 2 and draw(st.booleans())
        track = Track("", draw(st.sampled_from([0, 0, 40])), drums)
        ends: dict[int, int] = {}
        for _ in range(draw(st.integers(1, 20))):
            at = draw(st.integers(0, 5760 // grid)) * grid
            pitch, length = draw(st.integers(40, 80)), draw(st.integers(1, 960 // grid)) * grid
            if all(at >= end or at + length <= end - 1 for end in [ends.get(pitch, 0)]):
                ends[pitch] = max(ends.get(pitch, 0), at + length)
                track.notes.append(Note(at, length, pitch, draw(st.integers(1, 127))))
        track.controls.append(ControlChange(480, 64, 127))
        score.tracks.append(track)
    return score


@given(songs(grid=7), st.sampled_from([0.3, 1.0]), st.integers(0, 9))
@QUICK
def test_rhythm_is_kept_event_for_event(model: Model, score: Score, strength: float, seed: int) -> None:
    midi = new_file(score)
    if all(track.is_drum for track in score.tracks):
        return
    for piece in model.vary(midi, keep="rhythm", strength=strength, n=2, seed=seed):
        assert rhythm(piece.midi) == rhythm(midi)
        assert all(note.channel != 9 for note, _ in changed(midi, piece.midi))


@given(songs(grid=60), st.sampled_from([0.3, 1.0]), st.integers(0, 9))
@QUICK
def test_contour_is_kept(model: Model, score: Score, strength: float, seed: int) -> None:
    midi = new_file(score)
    (piece,) = model.vary(midi, keep="contour", strength=strength, n=1, seed=seed)
    assert rhythm(piece.midi) == rhythm(midi)
    assert contour(piece.midi, 480) == contour(midi, 480)


@given(songs(grid=40), st.integers(0, 9))
@FULL
def test_melody_is_kept_note_for_note(model: Model, score: Score, seed: int) -> None:
    midi = new_file(score)
    again = read_score(midi)
    line = melody(again, [(0, 10**6)], None)
    if len(line) == again.note_num():
        return
    (piece,) = model.vary(midi, keep="melody", strength=1, n=1, seed=seed)
    there = {(n.place, n.start, n.end, n.pitch) for n in Keys(piece.midi).notes}
    keys = Keys(midi)
    kept = {
        (n.place, n.start, n.end, n.pitch)
        for n, track in zip(keys.notes, keys.tracks, strict=True)
        if (track, n.start, n.pitch) in line
    }
    assert len(kept) == len(line) > 0
    assert kept <= there


@given(songs(grid=40), st.sampled_from([0.4, 1.0]), st.integers(0, 9))
@FULL
def test_harmony_is_kept_beat_by_beat(model: Model, score: Score, strength: float, seed: int) -> None:
    midi = new_file(score)
    (piece,) = model.vary(midi, keep="harmony", strength=strength, n=1, seed=seed)
    beat = 480 * 4 // score.time_signatures[0].denominator
    old = [note for tune in tunes(midi) for note in tune if note.channel != 9]
    for note in (note for tune in tunes(piece.midi) for note in tune if note.channel != 9):
        first = note.start // beat * beat
        sounding = {n.pitch % 12 for n in old if n.start < first + beat and (n.end or 0) > first}
        assert not sounding or note.pitch % 12 in sounding


def test_the_rest_of_real_files_stays_as_it_is(data: Path, model: Model) -> None:
    for folder, keep in zip(FOLDERS[:4], ("rhythm", "contour", "melody", "harmony"), strict=True):
        path = min(find_midi(data / folder)[:200], key=lambda path: path.stat().st_size)
        starts = bar_map(read_score(path)).starts
        hole = Hole(int(starts[2]), int(starts[4]))
        (piece,) = model.vary(path, keep=keep, strength=1, bars=[(3, 4)], n=1, seed=5)  # type: ignore[arg-type]
        assert untouched_outside(path.read_bytes(), piece.midi, [hole]) == [], path.name
        assert piece.midi != path.read_bytes()


def test_played_music_keeps_its_rhythm_too(data: Path, model: Model, others: list[Model]) -> None:
    path = next(path for path in find_midi(data / "piano") if len(read_score(path).tracks[0].notes) > 100)
    for writer in (model, *others):
        (piece,) = writer.vary(path, keep="rhythm", strength=1, bars=[(3, 4)], n=1, seed=0)
        assert rhythm(piece.midi) == rhythm(path.read_bytes())
        assert changed(path.read_bytes(), piece.midi)


def test_only_named_tracks_change(data: Path, model: Model) -> None:
    path = find_midi(data / "choir")[2]
    (piece,) = model.vary(path, keep="contour", strength=1, bars=[(2, 4)], tracks=["2"], n=1, seed=0)
    second = {note.track for note in tunes(path.read_bytes())[1]}
    assert {note.track for note, _ in changed(path.read_bytes(), piece.midi)} == second


def test_strength_is_the_share_of_what_may_change(data: Path, model: Model) -> None:
    path = find_midi(data / "choir")[2]
    midi = path.read_bytes()
    counts = []
    for strength in (0, 0.01, 0.5, 1):
        (piece,) = model.vary(path, keep="rhythm", strength=strength, bars=[(5, 8)], n=1, seed=0)
        counts.append(len(changed(midi, piece.midi)))
        assert piece.origin["strength"] == strength
    assert counts[0] == 0
    assert 1 <= counts[1] < counts[2] < counts[3]
    (same,) = model.vary(path, keep="melody", strength=0, bars=[(5, 8)], n=1, seed=0)
    assert not changed(midi, same.midi)
    assert same.origin["changed"] == "nothing changed"


def test_the_closest_comes_first_and_says_what_changed(data: Path, model: Model) -> None:
    path = find_midi(data / "choir")[2]
    for keep in ("rhythm", "melody"):
        pieces = model.vary(path, keep=keep, bars=[(3, 4)], n=4, seed=3)
        distances = [piece.origin["distance"] for piece in pieces]
        assert distances == sorted(distances)
        assert distances[0] < distances[-1] <= 1
        assert {piece.origin["seed"] for piece in pieces} == {3, 4, 5, 6}
        assert all(" of " in piece.origin["changed"] for piece in pieces)
        (again,) = model.vary(path, keep=keep, bars=[(3, 4)], n=1, seed=pieces[0].origin["seed"])
        assert again.midi == pieces[0].midi
        said = read_origin(pieces[0].midi)
        assert said is not None
        assert (said["keep"], said["strength"]) == (keep, 0.5)


def test_distance_counts_pitches_lengths_and_notes_that_come_and_go() -> None:
    def keys(*notes: tuple[int, int, int]) -> Keys:
        score = Score(480)
        score.tracks.append(Track("", 0, False))
        score.tracks[0].notes.extend(Note(at, length, pitch, 80) for at, length, pitch in notes)
        return Keys(new_file(score))

    song = keys((0, 480, 60), (0, 480, 64), (480, 480, 62), (960, 480, 60))
    everywhere = [(0, 5000)]
    assert change(song, song, everywhere, None).distance == 0
    moved = change(song, keys((0, 480, 60), (0, 480, 67), (480, 480, 62), (960, 480, 60)), everywhere, None)
    assert moved.summary == "1 of 4 notes moved, by 3.0 semitones on average"
    assert moved.distance == pytest.approx((1 / 2 + 3 / 24) / 4, abs=1e-4)
    longer = change(song, keys((0, 480, 60), (0, 480, 64), (480, 240, 62), (960, 480, 60)), everywhere, None)
    assert (longer.summary, longer.distance) == ("1 of another length", 0.0625)
    gone = change(song, keys((0, 480, 60), (0, 480, 64), (500, 480, 62)), everywhere, None)
    assert gone.summary == "2 of 4 notes gone, 1 new"
    assert gone.distance == pytest.approx(3 / 7, abs=1e-4)
    assert change(song, keys((0, 480, 60)), [(0, 1)], None).distance == pytest.approx(1 / 3, abs=1e-4)


def test_a_key_is_kept_by_what_moves(data: Path, model: Model) -> None:
    path = find_midi(data / "choir")[2]
    (piece,) = model.vary(path, keep="rhythm", strength=1, bars=[(3, 6)], key="D minor", n=1, seed=0)
    allowed = Key.read("D minor").scale()
    assert changed(path.read_bytes(), piece.midi)
    assert all(allowed[pitch % 12] for _, pitch in changed(path.read_bytes(), piece.midi))


def test_models_that_cannot_fill_keep_rhythm_and_contour(data: Path, others: list[Model]) -> None:
    path = find_midi(data / "choir")[2]
    midi = path.read_bytes()
    for writer in others:
        for bars in ([(1, 2)], [(10, 13)]):
            (piece,) = writer.vary(path, keep="contour", strength=1, bars=bars, n=1, seed=0)
            assert rhythm(piece.midi) == rhythm(midi)
            assert contour(piece.midi, read(midi).ticks) == contour(midi, read(midi).ticks)
            assert changed(midi, piece.midi)
        with pytest.raises(RequestError, match="can keep only rhythm or contour: for melody, train"):
            writer.vary(path, keep="melody")


def test_merged_words_keep_a_rhythm_as_well(data: Path, tmp_path: Path, merged: Any) -> None:
    writer = Model(random_model(tmp_path / "m", tokenizer=merged, context=256), precision="fp32")
    path = find_midi(data / "bach" / "mutopia")[7]
    (piece,) = writer.vary(path, keep="rhythm", strength=0.6, bars=[(2, 4)], n=1, seed=0)
    assert rhythm(piece.midi) == rhythm(path.read_bytes())
    assert changed(path.read_bytes(), piece.midi)


@pytest.mark.parametrize(
    "options",
    [
        EventOptions("REMI", {"use_rests": True, "use_chords": True}),
        EventOptions("RunningStatus"),
        EventOptions("REMI", {"use_programs": False}),
        EventOptions("TSD"),
        EventOptions("Structured"),
    ],
    ids=lambda options: f"{options.scheme}-{'-'.join(options.options)}",
)
def test_every_way_to_write_notes_and_lengths_keeps_a_rhythm(data: Path, tmp_path: Path, options: EventOptions) -> None:
    path = find_midi(data / "choir")[2]
    for fills in (True, False):
        writer = Model(random_model(tmp_path / f"m{fills}", options, context=256), precision="fp32")
        writer.has_learned = lambda what, fills=fills: fills  # type: ignore[misc,method-assign]
        (piece,) = writer.vary(path, keep="rhythm", strength=0.7, bars=[(4, 5)], n=1, seed=0)
        assert rhythm(piece.midi) == rhythm(path.read_bytes())
        assert len(changed(path.read_bytes(), piece.midi)) > 5


def test_the_command_writes_the_closest_first(data: Path, model: Model, tmp_path: Path) -> None:
    song, folder = find_midi(data / "choir")[2], model.folder.path
    asked = ("vary", song, "--model", folder, "--bars", "3-4", "--seed", 5)
    done = call(*asked, "--keep", "rhythm", "-n", 3, "-o", tmp_path / "v.mid", "--json")
    assert done.code == 0
    rows = done.json["pieces"]
    assert [Path(row["path"]).name for row in rows] == ["v-1.mid", "v-2.mid", "v-3.mid"]
    assert [row["distance"] for row in rows] == sorted(row["distance"] for row in rows)
    assert all(rhythm(Path(row["path"]).read_bytes()) == rhythm(song.read_bytes()) for row in rows)
    result = call(*asked, "--keep", "melody", "-n", 2, "-o", tmp_path / "all")
    assert result.out.count("distance 0.") == 2
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == ["m-5-1.mid", "m-5-2.mid"]
    assert (
        "--strength': it must be a number from 0 to 1, not '2'"
        in call(*asked, "--keep", "rhythm", "--strength", 2).error
    )
    assert call(*asked, "--keep", "tempo").code == 2


def test_locked_notes_stay_whatever_is_kept(data: Path, model: Model) -> None:
    path = find_midi(data / "choir")[2]
    held = song(path).lock(bars=(3, 4), tracks=[1])
    starts = bar_map(read_score(path)).starts
    first = [note for note in tunes(path.read_bytes())[0] if starts[2] <= note.start < starts[4]]
    for keep in ("rhythm", "harmony"):
        (piece,) = model.vary(held, keep=keep, strength=1, bars=[(3, 4)], n=1, seed=0)
        there = {note[3:7] for note in tunes(piece.midi)[0]}
        assert {note[3:7] for note in first} <= there
        assert piece.origin["locks"]
        assert piece.origin["distance"] > 0


def test_greedy_writing_still_varies(data: Path, model: Model) -> None:
    path = find_midi(data / "choir")[2]
    (piece,) = model.vary(path, strength=1, bars=[(3, 3)], n=1, sampling=Sampling(temperature=0), seed=0)
    assert rhythm(piece.midi) == rhythm(path.read_bytes())


def test_aftertouch_goes_with_its_note_and_a_key_is_not_struck_twice() -> None:
    score = Score(480)
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.extend([Note(0, 480, 60, 80), Note(240, 480, 64, 80), Note(480, 480, 60, 80)])
    midi = bytearray(new_file(score))
    at = midi.index(bytes((0x90, 60, 80))) + 3
    midi[at:at] = bytes((10, 0xA0, 60, 33, 0, 0xA0, 64, 44))
    length = midi.rindex(b"MTrk") + 4
    midi[length : length + 4] = (int.from_bytes(midi[length : length + 4], "big") + 8).to_bytes(4, "big")
    keys = Keys(bytes(midi))
    after = parsed(keys.written([72, 64, 60]))
    pressed = [(tick, m.note, m.value) for t in after.tracks for tick, m in messages(t) if m.type == "polytouch"]
    assert pressed == [(10, 72, 33), (10, 64, 44)]
    assert keys.clash(0, 1)
    assert not keys.clash(0, 2)  # the one ends before the other is struck


def test_keys_of_a_channel_are_shared_by_its_tracks() -> None:
    file = mido.MidiFile(ticks_per_beat=480)
    for pitch, start, end in ((60, 0, 480), (64, 240, 720), (67, 480, 960)):
        track = mido.MidiTrack()
        track.append(mido.Message("note_on", note=pitch, velocity=80, time=start))
        track.append(mido.Message("note_off", note=pitch, time=end - start))
        file.tracks.append(track)
    file.tracks[2].append(mido.Message("note_off", note=72, time=0))
    data = io.BytesIO()
    file.save(file=data)
    keys = Keys(data.getvalue())
    assert keys.clash(0, 1)
    assert keys.clash(0, 2)  # tracks come in any order at a tick: the end of one may be heard after the other began
    assert [keys.stray(number) for number in range(3)] == [set(), set(), {72}]


def test_a_top_line_is_what_no_higher_note_covers() -> None:
    notes = [(0, 960, 72), (0, 480, 60), (480, 960, 64), (960, 1440, 62), (1440, 1920, 48), (1445, 1920, 70)]
    assert top_line(notes, 480) == {(0, 72), (960, 62), (1445, 70)}


def test_what_cannot_be_is_refused_in_a_line(data: Path, model: Model, tmp_path: Path) -> None:
    path = find_midi(data / "quartets")[3]
    with pytest.raises(RequestError, match="there are no bars 9000 to 9001: the song has"):
        model.vary(path, bars=[(9000, 9001)])
    with pytest.raises(RequestError, match="no track tuba; there are 1 violin"):
        model.vary(path, tracks=["tuba"])
    with pytest.raises(RequestError, match=r"strength must be a number from 0 to 1, not 1.5"):
        model.vary(path, strength=1.5)
    with pytest.raises(RequestError, match="keep must be rhythm, melody, harmony or contour, not 'tempo'"):
        model.vary(path, keep="tempo")  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="n must be a whole number from 1"):
        model.vary(path, n=0)
    drums = Score(480)
    drums.tracks.append(Track("", 0, True))
    drums.tracks[0].notes.append(Note(0, 480, 36, 80))
    with pytest.raises(RequestError, match="no pitched note that is not locked begins in these bars"):
        model.vary(drums)
    tune = Score(480)
    tune.tracks.append(Track("", 0, False))
    tune.tracks[0].notes.append(Note(0, 480, 60, 80))
    with pytest.raises(RequestError, match="nothing but the melody stands in these bars"):
        model.vary(tune, keep="melody")
    for options, reason in (
        (EventOptions("MIDILike"), "say when a pitch ends"),
        (EventOptions("REMI", {"use_pitch_intervals": True}), "say steps from note to note"),
    ):
        other = Model(random_model(tmp_path / options.scheme, options, context=128), precision="fp32")
        with pytest.raises(RequestError, match=f"cannot keep a rhythm: its tokens {reason}"):
            other.vary(path, keep="rhythm")
