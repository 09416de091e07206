"""The errors a user can meet: one line that says what, where and what to do."""

from __future__ import annotations

import reprlib
from pathlib import Path


class ToccataError(Exception):
    """An error that the user can fix, described in one line.

    Attributes:
        kind: A stable word for scripts, e.g. ``"unreadable-midi"``.
        message: What happened, where, and what to do about it.
        path: The file or folder concerned, where there is one.
    """

    kind = "error"

    def __init__(self, message: str, *, path: Path | str | None = None, kind: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = None if path is None else Path(path)
        if kind is not None:
            self.kind = kind

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders in worker pools; the default forgets keyword arguments.
        return (_rebuild, (type(self), self.message, self.path, self.kind))


def _rebuild(cls: type[ToccataError], message: str, path: Path | None, kind: str) -> ToccataError:
    return cls(message, path=path, kind=kind)


class MidiError(ToccataError):
    """A MIDI file that cannot be read, or holds nothing to work with."""

    kind = "unreadable-midi"


class MidiUnavailableError(MidiError):
    """A MIDI file that cannot be read now, and maybe later: no permission, an error of the disk, too little time."""


class MidiWarning(UserWarning):
    """Something of a MIDI file is missing or is not used, and the rest is."""


class PieceWarning(UserWarning):
    """Some of the pieces of a call could not be written, and the others are returned."""


class RecipeError(ToccataError):
    """A recipe or a setting that does not exist, or has a value that it cannot have."""

    kind = "bad-recipe"


class RecipeWarning(UserWarning):
    """Something in a recipe or a setting goes by an old name."""


class ModelError(ToccataError):
    """A model folder that is missing something, was changed, or is not one."""

    kind = "bad-model"


class CorpusError(ToccataError):
    """A folder of music, or a prepared corpus, that cannot be used."""

    kind = "bad-corpus"


class RequestError(ToccataError):
    """A request that a model cannot fulfil."""

    kind = "bad-request"


class ArgumentError(RequestError):
    """A value that an argument or an option cannot have, whatever the model and the music."""

    kind = "bad-argument"


class MissingExtra(ToccataError):  # noqa: N818 - reads as what it is
    """A feature whose optional dependency is not installed."""

    kind = "missing-extra"


class RemoteError(ToccataError):
    """A place in an object store that is not there, may not be used, or cannot be reached."""

    kind = "remote"


def shown(value: object) -> str:
    """A value as an error message quotes it: on one line and short, whatever it is."""
    return " ".join(_SHORT.repr(value).split())


class _Short(reprlib.Repr):
    """``repr``, shortened; numbers too long for ``repr`` are described."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 60
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = self.maxdeque = 4
        self.maxlevel = 3

    def repr_int(self, value: int, level: int) -> str:
        """Digits, up to 20 of them."""
        if abs(value) < 10**20:
            return repr(value)
        digits = int(abs(value).bit_length() * 0.30103) + 1
        return f"a number of about {digits:,} digits"

    def repr_instance(self, value: object, level: int) -> str:
        """Return the ``repr`` of an object; where that fails, its type."""
        try:
            text = repr(value)
        except Exception:  # it is a stranger's, and the message is about something else
            text = f"a {type(value).__name__}"
        return text if len(text) <= self.maxother else f"{text[: self.maxother - 3]}..."


_SHORT = _Short()
