"""What a server gives many clients: tokens per second together, how long the first note takes, and memory over time.

A server runs as users run it (``toccata serve``, the model that comes with toccata); clients are threads that read
streams of events on the loopback. One client and thirty-two take turns, so that other programs disturb both alike, and
tokens a second of the processors are beside those a second by the clock. With ``--soak N``, then N short requests, and
the server's memory after the first tenth of them and at the end.

    python benchmarks/server.py [--json] [--quick] [--soak 10000] [--model NAME]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil

CLIENTS = 32
BARS = 8


@dataclass
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    host: str
    port: int

    def connection(self) -> http.client.HTTPConnection:
        """A new connection."""
        return http.client.HTTPConnection(self.host, self.port, timeout=600)

    def figure(self, name: str) -> float:
        """One of its own figures."""
        connection = self.connection()
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    @property
    def processor(self) -> float:
        """Seconds of processors that it has used: what other programs on the machine hardly change."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    @property
    def memory(self) -> float:
        """Its memory in MB."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20


@contextlib.contextmanager
def served(model: str) -> Iterator[Server]:
    """Run a server."""
    command = [sys.executable, "-m", "toccata", "serve", "--port", "0", "--json", "--model", model]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        host, port = url.removeprefix("http://").split(":")
        yield Server(process, host, int(port))
    finally:
        process.terminate()
        process.wait(60)


@dataclass
class Client:
    """Asks for one piece after the other until it is told to stop.

    Attributes:
        first: Seconds to the first note of each request.
        gaps: The longest time between two events of each request.
    """

    server: Server
    seed: int
    first: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    done: int = 0

    def run(self, stop: threading.Event) -> None:
        """Ask until ``stop`` is set; the last request is given up after its first note."""
        connection = self.server.connection()
        while not stop.is_set():
            self.seed += 1
            self.ask(connection, stop)
        connection.close()

    def ask(self, connection: http.client.HTTPConnection, stop: threading.Event) -> None:
        """One request, read event by event."""
        began = last = time.perf_counter()
        noted, gap = False, 0.0
        headers = {"accept": "text/event-stream", "content-type": "application/json"}
        connection.request("POST", "/v1/generate", json.dumps({"bars": BARS, "seed": self.seed}), headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        while line := answer.readline():
            if line.startswith(b"event: "):
                now = time.perf_counter()
                gap, last = max(gap, now - last) if noted else 0.0, now
                if not noted and line == b"event: note\n":
                    self.first.append(now - began)
                    noted = True
                if line == b"event: done\n":
                    self.done += 1
            if stop.is_set() and noted:
                connection.close()
                return
        self.gaps.append(gap)


def load(server: Server, clients: int, seconds: float, seed: int) -> dict[str, Any]:
    """So many clients for so long."""
    stop, all_of_them = threading.Event(), [Client(server, seed + 1000 * number) for number in range(clients)]
    threads = [threading.Thread(target=client.run, args=(stop,)) for client in all_of_them]
    before, began, used = server.figure("toccata_tokens_total"), time.perf_counter(), server.processor
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    tokens = server.figure("toccata_tokens_total") - before
    seconds, used = time.perf_counter() - began, server.processor - used
    stop.set()
    for thread in threads:
        thread.join()
    while server.figure("toccata_verbs_active"):
        time.sleep(0.01)
    first = sorted(second for client in all_of_them for second in client.first)
    return {
        "clients": clients,
        "tokens": tokens,
        "seconds": seconds,
        "processor": used,
        "first": first,
        "pieces": sum(client.done for client in all_of_them),
    }


def summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What several rounds come to."""
    first = sorted(second for row in rows for second in row["first"])
    return {
        "clients": rows[0]["clients"],
        "tok_s": round(sum(row["tokens"] for row in rows) / sum(row["seconds"] for row in rows), 1),
        "tok_processor_s": round(sum(row["tokens"] for row in rows) / sum(row["processor"] for row in rows), 1),
        "first_note_ms": round(1000 * statistics.median(first)),
        "first_note_p95_ms": round(1000 * first[min(len(first) - 1, int(0.95 * len(first)))]),
        "pieces": sum(row["pieces"] for row in rows),
    }


def soak(server: Server, requests: int, say: Any) -> dict[str, Any]:
    """Many short requests, eight at a time, every fourth of which is given up; memory as it goes on."""
    numbers, lock = iter(range(requests)), threading.Lock()
    memory: list[float] = []

    def run() -> None:
        connection = server.connection()
        while True:
            with lock:
                number = next(numbers, None)
                if number is not None and number % max(1, requests // 20) == 0:
                    memory.append(server.memory)
                    say(f"{number:,} requests, {memory[-1]:.0f} MB")
            if number is None:
                break
            body = json.dumps({"bars": 1, "max_tokens": 12, "seed": number})
            connection.request("POST", "/v1/generate", body, {"content-type": "application/json"})
            if number % 4 == 3:
                connection.close()
                continue
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    memory.append(server.memory)
    tenth = memory[max(1, len(memory) // 10)]
    return {"requests": requests, "mb_after_a_tenth": round(tenth, 1), "mb_at_the_end": round(memory[-1], 1)}


def main() -> None:
    """Print a table, or with ``--json`` one object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--quick", action="store_true", help="a few seconds in all")
    parser.add_argument("--soak", type=int, default=0, metavar="N", help="then N short requests")
    parser.add_argument("--model", default="base", help="the model  [base]")
    options = parser.parse_args()
    rounds, seconds = (1, 5.0) if options.quick else (4, 15.0)
    found: dict[str, Any] = {}

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    with served(options.model) as server:
        rows: dict[int, list[dict[str, Any]]] = {1: [], CLIENTS: []}
        for turn in range(rounds):
            for clients, some in rows.items():
                some.append(load(server, clients, seconds, turn * 100_000))
        found["rows"] = [summed(some) for some in rows.values()]
        one, many = found["rows"]
        found["times_one"] = round(many["tok_s"] / one["tok_s"], 2)
        found["times_one_processor"] = round(many["tok_processor_s"] / one["tok_processor_s"], 2)
        if options.soak:
            found["soak"] = soak(server, options.soak, say)
    if options.json:
        json.dump(found, sys.stdout)
        print()
        return
    for row in [*found["rows"], *([found["soak"]] if options.soak else [])]:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    print(f"{CLIENTS} clients get {found['times_one']} times the tokens of one a second, and ", end="")
    print(f"{found['times_one_processor']} times as many a second of the processors")


if __name__ == "__main__":
    main()
