"""Lays out the training data of the bundled models: a folder for each style, and a list of all sources.

    python models/data.py DATA OUT

DATA is a folder of music with a MANIFEST.csv (columns ``source_path``, ``folder``, ``source``, ``licence``,
``remark``) and the texts of licences in ``licence_texts/``. A file that has no line in the manifest, or a licence that
is not one of ``FREE``, is not used. OUT gets ``midi/STYLE/...`` for ``toccata prepare`` and ``sources.json`` for
attribution.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

STYLES = {
    "bach/mutopia": "bach",
    "bach/hauptstimme": "bach",
    "piano/chopin_first_editions": "chopin",
    "piano/keyboard": "keyboard",
    "polish": "polish",
    "choir": "choir",
    "songs": "songs",
    "quartets": "quartets",
    "orchestra": "orchestra",
    "game": "game",
    "drums": "drums",
}
"""The style of each folder that is used. Not used: ``benchmark_only``, and ``chorales_synthetic``, which a model
wrote."""
FREE = {
    "Public Domain": "Public Domain",
    "PD": "Public Domain",
    "CC0": "CC0 1.0",
    "CC0 1.0": "CC0 1.0",
    "CC BY": "CC BY",
    "BY": "CC BY",
    "CC BY 4.0": "CC BY 4.0",
    "BSD-3-Clause": "BSD 3-Clause",
}
"""The licences that music is used under, by their names in the manifest."""
_VERSIONS = ("2.5", "3.0", "4.0")


@dataclass(frozen=True)
class Source:
    """One file of music.

    Attributes:
        path: Of the file, below the folder of all data.
        style: The folder it goes into.
        source: Where it is from: a repository, and the piece's place in it.
        licence: Its licence.
    """

    path: str
    style: str
    source: str
    licence: str


def sources(data: Path) -> list[Source]:
    """Return the files that may be used, in the order of their paths.

    Raises:
        OSError: There is no manifest.
    """
    found: list[Source] = []
    with (data / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["folder"] in STYLES]
    for folder, style in STYLES.items():
        known = {_flat(row["source_path"]): row for row in rows if row["folder"] == folder}
        for path in sorted((data / folder).glob("**/*.mid")):
            row = _row(path.relative_to(data / folder).as_posix(), known)
            licence = None if row is None else _licence(row["licence"])
            if row is not None and licence is not None:
                found.append(Source(path.relative_to(data).as_posix(), style, row["source"], licence))
    return found


def _flat(path: str) -> str:
    """A path of the manifest as the files' names have it: without an ending, its folders joined."""
    return (
        path.rsplit(".", 1)[0].replace("/", "_") if path.endswith((".mid", ".mxl", ".krn")) else path.replace("/", "_")
    )


def _row(path: str, known: dict[str, dict[str, str]]) -> dict[str, str] | None:
    """The line of a file: its name is the source's, or that and the name of one of its movements."""
    name = _flat(path)
    while name not in known and "_" in name:
        name = name.rsplit("_", 1)[0]
    return known.get(name)


def _licence(named: str) -> str | None:
    """The licence that a line names, with its version; None: it is not a free one."""
    first, _, rest = (part.strip() for part in named.partition("|"))
    licence = FREE.get(first)
    if licence == "CC BY":
        return next((f"CC BY {version}" for version in _VERSIONS if version in rest), None)
    return licence


def main(data: Path, out: Path) -> None:
    """Lay out the files and write the list of sources."""
    files = sources(data)
    for file in files:
        place = out / "midi" / file.style / Path(file.path).parent.name / Path(file.path).name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(data / file.path, place)
    (out / "sources.json").write_text(json.dumps([asdict(file) for file in files], indent=0), encoding="utf-8")
    for (style, licence), count in sorted(Counter((file.style, file.licence) for file in files).items()):
        print(f"{style:12} {licence:16} {count:6,}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
