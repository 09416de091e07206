"""The errors a user can meet: one line that says what, where and what to do."""

from __future__ import annotations

from pathlib import Path


class ToccataError(Exception):
    """An error that is the user's to mend, told in one line.

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


class MidiWarning(UserWarning):
    """Something of a MIDI file is missing or is not used, and the rest is."""


class RecipeError(ToccataError):
    """A recipe or a setting that does not exist, or has a value that it cannot have."""

    kind = "bad-recipe"


class ModelError(ToccataError):
    """A model folder that is missing something, was changed, or is not one."""

    kind = "bad-model"


class CorpusError(ToccataError):
    """A folder of music, or a prepared corpus, that cannot be used."""

    kind = "bad-corpus"


class RequestError(ToccataError):
    """Something asked of a model that it cannot do."""

    kind = "bad-request"


class MissingExtra(ToccataError):  # noqa: N818 - reads as what it is
    """A feature whose optional dependency is not installed."""

    kind = "missing-extra"


class RemoteError(ToccataError):
    """A place in an object store that is not there, may not be used, or cannot be reached."""

    kind = "remote"
