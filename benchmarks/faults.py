"""Faults of new pieces that anybody hears, beside people's: last chords of a dozen notes, silence in the middle, loops.

Pieces of each style of a model, with an ending, and, with ``--held``, openings of as many bars of held-out pieces by
people (their last chords are those of the whole pieces). For each style and for all:

- late: pieces whose first note begins a bar or more after their beginning
- loops: pieces in which 16 quarters or more are repeated, note for note, 16 quarters later at most
- notes of the last chord: pitched notes that sound at the very end; the mean, the most, and the share above eight
- ends: of tracks with eight notes before the last bar, those that leave their range in it by more than two semitones,
  and those that sound more notes at once in it than before
- silence: the longest time, in bars, between two notes in which nothing sounds, and pieces with a bar or more
- stillness: pieces with three bars or more in which nothing begins
- bars again: the share of bars that hold the same notes as one of the four before
- in words: how often ranking calls the piece more predictable, or stranger, than usual

    python benchmarks/faults.py [--model DIR] [--held CORPUS] [--each 3] [--bars 16] [--styles bach drums ...]
        [--seed 0] [--threads 1] [--save DIR] [--json]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from symusic import Score

import toccata
from toccata.corpus.store import Corpus
from toccata.look import BUNDLED
from toccata.measure.likelihood import piece_nats
from toccata.measure.ranking import Ranker
from toccata.midi.bars import bar_map
from toccata.midi.edit import opening
from toccata.musicmodel import Model
from toccata.piece import Piece

MANY, A_BAR, STILL, NEAR = 8, 1.0, 3.0, 4
LONG, LAG, BINS = 16, 16, 12
"""Quarters of repetition that are a loop; quarters between a note and its repeat at most; bins a quarter."""
LEAST, BEYOND = 8, 2
"""Notes that a track has before the last bar; semitones that are no leap out of its range."""


def last_chord(score: Score) -> int:
    """The pitched notes that sound at the end of the last of them."""
    spans = [(n.time, n.end) for t in score.tracks if not t.is_drum for n in t.notes]
    end = max((end for _, end in spans), default=0)
    return sum(start < end <= stop for start, stop in spans)


def late(score: Score) -> bool:
    """Whether nothing begins in the first bar."""
    lines = bar_map(score).starts
    return len(lines) > 1 and min((n.time for t in score.tracks for n in t.notes), default=0) >= int(lines[1])


def repeated(score: Score) -> float:
    """The longest time, in quarters, in which all that begins had begun just so before, by one lag of up to ``LAG``."""
    begun: dict[int, set[tuple[int, int]]] = {}
    for track in score.tracks:
        for note in () if track.is_drum else track.notes:
            place = round(note.time * BINS / score.ticks_per_quarter)
            begun.setdefault(place, set()).add((track.program, note.pitch))
    onsets, longest = sorted(begun), 0
    for lag in range(BINS // 2, LAG * BINS + 1, BINS // 2):
        first: int | None = None
        for place in onsets:
            if not begun[place] <= begun.get(place - lag, set()):
                longest, first = max(longest, place - first if first is not None else 0), None
            elif first is None:
                first = place
        longest = max(longest, onsets[-1] - first if first is not None else 0)
    return longest / BINS


def ends(score: Score) -> list[tuple[int, int]]:
    """Of each track that the last bar can be compared with: semitones beyond its range there, more notes at once."""
    bars, found = bar_map(score), []
    line = int(bars.starts[bars.at(max((n.time for t in score.tracks if not t.is_drum for n in t.notes), default=0))])
    for track in score.tracks:
        notes = [] if track.is_drum else [(n.time, n.end, n.pitch) for n in track.notes]
        before, last = [n for n in notes if n[0] < line], [n for n in notes if n[0] >= line]
        if len(before) < LEAST or not last:
            continue
        low, high = min(n[2] for n in before), max(n[2] for n in before)
        beyond = max(max(low - n[2], n[2] - high, 0) for n in last)
        found.append((beyond, at_once(last) - at_once(before)))
    return found


def at_once(notes: Sequence[tuple[int, int, int]]) -> int:
    """The most of some notes that sound at once."""
    return max(sum(start <= note[0] < end for start, end, _ in notes) for note in notes)


def gaps(score: Score) -> tuple[float, float]:
    """The longest silence, and the longest time without a new note, in bars, before the last note begins."""
    spans = sorted((n.time, max(n.end, n.time + 1)) for t in score.tracks for n in t.notes)
    if len(spans) < 2:
        return 0.0, 0.0
    bars = bar_map(score)
    a_bar = float(np.median(np.diff(bars.starts))) if len(bars.starts) > 1 else float(score.ticks_per_quarter * 4)
    silent = still = 0
    sounding, onset = spans[0][1], spans[0][0]
    for start, end in spans[1:]:
        silent, still = max(silent, start - sounding), max(still, start - onset)
        sounding, onset = max(sounding, end), start
    return silent / a_bar, still / a_bar


def again(score: Score) -> float:
    """The share of bars with notes that are the same as one of the four before."""
    starts = bar_map(score).starts
    notes = [(n.time, n.pitch, t.is_drum, t.program) for t in score.tracks for n in t.notes]
    bars: list[frozenset[tuple[int, ...]]] = []
    for first, end in pairwise(starts.tolist()):
        bars.append(frozenset((t - first, *rest) for t, *rest in notes if first <= t < end))
    full = [i for i, bar in enumerate(bars) if bar]
    return fmean(bars[i] in bars[max(0, i - NEAR) : i] for i in full) if full else 0.0


@dataclass(frozen=True)
class Side:
    """Some pieces.

    Attributes:
        scores: Their music, as many bars of each.
        wholes: The music whose endings are compared; of drums none.
        words: What ranking says of each.
    """

    scores: list[Score]
    wholes: list[Score]
    words: list[str]

    def add(self, score: Score, whole: Score, words: str, style: str) -> None:
        """A piece of a style."""
        self.scores.append(score)
        self.wholes.extend([] if style == "drums" else [whole])
        self.words.append(words)

    def __add__(self, other: Side) -> Side:
        return Side(self.scores + other.scores, self.wholes + other.wholes, self.words + other.words)


def row(name: str, side: Side) -> dict[str, Any]:
    """The figures of some pieces."""
    scores, chords, told = side.scores, [last_chord(score) for score in side.wholes], side.words
    found, tracks = [gaps(score) for score in scores], [end for score in side.wholes for end in ends(score)]
    return {
        "what": name,
        "pieces": len(scores),
        "late": sum(late(score) for score in scores),
        "loops": sum(repeated(score) >= LONG for score in scores),
        "end_tracks": len(tracks),
        "end_outside": sum(beyond > BEYOND for beyond, _ in tracks),
        "end_fuller": sum(more > 0 for _, more in tracks),
        "last_chord": round(fmean(chords), 2) if chords else None,
        "last_chord_most": max(chords, default=None),
        "last_chords_above_8": sum(n > MANY for n in chords),
        "longest_silence": round(max((s for s, _ in found), default=0.0), 2),
        "silent_a_bar": sum(s >= A_BAR for s, _ in found),
        "still_three_bars": sum(s >= STILL for _, s in found),
        "bars_again": round(fmean(again(score) for score in scores), 3) if scores else None,
        "predictable": sum("more predictable" in word for word in told),
        "strange": sum("stranger" in word for word in told),
    }


def of_people(model: Model, corpus: Corpus, style: str, bars: int, most: int) -> Side:
    """Openings of held-out pieces of a style, the whole pieces, and ranking's words on the openings."""
    ranker, side = Ranker(Ranker.of(model).usual, None), Side([], [], [])
    for number in corpus.drawn(corpus.numbers("test"), len(corpus.numbers("test"))):
        if corpus.pieces[number].style != style or len(side.scores) == most:
            continue
        whole = corpus.score(number)
        part = opening(whole, bars)
        if not part.note_num():
            continue
        nats = piece_nats(model, part)[0] / part.note_num()
        piece = Piece(part.dumps_midi(), {"notes": part.note_num(), "nats_per_note": nats, "bars": bars})
        side.add(part, whole, ranker.weigh(piece).words, style)
    return side


def main() -> None:
    """Write, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=BUNDLED / "base")
    parser.add_argument("--held", type=Path, help="a prepared corpus; its test pieces are measured, too")
    parser.add_argument("--each", type=int, default=3, help="pieces of each style")
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--styles", nargs="+")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save", type=Path, help="a folder for the pieces")
    parser.add_argument("--json", action="store_true", help="one JSON object for each line")
    options = parser.parse_args()
    model = toccata.load(options.model, threads=options.threads)
    ranker = Ranker.of(model)
    everything: dict[str, Side] = {}
    for style in options.styles or model.styles:
        pieces = model.generate(n=options.each, bars=options.bars, seed=options.seed, style=[style], end=True)
        sides = {"": Side([], [], [])}
        for piece in pieces:
            sides[""].add(piece.score, piece.score, ranker.weigh(piece).words, style)
        if options.save:
            options.save.mkdir(parents=True, exist_ok=True)
            for number, piece in enumerate(pieces):
                piece.save(options.save / f"{style}-{options.seed + number}.mid", force=True)
        if options.held:
            sides[" (people)"] = of_people(model, Corpus(options.held), style, options.bars, 3 * options.each)
        for name, side in sides.items():
            everything["all" + name] = everything.get("all" + name, Side([], [], [])) + side
            show(row(style + name, side), options.json)
    for name, side in everything.items():
        show(row(name, side), options.json)


def show(found: dict[str, Any], as_json: bool) -> None:
    """Print a row."""
    print(json.dumps(found) if as_json else line(found), flush=True)


def line(found: dict[str, Any]) -> str:
    """A row in words."""
    return (
        f"{found['what']:22} {found['pieces']:3} pieces: late {found['late']}, loops {found['loops']}; ends of "
        f"{found['end_tracks']} tracks: outside {found['end_outside']}, fuller {found['end_fuller']}; "
        f"last chord {found['last_chord']} notes (most {found['last_chord_most']}, above 8: "
        f"{found['last_chords_above_8']}); silent a bar {found['silent_a_bar']} "
        f"(longest {found['longest_silence']}), still three {found['still_three_bars']}; bars again "
        f"{found['bars_again']}; predictable {found['predictable']}, strange {found['strange']}"
    )


if __name__ == "__main__":
    main()
