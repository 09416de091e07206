"""Figures that come back: what is expected of a line, what is made likelier, and what less likely."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic import Score

from decoding import decode
from test_guards import REMI, Parrot, in_quarters
from toccata.engine.figures import Figures
from toccata.engine.guards import Ids
from toccata.engine.sampling import Sampling
from toccata.recipes import load
from toccata.tasks.compile import compile_request
from toccata.tasks.request import Request
from toccata.tokenizers.events import EventOptions, EventTokenizer

QUARTER, PITCHES = 12, 128
MOTIF = ((0, 60), (12, 64), (18, 62), (24, 67), (36, 65))
"""Bins and pitches: five notes, so four steps."""
CLOSE = (48, 72)


@pytest.fixture(scope="module")
def tokenizer() -> EventTokenizer:
    options = load("toccata").tokenizer
    assert isinstance(options, EventOptions)
    return EventTokenizer.build(options)


def figures(tokenizer: EventTokenizer) -> Figures:
    return Figures(Ids(tokenizer.grammar()), QUARTER, 1.0, 2.0)


def play(found: Figures, notes: list[tuple[int, int]], program: int = 0) -> None:
    for onset, pitch in notes:
        found._add(program, onset, pitch)


def moved(bins: int, semitones: int) -> list[tuple[int, int]]:
    return [(onset + bins, pitch + semitones) for onset, pitch in MOTIF]


@settings(max_examples=50, deadline=None)
@given(semitones=st.integers(-12, 12).filter(bool), bins=st.integers(60, 500), program=st.integers(1, 127))
def test_a_figure_is_expected_on_another_step_in_any_instrument(
    tokenizer: EventTokenizer, semitones: int, bins: int, program: int
) -> None:
    found = figures(tokenizer)
    play(found, [*MOTIF, CLOSE])
    again = moved(bins, semitones)
    play(found, again[:4], program)
    onset, pitch = again[4]
    assert found.expected(program, onset) == (pitch, False)
    assert found.expected(program, onset + 1) is None  # in another rhythm it is no figure


def test_a_repeat_note_for_note_is_found_and_one_note_again_is_none(tokenizer: EventTokenizer) -> None:
    found = figures(tokenizer)
    play(found, [*MOTIF, CLOSE])
    again = moved(96, 0)
    play(found, again[:4], 1)
    assert found.expected(1, again[4][0]) == (again[4][1], True)
    play(found, [(bins, 50) for bins in range(0, 96, 12)], 2)
    assert found.expected(2, 96) is None


def test_the_line_is_of_the_highest_notes(tokenizer: EventTokenizer) -> None:
    found = figures(tokenizer)
    play(found, [note for onset, pitch in (*MOTIF, CLOSE) for note in ((onset, pitch - 12), (onset, pitch))])
    again = moved(96, 5)
    play(found, again[:4])
    assert found.expected(0, again[4][0]) == (again[4][1], False)


def test_the_bonus_is_on_that_pitch_and_a_note_is_as_likely_as_before(tokenizer: EventTokenizer) -> None:
    found, grammar = figures(tokenizer), tokenizer.grammar()
    play(found, [*MOTIF, CLOSE])
    again = moved(96, 2)
    play(found, again[:4])
    cursor = grammar.cursor()
    cursor.state.program, cursor.state.tick = 0, again[4][0]
    logits = np.zeros(grammar.size, np.float32)
    pitches, values = Ids(grammar).pitched
    allowed = np.zeros(grammar.size, np.bool_)
    allowed[pitches] = True
    found.steer(logits, allowed, cursor.state)
    assert values[np.argmax(logits[pitches])] == again[4][1]
    assert logits[pitches].max() - logits[pitches].min() == pytest.approx(1, abs=1e-6)
    assert np.logaddexp.reduce(logits[pitches]) == pytest.approx(np.log(len(pitches)), abs=1e-5)
    assert not logits[~allowed].any()
    literal = figures(tokenizer)
    play(literal, [*MOTIF, CLOSE])
    play(literal, moved(96, 0)[:4])
    logits[:] = 0
    literal.steer(logits, allowed, cursor.state)
    assert values[np.argmin(logits[pitches])] == MOTIF[4][1]
    assert logits[pitches].max() - logits[pitches].min() == pytest.approx(2, abs=1e-6)


def test_new_music_has_more_figures_with_a_larger_bonus() -> None:
    shares = []
    for bonus in (0.0, 1.0, 3.0):
        parrot = Parrot(lambda *_: in_quarters({"any": 8.0}), REMI)
        task = compile_request(Request(bars=24, meter=(4, 4), pitches=(60, 67)), REMI, 100)
        done = decode(parrot, REMI, task, 3, Sampling(figure_bonus=bonus))
        shares.append(_heard_before(REMI.decode(done.ids)))
    assert shares[0] < shares[1] < shares[2]


def _heard_before(score: Score) -> float:
    """The share of rows of two steps that were there before."""
    (track,) = score.tracks
    notes = sorted((n.time, n.pitch) for n in track.notes)
    steps = [(b[1] - a[1], b[0] - a[0]) for a, b in pairwise(notes)]
    pairs = list(pairwise(steps))
    return sum(pair in pairs[:place] for place, pair in enumerate(pairs)) / max(1, len(pairs))
