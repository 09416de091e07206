"""Folders and files of the library, whatever is done to them by hand."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio_support import Page, two_hands

from toccata.studio.song import LONGEST_NAME


def edit(page: Page, piece: Any, pitch: int = 120) -> Any:
    track = piece["song"]["tracks"][0]
    ref = {"track": track["id"], "program": track["program"], "drum": False, "name": track["name"]}
    operation = {"type": "notes", **ref, "remove": [], "add": [[1, 2, pitch, 80]]}
    seq = page.get(f"pieces/{piece['id']}")["seq"]
    return page.post(f"pieces/{piece['id']}/edits", {"seq": seq, "operations": [operation]})


def test_a_folder_that_was_deleted_by_hand_is_no_other_pieces(make_page: Callable[..., Page]) -> None:
    page = make_page()
    first = page.open(two_hands())
    shutil.rmtree(page.folder / "Tune")
    second = page.open(two_hands(2))
    assert not (page.folder / "Tune").exists()
    assert (page.folder / "Tune 2" / "001 start.mid").read_bytes() == two_hands(2)
    third = page.open(two_hands(3), "Other")
    page.post(f"pieces/{third['id']}", {"title": "Tune"}, method="PATCH")
    assert (page.folder / "Tune 3").is_dir()
    page.studio.close()
    again = make_page()
    assert len(again.get("state")["pieces"]) == 3
    assert again.get(f"pieces/{second['id']}")["song"]["end"] == 2 * 1920
    (take,) = again.get(f"pieces/{first['id']}")["takes"]
    assert "missing" in take["error"]


def test_an_edit_of_a_file_that_is_gone_stops_nothing(make_page: Callable[..., Page]) -> None:
    page = make_page()
    gone, other = page.open(two_hands(), "Gone"), page.open(two_hands(), "Other")
    edit(page, gone), edit(page, other)
    (page.folder / "Gone" / "001 start.mid").unlink()
    page.studio.library.music._cache.clear()
    page.studio.close()
    assert len(list((page.folder / "Other").glob("*.mid"))) == 2
    again = make_page()
    assert again.get(f"pieces/{other['id']}")["takes"][-1]["error"] is None
    assert all(take["error"] for take in again.get(f"pieces/{gone['id']}")["takes"])


def test_a_folder_that_is_renamed_while_the_studio_runs(make_page: Callable[..., Page]) -> None:
    page = make_page()
    piece = page.open(two_hands())
    (page.folder / "Tune").rename(page.folder / "Old tune")
    edit(page, piece)
    page.studio.close()
    assert not (page.folder / "Tune").exists()
    assert len(list((page.folder / "Old tune").glob("*.mid"))) == 2
    again = make_page()
    assert [take["error"] for take in again.get(f"pieces/{piece['id']}")["takes"]] == [None, None]
    assert len(again.get("state")["pieces"]) == 1


def test_a_renamed_folder_is_found_though_a_take_of_it_was_deleted(make_page: Callable[..., Page]) -> None:
    page = make_page()
    piece = page.open(two_hands())
    edit(page, piece)
    page.studio.close()
    (page.folder / "Tune").rename(page.folder / "Old tune")
    next((page.folder / "Old tune").glob("002*")).unlink()
    again = make_page()
    assert 120 in again.get(f"pieces/{piece['id']}")["song"]["tracks"][0]["notes"]
    assert len(again.get("state")["pieces"]) == 1


def test_a_very_long_name_of_a_track_is_cut(page: Page, tmp_path: Path) -> None:
    from symusic import Score

    score = Score.from_midi(two_hands())
    score.tracks[0].name = "x" * 1000
    piece = page.open(score.dumps_midi())
    assert len(piece["song"]["tracks"][0]["name"]) == LONGEST_NAME
    assert edit(page, piece)["seq"] == 1
