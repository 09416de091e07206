"""Further routes stand behind the same guard, and every answer has the same headers, faults of ours among them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from toccata.server.app import create_app
from toccata.server.guard import HEADERS, Scope, public
from toccata.server.routes import answering
from toccata.server.settings import RequestLimits, ServerSettings

SETTINGS = ServerSettings(port=8765, token="a-secret-word", limits=RequestLimits(body=1000))
AUTHORISED = {"authorization": "Bearer a-secret-word"}


async def page(request: Request) -> Response:
    return PlainTextResponse("a page", headers={"cache-control": "max-age=60"})


async def fault(request: Request) -> Response:
    raise ZeroDivisionError("a-detail of this machine")


def asked(*requests: tuple[str, str, dict[str, Any]]) -> list[httpx.Response]:
    """The answers to some requests, without a network."""
    routes = [Route("/", page), Route("/studio/fault", answering("fault", fault))]
    server = create_app(
        SETTINGS,
        routes=routes,
        is_public=lambda scope: public(scope) or is_page(scope),
        is_page=is_page,
    )

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(server.app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client:
            return [await client.request(method, path, **more) for method, path, more in requests]

    try:
        return asyncio.run(ask())
    finally:
        server.service.decoders.close()


def is_page(scope: Scope) -> bool:
    return scope["method"] == "GET" and bool(scope["path"] == "/")


def test_every_answer_has_the_headers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "toccata.server")
    answers = asked(
        ("GET", "/", {}),
        ("GET", "/health", {}),
        ("HEAD", "/health", {}),
        ("GET", "/v1/models", {}),
        ("GET", "/v1/openapi.json", {"headers": AUTHORISED}),
        ("GET", "/nothing", {"headers": AUTHORISED}),
        ("PUT", "/v1/generate", {"headers": AUTHORISED}),
        ("OPTIONS", "/v1/generate", {"headers": {**AUTHORISED, "origin": "http://evil.example"}}),
        ("POST", "/v1/generate", {"headers": AUTHORISED, "json": {"barz": 1}}),
        ("POST", "/v1/generate", {"headers": AUTHORISED, "content": b"x" * 2000}),
        ("GET", "/studio/fault", {"headers": AUTHORISED}),
        ("GET", "/", {"headers": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}}),
    )
    assert [answer.status_code for answer in answers] == [200, 200, 200, 401, 200, 404, 405, 403, 400, 413, 500, 200]
    for answer in answers:
        for name, value in HEADERS:
            assert answer.headers.get_list(name.decode()) == [value.decode()]
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["cache-control"] == ("max-age=60" if answer.text == "a page" else "no-store")


def test_a_fault_of_ours_says_no_more_than_that(caplog: pytest.LogCaptureFixture) -> None:
    [answer] = asked(("GET", "/studio/fault", {"headers": AUTHORISED}))
    assert answer.json()["error"]["kind"] == "unexpected"
    assert "a-detail" not in answer.text
    assert "a-detail" in caplog.text  # whoever runs the server is told all


def test_a_further_route_needs_the_token_unless_it_is_public() -> None:
    refused, page = asked(("GET", "/studio/fault", {}), ("GET", "/", {}))
    assert refused.status_code == 401
    assert page.text == "a page"
