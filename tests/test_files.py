"""Writing aside: nothing half-written, and nothing of a killed process for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from contextlib import ExitStack
from pathlib import Path

import pytest

from toccata.files import write_bytes, write_text, written_aside

_WRITER = """
    import sys
    from pathlib import Path
    from toccata.files import written_aside

    with written_aside(Path(sys.argv[1])) as aside:
        aside.write_text("half")
        print(aside, flush=True)
        sys.stdin.read()
"""


def writer(path: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process in the middle of writing ``path``, and what it writes to."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_WRITER), str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(FileNotFoundError), written_aside(tmp_path / "a.txt") as aside:
        aside.rename(tmp_path / "nowhere" / "half")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


@pytest.mark.skipif(os.name != "posix", reason="elsewhere an old file is taken for nobody's after a day only")
def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    alive, held = writer(tmp_path / "b.txt")
    killed, left = writer(tmp_path / "a.txt")
    killed.kill()
    killed.communicate()
    mine = tmp_path / ".a-12345678.txt"
    mine.write_text("a file of the user's own")
    try:
        assert left.exists()
        assert held.exists()
        for path in (left, held, mine):
            os.utime(path, (0, 0))
        # Each process looks once.
        code = "import sys, pathlib, toccata.files as f; f.write_text(pathlib.Path(sys.argv[1]), 'c')"
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "c.txt")], check=True)
        assert not left.exists()
        assert held.exists()
        assert mine.exists()
    finally:
        alive.communicate("")
    assert (tmp_path / "b.txt").read_text() == "half"
    assert sorted(path.name for path in tmp_path.iterdir()) == [mine.name, "b.txt", "c.txt"]


@pytest.mark.skipif(os.name != "posix", reason="as above")
def test_what_was_left_a_moment_ago_is_removed_too(tmp_path: Path) -> None:
    killed, left = writer(tmp_path / "a.txt")
    killed.kill()
    killed.communicate()
    assert left.exists()
    write_text(tmp_path / "a.txt", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name != "posix", reason="flock")
def test_a_file_swept_away_before_it_is_locked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may look at the folder between a file's making and its locking."""
    import fcntl

    lock = fcntl.flock
    swept: list[str] = []

    def flock(handle: int, how: int) -> None:
        for left in tmp_path.glob(".*-aside-*") if not swept else ():
            swept.append(left.name)
            left.unlink()
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    write_text(tmp_path / "a.txt", "whole")
    assert swept
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "whole")]


@pytest.mark.skipif(os.name != "posix", reason="permissions")
@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_the_umask_holds_and_is_never_changed(tmp_path: Path, mask: int) -> None:
    """It belongs to the whole process: while it was changed, another thread's files would be open to everybody."""
    code = """
        import os, sys
        from pathlib import Path
        os.umask(int(sys.argv[2]))
        def forbidden(mask):
            raise AssertionError("the umask was changed")
        os.umask = forbidden
        from toccata.files import write_text
        write_text(Path(sys.argv[1]), "x")
    """
    path = tmp_path / "a.txt"
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(path), str(mask)], check=True)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_links_and_what_is_no_file(tmp_path: Path) -> None:
    target, link, nowhere = tmp_path / "target.txt", tmp_path / "link.txt", tmp_path / "nowhere.txt"
    target.write_text("not ours")
    link.symlink_to(target)
    nowhere.symlink_to(tmp_path / "gone")
    for path in (target, link, nowhere):
        before = path.lstat()
        with pytest.raises(FileExistsError):
            write_bytes(path, b"new", replace=False)
        assert path.lstat() == before
    for path in (link, nowhere):  # a link is replaced; what it points to is left alone
        write_text(path, "new")
        assert not path.is_symlink()
        assert path.read_text() == "new"
    assert target.read_text() == "not ours"
    assert not (tmp_path / "gone").exists()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FileExistsError, match="no file replaces"):
        write_text(pipe, "new")
    assert pipe.is_fifo()
    assert not list(tmp_path.glob(".*-aside-*"))


def test_a_name_taken_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    quicker = "somebody else's, who was quicker"
    with ExitStack() as stack:
        aside = stack.enter_context(written_aside(path, replace=False))
        aside.write_text("mine")
        path.write_text(quicker)
        with pytest.raises(FileExistsError):
            stack.close()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.txt", quicker)]
