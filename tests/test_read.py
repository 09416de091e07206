"""Reading MIDI files: what comes out of good ones, and that no bad one takes the program down."""

from __future__ import annotations

import multiprocessing
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic import Score

from toccata.errors import CorpusError, MidiError, MidiUnavailableError
from toccata.midi.chunks import MAX_BYTES
from toccata.midi.facts import facts, seconds_at
from toccata.midi.read import find_midi, map_files, read_score
from toccata.midi.text import readable, to_bytes

END = b"\x00\xff\x2f\x00"


def number(value: int) -> bytes:
    out = [value & 127]
    while value := value >> 7:
        out.insert(0, value & 127 | 128)
    return bytes(out)


def note(pitch: int, length: int, wait: int = 0, channel: int = 0) -> bytes:
    return number(wait) + bytes([0x90 | channel, pitch, 64]) + number(length) + bytes([0x80 | channel, pitch, 0])


def smf(*tracks: bytes, kind: int = 1, division: int = 480, count: int | None = None) -> bytes:
    head = b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks) if count is None else count, division)
    return head + b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)


def notes(score: Score) -> list[tuple[int, int, int]]:
    return sorted((n.time, n.duration, n.pitch) for track in score.tracks for n in track.notes)


SCALE = b"".join(note(60 + step, 240) for step in range(8))
PLAIN = smf(SCALE + END)
EIGHT = [(240 * step, 240, 60 + step) for step in range(8)]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("type 0", smf(SCALE + END, kind=0)),
        ("type 0 that has two tracks", smf(SCALE + END, END, kind=0)),
        ("junk behind", PLAIN + b"\0\0junk"),
        ("unknown chunk", PLAIN + b"XFIH" + struct.pack(">I", 4) + b"abcd"),
        ("unknown chunk first", PLAIN[:14] + b"XFIH" + struct.pack(">I", 4) + b"abcd" + PLAIN[14:]),
        ("no end of track", smf(SCALE)),
        ("events after the end of track", smf(SCALE + END + note(1, 1))),
        ("too few tracks claimed", smf(END, SCALE + END, count=1)),
        ("too many tracks claimed", smf(SCALE + END, count=7)),
        ("long header", b"MThd" + struct.pack(">IHHH", 8, 1, 1, 480) + b"ab" + PLAIN[14:]),
        ("RIFF", b"RIFF" + struct.pack("<I", len(PLAIN) + 12) + b"RMIDdata" + struct.pack("<I", len(PLAIN)) + PLAIN),
        ("MacBinary", bytes(128) + PLAIN),
        (
            "running status after a meta event",
            smf(SCALE[:-9] + b"\x00\x90\x43\x40\x00\xff\x01\x00\x81\x70\x43\x00" + END),
        ),
        ("realtime bytes", smf(b"\x00\xf8\x00\xfe\x00\xf1\x00" + SCALE + END)),
        ("broken meta events", smf(b"\x00\xff\x51\x01\x00\x00\xff\x58\x01\x04\x00\xff\x59\x02\x40\x09" + SCALE + END)),
        (
            "meter of nothing, tempo of nothing",
            smf(b"\x00\xff\x58\x04\x00\x02\x18\x08\x00\xff\x51\x03\0\0\0" + SCALE + END),
        ),
        ("hanging note", smf(b"\x00\x90\x20\x40" + SCALE + END)),
        ("system exclusive", smf(b"\x00\xf0\x03\x41\x10\xf7" + SCALE + END)),
    ],
)
def test_harmless_faults_are_mended(name: str, data: bytes) -> None:
    assert notes(read_score(data)) == EIGHT, name


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (bytes(1000), "no MIDI file"),
        (b"<html>404</html>" * 50, "no MIDI file"),
        (b"MThd", "cut short"),
        (PLAIN[:20], "no tracks"),
        (PLAIN[:4] + b"\xff\xff\xff\xff" + PLAIN[8:], "broken header"),
        (smf(SCALE + b"\x00\x90\x3c"), "breaks off inside an event"),
        (smf(SCALE + b"\x00\xff\x01\xff\xff\xff\x7fabc"), "breaks off inside an event"),
        (smf(b"\x00\x3c\x40" + SCALE), "without a command"),
        (smf(b"\x00\xf4" + SCALE), "unknown command"),
        (smf(b"\xff\xff\xff\xff\x7f" + SCALE), "more than four bytes"),
        (smf(END), "has no notes"),
        (smf(b"\x00\x90\x3c\x40" + END), "has no notes"),
        (smf(SCALE + END, kind=3), "type 3"),
        (smf(SCALE + END, division=0), "0 ticks a quarter"),
        (smf(SCALE + END, division=0x9900), "does not exist"),
        (smf(note(60, 480 * 400_000) + END), "lasts 400,000 quarter notes"),
        (smf(note(60, 250_000 * 4, 0) + END, division=1), "lasts 1,000,000 quarter notes"),
        (smf(note(60, 0x0FFFFFFF) * 12 + END), "goes on to tick 3,2"),
        (smf(*[note(60, 480) + END] * 10_000), "10,000 tracks"),
    ],
)
def test_bad_files_are_refused_with_the_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "bad.mid"
    path.write_bytes(data)
    with pytest.raises(MidiError) as caught:
        read_score(path)
    assert reason in caught.value.message
    assert caught.value.message.startswith(str(path))
    assert "\n" not in caught.value.message
    assert caught.value.path == path


def test_a_file_that_is_really_huge_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.mid"
    with path.open("wb") as file:
        file.write(PLAIN)
        file.truncate(10 * 2**30)  # sparse: ten gigabytes that take no room
    started = time.monotonic()
    with pytest.raises(MidiError, match="too large: 10,240 MB"):
        read_score(path)
    assert time.monotonic() - started < 1


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(MidiError, match="no such file"):
        read_score(tmp_path / "none.mid")
    with pytest.raises(MidiError, match="is a folder"):
        read_score(tmp_path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user from whom a file can be kept")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.mid"
    path.write_bytes(PLAIN)
    path.chmod(0)
    with pytest.raises(MidiError, match="cannot be opened"):
        read_score(path)


@pytest.mark.parametrize("division", [1, 24, 96, 384, 480, 960, 32767])
def test_any_resolution(division: int) -> None:
    score = read_score(smf(note(60, division) + END, division=division))
    assert score.ticks_per_quarter == division
    assert facts(score).quarters == 1


@pytest.mark.parametrize(
    ("frames", "ticks", "rate"), [(24, 4, 96), (25, 1, 25), (25, 40, 1000), (29, 100, 3000 / 1.001), (30, 80, 2400)]
)
def test_film_frames_become_ticks(frames: int, ticks: int, rate: float) -> None:
    tempo = b"\x00\xff\x51\x03\x01\x00\x00"  # means nothing here
    score = read_score(smf(tempo + note(60, 12_000) + END, division=(256 - frames) << 8 | ticks))
    assert seconds_at(score, [score.end()]) == pytest.approx(12_000 / rate)


def test_type_2_is_laid_out_from_bar_to_bar() -> None:
    waltz = (
        b"\x00\xff\x58\x04\x03\x02\x18\x08" + b"\x00\xff\x51\x03\x0f\x42\x40" + SCALE + END
    )  # 4 quarters: two bars of 3
    score = read_score(smf(waltz, SCALE + END, waltz, kind=2))
    starts = [0, 6 * 480, 10 * 480]
    assert notes(score) == [(time + start, *rest) for start in starts for time, *rest in EIGHT]
    assert [(m.time, m.numerator) for m in score.time_signatures] == list(zip(starts, (3, 4, 3), strict=True))
    assert [round(t.qpm) for t in score.tempos] == [60, 120, 60]
    assert len(score.tracks) == 1


def test_what_every_part_repeats_is_kept_once() -> None:
    meter, concert, written = (
        b"\x00\xff\x58\x04\x03\x02\x18\x08",
        b"\x00\xff\x59\x02\xfe\x00",
        b"\x00\xff\x59\x02\x00\x00",
    )
    score = read_score(smf(*[meter + key + SCALE + END for key in (concert, concert, written)]))
    assert [(m.time, m.numerator) for m in score.time_signatures] == [(0, 3)]
    assert [k.key for k in score.key_signatures] == [-2]


def test_the_last_of_two_meters_at_a_tick_holds() -> None:
    score = read_score(smf(b"\x00\xff\x58\x04\x03\x02\x18\x08\x00\xff\x58\x04\x06\x03\x18\x08" + SCALE + END))
    assert [(m.numerator, m.denominator) for m in score.time_signatures] == [(6, 8)]


def test_text_that_is_no_utf_8_keeps_its_bytes_and_can_be_read() -> None:
    score = read_score(smf(b"\x00\xff\x03\x04Fl\xf6t" + SCALE + END))
    assert readable(score.tracks[0].name) == "Flöt"
    assert to_bytes(score.tracks[0].name) == b"Fl\xf6t"


def test_large_files_are_read_too() -> None:
    data = smf(*[b"\x00\x90" + b"\x3c\x40\x81\x70\x3c\x00\x00" * 60_000 + b"\x3c\x40" + END] * 7)
    assert len(data) < MAX_BYTES
    assert read_score(data).note_num() == 7 * 60_000


def test_large_files_are_checked_too() -> None:
    data = smf(b"\x00\x3c" * 5_000_000)  # no command at all
    with pytest.raises(MidiError, match="without a command"):
        read_score(data)


def test_real_files_of_every_kind(data: Path) -> None:
    for folder in sorted(path for path in data.rglob("*") if path.is_dir()):
        for path in sorted(p for p in folder.iterdir() if p.suffix == ".mid")[::60]:
            raw = path.read_bytes()
            score, plain = read_score(raw), Score.from_midi(raw)
            assert notes(score) == notes(plain), path
            assert len({t.time for t in score.time_signatures}) == len(score.time_signatures), path


@pytest.fixture(scope="module")
def originals(data: Path) -> list[bytes]:
    """A small real file of each kind."""
    kinds = ("bach", "choir", "drums", "game", "songs", "orchestra")
    return [min((data / kind).rglob("*.mid"), key=lambda p: (p.stat().st_size, p)).read_bytes() for kind in kinds]


def outcome(data: bytes) -> str:
    """What reading comes to; anything but notes or a MidiError is an error here too."""
    try:
        return f"{read_score(data, cut_short='use').note_num()} notes"
    except MidiError as error:
        return error.message


@settings(max_examples=1500, deadline=None)
@given(draw=st.data())
def test_no_mutation_of_a_real_file_takes_the_process_down(originals: list[bytes], draw: st.DataObject) -> None:
    raw = bytearray(draw.draw(st.sampled_from(originals)))
    for place, value in draw.draw(st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), max_size=40)):
        raw[place] = value
    if draw.draw(st.booleans()):
        raw = raw[: draw.draw(st.integers(0, len(raw)))]
    assert "\n" not in outcome(bytes(raw))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_in_a_track_do_no_harm(body: bytes) -> None:
    assert "\n" not in outcome(smf(SCALE + body))


# ---- folders


def test_find_midi(tmp_path: Path) -> None:
    for name in ("b.MID", "a.mid", "deep/er/c.Midi", "k.kar", "r.rmi", "no.txt", "._a.mid", ".hidden/x.mid"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(PLAIN)
    if os.name != "nt":
        (tmp_path / "deep" / "round").symlink_to(tmp_path)
    found = [path.relative_to(tmp_path).as_posix() for path in find_midi(tmp_path)]
    assert found == ["a.mid", "b.MID", "deep/er/c.Midi", "k.kar", "r.rmi"]


def test_folders_without_midi(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="is empty"):
        find_midi(tmp_path)
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(CorpusError, match="no MIDI file"):
        find_midi(tmp_path)
    with pytest.raises(CorpusError, match="name the folder"):
        find_midi(tmp_path / "x.txt")
    with pytest.raises(CorpusError, match="no such folder"):
        find_midi(tmp_path / "none")


# ---- many files


def misbehave(path: Path) -> str:
    """Stands for work on a file: some files kill it, some take for ever, some raise."""
    match path.stem.rstrip("0123456789"):
        case "crash":
            os._exit(139)
        case "hang":
            time.sleep(600)
        case "raise":
            raise ZeroDivisionError("two\nlines")
        case "refuse":
            raise MidiError("has no notes")
    return path.stem


def test_a_crash_or_a_hang_costs_one_file() -> None:
    names = [f"fine{n}" for n in range(60)]
    names[7:7], names[20:20], names[40:40] = ["crash1", "crash2"], ["hang1", "raise1"], ["refuse1", "crash3"]
    results = dict(map_files([Path(f"{name}.mid") for name in names], misbehave, processes=2, timeout=1.0))
    assert {path.stem for path in results} == set(names)
    for path, result in results.items():
        if path.stem.startswith("fine"):
            assert result == path.stem
        else:
            assert isinstance(result, MidiError)
            assert result.path == path
            assert str(path) in result.message
    said = {path.stem: result.message for path, result in results.items() if isinstance(result, MidiError)}
    assert "crashed the parser" in said["crash1"]
    assert "longer than 1 s" in said["hang1"]
    assert "ZeroDivisionError: two lines" in said["raise1"]
    assert "has no notes" in said["refuse1"]
    later = {path.stem for path, result in results.items() if isinstance(result, MidiUnavailableError)}
    assert later == {"hang1"}, "it may be read another time"


def test_few_files_are_done_here() -> None:
    assert dict(map_files([Path("a.mid"), Path("raise.mid")], misbehave))[Path("a.mid")] == "a"


def test_files_are_drawn_as_needed_and_closing_ends_the_workers() -> None:
    drawn = 0

    def endless():  # type: ignore[no-untyped-def]
        nonlocal drawn
        while True:
            drawn += 1
            yield Path(f"fine{drawn}.mid")

    results = map_files(endless(), misbehave, processes=1)
    for _ in range(50):
        next(results)
    assert drawn <= 50 + 2 * 16 + 1
    assert multiprocessing.active_children()
    results.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    (tmp_path / "a.mid").write_bytes(PLAIN)
    script.write_text(
        "from pathlib import Path\nfrom toccata.midi.read import map_files, read_score\n"
        "from toccata.midi.facts import facts\nfrom toccata.midi.check import check\n"
        f"print(check(Path({str(tmp_path)!r}), processes=1).to_dict()['files'])\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("1", "")
