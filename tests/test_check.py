"""The data check: what is in a folder, and the three ways to write it down."""

from __future__ import annotations

import csv
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from toccata.errors import CorpusError, RequestError
from toccata.midi import edit
from toccata.midi.check import Report, check
from toccata.midi.clean import CleanOptions
from toccata.midi.read import read_score


@pytest.fixture(scope="module")
def folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real pieces, one of them four times in disguise, and files that are broken."""
    folder = tmp_path_factory.mktemp("music")
    originals = {
        "chorale": sorted((data / "bach" / "mutopia").glob("*.mid"))[3],
        "game": sorted((data / "game").rglob("*.mid"))[3],
        "song": sorted((data / "songs").glob("*.mid"))[3],
    }
    for name, path in originals.items():
        shutil.copy(path, folder / f"{name}.mid")
    score = read_score(originals["song"])
    (folder / "more").mkdir()
    edit.transpose(score, 2).dump_midi(folder / "more" / "higher.mid")
    edit.scale_tempo(score, 1.5).dump_midi(folder / "more" / "<b>faster & faster.mid")
    raw = originals["chorale"].read_bytes()
    (folder / "cut.mid").write_bytes(raw[: len(raw) // 2])
    (folder / "empty.mid").write_bytes(b"")
    (folder / "noise.mid").write_bytes(bytes(range(256)) * 4)
    return folder


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    return check(folder, processes=0)


def test_what_is_in_a_folder(report: Report, folder: Path) -> None:
    found = report.to_dict()
    assert (found["files"], found["accepted"]) == (8, 5)
    assert {Path(each["path"]).name: each["reason"].split(":")[0] for each in found["rejected"]} == {
        "cut.mid": "is cut short",
        "empty.mid": "is empty (0 bytes)",
        "noise.mid": "is no MIDI file",
    }
    song = {
        str(folder / "song.mid"),
        str(folder / "more" / "higher.mid"),
        str(folder / "more" / "<b>faster & faster.mid"),
    }
    assert [set(group) for group in found["duplicates"]] == [song]
    assert found["notes"] == sum(piece["notes"] for piece in found["pieces"])
    assert found["hours"] == pytest.approx(sum(piece["seconds"] for piece in found["pieces"]) / 3600, abs=1e-3)
    assert found["instruments"]["Drums"] == 1
    assert found["meters"]
    assert 0.5 < found["quantised"] <= 1


def test_workers_find_the_same(report: Report, folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    again = check(folder, progress=lambda done, total: seen.append((done, total)), processes=2)
    assert again == report
    assert seen == [(done, 8) for done in range(1, 9)]


def test_options_count(folder: Path) -> None:
    found = check(folder, CleanOptions(programs=(-1,)), processes=0)
    assert [file.path.name for file in found.accepted] == ["game.mid"]
    assert "no notes of the instruments asked for" in {file.reason for file in found.rejected}


def test_json(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path / "new" / "report.json")
    assert json.loads((tmp_path / "new" / "report.json").read_text("utf-8")) == report.to_dict()


def test_csv_has_a_row_for_each_file(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path / "report.csv")
    with (tmp_path / "report.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows].count("accepted") == 5
    assert len(rows) == 8
    assert sum(row["duplicate_group"] == "1" for row in rows) == 3
    assert all(row["reason"] if row["status"] == "rejected" else int(row["notes"]) for row in rows)


def test_html_stands_alone_and_escapes_names(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "&lt;b&gt;faster &amp; faster.mid" in page
    assert "is cut short" in page
    tags: list[str] = []
    linked: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)
            linked.extend(name for name, _ in attrs if name in ("src", "href"))

    Reader().feed(page)
    assert not linked
    assert "b" in tags  # the tiles' figures
    assert tags.count("table") == 2


def test_other_suffixes_are_refused(report: Report, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"\.json, \.csv or \.html"):
        report.write(tmp_path / "report.pdf")


def test_a_folder_of_broken_files_is_reported_not_refused(tmp_path: Path) -> None:
    (tmp_path / "x.mid").write_bytes(b"")
    found = check(tmp_path)
    assert (found.notes, found.hours, found.quantised, len(found.rejected)) == (0, 0, 0, 1)
    found.write(tmp_path / "r.html")
    found.write(tmp_path / "r.csv")


def test_a_folder_without_midi_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError):
        check(tmp_path)
