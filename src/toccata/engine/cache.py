"""The key-value cache: sequences that join, read a prompt chunk by chunk, take steps together, and leave.

The cache is one block of memory, ``[layers, 2, rows, K, capacity, D]``, which the graph reads and writes in place. The
first rows are those of the sequences that take steps; behind them are those that still read their prompts. A step reads
the beginning of each layer's cache, so no row is copied or padded for it. A sequence's logits are, to the bit, the same
whatever else is in the batch, in whatever chunks its prompt was read, and whether its prefix was copied from another
row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.engine.feature_input import FeatureInput
from toccata.engine.graph import head_width
from toccata.engine.network import Network
from toccata.engine.runtime import onnxruntime
from toccata.errors import ModelError, RequestError
from toccata.model.config import ROPE_THETA
from toccata.tokenizers.feature_reader import AnyFeatures

Floats = NDArray[np.float32]
Ids = NDArray[np.integer[Any]]
_SHARED = 16
"""A common beginning of fewer ids than these is not worth copying."""


class Slot:
    """The row of one sequence.

    Attributes:
        row: Its number, which changes when other sequences leave.
        length: How many ids are in the cache.
        prompt: ``int64[T]``, the ids it began with; those beyond ``length`` are still to be read.
        ready: Whether it takes part in steps.
    """

    __slots__ = ("length", "prompt", "ready", "row")

    def __init__(self, row: int, prompt: NDArray[np.int64]) -> None:
        self.row, self.prompt = row, prompt
        self.length = 0
        self.ready = False

    @property
    def unread(self) -> int:
        """Ids of the prompt that are still to be read."""
        return max(0, len(self.prompt) - self.length)


class KeyValueCache:
    """A network, and ``rows`` sequences that it continues.

    Attributes:
        capacity: Tokens a row can hold.
        slots: The sequences in the order of their rows: first those that take steps.
        active: How many of them take steps.
    """

    def __init__(
        self, network: Network, *, rows: int, capacity: int | None = None, features: AnyFeatures | None = None
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
        self.slots: list[Slot] = []
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
        self._features = FeatureInput(network, features, rows)
        self._last = np.zeros(rows, np.int32)
        self._total = np.zeros((), np.int32)
        self._keep = np.zeros(1, np.int64)
        self._logits = np.zeros((rows, config.vocab), np.float32)
        self._steps: dict[int, Any] = {}

    def open(self, ids: Ids) -> Slot:
        """A slot behind the others for a sequence that begins with ``ids int[T]``, to be read by :meth:`read`.

        Where another sequence began alike, that part is copied.

        Raises:
            RequestError: More ids than ``capacity``, or none, or one that is not in the vocabulary.
        """
        self._check(ids)
        if len(self.slots) >= self.rows:
            raise ValueError(f"all {self.rows} rows are in use")
        slot = Slot(len(self.slots), np.ascontiguousarray(ids, np.int64))
        shared, source = max(((_common(slot, other), other) for other in self.slots), default=(0, None), key=_first)
        if source is not None and shared >= _SHARED:
            self._cache[:, :, slot.row, :, :shared] = self._cache[:, :, source.row, :, :shared]
            slot.length = shared
        self._features.begin(slot.row, slot.prompt, None if source is None else source.row)
        self.slots.append(slot)
        return slot

    def read(self, slot: Slot, most: int | None = None) -> Floats | None:
        """Read on in the prompt of ``slot``, by about so many ids.

        Returns:
            The logits ``float[V]`` of what follows the prompt, once all of it has been read; None before that.
        """
        if slot.ready or not slot.unread:
            raise ValueError("this prompt has been read")
        start = slot.length
        end = len(slot.prompt)
        # Never a single id: the graph computes it by another kernel, whose last bit differs.
        stop = end if most is None or end - start <= max(2, most) + 1 else start + max(2, most)
        logits = self._chunk(slot, slot.prompt[start:stop], self._features.prompt(slot.row, start, stop))
        return logits if stop == end else None

    def activate(self, slot: Slot) -> None:
        """Let a sequence whose prompt has been read take part in steps."""
        if slot.ready or slot.unread:
            raise ValueError("only a sequence whose prompt has just been read can take steps")
        other = self.slots[self.active]
        if other is not slot:
            self._swap(other, slot)
        slot.ready = True
        self.active += 1

    def step(self, ids: Ids) -> Floats:
        """Append one token to each sequence that takes steps; the logits ``float[active, V]`` of what follows.

        The array returned is written anew by the next step.

        Args:
            ids: ``int[active]``, in the order of ``slots``.

        Raises:
            RequestError: A row is full.
        """
        active = self.active
        if len(ids) != active or not active:
            raise ValueError(f"{len(ids)} ids for {active} active rows")
        lengths = np.array([slot.length for slot in self.slots[:active]], np.int64)
        longest = int(lengths.max())
        if longest >= self.capacity:
            raise RequestError(
                f"row {int(lengths.argmax())} is full: {self.capacity} tokens; begin it anew with the latest"
            )
        self._ids[:active, 0] = ids
        self._features.append(ids)
        self._last[:active] = lengths
        self._positions[:active, 0] = lengths
        self._total[...] = longest + 1
        binding = self._steps.get(active)
        if binding is None:
            feeds: dict[str, NDArray[Any]] = {
                "ids": self._ids[:active],
                "keep": self._keep,
                "last": self._last[:active],
                "total": self._total,
                **self._placed(self._positions[:active]),
                **self._features.latest(active),
            }
            binding = self._steps[active] = self._bind(slice(0, active), feeds, self._logits[:active])
        self._run(binding)
        for slot in self.slots[:active]:
            slot.length += 1
        return self._finite(self._logits[:active])

    def extend(self, slot: Slot, ids: Ids) -> Floats:
        """Append several tokens to one sequence, between steps; the logits ``float[V]`` of what follows.

        Raises:
            RequestError: More ids than the row has room for, or none, or one that is not in the vocabulary.
        """
        self._check(ids, slot.length)
        return self._chunk(slot, np.ascontiguousarray(ids, np.int64), self._features.extend(slot.row, ids))

    def release(self, slot: Slot) -> None:
        """Let a sequence leave; others move to its row."""
        free = slot.row
        if slot.ready:
            slot.ready = False
            self.active -= 1
            self._move(self.active, free)
            free = self.active
        self._move(len(self.slots) - 1, free)
        self.slots.pop()

    def clear(self) -> None:
        """Let all sequences leave."""
        self.slots.clear()
        self.active = 0

    def logits(self, ids: Ids) -> Floats:
        """The logits ``float[T, V]`` after each of ``ids int[T]``; the rows are not touched.

        Raises:
            RequestError: More ids than ``capacity``, or none, or one that is not in the vocabulary.
        """
        count = self._check(ids)
        feeds = self._whole(np.ascontiguousarray(ids, np.int64), 0, np.arange(count), self._features.whole(ids))
        empty = np.zeros((1, self.config.kv_heads, 0, self._cache.shape[-1]), np.float32)
        for i in range(self.config.layers):
            feeds[f"key_{i}"] = feeds[f"value_{i}"] = empty
        return self._finite(self._session.run(["logits"], feeds)[0])

    def _chunk(self, slot: Slot, ids: NDArray[np.int64], features: dict[str, NDArray[Any]]) -> Floats:
        """Append ids to one row; the logits ``float[V]`` after the last of them."""
        logits = np.empty((1, self.config.vocab), np.float32)
        feeds = self._whole(ids, slot.length, np.array([len(ids) - 1]), features)
        self._run(self._bind(slice(slot.row, slot.row + 1), feeds, logits))
        slot.length += len(ids)
        result: Floats = self._finite(logits)[0]
        return result

    def _finite(self, logits: Floats) -> Floats:
        """``logits``, if they are numbers: from what is not, nothing can be drawn."""
        if not np.isfinite(logits).all():
            raise ModelError(
                f"{self._name} is damaged: what it computes is not finite. Copy the model folder again, or train it "
                "anew with a lower training.lr"
            )
        return logits

    def _check(self, ids: Ids, before: int = 0) -> int:
        count = len(ids)
        if not 1 <= count <= self.capacity - before:
            raise RequestError(
                f"{count} tokens given, but this model reads between 1 and {self.capacity - before} at a time"
            )
        if not 0 <= int(np.min(ids)) <= int(np.max(ids)) < self.config.vocab:
            raise RequestError(
                f"token ids must be between 0 and {self.config.vocab - 1}: these are another tokenizer's"
            )
        return count

    def _whole(
        self, ids: NDArray[np.int64], before: int, keep: NDArray[np.int64], features: dict[str, NDArray[Any]]
    ) -> dict[str, NDArray[Any]]:
        """The inputs for several ids of one row, which stand behind ``before`` others."""
        total = before + len(ids)
        return {
            "ids": ids[None],
            "keep": keep,
            "last": np.array([total - 1], np.int32),
            "total": np.array(total, np.int32),
            **self._placed(np.arange(before, total)[None]),
            **features,
        }

    def _placed(self, positions: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        if self.config.positions == "rope":
            return {"cos": self._cos, "sin": self._sin}
        return {"positions": positions}

    def _bind(self, rows: slice, feeds: dict[str, NDArray[Any]], logits: Floats) -> Any:
        """Everything the graph reads and writes for these rows, at its place in memory, with the arrays themselves."""
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

    def _move(self, source: int, target: int) -> None:
        """Move the sequence of one row to another row, which is no longer in use."""
        if source == target:
            return
        slot = self.slots[source]
        n = slot.length
        self._cache[:, :, target, :, :n] = self._cache[:, :, source, :, :n]
        self._features.move(source, target)
        slot.row = target
        self.slots[target] = slot

    def _swap(self, a: Slot, b: Slot) -> None:
        n, m = a.row, b.row
        longest = max(a.length, b.length)
        saved = self._cache[:, :, n, :, :longest].copy()
        self._cache[:, :, n, :, :longest] = self._cache[:, :, m, :, :longest]
        self._cache[:, :, m, :, :longest] = saved
        self._features.swap(n, m)
        a.row, b.row = m, n
        self.slots[n], self.slots[m] = b, a


def _first(found: tuple[int, Slot | None]) -> int:
    return found[0]


def _common(slot: Slot, other: Slot) -> int:
    """How many ids at the beginning of a prompt another slot has read; its last two ids are read in any case."""
    most = max(0, min(len(slot.prompt) - 2, len(other.prompt), other.length))
    differ = np.flatnonzero(slot.prompt[:most] != other.prompt[:most])
    return int(differ[0]) if len(differ) else most


def _rotation(positions: int, head_width: int, width: int) -> tuple[Floats, Floats]:
    """Cosine and sine ``[positions, width / 2]`` of the angles, rounded as the Decoder's; the rest does not turn."""
    half = np.arange(0, head_width, 2, dtype=np.float32)
    inverse = np.float32(ROPE_THETA) ** (-half / np.float32(head_width))
    angles = np.zeros((positions, width // 2), np.float32)
    angles[:, : head_width // 2] = np.arange(positions, dtype=np.float32)[:, None] * inverse
    return np.cos(angles), np.sin(angles)
