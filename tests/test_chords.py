"""Chord charts: read as musicians write them, and kept to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from test_grammar import assert_valid, write
from toccata.errors import RequestError
from toccata.midi.keys import STEPS, Key, every_octave
from toccata.tasks.chords import Chord, ChordChart, ChordRule, contradictions, strong_beats
from toccata.tokenizers.events import SCHEMES, EventOptions, EventTokenizer
from toccata.tokenizers.rulebook import Constraints
from toccata.tokenizers.state import State

TONES = {  # above C
    "": "C E G", "maj": "C E G", "M": "C E G", "m": "C Eb G", "min": "C Eb G", "-": "C Eb G", "mi": "C Eb G",
    "dim": "C Eb Gb", "o": "C Eb Gb", "°": "C Eb Gb", "aug": "C E G#", "+": "C E G#",
    "sus2": "C D G", "sus4": "C F G", "sus": "C F G", "5": "C G", "6": "C E G A", "m6": "C Eb G A", "-6": "C Eb G A",
    "6/9": "C D E G A", "69": "C D E G A", "7": "C E G Bb", "maj7": "C E G B", "M7": "C E G B", "Δ": "C E G B",
    "Δ7": "C E G B", "m7": "C Eb G Bb", "-7": "C Eb G Bb", "min7": "C Eb G Bb", "mMaj7": "C Eb G B",
    "m(maj7)": "C Eb G B", "mM7": "C Eb G B", "-Δ7": "C Eb G B",
    "∆9": "C D E G B", "^7": "C E G B", "Δ#11": "C E F# G B", "m7b5": "C Eb Gb Bb", "m7(♭5)": "C Eb Gb Bb",
    "ø": "C Eb Gb Bb", "ø7": "C Eb Gb Bb", "dim7": "C Eb Gb Bbb", "°7": "C Eb Gb Bbb", "o7": "C Eb Gb Bbb",
    "9": "C D E G Bb", "maj9": "C D E G B", "m9": "C D Eb G Bb", "11": "C D E F G Bb", "m11": "C D Eb F G Bb",
    "13": "C D E G A Bb", "maj13": "C D E G A B", "add9": "C D E G", "madd9": "C D Eb G", "m(add9)": "C D Eb G",
    "7b9": "C Db E G Bb", "7(b9)": "C Db E G Bb", "7♭9": "C Db E G Bb", "7-9": "C Db E G Bb", "7#9": "C D# E G Bb",
    "7#11": "C E F# G Bb", "maj7#11": "C E F# G B", "7b13": "C E G Ab Bb", "7b9#11": "C Db E F# G Bb",
    "7sus4": "C F G Bb", "7sus": "C F G Bb", "9sus4": "C D F G Bb", "7#5": "C E G# Bb", "+7": "C E G# Bb",
    "7+": "C E G# Bb", "aug7": "C E G# Bb", "maj7#5": "C E G# B", "7b5": "C E Gb Bb", "13b9": "C Db E G A Bb",
    "7alt": "C Db D# E Gb G# Bb", "alt": "C Db D# E Gb G# Bb", "7no5": "C E Bb", "no3": "C G", "add11": "C E F G",
}  # fmt: skip
CHORDS = st.builds(
    "{}{}".format,
    st.builds("{}{}".format, st.sampled_from("ABCDEFG"), st.sampled_from(["", "#", "b", "♯", "♭"])),
    st.sampled_from(sorted(TONES)),
)
FULL = np.ones(128, np.bool_)
STATE = State(EventTokenizer.build(EventOptions("REMI")).grammar().scheme)
BAR, BEAT = 192, 48


def pitch_class(name: str) -> int:
    return (STEPS[name[0]] + name.count("#") - name.count("b")) % 12


def classes(names: str) -> set[int]:
    return {pitch_class(name) for name in names.split()}


def begin(rule: ChordRule, tick: int) -> set[int]:
    """The pitch classes that may begin at a tick."""
    allowed = rule.pitches(STATE, np.array([tick]))[0]
    assert (every_octave(allowed[:12]) == allowed).all(), "every octave is as good as another"
    return set(np.flatnonzero(allowed[:12]).tolist())


def rule(text: str, *, first: int = 0, bar: int = BAR, beat: int = BEAT, key: str | None = None) -> ChordRule:
    return ChordChart.read(text).rule(first, bar, beat, None if key is None else Key.read(key))


# -- chords ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", TONES)
def test_chords_are_made_of_what_they_say(quality: str) -> None:
    chord = Chord.read("C" + quality)
    assert set(np.flatnonzero(chord.tones).tolist()) == classes(TONES[quality])
    assert set(chord.spelled.split()) >= set(TONES[quality].split()) or chord.tones.sum() == len(chord.spelled.split())


@given(CHORDS)
def test_every_chord_has_its_root_and_lies_in_its_scale(name: str) -> None:
    chord = Chord.read(name)
    root = pitch_class(name[0]) + (name[1:2] in ("#", "♯")) - (name[1:2] in ("b", "♭"))
    assert chord.tones[root % 12]
    assert chord.scale[chord.tones].all()
    assert not (chord.tones & chord.wrong).any()
    assert classes(chord.spelled) == set(np.flatnonzero(chord.tones).tolist())


@given(st.sampled_from(sorted(TONES)), st.sampled_from("ABCDEFG"), st.sampled_from("ABCDEFG"))
def test_another_root_is_the_same_chord_transposed(quality: str, one: str, other: str) -> None:
    up = (STEPS[other] - STEPS[one]) % 12
    here, there = Chord.read(one + quality), Chord.read(other + quality)
    assert (np.roll(here.tones, up) == there.tones).all()
    assert (np.roll(here.scale, up) == there.scale).all()
    assert (np.roll(here.wrong, up) == there.wrong).all()


def test_the_bass_of_a_slash_chord_is_one_of_its_tones() -> None:
    assert set(np.flatnonzero(Chord.read("C/E").tones)) == classes("C E G")
    assert set(np.flatnonzero(Chord.read("Am7/G#").tones)) == classes("A C E G G#")
    assert set(np.flatnonzero(Chord.read("F6/9/C").tones)) == classes("F A C D G")


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("C", "C D E F G A B"),
        ("G7", "G A B C D E F"),
        ("Dm7", "D E F G A B C"),
        ("Am", "A B C D E F G"),
        ("Bø", "B C D E F G A"),
        ("C7#11", "C D E F# G A Bb"),
        ("C7b9", "C Db E F G A Bb"),
        ("C7alt", "C Db D# E Gb G# Bb"),
        ("C+", "C D E F# G# A#"),
        ("CmMaj7", "C D Eb F G A B"),
        ("Cdim7", "C D Eb F Gb Ab A B"),
    ],
)
def test_the_scale_over_a_chord_is_the_usual_one(name: str, scale: str) -> None:
    assert set(np.flatnonzero(Chord.read(name).scale)) == classes(scale)


@pytest.mark.parametrize(
    "name",
    ["Hm7", "dm7", "Cfoo", "C7x", "C8", "Cm5", "C/", "C/H", "C/E/G", "Cdim9", "Cmaj7maj7", "CC", "m7", "Cb4", "%%"],
)
def test_what_is_no_chord_is_refused_with_its_bar(name: str) -> None:
    with pytest.raises(RequestError) as caught:
        ChordChart.read(f"C | F G | Am {name}")
    assert caught.value.message.startswith(f"bar 3: there is no chord {name!r}: ")
    assert "\n" not in caught.value.message


# -- charts ------------------------------------------------------------------------------------------------------------


def names(chart: ChordChart) -> list[list[tuple[str, str]]]:
    return [[(str(c.place), "" if c.chord is None else c.chord.name) for c in bar] for bar in chart.bars]


@pytest.mark.parametrize(
    ("text", "bars"),
    [
        ("Dm7 | G7 | Cmaj7 | %", [[("0", "Dm7")], [("0", "G7")], [("0", "Cmaj7")], [("0", "Cmaj7")]]),
        ("|Dm7|G7|\n| C ||", [[("0", "Dm7")], [("0", "G7")], [("0", "C")]]),
        ("C / / G7 | / F", [[("0", "C"), ("3/4", "G7")], [("0", "G7"), ("1/2", "F")]]),
        ("C G Am | N.C. C", [[("0", "C"), ("1/3", "G"), ("2/3", "Am")], [("0", ""), ("1/2", "C")]]),
    ],
)
def test_charts_are_read_as_they_are_written(text: str, bars: list[list[tuple[str, str]]]) -> None:
    assert names(ChordChart.read(text)) == bars


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a chord chart needs chords"),
        (" \n ", "a chord chart needs chords"),
        ("C | | G", "bar 2 of the chords is empty"),
        ("% | C", "bar 1: there is no bar before it"),
        ("/ C", "bar 1: there is no chord before it"),
        ("C | G\nF % | C", "bar 3: % is a whole bar"),
    ],
)
def test_charts_that_make_no_sense_are_refused_with_the_bar(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        ChordChart.read(text)


def test_a_chart_longer_than_the_bars_is_refused() -> None:
    chart = ChordChart.read("C | F | G")
    chart.fit(3)
    chart.fit(8)
    with pytest.raises(RequestError, match="the chord chart has 3 bars, and 2 are asked for"):
        chart.fit(2)


# -- what may begin ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beats", "strong"), [(4, [0, 2]), (3, [0]), (2, [0, 1]), (6, [0, 3]), (9, [0, 3, 6]), (12, [0, 3, 6, 9]), (5, [0]),
                          (7, [0]), (8, [0, 4]), (1, [0])]
)  # fmt: skip
def test_strong_beats_are_those_of_the_meter(beats: int, strong: list[int]) -> None:
    assert strong_beats(beats) == strong


def test_strong_beats_have_chord_tones_and_others_the_scale_without_a_wrong_third() -> None:
    chart = rule("Dm7 | G7", key="C")
    for tick in (0, 2 * BEAT, 2 * BAR, 4 * BAR + 2 * BEAT):
        assert begin(chart, tick) == classes("D F A C")
    assert begin(chart, BAR) == classes("G B D F")
    assert begin(chart, BEAT) == begin(chart, 3 * BEAT) == begin(chart, BEAT // 2) == classes("C D E F G A B")
    borrowed = rule("Cm", key="C")
    assert begin(borrowed, BEAT // 2) >= classes("E Eb")
    assert not begin(borrowed, BEAT) & classes("E")


def test_a_chord_that_begins_off_the_strong_beats_has_its_tones_there() -> None:
    chart = rule("C / / G7")
    assert begin(chart, 3 * BEAT) == classes("G B D F")
    assert begin(chart, 3 * BEAT - 12) == classes("C D E F G A B")
    assert begin(chart, BEAT) == classes("C D E F G A B")


def test_a_chord_of_the_key_has_the_scale_of_the_key_and_another_its_own_too() -> None:
    assert begin(rule("Em7", key="C"), 12) == classes("C D E F G A B")
    assert begin(rule("Em7"), 12) == classes("E F# G A B C# D")
    assert begin(rule("Ebmaj7", key="C"), 12) == classes("Eb F G Ab Bb C D") | classes("C D E F G A B")


def test_without_a_chord_everything_may_begin_or_what_lies_in_the_key() -> None:
    assert begin(rule("N.C."), 0) == set(range(12))
    assert begin(rule("N.C.", key="D"), 0) == classes("D E F# G A B C#")


def test_compound_meters_are_counted_in_their_groups() -> None:
    chart = rule("C", bar=6 * 24, beat=24)
    assert begin(chart, 3 * 24) == classes("C E G")
    assert begin(chart, 2 * 24) == classes("C D E F G A B")


def test_a_chart_begins_at_its_first_bar_and_begins_again() -> None:
    chart = rule("C | F", first=1000)
    assert begin(chart, 999) == set(range(12))
    for again in (0, 2, 40):
        assert begin(chart, 1000 + again * BAR) == classes("C E G")
        assert begin(chart, 1000 + (again + 1) * BAR) == classes("F A C")


def test_on_fine_grids_a_hair_beside_the_beat_is_the_beat() -> None:
    chart = rule("C | F", bar=1920, beat=480)
    assert begin(chart, 1920 - 20) == begin(chart, 1920 + 20) == classes("F A C")
    assert begin(chart, 1920 - 60) == classes("C D E F G A B")


@given(
    st.lists(st.lists(CHORDS | st.just("N.C."), min_size=1, max_size=4), min_size=1, max_size=6),
    st.sampled_from([(192, 48), (144, 48), (144, 24), (168, 24), (384, 96), (16, 4)]),
    st.none() | st.builds(Key, st.integers(0, 11), st.booleans()),
    st.integers(0, 500),
)
def test_there_is_always_something_to_begin(
    bars: list[list[str]], grid: tuple[int, int], key: Key | None, first: int
) -> None:
    chart = ChordChart.read(" | ".join(" ".join(bar) for bar in bars))
    ticks = np.arange(first, first + (len(bars) + 1) * grid[0])
    allowed = chart.rule(first, *grid, key).pitches(STATE, ticks)
    assert allowed.any(axis=1).all()
    for number, change in chart.changes():
        at = number * grid[0] + round(change.place * grid[0])
        if change.chord is not None and len(bars[number]) * grid[1] <= grid[0]:
            assert (allowed[at] == every_octave(change.chord.tones)).all()
    contradictions(chart, FULL)


def test_a_chord_with_no_tone_in_the_range_is_refused_before_anything_is_written() -> None:
    chart = ChordChart.read("C | F | Am E7")
    contradictions(chart, np.isin(np.arange(128), [60, 64, 65]))
    with pytest.raises(RequestError, match=r"bar 3: no tone of E7 \(E G# B D\) lies in the range asked for"):
        contradictions(chart, np.isin(np.arange(128), [60, 65]), "the range asked for")


# -- under the grammar -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_written_under_a_chart_keeps_to_it(scheme: str) -> None:
    grammar = (tokenizer := EventTokenizer.build(EventOptions(scheme))).grammar()
    timing = grammar.scheme.timing
    bar, beat = timing.bar((4, 4)), timing.ticks_per_beat[4]
    under = ChordChart.read("Dm7 | G7 C/E | N.C. F#ø").rule(0, bar, beat, Key(0, False))
    begun = 0
    for seed in range(24):
        constraints = Constraints(
            bars=4,
            programs=np.isin(np.arange(129), [0, 40, 128]),
            meter=False,
            pitch_rules=(under,),
        )
        ids = write(grammar, constraints, np.random.default_rng(seed))
        assert_valid(tokenizer, ids, constraints)
        cursor = grammar.cursor(constraints)
        for token in ids:
            cursor.advance(token)
            for note in cursor.state.made:
                if note.program != 128:
                    # Where a note was said to begin: a micro timing may move it from there.
                    tick = note.onset if grammar.scheme.note_off else cursor.state.tick
                    assert note.pitch % 12 in begin(under, tick)
                    begun += 1
    assert begun > 10, "few pitched notes began: little was tested"
