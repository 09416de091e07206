"""Bars written anew and instruments added: inside what was asked for, outside every event as it was, to mido's eyes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from symusic import Note, PitchBend, Score, TimeSignature, Track

from outside import inside, new_notes, untouched_outside
from random_model import random_model
from toccata.errors import MidiError, RequestError
from toccata.midi import smf
from toccata.midi.bars import bar_map
from toccata.midi.read import find_midi, read_score
from toccata.midi.replace import Hole
from toccata.midi.splice import new_file
from toccata.musicmodel import Model
from toccata.piece import read_origin
from toccata.recipes import load
from toccata.tasks.request import scale
from toccata.tokenizers.events import EventOptions

FOLDERS = ("quartets", "songs", "game", "choir", "orchestra")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Random weights: a model that knows nothing is the hardest to keep within what was asked for."""
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    return Model(random_model(tmp_path_factory.mktemp("model") / "m", recipe.tokenizer, context=512), precision="fp32")


def hole_of(path: Path, first: int, last: int, tracks: frozenset[int] | None = None) -> Hole:
    """Bars ``first`` to ``last``, counted from 1, in the file's ticks."""
    starts = bar_map(read_score(path)).starts
    return Hole(int(starts[first - 1]), int(starts[last]), tracks)


def test_real_files_stay_as_they_are_outside(data: Path, model: Model) -> None:
    for folder in FOLDERS:
        for path in find_midi(data / folder)[::60][:2]:
            (piece,) = model.infill(path, [(3, 4)], seed=5)
            hole = hole_of(path, 3, 4)
            assert untouched_outside(path.read_bytes(), piece.midi, [hole]) == [], path.name
            written = inside(piece.midi, [hole])
            assert written, path.name
            assert all(note.end is not None and note.end <= hole.end for note in written), path.name


def test_only_the_tracks_that_are_named_are_written_anew(data: Path, model: Model) -> None:
    path = find_midi(data / "quartets")[3]
    for words, number in ((["4"], 3), (["viola"], 2)):
        (piece,) = model.infill(path, [(5, 6)], tracks=words, seed=2)
        hole = hole_of(path, 5, 6, frozenset({number}))
        assert untouched_outside(path.read_bytes(), piece.midi, [hole]) == []
        assert piece.origin["tracks"] == [number]


def test_several_spans_and_long_ones_are_filled(data: Path, model: Model) -> None:
    path = find_midi(data / "songs")[5]
    bars = len(bar_map(read_score(path)))
    assert bars >= 16
    (piece,) = model.infill(path, [(2, 12), (14, 14)], seed=1)
    holes = [hole_of(path, 2, 12), hole_of(path, 14, 14)]
    assert untouched_outside(path.read_bytes(), piece.midi, holes) == []
    assert piece.bars == bars


def test_instruments_are_added_in_tracks_of_their_own(data: Path, model: Model) -> None:
    path = find_midi(data / "quartets")[3]
    before = read_score(path)
    (piece,) = model.accompany(path, [73, -1], bars=[(2, 5)], seed=4)
    assert untouched_outside(path.read_bytes(), piece.midi, []) == []
    new = piece.score.tracks[len(before.tracks) :]
    assert {(-1 if t.is_drum else t.program) for t in new} <= {73, -1}
    assert new
    hole = hole_of(path, 2, 5)
    for track in new:
        assert all(hole.start <= note.time and note.end <= hole.end for note in track.notes)


def test_the_same_seed_writes_the_same_and_another_another(data: Path, model: Model) -> None:
    path = find_midi(data / "choir")[2]
    one, two = model.infill(path, [(3, 4)], n=2, seed=7)
    assert model.infill(path, [(3, 4)], seed=8)[0].midi == two.midi
    assert one.midi != two.midi


def test_a_key_is_kept_inside(data: Path, model: Model) -> None:
    path = find_midi(data / "choir")[2]
    (piece,) = model.infill(path, [(3, 4)], key="D minor", seed=3)
    allowed = scale("D minor")
    assert all(allowed[note.pitch] for note in inside(piece.midi, [hole_of(path, 3, 4)]))


def test_notes_that_ring_into_the_bars_stay(model: Model) -> None:
    score = Score(480)
    score.tracks.append(Track("Piano", 0, False))
    score.tracks[0].notes.extend([Note(0, 480 * 6, 60, 80), Note(480 * 4, 480, 64, 80), Note(480 * 8, 480, 67, 80)])
    midi = new_file(score)
    (piece,) = model.infill(midi, [(2, 2)], seed=1)
    assert (0, 480 * 6, 60) in {(n.time, n.duration, n.pitch) for t in piece.score.tracks for n in t.notes}
    assert untouched_outside(midi, piece.midi, [Hole(480 * 4, 480 * 8)]) == []


def test_a_change_of_meter_inside_is_no_obstacle(model: Model) -> None:
    score = Score(480)
    score.time_signatures.extend([TimeSignature(0, 4, 4), TimeSignature(480 * 8, 3, 4)])
    score.tracks.append(Track("Piano", 0, False))
    score.tracks[0].notes.extend(Note(480 * q, 480, 60 + q % 12, 80) for q in range(20))
    midi = new_file(score)
    (piece,) = model.infill(midi, [(2, 3)], seed=1)
    assert bar_map(piece.score).starts.tolist() == bar_map(score).starts.tolist()
    assert untouched_outside(midi, piece.midi, [Hole(480 * 4, 480 * 11)]) == []


def test_a_bar_that_another_meter_cuts_short_is_filled_to_its_end_and_no_further(model: Model) -> None:
    score = Score(480)
    score.time_signatures.extend([TimeSignature(0, 4, 4), TimeSignature(480 * 6, 3, 4)])
    score.tracks.append(Track("Piano", 0, False))
    score.tracks[0].notes.extend(Note(480 * q, 480, 60 + q % 12, 80) for q in range(18))
    midi, hole = new_file(score), Hole(480 * 4, 480 * 6)
    for seed in range(4):
        (piece,) = model.infill(midi, [(2, 2)], seed=seed)
        assert untouched_outside(midi, piece.midi, [hole]) == []
        assert all(480 * 4 <= n.time < n.end <= 480 * 6 for track in piece.new.tracks for n in track.notes)
    (longer,) = model.infill(midi, [(1, 2)], seed=1)
    assert untouched_outside(midi, longer.midi, [Hole(0, 480 * 6)]) == []
    assert max(n.end for track in longer.new.tracks for n in track.notes) <= 480 * 6


def test_what_cannot_be_is_refused_in_a_line(data: Path, model: Model, tmp_path: Path) -> None:
    path = find_midi(data / "quartets")[3]
    with pytest.raises(RequestError, match="there are no bars 9000 to 9001: the song has"):
        model.infill(path, [(9000, 9001)])
    with pytest.raises(RequestError, match="no track tuba; there are 1 violin"):
        model.infill(path, [(1, 2)], tracks=["tuba"])
    with pytest.raises(RequestError, match="asked for twice"):
        model.infill(path, [(1, 4), (3, 6)])
    with pytest.raises(RequestError, match="n must be a whole number from 1"):
        model.infill(path, [(1, 2)], n=0)
    with pytest.raises(RequestError, match=r"seed must be a whole number from 0 to .*, not -1"):
        model.infill(path, [(1, 2)], seed=-1)
    for nothing in (lambda: model.infill(path, []), lambda: model.accompany(path, [40], bars=[])):
        with pytest.raises(RequestError, match="no bars are asked for"):
            nothing()
    other = Model(
        random_model(tmp_path / "m", EventOptions("TSD"), context=128, settings=("examples.fill=0",)), precision="fp32"
    )
    with pytest.raises(RequestError, match=r"has not learned to fill: train a model with examples\.fill"):
        other.infill(path, [(1, 2)])
    alone = EventOptions("REMI", {"use_programs": False})
    single = Model(random_model(tmp_path / "s", alone, context=128), precision="fp32")
    with pytest.raises(RequestError, match="cannot add others"):
        single.accompany(path, [32])


def test_seeds_of_holes_differ(data: Path, model: Model) -> None:
    # Two empty bars of the same song, filled in one go, are not the same bar twice.
    score = Score(480)
    score.tracks.append(Track("Piano", 0, False))
    score.tracks[0].notes.extend(Note(480 * 4 * bar, 480, 60, 80) for bar in range(8))
    (piece,) = model.infill(new_file(score), [(3, 3), (6, 6)], seed=1)
    notes = np.array([[n.time, n.pitch] for t in piece.score.tracks for n in t.notes])
    first = notes[(notes[:, 0] >= 3840) & (notes[:, 0] < 5760)] - [3840, 0]
    second = notes[(notes[:, 0] >= 9600) & (notes[:, 0] < 11520)] - [9600, 0]
    assert first.tolist() != second.tolist()


def test_each_instrument_that_is_added_has_one_track_and_plays(data: Path, model: Model) -> None:
    path = find_midi(data / "songs")[5]
    before = read_score(path)
    assert len(bar_map(before)) >= 20
    (piece,) = model.accompany(path, [42, 32, -1], bars=[(1, 20)], seed=4)
    new = piece.score.tracks[len(before.tracks) :]
    assert sorted(-1 if t.is_drum else t.program for t in new) == [-1, 32, 42]
    assert all(len(track.notes) for track in new)
    assert piece.new is not None
    assert piece.new.note_num() >= sum(len(track.notes) for track in new)


def test_the_new_notes_of_a_piece_can_be_had_alone(data: Path, model: Model) -> None:
    path = find_midi(data / "quartets")[3]
    (piece,) = model.infill(path, [(5, 6)], tracks=["viola"], seed=2)
    hole = hole_of(path, 5, 6, frozenset({2}))
    assert piece.new is not None
    new = [note for track in piece.new.tracks for note in track.notes]
    assert new
    assert all(hole.start <= note.time < hole.end for note in new)


def ringing() -> Score:
    """Eight bars of quarters, whose last chord rings into a ninth."""
    score = Score(480)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    score.tracks.append(Track("Piano", 0, False))
    score.tracks[0].notes.extend(Note(480 * q, 480, 60 + q % 12, 80) for q in range(28))
    score.tracks[0].notes.extend(Note(480 * 28, 480 * 6, pitch, 80) for pitch in (48, 60, 64))
    return score


def test_a_bar_into_which_the_last_chord_rings_is_infilled_after_that_chord(model: Model) -> None:
    midi = new_file(ringing())
    for spans in ([(8, 8), (9, 9)], [(7, 7), (8, 8), (9, 9)]):
        (piece,) = model.infill(midi, spans, seed=1)
        assert untouched_outside(midi, piece.midi, [Hole(480 * 4 * (spans[0][0] - 1), 480 * 36 + 1)]) == []
        assert any(note.time >= 480 * 32 for track in piece.new.tracks for note in track.notes)


def two_hands(rest: range) -> Score:
    """Two hands of a piano in 24 bars; the upper one rests in some of them."""
    score = Score(480)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    for name, pitch in (("upper", 64), ("lower", 55)):
        track = Track(name, 0, False)
        bars = [bar for bar in range(24) if name == "lower" or bar not in rest]
        track.notes.extend(Note(480 * (4 * bar + q), 480, pitch + q, 80) for bar in bars for q in range(4))
        score.tracks.append(track)
    return score


@pytest.mark.parametrize("rest", [range(4, 6), range(4, 24)])
def test_new_notes_are_for_the_tracks_that_play_in_the_bars(model: Model, rest: range) -> None:
    for seed in range(2):
        (piece,) = model.infill(new_file(two_hands(rest)), [(5, 6)], seed=seed)
        upper, lower = piece.score.tracks
        assert not [note for note in upper.notes if 480 * 16 <= note.time < 480 * 24]
        assert [note for note in lower.notes if 480 * 16 <= note.time < 480 * 24]


def test_where_all_tracks_rest_new_notes_are_for_those_that_play_nearby(model: Model) -> None:
    score = two_hands(range(14, 24))
    score.tracks[1].notes = [note for note in score.tracks[1].notes if not 480 * 80 <= note.time < 480 * 84]
    (piece,) = model.infill(new_file(score), [(21, 21)], seed=1)
    upper, lower = piece.score.tracks
    assert [note for note in lower.notes if 480 * 80 <= note.time < 480 * 84]
    assert not [note for note in upper.notes if note.time >= 480 * 80]


def test_a_solo_instrument_plays_one_note_at_a_time_while_its_like_rests(model: Model) -> None:
    score = two_hands(range(4, 6))
    for track in score.tracks:
        track.program = 40
    for seed in range(3):
        (piece,) = model.infill(new_file(score), [(5, 6)], seed=seed)
        onsets = [note.time for track in piece.new.tracks for note in track.notes]
        assert onsets
        assert len(onsets) == len(set(onsets))


def crowded(free: int | None = None) -> bytes:
    """A file of fifteen instruments, one of which may have controllers and no notes."""
    score = Score(480)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    for program in range(40, 55):
        track = Track("", program, False)
        track.notes.extend(Note(480 * 4 * bar, 480 * 4, 20 + program, 80) for bar in range(4))
        score.tracks.append(track)
    midi = new_file(score)
    if free is None:
        return midi
    file = smf.read(midi)
    for track in file.tracks:
        own = [event for event in track.events if event.channel == free]
        if own:
            track.events = [event for event in track.events if not event.begins_note and not event.ends_note]
            track.events.append(smf.Event(480 * 16, bytes((smf.CONTROL | free, 123, 0))))
    return smf.write(file)


def test_a_file_without_a_channel_left_is_refused_before_anything_is_written(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "full.mid"
    path.write_bytes(crowded())
    written = []
    with pytest.raises(MidiError, match=r"^full.mid: has no channel left for Flute: ") as caught:
        model.accompany(path, [73], seed=1, on_event=written.append)
    assert not written
    assert "\n" not in caught.value.message
    assert model.accompany(path, [40], seed=1)[0].score  # on the channel of the violin that is there
    assert model.accompany(crowded(free=3), [73], seed=1)[0].score


def with_a_bar_of_another_meter() -> bytes:
    """Six bars of 4/4 whose fourth is in 31/16."""
    score = Score(480)
    size = 480 * 31 // 4
    score.time_signatures.extend([TimeSignature(0, 4, 4), TimeSignature(480 * 12, 31, 16)])
    score.time_signatures.append(TimeSignature(480 * 12 + size, 4, 4))
    score.tracks.append(Track("Piano", 0, False))
    score.tracks[0].notes.extend(Note(480 * q, 480, 60 + q % 12, 80) for q in range(28))
    return new_file(score)


@pytest.mark.parametrize("how", ["infill", "accompany", "vary"])
def test_bars_of_a_meter_that_the_model_does_not_know_are_left_out(model: Model, how: str) -> None:
    midi = with_a_bar_of_another_meter()
    if how == "infill":
        (piece,) = model.infill(midi, [(1, 6)], seed=1)
    elif how == "accompany":
        (piece,) = model.accompany(midi, [73], seed=1)
    else:
        (piece,) = model.vary(midi, n=1, strength=1.0, seed=1)
    assert piece.origin["remarks"] == ["bar 4 is left out: in 31/16, a meter that the model does not know"]
    bars = bar_map(piece.score)
    unknown = {n.time for t in piece.new.tracks for n in t.notes if bars.starts[3] <= n.time < bars.starts[4]}
    assert not unknown
    assert (
        untouched_outside(midi, piece.midi, [Hole(0, int(bars.starts[3])), Hole(int(bars.starts[4]), bars.end)]) == []
    )
    with pytest.raises(RequestError, match=r"^the prompt is in 31/16 at bar 4, .* and [0-9]+ more$"):
        model.infill(midi, [(4, 4)], seed=1)


def test_a_song_of_too_many_events_is_refused_before_anything_is_written(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smf, "MOST_EVENTS", 20)
    path, written = tmp_path / "long.mid", []
    path.write_bytes(with_a_bar_of_another_meter())
    for write in (model.generate, lambda *a, **k: model.infill(a[0], [(1, 1)], **k)):
        with pytest.raises(MidiError, match=r"long.mid: has over 20 events, more than are worked on"):
            write(path, seed=1, on_event=written.append)
    assert not written


def test_new_notes_are_those_that_are_in_the_file(model: Model) -> None:
    score = Score(480)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    score.tracks.append(Track("Piano", 0, False))
    # All keys but a few are held through the bar.
    score.tracks[0].notes.extend(Note(0, 480 * 12, pitch, 80) for pitch in range(21, 109) if pitch % 12)
    score.tracks[0].notes.extend(Note(480 * q, 480, 60, 80) for q in range(12))
    midi, hole = new_file(score), Hole(480 * 4, 480 * 8)
    dropped = 0
    for seed in range(3):
        (piece,) = model.infill(midi, [(2, 2)], seed=seed)
        there = sorted(note[2:5] for note in new_notes(midi, piece.midi, [hole]))
        assert sorted((n.time, n.end, n.pitch) for track in piece.new.tracks for n in track.notes) == there
        assert piece.origin["notes"] == read_origin(piece.midi)["notes"] == len(there)
        dropped += piece.origin["tokens"] > 4 * len(there)
    assert dropped


def test_a_remark_names_the_bars_whose_pitch_bends_bend_new_notes(model: Model) -> None:
    score = two_hands(range(0))
    for tick, value in ((480 * 17, 2000), (480 * 20, 0), (480 * 40, 900)):
        score.tracks[1].pitch_bends.append(PitchBend(tick, value))
    (piece,) = model.infill(new_file(score), [(5, 8)], seed=1)
    onsets = [n.time for n in piece.score.tracks[1].notes if 480 * 17 <= n.time < 480 * 20]
    assert onsets
    assert piece.origin["remarks"] == ["track 2 has pitch bends in bar 5, which bend its new notes"]
    (straight,) = model.infill(new_file(score), [(7, 8)], seed=1)
    assert "remarks" not in straight.origin
