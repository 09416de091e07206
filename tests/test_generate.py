"""Generation as a user meets it.

Exact bars, prompts untouched, the same seed the same notes, past the context, without end.
"""

from __future__ import annotations

import io
from itertools import zip_longest
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from symusic import Note, Score, Tempo, TimeSignature, Track

from random_model import opened, random_model
from toccata.engine.sampling import Sampling, damaged, draw, masked, unsound
from toccata.errors import MidiError, ModelError, RequestError
from toccata.events import BarBegun, Event, NoteAdded, NoteRemoved, PieceFinished
from toccata.measure.likelihood import piece_nats
from toccata.measure.validity import validity
from toccata.midi.bars import bar_map
from toccata.midi.read import find_midi, read_score
from toccata.midi.splice import new_file
from toccata.musicmodel import Model
from toccata.piece import Piece, read_origin, song
from toccata.tasks.prompt import open_prompt
from toccata.tokenizers.events import EventOptions, EventTokenizer

SCHEMES = [
    EventOptions("REMI", {"program_changes": True}),
    EventOptions("RunningStatus"),
    EventOptions("REMI", {"use_rests": True, "use_chords": True}),
    EventOptions("REMI", {"use_programs": False}),
    EventOptions("TSD"),
    EventOptions("MIDILike"),
    EventOptions("Structured"),
]
NAMES = [f"{o.scheme}-{'-'.join(o.options)}" for o in SCHEMES]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return opened(tmp_path_factory.mktemp("models") / "random")


def long_piece(data: Path) -> Path:
    """A piece that no context of these tests holds."""
    return next(path for path in find_midi(data / "bach" / "mutopia") if path.stat().st_size > 4_000)


def waltz(bars: int = 6, ticks: int = 480) -> Score:
    """A little piece in 3/4 with two tracks, to go on from."""
    score = Score(ticks)
    score.tempos = [Tempo(0, qpm=90)]
    score.time_signatures = [TimeSignature(0, 3, 4)]
    for name, program, low in (("Violin", 40, 67), ("Cello", 42, 43)):
        track = Track(name, program, False)
        track.notes.extend([Note(i * ticks, ticks, low + i % 5, 80) for i in range(3 * bars)])
        score.tracks.append(track)
    return score


def events(data: bytes, before: int | None = None) -> list[list[tuple[int, bytes]]]:
    """Every message of every track with its absolute tick, as an independent reader sees them."""
    out = []
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        tick, messages = 0, []
        for message in track:
            tick += message.time
            if message.type != "end_of_track" and (before is None or tick < before):
                messages.append((tick, bytes(message.bin()) if not message.is_meta else bytes(message.bytes())))
        out.append(messages)
    return out


@pytest.mark.parametrize("options", SCHEMES, ids=NAMES)
def test_new_pieces_have_the_bars_asked_for(options: EventOptions, tmp_path: Path) -> None:
    model = opened(tmp_path / "m", options)
    pieces = model.generate(n=3, bars=4, seed=0, max_tokens=300)
    assert validity(pieces, 4).faults == ()
    assert [p.origin["seed"] for p in pieces] == [0, 1, 2]


@pytest.mark.parametrize("options", SCHEMES, ids=NAMES)
def test_a_prompt_stands_as_it_stood_and_bars_follow(options: EventOptions, tmp_path: Path) -> None:
    model = opened(tmp_path / "m", options)
    path = tmp_path / "waltz.mid"
    from toccata.midi.splice import new_file

    path.write_bytes(new_file(waltz()))
    [piece] = model.generate(path, bars=3, max_tokens=200, seed=0)
    assert piece.prompt_end == 6 * 3 * 480
    written = events(piece.midi, piece.prompt_end)
    for mine, track in zip(written, events(path.read_bytes(), piece.prompt_end), strict=False):
        kept = [m for m in mine if not m[1].startswith(b"\xff\x01")]  # but for the text that tells the origin
        assert [m for m in kept if m in track] == track
    notes = [n for t in piece.score.tracks for n in t.notes if n.time >= piece.prompt_end]
    assert all(n.time + n.duration <= piece.prompt_end + 3 * 3 * 480 for n in notes)
    assert len(bar_map(piece.score)) <= 9
    assert all((m.numerator, m.denominator) == (3, 4) for m in piece.score.time_signatures)


def test_the_same_seed_gives_the_same_notes_whoever_is_beside(model: Model) -> None:
    alone = [model.generate(n=1, bars=4, seed=s)[0].midi for s in (5, 6, 7)]
    together = [p.midi for p in model.generate(n=3, bars=4, seed=5)]
    many = [p.midi for p in model.generate(n=18, bars=1, seed=0, max_tokens=40)]
    assert alone == together
    assert many[17] == model.generate(n=1, bars=1, seed=17, max_tokens=40)[0].midi


def test_a_long_piece_is_as_valid_at_its_end(model: Model) -> None:
    bars = 60
    seen: list[Event] = []
    [piece] = model.generate(bars=bars, max_tokens=3000, on_event=seen.append, seed=0)
    assert piece.origin["tokens"] > 4 * model.config.context, "the context never slid: nothing was tested"
    assert validity([piece], bars).faults == ()
    assert [e.bar for e in seen if isinstance(e, BarBegun)] == list(range(bars))


def test_notes_are_told_as_they_are_written(model: Model) -> None:
    seen: list[Event] = []
    [piece] = model.generate(bars=3, max_tokens=200, on_event=seen.append, seed=0)
    added = [e.note for e in seen if isinstance(e, NoteAdded)]
    there = sorted((n.time, n.pitch) for t in piece.score.tracks for n in t.notes)
    assert sorted((n.onset, n.pitch) for n in added) == there


def test_writing_can_be_stopped(model: Model) -> None:
    class Enough(Exception):  # noqa: N818 - a signal
        pass

    def stop(event: Event) -> None:
        raise Enough

    with pytest.raises(Enough):
        model.generate(bars=8, on_event=stop)
    assert model.generate(bars=1, max_tokens=40)


def test_what_is_asked_is_kept_to(model: Model) -> None:
    [piece] = model.generate(bars=4, key="D minor", tempo=77, meter=(3, 4), programs=[40, -1], max_tokens=300, seed=0)
    scale = {2, 4, 5, 7, 9, 10, 0, 1}
    assert {n.pitch % 12 for t in piece.score.tracks if not t.is_drum for n in t.notes} <= scale
    assert {(-1 if t.is_drum else t.program) for t in piece.score.tracks} <= {40, -1}
    assert [round(t.qpm) for t in piece.score.tempos] == [77]
    assert [(s.numerator, s.denominator) for s in piece.score.time_signatures] == [(3, 4)]


def test_a_prompt_can_be_cut_by_bars_tokens_or_seconds(model: Model) -> None:
    for cut, seam in (({"prompt_bars": 2}, 2880), ({"prompt_seconds": 2.0}, 1440)):
        [piece] = model.generate(waltz(), bars=2, max_tokens=120, **cut, seed=0)
        assert piece.prompt_end == seam
        old = [n for t in piece.score.tracks for n in t.notes if n.time < seam]
        assert len(old) == 2 * seam // 480
    [piece] = model.generate(waltz(), bars=2, max_tokens=120, prompt_tokens=30, seed=0)
    tokens = model.tokenizer.encode(waltz(), end=False).ids[:30]
    whole = model.tokenizer.grammar().cursor()
    for token in tokens.tolist():
        whole.advance(token)
    old = [n for t in piece.score.tracks for n in t.notes if n.time < (piece.prompt_end or 0)]
    assert len(old) == whole.state.notes // 2 * 2


def test_a_model_writes_two_things_at_once(model: Model) -> None:
    alone = [model.generate(bars=2, seed=s, max_tokens=80)[0] for s in (1, 2)]
    streams = [model.stream(bars=2, seed=s, max_tokens=80) for s in (1, 2)]
    together: dict[int, Piece] = {}
    for events in zip_longest(*streams):
        logits = model.logits(np.array([model.tokenizer.bos], np.int32))
        assert np.isfinite(logits).all()
        together |= {i: event.music for i, event in enumerate(events) if isinstance(event, PieceFinished)}
    assert [together[i].midi for i in (0, 1)] == [piece.midi for piece in alone]


def test_an_ending_is_in_the_key_of_what_is_kept_of_a_prompt(model: Model) -> None:
    prompt = Score(480)
    prompt.tracks.append(Track("", 0, False))
    scale = (0, 4, 7, 5, 9, 2, 11, 7)
    for quarter in range(80):  # four bars of C major, then F sharp major
        prompt.tracks[0].notes.append(Note(480 * quarter, 480, (60 if quarter < 16 else 66) + scale[quarter % 8], 80))
    [piece] = model.generate(prompt, prompt_bars=4, bars=3, end=True, seed=1, continuation_only=True)
    last = {n.pitch % 12 for track in piece.score.tracks for n in track.notes if n.time >= 2 * 4 * 480}
    assert last
    assert last <= {0, 4, 7}


def test_only_the_continuation(model: Model) -> None:
    [whole] = model.generate(waltz(), bars=2, max_tokens=120, seed=3)
    [only] = model.generate(waltz(), bars=2, max_tokens=120, seed=3, continuation_only=True)
    assert whole.prompt_end is not None
    new = sorted(
        (n.time - whole.prompt_end, n.pitch) for t in whole.score.tracks for n in t.notes if n.time >= whole.prompt_end
    )
    assert sorted((n.time, n.pitch) for t in only.score.tracks for n in t.notes) == new
    assert round(only.score.tempos[0].qpm) == 90


def test_the_last_part_of_a_long_prompt_is_what_is_read(model: Model, data: Path) -> None:
    path = long_piece(data)
    [piece] = model.generate(path, bars=2, max_tokens=100, seed=0)
    before = read_score(path)
    assert piece.prompt_end == bar_map(before).end
    assert [n for t in piece.score.tracks for n in t.notes if n.time < piece.prompt_end].__len__() == before.note_num()


def test_an_idea_can_be_made_again(model: Model) -> None:
    [piece] = model.generate(bars=2, seed=11, sampling=Sampling(temperature=0.8, top_k=20), max_tokens=100)
    origin = read_origin(piece.midi)
    assert origin is not None
    assert origin["digest"] == model.folder.digest
    again = model.generate(
        bars=origin["bars"],
        seed=origin["seed"],
        sampling=Sampling(**origin["sampling"]),
        max_tokens=origin["max_tokens"],
    )
    assert again[0].midi == piece.midi


def test_files_are_never_overwritten_unasked(model: Model, tmp_path: Path) -> None:
    [piece] = model.generate(bars=1, max_tokens=40, seed=0)
    piece.save(tmp_path / "a.mid")
    with pytest.raises(RequestError, match="exists already"):
        piece.save(tmp_path / "a.mid")
    piece.save(tmp_path / "a.mid", force=True)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"n": 0}, "n must be a whole number from 1 to 100,000, not 0"),
        ({"bars": 0}, "bars must be a whole number from 1 to 10,000, not 0"),
        ({"key": "H dur"}, "no key"),
        ({"programs": [200]}, "programs must be .* number from 0 to 127, -1 for the drums, or its name, not 200"),
        ({"meter": (31, 16)}, "does not know the meter"),
        ({"meter": (4, 0)}, r"meter must be a meter like 3/4 .*, not \(4, 0\)"),
        ({"tempo": 0}, "tempo must be a number from 10 to 500"),
        ({"tempo": float("nan")}, "tempo must be a number from 10 to 500"),
        ({"seed": -1}, "seed must be a whole number from 0 to .*, not -1"),
        ({"max_tokens": 0}, "max_tokens must be a whole number from 1 to"),
        ({"prompt_bars": 2}, "no prompt"),
        (
            {"prompt": waltz(), "prompt_bars": 999},
            "score has [0-9]+ bars: there is no bar 999 in it",
        ),
    ],
)
def test_what_cannot_be_had_is_refused_before_anything_is_written(
    model: Model, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        model.generate(**asked)


def test_a_prompt_in_a_meter_the_model_does_not_know(tmp_path: Path) -> None:
    model = opened(tmp_path / "m", EventOptions("REMI", {"time_signature_range": {"4": [3, 4]}}))
    score = waltz()
    score.time_signatures = [TimeSignature(0, 7, 8)]
    with pytest.raises(RequestError, match="7/8 at bar"):
        model.generate(score, bars=2)


def test_a_prompt_that_cannot_be_read(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "broken.mid"
    path.write_bytes(b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\5\0\x90")
    with pytest.raises(MidiError, match=r"broken\.mid"):
        model.generate(path)


def test_likelihood_of_a_long_piece_counts_every_id_once(model: Model, data: Path) -> None:
    score = read_score(long_piece(data))
    nats, count = piece_nats(model, score)
    assert count == len(model.tokenizer.encode(score)) - 1 > 3 * model.config.context
    assert 0 < nats / count < 40


def test_sampling_draws_what_it_should() -> None:
    logits = np.log(np.array([[0.5, 0.3, 0.15, 0.05]], np.float32))
    allowed = np.ones((1, 4), np.bool_)

    def share(sampling: Sampling, allowed: np.ndarray[Any, Any] = allowed, never: int = -1) -> list[float]:
        rng = np.random.default_rng(0)
        drawn = [draw(masked(logits, allowed), sampling, [rng], [lambda token: token != never])[0] for _ in range(4000)]
        return [drawn.count(i) / 4000 for i in range(4)]

    close = pytest.approx
    assert share(Sampling(1, 1)) == close([0.5, 0.3, 0.15, 0.05], abs=0.03)
    assert share(Sampling(1, 0.8)) == close([0.625, 0.375, 0, 0], abs=0.03)
    assert share(Sampling(1, 1, top_k=3)) == close([0.526, 0.316, 0.158, 0], abs=0.03)
    assert share(Sampling(1, 1, min_p=0.2)) == close([0.526, 0.316, 0.158, 0], abs=0.03)
    assert share(Sampling(0)) == [1, 0, 0, 0]
    assert share(Sampling(0.5, 1))[0] > 0.65
    without = np.array([[False, True, True, True]])
    assert share(Sampling(1, 1), without) == close([0, 0.6, 0.3, 0.1], abs=0.03)
    # What is refused only when it is drawn is drawn no differently from what was masked before.
    assert share(Sampling(1, 1), never=0) == close([0, 0.6, 0.3, 0.1], abs=0.03)


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"top_p": 0}, {"top_k": -1}, {"min_p": 1}, {"repetition": 9}])
def test_sampling_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(RequestError, match=next(iter(wrong))):
        Sampling(**wrong)


def test_a_changed_file_is_refused_by_name(tmp_path: Path) -> None:
    path = random_model(tmp_path / "m")
    with (path / "model.safetensors").open("r+b") as file:
        file.seek(200)
        file.write(b"x")
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        Model(path).generate(bars=1)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_no_time_is_nothing_to_go_on_from(seconds: float, data: Path) -> None:
    tokenizer = EventTokenizer.build(EventOptions("REMI"))
    with pytest.raises(RequestError, match="nothing to go on from"):
        open_prompt(tokenizer, find_midi(data / "songs")[0], seconds=seconds)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nothing_is_drawn_from_what_is_not_finite(value: float) -> None:
    logits = np.zeros((2, 5), np.float32)
    logits[1, 3] = value
    allowed = np.ones((2, 5), np.bool_)
    assert unsound(masked(logits, allowed)) == [1]
    error = damaged(allowed[1])
    assert "not finite" in error.message
    assert "\n" not in error.message
    allowed[1, 3] = False  # what may not come need not be finite
    generators = [np.random.default_rng(i) for i in range(2)]
    assert draw(masked(logits, allowed), Sampling(), generators, [lambda _: True] * 2)[1] != 3
    allowed[1] = False
    assert unsound(masked(logits, allowed)) == [1]
    assert "tokenizer is damaged" in damaged(allowed[1]).message


def test_the_smallest_temperatures_are_greedy() -> None:
    logits = np.array([[0, 3, 1]], np.float32)
    for temperature in (1e-50, 1e-40, 1e-9):
        got = draw(
            logits,
            Sampling(temperature=temperature),
            [np.random.default_rng(0)],
            [lambda _: True],
        )
        assert got == [1]


def test_writing_ends_where_the_grammar_has_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toccata.engine.sequence.WAY_OUT", 50)
    monkeypatch.setattr("toccata.engine.sequence.A_BAR", 1)
    monkeypatch.setattr(
        "toccata.tokenizers.cursor.Cursor.rule_end",
        lambda cursor, mask: mask.__setitem__(cursor.grammar.scheme.eos, False),
    )
    monkeypatch.setattr("toccata.tokenizers.cursor.Cursor._shortest_way", lambda cursor, mask: mask)
    with pytest.raises(ModelError, match="has not come to its end 5"):
        opened(tmp_path / "m").generate(bars=None, max_tokens=5)


@pytest.mark.parametrize("scheme", ["RunningStatus", "REMI", "TSD", "MIDILike"])
def test_a_last_bar_of_more_than_can_be_read_is_gone_on_from_in_time(scheme: str, tmp_path: Path) -> None:
    """What is read of it begins in the middle of the bar, and the new music still begins where the bar ends."""
    score = Score(480)
    score.time_signatures = [TimeSignature(0, 3, 4)]
    track = Track("", 0, False)
    for bar in range(2):
        for n in range(12 if bar == 0 else 120):
            length = 1440 // (12 if bar == 0 else 30)
            track.notes.append(Note(1440 * bar + n % 30 * length, length, 40 + n % 50, 60 + n % 40))
    score.tracks.append(track)
    model = opened(tmp_path / "m", EventOptions(scheme))
    events = list(model.stream(score, bars=2, seed=1, n=2))
    for piece in (event.music for event in events if isinstance(event, PieceFinished)):
        assert piece.prompt_end == 2880
        assert piece.bars == 4
        new = sorted((n.time, n.pitch) for t in piece.score.tracks for n in t.notes if n.time >= 2880)
        assert new
        assert new[-1][0] < 2880 + 2 * 1440
    added = [event.note for event in events if isinstance(event, NoteAdded)]
    removed = [event for event in events if isinstance(event, NoteRemoved)]
    assert len(removed) <= len(added) / 10, "what was announced is what came out"
    assert min(note.onset for note in added) >= 2880


def test_the_origin_of_a_piece_made_in_two_steps_is_that_of_the_last(model: Model, tmp_path: Path) -> None:
    (first,) = model.generate(waltz(), bars=2, seed=1)
    (second,) = model.generate(first, bars=2, seed=7)
    (third,) = model.generate(second, prompt_bars=(2, 5), bars=2, seed=9, continuation_only=True)
    for piece, seed in ((first, 1), (second, 7), (third, 9)):
        assert (read_origin(piece.midi) or {})["seed"] == seed
        assert song(piece.save(tmp_path / f"{seed}.mid")).origin["seed"] == seed


def test_bars_of_a_prompt_count_those_in_which_only_earlier_notes_sound(model: Model, tmp_path: Path) -> None:
    rings = Score(480)
    rings.time_signatures.append(TimeSignature(0, 4, 4))
    rings.tracks.append(Track("", 0, False))
    rings.tracks[0].notes.extend([Note(480 * 4 * bar, 480, 60 + bar, 80) for bar in (0, 1, 2)])
    rings.tracks[0].notes.append(Note(480 * 4, 480 * 4 * 3, 48, 80))  # rings to the end of bar 4
    path = tmp_path / "song.mid"
    path.write_bytes(new_file(rings))
    for seed in range(2):
        (piece,) = model.generate(path, prompt_bars=(3, 4), bars=2, seed=seed)
        assert piece.prompt_end == 480 * 8
        assert piece.bars == 4
    with pytest.raises(MidiError, match=r"song.mid, bar 4: has no notes$") as caught:
        model.generate(path, prompt_bars=(4, 4), bars=2)
    assert caught.value.path == path


def test_the_music_after_a_pickup_is_in_the_meter_that_follows_it(model: Model) -> None:
    for whole in (False, True):
        tune = Score(480)
        tune.time_signatures.extend([TimeSignature(0, 1, 4), TimeSignature(480, 4, 4)])
        tune.tracks.append(Track("", 0, False))
        tune.tracks[0].notes.extend([Note(480 * q, 480, 60 + q, 80) for q in range(9 if whole else 1)])
        for seed in range(3):
            (piece,) = model.generate(new_file(tune), prompt_bars=1 if whole else None, bars=3, seed=seed)
            bars = bar_map(piece.score)
            assert bars.meters == ((1, 4), (4, 4), (4, 4), (4, 4))
            assert bars.starts.tolist() == [0, 480, 480 * 5, 480 * 9, 480 * 13]
