"""The notebook in examples/: its code runs, and what is committed of it was made by that code and is small."""

from __future__ import annotations

import ast
import json
import shutil
import sys
import types
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from toccata.piece import Piece, read_origin

NOTEBOOK = Path(__file__).parents[1] / "examples" / "beatron.ipynb"


def cells(kind: str = "code") -> list[dict[str, Any]]:
    book = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in book["cells"] if cell["cell_type"] == kind]


class Shown:
    """Stands for the notebook's own ways to show a picture: the file has to be there."""

    def __init__(self, *, filename: str | Path, width: int | None = None) -> None:
        self.data = Path(filename).read_bytes()


def run(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; the value of its last line, as a notebook would show it."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, NOTEBOOK.name, "exec"), names)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), names)


def test_every_cell_runs(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In seconds, on a few files with drums; in Jupyter and in Colab, as nothing but Python is in them."""
    (tmp_path / "midi").mkdir()
    for path in sorted((data / "game").rglob("*.mid"), key=lambda p: (p.stat().st_size, p.name))[5:13]:
        shutil.copy(path, tmp_path / "midi" / path.name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUICK", "1")
    pictures = types.ModuleType("IPython.display")
    pictures.SVG = pictures.Image = Shown  # type: ignore[attr-defined]
    around = types.ModuleType("IPython")
    around.version_info = (9, 0)  # type: ignore[attr-defined]  # matplotlib asks for it
    monkeypatch.setitem(sys.modules, "IPython", around)
    monkeypatch.setitem(sys.modules, "IPython.display", pictures)
    shown: list[Any] = []
    names: dict[str, Any] = {"__name__": "__main__", "display": shown.append}
    with mock.patch.multiple("toccata.finish", PIECES=2, BARS=1):
        values = [run("".join(cell["source"]), names) for cell in cells()]
    songs = sorted((tmp_path / "songs").glob("*.mid"))
    assert [path.name for path in songs] == [f"song-{number:02}.mid" for number in range(1, 11)]
    assert [(read_origin(path.read_bytes()) or {})["seed"] for path in songs] == list(range(1, 11))
    assert shown[0].data.startswith(b"\x89PNG")
    assert len(shown) == 10
    (song,) = (value for value in values if isinstance(value, Piece))
    bundle = song._repr_mimebundle_()
    assert "<audio controls" in bundle["text/html"]
    assert "data:image/svg+xml" in bundle["text/html"]
    assert bundle["image/svg+xml"].startswith("<svg")


def test_what_is_committed_was_run_and_is_small() -> None:
    assert NOTEBOOK.stat().st_size < 1_500_000
    counts = [cell["execution_count"] for cell in cells()]
    assert counts == list(range(1, len(counts) + 1))
    outputs = [output for cell in cells() for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert {"image/png", "image/svg+xml", "text/html"} <= kinds
    assert str(NOTEBOOK.parents[1]) not in NOTEBOOK.read_text(encoding="utf-8")
    assert "/home/" not in NOTEBOOK.read_text(encoding="utf-8")


def test_a_long_piece_is_shown_without_a_player(tmp_path: Path) -> None:
    from symusic import Note, Score, Tempo, Track

    score = Score(480)
    score.tempos = [Tempo(0, qpm=60)]
    track = Track("Organ", 19, False)
    track.notes.extend([Note(480 * 4 * i, 480 * 4, 60, 80) for i in range(76)])
    score.tracks.append(track)
    score.dump_midi(tmp_path / "long.mid")
    bundle = Piece((tmp_path / "long.mid").read_bytes(), {})._repr_mimebundle_()
    assert "<audio" not in bundle["text/html"]
    assert "<img" in bundle["text/html"]
