"""Trainings that the page begins, watches, pauses and goes on with."""

from __future__ import annotations

import importlib.util
import logging
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from toccata import api
from toccata.errors import ArgumentError, MissingExtra, RequestError, ToccataError, shown
from toccata.server.decoding import Decoders, Writing
from toccata.studio import process
from toccata.studio.curve import Curve
from toccata.studio.folders import explained, plain_name, save
from toccata.studio.hub import Hub
from toccata.studio.library import Library
from toccata.studio.musicfolders import MusicFolders
from toccata.studio.rows import new_id

_LOG = logging.getLogger("toccata.studio")
_EVERY = 1.0
_PATIENCE = 20.0
"""Seconds in which a training that is cancelled ends by itself."""
_SAMPLES, _BARS = 2, 8
_ENDING = {"pausing": "paused", "cancelling": "cancelled"}
"""States of a training that is to end, and what it is then."""
_LIVE = ("checking", "running", *_ENDING)
_LONGEST = 10_000.0
_GONE = "its folder is gone: begin it again"


@dataclass(frozen=True)
class _Row:
    """A training as the database has it."""

    id: str
    name: str
    kind: str
    music: str
    base: str | None
    minutes: float
    state: str
    pid: int | None
    started: str | None
    error: str | None
    created: float


class Trainings:
    """The trainings of a library; usable from any thread."""

    def __init__(self, library: Library, music: MusicFolders, decoders: Decoders, hub: Hub) -> None:
        self._library, self._music, self._decoders, self._hub = library, music, decoders, hub
        self._handles: dict[str, subprocess.Popen[bytes]] = {}
        self._ending_since: dict[str, float] = {}  # when this process saw first that a training is to end
        self._seen: dict[str, Any] = {}
        self._curves: dict[str, Curve] = {}
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="trainings", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching; trainings go on."""
        self._ended.set()
        self._thread.join()
        for handle in self._handles.values():
            process.leave(handle)

    def all(self) -> list[dict[str, Any]]:
        """Return all trainings, the latest first."""
        return [self._shown(row) for row in self._rows()]

    def one(self, name: str) -> dict[str, Any]:
        """Return a training."""
        return self._shown(self._row(name))

    def begin(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Begin a training or a finetuning.

        Args:
            body: ``{kind, music, name, minutes, base?}``.

        Raises:
            ToccataError: It cannot be begun, and why.
        """
        kind, music, minutes = body.get("kind"), body.get("music"), body.get("minutes")
        if kind not in ("train", "finetune"):
            raise ArgumentError(f"kind must be train or finetune, not {shown(kind)}")
        whole = isinstance(minutes, int | float) and not isinstance(minutes, bool)
        if not whole or not 0.01 <= float(minutes or 0) <= _LONGEST:
            raise ArgumentError(f"minutes must be a number up to {_LONGEST:,.0f}, not {shown(minutes)}")
        if not isinstance(body.get("name"), str) or not isinstance(music, str):
            raise ArgumentError("name must be the name of the new model, and music that of a folder")
        name = plain_name(str(body["name"]), "")
        if not name:
            raise ArgumentError("a model needs a name that can be a folder's: letters and figures")
        if importlib.util.find_spec("torch") is None:
            raise MissingExtra('training needs torch: pip install "toccata[train]"')
        folder = self._music.filled(music)
        base = None if kind == "train" else str(self._decoders.path_of(_text_or_none(body.get("base"))))
        with self._lock:
            if busy := next((row for row in self._rows() if row.state in _LIVE), None):
                raise RequestError(f"{busy.name} is being trained: pause it first, or wait for its end")
            if self._out(name).exists() or name in {str(known["name"]) for known in self._decoders.models()}:
                raise RequestError(f"there is a model {name} already: choose another name")
            row = _Row(
                new_id(), name, str(kind), music, base, float(minutes or 0), "checking", None, None, None, time.time()
            )
            self._library.store.do(
                lambda db: db.execute("INSERT INTO training VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(row))
            )
            try:
                self._start(row, folder)
            except ToccataError:
                self._library.store.do(lambda db: db.execute("DELETE FROM training WHERE id = ?", (row.id,)))
                raise
            return self._tell(row.id)

    def pause(self, name: str) -> dict[str, Any]:
        """Stop a training in order; what it has learned is on disk, and it can be gone on with."""
        return self._stop(name, "pausing")

    def cancel(self, name: str) -> dict[str, Any]:
        """Stop a training, and remove what it has made so far."""
        row = self._row(name)
        if row.state in _LIVE:
            return self._stop(name, "cancelling")
        if row.state in ("paused", "failed"):
            self._remove(row)
            self._change(name, state="cancelled", error=None)
        return self._tell(name)

    def resume(self, name: str) -> dict[str, Any]:
        """Go on with a training that was paused or has failed, exactly where it was."""
        with self._lock:
            row = self._row(name)
            if row.state not in ("paused", "failed"):
                raise RequestError(f"{row.name} is {row.state}: there is nothing to go on with")
            if busy := next((other for other in self._rows() if other.state in _LIVE), None):
                raise RequestError(f"{busy.name} is being trained: pause it first, or wait for its end")
            if not self._owns(row):
                raise RequestError(f"a later training is called {row.name}, too: go on with that one")
            self._start(row, self._music.filled(row.music))
            return self._tell(name)

    def sample(self, name: str, number: int) -> Path:
        """Return the file of a sample piece.

        Raises:
            ToccataError: There is none.
        """
        found = self._samples(self._row(name))
        if not 1 <= number <= len(found):
            raise ToccataError("there is no such sample piece", kind="not-found")
        return found[number - 1][0]

    # -- processes -----------------------------------------------------------------------------------------------------

    def _start(self, row: _Row, music: Path) -> None:
        command = ["train" if row.base is None else "finetune", str(music), "-o", str(self._out(row.name))]
        command += ["--minutes", f"{row.minutes:g}"] + ([] if row.base is None else ["--model", row.base])
        try:
            (self._library.folder / "models").mkdir(exist_ok=True)
            self._handles[row.id] = process.begin(command, self._library.folder, self._output(row.id))
        except OSError as error:
            raise explained(error, self._output(row.id)) from None
        pid = self._handles[row.id].pid
        try:
            self._change(row.id, state="checking", error=None, pid=pid)
        except ToccataError:  # a process that nobody knows of must not go on
            process.kill(pid)
            raise

    def _stop(self, name: str, as_what: str) -> dict[str, Any]:
        with self._lock:
            row = self._row(name)
            if row.state not in _LIVE:
                raise RequestError(f"{row.name} is {row.state}: there is nothing to stop")
            ending = row.state in _ENDING  # a second signal would end it in the middle of a step
            if not ending or as_what == "cancelling":
                self._change(name, state=as_what)
            if not ending and (pid := self._pid(row)) is not None:
                process.stop(pid)
            return self._tell(name)

    def _pid(self, row: _Row) -> int | None:
        """Return the id of the process of a training; None: it has ended."""
        handle = self._handles.get(row.id)
        if handle is not None:
            return handle.pid if handle.poll() is None else None
        out = self._out(row.name)  # a studio that ran before has begun it
        if row.pid is None:  # the studio ended before it could note the process
            return process.writer_of(out)
        there = process.writer_of(out) == row.pid or process.names(row.pid, str(out))
        return row.pid if there else None

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY):
            try:
                for row in self._rows():
                    if row.state in _LIVE:
                        self._look_after(row)
            except Exception:  # a folder that vanishes while it is read; it is looked at again in a second
                _LOG.exception("a training")

    def _look_after(self, row: _Row) -> None:
        with self._lock:
            row = self._row(row.id)
            pid = self._pid(row)
            if pid is not None:
                if row.state == "checking" and self._curve(row).rows():
                    self._change(row.id, state="running")
                if row.state == "cancelling":
                    now = time.monotonic()
                    if now - self._ending_since.setdefault(row.id, now) > _PATIENCE:
                        process.kill(pid)
                self._tell(row.id, only_news=True)
                return
            self._handles.pop(row.id, None)
            self._ending_since.pop(row.id, None)
            if self._is_finished(row):
                self._change(row.id, state="finished", error=None)
                self._write_samples(row)
            elif row.state in _ENDING:
                if row.state == "cancelling":
                    self._remove(row)
                self._change(row.id, state=_ENDING[row.state], error=None)
            else:
                there = self._out(row.name).exists()
                why = process.last_line(self._output(row.id)) or "it ended without a word"
                self._change(row.id, state="failed", error=why if there or row.state == "checking" else _GONE)
            self._tell(row.id)

    def _is_finished(self, row: _Row) -> bool:
        try:
            return api.is_trained(self._out(row.name))
        except ToccataError:
            return False

    def _write_samples(self, row: _Row) -> None:
        """Let a finished model write a few bars to listen to."""

        def written(writing: Writing) -> None:
            for number, piece in enumerate(writing.result, 1):
                with suppress(ToccataError, OSError):
                    self._place(row.id).mkdir(parents=True, exist_ok=True)
                    save(self._place(row.id) / f"sample-{number}.mid", piece.midi)
            if not self._ended.is_set():
                self._tell(row.id)

        with suppress(ToccataError):
            arguments = {"n": _SAMPLES, "bars": _BARS, "seed": 0}
            self._decoders.submit(row.name, "generate", None, arguments, on_done=written)

    def _owns(self, row: _Row) -> bool:
        """Whether the folder of its name is a training's: a later one of that name has taken it from earlier ones."""
        return next(other.id for other in self._rows() if other.name == row.name) == row.id

    def _remove(self, row: _Row) -> None:
        if self._owns(row) and not self._is_finished(row):
            shutil.rmtree(self._out(row.name), ignore_errors=True)

    # -- what is known -------------------------------------------------------------------------------------------------

    def _rows(self) -> list[_Row]:
        rows = self._library.store.do(lambda db: db.execute("SELECT * FROM training ORDER BY created DESC").fetchall())
        return [_Row(**dict(row)) for row in rows]

    def _row(self, name: str) -> _Row:
        found = next((row for row in self._rows() if row.id == name), None)
        if found is None:
            raise ToccataError("there is no such training", kind="not-found")
        return found

    def _change(self, name: str, **values: Any) -> None:
        columns = ", ".join(f"{column} = ?" for column in values)
        self._library.store.do(
            lambda db: db.execute(f"UPDATE training SET {columns} WHERE id = ?", (*values.values(), name))
        )

    def _tell(self, name: str, only_news: bool = False) -> dict[str, Any]:
        training = self._shown(self._row(name))
        news = [*training["curve"][-1:], training["state"], len(training["samples"])]
        if not only_news or self._seen.get(name) != news:
            self._seen[name] = news
            self._hub.publish({"type": "training", "training": training})
        return training

    def _shown(self, row: _Row) -> dict[str, Any]:
        owns = self._owns(row)
        curve = self._curve(row)
        points, seconds = (curve.points(), curve.seconds) if owns else ([], 0.0)
        share = min(0.99, seconds / (row.minutes * 60))
        left = max(0.0, row.minutes * 60 - seconds) if row.state in _LIVE else None
        error = row.error
        if row.state == "paused" and not self._out(row.name).exists():
            error = _GONE
        return {
            "id": row.id,
            "name": row.name,
            "kind": row.kind,
            "music": row.music,
            "state": row.state,
            "done": 1.0 if row.state == "finished" else share,
            "secondsLeft": left,
            "curve": points,
            "samples": [
                {"url": f"/studio/trainings/{row.id}/samples/{number}.mid", "step": step}
                for number, (_, step) in enumerate(self._samples(row), 1)
            ],
            "error": error,
        }

    def _samples(self, row: _Row) -> list[tuple[Path, int | None]]:
        """Return the sample pieces: those written meanwhile, with their steps, and those of the finished model."""
        meanwhile: list[tuple[Path, int | None]] = []
        if self._owns(row):
            meanwhile = [(path, step) for step, path in api.training_samples(self._out(row.name))]
        return [*meanwhile, *((path, None) for path in sorted(self._place(row.id).glob("sample-*.mid")))]

    def _curve(self, row: _Row) -> Curve:
        return self._curves.setdefault(row.id, Curve(self._out(row.name) / "training" / "log.csv"))

    def _out(self, name: str) -> Path:
        return self._library.folder / "models" / name

    def _place(self, name: str) -> Path:
        return self._library.folder / "trainings" / name

    def _output(self, name: str) -> Path:
        return self._place(name) / "output.txt"


def _text_or_none(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ArgumentError(f"base must be the name of a model, not {shown(value)}")
    return value
