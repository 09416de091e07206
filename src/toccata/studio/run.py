"""Runs a studio: the port, the page in the browser, and the end."""

from __future__ import annotations

import html
import os
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from toccata.errors import ToccataError
from toccata.server.app import listen, process
from toccata.server.decoding import Decoders
from toccata.server.settings import PORT, ServerSettings
from toccata.studio.app import studio_app
from toccata.studio.place import Occupied, Place
from toccata.studio.studio import Studio

_PORTS = 50
"""How many ports are tried where none was given."""
_LEADS = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url=ADDRESS"><title>toccata studio</title></head>
<body><a href="ADDRESS">toccata studio</a></body></html>
"""


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
            _open(address, chosen.library)
        return False
    try:
        listener, settings = _listening(chosen)
        with listener:
            _run(chosen, place, listener, settings, say)
    finally:
        place.close()
    return True


def _run(
    chosen: StudioSettings,
    place: Place,
    listener: socket.socket,
    settings: ServerSettings,
    say: Callable[[str], None],
) -> None:
    decoders = Decoders(settings, places=[chosen.library / "models"])
    studio = Studio(chosen.library, decoders, soundfont=chosen.soundfont)
    address = f"{settings.url}/#token={settings.token}"

    def ready() -> None:
        place.announce(address)
        for line in studio.found:
            say(line)
        say(address)
        if chosen.browser:
            _open(address, chosen.library)
        threading.Thread(target=_warm, args=(decoders,), name="opening the model", daemon=True).start()

    try:
        process(studio_app(studio, settings), ready, studio.hub.close).run(sockets=[listener])
    finally:
        studio.close()
        decoders.close()


def _listening(chosen: StudioSettings) -> tuple[socket.socket, ServerSettings]:
    """Return a socket that listens; where no port was given, at the usual one or the next that is free.

    Raises:
        ToccataError: The port is in use, or the address is not one of this machine.
    """
    token = chosen.token or secrets.token_urlsafe(24)
    settings = ServerSettings(chosen.host, chosen.port or PORT, token, default=chosen.model)
    if chosen.port is not None:
        return listen(settings)
    for port in range(PORT, PORT + _PORTS):
        try:
            return listen(replace(settings, port=port))
        except ToccataError as error:
            if error.kind != "port":
                raise
    return listen(replace(settings, port=0))


def _open(address: str, library: Path) -> None:
    """Open a page in the browser, without waiting for it.

    By a file that only this user can read and that leads to it: what is given to the browser as an argument, the token
    for example, others on this machine could see in the list of processes.
    """
    with suppress(OSError):
        page = library / "open.html"
        page.unlink(missing_ok=True)
        with os.fdopen(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(_LEADS.replace("ADDRESS", html.escape(address)))
        threading.Thread(target=webbrowser.open, args=(page.resolve().as_uri(),), name="browser", daemon=True).start()


def _warm(decoders: Decoders) -> None:
    """Open the model while the page loads; what is wrong with it is said when it is used."""
    with suppress(ToccataError):
        decoders.warm()
