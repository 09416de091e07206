"""Decode jobs for tests: one alone, and a cache that remembers what each of its sequences has read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.engine.cache import Floats, Ids, KeyValueCache, Slot
from toccata.engine.job import Decoded, DecodeJob
from toccata.engine.sampling import Sampling
from toccata.engine.scheduler import Scheduler, Verb
from toccata.musicmodel import Model
from toccata.tasks.request import Task
from toccata.tokenizers.base import Tokenizer


def one_job(job: DecodeJob) -> Verb:
    """A verb that decodes one job and returns what was decoded."""
    return (yield job)


def decode(
    cache: Any, tokenizer: Tokenizer, task: Task, seed: int, sampling: Sampling | None = None, limit: int = 5000
) -> Decoded:
    """Decode one task, alone."""
    scheduler = Scheduler(cache, tokenizer)
    handle = scheduler.submit(one_job(DecodeJob(task, seed, sampling or Sampling(), limit)))
    scheduler.run()
    if handle.error is not None:
        raise handle.error
    result: Decoded = handle.result
    return result


def decode_with(model: Model, task: Task, seed: int, sampling: Sampling | None = None, limit: int = 5000) -> Decoded:
    """The same with a model."""
    with model.scheduler(4) as scheduler:
        return decode(scheduler.cache, model.tokenizer, task, seed, sampling, limit)


def begun(cache: KeyValueCache, ids: NDArray[np.int64], most: int | None = None) -> tuple[Slot, Floats]:
    """A sequence that has read its prompt, in chunks of so many ids, and takes steps; and what follows."""
    slot, logits = cache.open(ids), None
    while logits is None:
        logits = cache.read(slot, most)
    cache.activate(slot)
    return slot, logits


class ProbedCache(KeyValueCache):
    """Remembers what each sequence has in its context, and tells of it after every step.

    Attributes:
        watch: Called after each step with the ids that each sequence has read.
    """

    watch: Callable[[list[list[int]]], None] = staticmethod(lambda _: None)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._read: dict[Slot, list[int]] = {}

    def open(self, ids: Ids) -> Slot:
        slot = super().open(ids)
        self._read[slot] = ids.tolist()
        return slot

    def step(self, ids: NDArray[np.integer[Any]]) -> Floats:
        logits = super().step(ids)
        for slot, one in zip(self.slots[: self.active], ids.tolist(), strict=True):
            self._read[slot].append(one)
        ProbedCache.watch([self._read[slot] for slot in self.slots[: self.active]])
        return logits

    def contents(self, slots: list[Slot]) -> list[list[int]]:
        """What sequences have read."""
        return [list(self._read[slot]) for slot in slots]

    def extend(self, slot: Slot, ids: Ids) -> Floats:
        self._read[slot] += ids.tolist()
        return super().extend(slot, ids)
