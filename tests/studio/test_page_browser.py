"""A piece saved as a page, opened in a real browser from the disk: it is drawn, it plays, and it fetches nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browsers
import pytest
from symusic import Note, Score, Tempo, Track

from toccata.piece import Piece, Pieces

STUDIO = Path(__file__).parents[2] / "studio"
SCRIPT = Path(__file__).parents[2] / "src" / "toccata" / "render" / "notebook.js"
EVIL = '</script><img src="https://example.org/x" onerror="window.broken = 1">'


def piece() -> Piece:
    score = Score(480)
    score.tempos = [Tempo(0, qpm=120)]
    for program, name in ((0, EVIL), (33, "Bass")):
        track = Track(name, program, False)
        track.notes.extend([Note(480 * n, 480, 40 + program % 12 + n, 90) for n in range(16)])
        score.tracks.append(track)
    return Piece(score.dumps_midi(), {"file": "test.mid"})


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if reason := browsers.why_not():
        pytest.skip(reason)  # a browser is no requirement of the tests
    with browsers.browser(browsers.AT_ONCE) as running:
        yield running


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 900, "height": 600})
    page = context.new_page()
    messages: list[str] = []
    requests: list[str] = []
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("console", lambda message: messages.append(message.text))
    page.on("request", lambda request: requests.append(request.url))
    yield page
    assert page.evaluate("() => window.broken") is None
    context.close()
    assert messages == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


def until(page: Any, condition: str) -> None:
    """Wait for a condition; by a function of its own, as the page's policy permits no evaluated strings."""
    look = f"() => new Promise((met) => {{ const look = () => ({condition}) ? met() : setTimeout(look, 5); look(); }})"
    page.evaluate(look)


ROLL = "document.querySelector('[data-toccata]').shadowRoot.querySelector('toccata-roll')"
PLACE = "document.querySelector('[data-toccata]').shadowRoot.querySelector('.place').textContent"


def test_a_saved_page_is_drawn_and_plays(page: Any, tmp_path: Path) -> None:
    page.goto(piece().save(tmp_path / "piece.html").as_uri())
    until(page, f"{ROLL}.model().drawnNotes === 32")
    tracks = page.locator("button.track")
    assert tracks.all_text_contents() == [EVIL, "Bass"]
    page.get_by_role("button", name="Play").click()
    until(page, f"{PLACE}.startsWith('bar 2 of 4')")
    tracks.first.click()
    assert tracks.first.get_attribute("aria-pressed") == "false"
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Play").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="MIDI file").click()
    assert Path(download.value.path()).read_bytes() == piece().midi
    assert download.value.suggested_filename == "piece.mid"


def test_the_space_key_plays_and_stops(page: Any, tmp_path: Path) -> None:
    page.goto(piece().save(tmp_path / "piece.html").as_uri())
    page.evaluate(f"() => {ROLL}.focus()")
    page.keyboard.press("Space")
    page.get_by_role("button", name="Stop").wait_for()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Play").wait_for()


def test_pieces_in_a_notebook_replace_their_pictures_and_play_one_at_a_time(page: Any, tmp_path: Path) -> None:
    pieces = Pieces([piece(), Piece(piece().midi + b"", {"file": "other.mid"})])
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><meta charset=utf-8>{pieces._repr_html_()}", encoding="utf-8")
    page.goto(path.as_uri())
    play = page.get_by_role("button", name="Play")
    assert play.count() == 2
    assert not page.locator("img").first.is_visible()
    play.first.click()
    page.get_by_role("button", name="Stop").wait_for()
    play.first.click()  # the first that is not playing: the second piece
    assert page.get_by_role("button", name="Stop").count() == 1


def test_the_committed_script_is_the_one_built_from_the_sources(tmp_path: Path) -> None:
    vite = STUDIO / "node_modules" / ".bin" / "vite"
    if not vite.exists() or shutil.which("node") is None:
        pytest.skip("the page's build tools are not installed: npm ci in studio/")  # node is no requirement
    command = [vite, "build", "--config", "vite.notebook.ts", "--outDir", tmp_path, "--logLevel", "error"]
    subprocess.run(command, cwd=STUDIO, check=True, timeout=120)
    assert (tmp_path / "notebook.js").read_text(encoding="utf-8") == SCRIPT.read_text(encoding="utf-8"), (
        "run `npm run notebook` in studio/ and commit src/toccata/render/notebook.js"
    )
