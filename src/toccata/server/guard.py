"""The outermost layer of a server: who is answered, how large and how slow a request may be, headers of every answer.

A page in a browser can send requests to this machine, and a name that it controls can be made to point here. So
``Host`` and ``Origin`` are compared with a fixed list, never with one another, and a token is sent in a header, which
no foreign page can do. Only the raw scope is read: what frameworks make of it (a URL, a form) depends on the client.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from toccata.server.settings import ServerSettings, is_loopback

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
"""The Content-Security-Policy of every answer."""
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
_NO_STORE = (b"cache-control", b"no-store")
_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")
_STATUS = {400: "bad-request", 401: "token", 403: "origin", 408: "slow", 413: "too-large", 421: "host"}


class Refused(Exception):  # noqa: N818 - says what became of the request
    """A request that is not answered.

    Attributes:
        status: The HTTP status.
        message: Why, in one line.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def public(scope: Scope) -> bool:
    """Whether a request needs no token: the one for the health of the server, which says nothing else."""
    return bool(scope["path"] == "/health")


class Guard:
    """ASGI middleware that stands outside everything.

    Args:
        app: What answers the requests that are let through.
        settings: Address, token, further hosts and limits.
        is_public: Which requests need no token: a page's files, an address that is good for a minute.
        is_page: Which GET requests a link on another site may lead to: ``/``.
    """

    def __init__(
        self,
        app: App,
        settings: ServerSettings,
        *,
        is_public: Callable[[Scope], bool] = public,
        is_page: Callable[[Scope], bool] = lambda _: False,
    ) -> None:
        self.app, self.settings = app, settings
        self.is_public, self.is_page = is_public, is_page
        self._token = None if settings.token is None else settings.token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse a request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no WebSockets
            await send({"type": "websocket.close", "code": 1008})
            return
        guarded = _with_headers(send)
        try:
            self.check(scope)
            body = await self._body(scope, receive)
        except Refused as refused:
            await _refuse(guarded, refused)
            return
        except _Gone:
            return
        await self.app(scope, _replayed(body, receive), guarded)

    def check(self, scope: Scope) -> None:
        """Refuse a request by its headers.

        Raises:
            Refused: It is not for this server, or comes from another site, or has no token.
        """
        hosts = self.hosts(scope)
        if (host := _only(scope, b"host")) is None or host.lower() not in hosts:
            raise Refused(421, "this server is not called that: use the address that it was started with")
        origin = _only(scope, b"origin")
        if origin is not None and origin.lower() not in {f"{way}://{host}" for host in hosts for way in _WAYS}:
            raise Refused(403, "requests from other sites are not answered")
        site = _only(scope, b"sec-fetch-site")
        if site not in (None, "same-origin", "none") and not self.is_page(scope):
            raise Refused(403, "requests from other sites are not answered")
        if self._token is not None and not self.is_public(scope):
            given = _only(scope, b"authorization") or ""
            way, _, token = given.partition(" ")
            if way.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), self._token):
                raise Refused(401, "this needs the token of the server, as `Authorization: Bearer TOKEN`")

    def hosts(self, scope: Scope) -> frozenset[str]:
        """Return the values of ``Host`` that are answered, in lower case.

        Beside names of this machine alone, that is the address at which the connection came in: it is a number, and no
        name can be made to stand for it in a ``Host`` header.
        """
        server = scope.get("server") or (self.settings.host, self.settings.port)
        port = self.settings.port or server[1]
        names = {"127.0.0.1", "localhost", "[::1]", _bracketed(self.settings.host)}
        if not is_loopback(self.settings.host):
            names.add(_bracketed(str(server[0])))
        found = {f"{name}:{port}".lower() for name in names}
        if port == 80:
            found |= {name.lower() for name in names}
        return frozenset(found | {name.lower() for name in self.settings.allowed_hosts})

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Read the whole body, within its limits.

        Raises:
            Refused: It is too large or too slow.
            _Gone: The client went away.
        """
        most, seconds = self.settings.limits.body, self.settings.limits.body_seconds
        if self._token is not None and self.is_public(scope):
            most = min(most, _MOST_WITHOUT_TOKEN)
        length = _only(scope, b"content-length")
        if length is not None and (not length.isascii() or not length.isdigit() or len(length) > 18):
            raise Refused(400, "Content-Length is no number")
        if length is not None and int(length) > most:
            raise Refused(413, f"the request has {int(length):,} bytes; at most {most:,} are read")
        if scope["method"] in _WITHOUT_BODY and not int(length or 0) and _only(scope, b"transfer-encoding") is None:
            return b""
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(seconds):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Gone
                    part = message.get("body", b"")
                    size += len(part)
                    if size > most:
                        raise Refused(413, f"the request has more than the {most:,} bytes that are read")
                    parts.append(part)
                    more = message.get("more_body", False)
        except TimeoutError:
            raise Refused(408, f"the request did not arrive within {seconds:g} s") from None
        return b"".join(parts)


class _Gone(Exception):  # noqa: N818 - no error
    """The client went away before its request had arrived."""


_MOST_WITHOUT_TOKEN = 4096
"""Bytes of a body that is read of a client that has shown no token."""
_WAYS = ("http", "https")  # https: behind a proxy


def _only(scope: Scope, name: bytes) -> str | None:
    """Return a header.

    Raises:
        Refused: It is there more than once, so that two readers could take different ones.
    """
    found = [value for key, value in scope["headers"] if key.lower() == name]
    if len(found) > 1:
        raise Refused(400, f"the header {name.decode()} is there {len(found)} times")
    return found[0].decode("latin-1").strip() if found else None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives the body, and then what still comes: that the client goes away."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _with_headers(send: Send) -> Send:
    """Return a ``send`` that adds the headers of every answer; an answer may choose its own caching alone."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours = {name for name, _ in HEADERS}
            headers = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in ours]
            headers += HEADERS
            if not any(name.lower() == b"cache-control" for name, _ in headers):
                headers.append(_NO_STORE)
            message = {**message, "headers": headers}
        await send(message)

    return guarded


async def _refuse(send: Send, refused: Refused) -> None:
    error = {"error": {"kind": _STATUS[refused.status], "message": refused.message}}
    body = json.dumps(error).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refused.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
