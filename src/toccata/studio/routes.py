"""The page's API: paths ``/studio/...``, see docs/studio-design.md."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from toccata.errors import ArgumentError, MidiError, ModelError, RequestError, ToccataError
from toccata.files import parse_json
from toccata.piece import Piece
from toccata.server.decoding import Busy
from toccata.studio.folders import plain_name
from toccata.studio.reveal import reveal
from toccata.studio.studio import Studio

MIDI_TYPES = ("audio/midi", "audio/mid", "audio/x-midi", "application/octet-stream")
_TYPES = {"mid": "audio/midi", "wav": "audio/wav", "png": "image/png"}
_STATUS = {"stale": 409, "not-found": 404, "missing": 404, "disk-full": 507, "busy": 429, "no-permission": 500}
_STATUS |= {"file-error": 500, "no-model": 404, "missing-extra": 501, "stopping": 503, "timeout": 504}

_LOG = logging.getLogger("toccata.studio")
Endpoint = Callable[[Request], Awaitable[Response]]


def routes(studio: Studio) -> list[Route]:
    """Return the routes of a studio."""
    page = _Page(studio)
    piece, take = "/studio/pieces/{piece}", "/studio/takes/{take}"
    listed: list[tuple[str, str, Endpoint]] = [
        ("GET", "/studio/state", page.state),
        ("GET", "/studio/stream", page.stream),
        ("POST", "/studio/pieces", page.create),
        ("GET", piece, page.piece),
        ("PATCH", piece, page.rename),
        ("DELETE", piece, page.delete),
        ("POST", f"{piece}/restore", page.restore),
        ("POST", f"{piece}/edits", page.edit),
        ("POST", f"{piece}/undo", page.move),
        ("POST", f"{piece}/redo", page.move),
        ("POST", f"{piece}/goto", page.move),
        ("POST", f"{piece}/accept", page.move),
        ("PUT", f"{piece}/locks", page.locks),
        ("POST", f"{piece}/ideas", page.ideas),
        ("POST", f"{take}/stop", page.stop),
        ("POST", f"{take}/again", page.again),
        ("PATCH", take, page.change_take),
        ("DELETE", take, page.delete_take),
        ("POST", f"{take}/restore", page.restore_take),
        ("GET", f"{take}/song", page.about("song")),
        ("GET", f"{take}/diff", page.about("diff")),
        ("GET", f"{take}/report", page.about("report")),
        ("GET", f"{take}/file.{{kind}}", page.file),
        ("POST", f"{take}/link", page.link),
        ("POST", f"{take}/reveal", page.reveal),
        ("GET", "/studio/links/{link}/{name}", page.linked),
        ("POST", "/studio/ratings", page.rate),
        ("GET", "/studio/music", page.folders),
        ("POST", "/studio/music/{name}/files", page.add_music),
        ("GET", "/studio/music/{name}/check", page.check_music),
        ("POST", "/studio/trainings", page.train),
        ("GET", "/studio/trainings/{training}", page.training),
        ("POST", "/studio/trainings/{training}/pause", page.steer),
        ("POST", "/studio/trainings/{training}/resume", page.steer),
        ("POST", "/studio/trainings/{training}/cancel", page.steer),
        ("GET", "/studio/trainings/{training}/samples/{number:int}.mid", page.sample),
        ("GET", "/studio/soundfont", page.soundfont),
        ("GET", "/studio/soundfont/info", page.soundfont_info),
    ]
    return [Route(path, _answered(endpoint), methods=[method]) for method, path, endpoint in listed]


def _answered(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that answers errors, too: what, where and what to do, in one line."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ToccataError as error:
            headers = {"retry-after": str(error.seconds)} if isinstance(error, Busy) else None
            return JSONResponse({"error": {"kind": error.kind, "message": error.message}}, _status(error), headers)
        except Exception as error:
            _LOG.exception("%s %s", request.method, request.url.path)
            text = getattr(error, "strerror", None) or " ".join(str(error).split())
            message = f"{type(error).__name__}: {text} (a fault in toccata, or of this machine)"
            return JSONResponse({"error": {"kind": "unexpected", "message": message}}, 500)

    return answer


def _status(error: ToccataError) -> int:
    if error.kind in _STATUS:
        return _STATUS[error.kind]
    if isinstance(error, ArgumentError | MidiError):
        return 400
    return 422 if isinstance(error, RequestError | ModelError) else 500


class _Page:
    """The endpoints; what takes time runs in a thread."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def state(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._studio.state))

    async def stream(self, request: Request) -> Response:
        text = request.query_params.get("after")
        if text is not None and not (text.isascii() and text.isdigit() and len(text) < 16):
            raise ArgumentError("after must be the number of an event")
        events = self._studio.hub.stream(None if text is None else int(text))
        return StreamingResponse(events, media_type="text/event-stream", headers={"cache-control": "no-store"})

    async def create(self, request: Request) -> Response:
        title = request.query_params.get("title")
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind in MIDI_TYPES:
            data = await request.body()
            return JSONResponse(await run_in_threadpool(self._studio.create, title, data), 201)
        body = await _json(request)
        made = await run_in_threadpool(self._studio.create, body.get("title", title), None, body)
        return JSONResponse(made, 201)

    async def piece(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._studio.piece, _name(request, "piece")))

    async def rename(self, request: Request) -> Response:
        body = await _json(request)
        piece = _name(request, "piece")
        return JSONResponse(await run_in_threadpool(self._studio.change_piece, piece, body.get("title")))

    async def delete(self, request: Request) -> Response:
        piece = _name(request, "piece")
        return JSONResponse(await run_in_threadpool(self._studio.change_piece, piece, None, True))

    async def restore(self, request: Request) -> Response:
        piece = _name(request, "piece")
        return JSONResponse(await run_in_threadpool(self._studio.change_piece, piece, None, False))

    async def edit(self, request: Request) -> Response:
        body = await _json(request)
        return JSONResponse(await run_in_threadpool(self._studio.edit, _name(request, "piece"), body))

    async def move(self, request: Request) -> Response:
        body, how = await _json(request), request.url.path.rsplit("/", 1)[1]
        return JSONResponse(await run_in_threadpool(self._studio.move, _name(request, "piece"), how, body))

    async def locks(self, request: Request) -> Response:
        body = await _json(request)
        await run_in_threadpool(self._studio.set_locks, _name(request, "piece"), body)
        return JSONResponse({})

    async def ideas(self, request: Request) -> Response:
        body = await _json(request)
        return JSONResponse({"ideas": await run_in_threadpool(self._studio.begin, _name(request, "piece"), body)}, 201)

    async def stop(self, request: Request) -> Response:
        take = await run_in_threadpool(self._studio.ideas.stop, _name(request, "take"))
        return JSONResponse(take.to_json())

    async def again(self, request: Request) -> Response:
        body = await _json(request)
        takes = await run_in_threadpool(self._studio.ideas.again, _name(request, "take"), body.get("n", 1))
        return JSONResponse({"ideas": [take.to_json() for take in takes]}, 201)

    async def change_take(self, request: Request) -> Response:
        body = await _json(request)
        return JSONResponse(await run_in_threadpool(self._studio.change_take, _name(request, "take"), body))

    async def delete_take(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._studio.delete_take, _name(request, "take"), True))

    async def restore_take(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._studio.delete_take, _name(request, "take"), False))

    def about(self, what: str) -> Endpoint:
        """Return the endpoint that tells something of a take."""

        async def endpoint(request: Request) -> Response:
            return JSONResponse(await run_in_threadpool(getattr(self._studio, what), _name(request, "take")))

        return endpoint

    async def file(self, request: Request) -> Response:
        return await self._download(_name(request, "take"), request.path_params["kind"])

    async def link(self, request: Request) -> Response:
        body = await _json(request)
        kind = str(body.get("kind") or "mid")
        return JSONResponse({"url": await run_in_threadpool(self._studio.link, _name(request, "take"), kind)})

    async def linked(self, request: Request) -> Response:
        return await self._download(*self._studio.linked(_name(request, "link")))

    async def reveal(self, request: Request) -> Response:
        path = await run_in_threadpool(self._studio.file_of, _name(request, "take"))
        await run_in_threadpool(reveal, path)
        return JSONResponse({"path": str(path)})

    async def rate(self, request: Request) -> Response:
        await run_in_threadpool(self._studio.rate, await _json(request))
        return JSONResponse({})

    async def soundfont(self, request: Request) -> Response:
        path = await run_in_threadpool(self._studio.soundfont_path)
        if path is None:
            raise ToccataError("there is no SoundFont here: the page plays its own sounds", kind="not-found")
        return FileResponse(path, media_type="application/octet-stream", filename=path.name)

    async def soundfont_info(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._studio.soundfont_info))

    async def folders(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._studio.music.all))

    async def add_music(self, request: Request) -> Response:
        name, data = request.path_params["name"], await request.body()
        file = request.query_params.get("name", "")[:200]
        return JSONResponse(await run_in_threadpool(self._studio.music.add, name, file, data), 201)

    async def check_music(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._studio.music.check, request.path_params["name"]))

    async def train(self, request: Request) -> Response:
        body = await _json(request)
        return JSONResponse(await run_in_threadpool(self._studio.trainings.begin, body), 201)

    async def training(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._studio.trainings.one, _name(request, "training")))

    async def steer(self, request: Request) -> Response:
        act = getattr(self._studio.trainings, request.url.path.rsplit("/", 1)[1])
        return JSONResponse(await run_in_threadpool(act, _name(request, "training")))

    async def sample(self, request: Request) -> Response:
        number = int(request.path_params["number"])
        path = await run_in_threadpool(self._studio.trainings.sample, _name(request, "training"), number)
        return FileResponse(path, media_type=_TYPES["mid"], filename=path.name)

    async def _download(self, take: str, kind: str) -> Response:
        if kind not in _TYPES:
            raise ToccataError(f"a take is a file of kind {', '.join(_TYPES)}", kind="not-found")
        title, midi = await run_in_threadpool(self._studio.midi, take)
        data = midi if kind == "mid" else await run_in_threadpool(_rendered, midi, kind, self._studio.soundfont)
        name = f"{plain_name(title, 'piece')}.{kind}"
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
        return Response(data, media_type=_TYPES[kind], headers=headers)


def _rendered(midi: bytes, kind: str, soundfont: Path | None) -> bytes:
    """Return music as sound or as a picture."""
    with tempfile.TemporaryDirectory(prefix="toccata-") as folder:
        path = Path(folder) / f"piece.{kind}"
        if kind == "png":
            Piece(midi, {}).plot(path, whole=True)
        else:
            Piece(midi, {}).audio(path, soundfont=soundfont, whole=True)
        return path.read_bytes()


def _name(request: Request, what: str) -> str:
    name: str = request.path_params[what]
    if len(name) > 64:
        raise ToccataError(f"there is no such {what}", kind="not-found")
    return name


async def _json(request: Request) -> Mapping[str, Any]:
    """Return the body, an object; an empty body is an empty one.

    Raises:
        ArgumentError: It is none.
    """
    data = await request.body()
    if not data.strip():
        return {}
    try:
        body = parse_json(data)
    except ValueError as error:
        raise ArgumentError(f"the body is no JSON: {error}") from None
    if not isinstance(body, Mapping):
        raise ArgumentError("the body must be a JSON object")
    return body
