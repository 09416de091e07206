"""The loss as a picture, drawn again and again while a run goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from toccata.files import user_cache, written_aside
from toccata.training import log

SHARE = 0.02
"""Drawing may take this share of a run's time: in a run of seconds not every evaluation is drawn, the last one is."""


class PlotLog:
    """``loss.png``, drawn anew at every evaluation from the run's ``log.csv``.

    Args:
        table: The CSV, which must have the step already.
        picture: The PNG; it is always a whole one.
    """

    def __init__(self, table: Path, picture: Path) -> None:
        self.table, self.picture = table, picture
        self._kept: int | None = None
        self._stale = False
        self._not_before = 0.0

    def begin(self, about: log.About) -> None:
        """Do nothing: there is no point to draw yet."""

    def step(self, values: Mapping[str, float]) -> None:
        """Remember that the picture is behind."""
        self._stale = True

    def evaluation(self, found: log.Evaluated) -> None:
        """Draw, with the step marked whose weights are selected so far."""
        self._kept = found.selected_step
        if time.monotonic() >= self._not_before:
            self._draw()

    def close(self) -> None:
        """Draw what is not drawn yet."""
        if self._stale:
            self._draw()

    def _draw(self) -> None:
        began = time.monotonic()
        with written_aside(self.picture) as aside:
            plot(self.table, aside, kept=self._kept)
        done = time.monotonic()
        self._not_before = done + (done - began) / SHARE
        self._stale = False


def plot(table: Path, picture: Path, *, kept: int | None = None) -> None:
    """Draw the losses of a ``log.csv`` as a PNG; ``kept`` is the step whose weights are selected."""
    # By default, Matplotlib writes its font cache to a folder in the user's home.
    os.environ.setdefault("MPLCONFIGDIR", str(user_cache() / "matplotlib"))
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = log.read(table)
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
    if kept:
        axes.axvline(kept, color="#d1495b", linewidth=0.8, linestyle=":", label="kept")
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
