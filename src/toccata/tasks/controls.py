"""Controls: what a model is told of the music it is to write, in words it has learned.

What can be a mask is a mask (key, range, chords, instruments, bars). What cannot (how busy, how thick, how high, how
long, how loud, in whose style, that the end is near) is a token that the model has met in training before music of just
that kind. Levels go from 1; their bounds are the same for every model, found on classical, popular and game music.

A told passage looks like this; each part may be missing::

    DENSITY3 REGISTER5 KEY6 STYLE2  [BOS] Bar DENSITY2 ... Bar DENSITY4 ENDS_IN_2 ... Bar ENDS_IN_1 ... EOS
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from toccata.errors import ArgumentError, RequestError
from toccata.midi.features import Sounding
from toccata.midi.keys import Key, estimate
from toccata.tasks.window import bars_reached
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.options import MOST_STYLES as MOST_STYLES
from toccata.tokenizers.rulebook import Rulebook
from toccata.tokenizers.state import State

BOUNDS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "density": (2.5, 3.5, 4.5, 5.5, 6.5, 8.0, 11.0),  # notes a quarter
        "polyphony": (1.5, 2.5, 3.3, 4.2, 6.0),  # notes at once, on average
        "register": (53.0, 57.5, 60.0, 62.0, 64.0, 66.0, 69.0),  # mean pitch
        "length": (0.2, 0.3, 0.45, 0.6, 1.0),  # median length in quarters
        "velocity": (50.0, 65.0, 78.0, 88.0, 98.0),  # mean velocity
    }
)
"""Where one level of a control ends and the next begins: level 1 lies below the first bound."""
ENDS = 4
"""So many bars before the end it can be told that it is near."""
_FEW = 8
"""Fewer notes have no key."""


@dataclass(frozen=True)
class Controls:
    """What is told of a piece, or of a bar. Levels go from 1 to one more than there are :data:`BOUNDS`.

    Attributes:
        density: How many notes a quarter.
        polyphony: How many at once.
        register: How high.
        length: How long.
        velocity: How loud.
        key: Its key.
        style: The numbers of styles the model knows.
        ends: So many bars are left, this one included.
    """

    density: int | None = None
    polyphony: int | None = None
    register: int | None = None
    length: int | None = None
    velocity: int | None = None
    key: Key | None = None
    style: tuple[int, ...] = ()
    ends: int | None = None

    def __post_init__(self) -> None:
        for name, bounds in BOUNDS.items():
            level = getattr(self, name)
            if level is not None and not (isinstance(level, int | np.integer) and 1 <= level <= len(bounds) + 1):
                whole = "" if isinstance(level, int) else " in whole numbers"
                raise ArgumentError(f"{name} goes from 1 to {len(bounds) + 1}{whole}, not {level}")

    def words(self) -> list[str]:
        """The special tokens that stand for it."""
        said = [(name, getattr(self, name)) for name in BOUNDS]
        out = [f"{name.upper()}{level}" for name, level in said if level is not None]
        if self.key is not None:
            out.append(f"KEY{2 * self.key.tonic + self.key.minor + 1}")
        if self.ends is not None:
            out.append(f"ENDS{self.ends}")
        return out + [f"STYLE{number}" for number in self.style]

    def only(self, names: Sequence[str]) -> Controls:
        """The same with nothing said but ``names``."""
        return Controls(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class ControlTokens:
    """Controls as ids.

    Attributes:
        prefix: What stands before everything.
        bars: What is said after the bar line of a bar, counted from 0 in what is asked for.
    """

    prefix: tuple[int, ...] = ()
    bars: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


def can_control(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer has words for controls, and notes to be told of."""
    scheme = tokenizer.grammar().scheme
    return scheme.has_notes and "DENSITY1" in scheme.vocabulary.specials


def guided_ids(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """Which ids tell a level or a style, ``bool[V]``: what guidance is about, as no mask can promise it."""
    return _ids_of(tokenizer, tuple(name.upper() for name in BOUNDS)) | style_ids(tokenizer)


def style_ids(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """Which ids tell a style, ``bool[V]``."""
    return _ids_of(tokenizer, ("STYLE",))


def _ids_of(tokenizer: Tokenizer, names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which ids are special tokens of one of these names with a number, ``bool[V]``."""
    words = np.zeros(tokenizer.vocab_size, np.bool_)
    if can_control(tokenizer):
        grammar = tokenizer.grammar()
        specials = grammar.scheme.vocabulary.specials
        words[[grammar.single(base) for word, base in specials.items() if word.rstrip("0123456789") in names]] = True
    return words


def encode_controls(tokenizer: Tokenizer, whole: Controls, bars: Mapping[int, Controls]) -> ControlTokens:
    """Controls in a tokenizer's ids.

    Raises:
        RequestError: It has no word for one of them.
    """
    grammar = tokenizer.grammar()
    specials = grammar.scheme.vocabulary.specials

    def ids(controls: Controls) -> tuple[int, ...]:
        words = controls.words()
        if unknown := [word for word in words if word not in specials]:
            raise RequestError(f"this model has no word for {unknown[0].lower()}: train one with this version")
        return tuple(grammar.single(specials[word]) for word in words)

    return ControlTokens(ids(whole), {bar: said for bar, controls in bars.items() if (said := ids(controls))})


def insert_control_tokens(
    grammar: Rulebook,
    head: Sequence[int],
    ids: Sequence[int],
    meter: tuple[int, int],
    bars: Mapping[int, Sequence[int]],
) -> tuple[list[int], list[int]]:
    """A passage in two parts, with what is said of its bars after their bar lines; ``meter`` is its first bar's."""
    if not bars:
        return list(head), list(ids)
    parts: list[list[int]] = [[], []]
    before = State(grammar.scheme, meter).bar
    if before == 0:  # bars have no tokens
        parts[0] += bars.get(0, ())
    both = [*head, *ids]
    for place, (token, reached) in enumerate(zip(both, bars_reached(grammar, both, meter), strict=True)):
        part = parts[place >= len(head)]
        part.append(token)
        for bar in range(before + 1, reached + 1):
            part += bars.get(bar, ())
        before = max(before, reached)
    return parts[0], parts[1]


def measured(notes: Sounding, ticks: int) -> Controls:
    """What there is to tell of ``notes``, which take so many ticks; nothing of what has none."""
    if not len(notes):
        return Controls()
    key = estimate(notes.pitch_classes()) if int((~notes.drums).sum()) >= _FEW else None
    return Controls(
        level("density", notes.density(ticks)),
        level("polyphony", notes.polyphony()),
        level("register", notes.register()),
        level("length", notes.length()),
        level("velocity", notes.velocity()),
        key,
    )


def level(name: str, value: float | None) -> int | None:
    """The level of a measured value: 1 below the first bound; None of nothing."""
    return None if value is None else int(np.searchsorted(BOUNDS[name], value, side="right")) + 1


def random_controls(
    notes: Sounding, lines: Sequence[int], style: int | None, ends: bool, rng: np.random.Generator
) -> tuple[Controls, dict[int, Controls]]:
    """Some of what there is to tell of a passage: of all of it, and now and then of its bars.

    Args:
        notes: Its notes.
        lines: The ticks of its bar lines, the last one's end included.
        style: Its style's number; None: it has none.
        ends: Whether the piece ends with it.
        rng: Decides what is told.
    """
    start, end = lines[0], lines[-1]
    all_told = measured(notes.between(start, end), end - start)
    names = [name for name in (*BOUNDS, "key") if rng.random() < 0.5]
    tell_style = style is not None and style < MOST_STYLES and rng.random() < 0.75
    whole = Controls(
        **{name: getattr(all_told, name) for name in names}, style=(style,) if tell_style and style is not None else ()
    )
    bars: dict[int, Controls] = {}
    count = len(lines) - 1
    if rng.random() < 0.3:
        names = [name for name in ("density", "polyphony", "register") if rng.random() < 0.5]
        for bar in range(count):
            a, b = lines[bar], lines[bar + 1]
            bars[bar] = measured(notes.between(a, b), b - a).only(names)
    if ends and rng.random() < 0.7:
        for left in range(1, min(ENDS, count) + 1):
            levels = bars.get(count - left, Controls())
            bars[count - left] = Controls(levels.density, levels.polyphony, levels.register, ends=left)
    return whole, bars
