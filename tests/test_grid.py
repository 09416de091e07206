"""A grid of voices: every cell comes back, whatever is written can be played, and the features are the same twice."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from symusic import Note, Score, Track

from random_model import random_model
from test_grammar import write
from toccata.errors import ModelError, RecipeError, RequestError
from toccata.folder import open_folder
from toccata.midi.bars import bar_map
from toccata.model.weights import from_arrays
from toccata.musicmodel import Model
from toccata.tasks.compile import compile_request
from toccata.tasks.passage import passage
from toccata.tasks.request import Request
from toccata.tokenizers.feature_reader import reader_of
from toccata.tokenizers.grid import FILE, GridOptions, GridTokenizer, score_of_grid
from toccata.tokenizers.grid_chords import CHORDS, chord_of
from toccata.tokenizers.grid_features import GridFeatures
from toccata.tokenizers.load import load_tokenizer
from toccata.tokenizers.rulebook import Constraints
from toccata.training.export import load_weights

CASES = int(os.environ.get("TOCCATA_CASES", "12"))
PLAIN, CHORDAL = GridTokenizer(GridOptions()), GridTokenizer(GridOptions(order=(0, 3, 1, 2), chords=True))
BOTH = pytest.mark.parametrize("tokenizer", [PLAIN, CHORDAL], ids=["plain", "chords"])
CELL = st.one_of(st.just(-1), st.integers(58, 66), st.integers(21, 108))
CHORALES = Path("benchmark_only") / "jsb" / "Jsb16thSeparated.json"

Grid = NDArray[np.int64]


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Steps of four voices, of which much is held and some comes back."""
    few = draw(st.lists(st.tuples(CELL, CELL, CELL, CELL), min_size=1, max_size=4))
    chosen = draw(st.lists(st.integers(0, len(few) - 1), min_size=1, max_size=12))
    times = draw(st.lists(st.integers(1, 9), min_size=len(chosen), max_size=len(chosen)))
    return np.repeat(np.array(few)[chosen], times, axis=0)


def real(data: Path, split: str = "valid") -> list[Grid]:
    """The chorales of a split."""
    path = data / CHORALES
    if not path.is_file():
        pytest.skip("the chorales of the papers are not here")
    return [np.array(piece) for piece in json.loads(path.read_text())[split]]


def ids_of(tokenizer: GridTokenizer, grid: Grid) -> list[int]:
    return [tokenizer.bos, *tokenizer.ids_of_grid(grid).tolist(), tokenizer.eos]


def step_by_step(which: GridFeatures, ids: list[int]) -> list[list[int]]:
    reader, rows = reader_of(which), []
    for one in ids:
        reader.read(one)
        rows.append(reader.rows)
    return rows


# -- music to ids and back ---------------------------------------------------------------------------------------------


@BOTH
@settings(max_examples=CASES, deadline=None)
@given(grid=grids())
def test_every_cell_comes_back(tokenizer: GridTokenizer, grid: Grid) -> None:
    ids = tokenizer.ids_of_grid(grid)
    assert len(ids) == grid.size + len(grid) * tokenizer.options.chords
    assert tokenizer.grid_of_ids(ids).tolist() == grid.tolist()
    score = tokenizer.decode(ids.astype(np.int32))
    assert tokenizer.grid(score, len(grid)).tolist() == grid.tolist()


@BOTH
def test_chorales_come_back_from_midi_files(tokenizer: GridTokenizer, data: Path, tmp_path: Path) -> None:
    for grid in real(data)[::15]:
        path = tmp_path / "chorale.mid"
        score_of_grid(grid, 4).resample(480, 1).dump_midi(path)
        assert tokenizer.encode(Score(path)).ids.tolist() == ids_of(tokenizer, grid)


def test_a_pitch_that_repeats_is_one_note_and_a_rest_ends_it() -> None:
    grid = np.array([[60, 55, -1, 40]] * 3 + [[60, 57, -1, -1], [62, 57, -1, 40]])
    notes = [[(n.time, n.duration, n.pitch) for n in track.notes] for track in score_of_grid(grid, 4).tracks]
    assert notes == [[(0, 4, 60), (4, 1, 62)], [(0, 3, 55), (3, 2, 57)], [], [(0, 3, 40), (4, 1, 40)]]


def test_music_in_other_tracks_is_shared_out_by_height() -> None:
    score = Score(480)
    score.tracks.append(Track("", 0, False))
    for pitch in (40, 60, 64, 67, 72, 76):
        score.tracks[0].notes.append(Note(0, 240, pitch, 80))
    score.tracks[0].notes.append(Note(240, 120, 48, 80))
    assert PLAIN.grid(score, 4).tolist() == [[76, 72, 67, 64]] * 2 + [[48, -1, -1, -1], [-1] * 4]


def test_pitches_beyond_the_keys_are_moved_by_octaves() -> None:
    score = Score(4)
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.append(Note(0, 1, 2, 80))
    score.tracks[0].notes.append(Note(1, 1, 127, 80))
    assert PLAIN.grid(score, 2)[:, 0].tolist() == [26, 103]


def test_a_piece_ends_with_its_last_note_and_a_passage_where_it_is_cut() -> None:
    score = score_of_grid(np.full((20, 4), 60), 4)
    bars = bar_map(score)
    assert len(passage(PLAIN, score, bars, 0, 2).ids) == 1 + 20 * 4 + 1
    assert len(passage(PLAIN, score, bars, 0, 1).ids) == 1 + 16 * 4
    task = compile_request(Request(prompt=score, seam=int(bars.starts[2]), bars=2), PLAIN, 1000)
    assert (task.cursor.state.tick, task.cursor.end_tick) == (32, 64)


# -- the grammar -------------------------------------------------------------------------------------------------------


@BOTH
@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), bars=st.integers(1, 4))
def test_whatever_is_drawn_is_a_piece_of_the_bars_asked_for(tokenizer: GridTokenizer, seed: int, bars: int) -> None:
    ids = write(tokenizer.grammar(), Constraints(bars=bars), np.random.default_rng(seed), most=10**4)
    plain = np.array(ids, np.int64)
    assert ids[-1] == tokenizer.eos
    grid = tokenizer.grid_of_ids(plain)
    assert 16 * (bars - 1) <= len(grid) <= 16 * bars  # its last bar may be cut short, or silent
    assert len(ids) == 1 + len(grid) * (4 + tokenizer.options.chords)
    score = tokenizer.decode(plain.astype(np.int32))
    assert len(score.tracks) == 4
    for track in score.tracks:
        ends = [0, *(note.end for note in track.notes)]
        assert all(note.duration > 0 and note.time >= end for note, end in zip(track.notes, ends, strict=False))


def test_notes_are_told_while_they_are_written() -> None:
    """Voices in unison sound as one note, so there may be fewer of them, and they are the same sounds."""
    grid = np.array([[60, 55, 52, 48]] * 4 + [[60, 60, 52, -1]] * 2 + [[62, 60, 52, 48]] * 2)
    cursor = PLAIN.grammar().cursor()
    told = []
    for token in ids_of(PLAIN, grid)[1:]:
        cursor.advance(token)
        told += [(note.onset, note.pitch, note.length) for note in cursor.state.made]
    assert sorted(told) == [
        (0, 48, 4), (0, 52, 8), (0, 55, 4), (0, 60, 8), (6, 48, 2), (6, 62, 2),
    ]  # fmt: skip


# -- chord symbols -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pitches", "name"),
    [
        ((72, 67, 64, 48), "C:major"),
        ((72, 67, 64, 52), "C:major"),  # an inversion
        ((70, 67, 64, 48), "C:major"),  # a seventh
        ((72, 69, 64, 45), "A:minor"),
        ((67, 64, 60, 45), "A:minor"),  # not C with a sixth
        ((65, 62, 59, 47), "B:diminished"),
        ((68, 64, 60, 48), "C:augmented"),
        ((76, 64, 60, -1), "C:major"),  # without its fifth
        ((67, 60, 55, 48), "other"),  # without its third
        ((67, 65, 60, 48), "other"),  # a suspension
        ((-1, -1, -1, -1), "rest"),
    ],
)
def test_chords_are_named(pitches: tuple[int, ...], name: str) -> None:
    assert CHORDS[chord_of(pitches)] == name
    assert chord_of(pitches[::-1]) == chord_of(pitches)  # whatever voice sings what


def test_chords_are_named_as_music21_does(data: Path) -> None:
    """But for diminished sevenths, whose root is a matter of spelling, and chords of two pitch classes."""
    chord = pytest.importorskip("music21").chord
    steps = {tuple(sorted(step)) for grid in real(data)[::8] for step in grid.tolist() if min(step) >= 0}
    alike = []
    for step in sorted(steps):
        theirs = chord.Chord(list(step))
        ours = CHORDS[chord_of(step)]
        quality = ours.partition(":")[2] or ours
        same_root = quality in ("other", "augmented", "diminished") or chord_of(step) % 12 == theirs.root().pitchClass
        alike.append(quality == theirs.quality and same_root)
    assert len(alike) > 300
    assert np.mean(alike) > 0.93


# -- features ----------------------------------------------------------------------------------------------------------


@BOTH
@settings(max_examples=4 * CASES, deadline=None)
@given(grid=grids(), data=st.data())
def test_features_are_the_same_token_by_token(tokenizer: GridTokenizer, grid: Grid, data: st.DataObject) -> None:
    which, ids = tokenizer.features, ids_of(tokenizer, grid)
    ids = ids[data.draw(st.integers(0, 3)) :]  # a passage may begin anywhere
    found = which.of(ids)
    assert found.tolist() == step_by_step(which, ids)
    assert (found >= which.offsets).all()
    assert (found < np.cumsum([rows for _, rows in which.blocks])).all()
    cut = data.draw(st.integers(1, len(ids)))
    assert which.of(ids[:cut]).tolist() == found[:cut].tolist()  # nothing of what comes is known


@BOTH
def test_features_of_chorales_are_the_same_token_by_token(tokenizer: GridTokenizer, data: Path) -> None:
    for grid in real(data)[::25]:
        ids = ids_of(tokenizer, grid)
        assert tokenizer.features.of(ids).tolist() == step_by_step(tokenizer.features, ids)


@settings(max_examples=CASES, deadline=None)
@given(first=grids(), one=grids(), other=grids())
def test_a_copy_of_a_reader_goes_on_by_itself(first: Grid, one: Grid, other: Grid) -> None:
    which = CHORDAL.features
    start, left, right = (CHORDAL.ids_of_grid(grid).tolist() for grid in (first, one, other))
    reader = reader_of(which)
    for token in start[:-2]:
        reader.read(token)
    copy = reader.copy()
    for token in start[-2:] + left:
        reader.read(token)
    for token in start[-2:] + right:
        copy.read(token)
    assert reader.rows == which.of(start + left)[-1].tolist()
    assert copy.rows == which.of(start + right)[-1].tolist()


def test_what_is_known_before_a_cell() -> None:
    grid = np.array([[72, 67, 64, 48]] * 2 + [[74, 67, 62, 47]] + [[72, 67, 64, 48]] * 2)
    ids = PLAIN.ids_of_grid(grid).tolist()
    row = PLAIN.features.of(ids[:9])[-1] - PLAIN.features.offsets  # the soprano of step 2 is written, the alto comes
    known = dict(zip([name for name, _ in PLAIN.features.blocks], row.tolist(), strict=True))
    assert known["place"] == 1 + 4 * 2
    assert known["own"] == 1 + 67
    assert known["own held"] == 2
    assert [known[f"voice {voice}"] for voice in (1, 2, 3, 4)] == [1 + 74, 1 + 67, 1 + 64, 1 + 48]
    assert [known[f"held {voice}"] for voice in (1, 2, 3, 4)] == [1, 2, 2, 2]
    assert known["written"] == 1 << 4 | 1
    assert known["moved"] == 1 << 4 | 1
    assert known["own before"] == 0
    row = PLAIN.features.of(ids[:17])[-1] - PLAIN.features.offsets
    known = dict(zip([name for name, _ in PLAIN.features.blocks], row.tolist(), strict=True))
    assert known["4 ago"] == 1 + 67
    assert known["degree 4"] == 1  # C, the tonic of C major
    assert known["tonic"] == 1 + 60
    assert known["harmony"] == 1 << 0 | 1 << 4 | 1 << 7
    assert known["after 4, from here"] == 1 + 13  # after these four cells it was the alto's G before


@settings(max_examples=CASES, deadline=None)
@given(grid=grids(), orders=st.tuples(st.permutations(range(4)), st.permutations(range(4))))
def test_an_order_of_writing_changes_no_music_and_no_other_knowledge(grid: Grid, orders: tuple[list[int], ...]) -> None:
    """Where the same voices are written, the same is known; only repeats are looked for in the order of writing."""
    one, other = (PLAIN.in_order(order) for order in orders)
    assert one.grid_of_ids(one.ids_of_grid(grid)).tolist() == grid.tolist()
    names = [name for name, _ in one.features.blocks]
    rows = [of.features.of(of.ids_of_grid(grid))[3::4] - of.features.offsets for of in (one, other)]
    own = {"written", "moved", "place", "rhythm", *one.features.intervals, "classes"}
    of_voices = [i for i, name in enumerate(names) if name.split()[0] in ("voice", "held", "degree", "step")]
    assert rows[0][:, of_voices].tolist() == rows[1][:, of_voices].tolist()
    if orders[0][0] == orders[1][0]:
        known = [i for i, name in enumerate(names) if name in own and not name.startswith("after")]
        assert rows[0][:, known].tolist() == rows[1][:, known].tolist()


# -- in a model --------------------------------------------------------------------------------------------------------


@BOTH
def test_a_model_writes_four_voices_of_the_bars_asked_for(tokenizer: GridTokenizer, tmp_path: Path) -> None:
    path = random_model(tmp_path / "m", tokenizer=tokenizer, features=True, context=512)
    model = Model(path, precision="fp32")
    piece = model.generate(bars=2, seed=3)[0]
    grid = tokenizer.grid(piece.score, 32)
    assert piece.score.end() <= 8 * piece.score.ticks_per_quarter
    assert len({pitch for pitch in grid.reshape(-1).tolist() if pitch >= 0}) > 3
    again = model.generate(bars=2, seed=3)[0]
    assert tokenizer.grid(again.score, 32).tolist() == grid.tolist()


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    CHORDAL.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert isinstance(again, GridTokenizer)
    assert again.options == CHORDAL.options
    assert again.fingerprint == CHORDAL.fingerprint != PLAIN.fingerprint
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(ModelError, match="no tokenizer"):
        load_tokenizer(tmp_path)


def test_faults_are_told_in_a_line() -> None:
    with pytest.raises(RecipeError, match="voices goes from 1 to 8"):
        GridOptions(voices=9)
    with pytest.raises(RecipeError, match="order must name each voice once"):
        GridOptions(order=(0, 1, 1, 2))
    with pytest.raises(RequestError, match="outside"):
        PLAIN.decode(np.array([10_000], np.int32))
    with pytest.raises(RequestError, match="another tokenizer"):
        PLAIN.decode(CHORDAL.encode(score_of_grid(np.full((4, 4), 60), 4)))
    words = CHORDAL.words(CHORDAL.ids_of_grid(np.array([[72, 67, 64, -1]])))
    assert words == ["Chord_C:major", "Pitch_72", "Rest", "Pitch_67", "Pitch_64"]


def test_a_relative_model_computes_the_same_in_the_engine_and_in_every_key(tmp_path: Path) -> None:
    """In another key it says the same, but for the part of the logits that is of the pitches themselves."""
    path = random_model(tmp_path / "m", tokenizer=PLAIN, features=True, relative=True, context=512)
    model = Model(path, precision="fp32")
    weights = load_weights(open_folder(path))
    decoder = from_arrays(model.config, weights)
    low, high = model.config.pitches[0], model.config.pitches[0] + model.config.pitches[2]
    assert not weights["embedding.weight"][low:high].any()
    decoder.head.weight.data[low:high] = 0
    grid = np.array([[72, 67, 64, 48]] * 2 + [[74, 67, 62, 47], [72, 67, 64, 48], [71, 67, 62, 55]] * 3)
    found = []
    for shift in (0, 3):
        ids = np.array(ids_of(PLAIN, grid + shift)[:-1], np.int32)
        features = torch.from_numpy(PLAIN.features.of(ids))[None]
        with torch.no_grad():
            torch_logits = from_arrays(model.config, weights).eval()(torch.from_numpy(ids)[None], features=features)
            logits = decoder.eval()(torch.from_numpy(ids)[None], features=features)
        np.testing.assert_allclose(model.logits(ids), torch_logits[0].numpy(), atol=2e-3)
        found.append(torch.roll(logits[0, 4:], -shift, -1)[:, low + 12 : high - 12])
    torch.testing.assert_close(*found, atol=2e-3, rtol=1e-3)
