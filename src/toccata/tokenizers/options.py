"""What a recipe says of an event tokenizer, and MidiTok's tokenizer made of it."""

from __future__ import annotations

import inspect
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from toccata.errors import RecipeError, ToccataError, shown

SCHEMES = ("REMI", "TSD", "MIDILike", "Structured", "PerTok")
OTHERS = ("text", "codes")
"""The schemes that are not MidiTok's; see ``load.py``."""
_DIGITS = re.compile("[0-9]{1,9}")
_ALGORITHMS = ("BPE", "Unigram", "WordPiece")
SPECIALS = (
    "PAD", "BOS", "EOS", "SEP", "FILL", "ANSWER",
    *(f"CONTROL{i}" for i in range(64)),
    *(f"STYLE{i}" for i in range(32)),
)  # fmt: skip
"""Special tokens of every event tokenizer; those after EOS are kept free for requests a model may learn later."""
# No halves and no wholes: MidiTok divides a meter's beat, so in 2/2 it would hear no sixteenths. 2/2 is written as 4/4.
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
_PER_TOK: dict[str, Any] = {
    "beat_res": {(0, 4): 4, (0, 32): 3},
    "use_time_signatures": False,
    "ticks_per_quarter": 96,
    "use_microtiming": True,
    "max_microtiming_shift": 0.125,
    "num_microtiming_bins": 24,
    "use_position_toks": False,
}


MOST_IDS = 1_000_000
"""Ids a tokenizer may have; the largest vocabularies of language models have a quarter of that."""
_LARGEST, _LONGEST, _DEEPEST = 10_000, 1_000, 3
"""A number, the entries of a list or a section, and lists inside one another, in an option: what MidiTok makes of them
takes memory in proportion."""
_HIGHEST: dict[str, int] = {
    "num_velocities": 127, "num_tempos": 1000, "ticks_per_quarter": 3840, "num_microtiming_bins": 1000,
}  # fmt: skip
_STEPS, _QUARTERS, _WORDS = 192, 1024, 20_000
"""Steps a quarter, quarters that a length has, and words for lengths."""
_BEATS = 255
"""Of a meter: its number is a byte in MIDI."""


@dataclass(frozen=True)
class EventOptions:
    """What a recipe says of an event tokenizer.

    Attributes:
        scheme: REMI, TSD, MIDILike, Structured or PerTok.
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


def library() -> Any:
    """MidiTok, without the torch it would load for a part of it that is not used here.

    That takes longer than writing a piece.
    """
    held_back = "torch" not in sys.modules and "miditok" not in sys.modules
    if held_back:
        sys.modules["torch"] = None  # type: ignore[assignment]  # to Python: there is no torch
    try:
        import miditok
    finally:
        if held_back:
            del sys.modules["torch"]
    return miditok


def built(options: EventOptions) -> Any:
    """MidiTok's tokenizer for ``options``.

    Raises:
        RecipeError: An option or a value that MidiTok does not have.
    """
    per_tok = options.scheme == "PerTok"
    given = {name: _from_toml(name, value) for name, value in options.options.items()}
    known = _config_fields() | (set(_PER_TOK) if per_tok else set())
    if unknown := set(given) - known:
        raise RecipeError(f"tokenizer.options.{min(unknown)} is not an option of MidiTok's {options.scheme}")
    for name, value in given.items():
        _refuse_value(name, value)
    own = _PER_TOK if per_tok else _STRUCTURED if options.scheme == "Structured" else {}
    settings = {**_DEFAULTS, **own, **given, "special_tokens": list(SPECIALS)}
    if per_tok and settings["use_time_signatures"]:
        raise RecipeError("PerTok counts in bars of four quarters: set tokenizer.options.use_time_signatures=false")
    if per_tok and settings.get("use_rests"):
        raise RecipeError("PerTok says silence with time shifts: set tokenizer.options.use_rests=false")
    if per_tok and settings.get("use_sustain_pedals") and not settings.get("sustain_pedal_duration"):
        raise RecipeError(
            "MidiTok 3.1 cannot read PerTok's pedal-up tokens: set tokenizer.options.sustain_pedal_duration=true"
        )
    if options.scheme == "REMI" and settings.get("max_bar_embedding") is not None:
        raise RecipeError("numbered bars (max_bar_embedding) end with the last number: leave the option out")
    miditok = library()
    with refusing(options), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(miditok, options.scheme)(miditok.TokenizerConfig(**settings))


@contextmanager
def refusing(options: EventOptions) -> Iterator[None]:
    """Whatever goes wrong in MidiTok with these options is theirs: it looks at few of them before it computes."""
    try:
        yield
    except ToccataError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        why = said if isinstance(error, TypeError | ValueError) else f"{type(error).__name__}: {said}"
        names = ", ".join(sorted(options.options)) or "MidiTok's own"
        raise RecipeError(f"tokenizer.options: one of {names} is wrong, MidiTok says: {why}") from None


def _refuse_value(name: str, value: Any) -> None:
    """Refuse what MidiTok would take, and stumble over later."""
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


def _config_fields() -> set[str]:
    """The names of MidiTok's options."""
    return set(inspect.signature(library().TokenizerConfig).parameters) - {"kwargs", "special_tokens"} | {
        "add_trailing_bars"
    }


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
