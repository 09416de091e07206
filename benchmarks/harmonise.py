"""Four voices from a soprano: how full they are, whether they keep their places, and how they move.

Of the sopranos of Bach's chorales (JSB, the papers' test split) and of choral pieces whose four tracks sing one note at
a time: the share of the soprano's beats at which four voices sound, notes out of range or out of order (none, or
something is wrong), and parallel fifths and octaves a hundred steps in which two voices move together: of the model, of
the same pieces as their composers wrote them, and of the model's notes dealt to the voices at random.

    python benchmarks/harmonise.py [--model DIR] [--data DIR] [--minutes 10] [--pieces 20] [--bars 8] [--free] [--json]

Without a model, one is trained first on the Bach of ``--data``; the chorales of JSB are not among it.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from symusic import Note, Score, TimeSignature, Track

import toccata
from toccata.errors import MidiError
from toccata.measure.choral import SILENT, parallels
from toccata.midi.bars import bar_map
from toccata.midi.read import find_midi, read_score
from toccata.midi.splice import new_file
from toccata.tasks.voicing import CHOIR, Voicing, twice

Line = list[tuple[int, int, int]]
"""Start, end and pitch of the notes of a voice."""
TPQ = 480


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a model that has learned to fill")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TOCCATA_DATA", "../shared/data")))
    parser.add_argument("--minutes", type=float, default=10, help="of training, where no model is given")
    parser.add_argument("--pieces", type=int, default=20, help="of each kind")
    parser.add_argument("--bars", type=int, default=8, help="of each piece, from the first")
    parser.add_argument("--free", action="store_true", help="let the model leave voices silent")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.free:
        Voicing.allowed = lambda self, cursor: cursor.unscripted()  # type: ignore[method-assign]
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        if options.model is None:
            options.model = Path(temporary) / "model"
            toccata.train(options.data / "bach" / "mutopia", options.model, minutes=options.minutes)
        model = toccata.load(options.model)
        for kind, pieces in (("bach", chorales), ("choir", choirs)):
            found |= {f"{kind}: {name}": value for name, value in measured(model, pieces, options).items()}
    print(json.dumps(found) if options.json else "\n".join(f"{key:44} {value}" for key, value in found.items()))


def measured(
    model: toccata.Model, pieces: Callable[[Path, int], Iterator[list[Line]]], options: argparse.Namespace
) -> dict[str, float]:
    """Harmonise sopranos, and count."""
    rng = np.random.default_rng(0)
    beats, full, wrong, seconds, count = 0, 0, 0, 0.0, 0
    moves = {"model": [0, 0, 0], "composer": [0, 0, 0], "at random": [0, 0, 0]}
    for seed, voices in enumerate(pieces(options.data, options.bars)):
        if count == options.pieces:
            break
        count += 1
        song = Score(TPQ)
        song.time_signatures.append(TimeSignature(0, 4, 4))
        song.tracks.append(Track("Soprano", 0, False))
        song.tracks[0].notes.extend(Note(start, end - start, pitch, 80) for start, end, pitch in voices[0])
        began = time.perf_counter()
        (piece,) = model.harmonise(new_file(song), seed=seed)
        seconds += time.perf_counter() - began
        named = {track.name: [(n.time, n.end, n.pitch) for n in track.notes] for track in piece.score.tracks}
        written = [voices[0], *(sorted(named.get(voice.name, [])) for voice in CHOIR)]
        for tick in range(0, voices[0][-1][1], TPQ):
            now = [at(line, tick) for line in written]
            beats += now[0] is not None
            full += None not in now
        wrong += faults(written)
        shuffled = [written[0], *dealt_at_random(written[1:], rng)]
        for name, lines in (("model", written), ("composer", voices), ("at random", shuffled)):
            moves[name] = [a + b for a, b in zip(moves[name], parallels(sung(lines)), strict=True)]
    out = {
        "pieces": count,
        "beats with four voices, %": round(100 * full / max(1, beats), 1),
        "notes out of range or order": wrong,
        "seconds a piece": round(seconds / max(1, count), 1),
    }
    for name, (together, fifths, octaves) in moves.items():
        out[f"parallel fifths, {name}"] = round(100 * fifths / max(1, together), 2)
        out[f"parallel octaves, {name}"] = round(100 * octaves / max(1, together), 2)
    return out


def at(line: Line, tick: int) -> int | None:
    """The pitch of a voice at a tick."""
    return next((pitch for start, end, pitch in line if start <= tick < end), None)


def faults(voices: list[Line]) -> int:
    """Notes of the lower voices that leave their range, meet another of their voice, or cross another voice."""
    wrong = 0
    for number, voice in enumerate(CHOIR, start=1):
        for n, (start, end, pitch) in enumerate(voices[number]):
            over = [p for line in voices[:number] for a, b, p in line if a < end and start < b]
            again = n and voices[number][n - 1][1] > start
            wrong += not voice.low <= pitch <= voice.high or bool(again) or pitch >= min(over, default=128)
    return wrong


def sung(voices: list[Line]) -> NDArray[np.int64]:
    """What each voice sings at each onset of any of them, ``int64[onsets, voices]``."""
    ticks = sorted({start for line in voices for start, _, _ in line})
    chords = [[at(line, tick) for line in voices] for tick in ticks]
    return np.array([[SILENT if pitch is None else pitch for pitch in chord] for chord in chords], np.int64)


def dealt_at_random(voices: list[Line], rng: np.random.Generator) -> list[Line]:
    """The same notes, at every onset in voices in any order."""
    out: list[Line] = [[] for _ in voices]
    for tick in sorted({start for line in voices for start, _, _ in line}):
        now = [(number, note) for number, line in enumerate(voices) for note in line if note[0] == tick]
        places = rng.permutation([number for number, _ in now])
        for place, (_, note) in zip(places.tolist(), now, strict=True):
            out[place].append(note)
    return out


def chorales(data: Path, bars: int) -> Iterator[list[Line]]:
    """The voices of Bach's chorales, from 16ths."""
    pieces = json.loads((data / "benchmark_only" / "jsb" / "Jsb16thSeparated.json").read_text())["test"]
    for piece in pieces:
        steps = np.array([(*chord, -1, -1, -1, -1)[:4] for chord in piece[: bars * 16]], np.int64)
        lines = []
        for voice in steps.T:
            edges = [0, *(np.flatnonzero(np.diff(voice)) + 1).tolist(), len(voice)]
            notes = [(a * TPQ // 4, b * TPQ // 4, int(voice[a])) for a, b in pairwise(edges)]
            lines.append([note for note in notes if note[2] > 0])
        if all(lines):
            yield lines


def choirs(data: Path, bars: int) -> Iterator[list[Line]]:
    """The voices of choral pieces of four tracks, from the highest down, as far as they sing alone."""
    for path in find_midi(data / "choir"):
        try:
            score = read_score(path)
        except MidiError:
            continue
        full = [track for track in score.tracks if len(track.notes) and not track.is_drum]
        end, scale = int(bar_map(score).starts[min(bars, len(bar_map(score)))]), TPQ / score.ticks_per_quarter
        lines = [
            [(round(n.time * scale), round(n.end * scale), n.pitch) for n in track.notes if n.time < end]
            for track in full
        ]
        if len(lines) == 4 and all(line and twice(line, TPQ) is None for line in lines):
            lines = sorted((sorted(line) for line in lines), key=lambda line: -float(np.mean([n[2] for n in line])))
            if min(start for start, _, _ in lines[0]) == 0 and np.mean([n[2] for n in lines[0]]) > 64:
                yield lines


if __name__ == "__main__":
    main()
