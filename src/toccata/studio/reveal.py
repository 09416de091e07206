"""Shows a file in the system's own file manager."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from toccata.errors import RequestError


def reveal(path: Path) -> None:
    """Open the folder of a file, with the file selected where the system can do that.

    Raises:
        RequestError: There is no file manager here; the message says where the file is.
    """
    command = _command(path)
    if command is None:
        raise RequestError(f"there is no file manager here to show it: it is {path}")
    try:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        raise RequestError(f"the file manager does not open: the file is {path}") from None


def _command(path: Path) -> list[str] | None:
    folder = path if path.is_dir() else path.parent
    if sys.platform == "darwin":
        return ["open", "-R", str(path)]
    if sys.platform == "win32":
        return ["explorer", f"/select,{path}"]
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return ["xdg-open", str(folder)] if shown and shutil.which("xdg-open") else None
