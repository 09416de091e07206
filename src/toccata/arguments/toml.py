"""Reading of user-written TOML, up to a size limit and with a message for every error."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

LARGEST = 1_000_000
"""Bytes of a TOML file: a thousand times what any recipe has."""
DEEPEST = 16
"""Tables and lists inside one another."""


class NoToml(ValueError):  # noqa: N818 - reads as what it is
    """A text that is no TOML at all."""


def text_of(path: Path) -> str:
    """The text of a TOML file.

    Raises:
        ValueError: It is no file, too large, no UTF-8, or cannot be opened; says which.
    """
    try:
        # Looked at before it is opened: a pipe would be waited for.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("it is no file")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None
    if len(content) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST // 1000:,} kB")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is not TOML: it is no UTF-8 text") from None


def parsed(text: str) -> dict[str, Any]:
    """A TOML document.

    Raises:
        ValueError: It is none, is nested too deep, or has a number of thousands of digits; says which.
    """
    import tomllib  # most commands read none

    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except tomllib.TOMLDecodeError as error:
        raise NoToml(f"it is not TOML: {error}") from None
    except ValueError as error:  # a number that Python does not convert, a date that there is not
        digits = "digits" in str(error)
        raise ValueError("it has a number of too many digits" if digits else f"it is not TOML: {error}") from None
    _refuse_deep(table)
    return table


_TOO_DEEP = f"it has more than {DEEPEST} tables or lists inside one another"


def _refuse_deep(table: Any) -> None:
    level = [table]
    for _ in range(DEEPEST + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ValueError(_TOO_DEEP)
