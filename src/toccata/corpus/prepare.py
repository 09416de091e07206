"""From folders of MIDI to a corpus: read, clean, know again, split, store.

Interrupted, it goes on; unchanged, it does nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.corpus.groups import FEW, assign, related, thinned
from toccata.corpus.journal import Journal, forget
from toccata.corpus.store import (
    CORPUS,
    FORMAT,
    FORMATS,
    PIECES,
    SPLITS,
    Corpus,
    Piece,
    Split,
    corpus_digest,
    line,
    piece_digest,
    read_lines,
)
from toccata.errors import CorpusError, MidiError, RecipeError, shown
from toccata.files import read_json, write_json, write_text
from toccata.folder_lock import LOCK, locked
from toccata.midi.clean import CleanOptions, read_clean
from toccata.midi.facts import facts, fingerprint
from toccata.midi.pool import map_files
from toccata.midi.read import find_midi

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
        ToccataError: Another process is writing to ``out``.
    """
    options = options or PrepareOptions()
    files = find_midi(source)
    with locked(out):
        out.mkdir(parents=True, exist_ok=True)
        made_with = {"format": FORMAT, "source": named or str(source.resolve()), "options": asdict(options)}
        before = _begin(out, made_with)
        journal = Journal(out)
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
        present = sorted({name for name, _ in stamps.values()})
        journal.compact(present)
        _finish(out, made_with, [journal.entries[name] for name in present], before, options)
        journal.remove_unused()
    return Corpus(out)


def _begin(out: Path, made_with: dict[str, Any]) -> list[dict[str, Any]]:
    """See what is in ``out`` already.

    Returns:
        The lines of the index of the corpus that was there, none if there was none. That one may be of an earlier
        format: it is brought up to date, and its pieces stay on their sides.
    """
    marker = out / "source.json"
    if marker.exists():
        before = _json(marker)
        if before != json.loads(json.dumps(made_with)):
            if _is_unfinished(out, before):
                forget(out)
            elif not _is_earlier(before, made_with):
                raise CorpusError(
                    f"{out} holds a corpus of another folder or of other cleaning options: choose another folder",
                    path=out,
                )
            write_json(marker, made_with)
    elif any(not path.name.startswith((f".{marker.stem}-", LOCK)) for path in out.iterdir()):  # but for what is ours
        raise CorpusError(f"{out} is not empty and holds no corpus: choose another folder", path=out)
    else:
        write_json(marker, made_with)
    # By the index, not by corpus.json: an interruption between writing the two must not make a piece change sides.
    try:
        known = read_lines((out / PIECES).read_text(encoding="utf-8"))
        if all(isinstance(piece["content"], str) and piece["split"] in SPLITS for piece in known):
            return known
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError):
        pass
    raise CorpusError(f"{out / PIECES} is damaged: delete {out} and prepare it again", path=out)


def _is_earlier(marker: Any, made_with: dict[str, Any]) -> bool:
    """Whether ``out`` holds the same corpus in an earlier format."""
    if not isinstance(marker, dict) or marker.get("format") not in FORMATS:
        return False
    return bool({**marker, "format": FORMAT} == json.loads(json.dumps(made_with)))


def _sides_before(known: Sequence[dict[str, Any]], entries: Sequence[dict[str, Any]]) -> dict[str, Split]:
    """The sides of the pieces in ``entries`` that an index has put on one, by content."""
    # Format 2 had no steps: its content was what they are now.
    by_steps = {piece["content"]: piece["split"] for piece in known if "steps" not in piece}
    by_content = {piece["content"]: piece["split"] for piece in known if "steps" in piece}
    sides = {e["content"]: by_content.get(e["content"], by_steps.get(e["steps"])) for e in entries}
    return {content: side for content, side in sides.items() if side is not None}


def _is_unfinished(out: Path, marker: Any) -> bool:
    """Whether ``out`` holds what a :func:`prepare` that never came to its end has left, and no more."""
    ours = isinstance(marker, dict) and set(marker) == {"format", "source", "options"}
    return ours and not (out / CORPUS).exists() and not (out / PIECES).exists()


def _json(path: Path) -> Any:
    """The content of a JSON file; None if it is none."""
    try:
        return read_json(path, limit=256 << 20)
    except (OSError, ValueError):
        return None


def _read_all(
    todo: list[Path], options: PrepareOptions, processes: int | None
) -> Iterator[tuple[Path, tuple[dict[str, Any], bytes] | MidiError]]:
    yield from map_files(todo, partial(_read, options=options.clean), processes=processes)


def _read(path: Path, options: CleanOptions) -> tuple[dict[str, Any], bytes]:
    """Everything the index needs to know of a file, and its cleaned bytes; runs in a worker process."""
    score = read_clean(path, options)
    known, mark = facts(score), fingerprint(score)
    midi = score.dumps_midi()
    kept = thinned(mark.passages) if len(mark.passages) > FEW else mark.passages
    entry = {
        "content": mark.content,
        "steps": mark.steps,
        "midi": piece_digest(midi),
        "passages": _as_text(kept),
        "sketch": _as_text(mark.sketch),
        "notes": known.notes,
        "bars": known.bars,
        "seconds": known.seconds,
    }
    return entry, midi


def _as_text(hashes: NDArray[np.uint64]) -> str:
    return base64.b64encode(hashes.astype("<u8").tobytes()).decode()


def _from_text(text: str) -> NDArray[np.uint64]:
    return np.frombuffer(base64.b64decode(text), "<u8").astype(np.uint64)


def _stamp(source: Path, path: Path) -> tuple[str, list[int]]:
    """A file's name in the index, and what tells whether it changed."""
    try:
        about = path.stat()
    except OSError:  # a link that leads nowhere: reading it says so
        about = path.lstat()
    return _readable(path.relative_to(source).as_posix()), [about.st_size, about.st_mtime_ns]


def _readable(text: str) -> str:
    """``text`` as UTF-8 can say it: a file's name may hold bytes that are none."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _finish(
    out: Path,
    made_with: dict[str, Any],
    entries: list[dict[str, Any]],
    known: Sequence[dict[str, Any]],
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
    roots = related(
        [_from_text(e["passages"]) for e in kept_entries],
        [_from_text(e["sketch"]) for e in kept_entries],
        [e["steps"] for e in kept_entries],
    )
    members: dict[int, list[str]] = {}
    for root, entry in zip(roots, kept_entries, strict=True):
        members.setdefault(root, []).append(entry["content"])
    groups = {min(contents): contents for contents in members.values()}
    names = {content: name for name, contents in groups.items() for content in contents}
    sides = assign(groups, _sides_before(known, kept_entries), options.valid, options.test)
    pieces = [_piece(entry, names[entry["content"]], sides[entry["content"]]) for entry in kept_entries]
    index = "".join(line(piece) + "\n" for piece in pieces)
    about = {
        **made_with,
        "digest": corpus_digest(pieces),
        "files": len(entries),
        "pieces": len(pieces),
        "notes": sum(p.notes for p in pieces),
        "hours": round(sum(p.seconds for p in pieces) / 3600, 3),
        "splits": {side: sum(p.split == side for p in pieces) for side in SPLITS},
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
        steps=entry["steps"],
        midi=entry["midi"],
        group=group,
        split=side,
        notes=entry["notes"],
        bars=entry["bars"],
        seconds=entry["seconds"],
        shard=entry["shard"],
        offset=entry["offset"],
        length=entry["length"],
    )
