"""Who is answered: the server itself is called, header by header."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from toccata.errors import ArgumentError
from toccata.server.guard import HEADERS, Guard, Scope
from toccata.server.settings import RequestLimits, ServerSettings

TOKEN = "correct horse"
AUTHORISED = ("authorization", f"Bearer {TOKEN}")
HOST = ("host", "127.0.0.1:8765")
OPEN, CLOSED = ServerSettings(), ServerSettings(token=TOKEN)


class Answer:
    def __init__(self, sent: list[dict[str, Any]]) -> None:
        self.status: int = sent[0]["status"]
        self.headers = [(name.decode().lower(), value.decode()) for name, value in sent[0]["headers"]]
        self.body = b"".join(message.get("body", b"") for message in sent[1:])

    @property
    def kind(self) -> str:
        error: dict[str, str] = json.loads(self.body)["error"]
        assert set(error) == {"kind", "message"}
        assert "\n" not in error["message"]
        return error["kind"]


async def echo(scope: Scope, receive: Any, send: Any) -> None:
    """An app that gives back the body."""
    body = (await receive())["body"]
    headers = [(b"content-type", b"text/plain"), (b"x-frame-options", b"ALLOW")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body or b"nothing"})


def request(
    *headers: tuple[str, str],
    settings: ServerSettings = OPEN,
    method: str = "GET",
    path: str = "/v1/models",
    body: tuple[bytes, ...] = (b"",),
    server: tuple[str, int] = ("127.0.0.1", 8765),
    stalls: bool = False,
    **options: Any,
) -> Answer:
    scope = {
        "type": "http", "method": method, "path": path, "server": server,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }  # fmt: skip
    parts, sent = list(body), []

    async def receive() -> dict[str, Any]:
        if not parts and stalls:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts) or stalls}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Guard(echo, settings, **options)(scope, receive, send))
    return Answer(sent)


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765"])
def test_its_own_names_are_answered(host: str) -> None:
    assert request(("host", host)).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8765", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:87650",
        "localhost.evil.example:8765",
        "127.0.0.1:8765@evil.example", "127.0.0.1:8765.evil.example", "", "0.0.0.0:8765", "127.1:8765", "[::1]",
    ],
)  # fmt: skip
def test_a_name_that_was_made_to_point_here_is_refused(host: str) -> None:
    """DNS rebinding: the browser sends the name of the page, whatever address it resolves to."""
    assert request(("host", host), ("origin", f"http://{host}")).kind == "host"


def test_a_request_without_a_host_or_with_two_is_refused() -> None:
    assert request().kind == "host"
    assert request(HOST, HOST).kind == "bad-request"
    assert request(HOST, AUTHORISED, AUTHORISED, settings=CLOSED).kind == "bad-request"


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8765", "http://localhost:8765", "http://[::1]:8765"])
def test_the_page_itself_is_answered(origin: str) -> None:
    assert request(HOST, ("origin", origin), ("sec-fetch-site", "same-origin")).status == 200


@pytest.mark.parametrize(
    "origin",
    [
        "null", "http://evil.example", "http://127.0.0.1:3000", "http://127.0.0.1", "https://localhost", "file://", "",
        "http://127.0.0.1:8765.evil.example", "http://evil.example:8765",
    ],
)  # fmt: skip
def test_other_origins_are_refused_with_and_without_a_token(origin: str) -> None:
    assert request(HOST, ("origin", origin)).kind == "origin"
    assert request(HOST, ("origin", origin), AUTHORISED, settings=CLOSED).kind == "origin"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_what_another_site_started_is_refused_but_a_link_to_the_page(site: str) -> None:
    def is_page(scope: Scope) -> bool:
        return scope["method"] == "GET" and bool(scope["path"] == "/")

    assert request(HOST, ("sec-fetch-site", site)).kind == "origin"
    assert request(HOST, ("sec-fetch-site", site), path="/", is_page=is_page).status == 200
    assert request(HOST, ("sec-fetch-site", site), path="/", method="POST", is_page=is_page).kind == "origin"
    assert request(HOST, ("sec-fetch-site", "none")).status == 200


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", "Bearer correct", "Bearer correct horse2", f"Basic {TOKEN}", TOKEN, "Bearer é" * 50],
)
def test_a_wrong_token_is_refused(given: str) -> None:
    answer = request(HOST, ("authorization", given), settings=CLOSED)
    assert answer.kind == "token"
    assert ("www-authenticate", "Bearer") in answer.headers
    assert TOKEN.encode() not in answer.body


def test_the_token_is_taken_from_the_header_alone() -> None:
    assert request(HOST, AUTHORISED, settings=CLOSED).status == 200
    assert request(HOST, path="/v1/models?token=correct+horse", settings=CLOSED).kind == "token"
    assert request(HOST, ("cookie", f"token={TOKEN}"), settings=CLOSED).kind == "token"


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "text/plain", "application/x-www-form-urlencoded"])
def test_what_a_form_on_another_site_can_send_needs_the_token_too(kind: str) -> None:
    """These types need no preflight, so the browser sends them at once."""
    form = request(HOST, ("content-type", kind), method="POST", path="/v1/generate", settings=CLOSED)
    assert form.kind == "token"


def test_only_the_health_is_public() -> None:
    assert request(HOST, path="/health", settings=CLOSED).status == 200
    for path in ("/metrics", "/", "/v1/openapi.json", "/health/", "//health", "/v1/../health"):
        assert request(HOST, path=path, settings=CLOSED).kind == "token"


@pytest.mark.parametrize("headers", [(HOST,), (), (HOST, ("origin", "null")), (HOST, ("content-length", "999999999"))])
def test_every_answer_has_the_headers(headers: tuple[tuple[str, str], ...]) -> None:
    answer = request(*headers, method="POST")
    for name, value in HEADERS:
        assert [own for key, own in answer.headers if key == name.decode()] == [value.decode()]
    assert ("cache-control", "no-store") in answer.headers
    assert not [name for name, _ in answer.headers if name.startswith("access-control")]


def test_a_body_arrives_whole() -> None:
    assert request(HOST, method="POST", body=(b"one ", b"two")).body == b"one two"


def test_a_large_body_is_refused_by_its_length_and_by_its_size() -> None:
    small = ServerSettings(limits=RequestLimits(body=10))
    assert (
        request(HOST, ("content-length", "11"), method="POST", settings=small, body=(), stalls=True).kind == "too-large"
    )
    assert request(HOST, method="POST", settings=small, body=(b"12345", b"67890", b"1")).kind == "too-large"
    assert request(HOST, ("content-length", "3"), method="POST", settings=small, body=(b"x" * 11,)).kind == "too-large"
    assert request(HOST, ("content-length", "11"), settings=small, body=(), stalls=True).kind == "too-large"
    assert request(HOST, ("content-length", "10"), method="POST", settings=small, body=(b"x" * 10,)).status == 200
    for length in ("-1", "1e3", "٣", "9" * 30, ""):
        assert request(HOST, ("content-length", length.encode().decode("latin-1")), method="POST").kind == "bad-request"


def test_a_slow_body_is_given_up() -> None:
    hasty = ServerSettings(limits=RequestLimits(body_seconds=0.01))
    assert request(HOST, method="POST", settings=hasty, body=(b"a",), stalls=True).kind == "slow"


def test_a_client_that_goes_away_is_not_answered() -> None:
    sent: list[Any] = []

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"host", b"127.0.0.1:8765")]}
    asyncio.run(Guard(echo, OPEN)(scope, gone, send))
    assert sent == []


def test_there_are_no_websockets() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Guard(echo, OPEN)({"type": "websocket", "headers": []}, send, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_other_addresses_need_a_token() -> None:
    for host in ("0.0.0.0", "192.168.1.5", "::", "music.example.org"):
        with pytest.raises(ArgumentError, match="give a token"):
            ServerSettings(host=host)
        assert ServerSettings(host=host, token=TOKEN).url.startswith("http://")
    for host in ("127.0.0.1", "localhost", "::1", "127.0.0.2"):
        ServerSettings(host=host)
    for token in ("", " ", "a\nb", "é", " a"):
        with pytest.raises(ArgumentError, match="token"):
            ServerSettings(token=token)
    assert TOKEN not in repr(CLOSED)


def test_on_other_addresses_the_number_of_this_machine_and_named_hosts_are_answered() -> None:
    wide = ServerSettings(host="0.0.0.0", token=TOKEN, allowed_hosts=("music.example.org",))
    own = ("192.168.1.5", 8765)
    for host in ("192.168.1.5:8765", "music.example.org", "localhost:8765"):
        assert request(("host", host), AUTHORISED, settings=wide, server=own).status == 200
    for host in ("192.168.1.6:8765", "music.example.org:8765", "evil.example"):
        assert request(("host", host), AUTHORISED, settings=wide, server=own).kind == "host"
    https = ("origin", "https://music.example.org")
    assert request(("host", "music.example.org"), https, AUTHORISED, settings=wide, server=own).status == 200
