"""Settings that hold until a flag says otherwise: flag > environment > project file > user file.

[environment]   TOCCATA_MODEL, TOCCATA_SOUNDFONT, TOCCATA_PRECISION, TOCCATA_RECIPE
./toccata.toml  model = "models/bach"
user file       config.toml in ~/.config/toccata (as the platform has it: %APPDATA%, ~/Library/Application Support)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from toccata.errors import ToccataError

_CHOICES = {"precision": ("8bit", "fp32")}
KEYS = ("model", "soundfont", "precision", "recipe")
PROJECT = "toccata.toml"


def user_file() -> Path:
    """Where the user's own settings are."""
    return Path(click.get_app_dir("toccata")) / "config.toml"


def setting(key: str, flag: str | None) -> str | None:
    """The value of ``key``: the flag's, or that of the first place which has one.

    A relative path in a settings file is seen from that file's folder.

    Raises:
        ToccataError: A settings file cannot be read, has a key that does not exist, or a value that it cannot have.
    """
    value = flag or os.environ.get(f"TOCCATA_{key.upper()}") or _from_files(key)
    if value and value not in _CHOICES.get(key, (value,)):
        raise ToccataError(f"{key} is {' or '.join(_CHOICES[key])}, not {value!r}", kind="bad-settings")
    return value


def _from_files(key: str) -> str | None:
    for path in (Path(PROJECT), user_file()):
        value = _read(path).get(key)
        if value is None:
            continue
        beside = path.parent / value
        return str(beside) if key in ("model", "soundfont") and beside.exists() else str(value)
    return None


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    import tomllib

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ToccataError(f"{path} cannot be read: {error}", path=path, kind="bad-settings") from None
    for key, value in table.items():
        if key not in KEYS or not isinstance(value, str):
            what = f"{key} must be a text" if key in KEYS else f"there is no setting {key!r}"
            raise ToccataError(f"{path}: {what}; it may have {', '.join(KEYS)}", path=path, kind="bad-settings")
    return table
