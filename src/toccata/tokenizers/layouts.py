"""Music as text: which characters there are, and what each of them says.

A layout is a token scheme (pitches, velocities, lengths, time shifts) and a way to say it in characters. A note is one
character. Every base token has a character of its own too, so that what no note character says can be spelled, and
whatever string of characters comes out of a model can be played.
"""

from __future__ import annotations

import bisect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata.errors import RecipeError
from toccata.midi.bars import bar_map
from toccata.midi.facts import seconds_at
from toccata.tokenizers.options import PLAIN_SPECIALS
from toccata.tokenizers.scheme import Clock, Scheme, Timing
from toccata.tokenizers.simplify import one_track, writable_meters
from toccata.tokenizers.vocabulary import Kind, read_vocabulary

_NOTES = 0x4E00
"""Notes are Chinese characters: the one block that is large enough and that every screen can show."""
_TIMES = 0x2800
"""Time passes in Braille patterns: the k-th shift is pattern k."""
_SPELLED = 0xAC00
"""Other base tokens on their own are Korean syllables."""
_FOLLOWS: dict[Kind, frozenset[Kind]] = {
    Kind.PITCH: frozenset({Kind.VELOCITY}),
    Kind.VELOCITY: frozenset({Kind.DURATION}),
    Kind.DURATION: frozenset({Kind.PITCH, Kind.TIME_SHIFT}),
    Kind.TIME_SHIFT: frozenset({Kind.PITCH, Kind.TIME_SHIFT, Kind.TEMPO, Kind.TIME_SIG}),
    Kind.TEMPO: frozenset({Kind.PITCH, Kind.TIME_SHIFT}),
    Kind.TIME_SIG: frozenset({Kind.PITCH, Kind.TIME_SHIFT, Kind.TEMPO}),
}
Ints = NDArray[np.int64]


class Layout(ABC):
    """Base tokens, and the characters that say them.

    Attributes:
        scheme: The base tokens and their grid.
        follows: What may come after what.
        tempo: Quarters a minute, where the layout writes no tempo.
    """

    scheme: Scheme
    follows: Mapping[Kind, frozenset[Kind]]
    tempo: float | None = None

    @abstractmethod
    def write(self, score: Score) -> list[str]:
        """The text of ``score``, one string a bar; what leads into a bar ends the one before."""

    @abstractmethod
    def note(self, code: int) -> tuple[int, ...]:
        """The base tokens of the note character with this code point; none, if it is no note."""

    def parts(self, character: str) -> tuple[int, ...]:
        """The base tokens that a character says; none, if it is no character of this layout."""
        base = self._base.get(character)
        return (base,) if base is not None else self.note(ord(character))

    def spelled(self, character: str) -> str:
        """A note character as the characters of its base tokens."""
        return "".join(self.own[base] for base in self.parts(character))

    @cached_property
    def own(self) -> dict[int, str]:
        """Each base token's own character, special tokens left out."""
        scheme = self.scheme
        times = {int(b): chr(_TIMES + i + 1) for i, b in enumerate(scheme.vocabulary.of_kind[Kind.TIME_SHIFT])}
        return {b: times.get(b, chr(_SPELLED + b)) for b, k in enumerate(scheme.kinds) if k != Kind.SPECIAL}

    @cached_property
    def _base(self) -> dict[str, int]:
        return {character: base for base, character in self.own.items()}

    def _of_kind(self, kind: Kind) -> list[int]:
        ids: list[int] = self.scheme.vocabulary.of_kind[kind].tolist()
        return ids


class Rhythm(Layout):
    """Our own layout: time in twelfths of a quarter, with meters and tempos; only lengths over four bars are clipped.

    A note character encodes pitch, velocity and length; time shifts are characters of their own, so a chord is its
    notes side by side.
    """

    TICKS = 12
    LENGTHS = (*range(1, 13), *range(14, 25, 2), *range(28, 49, 4), 60, 72, 84, 96, 120, 144, 168, 192)
    SHIFTS = (*range(1, 49), 96, 192)
    TEMPOS = 144
    METERS = tuple((n, d) for d, most in ((2, 4), (4, 12), (8, 24), (16, 24)) for n in range(1, most + 1))
    LOWEST, KEYS = 21, 88

    def __init__(self, velocities: int) -> None:
        """A layout that tells ``velocities`` degrees of loudness apart, at most 7: there are no more characters."""
        if not 1 <= velocities <= 7:
            raise RecipeError(f"tokenizer.velocities goes from 1 to 7 in this layout, not {velocities}")
        self.velocities = np.round((np.arange(velocities) + 0.5) * 128 / velocities).astype(np.int64)
        self.tempos = np.geomspace(16, 480, self.TEMPOS)
        words = [f"Tempo_{tempo:.2f}" for tempo in self.tempos]
        words += [f"TimeSig_{n}/{d}" for n, d in self.METERS]
        self.scheme = _scheme(words, self.velocities, self.LENGTHS, self.SHIFTS, self.TICKS)
        self.follows = {**_FOLLOWS, Kind.SPECIAL: frozenset({Kind.TIME_SIG})}

    def note(self, code: int) -> tuple[int, ...]:
        """The base tokens of a note character."""
        rest, key = divmod(code - _NOTES, self.KEYS)
        velocity, length = divmod(rest, len(self.LENGTHS))
        if code < _NOTES or velocity >= len(self.velocities):
            return ()
        pitches, loud, long = self._tables
        return pitches[self.LOWEST + key], loud[velocity], long[length]

    @cached_property
    def _tables(self) -> tuple[list[int], list[int], list[int]]:
        return self._of_kind(Kind.PITCH), self._of_kind(Kind.VELOCITY), self._of_kind(Kind.DURATION)

    def write(self, score: Score) -> list[str]:
        """The text of ``score``, one string a bar."""
        score = score.copy()
        score = one_track(score)
        score.time_signatures = writable_meters(score, self.METERS)
        grid = self.TICKS / score.ticks_per_quarter
        lines = np.rint(bar_map(score).starts * grid).astype(np.int64)
        events = sorted([*self._frame(score, grid), *self._notes(score, grid)])
        ticks = np.array([tick for tick, *_ in events])
        bars = np.clip(np.searchsorted(lines, ticks, side="right") - 1, 0, max(0, len(lines) - 2)).tolist()
        text = [""] * max(1, len(lines) - 1)
        now = before = 0
        for (tick, _, _, character), bar in zip(events, bars, strict=True):
            if tick > now:
                text[before] += self._wait(tick - now)
            text[bar] += character
            now, before = tick, bar
        return text

    def _wait(self, ticks: int) -> str:
        """The characters in which so many ticks pass."""
        shifts, waited = self._shifts, ""
        while ticks > 0:
            number = bisect.bisect_right(self.SHIFTS, ticks) - 1
            waited += shifts[number]
            ticks -= self.SHIFTS[number]
        return waited

    @cached_property
    def _shifts(self) -> list[str]:
        return [self.own[base] for base in self._of_kind(Kind.TIME_SHIFT)]

    def _frame(self, score: Score, grid: float) -> list[tuple[int, int, int, str]]:
        """Meters and tempos where they change, as (tick, order, order, character)."""
        meters, events = self.scheme.vocabulary.meters, []
        ids = self._of_kind(Kind.TIME_SIG)
        for signature in score.time_signatures:
            base = ids[meters.index((signature.numerator, signature.denominator))]
            events.append((round(signature.time * grid), 0, 0, self.own[base]))
        ids = self._of_kind(Kind.TEMPO)
        tempos: dict[int, int] = {0: self._tempo(120.0)}
        for tempo in sorted(score.tempos, key=lambda t: t.time):
            tempos[round(tempo.time * grid)] = self._tempo(tempo.qpm)
        before = -1
        for tick, number in sorted(tempos.items()):
            if number != before:
                events.append((tick, 1, 0, self.own[ids[number]]))
            before = number
        return events

    def _tempo(self, qpm: float) -> int:
        return int(np.abs(np.log(self.tempos / max(qpm, 1e-3))).argmin())

    def _notes(self, score: Score, grid: float) -> list[tuple[int, int, int, str]]:
        """The notes as (tick, order, pitch, character), those that begin together and sound alike once, the longest."""
        notes = score.tracks[0].notes.numpy() if len(score.tracks) else None
        if notes is None or not len(notes["time"]):
            return []
        ticks = np.rint(notes["time"] * grid).astype(np.int64)
        lengths = _nearest(np.rint(notes["duration"] * grid).astype(np.int64), np.array(self.LENGTHS))
        louds = _nearest(notes["velocity"].astype(np.int64), self.velocities)
        found: dict[tuple[int, int], tuple[int, int]] = {}
        columns = (ticks, notes["pitch"], lengths, louds)
        for tick, pitch, length, loud in zip(*(column.tolist() for column in columns), strict=True):
            if (tick, pitch) not in found or found[tick, pitch][0] < length:
                found[tick, pitch] = length, loud
        return [(tick, 2, pitch, self._character(pitch, *rest)) for (tick, pitch), rest in found.items()]

    def _character(self, pitch: int, length: int, loud: int) -> str:
        if self.LOWEST <= pitch < self.LOWEST + self.KEYS:
            return chr(_NOTES + (loud * len(self.LENGTHS) + length) * self.KEYS + pitch - self.LOWEST)
        pitches, louds, lengths = self._tables
        return self.own[pitches[pitch]] + self.own[louds[loud]] + self.own[lengths[length]]


class Theremin(Layout):
    """The layout of theremin-midi, bit for bit, in one code point a note.

    ``velocity << 18 | step << 12 | length << 7 | pitch``: velocity 1 to 3, 63 steps a second since the last note,
    lengths of 10/31 s. As there, a step over a second and a length over ten seconds are clipped, and a piece begins
    with its first note. Not as there, steps keep their time when they are read back, and a length of 0 is the shortest
    step.
    """

    TICKS = 63 * 31
    """A second, so that both grids stand on it; a quarter is a second long."""
    tempo = 60.0

    def __init__(self) -> None:
        self.velocities = np.array([42, 85, 127])
        self._steps, self._lengths = np.arange(1, 64) * 31, np.array([31, *(np.arange(1, 32) * 630)])
        self.scheme = _scheme([], self.velocities, self._lengths.tolist(), self._steps.tolist(), self.TICKS)
        first = frozenset({Kind.PITCH, Kind.TIME_SHIFT})
        self.follows = {**_FOLLOWS, Kind.SPECIAL: first}

    def note(self, code: int) -> tuple[int, ...]:
        """The base tokens of a note character."""
        velocity, step, length, pitch = code >> 18, code >> 12 & 63, code >> 7 & 31, code & 127
        if not 1 <= velocity <= 3:
            return ()
        pitches, louds, lengths, steps = self._tables
        tokens = pitches[pitch], louds[velocity - 1], lengths[length]
        return (steps[step - 1], *tokens) if step else tokens

    @cached_property
    def _tables(self) -> tuple[list[int], list[int], list[int], list[int]]:
        return (
            self._of_kind(Kind.PITCH),
            self._of_kind(Kind.VELOCITY),
            self._of_kind(Kind.DURATION),
            self._of_kind(Kind.TIME_SHIFT),
        )

    def write(self, score: Score) -> list[str]:
        """The text of ``score``, one string for every four seconds of it."""
        score = one_track(score.copy())
        notes = score.tracks[0].notes.numpy() if len(score.tracks) else None
        if notes is None or not len(notes["time"]):
            return [""]
        order = np.argsort(notes["time"], kind="stable")
        starts = seconds_at(score, notes["time"].astype(np.int64))
        lengths = (seconds_at(score, (notes["time"] + notes["duration"]).astype(np.int64)) - starts)[order]
        starts = starts[order]
        velocity = np.clip(np.rint(3 * np.round(notes["velocity"][order] / 127, 2)), 1, 3).astype(np.int64)
        steps = np.minimum(np.rint(63 * np.diff(starts, prepend=starts[0])), 63).astype(np.int64)
        length = np.minimum(np.rint(lengths / 31 * 100), 31).astype(np.int64)
        codes = velocity << 18 | steps << 12 | length << 7 | notes["pitch"][order].astype(np.int64)
        bars = np.cumsum(steps) // (63 * 4)
        text = [""] * (int(bars[-1]) + 1)
        for bar, code in zip(bars.tolist(), codes.tolist(), strict=True):
            text[bar] += chr(code)
        return text


LAYOUTS = ("rhythm", "theremin")


def layout(name: str, velocities: int) -> Layout:
    """A layout by its name.

    Raises:
        RecipeError: There is none, or it has not so many velocities.
    """
    if name not in LAYOUTS:
        raise RecipeError(f"tokenizer.layout must be one of {', '.join(LAYOUTS)}, not {name!r}")
    return Rhythm(velocities) if name == "rhythm" else Theremin()


def _scheme(
    extra: Sequence[str], velocities: NDArray[np.int64], lengths: Sequence[int], shifts: Sequence[int], ticks: int
) -> Scheme:
    """Special tokens, pitches, velocities, lengths, shifts, and ``extra`` words, on a grid of ``ticks`` a quarter."""
    words = [f"{name}_None" for name in PLAIN_SPECIALS]
    special = list(words)
    words += [f"Pitch_{pitch}" for pitch in range(128)]
    words += [f"Velocity_{velocity}" for velocity in velocities.tolist()]
    words += [f"Duration_{length}" for length in lengths]
    words += [f"TimeShift_{shift}" for shift in shifts]
    words += extra
    vocabulary = read_vocabulary(words, special)
    timing = Timing(
        clock=Clock.SHIFTS,
        ticks_per_quarter=ticks,
        ticks_per_beat=dict.fromkeys((1, 2, 4, 8, 16), ticks),
        ticks_per_position=dict.fromkeys((1, 2, 4, 8, 16), 1),
        lengths={
            (Kind.DURATION, ticks): np.array(lengths),
            (Kind.TIME_SHIFT, ticks): np.array(shifts),
            (Kind.REST, ticks): np.zeros(0, np.int64),
        },
        rest_from_note_end=False,
        default_length=0.5,
        duration_programs=frozenset(range(-1, 128)),
    )
    return Scheme(vocabulary, timing, bos=words.index("BOS_None"), eos=words.index("EOS_None"))


def _nearest(values: Ints, choices: Ints) -> Ints:
    """For each value the index of the choice that is nearest to it."""
    above = (
        np.clip(np.searchsorted(choices, values), 1, len(choices) - 1) if len(choices) > 1 else np.zeros_like(values)
    )
    below = np.maximum(above - 1, 0)
    nearer: Ints = np.where(values - choices[below] <= choices[above] - values, below, above)
    return nearer
