"""A training whose numbers are no longer finite ends at that step; nothing of it is kept, resumed or exported."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from cli_support import TINY
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.errors import ModelError
from toccata.model.config import DecoderConfig
from toccata.model.decoder import Decoder
from toccata.model.vqconfig import ABOUT, VqConfig
from toccata.model.weights import to_arrays
from toccata.recipes import load
from toccata.training import checkpoint, log
from toccata.training.export import export
from toccata.training.finite import NotFiniteError
from toccata.training.options import CodecOptions
from toccata.training.pipeline import Run
from toccata.training.torchnet import TorchBackend, TorchLearner
from toccata.training.vq import CodecStep, train_codec

SETTINGS = (*TINY, "training.steps=12", "training.evaluations=6", "training.precision='fp32'",
            "training.checkpoint_minutes=0")  # fmt: skip


@pytest.fixture(scope="module")
def corpus(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("music")
    for path in sorted((data / "bach" / "mutopia").rglob("*.mid"))[::25]:
        shutil.copy(path, folder)
    return prepare(folder, tmp_path_factory.mktemp("corpus"), PrepareOptions(valid=0.3, test=0.0), processes=0)


class BrokenTorch(TorchLearner):
    """Breaks a weight while it takes step ``at``, counted from 0: before its loss is known, or after it."""

    at, before = 0, True

    def step(self, number: int, lr: float) -> tuple[int, float]:
        if number == self.at and self.before:
            self._break()
        found = super().step(number, lr)
        if number == self.at and not self.before:
            self._break()
        return found

    def _break(self) -> None:
        with torch.no_grad():
            self.decoder.norm.weight[0] = math.nan


def breaking(name: str, at: int, before: bool) -> Any:
    """A backend of this name whose learner breaks at step ``at``, counted from 0."""
    if name == "torch":

        class Torch(TorchBackend):
            def learner(self, *args: Any) -> TorchLearner:
                learner = BrokenTorch(*args)
                learner.at, learner.before = at, before
                return learner

        return Torch()
    pytest.importorskip("equinox", reason="JAX is not installed")
    import equinox as eqx

    from toccata.jaxnet.backend import JaxBackend
    from toccata.jaxnet.learner import JaxLearner

    class BrokenJax(JaxLearner):
        def step(self, number: int, lr: float) -> tuple[int, float]:
            if number == at and before:
                self._break()
            found = super().step(number, lr)
            if number == at and not before:
                self._break()
            return found

        def _break(self) -> None:
            self.model = eqx.tree_at(lambda m: m.norm.weight, self.model, replace_fn=lambda w: w * math.nan)

    class Jax(JaxBackend):
        def learner(self, *args: Any) -> JaxLearner:
            return BrokenJax(*args)

    return Jax()


def train(corpus: Corpus, out: Path, backend: Any, *settings: str, say: list[str] | None = None) -> Any:
    run = Run(load("toccata", [*SETTINGS, *settings]), out, None, ([] if say is None else say).append, backend)
    return run.train(corpus, run.tokenizer(corpus, lambda *_: None), lambda step: None)


def is_finite(path: Path) -> bool:
    return all(np.isfinite(array).all() for array in load_file(path).values())


@pytest.mark.parametrize("before", [True, False], ids=["a loss", "a weight"])
@pytest.mark.parametrize("name", ["torch", "jax"])
def test_it_ends_at_the_step_and_keeps_the_state_before(
    name: str, before: bool, corpus: Corpus, tmp_path: Path
) -> None:
    out = tmp_path / "m"
    with pytest.raises(NotFiniteError, match=r"a lower training\.lr") as error:
        train(corpus, out, breaking(name, 5, before))
    what = "the loss of step 6" if before else "after step 6"
    assert what in error.value.message
    assert "the state after step 5 is kept" in error.value.message
    assert "\n" not in error.value.message
    place = out / "training"
    assert is_finite(place / checkpoint.LAST)
    assert is_finite(place / checkpoint.BEST)
    assert json.loads((place / "state.json").read_text())["step"] == 5
    assert all(math.isfinite(row["loss"]) for row in log.read(place / "log.csv"))
    assert "failed" in (place / "info.txt").read_text()
    if name == "torch":  # what was wrong has passed: it goes on from there
        said: list[str] = []
        assert train(corpus, out, TorchBackend(), say=said).step == 12
        assert any(line.startswith("Going on after step 5 of 12") for line in said)


def test_a_broken_checkpoint_is_not_gone_on_with(corpus: Corpus, tmp_path: Path) -> None:
    out = tmp_path / "m"
    train(corpus, out, TorchBackend(), "training.steps=2")
    last = out / "training" / checkpoint.LAST
    state, arrays = checkpoint.load(last)
    arrays["model.norm.weight"][0] = np.inf
    save_file(arrays, last, metadata={"state": json.dumps(state)})
    with pytest.raises(ModelError, match=r"model\.norm\.weight is not finite.*delete it to begin anew"):
        train(corpus, out, TorchBackend(), "training.steps=2")


# ---- codes

CODES = VqConfig(steps=12, codes=2, codebook=16, width=16, entry=4)


def test_codes_end_at_the_step_and_keep_the_state_before(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toccata.model.vqvae import VqVae

    options = CodecOptions(steps=8, rows=16, evaluations=4, valid_rows=32, checkpoint_minutes=0)
    whole = train_codec(corpus, CODES, options, tmp_path / "whole")
    forward, broken = VqVae.forward, []

    def breaks(self: VqVae, x: torch.Tensor) -> torch.Tensor:
        found = forward(self, x)
        return found * math.nan if broken and self.training else found

    monkeypatch.setattr(VqVae, "forward", breaks)
    report = lambda step: broken.append(True) if step.step == 5 else None  # noqa: E731
    with pytest.raises(NotFiniteError, match=r"step 6 .*after step 5 is kept.*a lower codec_training\.lr") as error:
        train_codec(corpus, CODES, options, tmp_path / "codes", report=report)
    assert "\n" not in error.value.message
    assert is_finite(tmp_path / "codes" / "vq-last.safetensors")
    assert not (tmp_path / "codes" / ABOUT).exists()
    broken.clear()
    steps: list[int] = []
    again = train_codec(corpus, CODES, options, tmp_path / "codes", report=lambda step: steps.append(step.step))
    assert steps == [6, 7, 8]
    assert again.best_loss == whole.best_loss


def test_a_signal_in_the_middle_of_a_step_of_the_codes_waits_for_its_end(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state of which the weights are a step ahead of the number would do that step twice."""
    import signal

    options = CodecOptions(steps=6, rows=16, evaluations=2, valid_rows=32)
    whole = train_codec(corpus, CODES, options, tmp_path / "whole")
    zero, count = torch.optim.AdamW.zero_grad, [0]

    def interrupted(self: Any, *args: Any) -> None:
        zero(self, *args)
        count[0] += 1
        if count[0] == 3:  # the weights have moved, the step is not counted yet
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(torch.optim.AdamW, "zero_grad", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_codec(corpus, CODES, options, tmp_path / "parts")
    steps: list[CodecStep] = []
    parts = train_codec(corpus, CODES, options, tmp_path / "parts", report=steps.append)
    assert [step.step for step in steps] == [4, 5, 6]
    assert parts.best_loss == whole.best_loss
    for name in ("vq.safetensors",):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


# ---- export

SMALL = DecoderConfig(vocab=40, context=32, layers=1, width=16, heads=2, kv_heads=1, ffn=24)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_not_exported(value: float, tmp_path: Path) -> None:
    weights = to_arrays(dict(Decoder(SMALL).named_parameters()))
    weights["blocks.0.mlp.down.weight"][3, 1] = value
    (tmp_path / "toccata.json").write_text("the model before")
    with pytest.raises(ModelError, match=r"blocks\.0\.mlp\.down\.weight is not finite"):
        export(tmp_path, SMALL, weights, None, {}, "")  # type: ignore[arg-type]  # it does not come to the tokenizer
    assert [path.name for path in tmp_path.iterdir()] == ["toccata.json"]
