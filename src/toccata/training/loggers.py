"""All loggers of a run as one; an error in a logger does not end the run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from toccata.files import DISK_FULL
from toccata.training.boards import TensorBoardLog, WandbLog, has_tensorboard
from toccata.training.info import InfoLog
from toccata.training.log import About, CsvLog, Evaluated, Logger
from toccata.training.options import TrainOptions
from toccata.training.picture import PlotLog


class Loggers:
    """Passes each event of a run to several loggers.

    A logger that fails is dropped, with a message; the run goes on. Only the error of a full disk is raised, as the
    run's checkpoints would fail as well.

    Args:
        chosen: The loggers, each with its name.
        say: Called with a message about a logger that is dropped.
    """

    def __init__(self, chosen: Sequence[tuple[str, Logger]], say: Callable[[str], None] | None = None) -> None:
        self._live = list(chosen)
        self._say = say

    def begin(self, about: About) -> None:
        """Pass the begin of the run to all loggers.

        Raises:
            OSError: The disk is full.
        """
        self._each(lambda logger: logger.begin(about))

    def step(self, values: Mapping[str, float]) -> None:
        """Pass a step to all loggers.

        Raises:
            OSError: The disk is full.
        """
        self._each(lambda logger: logger.step(values))

    def evaluation(self, found: Evaluated) -> None:
        """Pass an evaluation to all loggers.

        Raises:
            OSError: The disk is full.
        """
        self._each(lambda logger: logger.evaluation(found))

    def close(self) -> None:
        """Close all loggers, also if some of them fail; this raises nothing."""
        for name, logger in self._live:
            try:
                logger.close()
            except Exception as error:
                self._say_dropped(name, error)
        self._live = []

    def _each(self, call: Callable[[Logger], None]) -> None:
        for name, logger in list(self._live):
            try:
                call(logger)
            except Exception as error:
                if isinstance(error, OSError) and error.errno in DISK_FULL:
                    raise
                self._live.remove((name, logger))
                self._say_dropped(name, error)
                with contextlib.suppress(Exception):
                    logger.close()

    def _say_dropped(self, name: str, error: Exception) -> None:
        if self._say is not None:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            self._say(f"{name} is left out from here on; all else goes on ({reason})")


def loggers(
    folder: Path,
    options: TrainOptions,
    say: Callable[[str], None] | None = None,
    more: Sequence[tuple[str, Logger]] = (),
) -> Loggers:
    """Return the loggers of a run whose ``training`` folder this is, and ``more``.

    Always a CSV, an info page and a plot of the loss; TensorBoard where it is installed; Weights & Biases only where
    the recipe sets ``training.wandb``.
    """
    table = folder / "log.csv"
    chosen: list[tuple[str, Logger]] = [
        ("log.csv", CsvLog(table)),
        ("info.txt", InfoLog(folder / "info.txt")),
        ("loss.png", PlotLog(table, folder / "loss.png")),
        *more,
    ]
    if has_tensorboard():
        chosen.append(("TensorBoard", TensorBoardLog(folder / "tensorboard")))
    if options.wandb:
        chosen.append(("Weights & Biases", WandbLog(options.wandb, folder)))
    return Loggers(chosen, say)
