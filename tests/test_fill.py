"""Holes in passages: what is cut out is what is asked for, and everything else is what is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from symusic import Score

from toccata.corpus.examples import ExampleOptions, Examples
from toccata.corpus.prepare import prepare
from toccata.corpus.store import Corpus
from toccata.errors import RequestError
from toccata.midi.bars import bar_map
from toccata.midi.edit import slice_ticks
from toccata.midi.read import find_midi, read_score
from toccata.recipes import load
from toccata.tasks.fill import ANSWER, FILL, SEP, Hole, can_fill, cut, filling, random_hole, window
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.events import EventOptions
from toccata.tokenizers.load import build_tokenizer
from toccata.tokenizers.text import TextOptions

TOKENIZERS = {
    "toccata": load("toccata").tokenizer,
    "REMI": EventOptions("REMI"),
    "RunningStatus": EventOptions("RunningStatus"),
    "TSD": EventOptions("TSD"),
    "text": TextOptions(),
}


@pytest.fixture(scope="module")
def quartet(data: Path) -> Score:
    return read_score(find_midi(data / "quartets")[3])


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return build_tokenizer(TOKENIZERS[request.param])


def heard(score: Score, ticks: int = 12) -> list[tuple[int, int]]:
    """Onset on a grid of ``ticks`` a quarter, and pitch, of every note, each once."""
    scale = ticks / score.ticks_per_quarter
    return sorted({(round(n.time * scale), n.pitch) for t in score.tracks if not t.is_drum for n in t.notes})


def test_what_is_cut_out_is_what_is_asked_for(quartet: Score, tokenizer: Tokenizer) -> None:
    bars, grammar = bar_map(quartet), tokenizer.grammar()
    hole = Hole(6, 9)
    found = filling(tokenizer, quartet, bars, 4, 12, hole)
    start, end = (int(bars.starts[bar]) for bar in (6, 9))
    asked = np.concatenate([found.prompt[len(found.prompt) - found.header :], found.target])
    assert heard(tokenizer.decode(asked)) == heard(slice_ticks(quartet, start, end))
    assert found.target[-1] == tokenizer.eos
    context = found.prompt.tolist()
    assert context.count(grammar.single(FILL)) == 3
    assert context.count(grammar.single(SEP)) == context.count(grammar.single(ANSWER)) == 1
    rest = cut(quartet, bars, hole)[0]
    sep, answer = context.index(grammar.single(SEP)), context.index(grammar.single(ANSWER))
    after, before = tokenizer.decode(found.prompt[:sep]), tokenizer.decode(found.prompt[sep:answer])
    assert heard(after) == heard(slice_ticks(rest, start, int(bars.starts[12])))
    assert heard(before) == heard(slice_ticks(rest, int(bars.starts[4]), start))


def test_some_instruments_can_be_cut_out(quartet: Score) -> None:
    tokenizer, bars = build_tokenizer(TOKENIZERS["REMI"]), bar_map(quartet)
    hole = Hole(6, 8, frozenset({3}))
    rest, taken = cut(quartet, bars, hole)
    assert [t.notes for t in rest.tracks[:3]] == [t.notes for t in quartet.tracks[:3]]
    assert rest.note_num() + taken.note_num() == quartet.note_num()
    words = tokenizer.words(filling(tokenizer, quartet, bars, 4, 12, hole).prompt)
    places = [i for i, word in enumerate(words) if word == "FILL"]
    program = quartet.tracks[3].program
    assert [words[i + 1] for i in places] == [f"Program_{program}"] * 2
    after = words[words.index("ANSWER") :]
    assert not [word for word in after if word.startswith("Pitch")]


def test_notes_that_ring_into_the_hole_stay() -> None:
    score = Score(480)
    from symusic import Note, Track

    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.extend([Note(0, 480 * 6, 60, 80), Note(480 * 4, 480, 64, 80), Note(480 * 8, 480, 67, 80)])
    rest, taken = cut(score, bar_map(score), Hole(1, 2))
    assert [n.pitch for n in rest.tracks[0].notes] == [60, 67]
    assert [n.pitch for n in taken.tracks[0].notes] == [64]


def test_a_window_holds_the_hole_and_fits(quartet: Score, tokenizer: Tokenizer) -> None:
    bars, hole = bar_map(quartet), Hole(20, 22)
    for room in (200, 350, 700):
        found, first = window(tokenizer, quartet, bars, hole, room)
        assert len(found.prompt) <= room
        assert first <= hole.first
        assert found.prompt.tolist().count(tokenizer.grammar().single(FILL)) == 2
    assert len(window(tokenizer, quartet, bars, hole, 700)[0].prompt) > 350  # room is used
    with pytest.raises(RequestError, match="ask for fewer bars"):
        window(tokenizer, quartet, bars, hole, 5)


def test_random_holes_lie_inside(quartet: Score) -> None:
    bars = bar_map(quartet)
    for seed in range(50):
        rng = np.random.default_rng(seed)
        hole = random_hole(quartet, bars, 5, 5 + int(rng.integers(1, 30)), rng)
        assert hole is None or 5 <= hole.first < hole.last <= 35
        assert hole is None or cut(quartet, bars, hole)[1].note_num()


def test_training_sees_holes_as_often_as_asked(data: Path, tmp_path: Path) -> None:
    source = tmp_path / "midi"
    source.mkdir()
    for path in find_midi(data / "bach" / "mutopia")[:8]:
        (source / path.name).write_bytes(path.read_bytes())
    prepare(source, tmp_path / "corpus")
    corpus, tokenizer = Corpus(tmp_path / "corpus"), build_tokenizer(TOKENIZERS["toccata"])
    answer = tokenizer.grammar().single(ANSWER)
    shares = []
    for fill in (0.0, 0.3, 1.0):
        examples = Examples(corpus, tokenizer, "train", 256, ExampleOptions(fill=fill), seed=1)
        rows = [examples.row(number) for number in range(40)]
        again = Examples(corpus, tokenizer, "train", 256, ExampleOptions(fill=fill), seed=1).row(17)
        assert again.targets.tolist() == rows[17].targets.tolist()
        assert all(len(row.inputs) == len(row.targets) == 256 for row in rows)
        shares.append(sum(answer in row.targets[: row.lengths[0]] for row in rows) / len(rows))
    assert shares[0] == 0
    assert 0.1 < shares[1] < 0.6
    assert shares[2] > 0.8


def test_tokenizers_without_notes_cannot_fill() -> None:
    assert can_fill(build_tokenizer(EventOptions("REMI")))
