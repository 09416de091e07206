"""Divides the rows of a step among the processes or devices that train together. Free of torch.

Examples are numbered over all of them: step n reads those from n * B to (n + 1) * B - 1, where B is the rows of a step.
So a run that goes on with another number of processes reads what it would have read, as long as B stays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from toccata.errors import ToccataError
from toccata.training.options import TrainOptions


def rows_a_step(options: TrainOptions, devices: int) -> int:
    """Return the rows per step, B."""
    return options.micro_batch_size * options.gradient_accumulation_steps * devices


def rows_of(state: dict[str, Any], context: int) -> int:
    """Return the rows per step of a run, from the state of its checkpoint; 0 if unknown.

    Args:
        state: The JSON state; older versions saved the number of tokens, but not of rows.
        context: Tokens a row.
    """
    if saved := int(state.get("batch", 0)):
        return saved
    step = int(state.get("step", 0))
    return int(state.get("tokens", 0)) // (step * context) if step else 0


def shared(options: TrainOptions, rows: int, devices: int) -> TrainOptions:
    """Return ``options`` with which ``devices`` devices read ``rows`` rows per step.

    Each takes at most ``options.micro_batch_size`` at a time, as more may have no room there.

    Raises:
        ToccataError: The rows cannot be shared evenly.
    """
    if not rows or rows_a_step(options, devices) == rows:
        return options
    if rows % devices:
        able = [str(n) for n in range(1, min(rows, 64) + 1) if rows % n == 0]
        raise ToccataError(
            f"the run reads {rows} rows a step, which {devices} processes or devices cannot share evenly: go on with "
            f"{', '.join(able[:-1])}{' or ' if able[:-1] else ''}{able[-1]}",
            kind="other-processes",
        )
    each = rows // devices
    at_a_time = max(n for n in range(1, min(options.micro_batch_size, each) + 1) if each % n == 0)
    return replace(options, micro_batch_size=at_a_time, gradient_accumulation_steps=each // at_a_time)
