"""Cleaning, facts and fingerprints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic import ControlChange, KeySignature, Note, Pedal, PitchBend, Score, Tempo, TextMeta, TimeSignature, Track

from toccata.corpus.groups import related
from toccata.errors import MidiError
from toccata.midi import edit
from toccata.midi.clean import CleanOptions, clean
from toccata.midi.facts import facts, fingerprint, seconds_at, shared
from toccata.midi.likeness import SKETCH
from toccata.midi.read import read_score

ANY = CleanOptions(min_notes=1)
KINDS = ("bach", "choir", "chorales_synthetic", "drums", "game", "orchestra", "piano", "quartets", "songs")


def song(*tracks: tuple[int, list[tuple[int, int, int]]]) -> Score:
    """A Score of 480 ticks a quarter from (program, [(time, length, pitch), ...]); program -1 is drums."""
    score = Score(480)
    for program, notes in tracks:
        track = Track(f"part {program}", max(0, program), program < 0)
        track.notes.extend([Note(time, length, pitch, 80) for time, length, pitch in notes])
        score.tracks.append(track)
    return score


def columns(track: Track) -> list[tuple[int, int, int]]:
    return [(n.time, n.duration, n.pitch) for n in track.notes]


@pytest.fixture(scope="module")
def pieces(data: Path) -> list[Score]:
    """One to three real pieces of each kind."""
    paths = [path for kind in KINDS for path in sorted((data / kind).rglob("*.mid"))[7::200][:3]]
    scores = [read_score(path) for path in paths]
    return [score for score in scores if score.note_num() >= 50]


# ---- cleaning


def test_notes_are_tidied() -> None:
    line = [(0, 0, 50), (0, 960, 60), (0, 240, 60), (480, 480, 60), (960, 10**6, 61)]
    out = clean(song((0, line)), ANY)
    assert columns(out.tracks[0]) == [(0, 480, 60), (480, 480, 60), (960, 10**6, 61)]


def test_drum_hits_without_length_are_kept() -> None:
    assert columns(clean(song((-1, [(0, 0, 36), (480, 0, 38)])), ANY).tracks[0]) == [(0, 60, 36), (480, 60, 38)]


def test_quantising_moves_both_ends_and_loses_nothing() -> None:
    out = clean(song((0, [(3, 470, 60), (475, 2, 62), (641, 155, 64)])), CleanOptions(min_notes=1, quantize=12))
    assert columns(out.tracks[0]) == [(0, 480, 60), (480, 40, 62), (640, 160, 64)]


def test_programs_and_drums() -> None:
    band = song((0, [(0, 480, 60)]), (33, [(0, 480, 40)]), (-1, [(0, 480, 36)]))

    def left(**options: object) -> list[tuple[int, bool]]:
        out = clean(band, CleanOptions(min_notes=1, **options))  # type: ignore[arg-type]
        return [(track.program, track.is_drum) for track in out.tracks]

    assert left() == [(0, False), (33, False), (0, True)]
    assert left(drop_drums=True) == [(0, False), (33, False)]
    assert left(programs=(33,)) == [(33, False)]
    assert left(programs=(-1,)) == [(0, True)]
    assert left(merge=True, merge_program=4) == [(4, False), (0, True)]
    with pytest.raises(MidiError, match="no notes of the instruments asked for"):
        left(programs=(7,))


def test_all_that_is_not_a_note_stays() -> None:
    score = song((0, [(0, 480, 60), (480, 480, 62)]), (5, []), (40, [(0, 480, 70)]))
    score.tempos.extend([Tempo(0, 90), Tempo(0, 90), Tempo(480, 70)])
    score.time_signatures.extend([TimeSignature(0, 3, 4), TimeSignature(0, 3, 4)])
    score.key_signatures.append(KeySignature(0, -3, 1))
    score.markers.append(TextMeta(480, "B"))
    first, empty, violin = score.tracks
    first.controls.append(ControlChange(0, 7, 100))
    first.pedals.append(Pedal(0, 400))
    violin.controls.append(ControlChange(10, 7, 90))
    violin.pitch_bends.append(PitchBend(20, 1000))
    empty.name = violin.name
    empty.lyrics.append(TextMeta(0, "la"))
    out = clean(score, ANY)
    assert [(t.time, round(t.qpm)) for t in out.tempos] == [(0, 90), (480, 70)]
    assert [(m.numerator, m.denominator) for m in out.time_signatures] == [(3, 4)]
    assert [(k.key, k.tonality) for k in out.key_signatures] == [(-3, 1)]
    assert [(m.time, m.text) for m in out.markers] == [(480, "B")]
    assert [track.name for track in out.tracks] == ["part 0", "part 40"]
    assert [(c.time, c.number, c.value) for c in out.tracks[0].controls] == [(0, 7, 100)]
    assert [(p.time, p.duration) for p in out.tracks[0].pedals] == [(0, 400)]
    assert [(b.time, b.value) for b in out.tracks[1].pitch_bends] == [(20, 1000)]
    assert [lyric.text for lyric in out.tracks[1].lyrics] == ["la"]
    assert len(score.tracks) == 3  # the original is as it was
    assert len(empty.lyrics) == 1
    merged = clean(score, CleanOptions(min_notes=1, merge=True)).tracks[0]
    assert columns(merged) == [(0, 480, 60), (0, 480, 70), (480, 480, 62)]
    assert [c.time for c in merged.controls] == [0, 10]
    assert len(merged.pedals) == 1
    assert not len(merged.pitch_bends)
    assert len(merged.lyrics) == 1


def test_pieces_that_fall_out_say_why() -> None:
    four_bars = song((0, [(480 * beat, 480, 60) for beat in range(16)]))
    assert clean(four_bars, CleanOptions(min_bars=4, max_bars=4)).note_num() == 16
    for options, reason in (
        (CleanOptions(min_notes=17), r"too few notes: 16 \(at least 17\)"),
        (CleanOptions(min_bars=5), r"too short: 4 bars \(at least 5\)"),
        (CleanOptions(max_bars=3), r"too long: 4 bars \(at most 3\)"),
    ):
        with pytest.raises(MidiError, match=reason):
            clean(four_bars, options)
    with pytest.raises(MidiError, match="no notes"):
        clean(Score(480), ANY)


note_lists = st.lists(
    st.tuples(st.integers(0, 4000), st.integers(0, 3000), st.integers(58, 62)), min_size=1, max_size=60
)


@settings(max_examples=150, deadline=None)
@given(note_lists, st.sampled_from([None, 4, 12]), st.booleans())
def test_no_note_is_left_overlapping_itself_and_cleaning_twice_is_cleaning_once(
    notes: list[tuple[int, int, int]], quantize: int | None, merge: bool
) -> None:
    options = CleanOptions(min_notes=1, quantize=quantize, merge=merge)
    once = clean(song((0, [*notes, (0, 9, 1)]), (9, notes)), options)
    for track in once.tracks:
        ends: dict[int, int] = {}
        for time, length, pitch in columns(track):
            assert length > 0
            assert time >= ends.get(pitch, 0)
            ends[pitch] = time + length
    assert [columns(t) for t in clean(once, options).tracks] == [columns(t) for t in once.tracks]


def test_cleaning_a_real_piece_keeps_its_onsets(pieces: list[Score]) -> None:
    for score in pieces:
        before = {(n.time, n.pitch) for track in score.tracks for n in track.notes}
        after = {(n.time, n.pitch) for track in clean(score, ANY).tracks for n in track.notes}
        assert after <= before
        assert len(after) > 0.99 * len(before)


# ---- facts


def test_facts() -> None:
    score = song((0, [(0, 480, 60), (0, 480, 64), (480, 960, 67)]), (-1, [(487, 10, 36)]), (8, []))
    score.tempos.extend([Tempo(0, 60), Tempo(480, 120), Tempo(9999, 300)])
    score.time_signatures.extend([TimeSignature(0, 1, 4), TimeSignature(480, 2, 4)])
    found = facts(score)
    assert found.to_dict() == {
        "notes": 4,
        "tracks": 2,
        "seconds": 2.0,
        "quarters": 3.0,
        "bars": 2,
        "programs": [-1, 0],
        "meters": ["1/4", "2/4"],
        "tempo": [60.0, 120.0],
        "pitches": [60, 67],
        "quantised": 0.75,
        "polyphony": round((480 * 2 + 960 + 10) / 1440, 3),
    }


def test_seconds_agree_with_the_parser(pieces: list[Score]) -> None:
    for score in pieces:
        if not len(score.tempos) or score.tempos[0].time:
            continue
        end = max(track.end() for track in score.tracks if len(track.notes))
        theirs = max(track.end() for track in score.to("second").tracks if len(track.notes))
        assert seconds_at(score, np.array([end]))[0] == pytest.approx(theirs, rel=1e-4)


def test_scores_are_on_the_grid_and_performances_are_not(data: Path) -> None:
    def share(folder: str) -> float:
        return facts(read_score(sorted((data / folder).rglob("*.mid"))[5])).quantised

    assert share("bach/mutopia") > 0.95
    assert share("drums") < 0.3


# ---- fingerprints


def reticked(score: Score, factor: int) -> Score:
    out = Score(score.ticks_per_quarter * factor)
    for track in score.tracks:
        copy = Track(track.name, track.program, track.is_drum)
        copy.notes.extend([Note(n.time * factor, n.duration * factor, n.pitch, n.velocity) for n in track.notes])
        out.tracks.append(copy)
    return out


def redressed(score: Score) -> Score:
    """The notes dealt out anew to three tracks of other programs, in another order, softer and shorter."""
    out = Score(score.ticks_per_quarter)
    for is_drum in (True, False):
        notes = [n for track in score.tracks if track.is_drum == is_drum for n in track.notes]
        for part in range(3):
            track = Track("x", 0 if is_drum else 40 + part, is_drum)
            track.notes.extend([Note(n.time, max(1, n.duration // 2), n.pitch, 33) for n in notes[part::3]])
            out.tracks.append(track)
    return out


def moved_up(score: Score) -> Score:
    top = max((n.pitch for track in score.tracks if not track.is_drum for n in track.notes), default=0)
    return edit.transpose(score, 3 if top <= 124 else -3)


@pytest.mark.parametrize(
    "disguise",
    [
        moved_up,
        lambda s: edit.scale_tempo(s, 1.3),
        lambda s: reticked(s, 3),
        redressed,
        lambda s: read_score(s.dumps_midi()),
    ],
    ids=["transposed", "re-tempoed", "re-ticked", "re-tracked", "written"],
)
def test_a_copy_is_known_again(pieces: list[Score], disguise) -> None:  # type: ignore[no-untyped-def]
    for score in pieces:
        one, other = fingerprint(score), fingerprint(disguise(score))
        assert one.content == other.content
        assert shared(one, other) == 1


def test_music_in_double_note_values_is_known_again(pieces: list[Score]) -> None:
    for score in pieces:
        if any(not track.is_drum and len(track.notes) > 50 for track in score.tracks):
            slow = reticked(score, 2)
            slow.ticks_per_quarter = score.ticks_per_quarter
            assert fingerprint(slow).content == fingerprint(score).content
            assert fingerprint(slow).steps == fingerprint(score).steps


def test_different_pieces_are_different(pieces: list[Score], real_data: Path) -> None:
    prints = [fingerprint(score) for score in pieces]
    assert len({each.content for each in prints}) == len(pieces) > 12
    for number, one in enumerate(prints):
        assert all(shared(one, other) < 0.1 for other in prints[:number])


def test_a_part_and_an_edition_share_passages(pieces: list[Score]) -> None:
    for score in pieces:
        whole = fingerprint(score)
        if len(whole.passages) < 40:
            continue
        end = max(track.end() for track in score.tracks if len(track.notes))
        part = moved_up(edit.slice_ticks(score, end // 4, end // 4 * 3))
        assert shared(whole, fingerprint(part)) > 0.9
        edition = score.copy()
        for track in edition.tracks:
            for place in range(0, len(track.notes), 200):  # a slice of symusic's would be gone before its notes are
                track.notes[place].pitch = min(127, track.notes[place].pitch + 1)
        assert fingerprint(edition).content != whole.content
        assert shared(whole, fingerprint(edition)) > 0.5


def test_a_fingerprint_is_the_same_everywhere() -> None:
    line = [(120 * step, 100, 48 + step**3 // 7 % 31) for step in range(400)]
    found, drums = fingerprint(song((0, line))), fingerprint(song((-1, line)))
    # Folders of models that are there already hold these.
    assert (found.steps, drums.steps) == ("e659d978a71b08a3", "0e0951933a26aa2d")
    assert found.passages.dtype == found.sketch.dtype == np.uint64
    assert [int(value) for value in found.passages[:2]] == [439354815016907968, 2056347538361507336]
    assert (found.content, drums.content) == ("8f0f44133b4452bc", "d2de6f5883a5ee30")
    assert [int(value) for value in found.sketch[:2]] == [10893185966420019, 47701912539121075]
    assert len(found.sketch) <= SKETCH


def test_rhythm_and_drums_are_part_of_a_piece() -> None:
    """The succession of pitches is not enough: it says that they belong together."""
    bass = [(480 * step, 400, 36 + step * 7 % 12) for step in range(64)]
    beat = [(240 * step, 60, 36 if step % 4 else 38) for step in range(128)]
    other_beat = [(120 * step, 60, 42) for step in range(256)]
    swung = [(time + 160 * (number % 2), length, pitch) for number, (time, length, pitch) in enumerate(bass)]
    pieces = [song((0, bass)), song((0, bass), (-1, beat)), song((0, bass), (-1, other_beat)), song((0, swung))]
    prints = [fingerprint(piece) for piece in pieces]
    assert len({each.content for each in prints}) == 4
    assert len({each.steps for each in prints}) == 1
    assert fingerprint(edit.transpose(pieces[1], 5)).content == prints[1].content  # drums stay where they are


@pytest.mark.parametrize("amount", [1 / 48, 1 / 24, 1 / 12])
def test_a_copy_that_was_moved_or_thinned_out_is_near(pieces: list[Score], amount: float) -> None:
    """Onsets moved by up to so many quarters; three in ten notes missing; both; a fifth higher."""
    rng = np.random.default_rng(7)
    compared = 0
    prints = [fingerprint(score) for score in pieces]
    for score, whole in zip(pieces, prints, strict=True):
        if len(whole.sketch) < 64:
            continue
        for moved, missing in ((amount, 0.0), (0.0, 0.3), (amount, 0.2)):
            copy = moved_up(score)
            for track in copy.tracks:
                notes = [note for note in track.notes if rng.random() >= missing]
                for note in notes:
                    note.time = max(0, note.time + round(rng.uniform(-moved, moved) * score.ticks_per_quarter))
                track.notes = notes
            near = fingerprint(copy)
            assert related([whole.passages, near.passages], [whole.sketch, near.sketch]) == [0, 0]
            compared += 1
    assert compared > 20
    assert related([each.passages for each in prints], [each.sketch for each in prints]) == list(range(len(prints)))


def test_empty_and_tiny_scores_have_fingerprints() -> None:
    empty, tiny = fingerprint(Score(480)), fingerprint(song((0, [(0, 1, 60), (1, 1, 62)])))
    assert empty.content != tiny.content
    assert shared(empty, tiny) == 0
    assert shared(tiny, tiny) == 1
    assert not len(tiny.passages)
