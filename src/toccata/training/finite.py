"""Detects numbers that are not finite: they end a training, and are never saved or exported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.errors import ToccataError
from toccata.training.options import CodecOptions, TrainOptions


class NotFiniteError(ToccataError):
    """A training whose loss or weights are no longer finite numbers."""

    kind = "not-finite"


def infinite(arrays: Mapping[str, NDArray[Any]]) -> str | None:
    """Return the name of the first array that holds NaN or infinity; None if there is none."""
    return next((name for name, array in arrays.items() if not np.isfinite(array).all()), None)


def diverged(
    what: str, section: str, options: TrainOptions | CodecOptions, saved_step: int | None, place: Path
) -> ToccataError:
    """Return the error that ends such a training: what is wrong, which step is saved, and what to change.

    Args:
        what: What is not finite, and at which step.
        section: The recipe's section of ``options``, e.g. ``training``.
        options: The options of the training.
        saved_step: The step of the checkpoint on disk; None: there is none.
        place: The folder of the checkpoint.
    """
    changes = [f"a lower {section}.lr (it was {options.lr:g})", *_changes(section, options)]
    state = "no state was kept" if saved_step is None else f"the state after step {saved_step:,} is kept"
    return NotFiniteError(
        f"{what} is not a finite number, so the training ends here, and {state}: try {' or '.join(changes)}, in "
        f"another folder or after deleting {place}",
        path=place,
    )


def _changes(section: str, options: TrainOptions | CodecOptions) -> Iterable[str]:
    if not options.clip:
        yield f"{section}.clip=1"
    if not options.warmup:
        yield f"{section}.warmup=0.05"
    if isinstance(options, TrainOptions) and options.precision == "bf16":
        yield f"{section}.precision=fp32"
