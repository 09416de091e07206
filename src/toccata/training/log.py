"""The events of a run that loggers receive, and the CSV log that every run writes."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from toccata.files import written_aside

COLUMNS = ("step", "loss", "valid_loss", "lr", "tokens", "seconds", "tokens_per_second", "waiting")

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, marks that turn the direction of writing, and what stands for bytes that are no UTF-8."""


def printable(text: str) -> str:
    """``text`` with escapes for what is no text, as names of files and folders may hold anything."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


@dataclass(frozen=True)
class About:
    """A description of a run, passed to loggers before its first step.

    Attributes:
        name: The model's name.
        step: The step after which the run resumes; 0: it is new.
        steps: The total number of steps.
        facts: Recipe, data, sizes, machine: plain values by section and name.
    """

    name: str
    step: int
    steps: int
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluated:
    """The state of a run after an evaluation.

    Losses are in nats a token. ``valid_loss`` is None where no piece is held back, and where the run failed before it
    was measured. ``best_step`` is that of the best held-out loss, ``selected_step`` that of the weights that the model
    gets, so far; 0: there is none. ``tokens`` and ``seconds`` are those of the run so far. ``stopped`` says why the run
    ends here, if it does; ``failed`` why it cannot go on.
    """

    step: int
    steps: int
    loss: float
    valid_loss: float | None
    best_loss: float
    best_step: int
    selected_step: int
    tokens: int
    seconds: float
    stopped: str = ""
    failed: str = ""


class Logger(Protocol):
    """Receives the events of a run. A logger that raises is dropped; the run goes on."""

    def begin(self, about: About) -> None:
        """Called once, first; what was logged after step ``about.step`` must be dropped: those steps are repeated."""
        ...

    def step(self, values: Mapping[str, float]) -> None:
        """Called after each step, with ``values`` by the names in :data:`COLUMNS`; missing values are left out."""
        ...

    def evaluation(self, found: Evaluated) -> None:
        """Called after each evaluation, after :meth:`step` was called for its step."""
        ...

    def close(self) -> None:
        """Called at the end: the run has finished, or was interrupted."""
        ...


class CsvLog:
    """One line a step. Lines after the step that a run goes on from are dropped: those steps are done again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None

    def begin(self, about: About) -> None:
        """Keep the lines up to ``about.step``."""
        with written_aside(self.path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(_text(row) for row in read(self.path) if row["step"] <= about.step)
        self._file = self.path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, COLUMNS)

    def step(self, values: Mapping[str, float]) -> None:
        """Add a line; it is on disk when this returns."""
        self._writer.writerow(_text(values))
        self._file.flush()

    def evaluation(self, found: Evaluated) -> None:
        """Do nothing: the held-out loss is in the step's line."""

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def read(path: Path) -> list[dict[str, float]]:
    """The lines of a ``log.csv``, empty cells left out; a torn last line is ignored."""
    if not path.exists():
        return []
    rows = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                rows.append({name: float(value) for name, value in row.items() if name and value})
            except ValueError:
                continue
    return [row for row in rows if "step" in row]


def _text(values: Mapping[str, float]) -> dict[str, str]:
    return {name: str(int(x)) if name in ("step", "tokens") else f"{x:.8g}" for name, x in values.items()}
