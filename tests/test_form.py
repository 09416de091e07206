"""Pieces with a form: what comes again is the same music, what is new is new, and it all ends where it should."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from symusic import Note, Score, Tempo, TimeSignature, Track

from cli_support import call
from random_model import opened
from toccata.errors import RequestError
from toccata.events import BarBegun, Event, PieceFinished
from toccata.measure.validity import validity
from toccata.midi.repeat import closed, repeated
from toccata.midi.splice import new_file
from toccata.musicmodel import Model
from toccata.piece import ORIGIN, Piece, read_origin
from toccata.tokenizers.events import EventOptions
from toccata.verbs.form import Form, bar_lines

PLAIN = EventOptions("REMI", {"use_programs": False, "use_tempos": False, "use_time_signatures": False})
BAND = EventOptions("TSD", {"program_changes": True})
Notes = set[tuple[int, ...]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return opened(tmp_path_factory.mktemp("models") / "plain", PLAIN, context=256)


@pytest.fixture(scope="module")
def band(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return opened(tmp_path_factory.mktemp("models") / "band", BAND)


def bars(music: Piece | Score, first: int, last: int, lines: list[int] | None = None) -> Notes:
    """Onset, length, pitch, velocity and program of the notes of some bars, counted from 1; cut where the bars end."""
    score = music if isinstance(music, Score) else music.score
    lines = lines or bar_lines(score, last)
    return {
        (n.time - lines[first - 1], min(n.end, lines[last]) - n.time, n.pitch, n.velocity, t.program, t.is_drum)
        for t in score.tracks
        for n in t.notes
        if lines[first - 1] <= n.time < lines[last]
    }


def pitches(music: Piece, first: int, last: int) -> set[int]:
    """The pitch classes that begin in those bars."""
    return {note[2] % 12 for note in bars(music, first, last)}


def theme(count: int = 2, ticks: int = 120) -> Score:
    """Bars of 3/4 at 90 for two violins of one name; the last note of the second rings on for two bars."""
    score = Score(ticks)
    score.tempos, score.time_signatures = [Tempo(0, qpm=90)], [TimeSignature(0, 3, 4)]
    for low in (67, 48):
        track = Track("Violin", 40, False)
        track.notes.extend([Note(i * ticks, ticks, low + i % 7, 50 + i) for i in range(3 * count)])
        score.tracks.append(track)
    score.tracks[1].notes[-1].duration = 6 * ticks
    return score


# -- the plan ----------------------------------------------------------------------------------------------------------


@st.composite
def forms(draw: st.DrawFn, most: int = 6) -> str:
    names: list[str] = []
    for _ in range(draw(st.integers(1, most))):
        known = sorted({name[0] for name in names})
        free = [chr(65 + n) for n in range(26) if chr(65 + n) not in known][:1]
        names.append(draw(st.sampled_from(known + free + [f"{n}'" for n in known] + [f"{n}''" for n in known[:1]])))
    return "".join(names)


def test_forms_are_read_as_musicians_write_them() -> None:
    assert Form.read("AABA").sections == ("A", "A", "B", "A")
    assert Form.read("a b a\u2019").sections == Form.read("A-B-A'").sections == ("A", "B", "A'")
    assert str(Form.read("A | A' | A''")) == "AA'A''"


@given(forms(), st.integers(2, 9), st.booleans(), st.data())
def test_every_bar_is_new_or_repeats_one_before(text: str, length: int, end: bool, data: st.DataObject) -> None:
    form = Form.read(text)
    total = length * len(form.sections)
    there = data.draw(st.integers(0, length - 1))
    at = there
    for step in form.steps(total, given=there, end=end):
        assert (step.first, step.bars > 0) == (at, True)
        at += step.bars
        name, place = form.sections[step.section], step.first - length * step.section
        assert 0 <= place <= length - step.bars
        if step.source is not None:
            section, origin = divmod(step.source, length)
            assert origin == place == 0
            assert form.sections[section] in (name, name[0])
            assert section < step.section
        assert step.end == (end and at == total)
    assert at == total


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no form"),
        ("A1B", "no form"),
        ("'A", "no form"),
        ("AÄ", "no form"),
        ("verse", "no form"),
        ("ACB", "order of the alphabet"),
        ("AB'", "varies B"),
        ("A" * 65, "65 "),
    ],
)
def test_what_is_no_form_is_refused(text: str, why: str) -> None:
    with pytest.raises(RequestError, match=why) as refused:
        Form.read(text)
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    ("form", "asked", "why"),
    [
        ("AABA", {"bars": 30}, "30 bars do not make 4 sections of one length: ask for 28 or 32"),
        ("AABA", {"bars": 3}, "ask for 4$"),
        ("ABA", {"bars": 1}, "ask for 3$"),
        ("ABA", {"bars": None}, "a form needs a number of bars: 24 make ABA of 8 bars each"),
        ("AA'", {"bars": 2}, "A' begins like A, for which a section needs 2 bars"),
        ("AABA", {"bars": 4, "prompt": theme(2), "prompt_bars": 2}, r"prompt_bars=1\), or ask for 8 bars in all"),
        ("AA", {"bars": 4, "prompt": theme(2), "prompt_bars": 2}, "nothing is left to write"),
        ("AB", {"bars": 4, "prompt": theme(2), "prompt_seconds": 1.0}, "ends inside one"),
        ("AA", {"bars": 4, "chords": "C | F | G | C"}, "bar 3 is bar 1 again, and the chord chart has other chords"),
        ("AB", {"bars": 4, "n": 0}, "n must be a whole number from 1"),
    ],
)
def test_what_cannot_be_had_is_refused(model: Model, form: str, asked: dict[str, Any], why: str) -> None:
    with pytest.raises(RequestError, match=why):
        model.generate(form=form, **asked)


# -- the music ---------------------------------------------------------------------------------------------------------


def test_what_comes_again_is_the_same_music(model: Model) -> None:
    seen: list[Event] = []
    [piece] = model.generate(bars=16, form="AABA", seed=5, on_event=seen.append)
    sections = [bars(piece, first, first + 3) for first in (1, 5, 9, 13)]
    assert len(sections[0]) > 10
    assert sections[0] == sections[1] == sections[3]
    assert sections[0] != sections[2] != set()
    assert validity([piece], 16).faults == ()
    assert [event.bar for event in seen if isinstance(event, BarBegun)] == list(range(16))
    [done] = [event for event in seen if isinstance(event, PieceFinished)]
    assert (done.piece, done.music, piece.origin["tokens"]) == (0, piece, model.stats.tokens)
    assert model.stats.notes == len(sections[0]) + len(sections[2])
    [alone] = model.generate(bars=4, seed=5)
    assert bars(alone, 1, 4) == sections[0]


def test_the_same_request_gives_the_same_piece(model: Model) -> None:
    asked: dict[str, Any] = {"bars": 6, "form": "ABA", "prompt": None}
    pieces = model.generate(n=2, seed=3, **asked)
    assert [piece.midi for piece in pieces] == [model.generate(seed=s, **asked)[0].midi for s in (3, 4)]
    assert pieces[0].midi != pieces[1].midi
    origin = read_origin(pieces[1].midi)
    assert origin is not None
    assert origin == pieces[1].origin
    assert (origin["form"], origin["bars"], origin["seed"]) == ("ABA", 6, 4)
    assert origin["notes"] == pieces[1].score.note_num()
    texts = [m.text for t in mido.MidiFile(file=io.BytesIO(pieces[1].midi)).tracks for m in t if m.type == "text"]
    assert sum(text.startswith(ORIGIN) for text in texts) == 1


def test_a_variation_begins_alike_and_goes_on_in_another_way(model: Model) -> None:
    [piece] = model.generate(bars=16, form="AA'A''A'", seed=1)
    theme, *varied = [(bars(piece, n, n + 1), bars(piece, n + 2, n + 3)) for n in (1, 5, 9, 13)]
    assert all(begin == theme[0] for begin, _ in varied)
    assert theme[1] != varied[0][1] != varied[1][1] != theme[1]
    assert varied[2] == varied[0]


@pytest.mark.parametrize("form", ["ABA", "AAB", "ABA'", "A"])
def test_it_comes_to_an_end_in_the_last_section_alone(model: Model, form: str) -> None:
    length = 4
    asked: dict[str, Any] = {"bars": length * len(form.replace("'", "")), "form": form, "key": "D minor", "seed": 2}
    [plain], [ended] = model.generate(**asked), model.generate(end=True, **asked)
    total = asked["bars"]
    assert set() != pitches(ended, total, total) <= {2, 5, 9}
    if form != "A":
        assert bars(ended, 1, total - length) == bars(plain, 1, total - length)
    if form == "ABA":
        assert bars(ended, total - 3, total - 2) == bars(ended, 1, 2)
    assert ended.origin["end"] is True
    assert validity([ended], total).faults == ()


def test_a_prompt_is_the_first_section(model: Model) -> None:
    song = theme()
    [piece] = model.generate(song, bars=8, form="AABA", seed=1, prompt_bars=2)
    lines = [n * 360 for n in range(9)]
    whole = bars(piece, 1, 2, lines)
    begin = {(n.time, n.pitch, n.velocity) for t in song.tracks for n in t.notes}
    assert {(onset, pitch, velocity) for onset, _, pitch, velocity, *_ in whole} == begin
    assert max(onset + length for onset, length, *_ in whole) == 720  # what rings on ends with the section
    assert whole == bars(piece, 3, 4, lines) == bars(piece, 7, 8, lines) != bars(piece, 5, 6, lines)
    assert (piece.prompt_end, piece.origin["prompt"]) == (720, "score, bars 1-2")
    assert [(t.time, round(t.qpm)) for t in piece.score.tempos] == [(0, 90)]
    assert [(s.time, s.numerator) for s in piece.score.time_signatures] == [(0, 3)]
    low, high = sorted((t for t in piece.score.tracks if t.program == 40), key=lambda track: track.notes[0].pitch)
    for track, first in ((low, 48), (high, 67)):  # each violin has its own line again
        mine = [n.pitch for n in track.notes if n.time < 1440 or n.time >= 2160]
        assert mine == [first + i for i in range(6)] * 3


def test_a_prompt_is_the_beginning_of_the_first_section(model: Model) -> None:
    [piece] = model.generate(theme(), prompt_bars=2, bars=8, form="AB", seed=1)
    [without] = model.generate(theme(), prompt_bars=2, bars=2, seed=1)
    lines = [n * 360 for n in range(9)]
    assert bars(piece, 3, 4, lines) == bars(without, 3, 4, lines) != set()
    [again] = model.generate(theme(), prompt_bars=2, bars=8, form="AA", seed=1, continuation_only=True)
    assert again.prompt_end is None
    assert {n[:4] for n in bars(again, 3, 4, lines)} == {n[:4] for n in bars(piece, 1, 2, lines)}
    assert bars(again, 1, 2, lines) == bars(again, 5, 6, lines)


def test_a_file_that_cannot_be_taken_apart_has_its_form_too(model: Model) -> None:
    data = bytearray(new_file(theme()))
    data[12:14] = bytes((0x100 - 25, 40))  # 25 frames a second, 40 ticks each
    [piece] = model.generate(bytes(data), bars=8, form="ABA'A", prompt_bars=1, seed=0)
    lines = bar_lines(piece.score, 8)
    assert bars(piece, 1, 2, lines) == bars(piece, 7, 8, lines)


def test_a_form_is_judged_as_a_whole(model: Model) -> None:
    [first] = model.generate(bars=8, form="ABAB", seed=9)
    [other] = model.generate(bars=8, form="ABAB", seed=9, accept=lambda piece: piece.midi != first.midi)
    assert other.origin["seed"] != 9
    assert bars(other, 1, 4) == bars(other, 5, 8)


def test_tokens_are_counted_over_the_whole_piece(model: Model) -> None:
    [piece] = model.generate(bars=12, form="ABC", max_tokens=40, seed=0)
    assert piece.origin["tokens"] < 100
    assert bars(piece, 1, 4)


def test_sections_keep_their_meters_and_tempos(tmp_path: Path) -> None:
    model = opened(tmp_path / "m", EventOptions("REMI", {"use_programs": False}))
    found = 0
    for seed in range(4):
        [piece] = model.generate(bars=6, form="ABA", seed=seed, max_tokens=400)
        score, lines = piece.score, bar_lines(piece.score, 6)
        assert np.diff(lines[:3]).tolist() == np.diff(lines[4:]).tolist()
        assert bars(piece, 1, 2, lines) == bars(piece, 5, 6, lines)
        tempos = [_tempos(score, lines[a], lines[a + 2]) for a in (0, 4)]
        assert tempos[0] == tempos[1]
        found += len(set(tempos[0])) > 1 or len(set(np.diff(lines))) > 1
    assert found, "no tempo and no meter changed: nothing was tested"


def _tempos(score: Score, start: int, end: int) -> list[tuple[int, int]]:
    """The tempos in force in a passage, and from when on."""
    said = sorted((t.time, t.mspq) for t in score.tempos)
    first = [mspq for tick, mspq in said if tick <= start][-1]
    return [(0, first)] + [(tick - start, mspq) for tick, mspq in said if start < tick < end]


@settings(max_examples=10, deadline=None)
@given(forms(), st.integers(2, 3), st.booleans(), st.integers(0, 99), st.booleans())
@example(text="AB", length=3, end=False, seed=50, plain=True)  # its first section ends in silence
def test_any_form_has_its_bars(
    model: Model, band: Model, text: str, length: int, end: bool, seed: int, plain: bool
) -> None:
    form, writer = Form.read(text), model if plain else band
    total = length * len(form.sections)
    [piece] = writer.generate(bars=total, form=text, end=end, seed=seed, max_tokens=400, programs=[0])
    if not piece.origin["notes"]:  # its first section ends in silence, so nothing comes again
        reject()
    assert validity([piece], total).faults == ()
    lines = bar_lines(piece.score, total)
    assert all(n.end <= lines[-1] for t in piece.score.tracks for n in t.notes)
    for step in form.steps(total, end=end):
        if step.source is not None:
            same = [bars(piece, first + 1, first + step.bars, lines) for first in (step.source, step.first)]
            assert same[0] == same[1]


def test_a_form_at_the_command_line(model: Model, tmp_path: Path) -> None:
    place = tmp_path / "tune.mid"
    asked = ["generate", "--model", str(model.folder.path), "--precision", "fp32", "--seed", "5"]
    done = call(*asked, "--form", "aba", "--bars", "12", "-o", str(place))
    assert done.code == 0, done.err
    [piece] = model.generate(bars=12, form="ABA", seed=5)
    assert place.read_bytes() == piece.midi
    refused = call(*asked, "--form", "ABA", "-o", str(tmp_path / "other.mid"))
    assert refused.error == "error: 16 bars do not make 3 sections of one length: ask for 15 or 18"


# -- passages of a file ------------------------------------------------------------------------------------------------


def messages(data: bytes) -> Iterator[tuple[int, int, mido.Message]]:
    """(track, tick, message), as an independent reader sees them."""
    for number, track in enumerate(mido.MidiFile(file=io.BytesIO(data)).tracks):
        tick = 0
        for message in track:
            tick += message.time
            yield number, tick, message


def file(*tracks: list[mido.Message]) -> bytes:
    out = io.BytesIO()
    mido.MidiFile(type=1, ticks_per_beat=96, tracks=[mido.MidiTrack(t) for t in tracks]).save(file=out)
    return out.getvalue()


def message(kind: str, time: int = 0, **values: int) -> mido.Message:
    return mido.Message(kind, time=time, **values)


SONG = file(
    [
        mido.MetaMessage("track_name", name="Map"),
        mido.MetaMessage("set_tempo", tempo=400_000),
        mido.MetaMessage("lyrics", text="la", time=10),
        mido.MetaMessage("set_tempo", tempo=600_000, time=374),
    ],
    [
        message("program_change", program=5),
        message("note_on", note=60, velocity=61),
        message("note_on", note=64, velocity=62, time=96),
        message("note_off", note=60, velocity=33, time=96),  # at 192
        message("control_change", control=64, value=127, time=200),  # at 392
        message("program_change", program=9),
        message("note_on", note=70, velocity=63),
        message("note_off", note=64, time=8),  # at 400
        message("note_on", note=71, velocity=64),  # never ends
        message("note_off", note=70, time=500),  # at 900
    ],
)


def test_a_passage_comes_again_as_it_was_and_ends_with_itself() -> None:
    out = repeated(SONG, 0, 384, 768)
    later = [(tick, str(m.copy(time=0))) for n, tick, m in messages(out) if n == 1 and tick >= 768]
    assert later[0][1] == str(message("note_off", note=70))  # what sounds where the copy begins ends there
    assert {(768, str(message("program_change", program=5))), (768, str(message("control_change", control=64)))} < set(
        later
    )
    notes = [(n.time, n.duration, n.pitch, n.velocity, t.program) for t in Score.from_midi(out).tracks for n in t.notes]
    assert sorted(notes) == [
        (0, 192, 60, 61, 5), (96, 304, 64, 62, 5), (392, 376, 70, 63, 9), (768, 192, 60, 61, 5), (864, 288, 64, 62, 5),
    ]  # fmt: skip
    listed = [(tick, m.type) for n, tick, m in messages(out) if n == 0]
    assert listed == [
        (0, "track_name"), (0, "set_tempo"), (10, "lyrics"), (384, "set_tempo"), (768, "set_tempo"), (778, "lyrics"),
        (1152, "end_of_track"),
    ]  # fmt: skip


def test_nothing_is_said_twice_that_still_holds() -> None:
    out = repeated(SONG, 192, 384, 384)
    assert [m.type for n, tick, m in messages(out) if n == 0 and tick >= 384] == ["end_of_track"]
    assert [m.type for n, tick, m in messages(out) if n == 1 and tick >= 384] == ["note_off", "end_of_track"]


def test_a_file_is_closed() -> None:
    out = closed(SONG, 394, text="no such text")
    notes = [(n.time, n.duration, n.pitch) for t in Score.from_midi(out).tracks for n in t.notes]
    assert sorted(notes) == [(0, 192, 60), (96, 298, 64), (392, 2, 70)]
    assert closed(out, 394) == out
    for wrong in ((-1, 5, 9), (5, 5, 9), (0, 10, 9)):
        with pytest.raises(ValueError, match="once more"):
            repeated(SONG, *wrong)
    with pytest.raises(ValueError, match="a cut at tick -1"):
        closed(SONG, -1)
