"""Ideas: what models write for a piece, note by note into the page, and each a take of its own."""

from __future__ import annotations

import json
import logging
import queue
import secrets
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from toccata.errors import ArgumentError, RequestError, ToccataError, shown
from toccata.events import BarBegun, Event, NoteAdded, NoteRemoved, PieceFinished, PieceRestarted
from toccata.midi.smf import with_division
from toccata.piece import Piece
from toccata.server.decoding import Decoders, Writing
from toccata.studio.editing import differences
from toccata.studio.growing import Grown, IdeaNote, Translator, free_notes, span_of, stopped
from toccata.studio.hub import Hub
from toccata.studio.library import Library
from toccata.studio.reports import Reporter
from toccata.studio.requests import MOST_IDEAS, Call, call_of
from toccata.studio.rows import LockedNote, State, Take, insert_take, new_id
from toccata.studio.song import Song, open_song

_LOG = logging.getLogger("toccata.studio")
STALE = "stale"
EVERY = 0.05
"""Seconds for which notes are collected before they are sent to the page."""
SAVED_EVERY = 1.0
"""Seconds after which the notes so far are saved."""
_HIGHEST_SEED = 2**53 - MOST_IDEAS
"""What a page can say exactly."""
_News: TypeAlias = "Event | Exception | None"
"""What the thread of ideas receives of one: an event; why it failed; None: it is to be stopped, or all has come."""


@dataclass
class _Idea:
    """An idea that grows.

    Attributes:
        take: The id of its take.
        number: Its number among those that are written together.
        group: Those.
        grown: What there is of it.
        waiting: Events for the page that were not sent yet, in order: a kind and a note or a bar.
        saved: When its notes were saved last, in seconds of ``time.monotonic``.
        changed: Whether there is something new since.
        ended: Set with its take when it has ended.
    """

    take: str
    number: int
    group: _Group
    grown: Grown = field(default_factory=Grown)
    waiting: list[tuple[str, Any]] = field(default_factory=list)
    saved: float = field(default_factory=time.monotonic)
    changed: bool = False
    ended: Future[Take] = field(default_factory=Future)


@dataclass
class _Group:
    """Ideas that are written together.

    Attributes:
        song: What they were requested for.
        translator: Finds the page's tracks.
        locks: The locked notes at that time.
        since: The number of the latest event at that time.
        ideas: The ideas, by their numbers.
        writing: The verb that writes them; None until it was submitted.
    """

    song: Song
    translator: Translator
    locks: list[LockedNote]
    since: int
    ideas: list[_Idea] = field(default_factory=list)
    writing: Writing | None = None


class Ideas:
    """Requests ideas, and turns what comes of them into takes; usable from any thread."""

    def __init__(self, library: Library, decoders: Decoders, hub: Hub) -> None:
        self._library, self._decoders, self._hub = library, decoders, hub
        self.reporter = Reporter(library, decoders, hub)
        self._growing: dict[str, _Idea] = {}
        self._events: queue.SimpleQueue[tuple[_Group, int, _News] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ideas", daemon=True)
        self._thread.start()

    def begin(self, piece: str, seq: int, request: Mapping[str, Any]) -> list[Take]:
        """Begin ideas for what is on screen; they are growing takes.

        Args:
            piece: The piece.
            seq: What the page's piece has.
            request: ``{verb, model?, bars?, tracks?, n, seed?, arguments}``.

        Raises:
            ToccataError: The piece has changed since, or the request cannot be fulfilled.
        """
        with self._library.lock:
            row = self._library.piece(piece)
            if row.deleted is not None:
                raise RequestError(f"{row.title} was deleted: restore it first")
            if row.seq != seq:
                raise ToccataError("the piece was changed elsewhere meanwhile: load it again", kind=STALE)
            return self._begin(piece, self._library.state(piece), _checked(request))

    def again(self, take: str, n: int) -> list[Take]:
        """Request more ideas like one: the same request, new seeds."""
        idea = self._library.take(take)
        if idea.kind != "idea" or idea.origin is None or idea.request is None:
            raise RequestError("this take is no idea: there is no request to repeat")
        return self._begin(idea.piece, idea.origin, _checked({**idea.request, "n": n, "seed": None}))

    def growing(self, take: str) -> Future[Take] | None:
        """Return what will hold a growing idea's take when it has ended; None: it is not growing."""
        idea = self._growing.get(take)
        return None if idea is None else idea.ended

    @property
    def since(self) -> int:
        """The number of the event after which all there is of the growing ideas was sent."""
        return min((idea.group.since for idea in list(self._growing.values())), default=self._hub.last)

    def stop(self, take: str, timeout: float = 30.0) -> Take:
        """End a growing idea; what is there is a stopped take.

        Raises:
            ToccataError: It has not ended in time.
        """
        idea = self._growing.get(take)
        if idea is None:
            return self._library.take(take)
        if idea.group.writing is not None:
            idea.group.writing.cancel(idea.number)
        self._events.put((idea.group, idea.number, None))
        try:
            return idea.ended.result(timeout)
        except TimeoutError:
            raise ToccataError("this idea is still being ended: try again", kind="timeout") from None

    def stop_all(self, piece: str | None = None) -> None:
        """End all growing ideas, or those of a piece."""
        for take in list(self._growing):
            with suppress(ToccataError):
                if piece is None or self._library.take(take).piece == piece:
                    self.stop(take)

    def close(self) -> None:
        """End all growing ideas, and the threads."""
        self.stop_all()
        self._events.put(None)
        self._thread.join()
        self.reporter.close()

    def _begin(self, piece: str, state: State, request: dict[str, Any]) -> list[Take]:
        song = self._library.song(state)
        locks = self._library.locks(piece)
        verb, tracks, n = request["verb"], request["tracks"], request["n"]
        call = call_of(song, verb, request["bars"], tracks, request["arguments"], locks)
        model = request["model"] or str(self._decoders.models()[0]["name"])
        self._decoders.path_of(model)  # what is wrong with it is said at once
        seed = request["seed"] if request["seed"] is not None else secrets.randbelow(2**32)
        batch, names = new_id(), [new_id() for _ in range(n)]
        kept = {**request, "bars": None if request["bars"] is None else list(request["bars"])}

        def insert(db: sqlite3.Connection) -> None:
            for number, name in enumerate(names):
                insert_take(
                    db, id=name, piece=piece, parent=state.take, parent_cursor=state.cursor, kind="idea",
                    state="growing", title=_title(verb, call, number, n), verb=verb, first_bar=call.bars[0],
                    last_bar=call.bars[1], tracks=json.dumps(tracks), request=json.dumps({**kept, "seed": seed}),
                    batch=batch, model=model, seed=seed + number, growing="{}",
                )  # fmt: skip

        self._library.store.do(insert)
        group = _Group(song, Translator(song, verb, tracks), locks, self._hub.last)
        group.ideas = [_Idea(name, number, group) for number, name in enumerate(names)]
        self._growing |= {idea.take: idea for idea in group.ideas}
        try:
            group.writing = self._decoders.submit(
                request["model"],
                call.verb,
                call.song,
                {**call.arguments, "n": n, "seed": seed},
                on_event=lambda event: self._events.put((group, event.piece, event)),
                on_done=lambda writing: self._events.put((group, -1, writing.error)),
                on_failed=lambda number, error: self._events.put((group, number, error)),
            )
        except ToccataError as error:
            for idea in group.ideas:
                self._growing.pop(idea.take, None)
                self._library.change_take(idea.take, state="failed", growing=None, error=error.message)
            raise
        takes = [self._library.take(name) for name in names]
        for take in takes:
            self._hub.publish({"type": "take.changed", "take": take.to_json()})
        return takes

    # -- the thread of ideas -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        due = time.monotonic() + EVERY
        while True:
            try:
                item = self._events.get(timeout=max(0.001, due - time.monotonic()) if self._growing else None)
                if item is None:
                    return
                self._take_in_safely(*item)
            except queue.Empty:
                pass
            if time.monotonic() >= due:
                for idea in list(self._growing.values()):
                    self._send(idea)
                    self._save(idea)
                due = time.monotonic() + EVERY

    def _take_in_safely(self, group: _Group, number: int, event: _News) -> None:
        """Take in an event; a fault ends the ideas that it is about, and no others."""
        try:
            self._take_in(group, number, event)
        except Exception as error:
            _LOG.exception("an event of an idea")
            for idea in group.ideas if number < 0 else [group.ideas[number]]:
                if idea.take in self._growing:
                    if group.writing is not None:
                        group.writing.cancel(idea.number)
                    self._failed(idea, _why(error))

    def _take_in(self, group: _Group, number: int, event: _News) -> None:
        if number < 0:  # all that will come has come
            for idea in group.ideas:
                if idea.take in self._growing:
                    self._end(idea, event if isinstance(event, Exception) else None)
            return
        idea = group.ideas[number]
        if idea.take not in self._growing:
            return
        if isinstance(event, NoteAdded | NoteRemoved):
            note = group.translator.note(event.note)
            added = isinstance(event, NoteAdded)
            idea.grown.notes[note] += 1 if added else -1
            idea.waiting.append(("notes" if added else "removed", note))
        elif isinstance(event, BarBegun):
            onset = group.translator.onset(event)
            idea.grown.frontier = onset
            idea.waiting.append(("bar", (group.song.bar_at(onset), onset)))
        elif isinstance(event, PieceRestarted):
            idea.grown.clear()
            idea.waiting = [("restarted", None)]
        elif isinstance(event, PieceFinished):
            self._finish(idea, event.music)
            return
        else:
            self._end(idea, event)
            return
        idea.changed = True

    def _send(self, idea: _Idea) -> None:
        """Send the events that were collected, those of one kind together."""
        waiting, idea.waiting = idea.waiting, []
        together: list[IdeaNote] = []
        for place, (kind, value) in enumerate(waiting):
            if kind == "bar":
                self._hub.publish({"type": "idea.bar", "take": idea.take, "bar": value[0], "tick": value[1]})
            elif kind == "restarted":
                self._hub.publish({"type": "idea.restarted", "take": idea.take})
            else:
                together.append(value)
                if place + 1 == len(waiting) or waiting[place + 1][0] != kind:
                    notes = [list(note) for note in together]
                    self._hub.publish({"type": f"idea.{kind}", "take": idea.take, "notes": notes})
                    together = []

    def _save(self, idea: _Idea) -> None:
        """Save the notes so far."""
        now = time.monotonic()
        if not idea.changed or now - idea.saved < SAVED_EVERY:
            return
        idea.saved, idea.changed = now, False
        with suppress(ToccataError):  # where the disk is full, the idea itself goes on
            grown, count = json.dumps(idea.grown.to_json()), idea.grown.count
            self._library.store.do(
                lambda db: db.execute("UPDATE take SET growing = ?, notes = ? WHERE id = ?", (grown, count, idea.take))
            )

    def _finish(self, idea: _Idea, music: Piece) -> None:
        """Make a finished take of a piece."""
        self._send(idea)
        take = self._library.take(idea.take)
        song = idea.group.song
        try:
            # New music comes in ticks of its own; a piece that was begun here has its own.
            midi = music.midi if song.tracks else with_division(music.midi, song.ticks_per_quarter)
            after = open_song(midi)
            outside = outside_changed(song, after, take, idea.group.locks)
            added = differences(song, after)["added"]
            count = sum(len(notes) for notes, _ in added.values())
            done = self._library.finish_take(
                idea.take,
                midi,
                "finished",
                notes=count,
                outside=outside,
                seed=music.origin.get("seed", take.seed),
                model_digest=music.origin.get("digest"),
            )
        except ToccataError as error:
            self._failed(idea, error.message)
            return
        self._over(idea, done, "idea.finished")
        self.reporter.add(done, music)

    def _end(self, idea: _Idea, error: Exception | None = None) -> None:
        """Make a take of the notes so far: of an idea that was stopped, or has failed."""
        self._send(idea)
        why = None if error is None else _why(error)
        if why is not None and not idea.grown.count:
            self._failed(idea, why)
            return
        take = self._library.take(idea.take)
        try:
            midi = stopped(idea.group.song, take, idea.group.locks, idea.grown)
            outside = outside_changed(idea.group.song, open_song(midi), take, idea.group.locks)
            done = self._library.finish_take(
                idea.take,
                midi,
                "stopped" if why is None else "failed",
                notes=idea.grown.count,
                outside=outside,
                error=why,
            )
        except ToccataError as failed:
            self._failed(idea, why or failed.message)
            return
        self._over(idea, done, "idea.finished" if why is None else "idea.failed")

    def _failed(self, idea: _Idea, message: str) -> None:
        try:
            done = self._library.change_take(idea.take, state="failed", growing=None, error=message)
        except ToccataError:  # the row says so as soon as the library is opened again
            done = replace(self._library.take(idea.take), state="failed", growing=None, error=message)
        self._over(idea, done, "idea.failed")

    def _over(self, idea: _Idea, take: Take, kind: str) -> None:
        self._growing.pop(idea.take, None)
        self._hub.publish({"type": kind, "take": take.to_json()})
        idea.ended.set_result(take)


def outside_changed(before: Song, after: Song, take: Take, locks: Sequence[LockedNote]) -> int:
    """Count the notes that are others than before where nothing was requested: 0, or there is a fault."""
    start, end = span_of(before, take)
    free = {name: set(notes) for name, notes in free_notes(before, take, locks).items()}
    found = differences(before, after)
    anew = take.verb in ("infill", "vary")
    wrong = sum(note not in free.get(name, ()) for name, (notes, _) in found["removed"].items() for note in notes)
    for name, (notes, _) in found["added"].items():
        meant = not anew or name not in before.by_id or not take.tracks or name in take.tracks
        wrong += sum(not (meant and start <= note.tick < end) for note in notes)
    return wrong


def _checked(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request with all its entries.

    Raises:
        ArgumentError: One of them cannot be what it is.
    """
    n, seed, bars = request.get("n", 1), request.get("seed"), request.get("bars")
    tracks, arguments, model = request.get("tracks") or [], request.get("arguments") or {}, request.get("model")
    if not _is_whole(n) or not 1 <= n <= MOST_IDEAS:
        raise ArgumentError(f"n must be a whole number from 1 to {MOST_IDEAS}, not {shown(n)}")
    if seed is not None and (not _is_whole(seed) or not 0 <= seed <= _HIGHEST_SEED):
        raise ArgumentError(f"seed must be a whole number from 0 to {_HIGHEST_SEED:,}, not {shown(seed)}")
    if bars is not None and not (isinstance(bars, list | tuple) and len(bars) == 2 and all(map(_is_whole, bars))):
        raise ArgumentError(f"bars must be the first and the last, not {shown(bars)}")
    if not isinstance(tracks, list) or not all(isinstance(track, str) for track in tracks) or len(tracks) > 1_000:
        raise ArgumentError(f"tracks must be a list of ids, not {shown(tracks)}")
    if not isinstance(arguments, Mapping) or not (model is None or isinstance(model, str)):
        raise ArgumentError("arguments must be an object, and model a text")
    return {
        "verb": request.get("verb"),
        "model": model,
        "bars": None if bars is None else (bars[0], bars[1]),
        "tracks": tracks,
        "n": n,
        "seed": seed,
        "arguments": dict(arguments),
    }


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _title(verb: str, call: Call, number: int, n: int) -> str:
    first, last = call.bars
    where = f"bar {first}" if first == last else f"bars {first}-{last}"
    return f"{verb.capitalize()} {where}" + (f", {number + 1}" if n > 1 else "")


def _why(error: Exception) -> str:
    """Return why an idea failed, in a line."""
    if isinstance(error, ToccataError):
        return error.message
    return f"{type(error).__name__}: {' '.join(str(error).split())} (a fault in toccata)"
