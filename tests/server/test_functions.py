"""What the server says of music: ranking, originality and evaluation, as the functions of those names say it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from running import Running, running

import toccata
from toccata import api
from toccata.server.settings import ServerSettings


@pytest.fixture(scope="module")
def bundled() -> Iterator[Running]:
    """A server of the model that comes with toccata."""
    with running(ServerSettings(models=(str(api.find_model("base")),))) as server:
        yield server


@pytest.fixture(scope="module")
def written(bundled: Running) -> list[toccata.Piece]:
    model = bundled.server.service.decoders.decoder().model
    return model.generate(n=3, bars=2, seed=1, max_tokens=80)


def test_pieces_are_ranked(bundled: Running, written: list[toccata.Piece]) -> None:
    model = bundled.server.service.decoders.decoder().model
    files = [("song", (f"{number}.mid", piece.midi)) for number, piece in enumerate(written)]
    told = bundled.client.post("/v1/rank", files=files).json()
    ranked = toccata.rank(written, model)
    assert told["model"] == "base"
    assert [written[row["piece"]].midi for row in told["pieces"]] == [one.piece.midi for one in ranked]
    assert [row["why"] for row in told["pieces"]] == [one.why for one in ranked]


def test_the_best_of_several_come_first(bundled: Running, written: list[toccata.Piece]) -> None:
    model = bundled.server.service.decoders.decoder().model
    body = {"n": 2, "best_of": 3, "bars": 2, "seed": 1, "max_tokens": 80}
    told = bundled.client.post("/v1/generate", json=body).json()
    best = [written.index(one.piece) for one in toccata.rank(written, model)][:2]
    assert [piece["piece"] for piece in told["pieces"]] == best


def test_originality(bundled: Running, written: list[toccata.Piece]) -> None:
    model = bundled.server.service.decoders.decoder().model
    told = bundled.client.post("/v1/originality", files={"song": ("a.mid", written[0].midi)}).json()
    assert told == {"model": "base", "passage": api.Judge(model).of(written[0]).to_dict()}


def test_a_model_is_evaluated(client: httpx.Client, song: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toccata.finish.PIECES", 1)
    monkeypatch.setattr("toccata.finish.BARS", 1)
    files = [("song", ("tune.mid", song)), ("song", ("broken.mid", b"MThd"))]
    told = client.post("/v1/evaluate", files=files, data={"arguments": json.dumps({"include_seen": True})})
    assert told.status_code == 200, told.text
    found = told.json()
    assert (found["model"], found["pieces"], found["notes"]) == ("first", 1, 16)
    assert [row["path"] for row in found["unread"]] == ["broken.mid"]
    for arguments in ({}, {"include_seen": True}):
        nothing = client.post("/v1/evaluate", files=files[1:], data={"arguments": json.dumps(arguments)})
        assert nothing.status_code == 422
        assert nothing.json()["error"]["kind"] in ("bad-request", "bad-corpus")
        assert "/tmp" not in nothing.text
