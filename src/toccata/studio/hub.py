"""Events for the page: numbered, kept for a while so that a page that was cut off goes on where it was."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

MOST_EVENTS, MOST_BYTES = 50_000, 32 << 20
"""What is kept for pages that come back."""
HEARTBEAT = 10.0
"""Seconds of silence after which a line is sent that says nothing: it shows that the connection stands."""
_AT_A_TIME = 256


class Hub:
    """Events in the order of their numbers; ``publish`` from any thread."""

    def __init__(self, last: int = 0) -> None:
        """Create a hub whose first event has the number after ``last``."""
        self._lock = threading.Lock()
        self._events: deque[tuple[int, bytes]] = deque()
        self._size = 0
        self._last = last
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._closed = False

    @property
    def last(self) -> int:
        """The number of the latest event."""
        with self._lock:
            return self._last

    def publish(self, event: Mapping[str, Any]) -> int:
        """Send an event to all pages; return its number."""
        data = json.dumps(event, separators=(",", ":")).encode()
        with self._lock:
            self._last += 1
            number = self._last
            self._events.append((number, data))
            self._size += len(data)
            while len(self._events) > 1 and (len(self._events) > MOST_EVENTS or self._size > MOST_BYTES):
                self._size -= len(self._events.popleft()[1])
        self._wake()
        return number

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._wake()

    async def stream(self, after: int | None = None, heartbeat: float = HEARTBEAT) -> AsyncIterator[bytes]:
        """Yield the events after a number as blocks of ``text/event-stream``; 0: all there are; None: the new ones.

        A page that was away for too long is sent ``{"type": "reset"}``: it has to load everything again.
        """
        some = asyncio.Event()
        mine = (asyncio.get_running_loop(), some)
        with self._lock:
            self._waiting.add(mine)
            at = self._last if after is None else after
        try:
            yield b": here\n\n"
            while not self._closed:
                some.clear()
                lost, events = self._after(at)
                if lost:
                    at = self.last
                    yield _block(at, b'{"type":"reset"}')
                elif events:
                    at = events[-1][0]
                    yield b"".join(_block(number, data) for number, data in events)
                else:
                    try:
                        await asyncio.wait_for(some.wait(), heartbeat)
                    except TimeoutError:
                        yield b": still here\n\n"
        finally:
            with self._lock:
                self._waiting.discard(mine)

    def _after(self, at: int) -> tuple[bool, list[tuple[int, bytes]]]:
        """Return whether events after number ``at`` are not there any more, and the next ones."""
        with self._lock:
            if at > self._last:  # of a studio that ran before
                return True, []
            first = self._events[0][0] if self._events else self._last + 1
            if 0 < at < first - 1:
                return True, []
            start = max(0, at + 1 - first)
            return False, [self._events[n] for n in range(start, min(len(self._events), start + _AT_A_TIME))]

    def _wake(self) -> None:
        with self._lock:
            waiting = list(self._waiting)
        for loop, some in waiting:
            with suppress(RuntimeError):  # it is just being closed
                loop.call_soon_threadsafe(some.set)


def _block(number: int, data: bytes) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (number, data)
