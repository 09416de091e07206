"""How long a recipe would take here: measured once, kept, and said to be about right."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli_support import call
from toccata import pace
from toccata.errors import MissingExtra, ToccataError
from toccata.model.config import DecoderConfig, sized
from toccata.recipes import load, names

KNOWN = {"device": "cpu", "precision": "fp32", "date": "2026-01-01", "busy": False, "update": 1e-9,
         "rates": [{"width": 128, "rate": 2e10}, {"width": 512, "rate": 8e10}]}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one's own, and a measurement that takes no longer than it must."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(pace, "SECONDS", 0.1)
    return tmp_path / "cache" / "toccata" / "speed.json"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Counts measurements instead of making them."""
    from toccata.training import speed

    calls: list[float] = []
    found = {key: value for key, value in KNOWN.items() if key not in ("date", "busy")}

    def measure(seconds: float) -> dict[str, Any]:
        calls.append(seconds)
        return found

    monkeypatch.setattr(speed, "measure", measure)
    return calls


def test_a_measurement_is_made_once_and_kept(cache: Path) -> None:
    first = call("recipes", "--json")
    assert first.code == 0
    value = first.json
    assert "ten seconds" in first.err
    assert cache.is_file()
    assert value["measured"]["device"] in ("cpu", "cuda", "mps")
    assert all(1e8 < known["rate"] < 1e16 for known in value["measured"]["rates"])
    assert 0 < value["measured"]["update"] < 1e-6
    assert all(row["seconds"] > 0 for row in value["recipes"])
    again = call("recipes", "--json")
    assert again.json == value
    assert again.err == ""


def test_what_is_kept_needs_no_torch(cache: Path, measured: list[float]) -> None:
    pace.speed()
    code = "import sys; from toccata import pace; pace.recipe_table(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_when_it_is_measured_again(cache: Path, measured: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    pace.speed(say=said.append)
    pace.speed(say=said.append)
    assert (len(measured), len(said)) == (1, 1)
    pace.speed(again=True)
    assert len(measured) == 2
    kept = json.loads(cache.read_text(encoding="utf-8"))
    wrong: list[Any] = [
        {**kept, "machine": {**kept["machine"], "torch": "1.0"}},
        {**kept, "machine": {**kept["machine"], "toccata": "0.0.1"}},
        {**kept, "speed": {**kept["speed"], "rates": []}},
        {**kept, "speed": {**kept["speed"], "rates": [{"width": 0, "rate": "fast"}] * 2}},
        {**kept, "speed": None},
        [],
    ]
    for count, content in enumerate([*(json.dumps(each) for each in wrong), "no JSON", ""], 3):
        cache.write_text(content, encoding="utf-8")
        assert pace.speed()["rates"] == KNOWN["rates"]
        assert len(measured) == count, content
    monkeypatch.setenv("OMP_NUM_THREADS", "77")
    count = len(measured)
    pace.speed()
    assert len(measured) == count + 1


def test_a_cache_that_cannot_be_written_is_done_without(cache: Path, measured: list[float]) -> None:
    cache.parent.parent.write_text("a file where the folder should be")
    assert pace.speed()["rates"] == KNOWN["rates"]
    assert pace.speed()["rates"] == KNOWN["rates"]
    assert len(measured) == 2


def test_without_torch_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        if name == "torch":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(MissingExtra, match=r"toccata\[train\]"):
        pace.speed()
    done = call("recipes")
    assert done.code == 0
    assert done.out.splitlines()[-1] == 'no times: training needs torch: pip install "toccata[train]"'
    assert all(line.split()[-2 if "/" in line else -1] == "-" for line in done.out.splitlines()[1:-2:2])
    value = call("recipes", "--json").json
    assert {row["seconds"] for row in value["recipes"]} == {None}
    assert "torch" in value["why"]


def test_a_torch_that_fails_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from toccata.training import speed

    def broken(seconds: float) -> dict[str, Any]:
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr(speed, "measure", broken)
    with pytest.raises(ToccataError, match="out of memory"):
        pace.speed()
    assert "cannot be measured" in call("recipes").out


def test_the_table(measured: list[float]) -> None:
    done = call("recipes")
    assert done.code == 0
    head, *lines = done.out.splitlines()
    for column in ("recipe", "tokens", "parameters", "context", "trains here for", "follows"):
        assert column in head
    for name, line, about in zip(names(), lines[0:-3:2], lines[1:-3:2], strict=True):
        recipe = load(name)
        assert line.startswith(f"{name} ")
        assert recipe.tokenizer.scheme in line
        assert recipe.seed in line
        assert "about" in line
        assert about.strip() == recipe.about
    assert "the processor in fp32" in lines[-2]


def test_beside_other_programs_it_says_so(measured: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    for load_average, busy in ((0.0, False), (1e3, True)):
        monkeypatch.setattr(os, "getloadavg", lambda load=load_average: (load, 0.0, 0.0), raising=False)
        done = call("recipes", "--measure", "--json")
        assert done.json["measured"]["busy"] is busy
        assert ("--measure" in call("recipes").out) is busy


def test_no_time_is_taken_if_none_is_wanted(cache: Path, measured: list[float]) -> None:
    done = call("recipes", "--no-time")
    assert done.code == 0
    assert done.err == ""
    assert "trains here for" not in done.out
    assert measured == []
    assert call("recipes", "--no-time", "--json").json["measured"] is None
    assert call("recipes", "--no-time", "--measure").code == 2
    assert call("recipes", "--measure").code == 0
    assert len(measured) == 1


def test_times_grow_with_the_work() -> None:
    def seconds(*settings: str) -> float:
        recipe = load("toccata", settings)
        return pace.seconds(recipe, recipe.decoder(900), KNOWN)

    whole = seconds("training.evaluations=1")
    assert seconds("training.evaluations=1", "training.steps=4000") == pytest.approx(2 * whole, rel=0.02)
    assert seconds("training.evaluations=1", "training.gradient_accumulation_steps=2") == pytest.approx(
        2 * whole, rel=0.2
    )
    assert seconds("training.evaluations=100") > whole
    assert seconds("training.optimizer=adamw", "training.evaluations=1") < whole
    assert (
        seconds("model.size=nano")
        < seconds("model.size=micro")
        < seconds("model.size=small")
        < seconds("model.size=base")
    )
    assert seconds("training.minutes=7") == 420
    # 2,000 steps of 8 rows of 512, by hand: six operations a number of a matrix, and attention's
    plain = load("toccata", ["training.optimizer=adamw", "training.evaluations=1", "training.valid_rows=1"])
    config = replace(plain.decoder(900), width=128, heads=2, kv_heads=2)
    matrices = config.layers * (4 * 128 * 128 + 3 * 128 * 512) + 900 * 128
    operations = 6 * matrices + 12 * config.layers * 128 * 256.5
    by_hand = 2000 * 8 * 512 * operations / 2e10
    assert pace.seconds(plain, config, KNOWN) == pytest.approx(by_hand, rel=0.01)


@pytest.mark.parametrize(
    "config",
    [
        DecoderConfig(vocab=700, context=64, **sized("nano")),
        DecoderConfig(
            vocab=700, context=64, **{**sized("nano", "gelu"), "mlp": "gelu", "positions": "learned", "tied": True}
        ),
    ],
)
def test_work_is_what_torch_counts(config: DecoderConfig) -> None:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from toccata.model.decoder import Decoder

    decoder = Decoder(config)
    ids = torch.zeros(2, 65, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        loss = decoder(ids[:, :-1], None, ids[:, 1:])
        loss.backward()
    # torch counts the half of attention that is masked, too
    assert counter.get_total_flops() / 128 == pytest.approx(config.work(64), rel=0.05)
