"""Where a model may be written to: a new folder, or a run of ours. Whatever else is there stays as it is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toccata
from cli_support import TINY, call, tiny
from toccata import api, folder
from toccata.corpus.prepare import prepare
from toccata.errors import RequestError
from toccata.training.place import holds


@pytest.fixture(scope="module")
def model(data: Path) -> Path:
    return tiny(data)[0]


@pytest.fixture(scope="module")
def midi(data: Path) -> Path:
    return tiny(data)[1]


def contents(place: Path) -> dict[str, bytes | None]:
    return {p.relative_to(place).as_posix(): p.read_bytes() if p.is_file() else None for p in place.rglob("*")}


def project(place: Path) -> None:
    for name in (".git/HEAD", "README.md", "config.json", "training/notes.txt", "training/state.json", "src/a.py"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("mine")


def documents(place: Path) -> None:
    place.mkdir()
    (place / "toccata.txt").write_text("mine")


FOREIGN: dict[str, tuple[Any, str]] = {
    "a git project": (project, r"holds other files \(README\.md, config\.json, src, \.\.\.\)"),
    "a file of ours in name": (documents, r"holds other files \(toccata\.txt\)"),
}


@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize("verb", ["train", "finetune"])
def test_a_folder_with_other_files_stays_as_it_is(verb: str, what: str, tmp_path: Path) -> None:
    """Nothing is read, either: neither the music nor the model to start from is there."""
    make, says = FOREIGN[what]
    make(tmp_path / "out")
    before = contents(tmp_path / "out")
    nowhere = tmp_path / "no-music"
    parent = {} if verb == "train" else {"model": tmp_path / "no-model"}
    with pytest.raises(RequestError, match=says) as error:
        getattr(toccata, verb)(nowhere, tmp_path / "out", **parent)
    assert "\n" not in error.value.message
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("finetunes", [True, False])
def test_the_command_line_refuses_before_it_looks_for_a_model(finetunes: bool, tmp_path: Path) -> None:
    project(tmp_path / "out")
    verb = ["finetune", "--model", "file:///nowhere"] if finetunes else ["train", "--from", "file:///nowhere"]
    done = call(*verb, tmp_path / "no-music", "-o", tmp_path / "out")
    assert done.code == 1
    assert "holds other files" in done.error


def test_music_corpora_and_models_are_no_places_for_a_model(midi: Path, model: Path, tmp_path: Path) -> None:
    corpus = prepare(midi, tmp_path / "corpus", processes=0).folder
    (tmp_path / "shared").mkdir()
    for name in (folder.ABOUT, folder.CONFIG, folder.CARD):
        shutil.copy(model / name, tmp_path / "shared" / name)
    for place, says in (
        (midi, "holds other files"),
        (corpus, "is a prepared corpus"),
        (tmp_path / "shared", "finished"),
    ):
        before = contents(place)
        with pytest.raises(RequestError, match=says):
            toccata.train(midi, place, settings=TINY)
        with pytest.raises(RequestError, match=says):
            toccata.train(midi, place.as_uri(), settings=TINY)
        assert contents(place) == before


def test_a_foreign_place_in_a_store_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCCATA_CACHE", str(tmp_path / "cache"))
    project(tmp_path / "out")
    project(tmp_path / "music")
    with pytest.raises(RequestError, match="holds other files") as error:
        toccata.train((tmp_path / "music").as_uri(), (tmp_path / "out").as_uri())
    assert (tmp_path / "out").as_uri() in error.value.message
    assert not (tmp_path / "cache").exists()


def test_a_run_at_any_stage_is_gone_on_with(midi: Path, model: Path, tmp_path: Path) -> None:
    empty, hidden = tmp_path / "empty", tmp_path / "hidden"
    for place in (empty, hidden):
        place.mkdir()
    (hidden / ".gitignore").write_text("*.wav")
    for place in (empty, hidden, tmp_path / "new", model):
        api.refuse_output(place)
    begun = tmp_path / "begun"
    prepare(midi, begun / "training" / "corpus", processes=0)
    api.refuse_output(begun)
    (begun / "README.md").write_text("mine")
    with pytest.raises(RequestError, match="holds other files"):
        api.refuse_output(begun)


RUNS: dict[str, Any] = {
    "train": lambda midi, model, out: toccata.train(midi, out, settings=TINY),
    "finetune": lambda midi, model, out: toccata.finetune(midi, out, model=model, settings=["training.steps=2"]),
    "style file": lambda midi, model, out: toccata.finetune_style(
        midi, out.with_suffix(".safetensors"), model=model, settings=["training.steps=2"]
    ),
}


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("kind", RUNS)
def test_a_run_that_ended_before_its_first_checkpoint_is_gone_on_with(
    kind: str, prepared: bool, midi: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    source = prepare(midi, tmp_path / "corpus", processes=0).folder if prepared else midi
    monkeypatch.setattr("toccata.finish.PIECES", 2)
    monkeypatch.setattr("toccata.finish.BARS", 1)
    with monkeypatch.context() as patch:
        patch.setattr("toccata.training.torchnet.TorchLearner.step", stopped)
        with pytest.raises(KeyboardInterrupt):
            RUNS[kind](source, model, tmp_path / "out")
    assert RUNS[kind](source, model, tmp_path / "out").about["lineage"]["step"] == (4 if kind == "train" else 2)


KNOWN = ("README.md", "toccata.json", "corpus.json", "a.mid", "training/", "training/corpus/", "training/log.csv",
         "training/compute.json", "training/last-000000000.parts/", "training/state.json",
         "training/last.safetensors", "training/notes.txt", ".git/HEAD", "training/.lock")  # fmt: skip


@given(st.sets(st.sampled_from(KNOWN)))
def test_what_a_folder_holds(names: set[str]) -> None:
    seen = {name for name in names if "." not in {part[0] for part in name.split("/") if part}}
    what = holds(names)
    if "training/last.safetensors" in seen or {"training/state.json", "training/log.csv"} <= seen:
        assert what == "run"
    elif not seen:
        assert what == "nothing"
    elif seen <= {"training/", "training/corpus/", "training/compute.json", "training/last-000000000.parts/"}:
        assert what == "run"
    else:
        assert what == ("model" if "toccata.json" in seen else "corpus" if "corpus.json" in seen else "other")
