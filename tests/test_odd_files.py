"""Files that are no regular files, links that lead nowhere, and names that are no text or would steer a terminal."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
import xml.dom.minidom
from pathlib import Path

import pytest

import toccata
from cli_support import TINY, call, start
from random_model import random_model
from toccata.cli.screen import plain
from toccata.errors import MidiError
from toccata.midi.pool import map_files
from toccata.midi.read import MAX_BYTES, read_bytes, read_score
from toccata.piece import read_origin

END = b"\x00\xff\x2f\x00"
STEERING = "a\x1b]0;owned\x07\n\x9berror: x"
UNREADABLE = {
    "pipe.mid": "is a pipe",
    "to-a-pipe.mid": "is a pipe",
    "zero.mid": "is a device",
    "socket.mid": "is a socket",
    "dangling.mid": "is a link to a file that is not there",
    "loop.mid": "cannot be opened",
}

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes by name here")


def tune(name: bytes = b"", first: int = 60) -> bytes:
    """Eight bars of a melody over a bass."""
    lines = b"".join(
        bytes((0, 0x91, 40 + bar, 80))
        + b"".join(bytes((0, 0x90, first + n * 5 % 12, 80, 0x83, 0x60, 0x80, first + n * 5 % 12, 0)) for n in range(4))
        + bytes((0, 0x81, 40 + bar, 0))
        for bar in range(8)
    )
    body = (b"\x00\xff\x03" + bytes((len(name),)) + name if name else b"") + lines + END
    return b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0MTrk" + len(body).to_bytes(4, "big") + body


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def odd(here: Path) -> Path:
    """A folder of some music, and one of each of what cannot be read."""
    folder = here / "midi"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.mid").write_bytes(tune(first=50 + number))
    os.mkfifo(folder / "pipe.mid")
    (folder / "to-a-pipe.mid").symlink_to("pipe.mid")
    (folder / "zero.mid").symlink_to("/dev/zero")
    (folder / "dangling.mid").symlink_to("nowhere")
    (folder / "loop.mid").symlink_to("loop.mid")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("midi/socket.mid")
    return folder


def ended(*args: object, cwd: Path) -> tuple[int, str, str]:
    """Run a command line that might wait for ever."""
    process = start(*args, cwd=cwd)
    try:
        out, err = process.communicate(timeout=900)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, out, err


# -- what is no regular file -----------------------------------------------------------------------------------------


def test_every_such_file_is_one_rejected_file(odd: Path, here: Path) -> None:
    for command in (["check", odd], ["prepare", odd, "corpus"], ["clean", odd, "cleaned"]):
        code, out, err = ended(*command, cwd=here)
        assert code == 0, err
        for name, why in UNREADABLE.items():
            assert f"{name}: {why}" in out + err, command


def test_a_model_is_trained_beside_them(odd: Path, here: Path) -> None:
    code, _, err = ended("train", odd, "-o", "model", *TINY, "--json", cwd=here)
    assert code == 0, err


@pytest.mark.parametrize("name", UNREADABLE)
def test_none_of_them_is_a_song(name: str, odd: Path, here: Path) -> None:
    code, _, err = ended("inspect", odd / name, cwd=here)
    assert code == 1
    assert f"error: {odd / name}: {UNREADABLE[name]}" in err
    assert len(err.splitlines()) == 1


def test_a_size_is_not_relied_on(here: Path) -> None:
    """What the kernel makes while it is read has a size of 0."""
    source = Path("/proc/self/status")
    if not source.exists():
        pytest.skip("there are no such files here")
    assert source.stat().st_size == 0
    assert b"Pid:" in read_bytes(source)


def test_reading_stops_past_the_limit(here: Path) -> None:
    with (here / "large.mid").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(MidiError, match=r"is too large: 100 MB, at most 100 are read"):
        read_bytes(here / "large.mid")
    with (here / "large.mid").open("wb") as file:
        file.truncate(MAX_BYTES)
    assert len(read_bytes(here / "large.mid")) == MAX_BYTES


def test_a_name_that_no_file_can_have(here: Path) -> None:
    with pytest.raises(MidiError, match="cannot be opened"):
        read_score(Path("a\0b.mid"))


def crash(path: Path) -> str:
    """Work that ends the process as a fault in native code does."""
    if path.name == "bad.mid":
        os.abort()
    return path.name


def test_a_few_files_are_guarded_as_many_are() -> None:
    found = dict(map_files([Path("a.mid"), Path("bad.mid"), Path("b.mid")], crash))
    assert found.keys() == {Path("a.mid"), Path("bad.mid"), Path("b.mid")}
    assert (found[Path("a.mid")], found[Path("b.mid")]) == ("a.mid", "b.mid")
    assert isinstance(found[Path("bad.mid")], MidiError)


# -- names ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return random_model(tmp_path / "model")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere file names are Unicode")
@pytest.mark.parametrize(
    "name",
    [os.fsdecode(b"caf\xe9.mid"), f"{STEERING}.mid", "\N{MUSICAL SYMBOL G CLEF}" * 62 + ".mid"],
    ids=["not UTF-8", "steering", "long"],
)
def test_any_name_goes_into_an_origin_and_comes_back(name: str, model: Path, here: Path) -> None:
    (here / name).write_bytes(tune())
    for number, command in enumerate(
        (
            ["generate", name, "--bars", 1, "--prompt-bars", 2],
            ["generate", name, "--bars", 1, "--prompt-bars", "2-3"],
            ["vary", name, "--keep", "rhythm", "--bars", 2, "-n", 1],
        )
    ):
        done = call(*command, "--model", model, "-o", f"{number}.mid")
        assert done.code == 0, done.err
        origin = read_origin((here / f"{number}.mid").read_bytes())
        assert origin is not None
        assert name.removesuffix(".mid")[:20] in origin["prompt"]
    assert toccata.song(name).lock(bars=1).origin["file"] == name
    assert call("render", name, "-o", "roll.svg", "-o", "roll.png").code == 0
    xml.dom.minidom.parse(str(here / "roll.svg"))


def test_nothing_out_of_files_steers_the_terminal(model: Path, here: Path) -> None:
    folder = here / "midi"
    folder.mkdir()
    (folder / f"{STEERING}.mid").write_bytes(tune(STEERING.encode()))
    (folder / f"torn{STEERING}.mid").write_bytes(b"MThd")
    song = folder / f"{STEERING}.mid"
    for command in (
        ["check", folder],
        ["clean", folder, f"out{STEERING}"],
        ["prepare", folder, f"corpus{STEERING}"],
        ["inspect", folder / f"torn{STEERING}.mid"],
        ["inspect", folder / f"torn{STEERING}.mid", "--debug"],
        ["inspect", song, "--bars", 1, "--decode", f"back{STEERING}.mid"],
        ["infill", song, "--bars", 1, "--tracks", "9", "--model", model],
        ["vary", song, "--keep", "rhythm", "--bars", 1, "--model", model, "-o", f"x{STEERING}.mid"],
        ["generate", song, "--model", f"no{STEERING}"],
        ["render", song, "-o", f"roll{STEERING}.tiff"],
        [f"no{STEERING}"],
    ):
        done = call(*command)
        said = done.out + done.err
        assert not [c for c in said if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0], command
        assert "\nerror: x" not in said
        assert plain(STEERING) in said


def test_json_holds_names_as_they_are(here: Path) -> None:
    (here / f"\x7f{STEERING}.mid").write_bytes(b"MThd")
    done = call("check", ".", "--json")
    assert done.out.isascii()
    assert "\x7f" not in done.out
    assert done.json["rejected"][0]["path"] == f"\x7f{STEERING}.mid"


def test_plain_leaves_letters_alone() -> None:
    for text in ("Dvořák, Größe 8va", "木 星\u3000組曲", "👩\u200d🎤", os.fsdecode(b"caf\xe9")):
        assert plain(text) == text
    assert plain("a\x1b[2Jb\nc\x85\u2028\u202e\x7f") == r"a\x1b[2Jb\nc\x85\u2028\u202e\x7f"


def test_commands_print_in_one_place() -> None:
    """What is printed elsewhere would not be freed of control characters."""
    folder = Path(toccata.__file__).parent
    for path in folder.rglob("*.py"):
        if path == folder / "cli" / "screen.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            assert not (isinstance(called, ast.Name) and called.id == "print"), f"{path}, line {called.lineno}"
