"""Constraints for voices under a melody: all voices sound, each in its range, without crossing.

While the melody sounds, every voice sounds: time does not move past a tick where a voice rests and a note could begin.
So the grammar makes four-part writing complete, whatever the model; the model chooses the notes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.state import NEVER, State
from toccata.tokenizers.vocabulary import DRUMS, Kind

Sung = tuple[int, int, int, int]
"""A note: start, end, pitch, velocity."""
_BREATH = 2
"""A rest of the melody of up to a quarter divided by this is a breath, during which the voices sound."""
_OCTAVE = 12
_STRUCK_AGAIN = 24  # the cost of a note that continues in another voice, as a leap in semitones
_PERFECT = (0, 7)
_MOVES = (Kind.POSITION, Kind.BAR, Kind.TIME_SHIFT, Kind.REST)


@dataclass(frozen=True)
class ChoirVoice:
    """A voice of a choir.

    Attributes:
        name: Its name.
        low: Its lowest pitch.
        high: Its highest pitch.
    """

    name: str
    low: int
    high: int


CHOIR = (ChoirVoice("Alto", 55, 74), ChoirVoice("Tenor", 48, 69), ChoirVoice("Bass", 40, 62))
"""The voices under a soprano from the highest down, in the ranges of textbooks of four-part writing."""


def why_not(tokenizer: Tokenizer) -> str:
    """Return why a tokenizer cannot write voices; empty: it can."""
    scheme = tokenizer.grammar().scheme
    if not scheme.has_notes:
        return "its tokens are not notes"
    waits = scheme.note_off or not len(scheme.vocabulary.of_kind[Kind.DURATION])
    return "its tokens do not say how long a note is when it begins" if waits else ""


def sung(notes: Sequence[tuple[int, int, int]], ticks_per_quarter: int) -> list[tuple[int, int, int]]:
    """Return the notes ``(start, end, pitch)`` of a melody, by onset, without breaths and overlaps."""
    out = sorted(notes)
    for n, (start, end, pitch) in enumerate(out[:-1]):
        following = out[n + 1][0]
        if following - end <= ticks_per_quarter // _BREATH:
            out[n] = (start, following, pitch)
    return out


def twice(notes: Sequence[tuple[int, int, int]], ticks_per_quarter: int) -> int | None:
    """Return the tick at which a melody has two notes at once, slurs of up to a 16th excepted; None: it has not."""
    until = -ticks_per_quarter
    for start, end, _ in sorted(notes):
        if until - start > ticks_per_quarter // 4 or (until > start and end <= until):
            return start
        until = max(until, end)
    return None


@cache
def _orders(voices: tuple[ChoirVoice, ...], count: int) -> list[tuple[ChoirVoice, ...]]:
    return list(combinations(voices, count))


@cache
def _fitting(voices: tuple[ChoirVoice, ...], sounding: tuple[int, ...], ceiling: int) -> NDArray[np.bool_]:
    """Return the pitches that may be added to ``sounding`` under a melody at ``ceiling``, ``bool[128]``.

    Preferred are pitches that leave every voice a pitch within an octave of the voice above, the lowest excepted; then
    those that leave every voice a pitch; then those in the range of any voice. The lowest voice is written first.
    """
    tiers = np.zeros((3, 128), np.bool_)
    for pitch in range(min(v.low for v in voices), min(ceiling, max(v.high for v in voices) + 1)):
        if pitch in sounding:
            continue
        chord = tuple(sorted((*sounding, pitch), reverse=True))
        for order in _orders(voices, len(chord)):
            if all(v.low <= p <= v.high for v, p in zip(order, chord, strict=True)):
                given = dict(zip(order, chord, strict=True))
                tiers[2, pitch] = True
                if order[chord.index(pitch)] == [v for v in voices if given.get(v, pitch) == pitch][-1]:
                    tiers[1, pitch] |= _whole(voices, given, ceiling, 128)
                    tiers[0, pitch] |= _whole(voices, given, ceiling, _OCTAVE)
    found: NDArray[np.bool_] = next((tier for tier in tiers if tier.any()), tiers[2])
    return found


def _whole(voices: Sequence[ChoirVoice], given: dict[ChoirVoice, int], ceiling: int, apart: int) -> bool:
    """Return whether the other voices can have pitches, each at most ``apart`` below the voice above."""
    reach = {ceiling}  # the possible pitches of the voice above
    for number, voice in enumerate(voices):
        space = 128 if number == len(voices) - 1 else apart
        pitches = [given[voice]] if voice in given else range(voice.low, voice.high + 1)
        reach = {p for p in pitches if any(p < above <= p + space for above in reach)}
        if not reach:
            return False
    return True


class Voicing:
    """The rules for voices under a melody: a :class:`~toccata.tokenizers.rulebook.PitchRule` and a Script.

    Notes begin only while the melody sounds, at most as many at a time as there are voices, and end before the melody
    descends to them or rests. The script only prevents silent voices.
    """

    def __init__(
        self, melody: Sequence[tuple[int, int, int]], voices: tuple[ChoirVoice, ...], shortest: int = 1
    ) -> None:
        """Create the rules.

        Args:
            melody: Start, end and pitch of its notes, one at a time, in the tokenizer's ticks.
            voices: The voices, from the highest down.
            shortest: The length of the shortest note, in ticks.
        """
        self.voices, self._shortest = voices, shortest
        end = max((end for _, end, _ in melody), default=0)
        self._above = np.zeros(end + 1, np.int64)  # the melody's pitch at each tick; 0: it rests
        for start, stop, pitch in melody:
            self._above[max(0, start) : max(0, stop)] = pitch
        self._ceiling = self._above.copy()  # its lowest pitch during the shortest note
        for late in range(1, shortest):
            self._ceiling[:-late] = np.minimum(self._ceiling[:-late], self._above[late:])
            self._ceiling[-late:] = 0

    @property
    def rests(self) -> bool:
        """Whether no note is possible."""
        return not any(_fitting(self.voices, (), ceiling).any() for ceiling in np.unique(self._ceiling).tolist())

    def pitches(self, state: State, ticks: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return the pitches that may begin at each of ``ticks``, ``bool[n, 128]``."""
        out = np.zeros((len(ticks), 128), np.bool_)
        ends = self._ends(state)
        for row, tick in enumerate(ticks.tolist()):
            out[row] = self._free(ends, tick)
        return out

    def allowed(self, cursor: Any) -> NDArray[np.bool_]:
        """Return the base tokens that may come next, ``bool[V]``: time does not pass a tick with a silent voice."""
        mask: NDArray[np.bool_] = cursor.unscripted()
        if cursor.closing:
            return mask
        state, scheme = cursor.state, cursor.grammar.scheme
        ids = scheme.vocabulary.of_kind[Kind.DURATION]
        if scheme.running_status:
            self._fit_status(cursor, mask)
        elif mask[ids].any() and state.program != DRUMS:
            if state.pitch >= 0:
                lengths = scheme.timing.lengths[Kind.DURATION, state.ticks_per_beat]
                fits = mask[ids] & (lengths <= self._longest(state.pitch, state.tick))
                mask[ids] = fits if fits.any() else mask[ids] & (lengths == lengths[mask[ids]].min())
            return mask
        ids = scheme.note_ids[scheme.start_kind, False]
        if mask[ids].any():
            values = scheme.note_values[scheme.start_kind, False]
            free = np.zeros(128, np.bool_)
            free[values[mask[ids]]] = True
            mask[ids] &= self._chosen(cursor, free)[values]
        due = self._due(cursor)
        narrowed = mask.copy()
        for kind in _MOVES:
            moves = scheme.vocabulary.of_kind[kind]
            narrowed[moves] &= self._arrivals(cursor, kind) <= due
        narrowed[scheme.eos] &= due >= cursor.end_tick
        ways = (scheme.start_kind, Kind.PROGRAM, Kind.VELOCITY, Kind.DURATION, *_MOVES)
        on = narrowed[scheme.eos] or any(narrowed[scheme.vocabulary.of_kind[kind]].any() for kind in ways)
        return narrowed if on else mask

    def _fit_status(self, cursor: Any, mask: NDArray[np.bool_]) -> None:
        """With a running duration, allow only lengths for which there is a pitch, and pitches that fit the length."""
        state, scheme = cursor.state, cursor.grammar.scheme
        free = np.flatnonzero(cursor.free_pitches(state.program))
        if state.program == DRUMS or not len(free):
            return
        room = np.zeros(128, np.int64)
        room[free] = [self._longest(pitch, state.tick) for pitch in free.tolist()]
        ids, beat = scheme.vocabulary.of_kind[Kind.DURATION], state.ticks_per_beat
        lengths = scheme.timing.lengths[Kind.DURATION, beat]
        most = max(int(room.max()), int(lengths.min()))
        mask[ids] &= lengths <= most
        pitches = scheme.note_ids[scheme.start_kind, False]
        if mask[pitches].any():
            length = scheme.lengths[state.status.duration, beat]
            mask[pitches] &= room[scheme.note_values[scheme.start_kind, False]] >= min(length, int(room.max()))
            if length > most and mask[ids].any():
                mask[pitches] = False

    def _chosen(self, cursor: Any, free: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return those of some pitches that are best for the next note, ``bool[128]``.

        Tones of a chord that are not clumsy go before those that are, and these before other pitches.
        """
        below, pushing, along = self._clumsy(cursor)
        none = np.zeros(128, np.bool_)
        avoided = (below | pushing | along, pushing | (along & ~below), below | pushing, below, none)
        for preference in cursor.constraints.preferences:
            wanted = preference.preferred(cursor.state, cursor.state.program)
            chords = [tier for tier in wanted if not _any_class(tier)]
            others = [tier for tier in wanted if _any_class(tier)]
            tiers = [(tier, avoid) for some in (chords, others) for avoid in avoided for tier in some]
            free = next((free & tier & ~avoid for tier, avoid in tiers if (free & tier & ~avoid).any()), free)
        return next((free & ~avoid for avoid in avoided if (free & ~avoid).any()), free)

    def _clumsy(self, cursor: Any) -> list[NDArray[np.bool_]]:
        """Return the pitches to avoid for the next note, as ``bool[128]`` each, the worst first.

        They are pitches below notes that begin at the same tick, as these are written from the lowest up; pitches that
        cut a held note short; and parallel fifths or octaves with the melody or a voice below.
        """
        state, now, pitches = cursor.state, cursor.state.tick, np.arange(128)
        struck = cursor.struck if cursor.struck_at == now else ()
        new = sorted(pitch for pitch, _ in struck)
        over = [p for ends in state.ends.values() for p in np.flatnonzero(ends == now).tolist()]
        old = sorted([*over, *(pitch for pitch, ended in struck if ended and pitch not in over)])
        pushing, along = np.zeros(128, np.bool_), np.zeros(128, np.bool_)
        held = [pitch for _, pitch in self._ends(state) if pitch not in new]
        if len(held) + len(old) == len(self.voices):
            for pitch in held:
                if sum(p < pitch for p in new) >= sum(p < pitch for p in old):
                    pushing |= pitches < pitch
                if sum(p > pitch for p in new) >= sum(p > pitch for p in old):
                    pushing |= pitches > pitch
        moved = [pair for pair in zip(old, new, strict=False) if pair[0] != pair[1]]
        if 0 < now < len(self._above) and self._above[now - 1] and self._above[now]:
            moved.append((int(self._above[now - 1]), int(self._above[now])))
        if len(new) < len(old):
            own = old[len(new)]
            for before, after in moved:
                if (gap := abs(before - own) % _OCTAVE) in _PERFECT:
                    along |= (abs(after - pitches) % _OCTAVE == gap) & ((after - before) * (pitches - own) > 0)
        return [pitches < max(new, default=0), pushing, along]

    def _arrivals(self, cursor: Any, kind: Kind) -> NDArray[np.int64]:
        """Return the tick to which each token of a kind leads."""
        state, scheme = cursor.state, cursor.grammar.scheme
        if kind is Kind.POSITION:
            values: NDArray[np.int64] = scheme.vocabulary.values[scheme.vocabulary.of_kind[kind]]
            return int(state.bar_tick) + values * int(state.ticks_per_position)
        if kind is Kind.BAR:
            bar = state.bar_tick + (state.ticks_per_bar if state.bar >= 0 else 0)
            return np.full(len(scheme.vocabulary.of_kind[kind]), bar)
        if not len(scheme.vocabulary.of_kind[kind]):
            return np.zeros(0, np.int64)
        from_end = kind is Kind.REST and scheme.timing.rest_from_note_end
        since = int(max(state.note_end, state.tick) if from_end else state.tick)
        lengths: NDArray[np.int64] = scheme.timing.lengths[kind, state.ticks_per_beat]
        return since + lengths

    def _due(self, cursor: Any) -> int:
        """Return the first tick from now on at which a voice is silent and a note can begin."""
        state = cursor.state
        ends = self._ends(state)
        now = max(state.tick, 0)
        last = min(cursor.end_tick - self._shortest, len(self._above) - 1)
        begins = np.flatnonzero((self._above[1:] > 0) & (self._above[1:] != self._above[:-1])) + 1
        ticks = {now, *(tick for tick, _ in ends if tick > now), *begins[begins > now].tolist()}
        for tick in sorted(ticks):
            if tick > last:
                break
            if self._free(ends, tick).any():
                late = (tick - state.bar_tick) % state.ticks_per_position if state.ticks_per_position else 0
                return int(tick + (state.ticks_per_position - late if late else 0))
        return NEVER

    def _ends(self, state: State) -> list[tuple[int, int]]:
        """Return end and pitch of the notes that sound now or later."""
        return [
            (int(ends[pitch]), pitch)
            for program, ends in state.ends.items()
            if program != DRUMS
            for pitch in np.flatnonzero(ends > state.tick).tolist()
        ]

    def _free(self, ends: Sequence[tuple[int, int]], tick: int) -> NDArray[np.bool_]:
        ceiling = int(self._ceiling[tick]) if 0 <= tick < len(self._ceiling) else 0
        sounding = tuple(sorted({pitch for end, pitch in ends if end > tick}, reverse=True))
        if not ceiling or len(sounding) >= len(self.voices):
            return np.zeros(128, np.bool_)
        return _fitting(self.voices, sounding, ceiling)

    def _longest(self, pitch: int, tick: int) -> int:
        """Return how long a note may be: until the melody descends to it, or rests."""
        below = np.flatnonzero(self._above[tick:] <= pitch)
        return int(below[0]) if len(below) else NEVER


def _any_class(pitches: NDArray[np.bool_]) -> bool:
    """Return whether there is a pitch of each class among some."""
    return len(set((np.flatnonzero(pitches) % _OCTAVE).tolist())) == _OCTAVE


def deal(notes: Sequence[Sung], voices: Sequence[ChoirVoice], before: Sequence[int | None] = ()) -> list[list[Sung]]:
    """Assign notes to voices, one at a time each and without crossing.

    A note that continues in another voice is struck again there. Notes that no voice can sing are left out.

    Args:
        notes: At most as many at a time as there are voices.
        voices: From the highest down.
        before: The pitch each voice sang last.
    """
    out: list[list[Sung]] = [[] for _ in voices]
    lines = [pitch if pitch is not None else (v.low + v.high) // 2 for v, pitch in zip(voices, before, strict=False)]
    lines += [(v.low + v.high) // 2 for v in voices[len(lines) :]]
    held: dict[int, Sung] = {}  # voice -> its note
    for start, group in groupby(sorted(notes), key=lambda note: note[0]):
        held = {number: note for number, note in held.items() if note[1] > start}
        where = {note: number for number, note in held.items()}
        chord = sorted([*held.values(), *group], key=lambda note: -note[2])
        numbers = _dealt(chord, voices, lines, where)
        while numbers is None:  # the newest goes
            chord.remove(max(chord, key=lambda note: note[0]))
            numbers = _dealt(chord, voices, lines, where)
        for number, note in held.items():
            if note not in chord or numbers[chord.index(note)] != number:
                out[number][-1] = (out[number][-1][0], start, *note[2:])
        now: dict[int, Sung] = {}
        for note, number in zip(chord, numbers, strict=True):
            now[number] = note
            lines[number] = note[2]
            if where.get(note) != number:
                out[number].append((start, *note[1:]))
        held = now
    return out


def _dealt(
    chord: Sequence[Sung], voices: Sequence[ChoirVoice], lines: Sequence[int], where: dict[Sung, int]
) -> tuple[int, ...] | None:
    """Return a voice for each note of a chord, highest first, with the smallest steps; None: it is impossible."""
    best: tuple[float, tuple[int, ...]] | None = None
    for numbers in combinations(range(len(voices)), len(chord)):
        if any(not voices[n].low <= note[2] <= voices[n].high for n, note in zip(numbers, chord, strict=True)):
            continue
        cost = sum(
            _STRUCK_AGAIN * (where[note] != n) if note in where else abs(note[2] - lines[n])
            for n, note in zip(numbers, chord, strict=True)
        )
        if best is None or cost < best[0]:
            best = cost, numbers
    return None if best is None else best[1]


def tied(line: Sequence[Sung], struck: Collection[int]) -> list[Sung]:
    """Join notes of one pitch that follow each other without a rest, unless the second begins at a tick in ``struck``.

    Args:
        line: The notes of a voice, in the order of time.
        struck: Where a note may be struck again: the onsets of the melody.
    """
    out: list[Sung] = []
    for note in line:
        if out and out[-1][1] == note[0] and out[-1][2] == note[2] and note[0] not in struck:
            out[-1] = (out[-1][0], note[1], *out[-1][2:])
        else:
            out.append(note)
    return out


def under(notes: Sequence[Sung], melody: Sequence[tuple[int, int, int]]) -> list[Sung]:
    """Clip notes to the ticks at which the melody is above them; others are left out."""
    out = []
    for note in notes:
        start, end, pitch, velocity = note
        for first, last, above in melody:
            if above <= pitch and first < end and start < last:
                start, end = (last, end) if first <= start else (start, first)
        if start < end:
            out.append((start, end, pitch, velocity))
    return out
