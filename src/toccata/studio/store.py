"""The library's database: SQLite with one thread that reads and writes, and migrations that copy the file first."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from toccata.errors import ToccataError

DATABASE = "library.sqlite"
T = TypeVar("T")
_FIRST = """
CREATE TABLE piece (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, folder TEXT NOT NULL, created REAL NOT NULL, changed REAL NOT NULL,
    deleted REAL, seq INTEGER NOT NULL DEFAULT 0, position INTEGER NOT NULL DEFAULT 0, bars INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE take (
    id TEXT PRIMARY KEY, piece TEXT NOT NULL REFERENCES piece(id), number INTEGER NOT NULL, parent TEXT,
    parent_cursor INTEGER NOT NULL DEFAULT 0, kind TEXT NOT NULL, state TEXT NOT NULL, title TEXT NOT NULL,
    star INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL, file TEXT, sha256 TEXT, verb TEXT, first_bar INTEGER,
    last_bar INTEGER, tracks TEXT NOT NULL DEFAULT '[]', request TEXT, batch TEXT, model TEXT, model_digest TEXT,
    seed INTEGER, notes INTEGER NOT NULL DEFAULT 0, outside INTEGER, error TEXT, deleted REAL, growing TEXT,
    report TEXT, last_edit REAL
);
CREATE INDEX take_piece ON take(piece, number);
CREATE TABLE edit (
    take TEXT NOT NULL REFERENCES take(id), number INTEGER NOT NULL, operations TEXT NOT NULL, locks TEXT,
    time REAL NOT NULL, PRIMARY KEY (take, number)
);
CREATE TABLE history (
    piece TEXT NOT NULL REFERENCES piece(id), position INTEGER NOT NULL, take TEXT NOT NULL, cursor INTEGER NOT NULL,
    PRIMARY KEY (piece, position)
);
CREATE TABLE locked (
    piece TEXT NOT NULL REFERENCES piece(id), track TEXT NOT NULL, tick INTEGER NOT NULL, pitch INTEGER NOT NULL,
    PRIMARY KEY (piece, track, tick, pitch)
);
CREATE TABLE rating (a TEXT NOT NULL, b TEXT NOT NULL, better TEXT NOT NULL, time REAL NOT NULL);
CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE training (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, music TEXT NOT NULL, base TEXT, minutes REAL,
    state TEXT NOT NULL, pid INTEGER, started TEXT, error TEXT, created REAL NOT NULL
);
"""
MIGRATIONS: tuple[str, ...] = (_FIRST,)
"""What makes a database of version n + 1 of one of version n."""


class Store:
    """A database; usable from any thread.

    Attributes:
        path: Its file.
    """

    def __init__(self, path: Path, migrations: tuple[str, ...] = MIGRATIONS) -> None:
        """Open or make the database, and bring it to this version.

        Raises:
            ToccataError: It cannot be opened, or a newer toccata has made it.
        """
        self.path, self._migrations = path, migrations
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="library")
        self._thread: int | None = None
        self._db = self._in_thread(self._open)

    def do(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``act`` in a transaction, which is on disk when this returns, or was never begun if it raises.

        Raises:
            ToccataError: The disk is full, or the file cannot be written.
        """
        if threading.get_ident() == self._thread:
            return act(self._db)  # part of the transaction that is running
        return self._in_thread(lambda: self._transaction(act))

    def close(self) -> None:
        """Close the database."""
        with suppress(ToccataError):
            self._in_thread(self._db.close)
        self._writer.shutdown()

    def _in_thread(self, act: Callable[[], T]) -> T:
        try:
            return self._writer.submit(act).result()
        except sqlite3.Error as error:
            raise self._explained(error) from None

    def _transaction(self, act: Callable[[sqlite3.Connection], T]) -> T:
        self._thread = threading.get_ident()
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            result = act(db)
            db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise
        return result

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            self._migrate(db)
        except BaseException:
            db.close()
            raise
        return db

    def _migrate(self, db: sqlite3.Connection) -> None:
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version > len(self._migrations):
            raise ToccataError(
                f"{self.path} was written by a newer toccata (version {version} of the library): update toccata",
                path=self.path,
            )
        if 0 < version < len(self._migrations):
            copy = self.path.with_name(f"{self.path.stem}-before-{version + 1}.sqlite")
            if not copy.exists():
                db.execute("VACUUM INTO ?", (str(copy),))
        for number, script in enumerate(self._migrations[version:], version + 1):
            db.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")

    def _explained(self, error: sqlite3.Error) -> ToccataError:
        text = str(error)
        if "full" in text:
            return ToccataError(
                f"the disk of {self.path.parent} is full: make room and try again; what was saved is safe",
                path=self.path,
                kind="disk-full",
            )
        if "not a database" in text or "malformed" in text:
            return ToccataError(
                f"{self.path} is damaged: move it away, and the studio finds the .mid files beside it again",
                path=self.path,
            )
        return ToccataError(f"{self.path} cannot be written or read: {text}", path=self.path, kind="file-error")
