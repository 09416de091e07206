"""``toccata clean``: a cleaned copy of every file, or the reason why there is none; the originals stay as they are."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import toccata
from cli_support import call, some_bach
from toccata.errors import CorpusError, RequestError
from toccata.midi.clean import CleanOptions
from toccata.midi.copies import copy_cleaned
from toccata.midi.read import read_score


def track(pitches: list[int], *, channel: int = 0, program: int = 0) -> bytes:
    """A track that plays the pitches one after the other, a quarter each at 480 ticks."""
    events = bytes([0, 0xC0 | channel, program])
    for pitch in pitches:
        events += bytes([0, 0x90 | channel, pitch, 80, 0x83, 0x60, 0x80 | channel, pitch, 0])
    events += b"\x00\xff\x2f\x00"
    return b"MTrk" + len(events).to_bytes(4, "big") + events


def midi(kind: int, *tracks: bytes) -> bytes:
    return b"MThd" + struct.pack(">LHHH", 6, kind, len(tracks), 480) + b"".join(tracks)


SONG = midi(1, track([60, 62, 64, 65] * 4), track([48, 50, 52, 53] * 4, channel=1, program=32))
BAD = {
    "zero.mid": b"",
    "torn.mid": SONG[:40],
    "random.kar": random.Random(0).randbytes(2000),
    "random-behind-a-head.midi": midi(1) + random.Random(1).randbytes(2000),
    "no-notes.mid": midi(1, track([])),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def folder(here: Path) -> Path:
    """Every kind of file, two folders deep, and some that are no music."""
    for name, content in {
        "one.mid": SONG,
        "deep/type0.MID": midi(0, track([60, 64, 67] * 3)),
        "deep/er/type2.midi": midi(2, track([60] * 3), track([72] * 5)),
        "deep/er/words.kar": SONG,
        "deep/drums.mid": midi(1, track([60] * 20), track([36] * 20, channel=9)),
        "deep/notes.txt": b"no music",
        **{f"bad/{name}": content for name, content in BAD.items()},
    }.items():
        path = here / "midi" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return here / "midi"


def files(folder: Path) -> dict[str, str]:
    """Every file below a folder and what is in it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


GOOD = {"one.mid", "deep/type0.MID", "deep/er/type2.midi", "deep/er/words.kar", "deep/drums.mid"}


def test_every_file_is_copied_or_told(folder: Path, here: Path) -> None:
    before = files(folder)
    done = call("clean", "midi", "out", "--json")
    assert done.code == 0
    value = done.json
    assert set(files(here / "out")) == GOOD
    assert value["files"] == 10 == value["written"] + len(value["rejected"])
    assert {Path(row["path"]).name for row in value["rejected"]} == set(BAD)
    assert all(row["reason"] and "\n" not in row["reason"] for row in value["rejected"])
    assert value["notes"] == sum(read_score(here / "out" / name).note_num() for name in GOOD)
    assert files(folder) == before


def test_for_a_person_the_reasons_are_on_stderr(folder: Path) -> None:
    for words in ([], ["--quiet"]):
        done = call("clean", "midi", f"out{len(words)}", *words)
        assert done.code == 0
        assert done.out.startswith("5 files with ")
        assert "5 files left out" in done.out
        for name in BAD:
            assert sum(line.startswith(f"left out: midi/bad/{name}: ") for line in done.err.splitlines()) == 1


def test_type_0_and_2(folder: Path, here: Path) -> None:
    call("clean", "midi", "out")
    zero = read_score(here / "out" / "deep" / "type0.MID")
    assert [note.pitch for note in zero.tracks[0].notes] == [60, 64, 67] * 3
    two = read_score(here / "out" / "deep" / "er" / "type2.midi")
    notes = sorted((note.time, note.pitch) for one in two.tracks for note in one.notes)
    # the second song begins with the bar after the first one's end
    assert notes == [(i * 480, 60) for i in range(3)] + [(1920 + i * 480, 72) for i in range(5)]
    assert (here / "out" / "deep" / "er" / "type2.midi").read_bytes()[8:10] == b"\x00\x01"


def test_the_options_do_what_they_say(folder: Path, here: Path) -> None:
    call("clean", "midi", "out", "--drop-drums", "--merge", "--as", "harpsichord")
    merged = read_score(here / "out" / "one.mid")
    assert [(one.program, len(one.notes)) for one in merged.tracks] == [(6, 32)]
    assert not any(one.is_drum for one in read_score(here / "out" / "deep" / "drums.mid").tracks)
    value = call("clean", "midi", "bass", "--program", "acoustic bass", "--json").json
    assert value["written"] == 2
    assert {one.program for one in read_score(here / "bass" / "one.mid").tracks} == {32}
    reasons = {
        row["path"]: row["reason"] for row in call("clean", "midi", "long", "--min-bars", 5, "--json").json["rejected"]
    }
    assert reasons[str(Path("midi", "one.mid"))] == "too short: 4 bars (at least 5)"
    assert "too long" in json.dumps(call("clean", "midi", "short", "--max-bars", 3, "--json").json["rejected"])
    assert "too few notes" in json.dumps(call("clean", "midi", "full", "--min-notes", 20, "--json").json["rejected"])
    call("clean", "midi/one.mid", "grid.mid", "--quantize", 2)
    assert all(note.time % 240 == 0 for one in read_score(here / "grid.mid").tracks for note in one.notes)


def test_real_music_keeps_its_notes(data: Path, here: Path) -> None:
    some_bach(data, here / "midi", 3)
    shutil.copy(sorted((data / "orchestra").rglob("*.mid"))[0], here / "midi" / "orchestra.mid")
    shutil.copy(sorted((data / "game").rglob("*.mid"))[0], here / "midi" / "game.mid")
    assert call("clean", "midi", "out", "--json").json["written"] == 5

    def sounds(path: Path) -> list[tuple[int, int, int, int, int, bool]]:
        return sorted(
            (n.time, n.pitch, n.duration, n.velocity, t.program, t.is_drum)
            for t in read_score(path).tracks
            for n in t.notes
        )

    again = toccata.clean(here / "out", here / "twice")
    assert len(again.written) == 5
    for path in (here / "out").iterdir():
        assert sounds(path) == sounds(here / "twice" / path.name)  # what is clean stays as it is
        assert {s[:2] for s in sounds(path)} <= {s[:2] for s in sounds(here / "midi" / path.name)}
        assert len(sounds(path)) > 0.95 * len(sounds(here / "midi" / path.name))


def test_instruments_keep_to_their_channels(data: Path, here: Path) -> None:
    """An orchestra has more parts than MIDI has channels: where two share one, it is because they are the same."""
    import mido

    source = sorted((data / "orchestra").rglob("*.mid"))[0]
    call("clean", source, "out.mid")
    playing: dict[int, set[int]] = {}
    programs: dict[int, int] = {}
    for message in mido.MidiFile(here / "out.mid"):
        if message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type == "note_on":
            playing.setdefault(message.channel, set()).add(programs[message.channel])
    used = set().union(*(found for channel, found in playing.items() if channel != 9))
    assert used == {one.program for one in read_score(source).tracks if len(one.notes) and not one.is_drum}


def test_nothing_is_replaced_without_force(folder: Path, here: Path) -> None:
    call("clean", "midi", "out")
    first = files(here / "out")
    (here / "out" / "deep" / "type0.MID").unlink()
    other = ("--merge", "--as", "harpsichord", "--json")
    done = call("clean", "midi", "out", *other)
    assert done.code == 0
    assert done.json["written"] == 1
    assert sum("--force" in row["reason"] for row in done.json["rejected"]) == 4
    assert {name: mark for name, mark in files(here / "out").items() if "type0" not in name} == {
        name: mark for name, mark in first.items() if "type0" not in name
    }
    assert call("clean", "midi", "out", "--force", *other).json["written"] == 5
    assert files(here / "out")["one.mid"] != first["one.mid"]


def test_the_same_command_goes_on(folder: Path, here: Path) -> None:
    """Copies that are there and the same are made; they are not touched again."""
    call("clean", "midi", "out")
    first = files(here / "out")
    (here / "out" / "one.mid").unlink()
    times = {path: path.stat().st_mtime_ns for path in (here / "out").rglob("*.*")}
    done = call("clean", "midi", "out", "--report", "r.json", "--json")
    assert done.code == 0
    assert (done.json["written"], done.json["before"], len(done.json["rejected"])) == (5, 4, 5)
    assert files(here / "out") == first
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert json.loads((here / "r.json").read_text(encoding="utf-8"))["accepted"] == 5
    (here / "out" / "one.mid").write_bytes(SONG)
    other = call("clean", "midi", "out", "--json")
    assert other.code == 0
    assert (other.json["written"], other.json["before"]) == (4, 4)
    assert [row["path"] for row in other.json["rejected"] if "is there already" in row["reason"]] == ["midi/one.mid"]
    assert (here / "out" / "one.mid").read_bytes() == SONG
    whole = call("clean", "midi", "out", "--force", "--json")
    assert (whole.json["written"], whole.json["before"]) == (5, 0)
    result = call("clean", "midi/one.mid", "out")
    assert result.code == 0
    assert "1 file with 32 notes written to out, 1 of them before; 0 files left out" in result.out


def test_when_nothing_is_written_it_fails_and_says_why(folder: Path, here: Path) -> None:
    call("clean", "midi", "out")
    again = call("clean", "midi", "out", "--merge", "--as", "harpsichord", "--json")
    assert again.code == 1
    assert again.json["written"] == 0
    assert len(again.json["rejected"]) == 10
    assert again.json["error"]["kind"] == "nothing-written"
    bad = call("clean", "midi/bad", "new/deeper")
    assert bad.code == 1
    assert bad.out == ""
    assert "nothing was written" in bad.error
    assert bad.err.count("left out: ") == 5
    assert not (here / "new").exists()


@pytest.mark.parametrize("name", BAD)
def test_one_bad_file(name: str, folder: Path, here: Path) -> None:
    done = call("clean", folder / "bad" / name, "out")
    assert done.code == 1
    assert name in done.error
    assert not (here / "out").exists()


def test_one_file_as_a_file_or_into_a_folder(folder: Path, here: Path) -> None:
    assert call("clean", "midi/one.mid", "copy.mid").code == 0
    assert call("clean", "midi/one.mid", "new/folder").code == 0
    assert (here / "copy.mid").read_bytes() == (here / "new" / "folder" / "one.mid").read_bytes()
    (here / "there").mkdir()
    assert call("clean", "midi/one.mid", "there").code == 0
    assert (here / "there" / "one.mid").exists()


def test_a_riff_file_becomes_plain_midi_under_a_name_of_its_own(here: Path) -> None:
    body = b"RMIDdata" + len(SONG).to_bytes(4, "little") + SONG
    (here / "midi").mkdir()
    (here / "midi" / "a.rmi").write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)
    made = toccata.clean("midi", "out")
    assert [path.name for path in made.written] == ["a.mid"]
    (here / "midi" / "a.mid").write_bytes(SONG)
    both = toccata.clean("midi", "both")
    assert len(both.written) == 1
    assert "rename" in both.rejected[0].reason


@pytest.mark.parametrize("out", ["midi", "midi/out", "midi/deep/er", ".//midi", "link", "link/out"])
def test_the_originals_are_no_place_for_copies(out: str, folder: Path, here: Path) -> None:
    (here / "link").symlink_to(folder, target_is_directory=True)
    before = files(folder)
    for force in ([], ["--force"]):
        done = call("clean", "midi", out, *force, "--json")
        assert done.code == 1
        assert done.json["error"]["kind"] == "bad-request"
        assert "is read" in done.error
    assert files(folder) == before


def test_a_folder_that_the_copies_would_reach_into(here: Path) -> None:
    (here / "all" / "midi" / "midi").mkdir(parents=True)
    (here / "all" / "midi" / "midi" / "one.mid").write_bytes(SONG)
    before = files(here)
    assert "inside of" in call("clean", "all/midi", "all", "--force").error
    assert files(here) == before


def test_a_file_is_not_its_own_copy(folder: Path) -> None:
    before = files(folder)
    for out in ("midi/one.mid", "midi", "midi/../midi/one.mid"):
        assert "replaced by its copy" in call("clean", "midi/one.mid", out, "--force").error
    assert files(folder) == before


@pytest.mark.parametrize("what", ["empty", "without-midi", "missing"])
def test_folders_without_music(what: str, here: Path) -> None:
    if what != "missing":
        (here / what).mkdir()
    if what == "without-midi":
        (here / what / "notes.txt").write_text("no music")
    done = call("clean", what, "out", "--json")
    assert done.code == 1
    assert done.json["error"]["kind"] == "bad-corpus"
    assert what in done.error
    assert not (here / "out").exists()
    with pytest.raises(CorpusError):
        toccata.clean(what, "out")


def test_places_that_cannot_be(folder: Path, here: Path) -> None:
    (here / "file").write_text("no folder")
    for out in ("file", "file/below"):
        done = call("clean", "midi", out, "--json")
        assert done.code == 1
        assert done.json["error"]["kind"] == "no-place"
        assert "file" in done.error
    assert (here / "file").read_text() == "no folder"
    with pytest.raises(RequestError, match="cannot be made"):
        toccata.clean(folder, here / ("x" * 300))


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="needs /proc, which takes no files: Linux alone has it"
)
def test_a_disk_that_takes_nothing(folder: Path) -> None:
    done = call("clean", "midi", "/proc/no/such")
    assert done.code == 1
    assert "/proc/no/such cannot be made" in done.error


@pytest.mark.skipif(
    not Path("/dev/full").exists() or shutil.which("unshare") is None, reason="needs unshare, to mount a disk of 4 kB"
)
def test_a_full_disk_is_told_once(folder: Path, here: Path) -> None:
    script = (
        f"mount -t tmpfs -o size=4k tmpfs {here / 'full'} && {sys.executable} -m toccata.cli.main clean midi full/out"
    )
    (here / "full").mkdir()
    done = subprocess.run(["unshare", "-mr", "sh", "-c", script], capture_output=True, text=True, cwd=here)
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip("this user may not mount the small file system that the test fills")
    assert done.returncode == 1
    assert "is full" in done.stderr.splitlines()[-1]


def test_a_place_in_the_way_costs_its_file_only(folder: Path, here: Path) -> None:
    (here / "out").mkdir()
    (here / "out" / "deep").write_text("a file where a folder should be")
    (here / "out" / "one.mid").mkdir()
    value = call("clean", "midi", "out", "--force", "--json").json
    assert value["written"] == 0
    reasons = {Path(row["path"]).name: row["reason"] for row in value["rejected"]}
    assert "is a folder" in reasons["one.mid"]
    assert "cannot be written" in reasons["drums.mid"]


def test_long_names_are_copied(here: Path) -> None:
    (here / "midi").mkdir()
    name = "x" * 251 + ".mid"
    (here / "midi" / name).write_bytes(SONG)
    assert [path.name for path in toccata.clean("midi", "out").written] == [name]
    assert [path.name for path in (here / "out").iterdir()] == [name]


def test_reports(folder: Path, here: Path) -> None:
    done = call("clean", "midi", "out", "--report", "r.csv", "--report", "r.json", "--json")
    assert done.json["reports"] == ["r.csv", "r.json"]
    table = (here / "r.csv").read_text(encoding="utf-8").splitlines()
    rows = {row["path"]: row for row in csv.DictReader(table)}
    assert len(rows) == 10
    assert {row["status"] for row in rows.values()} == {"accepted", "rejected"}
    written = json.loads((here / "r.json").read_text(encoding="utf-8"))
    assert written["notes"] == done.json["notes"]
    assert written["rejected"] == done.json["rejected"]
    assert call("clean", "midi", "other", "--report", "r.pdf").code == 2
    assert "--force" in call("clean", "midi", "other", "--report", "r.csv").error
    assert not (here / "other").exists()


def test_wrong_usage(folder: Path) -> None:
    for words in (["--as", "piano"], ["--merge", "--as", "drums"], ["--program", "violn"], ["--quantize", 0]):
        done = call("clean", "midi", "out", *words)
        assert done.code == 2, words
        assert done.error


def test_workers_and_this_process_do_the_same(folder: Path, here: Path) -> None:
    calls: list[tuple[int, int]] = []
    alone = copy_cleaned(folder, here / "a", CleanOptions(min_notes=1), processes=0)
    many = copy_cleaned(
        folder, here / "b", CleanOptions(min_notes=1), processes=2, progress=lambda done, of: calls.append((done, of))
    )
    assert files(here / "a") == files(here / "b")
    assert alone.rejected == many.rejected
    assert calls == [(n, 10) for n in range(1, 11)]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every folder")
def test_folders_that_may_not_be_opened_are_told(folder: Path) -> None:
    (folder / "deep").chmod(0)
    try:
        rejected = call("clean", "midi", "out", "--json").json["rejected"]
    finally:
        (folder / "deep").chmod(0o755)
    assert [row["path"] for row in rejected if "cannot be opened" in row["reason"]] == [str(Path("midi", "deep"))]
