"""Writing aside: nothing half-written, and nothing of a killed process for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from toccata.files import write_text, written_aside

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
    killed, left = writer(tmp_path / "a.txt")
    killed.kill()
    killed.communicate()
    alive, held = writer(tmp_path / "b.txt")
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
def test_what_was_just_left_is_let_be(tmp_path: Path) -> None:
    killed, left = writer(tmp_path / "a.txt")
    killed.kill()
    killed.communicate()
    write_text(tmp_path / "a.txt", "new")
    assert left.exists()  # too young to say that nobody is about to write it
