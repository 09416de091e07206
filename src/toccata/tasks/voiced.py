"""Chords that are heard: the root or the bass of a chord in the lowest part where it begins, its tones before it ends.

A chart and a cadence say which pitches may begin (``chords.py``, ``cadence.py``); what is here says which of them are
preferred, and that the lowest part enters with each chord. Times are ticks of the tokenizer's grid.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from toccata.midi.keys import Key, estimate
from toccata.midi.ranges import BASSES
from toccata.tasks.cadence import Cadence
from toccata.tasks.chords import Chord, ChordChart
from toccata.tasks.partwriting import leads_in_parallel
from toccata.tokenizers.rulebook import Entry, Mask
from toccata.tokenizers.state import NEVER, State
from toccata.tokenizers.vocabulary import DRUMS

_PITCHES = np.arange(128)
_ACTIVE = 2
"""A program that has played in the last so many bars is playing."""
_LOW = 60
"""The last note of the lowest part is no higher, where it can."""
_LEAP, _STEP = 7, 5
"""Semitones that the lowest part leaps at most, where it can; and while a chord lasts."""
_TONE, _OCTAVE = 2, 12
_NEEDED = (3, 7)
_IMPORTANT = (*_NEEDED, 1, 5)
"""The degrees of a chord that are heard first, after its bass: third, seventh, root, fifth."""


@dataclass(frozen=True)
class ChordSpan:
    """A chord, and when it sounds.

    Attributes:
        begin: Its first tick.
        end: The tick after its last.
        bass: The pitch class of the lowest note where it begins.
        tones: Its other pitch classes, those first that say which chord it is.
        needed: So many of these must be heard: the third, and the seventh if it has one.
        final: Whether it is the last one, whose bass stays.
        pitch: The pitch of the bass; None: in any octave.
        voices: The pitches of all voices, from the lowest up; empty: they are chosen as they are written.
        then: Their pitches in the next chord.
        scale: The pitch classes of passing notes.
    """

    begin: int
    end: int
    bass: int
    tones: tuple[int, ...]
    needed: int = 0
    final: bool = False
    pitch: int | None = None
    voices: tuple[int, ...] = ()
    then: tuple[int, ...] = ()
    scale: tuple[int, ...] = tuple(range(12))


@dataclass(frozen=True, eq=False)
class Voiced:
    """Chords that are voiced; a Preference, and Players of which the lowest enters with each chord.

    Attributes:
        spans: The chords, in the order of time.
        calm: Whether notes that begin between beats end with the beat, as passing notes do.
        enters: Whether the lowest part must enter with each chord; not where a script says who sings when.
        melody: Start, end and pitch of the notes of a melody above them.
    """

    spans: tuple[ChordSpan, ...]
    calm: bool = False
    enters: bool = True
    melody: tuple[tuple[int, int, int], ...] = ()

    @cached_property
    def _begins(self) -> list[int]:
        return [span.begin for span in self.spans]

    def at(self, tick: int) -> ChordSpan | None:
        """Return the chord at a tick."""
        place = bisect_right(self._begins, tick) - 1
        return self.spans[place] if place >= 0 and tick < self.spans[place].end else None

    def part(self, start: int, end: int, scale: float) -> Voiced:
        """Return the chords of some ticks, from their first on, in ticks ``scale`` times as many."""
        inside = [span for span in self.spans if span.begin < end and span.end > start]
        known = [replace(span, then=span.voices) if span.end > end else span for span in inside]
        moved = [
            replace(
                span,
                begin=round((max(span.begin, start) - start) * scale),
                end=round((min(span.end, end) - start) * scale),
            )
            for span in known
        ]
        above = [
            (round((first - start) * scale), round((last - start) * scale), pitch)
            for first, last, pitch in self.melody
            if first <= end and last > start
        ]
        return Voiced(tuple(moved), self.calm, self.enters, tuple(above))

    def _above(self, tick: int) -> int | None:
        """Return the pitch of the melody at a tick; None: it rests."""
        place = bisect_right(self.melody, (tick, 1 << 60, 0)) - 1
        return self.melody[place][2] if place >= 0 and tick < self.melody[place][1] else None

    def missing(self, state: State) -> Sequence[Entry]:
        """Return the next entry of the lowest part in the current bar, and that of who plays the tones still needed."""
        parts = playing(state)
        if not parts or not self.enters:
            return ()
        now, line, found = state.tick, state.bar_tick + state.ticks_per_bar, []
        for begin in self._begins[bisect_left(self._begins, now) :]:
            if begin >= line:
                break
            if begin > now or state.last_onset.get(parts[0]) != begin:
                found.append(Entry(parts[0], begin, begin))
                break
        span = self.at(now)
        if span is not None and span.end <= line and self._unheard(state, span)[: span.needed]:
            found.append(Entry(parts[min(1, len(parts) - 1)], now, span.end - 1))
        return found

    @staticmethod
    def _unheard(state: State, span: ChordSpan) -> list[int]:
        """Return which of the needed tones have not been heard, and then the others."""
        unheard = [tone for tone in span.tones if state.heard[tone] < span.begin]
        return [tone for tone in span.tones[: span.needed] if tone in unheard] or unheard

    def free_by(self, state: State, program: int, single: bool) -> int:
        """Return the tick at which a program must not sound any more, because it enters there, or all do."""
        place = bisect_right(self._begins, state.tick)
        if lowest_part(state) not in (None, program):
            return self._begins[-1] if place < len(self.spans) and self.spans[-1].final else NEVER
        following = self._begins[place] if place < len(self._begins) else NEVER
        late = (state.tick - state.bar_tick) % state.ticks_per_beat
        return min(following, state.tick - late + state.ticks_per_beat) if self.calm and late else following

    def preferred(self, state: State, program: int) -> Sequence[Mask]:
        """Return the bass where the lowest part enters; else chord tones that have not been heard, above the bass.

        Where the voices are written already, their pitches go before others.
        """
        tick = state.tick
        span = self.at(tick)
        if program == DRUMS or span is None:
            return ()
        found = self._by_class(state, program, span)
        return self._written(state, span, found) if span.voices else found

    def _written(self, state: State, span: ChordSpan, others: Sequence[Mask]) -> Sequence[Mask]:
        """Return the pitch of the lowest voice that is silent, then others.

        Between beats these are first a step from it, or chord tones that are near; they last to the next beat, and lead
        to it without parallel fifths and octaves, if any do.
        """
        singing = _singing(span.voices, _sounding(state, state.tick))
        silent = [number for number in range(len(span.voices)) if number not in singing]
        exact = [np.equal(_PITCHES, span.voices[number]) for number in silent]
        late = (state.tick - state.bar_tick) % state.ticks_per_beat
        sung = self._above(state.tick)
        if not silent or not late:
            clear = ~_of_classes(sung - 1, sung + 1) if sung is not None and state.tick > span.begin else True
            return [*(tier & clear for tier in (*exact, *others)), *exact, *others]
        beat = state.tick - late + state.ticks_per_beat
        tiers = [_near(span, silent), *exact, *others]
        then = span.voices if beat < span.end else span.then
        if len(then) != len(span.voices):
            return tiers
        steps = [(pitch, then[number]) for number, pitch in singing.items()]
        before, after = self._above(beat - 1), self._above(beat)
        steps += [(before, after)] if before is not None and after is not None else []
        smooth = ~leads_in_parallel(then[silent[0]], steps)
        return [*(tier & smooth for tier in tiers), *tiers[1:]]

    def _by_class(self, state: State, program: int, span: ChordSpan) -> list[Mask]:
        """Return the tones of a chord in any octave, those first that are needed."""
        tick, lowest = state.tick, _lowest(state, state.tick)
        part, below = lowest_part(state), np.less(_PITCHES, lowest)
        enters = tick == span.begin and state.last_onset.get(program) != tick
        bass = _of_classes(span.bass)
        if (part in (None, program) and enters) or (span.final and lowest % 12 != span.bass):
            near = below & _near_lowest(state)
            if span.pitch is None:
                low = below & np.less_equal(_PITCHES, _LOW)
                return [bass & near & low, bass & low, bass & near, bass & below, bass]
            exact = [np.equal(_PITCHES, span.pitch)] if span.pitch < lowest else []
            return [*exact, bass & near, *([] if span.final else [_of_classes(*span.tones) & near]), bass & below, bass]
        above = np.greater(_PITCHES, lowest) if lowest % 12 == span.bass else np.ones(128, np.bool_)
        unheard = self._unheard(state, span)
        found = [above & _of_classes(tone) for tone in unheard[:2]]
        found += [above & _of_classes(*unheard)] if unheard else []
        if (tick - state.bar_tick) % state.ticks_per_beat == 0:
            chord = _of_classes(span.bass, *span.tones)
            if lowest % 12 != span.bass:  # the lowest part goes on
                home = (
                    np.less_equal(abs(_PITCHES - span.pitch), _STEP) if span.pitch is not None else _near_lowest(state)
                )
                found.insert(0, chord & below & home)
            found.append(above & chord)
        return [*found, above, bass]


def _of_classes(*classes: int) -> Mask:
    """Return the pitches of some pitch classes, ``bool[128]``."""
    found: Mask = np.isin(_PITCHES % 12, [tone % 12 for tone in classes])
    return found


def _sounding(state: State, tick: int) -> list[int]:
    """Return the pitches that sound after ``tick``, from the lowest up."""
    late = [np.flatnonzero(ends > tick).tolist() for program, ends in state.ends.items() if program != DRUMS]
    return sorted({pitch for pitches in late for pitch in pitches})


def _singing(voices: Sequence[int], sounding: Sequence[int]) -> dict[int, int]:
    """Return the pitches that sound by the number of the voice that sings them, those that are nearest to them."""
    numbers = min(
        combinations(range(len(voices)), min(len(voices), len(sounding))),
        key=lambda some: sum(abs(voices[n] - pitch) for n, pitch in zip(some, sounding, strict=False)),
    )
    return dict(zip(numbers, sounding, strict=False))


def _near(span: ChordSpan, silent: Sequence[int]) -> Mask:
    """Return a step from the pitch of the lowest silent voice, and chord tones not far from it, ``bool[128]``.

    They are no nearer to another silent voice, and no more than an octave below the voice above.
    """
    first, *others = silent
    distance = abs(_PITCHES - span.voices[first])
    near: Mask = (distance <= _TONE) & _of_classes(*span.scale)
    near |= (distance <= _STEP) & _of_classes(span.bass, *span.tones)
    for number in others:
        near &= distance < abs(_PITCHES - span.voices[number])
    if 0 < first < len(span.voices) - 1:
        near &= np.greater_equal(_PITCHES, span.voices[first + 1] - _OCTAVE)
    return near


def _lowest(state: State, tick: int) -> int:
    """Return the lowest pitch that sounds after ``tick``; 128: none does."""
    late = (np.flatnonzero(ends > tick) for program, ends in state.ends.items() if program != DRUMS)
    return min((int(pitches[0]) for pitches in late if len(pitches)), default=128)


def _near_lowest(state: State) -> Mask:
    """Return the pitches at most a fifth from the lowest note of the last beat, ``bool[128]``; all after silence."""
    lowest = _lowest(state, state.tick - state.ticks_per_beat)
    return np.ones(128, np.bool_) if lowest == 128 else np.less_equal(abs(_PITCHES - lowest), _LEAP)


def playing(state: State) -> list[int]:
    """Return the pitched programs that play, the lowest part first: basses, then by their latest notes."""
    active = [p for p, bar in state.latest_bar.items() if p != DRUMS and bar >= state.bar - _ACTIVE]
    return sorted(active, key=lambda p: (p not in BASSES, state.onset_pitch.get(p, 128), p))


def lowest_part(state: State) -> int | None:
    """Return the program that plays the lowest part; None: none plays."""
    return next(iter(playing(state)), None)


def voiced_chart(chart: ChordChart, first: int, ticks_per_bar: int, *, final: bool = False) -> Voiced:
    """Return the chords of a chart that begins at tick ``first``; ``final``: the piece ends with its last one."""
    begins = [
        (first + bar * ticks_per_bar + round(change.place * ticks_per_bar), change.chord)
        for bar, change in chart.changes()
    ]
    ends = [*(begin for begin, _ in begins[1:]), first + len(chart.bars) * ticks_per_bar]
    spans = [_span(chord, begin, end) for (begin, chord), end in zip(begins, ends, strict=True) if chord is not None]
    if final and spans:
        spans[-1] = replace(spans[-1], final=True)
    return Voiced(tuple(spans))


def _span(chord: Chord, begin: int, end: int) -> ChordSpan:
    root = chord.root[1]
    bass = root if chord.bass is None else chord.bass
    order = sorted(chord.degrees, key=lambda d: _IMPORTANT.index(d[0]) if d[0] in _IMPORTANT else len(_IMPORTANT))
    tones = {(root + step) % 12: degree for degree, step in reversed(order)}
    others = tuple(tone for tone in reversed(tones) if tone != bass)
    return ChordSpan(begin, end, bass, others, sum(tones[tone] in _NEEDED for tone in others))


@dataclass(frozen=True)
class VoicedEnding:
    """The last two chords of a piece, voiced: the dominant, and the tonic with its root in the bass and its third.

    Attributes:
        key: The key; None: the one of the notes so far.
        bars: The number of bars, as the state counts them.
    """

    key: Key | None
    bars: int

    def missing(self, state: State) -> Sequence[Entry]:
        """Return the next entry of the lowest part in the current bar."""
        return self._voiced(state).missing(state) if state.bar >= self.bars - 2 else ()

    def free_by(self, state: State, program: int, single: bool) -> int:
        """Return the tick at which a program must not sound any more, because it enters there."""
        return self._voiced(state).free_by(state, program, single)

    def preferred(self, state: State, program: int) -> Sequence[Mask]:
        """Return the preferred pitches of the last two chords."""
        return self._voiced(state).preferred(state, program) if state.bar >= self.bars - 2 else ()

    def pitches(self, state: State, ticks: NDArray[np.int64]) -> Mask:
        """Return the pitches that may begin at each of ``ticks``, ``bool[n, 128]``: the lowest at last is a tonic."""
        allowed = np.ones((len(ticks), 128), np.bool_)
        if state.bar >= self.bars - 1:
            lowest, tonic = _lowest(state, state.tick), self._voiced(state).spans[-1].bass
            allowed[:, :lowest] = _of_classes(tonic)[:lowest]
        return allowed

    def _voiced(self, state: State) -> Voiced:
        last = state.bar_tick + (self.bars - 1 - max(state.bar, 0)) * state.ticks_per_bar
        key = self.key or _key(state.pitch_class_histogram.tobytes())
        return _ending(key, last, state.ticks_per_bar, state.ticks_per_beat)


@lru_cache(maxsize=256)
def _key(histogram: bytes) -> Key:
    return estimate(np.frombuffer(histogram, np.int64).astype(np.float64))


@lru_cache(maxsize=64)
def _ending(key: Key, last_bar: int, ticks_per_bar: int, ticks_per_beat: int) -> Voiced:
    begin = Cadence(key, last_bar, ticks_per_bar, ticks_per_beat).dominants[0]
    above: Callable[[int], int] = lambda step: (key.tonic + step) % 12  # noqa: E731
    dominant = ChordSpan(begin, last_bar, above(7), (above(11), above(5), above(2)), 1)
    third = above(3 if key.minor else 4)
    tonic = ChordSpan(last_bar, last_bar + ticks_per_bar, key.tonic, (third, above(7)), 1, final=True)
    return Voiced((dominant, tonic))
