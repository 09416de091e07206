"""The piano roll in a browser: a real mouse on the notes, then the music as the page has it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from browsers import browser
from roll_page import Song, bundle, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")  # browsers are optional

Note = list[int]
QUARTER = 480
BAR = 4 * QUARTER
PIANO: list[Note] = [[0, 480, 60, 80], [480, 480, 64, 80], [960, 960, 67, 80], [1920, 240, 72, 80]]
BASS: list[Note] = [[0, 1920, 48, 90], [1920, 1920, 50, 90]]


def song(*tracks: list[Note], bars: int = 8) -> Song:
    return {
        "ticksPerQuarter": QUARTER,
        "end": bars * BAR,
        "tempos": [[0, 120]],
        "meters": [[0, 4, 4]],
        "keys": [[0, 0, 0]],
        "bars": [bar * BAR for bar in range(bars + 1)],
        "tracks": [
            {"id": f"t{n}", "name": f"Track {n}", "program": 0, "drum": False, "channel": n, "notes": [*chain(*notes)]}
            for n, notes in enumerate(tracks)
        ],
    }


class Roll:
    """A roll on a page, and a mouse."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.mouse = page.mouse

    def do(self, script: str, value: Any = None) -> Any:
        result = self.page.evaluate(f"(value) => {{ const roll = demo.roll; {script} }}", value)
        self.page.evaluate("demo.roll.idle()")
        return result

    def load(self, *tracks: list[Note], grid: int = 240, bars: int = 8) -> None:
        self.do("demo.load(value); roll.zoomToFit(); roll.zoom(0.7, 0.6); roll.reveal(0, 60)", song(*tracks, bars=bars))
        self.do("roll.grid = value", grid)
        self.clear()

    def clear(self) -> None:
        self.do("demo.seen.length = 0")

    def notes(self, track: str = "t0") -> list[Note]:
        return list(self.do("return demo.notes()[value] ?? []", track))

    def events(self, name: str) -> list[Any]:
        seen = self.do("return demo.seen.map(({name, detail}) => [name, JSON.parse(JSON.stringify(detail))])")
        return [detail for other, detail in seen if other == name]

    def selected(self) -> list[tuple[str, int, int]]:
        return [(n["track"], n["tick"], n["pitch"]) for n in self.do("return roll.model().selection")]

    def box(self, tick: int, pitch: int, track: str = "t0") -> dict[str, float]:
        found = self.do("return roll.toClient(value)", {"track": track, "tick": tick, "pitch": pitch})
        assert found, f"no note at {tick}, {pitch}"
        return dict(found)

    def middle(self, tick: int, pitch: int, track: str = "t0") -> tuple[float, float]:
        box = self.box(tick, pitch, track)
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def place(self, tick: float, pitch: int) -> tuple[float, float]:
        """Where a tick and pitch are, whether or not a note is there."""
        x = self.do("return roll.toClientTick(value)", tick)
        known = self.box(0, 60)
        row = self.box(480, 64)
        return x, known["y"] + known["height"] / 2 - (pitch - 60) * (known["y"] - row["y"]) / 4

    def ruler(self, tick: float) -> tuple[float, float]:
        top = self.do("return roll.getBoundingClientRect().top")
        return self.do("return roll.toClientTick(value)", tick), top + 20

    def drag(
        self, start: tuple[float, float], end: tuple[float, float], *, button: str = "left", steps: int = 6
    ) -> None:
        self.mouse.move(*start)
        self.mouse.down(button=button)
        self.mouse.move(*end, steps=steps)
        self.mouse.up(button=button)
        self.do("")

    def key(self, name: str) -> None:
        self.page.keyboard.press(name)
        self.do("")


@pytest.fixture(scope="module")
def page_in_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    address = bundle(tmp_path_factory.mktemp("roll")).as_uri()
    with browser() as running:
        page = running.new_page(viewport={"width": 1000, "height": 600}, reduced_motion="reduce", has_touch=True)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address)
        yield page
        assert faults == []


@pytest.fixture
def roll(page_in_browser: Any) -> Roll:
    page_in_browser.reload()
    made = Roll(page_in_browser)
    made.load(PIANO, BASS)
    return made


def test_a_click_selects_a_note_and_sounds_it(roll: Roll) -> None:
    roll.mouse.click(*roll.middle(480, 64))
    assert roll.selected() == [("t0", 480, 64)]
    assert roll.events("sound") == [{"track": "t0", "pitch": 64, "velocity": 80}]
    assert roll.events("edit") == []


def test_shift_click_adds_a_note_and_takes_it_away_when_the_button_goes_up(roll: Roll) -> None:
    roll.mouse.click(*roll.middle(0, 60))
    roll.page.keyboard.down("Shift")
    roll.mouse.click(*roll.middle(480, 64))
    assert sorted(roll.selected()) == [("t0", 0, 60), ("t0", 480, 64)]
    roll.mouse.move(*roll.middle(0, 60))
    roll.mouse.down()
    assert len(roll.selected()) == 2
    roll.mouse.up()
    roll.page.keyboard.up("Shift")
    assert roll.selected() == [("t0", 480, 64)]


def test_a_rubber_band_selects_what_it_touches(roll: Roll) -> None:
    roll.drag(roll.place(100, 74), roll.place(1100, 62))
    assert sorted(roll.selected()) == [("t0", 480, 64), ("t0", 960, 67)]
    assert len(roll.events("select")) == 1


def test_a_drag_moves_a_note_along_the_grid_in_one_edit(roll: Roll) -> None:
    x, y = roll.middle(480, 64)
    to, up = roll.place(720 + 480 + 20, 66)
    roll.drag((x, y), (to, up), steps=20)
    assert roll.notes() == [[0, 480, 60, 80], [960, 480, 66, 80], [960, 960, 67, 80], [1920, 240, 72, 80]]
    (edit,) = roll.events("edit")
    assert edit["label"] == "Move a note"
    assert len(edit["operations"]) == 1
    assert roll.selected() == [("t0", 960, 66)]


def test_alt_suspends_the_grid(roll: Roll) -> None:
    x, y = roll.middle(480, 64)
    scale = roll.place(1000, 60)[0] - roll.place(0, 60)[0]
    roll.page.keyboard.down("Alt")
    roll.drag((x, y), (x + 0.1 * scale, y))
    roll.page.keyboard.up("Alt")
    moved = next(note for note in roll.notes() if note[2] == 64)
    assert abs(moved[0] - 580) <= 5
    assert moved[0] % 240 != 0


def test_a_chord_keeps_its_shape_at_the_edge(roll: Roll) -> None:
    chord = [[480, 480, 120, 80], [480, 480, 124, 80], [480, 480, 127, 80]]
    roll.load([*PIANO[:2], *chord])
    roll.do("roll.reveal(480, 120)")
    roll.do("roll.selection = value", [{"track": "t0", "tick": 480, "pitch": p} for p in (120, 124, 127)])
    x, y = roll.middle(480, 120)
    roll.drag((x, y), (x, y - 60))
    assert [note[2] for note in roll.notes()] == [60, 64, 120, 124, 127]


def test_ctrl_drag_copies(roll: Roll) -> None:
    x, y = roll.middle(480, 64)
    roll.page.keyboard.down("Control")
    roll.drag((x, y), (x, roll.place(0, 69)[1]))
    roll.page.keyboard.up("Control")
    assert [480, 480, 64, 80] in roll.notes()
    assert [480, 480, 69, 80] in roll.notes()
    assert roll.selected() == [("t0", 480, 69)]


def test_the_right_edge_stretches(roll: Roll) -> None:
    box = roll.box(480, 64)
    roll.drag((box["x"] + box["width"] - 1, box["y"] + 3), (roll.place(1440, 64)[0], box["y"] + 3))
    assert [480, 960, 64, 80] in roll.notes()


def test_a_moved_note_shortens_what_sounds_there_and_undo_gives_it_back(roll: Roll) -> None:
    x, y = roll.middle(480, 64)
    roll.drag((x, y), (x + roll.place(960, 60)[0] - roll.place(0, 60)[0], roll.place(0, 67)[1]))
    assert roll.notes() == [[0, 480, 60, 80], [960, 480, 67, 80], [1440, 480, 67, 80], [1920, 240, 72, 80]]
    roll.do("demo.back()")
    assert roll.notes() == PIANO


def test_escape_ends_a_drag_without_an_edit(roll: Roll) -> None:
    roll.mouse.move(*roll.middle(480, 64))
    roll.mouse.down()
    roll.mouse.move(*roll.place(2000, 70), steps=5)
    roll.key("Escape")
    roll.mouse.up()
    assert roll.notes() == PIANO
    assert roll.events("edit") == []


def test_a_double_click_adds_and_deletes(roll: Roll) -> None:
    roll.mouse.dblclick(*roll.place(2500, 70))
    assert [2400, 240, 70, 96] in roll.notes()
    roll.mouse.dblclick(*roll.middle(2400, 70))
    assert roll.notes() == PIANO
    assert [edit["label"] for edit in roll.events("edit")] == ["Draw a note", "Delete a note"]


def test_the_draw_tool_draws_and_remembers(roll: Roll) -> None:
    roll.do("roll.tool = 'draw'")
    roll.drag(roll.place(2410, 70), roll.place(2990, 70))
    assert [2400, 720, 70, 96] in roll.notes()
    roll.mouse.click(*roll.place(3850, 71))
    assert [3840, 720, 71, 96] in roll.notes()
    roll.mouse.click(*roll.middle(3840, 71), button="right")
    assert [note[2] for note in roll.notes()] == [60, 64, 67, 72, 70]


def test_new_notes_go_into_the_active_track(roll: Roll) -> None:
    roll.do("roll.tool = 'draw'; roll.activeTrack = 't1'")
    roll.mouse.click(*roll.place(2410, 70))
    assert [2400, 240, 70, 96] in roll.notes("t1")
    assert roll.notes() == PIANO


def test_ghosts_cannot_be_touched(roll: Roll) -> None:
    roll.do("roll.activeTrack = 't0'; roll.ghosts = new Set(['t1'])")
    roll.mouse.click(*roll.middle(0, 48, "t1"))
    assert roll.selected() == []
    roll.do("roll.hiddenTracks = new Set(['t1']); roll.ghosts = new Set()")
    assert roll.do("return roll.toClient({track: 't1', tick: 0, pitch: 48})") is None


def test_locked_notes_stay(roll: Roll) -> None:
    roll.do("roll.locks = demo.NoteSet.ofLocked([['t0', 480, 64]])")
    roll.page.keyboard.press("Tab")
    roll.do("roll.command('selectAll')")
    x, y = roll.middle(0, 60)
    roll.drag((x, y), (x, roll.place(0, 62)[1]))
    assert [480, 480, 64, 80] in roll.notes()
    assert [0, 480, 62, 80] in roll.notes()
    roll.do("roll.command('selectAll')")
    roll.do("roll.command('delete')")
    assert roll.notes() == [[480, 480, 64, 80]]
    assert roll.notes("t1") == []
    roll.mouse.dblclick(*roll.middle(480, 64))
    assert roll.notes() == [[480, 480, 64, 80]]


def test_the_velocity_lane_paints_a_line_over_the_selection_alone(roll: Roll) -> None:
    bottom = roll.do("return roll.getBoundingClientRect().bottom")
    left, right = roll.place(0, 60)[0], roll.place(2000, 60)[0]
    roll.do("roll.activeTrack = 't0'")
    roll.drag((left, bottom - 5), (right, bottom - 66), steps=30)
    loudness = [note[3] for note in roll.notes()]
    assert loudness == sorted(loudness)
    assert loudness[0] < 10
    assert loudness[-1] > 110
    assert [note[:3] for note in roll.notes()] == [note[:3] for note in PIANO]
    roll.do("demo.back(); roll.selection = [{track: 't0', tick: 480, pitch: 64}]")
    roll.drag((left, bottom - 5), (right, bottom - 5))
    assert [note[3] for note in roll.notes()] == [80, 1, 80, 80]
    assert roll.selected() == [("t0", 480, 64)]


def test_the_ruler_chooses_bars_seeks_and_loops(roll: Roll) -> None:
    roll.drag(roll.ruler(BAR + 100), roll.ruler(3 * BAR + 900))
    assert roll.do("return roll.model().range") == [2, 4]
    assert roll.events("range") == [{"range": [2, 4]}]
    roll.drag(roll.ruler(8 * BAR + 300), roll.ruler(9 * BAR + 300))
    assert roll.do("return roll.range") == [9, 10], "empty bars after the end"
    roll.mouse.click(*roll.ruler(970))
    assert roll.events("seek") == [{"tick": 960}]
    roll.page.keyboard.down("Shift")
    roll.drag(roll.ruler(20), roll.ruler(2 * BAR + 20))
    roll.page.keyboard.up("Shift")
    assert roll.events("loop") == [{"loop": [0, 2 * BAR]}]
    assert roll.do("return roll.range") == [9, 10]


def test_the_edge_of_the_chosen_bars_can_be_dragged(roll: Roll) -> None:
    roll.do("roll.range = [2, 3]")
    roll.drag(roll.ruler(3 * BAR), roll.ruler(4 * BAR + 500))
    assert roll.do("return roll.range") == [2, 5]


def test_piano_keys_sound(roll: Roll) -> None:
    y = roll.place(0, 65)[1]
    roll.drag((20, y), (20, roll.place(0, 67)[1]), steps=12)
    assert [sound["pitch"] for sound in roll.events("sound")] == [65, 66, 67]


@pytest.mark.parametrize(("mode", "delta"), [(0, -100), (1, -3), (2, -1)])
def test_a_wheel_event_zooms_by_a_little_about_the_pointer(roll: Roll, mode: int, delta: float) -> None:
    roll.do("roll.zoom(6, 1)")
    x = roll.do("return roll.toClientTick(960)")
    wide = roll.do("return roll.toClientTick(1920) - roll.toClientTick(960)")
    roll.do(
        "const port = roll.shadowRoot.querySelector('.scroller'); port.dispatchEvent(new WheelEvent('wheel',"
        "{deltaY: value[0], deltaMode: value[1], ctrlKey: true, clientX: value[2], clientY: 300, cancelable: true}))",
        [delta, mode, x],
    )
    assert abs(roll.do("return roll.toClientTick(960)") - x) <= 1
    factor = roll.do("return roll.toClientTick(1920) - roll.toClientTick(960)") / wide
    assert 1.02 < factor < 1.16


def test_wheels_scroll_and_zoom_as_they_do_elsewhere(roll: Roll) -> None:
    roll.do("roll.zoom(6, 1)")
    roll.mouse.move(500, 300)
    row = roll.box(0, 60)["height"]
    roll.page.keyboard.down("Alt")
    roll.mouse.wheel(0, -400)
    roll.page.keyboard.up("Alt")
    roll.page.wait_for_function(
        "value => demo.roll.toClient({track: 't0', tick: 0, pitch: 60}).height > value", arg=row
    )
    x = roll.do("return roll.toClientTick(0)")
    roll.page.keyboard.down("Shift")
    roll.mouse.wheel(0, 200)
    roll.page.keyboard.up("Shift")
    roll.page.wait_for_function("value => demo.roll.toClientTick(0) < value - 100", arg=x)


def test_the_middle_button_pans(roll: Roll) -> None:
    roll.do("roll.zoom(6, 1)")
    x, y = roll.middle(0, 60)
    roll.drag((500, 300), (440, 270), button="middle")
    after = roll.middle(0, 60)
    assert (round(after[0] - x), round(after[1] - y)) == (-60, -30)
    assert roll.events("edit") == []
    assert roll.selected() == []


def test_keys_walk_select_and_move(roll: Roll) -> None:
    roll.do("roll.activeTrack = 't0'; roll.hiddenTracks = new Set(['t1']); roll.focus()")
    for _ in range(2):
        roll.key("ArrowRight")
    assert roll.events("describe")[-1]["text"] == "E4, bar 1 beat 2, 1 beat, 2 of 4"
    roll.key("ArrowUp")
    assert roll.events("describe")[-1]["text"].startswith("G4, bar 1 beat 3, 2 beats, 3 of 4")
    roll.key("Enter")
    assert roll.selected() == [("t0", 960, 67)]
    roll.key("ArrowUp")
    roll.key("Shift+ArrowDown")
    roll.key("ArrowRight")
    assert [1200, 960, 56, 80] in roll.notes()
    assert roll.events("describe")[-1]["text"] == "G♯3, bar 1 beat 3 and a half, 2 beats, 3 of 4, selected"
    label = roll.do("return roll.shadowRoot.querySelector('#note').getAttribute('aria-label')")
    assert label == roll.events("describe")[-1]["text"]
    roll.key("Delete")
    assert len(roll.notes()) == 3


def test_a_note_is_written_with_the_keyboard_alone(roll: Roll) -> None:
    roll.do("roll.cursorAt(2400, false); roll.focus()")
    roll.key("i")
    (made,) = roll.selected()
    assert made[1] == 2400
    assert roll.events("describe")[-1]["text"].endswith("selected")


def test_copy_paste_duplicate_and_quantise(roll: Roll) -> None:
    roll.do("roll.focus(); roll.selection = [{track: 't0', tick: 480, pitch: 64}, {track: 't0', tick: 960, pitch: 67}]")
    roll.key("Control+c")
    roll.do("roll.cursorAt(3840, false)")
    roll.key("Control+v")
    assert [3840, 480, 64, 80] in roll.notes()
    assert [4320, 960, 67, 80] in roll.notes()
    roll.key("Control+d")
    assert [5280, 480, 64, 80] in roll.notes()
    assert len(roll.events("edit")) == 2
    roll.load([[130, 100, 60, 80], [700, 100, 64, 80]])
    roll.do("roll.command('quantise')")
    assert roll.notes() == [[240, 100, 60, 80], [720, 100, 64, 80]]


def test_culling_draws_what_a_look_at_every_note_finds(roll: Roll) -> None:
    chance = random.Random(5)
    until: dict[int, int] = {}
    notes: list[Note] = []
    for tick in sorted(chance.randrange(100 * BAR) for _ in range(4000)):
        pitch, length = chance.randrange(20, 110), chance.choice([30, 240, 4000])
        if until.get(pitch, 0) <= tick:
            until[pitch] = tick + length
            notes.append([tick, length, pitch, 80])
    roll.load([*PIANO[:2], *[note for note in notes if note[0] > 4000]], bars=110)
    size = roll.do("const box = roll.shadowRoot.querySelector('.scroller'); return [box.clientWidth, box.clientHeight]")
    for zoom, tick, pitch in [(8, 50_000, 60), (2, 120_000, 90), (0.3, 0, 30), (20, 190_000, 70)]:
        roll.do("roll.zoom(value[0], 1.3); roll.reveal(value[1], value[2])", [zoom, tick, pitch])
        brute = roll.do(
            "const port = roll.shadowRoot.querySelector('.scroller').getBoundingClientRect(); let seen = 0;"
            "for (const [tick, , pitch] of demo.notes().t0) {"
            "  const {x, y, width, height} = roll.toClient({track: 't0', tick, pitch});"
            "  const [left, top] = [x - port.left, y - port.top];"
            "  if (left < value[0] && left + width > 0 && top < value[1] && top + height > 0) seen++; } return seen;",
            size,
        )
        drawn = roll.do("return roll.model().drawnNotes")
        # What is drawn is whole tiles: all that is seen, and little beyond.
        assert brute <= drawn <= brute + 1500
        assert brute > 0


def test_nothing_is_drawn_while_nothing_changes(roll: Roll) -> None:
    before = roll.do("return roll.frames.frames")
    roll.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))")
    for tick in range(0, 2000, 100):
        roll.do("roll.cursorAt(value, false)", tick)
    assert roll.do("return roll.frames.frames") == before


def test_an_edit_draws_only_the_tiles_it_touches(roll: Roll) -> None:
    roll.do("roll.zoom(8, 1)")
    before = roll.do("return roll.frames.tiles")
    roll.do("roll.selection = [{track: 't0', tick: 0, pitch: 60}]; roll.command('louder')")
    assert roll.do("return roll.frames.tiles") - before <= 2


def test_an_idea_grows_above_the_song(roll: Roll) -> None:
    roll.do("window.idea = new demo.GrowingIdea('i', [2, 3], roll.song); roll.idea = idea")
    for tick in range(BAR, 3 * BAR, 240):
        roll.do("idea.add([['t0', 0, false, value, 240, 60, 90]]); roll.idea = idea", tick)
    assert roll.notes() == PIANO
    assert coloured(roll, roll.place(2 * BAR + 100, 60))
    roll.do("roll.idea = null")
    assert not coloured(roll, roll.place(2 * BAR + 100, 60))


def coloured(roll: Roll, place: tuple[float, float]) -> bool:
    """Whether the overlay has been drawn on at a place on the page."""
    return bool(
        roll.do(
            "const canvas = roll.shadowRoot.querySelector('.overlay'); const box = canvas.getBoundingClientRect();"
            "const at = canvas.getContext('2d').getImageData(value[0] - box.left, value[1] - box.top, 1, 1);"
            "return at.data[3] > 0",
            list(place),
        )
    )


def test_a_finger_scrolls_taps_select_and_two_fingers_zoom(roll: Roll) -> None:
    roll.do("roll.zoom(4, 1); roll.reveal(0, 60)")
    touch = roll.page.context.new_cdp_session(roll.page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    send("touchStart", roll.middle(480, 64))
    send("touchEnd")
    assert roll.selected() == [("t0", 480, 64)]
    x, y = roll.middle(960, 67)  # from a note that is not selected too
    before = roll.place(0, 60)
    send("touchStart", (x, y))
    for step in range(1, 6):
        send("touchMove", (x - 20 * step, y + 10 * step))
    send("touchEnd")
    after = roll.place(0, 60)
    assert abs(after[0] - before[0] + 100) <= 2
    assert abs(after[1] - before[1] - 50) <= 2
    assert roll.notes() == PIANO
    x, y = roll.middle(480, 64)
    send("touchStart", (x, y))
    for step in range(1, 6):
        send("touchMove", (x, y + 10 * step))
    send("touchEnd")
    assert roll.selected()[0][2] < 64, "a selected note goes with the finger"
    roll.do("demo.back()")
    roll.clear()
    wide = roll.do("return roll.toClientTick(480) - roll.toClientTick(0)")
    send("touchStart", (400, 300), (600, 300))
    for step in range(1, 6):
        send("touchMove", (400 - 20 * step, 300), (600 + 20 * step, 300))
    send("touchEnd")
    assert roll.do("return roll.toClientTick(480) - roll.toClientTick(0)") == pytest.approx(2 * wide, rel=0.05)
    assert roll.events("edit") == []


def test_the_page_keeps_its_keys(roll: Roll) -> None:
    roll.do("window.left = []; addEventListener('keydown', event => event.defaultPrevented || left.push(event.key))")
    roll.mouse.click(*roll.middle(480, 64))
    for name in (" ", "Home", "Enter", "l", "Control+z"):
        roll.key(name)
    assert roll.do("return left") == [" ", "Home", "Enter", "l", "Control", "z"]
    assert roll.selected() == [("t0", 480, 64)]
    roll.do("roll.idea = new demo.GrowingIdea('i', null, roll.song)")
    roll.key("Escape")
    assert roll.do("return left.at(-1)") == "Escape", "with an idea open, Escape is the page's"


def test_an_undo_out_of_sight_is_scrolled_to_and_nothing_else_moves_the_view(roll: Roll) -> None:
    roll.do("roll.selection = [{track: 't0', tick: 0, pitch: 60}]; roll.command('louder')")
    roll.do("roll.zoom(8, 1); roll.reveal(6 * 1920, 60)")
    x = roll.do("return roll.toClientTick(0)")
    assert x < 0
    roll.do("roll.activeTrack = 't1'; roll.scaleTint = true; roll.tool = 'draw'")
    assert roll.do("return roll.toClientTick(0)") == x
    roll.do("demo.back()")
    assert roll.box(0, 60)["x"] > 0


def test_an_undo_takes_what_is_gone_out_of_the_selection(roll: Roll) -> None:
    x, y = roll.middle(480, 64)
    roll.drag((x, y), (x, roll.place(0, 66)[1]))
    assert roll.selected() == [("t0", 480, 66)]
    roll.clear()
    roll.do("demo.back()")
    assert roll.selected() == []
    assert roll.events("select") == [{"selection": []}]


def test_colours_follow_the_page(roll: Roll) -> None:
    place = roll.place(2500, 70)
    roll.do("document.documentElement.style.colorScheme = 'dark'")
    roll.page.evaluate("new Promise(done => requestAnimationFrame(() => done(demo.roll.idle())))")
    dark = pixel(roll, ".notes", place)
    roll.do("document.documentElement.style.colorScheme = 'light'")
    roll.page.evaluate("new Promise(done => requestAnimationFrame(() => done(demo.roll.idle())))")
    light = pixel(roll, ".notes", place)
    assert sum(dark[:3]) < 200
    assert sum(light[:3]) > 600


def test_note_edges_are_whole_pixels_on_a_dense_screen(roll: Roll) -> None:
    page = roll.page.context.browser.new_page(viewport={"width": 700, "height": 500}, device_scale_factor=1.5)
    page.goto(roll.page.url)
    dense = Roll(page)
    dense.load([[480, 960, 60, 127]], [])
    dense.do("roll.zoom(3, 2); roll.reveal(480, 60)")
    box = dense.box(480, 60)
    left, row = box["x"], box["y"] + box["height"] / 2
    outside, edge, inside = (pixel(dense, ".notes", (left + step / 1.5, row)) for step in (-1, 0.01, 1.01))
    beyond = pixel(dense, ".notes", (left + 2.01 / 1.5, row))
    page.close()
    assert len({tuple(outside), tuple(edge), tuple(inside)}) == 3
    assert inside == beyond


def pixel(roll: Roll, layer: str, place: tuple[float, float]) -> list[int]:
    """The colour on a layer at a place on the page."""
    return list(
        roll.do(
            "const canvas = roll.shadowRoot.querySelector(value.layer), box = canvas.getBoundingClientRect();"
            "const x = (value.x - box.left) * devicePixelRatio, y = (value.y - box.top) * devicePixelRatio;"
            "return [...canvas.getContext('2d').getImageData(Math.floor(x), Math.floor(y), 1, 1).data]",
            {"layer": layer, "x": place[0], "y": place[1]},
        )
    )


def test_the_first_note_of_an_empty_song_makes_a_track(roll: Roll) -> None:
    x, y = roll.place(2500, 70)
    roll.do("demo.load(value); roll.tool = 'draw'", song())
    roll.clear()
    roll.mouse.click(x, y)
    (edit,) = roll.events("edit")
    (operation,) = edit["operations"]
    assert operation["track"] == "new:0"
    assert len(roll.notes("new:0")) == 1
    roll.do("demo.back()")
    assert roll.do("return roll.song.tracks.length") == 0


def test_a_double_click_in_the_ruler_chooses_one_bar_and_escape_ends_it(roll: Roll) -> None:
    roll.mouse.dblclick(*roll.ruler(2 * BAR + 900))
    assert roll.do("return roll.range") == [3, 3]
    roll.do("roll.command('selectNone')")
    assert roll.events("range")[-1] == {"range": None}


def test_a_drag_beyond_the_edge_scrolls(roll: Roll) -> None:
    roll.do("roll.zoom(6, 1); roll.reveal(0, 60)")
    start = roll.middle(480, 64)
    before = roll.do("return roll.toClientTick(0)")
    roll.mouse.move(*start)
    roll.mouse.down()
    roll.mouse.move(1040, start[1], steps=4)
    roll.page.wait_for_function("value => demo.roll.toClientTick(0) < value - 600", arg=before)
    roll.mouse.up()
    roll.do("")
    moved = next(note for note in roll.notes() if note[2] == 64)
    assert moved[0] > 2400
