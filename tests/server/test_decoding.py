"""Many requests share the model's rows, and none notices the others."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from small_model import small_model

import toccata
from toccata.errors import ArgumentError, MidiError, ModelError
from toccata.events import NoteAdded, PieceFinished
from toccata.server.decoding import Busy, Decoders, Writing
from toccata.server.settings import RequestLimits, ServerSettings

VERBS: list[tuple[str, bool, dict[str, Any]]] = [
    ("generate", False, {"bars": 1, "seed": 1, "n": 3}),
    ("generate", True, {"bars": 1, "seed": 2}),
    ("infill", True, {"bars": [(2, 2)], "seed": 3}),
    ("vary", True, {"keep": "rhythm", "bars": [(1, 2)], "seed": 4, "n": 2}),
    ("harmonise", True, {"voices": "bass", "bars": [(1, 1)], "seed": 5}),
    ("accompany", True, {"programs": [42], "bars": [(3, 3)], "seed": 6}),
]
LONG = {"bars": 1000, "seed": 9}


def ended(writing: Writing) -> Writing:
    assert writing.wait(120)
    return writing


def test_all_together_write_what_each_writes_alone(decoders: Decoders, models: Path, song: bytes) -> None:
    model = toccata.load(models / "first")
    events: list[list[Any]] = [[] for _ in VERBS]
    writings = [
        decoders.submit(None, verb, song if sung else None, arguments, on_event=events[number].append)
        for number, (verb, sung, arguments) in enumerate(VERBS)
    ]
    for (verb, sung, arguments), writing, seen in zip(VERBS, writings, events, strict=True):
        alone = getattr(model, verb)(*([song] if sung else []), **arguments)
        assert ended(writing).error is None
        assert [piece.midi for piece in writing.result] == [piece.midi for piece in alone]
        finished = {event.piece: event.music for event in seen if isinstance(event, PieceFinished)}
        assert [finished[number].midi for number in writing.numbers] == [piece.midi for piece in alone]
        streamed = list(model.stream(*([song] if sung else []), verb=verb, **arguments))
        for number in writing.numbers:
            assert [e for e in seen if e.piece == number] == [e for e in streamed if e.piece == number]


def test_a_request_without_a_seed_is_given_one(decoders: Decoders) -> None:
    first = ended(decoders.submit(None, "generate", None, {"bars": 1, "n": 2}))
    again = ended(decoders.submit(None, "generate", None, {"bars": 1, "n": 2, "seed": first.seed}))
    assert [piece.midi for piece in first.result] == [piece.midi for piece in again.result]
    assert [piece.origin["seed"] for piece in first.result] == [first.seed, first.seed + 1]  # type: ignore[operator]


def test_more_pieces_than_rows_are_all_written_and_leave_room_for_others(decoders: Decoders) -> None:
    many = decoders.submit(None, "generate", None, {"bars": 1, "n": 20, "max_tokens": 40, "seed": 1})
    ended(decoders.submit(None, "generate", None, {"bars": 1, "max_tokens": 9, "seed": 1}))
    assert not many.done
    assert len(ended(many).result) == 20


def test_one_piece_can_be_stopped_and_the_others_stay(decoders: Decoders) -> None:
    noted = threading.Event()

    def hear(event: Any) -> None:
        if isinstance(event, NoteAdded) and event.piece == 1:
            noted.set()

    writing = decoders.submit(None, "generate", None, {"bars": 3, "n": 3, "seed": 20}, on_event=hear)
    assert noted.wait(60)
    writing.cancel(1)
    assert ended(writing).numbers == [0, 2]
    assert writing.error is None
    assert not writing.cancelled


def test_all_of_it_can_be_stopped_at_any_time(decoders: Decoders) -> None:
    noted = threading.Event()
    running = decoders.submit(None, "generate", None, {**LONG, "n": 20}, on_event=lambda _: noted.set())
    assert noted.wait(60)
    running.cancel()
    at_once = decoders.submit(None, "generate", None, LONG)
    at_once.cancel()
    for writing in (running, at_once):
        assert ended(writing).cancelled
        assert writing.result == []
        assert writing.error is None
    assert decoders.decoder().idle


def test_what_fails_fails_alone(decoders: Decoders, song: bytes) -> None:
    def refuse(event: Any) -> None:
        raise OSError("the reader went away")

    good = decoders.submit(None, "generate", None, {"bars": 2, "seed": 1})
    bad = [
        (decoders.submit(None, "generate", None, {"bars": 1}, on_event=refuse), OSError),
        (decoders.submit(None, "infill", song, {"bars": [(9, 9)]}), toccata.ToccataError),
        (decoders.submit(None, "generate", None, {"bars": -1}), ArgumentError),
        (decoders.submit(None, "generate", b"no music"), MidiError),
        (decoders.submit(None, "sing", None), ArgumentError),
        (decoders.submit("third", "generate", None), ModelError),
    ]
    for writing, kind in bad:
        assert isinstance(ended(writing).error, kind)
        assert "\n" not in str(writing.error)
    assert ended(good).error is None


def test_of_several_pieces_one_that_fails_can_leave_the_others(decoders: Decoders) -> None:
    failed: list[tuple[int, str]] = []

    def refuse(event: Any) -> None:
        if event.piece == 1:
            raise OSError("this one is not wanted")

    def pieces(**more: Any) -> Writing:
        arguments = {"bars": 1, "seed": 1, "n": 3}
        return ended(decoders.submit(None, "generate", None, arguments, on_event=refuse, **more))

    left = pieces(on_failed=lambda number, error: failed.append((number, str(error))))
    assert failed == [(1, "this one is not wanted")]
    assert left.error is None
    assert sorted(left.numbers) == [0, 2]
    together = pieces()
    assert isinstance(together.error, OSError)
    assert together.result == []


def test_another_model_can_be_named(decoders: Decoders, models: Path) -> None:
    writing = ended(decoders.submit("second", "generate", None, {"bars": 1, "seed": 1}))
    assert writing.result[0].midi == toccata.load(models / "second").generate(bars=1, seed=1)[0].midi
    assert [row["name"] for row in decoders.models()] == ["first", "second"]


def test_too_many_requests_are_refused_with_a_time(settings: ServerSettings) -> None:
    few = Decoders(ServerSettings(models=settings.models, limits=RequestLimits(waiting=1)))
    try:
        running = few.submit(None, "generate", None, LONG)
        with pytest.raises(Busy, match="try again in") as refused:
            few.submit(None, "generate", None, {"bars": 1})
        assert refused.value.seconds >= 1
        running.cancel()
        ended(running)
        ended(few.submit(None, "generate", None, {"bars": 1}))
    finally:
        few.close()


def test_a_model_that_is_replaced_is_opened_again_and_one_that_is_gone_is_named(tmp_path: Path) -> None:
    path = small_model(tmp_path / "mine")
    own = Decoders(ServerSettings(models=(str(path),)))
    try:
        before = ended(own.submit("mine", "generate", None, {"bars": 1, "seed": 1}))
        noted = threading.Event()
        running = own.submit("mine", "generate", None, LONG, on_event=lambda _: noted.set())
        assert noted.wait(60)
        shutil.rmtree(path)
        gone = ended(own.submit("mine", "generate", None, {"bars": 1, "seed": 1}))
        assert isinstance(gone.error, ModelError)
        assert str(path) in str(gone.error)
        small_model(path, seed=3)
        after = ended(own.submit("mine", "generate", None, {"bars": 1, "seed": 1}))
        assert after.error is None
        assert after.result[0].midi != before.result[0].midi
        assert not running.done
        running.cancel()
        ended(running)
    finally:
        own.close()


def test_closing_stops_what_runs(settings: ServerSettings) -> None:
    own = Decoders(settings)
    running = own.submit(None, "generate", None, LONG)
    own.close()
    assert running.done
    assert not [thread for thread in threading.enumerate() if thread.name == "decoder of first" and not thread.daemon]
    with pytest.raises(Busy):
        own.submit(None, "generate", None)


def test_a_model_that_cannot_be_opened_is_said_and_tried_again(tmp_path: Path) -> None:
    path = small_model(tmp_path / "mine")
    weights = path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1000])
    own = Decoders(ServerSettings(models=(str(path),)))
    try:
        for _ in range(2):
            assert isinstance(ended(own.submit("mine", "generate", None, {"bars": 1})).error, ModelError)
        weights.write_bytes(whole)
        assert ended(own.submit("mine", "generate", None, {"bars": 1, "seed": 1})).error is None
    finally:
        own.close()


def test_few_models_are_open_at_a_time(tmp_path: Path, models: Path) -> None:
    names = [str(models / "first"), str(models / "second"), str(small_model(tmp_path / "third"))]
    own = Decoders(ServerSettings(models=tuple(names), limits=RequestLimits(models=2)))
    try:
        for name in ("first", "second", "third", "first"):
            assert ended(own.submit(name, "generate", None, {"bars": 1, "max_tokens": 9})).error is None
            assert own.opened <= 2
    finally:
        own.close()


def test_a_fault_in_the_decoding_thread_fails_what_runs_and_the_next_request_is_served(
    settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Decoders(settings)
    try:
        noted = threading.Event()
        running = own.submit(None, "generate", None, LONG, on_event=lambda _: noted.set())
        assert noted.wait(60)
        monkeypatch.setattr("toccata.server.writing.Writing.settle", lambda _: 1 / 0)
        assert isinstance(ended(running).error, ZeroDivisionError)
        monkeypatch.undo()
        assert ended(own.submit(None, "generate", None, {"bars": 1, "max_tokens": 9})).error is None
    finally:
        own.close()
