"""How fast music is written as tokens: notes a second of processor time, beside MidiTok on the same pieces in one run.

For each recipe with event tokens, before merges and with as many as it learns. The ids are compared, too: they have to
be the same. RunningStatus is toccata's own: beside it MidiTok writes REMI with the same settings, and both have to come
back as the same notes.

    python benchmarks/tokenizing.py [--data DIR] [--files N] [--json] [RECIPE ...]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import miditok
import numpy as np
from symusic import Score

from toccata.errors import MidiError
from toccata.midi.read import find_midi, read_score
from toccata.recipes import load
from toccata.tokenizers.events import EventOptions, EventTokenizer
from toccata.tokenizers.simplify import one_track, writable_meters

RECIPES = ("toccata", "bach-gpt", "beatron", "tchaikovsky")
FOLDERS = ("bach", "choir", "game", "piano", "quartets", "songs")


def theirs(tokenizer: EventTokenizer) -> Any:
    """MidiTok's tokenizer for the same settings and merges."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(Path(folder))
        return getattr(miditok, tokenizer.scheme)(params=Path(folder) / "tokenizer.json")


def ready(score: Score, tokenizer: EventTokenizer, config: Any) -> Score:
    """A piece in the form that MidiTok reads without loss; not part of what is measured."""
    score = score.copy()
    score.tracks = [track for track in score.tracks if len(track.notes)]
    if not config.use_programs:
        score = one_track(score)
    score.time_signatures = writable_meters(score, tokenizer.grammar().scheme.vocabulary.meters)
    for track in score.tracks:
        track.notes.sort(key=lambda n: (n.time, n.pitch, n.duration, n.velocity))
    return score


def timed(work: Callable[[Score], Sequence[int]], pieces: Sequence[Score]) -> tuple[float, list[list[int]]]:
    """Seconds of processor time for all pieces, and their ids."""
    started = time.process_time()
    found = [list(work(piece)) for piece in pieces]
    return time.process_time() - started, found


def measured(options: EventOptions, pieces: Sequence[Score]) -> dict[str, Any]:
    """Notes a second of both, and whether their ids are the same."""
    tokenizer = EventTokenizer.build(options)
    tokenizer.fit(pieces)
    own_scheme = options.scheme == "RunningStatus"
    remi = EventTokenizer.build(EventOptions("REMI", {**options.options, "program_changes": True}))
    other = theirs(remi if own_scheme else tokenizer)
    prepared = [ready(piece, tokenizer, other.config) for piece in pieces]

    def ids(piece: Score) -> Sequence[int]:
        sequence = other.encode(piece, encode_ids=other.is_trained)
        found: Sequence[int] = (sequence[0] if isinstance(sequence, list) else sequence).ids
        return found

    timed(ids, prepared[:1])
    timed(lambda piece: tokenizer.encode(piece).ids.tolist(), pieces[:1])
    seconds, found = timed(ids, prepared)
    own, ours = timed(lambda piece: tokenizer.encode(piece, start=False, end=False).ids.tolist(), pieces)
    notes = sum(piece.note_num() for piece in pieces)
    same = ours == found
    if own_scheme:
        same = all(sounding(tokenizer, a) == sounding(remi, b) for a, b in zip(ours, found, strict=True))
    tokens = {"ours": sum(map(len, ours)) / notes, "miditok": sum(map(len, found)) / notes}
    speed = {"ours": notes / own, "miditok": notes / seconds}
    return {"ids": tokenizer.vocab_size, **speed, "same": same, "tokens_a_note": tokens}


def sounding(tokenizer: EventTokenizer, ids: Sequence[int]) -> list[tuple[int, ...]]:
    """The notes that ids come back as."""
    score = tokenizer.decode(np.array(ids, np.int32))
    return sorted(
        (track.program, int(track.is_drum), n.time, n.pitch, n.duration, n.velocity)
        for track in score.tracks
        for n in track.notes
    )


def main() -> None:
    """Read, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", default=[])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TOCCATA_DATA", "../shared/data")))
    parser.add_argument("--files", type=int, default=12, help="files of each folder (12)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # MidiTok's
    pieces: list[Score] = []
    for folder in FOLDERS:
        paths = find_midi(options.data / folder)
        for path in paths[:: max(1, len(paths) // options.files)][: options.files]:
            try:
                pieces.append(read_score(path))
            except MidiError:
                continue
    rows = []
    for name in options.recipes or RECIPES:
        recipe = load(name).tokenizer
        assert isinstance(recipe, EventOptions)
        for merges in sorted({0, recipe.merges}):
            row = measured(EventOptions(recipe.scheme, recipe.options, merges), pieces)
            rows.append({"recipe": name, "merges": merges, **row})
            if not options.json:
                times = row["ours"] / row["miditok"]
                what = "notes" if recipe.scheme == "RunningStatus" else "ids"
                same = f"the same {what}" if row["same"] else f"OTHER {what.upper()}"
                print(
                    f"{name:12} {row['ids']:6,} ids: {row['ours']:9,.0f} notes/s, MidiTok {row['miditok']:8,.0f}",
                    end="",
                )
                each = row["tokens_a_note"]
                print(f" ({times:.1f} times), {same}; {each['ours']:.2f} and {each['miditok']:.2f} tokens a note")
    if options.json:
        json.dump({"pieces": len(pieces), "rows": rows}, sys.stdout)
        print()


if __name__ == "__main__":
    main()
