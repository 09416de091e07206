"""Local copies of folders in object stores."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from toccata.errors import MissingExtra, RemoteError, ToccataError
from toccata.files import read_json, write_json, written_aside
from toccata.folder_lock import locked
from toccata.remote.place import RemoteSpec, cache

Stamp = list[Any]
"""The version of a file: its size, and its etag or time."""

_RECORD = "copy.json"
_NEWS = "copy.jsonl"
"""The journal of changes since the record was written, a line per file; the record is rewritten at the end."""
_LARGEST_RECORD = 256 << 20  # bytes; about 150 a file
_LOOK = "look at how it is written, and at its bucket's name"
_AT_ONCE = 128
"""The number of files that are fetched in a batch; the journal is written after each batch."""
_NO_CREDENTIALS = {
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError",
    "ProfileNotFound", "UnauthorizedSSOTokenError", "DefaultCredentialsError", "RefreshError",
}  # fmt: skip
_NO_NETWORK = {
    "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "ConnectionError",
    "ClientConnectorError", "ServerTimeoutError", "TimeoutError", "ProxyConnectionError", "SSLError", "ClientOSError",
}  # fmt: skip


class Copy:
    """The local copy of a folder, with the record of its files."""

    def __init__(self, url: str, kind: RemoteSpec) -> None:
        self.url, self.kind = url, kind
        # A copy to write to is another than one to read: what was not published yet must not be overwritten.
        mark = hashlib.sha256(json.dumps([url, kind.writes, kind.only]).encode()).hexdigest()[:16]
        self.home = cache() / "remote" / mark
        self.folder = self.home / (url.split(":", 1)[1].strip("/").split("/")[-1] or "files")
        self.known: dict[str, dict[str, Stamp]] = _recorded(self.home).get("files", {})
        self._when: dict[str, float | None] = {}

    @cached_property
    def _system(self) -> tuple[Any, str]:
        """The file system of fsspec, and the place's path in it."""
        scheme = self.url.split(":", 1)[0]
        try:
            import fsspec

            found: tuple[Any, str] = fsspec.url_to_fs(self.url, use_listings_cache=False)
            return found
        except ImportError as error:
            how = "pip install gcsfs" if scheme == "gs" else 'pip install "toccata[remote]"'
            missing = error.name or {"gs": "gcsfs", "s3": "s3fs"}.get(scheme, "fsspec")
            raise MissingExtra(f"{self.url} needs {missing}: {how}") from None

    def names(self) -> list[str]:
        """The names of all files there, wanted or not, with forward slashes."""
        return list(self._listed())

    def _listed(self) -> dict[str, dict[str, Any]]:
        """Return all files there, each with the store's information."""
        system, root = self._system
        with self._one_line():
            system.invalidate_cache()
            found: dict[str, dict[str, Any]] = system.find(root, detail=True)
        if root in found and len(found) == 1:
            raise RemoteError(f"{self.url} is a file: name the folder that it is in")
        return {path[len(root) :].removeprefix("/"): about for path, about in found.items() if not path.endswith("/")}

    def _there(self) -> dict[str, Stamp]:
        """Return the files there that belong to the copy, each with its version."""
        names = self._listed()
        if not names and not self.kind.writes:
            how = "name a folder that is there" if self.url.startswith("file:") else _LOOK
            raise RemoteError(f"there is nothing at {self.url}: {how}")
        wanted = {name: about for name, about in names.items() if self.kind.wants(name)}
        for name in wanted:
            _refuse_outside(self.url, name)
        for left in self.kind.leave:
            if any(name.startswith(f"{left}/") for name in names):
                (self.folder / left).mkdir(parents=True, exist_ok=True)  # not what is in it, but that there is one
        self._when = {name: _time(about) for name, about in wanted.items()}
        return {name: _stamp(about) for name, about in wanted.items()}

    def _here(self) -> dict[str, Path]:
        files = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        names = {path.relative_to(self.folder).as_posix(): path for path in files}
        return {name: path for name, path in names.items() if self.kind.wants(name)}

    def fetch(self, progress: Any = None) -> Path:
        """Download what is new there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        there = self._there()
        here = self._here()
        todo = [name for name, stamp in there.items() if not self._same(name, stamp, here.get(name))]
        # Where we write, what has never been there is news of ours; anywhere else it has been taken away there.
        gone = set(self.known if self.kind.writes else {**here, **self.known}) - set(there)
        for name in gone:
            self.known.pop(name, None)
            (self.folder / name).unlink(missing_ok=True)
        self._settle()
        self._sweep()
        for first in range(0, len(todo), _AT_ONCE):
            some = todo[first : first + _AT_ONCE]
            self._get(some, there)
            self._remember(*some)
            if progress is not None:
                progress.update("copying", first + len(some), len(todo))
        if todo:
            self._settle()
        return self.folder

    def _same(self, name: str, stamp: Stamp, path: Path | None) -> bool:
        known = self.known.get(name)
        if known is None or path is None or known["there"] != stamp:
            return False
        return self.kind.writes or known["here"] == _local_stamp(path)

    def _get(self, names: list[str], there: dict[str, Stamp]) -> None:
        system, root = self._system
        with (
            TemporaryDirectory(dir=self.home, prefix="aside-", ignore_cleanup_errors=True) as aside,
            locked(Path(aside)),
        ):
            parts = [Path(aside) / str(number) for number in range(len(names))]
            with self._one_line():
                system.get([f"{root}/{name}" for name in names], [str(part) for part in parts])
            for name, part in zip(names, parts, strict=True):
                if part.stat().st_size != there[name][0]:
                    raise RemoteError(f"{self.url}/{name} changed while it was read: run the same command again")
                path = self.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if (when := self._when.get(name)) is not None:
                    os.utime(part, (when, when))  # a file is as old as it was there
                part.replace(path)
                self.known[name] = {"there": there[name], "here": _local_stamp(path)}

    def publish(self) -> None:
        """Upload what is new here."""
        there, here, last = self._there(), self._here(), self.kind.last
        changed = [name for name in here if not self._published(name, there, here[name])]
        gone = [name for name in self.known if name in there and name not in here]
        if last in there and (last in changed or last not in here):
            self._remove(last)  # from here on, until the new one is there, the folder counts as incomplete
        for name in [name for name in changed if name != last]:
            self._put(name, here[name])
        for name in gone:
            if name != last:
                self._remove(name)
        if last in changed:
            self._put(last, here[last])
        if changed or gone:
            self._settle()

    def _published(self, name: str, there: dict[str, Stamp], path: Path) -> bool:
        known = self.known.get(name)
        return known is not None and there.get(name) == known["there"] and _local_stamp(path) == known["here"]

    def _put(self, name: str, path: Path) -> None:
        system, root = self._system
        before = _local_stamp(path)
        with self._one_line():
            if self.url.startswith("file:"):
                with written_aside(Path(root) / name) as aside:
                    shutil.copyfile(path, aside)
            else:
                system.put_file(str(path), f"{root}/{name}")  # in a store a file is there whole or not at all
            system.invalidate_cache()
            self.known[name] = {"there": _stamp(system.info(f"{root}/{name}")), "here": before}
        self._remember(name)

    def _remove(self, name: str) -> None:
        system, root = self._system
        self.known.pop(name, None)
        self._remember(name)  # first: what is here then counts as news, and not as taken away by another
        with self._one_line():
            system.rm_file(f"{root}/{name}")

    def _remember(self, *names: str) -> None:
        """Append some files to the journal."""
        # Each line begins with a line break of its own: what an interruption has torn ends there.
        lines = "".join("\n" + json.dumps([name, self.known.get(name)]) for name in names)
        with (self.home / _NEWS).open("a", encoding="utf-8") as file:
            file.write(lines + "\n")

    def _settle(self) -> None:
        """Write the record of all files."""
        kind = {"writes": self.kind.writes, "leave": self.kind.leave, "only": self.kind.only, "last": self.kind.last}
        write_json(self.home / _RECORD, {"url": self.url, "kind": kind, "files": self.known})
        (self.home / _NEWS).unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove the partial downloads of killed processes; those of a running process are locked."""
        for left in self.home.glob("aside-*"):
            with suppress(OSError, ToccataError):
                if any(left.iterdir()):  # an empty one may have been made just now
                    with locked(left):
                        shutil.rmtree(left)

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        """Translate the exceptions of libraries into RemoteError."""
        try:
            yield
        except Exception as error:
            raise RemoteError(_explained(self.url, error)) from error


def _explained(url: str, error: Exception) -> str:
    causes = [error]
    while (cause := causes[-1].__cause__) is not None and isinstance(cause, Exception):
        causes.append(cause)
    kinds = {base.__name__ for one in causes for base in type(one).__mro__}
    if kinds & _NO_CREDENTIALS:
        return f"{url}: no credentials: set those of the store in the environment, as its own tools want them"
    if url.startswith("file:") and "FileNotFoundError" in kinds:
        return f"{url}: there is no such folder: name one that is there"
    if "PermissionError" in kinds:
        return f"{url} may not be read or written with these credentials: ask for access, or set others"
    if "FileNotFoundError" in kinds:
        return f"{url}: there is no such bucket or file: look at how it is written"
    if kinds & _NO_NETWORK:
        return f"{url} cannot be reached: look at the network and the store's address, and run the same command again"
    return f"{url}: {' '.join(str(error).split())[:300] or type(error).__name__}"


def copy_around(path: Path) -> Copy | None:
    """Return the copy that ``path`` is, or is in."""
    root = cache() / "remote"
    if not path.is_relative_to(root) or len(path.relative_to(root).parts) < 2:
        return None
    record = _recorded(root / path.relative_to(root).parts[0])
    if "url" not in record:
        return None
    kind = record["kind"]
    return Copy(record["url"], RemoteSpec(kind["writes"], tuple(kind["leave"]), tuple(kind["only"]), kind["last"]))


def _recorded(home: Path) -> dict[str, Any]:
    """Read the record of a copy: ``url``, ``kind`` and ``files``."""
    try:
        known = dict(read_json(home / _RECORD, limit=_LARGEST_RECORD))
        files = dict(known.get("files", {}))
    except (OSError, ValueError, TypeError):
        return {}
    with suppress(OSError, ValueError):
        for line in (home / _NEWS).read_text(encoding="utf-8").split("\n"):
            with suppress(ValueError, TypeError):  # a torn line: the file counts as not copied
                name, stamps = json.loads(line)
                files[name] = stamps
    return {**known, "files": {name: stamps for name, stamps in files.items() if stamps is not None}}


def _stamp(about: dict[str, Any]) -> Stamp:
    mark = about.get("ETag") or about.get("etag") or about.get("mtime") or about.get("LastModified")
    return [about.get("size"), str(mark)]


def _time(about: dict[str, Any]) -> float | None:
    when = about.get("mtime") or about.get("LastModified")
    return when.timestamp() if isinstance(when, datetime) else when if isinstance(when, float) else None


def _local_stamp(path: Path) -> Stamp:
    about = path.stat()
    return [about.st_size, str(about.st_mtime_ns)]


def _refuse_outside(url: str, name: str) -> None:
    """A store's names may be anything: none may lead out of the copy's folder."""
    parts = name.split("/")
    strange = ("\\", ":") if os.name == "nt" else ()
    if "\0" in name or any(part in ("", ".", "..") for part in parts) or any(sign in name for sign in strange):
        raise RemoteError(f"{url} holds a file called {name!r}, which cannot be kept here: rename it there")
