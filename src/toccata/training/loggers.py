"""All loggers of a run as one, of which none can end the run."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from toccata.training.boards import TensorBoardLog, WandbLog, has_tensorboard
from toccata.training.info import InfoLog
from toccata.training.log import About, CsvLog, Evaluated, Logger
from toccata.training.options import TrainOptions
from toccata.training.picture import PlotLog

FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
"""How systems say that there is no room: the disk's, a file's, the user's."""


class Loggers:
    """Several loggers that are told the same.

    One that fails is dropped, with a line; the run goes on. Only a disk without room is passed on, as the run's own
    state has no room there either.

    Args:
        chosen: The loggers, each with its name.
        say: Hears of one that is dropped.
    """

    def __init__(self, chosen: Sequence[tuple[str, Logger]], say: Callable[[str], None] | None = None) -> None:
        self._live = list(chosen)
        self._say = say

    def begin(self, about: About) -> None:
        """Tell all.

        Raises:
            OSError: The disk is full.
        """
        self._each(lambda logger: logger.begin(about))

    def step(self, values: Mapping[str, float]) -> None:
        """Tell all.

        Raises:
            OSError: The disk is full.
        """
        self._each(lambda logger: logger.step(values))

    def evaluation(self, found: Evaluated) -> None:
        """Tell all.

        Raises:
            OSError: The disk is full.
        """
        self._each(lambda logger: logger.evaluation(found))

    def close(self) -> None:
        """Tell all, each of them, whatever the others do; this never fails."""
        for name, logger in self._live:
            try:
                logger.close()
            except Exception as error:
                self._tell(name, error)
        self._live = []

    def _each(self, tell: Callable[[Logger], None]) -> None:
        for name, logger in list(self._live):
            try:
                tell(logger)
            except Exception as error:
                if isinstance(error, OSError) and error.errno in FULL:
                    raise
                self._live.remove((name, logger))
                self._tell(name, error)
                with contextlib.suppress(Exception):
                    logger.close()

    def _tell(self, name: str, error: Exception) -> None:
        if self._say is not None:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            self._say(f"{name} is left out from here on; all else goes on ({reason})")


def loggers(folder: Path, options: TrainOptions, say: Callable[[str], None] | None = None) -> Loggers:
    """The loggers of a run whose ``training`` folder this is.

    Always a CSV, a picture of the loss and a page to read; TensorBoard where it is installed; Weights & Biases where it
    is asked for, and never else.
    """
    table = folder / "log.csv"
    chosen: list[tuple[str, Logger]] = [
        ("log.csv", CsvLog(table)),
        ("info.txt", InfoLog(folder / "info.txt")),
        ("loss.png", PlotLog(table, folder / "loss.png")),
    ]
    if has_tensorboard():
        chosen.append(("TensorBoard", TensorBoardLog(folder / "tensorboard")))
    if options.wandb:
        chosen.append(("Weights & Biases", WandbLog(options.wandb, folder)))
    return Loggers(chosen, say)
