"""What large machines need of a training, as far as it can be shown without a GPU."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toccata.corpus.examples import Row
from toccata.errors import RecipeError
from toccata.model.attention import Packing
from toccata.model.config import DecoderConfig
from toccata.model.decoder import Decoder
from toccata.recipes import load
from toccata.training import compute
from toccata.training.data import Batch, batches, stack
from toccata.training.options import TrainOptions

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


def test_ids_are_int32_from_the_example_to_the_device() -> None:
    for batch in (taken(0, 0, packed=True)[0], stack([Counting().row(1)])):
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
