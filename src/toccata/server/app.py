"""The app of a server, and the process that runs it."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from toccata.errors import ToccataError, shown
from toccata.server import remarks
from toccata.server.decoding import Decoders
from toccata.server.guard import App, Guard, Scope, public
from toccata.server.patience import patient
from toccata.server.routes import Service, no_path
from toccata.server.settings import ServerSettings

_CONNECTIONS = 512
"""The most connections at a time."""
_GRACE = 5
"""Seconds that answers under way have when the server is stopped."""


@dataclasses.dataclass(frozen=True)
class Server:
    """An app, and what it is made of.

    Attributes:
        app: The ASGI app, guarded and counted.
        service: What its routes share: decoders, jobs, figures.
    """

    app: App
    service: Service


def create_app(
    settings: ServerSettings,
    *,
    decoders: Decoders | None = None,
    routes: Sequence[BaseRoute] = (),
    is_public: Callable[[Scope], bool] = public,
    is_page: Callable[[Scope], bool] = lambda _: False,
) -> Server:
    """Make the app of a server.

    Args:
        settings: Address, token, models and limits.
        decoders: The models; None: those of ``settings``. They are closed with the app.
        routes: Further routes, behind the same guard.
        is_public: Which requests need no token.
        is_page: Which GET requests links on other sites may lead to.
    """
    service = Service(settings, decoders or Decoders(settings))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await service.jobs.stop()
        service.decoders.close()

    inner = Starlette(
        routes=[*service.routes(), *routes],
        exception_handlers={HTTPException: no_path},
        lifespan=lifespan,
    )
    inner.router.redirect_slashes = False
    guard = Guard(inner, settings, is_public=is_public, is_page=is_page)
    return Server(service.metrics.counting(guard), service)


def listen(settings: ServerSettings) -> tuple[socket.socket, ServerSettings]:
    """Return a socket that listens, and the settings with its port.

    Raises:
        ToccataError: The port is in use, or the address is not one of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ToccataError(f"{shown(settings.host)} is no address of this machine: {error.strerror}") from None
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(_CONNECTIONS)
    except OSError as error:
        found.close()
        why = (error.strerror or str(error)).lower()
        raise ToccataError(
            f"cannot listen on {settings.host}, port {settings.port}: {why}; choose another one with --port",
            kind="port",
        ) from None
    return found, dataclasses.replace(settings, port=found.getsockname()[1])


class _Uvicorn(uvicorn.Server):
    """uvicorn that ends all verbs before it waits for their answers to be sent."""

    def __init__(
        self, config: uvicorn.Config, service: Service, on_ready: Callable[[], None], on_stop: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._service, self._on_ready, self._on_stop = service, on_ready, on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop the verbs, then the connections."""
        self._on_stop()
        await self._service.jobs.stop()
        await super().shutdown(sockets)


def process(
    server: Server, on_ready: Callable[[], None] = lambda: None, on_stop: Callable[[], None] = lambda: None
) -> uvicorn.Server:
    """Return what answers requests.

    Its ``run(sockets=[...])`` takes the socket from :func:`listen`, and returns when its ``should_exit`` is set; in the
    main thread, Ctrl-C and SIGTERM set that, and raise KeyboardInterrupt when all has ended in order.

    Args:
        server: From :func:`create_app`, with the settings from :func:`listen`.
        on_ready: Called when requests are answered.
        on_stop: Called when no more are: what streams without an end has to end now.
    """
    logging.getLogger("toccata.server").setLevel(logging.INFO)
    config = uvicorn.Config(
        server.app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=patient(server.service.settings.limits.body_seconds),
        ws="none",
        lifespan="on",
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE,
    )
    return _Uvicorn(config, server.service, on_ready, on_stop)


def serve(settings: ServerSettings, on_ready: Callable[[ServerSettings], None] = lambda _: None) -> None:
    """Open the default model, and answer requests until the process is to stop.

    Args:
        settings: Address, token, models and limits.
        on_ready: Called when requests are answered, with the settings that are in force.

    Raises:
        ModelError: The default model cannot be opened.
        ToccataError: The port is in use.
        KeyboardInterrupt: A signal came, and it has stopped in order.
    """
    listening, own = listen(settings)
    with listening:
        decoders = Decoders(own)
        try:
            decoders.warm()
        except BaseException:
            decoders.close()
            raise
        with remarks.listening():
            process(create_app(own, decoders=decoders), lambda: on_ready(own)).run(sockets=[listening])
