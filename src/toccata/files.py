"""Writing files so that a reader never meets half of one: write aside, then rename."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

_ASIDE = "-aside-"
_OLD = 60.0 if os.name == "posix" else 86_400.0
"""Seconds after which a file left aside that nobody holds is nobody's; where files cannot be held, far longer."""


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; renamed over ``path`` if the block succeeds.

    The suffix is kept, as some libraries choose a format by it. On any error, Ctrl-C included, what was written aside
    is removed and ``path`` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}{_ASIDE}", suffix=path.suffix)
    aside = Path(name)
    try:
        handle = _held(handle)
        yield aside
        aside.chmod(0o666 & ~_umask())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
        if handle >= 0:
            os.close(handle)


@cache
def _sweep(folder: Path) -> None:
    """Remove what killed processes left aside in ``folder``; once a process, as folders may be large.

    A file that is being written is held by its writer, and is left alone; so is a young one, which may not be held yet.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not re.fullmatch(rf"\..*{_ASIDE}[a-z0-9_]{{8}}(\.[^.]*)?", entry.name):
                continue
            with suppress(OSError):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime > _OLD and _is_free(entry.path):
                    Path(entry.path).unlink()


def _held(handle: int) -> int:
    """Keep the file locked for as long as this process lives; -1, and the file closed, where there are no such locks.

    There a file that is old enough is nobody's.
    """
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        os.close(handle)
        return -1
    return handle


def _is_free(path: str) -> bool:
    try:
        import fcntl
    except ImportError:
        return True
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, wholly or not at all."""
    with written_aside(path) as aside, aside.open("wb") as file:
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
    """The content of a JSON file, whoever wrote it: it costs memory in proportion to ``limit``, and nothing else.

    Args:
        path: The file.
        limit: The most bytes it may have.

    Raises:
        OSError: It cannot be opened.
        ValueError: As :func:`parse_json`, or it is no regular file.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):  # reading a pipe would wait, and a device may have no end
            raise ValueError("no regular file")
        data = file.read(limit + 1)
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

    It may be deleted at any time. Beside it, toccata writes nothing that was not asked for.
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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
