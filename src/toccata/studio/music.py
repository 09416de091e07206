"""The music of states: a take's file, and for edits what they make of it."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from pathlib import Path

from toccata.errors import ToccataError
from toccata.studio.operations import apply
from toccata.studio.rows import State, Take
from toccata.studio.store import Store

_CACHED = 64 << 20
"""Bytes of MIDI that are held in memory."""


class Music:
    """Finds the MIDI bytes of states; usable from any thread.

    Attributes:
        unsaved: MIDI of takes whose file could not be written yet.
    """

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder, self._store = folder, store
        self.unsaved: dict[str, bytes] = {}
        self._cache: OrderedDict[State, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def of(self, state: State) -> bytes:
        """Return the MIDI bytes of a state.

        Raises:
            ToccataError: A file that they are made from is missing.
        """
        waiting: list[State] = []
        here = state
        while (midi := self._known(here)) is None:  # go back to what is known; a loop, as chains may be long
            take = self.take(here.take)
            if take.is_edits and take.origin is not None:
                waiting.append(here)
                here = take.origin
            elif take.state in ("failed", "growing") and take.origin is not None:
                here = take.origin  # there is nothing of it yet, or there never was
            else:
                raise ToccataError(
                    f"the music of the take {take.title!r} is not in the library any more: {self._where(take)} is "
                    "missing; put it back, or go to another take",
                    kind="missing",
                )
        while waiting:
            base, here = here, waiting.pop()
            midi = self._edited(here, base, midi)
        return midi

    def put(self, state: State, midi: bytes) -> None:
        """Remember the music of a state."""
        with self._lock:
            if (old := self._cache.pop(state, None)) is not None:
                self._size -= len(old)
            self._cache[state] = midi
            self._size += len(midi)
            while self._size > _CACHED and len(self._cache) > 1:
                self._size -= len(self._cache.popitem(last=False)[1])

    def take(self, name: str) -> Take:
        """Return a take.

        Raises:
            ToccataError: There is none.
        """
        row = self._store.do(lambda db: db.execute("SELECT * FROM take WHERE id = ?", (name,)).fetchone())
        if row is None:
            raise ToccataError("there is no such take: load the piece again", kind="not-found")
        return Take.of(row)

    def edits(self, take: str) -> int:
        """Return how many edits a take has."""
        found = self._store.do(lambda db: db.execute("SELECT count(*) FROM edit WHERE take = ?", (take,)).fetchone())
        return int(found[0])

    def _known(self, state: State) -> bytes | None:
        with self._lock:
            if (midi := self._cache.get(state)) is not None:
                self._cache.move_to_end(state)
                return midi
        take = self.take(state.take)
        if take.is_edits and state.cursor != self.edits(take.id):
            return None
        midi = self.unsaved.get(take.id)
        if midi is None and take.file is not None:
            try:
                midi = self._where(take).read_bytes()
            except OSError:
                return None
        if midi is not None:
            self.put(state, midi)
        return midi

    def _edited(self, state: State, base: State, midi: bytes) -> bytes:
        """Return the music of a state of an edit take, of which ``base`` is the parent."""
        with self._lock:
            cached = [c for c in range(state.cursor, 0, -1) if State(state.take, c) in self._cache]
            start = cached[0] if cached else 0
            midi = self._cache[State(state.take, start)] if cached else midi
        rows = self._store.do(
            lambda db: db.execute(
                "SELECT number, operations FROM edit WHERE take = ? AND number > ? AND number <= ? ORDER BY number",
                (state.take, start, state.cursor),
            ).fetchall()
        )
        for row in rows:
            midi = apply(midi, json.loads(row["operations"]))
            self.put(State(state.take, row["number"]), midi)
        return midi

    def _where(self, take: Take) -> Path:
        row = self._store.do(lambda db: db.execute("SELECT folder FROM piece WHERE id = ?", (take.piece,)).fetchone())
        return self._folder / str(row["folder"]) / str(take.file)
