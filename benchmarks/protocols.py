"""Protocols of the field, on held-out music: attributes bar by bar, descriptions, styles, one track filled.

``attributes``
    After MuseMorphose (Wu and Yang 2021): each bar has one of eight classes of rhythmic intensity (the share of its
    sixteenths with an onset) and of polyphony (the mean number of notes that sound on them). Bars are requested by the
    classes of a held-out piece, by way of the nearest levels of density and polyphony that the model has; reported are
    the bars in exactly that class, within one, and Spearman's correlation of classes asked for and found.
``descriptions``
    After FIGARO (von Rütte et al. 2023): a held-out piece is described (instruments, chords, notes of each bar), the
    description is requested, and the new piece described likewise. F1 of instruments and of chords, mean over bars, and
    the root mean square error of notes a bar, over the standard deviation of people's.
``styles``
    Pieces of each style by a judge that was taught on training pieces, beside how well it knows people's held-out ones.
``fill``
    One track of several masked for eight bars, with at least eight notes in half of them, and filled with each seed;
    eight bars on each side are given. In key, onsets together with those of others, in range, quarters with a semitone
    against others, playable; beside the same of the human part.

    python benchmarks/protocols.py CORPUS [--model DIR] [--only attributes ...] [--pieces 48] [--seeds 0 1 2]
        [--guidance 2] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Score, Track

import toccata
from obedience import features
from toccata.corpus.store import Corpus
from toccata.engine.sampling import Sampling
from toccata.errors import ToccataError
from toccata.look import BUNDLED
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.edit import slice_bars
from toccata.midi.features import Sounding
from toccata.midi.keys import Key, estimate
from toccata.midi.ranges import SINGLE_LINE, playable
from toccata.musicmodel import Model

BARS = 8
INTENSITY = (0.2, 0.25, 0.32, 0.38, 0.44, 0.5, 0.63)
POLYPHONY = (2.63, 3.06, 3.5, 4.0, 4.63, 5.44, 6.44)
QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "dim": (0, 3, 6),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
}
NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
AROUND = 8
BUSY, SPAN, FINGERS = 8, 16, 5

Floats = NDArray[np.float64]
Row = dict[str, Any]


def passages(
    corpus: Corpus, split: str, most: int, wanted: Callable[[Score, BarMap], bool]
) -> Iterator[tuple[Score, int, Score, str]]:
    """Eight bars in the middle of pieces, one passage of each: the piece, the first bar, the passage, and its style.

    Styles take turns.
    """
    queues: dict[str, list[int]] = {}
    for number in corpus.drawn(corpus.numbers(split), len(corpus.numbers(split))):  # type: ignore[arg-type]
        queues.setdefault(corpus.pieces[number].style, []).append(number)
    found = 0
    while found < most and any(queues.values()):
        for style in sorted(queues):
            while queues[style] and found < most:
                score = corpus.score(queues[style].pop())
                bars = bar_map(score)
                if len(bars) < BARS:
                    continue
                first = (len(bars) - BARS) // 2
                part = slice_bars(score, first, first + BARS, bars)
                if part.note_num() >= 2 * BARS and wanted(part, bar_map(part)):
                    yield score, first, part, style
                    found += 1
                    break


def excerpts(
    corpus: Corpus, split: str, most: int, wanted: Callable[[Score, BarMap], bool]
) -> Iterator[tuple[Score, str]]:
    """The same passages alone, and their styles."""
    return ((part, style) for _, _, part, style in passages(corpus, split, most, wanted))


def ticks_of(bars: BarMap) -> list[tuple[int, int]]:
    """The first and the last tick of each bar."""
    return list(pairwise(bars.starts[: BARS + 1].tolist()))


# -- attributes --------------------------------------------------------------------------------------------------------


def attributes_of(score: Score) -> list[tuple[float, float]]:
    """The share of sixteenths with an onset, and the mean of notes sounding on them, of each bar."""
    notes = np.array([(n.time, n.end) for t in score.tracks if not t.is_drum for n in t.notes]).reshape(-1, 2)
    found = []
    for start, end in ticks_of(bar_map(score)):
        step = score.ticks_per_quarter / 4
        places = start + step * np.arange(round((end - start) / step))
        onsets = np.round((notes[(notes[:, 0] >= start) & (notes[:, 0] < end), 0] - start) / step)
        sounding = ((notes[:, 0] <= places[:, None] + step / 4) & (notes[:, 1] > places[:, None] + step / 4)).sum(
            axis=1
        )
        found.append((len(np.unique(onsets)) / len(places), float(sounding.mean())))
    return found


def classes(values: Sequence[tuple[float, float]]) -> NDArray[np.int64]:
    """Both classes of each bar, from 0."""
    return np.array(
        [(np.searchsorted(INTENSITY, a, "right"), np.searchsorted(POLYPHONY, b, "right")) for a, b in values]
    )


def attributes(model: Model, corpus: Corpus, options: argparse.Namespace) -> Iterator[Row]:
    """Classes requested bar by bar, by the levels that bars of people in that class have in the middle."""
    levels = model.tokenizer.grammar().scheme.levels

    def four(part: Score, bars: BarMap) -> bool:
        return set(bars.meters[:BARS]) == {(4, 4)} and not any(t.is_drum for t in part.tracks)

    known: list[list[float]] = []
    for part, _ in excerpts(corpus, "valid", 120, four):
        notes = Sounding.of(part)
        for (start, end), both in zip(ticks_of(bar_map(part)), classes(attributes_of(part)), strict=True):
            bar = notes.between(start, end)
            known.append([*both, bar.density(end - start), bar.polyphony() or 1])
    table = np.array(known)

    def level(name: str, column: int, wanted: NDArray[np.int64]) -> int:
        far = 3 * np.abs(table[:, column] - wanted[column]) + np.abs(table[:, 1 - column] - wanted[1 - column])
        near = np.argsort(far, kind="stable")[:15]
        return int(levels[name].level(float(np.median(table[near, 2 + column]))) or 1)

    asked, got, other = [], [], []
    people = list(excerpts(corpus, "test", options.pieces, four))
    for number, (part, style) in enumerate(people):
        want = classes(attributes_of(part))
        wishes = {
            "density": [level("density", 0, bar) for bar in want],
            "polyphony": [level("polyphony", 1, bar) for bar in want],
        }
        new = written(model, options, number, style=[style], meter=(4, 4), controls=wishes)
        asked.append(want)
        got.append(classes(attributes_of(new))[:BARS])
        other.append(classes(attributes_of(people[number - 1][0])))
    want, have, chance = (np.concatenate(some) for some in (asked, got, other))
    for column, name in enumerate(("rhythmic intensity", "polyphony")):
        a, b, c = want[:, column], have[:, column], chance[:, column]
        yield {
            "protocol": "attributes", "what": name, "pieces": len(people), "bars": len(a),
            "exact": share(a == b), "within_one": share(abs(a - b) <= 1), "correlation": spearman(a, b),
            "chance_exact": share(a == c), "chance_within_one": share(abs(a - c) <= 1),
        }  # fmt: skip


def share(which: Sequence[Any] | NDArray[Any]) -> float:
    """How many are true, of all."""
    return round(float(np.mean(which)), 4)


def spearman(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Spearman's rank correlation, equal values sharing their ranks."""
    ranks = [np.array([(x < y).sum() + ((x == y).sum() - 1) / 2 for y in x], float) for x in (a, b)]
    return round(float(np.corrcoef(*ranks)[0, 1]), 4)


def written(model: Model, options: argparse.Namespace, seed: int, **asked: Any) -> Score:
    """One new piece of eight bars."""
    sampling = Sampling(guidance=options.guidance)
    return model.generate(n=1, bars=BARS, seed=seed, sampling=sampling, **asked)[0].score


# -- descriptions ------------------------------------------------------------------------------------------------------


def chord(notes: Floats, start: float, end: float) -> str | None:
    """The chord of a time: of all triads and sevenths the one whose tones sound longest for what else does."""
    lasting = np.clip(np.minimum(notes[:, 1], end) - np.maximum(notes[:, 0], start), 0, None)
    heard = np.bincount(notes[:, 2].astype(int) % 12, lasting, minlength=12)
    if not heard.any():
        return None
    heard = heard / heard.sum()
    scores = {
        NAMES[root] + quality: sum(heard[(root + step) % 12] for step in steps) - 0.08 * len(steps) + 0.05 * heard[root]
        for root in range(12)
        for quality, steps in QUALITIES.items()
    }
    return max(scores, key=lambda name: scores[name])


def described(score: Score) -> list[tuple[frozenset[int], list[str], int]]:
    """Of each bar who plays, the chords of its halves, and how many notes begin."""
    rows = [(n.time, n.end, n.pitch, -1 if t.is_drum else t.program) for t in score.tracks for n in t.notes]
    notes = np.array(rows, float).reshape(-1, 4)
    found = []
    for start, end in ticks_of(bar_map(score)):
        inside = notes[(notes[:, 0] >= start) & (notes[:, 0] < end)]
        pitched = notes[notes[:, 3] >= 0]
        chords = [chord(pitched, a, b) for a, b in ((start, (start + end) / 2), ((start + end) / 2, end))]
        playing = frozenset(notes[(notes[:, 0] < end) & (notes[:, 1] > start), 3].astype(int).tolist())
        found.append((playing, [name for name in chords if name], len(inside)))
    return found


def f1(asked: frozenset[Any], found: frozenset[Any]) -> float:
    """The harmonic mean of precision and recall of one set."""
    return 2 * len(asked & found) / (len(asked) + len(found)) if asked or found else 1.0


def descriptions(model: Model, corpus: Corpus, options: argparse.Namespace) -> Iterator[Row]:
    """Pieces written after the descriptions of others."""
    levels = model.tokenizer.grammar().scheme.levels

    def steady(part: Score, bars: BarMap) -> bool:
        return len(set(bars.meters[:BARS])) == 1 and any(not t.is_drum for t in part.tracks if len(t.notes))

    pairs, others, refused = [], [], 0
    people = list(excerpts(corpus, "test", options.pieces, steady))
    for number, (part, style) in enumerate(people):
        bars, asked = bar_map(part), described(part)
        notes = Sounding.of(part)
        density = [levels.density.level(notes.between(a, b).density(b - a)) or 1 for a, b in ticks_of(bars)]
        chart = " | ".join(" ".join(dict.fromkeys(chords)) or "N.C." for _, chords, _ in asked)
        programs = sorted(frozenset.union(*(playing for playing, _, _ in asked)))
        try:
            new = written(
                model,
                options,
                number,
                style=[style],
                meter=bars.meters[0],
                chords=chart,
                programs=programs,
                controls={"density": density},
            )
        except ToccataError as error:
            print(error)
            refused += 1
            continue
        pairs.append((asked, described(new)))
        others.append((asked, described(people[number - 1][0])))
    for name, some in (("as described", pairs), ("another piece by people", others)):
        both = [(a, b) for one, other in some for a, b in zip(one, other, strict=False)]
        counts = np.array([(a[2], b[2]) for a, b in both], float)
        yield {
            "protocol": "descriptions", "what": name, "pieces": len(some), "refused": refused, "bars": len(both),
            "instrument_f1": round(fmean(f1(a[0], b[0]) for a, b in both), 4),
            "chord_f1": round(fmean(f1(frozenset(a[1]), frozenset(b[1])) for a, b in both), 4),
            "notes_nrmse": round(float(np.sqrt(((counts[:, 0] - counts[:, 1]) ** 2).mean()) / counts[:, 0].std()), 4),
        }  # fmt: skip


# -- styles ------------------------------------------------------------------------------------------------------------


def looks(score: Score) -> Floats | None:
    """What the judge of styles looks at: intervals, lengths, density, who plays, velocities, meter, tempo, onsets.

    None: there are no notes, or too few.
    """
    notes, bars, counts = Sounding.of(score), bar_map(score), np.zeros(129)
    if not len(notes):
        return None
    for track in score.tracks:
        counts[128 if track.is_drum else track.program] += len(track.notes)
    families = np.append(counts[:128].reshape(16, 8).sum(axis=1), counts[128]) / counts.sum()
    plain = features(score, 0, int(bars.starts[-1])) if counts[128] < counts.sum() else np.zeros(45)
    if plain is None:
        return None
    # Bins lie around sixteenths, levels and note values, not between them: a note a little shorter is the same note.
    places = ((notes.onsets - bars.starts[0]) / score.ticks_per_quarter + 1 / 24) % 1
    tempo, (beats, unit) = score.tempos[0].qpm if len(score.tempos) else 120, bars.meters[0]
    tracks = sum(len(track.notes) > 0 for track in score.tracks)
    return np.concatenate([
        plain, families, counts > 0,
        np.histogram(notes.velocities, np.arange(-8, 137, 16))[0] / len(notes),
        [float(notes.velocities.std()) / 10, np.log(tempo), tracks / 4, beats / 4, np.log2(unit)],
        np.histogram(places, np.linspace(0, 1, 13))[0] / len(notes),
    ])  # fmt: skip


def judge_of(rows: Floats, of: NDArray[np.int64], kinds: int) -> Callable[[Floats], NDArray[np.int64]]:
    """Logistic regression of styles on looks; each style counts alike."""
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 0.05
    known, wanted = with_one((rows - mean) / spread), np.eye(kinds)[of]
    weights, first, second = (np.zeros((known.shape[1], kinds)) for _ in range(3))
    counts = 1 / np.bincount(of, minlength=kinds)[of]
    for step in range(1, 400):  # Adam
        logits = known @ weights
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        slope = known.T @ ((chances - wanted) * (counts / counts.sum())[:, None]) + 0.01 * weights
        first, second = 0.9 * first + 0.1 * slope, 0.99 * second + 0.01 * slope**2
        weights = weights - 0.05 * first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    return lambda some: (with_one((some - mean) / spread) @ weights).argmax(axis=1)


def with_one(rows: Floats) -> Floats:
    """Rows with a column of ones."""
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)


def styles(model: Model, corpus: Corpus, options: argparse.Namespace) -> Iterator[Row]:
    """Each style requested of as many pieces."""

    def looked(split: str, most: int) -> list[tuple[str, Floats]]:
        some = ((style, looks(part)) for part, style in excerpts(corpus, split, most, lambda *_: True))
        return [(style, row) for style, row in some if row is not None]

    learned, people = looked("train", 60 * len(model.styles)), looked("test", 12 * len(model.styles))
    numbers = np.array([model.styles.index(style) for style, _ in learned])
    judge = judge_of(np.array([row for _, row in learned]), numbers, len(model.styles))
    made = []
    each = max(1, options.pieces // len(model.styles))
    for style in model.styles:
        pieces = model.generate(n=each, bars=BARS, seed=0, style=[style], sampling=Sampling(guidance=options.guidance))
        made += [(style, row) for piece in pieces if (row := looks(piece.score)) is not None]
    for name, some in (("as requested", made), ("people", people)):
        judged = judge(np.array([row for _, row in some]))
        right = [model.styles[number] == style for number, (style, _) in zip(judged, some, strict=True)]
        by_style = {
            style: share([ok for ok, (of, _) in zip(right, some, strict=True) if of == style] or [0])
            for style in model.styles
        }
        mean = round(fmean(by_style.values()), 4)
        yield {
            "protocol": "styles", "what": name, "pieces": len(some), "right": share(right), "mean_of_styles": mean,
            "by_style": by_style,
        }  # fmt: skip


# -- one track filled --------------------------------------------------------------------------------------------------


def part_figures(track: Track, others: Floats, key: Key, bars: BarMap, quarter: int) -> dict[str, float] | None:
    """The figures of the part that one track plays; None: it has no note.

    Args:
        track: The track.
        others: Onset, end and pitch of the pitched notes of all other tracks.
        key: The key of the whole piece.
        bars: The bars of the piece.
        quarter: Ticks.
    """
    notes = np.array([(n.time, n.end, n.pitch) for n in track.notes], float).reshape(-1, 3)
    if not len(notes):
        return None
    step = quarter / 4
    places, theirs = np.unique(np.round(notes[:, 0] / step)), np.unique(np.round(others[:, 0] / step))
    low, high = playable(int(track.program))
    beats = np.arange(0, bars.starts[BARS], quarter) + 1
    at = [set(notes[(notes[:, 0] <= b) & (notes[:, 1] > b), 2].astype(int) % 12) for b in beats]
    with_them = [set(others[(others[:, 0] <= b) & (others[:, 1] > b), 2].astype(int) % 12) for b in beats]
    both = [(a, b) for a, b in zip(at, with_them, strict=True) if a and b]
    groups = [notes[(notes[:, 0] <= t + 1) & (notes[:, 1] > t + 1), 2] for t in np.unique(notes[:, 0])]
    single = int(track.program) in SINGLE_LINE
    hands = 1 if single else 2 * FINGERS
    return {
        "in_key": float(np.mean(np.asarray(key.scale())[notes[:, 2].astype(int) % 12])),
        "together": float(np.isin(places, theirs).mean()),
        "in_range": float(((notes[:, 2] >= low) & (notes[:, 2] <= high)).mean()),
        "collisions": fmean(any((x - y) % 12 in (1, 11) for x in a for y in b) for a, b in both) if both else 0.0,
        "playable": fmean(len(g) <= hands and _hands(np.sort(g), single) for g in groups),
    }


def _hands(pitches: Floats, single: bool) -> bool:
    """Whether one hand, or two, of at most so many semitones can hold some pitches, from the lowest up."""
    if single or not len(pitches):
        return len(pitches) <= 1
    splits = range(len(pitches) + 1)
    return any(
        all(
            len(hand) <= FINGERS and (not len(hand) or hand[-1] - hand[0] <= SPAN)
            for hand in (pitches[:i], pitches[i:])
        )
        for i in splits
    )


def fill(model: Model, corpus: Corpus, options: argparse.Namespace) -> Iterator[Row]:
    """One track masked for eight bars and filled, beside what people had there."""

    def chosen(part: Score, bars: BarMap) -> int | None:
        """The number of the first busy track beside another one; None: there is none, or the meter changes."""
        if len(set(bars.meters[:BARS])) > 1 or sum(len(t.notes) > 0 and not t.is_drum for t in part.tracks) < 2:
            return None
        for number, track in enumerate(part.tracks):
            onsets = np.array([n.time for n in track.notes])
            if not track.is_drum and len(onsets):
                counts = [int(((onsets >= a) & (onsets < b)).sum()) for a, b in ticks_of(bars)]
                if sum(count >= BUSY for count in counts) >= BARS / 2:
                    return number
        return None

    found: dict[str, list[dict[str, float]]] = {"people": [], "filled": []}
    pieces = empty = refused = 0
    for whole, first, part, _ in passages(corpus, "test", options.pieces, lambda *one: chosen(*one) is not None):
        bars, quarter = bar_map(part), part.ticks_per_quarter
        number = chosen(part, bars)
        assert number is not None
        others = np.array([
            (n.time, n.end, n.pitch)
            for i, t in enumerate(part.tracks) if i != number and not t.is_drum
            for n in t.notes
        ], float)  # fmt: skip
        key = estimate(Sounding.of(part).pitch_classes())
        pieces += 1
        human = part_figures(part.tracks[number], others, key, bars, quarter)
        assert human is not None
        found["people"].append(human)
        lines, begin = bar_map(whole), max(0, first - AROUND)
        song = slice_bars(whole, begin, min(first + BARS + AROUND, len(lines)), lines)
        span, start = (first - begin + 1, first - begin + BARS), int(bar_map(song).starts[first - begin])
        for seed in options.seeds:
            how = Sampling(guidance=options.guidance)
            try:
                (piece,) = model.infill(song, [span], tracks=[number + 1], seed=seed, sampling=how)
            except ToccataError as error:
                print(error)
                refused += 1
                continue
            new = None if piece.new is None else next((t for t in piece.new.tracks if len(t.notes)), None)
            if new is not None:
                assert quarter == piece.score.ticks_per_quarter
                new = new.shift_time(-start)
            figures = None if new is None else part_figures(new, others, key, bars, quarter)
            empty += figures is None
            found["filled"] += [] if figures is None else [figures]
    for name, rows in found.items():
        yield {
            "protocol": "fill", "what": name, "pieces": pieces, "parts": len(rows), "empty": empty, "refused": refused,
            **{figure: round(fmean(row[figure] for row in rows), 4) for figure in rows[0]},
        }  # fmt: skip


PROTOCOLS = {"attributes": attributes, "descriptions": descriptions, "styles": styles, "fill": fill}


def main() -> None:
    """Write, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="the prepared corpus of the model; its test pieces are held out")
    parser.add_argument("--model", type=Path, default=BUNDLED / "base")
    parser.add_argument("--only", nargs="+", choices=list(PROTOCOLS), default=list(PROTOCOLS))
    parser.add_argument("--pieces", type=int, default=48)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="a file for all rows")
    options = parser.parse_args()
    model, corpus, rows = toccata.load(options.model, threads=options.threads), Corpus(options.corpus), []
    for name in options.only:
        for row in PROTOCOLS[name](model, corpus, options):
            rows.append(row)
            print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    if options.json:
        options.json.write_text(
            json.dumps({"model": model.name, "guidance": options.guidance, "rows": rows}, indent=1), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
