"""The rows of a scoreboard: every figure of every system with its interval, beside that of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.measure.comparison import MEASURES, Beside
from toccata.measure.distributions import DISTRIBUTIONS
from toccata.measure.judge import Judge
from toccata.measure.originality import COPIED, Originality, originality
from toccata.measure.passages import Index
from toccata.measure.resampling import Figure, resampled_mean, resampled_ratio, wilson
from toccata.measure.roundtrip import RoundTrip
from toccata.measure.sketch import Sketch
from toccata.measure.systems import System

Better = Literal["lower", "higher", "people", ""]
"""Which way a figure is better; ``people``: the closer to that of people; empty: neither."""
Floats = NDArray[np.float64]

GROUPS = {
    "likelihood": "How well it predicts music by people",
    "music": "What it writes, beside music by people",
    "four voices": "Its four-voice music",
    "obedience": "How often it meets requests",
    "originality": "How much of it occurs in its training music",
    "practical": "Validity, speed and size",
}
"""The headings of rows, in their order. Rows of another group may be added behind these."""
OBEDIENCE = "obedience"
"""The key of a model's metrics that has how often it did what it was asked for."""
_MOST_SHARES, _LONGEST_NAME = 100, 80
_NO_MODEL = "only a model has it"
_UNKNOWN = "its training music is not known"
_THINNED = "its training music is not known, or by a thinned index alone"


@dataclass(frozen=True)
class Row:
    """A figure of all systems.

    Attributes:
        key: Its name in JSON.
        group: The heading that it stands under, of ``GROUPS``.
        label: Its name, as printed.
        unit: As printed; empty: a plain number; ``%``: a share from 0 to 1, printed in per cent.
        better: Which way is better.
        systems: The figure of each system; None: it has none.
        people: That of people; None: there is none.
        within: Whether each system is within the human range; None: not known; empty: of none.
        groups: In groups of how many pieces each system is compared with people; 0 or empty: in none.
        ranges: The human range of groups of that size; None or empty: there is none.
        meaning: What it is, in a sentence.
        why_empty: Why a system may have no figure.
    """

    key: str
    group: str
    label: str
    unit: str
    better: Better
    systems: tuple[Figure | None, ...]
    people: Figure | None = None
    within: tuple[bool | None, ...] = ()
    groups: tuple[int, ...] = ()
    ranges: tuple[Figure | None, ...] = ()
    meaning: str = ""
    why_empty: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        count = len(self.systems)
        within, groups = self.within or (None,) * count, self.groups or (0,) * count
        ranges = [None if usual is None else usual.to_dict() for usual in self.ranges or (None,) * count]
        return {
            "key": self.key,
            "group": self.group,
            "label": self.label,
            "unit": self.unit,
            "better": self.better,
            "people": None if self.people is None else self.people.to_dict(),
            "systems": [
                None
                if figure is None
                else {
                    **figure.to_dict(),
                    "within_people": inside,
                    "group": group or None,
                    "range": None if usual is None else [usual["low"], usual["high"]],
                }
                for figure, inside, group, usual in zip(self.systems, within, groups, ranges, strict=True)
            ],
        }


@dataclass(frozen=True)
class Paired:
    """Two models on the same pieces.

    Attributes:
        one: The number of the first system, from 0.
        other: That of the second.
        difference: Nats a note of the first minus those of the second, with the interval when pieces are drawn anew.
    """

    one: int
    other: int
    difference: Figure

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"systems": [self.one, self.other], "nats_per_note": self.difference.to_dict()}


def of_likelihood(nats: Sequence[Floats | None], notes: Floats, quarters: Floats) -> list[Row]:
    """Return nats a note, a quarter and a piece.

    Args:
        nats: Of each system the nats of each piece, ``float64[pieces]``; None: it is no model.
        notes: The notes of each piece.
        quarters: Its length in quarters.
    """
    rows = []
    for key, label, wholes in (
        ("nats_per_note", "nats a note", notes),
        ("nats_per_quarter", "nats a quarter", quarters),
        ("nats_per_piece", "nats a piece", np.ones(len(notes))),
    ):
        found = tuple(None if each is None else resampled_ratio(each, wholes) for each in nats)
        meaning = "minus the natural logarithm of the probability of whole pieces, all their tokens added up"
        rows.append(Row(key, "likelihood", label, "", "lower", found, meaning=meaning, why_empty=_NO_MODEL))
    return rows


def of_pairs(nats: Sequence[Floats | None], notes: Floats) -> list[Paired]:
    """Return the difference of every two models, piece by piece; see `of_likelihood`."""
    return [
        Paired(one, other, resampled_ratio(a - b, notes))
        for (one, a), (other, b) in combinations(enumerate(nats), 2)
        if a is not None and b is not None
    ]


def of_round_trips(trips: Sequence[RoundTrip | None]) -> list[Row]:
    """Return how many notes each tokenizer leaves out."""
    found = tuple(None if trip is None else Figure(trip.lost / trip.notes, count=trip.notes) for trip in trips)
    meaning = "notes of the held-out pieces that their tokens cannot represent, which cost no nats"
    return [
        Row("notes_lost", "likelihood", "notes left out", "%", "lower", found, meaning=meaning, why_empty=_NO_MODEL)
    ]


def of_distances(found: Mapping[str, Beside]) -> list[Row]:
    """Return the distances of distributions."""
    return [
        Row(
            f"distance_{name}",
            "music",
            f"{kind.label}: distance",
            "",
            "lower",
            found[name].systems,
            found[name].people,
            found[name].within,
            found[name].groups,
            found[name].ranges,
            f"Jensen-Shannon distance, 0 to 1, of {kind.meaning}",
            "too few pieces have it",
        )
        for name, kind in DISTRIBUTIONS.items()
    ]


def of_means(found: Mapping[str, Beside]) -> list[Row]:
    """Return the figures that are better the closer they are to those of people."""
    return [
        Row(
            name,
            kind.group,
            kind.label,
            kind.unit,
            "people",
            found[name].systems,
            found[name].people,
            found[name].within,
            found[name].groups,
            found[name].ranges,
            kind.meaning,
            "too few pieces have it",
        )
        for name, kind in MEASURES.items()
        if found[name].people is not None or any(found[name].systems)
    ]


def of_obedience(systems: Sequence[System]) -> list[Row]:
    """Return how often each model did what it was asked for, as its folder has it from earlier measurements.

    ``metrics.obedience`` in ``toccata.json`` has ``{"density": {"share": 0.9, "count": 48, "pieces": 48}}``: of so
    many pieces, or bars of so many pieces, the share that had what was requested. Bars of a piece are alike, so the
    share has an interval only where pieces were counted. What cannot be read is left out.
    """
    found = [{} if s.model is None else _shares(s.model.folder.metrics.get(OBEDIENCE)) for s in systems]
    names = dict.fromkeys(name for shares in found for name in shares)
    meaning = "pieces (or bars) that had what was requested, measured before; of pieces, the interval is Wilson's"
    return [
        Row(
            f"obeys_{name.replace(' ', '_')}",
            "obedience",
            name,
            "%",
            "higher",
            tuple(shares.get(name) for shares in found),
            meaning=meaning,
            why_empty="not measured",
        )
        for name in names
    ]


def _shares(saved: object) -> dict[str, Figure]:
    """Return by name the share that had what was requested."""
    found = {}
    for name, one in saved.items() if isinstance(saved, dict) and len(saved) <= _MOST_SHARES else ():
        share, count = (one.get("share"), one.get("count")) if isinstance(one, dict) else (None, None)
        readable = isinstance(name, str) and name.isprintable() and len(name) <= _LONGEST_NAME
        if readable and isinstance(share, int | float) and type(count) is int and 0 <= share <= 1 and count > 0:
            of_pieces = one.get("pieces") == count
            interval = wilson(round(share * count), count) if of_pieces else Figure(share, count=count)
            found[name] = replace(interval, value=float(share))
    return found


def of_originality(systems: Sequence[System], people: Sequence[Score]) -> list[Row]:
    """Return what of the pieces of each system, and of those by people, stands in the system's training music.

    What a thinned index finds has rows of its own, where a system has no other: it misses most passages.
    """
    judges = [None if s.model is None or not Judge.has(s.model) else Judge(s.model) for s in systems]
    whole = [None if judge is None else judge.index for judge in judges]
    thinned = [None if judge is None or judge.index is not None else judge.sketch for judge in judges]
    rows = _known_passages(systems, people, whole, "", "", _THINNED if any(thinned) else _UNKNOWN)
    if any(thinned):
        rows += _known_passages(systems, people, thinned, "sampled_", ", by a thinned index", "it has no thinned index")
    return rows


def _known_passages(
    systems: Sequence[System],
    people: Sequence[Score],
    indexes: Sequence[Index | Sketch | None],
    prefix: str,
    suffix: str,
    why_empty: str,
) -> list[Row]:
    """Return the rows of known passages, found by the index of each system; None: it has no such index."""
    ours: list[list[Originality] | None] = []
    theirs: list[list[Originality] | None] = []
    for system, index in zip(systems, indexes, strict=True):
        ours.append(None if index is None else [originality(score, index) for score in system.scores])
        theirs.append(None if index is None else [originality(score, index) for score in people])
    longest = "notes of the longest passage of a piece that occurs in the model's training music, in any key and tempo"
    share = f"share of a piece's notes in passages of {COPIED} and more that occur there"
    rows = []
    for key, label, unit, what, meaning in (
        ("copied_notes", "longest known passage", "notes", "notes", longest),
        ("copied_share", "notes in known passages", "%", "share", share),
    ):
        here, beside = _copied(ours, what), _copied(theirs, what)
        within = tuple(
            None if a is None or b is None or not b.has_interval else a.value <= b.high
            for a, b in zip(here, beside, strict=True)
        )
        rows += [
            Row(
                f"{prefix}{key}", "originality", label + suffix, unit, "people", here, None, within,
                meaning=f"mean of the {meaning}", why_empty=why_empty,
            ),
            Row(
                f"{prefix}{key}_people", "originality", "the same of people", unit, "", beside,
                meaning="the same of the held-out pieces, in the training music of each model", why_empty=why_empty,
            ),
        ]  # fmt: skip
    return rows


def _copied(found: Sequence[Sequence[Originality] | None], what: str) -> tuple[Figure | None, ...]:
    return tuple(
        resampled_mean(np.array([getattr(one, what) for one in pieces], np.float64)) if pieces else None
        for pieces in found
    )


def of_practice(systems: Sequence[System]) -> list[Row]:
    """Return validity, speed and size."""
    valid = tuple(wilson(system.valid.valid, system.valid.pieces) for system in systems)
    speed = tuple(None if s.notes_per_second is None else Figure(s.notes_per_second, count=s.files) for s in systems)
    sound = "pieces with notes, none of them without length, doubled, overlapping itself or past the bars asked for"
    rows = [
        Row("valid", "practical", "pieces without a fault", "%", "higher", valid, meaning=sound),
        Row(
            "notes_per_second", "practical", "speed", "notes a second", "higher", speed,
            meaning="of all pieces, up to 16 written side by side, on this machine", why_empty=_NO_MODEL,
        ),
    ]  # fmt: skip
    sizes = (
        ("parameters", "parameters", "", "trained numbers"),
        ("weights", "weights", "bytes", "of the file of weights"),
        ("folder", "whole model", "bytes", "of all files of the model, the index of its training music among them"),
    )
    for key, label, unit, meaning in sizes:
        found = tuple(None if s.size is None else Figure(float(getattr(s.size, key)), count=1) for s in systems)
        rows.append(Row(key, "practical", label, unit, "lower", found, meaning=meaning, why_empty=_NO_MODEL))
    return rows
