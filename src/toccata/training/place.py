"""Checks a folder before a model is written to it: empty, a run to resume, or other files. Free of torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from toccata import folder
from toccata.corpus.store import CORPUS, INDEX, JOURNAL, PIECES
from toccata.errors import RequestError
from toccata.model.stylefile import SUFFIX

LAST, BEST = "last.safetensors", "best.safetensors"
"""A run's state, and its best weights, in the folder ``training``."""
COMPUTE = "compute.json"
"""How the run computes, in the folder ``training``."""
PARTS = ".parts"
"""The suffix of a folder in which processes write their parts of a checkpoint."""

Holds = Literal["nothing", "run", "model", "corpus", "other"]
"""``run``: a training of ours at any stage. ``model``: a finished model without what resuming needs."""

RUN = ".run"
"""What the folder ends in that has what resuming needs, beside a style file that is trained."""
_RUN = (LAST, BEST, f"{folder.TOKENIZER}/made-with.json")
_STATE = ("state.json", "log.csv")
_BEGUN = {"corpus", folder.TOKENIZER, COMPUTE}
"""Names that may be in ``training/`` before there is any of these files; parts of the first checkpoint may be, too."""


def holds(names: Iterable[str]) -> Holds:
    """Return what a folder holds, judged by the names of its files.

    Args:
        names: Files, and folders with a slash at their end, relative to it, with forward slashes: all of them, or
            those at the top and in ``training/``. Hidden ones do not count.
    """
    seen = [name for name in names if not any(part.startswith(".") for part in name.split("/"))]
    if not seen:
        return "nothing"
    ours = f"{folder.TRAINING}/"
    inside = {name.removeprefix(ours) for name in seen if name.startswith(ours)}
    top = {name.split("/")[0] for name in seen}
    if inside & set(_RUN) or set(_STATE) <= inside:
        return "run"
    begun = {name.split("/")[0] for name in inside if name}
    if top == {folder.TRAINING} and inside and all(name in _BEGUN or name.endswith(PARTS) for name in begun):
        return "run"  # ended before it had learned anything
    if folder.ABOUT in seen:
        return "model"
    return "corpus" if top & {CORPUS, INDEX, JOURNAL, PIECES, "journal.jsonl"} else "other"


def refuse_foreign(place: str | Path, names: Iterable[str] | None = None) -> None:
    """Refuse to write a model into a folder that holds anything but a run of ours.

    Args:
        place: The folder, or its address.
        names: What is in it; None: it is a folder here, which is looked into.

    Raises:
        RequestError: It holds something else, or is a file.
    """
    found = sorted(_names(Path(place)) if names is None else names)
    what = holds(found)
    if what in ("nothing", "run"):
        return
    if what == "model":
        reason = "holds a finished model, and nothing to go on with its training by"
    elif what == "corpus":
        reason = "is a prepared corpus"
    else:
        top = list(dict.fromkeys(name.split("/")[0] for name in found if not name.startswith(".")))
        reason = f"holds other files ({', '.join(top[:3])}{', ...' if len(top) > 3 else ''})"
    raise RequestError(f"{place} {reason}: choose a new or an empty folder for the model", path=place, kind="no-place")


def run_folder(path: Path) -> Path:
    """Return the folder with what the training of a style file needs to go on, beside the file.

    Raises:
        RequestError: A file of this name is no style file, or there is a folder of this name, or the folder beside it
            holds something else.
    """
    if path.suffix != SUFFIX or path.is_dir():
        raise RequestError(f"{path} is to be a style file: give it a name that ends in {SUFFIX}", path=path)
    place = path.with_suffix(RUN)
    refuse_foreign(place)
    if path.exists() and not (place / folder.TRAINING / LAST).exists():
        raise RequestError(f"{path} is there already: choose another name, or delete it", path=path, kind="no-place")
    return place


def _names(path: Path) -> Iterator[str]:
    """The names in a folder, at its top and in ``training/``; none if there is no such folder."""
    if path.exists() and not path.is_dir():
        raise RequestError(f"{path} is a file: choose a folder for the model", path=path, kind="no-place")
    training = path / folder.TRAINING
    for where in (path, training, training / folder.TOKENIZER):
        if where.is_dir():
            for one in where.iterdir():
                name = one.relative_to(path).as_posix()
                yield f"{name}/" if one.is_dir() else name
