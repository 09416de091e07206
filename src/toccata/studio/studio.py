"""A studio: a library, the decoding threads, and what happens to both; all that the routes call."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toccata import __version__, api
from toccata.errors import ArgumentError, RequestError, ToccataError, shown
from toccata.server.decoding import Decoders
from toccata.studio.editing import Editor, diff
from toccata.studio.hub import Hub
from toccata.studio.ideas import Ideas
from toccata.studio.library import Library
from toccata.studio.models import model_list
from toccata.studio.musicfolders import MusicFolders
from toccata.studio.recovery import recover
from toccata.studio.reports import report_of
from toccata.studio.rows import LockedNote, Take
from toccata.studio.song import empty, imported, open_song
from toccata.studio.trainings import Trainings

_LOG = logging.getLogger("toccata.studio")
LINK_SECONDS = 60.0
"""Seconds for which a one-file address is good."""
_TEND_EVERY = 2.0
_LONGEST_TITLE, _MOST_LOCKS, _MOST_LINKS = 200, 100_000, 1_000


class Studio:
    """All that a page can ask of this machine; usable from any thread.

    Attributes:
        library: The pieces.
        decoders: The models.
        hub: The events.
        editor: Edits and history.
        ideas: What models write.
        music: Folders of music for training.
        trainings: Models that are trained here.
        soundfont: The SoundFont that was chosen; None: the system's.
        found: What was brought together when the library was opened, in words.
    """

    def __init__(self, folder: Path, decoders: Decoders, *, soundfont: Path | None = None) -> None:
        """Open a library.

        Raises:
            ToccataError: It cannot be read or written.
        """
        # No number of an earlier studio is one of this one: a page that knew that one loads everything again.
        self.hub = Hub(time.time_ns() // 1_000_000)
        self.decoders, self.soundfont = decoders, soundfont
        self.library = Library(folder)
        self.found = recover(self.library)
        self.library.on_take = lambda take: self._publish_take(take)
        self.editor = Editor(self.library)
        self.ideas = Ideas(self.library, decoders, self.hub)
        self.music = MusicFolders(folder)
        self.trainings = Trainings(self.library, self.music, decoders, self.hub)
        self._links: dict[str, tuple[float, str, str]] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._tender = threading.Thread(target=self._tend, name="library tender", daemon=True)
        self._tender.start()

    def close(self) -> None:
        """Stop what grows, write what is not written, and close the library."""
        if self._ended.is_set():
            return
        self._ended.set()
        self._tender.join()
        self.music.close()
        self.trainings.close()
        self.ideas.close()
        self.library.close()
        self.hub.close()

    def state(self) -> dict[str, Any]:
        """Return what a page needs first."""
        last = self.ideas.since  # before the rest: what happens meanwhile is sent again
        try:
            models = model_list(self.decoders)
        except ToccataError:
            models = []
        return {
            "version": __version__,
            "library": str(self.library.folder),
            "models": models,
            "defaultModel": models[0]["name"] if models else None,
            "soundfont": self.soundfont_info(),
            "pieces": [row.to_json() for row in self.library.pieces()],
            "trainings": self.trainings.all(),
            "lastEvent": last,
        }

    # -- pieces --------------------------------------------------------------------------------------------------------

    def create(self, title: str | None, midi: bytes | None, about: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Make a piece of a MIDI file, or an empty one; return it."""
        if midi is None:
            about = about or {}
            tempo, meter = about.get("tempo", 120.0), about.get("meter", [4, 4])
            data = empty(_tempo(tempo), _meter(meter))
        else:
            data = imported(midi)
        row = self.library.create(_title(title, "Untitled"), data)
        return self.piece(row.id)

    def piece(self, name: str) -> dict[str, Any]:
        """Return a piece as the page has it."""
        with self.library.lock:
            row = self.library.piece(name)
            try:
                song = self.library.song(self.library.state(name))
            except ToccataError as error:  # a file is missing: its take says so, and others can be chosen
                if error.kind != "missing":
                    raise
                song = open_song(empty())
            return {
                "id": row.id,
                "title": row.title,
                **self.editor.where(name),
                "song": song.to_json(),
                "takes": [take.to_json() for take in self.library.takes(name)],
                "locks": [list(lock) for lock in self.library.locks(name)],
            }

    def change_piece(self, name: str, title: Any = None, deleted: bool | None = None) -> dict[str, Any]:
        """Rename, delete or restore a piece."""
        chosen = None if title is None else _title(title, "")
        if deleted:
            self.ideas.stop_all(name)
        return self.library.change_piece(name, title=chosen or None, deleted=deleted).to_json()

    def edit(self, piece: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Apply one gesture."""
        operations = body.get("operations")
        if not isinstance(operations, list) or not all(isinstance(one, dict) for one in operations):
            raise ArgumentError("operations must be a list of objects")
        locks = None if body.get("locks") is None else _locks(body["locks"])
        recorded = body.get("recorded") is True
        return self._changed(piece, self.editor.edit(piece, _seq(body), operations, locks, recorded=recorded))

    def move(self, piece: str, how: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Undo, redo, go to a take, or take an idea."""
        seq = _seq(body)
        if how in ("undo", "redo"):
            return self._changed(piece, getattr(self.editor, how)(piece, seq))
        if not isinstance(body.get("take"), str):
            raise ArgumentError("take must be the id of a take")
        return self._changed(piece, getattr(self.editor, how)(piece, seq, body["take"]))

    def set_locks(self, piece: str, body: Mapping[str, Any]) -> None:
        """Replace the locked notes of a piece."""
        self.library.set_locks(piece, _locks(body.get("locks")))

    def begin(self, piece: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Begin ideas."""
        return [take.to_json() for take in self.ideas.begin(piece, _seq(body), body)]

    # -- takes ---------------------------------------------------------------------------------------------------------

    def change_take(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Name a take, or mark it."""
        values: dict[str, Any] = {}
        if body.get("title") is not None:
            values["title"] = _title(body["title"], "") or self.library.take(name).title
        if body.get("star") is not None:
            values["star"] = bool(body["star"])
        take = self.library.take(name)
        return (self.library.change_take(name, **values) if values else take).to_json()

    def delete_take(self, name: str, deleted: bool) -> dict[str, Any]:
        """Delete a take, or restore it."""
        take = self.library.take(name)
        if deleted and take.state == "growing":
            self.ideas.stop(name)
        if deleted and self.library.state(take.piece).take == name:
            raise RequestError("this take is on screen: go to another one first")
        return self.library.change_take(name, deleted=time.time() if deleted else None).to_json()

    def song(self, take: str) -> dict[str, Any]:
        """Return the song of a take."""
        return self.library.take_song(self.library.take(take)).to_json()

    def diff(self, take: str) -> dict[str, Any]:
        """Return how a take differs from its parent."""
        row = self.library.take(take)
        return diff(self.library.parent_song(row), self.library.take_song(row))

    def report(self, take: str) -> dict[str, Any]:
        """Return the report of a take."""
        self.library.take(take)
        return report_of(self.library, take)

    def midi(self, take: str) -> tuple[str, bytes]:
        """Return the title and the MIDI bytes of a take."""
        row = self.library.take(take)
        piece = self.library.piece(row.piece)
        return f"{piece.title} - {row.title}", self.library.music.of(self.library.end_of(row))

    def file_of(self, take: str) -> Path:
        """Return the path of a take's file, which is written if it is not yet."""
        self.library.close_edits(take)
        row = self.library.take(take)
        folder = self.library.folder / self.library.piece(row.piece).folder
        return folder if row.file is None else folder / row.file

    def rate(self, body: Mapping[str, Any]) -> None:
        """Note which of two takes is the better one."""
        a, b, better = (body.get(name) for name in ("a", "b", "better"))
        if not (isinstance(a, str) and isinstance(b, str) and better in (a, b, "same", None)):
            raise ArgumentError("a and b must be takes, and better one of them, or null for neither")
        self.library.rate(a, b, "same" if better is None else str(better))

    # -- one-file addresses and sound ----------------------------------------------------------------------------------

    def link(self, take: str, kind: str = "mid") -> str:
        """Return a path that gives one file, without the token, for a minute."""
        self.library.take(take)
        if kind not in ("mid", "wav", "png"):
            raise ArgumentError(f"a take is a file of kind mid, wav or png, not {shown(kind)}")
        name = secrets.token_urlsafe(24)
        with self._lock:
            now = time.monotonic()
            self._links = {key: link for key, link in self._links.items() if link[0] > now}
            while len(self._links) >= _MOST_LINKS:
                del self._links[next(iter(self._links))]
            self._links[name] = now + LINK_SECONDS, take, kind
        return f"/studio/links/{name}/file.{kind}"

    def linked(self, name: str) -> tuple[str, str]:
        """Return take and kind of a one-file address.

        Raises:
            ToccataError: It is not good any more.
        """
        with self._lock:
            found = self._links.get(name)
        if found is None or found[0] < time.monotonic():
            raise ToccataError("this address was good for a minute: drag or download again", kind="not-found")
        return found[1], found[2]

    def soundfont_info(self) -> dict[str, Any] | None:
        """Return name and size of the SoundFont that plays; None: there is none."""
        path = self.soundfont_path()
        return None if path is None else {"name": path.name, "bytes": path.stat().st_size}

    def soundfont_path(self) -> Path | None:
        """Return the SoundFont that plays; None: there is none."""
        try:
            return api.find_soundfont(self.soundfont)
        except (ToccataError, OSError):
            return None

    def _changed(self, piece: str, answer: dict[str, Any]) -> dict[str, Any]:
        self.hub.publish({"type": "piece.changed", "piece": piece, "seq": answer["seq"]})
        return answer

    def _publish_take(self, take: Take) -> None:
        self.hub.publish({"type": "take.changed", "take": take.to_json()})

    def _tend(self) -> None:
        while not self._ended.wait(_TEND_EVERY):
            try:
                self.library.tend()
            except Exception:  # it is tried again soon, and nothing else may end with it
                _LOG.exception("what is not written yet")


def _seq(body: Mapping[str, Any]) -> int:
    seq = body.get("seq")
    if not isinstance(seq, int) or isinstance(seq, bool):
        raise ArgumentError("seq must be the number that the piece was loaded with")
    return seq


def _title(value: Any, otherwise: str) -> str:
    if value is not None and not isinstance(value, str):
        raise ArgumentError("a title is a text")
    text = " ".join("".join(c if c.isprintable() else " " for c in value or "").split())[:_LONGEST_TITLE]
    return text or otherwise


def _locks(value: Any) -> list[LockedNote]:
    wrong = ArgumentError("locks are listed as [track, tick, pitch]")
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > _MOST_LOCKS:
        raise wrong
    found = []
    for one in value:
        if not isinstance(one, list) or len(one) != 3:
            raise wrong
        track, tick, pitch = one
        whole = all(isinstance(number, int) and not isinstance(number, bool) for number in (tick, pitch))
        if not isinstance(track, str) or not whole or not 0 <= pitch <= 127 or not 0 <= tick < 1 << 31:
            raise wrong
        found.append(LockedNote(track, tick, pitch))
    return found


def _tempo(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 10 <= value <= 500:
        raise ArgumentError(f"tempo must be 10 to 500 quarters a minute, not {shown(value)}")
    return float(value)


def _meter(value: Any) -> tuple[int, int]:
    try:
        beats, unit = value
        if beats in range(1, 100) and unit in (1, 2, 4, 8, 16, 32):
            return int(beats), int(unit)
    except (TypeError, ValueError):
        pass
    raise ArgumentError(f"meter must be a meter like [3, 4], not {shown(value)}")
