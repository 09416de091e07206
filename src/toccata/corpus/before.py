"""What an earlier `prepare` left: the sides its pieces were on, and which of its files are as it left them."""

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
    """The sides that pieces were on.

    Attributes:
        contents: ``uint64[n]``, sorted: content hashes.
        of_contents: ``int8[n]``, the side of each.
        steps: ``uint64[m]``, sorted: hashes of steps, which is all that format 2 knew of its pieces.
        of_steps: ``int8[m]``, the side of each.
    """

    contents: NDArray[np.uint64]
    of_contents: NDArray[np.int8]
    steps: NDArray[np.uint64]
    of_steps: NDArray[np.int8]

    @classmethod
    def read(cls, out: Path) -> Sides:
        """The sides that the index in ``out`` says, of this format or an earlier one; none if there is no index.

        By the index, not by ``corpus.json``: an interruption between writing the two must not make a piece change
        sides.

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
                        said = json.loads(line)
                        contents, sides = known["steps" in said]
                        contents.append(int(said["content"], 16))
                        sides.append(SPLITS.index(said["split"]))
            except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
                path = out / PIECES
                raise CorpusError(f"{path} is damaged: delete {out} and prepare it again", path=out) from None
        return cls(*_sorted(*known[True]), *_sorted(*known[False]))

    def of(self, contents: NDArray[np.uint64], steps: NDArray[np.uint64]) -> NDArray[np.int8]:
        """The side that each piece was on; ``NEW`` where it was on none."""
        by_content = _looked_up(contents, self.contents, self.of_contents)
        return np.where(by_content == NEW, _looked_up(steps, self.steps, self.of_steps), by_content)


def _sorted(hashes: Any, sides: Any) -> tuple[NDArray[np.uint64], NDArray[np.int8]]:
    hashes, sides = np.array(hashes, np.uint64), np.array(sides, np.int8)
    order = np.argsort(hashes, kind="stable")
    return hashes[order], sides[order]


def _looked_up(hashes: NDArray[np.uint64], known: NDArray[np.uint64], sides: NDArray[np.int8]) -> NDArray[np.int8]:
    if not len(known):
        return np.full(len(hashes), NEW, np.int8)
    at = np.searchsorted(known, hashes, side="right") - 1  # of several, the last one said
    found: NDArray[np.int8] = np.where((at >= 0) & (known[at] == hashes), sides[at], np.int8(NEW))
    return found


@dataclass(frozen=True)
class Prepared:
    """What the last `prepare` that came to its end left.

    Attributes:
        files: The digest of the files that it found; see ``corpus.scan.Files``.
        whole: Those of its own files that are as it left them, by their size and time.
        is_all: Whether these are all there are.
    """

    files: str
    whole: frozenset[str]
    is_all: bool

    @classmethod
    def read(cls, out: Path) -> Prepared:
        """What ``prepared.json`` in ``out`` says; nothing if there is none, or it is damaged."""
        try:
            said = read_json(out / PREPARED, limit=_FILES)
            files, stamps = str(said["files"]), dict(said["stamps"])
        except (OSError, ValueError, LookupError, TypeError):
            return cls("", frozenset(), False)
        now = _stamps(out)
        whole = frozenset(name for name, stamp in now.items() if stamps.get(name) == stamp)
        return cls(files, whole, set(stamps) == set(now) == whole and whole >= set(_NEEDED))


def write_prepared(out: Path, files: str) -> None:
    """Note that ``out`` is finished, of the files with this digest; nothing is written if that is known."""
    said = {"files": files, "stamps": _stamps(out)}
    try:
        if read_json(out / PREPARED, limit=_FILES) == said:
            return
    except (OSError, ValueError):
        pass
    write_json(out / PREPARED, said)


def _stamps(out: Path) -> dict[str, list[int]]:
    """Size and time, in nanoseconds, of the files of a corpus."""
    paths: Iterable[Path] = (*(out / name for name in _NEEDED), *shards(out).values(), *marks_of(out).values())
    abouts = {path.name: path.stat() for path in paths if path.is_file()}
    return {name: [about.st_size, about.st_mtime_ns] for name, about in abouts.items()}
