"""What clients get: pieces, events and errors as JSON, and the choice among media types."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from toccata.errors import RequestError, ToccataError
from toccata.events import (
    BarBegun,
    Event,
    NoteAdded,
    NoteRemoved,
    PieceFinished,
    PieceRestarted,
    SongNote,
    changed_outside,
    note_keys,
)
from toccata.piece import Piece
from toccata.server.requests import Call
from toccata.server.writing import Writing

STATUS: Mapping[str, int] = {
    "bad-argument": 400,
    "unreadable-midi": 400,
    "no-model": 404,
    "no-job": 404,
    "no-path": 404,
    "method": 405,
    "not-acceptable": 406,
    "cancelled": 409,
    "too-large": 413,
    "unsupported": 415,
    "bad-request": 422,
    "bad-corpus": 422,
    "busy": 429,
    "missing-extra": 501,
    "bad-model": 503,
    "stopping": 503,
    "time-limit": 504,
}
"""The HTTP status of an error by its kind; of others 422 if it is a toccata error, and 500 if not."""


def status_of(error: BaseException) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, ToccataError):
        return STATUS.get(error.kind, 422)
    return 500


def error_of(error: BaseException) -> dict[str, Any]:
    """Return the JSON of an error. Of a fault of ours nothing is said but that it is one; and of a folder, its name."""
    if isinstance(error, ToccataError):
        message = error.message
        if error.path is not None and error.path.is_absolute():
            message = message.replace(str(error.path), error.path.name).replace(str(error.path.parent), "...")
        return {"error": {"kind": error.kind, "message": " ".join(message.split())}}
    return {"error": {"kind": "unexpected", "message": f"a fault in toccata ({type(error).__name__}): see its log"}}


def encoded(value: Any) -> bytes:
    """Encode JSON."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


# -- pieces ------------------------------------------------------------------------------------------------------------


def piece_answer(piece: Piece, number: int, changed: int | None) -> dict[str, Any]:
    """Describe a finished piece.

    Args:
        piece: The piece.
        number: Its number in the events.
        changed: How many notes changed where nothing was to change; None: there was no music before.
    """
    origin = piece.origin
    return {
        "piece": number,
        "midi": base64.b64encode(piece.midi).decode(),
        "seed": origin.get("seed"),
        "bars": piece.bars,
        "seconds": round(piece.seconds, 3),
        "notes": piece.score.note_num(),
        "new_notes": origin.get("notes"),
        "prompt_end": piece.prompt_end,
        "changed_outside": changed,
        "distance": origin.get("distance"),
        "changed": origin.get("changed"),
        "origin": origin,
    }


def writing_answer(call: Call, writing: Writing) -> dict[str, Any]:
    """Describe a verb that has ended, with its pieces in their order."""
    pairs = zip(writing.result, writing.numbers, strict=True)
    pieces = [piece_answer(piece, number, changed_by(call, piece)) for piece, number in pairs]
    model = writing.model
    return {
        "verb": call.verb,
        "model": None if model is None else model.name,
        "digest": None if model is None else model.folder.digest,
        "seed": writing.seed,
        "pieces": pieces,
        "remarks": writing.remarks,
        "tokens": writing.tokens,
        "notes": writing.notes,
        "seconds": round(writing.seconds or 0.0, 3),
        "first_note_seconds": None if writing.first_note is None else round(writing.first_note, 3),
    }


def changed_by(call: Call, piece: Piece) -> int | None:
    """Count the notes that a verb changed where it was not to change any: 0, or there is a fault.

    Of a continuation the notes of the prompt are compared, unless only a part of it was used.
    """
    if call.song is None:
        return None
    before = Piece(call.song, {}).score
    if call.verb != "generate":
        adds = call.verb in ("accompany", "harmonise")
        return changed_outside(before, piece.score, call.arguments.get("bars"), adds=adds)
    if piece.prompt_end is None or any(call.arguments.get(f"prompt_{part}") for part in ("bars", "tokens", "seconds")):
        return None
    old, new = (note_keys(score, before=piece.prompt_end) for score in (before, piece.score))
    return ((old - new) + (new - old)).total()


# -- events ------------------------------------------------------------------------------------------------------------


def event_answer(event: Event) -> tuple[str, dict[str, Any]]:
    """Return the name of an event in a stream, and its JSON."""
    match event:
        case NoteAdded(piece, note):
            return "note", {"piece": piece, "note": _note(note)}
        case NoteRemoved(piece, note):
            return "removed", {"piece": piece, "note": _note(note)}
        case BarBegun():
            return "bar", {
                "piece": event.piece,
                "bar": event.bar,
                "onset": event.onset,
                "onset_quarters": event.onset_quarters,
                "onset_seconds": event.onset_seconds,
                "meter": list(event.meter),
                "tempo": event.tempo,
            }
        case PieceRestarted(piece):
            return "restarted", {"piece": piece}
        case PieceFinished(piece, music):
            return "piece", {"piece": piece, "midi": base64.b64encode(music.midi).decode(), "origin": music.origin}


def _note(note: SongNote) -> dict[str, Any]:
    return {
        "onset": note.onset,
        "length": note.length,
        "pitch": note.pitch,
        "velocity": note.velocity,
        "program": note.program,
        "drum": note.drum,
        "onset_quarters": note.onset_quarters,
        "length_quarters": note.length_quarters,
        "onset_seconds": note.onset_seconds,
        "length_seconds": note.length_seconds,
    }


# -- media types -------------------------------------------------------------------------------------------------------


class NotAcceptable(RequestError):  # noqa: N818 - the name of the HTTP status
    """None of the media types that the client accepts can be given."""

    kind = "not-acceptable"


def chosen(accept: str, offered: Sequence[str]) -> str:
    """Return the media type that an ``Accept`` header prefers; the first where it has no preference.

    Raises:
        NotAcceptable: It accepts none of them.
    """
    wanted = [_preference(part) for part in accept.split(",") if part.strip()][:100] or [("*/*", 1.0)]
    best, weight = "", 0.0
    for kind in offered:
        ranges = (kind, f"{kind.partition('/')[0]}/*", "*/*")
        # The most specific range says how much a type is wanted.
        own = next((q for name in ranges for said, q in wanted if said == name), 0.0)
        if own > weight:
            best, weight = kind, own
    if not best:
        raise NotAcceptable(f"this is answered as {' or '.join(offered)}: accept one of them")
    return best


def _preference(part: str) -> tuple[str, float]:
    name, *parameters = (word.strip() for word in part.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                return name.lower(), min(1.0, max(0.0, float(value)))
            except ValueError:
                return name.lower(), 0.0
    return name.lower(), 1.0
