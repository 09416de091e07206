"""Every sh and python block of the README and the docs runs, page by page, in order, in an empty folder.

An HTML comment above a block changes what happens to it:

- ``<!-- ci: replace "this" "that" -->`` runs it with a text replaced, where it would take minutes or needs a file that
  the reader has
- ``<!-- ci: skip, because ... -->`` leaves it out, and says why
- ``<!-- ci: output -->`` above a text block: the python block before it prints exactly this
- ``<!-- ci: file NAME -->`` writes the block to a file
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SECONDS = 300
"""No block may take longer."""

_BLOCK = re.compile(r"((?:^<!-- ci: [^\n]+ -->\n)*)^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DIRECTIVE = re.compile(r"<!-- ci: (.+) -->")
_REPLACE = re.compile(r'replace "([^"]+)" "([^"]*)"')


@dataclass(frozen=True)
class Block:
    """A block of code in a page, and what the comments above it say."""

    page: str
    line: int
    language: str
    text: str
    skipped: str
    is_output: bool
    file: str


def blocks(path: Path) -> list[Block]:
    """The blocks of a page, in order, replacements made."""
    page = path.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(page):
        text, skipped, is_output, file = match[3], "", False, ""
        for said in _DIRECTIVE.findall(match[1]):
            if change := _REPLACE.fullmatch(said):
                assert change[1] in text, f"{path.name}: {change[1]!r} is not in the block below it"
                text = text.replace(change[1], change[2])
            elif said.startswith("skip, because "):
                skipped = said.removeprefix("skip, because ")
            elif said.startswith("file "):
                file = said.removeprefix("file ")
            elif said == "output":
                is_output = True
            else:
                raise AssertionError(f"{path.name}: {said!r} is nothing that can be said of a block")
        line = page.count("\n", 0, match.start(2)) + 1
        found.append(Block(path.name, line, match[2], text, skipped, is_output, file))
    return found


def _environment() -> dict[str, str]:
    # The commands of the environment the tests run in; nothing of the reader's own settings.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOCCATA_")}
    kept["TOCCATA_CACHE"] = str(Path.cwd() / "cache")
    return {**kept, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])}


def _shell(block: Block) -> None:
    done = subprocess.run(
        ["sh", "-e", "-c", block.text], env=_environment(), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{block.page}:{block.line}\n{block.text}\n{done.stdout}\n{done.stderr}"


def _python(block: Block, names: dict[str, Any]) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile("\n" * block.line + block.text, block.page, "exec"), names)
    return said.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_block_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    todo = blocks(page)
    if not any(block.language in ("sh", "python") and not block.skipped for block in todo):
        return
    if any("dataset bach" in block.text for block in todo):
        pytest.importorskip("music21")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__page__"}
    printed = ""
    for block in todo:
        if block.file:
            Path(block.file).write_text(block.text, encoding="utf-8")
        elif block.is_output:
            assert printed == block.text, f"{block.page}:{block.line}"
        elif block.skipped:
            continue
        elif block.language == "sh":
            assert shutil.which("sh"), "the docs are run where there is a POSIX shell"
            _shell(block)
        elif block.language == "python":
            printed = _python(block, names)


def test_blocks_left_out_are_few_and_say_why() -> None:
    left = [block for page in PAGES for block in blocks(page) if block.skipped]
    assert len(left) <= 4
    assert all(len(block.skipped) > 15 for block in left)


def test_every_block_has_a_language_that_is_known() -> None:
    assert {block.language for page in PAGES for block in blocks(page)} <= {"sh", "python", "text", "toml", "ts"}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    lost = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert lost == []


def test_pictures_are_small() -> None:
    assert [p.name for p in (ROOT / "docs" / "images").glob("*") if p.stat().st_size > 200_000] == []


@pytest.mark.parametrize(("page", "maker"), [("cli.md", "cli_page"), ("recipes.md", "recipes_page")])
def test_pages_from_the_code_are_up_to_date(page: str, maker: str) -> None:
    # In a process of its own: click keeps a help option once made, and other tests make it otherwise.
    script = f"import runpy, sys; sys.stdout.write(runpy.run_path('docs/generate.py')['{maker}']())"
    env = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    made = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, check=True, capture_output=True).stdout
    written = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert written == made.decode("utf-8"), "run: python docs/generate.py"


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_make_targets_that_are_named_exist() -> None:
    named = {
        target
        for page in [*PAGES, ROOT / ".ci" / "run"]
        for target in re.findall(r"\bmake ([a-z]+)\b(?=[^\n]*(?:#|`|$|VENV))", page.read_text(encoding="utf-8"))
        if f"`make {target}`" in page.read_text(encoding="utf-8")
        or f"\nmake {target}" in page.read_text(encoding="utf-8")
    }
    assert named
    assert named <= _targets()


def test_the_readme_has_every_recipe() -> None:
    from toccata.recipes import names

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in names() if f"| `{name}` |" not in readme] == []


def test_pins_are_within_the_ranges() -> None:
    import tomllib

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(item for extra in project["optional-dependencies"].values() for item in extra),
    ]
    for text in wanted:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        assert name == "toccata" or requirement.specifier.contains(pins[name]), text
