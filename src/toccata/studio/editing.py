"""Edits of pieces and their history: undo, redo, going to a take, taking an idea."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from toccata.errors import RequestError, ToccataError
from toccata.midi.retouch import PlainNote
from toccata.studio.growing import replaceable
from toccata.studio.library import BURST, Library
from toccata.studio.operations import Operation, apply, as_expected
from toccata.studio.rows import LockedNote, PieceRow, State, Take, insert_take, new_id, write_locks
from toccata.studio.song import Song, SongTrack, flat, open_song

STALE = "stale"
"""The kind of the error that says that the piece has changed since the page loaded it."""
_MOST_IN_OPERATIONS = 4_000
"""Notes up to which the page is sent what changed, instead of the song."""


class Editor:
    """Changes pieces of a library; usable from any thread."""

    def __init__(self, library: Library) -> None:
        self._library, self._store = library, library.store

    def edit(
        self,
        piece: str,
        seq: int,
        operations: Sequence[Operation],
        locks: Sequence[LockedNote] | None = None,
        *,
        recorded: bool = False,
    ) -> dict[str, Any]:
        """Apply one gesture: one step of undo.

        Args:
            piece: The piece.
            seq: What the page's piece had.
            operations: The edit.
            locks: The locked notes after it; None: they are the same.
            recorded: Whether it was played: then it is a take of its own.

        Returns:
            The answer for the page; with ``song`` where the page could not know the result.

        Raises:
            ToccataError: The piece has changed since, or the edit cannot be applied.
        """
        with self._library.lock:
            row = self._checked(piece, seq)
            state = self._library.state(piece)
            before = self._library.song(state)
            midi = apply(before.midi, operations, strict=True)
            after = open_song(midi)
            take = self._library.take(state.take)
            goes_on = not recorded and self._is_open(take, state)
            new = State(take.id, state.cursor + 1) if goes_on else State(new_id(), 1)
            played = sum(len(one.get("add", ())) for one in operations) if recorded else None
            changed = _lock_changes(self._library.locks(piece), locks)

            def write(db: sqlite3.Connection) -> None:
                if new.take != take.id:
                    _insert_edits(db, new.take, row, state, played=played)
                _insert_edit(db, new, operations, changed)
                if locks is not None:
                    write_locks(db, piece, locks)
                _go(db, row, new, after)

            self._store.do(write)
            self._library.music.put(new, midi)
            if new.take != take.id:
                self._library.close_edits(take.id)
            self._library.on_take(self._library.take(new.take))
            return self._moved(piece, None if as_expected(before, after, operations) else after)

    def undo(self, piece: str, seq: int) -> dict[str, Any]:
        """Go back one state."""
        return self._step(piece, seq, -1)

    def redo(self, piece: str, seq: int) -> dict[str, Any]:
        """Go forward one state."""
        return self._step(piece, seq, +1)

    def goto(self, piece: str, seq: int, take: str) -> dict[str, Any]:
        """Make a take the head, with all its edits."""
        with self._library.lock:
            row = self._checked(piece, seq)
            chosen = self._library.take(take)
            _refuse_no_music(chosen, piece)
            return self._head(row, self._library.end_of(chosen))

    def accept(self, piece: str, seq: int, take: str) -> dict[str, Any]:
        """Take an idea: it becomes the head; where the piece has changed since, its notes are put into it."""
        with self._library.lock:
            row = self._checked(piece, seq)
            idea = self._library.take(take)
            _refuse_no_music(idea, piece)
            here = self._library.state(piece)
            origin, end = idea.origin, self._library.end_of(idea)
            now_on_screen = self._library.take(here.take)
            # It is taken already, as it is or put into what was there: the answer to that was lost.
            if end == here or (now_on_screen.verb is not None and now_on_screen.batch == idea.id):
                return self._moved(piece, self._library.song(here))
            if origin is None or origin == here or self._library.music.of(origin) == self._library.music.of(here):
                return self._head(row, end)
            before, now = self._library.song(origin), self._library.song(here)
            if not before.tracks or before.ticks_per_quarter != now.ticks_per_quarter:
                return self._head(row, end)  # it is music of its own, or its notes do not fit into this piece
            return self._merge(row, here, idea)

    def _merge(self, row: PieceRow, here: State, idea: Take) -> dict[str, Any]:
        now = self._library.song(here)
        locks = self._library.locks(row.id)
        operations = merge_operations(self._library.parent_song(idea), self._library.take_song(idea), now, idea, locks)
        midi = apply(now.midi, operations)
        new = State(new_id(), 1)

        def write(db: sqlite3.Connection) -> None:
            _insert_edits(db, new.take, row, here, title=idea.title, verb=idea.verb, idea=idea.id)
            _insert_edit(db, new, operations, None)
            _go(db, row, new, open_song(midi))

        self._store.do(write)
        self._library.music.put(new, midi)
        self._library.close_edits(here.take)
        self._library.on_take(self._library.take(new.take))
        return self._moved(row.id, open_song(midi))

    def _head(self, row: PieceRow, new: State) -> dict[str, Any]:
        here = self._library.state(row.id)
        after = self._library.song(new)
        before = None
        with suppress(ToccataError):  # its file may be missing
            before = self._library.song(here)
        if new != here:
            self._store.do(lambda db: _go(db, row, new, after))
            if before is not None:
                self._library.close_edits(here.take)
        return self._moved(row.id, after, before)

    def _step(self, piece: str, seq: int, step: int) -> dict[str, Any]:
        with self._library.lock:
            row = self._checked(piece, seq)
            here = self._library.state(piece)
            found = self._store.do(
                lambda db: db.execute(
                    "SELECT take, cursor FROM history WHERE piece = ? AND position = ?", (piece, row.position + step)
                ).fetchone()
            )
            if found is None:
                raise RequestError(f"there is nothing to {'undo' if step < 0 else 'redo'}")
            new = State(found["take"], found["cursor"])
            before, after = self._library.song(here), self._library.song(new)
            lock_changes = self._lock_changes(new, here) if step < 0 else self._lock_changes(here, new)
            locks = None if lock_changes is None else self._relocked(piece, lock_changes, step)

            def write(db: sqlite3.Connection) -> None:
                if locks is not None:
                    write_locks(db, piece, locks)
                db.execute(
                    "UPDATE piece SET position = ?, seq = seq + 1, changed = ?, bars = ? WHERE id = ?",
                    (row.position + step, time.time(), after.bar_count, piece),
                )

            self._store.do(write)
            answer = self._moved(piece, after, before)
            return answer if locks is None else {**answer, "locks": [list(lock) for lock in locks]}

    def _lock_changes(self, before: State, state: State) -> list[list[list[Any]]] | None:
        """Return the locks that the edit from one state to another removed and added; None: that step was no edit."""
        take = self._library.take(state.take)
        if before not in (State(take.id, state.cursor - 1), take.origin if state.cursor == 1 else None):
            return None
        row = self._store.do(
            lambda db: db.execute("SELECT locks FROM edit WHERE take = ? AND number = ?", state).fetchone()
        )
        return None if row is None or row["locks"] is None else json.loads(row["locks"])

    def _relocked(self, piece: str, changes: list[list[list[Any]]], step: int) -> list[LockedNote]:
        removed, added = ({LockedNote(*lock) for lock in locks} for locks in changes)
        gone, come = (added, removed) if step < 0 else (removed, added)
        return sorted((set(self._library.locks(piece)) - gone) | come)

    def _checked(self, piece: str, seq: int) -> PieceRow:
        row = self._library.piece(piece)
        if row.deleted is not None:
            raise RequestError(f"{row.title} was deleted: restore it first")
        if row.seq != seq:
            raise ToccataError("the piece was changed elsewhere meanwhile: load it again", kind=STALE)
        return row

    def _is_open(self, take: Take, state: State) -> bool:
        """Whether an edit of a state goes into its take."""
        return (
            not self._library.is_closed(take)
            and time.time() - (take.last_edit or 0) < BURST
            and state == self._library.end_of(take)
        )

    def _moved(self, piece: str, after: Song | None, before: Song | None = None) -> dict[str, Any]:
        """Return the answer: with the song after, or with operations that make it of the song before."""
        answer = self.where(piece)
        if after is None:
            return answer
        operations = None if before is None else operations_between(before, after)
        return {**answer, "song": after.to_json()} if operations is None else {**answer, "operations": operations}

    def where(self, piece: str) -> dict[str, Any]:
        """Return where a piece is in its history."""
        row, state = self._library.piece(piece), self._library.state(piece)
        last = self._store.do(
            lambda db: db.execute("SELECT max(position) FROM history WHERE piece = ?", (piece,)).fetchone()[0]
        )
        return {
            "seq": row.seq,
            "take": state.take,
            "cursor": state.cursor,
            "canUndo": row.position > 0,
            "canRedo": row.position < last,
        }


def operations_between(before: Song, after: Song) -> list[dict[str, Any]] | None:
    """Return the operations that turn one song into another; None: not with a few of them."""
    about = [[(t.id, t.name, t.program, t.drum, t.mix) for t in song.tracks] for song in (before, after)]
    same = (before.tempos, before.meters, before.keys, before.bars.end) == (
        after.tempos, after.meters, after.keys, after.bars.end
    )  # fmt: skip
    if about[0] != about[1] or not same:
        return None
    operations, count = [], 0
    for old, new in zip(before.tracks, after.tracks, strict=True):
        if old.notes == new.notes:
            continue
        remove = list((Counter(old.notes) - Counter(new.notes)).elements())
        add = list((Counter(new.notes) - Counter(old.notes)).elements())
        count += len(remove) + len(add)
        operations.append(
            {
                "type": "notes",
                "track": new.id,
                "program": new.program,
                "drum": new.drum,
                "name": new.name,
                "remove": [list(note) for note in remove],
                "add": [list(note) for note in add],
            }
        )
    return operations if count <= _MOST_IN_OPERATIONS else None


def differences(before: Song | None, after: Song) -> dict[str, dict[str, tuple[list[PlainNote], dict[str, Any]]]]:
    """Return the notes that were removed and added, each by the id of their track, with what the track is."""
    old = {} if before is None else before.by_id
    found: dict[str, dict[str, tuple[list[PlainNote], dict[str, Any]]]] = {"removed": {}, "added": {}}
    for way, mine, other in (("removed", old, after.by_id), ("added", after.by_id, old)):
        for name, track in mine.items():
            there = other[name].notes if name in other else ()
            if track.notes != there and (notes := list((Counter(track.notes) - Counter(there)).elements())):
                ref = {"track": name, "program": track.program, "drum": track.drum, "name": track.name}
                found[way][name] = notes, ref
    return found


def diff(before: Song | None, after: Song) -> dict[str, Any]:
    """Return how a take differs from its parent, as the page has it."""
    found = differences(before, after)
    return {way: [{**ref, "notes": flat(notes)} for notes, ref in tracks.values()] for way, tracks in found.items()}


def merge_operations(
    before: Song | None, after: Song, now: Song, idea: Take, locks: Sequence[LockedNote]
) -> list[dict[str, Any]]:
    """Return the operations that put an idea into a piece that has changed since it was requested.

    What the idea wrote anew replaces what is there now in its bars and tracks, but for locked notes.
    """
    found = differences(before, after)
    kept = {} if before is None else before.by_id
    free, wanted = replaceable(now, idea, locks), replaceable(after, idea, locks)
    if idea.verb != "continue":
        free = {name: notes for name, notes in free.items() if name in kept}  # tracks made meanwhile stay
    operations = []
    for name, notes in free.items():
        mine = Counter(wanted.get(name, ()) if name in kept else ())
        remove, add = Counter(notes) - mine, mine - Counter(notes)
        operations.append(_notes(name, now.by_id[name], list(remove.elements()), list(add.elements())))
    for name in dict.fromkeys([*found["removed"], *found["added"]]):
        if name in free and name in kept:
            continue
        added, ref = found["added"].get(name, ([], {}))
        gone, other = found["removed"].get(name, ([], {}))
        if name in now.by_id and name in kept:
            operations.append(_notes(name, now.by_id[name], gone, added))
        else:  # a track of its own, even if one of that place was made meanwhile
            own = f"new:{name}" if name in now.by_id else name
            operations.append({"type": "notes", **(ref or other), "track": own, "remove": gone, "add": added})
    return [one for one in operations if one["remove"] or one["add"]]


def _notes(name: str, track: SongTrack, remove: Sequence[PlainNote], add: Sequence[PlainNote]) -> dict[str, Any]:
    about = {"program": track.program, "drum": track.drum, "name": track.name}
    return {"type": "notes", **about, "track": name, "remove": remove, "add": add}


def _refuse_no_music(take: Take, piece: str) -> None:
    if take.piece != piece:
        raise RequestError("this take belongs to another piece")
    if take.state == "growing":
        raise RequestError("this idea is still being written: stop it, or wait for its end")
    if take.state == "failed" and take.file is None and not take.notes:
        raise RequestError("this idea failed before there was a note of it: there is nothing to take")


def _insert_edits(
    db: sqlite3.Connection,
    name: str,
    piece: PieceRow,
    state: State,
    title: str = "Edits",
    verb: str | None = None,
    played: int | None = None,
    idea: str | None = None,
) -> None:
    """Insert a take of edits: a burst of them, an idea that is put into a piece, or a recording of so many notes."""
    burst = verb is None and played is None
    about: dict[str, Any] = {"kind": "edit", "title": title, "verb": verb, "batch": idea}
    if played is not None:
        about = {"kind": "recording", "title": "Recording", "notes": played}
    insert_take(
        db, id=name, piece=piece.id, parent=state.take, parent_cursor=state.cursor, state="finished",
        last_edit=time.time() if burst else 0.0, **about,
    )  # fmt: skip


def _insert_edit(
    db: sqlite3.Connection, state: State, operations: Sequence[Operation], locks: list[list[LockedNote]] | None
) -> None:
    """Insert an edit, in place of any that were undone."""
    db.execute("DELETE FROM edit WHERE take = ? AND number >= ?", state)
    written = None if locks is None else json.dumps(locks)
    now = time.time()
    db.execute("INSERT INTO edit VALUES (?, ?, ?, ?, ?)", (*state, json.dumps(operations), written, now))
    db.execute("UPDATE take SET last_edit = ? WHERE id = ? AND last_edit > 0", (now, state.take))


def _go(db: sqlite3.Connection, row: PieceRow, new: State, song: Song) -> None:
    """Make ``new`` the state of a piece, in place of what could be redone."""
    position = row.position + 1
    db.execute("DELETE FROM history WHERE piece = ? AND position >= ?", (row.id, position))
    db.execute("INSERT INTO history VALUES (?, ?, ?, ?)", (row.id, position, *new))
    db.execute(
        "UPDATE piece SET position = ?, seq = seq + 1, changed = ?, bars = ? WHERE id = ?",
        (position, time.time(), song.bar_count, row.id),
    )


def _lock_changes(before: Sequence[LockedNote], after: Sequence[LockedNote] | None) -> list[list[LockedNote]] | None:
    """Return the locks that go and those that come."""
    if after is None or set(before) == set(after):
        return None
    return [sorted(set(before) - set(after)), sorted(set(after) - set(before))]
