"""What a musician does in the studio, with a real mouse and real keys, the bundled model, and a real library."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from browsers import browser, why_not
from walk import Process, Walk, opened

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")  # browsers are optional

Notes = dict[str, list[list[int]]]
GROWS = """
  const [idea] = studio.ideas.chips;
  return idea && [...idea.layer.added.values()].some((one) => one.notes.length > 4);
"""
SHOWN = "[...studio.ideas.chips[0].layer.added.values()].reduce((sum, one) => sum + one.notes.length, 0)"


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process(tmp_path_factory.mktemp("studio") / "library")
    yield process
    process.end()


@pytest.fixture
def walk(chrome: Any, studio: Process) -> Iterator[Walk]:
    walk = opened(chrome, studio)
    yield walk
    walk.page.close()
    assert walk.faults == []


@pytest.fixture(scope="session")
def trio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight bars of a tune over a bass."""
    from symusic import Note, Score, TimeSignature, Track

    score = Score(480)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    tune, bass = Track("Flute", 73, False), Track("Cello", 42, False)
    for beat in range(32):
        tune.notes.append(Note(beat * 480, 460, (72, 74, 76, 77, 79, 77, 76, 74)[beat % 8], 80))
        if beat % 2 == 0:
            bass.notes.append(Note(beat * 480, 940, (48, 55, 53, 50)[beat // 2 % 4], 70))
    score.tracks.append(tune)
    score.tracks.append(bass)
    path = tmp_path_factory.mktemp("music") / "trio.mid"
    score.dump_midi(path)
    return path


def outside(notes: Notes, first: int, last: int) -> Notes:
    """The notes that do not begin in [first, last) ticks, of tracks that have some."""
    left = {track: [note for note in own if not first <= note[0] < last] for track, own in notes.items()}
    return {track: own for track, own in left.items() if own}


def test_two_bars_are_filled_with_three_actions_and_undone_with_one(walk: Walk, trio: Path) -> None:
    walk.drop(trio)
    before = walk.notes()
    walk.choose_bars(3, 4)
    walk.press("f")
    walk.finished(1)
    walk.page.get_by_text("0 notes changed outside").wait_for()
    assert walk.notes() == before  # until it is taken, an idea is only shown
    walk.press("Enter")
    assert walk.actions == 3
    walk.wait("return studio.piece.canUndo && studio.ideas.chips.length === 0")
    walk.saved()
    after = walk.notes()
    start, end = walk.bar(3), walk.bar(5)
    assert after != before
    assert outside(after, start, end) == outside(before, start, end)
    walk.press("Control+z")
    walk.wait("return !studio.piece.canUndo")
    assert walk.notes() == before
    walk.press("Control+Shift+z")
    walk.wait("return studio.piece.canUndo")
    assert walk.notes() == after
    walk.page.reload()
    walk.wait("return studio.piece?.canUndo")
    assert walk.notes() == after
    walk.press("Control+z")
    walk.wait("return !studio.piece.canUndo")
    assert walk.notes() == before


def test_a_bass_is_added_with_three_actions(walk: Walk, trio: Path) -> None:
    walk.drop(trio)
    before = walk.notes()
    walk.click("Accompany")
    walk.click("Bass")
    walk.finished(1)
    walk.press("Enter")
    assert walk.actions == 3
    walk.wait("return studio.piece.canUndo && studio.ideas.chips.length === 0")
    after = walk.notes()
    assert {track: after[track] for track in before} == before
    (added,) = set(after) - set(before)
    assert after[added]
    assert walk.roll.evaluate("(roll, id) => roll.song.track(id).program", added) in range(32, 40)


def test_the_second_of_four_variations_is_taken_with_four_actions(walk: Walk, trio: Path) -> None:
    walk.drop(trio)
    walk.choose_bars(1, 2)
    walk.press("v")
    walk.finished(4)
    walk.press("2")
    walk.wait("return studio.ideas.heard === 2")
    walk.press("Enter")
    assert walk.actions == 4
    walk.wait("return studio.piece.canUndo && studio.ideas.chips.length === 0")
    walk.page.locator("toccata-takes").get_by_text("Vary").first.wait_for()


def test_ideas_grow_where_they_can_be_seen_and_one_is_stopped(walk: Walk, trio: Path) -> None:
    walk.drop(trio)
    walk.press("c")
    walk.wait(GROWS, long=True)
    walk.press("s")
    walk.wait("return studio.ideas.chips.every((idea) => idea.take.state !== 'growing')", long=True)
    states = walk.holds("studio.ideas.chips.map((idea) => idea.take.state)")
    assert set(states) <= {"stopped", "finished"}


def test_notes_are_drawn_moved_and_deleted_and_all_of_it_survives_a_reload(walk: Walk, trio: Path) -> None:
    walk.drop(trio)
    before = walk.count()
    walk.press("2")
    walk.roll.evaluate("(roll) => roll.reveal(0, 66)")
    walk.idle()
    box = walk.roll.bounding_box()
    assert box is not None
    x = walk.roll.evaluate("(roll) => roll.toClientTick(240)")
    walk.page.mouse.click(x, box["y"] + box["height"] / 2)
    walk.wait("return studio.piece.canUndo")
    walk.saved()
    assert walk.count() == before + 1
    walk.page.reload()
    walk.wait("return studio.piece?.canUndo")
    assert walk.count() == before + 1
    walk.press("1")
    walk.press("Control+a")
    walk.press("Delete")
    walk.wait(
        "return studio.song.tracks.every((one) => one.track !== studio.view.activeTrack || one.notes.count === 0)"
    )
    walk.press("Control+z")
    walk.wait("return studio.song.tracks.reduce((sum, one) => sum + one.notes.count, 0) === value", before + 1)
    walk.saved()


def written(library: Path) -> int:
    """How many notes of an idea are on disk."""
    with closing(sqlite3.connect(f"{(library / 'library.sqlite').as_uri()}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT max(notes) FROM take WHERE kind = 'idea'").fetchone()[0])


def test_a_killed_studio_loses_nothing(chrome: Any, trio: Path, tmp_path: Path) -> None:
    process = Process(tmp_path / "library")
    walk = opened(chrome, process)
    walk.drop(trio)
    walk.press("c")
    walk.wait(GROWS, long=True)
    shown = walk.holds(SHOWN)
    while written(process.library) < shown:  # what grows is written to the library each second
        walk.page.wait_for_timeout(50)
    process.end(signal.SIGKILL)
    again = Process(tmp_path / "library")
    walk.page.close()
    walk = opened(chrome, again)
    walk.wait("return studio.piece !== null")
    takes = walk.holds("[...studio.piece.takes.values()]")
    ideas = [take for take in takes if take["kind"] == "idea"]
    assert {idea["state"] for idea in ideas} <= {"stopped", "finished"}
    assert max(idea["notes"] for idea in ideas) >= shown
    walk.page.close()
    again.end()


def test_an_empty_piece_is_written_from_nothing(walk: Walk) -> None:
    walk.press("Alt+n")
    walk.click("Create")
    walk.wait("return studio.piece !== null && studio.song.tracks.length === 0")
    walk.press("c")
    walk.finished(1)
    walk.press("Enter")
    walk.wait("return studio.song.tracks.length > 0")
    assert walk.count() > 4


def test_the_page_has_no_serious_finding_of_axe(chrome: Any, studio: Process, trio: Path) -> None:
    source = Path(__file__).parents[2] / "studio" / "node_modules" / "axe-core" / "axe.min.js"
    page = chrome.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True).new_page()
    walk = Walk(page, studio.address)
    walk.drop(trio)
    walk.choose_bars(1, 2)
    bad = []
    for step in ("", "o", "?", "Control+k", "n"):
        if step:
            walk.press(step)
        page.add_script_tag(path=source)
        found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
        bad += [
            (step, one["id"], node["html"][:200])
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
        if step in ("?", "Control+k"):
            walk.press("Escape")
    page.close()
    assert bad == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_can_be_used(chrome: Any, studio: Process, trio: Path, scheme: str) -> None:
    page = chrome.new_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    walk = Walk(page, studio.address)
    walk.drop(trio)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360
    walk.choose_bars(1, 1)
    walk.press("v")
    walk.finished(1)
    walk.press("Enter")
    walk.wait("return studio.piece.canUndo")
    page.close()
