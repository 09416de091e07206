"""What large machines need of a training, as far as it can be shown without a GPU."""

from __future__ import annotations

import math
import multiprocessing
import pickle
import shutil
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from cli_support import TINY
from toccata.corpus.examples import Examples, Row
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.errors import RecipeError, ToccataError
from toccata.model.attention import Packing
from toccata.model.config import DecoderConfig, Kernel
from toccata.model.decoder import Decoder
from toccata.recipes import load
from toccata.tokenizers.load import build_tokenizer
from toccata.training import checkpoint, compute, log, trial
from toccata.training.compute import Compute
from toccata.training.data import Batch, batches
from toccata.training.finite import NotFiniteError
from toccata.training.options import TrainOptions
from toccata.training.pipeline import Run
from toccata.training.torchnet import TorchBackend, TorchLearner

CONFIG = DecoderConfig(vocab=40, context=32, layers=2, width=32, heads=2, kv_heads=1, ffn=48)


# ---- batches


@dataclass(frozen=True)
class Counting:
    """Examples whose ids are their number."""

    def row(self, number: int) -> Row:
        ids = np.full(8, number, np.int32)
        return Row(ids, ids + 1, (3, 5) if number % 3 else (8,))


def taken(start: int, workers: int, *, packed: bool = False) -> list[Batch]:
    made = batches(Counting(), 2, start=start, workers=workers, packed=packed)  # type: ignore[arg-type]
    return list(islice(made, 7 - start))


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_are_the_same_with_any_number_of_workers(workers: int) -> None:
    alone = taken(0, 0)
    assert [batch.inputs[:, 0].tolist() for batch in alone] == [[2 * i, 2 * i + 1] for i in range(7)]
    for start in (0, 4):
        for one, other in zip(taken(start, workers), alone[start:], strict=True):
            assert torch.equal(one.inputs, other.inputs)
            assert torch.equal(one.targets, other.targets)
            assert (one.packing is None) == (other.packing is None)


class Broken(Counting):
    def row(self, number: int) -> Row:
        raise ZeroDivisionError("a piece without a bar")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_example_that_cannot_be_made_is_one_line(workers: int) -> None:
    source = batches(Broken(), 2, start=3, workers=workers)  # type: ignore[arg-type]
    with pytest.raises(ToccataError, match=r"^examples 6 to 7 cannot be made: ZeroDivisionError: a piece without a"):
        next(source)


def test_a_learner_that_begins_again_has_one_set_of_workers() -> None:
    """The trial before the first step has read ahead: its workers end when the first batch is asked for again."""
    learner = TorchLearner(CONFIG, None, Counting(), None, TrainOptions(workers=1))  # type: ignore[arg-type]
    for step in (0, 4):
        learner.begin(step)
        assert learner.source is not None
        assert next(learner.source).inputs[0, 0] == step * 16
        assert len(multiprocessing.active_children()) == 1
    learner.end()
    assert multiprocessing.active_children() == []


def test_ids_are_int32_from_the_example_to_the_device() -> None:
    for batch in (taken(0, 0, packed=True)[0], taken(2, 0)[0]):
        there = batch.to(torch.device("cpu"))
        assert there.packing is not None
        tensors = (there.inputs, there.targets, there.packing.positions, there.packing.sequences)
        assert {tensor.dtype for tensor in tensors} == {torch.int32}


def test_a_loss_of_int32_is_that_of_int64() -> None:
    torch.manual_seed(0)
    decoder, ids = Decoder(CONFIG), torch.randint(40, (2, 33))
    losses = [decoder(i[:, :-1], Packing.of([(32,), (20, 12)]), i[:, 1:]) for i in (ids, ids.int())]
    assert losses[0] == losses[1]


@given(st.integers(1, 512), st.integers(1, 64))
def test_workers_follow_the_cores(cores: int, processes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compute, "cores", lambda: cores)
        patch.setenv("LOCAL_WORLD_SIZE", str(processes))
        found = compute.workers(TrainOptions())
        assert 1 <= found <= 16
        assert found == 1 or found < cores / processes
        if cores <= 4:
            assert found == 1
        assert compute.workers(TrainOptions(workers=0)) == 0
        assert compute.workers(TrainOptions(workers=5)) == 5


def test_workers_are_a_number_or_auto() -> None:
    assert load("toccata").training.workers == "auto"
    assert load("toccata", ["training.workers=3"]).training.workers == 3
    assert replace(TrainOptions(), workers="auto") == TrainOptions()
    with pytest.raises(RecipeError, match="must be a whole number or auto, not"):
        load("toccata", ["training.workers='many'"])
    with pytest.raises(RecipeError, match="at least 0"):
        load("toccata", ["training.workers=-1"])


# ---- compiled as on CUDA


def test_what_cuda_computes_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "device", lambda: "cuda")
    monkeypatch.setattr(trial, "_has_triton", lambda: True)
    options = TrainOptions(minutes=60, precision="bf16")
    assert trial.choose(CONFIG, options, print) == Compute("bf16", "flex", compiled=True)
    assert trial.choose(CONFIG, replace(options, minutes=1.0), print) == Compute("bf16", "flex", compiled=False)
    monkeypatch.setattr(trial, "_has_triton", lambda: False)
    assert trial.choose(CONFIG, options, print) == Compute("bf16", "fused", compiled=False)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kernel", ["plain", "flex"])
@pytest.mark.parametrize("window", [None, 9])
def test_the_whole_decoder_is_one_graph_for_all_batches(kernel: Kernel, window: int | None) -> None:
    from torch._dynamo.testing import CompileCounter

    torch.manual_seed(0)
    torch._dynamo.reset()
    plain = Decoder(replace(CONFIG, window=window))
    whole = Decoder(plain.config)
    whole.load_state_dict(plain.state_dict())
    counter = CompileCounter()
    whole.compile_whole(counter)
    plain.kernel, whole.kernel = "fused", kernel
    ids = torch.randint(40, (2, 33), dtype=torch.int32)
    for lengths in ([(32,), (32,)], [(20, 12), (32,)], [(1, 2, 29), (16, 16)]):
        packing = Packing.always(lengths)
        with torch.set_grad_enabled(kernel != "flex"):  # which has no backward pass on a processor
            one, other = (decoder(ids[:, :-1], packing, ids[:, 1:]) for decoder in (plain, whole))
        assert torch.allclose(one, other, atol=1e-5)
        if kernel != "flex":
            (one + other).backward()
            pairs = zip(plain.parameters(), whole.parameters(), strict=True)
            assert all(torch.allclose(a.grad, b.grad, atol=1e-4) for a, b in pairs)
            plain.zero_grad(), whole.zero_grad()
    assert counter.frame_count == 1


# ---- losses read only now and then


@pytest.fixture(scope="module")
def corpus(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("music")
    paths = [p for p in sorted((data / "bach" / "mutopia").rglob("*.mid")) if 2_000 < p.stat().st_size < 9_000]
    for path in paths[::25]:
        shutil.copy(path, folder)
    return prepare(folder, tmp_path_factory.mktemp("corpus"), PrepareOptions(valid=0.3, test=0.0), processes=0)


class Seldom(TorchBackend):
    """Reads losses every few steps, as on a GPU; at step ``broken``, counted from 0, a weight is no number any more."""

    def __init__(self, reads: int, broken: int = -1) -> None:
        super().__init__()
        self.reads, self.broken = reads, broken

    def learner(self, *args: Any) -> TorchLearner:
        backend = self

        class Learner(TorchLearner):
            def step(self, number: int, lr: float) -> tuple[int, float]:
                if number == backend.broken:
                    with torch.no_grad():
                        self.decoder.norm.weight[0] = math.nan
                return super().step(number, lr)

        learner = Learner(*args)
        learner.reads = self.reads
        return learner


def train(corpus: Corpus, out: Path, backend: TorchBackend) -> list[int]:
    steps: list[int] = []
    settings = ["training.steps=12", "training.evaluations=2", "training.precision='fp32'", "training.workers=0",
                "training.checkpoint_minutes=0"]  # fmt: skip
    run = Run(load("toccata", [*TINY, *settings]), out, None, lambda _: None, backend)
    run.train(corpus, run.tokenizer(corpus, lambda *_: None), lambda step: steps.append(step.step))
    return steps


def test_losses_that_are_read_later_are_the_same(corpus: Corpus, tmp_path: Path) -> None:
    assert train(corpus, tmp_path / "each", Seldom(1)) == list(range(1, 13))
    assert train(corpus, tmp_path / "seldom", Seldom(5)) == [5, 6, 10, 12]  # and where it is evaluated
    each, seldom = (log.read(tmp_path / name / "training" / "log.csv") for name in ("each", "seldom"))
    for column in ("step", "loss", "valid_loss", "lr", "tokens"):
        assert [row.get(column) for row in each] == [row.get(column) for row in seldom]
    kept = [load_file(tmp_path / name / "training" / checkpoint.LAST) for name in ("each", "seldom")]
    assert all((kept[0][name] == kept[1][name]).all() for name in kept[0])


def test_a_loss_that_is_not_finite_ends_the_run_where_it_is_read(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(NotFiniteError, match=r"the loss of step 9 is not .* the state after step 6 is kept"):
        train(corpus, tmp_path / "m", Seldom(5, broken=8))
    place = tmp_path / "m" / "training"
    assert all(np.isfinite(array).all() for array in load_file(place / checkpoint.LAST).values())
    assert checkpoint.state(place / checkpoint.LAST)["step"] == 6


def test_a_worker_is_started_with_less_than_a_pipe_holds(corpus: Corpus) -> None:
    """With more, the trainer waits for each worker to import torch before it starts the next one."""
    tokenizer = build_tokenizer(load("toccata").tokenizer)
    examples = Examples(corpus, tokenizer, "train", 256, load("toccata").examples, features=tokenizer.features)
    rows = [examples.row(number) for number in range(4)]
    state = pickle.dumps(examples)
    assert len(state) < 2**16
    again = pickle.loads(state)
    for number, row in enumerate(rows):
        made = again.row(number)
        assert np.array_equal(made.inputs, row.inputs)
        assert np.array_equal(made.targets, row.targets)
        assert row.features is not None
        assert np.array_equal(made.features, row.features)
