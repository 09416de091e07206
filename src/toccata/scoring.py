"""Scoreboards and listening tests: which systems there are, what they are compared with, where the pages go."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from toccata import folder
from toccata.errors import ModelError, RequestError
from toccata.files import write_text
from toccata.look import find_model, recipe_of
from toccata.measure.evaluation import gather, read_pieces
from toccata.measure.scoreboard import Cleaning, Scoreboard, Update, measure_systems, open_systems, require_people
from toccata.midi.read import walk_midi
from toccata.report.listening import listening_page

Place = tuple[Path, bool]
"""The folder of a system, and whether it is a model of ours; else it holds MIDI."""


SPARES = 0.25
"""The share of pieces that a model writes for a listening test beyond those that are needed, as some may be silent."""


def holds_midi(place: str | Path) -> bool:
    """Whether a place is a folder here with a MIDI file in it, and no model."""
    path = Path(place)
    return path.is_dir() and not folder.is_model(find_model(str(place))) and next(walk_midi(path), None) is not None


def place_of(system: str | Path) -> Place:
    """Return where a system is.

    Args:
        system: The path or the name of a model, or a folder of MIDI.

    Raises:
        ModelError: It is neither.
    """
    if holds_midi(system):
        return Path(system), False
    path = find_model(str(system))
    if not folder.is_model(path):
        raise ModelError(
            f"{system} is neither a model nor a folder with MIDI files: name one of the two", path=path, kind="no-model"
        )
    return path, True


def compare_systems(
    places: Sequence[Place],
    source: Path,
    *,
    pieces: int,
    bars: int,
    seed: int,
    include_seen: bool,
    update: Update,
) -> Scoreboard:
    """Measure systems beside one another and beside music by people; see ``toccata.compare``."""
    opened = [folder.open_folder(path) if is_model else None for path, is_model in places]
    models = [made for made in opened if made is not None]
    cleaning = Cleaning.of([None if made is None else recipe_of(made).clean for made in opened])
    read = read_pieces(source, cleaning.options, lambda done, files: update("reading", done, files))
    people = gather(read, models, include_seen=include_seen or not models)
    require_people(people, source)
    return measure_systems(
        places, people, pieces=pieces, bars=bars, seed=seed, include_seen=include_seen, cleaning=cleaning, update=update
    )


def listening_test_page(
    places: Sequence[Place], *, pairs: int, bars: int, seed: int, rolls: bool, update: Update
) -> str:
    """Return a page for a listening test of two systems; see ``toccata.listening_test``.

    Raises:
        RequestError: There are not two systems, or one of them has too few pieces.
    """
    if len(places) != 2:
        raise RequestError(f"a listening test is of two systems, not of {len(places)}: name two models or folders")
    pieces = pairs + math.ceil(SPARES * pairs)
    systems = open_systems(places, (), pieces=pieces, bars=bars, seed=seed, update=update)
    for system in systems:
        if len(system.scores) < pairs:
            raise RequestError(
                f"{system.name} has {len(system.scores)} pieces with notes, and {pairs} pairs are requested: "
                "request fewer pairs",
                path=system.path,
            )
    one, other = systems
    return listening_page(
        (one.name, other.name),
        (one.scores, other.scores),
        pairs=pairs,
        seed=seed,
        rolls=rolls,
        update=lambda done, total: update("making sound", done, total),
    )


def write_page(page: str, path: Path, force: bool) -> Path:
    """Write a page.

    Raises:
        RequestError: There is a file already, and ``force`` is not given.
    """
    if os.path.lexists(path) and not force:
        raise RequestError(
            f"{path} exists already: choose another name, or replace it with force=True", path=path, kind="exists"
        )
    write_text(path, page)
    return path
