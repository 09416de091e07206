"""Training: killed and resumed exactly, refused where it is another run, and what its parts promise."""

from __future__ import annotations

import json
import math
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from symusic import Note, Score, Track

import toccata
from toccata import api
from toccata.corpus.examples import Examples, refuse_drums_alone
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.errors import CorpusError, ModelError, RecipeError, RequestError, ToccataError
from toccata.folder import ModelFolder
from toccata.midi.clean import CleanOptions
from toccata.model.config import DecoderConfig
from toccata.recipes import load, of_corpus, restore
from toccata.tokenizers.events import EventOptions, EventTokenizer
from toccata.tokenizers.load import load_tokenizer
from toccata.training import checkpoint, log, picture, pipeline
from toccata.training.compute import Compute
from toccata.training.loop import Step, Trainer
from toccata.training.optim import Muon, orthogonalised
from toccata.training.options import TrainOptions
from toccata.training.pipeline import Run
from toccata.training.schedule import rate
from toccata.training.stop import Stop
from toccata.training.torchnet import TorchBackend, TorchLearner
from train_part import TINY, over

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def music(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    paths = [p for p in sorted((data / "bach" / "mutopia").rglob("*.mid")) if 2_000 < p.stat().st_size < 9_000][::6]
    for path in paths[:14]:
        shutil.copy(path, folder / path.name)
    return folder


@pytest.fixture(scope="module")
def corpus(music: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return prepare(music, tmp_path_factory.mktemp("corpus"), PrepareOptions(valid=0.2, test=0.2), processes=0)


def command(corpus: Corpus, out: Path, *settings: str) -> list[str]:
    return [sys.executable, str(HERE / "train_part.py"), str(corpus.folder), str(out), *settings]


def run(corpus: Corpus, out: Path, *settings: str) -> dict[str, object]:
    done = subprocess.run(command(corpus, out, *settings), check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def killed_at(step: int, corpus: Corpus, out: Path, *settings: str, how: signal.Signals | None = None) -> None:
    """Start a run and kill it, wherever it is, once it has told of ``step``."""
    with subprocess.Popen(command(corpus, out, *settings), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == f"step {step}\n":
                break
        process.kill() if how is None else process.send_signal(how)
        process.stdout.read()
    assert process.returncode != 0


def losses(out: Path, column: str = "loss") -> dict[int, float]:
    return {int(r["step"]): r[column] for r in log.read(out / "training" / "log.csv") if column in r}


# ---- resumed

ALL = ("model.dropout=0.2", "training.ema=0.9")
RUNS = {
    "muon": (*ALL, "training.optimizer='muon'", "training.schedule='wsd'"),
    "adamw": (
        *ALL,
        "training.optimizer='adamw'",
        "training.gradient_accumulation_steps=2",
        "training.micro_batch_size=2",
        "model.tied=true",
    ),
}


@pytest.mark.parametrize("kind", RUNS)
def test_killed_and_resumed_is_as_unbroken(kind: str, corpus: Corpus, tmp_path: Path) -> None:
    settings = ("training.steps=12", *RUNS[kind])
    train(corpus, tmp_path / "whole", *settings)
    broken = tmp_path / "broken"
    killed_at(5, corpus, broken, "training.precision='fp32'", *settings)
    torn = broken / "training" / "log.csv"
    torn.write_text(torn.read_text() + "11,3.")
    train(corpus, broken, *settings)
    for column in ("loss", "valid_loss", "lr", "tokens"):
        one, other = losses(tmp_path / "whole", column), losses(broken, column)
        assert list(one) == list(other)
        assert max(abs(one[i] - other[i]) for i in one) <= 1e-6
    assert list(losses(broken)) == list(range(1, 13))
    assert len(losses(broken, "valid_loss")) == 4
    kept = [load_file(tmp_path / name / "training" / checkpoint.BEST) for name in ("whole", "broken")]
    assert all(torch.allclose(kept[0][name], kept[1][name], atol=1e-6) for name in kept[0])


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_told_to_stop_it_finishes_its_step(corpus: Corpus, tmp_path: Path) -> None:
    settings = ("training.steps=40", "training.precision='fp32'", *RUNS["muon"])
    rarely = "training.checkpoint_minutes=60"  # only the signal makes it keep its state
    train(corpus, tmp_path / "whole", *settings, rarely)
    broken = tmp_path / "broken"
    killed_at(3, corpus, broken, *settings, rarely, how=signal.SIGTERM)
    kept = json.loads((broken / "training" / "state.json").read_text())["step"]
    assert 3 <= kept < 40
    assert list(losses(broken)) == list(range(1, kept + 1))
    train(corpus, broken, *settings, rarely)
    one, other = losses(tmp_path / "whole"), losses(broken)
    assert list(one) == list(other)
    assert max(abs(one[i] - other[i]) for i in one) <= 1e-6


def test_a_script_of_two_lines_trains_with_workers(music: Path, tmp_path: Path) -> None:
    """As in the README: it has no ``if __name__ == "__main__"``, and is not run again by its worker processes."""
    settings = [*TINY, "training.workers=1", "training.steps=3", "training.choose_sampling=false"]
    script = tmp_path / "script.py"
    script.write_text(
        f"import toccata\nprint('begun')\ntoccata.train({str(music)!r}, 'model', settings={settings!r})\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (0, "begun\n"), done.stderr
    assert list(losses(tmp_path / "model")) == [1, 2, 3]


def test_a_stop_waits_for_the_step() -> None:
    def term() -> None:
        signal.raise_signal(signal.SIGTERM)

    def gone() -> None:
        term()
        raise RuntimeError("a worker has gone: it heard it too")

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Stop() as stop:
        stop.check()
        term()
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            stop.check()
        with pytest.raises(KeyboardInterrupt):  # who asks twice does not want to wait
            term()
    with pytest.raises(KeyboardInterrupt), Stop():
        gone()
    with pytest.raises(RuntimeError), Stop():
        raise RuntimeError("a fault")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.slow
def test_killed_and_resumed_with_workers(corpus: Corpus, tmp_path: Path) -> None:
    settings = (*RUNS["muon"], "training.workers=1", "training.checkpoint_minutes=0.01", "training.steps=60")
    run(corpus, tmp_path / "whole", *settings)
    for step in (7, 31):
        killed_at(step, corpus, tmp_path / "broken", *settings)
    run(corpus, tmp_path / "broken", *settings)
    one, other = losses(tmp_path / "whole"), losses(tmp_path / "broken")
    assert list(one) == list(other)
    assert max(abs(one[i] - other[i]) for i in one) <= 1e-6


def test_minutes_are_fitted_once(corpus: Corpus, tmp_path: Path) -> None:
    settings = ("training.minutes=0.15", "training.evaluations=1", "training.precision='fp32'")
    killed_at(2, corpus, tmp_path / "m", *settings)
    plan = json.loads((tmp_path / "m" / "training" / "state.json").read_text())["steps"]
    assert plan > 2
    state = train(corpus, tmp_path / "m", *settings)
    assert state.steps == state.step == plan == len(losses(tmp_path / "m"))


def test_a_long_run_plans_anew_when_its_first_seconds_were_slow(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toccata.training.loop.SHORT", 0.0)
    real = Trainer._plan

    def planned_slow(self: Trainer, stop: Stop) -> None:
        real(self, stop)
        self.state.steps = 20

    monkeypatch.setattr(Trainer, "_plan", planned_slow)
    said: list[str] = []
    settings = ("training.minutes=0.1", "training.evaluations=1", "training.precision='fp32'")
    state = train(corpus, tmp_path / "m", *settings, say=said)
    assert state.replanned
    assert state.steps == state.step != 20
    assert any("steps fit, not 20" in text for text in said)


@pytest.mark.parametrize("steps", [7, 40])
def test_a_run_killed_after_it_planned_anew_keeps_the_plan(
    steps: int, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planned(self: Trainer, stop: Stop) -> None:
        self.state.steps = 20

    def planned_anew(self: Trainer, limit: float) -> None:
        self.state.replanned, self.state.steps = True, steps

    def killed(step: Step) -> None:
        if step.step == 3:
            raise ZeroDivisionError

    monkeypatch.setattr(Trainer, "_plan", planned)
    settings = ("training.minutes=9", "training.precision='fp32'", "training.checkpoint_minutes=60")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_replan", planned_anew)
        with pytest.raises(ZeroDivisionError):
            train(corpus, tmp_path / "m", *settings, report=killed)
    state = train(corpus, tmp_path / "m", *settings)
    assert (state.steps, state.step, state.replanned) == (steps, steps, True)


class Counting(TorchBackend):
    """Notes the most steps that its runs may make; it says that there are so many devices."""

    devices = 1  # type: ignore[assignment]

    def compute(self, *args: Any) -> Compute:
        self.most = args[-1]
        return super().compute(*args)


def test_the_most_steps_are_counted_in_the_rows_of_the_run(corpus: Corpus, tmp_path: Path) -> None:
    """A run that goes on with other devices reads as many rows a step as before: as many steps are a pass."""
    found = []
    for devices in (1, 2):
        backend = Counting()
        backend.devices = devices  # type: ignore[misc,assignment]
        recipe = load("toccata", over(TINY, "training.steps=2", "training.precision=fp32", "training.max_epochs=1"))
        one = Run(recipe, tmp_path / "m", None, lambda _: None, backend)
        one.train(corpus, one.tokenizer(corpus, lambda *_: None), lambda step: None)
        found.append(backend.most)
    assert found[0] == found[1] > 2


@pytest.mark.parametrize("is_marked", [False, True])
def test_another_kind_of_tokenizer_before_the_first_checkpoint(is_marked: bool, corpus: Corpus, tmp_path: Path) -> None:
    place, said = tmp_path / "m" / "training" / "tokenizer", list[str]()
    for recipe, names in (("toccata", {"tokenizer.json"}), ("theremin", {"text.json", "text.model"})):
        for _ in range(2):
            one = Run(load(recipe), tmp_path / "m", None, said.append, TorchBackend())
            fingerprint = one.tokenizer(corpus, lambda *_: None).fingerprint
            assert fingerprint == one.tokenizer(corpus, lambda *_: None).fingerprint
            assert {path.name for path in place.iterdir()} - {"made-with.json"} <= names
        if not is_marked:  # stopped before it was noted what it was made with
            (place / "made-with.json").unlink()
    assert any("Learning the tokens anew" in text for text in said) == is_marked


def test_with_nothing_held_back_the_last_weights_are_kept(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rate ruins the weights: the loss of some training batch before the end is lower than the last one's."""
    alone = prepare(music, tmp_path / "corpus", PrepareOptions(valid=0, test=0), processes=0)
    marked: list[int | None] = []
    monkeypatch.setattr(picture, "plot", lambda *_, kept: marked.append(kept))
    settings = ("training.steps=20", "training.evaluations=10", "training.lr=3", "training.warmup=1")
    said: list[str] = []
    state = train(alone, tmp_path / "m", *settings, "training.optimizer=adamw", say=said)
    assert (state.step, state.selected_step, state.best_step, marked[-1]) == (20, 20, 0, 20)
    assert losses(tmp_path / "m")[20] > min(losses(tmp_path / "m").values())
    _, arrays = checkpoint.load(tmp_path / "m" / "training" / checkpoint.BEST)
    _, last = checkpoint.load(tmp_path / "m" / "training" / checkpoint.LAST)
    assert all((arrays[name] == last[name]).all() for name in arrays)
    assert any("keeps the last weights" in text for text in said)


# ---- one run, in this process


@pytest.fixture(scope="module")
def trained(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "m"
    train(corpus, out)
    return out


@pytest.fixture
def started(trained: Path, tmp_path: Path) -> Path:
    """A run that is finished but for its export."""
    return Path(shutil.copytree(trained, tmp_path / "m"))


def train(
    corpus: Corpus,
    out: Path,
    *settings: str,
    say: list[str] | None = None,
    report: Callable[[Step], None] = lambda step: None,
) -> checkpoint.Any:
    lines: list[str] = say if say is not None else []
    one = Run(
        load("toccata", over([*TINY, "training.steps=3", "training.precision='fp32'"], *settings)),
        out,
        None,
        lines.append,
        TorchBackend(),
    )
    return one.train(corpus, one.tokenizer(corpus, lambda *_: None), report)


@pytest.mark.parametrize(
    "settings", [("model.width=64",), ("training.lr=0.1",), ("tokenizer.options.num_velocities=4",)]
)
def test_another_run_is_refused(corpus: Corpus, started: Path, settings: tuple[str, ...]) -> None:
    before = {p: p.read_bytes() for p in (started / "training").rglob("*") if p.is_file()}
    with pytest.raises(ToccataError, match="another recipe or other data") as error:
        train(corpus, started, *settings)
    assert "\n" not in str(error.value)
    assert {p: p.read_bytes() for p in (started / "training").rglob("*") if p.is_file()} == before


def test_other_data_is_refused(music: Path, started: Path, tmp_path: Path) -> None:
    (tmp_path / "fewer").mkdir()
    for path in sorted(music.iterdir())[:9]:
        shutil.copy(path, tmp_path / "fewer")
    other = prepare(tmp_path / "fewer", tmp_path / "other", PrepareOptions(valid=0.2, test=0.2), processes=0)
    with pytest.raises(ToccataError, match="another recipe or other data"):
        train(other, started)


@pytest.mark.parametrize("damage", ["torn", "foreign", "lacking"])
def test_a_damaged_checkpoint_is_one_line(corpus: Corpus, started: Path, damage: str) -> None:
    last = started / "training" / checkpoint.LAST
    if damage == "torn":
        last.write_bytes(last.read_bytes()[:-1000])
    elif damage == "foreign":
        save_file({"a": torch.zeros(3)}, last)
    else:
        from safetensors import safe_open

        with safe_open(last, framework="pt") as file:
            metadata = file.metadata()
        tensors = load_file(last)
        del tensors["model.blocks.0.mlp.up.weight"]
        save_file(tensors, last, metadata=metadata)
    with pytest.raises(ModelError, match=r"last\.safetensors cannot be resumed from .*delete it") as error:
        train(corpus, started)
    assert "\n" not in str(error.value)


def test_finished_it_does_nothing(corpus: Corpus, started: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (started / "training").rglob("*")}
    assert train(corpus, started).step == 3
    assert {p: p.stat().st_mtime_ns for p in (started / "training").rglob("*")} == before


def test_memorising_is_noticed(corpus: Corpus, tmp_path: Path) -> None:
    """With a learning rate that makes it worse and worse, it stops and says why."""
    settings = (
        "training.steps=400",
        "training.evaluations=200",
        "training.patience=2",
        "training.lr=10",
        "training.clip=0",
    )
    state = train(corpus, tmp_path / "m", *settings, "training.optimizer='adamw'", "training.warmup=0")
    assert state.step < 400
    assert f"since step {state.best_step}" in state.stopped
    assert "memorise" in state.stopped
    assert (
        train(corpus, tmp_path / "m", *settings, "training.optimizer='adamw'", "training.warmup=0").step == state.step
    )


def test_epochs_are_so_many_passes_over_the_notes(corpus: Corpus, tmp_path: Path) -> None:
    state = train(corpus, tmp_path / "m", "training.epochs=0.5", "training.evaluations=1")
    tokenizer = load_tokenizer(tmp_path / "m" / "training" / "tokenizer")
    numbers = corpus.numbers("train").tolist()
    tokens = sum(len(tokenizer.encode(corpus.score(number)).ids) for number in numbers)
    assert state.step == state.steps == math.ceil(0.5 * tokens / (4 * 48))


@pytest.mark.parametrize("length", ["training.steps=100000", "training.minutes=60"])
def test_no_run_makes_more_passes_than_the_most(length: str, corpus: Corpus, tmp_path: Path) -> None:
    state = train(corpus, tmp_path / "m", length, "training.max_epochs=0.5", "training.evaluations=1")
    tokenizer = load_tokenizer(tmp_path / "m" / "training" / "tokenizer")
    numbers = corpus.numbers("train").tolist()
    tokens = sum(len(tokenizer.encode(corpus.score(number)).ids) for number in numbers)
    assert state.step == state.steps == math.ceil(0.5 * tokens / (4 * 48))


@pytest.mark.parametrize("select", ["best", "last"])
def test_which_weights_a_model_gets(select: str, corpus: Corpus, tmp_path: Path) -> None:
    """The rate rises until it ruins the weights: the best come before the last."""
    settings = ("training.steps=40", "training.evaluations=20", "training.lr=3", "training.warmup=1")
    state = train(corpus, tmp_path / "m", *settings, "training.optimizer=adamw", f"training.select={select}")
    assert 0 < state.best_step < state.step
    _, arrays = checkpoint.load(tmp_path / "m" / "training" / checkpoint.BEST)
    _, last = checkpoint.load(tmp_path / "m" / "training" / checkpoint.LAST)
    same = all((arrays[name] == last[name]).all() for name in arrays if name.startswith(checkpoint.MODEL))
    assert same == (select == "last")


def test_precisions_may_follow_one_another(corpus: Corpus, tmp_path: Path) -> None:
    train(corpus, tmp_path / "a", "training.precision='bf16'")
    train(corpus, tmp_path / "b", "training.precision='fp32'")
    one, other = losses(tmp_path / "a"), losses(tmp_path / "b")
    assert one != other
    assert max(abs(one[i] - other[i]) for i in one) < 0.05


def test_how_a_run_computes_is_kept(corpus: Corpus, tmp_path: Path) -> None:
    place = tmp_path / "m" / "training" / "compute.json"
    settings = ("training.precision='auto'", "training.steps=1")
    train(corpus, tmp_path / "m", *settings)
    made = Compute.from_json(json.loads(place.read_text()))
    assert made is not None
    assert not made.compiled
    other = Compute("fp32", "plain")
    place.write_text(json.dumps(other.to_json()))
    (tmp_path / "m" / "training" / "last.safetensors").unlink(missing_ok=True)
    train(corpus, tmp_path / "m", *settings)
    assert computed(tmp_path / "m") == ["fp32", "plain", "no"]
    (tmp_path / "m" / "training" / "last.safetensors").unlink()
    train(corpus, tmp_path / "m", "training.steps=1", "training.precision='bf16'", "training.attention='fused'")
    assert computed(tmp_path / "m") == ["bf16", "fused", "no"], "what is set counts, not what an earlier run chose"


@pytest.mark.skipif(torch.cuda.is_available(), reason="about machines that cannot run FlexAttention")
def test_a_run_goes_on_where_its_kernel_cannot_run(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toccata.training.trial.compiler", lambda: "")
    (tmp_path / "m" / "training").mkdir(parents=True)
    saved = Compute("fp32", "flex", compiled=True)
    (tmp_path / "m" / "training" / "compute.json").write_text(json.dumps(saved.to_json()))
    train(corpus, tmp_path / "m", "training.steps=1", "training.precision='auto'")
    precision, kernel, compiled = computed(tmp_path / "m")
    assert (precision, compiled) == ("fp32", "no")
    assert kernel != "flex"


def computed(out: Path) -> list[str]:
    """How a run computed, by its info page: precision, kernel, compiled."""
    machine = (out / "training" / "info.txt").read_text().split("\nmachine\n")[1]
    rows = dict(line.split(maxsplit=1) for line in machine.splitlines() if " " in line)
    return [rows[name].strip() for name in ("precision", "attention", "compiled")]


# ---- the whole way, and finetuning


@pytest.fixture(scope="module")
def made(music: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    out = tmp_path_factory.mktemp("models") / "parent"
    return toccata.train(music, out, settings=[*TINY, "training.precision='fp32'", "prepare.test=0.2"])


def test_run_again_it_does_nothing(made: ModelFolder, music: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in made.path.rglob("*") if p.is_file()}
    again = toccata.train(music, made.path, settings=[*TINY, "training.precision='fp32'", "prepare.test=0.2"])
    assert again.digest == made.digest
    assert {p: p.stat().st_mtime_ns for p in made.path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("linked", [False, True])
def test_a_model_in_the_folder_of_its_music_does_not_learn_its_samples(
    linked: bool, music: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(music, tmp_path / "music"))
    settings = [*TINY, "training.steps=2", "training.choose_sampling=false"]
    out = folder / "model"
    made = toccata.train(folder, out, settings=settings)
    (out / "training" / "samples").mkdir()
    shutil.copy(next(music.glob("*.mid")), out / "training" / "samples" / "step-2.mid")
    if linked:
        (folder / "zlink").symlink_to(out, target_is_directory=True)
    again = toccata.train(folder, out, settings=settings)
    assert (again.about, again.about["lineage"]["pieces"]) == (made.about, made.about["lineage"]["pieces"])
    assert Corpus(out / "training" / "corpus").about["files"] == len(list(music.glob("*.mid")))


def test_only_styles_that_have_a_token_are_named(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are tokens for 32, and a model folder with more than a thousand is refused."""
    styles = [f"folder {number:04}" for number in range(1001)]
    monkeypatch.setattr(Corpus, "styles", styles)
    settings = [*TINY, "training.steps=2", "training.choose_sampling=false"]
    assert toccata.train(corpus.folder, tmp_path / "m", settings=settings).about["styles"] == styles[:32]


def test_a_newer_version_does_not_export_a_finished_model_again(made: ModelFolder, music: Path, tmp_path: Path) -> None:
    """Nor is one evaluated again whose lineage says less than that of models which are made now."""
    out = Path(shutil.copytree(made.path, tmp_path / made.path.name))
    about = json.loads((out / "toccata.json").read_text())
    del about["lineage"]["steps"]
    (out / "toccata.json").write_text(json.dumps(about | {"toccata": "0.0.1"}))
    again = toccata.train(music, out, settings=[*TINY, "training.precision='fp32'", "prepare.test=0.2"])
    assert (again.about["toccata"], again.digest) == ("0.0.1", made.digest)


def test_a_model_says_how_long_it_was_trained_and_which_weights_it_has(corpus: Corpus, tmp_path: Path) -> None:
    settings = [*TINY, "training.steps=40", "training.evaluations=20", "training.lr=3", "training.warmup=1"]
    settings = [*over(settings, "training.steps=40"), "training.optimizer=adamw", "training.choose_sampling=false"]
    lineage = toccata.train(corpus.folder, tmp_path / "m", settings=settings).about["lineage"]
    assert 0 < lineage["step"] < lineage["steps"] == 40
    assert lineage["tokens"] == 40 * 4 * 48


def test_sharding_is_torchs_alone(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    with pytest.raises(RecipeError, match=r"training\.shard is for torch: leave out --backend jax, or set"):
        toccata.train(tmp_path, tmp_path / "m", backend="jax", settings=["training.shard=true"])


def test_workers_are_no_part_of_a_run(made: ModelFolder, music: Path) -> None:
    same = [*TINY, "training.precision='fp32'", "prepare.test=0.2"]
    before = {p: p.stat().st_mtime_ns for p in made.path.rglob("*") if p.is_file()}
    for change in ("training.workers=1", "training.checkpoint_minutes=9.5"):
        assert toccata.train(music, made.path, settings=[*same, change]).digest == made.digest
    with pytest.raises(ToccataError, match="another recipe"):
        toccata.train(music, made.path, settings=[*same, "training.beta1=0.8"])
    assert {p: p.stat().st_mtime_ns for p in made.path.rglob("*") if p.is_file()} == before


def test_interrupted_before_it_was_measured(made: ModelFolder, music: Path, tmp_path: Path) -> None:
    copy = tmp_path / "parent"
    shutil.copytree(made.path, copy)
    about = json.loads((copy / "toccata.json").read_text())
    del about["metrics"]
    (copy / "toccata.json").write_text(json.dumps(about))
    (copy / "data.json").unlink()
    again = toccata.train(music, copy, settings=[*TINY, "training.precision='fp32'", "prepare.test=0.2"])
    assert again.about["metrics"] == made.about["metrics"]
    assert (copy / "data.json").is_file()


@pytest.mark.parametrize("recipe", ["theremin", "bachsformer", "tchaikovsky"])
def test_drums_alone_are_refused_by_tokens_without_drums(tmp_path: Path, recipe: str) -> None:
    """Before anything is learned: a model of these tokens would learn silence."""
    source = tmp_path / "beats"
    source.mkdir()
    for name in range(4):
        score = Score(480)
        drums = Track("drums", 0, True)
        drums.notes.extend([Note(120 * i, 60, 36 + (i * i + name) % 7, 80) for i in range(200)])
        score.tracks.append(drums)
        score.dump_midi(source / f"{name}.mid")
    corpus = api.prepare(source, tmp_path / "corpus")
    assert corpus.about["pieces"] == 4
    with pytest.raises(CorpusError, match=r"nothing but drums.*tokens have none.*such as toccata") as error:
        api.train(corpus.folder, tmp_path / "model", recipe=recipe, minutes=0.01)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "model").exists()
    refuse_drums_alone(corpus, load("toccata").tokenizer)  # these have drums


def test_merges_are_learned_from_all_of_the_training_pieces(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not from those whose folders come first."""
    read: list[int] = []

    class Spied(Corpus):
        def score(self, number: int) -> Score:
            read.append(number)
            return super().score(number)

    monkeypatch.setattr(pipeline, "FIT_PIECES", 3)
    monkeypatch.setattr(pipeline, "LEVEL_PIECES", 3)
    spied = Spied(corpus.folder)
    found = set()
    for seed in range(6):
        read.clear()
        settings = ["tokenizer.merges=1200", f"training.seed={seed}"]
        run = Run(load("toccata", settings), tmp_path / str(seed), None, lambda _: None, TorchBackend())
        run.tokenizer(spied, lambda *_: None)
        assert set(read) <= set(corpus.split("train"))
        assert len(set(read)) == 3
        found |= set(read)
    assert max(found) > sorted(corpus.split("train"))[2]
    assert len(found) > 3


def test_finetuning_starts_where_the_parent_ended(made: ModelFolder, music: Path, tmp_path: Path) -> None:
    from random_model import load_decoder
    from toccata.corpus.examples import Examples
    from toccata.tokenizers.load import load_tokenizer
    from toccata.training.data import batches

    with pytest.raises(CorpusError, match="can be used"):  # what this leaves is not in the way
        toccata.finetune(music, tmp_path / "child", model=made.path, settings=["clean.min_bars=9999"])
    child = toccata.finetune(music, tmp_path / "child", model=made.path, settings=["training.steps=2"])
    assert child.about["lineage"]["parent"]["digest"] == made.digest
    recipe = load("toccata", [*TINY, "training.precision='fp32'", "prepare.test=0.2"])
    corpus = Corpus(tmp_path / "child" / "training" / "corpus")
    tokenizer = load_tokenizer(made.tokenizer())
    examples = Examples(corpus, tokenizer, "train", 48, recipe.examples, 0, tokenizer.features)
    batch = next(batches(examples, 4, workers=0))
    decoder = load_decoder(made)
    with torch.no_grad():
        loss = float(decoder(batch.inputs, batch.packing, batch.targets, batch.features))
    assert losses(tmp_path / "child")[1] == pytest.approx(loss, abs=1e-4)
    with pytest.raises(RecipeError, match=r"model\.width is 32"):
        toccata.finetune(music, tmp_path / "wide", model=made.path, settings=["model.width=64"])


def contents(folder: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("has_training", [True, False])
def test_a_model_is_not_finetuned_onto_itself(
    has_training: bool, made: ModelFolder, music: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(made.path, tmp_path / "m"))
    if not has_training:
        shutil.rmtree(copy / "training")
    (tmp_path / "link").symlink_to(copy, target_is_directory=True)
    before = contents(copy)
    says = "is the model to start from: choose another folder" if has_training else "finished model.*choose a new"
    for model, out in ((copy, copy), (tmp_path / "link", copy), (copy, tmp_path / "link")):
        with pytest.raises(ModelError if has_training else RequestError, match=says):
            toccata.finetune(music, out, model=model, settings=["training.steps=2"])
    assert contents(copy) == before


@pytest.mark.parametrize("setting", ["tokenizer.merges=3000", "tokenizer.options.num_velocities=2"])
def test_what_starts_from_a_model_keeps_its_tokens(
    setting: str, made: ModelFolder, music: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match="and stays so") as error:
        toccata.finetune(music, tmp_path / "ft", model=made.path, settings=[setting])
    assert setting.partition("=")[0] in str(error.value)
    assert str(made.path) in str(error.value)
    assert not (tmp_path / "ft").exists()


def test_what_is_said_of_a_prepared_corpus_is_true(music: Path, made: ModelFolder, tmp_path: Path) -> None:
    options = PrepareOptions(CleanOptions(min_bars=2, drop_drums=True), valid=0.25, test=0.25)
    corpus = prepare(music, tmp_path / "corpus", options, processes=0)
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "toccata"\nabout = "mine"\n[clean]\nmerge = true\n[prepare]\ntest = 0.5\n')
    settings = [*TINY, "training.precision='fp32'", "training.steps=1"]
    new = toccata.train(corpus.folder, tmp_path / "new", recipe=str(mine), settings=settings)
    assert restore(new.about["recipe"]).prepare_options() == options
    assert "min_bars 2" in (new.path / "training" / "info.txt").read_text()
    assert toccata.train(corpus.folder, new.path, recipe=str(mine), settings=settings).digest == new.digest
    for setting in ("clean.min_bars=4", "prepare.test=0.25", " clean.programs = [0]"):
        for model in (None, made.path):
            with pytest.raises(RecipeError, match="cleaned and split already: prepare it anew, or leave out") as error:
                toccata.train(corpus.folder, tmp_path / "x", settings=[setting], start_from=model)
            assert str(corpus.folder) in str(error.value)
            assert "\n" not in str(error.value)
    assert not (tmp_path / "x").exists()


def test_a_recipe_that_fits_its_corpus_is_recorded_as_it_is(corpus: Corpus) -> None:
    """So that runs that were begun before its corpus was asked go on."""
    same = load("toccata", ["prepare.test=0.2", "prepare.valid=0.2"])
    assert of_corpus(same, corpus) == same
    assert of_corpus(load("toccata"), corpus).prepare == {"valid": 0.2, "test": 0.2}
    assert of_corpus(load("toccata", ["prepare.valid=0.2"]), corpus) == same


@pytest.mark.parametrize("seed", [2**63 - 1, 2**62 + 12345])
def test_the_largest_seeds(corpus: Corpus, tmp_path: Path, seed: int) -> None:
    settings = ("training.steps=2", "model.dropout=0.1", f"training.seed={seed}")
    assert train(corpus, tmp_path / "m", *settings).step == 2


# ---- parts


NEWTON_SCHULZ = 3.4445, -4.7750, 2.0315


def test_muon_is_torchs() -> None:
    torch.manual_seed(0)
    shapes = [(24, 16), (16, 24), (24, 16), (16, 16)]
    ours, theirs = ([torch.randn(shape, generator=torch.Generator().manual_seed(i)).requires_grad_() for i, shape in
                     enumerate(shapes)] for _ in range(2))  # fmt: skip
    one = Muon(ours, 0.02, 0.1)
    other = torch.optim.Muon(theirs, 0.02, 0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(5):
        for mine, yours in zip(ours, theirs, strict=True):
            mine.grad = torch.randn_like(mine)
            yours.grad = mine.grad.clone()
        one.step()
        other.step()
    for mine, yours in zip(ours, theirs, strict=True):
        assert (mine - yours).abs().max() < 2e-3  # theirs orthogonalises in bf16
    assert {name for state in one.state.values() for name in state} == {"momentum_buffer"}


def test_embeddings_learn_at_a_rate_of_their_own(corpus: Corpus) -> None:
    """The first step of AdamW is as long as the learning rate."""
    tokenizer = EventTokenizer.build(EventOptions("REMI", {}))
    config = DecoderConfig(tokenizer.vocab_size, context=32, layers=1, width=16, heads=1, kv_heads=1, ffn=16)
    options = TrainOptions(
        lr=1e-3, embedding_lr=3.0, clip=0, weight_decay=0, micro_batch_size=2, precision="fp32", workers=0
    )
    learner = TorchLearner(config, None, Examples(corpus, tokenizer, "train", 32), None, options)
    before = learner.weights()
    learner.begin(0)
    learner.step(0, 1e-3)
    moved = {name: float(np.abs(after - before[name]).max()) for name, after in learner.weights().items()}
    assert moved["embedding.weight"] == pytest.approx(3e-3, rel=1e-3)
    assert moved["head.weight"] == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("shape", [(64, 64), (96, 32), (32, 96)])
def test_muon_orthogonalises(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape) @ torch.diag(torch.linspace(0.1, 3, shape[1]))
    values = torch.linalg.svdvals(orthogonalised(matrix[None], NEWTON_SCHULZ)[0])
    assert values.median() == pytest.approx(1, abs=0.35)
    assert values.max() < 1.4
    assert (values > 0.4).float().mean() > 0.9


@pytest.mark.parametrize("schedule", ["cosine", "wsd", "linear"])
def test_schedules(schedule: str) -> None:
    options = TrainOptions(lr=0.5, schedule=schedule, warmup=0.1, floor=0.02)  # type: ignore[arg-type]
    rates = [rate(options, step, 200) for step in range(200)]
    assert rates[0] == pytest.approx(0.5 / 20)
    assert max(rates) == pytest.approx(0.5)
    assert rates[:20] == sorted(rates[:20])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert 0.01 <= rates[-1] < 0.03
    assert rates[110] == pytest.approx({"cosine": 0.255, "wsd": 0.5, "linear": 0.255}[schedule], abs=0.01)
    assert rate(TrainOptions(warmup=0), 0, 1) > 0


def test_the_picture_of_the_loss(started: Path) -> None:
    picture.plot(started / "training" / "log.csv", started / "loss.png", kept=2)
    assert (started / "loss.png").read_bytes()[:4] == b"\x89PNG"


WRONG = ["steps=0", "lr=0", "minutes=-1", "epochs=0", "select='worst'",
         "beta1=1.0", "ema=1.5", "warmup=2", "optimizer='sgd'", "schedule='x'",
         "micro_batch_size=0", "precision='fp8'", "floor=-1", "clip=-0.5"]  # fmt: skip


@pytest.mark.parametrize("setting", WRONG)
def test_wrong_options(setting: str) -> None:
    with pytest.raises(RecipeError, match=setting.split("=")[0]):
        load("toccata", [f"training.{setting}"])
