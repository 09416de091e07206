"""The scheduler: continuous batching of sequences with different requests, verbs and sampling parameters.

A verb is a generator: it yields decode jobs, is sent what was decoded, and returns a piece; it may yield events in
between. The scheduler gives sequences rows in the cache, reads their prompts in chunks within a budget, so that running
sequences are not delayed for long, samples and steps all of them at once, and delivers their events. The result of a
sequence does not depend on the rest of the batch, to the bit.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from toccata.engine.cache import KeyValueCache
from toccata.engine.guidance import ControlIds
from toccata.engine.job import Decoded, DecodeJob
from toccata.engine.sampling import Sampling, damaged, draw, log_probabilities, masked, unsound
from toccata.engine.sequence import DecoderFacts
from toccata.engine.sequence import Sequence as Decoding
from toccata.errors import RequestError
from toccata.tokenizers.base import Tokenizer

Verb: TypeAlias = Generator[DecodeJob | object, Decoded | None, Any]
"""Yields decode jobs and events; is sent what was decoded for each job, and None for each event."""
_Entry: TypeAlias = "tuple[Handle, Decoding]"
PREFILL_SECONDS = 0.012
"""About how long prompts are read between two steps, if sequences wait for the next step."""
_LEAST = 8
"""The fewest ids that are read in that time."""


class Handle:
    """One verb that was submitted.

    Attributes:
        result: The verb's return value, when it is done.
        error: The exception that ended it.
        tokens: Ids decoded for it so far.
        notes: Notes decoded for it so far.
    """

    def __init__(self, verb: Verb, on_event: Callable[[Any], None] | None) -> None:
        self._verb, self._on_event = verb, on_event
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        self.tokens = self.notes = 0

    @property
    def listens(self) -> bool:
        """Whether its events are delivered."""
        return self._on_event is not None

    @property
    def done(self) -> bool:
        """Whether it has ended, with a result or not."""
        return self._ended.is_set()

    def cancel(self) -> None:
        """Stop it, from any thread; its rows are free at the next step."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether it was stopped."""
        return self._cancelled.is_set()

    def next_job(self, decoded: Decoded | None) -> DecodeJob | None:
        """Run the verb to its next decode job; None: it is done."""
        try:
            wanted = next(self._verb) if decoded is None else self._verb.send(decoded)
            while not isinstance(wanted, DecodeJob):
                self.deliver([wanted])
                wanted = self._verb.send(None)
            return wanted
        except StopIteration as stop:
            self.result = stop.value
        except BaseException as error:
            self.error = error
            if not isinstance(error, Exception):
                self.end()
                raise
        self.end()
        return None

    def deliver(self, events: Sequence[object]) -> None:
        """Deliver events to the callback."""
        if self._on_event is not None:
            for event in events:
                self._on_event(event)

    def fail(self, error: BaseException) -> None:
        """End it with an error."""
        self.error = error
        self.end()

    def end(self) -> None:
        """Close the verb."""
        if not self.done:
            self._verb.close()
            self._ended.set()


class Scheduler:
    """Decodes for any number of verbs with one cache. ``submit`` and ``cancel`` from any thread; ``step`` from one.

    Attributes:
        cache: The model's cache, for exclusive use.
        running: The sequences that take steps, each with its handle.
    """

    def __init__(self, cache: KeyValueCache, tokenizer: Tokenizer, *, prefill: int | None = None) -> None:
        """Create an idle scheduler.

        Args:
            cache: The model's cache.
            tokenizer: The model's tokenizer.
            prefill: How many ids of prompts are read between two steps, if sequences wait for the next step; None: as
                many as take ``PREFILL_SECONDS`` here. Results do not depend on it.
        """
        self.cache, self._prefill = cache, prefill
        self._seconds_an_id = PREFILL_SECONDS / 16  # of a prompt, as far as is known
        self._facts, self._controls = DecoderFacts(tokenizer), ControlIds(tokenizer)
        self._lock = threading.Lock()
        self._waiting: deque[_Entry] = deque()  # for rows
        self._reading: _Entry | None = None  # its prompt
        self.running: list[_Entry] = []  # the others that have rows

    def submit(self, verb: Verb, on_event: Callable[[Any], None] | None = None) -> Handle:
        """Begin a verb: what it does before its first decode job is done here, in the caller's thread.

        Args:
            verb: Not started yet.
            on_event: Called with its events; what it raises ends the verb.
        """
        handle = Handle(verb, on_event)
        self._take(handle, handle.next_job(None))
        return handle

    @property
    def busy(self) -> bool:
        """Whether there is work left."""
        return bool(self._waiting or self.running) or self._reading is not None

    def step(self) -> None:
        """Read prompts within the budget, then decode one id of every sequence that is ready."""
        self._drop_cancelled()
        self._read_prompts()
        if self.running:
            self._decode()

    def run(self) -> None:
        """Take steps until there is no work left."""
        while self.busy:
            self.step()

    def close(self) -> None:
        """End all verbs."""
        for handle, _ in self._entries():
            handle.end()
        self._waiting.clear()
        self.running.clear()
        self._reading = None
        self.cache.clear()

    def _entries(self) -> list[_Entry]:
        with self._lock:
            reading = [] if self._reading is None else [self._reading]
            return [*self._waiting, *reading, *self.running]

    # -- coming and going ----------------------------------------------------------------------------------------------

    def _take(self, handle: Handle, job: DecodeJob | None) -> None:
        """Queue the next job of a verb."""
        if job is None:
            return
        rows = self._controls.rows(job.task, job.sampling.guidance)
        if len(rows.dropped_ids) > self.cache.rows:
            handle.fail(
                RequestError(
                    f"this takes {len(rows.dropped_ids)} rows of the model at a time, and there are "
                    f"{self.cache.rows}: ask for fewer styles"
                )
            )
            return
        decoding = Decoding(job if handle.listens else replace(job, listener=None), self._facts, rows)
        with self._lock:
            self._waiting.append((handle, decoding))

    def _drop_cancelled(self) -> None:
        for entry in self._entries():
            if entry[0].cancelled:
                self._leave(entry)
                entry[0].end()

    def _leave(self, entry: _Entry) -> None:
        """Remove a sequence, and free its rows."""
        with self._lock:
            if entry in self._waiting:
                self._waiting.remove(entry)
        if entry in self.running:
            self.running.remove(entry)
        if self._reading is entry:
            self._reading = None
        decoding = entry[1]
        for slot in decoding.slots:
            self.cache.release(slot)
        decoding.slots, decoding.logits = [], []

    def _fail(self, entry: _Entry, error: BaseException) -> None:
        self._leave(entry)
        entry[0].fail(error)
        if not isinstance(error, Exception):
            raise error

    def _read_prompts(self) -> None:
        """Read prompts in the order of submission; one of them whole, if no sequence waits for the next step."""
        left = self._prefill or max(_LEAST, int(PREFILL_SECONDS / self._seconds_an_id))
        while left > 0 or not self.running:
            entry = self._reading = self._reading or self._next_waiting()
            if entry is None:
                return
            try:
                used = self._read(entry[1], left if self.running else None)
            except Exception as error:
                self._fail(entry, error)
                continue
            left -= used
            if entry[1].ready:
                for slot in entry[1].slots:
                    self.cache.activate(slot)
                self._reading = None
                self.running.append(entry)

    def _next_waiting(self) -> _Entry | None:
        """Take the sequence that has waited longest from the queue; None if there are no rows for it."""
        with self._lock:
            if not self._waiting:
                return None
            rows = len(self._waiting[0][1].guidance.dropped_ids)
            return self._waiting.popleft() if len(self.cache.slots) + rows <= self.cache.rows else None

    def _read(self, decoding: Decoding, most: int | None) -> int:
        """Read a part of a sequence's context; return the number of ids."""
        if not decoding.slots:
            for ids in decoding.context(self.cache.capacity):
                decoding.slots.append(self.cache.open(ids))
        slot = decoding.slots[len(decoding.logits)]
        before, began = slot.unread, time.perf_counter()
        logits = self.cache.read(slot, most)
        if logits is not None:
            decoding.logits.append(logits)
        read = before - slot.unread
        self._seconds_an_id += 0.25 * ((time.perf_counter() - began) / read - self._seconds_an_id)
        return read

    # -- a step --------------------------------------------------------------------------------------------------------

    def _decode(self) -> None:
        """Draw an id for every sequence, and read it."""
        stepping: list[tuple[_Entry, list[int]]] = []
        for entry, token in self._draw():
            new = self._advance(entry, token)
            if new is not None:
                stepping.append((entry, new))
        if not stepping:
            return
        ids = {slot.row: new[0] for (_, decoding), new in stepping for slot in decoding.slots}
        try:
            logits = self.cache.step(np.array([ids[row] for row in range(self.cache.active)])).copy()
        except Exception as error:
            for entry, _ in stepping:
                self._fail(entry, error)
            return
        for (_, decoding), _ in stepping:
            decoding.logits = [logits[slot.row] for slot in decoding.slots]
        for entry, new in stepping:
            if len(new) > 1:
                self._read_forced(entry, new[1:])

    def _draw(self) -> list[tuple[_Entry, int]]:
        """Sample an id for every sequence; sequences without an allowed id fail."""
        groups: dict[Sampling, list[_Entry]] = {}
        for entry in self.running:
            groups.setdefault(entry[1].job.sampling, []).append(entry)
        return [one for sampling, entries in groups.items() for one in self._draw_alike(entries, sampling)]

    def _draw_alike(self, entries: list[_Entry], sampling: Sampling) -> list[tuple[_Entry, int]]:
        """Sample an id for every sequence with the same sampling parameters."""
        drawn: list[_Entry] = []
        shape = len(entries), len(entries[0][1].logits[0])
        plain, seen, allowed = np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.bool_)
        for entry in entries:
            decoding, row = entry[1], len(drawn)
            try:
                allowed[row] = decoding.cursor.allowed()
                decoding.expect(plain[row], seen[row])
                decoding.guard(seen[row], allowed[row])
            except Exception as error:
                self._fail(entry, error)
                continue
            drawn.append(entry)
        rows = len(drawn)
        logits = masked(seen[:rows], allowed[:rows])
        if wrong := unsound(logits):
            for row in wrong:
                self._fail(drawn[row], damaged(allowed[row]))
            sound = [row for row in range(rows) if row not in wrong]
            drawn, plain, logits = [drawn[row] for row in sound], plain[sound], logits[sound]
        generators = [decoding.generator for _, decoding in drawn]
        try:
            ids = draw(logits, sampling, generators, [decoding.cursor.admits for _, decoding in drawn])
        except Exception as error:
            for entry in drawn:
                self._fail(entry, error)
            return []
        for (_, decoding), nats in zip(drawn, log_probabilities(plain[: len(ids)], ids).tolist(), strict=True):
            decoding.nats -= nats
        return list(zip(drawn, ids, strict=True))

    def _advance(self, entry: _Entry, token: int) -> list[int] | None:
        """Advance a sequence by its id; return its new ids, or None if it has left the steps."""
        handle, decoding = entry
        try:
            handle.tokens += 1
            new, events = decoding.advance(token)
            handle.deliver(events)
        except BaseException as error:
            self._fail(entry, error)
            return None
        if (done := decoding.finished()) is not None:
            self._leave(entry)
            handle.notes += done.notes
            self._take(handle, handle.next_job(done))
            return None
        if not decoding.job.task.slides:
            decoding.make_room(self.cache.capacity - len(new))
        if decoding.full(self.cache.capacity, len(new)):
            self._leave(entry)
            with self._lock:
                self._waiting.appendleft(entry)
            return None
        return new

    def _read_forced(self, entry: _Entry, ids: list[int]) -> None:
        """Read control tokens that stand behind a bar line, in the rows that read them."""
        array, decoding = np.array(ids, np.int64), entry[1]
        try:
            for row, slot in enumerate(decoding.slots):
                own = decoding.guidance.read_by(row, array)
                if len(own):
                    decoding.logits[row] = self.cache.extend(slot, own)
        except Exception as error:
            self._fail(entry, error)
