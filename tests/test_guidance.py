"""Guidance: what is told counts more, and what would follow untold is known exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from random_model import random_model
from toccata.engine.model import Model
from toccata.engine.network import Network
from toccata.engine.reader import Reader, guided, hearings
from toccata.engine.sampling import Sampling
from toccata.engine.session import Session
from toccata.errors import RequestError
from toccata.midi.bars import bar_map
from toccata.midi.read import find_midi, read_score
from toccata.recipes import load
from toccata.tasks.controls import Controls, cued, cues, wish_words
from toccata.tasks.passage import passage
from toccata.tasks.request import Request, Task, compile_request
from toccata.tasks.window import BarStart, bar_starts
from toccata.tokenizers.cursor import Cursor
from toccata.tokenizers.events import EventOptions

CONTEXT = 128
BARS = 24


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Model]:
    """The same random weights twice, so that one can be asked while the other writes; a context that is soon full."""
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    place = random_model(
        tmp_path_factory.mktemp("model") / "m", recipe.tokenizer, context=CONTEXT, styles=["bach", "chopin"]
    )
    return Model(place, precision="fp32"), Model(place, precision="fp32")


@dataclass
class Copied:
    """A piece that is written from a given one, id by id."""

    ids: list[int]
    bars: list[BarStart]
    cursor: Cursor

    def read(self, token: int, task: Task) -> None:
        self.ids.append(token)
        self.bars = bar_starts(self.cursor.grammar, self.ids, task.cursor.state.meter)


def begun(task: Task) -> Copied:
    """Nothing written yet; the cursor stays where it is, of which a reader asks only the meter."""
    return Copied(task.ids.tolist(), bar_starts(task.cursor.grammar, task.ids.tolist()), task.cursor)


def reading(model: Model, task: Task, pieces: int, guidance: float) -> Reader:
    """A reader with a session of its own."""
    heard = hearings(task, model.tokenizer, guidance)
    network = Network.open(model.folder, model.config, bits=32, threads=1)
    session = Session(network, rows=pieces * len(heard.deaf))
    return Reader(session, model.tokenizer, task, pieces, heard)


def asked(model: Model, **wishes: Any) -> Task:
    return compile_request(Request(bars=BARS, meter=(4, 4), **wishes), model.tokenizer, 96, controls=True)


def told_music(model: Model, data: Path) -> list[int]:
    """Bars of a real piece, its density told after every other bar line."""
    score = read_score(find_midi(data / "quartets")[3])
    bars = bar_map(score)
    ids = passage(model.tokenizer, score, bars, 4, 4 + BARS).ids.tolist()
    told = cues(model.tokenizer, Controls(), {bar: Controls(density=bar % 8 + 1) for bar in range(0, BARS, 2)})
    return cued(model.tokenizer.grammar(), [], ids, bars.meters[4], told.bars)[1]


def test_the_twin_expects_what_a_reader_does_that_was_told_nothing(models: tuple[Model, Model], data: Path) -> None:
    model, other = models
    task = asked(model, controls=Controls(density=3, style=(1,)))
    words = wish_words(model.tokenizer)
    untold = replace(task, ids=task.ids[~words[task.ids]], prefix=0)
    music = told_music(model, data)
    assert words[music].sum() > 4
    assert len(music) > 3 * CONTEXT, "the window is to move on, more than once"
    both = reading(model, task, 1, 3)
    plain = reading(other, untold, 1, 3)
    assert plain.untold is None
    piece, same = begun(task), begun(untold)
    kept = 0
    for token in music:
        assert both.untold is not None
        np.testing.assert_allclose(both.untold, plain.told, atol=1e-4)
        kept += bool(np.abs(both.told - plain.told).max() > 1e-3)
        piece.read(token, task)
        both.step([piece], [token])
        if not words[token]:
            same.read(token, untold)
            plain.step([same], [token])
    assert kept > len(music) / 2, "what was told made no difference"


def test_a_piece_that_is_done_leaves_the_others_as_they_are(models: tuple[Model, Model], data: Path) -> None:
    model, other = models
    task = asked(model, controls=Controls(length=2))
    words = wish_words(model.tokenizer)
    music = told_music(model, data)[:40]
    reader = reading(model, task, 3, 3)
    pieces = [begun(task) for _ in range(3)]
    for n, token in enumerate(music):
        if n == 20:
            reader.release(1)  # the third takes its place
            pieces = [pieces[0], pieces[2]]
        ids = [token] * (len(pieces) - 1) + [music[0]]
        for piece, one in zip(pieces, ids, strict=True):
            piece.read(one, task)
        reader.step(pieces, ids)
    assert reader.untold is not None
    for index, piece in enumerate(pieces):
        np.testing.assert_allclose(reader.told[index], other.logits(np.array(piece.ids, np.int32))[-1], atol=1e-4)
        plain = np.array([i for i in piece.ids if not words[i]], np.int32)
        np.testing.assert_allclose(reader.untold[index], other.logits(plain)[-1], atol=1e-4)


@pytest.mark.parametrize("guidance", [1, 3])
def test_of_two_styles_the_mean_is_expected(models: tuple[Model, Model], data: Path, guidance: float) -> None:
    model, other = models
    task = asked(model, controls=Controls(density=3, style=(0, 1)))
    reader = reading(model, task, 1, guidance)
    piece = begun(task)
    for token in told_music(model, data)[:40]:
        piece.read(token, task)
        reader.step([piece], [token])
    styles = [
        int(cues(model.tokenizer, Controls(style=(number,)), {}).prefix[0]) for number in (0, 1)
    ]  # each is heard alone, as in training
    alone = [other.logits(np.array([i for i in piece.ids if i != style], np.int32))[-1] for style in styles]
    np.testing.assert_allclose(reader.told[0], np.mean(alone, axis=0), atol=1e-4)
    assert (reader.untold is None) == (guidance == 1)


def test_only_what_can_but_be_wished_for_is_guided(models: tuple[Model, Model]) -> None:
    model, _ = models
    wished = {"controls": Controls(density=3)}
    single = {"bar_controls": {5: Controls(polyphony=2)}}
    style = {"controls": Controls(style=(0,))}
    for wishes in (wished, single, style):
        task = asked(model, **wishes)
        deaf, last = hearings(task, model.tokenizer, 2)
        assert last
        assert deaf.any(axis=1).tolist() == [False, True]
        deaf, last = hearings(task, model.tokenizer, 1)
        assert not last
        assert deaf.tolist() == [[False] * model.tokenizer.vocab_size]
    # Masks and what is promised see to these: they cost no second row.
    for promised in ({}, {"key": "D minor"}, {"end": True}):
        assert len(hearings(asked(model, **promised), model.tokenizer, 3)[0]) == 1


def test_guidance_goes_from_untold_over_told_to_more() -> None:
    told, untold = np.array([[2.0, 1.0]], np.float32), np.array([[1.0, 1.0]], np.float32)
    assert np.array_equal(guided(told, untold, 0), untold)
    assert np.array_equal(guided(told, untold, 1), told)
    assert np.array_equal(guided(told, untold, 3), np.array([[4.0, 1.0]], np.float32))
    for wrong in (-0.1, 11, float("nan")):
        with pytest.raises(RequestError, match="guidance must be a number from 0 to 10"):
            Sampling(guidance=wrong)


def test_the_same_seed_gives_the_same_piece_whoever_is_beside(models: tuple[Model, Model]) -> None:
    model, _ = models
    wishes: dict[str, Any] = {"bars": 6, "controls": {"density": [2, 7], "register": 4}, "max_tokens": 600}
    sampling = Sampling(guidance=3)
    alone = [model.generate(n=1, seed=s, sampling=sampling, **wishes)[0] for s in (5, 6, 7)]
    together = model.generate(n=3, seed=5, sampling=sampling, **wishes)
    assert [p.midi for p in alone] == [p.midi for p in together]
    assert together[0].origin["sampling"]["guidance"] == 3
    plain = model.generate(n=1, seed=5, sampling=Sampling(guidance=1), **wishes)
    assert plain[0].midi != together[0].midi
