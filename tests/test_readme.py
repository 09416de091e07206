"""The README says what works today: installing from a clone or a wheel, links that lead somewhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "all-of-toccata.md"], ids=lambda page: page.name)
def test_nobody_is_told_to_install_by_name_from_an_index(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "urls" in PROJECT or not re.findall(r'pip install [^\n]*(?<![/\w])"?toccata\b(?!-)', text)


def test_the_readme_begins_with_a_clone_and_a_wheel() -> None:
    top = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## ")[0]
    assert 'pip install -c constraints.txt -e ".[studio,train,dataset]"' in top
    assert f"dist/toccata-{PROJECT['version']}-py3-none-any.whl" in top
    assert "make demo" in top


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_what_only_makes_tokenizers_is_in_the_extras_that_train() -> None:
    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[^\w-]", requirement)[0] for requirement in requirements}

    assert not {"miditok", "tokenizers", "torch"} & names(PROJECT["dependencies"])
    for extra in ("train", "jax"):
        assert {"miditok", "tokenizers"} <= names(PROJECT["optional-dependencies"][extra])
