"""Verbs that clients wait for, watch or come back to: the event loop's side of a writing."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

from toccata.errors import RequestError, ToccataError
from toccata.events import Event
from toccata.server.answers import encoded, error_of, event_answer, status_of, writing_answer
from toccata.server.decoding import Decoders
from toccata.server.remarks import quietly
from toccata.server.requests import Call
from toccata.server.settings import RequestLimits
from toccata.server.writing import Writing

State = Literal["running", "finished", "cancelled", "failed"]
_KEPT_BYTES = 64 * 2**20
"""The most that answers of finished jobs take together; the oldest are forgotten."""

_EVENT_BYTES = 1000
"""About the memory of an event."""


class Ended(ToccataError):  # noqa: N818 - says what became of a job
    """A verb was ended before it was done: by its client, by the time limit, or as the server stops."""


class NoJob(RequestError):  # noqa: N818 - says what there is not
    """There is no such job, or it was forgotten."""

    kind = "no-job"


class Job:
    """A verb of a client; all of it but the callbacks is used in the event loop alone.

    Attributes:
        id: Its name, which cannot be guessed.
        call: What was called.
        writing: The verb.
        state: Whether it runs.
        answer: Its JSON, when it is finished.
        error: What ended it.
        midi: The only piece, for an answer that is one.
    """

    def __init__(self, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        self.id = secrets.token_urlsafe(16)
        self.call, self._loop = call, loop
        self.writing: Writing
        self.state: State = "running"
        self.answer: bytes | None = None
        self.error: Exception | None = None
        self.midi: bytes | None = None
        self.done = asyncio.Event()
        self.named = not call.wait  # else nobody comes back to it
        self.log: list[tuple[str, dict[str, Any]]] = []
        self._readers: set[asyncio.Future[None]] = set()  # that wait for the next event
        self._why: Ended | None = None
        self._lock = threading.Lock()
        self._arrived: list[tuple[str, dict[str, Any]]] = []  # from other threads

    def on_event(self, event: Event) -> None:
        """Take an event, in any thread."""
        answer = event_answer(event)
        with self._lock:
            self._arrived.append(answer)
            first = len(self._arrived) == 1
        if first:  # else it is about to be looked at
            self._call(self._look)

    def on_done(self, writing: Writing) -> None:
        """Take the end, in a worker thread, where the answer is made, as it reads all pieces."""
        answer, midi, error = None, None, writing.error
        if error is None and not writing.cancelled:
            try:
                answer = encoded(quietly(writing_answer, self.call, writing))
                midi = writing.result[0].midi if writing.result else None
            except Exception as failed:
                error = failed
        self._call(lambda: self._end(answer, midi, error))

    def _call(self, function: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)

    def _look(self) -> None:
        with self._lock:
            arrived, self._arrived = self._arrived, []
        self.log += arrived
        self._tell()

    def _tell(self) -> None:
        """Wake all who wait for the next event."""
        for reader in self._readers:
            if not reader.done():
                reader.set_result(None)

    def _end(self, answer: bytes | None, midi: bytes | None, error: Exception | None) -> None:
        self._look()
        self.answer, self.midi = answer, midi
        self.error = self._why or error
        if self.error is None and answer is None:
            self.error = Ended("it was stopped", kind="cancelled")
        cancelled = self.error is not None and getattr(self.error, "kind", "") == "cancelled"
        self.state = "cancelled" if cancelled else "failed" if self.error is not None else "finished"
        if self.error is None:
            # The pieces were events of their own.
            self.log.append(("done", {"seed": self.writing.seed, "order": list(self.writing.numbers)}))
        else:
            self.log.append(("error", error_of(self.error)["error"]))
        self.done.set()
        self._tell()

    @property
    def size(self) -> int:
        """About how many bytes are kept for it."""
        return len(self.answer or b"") + len(self.midi or b"") + _EVENT_BYTES * len(self.log)

    def cancel(self, piece: int | None = None, why: Ended | None = None) -> None:
        """Stop it, or one of its pieces; ``why`` is what clients are told."""
        if piece is None and self._why is None and not self.done.is_set():
            self._why = why or Ended("it was stopped", kind="cancelled")
        self.writing.cancel(piece)

    def describe(self) -> dict[str, Any]:
        """Return its state as JSON, without the answer."""
        return {
            "id": self.id,
            "state": self.state,
            "verb": self.call.verb,
            "seed": self.writing.seed,
            "url": f"/v1/jobs/{self.id}",
            "events": f"/v1/jobs/{self.id}/events",
            "tokens": self.writing.tokens,
            "notes": self.writing.notes,
            "error": None if self.error is None else error_of(self.error)["error"],
        }

    async def events(self, after: int, heartbeat: float) -> AsyncIterator[bytes]:
        """Yield its events as ``text/event-stream``, from the first after number ``after`` to the end.

        Args:
            after: The number of the last event that is known; 0: none is.
            heartbeat: Seconds of silence after which a comment is sent, so that a lost connection is noticed.
        """
        log, at = self.log, max(0, after)
        while True:
            if at < len(log):
                some = log[at:]
                yield b"".join(_block(at + number, *event) for number, event in enumerate(some, 1))
                at += len(some)
                continue
            if self.done.is_set():
                return
            reader = self._loop.create_future()
            self._readers.add(reader)
            try:
                await asyncio.wait((reader,), timeout=heartbeat)
            finally:
                self._readers.discard(reader)
            if not reader.done():
                yield b": alive\n\n"


def _block(number: int, name: str, data: dict[str, Any]) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, name.encode(), encoded(data))


class Jobs:
    """All jobs that run, and the latest that are done.

    Args:
        decoders: What runs them.
        limits: The most seconds of one, and the most of them that are remembered.
        on_end: Called with each job that ended.
    """

    def __init__(self, decoders: Decoders, limits: RequestLimits, on_end: Callable[[Job], None]) -> None:
        self.decoders, self.limits, self._on_end = decoders, limits, on_end
        self.stopping = False
        self._running: dict[str, Job] = {}
        self._finished: dict[str, Job] = {}  # the oldest first
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, call: Call, *, watched: bool) -> Job:
        """Begin a verb.

        Args:
            call: Which one.
            watched: Whether somebody may look at its events.

        Raises:
            Busy: As many verbs wait and run as are allowed.
            Ended: The server is being stopped.
        """
        if self.stopping:
            raise Ended("the server is being stopped", kind="stopping")
        loop = asyncio.get_running_loop()
        job = Job(call, loop)
        job.writing = self.decoders.submit(
            call.model, call.verb, call.song, call.arguments,
            on_event=job.on_event if watched else None, on_done=job.on_done,
        )  # fmt: skip
        self._running[job.id] = job
        task = loop.create_task(self._attend(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def _attend(self, job: Job) -> None:
        """Stop a job at the time limit, and remember it when it has ended."""
        try:
            await asyncio.wait_for(job.done.wait(), self.limits.seconds)
        except TimeoutError:
            seconds = f"{self.limits.seconds:g}"
            job.cancel(why=Ended(f"it took more than {seconds} s: ask for less at a time", kind="time-limit"))
            await job.done.wait()
        del self._running[job.id]
        if job.named:
            self._finished[job.id] = job
            self._forget()
        self._on_end(job)

    def _forget(self) -> None:
        """Forget the oldest jobs while there are too many, or their answers take too much memory."""
        size = sum(job.size for job in self._finished.values())
        while self._finished and (len(self._finished) > self.limits.jobs or size > _KEPT_BYTES):
            size -= self._finished.pop(next(iter(self._finished))).size

    def find(self, name: str) -> Job:
        """Return a job by its name.

        Raises:
            NoJob: There is none.
        """
        job = self._running.get(name) or self._finished.get(name)
        if job is None:
            raise NoJob("there is no such job: it was never started here, or it ended long ago")
        return job

    async def stop(self) -> None:
        """Stop all jobs; later ones are refused."""
        self.stopping = True
        for job in list(self._running.values()):
            job.cancel(why=Ended("the server is being stopped", kind="stopping"))
        if self._tasks:
            await asyncio.wait(self._tasks)


def outcome(job: Job) -> tuple[int, bytes]:
    """Return the status and the JSON with which a job that has ended is answered."""
    if job.error is not None:
        return status_of(job.error), encoded(error_of(job.error))
    assert job.answer is not None
    return 200, job.answer
