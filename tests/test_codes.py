"""Codes of a learned codebook: what the codec says is played, whatever the codes, and held notes stay held.

The codec is the one thing that is made up here: a table that knows every quarter it was shown and plays noise for the
others. The networks have tests of their own.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from symusic import Note, Score, Track

from test_grammar import write
from toccata.errors import ModelError, RecipeError, RequestError
from toccata.files import write_json
from toccata.midi.bars import bar_map
from toccata.midi.read import find_midi, read_score
from toccata.tasks.compile import compile_request
from toccata.tasks.passage import passage
from toccata.tasks.request import Request
from toccata.tokenizers.codes import FILE, CodesOptions, CodesTokenizer
from toccata.tokenizers.load import build_tokenizer, load_tokenizer
from toccata.tokenizers.rolls import notes, rolls
from toccata.tokenizers.rulebook import Constraints

CASES = int(os.environ.get("TOCCATA_CASES", "12"))
OPTIONS = CodesOptions(codes=3, codebook=64)
FINGERPRINT = "fe4de5065e7a46076c5ddccf492b8fb0a3bbee2e2f08d2c49c1cdb9f24de3c2c"


class Table:
    """A codec that numbers the quarters it is shown; the codes are that number's digits."""

    fingerprint, threshold = "table", 0.5
    steps, codes, codebook = OPTIONS.steps, OPTIONS.codes, OPTIONS.codebook

    def __init__(self) -> None:
        self.seen: dict[bytes, int] = {}
        self.known: list[NDArray[np.uint8]] = []

    def save(self, folder: Path) -> None:
        """It has no files."""

    def encode(self, slices: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Rolls as digits."""
        numbers = []
        for one in slices:
            number = self.seen.setdefault(one.tobytes(), len(self.known))
            if number == len(self.known):
                self.known.append(one)
            numbers.append(number)
        n = np.array(numbers, np.int32)
        return np.stack([n // 64**2, n // 64 % 64, n % 64], axis=1)

    def decode(self, codes: NDArray[np.int32]) -> NDArray[np.float32]:
        """Digits as rolls; of numbers that were never given, noise."""
        out = []
        for a, b, c in codes.tolist():
            number = (a * 64 + b) * 64 + c
            noise = np.random.default_rng(number).random((2, 88, 24)) ** 6
            out.append(self.known[number] if number < len(self.known) else noise)
        return np.array(out, np.float32)


@pytest.fixture
def tokenizer() -> CodesTokenizer:
    return CodesTokenizer(OPTIONS, Table())


def spelled(score: Score, ticks: int = 24) -> list[tuple[int, int, int]]:
    """Onset, end and pitch of every note on a grid of ``ticks`` a quarter."""
    scale = ticks / score.ticks_per_quarter
    return sorted(
        (round(n.time * scale), round(n.end * scale), n.pitch) for t in score.tracks if not t.is_drum for n in t.notes
    )


def test_what_the_rolls_hold_comes_back_note_for_note(data: Path, tokenizer: CodesTokenizer) -> None:
    for path in find_midi(data / "bach" / "mutopia")[::60]:
        score = read_score(path)
        assert spelled(tokenizer.decode(tokenizer.encode(score))) == spelled(notes(rolls(score)))


def test_a_note_held_over_three_quarters_is_one_note(tokenizer: CodesTokenizer) -> None:
    score = Score(480)
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.append(Note(240, 1320, 60, 80))
    tokens = tokenizer.encode(score)
    assert len(tokens) == 2 + 4 * OPTIONS.codes
    assert spelled(tokenizer.decode(tokens)) == [(12, 78, 60)]


def test_silence_is_said_where_a_passage_has_it(tokenizer: CodesTokenizer) -> None:
    score = Score(480)
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.append(Note(0, 480, 60, 80))
    score.tracks[0].notes.append(Note(480 * 8, 480, 62, 80))
    bars = bar_map(score)
    assert len(passage(tokenizer, score, bars, 0, 2).ids) == 1 + 8 * OPTIONS.codes
    task = compile_request(Request(prompt=score, seam=int(bars.starts[2]), bars=2), tokenizer, 400)
    assert (task.cursor.state.tick, task.start) == (8 * 24, 8 * 24)
    assert task.cursor.end_tick == 16 * 24


@given(st.integers(0, 2**32))
@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_codes_are_drawn_are_a_valid_piece_of_the_bars_asked_for(seed: int) -> None:
    tokenizer, rng = CodesTokenizer(OPTIONS, Table()), np.random.default_rng(seed)
    bars, meter = int(rng.integers(1, 6)), [(4, 4), (3, 4), (6, 8), (7, 8)][rng.integers(4)]
    cursor = tokenizer.grammar().cursor(Constraints(bars=bars), meter=meter)
    ids = write(tokenizer.grammar(), Constraints(bars=bars), rng, most=200) if meter == (4, 4) else []
    while meter != (4, 4) and not cursor.state.ended:
        token = int(rng.choice(np.flatnonzero(cursor.allowed())))
        ids.append(token)
        cursor.advance(token)
    for token in ids if meter == (4, 4) else []:
        cursor.advance(token)
    assert cursor.state.ended
    assert cursor.state.bar in (bars - 1, bars)
    score = tokenizer.decode(np.array(ids, np.int32))
    assert score.note_num() == cursor.state.notes
    for track in score.tracks:
        free: dict[int, int] = {}
        for note in track.notes:
            assert note.duration > 0
            assert note.time >= free.get(note.pitch, 0)
            free[note.pitch] = note.end


def test_it_is_saved_and_loaded_with_the_codec_that_is_handed_in(tmp_path: Path, tokenizer: CodesTokenizer) -> None:
    tokenizer.save(tmp_path)
    again = load_tokenizer(tmp_path, lambda folder: tokenizer.codec)
    assert again.fingerprint == tokenizer.fingerprint
    with pytest.raises(ModelError, match="networks"):
        load_tokenizer(tmp_path)


def test_files_of_before_are_read_and_the_fingerprint_is_what_it_was(tmp_path: Path, tokenizer: CodesTokenizer) -> None:
    write_json(tmp_path / FILE, {"options": {"scheme": "codes", "codes": 3, "book": 64, "steps": 24, "merges": 0}})
    again = load_tokenizer(tmp_path, lambda folder: tokenizer.codec)
    assert again.options == OPTIONS  # type: ignore[attr-defined]
    assert again.fingerprint == tokenizer.fingerprint == FINGERPRINT


def test_faults_are_told_in_a_line(tokenizer: CodesTokenizer) -> None:
    with pytest.raises(RecipeError, match="codes goes from 1 to 64"):
        CodesOptions(codes=0)
    new = build_tokenizer(OPTIONS)
    assert new.vocab_size == tokenizer.vocab_size
    with pytest.raises(ModelError, match="has not learned"):
        new.encode(Score(480))
    with pytest.raises(RequestError, match="cannot keep to a key"):
        compile_request(Request(bars=4, key="D minor"), tokenizer, 100)
    with pytest.raises(RequestError, match="outside"):
        tokenizer.decode(np.array([10_000], np.int32))
