"""What MIDI files that are made to be dear cost: seconds of processor and peak memory of every command that reads one.

Builds some forty files of at most a megabyte (far-away ticks, millions of bars, a hundred thousand tempos, a thousand
tracks, chords of sixteen thousand notes, ...) and runs each command over each of them, in a process of its own. Every
run is to end within 10 s of processor and under 400 MB, its result or a refusal in one line; what is above that, a
crash, and a refusal in more than a line are marked.

    python benchmarks/bombs.py [--json] [--only NAME]... [--command NAME]... [--model DIR] [--seconds S] [--megabytes M]

The commands are forked off a process that has imported what they need, so their memory counts the libraries: the floor
is printed first. What writes music is a model of a few thousand parameters, trained for a moment: with a large one the
music that is written costs more, the file that is read does not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 1_000_000
SECONDS, MEMORY = 10.0, 400.0
"""What a command may take: seconds of processor, megabytes of memory."""
STOP_SECONDS, STOP_BYTES = 20, 6 * 2**30
"""Where a run is ended, so that the machine survives code that fails."""
TINY = (
    "model.width=32", "model.layers=1", "model.heads=2", "model.kv_heads=1", "model.ffn=64", "model.context=256",
    "training.steps=4", "training.micro_batch_size=2", "training.workers=0", "training.evaluations=1",
    "training.valid_rows=2",
)  # fmt: skip

# -- the files -----------------------------------------------------------------------------------------------------

END = b"\x00\xff\x2f\x00"
LONGEST = b"\xff\xff\xff\x7f"  # the longest delta time, 2**28 - 1 ticks


def number(value: int) -> bytes:
    """A number of variable length."""
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def midi(*tracks: bytes, division: int = 480, kind: int = 1) -> bytes:
    """A file of tracks, each ended."""
    chunks = [b"MTrk" + len(t + END).to_bytes(4, "big") + t + END for t in tracks]
    return (
        b"MThd\x00\x00\x00\x06"
        + b"".join(n.to_bytes(2, "big") for n in (kind, len(tracks), division))
        + b"".join(chunks)
    )


def note(pitch: int = 60, length: int = 480, before: int = 0, channel: int = 0) -> bytes:
    """A note-on and its note-off."""
    return number(before) + bytes((0x90 | channel, pitch, 80)) + number(length) + bytes((0x80 | channel, pitch, 0))


TUNE = b"".join(
    bytes((0, 0x91, 40 + i, 80)) + b"".join(note(60 + n * 5 % 12, 240) for n in range(4)) + bytes((0, 0x81, 40 + i, 0))
    for i in range(16)
)
"""Eight bars of a melody over a bass, which most bombs have, so that nothing is refused for want of music."""


def filled(unit: bytes, *, head: bytes = b"", tail: bytes = TUNE, most: int | None = None) -> bytes:
    """A track of music, ``head``, ``unit`` again and again, as often as a megabyte holds, and ``tail``."""
    head = TUNE + head
    count = (MEGABYTE - len(head) - len(tail) - 100) // len(unit)
    return head + unit * min(count, most or count) + tail


def meter(numerator: int, exponent: int) -> bytes:
    """A meter at once."""
    return bytes((0, 0xFF, 0x58, 4, numerator, exponent, 24, 8))


def _melodies(count: int, notes: int) -> list[bytes]:
    return [
        bytes((0, 0xC0 | n % 9, n % 128)) + b"".join(note(36 + (n + i) % 60, 120, channel=n % 9) for i in range(notes))
        for n in range(count)
    ]


def _running(notes: int, step: int, pitches: int = 88) -> bytes:
    """Notes by running status alone: four note-ons of velocity 0 or 80 in twelve bytes."""
    out = bytearray(b"\x00\x90\x15\x50")
    for i in range(notes):
        pitch = 21 + i * 7 % pitches
        out += bytes((0, pitch, 80)) if i else b""
        out += number(step) + bytes((21 if not i else pitch, 0))
    return bytes(out)


def _chord(notes: int) -> bytes:
    """So many notes that begin at tick 0, on all pitches and channels, and end one after the other."""
    ons = b"".join(bytes((0, 0x90 | n // 128 % 16, n % 128, 1 + n % 127)) for n in range(notes))
    offs = b"".join(bytes((1, 0x80 | n // 128 % 16, n % 128, 0)) for n in range(notes))
    return ons + offs


_ONE_NOTE = [note(channel=2)] * 990


def _wrong_lengths() -> bytes:
    """A thousand tracks without an end, none of which is as long as it claims."""
    body = note(60, 10) * 100
    tracks = b"".join(b"MTrk" + (len(body) + 99).to_bytes(4, "big") + body for _ in range(1000))
    return midi()[:14] + tracks


def bombs() -> dict[str, bytes]:
    """The files by name, each of at most a megabyte."""
    far = b"\x00\x90\x3c\x50" + LONGEST + b"\xb0\x07\x64"
    every = {
        "tune": midi(TUNE),
        "far tick": midi(TUNE + far + LONGEST + b"\x80\x3c\x00", division=0x7FFF),
        "far tick, 10,000 a quarter": midi(TUNE + far + LONGEST + b"\x80\x3c\x00" + note(), division=10_000),
        "far first note": midi(LONGEST + b"\xb0\x07\x64" + TUNE, division=0x7FFF),
        "far tempo": midi(TUNE + LONGEST + b"\xff\x51\x03\x07\xa1\x20"),
        "bars of a 128th": midi(meter(1, 7) + TUNE + number(480 * 99_000) + b"\x90\x3c\x50\x01\x80\x3c\x00"),
        "bars of a tick": midi(meter(1, 7) + TUNE + number(90_000) + b"\x90\x3c\x50\x01\x80\x3c\x00", division=1),
        "25,000 bars": midi(TUNE + number(480 * 99_000) + b"\x90\x3c\x50\x01\x80\x3c\x00"),
        "25,000 bars of notes": midi(b"".join(note(40 + i % 40, 480) for i in range(98_000))),
        "9,000 bars": midi(TUNE + number(480 * 36_000) + b"\x90\x3c\x50\x01\x80\x3c\x00"),
        "9,000 bars of notes": midi(b"".join(note(40 + i % 40, 240) for i in range(72_000))),
        "one tick a quarter": midi(_running(160_000, 0)[:900_000] + b"\x01\x90\x3c\x50\x01\x3c\x00", division=1),
        "bars of 255 beats": midi(meter(255, 0) + TUNE * 40),
        "a meter a tick": midi(filled(b"\x01\xff\x58\x04\x03\x02\x18\x08\x01\xff\x58\x04\x04\x02\x18\x08")),
        "meters at once": midi(filled(b"\x00\xff\x58\x04\x03\x02\x18\x08\x00\xff\x58\x04\x04\x02\x18\x08")),
        "a meter a bar": midi(
            filled(
                number(1440) + b"\xff\x58\x04\x04\x02\x18\x08" + number(1920) + b"\xff\x58\x04\x03\x02\x18\x08",
                most=12_000,
            )
        ),
        "a tempo a tick": midi(filled(b"\x01\xff\x51\x03\x07\xa1\x20\x01\xff\x51\x03\x06\xa1\x20")),
        "tempos at once": midi(filled(b"\x00\xff\x51\x03\x07\xa1\x20\x00\xff\x51\x03\x06\xa1\x20")),
        "a tempo a beat": midi(
            filled(number(480) + b"\xff\x51\x03\x07\xa1\x20" + number(480) + b"\xff\x51\x03\x06\xa1\x20", most=40_000)
        ),
        "a key a tick": midi(filled(b"\x01\xff\x59\x02\x02\x00\x01\xff\x59\x02\xfd\x01")),
        "keys at once": midi(filled(b"\x00\xff\x59\x02\x02\x00\x00\xff\x59\x02\xfd\x01")),
        "1,000 tracks": midi(
            *[b"\x00\xff\x03\x08" + f"track{n:3}".encode()[:8] + note(n % 100, 480, n * 10) for n in range(1000)]
        ),
        "1,000 tracks of 74 notes": midi(*_melodies(1000, 74)),
        "900 programs": midi(
            b"".join(bytes((0, 0xC0 | n % 9, n // 9)) + note(60, 10, channel=n % 9) for n in range(900))
        ),
        "a program a note": midi(filled(b"\x00\xc0\x01" + note(60, 10) + b"\x00\xc0\x02" + note(62, 10))),
        "notes in a second": midi(_running(160_000, 0) + b"\x83\x60\x90\x3c\x50\x83\x60\x3c\x00"),
        "16,000 notes in a second": midi(_running(16_000, 0) + TUNE),
        "16,000 notes in a chord": midi(_chord(16_000) + TUNE),
        "120,000 notes in a chord": midi(_chord(120_000) + TUNE),
        "16,000 notes": midi(_running(16_000, 120)),
        "dense notes": midi(_running(160_000, 1)),
        "long overlapping notes": midi(
            b"".join(bytes((1, 0x90 | n % 16, n % 127, 80)) for n in range(45_000))
            + b"".join(bytes((1, 0x80 | n % 16, n % 127, 0)) for n in range(45_000))
        ),
        "one key again and again": midi(b"\x00\x90\x3c\x50" + b"\x00\x3c\x50" * 45_000 + b"\x01\x3c\x00" * 45_000),
        "never released": midi(filled(b"\x01\x90\x3c\x50" + b"\x00\x40\x50" * 50)),
        "released, never struck": midi(filled(b"\x01\x3c\x00" * 50, head=b"\x00\x90\x3d\x00")),
        "notes of no length": midi(filled(b"\x01\x3c\x50\x00\x3c\x00", head=b"\x00\x90\x3d\x00")),
        "pedals": midi(filled(b"\x01\x40\x7f\x01\x40\x00", head=b"\x00\xb0\x07\x64")),
        "pedals on 16 channels": midi(
            filled(
                b"".join(bytes((0, 0xB0 | c, 64, v)) for v in (127, 0) for c in range(16)),
                head=b"".join(note(channel=c) for c in range(16)),
            )
        ),
        "controllers": midi(filled(b"".join(bytes((1, n, 9)) for n in range(120)), head=b"\x00\xb0\x07\x64")),
        "bends": midi(filled(b"\x01\x00\x41\x01\x00\x3f", head=b"\x00\xe0\x00\x40")),
        "aftertouch under held notes": midi(
            b"".join(bytes((0, 0x90 | c, p, 80)) for c in range(16) for p in range(100))
            + b"\x00\xa0\x3c\x40"
            + b"\x01\x3c\x41" * 300_000
            + b"".join(bytes((1, 0x80 | c, p, 0)) for c in range(16) for p in range(100))
        ),
        "one sysex": midi(b"\x00\xf0" + number(900_000) + b"\x7f" * 899_999 + b"\xf7" + TUNE),
        "empty sysex": midi(filled(b"\x00\xf0\x00")),
        "empty texts": midi(filled(b"\x00\xff\x01\x00")),
        "texts": midi(filled(b"\x00\xff\x01\x04\xe9\xe8\xe7\xe6")),
        "one text": midi(b"\x00\xff\x01" + number(900_000) + b"\xe9" * 900_000 + TUNE),
        "one track name": midi(b"\x00\xff\x03" + number(900_000) + b"n" * 900_000 + TUNE),
        "markers": midi(filled(b"\x01\xff\x06\x01A")),
        "lyrics": midi(filled(b"\x01\xff\x05\x01A")),
        "cues": midi(filled(b"\x01\xff\x07\x01A")),
        "bad metas": midi(filled(b"\x00\xff\x51\x01\x00")),
        "realtime bytes": midi(filled(b"\x00\xf8")),
        "clipped data": midi(filled(b"\x00\xb0\x07\xff", head=b"")),
        "film frames": midi(_running(100_000, 1), division=0xE728),
        "1,000 songs": midi(*_melodies(1000, 60), kind=2),
        "1,000 short songs": midi(*[note(60 + n % 12, 5) for n in range(1000)], kind=2),
        "foreign chunks": midi(TUNE) + b"XFIH\x00\x00\x00\x00" * 120_000,
        "many empty tracks": midi(TUNE, *[b""] * 999),
        "noise in running status": midi(_noise()),
        "controllers for 990 tracks": midi(
            filled(b"\x01\x07\x40", head=b"\x00\xb2\x07\x64", tail=b"", most=290_000), *_ONE_NOTE
        ),
        "1,000 controllers for 990 tracks": midi(
            filled(b"\x01\x07\x40", head=b"\x00\xb2\x07\x64", tail=b"", most=1_000), *_ONE_NOTE
        ),
        "programs for 990 tracks": midi(filled(b"\x01\x05", head=b"\x00\xc2\x01", tail=b"", most=450_000), *_ONE_NOTE),
        "programs, banks and controllers in turns": midi(
            filled(b"\x00\xc0\x01" + note(60, 10) + b"\x00\xb0\x07\x40\x00\xb0\x00\x01\x00\xc0\x02" + note(62, 10))
        ),
        "wrong lengths": _wrong_lengths(),
        "packets": midi(filled(b"\x00\xf7\x03\x90\x3c\x40")),
        "drums of XG": midi(
            filled(
                note(36, 10, channel=10),
                head=b"\x00\xf0\x08\x43\x10\x4c\x00\x00\x7e\x00\xf7\x00\xba\x00\x7f\x00\xca\x01",
                most=60_000,
            )
        ),
        "karaoke": midi(b"\x00\xff\x01\x06@KMIDI", filled(b"\x01\xff\x01\x02la", head=b"\x00\xff\x01\x03@Tx")),
    }
    for name, data in every.items():
        assert len(data) <= MEGABYTE, f"{name}: {len(data):,} bytes"
    return every


def _noise() -> bytes:
    """Any channel messages at all."""
    dice = random.Random(0)
    out = bytearray()
    while len(out) < 900_000:
        status = dice.choice((0x80, 0x90, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0)) | dice.randrange(16)
        out += bytes((dice.randrange(3), status, dice.randrange(128)))
        out += b"" if status & 0xE0 == 0xC0 else bytes((dice.randrange(128),))
    return bytes(out) + TUNE


# -- the commands --------------------------------------------------------------------------------------------------


def commands(model: Path) -> dict[str, Callable[[Path], list[object]]]:
    """Command lines by name, each made of the folder that holds nothing but ``song.mid``."""
    with_model = ["--model", model, "--seed", 1, "--quiet", "-o", "out.mid", "--force"]

    def rewrite(verb: str, *more: object) -> Callable[[Path], list[object]]:
        return lambda there: [verb, there / "song.mid", *more, *with_model]

    def generate(*more: object) -> Callable[[Path], list[object]]:
        return rewrite("generate", "--bars", 1, "--max-tokens", 32, *more)

    def vary(keep: str, *more: object) -> Callable[[Path], list[object]]:
        return rewrite("vary", "--keep", keep, "-n", 1, *more)

    return {
        "check": lambda there: ["check", there],
        "clean": lambda there: ["clean", there, "cleaned"],
        "prepare": lambda there: ["prepare", there, "corpus"],
        "prepare --text": lambda there: ["prepare", there, "texts", "--text"],
        "inspect": lambda there: ["inspect", there / "song.mid"],
        "inspect --decode": lambda there: ["inspect", there / "song.mid", "--bars", "1", "--decode", "back.mid"],
        "inspect, model": lambda there: ["inspect", there / "song.mid", "--bars", "1", "--tokenizer", model],
        "inspect, text": lambda there: ["inspect", there / "song.mid", "--bars", "1", "--tokenizer", "theremin"],
        "render png": lambda there: ["render", there / "song.mid", "-o", "roll.png"],
        "render svg": lambda there: ["render", there / "song.mid", "-o", "roll.svg"],
        "render wav": lambda there: ["render", there / "song.mid", "-o", "sound.wav"],
        "generate": generate(),
        "generate --prompt-bars": generate("--prompt-bars", 2),
        "generate --prompt-bars A-B": generate("--prompt-bars", "2-3"),
        "generate --prompt-seconds": generate("--prompt-seconds", 5),
        "generate --prompt-tokens": generate("--prompt-tokens", 50),
        "generate --best-of": generate("--best-of", 2),
        "generate --form": rewrite("generate", "--form", "AB", "--bars", 2, "--prompt-bars", 1),
        "generate --plot": generate("--plot"),
        "infill": rewrite("infill", "--bars", "1-2"),
        "infill --lock": rewrite("infill", "--bars", "1-2", "--lock", "::C4-E4"),
        "accompany": rewrite("accompany", "--add", "bass", "--bars", "1-2"),
        "harmonise": rewrite("harmonise", "--bars", "1-2"),
        **{f"vary {keep}": vary(keep, "--bars", "1-2") for keep in ("rhythm", "contour", "melody", "harmony")},
        "accompany, all": rewrite("accompany", "--add", "bass"),
        "harmonise, all": rewrite("harmonise"),
        **{f"vary {keep}, all": vary(keep) for keep in ("rhythm", "contour", "melody", "harmony")},
        "evaluate": lambda there: ["python", EVALUATE, model, there],
        "rank": lambda there: ["python", RANK, model, there / "song.mid"],
        "originality": lambda there: ["python", LOOK_UP, model, there / "song.mid"],
    }


EVALUATE = """
from toccata import api, finish
finish.PIECES = finish.BARS = 1  # what the model writes by itself has nothing to do with the file
print(api.evaluate(sys.argv[1], sys.argv[2], include_seen=True).likelihood.nats_per_note)
"""
RANK = """
import toccata
print(toccata.rank([toccata.song(sys.argv[2])], toccata.load(sys.argv[1]))[0].why)
"""
LOOK_UP = """
import toccata
from toccata import api
print(api.Judge(toccata.load(sys.argv[1])).of(toccata.song(sys.argv[2])).notes)
"""


@dataclass
class Run:
    """What a command over a file cost.

    Attributes:
        seconds: Of processor, all its processes together.
        megabytes: The most memory that one of them had.
        code: Its exit code; negative: the signal that ended it.
        said: What it said last.
        lines: How many lines it was refused in.
    """

    seconds: float
    megabytes: float
    code: int
    said: str
    lines: int

    def fault(self, seconds: float, megabytes: float) -> str:
        """What is wrong with it, empty: nothing."""
        if self.code not in (0, 1, 2):
            return f"ended by {'signal ' if self.code < 0 else ''}{abs(self.code)}"
        if self.seconds > seconds or self.megabytes > megabytes:
            return "too dear"
        if self.code and (self.lines != 1 or "a fault in toccata" in self.said or "Traceback" in self.said):
            return "no refusal"
        return ""


def run(line: list[object], place: Path) -> Run:
    """Run a command line in a process forked off this one, in the folder ``place``."""
    place.mkdir(parents=True, exist_ok=True)
    output = place / "output"
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        _as_child(line, place, output)
    _, status, used = os.wait4(child, 0)
    text = output.read_text(errors="replace").splitlines()
    refusal = [row for row in text if row.startswith("error: ")]
    said = refusal[-1] if refusal else text[-1] if text else ""
    # Linux counts in kilobytes, macOS in bytes.
    scale = 1e-6 if sys.platform == "darwin" else 1.024e-3
    code = os.waitstatus_to_exitcode(status)
    return Run(used.ru_utime + used.ru_stime, used.ru_maxrss * scale, code, said, len(refusal))


def _as_child(line: list[object], place: Path, output: Path) -> None:
    """The life of a forked process; does not return."""
    code = 99
    try:
        out = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.chdir(place)
        resource.setrlimit(resource.RLIMIT_CPU, (STOP_SECONDS, STOP_SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_AS, (STOP_BYTES, STOP_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        words = [str(word) for word in line]
        if words[0] == "python":
            code = _script(words)
        else:
            from toccata.cli.main import main as command_line

            code = command_line(words)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _script(words: list[str]) -> int:
    """Run some lines of Python as the command line would: an error of toccata's is told in a line."""
    from toccata.errors import ToccataError

    sys.argv = words[1:]
    sys.argv[0] = "-"
    try:
        exec(words[1], {"sys": sys})
    except ToccataError as error:
        print(f"error: {error.message}")
        return 1
    except BaseException as error:
        print(f"Traceback: {type(error).__name__}: {error}")
        return 1
    return 0


def ready() -> None:
    """Import what commands need, so that each fork has it and none pays for it in seconds."""
    import toccata.api
    import toccata.cli.data
    import toccata.cli.generate
    import toccata.cli.look
    import toccata.cli.main
    import toccata.cli.rewrite
    import toccata.cli.train
    import toccata.cli.vary
    import toccata.engine.cache
    import toccata.render.audio
    import toccata.render.roll
    import toccata.tokenizers.load

    assert toccata.api is not None


def tiny_model(place: Path) -> Path:
    """Train a model of a few thousand parameters on some made-up tunes; torch stays out of this process."""
    folder = place / "music"
    folder.mkdir()
    for seed in range(16):
        dice = random.Random(seed)
        tune = b"".join(note(dice.choice((60, 62, 64, 65, 67, 69, 71, 72)), 240) for _ in range(200))
        (folder / f"{seed}.mid").write_bytes(midi(tune))
    line = [sys.executable, "-m", "toccata", "train", folder, "-o", place / "model", *TINY, "examples.fill=0.25", "-q"]
    subprocess.run([str(word) for word in line], check=True)
    return place / "model"


def measured(only: Sequence[str], verbs: Sequence[str], model: Path, place: Path) -> Iterator[tuple[str, str, Run]]:
    """Commands over files, all or those named: their names and what each run cost."""
    for name, data in bombs().items():
        if only and name not in only:
            continue
        for verb, line in commands(model).items():
            if verbs and verb not in verbs:
                continue
            work = place / "work"
            folder = work / "midi"
            folder.mkdir(parents=True)
            (folder / "song.mid").write_bytes(data)
            yield name, verb, run(line(folder), work)
            shutil.rmtree(work)


def main() -> int:
    """Print a table: a row for each file, then what failed; or with ``--json`` one object a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a line, one line a run")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this file alone; may be repeated")
    parser.add_argument("--command", action="append", default=[], metavar="NAME", help="the same for commands")
    parser.add_argument("--model", type=Path, help="a model that is there, instead of a tiny one")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--megabytes", type=float, default=MEMORY)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(prefix="toccata-bombs-") as temporary:
        place = Path(temporary)
        os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_CACHE_HOME"] = temporary
        model = options.model.resolve() if options.model else tiny_model(place)
        ready()
        floor = run(["generate", "--bars", 1, "--max-tokens", 8, "--model", model, "-o", "x.mid"], place / "floor")
        runs = []
        for name, verb, found in measured(options.only, options.command, model, place):
            runs.append((name, verb, found))
            fault = found.fault(options.seconds, options.megabytes)
            if options.json:
                print(json.dumps({"file": name, "command": verb, **vars(found), "fault": fault}), flush=True)
            elif sys.stderr.isatty():
                print(f"\r{name}: {verb}\x1b[K", end="", file=sys.stderr, flush=True)
    if not options.json:
        report(runs, floor, options.seconds, options.megabytes)
    return int(any(found.fault(options.seconds, options.megabytes) for _, _, found in runs))


def report(runs: list[tuple[str, str, Run]], floor: Run, seconds: float, megabytes: float) -> None:
    """Print what was found."""
    print(f"floor: {floor.megabytes:.0f} MB with the libraries loaded and a graph opened ({floor.seconds:.1f} s)")
    print(f"\n{'file':28}{'bytes':>10}{'done':>6}{'refused':>9}{'most s':>9}{'most MB':>9}  the dearest command")
    sizes = {name: len(data) for name, data in bombs().items()}
    for name in dict.fromkeys(name for name, _, _ in runs):
        mine = [(verb, found) for of, verb, found in runs if of == name]
        dearest = max(mine, key=lambda row: row[1].seconds)
        done = sum(not found.code for _, found in mine)
        most = max(found.megabytes for _, found in mine)
        print(
            f"{name:28}{sizes[name]:>10,}{done:>6}{len(mine) - done:>9}{dearest[1].seconds:>9.1f}{most:>9.0f}"
            f"  {dearest[0]}"
        )
    print(f"\n{'command':28}{'done':>6}{'refused':>9}{'most s':>9}{'most MB':>9}")
    for verb in dict.fromkeys(verb for _, verb, _ in runs):
        each = [found for _, of, found in runs if of == verb]
        done = sum(not found.code for found in each)
        print(
            f"{verb:28}{done:>6}{len(each) - done:>9}{max(f.seconds for f in each):>9.1f}"
            f"{max(f.megabytes for f in each):>9.0f}"
        )
    wrong: list[tuple[str, str, Run, str]] = [
        (name, verb, found, fault) for name, verb, found in runs if (fault := found.fault(seconds, megabytes))
    ]
    print(f"\n{len(wrong)} of {len(runs)} above {seconds:g} s or {megabytes:g} MB, or ended otherwise than they should")
    for name, verb, found, fault in wrong:
        print(f"  {name}: {verb}: {fault}: {found.seconds:.1f} s, {found.megabytes:.0f} MB: {found.said[:140]}")


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
