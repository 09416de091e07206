"""Ideas with the model that comes with toccata, and models that change while they are open."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from studio_support import Page, events, notes_of, two_hands

from random_model import random_model
from toccata import look
from toccata.recipes import load
from toccata.server.decoding import Decoders
from toccata.server.settings import ServerSettings
from toccata.studio.studio import Studio
from toccata.tokenizers.events import EventOptions

BUNDLED = look.BUNDLED / look.DEFAULT_MODEL


@pytest.fixture
def decoders(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Decoders]:
    """Decoders for the bundled model, or for models in a folder of the test's own."""
    name = getattr(request, "param", "")
    settings = ServerSettings(models=(str(BUNDLED if name == "bundled" else tmp_path / "models" / "one"),))
    made = Decoders(settings, places=[tmp_path / "models"])
    yield made
    made.close()


@pytest.mark.parametrize("decoders", ["bundled"], indirect=True)
def test_the_bundled_model_fills_a_bar_and_is_reported_on(page: Page) -> None:
    piece = page.open(two_hands(4))
    melody = piece["song"]["tracks"][0]["id"]
    body = {"seq": 0, "verb": "infill", "bars": [2, 2], "tracks": [melody], "n": 2, "seed": 4}
    done = page.finished(page.post(f"pieces/{piece['id']}/ideas", body)["ideas"])
    assert [(take["state"], take["outsideChanged"]) for take in done] == [("finished", 0)] * 2
    page.studio.ideas.reporter.wait()
    reports = [page.get(f"takes/{take['id']}/report") for take in done]
    assert sorted(report["ranking"]["place"] for report in reports) == [1, 2]
    assert all(report["ranking"]["of"] == 2 and report["ranking"]["reasons"] for report in reports)
    for report in reports:
        known = report["originality"]
        assert known["verdict"]
        if known["longest"]:
            assert known["source"]
            assert 0 <= known["from"] < known["to"] <= piece["song"]["end"]
    assert [e for e in events(page) if e["type"] == "report"][-1]["report"] in reports
    (model,) = page.get("state")["models"]
    assert (model["bundled"], "bach" in model["styles"], model["controls"]["density"]) == (True, True, 8)


def test_a_model_that_is_replaced_and_one_that_goes_away(page: Page, tmp_path: Path) -> None:
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    path = random_model(tmp_path / "models" / "one", recipe.tokenizer, context=512)
    piece = page.open(two_hands())
    body = {"seq": 0, "verb": "infill", "bars": [2, 2], "n": 1, "seed": 1}
    (first,) = page.finished(page.post(f"pieces/{piece['id']}/ideas", body)["ideas"])
    other = random_model(tmp_path / "aside", recipe.tokenizer, context=512, seed=9)
    shutil.rmtree(path)
    other.rename(path)
    (second,) = page.finished(page.post(f"pieces/{piece['id']}/ideas", body)["ideas"])
    songs = [page.get(f"takes/{take['id']}/song") for take in (first, second)]
    assert (first["state"], second["state"]) == ("finished", "finished")
    assert notes_of(songs[0]) != notes_of(songs[1])
    shutil.rmtree(path)
    error = page.post(f"pieces/{piece['id']}/ideas", body, 422)["error"]
    assert "there is no model folder" in error["message"]
    assert page.get("state")["models"] == []
    assert len(page.get(f"pieces/{piece['id']}")["takes"]) == 3  # all that was there stays


def test_a_model_in_the_library_is_offered(tmp_path: Path) -> None:
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    random_model(tmp_path / "mine" / "models" / "new", recipe.tokenizer, context=512)
    made = Decoders(ServerSettings(), places=[tmp_path / "mine" / "models"])
    studio = Studio(tmp_path / "mine", made)
    assert "new" in [model["name"] for model in studio.state()["models"]]
    assert studio.state()["pieces"] == []  # its folder is no piece
    studio.close()
    made.close()
