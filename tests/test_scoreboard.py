"""Scoreboards and listening tests: systems side by side, as numbers and as pages that need nothing but themselves."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import toccata
import toccata.report
from cli_support import call, tiny
from random_model import random_model
from toccata.api import Scoreboard, listening_test, markdown, remarks, table_rows, write_scoreboard
from toccata.errors import CorpusError, ModelError, RequestError
from toccata.measure.likelihood import piece_nats
from toccata.midi.clean import CleanOptions, read_clean
from toccata.musicmodel import Model
from toccata.report.text import number

VOID = {"meta", "br", "hr", "img", "input", "link"}
SHORT = {"pieces": 4, "bars": 1, "include_seen": True}


def spread(data: Path, folder: Path, first: int, count: int) -> Path:
    """Short pieces of Bach in a folder, from all over the collection; others for another ``first``."""
    folder.mkdir(parents=True)
    found = sorted(path for path in (data / "bach" / "mutopia").rglob("*.mid") if 2_000 < path.stat().st_size < 9_000)
    for path in found[first :: len(found) // count][:count]:
        shutil.copy(path, folder / path.name)
    return folder


@pytest.fixture(scope="module")
def people(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spread(data, tmp_path_factory.mktemp("people") / "bach", 0, 12)


@pytest.fixture(scope="module")
def files(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What another system wrote, with a file that cannot be read."""
    folder = spread(data, tmp_path_factory.mktemp("files") / "<other> & composer", 1, 6)
    (folder / "torn.mid").write_bytes(b"MThd")
    return folder


@pytest.fixture(scope="module")
def board(data: Path, people: Path, files: Path) -> Scoreboard:
    model, _ = tiny(data)
    return toccata.compare([model, model, files], people, **SHORT)


def row(board: Scoreboard, key: str) -> Mapping[str, Any]:
    (found,) = [row for row in board.to_dict()["rows"] if row["key"] == key]
    return found


# -- numbers ---------------------------------------------------------------------------------------


def test_a_model_beside_itself_is_no_better(board: Scoreboard) -> None:
    assert board.names == ("tiny", "tiny (2)", "<other> & composer")
    (pair,) = board.paired
    assert (pair.one, pair.other) == (0, 1)
    assert (pair.difference.value, pair.difference.low, pair.difference.high) == (0, 0, 0)
    for found in board.rows:
        if found.key != "notes_per_second":
            assert found.systems[0] == found.systems[1], found.key


def test_the_likelihood_is_that_of_whole_pieces(board: Scoreboard, data: Path, people: Path) -> None:
    model = toccata.load(tiny(data)[0], precision="fp32")
    scores = [read_clean(people / name, CleanOptions()) for name in board.people.names]
    nats = sum(piece_nats(model, score)[0] for score in scores)
    notes = sum(score.note_num() for score in scores)
    each = board.to_dict()["people"]["pieces"]
    assert [piece["path"] for piece in each] == list(board.people.names)
    assert [piece["notes"] for piece in each] == [score.note_num() for score in scores]
    assert sum(piece["nats"][0] for piece in each) == pytest.approx(nats, rel=1e-4)
    assert {piece["nats"][2] for piece in each} == {None}
    found = row(board, "nats_per_note")["systems"]
    assert found[0]["value"] == pytest.approx(nats / notes, rel=1e-4)
    assert row(board, "nats_per_piece")["systems"][0]["value"] == pytest.approx(nats / len(scores), rel=1e-4)
    assert found[2] is None  # files have no likelihood
    assert found[0]["low"] <= found[0]["value"] <= found[0]["high"]
    trip = board.to_dict()["systems"][0]["round_trip"]
    assert trip["notes"] == notes
    assert row(board, "notes_lost")["systems"][0]["value"] == pytest.approx(trip["lost"] / notes, abs=1e-6)


def test_of_two_models_the_better_one_is_told_piece_by_piece(data: Path, people: Path, tmp_path: Path) -> None:
    model = toccata.load(tiny(data)[0])
    wild = random_model(tmp_path / "wild", tokenizer=model.tokenizer, context=128)  # type: ignore[arg-type]
    board = toccata.compare([wild, tiny(data)[0]], people, **SHORT)
    (pair,) = board.paired
    assert pair.difference.low > 0  # large random weights are sure of what is wrong
    each = [row(board, "nats_per_note")["systems"][number]["value"] for number in (0, 1)]
    assert pair.difference.value == pytest.approx(each[0] - each[1], abs=1e-5)
    assert row(board, "copied_notes")["systems"][0] is None  # it has no index


def test_a_folder_of_midi_is_a_system(board: Scoreboard) -> None:
    other = board.to_dict()["systems"][2]
    assert (other["kind"], other["pieces"]) == ("files", 7)
    assert any("torn.mid" in fault for fault in other["faults"])
    assert row(board, "valid")["systems"][2]["value"] <= round(6 / 7, 6)
    assert row(board, "parameters")["systems"][2] is None
    assert row(board, "distance_onset")["systems"][2] is not None


def test_music_by_people_is_within_the_range_of_people(people: Path) -> None:
    board = toccata.compare([people], people, bars=4)
    distances = [found for found in board.rows if found.key.startswith("distance_")]
    assert len(distances) == 7
    assert all(found.within == (True,) for found in distances)
    assert board.paired == ()


def test_pieces_that_a_model_has_seen_are_left_out(data: Path) -> None:
    model, midi = tiny(data)
    whole = toccata.compare([model], midi, **SHORT).people
    unseen = toccata.compare([model], midi, pieces=4, bars=1).people
    assert whole.seen == unseen.seen
    assert whole.seen
    assert len(whole.pieces) == len(unseen.pieces) + whole.seen + (whole.shared or 0)


def test_the_cleaning_is_that_of_the_first_model_and_others_are_named(data: Path, people: Path, tmp_path: Path) -> None:
    other = tmp_path / "quantized"
    shutil.copytree(tiny(data)[0], other)
    about = json.loads((other / "toccata.json").read_text())
    about["name"], about["recipe"]["clean"] = "quantized", {"quantize": 4}
    (other / "toccata.json").write_text(json.dumps(about))
    board = toccata.compare([tiny(data)[0], other], people, **SHORT)
    settings = board.to_dict()["settings"]
    assert settings["clean"]["quantize"] is None
    assert settings["cleaned_otherwise"] == ["quantized"]
    texts = remarks(board)
    assert any("as the recipe of tiny says" in text for text in texts)
    assert any(text.startswith("Warning: quantized learned from music cleaned otherwise") for text in texts)
    alone = toccata.compare([tiny(data)[0]], people, **SHORT)
    assert not any(text.startswith("Warning") for text in remarks(alone))


def test_groups_are_in_the_rows_and_in_a_remark(board: Scoreboard, people: Path) -> None:
    (onsets,) = [found for found in board.to_dict()["rows"] if found["key"] == "distance_onset"]
    assert [system["group"] for system in onsets["systems"]] == [4, 4, 6]
    assert all(len(system["range"]) == 2 for system in onsets["systems"])
    (text,) = [text for text in remarks(board) if text.startswith("Compared with people:")]
    assert "tiny in groups of 4" in text
    assert "composer in groups of 6" in text
    assert any("do not compare" in text for text in remarks(board))


def test_of_one_piece_no_range_is_made_up(data: Path, people: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    shutil.copy(next(people.iterdir()), tmp_path / "one")
    board = toccata.compare([tiny(data)[0]], tmp_path / "one", **SHORT)
    assert row(board, "nats_per_note")["systems"][0]["low"] is None
    assert row(board, "copied_notes")["systems"][0]["within_people"] is None
    assert "No intervals: one piece only of people." in remarks(board)
    assert "Too few pieces to compare with people." in remarks(board)
    value = call("evaluate", tiny(data)[0], tmp_path / "one", "--all", "--json").json
    assert value["nats_per_note_ci95"] == [None, None]
    assert "one piece only" in call("evaluate", tiny(data)[0], tmp_path / "one", "--all").out


def test_notes_that_tokens_leave_out_are_in_the_short_report(
    data: Path, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ("evaluate", tiny(data)[0], people, "--all")
    assert call(*line, "--json").json["notes_lost"] == 0
    assert "cost no nats" not in call(*line).out
    monkeypatch.setattr("toccata.measure.roundtrip.notes_kept", lambda before, after, **_: before.note_num() - 1)
    value = call(*line, "--json").json
    assert value["notes_lost"] == value["pieces"]
    assert f"{value['pieces']} notes of them (" in call(*line).out


def test_what_is_no_system_is_refused(tmp_path: Path, people: Path) -> None:
    with pytest.raises(ModelError, match="neither a model nor a folder with MIDI files"):
        toccata.compare([tmp_path / "nothing"], people)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "torn.mid").write_bytes(b"MThd")
    with pytest.raises(CorpusError, match="no file of it can be read"):
        toccata.compare([tmp_path / "torn"], people)


def test_tables(board: Scoreboard) -> None:
    rows = table_rows(board)
    assert {len(cells) for cells in rows} == {5}
    assert rows[0] == ["", "people", *board.names]
    lines = markdown(board).splitlines()
    assert {line.count("|") for line in lines} == {6}
    assert any(line.startswith("| nats a note |") for line in lines)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.12345, "", "0.123"), (4.877, "", "4.88"), (152.75, "", "152.8"), (5442.9, "", "5,443"),
        (0.123, "%", "12.3 %"), (23_237_592, "bytes", "23.2 MB"), (12, "bytes", "12.0 bytes"), (-0.5, "", "-0.500"),
    ],
)  # fmt: skip
def test_numbers_as_people_read_them(value: float, unit: str, text: str) -> None:
    assert number(value, unit) == text


# -- pages -----------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Reads a page: are its elements closed in their order, what does it refer to, what are its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.refers: list[str] = []
        self.texts: dict[str, str] = {}
        self.count: dict[str, int] = {}
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        self.refers += [
            value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data", "action", "srcset")
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data


def alone(page: str) -> Page:
    """A page that is well-formed and refers to nothing outside."""
    read = Page(page)
    assert all(re.fullmatch(r"data:audio/mpeg;base64,[A-Za-z0-9+/]+=*", place) for place in read.refers)
    without_sound = re.sub(r"data:audio/mpeg;base64,[A-Za-z0-9+/=]+", "", page)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|fetch\(|XMLHttp|import\(", without_sound)
    assert "default-src 'none'" in page
    return read


def test_the_page_of_a_scoreboard_needs_nothing_else(board: Scoreboard, tmp_path: Path) -> None:
    path = write_scoreboard(board, tmp_path / "board.html")
    page = path.read_text(encoding="utf-8")
    read = alone(page)
    assert page.count("data:audio/mpeg") == read.count["audio"] == 12
    assert read.count["figure"] == 12
    assert "<other> & composer" in read.texts["h3"]  # escaped, and so read back as it is
    assert "melodic intervals: distance" in read.texts["th"]
    assert path.stat().st_size < 4_000_000
    sound = base64.b64decode(page.split("data:audio/mpeg;base64,")[1].split('"')[0])
    assert sound[:3] == b"ID3" or sound[0] == 0xFF
    with pytest.raises(RequestError, match="exists already"):
        write_scoreboard(board, path)


@pytest.fixture(scope="module")
def listening(data: Path, files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("listening") / "listen.html"
    return listening_test([tiny(data)[0], files], path, pairs=6, bars=1, seed=5)


def test_a_silent_piece_does_not_end_a_listening_test(
    data: Path, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Model.generate

    def one_silent(self: Model, **named: Any) -> Any:
        pieces = written(self, **named)
        pieces[0].origin["notes"] = 0
        return pieces

    monkeypatch.setattr(Model, "generate", one_silent)
    page = listening_test([tiny(data)[0], files], tmp_path / "x.html", pairs=4, bars=1).read_text("utf-8")
    assert len(_data(page)["pairs"]) == 4


def test_a_listening_test_does_not_say_who_wrote_what(listening: Path, files: Path) -> None:
    page = listening.read_text(encoding="utf-8")
    alone(page)
    for name in ("tiny", "other> &", "composer", *(path.stem for path in files.iterdir())):
        readable = re.sub(r"[A-Za-z0-9+/=]{40,}", "", page)
        assert name not in readable.replace(_script(), "")
    data = _data(page)
    assert len(data["pairs"]) == 6
    assert all(set(pair) == {"left", "right"} for pair in data["pairs"])
    key = _key(data)
    assert key["systems"] == ["tiny", "<other> & composer"]
    assert sorted(key["left"]) == [0, 0, 0, 1, 1, 1]  # each is on either side as often as on the other
    assert key["left"] not in ([0, 1] * 3, [1, 0] * 3)


def test_a_listening_test_shows_what_its_key_says(listening: Path, data: Path, files: Path, tmp_path: Path) -> None:
    shown = _data(listening.read_text(encoding="utf-8"))
    key = _key(shown)
    sides = [pair["left"] if left else pair["right"] for pair, left in zip(shown["pairs"], key["left"], strict=True)]
    # The same pieces of the folder, in another test against another system, are the same sounds.
    again = _data(
        listening_test([files, files], tmp_path / "again.html", pairs=6, bars=1, seed=1).read_text(encoding="utf-8")
    )
    assert set(sides) == {pair[side] for pair in again["pairs"] for side in ("left", "right")}


def test_chance_is_that_of_the_seed(files: Path, tmp_path: Path) -> None:
    pages = [
        listening_test([files, files], tmp_path / f"{n}.html", pairs=4, bars=1, seed=seed, rolls=True).read_text(
            "utf-8"
        )
        for n, seed in enumerate((1, 1, 2))
    ]
    assert pages[0] == pages[1] != pages[2]
    assert _key(_data(pages[0]))["pieces"] != _key(_data(pages[2]))["pieces"]
    assert all(pair["left_roll"].startswith("<svg") for pair in _data(pages[0])["pairs"])


def test_answers_are_counted_for_who_was_on_that_side() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node runs the page's script, and is not here")
    key = {"systems": ["A", "B"], "left": [0, 1, 1, 0], "pieces": [[0, 1]] * 4}
    choices = ["left", "left", "right", "none"]
    answers = [{"choice": choice, "seconds": 1} for choice in choices]
    code = f"{_script()}\nconsole.log(JSON.stringify(counted({json.dumps(key)}, {json.dumps(answers)})))"
    found = json.loads(subprocess.run([node, "-e", code], capture_output=True, text=True, check=True).stdout)
    assert (found["wins"], found["none"]) == ([2, 1], 1)
    assert [answer["preferred"] for answer in found["answers"]] == ["A", "B", "A", None]
    assert found["preference"]["value"] == pytest.approx(2 / 3)


def test_a_listening_test_is_of_two_systems_with_enough_to_hear(files: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="of two systems, not of 1"):
        listening_test([files], tmp_path / "x.html")
    with pytest.raises(RequestError, match="6 pieces with notes, and 7 pairs"):
        listening_test([files, files], tmp_path / "x.html", pairs=7)
    assert not (tmp_path / "x.html").exists()


def _script() -> str:
    return (Path(toccata.report.__path__[0]) / "pages" / "listening.js").read_text(encoding="utf-8")


def _data(page: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.split('id="data">')[1].split("</script>")[0])
    return found


def _key(data: Mapping[str, Any]) -> dict[str, Any]:
    mask, masked = (base64.b64decode(data[name]) for name in ("mask", "key"))
    found: dict[str, Any] = json.loads(bytes(a ^ b for a, b in zip(mask, masked, strict=True)))
    return found


# -- the command -----------------------------------------------------------------------------------


def test_evaluate_compares(
    data: Path, people: Path, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model, _ = tiny(data)
    line = ["evaluate", model, files, people, "--all", "-n", 4, "--bars", 1]
    done = call(*line, "--html", "board.html")
    assert done.code == 0, done.err
    for said in ("nats a note", "melodic intervals: distance", "parameters", "Piece by piece"):
        assert (said in done.out) == (said != "Piece by piece")
    assert (tmp_path / "board.html").exists()
    value = call(*line, "--json").json
    assert [system["kind"] for system in value["systems"]] == ["model", "files"]
    assert value["html"] is None
    assert "exists already" in call(*line, "--html", "board.html").error
    # One model, and nothing else asked, is measured in short.
    assert "nats_per_token" in call("evaluate", model, people, "--all", "--json").json


def test_a_model_may_be_named_by_an_address(
    data: Path, people: Path, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fsspec")
    monkeypatch.setenv("TOCCATA_CACHE", str(tmp_path / "cache"))
    line = [files, people.as_uri(), "--all", "-n", 4, "--bars", 1, "--json"]
    value = call("evaluate", tiny(data)[0].as_uri(), *line).json
    assert [system["name"] for system in value["systems"]] == ["tiny", "<other> & composer"]
    assert value["people"]["pieces"]
    # So may a folder of MIDI, alone and beside others, and in a listening test.
    value = call("evaluate", f"file://{files}", people.as_uri(), "--json").json
    assert [system["kind"] for system in value["systems"]] == ["files"]
    value = call("evaluate", tiny(data)[0], f"file://{files}", *line[1:]).json
    assert [system["kind"] for system in value["systems"]] == ["model", "files"]
    page = tmp_path / "listen.html"
    assert call("evaluate", f"file://{files}", people, "--listen", "-n", 4, "--bars", 1, "--html", page).code == 0
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "readme.txt").write_text("nothing")
    lost = call("evaluate", (tmp_path / "empty").as_uri(), files, "--json", "--html", page, "--force")
    assert f"{(tmp_path / 'empty').as_uri()} is neither a model nor a folder with MIDI files" in lost.error
    assert "cannot be written to" in call("evaluate", files, files, "--html", page.as_uri()).error


def test_evaluate_writes_a_listening_test(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("evaluate", "--listen", files, files, "-n", 4, "--bars", 1, "--json")
    assert done.code == 0, done.err
    assert done.json["page"] == "listen.html"
    assert (tmp_path / "listen.html").exists()
    assert "exists already" in call("evaluate", "--listen", files, files).error
    assert call("evaluate", "--listen", files, files, files, "--force").code == 2
    assert call("evaluate", files, files, "--rolls").code == 2
    assert call("evaluate", files, files, "--listen", "--all", "--force").code == 2
