"""The Python API takes what the command line takes, and gives what a program needs."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from symusic import Note, Score, Track

import toccata
from random_model import random_model
from toccata.errors import ArgumentError, MidiError, RequestError
from toccata.musicmodel import Model
from toccata.piece import read_origin
from toccata.recipes import load
from toccata.tokenizers.events import EventOptions


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    place = random_model(tmp_path_factory.mktemp("model") / "m", recipe.tokenizer, context=192)
    return Model(place, precision="fp32", threads=1)


def tune() -> Score:
    score = Score(480)
    score.tracks.append(Track("soprano", 52, False))
    score.tracks[0].notes.extend([Note(480 * n, 480, 72 + n * 5 % 7, 80) for n in range(16)])
    return score


SAME: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("infill", {"bars": (2, 3)}, {"bars": [(2, 3)]}),
    ("infill", {"bars": "2-3"}, {"bars": [(2, 3)]}),
    ("infill", {"bars": 2}, {"bars": [(2, 2)]}),
    ("infill", {"bars": np.array([[2, 2], [4, 4]])}, {"bars": [(2, 2), (4, 4)]}),
    ("infill", {"bars": 2, "tracks": "soprano"}, {"bars": [(2, 2)], "tracks": [1]}),
    ("accompany", {"programs": "cello, -1", "bars": 1}, {"programs": [42, -1], "bars": [(1, 1)]}),
    ("accompany", {"programs": np.array([42]), "bars": 1}, {"programs": [42], "bars": [(1, 1)]}),
    ("harmonise", {"voices": "alto,bass", "bars": 2}, {"voices": ["alto", "bass"], "bars": [(2, 2)]}),
    ("generate", {"prompt_bars": np.int64(2), "bars": 1}, {"prompt_bars": (1, 2), "bars": 1}),
    ("generate", {"prompt_bars": "2-3", "bars": 1}, {"prompt_bars": (2, 3), "bars": 1}),
    ("generate", {"bars": 1, "pitches": ("C3", "C6")}, {"bars": 1, "pitches": (48, 84)}),
    ("generate", {"bars": 1, "sampling": {"top_p": 0.5}}, {"bars": 1, "sampling": toccata.Sampling(top_p=0.5)}),
]


@pytest.mark.parametrize(("verb", "said", "meant"), SAME)
def test_values_are_taken_as_the_command_line_takes_them(
    model: Model, verb: str, said: dict[str, Any], meant: dict[str, Any]
) -> None:
    write = getattr(model, verb)
    a, b = (write(tune(), **asked, n=1, seed=3) for asked in (said, meant))
    assert [piece.midi for piece in a] == [piece.midi for piece in b]


def test_a_part_of_a_prompt_is_what_the_model_goes_on_from(model: Model) -> None:
    [piece] = model.generate(tune(), prompt_bars=(2, 3), bars=1, seed=0)
    assert piece.prompt_end == 2 * 4 * 480
    assert [note.pitch for note in piece.notes if note.onset < piece.prompt_end] == [
        72 + n * 5 % 7 for n in range(4, 12)
    ]
    assert piece.origin["prompt"] == "score, bars 2-3"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"prompt_bars": (3, 9)}, "score has 4 bars: there is no bar 9 in it"),
        ({"prompt_bars": (3, 2)}, "prompt_bars must be a number of bars like 8, or bars like 5-8"),
        ({"prompt_bars": 2, "prompt_seconds": 3}, "in one way: bars 1-2 or the first 3 seconds, not both"),
        ({"sampling": {"heat": 2}}, "sampling: there is no 'heat': there are temperature, top_p"),
        ({"sampling": {"temperature": -1}}, "sampling: temperature must be a number from 0 to 10"),
        ({"best_of": 4}, "without what its pieces are ranked by: use toccata.load"),
        ({"n": 3, "best_of": 2}, "best_of is 2, and the best 3 of fewer"),
        ({"max_copy": 20}, "without its training music's index: use toccata.load"),
    ],
)
def test_what_is_wrong_is_said_of_the_argument(model: Model, asked: dict[str, Any], why: str) -> None:
    with pytest.raises(RequestError, match=why) as error:
        model.generate(tune(), bars=1, **asked)
    assert "--" not in error.value.message


def test_notes_of_a_piece_are_plain_numbers(model: Model) -> None:
    [piece] = model.generate(bars=2, tempo=90, seed=4)
    notes = [(n.time, n.duration, n.pitch) for track in piece.score.tracks for n in track.notes]
    assert sorted((note.onset, note.length, note.pitch) for note in piece.notes) == sorted(notes)
    first = piece.notes[0]
    assert first.onset_seconds == pytest.approx(first.onset_quarters * 60 / 90)
    assert hash(piece) == hash(model.generate(bars=2, tempo=90, seed=4)[0])
    assert len({piece, *model.generate(bars=2, tempo=90, seed=4)}) == 1


def test_a_list_of_pieces_shows_itself(model: Model) -> None:
    pieces: Any = model.generate(n=2, bars=1, seed=4)
    assert isinstance(pieces, list)
    assert pieces._repr_html_().count("<img") == 2


def test_an_origin_is_read_from_a_path(model: Model, tmp_path: Path) -> None:
    [piece] = model.generate(bars=1, seed=4)
    path = piece.save(tmp_path / "a.mid")
    assert read_origin(path) == read_origin(str(path)) == read_origin(piece.midi)
    assert (read_origin(path) or {})["seed"] == 4
    with pytest.raises(MidiError):
        read_origin(tmp_path / "b.mid")


def test_a_model_is_pickled_by_its_path(model: Model) -> None:
    other = pickle.loads(pickle.dumps(model))
    assert (other.precision, other.threads) == ("fp32", 1)
    assert other.generate(bars=1, seed=5)[0].midi == model.generate(bars=1, seed=5)[0].midi


def test_training_has_the_command_lines_flags() -> None:
    assert {"size", "seed", "minutes"} <= set(inspect.signature(toccata.train).parameters)
    with pytest.raises(ArgumentError, match="size must be nano, micro, small or base, not 'huge'"):
        toccata.train("a", "b", size="huge")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="seed must be a whole number"):
        toccata.train("a", "b", seed="three")  # type: ignore[arg-type]
