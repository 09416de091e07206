"""Whether keeping the best of several helps where music has to fit what is there: clashes and chords, beat by beat.

Pieces that a model has not learned from are cut to sixteen bars. Bars 5 to 8 are written anew, and eight bars are
written after the first eight, four times each. Averaged are, in the passages around the new notes, the share of beats
with a semitone or major seventh, and of beats without a triad or seventh chord: of the first version, the best of the
first two, the best of four, and of people.

python benchmarks/fills.py --model DIR [--pieces 40] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from symusic import Score

import toccata
from toccata import folder
from toccata.corpus.store import CORPUS, Corpus
from toccata.measure.ranking import Ranked, Ranker
from toccata.measure.traits import mean_traits, surroundings
from toccata.midi.bars import bar_map
from toccata.midi.edit import opening, slice_bars
from toccata.piece import Piece

TRAITS = ("clashing_beats", "chordless_beats")
VERSIONS = 4
Figures = dict[str, list[list[float]]]
"""Of each way to choose, both shares for each piece."""


def songs(corpus: Corpus, count: int) -> Iterator[Score]:
    """The first sixteen bars of held-out pieces."""
    for number in [*corpus.split("test"), *corpus.split("valid")][:count]:
        score = corpus.score(number)
        if len(bar_map(score)) >= 16 and score.note_num() >= 100:
            yield opening(score, 16)


def shares(found: Sequence[Ranked]) -> dict[str, list[float]]:
    """Both shares of the versions that each way chooses."""
    first, two, four = found[0], min(found[:2], key=lambda one: one.total), min(found, key=lambda one: one.total)
    return {
        name: [one.traits.get(trait, np.nan) for trait in TRAITS]
        for name, one in (("the first", first), ("the best of 2", two), ("the best of 4", four))
    }


def measured(model: toccata.Model, corpus: Corpus, count: int) -> dict[str, Figures]:
    """Write all versions, and measure them."""
    ranker, found = Ranker.of(model), {"infill": Figures(), "continuation": Figures()}

    def add(kind: str, pieces: Sequence[Piece], song: Score, new: Score) -> None:
        people = mean_traits(song, bars := bar_map(song), surroundings(song, bars, new))
        rows = shares([*map(ranker.weigh, pieces)]) | {"people": [people.get(trait, np.nan) for trait in TRAITS]}
        for name, row in rows.items():
            found[kind].setdefault(name, []).append(row)

    for song in songs(corpus, count):
        first, rest = slice_bars(song, 0, 8), slice_bars(song, 8, 16)
        hole = slice_bars(song, 4, 8).copy()
        hole.shift_time(int(bar_map(song).starts[4]), inplace=True)
        add("infill", model.infill(song, [(5, 8)], n=VERSIONS, seed=5), song, hole)
        add("continuation", model.generate(first, bars=8, n=VERSIONS, seed=5), rest, rest)
    return found


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a model folder with its training/ folder")
    parser.add_argument("--pieces", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    corpus = Corpus(given.model / folder.TRAINING / CORPUS.removesuffix(".json"))
    found = measured(toccata.load(given.model), corpus, given.pieces)
    means = {
        kind: {name: np.nanmean(rows, axis=0).tolist() for name, rows in figures.items()}
        for kind, figures in found.items()
    }
    if given.json:
        json.dump(means, sys.stdout)
        print()
        return
    for kind, rows in means.items():
        for name, (clashing, chordless) in rows.items():
            print(f"{kind:14}{name:16}{100 * clashing:6.1f} % clash{100 * chordless:6.1f} % no chord")


if __name__ == "__main__":
    main()
