"""Work over many files in processes that may crash or hang: that costs the file, not the run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain, islice
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

from toccata.errors import MidiError, MidiUnavailableError, ToccataError

WORKER_NAME = "toccata-files"
"""The prefix of the names of worker processes."""
NO_WORKERS = "no-workers"
"""The kind of the error that worker processes cannot start, or ended before their time."""

Result = TypeVar("Result")

_BATCH = 16
_FEW = 8


def map_files(
    paths: Iterable[Path],
    work: Callable[[Path], Result],
    *,
    processes: int | None = None,
    timeout: float = 30.0,
) -> Iterator[tuple[Path, Result | MidiError]]:
    """Run ``work`` over many files in worker processes; results come as they are ready, in no set order.

    At most sixteen files a worker are under way, so that memory does not grow with the number of files. A worker that
    crashes, or takes longer than ``timeout`` over one file, costs that file alone: it comes back as a MidiError, and a
    new worker carries on. Errors that ``work`` raises come back the same way. Closing the iterator, or Ctrl-C, ends the
    workers.

    Args:
        paths: The files; drawn as they are needed.
        work: A function of a module, or a `functools.partial` of one; it and its results travel between processes.
        processes: How many workers; by default as many as there are processors, and one for up to eight files. With 0,
            and where a process may not start others, the work is done here, without a time limit.
        timeout: Seconds that one file may take.

    Yields:
        Each path with the result of ``work``, or the MidiError that says what went wrong.
    """
    remaining = iter(paths)
    if processes is None:
        first = list(islice(remaining, _FEW + 1))
        # A few files are done before a second worker would have started.
        processes = 1 if len(first) <= _FEW else _processors()
        remaining = chain(first, remaining)
    if processes <= 0 or multiprocessing.current_process().daemon:
        for path in remaining:
            yield path, _done(work, path)
        return
    # A short list is cut into smaller batches, so that all workers end at about the same time.
    batch = _BATCH if not isinstance(paths, Sized) else min(_BATCH, max(1, len(paths) // (4 * processes)))
    yield from _pooled(remaining, work, processes, batch, timeout)


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def _done(work: Callable[[Path], Result], path: Path) -> Result | MidiError:
    """The result of ``work``, or its error as a MidiError that names the file."""
    try:
        return work(path)
    except MidiError as error:
        return error if error.path is not None else type(error)(f"{path}: {error.message}", path=path, kind=error.kind)
    except ToccataError as error:
        return MidiError(error.message, path=path, kind=error.kind)
    except Exception as error:
        kind = MidiUnavailableError if isinstance(error, OSError | MemoryError) else MidiError
        return kind(f"{path}: {type(error).__name__}: {' '.join(str(error).split())[:300]}", path=path)


class _Worker:
    """A process, its pipe, and the files it was given and has not answered for."""

    def __init__(self, work: Callable[[Path], object], number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_serve, args=(theirs, work), name=f"{WORKER_NAME}-{number}", daemon=True
        )
        with main_left_alone(work), interrupts_deferred():
            self.process.start()
        theirs.close()
        self.pending: deque[Path] = deque()
        self.ready = False
        self.since = time.monotonic()

    def give(self, paths: list[Path]) -> None:
        """Hand over files. Only to a worker that has none: it is listening then, and neither side can block."""
        self.pending.extend(paths)
        self.since = time.monotonic()
        with suppress(OSError):  # if it has died, its silence will say so
            self.pipe.send(paths)

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
        self.process.close()


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """A block in which this process defers Ctrl-C until the end, and whose child processes never receive it.

    In a terminal it reaches every process, and one that is still importing modules would print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # its first start would let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def main_left_alone(work: Callable[..., object]) -> Iterator[None]:
    """Keep a new process from running the program's main script again, unless ``work`` is defined there.

    Spawned processes do that to find functions by name. Ours find theirs in modules, so that a script needs no
    ``if __name__ == "__main__"`` to use them, and one read from standard input works too.
    """
    function = work
    while isinstance(function, partial):
        function = function.func
    main = sys.modules["__main__"]
    if getattr(function, "__module__", None) == "__main__":
        yield
        return
    saved: dict[str, object] = {name: vars(main)[name] for name in ("__file__", "__spec__") if name in vars(main)}
    try:
        vars(main).pop("__file__", None)
        vars(main)["__spec__"] = None
        yield
    finally:
        vars(main).update(saved)


def _serve(pipe: Connection, work: Callable[[Path], object]) -> None:
    """The main function of a worker: report that it is ready, then process batches of files and send the results."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    try:
        pipe.send(None)
        while True:
            for path in pipe.recv():
                result = _done(work, path)
                try:
                    pipe.send(result)
                except (BrokenPipeError, ConnectionResetError):
                    return
                except Exception as error:
                    pipe.send(MidiError(f"{path}: the result cannot be sent: {error}", path=path))
    except (EOFError, OSError):
        return  # the parent has gone


def _pooled(
    paths: Iterator[Path], work: Callable[[Path], Result], processes: int, size: int, timeout: float
) -> Iterator[tuple[Path, Result | MidiError]]:
    """``map_files`` with workers, ``size`` files given to one at a time."""
    again: deque[Path] = deque()  # files that a lost worker still had before it
    workers: list[_Worker] = []
    started = 0

    def next_batch() -> list[Path]:
        return [again.popleft() for _ in range(min(size, len(again)))] or list(islice(paths, size))

    def lost(worker: _Worker, reason: str, kind: type[MidiError] = MidiError) -> MidiError:
        """End a worker; return the error for the file that it was processing."""
        worker.stop()
        workers.remove(worker)
        path = worker.pending.popleft()
        again.extend(worker.pending)
        return kind(f"{path}: {reason}", path=path)

    try:
        batch = next_batch()
        while batch or workers:
            while batch and len(workers) < processes:
                worker = _Worker(work, started)
                started += 1
                workers.append(worker)
                worker.give(batch)
                batch = next_batch()
            for worker in _speaking(workers, timeout):
                try:
                    message = worker.pipe.recv()
                except (EOFError, OSError):
                    if not worker.ready:
                        raise _cannot_start() from None
                    error = lost(worker, "crashed the parser")
                    yield error.path or Path(), error
                    continue
                worker.since = time.monotonic()
                if not worker.ready:
                    worker.ready = True
                    continue
                path = worker.pending.popleft()
                if not worker.pending:
                    batch = batch or next_batch()
                    if batch:
                        worker.give(batch)
                        batch = []
                    else:
                        worker.stop()
                        workers.remove(worker)
                before = time.monotonic()
                yield path, message
                away = time.monotonic() - before
                for other in workers:  # the time our caller takes is not the workers'
                    other.since += away
            now = time.monotonic()
            for worker in [w for w in workers if w.ready and now - w.since > timeout and not w.pipe.poll()]:
                error = lost(worker, f"took longer than {timeout:g} s", MidiUnavailableError)
                yield error.path or Path(), error
            batch = batch or next_batch()
    finally:
        for worker in workers:
            worker.stop()


def _speaking(workers: list[_Worker], timeout: float) -> list[_Worker]:
    """The workers that have something to say, waited for until the next one's time is up."""
    if not workers:
        return []
    now = time.monotonic()
    patience = min((w.since + timeout - now for w in workers if w.ready), default=timeout)
    readable = set(wait([w.pipe for w in workers], max(0.01, patience)))
    return [w for w in workers if w.pipe in readable]


def _cannot_start() -> ToccataError:
    return ToccataError(
        "worker processes cannot start; in a script, call this from under `if __name__ == '__main__':`",
        kind=NO_WORKERS,
    )
