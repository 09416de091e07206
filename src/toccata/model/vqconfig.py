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
ABOUT, WEIGHTS = "vq.json", "vq.safetensors"
"""The files that are a VQ-VAE: its config and threshold, and its weights."""


@dataclass(frozen=True)
class VqConfig:
    """A VQ-VAE, as sizes and choices.

    Two layouts. ``slots``: the keys that are used in a quarter note are encoded from low to high, each as one
    code, its rhythm included; where there are more keys than codes, some between the outer ones are left out. ``grid``:
    convolutions over the roll as a picture, which leave 8 x 2 places, one code each.
    """

    layout: Literal["slots", "grid"] = "slots"
    steps: int = 24
    """Steps a quarter note; 32 for ``grid``."""
    codes: int = 8
    """Codes a quarter note; 16 for ``grid``."""
    codebook: int = 1024
    """Entries of the codebook that every code is one of."""
    entry: int = 16
    """Size of an entry of the codebook."""
    width: int = 96
    """Hidden size; of ``grid``, channels of the convolutions."""
    layers: int = 1
    """Residual blocks before the codebook, and as many behind."""
    decay: float = 0.95
    """Decay of the moving averages from which the entries of the codebook are learned."""
    commitment: float = 12.5
    """The weight of the distance between a code and its encoder output, in nats a slice."""
    renew: float = 0.05
    """Entries that are chosen less often than this, on average in a batch, are moved to where they are needed; 0: none
    is."""

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ModelError(f"the codes' {name} must be a whole number from {low} to {high:,}, not {shown(value)}")
        if self.layout not in ("slots", "grid"):
            raise ModelError(f"the codes' layout must be slots or grid, not {self.layout!r}")
        for name, below in (("decay", 1.0), ("commitment", float("inf")), ("renew", float("inf"))):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 <= value < below:
                raise ModelError(f"the codes' {name} must be a number from 0 to below {below:g}, not {shown(value)}")
        if self.layout == "grid" and (self.steps, self.codes) != (32, 16):
            raise ModelError("the codes' layout grid has 32 steps and 16 codes a quarter: set steps=32 and codes=16")
        if self.layout == "grid" and (self.width < 4 or self.entry != self.width):
            raise ModelError(
                "the codes' layout grid has entries as wide as it is inside: set entry to width, at least 4"
            )

    @property
    def bits(self) -> float:
        """Bits a quarter note's codes can hold."""
        return self.codes * log2(self.codebook)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> VqConfig:
        """Read what :meth:`to_json` wrote, or what a recipe says.

        Raises:
            ModelError: A field that this version does not know, or a value that it cannot have.
        """
        if not isinstance(config, Mapping):
            raise ModelError(f"the codes' config must be an object, not {str(config)[:60]!r}")
        if "book" in config and "codebook" not in config:  # as it was called once
            config = {"codebook" if name == "book" else name: value for name, value in config.items()}
        if unknown := set(config) - {f.name for f in fields(cls)}:
            raise ModelError(
                f"codes have no setting {min(unknown)!r}; there are {', '.join(f.name for f in fields(cls))}"
            )
        return cls(**config)


_BOUNDS = {
    "steps": (1, 1024), "codes": (1, 256), "codebook": (2, 65_536), "entry": (1, 4096), "width": (1, 4096),
    "layers": (0, 64),
}  # fmt: skip
"""More than this is a slip of the keys, or a file that wants memory."""


def shapes(config: VqConfig) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of ``vq.safetensors``."""
    width, slots = config.width, config.layout == "slots"
    weights = _slots(config) if slots else _grid(config)
    made: dict[str, tuple[int, ...]] = {"book": (config.codebook - 1 if slots else config.codebook, config.entry)}
    for name, shape in weights.items():
        transposed = name.startswith("up.")  # weights of a transposed convolution lead with their inputs
        made |= {f"{name}.weight": shape, f"{name}.bias": (shape[1] if transposed else shape[0],)}
    norms = [f"{side}.{i}.norm" for side in ("before", "behind") for i in range(config.layers)]
    for name in [*norms, "norm_in", "norm_out"] if slots else []:
        made |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    return made


def _slots(config: VqConfig) -> dict[str, tuple[int, ...]]:
    width, rhythm = config.width, CHANNELS * config.steps
    made: dict[str, tuple[int, ...]] = {
        "key_in": (width, KEYS), "rhythm_in.0": (width, rhythm), "rhythm_in.1": (width, width),
        "narrow": (config.entry, width), "widen": (width, config.entry),
        "key_out": (KEYS, width), "rhythm_out.0": (width, width), "rhythm_out.1": (rhythm, width),
    }  # fmt: skip
    for side in ("before", "behind"):
        for i in range(config.layers):
            made |= {f"{side}.{i}.up": (2 * width, width), f"{side}.{i}.down": (width, 2 * width)}
    return made


def _grid(config: VqConfig) -> dict[str, tuple[int, ...]]:
    width, half, quarter = config.width, config.width // 2, config.width // 4
    made: dict[str, tuple[int, ...]] = {
        "down.0": (half, CHANNELS, 4, 4), "down.1": (width, half, 4, 4), "down.2": (width, width, 6, 4),
        "down.3": (width, width, 3, 3), "first": (width, width, 3, 3),
        "up.0": (width, width, 6, 4), "up.1": (width, half, 4, 4), "up.2": (half, CHANNELS, 4, 4),
    }  # fmt: skip
    for side in ("before", "behind"):
        for i in range(config.layers):
            made |= {f"{side}.{i}.wide": (quarter, width, 3, 3), f"{side}.{i}.back": (width, quarter, 1, 1)}
    return made


SEED = VqConfig(
    layout="grid",
    steps=32,
    codes=16,
    codebook=16,
    entry=256,
    width=256,
    layers=2,
    decay=0.99,
    commitment=1408.0,
    renew=0.0,
)
"""The layout this began with: 16 codes of a codebook of 16 a quarter note, by convolutions over a roll of 88 x 32.

A mean over 88 x 32 x 2 numbers plus a commitment of 0.25 is, in nats a slice, a commitment of 1408.
"""
