"""Weights as 8-bit numbers in the file: a quarter of the size, and the engine runs what it ran before."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from random_model import random_model
from toccata import folder
from toccata.engine.graph import quantise
from toccata.errors import ModelError
from toccata.model.config import DecoderConfig
from toccata.model.layout import shapes
from toccata.model.tensors import SCALES, packed, read_tensors
from toccata.musicmodel import Model


def repacked(model: Path, place: Path) -> Path:
    """A model folder whose weights are packed."""
    shutil.copytree(model, place)
    save_file(packed(load_file(place / folder.WEIGHTS)), place / folder.WEIGHTS)
    about = folder.open_folder(model).about
    folder.seal(place, {key: value for key, value in about.items() if key not in ("format", "files")})
    return place


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights."""
    return random_model(tmp_path_factory.mktemp("packed") / "plain")


@pytest.fixture(scope="module")
def small(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, packed."""
    return repacked(plain, tmp_path_factory.mktemp("packed") / "small")


@given(st.integers(1, 5), st.integers(1, 200), st.integers(0, 2**32))
def test_numbers_are_within_half_a_step(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = (rng.standard_normal((rows, columns)) * rng.choice([0.01, 1, 30], (rows, 1))).astype(np.float32)
    made = packed({"a": matrix})
    scales = made["a" + SCALES].astype(np.float32).repeat(64 if columns % 64 == 0 else 32, axis=1)[:, :columns]
    assert (np.abs(made["a"] * scales - matrix) <= 0.57 * scales + 1e-5).all()


def test_packing_twice_changes_nothing(plain: Path, tmp_path: Path) -> None:
    wanted = shapes(DecoderConfig.from_json(folder.open_folder(plain).config))
    save_file(packed(load_file(plain / folder.WEIGHTS)), tmp_path / "once.safetensors")
    once = read_tensors(tmp_path / "once.safetensors", wanted)
    save_file(packed(once), tmp_path / "twice.safetensors")
    twice = read_tensors(tmp_path / "twice.safetensors", wanted)
    assert all(np.array_equal(once[name], twice[name]) for name in wanted)
    for name in (name for name, shape in wanted.items() if len(shape) == 2 and shape[1] % 64 == 0):
        codes, _ = quantise(once[name], 64)  # as the engine does it
        again, _ = quantise(twice[name], 64)
        assert np.array_equal(codes, again)


def test_a_packed_model_is_smaller_and_writes(plain: Path, small: Path) -> None:
    assert (small / folder.WEIGHTS).stat().st_size < 0.32 * (plain / folder.WEIGHTS).stat().st_size
    for precision in ("8bit", "fp32"):
        (piece,) = Model(small, precision=precision).generate(bars=2, seed=3)  # type: ignore[arg-type]
        assert piece.bars == 2


def test_damaged_ones_are_refused(small: Path, tmp_path: Path) -> None:
    wanted = shapes(DecoderConfig.from_json(folder.open_folder(small).config))
    arrays = load_file(small / folder.WEIGHTS)
    name = next(name for name in arrays if arrays[name].dtype == np.int8)
    path = tmp_path / "w.safetensors"
    for change, words in (
        ({name + SCALES: None}, f"{name}{SCALES} is not float16"),
        ({name + SCALES: arrays[name + SCALES].astype(np.float32)}, f"{name}{SCALES} is not float16"),
        ({name + SCALES: arrays[name + SCALES][:-1]}, f"{name}{SCALES} has the shape"),
        ({"foreign": arrays[name]}, "does not describe, the first 'foreign'"),
        ({name + SCALES: np.full_like(arrays[name + SCALES], np.inf)}, "are not finite"),
    ):
        damaged = {key: value for key, value in {**arrays, **change}.items() if value is not None}
        save_file(damaged, path)
        with pytest.raises(ModelError, match=words):
            read_tensors(path, wanted)
