"""The learning curve of a training, read from its log while that is written."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

MOST_POINTS = 400
"""Points of a curve that are sent."""
_PART = 1 << 20


class Curve:
    """What a training log says so far; only what was added since is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: list[dict[str, float]] = []
        self._names: list[str] = []
        self._at, self._inode = 0, -1
        self._lock = threading.Lock()

    def rows(self) -> list[dict[str, float]]:
        """Return the lines, by the names of their columns; a torn last one is left out."""
        with self._lock:
            return list(self._read())

    def _read(self) -> list[dict[str, float]]:
        with suppress(OSError), self.path.open("rb") as file:
            about = self.path.stat()
            if about.st_ino != self._inode or about.st_size < self._at:  # a run that goes on writes it anew
                self._rows, self._names, self._at, self._inode = [], [], 0, about.st_ino
            file.seek(self._at)
            rest = b""
            while part := file.read(_PART):
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    self._at += len(line) + 1
                    self._add(line.decode("utf-8", "replace").strip().split(","))
            return self._rows
        self._rows, self._names, self._at, self._inode = [], [], 0, -1
        return self._rows

    def points(self) -> list[list[float | None]]:
        """Return step, loss and loss on held-out pieces: few of all lines, and all with a loss on held-out pieces."""
        rows = self.rows()
        every = max(1, len(rows) // MOST_POINTS)
        chosen = [row for n, row in enumerate(rows) if n % every == 0 or "valid_loss" in row or n == len(rows) - 1]
        return [[int(row["step"]), row.get("loss"), row.get("valid_loss")] for row in chosen]

    @property
    def seconds(self) -> float:
        """How long the training has trained."""
        rows = self.rows()
        return rows[-1].get("seconds", 0.0) if rows else 0.0

    def _add(self, cells: list[str]) -> None:
        if not self._names:
            self._names = cells
            return
        with suppress(ValueError):
            row = {name: float(cell) for name, cell in zip(self._names, cells, strict=True) if cell}
            if "step" in row:
                self._rows.append(row)
