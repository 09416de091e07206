"""The features of the sequences in a cache: read with each token, their embeddings summed up for the graph."""

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


class _Prompt:
    """Ids that rows begin with: what the graph is to be given for them, and a reader that reads on in them."""

    def __init__(self, features: Features, ids: NDArray[np.integer[Any]], sums: Floats) -> None:
        self.key, self.sums = ids.tobytes(), sums
        self._reader, self._unread = Reader(features), ids.tolist()
        self._unread.reverse()

    def reader(self, stop: int) -> Reader | None:
        """Read up to id ``stop``; when all are read, return a reader that continues from there."""
        for _ in range(len(self._unread) - (len(self.sums) - stop)):
            self._reader.read(self._unread.pop())
        return None if self._unread else self._reader.copy()


class FeatureInput:
    """Feeds the input ``features`` of the graph, a row for each sequence; nothing for a model without features."""

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
        self._prompts: list[_Prompt | None] = [None] * rows
        self._sums = np.zeros((rows, 1, config.width), np.float32)

    def begin(self, row: int, ids: NDArray[np.integer[Any]], like: int | None = None) -> None:
        """Begin a row anew with ``ids``; row ``like`` may have begun with the same."""
        if self._table is None:
            return
        found = None if like is None else self._prompts[like]
        if found is None or found.key != ids.tobytes():
            found = _Prompt(self._features, ids, self._summed(self._features.of(ids)))
        self._prompts[row] = found

    def prompt(self, row: int, start: int, stop: int) -> dict[str, Floats]:
        """The input for ids ``start`` to ``stop - 1`` of a row's prompt."""
        if self._table is None:
            return {}
        found = self._prompts[row]
        assert found is not None
        if (reader := found.reader(stop)) is not None:
            self._readers[row] = reader
        return {"features": np.ascontiguousarray(found.sums[None, start:stop])}

    def append(self, ids: NDArray[np.integer[Any]]) -> None:
        """Append one token to each of the first rows."""
        if self._table is None:
            return
        rows = []
        for reader, one in zip(self._readers, ids.tolist(), strict=False):
            reader.read(one)
            rows.append(reader.rows)
        self._table.take(np.array(rows), axis=0).sum(axis=1, out=self._sums[: len(ids), 0])

    def extend(self, row: int, ids: NDArray[np.integer[Any]]) -> dict[str, Floats]:
        """Append several tokens to one row; the input for them."""
        if self._table is None:
            return {}
        reader, rows = self._readers[row], []
        for one in ids.tolist():
            reader.read(one)
            rows.append(reader.rows)
        return {"features": self._summed(np.array(rows))[None]}

    def latest(self, active: int) -> dict[str, Floats]:
        """The input for the last token of each of the first rows; written anew in place by :meth:`append`."""
        return {} if self._table is None else {"features": self._sums[:active]}

    def whole(self, ids: NDArray[np.integer[Any]]) -> dict[str, Floats]:
        """The input for a sequence of its own."""
        return {} if self._table is None else {"features": self._summed(self._features.of(ids))[None]}

    def move(self, source: int, target: int) -> None:
        """Let row ``target`` be as ``source`` is, which will not be used any more."""
        if self._table is not None:
            self._readers[target], self._prompts[target] = self._readers[source], self._prompts[source]

    def swap(self, a: int, b: int) -> None:
        """Let two rows change places."""
        if self._table is not None:
            self._readers[a], self._readers[b] = self._readers[b], self._readers[a]
            self._prompts[a], self._prompts[b] = self._prompts[b], self._prompts[a]

    def _summed(self, rows: NDArray[np.integer[Any]]) -> Floats:
        """The sums ``float[T, C]`` of the embeddings of ``rows int[T, columns]``."""
        assert self._table is not None
        parts = [self._table[rows[at : at + _AT_ONCE]].sum(1) for at in range(0, len(rows), _AT_ONCE)]
        return np.concatenate(parts)
