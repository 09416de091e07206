"""Parts of the scripts under ``benchmarks/`` that decide what is measured."""

from __future__ import annotations

import runpy
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from symusic import Note, Score, TimeSignature, Track

from toccata.midi.bars import bar_map

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
TPQ = 480


def script(name: str) -> dict[str, Any]:
    return runpy.run_path(str(BENCHMARKS / f"{name}.py"))


def score_of(notes: list[tuple[float, float, int]], *meters: tuple[float, int, int]) -> Score:
    """Notes by onset, length (quarters) and pitch."""
    score, track = Score(TPQ), Track("", 0, False)
    for at, numerator, denominator in meters:
        score.time_signatures.append(TimeSignature(round(at * TPQ), numerator, denominator))
    for onset, length, pitch in notes:
        track.notes.append(Note(round(onset * TPQ), round(length * TPQ), pitch, 80))
    score.tracks.append(track)
    return score


def test_shuffled_bars_keep_their_lengths() -> None:
    # Bars of three, four, four and four quarters, each with notes of one pitch, the last quarter of each silent.
    notes = [(0, 2, 60), (3, 3, 62), (7, 3, 64), (11, 3, 66)]
    score = score_of(notes, (0, 3, 4), (3, 4, 4))
    lengths = {60: 3, 62: 4, 64: 4, 66: 4}
    shuffled_bars = script("human_range")["shuffled_bars"]
    orders = set()
    for seed in range(12):
        out = shuffled_bars(score, np.random.default_rng(seed))
        found = sorted(out.tracks[0].notes, key=lambda note: note.time)
        orders.add(tuple(note.pitch for note in found))
        at = 0
        for note in found:
            assert note.time == at * TPQ
            at += lengths[note.pitch]
        assert [note.time for note in found] == bar_map(out).starts[:-1].tolist()
    assert len(orders) > 4


def test_a_piece_with_several_faults_is_one_piece() -> None:
    of_pieces = script("musicianship")["of_pieces"]
    line = [(n, 1, 60 + n % 5) for n in range(64)]
    sound = score_of(line)
    faulty = score_of(line[:30])  # its second half is empty, and it has an instrument of one note
    stray = Track("", 40, False)
    stray.notes.append(Note(0, TPQ, 70, 80))
    faulty.tracks.append(stray)
    (share,) = [value for name, value in of_pieces([sound, faulty]).items() if name.startswith("with a stray")]
    assert share == 50


def test_relatives_are_on_one_side() -> None:
    sides = script("finetune")["sides"]
    groups = np.array([7, 7, 7, 1, 2, 3, 4, 4, 5, 6], np.uint64)
    corpus = SimpleNamespace(column=lambda name: groups if name == "group" else None)
    for seed in range(20):
        learn, held = sides(corpus, [*range(10)], 4, seed)
        assert len(learn) == 4
        assert sorted([*learn, *held]) == [*range(10)]
        assert not {int(groups[n]) for n in learn} & {int(groups[n]) for n in held}
    with pytest.raises(SystemExit, match="cannot be learned from"):
        sides(corpus, [0, 1, 2], 2, 0)


def test_a_request_of_a_load_that_ends_still_reaches_its_first_note() -> None:
    client = script("server")["Client"]

    class Connection:
        """Answers every request with the same events."""

        def __init__(self, *events: str) -> None:
            self.lines = [line for event in events for line in (f"event: {event}\n".encode(), b"data: {}\n", b"\n")]
            self.status, self.read_lines, self.closed = 200, 0, False

        def request(self, *_: object) -> None: ...

        def getresponse(self) -> Connection:
            return self

        def readline(self) -> bytes:
            self.read_lines += 1
            return self.lines[self.read_lines - 1] if self.read_lines <= len(self.lines) else b""

        def close(self) -> None:
            self.closed = True

    stop = threading.Event()
    stop.set()
    one, connection = client(None, 0), Connection("begun", "bar", "note", "note", "done")
    one.ask(connection, stop)
    assert len(one.first) == 1
    assert connection.closed
    assert one.done == 0  # it is given up after that
    silent = Connection("begun", "done")
    one.ask(silent, stop)
    assert (len(one.first), one.done) == (1, 1)
