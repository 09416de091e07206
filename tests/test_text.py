"""Music as text: nothing is lost on the way there and back, and whatever string is drawn can be played."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from symusic import Note, Score, Tempo, TimeSignature, Track

from test_grammar import constraints_of, write
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.text import write_text_corpus
from toccata.errors import ModelError, RecipeError, RequestError
from toccata.midi.bars import bar_map
from toccata.midi.clean import CleanOptions
from toccata.midi.facts import seconds_at
from toccata.midi.read import find_midi, read_score
from toccata.tokenizers.layouts import Rhythm, Theremin
from toccata.tokenizers.load import build_tokenizer, load_tokenizer
from toccata.tokenizers.text import TextOptions, TextTokenizer
from toccata.tokenizers.vocabulary import Kind

CASES = int(os.environ.get("TOCCATA_CASES", "12"))


@pytest.fixture(scope="module")
def scores(data: Path) -> list[Score]:
    """A dozen pieces of Bach."""
    return [read_score(path) for path in find_midi(data / "bach" / "mutopia")[::24][:12]]


@pytest.fixture(scope="module")
def learned(scores: list[Score]) -> TextTokenizer:
    """Pieces learned from all but the last two."""
    tokenizer = TextTokenizer(TextOptions(merges=1500))
    tokenizer.fit(scores[:-2])
    return tokenizer


def pitched(score: Score, ticks: int) -> set[tuple[int, int]]:
    """Onset, on a grid of ``ticks`` a quarter, and pitch of every note that is no drum."""
    return {
        (round(note.time * ticks / score.ticks_per_quarter), note.pitch)
        for track in score.tracks
        if not track.is_drum
        for note in track.notes
    }


def test_every_note_comes_back_where_it_was(scores: list[Score], learned: TextTokenizer) -> None:
    for score in scores:
        tokens = learned.encode(score)
        again = learned.decode(tokens)
        assert pitched(again, 12) == pitched(score, 12)
        last = max(int(track.notes.numpy()["time"].max()) for track in score.tracks if len(track.notes))
        now = max(int(track.notes.numpy()["time"].max()) for track in again.tracks)
        before, after = seconds_at(score, np.array([last]))[0], seconds_at(again, np.array([now]))[0]
        assert after == pytest.approx(before, rel=0.015)
        assert bar_map(again).meters == bar_map(score).meters


def test_files_of_every_kind_come_back(data: Path, learned: TextTokenizer) -> None:
    for folder in sorted(p.parent for p in {path.parent: path for path in find_midi(data)}.values()):
        score = read_score(sorted(folder.glob("*.mid"))[0])
        again = learned.decode(learned.encode(score))
        want = pitched(score, 12)
        assert len(want & pitched(again, 12)) >= 0.99 * len(want), folder


def test_a_note_is_one_character_and_a_chord_is_its_notes() -> None:
    score = Score(480)
    score.tracks.append(Track("", 0, False))
    for pitch in (60, 64, 67):
        score.tracks[0].notes.append(Note(480, 240, pitch, 80))
    text = Rhythm(4).write(score)
    assert len(text) == 1
    # A meter, a tempo, a quarter's wait, three notes.
    assert len(text[0]) == 6
    assert text[0][2] == "⠌"  # twelve dots' worth: the twelfth Braille pattern
    words = TextTokenizer(TextOptions()).layout.scheme.vocabulary.words
    assert [words[b] for b in Rhythm(4).parts(text[0][3])] == ["Pitch_60", "Velocity_80", "Duration_6"]


def test_pitches_off_the_piano_are_spelled() -> None:
    score = Score(12)
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.append(Note(0, 12, 5, 80))
    tokenizer = TextTokenizer(TextOptions())
    assert len(tokenizer.text(score)[0]) == 2 + 3
    assert pitched(tokenizer.decode(tokenizer.encode(score)), 12) == {(0, 5)}


def test_rests_and_long_notes_are_kept() -> None:
    score = Score(480)
    score.tempos.append(Tempo(0, qpm=90))
    score.time_signatures.append(TimeSignature(0, 3, 4))
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.append(Note(480 * 70, 480 * 16, 60, 80))
    tokenizer = TextTokenizer(TextOptions())
    again = tokenizer.decode(tokenizer.encode(score))
    note = again.tracks[0].notes[0]
    assert (note.time, note.duration) == (12 * 70, 12 * 16)
    assert again.tempos[0].qpm == pytest.approx(90, rel=0.015)


def test_a_piece_never_crosses_a_bar_line(scores: list[Score], learned: TextTokenizer) -> None:
    grammar = learned.grammar()
    for score in scores:
        cursor = grammar.cursor()
        for token in learned.encode(score).ids.tolist():
            before = cursor.state.bar
            for part in grammar.base(token)[:-1]:
                cursor.read(part)
                # A silence of more than one character may last into the next bars, but nothing follows it there.
                assert cursor.state.bar == before or grammar.scheme.kinds[part] == Kind.TIME_SHIFT
            cursor.read(grammar.base(token)[-1])


def test_learned_pieces_make_the_text_shorter(scores: list[Score], learned: TextTokenizer) -> None:
    plain = TextTokenizer(TextOptions())
    assert len(learned.encode(scores[-1])) < 0.75 * len(plain.encode(scores[-1]))
    assert learned.vocab_size <= 1500


# -- the seed's characters ---------------------------------------------------------------------------------------------


def seed_character(velocity: int, step: float, seconds: float, pitch: int) -> str:
    """What theremin-midi writes, from its bytes: F0|velocity, 80|step, 80|length << 1|pitch >> 6, 80|pitch & 63."""
    loud = max(min(round(3 * round(velocity / 127, 2)), 3), 1)
    steps, length = min(round(63 * step), 63), min(round(seconds / 31 * 100), 31)
    return bytes([0xF0 | loud, 0x80 | steps, 0x80 | length << 1 | pitch >> 6, 0x80 | pitch & 63]).decode("utf-8")


@given(
    st.lists(
        st.tuples(st.integers(1, 127), st.integers(0, 900), st.integers(1, 4000), st.integers(0, 127)),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=60, deadline=None)
def test_the_seed_layout_is_the_seeds_bit_for_bit(notes: Sequence[tuple[int, int, int, int]]) -> None:
    score = Score(500)  # at 120 quarters a minute a tick is a millisecond, to the last bit as below
    score.tracks.append(Track("", 0, False))
    time, wanted, before = 0, "", None
    for velocity, gap, length, pitch in notes:
        time += gap
        score.tracks[0].notes.append(Note(time, length, pitch, velocity))
    for note in sorted(score.tracks[0].notes, key=lambda n: n.time):
        start, end = note.time * 0.001, note.end * 0.001
        step = 0.0 if before is None else start - before
        wanted += seed_character(note.velocity, step, end - start, note.pitch)
        before = start
    ours = "".join(Theremin().write(score))
    # Notes that begin together may stand in any order, but for the first's step.
    assert len(ours) == len(wanted)
    if len({note.time for note in score.tracks[0].notes}) == len(notes):
        assert ours == wanted


def test_the_seed_layout_keeps_its_time_when_read_back() -> None:
    tokenizer = TextTokenizer(TextOptions(layout="theremin"))
    text = seed_character(100, 0.0, 0.31, 60) + seed_character(100, 0.5, 0.31, 64) + seed_character(20, 0.5, 0.1, 67)
    score = tokenizer.decode(np.array(tokenizer.read(text), np.int32))
    starts = seconds_at(score, np.array(sorted(n.time for n in score.tracks[0].notes)))
    assert starts.tolist() == pytest.approx([0, 0.5, 1.0], abs=1 / 63)
    assert all(note.duration > 0 for note in score.tracks[0].notes)


# -- the grammar -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"layout": "theremin"}, {"merges": 900}, {"layout": "theremin", "merges": 900}]
)
def test_every_string_is_a_valid_piece(options: dict[str, Any], scores: list[Score]) -> None:
    tokenizer = TextTokenizer(TextOptions(**options))
    tokenizer.fit(scores[:6])

    @given(st.integers(0, 2**32))
    @settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=CASES == 12)
    def holds(seed: int) -> None:
        rng = np.random.default_rng(seed)
        limits = constraints_of(rng, tokenizer)
        ids = write(tokenizer.grammar(), limits, rng, most=150)
        cursor = tokenizer.grammar().cursor(limits)
        for token in ids:
            cursor.advance(token)
        score = tokenizer.decode(np.array(ids, np.int32))
        assert score.note_num() == cursor.state.notes
        for track in score.tracks:
            free: dict[int, int] = {}
            for note in track.notes:
                assert note.duration > 0
                assert note.time >= free.get(note.pitch, 0)
                free[note.pitch] = note.end
                assert note.end <= cursor.end_tick
                assert limits.pitches is None or limits.pitches[note.pitch]

    holds()


# -- folders and faults ------------------------------------------------------------------------------------------------


def test_it_is_saved_and_loaded_as_it_is(tmp_path: Path, scores: list[Score], learned: TextTokenizer) -> None:
    learned.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert again.fingerprint == learned.fingerprint
    assert again.encode(scores[-1]).ids.tolist() == learned.encode(scores[-1]).ids.tolist()


def test_faults_are_told_in_a_line(tmp_path: Path, learned: TextTokenizer) -> None:
    for wrong in ({"layout": "morse"}, {"velocities": 9}):
        with pytest.raises(RecipeError):
            build_tokenizer(TextOptions(**wrong))
    with pytest.raises(RecipeError, match="algorithm"):
        TextOptions(algorithm="wordpiece")
    with pytest.raises(RecipeError, match="leaves no room"):
        TextTokenizer(TextOptions(merges=300)).fit([])
    (tmp_path / "text.json").write_text("{}")
    with pytest.raises(ModelError, match="copy the whole model folder"):
        load_tokenizer(tmp_path)
    with pytest.raises(RequestError, match="another tokenizer"):
        TextTokenizer(TextOptions()).decode(learned.encode(Score(12)))


# -- a corpus to read --------------------------------------------------------------------------------------------------


def test_a_corpus_is_written_as_text_that_can_be_read_back(data: Path, tmp_path: Path) -> None:
    source = tmp_path / "midi"
    source.mkdir()
    for path in find_midi(data / "bach" / "mutopia")[:5]:
        (source / path.name).write_bytes(path.read_bytes())
    corpus = prepare(source, tmp_path / "corpus", PrepareOptions(clean=CleanOptions(merge=True, drop_drums=True)))
    files = write_text_corpus(corpus)
    assert [path.name for path in files] == ["train.txt", "valid.txt", "test.txt", "legend.tsv"]
    legend = dict(line.split("\t") for line in files[-1].read_text(encoding="utf-8").splitlines())
    tokenizer = TextTokenizer(TextOptions())
    texts = {}
    for path in files[:-1]:
        for block in path.read_text(encoding="utf-8").split("\n\n")[:-1]:
            head, *bars = block.split("\n")
            texts[head.split("# ")[1].split(" (")[0]] = "".join(bar.split("\t")[1] for bar in bars)
    for number, piece in enumerate(corpus.pieces):
        text = texts[piece.path]
        again = tokenizer.decode(np.array(tokenizer.read(text), np.int32))
        assert pitched(again, 12) == pitched(corpus.score(number), 12)
        assert set(text) <= set(legend)
    assert "wait 1/4" in legend.values()
    assert any(said.startswith("C4, ") for said in legend.values())
