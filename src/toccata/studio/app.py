"""The studio as one ASGI application: the page, its API, the verbs over HTTP, and the guard in front of all."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from toccata.server.app import Server, create_app
from toccata.server.guard import Scope
from toccata.server.guard import public as is_health
from toccata.server.settings import ServerSettings
from toccata.studio.routes import routes
from toccata.studio.studio import Studio

PAGE = Path(__file__).parent / "page"
"""The built page."""
NO_PAGE = (
    "The studio runs, but its page was not built: in a checkout, run `npm ci && npm run build` in studio/; "
    "a toccata that was installed has it.\n"
)


def studio_app(studio: Studio, settings: ServerSettings, *, page: Path = PAGE) -> Server:
    """Return the application: the page, its API, and the verbs over HTTP, behind one guard.

    Args:
        studio: What it shows.
        settings: Who is answered; see ``toccata.server.settings``.
        page: The folder of the built page.
    """
    mimetypes.add_type("text/javascript", ".js")
    mimetypes.add_type("application/wasm", ".wasm")

    async def index(request: Request) -> Response:
        file = page / "index.html"
        if not file.is_file():
            return PlainTextResponse(NO_PAGE, 503)
        return FileResponse(file, headers={"cache-control": "no-cache"})

    listed: list[BaseRoute] = [Route("/", index), *routes(studio)]
    if page.is_dir():
        listed.append(Mount("/page", _Files(directory=page)))
    return create_app(settings, decoders=studio.decoders, routes=listed, is_public=_is_public, is_page=_is_page)


class _Files(StaticFiles):
    """The page's files; the browser asks each time whether one is still the same."""

    def file_response(self, *args: Any, **named: Any) -> Response:
        """Return a file, or that it is the same."""
        response = super().file_response(*args, **named)
        response.headers["cache-control"] = "no-cache"
        return response


def _is_public(scope: Scope) -> bool:
    """Whether a request needs no token: the page itself, which holds nothing of the user's, and one-file addresses."""
    path: str = scope["path"]
    if is_health(scope):
        return True
    own = path == "/" or path.startswith(("/page/", "/studio/links/"))
    return own and scope["method"] in ("GET", "HEAD")


def _is_page(scope: Scope) -> bool:
    """Whether links on other sites may lead to it."""
    return scope["path"] == "/" and scope["method"] in ("GET", "HEAD")
