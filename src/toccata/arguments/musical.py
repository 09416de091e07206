"""Kinds of values that musicians write in a way of their own: bars, meters, pitches, instruments, levels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from toccata.arguments.kinds import Kind, Several, Unfit, Whole, called, is_instance, pair
from toccata.errors import shown

BARS_OF_A_SONG = Whole(1, 9_999_999)
"""The number of a bar of a song; whether the song has it is seen when it is read."""
_DIGITS = "[0-9]{1,7}"
_SPAN = re.compile(rf"\s*({_DIGITS})(?:\s*-\s*({_DIGITS}))?\s*")
_METER = re.compile(r"\s*([0-9]{1,2})\s*/\s*([0-9]{1,2})\s*")
_LONGEST_LIST = 1_000_000  # characters: single notes may be many
_LEVEL = Whole(-999, 999)  # how many there are of each control is known where controls are


class Meter(Kind):
    """A meter: ``3/4``, ``(6, 8)``."""

    allowed = "a meter like 3/4 or 6/8, of 1 to 99 beats, the beat 1, 2, 4, 8, 16 or 32"

    def read(self, value: Any) -> tuple[int, int]:
        """As beats and what counts as one."""
        if isinstance(value, str):
            found = _METER.fullmatch(value)
            if not found:
                raise Unfit
            value = int(found[1]), int(found[2])
        beats, unit = (Whole(1, 99).read(one) for one in pair(value))
        if unit not in (1, 2, 4, 8, 16, 32):
            raise Unfit
        return beats, unit


class Span(Kind):
    """The first and the last of some bars: ``5-8``, ``(5, 8)``, or one of them."""

    allowed = "bars like 5-8 or (5, 8), counted from 1"

    def read(self, value: Any) -> tuple[int, int]:
        """As first and last, counted from 1."""
        if isinstance(value, str):
            found = _SPAN.fullmatch(value)
            if not found:
                raise Unfit
            value = int(found[1]), int(found[2] or found[1])
        elif not isinstance(value, tuple | list):
            value = value, value
        first, last = (BARS_OF_A_SONG.read(one) for one in pair(value))
        if first > last:
            raise Unfit
        return first, last


class Spans(Several):
    """Some spans of bars: ``5-8,13``, ``[(5, 8), (13, 13)]``, or one span."""

    def __init__(self) -> None:
        super().__init__(Span(), "spans of bars", none=True)  # an empty list is refused later, with a better message
        self.allowed = "bars like 5-8,13-14 or [(5, 8), (13, 14)], counted from 1"

    def read(self, value: Any) -> tuple[tuple[int, int], ...]:
        """As pairs of first and last."""
        if isinstance(value, str):
            value = value.split(",")
        elif not isinstance(value, str) and hasattr(value, "tolist"):
            value = value.tolist()  # an array
        if isinstance(value, tuple | list) and value and not isinstance(value[0], tuple | list | str):
            value = [value]  # one pair
        return super().read(value)


class FirstBars(Kind):
    """The first bars of a song (``4``), or some in its middle (``5-8``)."""

    allowed = "a number of bars like 8, or bars like 5-8 or (5, 8)"

    def read(self, value: Any) -> tuple[int, int]:
        """As first and last bar."""
        first, last = Span().read(value)
        middle = "-" in value if isinstance(value, str) else isinstance(value, tuple | list)
        return (first, last) if middle else (1, last)


class Pitches(Kind):
    """The lowest and the highest pitch: ``C3-C6``, ``(48, 84)``; with ``one``, also a single pitch."""

    allowed = "the lowest and the highest pitch, like C3-C6, 48-84 or (48, 84)"

    def __init__(self, *, one: bool = False) -> None:
        self.one = one

    def read(self, value: Any) -> tuple[int, int]:
        """As MIDI numbers, 60 is C4."""
        if self.one and not isinstance(value, tuple | list):
            try:
                return self._number(value), self._number(value)
            except Unfit:
                pass
        if isinstance(value, str):
            found: tuple[int, int] = called("toccata.midi.locks:pitch_range", value)
            return found
        low, high = (self._number(one) for one in pair(value))
        if low > high:
            raise Unfit
        return low, high

    @staticmethod
    def _number(value: Any) -> int:
        if not isinstance(value, str):
            return Whole(0, 127).read(value)
        from toccata.midi.locks import pitch_number

        try:
            return pitch_number(value)
        except ValueError:
            raise Unfit from None


class Program(Kind):
    """A General MIDI instrument by its number, -1 the drums, or by its name."""

    allowed = "an instrument's number from 0 to 127, -1 for the drums, or its name"

    def read(self, value: Any) -> int:
        """As a number."""
        if isinstance(value, str):
            found: int = called("toccata.midi.gm:program_number", value)
            return found
        return Whole(-1, 127).read(value)


class Locks(Kind):
    """Which notes of a song stay: a Lock, or ``BARS:TRACKS:PITCHES``."""

    allowed = "a Lock, or a text like 5-8:melody or ::C5-G9"

    def read(self, value: Any) -> Any:
        """As a Lock."""
        if is_instance(value, "Lock"):
            return value
        if not isinstance(value, str) or len(value) > (_LONGEST_LIST if value.startswith("@") else 1000):
            raise Unfit
        return called("toccata.midi.locks:Lock.read", value)


class Level(Kind):
    """A control and its level or levels: ``density=3``, ``density=2,2,5``."""

    allowed = "like density=3, or density=2,2,5 for one level each bar"

    def read(self, value: Any) -> tuple[str, int | tuple[int, ...]]:
        """As name and level, or levels."""
        name, levels = pair(value)
        if not isinstance(name, str):
            raise Unfit
        try:
            if isinstance(levels, Iterable) and not isinstance(levels, str | bytes | Mapping):
                return name, Several(_LEVEL, "levels").read(levels)
            return name, _LEVEL.read(levels)
        except Unfit as error:
            wrong = error.value[0] if error.value else levels
            raise Unfit(f"levels of {shown(name)} are whole numbers, not {shown(wrong)}") from None

    def parse(self, text: str) -> tuple[str, int | tuple[int, ...]]:
        """From ``NAME=L`` or ``NAME=L,L,...``."""
        found = re.fullmatch(r"\s*(\w+)\s*=\s*([0-9]{1,3}(?:\s*,\s*[0-9]{1,3})*)\s*", text)
        if not found:
            raise Unfit
        levels = tuple(int(word) for word in found[2].split(","))
        return self.read((found[1], levels[0] if len(levels) == 1 else levels))


class Levels(Kind):
    """Controls by name."""

    allowed = 'levels by name like {"density": 3}, or {"density": [2, 2, 5]} for one each bar'

    def read(self, value: Any) -> dict[str, int | tuple[int, ...]]:
        """As a dictionary."""
        if not isinstance(value, Mapping):
            raise Unfit
        found: dict[str, int | tuple[int, ...]] = {}
        for item in value.items():
            try:
                name, levels = Level().read(item)
            except Unfit as error:
                raise Unfit(str(error) or f"{shown(item[0])} cannot be {shown(item[1])}: {self.allowed}") from None
            found[name] = levels
        return found


class Seeds(Kind):
    """A seed, or one for each piece."""

    HIGHEST = 2**63 - 1
    allowed = f"a whole number from 0 to {HIGHEST:,}, or a list of one for each piece"

    def read(self, value: Any) -> int | tuple[int, ...]:
        """As an ``int``, or a tuple of them."""
        one = Whole(0, self.HIGHEST)
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            return one.read(value)
        return Several(one, "seeds", most=100_000).read(value)

    def parse(self, text: str) -> int:
        """One number."""
        return Whole(0, self.HIGHEST).parse(text)


class FromBar(Kind):
    """Some bars that are shown: ``4``, ``5-8``, or ``5-`` to the end."""

    allowed = "bars like 4, 1-4 or 5-, counted from 1"

    def read(self, value: Any) -> tuple[int, int | None]:
        """As first and last bar; None: to the end."""
        if isinstance(value, str) and value.strip().endswith("-"):
            return Span().read(value.strip()[:-1])[0], None
        return Span().read(value)


class Words(Kind):
    """Some words with commas between them."""

    allowed = "names with commas between them"

    def read(self, value: Any) -> tuple[str, ...]:
        """As a tuple."""
        words = tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else ()
        if not words:
            raise Unfit
        return words
