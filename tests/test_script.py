"""A kept rhythm, token by token: what may come next, what is left to choose, and that there is always something."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic import Note, Score, Track

from toccata.recipes import load
from toccata.tasks.pitches import Pitches
from toccata.tasks.script import PitchScript, slots, why_not
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.events import EventOptions
from toccata.tokenizers.load import build_tokenizer
from toccata.tokenizers.rulebook import Constraints
from toccata.tokenizers.text import TextOptions

KEEPERS = {"toccata": load("toccata").tokenizer, "TSD": EventOptions("TSD"), "text": TextOptions()}


@st.composite
def puzzles(draw: st.DrawFn) -> tuple[list[int], list[int], list[tuple[int, int]], list[tuple[int, int]], int]:
    """Voices, which of them move, and orders and differences that hold as they stand."""
    count = draw(st.integers(1, 12))
    start = draw(st.lists(st.integers(50, 60), min_size=count, max_size=count))
    order = [n if draw(st.booleans()) else -1 for n in range(count)]
    pairs = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=30))
    differ = [(a, b) for a, b in pairs if start[a] != start[b]]
    cut = draw(st.integers(0, len(differ)))
    below = [(a, b) if start[a] < start[b] else (b, a) for a, b in differ[:cut]]
    return start, order, below, differ[cut:], draw(st.integers(0, 2**32 - 1))


@given(puzzles())
@settings(deadline=None)
def test_what_must_hold_holds_whatever_is_chosen(
    puzzle: tuple[list[int], list[int], list[tuple[int, int]], list[tuple[int, int]], int],
) -> None:
    start, order, below, apart, seed = puzzle
    rng = np.random.default_rng(seed)
    allowed = np.zeros((len(start), 128), np.bool_)
    allowed[:, rng.integers(48, 62, 9)] = True
    pitches = Pitches(start, order, allowed, below, apart)
    assignment = pitches.start
    for voice, when in enumerate(order):
        if when >= 0:
            choices = pitches.choices(assignment, voice)
            assert choices
            assert all(allowed[voice, pitch] for pitch in choices) or list(choices) == [assignment[voice]]
            pitch = int(rng.choice(list(choices)))
            assert choices[pitch][voice] == pitch
            assert choices[pitch][:voice] == assignment[:voice]
            assignment = choices[pitch]
        assert all(assignment[low] < assignment[high] for low, high in below)
        assert all(assignment[one] != assignment[other] for one, other in apart)
    assert all(assignment[voice] == start[voice] for voice, when in enumerate(order) if when < 0)


def test_others_are_pushed_out_of_the_way_while_there_is_room() -> None:
    pitches = Pitches([60, 62, 64], [0, 1, -1], np.ones((3, 128), np.bool_), [(0, 1), (1, 2)], [])
    choices = pitches.choices(pitches.start, 0)
    assert max(choices) == 62  # a place is left for the second, beneath the third, which stays
    assert choices[62] == (62, 63, 64)
    assert min(choices) == 0


def song() -> Score:
    score = Score(480)
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.extend(Note(240 * n, 240, 60 + n % 5, 80) for n in range(8))
    score.tracks[0].notes.extend([Note(0, 960, 48, 80), Note(960, 960, 50, 80)])
    return score


@pytest.mark.parametrize("name", KEEPERS)
def test_all_but_open_pitches_is_given(name: str) -> None:
    tokenizer: Tokenizer = build_tokenizer(KEEPERS[name])
    grammar = tokenizer.grammar()
    assert why_not(tokenizer) == ""
    ids = tokenizer.encode(song(), start=False).ids.tolist()
    base = [part for token in ids for part in grammar.base(token)]
    found = slots(grammar, base, (4, 4))
    assert sorted(slot.pitch for slot in found) == sorted(note.pitch for note in song().tracks[0].notes)
    opened = [n for n, slot in enumerate(found) if slot.pitch >= 60]
    voices = [opened.index(n) if n in opened else -1 for n in range(len(found))]
    known = np.tile(grammar.scheme.pitches(False) & (np.arange(128) >= 60), (len(opened), 1))
    pitches = Pitches([found[n].pitch for n in opened], opened, known, [], [])
    script = PitchScript(grammar.scheme, base, voices, pitches)
    cursor = grammar.cursor(Constraints(script=script), meter=(4, 4))
    rng = np.random.default_rng(1)
    written: list[int] = []
    while not cursor.state.ended:
        may = [token for token in np.flatnonzero(cursor.allowed()).tolist() if cursor.admits(token)]
        token = int(rng.choice(may))
        if len(cursor.begun) in opened and len(may) > 1:
            assert base[cursor.place] in may or grammar.merges is not None
        written.append(token)
        cursor.advance(token)
    made = [part for token in written for part in grammar.base(token)]
    assert len(made) == len(base)
    places = [found[n].place for n in opened]
    assert [t for n, t in enumerate(made) if n not in places] == [t for n, t in enumerate(base) if n not in places]
    assert [made[place] for place in places] != [base[place] for place in places]
    after = tokenizer.decode(np.array(written, np.int32))
    before = tokenizer.decode(np.array(ids, np.int32))

    def rhythm(score: Score) -> list[tuple[int, int, int]]:
        return sorted((n.time, n.duration, n.velocity) for t in score.tracks for n in t.notes)

    assert rhythm(after) == rhythm(before)


def test_copies_of_a_cursor_do_not_disturb_each_other() -> None:
    tokenizer = build_tokenizer(KEEPERS["toccata"])
    grammar = tokenizer.grammar()
    base = [part for token in tokenizer.encode(song(), start=False).ids.tolist() for part in grammar.base(token)]
    found = slots(grammar, base, (4, 4))
    count = len(found)
    order = [(n, n + 1) for n in range(count - 1) if found[n].pitch < found[n + 1].pitch]
    pitches = Pitches([slot.pitch for slot in found], list(range(count)), np.ones((count, 128), np.bool_), order, [])
    script = PitchScript(grammar.scheme, base, list(range(count)), pitches)
    first = grammar.cursor(Constraints(script=script), meter=(4, 4))
    while grammar.scheme.kinds[base[first.place]] != grammar.scheme.start_kind:
        first.advance(base[first.place])
    other = copy.copy(first)
    other.state = copy.copy(first.state)
    mask = first.allowed()
    for _ in range(12):
        other.advance(int(np.flatnonzero(other.allowed())[-1]))
    assert np.array_equal(first.allowed(), mask)


def test_something_changes_where_it_can() -> None:
    tokenizer = build_tokenizer(KEEPERS["toccata"])
    grammar = tokenizer.grammar()
    base = [part for token in tokenizer.encode(song(), start=False).ids.tolist() for part in grammar.base(token)]
    found = slots(grammar, base, (4, 4))
    voices = [0 if n == 4 else -1 for n in range(len(found))]
    for changed in (False, True):
        pitches = Pitches([found[4].pitch], [4], np.ones((1, 128), np.bool_), [], [])
        script = PitchScript(grammar.scheme, base, voices, pitches, changed=changed)
        cursor = grammar.cursor(Constraints(script=script), meter=(4, 4))
        while cursor.place < found[4].place:
            cursor.advance(base[cursor.place])
        assert cursor.allowed()[base[cursor.place]] == changed


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (EventOptions("MIDILike"), "when a pitch ends"),
        (EventOptions("REMI", {"use_pitch_intervals": True}), "steps from note to note"),
    ],
)
def test_why_a_rhythm_cannot_be_kept(options: EventOptions, reason: str) -> None:
    assert reason in why_not(build_tokenizer(options))
