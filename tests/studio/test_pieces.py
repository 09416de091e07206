"""Pieces, takes, edits and their history, through the page's API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from studio_support import Page, events, notes_of, two_hands

from toccata.midi.read import read_score
from toccata.studio import editing, library


def note_edit(song: Any, number: int = 0, remove: list[Any] | None = None, add: list[Any] | None = None) -> Any:
    """An edit of a track."""
    track = song["tracks"][number]
    about = {name: track[name] for name in ("program", "drum", "name")}
    return {"type": "notes", "track": track["id"], **about, "remove": remove or [], "add": add or []}


def changed(page: Page, piece: Any, *operations: Any, **more: Any) -> Any:
    """Edit a piece as it is now."""
    seq = page.get(f"pieces/{piece['id']}")["seq"]
    return page.post(f"pieces/{piece['id']}/edits", {"seq": seq, "operations": list(operations), **more})


def test_the_first_page_has_all_there_is(page: Page) -> None:
    state = page.get("state")
    assert state["pieces"] == []
    assert state["defaultModel"] == "small"
    (model,) = state["models"]
    assert set(model["verbs"]) == {"continue", "generate", "infill", "vary", "harmonise", "accompany"}
    page.open(two_hands(), "A tune")
    assert [piece["title"] for piece in page.get("state")["pieces"]] == ["A tune"]


def test_a_file_becomes_a_piece_and_a_file_in_the_library(page: Page) -> None:
    piece = page.open(two_hands(), "A/tune: \x07 nice?")
    assert piece["title"] == "A/tune: nice?"
    assert (piece["seq"], piece["cursor"], piece["canUndo"], piece["canRedo"]) == (0, 0, False, False)
    (file,) = page.folder.glob("*/*.mid")
    assert file.parent.name == "A tune nice"
    assert file.read_bytes() == two_hands()
    again = page.open(two_hands(), "A tune nice")
    assert (page.folder / "A tune nice 2").is_dir()
    assert again["id"] != piece["id"]


@pytest.mark.parametrize("data", [b"", b"no MIDI", b"MThd" + bytes(30), two_hands()[:50]])
def test_what_is_no_midi_is_refused_and_leaves_nothing(page: Page, data: bytes) -> None:
    answer = page.client.post("/studio/pieces", content=data, headers={"content-type": "audio/midi"})
    assert answer.status_code == 400
    assert "\n" not in answer.json()["error"]["message"]
    assert page.get("state")["pieces"] == []
    assert not list(page.folder.glob("*/*.mid"))


def test_ten_thousand_tracks_and_a_hundred_megabytes_are_refused(page: Page) -> None:
    track = b"MTrk\0\0\0\x0c\0\x90\x3c\x40\x60\x80\x3c\x00\0\xff\x2f\0"
    data = b"MThd\0\0\0\6\0\1\x27\x10\0\x60" + track * 10_000
    answer = page.client.post("/studio/pieces", content=data, headers={"content-type": "audio/midi"})
    assert answer.status_code == 400
    assert "tracks" in answer.json()["error"]["message"]
    answer = page.client.post("/studio/pieces", content=bytes(100 << 20), headers={"content-type": "audio/midi"})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "body", [{"tempo": 0}, {"tempo": "fast"}, {"meter": [3, 5]}, {"meter": 4}, {"title": 7}, {"meter": [0, 4]}]
)
def test_an_empty_piece_that_cannot_be(page: Page, body: Any) -> None:
    page.post("pieces", body, 400)
    assert page.get("state")["pieces"] == []


def test_an_edit_and_undo_and_redo(page: Page) -> None:
    piece = page.open(two_hands())
    name, song = piece["id"], piece["song"]
    note = song["tracks"][0]["notes"][:4]
    edit = note_edit(song, remove=[note], add=[[*note[:2], 90, 70]])
    first = changed(page, piece, edit)
    assert (first["seq"], first["cursor"], first["canUndo"]) == (1, 1, True)
    assert "song" not in first  # the page knows what it has done
    second = changed(page, piece, note_edit(song, add=[[100, 50, 100, 70]]))
    assert (second["take"], second["cursor"]) == (first["take"], 2)  # one take for a burst of edits
    back = page.post(f"pieces/{name}/undo", {"seq": 2})
    assert back["operations"] == [note_edit(song, remove=[[100, 50, 100, 70]])]
    back = page.post(f"pieces/{name}/undo", {"seq": 3})
    assert (back["take"], back["canUndo"], back["canRedo"]) == (piece["take"], False, True)
    assert notes_of(page.get(f"pieces/{name}")["song"]) == notes_of(song)
    page.post(f"pieces/{name}/undo", {"seq": 4}, 422)
    page.post(f"pieces/{name}/redo", {"seq": 4})
    forward = page.post(f"pieces/{name}/redo", {"seq": 5})
    assert (forward["canUndo"], forward["canRedo"]) == (True, False)
    assert notes_of(page.get(f"pieces/{name}")["song"])[song["tracks"][0]["id"], 100, 50, 100, 70] == 1


def test_undoing_everything_gives_the_first_bytes(page: Page) -> None:
    piece = page.open(two_hands())
    for n in range(5):
        changed(page, piece, note_edit(piece["song"], n % 2, add=[[n * 17, 10, 110 + n, 80]]))
    while page.get(f"pieces/{piece['id']}")["canUndo"]:
        page.post(f"pieces/{piece['id']}/undo", {"seq": page.get(f"pieces/{piece['id']}")["seq"]})
    state = page.studio.library.state(piece["id"])
    assert page.studio.library.music.of(state) == two_hands()


def test_an_edit_after_undo_begins_another_take(page: Page) -> None:
    piece = page.open(two_hands())
    changed(page, piece, note_edit(piece["song"], add=[[10, 10, 100, 80]]))
    first = changed(page, piece, note_edit(piece["song"], add=[[30, 10, 101, 80]]))
    page.post(f"pieces/{piece['id']}/undo", {"seq": 2})
    other = changed(page, piece, note_edit(piece["song"], add=[[50, 10, 102, 80]]))
    assert other["take"] != first["take"]
    assert not other["canRedo"]
    pitches = {note[3] for note in notes_of(page.get(f"pieces/{piece['id']}")["song"])}
    assert {100, 102} <= pitches
    assert 101 not in pitches
    pitches = {note[3] for note in notes_of(page.get(f"takes/{first['take']}/song"))}
    assert {100, 101} <= pitches  # the take is there as it was


def test_a_late_edit_begins_another_take(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    piece = page.open(two_hands())
    first = changed(page, piece, note_edit(piece["song"], add=[[10, 10, 100, 80]]))
    monkeypatch.setattr(editing, "BURST", 0.0)
    second = changed(page, piece, note_edit(piece["song"], add=[[30, 10, 101, 80]]))
    assert second["take"] != first["take"]
    row = page.studio.library.take(first["take"])
    assert row.file is not None  # what is not edited any more is a file
    saved = read_score(page.folder / "Tune" / row.file)
    assert saved.note_num() == read_score(two_hands()).note_num() + 1


def test_two_tabs(page: Page) -> None:
    piece = page.open(two_hands())
    body = {"seq": 0, "operations": [note_edit(piece["song"], add=[[10, 10, 100, 80]])]}
    page.post(f"pieces/{piece['id']}/edits", body)
    error = page.post(f"pieces/{piece['id']}/edits", body, 409)["error"]
    assert error["kind"] == "stale"
    for how in ("undo", "redo", "goto", "accept"):
        page.post(f"pieces/{piece['id']}/{how}", {"seq": 0, "take": piece["take"]}, 409)
    assert [e for e in events(page) if e["type"] == "piece.changed"] == [
        {"type": "piece.changed", "piece": piece["id"], "seq": 1}
    ]


def test_an_edit_that_the_page_could_not_foresee_is_answered_with_the_song(page: Page) -> None:
    piece = page.open(two_hands())
    track = {"type": "notes", "track": "new:24", "program": 24, "drum": False, "name": "", "remove": []}
    moved = changed(page, piece, {**track, "add": [[0, 100, 60, 80]]})
    assert [t["name"] for t in moved["song"]["tracks"]][-1] == "Nylon Guitar"
    clash = changed(page, piece, note_edit(piece["song"], add=[[100, 1000, 60, 70]]))
    assert notes_of(clash["song"]) == notes_of(moved["song"])  # the key sounds already
    stale = {"seq": 2, "operations": [note_edit(piece["song"], remove=[[1, 2, 3, 4]])]}
    page.post(f"pieces/{piece['id']}/edits", stale, 409)


def test_locks_go_with_edits_and_come_back_with_undo(page: Page) -> None:
    piece = page.open(two_hands())
    name, track = piece["id"], piece["song"]["tracks"][0]["id"]
    page.post(f"pieces/{name}/locks", {"locks": [[track, 0, 60]]}, method="PUT")
    note = piece["song"]["tracks"][0]["notes"][:4]
    edit = note_edit(piece["song"], remove=[note], add=[[0, 480, 90, 80]])
    changed(page, piece, edit, locks=[[track, 0, 90]])
    assert page.get(f"pieces/{name}")["locks"] == [[track, 0, 90]]
    back = page.post(f"pieces/{name}/undo", {"seq": 1})
    assert back["locks"] == [[track, 0, 60]] == page.get(f"pieces/{name}")["locks"][0:1]
    forward = page.post(f"pieces/{name}/redo", {"seq": 2})
    assert forward["locks"] == [[track, 0, 90]]
    for wrong in ("all", [[1, 2, 3]], [["x", 0]], [["x", 0, 128]], [["x", -1, 1]]):
        page.post(f"pieces/{name}/locks", {"locks": wrong}, 400, "PUT")


def test_going_to_a_take_is_a_step_of_undo(page: Page) -> None:
    piece = page.open(two_hands())
    name = piece["id"]
    edited = changed(page, piece, note_edit(piece["song"], add=[[10, 10, 100, 80]]))
    gone = page.post(f"pieces/{name}/goto", {"seq": 1, "take": piece["take"]})
    assert (gone["take"], gone["canUndo"]) == (piece["take"], True)
    back = page.post(f"pieces/{name}/undo", {"seq": 2})
    assert (back["take"], back["cursor"]) == (edited["take"], 1)
    other = page.open(two_hands())
    page.post(f"pieces/{name}/goto", {"seq": 3, "take": other["take"]}, 422)
    page.post(f"pieces/{name}/goto", {"seq": 3, "take": "nobody"}, 404)
    page.post(f"pieces/{name}/goto", {"seq": 3}, 400)


def test_pieces_and_takes_are_named_marked_deleted_and_restored(page: Page) -> None:
    piece = page.open(two_hands())
    name = piece["id"]
    assert page.post(f"pieces/{name}", {"title": "Better"}, method="PATCH")["title"] == "Better"
    assert [path.parent.name for path in page.folder.glob("*/*.mid")] == ["Better"]
    page.open(two_hands(), "Other")
    assert page.post(f"pieces/{name}", {"title": "Other"}, method="PATCH")["title"] == "Other"
    assert sorted(path.parent.name for path in page.folder.glob("*/*.mid")) == ["Other", "Other 2"]
    assert page.post(f"pieces/{name}", method="DELETE")["deleted"] is True
    page.post(f"pieces/{name}/edits", {"seq": 0, "operations": []}, 422)
    assert page.post(f"pieces/{name}/restore")["deleted"] is False
    take = page.post(f"takes/{piece['take']}", {"title": "First", "star": True}, method="PATCH")
    assert (take["title"], take["star"]) == ("First", True)
    page.post(f"takes/{piece['take']}", status=422, method="DELETE")  # it is on screen
    edited = changed(page, piece, note_edit(piece["song"], add=[[10, 10, 100, 80]]))
    assert page.post(f"takes/{piece['take']}", method="DELETE")["deleted"] is True
    assert page.post(f"takes/{piece['take']}/restore")["deleted"] is False
    page.post("ratings", {"a": piece["take"], "b": edited["take"], "better": None})
    page.post("ratings", {"a": piece["take"], "b": edited["take"], "better": "c"}, 400)


@pytest.mark.parametrize("path", ["pieces/nobody", "takes/nobody/song", "takes/nobody/diff", "takes/nobody/report"])
def test_what_is_not_there(page: Page, path: str) -> None:
    page.get(path, 404)
    page.get(path.replace("nobody", "x" * 1000), 404)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b'{"seq": NaN}', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_object(page: Page, body: bytes) -> None:
    piece = page.open(two_hands())
    answer = page.client.post(f"/studio/pieces/{piece['id']}/edits", content=body)
    assert answer.status_code == 400
    assert "\n" not in answer.json()["error"]["message"]


def test_downloads_and_one_file_addresses(page: Page) -> None:
    piece = page.open(two_hands(), "Tüne")
    take = piece["take"]
    answer = page.client.get(f"/studio/takes/{take}/file.mid")
    assert answer.content == two_hands()
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''T%C3%BCne")
    picture = page.client.get(f"/studio/takes/{take}/file.png")
    assert picture.content.startswith(b"\x89PNG")
    sound = page.client.get(f"/studio/takes/{take}/file.wav")
    assert sound.content.startswith(b"RIFF")
    page.get(f"takes/{take}/file.exe", 404)
    url = page.post(f"takes/{take}/link", {"kind": "mid"})["url"]
    without = page.client.get(url, headers={"authorization": ""})
    assert (without.status_code, without.content) == (200, two_hands())
    assert page.client.get("/studio/links/nobody/file.mid").status_code == 404
    page.post(f"takes/{take}/link", {"kind": "exe"}, 400)
    assert page.client.get("/studio/state", headers={"authorization": ""}).status_code == 401


def test_a_piece_opens_as_it_was_left(make_page: Callable[..., Page], tmp_path: Path) -> None:
    page = make_page(tmp_path / "mine")
    piece = page.open(two_hands())
    changed(page, piece, note_edit(piece["song"], add=[[10, 10, 100, 80]]))
    changed(page, piece, note_edit(piece["song"], add=[[30, 10, 101, 80]]))
    page.post(f"pieces/{piece['id']}/undo", {"seq": 2})
    before = page.get(f"pieces/{piece['id']}")
    page.studio.close()
    again = make_page(tmp_path / "mine")
    after = again.get(f"pieces/{piece['id']}")
    assert after == before
    forward = again.post(f"pieces/{piece['id']}/redo", {"seq": before["seq"]})
    assert forward["operations"][0]["add"] == [[30, 10, 101, 80]]


def test_a_folder_that_was_renamed_is_found_again(make_page: Callable[..., Page], tmp_path: Path) -> None:
    page = make_page(tmp_path / "mine")
    first, second = page.open(two_hands(), "One"), page.open(two_hands(2), "Two")
    page.studio.close()
    (tmp_path / "mine" / "One").rename(tmp_path / "mine" / "Uno")
    (tmp_path / "mine" / "Two").rename(tmp_path / "mine" / "Dos")
    again = make_page(tmp_path / "mine")
    for before, name in ((first, "Uno"), (second, "Dos")):
        assert again.get(f"pieces/{before['id']}")["song"] == before["song"]
        assert again.studio.library.piece(before["id"]).folder == name
    assert len(again.get("state")["pieces"]) == 2


def test_a_file_that_is_gone_is_marked_and_one_that_is_new_is_taken_in(
    make_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = make_page(tmp_path / "mine")
    piece = page.open(two_hands(), "One")
    page.studio.close()
    (tmp_path / "mine" / "One" / "001 start.mid").rename(tmp_path / "mine" / "One" / "other.mid")
    (tmp_path / "mine" / "Two").mkdir()
    (tmp_path / "mine" / "Two" / "two.mid").write_bytes(two_hands(2))
    again = make_page(tmp_path / "mine")
    assert {p["title"] for p in again.get("state")["pieces"]} == {"One", "Two"}
    takes = again.studio.library.takes(piece["id"])
    assert [(t.title, t.error) for t in takes] == [("One", "its file is missing from the library"), ("other", None)]
    assert again.get(f"pieces/{piece['id']}")["song"]["tracks"] == []
    assert "001 start.mid" in again.get(f"takes/{piece['take']}/song", 404)["error"]["message"]
    moved = again.post(f"pieces/{piece['id']}/goto", {"seq": 0, "take": takes[1].id})
    assert moved["take"] == takes[1].id
    assert again.get(f"pieces/{piece['id']}")["song"]["end"] == piece["song"]["end"]
    assert library.BURST == 20
