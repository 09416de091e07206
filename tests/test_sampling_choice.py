"""A model writes with the temperature and top-p with which its pieces are most like music by people."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toccata
from cli_support import TINY, call, some_bach, tiny
from random_model import opened, random_model
from toccata import folder
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.engine.sampling import REPEAT_PENALTY, TEMPERATURE, TOP_P, Sampling
from toccata.errors import ModelError
from toccata.folder import OwnSampling
from toccata.measure import sampling_choice
from toccata.measure.judge import write_index
from toccata.measure.reference import FEW, ReferenceStats, reference_stats
from toccata.measure.sampling_choice import FAR, choose_by_style, choose_sampling, trait_distances, wasserstein
from toccata.measure.traits import traits
from toccata.musicmodel import Model
from toccata.piece import read_origin
from toccata.recipes import load
from toccata.tokenizers.events import EventOptions
from toccata.training.card import sampling_by_style

NUMBERS = st.lists(st.floats(-100, 100), min_size=1, max_size=12)
TRIED = (OwnSampling(1.0, 0.97, 0.0), OwnSampling(0.8, 0.95, 2.0), OwnSampling(1.0, 1.0, 0.0))
ENOUGH = 10**9
"""Tokens: a model that was trained on so many may write as much as is wanted."""


@pytest.fixture(scope="module")
def corpus(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    place = tmp_path_factory.mktemp("chosen")
    return prepare(some_bach(data, place, 10), place / "corpus", PrepareOptions(valid=0.4, test=0.0))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return opened(tmp_path_factory.mktemp("random") / "m", context=128)


@pytest.fixture(scope="module")
def usual(model: Model, corpus: Corpus) -> ReferenceStats:
    return reference_stats(corpus, model, write_index(model.folder, corpus), passages=FEW)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few and short pieces: those of a model that knows nothing are full of notes."""
    for name, value in (("BARS", 2), ("PIECES", 2), ("FEWEST", 1), ("FEWEST_HELD_OUT", 1), ("LEARNED", 1),
                        ("SETTINGS", TRIED)):  # fmt: skip
        monkeypatch.setattr(sampling_choice, name, value)


def with_sampling(path: Path, entry: Any) -> Path:
    about = json.loads((path / folder.ABOUT).read_text())
    (path / folder.ABOUT).write_text(json.dumps({**about, folder.SAMPLING: entry}))
    return path


# -- distances ---------------------------------------------------------------------------------------------------------


@given(NUMBERS, NUMBERS, st.floats(-10, 10))
def test_the_distance_is_what_has_to_be_moved(a: list[float], b: list[float], step: float) -> None:
    assert wasserstein(a, a) == 0
    assert wasserstein(a, b) == pytest.approx(wasserstein(b, a))
    assert wasserstein(a * 3, b * 2) == pytest.approx(wasserstein(a, b), abs=1e-9)
    assert wasserstein(a, [x + step for x in a]) == pytest.approx(abs(step), abs=1e-9)
    assert wasserstein(a, b) >= abs(np.mean(a) - np.mean(b)) - 1e-9


def test_people_are_closer_to_people_than_the_same_music_transposed_or_thinned(
    corpus: Corpus, usual: ReferenceStats
) -> None:
    scores = [corpus.score(number) for number in corpus.split("train")]
    people = [traits(corpus.score(number)) for number in corpus.split("valid")]
    found = trait_distances([traits(score) for score in scores], people, usual)
    for score in scores:
        for track in score.tracks:
            track.notes = [note for index, note in enumerate(track.notes) if index % 3 == 0]
    thinned = trait_distances([traits(score) for score in scores], people, usual)
    assert set(found) == set(usual.traits) - {"steps"}
    assert found["density"] < thinned["density"]
    assert sum(found.values()) < sum(thinned.values())
    assert set(trait_distances([], people, usual).values()) == {FAR}
    # A silent piece is far from all music: it does not make the others look better.
    sounding = [traits(score) for score in scores]
    half = trait_distances([*sounding, *([None] * len(sounding))], people, usual)
    assert half == {name: pytest.approx((value + FAR) / 2) for name, value in thinned.items()}
    assert set(trait_distances([None, None], people, usual).values()) == {FAR}


# -- the choice --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
def test_the_closest_setting_is_chosen_and_again_the_same(model: Model, corpus: Corpus, usual: ReferenceStats) -> None:
    seen: list[tuple[int, int]] = []
    numbers = corpus.split("valid")
    found = choose_sampling(model, corpus, numbers, usual, ENOUGH, lambda *done: seen.append(done))
    assert found is not None
    assert seen == [(done, 6) for done in range(1, 7)]
    assert (found.pieces, found.held_out) == (2, len(numbers))
    assert tuple(tried.setting for tried in found.settings) == TRIED
    assert found.best.distance == min(tried.distance for tried in found.settings)
    assert found.sampling == Sampling(**dict[str, Any](found.entry()))
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    assert choose_sampling(model, corpus, numbers, usual, ENOUGH) == found


@pytest.mark.usefixtures("quick")
def test_of_too_little_nothing_is_chosen(
    model: Model, corpus: Corpus, usual: ReferenceStats, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = corpus.split("valid")
    monkeypatch.setattr(Model, "carry_out", None)  # nothing is written for it, either
    assert choose_sampling(model, corpus, [], usual, ENOUGH) is None
    assert choose_sampling(model, corpus, numbers, usual, 100) is None
    monkeypatch.setattr(sampling_choice, "FEWEST_HELD_OUT", len(numbers) + 1)
    assert choose_sampling(model, corpus, numbers, usual, ENOUGH) is None


# -- what it is for ----------------------------------------------------------------------------------------------------


def test_a_model_writes_with_its_own_setting_where_none_is_given(tmp_path: Path) -> None:
    path = random_model(tmp_path / "m")
    before = Model(path, precision="fp32")
    assert (before.sampling.temperature, before.sampling.top_p) == (TEMPERATURE, TOP_P)
    setting = {"temperature": 0.7, "top_p": 0.9, "repeat_penalty": 1.5}
    model = Model(with_sampling(path, setting), precision="fp32")
    assert model.sampling == Sampling(0.7, 0.9, repeat_penalty=1.5)

    def written(**sampling: Any) -> toccata.Piece:
        (piece,) = model.generate(bars=1, seed=4, **sampling)
        return piece

    own = written()
    assert own.origin["sampling"] == {**own.origin["sampling"], **setting}
    assert own.midi == written(sampling=Sampling(0.7, 0.9)).midi == written(sampling={"temperature": 0.7}).midi
    assert written(sampling=Sampling(guidance=1)).origin["sampling"]["top_p"] == 0.9
    said = written(sampling=Sampling(1.3)).origin["sampling"]
    assert (said["temperature"], said["top_p"]) == (1.3, 0.9)
    (usual,) = before.generate(bars=1, seed=4)
    assert usual.origin["sampling"] == {
        **own.origin["sampling"],
        "temperature": TEMPERATURE,
        "top_p": TOP_P,
        "repeat_penalty": REPEAT_PENALTY,
    }
    (filled,) = model.infill(own, [(1, 1)], seed=1)
    assert filled.origin["sampling"] == own.origin["sampling"]


@pytest.mark.parametrize("wrong", [{"temperature": "hot"}, {"top_p": 0}, {"temperature": 99}, {"temperature": None},
                                   {"repeat_penalty": -1}, {"repeat_penalty": 9}, None])  # fmt: skip
def test_a_folder_that_says_nonsense_is_named(tmp_path: Path, wrong: dict[str, Any] | None) -> None:
    entry: Any = 3 if wrong is None else {**OwnSampling(1.0, 1.0, 0.0)._asdict(), **wrong}
    model = Model(with_sampling(random_model(tmp_path / "m"), entry))
    with pytest.raises(ModelError, match=r"toccata\.json says 'sampling' in a way that cannot be read"):
        model.generate(bars=1, seed=0)


STYLES = ["bach", "drums", "songs"]


def with_styles(path: Path, by_style: Any) -> Path:
    """A model of random weights that learned styles, some of them with sampling parameters of their own."""
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    random_model(path, recipe.tokenizer, styles=STYLES)
    about = json.loads((path / folder.ABOUT).read_text())
    (path / folder.ABOUT).write_text(json.dumps({**about, folder.SAMPLING_BY_STYLE: by_style}))
    return path


def test_a_style_alone_has_its_own_setting_where_none_is_given(tmp_path: Path) -> None:
    own, drums = OwnSampling(0.7, 0.9, 1.5), OwnSampling(1.1, 1.0, 0.5)
    model = Model(
        with_sampling(with_styles(tmp_path / "m", {"drums": drums._asdict()}), own._asdict()), precision="fp32"
    )

    def used(style: list[str], **sampling: Any) -> OwnSampling:
        (piece,) = model.generate(bars=1, seed=4, style=style, **sampling)
        return OwnSampling(*(piece.origin["sampling"][name] for name in OwnSampling._fields))

    assert used(["drums"]) == used(["drums"], sampling=Sampling(guidance=1)) == drums
    assert used(["bach"]) == used([]) == used(["bach", "drums"]) == own
    for name, value in (("temperature", 0.5), ("top_p", 0.6), ("repeat_penalty", 2.0)):
        assert used(["drums"], sampling=Sampling(**{name: value})) == own._replace(**{name: value})


@pytest.mark.parametrize("wrong", [3, [], {"drums": 3}, {"drums": {"temperature": 1}},
                                   {"drums": {**TRIED[0]._asdict(), "top_p": 7}}])  # fmt: skip
def test_settings_of_styles_that_cannot_be_read_are_named(tmp_path: Path, wrong: Any) -> None:
    model = Model(with_styles(tmp_path / "m", wrong))
    if not wrong:
        assert model.folder.sampling_by_style == {}
        return
    with pytest.raises(ModelError, match=r"toccata\.json says 'sampling_by_style' in a way that cannot be read"):
        model.generate(bars=1, seed=0, style=["drums"])


@pytest.mark.usefixtures("quick")
def test_a_setting_of_a_style_is_compared_anew(
    model: Model, corpus: Corpus, usual: ReferenceStats, monkeypatch: pytest.MonkeyPatch
) -> None:
    style = corpus.pieces[corpus.split("valid")[0]].style
    monkeypatch.setattr(Model, "styles", [style, "nobody's"])
    monkeypatch.setattr(sampling_choice, "OF_STYLES", TRIED)
    planned = sampling_choice.plan
    seeds: list[int] = []

    def unstyled(*args: Any, style: Any, **named: Any) -> Any:
        seeds.append(named["seed"])
        return planned(*args, **named)

    monkeypatch.setattr(sampling_choice, "plan", unstyled)  # the model has learned no style
    found = choose_by_style(model, corpus, corpus.split("valid"), usual, OwnSampling(0.1, 0.5, 0.0), pieces=2)
    assert set(found) <= {style}
    assert seeds == [0] * 4 + [2] * 2 * len(found)
    for choice in found.values():
        assert choice.setting in TRIED
        assert choice.held_out == len(corpus.split("valid"))
        assert choice.clear == (choice.distance <= 0.9 * choice.own)
        assert json.loads(json.dumps(choice.to_dict())) == choice.to_dict()
    nothing = replace(usual, traits={})  # of the training music no trait is known
    assert choose_by_style(model, corpus, corpus.split("valid"), nothing, OwnSampling(0.1, 0.5, 0.0), pieces=2) == {}


def test_the_card_says_which_styles_have_their_own_setting() -> None:
    found = {"drums": {**TRIED[1]._asdict(), "distance": 0.31, "own": 0.52}, "bach": {"distance": 0.2, "own": 0.21}}
    lines = sampling_by_style(found, {"drums": TRIED[1]._asdict()})
    assert "| drums | 0.8 | 0.95 | 2 | 0.310 | 0.520 |" in lines
    assert not any("bach" in line for line in lines)
    assert sampling_by_style(None, None) == sampling_by_style(found, {}) == []


def test_the_command_and_the_list_of_models_say_it(data: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny(data)[0], tmp_path / "models" / "tiny")
    path = with_sampling(tmp_path / "models" / "tiny", OwnSampling(0.9, 1.0, 2.0)._asdict())
    listed = call("models", tmp_path / "models").out
    assert "tiny: writes with temperature 0.9, top-p 1 and repeat penalty 2" in listed
    asked = ("generate", "-m", path, "--bars", 1, "--seed", 1, "-q", "--precision", "fp32")
    for given_, name in (([], "own"), (["--temperature", 0.9], "same"), (["--top-p", 0.5], "other")):
        assert call(*asked, *given_, "-o", tmp_path / f"{name}.mid").code == 0
    own, same, other = (
        (read_origin((tmp_path / f"{n}.mid").read_bytes()) or {})["sampling"] for n in ("own", "same", "other")
    )
    assert own == same == {**own, **OwnSampling(0.9, 1.0, 2.0)._asdict()}
    assert other == {**own, "top_p": 0.5}


# -- training ----------------------------------------------------------------------------------------------------------

SPLIT = ("prepare.valid=0.4", "prepare.test=0")


@pytest.mark.usefixtures("quick")
def test_training_chooses_and_says_so(data: Path, tmp_path: Path) -> None:
    midi = some_bach(data, tmp_path / "midi", 6)
    done = call("train", midi, "-o", tmp_path / "m", *TINY, *SPLIT, "training.micro_batch_size=16", "--json")
    assert done.code == 0, done.err
    about = json.loads((tmp_path / "m" / folder.ABOUT).read_text())
    own, tried = about[folder.SAMPLING], about["metrics"][folder.SAMPLING]["settings"]
    closest = min(tried, key=lambda setting: setting["distance"])
    assert own == {name: closest[name] for name in OwnSampling._fields}
    assert f"With {OwnSampling(**own)}" in (tmp_path / "m/README.md").read_text()
    assert "Writes most like music by people with temperature" in done.err
    again = call("train", midi, "-o", tmp_path / "m", *TINY, *SPLIT, "training.micro_batch_size=16", "--json")
    assert again.json["finished_before"]


@pytest.mark.usefixtures("quick")
def test_a_training_is_not_lost_if_nothing_can_be_chosen(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("nothing to divide by")

    monkeypatch.setattr("toccata.measure.evaluation.choose_sampling", fail)
    midi = some_bach(data, tmp_path / "midi", 6)
    done = call("train", midi, "-o", tmp_path / "m", *TINY, *SPLIT)
    assert done.code == 0, done.err
    assert "none could be chosen: nothing to divide by" in done.err
    assert folder.SAMPLING not in json.loads((tmp_path / "m" / folder.ABOUT).read_text())
    done = call("train", midi, "-o", tmp_path / "off", *TINY, *SPLIT, "training.choose_sampling=false")
    assert done.code == 0, done.err
    assert "could be chosen" not in done.err


def test_a_model_that_learned_little_keeps_the_usual_setting(data: Path) -> None:
    model = toccata.load(tiny(data)[0])
    assert folder.SAMPLING not in model.folder.about
    assert "How it writes" not in (model.folder.path / folder.CARD).read_text()
