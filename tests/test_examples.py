"""Training examples: pure functions of (corpus, options, seed, number), packed without padding, fair to every piece."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toccata.corpus.examples import IGNORED, ExampleOptions, Examples, Row
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.errors import CorpusError, RecipeError
from toccata.tasks.compile import compile_request
from toccata.tasks.fill import ANSWER
from toccata.tasks.request import Request
from toccata.tokenizers.events import EventOptions, EventTokenizer
from toccata.tokenizers.grid import GridOptions, GridTokenizer, score_of_grid

BENT = ExampleOptions()
AS_IS = ExampleOptions(transpose=0, tempo=0.0, velocity=0.0, starts=0.1)
T = 192


@pytest.fixture(scope="session")
def corpus(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Sixteen pieces of Bach and two with drums."""
    folder = tmp_path_factory.mktemp("examples")
    paths = [p for p in sorted((data / "bach" / "mutopia").rglob("*.mid")) if p.stat().st_size > 2_000][::16]
    paths += [p for p in sorted((data / "game").rglob("*.mid")) if p.stat().st_size < 40_000][:2]
    (folder / "music").mkdir()
    for path in paths:
        shutil.copy(path, folder / "music" / path.name)
    return prepare(folder / "music", folder / "corpus", PrepareOptions(valid=0.2, test=0.2), processes=0)


@pytest.fixture(scope="session")
def tokenizer() -> EventTokenizer:
    return EventTokenizer.build(EventOptions("REMI", options={"num_velocities": 8}))


def examples(
    corpus: Corpus, tokenizer: EventTokenizer, options: ExampleOptions | None = BENT, seed: int = 3
) -> Examples:
    return Examples(corpus, tokenizer, "train", T, options, seed)


def same(one: Row, other: Row) -> bool:
    return (
        bool(np.array_equal(one.inputs, other.inputs) and np.array_equal(one.targets, other.targets))
        and one.lengths == other.lengths
    )


def passages(row: Row) -> list[np.ndarray]:
    """Each passage's ids, its last target included."""
    cuts = np.cumsum(row.lengths)[:-1]
    inputs, targets = np.split(row.inputs, cuts), np.split(row.targets, cuts)
    return [np.append(i, t[-1:]) for i, t in zip(inputs, targets, strict=True)]


# ---- pure


def test_a_row_follows_from_its_number_alone(corpus: Corpus, tokenizer: EventTokenizer) -> None:
    one, other = examples(corpus, tokenizer), examples(Corpus(corpus.folder), tokenizer)
    numbers = [0, 5, 1, 17, 100_000]
    rows = {n: one.row(n) for n in numbers}
    sent = pickle.loads(pickle.dumps(one))
    for n in reversed(numbers):
        assert same(rows[n], other.row(n))
        assert same(rows[n], sent.row(n))
        assert same(rows[n], one.row(n))
    assert not same(rows[0], rows[1])
    assert not same(rows[0], examples(corpus, tokenizer, seed=4).row(0))


_ELSEWHERE = """
import hashlib, pickle, sys
examples = pickle.load(open(sys.argv[1], "rb"))
rows = [examples.row(n) for n in (7, 2)]
told = b"".join(r.inputs.tobytes() + r.targets.tobytes() + repr(r.lengths).encode() for r in rows)
print(hashlib.sha256(told).hexdigest())
"""


def test_another_process_makes_the_same_row(corpus: Corpus, tokenizer: EventTokenizer, tmp_path: Path) -> None:
    (tmp_path / "examples").write_bytes(pickle.dumps(examples(corpus, tokenizer)))
    found = {
        subprocess.run(
            [sys.executable, "-c", _ELSEWHERE, str(tmp_path / "examples")],
            check=True, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1


# ---- packed


@settings(max_examples=25, deadline=None)
@given(number=st.integers(0, 10**6), length=st.integers(1, 700), bent=st.booleans())
def test_a_row_is_full(corpus: Corpus, tokenizer: EventTokenizer, number: int, length: int, bent: bool) -> None:
    made = Examples(corpus, tokenizer, "train", length, BENT if bent else None, 1).row(number)
    assert made.inputs.shape == made.targets.shape == (length,)
    assert made.inputs.dtype == made.targets.dtype == np.int32
    assert sum(made.lengths) == length
    assert min(made.lengths) >= 1
    assert 0 <= made.inputs.min() <= max(made.inputs.max(), made.targets.max()) < tokenizer.vocab_size
    start = 0
    for n in made.lengths:
        assert np.array_equal(made.inputs[start + 1 : start + n], made.targets[start : start + n - 1])
        start += n


def test_beginnings_and_ends_are_real(corpus: Corpus, tokenizer: EventTokenizer) -> None:
    """BOS and EOS stand where a piece begins and ends, and nowhere else."""
    made = Examples(corpus, tokenizer, "train", 1000, AS_IS, 3)
    whole = [tokenizer.encode(corpus.score(i)).ids for i in made.numbers]
    heads = {ids[:24].tobytes() for ids in whole}
    tails = {ids[-12:].tobytes() for ids in whole}
    begun = ended = 0
    for number in range(80):
        parts = passages(made.row(number))
        for k, part in enumerate(parts):
            begins, ends = part == tokenizer.bos, part == tokenizer.eos
            assert not begins[1:].any()
            assert not ends[:-1].any()
            if begins[0] and len(part) >= 24:
                begun += 1
                assert part[:24].tobytes() in heads
            if ends[-1] and len(part) >= 12:
                ended += 1
                assert part[-12:].tobytes() in tails
            assert k == len(parts) - 1 or ends[-1]  # only the row's end cuts a passage
    assert begun > 5
    assert ended > 5


def test_every_opening_of_a_piece_begins_with_bos(corpus: Corpus, tokenizer: EventTokenizer) -> None:
    """So that music out of nothing, which is asked for with BOS alone, is what the model was trained on."""
    made = Examples(corpus, tokenizer, "train", 400, ExampleOptions(starts=1.0), 3)
    for number in range(20):
        assert all(part[0] == tokenizer.bos for part in passages(made.row(number)))
    opening = compile_request(Request(bars=4), tokenizer, 400)
    assert opening.ids.tolist() == [tokenizer.bos]


def test_merges_of_many_notes_do_not_end_a_piece_early(corpus: Corpus, data: Path) -> None:
    """A tokenizer that says several notes in one id needs more music for a row than one note an id."""
    tokenizer = EventTokenizer.build(EventOptions("REMI", options={"num_velocities": 2}, merges=6000))
    tokenizer.fit(corpus.score(i) for i in corpus.split("train"))
    bent, plain = examples(corpus, tokenizer, AS_IS), examples(corpus, tokenizer, None)
    for number in range(30):
        one = passages(bent.row(number))[0]
        start = one[0] == tokenizer.bos
        if not start:
            assert np.array_equal(one, passages(plain.row(number))[0])


def test_validation_is_fixed(corpus: Corpus, tokenizer: EventTokenizer) -> None:
    one = Examples(corpus, tokenizer, "valid", T)
    other = Examples(corpus, tokenizer, "valid", T)
    assert all(same(one.row(n), other.row(n)) for n in range(8))


# ---- bent


def test_transposition_keeps_range_and_drums(corpus: Corpus) -> None:
    plain = EventTokenizer.build(EventOptions("REMI"))
    made = Examples(corpus, plain, "train", 512, ExampleOptions(transpose=12, tempo=0.0, velocity=0.0), 0)
    as_is = Examples(corpus, plain, "train", 512, AS_IS, 0)
    original = {
        track_pitch
        for i in made.numbers
        for track in corpus.score(i).tracks
        if track.is_drum
        for track_pitch in track.notes.numpy()["pitch"].tolist()
    }
    low = min(
        min(128, *t.notes.numpy()["pitch"]) for i in made.numbers for t in corpus.score(i).tracks if not t.is_drum
    )
    moved = 0
    for number in range(40):
        for ids in passages(made.row(number)):
            for track in plain.decode(ids).tracks:
                pitch = track.notes.numpy()["pitch"]
                if track.is_drum:
                    assert set(pitch.tolist()) <= original
                elif len(pitch):
                    assert min(low, 21) <= pitch.min() <= pitch.max() <= 108
        moved += not np.array_equal(made.row(number).inputs, as_is.row(number).inputs)
    assert moved > 20


def test_every_shift_is_drawn_about_equally_often(corpus: Corpus, tokenizer: EventTokenizer) -> None:
    made = examples(corpus, tokenizer, ExampleOptions(transpose=2, tempo=0.0, velocity=0.0))
    piece = made._piece(made.numbers[0])
    assert 30 < piece.pitches[0] < piece.pitches[1] < 100
    rng = np.random.default_rng(0)
    shifts: dict[int, int] = {}
    for _ in range(300):
        bent = made._augmentation(piece, rng)(piece.score)
        shift = int(bent.tracks[0].notes[0].pitch) - int(piece.score.tracks[0].notes[0].pitch)
        shifts[shift] = shifts.get(shift, 0) + 1
    assert set(shifts) == {-2, -1, 0, 1, 2}
    assert min(shifts.values()) > 35


# ---- fair


def test_an_epoch_reads_every_piece_by_its_notes(corpus: Corpus, tokenizer: EventTokenizer) -> None:
    made = examples(corpus, tokenizer, AS_IS)
    rows = 4000
    drawn = np.zeros(len(made.numbers), int)
    for number in range(rows):
        note = int(((made._phase() + number * 0.6180339887498949) % 1.0) * made.notes)
        drawn[np.searchsorted(made.ends, note, side="right")] += 1
    expected = np.diff(made.ends, prepend=0) / made.notes * rows
    assert np.abs(drawn - expected).max() < 8  # a random draw is off by up to about sixty


def test_every_piece_is_really_read(corpus: Corpus, tokenizer: EventTokenizer) -> None:
    made = examples(corpus, tokenizer, AS_IS)
    opened: set[int] = set()
    for number in range(150):
        made._parsed.clear()
        made.row(number)
        opened |= set(made._parsed)
    assert opened == set(made.numbers)


# ---- refused


def test_refusals(corpus: Corpus, tokenizer: EventTokenizer, data: Path, tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    shutil.copy(next((data / "bach" / "mutopia").rglob("*.mid")), tmp_path / "music" / "one.mid")
    alone = prepare(tmp_path / "music", tmp_path / "corpus", processes=0)
    with pytest.raises(CorpusError, match="validate on"):
        Examples(alone, tokenizer, "valid", T)
    for wrong in ({"transpose": -1}, {"tempo": -0.5}, {"velocity": 7.0}, {"starts": 1.5}):
        with pytest.raises(RecipeError, match=next(iter(wrong))):
            ExampleOptions(**wrong)  # type: ignore[arg-type]


def test_what_stands_around_a_hole_need_not_be_learned(corpus: Corpus, tokenizer: EventTokenizer) -> None:
    """Targets begin with the answer."""
    alone = examples(corpus, tokenizer, ExampleOptions(fill=1.0, fill_prompts=0.0))
    answer = tokenizer.grammar().single(ANSWER)
    filled = 0
    for number in range(12):
        row = alone.row(number)
        cuts = np.cumsum(row.lengths)[:-1]
        for inputs, targets in zip(np.split(row.inputs, cuts), np.split(row.targets, cuts), strict=True):
            learned = np.flatnonzero(targets != IGNORED)
            if answer in inputs:
                filled += 1
                # Behind the mark stands what is in force where the hole begins.
                assert 0 <= learned[0] - inputs.tolist().index(answer) < 12
                assert (np.diff(learned) == 1).all()
            else:
                assert len(learned) == len(targets)
    assert filled > 6


def test_voices_are_written_in_an_order_of_their_own(tmp_path: Path) -> None:
    """Each passage of a grid is the same music in an order that is drawn, with the features of that order."""
    (tmp_path / "music").mkdir()
    chords = [[72, 67, 64, 48], [74, 66, 62, 47], [71, 68, 64, 40], [72, 69, 60, 45], [71, 67, 62, 43]]
    lines = np.array(chords).repeat(4, axis=0)
    for number in range(4):
        score_of_grid(lines + number, 4).resample(480, 1).dump_midi(tmp_path / "music" / f"{number}.mid")
    corpus = prepare(tmp_path / "music", tmp_path / "corpus", PrepareOptions(valid=0.2, test=0), processes=0)
    tokenizer = GridTokenizer(GridOptions(order=(3, 0, 1, 2)))
    drawn = ExampleOptions(transpose=0, tempo=0.0, velocity=0.0, starts=1.0, voice_orders=True)
    made = Examples(corpus, tokenizer, "train", 20 * 4 + 1, drawn, seed=0, features=tokenizer.features)
    known = dict(zip([name for name, _ in tokenizer.features.blocks], tokenizer.features.offsets.tolist(), strict=True))
    place = [name for name, _ in tokenizer.features.blocks].index("place")
    found = set()
    for number in range(40):
        row = made.row(number)
        assert row.features is not None
        order = (row.features[:4, place] - known["place"]).tolist()
        own = tokenizer.in_order(order)
        ids = np.append(row.inputs, row.targets[-1])
        grid = own.grid_of_ids(ids)
        assert (grid - grid[0] == lines - lines[0]).all()
        assert own.features.of(row.inputs).tolist() == row.features.tolist()
        assert same(row, made.row(number))
        found.add(tuple(order))
    assert len(found) > 15
    held_out = drawn.held_out()
    assert held_out is not None
    assert not held_out.voice_orders
