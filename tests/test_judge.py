"""A model says how original what it writes is, and can be told to write something else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from symusic import Note, Score, Track

from cli_support import some_bach
from random_model import random_model
from toccata import folder
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.errors import ModelError, RequestError
from toccata.measure.follower import SHORT
from toccata.measure.judge import Judge, new_bars, write_index
from toccata.midi.bars import bar_map
from toccata.midi.edit import opening, transpose
from toccata.midi.splice import new_file
from toccata.musicmodel import Model
from toccata.piece import Piece
from toccata.tasks.vary import Keep
from toccata.training.card import copied_passages
from toccata.verbs.writer import TRIES


@pytest.fixture(scope="module")
def corpus(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    place = tmp_path_factory.mktemp("judged")
    return prepare(some_bach(data, place, 8), place / "corpus", PrepareOptions(valid=0.2, test=0.2))


@pytest.fixture(scope="module")
def model(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = random_model(tmp_path_factory.mktemp("judge") / "m")
    made = folder.open_folder(path)
    write_index(made, corpus)
    folder.seal(path, {key: value for key, value in made.about.items() if key not in ("files", "format")})
    return Model(path, precision="fp32")


def test_a_copy_is_named_with_file_and_bar_whatever_its_key(corpus: Corpus, model: Model) -> None:
    number = corpus.split("train")[0]
    judge = Judge(model)
    found = judge.of(Piece(new_file(transpose(corpus.score(number), 3)), {}))
    assert found.notes > 40
    assert found.path == corpus.pieces[number].path
    assert found.share > 0.9
    assert not judge.within(12)(Piece(new_file(corpus.score(number)), {}))
    assert judge.normals


def bars_of(score: Score, first: int, last: int) -> Score:
    """The notes that begin in some bars, counted from 1, where they stand."""
    starts, out = bar_map(score).starts, score.copy()
    for track in out.tracks:
        track.notes = [note for note in track.notes if starts[first - 1] <= note.time < starts[last]]
    return out


@pytest.mark.parametrize("keep", ["rhythm", "contour"])
def test_a_variation_of_a_training_piece_is_judged_by_the_notes_that_changed(
    corpus: Corpus, model: Model, keep: Keep
) -> None:
    """The rest of it is the song's, and stands in the training data note for note."""
    judge, song = Judge(model), new_file(corpus.score(corpus.split("train")[0]))
    untouched = judge.of(Piece(song, {})).notes
    for piece in model.vary(song, keep=keep, bars=[(2, 3)], n=2, strength=0.5, seed=0):
        assert piece.new is not None
        before = {(n.time, n.pitch) for t in Piece(song, {}).score.tracks for n in t.notes}
        moved = {(n.time, n.pitch) for t in piece.new.tracks for n in t.notes}
        assert moved
        assert moved == {(n.time, n.pitch) for t in piece.score.tracks for n in t.notes} - before
        found = judge.of(piece)
        assert found.notes < SHORT < 40 < untouched
        assert found.share == 0
    (same,) = model.vary(song, keep=keep, strength=0, n=1, seed=0)
    assert judge.of(same).notes == 0  # nothing in it is the model's


def test_of_bars_written_anew_a_passage_is_known_by_its_new_notes(corpus: Corpus, model: Model) -> None:
    judge, score = Judge(model), corpus.score(corpus.split("train")[0])
    midi = new_file(score)
    # The model wrote bars 3 and 4 as they stand in the training piece ...
    new = bars_of(score, 3, 4)
    found = judge.of(Piece(midi, {}, new=new))
    pitched = sum(len(track.notes) for track in new.tracks if not track.is_drum)
    assert SHORT <= found.notes <= pitched
    assert found.piece_bar in (3, 4)
    assert found.share > 0.5
    # ... or one of its parts alone, under what was given ...
    part = bars_of(score, 3, 6)
    part.tracks = part.tracks[:1]
    found = judge.of(Piece(midi, {}, new=part))
    assert SHORT <= found.notes <= part.note_num()
    # ... or other notes, in bars that are otherwise as they were.
    other, odd = score.copy(), bars_of(score, 3, 4)
    for number, track in enumerate(other.tracks):
        track.notes = [note for note in track.notes if note not in odd.tracks[number].notes]
    for track in odd.tracks:
        track.notes = [Note(n.time, n.duration, 36 + (i * 29) % 53, 80) for i, n in enumerate(track.notes)]
    for number, track in enumerate(other.tracks):
        track.notes.extend(odd.tracks[number].notes)
    found = judge.of(Piece(new_file(other), {}, new=odd))
    assert (found.notes, found.share) == (0, 0)
    assert judge.of(Piece(new_file(other), {})).notes > 40  # the bars around them are the training piece's
    # A piece of which nothing is new has nothing that is copied.
    assert judge.of(Piece(midi, {}, new=Score(480))).notes == 0


def test_a_copied_accompaniment_is_known_beside_the_notes_that_were_given(corpus: Corpus, model: Model) -> None:
    """On the same instrument as the song, whose own notes make other chords of it."""
    judge, score = Judge(model), corpus.score(corpus.split("train")[0])
    given = Track("", score.tracks[0].program, False)
    first = bar_map(score).starts
    given.notes.extend([Note(int(tick) + 7, 200, 100 - n % 5, 80) for n, tick in enumerate(first[:8])])
    whole, new = score.copy(), score.copy()
    whole.tracks.append(given)
    found = judge.of(Piece(new_file(whole), {}, new=new))
    assert found.notes == judge.of(Piece(new_file(score), {})).notes > 40


def test_what_comes_again_of_a_prompt_is_not_new(corpus: Corpus, model: Model) -> None:
    judge, song = Judge(model), new_file(corpus.score(corpus.split("train")[0]))
    known = judge.of(Piece(song, {})).notes
    for only in (False, True):
        (piece,) = model.generate(song, prompt_bars=4, form="ABA", bars=12, seed=3, continuation_only=only)
        assert piece.new is not None
        offset = 4 * (not only)
        assert [n.time for t in piece.new.tracks for n in t.notes] == [
            n.time for t in bars_of(piece.score, 1 + offset, 4 + offset).tracks for n in t.notes
        ]
        assert judge.of(piece).notes < 20 <= judge.of(replace(piece, new=None)).notes <= known
    (piece,) = model.generate(form="ABA", bars=3, seed=0)
    assert piece.new is None  # without a prompt all of it is new


def test_what_is_refused_is_written_again_with_another_seed(model: Model) -> None:
    seen: list[int] = []

    def third(piece: Piece) -> bool:
        seen.append(piece.origin["seed"])
        return len(seen) == 3

    (piece,) = model.generate(bars=2, seed=4, accept=third)
    assert piece.origin["seed"] == seen[2]
    assert len(set(seen)) == 3
    assert seen[0] == 4
    again = model.generate(bars=2, seed=piece.origin["seed"])[0]
    assert [n for t in again.score.tracks for n in t.notes] == [n for t in piece.score.tracks for n in t.notes]
    with pytest.raises(RequestError, match=f"none of {TRIES} pieces was accepted"):
        model.generate(bars=1, accept=lambda _: False)


def test_pieces_are_compared_with_music_as_long_by_people(corpus: Corpus, model: Model) -> None:
    judge, song = Judge(model), corpus.score(corpus.split("train")[0])
    one = replace(judge.normals[0], pieces=9)
    judge.normals = (replace(one, bars=8), replace(one, bars=16), replace(one, bars=64, pieces=2))

    def beside(bars: int) -> int:
        usual = judge.usual(Piece(new_file(opening(song, bars)), {}))
        assert usual is not None
        return usual.bars

    assert [beside(bars) for bars in (1, 8, 11, 12, 24, 32)] == [8, 8, 8, 16, 16, 16]  # of two pieces nothing is usual
    midi, lines = new_file(opening(song, 16)), bar_map(song)
    assert new_bars(Piece(midi, {}, prompt_end=int(lines.starts[12]))) == 4
    assert new_bars(Piece(midi, {}, new=bars_of(song, 3, 4))) == 2
    fewer = judge.summary([Piece(new_file(opening(song, bars)), {}) for bars in (2, 8, 8, 30)])
    assert fewer is not None
    assert (fewer["bars"], fewer["people"]["bars"]) == (8, 8)


def test_the_card_says_where_lengths_differ(corpus: Corpus, model: Model) -> None:
    judge = Judge(model)
    found = judge.summary([Piece(new_file(opening(corpus.score(0), 8)), {})])
    assert found is not None
    now = " ".join(copied_passages(found, lambda pieces: ""))
    assert "in 1 pieces of 8 bars that it wrote" in now
    assert "that it was not trained on, of 8 bars: median" in now
    assert "longer" not in now.replace("longest", "")
    del found["people"]["bars"]  # a model made before lengths were told apart
    assert "They are longer than those it wrote" in " ".join(copied_passages(found, lambda pieces: ""))


def test_a_model_without_an_index_says_so(tmp_path: Path) -> None:
    model = Model(random_model(tmp_path / "m"))
    assert not Judge.has(model)
    with pytest.raises(ModelError, match="exported without it"):
        Judge(model)
