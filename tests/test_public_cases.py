"""Files as people meet them, after public bug reports: what each verb makes of them.

Each file is built here, byte by byte; the neighbours of each kind stand beside it.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest
from symusic import Score

from cli_support import call
from random_model import random_model
from toccata.errors import MidiError, MidiWarning
from toccata.look import render
from toccata.midi import smf
from toccata.midi.check import check
from toccata.midi.clean import CleanOptions, clean, read_clean
from toccata.midi.instruments import Instruments
from toccata.midi.notes import notes_of, score_places
from toccata.midi.read import read_score
from toccata.midi.repitch import Keys
from toccata.midi.splice import continue_file, new_file
from toccata.midi.text import readable, to_bytes, to_text
from toccata.musicmodel import Model
from toccata.piece import read_origin, song
from toccata.recipes import load
from toccata.tasks.prompt import open_prompt
from toccata.tokenizers.events import EventOptions

END = b"\x00\xff\x2f\x00"
XG_ON, GM2_ON = bytes.fromhex("f0084310 4c00007e00f7"), bytes.fromhex("f0057e7f0903f7")
Notes = list[tuple[float, float, int, int, bool]]


def number(value: int) -> bytes:
    out = [value & 127]
    while value := value >> 7:
        out.insert(0, value & 127 | 128)
    return bytes(out)


def meta(kind: int, body: bytes) -> bytes:
    return b"\xff" + bytes([kind]) + number(len(body)) + body


def now(*events: bytes) -> bytes:
    """Events at the tick where the track stands."""
    return b"".join(b"\x00" + event for event in events)


def scale(channel: int = 0, low: int = 60, count: int = 8, length: int = 480) -> bytes:
    """``count`` notes, one after the other."""
    on, off = 0x90 | channel, 0x80 | channel
    return b"".join(
        bytes([0, on, low + step, 80]) + number(length) + bytes([off, low + step, 0]) for step in range(count)
    )


def file(*tracks: bytes, kind: int = 1, division: int = 480) -> bytes:
    head = b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), division)
    return head + b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)


def parts(score: Score) -> list[tuple[str, int, bool, int]]:
    """Name, program, drums and number of notes of each track."""
    return [(track.name, track.program, track.is_drum, len(track.notes)) for track in score.tracks]


def instruments(score: Score) -> dict[int, int]:
    """Notes by program, -1 being drums."""
    out: dict[int, int] = {}
    for track in score.tracks:
        program = -1 if track.is_drum else track.program
        out[program] = out.get(program, 0) + len(track.notes)
    return {program: count for program, count in out.items() if count}


def onsets(score: Score) -> list[tuple[int, int, int]]:
    return sorted((n.time, n.duration, n.pitch) for track in score.tracks for n in track.notes)


PLAIN = file(scale() + END)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Random weights: what such a model writes goes everywhere."""
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    return Model(random_model(tmp_path_factory.mktemp("model") / "m", recipe.tokenizer, context=512), precision="fp32")


def save(folder: Path, data: bytes, name: str = "song.mid") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


# -- packets of system-exclusive messages ------------------------------------------------------------------------------

PACKETS = [
    bytes.fromhex(packet)
    for packet in (
        "9c3fc1ae00ff2f00 9c3fc1ae00ff2f", "903c40", "903c4000803c40", "ff2f00", "f7", "", "c005", "000090", "ffffff",
        "4110421240",
    )
]  # fmt: skip


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: packet.hex() or "empty")
@pytest.mark.parametrize("times", [1, 3])
def test_an_f7_event_is_one_event(packet: bytes, times: int) -> None:
    event = b"\xf7" + number(len(packet)) + packet
    data = file(scale(count=4) + (b"\x60" + event) * times + scale(low=70, count=4) + END)
    want = [(480 * n, 480, 60 + n) for n in range(4)]
    want += [(480 * (n + 4) + 96 * times, 480, 70 + n) for n in range(4)]
    assert onsets(read_score(data)) == want
    after = continue_file(data, 480 * 9, Score(480))
    assert after.count(event) >= times  # the packet's bytes stay in the file that is gone on from


def test_the_smallest_file_that_broke_the_parser() -> None:
    data = bytes.fromhex("4d546864000000060000000101e04d54726b0000000a00f7039fc1ae00ff2f00")
    script = "import sys; from toccata.midi.read import read_score; read_score(sys.stdin.buffer.read())"
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=data, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert b"has no notes" in done.stderr


# -- tracks that are there, whatever their headers claim ---------------------------------------------------------------

FLUTE, BASS = now(meta(3, b"Flute"), b"\xc0\x49") + scale(), now(meta(3, b"Bass"), b"\xc1\x21") + scale(1, 36)


@pytest.mark.parametrize("wrong", [-40, -6, -4, -1, 1, 3, 4, 5, 8, 11, 4000, 2**31])
@pytest.mark.parametrize("which", [0, 1])
def test_a_track_ends_where_its_end_of_track_says(wrong: int, which: int) -> None:
    whole = file(FLUTE + END, BASS + END)
    at = 14 if which == 0 else 14 + 8 + len(FLUTE) + 4
    size = int.from_bytes(whole[at + 4 : at + 8], "big") + wrong
    data = whole[: at + 4] + size.to_bytes(4, "big") + whole[at + 8 :]
    assert parts(read_score(data)) == parts(read_score(whole)) == [("Flute", 73, False, 8), ("Bass", 33, False, 8)]
    # And what is made of it has both, too.
    assert parts(read_score(continue_file(data, 4800, Score(480)))) == parts(read_score(whole))


def test_bytes_between_tracks_hide_no_track() -> None:
    first, second = file(FLUTE + END), file(BASS + END)[14:]
    for junk in (b"\0", b"\0\0\0", b"\xff\x2f\x00", b"junkjunkjunk"):
        assert len(read_score(first[:10] + b"\0\2" + first[12:] + junk + second).tracks) == 2


def test_a_file_that_breaks_off_in_its_last_track_is_read_and_says_so(tmp_path: Path) -> None:
    whole = file(FLUTE + END, BASS + END)
    for missing in range(1, 40):
        path = save(tmp_path, whole[:-missing], f"cut{missing}.mid")
        with pytest.warns(MidiWarning, match=rf"cut{missing}\.mid: is cut short: track 2 should have") as warned:
            score = read_score(path)
        assert len(warned) == 1
        assert "\n" not in str(warned[0].message)
        assert 4 <= len(score.tracks[1].notes) <= 8
        assert parts(score)[0] == ("Flute", 73, False, 8)
        with pytest.raises(MidiError, match="is cut short: track 2 should have"):
            read_score(path, cut_short="refuse")


def test_a_command_notes_once_that_a_file_breaks_off(tmp_path: Path) -> None:
    path = save(tmp_path, file(FLUTE + END, BASS + END)[:-20])
    done = call("inspect", path, "--quiet")
    assert done.code == 0
    assert done.err.count("note: ") == 1
    assert f"{path}: is cut short: track 2" in done.err


def test_training_leaves_cut_files_out_unless_it_is_told_to_use_them(tmp_path: Path) -> None:
    save(tmp_path, file(FLUTE + END, BASS + END)[:-20])
    report = check(tmp_path, CleanOptions(min_notes=1))
    assert not report.accepted
    assert "is cut short" in report.rejected[0].reason
    assert "--cut-short" in report.rejected[0].reason
    assert check(tmp_path, CleanOptions(min_notes=1, cut_short=True)).accepted[0].facts.notes > 8


# -- instruments -------------------------------------------------------------------------------------------------------


def test_programs_in_a_setup_track() -> None:
    setup = now(b"\xc0\x28", b"\xc1\x2a", b"\xb0\x07\x40")
    score = read_score(file(setup + END, now(meta(3, b"Vl")) + scale() + END, now(meta(3, b"Vc")) + scale(1, 48) + END))
    assert parts(score) == [("Vl", 40, False, 8), ("Vc", 42, False, 8)]
    assert [(c.number, c.value) for c in score.tracks[0].controls] == [(7, 64)]  # of its channel alone
    assert not len(score.tracks[1].controls)


def test_tracks_that_share_a_channel_share_its_program() -> None:
    assert parts(read_score(file(now(b"\xc0\x3e") + scale() + END, scale(low=36) + END))) == [
        ("", 62, False, 8),
        ("", 62, False, 8),
    ]
    # Also where it changes on the way, and where the track that names it comes last.
    change = now(b"\xc0\x05") + scale(count=4) + now(b"\xc0\x06") + scale(low=64, count=4)
    assert instruments(read_score(file(change + END, scale(low=36) + END))) == {5: 8, 6: 8}
    assert instruments(read_score(file(scale(low=36) + END, change + END))) == {5: 8, 6: 8}


def test_tracks_of_one_channel_that_begin_with_different_programs_keep_their_own() -> None:
    choir = [now(b"\xc0\x34") + scale() + END, scale(low=48) + END, now(b"\xc0\x28") + scale(low=72) + END]
    assert parts(read_score(file(*choir))) == [("", 52, False, 8), ("", 0, False, 8), ("", 40, False, 8)]


def test_ports_have_channels_of_their_own() -> None:
    one, two = meta(0x21, b"\0"), meta(0x21, b"\1")
    data = file(now(one, b"\xc0\x28") + scale() + END, now(two) + scale() + END, now(one) + scale(low=48) + END)
    assert parts(read_score(data)) == [("", 40, False, 8), ("", 0, False, 8), ("", 40, False, 8)]


@pytest.mark.parametrize(
    ("name", "setup", "channel", "drums"),
    [
        ("XG", [XG_ON, b"\xba\x00\x7f", b"\xba\x20\x00", b"\xca\x08"], 10, True),
        ("XG effects kit", [XG_ON, b"\xba\x00\x7e", b"\xca\x08"], 10, True),
        ("XG melodic bank", [XG_ON, b"\xba\x00\x40", b"\xca\x08"], 10, False),
        ("XG, channel 10 melodic", [XG_ON, b"\xb9\x00\x00", b"\xc9\x08"], 9, False),
        ("bank 127 without XG", [b"\xba\x00\x7f", b"\xca\x08"], 10, False),
        ("GM2", [GM2_ON, b"\xba\x00\x78", b"\xca\x08"], 10, True),
        ("GM2, channel 10 melodic", [GM2_ON, b"\xb9\x00\x79", b"\xc9\x08"], 9, False),
        ("GS", [bytes.fromhex("f00a4110421240 1a1502 0ff7".replace(" ", "")), b"\xca\x08"], 10, True),
        ("GS, block 1 is channel 1", [bytes.fromhex("f00a41104212401115010ff7"), b"\xc0\x08"], 0, True),
        ("GS, block 0 is channel 10", [bytes.fromhex("f00a41104212401015000ff7"), b"\xc9\x08"], 9, False),
        ("nothing", [b"\xc9\x08"], 9, True),
    ],
)
@pytest.mark.parametrize("kind", [0, 1])
def test_drums_are_what_the_file_says_is_drums(
    tmp_path: Path, name: str, setup: list[bytes], channel: int, drums: bool, kind: int
) -> None:
    body = now(b"\xc5\x21") + scale(5, 36) + now(*setup) + scale(channel, 40)
    data = (
        file(body + END, kind=0)
        if kind == 0
        else file(now(*setup) + END, now(b"\xc5\x21") + scale(5, 36) + scale(channel, 40) + END)
    )
    assert instruments(read_score(data)) == {33: 8, -1 if drums else 8: 8}
    kept = clean(read_score(data), CleanOptions(min_notes=1, drop_drums=True))
    assert instruments(kept) == ({33: 8} if drums else {33: 8, 8: 8})
    places = score_places(smf.read(data).tracks)
    assert [place.channel for place in places] == sorted([5, channel])
    assert sorted((t.program, t.is_drum) for t in read_score(data).tracks) == [(8, drums), (33, False)]


def test_new_drums_and_new_notes_go_where_the_file_has_its_drums() -> None:
    data = file(now(XG_ON, b"\xba\x00\x7f", b"\xca\x08") + scale(10, 36) + END)
    more = read_score(file(scale(9, 40) + END))
    out = continue_file(data, 480 * 8, more)
    assert instruments(read_score(out)) == {-1: 16}
    assert {e.channel for track in smf.read(out).tracks for e in track.events if e.begins_note} == {10}


def test_a_bank_stands_before_its_program_and_stays_with_it(tmp_path: Path) -> None:
    body = now(b"\xb0\x00\x08", b"\xb0\x20\x01", b"\xc0\x04") + scale(count=4)
    body += now(b"\xb0\x00\x10", b"\xb0\x20\x01", b"\xc0\x19") + scale(low=70, count=4)
    path = save(tmp_path, file(body + END))
    copy = smf.read(new_file(read_clean(path, CleanOptions(min_notes=1))))
    for program, bank in ((4, 8), (25, 16)):
        (track,) = [t for t in copy.tracks if any(e.kind == smf.PROGRAM and e.data[1] == program for e in t.events)]
        said = [e.data[:1] + e.data[1:] for e in track.events if e.kind in (smf.CONTROL, smf.PROGRAM)]
        channel = said[0][0] & 0x0F
        assert said == [
            bytes((smf.CONTROL | channel, 0, bank)),
            bytes((smf.CONTROL | channel, 32, 1)),
            bytes((smf.PROGRAM | channel, program)),
        ]


def test_controllers_stay_with_what_they_are_for() -> None:
    """Of two instruments that take turns on a channel each keeps what holds while it plays."""
    turns = now(b"\xb0\x00\x01", b"\xb0\x07\x50", b"\xc0\x04") + scale(count=2) + now(b"\xb0\x0a\x20", b"\xc0\x19")
    turns += scale(low=70, count=2) + now(b"\xb0\x07\x30", b"\xc0\x04") + scale(count=2)
    first, second = read_score(file(turns + END)).tracks
    assert [(c.time, c.number, c.value) for c in first.controls if c.number] == [
        (0, 7, 80), (960, 10, 32), (1920, 7, 48),
    ]  # fmt: skip
    assert {(c.time, c.number, c.value) for c in second.controls if c.number} == {
        (960, 7, 80),
        (960, 10, 32),
        (1920, 7, 48),
    }


@pytest.mark.parametrize("sample", [slice(3, None, 400)])
def test_real_tracks_are_found_where_they_are(data: Path, sample: slice) -> None:
    """Of real files: each note of the Score is a note of the place that its track is said to be."""
    paths = sorted(path for path in data.rglob("*.mid"))[sample]
    assert paths
    for path in paths:
        try:
            score, tracks = read_score(path), smf.read(path.read_bytes()).tracks
        except MidiError:
            continue
        known = Instruments(tracks)
        found: dict[object, list[tuple[int, int, int]]] = {}
        for n, track in enumerate(tracks):
            for note in notes_of(track, n, known)[0]:
                if note.end is not None:
                    found.setdefault(note.place, []).append((note.start, note.end - note.start, note.pitch))
        places = score_places(tracks)
        assert len(places) == len(score.tracks), path
        for place, track in zip(places, score.tracks, strict=True):
            assert sorted(found.get(place, [])) == sorted((n.time, n.duration, n.pitch) for n in track.notes), path
            assert not len(track.notes) or place.program == track.program


# -- text --------------------------------------------------------------------------------------------------------------

JAPANESE, FRENCH = "さくら".encode("shift-jis"), "Frère".encode("latin-1")


@pytest.mark.parametrize("text", [JAPANESE, FRENCH, "Ж".encode(), b"plain", b"\x80\xff\x00", "\uf7e9".encode()])
def test_text_keeps_its_bytes(tmp_path: Path, text: bytes) -> None:
    assert to_bytes(to_text(text)) == text
    path = save(tmp_path, file(now(meta(3, text), meta(6, text), meta(5, text)) + scale() + END))
    copy = smf.read(new_file(read_clean(path, CleanOptions(min_notes=1))))
    for kind in (3, 5, 6):
        assert text in [e.payload for t in copy.tracks for e in t.events if e.meta == kind]


def test_text_can_be_read() -> None:
    assert readable(to_text(JAPANESE)) == "さくら"
    assert readable(to_text(FRENCH)) == "Frère"
    assert readable("plain Ж") == "plain Ж"


def test_karaoke_words_are_lyrics(tmp_path: Path) -> None:
    words = [b"\\Twin", b"kle ", b"/lit", b"tle"]
    sung = b"".join(b"\x00" + meta(1, word) + b"\x83\x60\xff\x01\x00" for word in words)
    data = file(
        now(meta(3, b"Soft karaoke"), meta(1, b"@KMIDI KARAOKE FILE"), meta(1, b"@V0100")) + END,
        now(meta(3, b"Words"), meta(1, b"@LENGL"), meta(1, b"@TA Tune")) + sung + END,
        now(meta(3, b"Melody"), b"\xc3\x49") + scale(3) + END,
    )
    path = save(tmp_path, data, "song.kar")
    score = read_score(path)
    lyrics = [(lyric.time, lyric.text.encode()) for track in score.tracks for lyric in track.lyrics]
    assert lyrics == [(480 * n, word) for n, word in enumerate(words)]
    assert len(score_places(smf.read(data).tracks)) == len(score.tracks)
    copy = smf.read(new_file(read_clean(path, CleanOptions(min_notes=1))))
    assert [e.payload for t in copy.tracks for e in t.events if e.meta == smf.LYRIC] == words


def test_other_texts_are_no_lyrics() -> None:
    score = read_score(file(now(meta(3, b"Words"), meta(1, b"Allegro")) + scale() + END))
    assert not any(len(track.lyrics) for track in score.tracks)


# -- metas, tempos, containers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd",
    [
        meta(0x59, b"\x08\x00"), meta(0x59, b"\xfe\xff"), meta(0x59, b"\x01"), meta(0x51, b"\x07"),
        meta(0x51, b"\0\0\0"), meta(0x58, b"\x04"), meta(0x58, b"\x00\x02\x18\x08"),
        meta(0x58, b"\x04\x09\x18\x08"), meta(0x54, b"\xff" * 5), meta(0x00, b""),
        meta(0x7F, b""), meta(0x20, b"\xff"), meta(0x21, b""),
    ],
    ids=lambda odd: odd.hex(),
)  # fmt: skip
def test_every_verb_takes_what_is_read(tmp_path: Path, model: Model, odd: bytes) -> None:
    path = save(tmp_path, file(now(odd) + scale() + now(odd) + scale() + END))
    assert song(path).bars == 4
    (piece,) = model.generate(path, prompt_bars=2, bars=1, seed=1)
    assert piece.bars == 3
    assert odd in piece.midi
    (filled,) = model.infill(path, [(2, 2)], seed=1)
    assert filled.midi.count(odd) == 2


def test_the_last_of_a_tracks_tempos_at_a_tick_holds_and_tracks_vote() -> None:
    slow, fast = meta(0x51, b"\x1a\x27\x6b"), meta(0x51, b"\x07\xa1\x20")
    ten = now(*[slow] * 10, fast)
    assert [t.mspq for t in read_score(file(ten + scale() + END)).tempos] == [500_000]
    voted = read_score(file(ten + END, now(slow) + scale() + END, now(slow) + scale() + END))
    assert [t.mspq for t in voted.tempos] == [0x1A276B]
    meters = now(meta(0x58, b"\x03\x02\x18\x08"), meta(0x58, b"\x06\x03\x18\x08"))
    assert [(m.numerator, m.denominator) for m in read_score(file(meters + scale() + END)).time_signatures] == [(6, 8)]


@pytest.mark.parametrize("size", [1, 2, 5, 6000, 70_001])
def test_a_riff_file_may_have_other_chunks_first(size: int) -> None:
    chunk = b"DISP" + struct.pack("<I", size) + bytes(size + size % 2)
    inside = b"RMID" + chunk + b"data" + struct.pack("<I", len(PLAIN)) + PLAIN
    data = b"RIFF" + struct.pack("<I", len(inside)) + inside
    assert onsets(read_score(data)) == onsets(read_score(PLAIN))
    assert onsets(read_score(continue_file(data, 4800, Score(480)))) == onsets(read_score(PLAIN))


def test_a_drone_stays_as_long_as_it_is(tmp_path: Path) -> None:
    drone = bytes([0, 0x90, 45, 80]) + number(480 * 200) + bytes([0x80, 45, 0])
    path = save(tmp_path, file(drone + END, scale(1) + END))
    score = clean(read_score(path), CleanOptions(min_notes=1))
    assert (0, 96_000, 45) in onsets(score)
    assert (0, 96_000, 45) in onsets(read_score(new_file(score)))


def test_bends_are_heard_without_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toccata.render.audio.soundfont_folders", lambda: [])
    bend = now(b"\xb0\x65\x00", b"\xb0\x64\x00", b"\xb0\x06\x0c", b"\xe0\x00\x7f")
    bent = save(tmp_path, file(bend + scale(length=60) + END))
    render(bent, [tmp_path / "bent.wav", tmp_path / "x.png"])
    render(save(tmp_path, PLAIN, "plain.mid"), [tmp_path / "plain.wav"])
    assert (tmp_path / "bent.wav").read_bytes() != (tmp_path / "plain.wav").read_bytes()


# -- writing into odd files --------------------------------------------------------------------------------------------

TYPE_2 = file(scale() + END, scale(low=72) + END, kind=2)
FRAMES = file(
    now(meta(0x58, b"\x03\x02\x18\x08"), b"\xb0\x07\x50") + scale(length=250, count=24) + END, division=0xE728
)


@pytest.mark.parametrize(("data", "what"), [(TYPE_2, "type 2"), (FRAMES, "film frames")])
def test_what_cannot_be_changed_in_place_names_the_file_and_the_way_out(
    tmp_path: Path, model: Model, data: bytes, what: str
) -> None:
    path = save(tmp_path, data, "odd one.mid")
    for ask in (
        lambda: model.infill(path, [(1, 1)]),
        lambda: model.accompany(path, [42]),
        lambda: model.vary(path, keep="rhythm"),
    ):
        with pytest.raises(MidiError) as caught:
            ask()
        assert str(path) in str(caught.value)
        assert what in str(caught.value)
        assert "toccata clean" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [TYPE_2, FRAMES], ids=["type 2", "film frames"])
def test_a_prompt_of_another_clock_ends_where_it_is_cut(tmp_path: Path, model: Model, data: bytes) -> None:
    path = save(tmp_path, data)
    whole = read_score(path)
    opened = open_prompt(model.tokenizer, path, bars=(1, 2))
    assert opened is not None
    assert opened.keep_until == opened.seam
    (piece,) = model.generate(path, prompt_bars=2, bars=2, seed=3)
    given = [note for note in onsets(piece.score) if note[0] < opened.seam]
    assert given == [note for note in onsets(whole) if note[0] < opened.seam]
    assert piece.bars == 4
    assert {(m.numerator, m.denominator) for m in piece.score.time_signatures} >= {
        (m.numerator, m.denominator) for m in whole.time_signatures if m.time < opened.seam
    }
    controls = [(c.time, c.number, c.value) for t in piece.score.tracks for c in t.controls if c.time < opened.seam]
    assert controls == [(c.time, c.number, c.value) for t in whole.tracks for c in t.controls if c.time < opened.seam]


@pytest.mark.parametrize("division", [1, 2, 3, 5, 7, 11])
def test_no_new_note_begins_after_the_bars_however_coarse_the_file_counts(
    tmp_path: Path, model: Model, division: int
) -> None:
    path = save(tmp_path, file(scale(length=division, count=16) + END, division=division))
    before = onsets(read_score(path))
    for seed in range(6):
        (piece,) = model.infill(path, [(2, 2)], seed=seed)
        outside = [note for note in onsets(piece.score) if not 4 * division <= note[0] < 8 * division]
        assert outside == [note for note in before if not 4 * division <= note[0] < 8 * division]


def test_repeated_notes_whose_ends_stand_behind_the_next_beginning_can_vary(model: Model) -> None:
    body = b"\x00\x90\x3c\x50"
    for _ in range(15):
        body += number(480) + b"\x90\x3c\x50" + b"\x00\x80\x3c\x00"
    data = file(body + number(480) + b"\x80\x3c\x00" + END)
    keys = Keys(data)
    assert not any(keys.clash(n, n + 1) for n in range(15))
    assert [note.end - note.start for note in keys.notes if note.end is not None] == [480] * 16
    for piece in model.vary(data, keep="rhythm", seed=2):
        assert len({note[2] for note in onsets(piece.score)}) > 1


def test_a_continuation_strikes_no_key_that_sounds_on_its_channel() -> None:
    """Also where another track holds it, and where two new tracks share the channel."""
    held = bytes([0, 0x90, 60, 80]) + number(480 * 6) + bytes([0x80, 60, 0])
    data = file(now(meta(3, b"Hold")) + held + END, now(meta(3, b"Move")) + scale(low=60, count=4) + END)
    new = read_score(
        file(now(meta(3, b"Move")) + scale(low=60, count=4) + END, now(meta(3, b"Hold")) + scale(low=60, count=4) + END)
    )
    out = smf.read(continue_file(data, 480 * 4, new, keep_until=480 * 4))
    events = sorted(
        (e.tick, n, i, e) for n, t in enumerate(out.tracks) for i, e in enumerate(t.events) if e.channel >= 0
    )
    sounding: dict[tuple[int, int], int] = {}
    for tick, _, _, event in events:
        key = event.channel, event.data[1]
        if event.begins_note:
            assert tick < 480 * 4 or not sounding.get(key), (tick, key)
            sounding[key] = sounding.get(key, 0) + 1
        elif event.ends_note:
            sounding[key] = sounding.get(key, 0) - 1


def test_an_origin_is_read_whatever_else_the_file_holds(model: Model, tmp_path: Path) -> None:
    (piece,) = model.generate(bars=1, seed=1)
    assert read_origin(piece.midi) == dict(piece.origin) or read_origin(piece.midi) is not None
    assert read_origin(PLAIN) is None
    assert read_origin(b"toccata: no midi") is None
    broken = file(now(meta(1, b"toccata: ?"), meta(1, b"toccata: W10=")) + scale() + END)
    assert read_origin(broken) is None
