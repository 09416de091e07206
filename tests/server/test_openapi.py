"""The OpenAPI document says what the server does: every route, every argument, and no answer that it does not name."""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import SkipTest

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from made_song import four_bars
from running import Running, running
from schemathesis import GenerationMode, checks
from starlette.routing import Route

from toccata.server.openapi import document, schema_of
from toccata.server.operations import OPERATIONS
from toccata.server.settings import RequestLimits, ServerSettings

DOCUMENT = document(RequestLimits())


def test_every_route_is_in_the_document_and_every_call_of_it_is_a_route(running_server: Running) -> None:
    routes = {
        (route.path, method)
        for route in running_server.server.service.routes()
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    documented = {(path, method.upper()) for path, calls in DOCUMENT["paths"].items() for method in calls}
    assert routes == documented


def test_the_server_gives_the_document(client: httpx.Client) -> None:
    assert client.get("/v1/openapi.json").json() == json.loads(json.dumps(DOCUMENT))


def test_every_argument_has_a_schema() -> None:
    known = [argument for operation in OPERATIONS for argument in operation.arguments.values()]
    assert [argument.name for argument in known if not schema_of(argument.kind)] == []


def test_every_argument_is_described() -> None:
    for path, calls in DOCUMENT["paths"].items():
        for call in calls.values():
            assert call["summary"], path
            for content in call.get("requestBody", {"content": {}})["content"].values():
                for name, schema in content["schema"].get("properties", {}).items():
                    assert schema.get("description") or "$ref" in schema or name in ("song", "songs", "arguments"), name


def test_references_lead_somewhere() -> None:
    names = set(DOCUMENT["components"]["schemas"])
    text = json.dumps(DOCUMENT)
    assert {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]} <= names


# -- requests made from the document, good and bad ones --------------------------------------------


@pytest.fixture(scope="module")
def hasty(models: Path) -> Iterator[Running]:
    """A server that gives little to each request."""
    limits = RequestLimits(seconds=1.0, bars=2, pieces=2, body=2**20, jobs=20)
    with running(ServerSettings(models=(str(models / "first"),), limits=limits)) as server:
        server.server.service.decoders.warm()
        yield server


@pytest.fixture(scope="module")
def described(hasty: Running) -> Any:
    return schemathesis.openapi.from_url(f"{hasty.url}/v1/openapi.json")


# Random bytes are no music: most of what is sent is a song, whole or damaged.
MUSIC = st.one_of(
    st.just(four_bars()),
    st.integers(20, 150).map(lambda end: four_bars()[:end]),
    st.binary(max_size=60),
)
schemathesis.openapi.format("byte", MUSIC.map(lambda midi: base64.b64encode(midi).decode()))
schemathesis.openapi.media_type("audio/midi", MUSIC)


@schemathesis.serializer("audio/midi")
def as_it_is(context: Any, value: Any) -> Any:
    return value if isinstance(value, bytes) else str(value).encode()


CHECKS = [checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance]
CALLS = [(operation.path, operation.method) for operation in OPERATIONS]


def explore(described: Any, path: str, method: str, examples: int) -> None:
    """No answer is a fault, and each is one that the document names."""
    for mode in GenerationMode:

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @given(case=described[path][method].as_strategy(generation_mode=mode))
        def call(case: Any) -> None:
            answer = case.call(timeout=60)
            assert answer.status_code != 500, answer.text
            case.validate_response(answer, checks=CHECKS)

        with contextlib.suppress(SkipTest, Unsatisfiable):  # in a call without arguments nothing can be wrong
            call()


@pytest.mark.filterwarnings("ignore::toccata.errors.MidiWarning")
@pytest.mark.parametrize(("path", "method"), CALLS)
def test_no_request_made_from_the_document_is_answered_otherwise(described: Any, path: str, method: str) -> None:
    explore(described, path, method, 8)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::toccata.errors.MidiWarning")
@pytest.mark.parametrize(("path", "method"), CALLS)
def test_nor_is_any_of_very_many(described: Any, path: str, method: str) -> None:
    explore(described, path, method, int(os.environ.get("TOCCATA_REQUESTS", "5000")) // 20)


def test_after_all_that_the_server_is_well(hasty: Running) -> None:
    assert hasty.client.get("/health").json()["status"] == "ok"
    assert hasty.client.post("/v1/generate", json={"bars": 1, "max_tokens": 10}).status_code == 200
