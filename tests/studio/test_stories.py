"""The studio as a musician uses it: the built page in a real browser, a real server, a model of random weights."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import browsers
import pytest
import uvicorn
from studio_support import TOKEN, notes_of, two_hands

from toccata.server.decoding import Decoders
from toccata.server.settings import ServerSettings
from toccata.studio.app import PAGE, studio_app
from toccata.studio.studio import Studio

APP = "document.querySelector('toccata-studio')"
STUDIO = f"{APP}.studio"
ROLL = f"{APP}.shadowRoot.querySelector('toccata-stage').shadowRoot.querySelector('toccata-roll')"
LONGEST = 60_000
"""Milliseconds after which what a test waits for is not to be expected any more."""
GONE = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")


class Server:
    """A server in a thread, which can be stopped and started again at the same address."""

    token = TOKEN

    def __init__(self, studio: Studio) -> None:
        self.studio, self.port = studio, 0
        self.start()

    def start(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = int(listener.getsockname()[1])
        app = studio_app(self.studio, ServerSettings(port=self.port, token=self.token)).app
        config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]}, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.should_exit = self.server.force_exit = True
        self.thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/#token={self.token}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if reason := browsers.why_not():
        pytest.skip(reason)  # a browser is no requirement of the tests
    assert (PAGE / "index.html").is_file(), "the built page is in the repository: npm run build in studio/"
    with browsers.browser() as running:
        yield running


@pytest.fixture
def server(tmp_path: Path, decoders: Decoders) -> Iterator[Server]:
    studio = Studio(tmp_path / "library", decoders)
    made = Server(studio)
    yield made
    made.stop()
    studio.close()


@pytest.fixture
def open_page(browser: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Opens pages; the console of each has to stay free of errors, but for a server that is gone."""
    contexts: list[Any] = []
    messages: list[str] = []

    def make(width: int = 1280, height: int = 800, **more: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("console", lambda message: messages.append(message.text) if message.type == "error" else None)
        page.goto(server.address)
        until(page, f"{STUDIO} && {STUDIO}.server")
        return page

    yield make
    for context in contexts:
        context.close()
    assert [text for text in messages if not any(gone in text for gone in GONE)] == []


def until(page: Any, condition: str) -> None:
    """Wait for a condition; by a function of its own, as the page's policy permits no evaluated strings."""
    page.evaluate(
        f"""(longest) => new Promise((met, never) => {{
            setTimeout(() => never(new Error("this never came: " + {condition!r})), longest);
            const look = () => ({condition}) ? met() : setTimeout(look, 10);
            look();
        }})""",
        LONGEST,
    )


def drop(page: Any, midi: bytes, name: str = "Tune.mid") -> None:
    """Drop a file onto the page, and wait until it is open."""
    page.evaluate(
        """([bytes, name]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "audio/midi" }));
            for (const kind of ["dragover", "drop"])
                window.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        [list(midi), name],
    )
    until(page, f"{STUDIO}.piece && {STUDIO}.piece.title === '{name.removesuffix('.mid')}' && {STUDIO}.song.end > 0")


def drag_bars(page: Any, first: int, last: int) -> None:
    """Choose bars in the ruler with the mouse."""
    page.evaluate(f"() => {ROLL}.idle()")
    place = f"() => [{ROLL}.toClientTick({STUDIO}.song.bars.start(%d)), {ROLL}.getBoundingClientRect().top + 12]"
    (left, y), (right, _) = page.evaluate(place % first), page.evaluate(place % (last + 1))
    page.mouse.move(left + 6, y)
    page.mouse.down()
    page.mouse.move((left + right) / 2, y)
    page.mouse.move(right - 6, y)
    page.mouse.up()
    until(page, f"({STUDIO}.view.range || []).join() === '{first},{last}'")


def all_finished(page: Any, count: int) -> None:
    until(page, f"{STUDIO}.ideas.chips.length === {count} && {STUDIO}.ideas.growing.length === 0")


def saved(page: Any) -> None:
    until(page, f"{STUDIO}.piece.saved === 'saved'")


def piece_of(server: Server) -> Any:
    state = server.studio.state()
    return server.studio.piece(state["pieces"][0]["id"])


def test_two_bars_are_filled_in_three_actions_and_undone_in_one(open_page: Callable[..., Any], server: Server) -> None:
    page = open_page()
    drop(page, two_hands())
    before = notes_of(piece_of(server)["song"])
    drag_bars(page, 2, 3)
    page.keyboard.press("f")
    until(page, f"{STUDIO}.ideas.chips.length === 3")
    page.keyboard.press("Enter")  # at once: it is taken when it is finished
    until(page, f"{STUDIO}.ideas.chips.length === 0")
    piece = piece_of(server)
    after, bar = notes_of(piece["song"]), 4 * 480
    changed = (before - after) + (after - before)
    assert changed
    assert all(bar <= note[1] < 3 * bar for note in changed)
    assert page.evaluate(f"() => {STUDIO}.piece.takes.get({STUDIO}.piece.take).outsideChanged") == 0
    page.keyboard.press("Control+z")
    until(page, f"!{STUDIO}.piece.canUndo")
    assert notes_of(piece_of(server)["song"]) == before


def test_a_bass_is_added_in_three_actions(open_page: Callable[..., Any], server: Server) -> None:
    page = open_page()
    drop(page, two_hands())
    page.keyboard.press("a")
    page.get_by_role("button", name="Bass 1").wait_for()
    page.keyboard.press("1")
    all_finished(page, 2)
    page.keyboard.press("Enter")
    until(page, f"{STUDIO}.song.tracks.length === 3")
    assert [track["program"] for track in piece_of(server)["song"]["tracks"]] == [0, 32, 33]


def test_the_second_of_four_variants_is_kept_in_four_actions(open_page: Callable[..., Any], server: Server) -> None:
    page = open_page()
    drop(page, two_hands())
    drag_bars(page, 1, 2)
    page.keyboard.press("v")
    all_finished(page, 4)
    second = page.evaluate(f"() => {STUDIO}.ideas.chips[1].take.id")
    page.keyboard.press("2")
    assert page.evaluate(f"() => {ROLL}.idea.id") == second
    page.keyboard.press("0")
    assert page.evaluate(f"() => {ROLL}.idea") is None
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    until(page, f"{STUDIO}.piece.take === '{second}'")
    assert piece_of(server)["take"] == second


def test_ideas_that_are_put_away_stay_in_the_tree(open_page: Callable[..., Any], server: Server) -> None:
    page = open_page()
    drop(page, two_hands())
    drag_bars(page, 2, 2)
    page.keyboard.press("f")
    all_finished(page, 3)
    page.keyboard.press("g")
    all_finished(page, 5)
    page.keyboard.press("Escape")
    until(page, f"{STUDIO}.ideas.chips.length === 0")
    assert page.get_by_role("treeitem").count() == 6
    page.get_by_role("treeitem").first.hover()
    page.get_by_role("button", name="Compare with what is on screen").first.click()
    until(page, f"{STUDIO}.layer !== null")
    page.keyboard.press("b")
    until(page, f"{STUDIO}.layer === null")


def test_what_cannot_be_done_says_why(open_page: Callable[..., Any]) -> None:
    page = open_page()
    drop(page, two_hands())
    page.keyboard.press("f")
    page.get_by_text("Fill needs bars: drag in the ruler above the notes.").wait_for()
    page.evaluate(
        """() => { const transfer = new DataTransfer(); transfer.items.add(new File(["x"], "song.mp3"));
            window.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, cancelable: true })); }"""
    )
    alert = page.get_by_role("alert")
    alert.get_by_text("song.mp3 is not a MIDI file").wait_for()
    alert.get_by_role("button", name="Dismiss").click()
    assert alert.count() == 0


def test_edits_survive_a_reload_and_can_be_undone_after_it(open_page: Callable[..., Any], server: Server) -> None:
    page = open_page()
    drop(page, two_hands())
    before = notes_of(piece_of(server)["song"])
    page.keyboard.press("Control+a")
    page.keyboard.press("ArrowUp")
    saved(page)
    raised = notes_of(piece_of(server)["song"])
    assert raised != before
    page.reload()
    until(page, f"{STUDIO} && {STUDIO}.piece")
    page.keyboard.press("Control+z")
    until(page, f"{STUDIO}.piece.canRedo")
    assert notes_of(piece_of(server)["song"]) == before
    page.keyboard.press("Control+Shift+z")
    until(page, f"!{STUDIO}.piece.canRedo")
    assert notes_of(piece_of(server)["song"]) == raised


def test_nothing_is_lost_while_the_server_is_gone(open_page: Callable[..., Any], server: Server) -> None:
    page = open_page()
    drop(page, two_hands())
    server.stop()
    page.keyboard.press("Control+a")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.get_by_text("The server cannot be reached").wait_for()
    page.get_by_text("Not sent yet").wait_for()
    server.start()
    saved(page)
    until(page, f"{STUDIO}.connected")
    assert sorted(note[3] for note in notes_of(piece_of(server)["song"]) if note[0] == "t1c0")[:2] == [62, 62]


def test_two_windows_show_the_same(open_page: Callable[..., Any], server: Server) -> None:
    one = open_page()
    drop(one, two_hands())
    other = open_page()
    until(other, f"{STUDIO}.piece")
    one.keyboard.press("Control+a")
    one.keyboard.press("Shift+ArrowUp")
    saved(one)
    pitches = "song.tracks[0].notes.pitch"
    until(other, f"{STUDIO}.{pitches}[0] === 72")
    other.get_by_text("changed in another window").wait_for()


KEYBOARD = """() => {
  const input = { id: "1", name: "Keys", manufacturer: "", state: "connected", onmidimessage: null };
  navigator.requestMIDIAccess = async () => ({ inputs: new Map([["1", input]]), onstatechange: null });
  window.strike = (...data) =>
    input.onmidimessage({ data: new Uint8Array(data), timeStamp: performance.now() });
}"""
"""A MIDI keyboard, as the browser would have it: the narrowest place where there is none here."""


def test_what_is_played_becomes_a_take_of_its_own(open_page: Callable[..., Any], server: Server) -> None:
    page = open_page()
    drop(page, two_hands())
    page.evaluate(KEYBOARD)
    page.keyboard.press("r")
    until(page, f"{STUDIO}.recording.active")
    until(page, f"{STUDIO}.playing.player.position() > 0")
    page.evaluate("() => strike(0x90, 90, 100)")
    until(page, f"{STUDIO}.playing.player.position() > 300")
    page.evaluate("() => strike(0x80, 90, 0)")
    page.keyboard.press("r")
    saved(page)
    piece = piece_of(server)
    played = next(take for take in piece["takes"] if take["kind"] == "recording")
    assert (played["id"], played["notes"], played["title"]) == (piece["take"], 1, "Recording")
    assert 90 in [note[3] for note in notes_of(piece["song"])]
    page.get_by_text("Recording").first.wait_for()
    page.keyboard.press("Control+a")
    page.keyboard.press("Shift+ArrowUp")
    saved(page)
    assert piece_of(server)["take"] != played["id"]
    page.keyboard.press("Control+z")
    until(page, f"{STUDIO}.song.tracks[0].notes.pitch.includes(90)")
    page.keyboard.press("Control+z")
    until(page, f"!{STUDIO}.song.tracks[0].notes.pitch.includes(90)")


def test_a_track_is_made_softer_and_that_is_undone(open_page: Callable[..., Any], server: Server) -> None:
    page = open_page()
    drop(page, two_hands())
    volume = page.get_by_role("slider", name="Volume, Melody")
    volume.fill("40")
    page.get_by_role("slider", name="Left, right, Melody").fill("0")
    saved(page)
    track = piece_of(server)["song"]["tracks"][0]
    assert (track["volume"], track["pan"]) == (40, 0)
    assert volume.input_value() == "40"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Undo", exact=True).first.click()
    until(page, f"{STUDIO}.song.tracks[0].pan !== 0")
    page.get_by_role("button", name="Undo", exact=True).first.click()
    until(page, f"{STUDIO}.song.tracks[0].volume !== 40")
    assert piece_of(server)["song"]["tracks"][0].get("volume") is None


def test_without_any_file_two_clicks_bring_music(open_page: Callable[..., Any], server: Server) -> None:
    page = open_page()
    page.get_by_role("button", name="Write something").click()
    all_finished(page, 3)
    page.keyboard.press("Enter")
    until(page, f"{STUDIO}.song.tracks.length > 0")
    saved(page)
    piece = piece_of(server)
    assert next(take for take in piece["takes"] if take["id"] == piece["take"])["verb"] == "generate"
    page.get_by_text("Write bars 1-8").first.wait_for()


def test_a_key_before_the_library_opens_is_not_overridden(open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.keyboard.press("Escape")
    page.evaluate(f"() => {{ {STUDIO}.set({{ dialog: 'new' }}); return {STUDIO}.connection.openLast(); }}")
    page.get_by_role("dialog", name="New piece").wait_for()


def test_new_music_fills_an_empty_piece(open_page: Callable[..., Any], server: Server) -> None:
    page = open_page()
    page.get_by_role("button", name="New piece").click()
    page.get_by_label("Title", exact=True).fill("Fresh")
    page.keyboard.press("Enter")
    until(page, f"{STUDIO}.piece && {STUDIO}.piece.title === 'Fresh'")
    page.keyboard.press("c")
    all_finished(page, 3)
    ends = page.evaluate(
        f"() => {STUDIO}.ideas.chips.map((idea) => Math.max(...[...idea.layer.added.values()]"
        ".flatMap(({ notes }) => notes.map((note) => note[0]))))"
    )
    assert all(end < 8 * 1920 for end in ends)
    assert max(ends) >= 7 * 1920  # eight bars, though not each idea begins a note in the last
    page.keyboard.press("Enter")
    until(page, f"{STUDIO}.song.tracks.length > 0")
    assert piece_of(server)["song"]["ticksPerQuarter"] == 480


def test_everything_has_its_key_on_the_help_page(open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.get_by_role("dialog", name="Library").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Help")
    for words in ("Fill the chosen bars", "Take the idea that is heard", "Compare two takes by ear", "Play or stop"):
        dialog.get_by_text(words).first.wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    page.keyboard.press("Control+k")
    page.locator("input[role=combobox]:focus").wait_for()
    page.keyboard.type("light dark")
    page.keyboard.press("Enter")
    until(page, "document.documentElement.dataset.theme === 'dark'")


def test_a_phone_shows_one_part_at_a_time(open_page: Callable[..., Any]) -> None:
    page = open_page(360, 740)
    drop(page, two_hands())
    assert page.evaluate("() => document.documentElement.scrollWidth") == 360
    parts = {"Tracks": "toccata-tracks", "Takes": "toccata-takes", "Train": "toccata-train", "Notes": "toccata-stage"}
    for name, shown in parts.items():
        page.get_by_role("navigation").get_by_role("button", name=name).click()
        page.locator(shown).wait_for()
        assert [part for part in parts.values() if page.locator(part).is_visible()] == [shown]


def test_the_table_changes_a_note(open_page: Callable[..., Any], server: Server) -> None:
    page = open_page()
    drop(page, two_hands())
    page.keyboard.press("n")
    pitch = page.get_by_role("textbox", name="Pitch").first
    pitch.fill("F#5")
    pitch.press("Enter")
    until(page, f"{STUDIO}.song.tracks[0].notes.pitch[0] === 78")
    saved(page)
    assert piece_of(server)["song"]["tracks"][0]["notes"][2] == 78
    locks = page.get_by_role("checkbox", name="Locked").first
    locks.check()
    until(page, f"{STUDIO}.piece.locks.size === 1")
    page.get_by_text("Locked notes (1)").wait_for()


def test_a_deleted_piece_makes_room_and_comes_back(open_page: Callable[..., Any], server: Server) -> None:
    page = open_page()
    drop(page, two_hands())
    page.keyboard.press("Control+o")
    page.get_by_role("button", name="Delete Tune").click()
    until(page, f"{STUDIO}.piece === null")
    page.get_by_text("No pieces yet.").wait_for()
    page.get_by_role("button", name="Undo", exact=True).last.click()
    until(page, f"{STUDIO}.piece && {STUDIO}.piece.title === 'Tune'")
