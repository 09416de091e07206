"""One process writes to a folder at a time, and a second one is told in one line which."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from toccata import api
from toccata.errors import ToccataError
from toccata.folder_lock import LOCK, locked

pytestmark = pytest.mark.skipif(os.name != "posix", reason="flock; Windows' own locks were never tried")

_HOLDER = """
import sys
from pathlib import Path
from toccata.folder_lock import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the lock on ``folder``."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.communicate("")


def enter(folder: Path) -> None:
    with locked(folder):
        pass


def test_a_second_process_is_told_who_writes(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "deep"
    with held(folder) as process:
        with pytest.raises(ToccataError) as error:
            enter(folder)
        said = error.value.message
        assert said.startswith(f"{folder} is being written by process {process.pid} (python -c {folder}) since ")
        assert said.endswith(": wait for it, or choose another folder")
        assert "\n" not in said
        assert error.value.kind == "in-use"
    with locked(folder):
        assert [path.name for path in folder.iterdir()] == [LOCK]
    assert not (tmp_path / "new").exists()  # nothing was written


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    with held(tmp_path) as process:
        process.kill()
        process.wait()
        assert (tmp_path / LOCK).exists()
        enter(tmp_path)
    assert not (tmp_path / LOCK).exists()


def test_a_lock_that_was_just_released_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its holder removes the file between our opening and our locking it: a lock on that would keep nobody out."""
    import fcntl

    lock = fcntl.flock
    gone: list[int] = []

    def flock(handle: int, how: int) -> None:
        if not gone:
            gone.append(handle)
            (tmp_path / LOCK).unlink()
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with locked(tmp_path):
        assert gone
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
        with pytest.raises(ToccataError, match=f"process {os.getpid()} "):
            enter(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"pid": 1}', '{"pid": 3, "host": "h\\u001b[2J", "command": "a\\nb", "since": 1}']
)
def test_what_stands_in_a_lock_is_one_plain_line(tmp_path: Path, text: str) -> None:
    with locked(tmp_path):
        (tmp_path / LOCK).write_text(text)
        with pytest.raises(ToccataError, match=r"is being written by .*process") as error:
            enter(tmp_path)
        assert error.value.message.isprintable()


def test_the_processes_of_one_training_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with locked(tmp_path):
        monkeypatch.setenv("RANK", "1")
        enter(tmp_path)
    assert not (tmp_path / LOCK).exists()


def test_where_files_cannot_be_locked_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network disks have no locks."""
    import fcntl

    def flock(handle: int, how: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    with locked(tmp_path):
        enter(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", ["prepare", "prepare_text", "clean", "train", "finetune"])
def test_every_verb_that_fills_a_folder_keeps_others_out(data: Path, tmp_path: Path, verb: str) -> None:
    source, out = data / "quartets", tmp_path / "out"
    calls: dict[str, Any] = {
        "prepare": lambda: api.prepare(source, out),
        "clean": lambda: api.clean(source, out),
        "train": lambda: api.train(source, out),
        "finetune": lambda: api.finetune(source, out, model=tmp_path),
    }
    if verb == "prepare_text":
        small = tmp_path / "small"
        small.mkdir()
        (small / "a.mid").write_bytes(next(iter(sorted(source.rglob("*.mid")))).read_bytes())
        corpus = api.prepare(small, out)
        calls["prepare_text"] = lambda: api.prepare_text(corpus)
    before = sorted(out.rglob("*"))
    with held(out), pytest.raises(ToccataError, match="is being written by process"):
        calls[verb]()
    assert sorted(out.rglob("*")) == before
