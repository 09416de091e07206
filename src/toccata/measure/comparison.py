"""The music of a system beside that of people: for each figure, what as many pieces by people have among themselves.

A figure of some pieces says little by itself, and a distance between two handfuls of pieces is never 0, not even where
people wrote both. So everything is compared in groups of one size, k pieces: half of the held-out pieces at most, and
no more than each system has.

- A **distance** of a distribution is measured between k pieces of the system and k by people, drawn anew ``DRAWS``
  times; its value is the mean, its interval the middle 95 % of the draws. The human figure beside it is measured in the
  same way between two groups of k pieces by people that have no piece in common.
- A **mean** of a figure is that of all pieces of the system, and its interval is found by drawing pieces anew. The
  human figure beside it is the mean of all m held-out pieces, and its interval is where the mean of k other pieces by
  people is to be expected: that of m k / (m + k) of them drawn anew, as both means are uncertain.

A system is *within the human range* in a figure if its distance is no larger than the upper end of people's, or if its
mean lies inside the interval of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
"""How often groups are drawn for a distance."""
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
        people: That of people; None: there are too few pieces by people that have it.
        systems: Those of the systems; None: too few of a system's pieces have it.
        within: For each system, whether it is within the human range; None: one of the two is unknown.
        group: The size of the groups that are compared.
    """

    people: Figure | None
    systems: tuple[Figure | None, ...]
    within: tuple[bool | None, ...]
    group: int


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


def _group(people: Floats | None, systems: Sequence[Floats | None]) -> int:
    """Return the size of the groups to compare; 0: there are too few pieces by people."""
    half = 0 if people is None else len(people) // 2
    sizes = [len(rows) for rows in systems if rows is not None and len(rows) >= FEWEST]
    return min([half, *sizes]) if half >= FEWEST else 0


def _distances(people: Floats | None, systems: Sequence[Floats | None]) -> Beside:
    size = _group(people, systems)
    if people is None or not size:
        return Beside(None, (None,) * len(systems), (None,) * len(systems), 0)
    order = np.stack(list(groups(len(people), 2 * size, DRAWS)))
    one, other = people[order[:, :size]].mean(axis=1), people[order[:, size:]].mean(axis=1)
    usual = _middle(distance(one, other), len(people))
    found: list[Figure | None] = []
    for rows in systems:
        if rows is None or len(rows) < FEWEST:
            found.append(None)
            continue
        drawn = np.stack(list(groups(len(rows), size, DRAWS, seed=1)))
        found.append(_middle(distance(rows[drawn].mean(axis=1), one), len(rows)))
    within = tuple(None if figure is None else figure.value <= usual.high for figure in found)
    return Beside(usual, tuple(found), within, size)


def _means(people: Floats | None, systems: Sequence[Floats | None]) -> Beside:
    size = _group(people, systems)
    found = tuple(None if rows is None or len(rows) < FEWEST else resampled_mean(rows) for rows in systems)
    if people is None or not size:
        return Beside(None, found, (None,) * len(systems), 0)
    usual = resampled_mean(people, max(1, round(len(people) * size / (len(people) + size))))
    within = tuple(None if figure is None else usual.low <= figure.value <= usual.high for figure in found)
    return Beside(usual, found, within, size)


def _middle(values: Floats, count: int) -> Figure:
    """Return the mean of what several draws gave, and the middle 95 % of that."""
    low, high = np.quantile(values, MIDDLE).tolist()
    return Figure(float(values.mean()), low, high, count)
