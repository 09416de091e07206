"""What a model has learned of instruments, meters, tempos and note lengths, with counts from its training pieces.

Saved in ``toccata.json`` when a model is trained. A request for an instrument that is not in it is refused, and the
range of each instrument is narrowed to what was learned.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import chain, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score, Track

from toccata.midi.bars import bar_map
from toccata.midi.features import Sounding
from toccata.midi.gm import PROGRAMS, program_name
from toccata.midi.levels import BARS, COUNTS, values_of

PIECES = 1000
"""The most training pieces that are counted."""
FEWEST = 50
"""An instrument, a meter or a note length that has fewer notes is not learned."""
_OUTLIERS = 1000
"""One note in this many may lie outside the range of an instrument, at each end."""
_GRID = 24
"""Note lengths are counted in this part of a quarter: 32nds and triplets."""
_LENGTHS, _METERS, _SHOWN = 12, 5, 8
ENSEMBLES = 200
"""The most ensembles that are saved, those of the most pieces first."""
PASSAGES = 30
"""The most passages of a style that are saved."""
_SLOW, _FAST = 40.0, 220.0
"""Tempos beyond these, in quarters a minute, are odd."""
_PART, _NOTES = 0.02, 5
"""An instrument that has a smaller share of a piece's notes, or fewer notes, is none of its ensemble."""


@dataclass(frozen=True)
class LearnedInstrument:
    """What a model has learned of one instrument.

    Attributes:
        notes: Its notes in the training pieces.
        pieces: The pieces that have any.
        pitches: The lowest and the highest pitch, but for one note in a thousand at each end.
        alone: The share of its notes that begin while no other note of their track sounds: 1 for a single line.
        tracks: The most tracks of it in a piece, but for one piece in twenty.
    """

    notes: int
    pieces: int
    pitches: tuple[int, int]
    alone: float
    tracks: int = 1

    def added_to(self, before: LearnedInstrument) -> LearnedInstrument:
        """Return what two trainings, one after the other, have learned of the instrument."""
        notes = self.notes + before.notes
        low, high = min(self.pitches[0], before.pitches[0]), max(self.pitches[1], before.pitches[1])
        alone = (self.alone * self.notes + before.alone * before.notes) / notes if notes else 0.0
        return LearnedInstrument(
            notes, self.pieces + before.pieces, (low, high), round(alone, 3), max(self.tracks, before.tracks)
        )


@dataclass(frozen=True)
class Passage:
    """What the first bars of a training piece are like.

    Attributes:
        programs: The instruments that play in them, -1 the drums.
        values: The value of each control, see :class:`~toccata.midi.levels.Levels`; of drums alone some are missing.
    """

    programs: frozenset[int]
    values: Mapping[str, float]

    @classmethod
    def of(cls, score: Score) -> Passage:
        """The first eight bars of ``score``."""
        bars = bar_map(score)
        start, end = int(bars.starts[0]), int(bars.starts[min(BARS, len(bars))])
        found = values_of(Sounding.of(score).between(start, end), end - start)
        return cls(_ensemble(_by_program(score)), {name: round(value, 3) for name, value in found.items()})

    def to_json(self) -> list[Any]:
        """Return plain JSON values: the programs, and the values in the order of the controls."""
        return [sorted(self.programs), [self.values.get(name) for name in COUNTS]]

    @classmethod
    def from_json(cls, data: Any) -> Passage:
        """Parse the result of :meth:`to_json`."""
        programs, values = data
        known = {name: float(value) for name, value in zip(COUNTS, values, strict=True) if value is not None}
        return cls(frozenset(map(int, programs)), known)


@dataclass(frozen=True)
class Coverage:
    """What a model has learned, counted in its training pieces.

    Attributes:
        pieces: The pieces that were counted.
        instruments: By General MIDI program, -1 the drums.
        meters: Pieces by meter.
        tempos: The quarters a minute that 5, 50 and 95 % of the pieces do not exceed; None without pieces.
        lengths: Notes by their length in quarters, the most frequent first.
        ensembles: Pieces by the instruments that play in them, the most frequent first.
        of_styles: The same for each style, by its number; empty where there are no styles.
        passages: The first bars of some pieces of each style, by its number.
    """

    pieces: int = 0
    instruments: Mapping[int, LearnedInstrument] = field(default_factory=dict)
    meters: Mapping[tuple[int, int], int] = field(default_factory=dict)
    tempos: tuple[float, float, float] | None = None
    lengths: Mapping[Fraction, int] = field(default_factory=dict)
    ensembles: Mapping[frozenset[int], int] = field(default_factory=dict)
    of_styles: Mapping[int, Mapping[frozenset[int], int]] = field(default_factory=dict)
    passages: Mapping[int, tuple[Passage, ...]] = field(default_factory=dict)

    @classmethod
    def of_scores(cls, scores: Iterable[Score], styles: Iterable[int | None] = ()) -> Coverage:
        """Count what some pieces have.

        Args:
            scores: The pieces.
            styles: The number of each one's style, None where it has none; empty: none has.
        """
        pieces, tempos = 0, list[float]()
        pitches: dict[int, NDArray[np.int64]] = {}
        tracks_of: dict[int, list[int]] = defaultdict(list)
        alone: Counter[int] = Counter()
        meters: Counter[tuple[int, int]] = Counter()
        lengths: Counter[Fraction] = Counter()
        ensembles: Counter[frozenset[int]] = Counter()
        of_styles: dict[int, Counter[frozenset[int]]] = defaultdict(Counter)
        for score, style in zip(scores, chain(styles, repeat(None)), strict=False):
            pieces += 1
            tempos.append(_tempo(score))
            meters.update(set(bar_map(score).meters))
            by_program = _by_program(score)
            ensembles[_ensemble(by_program)] += 1
            if style is not None:
                of_styles[style][_ensemble(by_program)] += 1
            for program, tracks in by_program.items():
                tracks_of[program].append(len(tracks))
                counted = pitches.setdefault(program, np.zeros(128, np.int64))
                for track in tracks:
                    notes = track.notes.numpy()
                    counted += np.bincount(notes["pitch"], minlength=128)[:128]
                    alone[program] += int(_alone(notes["time"], notes["duration"]).sum())
                    if program != -1:
                        lengths.update(_lengths(notes["duration"], score.ticks_per_quarter))
        return cls(
            pieces,
            {p: _instrument(pitches[p], tracks_of[p], alone[p]) for p in sorted(pitches)},
            dict(meters.most_common()),
            _tempos(tempos),
            dict(lengths.most_common(_LENGTHS)),
            dict(ensembles.most_common(ENSEMBLES)),
            {style: dict(found.most_common(ENSEMBLES)) for style, found in sorted(of_styles.items())},
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "pieces": self.pieces,
            "instruments": {
                str(program): {**asdict(learned), "pitches": list(learned.pitches)}
                for program, learned in self.instruments.items()
            },
            "meters": {f"{n}/{d}": pieces for (n, d), pieces in self.meters.items()},
            "tempos": None if self.tempos is None else list(self.tempos),
            "lengths": {str(length): notes for length, notes in self.lengths.items()},
            "ensembles": _rows(self.ensembles),
            "ensembles_of_styles": {str(style): _rows(found) for style, found in self.of_styles.items()},
            "passages_of_styles": {
                str(style): [passage.to_json() for passage in found] for style, found in self.passages.items()
            },
        }

    @classmethod
    def from_json(cls, data: Any) -> Coverage | None:
        """Return the coverage that ``to_json`` wrote; None where ``data`` is none, or is damaged."""
        try:
            instruments = {}
            for program, entry in data["instruments"].items():
                low, high = (int(pitch) for pitch in entry["pitches"])
                if not (-1 <= int(program) <= 127 and 0 <= low <= high <= 127):
                    return None
                instruments[int(program)] = LearnedInstrument(
                    int(entry["notes"]), int(entry["pieces"]), (low, high), float(entry["alone"]), int(entry["tracks"])
                )
            meters = {}
            for meter, pieces in data["meters"].items():
                beats, _, unit = meter.partition("/")
                meters[int(beats), int(unit)] = int(pieces)
            tempos = None
            if data["tempos"] is not None:
                slow, middle, fast = (float(tempo) for tempo in data["tempos"])
                tempos = slow, middle, fast
            lengths = {Fraction(length): int(notes) for length, notes in data["lengths"].items()}
            ensembles = _ensembles(data.get("ensembles", ()))
            by_style = data.get("ensembles_of_styles", {}).items()
            of_styles = {int(style): _ensembles(rows) for style, rows in by_style}
            passages = {
                int(style): tuple(map(Passage.from_json, rows))
                for style, rows in data.get("passages_of_styles", {}).items()
            }
            return cls(int(data["pieces"]), instruments, meters, tempos, lengths, ensembles, of_styles, passages)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
            return None

    @classmethod
    def of_trainings(cls, saved: Iterable[Any]) -> Coverage | None:
        """Return what a model has learned in some trainings, one after the other, each as ``to_json`` wrote it.

        None where that of the first is unknown; of a later one, nothing is added then.
        """
        first, *others = map(cls.from_json, saved)
        for later in others if first is not None else ():
            first = first if later is None else later.with_earlier(first)
        return first

    def with_earlier(self, other: Coverage | None) -> Coverage:
        """Return what a model has learned that was finetuned from one that had learned ``other``.

        Its styles are its own where it has some: those of the other had other numbers.
        """
        if other is None:
            return self
        instruments = dict(other.instruments)
        for program, mine in self.instruments.items():
            before = instruments.get(program)
            instruments[program] = mine if before is None else mine.added_to(before)
        meters, lengths, ensembles = Counter(other.meters), Counter(other.lengths), Counter(other.ensembles)
        meters.update(self.meters)
        lengths.update(self.lengths)
        ensembles.update(self.ensembles)
        return Coverage(
            self.pieces + other.pieces,
            dict(sorted(instruments.items())),
            dict(meters.most_common()),
            self.tempos or other.tempos,
            dict(lengths.most_common(_LENGTHS)),
            dict(ensembles.most_common(ENSEMBLES)),
            self.of_styles or other.of_styles,
            self.passages if self.of_styles else other.passages,
        )

    def summary(self) -> str:
        """Return it in words, on one line."""
        parts = [self.names() or "no instrument"]
        if self.meters:
            parts.append("in " + ", ".join(f"{n}/{d}" for n, d in list(self.meters)[:_METERS]))
        if self.tempos is not None:
            parts.append(f"at {self.tempos[0]:.0f} to {self.tempos[2]:.0f} quarters a minute")
        return " ".join(parts)

    @cached_property
    def known(self) -> tuple[int, ...]:
        """The programs that are learned, those with the most notes first; all that there are if none has many."""
        by_notes = sorted(self.instruments, key=lambda program: -self.instruments[program].notes)
        return tuple(p for p in by_notes if self.instruments[p].notes >= FEWEST) or tuple(by_notes)

    @property
    def usual_tempos(self) -> tuple[float, float] | None:
        """The tempos of a new piece, in quarters a minute: those learned, without what is odd; None: unknown."""
        if self.tempos is None:
            return None
        slow, middle, fast = (tempo * nearly for tempo, nearly in zip(self.tempos, (0.9, 1, 1.1), strict=True))
        return max(slow, min(middle, _SLOW)), min(fast, max(middle, _FAST))

    def nearest(self, program: int) -> int | None:
        """Return the learned program most like ``program``: of its family, else the nearest number; None for drums."""
        if program in self.known:
            return program
        pitched = [other for other in self.known if other != -1]
        if program == -1 or not pitched:
            return None
        return min(pitched, key=lambda other: (other // 8 != program // 8, abs(other - program)))

    def names(self, most: int = _SHOWN) -> str:
        """Return the learned instruments in words, those with the most notes first."""
        return in_words(self.known, most)


def in_words(programs: Sequence[int], most: int = _SHOWN) -> str:
    """Return the names of some programs in words: ``Violin, Viola and 3 more``."""
    shown = [program_name(program) for program in programs[:most]]
    if len(programs) > most:
        return f"{', '.join(shown)} and {len(programs) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def substitutes(coverage: Coverage | None, programs: Iterable[int]) -> dict[int, int]:
    """Return, for each of some programs that a model has not learned, the learned one that stands in for it."""
    if coverage is None or not coverage.known:
        return {}
    found = {program: coverage.nearest(program) for program in programs}
    return {program: other for program, other in found.items() if other is not None and other != program}


def substituted(score: Score, instead: Mapping[int, int]) -> Score:
    """Return ``score`` with other programs in place of some, for a model that has not learned them."""
    if not instead:
        return score
    out = score.copy()
    for track in out.tracks:
        if not track.is_drum:
            track.program = instead.get(int(track.program), int(track.program))
    return out


def _by_program(score: Score) -> dict[int, list[Track]]:
    found: dict[int, list[Track]] = {}
    for track in score.tracks:
        if len(track.notes):
            found.setdefault(-1 if track.is_drum else min(int(track.program), len(PROGRAMS) - 1), []).append(track)
    return found


def _rows(ensembles: Mapping[frozenset[int], int]) -> list[list[Any]]:
    return [[sorted(programs), pieces] for programs, pieces in ensembles.items()]


def _ensembles(rows: Any) -> dict[frozenset[int], int]:
    return {frozenset(map(int, programs)): int(pieces) for programs, pieces in rows}


def _ensemble(by_program: Mapping[int, Sequence[Track]]) -> frozenset[int]:
    """Return the programs of a piece that have more than a few notes of it; all if none has."""
    notes = {program: sum(len(track.notes) for track in tracks) for program, tracks in by_program.items()}
    least = max(_NOTES, _PART * sum(notes.values()))
    return frozenset(program for program, count in notes.items() if count >= least) or frozenset(notes)


def _alone(onsets: NDArray[Any], durations: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which notes begin while no other one of their track sounds, ``bool[n]``; in order of their onsets."""
    order = np.argsort(onsets, kind="stable")
    begin = onsets[order].astype(np.int64)
    until = np.maximum.accumulate(begin + durations[order])
    alone = np.ones(len(begin), np.bool_)
    alone[1:] &= until[:-1] <= begin[1:]
    alone[:-1] &= begin[1:] != begin[:-1]
    return alone


def _instrument(counted: NDArray[np.int64], tracks: Sequence[int], alone: int) -> LearnedInstrument:
    notes = int(counted.sum())
    outside = notes // _OUTLIERS
    below = np.cumsum(counted)
    above = np.cumsum(counted[::-1])
    low, high = int(np.argmax(below > outside)), 127 - int(np.argmax(above > outside))
    most = int(np.quantile(tracks, 0.95, method="higher"))
    return LearnedInstrument(notes, len(tracks), (low, high), round(alone / notes, 3), most)


def _tempos(tempos: Sequence[float]) -> tuple[float, float, float] | None:
    if not tempos:
        return None
    low, middle, high = np.quantile(tempos, (0.05, 0.5, 0.95)).tolist()
    return round(low, 1), round(middle, 1), round(high, 1)


def _lengths(durations: NDArray[Any], ticks_per_quarter: int) -> dict[Fraction, int]:
    steps = np.maximum(1, np.rint(durations * _GRID / ticks_per_quarter)).astype(np.int64)
    values, counts = np.unique(steps, return_counts=True)
    return {Fraction(step, _GRID): count for step, count in zip(values.tolist(), counts.tolist(), strict=True)}


def _tempo(score: Score) -> float:
    return float(score.tempos[0].qpm) if len(score.tempos) else 120.0
