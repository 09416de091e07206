"""A studio as a musician meets it: `toccata studio` in a process of its own, a Chromium, a mouse and keys."""

from __future__ import annotations

import base64
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

BEGUN = re.compile(r"http://\S+#token=\S+")
FIRST = 30_000
"""Milliseconds to wait for what takes a moment: the whole suite may run beside it."""
LONG = 180_000
"""And for what a model writes or learns."""

DROP = """([name, text]) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], name, { type: "audio/midi" }));
  for (const type of ["dragenter", "dragover", "drop"])
    document.querySelector("toccata-studio").dispatchEvent(
      new DragEvent(type, { dataTransfer: files, bubbles: true, cancelable: true, composed: true }));
}"""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Process:
    """A running `toccata studio`."""

    def __init__(self, library: Path, *arguments: str, port: int = 0) -> None:
        self.library, self.port, self.arguments = library, port or free_port(), arguments
        command = [
            sys.executable, "-m", "toccata.cli.main", "studio", str(library), "--no-browser", "--port", str(self.port),
            *arguments,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ}
        )
        assert self.process.stdout is not None
        printed = ""
        for line in self.process.stdout:
            printed += line
            if found := BEGUN.search(line):
                self.address = found[0]
                return
        raise AssertionError(f"toccata studio ended: {printed}")

    def end(self, how: signal.Signals = signal.SIGTERM) -> str:
        """Stop it, and return what it printed."""
        self.process.send_signal(how)
        return self.process.communicate(timeout=60)[0]


class Walk:
    """A page of the studio, and what a person does in it; ``actions`` counts what the person did."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.actions = page, 0
        self.faults: list[str] = []
        page.set_default_timeout(FIRST)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", lambda message: self.faults.append(message.text) if message.type == "error" else None)
        page.goto(address)
        page.locator("toccata-roll").wait_for(state="attached")
        self.roll = page.locator("toccata-roll")

    # -- what the page holds

    def notes(self) -> dict[str, list[list[int]]]:
        """The notes of each track of the piece on screen, sorted: tick, length, pitch, velocity."""
        script = """(roll) => Object.fromEntries((roll.song?.tracks ?? []).map((one) => [one.track,
          Array.from({ length: one.notes.count }, (_, i) =>
            [one.notes.tick[i], one.notes.length[i], one.notes.pitch[i], one.notes.velocity[i]])]))"""
        return dict(self.roll.evaluate(script))

    def count(self) -> int:
        """The number of notes on screen."""
        return sum(map(len, self.notes().values()))

    def bar(self, number: int) -> int:
        """The tick where a bar, from 1, begins."""
        return int(self.roll.evaluate("(roll, n) => roll.song.bars.start(n)", number))

    def wait(self, script: str, value: Any = None, *, long: bool = False) -> None:
        """Wait until a function of the roll element and a value returns true."""
        whole = f"(value) => {{ const {{ studio }} = document.querySelector('toccata-studio'); {script} }}"
        self.page.wait_for_function(whole, arg=value, timeout=LONG if long else FIRST)

    def holds(self, expression: str) -> Any:
        """The value of an expression of the page's state, ``studio``."""
        return self.page.evaluate(
            f"(() => {{ const {{ studio }} = document.querySelector('toccata-studio'); return {expression}; }})()"
        )

    def saved(self) -> None:
        """Wait until the server has everything."""
        self.page.get_by_text("Saved", exact=True).wait_for()

    # -- what a person does

    def drop(self, path: Path) -> None:
        """Drop a MIDI file on the page."""
        before = self.holds("studio.piece?.id ?? null")
        self.page.evaluate(DROP, [path.name, base64.b64encode(path.read_bytes()).decode()])
        self.wait("return studio.piece !== null && studio.piece.id !== value", before)
        self.idle()

    def idle(self) -> None:
        """Wait until nothing is left to draw."""
        self.roll.evaluate("(roll) => roll.idle()")

    def press(self, keys: str) -> None:
        """Press a key: one action."""
        self.actions += 1
        self.page.keyboard.press(keys)

    def click(self, name: str) -> None:
        """Click a button by its name: one action."""
        self.actions += 1
        self.page.get_by_role("button", name=name).first.click()

    def choose_bars(self, first: int, last: int) -> None:
        """Drag in the ruler: one action."""
        for bar in (last + 1, first):
            self.roll.evaluate("(roll, tick) => roll.reveal(tick)", self.bar(bar))
        self.idle()
        self.actions += 1
        box = self.roll.bounding_box()
        assert box is not None
        left, right = (
            self.roll.evaluate("(roll, tick) => roll.toClientTick(tick)", tick)
            for tick in (
                (self.bar(first) * 3 + self.bar(first + 1)) // 4,
                (self.bar(last) + 3 * self.bar(last + 1)) // 4,
            )
        )
        y = box["y"] + 20
        mouse = self.page.mouse
        mouse.move(left, y)
        mouse.down()
        mouse.move((left + right) / 2, y, steps=4)
        mouse.move(right, y, steps=4)
        mouse.up()
        self.wait("return studio.view.range?.[0] === value[0] && studio.view.range[1] === value[1]", [first, last])

    def finished(self, number: int) -> None:
        """Wait until so many ideas are finished."""
        self.wait(
            "return studio.ideas.chips.filter((idea) => idea.take.state === 'finished').length >= value",
            number,
            long=True,
        )


def opened(run: Any, process: Process, **options: Any) -> Walk:
    """A page of a studio in a browser."""
    return Walk(run.new_page(viewport={"width": 1280, "height": 800}, **options), process.address)


Opened = Callable[..., Walk]

__all__ = ["Opened", "Process", "Walk", "free_port", "opened"]
