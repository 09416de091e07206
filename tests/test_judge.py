"""A model says how original what it writes is, and can be told to write something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli_support import some_bach
from random_model import random_model
from toccata import folder
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.engine.model import TRIES, Model
from toccata.errors import ModelError, RequestError
from toccata.measure.judge import Judge, write_index
from toccata.midi.edit import transpose
from toccata.midi.splice import new_file
from toccata.piece import Piece


@pytest.fixture(scope="module")
def corpus(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    place = tmp_path_factory.mktemp("judged")
    return prepare(some_bach(data, place, 8), place / "corpus", PrepareOptions(valid=0.2, test=0.2))


@pytest.fixture(scope="module")
def model(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = random_model(tmp_path_factory.mktemp("judge") / "m")
    made = folder.open_folder(path)
    write_index(made, corpus)
    folder.seal(path, {key: value for key, value in made.about.items() if key not in ("files", "format")})
    return Model(path, precision="fp32")


def test_a_copy_is_named_with_file_and_bar_whatever_its_key(corpus: Corpus, model: Model) -> None:
    number = corpus.split("train")[0]
    judge = Judge(model)
    found = judge.of(Piece(new_file(transpose(corpus.score(number), 3)), {}))
    assert found.notes > 40
    assert found.path == corpus.pieces[number].path
    assert found.share > 0.9
    assert not judge.within(12)(Piece(new_file(corpus.score(number)), {}))
    assert judge.normal is not None


def test_what_is_refused_is_written_again_with_another_seed(model: Model) -> None:
    seen: list[int] = []

    def third(piece: Piece) -> bool:
        seen.append(piece.origin["seed"])
        return len(seen) == 3

    (piece,) = model.generate(bars=2, seed=4, accept=third)
    assert piece.origin["seed"] == seen[2]
    assert len(set(seen)) == 3
    assert seen[0] == 4
    again = model.generate(bars=2, seed=piece.origin["seed"])[0]
    assert [n for t in again.score.tracks for n in t.notes] == [n for t in piece.score.tracks for n in t.notes]
    with pytest.raises(RequestError, match=f"none of {TRIES} pieces was accepted"):
        model.generate(bars=1, accept=lambda _: False)


def test_a_model_without_an_index_says_so(tmp_path: Path) -> None:
    model = Model(random_model(tmp_path / "m"))
    assert not Judge.has(model)
    with pytest.raises(ModelError, match="exported without it"):
        Judge(model)
