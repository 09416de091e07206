"""Events: what is announced while pieces are written is, put together, what is in the pieces."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from symusic import Note, Score, Tempo, TimeSignature, Track

from random_model import random_model
from toccata.errors import PieceWarning, RequestError
from toccata.events import (
    BarBegun,
    Event,
    NoteAdded,
    NoteKey,
    NoteRemoved,
    PieceFinished,
    PieceRestarted,
    SongClock,
    changed_outside,
    note_keys,
)
from toccata.midi.bars import bar_map
from toccata.midi.read import find_midi, read_score
from toccata.musicmodel import Model
from toccata.piece import Piece
from toccata.recipes import load
from toccata.tokenizers.events import EventOptions


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    return Model(random_model(tmp_path_factory.mktemp("model") / "m", recipe.tokenizer, context=256), precision="fp32")


@pytest.fixture(scope="module")
def song() -> Score:
    """Eight bars for two instruments, its tempo changed on the way, ticks that no tokenizer has."""
    score = Score(220)
    score.time_signatures = [TimeSignature(0, 3, 4)]
    score.tempos = [Tempo(0, qpm=90.0), Tempo(220 * 9, qpm=132.0)]
    for program, low in ((40, 67), (42, 48)):
        track = Track("", program, False)
        for n in range(24):
            track.notes.append(Note(220 * n, 200, low + n * 5 % 9, 70 + n))
        score.tracks.append(track)
    return score


def put_together(events: list[Event], pieces: int) -> tuple[list[Counter[NoteKey]], list[Piece]]:
    """The notes that are there at the end, and the pieces."""
    notes: list[Counter[NoteKey]] = [Counter() for _ in range(pieces)]
    done: dict[int, Piece] = {}
    for event in events:
        if isinstance(event, NoteAdded):
            notes[event.piece][key(event)] += 1
        elif isinstance(event, NoteRemoved):
            notes[event.piece][key(event)] -= 1
            assert notes[event.piece][key(event)] >= 0, "removed, but not there"
        elif isinstance(event, PieceRestarted):
            notes[event.piece].clear()
        elif isinstance(event, PieceFinished):
            done[event.piece] = event.music
    return [+counted for counted in notes], [done[number] for number in range(pieces)]


def key(event: NoteAdded | NoteRemoved) -> NoteKey:
    note = event.note
    return NoteKey(note.onset, note.length, note.pitch, note.velocity, note.program, note.drum)


CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "new": ("generate", {"bars": 6}),
    "new, tempo and meter": ("generate", {"bars": 5, "tempo": 77.0, "meter": (3, 4), "end": True}),
    "continued": ("generate", {"prompt": True, "bars": 4}),
    "continued from inside a bar": ("generate", {"prompt": True, "prompt_seconds": 6.1, "bars": 3}),
    "continued alone": ("generate", {"prompt": True, "prompt_bars": 5, "bars": 3, "continuation_only": True}),
    "form": ("generate", {"form": "ABA", "bars": 9, "programs": [0, 40, -1]}),
    "form of a prompt": ("generate", {"form": "AAB", "bars": 9, "prompt": True, "prompt_bars": 2}),
    "form, the prompt left out": (
        "generate",
        {"form": "AAB", "bars": 9, "prompt": True, "prompt_bars": 2, "continuation_only": True},
    ),
    "infill": ("infill", {"bars": [(2, 3), (5, 8)]}),
    "infill of a track": ("infill", {"bars": [(2, 7)], "tracks": ["cello"]}),
    "accompany": ("accompany", {"programs": [0, -1], "bars": [(1, 4)]}),
    "harmonise": ("harmonise", {"bars": [(2, 4)]}),
    "rhythm": ("vary", {"strength": 0.7}),
    "harmony": ("vary", {"keep": "harmony", "bars": [(2, 6)]}),
}


@pytest.mark.parametrize(("verb", "arguments"), CALLS.values(), ids=CALLS.keys())
def test_events_put_together_are_the_notes_of_the_pieces(
    model: Model, song: Score, verb: Any, arguments: dict[str, Any]
) -> None:
    asked = dict(arguments)
    source = song if asked.pop("prompt", False) or verb != "generate" else None
    events = list(model.stream(*([] if source is None else [source]), verb=verb, n=3, seed=11, **asked))
    notes, pieces = put_together(events, 3)
    before = Counter[NoteKey]() if source is None else note_keys(song)
    for found, piece in zip(notes, pieces, strict=True):
        final = note_keys(piece.score)
        assert found
        assert not found - final, "announced, but not in the piece"
        if source is None or asked.get("continuation_only"):
            assert found == final
        else:
            assert not (final - found) - before, "in the piece, but neither announced nor the song's"
        clock = SongClock.of(piece.score)
        for event in events:
            if isinstance(event, NoteAdded) and pieces[event.piece] is piece and key(event) in final:
                note = event.note
                assert note.onset_quarters == note.onset / piece.score.ticks_per_quarter
                assert note.onset_seconds == pytest.approx(clock.seconds(note.onset), abs=1e-3)
    added = sum(isinstance(event, NoteAdded) for event in events)
    removed = sum(isinstance(event, NoteRemoved) for event in events)
    # The last chord of an ending is held to the end, which is known when it is over.
    assert removed <= added / (4 if asked.get("end") else 6), "most notes are announced as they will be"


@pytest.mark.parametrize(("verb", "arguments"), CALLS.values(), ids=CALLS.keys())
def test_every_bar_is_announced_once(model: Model, song: Score, verb: Any, arguments: dict[str, Any]) -> None:
    asked = dict(arguments)
    source = [song] if asked.pop("prompt", False) or verb != "generate" else []
    bars: list[BarBegun] = [
        e for e in model.stream(*source, verb=verb, n=1, seed=4, **asked) if isinstance(e, BarBegun)
    ]
    bars.sort(key=lambda bar: bar.onset)
    numbers = [bar.bar for bar in bars]
    assert numbers == sorted(set(numbers))
    if verb == "generate":
        given = asked.get("prompt_bars", 0) if asked.get("form") else 0
        assert numbers == list(range(given, asked["bars"]))
    assert all(bar.meter == (3, 4) for bar in bars) or not source


def test_bars_and_their_meters_are_those_of_the_piece(model: Model) -> None:
    """A model may write another meter right behind a bar line."""
    meters = set()
    for seed in range(12):
        events = list(model.stream(bars=4, seed=seed))
        [piece] = [event.music for event in events if isinstance(event, PieceFinished)]
        lines = bar_map(piece.score)
        begun = [(event.bar, event.onset, event.meter) for event in events if isinstance(event, BarBegun)]
        assert begun == [(n, int(lines.starts[n]), lines.meters[n]) for n in range(4)]
        meters |= {meter for _, _, meter in begun}
    assert len(meters) > 2


def test_a_piece_that_is_not_accepted_begins_anew(model: Model) -> None:
    judged: list[Piece] = []

    def accept(piece: Piece) -> bool:
        judged.append(piece)
        return len(judged) >= 3

    events = list(model.stream(bars=3, seed=2, accept=accept))
    assert sum(isinstance(event, PieceRestarted) for event in events) == 2
    [notes], [piece] = put_together(events, 1)
    assert piece is judged[-1]
    assert notes == note_keys(piece.score)
    assert model.stats.tokens == sum(piece.origin["tokens"] for piece in judged)


def test_finished_pieces_are_returned_though_another_fails(model: Model) -> None:
    wanted = {"bars": 1, "n": 2, "seed": 2, "accept": lambda piece: piece.origin["seed"] == 2}
    with pytest.warns(PieceWarning, match=r"^1 of 2 pieces are written, the others failed: none of 16 pieces"):
        pieces = model.generate(**wanted)  # type: ignore[arg-type]
    assert [piece.origin["seed"] for piece in pieces] == [2]
    with pytest.warns(PieceWarning):
        events = list(model.stream(**wanted))  # type: ignore[arg-type]
    assert [event.music for event in events if isinstance(event, PieceFinished)] == pieces
    with pytest.raises(RequestError, match="none of 16 pieces was accepted"):
        model.generate(bars=1, n=2, seed=2, accept=lambda piece: False)


def test_tracks_are_those_the_caller_sees(model: Model) -> None:
    """A Score may have tracks without notes, which no file keeps."""
    score = Score(480)
    score.tracks.append(Track("empty", 0, False))
    for name, program in (("piano", 0), ("bass", 32), ("flute", 73)):
        track = Track(name, program, False)
        track.notes.extend([Note(480 * n, 400, 50 + program // 4 + n % 3, 80) for n in range(32)])
        score.tracks.append(track)
    for tracks in (["bass"], [3]):
        [piece] = model.infill(score, [(2, 3)], tracks=tracks, seed=1)
        for name in ("piano", "flute"):
            mine, was = (next(t for t in s.tracks if t.name == name).notes for s in (piece.score, score))
            assert [(n.time, n.duration, n.pitch) for n in mine] == [(n.time, n.duration, n.pitch) for n in was]


def test_events_of_real_songs(model: Model, data: Path) -> None:
    for path in find_midi(data / "quartets")[2:5]:
        source = read_score(path)
        events = list(model.stream(path, verb="infill", bars=[(5, 6)], n=2, seed=1))
        for found, piece in zip(*put_together(events, 2), strict=True):
            final = note_keys(piece.score)
            assert not found - final
            assert not (final - found) - note_keys(source)


def test_notes_that_changed_outside_some_bars_are_counted() -> None:
    def melody(*pitches: int) -> Score:
        score = Score(480)
        score.tracks.append(Track("melody", 0, False))
        score.tracks[0].notes.extend([Note(480 * n, 480, pitch, 80) for n, pitch in enumerate(pitches)])
        return score

    before = melody(*[60] * 12)  # three bars
    inside, outside = melody(*[60] * 5, 72, *[60] * 6), melody(72, *[60] * 11)
    assert changed_outside(before, before, [(2, 2)]) == 0
    assert changed_outside(before, inside, [(2, 2)]) == 0
    assert changed_outside(before, inside, [(2, 2)], adds=True) == 1  # the note that is gone
    assert changed_outside(before, inside, None) == 0
    assert changed_outside(before, outside, [(2, 2)]) == 2  # one gone, one new
    assert changed_outside(before, melody(*[60] * 13), [(2, 3)]) == 1
