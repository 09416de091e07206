"""A model folder as a stranger might have changed it, in every file and every value, its digests made right again.

As a program it opens each such folder and uses it, and fails if anything but a result or one line that names a file
comes of it::

    python tests/tampering.py FOLDER... [--every N] [--first K] [--only TEXT]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import toccata
from toccata import folder
from toccata.api import model_rows
from toccata.errors import ToccataError
from toccata.files import digest
from toccata.measure.judge import Judge
from toccata.measure.learned import Seen
from toccata.measure.reference import ReferenceStats
from toccata.musicmodel import Model

MEMORY, SECONDS = 1 << 30, 60
"""What one folder may take at most: bytes beyond those of the process before, and seconds of processor."""
Change = Callable[[Path], None]

DEEP = "[" * 5000 + "]" * 5000
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 10**9, 2**62, -(2**62), 10**400, 1e308, 0.5, "", "x", "../../x", "\x1b[2J\n", [], {}, [[]],
    [0] * 3, [1e9, 1e9, 1e9], {"0_4": 10**9}, {"a": {"b": []}},
)  # fmt: skip
RAW = ("NaN", "-Infinity", "1e999", "9" * 5000, DEEP, '"\\ud800"')
"""What json.dumps does not write, put in a value's place."""
_MARK = "put the raw text here"


def tampered(model: Path) -> Iterator[tuple[str, Change]]:
    """Each change of a model folder, with what it is called."""
    for path in sorted(p for p in model.rglob("*") if p.is_file()):
        name = path.relative_to(model).as_posix()
        content = path.read_bytes()
        yield from ((f"{name}: {label}", _whole(name, change)) for label, change in _files(path))
        for size in sorted({0, 1, 7, 8, 9, len(content) // 2, len(content) - 1}):
            yield f"{name}: cut to {size}", _bytes(name, content[:size])
        yield f"{name}: longer", _bytes(name, content + b"\0" * 64)
        for at in sorted(
            {*range(0, min(len(content), 24)), *np.linspace(0, len(content) - 1, 24).astype(int).tolist()}
        ):
            yield f"{name}: byte {at} flipped", _bytes(name, _flipped(content, at))
        if path.suffix == ".json":
            yield from _documents(name, json.loads(content))
        if path.suffix == ".safetensors":
            yield from _tensors(name, content, 8)
        if path.suffix == ".idx":
            yield from _tensors(name, content, 16)
    yield from _listed(model)


def _files(path: Path) -> Iterator[tuple[str, Change]]:
    """Things that are no file, in its place."""
    yield "missing", lambda p: p.unlink()
    yield "a folder", lambda p: (p.unlink(), p.mkdir())[0]
    yield "a pipe", lambda p: (p.unlink(), os.mkfifo(p))[0]
    yield "a device", lambda p: (p.unlink(), p.symlink_to("/dev/zero"))[0]
    yield (
        "a link that leads out",
        lambda p: (shutil.move(p, p.parents[2] / "out"), p.symlink_to(p.parents[2] / "out"))[0],
    )
    yield "a link to itself", lambda p: (p.unlink(), p.symlink_to(p))[0]


def _whole(name: str, change: Change) -> Change:
    return lambda copy: change(copy / name)


def _bytes(name: str, content: bytes) -> Change:
    def change(copy: Path) -> None:
        (copy / name).write_bytes(content)
        if name != folder.ABOUT:
            _seal(copy, name)

    return change


def _seal(copy: Path, name: str) -> None:
    """Make the digest of a file right."""
    about = json.loads((copy / folder.ABOUT).read_text())
    if name in about["files"]:
        about["files"][name] = digest(copy / name)
        (copy / folder.ABOUT).write_text(json.dumps(about))


def _flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :] if content else b""


def _documents(name: str, document: Any) -> Iterator[tuple[str, Change]]:
    """Each value of a JSON file replaced by others, and left out."""
    for keys in _places(document):
        where = ".".join(map(str, keys)) or "all of it"
        for value in VALUES:
            changed = json.dumps(_replaced(document, keys, value))
            yield f"{name}: {where} = {str(value)[:20]!r}", _bytes(name, changed.encode())
        for raw in RAW:
            changed = json.dumps(_replaced(document, keys, _MARK)).replace(f'"{_MARK}"', raw)
            yield f"{name}: {where} = {raw[:20]}", _bytes(name, changed.encode())
        if keys and isinstance(keys[-1], str):
            yield f"{name}: without {where}", _bytes(name, json.dumps(_without(document, keys)).encode())


def _places(value: Any, keys: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where values are; of a list's the first and the last."""
    yield keys
    if isinstance(value, dict):
        for key in [*islice(value, 60)]:
            yield from _places(value[key], (*keys, key))
    elif isinstance(value, list) and value:
        for at in sorted({0, len(value) - 1}):
            yield from _places(value[at], (*keys, at))


def _replaced(document: Any, keys: tuple[Any, ...], value: Any) -> Any:
    if not keys:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[keys[0]] = _replaced(document[keys[0]], keys[1:], value)
    return copy


def _without(document: Any, keys: tuple[Any, ...]) -> Any:
    copy = dict(document) if isinstance(document, dict) else list(document)
    if len(keys) == 1:
        del copy[keys[0]]
    else:
        copy[keys[0]] = _without(document[keys[0]], keys[1:])
    return copy


def _tensors(name: str, content: bytes, start: int) -> Iterator[tuple[str, Change]]:
    """A file that begins with the length of a JSON header, which says what its numbers are."""
    length = int.from_bytes(content[start - 8 : start], "little")
    header, numbers = json.loads(content[start : start + length]), content[start + length :]

    def made(said: bytes, length: int | None = None, after: bytes = numbers) -> Change:
        size = len(said) if length is None else length
        return _bytes(name, content[: start - 8] + size.to_bytes(8, "little") + said + after)

    said = json.dumps(header).encode()
    for size in (0, 1, len(content), 2**31, 2**63):
        yield f"{name}: a header of {size}", made(said, size)
    yield f"{name}: no numbers", made(said, after=b"")
    yield f"{name}: not finite", made(said, after=b"\xff" * len(numbers))
    yield f"{name}: infinite", made(said, after=np.full(len(numbers) // 4, np.inf, "<f4").tobytes())
    for keys in islice(_places(header), 25):
        where = ".".join(map(str, keys)) or "all of it"
        for value in (*VALUES, [2**31, 2**31], "F64", [0, 2**62]):
            changed = json.dumps(_replaced(header, keys, value)).encode()
            yield f"{name}: header's {where} = {str(value)[:20]!r}", made(changed)
        for raw in RAW:
            changed = json.dumps(_replaced(header, keys, _MARK)).replace(f'"{_MARK}"', raw).encode()
            yield f"{name}: header's {where} = {raw[:20]}", made(changed)


def _listed(model: Path) -> Iterator[tuple[str, Change]]:
    """Other names among the files."""
    about = json.loads((model / folder.ABOUT).read_text())
    some = about["files"][folder.CONFIG]
    for odd in ("../out", "/etc/passwd", "tokenizer/../../out", "a\\b", "", ".", "tokenizer/", "tokenizer/text.json",
                "x" * 5000, "a\x00b", "a\nb", "tokenizer/codes.json", "\ud800"):  # fmt: skip
        changed = json.dumps({**about, "files": {**about["files"], odd: some}})
        yield f"{folder.ABOUT}: lists {odd[:20]!r}", _bytes(folder.ABOUT, changed.encode())


def use(path: Path) -> None:
    """Open a model folder, write with it, and look into all that it says."""
    model = Model(path, threads=1)
    folder.open_folder(path).verify()
    model.generate(bars=1, max_tokens=24, seed=1)
    ReferenceStats.of_model(model.folder)
    if Judge.has(model):
        pieces = model.generate(bars=1, max_tokens=24, seed=2)
        Judge(model).summary([piece for piece in pieces if piece.origin["notes"]])
    Seen.of_model(model.folder)


def fault(path: Path) -> str | None:
    """What is wrong with how a changed folder is met; None if it works or one line refuses it, naming a file."""
    try:
        use(path)
    except ToccataError as error:
        if "\n" in error.message or len(error.message) > 1200:
            return f"not one line: {error.message[:2000]!r}"
        if str(path) not in error.message:
            return f"names no file: {error.message}"
    except (_TooSlow, Exception) as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    try:
        rows = model_rows(path.parent)
    except Exception as error:
        return f"the models beside it cannot be listed: {type(error).__name__}: {str(error)[:300]}"
    return None if any(row["error"] is None for row in rows) else "the models beside it are not listed"


class _TooSlow(BaseException):
    """A folder took too long."""


def _alarm(*_: object) -> None:
    raise _TooSlow


def main() -> int:
    """Try all changes, or every so many; one line for each that is not met as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", default="", help="those whose names have this in them")
    options = parser.parse_args()
    signal.signal(signal.SIGPROF, _alarm)
    faults, tried = [], 0
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary) / "models"
        for source in options.folders:
            toccata.load(source, threads=1).generate(bars=1, max_tokens=24)  # all that is loaded is loaded now
            limited()
            changes = [(label, change) for label, change in tampered(source) if options.only in label]
            for label, change in islice(changes, options.first, None, options.every):
                shutil.rmtree(place, ignore_errors=True)
                shutil.copytree(source, place / "good")
                shutil.copytree(source, place / "bad")
                change(place / "bad")
                signal.setitimer(signal.ITIMER_PROF, SECONDS)
                wrong = fault(place / "bad")
                signal.setitimer(signal.ITIMER_PROF, 0)
                tried += 1
                if wrong is not None:
                    faults.append(label)
                    print(f"{source.name}: {label}: {wrong}", flush=True)
    print(f"{tried} changes, {len(faults)} faults")
    return 1 if faults or not tried else 0


def limited() -> None:
    """Let this process take no more memory than it has and a gigabyte."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, resource.RLIM_INFINITY))


if __name__ == "__main__":
    sys.exit(main())
