"""Loggers for other programs: TensorBoard, and Weights & Biases where the recipe sets it."""

from __future__ import annotations

import importlib
import importlib.util
import secrets
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toccata.errors import MissingExtra
from toccata.files import write_text
from toccata.training.log import About, Evaluated, printable

SENDING = 60.0
"""Seconds that Weights & Biases has, after the last step, to send what is not sent yet."""


class TensorBoardLog:
    """Scalars for TensorBoard, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: Any = None

    def begin(self, about: About) -> None:
        """Open the event file; steps that are done again hide those of before."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self.folder), purge_step=about.step + 1)

    def step(self, values: Mapping[str, float]) -> None:
        """Add the values as scalars."""
        step = int(values["step"])
        for name, value in values.items():
            if name != "step":
                self._writer.add_scalar(f"train/{name}", value, step)

    def evaluation(self, found: Evaluated) -> None:
        """Write what is buffered, so that a page that is open shows it."""
        self._writer.flush()

    def close(self) -> None:
        """Flush and close."""
        if self._writer is not None:
            self._writer.close()


def has_tensorboard() -> bool:
    """Whether TensorBoard is installed."""
    return importlib.util.find_spec("tensorboard") is not None


def require_wandb() -> None:
    """See that Weights & Biases is installed, before a run that is to report to it begins.

    Raises:
        MissingExtra: It is not.
    """
    found = importlib.util.find_spec("wandb")
    # The folder of that name that its runs leave behind looks like a package, too; it has no origin.
    if found is None or found.origin is None:
        raise MissingExtra("training.wandb needs wandb: pip install wandb, or leave the setting out")


class WandbLog:
    """A run on Weights & Biases, or beside it with ``WANDB_MODE=offline``.

    A resumed run has the same id, which is saved in ``folder``.

    Args:
        project: The project's name.
        folder: Where its own files go.
    """

    def __init__(self, project: str, folder: Path) -> None:
        self.project, self.folder = project, folder
        self._run: Any = None

    def begin(self, about: About) -> None:
        """Open the run; whatever is wrong with account or network shows here."""
        wandb: Any = importlib.import_module("wandb")
        self._run = wandb.init(
            project=self.project,
            name=printable(about.name),
            id=self._id(),
            resume="allow",
            dir=str(self.folder),
            config=_plain(about.facts),
            # It is not to read our output, nor to write between the lines of a progress bar.
            settings={"console": "off", "silent": True, "save_code": False, "init_timeout": 30},
        )

    def step(self, values: Mapping[str, float]) -> None:
        """Send the values; this does not wait for the network."""
        self._run.log({name: value for name, value in values.items() if name != "step"}, step=int(values["step"]))

    def evaluation(self, found: Evaluated) -> None:
        """Keep the best loss and its step in the run's summary."""
        if found.best_step:
            self._run.summary.update({"best_loss": found.best_loss, "best_step": found.best_step})

    def close(self) -> None:
        """Send the rest. Without a network that could take for ever: so long as :data:`SENDING`.

        Raises:
            TimeoutError: There are things left to send; they are on disk.
        """
        if self._run is None:
            return
        failed: list[Exception] = []

        def finish() -> None:
            try:
                self._run.finish()
            except Exception as error:  # raised by the thread that waits
                failed.append(error)

        sender = threading.Thread(target=finish, daemon=True)
        sender.start()
        sender.join(SENDING)
        if sender.is_alive():
            raise TimeoutError(f"not all was sent in {SENDING:.0f} s; `wandb sync` sends what is in {self.folder}")
        if failed:
            raise failed[0]

    def _id(self) -> str:
        place = self.folder / "wandb-id"
        try:
            return place.read_text(encoding="utf-8").strip()
        except OSError:
            made = secrets.token_hex(4)
            write_text(place, made + "\n")
            return made


def _plain(value: Any) -> Any:
    """Plain values with texts that every program can print."""
    if isinstance(value, Mapping):
        return {printable(str(key)): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return printable(value) if isinstance(value, str) else value
