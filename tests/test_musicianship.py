"""What a musician takes for granted, of models that have learned nothing: players, ranges, lines, roots, endings."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from symusic import Note, Score, Tempo, TimeSignature, Track

from random_model import random_model
from toccata import folder
from toccata.engine.sampling import Sampling
from toccata.errors import RequestError
from toccata.midi.bars import bar_map
from toccata.midi.gm import program_number
from toccata.midi.keys import Key, estimate
from toccata.midi.locks import Lock
from toccata.midi.ranges import playable
from toccata.midi.read import find_midi, read_score
from toccata.musicmodel import Model
from toccata.piece import Piece
from toccata.recipes import load
from toccata.render.layout import lay_out
from toccata.tasks.controls import Controls
from toccata.tasks.coverage import Coverage
from toccata.tasks.partwriting import BASS
from toccata.tasks.plan import planned, slots
from toccata.tasks.steering import steering
from toccata.tasks.voiced import Voiced
from toccata.tokenizers.events import EventOptions, EventTokenizer
from toccata.tokenizers.rulebook import Constraints, Entry
from toccata.tokenizers.state import NEVER, State
from toccata.tokenizers.vocabulary import Kind

TPQ = 480
KEYS = ("C major", "D minor", "G major", "A minor", "F major", "E minor", "Bb major", "G minor", "D major", "C minor")


def written(path: Path, options: EventOptions | None = None, **shape: Any) -> Path:
    """A model folder of random weights, by default with the recipe toccata's tokens."""
    tokens = load("toccata").tokenizer
    assert isinstance(tokens, EventOptions)
    return random_model(path, options or tokens, **{"context": 2048, **shape})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(written(tmp_path_factory.mktemp("model") / "m"), precision="fp32")


@pytest.fixture(scope="module")
def strings(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model that has learned violin and cello, and a few notes of a flute."""
    path = written(tmp_path_factory.mktemp("model") / "strings")
    about = json.loads((path / folder.ABOUT).read_text())
    coverage = Coverage.of_scores([quartet()] * 20)
    folder.seal(path, {**about, folder.COVERAGE: coverage.to_json()})
    return Model(path, precision="fp32")


def line(program: int, low: int, bars: int = 12, step: int = TPQ, drums: bool = False) -> Track:
    track = Track("", program, drums)
    track.notes.extend([Note(i * step, step, low + (i * 5) % 7, 80) for i in range(bars * 4 * TPQ // step)])
    return track


def quartet(bars: int = 12) -> Score:
    score = Score(TPQ)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    score.tracks.extend([line(40, 70, bars), line(42, 45, bars, 2 * TPQ)])
    score.tracks[0].notes.append(Note(0, TPQ, 90, 80))
    return score


def notes(score: Score, program: int | None = None) -> list[tuple[int, int, int]]:
    """Onset, end and pitch of the pitched notes."""
    return sorted(
        (n.time, n.end, n.pitch)
        for t in score.tracks
        if not t.is_drum and program in (None, int(t.program))
        for n in t.notes
    )


def playing(score: Score, program: int, bar: int) -> bool:
    """Whether a program begins a note in a bar of 4/4."""
    size = 4 * score.ticks_per_quarter
    return any(bar * size <= onset < (bar + 1) * size for onset, _, _ in notes(score, program))


# -- what was learned --------------------------------------------------------------------------------------------------


def test_coverage_counts_what_pieces_have() -> None:
    coverage = Coverage.of_scores([quartet(), quartet()])
    assert coverage.pieces == 2
    assert set(coverage.instruments) == {40, 42}
    violin = coverage.instruments[40]
    assert violin.notes == 2 * 49
    assert violin.pitches == (70, 90)
    assert violin.alone == pytest.approx(47 / 49, abs=0.01)  # the first two begin together
    assert coverage.meters == {(4, 4): 2}
    assert coverage.tempos == (120, 120, 120)
    assert list(coverage.lengths) == [Fraction(1), Fraction(2)]
    assert coverage.ensembles == {frozenset({40, 42}): 2}
    assert Coverage.from_json(json.loads(json.dumps(coverage.to_json()))) == coverage


def test_a_style_has_its_own_ensembles(tmp_path: Path) -> None:
    """A piece in a style is for instruments that play together in the pieces of that style."""
    piano = Score(TPQ)
    piano.time_signatures.append(TimeSignature(0, 4, 4))
    piano.tracks.append(line(0, 50))
    path = written(tmp_path / "styles", styles=["piano", "strings"])
    coverage = Coverage.of_scores([piano] * 9 + [quartet()] * 3, [0] * 9 + [1] * 3)
    assert coverage.of_styles == {0: {frozenset({0}): 9}, 1: {frozenset({40, 42}): 3}}
    assert Coverage.from_json(json.loads(json.dumps(coverage.to_json()))) == coverage
    about = json.loads((path / folder.ABOUT).read_text())
    folder.seal(path, {**about, folder.COVERAGE: coverage.to_json()})
    model = Model(path, precision="fp32")
    for style, programs in (("piano", {0}), ("strings", {40, 42})):
        for piece in model.generate(n=3, bars=4, seed=1, style=[style]):
            assert {int(track.program) for track in piece.score.tracks if len(track.notes)} <= programs


@pytest.mark.parametrize("damaged", [None, [], {}, {"instruments": {"200": {}}}, {"instruments": 3}])
def test_a_damaged_coverage_is_none(damaged: Any) -> None:
    assert Coverage.from_json(damaged) is None


def test_a_finetuned_model_knows_what_its_parent_knew() -> None:
    piano = Score(TPQ)
    piano.tracks.append(line(0, 60))
    both = Coverage.of_scores([piano]).with_earlier(Coverage.of_scores([quartet()]))
    assert set(both.instruments) == {0, 40, 42}
    assert both.ensembles == {frozenset({0}): 1, frozenset({40, 42}): 1}
    assert both.pieces == 2


def test_an_instrument_that_was_not_learned_is_refused_in_one_line(strings: Model) -> None:
    with pytest.raises(RequestError, match=r"not learned Drums: it knows Violin and Cello; .*anyway=True"):
        strings.accompany(quartet(), [-1], seed=1)
    with pytest.raises(RequestError, match=r"not learned Viola.*the nearest is Violin") as refused:
        strings.generate(programs=[41], bars=2, seed=1)
    assert "\n" not in refused.value.message
    (piece,) = strings.accompany(quartet(), [-1], seed=1, anyway=True)
    assert any(track.is_drum for track in piece.score.tracks)


def test_new_music_is_for_instruments_that_were_learned(strings: Model) -> None:
    for piece in strings.generate(n=4, bars=4, seed=1):
        assert {int(t.program) for t in piece.score.tracks if len(t.notes)} <= {40, 42}
        assert not any(t.is_drum for t in piece.score.tracks)


def test_a_prompt_of_unknown_instruments_goes_on_with_those_it_knows_and_says_so(strings: Model) -> None:
    song = quartet()
    song.tracks[0].program = 41
    (piece,) = strings.generate(song, bars=4, seed=1)
    end = int(bar_map(song).end)
    new = {int(t.program) for t in piece.score.tracks for n in t.notes if n.time >= end}
    assert new <= {40, 42}
    assert piece.origin["remarks"] == ["Violin goes on in place of Viola, which the model has not learned"]
    assert "remarks" not in strings.generate(song, bars=4, seed=1, anyway=True)[0].origin


def test_a_melody_of_an_unknown_instrument_is_harmonised_as_one_of_the_known(strings: Model) -> None:
    voices = []
    for program in (40, 41):
        song = Score(TPQ)
        song.time_signatures.append(TimeSignature(0, 4, 4))
        song.tracks.append(line(program, 67, bars=8))
        (piece,) = strings.harmonise(song, seed=3)
        voices.append([(n.time, n.end, n.pitch) for track in piece.new.tracks for n in track.notes])
    assert voices[0] == voices[1]
    assert max(onset for onset, _, _ in voices[0]) >= 4 * 4 * TPQ


def test_bars_of_an_unknown_instrument_are_played_by_it_again(strings: Model) -> None:
    song = quartet()
    song.tracks[0].program = 41
    (piece,) = strings.infill(song, [(3, 4)], seed=1)
    assert {int(t.program) for t in piece.score.tracks if len(t.notes)} == {41, 42}
    assert playing(piece.score, 41, 2)
    assert playing(piece.score, 41, 3)
    assert "Viola is written as if it were Violin" in piece.origin["remarks"][0]


@pytest.mark.parametrize(
    ("word", "program"),
    [
        ("electric guitar", 27),
        ("keys", 0),
        ("strings", 48),
        ("drum kit", -1),
        ("sax", 65),
        ("voice", 52),
        ("Violin", 40),
    ],
)
def test_everyday_names_of_instruments(word: str, program: int) -> None:
    assert program_number(word) == program


# -- players -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_who_played_in_a_bar_plays_in_it_again(model: Model, seed: int) -> None:
    song = quartet()
    song.tracks.extend([line(0, 60), line(0, 36, drums=True)])
    (piece,) = model.infill(song, [(3, 5)], seed=seed)
    for bar in (2, 3, 4):
        assert all(playing(piece.score, program, bar) for program in (40, 42, 0))
        drums = [n.time for t in piece.score.tracks if t.is_drum for n in t.notes]
        assert any(bar * 4 * TPQ <= onset < (bar + 1) * 4 * TPQ for onset in drums)


def test_who_rested_in_a_bar_need_not_play_and_nobody_without_players(model: Model) -> None:
    song = quartet()
    song.tracks.append(line(0, 60, bars=2))
    for without in ((), ("players",)):
        (piece,) = model.infill(song, [(5, 5)], seed=3, without=without)
        assert piece.origin["notes"]


@pytest.mark.parametrize("options", [None, EventOptions("REMI", {"program_changes": True}), EventOptions("TSD")])
def test_named_players_play_in_three_quarters_of_the_bars(options: EventOptions | None, tmp_path: Path) -> None:
    if options is not None and options.scheme == "TSD":
        options = replace(options, options={"use_programs": True})
    model = Model(written(tmp_path / "m", options), precision="fp32")
    for piece in model.generate(n=4, bars=8, seed=1, programs=[40, 41, 42], meter=(4, 4)):
        for program in (40, 41, 42):
            assert sum(playing(piece.score, program, bar) for bar in range(8)) >= 6
            assert all(
                playable(program)[0] <= pitch <= playable(program)[1] for _, _, pitch in notes(piece.score, program)
            )


def test_nobody_joins_a_new_piece_after_its_first_bars(model: Model) -> None:
    for piece in model.generate(n=4, bars=8, seed=1, meter=(4, 4)):
        size = 4 * piece.score.ticks_per_quarter
        assert all(min(n.time for n in track.notes) < 4 * size for track in piece.score.tracks if len(track.notes))


def test_a_new_piece_is_for_instruments_that_play_together_in_training_pieces(strings: Model) -> None:
    known = Coverage.from_json(strings.folder.about[folder.COVERAGE])
    assert known is not None
    solo, duo = Score(TPQ), Score(TPQ)
    solo.tracks.append(line(40, 70))
    duo.tracks.extend([line(42, 45), line(73, 75)])
    apart = Coverage.of_scores([*[solo] * 10, *[duo] * 10])
    model = Model(strings.folder.path, precision="fp32")
    model.folder.about[folder.COVERAGE] = apart.to_json()
    for piece in model.generate(n=8, bars=8, seed=1, meter=(4, 4)):
        programs = {int(track.program) for track in piece.score.tracks if len(track.notes)}
        assert programs in ({40}, {42}, {73}, {42, 73})
        for program in programs:  # who has begun to play goes on
            assert sum(playing(piece.score, program, bar) for bar in range(8)) >= 3


def test_a_new_piece_is_at_a_tempo_that_was_learned(strings: Model) -> None:
    slow = quartet()
    slow.tempos.append(Tempo(0, 66))
    model = Model(strings.folder.path, precision="fp32")
    model.folder.about[folder.COVERAGE] = Coverage.of_scores([slow]).to_json()
    tempos = [float(tempo.qpm) for piece in model.generate(n=8, bars=4, seed=1) for tempo in piece.score.tempos]
    assert all(59 < tempo < 73 or tempo == pytest.approx(120) for tempo in tempos)  # 120: none was written
    free = model.generate(n=8, bars=4, seed=1, without=["tempos"])
    assert any(float(tempo.qpm) > 200 for piece in free for tempo in piece.score.tempos)


def test_an_instrument_of_a_few_notes_is_none_of_a_pieces_ensemble() -> None:
    score = quartet()
    score.tracks.append(line(56, 60, bars=1))
    assert Coverage.of_scores([score]).ensembles == {frozenset({40, 42}): 1}


def test_solo_strings_play_one_note_at_a_time_unless_without_lines(model: Model) -> None:
    single = model.generate(n=4, bars=4, seed=1, programs=[40], meter=(4, 4))
    assert not any(together(piece) for piece in single)
    assert any(together(piece) for piece in model.generate(n=4, bars=4, seed=1, programs=[40], without=["lines"]))


def together(piece: Piece) -> bool:
    """Whether two notes sound at once."""
    found = notes(piece.score)
    return any(b[0] < a[1] for a, b in pairwise(found))


def test_ranges_are_the_instruments_narrowed_by_what_was_learned(strings: Model) -> None:
    for piece in strings.generate(n=4, bars=4, seed=1, programs=[40, 42]):
        assert all(68 <= pitch <= 92 for _, _, pitch in notes(piece.score, 40))
    low = [
        p
        for piece in strings.generate(n=2, bars=4, seed=1, programs=[40], pitches=(55, 60))
        for p in notes(piece.score)
    ]
    assert low
    assert all(55 <= pitch <= 60 for _, _, pitch in low)  # what is asked for goes before what was learned


def test_a_bass_stays_below_the_others(model: Model) -> None:
    total = 0
    for piece in model.generate(n=4, bars=8, seed=1, programs=[43, 0], meter=(4, 4)):
        for onset, _, pitch in notes(piece.score, 43):
            others = [p for a, b, p in notes(piece.score, 0) if a <= onset < b]
            if others and min(others) > playable(43)[0]:  # else there is nothing below it
                total += 1
                assert pitch < min(others)
    assert total > 2


# -- a song ------------------------------------------------------------------------------------------------------------


def test_an_added_part_fits_what_sounds(model: Model) -> None:
    song = Score(TPQ)
    for pitch in (60, 64, 67):
        track = Track("", 0, False)
        track.notes.extend([Note(bar * 4 * TPQ, 4 * TPQ, pitch, 80) for bar in range(8)])
        song.tracks.append(track)
    (piece,) = model.accompany(song, [73], seed=1)
    pitches = {pitch % 12 for _, _, pitch in notes(piece.score, 73)}
    assert pitches
    assert not pitches & {1, 3, 5, 6, 8, 11}  # a semitone from C, E or G
    (free,) = model.accompany(song, [73], seed=1, without=["fit"])
    assert {pitch % 12 for _, _, pitch in notes(free.score, 73)} & {1, 3, 5, 6, 8, 11}


def test_a_track_written_anew_fits_those_that_stay(model: Model) -> None:
    song = Score(TPQ)
    song.time_signatures.append(TimeSignature(0, 4, 4))
    for pitch in (60, 64, 67):
        track = Track("", 0, False)
        track.notes.extend([Note(bar * 4 * TPQ, 4 * TPQ, pitch, 80) for bar in range(8)])
        song.tracks.append(track)
    flute = Track("", 73, False)
    flute.notes.extend([Note(i * TPQ, TPQ, 72 + (i * 5) % 12, 70) for i in range(32)])
    song.tracks.append(flute)

    def clashes(without: list[str]) -> set[int]:
        """The pitch classes of the new notes that are a semitone from C, E or G."""
        (piece,) = model.infill(song, [(3, 6)], tracks=[4], seed=1, without=without)
        new = {pitch % 12 for onset, _, pitch in notes(piece.score, 73) if 8 * TPQ <= onset < 24 * TPQ}
        assert new
        return new & {1, 3, 5, 6, 8, 11}

    assert not clashes([])
    assert clashes(["fit"])


@pytest.mark.parametrize("how", ["infill", "vary"])
def test_a_locked_melody_stays_the_top_line(model: Model, how: str) -> None:
    song = Score(TPQ)
    song.time_signatures.append(TimeSignature(0, 4, 4))
    right = line(0, 72, bars=8)
    right.notes.extend([Note(i * TPQ, TPQ, 60, 70) for i in range(32)])
    song.tracks.extend([right, line(48, 40, bars=8)])
    top = {(i * TPQ, (i + 1) * TPQ, 72 + (i * 5) % 7) for i in range(32)}
    if how == "infill":
        (piece,) = model.infill(song, [(3, 6)], locks=[Lock.read(":melody")], seed=1)
    else:
        (piece,) = model.vary(song, keep="melody", bars=[(3, 6)], strength=1.0, n=1, seed=1)
    assert top <= set(notes(piece.score))
    old = set(notes(song))
    for onset, _, pitch in set(notes(piece.score)) - old:
        assert pitch < min(p for a, b, p in top if a <= onset < b)


def with_melody_kept(model: Model, song: Score, how: str, seed: int = 1) -> Score:
    """Bars 3 to 6 of a song written anew, all but its melody."""
    if how == "infill":
        return model.infill(song, [(3, 6)], locks=[Lock.read(":melody")], seed=seed)[0].score
    return model.vary(song, keep="melody", bars=[(3, 6)], strength=1.0, n=1, seed=seed)[0].score


def inside(score: Score, track: int) -> set[tuple[int, int, int]]:
    """Onset, end and pitch of the notes of a track in bars 3 to 6."""
    return {(n.time, n.end, n.pitch) for n in score.tracks[track].notes if 8 * TPQ <= n.time < 24 * TPQ}


@pytest.mark.parametrize("how", ["infill", "vary"])
def test_a_melody_that_stays_is_alone_in_its_own_track(model: Model, how: str) -> None:
    song = Score(TPQ)
    song.time_signatures.append(TimeSignature(0, 4, 4))
    song.tracks.extend([line(0, 72, bars=8), line(48, 40, bars=8)])
    made = with_melody_kept(model, song, how)
    assert inside(made, 0) == inside(song, 0)
    assert inside(made, 1)


@pytest.mark.parametrize("how", ["infill", "vary"])
@pytest.mark.parametrize("program", [0, 40, 52])
def test_parts_of_the_melodys_instrument_accompany_it_again(model: Model, how: str, program: int) -> None:
    song = Score(TPQ)
    song.time_signatures.append(TimeSignature(0, 4, 4))
    song.tracks.extend([line(program, low, bars=8) for low in (76, 69, 64, 57)])
    made = with_melody_kept(model, song, how)
    assert inside(made, 0) == inside(song, 0)
    new = set().union(*(inside(made, n) - inside(song, n) for n in range(1, 4)))
    assert {onset // (4 * TPQ) for onset, _, _ in new} >= {2, 3}


@pytest.mark.parametrize("how", ["infill", "vary"])
def test_a_hand_is_accompanied_in_its_own_track(model: Model, how: str) -> None:
    song = Score(TPQ)
    song.time_signatures.append(TimeSignature(0, 4, 4))
    hands = line(0, 72, bars=8)
    hands.notes.extend([Note(i * 4 * TPQ, 4 * TPQ, pitch, 70) for i in range(8) for pitch in (48, 55, 60)])
    song.tracks.append(hands)
    made = with_melody_kept(model, song, how)
    top = {note for note in inside(song, 0) if note[2] >= 72}
    assert top < inside(made, 0)


def test_pictures_are_of_the_bars_around_what_is_new(model: Model, tmp_path: Path) -> None:
    (piece,) = model.infill(quartet(), [(6, 7)], seed=1)
    assert piece.changed_bars == (4, 9)
    span, whole = lay_out(piece.score, new=piece.new, span=(3, 9)), lay_out(piece.score)
    assert len(span.shapes) < len(whole.shapes)
    assert piece.plot(tmp_path / "a.svg").stat().st_size < piece.plot(tmp_path / "b.svg", whole=True).stat().st_size
    assert piece.audio(tmp_path / "a.wav").stat().st_size < piece.audio(tmp_path / "b.wav", whole=True).stat().st_size
    assert model.generate(bars=2, seed=1)[0].changed_bars is None


# -- harmony -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [None, EventOptions("REMI", {"program_changes": True}), EventOptions("TSD")])
def test_a_chart_is_voiced(options: EventOptions | None, tmp_path: Path) -> None:
    model = Model(written(tmp_path / "m", options), precision="fp32")
    chart, roots, thirds, sevenths = "C | Am7 | Dm7/F | G7", (0, 9, 5, 7), (4, 0, 5, 11), (None, 7, 0, 5)
    for piece in model.generate(n=4, bars=8, seed=1, chords=chart, programs=[0], meter=(4, 4)):
        for bar in range(1, 8):
            begin = bar * 4 * piece.score.ticks_per_quarter
            end = begin + 4 * piece.score.ticks_per_quarter
            now = [pitch for a, b, pitch in notes(piece.score) if a <= begin < b]
            assert min(now) % 12 == roots[bar % 4]
            heard = {pitch % 12 for a, b, pitch in notes(piece.score) if a < end and b > begin}
            assert thirds[bar % 4] in heard
            assert sevenths[bar % 4] in (None, *heard)


def test_endings_end(model: Model) -> None:
    thirds = 0
    for seed, name in enumerate(KEYS):
        key = Key.read(name)
        (piece,) = model.generate(bars=4, seed=seed, key=name, end=True, meter=(4, 4))
        bar = 4 * piece.score.ticks_per_quarter
        found = notes(piece.score)
        last = [note for note in found if note[1] > 3 * bar]
        final = [note for note in last if note[1] == 4 * bar]
        assert min(pitch for _, _, pitch in final) % 12 == key.tonic
        assert key.triad()[max(pitch for _, _, pitch in final) % 12]
        before = {pitch % 12 for a, b, pitch in found if a < 3 * bar and b > 2 * bar}
        assert (key.tonic + 11) % 12 in before
        thirds += (key.tonic + (3 if key.minor else 4)) % 12 in {pitch % 12 for _, _, pitch in last}
    assert thirds >= 9  # where a player is left who can play it


@pytest.mark.parametrize("name", KEYS)
def test_a_piece_in_a_key_carries_its_signature(model: Model, name: str) -> None:
    (piece,) = model.generate(bars=1, seed=1, key=name)
    signature = piece.score.key_signatures[0]
    key = Key.read(name)
    assert (signature.key * 7 + (9 if key.minor else 0)) % 12 == key.tonic
    assert bool(signature.tonality) == key.minor


def test_a_continuation_in_a_key_carries_its_signature_where_it_begins(model: Model) -> None:
    for form in (None, "AB"):
        bars = 4 if form is None else 24
        (piece,) = model.generate(quartet(), bars=bars, seed=1, key="D minor", form=form)
        assert [(s.time, s.key, s.tonality) for s in piece.score.key_signatures] == [(piece.prompt_end, -1, 1)]


def test_a_new_piece_tends_to_the_key_of_its_first_bars(model: Model) -> None:
    def outside(modulate: bool) -> float:
        shares = []
        for piece in model.generate(n=8, bars=12, seed=1, programs=[0], meter=(4, 4), modulate=modulate):
            size = 4 * piece.score.ticks_per_quarter
            weights = np.zeros(12)
            for onset, end, pitch in notes(piece.score):
                weights[pitch % 12] += (end - onset) * (onset < 4 * size)
            scale = estimate(weights).scale()
            shares += [not scale[pitch % 12] for onset, _, pitch in notes(piece.score) if onset >= 4 * size]
        return float(np.mean(shares))

    assert outside(False) < outside(True)


# -- controls that are counted -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def controlled(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = written(tmp_path_factory.mktemp("model") / "m", settings=["examples.controls=0.5"])
    return Model(path, precision="fp32")


def test_levels_of_register_move_it_though_nothing_was_learned(controlled: Model) -> None:
    def mean(level: int, guidance: float = 2.0) -> float:
        how = Sampling(guidance=guidance)
        pieces = controlled.generate(
            n=2, bars=4, seed=1, programs=[0], meter=(4, 4), controls={"register": level}, sampling=how
        )
        return float(np.mean([pitch for piece in pieces for _, _, pitch in notes(piece.score)]))

    assert mean(7) > mean(2)


def test_density_is_counted() -> None:
    """With too few notes passing time costs, with too many another note does, and near the level neither."""
    tokens = load("toccata").tokenizer
    assert isinstance(tokens, EventOptions)
    scheme = EventTokenizer.build(tokens).grammar().scheme
    quarter = scheme.timing.ticks_per_quarter
    bars, pitches = (scheme.vocabulary.of_kind[kind] for kind in (Kind.BAR, Kind.PITCH))

    def costs(written: int, level: int, bar_level: int | None = None) -> tuple[float, float]:
        state = State(scheme)
        state.bar, state.tick, state.notes = 0, 2 * quarter, written
        single = {0: Controls(density=bar_level)} if bar_level is not None else {}
        (rule,) = steering(Controls(density=level), single, 0, 0, State(scheme))
        bias = rule.leaning(state)
        assert bias is not None
        return float(bias[bars].mean()), float(bias[pitches].mean())

    few, many, right = costs(1, 5), costs(60, 5), costs(13, 5)
    assert few[0] < -1
    assert few[1] == 0
    assert many[0] == 0
    assert many[1] < -1
    assert right[1] == 0
    assert costs(13, 1)[1] < right[1]  # too many for a lower level
    assert costs(13, 1, 5)[1] == 0  # that of the bar counts


def test_bars_with_levels_of_their_own_make_up_for_little_of_others() -> None:
    tokens = load("toccata").tokenizer
    assert isinstance(tokens, EventOptions)
    scheme = EventTokenizer.build(tokens).grammar().scheme
    quarter = scheme.timing.ticks_per_quarter
    bars, pitches = (scheme.vocabulary.of_kind[kind] for kind in (Kind.BAR, Kind.PITCH))
    single = {0: Controls(density=7), 1: Controls(density=2)}
    (rule,) = steering(Controls(), single, 0, 0, State(scheme))
    before, right = (round(4 * scheme.levels.density.aims[level - 1]) for level in (7, 2))

    def costs(before: int, written: int) -> tuple[float, float]:
        state = State(scheme)
        state.bar, state.bar_tick, state.tick = 1, 4 * quarter, 6 * quarter
        state.notes_before_bar, state.notes = before, before + written
        bias = rule.leaning(state)
        assert bias is not None
        return float(bias[bars].mean()), float(bias[pitches].mean())

    assert costs(before, right) == (0, costs(before, right)[1])
    assert costs(0, right + 1) == costs(before // 2, right + 1)  # however many are missing
    assert costs(before, 3 * right)[1] < -5
    assert costs(0, 3 * right)[1] < -5
    assert costs(before, 0)[0] < -1


# -- a plan of chords -------------------------------------------------------------------------------------------------

TUNE = [(i * 480, (i + 1) * 480, pitch) for i, pitch in enumerate((72, 74, 76, 77, 79, 77, 76, 74, 72, 76, 74, 72))]


def plan(seed: int, key: str = "C major") -> Voiced:
    beats = list(range(0, 12 * 480, 480))
    return planned(slots(TUNE, [0, 1920, 3840, 5760], beats, beats[::2]), Key.read(key), seed)


def test_a_plan_ends_with_dominant_and_tonic_in_root_position() -> None:
    for seed in range(20):
        *_, dominant, tonic = plan(seed).spans
        assert tonic.bass == 0
        assert tonic.final
        assert dominant.bass in (7, 5)  # authentic, or plagal
        assert plan(seed).spans == plan(seed).spans


def test_plans_differ_by_seed_and_fit_the_melody() -> None:
    found = {tuple((span.bass, span.tones) for span in plan(seed).spans) for seed in range(20)}
    assert len(found) > 10
    beats = fits = 0
    for seed in range(20):
        for start, _, pitch in TUNE:
            span = plan(seed).at(start)
            assert span is not None
            beats, fits = beats + 1, fits + (pitch % 12 in (span.bass, *span.tones))
    assert fits / beats > 0.95


def test_the_bass_of_a_plan_moves_by_steps_and_small_leaps() -> None:
    for seed in range(20):
        line = [span.pitch for span in plan(seed).spans]
        assert all(BASS[0] <= pitch <= BASS[1] for pitch in line if pitch is not None)
        leaps = [abs(b - a) for a, b in pairwise(line) if a is not None and b is not None]
        assert max(leaps) <= 12
        assert sum(leap > 7 for leap in leaps) <= 1


def test_harmonised_melodies_have_the_chords_of_their_plan(model: Model) -> None:
    song = Score(480)
    song.time_signatures.append(TimeSignature(0, 4, 4))
    song.tracks.append(Track("", 0, False))
    song.tracks[0].notes.extend([Note(a, b - a, pitch, 80) for a, b, pitch in TUNE])
    (piece,) = model.harmonise(song, seed=3, key="C major")
    spans = plan(3).spans
    basses = 0
    for span in spans:
        now = [pitch for a, b, pitch in notes(piece.score) if a <= span.begin < b]
        basses += min(now) % 12 == span.bass
        assert len(now) == 4
    assert basses == len(spans)


def test_a_chart_replaces_the_plan_and_is_voiced(model: Model) -> None:
    song = Score(480)
    song.time_signatures.append(TimeSignature(0, 4, 4))
    song.tracks.append(Track("", 0, False))
    song.tracks[0].notes.extend([Note(i * 480, 480, 72 + (0, 4, 7, 0)[i % 4], 80) for i in range(16)])
    (piece,) = model.harmonise(song, seed=3, chords="C | Am | F | G7")
    roots = [min(p for a, b, p in notes(piece.score) if a <= bar * 1920 < b) % 12 for bar in range(4)]
    assert roots == [0, 9, 5, 7]


def test_real_songs_are_filled_by_those_who_played(data: Path, model: Model) -> None:
    for path in find_midi(data / "quartets")[::40][:4]:
        score = read_score(path)
        lines = bar_map(score)
        (piece,) = model.infill(path, [(3, 4)], seed=1)
        for number, track in enumerate(score.tracks):
            for bar in (2, 3):
                start, end = int(lines.starts[bar]), int(lines.starts[bar + 1])
                if any(start <= n.time < end for n in track.notes):
                    same = [t for t in score.tracks if t.program == track.program and t.is_drum == track.is_drum]
                    there = [
                        t for t, s in zip(piece.score.tracks, score.tracks, strict=False) if s.program == track.program
                    ]
                    assert any(start <= n.time < end for t in there for n in t.notes), (path.name, number, len(same))


class Due:
    """Strings, who must enter by a tick of the first bar."""

    def __init__(self, tick: int) -> None:
        self.tick = tick

    def missing(self, state: State) -> list[Entry]:
        return [] if 44 in state.bars_played else [Entry(44, 0, self.tick)]

    def free_by(self, state: State, program: int, single: bool) -> int:
        return NEVER


def test_who_must_enter_enters_before_others_use_up_their_notes() -> None:
    """When no time may pass any more before a part enters, drums do not play all that they have."""
    tokens = load("toccata").tokenizer
    assert isinstance(tokens, EventOptions)
    tokenizer = EventTokenizer.build(tokens)
    grammar, score = tokenizer.grammar(), Score(TPQ)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    score.tracks.append(Track("", 0, True))
    score.tracks[0].notes.extend([Note(beat * TPQ, TPQ // 4, 36, 80) for beat in (0, 1, 2)])
    quarter = grammar.scheme.timing.ticks_per_quarter
    cursor = grammar.cursor(Constraints(bars=2, players=(Due(2 * quarter),)))
    vocabulary = grammar.scheme.vocabulary
    for token in tokenizer.encode(score, start=False, end=False).ids.tolist():
        if cursor.state.tick == 2 * quarter:
            break
        assert cursor.allowed()[token]  # before, drums may play
        cursor.read(token)
    allowed = np.flatnonzero(cursor.allowed())
    assert [vocabulary.values[i] for i in allowed] == [44]
    assert set(allowed.tolist()) <= set(vocabulary.of_kind[Kind.PROGRAM].tolist())


def band(bars: int = 8) -> Score:
    """Violin, piano and drums."""
    song = Score(TPQ)
    song.time_signatures.append(TimeSignature(0, 4, 4))
    song.tracks.extend([line(40, 72, bars), line(0, 55, bars), line(0, 38, bars, drums=True)])
    return song


@pytest.mark.parametrize("how", ["infill", "melody", "harmony"])
@pytest.mark.parametrize(
    "options", [{"use_programs": False}, {"use_programs": True, "programs": [0, 40]}, {"program_changes": True}]
)
def test_tracks_that_a_model_cannot_write_stay(tmp_path: Path, options: dict[str, Any], how: str) -> None:
    path = written(tmp_path / "m", EventOptions("REMI", options))
    if "program_changes" in options:  # it could, but has not learned to
        about = json.loads((path / folder.ABOUT).read_text())
        coverage = Coverage.of_scores([without_drums(band())] * 20)
        folder.seal(path, {**about, folder.COVERAGE: coverage.to_json()})
    model, song = Model(path, precision="fp32"), band()
    if how == "infill":
        (piece,) = model.infill(song, [(3, 6)], seed=1)
    else:
        (piece,) = model.vary(song, keep=how, bars=[(3, 6)], strength=1.0, n=1, seed=1)  # type: ignore[arg-type]
    assert inside(piece.score, 2) == inside(song, 2)
    assert inside(piece.score, 1) - inside(song, 1)
    assert "unchanged, as the model cannot write it: Drums" in piece.origin["remarks"]
    assert how == "melody" or inside(piece.score, 0) - inside(song, 0)
    with pytest.raises(RequestError, match="Drums"):
        model.infill(song, [(3, 6)], tracks=[3])


def without_drums(song: Score) -> Score:
    """The same without its drums."""
    song.tracks = [track for track in song.tracks if not track.is_drum]
    return song
