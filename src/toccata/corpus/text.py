"""A corpus as text that a person can read: a bar a line, a note a character, and what each character means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from toccata.corpus.store import SPLITS, Corpus
from toccata.files import written_aside
from toccata.folder_lock import locked
from toccata.midi.bars import bar_map
from toccata.tokenizers.layouts import Layout
from toccata.tokenizers.text import TextOptions, TextTokenizer
from toccata.tokenizers.vocabulary import Kind

TEXT = "text"
LEGEND = "legend.tsv"
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def write_text_corpus(
    corpus: Corpus, options: TextOptions | None = None, progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """Write every piece of ``corpus`` as text, one file a split, and ``legend.tsv``, into its ``text/`` folder.

    A line with ``#`` begins a piece and names its file; then each bar is a line: its number, a tab, its characters.

    Returns:
        The files.

    Raises:
        ToccataError: Another process is writing to the corpus.
    """
    with locked(corpus.folder):
        return _write(corpus, options, progress)


def _write(corpus: Corpus, options: TextOptions | None, progress: Callable[[int, int], None] | None) -> list[Path]:
    tokenizer = TextTokenizer(options or TextOptions())
    folder = corpus.folder / TEXT
    used: set[str] = set()
    files, done = [], 0
    for split in SPLITS:
        path = folder / f"{split}.txt"
        with written_aside(path) as aside, aside.open("w", encoding="utf-8", errors="backslashreplace") as file:
            for number in corpus.numbers(split).tolist():
                file.writelines(_piece(corpus, number, tokenizer, used))
                done += 1
                if progress is not None:
                    progress(done, len(corpus.pieces))
        files.append(path)
    legend = folder / LEGEND
    with written_aside(legend) as aside:
        lines = "".join(f"{character}\t{meaning(tokenizer.layout, character)}\n" for character in sorted(used))
        aside.write_text(lines, encoding="utf-8")
    return [*files, legend]


def _piece(corpus: Corpus, number: int, tokenizer: TextTokenizer, used: set[str]) -> Iterator[str]:
    score = corpus.score(number)
    bars = tokenizer.text(score)
    used.update("".join(bars))
    name = " ".join(corpus.pieces.path(number).split("\n"))
    meter = "/".join(map(str, bar_map(score).meters[0]))
    yield f"# {name} ({meter}, {len(bars)} bars)\n"
    for bar, text in enumerate(bars, 1):
        yield f"{bar}\t{text}\n"
    yield "\n"


def meaning(layout: Layout, character: str) -> str:
    """Return the meaning of a character in words: ``"C4, 1/2, velocity 80"``; lengths in quarters."""
    scheme = layout.scheme
    parts = []
    for base in layout.parts(character):
        kind, value = scheme.kinds[base], scheme.values[base]
        word = scheme.vocabulary.words[base].split("_", 1)[1]
        if kind == Kind.PITCH:
            parts.append(f"{_NAMES[value % 12]}{value // 12 - 1}")
        elif kind in (Kind.DURATION, Kind.TIME_SHIFT):
            length = Fraction(int(word), scheme.timing.ticks_per_quarter)
            parts.append(f"{'wait ' if kind == Kind.TIME_SHIFT else ''}{length}")
        elif kind == Kind.VELOCITY:
            parts.append(f"velocity {value}")
        else:
            parts.append(f"{'tempo' if kind == Kind.TEMPO else 'meter'} {word}")
    return ", ".join(parts)
