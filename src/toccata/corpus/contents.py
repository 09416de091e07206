"""The pieces of a folder or a corpus with their fingerprints: to tell what a model has seen from what it has not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from toccata.corpus.columns import as_text
from toccata.corpus.store import CORPUS, Corpus
from toccata.errors import MidiError
from toccata.midi.clean import CleanOptions, read_clean
from toccata.midi.facts import Fingerprint, fingerprint
from toccata.midi.pool import map_files
from toccata.midi.read import find_midi


def contents_of(
    source: Path, options: CleanOptions, progress: Callable[[int, int], None] | None = None
) -> Iterator[tuple[str, tuple[Fingerprint, bytes] | MidiError]]:
    """Each piece's path below ``source`` with its fingerprint and its bytes, or with the reason why it cannot be used.

    Args:
        source: A folder of MIDI files, or a prepared corpus.
        options: How the files of a folder are cleaned; the pieces of a corpus are clean already.
        progress: Called with (files done, files in all).

    Raises:
        CorpusError: There is no such folder, or no MIDI file in it.
    """
    if (source / CORPUS).is_file():
        corpus = Corpus(source)
        for number in range(len(corpus.pieces)):
            yield corpus.pieces.path(number), (marked(corpus, number), corpus.midi(number))
        return
    paths = find_midi(source)
    read = partial(_read, options=options)
    found = []
    for item in map_files(paths, read):
        found.append(item)
        if progress is not None:
            progress(len(found), len(paths))
    for path, result in sorted(found, key=lambda item: item[0]):
        if isinstance(result, MidiError):
            result = MidiError(str(result).removeprefix(f"{path}: "), path=path)
        yield path.relative_to(source).as_posix(), result


def marked(corpus: Corpus, number: int) -> Fingerprint:
    """The fingerprint of a piece of a corpus, with the hashes that the corpus knows it by."""
    content, steps = (as_text(int(corpus.column(name)[number])) for name in ("content", "steps"))
    return replace(fingerprint(corpus.score(number)), content=content, steps=steps)


def _read(path: Path, options: CleanOptions) -> tuple[Fingerprint, bytes]:
    """A piece's fingerprint and its cleaned bytes; runs in a worker process."""
    score = read_clean(path, options)
    return fingerprint(score), score.dumps_midi()
