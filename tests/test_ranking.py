"""Of many pieces the best are kept, and it is said why."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

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
from toccata.measure.judge import Judge, write_index
from toccata.measure.passages import Index
from toccata.measure.ranking import Ranked, Ranker
from toccata.measure.reference import FEW, USUAL, ReferenceStats, Spread, reference_stats
from toccata.measure.steps import Steps
from toccata.measure.traits import TRAITS, traits
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
    assert any("far from any key" in r.why or "harsh" in r.why or "leaping" in r.why for r in ranked[1:])
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


def test_what_stands_on_one_or_two_pieces_is_not_called_usual(known: Model) -> None:
    """The passages may be many: of one piece they are like one another."""
    found, judge = ReferenceStats.of_model(known.folder), Judge(known)
    assert found is not None
    assert found.surprise is not None
    assert judge.normal is not None
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
        (1, "in music by people 4 (one piece only)", "up to 9 in one piece only"),
        (2, "in music by people 4 (two pieces only)", "up to 9 in two pieces only"),
        (3, "in music by people 4 are usual", "usual up to 9"),
    ):
        judge.normal = replace(judge.normal, pieces=pieces, notes=4, notes_90=9)
        assert judge.beside.startswith(f"; {middle}")
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
    assert judge.normal is not None
    copy = piece(corpus.score(corpus.split("train")[0]))
    found = Ranker.of(known).weigh(copy)
    assert found.parts["known"] > 0  # type: ignore[operator]
    assert f"longest known passage {judge.of(copy).notes} notes (usual up to {judge.normal.notes_90})" in found.why
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
