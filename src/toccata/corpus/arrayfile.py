"""A file of plain numbers: a header of JSON, then arrays. It is mapped into memory, not read.

All numbers are little-endian: ``toccata`` and a zero byte; the length of the header, 8 bytes; the header, JSON, with
the format, whatever the kind of file says, and the type and length of each array; the arrays, each at a multiple of 64
bytes from the beginning.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.errors import ModelError
from toccata.files import parse_json, written_aside

Types = Mapping[str, tuple[str, ...]]
"""The arrays of a kind of file, in their order, and the types that each may have."""

_MAGIC = b"toccata\0"
_ALIGN = 64
_PART = 1 << 20
_LARGEST_HEADER = 128 << 20  # bytes; about 50 a piece


def write_arrays(path: Path, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], types: Types) -> None:
    """Write arrays to ``path``, wholly or not at all."""
    shapes = {name: [arrays[name].dtype.str, len(arrays[name])] for name in types}
    encoded = json.dumps({**header, "arrays": shapes}, ensure_ascii=True).encode()
    with written_aside(path) as aside, aside.open("wb") as file:
        file.write(_MAGIC + len(encoded).to_bytes(8, "little") + encoded)
        for name in types:
            file.write(b"\0" * (-file.tell() % _ALIGN))
            file.write(np.ascontiguousarray(arrays[name]).data)


def arrays_digest(arrays: Mapping[str, NDArray[Any]], types: Types) -> str:
    """SHA-256 over the bytes of all arrays, in their order."""
    whole = hashlib.sha256()
    for name in types:
        whole.update(np.ascontiguousarray(arrays[name]).data)
    return whole.hexdigest()


def read_arrays(
    path: Path, form: int, types: Types, *, checked: bool = False
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The header and the arrays of the file at ``path``.

    Args:
        path: The file.
        form: The format that it must have.
        types: Its arrays.
        checked: Compare the arrays with the header's ``sum``, which is what `arrays_digest` says of them.

    Raises:
        ModelError: It is of another format than ``form``.
        ValueError: It is damaged; an OSError, KeyError, TypeError or AttributeError says the same.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        magic, length = file.read(8), int.from_bytes(file.read(8), "little")
        if magic != _MAGIC or length > size:
            raise ValueError("no header")
        header = parse_json(file.read(min(length, _LARGEST_HEADER + 1)), limit=_LARGEST_HEADER)
    if header["format"] != form:
        raise ModelError(
            f"{path} has format {header['format']!r}, this version of toccata reads {form}: update toccata", path=path
        )
    raw = np.asarray(np.memmap(path, np.uint8, "r"))  # slices of a plain array are made faster
    arrays, at = {}, 16 + length
    places = []
    for name, dtypes in types.items():
        dtype, count = header["arrays"][name]
        at += -at % _ALIGN
        end = at + count * np.dtype(dtypes[dtypes.index(dtype)]).itemsize
        if not 0 <= count <= size or end > size:
            raise ValueError("cut short")
        arrays[name] = raw[at:end].view(dtype)
        places.append((at, end))
        at = end
    if at != size:
        raise ValueError("longer than its arrays")
    if checked and header["sum"] != _digest(path, places):
        raise ValueError("not what was written")
    return header, arrays


def _digest(path: Path, places: list[tuple[int, int]]) -> str:
    """SHA-256 over parts of a file; read, as what is mapped would stay in memory."""
    whole = hashlib.sha256()
    with path.open("rb") as file:
        for at, end in places:
            file.seek(at)
            while at < end and (part := file.read(min(_PART, end - at))):
                whole.update(part)
                at += len(part)
    return whole.hexdigest()
