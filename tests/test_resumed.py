"""Runs that are gone on with: from which step and why, with how many processes; and when they end by themselves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_support import TINY, call, tiny
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.errors import ToccataError
from toccata.recipes import load
from toccata.training import checkpoint, log
from toccata.training.loop import State, Step
from toccata.training.options import TrainOptions
from toccata.training.pipeline import Run
from toccata.training.share import rows_a_step, rows_of, shared
from toccata.training.torchnet import TorchBackend
from train_part import over

PART = Path(__file__).parent / "train_part.py"
SETTINGS = (*TINY, "training.steps=8", "training.precision='fp32'", "training.checkpoint_minutes=60")


@pytest.fixture(scope="module")
def corpus(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Many pieces to train on, and one that is held back."""
    folder = tmp_path_factory.mktemp("music")
    paths = [p for p in sorted((data / "bach" / "mutopia").rglob("*.mid")) if 2_000 < p.stat().st_size < 9_000][::8]
    for path in paths[:9]:
        shutil.copy(path, folder)
    made = prepare(folder, tmp_path_factory.mktemp("corpus"), PrepareOptions(valid=0.05, test=0.0), processes=0)
    assert len(made.split("valid")) == 1
    return made


class Killed(Exception):  # noqa: N818 - it stands for a kill
    """Stands for the end of the process: nothing is written when it comes."""


def train(corpus: Corpus, out: Path, *settings: str, killed_at: int = 0) -> tuple[State | None, list[str]]:
    said: list[str] = []

    def report(step: Step) -> None:
        if step.step == killed_at:
            raise Killed

    run = Run(load("toccata", over(SETTINGS, *settings)), out, None, said.append, TorchBackend())
    try:
        return run.train(corpus, run.tokenizer(corpus, lambda *_: None), report), said
    except Killed:
        return None, said


def reached(out: Path) -> int:
    return int(json.loads((out / "training" / "state.json").read_text())["step"])


# ---- from which step


def test_the_first_checkpoint_is_early(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toccata.training.loop.EARLY", 0.0)
    train(corpus, tmp_path / "m", killed_at=3)
    assert reached(tmp_path / "m") == 1  # and the next one when an hour is over
    state, said = train(corpus, tmp_path / "m")
    assert state is not None
    assert state.step == 8
    again = "Going on after step 1 of 8; steps 2 to 3 were done after the last checkpoint, and are done again"
    assert again in said
    assert [int(row["step"]) for row in log.read(tmp_path / "m" / "training" / "log.csv")] == list(range(1, 9))


def test_it_is_told_why_a_run_starts_over(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toccata.training.loop.EARLY", 1e9)
    _, said = train(corpus, tmp_path / "m", killed_at=2)
    assert not [line for line in said if line.startswith("Starting again")]
    _, said = train(corpus, tmp_path / "m", killed_at=2)
    assert "Starting again from step 0, because the run ended before its first checkpoint (2 steps were done)" in said
    (tmp_path / "m" / "training" / checkpoint.LAST).unlink()
    _, said = train(corpus, tmp_path / "m", killed_at=1)
    assert any("because there is no last.safetensors any more" in line for line in said)


def test_a_run_of_before_goes_on_whatever_its_settings_were_called(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toccata.training.loop.EARLY", 0.0)
    out = tmp_path / "m"
    train(corpus, out, killed_at=3)
    last = out / "training" / checkpoint.LAST
    kept, arrays = checkpoint.load(last)
    kept["stale"] = kept.pop("evals_since_best")
    options = kept["identity"]["recipe"]["training"]
    options["rows"], options["accumulate"] = (
        options.pop(name) for name in ("micro_batch_size", "gradient_accumulation_steps")
    )
    checkpoint.save(last, arrays, kept)
    state, said = train(corpus, out)
    assert state is not None
    assert state.step == 8
    assert any(line.startswith("Going on after step 1 of 8") for line in said)
    assert not [line for line in said if line.startswith("Learning the tokens anew")]


def test_tokens_that_are_learned_anew_are_told(corpus: Corpus, tmp_path: Path) -> None:
    train(corpus, tmp_path / "m", killed_at=1)
    (tmp_path / "m" / "training" / checkpoint.LAST).unlink()
    _, said = train(corpus, tmp_path / "m", "tokenizer.options.num_velocities=4", killed_at=1)
    assert "Learning the tokens anew, because tokenizer.options.num_velocities is 4 and was 8" in said


def test_another_recipe_is_named_before_anything_of_the_run_is_touched(data: Path, tmp_path: Path) -> None:
    model, midi = tiny(data)
    out = Path(shutil.copytree(model, tmp_path / "m"))
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    for changes, says in (
        (["clean.min_bars=3"], "clean.min_bars is 3 and was"),
        (
            ["training.lr=0.5", "model.dropout=0.25"],
            "model.dropout is 0.25 and was not set; training.lr is 0.5 and was",
        ),
        (["training.beta1=0.5", "training.lr=0.5", "training.warmup=0.5", "training.seed=3"], "; and 1 more"),
    ):
        done = call("train", midi, "-o", out, *TINY, *changes)
        assert done.code == 1
        assert says in done.error
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_the_page_of_a_run_by_minutes_says_its_own_steps(corpus: Corpus, tmp_path: Path) -> None:
    state, _ = train(corpus, tmp_path / "m", "training.minutes=0.04")
    assert state is not None
    page = (tmp_path / "m" / "training" / "info.txt").read_text()
    assert f"{state.steps:,} of {state.steps:,}" in page
    assert f"{TrainOptions().steps:,}" not in page


# ---- when it ends


def test_one_piece_does_not_end_a_training(corpus: Corpus, tmp_path: Path) -> None:
    """A rate at which the held-out loss goes up and down would end it at once."""
    worse = ("training.lr=10", "training.warmup=0", "training.clip=0", "training.schedule='wsd'")
    often = ("training.steps=24", "training.evaluations=24", "training.patience=1", "training.optimizer='adamw'")
    state, said = train(corpus, tmp_path / "m", *worse, *often)
    assert state is not None
    assert (state.step, state.stopped) == (24, "")
    losses = [row["valid_loss"] for row in log.read(tmp_path / "m" / "training" / "log.csv")]
    assert any(loss >= min(losses[:i]) for i, loss in enumerate(losses) if i)
    assert any(line.startswith("Only 1 piece held back") for line in said)


# ---- with how many processes


@pytest.mark.parametrize("kind", ["train", "finetune", "style file"])
def test_of_several_processes_one_speaks(
    kind: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, midi = tiny(data)
    monkeypatch.setattr(TorchBackend, "is_main", False)
    verb = ["train", midi, *TINY] if kind == "train" else ["finetune", midi, "-m", model, "training.steps=1"]
    done = call(*verb, "-o", tmp_path / ("m.safetensors" if kind == "style file" else "m"))
    assert (done.code, done.out, done.err) == (0, "", "")


COUNTS = st.integers(1, 12)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_a_step_reads_as_many_rows_with_any_number_of_devices(rows: int, times: int, one: int, other: int) -> None:
    options = TrainOptions(micro_batch_size=rows, gradient_accumulation_steps=times)
    total = rows_a_step(options, one)
    if total % other:
        with pytest.raises(ToccataError, match="cannot share evenly: go on with 1") as error:
            shared(options, total, other)
        assert "\n" not in error.value.message
        return
    found = shared(options, total, other)
    assert rows_a_step(found, other) == total
    assert found.micro_batch_size <= rows
    assert shared(options, total, one) is options
    assert rows_of({"batch": total}, 48) == total
    assert rows_of({"step": 7, "tokens": 7 * total * 48}, 48) == total  # a checkpoint from before it was kept
    assert rows_of({"step": 0, "tokens": 0}, 48) == 0


@contextmanager
def pair(*args: object) -> Iterator[list[subprocess.Popen[str]]]:
    """The same program as two processes that train together, each of which can be reached."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "1000", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
           "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # fmt: skip
    started = [
        subprocess.Popen(
            [sys.executable, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**env, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("shard", ["false", "true"])
@pytest.mark.skipif(sys.platform != "linux", reason="tried on Linux only")
def test_a_signal_to_one_of_two_ends_both_and_one_alone_goes_on(shard: str, corpus: Corpus, tmp_path: Path) -> None:
    """The one that is signalled is not the one that writes; what is left is the whole batch for the one process."""
    same = ("training.steps=200", "training.precision='fp32'", "training.checkpoint_minutes=60")
    with pair(PART, corpus.folder, tmp_path / "m", *same, "training.micro_batch_size=2", f"training.shard={shard}") as (
        first,
        second,
    ):
        assert first.stdout is not None
        for line in first.stdout:
            if line == "step 3\n":
                break
        second.send_signal(signal.SIGTERM)
        ends = [process.communicate(timeout=120) for process in (first, second)]
    assert all("KeyboardInterrupt" in err for _, err in ends), ends
    step = reached(tmp_path / "m")
    assert 3 <= step < 200
    whole, _ = train_alone(corpus, tmp_path / "whole", *same, "training.micro_batch_size=4", until=step + 3)
    went_on, said = train_alone(corpus, tmp_path / "m", *same, "training.micro_batch_size=2", until=step + 3)
    assert any(f"Going on after step {step} of 200" in line for line in said)
    assert [row["tokens"] for row in went_on] == [row["tokens"] for row in whole]
    assert max(abs(a["loss"] - b["loss"]) for a, b in zip(went_on, whole, strict=True)) < 1e-4


def train_alone(corpus: Corpus, out: Path, *settings: str, until: int) -> tuple[list[dict[str, float]], list[str]]:
    """The lines of a run's log up to a step, at which it is interrupted."""
    command = [sys.executable, str(PART), str(corpus.folder), str(out), *settings]
    said = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as one:
        assert one.stdout is not None
        for line in one.stdout:
            said.append(line)
            if line == f"step {until}\n":
                break
        one.kill()
    return [row for row in log.read(out / "training" / "log.csv") if row["step"] <= until], said


WAITING = """
import time
from datetime import timedelta
from accelerate import PartialState
PartialState(cpu=True, timeout=timedelta(seconds=1))
from toccata.training.torchnet import TorchBackend
backend = TorchBackend()
with backend.main_first():
    if backend.is_main:
        time.sleep(4)
print("met", flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="tried on Linux only")
def test_the_others_wait_longer_than_processes_wait_for_each_other() -> None:
    with pair("-c", WAITING) as both:
        for process in both:
            out, err = process.communicate(timeout=120)
            assert (process.returncode, out) == (0, "met\n"), err


ENDING = """
from toccata.errors import ToccataError
from toccata.training.torchnet import TorchBackend
backend = TorchBackend()
with backend.main_first():
    if backend.is_main:
        raise ToccataError("the folder is empty")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="tried on Linux only")
def test_the_others_do_not_wait_for_one_that_has_failed() -> None:
    with pair("-c", ENDING) as (first, second):
        assert "the folder is empty" in first.communicate(timeout=120)[1]
        assert "a process that trains with this one has ended" in second.communicate(timeout=120)[1]
