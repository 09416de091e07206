"""Calibration: held-out music is likeliest with the number that logits are divided by, and every engine divides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from random_model import random_model
from toccata import folder
from toccata.corpus.examples import ExampleOptions
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.errors import CorpusError
from toccata.finish import calibrated
from toccata.folder import open_folder
from toccata.measure.calibration import TEMPERATURES, Calibration, calibrate
from toccata.model.weights import from_arrays
from toccata.musicmodel import Model
from toccata.recipes import load
from toccata.tokenizers.grid import GridOptions, GridTokenizer, score_of_grid
from toccata.training.export import divide_logits, load_weights

SHAPES: dict[str, dict[str, Any]] = {
    "root mean square": {},
    "layer norm, bias, tied": {"norm": "layer", "bias": True, "tied": True},
    "features and intervals": {"features": True},
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Twelve chorales of a kind, half of them held back."""
    place, rng = tmp_path_factory.mktemp("chorales"), np.random.default_rng(0)
    (place / "music").mkdir()
    for number in range(12):
        lines = np.array([72, 67, 64, 48]) + np.cumsum(rng.integers(-2, 3, (12, 4)), axis=0)
        score_of_grid(lines.repeat(4, axis=0), 4).resample(480, 1).dump_midi(place / "music" / f"{number}.mid")
    return prepare(place / "music", place / "corpus", PrepareOptions(valid=0.5, test=0), processes=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_are_divided_wherever_they_are_computed(shape: str, tmp_path: Path) -> None:
    made = open_folder(random_model(tmp_path / "m", **SHAPES[shape]))
    ids = np.random.default_rng(0).integers(4, 60, 40).astype(np.int32)
    before = Model(made.path, precision="fp32").logits(ids)
    again = divide_logits(made, 1.6, {"calibration": {"temperature": 1.6}})
    assert again.about["calibration"] == {"temperature": 1.6}
    assert {**again.about, "files": 0} == {**made.about, "files": 0, "calibration": {"temperature": 1.6}}
    np.testing.assert_allclose(Model(made.path, precision="fp32").logits(ids), before / 1.6, atol=2e-4)
    own, weights = from_arrays(Model(made.path).config, load_weights(again)), load_weights(again)
    assert own.norm.weight.detach().numpy() == pytest.approx(weights["norm.weight"])


def calibration(path: Path, corpus: Corpus, rows: int = 4) -> Calibration | None:
    options = ExampleOptions(transpose=0, tempo=0, velocity=0, starts=1.0)
    return calibrate(Model(path, precision="fp32"), corpus, options, rows)


def test_it_finds_what_the_logits_were_multiplied_by(corpus: Corpus, tmp_path: Path) -> None:
    path = random_model(tmp_path / "m", tokenizer=GridTokenizer(GridOptions()), context=128)
    first = calibration(path, corpus)
    assert first is not None, "random opinions are too strong"
    assert first.after < first.before
    divide_logits(open_folder(path), first.temperature, {})
    second = calibration(path, corpus)
    assert second is None or first.temperature == pytest.approx(TEMPERATURES[-1]), "it is calibrated now"
    divide_logits(open_folder(path), 1 / 1.25, {})
    third = calibration(path, corpus)
    assert third is not None
    assert third.tokens == first.tokens == 4 * 128
    if second is None:
        assert third.temperature == pytest.approx(1.25, abs=0.06)
        assert third.after == pytest.approx(first.after, abs=0.01)


def test_it_needs_held_out_music(corpus: Corpus, tmp_path: Path) -> None:
    bare = prepare(corpus.folder.parent / "music", tmp_path / "bare", PrepareOptions(valid=0, test=0), processes=0)
    path = random_model(tmp_path / "m", tokenizer=GridTokenizer(GridOptions()), context=128)
    with pytest.raises(CorpusError, match="no pieces to validate on"):
        calibration(path, bare)
    assert folder.CALIBRATION not in open_folder(path).about


def test_a_training_says_by_what_it_divided(corpus: Corpus, tmp_path: Path) -> None:
    path = random_model(tmp_path / "m", tokenizer=GridTokenizer(GridOptions()), context=128)
    recipe, said = load("jsb", ["training.valid_rows=4"]), list[str]()
    made = calibrated(open_folder(path), corpus, recipe, None, said.append)
    temperature = made.about[folder.CALIBRATION]["temperature"]
    assert [text.split(",")[0] for text in said] == ["Calibrated on 512 held-out tokens: logits divided by 2.00"]
    assert temperature == pytest.approx(2, abs=0.01)
    few = prepare(corpus.folder.parent / "music", tmp_path / "few", PrepareOptions(valid=0.1, test=0), processes=0)
    assert len(few.numbers("valid")) < 3
    assert calibrated(made, few, recipe, None, said.append) is made
