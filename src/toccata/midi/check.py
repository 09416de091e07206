"""The data check of a folder of MIDI files: which can be used, which cannot and why, and duplicates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from toccata.errors import MidiError, RequestError
from toccata.files import write_json, write_text
from toccata.midi import report
from toccata.midi.clean import CleanOptions, read_clean
from toccata.midi.contents import Checked, Contents, Rejected
from toccata.midi.facts import content_of, facts
from toccata.midi.read import find_midi, map_files

__all__ = ["Checked", "Rejected", "Report", "check", "reason"]


class Report(Contents):
    """The result of a data check, and its forms as text and JSON."""

    def write(self, path: Path) -> None:
        """Write the report to ``path``: ``.json``, ``.csv`` (a row for each file) or ``.html``, by its suffix.

        Raises:
            RequestError: The suffix is another one.
        """
        match path.suffix.lower():
            case ".json":
                write_json(path, self.to_dict())
            case ".csv":
                write_text(path, report.as_csv(self))
            case ".html" | ".htm":
                write_text(path, report.as_html(self))
            case suffix:
                raise RequestError(
                    f"{path}: a report is .json, .csv or .html, not {suffix or 'without a suffix'}", path=path
                )


def check(
    folder: Path,
    options: CleanOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    processes: int | None = None,
) -> Report:
    """Read and clean every MIDI file in ``folder``, and report.

    Args:
        folder: Searched with the folders in it.
        options: How to clean; the facts are those of the cleaned pieces.
        progress: Called after each file with the number of files done and of all files.
        processes: See `map_files`.

    Raises:
        CorpusError: There is no such folder, or no MIDI file in it.
    """
    paths = find_midi(folder)
    accepted: list[Checked] = []
    rejected: list[Rejected] = []
    look = partial(_look, options=options or CleanOptions())
    for done, (path, result) in enumerate(map_files(paths, look, processes=processes), 1):
        if isinstance(result, MidiError):
            rejected.append(Rejected(path, reason(result, path)))
        else:
            accepted.append(result)
        if progress is not None:
            progress(done, len(paths))
    return Report(folder, _by_path(accepted), _by_path(rejected))


def reason(error: MidiError, path: Path) -> str:
    """Return what is wrong with the file, without its name in front."""
    return error.message.removeprefix(f"{path}: ")


def _look(path: Path, options: CleanOptions) -> Checked:
    score = read_clean(path, options)
    return Checked(path, facts(score), content_of(score))


def _by_path(files: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(sorted(files, key=lambda file: file.path))
