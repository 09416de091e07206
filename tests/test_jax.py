"""JAX beside torch: the same logits, the same steps, the same folder; resumed exactly, on one device or several."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import numpy as np
import psutil
import pytest
import torch

from random_model import load_decoder
from toccata import folder
from toccata.corpus.batches import Batch, batches
from toccata.corpus.examples import ExampleOptions, Examples, Row
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.errors import CorpusError, ModelError, ToccataError
from toccata.jaxnet.backend import JaxBackend
from toccata.jaxnet.decoder import Decoder, Packing
from toccata.jaxnet.learner import JaxLearner
from toccata.jaxnet.weights import named, placed
from toccata.model.attention import Packing as TorchPacking
from toccata.model.config import DecoderConfig
from toccata.model.decoder import Decoder as TorchDecoder
from toccata.model.weights import to_arrays
from toccata.musicmodel import Model
from toccata.recipes import load, names
from toccata.tokenizers.events import EventOptions, EventTokenizer
from toccata.training import checkpoint, log
from toccata.training.loop import State
from toccata.training.options import TrainOptions
from toccata.training.pipeline import Run
from toccata.training.schedule import rate
from toccata.training.torchnet import TorchBackend, TorchLearner
from train_part import TINY

PART = Path(__file__).parent / "train_part.py"
LLAMA = DecoderConfig(vocab=97, context=64, layers=2, width=48, heads=6, kv_heads=2, ffn=80)
GPT = replace(LLAMA, norm="layer", mlp="gelu", positions="learned", bias=True, tied=True, kv_heads=6)
LENGTHS = [(5, 1, 30), (36,), (12, 23, 1)]


@pytest.fixture(scope="module", autouse=True)
def _compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What one run has compiled the next one finds, in other processes too: these tests are about numbers."""
    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0.5,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)
        del os.environ[name.upper()]


def pair(config: DecoderConfig) -> tuple[TorchDecoder, Decoder]:
    """Both Decoders, with the same weights, large enough that every part of them shows in the logits."""
    torch.manual_seed(0)
    theirs = TorchDecoder(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(torch.randn_like(parameter) * min(0.08, 0.6 / config.width**0.5))
    weights = to_arrays(dict(theirs.named_parameters()))
    return theirs, placed(Decoder(config, jax.random.key(0)), weights)


def apart(config: DecoderConfig, lengths: list[tuple[int, ...]] | None) -> tuple[float, float]:
    """How far the logits are apart at most, and how large they are."""
    theirs, ours = pair(config)
    ids = np.random.default_rng(1).integers(0, config.vocab, (3, 36))
    rows = config.feature_rows
    beside = np.random.default_rng(2).integers(0, rows, (3, 36, 5)) if rows else None
    packing = None if lengths is None else TorchPacking.of(lengths)
    with torch.no_grad():
        features = None if beside is None else torch.from_numpy(beside)
        expected = theirs(torch.from_numpy(ids), packing, features=features).numpy()
    found = ours(ids.astype(np.int32), None if lengths is None else Packing.of(lengths), features=beside)
    return float(np.abs(np.asarray(found) - expected).max()), float(expected.std())


# ---- the same logits

CHOICES: list[DecoderConfig] = [
    LLAMA,
    GPT,
    replace(LLAMA, window=7, kv_heads=1),
    replace(LLAMA, norm="layer", mlp="silu", block="parallel", bias=True),
    replace(LLAMA, mlp="relu2"),
    replace(LLAMA, mlp="gelu", block="parallel", tied=True, window=5),
    replace(GPT, norm="rms", mlp="swiglu", bias=False, tied=False, kv_heads=3),
    replace(GPT, mlp="silu", block="parallel", window=3),
    replace(LLAMA, features=(("first", 20), ("second", 11))),
    replace(LLAMA, features=(("first", 20), ("second", 150)), intervals=("second", "first"), pitches=(3, 10, 30)),
    replace(
        LLAMA, features=(("first", 20), ("second", 150)), intervals=("second",), pitches=(3, 10, 30), relative=True
    ),
]


@pytest.mark.parametrize("number", range(len(CHOICES)))
def test_logits_are_torchs(number: int) -> None:
    off, size = apart(CHOICES[number], LENGTHS)
    assert off < 1e-4
    assert size > 0.3


@pytest.mark.parametrize("config", [LLAMA, GPT], ids=["llama", "gpt"])
def test_logits_are_torchs_without_packing(config: DecoderConfig) -> None:
    off, size = apart(config, None)
    assert off < 1e-4
    assert size > 0.3


def test_the_choices_above_are_all_there_are() -> None:
    for name in ("norm", "mlp", "positions", "block", "bias", "tied", "window", "features", "intervals", "relative"):
        offered = {"mlp": 3}.get(name, 2)
        assert len({getattr(config, name) for config in CHOICES}) >= offered, name


@pytest.mark.parametrize("name", names())
def test_logits_are_torchs_for_every_recipe(name: str) -> None:
    config = replace(load(name).decoder(vocab=300), layers=1)
    off, size = apart(config, LENGTHS)
    assert off < 1e-4
    assert size > 0.3


def test_learned_positions_end() -> None:
    _, ours = pair(replace(GPT, layers=1))
    with pytest.raises(ValueError, match="65 tokens, but learned positions for 64"):
        ours(np.zeros((1, 65), np.int32))


def test_dropout_is_chance_that_can_be_had_again() -> None:
    _, ours = pair(replace(LLAMA, dropout=0.3))
    ids = np.arange(40, dtype=np.int32)[None]
    one, again, other = (np.asarray(ours(ids, key=jax.random.key(seed))) for seed in (1, 1, 2))
    still = np.asarray(ours(ids))
    assert (one == again).all()
    assert np.abs(one - other).max() > 0.1
    assert np.abs(one - still).max() > 0.1
    assert (np.asarray(ours(ids)) == still).all()


# ---- the same steps


@pytest.fixture(scope="module")
def corpus(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    music = tmp_path_factory.mktemp("music")
    paths = [p for p in sorted((data / "bach" / "mutopia").rglob("*.mid")) if 2_000 < p.stat().st_size < 9_000][::7]
    for path in paths[:12]:
        shutil.copy(path, music / path.name)
    return prepare(music, tmp_path_factory.mktemp("corpus"), PrepareOptions(valid=0.2, test=0.0), processes=0)


@pytest.fixture(scope="module")
def tokenizer() -> EventTokenizer:
    return EventTokenizer.build(EventOptions("REMI", {"num_velocities": 8}))


@pytest.mark.parametrize(
    ("optimizer", "changes", "beside"),
    [("muon", {}, False), ("adamw", {"tied": True, "bias": True}, False), ("muon", {}, True)],
)
def test_steps_are_torchs(
    optimizer: Any, changes: Any, beside: bool, corpus: Corpus, tokenizer: EventTokenizer
) -> None:
    """The same batches, clipping, decay, average and optimisers: the same losses and weights, step after step."""
    config = DecoderConfig(
        vocab=tokenizer.vocab_size, context=48, layers=1, width=32, heads=2, kv_heads=1, ffn=48, **changes
    )
    features = tokenizer.features if beside else None
    if features is not None:
        shape = {"features": features.blocks, "intervals": features.intervals, "pitches": features.pitches}
        config = replace(config, **shape)
    options = TrainOptions(
        optimizer=optimizer, steps=6, micro_batch_size=3, gradient_accumulation_steps=2,
        lr=0.01, embedding_lr=1.5, clip=0.5, ema=0.9, weight_decay=0.3, warmup=0.4,
        precision="fp32", workers=0, valid_rows=4, seed=5,
    )  # fmt: skip
    train = Examples(corpus, tokenizer, "train", 48, ExampleOptions(), 5, features)
    valid = Examples(corpus, tokenizer, "valid", 48, features=features)
    torch.manual_seed(0)
    weights = to_arrays(dict(TorchDecoder(config).named_parameters()))
    both = [kind(config, weights, train, valid, options) for kind in (TorchLearner, JaxLearner)]
    for learner in both:
        learner.begin(0)
    for number in range(6):
        theirs, ours = (learner.step(number, rate(options, number, 6)) for learner in both)
        assert ours[0] == theirs[0]
        losses = [learner.losses() for learner in both]
        assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    assert both[1].evaluate() == pytest.approx(both[0].evaluate(), abs=1e-4)
    expected, found = both[0].weights(), both[1].weights()
    assert sorted(expected) == sorted(found)
    assert max(float(np.abs(expected[name] - found[name]).max()) for name in expected) < 2e-3
    assert max(float(np.abs(expected[name] - weights[name]).max()) for name in expected) > 0.02


# ---- runs

SETTINGS = ("training.precision='fp32'", "model.dropout=0.2", "training.ema=0.9",
            "training.gradient_accumulation_steps=2", "model.layers=1")  # fmt: skip


def run(corpus: Corpus, out: Path, *settings: str, backend: Any = None) -> State:
    recipe = load("toccata", [*TINY, *SETTINGS, *settings])
    one = Run(recipe, out, None, lambda text: None, backend or JaxBackend())
    return one.train(corpus, one.tokenizer(corpus, lambda *_: None), lambda step: None)


def command(corpus: Corpus, out: Path, *settings: str) -> list[str]:
    return [sys.executable, str(PART), str(corpus.folder), str(out), "jax", *SETTINGS, *settings]


def same(one: Path, other: Path, within: float) -> bool:
    rows = [log.read(out / "training" / "log.csv") for out in (one, other)]
    assert [r["step"] for r in rows[0]] == [r["step"] for r in rows[1]] == list(range(1, 13))
    assert len({r["loss"] for r in rows[0]}) == 12
    pairs = [
        (a, b, key) for a, b in zip(*rows, strict=True) for key in ("loss", "valid_loss", "lr", "tokens") if key in a
    ]
    return all(abs(a[key] - b[key]) <= within for a, b, key in pairs)


@pytest.fixture(scope="module")
def whole(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unbroken run on one device."""
    out = tmp_path_factory.mktemp("jax") / "whole"
    assert run(corpus, out).step == 12
    return out


def test_killed_and_resumed_is_as_unbroken(corpus: Corpus, whole: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        command(corpus, tmp_path / "m", "training.workers=1"), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "step 5\n":
                break
        helpers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    assert helpers
    assert psutil.wait_procs(helpers, timeout=30)[1] == []  # nobody is left behind
    recipe = json.loads(json.dumps(load("toccata", [*TINY, *SETTINGS, "training.workers=1"]).to_json()))
    assert checkpoint.identity(tmp_path / "m" / "training" / checkpoint.LAST)["recipe"] == recipe
    run(corpus, tmp_path / "m", "training.workers=1")
    assert same(whole, tmp_path / "m", 1e-6)


def test_two_devices_train_as_one(corpus: Corpus, whole: Path, tmp_path: Path) -> None:
    """Each with half of the rows."""
    flags = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    two = command(corpus, tmp_path / "m", "training.micro_batch_size=2")
    done = subprocess.run(two, env=flags, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "processes     2" in (tmp_path / "m" / "training" / "info.txt").read_text(encoding="utf-8")
    assert same(whole, tmp_path / "m", 1e-4)


def test_a_run_keeps_to_its_backend(corpus: Corpus, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(ToccataError, match="holds a run of the jax backend: go on with --backend jax") as error:
        run(corpus, whole, backend=TorchBackend())
    assert "\n" not in str(error.value)
    run(corpus, tmp_path / "m", "training.steps=1", backend=TorchBackend())
    with pytest.raises(ToccataError, match="holds a run of the torch backend: go on with --backend torch"):
        run(corpus, tmp_path / "m", "training.steps=1")


def test_bf16_is_near() -> None:
    _, ours = pair(replace(LLAMA, dropout=0.1))
    ids = np.arange(40, dtype=np.int32)[None]
    one, other = (
        np.asarray(ours(ids, None, jax.random.key(0), jax.numpy.dtype(kind))) for kind in ("float32", "bfloat16")
    )
    assert other.dtype == np.float32
    assert 0 < np.abs(one - other).max() < 0.1


WITHOUT_TORCH = """
import sys
for name in ("torch", "accelerate", "transformers"):
    sys.modules[name] = None
import runpy
runpy.run_path(sys.argv[1], run_name="part")  # what it needs can be had
from pathlib import Path
from toccata.corpus.store import Corpus
from toccata.jaxnet.backend import JaxBackend
from toccata.recipes import load
from toccata.training.pipeline import Run
run = Run(load("toccata", sys.argv[4:]), Path(sys.argv[3]), None, lambda text: None, JaxBackend())
corpus = Corpus(Path(sys.argv[2]))
tokenizer = run.tokenizer(corpus, lambda *_: None)
run.export(corpus, tokenizer, run.train(corpus, tokenizer, lambda step: None))
"""


def test_without_torch_the_same_folder(corpus: Corpus, whole: Path, tmp_path: Path) -> None:
    """A run that is finished but for its export, exported where there is no torch, and played."""
    out = Path(shutil.copytree(whole, tmp_path / "m"))
    settings = [*TINY, *SETTINGS]
    subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(PART), str(corpus.folder), str(out), *settings], check=True
    )
    opened = folder.open_folder(out)
    opened.verify()
    assert opened.about["lineage"]["backend"] == "jax"
    best = checkpoint.part(checkpoint.load(out / "training" / checkpoint.BEST)[1], checkpoint.MODEL)
    theirs = to_arrays(dict(load_decoder(opened).named_parameters()))
    assert set(best) == set(theirs)
    assert all((best[name] == theirs[name]).all() for name in best)
    assert Model(out, precision="fp32").generate(n=1, bars=1)[0].score is not None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda w: w.pop("norm.weight"), "it lacks norm.weight"),
        (lambda w: w.update(more=np.zeros(3)), "no place for more"),
        (lambda w: w.update({"norm.weight": np.zeros(3)}), r"norm.weight is \[3\], not \[48\]"),
    ],
)
def test_weights_of_another_model(change: Any, why: str) -> None:
    model = Decoder(LLAMA, jax.random.key(0))
    weights = named(model)
    change(weights)
    with pytest.raises(ModelError, match=why):
        placed(model, weights)


def test_jax_that_is_not_installed(tmp_path: Path) -> None:
    code = "import sys; sys.modules['jax'] = None; import toccata; toccata.train('music', 'model', backend='jax')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert 'training needs jax: pip install "toccata[jax]"' in done.stderr.splitlines()[-1]


# ---- batches without torch


class Counting:
    """Examples whose rows say their numbers; one of them cannot be made."""

    def __init__(self, wrong: int = -1) -> None:
        self.wrong = wrong

    def row(self, number: int) -> Row:
        if number == self.wrong:
            raise CorpusError("a shard is missing")
        ids = np.full(4, number, np.int32)
        return Row(ids, ids + 1, (1, 3))


def firsts(found: list[Batch]) -> list[list[int]]:
    return [batch.inputs[:, 0].tolist() for batch in found]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_consecutive_numbers(workers: int) -> None:
    made = batches(Counting(wrong=22), 3, start=2, workers=workers)  # type: ignore[arg-type]
    found = list(islice(made, 5))
    assert firsts(found) == [[6, 7, 8], [9, 10, 11], [12, 13, 14], [15, 16, 17], [18, 19, 20]]
    assert found[0].lengths == ((1, 3),) * 3
    assert (found[0].targets == found[0].inputs + 1).all()
    with pytest.raises(CorpusError, match="a shard is missing"):
        next(made)


def test_a_worker_that_ends_is_told() -> None:
    made = batches(Counting(), 2, workers=1)  # type: ignore[arg-type]
    next(made)
    for child in psutil.Process().children():
        if "spawn_main" in " ".join(child.cmdline()):
            child.kill()
    with pytest.raises(ToccataError, match="has ended: run the same command again"):
        list(islice(made, 100))


def test_dtype_is_asked_for_not_found() -> None:
    options = TrainOptions()
    config = DecoderConfig(vocab=40)

    def precision(options: TrainOptions) -> str:
        return JaxBackend().compute(config, options, lambda _: None).precision

    assert precision(options) == ("fp32" if jax.default_backend() == "cpu" else "bf16")
    assert precision(replace(options, precision="bf16")) == "bf16"
