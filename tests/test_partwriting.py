"""The parts of voices in a plan of chords: ranges, order, parallels, resolutions; for any melody and any voices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toccata.midi.keys import Key
from toccata.tasks.partwriting import Harmony, leads_in_parallel, part_writing
from toccata.tasks.plan import planned, slots
from toccata.tasks.voiced import ChordSpan, Voiced
from toccata.tasks.voicing import CHOIR, ChoirVoice, tied

Melody = list[tuple[int, int, int]]
KEYS = st.builds(Key, st.integers(0, 11), st.booleans())
CHOIRS = st.sampled_from([some for count in (1, 2, 3) for some in combinations(CHOIR, count)])
SCALE = (60, 62, 64, 65, 67, 69, 71, 72, 74, 76, 77, 79)


@st.composite
def melodies(draw: st.DrawFn) -> Melody:
    """Melodies of any pitches, with rests."""
    found, tick = [], 0
    for _ in range(draw(st.integers(1, 20))):
        tick += draw(st.sampled_from([0, 0, 0, 480]))
        length = draw(st.sampled_from([240, 480, 960]))
        found.append((tick, tick + length, draw(st.integers(36, 90))))
        tick += length
    return found


def plan(melody: Melody, key: Key, seed: int, voices: tuple[ChoirVoice, ...] = CHOIR) -> Voiced:
    """A plan in common time."""
    end = -(-melody[-1][1] // 1920) * 1920
    beats = list(range(0, end, 480))
    return planned(slots(melody, list(range(0, end + 1, 1920)), beats, beats[::2]), key, seed, voices)


def tune(seed: int) -> Melody:
    """A tune of quarters in C major that moves by steps and thirds, and ends on the tonic."""
    rng, place, pitches = np.random.default_rng(seed), 8, []
    for _ in range(29):
        place = int(np.clip(place + rng.choice([-2, -1, -1, 0, 1, 1, 2]), 4, 11))
        pitches.append(SCALE[place])
    return [(n * 480, (n + 1) * 480, pitch) for n, pitch in enumerate([*pitches, 76, 74, 72])]


def at(melody: Melody, tick: int) -> int:
    """The pitch of a melody at a tick."""
    return next(pitch for start, end, pitch in melody if start <= tick < end)


def moves(spans: Sequence[ChordSpan], melody: Melody) -> Iterator[list[tuple[int, int]]]:
    """The steps of all voices, and of the melody, from each chord to the next."""
    for one, two in pairwise(spans):
        assert one.then == two.voices
        yield [*zip(one.voices, two.voices, strict=True), (at(melody, two.begin - 1), at(melody, two.begin))]


def parallels(spans: Sequence[ChordSpan], melody: Melody) -> int:
    """How often two voices go along in fifths or octaves."""
    return sum(
        (c - a) % 12 in (0, 7) and (c - a) % 12 == (d - b) % 12 and (b - a) * (d - c) > 0
        for step in moves(spans, melody)
        for (a, b), (c, d) in combinations(step, 2)
    )


@settings(max_examples=60, deadline=None)
@given(melodies(), KEYS, st.integers(0, 99), CHOIRS)
def test_any_melody_has_parts_in_range_in_order_and_below_it(
    melody: Melody, key: Key, seed: int, voices: tuple[ChoirVoice, ...]
) -> None:
    found = plan(melody, key, seed, voices)
    assert found.spans == plan(melody, key, seed, voices).spans
    assert found.spans[0].begin == 0
    assert found.spans[-1].end == melody[-1][1]
    assert all(one.end == two.begin for one, two in pairwise(found.spans))
    for span in found.spans:
        sung = [pitch for start, end, pitch in melody if start <= span.begin < end]
        assert all(low < high for low, high in pairwise([*span.voices, *sung]))
        for pitch, voice in zip(span.voices, reversed(voices), strict=False):
            assert voice.low <= pitch <= voice.high
            assert pitch % 12 in (span.bass, *span.tones)
        if sung and sung[0] > max(voice.low for voice in voices) + 12:
            assert len(span.voices) == len(voices)


@pytest.mark.parametrize("voices", [CHOIR, CHOIR[1:], CHOIR[:2]], ids=["three", "low", "high"])
def test_tunes_have_no_parallels(voices: tuple[ChoirVoice, ...]) -> None:
    tunes = [tune(seed) for seed in range(20)]
    plans = [plan(melody, Key(0, minor=False), seed, voices).spans for seed, melody in enumerate(tunes)]
    assert sum(map(parallels, plans, tunes)) == 0


def test_chords_are_whole_and_close_together() -> None:
    steps: list[int] = []
    whole: list[bool] = []
    for seed in range(20):
        melody = tune(seed)
        found = plan(melody, Key(0, minor=False), seed)
        for span in found.spans:
            sung = at(melody, span.begin)
            bass, tenor, alto = span.voices
            classes = {pitch % 12 for pitch in (*span.voices, sung)}
            whole.append(classes.issuperset(span.tones[: span.needed]))
            assert alto - tenor <= 12
            assert sung - alto <= 12
            assert [bass % 12, tenor % 12, alto % 12, sung % 12].count(11) <= 1  # the leading note
        for step in moves(found.spans, melody):
            steps += [abs(after - before) for before, after in step[1:3]]
    assert np.mean(whole) > 0.97  # a seventh may lack
    assert float(np.mean(steps)) < 2.5  # Bach's inner voices move by 2.2 to 2.4
    assert max(steps) <= 9


def test_seeds_differ_in_the_parts_of_the_same_chords() -> None:
    chords = [Harmony((0, 4, 7), (76,)), Harmony((5, 9, 0), (77,)), Harmony((7, 11, 2), (74,), leading=11)]
    found = {tuple(part_writing(chords, CHOIR, np.random.default_rng(seed))) for seed in range(20)}
    assert len(found) > 3


def test_leading_notes_rise_and_sevenths_fall() -> None:
    dominant = Harmony((7, 11, 2, 5), (74,), leading=11, falling=5, root_position=True)
    tonic = Harmony((0, 4, 7), (72,), root_position=True)
    for seed in range(20):
        before, after = part_writing([dominant, tonic], CHOIR, np.random.default_rng(seed))
        steps = {one % 12: two - one for one, two in zip(before, after, strict=True)}
        assert {7, 11, 5} <= set(steps)
        assert steps[5] in (-1, -2)
        assert steps[11] == 1


def test_pitches_that_lead_in_parallel() -> None:
    assert np.flatnonzero(leads_in_parallel(64, [(55, 57)])).tolist() == [62]
    assert np.flatnonzero(leads_in_parallel(57, [(62, 64)])).tolist()[-2:] == [43, 55]  # a twelfth, a fifth
    assert np.flatnonzero(leads_in_parallel(64, [(50, 52)])).tolist() == [62]  # an octave
    assert not leads_in_parallel(64, [(57, 57)]).any()  # only one of them moves
    assert not leads_in_parallel(62, [(55, 57)]).any()  # a fourth


def test_a_voice_holds_a_note_that_is_struck_again_between_the_notes_of_the_melody() -> None:
    line = [(0, 10, 60, 80), (10, 20, 60, 70), (20, 30, 60, 80), (40, 50, 60, 80), (50, 60, 62, 80)]
    assert tied(line, {0, 20}) == [(0, 20, 60, 80), (20, 30, 60, 80), (40, 50, 60, 80), (50, 60, 62, 80)]
    assert tied([], {0}) == []
