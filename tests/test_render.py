"""Pictures and sound: right by measure, and there for every kind of music."""

from __future__ import annotations

import io
import struct
import tracemalloc
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from symusic import ControlChange, Note, Pedal, PitchBend, Score, Tempo, TimeSignature, Track

from toccata.errors import MidiWarning, RequestError
from toccata.look import render
from toccata.render import audio
from toccata.render.audio import TAIL, VARIABLE, find_soundfont, synthesize, write_audio
from toccata.render.colours import ACCENT, PROMPT, track_colours
from toccata.render.layout import lay_out
from toccata.render.roll import _band, png, svg, write_roll
from toccata.render.shapes import Line, Page, Rect, Text

RATE = 44100
FOLDERS = ("bach/mutopia", "orchestra", "game", "drums", "benchmark_only/giantmidi_performances")


@pytest.fixture(autouse=True)
def no_soundfont(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests hear the built-in synthesis, whatever is installed on the machine."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("toccata.render.audio.soundfont_folders", lambda: [tmp_path / "soundfonts"])


@pytest.fixture(scope="module")
def pieces(data: Path) -> list[Score]:
    out = []
    for folder in FOLDERS:
        files = sorted(p for p in (data / folder).rglob("*.mid") if p.stat().st_size < 40_000)
        out.append(Score(files[len(files) // 2]))
    return out


def score(*notes: tuple[int, int, int, int], program: int = 0, drums: bool = False, tpq: int = 480) -> Score:
    out = Score(tpq)
    track = Track("", program, drums)
    track.notes.extend(Note(*note) for note in notes)
    out.tracks.append(track)
    return out


def bars(count: int, tracks: int = 1) -> Score:
    """So many bars of 4/4, a quarter note a beat and track."""
    out = Score(480)
    for number in range(tracks):
        track = Track(f"Voice {number}", number, False)
        track.notes.extend(Note(480 * beat, 480, 48 + 5 * number + beat % 5, 80) for beat in range(4 * count))
        out.tracks.append(track)
    return out


# Pictures


def test_every_piece_has_a_picture(pieces: list[Score]) -> None:
    for piece in [*pieces, Score(480), bars(1)]:
        drawing = ET.fromstring(svg(piece, prompt_end=piece.end() // 2, title="A <piece> & more\x00"))
        assert drawing.tag.endswith("svg")
        picture = Image.open(io.BytesIO(png(piece, prompt_end=piece.end() // 2, title="A piece")))
        assert picture.width == round(float(drawing.get("width", "0"))) == 1600
        assert abs(picture.height - float(drawing.get("height", "0"))) <= 1
        assert len(picture.getcolors(1 << 24) or ()) > 4


def test_every_note_is_drawn_where_it_is_and_nothing_leaves_the_page(pieces: list[Score]) -> None:
    for piece in pieces:
        page = lay_out(piece, title="t")
        for shape in page.shapes:
            if isinstance(shape, Rect):
                assert shape.x >= 0
                assert shape.x + shape.width <= page.width
                assert shape.y >= 0
                assert shape.y + shape.height <= page.height
                assert shape.width > 0
                assert shape.height > 0
        drawn = [s for s in page.shapes if isinstance(s, Rect) and s.radius and s.opacity != 0.9]  # 0.9: black keys
        assert len(drawn) >= piece.note_num()


def test_pitch_goes_up_time_goes_right_loud_is_strong() -> None:
    page = lay_out(score((0, 480, 60, 30), (480, 960, 67, 127)))
    low, high = [s for s in page.shapes if isinstance(s, Rect) and s.colour == track_colours([(0, False)])[0]][-2:]
    assert high.y < low.y
    assert high.x > low.x
    assert high.width == pytest.approx(2 * low.width, rel=0.02)
    assert high.opacity > low.opacity


def test_long_pieces_wrap_and_short_ones_fill_the_width() -> None:
    def systems(piece: Score) -> list[float]:
        names = {str(n) for n in range(1, 2000)}
        return sorted({s.y for s in lay_out(piece).shapes if isinstance(s, Text) and s.text in names})

    assert len(systems(bars(1))) == len(systems(bars(4))) == 1
    assert 8 <= len(systems(bars(200))) <= 30
    assert lay_out(bars(3000)).height < 16_000
    for count in (1, 4, 32):
        right = max(s.x + s.width for s in lay_out(bars(count)).shapes if isinstance(s, Rect))
        assert right > 1560


def test_bars_of_changing_meter_are_numbered_and_none_is_lost() -> None:
    piece = bars(40)
    piece.time_signatures.extend(
        [TimeSignature(0, 4, 4), TimeSignature(480 * 40, 3, 4), TimeSignature(480 * 100, 7, 8)]
    )
    numbers = [int(s.text) for s in lay_out(piece).shapes if isinstance(s, Text) and s.text.isdigit()]
    assert numbers == list(range(1, numbers[-1] + 1))


def test_the_prompt_is_shaded_up_to_a_named_seam() -> None:
    page = lay_out(bars(8), prompt_end=480 * 16)
    (seam,) = [s for s in page.shapes if isinstance(s, Line) and s.colour == ACCENT]
    (shade,) = [s for s in page.shapes if isinstance(s, Rect) and s.colour == PROMPT]
    assert shade.x + shade.width == pytest.approx(seam.x1)
    assert {"prompt", "continuation"} <= {s.text for s in page.shapes if isinstance(s, Text)}
    assert not [s for s in lay_out(bars(8)).shapes if isinstance(s, Rect) and s.colour == PROMPT]


def test_tracks_have_colours_of_their_own_and_drums_a_lane() -> None:
    colours = track_colours([(0, False)] * 30 + [(0, True)])
    assert len(set(colours)) == 31
    piece = bars(2, tracks=3)
    kit = Track("Kit", 0, True)
    kit.notes.extend([Note(0, 10, 36, 100), Note(480, 10, 38, 100)])
    piece.tracks.append(kit)
    texts = [s.text for s in lay_out(piece).shapes if isinstance(s, Text)]
    for name in ("Voice 0", "Voice 2", "Kit", "Bass Drum", "Snare"):
        assert name in texts


def test_voices_in_unison_are_both_seen() -> None:
    piece = score((0, 480, 60, 80))
    other = Track("Other", 40, False)
    other.notes.append(Note(0, 960, 60, 80))
    piece.tracks.append(other)
    one, two = track_colours([(0, False), (40, False)])
    shapes = lay_out(piece).shapes
    (a,) = [s for s in shapes if isinstance(s, Rect) and s.colour == one and s.opacity < 1]
    (b,) = [s for s in shapes if isinstance(s, Rect) and s.colour == two and s.opacity < 1]
    assert a.y + a.height <= b.y + 1e-6 or b.y + b.height <= a.y + 1e-6


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 300), st.floats(0, 0.2), st.floats(0, 0.2))
@example(0.46, 0.02, 0.007)
def test_shapes_thinner_than_a_pixel_can_be_drawn(y: float, height: float, radius: float) -> None:
    """Notes that hundreds of tracks play in unison: stripes at places that no number holds exactly."""
    page = Page(100, 320)
    page.add(Rect(y, y, height, height, "#102030", 0.5, radius))
    assert _band(page, 0, 320).size == (100, 320)


def test_a_roll_is_written_by_suffix(tmp_path: Path) -> None:
    write_roll(bars(2), tmp_path / "a.svg")
    write_roll(bars(2), tmp_path / "a.PNG", title="Two bars")
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    with Image.open(tmp_path / "a.PNG") as picture:
        assert picture.format == "PNG"
    with pytest.raises(RequestError, match=r"\.svg or \.png") as caught:
        write_roll(bars(2), tmp_path / "a.pdf")
    assert caught.value.kind == "bad-request"
    assert len(list(tmp_path.iterdir())) == 2


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 20_000), st.integers(0, 5_000), st.integers(0, 127), st.integers(1, 127)), max_size=20
    ),
    st.booleans(),
    st.one_of(st.none(), st.integers(0, 30_000)),
)
def test_any_notes_can_be_drawn(notes: list[tuple[int, int, int, int]], drums: bool, prompt_end: int | None) -> None:
    ET.fromstring(svg(score(*notes, drums=drums), prompt_end=prompt_end))


# Sound


def frequency(sound: np.ndarray, begin: float, end: float) -> float:
    """The strongest frequency between two times in seconds."""
    part = sound.mean(axis=0)[int(begin * RATE) : int(end * RATE)]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 8 * len(part)))
    return float(spectrum.argmax()) * RATE / (8 * len(part))


def loudness(sound: np.ndarray, begin: float, end: float) -> float:
    return float(np.sqrt(np.mean(sound[:, int(begin * RATE) : int(end * RATE)] ** 2)))


@pytest.mark.parametrize("program", [0, 6, 16, 24, 33, 40, 48, 56, 71, 73, 80, 89])
def test_a4_is_440_hz_when_it_should_be(program: int) -> None:
    sound = synthesize(score((480, 480, 69, 90), program=program))
    assert frequency(sound, 0.55, 0.98) == pytest.approx(
        440, rel=0.006
    )  # ten cents: some have vibrato, or are two players
    assert loudness(sound, 0, 0.499) < 1e-6
    assert np.flatnonzero(np.abs(sound).max(axis=0) > 0.03)[0] / RATE == pytest.approx(0.5, abs=0.06)
    assert sound.shape[1] / RATE == pytest.approx(1.0 + TAIL, abs=0.01)
    assert np.abs(sound).max() == pytest.approx(10 ** (-1 / 20), abs=0.002)


def test_sound_follows_the_tempo_map() -> None:
    piece = score((0, 240, 60, 90), (960, 240, 72, 90), (1920, 480, 67, 90))
    piece.tempos.extend([Tempo(0, qpm=60), Tempo(960, qpm=240)])
    sound = synthesize(piece)
    assert sound.shape[1] / RATE == pytest.approx(2 + 0.75 + TAIL, abs=0.01)
    for begin, pitch in ((0.02, 60), (2.02, 72), (2.52, 67)):
        assert frequency(sound, begin, begin + 0.2) == pytest.approx(440 * 2 ** ((pitch - 69) / 12), rel=0.02)


def test_velocity_pedal_volume_and_pan_are_heard() -> None:
    loud = synthesize(score((0, 480, 60, 120), (960, 480, 60, 40)))
    assert loudness(loud, 0.0, 0.4) > 3 * loudness(loud, 1.0, 1.4)
    piece = score((0, 240, 60, 90), (1920, 240, 60, 90))
    dry = synthesize(piece)
    piece.tracks[0].pedals.append(Pedal(0, 1800))
    assert loudness(synthesize(piece), 0.8, 1.2) > 4 * loudness(dry, 0.8, 1.2)
    piece = score((0, 480, 60, 90), (960, 480, 60, 90), program=16)
    piece.tracks[0].controls.extend([ControlChange(0, 10, 0), ControlChange(900, 7, 10)])
    sound = synthesize(piece)
    assert loudness(sound, 0.1, 0.4) > 4 * loudness(sound, 1.1, 1.4)
    assert loudness(sound[:1], 0.1, 0.4) > 3 * loudness(sound[1:], 0.1, 0.4)


def test_real_pieces_sound(pieces: list[Score]) -> None:
    for piece in pieces:
        length = max(n.time + n.duration for t in piece.to("second").tracks for n in t.notes)
        if length > 240:
            continue
        sound = synthesize(piece, sample_rate=16_000)
        assert sound.dtype == np.float32
        assert np.isfinite(sound).all()
        assert 0.85 < np.abs(sound).max() < 0.9
        assert length + TAIL - 0.1 <= sound.shape[1] / 16_000 <= length + TAIL + 13
        assert -30 < 20 * np.log10(np.sqrt(np.mean(sound**2))) < -9


def test_every_drum_and_program_sounds() -> None:
    for key in range(128):
        assert loudness(synthesize(score((0, 100, key, 100), drums=True), sample_rate=8000), 0, 1) > 0
    for program in range(128):
        assert loudness(synthesize(score((0, 100, 60, 100), program=program), sample_rate=8000), 0, 1) > 0


def test_nothing_and_too_much() -> None:
    assert np.abs(synthesize(Score(480))).max() == 0
    with pytest.raises(RequestError, match="minutes"):
        synthesize(score((0, 480 * 1_000_000, 60, 90)))
    with pytest.raises(RequestError, match="13 hours, all together: at most 12"):
        synthesize(
            score(
                *((0, 480 * 2 * 600, 60 + n, 90) for n in range(12)), *((0, 480 * 2 * 59 * 60, 50, 9),) * 11, program=48
            )
        )
    long = synthesize(score((0, 480 * 2 * 300, 60, 90), program=48), sample_rate=8000)
    assert loudness(long, 50, 51) > 0.01


@pytest.mark.parametrize("length", [1 << 16, 3 << 16])
def test_sound_is_the_same_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """Notes, pedals, drums and echoes go on over the borders of blocks."""
    piece = bars(8)
    piece.tracks[0].pedals.append(Pedal(960, 4000))
    piece.tracks.extend(score((700, 9000, 48, 90), (9000, 480, 60, 50), program=48).tracks)
    piece.tracks.extend(score((100, 10, 46, 100), (150, 10, 42, 100), (1500, 10, 49, 127), drums=True).tracks)
    whole = synthesize(piece)
    monkeypatch.setattr(audio, "_BLOCK", length)
    assert np.abs(synthesize(piece) - whole).max() < 1e-5


def test_a_long_piece_needs_no_more_memory(tmp_path: Path) -> None:
    """Blocks are made, levelled and written one after the other."""
    piece = score(*((480 * n, 400, 40 + n % 40, 90) for n in range(1200)))
    tracemalloc.start()
    write_audio(piece, tmp_path / "long.wav", sample_rate=22050)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert soundfile.info(tmp_path / "long.wav").duration == pytest.approx(600 + TAIL, abs=0.2)
    assert peak < 80e6, "all of it would be 106 MB, and twice that to level it"


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_sound_is_written_by_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"piece{suffix}"
    write_audio(bars(20), path)
    info = soundfile.info(path)
    assert (info.channels, info.samplerate) == (2, RATE)
    assert info.duration == pytest.approx(40 + TAIL, abs=0.2)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_an_unknown_suffix_lists_what_works(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"\.wav, \.flac, \.ogg, \.mp3"):
        write_audio(bars(1), tmp_path / "a.aiff")


# SoundFonts


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def soundfont(root: int) -> bytes:
    """A SoundFont of one looped sine, recorded as MIDI pitch 69 and said to be ``root``."""
    wave = (12000 * np.sin(2 * np.pi * 441 * np.arange(4410) / RATE)).astype("<i2")
    smpl = wave.tobytes() + bytes(92)
    bag = struct.pack("<HHHH", 0, 0, 1, 0)
    twice = bytes(10)
    pdta = [
        (b"phdr", struct.pack("<20sHHHIII", b"Sine", 0, 0, 0, 0, 0, 0)
         + struct.pack("<20sHHHIII", b"EOP", 0, 0, 1, 0, 0, 0)),
        (b"pbag", bag), (b"pmod", twice), (b"pgen", struct.pack("<HHHH", 41, 0, 0, 0)),
        (b"inst", struct.pack("<20sH", b"Sine", 0) + struct.pack("<20sH", b"EOI", 1)),
        (b"ibag", struct.pack("<HHHH", 0, 0, 2, 0)), (b"imod", twice),
        (b"igen", struct.pack("<HHHHHH", 54, 1, 53, 0, 0, 0)),
        (b"shdr", struct.pack("<20sIIIIIBbHH", b"sine", 0, 4410, 100, 4410, RATE, root, 0, 0, 1)
         + struct.pack("<20sIIIIIBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)),
    ]  # fmt: skip
    info = _chunk(b"ifil", struct.pack("<HH", 2, 1)) + _chunk(b"isng", b"EMU8000\0") + _chunk(b"INAM", b"Sine\0\0")
    body = b"sfbk" + _chunk(b"LIST", b"INFO" + info) + _chunk(b"LIST", b"sdta" + _chunk(b"smpl", smpl))
    body += _chunk(b"LIST", b"pdta" + b"".join(_chunk(*part) for part in pdta))
    return _chunk(b"RIFF", body)


def test_bends_that_a_soundfont_leaves_out_are_reported(tmp_path: Path) -> None:
    font = tmp_path / "a.sf2"
    font.write_bytes(soundfont(69))
    path = tmp_path / "bent.mid"
    held(0, [(0, 8191)]).dump_midi(path)
    with pytest.warns(MidiWarning, match="not heard through a SoundFont"):
        render(path, [tmp_path / "x.wav"], soundfont=font)


def held(program: int, bends: list[tuple[int, int]], reach: int | None = None) -> Score:
    """An A4 of four seconds that is bent: ticks and values, and the semitones of a full bend."""
    score = Score(480)
    score.tempos.append(Tempo(0, qpm=120))
    track = Track("", program, False)
    track.notes.append(Note(0, 480 * 8, 69, 100))
    track.pitch_bends.extend([PitchBend(tick, value) for tick, value in bends])
    if reach is not None:
        track.controls.extend([ControlChange(0, 101, 0), ControlChange(0, 100, 0), ControlChange(0, 6, reach)])
    score.tracks.append(track)
    return score


@pytest.mark.parametrize(("reach", "ratio"), [(None, 2.0), (12, 12.0), (100, 24.0)])
def test_pitch_bends_are_heard(reach: int | None, ratio: float) -> None:
    sound = synthesize(held(73, [(480 * 4, 8191)], reach))
    assert frequency(sound, 0.5, 1.9) == pytest.approx(440, abs=3)
    assert frequency(sound, 2.3, 3.8) == pytest.approx(440 * 2 ** (ratio / 12), rel=0.01)
    assert np.allclose(synthesize(held(73, [])), synthesize(held(73, [(0, 0)])))


def test_families_of_instruments_tell_apart() -> None:
    """Strings, flute, trumpet, guitar, organ, clarinet, piano: the strength of each partial half a second later."""
    spectra = []
    for program in (48, 73, 56, 25, 19, 71, 0):
        sound = synthesize(held(program, []))[0, 22050:44100].astype(np.float64)
        whole = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        partials = [whole[int(440 * n / 2 - 20) : int(440 * n / 2 + 20)].max() for n in range(1, 17)]
        spectra.append(20 * np.log10(np.array(partials) / max(partials) + 1e-4))
    for number, one in enumerate(spectra):
        for other in spectra[number + 1 :]:
            assert np.abs(one - other).mean() > 2  # dB


def test_a_soundfont_is_found_in_the_documented_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_soundfont() is None
    folder = tmp_path / "soundfonts"
    folder.mkdir()
    for name in ("a.sf2", "FluidR3Mono.sf3", "z.txt"):
        (folder / name).write_bytes(soundfont(69))
    assert find_soundfont() == folder / "FluidR3Mono.sf3"
    monkeypatch.setenv(VARIABLE, str(folder / "a.sf2"))
    assert find_soundfont() == folder / "a.sf2"
    assert find_soundfont(folder / "z.txt") == folder / "z.txt"
    monkeypatch.setenv(VARIABLE, str(folder / "none.sf2"))
    with pytest.raises(RequestError, match=VARIABLE):
        find_soundfont()


def test_a_soundfont_plays_in_time_and_by_velocity(tmp_path: Path) -> None:
    path = tmp_path / "sine.sf2"
    path.write_bytes(soundfont(69))
    sound = synthesize(score((480, 480, 69, 120), (1920, 480, 57, 40)), soundfont=path)
    assert frequency(sound, 0.55, 0.95) == pytest.approx(440, rel=0.01)
    assert frequency(sound, 2.05, 2.45) == pytest.approx(220, rel=0.01)
    assert loudness(sound, 0, 0.45) < 0.01
    assert loudness(sound, 0.55, 0.95) > 3 * loudness(sound, 2.05, 2.45)
    assert sound.shape[1] / RATE == pytest.approx(2.5 + TAIL, abs=0.01)


def test_a_soundfont_that_is_none_or_out_of_tune(tmp_path: Path) -> None:
    folder = tmp_path / "soundfonts"
    folder.mkdir()
    path = folder / "a.sf2"
    for data in (b"hello", soundfont(66)):
        path.write_bytes(data)
        with pytest.raises(RequestError, match="SoundFont"):
            synthesize(bars(1), soundfont=path)
        # One that was only found is passed over.
        assert frequency(synthesize(score((0, 960, 69, 90))), 0.1, 0.9) == pytest.approx(440, rel=0.01)
