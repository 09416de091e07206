"""An end that sounds like one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from test_grammar import assert_valid, write
from toccata.errors import RequestError
from toccata.midi.keys import Key, estimate, every_octave
from toccata.tasks.cadence import Cadence
from toccata.tokenizers.events import SCHEMES, EventOptions, EventTokenizer
from toccata.tokenizers.rulebook import Constraints, Ends
from toccata.tokenizers.state import State

REMI = EventTokenizer.build(EventOptions("REMI"))
KEYS = st.builds(Key, st.integers(0, 11), st.booleans())
C, BAR, BEAT = Key.read("C"), 192, 48


def state(*histogram: int) -> State:
    """A state that has heard so much of each pitch class."""
    found = State(REMI.grammar().scheme)
    found.pitch_class_histogram = np.array(histogram or [0] * 12, np.int64)
    return found


def begin(cadence: Cadence, tick: int, at: State | None = None) -> set[int]:
    """The pitch classes that may begin at a tick."""
    allowed = cadence.pitches(at or state(), np.array([tick]))[0]
    assert (every_octave(allowed[:12]) == allowed).all()
    return set(np.flatnonzero(allowed[:12]).tolist())


def test_the_dominant_leads_to_the_tonic() -> None:
    cadence = Cadence(Key.read("D minor"), 3 * BAR, BAR, BEAT)
    dominant, tonic = {9, 1, 4, 7}, {2, 5, 9}
    assert begin(cadence, 2 * BAR + 2 * BEAT) == dominant
    for tick in (0, BAR, 2 * BAR, 2 * BAR + BEAT, 2 * BAR + 3 * BEAT, 3 * BAR - 12):
        assert begin(cadence, tick) == set(range(12)), f"tick {tick} of a bar that only leads there"
    for beat in range(4):
        assert begin(cadence, 3 * BAR + beat * BEAT) == (tonic if beat in (0, 2) else set()), "the last bar rests"
        assert begin(cadence, 3 * BAR + beat * BEAT + 12) == set()
    assert begin(cadence, cadence.start) == dominant
    assert begin(cadence, cadence.start - 1) == set(range(12))


@pytest.mark.parametrize(
    ("beats", "dominants"), [(4, [2]), (3, [2]), (2, [1]), (6, [3]), (9, [6]), (12, [6, 9]), (5, [4]), (1, [0])]
)
def test_in_every_meter_there_is_a_beat_for_the_dominant(beats: int, dominants: list[int]) -> None:
    cadence = Cadence(C, 10 * beats * 12, beats * 12, 12)
    found = [beat for beat in range(beats) if begin(cadence, (9 * beats + beat) * 12) == {7, 11, 2, 5}]
    assert found == dominants


def test_a_piece_of_one_bar_has_a_tonic() -> None:
    assert begin(Cadence(C, 0, BAR, BEAT), 0) == {0, 4, 7}


@given(KEYS)
def test_without_a_key_it_is_the_one_that_was_heard(key: Key) -> None:
    histogram = key.scale().astype(np.int64) * 10 + key.triad() * 30
    assert estimate(histogram.astype(float)) == key
    open_key, given_key = Cadence(None, BAR, BAR, BEAT), Cadence(key, BAR, BAR, BEAT)
    ticks = np.arange(2 * BAR)
    at = state(*histogram.tolist())
    assert (open_key.pitches(at, ticks) == given_key.pitches(at, ticks)).all()


def test_where_nothing_was_heard_it_is_c_major() -> None:
    assert begin(Cadence(None, BAR, BAR, BEAT), BAR) == {0, 4, 7}


def test_an_end_that_key_and_range_forbid_is_refused() -> None:
    only = np.isin(np.arange(128), [62, 65])
    with pytest.raises(RequestError, match="no tone of C major's tonic lies in the range"):
        Cadence(C, BAR, BAR, BEAT).contradictions(only, "the range")
    with pytest.raises(RequestError, match="no tone of C major's dominant lies in the key and the range asked for"):
        Cadence(C, BAR, BAR, BEAT).contradictions(np.isin(np.arange(128), [60]))
    Cadence(C, BAR, BAR, BEAT).contradictions(np.ones(128, np.bool_))
    Cadence(None, BAR, BAR, BEAT).contradictions(only)


@pytest.mark.parametrize("key", [None, Key.read("F# minor")])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_written_comes_to_its_end(scheme: str, key: Key | None) -> None:
    grammar = (tokenizer := EventTokenizer.build(EventOptions(scheme))).grammar()
    timing = grammar.scheme.timing
    bar = timing.bar((4, 4))
    cadence = Cadence(key, 2 * bar, bar, timing.ticks_per_beat[4])
    rested = 0
    for seed in range(8):
        constraints = Constraints(
            bars=3,
            programs=np.isin(np.arange(129), [0, 40]),
            meter=False,
            pitch_rules=(cadence,),
            ends=Ends.ON_A_NOTE,
        )
        ids = write(grammar, constraints, np.random.default_rng(seed))
        if key is not None:
            assert_valid(tokenizer, ids, constraints)
        cursor = grammar.cursor(constraints)
        for token in ids:
            before = cursor.state.pitch_class_histogram
            cursor.advance(token)
            for note in cursor.state.made:
                tick = note.onset if grammar.scheme.note_off else cursor.state.tick
                if note.program != 128 and (key is not None or not grammar.scheme.note_off):
                    at = state(*before.tolist())
                    assert note.pitch % 12 in begin(cadence, tick, at)
                    rested += tick >= 2 * bar
    assert rested or (key is None and grammar.scheme.note_off), "nothing was written in the last bar"


@dataclass(frozen=True)
class Narrow:
    """Nothing but C3 to C6 begins before a tick."""

    until: int

    def pitches(self, state: State, ticks: NDArray[np.int64]) -> NDArray[np.bool_]:
        middle = np.isin(np.arange(128), range(48, 85))
        return np.where((ticks < self.until)[:, None], middle, np.ones(128, np.bool_))


@pytest.mark.parametrize("scheme", ["RunningStatus", "REMI"])
def test_the_last_chord_is_no_fuller_and_no_wider_than_the_piece(scheme: str) -> None:
    """Else all tones of the tonic that may begin would, over the whole keyboard, and no hands could play them."""
    grammar = EventTokenizer.build(EventOptions(scheme)).grammar()
    timing = grammar.scheme.timing
    bar = timing.bar((4, 4))
    constraints = Constraints(
        bars=4,
        programs=np.isin(np.arange(129), [0]),
        pitches=np.isin(np.arange(128), range(24, 109)),
        meter=False,
        pitch_rules=(Narrow(2 * bar), Cadence(C, 3 * bar, bar, timing.ticks_per_beat[4])),
        ends=Ends.ON_A_NOTE,
    )

    def last_chords(calm: bool, seed: int) -> list[tuple[int, int, int]]:
        """For each note of the last bar but the first: how many sound then, the most before the ending, its pitch."""
        rules, most = replace(constraints, calm=calm), 0
        cursor, found = grammar.cursor(rules), list[tuple[int, int, int]]()
        for token in write(grammar, rules, np.random.default_rng(seed)):
            cursor.advance(token)
            for note in cursor.state.made:
                sounding = int((cursor.state.ends[0] > cursor.state.tick).sum())
                if cursor.state.bar < 2:
                    most = max(most, sounding)
                elif cursor.state.bar == 3:
                    found.append((sounding, most, note.pitch))
        return found[1:]

    calm = [chord for seed in range(6) for chord in last_chords(True, seed)]
    wild = [chord for seed in range(6) for chord in last_chords(False, seed)]
    assert all(sounding <= min(8, most) and 46 <= pitch <= 86 for sounding, most, pitch in calm if most)
    assert any(sounding > most for sounding, most, _ in wild)
    assert any(not 46 <= pitch <= 86 for _, _, pitch in wild)
