"""A training as a process of its own, which outlives the page and the studio, and is found again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from toccata.folder_lock import LOCK, try_lock


def begin(arguments: Sequence[str], folder: Path, output: Path) -> subprocess.Popen[bytes]:
    """Begin a command of toccata in a session of its own.

    Args:
        arguments: The command and its arguments.
        folder: The folder in which it runs.
        output: The file that gets what it prints, after what is there.

    Raises:
        OSError: It cannot be begun.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("ab") as file:
        return _spawn([sys.executable, "-m", "toccata", *arguments], folder, file)


def _spawn(command: Sequence[str], folder: Path, output: IO[bytes]) -> subprocess.Popen[bytes]:
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP
    return subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        creationflags=flags,
    )  # fmt: skip


def writer_of(out: Path) -> int | None:
    """Return the id of the process that writes to a model folder; None: none does."""
    path = out / LOCK
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        if try_lock(handle):
            return None
        return int(json.loads(path.read_text(encoding="utf-8"))["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    finally:
        os.close(handle)


def names(pid: int, word: str) -> bool:
    """Whether a process runs whose command line has a word; False where the system does not say."""
    try:
        return word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def leave(handle: subprocess.Popen[bytes]) -> None:
    """Let a process go on without this one, which does not wait for its end."""
    if handle.poll() is None:
        handle.returncode = 0  # Python is not to warn that nobody waits for it


def stop(pid: int) -> None:
    """Request that a process ends in order, as Ctrl-C does."""
    with suppress(OSError):
        if sys.platform == "win32":
            os.kill(pid, signal.CTRL_BREAK_EVENT)
        else:
            os.kill(pid, signal.SIGTERM)


def kill(pid: int) -> None:
    """End a process, and those that it has begun."""
    with suppress(OSError):
        if sys.platform == "win32":
            os.kill(pid, signal.SIGTERM)
        else:
            os.killpg(pid, signal.SIGKILL)


def last_line(output: Path) -> str:
    """Return the last line that a command has printed; an error is one."""
    try:
        with output.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 8192))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return (said[-1] if said else "").removeprefix("error: ")[:500]
