"""Reading a safetensors file that a stranger may have written: what it says is compared with what it has to hold.

A matrix of a model's weights is there as float32; or, to be a quarter as large, as 8-bit numbers (:func:`packed`):
``NAME`` as I8 [N, K] and ``NAME.scales`` as F16 [N, blocks], one scale for each block of a row.
"""

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
_TYPES: dict[str, tuple[str, int, str]] = {
    "F32": ("<f4", 4, "float32"),
    "F16": ("<f2", 2, "float16"),
    "I8": ("|i1", 1, "8-bit numbers"),
}
"""Number formats, each with what NumPy calls it, its bytes, and its name in errors."""
SCALES = ".scales"
"""The suffix of the scales of a matrix of 8-bit numbers."""
_BLOCK = 64
"""Numbers of a row that share a scale, half as many where a row is no multiple of so many. It is so in the engine's
graph, too: what runs there in 8 bits is the same whether it was packed before or not.
"""

Kind = Literal["F32", "F16", "I8"]
_Expected = Mapping[str, tuple[Kind, tuple[int, ...]]]
"""The number format and the shape of each array of a file."""


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


def packed(tensors: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
    """Return tensors with their matrices as 8-bit numbers and scales; vectors stay as they are.

    Args:
        tensors: Arrays of one or two dimensions.
    """
    made: dict[str, NDArray[Any]] = {}
    for name, array in tensors.items():
        if array.ndim != 2:
            made[name] = array
            continue
        N, K = array.shape
        padded = np.zeros((N, _blocks(K), _block(K)), np.float32)
        padded.reshape(N, -1)[:, :K] = array
        scales = (np.abs(padded).max(axis=-1) / np.float32(127)).astype(np.float16)
        scales[scales == 0] = 1
        codes = np.rint(padded / scales[..., None].astype(np.float32)).clip(-127, 127).astype(np.int8)
        made[name] = np.ascontiguousarray(codes.reshape(N, -1)[:, :K])
        made[name + SCALES] = scales
    return made


def _block(columns: int) -> int:
    return _BLOCK if columns % _BLOCK == 0 else _BLOCK // 2


def _blocks(columns: int) -> int:
    return -(-columns // _block(columns))


def read_arrays(
    path: Path, header: Header, shapes: Mapping[str, tuple[int, ...]], kind: Literal["F32", "F16"]
) -> dict[str, NDArray[np.float32]]:
    """Return the arrays of a safetensors file as float32, by name; of float32 they are not to be written to.

    Args:
        path: The file.
        header: Its header.
        shapes: The name and the shape of each array it has to hold; other arrays are refused.
        kind: Their number format in the file; matrices that should be float32 may be packed.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds other arrays.
    """
    expected = _expected(header.entries, shapes, kind)
    places = _places(header.entries, expected, header.size - header.start)
    start = header.start
    raw = np.asarray(np.memmap(path, np.uint8, "r")) if header.size > start else np.zeros(start, np.uint8)

    def stored(name: str) -> NDArray[Any]:
        (kind, shape), (first, last) = expected[name], places[name]
        return raw[start + first : start + last].view(_TYPES[kind][0]).reshape(shape)

    made: dict[str, NDArray[np.float32]] = {}
    for name, shape in shapes.items():
        array = stored(name)
        if expected[name][0] == "I8":
            scales = stored(name + SCALES).astype(np.float32)
            with np.errstate(invalid="ignore"):  # scales that are not finite are refused with all other numbers
                made[name] = array * np.repeat(scales, _block(shape[1]), axis=1)[:, : shape[1]]
        else:
            made[name] = array.astype(np.float32, copy=False)
    return made


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


def _expected(
    header: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], kind: Literal["F32", "F16"]
) -> _Expected:
    """Return the arrays that a file has to hold, by what its header says of the matrices: whether they are packed."""
    if missing := set(shapes) - set(header):
        raise ValueError(f"it lacks {len(missing)} arrays that config.json describes, the first {min(missing)}")
    expected: dict[str, tuple[Kind, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        entry = header[name]
        expected[name] = (kind, shape)
        if kind == "F32" and len(shape) == 2 and isinstance(entry, dict) and entry.get("dtype") == "I8":
            expected[name] = ("I8", shape)
            expected[name + SCALES] = ("F16", (shape[0], _blocks(shape[1])))
    if foreign := set(header) - set(expected):
        raise ValueError(f"it has arrays that config.json does not describe, the first {min(foreign)[:100]!r}")
    return expected


def _places(header: Mapping[str, Any], expected: _Expected, size: int) -> dict[str, tuple[int, int]]:
    """Return the range of each array in the file's data, which has ``size`` bytes."""
    places: dict[str, tuple[int, int]] = {}
    for name, (kind, shape) in expected.items():
        entry = header.get(name)
        if not isinstance(entry, dict) or entry.get("dtype") != kind:
            raise ValueError(f"{name} is not {_TYPES[kind][2]}")
        if entry.get("shape") != list(shape):
            found = ascii(entry.get("shape"))[:60]
            raise ValueError(f"{name} has the shape {found}, but config.json says {list(shape)}")
        offsets = entry.get("data_offsets")
        if not (isinstance(offsets, list) and len(offsets) == 2 and all(type(at) is int for at in offsets)):
            raise ValueError(f"{name} has no place")
        places[name] = (offsets[0], offsets[1])
    end = 0
    for name, (first, last) in sorted(places.items(), key=lambda item: item[1]):
        kind, shape = expected[name]
        if first != end or last - first != _TYPES[kind][1] * prod(shape):
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
