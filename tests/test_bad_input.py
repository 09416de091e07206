"""Bad input of every kind: one clear line, the right exit code, and nothing lost or half-written."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli_support import TINY, call, some_bach, start, tiny
from random_model import random_model
from toccata.errors import RequestError
from toccata.midi.pool import interrupts_deferred, main_left_alone
from toccata.musicmodel import Model
from toccata.tokenizers.codes import CodesOptions, CodesTokenizer
from toccata.tokenizers.events import EventOptions

HEAD = b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0"
END = b"\x00\xff\x2f\x00"


def track(events: bytes) -> bytes:
    return b"MTrk" + len(events + END).to_bytes(4, "big") + events + END


def note(length: bytes = b"\x83\x60", pitch: int = 60) -> bytes:
    return bytes([0, 0x90, pitch, 80]) + length + bytes([0x80, pitch, 0])


def file(*tracks: bytes) -> bytes:
    return HEAD[:10] + len(tracks).to_bytes(2, "big") + HEAD[12:] + b"".join(tracks)


BAD = {
    "zero.mid": b"",
    "torn.mid": file(track(note() * 40))[:30],
    "random.mid": random.Random(0).randbytes(4096),
    "random-behind-a-head.mid": HEAD + b"MTrk\x00\x00\x10\x00" + random.Random(1).randbytes(4096),
    "claims-4gb.mid": HEAD + b"MTrk\xff\xff\xff\xff",
    "no-notes.mid": file(track(b"\x00\xff\x51\x03\x07\xa1\x20")),
    "million-beats.mid": file(track(b"\x00\x90\x3c\x50" + (b"\xff\xff\xff\x7f\xb0\x07\x64") * 2 + b"\x00\x80\x3c\x00")),
    "ten-thousand-tracks.mid": file(*[track(note())] * 10_000),
    "text.mid": b"This is not music.\n" * 50,
}


@pytest.fixture
def model(data: Path) -> Path:
    return tiny(data)[0]


@pytest.fixture
def midi(data: Path) -> Path:
    return tiny(data)[1]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("TOCCATA_MODEL", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


# -- folders and files of music --------------------------------------------------------------------


@pytest.mark.parametrize("what", ["empty", "without-midi", "missing", "a-file"])
def test_folders_without_music(what: str, model: Path, here: Path) -> None:
    folder = here / what
    if what == "a-file":
        folder.write_text("no folder")
    elif what != "missing":
        folder.mkdir()
    if what == "without-midi":
        (folder / "notes.txt").write_text("no music")
    for command in (
        ["check", folder],
        ["prepare", folder, "out"],
        ["train", folder, "-o", "out", *TINY],
        ["evaluate", model, folder],
    ):
        done = call(*command, "--json")
        assert done.code == 1, command
        assert done.json["error"]["kind"] == "bad-corpus"
        assert what in done.error
    assert not (here / "out" / "toccata.json").exists()


@pytest.mark.parametrize("out", ["song.mid", "song.mid/deeper/x"])
def test_a_file_where_a_folder_is_expected(out: str, model: Path, midi: Path, here: Path) -> None:
    (here / "song.mid").write_bytes(b"mine")
    for command in (
        ["prepare", midi, out],
        ["train", midi, "-o", out, *TINY],
        ["finetune", midi, "--model", model, "-o", out],
        ["dataset", "bach", out],
    ):
        done = call(*command, "--json")
        assert done.code == 1, command
        assert done.json["error"]["kind"] == "no-place"
        assert "song.mid is a file: name a folder for the " in done.error
        assert "stage" not in done.err
    assert [path.name for path in here.iterdir()] == ["song.mid"]
    assert (here / "song.mid").read_bytes() == b"mine"


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_told_in_a_line(name: str, here: Path) -> None:
    (here / name).write_bytes(BAD[name])
    for command in (["inspect", name], ["render", name, "-o", "x.png"]):
        done = call(*command, "--json")
        assert done.code == 1
        assert done.json["error"]["kind"] == "unreadable-midi"
        assert done.json["error"]["path"] == name
        assert name in done.error
    assert [path.name for path in here.iterdir()] == [name]


@pytest.mark.parametrize(
    ("address", "how"),
    [
        ("s3://bucket/x.mid", "copy it here"),
        ("gs://bucket/deep/x.mid", "copy it here"),
        ("http://host/x.mid", "copy it here"),
        ("file:///music/x.mid", "say /music/x.mid"),
    ],
)
def test_a_song_is_no_address(address: str, how: str, model: Path, here: Path) -> None:
    for command in (
        ["generate", address, "--model", model],
        ["infill", address, "--model", model, "--bars", 1],
        ["accompany", address, "--model", model, "--add", "bass"],
        ["harmonise", address, "--model", model],
        ["vary", address, "--model", model, "--keep", "rhythm"],
        ["inspect", address],
        ["render", address, "-o", "x.png"],
    ):
        done = call(*command)
        assert done.code == 1
        assert f"{address} is an address, and a song must be a local path: {how}" in done.error
    assert list(here.iterdir()) == []


class NoCodec:
    """What turns rolls into codes, for requests that are refused before there are any."""

    fingerprint, threshold = "none", 0.5


@pytest.mark.parametrize("said", ["examples.controls=0.5", "examples.controls=0"])
def test_what_codes_cannot_learn_is_not_said_to_be_learnable(said: str, midi: Path, tmp_path: Path) -> None:
    """Whatever it was trained with."""
    writer = Model(random_model(tmp_path / "m", settings=[said]), precision="fp32")
    writer.tokenizer = CodesTokenizer(CodesOptions(), NoCodec())  # type: ignore[arg-type]
    song = sorted(midi.iterdir())[0]
    for ask in (
        lambda: writer.infill(song, [(1, 1)]),
        lambda: writer.accompany(song, [32]),
        lambda: writer.harmonise(song),
    ):
        with pytest.raises(RequestError, match="and recipe toccata, as the tokens of this one cannot say it"):
            ask()
    for keep in ("rhythm", "contour", "melody", "harmony"):
        with pytest.raises(RequestError, match=f"cannot keep a {keep}: its tokens are not notes; .* recipe toccata"):
            writer.vary(song, keep=keep)  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="tokens have no words for controls: train one with recipe toccata"):
        writer.generate(bars=2, controls={"density": 2})


def test_tokens_that_keep_no_rhythm_do_not_promise_one(midi: Path, tmp_path: Path) -> None:
    place = random_model(tmp_path / "m", EventOptions("MIDILike"), settings=["examples.fill=0"])
    writer = Model(place, precision="fp32")
    with pytest.raises(RequestError, match=r"has not learned to fill: for melody, train .* examples\.fill=0\.25"):
        writer.vary(sorted(midi.iterdir())[0], keep="melody")


def test_a_bad_prompt_is_told_in_a_line(model: Path, here: Path) -> None:
    (here / "torn.mid").write_bytes(BAD["torn.mid"])
    done = call("generate", "torn.mid", "--model", model, "-o", "out.mid")
    assert done.code == 1
    assert "torn.mid" in done.error
    assert not (here / "out.mid").exists()


def test_a_file_that_is_ten_gigabytes(here: Path) -> None:
    with (here / "huge.mid").open("wb") as huge:
        huge.write(HEAD + b"MTrk\xff\xff\xff\xff")
        huge.truncate(10 * 2**30)  # sparse: it takes no room
    began = time.perf_counter()
    done = call("inspect", "huge.mid")
    assert done.code == 1
    assert "too large" in done.error
    assert time.perf_counter() - began < 10


def test_bad_files_cost_themselves_only(data: Path, here: Path) -> None:
    folder = some_bach(data, here / "mixed", 6)
    for name, content in BAD.items():
        (folder / name).write_bytes(content)
    value = call("check", folder, "--json").json
    rejected = {Path(row["path"]).name: row["reason"] for row in value["rejected"]}
    assert set(rejected) == set(BAD)
    assert all(rejected.values())
    assert value["accepted"] == 6
    done = call("train", folder, "-o", "model", *TINY, "--json")
    assert done.code == 0, done.err
    assert call("generate", "--model", "model", "--bars", 1).code == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_files_that_may_not_be_read(data: Path, here: Path) -> None:
    folder = some_bach(data, here / "midi", 3)
    closed = sorted(folder.iterdir())[0]
    closed.chmod(0)
    value = call("check", folder, "--json").json
    assert [Path(row["path"]).name for row in value["rejected"]] == [closed.name]
    for command in (["inspect", closed], ["render", closed, "-o", "x.png"]):
        done = call(*command, "--json")
        assert done.code == 1
        assert done.json["error"]["kind"] == "unreadable-midi"
        assert closed.name in done.error
    folder.chmod(0)
    try:
        assert call("check", folder, "--json").json["error"]["kind"] == "bad-corpus"
        assert call("models", "--json").code == 0, "a folder that may not be opened is no model"
    finally:
        folder.chmod(0o700)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere file names are Unicode")
def test_names_that_are_no_text(data: Path, here: Path) -> None:
    folder = some_bach(data, here / "midi", 2)
    good, bad = folder / os.fsdecode(b"caf\xe9.mid"), folder / os.fsdecode(b"torn\xe9.mid")
    sorted(folder.iterdir())[0].rename(good)
    bad.write_bytes(BAD["torn.mid"])
    value = call("check", folder, "--report", "c.json", "--report", "c.csv", "--report", "c.html", "--json").json
    assert [Path(row["path"]) for row in value["rejected"]] == [bad]
    assert json.loads((here / "c.json").read_text())["pieces"] == value["pieces"]
    assert call("prepare", folder, "corpus", "--json").code == 0
    process = start("check", folder, cwd=here)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "torn\\udce9.mid" in out


def test_all_files_bad(here: Path) -> None:
    (here / "midi").mkdir()
    for name, content in BAD.items():
        (here / "midi" / name).write_bytes(content)
    done = call("train", "midi", "-o", "model", *TINY)
    assert done.code == 1
    assert f"none of the {len(BAD)} files" in done.error


# -- models, recipes, prompts ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "how", "says"),
    [
        ("model.safetensors", "missing", "missing"),
        ("model.safetensors", "edited", "not the file"),
        ("tokenizer/tokenizer.json", "missing", "missing"),
        ("tokenizer/tokenizer.json", "foreign", "not the file"),
        ("config.json", "edited", "not the file"),
        ("toccata.json", "edited", "cannot be read"),
        ("toccata.json", "missing", "no model"),
    ],
)
def test_a_model_folder_that_was_changed(name: str, how: str, says: str, model: Path, here: Path) -> None:
    shutil.copytree(model, here / "m", ignore=shutil.ignore_patterns("training"))
    path = here / "m" / name
    if how == "missing":
        path.unlink()
    elif how == "foreign":
        path.write_text('{"tokenization": "REMI", "config": {}}')
    else:
        whole = bytearray(path.read_bytes())
        whole[len(whole) // 2] ^= 0xFF
        path.write_bytes(whole)
    done = call("generate", "--model", "m", "--bars", 1, "-o", "x.mid", "--json")
    assert done.code == 1
    assert done.json["error"]["kind"] == "bad-model"
    assert says in done.error
    assert (name if how != "missing" or name != "toccata.json" else "m") in done.error
    assert not (here / "x.mid").exists()


def test_an_evaluation_needs_to_know_what_the_model_has_seen(model: Path, midi: Path, here: Path) -> None:
    shutil.copytree(model, here / "m", ignore=shutil.ignore_patterns("training"))
    for content in (None, "{", "[]", '{"train": 1}'):
        (here / "m" / "data.json").unlink(missing_ok=True)
        if content is not None:
            (here / "m" / "data.json").write_text(content)
        done = call("evaluate", "m", midi, "--json")
        assert done.code == 1, content
        assert done.json["error"]["kind"] == "bad-model"
        assert "data.json" in done.error
        assert "--all" in done.error
    value = call("evaluate", "m", midi, "--all", "--json").json
    assert (value["seen"], value["shared"], value["unknown"]) == (None, None, ["tiny"])
    assert "does not record its training pieces" in call("evaluate", "m", midi, "--all").out


def test_models_that_are_none(here: Path) -> None:
    (here / "plain").mkdir()
    (here / "plain" / "model.pkl").write_bytes(b"\x80\x04.")
    (here / "newer").mkdir()
    (here / "newer" / "toccata.json").write_text('{"format": 99, "files": {}}')
    for name, says in (("plain", "no model folder"), ("newer", "update toccata"), ("nowhere", "no model folder")):
        assert says in call("generate", "--model", name).error


def test_recipes_with_what_does_not_exist(midi: Path, here: Path) -> None:
    (here / "mine.toml").write_text('extends = "toccata"\n[model]\nlayer = 3\n')
    (here / "torn.toml").write_text("[model\n")
    for args, says in (
        (["model.layer=3"], "'layer'"),
        (["modle.layers=3"], "'modle'"),
        (["training.steps=few"], "training.steps"),
        (["training.steps=0"], "training.steps"),
        (["model.heads=3", "model.width=64"], "heads"),
        (["tokenizer.options.use_chord=true"], "use_chord"),
        (["clean.min_bars=-2"], "clean.min_bars"),
        (["clean.quantize=0"], "clean.quantize"),
        (["clean.programs=[200]"], "clean.programs"),
        (["--recipe", "nope"], "no recipe 'nope'"),
        (["--recipe", "mine.toml"], "'layer'"),
        (["--recipe", "torn.toml"], "TOML"),
    ):
        done = call("train", midi, "-o", "out", *args, "--json")
        assert done.code == 2, args
        assert done.json["error"]["kind"] == "bad-recipe"
        assert says in done.error
    assert not (here / "out" / "toccata.json").exists()


def test_a_prompt_of_a_meter_the_model_does_not_know(model: Path, here: Path) -> None:
    meter = b"\x00\xff\x58\x04" + bytes([31, 4, 24, 8])  # 31/16
    (here / "odd.mid").write_bytes(file(track(meter + note() * 80)))
    done = call("generate", "odd.mid", "--model", model, "--bars", 2, "-o", "x.mid", "--json")
    assert done.code == 1
    assert done.json["error"]["kind"] == "bad-request"
    assert "31/16" in done.error
    assert not (here / "x.mid").exists()


# -- the disk, and Ctrl-C --------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on the size of files is POSIX's")
def test_a_full_disk_while_training(midi: Path, here: Path) -> None:
    import resource

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    same = ("train", midi, "-o", here / "m", *TINY, "--json")
    process = start(*same, cwd=here, preexec_fn=small)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    error = json.loads(out)["error"]
    assert error["kind"] == "disk-full"
    assert str(here / "m") in error["message"]
    assert len([line for line in err.splitlines() if "error" in line.lower()]) == 1
    assert not list(here.rglob(".*")), "what was written aside is removed"
    done = call(*same)  # the same command, with room
    assert done.code == 0, done.err


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on the size of files is POSIX's")
def test_sound_that_cannot_be_written(midi: Path, here: Path) -> None:
    import resource

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    song = sorted(midi.iterdir())[0]
    for name in ("x.wav", "x.flac"):
        process = start("render", song, "-o", name, "--json", cwd=here, preexec_fn=small)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 1, err
        assert name in json.loads(out)["error"]["message"]
        assert "a fault in toccata" not in err
        assert err.count("\n") == 1
    assert list(here.iterdir()) == []


def test_shares_that_leave_nothing(midi: Path, here: Path) -> None:
    done = call("prepare", midi, "corpus", "--valid", 0.6, "--test", 0.6, "--json")
    assert done.code == 2
    assert "nothing to train on" in done.error
    assert not (here / "corpus").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_ctrl_c_does_not_reach_processes_that_are_still_starting() -> None:
    context = multiprocessing.get_context("spawn")
    for _ in range(3):
        helper = context.Process(target=os.getpid)
        with main_left_alone(os.getpid), interrupts_deferred():
            helper.start()
        os.kill(helper.pid or 0, signal.SIGINT)
        helper.join(60)
        assert helper.exitcode == 0


def interrupt(process: subprocess.Popen[str], how: signal.Signals = signal.SIGINT) -> tuple[str, str]:
    if how is signal.SIGINT:
        os.killpg(process.pid, how)  # a terminal tells all
    else:
        process.send_signal(how)  # a cluster tells the first
    return process.communicate(timeout=60)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_a_stopped_training_keeps_everything(how: signal.Signals, midi: Path, here: Path) -> None:
    long = [setting.replace("steps=4", "steps=400") for setting in TINY]
    same = ("train", midi, "-o", "m", *long, "training.workers=1")
    process = start(*same, cwd=here)
    log = here / "m" / "training" / "log.csv"
    while process.poll() is None and not (log.exists() and log.read_text().count("\n") > 5):
        time.sleep(0.02)
    out, err = interrupt(process, how)
    assert process.returncode == 130, err
    assert out == ""
    assert err.splitlines()[-1].startswith("stopped; ")
    assert "same command" in err.splitlines()[-1]
    assert "Traceback" not in err
    before = log.read_text()
    assert before.count("\n") < 400
    done = call(*same, "--json")
    assert done.code == 0, done.err
    assert log.read_text().startswith(before)
    assert log.read_text().count("\n") == 401


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_ctrl_c_while_writing_leaves_no_half(model: Path, here: Path) -> None:
    process = start("generate", "--model", model, "--bars", 500, "--json", "-o", "x.mid", cwd=here)
    time.sleep(2)  # somewhere inside: loading or writing, it must not matter
    out, err = interrupt(process)
    assert process.returncode == 130, err
    assert json.loads(out)["error"]["kind"] == "interrupted"
    assert err.splitlines()[-1].startswith("stopped; ")
    assert "Traceback" not in err
    assert list(here.iterdir()) == []
