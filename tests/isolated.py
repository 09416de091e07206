"""Commands in a process that can reach no network, and says what it writes. Linux on x86-64 and 64-bit ARM.

    python tests/isolated.py LOG < commands

``commands`` is a JSON list of command lines. To the process, and all it starts, there is no IPv6, and an IPv4 socket is
its end: the kernel sees to that (a seccomp filter, for which no privilege is needed), whoever asks for it, Python or a
library in C++. What Python code opens for writing, creates, renames or removes goes into LOG, a path a line; what
others write is seen by looking into the folders where they might.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

CALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""For each machine what the kernel calls it, and the number of the system call ``socket``."""
_IPV4, _IPV6 = 2, 10
_NO_NEW_PRIVS, _SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _KILL, _UNKNOWN_FAMILY = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EAFNOSUPPORT
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_WRITES = {
    "os.mkdir": (0,), "os.rename": (0, 1), "os.remove": (0,), "os.rmdir": (0,), "os.link": (1,), "os.symlink": (1,),
    "os.truncate": (0,), "sqlite3.connect": (0,), "shutil.move": (1,), "shutil.copyfile": (1,),
}  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def forbid_network() -> None:
    """From now on an IPv4 socket is the end of this process, and of those that it starts, and there is no IPv6.

    Importing urllib3 tries whether there is IPv6, so that is no end.
    """
    machine, number = CALLS[platform.machine()]

    def at(code: int, value: int, equal: int = 0, other: int = 0) -> bytes:
        return struct.pack("HBBI", code, equal, other, value)

    steps = [
        at(_LOAD, 4),  # the machine
        at(_EQUAL, machine, 1, 0),
        at(_RETURN, _KILL),
        at(_LOAD, 0),  # the system call
        at(_EQUAL, number, 0, 4),
        at(_LOAD, 16),  # its first argument, the family
        at(_EQUAL, _IPV4, 3, 0),
        at(_EQUAL, _IPV6, 0, 1),
        at(_RETURN, _UNKNOWN_FAMILY),
        at(_RETURN, _ALLOW),
        at(_RETURN, _KILL),
    ]
    program = _Program(len(steps), b"".join(steps))
    kernel = ctypes.CDLL(None, use_errno=True)
    if kernel.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) or kernel.prctl(_SECCOMP, _FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter")


def watch(log: Path) -> None:
    """Write a line to ``log`` for each file that Python code opens for writing or otherwise changes."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(what: str, path: Any) -> None:
        if isinstance(path, str | bytes | os.PathLike):
            os.write(handle, f"{what} {Path(os.fsdecode(path)).absolute()}\n".encode())

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) or set(mode or "") & set("wax+"):
                note(event, path)
        elif event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
            address = arguments[1] if event != "socket.getaddrinfo" else arguments[0]
            os.write(handle, f"{event} {address!r}\n".encode())
        else:
            for position in _WRITES.get(event, ()):
                note(event, arguments[position])

    sys.addaudithook(hook)


def run(main: Callable[[list[str]], int], commands: list[list[str]]) -> int:
    """Run command lines one after the other; the number of those that fail."""
    failed = 0
    for command in commands:
        code = main(command)
        if code:
            failed += 1
            print(f"{code}: toccata {' '.join(command)}", file=sys.stderr)
    return failed


def quiet() -> None:
    """What a command prints on the standard output is nobody's here."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    lines = json.load(sys.stdin)
    forbid_network()
    watch(Path(sys.argv[1]))
    quiet()
    import toccata.finish
    from toccata.cli.main import main

    # A model that knows nothing writes very full bars: a few are enough.
    toccata.finish.PIECES, toccata.finish.BARS = 1, 1
    sys.exit(run(main, lines))
