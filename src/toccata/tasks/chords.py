"""Chord charts: their notation, and the pitch rule of a chart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm

import numpy as np
from numpy.typing import NDArray

from toccata.errors import ArgumentError, RequestError, shown
from toccata.midi.keys import STEPS, Key, every_octave, pitch_classes
from toccata.tokenizers.state import State

Mask = NDArray[np.bool_]
Degrees = frozenset[tuple[int, int]]
"""Tones of a chord: which degree above the root, and how many semitones."""

_LETTERS = "CDEFGAB"
_NATURAL = {1: 0, 2: 2, 3: 4, 4: 5, 5: 7, 6: 9, 7: 11, 9: 2, 11: 5, 13: 9}
"""Semitones of the degrees above a root, as in a major scale."""
_CHORD = re.compile(r"(?P<root>[A-G][#b]*)(?P<quality>.*?)(?:/(?P<bass>[A-G][#b]*))?")
_QUALITY = re.compile(
    r"(?P<triad>maj|Maj|MAJ|ma|M|min|Min|MIN|mi|m|-|dim|o|aug|\+)?"
    r"(?P<seventh>maj|Maj|ma|M)?"
    r"(?P<number>5|69|6/9|6|7|9|11|13)?"
    r"(?P<changes>(?:sus[24]?|add(?:2|4|9|11|13)|no[35]|alt|[b#+-][59]|[#+]11|[b-]13|\+(?!\d))*)"
)
_CHANGE = re.compile(r"sus[24]?|add\d+|no\d|alt|[b#+-]\d+|\+")
_NO_CHORD = ("N.C.", "N.C", "NC", "n.c.")


@dataclass(frozen=True)
class Chord:
    """A chord.

    Attributes:
        name: Its name as written.
        root: The letter and pitch class of its root.
        degrees: Its tones above the root.
        bass: The pitch class of the bass, if one is written.
    """

    name: str
    root: tuple[str, int]
    degrees: Degrees
    bass: int | None = None

    @classmethod
    def read(cls, text: str) -> Chord:
        """Parse a chord, e.g. ``"Dm7"``, ``"F#ø"``, ``"C/E"``.

        Raises:
            RequestError: There is no such chord.
        """
        plain = text.replace("♯", "#").replace("♭", "b")
        found = _CHORD.fullmatch(plain)
        if found is None:
            raise ArgumentError(
                f"there is no chord {shown(text)}: a chord begins with a capital from A to G, e.g. Bb or F#"
            )
        quality = found["quality"]
        degrees = _degrees(quality)
        if degrees is None:
            raise ArgumentError(
                f"there is no chord {shown(text)}: {shown(quality)} is no kind of chord, such as m7, maj7, dim or 7sus4"
            )
        bass = None if found["bass"] is None else _note(found["bass"])
        return cls(text, (found["root"][0], _note(found["root"])), degrees, bass)

    @cached_property
    def tones(self) -> Mask:
        """``bool[12]``: the pitch classes it is made of, the bass among them."""
        bass = () if self.bass is None else (self.bass,)
        return pitch_classes((*(self.root[1] + step for _, step in self.degrees), *bass))

    @cached_property
    def scale(self) -> Mask:
        """``bool[12]``: the scale that is usually played over it, with its tones."""
        return self.tones | pitch_classes(self.root[1] + step for step in _scale(self.degrees))

    @cached_property
    def wrong(self) -> Mask:
        """``bool[12]``: the third and the seventh that it would have were it another kind of chord."""
        others = {(3, 4): 3, (3, 3): 4, (7, 10): 11, (7, 11): 10}
        wrong = pitch_classes(self.root[1] + others[tone] for tone in self.degrees if tone in others)
        return wrong & ~self.tones

    @property
    def spelled(self) -> str:
        """The names of its tones, e.g. ``"E G# B D"``."""
        letter, root = self.root
        names = []
        for degree, step in sorted(self.degrees):
            name = _LETTERS[(_LETTERS.index(letter) + degree - 1) % 7]
            shift = (root + step - STEPS[name] + 6) % 12 - 6
            names.append(name + ("#" if shift > 0 else "b") * abs(shift))
        return " ".join(names)


def _note(name: str) -> int:
    return (STEPS[name[0]] + name.count("#") - name.count("b")) % 12


def _degrees(quality: str) -> Degrees | None:
    """The tones of a kind of chord; None: there is no such kind."""
    plain = re.sub(r"[(),]", "", quality).replace("°", "dim").replace("omit", "no")
    plain = re.sub("[øØ](7|9|11)?", lambda m: f"m{m[1] or 7}b5", plain)
    plain = re.sub(r"[Δ∆△^](?=\d)", "maj", plain)
    found = _QUALITY.fullmatch(re.sub("[Δ∆△^]", "maj7", plain))
    if found is None:
        return None
    triad, number, changes = found["triad"] or "", found["number"] or "", _CHANGE.findall(found["changes"])
    major = triad[:2] in ("ma", "Ma", "MA", "M")
    minor, dim, aug = triad[:2] in ("mi", "Mi", "MI", "m", "-"), triad in ("dim", "o"), triad in ("aug", "+")
    if (number == "5" and triad) or (found["seventh"] and number not in ("", "7", "9", "11", "13")):
        return None
    if (dim and number not in ("", "7")) or (major and found["seventh"]):
        return None
    tones = {(1, 0), (3, 3 if minor or dim else 4), (5, 6 if dim else 8 if aug else 7)}
    if number == "5":
        tones.discard((3, 4))
    if "6" in number:
        tones |= {(6, 9), (9, 2)} if "9" in number else {(6, 9)}
    if number in ("7", "9", "11", "13") or found["seventh"] or "alt" in changes:
        tones.add((7, 11 if major or found["seventh"] else 9 if dim else 10))
        # An eleventh is left out under a thirteenth, a semitone above the third as it is where that is major.
        tones |= {(degree, _NATURAL[degree]) for degree in (9, 11, 13) if degree <= int(number or 0)}
        if number == "13" and not minor:
            tones.discard((11, 5))
    for change in changes:
        tones = _changed(tones, change)
    return frozenset(tones)


def _changed(tones: set[tuple[int, int]], change: str) -> set[tuple[int, int]]:
    """The tones of a chord after one of the changes that may be written behind it."""
    if change == "alt":
        return {tone for tone in tones if tone[0] in (1, 3, 7)} | {(5, 6), (5, 8), (9, 1), (9, 3)}
    if change.startswith("sus"):
        degree = int(change[3:] or 4)
        return {tone for tone in tones if tone[0] != 3} | {(degree, _NATURAL[degree])}
    if change.startswith("no"):
        return {tone for tone in tones if tone[0] != int(change[2:])}
    if change.startswith("add"):
        return tones | {(int(change[3:]), _NATURAL[int(change[3:])])}
    degree = int(change[1:] or 5)
    natural = _NATURAL[degree]
    return tones - {(degree, natural)} | {(degree, natural + (1 if change[0] in "#+" else -1))}


def _scale(tones: Degrees) -> set[int]:
    """The scale that is usually played over a chord, in semitones above its root."""
    seventh = next((step for degree, step in tones if degree == 7), None)
    if (3, 3) in tones and (5, 6) in tones:
        # Locrian for a half-diminished chord, else whole and half tones in turn.
        scale = {0, 1, 3, 5, 6, 8, 10} if seventh == 10 else {0, 2, 3, 5, 6, 8, 9, 11}
    elif (3, 4) in tones and (5, 8) in tones:
        scale = {0, 2, 4, 6, 8, 9, 11} if seventh == 11 else {0, 2, 4, 6, 8, 10}
    elif (3, 3) in tones:  # melodic minor, dorian, natural minor
        sixth = seventh is not None or (6, 9) in tones
        scale = {0, 2, 3, 5, 7, 9 if sixth else 8, 11 if seventh == 11 else 10}
    elif seventh == 11 or (seventh is None and (3, 4) in tones):
        scale = {0, 2, 4, 5, 7, 9, 11}
    else:  # a dominant, or no third
        scale = {0, 2, 4, 5, 7, 9, 10} | ({3} if tones == {(1, 0), (5, 7)} else set())
    for degree in (5, 9, 11, 13):  # what the chord names raised or lowered
        if any(d == degree and step != _NATURAL[d] for d, step in tones) and (degree, _NATURAL[degree]) not in tones:
            scale.discard(_NATURAL[degree])
    return scale


@dataclass(frozen=True)
class Change:
    """Where a chord begins: how far into its bar, 0 to 1. ``chord`` None: no chord."""

    place: Fraction
    chord: Chord | None


@dataclass(frozen=True)
class ChordChart:
    """The chords of some bars, repeated.

    Attributes:
        bars: For each bar the chords in it, the first at its beginning.
    """

    bars: tuple[tuple[Change, ...], ...]

    @classmethod
    def read(cls, text: str) -> ChordChart:
        """Parse a chart as musicians write it: ``"Dm7 | G7 | Cmaj7 | %"``.

        ``|`` or a new line divides bars; chords of one bar share it evenly, where ``/`` holds the chord before
        for another share (``"C / / G7"``); ``%`` repeats the bar before, ``N.C.`` is no chord.

        Raises:
            RequestError: Something in it is no chord; the message says what, and in which bar.
        """
        bars: list[tuple[Change, ...]] = []
        for line in text.splitlines():
            if cells := line.strip().replace("||", "|").strip("|"):
                for cell in cells.split("|"):
                    bars.append(_bar(cell.split(), bars[-1] if bars else None, len(bars) + 1))
        if not bars:
            raise ArgumentError('a chord chart needs chords, e.g. "Dm7 | G7 | Cmaj7 | %"')
        return cls(tuple(bars))

    @property
    def text(self) -> str:
        """The chart in the notation that :meth:`read` parses."""
        return " | ".join(" ".join(_spread(bar)) for bar in self.bars)

    def changes(self) -> Iterator[tuple[int, Change]]:
        """Return every chord, with the index of its bar."""
        return ((number, change) for number, bar in enumerate(self.bars) for change in bar)

    def fit(self, bars: int) -> None:
        """Refuse a chart with more than ``bars`` bars; a shorter chart is repeated.

        Raises:
            RequestError: It is longer.
        """
        if len(self.bars) > bars:
            raise RequestError(
                f"the chord chart has {len(self.bars)} bars, and {bars} are asked for: ask for as many, or shorten it"
            )

    def part(self, first: int, bars: int) -> ChordChart:
        """Return ``bars`` bars of the repeated chart, from index ``first`` on."""
        return ChordChart(tuple(self.bars[(first + bar) % len(self.bars)] for bar in range(bars)))

    def rule(self, first: int, ticks_per_bar: int, ticks_per_beat: int, key: Key | None = None) -> ChordRule:
        """Return the pitch rule of the chart.

        Args:
            first: The tick, in the tokenizer's grid, of the chart's first bar.
            ticks_per_bar: The length of every bar.
            ticks_per_beat: The length of a beat of the meter's denominator.
            key: The requested key of the piece, if any.
        """
        return ChordRule.of(self, first, ticks_per_bar, ticks_per_beat, key)


def _bar(words: list[str], before: tuple[Change, ...] | None, number: int) -> tuple[Change, ...]:
    """One bar of a chart, numbered from 1."""
    if not words:
        raise ArgumentError(f"bar {number} of the chords is empty: write a chord, % for the bar before again, or N.C.")
    if "%" in words:
        if len(words) > 1:
            raise ArgumentError(f"bar {number}: % is a whole bar once more; to hold a chord for a share of it, write /")
        if before is None:
            raise ArgumentError(f"bar {number}: there is no bar before it for % to repeat")
        return before
    changes: list[Change] = []
    for place, word in enumerate(words):
        if word != "/":
            changes.append(Change(Fraction(place, len(words)), _chord(word, number)))
        elif not changes:
            if before is None:
                raise ArgumentError(f"bar {number}: there is no chord before it for / to hold")
            changes.append(Change(Fraction(0), before[-1].chord))
    return tuple(changes)


def _spread(bar: tuple[Change, ...]) -> Iterator[str]:
    """The words of a bar: its chords, with ``/`` where one holds on."""
    shares = lcm(*(change.place.denominator for change in bar))
    begins = {int(change.place * shares): change.chord for change in bar}
    for share in range(shares):
        chord = begins.get(share)
        yield "/" if share not in begins else _NO_CHORD[0] if chord is None else chord.name


def _chord(word: str, number: int) -> Chord | None:
    try:
        return None if word in _NO_CHORD else Chord.read(word)
    except RequestError as error:
        raise ArgumentError(f"bar {number}: {error.message}") from None


def strong_beats(beats: int) -> list[int]:
    """Return the strong beats of a bar, from 0: the first of each group of three of 6, 9, 12, else of each half."""
    step = 3 if beats % 3 == 0 and beats > 3 else beats // 2 if beats % 2 == 0 else beats
    return list(range(0, max(1, beats), max(1, step)))


def slack(ticks_per_beat: int) -> int:
    """Return the tolerance around a beat in ticks: less than a 64th, so 0 on coarse grids."""
    return max(0, ticks_per_beat // 16 - 1)


@dataclass(frozen=True, eq=False)
class ChordRule:
    """The pitches that may begin under a chord chart; a :class:`~toccata.tokenizers.rulebook.PitchRule`.

    - Where a chord begins, and on the strong beats of the meter (1 and 3 of 4/4, 1 and 4 of 6/8): its tones.
    - Between beats, for passing notes: its tones and those of a scale. In a piece with a requested key, a chord that
      lies in the key has the key's scale (over Em7 in C major, F passes, and not F#); any other chord, borrowed or
      leading elsewhere, has the scale usually played over it and the key's as well. Without a key, the usual one.
    - On the other beats the same, but for the third and the seventh that contradict the chord's own (no E over Cm).
    - Where there is no chord: the key's scale, or anything.

    Only onsets are constrained: a note may ring on into the next chord, as a suspension or by a pedal. Ticks before the
    chart's first bar are free.

    Attributes:
        first: The tick of the first bar.
        rows: ``int64[T]``: the row of ``table`` for each tick of the chart.
        table: ``bool[R, 128]``: the allowed pitches; the last row is all pitches.
    """

    first: int
    rows: NDArray[np.int64]
    table: Mask

    @classmethod
    def of(
        cls, chart: ChordChart, first: int, ticks_per_bar: int, ticks_per_beat: int, key: Key | None = None
    ) -> ChordRule:
        """Return the rule of a chart, see :meth:`ChordChart.rule`."""
        changes = list(chart.changes())
        table = [every_octave(row) for _, change in changes for row in _rows(change.chord, key)]
        total, near = len(chart.bars) * ticks_per_bar, slack(ticks_per_beat)
        begins = np.array([bar * ticks_per_bar + round(change.place * ticks_per_bar) for bar, change in changes])
        bars = np.arange(0, total, ticks_per_bar)[:, None]
        beats = max(1, ticks_per_bar // ticks_per_beat)
        strong = (bars + np.array(strong_beats(beats)) * ticks_per_beat).ravel()
        level = np.zeros(total, np.int64)
        around = np.arange(-near, near + 1)[:, None]
        level[((bars + np.arange(beats) * ticks_per_beat).ravel() + around) % total] = 1
        level[(np.concatenate([strong, begins]) + around) % total] = 2
        # Ticks just before a chord, within the tolerance, belong to it.
        chord = np.searchsorted(begins, (np.arange(total) + near) % total, side="right") - 1
        return cls(first, chord * 3 + level, np.array([*table, np.ones(128, np.bool_)]))

    def pitches(self, state: State, ticks: NDArray[np.int64]) -> Mask:
        """Return the pitches that may begin at each of ``ticks``, ``bool[n, 128]``."""
        since = ticks - self.first
        rows = self.rows[since % len(self.rows)]
        if len(since) and since.min() < 0:
            rows[since < 0] = len(self.table) - 1
        allowed: Mask = self.table[rows]
        return allowed


def _rows(chord: Chord | None, key: Key | None) -> tuple[Mask, Mask, Mask]:
    """Return the pitch classes that may begin under a chord: between beats, on weak beats, on strong beats."""
    if chord is None:
        free = np.ones(12, np.bool_) if key is None else key.scale()
        return free, free, free
    passing = chord.scale
    if key is not None:
        inside = not (chord.tones & ~key.scale()).any()
        passing = key.scale() if inside else passing | key.scale()
    return passing, passing & ~chord.wrong, chord.tones


def contradictions(chart: ChordChart, allowed: Mask, why: str = "the range asked for") -> None:
    """Refuse a chart with a chord that has no allowed tone.

    Args:
        chart: The chords.
        allowed: ``bool[128]``, the pitches that other constraints allow to pitched programs.
        why: These constraints in words, for the error.

    Raises:
        RequestError: A chord has no allowed tone; the message says which, in which bar, and why.
    """
    for number, change in chart.changes():
        if change.chord is not None and not (every_octave(change.chord.tones) & allowed).any():
            chord = change.chord
            raise RequestError(
                f"bar {number + 1}: no tone of {chord.name} ({chord.spelled}) lies in {why}: "
                f"change the chord, or allow more"
            )
