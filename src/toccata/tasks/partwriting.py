"""Part-writing: the pitches of all voices of a chord progression under a melody, chosen together.

The voicings of each chord are enumerated, and the cheapest path through them is found by dynamic programming
(Viterbi). A voicing costs what it lacks, what it doubles and how its voices are spaced; going on to the next one costs
the steps and leaps of the voices, parallel fifths and octaves between any two of them or with the melody, and leading
notes and sevenths that are not resolved. The rules are those of textbooks of four-part writing, the weights round
numbers; a little chance on each voicing makes every seed's path its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from toccata.tasks.voicing import CHOIR, ChoirVoice

Pitches = NDArray[np.int64]
"""The voicings of a chord, ``int64[n, voices]``, from the lowest voice up."""
Costs = NDArray[np.float64]

BASS, HOMES = (40, 60), {"Alto": 65, "Tenor": 57, "Bass": 50}
"""The range of the bass, smaller than what is sung, and about where each voice is."""
_OCTAVE, _PERFECT = 12, (0, 7)
_CHANCE = 1.0
"""What chance adds at most to a voicing."""
_NO_THIRD, _NO_SEVENTH, _NO_ROOT, _NO_FIFTH = 4.0, 3.0, 2.5, 0.4
_TENDENCY_TWICE, _THIRD_TWICE, _FIFTH_TWICE = 6.0, 0.6, 0.3
"""What it costs to double a leading note or a seventh, a third, a fifth."""
_INVERTED = 0.5
"""What a third in the bass costs."""
_WIDE, _WIDER, _LOW_CLUSTER = 6.0, 0.4, 1.0
"""What a gap of more than an octave between upper voices costs, each semitone more, and a close interval low down."""
_RUBS, _RUBS_LATER, _CUT_SHORT = 2.0, 0.6, 2.5
"""What a semitone beside the melody costs where a chord begins, and later, and a note to which the melody descends."""
_PARALLEL, _CONTRARY, _DIRECT, _ALL_ALONG, _OVERLAP = 12.0, 1.0, 1.0, 0.8, 0.5
"""What fifths or octaves in similar motion cost, in contrary motion, reached by the outer voices in similar motion with
a leap of the melody, all voices in one direction, and a voice beyond where its neighbour was."""
_UNRESOLVED, _UNRESOLVED_INSIDE = 2.0, 0.9
"""What a leading note or a seventh that is not resolved costs in an outer voice, and inside."""
_STEPS = np.array([0.1, 0.2, 0.2, 0.5, 0.6, 1.0, 2.5, 1.8, *[4.0] * 4, 4.0, *[8.0] * 115])
_BASS_STEPS = np.array([0.8, 0.3, 0.3, 0.7, 0.8, 1.2, 2.0, 1.2, *[6.0] * 4, 2.0, *[8.0] * 115])
"""What moving by so many semitones costs."""


@dataclass(frozen=True)
class Harmony:
    """A chord to be voiced, and the melody above it.

    Attributes:
        tones: Its pitch classes: root, third, fifth and perhaps seventh.
        melody: The pitches of the melody while it lasts, in the order of time; none: it rests.
        sung: Whether the first of them sounds where the chord begins.
        leading: The pitch class that rises by a semitone into the next chord; None: none does.
        falling: The pitch class that falls by a step into the next chord; None: none does.
        root_position: Whether its root must be in the bass.
        inverted: Whether its third must be.
    """

    tones: tuple[int, ...]
    melody: tuple[int, ...]
    sung: bool = True
    leading: int | None = None
    falling: int | None = None
    root_position: bool = False
    inverted: bool = False


def part_writing(
    chords: Sequence[Harmony], voices: Sequence[ChoirVoice], rng: np.random.Generator
) -> list[tuple[int, ...]]:
    """Return the pitches of the voices in each chord, from the lowest up.

    Args:
        chords: The chords.
        voices: The voices from the highest down. Where a melody leaves no room for all, the highest are silent.
        rng: Makes the chance.
    """
    found = [_voicings(chord, voices) for chord in chords]
    total, backs = np.zeros(1), []
    for place, (chord, now) in enumerate(zip(chords, found, strict=True)):
        own = _own_costs(chord, now, voices) + rng.random(len(now)) * _CHANCE
        if place:
            moves = total[:, None] + _move_costs(chords[place - 1], chord, found[place - 1], now, voices)
            backs.append(moves.argmin(axis=0))
            total = moves.min(axis=0) + own
        else:
            total = own
    path = [int(total.argmin())] if chords else []
    for back in reversed(backs):
        path.insert(0, int(back[path[0]]))
    return [tuple(now[number].tolist()) for now, number in zip(found, path, strict=True)]


def leads_in_parallel(then: int, others: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Return the pitches from which a voice would go in parallel fifths or octaves with another one, ``bool[128]``.

    Args:
        then: The pitch to which it goes.
        others: The pitch of each of the others, and the one to which it goes at the same time.
    """
    found, pitches = np.zeros(128, np.bool_), np.arange(128)
    for before, after in others:
        gap = abs(then - after) % _OCTAVE
        if gap in _PERFECT:
            same = ((pitches > before) == (then > after)) & (abs(pitches - before) % _OCTAVE == gap)
            found |= same & ((then - pitches) * (after - before) > 0)
    return found


def _voicings(chord: Harmony, voices: Sequence[ChoirVoice]) -> Pitches:
    """Return all voicings below the melody; of fewer voices where there is none, from the lowest up."""
    ceiling = chord.melody[0] if chord.melody else 128
    for count in range(len(voices), 0, -1):
        lines = []
        for voice in reversed(voices[len(voices) - count :]):
            pitches = np.arange(voice.low, min(voice.high, ceiling - 1) + 1)
            lines.append(pitches[np.isin(pitches % _OCTAVE, chord.tones)])
        if voices[-1] == CHOIR[-1]:
            low = chord.tones[1] if chord.inverted else chord.tones[0]
            classes = (low,) if chord.root_position or chord.inverted else chord.tones[:2]
            lines[0] = lines[0][np.isin(lines[0] % _OCTAVE, classes) & (lines[0] <= BASS[1])]
        every = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, count)
        found: Pitches = every[(np.diff(every, axis=1) > 0).all(axis=1)]
        if len(found):
            return found
    return np.zeros((1, 0), np.int64)


def _own_costs(chord: Harmony, pitches: Pitches, voices: Sequence[ChoirVoice]) -> Costs:
    """Return what each voicing costs by itself, ``float64[n]``."""
    cost = np.zeros(len(pitches))
    count = pitches.shape[1]
    if not count:
        return cost
    names = [voice.name for voice in reversed(voices)][:count]
    cost += (abs(pitches - [HOMES[name] for name in names]) / 20).sum(axis=1)
    heard = pitches
    if chord.melody and chord.sung:
        heard = np.concatenate([pitches, np.full((len(pitches), 1), chord.melody[0])], axis=1)
    for sung in set(chord.melody):
        rubs = np.isin((pitches - sung) % _OCTAVE, (1, _OCTAVE - 1)).sum(axis=1)
        cost += rubs * (_RUBS if chord.sung and sung == chord.melody[0] else _RUBS_LATER)
    if chord.melody:
        cost += _CUT_SHORT * (pitches >= min(chord.melody)).sum(axis=1)
    cost += _content(chord, heard) + _spacing(heard, names[0] == CHOIR[-1].name)
    if names[0] == CHOIR[-1].name and not chord.inverted:
        cost += _INVERTED * (pitches[:, 0] % _OCTAVE != chord.tones[0])
    return cost


def _content(chord: Harmony, heard: Pitches) -> Costs:
    """Return what each voicing costs for the tones that it lacks and those that it doubles, ``float64[n]``."""
    counts = [(heard % _OCTAVE == tone).sum(axis=1) for tone in chord.tones]
    cost: Costs = np.zeros(len(heard))
    for often, lacking in zip(counts, (_NO_ROOT, _NO_THIRD, _NO_FIFTH, _NO_SEVENTH), strict=False):
        cost += lacking * (often == 0)
    for tone, often, twice in zip(chord.tones, counts, (0.0, _THIRD_TWICE, _FIFTH_TWICE, 0.0), strict=False):
        # The fifth of a diminished triad may be doubled, its root not.
        tends = tone == chord.leading or (tone == chord.falling and len(chord.tones) > 3)
        cost += (_TENDENCY_TWICE if tends else twice) * np.maximum(often - 1, 0)
    return cost


def _spacing(heard: Pitches, has_bass: bool) -> Costs:
    """Return what each voicing costs for the gaps between its voices, ``float64[n]``."""
    gaps = np.diff(heard, axis=1)
    upper = gaps[:, 1:] if has_bass else gaps
    over = upper - _OCTAVE
    cost: Costs = (np.where(over > 0, _WIDE + _WIDER * over, 0.0)).sum(axis=1)
    cost += (np.maximum(gaps - 2 * _OCTAVE, 0)).sum(axis=1) * _WIDER
    low = (gaps < 5) & (heard[:, :-1] < 50)
    cost += _LOW_CLUSTER * low.sum(axis=1)
    return cost


def _move_costs(before: Harmony, after: Harmony, old: Pitches, new: Pitches, voices: Sequence[ChoirVoice]) -> Costs:
    """Return what going on from each voicing to each of the next chord costs, ``float64[n, m]``."""
    count = min(old.shape[1], new.shape[1])
    cost: Costs = np.zeros((len(old), len(new)))
    if not count:
        return cost
    old, new = old[:, :count], new[:, :count]
    moves = new[None] - old[:, None]
    low = _BASS_STEPS if voices[-1] == CHOIR[-1] else _STEPS
    cost += low[abs(moves[:, :, 0])] + _STEPS[abs(moves[:, :, 1:])].sum(axis=2)
    cost += _resolution(before, after, old, moves)
    cost += _OVERLAP * ((new[None, :, :-1] > old[:, None, 1:]) | (new[None, :, 1:] < old[:, None, :-1])).sum(axis=2)
    if before.melody and after.melody and after.sung:
        rise = after.melody[0] - before.melody[-1]
        up, down = (moves > 0).all(axis=2) & (rise > 0), (moves < 0).all(axis=2) & (rise < 0)
        cost += _ALL_ALONG * (up | down)
        if abs(rise) > 2:
            perfect = np.isin((after.melody[0] - new[:, 0]) % _OCTAVE, _PERFECT)[None]
            cost += _DIRECT * (perfect & (moves[:, :, 0] * rise > 0))
        old = np.concatenate([old, np.full((len(old), 1), before.melody[-1])], axis=1)
        new = np.concatenate([new, np.full((len(new), 1), after.melody[0])], axis=1)
    return cost + _perfects(old, new)


def _perfects(old: Pitches, new: Pitches) -> Costs:
    """Return what fifths and octaves that follow one another cost, ``float64[n, m]``."""
    cost: Costs = np.zeros((len(old), len(new)))
    for low, high in combinations(range(old.shape[1]), 2):
        first, second = (old[:, high] - old[:, low]) % _OCTAVE, (new[:, high] - new[:, low]) % _OCTAVE
        rows, columns = np.isin(first, _PERFECT).nonzero()[0], np.isin(second, _PERFECT).nonzero()[0]
        if not len(rows) or not len(columns):
            continue
        same = first[rows][:, None] == second[columns][None]
        move = [new[columns, line][None] - old[rows, line][:, None] for line in (low, high)]
        along, contrary = move[0] * move[1] > 0, move[0] * move[1] < 0
        cost[np.ix_(rows, columns)] += same * (_PARALLEL * along + _CONTRARY * contrary)
    return cost


def _resolution(before: Harmony, after: Harmony, old: Pitches, moves: Pitches) -> Costs:
    """Return what leading notes and sevenths that do not resolve cost, ``float64[n, m]``; the melody's are as it is."""
    cost: Costs = np.zeros(moves.shape[:2])
    for tone, steps in ((before.leading, (1,)), (before.falling, (-1, -2))):
        if tone is None or not any((tone + step) % _OCTAVE in after.tones for step in steps):
            continue
        right = np.isin(moves, (*steps, 0) if tone in after.tones else steps)
        wrong = (old % _OCTAVE == tone)[:, None] & ~right
        cost += _UNRESOLVED * wrong[:, :, 0] + _UNRESOLVED_INSIDE * wrong[:, :, 1:].sum(axis=2)
    return cost
