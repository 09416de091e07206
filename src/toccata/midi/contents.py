"""The contents of a folder of MIDI files: those that can be used, those that cannot, and totals."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toccata.midi.facts import Facts
from toccata.midi.gm import program_name


@dataclass(frozen=True)
class Checked:
    """A file that can be used.

    Attributes:
        path: Where it is.
        facts: What is left in it after cleaning.
        content: The hash of its notes, rhythm and drums included: equal for copies of one piece.
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
class Contents:
    """The contents of a folder of MIDI files.

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
        """Groups of files with the same notes and rhythm, whatever their name, key, tempo or instruments."""
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
        names = (program_name(program) for file in self.accepted for program in file.facts.programs)
        return dict(Counter(names).most_common())

    @property
    def meters(self) -> dict[str, int]:
        """In how many accepted files each meter occurs, most frequent first."""
        return dict(Counter(meter for file in self.accepted for meter in file.facts.meters).most_common())

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; paths as text."""
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
