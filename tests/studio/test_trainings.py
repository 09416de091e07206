"""Music for training, and trainings: each a process of its own that can be paused, gone on with and found again."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from studio_support import Page, events, two_hands

from toccata.folder import open_folder, seal
from toccata.studio.curve import Curve

SECONDS = 240


def until(page: Page, name: str, *states: str) -> Any:
    """Wait for a state of a training; return it."""
    ends = time.monotonic() + SECONDS
    seen: list[Any] = []
    while time.monotonic() < ends:
        training = page.get(f"trainings/{name}")
        if training["state"] in states:
            return training
        if training["state"] not in ("checking", "running", "pausing", "cancelling"):
            break
        seen.append(training["state"])
        page.studio.trainings._ended.wait(0.2)
    raise AssertionError(f"{training['state']}: {training['error']}")


def fill(page: Page, data: Path, count: int = 24) -> None:
    """Drop files for training into the page."""
    for path in sorted((data / "bach" / "mutopia").glob("*.mid"))[:count]:
        answer = page.client.post("/studio/music/bach/files", params={"name": path.name}, content=path.read_bytes())
        assert answer.status_code == 201, answer.text


def test_files_are_dropped_in_once_and_checked(page: Page) -> None:
    for name in ("one.mid", "one.mid", "two.mid", "../../evil.mid", "song.exe"):
        answer = page.client.post("/studio/music/mine/files", params={"name": name}, content=two_hands())
        assert answer.status_code == 201
    other = page.client.post("/studio/music/mine/files", params={"name": "one.mid"}, content=two_hands(3)).json()
    assert other == {"name": "mine", "file": "one 2.mid", "files": 5}
    folder = page.folder / "music" / "mine"
    assert sorted(path.name for path in folder.iterdir()) == [
        "evil.mid", "one 2.mid", "one.mid", "song.mid", "two.mid"
    ]  # fmt: skip
    assert page.get("music") == [{"name": "mine", "files": 5}]
    assert page.client.post("/studio/music/mine/files", content=b"no MIDI").status_code == 400
    assert page.client.post("/studio/music/..%2f/files", content=two_hands()).status_code in (400, 404)
    (folder / "bad.mid").write_bytes(b"MThd and no more")
    report = page.get("music/mine/check")
    assert (report["files"], report["accepted"]) == (6, 5)
    assert [one["path"] for one in report["rejected"]] == ["bad.mid"]
    assert len(report["duplicates"]) == 1
    page.get("music/nobody/check", 422)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"kind": "sing"}, 400, "kind"),
        ({"minutes": 0}, 400, "minutes"),
        ({"minutes": "long"}, 400, "minutes"),
        ({"name": ""}, 400, "name"),
        ({"name": None}, 400, "name"),
        ({"name": "small"}, 422, "a model small already"),
        ({"music": "nobody"}, 422, "no music"),
        ({"kind": "finetune", "base": "nobody"}, 404, "no model"),
    ],
)
def test_a_training_that_cannot_be_begun(page: Page, change: Any, status: int, words: str) -> None:
    page.client.post("/studio/music/mine/files", params={"name": "one.mid"}, content=two_hands())
    body = {"kind": "train", "music": "mine", "name": "new", "minutes": 1} | change
    assert words in page.post("trainings", body, status)["error"]["message"]
    assert page.get("state")["trainings"] == []


def test_a_training_without_enough_music_fails_in_one_line(page: Page) -> None:
    page.client.post("/studio/music/mine/files", params={"name": "one.mid"}, content=b"MThd and no more")
    made = page.post("trainings", {"kind": "train", "music": "mine", "name": "new", "minutes": 1})
    failed = until(page, made["id"], "failed")
    assert failed["error"]
    assert "\n" not in failed["error"]
    assert page.post(f"trainings/{made['id']}/cancel")["state"] == "cancelled"
    assert not (page.folder / "models" / "new").exists()


@pytest.mark.parametrize(("metrics", "state"), [(None, "failed"), ({"valid": 1.0}, "finished")])
def test_a_training_that_ends_in_its_evaluation_is_not_finished(
    metrics: dict[str, float] | None, state: str, page: Page, small_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(command: list[str], *_: object) -> subprocess.Popen[bytes]:
        out = Path(shutil.copytree(small_model, command[command.index("-o") + 1], dirs_exist_ok=True))
        made = open_folder(out)
        seal(out, {**{key: value for key, value in made.about.items() if key != "metrics"}, "metrics": metrics})
        return subprocess.Popen([sys.executable, "-c", ""])

    monkeypatch.setattr("toccata.studio.process.begin", begin)
    page.client.post("/studio/music/mine/files", params={"name": "one.mid"}, content=two_hands())
    made = page.post("trainings", {"kind": "train", "music": "mine", "name": "new", "minutes": 1})
    assert until(page, made["id"], "failed", "finished")["state"] == state
    if state == "failed":
        page.post(f"trainings/{made['id']}/resume")


@pytest.mark.slow
def test_train_pause_leave_come_back_and_listen(
    make_page: Callable[..., Page], tmp_path: Path, data: Path, small_model: Path
) -> None:
    page = make_page(tmp_path / "mine")
    fill(page, data)
    made = page.post("trainings", {"kind": "train", "music": "bach", "name": "new", "minutes": 0.4})
    name = made["id"]
    page.post("trainings", {"kind": "train", "music": "bach", "name": "other", "minutes": 1}, 422)  # one at a time
    running = until(page, name, "running")
    assert running["curve"]
    page.studio.close()  # the training goes on
    again = make_page(tmp_path / "mine")
    assert again.get(f"trainings/{name}")["state"] == "running"
    again.post(f"trainings/{name}/pause")
    again.post(f"trainings/{name}/pause")  # a second press changes nothing
    again.studio.close()  # it ends while nobody looks
    again = make_page(tmp_path / "mine")
    paused = until(again, name, "paused")
    samples = tmp_path / "mine" / "models" / "new" / "training" / "samples"
    samples.mkdir()
    (samples / "step-2.mid").write_bytes(two_hands())
    (sample,) = again.get(f"trainings/{name}")["samples"]
    assert sample["step"] == 2
    assert again.client.get(sample["url"]).content == two_hands()
    assert 0 < paused["done"] < 1
    again.post(f"trainings/{name}/pause", status=422)
    again.post(f"trainings/{name}/resume")
    done = until(again, name, "finished")
    assert done["done"] == 1
    assert done["curve"][-1][0] >= paused["curve"][-1][0]
    assert any(held is not None for _, _, held in done["curve"])
    assert "training" in {event["type"] for event in events(again)}
    assert (tmp_path / "mine" / "models" / "new" / "toccata.json").is_file()


@pytest.mark.slow
def test_a_folder_that_vanishes_is_one_line(page: Page, data: Path) -> None:
    fill(page, data, 8)
    made = page.post("trainings", {"kind": "train", "music": "bach", "name": "new", "minutes": 5})
    until(page, made["id"], "running")
    page.post(f"trainings/{made['id']}/pause")
    until(page, made["id"], "paused")
    shutil.rmtree(page.folder / "models" / "new")
    assert page.get(f"trainings/{made['id']}")["error"] == "its folder is gone: begin it again"
    assert page.post(f"trainings/{made['id']}/cancel")["state"] == "cancelled"
    page.post(f"trainings/{made['id']}/resume", status=422)
    page.get("trainings/nobody", 404)


def test_a_curve_is_read_while_it_is_written(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    curve = Curve(log)
    assert curve.points() == []
    log.write_text("step,loss,valid_loss,seconds\n1,3.5,,0.5\n2,3.0,2.9,1.0\n3,2.")
    assert curve.points() == [[1, 3.5, None], [2, 3.0, 2.9]]
    with log.open("a") as file:
        file.write("75,,1.5\n")
    assert curve.points()[-1] == [3, 2.75, None]
    assert curve.seconds == 1.5
    log.write_text("step,loss,valid_loss,seconds\n1,3.5,,0.5\n")
    assert curve.points() == [[1, 3.5, None]]
    other = tmp_path / "aside.csv"
    other.write_text("step,loss\n" + "".join(f"{n},1\n" for n in range(5000)))
    other.replace(log)
    assert 300 < len(curve.points()) < 500
    log.unlink()
    assert curve.points() == []
