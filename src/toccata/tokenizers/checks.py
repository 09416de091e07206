"""Checks of single settings: each takes a setting's name and value, and returns the value in the form that is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Range = tuple[tuple[int, int], int]
"""Steps a beat within a range of beats: ``((0, 4), 12)``."""


class SettingError(ValueError):
    """A setting with a value that it cannot have.

    Attributes:
        name: Of the setting.
    """

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.name, self.why = name, why

    def __str__(self) -> str:
        return f"{self.name} is wrong: {self.why}"


def flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise SettingError(name, f"true or false, not {short(value)}")
    return value


def whole(low: int, high: int) -> Callable[[str, Any], int]:
    def check(name: str, value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise SettingError(name, f"a whole number from {low} to {high}, not {short(value)}")
        return value

    return check


def length(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1000:
        raise SettingError(name, f"a number from 0 to 1000, not {short(value)}")
    return value


def pitches(name: str, value: Any) -> tuple[int, int]:
    low, high = numbers(name, value, 0, 127, 2)
    if low >= high:
        raise SettingError(name, f"a lowest and a highest pitch from 0 to 127, not {short(value)}")
    return low, high


def tempos(name: str, value: Any) -> tuple[float, float]:
    fine = isinstance(value, list | tuple) and len(value) == 2
    if not fine or not all(isinstance(v, int | float) and not isinstance(v, bool) and 0 < v < 10_000 for v in value):
        raise SettingError(name, f"a lowest and a highest tempo above 0, not {short(value)}")
    return value[0], value[1]


def bends(name: str, value: Any) -> tuple[int, int, int]:
    low, high, count = numbers(name, value, -8192, 8192, 3)
    if low >= high or not 1 < count <= 1024:
        raise SettingError(name, f"a lowest, a highest bend and how many there are, not {short(value)}")
    return low, high, count


def unknown(name: str, value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    low, high = numbers(name, value, 1, 12, 2)
    return low, high


def split(name: str, value: Any) -> str:
    if value not in ("bar", "beat", "no"):
        raise SettingError(name, f"bar, beat or no, not {short(value)}")
    return str(value)


def words(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > 1000 or not all(isinstance(v, str) for v in value):
        raise SettingError(name, f"a list of words, not {short(value)}")
    return tuple(value)


def chords(name: str, value: Any) -> dict[str, tuple[int, ...]]:
    chords = mapping(name, value)
    return {str(quality): tuple(numbers(name, pitches, -127, 127)) for quality, pitches in chords.items()}


def ranges(name: str, value: Any) -> tuple[Range, ...]:
    ranges = []
    for key, steps in mapping(name, value).items():
        try:
            low, high = key if isinstance(key, tuple) else map(int, str(key).split("_"))
        except ValueError:
            raise SettingError(name, f"ranges of beats, not {short(key)}") from None
        if type(steps) is not int or not 1 <= steps <= 1000 or not 0 <= low < high <= 1000:
            raise SettingError(name, f"at least 1 step a beat in ranges of beats, not {short(value)}")
        ranges.append(((int(low), int(high)), steps))
    if not ranges or ranges[0][0][0] != 0:
        raise SettingError(name, f"steps a beat for ranges of beats from 0 on, not {short(value)}")
    return tuple(ranges)


def mapping(name: str, value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping) or len(value) > 1000:
        raise SettingError(name, f"a table, not {short(value)}")
    return value


def numbers(name: str, value: Any, low: int, high: int, count: int | None = None) -> Sequence[int]:
    fine = isinstance(value, list | tuple | range | set | frozenset) and len(value) <= 1000
    if not fine or not all(type(v) is int and low <= v <= high for v in value):
        raise SettingError(name, f"a list of whole numbers from {low} to {high}, not {short(value)}")
    if count is not None and len(value) != count:
        raise SettingError(name, f"{count} whole numbers, not {short(value)}")
    return list(value)


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
