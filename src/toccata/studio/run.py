"""Runs a studio: the port, the page in the browser, and the end."""

from __future__ import annotations

import asyncio
import errno
import secrets
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import uvicorn

from toccata.errors import ToccataError
from toccata.server.decoding import Decoders
from toccata.server.settings import PORT, ServerSettings
from toccata.studio.app import create_app
from toccata.studio.place import Occupied, Place
from toccata.studio.studio import Studio

_PORTS = 50
"""How many ports are tried where none was given."""


@dataclass(frozen=True)
class StudioSettings:
    """How a studio runs.

    Attributes:
        library: Its folder.
        host: The address to listen on.
        port: The port; None: the usual one, or the next that is free.
        token: What the page sends with every call; None: a new one.
        model: The name or the path of the model that writes where no other is chosen; None: the usual one.
        soundfont: The SoundFont that plays; None: the system's.
        browser: Whether the page is opened in the browser.
    """

    library: Path
    host: str = "127.0.0.1"
    port: int | None = None
    token: str | None = None
    model: str | None = None
    soundfont: Path | None = None
    browser: bool = True


def run(chosen: StudioSettings, say: Callable[[str], None]) -> bool:
    """Run a studio until it is stopped, by Ctrl-C for example.

    Args:
        chosen: How.
        say: Called with the address, and what a user should know, each a line.

    Returns:
        Whether it has run; False: one was running already in the library, and its page was opened.

    Raises:
        ToccataError: The port is in use, or the library cannot be read or written.
    """
    try:
        place = Place(chosen.library)
    except Occupied as occupied:
        address = occupied.address()
        if address is None:
            raise
        say(f"a studio is running already in {chosen.library}: {address}")
        if chosen.browser:
            _open(address)
        return False
    try:
        with _listening(chosen.host, chosen.port) as listener:
            _run(chosen, place, listener, say)
    finally:
        place.close()
    return True


def _run(chosen: StudioSettings, place: Place, listener: socket.socket, say: Callable[[str], None]) -> None:
    token = chosen.token or secrets.token_urlsafe(24)
    port = int(listener.getsockname()[1])
    models = () if chosen.model is None else (chosen.model,)
    settings = ServerSettings(chosen.host, port, token)
    decoders = Decoders(replace(settings, models=models), places=[chosen.library / "models"])
    studio = Studio(chosen.library, decoders, soundfont=chosen.soundfont)
    try:
        address = f"{settings.url}/#token={token}"
        config = uvicorn.Config(
            create_app(studio, settings), log_level="warning", lifespan="off", timeout_graceful_shutdown=2,
            server_header=False, date_header=False, access_log=False,
        )  # fmt: skip
        server = _Server(config, studio)

        def ready() -> None:
            place.announce(address)
            for line in studio.found:
                say(line)
            say(address)
            if chosen.browser:
                _open(address)
            threading.Thread(target=_warm, args=(decoders,), name="opening the model", daemon=True).start()

        server.ready = ready
        asyncio.run(server.serve(sockets=[listener]))
    finally:
        studio.close()
        decoders.close()


class _Server(uvicorn.Server):
    """A server that tells when it listens, and ends its streams when it is stopped."""

    def __init__(self, config: uvicorn.Config, studio: Studio) -> None:
        super().__init__(config)
        self._studio = studio
        self.ready: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self.ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End at a signal; a second one does not wait."""
        self._studio.hub.close()
        super().handle_exit(sig if sig != signal.SIGTERM else signal.SIGINT, frame)


def _listening(host: str, port: int | None) -> socket.socket:
    """Return a socket that is bound.

    Raises:
        ToccataError: The port is in use, or the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in [port] if port is not None else [*range(PORT, PORT + _PORTS), 0]:
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            if hasattr(socket, "SO_REUSEADDR") and socket.AF_INET and not _is_windows():
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, number))
            listener.listen(128)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE and port is None:
                continue
            raise _refused(host, number, error) from None
        return listener
    raise ToccataError(f"no port is free on {host}: name one with --port", kind="port")


def _refused(host: str, port: int, error: OSError) -> ToccataError:
    if error.errno == errno.EADDRINUSE:
        return ToccataError(f"port {port} is in use: name another with --port, or none", kind="port")
    if isinstance(error, PermissionError):
        return ToccataError(f"port {port} may not be used: name one above 1023 with --port", kind="port")
    return ToccataError(f"nothing can listen on {host}, port {port}: {error.strerror or error}", kind="port")


def _is_windows() -> bool:
    return not hasattr(socket, "AF_UNIX")


def _open(address: str) -> None:
    """Open a page in the browser, without waiting for it."""
    threading.Thread(target=webbrowser.open, args=(address,), name="browser", daemon=True).start()


def _warm(decoders: Decoders) -> None:
    """Open the model while the page loads; what is wrong with it is said when it is used."""
    with suppress(ToccataError):
        decoders.warm()
