"""Controls: attributes of the music to write, as control tokens that the model was trained with.

A constraint that can be a mask is a mask (key, range, chords, instruments, bars). Density, polyphony, register, note
length, velocity, style and a near end cannot; for them the training music is preceded by control tokens with its own
levels. Levels go from 1; what they mean is chosen for each model by the music that it was trained on (``midi.levels``).

A passage with control tokens; each of them is optional::

    DENSITY3 REGISTER5 KEY6 STYLE2  [BOS] Bar DENSITY2 ... Bar DENSITY4 ENDS_IN_2 ... Bar ENDS_IN_1 ... EOS
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from toccata.errors import ArgumentError, RequestError
from toccata.midi.features import Sounding
from toccata.midi.keys import Key, estimate
from toccata.midi.levels import COUNTS, Levels, values_of
from toccata.tasks.window import bars_reached
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.options import MOST_STYLES as MOST_STYLES
from toccata.tokenizers.rulebook import Rulebook
from toccata.tokenizers.state import State

ENDS = 4
"""How many of the last bars can have a control token with the number of bars left."""
_FEW = 8
"""The fewest pitched notes of which a key is estimated."""


@dataclass(frozen=True)
class Controls:
    """The controls of a piece or of a bar; None: not specified.

    Levels go from 1 to :data:`~toccata.midi.levels.COUNTS`.

    Attributes:
        density: The level of notes per quarter.
        polyphony: The level of simultaneous notes.
        register: The level of the mean pitch.
        length: The level of the median note length.
        velocity: The level of the mean velocity.
        key: The key.
        style: The indices of styles that the model knows.
        ends: The number of bars left, this one included.
    """

    density: int | None = None
    polyphony: int | None = None
    register: int | None = None
    length: int | None = None
    velocity: int | None = None
    key: Key | None = None
    style: tuple[int, ...] = ()
    ends: int | None = None

    def with_levels(self, levels: Mapping[str, int | None]) -> Controls:
        """Return the same with other levels of the controls that are named."""
        density, polyphony, register, length, velocity = (levels.get(name, getattr(self, name)) for name in COUNTS)
        return replace(self, density=density, polyphony=polyphony, register=register, length=length, velocity=velocity)

    def __post_init__(self) -> None:
        for name, most in COUNTS.items():
            level = getattr(self, name)
            if level is not None and not (isinstance(level, int | np.integer) and 1 <= level <= most):
                whole = "" if isinstance(level, int) else " in whole numbers"
                raise ArgumentError(f"{name} goes from 1 to {most}{whole}, not {level}")

    def words(self) -> list[str]:
        """Return the names of the control tokens."""
        levels = [(name, getattr(self, name)) for name in COUNTS]
        out = [f"{name.upper()}{level}" for name, level in levels if level is not None]
        if self.key is not None:
            out.append(f"KEY{2 * self.key.tonic + self.key.minor + 1}")
        if self.ends is not None:
            out.append(f"ENDS{self.ends}")
        return out + [f"STYLE{number}" for number in self.style]

    def only(self, names: Sequence[str]) -> Controls:
        """Return a copy with only the levels of ``names``."""
        return Controls(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class ControlTokens:
    """Controls as ids.

    Attributes:
        prefix: The ids before the first bar.
        bars: The ids after the bar line of each bar, counted from 0 in the new music.
    """

    prefix: tuple[int, ...] = ()
    bars: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


def can_control(tokenizer: Tokenizer) -> bool:
    """Return whether a tokenizer has note tokens and control tokens."""
    scheme = tokenizer.grammar().scheme
    return scheme.has_notes and "DENSITY1" in scheme.vocabulary.specials


def guided_ids(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """Return which ids are levels or styles, ``bool[V]``: those that classifier-free guidance drops."""
    return _ids_of(tokenizer, tuple(name.upper() for name in COUNTS)) | style_ids(tokenizer)


def style_ids(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """Return which ids are styles, ``bool[V]``."""
    return _ids_of(tokenizer, ("STYLE",))


def _ids_of(tokenizer: Tokenizer, names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return which ids are special tokens with one of these names and a number, ``bool[V]``."""
    words = np.zeros(tokenizer.vocab_size, np.bool_)
    if can_control(tokenizer):
        grammar = tokenizer.grammar()
        specials = grammar.scheme.vocabulary.specials
        words[[grammar.single(base) for word, base in specials.items() if word.rstrip("0123456789") in names]] = True
    return words


def encode_controls(tokenizer: Tokenizer, whole: Controls, bars: Mapping[int, Controls]) -> ControlTokens:
    """Encode controls in a tokenizer's ids.

    Raises:
        RequestError: The tokenizer has no token for one of them.
    """
    grammar = tokenizer.grammar()
    specials = grammar.scheme.vocabulary.specials

    def ids(controls: Controls) -> tuple[int, ...]:
        words = controls.words()
        if unknown := [word for word in words if word not in specials]:
            raise RequestError(f"this model has no word for {unknown[0].lower()}: train one with this version")
        return tuple(grammar.single(specials[word]) for word in words)

    return ControlTokens(ids(whole), {bar: found for bar, controls in bars.items() if (found := ids(controls))})


def insert_control_tokens(
    grammar: Rulebook,
    head: Sequence[int],
    ids: Sequence[int],
    meter: tuple[int, int],
    bars: Mapping[int, Sequence[int]],
) -> tuple[list[int], list[int]]:
    """Insert the control tokens of bars after their bar lines, in a passage in two parts that begins in ``meter``."""
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


def measured(notes: Sounding, ticks: int, levels: Levels) -> Controls:
    """Measure the controls of ``notes`` that span ``ticks``; without notes, none is specified."""
    if not len(notes):
        return Controls()
    key = estimate(notes.pitch_classes()) if int((~notes.drums).sum()) >= _FEW else None
    found = values_of(notes, ticks)
    return Controls(key=key).with_levels({name: levels[name].level(value) for name, value in found.items()})


def random_controls(
    notes: Sounding, lines: Sequence[int], style: int | None, ends: bool, levels: Levels, rng: np.random.Generator
) -> tuple[Controls, dict[int, Controls]]:
    """Draw some of the measured controls of a passage: of the whole, and sometimes of its bars.

    Args:
        notes: Its notes.
        lines: The ticks of its bar lines, and of its end.
        style: The index of its style; None: it has none.
        ends: Whether the piece ends with it.
        levels: What the levels of the model's controls mean.
        rng: Draws which controls are used.
    """
    start, end = lines[0], lines[-1]
    all_levels = measured(notes.between(start, end), end - start, levels)
    names = [name for name in (*COUNTS, "key") if rng.random() < 0.5]
    with_style = style is not None and style < MOST_STYLES and rng.random() < 0.75
    whole = Controls(
        **{name: getattr(all_levels, name) for name in names},
        style=(style,) if with_style and style is not None else (),
    )
    bars: dict[int, Controls] = {}
    count = len(lines) - 1
    if rng.random() < 0.3:
        names = [name for name in ("density", "polyphony", "register") if rng.random() < 0.5]
        for bar in range(count):
            a, b = lines[bar], lines[bar + 1]
            bars[bar] = measured(notes.between(a, b), b - a, levels).only(names)
    if ends and rng.random() < 0.7:
        for left in range(1, min(ENDS, count) + 1):
            of_bar = bars.get(count - left, Controls())
            bars[count - left] = Controls(of_bar.density, of_bar.polyphony, of_bar.register, ends=left)
    return whole, bars
