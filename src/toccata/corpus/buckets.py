"""Numbers sorted into slices of a bounded size, in files while there are many: what is too much to hold at once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PREFIX = ".grouping-"
"""The prefix of the folders that hold the files. A killed process leaves one behind."""

_MOST = 256  # files at a time
_MIX = np.uint64(0x9E3779B97F4A7C15)
_BUFFER = 2**20  # rows that are gathered before they are written


class Buckets:
    """Rows of numbers, of which the first is a key: all rows of a key are read together.

    Args:
        folder: Where the files go, once there are many rows; None: all is held in memory, in one slice.
        parts: How many slices, about.
        types: Of the numbers of a row; the first is ``<u8``.
    """

    def __init__(self, folder: Path | None, parts: int, types: Sequence[str]) -> None:
        self._types = np.dtype([(f"f{number}", kind) for number, kind in enumerate(types)])
        self._bits = max(1, min(parts, _MOST) - 1).bit_length()
        self._held: list[NDArray[Any]] = []
        self._waiting = 0
        self._place = folder
        self._folder: Path | None = None

    def put(self, *columns: NDArray[Any]) -> None:
        """Add rows."""
        rows = np.empty(len(columns[0]), self._types)
        for name, column in zip(self._types.names or (), columns, strict=True):
            rows[name] = column
        self._held.append(rows)
        self._waiting += len(rows)
        if self._place is not None and self._waiting >= _BUFFER:
            self._write()

    def read(self, limit: int | None = None) -> Iterator[list[NDArray[Any]]]:
        """The columns, slice by slice; all rows of a key are in one.

        Args:
            limit: How many rows a slice has at most, about; a larger one is read in several turns. None: whatever it
                has, as where the number of rows is known beforehand.
        """
        if self._folder is None:
            rows = np.concatenate([np.empty(0, self._types), *self._held])
            yield [rows[name] for name in self._types.names or ()]
            return
        self._write()
        for part in range(1 << self._bits):
            path = self._folder / f"{part:03d}"
            if not path.exists():
                continue
            count = path.stat().st_size // self._types.itemsize
            turns = 1 if limit is None else max(1, -(-count // limit))
            for turn in range(turns):
                rows = self._turn(path, turn, turns)
                yield [rows[name] for name in self._types.names or ()]

    def _turn(self, path: Path, turn: int, turns: int) -> NDArray[Any]:
        """The rows of a file whose keys' turn it is."""
        if turns == 1:
            return np.fromfile(path, self._types)
        found = [np.empty(0, self._types)]
        with path.open("rb") as file:
            while data := file.read(_BUFFER * self._types.itemsize):
                rows = np.frombuffer(data, self._types)
                # By other bits than those that chose the file.
                found.append(rows[(rows["f0"] * _MIX >> np.uint64(20)) % np.uint64(turns) == turn])
        return np.concatenate(found)

    def _write(self) -> None:
        """Append what is held to the files."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._place))
        rows = np.concatenate([np.empty(0, self._types), *self._held])
        self._held, self._waiting = [], 0
        parts = rows["f0"] * _MIX >> np.uint64(64 - self._bits)
        order = np.argsort(parts, kind="stable")
        rows, parts = rows[order], parts[order]
        ends = np.searchsorted(parts, np.arange(1 << self._bits, dtype=np.uint64), side="right").tolist()
        first = 0
        for part, end in enumerate(ends):
            if end > first:
                with (self._folder / f"{part:03d}").open("ab") as file:
                    file.write(rows[first:end].tobytes())
            first = end

    def close(self) -> None:
        """Forget the rows, and delete the files."""
        self._held = []
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def remove_left(folder: Path) -> None:
    """Delete what killed processes have left in ``folder``; no other process may be grouping there."""
    for path in folder.glob(f"{PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)
