"""Writing files so that a reader never meets half of one: write aside, then rename."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import secrets
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

DISK_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
"""The error numbers of a full disk, a full file system and an exceeded quota."""
_ASIDE = "-aside-"
_OLD = 86_400.0
"""Seconds after which a file left aside is removed, where the system has no locks to find out whether it is in use."""


@contextmanager
def written_aside(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """A path beside ``path`` to write to; renamed over ``path`` if the block succeeds.

    The suffix is the same, as some libraries choose a format by it. On any error, Ctrl-C included, what was written
    aside is removed and ``path`` is unchanged. A link at ``path`` is replaced itself; the file that it points to is not
    touched.

    Args:
        path: Where the file shall be in the end.
        replace: Whether a file that is there is replaced.

    Raises:
        FileExistsError: ``path`` is a device, a pipe or a socket; or anything is there, also since a moment ago, and
            ``replace`` is false.
        OSError: The file cannot be written.
    """
    _refuse_special(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent.absolute())
    aside, handle = _new_aside(path)
    try:
        yield aside
        if replace:
            aside.replace(path)
        else:
            _rename_without_replacing(aside, path)
    finally:
        aside.unlink(missing_ok=True)
        if handle >= 0:
            os.close(handle)


def _refuse_special(path: Path) -> None:
    """Raise FileExistsError if ``path`` is a device, a pipe or a socket: renaming a file over it would remove it."""
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):
        return
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
        raise FileExistsError(errno.EEXIST, "is a device, a pipe or a socket, which no file replaces", str(path))


def _new_aside(path: Path) -> tuple[Path, int]:
    """A new empty file beside ``path``, and the handle that locks it; -1 where files cannot be locked.

    The system applies the umask, and what the folder says of the rights of new files.
    """
    while True:
        aside = path.with_name(f".{path.stem[:40]}{_ASIDE}{secrets.token_hex(4)}{path.suffix}")
        try:
            handle = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
        except FileExistsError:
            continue
        handle = _locked(handle)
        if handle < 0 or os.fstat(handle).st_nlink:
            return aside, handle
        os.close(handle)  # another process took it for a killed one's in the moment before it was locked


def _rename_without_replacing(aside: Path, path: Path) -> None:
    try:
        os.link(aside, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        aside.rename(path)


@cache
def _sweep(folder: Path) -> None:
    """Remove what killed processes left aside in ``folder``; once a process, as folders may be large.

    A file that is being written is locked by its writer for as long as that lives, and is left alone.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if re.fullmatch(rf"\..*{_ASIDE}[a-z0-9_]{{8}}(\.[^.]*)?", entry.name, re.DOTALL):
                with suppress(OSError):
                    if entry.is_file(follow_symlinks=False):
                        _remove_if_unlocked(Path(entry.path))


def _locked(handle: int) -> int:
    """Lock the file for as long as this process lives; -1, and the file closed, where there are no such locks."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)  # a process that tests the lock holds it for a moment only
    except (ImportError, OSError):
        os.close(handle)
        return -1
    return handle


def _remove_if_unlocked(path: Path) -> None:
    """Remove a file that no living process holds; where that cannot be known, one that is a day old."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    except (ImportError, OSError):
        os.close(handle)
        handle = -1
        if time.time() - path.stat().st_mtime > _OLD:
            path.unlink()
    else:
        path.unlink()  # while it is locked: its writer, if it has only just made it, sees that it is gone
    finally:
        if handle >= 0:
            os.close(handle)


def write_bytes(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Write ``data`` to ``path``, wholly or not at all; see `written_aside`."""
    with written_aside(path, replace=replace) as aside, aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, wholly or not at all."""
    # File names may hold bytes that are no UTF-8: they come as lone surrogates, and are written as escapes, as in JSON.
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` to ``path`` as indented JSON, wholly or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


LARGEST_JSON = 16 << 20
"""Bytes of a JSON file that is read, unless a caller says otherwise."""
_DEEPEST, _FEW_VALUES, _LARGEST_WHOLE = 32, 1_000_000, 2**63
_BYTES_A_VALUE = 24  # on average, at least, of what is larger: each takes some 100 bytes of memory
_SMALL = 1 << 20
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL)


def read_json(path: Path, *, limit: int = LARGEST_JSON) -> Any:
    """Return the content of a JSON file from any source, safely: the memory used is bounded by ``limit``.

    Args:
        path: The file.
        limit: The most bytes it may have.

    Raises:
        OSError: It cannot be opened.
        ValueError: As :func:`parse_json`, or it is no regular file.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):  # reading a pipe would wait, and a device may have no end
            raise ValueError("no regular file")
        data = file.read(min(limit, about.st_size) + 1)  # a buffer of the requested size is allocated
    return parse_json(data, limit=limit)


def parse_json(data: bytes, *, limit: int = LARGEST_JSON) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: It is not JSON in UTF-8, has more than ``limit`` bytes or too many values, is nested too deeply, or
            holds numbers that are not finite or no 64-bit integers.
    """
    if len(data) > limit:
        raise ValueError(f"more than {limit:,} bytes")
    if len(data) > _SMALL:
        plain, most = _STRING.sub(b"", data), max(_FEW_VALUES, limit // _BYTES_A_VALUE)
        if plain.count(b",") + plain.count(b"[") + plain.count(b"{") > most:
            raise ValueError(f"more than {most:,} values")
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _refuse_odd(value)
    return value


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _refuse_odd(value: Any) -> None:
    """Refuse what no file of ours holds, and code that reads it need not be ready for."""
    layer = [value]
    for _ in range(_DEEPEST):
        inner: list[Any] = []
        for one in layer:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
            elif isinstance(one, float) and not math.isfinite(one):
                raise ValueError("a number that is not finite")
            elif isinstance(one, int) and not -_LARGEST_WHOLE <= one < _LARGEST_WHOLE:
                raise ValueError("a number that is too large")
        if not inner:
            return
        layer = inner
    raise ValueError("nested too deeply")


def user_cache() -> Path:
    """The folder for what can be made or fetched again: TOCCATA_CACHE, or toccata's own in the user's cache.

    It may be deleted at any time. Everything else that toccata writes goes where the user says.
    """
    if named := os.environ.get("TOCCATA_CACHE"):
        return Path(named).absolute()
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named) / "toccata"
    if sys.platform == "win32" and (named := os.environ.get("LOCALAPPDATA")):
        return Path(named) / "toccata" / "cache"
    try:
        home = Path.home()
    except RuntimeError:  # a user without a home, as in some containers
        return Path(tempfile.gettempdir()) / "toccata"
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "toccata"


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
