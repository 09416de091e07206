"""Systems that write music, as a scoreboard compares them: a model, or a folder of MIDI that another system wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np
from symusic import Score

from toccata import folder
from toccata.errors import CorpusError, MidiError
from toccata.measure.validity import Validity, validity
from toccata.midi.clean import CleanOptions, clean
from toccata.midi.edit import opening
from toccata.midi.read import find_midi, read_bytes, read_score
from toccata.musicmodel import Model
from toccata.piece import Piece

RUNAWAY = 4
"""A piece that is being written ends when it has so many times the tokens that pieces by people have on average."""
MOST_FILES = 400
"""The most files of a folder that are read; of more, so many are drawn by chance."""
_ALL_NOTES = CleanOptions(min_notes=1)


@dataclass(frozen=True)
class Size:
    """The size of a model.

    Attributes:
        parameters: Its trained numbers.
        weights: Bytes of the weights' file.
        folder: Bytes of all files of the model, without what resuming its training needs.
    """

    parameters: int
    weights: int
    folder: int


@dataclass(frozen=True)
class System:
    """A system and what it wrote.

    Attributes:
        name: The model's, or the folder's.
        path: Where it is.
        model: The model; None: it is known by its music alone.
        scores: The pieces, cleaned, each cut to the same number of bars at most.
        files: How many pieces were written, or files read, those that cannot be used among them.
        valid: Which of them are without a fault, and what is wrong with the others.
        notes_per_second: How fast it wrote, all pieces side by side; None: not known.
        size: How large it is; None: not known.
    """

    name: str
    path: Path
    model: Model | None
    scores: tuple[Score, ...] = field(repr=False)
    files: int
    valid: Validity
    notes_per_second: float | None = None
    size: Size | None = None


def by_model(
    path: Path, people: Sequence[Score], *, pieces: int, bars: int, seed: int, progress: Callable[[int, int], None]
) -> System:
    """Let a model write, as it does by default.

    Args:
        path: The model's folder.
        people: Music by people of as many bars, which says how many tokens a piece may have.
        pieces: How many to write.
        bars: How long.
        seed: Piece i is that of ``seed + i``.
        progress: Called with (pieces written, pieces in all).

    Raises:
        ModelError: There is no model, or a file of it is missing or was changed.
    """
    model = Model(path)
    tokens = [len(model.tokenizer.encode(score).ids) for score in people]
    limit = max(bars, round(RUNAWAY * fmean(tokens))) if tokens else None
    finished: list[Piece] = []

    def count(piece: Piece) -> bool:
        finished.append(piece)
        progress(len(finished), pieces)
        return True

    written = model.generate(n=pieces, bars=bars, seed=seed, max_tokens=limit, accept=count)
    seconds, notes = model.stats.seconds, model.stats.notes
    return System(
        name=model.name,
        path=path,
        model=model,
        scores=tuple(opening(clean(piece.score, _ALL_NOTES), bars) for piece in written if piece.origin["notes"]),
        files=len(written),
        valid=validity(written, bars),
        notes_per_second=notes / seconds if seconds else None,
        size=Size(model.config.parameters, (path / folder.WEIGHTS).stat().st_size, stored(model.folder)),
    )


def stored(made: folder.ModelFolder) -> int:
    """Return the bytes of all files of a model."""
    return sum((made.path / name).stat().st_size for name in [*made.about["files"], folder.ABOUT])


def by_files(path: Path, *, bars: int, seed: int, progress: Callable[[int, int], None]) -> System:
    """Read what another system wrote: each file below ``path`` is a piece, equal ones too.

    Args:
        path: A folder of MIDI files.
        bars: Pieces are cut to so many.
        seed: Of the files that are drawn, where there are more than ``MOST_FILES``.
        progress: Called with (files done, files in all).

    Raises:
        CorpusError: There is no MIDI file, or none that can be read.
    """
    paths = find_midi(path)
    if len(paths) > MOST_FILES:
        chosen = np.random.default_rng(seed).choice(len(paths), MOST_FILES, replace=False)
        paths = [paths[number] for number in np.sort(chosen).tolist()]
    scores, faults, sound = [], [], 0
    for done, file in enumerate(paths, 1):
        progress(done, len(paths))
        try:
            midi = read_bytes(file)
            scores.append(opening(clean(read_score(midi, cut_short="use"), _ALL_NOTES), bars))
        except MidiError as error:
            faults.append(f"{file.name}: {error.message}")
            continue
        found = validity([Piece(midi, {})], None)
        sound += found.valid
        faults += [f"{file.name}: {fault}" for fault in found.faults]
    if not scores:
        raise CorpusError(f"{path}: no file of it can be read: {faults[0]}", path=path)
    return System(
        name=path.resolve().name,
        path=path,
        model=None,
        scores=tuple(scores),
        files=len(paths),
        valid=Validity(len(paths), sound, tuple(faults)),
    )
