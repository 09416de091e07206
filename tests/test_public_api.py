"""The names that others build on, locked: taking one away or calling it otherwise is a decision, not an accident."""

from __future__ import annotations

import importlib.metadata
import inspect
import re
import subprocess
import sys

import pytest

import toccata

SIGNATURES = {
    "load": "path, *, precision='8bit', threads=None, style_files=()",
    "check": "path, progress=None",
    "clean": "source, out, options=None, *, force=False, report=False, progress=None",
    "prepare": "source, out, options=None, progress=None",
    "train": (
        "source, out, *, recipe='toccata', settings=(), minutes=None, size=None, seed=None, "
        "start_from=None, backend='torch', progress=None"
    ),
    "finetune": "source, out, *, model, settings=(), minutes=None, seed=None, backend='torch', progress=None",
    "finetune_style": "source, out, *, model, settings=(), minutes=None, seed=None, progress=None",
    "evaluate": "model, source, *, style_files=(), include_seen=False, progress=None",
    "compare": "systems, source, *, pieces=32, bars=32, seed=0, include_seen=False, progress=None",
    "listening_test": ("systems, out, *, pairs=12, bars=8, seed=0, rolls=False, force=False, progress=None"),
    "rank": "pieces, model",
    "song": "path",
}
NAMES = {"Model", "Piece", "Sampling", "ToccataError", "__version__", *SIGNATURES}


def _signature(function: object) -> str:
    assert callable(function)
    parameters = inspect.signature(function).parameters.values()
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters if p.name != "self"]
    return str(inspect.Signature(plain)).strip("()") if not plain else str(inspect.Signature(plain))[1:-1]


def test_the_names_are_these() -> None:
    assert set(toccata.__all__) == NAMES
    assert set(dir(toccata)) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_is_there(name: str) -> None:
    assert getattr(toccata, name) is not None


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'compose'"):
        toccata.compose  # noqa: B018


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_verbs_are_called_like_this(name: str) -> None:
    assert _signature(getattr(toccata, name)) == SIGNATURES[name]


def test_a_piece_offers_these() -> None:
    offered = {name for name in vars(toccata.Piece) if not name.startswith("_")} | set(
        toccata.Piece.__dataclass_fields__
    )
    assert offered >= {"midi", "origin", "prompt_end", "score", "bars", "save", "audio", "plot", "locks", "lock"}


def test_generate_is_asked_like_this() -> None:
    asked = list(inspect.signature(toccata.Model.generate).parameters)[1:]
    assert " ".join(asked) == (
        "prompt n bars seed sampling prompt_bars prompt_tokens prompt_seconds continuation_only key tempo meter "
        "programs pitches controls style chords end form max_tokens max_copy best_of modulate anyway without accept "
        "on_event"
    )


def test_the_version_is_said_once() -> None:
    assert importlib.metadata.version("toccata") == toccata.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", toccata.__version__)


def test_names_are_loaded_when_first_used() -> None:
    loaded = "print('toccata.api' in sys.modules)"
    code = f"import sys, toccata; toccata.Sampling; {loaded}; toccata.check; {loaded}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
