"""What a musician takes for granted, measured: players, ranges, clashes, roots, endings, returns, keys; before and now.

One model, trained on Bach for 18 minutes unless ``--model`` is given, writes on pieces it has not seen. With
``--before`` the same is measured with the code of another checkout (its ``src`` folder), in a process of its own.

    python benchmarks/musicianship.py [--model DIR] [--data DIR] [--pieces 20] [--seeds 10] [--before CHECKOUT] [--json]
        [--only players ranges ...]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Note, Score, TimeSignature, Track

import toccata
from toccata.errors import ToccataError
from toccata.measure.learned import Seen
from toccata.midi.bars import BarMap, bar_map
from toccata.midi.clean import clean
from toccata.midi.edit import opening
from toccata.midi.facts import fingerprint
from toccata.midi.keys import Key, estimate, weights
from toccata.midi.melody import top_line
from toccata.midi.read import find_midi, read_score
from toccata.midi.splice import new_file

PLAYABLE = {
    40: (55, 105),
    41: (48, 93),
    42: (36, 84),
    43: (24, 67),
    32: (23, 67),
    33: (23, 67),
    73: (59, 98),
    0: (21, 108),
}
"""Ranges by program, as MIDI numbers: of those that are asked for here."""
CHART = "C | Am7 | Dm7 | G7 | Em7 | A7 | Dm/F G7 | C"
ROOTS, THIRDS = (0, 9, 2, 7, 4, 9, 5, 0), (4, 0, 5, 11, 7, 1, 5, 4)
KEYS = ("C major", "D minor", "G major", "A minor", "F major", "E minor", "Bb major", "G minor", "D major", "C minor")
FIGURE = 4
STRAY = 4
"""An instrument of at most so many notes in a piece is a stray one."""

Row = dict[str, float]
Notes = NDArray[np.int64]


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TOCCATA_DATA", "../shared/data")))
    parser.add_argument("--minutes", type=float, default=18, help="of training, where no model is given")
    parser.add_argument("--pieces", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--before", type=Path, help="another checkout, measured beside this one")
    parser.add_argument("--only", nargs="+", choices=sorted(MEASURES), default=sorted(MEASURES))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if options.model is None:
            options.model = Path(temporary) / "model"
            toccata.train(options.data / "bach" / "mutopia", options.model, minutes=options.minutes)
        columns = {"now": measured(options)}
        if options.before is not None:
            columns = {"before": measured_with(options), **columns}
    if options.json:
        print(json.dumps(columns if options.before is not None else columns["now"]))
        return
    print(f"{'':58}" + "".join(f"{name:>10}" for name in columns))
    for key in columns["now"]:
        print(f"{key:58}" + "".join(f"{column.get(key, float('nan')):10.2f}" for column in columns.values()))


def measured(options: argparse.Namespace) -> Row:
    """Every figure, by its name."""
    model, found = toccata.load(options.model), {}
    for name in options.only:
        try:
            found |= MEASURES[name](model, options)
        except ToccataError as error:
            print(f"{name}: {error}", file=sys.stderr)
    return found


def measured_with(options: argparse.Namespace) -> Row:
    """Every figure with the code of another checkout."""
    command = [
        sys.executable,
        __file__,
        "--json",
        "--model",
        options.model,
        "--data",
        options.data,
        "--only",
        *options.only,
    ]
    command += ["--pieces", options.pieces, "--seeds", options.seeds]
    environment = {**os.environ, "PYTHONPATH": str(options.before / "src")}
    done = subprocess.run([str(word) for word in command], env=environment, stdout=subprocess.PIPE, check=True)
    found: Row = json.loads(done.stdout)
    return found


# -- the pieces --------------------------------------------------------------------------------------------------------


def unseen(model: toccata.Model, folder: Path, wanted: Callable[[Score, BarMap], bool]) -> Iterator[Score]:
    """Pieces of a folder that the model has not learned, in an order of chance that is always the same."""
    seen = Seen.of_model(model.folder)
    paths = sorted(find_midi(folder))
    for number in np.random.default_rng(0).permutation(len(paths)).tolist():
        try:
            score = clean(read_score(paths[number]))
        except ToccataError:
            continue
        if wanted(score, bar_map(score)) and seen.kinds([(fingerprint(score), new_file(score))])[0] == "new":
            yield score


def several(score: Score, bars: BarMap) -> bool:
    """Whether a piece has at least three pitched players in bars 9 to 12 of one meter."""
    if len(bars) < 16 or len(set(bars.meters[:16])) > 1:
        return False
    return sum(len(begun(score, n, bars, 8, 12)) > 3 for n, t in enumerate(score.tracks) if not t.is_drum) >= 3


def begun(score: Score, track: int, bars: BarMap, first: int, last: int) -> Notes:
    """Onset, end and pitch of the notes of a track that begin in some bars, ``int64[n, 3]``."""
    columns = score.tracks[track].notes.numpy()
    rows = np.stack([columns["time"], columns["time"] + columns["duration"], columns["pitch"]], axis=1).astype(np.int64)
    return rows[(rows[:, 0] >= bars.starts[first]) & (rows[:, 0] < bars.starts[last])]


def notes_of(score: Score, programs: set[int] | None = None) -> Notes:
    """Onset, end and pitch of all pitched notes, or of those of some programs, by onset."""
    found = [np.zeros((0, 3), np.int64)]
    for track in score.tracks:
        if not track.is_drum and len(track.notes) and (programs is None or int(track.program) in programs):
            c = track.notes.numpy()
            found.append(np.stack([c["time"], c["time"] + c["duration"], c["pitch"]], axis=1).astype(np.int64))
    rows = np.concatenate(found)
    return rows[np.lexsort((rows[:, 2], rows[:, 0]))]


# -- the measures ------------------------------------------------------------------------------------------------------


def players(model: toccata.Model, options: argparse.Namespace) -> Row:
    """Infilled bars: who played there plays again; the cost in speed."""
    kept = count = 0
    tokens = seconds = 0.0
    for _, score in zip(range(options.pieces), unseen(model, options.data / "quartets", several), strict=False):
        bars = bar_map(score)
        for piece in model.infill(score, bars=[(10, 11)], n=2, seed=1):
            lines = bar_map(piece.score)
            for n, track in enumerate(score.tracks):
                for bar in (9, 10):
                    if not track.is_drum and len(begun(score, n, bars, bar, bar + 1)):
                        count += 1
                        kept += len(begun(piece.score, n, lines, bar, bar + 1)) > 0
        tokens, seconds = tokens + model.stats.tokens, seconds + model.stats.seconds
    return {
        "infill: bars in which who played plays again, %": 100 * kept / max(1, count),
        "infill: tokens/s": tokens / max(1e-9, seconds),
    }


def named(model: toccata.Model, options: argparse.Namespace) -> Row:
    """A trio by name: who plays in how many bars, out of range, two notes at once; the cost in speed."""
    trio = (40, 41, 42)
    model.generate(bars=1, seed=0)
    began = time.perf_counter()
    pieces = model.generate(n=options.seeds, bars=8, seed=1, programs=trio, meter=(4, 4))
    seconds = time.perf_counter() - began
    playing = full = wrong = together = total = 0
    for piece in pieces:
        lines = bar_map(piece.score)
        for program in trio:
            tracks = [n for n, t in enumerate(piece.score.tracks) if int(t.program) == program and len(t.notes)]
            bars = sum(any(len(begun(piece.score, n, lines, bar, bar + 1)) for n in tracks) for bar in range(8))
            playing, full = playing + bars, full + (bars >= 6)
            rows = notes_of(piece.score, {program})
            low, high = PLAYABLE[program]
            wrong += int(((rows[:, 2] < low) | (rows[:, 2] > high)).sum())
            total += len(rows)
            together += int((np.diff(rows[:, 0]) == 0).sum())
    return {
        "trio by name: bars in which each plays, %": 100 * playing / (8 * 3 * len(pieces)),
        "trio by name: players in 3 of 4 bars, %": 100 * full / (3 * len(pieces)),
        "trio by name: notes out of range, %": 100 * wrong / max(1, total),
        "trio by name: two notes at once, %": 100 * together / max(1, total),
        "trio by name: notes a bar": total / (8 * len(pieces)),
        "trio by name: tokens/s": model.stats.tokens / max(1e-9, seconds),
    }


def clash(model: toccata.Model, options: argparse.Namespace) -> Row:
    """Added parts: beats in which one clashes with the song, and the song's own parts among each other."""
    found: Row = {}
    for folder, program in (("songs", 43), ("songs", 73), ("quartets", 73)):
        added, own = [], []
        for _, score in zip(range(options.pieces), unseen(model, options.data / folder, enough), strict=False):
            lines = bar_map(score)
            last = min(len(lines), 16)
            try:
                (piece,) = model.accompany(score, [program], bars=[(1, last)], seed=1, **anyway(model))
            except ToccataError:
                continue
            new = notes_of(piece.score, None)
            old = notes_of(score)
            known = {tuple(row) for row in old.tolist()}
            part = np.array([row for row in new.tolist() if tuple(row) not in known], np.int64).reshape(-1, 3)
            added.append(clashing(part, old, score.ticks_per_quarter, int(lines.starts[last])))
            parts = [notes_of_track(score, n) for n in range(len(score.tracks)) if not score.tracks[n].is_drum]
            parts = [rows for rows in parts if len(rows)]
            for n, rows in enumerate(parts):
                others = np.concatenate([other for m, other in enumerate(parts) if m != n])
                own.append(clashing(rows, others, score.ticks_per_quarter, int(lines.starts[last])))
        for name, values in (("an added part", added), ("the song's own parts", own)):
            counts = np.array(values).reshape(-1, 2).sum(0)
            found[f"{folder}, program {program}: beats of {name} that clash, %"] = 100 * counts[0] / max(1, counts[1])
    return found


def enough(score: Score, bars: BarMap) -> bool:
    """Whether a piece has two pitched parts and eight bars."""
    return len(bars) >= 8 and sum(len(t.notes) > 16 for t in score.tracks if not t.is_drum) >= 2


def anyway(model: toccata.Model) -> dict[str, Any]:
    """The argument by which an instrument plays that a model has not learned, where there is one."""
    return {"anyway": True} if hasattr(model, "coverage") else {}


def notes_of_track(score: Score, number: int) -> Notes:
    """Onset, end and pitch of the notes of a track."""
    c = score.tracks[number].notes.numpy()
    return np.stack([c["time"], c["time"] + c["duration"], c["pitch"]], axis=1).astype(np.int64)


def clashing(part: Notes, others: Notes, beat: int, end: int) -> tuple[int, int]:
    """The beats in which a part sounds a semitone or a major seventh from another, and those in which both sound."""
    clashes = sounding = 0
    for tick in range(0, end, beat):
        mine = part[(part[:, 0] < tick + beat) & (part[:, 1] > tick)]
        theirs = others[(others[:, 0] < tick + beat) & (others[:, 1] > tick)]
        if not len(mine) or not len(theirs):
            continue
        sounding += 1
        overlap = (mine[:, None, 0] < theirs[None, :, 1]) & (theirs[None, :, 0] < mine[:, None, 1])
        near = np.isin((mine[:, None, 2] - theirs[None, :, 2]) % 12, (1, 11))
        clashes += bool((overlap & near).any())
    return clashes, sounding


def melody_lock(model: toccata.Model, options: argparse.Namespace) -> Row:
    """A locked melody: new notes above it, and in its track while it sounds."""
    above = inside = total = 0
    for _, score in zip(range(options.pieces), unseen(model, options.data / "piano", enough), strict=False):
        try:
            (piece,) = model.vary(score, keep="melody", bars=[(3, 6)], n=1, seed=1, strength=1.0)
        except ToccataError:
            continue
        old, new = notes_of(score), notes_of(piece.score)
        known = {tuple(row) for row in old.tolist()}
        written = [row for row in new.tolist() if tuple(row) not in known]
        lines = bar_map(score)
        kept = [row for row in new.tolist() if tuple(row) in known and lines.starts[2] <= row[0] < lines.starts[6]]
        for onset, _, pitch in written:
            tops = [p for a, b, p in kept if a <= onset < b]
            total += 1
            above += bool(tops) and pitch > max(tops)
            inside += bool(tops)
    return {"vary --keep melody: new notes above the melody, %": 100 * above / max(1, total)}


def chart(model: toccata.Model, options: argparse.Namespace) -> Row:
    """A chord chart: roots in the lowest part where a chord begins, thirds and sevenths heard."""
    pieces = model.generate(n=options.seeds, bars=8, seed=1, chords=CHART, meter=(4, 4), key="C major")
    roots = count = thirds = 0
    for piece in pieces:
        rows, bar = notes_of(piece.score), piece.score.ticks_per_quarter * 4
        for number, (root, third) in enumerate(zip(ROOTS, THIRDS, strict=True)):
            now = rows[(rows[:, 0] <= number * bar) & (rows[:, 1] > number * bar)]
            count += 1
            roots += bool(len(now)) and int(now[:, 2].min()) % 12 == root
            heard = rows[(rows[:, 0] < (number + 1) * bar) & (rows[:, 1] > number * bar)]
            thirds += bool((heard[:, 2] % 12 == third).any())
    return {
        "chart: bars that begin with the root (or slash bass) lowest, %": 100 * roots / max(1, count),
        "chart: bars in which the third is heard, %": 100 * thirds / max(1, count),
    }


def endings(model: toccata.Model, options: argparse.Namespace) -> Row:
    """Endings: in the last bar the tonic in the bass, its third, held to the end, after a leading note; the melody."""
    bass = third = held = leading = top = 0
    for seed in range(options.seeds):
        name = KEYS[seed % len(KEYS)]
        key = Key.read(name)
        (piece,) = model.generate(bars=8, seed=seed, key=name, end=True, meter=(4, 4))
        rows, bar = notes_of(piece.score), piece.score.ticks_per_quarter * 4
        last = rows[rows[:, 1] > 7 * bar]
        before = rows[(rows[:, 0] >= 6 * bar) & (rows[:, 0] < 7 * bar)]
        final = last[last[:, 1] == last[:, 1].max()] if len(last) else last
        bass += bool(len(last)) and int(final[:, 2].min()) % 12 == key.tonic
        third += bool((last[:, 2] % 12 == (key.tonic + (3 if key.minor else 4)) % 12).any())
        held += bool(len(last)) and int(last[:, 1].max()) == 8 * bar
        leading += bool((before[:, 2] % 12 == (key.tonic + 11) % 12).any())
        top += bool(len(final)) and bool(key.triad()[int(final[:, 2].max()) % 12])
    return {
        f"endings: {what}, %": 100 * n / options.seeds
        for what, n in (
            ("tonic in the bass", bass), ("third heard", third), ("held to the end", held),
            ("leading note before", leading), ("melody on the triad", top),
        )
    }  # fmt: skip


def new_pieces(model: toccata.Model, options: argparse.Namespace) -> Row:
    """New pieces of 16 bars: returns of figures and bars, keys, strays, empty halves, tempos; and of Bach."""
    written = [p.score for p in model.generate(n=max(16, 2 * options.seeds), bars=16, seed=1)]
    human = []
    for _, score in zip(
        range(options.pieces), unseen(model, options.data / "bach", lambda s, b: len(b) >= 16), strict=False
    ):
        human.append(opening(score, 16))
    found: Row = {}
    for name, scores in (("new pieces", written), ("Bach", human)):
        found |= {f"{name}: {key}": value for key, value in of_pieces(scores).items()}
    return found


def of_pieces(scores: list[Score]) -> Row:
    """Means over pieces of 16 bars."""
    returns, bars, fits, keys, faulty = [], [], [], [], 0
    for score in scores:
        rows = notes_of(score)
        if len(rows) < 2 * FIGURE:
            faulty += 1
            continue
        returns.append(figures_again(score))
        bars.append(bars_again(score))
        whole = estimate(weights(score))
        fits.append(float(whole.scale()[rows[:, 2] % 12].mean()))
        edges = np.linspace(0, rows[:, 0].max() + 1, 5)
        windows = [rows[(rows[:, 0] >= a) & (rows[:, 0] < b)] for a, b in pairwise(edges)]
        names = {estimate(np.bincount(w[:, 2] % 12, w[:, 1] - w[:, 0], 12)) for w in windows if len(w)}
        keys.append(len(names))
        faulty += is_faulty(score, rows)
    return {
        "figures of four steps heard before, %": 100 * float(np.mean(returns)),
        "bars that repeat one before, %": 100 * float(np.mean(bars)),
        "notes in the key, %": 100 * float(np.mean(fits)),
        "keys in four windows": float(np.mean(keys)),
        "with a stray instrument, an empty half or an odd tempo, %": 100 * faulty / len(scores),
    }


def is_faulty(score: Score, rows: NDArray[np.int64]) -> bool:
    """Whether a piece has a stray instrument, an empty half or an odd tempo."""
    stray = any(0 < len(track.notes) <= STRAY for track in score.tracks)
    middle = int(bar_map(score).starts[min(8, len(bar_map(score)))])
    halved = not (rows[:, 0] < middle).any() or not (rows[:, 0] >= middle).any()
    odd = len(score.tempos) > 0 and not 40 <= float(score.tempos[0].qpm) <= 220
    return stray or halved or odd


def figures_again(score: Score) -> float:
    """The share of places in the tracks' top lines at which the last four steps, with their rhythm, return."""
    again = places = 0
    for number, track in enumerate(score.tracks):
        if track.is_drum or not len(track.notes):
            continue
        rows = notes_of_track(score, number)
        rows = rows[np.lexsort((-rows[:, 2], rows[:, 0]))]
        _, firsts = np.unique(rows[:, 0], return_index=True)
        line = rows[firsts]
        steps = np.stack([np.diff(line[:, 2]), np.diff(line[:, 0])], axis=1)
        known: set[bytes] = set()
        for place in range(len(steps) - FIGURE + 1):
            figure = steps[place : place + FIGURE]
            if not figure[:, 0].any():
                continue
            key = figure.tobytes()
            places += 1
            again += key in known
            known.add(key)
    return again / max(1, places)


def bars_again(score: Score) -> float:
    """The share of bars that are the same, note for note, as one before."""
    lines, rows, known, again = bar_map(score), notes_of(score), set(), 0
    for start, end in pairwise(lines.starts.tolist()):
        inside = rows[(rows[:, 0] >= start) & (rows[:, 0] < end)] - np.array([start, start, 0])
        if len(inside):
            again += inside.tobytes() in known
            known.add(inside.tobytes())
    return again / max(1, len(lines))


def density(model: toccata.Model, options: argparse.Namespace) -> Row:
    """Density by level, piano alone."""
    found: Row = {}
    for level in (1, 4, 8):
        pieces = model.generate(
            n=options.seeds, bars=8, seed=1, programs=[0], controls={"density": level}, meter=(4, 4), **anyway(model)
        )
        found[f"piano, density {level}: notes a quarter"] = float(
            np.mean([len(notes_of(p.score)) / 32 for p in pieces])
        )
    return found


def harmonised(model: toccata.Model, options: argparse.Namespace) -> Row:
    """Bach's sopranos and tunes harmonised: beats that are no chord, clashes, leaps of the bass, the last cadence."""
    found: Row = {}
    sources = {"chorales": sopranos(options), "tunes": tunes(model, options)}
    for name, songs in sources.items():
        written, own, failed = [], [], 0
        for (melody, voices), seed in zip(songs, range(options.pieces), strict=False):
            try:
                (piece,) = model.harmonise(melody, seed=seed)
            except ToccataError:
                failed += 1
                continue
            written.append(of_harmony(notes_of(piece.score), melody.ticks_per_quarter))
            if voices is not None:
                own.append(of_harmony(voices, melody.ticks_per_quarter))
        for who, rows in (("harmonised", written), ("Bach's own", own)):
            if rows:
                values = np.array(rows).mean(axis=0).tolist()
                for what, value in zip(HARMONY, values, strict=True):
                    found[f"{name}, {who}: {what}, %"] = 100 * value
    return found


HARMONY = (
    "beats that are no triad or seventh",
    "beats with a semitone clash",
    "bass leaps beyond a fifth",
    "cadence at the end",
)
CADENCE = 8
"""Beats before the last chord in which the dominant, or the subdominant of a plagal cadence, is looked for."""
CHORDS = [
    frozenset((root + step) % 12 for step in steps)
    for root in range(12)
    for steps in (
        (0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8), (0, 4, 7, 10), (0, 3, 7, 10), (0, 4, 7, 11), (0, 3, 6, 10),
        (0, 3, 6, 9), (0, 3, 7, 11),
    )
]  # fmt: skip


def of_harmony(rows: Notes, beat: int) -> tuple[float, float, float, float]:
    """Shares of beats that are no chord and that clash, of bass steps that leap, and whether it ends on a cadence."""
    none = clashes = count = 0
    lowest: list[int] = []
    sounding: list[list[int]] = []
    for tick in range(0, int(rows[:, 1].max()), beat):
        pitches = sorted(rows[(rows[:, 0] <= tick) & (rows[:, 1] > tick), 2].tolist())
        if len(pitches) < 3:
            continue
        count += 1
        sounding.append(pitches)
        classes = classes_of(pitches)
        none += not any(classes <= chord for chord in CHORDS)
        clashes += any((b - a) % 12 in (1, 11) for n, a in enumerate(pitches) for b in pitches[n + 1 :])
        lowest.append(pitches[0])
    leaps = [abs(b - a) for a, b in pairwise(lowest) if a != b]
    final = sounding[-1]
    tonic = final[0] % 12
    cadences = {(tonic + 7) % 12: (tonic + 11) % 12, (tonic + 5) % 12: (tonic + 5) % 12}  # authentic, plagal
    before = len(sounding)
    while before and classes_of(sounding[before - 1]) <= classes_of(final):  # the last chord may be held for long
        before -= 1
    late = [(pitches[0] % 12, classes_of(pitches)) for pitches in sounding[max(0, before - CADENCE) : before]]
    ends = any(bass in cadences and cadences[bass] in classes for bass, classes in late)
    far = sum(leap > 7 and leap != 12 for leap in leaps) / max(1, len(leaps))
    return none / max(1, count), clashes / max(1, count), far, float(ends)


def classes_of(pitches: list[int]) -> set[int]:
    """The pitch classes of some pitches."""
    return {pitch % 12 for pitch in pitches}


def sopranos(options: argparse.Namespace) -> Iterator[tuple[Score, Notes | None]]:
    """The sopranos of Bach's chorales that are kept back for such measures, and all four voices."""
    path = options.data / "benchmark_only" / "jsb" / "Jsb16thSeparated.json"
    for grid in json.loads(path.read_text())["test"] if path.exists() else []:
        voices = [voice_of([step[number] for step in grid]) for number in range(4)]
        rows = np.array([row for voice in voices for row in voice], np.int64)
        if not len(voices[0]):
            continue
        yield song_of(voices[0]), rows[np.lexsort((rows[:, 2], rows[:, 0]))]


def voice_of(steps: list[float]) -> list[tuple[int, int, int]]:
    """Start, end and pitch of the notes of a voice of sixteenths."""
    found: list[tuple[int, int, int]] = []
    for number, pitch in enumerate(steps):
        if pitch > 0 and found and found[-1][2] == int(pitch) and found[-1][1] == number * 120 and number % 4:
            found[-1] = (found[-1][0], (number + 1) * 120, int(pitch))
        elif pitch > 0:
            found.append((number * 120, (number + 1) * 120, int(pitch)))
    return found


def tunes(model: toccata.Model, options: argparse.Namespace) -> Iterator[tuple[Score, Notes | None]]:
    """The first eight bars of the top lines of songs."""
    for score in unseen(model, options.data / "songs", enough):
        rows = notes_of_track(score, max(
            (n for n, t in enumerate(score.tracks) if not t.is_drum and len(t.notes)),
            key=lambda n: float(np.mean(notes_of_track(score, n)[:, 2])),
        ))  # fmt: skip
        end = int(bar_map(score).starts[8])
        top = top_line([tuple(row) for row in rows.tolist()], score.ticks_per_quarter)
        line = sorted(tuple(row) for row in rows.tolist() if (row[0], row[2]) in top and row[0] < end)
        ends = [*(start for start, _, _ in line[1:]), end]
        line = [(a, min(b, c), p) for (a, b, p), c in zip(line, ends, strict=False) if c > a]
        if len(line) >= 8 and np.mean([p for _, _, p in line]) >= 62:
            yield song_of(line, score.ticks_per_quarter), None


def song_of(line: list[tuple[int, int, int]], ticks: int = 480) -> Score:
    """A song of one melody."""
    song = Score(ticks)
    song.time_signatures.append(TimeSignature(0, 4, 4))
    song.tracks.append(Track("Soprano", 0, False))
    song.tracks[0].notes.extend([Note(start, end - start, pitch, 80) for start, end, pitch in line])
    return song


MEASURES: dict[str, Callable[[toccata.Model, argparse.Namespace], Row]] = {
    "players": players, "named": named, "clash": clash, "melody": melody_lock, "chart": chart, "endings": endings,
    "new": new_pieces, "density": density, "harmonise": harmonised,
}  # fmt: skip

if __name__ == "__main__":
    main()
