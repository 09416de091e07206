"""Reading a safetensors file that a stranger may have written: what it says is compared with what it has to hold."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toccata.errors import ModelError
from toccata.files import parse_json

_LARGEST_HEADER = 16 << 20
_TYPES: dict[str, tuple[str, int]] = {"F32": ("<f4", 4), "F16": ("<f2", 2)}
"""Number formats, each with what NumPy calls it and its bytes."""


class Header(NamedTuple):
    """The header of a safetensors file.

    Attributes:
        metadata: Its free texts; not checked.
        entries: What it says of each array; not checked.
        start: Where the arrays begin in the file, in bytes.
        size: How long the file is.
    """

    metadata: dict[str, Any]
    entries: dict[str, Any]
    start: int
    size: int


def read_header(path: Path) -> Header:
    """Return the header of a safetensors file; what it says of the arrays is yet to be checked.

    Raises:
        OSError: The file cannot be read.
        ValueError: It has no such header.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, _LARGEST_HEADER):
            raise ValueError("its header is cut short")
        entries = parse_json(file.read(length))
    if not isinstance(entries, dict):
        raise ValueError("its header is no object")
    metadata = entries.pop("__metadata__", None)
    return Header(metadata if isinstance(metadata, dict) else {}, entries, 8 + length, size)


def read_arrays(
    path: Path, header: Header, shapes: Mapping[str, tuple[int, ...]], kind: Literal["F32", "F16"]
) -> dict[str, NDArray[np.float32]]:
    """Return the arrays of a safetensors file as float32, by name; of float32 they are not to be written to.

    Args:
        path: The file.
        header: Its header.
        shapes: The name and the shape of each array it has to hold; other arrays are refused.
        kind: Their number format in the file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds other arrays.
    """
    places = _places(header.entries, shapes, header.size - header.start, kind)
    start, numpy_type = header.start, _TYPES[kind][0]
    raw = np.asarray(np.memmap(path, np.uint8, "r")) if header.size > start else np.zeros(start, np.uint8)
    return {
        name: raw[start + first : start + last].view(numpy_type).reshape(shapes[name]).astype(np.float32, copy=False)
        for name, (first, last) in places.items()
    }


def read_tensors(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """The float32 arrays of a safetensors file, by name; mapped into memory, not read, and not to be written to.

    The header is compared with ``shapes`` and with the file's size before anything is mapped, so the file costs what it
    should whatever its header says.

    Args:
        path: The file.
        shapes: The name and the shape of each array it has to hold; other arrays are refused.

    Raises:
        ModelError: The file is missing or damaged, holds other arrays, or numbers that are not finite.
    """
    try:
        made = read_arrays(path, read_header(path), shapes, "F32")
    except (OSError, ValueError) as error:
        why = "missing" if isinstance(error, FileNotFoundError) else f"damaged ({error})"
        raise ModelError(f"{path} is {why}: copy the whole model folder again", path=path) from None
    for name, array in made.items():
        if not is_finite(array):
            raise ModelError(
                f"{path} holds numbers in {name} that are not finite: its training went wrong, or the file is damaged; "
                "nothing can be written with it",
                path=path,
            )
    return made


def _places(
    header: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], size: int, kind: str
) -> dict[str, tuple[int, int]]:
    """Return the range of each array in the file's data, which has ``size`` bytes."""
    if missing := set(shapes) - set(header):
        raise ValueError(f"it lacks {len(missing)} arrays that config.json describes, the first {min(missing)}")
    if foreign := set(header) - set(shapes):
        raise ValueError(f"it has arrays that config.json does not describe, the first {min(foreign)[:100]!r}")
    width = _TYPES[kind][1]
    places: dict[str, tuple[int, int]] = {}
    for name, shape in shapes.items():
        entry = header[name]
        if not isinstance(entry, dict) or entry.get("dtype") != kind:
            raise ValueError(f"{name} is not float{8 * width}")
        if entry.get("shape") != list(shape):
            found = ascii(entry.get("shape"))[:60]
            raise ValueError(f"{name} has the shape {found}, but config.json says {list(shape)}")
        offsets = entry.get("data_offsets")
        if not (isinstance(offsets, list) and len(offsets) == 2 and all(type(at) is int for at in offsets)):
            raise ValueError(f"{name} has no place")
        places[name] = (offsets[0], offsets[1])
    end = 0
    for name, (first, last) in sorted(places.items(), key=lambda item: item[1]):
        if first != end or last - first != width * prod(shapes[name]):
            raise ValueError(f"{name} does not lie where it should")
        end = last
    if end != size:
        raise ValueError(f"{size} bytes of numbers instead of {end}")
    return places


def is_finite(array: NDArray[np.float32]) -> bool:
    """Whether all numbers are finite."""
    # A sum is finite only if all its terms are, and costs a fraction; but large terms may overflow it.
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())
