"""Ctrl-C and SIGTERM, deferred until the end of a training step."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

from toccata.corpus.batches import NO_WORKERS
from toccata.errors import ToccataError

EARLY = 15.0
"""Seconds of training after which the first checkpoint is written, whatever the interval of the later ones."""


class Stop:
    """A block in which the first SIGINT or SIGTERM only sets ``requested``, so that a step is never torn.

    A second signal stops at once. Outside the main thread, where signals cannot be caught, nothing changes.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):  # an ignored signal stays ignored
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned
        lost = isinstance(error, RuntimeError) or (isinstance(error, ToccataError) and error.kind == NO_WORKERS)
        if self.requested and lost:
            raise KeyboardInterrupt from error  # other processes received the signal too, and have ended

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def check(self) -> None:
        """Stop between two steps, if a signal was received.

        Raises:
            KeyboardInterrupt: One was.
        """
        if self.requested:
            raise KeyboardInterrupt
