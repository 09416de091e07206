"""Validation of arguments: one table for the public functions and for the command line.

Every argument of a public function has a row in :data:`TABLE` with its allowed values. :func:`checked` validates every
argument before the function is called, and a command its options. What depends on music, a model or a folder (whether
a song has such a bar, whether a model knows a style) is validated later, where it is looked up.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from toccata.arguments.kinds import (
    Choice,
    Either,
    Flag,
    Function,
    Instance,
    Kind,
    Made,
    Methods,
    Music,
    Number,
    Place,
    Read,
    Several,
    Text,
    Unfit,
    Weighted,
    Whole,
)
from toccata.arguments.musical import (
    FirstBars,
    FromBar,
    Level,
    Levels,
    Locks,
    Meter,
    Pitches,
    Program,
    Seeds,
    Span,
    Spans,
    Words,
)
from toccata.errors import ArgumentError, shown

__all__ = ["TABLE", "checked", "checked_value", "kind_of", "parsed_value"]

P = ParamSpec("P")
R = TypeVar("R")

MOST_PIECES, MOST_BARS, MOST_TOKENS = 100_000, 10_000, 10_000_000
LONGEST = 10_000_000
"""Minutes and seconds end here: nearly 20 years of training, 115 days of music."""
MOST_THREADS = max(64, os.cpu_count() or 1)

_TRACK = Either(Whole(1, 100_000), Text("the name of a track or an instrument", 1000))
_OUT = Place("a local path", local=True)

TABLE: Mapping[str, Kind] = MappingProxyType({
    # -- how many, and by what chance
    "n": Whole(1, MOST_PIECES),
    "seed": Seeds(),
    "sampling": Made("Sampling", "toccata.engine.sampling"),
    "temperature": Number(0, 10, note="0: always the likeliest"),
    "top_p": Number(0, 1, above=True, note="1: all"),
    "top_k": Whole(0, 10_000_000),
    "min_p": Number(0, 1, below=True, note="0: all"),
    "repetition": Number(0.5, 5, note="1 changes nothing"),
    "guards": Flag(),
    "figure_bonus": Number(0, 5, note="0: as the model has learned"),
    "repeat_penalty": Number(0, 5, note="0: as the model has learned"),
    "guidance": Number(0, 10, note="0: controls and styles do not count; 1: as the model has learned"),
    # -- new music
    "prompt": Music(),
    "bars": Whole(1, MOST_BARS),
    "prompt_bars": FirstBars(),
    "prompt_tokens": Whole(1, MOST_TOKENS),
    "prompt_seconds": Number(0, LONGEST, above=True),
    "continuation_only": Flag(),
    "key": Read('a key like "D minor" or "Bb major"', "toccata.midi.keys:Key.read"),
    "tempo": Number(10, 500, note="quarter notes a minute"),
    "meter": Meter(),
    "programs": Several(Program(), "instruments", most=129, commas=True),
    "pitches": Pitches(),
    "controls": Levels(),
    "style": Several(Text("a text", 1000), "names of styles", most=1000, none=True),
    "chords": Text('a chart of chords like "Dm7 | G7 | Cmaj7 | %"'),
    "end": Flag(),
    "form": Text("a form like AABA or ABA'"),
    "max_tokens": Whole(1, MOST_TOKENS),
    "anyway": Flag(),
    "whole": Flag(),
    "modulate": Flag(),
    "without": Several(
        Choice("players", "ranges", "lines", "fit", "roles", "voicing", "tempos", "levels"),
        "what the music is without",
        none=True,
        commas=True,
    ),
    "accept": Function(),
    "on_event": Function(),
    # -- songs
    "song": Music(),
    "infill.bars": Spans(),
    "accompany.bars": Spans(),
    "harmonise.bars": Spans(),
    "vary.bars": Spans(),
    "tracks": Several(_TRACK, "tracks", commas=True),
    "locks": Several(Locks(), "locks", none=True),
    "voices": Several(Text("a text", 100), "voices", most=100, none=True, commas=True),
    "melody": _TRACK,
    "keep": Choice("rhythm", "melody", "harmony", "contour"),
    "strength": Number(0, 1),
    "lock.bars": Span(),
    "lock.pitches": Pitches(one=True),
    "song.path": _OUT,
    # -- models
    "path": Place(),
    "precision": Choice("8bit", "fp32"),
    "threads": Whole(1, MOST_THREADS),
    "style_files": Several(Weighted(), "style files", most=100, none=True),
    "style_file": Weighted(),
    "pieces": Several(Instance("Piece"), "pieces", most=MOST_PIECES),
    "rank.model": Instance("Model"),
    # -- systems beside one another
    "systems": Several(Place("the path of a model, or of a folder of MIDI"), "systems", most=20),
    "compare.pieces": Whole(1, 1000),
    "compare.bars": Whole(1, 1000),
    "compare.seed": Whole(0, Seeds.HIGHEST),
    "listening_test.pairs": Whole(1, 200),
    "listening_test.bars": Whole(1, 64),
    "listening_test.seed": Whole(0, Seeds.HIGHEST),
    "listening_test.out": _OUT,
    "write_scoreboard.path": _OUT,
    "board": Instance("Scoreboard"),
    "rolls": Flag(),
    # -- training, and the music for it
    "source": Place(),
    "out": Place(),
    "bach.out": _OUT,
    "limit": Whole(1, 1_000_000),
    "model": Place("the path of a model"),
    "start_from": Place("the path of a model"),
    "train.seed": Whole(0, Seeds.HIGHEST),
    "finetune.seed": Whole(0, Seeds.HIGHEST),
    "finetune_style.seed": Whole(0, Seeds.HIGHEST),
    "finetune_style.out": _OUT,
    "recipe": Text("the name of a recipe, or the path of a .toml file"),
    "settings": Several(Text("a text like training.lr=0.001"), "settings", none=True),
    "minutes": Number(0, LONGEST, above=True),
    "backend": Choice("torch", "jax"),
    "include_seen": Flag(),
    "clean.options": Instance("CleanOptions"),
    "prepare.options": Instance("PrepareOptions"),
    "force": Flag(),
    "report": Flag(),
    "progress": Methods("say", "update"),
    # -- sound and pictures
    "soundfont": Place("the path of a SoundFont", local=True),
    "save.path": _OUT,
    "audio.path": _OUT,
    "plot.path": _OUT,
    "render.path": Place("a local path", local=True),
    "render.outs": Several(_OUT, "files"),
    "inspect.path": _OUT,
    "inspect.decode": _OUT,
    "tokenizer": Text("the name of a recipe, or the path of a model"),
    # -- commands alone
    "program": Program(),
    "style_name": Text("a text", 1000),
    "words": Words(),
    "bar_range": FromBar(),
    "size": Choice("nano", "micro", "small", "base"),
    "track": _TRACK,
    "midi_dir": Place(),
    "folder": Place("the path of a folder"),
    "file": Place(),
    "level": Level(),
    "lock": Locks(),
    "best_of": Whole(1, MOST_PIECES),
    "new_bars": Whole(0, MOST_BARS),
    "max_copy": Whole(8, 1_000_000),
    "run_seed": Whole(0, Seeds.HIGHEST),
    "min_bars": Whole(1, 1_000_000_000),
    "max_bars": Whole(1, 1_000_000_000),
    "min_notes": Whole(1, 1_000_000_000),
    "quantize": Whole(1, 96),
    "share": Number(0, 0.9),
    "text": Text(),
})  # fmt: skip
"""The kind of each argument by its name, or by ``function.name`` if it differs in one function."""


def kind_of(name: str, verb: str = "") -> Kind:
    """Return the kind of the argument ``name`` of the function ``verb``."""
    return TABLE.get(f"{verb}.{name}") or TABLE[name]


def checked_value(name: str, value: Any, *, verb: str = "") -> Any:
    """Return a value, validated and converted.

    Raises:
        ArgumentError: It is not allowed; the message says what is.
    """
    kind = kind_of(name, verb)
    try:
        return kind.read(value)
    except Unfit as error:
        raise ArgumentError(f"{name}{_why(kind, error, value)}") from None


def parsed_value(name: str, text: str, *, verb: str = "") -> Any:
    """Parse a value from the command line; the error does not name the argument, as the command adds its option.

    Raises:
        ArgumentError: It is not allowed.
    """
    kind = kind_of(name, verb)
    try:
        return kind.parse(text)
    except Unfit as error:
        raise ArgumentError(f"it{_why(kind, error, text)}".removeprefix("it: ")) from None


def _why(kind: Kind, error: Unfit, value: Any) -> str:
    return (
        f": {error}"
        if str(error)
        else f" must be {kind.allowed}, not {shown(error.value[0] if error.value else value)}"
    )


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Validate every argument of a public function before it is called.

    None is allowed where it is the default, or in the annotation. A parameter without a row in :data:`TABLE`
    is an error when the module is loaded.
    """
    signature = inspect.signature(function)
    verb = function.__name__
    rows = {name: kind_of(name, verb) for name in signature.parameters if name != "self"}
    optional = {
        name
        for name, parameter in signature.parameters.items()
        if parameter.default is None or "None" in str(parameter.annotation)
    }

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            if name in rows and not (value is None and name in optional):
                bound.arguments[name] = checked_value(name, value, verb=verb)
        return function(*bound.args, **bound.kwargs)

    return run
