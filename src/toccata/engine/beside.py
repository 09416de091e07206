"""The features of the sequences that a session continues: read with each token, summed up for the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.engine.network import Network
from toccata.errors import ModelError
from toccata.tokenizers.feature_reader import Reader
from toccata.tokenizers.features import Features

Floats = NDArray[np.float32]
_AT_ONCE = 64
"""Tokens of a prompt whose embeddings are gathered at a time: all of a long one would be hundreds of megabytes."""


class Beside:
    """Feeds the input ``features`` of the graph; nothing for a model without features."""

    def __init__(self, network: Network, features: Features | None, rows: int) -> None:
        """For so many sequences.

        Raises:
            ModelError: The model has other features than those.
        """
        self._table = network.features
        config = network.config
        if self._table is None:
            return
        if features is None or features.blocks != config.features:
            raise ModelError(
                f"{network.name} was trained with features that this version of toccata does not compute: use the "
                "version that made it, or train it anew"
            )
        self._features = features
        self._readers = [Reader(features) for _ in range(rows)]
        self._sums = np.zeros((rows, 1, config.width), np.float32)

    def begin(self, row: int, ids: NDArray[np.integer[Any]]) -> None:
        """Begin a row anew with ``ids``."""
        if self._table is not None:
            reader = self._readers[row] = Reader(self._features)
            for one in ids.tolist():
                reader.read(one)

    def append(self, ids: NDArray[np.integer[Any]]) -> None:
        """Append one token to each of the first rows."""
        if self._table is None:
            return
        for row, one in enumerate(ids.tolist()):
            reader = self._readers[row]
            reader.read(one)
            self._table.take(reader.rows, axis=0).sum(axis=0, out=self._sums[row, 0])

    def copy(self, source: int, target: int) -> None:
        """Let row ``target`` be as ``source`` is."""
        if self._table is not None:
            self._readers[target] = self._readers[source].copy()

    def latest(self, active: int) -> dict[str, Floats]:
        """The input for the last token of each active row; written anew in place by :meth:`append`."""
        return {} if self._table is None else {"features": self._sums[:active]}

    def whole(self, ids: NDArray[np.integer[Any]]) -> dict[str, Floats]:
        """The input for a whole prompt."""
        if self._table is None:
            return {}
        rows = self._features.of(ids)
        parts = [self._table[rows[at : at + _AT_ONCE]].sum(1) for at in range(0, len(rows), _AT_ONCE)]
        return {"features": np.concatenate(parts)[None]}
