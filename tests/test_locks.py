"""Locked notes are in every output with their tick, length, loudness and channel, as mido reads them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from symusic import Note, Score, Track

import toccata
from cli_support import call
from outside import Heard, heard, inside, new_notes, read, untouched_outside
from random_model import random_model
from test_replace import A_NOTE, FILES, midi, off, on, program, score
from toccata.errors import MidiError, RequestError
from toccata.midi import smf
from toccata.midi.bars import bar_map
from toccata.midi.locks import Lock, locked_notes
from toccata.midi.notes import score_places
from toccata.midi.read import find_midi, read_score
from toccata.midi.replace import Hole, replace_notes
from toccata.midi.splice import new_file
from toccata.midi.tracks import chosen_tracks
from toccata.musicmodel import Model
from toccata.piece import Piece
from toccata.recipes import load
from toccata.tokenizers.events import EventOptions


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights: what such a model writes goes everywhere."""
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    return random_model(tmp_path_factory.mktemp("model") / "m", recipe.tokenizer, context=512)


@pytest.fixture(scope="module")
def model(path: Path) -> Model:
    return Model(path, precision="fp32")


def notes(data: bytes) -> Counter[tuple[int, ...]]:
    """``(track, channel, program, start, end, pitch, velocity)`` of all notes."""
    found: list[Heard] = [note for n, track in enumerate(read(data).tracks) for note in heard(track, n)]
    return Counter((*note[:4], -1 if note.end is None else note.end, note.pitch, note.velocity) for note in found)


def locked(data: bytes, locks: list[Lock], *, ticks: tuple[int, int] = (0, 10**9)) -> Counter[tuple[int, ...]]:
    """What of a file is locked, told by its Score's notes: their track, channel, tick, length, pitch and velocity."""
    whole = Score.from_midi(data)
    places = score_places(smf.read(data).tracks)
    kept = locked_notes(whole, bar_map(whole), locks)
    return Counter(
        (*places[n], note.time, note.end, note.pitch, note.velocity)
        for n, track in enumerate(whole.tracks)
        for note in track.notes
        if (n, note.time, note.pitch) in kept and ticks[0] <= note.time < ticks[1]
    )


# -- what stands in the file -------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(FILES, st.data())
def test_any_file_any_locks_any_notes(data: bytes, draw: st.DataObject) -> None:
    try:
        whole = read_score(data)
    except MidiError:
        return
    there = [(n, note.time, note.pitch) for n, track in enumerate(whole.tracks) for note in track.notes]
    kept = frozenset(draw.draw(st.sets(st.sampled_from(there)))) if there else frozenset()
    holes = [Hole(0, 200, None, kept)]
    places = score_places(smf.read(data).tracks)
    held: Counter[tuple[int, ...]] = Counter(
        (*places[n], note.time, note.end, note.pitch, note.velocity)
        for n, track in enumerate(whole.tracks)
        for note in track.notes
        if (n, note.time, note.pitch) in kept
    )
    listed = draw.draw(st.lists(st.lists(A_NOTE, max_size=8), max_size=4))
    count = len(places)
    targets = [draw.draw(st.none() | st.integers(0, count - 1) if count else st.none()) for _ in listed]
    new = score(*listed, tpq=96, program=draw.draw(st.integers(0, 2)), drums=draw.draw(st.booleans()))
    out = replace_notes(data, holes, new, targets)
    # To a reader of each track, and to a player of them all: the same notes, as long as they were.
    assert untouched_outside(data, out, holes) == []
    # A reader of each track does not know a program that another track sets; toccata's own reader does.
    assert not without_program(held) - without_program(notes(out))
    if kept:
        assert not played(whole, kept) - played(read_score(out))


def without_program(found: Counter[tuple[int, ...]]) -> Counter[tuple[int, ...]]:
    out: Counter[tuple[int, ...]] = Counter()
    for (track, channel, _, *rest), count in found.items():
        out[track, channel, *rest] += count
    return out


def played(whole: Score, kept: frozenset[tuple[int, int, int]] | None = None) -> Counter[tuple[int, ...]]:
    """Program, onset, end and pitch of the notes, or of those that are kept."""
    return Counter(
        (-1 if track.is_drum else track.program, note.time, note.end, note.pitch)
        for n, track in enumerate(whole.tracks)
        for note in track.notes
        if kept is None or (n, note.time, note.pitch) in kept
    )


def test_a_locked_note_is_not_struck_again_clipped_or_doubled() -> None:
    data = midi([program(0), on(60, 96), off(60, 96), on(62), off(62, 96)], [on(64, 96), off(64, 96)])
    hole = Hole(0, 384, None, frozenset({(0, 96, 60), (1, 96, 64)}))
    new = score([(0, 200, 60, 9), (100, 20, 60, 9), (96, 96, 60, 9), (150, 100, 60, 9)], [(120, 99, 64, 9)], tpq=96)
    out = replace_notes(data, [hole], new, [0, 1])
    assert untouched_outside(data, out, [hole]) == []
    assert notes(out)[0, 0, 0, 96, 192, 60, 80] == 1
    assert new_notes(data, out, [hole]) == [(0, 0, 0, 96, 60, 9)]


# -- what a model writes around it -------------------------------------------------------------------------------------

EVENTS = st.lists(
    st.tuples(st.integers(0, 31), st.integers(1, 6), st.integers(58, 66), st.integers(1, 127)), min_size=1, max_size=16
)
LOCKS = st.builds(
    Lock.of,
    st.none() | st.integers(1, 2) | st.just((1, 2)),
    st.none() | st.integers(1, 3) | st.just((1, 2)),
    st.integers(58, 66) | st.just(("A#3", "C4")) | st.just((62, 66)),
)


def song(tracks: list[list[tuple[int, int, int, int]]], channels: list[int]) -> bytes:
    """Two bars; onsets and lengths in 16ths. No key of a channel is struck while it sounds, as in any sane file."""
    busy: dict[tuple[int, int], list[tuple[int, int]]] = {}
    out = []
    for listed, channel in zip(tracks, channels, strict=False):
        events = [(0, 0, program(channel, 0, channel))]
        for start, length, pitch, velocity in sorted(listed):
            end = min(start + length, 32)
            spans = busy.setdefault((channel, pitch), [])
            if all(end < a or b < start for a, b in spans):
                spans.append((start, end))
                events += [(start * 24, 1, on(pitch, 0, channel, velocity)), (end * 24, 0, off(pitch, 0, channel))]
        events.sort(key=lambda event: event[:2])
        ticks = [0, *(event[0] for event in events)]
        out.append([event[2].copy(time=b - a) for event, a, b in zip(events, ticks, ticks[1:], strict=False)])
    return midi(*out)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(EVENTS, min_size=1, max_size=3),
    st.sampled_from([[0, 1, 2], [0, 0, 0], [0, 0, 9]]),
    LOCKS,
    st.sampled_from([[(1, 2)], [(1, 1)], [(2, 2)]]),
    st.integers(0, 99),
)
def test_any_song_any_locks(
    model: Model, tracks: list[list[tuple[int, int, int, int]]], channels: list[int], lock: Lock,
    bars: list[tuple[int, int]], seed: int,
) -> None:  # fmt: skip
    data = song(tracks, channels)
    try:
        kept = locked(data, [lock])
        lines = bar_map(read_score(data))
        if bars[0][1] > len(lines):
            return
        (piece,) = model.infill(data, bars, locks=[lock], seed=seed)
    except RequestError:  # the lock holds no note, or a track has none
        return
    assert kept
    assert not kept - notes(piece.midi)
    whole = read_score(data)
    start, end = int(lines.starts[bars[0][0] - 1]), int(lines.starts[bars[0][1]])
    hole = Hole(start, end, None, locked_notes(whole, lines, [lock]))
    assert untouched_outside(data, piece.midi, [hole]) == []


def test_locks_of_real_songs(data: Path, model: Model) -> None:
    for folder, locks in (
        ("quartets", [Lock.read("3-4:1"), Lock.read("::C2-G3")]),
        ("choir", [Lock.read("3")]),
        ("game", [Lock.read("3-4:drums")]),
    ):
        path = next(p for p in find_midi(data / folder)[3:] if _holds(p, locks))
        midi = path.read_bytes()
        whole = read_score(midi)
        lines = bar_map(whole)
        (piece,) = model.infill(path, [(3, 4)], locks=locks, seed=3)
        inside_bars = int(lines.starts[2]), int(lines.starts[4])
        kept = locked(midi, locks, ticks=inside_bars)
        assert kept, path.name
        assert not kept - notes(piece.midi), path.name
        hole = Hole(*inside_bars, None, locked_notes(whole, lines, locks))
        assert untouched_outside(midi, piece.midi, [hole]) == [], path.name
        assert inside(midi, [hole]) or len(locks) > 1, path.name
        assert piece.origin["locks"] == [str(lock) for lock in locks]


def _holds(path: Path, locks: list[Lock]) -> bool:
    try:
        whole = read_score(path)
        return bool(locked_notes(whole, bar_map(whole), locks))
    except (MidiError, RequestError):
        return False


# -- how locks are said ------------------------------------------------------------------------------------------------


def test_a_piece_carries_its_locks(data: Path, model: Model, tmp_path: Path) -> None:
    path = find_midi(data / "quartets")[3]
    piece = toccata.song(path).lock(bars=(5, 6), tracks=["violin"]).lock(pitches=("C5", "G9"))
    assert [str(lock) for lock in piece.locks] == ["5-6:violin", "::72-127"]
    assert piece.midi == path.read_bytes()
    (made,) = model.infill(piece, [(5, 6)], seed=1)
    assert not locked(piece.midi, list(piece.locks)) - notes(made.midi)
    assert made.origin["prompt"] == path.name
    assert made.midi == model.infill(path, [(5, 6)], locks=piece.locks, seed=1)[0].midi
    # What is written is a piece again: more can be locked, and written on.
    again = model.infill(made.lock(bars=5), [(5, 6)], seed=2)[0]
    assert not locked(made.midi, [Lock.of(5)]) - notes(again.midi)
    (duet,) = model.accompany(piece, [42], bars=[(5, 5)], seed=1)
    assert not notes(piece.midi) - notes(duet.midi)
    (longer,) = model.generate(piece, bars=1, seed=1)
    assert not notes(piece.midi) - notes(longer.midi)
    saved = toccata.song(made.save(tmp_path / "made.mid"))
    assert saved.origin["seed"] == 1
    assert saved.locks == ()


@pytest.mark.parametrize(
    ("text", "bars", "tracks", "pitches"),
    [
        ("5-6", (5, 6), None, None),
        (" 5 : melody , 2 ", (5, 5), ("melody", "2"), None),
        ("::C5-G9", None, None, (72, 127)),
        (":1:60", None, ("1",), (60, 60)),
        ("5-8:bass:Bb-1 - f#2", (5, 8), ("bass",), (10, 42)),
    ],
)
def test_locks_in_a_line(
    text: str, bars: tuple[int, int] | None, tracks: tuple[str, ...] | None, pitches: tuple[int, int] | None
) -> None:
    lock = Lock.read(text)
    assert (lock.bars, lock.tracks, lock.pitches) == (bars, tracks, pitches)
    assert Lock.read(str(lock)) == lock


@pytest.mark.parametrize("text", ["", ":", "::", "a:b:c:d", "0", "6-5", "5-", "x", ":,", "::H4", "::C5-C4", "::128"])
def test_what_is_no_lock(text: str, path: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        Lock.read(text)
    assert "\n" not in str(caught.value)
    result = call("infill", tmp_path / "song.mid", "--bars", 1, "--lock", text, "--model", path)
    assert result.code == 2
    assert "--lock" in result.error


def test_locks_that_make_no_sense() -> None:
    piece = Piece(midi([on(60), off(60, 96)]), {})
    for asked, what in (
        ({}, "needs bars, tracks or pitches"),
        ({"bars": (2, 3)}, "there are no bars 2 to 3"),
        ({"bars": 0}, "bars must be bars like 5-8 .* not 0"),
        ({"bars": (1, 2, 3)}, r"not \(1, 2, 3\)"),
        ({"tracks": "tuba"}, "no track tuba; there are 1"),
        ({"tracks": []}, "tracks must be tracks"),
        ({"pitches": ("C5", "C4")}, "the lowest and the highest pitch"),
        ({"pitches": "H4"}, "no range of pitches"),
        ({"pitches": 61}, "the lock ::61-61 holds no note"),
    ):
        with pytest.raises(RequestError, match=what) as caught:
            piece.lock(**asked)
        assert "\n" not in str(caught.value)


def test_the_command_locks(data: Path, path: Path, tmp_path: Path) -> None:
    song = find_midi(data / "quartets")[3]
    out = tmp_path / "out.mid"
    asked = ["infill", song, "--bars", "3-4", "--model", path, "--seed", 1, "-o", out]
    result = call(*asked, "--lock", "3:1", "--lock", "::C2-C3", "--json")
    assert result.code == 0, result.err
    kept = locked(song.read_bytes(), [Lock.read("3:1"), Lock.read("::C2-C3")])
    assert not kept - notes(out.read_bytes())
    result = call(*asked, "--lock", "9000", "--force")
    assert result.code != 0
    assert "there is no bar 9000 to lock: the song has" in result.error


def test_single_notes_are_locked_by_track_tick_and_pitch(model: Model) -> None:
    data = midi([program(1), *(event for p in (60, 62, 64, 65, 67, 69, 71, 72) for event in (on(p), off(p, 96)))])
    single = Lock.read("@1/96/62,1/480/69")
    assert single.notes == ((1, 96, 62), (1, 480, 69))
    assert Lock.read(str(single)) == single
    assert locked_notes(Score.from_midi(data), bar_map(Score.from_midi(data)), [single]) == {(0, 96, 62), (0, 480, 69)}
    (piece,) = model.infill(data, [(1, 2)], locks=[single], seed=1)
    kept = locked(piece.midi, [single])
    assert kept == locked(data, [single])
    assert kept.total() == 2


@pytest.mark.parametrize("text", ["@", "@1", "@1/2", "@0/0/60", "@1/0/128", "@1/-1/60", "@a/b/c", "@1/2/3/4"])
def test_single_notes_that_are_none(text: str) -> None:
    with pytest.raises(RequestError, match="TRACK/TICK/PITCH"):
        Lock.read(text)


def test_a_single_note_that_is_not_there() -> None:
    song = Score.from_midi(midi([on(60), off(60, 96)]))
    for text in ("@1/0/61", "@1/1/60", "@2/0/60"):
        with pytest.raises(RequestError, match="there is no note to lock in track"):
            locked_notes(song, bar_map(song), [Lock.read(text)])


def band() -> bytes:
    """Flute, bassoon, a bass without a name and a contrabass."""
    out = Score(96)
    for name, number, low in (("Flute", 73, 72), ("Bassoon", 70, 50), ("", 33, 36), ("Contrabass", 43, 30)):
        track = Track(name, number, False)
        track.notes.extend(Note(96 * i, 96, low + i % 5, 80) for i in range(8))
        out.tracks.append(track)
    return new_file(out)


@pytest.mark.parametrize(
    ("word", "numbers"),
    [
        ("bass", {2}), ("bassoon", {1}), ("Contrabass", {3}), ("contra", {3}), ("ass", {1, 2, 3}), (4, {3}),
        ("fingered bass", {2}), ("flute", {0}),
    ],
)  # fmt: skip
def test_a_track_is_named_by_its_name_then_by_a_word_then_by_a_part_of_it(word: int | str, numbers: set[int]) -> None:
    assert chosen_tracks(read_score(band()), [word]) == numbers


def test_the_melody_of_a_piece_can_be_locked_though_no_track_is_called_so(model: Model) -> None:
    piece = Piece(band(), {}).lock(tracks="melody")
    top = {(note.time, note.pitch) for note in piece.score.tracks[0].notes}
    (made,) = model.infill(piece, [(1, 1)], seed=1)
    assert top <= {(note.time, note.pitch) for note in made.score.tracks[0].notes}
    both = Piece(band(), {}).lock(bars=1, tracks=["melody", "bassoon"])
    assert {note.track for note in locked_notes(both.score, bar_map(both.score), both.locks)} == {0, 1}
    with pytest.raises(RequestError, match="no bar 9"):
        Piece(band(), {}).lock(bars=9, tracks="melody")
