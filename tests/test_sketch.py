"""A thinned index: long copies are found in any dress, other music is not, and a finetuned model keeps it."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic import Note, Score, Tempo, TimeSignature, Track

from cli_support import TINY, call
from test_lineage import corpora, trained, tune, tunes
from toccata import folder
from toccata.cli.writing import _longest
from toccata.corpus.arrayfile import read_arrays, write_arrays
from toccata.corpus.groups import COMMON
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.errors import ModelError
from toccata.measure.follower import _is_new
from toccata.measure.judge import Judge, thin_index, write_index
from toccata.measure.learned import Seen
from toccata.measure.lines import lines, pitched
from toccata.measure.originality import Originality, build_sketch, normal, normals_of, originality
from toccata.measure.passages import Index
from toccata.measure.ranking import Ranker
from toccata.measure.rows import Row, of_obedience, of_originality
from toccata.measure.sketch import EVERY, NOTES, Sketch, repeats_nothing, sampled
from toccata.measure.systems import System
from toccata.measure.validity import validity
from toccata.midi.bars import bar_map
from toccata.midi.edit import slice_bars, transpose
from toccata.midi.facts import fingerprint
from toccata.midi.read import read_score
from toccata.midi.splice import new_file
from toccata.musicmodel import Model
from toccata.piece import Piece

__all__ = ["corpora"]  # a fixture

TPQ = 480
TYPES = {"hashes": ("|u1",), "owners": ("|u1",)}


def melody(seed: int, notes: int) -> Score:
    """A line of notes one after another that repeats little."""
    rng, score = random.Random(seed), Score(TPQ)
    score.tempos, score.time_signatures = [Tempo(0, 120)], [TimeSignature(0, 4, 4)]
    track, now, pitch = Track("", 73, False), 0, 60
    for _ in range(notes):
        length = rng.choice([120, 240, 240, 480, 960])
        track.notes.append(Note(now, length, pitch, 80))
        now += length
        pitch = min(max(pitch + rng.choice([-7, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 7]), 48), 84)
    score.tracks.append(track)
    return score


def joined(*parts: Score, program: int | None = None) -> Score:
    """Some pieces one after another, all on one instrument if one is named."""
    out, at = Score(TPQ), 0
    tracks: dict[tuple[int, int], Track] = {}
    for part in (part.resample(TPQ, min_dur=1) for part in parts):
        for number, track in enumerate(part.tracks):
            if track.is_drum:
                continue
            key = (number, track.program if program is None else program)
            there = tracks.setdefault(key, Track("", key[1], False))
            for note in track.notes:
                there.notes.append(Note(note.time + at, note.duration, note.pitch, note.velocity))
        at += -(-part.end() // (4 * TPQ)) * 4 * TPQ
    out.time_signatures = [TimeSignature(0, 4, 4)]
    out.tracks.extend(tracks.values())
    return out


@pytest.fixture(scope="module")
def bach(data: Path) -> dict[str, Score]:
    """Some pieces by Bach, by name."""
    return {path.name: read_score(path) for path in sorted((data / "bach" / "mutopia").glob("*.mid"))[::7]}


@pytest.fixture(scope="module")
def sketch(bach: dict[str, Score]) -> Sketch:
    """Of these pieces."""
    return Sketch.of(bach.items())


@pytest.mark.parametrize("dress", ["as it is", "transposed", "on another instrument"])
def test_a_long_planted_passage_of_real_music_is_found_with_its_file(
    bach: dict[str, Score], sketch: Sketch, dress: str
) -> None:
    tried = 0
    for seed, (name, score) in enumerate(bach.items()):
        bars = len(bar_map(score))
        copy = slice_bars(score, 3, min(bars, 18)) if bars > 3 else score
        if len(pitched(copy)) < 200:
            continue
        if dress != "as it is":
            copy = transpose(copy, 3)
        piece = joined(melody(seed, 30), copy, melody(-seed - 1, 30), program=19 if "another" in dress else None)
        said = originality(piece, sketch)
        tried += 1
        assert said.notes >= 24, (name, said)
        assert said.path == name
        assert (said.bar, said.at_least) == (None, True)  # which bar is not known
        assert 0 < said.share < 1
        assert said.piece_bar > 1
    assert tried >= 6


def test_a_run_is_never_longer_than_the_passage(bach: dict[str, Score], sketch: Sketch) -> None:
    """What the full index finds is the measure, in copies and in what only happens to be alike."""
    full = Index.of(bach.items())
    found = []
    for seed, score in enumerate(list(bach.values())[::2]):
        piece = joined(melody(seed, 20), slice_bars(transpose(score, -2), 2, 8), melody(seed + 50, 20))
        thin, whole = originality(piece, sketch), originality(piece, full)
        assert thin.notes <= whole.notes
        assert thin.share <= whole.share + 0.05  # what only repeats is counted alike, but for its first notes
        found.append(thin.notes / max(1, whole.notes))
    assert np.mean(found) > 0.4


def test_held_out_music_is_not_called_a_copy(real_data: Path, bach: dict[str, Score], sketch: Sketch) -> None:
    others = [
        *sorted((real_data / "songs").glob("*.mid"))[::150],
        *sorted((real_data / "piano" / "keyboard").glob("*.mid"))[::60],
    ]
    found = normal(sketch, [read_score(path) for path in others])
    assert found.pieces == len(others) >= 12
    assert found.notes <= found.notes_90 < 24
    assert normal(sketch, list(bach.values())[:5]).notes > 100


def test_as_many_notes_of_chords_are_sampled_as_of_melodies() -> None:
    """A passage begins with an onset, and chords have few."""
    rng, chords = random.Random(1), Score(TPQ)
    track = Track("", 0, False)
    for beat in range(4000):
        for pitch in sorted(rng.sample(range(36, 84), 4)):
            track.notes.append(Note(beat * TPQ, TPQ, pitch, 80))
    chords.tracks.append(track)
    for score in (chords, melody(1, 16000)):
        longest = max(lines(pitched(score), TPQ), key=lambda line: len(line.notes))
        assert len(longest.notes) == 16000
        assert len(sampled(longest, 20).first) == pytest.approx(800, rel=0.15)
    assert len(Sketch.of([("a.mid", melody(1, 16000))], 40)) == pytest.approx(400, rel=0.2)


@settings(max_examples=200)
@given(st.lists(st.sampled_from([0x380, 0x382, 0x47E, 0x281]), max_size=80))
def test_repeats_are_what_they_are_to_the_full_index(steps: list[int]) -> None:
    before: tuple[tuple[int, int], ...] = ()
    expected = []
    for step in steps:
        before = (divmod(step, 256), *before[:19])
        expected.append(_is_new(before))
    assert repeats_nothing(np.array(steps, np.uint64)).tolist() == expected


def test_what_repeats_itself_and_what_everybody_writes_is_no_copy() -> None:
    scale, tie = Score(TPQ), melody(2, 400)
    track = Track("", 0, False)
    for i in range(2000):
        track.notes.append(Note(240 * i, 240, 48 + i % 24, 80))
    scale.tracks.append(track)
    known = Sketch.of([("a.mid", scale)], 2)
    assert originality(scale, known) == Originality(at_least=True)
    everywhere = Sketch.of([(f"{i}.mid", tie) for i in range(COMMON + 1)], 4)
    assert originality(tie, everywhere) == Originality(at_least=True)
    rare = Sketch.of([(f"{i}.mid", tie) for i in range(COMMON)], 4)
    assert originality(tie, rare).notes > 300
    assert originality(tie, rare).path == "0.mid"


def test_a_run_goes_on_over_an_idiom_and_over_a_passage_that_another_piece_has_too() -> None:
    common, first, second = melody(7, 60), melody(8, 200), melody(9, 200)
    whole = joined(first, common, second, program=0)
    others = [(f"{i}.mid", joined(melody(100 + i, 40), common, program=0)) for i in range(COMMON)]
    for count in (1, COMMON):  # before the piece: they own what they have in common with it
        said = originality(transpose(whole, 2), Sketch.of([*others[:count], ("z.mid", whole)], 6))
        assert said.path == "z.mid"
        assert said.notes > 420


def test_a_piece_that_is_not_known_ends_a_run() -> None:
    one, other = melody(1, 100), melody(2, 100)
    known = Sketch.of([("one.mid", one), ("other.mid", other)], 4)
    said = originality(joined(one, other, program=0), known)
    assert 60 < said.notes <= 101
    said = originality(joined(slice_bars(one, 1, 4), melody(3, 60), slice_bars(one, 5, 8), program=0), known)
    assert said.notes <= len(pitched(slice_bars(one, 1, 8))) // 2 + 12


# -- the file ----------------------------------------------------------------------------------------------------------


def test_a_sketch_is_the_same_after_it_was_saved(bach: dict[str, Score], sketch: Sketch, tmp_path: Path) -> None:
    for made in (sketch, Sketch.of([]), Sketch.of([("a.mid", melody(1, 5))]), sketch.inherited("old")):
        made.save(tmp_path / "a.idx")
        again = Sketch.load(tmp_path / "a.idx")
        assert (again.paths, again.about, again.every, again.bits) == (made.paths, made.about, made.every, made.bits)
        assert again.hashes.tolist() == made.hashes.tolist()
        assert again.owners.tolist() == made.owners.tolist()
        assert originality(next(iter(bach.values())), again) == originality(next(iter(bach.values())), made)
        again.save(tmp_path / "b.idx")
        assert (tmp_path / "a.idx").read_bytes() == (tmp_path / "b.idx").read_bytes()
    sketch.save(tmp_path / "a.idx")
    assert (tmp_path / "a.idx").stat().st_size < 0.6 * sketch.about["notes"]  # the full index has eight a note


BYTES = ("missing", "empty", "short", "long", "magic", "header", "arrays", "format", "numbers")
NUMBERS: dict[str, Any] = {
    "passages": [-1, 3, 2**40, 1.5, "9", None],
    "every": [0, -1, 2.5, True],
    "bits": [0, 3, 63, 99, "9"],
    "paths": [[], [1], "x", 3],
    "about": [3, {"models": [["", 1]]}, {"models": "x"}, {"models": [["a\nb", 99]]}, {"normal": {"pieces": 1}}],
}


@pytest.mark.parametrize("damage", BYTES)
def test_a_damaged_sketch_is_refused_in_one_line(sketch: Sketch, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "sketch.idx"
    sketch.save(path)
    good = path.read_bytes()
    length = int.from_bytes(good[8:16], "little")
    bad = {
        "empty": b"",
        "short": good[:-100],
        "long": good + b"\0" * 64,
        "magic": b"X" + good[1:],
        "header": good[:20] + b"}{" + good[22:],
        "arrays": good.replace(b'"|u1"', b'"|O8"', 1),
        "format": good.replace(b'"format": 1', b'"format": 7', 1),
        "numbers": good[: 16 + length] + b"\xff" * (len(good) - 16 - length),
    }
    path.unlink() if damage == "missing" else path.write_bytes(bad[damage])
    with pytest.raises(ModelError) as error:
        Sketch.load(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    assert ("reads 1" if damage == "format" else "copy the whole model folder again") in str(error.value)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in NUMBERS.items() for value in values])
def test_a_sketch_with_another_header_is_refused(sketch: Sketch, tmp_path: Path, key: str, value: Any) -> None:
    path = tmp_path / "sketch.idx"
    sketch.save(path)
    header, arrays = read_arrays(path, 1, TYPES)
    write_arrays(tmp_path / "other.idx", {**header, key: value}, arrays, TYPES)
    with pytest.raises(ModelError, match="is damaged"):
        Sketch.load(tmp_path / "other.idx")


def test_owners_that_are_no_pieces_are_refused(sketch: Sketch, tmp_path: Path) -> None:
    for owner in (-1, 2 * len(sketch.paths) + 1, 2**62):
        owners = sketch.owners.copy()
        owners[5] = owner
        Sketch(sketch.paths, sketch.every, sketch.bits, sketch.about, sketch.hashes, owners).save(tmp_path / "s.idx")
        with pytest.raises(ModelError, match="is damaged"):
            Sketch.load(tmp_path / "s.idx")


# -- in a model folder -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def family(corpora: list[Corpus], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A model that has a thinned index alone, and two more, each finetuned from the one before it."""
    place, paths = tmp_path_factory.mktemp("family"), []
    for name, corpus in zip(("first", "second", "third"), corpora, strict=True):
        paths.append(trained(place / name, corpus, paths[-1] if paths else None))
        if name == "first":
            thin_index(paths[0], corpus, every=8)
    return paths


def copy_of(corpus: Corpus) -> tuple[str, Piece]:
    """The path of a training piece, and a transposed copy."""
    number = corpus.split("train")[0]
    return corpus.pieces[number].path, Piece(new_file(transpose(corpus.score(number), 2)), {})


def test_a_model_answers_by_its_thinned_index(family: list[Path], corpora: list[Corpus]) -> None:
    made = folder.open_folder(family[0])
    made.verify()
    assert (made.has(folder.SKETCH), made.has(folder.ORIGINALITY)) == (True, False)
    assert not (family[0] / folder.ORIGINALITY).exists()
    model = Model(family[0])
    judge, (path, piece) = Judge(model), copy_of(corpora[0])
    found = judge.of(piece)
    assert (found.path, found.model, found.bar, found.at_least) == (path, "", None, True)
    assert 60 < found.notes <= 180
    assert found.to_dict()["bar"] is None
    assert judge.unindexed == Seen.of_model(made).unindexed == ()
    assert not judge.within(20)(piece)
    assert judge.within(20)(Piece(new_file(tune(9000)), {}))
    assert judge.normals == normals_of(build_sketch(corpora[0], every=8))
    assert "compared with a sample of its passages" in judge.beside(piece)
    normal = judge.usual(piece)
    assert normal is not None
    assert judge.summary([piece]) == {
        "pieces": 1, "bars": piece.bars, "notes": found.notes, "most": found.notes, "at_least": True,
        "people": {"pieces": normal.pieces, "notes": normal.notes, "most": normal.notes_90, "bars": normal.bars},
    }  # fmt: skip
    why = Ranker(None, judge).weigh(piece).why
    assert f"longest known passage at least {found.notes} notes" in why
    row = {"path": "a.mid", "copied": found.to_dict()}
    (line,) = _longest([row], {"a.mid": judge.beside(piece)})
    assert line.startswith(
        f"At least {found.notes} notes in a row occur in the training music; {normal.bars} bars by people"
    )
    assert line.endswith(f"(a.mid, bar {found.piece_bar}, is like {path}).")


def test_finetuned_models_keep_the_thinned_index_of_an_ancestor(family: list[Path], corpora: list[Corpus]) -> None:
    for generation, place in enumerate(family[1:], 1):
        made, judge = folder.open_folder(place), Judge(Model(place))
        assert made.has(folder.SKETCH)
        assert made.has(folder.ORIGINALITY)
        for number, corpus in enumerate(corpora[: generation + 1]):
            path, piece = copy_of(corpus)
            found = judge.of(piece)
            name = "" if number == generation else family[number].name
            assert (found.path, found.model, found.at_least) == (path, name, True)
            assert (found.bar is None) == (number == 0)
            assert found.notes > 60
        assert judge.unindexed == ()
        assert "compared with a sample of the passages that first learned" in judge.beside(piece)
        assert judge.normals
    sketches = [Sketch.load(place / folder.SKETCH) for place in family]
    assert [s.models for s in sketches] == [[(name, len(sketches[0].paths))] for name in ("", "first", "first")]
    # The longer of both is the answer, whichever it is in.
    one, other = (copy_of(corpus)[1].score for corpus in corpora[:2])
    judge = Judge(Model(family[1]))
    for parts, name in (((one, slice_bars(other, 1, 4)), "first"), ((slice_bars(one, 1, 4), other), "")):
        assert judge.of(Piece(new_file(joined(*parts)), {})).model == name


def test_a_finetuned_model_knows_excerpts_by_the_sketch(
    family: list[Path], corpora: list[Corpus], tmp_path: Path
) -> None:
    """Where the fingerprints of the ancestor are missing, its sketch still tells."""
    number = corpora[0].split("train")[0]
    excerpt = slice_bars(corpora[0].score(number), 3, 12)
    place = shutil.copytree(family[1], tmp_path / "m")
    (place / folder.FINGERPRINTS).unlink()
    folder.seal(place, folder.open_folder(place).about)
    seen = Seen.of_model(folder.open_folder(place))
    midi = [new_file(score) for score in (excerpt, tune(9000))]
    assert seen.sketch is not None
    assert seen.kinds([(fingerprint(Score.from_midi(m)), m) for m in midi]) == ["passages", "new"]


def test_an_index_that_was_there_before_is_not_kept(family: list[Path], corpora: list[Corpus], tmp_path: Path) -> None:
    place = shutil.copytree(family[0], tmp_path / "m")
    made = folder.open_folder(place)
    write_index(made, corpora[1])
    assert not (place / folder.SKETCH).exists()


def test_only_the_index_of_the_corpus_itself_is_thinned(family: list[Path], corpora: list[Corpus]) -> None:
    with pytest.raises(ModelError, match="was finetuned"):
        thin_index(family[1], corpora[1])
    about = folder.open_folder(family[0]).about
    folder.seal(family[0], {**about, "lineage": {"data": corpora[0].digest}})
    thin_index(family[0], corpora[0], every=8)
    with pytest.raises(ModelError, match="trained on another corpus"):
        thin_index(family[0], corpora[1])


def test_the_whole_way_of_a_user(tmp_path: Path) -> None:
    """A model is trained, its index thinned, and another finetuned from it."""
    music = [tunes(tmp_path / f"midi{n}", 100 * n) for n in range(2)]
    old, new = tmp_path / "old", tmp_path / "new"
    more = [*TINY, "training.steps=2", "prepare.valid=0.2", "prepare.test=0.2"]
    assert call("train", music[0], "-o", old, *more, "-q").code == 0
    thin_index(old, Corpus(old / "training" / "corpus"))
    shutil.rmtree(old / "training")
    wrote = call("generate", "--model", old, "-o", tmp_path / "a.mid", "--bars", "2", "--seed", "1", "--best-of", "2")
    assert "compared with a sample of its passages" in wrote.out
    done = call("finetune", music[1], "--model", old, "-o", new, "training.steps=2", "-q")
    assert done.code == 0, done.err
    made = folder.open_folder(new)
    assert made.metrics["copied"]["at_least"] is True
    assert "only a sample of all passages is known" in (new / "README.md").read_text()
    made.verify()
    shutil.rmtree(old)
    found = Judge(Model(new)).of(Piece(new_file(tune(3)), {}))
    held_out = Judge(Model(new)).of(Piece(new_file(tune(5000)), {}))
    assert held_out.notes < NOTES + EVERY
    row = call("generate", "--model", new, "-o", tmp_path / "b.mid", "--bars", "2", "--seed", "1", "--json").json
    assert row["pieces"][0]["copied"]["at_least"] is True
    assert (found.model == "old") == (found.notes > NOTES)


def test_the_scoreboard_has_rows_of_their_own_for_what_a_thinned_index_finds(
    family: list[Path], corpora: list[Corpus]
) -> None:
    """It misses most passages, so its figures are not to be read as those of a whole index."""
    _, copy = copy_of(corpora[0])
    fine = validity([copy], None)
    thinned, whole, files = (
        System(name, path, None if name == "files" else Model(path), (copy.score,), 1, fine)
        for name, path in (("thinned", family[0]), ("whole", family[1]), ("files", family[1]))
    )
    rows = {row.key: row for row in of_originality([thinned, whole, files], [copy.score])}
    assert [figure is None for figure in rows["copied_notes"].systems] == [True, False, True]
    assert [figure is None for figure in rows["sampled_copied_notes"].systems] == [False, True, True]
    assert rows["sampled_copied_notes"].label == "longest known passage, by a thinned index"
    found = rows["sampled_copied_notes"].systems[0]
    assert found is not None
    assert found.value == Judge(Model(family[0])).of(copy).notes
    assert rows["sampled_copied_notes_people"].systems[0] == found
    assert "sampled_copied_notes" not in {row.key for row in of_originality([whole, files], [copy.score])}


def test_the_scoreboard_has_what_a_model_was_measured_to_obey(family: list[Path]) -> None:
    fine = validity([], None)

    def rows(saved: object) -> list[Row]:
        model = Model(family[0])
        model.folder = replace(model.folder, about={**model.folder.about, "metrics": {"obedience": saved}})
        systems = [System("model", family[0], model, (), 0, fine), System("files", family[0], None, (), 0, fine)]
        return of_obedience(systems)

    density, style, bars, old = rows(
        {
            "density": {"share": 0.9, "count": 50, "pieces": 50},
            "style": {"share": 1, "count": 4, "pieces": 4},
            "of bars": {"share": 0.4336, "count": 256, "pieces": 32},
            "old": {"share": 0.5714, "count": 49},
        }
    )
    assert (density.key, density.group, density.unit) == ("obeys_density", "obedience", "%")
    assert density.systems[1] is None
    assert density.systems[0] is not None
    assert density.systems[0].value == pytest.approx(0.9)
    assert density.systems[0].low < 0.9 < density.systems[0].high < 1
    assert style.systems[0] is not None
    for row, share in ((bars, 0.4336), (old, 0.5714)):  # bars of a piece are alike, and 0.4336 stays what it is
        assert row.systems[0] is not None
        assert (row.systems[0].value, row.systems[0].has_interval) == (share, False)
    for nonsense in (None, 3, [], {"density": 3}, {"density": {"share": 2, "count": 4}}, {"x": {"share": 0.5}},
                     {"a\nb": {"share": 1, "count": 4}}, {"x": {"share": 0.5, "count": "4"}},
                     {"x": {"share": 0.5, "count": 0}}):  # fmt: skip
        assert rows(nonsense) == []


def test_what_is_normal_is_measured_on_the_held_out_pieces(data: Path, tmp_path: Path) -> None:
    (tmp_path / "midi").mkdir()
    for path in sorted((data / "bach" / "mutopia").glob("BWV[78]*.mid"))[:16]:
        (tmp_path / "midi" / path.name).write_bytes(path.read_bytes())
    corpus = prepare(tmp_path / "midi", tmp_path / "corpus", PrepareOptions(valid=0.2, test=0.2), processes=0)
    made = build_sketch(corpus)
    assert made.paths == [corpus.pieces[i].path for i in corpus.split("train")]
    said = normals_of(made)
    assert said[0].pieces == len(corpus.split("valid")) + len(corpus.split("test"))
    assert made.about["corpus"] == corpus.digest
