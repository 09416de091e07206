"""What the tests of the server share: small models, a song, and decoders."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_model import small_model
from symusic import Note, Score, Track

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
    """Four bars of a melody."""
    score = Score(480)
    score.tracks.append(Track("soprano", 52, False))
    score.tracks[0].notes.extend([Note(480 * n, 480, 72 + n * 5 % 7, 80) for n in range(16)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "song.mid"
        score.dump_midi(path)
        return path.read_bytes()
