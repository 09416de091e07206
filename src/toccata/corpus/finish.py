"""Makes an index from the journal: leaves out duplicates, groups pieces, splits the groups, and writes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.corpus.before import Sides
from toccata.corpus.columns import DIGEST, SPLITS, Columns, as_text, in_order
from toccata.corpus.groups import Hashes, Ints, Marks, groups_of
from toccata.corpus.journal import Journal
from toccata.corpus.records import PIECE
from toccata.corpus.sides import assign, place
from toccata.corpus.store import CORPUS, INDEX, LEFT_OUT
from toccata.errors import CorpusError
from toccata.files import read_json, write_json, written_aside

_CHUNK = 2**14


class JournalMarks(Marks):
    """The passages and sketches of some records of a journal, read from disk when they are needed."""

    def __init__(self, journal: Journal, rows: Ints) -> None:
        self._journal, self._rows = journal, rows
        self._order = np.lexsort((journal.records["at"][rows], journal.records["marks"][rows]))

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, kind: str) -> Iterator[tuple[int, Hashes]]:
        """Yield each piece's number with its passages or its sketch, in the order in which they lie on disk."""
        which = ("passages", "sketch").index(kind)
        for first in range(0, len(self), _CHUNK):
            order = self._order[first : first + _CHUNK]
            for number, marks in zip(order.tolist(), self._journal.marks(self._rows[order]), strict=True):
                yield number, marks[which]

    def sketch(self, number: int) -> Hashes:
        """Return the sketch of one piece."""
        return next(self._journal.marks(self._rows[number : number + 1]))[1]


@dataclass(frozen=True, eq=False)
class _Partition:
    """Numbers of journal records, by what becomes of the files.

    Attributes:
        pieces: The pieces of the corpus, in their order.
        rejected: Files that cannot be used.
        duplicates: Files with the same music as a piece of the corpus.
        originals: For each duplicate, that piece.
    """

    pieces: Ints
    rejected: Ints
    duplicates: Ints
    originals: Ints


Shares = tuple[float, float] | None
"""The shares of the pieces for validation and for testing; None: the folders that pieces are in are the split."""


def finish(out: Path, made_with: dict[str, Any], journal: Journal, rows: Ints, shares: Shares) -> None:
    """Leave out duplicates, group, split, and write the index; nothing is written if nothing has changed.

    Args:
        out: The folder of the corpus.
        made_with: The source and the options, for ``corpus.json``.
        journal: The journal of the files that were read.
        rows: The records of the files that exist, in the order of their paths.
        shares: The shares of the pieces for validation and for testing; None: the split is given by folders.

    Raises:
        CorpusError: None of the files can be used; or the split is given, and a file is in none of its folders.
    """
    found = _partition(journal, rows)
    if not len(found.pieces):
        why = "".join(f"; the first, {path}: {reason}" for path, reason in journal.texts(found.rejected[:1]))
        raise CorpusError(f"none of the {len(rows)} files below {made_with['source']} can be used{why}", path=out)
    columns = _columns(out, journal, found.pieces, shares)
    arrays = columns.arrays
    left_out = hashlib.blake2b(digest_size=16)
    for text in _left_out(journal, found):
        left_out.update(text.encode())
    about = {
        **made_with,
        "digest": columns.header["digest"],
        "files": len(rows),
        "pieces": len(columns),
        "notes": int(arrays["notes"].sum(dtype=np.int64)),
        "hours": round(float(arrays["seconds"].sum()) / 3600, 3),
        "splits": columns.header["splits"],
        "rejected": len(found.rejected),
        "duplicates": len(found.duplicates),
        "left_out": left_out.hexdigest(),
    }
    if _is_written(out, about, columns):
        return
    (out / CORPUS).unlink(missing_ok=True)  # so that no reader sees old and new files together
    columns.save(out / INDEX)
    with written_aside(out / LEFT_OUT) as aside, aside.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_left_out(journal, found))
    write_json(out / CORPUS, about)


def _partition(journal: Journal, rows: Ints) -> _Partition:
    is_piece = journal.records["is_piece"][rows] == PIECE
    pieces = rows[is_piece]
    _, first, which = np.unique(journal.records["content"][pieces], return_index=True, return_inverse=True)
    original = first[which]
    duplicates = np.flatnonzero(original != np.arange(len(pieces)))
    return _Partition(pieces[np.sort(first)], rows[~is_piece], pieces[duplicates], pieces[original[duplicates]])


def _columns(out: Path, journal: Journal, rows: Ints, shares: Shares) -> Columns:
    """Return the index of the records ``rows``."""
    records = journal.records
    taken = {name: records[name][rows] for name in ("notes", "bars", "seconds", "shard", "offset", "length")}
    content, steps = records["content"][rows], records["steps"][rows]
    _, groups = np.unique(groups_of(JournalMarks(journal, rows), steps, out), return_inverse=True)
    names = np.full(int(groups.max()) + 1, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(names, groups, content)
    places = np.fromiter((place(as_text(name)) for part in _parts(names) for name in part.tolist()), float, len(names))
    if shares is None:
        split = _given(out, journal, rows)
    else:
        split = assign(groups, places, Sides.read(out).of(content, steps), *shares).astype(np.uint8)
    counts = np.bincount(split, minlength=len(SPLITS)).tolist()
    arrays = {
        **taken,
        "split": split,
        "content": content,
        "steps": steps,
        "group": names[groups],
        "midi": np.frombuffer(records["midi"][rows].tobytes(), np.uint8),
        **in_order(split, taken["notes"]),
        **_texts(journal, rows, given=shares is None),
    }
    header = {"digest": _digest(arrays), "splits": dict(zip(SPLITS, counts, strict=True))}
    return Columns(header, arrays)


def _given(out: Path, journal: Journal, rows: Ints) -> NDArray[np.uint8]:
    """Return the side of each piece by the folder that it is in.

    Raises:
        CorpusError: A piece is in none of them.
    """
    sides = np.empty(len(rows), np.uint8)
    for number, (path, _) in enumerate(journal.texts(rows)):
        first = path.split("/", 1)[0] if "/" in path else ""
        if first not in SPLITS:
            raise CorpusError(
                f"{path} is below none of the folders {', '.join(SPLITS)}, which are the split with prepare.folders: "
                "move it, or leave the option out",
                path=out,
            )
        sides[number] = SPLITS.index(first)
    return sides


def _texts(journal: Journal, rows: Ints, *, given: bool) -> dict[str, NDArray[Any]]:
    """Return the columns of paths and styles; below the folders of a ``given`` split a style is the next folder."""
    starts = np.zeros(len(rows) + 1, "<u8")
    np.cumsum(journal.records["path"][rows], out=starts[1:])
    paths = np.empty(int(starts[-1]), np.uint8)
    numbers: dict[str, int] = {"": 0}
    style = np.zeros(len(rows), "<u4")
    for number, (path, _) in enumerate(journal.texts(rows)):
        paths[int(starts[number]) : int(starts[number + 1])] = np.frombuffer(path.encode(), np.uint8)
        inside = path.split("/", 1)[1] if given else path
        style[number] = numbers.setdefault(inside.split("/", 1)[0] if "/" in inside else "", len(numbers))
    names = sorted(numbers)
    place_of = np.zeros(len(names), "<u4")
    for sorted_place, name in enumerate(names):
        place_of[numbers[name]] = sorted_place
    encoded = [name.encode() for name in names[1:]]
    return {
        "style": place_of[style],
        "path_starts": starts,
        "paths": paths,
        "style_starts": np.cumsum([0, *map(len, encoded)]).astype("<u8"),
        "styles": np.frombuffer(b"".join(encoded), np.uint8),
    }


def _digest(arrays: dict[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of all pieces' paths, splits and bytes, wherever the bytes are stored."""
    whole = hashlib.sha256()
    text, midi = arrays["paths"].tobytes(), arrays["midi"].tobytes().hex()
    starts = arrays["path_starts"]
    for part in _parts(np.arange(len(arrays["split"]))):
        edges, splits = starts[part[0] : part[-1] + 2].tolist(), arrays["split"][part].tolist()
        for number, split, first, last in zip(part.tolist(), splits, edges, edges[1:], strict=False):
            digest = midi[2 * DIGEST * number : 2 * DIGEST * (number + 1)]
            whole.update(b"%b\n%b\n%b\n" % (text[first:last], SPLITS[split].encode(), digest.encode()))
    return whole.hexdigest()


def _parts(numbers: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (numbers[first : first + _CHUNK] for first in range(0, len(numbers), _CHUNK))


def _left_out(journal: Journal, found: _Partition) -> Iterator[str]:
    """Yield the lines of the list of files that are not pieces of the corpus."""
    for path, reason in journal.texts(found.rejected):
        yield json.dumps({"path": path, "reason": reason}, ensure_ascii=False) + "\n"
    duplicates, originals = journal.texts(found.duplicates), journal.texts(found.originals)
    for (path, _), (original, _) in zip(duplicates, originals, strict=True):
        yield json.dumps({"path": path, "same_as": original}, ensure_ascii=False) + "\n"


def _is_written(out: Path, about: dict[str, Any], columns: Columns) -> bool:
    """Whether ``out`` holds exactly these files already."""
    try:
        if read_json(out / CORPUS, limit=2**20) != json.loads(json.dumps(about)):
            return False
        with (out / LEFT_OUT).open("rb") as file:
            if hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest() != about["left_out"]:
                return False
        return Columns.load(out / INDEX).same_as(columns)
    except (OSError, ValueError, CorpusError):
        return False
