"""From folders of MIDI to a corpus: read, clean, know again, split, store.

Interrupted, it goes on; unchanged, it does nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from toccata.corpus.before import Prepared, Sides, write_prepared
from toccata.corpus.buckets import remove_left
from toccata.corpus.finish import finish
from toccata.corpus.groups import FEW, thinned
from toccata.corpus.journal import Journal, forget
from toccata.corpus.records import Read
from toccata.corpus.scan import Files, readable, scan
from toccata.corpus.store import CORPUS, FORMAT, FORMATS, INDEX, PIECES, Corpus
from toccata.errors import CorpusError, MidiError, MidiUnavailableError, RecipeError, shown
from toccata.files import read_json, write_json
from toccata.folder_lock import LOCK, locked
from toccata.midi.clean import CleanOptions, read_clean
from toccata.midi.facts import facts, fingerprint
from toccata.midi.pool import map_files

EARLIER_JOURNAL = "journal.jsonl"
"""The journal of formats 2 and 3: their files are read again."""
_SHORT = 4096  # files

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PrepareOptions:
    """The options for preparing a corpus; with other options it is another corpus.

    Attributes:
        clean: What to keep of each piece, and which pieces.
        valid: Share of the pieces to validate on while training.
        test: Share of the pieces never looked at while training.
        folders: The split is given by the folders ``train``, ``valid`` and ``test``, and shares do not count.
    """

    clean: CleanOptions = field(default_factory=CleanOptions)
    valid: float = 0.08
    test: float = 0.08
    folders: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.folders, bool):
            raise RecipeError(f"prepare.folders must be true or false, not {shown(self.folders)}")
        for name in ("valid", "test"):
            share = getattr(self, name)
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                raise RecipeError(f"prepare.{name} must be a share between 0 and 1, not {shown(share)}")
        if self.valid + self.test >= 1:
            raise RecipeError(
                f"the shares for validation ({self.valid:g}) and for testing ({self.test:g}) leave nothing to train "
                "on: together they must be below 1"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the options as they are noted: a corpus from before there was a given split has no word of it."""
        noted = asdict(self)
        return noted if self.folders else {name: value for name, value in noted.items() if name != "folders"}


def options_of_corpus(corpus: Corpus) -> PrepareOptions:
    """Return the options that a finished corpus was made with.

    Raises:
        CorpusError: The corpus does not record them.
    """
    try:
        options = corpus.about["options"]
        programs = options["clean"].get("programs")
        cleaned = CleanOptions(**{**options["clean"], "programs": None if programs is None else tuple(programs)})
        return PrepareOptions(cleaned, options["valid"], options["test"], options.get("folders", False))
    except (KeyError, TypeError, AttributeError, RecipeError):
        path = corpus.folder / CORPUS
        raise CorpusError(f"{path} does not say how it was cleaned: prepare the corpus again", path=path) from None


def prepare(
    source: Path,
    out: Path,
    options: PrepareOptions | None = None,
    *,
    named: str | None = None,
    without: Path | None = None,
    again: bool = True,
    progress: Progress | None = None,
    processes: int | None = None,
) -> Corpus:
    """Make a corpus of the MIDI files below ``source`` in the folder ``out``, or bring it up to date.

    Args:
        source: A folder of MIDI files, however deep.
        out: Where the corpus goes; a corpus of the same source and options there is continued.
        options: Cleaning and split.
        named: What the corpus says it was made of; by default the absolute path of ``source``.
        without: A folder below ``source`` that is not read.
        again: Whether unchanged files that could not be read for a reason that may have passed are tried again.
        progress: Called with (files done, files in all).
        processes: Worker processes; by default one a processor.

    Raises:
        CorpusError: No MIDI below ``source``, no piece left after cleaning, or ``out`` holds something else.
        ToccataError: Another process is writing to ``out``.
    """
    options = options or PrepareOptions()
    files = scan(source, without)
    with locked(out):
        out.mkdir(parents=True, exist_ok=True)
        made_with = begin(out, named or str(source.resolve()), options)
        remove_left(out)
        before = Prepared.read(out)
        if before.is_all and before.files == files.digest and not (again and before.unavailable):
            return Corpus(out)
        Sides.read(out)  # a damaged index is refused before hours are spent
        journal = Journal(out, before.whole)
        _read_new(journal, files, options, again, progress, processes)
        rows = journal.rows(files.names, files.sizes, files.mtimes)
        unavailable = int(journal.unavailable(rows).sum())
        _, first = np.unique(rows, return_index=True)
        rows = rows[np.sort(first)]
        rows = journal.compact(rows[rows >= 0])  # a file may have gone since it was found
        finish(out, made_with, journal, rows, None if options.folders else (options.valid, options.test))
        journal.remove_unused()
        for name in (PIECES, EARLIER_JOURNAL):  # now that nothing needs them
            (out / name).unlink(missing_ok=True)
        write_prepared(out, files.digest, unavailable)
    return Corpus(out)


def _read_new(
    journal: Journal,
    files: Files,
    options: PrepareOptions,
    again: bool,
    progress: Progress | None,
    processes: int | None,
) -> None:
    """Read files that the journal does not know, or that have changed; ``again``: those that were unavailable, too."""
    rows = journal.rows(files.names, files.sizes, files.mtimes)
    todo = files.names[(rows < 0) | (journal.unavailable(rows) & again)]
    if not len(todo):
        return
    paths: Iterable[Path] = files.paths(todo)
    if len(todo) <= _SHORT:
        paths = list(paths)  # of a short list it is known how to share it out
    read = partial(_read, options=options.clean)
    with journal:
        for done, (path, found) in enumerate(map_files(paths, read, processes=processes)):
            name, stamp = files.stamp(path)
            if isinstance(found, MidiError):
                reason = readable(found.message.removeprefix(f"{path}: "))
                journal.add(name, stamp, reason, unavailable=isinstance(found, MidiUnavailableError))
            else:
                journal.add(name, stamp, found)
            if progress is not None:
                progress(len(files) - len(todo) + done + 1, len(files))
    journal.refresh()


def begin(out: Path, source: str, options: PrepareOptions) -> dict[str, Any]:
    """See whether what is in the folder ``out`` already can be gone on with, and note what a corpus there is made of.

    That may be a corpus of an earlier format: it is brought up to date, and its pieces stay on their sides.

    Args:
        out: The folder of the corpus.
        source: What it says it is made of.
        options: How it is made.

    Returns:
        Format, source and options, as they are noted.

    Raises:
        CorpusError: It holds something else.
    """
    made_with: dict[str, Any] = {"format": FORMAT, "source": source, "options": options.to_json()}
    marker = out / "source.json"
    if marker.exists():
        before = _json(marker)
        if before != json.loads(json.dumps(made_with)):
            if _is_unfinished(out, before):
                forget(out)
                (out / EARLIER_JOURNAL).unlink(missing_ok=True)
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
    return made_with


def _is_earlier(marker: Any, made_with: dict[str, Any]) -> bool:
    """Whether ``out`` holds the same corpus in an earlier format."""
    if not isinstance(marker, dict) or marker.get("format") not in FORMATS:
        return False
    return bool({**marker, "format": FORMAT} == json.loads(json.dumps(made_with)))


def _is_unfinished(out: Path, marker: Any) -> bool:
    """Whether ``out`` holds what a :func:`prepare` that never came to its end has left, and no more."""
    ours = isinstance(marker, dict) and set(marker) == {"format", "source", "options"}
    return ours and not any((out / name).exists() for name in (CORPUS, INDEX, PIECES))


def _json(path: Path) -> Any:
    """The content of a JSON file; None if it is none."""
    try:
        return read_json(path, limit=256 << 20)
    except (OSError, ValueError):
        return None


def _read(path: Path, options: CleanOptions) -> Read:
    """Everything the index needs to know of a file, and its cleaned bytes; runs in a worker process."""
    score = read_clean(path, options)
    known, mark = facts(score), fingerprint(score)
    return Read(
        content=int(mark.content, 16),
        steps=int(mark.steps, 16),
        notes=known.notes,
        bars=known.bars,
        seconds=known.seconds,
        midi=score.dumps_midi(),
        passages=thinned(mark.passages) if len(mark.passages) > FEW else mark.passages,
        sketch=mark.sketch,
    )
