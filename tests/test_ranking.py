"""Of many pieces the best are kept, and it is said why."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from symusic import Note, Score, TimeSignature, Track

import toccata
from cli_support import call, some_bach, tiny
from random_model import random_model
from toccata import folder
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.errors import ModelError, RequestError
from toccata.measure.beats import CHORDS, Beats
from toccata.measure.judge import Judge, write_index
from toccata.measure.passages import Index
from toccata.measure.ranking import Ranked, Ranker, _in_words
from toccata.measure.reference import FEW, USUAL, ReferenceStats, Spread, reference_stats
from toccata.measure.steps import Steps
from toccata.measure.traits import TRAITS, mean_traits, surroundings, traits
from toccata.midi.bars import bar_map
from toccata.midi.edit import slice_bars, transpose
from toccata.midi.splice import new_file
from toccata.musicmodel import Model
from toccata.piece import Piece

SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


def music(*bars: list[int], tpq: int = 480) -> Score:
    """Bars of 4/4, each with its pitches one after the other as evenly as may be."""
    score = Score(tpq)
    score.time_signatures = [TimeSignature(0, 4, 4)]
    track = Track("", 0, False)
    for number, pitches in enumerate(bars):
        step = 4 * tpq // max(1, len(pitches))
        track.notes.extend([Note((4 * number * tpq) + i * step, step, p, 80) for i, p in enumerate(pitches)])
    score.tracks.append(track)
    return score


def piece(score: Score, **origin: Any) -> Piece:
    return Piece(new_file(score), {"notes": score.note_num(), **origin})


@pytest.fixture(scope="module")
def corpus(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    place = tmp_path_factory.mktemp("ranked")
    return prepare(some_bach(data, place, 8), place / "corpus", PrepareOptions(valid=0.2, test=0.2))


@pytest.fixture(scope="module")
def known(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model of random weights that knows what is usual in a few pieces of Bach."""
    path = random_model(tmp_path_factory.mktemp("rank") / "m")
    made = folder.open_folder(path)
    index = write_index(made, corpus)
    found = reference_stats(corpus, Model(path, precision="fp32"), index, passages=FEW)
    about = {key: value for key, value in made.about.items() if key not in ("files", "format")}
    folder.seal(path, {**about, USUAL: found.to_dict()})
    return Model(path, precision="fp32")


# -- traits ------------------------------------------------------------------------------------------------------------


def test_traits_say_what_is_there() -> None:
    found = traits(music(*[list(SCALE)] * 8))
    assert set(found) <= set(TRAITS)
    assert found["density"] == 2
    assert found["polyphony"] == 1
    assert found["in_key"] == 1
    assert found["sameness"] == 1
    assert found["rhythms"] == 1 / 8
    assert found["silence"] == 0
    assert found["beat"] == 0.5
    assert "clashes" not in found  # nothing sounds together


def test_traits_are_those_of_the_new_bars_alone() -> None:
    quiet, full = [[60]] * 8, [list(SCALE)] * 8
    assert traits(music(*quiet, *full), since=8 * 4 * 480) == traits(music(*full))


def test_longer_music_has_the_traits_of_its_passages() -> None:
    once = music(*[list(SCALE)] * 8)
    assert traits(music(*[list(SCALE)] * 20)) == pytest.approx(traits(once))


def test_silence_and_empty_bars_are_heard() -> None:
    assert traits(music([60], [], [], [60]))["silence"] == 0.5
    assert traits(Score(480)) == {}


def test_music_of_drums_alone_has_no_pitch() -> None:
    score = music(*[[36, 42, 38, 42]] * 4)
    score.tracks[0].is_drum = True
    assert set(traits(score)) == {"density", "dynamics", "silence", "beat", "rhythms", "sameness"}


@given(st.integers(-12, 12), st.lists(st.lists(st.sampled_from(SCALE), max_size=6), min_size=1, max_size=10))
def test_a_key_changes_no_trait_but_the_register(semitones: int, bars: list[list[int]]) -> None:
    score = music([60], *bars)
    here, there = traits(score), traits(transpose(score, semitones))
    assert there.pop("register") == pytest.approx(here.pop("register") + semitones)
    assert there == pytest.approx(here)


@given(st.lists(st.tuples(st.integers(0, 16), st.integers(1, 8), st.integers(30, 90)), max_size=20))
def test_beats_say_what_sounds_together(notes: list[tuple[int, int, int]]) -> None:
    onsets, lengths, pitches = np.array(notes, np.int64).reshape(-1, 3).T
    beats = Beats.of(onsets, onsets + lengths, pitches, np.arange(0, 20, 4))
    chords = [{(root + step) % 12 for step in chord} for root in range(12) for chord in CHORDS]
    for number, tick in enumerate(range(0, 20, 4)):
        held = [pitch for onset, length, pitch in notes if onset <= tick < onset + length]
        assert beats.voices[number] == len(held)
        assert set(np.flatnonzero(beats.classes[number])) == {pitch % 12 for pitch in held}
        assert beats.clashing[number] == any((a - b) % 12 == 1 for a in held for b in held)
        assert beats.chordless[number] == (not any({pitch % 12 for pitch in held} <= chord for chord in chords))


def chords(*each: tuple[int, ...]) -> Score:
    """A chord for each quarter."""
    score = music([])
    score.tracks[0].notes.extend([Note(480 * i, 480, pitch, 80) for i, chord in enumerate(each) for pitch in chord])
    return score


def test_clashes_and_beats_without_a_chord_are_counted() -> None:
    major, seventh, cluster, fourths = (60, 64, 67), (55, 62, 65, 71), (60, 61, 67), (60, 65, 70)
    found = traits(chords(major, cluster, seventh, fourths))
    assert found["clashing_beats"] == 0.25
    assert found["chordless_beats"] == 0.5
    two = traits(chords((60, 71), (60, 64)))
    assert two["clashing_beats"] == 0.5  # two voices can clash, and are no chord yet
    assert "chordless_beats" not in two
    assert "clashing_beats" not in traits(music(list(SCALE)))


def test_traits_of_a_filled_song_are_those_around_the_new_notes() -> None:
    quiet, full = [[60]] * 12, [list(SCALE)] * 2
    song, new = music(*quiet, *full, *quiet), music(*[[]] * 12, *full)
    bars = bar_map(song)
    assert surroundings(song, bars, new) == [(9, 17)]
    assert mean_traits(song, bars, [(9, 17)]) == traits(music(*[[60]] * 3, *full, *[[60]] * 3))
    assert surroundings(song, bars, music([60])) == [(0, 8)]
    assert surroundings(song, bars, music([60], *[[]] * 24, [60])) == [(0, 8), (18, 26)]
    assert surroundings(song, bars, song) == [(0, 8), (8, 16), (16, 24), (18, 26)]
    short = music([60], [62])
    assert surroundings(short, bar_map(short), music([60])) == [(0, 2)]


def test_steps_that_follow_each_other_are_familiar(corpus: Corpus, known: Model) -> None:
    steps = Steps(Judge(known).index)
    score = corpus.score((corpus.split("valid") or corpus.split("test"))[0])
    pitches = [n.pitch for track in score.tracks for n in track.notes]
    odd, each = score.copy(), cycle(pitches[i * 7 % len(pitches)] for i in range(len(pitches)))
    for track in odd.tracks:
        track.notes = [Note(n.time, n.duration, next(each), n.velocity) for n in track.notes]
    familiar, strange, at_home = steps.nats(score), steps.nats(odd), steps.nats(corpus.score(corpus.split("train")[0]))
    assert familiar is not None
    assert strange is not None
    assert at_home is not None
    assert at_home < familiar < strange - 0.5
    assert steps.nats(transpose(score, 2)) == pytest.approx(familiar)
    assert steps.nats(Score(480)) is None
    assert Steps(Index.of([])).nats(score) == pytest.approx(-math.log(0.5 / 1000))  # nothing is familiar


# -- what is usual -----------------------------------------------------------------------------------------------------


def test_the_ends_of_the_usual_are_one_away() -> None:
    spread = Spread.of([float(x) for x in range(101)])
    assert [spread.away(x, 0.1) for x in (5, 50, 95)] == [-1, 0, 1]
    assert Spread.of([3.0] * 10).away(3.5, 0.5) == 1  # no side is narrower than what is heard


def test_the_usual_comes_back_from_a_model_folder(known: Model) -> None:
    found = ReferenceStats.of_model(known.folder)
    assert found is not None
    assert found.surprise is not None
    assert found.surprise.low < found.surprise.high
    assert found.to_dict() == known.folder.about[USUAL]
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()


def test_the_same_corpus_is_looked_at_in_the_same_places(known: Model, corpus: Corpus) -> None:
    again = reference_stats(corpus, known, Judge(known).index, passages=FEW)
    assert again.traits == ReferenceStats.of_model(known.folder).traits  # type: ignore[union-attr]


def test_a_folder_that_says_nonsense_is_named(known: Model) -> None:
    said = {**known.folder.about, USUAL: {"excerpts": 1, "traits": {"density": 3}, "passages": 0, "surprise": None}}
    with pytest.raises(ModelError, match=r"toccata\.json says 'usual' in a way that cannot be read"):
        ReferenceStats.of_model(replace(known.folder, about=said))


# -- ranking -----------------------------------------------------------------------------------------------------------


def test_music_goes_before_noise_and_loops(corpus: Corpus, known: Model) -> None:
    """Without surprise: the model is of random weights and knows nothing."""
    score = corpus.score((corpus.split("valid") or corpus.split("test"))[0])
    good = slice_bars(score, 0, 8)
    noise, loop = good.copy(), music(*[list(SCALE)] * 8)
    for track in noise.tracks:
        track.notes = [
            Note(n.time, n.duration, p, n.velocity) for n, p in zip(track.notes, cycle((36, 85, 61, 50)), strict=False)
        ]
    best = piece(good)
    ranked = toccata.rank([piece(noise), piece(loop), best], known)
    assert ranked[0].piece is best
    assert ranked[0].total < ranked[1].total
    assert ranked[0].parts["surprise"] is None
    faults = ("far from any key", "harsh", "leaping", "poor in pitches")
    assert any(fault in r.why for fault in faults for r in ranked[1:])
    assert any("repetitive: 100 % of a bar heard before" in r.why for r in ranked[1:])


def test_surprise_counts_both_ways_and_only_beyond_what_is_usual(known: Model) -> None:
    spread = ReferenceStats.of_model(known.folder).surprise  # type: ignore[union-attr]
    assert spread is not None
    ranker = Ranker.of(known)
    middle, score = spread.quantiles[2], music(*[list(SCALE)] * 8)

    def part(nats: float) -> float | None:
        return ranker.weigh(piece(score, nats_per_note=nats)).parts["surprise"]

    assert part(middle) == part(spread.low) == part(spread.high) == 0
    assert part(spread.high + 10) == pytest.approx(part(spread.high + 1e9))
    assert part(spread.low - 1) > 0  # type: ignore[operator]
    assert f" {spread.low:.1f} to {spread.high:.1f})" in ranker.weigh(piece(score, nats_per_note=1.0)).why


def test_surprise_is_compared_with_music_as_long(known: Model) -> None:
    """The longer music is, the more it repeats: its notes have fewer nats, and are not too predictable for that."""
    found = ReferenceStats.of_model(known.folder)
    assert found is not None
    usual = Spread(2, 0.5, (1, 1.5, 2, 2.5, 3))
    long = Spread(1, 0.2, (0.5, 0.7, 1, 1.2, 1.5))
    found = replace(found, surprise=usual, longer={16: usual, 32: long})
    for bars, low in ((4, 1), (8, 1), (16, 1), (22, 1), (23, 0.5), (32, 0.5), (400, 0.5)):
        assert found.surprise_of(bars) == (long if low == 0.5 else usual), f"{bars} bars"
        words = Ranker(found, None).weigh(piece(music(*[list(SCALE)] * bars), nats_per_note=0.8)).words
        assert ("more predictable than usual" in words) == (low == 1)
    assert found.surprise_of(None) == usual
    assert replace(found, surprise=None, longer={}).surprise_of(16) is None


def test_what_a_model_knows_of_longer_music_is_kept_and_need_not_be_there(known: Model) -> None:
    saved = known.folder.about[USUAL]

    def opened(usual: object) -> ReferenceStats | None:
        return ReferenceStats.of_model(replace(known.folder, about={**known.folder.about, USUAL: usual}))

    older = opened({key: value for key, value in saved.items() if key != "surprise_of_longer"})
    assert older is not None
    assert older.longer == {}
    found = opened({**saved, "surprise_of_longer": {"16": saved["surprise"]}})
    assert found is not None
    assert found.longer == {16: found.surprise}
    assert opened(found.to_dict()) == found
    for wrong in ({"x": saved["surprise"]}, {"0": saved["surprise"]}, {"16": 3}, [1]):
        with pytest.raises(ModelError, match="says 'usual' in a way that cannot be read"):
            opened({**saved, "surprise_of_longer": wrong})


def test_what_stands_on_one_or_two_pieces_is_not_called_usual(known: Model) -> None:
    """The passages may be many: of one piece they are like one another."""
    found, judge = ReferenceStats.of_model(known.folder), Judge(known)
    assert found is not None
    assert found.surprise is not None
    assert judge.normals
    odd = piece(music([60], *[[36, 95]] * 7), nats_per_note=1.0)
    span = f"{found.surprise.low:.1f} to {found.surprise.high:.1f}"
    for pieces, says in ((1, f"of one piece only: {span}"), (2, f"of two pieces only: {span}"), (3, f"usual {span}"),
                         (0, f"usual {span}")):  # fmt: skip
        why = Ranker(replace(found, pieces=pieces), None).weigh(odd).why
        assert f"surprise 1.0 nats a note ({says}" in why
    traits = Ranker(replace(found, learned=1), None).weigh(odd).why.partition(";")[2]
    assert "(of one piece only: " in traits
    assert "one piece" not in Ranker(replace(found, pieces=9), None).weigh(odd).why
    for pieces, middle, most in (
        (1, "8 bars by people share 4 (one piece only)", "up to 9 in one piece only"),
        (2, "8 bars by people share 4 (two pieces only)", "up to 9 in two pieces only"),
        (3, "8 bars by people usually share 4", "usual up to 9"),
    ):
        judge.normals = (replace(judge.normals[0], pieces=pieces, notes=4, notes_90=9),)
        assert judge.beside(odd).startswith(f"; {middle}")
        assert f"no known passage ({most}" in Ranker(found, judge).weigh(odd).why


def test_the_pieces_that_what_is_usual_stands_on_are_counted(known: Model, corpus: Corpus) -> None:
    found = ReferenceStats.of_model(known.folder)
    assert found is not None
    assert found.learned == len(corpus.split("train"))
    assert found.pieces == len(corpus.split("valid"))
    older = {key: value for key, value in known.folder.about[USUAL].items() if key not in ("pieces", "learned")}
    before = ReferenceStats.of_model(replace(known.folder, about={**known.folder.about, USUAL: older}))
    assert before is not None
    assert before.pieces == before.learned == 0


def test_a_copy_comes_after_the_same_music_that_is_none(corpus: Corpus, known: Model) -> None:
    judge = Judge(known)
    copy = piece(corpus.score(corpus.split("train")[0]))
    normal = judge.usual(copy)
    assert normal is not None
    found = Ranker.of(known).weigh(copy)
    assert found.parts["known"] > 0  # type: ignore[operator]
    assert f"longest known passage {judge.of(copy).notes} notes (usual up to {normal.notes_90})" in found.why
    assert Ranker(ReferenceStats.of_model(known.folder), None).weigh(copy).total < found.total


def test_a_piece_without_notes_is_the_last(known: Model) -> None:
    empty = Piece(b"", {"notes": 0, "nats_per_note": 0.0})
    ranked = toccata.rank([empty, piece(music([60], [90]))], known)
    assert ranked[1].piece is empty
    assert ranked[1].total == math.inf
    assert ranked[1].to_dict()["total"] is None
    assert ranked[1].why == "it has no note"


def test_words_name_what_is_unusual_without_figures(known: Model, corpus: Corpus) -> None:
    odd = Ranker.of(known).weigh(piece(music([60], *[[36, 95]] * 7), nats_per_note=50.0))
    assert "stranger than usual" in odd.words
    copied = Ranker.of(known).weigh(piece(corpus.score(corpus.split("train")[0])))
    assert "notes in a row are known from the training music" in copied.words
    assert "nats" not in odd.words + copied.words
    assert odd.to_dict()["words"] == odd.words


@pytest.fixture
def choral() -> ReferenceStats:
    """Music that clashes on up to one beat in ten, and has chords on the others."""
    spread = Spread.of([0.01 * step for step in range(11)])
    return ReferenceStats(11, {"clashing_beats": spread, "chordless_beats": spread}, 0, None, 11, 11)


def test_words_of_clashes_compare_with_what_is_usual(choral: ReferenceStats) -> None:
    words = [_in_words("clashing_beats", away) for away in (1.5, 3.0, 9.0, -1.5)]
    assert words == [
        "slightly more clashes than usual", "more clashes than usual", "far more clashes than usual",
        "slightly fewer clashes than usual",
    ]  # fmt: skip
    harsh = Ranker(choral, None).weigh(piece(chords(*[(60, 61, 66)] * 32)))
    assert harsh.words == "far more clashes than usual, far stranger chords than usual"
    assert "more clashes than usual: 100 % of beats with a semitone or major seventh (usual 0 % to 10 %)" in harsh.why


def test_of_two_fills_the_one_without_clashes_is_better(choral: ReferenceStats) -> None:
    """Ranked by what sounds together with the song, not by the new notes alone."""
    bass = Track("", 0, False)
    bass.notes.extend([Note(480 * i, 480, pitch, 80) for i, pitch in enumerate((48, 53, 55) * 8)])

    def filled(shift: int) -> Piece:
        new = chords(*[(64 + shift, 67 + shift), (65 + shift, 69 + shift), (67 + shift, 71 + shift)] * 8)
        song = new.copy()
        song.tracks.append(bass.copy())
        return Piece(new_file(song), {"notes": 48, "seed": shift}, new=new)

    harsh, good = filled(1), filled(0)
    found = {shift: Ranker(choral, None).weigh(each).traits for shift, each in ((0, good), (1, harsh))}
    assert found[0]["clashing_beats"] < found[1]["clashing_beats"]
    assert Ranker(choral, None).best_first([harsh, good])[0] is good


def test_equally_good_pieces_keep_their_order(known: Model) -> None:
    same = [piece(music(*[list(SCALE)] * 8), seed=seed) for seed in range(5)]
    assert [r.piece.origin["seed"] for r in toccata.rank(same, known)] == [0, 1, 2, 3, 4]


def test_a_model_that_knows_nothing_of_the_usual_says_so(known: Model, tmp_path: Path) -> None:
    alone = Ranker(None, Judge(known)).weigh(piece(music(list(SCALE)), nats_per_note=2.5))
    assert alone.parts["surprise"] is alone.parts["traits"] is None
    assert "surprise 2.5 nats a note; the model does not know what is usual" in alone.why
    with pytest.raises(RequestError, match="cannot be ranked: train it again"):
        toccata.rank([piece(music(list(SCALE)))], Model(random_model(tmp_path / "m")))


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def model(data: Path) -> Path:
    return tiny(data)[0]


def test_the_best_are_kept_in_order_and_it_is_said_why(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toccata.cli.generate.AT_ONCE", 4)
    asked = ("generate", "-m", model, "--bars", 1, "--seed", 5, "--precision", "fp32", "-o", tmp_path / "x.mid")
    done = call(*asked, "-n", 2, "--best-of", 6, "--json", "-q").json
    assert [Path(row["path"]).name for row in done["pieces"]] == ["x-1.mid", "x-2.mid"]
    assert [row["rank"]["place"] for row in done["pieces"]] == [1, 2]
    totals = [row["rank"]["total"] for row in done["pieces"]]
    assert totals == sorted(totals)
    assert len(done["left_out"]) == 4
    assert totals[1] <= min(row["total"] for row in done["left_out"])
    seeds = {row["seed"] for row in [*done["pieces"], *done["left_out"]]}
    assert seeds == set(range(5, 11))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x-1.mid", "x-2.mid"]
    best = done["pieces"][0]
    (alone,) = toccata.load(model, precision="fp32").generate(bars=1, seed=best["seed"])
    assert alone.midi == Path(best["path"]).read_bytes()
    opened = toccata.load(model)
    assert toccata.rank([alone], opened)[0].why == best["rank"]["why"]
    both = toccata.load(model, precision="fp32").generate(bars=1, seed=5, n=2, best_of=6)
    assert [piece.origin["seed"] for piece in both] == [piece["seed"] for piece in done["pieces"]]


def test_a_person_reads_why(model: Path, tmp_path: Path) -> None:
    done = call("generate", "-m", model, "--bars", 1, "--best-of", 2, "--seed", 3, "-o", tmp_path)
    first, second, *_ = done.out.splitlines()
    assert f"{model.name}-3-1.mid" in first
    assert "nats" not in second  # figures are in the JSON
    assert second.strip()
    assert "The best of 2" in done.out


def test_the_best_of_fewer_is_refused(model: Path, tmp_path: Path) -> None:
    done = call("generate", "-m", model, "-n", 4, "--best-of", 3, "-o", tmp_path)
    assert done.code == 2
    assert "4 pieces cannot be the best of fewer" in done.error


def test_a_model_that_cannot_rank_is_refused_before_it_writes(tmp_path: Path) -> None:
    done = call("generate", "-m", random_model(tmp_path / "m"), "--best-of", 3, "-o", tmp_path / "out")
    assert done.code == 1
    assert "train it again" in done.error
    assert not (tmp_path / "out").exists()


def song_of(folder: Path) -> Path:
    return sorted(folder.glob("*.mid"))[0]


@pytest.mark.parametrize(
    ("command", "asked"),
    [("infill", ("--bars", "2")), ("accompany", ("--add", "cello", "--bars", "2"))],
)
def test_fills_without_a_seed_are_the_best_of_twice_as_many(
    data: Path, tmp_path: Path, command: str, asked: tuple[str, ...]
) -> None:
    model, midi = tiny(data)
    start = (command, song_of(midi), *asked, "-m", model, "--json", "-q", "-o")
    found = call(*start, tmp_path / "a.mid").json
    assert len(found["pieces"]) == len(found["left_out"]) == 1
    assert found["pieces"][0]["rank"]["place"] == 1
    assert found["pieces"][0]["rank"]["total"] <= (found["left_out"][0]["total"] or math.inf)
    assert (tmp_path / "a.mid").exists()
    several = call(*start, tmp_path / "b.mid", "-n", 2).json
    assert [Path(row["path"]).name for row in several["pieces"]] == ["b-1.mid", "b-2.mid"]
    assert len(several["left_out"]) == 2
    assert call(*start, tmp_path / "c.mid", "--best-of", 1).json["left_out"] == []
    assert "left_out" not in call(*start, tmp_path / "d.mid", "--seed", 1).json
    assert call(*start, tmp_path / "e.mid", "-n", 3, "--best-of", 2).code == 2


def test_the_best_fills_are_those_that_rank_first(data: Path) -> None:
    path, midi = tiny(data)
    model = toccata.load(path, precision="fp32")
    every = model.infill(song_of(midi), [(2, 2)], n=4, seed=3)
    best = model.infill(song_of(midi), [(2, 2)], n=2, seed=3, best_of=4)
    assert [one.midi for one in best] == [ranked.piece.midi for ranked in toccata.rank(every, model)[:2]]
    with pytest.raises(RequestError, match="the best 3 of fewer"):
        model.accompany(song_of(midi), [42], n=3, best_of=2)


def test_training_writes_down_what_is_usual(model: Path) -> None:
    said = json.loads((model / folder.ABOUT).read_text())[USUAL]
    assert set(said["traits"]) <= set(TRAITS)
    assert said["excerpts"] > 0
    assert said["bars"] == 8


def test_nothing_else_is_needed_to_open_a_model_made_before(model: Path, tmp_path: Path) -> None:
    made = folder.open_folder(model)
    older = {key: value for key, value in made.about.items() if key != USUAL}
    assert ReferenceStats.of_model(replace(made, about=older)) is None
    assert isinstance(Ranked(piece(music([60])), 0.0, {}, {}, "").to_dict(), dict)
