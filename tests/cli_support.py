"""What the tests of the command line share: calling it, and one very small model."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from toccata.cli.main import main

TINY = (
    "model.width=32", "model.layers=1", "model.heads=2", "model.kv_heads=1", "model.ffn=64", "model.context=128",
    "training.steps=4", "training.micro_batch_size=2", "training.workers=0", "training.evaluations=1",
    "training.valid_rows=2",
)  # fmt: skip
"""Settings with which a model is made in seconds."""


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout; fails if there is anything else."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line an error is told in."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        assert "a fault in toccata" not in self.err
        return lines[0]


def call(*args: object) -> Result:
    """Run a command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    # A model that knows nothing yet writes very full bars: a few are enough to measure its validity by.
    few = mock.patch.multiple("toccata.finish", PIECES=2, BARS=1)
    with few, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(arg) for arg in args])
    return Result(code, out.getvalue(), err.getvalue())


def start(*args: object, cwd: Path | None = None, **kwargs: Any) -> subprocess.Popen[str]:
    """Run a command line in a process of its own, and of its own group, as a terminal does."""
    return subprocess.Popen(
        [sys.executable, "-m", "toccata.cli.main", *map(str, args)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, **kwargs,
    )  # fmt: skip


def some_bach(data: Path, folder: Path, count: int = 6) -> Path:
    """Some short pieces of Bach in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    found = sorted((data / "bach" / "mutopia").rglob("*.mid"), key=lambda path: (path.stat().st_size, path.name))
    for path in [p for p in found if p.stat().st_size > 3000][:count]:
        shutil.copy(path, folder / path.name)
    return folder


@functools.cache
def tiny(data: Path) -> tuple[Path, Path]:
    """A model that hardly learned anything and the music it was trained on, made once."""
    place = Path(tempfile.mkdtemp(prefix="toccata-test-"))
    import atexit

    atexit.register(shutil.rmtree, place, ignore_errors=True)
    midi = some_bach(data, place / "midi")
    done = call("train", midi, "-o", place / "models" / "tiny", *TINY, "--quiet")
    assert done.code == 0, done.err
    return place / "models" / "tiny", midi
