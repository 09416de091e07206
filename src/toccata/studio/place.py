"""The lock of a library: one studio at a time, and a second one finds the address of the first."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from toccata.errors import ToccataError
from toccata.folder_lock import try_lock
from toccata.studio.folders import explained

LOCK = "lock"
_PATIENCE = 5.0
"""Seconds in which a studio that has just begun writes its address."""


class Place:
    """A library that this process has to itself, as long as it lives."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            Occupied: Another studio has it.
            ToccataError: The folder cannot be written.
        """
        self.path = folder / LOCK
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except OSError as error:
            raise explained(error, folder) from None
        try:
            free = try_lock(self._handle)
        except OSError:  # a file system without locks
            free = True
        if not free:
            os.close(self._handle)
            raise Occupied(folder)
        os.ftruncate(self._handle, 0)

    def announce(self, address: str) -> None:
        """Write the address of this studio, for a second one."""
        os.ftruncate(self._handle, 0)
        os.lseek(self._handle, 0, os.SEEK_SET)
        os.write(self._handle, address.encode())

    def close(self) -> None:
        """Give the library back."""
        with suppress(OSError):
            os.ftruncate(self._handle, 0)
            os.close(self._handle)


class Occupied(ToccataError):  # noqa: N818 - says what the library is
    """A library in which a studio is running already.

    Attributes:
        folder: The library.
    """

    kind = "in-use"

    def __init__(self, folder: Path) -> None:
        super().__init__(f"a studio is running already in {folder}", path=folder)
        self.folder = folder

    def address(self, patience: float = _PATIENCE) -> str | None:
        """Return the address of the studio that is running; None: it does not say."""
        until = time.monotonic() + patience
        while True:
            with suppress(OSError, UnicodeDecodeError):
                if text := (self.folder / LOCK).read_text(encoding="ascii").strip():
                    return text
            if time.monotonic() > until:
                return None
            time.sleep(0.05)
