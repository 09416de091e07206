"""What is promised of every output, whatever is asked for: of a model that knows nothing, the hardest to hold.

300 requests at random here; `make nightly` makes 10,000.
"""

from __future__ import annotations

import io
import os
from itertools import pairwise
from typing import Any

import mido
import numpy as np
import pytest
from symusic import ControlChange, Note, Score, Tempo, TextMeta, TimeSignature, Track

from outside import heard, new_notes, read, untouched_outside
from random_model import random_model
from toccata.midi.bars import bar_map
from toccata.midi.keys import Key
from toccata.midi.levels import COUNTS
from toccata.midi.locks import Lock, locked_notes
from toccata.midi.replace import Hole
from toccata.midi.splice import new_file
from toccata.musicmodel import Model
from toccata.piece import Piece
from toccata.recipes import load
from toccata.tasks.chords import ChordChart, strong_beats
from toccata.tokenizers.events import EventOptions

REQUESTS = int(os.environ.get("TOCCATA_REQUESTS", "300"))
KEYS = ("C major", "D minor", "F# major", "Bb minor")
CHARTS = ("C | F G7 | C", "Dm7 | G7 | Cmaj7 | %", "Am", "F#m7b5 | B7 | Em")
METERS = ((4, 4), (3, 4), (6, 8), (2, 4))
PROGRAMS = (0, 40, 42, 73, -1)


@pytest.fixture(scope="module", params=["program_changes", "programs", "RunningStatus", "TSD"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Random weights behind three kinds of tokens: two with bars, one that counts time alone."""
    recipe = load("toccata")
    options = recipe.tokenizer
    assert isinstance(options, EventOptions)
    if request.param != "RunningStatus":
        own = {"program_changes": True} if request.param == "program_changes" else {}
        options = EventOptions("TSD" if request.param == "TSD" else "REMI", {**options.options, **own})
    place = random_model(tmp_path_factory.mktemp("model") / "m", options, context=320, styles=["a", "b"])
    return Model(place, precision="fp32")


def song(rng: np.random.Generator) -> bytes:
    """A few bars for a few instruments, with a meter, a tempo, pedals and words that have to stay."""
    score = Score(480)
    numerator, denominator = METERS[int(rng.integers(len(METERS)))]
    score.time_signatures.append(TimeSignature(0, numerator, denominator))
    score.tempos.append(Tempo(0, qpm=int(rng.integers(60, 160))))
    bars, length = int(rng.integers(2, 6)), 480 * 4 * numerator // denominator
    others = rng.choice(PROGRAMS[1:], int(rng.integers(0, 3)), replace=False).tolist()
    for program in (0, *others):
        track = Track("words", max(program, 0), program == -1)
        for pitch in rng.choice(np.arange(36, 84), int(rng.integers(1, 5)), replace=False).tolist():
            tick = int(rng.integers(0, length))
            while tick < bars * length - 30:
                long = int(rng.integers(30, 900))
                track.notes.append(Note(tick, min(long, bars * length - tick), pitch, int(rng.integers(20, 120))))
                tick += long + int(rng.integers(0, 1200))
        if not track.is_drum:
            track.controls.append(ControlChange(int(rng.integers(0, bars * length)), 7, 100))
        track.lyrics.append(TextMeta(0, "la"))
        track.notes.append(Note(bars * length - 40, 40, 60, 64))  # the song has its bars
        score.tracks.append(track)
    return new_file(score)


def random_options(rng: np.random.Generator, bars: int) -> dict[str, Any]:
    """Some of what can be asked for besides."""
    said: dict[str, Any] = {}
    if rng.random() < 0.4:
        said["chords"] = CHARTS[int(rng.integers(len(CHARTS)))]
        if len(ChordChart.read(said["chords"]).bars) > bars:
            del said["chords"]
    if rng.random() < 0.4 and "chords" not in said:
        said["key"] = KEYS[int(rng.integers(len(KEYS)))]
    names = [name for name in COUNTS if rng.random() < 0.3]
    said["controls"] = {name: int(rng.integers(1, COUNTS[name] + 1)) for name in names} or None
    said["style"] = ["a", "b"][: int(rng.integers(0, 3))]
    return said


def assert_plays(midi: bytes) -> None:
    """Every key is let go after it was struck, none is struck while it sounds, and time never runs back."""
    file = read(midi)
    for number, track in enumerate(file.tracks):
        until: dict[tuple[int, int], int] = {}
        for note in heard(track, number):
            assert note.end is not None, "a note hangs"
            assert note.start < note.end
            assert until.get((note.channel, note.pitch), 0) <= note.start, "a key is struck while it sounds"
            until[note.channel, note.pitch] = note.end


def onsets(score: Score, start: int, end: int) -> list[tuple[int, int]]:
    """Ticks and pitches of the pitched notes that begin in a span."""
    return [(n.time, n.pitch) for t in score.tracks if not t.is_drum for n in t.notes if start <= n.time < end]


def assert_in_chords(
    new: list[tuple[int, int]], chart: str, lines: list[int], meter: tuple[int, int], tpq: int
) -> None:
    """On strong beats of the bars only tones of their chords begin."""
    bars = ChordChart.read(chart).bars
    beat = tpq * 4 // meter[1]
    for number, (start, end) in enumerate(pairwise(lines)):
        changes = bars[number % len(bars)]
        for strong in strong_beats(meter[0]):
            place = strong / meter[0]
            chord = [change.chord for change in changes if change.place <= place][-1]
            tick = start + strong * beat
            assert tick < end
            assert chord is None or all(chord.tones[pitch % 12] for at, pitch in new if at == tick)


def assert_ends(score: Score, lines: list[int], key: str) -> None:
    """In the last bar something begins, and only on the tonic triad."""
    last = onsets(score, lines[-2], lines[-1])
    drums = [n for t in score.tracks if t.is_drum for n in t.notes if n.time >= lines[-2]]
    assert last or drums
    assert all(Key.read(key).triad()[pitch % 12] for _, pitch in last)


def check_new(model: Model, rng: np.random.Generator, seed: int) -> None:
    bars, meter, said = int(rng.integers(1, 4)), METERS[int(rng.integers(len(METERS)))], {}
    said = random_options(rng, bars)
    end = "key" in said and bool(rng.integers(2))
    programs = tuple(rng.choice(PROGRAMS, 2, replace=False).tolist()) if rng.random() < 0.5 else None
    (piece,) = model.generate(bars=bars, meter=meter, seed=seed, end=end, programs=programs, **said)
    assert_plays(piece.midi)
    score, lines = piece.score, bar_map(piece.score).starts.tolist()
    assert piece.bars == bars
    if programs is not None:
        assert {-1 if t.is_drum else t.program for t in score.tracks if len(t.notes)} <= set(programs)
    new = onsets(score, 0, lines[-1])
    if "key" in said:
        assert all(Key.read(said["key"]).scale()[pitch % 12] for _, pitch in new)
    if "chords" in said:
        assert_in_chords(new, said["chords"], lines, meter, score.ticks_per_quarter)
    if end:
        assert_ends(score, lines, said["key"])


def check_continued(model: Model, rng: np.random.Generator, seed: int) -> None:
    prompt, bars = song(rng), int(rng.integers(1, 3))
    said = random_options(rng, bars)
    end = "key" in said and bool(rng.integers(2))
    (piece,) = model.generate(prompt, bars=bars, seed=seed, end=end, **said)
    before = Score.from_midi(prompt)
    old = bar_map(before)
    assert piece.bars == len(old) + bars
    assert_plays(piece.midi)
    lines = bar_map(piece.score).starts.tolist()
    changes = untouched_outside(prompt, piece.midi, [])
    if "key" in said:  # the file has the signature of the new bars where they begin
        changes = [one for one in changes if f"new at tick {lines[len(old)]}: MetaMessage('key_signature'" not in one]
    assert not changes
    new = onsets(piece.score, lines[len(old)], lines[-1])
    if "key" in said:
        assert all(Key.read(said["key"]).scale()[pitch % 12] for _, pitch in new)
    if "chords" in said:
        assert_in_chords(new, said["chords"], lines[len(old) :], old.meters[-1], piece.score.ticks_per_quarter)
    if end:
        assert_ends(piece.score, lines, said["key"])


def span_of(bars: int, rng: np.random.Generator) -> tuple[int, int]:
    first = int(rng.integers(1, bars + 1))
    return first, int(rng.integers(first, bars + 1))


def check_infilled(model: Model, rng: np.random.Generator, seed: int) -> None:
    before = song(rng)
    score = Score.from_midi(before)
    old = bar_map(score)
    first, last = span_of(len(old), rng)
    locks = [Lock(pitches=(60, 72))] if rng.random() < 0.5 and onsets(score, 0, 10**9) else []
    locks = [lock for lock in locks if any(60 <= pitch <= 72 for _, pitch in onsets(score, 0, 10**9))]
    said = random_options(rng, last - first + 1)
    (piece,) = model.infill(before, [(first, last)], seed=seed, locks=locks, **said)
    kept = locked_notes(score, old, locks)
    end = int(old.starts[last]) if last < len(old) else 10**9
    hole = Hole(int(old.starts[first - 1]), end, None, frozenset(tuple(note) for note in kept))
    assert piece.bars == len(old)
    assert not untouched_outside(before, piece.midi, [hole])
    assert_new_in(before, piece, hole, said)


def assert_new_in(before: bytes, piece: Piece, hole: Hole, said: dict[str, Any]) -> None:
    """The new notes lie in the hole, in the key, and are let go."""
    for _, channel, start, end, pitch, _ in new_notes(before, piece.midi, [hole]):
        assert hole.start <= start < end <= hole.end
        assert "key" not in said or channel == 9 or Key.read(said["key"]).scale()[pitch % 12]


def check_accompanied(model: Model, rng: np.random.Generator, seed: int) -> None:
    before = song(rng)
    old = bar_map(Score.from_midi(before))
    first, last = span_of(len(old), rng)
    said = random_options(rng, last - first + 1)
    (piece,) = model.accompany(before, [32, 48], bars=[(first, last)], seed=seed, **said)
    assert piece.bars == len(old)
    assert not untouched_outside(before, piece.midi, [])
    end = int(old.starts[last]) if last < len(old) else 10**9
    assert_new_in(before, piece, Hole(int(old.starts[first - 1]), end, frozenset()), said)


def check_varied(model: Model, rng: np.random.Generator, seed: int) -> None:
    before = song(rng)
    (piece,) = model.vary(before, keep="rhythm", strength=float(rng.random()), n=1, seed=seed)

    def rhythm(midi: bytes) -> list[tuple[int, ...]]:
        return sorted(
            (n.track, n.channel, n.program, n.start, n.end or -1, n.velocity)
            for number, track in enumerate(read(midi).tracks)
            for n in heard(track, number)
        )

    assert rhythm(before) == rhythm(piece.midi)


CHECKS = (check_new, check_continued, check_infilled, check_accompanied, check_varied)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_every_promise_is_kept(model: Model, check: Any) -> None:
    for number in range(REQUESTS // len(CHECKS) // 3):
        seed = number * len(CHECKS) + CHECKS.index(check)
        rng = np.random.default_rng([17, seed])
        try:
            check(model, rng, seed)
        except Exception as error:
            error.add_note(f"{check.__name__}, request {number}")
            raise


def test_the_checks_can_fail() -> None:
    file = mido.MidiFile(type=0)
    file.tracks.append(mido.MidiTrack([mido.Message("note_on", note=60, velocity=64, time=0)]))
    hanging = io.BytesIO()
    file.save(file=hanging)
    with pytest.raises(AssertionError, match="a note hangs"):
        assert_plays(hanging.getvalue())
    score = Score(480)
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.extend([Note(0, 480, 60, 64), Note(1920, 480, 60, 64)])
    assert_ends(score, [0, 1920, 3840], "C major")
    assert_in_chords([(0, 60)], "C", [0, 1920], (4, 4), 480)
    with pytest.raises(AssertionError):
        assert_ends(score, [0, 1920, 3840], "F# major")
    with pytest.raises(AssertionError):
        assert_in_chords([(0, 60)], "F#", [0, 1920], (4, 4), 480)
