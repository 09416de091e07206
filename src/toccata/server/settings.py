"""The settings of a server: where it listens, whom it answers, its models, and how much one request may take."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from toccata.errors import ArgumentError, shown

HOST, PORT = "127.0.0.1", 8765
MIB = 2**20


@dataclass(frozen=True)
class RequestLimits:
    """The most that requests may take.

    Attributes:
        body: Bytes in the body of a request.
        body_seconds: Seconds until the headers of a request have arrived, and again until its body has.
        seconds: Seconds that a request may take, waiting included.
        bars: New bars of one piece.
        pieces: Pieces that one request writes.
        waiting: Verbs that wait or run, of all clients together.
        other: Calls that are no verbs (rank, render, ...) that wait or run, of all clients together.
        jobs: Finished jobs whose answer is kept.
        models: Models that are open at a time.
    """

    body: int = 16 * MIB
    body_seconds: float = 30.0
    seconds: float = 600.0
    bars: int = 1024
    pieces: int = 64
    waiting: int = 64
    other: int = 16
    jobs: int = 256
    models: int = 4


@dataclass(frozen=True)
class ServerSettings:
    """How a server runs.

    Attributes:
        host: The address to listen on.
        port: The port to listen on; 0: any that is free.
        token: What clients send as ``Authorization: Bearer TOKEN``; None: nothing, on a loopback address alone.
        allowed_hosts: Further values of ``Host`` that are answered, such as ``music.example.org`` behind a proxy.
        models: Names or paths of the models to offer, the default first; empty: all that are found.
        default: Name or path of the default model where ``models`` is empty; None: the newest, as commands take it.
        limits: The most that requests may take.
    """

    host: str = HOST
    port: int = PORT
    token: str | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    default: str | None = None
    limits: RequestLimits = RequestLimits()

    def __post_init__(self) -> None:
        """Refuse what would be open to everyone.

        Raises:
            ArgumentError: A token that cannot be sent, or none where other machines can reach the server.
        """
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token.strip()):
            raise ArgumentError("a token is printable ASCII characters without line breaks: choose another one")
        if self.token is not None and self.token != self.token.strip():
            raise ArgumentError("a token cannot begin or end with a space: choose another one")
        if self.token is None and not is_loopback(self.host):
            raise ArgumentError(
                f"{shown(self.host)} can be reached from other machines: give a token that clients have to send, or "
                f"listen on {HOST}"
            )

    @property
    def url(self) -> str:
        """The address of the server."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
