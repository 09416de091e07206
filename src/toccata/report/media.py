"""Music inside a page: a piano roll as SVG, sound as an MP3 in a data URL, texts of files of this package."""

from __future__ import annotations

import base64
from importlib.resources import files

from symusic import Score

from toccata.render.audio import small_mp3
from toccata.render.roll import svg

_NAMESPACE = ' xmlns="http://www.w3.org/2000/svg"'


def page_file(name: str) -> str:
    """Return a text file of ``report/pages``."""
    return files("toccata.report").joinpath("pages", name).read_text(encoding="utf-8")


def roll(score: Score) -> str:
    """Return a piano roll to stand in HTML; instruments are named, and no track is called by its own name."""
    plain = score.copy()
    for track in plain.tracks:
        track.name = ""
    return svg(plain).replace(_NAMESPACE, "", 1)  # HTML needs none, and a page without addresses is seen to have none


def sound(score: Score, seconds: float) -> str:
    """Return the first ``seconds`` of a piece as a data URL."""
    return "data:audio/mpeg;base64," + base64.b64encode(small_mp3(score, seconds)).decode()
