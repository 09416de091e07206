"""What was made in the studio lasts: through a server that is started again, a closed tab, a change of piece."""
# ruff: noqa: F811 - the fixtures of a story are its arguments

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import test_stories as stories
from studio_support import notes_of, two_hands
from test_stories import (  # noqa: F401 - fixtures
    KEYBOARD,
    STUDIO,
    Server,
    all_finished,
    browser,
    drag_bars,
    drop,
    open_page,
    piece_of,
    saved,
    server,
    until,
)

OpenPage = Callable[..., Any]

HELD_ACCEPT = """() => {
  const { fetch } = window;
  const released = new Promise((release) => { window.release = release; });
  window.accepts = 0;
  window.fetch = async (path, init) => {
    if (!String(path).endsWith("/accept")) return fetch(path, init);
    window.accepts += 1;
    await released;
    return fetch(path, init);
  };
}"""
"""Keeps the request that takes an idea on its way until it is released."""


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The console may say that the server refused the page."""
    monkeypatch.setattr(stories, "GONE", (*stories.GONE, "status of 401"))


def melody(server: Server) -> list[int]:
    """The pitches of the track that is active when a piece is opened."""
    return sorted(note[3] for note in notes_of(piece_of(server)["song"]).elements() if note[0] == "t1c0")


@pytest.mark.usefixtures("refusals")
def test_edits_wait_for_the_new_address_of_a_server_that_was_started_again(
    open_page: OpenPage,
    server: Server,
) -> None:
    page = open_page()
    drop(page, two_hands())
    before = melody(server)
    server.stop()
    page.keyboard.press("Control+a")
    page.keyboard.press("ArrowUp")
    server.token = "of-another-start"
    server.start()
    line = page.get_by_text("The server was started again: open the address that it shows now, in this tab.")
    line.wait_for()
    page.get_by_text("Not sent yet").wait_for()
    page.goto(server.address)  # the same page: only what is behind the # is another
    saved(page)
    line.wait_for(state="detached")
    assert melody(server) == [pitch + 1 for pitch in before]


def test_a_tab_with_unsent_edits_asks_before_it_is_closed(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    drop(page, two_hands())
    server.stop()
    page.keyboard.press("Control+a")
    page.keyboard.press("ArrowUp")
    page.get_by_text("Not sent yet").wait_for()
    page.on("dialog", lambda dialog: dialog.dismiss())
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    server.start()
    saved(page)


def test_locks_that_are_set_without_a_server_are_there_when_it_is_back(
    open_page: OpenPage,
    server: Server,
) -> None:
    page = open_page()
    drop(page, two_hands())
    count = len(melody(server))
    server.stop()
    page.keyboard.press("Control+a")
    page.keyboard.press("k")
    page.get_by_text("Not sent yet").wait_for()
    server.start()
    saved(page)
    until(page, f"{STUDIO}.connected")
    assert page.evaluate(f"() => {STUDIO}.piece.locks.size") == count
    assert len(piece_of(server)["locks"]) == count


def test_an_idea_is_taken_once_by_a_key_that_is_pressed_twice(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    drop(page, two_hands())
    before = notes_of(piece_of(server)["song"])
    drag_bars(page, 2, 2)
    page.keyboard.press("f")
    all_finished(page, 3)
    page.evaluate(HELD_ACCEPT)
    page.keyboard.press("Enter")
    until(page, "window.accepts === 1")
    page.keyboard.press("Enter")
    page.evaluate("() => release()")
    until(page, f"{STUDIO}.ideas.chips.length === 0")
    assert page.evaluate("() => window.accepts") == 1
    page.keyboard.press("Control+z")
    until(page, f"!{STUDIO}.piece.canUndo")
    assert notes_of(piece_of(server)["song"]) == before


def test_the_idea_is_taken_that_was_chosen_while_another_is_heard(
    open_page: OpenPage,
    server: Server,
) -> None:
    page = open_page()
    drop(page, two_hands(16))
    drag_bars(page, 2, 3)
    page.keyboard.press("f")
    until(page, f"{STUDIO}.ideas.chips.length === 3")
    first = page.evaluate(f"() => {STUDIO}.ideas.chips[0].take.id")
    page.evaluate(f"() => {{ void {STUDIO}.take(); {STUDIO}.hear(2); }}")
    until(page, f"{STUDIO}.ideas.chips.length === 0")
    assert piece_of(server)["take"] == first


def test_a_recording_stays_in_its_piece(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    drop(page, two_hands(), "First.mid")
    first = page.evaluate(f"() => {STUDIO}.piece.id")
    page.evaluate(KEYBOARD)
    page.keyboard.press("r")
    until(page, f"{STUDIO}.recording.active && {STUDIO}.playing.player.position() > 0")
    page.evaluate("() => strike(0x90, 100, 100)")
    page.keyboard.press("Home")
    until(page, f"{STUDIO}.playing.player.position() > 400")
    drop(page, two_hands(), "Second.mid")
    until(page, f"!{STUDIO}.unsaved")
    assert not page.evaluate(f"() => {STUDIO}.recording.active")
    second = page.evaluate(f"() => {STUDIO}.piece.id")
    assert 100 not in [note[3] for note in notes_of(server.studio.piece(second)["song"])]
    played = [note for note in notes_of(server.studio.piece(first)["song"]) if note[3] == 100]
    assert len(played) == 1
    assert played[0][2] > 300


def test_enter_ends_a_recording(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    drop(page, two_hands())
    page.evaluate(KEYBOARD)
    page.keyboard.press("r")
    until(page, f"{STUDIO}.recording.active && {STUDIO}.playing.player.position() > 0")
    page.evaluate("() => strike(0x90, 100, 100)")
    until(page, f"{STUDIO}.playing.player.position() > 400")
    page.keyboard.press("Enter")
    saved(page)
    assert page.evaluate(f"() => [{STUDIO}.recording.active, {STUDIO}.playing.tick]") == [False, 0]
    assert [note[2] > 300 for note in notes_of(piece_of(server)["song"]) if note[3] == 100] == [True]
