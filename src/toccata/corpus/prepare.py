"""From folders of MIDI to a corpus: read, clean, know again, split, store.

Interrupted, it goes on; unchanged, it does nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from toccata.corpus.groups import FEW, assign, related, thinned
from toccata.corpus.store import CORPUS, FORMAT, JOURNAL, PIECES, Corpus, Piece, Split, line, read_lines, shard_name
from toccata.errors import CorpusError, MidiError, RecipeError, shown
from toccata.files import write_bytes, write_json, write_text
from toccata.midi.clean import CleanOptions, clean
from toccata.midi.facts import facts, fingerprint
from toccata.midi.pool import map_files
from toccata.midi.read import find_midi, read_score

SHARD_BYTES = 64 * 2**20
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PrepareOptions:
    """What a corpus is made with; a corpus made with other options is another corpus.

    Attributes:
        clean: What to keep of each piece, and which pieces.
        valid: Share of the pieces to validate on while training.
        test: Share of the pieces never looked at while training.
    """

    clean: CleanOptions = field(default_factory=CleanOptions)
    valid: float = 0.08
    test: float = 0.08

    def __post_init__(self) -> None:
        for name in ("valid", "test"):
            share = getattr(self, name)
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                raise RecipeError(f"prepare.{name} must be a share between 0 and 1, not {shown(share)}")
        if self.valid + self.test >= 1:
            raise RecipeError(
                f"the shares to watch with ({self.valid:g}) and to keep aside ({self.test:g}) leave nothing to train "
                "on: together they must be below 1"
            )


def options_of_corpus(corpus: Corpus) -> PrepareOptions:
    """What a finished corpus was made with.

    Raises:
        CorpusError: It does not say so.
    """
    try:
        said = corpus.about["options"]
        programs = said["clean"].get("programs")
        cleaned = CleanOptions(**{**said["clean"], "programs": None if programs is None else tuple(programs)})
        return PrepareOptions(cleaned, said["valid"], said["test"])
    except (KeyError, TypeError, AttributeError, RecipeError):
        path = corpus.folder / CORPUS
        raise CorpusError(f"{path} does not say how it was cleaned: prepare the corpus again", path=path) from None


def prepare(
    source: Path,
    out: Path,
    options: PrepareOptions | None = None,
    *,
    named: str | None = None,
    progress: Progress | None = None,
    processes: int | None = None,
) -> Corpus:
    """Make a corpus of the MIDI files below ``source`` in the folder ``out``, or bring it up to date.

    Args:
        source: A folder of MIDI files, however deep.
        out: Where the corpus goes; a corpus of the same source and options there is continued.
        options: Cleaning and split.
        named: What the corpus says it was made of; by default the absolute path of ``source``.
        progress: Called with (files done, files in all).
        processes: Worker processes; by default one a processor.

    Raises:
        CorpusError: No MIDI below ``source``, no piece left after cleaning, or ``out`` holds something else.
    """
    options = options or PrepareOptions()
    files = find_midi(source)
    out.mkdir(parents=True, exist_ok=True)
    made_with = {"format": FORMAT, "source": named or str(source.resolve()), "options": asdict(options)}
    before = _begin(out, made_with)
    journal = _Journal(out)
    stamps = {path: _stamp(source, path) for path in files}
    todo = [path for path in files if journal.entries.get(stamps[path][0], {}).get("stamp") != stamps[path][1]]
    with journal:
        for done, (path, result) in enumerate(_read_all(todo, options, processes)):
            name, stamp = stamps[path]
            if isinstance(result, MidiError):
                reason = _readable(result.message.removeprefix(f"{path}: "))
                journal.add({"path": name, "stamp": stamp, "reason": reason})
            else:
                journal.add({"path": name, "stamp": stamp, **result[0]}, result[1])
            if progress is not None:
                progress(len(files) - len(todo) + done + 1, len(files))
    present = {name for name, _ in stamps.values()}
    entries = [journal.entries[name] for name in sorted(present)]
    _finish(out, made_with, entries, before, options)
    return Corpus(out)


def _begin(out: Path, made_with: dict[str, Any]) -> dict[str, Split]:
    """See what is in ``out`` already.

    Returns:
        The split of each content of the corpus that was there.
    """
    marker = out / "source.json"
    if marker.exists():
        before = _json(marker)
        if before != json.loads(json.dumps(made_with)):
            if not _is_unfinished(out, before):
                raise CorpusError(
                    f"{out} holds a corpus of another folder or of other cleaning options: choose another folder",
                    path=out,
                )
            _forget(out)
            write_json(marker, made_with)
    elif any(not path.name.startswith(f".{marker.stem}-") for path in out.iterdir()):  # but for our own torn marker
        raise CorpusError(f"{out} is not empty and holds no corpus: choose another folder", path=out)
    else:
        write_json(marker, made_with)
    # By the index, not by corpus.json: an interruption between writing the two must not make a piece change sides.
    try:
        known = read_lines((out / PIECES).read_text(encoding="utf-8"))
        return {piece["content"]: piece["split"] for piece in known}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError):
        raise CorpusError(f"{out / PIECES} is damaged: delete {out} and prepare it again", path=out) from None


def _is_unfinished(out: Path, marker: Any) -> bool:
    """Whether ``out`` holds what a :func:`prepare` that never came to its end has left, and no more."""
    ours = isinstance(marker, dict) and set(marker) == {"format", "source", "options"}
    return ours and not (out / CORPUS).exists() and not (out / PIECES).exists()


def _forget(out: Path) -> None:
    """Delete what an unfinished corpus has read, the journal first: without it the rest is not told of."""
    (out / JOURNAL).unlink(missing_ok=True)
    for number in count():
        if not (out / shard_name(number)).exists():
            return
        (out / shard_name(number)).unlink()


def _json(path: Path) -> Any:
    """The content of a JSON file; None if it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _read_all(
    todo: list[Path], options: PrepareOptions, processes: int | None
) -> Iterator[tuple[Path, tuple[dict[str, Any], bytes] | MidiError]]:
    yield from map_files(todo, partial(_read, options=options.clean), processes=processes)


def _read(path: Path, options: CleanOptions) -> tuple[dict[str, Any], bytes]:
    """Everything the index needs to know of a file, and its cleaned bytes; runs in a worker process."""
    score = clean(read_score(path), options)
    known, mark = facts(score), fingerprint(score)
    midi = score.dumps_midi()
    kept = thinned(mark.passages) if len(mark.passages) > FEW else mark.passages
    entry = {
        "content": mark.content,
        "midi": hashlib.blake2b(midi, digest_size=16).hexdigest(),
        "passages": base64.b64encode(kept.tobytes()).decode(),
        "notes": known.notes,
        "bars": known.bars,
        "seconds": known.seconds,
    }
    return entry, midi


def _stamp(source: Path, path: Path) -> tuple[str, list[int]]:
    """A file's name in the index, and what tells whether it changed."""
    about = path.stat()
    return _readable(path.relative_to(source).as_posix()), [about.st_size, about.st_mtime_ns]


def _readable(text: str) -> str:
    """``text`` as UTF-8 can say it: a file's name may hold bytes that are none."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class _Journal:
    """What has been read so far. Bytes are written before the line that tells of them: a torn end is only forgotten."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.path = out / JOURNAL
        self.entries: dict[str, dict[str, Any]] = {}
        self.shard, self.offset = 0, 0
        self._log: BinaryIO | None = None
        self._bytes: BinaryIO | None = None
        if self.path.exists():
            self._recall()

    def _recall(self) -> None:
        """Read what an earlier run wrote; what was torn is forgotten, in the file too."""
        kept: list[bytes] = []
        forgotten = False
        sizes: dict[int, int] = {}
        with self.path.open("rb") as file:
            for text in file:
                try:
                    entry = json.loads(text)
                    name = entry["path"]
                except (ValueError, KeyError, TypeError):
                    entry = None
                if entry is None or not text.endswith(b"\n"):
                    forgotten = True  # torn by an interruption, and the last one
                    break
                if "shard" in entry:
                    number, end = entry["shard"], entry["offset"] + entry["length"]
                    path = self.out / shard_name(number)
                    if number not in sizes:
                        sizes[number] = path.stat().st_size if path.exists() else 0
                    if end > sizes[number] or "midi" not in entry:
                        forgotten = True  # its bytes never reached the disk, or are gone
                        self.entries.pop(name, None)
                        continue
                    self.shard, self.offset = max((self.shard, self.offset), (number, end))
                kept.append(text)
                self.entries[name] = entry
        if forgotten:
            write_bytes(self.path, b"".join(kept))

    def __enter__(self) -> _Journal:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._bytes, self._log):
            if file is not None:
                file.close()

    def add(self, entry: dict[str, Any], data: bytes = b"") -> None:
        if self._log is None:
            self._log = self.path.open("ab")
        if data:
            if self.offset and self.offset + len(data) > SHARD_BYTES:
                self.shard, self.offset = self.shard + 1, 0
                if self._bytes is not None:
                    self._bytes.close()
                self._bytes = None
            if self._bytes is None:
                path = self.out / shard_name(self.shard)
                path.touch()
                self._bytes = path.open("r+b")
                self._bytes.truncate(self.offset)
                self._bytes.seek(self.offset)
            self._bytes.write(data)
            self._bytes.flush()
            entry |= {"shard": self.shard, "offset": self.offset, "length": len(data)}
            self.offset += len(data)
        self._log.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        self._log.flush()
        self.entries[entry["path"]] = entry


def _finish(
    out: Path,
    made_with: dict[str, Any],
    entries: list[dict[str, Any]],
    before: dict[str, Split],
    options: PrepareOptions,
) -> None:
    """Leave out duplicates, group, split, and write the index; nothing is touched if it would be the same."""
    rejected = [{"path": e["path"], "reason": e["reason"]} for e in entries if "reason" in e]
    first: dict[str, dict[str, Any]] = {}
    duplicates: dict[str, list[str]] = {}
    for entry in entries:
        if "reason" in entry:
            continue
        kept = first.setdefault(entry["content"], entry)
        if kept is not entry:
            duplicates.setdefault(kept["path"], [kept["path"]]).append(entry["path"])
    kept_entries = list(first.values())
    if not kept_entries:
        why = f"; the first, {rejected[0]['path']}: {rejected[0]['reason']}" if rejected else ""
        raise CorpusError(f"none of the {len(entries)} files below {made_with['source']} can be used{why}", path=out)
    roots = related([np.frombuffer(base64.b64decode(e["passages"]), np.uint64) for e in kept_entries])
    members: dict[int, list[str]] = {}
    for root, entry in zip(roots, kept_entries, strict=True):
        members.setdefault(root, []).append(entry["content"])
    groups = {min(contents): contents for contents in members.values()}
    names = {content: name for name, contents in groups.items() for content in contents}
    sides = assign(groups, before, options.valid, options.test)
    pieces = [_piece(entry, names[entry["content"]], sides[entry["content"]]) for entry in kept_entries]
    index = "".join(line(piece) + "\n" for piece in pieces)
    # Where the bytes lie depends on which worker was first; what they are does not.
    told = "".join(f"{p.path}\n{p.split}\n{e['midi']}\n" for p, e in zip(pieces, kept_entries, strict=True))
    about = {
        **made_with,
        "digest": hashlib.sha256(told.encode()).hexdigest(),
        "files": len(entries),
        "pieces": len(pieces),
        "notes": sum(p.notes for p in pieces),
        "hours": round(sum(p.seconds for p in pieces) / 3600, 3),
        "splits": {side: sum(p.split == side for p in pieces) for side in ("train", "valid", "test")},
        "rejected": rejected,
        "duplicates": sorted(duplicates.values()),
    }
    if (
        _json(out / CORPUS) == json.loads(json.dumps(about))
        and (out / PIECES).is_file()
        and (out / PIECES).read_bytes() == index.encode()
    ):
        return
    (out / CORPUS).unlink(missing_ok=True)  # the two files are of one piece: no reader may meet one of each
    write_text(out / PIECES, index)
    write_json(out / CORPUS, about)


def _piece(entry: dict[str, Any], group: str, side: Split) -> Piece:
    path = entry["path"]
    return Piece(
        path=path,
        style=path.split("/")[0] if "/" in path else "",
        content=entry["content"],
        group=group,
        split=side,
        notes=entry["notes"],
        bars=entry["bars"],
        seconds=entry["seconds"],
        shard=entry["shard"],
        offset=entry["offset"],
        length=entry["length"],
    )
