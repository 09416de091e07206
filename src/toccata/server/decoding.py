"""The decoding threads: one for each model in use, with one scheduler that all clients share.

A request is planned in a worker thread; its pieces get rows of the model beside those of others, as soon as there are
any, and leave them when they are done. A thread without work sleeps.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias, TypeVar

from toccata import api
from toccata.errors import ModelError, RequestError, shown
from toccata.events import Event
from toccata.musicmodel import Model, Plan, Scheduler, plan
from toccata.server.remarks import collected
from toccata.server.settings import ServerSettings
from toccata.server.writing import Busy as Busy
from toccata.server.writing import Writing as Writing

ROWS = 16
"""The rows of a model: so many sequences are decoded together."""
FREE = 4
"""Rows that one request leaves for others, so that a new request begins at once beside one of very many pieces."""
_WORKERS = 4
_ABOUT = "toccata.json"
_Result = TypeVar("_Result")
_Mark: TypeAlias = "tuple[int, int, int]"
"""What changes when a model folder is replaced."""


class Decoder:
    """One model and the thread that decodes for all requests to it.

    Attributes:
        model: The model.
        path: Its folder.
    """

    def __init__(self, path: Path, workers: ThreadPoolExecutor) -> None:
        """Open a model, and make it ready to write at once.

        Raises:
            ModelError: It cannot be opened.
        """
        self.path, self._workers, self._mark = path, workers, _mark(path)
        self.model: Model = api.load(path)
        self._some = threading.Condition()
        self._writings: list[Writing] = []
        self._news = self._stopping = False
        self._ready = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"decoder of {self.model.name}", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    @property
    def fresh(self) -> bool:
        """Whether its folder is still the one that was opened, and it takes more to write."""
        return not self._stopping and _mark(self.path) == self._mark

    @property
    def idle(self) -> bool:
        """Whether it has nothing to write."""
        with self._some:
            return not self._writings

    def add(self, writing: Writing, planned: Plan) -> bool:
        """Write the pieces of a plan; return False if the decoder was closed meanwhile."""
        writing.begin(planned, self._wake)
        with self._some:
            if self._stopping:
                return False
            self._writings.append(writing)
        self._wake()
        return True

    def close(self) -> None:
        """End the thread when all that was submitted is written."""
        with self._some:
            self._stopping = True
        self._wake()

    def join(self) -> None:
        """Wait for the end of the thread."""
        self._thread.join()

    def _wake(self) -> None:
        with self._some:
            self._news = True
            self._some.notify()

    # -- the decoding thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with self.model.scheduler(ROWS) as scheduler, collected():
                self._warm(scheduler)
                self._ready.set()
                self._decode(scheduler)
        except Exception as error:  # it cannot be opened, or a fault that is no sequence's own
            self._error = error
            with self._some:
                self._stopping = True  # so that the next request opens the model again
                failed, self._writings = self._writings, []
            for writing in failed:
                writing.cancel()
                self._workers.submit(writing.finish, error)
        finally:
            self._ready.set()

    def _decode(self, scheduler: Scheduler) -> None:
        """Write what comes, until it is closed and all is written."""
        while True:
            with self._some:
                self._some.wait_for(lambda: self._news or scheduler.busy)
                self._news = False
                if self._stopping and not self._writings:
                    return
                begun = self._admitted()
            for writing, number in begun:
                self._workers.submit(self._start, writing, number, scheduler)
            if scheduler.busy:
                scheduler.step()
            self._settle()

    def _warm(self, scheduler: Scheduler) -> None:
        """Write a few tokens, so that the first request finds everything loaded."""
        try:
            for verb in plan(self.model, "generate", bars=1, max_tokens=8, seed=0).verbs:
                scheduler.submit(verb, lambda _: None)
            scheduler.run()
        except RequestError:  # a model that cannot write new music
            scheduler.close()

    def _admitted(self) -> list[tuple[Writing, int]]:
        """Choose the pieces that begin now: of the request that has the fewest rows, of two the one that came first."""
        found: list[tuple[Writing, int]] = []
        used = sum(writing.rows for writing in self._writings)
        while used < ROWS:
            able = [w for w in self._writings if w.next_piece() is not None and (not w.rows or w.rows < ROWS - FREE)]
            if not able:
                break
            writing = min(able, key=lambda one: one.rows)
            number = writing.next_piece()
            assert number is not None
            used += writing.admit(number)
            found.append((writing, number))
        return found

    def _start(self, writing: Writing, number: int, scheduler: Scheduler) -> None:
        with collected(writing.remarks):
            writing.start(number, scheduler.submit)
        self._wake()

    def _settle(self) -> None:
        with self._some:
            writings = list(self._writings)
        for writing in writings:
            if writing.settle():
                with self._some:
                    self._writings.remove(writing)
                    self._news = True  # its rows are free
                self._workers.submit(writing.finish)


class Decoders:
    """The models of a server, each opened when it is first needed.

    Usable from any thread. A model whose folder was replaced is opened again; what the old one has begun is finished.
    """

    def __init__(self, settings: ServerSettings | None = None, *, places: Sequence[Path] = ()) -> None:
        """Create decoders without any thread.

        Args:
            settings: Which models there are, and how many verbs may wait and run.
            places: Further folders whose models are offered.
        """
        self.settings, self.places = settings or ServerSettings(), list(places)
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="toccata worker")
        self._others = ThreadPoolExecutor(_WORKERS // 2, thread_name_prefix="toccata function")
        self._openers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="toccata opener")
        self._open: dict[Path, Future[Decoder]] = {}  # open or about to be; the one used last is the last
        self._known: dict[str | None, tuple[Path, _Mark]] = {}  # where the models are, by their names
        self._lock = threading.Lock()
        self._active: set[Writing] = set()
        self._seconds: deque[float] = deque([2.0], maxlen=32)  # of the latest verbs
        self._closed = False

    # -- models --------------------------------------------------------------------------------------------------------

    def models(self) -> list[dict[str, Any]]:
        """Describe the models, as ``toccata models --json`` does, the default one first."""
        if self.settings.models:
            rows = [row for name in self.settings.models for row in _rows(api.find_model(name))]
        else:
            rows = [*_rows(api.find_model(self.settings.default)), *api.model_rows()]
        for place in self.places:
            if place.is_dir():
                rows += api.model_rows(place)
        found: dict[Path, dict[str, Any]] = {}
        for row in rows:
            found.setdefault(Path(row["path"]).resolve(), row)
        return list(found.values())

    def path_of(self, name: str | None) -> Path:
        """Return the folder of a model by its name; None: the default model.

        Raises:
            ModelError: There is no model of that name, or it cannot be used.
        """
        with self._lock:
            known = self._known.get(name)
        if known is not None and (mark := _mark(known[0])) is not None and mark == known[1]:
            return known[0]
        rows = self.models()
        row = next((row for row in rows if name in (None, row["name"])), None)
        if row is None:
            names = ", ".join(str(row["name"]) for row in rows) or "none"
            wrong = "there is no model" if name is None else f"there is no model {shown(name)}"
            raise ModelError(f"{wrong}: there are {names}", kind="no-model")
        if row["error"] is not None:
            raise ModelError(f"the model {row['name']} cannot be used: {row['error']}", path=row["path"])
        path = Path(row["path"]).resolve()
        if (mark := _mark(path)) is not None:
            with self._lock:
                self._known[name] = path, mark
        return path

    def decoder(self, name: str | None = None) -> Decoder:
        """Return the decoder of a model, which is opened if it is not open or was replaced.

        Raises:
            ModelError: There is no such model, or it cannot be opened.
        """
        return self._opened(self.path_of(name)).result()

    def _opened(self, path: Path) -> Future[Decoder]:
        """Return the decoder of a model folder, open or about to be."""
        with self._lock:
            found = self._open.pop(path, None)
            if found is not None and not _is_over(found):
                self._open[path] = found
                return found
            if self._closed:
                raise ModelError("the server is being stopped", kind="stopping")
            if found is not None and found.exception() is None:
                found.result().close()
            made = self._open[path] = self._openers.submit(Decoder, path, self._workers)
            self._close_idle()
            return made

    def _close_idle(self) -> None:
        """Close the models that were used longest ago, while more are open than are allowed."""
        for path, future in list(self._open.items())[:-1]:
            if len(self._open) <= self.settings.limits.models:
                return
            if future.done() and (future.exception() is not None or future.result().idle):
                if future.exception() is None:
                    future.result().close()
                del self._open[path]

    def warm(self, name: str | None = None) -> None:
        """Open a model, so that its first request finds it open.

        Raises:
            ModelError: There is no such model, or it cannot be opened.
        """
        self.decoder(name)

    # -- verbs ---------------------------------------------------------------------------------------------------------

    @property
    def active(self) -> int:
        """How many verbs wait or run."""
        return len(self._active)

    def submit(
        self,
        model: str | None,
        verb: str,
        song: bytes | None = None,
        arguments: Mapping[str, Any] | None = None,
        *,
        on_event: Callable[[Event], None] | None = None,
        on_done: Callable[[Writing], None] | None = None,
        on_failed: Callable[[int, Exception], None] | None = None,
    ) -> Writing:
        """Begin a verb, and return at once.

        The callbacks must return at once. What ``on_event`` raises ends this verb.

        Args:
            model: The name of a model; None: the default one.
            verb: generate, infill, accompany, harmonise or vary.
            song: The MIDI file to work on, or the prompt; None: there is none.
            arguments: Keyword arguments of the verb; one without ``seed`` is given a new one.
            on_event: Called with the events, in the decoding thread or a worker thread.
            on_done: Called when it has ended, in a worker thread.
            on_failed: Called with the number and the error of a piece that failed; the others go on. None: the first
                that fails ends all of them.

        Raises:
            Busy: As many verbs wait and run as are allowed.
        """
        own = {name: value for name, value in (arguments or {}).items() if value is not None or name == "bars"}
        own.setdefault("seed", api.seeds_of(None, 1)[0])
        writing = Writing(verb, own["seed"], on_event, self._done(on_done), on_failed)
        with self._lock:
            if self._closed or len(self._active) >= self.settings.limits.waiting:
                raise Busy(self._retry_after())
            self._active.add(writing)
        self._workers.submit(self._plan, writing, model, song, own)
        return writing

    def _plan(self, writing: Writing, model: str | None, song: bytes | None, arguments: dict[str, Any]) -> None:
        if writing.cancelled:
            writing.finish()
            return
        try:
            opened = self._opened(self.path_of(model))
        except Exception as error:
            writing.finish(error)
            return
        # While a model is being opened, no worker waits for it: others have work for them.
        opened.add_done_callback(lambda _: self._workers.submit(self._add, writing, opened, model, song, arguments))

    def _add(
        self,
        writing: Writing,
        opened: Future[Decoder],
        model: str | None,
        song: bytes | None,
        arguments: dict[str, Any],
    ) -> None:
        try:
            decoder = opened.result()
            with collected(writing.remarks):
                planned = plan(decoder.model, writing.verb, *([] if song is None else [song]), **arguments)
            if decoder.add(writing, planned):
                return
        except Exception as error:
            writing.finish(error)
            return
        self._plan(writing, model, song, arguments)  # the model was replaced meanwhile

    def _done(self, on_done: Callable[[Writing], None] | None) -> Callable[[Writing], None]:
        def ended(writing: Writing) -> None:
            with self._lock:
                self._active.discard(writing)
                self._seconds.append(writing.seconds or 0.0)
            if on_done is not None:
                on_done(writing)

        return ended

    def _retry_after(self) -> int:
        """Return about after how many seconds a place is free."""
        return max(1, math.ceil(fmean(self._seconds) * len(self._active) / ROWS))

    @property
    def opened(self) -> int:
        """How many models are open."""
        return len(self._open)

    def work(self, function: Callable[[], _Result]) -> Future[_Result]:
        """Run a function that is no verb in a thread of its own kind, so that verbs never wait for it."""
        return self._others.submit(function)

    def close(self) -> None:
        """Stop all verbs, and end the threads."""
        with self._lock:
            self._closed, active, opened = True, list(self._active), list(self._open.values())
            self._open.clear()
        for writing in active:
            writing.cancel()
        self._openers.shutdown()
        decoders = [future.result() for future in opened if future.exception() is None]
        for decoder in decoders:
            decoder.close()
        for decoder in decoders:
            decoder.join()
        for writing in active:
            writing.wait()
        self._workers.shutdown()
        self._others.shutdown(cancel_futures=True)


def _is_over(opened: Future[Decoder]) -> bool:
    """Whether a model has to be opened again: it could not be, it is closed, or its folder was replaced."""
    return opened.done() and (opened.exception() is not None or not opened.result().fresh)


def _rows(path: Path) -> list[dict[str, Any]]:
    """Describe the model in a folder; one that is not there is described with the reason."""
    try:
        return api.model_rows(path)[:1] or [_missing(path)]
    except ModelError:
        return [_missing(path)]


def _missing(path: Path) -> dict[str, Any]:
    why = f"there is no model folder {path}: put it back, or start again with another --model"
    return {"name": path.name, "path": str(path), "error": why}


def _mark(path: Path) -> _Mark | None:
    """Return the mark of a model folder; None: it is not there."""
    try:
        found = (path / _ABOUT).stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
