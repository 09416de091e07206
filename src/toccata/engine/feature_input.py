"""The features of the sequences in a cache: read with each token, and made into what the graph takes in.

That is the sum of their embeddings, and for a model with intervals where the pitches stand among those from each known
pitch. Both are a few numbers, and faster outside of the graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.engine.network import Network
from toccata.errors import ModelError
from toccata.model.config import REACH, DecoderConfig
from toccata.tokenizers.feature_reader import AnyFeatures, AnyReader, reader_of

Feeds = dict[str, NDArray[Any]]
_AT_ONCE = 64
"""Tokens of a prompt whose embeddings are gathered at a time: all of a long one would be hundreds of megabytes."""
_NOWHERE = -(2**20)


class _Embedder:
    """Makes rows of the table of features into inputs of the graph."""

    def __init__(self, table: NDArray[np.float32], config: DecoderConfig) -> None:
        self._table = table
        columns = config.interval_columns
        self._columns = [column for column, _ in columns]
        self._offsets = np.array([offset for _, offset in columns], np.int64)
        self._nearest = config.pitches[1] + REACH + 2  # of the lowest pitch id, with known pitches counted from 1

    def of(self, rows: NDArray[np.integer[Any]]) -> Feeds:
        """The inputs ``float[T, C]`` and ``int64[T, k]`` of ``rows int[T, columns]``."""
        parts = [self._table[rows[at : at + _AT_ONCE]].sum(1) for at in range(0, len(rows), _AT_ONCE)]
        feeds: Feeds = {"features": np.concatenate(parts)}
        if self._columns:
            known = rows[:, self._columns] - self._offsets
            feeds["from"] = np.where((known >= 1) & (known <= 128), self._nearest - known, _NOWHERE)
        return feeds


class _Prompt:
    """Ids that rows begin with: what the graph is to be given for them, and a reader that reads on in them."""

    def __init__(self, features: AnyFeatures, ids: NDArray[np.integer[Any]], feeds: Feeds) -> None:
        self.key, self.feeds = ids.tobytes(), feeds
        self._reader, self._unread = reader_of(features), ids.tolist()
        self._unread.reverse()
        self._length = len(ids)

    def reader(self, stop: int) -> AnyReader | None:
        """Read up to id ``stop``; when all are read, return a reader that continues from there."""
        for _ in range(len(self._unread) - (self._length - stop)):
            self._reader.read(self._unread.pop())
        return None if self._unread else self._reader.copy()


class FeatureInput:
    """Feeds the graph's inputs for features, a row for each sequence; nothing for a model without features."""

    def __init__(self, network: Network, features: AnyFeatures | None, rows: int) -> None:
        """For so many sequences.

        Raises:
            ModelError: The model has other features than those.
        """
        self._embedder: _Embedder | None = None
        config = network.config
        if network.features is None:
            return
        if features is None or not _computes(features, config):
            raise ModelError(
                f"{network.name} was trained with features that this version of toccata does not compute: use the "
                "version that made it, or train it anew"
            )
        self._features = features
        self._embedder = _Embedder(network.features, config)
        self._readers = [reader_of(features) for _ in range(rows)]
        self._prompts: list[_Prompt | None] = [None] * rows
        self._latest: Feeds = {"features": np.zeros((rows, 1, config.width), np.float32)}
        if config.intervals:
            self._latest["from"] = np.full((rows, 1, len(config.intervals)), _NOWHERE, np.int64)

    def begin(self, row: int, ids: NDArray[np.integer[Any]], like: int | None = None) -> None:
        """Begin a row anew with ``ids``; row ``like`` may have begun with the same."""
        if self._embedder is None:
            return
        found = None if like is None else self._prompts[like]
        if found is None or found.key != ids.tobytes():
            found = _Prompt(self._features, ids, self._embedder.of(self._features.of(ids)))
        self._prompts[row] = found

    def prompt(self, row: int, start: int, stop: int) -> Feeds:
        """The inputs for ids ``start`` to ``stop - 1`` of a row's prompt."""
        if self._embedder is None:
            return {}
        found = self._prompts[row]
        assert found is not None
        if (reader := found.reader(stop)) is not None:
            self._readers[row] = reader
        return {name: np.ascontiguousarray(feed[None, start:stop]) for name, feed in found.feeds.items()}

    def append(self, ids: NDArray[np.integer[Any]]) -> None:
        """Append one token to each of the first rows."""
        if self._embedder is None:
            return
        rows = []
        for reader, one in zip(self._readers, ids.tolist(), strict=False):
            reader.read(one)
            rows.append(reader.rows)
        for name, feed in self._embedder.of(np.array(rows)).items():
            self._latest[name][: len(ids), 0] = feed

    def extend(self, row: int, ids: NDArray[np.integer[Any]]) -> Feeds:
        """Append several tokens to one row; the inputs for them."""
        if self._embedder is None:
            return {}
        reader, rows = self._readers[row], []
        for one in ids.tolist():
            reader.read(one)
            rows.append(reader.rows)
        return _alone(self._embedder.of(np.array(rows)))

    def latest(self, active: int) -> Feeds:
        """The inputs for the last token of each of the first rows; written anew in place by :meth:`append`."""
        return {} if self._embedder is None else {name: feed[:active] for name, feed in self._latest.items()}

    def whole(self, ids: NDArray[np.integer[Any]]) -> Feeds:
        """The inputs for a sequence of its own."""
        return {} if self._embedder is None else _alone(self._embedder.of(self._features.of(ids)))

    def move(self, source: int, target: int) -> None:
        """Let row ``target`` be as ``source`` is, which will not be used any more."""
        if self._embedder is not None:
            self._readers[target], self._prompts[target] = self._readers[source], self._prompts[source]

    def swap(self, a: int, b: int) -> None:
        """Let two rows change places."""
        if self._embedder is not None:
            self._readers[a], self._readers[b] = self._readers[b], self._readers[a]
            self._prompts[a], self._prompts[b] = self._prompts[b], self._prompts[a]


def _computes(features: AnyFeatures, config: DecoderConfig) -> bool:
    """Whether these features are those that a model of this shape was trained with."""
    if config.intervals and (
        config.pitches != features.pitches or not set(config.intervals) <= set(features.intervals)
    ):
        return False
    return features.blocks == config.features


def _alone(feeds: Feeds) -> Feeds:
    """The inputs of one sequence as a batch of it."""
    return {name: feed[None] for name, feed in feeds.items()}
