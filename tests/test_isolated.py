"""Nothing leaves the machine: each command does its work where there is no network, and writes where it should."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from symusic import Note, Score, Track

import isolated
from cli_support import TINY, some_bach

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in isolated.CALLS, reason="the kernel's filter is Linux's"
)
PROGRAM = [sys.executable, isolated.__file__]
_FINE = re.compile(r"/dev/(null|shm/.*|tty)|/proc/self/.*|pipe:.*|\d+")
"""What is opened for writing and is no file."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a user who has nothing yet."""
    for name in ("home", "tmp", "work"):
        (tmp_path / name).mkdir()
    return tmp_path / "home"


def environment(home: Path) -> dict[str, str]:
    """The variables of that user: none of those that tell libraries where to write, or to be silent."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
    return {
        **kept, "HOME": str(home), "TMPDIR": str(home.parent / "tmp"), "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error::ResourceWarning",
    }  # fmt: skip


def written(home: Path) -> list[str]:
    """The files of the home."""
    return sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if not path.is_dir())


def commands(home: Path, data: Path) -> list[list[str]]:
    """Every command, each on what the ones before it made."""
    some_bach(data, home.parent / "work" / "midi")
    melody = Score(480)
    melody.tracks.append(Track("", 0, False))
    melody.tracks[0].notes.extend(Note(480 * beat, 480, 72, 80) for beat in range(4))
    melody.dump_midi(home.parent / "work" / "melody.mid")
    song = str(min((home.parent / "work" / "midi").iterdir()))
    quiet, few = ["--quiet"], ["--bars", "1", "--max-tokens", "40", "--seed", "1"]
    return [
        ["check", "midi"], ["clean", "midi", "clean"], ["prepare", "midi", "corpus", *quiet],
        ["train", "midi", "-o", "models/a", "--recipe", "toccata", *TINY, "examples.fill=0.5", *quiet],
        ["finetune", "corpus", "-o", "models/b", "--model", "models/a", "training.steps=2", *quiet],
        ["generate", "--model", "models/a", *few, "-o", "a.mid", "--audio", "--plot"],
        ["generate", song, "--model", "models/a", *few, "--prompt-bars", "1", "-o", "b.mid"],
        ["generate", "--model", "models/a", *few, "-o", "best.mid", "--best-of", "2"],
        ["infill", song, "--model", "models/a", "--bars", "2-2", "-o", "c.mid"],
        ["accompany", song, "--model", "models/a", "--bars", "1-1", "--add", "cello", "-o", "d.mid"],
        ["vary", song, "--model", "models/a", "--bars", "1-1", "--keep", "rhythm", "-n", "1", "-o", "e.mid"],
        ["harmonise", "melody.mid", "--model", "models/a", "-o", "f.mid"],
        ["dataset", "bach", "chorales", "--limit", "2", *quiet],
        ["inspect", song], ["inspect", song, "--tokenizer", "models/a"],
        ["render", "a.mid", "-o", "a2.png", "-o", "a.svg", "-o", "a2.wav"],
        ["evaluate", "models/a", "midi", "--all", *quiet], ["models", "models"], ["recipes", "--no-time"], ["doctor"],
    ]  # fmt: skip


NATIVE = "import ctypes, sys; sys.exit(ctypes.CDLL(None).socket({family}, 1, 0) < 0)"
CHILD = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {text!r}]).returncode & 127)"


@pytest.mark.parametrize(("family", "code"), [(2, -signal.SIGSYS), (10, 1), (1, 0)], ids=["IPv4", "IPv6", "Unix"])
def test_there_is_no_network(family: int, code: int) -> None:
    """The filter that the other tests rely on holds below Python, and in processes that are started, too."""
    native = NATIVE.format(family=family)
    for text, expected in ((native, code), (CHILD.format(text=native), code & 127)):
        program = [sys.executable, "-c", f"import isolated; isolated.forbid_network(); {text}"]
        done = subprocess.run(program, cwd=Path(__file__).parent, check=False)
        assert done.returncode == expected


def test_no_command_connects_or_writes_elsewhere(home: Path, data: Path) -> None:
    log, work = home.parent / "log", home.parent / "work"
    lines = commands(home, data)
    done = subprocess.run(
        [*PROGRAM, str(log)], input=json.dumps(lines), capture_output=True, text=True, cwd=work, env=environment(home),
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    for name in ("models/a/toccata.json", "models/b/toccata.json", "a.wav", "a.png", "best.mid", "e.mid", "f.mid"):
        assert (work / name).exists()
    assert [path for path in written(home) if not path.startswith(".cache/toccata/")] == []
    places = [str(work), str(home / ".cache" / "toccata"), str(home.parent / "tmp")]
    touched = {line.partition(" ")[::2] for line in log.read_text().splitlines()}
    touched -= {("os.mkdir", str(home / ".cache"))}
    assert len(touched) > 50
    assert [
        (what, path)
        for what, path in sorted(touched)
        if not any(path == place or path.startswith(f"{place}/") for place in places) and not _FINE.fullmatch(path)
    ] == []
