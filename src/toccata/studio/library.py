"""The library: pieces and their takes, on disk; nothing that was answered is ever lost.

A take's file is written before its row says that it is there. An idea that grows is in the database with the notes so
far; when a process dies, the next one makes a stopped take of them.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from toccata.errors import ToccataError
from toccata.studio.folders import explained, is_file_of, new_folder, plain_name, renamed_folder, save
from toccata.studio.music import Music
from toccata.studio.rows import EDITS, LockedNote, PieceRow, State, Take, TakeStatus, insert_take, new_id, write_locks
from toccata.studio.song import Song, open_song
from toccata.studio.store import DATABASE, Store

BURST = 20.0
"""Seconds after the last edit for which an edit goes into the same take."""
_MOST_RATINGS = 100_000


class Library:
    """A folder of pieces; usable from any thread, by one process at a time.

    Attributes:
        folder: The folder.
        store: Its database.
        music: The music of states.
        lock: Held while a piece is changed.
        on_take: Called with every take that was changed.
    """

    def __init__(self, folder: Path) -> None:
        """Open a library, or make one, and bring rows and files together.

        Raises:
            ToccataError: It cannot be read or written.
        """
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explained(error, folder) from None
        self.store = Store(folder / DATABASE)
        self.music = Music(folder, self.store)
        self.lock = threading.RLock()
        self.on_take: Callable[[Take], None] = lambda _: None
        self._waiting: dict[str, dict[str, Any]] = {}  # takes whose file is not written, and the rest of their rows
        self._remarks: dict[str, str] = {}  # why they are not written

    def close(self) -> None:
        """Write what is not written yet, and close the database."""
        with suppress(ToccataError):
            self.tend(idle=0.0)
        self.store.close()

    # -- pieces --------------------------------------------------------------------------------------------------------

    def pieces(self) -> list[PieceRow]:
        """Return all pieces, deleted ones too, the one that was changed last first."""
        rows = self.store.do(lambda db: db.execute("SELECT * FROM piece ORDER BY changed DESC").fetchall())
        return [PieceRow.of(row) for row in rows]

    def piece(self, name: str) -> PieceRow:
        """Return a piece.

        Raises:
            ToccataError: There is none.
        """
        row = self.store.do(lambda db: db.execute("SELECT * FROM piece WHERE id = ?", (name,)).fetchone())
        if row is None:
            raise ToccataError("there is no such piece in the library", kind="not-found")
        return PieceRow.of(row)

    def create(self, title: str, midi: bytes, *, folder: str | None = None, file: str | None = None) -> PieceRow:
        """Make a piece of a MIDI file that the studio can work on, see ``song.imported``.

        Args:
            title: Its name.
            midi: Its music.
            folder: Where its file is already; None: it is written.
            file: The name of that file.
        """
        bars = open_song(midi).bar_count
        with self.lock:
            place = new_folder(self.folder, title, self._folders()) if folder is None else folder
            name = file or "001 start.mid"
            if file is None:
                save(self.folder / place / name, midi)
            now, piece, take = time.time(), new_id(), new_id()

            def insert(db: sqlite3.Connection) -> None:
                db.execute(
                    "INSERT INTO piece (id, title, folder, created, changed, bars) VALUES (?, ?, ?, ?, ?, ?)",
                    (piece, title, place, now, now, bars),
                )
                insert_take(
                    db, id=take, piece=piece, kind="import", state="finished", title=title, file=name,
                    sha256=hashlib.sha256(midi).hexdigest(),
                )  # fmt: skip
                db.execute("INSERT INTO history VALUES (?, 0, ?, 0)", (piece, take))

            self.store.do(insert)
            return self.piece(piece)

    def change_piece(self, name: str, *, title: str | None = None, deleted: bool | None = None) -> PieceRow:
        """Rename, delete or restore a piece. Its folder is renamed with it, where the system lets it."""
        with self.lock:
            return self._change_piece(self.piece(name), title, deleted)

    def _change_piece(self, row: PieceRow, title: str | None, deleted: bool | None) -> PieceRow:
        name, folder = row.id, row.folder
        if title is not None:  # found again if the process dies right now
            folder = renamed_folder(self.folder, row.folder, title, self._folders() - {row.folder})

        def change(db: sqlite3.Connection) -> None:
            if title is not None:
                db.execute(
                    "UPDATE piece SET title = ?, folder = ?, changed = ? WHERE id = ?",
                    (title, folder, time.time(), name),
                )
            if deleted is not None:
                db.execute("UPDATE piece SET deleted = ? WHERE id = ?", (time.time() if deleted else None, name))

        try:
            self.store.do(change)
        except ToccataError:
            if folder != row.folder:
                with suppress(OSError):
                    (self.folder / folder).rename(self.folder / row.folder)
            raise
        return self.piece(name)

    def _folders(self) -> set[str]:
        """Return the folders of all pieces, whether they are there or not."""
        return {row.folder for row in self.pieces()}

    def find_folder(self, row: PieceRow) -> bool:
        """Find the folder of a piece, which may have been renamed by hand, by the file of its first take.

        Returns:
            Whether it is there.
        """
        if (self.folder / row.folder).is_dir():
            return True
        first = next((take for take in self.takes(row.id) if take.file is not None), None)
        known = self._folders()
        if first is None:
            return False
        for path in self.folder.iterdir():
            if path.name not in known and path.is_dir() and is_file_of(path / str(first.file), self.digest(first.id)):
                self.set_folder(row.id, path.name)
                return True
        return False

    def state(self, piece: str) -> State:
        """Return the state of a piece: what is on screen."""
        row = self.store.do(
            lambda db: db.execute(
                "SELECT take, cursor FROM history JOIN piece ON piece.id = history.piece "
                "WHERE piece.id = ? AND history.position = piece.position",
                (piece,),
            ).fetchone()
        )
        if row is None:
            raise ToccataError("there is no such piece in the library", kind="not-found")
        return State(row["take"], row["cursor"])

    def song(self, state: State) -> Song:
        """Return the music of a state."""
        return open_song(self.music.of(state))

    def locks(self, piece: str) -> list[LockedNote]:
        """Return the locked notes of a piece."""
        rows = self.store.do(
            lambda db: db.execute("SELECT track, tick, pitch FROM locked WHERE piece = ?", (piece,)).fetchall()
        )
        return [LockedNote(*row) for row in rows]

    def set_locks(self, piece: str, locks: Sequence[LockedNote]) -> None:
        """Replace the locked notes of a piece."""
        self.piece(piece)
        self.store.do(lambda db: write_locks(db, piece, locks))

    # -- takes ---------------------------------------------------------------------------------------------------------

    def take(self, name: str) -> Take:
        """Return a take; one whose file is not written yet says so.

        Raises:
            ToccataError: There is none.
        """
        return self._with_remark(self.music.take(name))

    def takes(self, piece: str) -> list[Take]:
        """Return the takes of a piece, in the order in which they were made."""
        rows = self.store.do(
            lambda db: db.execute("SELECT * FROM take WHERE piece = ? ORDER BY number", (piece,)).fetchall()
        )
        return [self._with_remark(Take.of(row)) for row in rows]

    def end_of(self, take: Take) -> State:
        """Return the state of a take with all its edits."""
        return State(take.id, self.music.edits(take.id) if take.is_edits else 0)

    def take_song(self, take: Take) -> Song:
        """Return the music of a take with all its edits."""
        return self.song(self.end_of(take))

    def parent_song(self, take: Take) -> Song | None:
        """Return the music that a take was made from; None: there is none."""
        return None if take.origin is None else self.song(take.origin)

    def change_take(self, name: str, **values: Any) -> Take:
        """Change columns of a take's row, and say so."""
        self._update(name, values)
        take = self.take(name)
        self.on_take(take)
        return take

    def finish_take(self, name: str, midi: bytes, state: TakeStatus, **values: Any) -> Take:
        """Write the file of a take, then say in its row that it is there.

        Where it cannot be written (the disk is full), the music is held in memory, and written as soon as it can be.
        """
        take = self.music.take(name)
        with self.lock:  # against the thread that writes what waits: each take is written once
            self.music.put(self.end_of(take), midi)
            self.music.unsaved[name] = midi
            self._waiting[name] = {**values, "state": state}
            try:
                self._write(name)
            except ToccataError as error:
                self._remarks[name] = (
                    f"{error.message}; this take is held in memory, and saved as soon as there is room"
                )
            done = self.take(name)
        self.on_take(done)
        return done

    def _write(self, name: str) -> None:
        """Write the file of a take that waits, and its row; the library's lock is held."""
        take, midi, values = self.music.take(name), self.music.unsaved[name], self._waiting[name]
        file = take.file or f"{take.number:03} {plain_name(take.title, take.kind)}.mid"
        if take.growing is not None:  # where the process dies after the file is written, the next one finds this
            growing = {**json.loads(take.growing), "ending": values["state"]}
            self._update(name, {**values, "state": take.state, "file": file, "growing": json.dumps(growing)})
        self.find_folder(self.piece(take.piece))  # it may have been renamed meanwhile
        digest = save(self.folder / self.piece(take.piece).folder / file, midi)
        self._update(name, {**values, "file": file, "sha256": digest, "growing": None})
        del self.music.unsaved[name], self._waiting[name]
        self._remarks.pop(name, None)

    def tend(self, idle: float = BURST) -> None:
        """Write the files of edit takes that are not edited any more, and what could not be written before.

        Args:
            idle: Seconds since the last edit.

        Raises:
            ToccataError: The database cannot be written.
        """
        with self.lock:
            for name in list(self._waiting):
                with suppress(ToccataError):
                    self._write(name)
                    self.on_take(self.take(name))
        open_edits = "SELECT id FROM take WHERE kind IN (?, ?) AND file IS NULL AND last_edit <= ?"
        rows = self.store.do(lambda db: db.execute(open_edits, (*EDITS, time.time() - idle)).fetchall())
        for row in rows:
            try:
                self.close_edits(row["id"])
            except ToccataError as error:  # what it is made of is gone: the others do not wait for it
                if self.take(row["id"]).error != error.message:
                    self.change_take(row["id"], error=error.message)

    def is_closed(self, take: Take) -> bool:
        """Whether edits go into a take no more."""
        return not take.is_edits or take.file is not None or take.id in self._waiting

    def close_edits(self, name: str) -> None:
        """Write the file of an edit take; what is edited from now on is another take."""
        with self.lock:
            take = self.music.take(name)
            if not self.is_closed(take):
                self.finish_take(name, self.music.of(self.end_of(take)), "finished")

    def _update(self, name: str, values: dict[str, Any]) -> None:
        columns = ", ".join(f"{column} = ?" for column in values)
        self.store.do(lambda db: db.execute(f"UPDATE take SET {columns} WHERE id = ?", (*values.values(), name)))

    def _with_remark(self, take: Take) -> Take:
        """Return a take as it is in memory, where its file could not be written yet."""
        waiting = self._waiting.get(take.id)
        if waiting is None:
            return take
        known = {key: value for key, value in waiting.items() if key in Take.__dataclass_fields__}
        own = known.pop("error", None)
        return replace(take, **known, error=self._remarks.get(take.id) or own)

    def set_folder(self, piece: str, folder: str) -> None:
        """Note that the folder of a piece has another name."""
        self.store.do(lambda db: db.execute("UPDATE piece SET folder = ? WHERE id = ?", (folder, piece)))

    def digest(self, take: str) -> str | None:
        """Return the SHA-256 of a take's file, as it was written."""
        row = self.store.do(lambda db: db.execute("SELECT sha256 FROM take WHERE id = ?", (take,)).fetchone())
        return None if row is None else row["sha256"]

    def set_report(self, name: str, report: str) -> None:
        """Save the report of a take, as JSON."""
        self._update(name, {"report": report})

    def rate(self, a: str, b: str, better: str) -> None:
        """Note which of two takes was found better: ``a``, ``b`` or neither, ``same``."""
        self.music.take(a), self.music.take(b)

        def insert(db: sqlite3.Connection) -> None:
            if db.execute("SELECT count(*) FROM rating").fetchone()[0] < _MOST_RATINGS:
                db.execute("INSERT INTO rating VALUES (?, ?, ?, ?)", (a, b, better, time.time()))

        self.store.do(insert)

    def setting(self, key: str) -> str | None:
        """Return a setting."""
        row = self.store.do(lambda db: db.execute("SELECT value FROM setting WHERE key = ?", (key,)).fetchone())
        return None if row is None else str(row["value"])

    def set_setting(self, key: str, value: str) -> None:
        """Change a setting."""
        self.store.do(lambda db: db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, value)))
