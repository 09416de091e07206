"""Kinds of values: the allowed values of arguments and options, and their conversion."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from toccata.errors import RequestError, shown

_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_MOST_DIGITS = 40
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,9}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})")


class Unfit(ValueError):  # noqa: N818 - never leaves this package
    """A value is not of a kind.

    Attributes:
        value: The wrong part of the value in a tuple; empty: the whole value is wrong.
    """

    def __init__(self, why: str = "", *value: Any) -> None:
        """``why`` is the message; by default it is built from the kind's ``allowed``."""
        super().__init__(why)
        self.value = value


class Kind:
    """The kind of a value.

    Attributes:
        allowed: The allowed values in words, to follow "must be".
    """

    allowed = "something else"

    def read(self, value: Any) -> Any:
        """Return the converted value.

        Raises:
            Unfit: It is not of this kind.
        """
        raise Unfit

    def parse(self, text: str) -> Any:
        """Return the converted value of a command-line text.

        Raises:
            Unfit: It is not of this kind.
        """
        return self.read(text)


class Whole(Kind):
    """A whole number between two bounds, both included. Booleans are none; NumPy's integers are."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high
        self.allowed = f"a whole number from {low:,} to {high:,}"

    def read(self, value: Any) -> int:
        """As ``int``."""
        if isinstance(value, bool) or not isinstance(value, Integral) or not self.low <= int(value) <= self.high:
            raise Unfit
        return int(value)

    def parse(self, text: str) -> int:
        """Decimal digits."""
        text = text.strip()  # also of what is no space to int()
        if not _INTEGER.fullmatch(text):
            raise Unfit
        return self.read(int(text))


class Number(Kind):
    """A finite number between two bounds, included unless ``above``: then the lower one is not."""

    def __init__(self, low: float, high: float, *, above: bool = False, below: bool = False, note: str = "") -> None:
        self.low, self.high, self.above, self.below = low, high, above, below
        start, end = "above" if above else "from", "below " if below else ""
        self.allowed = f"a number {start} {low:,g} to {end}{high:,g}{note and f' ({note})'}"

    def read(self, value: Any) -> float:
        """As ``float``; an ``int`` stays one."""
        if isinstance(value, bool) or not isinstance(value, Real):
            raise Unfit
        try:
            number = float(value)
        except OverflowError:
            raise Unfit from None
        if not (self.low <= number <= self.high):  # nor is a number that is none
            raise Unfit
        if (self.above and number == self.low) or (self.below and number == self.high):
            raise Unfit
        return int(value) if isinstance(value, Integral) else number

    def parse(self, text: str) -> float:
        """As Python writes numbers."""
        if len(text) > _MOST_DIGITS:
            raise Unfit
        try:
            return self.read(float(text))
        except ValueError:
            raise Unfit from None


class Flag(Kind):
    """True or false, and nothing that might be taken for either."""

    allowed = "True or False"

    def read(self, value: Any) -> bool:
        """As ``bool``; NumPy's are taken."""
        if not isinstance(value, bool) and not type(value).__module__ == "numpy":
            raise Unfit
        if not isinstance(value, bool) and not type(value).__name__.startswith("bool"):
            raise Unfit
        return bool(value)


class Text(Kind):
    """A text that is not blank."""

    def __init__(self, allowed: str = "a text", most: int = 10_000) -> None:
        self.allowed, self.most = allowed, most

    def read(self, value: Any) -> str:
        """As it is."""
        if not isinstance(value, str) or not value.strip() or len(value) > self.most:
            raise Unfit
        return str(value)


class Read(Text):
    """A text that is validated by a function, which raises the best message.

    Attributes:
        function: Module and name of the function, imported on first use.
    """

    def __init__(self, allowed: str, function: str) -> None:
        super().__init__(allowed)
        self.function = function

    def read(self, value: Any) -> Any:
        """Return the text unchanged; it is parsed again where it is used."""
        text = super().read(value)
        called(self.function, text)
        return text


class Choice(Kind):
    """One of some words."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.allowed = f"{', '.join(words[:-1])} or {words[-1]}"

    def read(self, value: Any) -> str:
        """As it is."""
        if not isinstance(value, str) or value not in self.words:
            raise Unfit
        return str(value)


class Place(Kind):
    """A path, or a text that is one; nothing is looked up."""

    allowed = "a path"

    def __init__(self, allowed: str = "a path", *, local: bool = False) -> None:
        self.allowed, self.local = allowed, local

    def read(self, value: Any) -> Any:
        """As it is."""
        if not isinstance(value, str | os.PathLike):
            raise Unfit
        text = os.fspath(value)
        if not isinstance(text, str) or not text.strip():
            raise Unfit
        if "\0" in text:
            raise Unfit("a path cannot have a zero in it")
        if self.local and is_address(value):
            raise Unfit(f"{shown(text)} is an address, and must be a local path")
        return value

    def parse(self, text: str) -> Path:
        """As a ``Path``."""
        return Path(Place().read(text))  # commands say more exactly what an address cannot be used for


def is_address(value: object) -> bool:
    """Whether a text or a path is the address of a place in an object store, or on another machine."""
    from toccata.remote.place import address, no_address

    return bool(address(value) or no_address(value))


class Music(Place):
    """A song: a path, the bytes of a MIDI file, a Score or a Piece."""

    allowed = "a MIDI file, its bytes, a Score or a Piece"

    def __init__(self) -> None:
        super().__init__(self.allowed, local=True)

    def read(self, value: Any) -> Any:
        """As it is."""
        if isinstance(value, bytes) or (hasattr(value, "midi") and hasattr(value, "origin")):
            return value
        return value if is_instance(value, "ScoreTick") else super().read(value)


class Weighted(Kind):
    """A local file and how many times it counts: ``mine.safetensors:0.5``, ``("mine.safetensors", 0.5)``; else once."""

    allowed = "a local path, with a weight from -10 to 10 if it does not count once, like mine.safetensors:0.5"
    _place, _weight = Place("a local path", local=True), Number(-10, 10)

    def read(self, value: Any) -> tuple[Path, float]:
        """As path and weight."""
        if isinstance(value, tuple | list):
            path, weight = pair(value)
        else:
            path, weight = self._place.read(value), 1.0
            start, colon, end = str(path).rpartition(":")
            if isinstance(path, str) and colon and start and _NUMBER.fullmatch(end):
                path, weight = start, float(end)
        return Path(self._place.read(path)), float(self._weight.read(weight))

    def parse(self, text: str) -> tuple[Path, float]:
        """The same, from text."""
        return self.read(text)


class Several(Kind):
    """Some values of one kind, at least one; one alone is as good as a list of it."""

    def __init__(self, kind: Kind, what: str, *, most: int = 10_000, none: bool = False, commas: bool = False) -> None:
        """``commas``: a text may have several, as on a command line."""
        self.kind, self.most, self.none, self.commas = kind, most, none, commas
        self.allowed = f"{what}, each {kind.allowed}"

    def read(self, value: Any) -> tuple[Any, ...]:
        """As a tuple."""
        if self.commas and isinstance(value, str) and "," in value:
            value = [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            return (self.kind.read(value),)
        found = tuple(self._one(one) for one in islice(value, self.most + 1))
        if not (found or self.none):
            raise Unfit
        if len(found) > self.most:
            raise Unfit(f"there are more than {self.most:,} of them")
        return found

    def _one(self, value: Any) -> Any:
        try:
            return self.kind.read(value)
        except Unfit as error:
            raise Unfit(str(error), *(error.value or (value,))) from None


class Either(Kind):
    """A value of one kind or of another; the last one says what is wrong."""

    def __init__(self, *kinds: Kind) -> None:
        self.kinds = kinds
        self.allowed = " or ".join(kind.allowed for kind in kinds)

    def read(self, value: Any) -> Any:
        """As the first kind that takes it reads it."""
        for kind in self.kinds:
            try:
                return kind.read(value)
            except Unfit as error:
                if str(error):
                    raise
        raise Unfit

    def parse(self, text: str) -> Any:
        """The same, from text."""
        for kind in self.kinds:
            try:
                return kind.parse(text)
            except Unfit as error:
                if str(error):
                    raise
        raise Unfit


class Instance(Kind):
    """An object of a class of toccata, recognised by the class name so that no module has to be loaded."""

    def __init__(self, *names: str, allowed: str = "") -> None:
        self.names = names
        self.allowed = allowed or f"a {' or a '.join(names)}"

    def read(self, value: Any) -> Any:
        """As it is."""
        if not is_instance(value, *self.names):
            raise Unfit
        return value


class Made(Instance):
    """An object of one of our classes, or the arguments that make it: ``{"temperature": 0.9}``."""

    def __init__(self, name: str, where: str) -> None:
        """``where`` is its module, loaded when it is first needed."""
        super().__init__(name, allowed=f"a {name}, or its values by name")
        self.where = f"{where}:{name}"

    def read(self, value: Any) -> Any:
        """As the object."""
        if not isinstance(value, Mapping):
            return super().read(value)
        known = called(f"{self.where}.__dataclass_fields__.keys")
        if unknown := [name for name in value if name not in known]:
            raise Unfit(f"there is no {shown(unknown[0])}: there are {', '.join(known)}")
        return called(self.where, **value)


class Function(Kind):
    """Something that can be called."""

    allowed = "a function"

    def read(self, value: Any) -> Any:
        """As it is."""
        if not callable(value):
            raise Unfit
        return value


class Methods(Kind):
    """Anything with some methods."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.allowed = f"an object with the methods {' and '.join(names)}"

    def read(self, value: Any) -> Any:
        """As it is."""
        if not all(callable(getattr(value, name, None)) for name in self.names):
            raise Unfit
        return value


def is_instance(value: object, *names: str) -> bool:
    """Whether a value is of a class, or of one derived from it, of toccata's or symusic's and of one of these names."""
    return any(
        kind.__qualname__ in names and kind.__module__.split(".")[0] in ("toccata", "symusic")
        for kind in type(value).__mro__
    )


def called(function: str, *values: Any, **named: Any) -> Any:
    """The result of a function that is named by its module and name (``toccata.midi.keys:Key.read``).

    Raises:
        Unfit: It refuses the values; says as it does why.
    """
    from importlib import import_module

    module, name = function.split(":")
    target: Any = import_module(module)
    for part in name.split("."):
        target = getattr(target, part)
    try:
        return target(*values, **named)
    except RequestError as error:
        raise Unfit(error.message) from None


def pair(value: Any) -> tuple[Any, Any]:
    """Two values as they may be given.

    Raises:
        Unfit: There are not two of them.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence) or len(value) != 2:
        raise Unfit
    return value[0], value[1]
