"""Rows of the library's database as the rest of the studio has them."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Kind = Literal["import", "edit", "idea", "recording"]
EDITS: tuple[Kind, ...] = ("edit", "recording")
"""Takes that are edits on top of another one; a recording is one edit, and no other goes into its take."""
TakeStatus = Literal["growing", "finished", "stopped", "failed"]


class State(NamedTuple):
    """Music of a piece: a take, and for one with edits how many of them are applied."""

    take: str
    cursor: int


class LockedNote(NamedTuple):
    """A locked note of a piece."""

    track: str
    tick: int
    pitch: int


@dataclass(frozen=True)
class Take:
    """A take: immutable music, or a log of edits on top of another state.

    Attributes:
        id: Its id.
        piece: The piece's.
        number: Its number in the piece, from 1.
        parent: The take it was made from; None: it is a file, or was empty.
        parent_cursor: The parent's cursor at that time.
        kind: What it is.
        state: How far it is.
        title: Its name.
        star: Whether it is marked.
        created: Seconds since 1970.
        file: The name of its MIDI file in the piece's folder; None: it has none yet.
        verb: Of an idea, what was requested.
        bars: First and last bar of that, counted from 1.
        tracks: The tracks of that; empty: all.
        request: All of the request.
        batch: The same for ideas that were requested together.
        model: The model's name.
        seed: The seed.
        notes: New notes so far.
        outside: Notes changed outside of what was requested.
        error: What is wrong with it, in a line.
        deleted: When it was deleted.
        growing: Of a growing idea the notes so far, as JSON.
        last_edit: When it was edited last.
    """

    id: str
    piece: str
    number: int
    parent: str | None
    parent_cursor: int
    kind: Kind
    state: TakeStatus
    title: str
    star: bool
    created: float
    file: str | None
    verb: str | None
    bars: tuple[int, int] | None
    tracks: list[str]
    request: dict[str, Any] | None
    batch: str | None
    model: str | None
    seed: int | None
    notes: int
    outside: int | None
    error: str | None
    deleted: float | None
    growing: str | None
    last_edit: float | None

    @classmethod
    def of(cls, row: sqlite3.Row) -> Take:
        """Return the take of a row."""
        first = row["first_bar"]
        return cls(
            row["id"], row["piece"], row["number"], row["parent"], row["parent_cursor"], row["kind"], row["state"],
            row["title"], bool(row["star"]), row["created"], row["file"], row["verb"],
            None if first is None else (first, row["last_bar"]), json.loads(row["tracks"]),
            None if row["request"] is None else json.loads(row["request"]), row["batch"], row["model"], row["seed"],
            row["notes"], row["outside"], row["error"], row["deleted"], row["growing"], row["last_edit"],
        )  # fmt: skip

    @property
    def is_edits(self) -> bool:
        """Whether its music is that of its parent with edits on top."""
        return self.kind in EDITS

    @property
    def origin(self) -> State | None:
        """The state that it was made from."""
        return None if self.parent is None else State(self.parent, self.parent_cursor)

    def to_json(self) -> dict[str, Any]:
        """Return the take as the page has it."""
        return {
            "id": self.id,
            "piece": self.piece,
            "parent": self.parent,
            "kind": self.kind,
            "state": self.state,
            "title": self.title,
            "star": self.star,
            "created": self.created,
            "verb": self.verb,
            "bars": None if self.bars is None else list(self.bars),
            "tracks": self.tracks,
            "request": self.request,
            "model": self.model,
            "seed": self.seed,
            "notes": self.notes,
            "outsideChanged": self.outside,
            "error": self.error,
            "deleted": self.deleted is not None,
        }


@dataclass(frozen=True)
class PieceRow:
    """A piece without its takes.

    Attributes:
        id: Its id.
        title: Its name.
        folder: The name of its folder in the library.
        created: Seconds since 1970.
        changed: When it was changed last.
        deleted: When it was deleted.
        seq: How often it was changed.
        position: Where it is in its history.
        bars: How many bars it has.
    """

    id: str
    title: str
    folder: str
    created: float
    changed: float
    deleted: float | None
    seq: int
    position: int
    bars: int

    @classmethod
    def of(cls, row: sqlite3.Row) -> PieceRow:
        """Return the piece of a row."""
        return cls(*(row[name] for name in cls.__dataclass_fields__))

    def to_json(self) -> dict[str, Any]:
        """Return the piece as lists of pieces have it."""
        return {
            "id": self.id,
            "title": self.title,
            "created": self.created,
            "changed": self.changed,
            "bars": self.bars,
            "deleted": self.deleted is not None,
        }


def new_id() -> str:
    """Return an id for a piece, a take or a training: it says nothing, and is no other's."""
    return secrets.token_hex(8)


def insert_take(db: sqlite3.Connection, **values: Any) -> None:
    """Insert a take's row, numbered after the others of its piece."""
    last = db.execute("SELECT coalesce(max(number), 0) FROM take WHERE piece = ?", (values["piece"],)).fetchone()[0]
    row = {"number": last + 1, "created": time.time(), **values}
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    db.execute(f"INSERT INTO take ({names}) VALUES ({marks})", tuple(row.values()))


def write_locks(db: sqlite3.Connection, piece: str, locks: Iterable[LockedNote]) -> None:
    """Replace the locked notes of a piece."""
    db.execute("DELETE FROM locked WHERE piece = ?", (piece,))
    db.executemany("INSERT OR IGNORE INTO locked VALUES (?, ?, ?, ?)", [(piece, *lock) for lock in locks])
