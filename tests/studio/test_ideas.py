"""Ideas: what is outside of what was requested stays, and every idea is a take."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from studio_support import Page, events, notes_of, two_hands

from toccata.studio import ideas


@pytest.mark.parametrize(
    ("verb", "bars", "more"),
    [
        ("infill", [2, 3], {}),
        ("vary", [2, 2], {"arguments": {"keep": "rhythm"}}),
        ("vary", [1, 2], {"arguments": {"keep": "melody", "strength": 0.9}}),
        ("accompany", [1, 2], {"arguments": {"programs": [40, -1]}}),
        ("continue", None, {"arguments": {"bars": 2}}),
        ("continue", [6, 7], {}),
        ("harmonise", [1, 2], {"arguments": {"voices": ["bass"]}}),
    ],
)
def test_every_verb(page: Page, verb: str, bars: list[int] | None, more: dict[str, Any]) -> None:
    piece = page.open(two_hands())
    tracks = [piece["song"]["tracks"][0]["id"]] if verb == "harmonise" else []
    body = {"seq": piece["seq"], "verb": verb, "bars": bars, "tracks": tracks, "n": 2, "seed": 5, **more}
    growing = page.post(f"pieces/{piece['id']}/ideas", body)["ideas"]
    assert [take["state"] for take in growing] == ["growing", "growing"]
    done = page.finished(growing)
    assert [(t["state"], t["outsideChanged"], t["error"]) for t in done] == [("finished", 0, None)] * 2
    assert [take["seed"] for take in done] == [5, 6]
    for take in done:
        song = page.get(f"takes/{take['id']}/song")
        diff = page.get(f"takes/{take['id']}/diff")
        before, after = notes_of(piece["song"]), notes_of(song)
        removed, added = (
            Counter((t["track"], *t["notes"][n : n + 4]) for t in diff[way] for n in range(0, len(t["notes"]), 4))
            for way in ("removed", "added")
        )
        assert before - removed + added == after
        assert take["notes"] == added.total()
        announced: Counter[tuple[Any, ...]] = Counter()
        for event in events(page):
            if event.get("take") == take["id"] and event["type"] in ("idea.notes", "idea.removed"):
                kind = 1 if event["type"] == "idea.notes" else -1
                for _, _, _, *note in event["notes"]:
                    announced[tuple(note)] += kind
        assert +announced == Counter(note[1:] for note in added.elements())
    if verb == "continue":
        assert done[0]["bars"] == ([5, 7] if bars else [5, 6])


def test_an_empty_piece_is_generated_with_its_own_tempo_and_meter(page: Page) -> None:
    piece = page.post("pieces", {"title": "New", "tempo": 100, "meter": [3, 4]})
    assert piece["song"]["tracks"] == []
    body = {"seq": 0, "verb": "generate", "n": 1, "arguments": {"bars": 2}}
    (done,) = page.finished(page.post(f"pieces/{piece['id']}/ideas", body)["ideas"])
    assert (done["state"], done["bars"]) == ("finished", [1, 2])
    song = page.get(f"takes/{done['id']}/song")
    assert song["meters"] == [[0, 3, 4]]
    assert song["tempos"][0][1] == pytest.approx(100, abs=2)
    moved = page.post(f"pieces/{piece['id']}/accept", {"seq": 0, "take": done["id"]})
    assert (moved["take"], moved["seq"], moved["canUndo"]) == (done["id"], 1, True)
    assert notes_of(moved["song"]) == notes_of(song)


def test_locked_notes_stay(page: Page) -> None:
    piece = page.open(two_hands())
    melody = piece["song"]["tracks"][0]
    held = [[melody["id"], 1920, melody["notes"][4 * 4 + 2]], [melody["id"], 99, 60]]  # the second is no note
    page.post(f"pieces/{piece['id']}/locks", {"locks": held}, method="PUT")
    body = {"seq": 0, "verb": "infill", "bars": [2, 2], "n": 2, "seed": 1}
    for take in page.finished(page.post(f"pieces/{piece['id']}/ideas", body)["ideas"]):
        assert take["outsideChanged"] == 0
        song = page.get(f"takes/{take['id']}/song")
        assert (melody["id"], 1920, *melody["notes"][17:20]) in notes_of(song)


def test_an_idea_that_is_stopped_is_a_take_with_its_notes(page: Page) -> None:
    piece = page.open(two_hands())
    body = {"seq": 0, "verb": "continue", "n": 3, "seed": 3, "arguments": {"bars": 64}}
    ideas = page.post(f"pieces/{piece['id']}/ideas", body)["ideas"]
    stopped = page.post(f"takes/{ideas[1]['id']}/stop")
    assert stopped["state"] == "stopped"
    song = page.get(f"takes/{stopped['id']}/song")
    assert (notes_of(song) - notes_of(piece["song"])).total() == stopped["notes"]
    assert notes_of(piece["song"]) - notes_of(song) == Counter()
    for idea in (ideas[0], ideas[2]):
        page.post(f"takes/{idea['id']}/stop")
    assert page.post(f"takes/{ideas[0]['id']}/stop")["state"] == "stopped"  # once more is no fault


def test_more_like_this(page: Page) -> None:
    piece = page.open(two_hands())
    body = {"seq": 0, "verb": "infill", "bars": [2, 2], "n": 1, "seed": 1}
    first = page.finished(page.post(f"pieces/{piece['id']}/ideas", body)["ideas"])
    more = page.finished(page.post(f"takes/{first[0]['id']}/again", {"n": 2})["ideas"])
    assert [(t["verb"], t["bars"], t["state"]) for t in more] == [("infill", [2, 2], "finished")] * 2
    assert len({t["seed"] for t in [*first, *more]}) == 3
    page.post(f"takes/{piece['take']}/again", {"n": 1}, 422)


def test_an_idea_is_taken_as_it_is_or_put_into_what_has_changed(page: Page) -> None:
    piece = page.open(two_hands())
    name, melody = piece["id"], piece["song"]["tracks"][0]
    body = {"seq": 0, "verb": "infill", "bars": [3, 3], "n": 1, "seed": 2}
    (idea,) = page.finished(page.post(f"pieces/{name}/ideas", body)["ideas"])
    note = melody["notes"][:4]
    edit = {
        "type": "notes", "track": melody["id"], "program": 0, "drum": False, "name": "Melody",
        "remove": [note], "add": [[*note[:2], 90, note[3]]],
    }  # fmt: skip
    moved = page.post(f"pieces/{name}/edits", {"seq": 0, "operations": [edit]})
    taken = page.post(f"pieces/{name}/accept", {"seq": moved["seq"], "take": idea["id"]})
    song = page.get(f"takes/{taken['take']}/song")
    assert (melody["id"], *note[:2], 90, note[3]) in notes_of(song)
    start, end = piece["song"]["bars"][2:4]
    alone = page.get(f"takes/{idea['id']}/song")

    def inside(of: Any) -> Counter[tuple[Any, ...]]:
        return Counter(n for n in notes_of(of).elements() if start <= n[1] < end)

    assert inside(song) == inside(alone)
    back = page.post(f"pieces/{name}/undo", {"seq": taken["seq"]})
    assert back["take"] == moved["take"]


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"verb": "sing"}, 400, "no verb"),
        ({"n": 0}, 400, "from 1 to 16"),
        ({"n": 17}, 400, "from 1 to 16"),
        ({"seed": -1}, 400, "seed"),
        ({"bars": [9, 10]}, 422, "has 4 bars"),
        ({"bars": [3, 2]}, 400, "bars"),
        ({"bars": None}, 422, "choose the bars"),
        ({"tracks": ["nobody"]}, 409, "no track"),
        ({"model": "nobody"}, 404, "no model"),
        ({"arguments": {"volume": 11}}, 400, "no argument"),
        ({"arguments": {"key": "H sharp"}}, 400, "key"),
        ({"verb": "accompany"}, 422, "choose the instruments"),
        ({"verb": "generate"}, 422, "there is music"),
        ({"seq": 7}, 409, "load it again"),
        ({"seq": None}, 400, "seq"),
    ],
)
def test_a_request_that_cannot_be_fulfilled(page: Page, change: dict[str, Any], status: int, words: str) -> None:
    piece = page.open(two_hands())
    body = {"seq": 0, "verb": "infill", "bars": [2, 2], "n": 1} | change
    error = page.post(f"pieces/{piece['id']}/ideas", body, status)["error"]
    assert words in error["message"]
    assert "\n" not in error["message"]
    assert len(page.get(f"pieces/{piece['id']}")["takes"]) == 1


def test_what_a_model_refuses_is_a_failed_take_with_its_reason(page: Page) -> None:
    piece = page.open(two_hands())
    body = {"seq": 0, "verb": "vary", "bars": [2, 2], "n": 2, "arguments": {"strength": 0.5, "key": "C"}}
    body["arguments"] = {"keep": "melody"}
    body["tracks"] = [piece["song"]["tracks"][0]["id"]]  # nothing but the melody is there
    failed = page.finished(page.post(f"pieces/{piece['id']}/ideas", body)["ideas"])
    assert [take["state"] for take in failed] == ["failed", "failed"]
    assert all("nothing but the melody" in take["error"] for take in failed)
    assert page.get(f"takes/{failed[0]['id']}/diff") == {"removed": [], "added": []}
    assert (
        "nothing to take"
        in page.post(f"pieces/{piece['id']}/accept", {"seq": 0, "take": failed[0]["id"]}, 422)["error"]["message"]
    )
    assert len(list(page.folder.glob("*/*.mid"))) == 1
    assert {e["type"] for e in events(page) if e.get("take", {}) and "failed" in e["type"]} == {"idea.failed"}


def region(song: Any, first: int, last: int) -> Counter[tuple[Any, ...]]:
    """The notes of bars, without those of tracks made for them."""
    start, end = song["bars"][first - 1], song["bars"][last] if last < len(song["bars"]) else 1 << 30
    return Counter({note: count for note, count in notes_of(song).items() if start <= note[1] < end})


@pytest.mark.parametrize(("verb", "bars"), [("vary", [1, 2]), ("infill", [1, 2]), ("continue", None)])
def test_another_idea_comes_in_place_of_the_first(page: Page, verb: str, bars: list[int] | None) -> None:
    piece = page.open(two_hands())
    body = {"seq": 0, "verb": verb, "bars": bars, "n": 2, "seed": 3, "arguments": {"bars": 2} if bars is None else {}}
    one, two = page.finished(page.post(f"pieces/{piece['id']}/ideas", body)["ideas"])
    page.post(f"pieces/{piece['id']}/accept", {"seq": 0, "take": one["id"]})
    page.post(f"pieces/{piece['id']}/accept", {"seq": 1, "take": two["id"]})
    now, wanted = page.get(f"pieces/{piece['id']}")["song"], page.get(f"takes/{two['id']}/song")
    first, last = bars or [5, 99]

    def plain(song: Any) -> Counter[tuple[Any, ...]]:
        return Counter(note[1:] for note in region(song, first, last).elements())

    assert plain(now) == plain(wanted)
    outside = (1, 4) if bars is None else (3, 4)
    assert region(now, *outside) == region(piece["song"], *outside)


def test_taking_an_idea_twice_is_taking_it_once(page: Page) -> None:
    piece = page.open(two_hands())
    body = {"seq": 0, "verb": "accompany", "bars": [1, 2], "n": 1, "seed": 3, "arguments": {"programs": [40]}}
    (idea,) = page.finished(page.post(f"pieces/{piece['id']}/ideas", body)["ideas"])
    first = page.post(f"pieces/{piece['id']}/accept", {"seq": 0, "take": idea["id"]})
    again = page.post(f"pieces/{piece['id']}/accept", {"seq": 1, "take": idea["id"]})
    assert (again["seq"], again["take"]) == (first["seq"], first["take"])
    assert notes_of(page.get(f"pieces/{piece['id']}")["song"]) == notes_of(page.get(f"takes/{idea['id']}/song"))


def test_taking_an_idea_twice_into_a_changed_piece_is_taking_it_once(page: Page) -> None:
    piece = page.open(two_hands())
    body = {"seq": 0, "verb": "accompany", "bars": [1, 2], "n": 1, "seed": 3, "arguments": {"programs": [40]}}
    (idea,) = page.finished(page.post(f"pieces/{piece['id']}/ideas", body)["ideas"])
    ref = {"type": "notes", "track": piece["song"]["tracks"][0]["id"], "program": 0, "drum": False, "name": ""}
    page.post(f"pieces/{piece['id']}/edits", {"seq": 0, "operations": [{**ref, "remove": [], "add": [[9, 9, 99, 9]]}]})
    first = page.post(f"pieces/{piece['id']}/accept", {"seq": 1, "take": idea["id"]})
    song = page.get(f"pieces/{piece['id']}")["song"]
    again = page.post(f"pieces/{piece['id']}/accept", {"seq": 2, "take": idea["id"]})
    assert (again["seq"], again["take"]) == (first["seq"], first["take"])
    assert page.get(f"pieces/{piece['id']}")["song"] == song


def test_undoing_the_way_to_a_take_leaves_locks_alone(page: Page) -> None:
    piece = page.open(two_hands())
    track = piece["song"]["tracks"][0]
    lock = [track["id"], 0, 60]
    page.post(f"pieces/{piece['id']}/locks", {"locks": [lock]}, method="PUT")
    ref = {"type": "notes", "track": track["id"], "program": 0, "drum": False, "name": "", "add": []}
    gone = page.post(
        f"pieces/{piece['id']}/edits", {"seq": 0, "operations": [{**ref, "remove": [track["notes"][:4]]}], "locks": []}
    )
    page.post(f"pieces/{piece['id']}/goto", {"seq": 1, "take": piece["take"]})
    other = {**ref, "remove": [], "add": [[7, 7, 100, 80]]}
    page.post(f"pieces/{piece['id']}/edits", {"seq": 2, "operations": [other]})
    page.post(f"pieces/{piece['id']}/goto", {"seq": 3, "take": gone["take"]})
    assert "locks" not in page.post(f"pieces/{piece['id']}/undo", {"seq": 4})
    assert page.get(f"pieces/{piece['id']}")["locks"] == []
    for seq in (5, 6):
        page.post(f"pieces/{piece['id']}/undo", {"seq": seq})
    assert page.post(f"pieces/{piece['id']}/undo", {"seq": 7})["locks"] == [lock]


def test_a_piece_that_is_deleted_gets_no_more_ideas(page: Page) -> None:
    piece = page.open(two_hands())
    body = {"seq": 0, "verb": "continue", "n": 1, "arguments": {"bars": 400}}
    (idea,) = page.post(f"pieces/{piece['id']}/ideas", body)["ideas"]
    page.client.delete(f"/studio/pieces/{piece['id']}")
    assert page.finished([idea])[0]["state"] in ("stopped", "failed")
    assert "deleted" in page.post(f"pieces/{piece['id']}/ideas", body, 422)["error"]["message"]


def test_a_fault_while_an_idea_ends_is_the_ideas_own(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    piece = page.open(two_hands())

    def broken(*_: Any) -> int:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(ideas, "outside_changed", broken)
    body = {"seq": 0, "verb": "continue", "n": 1, "seed": 1, "arguments": {"bars": 1}}
    (idea,) = page.finished(page.post(f"pieces/{piece['id']}/ideas", body)["ideas"])
    assert idea["state"] == "failed"
    assert "a fault in toccata" in idea["error"]
    assert "idea.failed" in {event["type"] for event in events(page)}


def test_a_page_that_is_loaded_meanwhile_is_sent_the_notes_from_the_first(page: Page) -> None:
    piece = page.open(two_hands())
    before = page.get("state")["lastEvent"]
    body = {"seq": 0, "verb": "continue", "n": 1, "arguments": {"bars": 400}}
    (idea,) = page.post(f"pieces/{piece['id']}/ideas", body)["ideas"]
    assert page.get("state")["lastEvent"] == before
    page.post(f"takes/{idea['id']}/stop")
    assert page.get("state")["lastEvent"] > before
