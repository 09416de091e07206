"""Text on its way to a terminal: every command prints here, and nowhere else."""

from __future__ import annotations

import json
import re
from typing import Any, TextIO

_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, line separators, and marks that turn the direction of writing."""


def plain(text: str) -> str:
    r"""``text`` as one line without control characters, which stand as escapes instead: ``\x1b``, ``\n``.

    File names, track names and whatever else comes out of files may hold sequences that move a terminal's cursor, set
    its title or its clipboard, or pass for lines of ours.
    """
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def show(stream: TextIO, *lines: str) -> None:
    """Print lines, each of which stays one whatever is in it."""
    print("\n".join(map(plain, lines)), file=stream, flush=True)


def show_json(stream: TextIO, value: Any) -> None:
    """Print a value as JSON on one line, in ASCII: what is no letter stands as an escape."""
    print(json.dumps(value).replace("\x7f", "\\u007f"), file=stream, flush=True)
