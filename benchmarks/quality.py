"""A scoreboard of models, and of folders of MIDI that other systems wrote, beside music by people; docs/scoreboard.md.

Writes ``quality.json``, ``quality.md`` (the table) and ``quality.html`` (the page, with music to see and to hear), and
prints the table. The last folder holds the music by people: pieces that a model has seen are left out.

    python benchmarks/quality.py [--pieces 32] [--bars 32] [--seed 0] [--all] [--out DIR] [--json] [SYSTEM ... MIDI_DIR]

Without arguments, two small models are trained on Bach for ``--minutes`` each and compared on Bach that they have not
seen.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import toccata
from toccata import api
from toccata.files import write_json, write_text

RECIPES = ("bach-gpt", "toccata")


class Said:
    """Says on stderr what is being done."""

    def say(self, text: str) -> None:
        """A message."""
        print(text, file=sys.stderr, flush=True)

    def update(self, task: str, done: int, total: int, text: str = "") -> None:
        """Progress: the end of each task."""
        if done == total:
            self.say(f"{task}: {total:,}")


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("places", nargs="*", metavar="SYSTEM ... MIDI_DIR")
    parser.add_argument("--pieces", type=int, default=32)
    parser.add_argument("--bars", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--all", action="store_true", help="measure on pieces that a model has seen, too")
    parser.add_argument("--minutes", type=float, default=3, help="of training, where no system is given")
    parser.add_argument("--out", type=Path, default=Path("build/quality"), help="where the three files go")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        *systems, people = options.places or trained(Path(temporary), options.minutes)
        if not systems:
            parser.error("name at least one system, and then the folder of music by people")
        board = toccata.compare(
            systems,
            people,
            pieces=options.pieces,
            bars=options.bars,
            seed=options.seed,
            include_seen=options.all,
            progress=Said(),
        )
        options.out.mkdir(parents=True, exist_ok=True)
        write_json(options.out / "quality.json", board.to_dict())
        table = api.markdown(board) + "\n" + "".join(f"- {remark}\n" for remark in api.remarks(board))
        write_text(options.out / "quality.md", table)
        api.write_scoreboard(board, options.out / "quality.html", force=True)
    print(json.dumps(board.to_dict()) if options.json else table)


def trained(place: Path, minutes: float) -> list[str]:
    """Two models trained on Bach, and the folder of Bach."""
    bach = Path(os.environ.get("TOCCATA_DATA", "../shared/data")) / "bach" / "mutopia"
    for recipe in RECIPES:
        toccata.train(bach, place / recipe, recipe=recipe, minutes=minutes)
    return [*(str(place / recipe) for recipe in RECIPES), str(bach)]


if __name__ == "__main__":
    main()
