"""``toccata serve``: the verbs over HTTP."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from toccata.cli.base import Face, Value, command
from toccata.cli.settings import setting
from toccata.errors import MissingExtra

if TYPE_CHECKING:
    from toccata.server.settings import RequestLimits, ServerSettings

TOKEN = "TOCCATA_TOKEN"
"""The environment variable with the token, which other users of a machine can see in a command line."""


@command(
    "serve",
    examples=(
        "toccata serve",
        "toccata serve --port 9000 --model models/bach --model base",
        "toccata serve --host 0.0.0.0 --allow-host music.example.org --token SECRET",
    ),
)
@click.option(
    "--host",
    default="127.0.0.1",
    metavar="ADDRESS",
    help="Where to listen; others than this machine need a token.  [127.0.0.1]",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8765, metavar="PORT", help="0: any free one.  [8765]")
@click.option("--token", metavar="TEXT", help="What clients have to send; else TOCCATA_TOKEN.  [none]")
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME[:PORT]",
    help="Another name for this server, as behind a proxy.",
)
@click.option(
    "--model",
    "-m",
    "models",
    type=Value("model"),
    multiple=True,
    metavar="DIR|NAME",
    help="The models to offer, the default first.  [all there are]",
)
@click.option("--max-body", type=click.IntRange(1, 1024), default=16, metavar="MB", help="The largest request.  [16]")
@click.option(
    "--max-seconds",
    type=click.IntRange(1, 86_400),
    default=600,
    metavar="S",
    help="The longest that one may take.  [600]",
)
@click.option(
    "--max-bars",
    type=click.IntRange(1, 10_000),
    default=1024,
    metavar="N",
    help="The most new bars of a piece.  [1024]",
)
@click.option(
    "--max-pieces", type=click.IntRange(1, 10_000), default=64, metavar="N", help="The most pieces of a request.  [64]"
)
@click.option(
    "--max-waiting",
    type=click.IntRange(1, 100_000),
    default=64,
    metavar="N",
    help="The most requests that wait and run.  [64]",
)
def serve(face: Face, **options: Any) -> None:
    """All that writes music, over HTTP, for other programs: JSON or MIDI in, JSON, MIDI or notes as they come out.

    It answers this machine alone, and needs no token then. http://127.0.0.1:8765/v1/openapi.json describes every call;
    POST a MIDI file to /v1/midi?bars=8 to get it back with eight more bars. Ctrl-C stops it in order.
    """
    try:
        from toccata.server.app import serve as run
    except ModuleNotFoundError as error:
        raise MissingExtra(f'a server needs {error.name}: pip install "toccata[studio]"') from None
    face.saved = "the server has stopped"
    try:
        run(_settings(options), lambda settings: _ready(face, settings))
    except KeyboardInterrupt:
        face.note("stopped")


def _settings(options: dict[str, Any]) -> ServerSettings:
    from toccata.server.settings import ServerSettings

    return ServerSettings(
        host=options["host"],
        port=options["port"],
        token=options["token"] if options["token"] is not None else os.environ.get(TOKEN) or None,
        allowed_hosts=tuple(options["allowed_hosts"]),
        models=tuple(map(str, options["models"])),
        default=None if options["models"] else setting("model", None),
        limits=_limits(options),
    )


def _limits(options: dict[str, Any]) -> RequestLimits:
    from toccata.server.settings import MIB, RequestLimits

    return RequestLimits(
        body=options["max_body"] * MIB,
        seconds=options["max_seconds"],
        bars=options["max_bars"],
        pieces=options["max_pieces"],
        waiting=options["max_waiting"],
    )


def _ready(face: Face, settings: ServerSettings) -> None:
    """Say where the server is, and never its token."""
    lines = [] if face.quiet else [f"toccata answers at {settings.url} (Ctrl-C stops it)"]
    face.result({"url": settings.url, "token": settings.token is not None}, lines)
