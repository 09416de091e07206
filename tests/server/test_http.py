"""The API, called as clients call it: a server that runs, and what it answers."""

from __future__ import annotations

import base64
import json
import socket
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Running, running

import toccata
from toccata.events import NoteAdded
from toccata.musicmodel import Model
from toccata.server.settings import RequestLimits, ServerSettings

LONG = {"bars": 1000, "seed": 9}


@pytest.fixture(scope="session")
def model(models: Path) -> Model:
    return toccata.load(models / "first")


def coded(midi: bytes) -> dict[str, str]:
    return {"midi": base64.b64encode(midi).decode()}


def pieces(answer: httpx.Response) -> list[bytes]:
    assert answer.status_code == 200, answer.text
    return [base64.b64decode(piece["midi"]) for piece in answer.json()["pieces"]]


def error(answer: httpx.Response, status: int) -> tuple[str, str]:
    assert answer.status_code == status, answer.text
    found: dict[str, str] = answer.json()["error"]
    assert set(found) == {"kind", "message"}
    assert "\n" not in found["message"]
    return found["kind"], found["message"]


def events(text: str) -> list[tuple[str, Any]]:
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\n\n") if block]
    assert [int(block["id"]) for block in blocks] == list(range(1, len(blocks) + 1))
    return [(block["event"], json.loads(block["data"])) for block in blocks]


# -- verbs: a request in each form, an answer in each form -----------------------------------------

VERBS: list[tuple[str, dict[str, Any]]] = [
    ("continue", {"bars": 1, "seed": 2}),
    ("infill", {"bars": [[2, 2]], "seed": 3, "key": "C major"}),
    ("vary", {"keep": "contour", "bars": "1-2", "seed": 4, "n": 2}),
    ("harmonise", {"voices": ["bass"], "bars": [1, 1], "seed": 5}),
    ("accompany", {"programs": ["cello"], "bars": 3, "seed": 6, "sampling": {"temperature": 0.9}}),
]


@pytest.mark.parametrize(("verb", "arguments"), VERBS)
def test_a_verb_writes_what_it_writes_in_python(
    client: httpx.Client, model: Model, song: bytes, verb: str, arguments: dict[str, Any]
) -> None:
    in_python = getattr(model, "generate" if verb == "continue" else verb)(song, **arguments)
    answer = client.post(f"/v1/{verb}", json={"song": coded(song), **arguments})
    assert pieces(answer) == [piece.midi for piece in in_python]
    told = answer.json()
    assert (told["model"], told["seed"], told["digest"]) == ("first", arguments["seed"], model.folder.digest)
    assert [piece["changed_outside"] for piece in told["pieces"]] == [0] * len(in_python)
    for piece, own in zip(told["pieces"], in_python, strict=True):
        assert (piece["bars"], piece["new_notes"], piece["seed"]) == (own.bars, own.origin["notes"], own.origin["seed"])
    form = client.post(f"/v1/{verb}", files={"song": ("a.mid", song)}, data={"arguments": json.dumps(arguments)})
    assert pieces(form) == pieces(answer)


def test_new_music_and_its_default_seed(client: httpx.Client, model: Model) -> None:
    first = client.post("/v1/generate", json={"bars": 1, "n": 2})
    seed = first.json()["seed"]
    assert pieces(first) == [piece.midi for piece in model.generate(bars=1, n=2, seed=seed)]
    assert pieces(client.post(f"/v1/generate?bars=1&n=2&seed={seed}")) == pieces(first)
    other = client.post("/v1/generate", json={"bars": 1, "seed": seed, "model": "second"})
    assert other.json()["model"] == "second"
    assert pieces(other) != pieces(first)[:1]


def test_a_midi_file_in_and_a_midi_file_out(client: httpx.Client, model: Model, song: bytes) -> None:
    longer = client.post("/v1/midi?bars=1&seed=1&temperature=0.9", content=song, headers={"content-type": "audio/midi"})
    assert longer.headers["content-type"] == "audio/midi"
    assert longer.content == model.generate(song, bars=1, seed=1, sampling={"temperature": 0.9})[0].midi  # type: ignore[arg-type]
    plain = client.post("/v1/midi?verb=infill&bars=2-3&seed=1&tracks=soprano", content=song)  # as curl sends it
    assert plain.content == model.infill(song, bars=[(2, 3)], tracks=["soprano"], seed=1)[0].midi
    varied = client.post("/v1/midi?verb=vary&keep=rhythm&seed=4", content=song)
    assert varied.content == model.vary(song, keep="rhythm", n=1, seed=4)[0].midi
    as_json = client.post("/v1/midi?bars=1&seed=1&n=2", content=song, headers={"accept": "application/json"})
    assert len(pieces(as_json)) == 2
    _, message = error(client.post("/v1/midi?bars=1&n=2", content=song), 400)
    assert "accept application/json" in message
    assert error(client.post("/v1/midi", content=b""), 400)[0] == "bad-argument"


def test_a_verb_can_answer_with_midi_and_as_it_writes(client: httpx.Client, model: Model) -> None:
    body = {"bars": 1, "seed": 7}
    [piece] = model.generate(bars=1, seed=7)
    assert client.post("/v1/generate", json=body, headers={"accept": "audio/midi"}).content == piece.midi
    stream = client.post("/v1/generate", json=body, headers={"accept": "text/event-stream"})
    assert stream.headers["content-type"].startswith("text/event-stream")
    found = events(stream.text)
    streamed = list(model.stream(bars=1, seed=7))
    assert [data["note"]["pitch"] for name, data in found if name == "note"] == [
        event.note.pitch for event in streamed if isinstance(event, NoteAdded)
    ]
    assert len(found) == len(streamed) + 1
    assert [name for name, _ in found[-2:]] == ["piece", "done"]
    assert base64.b64decode(found[-2][1]["midi"]) == piece.midi
    assert found[-1][1] == {"seed": 7, "order": [0]}


def test_what_fails_while_it_is_streamed_says_so_in_the_stream(client: httpx.Client, song: bytes) -> None:
    body = {"song": coded(song), "bars": [[9, 9]]}
    stream = client.post("/v1/infill", json=body, headers={"accept": "text/event-stream"})
    [(name, told)] = events(stream.text)
    assert name == "error"
    assert told["kind"] == "bad-request"


# -- jobs ------------------------------------------------------------------------------------------


def test_a_job_can_be_watched_and_come_back_to(client: httpx.Client, model: Model) -> None:
    begun = client.post("/v1/generate", json={"bars": 1, "seed": 7, "wait": False})
    assert begun.status_code == 202
    job = begun.json()["job"]
    assert begun.headers["location"] == job["url"]
    found = events(client.get(job["events"]).text)  # to its end
    assert found[-1][0] == "done"
    later = client.get(job["events"], headers={"last-event-id": str(len(found) - 1)})
    assert later.text.splitlines()[:2] == [f"id: {len(found)}", "event: done"]
    ended = client.get(job["url"]).json()
    assert ended["job"]["state"] == "finished"
    assert base64.b64decode(ended["result"]["pieces"][0]["midi"]) == model.generate(bars=1, seed=7)[0].midi


def test_a_job_can_be_stopped_whole_and_by_the_piece(client: httpx.Client) -> None:
    job = client.post("/v1/generate", json={"bars": 3, "n": 3, "seed": 1, "wait": False}).json()["job"]
    client.delete(f"{job['url']}?piece=1")
    found = events(client.get(job["events"]).text)
    assert found[-1][1]["order"] == [0, 2]
    job = client.post("/v1/generate", json={**LONG, "wait": False}).json()["job"]
    assert client.delete(job["url"]).status_code == 200
    assert events(client.get(job["events"]).text)[-1] == ("error", {"kind": "cancelled", "message": "it was stopped"})
    told = client.get(job["url"]).json()
    assert told["job"]["state"] == "cancelled"
    assert "result" not in told


def test_a_job_that_there_is_not(client: httpx.Client) -> None:
    for path in ("/v1/jobs/nothing", "/v1/jobs/..%2f..%2fetc%2fpasswd", "/v1/jobs/nothing/events", "/v1/jobs/%00"):
        assert error(client.get(path), 404)[0] in ("no-job", "no-path")
    assert error(client.delete("/v1/jobs/nothing"), 404)[0] == "no-job"


def test_several_can_watch_a_job(client: httpx.Client, running_server: Running) -> None:
    job = client.post("/v1/generate", json={"bars": 2, "n": 2, "seed": 3, "wait": False}).json()["job"]
    found: list[str] = []

    def watch() -> None:
        found.append(httpx.get(running_server.url + job["events"], timeout=60, trust_env=False).text)

    readers = [threading.Thread(target=watch) for _ in range(6)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(60)
    assert len(set(found)) == 1
    assert events(found[0])[-1][0] == "done"


def test_silence_is_filled_with_comments(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toccata.server.routes.HEARTBEAT", 0.0)
    with client.stream("POST", "/v1/generate", json=LONG, headers={"accept": "text/event-stream"}) as stream:
        assert any(line == ": alive" for line in stream.iter_lines())


def test_old_jobs_are_forgotten(models: Path) -> None:
    few = ServerSettings(models=(str(models / "first"),), limits=RequestLimits(jobs=1))
    with running(few) as server:
        jobs = []
        for seed in range(2):
            body = {"bars": 1, "max_tokens": 9, "seed": seed, "wait": False}
            jobs.append(server.client.post("/v1/generate", json=body).json()["job"])
            server.client.get(jobs[-1]["events"])
        assert error(server.client.get(jobs[0]["url"]), 404)[0] == "no-job"
        assert server.client.get(jobs[1]["url"]).json()["job"]["state"] == "finished"


# -- clients that go away, limits ------------------------------------------------------------------


def idle(server: Running) -> bool:
    """Whether nothing is written any more, within a minute: asked of the decoding thread, without a clock."""
    active = list(server.server.service.decoders._active)
    return all(writing.wait(60) for writing in active)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "audio/midi"])
def test_a_client_that_goes_away_stops_its_verb(settings: ServerSettings, accept: str) -> None:
    with running(settings) as server:
        body = json.dumps(LONG).encode()
        with socket.create_connection(("127.0.0.1", server.settings.port)) as connection:
            connection.sendall(
                f"POST /v1/generate HTTP/1.1\r\nHost: 127.0.0.1:{server.settings.port}\r\nAccept: {accept}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            begun = server.server.service.decoders
            while not begun.active:
                server.client.get("/health")
            [writing] = begun._active
        assert writing.wait(60)
        assert writing.cancelled


def test_too_many_are_refused_and_told_when_to_try_again(models: Path) -> None:
    few = ServerSettings(models=(str(models / "first"),), limits=RequestLimits(waiting=1))
    with running(few) as server:
        job = server.client.post("/v1/generate", json={**LONG, "wait": False}).json()["job"]
        refused = server.client.post("/v1/generate", json={"bars": 1})
        assert error(refused, 429)[0] == "busy"
        assert int(refused.headers["retry-after"]) >= 1
        server.client.delete(job["url"])
        server.client.get(job["events"])
        assert server.client.post("/v1/generate", json={"bars": 1}).status_code == 200


def test_what_takes_too_long_is_ended(models: Path) -> None:
    hasty = ServerSettings(models=(str(models / "first"),), limits=RequestLimits(seconds=0.2))
    with running(hasty) as server:
        assert error(server.client.post("/v1/generate", json=LONG), 504)[0] == "time-limit"
        stream = server.client.post("/v1/generate", json=LONG, headers={"accept": "text/event-stream"})
        assert events(stream.text)[-1][1]["kind"] == "time-limit"
        assert idle(server)


@pytest.mark.parametrize(
    "arguments", [{"n": 65}, {"best_of": 65}, {"bars": 1025}, {"bars": [[1, 5000]], "verb": "infill"}]
)
def test_more_than_is_given_to_one_request_is_refused(
    client: httpx.Client, song: bytes, arguments: dict[str, Any]
) -> None:
    verb = arguments.pop("verb", "generate")
    music = {} if verb == "generate" else {"song": coded(song)}
    assert error(client.post(f"/v1/{verb}", json={**music, **arguments}), 413)[0] == "too-large"


@pytest.mark.filterwarnings("ignore::toccata.errors.MidiWarning")  # some of them can be mended
def test_a_file_that_explodes_is_refused(client: httpx.Client, song: bytes) -> None:
    """A few bytes of MIDI can be a year of music, or claim to hold gigabytes."""
    track = bytes.fromhex("00903c40 ffffff7f803c00 00ff2f00")
    late = bytes.fromhex("4d546864 00000006 0000 0001 0001 4d54726b 0000000f") + track
    claims = b"MThd\x00\x00\x00\x06\x00\x01\xff\xff\x01\xe0" + b"MTrk\xff\xff\xff\xff" * 4
    for midi in (late, claims, b"MThd", b"\x00" * 1000, song[:-30]):
        for path in ("/v1/midi?bars=1", "/v1/vary", "/v1/render?format=wav", "/v1/originality", "/v1/check"):
            answer = client.post(path, content=midi, headers={"content-type": "audio/midi", "accept": "*/*"})
            assert answer.status_code in (200, 400, 413, 422), (path, answer.text)
            if answer.status_code != 200:
                error(answer, answer.status_code)
    assert client.get("/health").json()["status"] == "ok"


def test_connections_on_which_nothing_arrives_are_closed(models: Path) -> None:
    hasty = ServerSettings(models=(str(models / "first"),), limits=RequestLimits(body_seconds=0.3))
    with running(hasty) as server:
        address = ("127.0.0.1", server.settings.port)
        host = f"Host: 127.0.0.1:{server.settings.port}\r\n".encode()
        for begun in (b"", b"GET /health HTTP/1.1\r\n", b"GET /health HTTP/1.1\r\n" + host):
            with socket.create_connection(address, timeout=30) as connection:
                connection.sendall(begun)
                assert connection.recv(100) == b""
        with socket.create_connection(address, timeout=30) as connection:  # a body that does not come
            connection.sendall(b"POST /v1/generate HTTP/1.1\r\nContent-Length: 10\r\n" + host + b"\r\n{")
            assert b" 408 " in connection.recv(100)
        with socket.create_connection(address, timeout=30) as connection:  # headers of a second request
            whole = b"GET /health HTTP/1.1\r\n" + host + b"\r\n"
            connection.sendall(whole + b"GET /hea")
            answer = b""
            while part := connection.recv(10_000):
                answer += part
            assert answer.count(b"HTTP/1.1 200") == 1
        assert len(pieces(server.client.post("/v1/generate", json={"bars": 1, "n": 4}))) == 4  # takes longer than that


def test_stopping_ends_what_runs_and_says_so(settings: ServerSettings) -> None:
    told: list[httpx.Response] = []
    with running(settings) as server:
        job = server.client.post("/v1/generate", json={**LONG, "wait": False}).json()["job"]
        reader = threading.Thread(
            target=lambda: told.append(httpx.get(server.url + job["events"], timeout=60, trust_env=False))
        )
        reader.start()
        while not server.server.service.metrics.requests["events", 200]:
            server.client.get("/health")
    reader.join(60)
    assert events(told[0].text)[-1][1]["kind"] == "stopping"


# -- wrong requests: one line each -----------------------------------------------------------------

WRONG: list[tuple[str, Any, str]] = [
    ("generate", {"barz": 1}, "do you mean bars?"),
    ("generate", {"temperature": 1}, '{"sampling": {"temperature": ...}}'),
    ("generate", {"sampling": {"temprature": 1}}, "there is no 'temprature'"),
    ("generate", {"bars": "many"}, "bars must be a whole number"),
    ("generate", {"bars": True}, "bars must be a whole number"),
    ("generate", {"bars": 1e400}, ""),
    ("generate", {"n": 0}, "n must be"),
    ("generate", {"wait": "no"}, "wait must be True or False"),
    ("generate", {"model": 5}, "model must be the name of a model"),
    ("generate", {"accept": "f"}, "no argument 'accept'"),
    ("generate", {"on_event": 1}, "no argument 'on_event'"),
    ("generate", {"style_files": ["x"]}, "no argument 'style_files'"),
    ("generate", {"prompt": "/etc/passwd"}, "prompt must be a MIDI file in base64"),
    ("generate", {"prompt": {"midi": "/etc/passwd!"}}, "no base64"),
    ("generate", {"prompt": {"path": "x"}}, "must be a MIDI file"),
    ("generate", {"prompt": {"midi": "bm8gbXVzaWM="}}, ""),
    ("continue", {"bars": 1}, "needs a MIDI file"),
    ("infill", {"song": {"midi": ""}}, "bars is missing"),
    ("generate", [1], "must be a JSON object"),
    ("generate", "x", "must be a JSON object"),
]


@pytest.mark.parametrize(("verb", "body", "message"), WRONG)
def test_what_is_wrong_is_said_in_a_line(client: httpx.Client, verb: str, body: Any, message: str) -> None:
    content = json.dumps(body).encode()
    answer = client.post(f"/v1/{verb}", content=content, headers={"content-type": "application/json"})
    assert message in error(answer, 400)[1]


@pytest.mark.parametrize(
    "text", ['{"bars": 1, "bars": 2}', '{"bars": NaN}', "{", "[" * 100_000, '{"bars": ' + "9" * 5000 + "}", "\xff", ""]
)
def test_what_is_no_json_is_said(client: httpx.Client, text: str) -> None:
    answer = client.post("/v1/infill", content=text.encode("latin-1"), headers={"content-type": "application/json"})
    assert error(answer, 400)[0] == "bad-argument"


def test_wrong_queries_forms_types_and_paths(client: httpx.Client, song: bytes) -> None:
    for query in ("bars=1&bars=2", "bars=x", "wait=maybe", "controls=density", "temperature=hot", "nothing=1", "n=1e3"):
        assert error(client.post(f"/v1/generate?{query}"), 400)
    assert "leave one of them out" in error(client.post("/v1/generate?bars=1", json={"bars": 1}), 400)[1]
    assert error(client.post("/v1/generate", content=b"x", headers={"content-type": "text/plain"}), 415)
    assert error(client.post("/v1/generate", json={}, headers={"accept": "image/png"}), 406)
    for files in ({"sing": ("a.mid", song)}, {"song": (None, "text")}, {"arguments": (None, "{")}):
        assert error(client.post("/v1/infill", files=files), 400)
    broken = client.post("/v1/infill", content=b"--x", headers={"content-type": "multipart/form-data; boundary=y"})
    assert error(broken, 400)
    assert error(client.post("/v1/infill", content=b"--x", headers={"content-type": "multipart/form-data"}), 400)
    assert error(client.get("/v1/nothing"), 404)
    assert error(client.get("/v1/generate/"), 404)
    assert error(client.get("/v1/generate"), 405)
    assert error(client.post("/v1/generate", json={"model": "third"}), 404)[0] == "no-model"
    assert error(client.post("/v1/generate", json={"model": "../second"}), 404)[0] == "no-model"


# -- what writes no music --------------------------------------------------------------------------


def test_files_are_checked_under_their_own_names(client: httpx.Client, song: bytes) -> None:
    files = [("song", ("good/../tune.mid", song)), ("song", ("bad.mid", b"MThd nothing"))]
    told = client.post("/v1/check", files=files).json()
    assert told["accepted"] == 1
    assert [piece["path"] for piece in told["pieces"]] == ["good/../tune.mid"]
    assert [row["path"] for row in told["rejected"]] == ["bad.mid"]
    assert "/tmp" not in json.dumps(told)


def test_a_song_is_rendered(client: httpx.Client, song: bytes) -> None:
    for kind, begins in (("png", b"\x89PNG"), ("svg", b"<svg"), ("wav", b"RIFF")):
        answer = client.post(f"/v1/render?format={kind}", content=song, headers={"content-type": "audio/midi"})
        assert begins in answer.content[:200]
        assert answer.headers["content-disposition"].startswith("attachment")
    sound = client.post("/v1/render", files={"song": ("a.mid", song)}, headers={"accept": "audio/flac"})
    assert sound.content[:4] == b"fLaC"
    assert error(client.post("/v1/render?format=exe", content=song, headers={"content-type": "audio/midi"}), 400)


def test_models_say_what_they_can_do_and_not_where_they_are(client: httpx.Client, models: Path) -> None:
    told = client.get("/v1/models")
    assert [row["name"] for row in told.json()["models"]] == ["first", "second"]
    assert str(models) not in told.text


def test_figures(client: httpx.Client) -> None:
    client.post("/v1/generate", json={"bars": 1, "seed": 1, "wait": False})
    client.get("/v1/nothing")
    text = client.get("/metrics").text
    for line in text.splitlines():
        name, value = ("#", "0") if line.startswith("#") else line.rsplit(" ", 1)
        assert float(value) >= 0, name
    assert 'toccata_requests_total{route="none",status="404"}' in text
    assert 'toccata_requests_total{route="generate",status="202"}' in text
    assert "toccata_first_note_seconds_count" in text


def test_the_token_is_needed_and_never_written(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    closed = ServerSettings(models=(str(models / "first"),), token="a-secret-word")
    with running(closed) as server:
        assert server.client.get("/v1/models").status_code == 200
        bare = httpx.Client(base_url=server.url, trust_env=False)
        assert bare.get("/health").status_code == 200
        for path in ("/v1/models", "/metrics", "/v1/openapi.json", "/v1/jobs/x", "/"):
            assert error(bare.get(path), 401)[0] == "token"
        assert "a-secret-word" not in server.client.get("/metrics").text
        bare.close()
    assert "a-secret-word" not in "".join(capfd.readouterr())
