"""What the tests of the server share: small models, a song, and decoders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from made_song import four_bars
from running import Running, running
from small_model import small_model

from toccata.server.decoding import Decoders
from toccata.server.settings import ServerSettings


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two small models, ``first`` and ``second``."""
    place = tmp_path_factory.mktemp("models")
    small_model(place / "first")
    small_model(place / "second", seed=1)
    return place


@pytest.fixture(scope="session")
def settings(models: Path) -> ServerSettings:
    return ServerSettings(models=(str(models / "first"), str(models / "second")))


@pytest.fixture(scope="session")
def decoders(settings: ServerSettings) -> Iterator[Decoders]:
    made = Decoders(settings)
    made.warm()
    yield made
    made.close()


@pytest.fixture(scope="session")
def song() -> bytes:
    return four_bars()


@pytest.fixture(scope="session")
def running_server(settings: ServerSettings) -> Iterator[Running]:
    """A server that all tests share; it needs no token."""
    with running(settings) as server:
        server.server.service.decoders.warm()
        yield server


@pytest.fixture
def client(running_server: Running) -> httpx.Client:
    return running_server.client
