"""Progress of a long task on stderr: a bar in a terminal, occasional lines anywhere else."""

from __future__ import annotations

import sys
import time
from typing import Any

from toccata.cli.screen import plain, show

EVERY = 10.0
"""Seconds between two lines of one task where there is no terminal."""


class Quiet:
    """Says nothing."""

    def __enter__(self) -> Quiet:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def say(self, text: str) -> None:
        """Nothing."""

    def update(self, task: str, done: int, total: int, text: str = "") -> None:
        """Nothing."""


class Lines(Quiet):
    """A line every :data:`EVERY` seconds, and one when a task is done."""

    def __init__(self) -> None:
        self._task, self._last = "", time.monotonic()

    def say(self, text: str) -> None:
        """One line."""
        show(sys.stderr, text)

    def update(self, task: str, done: int, total: int, text: str = "") -> None:
        """A line if it is time for one; ``total`` 0: not known."""
        now = time.monotonic()
        if task != self._task:
            self._task, self._last = task, now
        if now - self._last < EVERY and done != total:
            return
        self._last = now
        count = f"{done:,} of {total:,}" if total else f"{done:,}"
        self.say(f"{task}: {count}" + (f", {text}" if text else ""))


class Bar(Quiet):
    """A bar with what is left of the time, by rich; one a task."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description:<10}"),
            BarColumn(28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}", style="dim"),
        )
        self._progress = Progress(*columns, console=Console(stderr=True, highlight=False), transient=False)
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state of the bars standing."""
        self._progress.stop()

    def say(self, text: str) -> None:
        """One line above the bars."""
        self._progress.console.print(plain(text), markup=False)

    def update(self, task: str, done: int, total: int, text: str = "") -> None:
        """Move the task's bar; ``total`` 0: not known."""
        if task not in self._tasks:
            self._tasks[task] = self._progress.add_task(task, total=total or None, text=text)
        if not text and total and 0 < done < total:
            text = self._left(self._tasks[task])
        self._progress.update(self._tasks[task], completed=done, total=total or None, text=text)

    def _left(self, task: Any) -> str:
        left = self._progress.tasks[self._progress.task_ids.index(task)].time_remaining
        return "" if not left else f"{left:.0f} s left" if left < 90 else f"{left / 60:.0f} min left"


def progress(*, quiet: bool) -> Quiet:
    """What suits this stderr."""
    if quiet:
        return Quiet()
    return Bar() if sys.stderr.isatty() else Lines()
