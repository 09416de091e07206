"""The recipe's options for an event tokenizer, and the saved form of the tokenizer made from them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from toccata.errors import RecipeError, ToccataError, shown
from toccata.tokenizers.checks import SettingError
from toccata.tokenizers.settings import (
    ATTRIBUTE_CONTROLS,
    BAR_LINES,
    DEFAULTS,
    RUNNING_STATUS,
    settings_of,
    settled,
)

SCHEMES = ("REMI", RUNNING_STATUS, "TSD", "MIDILike", "Structured")
OTHERS = ("text", "codes", "grid")
"""The schemes that are not MidiTok's; see ``load.py``."""
MIDITOK, TOKENIZERS = "3.1.0", "0.23.3"
"""The versions of MidiTok and of Hugging Face's tokenizers whose form the saved file has."""
_DIGITS = re.compile("[0-9]{1,9}")
_ALGORITHMS = ("BPE", "Unigram", "WordPiece")
_MARKS = ("PAD", "BOS", "EOS", "SEP", "FILL", "ANSWER")
CONTROL_WORDS = tuple(
    f"{name}{level + 1}"
    for name, levels in (
        ("DENSITY", 8), ("POLYPHONY", 6), ("REGISTER", 8), ("LENGTH", 6), ("VELOCITY", 6), ("KEY", 24), ("ENDS", 4),
    )
    for level in range(levels)
)  # fmt: skip
"""The words of controls. A model finds its own by their names: one added here moves none that it has learned."""
MOST_CONTROLS, MOST_STYLES = 128, 32
assert len(set(CONTROL_WORDS)) == len(CONTROL_WORDS) <= MOST_CONTROLS
SPECIALS = (
    *_MARKS,
    *CONTROL_WORDS,
    *(f"CONTROL{i}" for i in range(len(CONTROL_WORDS), MOST_CONTROLS)),
    *(f"STYLE{i}" for i in range(MOST_STYLES)),
)
"""Special tokens of a new event tokenizer; the numbered controls are reserved for later models."""
PLAIN_SPECIALS = (*_MARKS, *(f"CONTROL{i}" for i in range(64)), *(f"STYLE{i}" for i in range(32)))
"""Special tokens of tokenizers without controls; their number must not change, as saved ids depend on it."""
# No halves and no wholes: MidiTok divides a meter's beat, so in 2/2 it would have no sixteenths. 2/2 is written as 4/4.
_METERS: dict[int, list[int]] = {
    4: list(range(1, 17)),
    8: list(range(1, 25)),
    16: list(range(1, 25)),
}
_DEFAULTS: dict[str, Any] = {
    "pitch_range": (0, 127),
    "drums_pitch_range": (0, 127),
    "beat_res": {(0, 4): 12, (4, 16): 4},
    "use_programs": True,
    "use_tempos": True,
    "use_time_signatures": True,
    "time_signature_range": _METERS,
    "num_tempos": 144,
    "tempo_range": (16, 480),
    "log_tempos": True,
    "encode_ids_split": "bar",
}
# Structured says every onset as a time shift from the last one: a coarse shift would put all that follows in the wrong
# place.
_STRUCTURED: dict[str, Any] = {"beat_res": {(0, 32): 12}}


MOST_IDS = 1_000_000
"""Ids a tokenizer may have; the largest vocabularies of language models have a quarter of that."""
_LARGEST, _LONGEST, _DEEPEST = 10_000, 1_000, 3
"""A number, the entries of a list or a section, and lists inside one another, in an option: what MidiTok makes of them
takes memory in proportion."""
_HIGHEST: dict[str, int] = {"num_velocities": 127, "num_tempos": 1000}
_STEPS, _QUARTERS, _WORDS = 192, 1024, 20_000
"""Steps a quarter, quarters that a length has, and words for lengths."""
_BEATS = 255
"""The highest numerator of a meter, a byte in MIDI."""


@dataclass(frozen=True)
class EventOptions:
    """The recipe's options for an event tokenizer.

    Attributes:
        scheme: REMI, RunningStatus, TSD, MIDILike or Structured.
        options: MidiTok's ``TokenizerConfig`` fields; ranges are written ``"0-4" = 12``.
        merges: How many ids in all, learned merges included; 0: none are learned.
        algorithm: ``BPE``, ``Unigram`` or ``WordPiece``.
    """

    scheme: str = "REMI"
    options: Mapping[str, Any] = field(default_factory=dict)
    merges: int = 0
    algorithm: str = "BPE"

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            known = ", ".join((*SCHEMES, *OTHERS))
            raise RecipeError(f"tokenizer.scheme must be one of {known}, not {shown(self.scheme)}")
        if self.algorithm not in _ALGORITHMS:
            raise RecipeError(
                f"tokenizer.algorithm must be one of {', '.join(_ALGORITHMS)}, not {shown(self.algorithm)}"
            )
        refuse_merges(self.merges)


def refuse_merges(merges: int) -> None:
    """Refuse a number of ids that there cannot be.

    Raises:
        RecipeError: It is below 0, or more than any tokenizer has.
    """
    if not 0 <= merges <= MOST_IDS:
        raise RecipeError(f"tokenizer.merges must be from 0 to {MOST_IDS:,}, not {shown(merges)}")


def document_of(options: EventOptions) -> dict[str, Any]:
    """Return the saved form of a new tokenizer for ``options``, before learning, as MidiTok would save it.

    Raises:
        RecipeError: An option that there is not, or a value that it cannot have.
    """
    given = {name: _from_toml(name, value) for name, value in options.options.items()}
    known = {*DEFAULTS, *ATTRIBUTE_CONTROLS, "max_bar_embedding", "add_trailing_bars"} - {"special_tokens"}
    if unknown := set(given) - known:
        raise RecipeError(f"tokenizer.options.{min(unknown)} is not an option of {options.scheme}")
    for name, value in given.items():
        _refuse_value(name, value)
    own = _STRUCTURED if options.scheme == "Structured" else {}
    settings = {**_DEFAULTS, **own, **given, "special_tokens": list(SPECIALS)}
    if options.scheme in BAR_LINES and settings.get("max_bar_embedding") is not None:
        raise RecipeError("numbered bars (max_bar_embedding) end with the last number: leave the option out")
    settings |= {name: _saved(settings[name]) for name in ("beat_res", "beat_res_rest") if name in settings}
    settings["special_tokens"] = [f"{name}_None" for name in SPECIALS]
    try:
        document = {
            "config": json.loads(json.dumps(settled(options.scheme, settings))),
            "tokenization": options.scheme,
            "miditok_version": MIDITOK,
            "symusic_version": version("symusic"),
            "hf_tokenizers_version": TOKENIZERS,
        }
        settings_of(options.scheme, document["config"])
    except SettingError as error:
        raise RecipeError(f"tokenizer.options.{error}") from None
    return document


def _saved(ranges: Mapping[tuple[int, int], int]) -> dict[str, int]:
    """Ranges of beats as they are saved."""
    return {f"{low}_{high}": steps for (low, high), steps in ranges.items()}


@contextmanager
def refusing(options: EventOptions) -> Iterator[None]:
    """A block in which errors of MidiTok become RecipeErrors, as it checks few of its options before it computes."""
    try:
        yield
    except ToccataError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        why = text if isinstance(error, TypeError | ValueError) else f"{type(error).__name__}: {text}"
        names = ", ".join(sorted(options.options)) or "MidiTok's own"
        raise RecipeError(f"tokenizer.options: one of {names} is wrong, MidiTok says: {why}") from None


def _refuse_value(name: str, value: Any) -> None:
    """Refuse values that MidiTok accepts, but fails on later."""
    where = f"tokenizer.options.{name}"
    _refuse_large(where, value, _DEEPEST)
    if (most := _HIGHEST.get(name)) is not None and not (type(value) is int and 1 <= value <= most):
        raise RecipeError(f"{where} must be a whole number from 1 to {most:,}, not {shown(value)}")
    if name == "programs" and not _all_whole(value, -1, 127):
        raise RecipeError(f"{where} must be a list of 0 to 127, and -1 for the drums, not {shown(value)}")
    if name in ("beat_res", "beat_res_rest"):
        if not (isinstance(value, Mapping) and _all_whole(list(value.values()), 1, _STEPS)):
            raise RecipeError(
                f'{where} must be steps a quarter, from 1 to {_STEPS}, for ranges of quarters, as in {{"0-4" = 12}}'
            )
        spans = [key if isinstance(key, tuple) else (0, key) for key in value]
        if max(high for _, high in spans) > _QUARTERS:
            raise RecipeError(f"{where} has ranges of more than {_QUARTERS} quarters")
        if sum((high - low) * value[key] for key, (low, high) in zip(value, spans, strict=True)) > _WORDS:
            raise RecipeError(f"{where} makes more than {_WORDS:,} different lengths: give fewer steps or quarters")
    if name == "time_signature_range":
        beats = value.values() if isinstance(value, Mapping) else [None]
        if not all(_all_whole(counts, 1, _BEATS) for counts in beats):
            raise RecipeError(
                f'{where} must be lists of beats, from 1 to {_BEATS}, for denominators, as in {{"4" = [3, 4]}}'
            )


def _refuse_large(where: str, value: Any, levels: int) -> None:
    """Refuse numbers and lists that would fill the memory, before MidiTok makes a vocabulary of them."""
    if isinstance(value, int | float) and not -_LARGEST <= value <= _LARGEST:
        raise RecipeError(f"{where} cannot have the number {shown(value)}: {_LARGEST:,} is the largest")
    if isinstance(value, str) and len(value) > _LONGEST:
        raise RecipeError(f"{where} cannot have a text of {len(value):,} characters")
    if not isinstance(value, Mapping | list | tuple):
        return
    if len(value) > _LONGEST or not levels:
        raise RecipeError(
            f"{where} is too large: {_LONGEST:,} entries are the most, and {_DEEPEST} lists in one another"
        )
    for one in (*value.keys(), *value.values()) if isinstance(value, Mapping) else value:
        _refuse_large(where, one, levels - 1)


def _all_whole(values: Any, low: int, high: int | None = None) -> bool:
    """Whether ``values`` is a list of whole numbers in a range, and not an empty one."""
    if not isinstance(values, list | tuple) or not values:
        return False
    return all(type(one) is int and low <= one and (high is None or one <= high) for one in values)


def _from_toml(name: str, value: Any) -> Any:
    """TOML has no ranges as keys and no tuples: ``{"0-4" = 12}`` is ``{(0, 4): 12}``."""
    if isinstance(value, Mapping):
        pairs = {}
        for key, entry in value.items():
            low, dash, high = str(key).partition("-")
            if not _DIGITS.fullmatch(low) or (dash and not _DIGITS.fullmatch(high)):
                raise RecipeError(
                    f'tokenizer.options.{name}: write ranges as "0-4" and numbers as "4", not {shown(key)}'
                )
            pairs[(int(low), int(high)) if dash else int(low)] = entry
        return pairs
    return tuple(value) if isinstance(value, list) and name.endswith("_range") else value
