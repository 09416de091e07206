"""Piano rolls, the VQ-VAE that turns them into codes, its training and its graphs."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from symusic import Note, Score, Track

from toccata.corpus.prepare import prepare
from toccata.corpus.store import Corpus, Split
from toccata.engine.codec import OnnxCodec
from toccata.engine.codec_graph import build_codec_graphs
from toccata.errors import CorpusError, ModelError, ToccataError
from toccata.midi.clean import clean
from toccata.midi.read import read_score
from toccata.model.vqconfig import ABOUT, SEED, WEIGHTS, VqConfig, shapes
from toccata.model.vqvae import Codec, VqVae
from toccata.tokenizers.agreement import Agreement, agreement
from toccata.tokenizers.rolls import LOWEST, notes, rolls
from toccata.training.options import CodecOptions
from toccata.training.vq import LAST, CodecStep, load_codec, train_codec


def _score(ticks: int, *tracks: list[tuple[int, int, int]], drum: bool = False) -> Score:
    score = Score(ticks)
    for entries in tracks:
        track = Track("", 0, drum)
        for time, duration, pitch in entries:
            track.notes.append(Note(time, duration, pitch, 64))
        score.tracks.append(track)
    return score


def _listed(score: Score) -> list[tuple[int, int, int]]:
    return sorted((n.time, n.pitch, n.duration) for track in score.tracks for n in track.notes)


# -- rolls -------------------------------------------------------------------------------------------------------------

_NOTES = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 700), st.integers(21, 108)), max_size=40)


@given(_NOTES, st.sampled_from([24, 96, 120, 240, 480, 1024]), st.sampled_from([8, 12, 24, 32]))
@settings(max_examples=60, deadline=None)
def test_notes_come_back_from_rolls(entries: list[tuple[int, int, int]], ticks: int, steps: int) -> None:
    expected: dict[tuple[int, int], int] = {}
    for time, duration, pitch in entries:
        onset = (2 * time * steps + ticks) // (2 * ticks)
        end = max(onset + 1, (2 * (time + duration) * steps + ticks) // (2 * ticks))
        expected[pitch, onset] = max(end, expected.get((pitch, onset), 0))
    found = notes(rolls(_score(ticks, entries), steps), steps)
    assert found.ticks_per_quarter == steps
    listed = _listed(found)
    assert [(p, t) for t, p, _ in listed] == [(p, t) for t, p in sorted((t, p) for p, t in expected)]
    for time, pitch, length in listed:
        later = min((t for p, t in expected if p == pitch and t > time), default=10**9)
        assert length == min(expected[pitch, time], later) - time


@given(st.integers(0, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_any_roll_is_valid_music(quarters: int, seed: int) -> None:
    noise = np.random.default_rng(seed).random((quarters, 2, 88, 6), np.float32)
    found = _listed(notes(noise, 6, threshold=0.7))
    ends: dict[int, int] = {}
    for time, pitch, length in found:
        assert length >= 1
        assert time >= ends.get(pitch, 0)
        assert 0 <= pitch - LOWEST < 88
        ends[pitch] = time + length
        assert time + length <= quarters * 6


def test_a_held_note_stays_one_note() -> None:
    slices = rolls(_score(480, [(240, 480 * 3, 60)]))
    assert slices.shape == (4, 2, 88, 24)
    assert slices[:, 0].sum() == 1
    assert slices[1:3, 1, 60 - LOWEST].all()
    assert _listed(notes(slices)) == [(12, 60, 72)]


def test_a_note_struck_again_is_two_notes() -> None:
    again = _score(480, [(0, 480, 60), (480, 480, 60)])
    assert _listed(notes(rolls(again))) == [(0, 60, 24), (24, 60, 24)]


def test_drums_are_left_out_and_tracks_are_one() -> None:
    both = _score(24, [(0, 24, 60)], [(12, 24, 64)])
    both.tracks.append(_score(24, [(0, 24, 36)], drum=True).tracks[0])
    assert _listed(notes(rolls(both))) == [(0, 60, 24), (12, 64, 24)]


def test_pitches_outside_the_piano_come_in_by_octaves() -> None:
    found = _listed(notes(rolls(_score(24, [(0, 24, 3), (24, 24, 127), (48, 24, 20), (72, 24, 109)]))))
    assert [pitch for _, pitch, _ in found] == [27, 103, 32, 97]


def test_rolls_can_be_cut_and_filled_up() -> None:
    score = _score(24, [(0, 60, 60), (72, 24, 62)])
    assert _listed(notes(rolls(score, quarters=2))) == [(0, 60, 48)]
    assert len(rolls(score, quarters=9)) == 9
    assert rolls(Score(480)).shape == (0, 2, 88, 24)
    assert not len(notes(rolls(Score(480))).tracks)


def test_real_music_comes_back(data: Path) -> None:
    files = sorted((data / "bach" / "mutopia").glob("*.mid"))[::40]
    assert files
    for path in files:
        score = clean(read_score(path))
        once = notes(rolls(score))
        assert _listed(notes(rolls(once))) == _listed(once)
        strokes = {
            (round(n.time * 24 / score.ticks_per_quarter + 1e-9), n.pitch) for t in score.tracks for n in t.notes
        }
        assert len(strokes ^ {(t, p) for t, p, _ in _listed(once)}) <= 0.01 * len(strokes)


# -- agreement ---------------------------------------------------------------------------------------------------------


def test_agreement_counts_what_comes_back() -> None:
    truth = _score(480, [(0, 480, 60), (480, 480, 62), (960, 480, 64)])
    found = _score(24, [(1, 24, 60), (24, 12, 62), (60, 24, 64), (60, 24, 70)])
    result = agreement(truth, found)
    assert (result.right, result.truth, result.found) == (2, 3, 4)
    assert result.f1 == 4 / 7
    assert result.duration_error == 0.25
    assert agreement(truth, truth).f1 == 1.0
    assert agreement(Score(24), Score(24)).f1 == 1.0


# -- the model and its graphs ------------------------------------------------------------------------------------------

SMALL = VqConfig(steps=12, codes=4, codebook=64, width=24, entry=8)
SMALL_GRID = replace(SEED, width=8, entry=8, layers=1)


def _noise(config: VqConfig, quarters: int, seed: int = 0) -> NDArray[np.uint8]:
    """Slices of all kinds, from silence to more keys than there are codes."""
    rng = np.random.default_rng(seed)
    often = rng.choice([0.0, 0.001, 0.01, 0.1], (quarters, 1, 1, 1))
    return (rng.random((quarters, 2, 88, config.steps)) < often).astype(np.uint8)


def _stirred(config: VqConfig) -> VqVae:
    """A model whose every weight, codebook included, is far from where it began."""
    torch.manual_seed(3)
    model = VqVae(config)
    model.put({name: torch.randn_like(tensor) * 0.3 for name, tensor in model.tensors().items()})
    return model.eval()


def _write(model: VqVae, folder: Path) -> None:
    """The files of a codec."""
    save_file(model.tensors(), folder / WEIGHTS)
    (folder / ABOUT).write_text(json.dumps({"config": model.config.to_json(), "threshold": 0.4}))


@pytest.mark.parametrize("config", [SMALL, SMALL_GRID, replace(SMALL, layers=0), SEED], ids=str)
def test_the_shapes_of_the_weights_are_known_without_torch(config: VqConfig) -> None:
    made = VqVae(config).tensors()
    assert shapes(config) == {name: tuple(tensor.shape) for name, tensor in made.items()}


@pytest.mark.parametrize("config", [SMALL, SMALL_GRID, replace(SMALL, layers=0)], ids=["slots", "grid", "flat"])
def test_codec_graphs_are_what_the_onnx_library_would_write(config: VqConfig) -> None:
    tensors = {name: tensor.numpy() for name, tensor in _stirred(config).tensors().items()}
    for graph in build_codec_graphs(config, tensors):
        read = onnx.load_from_string(graph.to_bytes())
        onnx.checker.check_model(read)
        assert read.SerializeToString() == graph.to_bytes()


@pytest.mark.parametrize("config", [SMALL, SMALL_GRID, replace(SMALL, layers=0)], ids=["slots", "grid", "flat"])
def test_graphs_compute_what_torch_computes(config: VqConfig, tmp_path: Path) -> None:
    model = _stirred(config)
    _write(model, tmp_path)
    ours, theirs = Codec(model, 0.4), OnnxCodec(tmp_path)
    slices = _noise(config, 700)
    codes = theirs.encode(slices)
    assert codes.shape == (700, config.codes)
    assert codes.dtype == np.int32
    assert len(np.unique(codes)) > 8
    np.testing.assert_array_equal(codes, ours.encode(slices))
    rng = np.random.default_rng(1)
    anything = rng.integers(0, config.codebook, (600, config.codes), dtype=np.int32)
    np.testing.assert_allclose(theirs.decode(anything), ours.decode(anything), atol=1e-4)
    assert theirs.decode(anything).dtype == np.float32
    assert theirs.encode(slices[:0]).shape == (0, config.codes)
    assert theirs.decode(anything[:0]).shape == (0, 2, 88, config.steps)
    assert (theirs.steps, theirs.codes, theirs.codebook, theirs.threshold) == (
        config.steps,
        config.codes,
        config.codebook,
        0.4,
    )


def test_a_codec_can_be_sent_to_another_process(tmp_path: Path) -> None:
    model = _stirred(SMALL)
    _write(model, tmp_path)
    codec = OnnxCodec(tmp_path)
    slices = _noise(SMALL, 5)
    codes = codec.encode(slices)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(codec)).encode(slices), codes)


def test_a_codec_is_saved_and_known_by_its_weights(tmp_path: Path) -> None:
    model = _stirred(SMALL)
    tensors = model.tensors()
    _write(model, tmp_path)
    codec = OnnxCodec(tmp_path)
    codec.save(tmp_path / "copy")
    codec.save(tmp_path)
    copy = OnnxCodec(tmp_path / "copy")
    assert copy.fingerprint == codec.fingerprint
    np.testing.assert_array_equal(copy.encode(_noise(SMALL, 9)), codec.encode(_noise(SMALL, 9)))
    save_file({**tensors, "book": tensors["book"] + 1}, tmp_path / WEIGHTS)
    assert OnnxCodec(tmp_path).fingerprint != codec.fingerprint
    (tmp_path / "copy" / WEIGHTS).unlink()
    with pytest.raises(ModelError, match=r"vq\.safetensors is missing"):
        OnnxCodec(tmp_path / "copy").save(tmp_path / "third")


def test_silence_is_all_zeros_and_silent_again() -> None:
    codec = Codec(_stirred(SMALL), 0.4)
    codes = codec.encode(np.zeros((3, 2, 88, 12), np.uint8))
    assert not codes.any()
    assert not len(notes(codec.decode(codes), 12, threshold=0.4).tracks)


def test_a_slice_has_the_same_codes_wherever_it_stands() -> None:
    codec = Codec(_stirred(SMALL), 0.4)
    slices = _noise(SMALL, 40)
    np.testing.assert_array_equal(codec.encode(slices)[::-1], codec.encode(slices[::-1]))


def test_keys_are_told_from_low_to_high_and_the_outer_ones_always() -> None:
    model = VqVae(SMALL)
    slices = torch.zeros(2, 2, 88, 12)
    for key in (10, 20, 30):
        slices[0, :, key, 0] = 1
    for key in (1, 2, 3, 40, 50, 60, 70, 80):
        slices[1, :, key, 0] = 1
    chosen = model.body.choose(slices)
    assert chosen[0].nonzero().flatten().tolist() == [10, 20, 30]
    assert chosen[1].nonzero().flatten().tolist() == [1, 40, 60, 80]
    assert (model.encode(slices) > 0).tolist() == [[True, True, True, False], [True] * 4]


@pytest.mark.parametrize(
    "wrong",
    [
        {"layout": "cloud"},
        {"codes": 0},
        {"codebook": 1},
        {"decay": 1.0},
        {"layout": "grid"},
        {"layout": "grid", "steps": 32, "codes": 16, "width": 8},
        {"colour": 3},
    ],
)
def test_a_wrong_config_is_told_in_one_line(wrong: dict[str, Any]) -> None:
    with pytest.raises(ModelError) as caught:
        VqConfig.from_json({**wrong})
    assert "\n" not in caught.value.message


def test_config_survives_json() -> None:
    assert VqConfig.from_json(json.loads(json.dumps(SEED.to_json()))) == SEED
    assert SEED.bits == 64
    assert VqConfig(codes=6, codebook=1024).bits == 60
    before = {"book" if name == "codebook" else name: value for name, value in SMALL.to_json().items()}
    assert VqConfig.from_json(before) == SMALL
    with pytest.raises(ModelError, match="book"):
        VqConfig.from_json({**before, "codebook": 64})


def test_missing_weights_and_files_are_told(tmp_path: Path) -> None:
    tensors = {name: tensor.numpy() for name, tensor in _stirred(SMALL).tensors().items()}
    with pytest.raises(ModelError, match="book"):
        build_codec_graphs(SMALL, {name: t for name, t in tensors.items() if name != "book"})
    with pytest.raises(ModelError, match=r"vq\.json"):
        OnnxCodec(tmp_path)
    (tmp_path / "vq.json").write_text(json.dumps({"config": SMALL.to_json(), "threshold": 0.4}))
    (tmp_path / WEIGHTS).write_bytes(b"torn")
    with pytest.raises(ModelError, match=r"vq\.safetensors is damaged"):
        OnnxCodec(tmp_path).encode(_noise(SMALL, 1))
    with pytest.raises(ModelError, match="train them again"):
        load_codec(tmp_path)


# -- training ----------------------------------------------------------------------------------------------------------

QUICK = CodecOptions(steps=40, rows=64, evaluations=4, valid_rows=200)


@pytest.fixture(scope="module")
def corpus(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    music = tmp_path_factory.mktemp("music")
    for path in sorted((data / "bach" / "mutopia").glob("*.mid"))[::12]:
        shutil.copy(path, music)
    return prepare(music, tmp_path_factory.mktemp("corpus") / "bach")


def _as_once_called(text: str) -> str:
    """JSON of a run as earlier versions wrote it."""
    assert '"codebook"' in text
    assert '"evals_since_best"' in text
    return text.replace('"codebook"', '"book"').replace('"evals_since_best"', '"stale"')


def _state_of(path: Path) -> str:
    with safe_open(path, framework="pt") as file:
        return str(file.metadata()["state"])


def test_training_learns_codes_that_give_music_back(corpus: Corpus, tmp_path: Path) -> None:
    lines: list[str] = []
    losses: list[float] = []
    state = train_codec(
        corpus,
        replace(SMALL, codes=6, codebook=256, width=48),
        replace(QUICK, steps=200, lr=1e-2, evaluations=2, valid_rows=10**6),
        tmp_path,
        report=lambda step: losses.append(step.loss),
        say=lines.append,
    )
    assert state.step == len(losses) == 200
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    assert state.f1 > 0.2  # untrained: 0
    assert {path.name for path in tmp_path.iterdir()} == {ABOUT, WEIGHTS}
    assert len(lines) == 2
    trained, played = load_codec(tmp_path), OnnxCodec(tmp_path)
    assert trained.threshold == played.threshold == state.threshold
    found = Agreement()
    for number in corpus.split("valid"):
        slices = rolls(corpus.score(number), 12)
        codes = played.encode(slices)
        np.testing.assert_array_equal(codes, trained.encode(slices))
        decoded = played.decode(codes)
        np.testing.assert_allclose(decoded, trained.decode(codes), atol=1e-4)
        found += agreement(notes(slices, 12), notes(decoded, 12, threshold=played.threshold))
    assert found.f1 == pytest.approx(state.f1, abs=2e-3)
    assert found.duration_error == pytest.approx(state.duration_error, abs=2e-2)


@pytest.mark.parametrize("config", [SMALL, SMALL_GRID], ids=["slots", "grid"])
def test_a_broken_off_training_goes_on_as_if_it_had_not_been(corpus: Corpus, tmp_path: Path, config: VqConfig) -> None:
    options = replace(QUICK, steps=6, rows=16, evaluations=2, valid_rows=16)
    whole = train_codec(corpus, config, options, tmp_path / "whole")

    def stop(step: CodecStep) -> None:
        if step.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_codec(corpus, config, options, tmp_path / "parts", report=stop)
    assert not (tmp_path / "parts" / ABOUT).exists()
    before = _as_once_called(_state_of(tmp_path / "parts" / LAST))
    save_file(load_file(tmp_path / "parts" / LAST), tmp_path / "parts" / LAST, {"state": before})
    steps: list[int] = []
    parts = train_codec(corpus, config, options, tmp_path / "parts", report=lambda step: steps.append(step.step))
    assert steps == [5, 6]
    assert replace(parts, seconds=0) == replace(whole, seconds=0)
    assert (tmp_path / "parts" / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()
    # What is there is not done again, and not mixed up with something else.
    again = train_codec(corpus, config, options, tmp_path / "whole", report=lambda step: pytest.fail("trained again"))
    assert again == whole
    about = tmp_path / "whole" / ABOUT
    about.write_text(_as_once_called(about.read_text()))
    again = train_codec(corpus, config, options, tmp_path / "whole", report=lambda step: pytest.fail("trained again"))
    assert again == whole
    with pytest.raises(ToccataError, match="other settings"):
        train_codec(corpus, config, replace(options, seed=1), tmp_path / "whole")


def test_training_by_the_clock_plans_its_steps(corpus: Corpus, tmp_path: Path) -> None:
    options = replace(QUICK, steps=10**6, minutes=0.02, rows=16, evaluations=1, valid_rows=32)
    state = train_codec(corpus, SMALL, options, tmp_path)
    assert 1 <= state.step == state.steps < 10**6
    assert state.seconds < 20


def test_a_corpus_without_music_for_training_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    class Nothing(Corpus):
        def numbers(self, name: Split) -> NDArray[np.uint32]:
            return np.zeros(0, np.uint32)

    with pytest.raises(CorpusError, match="no piece to learn codes from"):
        train_codec(Nothing(corpus.folder), SMALL, QUICK, tmp_path)


def test_the_seeds_layout_has_the_seeds_places() -> None:
    model = VqVae(SMALL_GRID).eval()
    codes = model.encode(torch.zeros(2, 2, 88, 32))
    assert codes.shape == (2, 16)
    assert model.decode(codes).shape == (2, 2, 88, 32)
