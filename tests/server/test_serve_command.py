"""``toccata serve``: a process that answers until it is stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from made_song import four_bars

from cli_support import call, start
from test_json import differences, documented


def test_it_says_where_it_is_answers_and_stops_in_order(models: Path) -> None:
    environment = {**os.environ, "TOCCATA_TOKEN": "a-secret-word"}
    process = subprocess.Popen(
        [sys.executable, "-m", "toccata", "serve", "--port", "0", "--model", models / "first", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert differences(documented()["serve"], told, "serve") == []
        assert told["token"] is True
        headers = {"authorization": "Bearer a-secret-word"}
        body = {"bars": 1, "seed": 1, "max_tokens": 20}
        assert httpx.post(told["url"] + "/v1/generate", json=body, trust_env=False, timeout=60).status_code == 401
        answer = httpx.post(told["url"] + "/v1/generate", json=body, headers=headers, trust_env=False, timeout=60)
        assert answer.json()["model"] == "first"
        broken = four_bars()[:-30]  # it breaks off in its only track
        mended = httpx.post(told["url"] + "/v1/continue?bars=1&max_tokens=9", content=broken, trust_env=False,
                            timeout=60, headers={**headers, "content-type": "audio/midi"})  # fmt: skip
        [remark] = mended.json()["remarks"]
        assert "is cut short" in remark
        with httpx.stream("POST", told["url"] + "/v1/generate", json={"bars": 1000}, trust_env=False, timeout=60,
                          headers={**headers, "accept": "text/event-stream"}) as stream:  # fmt: skip
            lines = stream.iter_lines()
            next(lines)
            process.send_signal(signal.SIGTERM)
            assert any("the server is being stopped" in line for line in lines)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert out == ""
    assert err.strip() == "stopped"


def test_a_port_in_use_is_said_in_a_line(models: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = call("serve", "--port", port, "--model", models / "first")
    assert done.code == 1
    assert done.error.startswith(f"error: cannot listen on 127.0.0.1, port {port}: ")
    assert "--port" in done.error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "give a token"),
        (["--host", "::"], "give a token"),
        (["--token", "a\nb"], "a token is printable"),
        (["--port", 70000], "70000"),
        (["--port", 0, "--model", "nowhere"], "no model folder nowhere"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(options: list[object], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOCCATA_TOKEN", raising=False)
    done = call("serve", *options)
    assert done.code in (1, 2)
    assert message in done.error


def test_without_the_extra_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['starlette'] = None; sys.modules['uvicorn'] = None;"
        "from toccata.cli.main import main; sys.exit(main(['serve']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: a server needs ")
    assert done.stderr.endswith('pip install "toccata[studio]"\n')
    assert done.stderr.count("\n") == 1


def test_the_command_line_loads_no_server() -> None:
    code = (
        "import sys, toccata.cli.main, toccata.cli.serve, toccata.api;"
        "print([name for name in ('starlette', 'uvicorn', 'anyio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_ctrl_c_stops_it(models: Path) -> None:
    process = start("serve", "--port", "0", "--model", models / "first")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (out, err)
