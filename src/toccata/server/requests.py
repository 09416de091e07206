"""What a client sends, as a call: JSON, a form with files, or a bare MIDI file with arguments in the query.

Every argument is checked by its row in ``toccata.arguments.TABLE``; nothing that a client says is ever a path here.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from toccata.arguments import checked_value
from toccata.arguments.kinds import Flag, Made, Several, Unfit
from toccata.arguments.musical import Levels
from toccata.errors import ArgumentError, RequestError, shown
from toccata.piece import Piece
from toccata.server.operations import BY_NAME, Argument, Operation, sampling_arguments
from toccata.server.settings import RequestLimits

_MIDI_TYPES = ("audio/midi", "audio/mid", "audio/x-midi", "application/x-midi", "application/octet-stream")
_JSON_TYPES = ("application/json", "text/json")
FORM = "multipart/form-data"
_SONGS = ("song", "songs", "prompt")
_MOST_SONGS = 1000


class Unsupported(RequestError):  # noqa: N818 - says what the body is
    """A body that is none of the kinds that are read."""

    kind = "unsupported"


class TooMuch(RequestError):  # noqa: N818 - says what was requested
    """A request for more than the server gives."""

    kind = "too-large"


@dataclass(frozen=True)
class Song:
    """A MIDI file that was sent.

    Attributes:
        midi: Its bytes.
        name: Its name, for messages alone; empty: it has none.
    """

    midi: bytes
    name: str = ""


@dataclass(frozen=True)
class Call:
    """A call, with its arguments checked.

    Attributes:
        operation: What is called.
        verb: The method of ``Model`` that is run; empty: none.
        model: The name of a model; None: the default one.
        songs: The music that was sent.
        wait: Whether the client waits for the answer.
        arguments: Keyword arguments.
    """

    operation: Operation
    verb: str = ""
    model: str | None = None
    songs: tuple[Song, ...] = ()
    wait: bool = True
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def song(self) -> bytes | None:
        """The only song; None: there is none."""
        return self.songs[0].midi if self.songs else None


def media_type(header: str) -> str:
    """Return the media type in a ``Content-Type`` header, without its parameters."""
    return header.partition(";")[0].strip().lower()


def read_call(
    operation: Operation, header: str, query: Sequence[tuple[str, str]], body: bytes, limits: RequestLimits
) -> Call:
    """Read a request whose body is JSON or a MIDI file.

    Args:
        operation: What is called.
        header: Its ``Content-Type``; empty: none.
        query: Names and values of its query.
        body: Its body.
        limits: The most that it may ask for.

    Raises:
        ArgumentError: An argument that there is not, or that cannot have its value.
        Unsupported: The body is neither.
        TooMuch: It asks for more than is allowed.
        MidiError: Its song cannot be read.
    """
    kind = media_type(header)
    is_midi = body[:4] in (b"MThd", b"RIFF")
    if kind in _MIDI_TYPES or (operation.raw and kind not in _JSON_TYPES) or (is_midi and kind not in _JSON_TYPES):
        if operation.songs == "none":
            raise Unsupported(f"{operation.path} takes no music: send no body")
        return _checked(operation, _of_query(operation, query), (Song(body),) if body else (), limits)
    if kind in _JSON_TYPES or not body:
        return _of_object(operation, query, _object(body) if body else {}, (), limits)
    raise Unsupported(
        f"a body of type {shown(kind or 'none')} is not read: send application/json, multipart/form-data, or a MIDI "
        "file as audio/midi"
    )


def read_form(
    operation: Operation,
    query: Sequence[tuple[str, str]],
    parts: Iterable[tuple[str, str | Song]],
    limits: RequestLimits,
) -> Call:
    """Read a request that is a form: parts ``song`` are MIDI files, a part ``arguments`` is JSON.

    Raises:
        ArgumentError: As :func:`read_call`; or there is another part.
    """
    songs: list[Song] = []
    values: dict[str, Any] | None = None
    for name, value in parts:
        if name in _SONGS and isinstance(value, Song):
            songs.append(value)
        elif name in _SONGS:
            raise ArgumentError(f"the part {name} must be a file, as of `curl -F {name}=@song.mid`")
        elif name != "arguments":
            raise ArgumentError(f"there is no part {shown(name)}: parts are song (a MIDI file) and arguments (JSON)")
        elif values is not None:
            raise ArgumentError("the part arguments is there twice")
        else:
            values = _object(value.midi if isinstance(value, Song) else value.encode("utf-8", "surrogatepass"))
    return _of_object(operation, query, values or {}, tuple(songs), limits)


# -- JSON --------------------------------------------------------------------------------------------------------------


def _object(text: bytes) -> dict[str, Any]:
    """Parse JSON, each key once, without numbers that JSON does not have."""
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise ArgumentError(f"the arguments are no JSON: {why[:200]}") from None
    if not isinstance(value, dict):
        raise ArgumentError(f"the arguments must be a JSON object like {{}}, not {shown(value)}")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{shown(next(name for name in names if names.count(name) > 1))} is there twice")
    return found


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number in JSON")


def _of_object(
    operation: Operation,
    query: Sequence[tuple[str, str]],
    values: dict[str, Any],
    sent: tuple[Song, ...],
    limits: RequestLimits,
) -> Call:
    """Return the call that a JSON object describes, with the arguments in the address and the files beside it."""
    songs = list(sent)
    for name, value in _of_query(operation, query, values.get("verb")).items():
        if name in values:
            raise ArgumentError(f"{name} is in the address and in the body: leave one of them out")
        values[name] = value
    if operation.songs != "none":
        for name in [name for name in _SONGS if name in values]:
            value = values.pop(name)
            found = value if name == "songs" else [value]
            if not isinstance(found, list) or len(found) > _MOST_SONGS:
                raise ArgumentError(f"songs must be a list of at most {_MOST_SONGS:,} songs")
            songs += [_song(name, one) for one in found if one is not None]
    return _checked(operation, values, tuple(songs), limits)


def _song(name: str, value: Any) -> Song:
    if not isinstance(value, dict) or not isinstance(value.get("midi"), str) or set(value) - {"midi", "name"}:
        raise ArgumentError(f'{name} must be a MIDI file in base64, like {{"midi": "TVRoZA..."}}, not {shown(value)}')
    try:
        midi = base64.b64decode(value["midi"], validate=True)
    except (binascii.Error, ValueError):
        raise ArgumentError(f"{name}: midi is no base64") from None
    called = value.get("name") or ""
    if not isinstance(called, str) or len(called) > 1000:
        raise ArgumentError(f"{name}: name must be a text of at most 1,000 characters")
    return Song(midi, called)


# -- the query ---------------------------------------------------------------------------------------------------------


def _of_query(operation: Operation, query: Sequence[tuple[str, str]], verb: Any = None) -> dict[str, Any]:
    """Parse the arguments in an address; values of ``sampling`` stand in it one by one."""
    texts: dict[str, list[str]] = {}
    for name, text in query:
        texts.setdefault(name, []).append(text)
    known = _arguments(operation, verb or (texts.get("verb") or [""])[0])
    how = sampling_arguments() if "sampling" in known else {}
    values: dict[str, Any] = {}
    sampling: dict[str, Any] = {}
    for name, given in texts.items():
        argument = known.get(name) or how.get(name) or _unknown(name, operation, [*known, *how])
        if len(given) > 1 and not isinstance(argument.kind, Several):
            raise ArgumentError(f"{name} is there {len(given)} times")
        try:
            read = [_parsed(argument, text) for text in given]
        except Unfit as error:
            wrong = str(error) or f"must be {argument.kind.allowed}, not {shown(given[0])}"
            raise ArgumentError(f"{name}{': ' if str(error) else ' '}{wrong}") from None
        (values if name in known else sampling)[name] = read[0] if len(read) == 1 else [one for r in read for one in r]
    if sampling:
        values["sampling"] = {**(values.get("sampling") or {}), **sampling}
    return values


def _parsed(argument: Argument, text: str) -> Any:
    """Parse the text of a value; what is an object has the form of JSON."""
    if text == "null" and not argument.required:
        return None
    if isinstance(argument.kind, Flag):
        if text.lower() not in ("true", "false"):
            raise Unfit(f"must be true or false, not {shown(text)}")
        return text.lower() == "true"
    if isinstance(argument.kind, Levels | Made):
        return _object(text.encode("utf-8", "surrogatepass"))
    return argument.kind.parse(text)


# -- what is in it -----------------------------------------------------------------------------------------------------


def _arguments(operation: Operation, verb: Any) -> Mapping[str, Argument]:
    """Return the arguments of a call; of one that runs any verb, those of the verb that is named."""
    if not operation.raw or not isinstance(verb, str) or verb not in BY_NAME:
        return operation.arguments
    own = {argument.name: argument for argument in operation.own}
    return {**{name: one for name, one in BY_NAME[verb].arguments.items() if name != "wait"}, **own}


def _unknown(name: str, operation: Operation, known: Sequence[str]) -> Argument:
    """Refuse an argument that there is not."""
    if name in sampling_arguments() and "sampling" in known:
        raise ArgumentError(f'there is no {name}: it is one of sampling, as {{"sampling": {{"{name}": ...}}}}')
    near = difflib.get_close_matches(name, known, 3)
    hint = f"do you mean {' or '.join(near)}?" if near else f"there are {', '.join(known) or 'none'}"
    raise ArgumentError(f"{operation.path} has no argument {shown(name)}: {hint}")


def _checked(operation: Operation, values: dict[str, Any], songs: tuple[Song, ...], limits: RequestLimits) -> Call:
    """Check all arguments, and what they add up to."""
    known = _arguments(operation, values.get("verb"))
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        argument = known.get(name) or _unknown(name, operation, list(known))
        if value is not None or name == "bars":
            arguments[name] = None if value is None else _value(argument, value)
    for name, argument in known.items():
        if argument.required and arguments.get(name) is None:
            raise ArgumentError(f"{name} is missing: it must be {argument.kind.allowed}")
    _refuse_songs(operation, songs)
    model, wait = arguments.pop("model", None), arguments.pop("wait", True)
    verb = arguments.pop("verb", operation.verb) if operation.raw else operation.verb
    call = Call(operation, verb, model, songs, wait, arguments)
    if verb:
        _refuse_much(call, known, limits)
    return call


def _value(argument: Argument, value: Any) -> Any:
    """Check one value by its row in the table, or by its kind if it has no row."""
    if argument.verb and argument.verb != "render":
        return checked_value(argument.name, value, verb=argument.verb)
    try:
        return argument.kind.read(value)
    except Unfit as error:
        wrong = str(error) or f"must be {argument.kind.allowed}, not {shown(value)}"
        raise ArgumentError(f"{argument.name}: {wrong}" if str(error) else f"{argument.name} {wrong}") from None


def _refuse_songs(operation: Operation, songs: tuple[Song, ...]) -> None:
    how = 'as {"song": {"midi": "<base64>"}}, as a part song of a form, or as a body of type audio/midi'
    if operation.songs in ("one", "several") and not songs:
        raise ArgumentError(f"{operation.path} needs a MIDI file: send it {how}")
    if operation.songs in ("one", "optional") and len(songs) > 1:
        raise ArgumentError(f"{operation.path} takes one MIDI file, and there are {len(songs)}")
    if operation.songs == "none" and songs:
        raise ArgumentError(f"{operation.path} takes no music")


def _refuse_much(call: Call, known: Mapping[str, Argument], limits: RequestLimits) -> None:
    """Refuse more pieces or bars than the server writes for one request.

    Raises:
        TooMuch: There are more.
        MidiError: The song cannot be read.
    """
    given = call.arguments
    pieces = max(given.get("n") or known["n"].default or 1, given.get("best_of") or 0)
    if pieces > limits.pieces:
        raise TooMuch(f"{pieces:,} pieces are more than the {limits.pieces:,} that this server writes for a request")
    bars = given.get("bars")
    if call.verb == "generate":
        count = bars or 0
    elif bars is not None:
        count = sum(last - first + 1 for first, last in bars)
    else:
        count = 0 if call.song is None else Piece(call.song, {}).bars
    if count > limits.bars:
        raise TooMuch(f"{count:,} bars are more than the {limits.bars:,} that this server writes for a piece")


def one_piece(call: Call) -> Call:
    """Return the call for the only piece that an answer of MIDI can have.

    Raises:
        ArgumentError: It names another number.
    """
    if (call.arguments.get("n") or 1) > 1:
        raise ArgumentError(f"n is {call.arguments['n']}, and one MIDI file is one piece: accept application/json")
    return replace(call, arguments={**call.arguments, "n": 1})
