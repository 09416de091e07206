"""What finetuning on a few files of one composer is worth: nats a note on that composer's other pieces.

Of each composer some pieces are learned from and all others are measured on, relatives on one side: with the model as
it is, with it finetuned in each of the variants, and with ``--scratch`` with a model of the same recipe trained on
those pieces alone for as long. A variant that sets ``training.lora_rank`` writes a style file. The composers' names are
the files' beginnings, up to the first ``_``. Where no model is given, one is trained on Bach for 18 minutes first.

With ``--corpus``, the corpus that the model was trained on, all pieces are of its validation and test splits, so that
the model learned from none of them (it may know others by the composer). A composer is a part of the files' names.

    python benchmarks/finetune.py [--model MODEL] [--data DIR | --corpus DIR] [--composers JoplinS CzernyC ...]
        [--pieces 10] [--minutes M] [--seeds 0] [--scratch] [--json] ["NAME: section.key=value ..." ...]
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import toccata
from toccata.corpus.store import Corpus
from toccata.midi.read import find_midi

COMPOSERS = ("BurgmullerJFF", "CzernyC", "HandelGF", "JoplinS", "SchubertF")


def main() -> None:
    """Finetune, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("variants", nargs="*", default=["as it is:"], metavar="NAME: section.key=value ...")
    home = Path(os.environ.get("TOCCATA_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=home / "piano" / "keyboard")
    parser.add_argument("--corpus", type=Path, help="the prepared corpus that the model was trained on")
    parser.add_argument("--composers", nargs="+", default=COMPOSERS)
    parser.add_argument("--pieces", type=int, default=10)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--scratch", action="store_true", help="a model trained on these pieces alone besides")
    parser.add_argument("--json", action="store_true", help="one JSON object for each line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if options.model is None:
            options.model = toccata.train(home / "bach" / "mutopia", Path(temporary) / "bach", minutes=18).path
        for row in rows(options):
            print(json.dumps(row) if options.json else line(row), flush=True)


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Each composer, seed and variant."""
    name = toccata.load(options.model).folder.about["recipe"]["name"]
    recipe = "toccata" if name == "base" else name
    for composer in options.composers:
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as temporary:
                place = Path(temporary)
                if options.corpus is None:
                    learn, held = parted(options.data, composer, options.pieces, seed, place)
                else:
                    learn, held = split(Corpus(options.corpus), composer, options.pieces, seed, place)
                before = measured(options.model, held)
                yield {"composer": composer, "seed": seed, "variant": "not finetuned", **before, "gain": 0.0}
                for number, variant in enumerate(options.variants):
                    name, _, texts = variant.partition(":")
                    settings = shlex.split(texts)
                    is_style = any(text.startswith("training.lora_rank=") for text in settings)
                    finetune = toccata.finetune_style if is_style else toccata.finetune
                    made = finetune(
                        learn,
                        place / (f"style-{number}.safetensors" if is_style else f"model-{number}"),
                        model=options.model,
                        minutes=options.minutes,
                        seed=seed,
                        settings=["prepare.test=0", *settings],
                    )
                    found = of(made, held, before, options.model if is_style else None)
                    yield {"composer": composer, "seed": seed, "variant": name.strip(), **found}
                if options.scratch:
                    minutes = made.about["lineage"]["minutes"]
                    alone = toccata.train(
                        learn, place / "alone", recipe=recipe, minutes=minutes, seed=seed, settings=["prepare.test=0"]
                    )
                    yield {"composer": composer, "seed": seed, "variant": "from nothing", **of(alone, held, before)}


def parted(data: Path, composer: str, pieces: int, seed: int, place: Path) -> tuple[Path, Path]:
    """Copy a composer's files into two folders: so many to learn from, and the others that are not related to these."""
    (place / "all").mkdir()
    for path in find_midi(data):
        if path.name.partition("_")[0] == composer:
            shutil.copy(path, place / "all")
    corpus = toccata.prepare(place / "all", place / "corpus")
    found = sides(corpus, range(len(corpus.pieces)), pieces, seed)
    for folder, numbers in zip(("learn", "held"), found, strict=True):
        (place / folder).mkdir()
        for number in numbers:
            shutil.copy(place / "all" / corpus.pieces.path(number), place / folder)
    return place / "learn", place / "held"


def split(corpus: Corpus, composer: str, pieces: int, seed: int, place: Path) -> tuple[Path, Path]:
    """Write a composer's pieces that were not trained on into two folders: so many to learn from, and the others."""
    both = [*corpus.split("valid"), *corpus.split("test")]
    numbers = [number for number in both if composer in corpus.pieces.path(number)]
    for folder, some in zip(("learn", "held"), sides(corpus, numbers, pieces, seed), strict=True):
        (place / folder).mkdir()
        for number in some:
            corpus.score(number).dump_midi(place / folder / f"{number}.mid")
    return place / "learn", place / "held"


def sides(corpus: Corpus, numbers: Sequence[int], pieces: int, seed: int) -> tuple[list[int], list[int]]:
    """Divide pieces by chance: at most so many to learn from, and the others. Related pieces stay on one side."""
    groups: dict[int, list[int]] = {}
    for number in np.random.default_rng(seed).permutation(np.asarray(numbers, np.int64)).tolist():
        groups.setdefault(int(corpus.column("group")[number]), []).append(number)
    learn: list[int] = []
    held: list[int] = []
    for group in groups.values():
        (learn if len(learn) + len(group) <= pieces else held).extend(group)
    if len(learn) < pieces or not held:
        raise SystemExit(
            f"of {len(numbers)} pieces in {len(groups)} groups of relatives, {pieces} cannot be learned from and others"
            " be measured on"
        )
    return learn, held


def measured(model: Path, held: Path, style_files: Sequence[Path] = ()) -> dict[str, Any]:
    """The likelihood of pieces."""
    found = toccata.evaluate(model, held, style_files=style_files, include_seen=True).to_dict()
    return {"nats_per_note": found["nats_per_note"], "pieces": found["pieces"], "notes": found["notes"]}


def of(made: Any, held: Path, before: dict[str, Any], base: Path | None = None) -> dict[str, Any]:
    """The same of a model that was just trained, with how long that took and how much it is better than before.

    With ``base`` it is a style file for that model.
    """
    lineage = made.about["lineage"]
    found = measured(made.path, held) if base is None else measured(base, held, [made.path])
    gain = 1 - found["nats_per_note"] / before["nats_per_note"]
    size = {} if base is None else {"bytes": made.path.stat().st_size}
    return {**found, "gain": round(gain, 4), "steps": lineage["step"], "minutes": lineage["minutes"], **size}


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    cost = f"{row['minutes']:5.1f} min, {row['steps']} steps" if "minutes" in row else ""
    cost += f", {row['bytes'] / 1000:,.0f} kB" if "bytes" in row else ""
    return (
        f"{row['composer']:14} seed {row['seed']}  {row['variant']:20} {row['nats_per_note']:.3f} nats a note on "
        f"{row['pieces']} pieces  {-row['gain']:+.1%}  {cost}"
    )


if __name__ == "__main__":
    main()
