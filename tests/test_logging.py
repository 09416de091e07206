"""What a training writes down: none of it may end the training, and none of it goes where it was not asked to."""

from __future__ import annotations

import csv
import errno
import importlib.machinery
import json
import math
import shlex
import shutil
import signal
import sys
import threading
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import toccata
from cli_support import call
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.errors import MissingExtra, ToccataError
from toccata.midi.read import read_score
from toccata.recipes import load, restore
from toccata.training import boards, log, samples
from toccata.training.boards import WandbLog
from toccata.training.info import InfoLog
from toccata.training.log import About, CsvLog, Evaluated
from toccata.training.loggers import Loggers
from toccata.training.loop import Step
from toccata.training.picture import PlotLog
from toccata.training.pipeline import Run
from toccata.training.torchnet import TorchBackend
from train_part import TINY

ABOUT = About("nocturne", 0, 8, {"data": {"pieces": 12, "notes": 3456}})


@pytest.fixture(scope="module")
def corpus(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("music")
    paths = [p for p in sorted((data / "bach" / "mutopia").rglob("*.mid")) if 2_000 < p.stat().st_size < 9_000][::6]
    for path in paths[:10]:
        shutil.copy(path, folder / path.name)
    return prepare(folder, tmp_path_factory.mktemp("corpus"), PrepareOptions(valid=0.2, test=0.2), processes=0)


class Heard:
    """A logger that remembers, and raises at the event it is told to."""

    def __init__(self, fails_at: str = "", error: Exception | None = None) -> None:
        self.events: list[tuple[str, Any]] = []
        self.fails_at, self.error = fails_at, error or RuntimeError("no network\nat all")

    def _record(self, what: str, value: Any = None) -> None:
        self.events.append((what, value))
        if what == self.fails_at:
            raise self.error

    def begin(self, about: About) -> None:
        self._record("begin", about)

    def step(self, values: Mapping[str, float]) -> None:
        self._record("step", values["step"])

    def evaluation(self, found: Evaluated) -> None:
        self._record("evaluation", found.step)

    def close(self) -> None:
        self._record("close")

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]


def line(step: int, **more: float) -> dict[str, float]:
    return {"step": step, "loss": 5 / step, "lr": 0.1, "tokens": 100 * step, "seconds": 2.0 * step, **more}


def found(step: int, **more: Any) -> Evaluated:
    return Evaluated(**{"step": step, "steps": 8, "loss": 1.0, "valid_loss": 1.5, "best_loss": 1.25, "best_step": 2,
                        "selected_step": 2, "tokens": 100 * step, "seconds": 2.0 * step, **more})  # fmt: skip


def train(corpus: Corpus, out: Path, *settings: str, say: list[str] | None = None, stop: int = 0) -> Any:
    lines: list[str] = [] if say is None else say

    def report(step: Step) -> None:
        if stop and step.step == stop:
            signal.raise_signal(signal.SIGINT)

    recipe = load("toccata", [*TINY, "training.precision='fp32'", *settings])
    run = Run(recipe, out, None, lines.append, TorchBackend(), command="me")
    return run.train(corpus, run.tokenizer(corpus, lambda *_: None), report)


# ---- samples


def test_a_run_writes_music_with_the_best_weights_so_far(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "FIRST", 0.0)
    monkeypatch.setattr(samples, "SHARE", 1e9)
    out = tmp_path / "model"
    settings = [*TINY, "training.precision='fp32'", "training.choose_sampling=false"]
    toccata.train(corpus.folder, out, recipe="toccata", settings=settings)
    made = samples.samples_of(out / "training")
    with (out / "training" / "log.csv").open(encoding="utf-8") as table:
        losses = {int(row["step"]): float(row["valid_loss"]) for row in csv.DictReader(table) if row["valid_loss"]}
    best = [step for step in losses if losses[step] < min([math.inf, *(losses[s] for s in losses if s < step)])]
    assert [samples.step_of(path) for path in made] == best
    for path in made:
        assert read_score(path).end() > 0
    assert not (out / "training" / samples.DRAFT).exists()


def test_samples_take_a_small_share_of_a_run(tmp_path: Path) -> None:
    now, written = [0.0], list[Path]()

    def write(_: Any, sample: Path) -> None:
        sample.write_bytes(b"")
        written.append(sample)
        now[0] += 6

    listening = samples.SampleLog(tmp_path, lambda *_: None, write, lambda: now[0])  # type: ignore[arg-type,return-value]
    for step, seconds in enumerate((50, 101, 150, 290, 310, 320), 1):
        now[0] = max(now[0], seconds)
        listening.evaluation(found(step, selected_step=step))
    assert [samples.step_of(path) for path in written] == [2, 5]
    now[0] = 9999
    listening.evaluation(found(7, selected_step=5))
    assert len(written) == 2
    samples.SampleLog(tmp_path, lambda *_: None, write).begin(About("again", 2, 8))  # type: ignore[arg-type,return-value]
    assert samples.samples_of(tmp_path) == [written[0]]


# ---- together


@pytest.mark.parametrize("event", ["begin", "step", "evaluation", "close"])
def test_a_logger_that_fails_is_dropped_with_one_line(event: str) -> None:
    said: list[str] = []
    bad, good = Heard(event), Heard()
    both = Loggers([("bad", bad), ("good", good)], said.append)
    both.begin(ABOUT)
    for step in (1, 2):
        both.step(line(step))
        both.evaluation(found(step))
    both.close()
    assert good.names == ["begin", "step", "evaluation", "step", "evaluation", "close"]
    assert bad.names == [*good.names[: good.names.index(event) + 1], *(["close"] if event != "close" else [])]
    assert len(said) == 1
    assert said[0].startswith("bad is left out")
    assert "no network at all" in said[0]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG])
def test_a_full_disk_is_not_a_failing_logger(code: int) -> None:
    both = Loggers([("full", Heard("step", OSError(code, "full")))])
    both.begin(ABOUT)
    with pytest.raises(OSError, match="full"):
        both.step(line(1))
    both.close()


def test_other_trouble_with_a_file_is(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "log.csv").mkdir()
    both = Loggers([("log.csv", CsvLog(tmp_path / "log.csv")), ("good", good := Heard())], said.append)
    both.begin(ABOUT)
    both.step(line(1))
    both.close()
    assert len(said) == 1
    assert good.names == ["begin", "step", "close"]


# ---- the files of a run


def test_the_picture_is_drawn_while_training(tmp_path: Path) -> None:
    table, picture = CsvLog(tmp_path / "log.csv"), PlotLog(tmp_path / "log.csv", tmp_path / "loss.png")
    both = Loggers([("table", table), ("picture", picture)])
    both.begin(ABOUT)
    both.step(line(1, valid_loss=3))
    assert not (tmp_path / "loss.png").exists()
    both.evaluation(found(1))
    first = (tmp_path / "loss.png").read_bytes()
    assert first.startswith(b"\x89PNG")
    for step in range(2, 9):
        both.step(line(step))
    both.evaluation(found(8))  # so soon after the first, drawing would take more than its share of the time
    assert (tmp_path / "loss.png").read_bytes() == first
    both.close()
    assert (tmp_path / "loss.png").read_bytes() != first
    assert {p.name for p in tmp_path.iterdir()} == {"log.csv", "loss.png"}


def test_every_evaluation_is_drawn_where_there_is_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toccata.training.picture.SHARE", float("inf"))
    table, picture = CsvLog(tmp_path / "log.csv"), PlotLog(tmp_path / "log.csv", tmp_path / "loss.png")
    both = Loggers([("table", table), ("picture", picture)])
    both.begin(ABOUT)
    drawn = set()
    for step in range(1, 5):
        both.step(line(step))
        both.evaluation(found(step))
        drawn.add((tmp_path / "loss.png").read_bytes())
    assert len(drawn) == 4
    both.close()
    assert (tmp_path / "loss.png").read_bytes() in drawn


def test_the_page_says_how_a_run_stands(tmp_path: Path) -> None:
    info = InfoLog(tmp_path / "info.txt")
    info.begin(ABOUT)
    info.step(line(4))
    info.evaluation(found(4))
    rows = page(tmp_path / "info.txt")
    assert rows["state"] == "training"
    assert rows["step"] == "4 of 8 (50%)"
    assert rows["best loss"] == "1.2500 at step 2"
    assert rows["pieces"] == "12"
    assert rows["notes"] == "3,456"
    started = rows["started"]
    info.close()
    assert page(tmp_path / "info.txt")["state"].startswith("interrupted")
    again = InfoLog(tmp_path / "info.txt")
    again.begin(About("nocturne", 4, 8, ABOUT.facts))
    rows = page(tmp_path / "info.txt")
    assert rows["started"] == started
    assert rows["resumed"].endswith("after step 4")
    again.step(line(8))
    again.evaluation(found(8, stopped="it would memorise"))
    again.close()
    assert page(tmp_path / "info.txt")["state"] == "finished: it would memorise"


@pytest.mark.parametrize("steps", [6, 20])
def test_the_page_of_a_run_that_was_planned_anew(steps: int, tmp_path: Path) -> None:
    info = InfoLog(tmp_path / "info.txt")
    info.begin(ABOUT)
    info.step(line(6))
    info.evaluation(found(6, steps=steps))
    info.close()
    rows = page(tmp_path / "info.txt")
    assert rows["step"].startswith(f"6 of {steps} ")
    assert rows["state"] == ("finished" if steps == 6 else "interrupted: run the same command to resume")


def test_the_page_of_a_run_without_held_out_pieces(tmp_path: Path) -> None:
    info = InfoLog(tmp_path / "info.txt")
    info.begin(ABOUT)
    info.step(line(4))
    info.evaluation(found(4, valid_loss=None, best_loss=math.inf, best_step=0, selected_step=4))
    rows = page(tmp_path / "info.txt")
    assert rows["held-out loss"] == "no piece is held back"
    assert "best loss" not in rows
    assert rows["weights kept"] == "those of step 4"


@pytest.mark.parametrize("evaluated", [False, True])
def test_the_page_of_a_run_that_failed(evaluated: bool, tmp_path: Path) -> None:
    """Its held-out loss is the last one that was measured: that pieces are held back has not changed."""
    info = InfoLog(tmp_path / "info.txt")
    info.begin(ABOUT)
    info.step(line(4))
    best: dict[str, Any] = {} if evaluated else {"best_loss": math.inf, "best_step": 0, "selected_step": 0}
    if evaluated:
        info.evaluation(found(4))
    info.evaluation(found(5, valid_loss=None, failed="the loss of step 6 is not finite", **best))
    info.close()
    rows = page(tmp_path / "info.txt")
    assert rows["state"].startswith("failed: the loss of step 6")
    assert (rows.get("held-out loss"), "best loss" in rows) == ("1.5000" if evaluated else None, evaluated)


def page(path: Path) -> dict[str, str]:
    rows = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        name, _, value = text.partition("  ")
        rows[name] = value.strip()
    return rows


def test_a_run_has_table_picture_and_page(corpus: Corpus, tmp_path: Path) -> None:
    """Interrupted and resumed, too."""
    place = tmp_path / "m" / "training"
    with pytest.raises(KeyboardInterrupt):
        train(corpus, tmp_path / "m", stop=7)
    rows = page(place / "info.txt")
    assert rows["state"].startswith("interrupted")
    assert rows["step"] == "7 of 12 (58%)"
    (place / "log.csv").write_text((place / "log.csv").read_text() + "8,1.0\n9,1.0\n")
    state = train(corpus, tmp_path / "m")
    assert [int(row["step"]) for row in log.read(place / "log.csv")] == list(range(1, 13))
    assert (place / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert list((place / "tensorboard").iterdir())
    rows = page(place / "info.txt")
    assert rows["state"] == "finished"
    assert rows["resumed"].endswith("after step 7")
    assert rows["best loss"] == f"{state.best_loss:.4f} at step {state.best_step}"
    assert rows["made with"] == "me"
    assert rows["pieces"] == str(corpus.about["pieces"])
    assert rows["scheme"] == "RunningStatus"
    assert rows["precision"] == "fp32"


def test_the_command_in_the_page_goes_on_with_the_run(corpus: Corpus, tmp_path: Path) -> None:
    out = tmp_path / "a model"
    done = call("train", corpus.folder, "-o", out, *TINY, "training.steps=2", "--seed", 4)
    assert done.code == 0, done.err
    words = shlex.split(page(out / "training" / "info.txt")["made with"])
    assert words[:2] == ["toccata", "train"]
    done = call(*words[1:], "--json")
    assert done.code == 0, done.err
    assert done.json["finished_before"]


def test_a_run_without_a_network_for_its_logger_goes_on(
    corpus: Corpus, tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.fails_at = "init"
    said: list[str] = []
    state = train(corpus, tmp_path / "m", "training.wandb='waltzes'", say=said)
    assert state.step == 12
    assert len([text for text in said if "Weights & Biases is left out" in text]) == 1
    assert len(log.read(tmp_path / "m" / "training" / "log.csv")) == 12


# ---- Weights & Biases, at the seam where it is imported


class Fake:
    """Stands for the module ``wandb``."""

    def __init__(self) -> None:
        self.fails_at = ""
        self.opened: list[dict[str, Any]] = []
        self.lines: list[tuple[int, dict[str, float]]] = []
        self.summary: dict[str, float] = {}
        self.finished = 0

    def init(self, **settings: Any) -> Fake:
        if self.fails_at == "init":
            raise ConnectionError("no route to host")
        self.opened.append(settings)
        return self

    def log(self, values: dict[str, float], *, step: int) -> None:
        self.lines.append((step, values))

    def finish(self) -> None:
        if self.fails_at == "finish":
            threading.Event().wait(5)
        self.finished += 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    module = types.ModuleType("wandb")
    module.__spec__ = importlib.machinery.ModuleSpec("wandb", None, origin="here")
    module.init = made.init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", module)
    return made


def test_weights_and_biases_hears_what_it_is_asked_to(corpus: Corpus, tmp_path: Path, fake: Fake) -> None:
    asked = "training.wandb='waltzes'"
    with pytest.raises(KeyboardInterrupt):
        train(corpus, tmp_path / "m", asked, stop=5)
    train(corpus, tmp_path / "m", asked)
    first, second = fake.opened
    assert first["project"] == "waltzes"
    assert first["name"] == "m"
    assert first["config"]["data"]["pieces"] == corpus.about["pieces"]
    assert first["config"]["model"]["width"] == 32
    assert first["id"] == second["id"]
    assert second["resume"] == "allow"
    assert [step for step, _ in fake.lines] == list(range(1, 13))
    assert all("step" not in values and "loss" in values for _, values in fake.lines)
    assert {"best_loss", "best_step"} <= set(fake.summary)
    assert fake.finished == 2
    json.dumps(first["config"])


def test_it_hears_nothing_it_is_not_asked_to(corpus: Corpus, tmp_path: Path, fake: Fake) -> None:
    """Nor does a model tell whoever goes on from it to report to the project of its maker."""
    train(corpus, tmp_path / "m", "training.steps=2")
    assert fake.opened == []
    recipe = load("toccata", ["training.wandb='waltzes'"])
    assert recipe.training.wandb == "waltzes"
    assert "waltzes" not in json.dumps(recipe.to_json())
    assert restore(recipe.to_json()).training.wandb == ""


def test_to_report_or_not_is_the_same_run(corpus: Corpus, tmp_path: Path, fake: Fake) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(corpus, tmp_path / "m", "training.wandb='waltzes'", stop=5)
    assert train(corpus, tmp_path / "m").step == 12
    assert len(fake.opened) == 1


def test_sending_for_ever_ends(tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "SENDING", 0.1)
    fake.fails_at = "finish"
    said: list[str] = []
    logger = Loggers([("Weights & Biases", WandbLog("waltzes", tmp_path))], said.append)
    logger.begin(ABOUT)
    logger.close()
    assert len(said) == 1
    assert "wandb sync" in said[0]


@pytest.mark.parametrize("left", [False, True], ids=["absent", "a folder it left"])
def test_asked_for_but_not_installed(tmp_path: Path, left: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    (tmp_path / "wandb").mkdir() if left else None
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(MissingExtra, match="pip install wandb") as error:
        Run(load("toccata", ["training.wandb='waltzes'"]), tmp_path / "m", None, print, TorchBackend())
    assert "\n" not in str(error.value)
    assert isinstance(error.value, ToccataError)
    assert not (tmp_path / "m").exists()
