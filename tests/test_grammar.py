"""Whatever is drawn within the grammar is a valid piece, and there is always something to draw."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from toccata.errors import RecipeError
from toccata.tasks.ensemble import InBars, InMostBars, LearnedTogether
from toccata.tasks.fit import BassBelow, Consonant, Surroundings
from toccata.tasks.voiced import ChordSpan, Voiced
from toccata.tokenizers.events import SCHEMES, EventOptions, EventTokenizer
from toccata.tokenizers.grammar import Grammar
from toccata.tokenizers.rulebook import Constraints, Ends
from toccata.tokenizers.state import State
from toccata.tokenizers.vocabulary import DRUMS

CASES = int(os.environ.get("TOCCATA_CASES", "12"))
"""Random pieces for each tokenizer below; `make nightly` asks for many more."""
OPTIONS: list[dict[str, Any]] = [
    {},
    {"program_changes": True},
    {"use_rests": True, "use_chords": True},
    {"use_programs": False},
    {"use_velocities": False, "use_tempos": False},
    {"use_time_signatures": False},
    {"use_pitch_intervals": True},
    {"use_sustain_pedals": True, "sustain_pedal_duration": True},
    {"use_sustain_pedals": True},
    {"use_pitch_bends": True, "use_control_changes": True},
    {"use_pitchdrum_tokens": False, "use_key_signatures": True},
    {"use_note_duration_programs": list(range(60))},
]
UNSUPPORTED = {
    "RunningStatus": [*OPTIONS[1:3], *OPTIONS[6:10], OPTIONS[11]],
}
TOKENIZERS = [
    pytest.param(scheme, options, id=f"{scheme}-{'-'.join(options) or 'default'}")
    for scheme in SCHEMES
    for options in OPTIONS
    if options not in UNSUPPORTED.get(scheme, []) and not (scheme == "Structured" and options not in OPTIONS[:4])
]


MOST = 400
"""Ids after which a random sequence is brought to its end by the shortest way."""


def write(grammar: Grammar, constraints: Constraints, rng: np.random.Generator, most: int = MOST) -> list[int]:
    """A random sequence within the grammar, some ids liked better than others.

    Asserts that there is always a next one.
    """
    cursor = grammar.cursor(constraints)
    liked = rng.gamma(0.3, size=grammar.size) + 1e-9
    ids: list[int] = []
    while not cursor.state.ended:
        assert len(ids) < 40 * most, "no end"
        cursor.closing = len(ids) > most
        allowed = cursor.allowed()
        while True:
            weights = np.cumsum(liked * allowed)
            assert weights[-1] > 0, f"dead end after {cursor.state.prev.name} at tick {cursor.state.tick}"
            token = int(np.searchsorted(weights, rng.random() * weights[-1], side="right"))
            if cursor.admits(token):
                break
            allowed[token] = False
        ids.append(token)
        cursor.advance(token)
    return ids


def assert_valid(tokenizer: EventTokenizer, ids: list[int], constraints: Constraints) -> None:
    """Decode with MidiTok and look.

    As many notes as were written, none hanging, doubled, overlapping or past the end.
    """
    cursor = tokenizer.grammar().cursor(constraints)
    for token in ids:
        cursor.advance(token)
    score = tokenizer.decode(np.array(ids, np.int32))
    assert score.note_num() == cursor.state.notes
    assert score.ticks_per_quarter == tokenizer.grammar().scheme.timing.ticks_per_quarter
    assert constraints.bars is None or cursor.state.bar in (constraints.bars - 1, constraints.bars)
    ended_early = len(ids) > MOST  # once a piece is brought to its end, nothing holds that up
    promised = constraints.bars is not None and constraints.ends is not Ends.ANYHOW and not ended_early
    if constraints.pitches is None and not (constraints.pitch_rules or constraints.rests) and promised:
        ends = [note.end for track in score.tracks for note in track.notes]
        last = cursor.end_tick - cursor.state.ticks_per_bar
        assert ends, "silence"
        assert constraints.ends is Ends.AFTER_A_NOTE or max(ends) > last
        assert constraints.ends is not Ends.ON_A_NOTE or cursor.state.onset >= last
    if not ended_early and constraints.pitches is None and not (constraints.pitch_rules or constraints.rests):
        assert_played(tokenizer, ids, constraints)
    for track in score.tracks:
        program = DRUMS if track.is_drum else track.program
        assert constraints.programs is None or constraints.programs[program]
        free: dict[int, int] = {}
        for note in sorted(track.notes, key=lambda n: (n.time, n.pitch)):
            assert note.duration > 0
            assert note.time >= free.get(note.pitch, 0)
            assert note.time + note.duration <= cursor.end_tick
            assert constraints.pitches is None or track.is_drum or constraints.pitches[note.pitch]
            for rule in () if track.is_drum else constraints.pitch_rules:
                assert rule.pitches(cursor.state, np.array([note.time]))[0, note.pitch]
            rests = np.append(constraints.rests.get(program, []), False)
            assert not rests[min(note.time, len(rests) - 1)]
            assert constraints.ranges is None or constraints.ranges[program, note.pitch]
            free[note.pitch] = note.time + note.duration
        if constraints.lines is not None and not tokenizer.grammar().scheme.note_off:
            for note in track.notes:
                at_once = sum(n.time <= note.time < n.time + n.duration for n in track.notes)
                assert at_once <= constraints.lines[program]


def assert_played(tokenizer: EventTokenizer, ids: list[int], constraints: Constraints) -> None:
    """Every player that must play in a bar begins a note there, or one of it sounds, and so is in its way."""
    if not constraints.players:
        return
    cursor = tokenizer.grammar().cursor(constraints)
    grammar = tokenizer.grammar()
    shortest = max(int(lengths.max()) for lengths in grammar.scheme.shortest_notes.values())
    missing: dict[int, tuple[int, list[int]]] = {}
    for token in [base for i in ids for base in grammar.base(i)]:
        state = cursor.state
        bar, start, end = state.bar, state.bar_tick, state.bar_tick + state.ticks_per_bar
        cursor.read(token)
        if (state.ended or state.bar != bar) and bar < (constraints.bars or bar + 1):
            sounding = [p for p, ends in state.ends.items() if (ends > start).any()]
            late = end if state.ended else state.bar_tick
            left = [p for p in missing.get(bar, (0, []))[1] if p not in sounding] if late - start > shortest else []
            assert not left, f"{left} did not play in bar {bar}"
        missing[state.bar] = (
            state.tick,
            [
                entry.program
                for players in constraints.players
                if not isinstance(players, Voiced)
                for entry in players.missing(state)
                if cursor.plays(entry.program)
            ],
        )


@dataclass(frozen=True)
class Turning:
    """A rule at random: other pitches every few ticks, now and then none."""

    table: NDArray[np.bool_]
    step: int

    @classmethod
    def of(cls, rng: np.random.Generator, grammar: Grammar) -> Turning:
        left = 0.5 if grammar.shift_needs_note else rng.choice([0.0, 0.02, 0.5])
        return cls(rng.random((int(rng.integers(1, 8)), 128)) < left, int(rng.integers(1, 30)))

    def pitches(self, state: State, ticks: NDArray[np.int64]) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.table[ticks // self.step % len(self.table)]
        return found


def constraints_of(rng: np.random.Generator, tokenizer: EventTokenizer) -> Constraints:
    """A request at random: bars, some programs, some pitches, down to a single one."""
    programs = None
    if tokenizer.grammar().scheme.has_programs and rng.random() < 0.5:
        programs = np.isin(np.arange(DRUMS + 1), rng.integers(0, DRUMS + 1, rng.integers(1, 4)))
    pitches = np.isin(np.arange(128), rng.integers(30, 90, rng.integers(1, 12))) if rng.random() < 0.4 else None
    tempo, meter = bool(rng.integers(2)), bool(rng.integers(2))
    # Where time passes only to a note, there must be one that it can pass to.
    ruled = rng.random() < 0.5 and not (tokenizer.grammar().shift_needs_note and pitches is not None)
    return Constraints(
        bars=int(rng.integers(1, 5)),
        programs=programs,
        pitches=pitches,
        tempo=tempo,
        meter=meter,
        steady=bool(rng.integers(2)),
        pitch_rules=tuple(Turning.of(rng, tokenizer.grammar()) for _ in range(int(rng.integers(1, 3)) if ruled else 0)),
        ends=Ends(int(rng.integers(len(Ends)))),
        **ensemble_of(rng, tokenizer, programs, pitches),
    )


def ensemble_of(
    rng: np.random.Generator,
    tokenizer: EventTokenizer,
    programs: NDArray[np.bool_] | None,
    pitches: NDArray[np.bool_] | None,
) -> dict[str, Any]:
    """Ranges, lines and players at random, for one request in two."""
    found: dict[str, Any] = {}
    if rng.random() < 0.3:
        middle = rng.integers(30, 90, DRUMS + 1)[:, None]
        found["ranges"] = abs(np.arange(128)[None] - middle) <= rng.integers(6, 40)
        # Some pitch of each, that it has a token for.
        grammar = tokenizer.grammar()
        for program in range(DRUMS + 1):
            known = grammar.scheme.pitches(program == DRUMS)
            if pitches is not None and program != DRUMS:
                known = known & pitches
            if not (found["ranges"][program] & known).any():
                found["ranges"][program] = True
    if rng.random() < 0.3:
        found["lines"] = rng.integers(1, 4, DRUMS + 1)
    if rng.random() < 0.4:
        wanted = [0]
        if tokenizer.grammar().scheme.has_programs:
            some = np.arange(DRUMS) if programs is None else np.flatnonzero(programs)
            wanted = rng.choice(some, min(len(some), 3), replace=False).tolist()
        bars = {bar: [(p, int(rng.integers(300))) for p in wanted[: int(rng.integers(1, 4))]] for bar in range(5)}
        found["players"] = (InMostBars(wanted) if rng.random() < 0.5 else InBars(bars),)
    if rng.random() < 0.2:
        known = np.arange(DRUMS + 1) if programs is None else np.flatnonzero(programs)
        found["joining"] = LearnedTogether(tuple(frozenset(rng.choice(known, 3).tolist()) for _ in range(3)))
    if rng.random() < 0.2 and not tokenizer.grammar().shift_needs_note:
        some = [0] if programs is None else np.flatnonzero(programs[:DRUMS]).tolist()
        found["rests"] = {program: rng.random(int(rng.integers(1, 300))) < 0.5 for program in some}
    if rng.random() < 0.3:
        around = rng.random((200, 128)) < 0.03
        lowest, bass = (rng.integers(0, 128, 200) for _ in range(2))
        surroundings = Surroundings(around, lowest, bass)
        begins = np.cumsum(rng.integers(1, 40, 12)).tolist()
        chords = [
            ChordSpan(a, b, int(rng.integers(12)), tuple(rng.integers(0, 12, 3).tolist())) for a, b in pairwise(begins)
        ]
        found["preferences"] = (Voiced(tuple(chords)), Consonant(surroundings), BassBelow(surroundings), BassBelow())
        found["players"] = (*found.get("players", ()), Voiced(tuple(chords)))
    return found


@pytest.fixture(scope="module")
def built() -> dict[str, EventTokenizer]:
    return {}


def test_a_program_at_the_last_moment_is_followed_by_a_note() -> None:
    """An instrument that is named a tick before the end of a piece that has none: time may not pass without a note."""
    tokenizer = EventTokenizer.build(EventOptions("MIDILike", {"program_changes": True}))
    rng = np.random.default_rng(2208695)
    constraints = constraints_of(rng, tokenizer)
    assert_valid(tokenizer, write(tokenizer.grammar(), constraints, rng), constraints)


@pytest.mark.parametrize(("scheme", "options"), TOKENIZERS)
def test_every_sequence_is_a_valid_piece(
    scheme: str, options: dict[str, Any], built: dict[str, EventTokenizer]
) -> None:
    tokenizer = EventTokenizer.build(EventOptions(scheme, options))

    @settings(max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=CASES < 100)
    @given(st.integers(0, 2**32))
    def cases(seed: int) -> None:
        rng = np.random.default_rng(seed)
        constraints = constraints_of(rng, tokenizer)
        assert_valid(tokenizer, write(tokenizer.grammar(), constraints, rng), constraints)

    cases()


def test_merged_ids_are_looked_through(merged: EventTokenizer) -> None:
    grammar = merged.grammar()
    assert grammar.merges is not None  # else nothing is tested
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        constraints = constraints_of(rng, merged)
        ids = write(grammar, constraints, rng)
        assert_valid(merged, ids, constraints)
    assert any(len(grammar.base(i)) > 1 for i in ids), "no merged id was ever drawn: nothing was tested"


def test_a_piece_of_unlimited_bars_ends_when_it_is_told_to() -> None:
    tokenizer = EventTokenizer.build(EventOptions("REMI"))
    ids = write(tokenizer.grammar(), Constraints(), np.random.default_rng(1), most=100)
    assert_valid(tokenizer, ids, Constraints())


@pytest.mark.parametrize(("scheme", "options"), [(name, o) for name, group in UNSUPPORTED.items() for o in group])
def test_what_a_scheme_cannot_do_is_refused(scheme: str, options: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"tokenizer\.options"):
        EventTokenizer.build(EventOptions(scheme, options))
