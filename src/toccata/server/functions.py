"""The calls that write no music: what toccata's functions of the same names do, on the music in a request.

Files that functions read are written to a temporary folder under names of ours, and their names in an answer are those
that the client gave.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from toccata import api
from toccata.errors import ModelError, RequestError, ToccataError
from toccata.musicmodel import Model
from toccata.piece import Piece, read_origin
from toccata.server.operations import PICTURES, SOUNDS
from toccata.server.requests import Call, TooMuch

MOST_SECONDS = 900.0
"""The longest song that is rendered as sound."""


def rank(call: Call, model: Model) -> dict[str, Any]:
    """Order pieces, the best first."""
    pieces = [_piece(song.midi) for song in call.songs]
    ranked = api.rank(pieces, model)
    places = {id(piece): number for number, piece in enumerate(pieces)}
    return {
        "model": model.name,
        "pieces": [{"piece": places[id(one.piece)], **one.to_dict()} for one in ranked],
    }


def originality(call: Call, model: Model) -> dict[str, Any]:
    """Find the longest passage that stands in the model's training music.

    Raises:
        RequestError: The model has no index of it.
    """
    if not api.Judge.has(model):
        raise RequestError(f"{model.name} has no index of its training music: name another model")
    return {"model": model.name, "passage": api.Judge(model).of(_piece(call.songs[0].midi)).to_dict()}


def check(call: Call) -> dict[str, Any]:
    """Report what is in some files."""
    with tempfile.TemporaryDirectory(prefix="toccata-") as place:
        names = _written(call, Path(place))
        found: dict[str, Any] = _named(api.check(place).to_dict(), names)
    del found["folder"]
    return found


def evaluate(call: Call, model: Model) -> dict[str, Any]:
    """Measure a model on music that it has not seen."""
    with tempfile.TemporaryDirectory(prefix="toccata-") as place:
        names = _written(call, Path(place))
        try:
            found = api.evaluate(model.folder.path, place, include_seen=bool(call.arguments.get("include_seen")))
        except ModelError as error:  # it is open, and does not know what is needed
            raise RequestError(f"{model.name} cannot be evaluated: {error.message}", path=error.path) from None
        except ToccataError as error:
            raise type(error)(_named(error.message, names).replace(place, "the request"), kind=error.kind) from None
        answer: dict[str, Any] = _named(found.to_dict(), names)
        return answer


def render(call: Call, kind: str) -> bytes:
    """Return a song as sound or as a piano roll; ``kind`` is a suffix without its dot."""
    song = call.songs[0]
    if kind in SOUNDS and (seconds := _piece(song.midi).seconds) > MOST_SECONDS:
        raise TooMuch(f"the song is {seconds:,.0f} s long, and at most {MOST_SECONDS:,.0f} s are rendered: send a part")
    with tempfile.TemporaryDirectory(prefix="toccata-") as place:
        source, out = Path(place) / "song.mid", Path(place) / f"out.{kind}"
        source.write_bytes(song.midi)
        try:
            api.render(source, [out])
        except ToccataError as error:
            raise type(error)(error.message.replace(str(source), "the song"), kind=error.kind) from None
        return out.read_bytes()


WITH_MODEL: Mapping[str, Callable[[Call, Model], dict[str, Any]]] = {
    "rank": rank,
    "originality": originality,
    "evaluate": evaluate,
}
MEDIA = {kind: name for name, kind in (PICTURES | SOUNDS).items()}
"""Suffixes by media types."""


def _piece(midi: bytes) -> Piece:
    """Return a piece that was sent, with the origin that toccata wrote into it."""
    return Piece(midi, read_origin(midi) or {})


def _written(call: Call, place: Path) -> dict[str, str]:
    """Write the songs of a call to a folder; return the name to show for each path."""
    names: dict[str, str] = {}
    for number, song in enumerate(call.songs, 1):
        path = place / f"{number:06}.mid"
        path.write_bytes(song.midi)
        shown = song.name or f"song {number}"
        names[str(path)] = names[path.name] = shown
    return names


def _named(value: Any, names: Mapping[str, str]) -> Any:
    """Return JSON values with the client's names in place of ours."""
    if isinstance(value, str):
        if value in names:
            return names[value]
        for path, name in names.items():
            value = value.replace(path, name) if path in value else value
        return value
    if isinstance(value, dict):
        return {key: _named(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [_named(one, names) for one in value]
    return value
