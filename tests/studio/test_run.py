"""The process of a studio: its port, its lock, and what is left of a library whose studio was killed."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from studio_support import notes_of, two_hands

from toccata.midi.read import read_score
from toccata.studio.library import Library
from toccata.studio.recovery import recover

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of other systems")  # Windows sends none


class Running:
    """A studio in a process of its own."""

    def __init__(self, library: Path, model: Path, *options: str) -> None:
        command = [sys.executable, "-m", "toccata", "studio", str(library), "--no-browser", "--model", str(model)]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.lines: list[str] = []
        while not self.lines or "#token=" not in self.lines[-1]:
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read() if self.process.stderr else ""
            self.lines.append(line.strip())
        self.address = self.lines[-1]
        url, token = self.address.split("/#token=")
        self.client = httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=60)

    def call(self, method: str, path: str, **more: Any) -> Any:
        answer = self.client.request(method, f"/studio/{path}", **more)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def open(self, midi: bytes) -> Any:
        return self.call("POST", "pieces?title=Tune", content=midi, headers={"content-type": "audio/midi"})

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.client.close()

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=60)
        self.client.close()
        return self.process.returncode, said


@contextmanager
def running(library: Path, model: Path, *options: str) -> Iterator[Running]:
    studio = Running(library, model, *options)
    try:
        yield studio
    finally:
        if studio.process.poll() is None:
            studio.kill()


def toccata(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "toccata", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_from_the_command_to_an_idea_and_to_the_end(tmp_path: Path, small_model: Path) -> None:
    with running(tmp_path / "mine", small_model) as studio:
        page = studio.client.get("/", headers={"authorization": ""})
        assert page.status_code in (200, 503)  # 503 says in a line how the page is built
        assert studio.client.get("/studio/state", headers={"authorization": ""}).status_code == 401
        assert studio.client.get("/studio/state", headers={"origin": "http://evil.example"}).status_code == 403
        assert studio.client.get("/studio/state", headers={"host": "evil.example"}).status_code == 421
        piece = studio.open(two_hands())
        with studio.client.stream("GET", f"/studio/stream?after={studio.call('GET', 'state')['lastEvent']}") as stream:
            body = {"seq": 0, "verb": "infill", "bars": [2, 2], "n": 2, "seed": 1}
            ideas = studio.call("POST", f"pieces/{piece['id']}/ideas", json=body)["ideas"]
            left, last, kinds = {idea["id"] for idea in ideas}, 0, set()
            for line in stream.iter_lines():
                if line.startswith("id: "):
                    assert int(line[4:]) > last  # no event twice, none out of order
                    last = int(line[4:])
                elif line.startswith("data: "):
                    event = json.loads(line[6:])
                    kinds.add(event["type"])
                    if event["type"] == "idea.finished":
                        left.discard(event["take"]["id"])
                if not left:
                    break
        assert {"idea.notes", "idea.bar", "idea.finished", "take.changed"} <= kinds
        second = toccata("studio", str(tmp_path / "mine"), "--no-browser")
        assert (second.returncode, studio.address in second.stdout) == (0, True)
        port = studio.address.split(":")[2].split("/")[0]
        taken = toccata("studio", str(tmp_path / "other"), "--no-browser", "--port", port)
        assert taken.returncode == 1
        assert len(taken.stderr.strip().splitlines()) == 1
        assert "--port" in taken.stderr
        code, said = studio.stop()
        assert code == 130
        assert said.strip() == f"stopped; everything is in {tmp_path / 'mine'}"
    assert (tmp_path / "mine" / "lock").read_text() == ""
    assert len(list((tmp_path / "mine" / "Tune").glob("*.mid"))) == 3


def test_the_usual_port_is_in_use(tmp_path: Path, small_model: Path) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", 8765))
            other.listen()
        except OSError:
            pass  # somebody else has it: as well
        with running(tmp_path / "mine", small_model) as studio:
            assert not studio.address.startswith("http://127.0.0.1:8765/")
            assert studio.call("GET", "state")["pieces"] == []


def test_the_browser_is_given_a_file_that_others_cannot_read(tmp_path: Path, small_model: Path) -> None:
    seen, browser = tmp_path / "seen", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {seen}.part && mv {seen}.part {seen}\n')
    browser.chmod(0o700)
    command = [sys.executable, "-m", "toccata.cli.main", "studio", "mine", "--model", str(small_model)]
    with subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "BROWSER": str(browser)}, stdout=-1) as process:
        try:
            while not seen.exists():
                assert process.poll() is None
            page = tmp_path / "mine" / "open.html"
            assert seen.read_text().strip() == page.as_uri()
            assert page.stat().st_mode & 0o777 == 0o600
            assert "url=http://127.0.0.1:" in page.read_text()
            assert "#token=" in page.read_text()
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("round_", range(int(os.environ.get("TOCCATA_KILLS", "4"))))
def test_killed_at_any_moment(tmp_path: Path, small_model: Path, round_: int) -> None:
    """Every edit that was answered and every finished take is there; what grew is stopped, with its notes."""
    chance = random.Random(round_)
    library = tmp_path / "mine"
    with running(library, small_model) as studio:
        piece = studio.open(two_hands())
        track = {name: piece["song"]["tracks"][0][name] for name in ("program", "drum", "name")}
        track |= {"type": "notes", "track": piece["song"]["tracks"][0]["id"], "remove": []}
        body = {"verb": "continue", "n": 4, "seed": round_, "arguments": {"bars": 4 if round_ % 2 else 200}}
        studio.call("POST", f"pieces/{piece['id']}/ideas", json={"seq": 0, **body})
        until, answered, finished = time.monotonic() + chance.uniform(0.2, 4), 0, set()
        while time.monotonic() < until:
            edit = {**track, "add": [[1 + 3 * answered, 2, 120, 80]]}
            studio.call("POST", f"pieces/{piece['id']}/edits", json={"seq": answered, "operations": [edit]})
            answered += 1
            takes = studio.call("GET", f"pieces/{piece['id']}")["takes"]
            finished |= {take["id"] for take in takes if take["state"] == "finished"}
        studio.kill()
    after = Library(library)
    recover(after)
    song = after.song(after.state(piece["id"]))
    added = [note for note in song.tracks[0].notes if note.pitch == 120]
    assert len(added) in (answered, answered + 1)  # the last one may have been saved and not answered
    takes = {take.id: take for take in after.takes(piece["id"])}
    assert all(takes[name].state == "finished" for name in finished)
    for take in takes.values():
        assert take.state in ("finished", "stopped")
        assert take.file is not None
        there = read_score(library / "Tune" / take.file)
        if take.kind == "idea":
            assert there.note_num() == read_score(two_hands()).note_num() + take.notes
    after.close()
    with running(library, small_model) as again:  # and it opens
        assert notes_of(again.call("GET", f"pieces/{piece['id']}")["song"]).total() == song.note_count


def test_a_library_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "library.sqlite").write_bytes(b"this is no database, and it is long enough" * 100)
    (tmp_path / "newer").mkdir()
    with sqlite3.connect(tmp_path / "newer" / "library.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    for name, words in (("file", "file"), ("damaged", "damaged"), ("newer", "newer toccata")):
        done = toccata("studio", str(tmp_path / name), "--no-browser")
        assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1), done.stderr
        assert words in done.stderr
