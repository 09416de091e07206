"""Places: local paths, or URLs of folders in object stores; and the cache for their copies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from toccata.errors import RemoteError
from toccata.files import user_cache

_ADDRESS = re.compile(r"(s3|gs|file):[/\\]+([^/\\].*)", re.DOTALL)
_LIKE_ONE = re.compile(r"([a-z][a-z0-9+.-]+):(?:[/\\]+(.*))?", re.DOTALL | re.IGNORECASE)
_KINDS = ("s3", "gs", "file")


@dataclass(frozen=True)
class RemoteSpec:
    """How a function uses a place.

    Attributes:
        writes: Whether the function writes there.
        leave: Folders in it that are neither fetched nor published.
        only: Suffixes of the files that are fetched; empty: all of them.
        last: The file that marks a folder as complete.
        admits: Called with the place and its file names, or None for a local folder, before anything is fetched; raises
            if the place may not be written to.
    """

    writes: bool = False
    leave: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    last: str = ""
    admits: Callable[[str | Path, Iterable[str] | None], None] | None = None

    def wants(self, name: str) -> bool:
        """Return whether the file ``name``, with forward slashes, belongs to a copy; hidden files never do."""
        hidden = any(part.startswith(".") for part in name.split("/"))
        left = any(name.startswith(f"{folder}/") for folder in self.leave)
        return not (hidden or left) and (not self.only or name.lower().endswith(self.only))


def address(place: object) -> str | None:
    """Return the URL of a place that is no local path, else None; accepts ``Path("s3://b/x")``, which is s3:/b/x."""
    text = place.as_posix() if isinstance(place, Path) else place
    found = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    slashes = "///" if found[1] == "file" else "//"
    return f"{found[1]}:{slashes}{found[2].rstrip('/')}"


def no_address(place: object) -> str | None:
    """What looks like an address and cannot be one, as one writes it; else None.

    It has no bucket or folder, or is of another kind, such as ``http://host/x``. What is here by that name is a path.
    """
    text = place.as_posix() if isinstance(place, Path) else place
    found = _LIKE_ONE.fullmatch(text) if isinstance(text, str) else None
    if found is None or address(place) is not None or Path(f"{found[1]}:").exists():
        return None
    if not found[2]:
        return f"{found[1]}://" if found[1] in _KINDS else None
    return f"{found[1]}://{found[2]}"


def refuse_no_address(place: object) -> None:
    """Refuse what looks like an address and cannot be one: as a path it would be misread.

    Raises:
        RemoteError: It is such a thing.
    """
    if (url := no_address(place)) is None:
        return
    if url == "file://":
        raise RemoteError("file:// names no folder: write file:///FOLDER")
    if url.endswith("://"):
        raise RemoteError(f"{url} names no bucket: write {url}BUCKET/FOLDER")
    raise RemoteError(f"{url} cannot be used: name a folder here, or an address with s3://, gs:// or file://")


def is_remote(place: object) -> bool:
    """Whether ``place`` is an address: s3://..., gs://... or file://..."""
    return address(place) is not None


def cache() -> Path:
    """Return the cache for copies, which may be deleted: TOCCATA_CACHE, or toccata's folder in the user's cache."""
    return user_cache()
