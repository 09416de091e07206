"""How large the settings of a saved event tokenizer may be: its vocabulary is built from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NUMBERS = {
    "num_velocities", "num_tempos", "default_note_duration", "control_change_n_bins", "max_pitch_interval",
    "pitch_intervals_max_time_dist",
}  # fmt: skip
_LARGEST, _MOST, _MOST_TOKENS = 16_384, 1000, 50_000


def refuse_large(config: Any) -> None:
    """Refuse settings from which a vocabulary of millions would be made.

    Args:
        config: The ``config`` of MidiTok's ``tokenizer.json``.

    Raises:
        ValueError: It is no table, or holds numbers, lists or ranges that no tokenizer has; the message names one.
    """
    if not isinstance(config, Mapping):
        raise ValueError("its config is no table")
    for name, value in config.items():
        _refuse(name, value)
        if name in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise ValueError(f"{name} is no number")
    for name in ("beat_res", "beat_res_rest"):
        ranges = config.get(name)
        if (
            isinstance(ranges, Mapping)
            and sum(_steps(name, key, value) for key, value in ranges.items()) > _MOST_TOKENS
        ):
            raise ValueError(f"{name} makes more than {_MOST_TOKENS:,} tokens")
    meters = config.get("time_signature_range")
    if isinstance(meters, Mapping) and sum(len(m) for m in meters.values() if isinstance(m, list)) > _MOST:
        raise ValueError("time_signature_range has too many meters")


def _refuse(name: str, value: Any) -> None:
    """Refuse a setting's numbers, and the sizes of its lists, at any depth."""
    if isinstance(value, Mapping | list):
        if len(value) > _MOST:
            raise ValueError(f"{name} has more than {_MOST:,} entries")
        for one in value.values() if isinstance(value, Mapping) else value:
            _refuse(name, one)
    elif isinstance(value, int | float) and not -_LARGEST <= value <= _LARGEST:
        raise ValueError(f"{name} is larger than {_LARGEST:,}")
    elif isinstance(value, str) and len(value) > _MOST:
        raise ValueError(f"{name} is too long")


def _steps(name: str, key: str, steps: Any) -> int:
    """How many lengths a range of beats such as ``"0_4": 12`` makes."""
    low, _, high = key.partition("_")
    if not (low.isdecimal() and high.isdecimal() and len(key) < 20 and type(steps) is int):
        raise ValueError(f"{name} has no ranges of beats")
    return max(0, int(high) - int(low) + 1) * max(0, steps)
