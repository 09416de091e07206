"""Samples of a run: a few bars written by the weights so far, to listen to while it goes on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from toccata.folder import ModelFolder
from toccata.training.log import About, Evaluated

FOLDER = "samples"
"""Where the samples of a run are, within its ``training`` folder."""
SHARE = 0.03
"""Samples may take this share of a run's time."""
FIRST = 3.0
"""Seconds that the first sample is expected to take."""
DRAFT = "draft"
"""The model folder that writes a sample, within the ``training`` folder while it does."""


def step_of(sample: Path) -> int:
    """Return the step after which a sample was written."""
    return int(sample.stem.removeprefix("step-"))


def samples_of(training: Path) -> list[Path]:
    """Return the samples in a ``training`` folder, the earliest first."""
    found = [path for path in (training / FOLDER).glob("step-*.mid") if path.stem.removeprefix("step-").isdecimal()]
    return sorted(found, key=step_of)


class SampleLog:
    """``samples/step-N.mid``: what the weights that are selected so far write.

    A short run writes none: it has no time for them.

    Args:
        training: The run's ``training`` folder.
        export: Exports a model folder with the weights selected last to a path.
        write: Writes a sample with that into a file.
        clock: Returns seconds.
    """

    def __init__(
        self,
        training: Path,
        export: Callable[[Path, Evaluated], ModelFolder],
        write: Callable[[ModelFolder, Path], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._training, self._export, self._write, self._clock = training, export, write, clock
        self._not_before = clock() + FIRST / SHARE

    def begin(self, about: About) -> None:
        """Remove the samples of steps that are done again."""
        for sample in samples_of(self._training):
            if step_of(sample) > about.step:
                sample.unlink(missing_ok=True)

    def step(self, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def evaluation(self, found: Evaluated) -> None:
        """Write a sample, if these weights are selected and there is time for it."""
        began = self._clock()
        if found.failed or found.selected_step != found.step or began < self._not_before:
            return
        place = self._training / FOLDER
        place.mkdir(parents=True, exist_ok=True)
        draft = self._training / DRAFT
        try:
            self._write(self._export(draft, found), place / f"step-{found.step}.mid")
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        done = self._clock()
        self._not_before = done + (done - began) / SHARE

    def close(self) -> None:
        """Do nothing."""
