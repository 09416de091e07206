"""Guidance: what is told counts more, and what would follow untold is known exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from decoding import ProbedCache, decode, one_job
from random_model import random_model
from toccata.engine.guidance import ControlIds, guided
from toccata.engine.job import DecodeJob
from toccata.engine.network import Network
from toccata.engine.sampling import Sampling
from toccata.engine.scheduler import Scheduler
from toccata.errors import RequestError
from toccata.musicmodel import Model
from toccata.recipes import load
from toccata.tasks.compile import compile_request
from toccata.tasks.controls import Controls, guided_ids, style_ids
from toccata.tasks.request import Request, Task
from toccata.tokenizers.events import EventOptions

CONTEXT = 128
BARS = 24


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Random weights, and a context that is soon full."""
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    place = random_model(
        tmp_path_factory.mktemp("model") / "m", recipe.tokenizer, context=CONTEXT, styles=["bach", "chopin"]
    )
    return Model(place, precision="fp32")


def asked(model: Model, **options: Any) -> Task:
    return compile_request(Request(bars=BARS, meter=(4, 4), **options), model.tokenizer, 96, controls=True)


def watched(model: Model, task: Task, guidance: float, monkeypatch: pytest.MonkeyPatch) -> list[list[list[int]]]:
    """What each row of a sequence has in its context, after each step."""
    contexts: list[list[list[int]]] = []
    monkeypatch.setattr(ProbedCache, "watch", lambda rows: contexts.append([list(row) for row in rows]))
    network = Network.open(model.folder, model.config, bits=32, threads=1)
    cache = ProbedCache(network, rows=4, features=model.tokenizer.features)
    decode(cache, model.tokenizer, task, 3, Sampling(guidance=guidance), limit=4 * CONTEXT)
    return contexts


CONTROLS: dict[str, dict[str, Any]] = {
    "a level": {"controls": Controls(density=3)},
    "a style, levels of bars": {
        "controls": Controls(style=(1,)),
        "bar_controls": {bar: Controls(density=bar % 8 + 1, polyphony=2) for bar in range(0, BARS, 2)},
    },
    "two styles": {"controls": Controls(register=2, style=(0, 1))},
}


@pytest.mark.parametrize("options", CONTROLS.values(), ids=CONTROLS.keys())
def test_all_rows_have_the_same_music_in_their_context(
    model: Model, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    task, words = asked(model, **options), guided_ids(model.tokenizer)
    contexts = watched(model, task, 3, monkeypatch)
    assert len(contexts) > 2 * CONTEXT, "the window is to move on, more than once"
    controlled = 0
    for rows in contexts:
        plain = [[one for one in row if not words[one]] for row in rows]
        assert all(music == plain[0] for music in plain)
        assert rows[-1] == plain[0], "the last row reads no controls"
        controlled += rows[0] != plain[0]
    assert controlled == len(contexts), "what is said of the whole stays where the window moves on"


@pytest.mark.parametrize("guidance", [1, 3])
@pytest.mark.parametrize("options", CONTROLS.values(), ids=CONTROLS.keys())
def test_what_is_expected_follows_from_what_each_row_has_read(
    model: Model, options: dict[str, Any], guidance: float
) -> None:
    """Of two styles each is read alone, as in training, and the mean is expected."""
    task, capacity = asked(model, **options), CONTEXT
    network = Network.open(model.folder, model.config, bits=32, threads=1)
    cache = ProbedCache(network, rows=4, features=model.tokenizer.features)
    scheduler = Scheduler(cache, model.tokenizer)
    scheduler.submit(one_job(DecodeJob(task, 5, Sampling(guidance=guidance), 200)))
    styles, words = style_ids(model.tokenizer), guided_ids(model.tokenizer)
    for step in range(90):
        scheduler.step()
        ((_, sequence),) = scheduler.running or [(None, None)]
        if sequence is None or step % 9:
            continue
        plain, seen = np.empty((2, model.config.vocab), np.float32)
        sequence.expect(plain, seen)
        read = [np.array(ids, np.int32) for ids in cache.contents(sequence.slots)]
        assert all(len(ids) < capacity for ids in read)
        conditional = read[: len(read) - (guidance != 1)]
        np.testing.assert_allclose(plain, np.mean([model.logits(ids)[-1] for ids in conditional], axis=0), atol=1e-4)
        np.testing.assert_allclose(sequence.logits[-1], model.logits(read[-1])[-1], atol=1e-4)
        assert all(styles[ids].sum() <= 1 for ids in read)
        assert words[read[-1]].any() == (guidance == 1)


def test_only_what_can_but_be_wished_for_is_guided(model: Model) -> None:
    with_controls = {"controls": Controls(density=3)}
    single = {"bar_controls": {5: Controls(polyphony=2)}}
    style = {"controls": Controls(style=(0,))}
    for options in (with_controls, single, style):
        task = asked(model, **options)
        dropped, last = ControlIds(model.tokenizer).rows(task, 2)
        assert last
        assert dropped.any(axis=1).tolist() == [False, True]
        dropped, last = ControlIds(model.tokenizer).rows(task, 1)
        assert not last
        assert dropped.tolist() == [[False] * model.tokenizer.vocab_size]
    # Masks and what is promised see to these: they cost no second row.
    for promised in ({}, {"key": "D minor"}, {"end": True}):
        assert len(ControlIds(model.tokenizer).rows(asked(model, **promised), 3).dropped_ids) == 1


def test_guidance_goes_from_untold_over_told_to_more() -> None:
    controlled, untold = np.array([[2.0, 1.0]], np.float32), np.array([[1.0, 1.0]], np.float32)
    assert np.array_equal(guided(controlled, untold, 0), untold)
    assert np.array_equal(guided(controlled, untold, 1), controlled)
    assert np.array_equal(guided(controlled, untold, 3), np.array([[4.0, 1.0]], np.float32))
    for wrong in (-0.1, 11, float("nan")):
        with pytest.raises(RequestError, match="guidance must be a number from 0 to 10"):
            Sampling(guidance=wrong)


def test_the_same_seed_gives_the_same_piece_whoever_is_beside(model: Model) -> None:
    options: dict[str, Any] = {"bars": 6, "controls": {"density": [2, 7], "register": 4}, "max_tokens": 600}
    sampling = Sampling(guidance=3)
    alone = [model.generate(n=1, seed=s, sampling=sampling, **options)[0] for s in (5, 6, 7)]
    together = model.generate(n=3, seed=5, sampling=sampling, **options)
    assert [p.midi for p in alone] == [p.midi for p in together]
    assert together[0].origin["sampling"]["guidance"] == 3
    plain = model.generate(n=1, seed=5, sampling=Sampling(guidance=1), **options)
    assert plain[0].midi != together[0].midi
