"""What people are told of a model: figures of few pieces say so, and names are written so that they print."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_support import TINY, call, tiny
from toccata.folder import ModelFolder
from toccata.measure.figures import few, usual_range, with_interval
from toccata.measure.ranking import Ranker
from toccata.measure.reference import ReferenceStats, Spread
from toccata.midi.read import read_score
from toccata.midi.splice import new_file
from toccata.piece import Piece
from toccata.recipes import load
from toccata.training.card import card
from toccata.training.info import InfoLog
from toccata.training.log import About, printable


def found(pieces: int) -> dict[str, Any]:
    return {"nats_per_note": 3.667, "nats_per_note_ci95": [3.41, 3.9], "pieces": pieces, "notes": 1234}


def test_an_interval_is_told_where_there_are_pieces_for_one() -> None:
    assert with_interval(found(3)) == "3.67 nats a note (95 %: 3.41 to 3.90)"
    assert with_interval(found(2), 3) == "3.667 nats a note (two pieces only)"
    assert with_interval(found(1)) == "3.67 nats a note (one piece only)"
    assert few(3) == ""
    assert usual_range("1.0", "2.5", None) == usual_range("1.0", "2.5", 3) == "usual 1.0 to 2.5"
    assert usual_range("1.0", "2.5", 1) == "of one piece only: 1.0 to 2.5"


@pytest.mark.parametrize("pieces", [0, 1, 2, 3])
def test_ranking_says_what_the_usual_surprise_stands_on(pieces: int, data: Path) -> None:
    """0: a model made before that was counted."""
    spread = Spread(3.0, 0.5, (2.0, 2.5, 3.0, 3.5, 4.0))
    kept = ReferenceStats(8, {}, 8, spread, pieces)
    made = ModelFolder(data, {"usual": kept.to_dict()})
    assert ReferenceStats.of_model(made) == kept
    score = read_score(sorted((data / "bach" / "mutopia").glob("*.mid"))[0])
    piece = Piece(new_file(score), {"notes": score.note_num(), "nats_per_note": 3.1})
    why = Ranker(kept, None).weigh(piece).why
    assert usual_range("2.0", "4.0", pieces or None) in why
    assert ("only" in why) == (pieces in (1, 2))


def written(pieces: int, **about: Any) -> str:
    """The card of a model that was measured on so many pieces."""
    lineage = {"pieces": 9, "notes": 999, "parent": None, "step": 5, "tokens": 10, "minutes": 1.0}
    said = {"name": "m", "toccata": "0", "styles": [], "lineage": lineage, **about}
    people = {"pieces": pieces, "notes": 0, "most": 0}
    copied = {"pieces": 8, "notes": 3, "most": 9, "people": people}
    metrics = {**found(pieces), "split": "test", "valid": 1.0, "copied": copied}
    corpus: Any = SimpleNamespace(about={"splits": {"train": 7, "valid": 1, "test": pieces}})
    return card(ModelFolder(Path("m"), said), load("toccata"), corpus, metrics, with_interval, few)


def test_the_card_says_how_few_pieces_a_figure_stands_on() -> None:
    one, three = written(1), written(3)
    assert "3.667 nats a note (one piece only) on 1 whole piece kept aside" in one
    assert "95 %" not in one
    assert "is not known: one piece only was held back" in one
    assert "(95 %: 3.41 to 3.90) on 3 whole pieces" in three
    assert "In 3 pieces by people" in three


def test_train_and_evaluate_say_it_too(data: Path) -> None:
    model, midi = tiny(data)
    trained = call("train", midi, "-o", model, *TINY)
    evaluated = call("evaluate", model, midi)
    for done in (trained, evaluated):
        assert done.code == 0, done.err
        (line,) = [line for line in done.out.splitlines() if line.startswith("likelihood")]
        assert "piece only)" in line or "pieces only)" in line or "95 %:" in line


ODD = ["\x1b]0;title\x07", "bells\x07", "caf\udce9", "two\nlines", "\x9b31m", "\u202eback", "`code`", "<b>bold</b>"]


@pytest.mark.parametrize("name", ODD)
def test_names_of_folders_print_in_the_card_and_on_the_page(name: str, tmp_path: Path) -> None:
    parent = {"name": name, "digest": "0" * 64}
    lineage = {"pieces": 9, "notes": 999, "parent": parent, "step": 5, "tokens": 10, "minutes": 1.0}
    page = written(3, name=name, styles=[name, "fine"], lineage=lineage)
    log = InfoLog(tmp_path / "info.txt")
    log.begin(About(name, 0, 8, {"commands": {"made with": f"toccata train {name}", name: name}}))
    for text in (page, (tmp_path / "info.txt").read_text(encoding="utf-8")):
        assert all(sign == "\n" or sign.isprintable() for sign in text)
        assert text.encode("utf-8")
    assert page.count("`") % 2 == 0


@given(st.text())
def test_what_prints_is_left_as_it_is(text: str) -> None:
    found = printable(text)
    assert printable(found) == found
    assert found == text or not text.isprintable()
