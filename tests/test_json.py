"""What `--json` prints is what docs/formats.md says: for every command, key for key."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from symusic import Note, Score, Track

from cli_support import call, some_bach, tiny
from toccata.cli.main import _COMMANDS

PAGE = Path(__file__).parents[1] / "docs" / "formats.md"
Shape = dict[str, Any] | list[Any] | None


def parsed(text: str) -> Shape:
    """The shape that the page writes: objects of keys without values, lists, `{}` for any keys, `?` for some times."""
    # As JSON: keys with `?` keep it in their names, and a key without a value has null.
    text = re.sub(r'"([^"]+)"\?', r'"\1?"', text)
    text = re.sub(r'("[^"]+")(?=[,}])', r"\1: null", text)
    shape: Shape = json.loads(text)
    return shape


def documented() -> dict[str, Shape]:
    table = PAGE.read_text(encoding="utf-8").split("## JSON on stdout")[1].split("\n\n")[2]
    out: dict[str, Shape] = {}
    for row in table.splitlines()[2:]:
        _, names, shape, _ = row.split("|")
        for name in names.replace("`", "").split(","):
            out[name.strip()] = parsed(shape.strip().strip("`"))
    return out


def differences(shape: Shape, value: Any, where: str = "") -> list[str]:
    """Where a value is not as the page says."""
    if shape is None or value is None:
        return []
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where} is no list"]
        return [line for one in value for line in differences(shape[0] if shape else None, one, f"{where}[]")]
    if not isinstance(value, dict):
        return [f"{where} is no object"]
    if not shape:
        return []
    must = {name for name in shape if not name.endswith("?")}
    may = {name.rstrip("?") for name in shape}
    wrong = [f"{where}.{name} is missing" for name in sorted(must - set(value))]
    wrong += [f"{where}.{name} is not on the page" for name in sorted(set(value) - may)]
    for name, part in shape.items():
        wrong += differences(part, value.get(name.rstrip("?")), f"{where}.{name}")
    return wrong


def test_differences_are_found() -> None:
    shape = parsed('{"a", "b"?: [{"c"}], "d": {}}')
    assert differences(shape, {"a": 1, "d": {"x": 1}}) == []
    assert differences(shape, {"a": 1, "b": [{"c": 1}, {}], "d": {}, "e": 1}) == [
        ".e is not on the page",
        ".b?[].c is missing",
    ]
    assert differences(shape, {"b": {}, "d": []}) == [".a is missing", ".b? is no list", ".d is no object"]


def test_every_command_prints_what_the_page_says(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    model, midi = tiny(data)
    song = sorted(midi.iterdir())[0]
    broken = some_bach(data, tmp_path / "mixed", 4)
    (broken / "broken.mid").write_bytes(b"MThd no more")
    writing: list[object] = ["--model", model]
    short = [*writing, "--max-tokens", 40]
    quick = ["training.steps=2", "training.micro_batch_size=2", "training.workers=0", "--quiet"]
    lines: dict[str, list[list[object]]] = {
        "generate": [["--bars", 1, *short], ["--bars", 1, "--best-of", 2, *short, "-o", "best.mid"]],
        "infill": [[song, "--bars", 1, *writing]],
        "accompany": [[song, "--add", "cello", "--bars", 1, *writing]],
        "harmonise": [["melody.mid", "--bars", 1, *writing]],
        "vary": [[song, "--keep", "rhythm", "--bars", 1, "-n", 1, *writing]],
        "train": [[midi, "-o", "trained", "model.width=32", "model.layers=1", "model.heads=2", "model.kv_heads=1",
                   "model.ffn=64", "model.context=128", *quick]],
        "finetune": [[midi, "--model", "trained", "-o", "tuned", *quick],
                     [midi, "--model", "trained", "-o", "mine.safetensors", *quick]],
        "evaluate": [[model, midi, "--all"], ["trained", midi, "--all", "--style-file", "mine.safetensors"]],
        "check": [[broken, "--report", "report.html"]],
        "clean": [[broken, "cleaned"]],
        "prepare": [[broken, "corpus"], [broken, "texts", "--text"]],
        "dataset": [["bach", "chorales", "--limit", 2]],
        "inspect": [[song, "--bars", 1], [song, "--bars", 1, "--decode", "back.mid"]],
        "render": [[song, "-o", "roll.png"]],
        "models": [[]],
        "recipes": [["--no-time"]],
        "doctor": [[]],
    }  # fmt: skip
    melody = Score(480)
    melody.tracks.append(Track("Melody", 73, False))
    melody.tracks[0].notes.extend([Note(480 * n, 480, 67 + n % 4, 80) for n in range(4)])
    melody.dump_midi("melody.mid")
    page = documented()
    others = {name for name in page if name.startswith("evaluate (")}
    serving = {"serve", "studio"}  # until it is stopped
    assert set(lines) | serving == set(_COMMANDS) == set(page) - {"an error"} - others
    for name, calls in lines.items():
        for arguments in calls:
            done = call(name, *arguments, "--json")
            assert done.code == 0, (name, done.err)
            assert differences(page[name], done.json, name) == []
    few: list[object] = ["-n", 4, "--bars", 1, "--json"]
    board = call("evaluate", model, broken, midi, "--all", *few, "--html", "board.html")
    assert differences(page["evaluate (a scoreboard)"], board.json, "scoreboard") == []
    heard = call("evaluate", midi, midi, "--listen", *few)
    assert differences(page["evaluate (a listening test)"], heard.json, "listening test") == []
    assert differences(page["an error"], call("inspect", "nowhere.mid", "--json").json, "an error") == []
