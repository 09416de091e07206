"""The OpenAPI 3.1 document of the API, made from the table of its calls and the kinds of their arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from toccata import __version__
from toccata.arguments.kinds import Choice, Either, Flag, Kind, Made, Number, Read, Several, Text, Whole
from toccata.arguments.musical import FirstBars, Levels, Locks, Meter, Pitches, Program, Seeds, Span, Spans
from toccata.server.operations import (
    BY_NAME,
    JSON,
    MIDI,
    OPERATIONS,
    PLAIN,
    STREAM,
    Argument,
    Operation,
    sampling_arguments,
)
from toccata.server.requests import FORM
from toccata.server.settings import RequestLimits

Schema: TypeAlias = "dict[str, Any]"
_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_BASE64: Schema = {"type": "string", "format": "byte", "contentEncoding": "base64", "contentMediaType": "audio/midi"}
_BAR: Schema = {"type": "integer", "minimum": 1}
_PITCH: Schema = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 127}, _TEXT]}
_GUARD = {
    401: "The token is missing or wrong.",
    403: "The request comes from another site.",
    408: "The body came too slowly.",
    413: "The body is too large, or more is asked for than this server gives.",
    421: "The server is not called what `Host` says.",
}
_ERRORS = {
    400: "An argument or the music is wrong.",
    404: "There is no such model, job or path.",
    406: "None of the media types that are accepted can be given.",
    415: "The body is of a kind that is not read.",
    422: "It cannot be done, and why.",
    429: "Too many requests wait and run; `Retry-After` says after how many seconds to try again.",
    500: "A fault in toccata.",
    503: "The model cannot be used, or the server is being stopped.",
    504: "It took longer than this server allows.",
}


def schema_of(kind: Kind) -> Schema:
    """Return the JSON Schema of the values of a kind."""
    found = next((make(kind) for row, make in _KINDS if isinstance(kind, row)), None)
    return {} if found is None else found


def _several(kind: Several) -> Schema:
    one = schema_of(kind.kind)
    return _either(one, {"type": "array", "items": one, "minItems": 0 if kind.none else 1, "maxItems": kind.most})


def _number(kind: Number) -> Schema:
    low = "exclusiveMinimum" if kind.above else "minimum"
    return {"type": "number", low: kind.low, "exclusiveMaximum" if kind.below else "maximum": kind.high}


def _pair(one: Schema) -> Schema:
    return {"type": "array", "items": one, "minItems": 2, "maxItems": 2}


def _either(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def _sampling(kind: Kind) -> Schema:
    properties = {name: _described(one, nullable=False) for name, one in sampling_arguments().items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


_SPAN = _either(_BAR, {"type": "string", "examples": ["5-8"]}, _pair(_BAR))
_LEVEL: Schema = _either(_WHOLE, {"type": "array", "items": _WHOLE, "minItems": 1})
_KINDS: tuple[tuple[type[Kind], Any], ...] = (  # a class before those that it is derived from
    (Whole, lambda kind: {"type": "integer", "minimum": kind.low, "maximum": kind.high}),
    (Number, _number),
    (Flag, lambda _: {"type": "boolean"}),
    (Choice, lambda kind: {"type": "string", "enum": list(kind.words)}),
    (Read, lambda kind: {"type": "string", "minLength": 1, "maxLength": kind.most}),
    (Text, lambda kind: {"type": "string", "minLength": 1, "maxLength": kind.most}),
    (Made, _sampling),
    (Spans, lambda _: _either(_SPAN, {"type": "array", "items": _SPAN})),
    (Several, _several),
    (Either, lambda kind: _either(*map(schema_of, kind.kinds))),
    (Span, lambda _: _SPAN),
    (FirstBars, lambda _: _SPAN),
    (Meter, lambda _: _either({"type": "string", "examples": ["3/4"]}, _pair(_BAR))),
    (Pitches, lambda _: _either({"type": "string", "examples": ["C3-C6"]}, _pair(_PITCH))),
    (Program, lambda _: _either({"type": "integer", "minimum": -1, "maximum": 127}, _TEXT)),
    (Locks, lambda _: {"type": "string", "examples": ["5-8:melody"]}),
    (Levels, lambda _: {"type": "object", "additionalProperties": _LEVEL}),
    (Seeds, lambda kind: _either(_seed(), {"type": "array", "items": _seed(), "minItems": 1})),
)


def _seed() -> Schema:
    return {"type": "integer", "minimum": 0, "maximum": Seeds.HIGHEST}


def _described(argument: Argument, *, nullable: bool = True) -> Schema:
    """Return the schema of an argument in JSON."""
    schema = dict(schema_of(argument.kind))
    if nullable and not argument.required:
        schema = {"anyOf": [*schema.get("anyOf", [schema]), {"type": "null"}]}
    schema["description"] = f"{argument.about} {argument.kind.allowed[:1].upper()}{argument.kind.allowed[1:]}.".strip()
    if argument.default is not None:
        default = argument.default
        schema["default"] = list(default) if isinstance(default, tuple) else default
    return schema


# -- requests ----------------------------------------------------------------------------------------------------------


def _song(many: bool) -> Schema:
    one: Schema = {"$ref": "#/components/schemas/Song"}
    return {"type": "array", "items": one, "minItems": 1, "maxItems": 1000} if many else one


def _body(operation: Operation) -> Schema:
    """Return the request body of a call: JSON, a form, or a MIDI file."""
    many = operation.songs == "several"
    properties: Schema = {name: _described(one) for name, one in _all_arguments(operation).items()}
    required = [name for name, one in operation.arguments.items() if one.required]
    if operation.songs != "none":
        name = "songs" if many else "song"
        properties = {name: _song(many), **properties}
        required += [name] if operation.songs != "optional" else []
    plain: Schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    form: Schema = {
        "type": "object",
        "properties": {"song": {"type": "string", "contentMediaType": MIDI}, "arguments": {"type": "object"}},
    }
    midi: Schema = {"type": "string", "contentMediaType": MIDI}
    content = {JSON: {"schema": plain}, FORM: {"schema": form, "encoding": {"arguments": {"contentType": JSON}}}}
    if operation.songs != "none":
        content[MIDI] = {"schema": midi}
    if operation.raw:
        content = {MIDI: content[MIDI]}
    return {"required": operation.songs not in ("none", "optional"), "content": content}


def _all_arguments(operation: Operation) -> Mapping[str, Argument]:
    """Return the arguments of a call; of one that runs any verb, those of all verbs, none of them required."""
    if not operation.raw:
        return operation.arguments
    verbs = next(one.kind for one in operation.own if one.name == "verb")
    assert isinstance(verbs, Choice)
    found: dict[str, Argument] = {}
    for verb in verbs.words:
        for name, one in BY_NAME[verb].arguments.items():
            if name != "wait":
                found.setdefault(name, Argument(one.name, one.kind, one.about, verb=one.verb))
    return {**found, **operation.arguments}


def _parameters(operation: Operation) -> list[Schema]:
    """Return the parameters in the path and in the query; what is no plain value is text in a query."""
    found: list[Schema] = []
    if "{id}" in operation.path:
        found.append({"name": "id", "in": "path", "required": True, "schema": _TEXT})
    arguments = dict(_all_arguments(operation))
    if "sampling" in arguments:
        arguments |= sampling_arguments()
    for name, argument in arguments.items():
        simple = isinstance(argument.kind, Whole | Number | Flag | Choice | Text)
        schema = schema_of(argument.kind) if simple else _TEXT
        found.append({"name": name, "in": "query", "required": False, "schema": schema, "description": argument.about})
    return found


# -- answers -----------------------------------------------------------------------------------------------------------


def _object(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    return {"type": "object", "properties": {**required, **optional}, "required": list(required)}


def _or_null(schema: Schema) -> Schema:
    return _either(schema, {"type": "null"})


_ERROR = _object({"kind": _TEXT, "message": _TEXT})
_PIECE = _object(
    {
        "piece": _WHOLE, "midi": _BASE64,
        "seed": _or_null(_WHOLE), "bars": _WHOLE, "seconds": _NUMBER, "notes": _WHOLE, "new_notes": _or_null(_WHOLE),
        "prompt_end": _or_null(_WHOLE), "changed_outside": _or_null(_WHOLE), "distance": _or_null(_NUMBER),
        "changed": {}, "origin": {"type": "object"},
    }
)  # fmt: skip
_WRITING = _object(
    {
        "verb": _TEXT, "model": _or_null(_TEXT), "digest": _or_null(_TEXT),
        "seed": _either(_WHOLE, {"type": "array", "items": _WHOLE}), "pieces": {"type": "array", "items": _PIECE},
        "remarks": {"type": "array", "items": _TEXT},
        "tokens": _WHOLE, "notes": _WHOLE, "seconds": _NUMBER, "first_note_seconds": _or_null(_NUMBER),
    }
)  # fmt: skip
_JOB = _object(
    {
        "id": _TEXT, "state": {"type": "string", "enum": ["running", "finished", "cancelled", "failed"]}, "verb": _TEXT,
        "seed": _either(_WHOLE, {"type": "array", "items": _WHOLE}), "url": _TEXT, "events": _TEXT, "tokens": _WHOLE,
        "notes": _WHOLE, "error": _or_null(_ERROR),
    }
)  # fmt: skip
_SCHEMAS: dict[str, Schema] = {
    "Error": _object({"error": _ERROR}),
    "Song": {
        **_object({"midi": _BASE64}, name=_TEXT),
        "additionalProperties": False,
    },
    "Writing": _WRITING,
    "Job": _object({"job": _JOB}, result=_WRITING),
    "Models": _object({"models": {"type": "array", "items": _object({"name": _TEXT, "error": _or_null(_TEXT)})}}),
    "Health": _object({"status": _TEXT, "toccata": _TEXT}),
    "Any": {"type": "object"},
}
_ANSWERS = {"models": "Models", "job": "Job", "cancel": "Job", "health": "Health"}


def _responses(operation: Operation) -> Schema:
    name = "Writing" if operation.verb else _ANSWERS.get(operation.name, "Any")
    content: Schema = {}
    for kind in operation.answers:
        schema = {"$ref": f"#/components/schemas/{name}"} if kind == JSON else _TEXT
        content[kind] = {"schema": schema if kind in (JSON, STREAM, PLAIN) else {}}
    found: Schema = {"200": {"description": "Done.", "content": content}}
    if operation.waits:
        job = {"schema": {"$ref": "#/components/schemas/Job"}}
        found["202"] = {"description": "Begun: the job to come back to.", "content": {JSON: job}}
    texts = _GUARD | {status: _ERRORS[status] for status in operation.errors if status in _ERRORS}
    error = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    for status, text in sorted(texts.items()):
        found[str(status)] = {"description": text, "content": error}
    return found


def document(limits: RequestLimits) -> Schema:
    """Return the document; ``limits`` are mentioned in it."""
    paths: dict[str, Schema] = {}
    for one in OPERATIONS:
        entry: Schema = {
            "operationId": one.name,
            "summary": one.summary,
            "parameters": _parameters(one),
            "responses": _responses(one),
        }
        if one.method == "POST":
            entry["requestBody"] = _body(one)
        if one.name == "health":
            entry["security"] = []
        paths.setdefault(one.path, {})[one.method.lower()] = entry
    about = (
        f"A request is at most {limits.body:,} bytes and {limits.seconds:g} s, for at most {limits.pieces:,} pieces of "
        f"{limits.bars:,} bars."
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "toccata", "version": __version__, "description": about},
        "paths": paths,
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }
