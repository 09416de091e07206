"""``toccata studio``."""

from __future__ import annotations

from pathlib import Path

import click

from toccata.cli.base import PATH, Face, Value, command
from toccata.cli.settings import setting
from toccata.errors import MissingExtra


@command(
    "studio",
    examples=(
        "toccata studio",
        "toccata studio music/album --model models/bach",
        "toccata studio --port 9000 --no-browser",
    ),
)
@click.argument("library", type=PATH, required=False)
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="The port.  [8765, or the next free one]")
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Where to listen.  [127.0.0.1: here alone]")
@click.option("--token", metavar="TEXT", help="What the page sends with every call.  [a new one]")
@click.option("--model", "-m", type=Value("model"), metavar="DIR|NAME", help="What writes, unless you choose.")
@click.option("--soundfont", type=Value("soundfont"), metavar="FILE", help="The SoundFont that plays.")
@click.option("--no-browser", is_flag=True, help="Print the address, and open no page.")
def studio(
    face: Face,
    library: Path | None,
    port: int | None,
    host: str,
    token: str | None,
    model: str | None,
    soundfont: Path | None,
    no_browser: bool,
) -> None:
    """Write music with a model, in the browser.

    Everything is kept in LIBRARY, ~/toccata by default: pieces with all their takes as MIDI files, models trained here,
    and the music for them. Nothing leaves this machine. Ctrl-C ends it; nothing is lost.
    """
    try:
        from toccata.studio.run import StudioSettings, run
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] == "toccata":
            raise
        raise MissingExtra(f'the studio needs {error.name}: pip install "toccata[studio]"') from None
    folder = (library or Path("~/toccata")).expanduser().absolute()
    face.place, face.saved = folder, f"everything is in {folder}"
    font = setting("soundfont", None if soundfont is None else str(soundfont))
    chosen = StudioSettings(
        folder, host, port, token, setting("model", model), None if font is None else Path(font), not no_browser
    )

    def say(line: str) -> None:
        face.result({"address": line} if "#token=" in line else {"note": line}, [line])

    run(chosen, say)
