"""One verb of a client: its events, its result, and how it is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from toccata.errors import ToccataError
from toccata.events import Event, NoteAdded, PieceFinished
from toccata.musicmodel import Handle, Model, Plan, piece_of
from toccata.piece import Piece
from toccata.server.remarks import quietly


class Busy(ToccataError):  # noqa: N818 - says what the server is
    """As many verbs wait and run as are allowed.

    Attributes:
        seconds: After about how long to try again.
    """

    kind = "busy"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many requests wait and run: try again in {seconds} s")
        self.seconds = seconds


class Writing:
    """A verb that was submitted: waits, is planned, writes, and is done.

    Attributes:
        verb: The verb.
        seed: Its seed, or the seed of each piece.
        model: The model that writes; None until it is planned.
        cancelled: Whether all of it was stopped.
        error: The exception that ended it; None: none did.
        result: The pieces, in the plan's order; those that were finished if it was stopped or pieces failed alone,
            empty if all of it failed.
        numbers: For each piece of the result, the number that its events have.
        remarks: What is to be said of the music that was sent: what is missing in it, or is not used.
        submitted: When it was submitted, in seconds of ``time.monotonic``.
        first_note: Seconds from then to its first note; None: there is none yet.
        seconds: Seconds from then to its end; None: it has not ended.
    """

    def __init__(
        self,
        verb: str,
        seed: int | Sequence[int],
        on_event: Callable[[Event], None] | None = None,
        on_done: Callable[[Writing], None] | None = None,
        on_failed: Callable[[int, Exception], None] | None = None,
    ) -> None:
        self.verb, self.seed = verb, seed
        self.model: Model | None = None
        self.cancelled = False
        self.error: Exception | None = None
        self.result: list[Piece] = []
        self.numbers: list[int] = []
        self.remarks: list[str] = []
        self.submitted = time.monotonic()
        self.first_note: float | None = None
        self.seconds: float | None = None
        self.changed: Callable[[], None] = lambda: None  # wakes the decoding thread
        self._on_event, self._on_done, self._on_failed = on_event, on_done, on_failed
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._pieces: list[_Piece] = []
        self._stopped: set[int] = set()  # by their numbers, before there is a plan
        self._sort: Callable[[Sequence[Any]], list[Piece]] = list

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._ended.is_set()

    @property
    def tokens(self) -> int:
        """Ids decoded so far."""
        return sum(one.handle.tokens for one in list(self._pieces) if one.handle is not None)

    @property
    def notes(self) -> int:
        """Notes decoded so far."""
        return sum(one.handle.notes for one in list(self._pieces) if one.handle is not None)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended, at most ``timeout`` seconds; return whether it has."""
        return self._ended.wait(timeout)

    def cancel(self, piece: int | None = None) -> None:
        """Stop it, or one of its pieces, from any thread; what is finished stays.

        Args:
            piece: The number of the piece in its events; None: all pieces.
        """
        with self._lock:
            if piece is None:
                self.cancelled = True
            else:
                self._stopped.add(piece)
            for number, one in enumerate(self._pieces):
                if piece is None or number == piece:
                    one.stop()
        self.changed()

    # -- for the decoder -----------------------------------------------------------------------------------------------

    def begin(self, plan: Plan, changed: Callable[[], None]) -> None:
        """Take the plan."""
        with self._lock:
            self.model, self._sort, self.changed = plan.model, plan.sort, changed
            self._pieces = [_Piece(verb, plan.each) for verb in plan.verbs]
            for number, one in enumerate(self._pieces):
                if self.cancelled or number in self._stopped:
                    one.stop()

    @property
    def rows(self) -> int:
        """Rows of the model that its pieces have or are about to get."""
        return sum(one.rows for one in self._pieces if one.live)

    def next_piece(self) -> int | None:
        """The number of the next piece to begin; None: all have begun."""
        return next((n for n, one in enumerate(self._pieces) if not (one.begun or one.stopped)), None)

    def admit(self, number: int) -> int:
        """Count a piece as begun; return its rows."""
        self._pieces[number].begun = True
        return self._pieces[number].rows

    def start(self, number: int, submit: Callable[[Any, Callable[[Any], None] | None], Handle]) -> None:
        """Begin a piece: what its verb does before its first token is done here."""
        one = self._pieces[number]
        try:
            handle = submit(one.verb, self._deliver if self._on_event is not None else self._clock)
        except Exception as error:
            one.error = error
            return
        with self._lock:
            one.handle = handle
            if one.stopped:
                handle.cancel()

    def settle(self) -> bool:
        """Announce the pieces that are finished; return whether none is left to write."""
        for number, one in enumerate(self._pieces):
            if one.settled or not one.ended:
                continue
            one.settled = True
            error = one.error or (None if one.handle is None else one.handle.error)
            if error is None and one.result is not None:
                try:
                    self._deliver(PieceFinished(number, piece_of(one.result)))
                except Exception as failed:
                    error = failed
            if error is not None:
                self._fail(number, error if isinstance(error, Exception) else RuntimeError(str(error)))
        return all(one.settled for one in self._pieces)

    def _fail(self, number: int, error: Exception) -> None:
        """Report that a piece failed; where nobody wants to know of single pieces, it ends all of them."""
        if self._on_failed is not None:
            self._on_failed(number, error)
            return
        with self._lock:
            self.error = self.error or error
            for one in self._pieces:
                one.stop()
        self.changed()

    def finish(self, error: Exception | None = None) -> None:
        """Sort the pieces, the best first where that was requested, and call ``on_done``."""
        self.error = self.error or error
        if self.error is None:
            written = [(n, one.result) for n, one in enumerate(self._pieces) if one.result is not None]
            try:
                self.result = quietly(self._sort, [result for _, result in written])
                places = {id(piece_of(result)): n for n, result in written}
                self.numbers = [places[id(piece)] for piece in self.result]
            except Exception as failed:
                self.error, self.result = failed, []
        self.seconds = time.monotonic() - self.submitted
        self._ended.set()
        if self._on_done is not None:
            self._on_done(self)

    def _deliver(self, event: Any) -> None:
        self._clock(event)
        if self._on_event is not None:
            self._on_event(event)

    def _clock(self, event: Any) -> None:
        if self.first_note is None and isinstance(event, NoteAdded):
            self.first_note = time.monotonic() - self.submitted


class _Piece:
    """One piece of a writing."""

    def __init__(self, verb: Any, rows: int) -> None:
        self.verb, self.rows = verb, rows
        self.handle: Handle | None = None
        self.error: Exception | None = None
        self.begun = self.stopped = self.settled = False

    @property
    def live(self) -> bool:
        """Whether it has begun and not ended."""
        return self.begun and not self.ended

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        if not self.begun:
            return self.stopped
        return self.error is not None or (self.handle is not None and self.handle.done)

    @property
    def result(self) -> Any:
        """What its verb returned; None: nothing."""
        return None if self.handle is None else self.handle.result

    def stop(self) -> None:
        """Stop it."""
        self.stopped = True
        if self.handle is not None:
            self.handle.cancel()
