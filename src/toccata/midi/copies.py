"""Cleaned copies of a folder of MIDI files: each file cleaned or left out with a reason, none in silence."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from toccata.errors import MidiError, RequestError
from toccata.files import DISK_FULL, write_bytes
from toccata.folder_lock import locked
from toccata.midi.check import Checked, Rejected, Report, reason
from toccata.midi.clean import CleanOptions, read_clean
from toccata.midi.facts import content_of, facts
from toccata.midi.pool import map_files
from toccata.midi.read import SUFFIXES, find_midi
from toccata.midi.splice import new_file

_PLAIN = (".mid", ".midi", ".kar")  # suffixes of plain MIDI files: a copy has no wrapping, whatever the original is


@dataclass(frozen=True)
class Copies:
    """The result of copying the files of a folder.

    Attributes:
        source: The folder, or the one file.
        out: Where the copies are.
        written: The copies, by path.
        notes: The notes in them.
        rejected: The files that were left out, by path; folders too that may not be opened.
        report: The data check of the copies, if requested.
        before: How many of the copies were there already, the same to the byte.
    """

    source: Path
    out: Path
    written: tuple[Path, ...]
    notes: int
    rejected: tuple[Rejected, ...]
    report: Report | None = None
    before: int = 0

    @property
    def files(self) -> int:
        """Copies and files left out."""
        return len(self.written) + len(self.rejected)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; paths as text."""
        return {
            "source": str(self.source),
            "out": str(self.out),
            "files": self.files,
            "written": len(self.written),
            "before": self.before,
            "notes": self.notes,
            "rejected": [{"path": str(file.path), "reason": file.reason} for file in self.rejected],
        }


def copy_cleaned(
    source: Path,
    out: Path,
    options: CleanOptions | None = None,
    *,
    force: bool = False,
    report: bool = False,
    progress: Callable[[int, int], None] | None = None,
    processes: int | None = None,
) -> Copies:
    """Write a cleaned copy of every MIDI file below ``source`` to ``out``, in the same folders, under the same names.

    Files of types 0, 1 and 2 are read, and the copies are of type 1; the songs of a type 2 file follow one another in
    its copy, each from a bar line. A copy that is not there yet appears whole or not at all.

    Args:
        source: A folder of MIDI files, however deep, or one file.
        out: The folder for the copies; for one file also the name of its copy, ending in .mid, .midi or .kar.
        options: How to clean, and which pieces to leave out; by default none that has notes.
        force: Replace files that are in ``out`` already; otherwise they are unchanged and reported as left out, unless
            they are the copies that would be written: these count as written, by an earlier run.
        report: Look into the copies too, as the data check does.
        progress: Called with (files done, files in all).
        processes: See `map_files`.

    Raises:
        CorpusError: There is no ``source``, or no MIDI file in it.
        RequestError: ``out`` lies in ``source`` or is no folder, or cannot be made.
        ToccataError: Another process is writing the copies of a folder to ``out``.
        OSError: The disk is full.
    """
    closed: list[Rejected] = []
    targets = _targets(source, out, closed)
    _refuse_own(source, out, targets)
    with nullcontext() if source.is_file() else locked(out):
        made = _make(next(iter(targets.values())).parent if source.is_file() else out)
        try:
            return _copied(
                source, out, targets, closed, options or CleanOptions(min_notes=1), force, report, progress, processes
            )
        finally:
            for folder in made:  # those in which nothing was written
                with suppress(OSError):
                    folder.rmdir()


def _copied(
    source: Path,
    out: Path,
    targets: dict[Path, Path],
    closed: list[Rejected],
    options: CleanOptions,
    force: bool,
    report: bool,
    progress: Callable[[int, int], None] | None,
    processes: int | None,
) -> Copies:
    """Clean and write each of ``targets``; see `copy_cleaned`."""
    rejected = [*closed, *_taken(targets)]
    for file in rejected:
        targets.pop(file.path, None)
    written: list[Path] = []
    checked: list[Checked] = []
    notes = 0
    there = set() if force else {target for target in targets.values() if os.path.lexists(target)}
    work = partial(_cleaned, options=options, look=report)
    for done, (path, result) in enumerate(map_files(list(targets), work, processes=processes), 1):
        why = reason(result, path) if isinstance(result, MidiError) else _written(targets[path], result[0], force)
        if why or isinstance(result, MidiError):
            rejected.append(Rejected(path, why))
        else:
            written.append(targets[path])
            notes += result[1]
            checked += [] if result[2] is None else [result[2]]
        if progress is not None:
            progress(done, len(targets))
    left = tuple(sorted(rejected, key=lambda file: file.path))
    copies_report = (
        Report(source.parent if source.is_file() else source, tuple(sorted(checked, key=lambda file: file.path)), left)
        if report
        else None
    )
    return Copies(source, out, tuple(sorted(written)), notes, left, copies_report, len(there.intersection(written)))


def _targets(source: Path, out: Path, closed: list[Rejected]) -> dict[Path, Path]:
    """Return the path of each file's copy; folders that may not be opened are added to ``closed``."""
    if source.is_file():
        named = out.suffix.lower() in SUFFIXES and not _is_folder(out)
        return {source: out if named else out / _name(Path(source.name))}

    def on_error(error: OSError) -> None:
        closed.append(Rejected(Path(error.filename), f"cannot be opened: {error.strerror or error}"))

    return {path: out / _name(path.relative_to(source)) for path in find_midi(source, on_error)}


def _name(path: Path) -> Path:
    if path.suffix.lower() in _PLAIN:
        return path
    return path.with_suffix(".mid") if path.suffix.lower() in SUFFIXES else path.with_name(path.name + ".mid")


def _refuse_own(source: Path, out: Path, targets: dict[Path, Path]) -> None:
    """Refuse to write to any file that is read."""
    real = Path(os.path.realpath(source))
    if source.is_file():
        if any(os.path.realpath(target) == str(real) for target in targets.values()):
            raise RequestError(f"{source} would be replaced by its copy: name another place for it", path=out)
        return
    if Path(os.path.realpath(out)) == real:
        raise RequestError(f"{out} is the folder that is read: name another one for the copies", path=out)
    for folder in dict.fromkeys([out, *(target.parent for target in targets.values())]):
        if Path(os.path.realpath(folder)).is_relative_to(real):
            raise RequestError(f"{folder} is inside of {source}, which is read: name a folder outside of it", path=out)


def _make(folder: Path) -> list[Path]:
    """Make a folder.

    Returns:
        Those folders that were not there, the deepest first.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise RequestError(f"{folder} is a file: name a folder for the copies", path=folder, kind="no-place")
        missing = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or error
        raise RequestError(
            f"{folder} cannot be made ({why}): name another place", path=folder, kind="no-place"
        ) from None
    return missing


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, for one
        return False


def _taken(targets: dict[Path, Path]) -> Iterator[Rejected]:
    """The files that have nowhere to go, whatever is in them."""
    seen: dict[Path, Path] = {}
    for path, target in targets.items():
        if (first := seen.setdefault(target, path)) is not path:
            yield Rejected(path, f"its copy would be {target}, as that of {first}: rename one of them")
        elif _is_folder(target):
            yield Rejected(path, f"{target} is a folder")


def _written(target: Path, data: bytes, force: bool) -> str:
    """Write a copy, unless it is there; the reason why not if that is the file's own, such as a name too long."""
    if not force and os.path.lexists(target):  # where upper and lower case are the same, maybe from a moment ago
        return "" if _holds(target, data) else f"{target} is there already: --force replaces it"
    try:
        write_bytes(target, data)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        return f"{target} cannot be written: {error.strerror or error}"
    return ""


def _holds(path: Path, data: bytes) -> bool:
    """Whether that is what a file holds."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _cleaned(path: Path, options: CleanOptions, look: bool) -> tuple[bytes, int, Checked | None]:
    """A file's cleaned bytes, their notes and what is in them; runs in a worker process."""
    score = read_clean(path, options)
    checked = Checked(path, facts(score), content_of(score)) if look else None
    # Not symusic's own writer: from the 16th track on it gives tracks channels on which other instruments play.
    return new_file(score), score.note_num(), checked
