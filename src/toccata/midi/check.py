"""What is in a folder of MIDI: what can be used, what cannot and why, and what is there twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from toccata.errors import MidiError, RequestError
from toccata.files import write_json, write_text
from toccata.midi.clean import CleanOptions, clean
from toccata.midi.facts import Facts, facts, fingerprint
from toccata.midi.gm import PROGRAMS
from toccata.midi.read import find_midi, map_files, read_score


@dataclass(frozen=True)
class Checked:
    """A file that can be used.

    Attributes:
        path: Where it is.
        facts: What is left in it after cleaning.
        content: Its fingerprint's content: equal for copies of one piece.
    """

    path: Path
    facts: Facts
    content: str


@dataclass(frozen=True)
class Rejected:
    """A file that cannot be used, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Report:
    """What is in a folder of MIDI files.

    Attributes:
        folder: The folder.
        accepted: The files that can be used, by path.
        rejected: The others, by path.
    """

    folder: Path
    accepted: tuple[Checked, ...]
    rejected: tuple[Rejected, ...]

    @property
    def duplicates(self) -> list[list[Path]]:
        """Groups of files with the same notes, whatever their name, key, tempo or instruments."""
        groups: dict[str, list[Path]] = defaultdict(list)
        for file in self.accepted:
            groups[file.content].append(file.path)
        return [group for group in groups.values() if len(group) > 1]

    @property
    def notes(self) -> int:
        """Notes in all accepted files."""
        return sum(file.facts.notes for file in self.accepted)

    @property
    def hours(self) -> float:
        """Playing time of all accepted files."""
        return sum(file.facts.seconds for file in self.accepted) / 3600

    @property
    def quantised(self) -> float:
        """Share of all notes that begin on a musical grid; see `Facts`. 0 without notes."""
        return sum(file.facts.quantised * file.facts.notes for file in self.accepted) / max(1, self.notes)

    @property
    def instruments(self) -> dict[str, int]:
        """In how many accepted files each General MIDI instrument plays, most frequent first; drums are ``Drums``."""
        names = (instrument(program) for file in self.accepted for program in file.facts.programs)
        return dict(Counter(names).most_common())

    @property
    def meters(self) -> dict[str, int]:
        """In how many accepted files each meter occurs, most frequent first."""
        return dict(Counter(meter for file in self.accepted for meter in file.facts.meters).most_common())

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values; paths as text."""
        return {
            "folder": str(self.folder),
            "files": len(self.accepted) + len(self.rejected),
            "accepted": len(self.accepted),
            "notes": self.notes,
            "hours": round(self.hours, 3),
            "quantised": round(self.quantised, 4),
            "instruments": self.instruments,
            "meters": self.meters,
            "rejected": [{"path": str(file.path), "reason": file.reason} for file in self.rejected],
            "duplicates": [[str(path) for path in group] for group in self.duplicates],
            "pieces": [
                {"path": str(file.path), "content": file.content, **file.facts.to_dict()} for file in self.accepted
            ],
        }

    def write(self, path: Path) -> None:
        """Write the report to ``path``: ``.json``, ``.csv`` (a row for each file) or ``.html``, by its suffix.

        Raises:
            RequestError: The suffix is another one.
        """
        from toccata.midi import report

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
    """What is wrong with the file, without its name in front."""
    return error.message.removeprefix(f"{path}: ")


def instrument(program: int) -> str:
    """The name of a General MIDI program; -1 is the drums."""
    return "Drums" if program < 0 else PROGRAMS[program]


def _look(path: Path, options: CleanOptions) -> Checked:
    score = clean(read_score(path), options)
    return Checked(path, facts(score), fingerprint(score).content)


def _by_path(files: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(sorted(files, key=lambda file: file.path))
