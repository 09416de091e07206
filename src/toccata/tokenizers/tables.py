"""Lookup tables of a tokenizer, from pitches, velocities, lengths and tempos to ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers import words as vocabulary
from toccata.tokenizers.quantise import Ints, nearest
from toccata.tokenizers.settings import Settings
from toccata.tokenizers.vocabulary import DRUMS

NONE = -1
"""The entry for values without a token."""
_REMEMBERED = 4096
"""Waits whose tokens are remembered."""
_PITCHES = range(128)


class Lengths(NamedTuple):
    """The lengths that tokens of one kind stand for, at so many ticks a beat.

    Attributes:
        ticks: In the order of the vocabulary.
        tokens: The token that is written for each; of those that stand for the same ticks, the last.
    """

    ticks: Ints
    tokens: Ints


class Tables:
    """Lookups from what music says to base tokens; -1 where there is no token."""

    def __init__(self, settings: Settings, words: Mapping[str, int]) -> None:
        self.settings, self.words = settings, words
        drums = settings.use_pitchdrum_tokens
        note, off = ("NoteOn", "NoteOff") if settings.note_off else ("Pitch", "")
        drum, drum_off = ("DrumOn", "DrumOff") if settings.note_off else ("PitchDrum", "")
        self.pitch = (self._column(note, _PITCHES), self._column(drum if drums else note, _PITCHES))
        self.note_off = (self._column(off, _PITCHES), self._column(drum_off if drums else off, _PITCHES))
        self.program = self._programs("Program")
        self.pedal, self.pedal_off = self._programs("Pedal"), self._programs("PedalOff")
        self.velocities = vocabulary.velocities(settings).astype(np.int64)
        found = nearest(self.velocities, np.arange(128))
        self.velocity = self._column("Velocity", self.velocities[found].tolist())
        self.quantised_velocity = self.velocities[found]
        self.bends = vocabulary.bends(settings).astype(np.int64)
        self.bend = self._column("PitchBend", self.bends.tolist())
        self._lengths: dict[tuple[str, int], Lengths] = {}
        self._waits: dict[tuple[str, int, int], tuple[Ints, Ints]] = {}
        self._set_tempos()

    def id(self, word: str) -> int:
        """The id of a word, -1 if there is none."""
        return self.words.get(word, NONE)

    def _column(self, name: str, values: range | list[int]) -> Ints:
        return np.array([self.id(f"{name}_{value}") for value in values], np.int64)

    def _programs(self, name: str) -> Ints:
        """By program, the drums 128."""
        return self._column(name, [*range(DRUMS), -1])

    def _set_tempos(self) -> None:
        """Tempos are compared as microseconds a quarter, as MIDI has them."""
        settings = self.settings
        if not settings.use_tempos:
            return
        tempos = vocabulary.tempos(settings)
        slowest_last = 60_000_000 / tempos[::-1]
        self.tempo_lengths: NDArray[np.float64] = np.sort(slowest_last)
        whole = self.tempo_lengths.astype(np.int64)
        rounded = [f"Tempo_{round(60_000_000 / length, 2)}" for length in whole.tolist()]
        named = [f"Tempo_{tempo}" for tempo in tempos[::-1]]
        self.tempo = np.array([self.words.get(a, self.id(b)) for a, b in zip(rounded, named, strict=True)], np.int64)
        usual = float(tempos[np.argmin(np.abs(tempos - 120))])
        self.default_tempo = self.id(f"Tempo_{usual}")
        self.is_default = np.array([60_000_000 / length == usual for length in whole.tolist()])

    def lengths(self, kind: str, beat: int) -> Lengths:
        """The lengths of ``Duration``, ``TimeShift`` or ``Rest`` tokens at ``beat`` ticks a beat."""
        if (kind, beat) not in self._lengths:
            ranges = self.settings.beat_res_rest if kind == "Rest" else self.settings.beat_res
            made = vocabulary.lengths(ranges)
            ticks = [vocabulary.ticks(length, beat) for length in made]
            tokens = [self.id(f"{kind}_{'.'.join(map(str, length))}") for length in made]
            if kind == "Duration" or self.settings.scheme == "Structured":
                last = {vocabulary.ticks(length, beat): length for length in dict.fromkeys(made)}
                tokens = [self.id(f"{kind}_{'.'.join(map(str, last[tick]))}") for tick in ticks]
            self._lengths[kind, beat] = Lengths(np.array(ticks, np.int64), np.array(tokens, np.int64))
        return self._lengths[kind, beat]

    def wait(self, kind: str, beat: int, ticks: int) -> tuple[Ints, Ints]:
        """The ``TimeShift`` or ``Rest`` tokens in which ``ticks`` pass, longest first, and the ticks of each.

        What is shorter than the shortest of them is left over.
        """
        key = (kind, beat, ticks)
        if key not in self._waits:
            if len(self._waits) >= _REMEMBERED:
                self._waits.clear()
            self._waits[key] = self._waited(kind, beat, ticks)
        return self._waits[key]

    def _waited(self, kind: str, beat: int, ticks: int) -> tuple[Ints, Ints]:
        lengths, tokens = self.lengths(kind, beat)
        least, last = max(1, int(lengths[0])), len(lengths) - 1
        which: list[int] = []
        counts: list[int] = []
        while ticks >= least:
            index = int(np.flatnonzero(lengths <= ticks)[-1])
            count = ticks // max(1, int(lengths[index])) if index == last else 1
            which.append(index)
            counts.append(count)
            ticks -= count * max(1, int(lengths[index]))
        return np.repeat(tokens[which], counts), np.repeat(lengths[which], counts)

    def key(self, key: int, mode: int) -> int:
        """The token of a key signature."""
        return self.id(f"KeySig_{key}:{mode}")

    def meter(self, beats: int, unit: int) -> int:
        """The token of a meter."""
        return self.id(f"TimeSig_{beats}/{unit}")

    def control_values(self, number: int) -> Ints:
        """The values of a controller that there are tokens for, ascending."""
        return vocabulary.control_values(self.settings, number).astype(np.int64)

    def control(self, number: int, value: int) -> int:
        """The token of a controller's value."""
        return self.id(f"ControlChange_{number}-{value}")
