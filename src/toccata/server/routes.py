"""The routes: each call of ``operations.OPERATIONS``, from a request to its answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toccata import __version__
from toccata.errors import ArgumentError
from toccata.server import functions
from toccata.server.answers import chosen, encoded, error_of, status_of
from toccata.server.decoding import Busy, Decoders
from toccata.server.guard import Receive, Scope, Send
from toccata.server.jobs import Ended, Job, Jobs, outcome
from toccata.server.metrics import KIND, ROUTE, Metrics
from toccata.server.openapi import document
from toccata.server.operations import JSON, MIDI, OPERATIONS, PICTURES, SOUNDS, STREAM, Operation
from toccata.server.remarks import quietly
from toccata.server.requests import FORM, Call, Song, media_type, one_piece, read_call, read_form
from toccata.server.settings import ServerSettings

HEARTBEAT = 15.0
"""Seconds of silence after which a stream sends a comment."""
GONE = 499
"""The status that is counted for a client that went away; nobody receives it."""
_MOST_PARTS = 1000
_log = logging.getLogger("toccata.server")
Answer = Callable[[Request], Awaitable[Response]]


class Service:
    """What the routes share.

    Attributes:
        settings: The settings of the server.
        decoders: The models.
        jobs: The verbs of all clients.
        metrics: The figures.
    """

    def __init__(self, settings: ServerSettings, decoders: Decoders) -> None:
        self.settings, self.decoders = settings, decoders
        self.metrics = Metrics()
        self.jobs = Jobs(decoders, settings.limits, self._ended)
        self.others = 0  # calls that are no verbs and wait or run

    def _ended(self, job: Job) -> None:
        writing, figures = job.writing, self.metrics
        figures.verbs[job.call.verb, job.state] += 1
        figures.tokens += writing.tokens
        figures.notes += writing.notes
        figures.seconds.add(writing.seconds or 0.0)
        if writing.first_note is not None:
            figures.first_note.add(writing.first_note)

    # -- verbs ---------------------------------------------------------------------------------------------------------

    async def verb(self, operation: Operation, request: Request) -> Response:
        """Run a verb, and answer when it is done, at once, or as it writes."""
        kind = chosen(request.headers.get("accept", ""), operation.answers)
        call = await self._call(operation, request)
        if kind == MIDI and call.wait:
            call = one_piece(call)
        job = self.jobs.start(call, watched=not call.wait or kind == STREAM)
        if not call.wait:
            return _json({"job": job.describe()}, 202, {"location": f"/v1/jobs/{job.id}"})
        if kind == STREAM:
            return EventStream(job.events(0, HEARTBEAT), job.cancel)
        try:
            if not await _until_gone(job.done.wait(), request):
                return Response(status_code=GONE)
        finally:  # also where the server ends this task
            job.cancel()  # if it runs, nobody is left to take its answer
        if kind == MIDI and job.error is None and job.midi is not None:
            return Response(job.midi, media_type=MIDI, headers=_attachment("mid"))
        status, body = outcome(job)
        return Response(body, status, media_type=JSON)

    async def _call(self, operation: Operation, request: Request) -> Call:
        """Read a request; that takes a thread, as songs are read, too."""
        header, limits = request.headers.get("content-type", ""), self.settings.limits
        query = request.query_params.multi_items()
        if media_type(header) == FORM:
            return await asyncio.to_thread(quietly, read_form, operation, query, await _parts(request), limits)
        return await asyncio.to_thread(quietly, read_call, operation, header, query, await request.body(), limits)

    async def job(self, operation: Operation, request: Request) -> Response:
        """Describe a job, with its answer when it is finished."""
        job = self._job(request)
        described = encoded({"job": job.describe()})
        if job.answer is None:
            return Response(described, media_type=JSON)
        return Response(described[:-1] + b',"result":' + job.answer + b"}", media_type=JSON)

    async def cancel(self, operation: Operation, request: Request) -> Response:
        """Stop a job, or one of its pieces."""
        job = self._job(request)
        call = read_call(operation, "", request.query_params.multi_items(), b"", self.settings.limits)
        job.cancel(call.arguments.get("piece"))
        return _json({"job": job.describe()}, 200)

    async def events(self, operation: Operation, request: Request) -> Response:
        """Send the events of a job, from the first that the client does not know."""
        job = self._job(request)
        last = request.headers.get("last-event-id", "0")
        if not (last.isascii() and last.isdigit() and len(last) < 10):
            raise ArgumentError("Last-Event-ID must be the id of an event of this job")
        return EventStream(job.events(int(last), HEARTBEAT), lambda: None)

    def _job(self, request: Request) -> Job:
        return self.jobs.find(request.path_params["id"])

    # -- functions -----------------------------------------------------------------------------------------------------

    async def function(self, operation: Operation, request: Request) -> Response:
        """Run a function, and answer with its JSON."""
        chosen(request.headers.get("accept", ""), operation.answers)
        call = await self._call(operation, request)

        def run() -> bytes:
            if operation.models:
                model = self.decoders.decoder(call.model).model
                return encoded(functions.WITH_MODEL[operation.name](call, model))
            return encoded(functions.check(call))

        return Response(await self._run(run, request), media_type=JSON)

    async def render(self, operation: Operation, request: Request) -> Response:
        """Render a song; the format is an argument, or follows from ``Accept``."""
        call = await self._call(operation, request)
        kind = (
            call.arguments.get("format")
            or functions.MEDIA[chosen(request.headers.get("accept", ""), operation.answers)]
        )
        body = await self._run(lambda: functions.render(call, kind), request)
        return Response(body, media_type=(PICTURES | SOUNDS)[kind], headers=_attachment(kind))

    async def _run(self, function: Callable[[], bytes], request: Request) -> bytes:
        """Run a function in a worker thread, within the time limit."""
        limits = self.settings.limits
        if self.others >= limits.other:
            raise Busy(1)
        self.others += 1
        future = asyncio.wrap_future(self.decoders.work(lambda: quietly(function)))
        future.add_done_callback(self._left)
        try:
            return await asyncio.wait_for(asyncio.shield(future), limits.seconds)
        except TimeoutError:
            message = f"it took more than {limits.seconds:g} s: ask for less at a time"
            raise Ended(message, kind="time-limit") from None

    def _left(self, future: asyncio.Future[bytes]) -> None:
        self.others -= 1
        if not future.cancelled():
            future.exception()  # was told, or there is nobody left to tell

    # -- the server ----------------------------------------------------------------------------------------------------

    async def models(self, operation: Operation, request: Request) -> Response:
        """List the models, without saying where they are."""
        rows = await asyncio.to_thread(self.decoders.models)
        # The paths, and errors that name them, are this machine's business.
        shown = [{**row, "error": row["error"] and "cannot be used"} for row in rows]
        return _json({"models": [{name: row[name] for name in row if name != "path"} for row in shown]})

    async def openapi(self, operation: Operation, request: Request) -> Response:
        """Describe all calls."""
        return _json(document(self.settings.limits))

    async def health(self, operation: Operation, request: Request) -> Response:
        """Answer that the server is alive."""
        return _json({"status": "stopping" if self.jobs.stopping else "ok", "toccata": __version__})

    async def figures(self, operation: Operation, request: Request) -> Response:
        """Return the figures for Prometheus."""
        text = self.metrics.text(self.decoders.active, self.decoders.opened)
        return Response(text, headers={"content-type": KIND})

    # -- all of them ---------------------------------------------------------------------------------------------------

    def handler(self, operation: Operation) -> Callable[[Operation, Request], Awaitable[Response]]:
        """Return what answers a call."""
        if operation.verb:
            return self.verb
        if operation.name in functions.WITH_MODEL or operation.name == "check":
            return self.function
        own: dict[str, Callable[[Operation, Request], Awaitable[Response]]] = {
            "models": self.models, "render": self.render, "job": self.job, "cancel": self.cancel, "events": self.events,
            "openapi": self.openapi, "health": self.health, "metrics": self.figures,
        }  # fmt: skip
        return own[operation.name]

    def routes(self) -> list[Route]:
        """Return a route for each call."""
        return [
            Route(one.path, answering(one.name, self._bound(one)), methods=[one.method], name=one.name)
            for one in OPERATIONS
        ]

    def _bound(self, operation: Operation) -> Answer:
        handler = self.handler(operation)

        async def answer(request: Request) -> Response:
            return await handler(operation, request)

        return answer


def answering(name: str, answer: Answer) -> Answer:
    """Return an endpoint that turns every error into its JSON and its status, and is counted under a name."""

    async def endpoint(request: Request) -> Response:
        request.scope[ROUTE] = name
        try:
            return await answer(request)
        except HTTPException as error:  # of the parser of forms
            return _json({"error": {"kind": "bad-argument", "message": " ".join(str(error.detail).split())}}, 400)
        except Exception as error:
            status = status_of(error)
            if status == 500:
                _log.exception("%s %s", name, type(error).__name__)
            headers = {"retry-after": str(error.seconds)} if isinstance(error, Busy) else None
            return _json(error_of(error), status, headers)

    return endpoint


async def no_path(request: Request, error: Exception) -> Response:
    """Answer a request for a path or a method that there is not."""
    assert isinstance(error, HTTPException)
    kind, message = ("no-path", "there is no such path: /v1/openapi.json lists them")
    if error.status_code == 405:
        kind, message = "method", "this path is not called with that method: /v1/openapi.json says how"
    return _json({"error": {"kind": kind, "message": message}}, error.status_code, error.headers)


async def _parts(request: Request) -> list[tuple[str, str | Song]]:
    """Read the parts of a form, which is whole already."""
    found: list[tuple[str, str | Song]] = []
    async with request.form(max_files=_MOST_PARTS, max_fields=_MOST_PARTS) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                found.append((name, Song(await value.read(), (value.filename or "")[:1000])))
            else:
                found.append((name, value))
    return found


def _attachment(suffix: str) -> dict[str, str]:
    """Return the header by which a browser stores a file, and never shows it in place: an SVG could act there."""
    return {"content-disposition": f'attachment; filename="toccata.{suffix}"'}


def _json(value: Any, status: int = 200, headers: Any = None) -> Response:
    return Response(encoded(value), status, headers=headers, media_type=JSON)


async def _until_gone(done: Awaitable[Any], request: Request) -> bool:
    """Wait for something; return False if the client went away before."""
    waiting = asyncio.ensure_future(done)
    gone = asyncio.ensure_future(_gone(request.receive))
    try:
        await asyncio.wait((waiting, gone), return_when=asyncio.FIRST_COMPLETED)
        return waiting.done()
    finally:
        waiting.cancel()
        gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """An answer of events, each sent as it comes, until they end or the client goes away.

    Args:
        blocks: The events.
        leave: Called at the end, whatever it is.
    """

    def __init__(self, blocks: AsyncIterator[bytes], leave: Callable[[], None]) -> None:
        super().__init__(headers={"content-type": f"{STREAM}; charset=utf-8", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._blocks, self._leave = blocks, leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        sending = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            sending.cancel()
            gone.cancel()
            self._leave()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for block in self._blocks:
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
