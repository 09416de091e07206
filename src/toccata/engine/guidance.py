"""Classifier-free guidance: the rows in which one sequence is read, each without some of its control tokens.

Most sequences are read in one row. With requested levels or styles, which no mask can guarantee, an unconditional row
reads the same music without them, and the difference of its logits to the conditional ones is amplified (Ho and
Salimans 2022; for language models Sanchez et al. 2023). With several styles, each row reads one, as in training, and
their mean logits are the mixture. All rows of a sequence have the same music in their context at every step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toccata.engine.sampling import Floats
from toccata.tasks.controls import guided_ids, style_ids
from toccata.tasks.request import Task
from toccata.tokenizers.base import Tokenizer


class GuidanceRows(NamedTuple):
    """The rows in which a sequence is read.

    Attributes:
        dropped_ids: ``bool[rows, V]``, the ids that each row does not read.
        unconditional: Whether the last row reads no controls.
    """

    dropped_ids: NDArray[np.bool_]
    unconditional: bool

    def cond_logits(self, logits: list[Floats]) -> Floats:
        """Return the conditional logits ``float[V]``: the mean over the rows that read controls."""
        conditional = logits[: len(logits) - self.unconditional]
        if len(conditional) == 1:
            return conditional[0]
        mean: Floats = np.stack(conditional).mean(axis=0)
        return mean

    def read_by(self, row: int, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of ``ids`` that a row reads."""
        remaining: NDArray[np.int64] = ids[~self.dropped_ids[row, ids]]
        return remaining


class ControlIds:
    """The ids of a tokenizer that guidance drops."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._controls, self._styles = guided_ids(tokenizer), style_ids(tokenizer)

    def rows(self, task: Task, guidance: float) -> GuidanceRows:
        """Return the rows in which a sequence of a task is read.

        Args:
            task: The compiled request.
            guidance: The guidance scale; 1: none.
        """
        controls, styles = self._controls, self._styles
        prefix = task.ids[: task.prefix]
        used = [*task.ids[controls[task.ids]].tolist(), *(one for ids in task.control_tokens.values() for one in ids)]
        rows = []
        for style in prefix[styles[prefix]].tolist():
            others = styles.copy()
            others[style] = False
            rows.append(others)
        if len(rows) < 2:
            rows = [np.zeros_like(controls)]
        unconditional = guidance != 1 and bool(controls[used].any())
        return GuidanceRows(np.array([*rows, controls] if unconditional else rows), unconditional)


def guided(cond_logits: Floats, uncond_logits: Floats, guidance: float) -> Floats:
    """Return the logits with a guidance scale of ``guidance``."""
    mixed: Floats = uncond_logits + np.float32(guidance) * (cond_logits - uncond_logits)
    return mixed
