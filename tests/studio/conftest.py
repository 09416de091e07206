"""What tests of the studio share: a studio with a small model, and a client that has its token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from studio_support import TOKEN, Page

from random_model import random_model
from toccata.recipes import load
from toccata.server.decoding import Decoders
from toccata.server.settings import ServerSettings
from toccata.studio.app import studio_app
from toccata.studio.studio import Studio
from toccata.tokenizers.events import EventOptions


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights that has every verb: what it writes goes everywhere."""
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    return random_model(tmp_path_factory.mktemp("models") / "small", recipe.tokenizer, context=512)


@pytest.fixture(scope="session")
def decoders(small_model: Path) -> Iterator[Decoders]:
    """One decoding thread for all tests of a session."""
    made = Decoders(ServerSettings(models=(str(small_model),)))
    yield made
    made.close()


@pytest.fixture
def make_page(tmp_path: Path, decoders: Decoders) -> Iterator[Callable[..., Page]]:
    """Opens a studio in a folder; all are closed at the end."""
    made: list[Page] = []

    def make(folder: Path | None = None) -> Page:
        place = folder or tmp_path / "library"
        studio = Studio(place, decoders)
        app = studio_app(studio, ServerSettings(port=8765, token=TOKEN)).app
        client = TestClient(app, base_url="http://127.0.0.1:8765", headers={"authorization": f"Bearer {TOKEN}"})
        made.append(Page(client, studio, place))
        return made[-1]

    yield make
    for page in made:
        page.studio.close()


@pytest.fixture
def page(make_page: Callable[..., Page]) -> Page:
    """A studio with an empty library."""
    return make_page()
