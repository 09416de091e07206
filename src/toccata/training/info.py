"""The info page of a run, ``info.txt``: its recipe, data, model and machine, and its progress."""

from __future__ import annotations

import os
import platform
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from toccata.files import write_text
from toccata.training.log import About, Evaluated, printable

_WIDTH = 14


class InfoLog:
    """``info.txt``: recipe, data, model, tokenizer, machine, times, the best loss, and the commands to go on with.

    Written when a run begins, at every evaluation and at the end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._about: About | None = None
        self._found: Evaluated | None = None
        self._values: dict[str, float] = {}
        self._started = self._resumed = ""

    def begin(self, about: About) -> None:
        """Write the page; a resumed run preserves the time at which it was started."""
        self._about = about
        now = _now()
        before = self._saved("started") if about.step else ""
        self._started, self._resumed = (before, f"{now}, after step {about.step:,}") if before else (now, "")
        self._write("the first steps")

    def step(self, values: Mapping[str, float]) -> None:
        """Remember how far it is."""
        self._values = dict(values)

    def evaluation(self, found: Evaluated) -> None:
        """Write the page; a run that failed has the held-out loss of before."""
        if found.failed and self._found is not None:
            found = replace(found, valid_loss=self._found.valid_loss)
        self._found = found
        self._write("training")

    def close(self) -> None:
        """Write the page for good: finished, or interrupted."""
        if self._about is None:
            return
        stopped, failed = (self._found.stopped, self._found.failed) if self._found else ("", "")
        step = int(self._values.get("step", self._about.step))
        if failed:
            self._write(f"failed: {failed}")
        elif stopped:
            self._write(f"finished: {stopped}")
        else:
            done = step >= self._steps(self._about)
            self._write("finished" if done else "interrupted: run the same command to resume")

    def _steps(self, about: About) -> int:
        """The number of steps, as it was planned last."""
        return about.steps if self._found is None else self._found.steps

    def _saved(self, name: str) -> str:
        try:
            found = re.search(rf"^{name} +(.+)$", self.path.read_text(encoding="utf-8"), re.MULTILINE)
        except (OSError, UnicodeDecodeError):
            return ""
        return found[1] if found else ""

    def _write(self, state: str) -> None:
        assert self._about is not None
        write_text(self.path, page(self._about, self._stands(state)))

    def _stands(self, state: str) -> dict[str, Any]:
        about, found, values = self._about, self._found, self._values
        assert about is not None
        step, seconds = int(values.get("step", about.step)), values.get("seconds", 0.0)
        rows: dict[str, Any] = {"state": state, "started": self._started}
        if self._resumed:
            rows["resumed"] = self._resumed
        steps = self._steps(about)
        rows |= {"written": _now(), "step": f"{step:,} of {steps:,} ({step / steps:.0%})"}
        if seconds:
            rows["trained for"] = f"{seconds / 60:.1f} minutes, {int(values['tokens']):,} tokens"
            rows["loss"] = f"{values['loss']:.4f} nats a token"
        if found is not None:
            if found.valid_loss is not None:
                rows["held-out loss"] = f"{found.valid_loss:.4f}"
            elif not found.failed:
                rows["held-out loss"] = "no piece is held back"
            if found.best_step:
                rows["best loss"] = f"{found.best_loss:.4f} at step {found.best_step:,}"
            if found.selected_step:
                rows["weights kept"] = f"those of step {found.selected_step:,}"
        return rows


def page(about: About, stands: Mapping[str, Any]) -> str:
    """Return the page: the run's progress, then its facts, section by section."""
    name = " ".join(printable(about.name).split())
    lines = [name, "=" * len(name), "", *_rows(stands)]
    for section, values in about.facts.items():
        lines += ["", section, "-" * len(section), *_rows(values)]
    return "\n".join([*lines, ""])


def command_line(
    source: str,
    out: str,
    recipe: str,
    settings: Sequence[str],
    minutes: float | None = None,
    start_from: str | None = None,
    backend: str = "torch",
) -> str:
    """Return the command line that starts a training, and also resumes it."""
    words = ["toccata", "train", source, "-o", out]
    words += ["--recipe", recipe] if start_from is None else ["--from", start_from]
    words += [] if minutes is None else ["--minutes", str(minutes)]
    words += [] if backend == "torch" else ["--backend", backend]
    return shlex.join([*words, *settings])


def finetune_line(source: str, out: str, settings: Sequence[str], minutes: float | None, model: str) -> str:
    """Return the command line that starts the training of a style file, and also resumes it."""
    words = ["toccata", "finetune", source, "--model", model, "-o", out]
    return shlex.join([*words, *([] if minutes is None else ["--minutes", str(minutes)]), *settings])


def machine(precision: str, facts: Mapping[str, str]) -> dict[str, Any]:
    """Return a description of this machine, without anything personal; ``facts`` describe the backend."""
    return {
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "processors": os.cpu_count() or 0,
        "precision": precision,
        "python": platform.python_version(),
        **facts,
    }


def _rows(values: Mapping[str, Any]) -> list[str]:
    rows = [(" ".join(printable(name).split()), _as_text(value)) for name, value in values.items()]
    width = max([_WIDTH, *(len(name) + 2 for name, _ in rows)])
    return [f"{name:{width}}{value}" for name, value in rows]


def _as_text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{printable(name)} {_as_text(one)}" for name, one in value.items()) or "none"
    return " ".join(printable(str(value)).split()) or "none"


def _now() -> str:
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
