"""The base vocabulary that settings make: the words, in the order of their ids, and the values behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.checks import Range
from toccata.tokenizers.settings import Settings

Length = tuple[int, int, int]
"""Beats, steps, and steps a beat: ``(2, 5, 8)`` is two beats and five eighths of one."""
PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
UNKNOWN_CHORD = "ukn"
"""The prefix of the names of chords that are not in the settings."""
CONTINUOUS = frozenset({1, 2, 4, 5, 7, 8, 10, 11, 64, 67, *range(71, 79), *range(91, 96)})
"""Controllers whose values lie on a scale, and are rounded to ``control_change_n_bins`` of them."""
SWITCHES = frozenset({65, 66, 68, 69, 122})
"""Controllers that are on or off."""


def base_words(settings: Settings) -> list[str]:
    """The words of the base vocabulary, special tokens first; a word's place is its id."""
    return list(dict.fromkeys([*settings.special_tokens, *_of_scheme(settings), *_optional(settings)]))


def lengths(ranges: Iterable[Range]) -> list[Length]:
    """The lengths that ranges of beats make, without one of nothing."""
    known = list(ranges)
    made = [(beat, step, steps) for (low, high), steps in known for beat in range(low, high) for step in range(steps)]
    (last, _), longest = max(known)[0], max(max(span) for span, _ in known)
    steps = next(steps for (low, _), steps in known if low == last)
    return [*made[1:], (longest, 0, steps)]


def ticks(length: Length, ticks_per_beat: int) -> int:
    """A length in ticks, rounded down."""
    beats, step, steps = length
    return (beats * steps + step) * ticks_per_beat // steps


def velocities(settings: Settings) -> NDArray[np.intc]:
    """The velocities there are tokens for, ascending."""
    return np.linspace(0, 127, settings.num_velocities + 1, dtype=np.intc)[1:]


def tempos(settings: Settings) -> NDArray[np.float64]:
    """The tempos there are tokens for, in quarters a minute, ascending."""
    spaced = np.geomspace if settings.log_tempos else np.linspace
    found: NDArray[np.float64] = spaced(*settings.tempo_range, settings.num_tempos).round(2)
    return found


def bends(settings: Settings) -> NDArray[np.int32]:
    """The pitch bends there are tokens for, ascending."""
    return np.linspace(*settings.pitch_bend_range, dtype=np.int32)


def control_values(settings: Settings, number: int) -> NDArray[np.intc]:
    """The values of a controller that there are tokens for, ascending."""
    if number in CONTINUOUS:
        return np.rint(np.linspace(0, 127, settings.control_change_n_bins)).astype(np.intc)
    return np.array([0, 127], np.intc) if number in SWITCHES else np.arange(128, dtype=np.intc)


def _of_scheme(settings: Settings) -> Iterator[str]:
    """Notes and time."""
    scheme, note_off = settings.scheme, settings.note_off
    timed = [".".join(map(str, length)) for length in lengths(settings.beat_res)]
    low, high = settings.pitch_range
    if settings.bar_lines:
        yield "Bar_None"
    yield from (f"{'NoteOn' if note_off else 'Pitch'}_{pitch}" for pitch in range(low, high + 1))
    with_length = bool(settings.use_note_duration_programs)
    if note_off and with_length:
        yield from (f"NoteOff_{pitch}" for pitch in range(low, high + 1))
    if settings.use_velocities:
        yield from (f"Velocity_{velocity}" for velocity in velocities(settings))
    if (with_length and not note_off) or settings.sustain_pedal_duration:
        yield from (f"Duration_{length}" for length in timed)
    if settings.bar_lines:
        most = max(beats for beats, _ in settings.meters)
        yield from (f"Position_{i}" for i in range(settings.positions_per_beat * most))
    else:
        if scheme == "Structured":
            yield "TimeShift_0.0.1"  # of nothing
        yield from (f"TimeShift_{length}" for length in timed)


def _optional(settings: Settings) -> Iterator[str]:
    """What can be switched on and off."""
    if settings.use_pitch_intervals:
        most = settings.max_pitch_interval
        for name in ("PitchIntervalTime", "PitchIntervalChord"):
            yield from (f"{name}_{interval}" for interval in range(-most, most + 1))
    if settings.use_pitchdrum_tokens:
        low, high = settings.drums_pitch_range
        for name in ("DrumOn", "DrumOff") if settings.note_off else ("PitchDrum",):
            yield from (f"{name}_{pitch}" for pitch in range(low, high + 1))
    if settings.use_chords:
        yield from _chords(settings)
    if settings.use_rests:
        yield from (f"Rest_{'.'.join(map(str, rest))}" for rest in lengths(settings.beat_res_rest))
    if settings.use_tempos:
        yield from (f"Tempo_{tempo}" for tempo in tempos(settings))
    if settings.use_programs:
        yield from (f"Program_{program}" for program in settings.programs)
    if settings.use_time_signatures:
        yield from (f"TimeSig_{beats}/{unit}" for beats, unit in settings.meters)
    if settings.use_key_signatures:
        yield from (f"KeySig_{key}:{mode}" for key in range(-7, 8) for mode in (0, 1))
    if settings.use_sustain_pedals:
        programs = settings.programs if settings.use_programs else (0,)
        for name in ("Pedal",) if settings.sustain_pedal_duration else ("Pedal", "PedalOff"):
            yield from (f"{name}_{program}" for program in programs)
    if settings.use_pitch_bends:
        yield from (f"PitchBend_{bend}" for bend in bends(settings))
    if settings.use_control_changes:
        for number in settings.control_change_numbers:
            yield from (f"ControlChange_{number}-{value}" for value in control_values(settings, number))


def _chords(settings: Settings) -> Iterator[str]:
    names = list(settings.chord_maps)
    sizes = [] if settings.chord_unknown is None else [str(size) for size in range(*settings.chord_unknown)]
    if settings.chord_tokens_with_root_note:
        for name in (*names, *(f"{UNKNOWN_CHORD}{size}" for size in sizes)):
            yield from (f"Chord_{root}:{name}" for root in PITCH_CLASSES)
    else:
        yield from (f"Chord_{name}" for name in (*names, *sizes))
