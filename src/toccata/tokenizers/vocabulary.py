"""The meaning of each base token of an event tokenizer, as numbers a grammar can compute with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, auto
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.tempos import usual_tempos

DRUMS = 128
"""The index of the drums where programs are indexed 0..127."""


class Kind(IntEnum):
    """The kind of a base token. The names are those of MidiTok, where drums and pitched notes share a kind."""

    SPECIAL = 0
    BAR = auto()
    TIME_SIG = auto()
    POSITION = auto()
    TIME_SHIFT = auto()
    REST = auto()
    TEMPO = auto()
    KEY_SIG = auto()
    CHORD = auto()
    PROGRAM = auto()
    PITCH = auto()
    NOTE_ON = auto()
    NOTE_OFF = auto()
    INTERVAL_TIME = auto()
    INTERVAL_CHORD = auto()
    VELOCITY = auto()
    DURATION = auto()
    PEDAL = auto()
    PEDAL_OFF = auto()
    PITCH_BEND = auto()
    CONTROL = auto()
    CODE = auto()


KINDS: dict[str, Kind] = {
    "Bar": Kind.BAR,
    "TimeSig": Kind.TIME_SIG,
    "Position": Kind.POSITION,
    "TimeShift": Kind.TIME_SHIFT,
    "Rest": Kind.REST,
    "Tempo": Kind.TEMPO,
    "KeySig": Kind.KEY_SIG,
    "Chord": Kind.CHORD,
    "Program": Kind.PROGRAM,
    "Pitch": Kind.PITCH,
    "PitchDrum": Kind.PITCH,
    "NoteOn": Kind.NOTE_ON,
    "DrumOn": Kind.NOTE_ON,
    "NoteOff": Kind.NOTE_OFF,
    "DrumOff": Kind.NOTE_OFF,
    "PitchIntervalTime": Kind.INTERVAL_TIME,
    "PitchIntervalChord": Kind.INTERVAL_CHORD,
    "Velocity": Kind.VELOCITY,
    "Duration": Kind.DURATION,
    "Pedal": Kind.PEDAL,
    "PedalOff": Kind.PEDAL_OFF,
    "PitchBend": Kind.PITCH_BEND,
    "ControlChange": Kind.CONTROL,
    "Code": Kind.CODE,
}
DRUM_TYPES = frozenset({"PitchDrum", "DrumOn", "DrumOff"})


@dataclass(frozen=True)
class Vocabulary:
    """The base tokens of an event tokenizer, V of them.

    Attributes:
        words: The tokens as MidiTok writes them, ``"Pitch_60"``.
        kinds: ``int8[V]``, each token's :class:`Kind`.
        values: ``int32[V]``: pitch, program (drums 128), position, velocity, tempo in thousandths of a quarter a
            minute (a usual one where the token stands for one, see ``tempos.py``), index of the meter, the control's
            number, or an interval; 0 where the kind says all.
        drums: ``bool[V]``, tokens for drum notes alone.
        meters: The meters that ``values`` of TIME_SIG tokens count.
        of_kind: The ids of each kind, ascending in value.
    """

    words: tuple[str, ...]
    kinds: NDArray[np.int8]
    values: NDArray[np.int32]
    drums: NDArray[np.bool_]
    meters: tuple[tuple[int, int], ...]
    of_kind: Mapping[Kind, NDArray[np.intp]] = field(repr=False)

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def specials(self) -> Mapping[str, int]:
        """The ids of the special tokens by their names: BOS, FILL, DENSITY3."""
        ids = np.flatnonzero(self.kinds == Kind.SPECIAL).tolist()
        return {self.words[i].removesuffix("_None"): i for i in ids}

    def times(self, kind: Kind) -> list[str]:
        """The values of a kind that counts time (``"beats.steps.steps_a_beat"``), in the order of ``of_kind``."""
        return [self.words[i].split("_", 1)[1] for i in self.of_kind[kind]]


def read_vocabulary(words: Sequence[str], specials: Sequence[str]) -> Vocabulary:
    """Make sense of MidiTok's base vocabulary, given in the order of the ids."""
    kinds = np.zeros(len(words), np.int8)
    values = np.zeros(len(words), np.int32)
    drums = np.zeros(len(words), np.bool_)
    meters: list[tuple[int, int]] = []
    special = set(specials)
    for i, word in enumerate(words):
        name, _, value = word.partition("_")
        if word in special or name not in KINDS:
            continue
        kind = KINDS[name]
        kinds[i] = kind
        drums[i] = name in DRUM_TYPES
        if kind is Kind.TIME_SIG:
            numerator, _, denominator = value.partition("/")
            meters.append((int(numerator), int(denominator)))
            values[i] = len(meters) - 1
        elif kind is Kind.TEMPO:
            values[i] = round(float(value) * 1000)
        elif kind in (Kind.PROGRAM, Kind.PEDAL, Kind.PEDAL_OFF):
            # Without programs MidiTok writes one pedal token whose value is 0.
            values[i] = DRUMS if value == "-1" else int(value) if value.isdigit() else 0
        elif kind is Kind.CONTROL:
            values[i] = int(value.split("-")[0])
        elif kind not in (Kind.BAR, Kind.TIME_SHIFT, Kind.REST, Kind.DURATION, Kind.CHORD, Kind.KEY_SIG):
            values[i] = int(value)
    tempos = np.flatnonzero(kinds == Kind.TEMPO)
    values[tempos] = usual_tempos(values[tempos])
    of_kind = {}
    for kind in Kind:
        ids = np.flatnonzero(kinds == kind)
        of_kind[kind] = ids[np.argsort(values[ids], kind="stable")]
    return Vocabulary(tuple(words), kinds, values, drums, tuple(meters), of_kind)


def read_words(words: Sequence[str]) -> Vocabulary:
    """Make sense of the words of a saved tokenizer: those without a value are special tokens, but for the bar line."""
    return read_vocabulary(words, [word for word in words if word.endswith("_None") and word != "Bar_None"])
