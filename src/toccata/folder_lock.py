"""A lock on a folder: one process writes to it at a time; the error in a second one names the first.

The lock is the operating system's own (``flock``; on Windows ``msvcrt.locking``) on a small file in the folder, so it
ends with the process that holds it, however that ends: there are no stale locks. The file names its holder and is
removed afterwards; a file that a killed process left is not locked. Where the file system has no locks (some network
disks), nothing is locked.
"""

from __future__ import annotations

import inspect
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from toccata.errors import ToccataError

LOCK = ".toccata.lock"
"""The file in a folder that is locked while the folder is written to."""

_LONGEST = 200  # characters of a command that are shown
_FAR = 2**30  # where Windows locks a byte: behind the text, so that others can read it

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock on ``folder`` while the block runs; the folder is made if it is not there.

    Of several processes that train together (``RANK``), only the first one locks. A folder that cannot be made or
    written to is not locked: writing to it will raise the error. A folder that was made for the lock, and in which
    nothing was written, is removed again.

    Raises:
        ToccataError: Another process holds it; or another thread of this one.
    """
    if int(os.environ.get("RANK", "0") or 0) != 0:
        yield
        return
    made: list[Path] = []
    try:
        made = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        handle = _acquire(folder)
    except OSError:
        handle = None
    try:
        yield
    finally:
        if handle is not None:
            _release(handle, folder / LOCK)
        for place in made:
            with suppress(OSError):
                place.rmdir()


def locks(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that holds the lock on the folder in the argument ``name`` while the function runs."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with locked(Path(signature.bind(*args, **kwargs).arguments[name])):
                return function(*args, **kwargs)

        return run

    return decorate


def _acquire(folder: Path) -> int | None:
    """Return the file handle that holds the lock; None where the file system has no locks."""
    path = folder / LOCK
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            free = try_lock(handle)
        except OSError:  # no locks here
            os.close(handle)
            with suppress(OSError):
                path.unlink()
            return None
        if not free:
            os.close(handle)
            raise ToccataError(
                f"{folder} is being written by {_holder(path)}: wait for it, or choose another folder",
                path=folder,
                kind="in-use",
            )
        if os.fstat(handle).st_nlink:
            break
        os.close(handle)  # its holder removed it between our opening and locking it
    os.ftruncate(handle, 0)
    os.write(handle, json.dumps(_self()).encode())
    return handle


def try_lock(handle: int) -> bool:
    """Take the lock if it is free; return whether it was."""
    try:
        import fcntl
    except ImportError:
        return _try_lock_on_windows(handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _try_lock_on_windows(handle: int) -> bool:
    import msvcrt

    windows: Any = msvcrt  # its functions are known to type checkers on Windows alone
    os.lseek(handle, _FAR, os.SEEK_SET)
    try:
        windows.locking(handle, windows.LK_NBLCK, 1)
    except PermissionError:
        return False
    finally:
        os.lseek(handle, 0, os.SEEK_SET)
    return True


def _release(handle: int, path: Path) -> None:
    with suppress(OSError):
        path.unlink()  # before the lock ends, or it might be the next holder's
    os.close(handle)
    if os.name == "nt":
        with suppress(OSError):
            path.unlink()


def _self() -> dict[str, Any]:
    """Return a description of this process, which is written to the lock file."""
    program = Path(sys.argv[0]).name if sys.argv else ""
    if program in ("__main__.py", "toccata.exe"):
        program = "toccata"
    command = shlex.join([program, *sys.argv[1:]])
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": _shown(f"python {command}".rstrip() if program in ("", "-", "-c") else command),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _holder(path: Path) -> str:
    """Return the holder of a lock in words."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        host = "" if holder["host"] == socket.gethostname() else f" on {_shown(holder['host'])}"
        return f"process {int(holder['pid'])}{host} ({_shown(holder['command'])}) since {_shown(holder['since'])}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"  # which has not written the file yet


def _shown(text: Any) -> str:
    """Return a text as one short line without control characters."""
    line = "".join(sign if sign.isprintable() else " " for sign in str(text))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
