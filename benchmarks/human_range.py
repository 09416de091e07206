"""Does a scoreboard tell people from what is not by people? False alarms, and which damage to real music it finds.

Pieces of a folder are split by chance, ``--splits`` times: one part are the people of the board, ``--pieces`` of the
others a system. As they are, each figure should be within the human range in about 19 of 20 cases. Then the same pieces
are damaged in one way each. For each figure: in how many of the splits it is within the range (in per cent). Pieces are
drawn from the whole folder, of which no two have the same notes; relatives (movements, editions) may stand on both
sides.

    python benchmarks/human_range.py [--data DIR] [--folder bach/mutopia] [--other piano] [--splits 10] [--pieces 32]
        [--people 64] [--bars 32] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from symusic import Score, TimeSignature

from toccata.measure.comparison import distances, means
from toccata.measure.evaluation import read_pieces
from toccata.midi.bars import bar_map
from toccata.midi.clean import CleanOptions
from toccata.midi.edit import opening, slice_bars

Damage = Callable[[Score, np.random.Generator], Score]


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TOCCATA_DATA", "../shared/data")))
    parser.add_argument("--folder", default="bach/mutopia")
    parser.add_argument("--other", default="piano", help="music of another kind")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--pieces", type=int, default=32)
    parser.add_argument("--people", type=int, default=64)
    parser.add_argument("--bars", type=int, default=32)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    scores = pieces_of(options.data / options.folder, options.bars)
    others = pieces_of(options.data / options.other, options.bars)
    needed = options.people + options.pieces
    if len(scores) < needed or len(others) < options.pieces:
        parser.error(
            f"there are {len(scores)} pieces and {len(others)} others: {needed} and {options.pieces} are needed"
        )
    counts: dict[str, dict[str, list[bool]]] = {}
    for _ in range(options.splits):
        order = rng.permutation(len(scores)).tolist()
        people = [scores[number] for number in order[: options.people]]
        system = [scores[number] for number in order[options.people : needed]]
        systems = {name: [damage(score, rng) for score in system] for name, damage in DAMAGES.items()}
        systems["another kind"] = [others[n] for n in rng.permutation(len(others))[: options.pieces].tolist()]
        for found in (distances(people, list(systems.values())), means(people, list(systems.values()))):
            for figure, beside in found.items():
                for name, inside in zip(systems, beside.within, strict=True):
                    if inside is not None:
                        counts.setdefault(figure, {}).setdefault(name, []).append(inside)
    shares = {
        figure: {name: round(100 * float(np.mean(inside))) for name, inside in row.items()}
        for figure, row in counts.items()
    }
    if options.json:
        print(json.dumps(shares))
        return
    names = [*DAMAGES, "another kind"]
    print(f"{'':24}" + "".join(f"{name:>16}" for name in names))
    for figure, row in shares.items():
        print(f"{figure:24}" + "".join(f"{row[name]:16}" if name in row else f"{'':16}" for name in names))
    mean = [np.mean([row[name] for row in shares.values() if name in row]) for name in names]
    print(f"{'mean':24}" + "".join(f"{value:16.0f}" for value in mean))


def pieces_of(folder: Path, bars: int) -> list[Score]:
    """The openings of all pieces of a folder, each once."""
    read = read_pieces(folder, CleanOptions())
    return [opening(Score.from_midi(midi), bars) for _, midi in read.pieces]


def untouched(score: Score, rng: np.random.Generator) -> Score:
    """The piece as it is."""
    return score


def wrong_notes(score: Score, rng: np.random.Generator) -> Score:
    """Every fifth note a semitone or two off."""
    out = score.copy()
    for track in out.tracks:
        for note in track.notes:
            if rng.random() < 0.2:
                note.pitch = int(np.clip(note.pitch + rng.choice((-2, -1, 1, 2)), 0, 127))
    return out


def shuffled_bars(score: Score, rng: np.random.Generator) -> Score:
    """The bars in another order, each with its own meter and length."""
    lines = bar_map(score)
    out, at = score.copy(), 0
    out.time_signatures.clear()
    for track in out.tracks:
        track.notes.clear()
    for number in rng.permutation(len(lines)).tolist():
        part = slice_bars(score, number, number + 1, lines)
        for track, here in zip(out.tracks, part.tracks, strict=True):
            track.notes.extend(here.shift_time(at).notes)
        out.time_signatures.append(TimeSignature(at, *lines.meters[number]))
        at += int(lines.starts[number + 1] - lines.starts[number])
    return out


def early_and_late(score: Score, rng: np.random.Generator) -> Score:
    """Every fifth note a sixteenth early or late."""
    out = score.copy()
    for track in out.tracks:
        for note in track.notes:
            if rng.random() < 0.2:
                note.time = max(0, note.time + int(rng.choice((-1, 1))) * score.ticks_per_quarter // 4)
    return out


def thinned(score: Score, rng: np.random.Generator) -> Score:
    """Every fourth note left out."""
    out = score.copy()
    for track in out.tracks:
        track.notes = type(track.notes)([note for note in track.notes if rng.random() >= 0.25])
    return out


DAMAGES: dict[str, Damage] = {
    "as they are": untouched,
    "wrong notes": wrong_notes,
    "bars shuffled": shuffled_bars,
    "early and late": early_and_late,
    "notes left out": thinned,
}


if __name__ == "__main__":
    main()
