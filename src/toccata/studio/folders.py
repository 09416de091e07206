"""The library's folders and files: names that every system can have, and files that are whole or not there."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from toccata.errors import ToccataError
from toccata.files import DISK_FULL, write_bytes

OWN_FOLDERS = ("models", "music", "trainings")
"""Folders of the library that are no pieces."""
_UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LONGEST = 60


def plain_name(title: str, otherwise: str) -> str:
    """Return a name for a file or a folder that reads like ``title`` and is one on every system."""
    text = unicodedata.normalize("NFC", "".join(c if c.isprintable() else " " for c in title))
    name = " ".join(_UNFIT.sub(" ", text).split()).strip(". ")[:_LONGEST].strip(". ")
    return otherwise if not name or _RESERVED.fullmatch(name) or name.lower() in OWN_FOLDERS else name


def new_folder(library: Path, title: str, taken: Iterable[str]) -> str:
    """Make a folder for a piece; return its name.

    Args:
        library: Where it is made.
        title: The piece's title.
        taken: Folders of other pieces, whether they are there or not.

    Raises:
        ToccataError: It cannot be made.
    """
    name, others = plain_name(title, "Piece"), {other.casefold() for other in taken}
    for number in range(1, 10_000):
        chosen = name if number == 1 else f"{name} {number}"
        if chosen.casefold() in others:
            continue
        try:
            (library / chosen).mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise explained(error, library / chosen) from None
        return chosen
    raise ToccataError(f"{library} has ten thousand pieces called {name}: choose another name", path=library)


def renamed_folder(library: Path, folder: str, title: str, taken: Iterable[str]) -> str:
    """Rename the folder of a piece after its title; return its name, the old one where that cannot be."""
    name, others = plain_name(title, "Piece"), {other.casefold() for other in taken}
    if re.fullmatch(rf"{re.escape(name)}( \d+)?", folder):
        return folder
    for number in range(1, 1_000):
        chosen = name if number == 1 else f"{name} {number}"
        if chosen.casefold() not in others and not (library / chosen).exists():
            with suppress(OSError):  # another program has a file of it open
                (library / folder).rename(library / chosen)
                return chosen
            break
    return folder


def is_file_of(path: Path, digest: str | None) -> bool:
    """Whether a file is there and has this SHA-256."""
    with suppress(OSError):
        return digest == hashlib.sha256(path.read_bytes()).hexdigest()
    return False


def save(path: Path, data: bytes) -> str:
    """Write a file wholly or not at all, so that it is on disk when this returns; return its SHA-256.

    Raises:
        ToccataError: It cannot be written; the message says why and what to do.
    """
    try:
        write_bytes(path, data)
        _sync_folder(path.parent)
    except OSError as error:
        raise explained(error, path) from None
    return hashlib.sha256(data).hexdigest()


def save_new(path: Path, data: bytes) -> bool:
    """Write a file that is not there yet; return False if it is there by now.

    Raises:
        ToccataError: It cannot be written; the message says why and what to do.
    """
    try:
        write_bytes(path, data, replace=False)
    except FileExistsError:
        return False
    except OSError as error:
        raise explained(error, path) from None
    return True


def explained(error: OSError, path: Path) -> ToccataError:
    """Return an error of the system as one line that says what to do."""
    if error.errno in DISK_FULL:
        return ToccataError(
            f"the disk of {path.parent} is full: make room; nothing that was saved is lost", path=path, kind="disk-full"
        )
    if isinstance(error, PermissionError):
        return ToccataError(
            f"{path} may not be written: change its permissions, or choose another library",
            path=path,
            kind="no-permission",
        )
    return ToccataError(f"{path}: {error.strerror or error}", path=path, kind="file-error")


def unknown_files(library: Path, known: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield folder and name of MIDI files one level below the library that are not ``known``."""
    for folder in sorted(library.iterdir()):
        if folder.name in OWN_FOLDERS or folder.name.startswith(".") or not folder.is_dir():
            continue
        with suppress(OSError):
            for path in sorted(folder.iterdir()):
                midi = path.suffix.lower() in (".mid", ".midi") and not path.name.startswith(".")
                if midi and path.is_file() and (folder.name, path.name) not in known:
                    yield folder.name, path.name


def _sync_folder(folder: Path) -> None:
    """Make sure that a renamed file is found under its new name after a loss of power."""
    with suppress(OSError):  # Windows opens no folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
