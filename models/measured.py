"""Measures a finished model anew, and writes what was found into its ``toccata.json``; no weight changes.

    python models/measured.py MODEL CORPUS surprise sampling_by_style [STYLE ...] obedience=FILE ...

MODEL was trained on CORPUS. ``surprise``: nats a note of held-out passages of several lengths, to which new pieces are
compared. ``sampling_by_style``: the sampling with which it writes each style, or each of those named, where one is
clearly better. ``passages``: what the first bars of pieces of each style are like. ``obedience``: the shares of
requests that were met, from what ``benchmarks/protocols.py --json FILE`` and ``benchmarks/obedience.py --guidance 2
--json`` wrote.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toccata.corpus.store import Corpus
from toccata.files import write_json
from toccata.folder import ABOUT, COVERAGE, SAMPLING_BY_STYLE
from toccata.measure.learned import coverage_of
from toccata.measure.reference import FEW, HELD_OUT, PASSAGES, USUAL, ReferenceStats, Spread, surprises
from toccata.measure.rows import OBEDIENCE
from toccata.measure.sampling_choice import choose_by_style
from toccata.musicmodel import Model


def main(path: Path, corpus: Corpus, wanted: list[str]) -> None:
    """Measure, write, print."""
    about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
    if "surprise" in wanted:
        held = next(filter(len, (corpus.numbers(side) for side in HELD_OUT)))
        read = surprises(corpus, Model(path, precision="fp32"), held, PASSAGES)
        found = {bars: Spread.of(values).to_dict() for bars, values in read.items() if len(values) >= FEW}
        shortest = min(found)
        about[USUAL]["passages"] = len(read[shortest])
        about[USUAL]["surprise"] = found.pop(shortest)
        about[USUAL]["surprise_of_longer"] = {str(bars): spread for bars, spread in found.items()}
        print({bars: len(values) for bars, values in read.items()}, about[USUAL]["surprise"], found)
    if "sampling_by_style" in wanted:
        model, held = Model(path, threads=1), next(filter(len, map(corpus.numbers, HELD_OUT)))
        usual, own = ReferenceStats.of_model(model.folder), model.folder.sampling
        assert usual is not None
        assert own is not None
        tried = choose_by_style(
            model,
            corpus,
            held.tolist(),
            usual,
            own,
            styles=[style for style in wanted if style in model.styles] or None,
            update=lambda style, one: print(style, one.to_dict(), flush=True),
        )
        clear = {style: one.setting._asdict() for style, one in tried.items() if one.clear}
        about[SAMPLING_BY_STYLE] = about.get(SAMPLING_BY_STYLE, {}) | clear
        figures = {style: one.to_dict() for style, one in tried.items()}
        about["metrics"][SAMPLING_BY_STYLE] = about["metrics"].get(SAMPLING_BY_STYLE, {}) | figures
    if "passages" in wanted:
        about[COVERAGE]["passages_of_styles"] = coverage_of(corpus).to_json()["passages_of_styles"]
    for file in (Path(one.partition("=")[2]) for one in wanted if one.startswith("obedience=")):
        rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
        about["metrics"][OBEDIENCE] = about["metrics"].get(OBEDIENCE, {}) | dict(shares(rows))
    write_json(path / ABOUT, about)


def shares(rows: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What was asked for, and the share of pieces or bars that had it."""
    for row in rows:
        if "control" in row and not str(row["control"]).startswith("styles "):
            of_bars = "bar by bar" in row["control"]
            yield row["control"], {"share": row["right"], "count": row["pieces"], **({} if of_bars else of(row))}
        elif row.get("protocol") == "styles" and row["what"] != "people":
            yield "style", {"share": row["right"], "count": row["pieces"], **of(row)}
        elif row.get("protocol") == "attributes":
            yield f"{row['what']} of a bar, 8 classes", {"share": row["exact"], "count": row["bars"], **of(row)}
            yield f"{row['what']} of a bar, within one", {"share": row["within_one"], "count": row["bars"], **of(row)}


def of(row: dict[str, Any]) -> dict[str, int]:
    """How many pieces a share is of: bars of one piece are alike, so that a share of bars has no interval."""
    return {"pieces": row["pieces"]}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Corpus(Path(sys.argv[2])), sys.argv[3:])
