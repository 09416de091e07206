"""Folders in an object store (s3://, gs://) or on a disk that is mounted (file://), by way of a copy in a cache.

What is read is copied first, and only what has changed since the last time. What is written is written to a copy, and
what is new in the copy is brought to the store: the file that says a folder is whole goes last, and is taken away first
where there is an older one, so that no reader meets half a folder. A copy remembers, file by file, what was there and
here when both were the same; so a run that was interrupted goes on from whichever of the two has come further.

The libraries for it (fsspec, s3fs, gcsfs) are loaded when the first such address is met.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from toccata.errors import RemoteError, ToccataError
from toccata.remote.copy import Copy, copy_around
from toccata.remote.place import RemoteSpec, address, is_remote, no_address, refuse_no_address

__all__ = [
    "Publishing", "RemoteSpec", "accepts_urls", "address", "admit", "display_url", "fetched", "is_remote", "publish",
]  # fmt: skip

P = ParamSpec("P")
R = TypeVar("R")


def display_url(place: str | Path) -> str:
    """Return a place for messages: a path in a copy is shown as the URL that it is a copy of."""
    known = address(place) or no_address(place)
    if known is not None:
        return known
    copy = copy_around(Path(place))
    if copy is None:
        return str(place)
    inside = Path(place).relative_to(copy.folder).as_posix()
    return copy.url if inside == "." else f"{copy.url}/{inside}"


def fetched(url: str, kind: RemoteSpec | None = None, progress: Any = None) -> Path:
    """Bring the copy of ``url`` up to date.

    Args:
        url: The address of a folder.
        kind: What is fetched and published; by default everything is only read.
        progress: Receives the progress.

    Returns:
        The copy's folder.

    Raises:
        MissingExtra: The libraries for such an address are not installed.
        RemoteError: There is nothing there, it may not be read, or cannot be reached.
    """
    return Copy(address(url) or url, kind or RemoteSpec()).fetch(progress)


def admit(place: str | Path, kind: RemoteSpec) -> None:
    """Check that a place may be used as ``kind`` specifies, before anything is fetched.

    Raises:
        ToccataError: What the kind's ``admits`` raises.
        RemoteError: It cannot be reached.
    """
    if kind.admits is not None:
        url = address(place)
        kind.admits(place if url is None else url, None if url is None else Copy(url, kind).names())


def publish(folder: Path) -> None:
    """Upload what is new in ``folder`` to the URL that it is a copy of; other folders are ignored.

    Raises:
        MissingExtra: The libraries for such an address are not installed.
        RemoteError: It may not be written there, or the place cannot be reached. Local files are unchanged.
    """
    copy = copy_around(folder)
    if copy is not None and copy.kind.writes:
        copy.publish()


class Publishing:
    """Publishes a run's folder at every checkpoint.

    The first call has to succeed, so that missing permissions are noticed at once. Later a failure is only reported,
    and the next checkpoint publishes what is missing.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder, self.say, self.worked = folder, say, False

    def __call__(self) -> None:
        """Publish."""
        try:
            publish(self.folder)
            self.worked = True
        except RemoteError as error:
            if not self.worked:
                raise
            self.say(f"{error.message}; training goes on, and the next checkpoint is tried again")


def accepts_urls(**kinds: RemoteSpec) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let the named arguments be URLs, too: the function receives local copies, and what it wrote is published.

    Error messages name the URL instead of the copy.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = signature.bind(*args, **kwargs)
            for name in kinds:
                refuse_no_address(bound.arguments.get(name))
            for name, kind in kinds.items():
                if (place := bound.arguments.get(name)) is not None:
                    admit(place, kind)
            urls = {name: address(bound.arguments.get(name)) for name in kinds}
            copies = {name: Copy(url, kinds[name]) for name, url in urls.items() if url is not None}
            if not copies:
                return function(*args, **kwargs)
            with _by_address(list(copies.values())):
                for name, copy in copies.items():
                    bound.arguments[name] = copy.fetch(bound.arguments.get("progress"))
                result = function(*bound.args, **bound.kwargs)
                for copy in copies.values():
                    if copy.kind.writes and int(os.environ.get("RANK", "0")) == 0:  # of several, the first one writes
                        copy.publish()
            return result

        return run

    return decorate


@contextmanager
def _by_address(copies: list[Copy]) -> Iterator[None]:
    try:
        yield
    except ToccataError as error:
        message = error.message
        for copy in copies:
            message = message.replace(str(copy.folder), copy.url)
        if message == error.message:
            raise
        raise type(error)(message, path=error.path, kind=error.kind) from error
