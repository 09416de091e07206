"""Running the engine's graph: a key-value cache that stays where it is, and rows that come, step and go.

The cache is one block of memory, ``[layers, 2, rows, K, capacity, D]``, which the graph reads and writes in place. The
rows in use are always the first ``active`` ones, so that a step reads the beginning of each layer's cache; no row is
copied or padded. A row's logits are, to the bit, the same whoever its neighbours are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.engine.beside import Beside
from toccata.engine.graph import head_width
from toccata.engine.network import Network
from toccata.engine.runtime import onnxruntime
from toccata.errors import ModelError, RequestError
from toccata.model.config import ROPE_THETA
from toccata.tokenizers.features import Features

Floats = NDArray[np.float32]


class Session:
    """A network, and ``rows`` sequences that it continues.

    Attributes:
        capacity: Tokens a row can hold.
        lengths: ``int64[rows]``, tokens each row holds.
        active: Rows in use: 0 .. active - 1.
    """

    def __init__(
        self, network: Network, *, rows: int, capacity: int | None = None, features: Features | None = None
    ) -> None:
        """Set the cache aside.

        Args:
            network: What continues the sequences.
            rows: The most sequences at a time.
            capacity: Tokens a row can hold; None: the config's context. Learned positions allow no more than that.
            features: The tokenizer's, for a model that has them.

        Raises:
            RequestError: More capacity than the model has positions for, or than there is memory.
            ModelError: The model has other features than those.
        """
        self.config = config = network.config
        self.rows = rows
        self.capacity = config.context if capacity is None else capacity
        if config.positions == "learned" and self.capacity > config.context:
            raise RequestError(f"this model has positions for {config.context} tokens, not for {self.capacity}")
        self._session, self._name = network.runtime, network.name
        self.lengths = np.zeros(rows, np.int64)
        self.active = 0
        width = head_width(config)  # which may be wider than the config's
        try:
            self._cache = np.zeros((config.layers, 2, rows, config.kv_heads, self.capacity, width), np.float32)
        except MemoryError:
            raise RequestError(
                f"there is no memory for {rows} sequences of {self.capacity:,} tokens: write fewer pieces at a time, "
                "or take a model with a shorter context"
            ) from None
        self._cos, self._sin = _rotation(self.capacity, config.head_width, width)
        # What a step reads and writes; bound once for each number of rows, then only filled in.
        self._ids = np.zeros((rows, 1), np.int64)
        self._positions = np.zeros((rows, 1), np.int64)
        self._beside = Beside(network, features, rows)
        self._last = np.zeros(rows, np.int32)
        self._total = np.zeros((), np.int32)
        self._keep = np.zeros(1, np.int64)
        self._logits = np.zeros((rows, config.vocab), np.float32)
        self._steps: dict[int, Any] = {}

    def prefill(self, row: int, ids: NDArray[np.integer[Any]]) -> Floats:
        """Begin ``row`` anew with ``ids int[T]``; the logits ``float[V]`` of what follows them.

        ``row`` is one in use, or the next free one.

        Raises:
            RequestError: More ids than ``capacity``, or none, or one that is not in the vocabulary.
        """
        if not 0 <= row <= min(self.active, self.rows - 1):
            raise ValueError(f"row {row} is neither one of the {self.active} in use nor the next free one")
        count = self._checked(ids)
        logits = np.empty((1, self.config.vocab), np.float32)
        self._beside.begin(row, ids)
        binding = self._bind(slice(row, row + 1), self._prompt(ids, np.array([count - 1])), logits)
        self._run(binding)
        self.lengths[row] = count
        self.active = max(self.active, row + 1)
        result: Floats = self._finite(logits)[0]
        return result

    def share(self, source: int, rows: Iterable[int]) -> None:
        """Give each of ``rows`` what row ``source`` has read. Each is one in use, or the next free one."""
        for row in rows:
            if not 0 <= row <= min(self.active, self.rows - 1):
                raise ValueError(f"row {row} is neither one of the {self.active} in use nor the next free one")
            self._copy(source, row)
            self.active = max(self.active, row + 1)

    def step(self, ids: NDArray[np.integer[Any]]) -> Floats:
        """Append one token to each active row; the logits ``float[active, V]`` of what follows.

        The array returned is written anew by the next step.

        Args:
            ids: ``int[active]``.

        Raises:
            RequestError: A row is full.
        """
        active = self.active
        if len(ids) != active or not active:
            raise ValueError(f"{len(ids)} ids for {active} active rows")
        lengths = self.lengths[:active]
        longest = int(lengths.max())
        if longest >= self.capacity:
            raise RequestError(
                f"row {int(lengths.argmax())} is full: {self.capacity} tokens; begin it anew with the latest"
            )
        self._ids[:active, 0] = ids
        self._beside.append(ids)
        self._last[:active] = lengths
        self._positions[:active, 0] = lengths
        self._total[...] = longest + 1
        binding = self._steps.get(active)
        if binding is None:
            binding = self._steps[active] = self._bind(slice(0, active), self._stepping(active), self._logits[:active])
        self._run(binding)
        lengths += 1
        return self._finite(self._logits[:active])

    def release(self, row: int) -> int:
        """Let ``row`` go; the last active row moves to its place.

        Returns:
            The index of the row that moved; ``row`` itself if it was the last.
        """
        if not 0 <= row < self.active:
            raise ValueError(f"row {row} is none of the {self.active} in use")
        last = self.active - 1
        if last != row:
            self._copy(last, row)
        self.lengths[last] = 0
        self.active = last
        return last

    def logits(self, ids: NDArray[np.integer[Any]]) -> Floats:
        """The logits ``float[T, V]`` after each of ``ids int[T]``; the rows are not touched.

        Raises:
            RequestError: More ids than ``capacity``, or none, or one that is not in the vocabulary.
        """
        count = self._checked(ids)
        feeds = self._prompt(ids, np.arange(count))
        empty = np.zeros((1, self.config.kv_heads, 0, self._cache.shape[-1]), np.float32)
        for i in range(self.config.layers):
            feeds[f"key_{i}"] = feeds[f"value_{i}"] = empty
        return self._finite(self._session.run(["logits"], feeds)[0])

    def _finite(self, logits: Floats) -> Floats:
        """``logits``, if they are numbers: from what is not, nothing can be drawn."""
        if not np.isfinite(logits).all():
            raise ModelError(
                f"{self._name} is damaged: what it computes is not finite. Copy the model folder again, or train it "
                "anew with a lower training.lr"
            )
        return logits

    def _checked(self, ids: NDArray[np.integer[Any]]) -> int:
        count = len(ids)
        if not 1 <= count <= self.capacity:
            raise RequestError(f"{count} tokens given, but this model reads between 1 and {self.capacity} at a time")
        if not 0 <= int(np.min(ids)) <= int(np.max(ids)) < self.config.vocab:
            raise RequestError(
                f"token ids must be between 0 and {self.config.vocab - 1}: these are another tokenizer's"
            )
        return count

    def _prompt(self, ids: NDArray[np.integer[Any]], keep: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        count = len(ids)
        return {
            "ids": np.ascontiguousarray(ids, np.int64)[None],
            "keep": keep,
            "last": np.array([count - 1], np.int32),
            "total": np.array(count, np.int32),
            **self._placed(np.arange(count)[None]),
            **self._beside.whole(ids),
        }

    def _stepping(self, active: int) -> dict[str, NDArray[Any]]:
        return {
            "ids": self._ids[:active],
            "keep": self._keep,
            "last": self._last[:active],
            "total": self._total,
            **self._placed(self._positions[:active]),
            **self._beside.latest(active),
        }

    def _placed(self, positions: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        if self.config.positions == "rope":
            return {"cos": self._cos, "sin": self._sin}
        return {"positions": positions}

    def _bind(self, rows: slice, feeds: dict[str, NDArray[Any]], logits: Floats) -> Any:
        """Everything the graph reads and writes for these rows, at its place in memory. Keeps hold of the arrays."""
        ort = onnxruntime()
        binding = self._session.io_binding()
        held = [ort.OrtValue.ortvalue_from_numpy(array) for array in feeds.values()]
        for name, value in zip(feeds, held, strict=True):
            binding.bind_ortvalue_input(name, value)
        held.append(ort.OrtValue.ortvalue_from_numpy(logits))
        binding.bind_ortvalue_output("logits", held[-1])
        for i in range(self.config.layers):
            for j, part in enumerate(("key", "value")):
                value = ort.OrtValue.ortvalue_from_numpy(self._cache[i, j, rows])
                binding.bind_ortvalue_input(f"{part}_{i}", value)
                binding.bind_ortvalue_output(f"{part}_{i}_out", value)
                held.append(value)
        return binding, held, feeds, logits

    def _run(self, bound: Any) -> None:
        self._session.run_with_iobinding(bound[0])

    def _copy(self, source: int, target: int) -> None:
        length = self.lengths[source]
        self._cache[:, :, target, :, :length] = self._cache[:, :, source, :, :length]
        self._beside.copy(source, target)
        self.lengths[target] = length


def _rotation(positions: int, head_width: int, width: int) -> tuple[Floats, Floats]:
    """Cosine and sine ``[positions, width / 2]`` of the angles, rounded as the Decoder's; the rest does not turn."""
    half = np.arange(0, head_width, 2, dtype=np.float32)
    inverse = np.float32(ROPE_THETA) ** (-half / np.float32(head_width))
    angles = np.zeros((positions, width // 2), np.float32)
    angles[:, : head_width // 2] = np.arange(positions, dtype=np.float32)[:, None] * inverse
    return np.cos(angles), np.sin(angles)
