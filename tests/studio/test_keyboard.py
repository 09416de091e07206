"""The studio without a mouse: whose a key is, where the focus goes, what is announced; fields that show what holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from studio_support import two_hands
from test_stories import (  # noqa: F401 - fixtures
    APP,
    ROLL,
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

# ruff: noqa: F811

FOCUSED = """(() => { let at = document.activeElement;
    while (at && at.shadowRoot && at.shadowRoot.activeElement) at = at.shadowRoot.activeElement; return at; })()"""
SAID = f"{APP}.shadowRoot.querySelector('toccata-messages').shadowRoot.querySelector('.live').textContent"
PITCHES = f"[...{STUDIO}.song.tracks[0].notes.pitch]"


def opened(open_page: Callable[..., Any], *size: int) -> Any:
    page = open_page(*size)
    drop(page, two_hands())
    return page


def test_enter_selects_the_note_that_keys_walked_to(open_page: Callable[..., Any]) -> None:
    page = opened(open_page)
    page.evaluate(f"() => {ROLL}.focus()")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    until(page, f"{STUDIO}.view.selection.length === 1")


def test_escape_ends_a_drag_before_it_puts_ideas_away(open_page: Callable[..., Any]) -> None:
    page = opened(open_page)
    drag_bars(page, 2, 2)
    page.keyboard.press("v")
    all_finished(page, 4)
    page.keyboard.press("0")
    before = page.evaluate(f"() => {PITCHES}")
    page.evaluate(f"() => {{ {ROLL}.reveal(0, 60); return {ROLL}.idle(); }}")
    box = page.evaluate(f"() => {ROLL}.toClient({{ track: {STUDIO}.song.tracks[0].track, tick: 0, pitch: 60 }})")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 60, steps=3)
    assert page.evaluate(f"() => {ROLL}.busy")
    page.keyboard.press("Escape")
    assert not page.evaluate(f"() => {ROLL}.busy")
    page.mouse.up()
    assert page.evaluate(f"() => {STUDIO}.ideas.chips.length") == 4
    assert page.evaluate(f"() => {PITCHES}") == before
    page.keyboard.press("Escape")
    until(page, f"{STUDIO}.ideas.chips.length === 0")


def test_a_slider_and_a_table_keep_their_arrows(open_page: Callable[..., Any]) -> None:
    page = opened(open_page)
    page.keyboard.press("o")
    page.get_by_text("More", exact=True).click()
    page.keyboard.press("Control+a")
    before = page.evaluate(f"() => {PITCHES}")
    page.get_by_role("slider", name="Vary").focus()
    page.keyboard.press("ArrowDown")
    until(page, f"{STUDIO}.view.options.strength === 0.75")
    assert page.evaluate(f"() => {PITCHES}") == before
    page.keyboard.press("n")
    table = page.get_by_role("table")
    table.focus()
    page.keyboard.press("PageDown")
    scroller = f"{APP}.shadowRoot.querySelector('toccata-note-table').shadowRoot.querySelector('.scroller')"
    until(page, f"{scroller}.scrollTop > 0")
    assert page.evaluate(f"() => {STUDIO}.view.activeTrack === {STUDIO}.song.tracks[0].track")
    assert page.evaluate(f"() => {PITCHES}") == before


def test_fields_show_what_holds(open_page: Callable[..., Any]) -> None:
    page = opened(open_page)
    page.keyboard.press("o")
    density = page.get_by_label("Density")
    density.select_option("3")
    page.get_by_label("Key", exact=True).fill("D minor")
    page.keyboard.press("Enter")
    remove = page.get_by_role("button", name="Remove density 3")
    remove.click()
    until(page, f"{STUDIO}.view.options.density === null")
    assert density.input_value() == ""
    assert remove.count() == 0
    page.get_by_role("button", name="Reset").click()
    until(page, f"{STUDIO}.view.options.key === ''")
    assert page.get_by_label("Key", exact=True).input_value() == ""
    title = page.get_by_label("Title of the piece")
    title.fill("")
    page.keyboard.press("Enter")
    until(page, f"{APP}.shadowRoot.querySelector('.title').value === 'Tune'")
    tempo = page.get_by_label("Tempo at the cursor")
    tempo.fill("9999")
    page.keyboard.press("Enter")
    until(page, "!document.hidden")
    assert tempo.input_value() == "120"


def test_escape_in_the_title_takes_nothing_over_and_a_conversion_commits_nothing(open_page: Callable[..., Any]) -> None:
    page = opened(open_page)
    title = page.get_by_label("Title of the piece")
    title.fill("Other")
    title.evaluate(
        """(field) => field.dispatchEvent(new KeyboardEvent("keydown",
            { key: "Enter", isComposing: true, bubbles: true, composed: true, cancelable: true }))"""
    )
    assert page.evaluate(f"() => {FOCUSED}.className") == "title"
    page.keyboard.press("Escape")
    assert title.input_value() == "Tune"
    assert page.evaluate(f"() => {STUDIO}.piece.title") == "Tune"
    title.fill("Another")
    page.keyboard.press("Enter")
    until(page, "document.title.startsWith('Another')")


def test_the_choice_of_an_instrument_has_the_keys_and_a_list_begins_nothing(open_page: Callable[..., Any]) -> None:
    page = opened(open_page)
    page.evaluate(f"() => {ROLL}.focus()")
    page.keyboard.press("a")
    until(page, f"{FOCUSED}.matches('.picker button')")
    until(page, f"{SAID}.startsWith('Which instrument? 1 Bass')")
    others = page.get_by_label("Other instrument")
    others.focus()
    page.keyboard.press("ArrowDown")
    until(page, f"{FOCUSED}.value !== ''")
    assert page.evaluate(f"() => {STUDIO}.ideas.chips.length") == 0
    page.keyboard.press("Escape")
    until(page, f"{STUDIO}.view.picker === null")
    until(page, f"{FOCUSED}.matches('.roll')")
    page.keyboard.press("a")
    others.select_option("73")
    page.locator(".picker").get_by_role("button", name="Add").click()
    all_finished(page, 2)
    assert page.evaluate(f"() => {STUDIO}.ideas.chips[0].take.verb") == "accompany"


def test_selected_text_is_copied_by_the_browser(open_page: Callable[..., Any]) -> None:
    page = opened(open_page)
    page.keyboard.press("Control+a")
    press = """() => !window.dispatchEvent(new KeyboardEvent("keydown",
        { key: "c", code: "KeyC", ctrlKey: true, bubbles: true, cancelable: true }))"""
    assert page.evaluate(press), "notes are copied by the page"
    page.get_by_text("Everything stays here").click(click_count=3)
    assert not page.evaluate(press)


def test_files_for_training_are_not_offered_to_be_opened(open_page: Callable[..., Any]) -> None:
    page = opened(open_page)
    page.keyboard.press("Shift+T")
    over = """(kinds) => { const transfer = new DataTransfer(); transfer.items.add(new File(["x"], "a.txt"));
        for (const [where, kind] of kinds) {
            const at = where === "page" ? document.body
                : document.querySelector("toccata-studio").shadowRoot.querySelector("toccata-train")
                    .shadowRoot.querySelector(".drop");
            const how = { dataTransfer: transfer, bubbles: true, composed: true, cancelable: true };
            at.dispatchEvent(new DragEvent(kind, how));
        } }"""
    cover = page.get_by_text("Drop the MIDI file to open it")
    page.evaluate(over, [["page", "dragover"]])
    cover.wait_for()
    page.evaluate(over, [["drop", "dragover"]])
    cover.wait_for(state="detached")
    page.evaluate(over, [["page", "dragover"], ["drop", "drop"]])
    cover.wait_for(state="detached")


def test_the_focus_returns_from_a_dialog(open_page: Callable[..., Any]) -> None:
    page = opened(open_page)
    page.evaluate(f"() => {ROLL}.focus()")
    for key in ("Control+o", "?", "Control+k"):
        page.keyboard.press(key)
        page.get_by_role("dialog").wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")
        until(page, f"{FOCUSED}.matches('.roll')")
    page.keyboard.press("Control+k")
    page.keyboard.type("help")
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="Help").wait_for()
    page.keyboard.press("Escape")
    until(page, f"{FOCUSED}.matches('.roll')")


def test_messages_are_in_front_of_a_dialog(open_page: Callable[..., Any]) -> None:
    page = opened(open_page)
    page.keyboard.press("Control+o")
    page.get_by_role("button", name="Delete Tune").focus()
    page.keyboard.press("Enter")
    until(page, f"{STUDIO}.piece === null")
    undo = page.get_by_role("button", name="Undo", exact=True).last
    undo.focus()
    until(page, f"{FOCUSED}.closest('.message')")
    undo.click()
    until(page, f"{STUDIO}.piece && {STUDIO}.piece.title === 'Tune'")


def test_the_tree_of_takes_can_always_be_reached(open_page: Callable[..., Any]) -> None:
    page = opened(open_page)
    drag_bars(page, 2, 2)
    page.keyboard.press("f")
    all_finished(page, 3)
    page.keyboard.press("Escape")
    tree = f"{APP}.shadowRoot.querySelector('toccata-takes').shadowRoot"
    reached = f"{tree}.querySelectorAll('.what[tabindex=\"0\"]').length === 1"
    page.evaluate(f"() => {tree}.querySelector('.take:not(.head) .what').focus()")
    until(page, reached)
    gone = page.evaluate(f"() => {FOCUSED}.closest('.take').dataset.take")
    page.keyboard.press("Delete")
    until(page, f"{STUDIO}.piece.takes.get('{gone}').deleted && !{tree}.querySelector('[data-take=\"{gone}\"]')")
    until(page, f"{FOCUSED}.matches('.what[tabindex=\"0\"]') && {reached}")
    page.keyboard.press("F2")
    until(page, f"{FOCUSED}.matches('.rename')")
    page.keyboard.type("Mine")
    page.keyboard.press("Enter")
    until(page, f"{FOCUSED}.matches('.what') && {FOCUSED}.textContent.includes('Mine')")
    page.get_by_role("button", name="Starred only").click()
    until(page, f"{STUDIO}.view.starredOnly")
    page.get_by_role("button", name="Starred only").click()
    until(page, reached)


def test_the_position_is_told_and_ideas_are_heard_where_they_are(open_page: Callable[..., Any]) -> None:
    page = opened(open_page)
    position = page.get_by_role("img", name="Position: Bar 1, beat 1")
    position.wait_for()
    page.keyboard.press("End")
    page.keyboard.press("w")
    until(page, f"{SAID} === 'Bar 5, beat 1'")
    page.evaluate(f"() => {STUDIO}.chooseBars([3, 3])")
    page.keyboard.press("v")
    all_finished(page, 4)
    page.keyboard.press("Space")
    until(page, f"{STUDIO}.playing.player.position() > 2 * 1920 + 100")
    page.keyboard.press("Space")
    until(page, f"!{STUDIO}.playing.playing && {STUDIO}.playing.tick === 2 * 1920")
    page.get_by_role("img", name="Position: Bar 3, beat 1").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    position.wait_for()


def test_on_a_small_phone_the_controls_leave_room(open_page: Callable[..., Any]) -> None:
    page = opened(open_page, 360, 640)
    page.get_by_role("button", name="Controls").click()
    page.get_by_text("More", exact=True).click()
    page.get_by_role("slider", name="Vary").scroll_into_view_if_needed()
    tabs = page.get_by_role("navigation").bounding_box()
    roll = page.locator("toccata-roll").bounding_box()
    assert tabs["y"] + tabs["height"] <= 640
    assert roll["height"] >= 60


def test_the_menu_of_files_has_escape_before_ideas(open_page: Callable[..., Any]) -> None:
    page = opened(open_page)
    page.keyboard.press("v")
    all_finished(page, 4)
    page.get_by_role("button", name="Files of this piece").click()
    menu = page.locator("#files")
    menu.wait_for()
    page.keyboard.press("Escape")
    menu.wait_for(state="hidden")
    assert page.evaluate(f"() => {STUDIO}.ideas.chips.length") == 4


def test_what_is_said_while_a_dialog_closes_is_not_lost(open_page: Callable[..., Any]) -> None:
    page = opened(open_page)
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    page.evaluate(f"() => {{ {STUDIO}.set({{ dialog: null }}); {STUDIO}.announcer.say('Closed.'); }}")
    page.get_by_role("dialog").wait_for(state="detached")
    until(page, f"{SAID} === 'Closed.'")


def test_the_library_is_as_it_is_now(open_page: Callable[..., Any], server: Server) -> None:
    page = opened(open_page)
    piece = page.evaluate(f"() => {STUDIO}.piece.id")
    page.evaluate(f"() => {STUDIO}.api.renamePiece('{piece}', 'Renamed elsewhere')")
    page.keyboard.press("Control+o")
    page.get_by_role("dialog").get_by_text("Renamed elsewhere").wait_for()
    page.get_by_role("button", name="Rename Renamed elsewhere").click()
    until(page, f"{FOCUSED}.matches('input.open')")
    page.keyboard.type("Not this")
    page.keyboard.press("Escape")
    page.get_by_role("dialog").get_by_text("Renamed elsewhere").wait_for()
    page.get_by_role("button", name="Rename Renamed elsewhere").click()
    page.keyboard.type("Mine")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_text("Mine").wait_for()
    until(page, "document.title.startsWith('Mine')")
