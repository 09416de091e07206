"""The chorales out of music21: the right notes, in bars that are bars."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path

import mido
import pytest
from symusic import Score

from toccata.datasets import read_chorale, write_bach
from toccata.errors import MissingExtra, RequestError
from toccata.midi.bars import bar_map


@pytest.fixture(scope="module")
def chorales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("music21")
    folder = tmp_path_factory.mktemp("bach")
    seen: list[tuple[int, int]] = []
    report = write_bach(folder, limit=3, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert report["files"] == report["written"] == 3
    assert report["skipped"] == []
    assert report["notes"] == sum(Score(p).note_num() for p in folder.glob("*.mid"))
    return folder


def test_a_folder_of_chorales(chorales: Path) -> None:
    assert sorted(p.name for p in chorales.iterdir()) == ["NOTICE.txt", "bwv1.6.mid", "bwv2.6.mid", "bwv3.6.mid"]
    assert "music21" in (chorales / "NOTICE.txt").read_text()
    for path in chorales.glob("*.mid"):
        score = Score(path)
        assert [t.name for t in score.tracks] == ["Soprano", "Alto", "Tenor", "Bass"]
        assert score.ticks_per_quarter == 480
        assert len(score.tempos) >= 1
        assert len(score.key_signatures) == 1
        bars = bar_map(score)
        assert set(bars.meters) == {(4, 4)}
        # An upbeat stands at the end of the first bar; the last chord ends a bar or leaves room for the upbeat.
        assert 0 <= score.start() < bars.starts[1]
        assert bars.end - score.end() <= 480
        for track in score.tracks:
            starts = [n.time for n in track.notes]
            assert len(set(starts)) == len(starts)  # one voice
        assert {m.channel for t in mido.MidiFile(path).tracks for m in t if m.type == "note_on"} == {0, 1, 2, 3}


def test_written_again_nothing_changes(chorales: Path) -> None:
    path = chorales / "bwv2.6.mid"
    before = path.read_bytes(), path.stat().st_mtime_ns
    (chorales / "bwv3.6.mid").unlink()
    report = write_bach(chorales, limit=3)
    assert (report["files"], report["written"]) == (3, 1)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_a_notice_of_another_kind_stays(tmp_path: Path) -> None:
    pytest.importorskip("music21")
    (tmp_path / "NOTICE.txt").write_text("Of my own project")
    with pytest.raises(RequestError, match="name another folder"):
        write_bach(tmp_path, limit=1)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("NOTICE.txt", "Of my own project")]


def test_without_music21(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "music21" else real(name))
    with pytest.raises(MissingExtra, match=r'pip install "toccata\[dataset\]"'):
        write_bach(tmp_path)


def _note(step: str, octave: int, duration: int, more: str = "") -> str:
    return (
        f"<note><pitch><step>{step}</step><octave>{octave}</octave></pitch><duration>{duration}</duration>{more}</note>"
    )


def _score(measures: list[str]) -> str:
    names = ["Soprano\rOboe", "Alto", "Tenor", "Bass", "Horn"]
    parts = "".join(
        f'<part id="P{n}">' + "".join(f"<measure>{m}</measure>" for m in measures) + "</part>" for n in range(5)
    )
    listed = "".join(
        f'<score-part id="P{n}"><part-name>{name}</part-name></score-part>' for n, name in enumerate(names)
    )
    return f"<score-partwise><part-list>{listed}</part-list>{parts}</score-partwise>"


def test_upbeats_ties_endings_and_repeats_inside_a_bar(tmp_path: Path) -> None:
    start = (
        "<attributes><divisions>2</divisions><key><fifths>-3</fifths><mode>minor</mode></key>"
        "<time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
    )
    measures = [
        start + _note("C", 4, 2),  # an upbeat of a quarter
        _note("D", 4, 6) + _note("E", 4, 2, '<tie type="start"/>'),
        _note("E", 4, 4, '<tie type="stop"/>') + _note("F", 4, 2),  # three quarters, then a repeat sign
        _note("G", 4, 2),
        '<barline><ending number="1" type="start"/></barline>' + _note("A", 4, 8)
        + '<barline><ending number="1" type="stop"/></barline>',
        '<barline><ending number="2" type="start"/></barline>' + _note("B", 4, 8)
        + '<barline><ending number="2" type="discontinue"/></barline>',
        _note("C", 5, 6),
    ]  # fmt: skip
    plain = tmp_path / "small.xml"
    plain.write_text(_score(measures))
    packed = tmp_path / "small.mxl"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("META-INF/container.xml", "<container/>")
        archive.writestr("small.musicxml", _score(measures))
    for path in (plain, packed):
        score = read_chorale(path)
        assert [t.name for t in score.tracks] == ["Soprano", "Alto", "Tenor", "Bass"]
        quarters = [(n.time / 480, n.duration / 480, n.pitch) for n in score.tracks[0].notes]
        assert quarters == [
            (3, 1, 60), (4, 3, 62), (7, 3, 64), (10, 1, 65), (11, 1, 67), (12, 4, 71), (16, 3, 72)
        ]  # fmt: skip
        assert [(s.time, s.numerator, s.denominator) for s in score.time_signatures] == [(0, 4, 4)]
        assert [(k.key, k.tonality) for k in score.key_signatures] == [(-3, 1)]
        assert score.tempos[0].qpm == pytest.approx(100)


def test_a_short_bar_in_the_middle_gets_a_meter_of_its_own(tmp_path: Path) -> None:
    start = "<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
    path = tmp_path / "short.xml"
    path.write_text(_score([start + _note("C", 4, 4), _note("D", 4, 2), _note("E", 4, 4), _note("F", 4, 4)]))
    score = read_chorale(path)
    assert [(s.time // 480, s.numerator, s.denominator) for s in score.time_signatures] == [
        (0, 4, 4), (4, 2, 4), (6, 4, 4)
    ]  # fmt: skip


def test_what_is_no_chorale_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "piano.xml"
    path.write_text(_score([]).replace("Alto", "Piano"))
    with pytest.raises(ValueError, match="soprano"):
        read_chorale(path)
