"""A model remembers what it and the models before it were trained on, and tells pieces that it has seen from others."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from symusic import Note, Score, Tempo, TimeSignature, Track

from cli_support import TINY, call
from random_model import random_model
from toccata import folder
from toccata.api import Judge
from toccata.corpus.arrayfile import read_arrays, write_arrays
from toccata.corpus.groups import COMMON
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.errors import ModelError
from toccata.measure.evaluation import gather, read_pieces
from toccata.measure.judge import write_index
from toccata.measure.learned import STEPS, TYPES, Learned, Seen
from toccata.measure.originality import build_index, originality
from toccata.measure.passages import Index
from toccata.midi.clean import CleanOptions
from toccata.midi.edit import slice_bars, transpose
from toccata.midi.facts import fingerprint
from toccata.midi.splice import new_file
from toccata.musicmodel import Model
from toccata.piece import Piece

SPLIT = PrepareOptions(valid=0.2, test=0.2)


def tune(seed: int, notes: int = 120) -> Score:
    """A melody over a bass, like nothing else."""
    rng = random.Random(seed)
    score = Score(480)
    score.tempos, score.time_signatures = [Tempo(0, 120)], [TimeSignature(0, 4, 4)]
    for program, low, steps in ((73, 60, (120, 240, 240, 480)), (32, 36, (480, 960))):
        track, now, pitch = Track("", program, False), 0, low + rng.randint(0, 12)
        while len(track.notes) < notes * (1 if program == 73 else 0.5):
            length = rng.choice(steps)
            track.notes.append(Note(now, length, pitch, 80))
            now += length
            pitch = min(max(pitch + rng.choice([-7, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 7]), low), low + 24)
        score.tracks.append(track)
    return score


def write(place: Path, pieces: dict[str, Score]) -> Path:
    """A folder of MIDI files."""
    place.mkdir(parents=True)
    for name, score in pieces.items():
        (place / f"{name}.mid").write_bytes(new_file(score))
    return place


def tunes(place: Path, first: int, count: int = 8) -> Path:
    """A folder of tunes."""
    return write(place, {f"tune{seed}": tune(seed) for seed in range(first, first + count)})


def trained(path: Path, corpus: Corpus, parent: Path | None = None) -> Path:
    """A model folder that says it was trained on ``corpus``, after ``parent``; its weights are random."""
    before = None if parent is None else Seen.of_parent(folder.open_folder(parent))
    made = folder.open_folder(random_model(path))
    write_index(made, corpus, before, frozenset() if before is None else before.held_out(corpus))
    learned = Learned.of_training(made.name, corpus, before)
    learned.save(path)
    lineage = {"parent": None if before is None else {"name": parent.name, "digest": "0" * 64}}  # type: ignore[union-attr]
    folder.seal(path, {**made.about, "lineage": lineage, folder.LEARNED: learned.summary()})
    return path


def older(path: Path, *, data: bool = True, index: bool = True) -> Path:
    """The folder as a version before this one would have left it: without what a parent learned, or without more."""
    made = folder.open_folder(path)
    about = {key: value for key, value in made.about.items() if key != folder.LEARNED}
    own = Learned.of_model(made).generations[0]
    assert own.pieces is not None
    assert own.marks is not None
    steps = [mark.steps for mark in own.marks]
    count = len(own.pieces["train"])
    (path / folder.DATA).unlink()
    (path / folder.FINGERPRINTS).unlink()
    if not index:
        (path / folder.ORIGINALITY).unlink()
    folder.seal(path, about)  # with no digest of data.json
    if data:
        (path / folder.DATA).write_text(json.dumps({"train": steps[:count], "valid": steps[count:]}))
    return path


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> list[Corpus]:
    """Three corpora that have nothing in common."""
    place = tmp_path_factory.mktemp("corpora")
    return [prepare(tunes(place / f"midi{n}", 100 * n), place / f"corpus{n}", SPLIT, processes=0) for n in range(3)]


@pytest.fixture(scope="module")
def line(corpora: list[Corpus], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three generations of models, each finetuned from the one before it."""
    place, paths = tmp_path_factory.mktemp("line"), []
    for name, corpus in zip(("first", "second", "third"), corpora, strict=True):
        paths.append(trained(place / name, corpus, paths[-1] if paths else None))
    return paths


def seen(path: Path, scores: list[Score]) -> list[str]:
    """How a model knows some pieces."""
    return list(Seen.of_model(folder.open_folder(path)).kinds([(fingerprint(s), new_file(s)) for s in scores]))


def known(path: Path, score: Score) -> tuple[str, str, int]:
    """The training piece that a piece is a copy of, and whose, and how many notes."""
    found = Judge(Model(path)).of(Piece(new_file(score), {}))
    return found.path, found.model, found.notes


# -- the whole way -----------------------------------------------------------------------------------------------------


def test_what_was_learned_travels_down_two_generations(tmp_path: Path) -> None:
    """Trained and finetuned twice, as a user does; then the models before are deleted."""
    music = [tunes(tmp_path / f"midi{n}", 100 * n) for n in range(3)]
    models = [tmp_path / "models" / name for name in ("first", "second", "third")]
    settings = [*TINY, "training.steps=2", "prepare.valid=0.2", "prepare.test=0.2"]
    assert call("train", music[0], "-o", models[0], *settings, "-q").code == 0
    for n in (1, 2):
        done = call("finetune", music[n], "--model", models[n - 1], "-o", models[n], "training.steps=2", "-q")
        assert done.code == 0, done.err
    corpora = [Corpus(model / "training" / "corpus") for model in models]
    shutil.rmtree(models[0])
    shutil.rmtree(models[1])
    for corpus, name in zip(corpora[:2], ("first", "second"), strict=False):
        assert not corpus.folder.exists()
        value = call("evaluate", models[2], music[0] if name == "first" else music[1], "--json").json
        held_out = sum(piece.split == "test" for piece in corpus.pieces)
        assert (value["pieces"], value["seen"], value["shared"]) == (held_out, 8 - held_out, 0)
        assert value["unknown"] == []
    for n, name in enumerate(("first", "second", "")):
        learned = next(piece for piece in corpora[n].pieces if piece.split == "train")
        score = tune(int(learned.path.removeprefix("tune").removesuffix(".mid")))
        path, model, notes = known(models[2], score)
        assert (path, model) == (learned.path, name)
        assert notes > 100
        assert not Judge(Model(models[2])).within(20)(Piece(new_file(transpose(score, 2)), {}))  # as --max-copy asks
    said = json.loads((models[2] / "toccata.json").read_text())["learned"]
    counts = [corpus.about["splits"]["train"] for corpus in corpora]
    assert [(g["model"], g["pieces"]) for g in said] == list(
        zip(("third", "second", "first"), counts[::-1], strict=True)
    )
    card = (models[2] / "README.md").read_text()
    assert f"`first` had learned from {counts[0]} pieces" in card
    listed = call("models", tmp_path / "models").out
    assert f"third ({counts[2]}), second ({counts[1]}), first ({counts[0]})" in listed
    copy = tmp_path / "again"
    shutil.copytree(models[2], copy, ignore=shutil.ignore_patterns("training"))  # as it is given away
    assert call("evaluate", copy, music[0], "--json").json["seen"] > 0


def test_a_finetuned_model_that_is_whole_is_left_alone_when_its_command_is_run_again(tmp_path: Path) -> None:
    music = tunes(tmp_path / "midi", 0)
    assert call("train", music, "-o", tmp_path / "first", *TINY, "training.steps=1", "-q").code == 0
    again = ("finetune", music, "--model", tmp_path / "first", "-o", tmp_path / "second", "training.steps=1", "--json")
    assert call(*again).json["finished_before"] is False
    assert call(*again).json["finished_before"] is True


# -- what is known -----------------------------------------------------------------------------------------------------


def test_every_generation_is_known_whole_and_by_its_name(line: list[Path], corpora: list[Corpus]) -> None:
    for model, generations in ((line[2], 3), (line[1], 2), (line[0], 1)):
        for n, corpus in enumerate(corpora):
            scores = [corpus.score(i) for i in range(len(corpus.pieces))]
            kinds = ["new" if n >= generations or p.split == "test" else "whole" for p in corpus.pieces]
            assert seen(model, scores) == kinds
    number = corpora[0].split("train")[0]
    assert known(line[2], corpora[0].score(number))[:2] == (corpora[0].pieces[number].path, "first")
    number = corpora[2].split("train")[0]
    assert known(line[2], corpora[2].score(number))[:2] == (corpora[2].pieces[number].path, "")


@pytest.mark.parametrize("side", ["train", "valid"])
def test_excerpts_transpositions_and_copies_with_changes_are_known(
    line: list[Path], corpora: list[Corpus], side: Any
) -> None:
    score = corpora[0].score(corpora[0].split(side)[0])
    excerpt = slice_bars(score, 4, 12)
    changed = score.copy()
    for track in changed.tracks:
        for note in list(track.notes)[::29]:
            note.pitch += 1
    added = score.copy()
    added.tracks.append(tune(9999).tracks[0])
    slower = score.copy().resample(240, min_dur=1)
    assert seen(line[2], [transpose(score, 5), slower]) == ["whole", "whole"]
    assert seen(line[2], [excerpt, transpose(excerpt, -4), changed, added]) == ["passages"] * 4
    assert seen(line[2], [tune(5000), tune(5001)]) == ["new", "new"]


@pytest.mark.parametrize("side", ["train", "valid"])
def test_copies_whose_notes_were_moved_or_thinned_out_are_known(
    line: list[Path], corpora: list[Corpus], side: Any
) -> None:
    score, rng = corpora[0].score(corpora[0].split(side)[0]), random.Random(3)
    moved, thin = score.copy(), score.copy()
    for track in moved.tracks:
        track.notes = [Note(max(0, n.time + rng.randint(-15, 15)), n.duration, n.pitch, 80) for n in track.notes]
    for track in thin.tracks:
        track.notes = [note for note in track.notes if rng.random() < 0.85]
    assert seen(line[2], [moved, thin]) == ["passages"] * 2


def test_another_rhythm_over_the_same_pitches_is_another_piece(corpora: list[Corpus], tmp_path: Path) -> None:
    """To the exact hash; to the hash of older models it is the same."""
    model = trained(tmp_path / "m", corpora[0])
    score = corpora[0].score(corpora[0].split("train")[0])
    other = score.copy()
    for track in other.tracks:
        for note in track.notes:
            note.time += note.time // 960 * 240
    assert seen(model, [score, other]) == ["whole", "passages"]
    assert seen(older(model), [score, other]) == ["whole", "whole"]


def test_short_excerpts_of_training_pieces_are_known(line: list[Path], corpora: list[Corpus]) -> None:
    score = corpora[1].score(corpora[1].split("train")[0])
    assert seen(line[2], [slice_bars(score, bar, bar + 4) for bar in (0, 4, 8)]) == ["passages"] * 3


def test_an_evaluation_says_how_many_of_each_kind(line: list[Path], corpora: list[Corpus], tmp_path: Path) -> None:
    one, other = (corpora[0].score(i) for i in corpora[0].split("train")[:2])
    pieces = {
        "copy": one, "copy-again": one, "other-key": transpose(other, 3), "excerpt": slice_bars(one, 2, 9),
        "new": tune(7000), "new-too": tune(7001),
    }  # fmt: skip
    music = write(tmp_path / "midi", pieces)
    (music / "torn.mid").write_bytes(b"MThd")
    for flags, count in (((), 2), (("--all",), 5)):
        value = call("evaluate", line[2], music, "--json", *flags).json
        assert value["pieces"] == count
        assert (value["seen"], value["shared"], value["duplicates"], len(value["unread"])) == (2, 1, 1, 1)
        assert value["seen_included"] is bool(flags)
    said = call("evaluate", line[2], music).out
    assert "left out     2 it was trained on, 1 that share long passages with those, 1 that cannot be used" in said
    said = call("evaluate", line[2], music, "--all").out
    assert "among them   2 it was trained on, 1 that share long passages with those" in said
    shutil.rmtree(tmp_path / "midi")
    only = write(tmp_path / "midi", {"excerpt": pieces["excerpt"]})
    assert "1 seen, whole or in part" in call("evaluate", line[2], only).error


def test_the_pieces_of_a_corpus_are_known_too(line: list[Path], corpora: list[Corpus]) -> None:
    found = gather(read_pieces(corpora[0].folder, CleanOptions()), [folder.open_folder(line[2])])
    splits = corpora[0].about["splits"]
    assert (found.seen, len(found.pieces)) == (splits["train"] + splits["valid"], splits["test"])


def test_what_a_parent_has_seen_proves_nothing_of_its_child(
    line: list[Path], corpora: list[Corpus], tmp_path: Path
) -> None:
    """Held-out pieces that the parent was trained on are not measured on, nor called usual."""
    pieces = {piece.path.removesuffix(".mid"): corpora[0].score(i) for i, piece in enumerate(corpora[0].pieces)}
    new = {f"tune{seed}": tune(seed) for seed in range(800, 804)}
    other = PrepareOptions(valid=0.4, test=0.4)
    corpus = prepare(write(tmp_path / "midi", pieces | new), tmp_path / "corpus", other, processes=0)
    before = Seen.of_parent(folder.open_folder(line[0]))
    known_before = {corpus.pieces[i].path for i in before.held_out(corpus)}
    sides = {piece.path: piece.split for piece in corpora[0].pieces}
    proves_nothing = {"valid": ("train",), "test": ("train", "valid")}
    assert known_before == {p.path for p in corpus.pieces if sides.get(p.path) in proves_nothing.get(p.split, ())}
    assert known_before
    made = folder.open_folder(random_model(tmp_path / "m"))
    normal = write_index(made, corpus, before, before.held_out(corpus)).about["normal"]
    held_out = len(corpus.split("valid")) + len(corpus.split("test"))
    assert normal[0]["pieces"] == held_out - len(known_before)


# -- what is not known -------------------------------------------------------------------------------------------------


def test_a_parent_without_its_data_is_said_to_be_unknown(corpora: list[Corpus], tmp_path: Path) -> None:
    parent = older(trained(tmp_path / "parent", corpora[0]), data=False, index=False)
    child = trained(tmp_path / "child", corpora[1], parent)
    grandchild = trained(tmp_path / "grandchild", corpora[2], child)
    for model in (child, grandchild):
        found = Seen.of_model(folder.open_folder(model))
        assert found.unknown == found.unindexed == Judge(Model(model)).unindexed == ("parent",)
        assert "what parent learned is not known" in Judge(Model(model)).beside(Piece(new_file(tune(1)), {}))
    music = write(tmp_path / "midi", {"one": tune(7000), "old": corpora[0].score(corpora[0].split("train")[0])})
    value = call("evaluate", grandchild, music, "--json").json
    assert (value["pieces"], value["seen"], value["unknown"]) == (2, 0, ["parent"])
    assert "not known    what parent learned" in call("evaluate", grandchild, music).out
    assert seen(grandchild, [corpora[1].score(corpora[1].split("train")[0])]) == ["whole"]
    assert [g["pieces"] for g in folder.open_folder(grandchild).learned][-1] is None
    listed = call("models", tmp_path).out
    assert "parent (unknown)" in listed


def test_a_user_is_told_before_training_that_a_parent_is_unknown(tmp_path: Path) -> None:
    assert call("train", tunes(tmp_path / "a", 0), "-o", tmp_path / "old", *TINY, "training.steps=1", "-q").code == 0
    older(tmp_path / "old", data=False, index=False)
    done = call("finetune", tunes(tmp_path / "b", 50), "--model", tmp_path / "old", "-o", tmp_path / "new")
    assert done.code == 0, done.err
    assert "Nobody knows which pieces old learned" in done.err
    card = (tmp_path / "new" / "README.md").read_text()
    assert "What `old` learned from is not known" in card
    assert "The pieces that `old` learned from were not compared" in card


def test_the_data_of_older_models_is_understood(corpora: list[Corpus], tmp_path: Path) -> None:
    """Format 1 has no fingerprints, and says nothing of a parent; its hash is the loose one."""
    parent = older(trained(tmp_path / "parent", corpora[0]))
    found = Seen.of_model(folder.open_folder(parent))
    assert found.unknown == found.unindexed == ()
    assert found.learned.generations[0].hash == STEPS
    score = corpora[0].score(corpora[0].split("train")[0])
    assert seen(parent, [score, slice_bars(score, 4, 12), tune(7000)]) == ["whole", "passages", "new"]
    child = trained(tmp_path / "child", corpora[1], parent)
    assert seen(child, [score, slice_bars(score, 4, 12), tune(7000)]) == ["whole", "passages", "new"]
    assert known(child, score)[1] == "parent"
    older_child = older(child)  # finetuned by a version that forgot the parent
    found = Seen.of_model(folder.open_folder(older_child))
    assert found.unknown == ("parent",)
    grandchild = trained(tmp_path / "grandchild", corpora[2], older_child)
    assert Seen.of_model(folder.open_folder(grandchild)).unknown == ("parent",)
    assert seen(grandchild, [corpora[1].score(corpora[1].split("train")[0]), score])[0] == "whole"


def test_hashes_of_another_kind_are_not_compared(line: list[Path], corpora: list[Corpus], tmp_path: Path) -> None:
    shutil.copytree(line[0], tmp_path / "m")
    said = json.loads((tmp_path / "m" / folder.DATA).read_text())
    said["generations"][0]["hash"] = "exact-99"
    (tmp_path / "m" / folder.DATA).write_text(json.dumps(said))
    header, arrays = read_arrays(tmp_path / "m" / folder.FINGERPRINTS, 1, TYPES)
    write_arrays(tmp_path / "m" / folder.FINGERPRINTS, {**header, "kind": "another"}, arrays, TYPES)
    folder.seal(tmp_path / "m", folder.open_folder(tmp_path / "m").about)
    found = Seen.of_model(folder.open_folder(tmp_path / "m"))
    assert found.unknown == ("first",)
    score = corpora[0].score(corpora[0].split("train")[0])
    assert seen(tmp_path / "m", [score]) == ["passages"]  # by the index


@pytest.mark.parametrize(
    "bad",
    [
        "", "[]", '{"format": 2}', '{"format": 2, "generations": []}', '{"format": 3, "generations": []}',
        '{"format": 2, "generations": [{"model": "m", "train": 1, "valid": []}]}', "[" * 100_000,
        '{"format": 2, "generations": [{"model": "m", "hash": "exact-2", "train": null, "valid": null}]}',
        '{"format": 2, "generations": [{"model": "\\u001b[2J", "hash": "exact-2", "train": ["a"], "valid": []}]}',
    ],
)  # fmt: skip
def test_damaged_data_is_one_line(line: list[Path], tmp_path: Path, bad: str) -> None:
    shutil.copytree(line[0], tmp_path / "m")
    (tmp_path / "m" / folder.DATA).write_text(bad)
    for sealed in (False, True):
        if sealed:
            folder.seal(tmp_path / "m", folder.open_folder(tmp_path / "m").about)
        for read in (Learned.of_model, Learned.of_parent):
            with pytest.raises(ModelError) as error:
                read(folder.open_folder(tmp_path / "m"))
            assert str(tmp_path / "m" / folder.DATA) in str(error.value)
            assert "\n" not in str(error.value)


def test_data_that_was_changed_is_refused_by_its_digest(line: list[Path], tmp_path: Path) -> None:
    shutil.copytree(line[0], tmp_path / "m")
    (tmp_path / "m" / folder.DATA).write_text('{"train": [], "valid": []}')
    assert "data.json is" in call("evaluate", tmp_path / "m", tunes(tmp_path / "midi", 0, 2)).error


@pytest.mark.parametrize(
    "said", ["x", [], [1], [{"model": "m"}], [{"model": "\x1b[2J", "digest": None, "pieces": 1}], {"model": "m"}]
)
def test_a_lineage_that_cannot_be_read_is_no_lineage(line: list[Path], tmp_path: Path, said: Any) -> None:
    shutil.copytree(line[1], tmp_path / "models" / "m")
    path = tmp_path / "models" / "m" / "toccata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "learned": said}))
    assert folder.open_folder(path.parent).learned == []
    assert "pieces learned" not in call("models", tmp_path / "models").out
    assert Seen.of_model(folder.open_folder(path.parent)).unknown == ()  # data.json tells


# -- merged indexes ----------------------------------------------------------------------------------------------------


def test_a_merged_index_is_that_of_all_pieces(corpora: list[Corpus]) -> None:
    indexes = [build_index(corpus) for corpus in corpora]
    merged = Index.merged([("", indexes[0]), ("b", indexes[1]), ("c", indexes[2])])
    pieces = [(c.pieces[i].path, c.score(i)) for c in corpora for i in c.split("train")]
    whole = Index.of(pieces)
    assert merged.paths == whole.paths
    assert all((merged.arrays[name] == array).all() for name, array in whole.arrays.items())
    assert merged.models == [(name, len(i.paths)) for name, i in zip(("", "b", "c"), indexes, strict=True)]
    for name, score in pieces:
        assert originality(score, merged).path == originality(score, whole).path == name


def test_music_that_is_learned_again_and_again_is_no_idiom(corpora: list[Corpus]) -> None:
    index = own = build_index(corpora[0])
    for generation in range(COMMON + 2):
        index = Index.merged([("", own), (f"m{generation}", index)])
    assert index.paths == own.paths
    assert index.models[0] == ("", len(own.paths))
    assert sum(count or 0 for _, count in index.models) == len(own.paths)
    assert originality(corpora[0].score(corpora[0].split("train")[0]), index).notes > 100


def test_what_was_learned_again_and_again_is_known_by_its_passages(corpora: list[Corpus]) -> None:
    first = Learned.of_training("m", corpora[0], None)
    many = Learned(first.generations * (COMMON + 2))
    score = corpora[0].score(corpora[0].split("train")[0])
    assert many.kinds([fingerprint(slice_bars(score, 2, 14))]) == ["passages"]


def test_models_that_do_not_fit_an_index_are_refused(line: list[Path], tmp_path: Path) -> None:
    index = Index.load(line[2] / folder.ORIGINALITY)
    for models in (
        [["", 1]],
        [["", -1], ["a", 2]],
        [[1, 2]],
        [["", len(index.paths) - 0.5], ["a", 0.5]],
        "x",
        [["", 99]],
    ):
        index.about["models"] = models
        index.save(tmp_path / "i.idx")
        with pytest.raises(ModelError, match="is damaged"):
            Index.load(tmp_path / "i.idx")


# -- the files ---------------------------------------------------------------------------------------------------------


def test_what_was_learned_comes_back_from_a_folder(line: list[Path], tmp_path: Path) -> None:
    learned = Learned.of_model(folder.open_folder(line[2]))
    learned.save(tmp_path)
    for name in (folder.DATA, folder.FINGERPRINTS):
        assert (tmp_path / name).read_bytes() == (line[2] / name).read_bytes()
    assert [g.model for g in learned.generations] == ["third", "second", "first"]
    assert [g.digest for g in learned.generations] == [None, *(folder.open_folder(p).digest for p in line[1::-1])]
    assert all(g.marks is not None and len(g.marks) == len(g.contents) > 0 for g in learned.generations)


@pytest.mark.parametrize("damage", ["short", "magic", "format", "counts", "starts", "sketch_starts", "steps", "deep"])
def test_damaged_fingerprints_are_one_line(line: list[Path], tmp_path: Path, damage: str) -> None:
    shutil.copytree(line[0], tmp_path / "m")
    path = tmp_path / "m" / folder.FINGERPRINTS
    good = path.read_bytes()
    if damage in ("starts", "sketch_starts", "steps", "counts"):
        header, arrays = read_arrays(path, 1, TYPES)
        arrays = {name: array.copy() for name, array in arrays.items()}
        if damage == "counts":
            header["generations"][0] += 1
        elif damage == "steps":
            arrays["steps"] = arrays["steps"][1:]
        else:
            arrays[damage][1] = 2**63
        write_arrays(path, header, arrays, TYPES)
    elif damage == "deep":
        path.write_bytes(good[:8] + (200_000).to_bytes(8, "little") + b"[" * 200_000)
    else:
        bad = {"short": good[:-8], "magic": b"x" + good[1:], "format": good.replace(b'"format": 1', b'"format": 9', 1)}
        path.write_bytes(bad[damage])
    folder.seal(tmp_path / "m", folder.open_folder(tmp_path / "m").about)
    with pytest.raises(ModelError) as error:
        Seen.of_model(folder.open_folder(tmp_path / "m"))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
