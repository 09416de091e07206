"""The calls of the HTTP API, in one table: routes and the OpenAPI document are both made from it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache, cached_property
from typing import Any, Literal

from toccata.api import Sampling
from toccata.arguments import TABLE, kind_of
from toccata.arguments.kinds import Choice, Flag, Kind, Text
from toccata.musicmodel import Model

Songs = Literal["none", "optional", "one", "several"]
_NOT_OVER_HTTP = frozenset(("self", "song", "prompt", "accept", "on_event"))
PICTURES = {"png": "image/png", "svg": "image/svg+xml"}
SOUNDS = {"wav": "audio/wav", "ogg": "audio/ogg", "flac": "audio/flac", "mp3": "audio/mpeg"}
MIDI, JSON, STREAM, PLAIN = "audio/midi", "application/json", "text/event-stream", "text/plain"


@dataclass(frozen=True)
class Argument:
    """An argument of a call.

    Attributes:
        name: Its name.
        kind: Its allowed values.
        about: What it says.
        required: Whether it must be given.
        default: What it is if it is not given; None: nothing.
        verb: The function whose argument it is.
    """

    name: str
    kind: Kind
    about: str = ""
    required: bool = False
    default: Any = None
    verb: str = ""


@dataclass(frozen=True)
class Operation:
    """A call.

    Attributes:
        name: Its name, unlike all others.
        method: GET, POST or DELETE.
        path: Its path, with ``{id}`` where a job is named.
        summary: What it does, in a line.
        verb: The method of ``Model`` that it runs; empty: it runs none.
        songs: How much music it takes.
        models: Whether it takes the name of a model.
        answers: The media types of its answers; the first is given where the client does not choose.
        raw: Whether its body may be a bare MIDI file alone, with all arguments in the query.
        own: Its arguments, where it runs no verb.
        errors: The statuses that it may answer with beside 200, those of the guard left out.
    """

    name: str
    method: Literal["GET", "POST", "DELETE"]
    path: str
    summary: str
    verb: str = ""
    songs: Songs = "none"
    models: bool = False
    answers: tuple[str, ...] = (JSON,)
    raw: bool = False
    own: tuple[Argument, ...] = ()
    errors: tuple[int, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether the client may choose not to wait for the answer."""
        return bool(self.verb) and not self.raw

    @cached_property
    def arguments(self) -> Mapping[str, Argument]:
        """Its arguments by name: those of the verb, of the model and of the answer."""
        found = [*(verb_arguments(self.verb) if self.verb else ()), *self.own]
        if self.models:
            found.append(Argument("model", Text("the name of a model", 1000), "One of `/v1/models`; else the first."))
        if self.waits:
            found.append(Argument("wait", Flag(), "False: the answer comes at once, and names a job.", default=True))
        return {argument.name: argument for argument in found}


@cache
def verb_arguments(verb: str) -> tuple[Argument, ...]:
    """Return the arguments of a method of ``Model`` that can be sent: plain values, no functions and no paths."""
    method = getattr(Model, verb)
    about = _about(inspect.getdoc(method) or "")
    found = []
    for name, parameter in inspect.signature(method).parameters.items():
        if name not in _NOT_OVER_HTTP:
            required = parameter.default is inspect.Parameter.empty
            default = None if required or parameter.default == () else parameter.default
            found.append(Argument(name, kind_of(name, verb), about.get(name, ""), required, default, verb))
    return tuple(found)


@cache
def sampling_arguments() -> Mapping[str, Argument]:
    """Return the values of ``sampling``, which a query may have one by one."""
    about = _about(inspect.getdoc(Sampling) or "", "Attributes")
    return {
        field.name: Argument(field.name, TABLE[field.name], about.get(field.name, ""), default=field.default)
        for field in fields(Sampling)
    }


def _about(text: str, section: str = "Args") -> dict[str, str]:
    """Return what a docstring says of each argument, as plain text."""
    found = re.search(rf"^{section}:\n((?:    .*\n?|\n)+)", text, re.MULTILINE)
    entries = re.findall(r"^    (\w+): ((?:.*\n?)(?:        .*\n?)*)", found[1] if found else "", re.MULTILINE)
    return {name: re.sub(r":\w+:`~?([^`]+)`", r"`\1`", " ".join(words.split())) for name, words in entries}


_WRITTEN = (JSON, MIDI, STREAM)
_WRITES = (400, 404, 406, 413, 415, 422, 429, 500, 503, 504)
_CALLS = (400, 404, 406, 413, 415, 422, 429, 500, 503, 504)
_JOB = "A verb that was started with `wait: false`"


def _verb(name: str, songs: Songs, summary: str, verb: str = "") -> Operation:
    return Operation(
        name, "POST", f"/v1/{name}", summary, verb or name, songs, models=True, answers=_WRITTEN, errors=_WRITES
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation("models", "GET", "/v1/models", "The models, the default one first.", errors=(500,)),
    _verb("generate", "optional", "New music; or on from a prompt."),
    _verb("continue", "one", "Music that goes on from a song.", "generate"),
    _verb("infill", "one", "Some bars of a song anew; the rest stays, event for event."),
    _verb("accompany", "one", "More instruments to a song, which stays as it is."),
    _verb("vary", "one", "A song as it might also be."),
    _verb("harmonise", "one", "Voices under a melody, which stays as it is."),
    Operation("rank", "POST", "/v1/rank", "Pieces by how good the model finds them, the best first.", songs="several",
              models=True, errors=_CALLS),
    Operation("originality", "POST", "/v1/originality", "The longest passage known from the model's training music.",
              songs="one", models=True, errors=_CALLS),
    Operation("check", "POST", "/v1/check", "What is in MIDI files, and what is wrong with them.", songs="several",
              errors=_CALLS),
    Operation("render", "POST", "/v1/render", "A song as sound or as a piano roll.", songs="one",
              answers=(*PICTURES.values(), *SOUNDS.values()), errors=_CALLS,
              own=(Argument("format", Choice(*PICTURES, *SOUNDS), "What is made; else what `Accept` says.",
                            verb="render"),)),
    Operation("evaluate", "POST", "/v1/evaluate", "How well the model predicts music that it has not seen.",
              songs="several", models=True, errors=_CALLS,
              own=(Argument("include_seen", TABLE["include_seen"], "Also pieces that it has seen.", default=False),)),
    Operation("job", "GET", "/v1/jobs/{id}", f"{_JOB}: its state, and its answer.", errors=(404, 500)),
    Operation("cancel", "DELETE", "/v1/jobs/{id}", f"{_JOB}: stop it; `?piece=` stops one of its pieces.",
              own=(Argument("piece", TABLE["new_bars"], "The number of the piece in the events; else all of them."),),
              errors=(400, 404, 500)),
    Operation("events", "GET", "/v1/jobs/{id}/events", f"{_JOB}: its events from the first, and as they come.",
              answers=(STREAM,), errors=(404, 500)),
    Operation("midi", "POST", "/v1/midi", "A MIDI file in, a MIDI file out: by default the same music, gone on with.",
              "generate", "one", models=True, answers=(MIDI, JSON), raw=True, errors=_WRITES,
              own=(Argument("verb", Choice("generate", "infill", "accompany", "vary", "harmonise"),
                            "What is done with it, with the arguments of that verb.", default="generate"),)),
    Operation("openapi", "GET", "/v1/openapi.json", "This document."),
    Operation("health", "GET", "/health", "Whether the server is alive; needs no token."),
    Operation("metrics", "GET", "/metrics", "Figures for Prometheus.", answers=(PLAIN,)),
)  # fmt: skip
"""All calls."""
BY_NAME = {operation.name: operation for operation in OPERATIONS}
