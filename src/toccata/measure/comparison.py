"""The music of a system beside that of people: for each figure, what as many pieces by people have among themselves.

A figure of some pieces says little by itself, and a distance between two handfuls of pieces is never 0, not even where
people wrote both. So each system is compared in groups of k pieces: as many as it has, and half of the held-out pieces
at most. What other systems are compared beside it changes nothing.

- A **distance** of a distribution is measured between k pieces of the system and k by people, drawn anew ``DRAWS``
  times; its value is the mean, its interval the middle 95 % of the draws. The human figure beside it is what the mean
  is where as many pieces by people take the place of the system: the mean of ``SPLITS`` such choices, and their
  middle 95 %.
- A **mean** of a figure is that of all pieces of the system, and its interval is found by drawing pieces anew. The
  human figure beside it is the mean of all m held-out pieces, and its interval is where the mean of k other pieces by
  people is to be expected: that of m k / (m + k) of them drawn anew, as both means are uncertain.

A system is *within the human range* in a figure if its distance is no larger than the upper end of people's, or if its
mean lies inside the interval of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.measure.choral import part_writing
from toccata.measure.distributions import DISTRIBUTIONS, distance, histograms
from toccata.measure.resampling import MIDDLE, Figure, groups, resampled_mean
from toccata.measure.structure import LAGS, groove_consistency, self_similarity
from toccata.measure.traits import traits

Floats = NDArray[np.float64]

DRAWS = 500
"""How often groups are drawn for the distance of a system."""
SPLITS, DRAWS_OF_SPLIT = 200, 25
"""How often pieces by people take the place of a system, and how often groups are drawn each time."""
FEWEST = 4
"""The fewest pieces of a system that a figure is measured on; of people, there must be twice as many."""


@dataclass(frozen=True)
class Measure:
    """A number that each piece has.

    Attributes:
        label: Its name, as printed.
        unit: The unit, as printed; ``%``: a share from 0 to 1, printed in per cent; empty: none.
        meaning: What it is, in a sentence.
        group: The heading that it stands under.
    """

    label: str
    unit: str
    meaning: str
    group: str = "music"


_OF_TRAITS = {
    "in_key": Measure(
        "scale consistency", "%", "of the time that notes sound, in the best fitting major or minor scale"
    ),
    "figures": Measure("figures that return", "%", "of figures of four steps on top, those that were there before"),
    "silence": Measure("silence", "%", "of the time, when nothing sounds"),
    "leaps": Measure("steps of the top line", "semitones", "the mean size of a step"),
    "clashing_beats": Measure("beats with a clash", "%", "of beats, those with a semitone or major seventh"),
    "chordless_beats": Measure(
        "beats without a chord", "%", "of beats with three notes, those without a triad or seventh chord"
    ),
}
"""The traits of ``measure.traits`` that are shown, each of them the mean over passages of 8 bars."""

MEASURES: dict[str, Measure] = {
    **_OF_TRAITS,
    "groove": Measure("groove consistency", "", "1 minus the share of places at which the next bar has another rhythm"),
    **{
        f"similarity_{lag}": Measure(
            f"like the bar {lag} before" if lag > 1 else "like the bar before",
            "%",
            f"the notes that a bar and the one {lag} bars before it have in common, of those in either",
        )
        for lag in LAGS
    },
    "cadences": Measure("full cadences", "in 8 bars", "steps from dominant to tonic, roots lowest", "four voices"),
    "parallel_fifths": Measure(
        "parallel fifths", "in 100", "of the steps in which two voices move in one direction", "four voices"
    ),
    "parallel_octaves": Measure(
        "parallel octaves", "in 100", "of the steps in which two voices move in one direction", "four voices"
    ),
    "crossings": Measure("crossed voices", "%", "onsets at which a voice is above a higher one", "four voices"),
}
"""All of them; see ``measure.traits``, ``measure.structure`` and ``measure.choral``."""


@dataclass(frozen=True)
class Beside:
    """A figure of several systems beside that of people.

    Attributes:
        people: That of people beside the system with the smallest groups; None: there are too few pieces by people
            that have it.
        systems: Those of the systems; None: too few of a system's pieces have it.
        within: For each system, whether it is within the human range; None: one of the two is unknown.
        groups: For each system, the size of the groups in which it is compared; 0: there are too few pieces.
        ranges: For each system, the figure of people in groups of that size; None: it is not known.
    """

    people: Figure | None
    systems: tuple[Figure | None, ...]
    within: tuple[bool | None, ...]
    groups: tuple[int, ...]
    ranges: tuple[Figure | None, ...]


def distances(people: Sequence[Score], systems: Sequence[Sequence[Score]]) -> dict[str, Beside]:
    """Compare the distributions of some systems' pieces with those of pieces by people."""
    of_people, of_systems = _tables(people, histograms), [_tables(scores, histograms) for scores in systems]
    return {
        name: _distances(of_people.get(name), [tables.get(name) for tables in of_systems]) for name in DISTRIBUTIONS
    }


def means(people: Sequence[Score], systems: Sequence[Sequence[Score]]) -> dict[str, Beside]:
    """Compare the figures of some systems' pieces with those of pieces by people."""
    of_people, of_systems = _tables(people, figures_of), [_tables(scores, figures_of) for scores in systems]
    return {name: _means(of_people.get(name), [tables.get(name) for tables in of_systems]) for name in MEASURES}


def figures_of(score: Score) -> dict[str, float]:
    """Return the figures of a piece, by their names in ``MEASURES``; what it has nothing for is left out."""
    of_traits = traits(score) if score.note_num() else {}
    found = {name: of_traits[name] for name in _OF_TRAITS if name in of_traits}
    if not score.note_num():
        return found
    if (groove := groove_consistency(score)) is not None:
        found["groove"] = groove
    found |= {f"similarity_{lag}": share for lag, share in self_similarity(score).items()}
    return found | part_writing(score)


def _tables(
    scores: Sequence[Score], of: Callable[[Score], Mapping[str, Floats] | Mapping[str, float]]
) -> dict[str, Floats]:
    """Return what is found in some pieces, a row a piece, by its name."""
    rows: dict[str, list[Floats | float]] = {}
    for score in scores:
        for name, value in of(score).items():
            rows.setdefault(name, []).append(value)
    return {name: np.array(values, np.float64) for name, values in rows.items()}


def _distances(people: Floats | None, systems: Sequence[Floats | None]) -> Beside:
    def of_people(pieces: int, size: int) -> Figure:
        assert people is not None
        return _among_people(people, pieces, size)

    def of_system(rows: Floats, size: int) -> Figure | None:
        if people is None or not size:
            return None
        ours = rows[np.stack(list(groups(len(rows), size, DRAWS, seed=1)))]
        theirs = people[np.stack(list(groups(len(people), size, DRAWS)))]
        return _middle(distance(ours.mean(axis=1), theirs.mean(axis=1)), len(rows))

    return _compared(people, systems, of_people, of_system, lambda figure, usual: figure.value <= usual.high)


def _means(people: Floats | None, systems: Sequence[Floats | None]) -> Beside:
    def of_people(pieces: int, size: int) -> Figure:
        assert people is not None
        return resampled_mean(people, max(1, round(len(people) * size / (len(people) + size))))

    def of_system(rows: Floats, size: int) -> Figure | None:
        return resampled_mean(rows) if len(rows) >= FEWEST else None

    return _compared(
        people, systems, of_people, of_system, lambda figure, usual: usual.low <= figure.value <= usual.high
    )


def _compared(
    people: Floats | None,
    systems: Sequence[Floats | None],
    of_people: Callable[[int, int], Figure],
    of_system: Callable[[Floats, int], Figure | None],
    inside: Callable[[Figure, Figure], bool],
) -> Beside:
    """Compare each system with people in groups of its own size, whatever else is compared.

    Args:
        people: A row for each piece by people; None: no piece has the figure.
        systems: The same of each system.
        of_people: Returns the figure of people beside a system of so many pieces, in groups of a size.
        of_system: Returns the figure of the pieces of a system, in groups of a size; 0: there are too few pieces.
        inside: Whether a figure of a system is in the range of people's.
    """
    half = 0 if people is None else len(people) // 2
    most = [0 if rows is None else min(half, len(rows)) for rows in systems]
    sizes = tuple(size if size >= FEWEST else 0 for size in most)
    range_of = lru_cache(None)(of_people)
    each = list(zip(systems, sizes, strict=True))
    figures = tuple(None if rows is None else of_system(rows, size) for rows, size in each)
    ranges = tuple(range_of(len(rows), size) if rows is not None and size else None for rows, size in each)
    within = tuple(
        None if figure is None or usual is None else inside(figure, usual)
        for figure, usual in zip(figures, ranges, strict=True)
    )
    known = [(size, usual) for size, usual in zip(sizes, ranges, strict=True) if usual is not None]
    if known:
        shown: Figure | None = min(known, key=lambda one: one[0])[1]
    else:
        shown = range_of(half, half) if half >= FEWEST else None
    return Beside(shown, figures, within, sizes, ranges)


def _among_people(people: Floats, pieces: int, size: int) -> Figure:
    """Return how far ``pieces`` pieces by people are from others: the mean distance, and the middle 95 % of it.

    It is measured as that of a system is, the mean of many draws of groups, with ``SPLITS`` choices of the pieces that
    are the system's.
    """
    ours = min(pieces, len(people) - size)
    draws = 1 if ours == len(people) - ours == size else DRAWS_OF_SPLIT
    means = []
    for number, order in enumerate(groups(len(people), len(people), SPLITS)):
        one, other = (
            people[side[np.stack(list(groups(len(side), size, draws, seed=number)))]].mean(axis=1)
            for side in (order[:ours], order[ours:])
        )
        means.append(float(distance(one, other).mean()))
    return _middle(np.array(means), len(people))


def _middle(values: Floats, count: int) -> Figure:
    """Return the mean of some values, and their middle 95 %."""
    low, high = np.quantile(values, MIDDLE).tolist()
    return Figure(float(values.mean()), low, high, count)
