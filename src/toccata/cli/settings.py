"""Settings that hold until a flag says otherwise: flag > environment > project file > user file.

[environment]   TOCCATA_MODEL, TOCCATA_SOUNDFONT, TOCCATA_PRECISION, TOCCATA_RECIPE
./toccata.toml  model = "models/bach"
user file       config.toml in ~/.config/toccata (as the platform has it: %APPDATA%, ~/Library/Application Support)

A project's file may have come with the folder, from anybody. What it names is used without asking only if it lies below
that folder or is installed; an address in an object store, or a path elsewhere, has to be confirmed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from toccata.arguments import checked_value
from toccata.arguments.kinds import is_address
from toccata.arguments.toml import parsed, text_of
from toccata.errors import ArgumentError, ToccataError, shown

KEYS = ("model", "soundfont", "precision", "recipe")
PROJECT = "toccata.toml"


def user_file() -> Path:
    """Where the user's own settings are."""
    return Path(click.get_app_dir("toccata")) / "config.toml"


def setting(key: str, flag: str | None) -> str | None:
    """The value of ``key``: the flag's, or that of the first place which has one.

    A relative path in a settings file is seen from that file's folder.

    Raises:
        ToccataError: A settings file cannot be read, has a key that does not exist, or a value that it cannot have or
            that nobody has confirmed.
    """
    value = flag or os.environ.get(f"TOCCATA_{key.upper()}") or _from_files(key)
    if not value:
        return None
    try:
        return str(checked_value(key, value))
    except ArgumentError as error:
        raise ToccataError(error.message, kind="bad-settings") from None


def _from_files(key: str) -> str | None:
    for path in (Path(PROJECT), user_file()):
        value = _read(path).get(key)
        if value is None:
            continue
        if path.name == PROJECT and not _is_ours(key, value, path.parent):
            _confirm(key, value, path)
        beside = path.parent / value
        return str(beside) if key in ("model", "soundfont") and beside.exists() else str(value)
    return None


def _read(path: Path) -> dict[str, Any]:
    if not os.path.lexists(path):
        return {}
    try:
        table = parsed(text_of(path))
    except ValueError as error:
        raise ToccataError(f"{path} cannot be read: {error}", path=path, kind="bad-settings") from None
    for key, value in table.items():
        if key not in KEYS or not isinstance(value, str):
            what = f"{key} must be a text" if key in KEYS else f"there is no setting {shown(key)}"
            raise ToccataError(f"{path}: {what}; it may have {', '.join(KEYS)}", path=path, kind="bad-settings")
    return table


def _is_ours(key: str, value: str, folder: Path) -> bool:
    """Whether what a project's file names is its own, or installed on this machine."""
    if key == "precision" or (key == "recipe" and not value.endswith(".toml")):
        return True
    if is_address(value) or "\0" in value:
        return False
    named = [folder / value, *([folder / "models" / value] if key == "model" else [])]
    there = [path for path in named if path.exists()] or named[:1]
    return all(any(_lies_below(path, place) for place in _places(key, folder)) for path in there)


def _places(key: str, folder: Path) -> Iterator[Path]:
    yield folder
    if key == "soundfont":
        from toccata import api

        yield from api.soundfont_folders()


def _lies_below(path: Path, folder: Path) -> bool:
    """Return whether ``path`` lies below ``folder``, with all links resolved."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _confirm(key: str, value: str, path: Path) -> None:
    """Ask the user at the terminal to confirm a setting.

    Raises:
        ToccataError: The user refuses, or there is no terminal.
    """
    what = f"{path} names the {key} {shown(value)}, which is not in its folder"
    if sys.stdin.isatty() and sys.stderr.isatty():
        if click.confirm(f"{what}. Use it?", err=True):
            return
        raise ToccataError(f"{what}: it is not used", path=path, kind="bad-settings")
    raise ToccataError(
        f"{what}: to use it all the same, say --{key}, set TOCCATA_{key.upper()}, or name it in {user_file()}",
        path=path,
        kind="bad-settings",
    )
