"""Voices under a melody: full, in order, in range, one note at a time, whatever the model; the melody as it was."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from symusic import Note, Score, TimeSignature, Track

from cli_support import call
from outside import untouched_outside
from random_model import random_model
from toccata.errors import RequestError
from toccata.midi.bars import bar_map
from toccata.midi.read import find_midi, read_score
from toccata.midi.splice import new_file
from toccata.musicmodel import Model
from toccata.piece import Piece
from toccata.recipes import load
from toccata.tasks.voicing import CHOIR, Sung, Voicing, deal, twice, under
from toccata.tokenizers.events import EventOptions
from toccata.tokenizers.load import build_tokenizer
from toccata.tokenizers.text import TextOptions

Line = list[tuple[int, int, int]]
NAMES = [voice.name for voice in CHOIR]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights: what holds of what such a model writes holds of any."""
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    return random_model(tmp_path_factory.mktemp("model") / "m", recipe.tokenizer, context=512)


@pytest.fixture(scope="module")
def model(path: Path) -> Model:
    return Model(path, precision="fp32")


def tune(*notes: tuple[float, float, int], meter: tuple[int, int] = (4, 4), tpq: int = 480, program: int = 52) -> bytes:
    """A melody; notes are (start, end, pitch), in quarters."""
    score = Score(tpq)
    score.time_signatures.append(TimeSignature(0, *meter))
    score.tracks.append(Track("Tune", program, False))
    for start, end, pitch in notes:
        score.tracks[0].notes.append(Note(round(start * tpq), round((end - start) * tpq), pitch, 80))
    return new_file(score)


def lines(piece: Piece, first: int = 1) -> dict[str, Line]:
    """Start, end and pitch of the notes of each new track, by its name."""
    return {t.name: sorted((n.time, n.end, n.pitch) for n in t.notes) for t in piece.score.tracks[first:]}


def assert_sung(found: dict[str, Line], melody: Line) -> None:
    """Every voice in its range, alone in its track, and below all that is above it."""
    assert set(found) <= set(NAMES)
    above = list(melody)
    for voice in CHOIR:
        line = found.get(voice.name, [])
        assert all(one[1] <= two[0] for one, two in pairwise(line)), voice
        for start, end, pitch in line:
            assert voice.low <= pitch <= voice.high
            assert all(pitch < other for a, b, other in above if a < end and start < b), (voice, start, pitch)
        above += line


def share(piece: Piece, melody: Line, step: int) -> float:
    """At which share of the steps where the melody sounds every voice does."""
    found = lines(piece)
    at = [tick for tick in range(0, melody[-1][1], step) if any(a <= tick < b for a, b, _ in melody)]
    full = [all(any(a <= tick < b for a, b, _ in found.get(name, [])) for name in NAMES) for tick in at]
    return sum(full) / len(full)


RISING = [(q, q + 1, 67 + q % 6) for q in range(16)]


def test_four_voices_sound_all_along(model: Model) -> None:
    midi = tune(*RISING)
    (piece,) = model.harmonise(midi, seed=3)
    melody = [(a * 480, b * 480, p) for a, b, p in RISING]
    assert untouched_outside(midi, piece.midi, []) == []
    assert [t.name for t in piece.score.tracks] == ["Tune", *NAMES]
    assert {t.program for t in piece.score.tracks} == {52}
    assert_sung(lines(piece), melody)
    assert share(piece, melody, 40) == 1
    assert piece.bars == 4
    assert piece.origin["voices"] == NAMES


def test_sopranos_of_real_choirs(data: Path, model: Model) -> None:
    done = 0
    for path in find_midi(data / "choir"):
        score = read_score(path)
        full = [n for n, track in enumerate(score.tracks) if len(track.notes)]
        if len(full) != 4 or any(twice(_line(score, n), score.ticks_per_quarter) is not None for n in full):
            continue
        soprano = max(full, key=lambda n: sum(p for *_, p in _line(score, n)) / len(score.tracks[n].notes))
        (piece,) = model.harmonise(path, bars=[(1, 2)], seed=done, melody=soprano + 1)
        assert untouched_outside(path.read_bytes(), piece.midi, []) == [], path.name
        assert len(bar_map(piece.score)) == len(bar_map(score)), path.name
        new = lines(piece, len(score.tracks))
        assert_sung(new, _line(score, soprano))
        end = int(bar_map(score).starts[2])
        assert all(b <= end for line in new.values() for _, b, _ in line), path.name
        done += 1
        if done == 4:
            break
    assert done == 4


def _line(score: Score, number: int) -> Line:
    return sorted((n.time, n.end, n.pitch) for n in score.tracks[number].notes)


MELODIES = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 0.1, 0.75, 2]), st.sampled_from([0.25, 0.5, 1, 1.37, 3]), st.integers(50, 84)),
    min_size=1,
    max_size=14,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MELODIES, st.sampled_from([(4, 4), (3, 4), (6, 8)]), st.sampled_from([480, 96, 100]), st.integers(0, 99))
def test_any_melody(
    model: Model, drawn: list[tuple[float, float, int]], meter: tuple[int, int], tpq: int, seed: int
) -> None:
    now, notes = 0.0, []
    for rest, length, pitch in drawn:
        now += rest
        notes.append((now, now + length, pitch))
        now += length
    midi = tune(*notes, meter=meter, tpq=tpq)
    melody = _line(read_score(midi), 0)
    try:
        (piece,) = model.harmonise(midi, seed=seed)
    except RequestError as error:
        assert "can sing under the melody" in str(error)  # noqa: PT017
        return
    assert untouched_outside(midi, piece.midi, []) == []
    assert len(bar_map(piece.score)) == len(bar_map(read_score(midi)))
    assert_sung(lines(piece), melody)
    if all(pitch >= 65 for *_, pitch in notes):
        assert share(piece, melody, tpq // 4) > 0.9


@pytest.mark.parametrize(
    "options",
    [
        EventOptions("RunningStatus"),
        EventOptions("TSD"),
        EventOptions("Structured"),
        EventOptions("REMI", {"use_programs": False}),
        TextOptions(),
    ],
    ids=["running status", "TSD", "Structured", "one instrument", "text"],
)
def test_in_the_words_of_other_tokenizers(options: EventOptions | TextOptions, tmp_path: Path) -> None:
    tokenizer: Any = build_tokenizer(options)
    other = Model(random_model(tmp_path / "m", tokenizer=tokenizer, context=1024), precision="fp32")
    midi = tune(*RISING)
    (piece,) = other.harmonise(midi, seed=1)
    melody = [(a * 480, b * 480, p) for a, b, p in RISING]
    assert untouched_outside(midi, piece.midi, []) == []
    assert_sung(lines(piece), melody)
    assert share(piece, melody, 40) == 1


def _parallels(voices: list[Line]) -> int:
    """How often two voices go along in fifths or octaves."""
    ticks = sorted({start for line in voices for start, _, _ in line})
    chords = [[next((p for a, b, p in line if a <= tick < b), None) for line in voices] for tick in ticks]
    steps = [[(a, b) for a, b in zip(one, two, strict=True) if a and b] for one, two in pairwise(chords)]
    return sum(
        (a - b) % 12 == (c - d) % 12 and (a - b) % 12 in (0, 7) and (c - a) * (d - b) > 0
        for step in steps
        for (a, c), (b, d) in combinations(step, 2)
    )


def test_hardly_any_parallel_fifths_and_octaves(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    melody = [(a * 480, b * 480, p) for a, b, p in RISING]

    def count() -> int:
        pieces = model.harmonise(tune(*RISING), n=8, seed=7)
        return sum(_parallels([melody, *lines(piece).values()]) for piece in pieces)

    few = count()
    assert few / (8 * (len(RISING) - 1)) < 0.1  # of six pairs of voices a step
    monkeypatch.setattr(Voicing, "_clumsy", lambda self, cursor: [np.zeros(128, np.bool_)] * 3)
    assert few < count()


def test_some_of_the_voices_some_of_the_bars(model: Model) -> None:
    midi = tune(*RISING)
    (piece,) = model.harmonise(midi, voices=["bass"], bars=[(2, 3)], seed=1)
    assert [t.name for t in piece.score.tracks] == ["Tune", "Bass"]
    bass = lines(piece)["Bass"]
    assert bass[0][0] == 480 * 4
    assert bass[-1][1] == 480 * 12
    assert all(one[1] == two[0] for one, two in pairwise(bass))
    assert all(40 <= pitch <= 62 for _, _, pitch in bass)


def test_voices_rest_with_the_melody_but_not_for_a_breath(model: Model) -> None:
    notes = [(0, 1, 72), (1.4, 2, 74), (6, 8, 71)]
    (piece,) = model.harmonise(tune(*notes), seed=1)
    for line in lines(piece).values():
        assert any(a <= 580 < b for a, b, _ in line)
        assert not any(a < 2880 and b > 960 for a, b, _ in line)


def test_a_chart_goes_on_through_bars_in_which_the_voices_rest(model: Model) -> None:
    sung = [(q, q + 1, 72 if q < 24 else 73) for q in range(48) if not 24 <= q < 36]
    chart = " | ".join(["C"] * 9 + ["F#"] * 3)
    (piece,) = model.harmonise(tune(*sung), seed=1, chords=chart, controls={"density": [2] * 12})
    strong = {n.pitch % 12 for line in lines(piece).values() for n in map(_Sung._make, line) if n.start == 36 * 480}
    assert strong <= {6, 10, 1}
    strong = {n.pitch % 12 for line in lines(piece).values() for n in map(_Sung._make, line) if n.start == 20 * 480}
    assert strong <= {0, 4, 7}


class _Sung(NamedTuple):
    start: int
    end: int
    pitch: int


def test_the_highest_track_is_the_melody_and_others_are_left_alone(model: Model) -> None:
    score = Score(480)
    for name, pitch, drums in (("Low", 50, False), ("High", 76, False), ("Kit", 90, True)):
        score.tracks.append(Track(name, 0, drums))
        score.tracks[-1].notes.extend(Note(480 * q, 480, pitch + q % 3, 80) for q in range(4))
    midi = new_file(score)
    (piece,) = model.harmonise(midi, seed=1)
    assert untouched_outside(midi, piece.midi, []) == []
    assert piece.origin["melody"] == 1
    (other,) = model.harmonise(midi, melody="low", voices=["bass"], seed=1)
    assert other.origin["melody"] == 0
    with pytest.raises(RequestError, match="track 3 is drums"):
        model.harmonise(midi, melody=3)


def test_the_same_seed_sings_the_same(model: Model) -> None:
    midi = tune(*RISING[:8])
    one, two = model.harmonise(midi, n=2, seed=4)
    assert model.harmonise(midi, seed=5)[0].midi == two.midi
    assert one.midi != two.midi


def test_what_cannot_be_sung_is_refused_in_a_line(model: Model, tmp_path: Path) -> None:
    chord = tune((0, 4, 72), (4, 6, 72), (4, 6, 76))
    for song, asked, what in (
        (chord, {}, "track 1 has two notes at once in bar 2"),
        (tune((0, 4, 40)), {}, "no alto or tenor or bass can sing under the melody there"),
        (tune((0, 4, 72)), {"voices": ["alto", "soprano"]}, "no voice 'soprano': there are alto, tenor, bass"),
        (tune((0, 4, 72)), {"voices": []}, "no voice is named"),
        (tune((0, 4, 72)), {"melody": "tuba"}, "no track tuba"),
        (tune((0, 4, 72)), {"bars": [(2, 9)]}, "there are no bars 2 to 9"),
    ):
        with pytest.raises(RequestError, match=what) as caught:
            model.harmonise(song, **asked)
        assert "\n" not in str(caught.value)
    drums = Score(480)
    drums.tracks.append(Track("", 0, True))
    drums.tracks[0].notes.append(Note(0, 480, 36, 80))
    with pytest.raises(RequestError, match="the song has no melody"):
        model.harmonise(new_file(drums))
    other = Model(random_model(tmp_path / "m", EventOptions("MIDILike"), context=128), precision="fp32")
    with pytest.raises(RequestError, match="cannot harmonise: its tokens do not say how long a note is"):
        other.harmonise(chord)


def test_chords_outside_the_bars_do_not_matter(model: Model) -> None:
    song = tune((0, 4, 72), (4, 6, 72), (4, 6, 76))
    (piece,) = model.harmonise(song, bars=[(1, 1)], seed=1)
    assert piece.new is not None
    assert piece.new.note_num() > 0


def test_a_slur_is_no_chord() -> None:
    assert twice([(0, 500, 60), (480, 960, 62)], 480) is None
    assert twice([(0, 960, 60), (480, 960, 62)], 480) == 480
    assert twice([(0, 480, 60), (0, 480, 67)], 480) == 0


def test_the_command(path: Path, tmp_path: Path) -> None:
    song, out = tmp_path / "tune.mid", tmp_path / "choir.mid"
    song.write_bytes(tune(*RISING[:8]))
    result = call("harmonise", song, "--model", path, "--voices", "tenor,bass", "--seed", 2, "-o", out, "--json")
    assert result.code == 0, result.err
    assert result.json["pieces"][0]["bars"] == 2
    assert [t.name for t in read_score(out).tracks] == ["Tune", "Tenor", "Bass"]
    result = call("harmonise", song, "--model", path, "--melody", "oboe", "-o", out, "--force")
    assert result.code != 0
    assert "no track oboe; there are 1 tune" in result.error


# -- dealing notes out -------------------------------------------------------------------------------------------------


@st.composite
def chords(draw: st.DrawFn) -> list[Sung]:
    """Notes of at most three at a time."""
    out: list[Sung] = []
    for start in range(0, 24, 2):
        there = [note for note in out if note[1] > start]
        for _ in range(draw(st.integers(0, 3 - len(there)))):
            pitch = draw(st.sampled_from([p for p in range(40, 75) if all(p != note[2] for note in there)]))
            out.append((start, start + draw(st.integers(1, 9)), pitch, 80))
            there.append(out[-1])
    return out


@settings(deadline=None)
@given(chords())
def test_notes_are_dealt_to_voices_in_order(notes: list[Sung]) -> None:
    found = deal(notes, CHOIR)
    above: Line = []
    for voice, line in zip(CHOIR, found, strict=True):
        assert all(one[1] <= two[0] for one, two in pairwise(line))
        for start, end, pitch, _ in line:
            assert voice.low <= pitch <= voice.high
            assert start < end
            assert all(pitch < other for a, b, other in above if a < end and start < b)
        above += [note[:3] for note in line]
    sounding = {(tick, pitch) for start, end, pitch, _ in notes for tick in range(start, end)}
    assert {(tick, pitch) for start, end, pitch in above for tick in range(start, end)} <= sounding


def test_a_note_goes_on_in_another_voice_where_it_must() -> None:
    notes = [(0, 4, 50, 80), (0, 8, 60, 80), (0, 4, 64, 80), (4, 8, 62, 80), (4, 8, 65, 80)]
    assert deal(notes, CHOIR) == [
        [(0, 4, 64, 80), (4, 8, 65, 80)],
        [(0, 4, 60, 80), (4, 8, 62, 80)],
        [(0, 4, 50, 80), (4, 8, 60, 80)],
    ]


def test_notes_end_where_the_melody_comes_down_to_them() -> None:
    melody = [(0, 10, 70), (10, 20, 60)]
    assert under([(0, 20, 62, 80), (0, 20, 59, 80), (12, 14, 60, 80)], melody) == [(0, 10, 62, 80), (0, 20, 59, 80)]


def test_what_may_be_sung_follows_from_the_cursor_alone(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that remembered where it was looked at last would say other things to those who look ahead."""
    begin, allowed = Voicing.__init__, Voicing.allowed
    asked = 0

    def remember(self: Voicing, *arguments: Any) -> None:
        begin(self, *arguments)
        self.arguments = arguments  # type: ignore[attr-defined]

    def both(self: Voicing, cursor: Any) -> NDArray[np.bool_]:
        nonlocal asked
        asked += 1
        fresh = Voicing(*self.arguments)  # type: ignore[attr-defined]
        mask = allowed(self, cursor)
        assert np.array_equal(mask, allowed(fresh, cursor))
        return mask

    monkeypatch.setattr(Voicing, "__init__", remember)
    monkeypatch.setattr(Voicing, "allowed", both)
    model.harmonise(tune(*((n, n + 1, 72 + n % 4) for n in range(12))), n=2, seed=3)
    assert asked > 100
