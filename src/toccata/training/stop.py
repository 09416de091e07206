"""Ctrl-C, and the SIGTERM of whoever runs the machine: waited with until a step is whole."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

EARLY = 15.0
"""Seconds of training after which the first checkpoint is written, however rarely the others are."""


class Stop:
    """While the block runs, a signal to stop is only remembered: state written in the middle of a step would be torn.

    A second signal stops at once. Where signals cannot be caught (not in the main thread) nothing changes.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):  # what was told not to listen goes on so
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned
        if self.asked and isinstance(error, RuntimeError):
            raise KeyboardInterrupt from error  # the processes that make the examples heard it too, and are gone

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def check(self) -> None:
        """Between two steps: stop here if it was asked for.

        Raises:
            KeyboardInterrupt: It was.
        """
        if self.asked:
            raise KeyboardInterrupt
