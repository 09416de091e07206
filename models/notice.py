"""Writes the attribution list of the bundled models: what they learned from, by whom, and under which licences.

    python models/notice.py DATA SOURCES.json NOTICE.md

DATA is the folder that ``models/data.py`` read, with ``MANIFEST.csv`` beside its ``LICENSES-*.md`` and
``licence_texts/``; SOURCES.json is what ``models/data.py`` wrote.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path

_HEAD = """\
# Music that the bundled models learned from

The models in this folder were trained on the files listed here, and on nothing else. They are under the licence of
toccata; the music, and these encodings of it, are under the licences named here. The models hold no files of them, but
a passage that they write can be one that they learned: every piece says how much of it stands in the training data.

"""
_CITED = {
    "pl-wnifc/humdrum-polish-scores": "polish_LICENSE",
    "pl-wnifc/humdrum-chopin-first-editions": "chopin_LICENSE.txt",
}
"""The sources whose first five lines have to be cited, with the file that holds them."""
_THANKS = {
    "OpenScore/Lieder": "OpenScore Lieder Corpus, by the volunteers of OpenScore (https://openscore.cc)",
    "OpenScore/StringQuartets": "OpenScore String Quartets, by the volunteers of OpenScore (https://openscore.cc)",
    "MarkGotham/Hauptstimme": "OpenScore Hauptstimme, by Mark Gotham and others",
    "Groove MIDI Dataset": "Groove MIDI Dataset, by J. Gillick, A. Roberts, J. Engel, D. Eck and D. Bamman",
    "MutopiaProject/MutopiaProject": "The Mutopia Project (https://www.mutopiaproject.org), by its volunteers",
    "freedoom/freedoom": "Freedoom, by its contributors; see the credits below",
}


def main(data: Path, listed: Path, out: Path) -> None:
    """Write the list."""
    files = json.loads(listed.read_text(encoding="utf-8"))
    texts = data / "licence_texts"
    commits = _commits(data)
    counts = Counter((_repository(file["source"]), file["style"], file["licence"]) for file in files)
    lines = [_HEAD, "| source | style | files | licence |", "|---|---|---|---|"]
    for (repository, style, licence), count in sorted(counts.items()):
        at = f" at {commits[repository][:12]}" if repository in commits else ""
        lines.append(f"| {repository}{at} | {style} | {count:,} | {licence} |")
    lines += ["", "## Credits", ""]
    for repository in sorted({repository for repository, _, _ in counts}):
        lines.append(f"- {_THANKS.get(repository, repository)}")
        if repository in _CITED:
            cited = (texts / _CITED[repository]).read_text(encoding="utf-8").splitlines()[:5]
            lines += [f"  > {line}  " for line in cited]
    lines += ["", "## Pieces of the Mutopia Project under Creative Commons licences", ""]
    lines += [
        f"- {file['source'].partition(':')[2] or file['path']} ({file['licence']})"
        for file in files
        if _repository(file["source"]).startswith("Mutopia") and file["licence"].startswith("CC BY")
    ]
    for title, name in (
        ("Freedoom's licence", "freedoom_COPYING.adoc"),
        ("Freedoom's music", "freedoom_CREDITS-MUSIC"),
    ):
        lines += ["", f"## {title}", "", "```", (texts / name).read_text(encoding="utf-8").rstrip(), "```"]
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _repository(source: str) -> str:
    """The repository that a source names."""
    return "Groove MIDI Dataset" if source.startswith("Groove") else source.partition(":")[0].split(" ")[0]


def _commits(data: Path) -> dict[str, str]:
    """The commit of each repository, as the tables of licences have it."""
    tables = "\n".join(path.read_text(encoding="utf-8") for path in sorted(data.glob("LICENSES-*.md")))
    return dict(re.findall(r"\| ([\w.-]+/[\w.-]+)[^|]*\| ([0-9a-f]{40}) \|", tables))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
