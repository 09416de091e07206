"""A scoreboard: systems that write music, side by side and beside people, in figures that anyone can measure again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from symusic import Score

from toccata.errors import CorpusError
from toccata.measure.comparison import distances, means
from toccata.measure.evaluation import Material
from toccata.measure.likelihood import piece_nats
from toccata.measure.resampling import Floats
from toccata.measure.roundtrip import RoundTrip
from toccata.measure.rows import (
    Paired,
    Row,
    of_distances,
    of_likelihood,
    of_means,
    of_obedience,
    of_originality,
    of_pairs,
    of_practice,
    of_round_trips,
)
from toccata.measure.systems import System, by_files, by_model
from toccata.midi.bars import bar_map
from toccata.midi.clean import CleanOptions
from toccata.midi.edit import opening
from toccata.musicmodel import Model

FORMAT = 1

Update = Callable[[str, int, int], None]
"""Called with the progress of a task: its name, done, and total."""


@dataclass(frozen=True)
class Expected:
    """How well the systems expect the held-out pieces, piece by piece.

    Attributes:
        notes: The notes of each piece, ``float64[pieces]``.
        quarters: Its length in quarters, whole bars.
        nats: For each system the nats of each piece; None: it is no model.
    """

    notes: Floats
    quarters: Floats
    nats: tuple[Floats | None, ...]

    def to_dict(self, number: int) -> dict[str, Any]:
        """Return plain JSON values of a piece."""
        return {
            "notes": int(self.notes[number]),
            "quarters": float(self.quarters[number]),
            "nats": [None if nats is None else round(float(nats[number]), 4) for nats in self.nats],
        }


@dataclass(frozen=True)
class Cleaning:
    """How the music by people was cleaned.

    Attributes:
        options: The options.
        first: The number of the model whose recipe they are of; None: there is no model, they are the usual ones.
        otherwise: The numbers of the models whose recipes clean in another way.
    """

    options: CleanOptions
    first: int | None
    otherwise: tuple[int, ...]

    @classmethod
    def of(cls, options: Sequence[CleanOptions | None]) -> Cleaning:
        """Return the options of the first model, given those of each system; None: it is no model."""
        known = [number for number, one in enumerate(options) if one is not None]
        chosen = (options[known[0]] if known else None) or CleanOptions()
        return cls(chosen, known[0] if known else None, tuple(n for n in known if options[n] != chosen))


@dataclass(frozen=True)
class Scoreboard:
    """Systems side by side.

    Attributes:
        systems: What is compared.
        people: The held-out pieces, as evaluations sort them.
        rows: All figures, in their order.
        expected: How well each model expects each held-out piece.
        paired: Every two models, piece by piece.
        trips: What the tokenizer of each model leaves out of the held-out pieces; None: it is no model.
        pieces: How many pieces each model wrote.
        bars: To how many bars all pieces were cut for the figures of music.
        seed: Of the pieces.
        include_seen: Whether pieces by people that a model has seen are among those that are measured on.
        cleaning: How the music by people was cleaned.
        openings: The held-out pieces as they were compared.
    """

    systems: tuple[System, ...]
    people: Material
    rows: tuple[Row, ...]
    expected: Expected
    paired: tuple[Paired, ...]
    trips: tuple[RoundTrip | None, ...]
    pieces: int
    bars: int
    seed: int
    include_seen: bool
    cleaning: Cleaning
    openings: tuple[Score, ...] = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the systems; of several with one name, numbered from the second on."""
        found: list[str] = []
        for system in self.systems:
            again = sum(other.name == system.name for other in self.systems[: len(found)])
            found.append(f"{system.name} ({again + 1})" if again else system.name)
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        material = self.people
        return {
            "format": FORMAT,
            "systems": [
                {
                    "name": name,
                    "kind": "files" if system.model is None else "model",
                    "digest": None if system.model is None else system.model.folder.digest,
                    "pieces": system.files,
                    "faults": list(system.valid.faults),
                    "round_trip": None if trip is None else trip.to_dict(),
                }
                for name, system, trip in zip(self.names, self.systems, self.trips, strict=True)
            ],
            "people": {
                "pieces": [{"path": path, **self.expected.to_dict(n)} for n, path in enumerate(material.names)],
                "seen": material.seen,
                "shared": material.shared,
                "seen_included": self.include_seen,
                "duplicates": material.duplicates,
                "unread": [{"path": path, "reason": reason} for path, reason in material.unread],
                "unknown": list(material.unknown),
            },
            "settings": {
                "pieces": self.pieces,
                "bars": self.bars,
                "seed": self.seed,
                "clean": asdict(self.cleaning.options),
                "cleaned_otherwise": [self.names[number] for number in self.cleaning.otherwise],
            },
            "rows": [row.to_dict() for row in self.rows],
            "paired": [pair.to_dict() for pair in self.paired],
        }


def measure_systems(
    places: Sequence[tuple[Path, bool]],
    people: Material,
    *,
    pieces: int,
    bars: int,
    seed: int,
    include_seen: bool,
    cleaning: Cleaning,
    update: Update,
) -> Scoreboard:
    """Measure some systems.

    Args:
        places: The folder of each, and whether it is a model; else it holds MIDI that another system wrote.
        people: Music by people, at least one piece.
        pieces: How many pieces each model writes.
        bars: How long. What people and other systems wrote is cut to as many.
        seed: Of what is written.
        include_seen: Whether pieces that a model has seen are among those by people.
        cleaning: How those were cleaned.
        update: Receives the progress.

    Raises:
        CorpusError: There is no piece of a system that can be read.
        ModelError: A model cannot be opened.
    """
    scores = [Score.from_midi(midi) for midi in people.pieces]
    openings = tuple(opening(score, bars) for score in scores)
    systems = open_systems(places, openings, pieces=pieces, bars=bars, seed=seed, update=update)
    expected = Expected(
        np.array([score.note_num() for score in scores], np.float64),
        np.array([bar_map(score).end / score.ticks_per_quarter for score in scores]),
        tuple(
            None if system.model is None else _nats(system, scores, partial(update, f"measuring {system.name}"))
            for system in systems
        ),
    )
    trips = [None if system.model is None else _round_trip(system.model, scores) for system in systems]
    written = [system.scores for system in systems]
    update("comparing the music", 0, 1)
    rows = [
        *of_likelihood(expected.nats, expected.notes, expected.quarters),
        *of_round_trips(trips),
        *of_distances(distances(openings, written)),
        *of_means(means(openings, written)),
        *of_obedience(systems),
        *of_originality(systems, openings),
        *of_practice(systems),
    ]
    update("comparing the music", 1, 1)
    paired = tuple(of_pairs(expected.nats, expected.notes))
    settings = (pieces, bars, seed, include_seen, cleaning)
    return Scoreboard(tuple(systems), people, tuple(rows), expected, paired, tuple(trips), *settings, openings)


def open_systems(
    places: Sequence[tuple[Path, bool]],
    people: Sequence[Score],
    *,
    pieces: int,
    bars: int,
    seed: int,
    update: Update,
) -> list[System]:
    """Let each model write, and read what other systems wrote; see `measure_systems`."""
    found = []
    for path, is_model in places:
        name = path.resolve().name
        if is_model:
            writing = partial(update, f"writing with {name}")
            found.append(by_model(path, people, pieces=pieces, bars=bars, seed=seed, progress=writing))
        else:
            found.append(by_files(path, bars=bars, seed=seed, progress=partial(update, f"reading {name}")))
    return found


def _nats(system: System, scores: Sequence[Score], update: Callable[[int, int], None]) -> Floats:
    """Return the nats of whole pieces under a model, in full precision: eight bits cost a little."""
    model = Model(system.path, precision="fp32")
    found = np.zeros(len(scores))
    for number, score in enumerate(scores):
        found[number], _ = piece_nats(model, score)
        update(number + 1, len(scores))
    return found


def _round_trip(model: Model, scores: Sequence[Score]) -> RoundTrip:
    trip = RoundTrip()
    for score in scores:
        trip.add(model.tokenizer, score)
    return trip


def require_people(people: Material, source: Path) -> None:
    """Refuse a comparison with nobody.

    Raises:
        CorpusError: No piece is left to compare with.
    """
    if not people.pieces:
        known = (people.seen or 0) + (people.shared or 0)
        raise CorpusError(
            f"{source} holds no piece to compare with that the models have not seen ({known} seen, whole or in part, "
            f"{len(people.unread)} cannot be used)",
            path=source,
        )
