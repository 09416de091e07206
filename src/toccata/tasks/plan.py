"""A plan of chords under a melody: functional harmony in its key, with a cadence at the end of each phrase.

The melody is divided into slots of a beat, or of half a bar where it moves in short notes. Each slot gets a triad, a
dominant seventh or a secondary dominant: a Markov chain, with weights for how chords of a key follow one another, for
how well a chord fits the melody, and for phrase ends. Chords are drawn from it exactly (forward filtering, backward
sampling), so every seed has a plan of its own. The weights are those of textbooks of harmony in round numbers. The
pitches of the voices in each chord are written by ``partwriting.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from toccata.midi.keys import Key
from toccata.tasks.partwriting import Harmony, part_writing
from toccata.tasks.voiced import ChordSpan, Voiced
from toccata.tasks.voicing import CHOIR, ChoirVoice

Melody = Sequence[tuple[int, int, int]]
"""Start, end and pitch of the notes of a melody, by onset, one at a time."""
_LONG = 2.0
"""A note so many times as long as the median, or followed by a rest, ends a phrase."""
_OFF_BEAT, _ON_BEAT, _CLASH, _NEVER = 0.5, 0.05, 0.004, 1e-9
"""The weight of a melody note outside the chord: between beats, on one, where a slot begins; of what never happens."""
_NO_CADENCE = 0.05
"""The weight of a last chord but one that is no dominant."""
_REPEATED = 2
"""The last chord begins so many slots before the last note at most."""
_HOLD_STRONG, _HOLD_WEAK = 0.25, 0.9
"""The weight of the same chord again, where a strong beat begins and where none does."""


@dataclass(frozen=True)
class PlannedChord:
    """A chord of a key.

    Attributes:
        name: Its degree, e.g. ``V7/V``.
        root: Semitones above the tonic.
        tones: Semitones of its tones above its root: third, fifth, seventh.
        weight: How frequent it is.
        to: How it goes on: the weight of each chord that may follow, by name; others follow with a small one.
    """

    name: str
    root: int
    tones: tuple[int, ...]
    weight: float
    to: Mapping[str, float]

    def classes(self, tonic: int) -> frozenset[int]:
        """Return its pitch classes in a key."""
        return frozenset((tonic + self.root + step) % 12 for step in (0, *self.tones))


_MAJOR_TRIAD, _MINOR_TRIAD, _DIMINISHED, _SEVENTH = (4, 7), (3, 7), (3, 6), (4, 7, 10)
MAJOR: tuple[PlannedChord, ...] = (
    PlannedChord("I", 0, _MAJOR_TRIAD, 1.0,
                 {"IV": 1.2, "V": 1.3, "V7": 0.6, "vi": 0.8, "ii": 0.9, "viio": 0.3, "iii": 0.2}),
    PlannedChord("ii", 2, _MINOR_TRIAD, 0.6, {"V": 1.5, "V7": 1.5, "viio": 0.3, "I": 0.15}),
    PlannedChord("iii", 4, _MINOR_TRIAD, 0.2, {"vi": 1.2, "IV": 1.0}),
    PlannedChord("IV", 5, _MAJOR_TRIAD, 0.7, {"V": 1.1, "V7": 0.7, "I": 0.9, "ii": 0.6, "viio": 0.2}),
    PlannedChord("V", 7, _MAJOR_TRIAD, 0.9, {"I": 1.8, "vi": 0.5, "V7": 0.6}),
    PlannedChord("V7", 7, _SEVENTH, 0.5, {"I": 2.0, "vi": 0.4}),
    PlannedChord("vi", 9, _MINOR_TRIAD, 0.6, {"ii": 1.0, "IV": 1.0, "V": 0.5, "V7/V": 0.3}),
    PlannedChord("viio", 11, _DIMINISHED, 0.2, {"I": 1.8, "vi": 0.1}),
    PlannedChord("V7/V", 2, _SEVENTH, 0.15, {"V": 2.0, "V7": 0.8}),
    PlannedChord("V7/vi", 4, _SEVENTH, 0.1, {"vi": 2.0}),
    PlannedChord("V7/ii", 9, _SEVENTH, 0.08, {"ii": 2.0}),
    PlannedChord("V7/IV", 0, _SEVENTH, 0.06, {"IV": 2.0}),
)  # fmt: skip
MINOR: tuple[PlannedChord, ...] = (
    PlannedChord("i", 0, _MINOR_TRIAD, 1.0,
                 {"iv": 1.2, "V": 1.3, "V7": 0.6, "VI": 0.7, "iio": 0.5, "VII": 0.5, "viio": 0.3}),
    PlannedChord("iio", 2, _DIMINISHED, 0.4, {"V": 1.6, "V7": 1.4}),
    PlannedChord("III", 3, _MAJOR_TRIAD, 0.35, {"VI": 1.0, "iv": 0.7, "VII": 0.4}),
    PlannedChord("iv", 5, _MINOR_TRIAD, 0.7, {"V": 1.3, "V7": 0.8, "i": 0.7, "iio": 0.4}),
    PlannedChord("V", 7, _MAJOR_TRIAD, 0.9, {"i": 1.8, "VI": 0.5, "V7": 0.6}),
    PlannedChord("V7", 7, _SEVENTH, 0.5, {"i": 2.0, "VI": 0.4}),
    PlannedChord("VI", 8, _MAJOR_TRIAD, 0.5, {"iv": 0.9, "iio": 0.9, "V": 0.7, "III": 0.3}),
    PlannedChord("VII", 10, _MAJOR_TRIAD, 0.35, {"III": 1.5, "i": 0.4}),
    PlannedChord("viio", 11, _DIMINISHED, 0.25, {"i": 1.8}),
    PlannedChord("V7/iv", 0, _SEVENTH, 0.08, {"iv": 2.0}),
    PlannedChord("V7/III", 10, _SEVENTH, 0.15, {"III": 2.0}),
    PlannedChord("V7/V", 2, _SEVENTH, 0.08, {"V": 2.0}),
)  # fmt: skip
_OTHER = 0.03
"""The weight of a succession that is not listed."""


@dataclass(frozen=True)
class Slot:
    """A stretch of the melody that has one chord.

    Attributes:
        begin: Its first tick.
        end: The tick after its last.
        strong: Whether it begins on a strong beat.
        first: The pitch that sounds where it begins; None: the melody rests.
        others: The other pitches that begin in it.
        beaten: Those of them that begin on a beat.
        closes: Whether a phrase ends in it.
        last: Whether the last note of the melody sounds where it begins.
    """

    begin: int
    end: int
    strong: bool
    first: int | None
    others: tuple[int, ...]
    beaten: tuple[int, ...]
    closes: bool
    last: bool = False


def slots(melody: Melody, lines: Sequence[int], beats: Sequence[int], strong: Sequence[int]) -> list[Slot]:
    """Divide a melody into slots.

    Args:
        melody: The melody.
        lines: The tick of each bar line, and of the end.
        beats: The tick of each beat.
        strong: The ticks of the strong beats, among them all bar lines.
    """
    if not melody:
        return []
    lengths = np.array([end - start for start, end, _ in melody])
    beat = int(np.median(np.diff(np.array([*beats, lines[-1]])))) if len(beats) else 1
    edges = sorted({*(beats if np.median(lengths) >= beat else strong), lines[-1]})
    heavy, pulse = set(strong), set(beats)
    closing = _phrase_ends(melody, float(np.median(lengths)))
    found, over = [], melody[-1][1]
    edges = [tick for tick in edges if tick < over] + [over]
    for begin, end in pairwise(edges):
        sounding = [pitch for start, stop, pitch in melody if start <= begin < stop]
        inside = [(start, pitch) for start, _, pitch in melody if begin < start < end]
        others = tuple(pitch for _, pitch in inside)
        beaten = tuple(pitch for start, pitch in inside if start in pulse)
        closes = any(begin < tick <= end for tick in closing)
        last = begin >= melody[-1][0] or end == over
        first = sounding[-1] if sounding else None
        found.append(Slot(begin, end, begin in heavy, first, others, beaten, closes, last))
    return found


def _phrase_ends(melody: Melody, median: float) -> list[int]:
    """Return the ticks at which phrases end."""
    found = []
    for number, (start, end, _) in enumerate(melody):
        last = number + 1 == len(melody)
        if last or end - start >= _LONG * median or melody[number + 1][0] - end >= median:
            found.append(end)
    return found


def planned(found: Sequence[Slot], key: Key, seed: int, voices: Sequence[ChoirVoice] = CHOIR) -> Voiced:
    """Draw the chords of some slots, and write the parts of the voices in them.

    Args:
        found: The slots, in the order of time.
        key: The key of the melody.
        seed: The seed: another one, another plan.
        voices: The voices under the melody, from the highest down.

    Returns:
        The chords, voiced; consecutive slots of one chord are one, up to a strong beat on which the melody moves.
    """
    rng = np.random.default_rng([seed, 1])
    chords = MINOR if key.minor else MAJOR
    numbers = _drawn(found, chords, key.tonic, rng)
    runs = [(chords[number], run) for number, run in _runs(numbers, found)]
    harmonies = [
        # The last two chords and those of phrase ends have their roots in the bass.
        _harmony(chord, run, key.tonic, place + 2 >= len(runs) or any(slot.closes for slot in run))
        for place, (chord, run) in enumerate(runs)
    ]
    parts = part_writing(harmonies, voices, rng)
    spans = _spans([run for _, run in runs], harmonies, parts)
    return Voiced(tuple(replace(s, scale=_scale(c, key)) for s, c in zip(spans, harmonies, strict=True)), True, False)


def _scale(chord: Harmony, key: Key) -> tuple[int, ...]:
    """Return the pitch classes of passing notes: those of the key, as the chord alters them."""
    classes = set(np.flatnonzero(key.scale()).tolist())
    if key.minor:  # its seventh is raised where it is a leading note
        classes.discard((key.tonic + (10 if chord.leading == (key.tonic + 11) % 12 else 11)) % 12)
    if chord.leading is not None:
        classes.discard((chord.leading - 1) % 12)
    if len(chord.tones) > 3 and chord.tones[3] not in classes:
        classes.discard((chord.tones[3] + 1) % 12)
    return tuple(sorted(classes | set(chord.tones)))


def _runs(numbers: Sequence[int], found: Sequence[Slot]) -> list[tuple[int, list[Slot]]]:
    """Return runs of slots of one chord; a strong beat on which the melody moves on begins a new one.

    The last chord is one run: it is held.
    """
    runs: list[tuple[int, list[Slot]]] = []
    last = len(numbers)
    while last and numbers[last - 1] == numbers[-1]:
        last -= 1
    for place, (number, slot) in enumerate(zip(numbers, found, strict=True)):
        again = runs and runs[-1][0] == number
        moves = slot.strong and slot.first is not None and slot.first != runs[-1][1][-1].first if again else True
        if again and (not moves or place > last):
            runs[-1][1].append(slot)
        else:
            runs.append((number, [slot]))
    return runs


def _harmony(chord: PlannedChord, run: Sequence[Slot], tonic: int, closes: bool) -> Harmony:
    """Return the chord of some slots, to be voiced."""
    tones = tuple((tonic + chord.root + step) % 12 for step in (0, *chord.tones))
    melody = [pitch for slot in run for pitch in (slot.first, *slot.others) if pitch is not None]
    diminished, dominant = chord.tones == _DIMINISHED, chord.name == "V" or chord.name.startswith("V7")
    leading = tones[0] if chord.name == "viio" else tones[1] if dominant else None
    falling = tones[3] if len(tones) > 3 else tones[2] if diminished else None
    return Harmony(
        tones, tuple(melody), run[0].first is not None, leading, falling, closes and not diminished, diminished
    )


def _spans(
    runs: Sequence[Sequence[Slot]], harmonies: Sequence[Harmony], parts: Sequence[tuple[int, ...]]
) -> list[ChordSpan]:
    """Return chords as the voices sing them."""
    found = []
    for place, (run, chord, part) in enumerate(zip(runs, harmonies, parts, strict=True)):
        sung = chord.melody[0] if chord.sung and chord.melody else None
        span = _span(chord, part, (run[0].begin, run[-1].end), sung)
        if place + 1 < len(runs):
            span = replace(span, then=parts[place + 1])
        found.append(span)
    if found:
        found[-1] = replace(found[-1], final=True)
    return found


def _span(chord: Harmony, part: tuple[int, ...], times: tuple[int, int], sung: int | None) -> ChordSpan:
    """Return a chord as the voices sing it; what the melody sings is not needed, and is doubled last."""
    root, third, fifth, *seventh = chord.tones
    bass = part[0] % 12 if part else root
    tones = [tone for tone in (third, *seventh, root, fifth) if tone != bass]
    first = [tone for tone in tones if sung is None or tone != sung % 12]
    count = sum(tone in (third, *seventh) for tone in first)
    order = (*first, *(tone for tone in tones if tone not in first))
    return ChordSpan(*times, bass, order, count, pitch=part[0] if part else None, voices=part)


def _drawn(found: Sequence[Slot], chords: Sequence[PlannedChord], tonic: int, rng: np.random.Generator) -> list[int]:
    """Draw the number of a chord for each slot, by forward filtering and backward sampling."""
    count, names = len(chords), [chord.name for chord in chords]
    follows = np.full((count, count), _OTHER)
    for row, chord in enumerate(chords):
        for name, weight in chord.to.items():
            follows[row, names.index(name)] = weight
    follows *= np.array([chord.weight for chord in chords])
    fits = np.array([_fit(slot, chords, tonic) for slot in found])
    last = _close(found, chords[names.index("V")].classes(tonic))
    fits[last:] *= _closing(names, final=True)
    if last:
        fits[last - 1] *= np.where(np.isin(names, ("V", "V7")), 1.0, _NO_CADENCE)
    forward = np.zeros((len(found), count))
    steps: list[NDArray[np.float64]] = []
    for place, slot in enumerate(found):
        here = fits[place] * (_closing(names, final=False) if slot.closes else 1.0)
        if place == 0:
            first = np.array([1.0 if name in (names[0], "V") else 0.2 for name in names])
            forward[0] = here * first * [chord.weight for chord in chords]
        else:
            move = follows / follows.sum(axis=1, keepdims=True)
            np.fill_diagonal(move, _HOLD_STRONG if slot.strong else _HOLD_WEAK)
            steps.append(move)
            forward[place] = here * (forward[place - 1] @ move)
        forward[place] /= max(float(forward[place].sum()), _NEVER)
    numbers = [_pick(forward[-1], rng)]
    for place in range(len(found) - 2, -1, -1):
        numbers.insert(0, _pick(forward[place] * steps[place][:, numbers[0]], rng))
    return numbers


def _close(found: Sequence[Slot], dominant: frozenset[int]) -> int:
    """Return the number of the slot in which the last chord begins.

    It is the one of the last note, or of the same pitch right before it, under which no dominant fits.
    """
    place = last = next(number for number, slot in enumerate(found) if slot.last)
    final = found[last].first
    while place and last - place < _REPEATED and final is not None and final % 12 not in dominant:
        if found[place - 1].first != final or any(pitch != final for pitch in found[place - 1].others):
            break
        place -= 1
    return place


def _fit(slot: Slot, chords: Sequence[PlannedChord], tonic: int) -> NDArray[np.float64]:
    """Return how well each chord fits the melody of a slot, ``float64[C]``."""
    out = np.ones(len(chords))
    for number, chord in enumerate(chords):
        classes = chord.classes(tonic)
        if slot.first is not None and slot.first % 12 not in classes:
            out[number] *= _CLASH
        for pitch in slot.others:
            out[number] *= 1.0 if pitch % 12 in classes else _OFF_BEAT
        for pitch in slot.beaten:
            out[number] *= 1.0 if pitch % 12 in classes else _ON_BEAT / _OFF_BEAT
    return out


def _closing(names: Sequence[str], *, final: bool) -> NDArray[np.float64]:
    """Return how well each chord ends a phrase, or the piece, ``float64[C]``."""
    if final:
        return np.array([1.0 if name == names[0] else 1e-4 for name in names])
    ends = {names[0]: 1.0, "V": 0.6, "vi": 0.1, "VI": 0.1, "III": 0.2}
    return np.array([ends.get(name, 0.02) for name in names])


def _pick(weights: NDArray[np.float64], rng: np.random.Generator) -> int:
    total = float(weights.sum())
    return int(rng.choice(len(weights), p=weights / total)) if total > 0 else 0
