"""Many at once: what a verb writes does not depend on who is beside it, and no fill forgets what stands around it."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic import Note, Score, Track

from decoding import ProbedCache, one_job
from random_model import random_model
from toccata.engine.cache import KeyValueCache
from toccata.engine.job import DecodeJob
from toccata.engine.network import Network
from toccata.engine.sampling import Sampling
from toccata.engine.scheduler import Handle, Scheduler, Verb
from toccata.errors import ModelError, RequestError
from toccata.events import PieceFinished
from toccata.midi.bars import bar_map
from toccata.midi.read import find_midi, read_score
from toccata.musicmodel import Model, plan
from toccata.piece import Piece
from toccata.recipes import load
from toccata.tasks.compile import compile_request
from toccata.tasks.fill import ANSWER, FILL, SEP
from toccata.tasks.prompt import open_prompt
from toccata.tasks.request import Request
from toccata.tokenizers.events import EventOptions
from toccata.verbs.holes import InfillJob, blocks
from toccata.verbs.infill import infill_of, write_infill

CONTEXT = 192
EXAMPLES = int(os.environ.get("TOCCATA_SCHEDULES", "300"))
FILLS = max(12, EXAMPLES // 50)
"""How many mixtures of up to six verbs are tried."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    place = random_model(
        tmp_path_factory.mktemp("model") / "m",
        recipe.tokenizer,
        context=CONTEXT,
        styles=["bach", "chopin"],
        features=True,
    )
    return Model(place, precision="fp32", threads=1)


@pytest.fixture(scope="module")
def network(model: Model) -> Network:
    return Network.open(model.folder, model.config, bits=32, threads=1)


@pytest.fixture(scope="module")
def songs(data: Path) -> list[Path]:
    """Some pieces, a few bars long each at least."""
    return find_midi(data / "quartets")[:3]


def tune() -> Score:
    """Four bars of a soprano."""
    score = Score(480)
    score.tracks.append(Track("soprano", 52, False))
    pitches = (72, 74, 76, 74, 72, 71, 72, 67, 69, 71, 72, 74, 72, 71, 72, 72)
    score.tracks[0].notes.extend([Note(480 * n, 480, pitch, 80) for n, pitch in enumerate(pitches)])
    return score


def verbs(model: Model) -> list[Callable[[], Verb]]:
    """Verbs of all kinds, with other samplings, controls and lengths."""
    found: list[Callable[[], Verb]] = []

    def add(verb: str, *arguments: Any, **named: Any) -> None:
        found.append(lambda: plan(model, verb, *arguments, **named).verbs[0])

    add("generate", bars=2, seed=1, n=1, max_tokens=40)
    add(
        "generate", bars=9, seed=2, n=1, sampling=Sampling(0.8, top_p=0.9), max_tokens=CONTEXT + 20
    )  # its window slides
    add("generate", bars=3, seed=3, n=1, controls={"density": [2, 5, 7]}, style=["chopin"], max_tokens=60)
    add("generate", bars=3, seed=4, n=1, form="ABA", max_tokens=60)
    add("generate", tune(), bars=1, seed=5, n=1, max_tokens=30)
    add("infill", tune(), [(2, 3)], seed=6, n=1)
    add("infill", tune(), [(3, 3)], seed=7, n=1, sampling=Sampling(guidance=1.5), controls={"polyphony": 3})
    add("accompany", tune(), [0], bars=[(1, 1)], seed=8, n=1)
    add("harmonise", tune(), bars=[(2, 2)], seed=9, n=1)
    add("vary", tune(), bars=[(1, 2)], seed=10, n=1)
    return found


@pytest.fixture(scope="module")
def alone(model: Model, network: Network) -> list[bytes]:
    """What each of the verbs writes alone."""
    found = []
    for make in verbs(model):
        scheduler = Scheduler(KeyValueCache(network, rows=4, features=model.tokenizer.features), model.tokenizer)
        handle = scheduler.submit(make())
        scheduler.run()
        found.append(midi(handle))
    return found


def midi(handle: Handle) -> bytes:
    assert handle.error is None, handle.error
    result: Piece | tuple[Piece, Any] = handle.result
    return (result if isinstance(result, Piece) else result[0]).midi


@given(
    order=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40), st.booleans()), min_size=2, max_size=6),
    rows=st.integers(3, 16),
    prefill=st.integers(1, 200),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_result_is_the_same_alone_and_among_others(
    model: Model,
    network: Network,
    alone: list[bytes],
    order: list[tuple[int, int, bool]],
    rows: int,
    prefill: int,
) -> None:
    """Joining and leaving at random, slides and cancels included, to the bit."""
    cache = KeyValueCache(network, rows=rows, features=model.tokenizer.features)
    scheduler = Scheduler(cache, model.tokenizer, prefill=prefill)
    kinds = verbs(model)
    handles: list[tuple[int, Handle]] = []
    leaving: list[tuple[int, Handle]] = []
    for kind, steps, cancelled in order:
        handle = scheduler.submit(kinds[kind]())
        if cancelled:
            leaving.append((steps, handle))
        else:
            handles.append((kind, handle))
        for step in range(steps):
            scheduler.step()
            for after, going in leaving:
                if after == step:
                    going.cancel()
    for _, going in leaving:
        going.cancel()
    scheduler.run()
    for kind, handle in handles:
        assert midi(handle) == alone[kind]
    assert not cache.slots
    assert all(going.done for _, going in leaving)


def test_one_that_fails_ends_alone(model: Model, network: Network, alone: list[bytes]) -> None:
    cache = KeyValueCache(network, rows=8, features=model.tokenizer.features)
    scheduler = Scheduler(cache, model.tokenizer)

    def fails(event: object) -> None:
        raise OSError("the disk is full")

    def no_verb() -> Verb:
        yield from ()
        raise RequestError("it cannot be had")

    makes = verbs(model)
    good = [scheduler.submit(makes[kind]()) for kind in (0, 5)]
    bad = scheduler.submit(makes[1](), fails)
    worse = scheduler.submit(no_verb())
    task = compile_request(Request(bars=4), model.tokenizer, 64)
    object.__setattr__(task.cursor.constraints, "bars", 4)
    worst = scheduler.submit(one_job(DecodeJob(task, 1, Sampling(), -(10**6))))
    scheduler.run()
    assert [midi(handle) for handle in good] == [alone[0], alone[5]]
    assert isinstance(bad.error, OSError)
    assert isinstance(worse.error, RequestError)
    assert isinstance(worst.error, ModelError)
    assert not cache.slots


def test_cancelling_frees_the_rows_at_the_next_step(model: Model, network: Network) -> None:
    cache = KeyValueCache(network, rows=4, features=model.tokenizer.features)
    scheduler = Scheduler(cache, model.tokenizer)
    task = compile_request(Request(bars=50), model.tokenizer, 64)
    handles = [scheduler.submit(one_job(DecodeJob(task, seed, Sampling(), 10_000))) for seed in range(6)]
    for _ in range(5):
        scheduler.step()
    assert len(cache.slots) == 4
    for handle in handles[:3]:
        handle.cancel()
    scheduler.step()
    assert [handle.done for handle in handles] == [True] * 3 + [False] * 3
    scheduler.step()
    assert len(cache.slots) == 3, "those who waited have come"
    scheduler.close()
    assert all(handle.done for handle in handles)


def test_more_rows_than_there_are_is_refused(model: Model, network: Network) -> None:
    cache = KeyValueCache(network, rows=1, features=model.tokenizer.features)
    verb = plan(model, "generate", bars=2, controls={"density": 3}, n=1, seed=0).verbs[0]
    handle = Scheduler(cache, model.tokenizer).submit(verb)
    with pytest.raises(RequestError, match="takes 2 rows of the model at a time, and there are 1"):
        raise handle.error or AssertionError


# -- what stands around a hole -----------------------------------------------------------------------------------------


def test_an_infill_never_forgets(model: Model, network: Network, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long fills that have no room for all of their answer: whatever is written, what was given is in the context."""
    cut: list[int] = []
    checked = 0
    grammar = model.tokenizer.grammar()
    marks = [grammar.single(token) for token in (FILL, SEP, ANSWER)]

    def watch(rows: list[list[int]]) -> None:
        nonlocal checked
        for row in rows:
            assert all(mark in row for mark in marks), "written without its marks"
            assert row.index(marks[2]) > row.index(marks[1])
            assert tuple(row[: row.index(marks[2])]) in given, "what follows the hole, or comes before it, is not whole"
            checked += 1

    given: set[tuple[int, ...]] = set()
    monkeypatch.setattr(ProbedCache, "watch", watch)
    paths = [path for path in find_midi(data / "bach") if len(bar_map(read_score(path))) > 12]
    for number in range(FILLS):
        dice = random.Random(number)
        path, size = dice.choice(paths), dice.randint(7, 12)
        score = read_score(path)
        first = dice.randint(1, len(bar_map(score)) - size)
        last = first + size - 1
        opened = open_prompt(model.tokenizer, path, edit=True)
        assert opened is not None
        jobs = [InfillJob(hole) for hole in blocks(bar_map(opened.score), [(first, last)], None)]
        asked = infill_of(opened, jobs, Request(), Sampling())
        verb = write_infill(model._writer, asked, number)
        cache = ProbedCache(network, rows=1, features=model.tokenizer.features)
        scheduler = Scheduler(cache, model.tokenizer)
        handle = scheduler.submit(_noting(verb, given, marks[2], cut))
        scheduler.run()
        piece = handle.result
        assert handle.error is None, handle.error
        assert _outside(piece.score, score, first, last) == _outside(score, score, first, last)
    assert checked > 1000
    assert len(cut) > FILLS // 3, "no fill came to the end of its room: nothing was tested"


def _noting(verb: Verb, given: set[tuple[int, ...]], answer: int, cut: list[int]) -> Verb:
    """A verb whose tasks' contexts are noted."""
    decoded = None
    while True:
        try:
            wanted = verb.send(decoded)
        except StopIteration as stop:
            return stop.value
        if isinstance(wanted, DecodeJob):
            ids = wanted.task.ids.tolist()
            given.add(tuple(ids[: ids.index(answer)]))
        decoded = yield wanted
        if decoded is not None and decoded.bars is not None:
            cut.append(decoded.bars)


def _outside(score: Score, of: Score, first: int, last: int) -> list[tuple[int, int, int]]:
    """The notes that do not begin in some bars."""
    starts = bar_map(of).starts
    start, end = starts[first], starts[last] if last < len(starts) - 1 else of.end() + 1
    notes = [(n.time, n.pitch, n.duration) for track in score.tracks for n in track.notes]
    return sorted(note for note in notes if not start <= note[0] < end)


def test_several_fills_take_their_steps_together(model: Model, songs: list[Path]) -> None:
    alone = [model.infill(songs[0], [(2, 3), (5, 5)], seed=seed)[0].midi for seed in (3, 4, 5)]
    events = list(model.stream(songs[0], [(2, 3), (5, 5)], verb="infill", n=3, seed=3))
    together = {e.piece: e.music.midi for e in events if isinstance(e, PieceFinished)}
    assert [together[number] for number in range(3)] == alone
    pieces = [event.piece for event in events if hasattr(event, "note")]
    turns = int(np.count_nonzero(np.diff(pieces)))
    assert turns > 6, "one was written after the other"
