"""Lists the files of a folder of music and detects changes, with a few numbers per file."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toccata.corpus.records import name_hash
from toccata.midi.read import is_empty, no_midi, walk_midi

_CHUNK = 1024


@dataclass(frozen=True, eq=False)
class Files:
    """The MIDI files below a folder, in the order of their paths.

    Attributes:
        source: The folder.
        names: ``uint64[n]``, the hash of each path below it; see ``corpus.records.name_hash``.
        sizes: ``int64[n]``, in bytes.
        mtimes: ``int64[n]``, when each was changed, in nanoseconds.
        without: A folder below ``source`` whose files are left out.
    """

    source: Path
    names: NDArray[np.uint64]
    sizes: NDArray[np.int64]
    mtimes: NDArray[np.int64]
    without: Path | None = None

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def digest(self) -> str:
        """A hash of all names, sizes and times: the same as long as nothing has changed."""
        whole = hashlib.blake2b(digest_size=16)
        for column in (self.names, self.sizes, self.mtimes):
            whole.update(column.data)
        return whole.hexdigest()

    def stamp(self, path: Path) -> tuple[str, tuple[int, int]]:
        """Return a file's name in the index, and the size and time by which changes are detected."""
        name = readable(path.relative_to(self.source).as_posix())
        at = self._order[np.searchsorted(self.names, np.uint64(name_hash(name)), sorter=self._order)]
        return name, (int(self.sizes[at]), int(self.mtimes[at]))

    def paths(self, names: NDArray[np.uint64]) -> Iterator[Path]:
        """The files with these hashes of their names; the folder is walked anew, so that no list of them is held."""
        walk, wanted = walk_midi(self.source, without=self.without), np.sort(names)
        while chunk := list(islice(walk, _CHUNK)):
            hashes = np.array([name_hash(readable(name)) for name in chunk], np.uint64)
            at = np.minimum(np.searchsorted(wanted, hashes), max(0, len(wanted) - 1))
            there = wanted[at] == hashes if len(wanted) else np.zeros(len(chunk), bool)
            yield from (self.source / name for name, one in zip(chunk, there.tolist(), strict=True) if one)

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.argsort(self.names, kind="stable")


def scan(source: Path, without: Path | None = None) -> Files:
    """Look at every MIDI file below ``source``, without opening any.

    Args:
        source: The folder.
        without: A folder whose files are left out: what is written there is not read.

    Raises:
        CorpusError: There is no such folder, or no MIDI file in it.
    """
    empty = is_empty(source)
    names, sizes, mtimes = array("Q"), array("q"), array("q")
    for name in walk_midi(source, without=without):
        path = f"{source}{os.sep}{name}"
        try:
            about = os.stat(path)  # noqa: PTH116 - no object is made of each of a million paths
        except OSError:  # a link that leads nowhere: reading it says so
            try:
                about = os.lstat(path)
            except OSError:  # gone since a moment ago
                continue
        names.append(name_hash(readable(name)))
        sizes.append(about.st_size)
        mtimes.append(about.st_mtime_ns)
    if not names:
        raise no_midi(source, empty)
    columns = np.array(names, np.uint64), np.array(sizes, np.int64), np.array(mtimes, np.int64)
    return Files(source, *columns, without)


def readable(text: str) -> str:
    """``text`` as UTF-8 can say it: a file's name may hold bytes that are none."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
