"""The corpus: what is kept, on which side of the split, and that neither time nor interruptions change it."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from symusic import Note, Score, Track

from grouping_reference import assign as reference_assign
from grouping_reference import related as reference_related
from toccata import api
from toccata.corpus import contents as contents_module
from toccata.corpus import groups as grouping
from toccata.corpus.columns import SPLITS, TYPES, Columns, in_order
from toccata.corpus.contents import contents_of
from toccata.corpus.groups import FEW, Held, groups_of, related, thinned
from toccata.corpus.prepare import PrepareOptions, options_of_corpus, prepare
from toccata.corpus.records import RECORD
from toccata.corpus.sides import HELD_OUT, MANY, NEW, place
from toccata.corpus.sides import assign as assign_columns
from toccata.corpus.store import CORPUS, INDEX, JOURNAL, LEFT_OUT, PIECES, Corpus, Split, shard_name
from toccata.errors import CorpusError, ToccataError
from toccata.midi import edit, read
from toccata.midi.clean import CleanOptions
from toccata.midi.facts import fingerprint
from toccata.midi.read import read_score

SHARES = PrepareOptions(valid=0.25, test=0.25)


@pytest.fixture
def music(data: Path, tmp_path: Path) -> Path:
    """A folder with fourteen pieces of Bach, some of them in a folder below."""
    paths = sorted((data / "bach" / "mutopia").rglob("*.mid"))
    small = [path for path in paths if 3_000 < path.stat().st_size < 12_000][::8][:14]
    for i, path in enumerate(small):
        target = tmp_path / "music" / ("deep/deeper" if i % 3 == 0 else "") / f"{i:02}.mid"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path / "music"


@pytest.fixture
def few(music: Path) -> Path:
    """Four of them."""
    for path in sorted(music.rglob("*.mid"))[4:]:
        path.unlink()
    return music


def made(source: Path, out: Path, options: PrepareOptions = SHARES, processes: int = 0) -> Corpus:
    return prepare(source, out, options, processes=processes)


def sides(corpus: Corpus) -> dict[str, str]:
    return {piece.content: piece.split for piece in corpus.pieces}


def records(out: Path) -> int:
    """How many files the journal knows, each as often as it was read."""
    return (out / JOURNAL).stat().st_size // RECORD.itemsize


MOVED = np.array([1, 2, 0], np.uint8)
"""From each side to another one: sides that a fresh split would not give, as come about when a folder grows."""


def move_sides(out: Path) -> dict[str, str]:
    """Put each piece on another side; by path where it is then."""
    columns = Columns.load(out / INDEX)
    split = MOVED[columns.arrays["split"]]
    arrays = {**columns.arrays, "split": split, **in_order(split, columns.arrays["notes"])}
    counts = dict(zip(SPLITS, np.bincount(split, minlength=3).tolist(), strict=True))
    Columns({**columns.header, "splits": counts}, arrays).save(out / INDEX)
    return {piece.path: piece.split for piece in Columns.load(out / INDEX)}


def assign(
    groups: Mapping[str, Sequence[str]], before: Mapping[str, Split], valid: float, test: float
) -> dict[str, Split]:
    """`toccata.corpus.sides.assign` of groups and pieces with names."""
    contents = [content for members in groups.values() for content in members]
    sides = assign_columns(
        np.repeat(np.arange(len(groups)), [len(members) for members in groups.values()]),
        np.array([place(name) for name in groups]),
        np.array([SPLITS.index(before[c]) if c in before else NEW for c in contents], np.int8),
        valid,
        test,
    )
    return {content: SPLITS[side] for content, side in zip(contents, sides.tolist(), strict=True)}


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(folder.iterdir())}


# ---- a given split


def test_folders_are_the_split(music: Path, tmp_path: Path) -> None:
    paths = sorted(music.rglob("*.mid"))
    source = tmp_path / "split"
    for number, path in enumerate(paths[:9]):
        target = source / ("train", "valid", "test")[number % 3] / ("choir" if number < 3 else "")
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target / path.name)
    shutil.copy(paths[2], source / "train" / "again.mid")  # of the test split
    options = PrepareOptions(folders=True)
    corpus = made(source, tmp_path / "corpus", options)
    assert {piece.path: piece.split for piece in corpus.pieces} == {
        path.relative_to(source).as_posix(): path.relative_to(source).parts[0]
        for path in source.rglob("*.mid")
        if path.name != "again.mid"
    }
    assert [group[-1] for group in corpus.duplicates()] == ["train/again.mid"]
    assert corpus.styles == ["choir"]
    assert options_of_corpus(corpus) == options
    (source / "valid" / "more.mid").write_bytes(paths[9].read_bytes())
    assert made(source, tmp_path / "corpus", options).about["splits"]["valid"] == 4
    shutil.copy(paths[10], source / "loose.mid")
    with pytest.raises(CorpusError, match=r"loose\.mid is below none of the folders train, valid, test"):
        made(source, tmp_path / "corpus", options)


def test_a_corpus_says_nothing_of_a_given_split_that_it_has_not(few: Path, tmp_path: Path) -> None:
    """So corpora from before there was one go on."""
    assert "folders" not in made(few, tmp_path / "corpus").about["options"]


# ---- what is kept


def test_scans_all_folders_and_knows_copies_again(music: Path, tmp_path: Path) -> None:
    original = sorted(music.glob("*.mid"))[0]
    score = read_score(original)
    edit.transpose(score, 3).dump_midi(music / "x transposed.mid")
    edit.scale_tempo(score, 1.3).dump_midi(music / "x faster.MID")
    other = Score(score.ticks_per_quarter)
    other.tempos, other.time_signatures = score.tempos, score.time_signatures
    together = Track("all", 19, False)
    for track in reversed(score.tracks):
        together.notes.extend(track.notes)
    other.tracks.append(together)
    other.dump_midi(music / "x one track.mid")
    (music / "broken.mid").write_bytes(b"no music at all")
    (music / "notes.txt").write_text("not MIDI")

    corpus = made(music, tmp_path / "corpus")

    about = corpus.about
    assert about["files"] == len([p for p in music.rglob("*") if p.suffix.lower() == ".mid"])
    assert [e["path"] for e in corpus.rejected()] == ["broken.mid"]
    group = next(g for g in corpus.duplicates() if original.name in g)
    assert (about["rejected"], about["duplicates"]) == (1, sum(len(g) - 1 for g in corpus.duplicates()))
    assert {"x transposed.mid", "x faster.MID", "x one track.mid"} <= set(group)
    assert len({p.content for p in corpus.pieces}) == len(corpus.pieces) == about["pieces"]
    assert any(p.path.startswith("deep/deeper/") and p.style == "deep" for p in corpus.pieces)
    for i, piece in enumerate(corpus.pieces):
        assert corpus.score(i).note_num() == piece.notes
        assert fingerprint(corpus.score(i)).content == piece.content


@pytest.mark.parametrize("share", [0.4, 0.7])
def test_a_part_of_a_piece_falls_on_its_side(data: Path, tmp_path: Path, share: float) -> None:
    """Both of a piece small enough to be known by all its passages and of a large one."""
    source = tmp_path / "music"
    source.mkdir()
    paths = sorted((data / "bach" / "mutopia").rglob("*.mid"))
    for path in [p for p in paths if 5_000 < p.stat().st_size < 9_000][:4] + [
        p for p in paths if p.stat().st_size > 25_000
    ][:4]:
        score = read_score(path)
        if score.note_num() < 200:
            continue
        shutil.copy(path, source / path.name)
        middle = edit.slice_ticks(score, int(score.end() * 0.1), int(score.end() * (0.1 + share)))
        edit.transpose(middle, -2).dump_midi(source / f"part of {path.name}")
    corpus = made(source, tmp_path / "corpus")
    by_path = {p.path: p for p in corpus.pieces}
    parts = [p for p in by_path if p.startswith("part of ")]
    assert len(parts) >= 4
    for part in parts:
        whole = by_path[part.removeprefix("part of ")]
        assert (by_path[part].group, by_path[part].split) == (whole.group, whole.split), part


@pytest.mark.parametrize("notes", [600, 1500, 4000, 20_000])
def test_a_quarter_of_the_passages_tells_relations_as_well(notes: int) -> None:
    rng = np.random.default_rng(notes)
    whole = np.unique(rng.integers(0, 2**63, notes, dtype=np.uint64))
    kept = [p if len(p) <= FEW else thinned(p) for p in (whole, whole[100:160], whole[: notes // 2])]
    assert len(set(related(kept))) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' file names are text")
def test_names_that_are_no_text(music: Path, tmp_path: Path) -> None:
    paths = sorted(music.glob("*.mid"))
    paths[0].rename(music / os.fsdecode(b"caf\xe9.mid"))
    paths[1].rename(music / "two\u2028lines\x85\n.mid")
    (music / os.fsdecode(b"caf\xe8.mid")).write_bytes(b"nothing")
    corpus = made(music, tmp_path / "corpus")
    assert {"caf\\xe9.mid", "two\u2028lines\x85\n.mid"} <= {p.path for p in Corpus(corpus.folder).pieces}
    assert [e["path"] for e in corpus.rejected()] == ["caf\\xe8.mid"]
    before = files(corpus.folder)
    made(music, corpus.folder)
    assert files(corpus.folder) == before


def test_one_bass_line_and_two_beats_are_two_pieces(tmp_path: Path) -> None:
    """Both are kept, on one side of the split; a copy of one of them in another key is not."""
    source = tmp_path / "music"
    source.mkdir()
    for name, step, key in (("rock", 240, 0), ("bossa", 160, 0), ("rock in F", 240, 5)):
        score = Score(480)
        bass, drums = Track("bass", 33, False), Track("drums", 0, True)
        bass.notes.extend([Note(480 * i, 400, 40 + key + i * i % 11, 80) for i in range(64)])
        drums.notes.extend([Note(i, 60, 36 + i // step % 3, 90) for i in range(0, 64 * 480, step)])
        score.tracks.extend([bass, drums])
        score.dump_midi(source / f"{name}.mid")
    corpus = made(source, tmp_path / "corpus")
    assert [piece.path for piece in corpus.pieces] == ["bossa.mid", "rock in F.mid"]
    assert corpus.duplicates() == [["rock in F.mid", "rock.mid"]]
    assert len({piece.content for piece in corpus.pieces}) == 2
    assert len({(piece.steps, piece.group, piece.split) for piece in corpus.pieces}) == 1


def test_moved_and_thinned_copies_stay_on_one_side(data: Path, tmp_path: Path) -> None:
    """Onsets up to a 32nd off, a fifth of the notes missing, both: none has a whole passage left."""
    source = tmp_path / "music"
    source.mkdir()
    rng = np.random.default_rng(1)
    paths = [
        path for kind in ("bach", "songs", "piano", "choir") for path in sorted((data / kind).rglob("*.mid"))[::60]
    ]
    for path in [path for path in paths if 3_000 < path.stat().st_size < 30_000][:10]:
        score = read_score(path)
        shutil.copy(path, source / path.name)
        for kind, moved, missing in (("jittered", 1 / 8, 0.0), ("thinned", 0.0, 0.2), ("both", 1 / 24, 0.2)):
            copy = score.copy()
            for track in copy.tracks:
                notes = [note for note in track.notes if rng.random() >= missing]
                for note in notes:
                    note.time = max(0, note.time + round(rng.uniform(-moved, moved) * score.ticks_per_quarter))
                track.notes = notes
            copy.dump_midi(source / f"{kind} {path.name}")
    corpus = made(source, tmp_path / "corpus")
    groups: dict[str, set[str]] = {}
    for piece in corpus.pieces:
        groups.setdefault(
            piece.path.removeprefix("jittered ").removeprefix("thinned ").removeprefix("both "), set()
        ).add(piece.group)
    assert len(groups) >= 8
    assert all(len(names) == 1 for names in groups.values())
    assert len({name for names in groups.values() for name in names}) == len(groups)


# ---- the split


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=60),
    st.sampled_from([(0.08, 0.08), (0.1, 0.05), (0.2, 0.2), (0.08, 0.0)]),
    st.integers(0, 99),
)
def test_held_out_sides_are_large_enough(sizes: list[int], shares: tuple[float, float], seed: int) -> None:
    groups = {f"{seed}-{i}": [f"{seed}-{i}-{k}" for k in range(size)] for i, size in enumerate(sizes)}
    found = assign(groups, {}, *shares)
    count = {side: sum(side == s for s in found.values()) for side in ("train", "valid", "test")}
    total = len(found)
    assert count["train"] >= max(sizes) or len(sizes) > 1  # a group that is most of the music is learned from
    assert count["train"] >= total * (1 - sum(shares)) / 3
    for side, share in zip(("valid", "test"), shares, strict=True):
        if not share:
            assert count[side] == 0
        elif sizes.count(1) * 2 >= total >= MANY:  # there are small groups enough to make up any number
            assert count[side] >= max(share * total - 1e-6, HELD_OUT)
        elif len(sizes) >= 3 and total >= MANY and max(sizes) * 3 <= total:
            assert count[side] > 0


@pytest.mark.parametrize("pieces", [3, 10, 29, 30, 60, 200])
def test_single_pieces_fill_both_sides(pieces: int) -> None:
    for trial in range(20):
        names = [f"{trial}/{i}" for i in range(pieces)]
        found = list(assign({name: [name] for name in names}, {}, 0.08, 0.08).values())
        for side in ("valid", "test"):
            assert found.count(side) >= max(0.08 * pieces, HELD_OUT if pieces >= MANY else 1)
        assert found.count("train") >= max(1, pieces // 2)


def test_a_sample_is_drawn_from_all(music: Path, tmp_path: Path) -> None:
    corpus = made(music, tmp_path / "corpus")
    numbers = corpus.split("train")
    assert corpus.sample("train", len(numbers)) == numbers
    drawn = [corpus.sample("train", 3, seed) for seed in range(20)]
    assert all(sorted(set(some)) == some and set(some) <= set(numbers) and len(some) == 3 for some in drawn)
    assert {number for some in drawn for number in some} == set(numbers)
    assert corpus.sample("train", 3, 7) == drawn[7]
    later = sorted(music.rglob("*.mid"))
    for path in later:
        path.rename(path.with_name(f"z{99 - int(path.stem)}.mid"))
    renamed = made(music, tmp_path / "renamed")
    if sides(renamed) == sides(corpus):
        assert {renamed.pieces[i].content for i in renamed.sample("train", 3, 7)} == {
            corpus.pieces[i].content for i in drawn[7]
        }


def test_adding_files_moves_nothing(music: Path, tmp_path: Path) -> None:
    later = sorted(music.rglob("*.mid"))[::2]
    aside = tmp_path / "later"
    aside.mkdir()
    for path in later:
        shutil.move(path, aside / path.name)
    before = sides(made(music, tmp_path / "corpus"))
    assert set(before.values()) == {"train", "valid", "test"}
    for path in sorted(aside.iterdir()):
        shutil.move(path, music / f"a{path.name}")
        corpus = made(music, tmp_path / "corpus")
        now = sides(corpus)
        assert {c: now[c] for c in before} == before
        before = now


def test_a_kill_between_the_two_index_files_moves_nothing(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    before = made(music, out)
    move_sides(out)
    (out / CORPUS).unlink()
    after = made(music, out)
    assert all(sides(after)[p.content] != p.split for p in before.pieces)


_WORDS = st.text("abcdef", min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(_WORDS, min_size=1, max_size=4, unique=True), min_size=1, max_size=20),
    st.dictionaries(_WORDS, st.sampled_from(["train", "valid", "test"]), max_size=10),
    st.floats(0, 0.4),
    st.floats(0, 0.4),
)
def test_assign(lists: list[list[str]], before: dict[str, Split], valid: float, test: float) -> None:
    taken: set[str] = set()
    groups: dict[str, Sequence[str]] = {}
    for members in lists:
        own = [m for m in members if m not in taken]
        taken |= set(own)
        if own:
            groups[min(own)] = own
    found = assign(groups, before, valid, test)
    assert set(found) == taken
    for content, side in found.items():
        assert before.get(content, side) == side  # nothing moves
    for members in groups.values():
        fresh = {found[m] for m in members if m not in before}
        assert len(fresh) <= 1  # a group stays together, as far as it is new
        held = {before[m] for m in members if m in before} - {"train"}
        assert not held or not fresh or "train" not in fresh  # nothing related to what is held out is trained on
    if not before:
        assert assign(dict(reversed(groups.items())), {}, valid, test) == found
        assert "train" in found.values()
        if len(groups) >= 3 and test > 0:
            assert "test" in found.values()
    assert assign(groups, found, valid, test) == found
    assert found == reference_assign(groups, before, valid, test)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 40), max_size=12, unique=True), max_size=12), st.randoms(use_true_random=False))
def test_related_does_not_depend_on_order(lists: list[list[int]], random: object) -> None:
    passages = [np.array(sorted(p), np.uint64) for p in lists]
    roots = related(passages)
    order = list(range(len(passages)))
    random.shuffle(order)  # type: ignore[attr-defined]
    again = related([passages[i] for i in order])

    def partition(found: list[int], names: list[int]) -> set[frozenset[int]]:
        return {frozenset(n for n, r in zip(names, found, strict=True) if r == root) for root in found}

    assert partition(roots, list(range(len(roots)))) == partition(again, order)
    assert all(roots[root] == root <= i for i, root in enumerate(roots))


def near_copies(rng: np.random.Generator, originals: int, copies: int) -> tuple[list[Any], list[Any], list[str]]:
    """Passages, sketches and steps of random pieces, of which some share some with others, or very many."""
    passages, sketches, steps = [], [], []
    common = rng.integers(0, 2**33, 3, dtype=np.uint64)
    for number in range(originals):
        own = rng.integers(0, 2**64, int(rng.integers(0, 90)), dtype=np.uint64)
        constellations = np.concatenate([rng.integers(0, 2 ** int(rng.integers(28, 34)), 60, dtype=np.uint64), common])
        for copy in range(int(rng.integers(1, copies + 1))):
            some = own[rng.random(len(own)) < (1.0, 0.7, 0.3, 0.1)[copy % 4]]
            passages.append(np.unique(thinned(some) if rng.random() < 0.2 else some))
            kept = np.unique(constellations[rng.random(len(constellations)) < (1.0, 0.6, 0.3)[copy % 3]])
            at = (kept % np.uint64(400)) + np.uint64(int(rng.integers(0, 50)))
            sketches.append(kept << np.uint64(31) | at << np.uint64(7) | np.uint64(60))
            steps.append(str(number) if rng.random() < 0.1 else f"{number} {copy}")
    return passages, sketches, steps


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 30), st.integers(1, 12))
def test_related_is_what_all_pairs_at_once_say(seed: int, originals: int, copies: int) -> None:
    marks = near_copies(np.random.default_rng(seed), originals, copies)
    assert related(*marks) == reference_related(*marks)
    assert related(marks[0]) == reference_related(marks[0])


def test_related_says_the_same_slice_by_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the slices are, in files as in memory; and nothing is left of the files."""
    monkeypatch.setattr("toccata.corpus.buckets._BUFFER", 500)
    monkeypatch.setattr(grouping, "_PIECES", 16)
    for seed in range(3):
        passages, sketches, steps = near_copies(np.random.default_rng(seed), 80, 12)
        whole = reference_related(passages, sketches, steps)
        assert len(set(whole)) < len(whole)
        numbers = np.unique(steps, return_inverse=True)[1]
        for size in (100, 5000):
            assert groups_of(Held(passages, sketches), numbers, tmp_path, size).tolist() == whole
    assert not list(tmp_path.iterdir())


# ---- interrupted, unchanged, changed

_KILLED = """
import os, signal, sys
from pathlib import Path
from toccata.corpus.prepare import PrepareOptions, prepare
def progress(done, total):
    if done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
options = PrepareOptions(valid=0.25, test=0.25)
prepare(Path(sys.argv[1]), Path(sys.argv[2]), options, progress=progress, processes=int(sys.argv[4]))
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize(("after", "processes"), [(1, 0), (9, 0), (4, 1)])
def test_killed_and_run_again(music: Path, tmp_path: Path, after: int, processes: int) -> None:
    whole = made(music, tmp_path / "whole")
    out = tmp_path / "corpus"
    command = [sys.executable, "-c", _KILLED, str(music), str(out), str(after), str(processes)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not (out / CORPUS).exists()
    with pytest.raises(CorpusError, match="not a finished corpus"):
        Corpus(out)
    with (out / JOURNAL).open("ab") as journal:  # and torn besides
        journal.write(b"half a record")
    with (out / shard_name(0)).open("ab") as shard:
        shard.write(b"half a piece")
    corpus = made(music, out)
    assert corpus.digest == whole.digest
    assert (out / CORPUS).read_bytes() == (tmp_path / "whole" / CORPUS).read_bytes()
    assert [corpus.midi(i) for i in range(len(corpus.pieces))] == [whole.midi(i) for i in range(len(whole.pieces))]
    assert (out / JOURNAL).stat().st_size == records(out) * RECORD.itemsize


@pytest.mark.parametrize("torn", ["short", "gone"])
def test_bytes_that_were_lost_are_read_again(music: Path, tmp_path: Path, torn: str) -> None:
    """As a power cut, or a tidy user, may leave it."""
    out = tmp_path / "corpus"
    before = made(music, out)
    shard = out / shard_name(0)
    if torn == "short":
        os.truncate(shard, shard.stat().st_size * 2 // 3)
    else:
        shard.unlink()
    after = made(music, out)
    assert after.digest == before.digest
    assert [after.midi(i) for i in range(len(after.pieces))] == [before.midi(i) for i in range(len(before.pieces))]


def test_the_number_of_workers_changes_nothing(music: Path, tmp_path: Path) -> None:
    assert made(music, tmp_path / "two", processes=2).digest == made(music, tmp_path / "none").digest


def test_unchanged_it_does_nothing(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    made(music, out)
    before = files(out)
    for path in music.rglob("*.mid"):  # whoever reads one of these now will notice
        about = path.stat()
        path.write_bytes(bytes(about.st_size))
        os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    made(music, out)
    assert files(out) == before


@pytest.mark.parametrize(
    "error",
    [PermissionError(errno.EACCES, "Permission denied"), OSError(errno.EIO, "Input/output error"), MemoryError()],
)
def test_a_file_that_could_not_be_read_is_tried_again(
    error: Exception, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its size nor its time says that it can be read now."""
    closed = sorted(few.rglob("*.mid"))[0]
    real = read.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path != closed:
            return real(path)
        if isinstance(error, MemoryError):
            raise error
        with monkeypatch.context() as patch:
            patch.setattr("os.open", refused)
            return real(path)

    def refused(*_: object, **__: object) -> int:
        raise error

    out = tmp_path / "corpus"
    with monkeypatch.context() as patch:
        patch.setattr(read, "read_bytes", read_bytes)
        first = made(few, out)
        before = files(out)
        assert made(few, out).digest == first.digest, "tried again, and as before"
    (rejected,) = first.rejected()
    assert rejected["path"] == closed.relative_to(few).as_posix()
    assert prepare(few, out, SHARES, processes=0, again=False).digest == first.digest, "a run goes on with its music"
    assert files(out)["corpus.json"] == before["corpus.json"]
    whole = made(few, out)
    assert (list(whole.rejected()), whole.about["pieces"]) == ([], first.about["pieces"] + 1)
    before = files(out)
    made(few, out)
    assert files(out) == before


def test_the_progress_of_reading_is_that_of_the_files(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is called as each is read, not when all are."""
    done: list[int] = []
    seen: list[int] = []

    def read_one_by_one(paths: Sequence[Path], work: Any) -> Any:
        for path in reversed(paths):
            yield path, work(path)
            seen.append(len(done))

    monkeypatch.setattr(contents_module, "map_files", read_one_by_one)
    found = list(contents_of(few, CleanOptions(), lambda count, _: done.append(count)))
    assert (done, seen) == ([1, 2, 3, 4], [1, 2, 3, 4])
    assert [path for path, _ in found] == sorted(path for path, _ in found)


def test_changed_and_removed_files(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    first = made(music, out)
    paths = sorted(music.rglob("*.mid"))
    paths[0].unlink()
    shutil.copy(paths[2], paths[1])
    os.utime(paths[1], ns=(1, 1))
    second = made(music, out)
    names = {p.relative_to(music).as_posix() for p in paths}
    assert {p.path for p in second.pieces} | {x for g in second.duplicates() for x in g} <= names
    assert second.about["files"] == len(paths) - 1
    assert second.digest != first.digest
    assert sides(second).items() <= sides(first).items()
    fresh = made(music, tmp_path / "fresh")
    assert [(p.path, p.content) for p in fresh.pieces] == [(p.path, p.content) for p in second.pieces]


# ---- two at once, and damage


def contents(corpus: Corpus) -> list[bytes]:
    return [corpus.midi(i) for i in range(len(corpus.pieces))]


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_two_at_once(music: Path, tmp_path: Path) -> None:
    """The second one is told who is at work, and what the first one does is as if it had been alone."""
    out = tmp_path / "corpus"
    code = _KILLED.replace("os.kill(os.getpid(), signal.SIGKILL)", "print('half', flush=True); sys.stdin.read()")
    first = subprocess.Popen(
        [sys.executable, "-c", code, str(music), str(out), "7", "0"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert first.stdout is not None
    assert first.stdout.readline() == "half\n"
    with pytest.raises(ToccataError, match=f"is being written by process {first.pid} ") as error:
        made(music, out)
    assert "\n" not in str(error.value)
    first.communicate("")
    assert first.returncode == 0
    whole = made(music, tmp_path / "whole")
    corpus = Corpus(out)
    assert (corpus.digest, contents(corpus)) == (whole.digest, contents(whole))
    assert not list(out.glob(".*"))


@pytest.mark.parametrize("damage", ["a bit", "other bytes", "zeros", "a journal of two"])
def test_damaged_pieces_are_refused_and_made_anew(few: Path, tmp_path: Path, damage: str) -> None:
    out = tmp_path / "corpus"
    before = made(few, out)
    whole = contents(before)
    piece = before.pieces[2]
    shard = out / shard_name(piece.shard)
    data = bytearray(shard.read_bytes())
    if damage == "a bit":
        data[piece.offset + piece.length // 2] ^= 1
    elif damage == "zeros":
        data[piece.offset : piece.offset + piece.length] = bytes(piece.length)
    else:  # what two runs at once left: another piece's bytes where this one's should be
        other = before.midi(3)
        data[piece.offset : piece.offset + min(piece.length, len(other))] = other[: piece.length]
    shard.write_bytes(data)
    if damage == "a journal of two":
        data = (out / JOURNAL).read_bytes()
        lines = [data[i : i + RECORD.itemsize] for i in range(0, len(data), RECORD.itemsize)]
        (out / JOURNAL).write_bytes(b"".join([*lines[:3], lines[3][:40], *lines[4:], *lines[:2]]))
    corpus = Corpus(out)
    with pytest.raises(CorpusError, match=f"{piece.path} is damaged in .*prepare the corpus again") as error:
        corpus.verify()
    assert "\n" not in str(error.value)
    with pytest.raises(CorpusError, match="is damaged"):
        api.train(out, tmp_path / "model")
    again = made(few, out)
    assert (again.digest, contents(again.verify())) == (before.digest, whole)


def test_an_index_of_another_run_is_noticed(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    made(music, out)
    index = (out / INDEX).read_bytes()
    flipped = bytearray(index)
    flipped[-1] ^= 1
    for damaged in (bytes(flipped), index[:-1], index + b"x", b"", index[:100]):
        (out / INDEX).write_bytes(damaged)
        with pytest.raises(CorpusError, match=r"index\.bin is damaged") as error:
            Corpus(out)
        assert "\n" not in str(error.value)
    (out / INDEX).write_bytes(index)
    Corpus(out)
    (music / "00.mid").unlink(missing_ok=True)
    (music / "01.mid").unlink()
    made(music, out)
    (out / INDEX).write_bytes(index)
    with pytest.raises(CorpusError, match=r"not the index of corpus\.json"):
        Corpus(out)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.data())
def test_an_index_that_points_nowhere_is_refused(drawn: st.DataObject, tmp_path: Path) -> None:
    """Also one whose checksum is right."""
    whole = Columns(
        {"digest": "x", "splits": {"train": 2, "valid": 1, "test": 0}},
        {
            **{name: np.ones(3, types[0]) for name, types in TYPES.items()},
            "split": np.array([0, 1, 0], "|u1"),
            "order": np.array([0, 2, 1], "<u4"),
            "note_ends": np.array([1, 2, 1], "<u8"),
            "midi": np.zeros(48, "|u1"),
            "path_starts": np.array([0, 1, 2, 3], "<u8"),
            "style_starts": np.array([0, 3], "<u8"),
        },
    )
    path = tmp_path / INDEX
    whole.save(path)
    assert [piece.split for piece in Columns.load(path)] == ["train", "valid", "train"]
    name = drawn.draw(
        st.sampled_from(["split", "style", "order", "note_ends", "path_starts", "style_starts", "length"])
    )
    changed = whole.arrays[name].copy()
    changed[drawn.draw(st.integers(0, len(changed) - 1))] = np.iinfo(changed.dtype).max
    Columns(whole.header, {**whole.arrays, name: changed}).save(path)
    with pytest.raises(CorpusError, match="is damaged"):
        Columns.load(path)
    short = drawn.draw(st.sampled_from(sorted(TYPES)))
    Columns(whole.header, {**whole.arrays, short: whole.arrays[short][:-1]}).save(path)
    with pytest.raises(CorpusError, match="is damaged"):
        Columns.load(path)


def test_a_worker_gets_the_folder_alone(music: Path, tmp_path: Path) -> None:
    """What is sent to it does not grow with the corpus, and it reads the same."""
    few, many = made(music / "deep", tmp_path / "few"), made(music, tmp_path / "many")
    sent = [len(pickle.dumps(corpus)) for corpus in (few, many)]
    assert abs(sent[0] - sent[1]) < 50
    there = pickle.loads(pickle.dumps(many))
    assert contents(there) == contents(many)
    assert list(there.pieces) == list(many.pieces)
    for name in SPLITS:
        assert (
            there.numbers(name).tolist()
            == many.split(name)
            == [i for i, p in enumerate(many.pieces) if p.split == name]
        )
        assert there.note_ends(name).tolist() == np.cumsum([many.pieces[i].notes for i in many.split(name)]).tolist()
    (tmp_path / "many" / INDEX).write_bytes((tmp_path / "few" / INDEX).read_bytes())
    with pytest.raises(CorpusError, match="not the index"):
        pickle.loads(pickle.dumps(many))


# ---- what is written twice


def shards(out: Path) -> int:
    return sum(path.stat().st_size for path in out.glob("shard-*.bin"))


def touch(folder: Path, now: int) -> None:
    for path in folder.rglob("*.mid"):
        os.utime(path, ns=(now, now))


def test_touched_files_take_no_room(few: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    before = made(few, out)
    size = shards(out)
    for now in range(3):
        touch(few, now)
        assert made(few, out).digest == before.digest
    assert shards(out) == size
    assert records(out) <= 2 * before.about["files"]


def changed(music: Path, semitones: int) -> None:
    for path in sorted(music.rglob("*.mid")):
        edit.transpose(read_score(path), semitones).dump_midi(path)


def test_shards_are_compacted(few: Path, tmp_path: Path) -> None:
    """However often the files change, at most half as much as is needed is not."""
    out = tmp_path / "corpus"
    first = made(few, out)
    for semitones in (1, -1, 2, -2):
        changed(few, semitones)
        corpus = made(few, out).verify()
        assert shards(out) <= 1.5 * sum(piece.length for piece in corpus.pieces) + 1
    fresh = made(few, tmp_path / "fresh")
    assert contents(corpus) == contents(fresh)
    assert sides(corpus).items() <= sides(first).items()
    assert records(out) == corpus.about["files"]


_COMPACTED = """
import os, signal, sys
from pathlib import Path
from toccata.corpus import columns, finish, journal, prepare
at, calls = int(sys.argv[3]), 0
def killed(function):
    def run(*args, **kwargs):
        global calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return run
journal._finish = killed(journal._finish)
columns.Columns.save = killed(columns.Columns.save)
finish.write_json = killed(finish.write_json)
journal.Journal.remove_unused = killed(journal.Journal.remove_unused)
prepare.write_prepared = killed(prepare.write_prepared)
options = prepare.PrepareOptions(valid=0.25, test=0.25)
prepare.prepare(Path(sys.argv[1]), Path(sys.argv[2]), options, processes=0)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_killed_while_it_is_compacted(few: Path, tmp_path: Path) -> None:
    """Before the shard, the marks, the journal, the index are whole, before the old ones go, and at the very end."""
    out = tmp_path / "corpus"
    made(few, out)
    changed(few, 1)
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    whole = made(few, copy)
    for at in range(1, 8):
        folder = tmp_path / str(at)
        shutil.copytree(out, folder)
        command = [sys.executable, "-c", _COMPACTED, str(few), str(folder), str(at)]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL, at
        if (folder / CORPUS).exists():
            Corpus(folder).verify()  # whatever it is of, its bytes are there
        again = made(few, folder).verify()
        assert (again.digest, contents(again)) == (whole.digest, contents(whole))
        assert shards(folder) == shards(copy)
        assert len(list(folder.iterdir())) == len(list(copy.iterdir()))  # nothing is left over


# ---- an earlier format


def as_earlier(out: Path, form: int) -> None:
    """Make a corpus what the version of format 3 would have written, or that of format 2, as far as anything reads it.

    In format 2, content was what steps are now, and all else lacks.
    """
    for name in (CORPUS, "source.json"):
        said = json.loads((out / name).read_text())
        (out / name).write_text(json.dumps({**said, "format": form}, indent=2) + "\n")
    lines = [asdict(piece) for piece in Columns.load(out / INDEX)]
    if form == 2:
        lines = [{**line, "content": line["steps"]} for line in lines]
        lines = [{name: said for name, said in line.items() if name not in ("steps", "midi")} for line in lines]
    (out / PIECES).write_text("".join(json.dumps(line) + "\n" for line in lines))
    (out / "journal.jsonl").write_text('{"path": "a line a file"}\n')
    for path in (out / INDEX, out / LEFT_OUT, out / JOURNAL, out / "prepared.json", out / "marks-0000.bin"):
        path.unlink()


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize(("form", "killed"), [(2, 0), (2, 3), (3, 0), (3, 3)])
def test_an_earlier_format_is_brought_up_to_date(few: Path, tmp_path: Path, form: int, killed: int) -> None:
    """And no piece changes sides, also where it was interrupted meanwhile."""
    out = tmp_path / "corpus"
    made(few, out)
    names = {path.name for path in out.iterdir()}
    sides_then = move_sides(out)
    as_earlier(out, form)
    with pytest.raises(
        CorpusError, match=rf"format {form}.*`toccata prepare MIDI_DIR .*` brings it up to date"
    ) as error:
        Corpus(out)
    assert "\n" not in str(error.value)
    if killed:
        command = [sys.executable, "-c", _KILLED, str(few), str(out), str(killed), "0"]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    corpus = made(few, out).verify()
    assert {piece.path: piece.split for piece in corpus.pieces} == sides_then
    assert {path.name for path in out.iterdir()} == names  # nothing is left of the earlier one
    other = PrepareOptions(CleanOptions(drop_drums=True))
    as_earlier(out, form)
    with pytest.raises(CorpusError, match="choose another folder"):  # another corpus is not brought up to date
        made(few, out, other)


# ---- what cannot be used


def test_refusals(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    made(music, out)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    other = PrepareOptions(CleanOptions(drop_drums=True))
    empty = tmp_path / "empty"
    empty.mkdir()
    useless = tmp_path / "useless"
    useless.mkdir()
    (useless / "a.mid").write_bytes(b"")
    cases = [(music, out, other), (empty, out, SHARES), (music, foreign, SHARES), (empty, tmp_path / "o", SHARES),
             (useless, tmp_path / "u", SHARES)]  # fmt: skip
    for source, where, options in cases:
        with pytest.raises(Exception, match=r"\S") as error:
            made(source, where, options)
        assert type(error.value).__module__ == "toccata.errors"
        assert "\n" not in str(error.value)
    assert (foreign / "thesis.txt").read_text() == "mine"
    assert [p.name for p in foreign.iterdir()] == ["thesis.txt"]


def test_an_unfinished_corpus_is_replaced(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    for wrong in (CleanOptions(min_bars=9999), CleanOptions(min_notes=99_999)):
        with pytest.raises(CorpusError, match="can be used"):
            made(music, out, PrepareOptions(wrong))
    (out / shard_name(0)).write_bytes(b"what an interruption left")
    (out / shard_name(1)).write_bytes(b"and some more")
    (out / "mine.txt").write_text("mine")
    assert made(music, out).digest == made(music, tmp_path / "fresh").digest
    assert (out / "mine.txt").read_text() == "mine"
    assert not (out / shard_name(1)).exists()
    before = files(out)
    with pytest.raises(CorpusError, match="other cleaning options"):  # a finished one stays
        made(music, out, PrepareOptions(CleanOptions(min_bars=2)))
    (out / CORPUS).unlink()  # finished once, and interrupted while its index was written anew
    with pytest.raises(CorpusError, match="other cleaning options"):
        made(music, out, PrepareOptions(CleanOptions(min_bars=2)))
    assert files(out).items() <= before.items()


def test_a_file_of_the_same_name_is_no_corpus(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    for text in ('{"source": "of the song"}', "[]", "no JSON"):
        (out / "source.json").write_text(text)
        (out / JOURNAL).write_text("my diary")
        with pytest.raises(CorpusError, match="choose another folder"):
            made(music, out)
        assert {p.name: p.read_text() for p in out.iterdir()} == {"source.json": text, JOURNAL: "my diary"}


def test_a_corpus_says_what_it_was_made_with(music: Path, tmp_path: Path) -> None:
    options = PrepareOptions(CleanOptions(min_bars=2, programs=tuple(range(100))), valid=0.1, test=0.3)
    corpus = made(music, tmp_path / "corpus", options)
    assert options_of_corpus(Corpus(corpus.folder)) == options
    for damage in ({}, {"clean": {"colour": 3}, "valid": 0.1, "test": 0.1}, {"clean": {}}, {"clean": 3}):
        corpus.about["options"] = damage
        with pytest.raises(CorpusError, match="does not say how it was cleaned"):
            options_of_corpus(corpus)


def test_a_damaged_index_is_one_line(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    made(music, out)
    (out / INDEX).write_text('{"path": "x"}\n')
    with pytest.raises(CorpusError) as error:
        Corpus(out)
    assert "\n" not in str(error.value)
    with pytest.raises(CorpusError, match="delete"):
        made(music, out)
    as_earlier(made(music, tmp_path / "another").folder, 3)
    (tmp_path / "another" / PIECES).write_text('{"path": "x"}\n')
    with pytest.raises(CorpusError, match=r"pieces\.jsonl is damaged: delete"):
        made(music, tmp_path / "another")


def test_left_by_a_kill_at_the_very_start(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    out.mkdir()
    (out / ".source-abc123.json").write_text("")
    assert made(music, out).pieces
