"""Levels for a new piece of which only the style is requested."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from symusic import Note, Score, Tempo, TimeSignature, Track

import toccata
from toccata.look import BUNDLED, DEFAULT_MODEL
from toccata.midi.levels import COUNTS, DEFAULT
from toccata.tasks.controls import Controls
from toccata.tasks.coverage import Coverage, Passage
from toccata.tasks.request import Request
from toccata.tasks.style_levels import with_style_levels

THIN, BUSY = (
    {"density": 0.5, "polyphony": 1.0, "register": 50.0, "length": 2.0, "velocity": 40.0},
    {"density": 9.0, "polyphony": 7.0, "register": 75.0, "length": 0.1, "velocity": 110.0},
)
PIANO, STRINGS = frozenset({0}), frozenset({40, 42})
COVERAGE = Coverage(passages={0: (Passage(PIANO, THIN), Passage(STRINGS, BUSY)), 1: (Passage(PIANO, BUSY),)})


def drawn(seed: int = 1, coverage: Coverage | None = COVERAGE, **request: object) -> Request:
    """A request for a piece in the first style, with levels of it."""
    whole = Request(**{"bars": 8, "controls": Controls(style=(0,)), **request})  # type: ignore[arg-type]
    return with_style_levels(whole, coverage, DEFAULT, seed)


def test_a_piece_has_the_levels_of_one_training_piece_of_its_style() -> None:
    both = {drawn(seed).controls for seed in range(40)}
    assert both == {Controls(1, 1, 1, 6, 1, style=(0,)), Controls(7, 6, 8, 1, 6, style=(0,))}
    assert drawn(3) == drawn(3)


def test_levels_that_are_drawn_are_not_counted_while_writing_and_those_requested_are() -> None:
    request = drawn(controls=Controls(density=8, style=(0,)))
    assert request.controls == Controls(8, 6, 8, 1, 6, style=(0,))  # the nearest to what is requested
    assert request.counted == Controls(density=8, style=(0,))


def test_levels_of_bars_count_as_requested() -> None:
    request = drawn(bar_controls={0: Controls(density=1), 1: Controls(density=2)})
    assert request.controls == Controls(None, 1, 1, 6, 1, style=(0,))


def test_levels_are_those_of_the_requested_instruments() -> None:
    assert {drawn(seed, programs=(42, 40)).controls.density for seed in range(9)} == {7}
    assert drawn(programs=(56,)).controls == Controls(style=(0,))
    assert drawn(pitches=(60, 72)).controls.register is None


@pytest.mark.parametrize(
    "request_",
    [
        Request(bars=8),
        Request(bars=8, controls=Controls(style=(7,))),
        Request(bars=8, controls=Controls(style=(0,)), prompt=Score(480)),
        Request(bars=8, controls=Controls(style=(0,)), without=frozenset({"levels"})),
    ],
)
def test_nothing_is_drawn_without_a_style_with_a_prompt_or_where_it_is_not_wanted(request_: Request) -> None:
    assert with_style_levels(request_, COVERAGE, DEFAULT, 1) is request_
    assert with_style_levels(replace(request_, prompt=None), None, DEFAULT, 1).drawn == frozenset()


def test_passages_come_back_from_json() -> None:
    read = Coverage.from_json(json.loads(json.dumps(COVERAGE.to_json())))
    assert read is not None
    assert read.passages == COVERAGE.passages
    without = {key: value for key, value in COVERAGE.to_json().items() if key != "passages_of_styles"}
    older = Coverage.from_json(without)
    assert older is not None
    assert not older.passages


def test_a_passage_has_the_first_bars_alone() -> None:
    score = Score(480)
    score.tempos.append(Tempo(0, 120))
    score.time_signatures.append(TimeSignature(0, 4, 4))
    quiet, loud = Track("", 40, False), Track("", 40, False)
    quiet.notes.extend([Note(480 * beat, 480, 60, 40) for beat in range(32)])
    loud.notes.extend([Note(480 * 32 + 120 * step, 120, 84, 120) for step in range(160)])
    score.tracks.extend([quiet, loud])
    found = Passage.of(score)
    assert found.programs == {40}
    assert found.values == {"density": 1.0, "polyphony": 1.0, "register": 60.0, "length": 1.0, "velocity": 40.0}


def test_the_bundled_model_draws_levels_for_each_of_its_styles() -> None:
    model = toccata.load(BUNDLED / DEFAULT_MODEL)
    for style in ("chopin", "drums"):
        made = model.generate(n=4, bars=1, seed=1, style=[style])
        assert all(set(piece.origin["controls"]) <= set(COUNTS) for piece in made)
        assert len({str(piece.origin["controls"]) for piece in made}) > 1
        (plain,) = model.generate(n=1, bars=1, seed=1, style=[style], without=["levels"])
        assert "controls" not in plain.origin
