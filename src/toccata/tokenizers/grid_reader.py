"""The features of a grid token by token, for sequences that are being written: the numbers of ``GridFeatures.of``."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from toccata.tokenizers.grid_features import (
    AGO,
    FAR,
    FROM_HERE,
    LEAP,
    LINES,
    LONGEST,
    MATCHES,
    NEAR,
    NOTHING,
    PERIODS,
    RECENT,
    REST,
    STILL,
    WIDE,
    GridFeatures,
)
from toccata.tokenizers.matches import History


@dataclass
class _Line:
    """One voice, as far as it is written.

    Attributes:
        pitches: One a step.
        runs: Pitch and first step of its notes and rests, the last three of them.
        rhythm: Whether it moved, at each of the last steps that are complete, as bits.
        moved: Whether it moved at the last step that it is written for.
        history: Its pitches, and what followed the same before.
        after: What followed, for each of ``LINES``.
    """

    pitches: list[int] = field(default_factory=list)
    runs: tuple[tuple[int, int], ...] = ()
    rhythm: int = 0
    moved: bool = False
    history: History = field(default_factory=lambda: History(LINES))
    after: tuple[int, ...] = (NOTHING,) * len(LINES)

    def add(self, pitch: int) -> None:
        """Write the next step."""
        self.moved = not self.runs or self.runs[-1][0] != pitch
        if self.moved:
            self.runs = (*self.runs[-2:], (pitch, len(self.pitches)))
        self.pitches.append(pitch)
        self.after = tuple([NOTHING if found is None else found for found in self.history.add(pitch)])

    def held(self) -> int:
        """For how many steps the last pitch has lasted."""
        return min(len(self.pitches) - self.runs[-1][1], LONGEST) if self.runs else 0

    def run(self, back: int) -> tuple[int, int]:
        """Pitch and first step of the run so many before the last."""
        return self.runs[-1 - back] if len(self.runs) > back else (NOTHING, 0)

    def copy(self) -> _Line:
        """One that goes on from here by itself."""
        return _Line(self.pitches.copy(), self.runs, self.rhythm, self.moved, self.history.copy(), self.after)


class GridReader:
    """Reads one sequence token by token."""

    def __init__(self, features: GridFeatures) -> None:
        self._features, self._layout = features, features.layout
        self._offsets: list[int] = features.offsets.tolist()
        self._rank = np.argsort(features.layout.order).tolist()
        self._lines = [_Line() for _ in range(features.layout.voices)]
        self._step = self._turn = 0
        self._chord = 0
        self._history = History(MATCHES)
        self._after: tuple[int, ...] = (NOTHING,) * len(MATCHES)
        self._cells: list[int] = []
        self._counts, self._recent = [0] * 12, [0] * 12  # of pitch classes, the second over the last steps
        self._key = self._present = 0
        self._rhythm = 0  # of all voices together
        self._moving = 0  # the last step at which a voice moved
        self._rest, self._together = -FAR, 0

    def copy(self) -> GridReader:
        """One that goes on from here by itself."""
        made = object.__new__(GridReader)
        made.__dict__.update(self.__dict__)
        made._lines = [line.copy() for line in self._lines]
        made._history = self._history.copy()
        for name in ("_cells", "_counts", "_recent"):
            setattr(made, name, getattr(self, name).copy())
        return made

    def read(self, token: int) -> None:
        """Read the next token."""
        layout = self._layout
        first = layout.rest + 1 + layout.keys
        if token >= first:
            self._chord = 1 + token - first
        elif token >= layout.rest:
            self._write(REST if token == layout.rest else token - layout.rest + layout.lowest)

    def _write(self, pitch: int) -> None:
        """Write the next cell."""
        voices = self._layout.voices
        self._lines[self._layout.order[self._turn]].add(pitch)
        found = self._history.add(pitch * voices + self._turn)
        self._after = tuple([NOTHING if word is None else word // voices for word in found])
        self._count(pitch)
        self._turn += 1
        if self._turn == voices:
            self._end_step()

    def _count(self, pitch: int) -> None:
        """Count the pitch class of a cell for the keys."""
        self._cells.append(pitch)
        back = len(self._cells) - 1 - NEAR * self._layout.voices
        gone = self._cells[back] if back >= 0 else REST
        for change, one, counts in ((1, pitch, self._counts), (1, pitch, self._recent), (-1, gone, self._recent)):
            if one < REST:
                counts[(one - 1) % 12] += change
        profiles = self._features.profiles
        self._key, self._present = (
            1 + int((profiles @ counts).argmax()) if any(counts) else 0 for counts in (self._counts, self._recent)
        )

    def _end_step(self) -> None:
        moved = [line.moved for line in self._lines]
        for line in self._lines:
            line.rhythm = (line.rhythm << 1 | line.moved) & ((1 << RECENT) - 1)
        self._rhythm = (self._rhythm << 1 | any(moved)) & ((1 << RECENT) - 1)
        if any(moved):
            self._moving = self._step
        if self._step - self._moving + 1 >= STILL:
            self._rest = self._step
        if all(moved):
            self._together = self._step
        self._turn, self._chord = 0, 0
        self._step += 1

    @property
    def rows(self) -> list[int]:
        """The rows of the table at the token that was read last, one for each column."""
        values = self._values()
        columns = zip(self._features.blocks, self._offsets, strict=True)
        return [offset + values[name] for (name, _), offset in columns]

    def _values(self) -> dict[str, int]:
        """Each feature by name."""
        voices, cycle = self._layout.voices, self._layout.cycle
        voice, step = self._layout.order[self._turn], self._step
        line = self._lines[voice]
        own, begin = line.run(0)
        before, begin_before = line.run(1)
        values = {
            "place": voice + voices * (step % cycle),
            "own": own,
            "own held": line.held(),
            "own before": before,
            "own before that": line.run(2)[0],
            "length before": min(begin - begin_before, LONGEST) if before else 0,
            "own step": _interval(own, before, LEAP),
            "own degree": _degree(own, self._key),
            "present degree": _degree(own, self._present),
            "tonic": own - (own - self._key) % 12 if _degree(own, self._key) else NOTHING,
            "present tonic": own - (own - self._present) % 12 if _degree(own, self._present) else NOTHING,
            "own rhythm": voice << RECENT | line.rhythm,
            "rhythm": voice << RECENT | self._rhythm,
            "still": min(step - self._moving, LONGEST) if step else 0,
            "since still": min(step - 1 - self._rest, FAR - 1) + 1 if step else 0,
            "since all": min(step - self._together, LONGEST) if step else 0,
        }
        values |= self._voices(own, voice)
        values |= {f"{ago} ago": line.pitches[step - ago] if step >= ago else NOTHING for ago in AGO}
        values |= {f"after {length}": guess for length, guess in zip(MATCHES, self._after, strict=True)}
        values |= {f"own after {length}": guess for length, guess in zip(LINES, line.after, strict=True)}
        values |= {f"{name}, from here": _interval(values[name], own, LEAP) for name in FROM_HERE}
        values |= {f"of {period}": voice + voices * (step % period) for period in PERIODS}
        if self._layout.chords:
            near = 1 + (self._chord - 1) // 12 * 12 + (self._chord - own) % 12
            rooted = 1 <= self._chord <= 48 and 1 <= own < REST
            values["chord"] = voice * (1 + self._layout.chords) + self._chord
            values["chord from here"] = near if rooted else 0
        return values

    def _voices(self, own: int, next_voice: int) -> dict[str, int]:
        """What each voice does, and all of them together."""
        values: dict[str, int] = {}
        classes = harmony = 0
        written = moved = next_voice << self._layout.voices
        is_own = 1 <= own < REST
        for number, line in enumerate(self._lines):
            pitch, is_written = line.run(0)[0], self._rank[number] < self._turn
            was = line.pitches[self._step - 1] if self._step else NOTHING
            values[f"voice {number + 1}"], values[f"held {number + 1}"] = pitch, line.held()
            values[f"above {number + 1}"] = _interval(pitch, own, WIDE)
            values[f"step {number + 1}"] = 1 + _interval(pitch, was, LEAP) if is_written else 0
            values[f"degree {number + 1}"] = _degree(pitch, self._key)
            if 1 <= pitch < REST:
                classes |= is_own << (pitch - own) % 12
                harmony |= 1 << (pitch - self._key) % 12  # where a pitch sounds, there is a key
            if is_written:
                written |= 1 << number
                moved |= line.moved << number
        return {**values, "classes": classes, "harmony": harmony, "written": written, "moved": moved}


def _interval(pitch: int, base: int, most: int) -> int:
    """The interval from ``base`` to ``pitch``, from 1; 0: one of them is no pitch."""
    if not (1 <= pitch < REST and 1 <= base < REST):
        return 0
    return 1 + most + min(max(pitch - base, -most), most)


def _degree(pitch: int, key: int) -> int:
    """Semitones from the tonic up to a pitch, from 1, in minor from 13; 0: there is no pitch, or no key."""
    if not (key and 1 <= pitch < REST):
        return 0
    return 1 + (key - 1) // 12 * 12 + (pitch - key) % 12
