"""What a run writes down: a CSV line a step, TensorBoard, and a picture of the loss."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from toccata.files import written_aside

COLUMNS = ("step", "loss", "valid_loss", "lr", "tokens", "seconds", "tokens_per_second", "waiting")


class Logger(Protocol):
    """Takes what a step says of itself."""

    def write(self, values: dict[str, float]) -> None:
        """``values`` by the names in :data:`COLUMNS`; those without a value are left out."""
        ...

    def close(self) -> None:
        """No more is to come."""
        ...


class CsvLogger:
    """One line a step in ``log.csv``. Lines after ``step`` are dropped on resuming: those steps are done again."""

    def __init__(self, path: Path, step: int) -> None:
        with written_aside(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(_text(row) for row in read(path) if row["step"] <= step)
        self._file = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, COLUMNS)

    def write(self, values: dict[str, float]) -> None:
        """Add a line; it is on disk when this returns."""
        self._writer.writerow(_text(values))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TensorBoardLogger:
    """Scalars for TensorBoard, under the run's folder."""

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder), purge_step=step + 1)

    def write(self, values: dict[str, float]) -> None:
        """Add the values as scalars."""
        step = int(values["step"])
        for name, value in values.items():
            if name != "step":
                self._writer.add_scalar(f"train/{name}", value, step)

    def close(self) -> None:
        """Flush and close."""
        self._writer.close()


def loggers(folder: Path, step: int) -> list[Logger]:
    """The loggers of a run that goes on after ``step``: CSV always, TensorBoard where it is installed."""
    chosen: list[Logger] = [CsvLogger(folder / "log.csv", step)]
    with contextlib.suppress(ImportError):
        chosen.append(TensorBoardLogger(folder / "tensorboard", step))
    return chosen


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


def plot(log: Path, picture: Path, *, best: int | None = None) -> None:
    """Draw the training and held-out loss of ``log.csv`` as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = read(log)
    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    steps, losses = [r["step"] for r in rows], [r["loss"] for r in rows if "loss" in r]
    axes.plot(steps[: len(losses)], losses, color="#9bb8d3", linewidth=0.8, label="training, each step")
    axes.plot(steps[: len(losses)], _smoothed(losses), color="#1f5a8c", linewidth=1.6, label="training, smoothed")
    held_out = [(r["step"], r["valid_loss"]) for r in rows if "valid_loss" in r]
    if held_out:
        axes.plot(
            *zip(*held_out, strict=True),
            color="#d1495b",
            marker="o",
            markersize=3,
            linewidth=1.4,
            label="held-out pieces",
        )
    if best:
        axes.axvline(best, color="#d1495b", linewidth=0.8, linestyle=":", label="kept")
    axes.set_xlabel("step")
    axes.set_ylabel("loss, nats a token")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(str(picture))


def _smoothed(values: Sequence[float], decay: float = 0.95) -> list[float]:
    out: list[float] = []
    mean = 0.0
    for i, value in enumerate(values):
        mean = decay * mean + (1 - decay) * value
        out.append(mean / (1 - decay ** (i + 1)))
    return out


def _text(values: dict[str, float]) -> dict[str, str]:
    return {name: str(int(x)) if name in ("step", "tokens") else f"{x:.8g}" for name, x in values.items()}
