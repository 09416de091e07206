"""docs/server.md is true: every call in it is made, and every route stands in it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from running import Running

from toccata.server.operations import OPERATIONS
from toccata.server.settings import RequestLimits

PAGE = (Path(__file__).parents[2] / "docs" / "server.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8765"


def test_every_call_of_the_page_is_answered(
    running_server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl makes these calls, and it is not installed")  # curl is no requirement of the tests
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    answers = []
    for block in BLOCKS:
        text = block.replace(ADDRESS, running_server.url)
        if block.startswith("curl"):
            for line in text.splitlines():
                done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, timeout=120)
                answers.append(done.stdout)
        elif block.startswith("import"):
            exec(compile(text, "docs/server.md", "exec"), {})
    assert len(answers) > 8
    errors = [answer for answer in answers if answer.startswith('{"error"')]
    assert len(errors) == 1
    assert "/v1/generate has no argument 'barz': do you mean bars?" in errors[0]
    assert "/v1/generate has no argument 'barz': do you mean bars?" in PAGE
    for name in ("idea", "longer", "other", "mine"):
        assert Path(f"{name}.mid").read_bytes()[:4] == b"MThd"


def test_every_route_is_on_the_page() -> None:
    assert [one.path for one in OPERATIONS if one.path.removeprefix("/v1") not in PAGE] == []


def test_the_limits_on_the_page_are_the_defaults() -> None:
    limits = RequestLimits()
    words = (f"{limits.body // 2**20} MB", f"{limits.body_seconds:g} seconds to arrive", f"{limits.pieces} pieces",
             f"{limits.bars:,} new bars", f"{limits.seconds:g} seconds", f"{limits.waiting} verbs",
             f"{limits.other} other calls")  # fmt: skip
    flat = " ".join(PAGE.split())
    assert [word for word in words if word not in flat] == []
