"""The latest bars of a long piece are read as the tokenizer would have written them, and with what was said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from toccata.midi.bars import bar_map
from toccata.midi.read import find_midi, read_score
from toccata.recipes import load
from toccata.tasks.controls import Controls, encode_controls, insert_control_tokens
from toccata.tasks.passage import passage
from toccata.tasks.window import bar_starts, latest_bars
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.events import EventOptions
from toccata.tokenizers.load import build_tokenizer

HEADER = 8
BARS = 30


@pytest.fixture(scope="module", params=["program changes", "programs", "running status"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    """One that says a program where it changes, one that says it before every note, one that says all by changes."""
    if request.param == "programs":
        return build_tokenizer(load("beatron").tokenizer)
    options = EventOptions("REMI", {"program_changes": True, "num_velocities": 8})
    if request.param == "running status":
        options = EventOptions("RunningStatus", {"num_velocities": 8})
    return build_tokenizer(options)


@pytest.mark.parametrize("controlled", [False, True])
def test_a_window_begins_as_a_passage_does(data: Path, tokenizer: Tokenizer, controlled: bool) -> None:
    grammar = tokenizer.grammar()
    windows = 0
    for path in find_midi(data / "quartets")[:30:6]:
        score = read_score(path)
        bars = bar_map(score)
        count = min(BARS, len(bars))
        levels = {bar: Controls(density=bar % 8 + 1) for bar in range(0, count, 2)} if controlled else {}
        said = encode_controls(tokenizer, Controls(), levels).bars
        ids = passage(tokenizer, score, bars, 0, count, ended=False).ids.tolist()
        first, ids = insert_control_tokens(grammar, [], ids, bars.meters[0], said)
        starts = bar_starts(grammar, ids, bars.meters[0])
        assert not first
        assert len(starts) == count
        for bar in range(1, count - 1):
            found = latest_bars(tokenizer, ids, starts, len(ids) - starts[bar].first + HEADER, bars.meters[0])
            plain = passage(tokenizer, score, bars, bar, count, ended=False).ids.tolist()
            later = {number - bar: words for number, words in said.items() if number >= bar}
            _, expected = insert_control_tokens(grammar, [], plain, bars.meters[bar], later)
            assert found == expected, f"{path.name}, bar {bar + 1}"
            windows += 1
    assert windows > 50
