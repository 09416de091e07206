"""Reading a safetensors file that a stranger may have written: what it says is compared with what it has to hold."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.errors import ModelError
from toccata.files import parse_json

_LARGEST_HEADER = 16 << 20
_WIDTH = 4  # bytes of a float32


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
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size - 8, _LARGEST_HEADER):
                raise ValueError("its header is cut short")
            header = parse_json(file.read(length))
        start = 8 + length
        places = _places(header, shapes, size - start)
        raw = np.asarray(np.memmap(path, np.uint8, "r")) if size > start else np.zeros(start, np.uint8)
        made = {
            name: raw[start + first : start + last].view("<f4").reshape(shapes[name]).astype(np.float32, copy=False)
            for name, (first, last) in places.items()
        }
    except (OSError, ValueError) as error:
        why = "missing" if isinstance(error, FileNotFoundError) else f"damaged ({error})"
        raise ModelError(f"{path} is {why}: copy the whole model folder again", path=path) from None
    for name, array in made.items():
        if not _is_finite(array):
            raise ModelError(
                f"{path} holds numbers in {name} that are not finite: its training went wrong, or the file is damaged; "
                "nothing can be written with it",
                path=path,
            )
    return made


def _places(header: Any, shapes: Mapping[str, tuple[int, ...]], size: int) -> dict[str, tuple[int, int]]:
    """Return the range of each array in the file's data, which has ``size`` bytes."""
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    header.pop("__metadata__", None)
    if missing := set(shapes) - set(header):
        raise ValueError(f"it lacks {len(missing)} arrays that config.json describes, the first {min(missing)}")
    if foreign := set(header) - set(shapes):
        raise ValueError(f"it has arrays that config.json does not describe, the first {min(foreign)[:100]!r}")
    places: dict[str, tuple[int, int]] = {}
    for name, shape in shapes.items():
        entry = header[name]
        if not isinstance(entry, dict) or entry.get("dtype") != "F32":
            raise ValueError(f"{name} is not float32")
        if entry.get("shape") != list(shape):
            found = ascii(entry.get("shape"))[:60]
            raise ValueError(f"{name} has the shape {found}, but config.json says {list(shape)}")
        offsets = entry.get("data_offsets")
        if not (isinstance(offsets, list) and len(offsets) == 2 and all(type(at) is int for at in offsets)):
            raise ValueError(f"{name} has no place")
        places[name] = (offsets[0], offsets[1])
    end = 0
    for name, (first, last) in sorted(places.items(), key=lambda item: item[1]):
        if first != end or last - first != _WIDTH * prod(shapes[name]):
            raise ValueError(f"{name} does not lie where it should")
        end = last
    if end != size:
        raise ValueError(f"{size} bytes of numbers instead of {end}")
    return places


def _is_finite(array: NDArray[np.float32]) -> bool:
    # A sum is finite only if all its terms are, and costs a fraction; but large terms may overflow it.
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())
