"""A server that runs: on a free port of this machine, in a thread of this process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from toccata.server.app import Server, create_app, listen, process
from toccata.server.decoding import Decoders
from toccata.server.settings import ServerSettings


@dataclass
class Running:
    """A server and a client of it."""

    server: Server
    settings: ServerSettings
    client: httpx.Client

    @property
    def url(self) -> str:
        return self.settings.url


@contextlib.contextmanager
def running(settings: ServerSettings, decoders: Decoders | None = None) -> Iterator[Running]:
    """Run a server; it closes its decoders at the end."""
    from dataclasses import replace

    listening, own = listen(replace(settings, port=0))
    ready = threading.Event()
    server = create_app(own, decoders=decoders)
    answers = process(server, ready.set)
    thread = threading.Thread(target=answers.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        assert ready.wait(60)
        headers = {} if own.token is None else {"authorization": f"Bearer {own.token}"}
        with httpx.Client(base_url=own.url, headers=headers, timeout=120, trust_env=False) as client:
            yield Running(server, own, client)
    finally:
        answers.should_exit = True
        thread.join(60)
        listening.close()
    assert not thread.is_alive()
