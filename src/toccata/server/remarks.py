"""Warnings about music that was sent, kept for the client that sent it.

``warnings`` has one hook for the whole process, and requests are read in many threads: so the hook looks up who listens
in its own thread.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from toccata.errors import MidiWarning

_Result = TypeVar("_Result")
_here = threading.local()


@contextlib.contextmanager
def collected(into: list[str] | None = None) -> Iterator[None]:
    """Collect the warnings about MIDI of this thread, each once, or drop them; nothing without :func:`listening`."""
    before, _here.take = getattr(_here, "take", None), lambda text: _add(into, text)
    try:
        yield
    finally:
        _here.take = before


def _add(remarks: list[str] | None, text: str) -> None:
    if remarks is not None and text not in remarks:
        remarks.append(text)


def quietly(function: Callable[..., _Result], *arguments: Any) -> _Result:
    """Call a function, and say nothing of what it warns of: the client is told once, where its request is planned."""
    with collected():
        return function(*arguments)


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Take warnings about MIDI for those who collect them; others are shown as before."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", MidiWarning)
        others = warnings.showwarning

        def take(message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> None:
            own: Callable[[str], None] | None = getattr(_here, "take", None)
            if own is None or not issubclass(category, MidiWarning):
                others(message, category, *rest, **named)
            else:
                own(" ".join(str(message).split()))

        warnings.showwarning = take
        yield
