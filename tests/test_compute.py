"""How a training computes is tried on the machine, remembered, and the same for all of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cli_support import call
from toccata.model.attention import Packing
from toccata.model.config import DecoderConfig
from toccata.model.decoder import Decoder
from toccata.training import compute, trial
from toccata.training.compute import Compute
from toccata.training.options import TrainOptions

CONFIG = DecoderConfig(vocab=40, context=32, layers=3, width=32, heads=2, kv_heads=1, ffn=48)
SHORT = TrainOptions(steps=3, micro_batch_size=2)
LONG = TrainOptions(minutes=5, micro_batch_size=2)
HOUR = TrainOptions(minutes=60, micro_batch_size=2)

on_a_processor = pytest.mark.skipif(trial.device() != "cpu", reason="about processors, and there is something faster")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOCCATA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def quiet(text: str) -> None:
    """Nobody listens."""


def never(*_: object) -> None:
    raise AssertionError("tried")


def test_short_runs_try_nothing(cache: Path) -> None:
    found = trial.choose(CONFIG, SHORT, quiet)
    assert not found.compiled
    assert found.precision in ("bf16", "fp32")
    assert not cache.exists()


@on_a_processor
def test_long_runs_try_kernels_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = trial.choose(CONFIG, LONG, quiet)
    (name,) = json.loads((cache / compute.FILE).read_text())["trials"]
    tried = compute.remembered(torch.__version__)[name]["attention"]
    assert set(tried) == {"blocks", "plain", "fused"}
    assert found.attention == min(tried, key=tried.get)
    assert not found.compiled
    monkeypatch.setattr(trial, "_kernels", never)
    assert trial.choose(CONFIG, LONG, quiet) == found
    assert trial.choose(CONFIG, SHORT, quiet).attention == found.attention  # what is known costs nothing
    with pytest.raises(AssertionError, match="tried"):
        trial.choose(replace(CONFIG, width=64), LONG, quiet)


def test_a_run_of_few_passes_tries_nothing_however_long_it_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_kernels", never)
    monkeypatch.setattr(trial, "_compiling", never)
    for options in (HOUR, replace(HOUR, minutes=None, steps=10**6)):
        assert not trial.choose(CONFIG, options, quiet, most=3).compiled


def test_what_options_say_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_kernels", never)
    monkeypatch.setattr(trial, "_compiling", never)
    options = replace(HOUR, precision="fp32", attention="plain", compile="off")
    assert trial.choose(CONFIG, options, quiet) == Compute("fp32", "plain", compiled=False)


@on_a_processor
@pytest.mark.parametrize(("eager", "compiled", "wanted"), [(0.5, 0.4, True), (0.5, 0.49, False), (0.5, 1e9, False)])
def test_compiling_has_to_be_worth_it(
    eager: float, compiled: float, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "compiler", lambda: "c++")
    monkeypatch.setattr(trial, "_compiling", lambda *_: {"eager": eager, "compiled": compiled})
    assert trial.choose(CONFIG, HOUR, quiet).compiled is wanted


@on_a_processor
def test_nothing_is_compiled_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "compiler", lambda: "")
    monkeypatch.setattr(trial, "_compiling", never)
    assert not trial.choose(CONFIG, HOUR, quiet).compiled


@on_a_processor
def test_a_compiler_that_fails_is_not_asked_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Decoder) -> None:
        raise RuntimeError("no such header")

    monkeypatch.setattr(trial, "compiler", lambda: "c++")
    monkeypatch.setattr(Decoder, "compile_blocks", broken)
    assert not trial.choose(CONFIG, HOUR, quiet).compiled
    (kept,) = compute.remembered(torch.__version__).values()
    assert "no such header" in kept["why"]
    monkeypatch.setattr(trial, "_compiling", never)
    assert not trial.choose(CONFIG, HOUR, quiet).compiled
    assert "compiling failed" in call("doctor").out


@pytest.mark.parametrize("damage", ["", "[]", '{"machine": 1, "trials": 2}', "{"])
def test_a_damaged_cache_is_no_matter(damage: str, cache: Path) -> None:
    cache.mkdir()
    (cache / compute.FILE).write_text(damage)
    assert compute.remembered("1") == {}
    compute.remember("1", "a", {"eager": 1.0, "compiled": 2.0})
    assert compute.remembered("1") == {"a": {"eager": 1.0, "compiled": 2.0}}
    assert compute.remembered("2") == {}, "another version of torch"


@pytest.mark.parametrize(
    "damage",
    [3, {"attention": 3}, {"attention": {}}, {"attention": {"magic": 1.0}}, {"attention": {"plain": "fast"}},
     {"eager": 1.0}, {"eager": 1.0, "compiled": None}],
)  # fmt: skip
def test_a_damaged_trial_is_made_anew(damage: object, cache: Path) -> None:
    compute.remember("1", "a", {"attention": {"plain": 1.0}})
    kept = json.loads((cache / compute.FILE).read_text())
    kept["trials"]["b"] = damage
    (cache / compute.FILE).write_text(json.dumps(kept))
    assert set(compute.remembered("1")) == {"a"}


@pytest.mark.parametrize("damage", [None, [], {"precision": "fp8"}, {"attention": "auto"}, {"compiled": 1}, {"a": 1}])
def test_what_is_no_way_to_compute_is_not_read(damage: object) -> None:
    assert Compute.from_json(damage) is None
    made = Compute("bf16", "blocks", compiled=True)
    assert Compute.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.slow
@pytest.mark.skipif(not compute.compiler(), reason="there is no C++ compiler")
@pytest.mark.parametrize("bf16", [False, True])
def test_a_compiled_step_is_the_same(bf16: bool, recwarn: pytest.WarningsRecorder) -> None:
    torch.manual_seed(1)
    plain, compiled = Decoder(CONFIG), Decoder(CONFIG)
    compiled.load_state_dict(plain.state_dict())
    compiled.compile_blocks()
    ids = torch.randint(40, (2, 33))
    for lengths in ([(32,), (32,)], [(20, 12), (32,)]):
        gradients = []
        for decoder in (plain, compiled):
            step = _step(decoder, ids, lengths, bf16)
            loss = step()
            gradients.append((loss, {name: p.grad for name, p in decoder.named_parameters()}))
            decoder.zero_grad()
        (one, ours), (other, theirs) = gradients
        assert one == pytest.approx(other, rel=1e-2 if bf16 else 1e-5)
        for name, gradient in ours.items():
            found = theirs[name]
            assert gradient is not None
            assert found is not None
            assert (gradient - found).norm() <= (0.05 if bf16 else 1e-4) * gradient.norm() + 1e-6, name
    recwarn.clear()  # compilers have much to say


def _step(decoder: Decoder, ids: torch.Tensor, lengths: list[tuple[int, ...]], bf16: bool) -> Callable[[], float]:
    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss: torch.Tensor = decoder(ids[:, :-1], Packing.always(lengths), ids[:, 1:])
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    return step
