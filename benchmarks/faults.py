"""Faults of new pieces that anybody hears, beside people's: last chords of a dozen notes, silence in the middle, loops.

Pieces of each style of a model, with an ending, and, with ``--held``, openings of as many bars of held-out pieces by
people (their last chords are those of the whole pieces). For each style and for all:

- notes of the last chord: pitched notes that sound at the very end; the mean, the most, and the share above eight
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
from collections.abc import Iterable, Sequence
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


def last_chord(score: Score) -> int:
    """The pitched notes that sound at the end of the last of them."""
    spans = [(n.time, n.end) for t in score.tracks if not t.is_drum for n in t.notes]
    end = max((end for _, end in spans), default=0)
    return sum(start < end <= stop for start, stop in spans)


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


def row(name: str, scores: Sequence[Score], chords: Sequence[int], words: Iterable[str]) -> dict[str, Any]:
    """The figures of some pieces."""
    found, told = [gaps(score) for score in scores], list(words)
    return {
        "what": name,
        "pieces": len(scores),
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


def of_people(
    model: Model, corpus: Corpus, style: str, bars: int, most: int
) -> tuple[list[Score], list[int], list[str]]:
    """Openings of held-out pieces of a style, the last chords of the whole pieces, and ranking's words on openings."""
    ranker = Ranker(Ranker.of(model).usual, None)
    scores, chords, words = [], [], []
    for number in corpus.drawn(corpus.numbers("test"), len(corpus.numbers("test"))):
        if corpus.pieces[number].style != style or len(scores) == most:
            continue
        whole = corpus.score(number)
        part = opening(whole, bars)
        if not part.note_num():
            continue
        scores.append(part)
        if style != "drums":
            chords.append(last_chord(whole))
        nats = piece_nats(model, part)[0] / part.note_num()
        piece = Piece(part.dumps_midi(), {"notes": part.note_num(), "nats_per_note": nats, "bars": bars})
        words.append(ranker.weigh(piece).words)
    return scores, chords, words


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
    ranker, rows = Ranker.of(model), []
    everything: dict[str, tuple[list[Score], list[int], list[str]]] = {}
    for style in options.styles or model.styles:
        pieces = model.generate(n=options.each, bars=options.bars, seed=options.seed, style=[style], end=True)
        scores = [piece.score for piece in pieces]
        chords = [] if style == "drums" else [last_chord(score) for score in scores]
        made = scores, chords, [ranker.weigh(piece).words for piece in pieces]
        sides = {"": made}
        if options.save:
            options.save.mkdir(parents=True, exist_ok=True)
            for number, piece in enumerate(pieces):
                piece.save(options.save / f"{style}-{options.seed + number}.mid", force=True)
        if options.held:
            sides[" (people)"] = of_people(model, Corpus(options.held), style, options.bars, 3 * options.each)
        for side, found in sides.items():
            rows.append(row(style + side, *found))
            total = everything.setdefault("all" + side, ([], [], []))
            for kept, new in zip(total, found, strict=True):
                kept.extend(new)  # type: ignore[arg-type]
            print(json.dumps(rows[-1]) if options.json else line(rows[-1]), flush=True)
    for name, found in everything.items():
        print(json.dumps(row(name, *found)) if options.json else line(row(name, *found)))


def line(found: dict[str, Any]) -> str:
    """A row in words."""
    return (
        f"{found['what']:22} {found['pieces']:3} pieces: last chord {found['last_chord']} notes (most "
        f"{found['last_chord_most']}, above 8: {found['last_chords_above_8']}); silent a bar {found['silent_a_bar']} "
        f"(longest {found['longest_silence']}), still three {found['still_three_bars']}; bars again "
        f"{found['bars_again']}; predictable {found['predictable']}, strange {found['strange']}"
    )


if __name__ == "__main__":
    main()
