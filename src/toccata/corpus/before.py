"""The result of an earlier `prepare`: the split of its pieces, and which of its files are unchanged."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.corpus.columns import SPLITS, Columns
from toccata.corpus.records import marks_of, shards
from toccata.corpus.sides import NEW
from toccata.corpus.store import CORPUS, INDEX, JOURNAL, LEFT_OUT, PIECES, PREPARED
from toccata.errors import CorpusError
from toccata.files import read_json, write_json

_NEEDED = (INDEX, LEFT_OUT, CORPUS, JOURNAL)
_FILES = 2**20  # bytes of ``prepared.json``; about 60 a shard


@dataclass(frozen=True, eq=False)
class Sides:
    """The sides of the split that pieces were on.

    Attributes:
        contents: ``uint64[n]``, sorted: content hashes.
        of_contents: ``int8[n]``, the side of each.
        steps: ``uint64[m]``, sorted: hashes of steps, the only hashes in format 2.
        of_steps: ``int8[m]``, the side of each.
    """

    contents: NDArray[np.uint64]
    of_contents: NDArray[np.int8]
    steps: NDArray[np.uint64]
    of_steps: NDArray[np.int8]

    @classmethod
    def read(cls, out: Path) -> Sides:
        """Return the sides recorded in the index in ``out``, of this format or an earlier one; none without an index.

        The index is read, not ``corpus.json``, so that an interruption between writing the two does not make a piece
        change sides.

        Raises:
            CorpusError: The index is damaged.
        """
        known: dict[bool, tuple[Any, Any]] = {kind: (array("Q"), array("b")) for kind in (True, False)}
        if (out / INDEX).is_file():
            arrays = Columns.load(out / INDEX).arrays
            known[True] = arrays["content"], arrays["split"]
        elif (out / PIECES).is_file():
            try:
                with (out / PIECES).open(encoding="utf-8", newline="\n") as file:
                    for line in file:
                        piece = json.loads(line)
                        contents, sides = known["steps" in piece]
                        contents.append(int(piece["content"], 16))
                        sides.append(SPLITS.index(piece["split"]))
            except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
                path = out / PIECES
                raise CorpusError(f"{path} is damaged: delete {out} and prepare it again", path=out) from None
        return cls(*_sorted(*known[True]), *_sorted(*known[False]))

    def of(self, contents: NDArray[np.uint64], steps: NDArray[np.uint64]) -> NDArray[np.int8]:
        """Return the side that each piece was on; ``NEW`` for a new piece."""
        by_content = _looked_up(contents, self.contents, self.of_contents)
        return np.where(by_content == NEW, _looked_up(steps, self.steps, self.of_steps), by_content)


def _sorted(hashes: Any, sides: Any) -> tuple[NDArray[np.uint64], NDArray[np.int8]]:
    hashes, sides = np.array(hashes, np.uint64), np.array(sides, np.int8)
    order = np.argsort(hashes, kind="stable")
    return hashes[order], sides[order]


def _looked_up(hashes: NDArray[np.uint64], known: NDArray[np.uint64], sides: NDArray[np.int8]) -> NDArray[np.int8]:
    if not len(known):
        return np.full(len(hashes), NEW, np.int8)
    at = np.searchsorted(known, hashes, side="right") - 1  # of several, the last
    found: NDArray[np.int8] = np.where((at >= 0) & (known[at] == hashes), sides[at], np.int8(NEW))
    return found


@dataclass(frozen=True)
class Prepared:
    """The result of the last `prepare` that finished.

    Attributes:
        files: The digest of the files that it found; see ``corpus.scan.Files``.
        whole: Names of the corpus files whose size and time are unchanged.
        is_all: Whether all corpus files are unchanged, and none is missing or new.
        unavailable: How many files could not be read at that time.
    """

    files: str
    whole: frozenset[str]
    is_all: bool
    unavailable: int = 0

    @classmethod
    def read(cls, out: Path) -> Prepared:
        """Return the content of ``prepared.json`` in ``out``; an empty one if it is missing or damaged."""
        try:
            saved = read_json(out / PREPARED, limit=_FILES)
            files, stamps, unavailable = str(saved["files"]), dict(saved["stamps"]), int(saved.get("unavailable", 0))
        except (OSError, ValueError, LookupError, TypeError):
            return cls("", frozenset(), False)
        now = _stamps(out)
        whole = frozenset(name for name, stamp in now.items() if stamps.get(name) == stamp)
        return cls(files, whole, set(stamps) == set(now) == whole and whole >= set(_NEEDED), unavailable)


def write_prepared(out: Path, files: str, unavailable: int = 0) -> None:
    """Record that ``out`` was prepared from the files with this digest; nothing is written if that is recorded.

    Args:
        out: The folder of the corpus.
        files: The digest.
        unavailable: How many of the files could not be read at that time.
    """
    prepared = {"files": files, "stamps": _stamps(out), **({"unavailable": unavailable} if unavailable else {})}
    try:
        if read_json(out / PREPARED, limit=_FILES) == prepared:
            return
    except (OSError, ValueError):
        pass
    write_json(out / PREPARED, prepared)


def _stamps(out: Path) -> dict[str, list[int]]:
    """Return the size and time, in nanoseconds, of the files of a corpus."""
    paths: Iterable[Path] = (*(out / name for name in _NEEDED), *shards(out).values(), *marks_of(out).values())
    abouts = {path.name: path.stat() for path in paths if path.is_file()}
    return {name: [about.st_size, about.st_mtime_ns] for name, about in abouts.items()}
