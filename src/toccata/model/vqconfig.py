"""The shape of a VQ-VAE that turns piano rolls into codes, one slice a quarter note. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import log2
from typing import Any, Literal

from toccata.errors import ModelError, shown

KEYS, CHANNELS = 88, 2
"""Keys of a piano, and channels of a roll: struck, sounding."""
SILENT = 6.0
"""In the layout ``slots``, a key that no slot claims sounds with the log odds of minus this."""
ABOUT, WEIGHTS, ENCODER, DECODER = "vq.json", "vq.safetensors", "vq-encoder.onnx", "vq-decoder.onnx"
"""The files that are a VQ-VAE: its config and threshold, its weights, and its halves as graphs."""


@dataclass(frozen=True)
class VqConfig:
    """A VQ-VAE, as sizes and choices.

    Two layouts. ``slots``: the keys that are used in a quarter note are told from low to high, and each becomes one
    code, its rhythm included; where there are more keys than codes, some between the outer ones are left out. ``grid``:
    convolutions over the roll as a picture, which leave 8 x 2 places, one code each.
    """

    layout: Literal["slots", "grid"] = "slots"
    steps: int = 24
    """Steps a quarter note; 32 for ``grid``."""
    codes: int = 8
    """Codes a quarter note; 16 for ``grid``."""
    book: int = 1024
    """Entries of the book that every code is one of."""
    entry: int = 16
    """Numbers an entry of the book is."""
    width: int = 96
    """Features inside; of ``grid``, channels of the convolutions."""
    layers: int = 1
    """Residual blocks before the book, and as many behind."""
    decay: float = 0.95
    """Of the moving averages that the entries are."""
    commitment: float = 12.5
    """How much the distance between a code and what it stands for weighs, in nats a slice."""
    renew: float = 0.05
    """Entries that are chosen less often than this, on average in a batch, are moved to where they are needed; 0: none
    is."""

    def __post_init__(self) -> None:
        for name, low in _LOWEST.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= _HIGHEST[name]:
                raise ModelError(
                    f"the codes' {name} must be a whole number from {low} to {_HIGHEST[name]:,}, not {shown(value)}"
                )
        if self.layout not in ("slots", "grid"):
            raise ModelError(f"the codes' layout must be slots or grid, not {self.layout!r}")
        for name, high in (("decay", 1.0), ("commitment", float("inf")), ("renew", float("inf"))):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 <= value < high:
                raise ModelError(f"the codes' {name} must be a number from 0 to below {high:g}, not {shown(value)}")
        if self.layout == "grid" and (self.steps, self.codes) != (32, 16):
            raise ModelError("the codes' layout grid has 32 steps and 16 codes a quarter: set steps=32 and codes=16")
        if self.layout == "grid" and (self.width < 4 or self.entry != self.width):
            raise ModelError(
                "the codes' layout grid has entries as wide as it is inside: set entry to width, at least 4"
            )

    @property
    def bits(self) -> float:
        """Bits a quarter note's codes can hold."""
        return self.codes * log2(self.book)

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> VqConfig:
        """Read what :meth:`to_json` wrote, or what a recipe says.

        Raises:
            ModelError: A field that this version does not know, or a value that it cannot have.
        """
        if unknown := set(config) - {f.name for f in fields(cls)}:
            raise ModelError(
                f"codes have no setting {min(unknown)!r}; there are {', '.join(f.name for f in fields(cls))}"
            )
        return cls(**config)


_LOWEST = {"steps": 1, "codes": 1, "book": 2, "entry": 1, "width": 1, "layers": 0}
_HIGHEST = {"steps": 192, "codes": 256, "book": 65_536, "entry": 4096, "width": 8192, "layers": 256}

SEED = VqConfig(
    layout="grid", steps=32, codes=16, book=16, entry=256, width=256, layers=2, decay=0.99, commitment=1408.0, renew=0.0
)
"""The layout this began with: 16 codes of a book of 16 a quarter note, by convolutions over a roll of 88 x 32.

A mean over 88 x 32 x 2 numbers plus a commitment of 0.25 is, in nats a slice, a commitment of 1408.
"""
