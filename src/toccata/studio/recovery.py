"""What is done when a library is opened: rows and files are brought together, however the last process ended."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from toccata.errors import ToccataError
from toccata.studio.folders import unknown_files
from toccata.studio.growing import Grown, stopped
from toccata.studio.library import Library
from toccata.studio.rows import Take, insert_take, new_id
from toccata.studio.song import imported, open_song

MISSING = "its file is missing from the library"


def recover(library: Library) -> list[str]:
    """Bring rows and files together; return what was done, in words.

    Ideas that were growing become stopped takes with their notes; edits get their files; takes whose file is gone say
    so; MIDI files that nobody knows become takes of the piece in whose folder they are, or pieces.
    """
    for piece in library.pieces():
        library.find_folder(piece)
    rows = library.store.do(lambda db: db.execute("SELECT * FROM take").fetchall())
    takes = [Take.of(row) for row in rows]
    done = [_stopped(library, take) for take in takes if take.state == "growing"]
    library.tend(idle=0.0)
    for take in takes:
        if take.state != "growing" and take.file is not None:
            _compare(library, take)
    return done + _unknown(library)


def _stopped(library: Library, take: Take) -> str:
    """End an idea that was growing when the process died."""
    growing = json.loads(take.growing or "{}")
    if take.file is not None and _path(library, take).is_file():  # it had just been written
        library.change_take(take.id, state=growing.get("ending", "finished"), growing=None)
        return f"{take.title} is finished"
    try:
        song = library.parent_song(take)
        assert song is not None
        grown = Grown.from_json(growing)
        midi = stopped(song, take, library.locks(take.piece), grown)
        library.finish_take(take.id, midi, "stopped", notes=grown.count)
    except ToccataError as error:
        library.change_take(take.id, state="failed", error=error.message)
    return f"{take.title} was being written when the studio ended; what was there is a take"


def _compare(library: Library, take: Take) -> None:
    """Note whether a take's file is there; that of edits is written again."""
    there = _path(library, take).is_file()
    if not there and take.is_edits:
        with suppress(ToccataError):
            library.finish_take(take.id, library.music.of(library.end_of(take)), "finished")
    elif not there and take.error != MISSING:
        library.change_take(take.id, error=MISSING)
    elif there and take.error == MISSING:
        library.change_take(take.id, error=None)


def _unknown(library: Library) -> list[str]:
    """Take in MIDI files that are in no row."""
    rows_of = library.pieces()
    pieces, by_id = {row.folder: row for row in rows_of}, {row.id: row.folder for row in rows_of}
    rows = library.store.do(lambda db: db.execute("SELECT piece, file FROM take WHERE file IS NOT NULL").fetchall())
    known = {(by_id[row["piece"]], str(row["file"])) for row in rows}
    done = []
    for folder, name in unknown_files(library.folder, known):
        title = Path(name).stem
        with suppress(ToccataError, OSError):
            midi = (library.folder / folder / name).read_bytes()
            if imported(midi) != midi:
                continue  # it is not a file that the studio wrote, and is opened as any other
            if folder in pieces:
                piece = pieces[folder].id
                count = open_song(midi).note_count
                about: dict[str, Any] = {"kind": "import", "state": "finished", "title": title, "notes": count}
                library.store.do(partial(insert_take, id=new_id(), piece=piece, file=name, **about))
            else:
                pieces[folder] = library.create(folder, midi, folder=folder, file=name)
            done.append(f"{folder}/{name} was found and taken in")
    return done


def _path(library: Library, take: Take) -> Path:
    return library.folder / library.piece(take.piece).folder / str(take.file)
