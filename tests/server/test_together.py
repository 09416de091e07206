"""Thirty-two clients at once: each gets what it would get alone, and none is lost."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Running

import toccata

CLIENTS = 32
VERBS: list[tuple[str, bool, dict[str, Any]]] = [
    ("generate", False, {"bars": 1, "max_tokens": 60}),
    ("generate", True, {"bars": 1}),
    ("infill", True, {"bars": [[2, 2]]}),
    ("accompany", True, {"programs": [42], "bars": [[3, 3]]}),
    ("harmonise", True, {"voices": ["bass"], "bars": [[1, 1]]}),
    ("vary", True, {"keep": "rhythm", "bars": [[1, 2]], "n": 2}),
    ("vary", True, {"keep": "contour", "strength": 0.3, "n": 1}),
    ("generate", False, {"bars": 2, "n": 3, "max_tokens": 40}),
]


def alone(models: Path, song: bytes) -> list[list[bytes]]:
    model = toccata.load(models / "first")
    found = []
    for seed in range(CLIENTS):
        verb, sung, arguments = VERBS[seed % len(VERBS)]
        found.append([p.midi for p in getattr(model, verb)(*([song] if sung else []), **arguments, seed=seed)])
    return found


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_each_gets_what_it_gets_alone(running_server: Running, models: Path, song: bytes, accept: str) -> None:
    coded = {"midi": base64.b64encode(song).decode()}

    def ask(seed: int) -> httpx.Response:
        verb, sung, arguments = VERBS[seed % len(VERBS)]
        body = {**({"song": coded} if sung else {}), **arguments, "seed": seed}
        headers = {"accept": accept}
        return httpx.post(f"{running_server.url}/v1/{verb}", json=body, headers=headers, timeout=120, trust_env=False)

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(ask, range(CLIENTS)))
    for answer, expected in zip(answers, alone(models, song), strict=True):
        assert answer.status_code == 200, answer.text
        assert _pieces(answer) == expected
    assert running_server.server.service.decoders.active == 0


def _pieces(answer: httpx.Response) -> list[bytes]:
    """The pieces of an answer, those of a stream in the order that its last event says."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return [base64.b64decode(piece["midi"]) for piece in answer.json()["pieces"]]
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in answer.text.split("\n\n") if block]
    events = [(block["event"], json.loads(block["data"])) for block in blocks]
    found = {data["piece"]: base64.b64decode(data["midi"]) for name, data in events if name == "piece"}
    assert events[-1][0] == "done"
    return [found[number] for number in events[-1][1]["order"]]
