"""The database and the files: migrations, a full disk, and events that pages get."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from toccata.errors import ToccataError
from toccata.studio import hub as hub_module
from toccata.studio.folders import plain_name
from toccata.studio.hub import Hub
from toccata.studio.place import Occupied, Place
from toccata.studio.store import MIGRATIONS, Store


def test_a_migration_copies_the_file_first(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    old = Store(path)
    old.do(lambda db: db.execute("INSERT INTO setting VALUES ('a', 'b')"))
    old.close()
    new = Store(path, (*MIGRATIONS, "ALTER TABLE setting ADD COLUMN since REAL"))
    assert new.do(lambda db: tuple(db.execute("SELECT * FROM setting").fetchone())) == ("a", "b", None)
    new.close()
    with sqlite3.connect(tmp_path / "library-before-2.sqlite") as copy:
        assert copy.execute("SELECT * FROM setting").fetchall() == [("a", "b")]
    copy.close()
    with pytest.raises(ToccataError, match="newer toccata"):
        Store(path)


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    Store(path).close()
    with pytest.raises(ToccataError):
        Store(path, (*MIGRATIONS, "CREATE TABLE fresh (a); INSERT INTO nowhere VALUES (1)"))
    again = Store(path)
    names = again.do(lambda db: [row[0] for row in db.execute("SELECT name FROM sqlite_master")])
    assert "fresh" not in names
    again.close()


def test_what_fails_inside_a_transaction_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "library.sqlite")

    def half(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO setting VALUES ('a', 'b')")
        raise KeyError("in the middle")

    with pytest.raises(KeyError):
        store.do(half)
    assert store.do(lambda db: db.execute("SELECT count(*) FROM setting").fetchone()[0]) == 0
    assert store.do(lambda db: db.execute("PRAGMA synchronous").fetchone()[0]) == 2
    assert store.do(lambda db: db.execute("PRAGMA journal_mode").fetchone()[0]) == "wal"
    store.close()


FULL = """
import resource, sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {studio!r}]
from studio_support import two_hands
from toccata.errors import ToccataError
from toccata.server.decoding import Decoders
from toccata.server.settings import ServerSettings
from toccata.studio.studio import Studio

place = Path(sys.argv[1])
decoders = Decoders(ServerSettings(models=(sys.argv[2],)))
studio = Studio(place, decoders)
piece = studio.create("Tune", two_hands())
takes = studio.begin(piece["id"], {{"seq": 0, "verb": "continue", "n": 2, "seed": 1, "arguments": {{"bars": 2}}}})
ends = [studio.ideas.growing(take["id"]) for take in takes]
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
found = [end.result(100) for end in ends if end is not None]
for take in found:
    assert take.state == "finished" and "full" in (take.error or ""), take
    assert studio.song(take.id)["tracks"]
track = piece["song"]["tracks"][0]
edit = {{"type": "notes", "track": track["id"], "program": 0, "drum": False, "name": "", "remove": [],
        "add": [[1, 2, 120, 80]]}}
try:
    studio.edit(piece["id"], {{"seq": 0, "operations": [edit]}})
    raise SystemExit("an edit was answered that is not saved")
except ToccataError as error:
    assert error.kind in ("disk-full", "file-error"), error
try:
    studio.create("Other", two_hands())
    raise SystemExit("a piece was made that is not saved")
except ToccataError as error:
    assert "\\n" not in error.message
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
studio.library.tend()
assert all(studio.library.take(take.id).error is None for take in found)
assert studio.edit(piece["id"], {{"seq": 0, "operations": [edit]}})["seq"] == 1
studio.close()
decoders.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of other systems")  # Windows sets no limit on a file
def test_a_full_disk_loses_nothing(tmp_path: Path, small_model: Path) -> None:
    """A limit on the size of files stands for a disk without room."""
    here = Path(__file__).parent
    script = FULL.format(tests=str(here.parent), studio=str(here))
    command = [sys.executable, "-c", script, str(tmp_path / "mine"), str(small_model)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "mine" / "Tune").glob("*.mid"))) == 4


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Tune", "Tune"), ("a/b\\c:d", "a b c d"), ("..", "Piece"), ("", "Piece"), ("con", "Piece"),
        ("models", "Piece"), ("x" * 300, "x" * 60), ("new\nline\x00", "new line"), ("née 愛 .", "née 愛"),
    ],
)  # fmt: skip
def test_names_of_files(title: str, name: str) -> None:
    assert plain_name(title, "Piece") == name


def test_one_studio_at_a_time(tmp_path: Path) -> None:
    first = Place(tmp_path / "mine")
    with pytest.raises(Occupied) as caught:
        Place(tmp_path / "mine")
    assert caught.value.address(patience=0) is None
    first.announce("http://127.0.0.1:1/#token=x")
    assert caught.value.address() == "http://127.0.0.1:1/#token=x"
    assert (tmp_path / "mine" / "lock").stat().st_mode & 0o077 == 0  # the token is nobody else's
    first.close()
    Place(tmp_path / "mine").close()


async def _some(hub: Hub, after: int | None, count: int) -> list[bytes]:
    found = []
    stream = hub.stream(after, heartbeat=0.01)
    async for block in stream:
        found.append(block)
        if len(found) == count:
            break
    await stream.aclose()  # type: ignore[attr-defined]
    return found


def test_events_are_numbered_kept_and_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub()
    assert [hub.publish({"n": n}) for n in range(3)] == [1, 2, 3]
    assert asyncio.run(_some(hub, 1, 2))[1] == b'id: 2\ndata: {"n":1}\n\nid: 3\ndata: {"n":2}\n\n'
    assert asyncio.run(_some(hub, 3, 2))[1] == b": still here\n\n"
    assert asyncio.run(_some(hub, 99, 2))[1] == b'id: 3\ndata: {"type":"reset"}\n\n'  # of a studio that ran before
    monkeypatch.setattr(hub_module, "MOST_EVENTS", 10)
    for n in range(20):
        hub.publish({"n": n})
    assert asyncio.run(_some(hub, 3, 2))[1] == b'id: 23\ndata: {"type":"reset"}\n\n'
    assert b"id: 14" in asyncio.run(_some(hub, 13, 2))[1]
    assert len(hub._events) == 10
    assert hub._waiting == set()
    hub.close()
    assert asyncio.run(_some(hub, 13, 5)) == [b": here\n\n"]
