"""Folders in an object store: copied, published, never half; against a local S3 server, and file:// addresses."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import toccata
from cli_support import TINY, call, some_bach, start, tiny
from toccata import folder, remote
from toccata.errors import ModelError, RemoteError, ToccataError
from toccata.files import write_json
from toccata.folder_lock import locked
from toccata.remote import RemoteSpec
from toccata.remote.copy import Copy

pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")

MODEL = remote.RemoteSpec(writes=True, leave=("training/corpus",), last="toccata.json")
AWS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
}


class Bucket:
    """A bucket of a local S3 server, looked at past toccata."""

    def __init__(self, endpoint: str, name: str) -> None:
        import boto3

        self.client, self.name = boto3.client("s3", endpoint_url=endpoint), name
        self.client.create_bucket(Bucket=name)

    def names(self) -> dict[str, int]:
        found = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {one["Key"]: one["Size"] for one in found}

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def get(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket=self.name, Key=key)["Body"].read())

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for this test, and a cache of its own."""
    monkeypatch.setenv("TOCCATA_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def bucket(endpoint: str, place: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Bucket:
    for name, value in {**AWS, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    forget()
    return Bucket(endpoint, f"bucket-{time.time_ns()}")


def forget() -> None:
    """What s3fs remembers of the environment."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def other_machine(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    """As if on a machine that has no copies yet."""
    monkeypatch.setenv("TOCCATA_CACHE", str(place / f"cache-{time.time_ns()}"))
    forget()


def copied() -> Any:
    """Hears which files are asked for."""
    return mock.patch.object(Copy, "_get", autospec=True, side_effect=Copy._get)


def asked(copies: Any) -> list[str]:
    return sorted(name for one in copies.call_args_list for name in one.args[1])


# -- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("s3://bucket/midi", "s3://bucket/midi"),
        ("s3://bucket/midi/", "s3://bucket/midi"),
        (Path("s3://bucket/midi"), "s3://bucket/midi"),  # the slashes a Path swallows
        ("gs://bucket", "gs://bucket"),
        ("file:///music/midi", "file:///music/midi"),
        (Path("file:///music/midi"), "file:///music/midi"),
        ("midi/bach", None),
        ("s3", None),
        ("s3:", None),
        ("C:\\midi", None),
        ("http://host/midi", None),
        (None, None),
    ],
)
def test_what_is_an_address(place: Any, url: str | None) -> None:
    assert remote.address(place) == url
    assert remote.is_remote(place) is (url is not None)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("s3://", "s3:// names no bucket: write s3://BUCKET/FOLDER"),
        ("gs:///", "gs:// names no bucket: write gs://BUCKET/FOLDER"),
        ("file://", "file:// names no folder: write file:///FOLDER"),
        ("http://host/midi", "http://host/midi cannot be used: name a folder here, or an address with s3://"),
        ("S3://bucket/midi", "S3://bucket/midi cannot be used: name a folder here, or an address with s3://"),
    ],
)
def test_what_cannot_be_an_address_is_told_as_it_is_written(
    place: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "midi").mkdir()
    for command in (
        ["check", place],
        ["prepare", place, "out"],
        ["prepare", "midi", place],
        ["train", "midi", "-o", place],
        ["evaluate", place, "midi"],
        ["generate", "--model", place],
    ):
        done = call(*command)
        assert done.code == 1
        assert says in done.error
    assert [path.name for path in tmp_path.iterdir()] == ["midi"]


def test_a_folder_may_be_called_as_an_address_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "take:" / "two").mkdir(parents=True)
    assert "take:/two: this folder is empty" in call("check", "take:/two").error
    assert "nonsense: there is no such folder" in call("check", "nonsense").error


def test_nothing_heavy_without_an_address() -> None:
    code = (
        "import sys, toccata; from pathlib import Path\n"
        "try: toccata.check(Path('nowhere'))\n"
        "except toccata.ToccataError: pass\n"
        "print([m for m in ('fsspec', 's3fs', 'aiohttp', 'botocore') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- reading -------------------------------------------------------------------------------------------------------


def test_only_what_changed_is_copied_again(bucket: Bucket, place: Path) -> None:
    for number in range(4):
        bucket.put(f"midi/deep/{number}.mid", bytes(number + 1))
    bucket.put("midi-of-others/x.mid", b"no")
    with copied() as copies:
        here = remote.fetched(f"s3://{bucket.name}/midi")
    assert asked(copies) == [f"deep/{number}.mid" for number in range(4)]
    assert sorted(p.relative_to(here).as_posix() for p in here.rglob("*.mid")) == asked(copies)
    bucket.put("midi/deep/1.mid", b"ne")  # same size, other content
    bucket.put("midi/new.mid", b"new")
    bucket.remove("midi/deep/3.mid")
    (here / "deep" / "0.mid").write_bytes(b"spoilt")
    with copied() as copies:
        assert remote.fetched(f"s3://{bucket.name}/midi/") == here
    assert asked(copies) == ["deep/0.mid", "deep/1.mid", "new.mid"]
    assert (here / "deep" / "1.mid").read_bytes() == b"ne"
    assert not (here / "deep" / "3.mid").exists()
    with copied() as copies:
        remote.fetched(f"s3://{bucket.name}/midi")
    assert asked(copies) == []


def test_an_interrupted_copy_is_completed(place: Path) -> None:
    there = place / "there"
    there.mkdir()
    for number in range(5):
        (there / f"{number}.mid").write_bytes(bytes(number))

    def torn(self: Copy, names: list[str], stamps: Any) -> None:
        if "3.mid" in names:
            raise KeyboardInterrupt
        whole(self, names, stamps)

    whole = Copy._get
    with (
        mock.patch("toccata.remote.copy._AT_ONCE", 1),
        mock.patch.object(Copy, "_get", torn),
        pytest.raises(KeyboardInterrupt),
    ):
        remote.fetched(there.as_uri())
    with copied() as copies:
        here = remote.fetched(there.as_uri())
    assert asked(copies) == ["3.mid", "4.mid"]
    assert [p.stat().st_size for p in sorted(here.iterdir())] == list(range(5))
    assert sorted(p.name for p in here.parent.iterdir()) == ["copy.json", "there"], "nothing is left aside"


def test_what_is_known_of_a_copy_is_not_written_anew_for_each_file(place: Path) -> None:
    """Of 40 files, what is written is a few times what is known of all, not 40 times; and torn, it costs one file."""
    copy = Copy((place / "there").as_uri(), RemoteSpec(writes=True))
    folder = copy.fetch()
    for number in range(40):
        (folder / f"{number}.mid").write_bytes(bytes(number))
    with mock.patch("toccata.remote.copy.write_json", side_effect=write_json) as written:
        copy.publish()
    assert written.call_count <= 2
    assert len(list((place / "there").iterdir())) == 40
    assert sorted(p.name for p in copy.home.iterdir()) == ["copy.json", "there"]

    for number in range(3):
        (folder / f"{number}.mid").write_bytes(bytes(100 + number))
    with mock.patch.object(Copy, "_settle", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        Copy(copy.url, copy.kind).publish()
    with (copy.home / "copy.jsonl").open("r+b") as file:
        file.truncate((copy.home / "copy.jsonl").stat().st_size - 9)  # torn
    again = Copy(copy.url, copy.kind)
    with mock.patch.object(Copy, "_put", autospec=True, side_effect=Copy._put) as put:
        again.publish()
    assert len(put.call_args_list) == 1
    assert Copy(copy.url, copy.kind).known == again.known
    assert len(again.known) == 40
    assert sorted(p.name for p in copy.home.iterdir()) == ["copy.json", "there"]


@pytest.mark.skipif(os.name != "posix", reason="flock")
def test_what_a_killed_process_was_fetching_is_removed(place: Path) -> None:
    there = place / "there"
    there.mkdir()
    (there / "a.mid").write_bytes(b"music")
    copy = Copy(there.as_uri(), RemoteSpec())
    dead, alive = copy.home / "aside-dead", copy.home / "aside-alive"
    for aside in (dead, alive):
        aside.mkdir(parents=True)
        (aside / "0").write_bytes(b"half")
    with locked(alive):
        copy.fetch()
    assert not dead.exists()
    assert alive.exists()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["..", ".", "", "a", "b.mid", "\0"]), min_size=1, max_size=4))
def test_no_name_leads_out_of_the_copy(place: Path, parts: list[str]) -> None:
    from toccata.remote.copy import _refuse_outside

    name, kind = "/".join(parts), remote.RemoteSpec()
    root = place / "cache" / "x"
    if not kind.wants(name):
        return
    try:
        _refuse_outside("s3://b", name)
    except RemoteError:
        return
    assert (root / name).resolve().is_relative_to(root.resolve())
    assert (root / name).resolve() != root.resolve()


@pytest.mark.parametrize("name", ["a/../../../evil.mid", "a//evil.mid", "/evil.mid/x.mid"])
def test_a_name_that_leads_out_is_not_copied(name: str, place: Path) -> None:
    there = (place / "there").as_posix()
    listing = {f"{there}/good.mid": {"size": 1, "mtime": 1.0}, f"{there}/{name}": {"size": 1, "mtime": 1.0}}
    with (
        mock.patch("fsspec.implementations.local.LocalFileSystem.find", return_value=listing),
        copied() as copies,
        contextlib.suppress(RemoteError),  # it may be refused or passed over
    ):
        remote.fetched(f"file://{there}")
    assert not any("evil" in one for one in asked(copies))


# -- writing -------------------------------------------------------------------------------------------------------


def a_model(here: Path, weights: bytes) -> None:
    (here / "tokenizer").mkdir(parents=True, exist_ok=True)
    (here / "training" / "corpus").mkdir(parents=True, exist_ok=True)
    (here / "toccata.json").unlink(missing_ok=True)
    (here / "tokenizer" / "words.json").write_bytes(b"[]")
    (here / "training" / "corpus" / "big.bin").write_bytes(b"not to be published")
    (here / ".aside-x").write_bytes(b"nor this")
    (here / "model.safetensors").write_bytes(weights)
    (here / "toccata.json").write_text(json.dumps({"weights": weights.decode()}))


def test_what_is_published(bucket: Bucket, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"s3://{bucket.name}/models/mine"
    here = remote.fetched(url, MODEL)
    assert here.name == "mine"
    a_model(here, b"one")
    remote.publish(here)
    assert set(bucket.names()) == {
        f"models/mine/{n}" for n in ("tokenizer/words.json", "model.safetensors", "toccata.json")
    }
    (here / "tokenizer" / "words.json").unlink()
    (here / "model.safetensors").write_bytes(b"three")
    with mock.patch.object(Copy, "_put", autospec=True, side_effect=Copy._put) as put:
        remote.publish(here)
    assert [one.args[1] for one in put.call_args_list] == ["model.safetensors"]
    assert set(bucket.names()) == {"models/mine/model.safetensors", "models/mine/toccata.json"}
    other_machine(monkeypatch, place)
    assert (remote.fetched(url, MODEL) / "model.safetensors").read_bytes() == b"three"
    remote.publish(place)  # any other folder: nothing happens


@pytest.mark.parametrize("again", [False, True], ids=["new", "over an older one"])
def test_an_interrupted_publish_leaves_nothing_that_looks_whole(again: bool, bucket: Bucket, place: Path) -> None:
    url, about = f"s3://{bucket.name}/mine", "mine/toccata.json"
    here = remote.fetched(url, MODEL)
    if again:
        a_model(here, b"one")
        remote.publish(here)
    a_model(here, b"two")
    whole, steps = Copy._put, 0

    def torn(self: Copy, name: str, path: Path) -> None:
        nonlocal steps
        if steps == 0:
            raise RemoteError("the network is gone")
        steps -= 1
        whole(self, name, path)

    seen = []
    for budget in range(4):
        steps = budget
        with mock.patch.object(Copy, "_put", torn):
            try:
                remote.publish(here)
            except RemoteError:
                seen.append(bucket.names())
                assert about not in seen[-1]
                reading = remote.fetched(url) if seen[-1] else None
                assert reading is None or not folder.is_model(reading)
        if about in bucket.names():
            break
    assert seen
    assert bucket.get("mine/model.safetensors") == b"two"
    assert json.loads(bucket.get(about)) == {"weights": "two"}


def test_what_could_not_be_published_is_not_lost(bucket: Bucket, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"s3://{bucket.name}/mine"
    here = remote.fetched(url, MODEL)
    a_model(here, b"one")
    remote.publish(here)
    said: list[str] = []
    publishing = remote.Publishing(here, said.append)
    publishing()
    a_model(here, b"two")
    with mock.patch.object(Copy, "_put", side_effect=RemoteError("no network")):
        publishing()  # a training goes on
    assert said == ["no network; training goes on, and the next checkpoint is tried again"]
    assert remote.fetched(url, MODEL) == here
    assert (here / "model.safetensors").read_bytes() == b"two"
    remote.publish(here)
    assert bucket.get("mine/model.safetensors") == b"two"
    bucket.put("mine/model.safetensors", b"from elsewhere")
    remote.fetched(url, MODEL)
    assert (here / "model.safetensors").read_bytes() == b"from elsewhere"


def test_the_first_publishing_has_to_succeed(place: Path) -> None:
    here = remote.fetched((place / "there").as_uri(), MODEL)
    with mock.patch.object(Copy, "publish", side_effect=RemoteError("no")), pytest.raises(RemoteError):
        remote.Publishing(here, lambda text: None)()


# -- the verbs -----------------------------------------------------------------------------------------------------


def upload(bucket: Bucket, folder: Path, key: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            bucket.put(f"{key}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def test_from_a_bucket_to_a_bucket(data: Path, bucket: Bucket, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    upload(bucket, some_bach(data, place / "midi"), "midi")
    bucket.put("midi/notes.txt", b"not music")
    music, model = f"s3://{bucket.name}/midi", f"s3://{bucket.name}/models/mine"
    done = call("check", music, "--json")
    assert done.code == 0, done.err
    assert done.json["files"] == 6
    done = call("prepare", music, f"s3://{bucket.name}/corpus", "--json")
    assert done.code == 0, done.err
    assert done.json["corpus"] == f"s3://{bucket.name}/corpus"
    assert done.json["source"] == music
    assert {"corpus/corpus.json", "corpus/index.bin", "corpus/shard-0000.bin"} <= set(bucket.names())

    done = call("train", music, "-o", model, *TINY, "--json")
    assert done.code == 0, done.err
    assert (done.json["path"], done.json["finished_before"]) == (model, False)
    names = {name.removeprefix("models/mine/") for name in bucket.names() if name.startswith("models/mine/")}
    assert {"toccata.json", "model.safetensors", "training/last.safetensors"} <= names
    assert not any(name.startswith("training/corpus") for name in names)
    assert str(place).encode() not in bucket.get("models/mine/toccata.json")

    other_machine(monkeypatch, place)
    with copied() as copies:
        done = call("generate", "--model", model, "--bars", "1", "-o", "x.mid", "--json")
    assert done.code == 0, done.err
    assert not [name for name in asked(copies) if name.startswith("training/")], "writing needs no checkpoint"
    assert toccata.load(model).name == "mine"
    done = call("evaluate", model, music, "--all", "--json")
    assert done.code == 0, done.err
    assert done.json["pieces"] > 0
    done = call("train", music, "-o", model, *TINY, "--json")  # elsewhere, and finished already
    assert done.code == 0, done.err
    assert done.json["finished_before"] is True
    done = call("finetune", f"s3://{bucket.name}/corpus", "--model", model, "-o", f"s3://{bucket.name}/models/tuned",
                "training.steps=2", "--json")  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["lineage"]["parent"]["name"] == "mine"
    assert not any("s3:" in path.name for path in place.iterdir()), "no folder of that name is made here"


def test_a_rescheduled_training_goes_on(
    data: Path, bucket: Bucket, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    midi = some_bach(data, place / "midi")
    long = [setting.replace("steps=4", "steps=40") for setting in TINY]
    url = f"s3://{bucket.name}/mine"
    same = ("train", midi, "-o", url, *long, "training.checkpoint_minutes=0")
    process = start(*same)
    while process.poll() is None and "mine/training/state.json" not in bucket.names():
        time.sleep(0.05)
    while process.poll() is None and json.loads(bucket.get("mine/training/state.json"))["step"] < 5:
        time.sleep(0.05)
    process.terminate()  # as a cluster does
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert url in err.splitlines()[-1]
    step = json.loads(bucket.get("mine/training/state.json"))["step"]
    assert 5 <= step < 40
    assert "mine/toccata.json" not in bucket.names()
    with pytest.raises(ModelError, match="its training is not finished"):
        toccata.load(url)
    other_machine(monkeypatch, place)
    done = call(*same, "--json")
    assert done.code == 0, done.err
    log = bucket.get("mine/training/log.csv").decode().splitlines()
    assert [int(line.split(",")[0]) for line in log[1:]] == list(range(1, 41))


def test_file_addresses(data: Path, place: Path) -> None:
    model, midi = tiny(data)
    there = place / "there"
    shutil.copytree(model, there / "m")
    done = call("generate", "--model", (there / "m").as_uri(), "--bars", "1", "-o", place / "x.mid")
    assert done.code == 0, done.err
    done = call("prepare", midi.as_uri(), (there / "corpus").as_uri(), "--json")
    assert done.code == 0, done.err
    assert (there / "corpus" / "corpus.json").is_file()
    done = call("clean", midi.as_uri(), (there / "clean").as_uri(), "--json")
    assert done.code == 0, done.err
    assert len(list((there / "clean").glob("*.mid"))) == 6
    done = call("check", (place / "nothing").as_uri())
    assert done.code == 1
    assert f"there is nothing at {(place / 'nothing').as_uri()}: name a folder that is there" in done.error
    done = call("generate", "--model", there / "m", "-o", "s3://bucket/songs")
    assert done.code == 1
    assert "name a file or a folder here" in done.error


# -- what goes wrong -----------------------------------------------------------------------------------------------


def refused(*args: object) -> str:
    done = call(*args)
    assert done.code == 1
    return done.error


def test_wrong_addresses(bucket: Bucket, place: Path, data: Path) -> None:
    assert "there is no such bucket" in refused("check", "s3://no-such-bucket/midi")
    assert "there is nothing at" in refused("check", f"s3://{bucket.name}/nothing")
    midi = some_bach(data, place / "midi", 2)
    assert "there is no such bucket" in refused("train", midi, "-o", "s3://no-such-bucket/m", *TINY)
    bucket.put("one.mid", b"x")
    assert "is a file" in refused("check", f"s3://{bucket.name}/one.mid")
    bucket.put("text/readme.txt", b"x")
    error = refused("check", f"s3://{bucket.name}/text")
    assert f"s3://{bucket.name}/text" in error
    assert "cache" not in error


def test_no_credentials(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert "no credentials" in refused("check", f"s3://{bucket.name}/midi")


def test_no_network(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert "cannot be reached" in refused("check", f"s3://{bucket.name}/midi")


def test_no_access(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mock.patch("fsspec.implementations.local.LocalFileSystem.find", side_effect=PermissionError("Forbidden")):
        assert "may not be read or written with these credentials" in refused("check", place.as_uri())


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_without_the_extra(scheme: str, package: str) -> None:
    code = (
        f"import sys, toccata; sys.modules[{package!r}] = None\n"
        f"try: toccata.check('{scheme}://bucket/midi')\n"
        "except toccata.ToccataError as error: print(error.kind, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"missing-extra {scheme}://bucket/midi needs {package}: pip install")


def test_errors_speak_of_addresses(place: Path) -> None:
    there = place / "there"
    there.mkdir()
    (there / "toccata.json").write_text("{}")
    with pytest.raises(ToccataError) as error:
        toccata.load(there.as_uri())
    assert there.as_uri() in error.value.message
    assert os.environ["TOCCATA_CACHE"] not in error.value.message
