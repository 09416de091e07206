"""Two processes on gloo train as one with twice the rows does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.errors import ModelError
from toccata.training import checkpoint, log
from train_part import over

PART = Path(__file__).parent / "train_part.py"
SETTINGS = ("training.steps=10", "training.precision='fp32'", "training.evaluations=2")


@pytest.fixture(scope="module")
def corpus(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("distributed")
    (folder / "music").mkdir()
    paths = [p for p in sorted((data / "bach" / "mutopia").rglob("*.mid")) if 2_000 < p.stat().st_size < 9_000][::7]
    for path in paths[:12]:
        shutil.copy(path, folder / "music" / path.name)
    return prepare(folder / "music", folder / "corpus", PrepareOptions(valid=0.2, test=0.0), processes=0)


def run(launcher: list[str], corpus: Corpus, out: Path, *settings: str) -> list[dict[str, float]]:
    command = [sys.executable, *launcher, str(PART), str(corpus.folder), str(out), *over(SETTINGS, *settings)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "1000"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return log.read(out / "training" / "log.csv")


def same(one: list[dict[str, float]], other: list[dict[str, float]], steps: int = 10) -> bool:
    assert [r["step"] for r in one] == [r["step"] for r in other] == list(range(1, steps + 1))
    assert [r["tokens"] for r in one] == [r["tokens"] for r in other]
    return all(
        abs(a[name] - b[name]) < 1e-4
        for a, b in zip(one, other, strict=True)
        for name in ("loss", "valid_loss")
        if name in a
    )


TORCHRUN = [
    "-m",
    "torch.distributed.run",
    "--nproc-per-node=2",
    "--master-addr=127.0.0.1",
    "--master-port=0",
    "--standalone",
]


@pytest.mark.skipif(sys.platform != "linux", reason="tried on Linux only")
def test_torchrun(corpus: Corpus, tmp_path: Path) -> None:
    one = run([], corpus, tmp_path / "one", "training.micro_batch_size=4")
    two = run(TORCHRUN, corpus, tmp_path / "two", "training.micro_batch_size=2")
    assert same(one, two)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="tried on Linux only")
def test_accumulated(corpus: Corpus, tmp_path: Path) -> None:
    settings = ("training.gradient_accumulation_steps=2", "training.optimizer='adamw'", "training.ema=0.9")
    one = run([], corpus, tmp_path / "one", "training.micro_batch_size=4", *settings)
    two = run(TORCHRUN, corpus, tmp_path / "two", "training.micro_batch_size=2", *settings)
    assert same(one, two)


SHARDED = {
    "muon": (
        "training.optimizer='muon'",
        "training.ema=0.9",
        "training.gradient_accumulation_steps=2",
        "training.clip=0.3",
    ),
    "uneven": ("training.optimizer='muon'", "model.width=18", "model.ffn=37", "model.heads=3", "model.mlp='gelu'"),
    "adamw": ("training.optimizer='adamw'", "model.tied=true", "model.bias=true", "model.norm='layer'"),
}


@pytest.mark.parametrize(
    "kind", ["muon", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("uneven", "adamw"))]
)
@pytest.mark.skipif(sys.platform != "linux", reason="tried on Linux only")
def test_sharded(kind: str, corpus: Corpus, tmp_path: Path) -> None:
    """Weights, gradients and optimiser states shared out by FSDP: the numbers are those of one process."""
    one = run([], corpus, tmp_path / "one", "training.micro_batch_size=4", *SHARDED[kind])
    two = run(TORCHRUN, corpus, tmp_path / "two", "training.micro_batch_size=2", "training.shard=true", *SHARDED[kind])
    assert same(one, two)
    kept = [checkpoint.load(tmp_path / name / "training" / checkpoint.LAST)[1] for name in ("one", "two")]
    assert [p.name for p in (tmp_path / "two" / "training").glob("*.parts")] == [checkpoint.parts_of(10)]
    assert set(kept[0]) == set(kept[1])
    assert all(np.allclose(kept[0][name], kept[1][name], atol=1e-3) for name in kept[0] if name.startswith("model."))
    shutil.rmtree(tmp_path / "two" / "training" / checkpoint.parts_of(10))
    with pytest.raises(ModelError, match=r"cannot be resumed from \(last-000000010\.parts is missing\): delete it"):
        checkpoint.load(tmp_path / "two" / "training" / checkpoint.LAST)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="tried on Linux only")
def test_one_process_begins_and_two_sharded_go_on(corpus: Corpus, tmp_path: Path) -> None:
    settings = ("training.micro_batch_size=4", "training.optimizer='muon'", "training.ema=0.9")
    whole = run([], corpus, tmp_path / "whole", *settings)
    command = [sys.executable, str(PART), str(corpus.folder), str(tmp_path / "m"), *SETTINGS, *settings]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as begun:
        assert begun.stdout is not None
        assert "step 5\n" in begun.stdout
        begun.kill()
    assert same(whole, run(TORCHRUN, corpus, tmp_path / "m", *settings, "training.shard=true"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="tried on Linux only")
def test_minutes_are_the_same_for_all(corpus: Corpus, tmp_path: Path) -> None:
    """The processes agree on how many steps to measure, and how many to do."""
    rows = run(
        TORCHRUN,
        corpus,
        tmp_path / "two",
        "training.minutes=0.15",
        "training.micro_batch_size=2",
        "training.precision='auto'",
    )
    assert [r["step"] for r in rows] == list(range(1, len(rows) + 1))
