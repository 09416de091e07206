"""The command line: every command on real, small input; what it prints, writes and leaves alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from symusic import Note, Score, Tempo, TimeSignature, Track

import toccata
from cli_support import TINY, call, some_bach, tiny
from toccata.cli.main import _COMMANDS
from toccata.piece import read_origin


@pytest.fixture
def model(data: Path) -> Path:
    return tiny(data)[0]


@pytest.fixture
def midi(data: Path) -> Path:
    return tiny(data)[1]


@pytest.fixture
def song(midi: Path) -> Path:
    return sorted(midi.iterdir())[0]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test in an empty folder of its own, without the user's settings."""
    for name in list(os.environ):
        if name.startswith("TOCCATA_") and name != "TOCCATA_DATA":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


# -- help and usage --------------------------------------------------------------------------------


def test_help_fits_a_screen_and_ends_in_three_examples() -> None:
    for args in [[], *([name] for name in _COMMANDS)]:
        done = call(*args, "--help")
        assert done.code == 0
        lines = done.out.rstrip().splitlines()
        assert len(lines) <= 50, args
        examples = lines[lines.index("Examples:") + 1 :]
        examples = [line.strip() for line in examples if line.startswith("  ")]
        assert len(examples) == 3, args
        assert all(line.split()[1] in _COMMANDS for line in examples)


def test_every_example_uses_options_that_exist() -> None:
    for name in _COMMANDS:
        for line in re.findall(r"^  (toccata .*)$", call(name, "--help").out.partition("Examples:")[2], re.MULTILINE):
            command = line.split()[1]
            known = call(command, "--help").out
            for option in re.findall(r"(?<=\s)--?[a-z][a-z-]*", line):
                assert option in known, line


@pytest.mark.parametrize("args", [["--help"], ["generate", "--help"], ["train", "--help"], ["--version"]])
def test_help_answers_at_once(args: list[str]) -> None:
    """Loading nothing of what makes the other commands wait."""
    heavy = ("numpy", "symusic", "onnxruntime", "torch", "rich.progress", "toccata.api")
    found = f"print(*(n for n in {heavy} if n in sys.modules), file=sys.stderr)"
    code = f"import sys, atexit\natexit.register(lambda: {found})\nfrom toccata.cli.main import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.split() == []


def test_version() -> None:
    assert call("--version").out == f"toccata {toccata.__version__}\n"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["generat"], "do you mean generate?"),
        (["nonsense-of-a-name"], "toccata --help"),
        (["generate", "--nope"], "--nope"),
        (["generate", "--bars", "many"], "many"),
        (["generate", "--meter", "3/5"], "3/4"),
        (["generate", "--program", "violn"], "Violin"),
        (["train", "somewhere", "nosetting"], "section.key=value"),
        (["check", "somewhere", "--report", "x.pdf"], ".html"),
        (["inspect", "x.mid", "--bars", "4-2"], "1-4"),
        (["render", "x.mid"], "--output"),
        (["dataset", "mozart", "x"], "bach"),
        (["vary", "song.mid"], "Choose from: rhythm, melody, harmony, contour"),
    ],
)
def test_wrong_usage_is_one_line_and_two(args: list[str], says: str) -> None:
    done = call(*args)
    assert done.code == 2
    assert done.out == ""
    assert says in done.error
    assert done.error.strip().count("\n") == 0
    result = call(*args, "--json")
    assert result.code == 2
    assert result.json["error"]["kind"] == "usage"


# -- generate --------------------------------------------------------------------------------------


def test_generate_json(model: Path, here: Path) -> None:
    done = call("generate", "--model", model, "-n", 2, "--bars", 2, "--seed", 5, "-o", "out", "--json")
    assert done.code == 0, done.err
    value = done.json
    assert [p["seed"] for p in value["pieces"]] == [5, 6]
    for piece in value["pieces"]:
        assert set(piece) >= {
            "path", "seed", "bars", "seconds", "notes", "tokens", "nats_per_note", "model", "audio", "plot",
        }  # fmt: skip
        assert piece["bars"] == 2
        assert piece["notes"] > 0
        assert piece["model"] == "tiny"
        origin = read_origin((here / piece["path"]).read_bytes())
        assert origin is not None
        assert origin["seed"] == piece["seed"]
    assert value["tokens_per_second"] > 0


def test_same_seed_same_music(model: Path, here: Path) -> None:
    assert call("generate", "--model", model, "-n", 3, "--bars", 2, "--seed", 1, "-o", "a", "--quiet").code == 0
    assert call("generate", "--model", model, "--bars", 2, "--seed", 2, "-o", "b.mid", "--quiet").code == 0
    assert (here / "a" / "tiny-2.mid").read_bytes() == (here / "b.mid").read_bytes()


def test_every_file_has_its_name_and_none_is_overwritten(model: Path, here: Path) -> None:
    same = ("generate", "--model", model, "--bars", 1, "--seed", 1, "--quiet")
    assert call(*same).out == "tiny-1.mid\n"
    assert call(*same).out == "tiny-1-2.mid\n"
    (here / "x.mid").write_bytes(b"mine")
    refused = call(*same, "-o", "x.mid")
    assert refused.code == 1
    assert "--force" in refused.error
    assert (here / "x.mid").read_bytes() == b"mine"
    (here / "y-2.mid").write_bytes(b"mine")
    refused = call(*same, "-n", 2, "-o", "y.mid")
    assert refused.code == 1
    assert not (here / "y-1.mid").exists()
    assert (here / "y-2.mid").read_bytes() == b"mine"
    assert call(*same, "-n", 2, "-o", "y.mid", "--force").out == "y-1.mid\ny-2.mid\n"
    (here / "z.png").write_bytes(b"mine")
    assert call(*same, "-o", "z.mid", "--plot").code == 1
    assert (here / "z.png").read_bytes() == b"mine"
    (here / "tiny-1-3.mid").symlink_to("gone.mid")
    (here / "link.mid").symlink_to("gone.mid")
    assert call(*same).out == "tiny-1-4.mid\n"
    refused = call(*same, "-o", "link.mid")
    assert refused.code == 1
    assert "--force" in refused.error
    assert all((here / name).is_symlink() for name in ("tiny-1-3.mid", "link.mid"))
    assert call(*same, "-o", "link.mid", "--force").code == 0
    assert not (here / "link.mid").is_symlink()
    assert not (here / "gone.mid").exists()


def test_a_link_that_points_nowhere_is_not_replaced(song: Path, here: Path) -> None:
    shutil.copy(song, here / "song.mid")
    commands = {
        "out.json": ("check", ".", "--report"),
        "out.png": ("render", "song.mid", "-o"),
        "out.mid": ("inspect", "song.mid", "--decode"),
    }
    for name, command in commands.items():
        (here / name).symlink_to("gone")
        refused = call(*command, name)
        assert (refused.code, len(refused.error.splitlines())) == (1, 1), command
        assert "--force" in refused.error
        assert (here / name).is_symlink()
        assert not (here / "gone").exists()
    assert not (here / "z.mid").exists()


def test_generate_goes_on_from_a_prompt(model: Path, song: Path, here: Path) -> None:
    # An option that may stand alone must not swallow the prompt after it.
    args = ("--model", model, "--bars", 2, "--prompt-bars", 2, "--seed", 3, "--json")
    done = call("generate", "--plot", song, *args, "-o", "on.mid")
    assert done.code == 0, done.err
    (piece,) = done.json["pieces"]
    assert piece["bars"] == 4
    assert piece["plot"] == "on.png"
    assert (here / "on.png").read_bytes().startswith(b"\x89PNG")
    only = call("generate", song, *args, "--continuation-only", "-o", "only.mid").json["pieces"][0]
    assert only["bars"] == 2
    assert only["notes"] == piece["new_notes"]


def test_generate_does_what_it_is_told(model: Path, here: Path) -> None:
    done = call(
        "generate", "--model", model, "--bars", 2, "--seed", 3, "--key", "C major", "--meter", "3/4", "--tempo", 90,
        "--program", "cello", "--temperature", 0.9, "--top-k", 50, "--audio", "ogg", "--precision", "fp32",
        "-o", "x.mid",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "x.mid + .ogg" in done.out
    assert (here / "x.ogg").read_bytes().startswith(b"OggS")
    score = toccata.Piece((here / "x.mid").read_bytes(), {}).score
    assert {track.program for track in score.tracks if len(track.notes)} == {42}
    assert (score.time_signatures[0].numerator, score.time_signatures[0].denominator) == (3, 4)
    assert abs(score.tempos[0].qpm - 90) < 0.1
    assert all(n.pitch % 12 in {0, 2, 4, 5, 7, 9, 11} for track in score.tracks for n in track.notes)


def notes_of(path: Path | str) -> list[tuple[float, float, int, int]]:
    """Every note of a file: onset and length in quarters, pitch, velocity."""
    score = toccata.Piece(Path(path).read_bytes(), {}).score
    quarter = score.ticks_per_quarter
    return sorted(
        (round(n.time / quarter, 6), round(n.duration / quarter, 6), n.pitch, n.velocity)
        for t in score.tracks
        for n in t.notes
    )


def test_the_prompt_is_the_bars_asked_for(model: Path, here: Path) -> None:
    """Bars 3 to 5 are all that is kept of the file, and the new ones follow at once."""
    song = Score(480)
    song.tempos, song.time_signatures = [Tempo(0, qpm=90)], [TimeSignature(0, 3, 4)]
    track = Track("Violin", 40, False)
    track.notes.extend([Note(480 * i, 480, 48 + i, 80) for i in range(3 * 8)])  # no two notes are of one pitch
    song.tracks.append(track)
    song.dump_midi(here / "song.mid")
    args = ("generate", "song.mid", "--model", model, "--bars", 2, "--seed", 3, "--prompt-bars", "3-5", "--anyway")
    done = call(*args, "-o", "on.mid", "--json")
    assert done.code == 0, done.err
    (piece,) = done.json["pieces"]
    assert piece["bars"] == 5
    assert piece["prompt"] == "song.mid, bars 3-5"
    kept = [note for note in notes_of("on.mid") if note[0] < 9]
    assert kept == [(i, 1, 48 + 6 + i, 80) for i in range(9)]
    score = toccata.Piece((here / "on.mid").read_bytes(), {}).score
    assert [(s.time, s.numerator, s.denominator) for s in score.time_signatures] == [(0, 3, 4)]
    assert round(score.tempos[0].qpm) == 90
    assert {track.program for track in score.tracks if len(track.notes)} == {40}
    assert call(*args, "--continuation-only", "-o", "only.mid").code == 0
    new = [(round(start - 9, 6), *rest) for start, *rest in notes_of("on.mid") if start >= 9]
    assert notes_of("only.mid") == new
    assert len(new) == piece["new_notes"]
    # The same is written after a file that holds these three bars and no more.
    track.notes = [Note(480 * i, 480, 48 + 6 + i, 80) for i in range(9)]
    song.tracks = [track]
    song.dump_midi(here / "part.mid")
    alone = ("generate", "part.mid", *args[2:-3], "--anyway", "-o", "alone.mid")
    assert call(*alone).code == 0
    assert notes_of("alone.mid") == notes_of("on.mid")


def test_prompt_bars_that_are_not_there(model: Path, song: Path, here: Path) -> None:
    for text in ("0", "5-3", "0-2", "1-", "a", "-3"):
        assert call("generate", song, "--model", model, f"--prompt-bars={text}").code == 2
    done = call("generate", song, "--model", model, "--prompt-bars", "5000-5001", "-o", "x.mid")
    assert done.code == 1
    assert "there is no bar 5000" in done.error
    bars = toccata.song(song).bars
    for text in ("3-999", "999"):
        done = call("generate", song, "--model", model, "--prompt-bars", text, "-o", "x.mid")
        assert done.code == 1
        assert f"{song} has {bars} bars: there is no bar 999 in it" in done.error
    for text, said in (("5-6", "bars 5-6"), ("5-5", "bar 5"), ("4", "bars 1-4")):
        done = call("generate", "--model", model, "--prompt-bars", text, "-o", "x.mid")
        assert done.code == 1
        assert f"there is no prompt to take {said} of" in done.error
    done = call("generate", "--model", model, "--continuation-only", "-o", "x.mid")
    assert done.code == 1
    assert "there is no prompt to leave out (--continuation-only)" in done.error
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("limit", [17, 120])
def test_a_limit_of_tokens_is_one(model: Path, here: Path, limit: int) -> None:
    """It ends at once: no note begins after the limit; only what is open is ended."""

    def written(seed: int, most: int, name: str) -> dict[str, Any]:
        args = ("generate", "--model", model, "--seed", seed, "--max-tokens", most, "-o", name, "--json", "--force")
        done = call(*args)
        assert done.code == 0, done.err
        found: dict[str, Any] = done.json["pieces"][0]
        return found

    # Some pieces end by themselves before that.
    seed = next(seed for seed in range(50) if written(seed, limit + 200, "longer.mid")["tokens"] >= limit + 200)
    args = ("generate", "--model", model, "--seed", seed, "--max-tokens", limit)
    piece = written(seed, limit, "x.mid")
    assert limit <= piece["tokens"] <= limit + 8
    begun, more = (Counter((start, pitch) for start, _, pitch, _ in notes_of(p)) for p in ("x.mid", "longer.mid"))
    assert (begun - more).total() <= 1  # what was open at the limit
    assert begun.total() < more.total()
    both = call(*args, "--bars", 3, "-o", "y.mid", "--json").json["pieces"][0]
    assert both["tokens"] <= limit + 8 + 2 * 3  # empty bars to the end


def test_a_limit_too_low_for_a_note(model: Path, song: Path, here: Path) -> None:
    done = call("generate", "--model", model, "--max-tokens", 1, "-o", "x.mid")
    assert done.code == 1
    assert "--max-tokens" in done.error
    assert not (here / "x.mid").exists()
    done = call("generate", song, "--model", model, "--max-tokens", 1, "-o", "x.mid", "--json")
    assert done.json["pieces"][0]["new_notes"] == 0
    assert notes_of("x.mid") == notes_of(song)


@pytest.mark.parametrize("best_of", [[], ["--best-of", 20]])
def test_pieces_without_a_note_are_told_and_the_others_written(model: Path, here: Path, best_of: list[Any]) -> None:
    args = ("generate", "--model", model, "--max-tokens", 4, "-n", 20, "--seed", 1, *best_of)
    done = call(*args, "-o", "x.mid", "--json")
    assert done.code == 0, done.err
    pieces, left = done.json["pieces"], done.json["left_out"]
    assert pieces
    assert left
    assert sorted(row["seed"] for row in (*pieces, *left)) == list(range(1, 21))
    assert {row["why"] for row in left} == {"it has no note"}
    assert all(piece["notes"] for piece in pieces)
    assert sorted(piece["path"] for piece in pieces) == sorted(path.name for path in here.iterdir())
    done = call(*args, "-o", "y.mid", "--quiet")
    assert done.code == 0
    assert len(done.out.splitlines()) == len(pieces)
    (line,) = [line for line in done.err.splitlines() if line.startswith("left out")]
    seeds = ", ".join(str(row["seed"]) for row in left)
    assert line.startswith(f"left out, as no note was written: seed {seeds}; give more bars")


@pytest.mark.parametrize(
    "command",
    [
        ["generate", "--bars", 1],
        ["infill", "--bars", 1],
        ["accompany", "--add", "bass"],
        ["harmonise"],
        ["vary", "--keep", "rhythm", "-n", 1],
    ],
    ids=lambda command: str(command[0]),
)
def test_a_song_is_never_replaced_by_what_is_made_of_it(
    command: list[Any], model: Path, song: Path, here: Path
) -> None:
    """Whatever is said, and by whatever way there."""
    shutil.copy(song, here / "song.mid")
    (here / "link.mid").symlink_to("song.mid")
    (here / "deep").mkdir()
    verb, *how = command
    for name, out in (("song.mid", "song.mid"), ("link.mid", "song.mid"), ("song.mid", "deep/../song.mid")):
        for force in ([], ["--force"]):
            done = call(verb, name, "--model", model, *how, "-o", out, *force)
            assert done.code == 1
            assert f"{name} would be replaced by what is made of it" in done.error
    shutil.copy(song, here / f"{model.name}-7.mid")
    done = call("generate", f"{model.name}-7.mid", "--model", model, "--seed", 7, "--bars", 1, "-o", ".", "--force")
    assert "would be replaced" in done.error
    assert (here / "song.mid").read_bytes() == song.read_bytes() == (here / f"{model.name}-7.mid").read_bytes()


def test_ten_songs_from_one_command(model: Path, here: Path) -> None:
    done = call("generate", "--model", model, "-n", 10, "--bars", 1, "--seed", 1, "-o", "songs", "--json")
    assert done.code == 0, done.err
    paths = [Path(piece["path"]) for piece in done.json["pieces"]]
    assert len(set(paths)) == len({path.read_bytes() for path in paths}) == 10
    assert sorted(paths) == sorted(Path("songs").iterdir())
    assert len({tuple(notes_of(path)) for path in paths}) == 10
    assert [piece["seed"] for piece in done.json["pieces"]] == list(range(1, 11))


def test_generate_says_what_cannot_be_had(model: Path) -> None:
    for args, says in (
        (["--key", "H major"], "H major"),
        (["--temperature", "99"], "temperature"),
        (["--prompt-bars", "2"], "prompt"),
        (["nowhere.mid"], "nowhere.mid"),
    ):
        done = call("generate", "--model", model, "--bars", 1, "-o", "x.mid", *args)
        assert done.code == (2 if len(args) > 1 and "prompt" not in says else 1)
        assert says in done.error
    assert call("generate", "--model", model, "-o", "x.wav").code == 2
    (Path.cwd() / "file").write_text("no folder")
    assert "nothing can be written" in call("generate", "--model", model, "-o", "file/x.mid").error


def test_python_m(here: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "toccata", "frob"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no command 'frob'")
    assert subprocess.run([sys.executable, "-m", "toccata", "--version"], capture_output=True).returncode == 0


def test_model_is_found_by_flag_environment_project_and_place(
    model: Path, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setattr("toccata.look.BUNDLED", tmp_path)
        none = call("generate", "--json")
    assert none.code == 1
    assert none.json["error"]["kind"] == "no-model"
    assert "toccata train" in none.error
    ask = ("generate", "--bars", 1, "--seed", 1, "--json", "-o", "out")
    shutil.copytree(model, here / "models" / "near")
    shutil.copytree(model, tmp_path / "far")
    assert "with models" in call(*ask).err
    assert call("generate", "--model", "near", *ask[1:]).code == 0
    config = tmp_path / "config" / "toccata"
    config.mkdir(parents=True)
    (config / "config.toml").write_text('model = "/no/user/model"\n')
    if sys.platform.startswith("linux"):
        assert "/no/user/model" in call(*ask).error
    (here / "toccata.toml").write_text('model = "models/near"\n')
    assert call(*ask).code == 0
    monkeypatch.setenv("TOCCATA_MODEL", "/no/such/model")
    assert "/no/such/model" in call(*ask).error
    assert call("generate", "--model", tmp_path / "far", *ask[1:]).code == 0
    (here / "toccata.toml").write_text('modle = "x"\n')
    monkeypatch.delenv("TOCCATA_MODEL")
    monkeypatch.setenv("TOCCATA_PRECISION", "fp16")
    assert "fp16" in call("generate", "--model", tmp_path / "far", *ask[1:]).error
    assert "modle" in call(*ask).error


# -- train, finetune, evaluate ---------------------------------------------------------------------


def test_train_again_does_nothing_and_finetune_goes_on(model: Path, midi: Path, here: Path) -> None:
    before = (model / "toccata.json").stat().st_mtime_ns
    again = call("train", midi, "-o", model, *TINY, "--json")
    assert again.code == 0, again.err
    assert again.json["finished_before"] is True
    assert "finished already" in again.err
    assert (model / "toccata.json").stat().st_mtime_ns == before
    tuned = call("finetune", midi, "--model", model, "-o", "models/mine", *TINY[6:])
    assert tuned.code == 0, tuned.err
    for said in ("models/mine", "nats a note", "loss.png", "toccata generate --model"):
        assert said in tuned.out
    assert json.loads((here / "models/mine/toccata.json").read_text())["lineage"]["parent"]["name"] == "tiny"
    other = call("train", midi, "-o", model, *TINY, "training.lr=0.1", "--json")
    assert other.code == 1
    assert "another" in other.error


def test_train_tells_how_it_goes(midi: Path) -> None:
    done = call("train", midi, "-o", "m", *TINY)
    assert done.code == 0, done.err
    for said in ("pieces", "parameters", "training: 4 of 4", "left"):
        assert said in done.err
    assert "training:" not in done.out


def test_evaluate(model: Path, midi: Path) -> None:
    value = call("evaluate", model, midi, "--all", "--json").json
    assert value["model"] == "tiny"
    assert 2 <= value["pieces"] <= len(list(midi.iterdir()))
    low, high = value["nats_per_note_ci95"]
    assert low <= value["nats_per_note"] <= high
    assert 0 <= value["validity"]["valid"] <= 1


# -- check, prepare, dataset -----------------------------------------------------------------------


def test_check(data: Path, here: Path) -> None:
    folder = some_bach(data, here / "midi", 3)
    shutil.copy(next(folder.iterdir()), folder / "copy.mid")
    (folder / "torn.mid").write_bytes(b"MThd")
    value = call("check", folder, "--json").json
    assert (value["files"], value["accepted"]) == (5, 4)
    assert [Path(r["path"]).name for r in value["rejected"]] == ["torn.mid"]
    assert len(value["duplicates"]) == 1
    done = call("check", folder, "--report", "c.html", "--report", "c.csv", "--report", "c.json")
    assert done.code == 0
    assert "torn.mid: " in done.out
    assert json.loads((here / "c.json").read_text())["accepted"] == 4
    assert call("check", folder, "--report", "c.csv").code == 1


def test_prepare_cleans(midi: Path, here: Path) -> None:
    value = call("prepare", midi, "corpus", "--merge", "--min-bars", 2, "--quantize", 4, "--json").json
    assert value["pieces"] == sum(value["splits"].values()) > 0
    assert (here / "corpus" / "corpus.json").is_file()
    assert call("prepare", midi, "corpus", "--merge", "--min-bars", 2, "--quantize", 4).code == 0
    everything = call("prepare", midi, "none", "--min-bars", 100_000)
    assert everything.code == 1
    assert "too short" in everything.error


def test_dataset(here: Path) -> None:
    pytest.importorskip("music21", reason="the chorales come with music21")
    value = call("dataset", "bach", "bach", "--limit", 2, "--json").json
    assert value["files"] == 2
    assert len(list((here / "bach").glob("*.mid"))) == 2
    assert (here / "bach" / "NOTICE.txt").is_file()
    before = sorted(here.iterdir())
    for place in ("s3://bucket/bach", "gs://bucket/bach", "file:///bach", "http://host/bach"):
        done = call("dataset", "bach", place, "--limit", 1)
        assert done.code == 1
        assert f"{place} cannot be written to" in done.error
    assert sorted(here.iterdir()) == before


# -- inspect, render, models, recipes, doctor ------------------------------------------------------


def test_inspect(model: Path, song: Path, here: Path) -> None:
    value = call("inspect", song, "--tokenizer", model, "--decode", "back.mid", "--json").json
    assert [bar["bar"] for bar in value["bars"]] == list(range(1, len(value["bars"]) + 1))
    assert sum(len(bar["tokens"]) for bar in value["bars"]) == value["tokens"]
    assert all(bar["tokens"][0].startswith("Bar") for bar in value["bars"][1:])
    back = toccata.Piece((here / "back.mid").read_bytes(), {}).score
    assert back.note_num() == value["notes"]
    some = call("inspect", song, "--bars", "2-3", "--json").json
    assert [bar["bar"] for bar in some["bars"]] == [2, 3]
    assert "notes" in call("inspect", song, "--bars", "1").out
    assert call("inspect", song, "--decode", "back.mid").code == 1
    assert "would be replaced" in call("inspect", "back.mid", "--decode", "back.mid", "--force").error
    assert "no recipe" in call("inspect", song, "--tokenizer", "nope").error


def test_render(song: Path, here: Path) -> None:
    done = call("render", song, "-o", "a.png", "-o", "a.svg", "-o", "a.flac", "--json")
    assert done.code == 0, done.err
    assert done.json["written"] == ["a.png", "a.svg", "a.flac"]
    assert (here / "a.svg").read_text().startswith("<svg")
    assert (here / "a.flac").read_bytes().startswith(b"fLaC")
    assert call("render", song, "-o", "a.png").code == 1
    assert "drawn" in call("render", song, "-o", "a.gif").error


def test_models_lists_good_and_broken_ones(model: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bundled,) = call("models", "--json").json["models"]
    assert (bundled["name"], bundled["error"]) == ("base", None)
    monkeypatch.setattr("toccata.look.BUNDLED", here / "nothing")
    assert call("models", "--json").json == {"models": []}
    assert "toccata train" in call("models").out
    shutil.copytree(model, here / "models" / "good")
    shutil.copytree(model, here / "models" / "torn")
    (here / "models" / "torn" / "config.json").unlink()
    rows = {Path(row["path"]).name: row for row in call("models", "--json").json["models"]}
    assert rows["good"]["error"] is None
    assert rows["good"]["parameters"] > 0
    assert "config.json" in rows["torn"]["error"]
    assert "cannot be used" in call("models").out


def test_recipes() -> None:
    rows = {row["name"]: row for row in call("recipes", "--no-time", "--json").json["recipes"]}
    assert set(rows) >= {"toccata", "bach-gpt"}
    assert all(row["parameters"] > 0 and row["tokens"] > 0 and row["about"] for row in rows.values())
    assert "bach-gpt" in call("recipes", "--no-time").out


def test_doctor() -> None:
    done = call("doctor", "--json")
    assert done.code == 0
    assert done.json["packages"]["symusic"]
    assert done.json["missing"] == [] or all("pip install" in row["command"] for row in done.json["missing"])
    assert "SoundFont" in call("doctor").out


def test_a_closed_pipe_is_no_story(song: Path) -> None:
    command = [sys.executable, "-m", "toccata.cli.main", "inspect", str(song)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
