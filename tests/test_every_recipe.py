"""Every recipe, the whole way: trained, killed and resumed, played, taught something new, measured."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

import toccata
from cli_support import some_bach
from toccata.measure.validity import validity
from toccata.recipes import load, names
from toccata.training import log

STEPS = 50
SMALL = (
    "model.context=128", "model.layers=1", "model.width=32", "model.heads=2", "model.kv_heads=1", "model.ffn=48",
    "training.micro_batch_size=2", "training.gradient_accumulation_steps=1",
    "training.workers=0", "training.evaluations=2", "training.valid_rows=2",
    "training.patience=0", "training.precision='fp32'",
)  # fmt: skip
MERGED = "tokenizer.merges=1100"
"""Few enough to be learned from six pieces in a moment; a recipe without merges stays without."""
CODES = [
    "codec.width=32",
    "tokenizer.codebook=64",
    "codec_training.steps=200",
    "codec_training.rows=32",
    "codec_training.evaluations=2",
]
"""For the first stage of a recipe that has two."""


@pytest.fixture(scope="module")
def music(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return some_bach(data, tmp_path_factory.mktemp("music"), 8)


@pytest.fixture(autouse=True)
def few_pieces() -> Iterator[None]:
    """A model that knows nothing yet writes very full bars: a few are enough to measure its validity by."""
    with mock.patch.multiple("toccata.finish", PIECES=2, BARS=1):
        yield


class Killed(BaseException):
    """Stands for whatever ends a program in the middle."""


class Until:
    """Listens to a training, and ends it at a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def say(self, text: str) -> None:
        """Nothing to do."""

    def update(self, task: str, done: int, total: int, text: str = "") -> None:
        """End it there."""
        if task == "training" and done == self.step:
            raise Killed


def settings(name: str, steps: int = STEPS) -> list[str]:
    """The recipe, in small."""
    tokenizer = load(name).tokenizer
    merges = [MERGED] if tokenizer.merges else []
    codes = CODES if tokenizer.scheme == "codes" else []
    return [*SMALL, *merges, *codes, f"training.steps={steps}"]


@pytest.mark.parametrize("name", names())
def test_the_whole_way(name: str, music: Path, tmp_path: Path) -> None:
    out = tmp_path / name
    often = "training.checkpoint_minutes=0"
    with pytest.raises(Killed):
        toccata.train(music, out, recipe=name, settings=[*settings(name), often], progress=Until(STEPS // 2))
    assert not (out / "toccata.json").exists()
    made = toccata.train(music, out, recipe=name, settings=[*settings(name), often])
    rows = log.read(out / "training" / "log.csv")
    assert [int(row["step"]) for row in rows] == list(range(1, STEPS + 1))
    assert all(math.isfinite(row["loss"]) for row in rows)
    assert sum(row["loss"] for row in rows[-10:]) < sum(row["loss"] for row in rows[:10])
    assert made.about["recipe"]["name"] == name
    silent = load(name).tokenizer.scheme == "codes"  # after so few steps codes may stand for silence, bars long
    assert made.about["metrics"]["valid"] == 1 or silent

    pieces = toccata.load(out).generate(n=4, bars=8, seed=1, max_tokens=800)
    faults = validity(pieces, 8).faults
    assert [fault for fault in faults if not (silent and "no notes" in fault)] == []
    assert len({piece.midi for piece in pieces}) == 4

    child = toccata.finetune(music, tmp_path / "child", model=out, settings=["training.steps=3"])
    assert child.about["lineage"]["parent"]["digest"] == made.digest
    assert child.config == made.config

    found = toccata.evaluate(child.path, music, include_seen=True).to_dict()
    assert 0 < found["nats_per_note"] < 100
    assert found["validity"]["valid"] == 1 or silent
