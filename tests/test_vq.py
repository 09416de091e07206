"""Piano rolls, the VQ-VAE that turns them into codes, its training and its graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic import Note, Score, Track

from toccata.midi.clean import clean
from toccata.midi.read import read_score
from toccata.tokenizers.rolls import LOWEST, notes, rolls


def _score(ticks: int, *tracks: list[tuple[int, int, int]], drum: bool = False) -> Score:
    score = Score(ticks)
    for entries in tracks:
        track = Track("", 0, drum)
        for time, duration, pitch in entries:
            track.notes.append(Note(time, duration, pitch, 64))
        score.tracks.append(track)
    return score


def _listed(score: Score) -> list[tuple[int, int, int]]:
    return sorted((n.time, n.pitch, n.duration) for track in score.tracks for n in track.notes)


# -- rolls -------------------------------------------------------------------------------------------------------------

_NOTES = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 700), st.integers(21, 108)), max_size=40)


@given(_NOTES, st.sampled_from([24, 96, 120, 240, 480, 1024]), st.sampled_from([8, 12, 24, 32]))
@settings(max_examples=60, deadline=None)
def test_notes_come_back_from_rolls(entries: list[tuple[int, int, int]], ticks: int, steps: int) -> None:
    expected: dict[tuple[int, int], int] = {}
    for time, duration, pitch in entries:
        onset = (2 * time * steps + ticks) // (2 * ticks)
        end = max(onset + 1, (2 * (time + duration) * steps + ticks) // (2 * ticks))
        expected[pitch, onset] = max(end, expected.get((pitch, onset), 0))
    found = notes(rolls(_score(ticks, entries), steps), steps)
    assert found.ticks_per_quarter == steps
    heard = _listed(found)
    assert [(p, t) for t, p, _ in heard] == [(p, t) for t, p in sorted((t, p) for p, t in expected)]
    for time, pitch, length in heard:
        later = min((t for p, t in expected if p == pitch and t > time), default=10**9)
        assert length == min(expected[pitch, time], later) - time


@given(st.integers(0, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_any_roll_is_valid_music(quarters: int, seed: int) -> None:
    noise = np.random.default_rng(seed).random((quarters, 2, 88, 6), np.float32)
    found = _listed(notes(noise, 6, threshold=0.7))
    ends: dict[int, int] = {}
    for time, pitch, length in found:
        assert length >= 1
        assert time >= ends.get(pitch, 0)
        assert 0 <= pitch - LOWEST < 88
        ends[pitch] = time + length
        assert time + length <= quarters * 6


def test_a_held_note_stays_one_note() -> None:
    slices = rolls(_score(480, [(240, 480 * 3, 60)]))
    assert slices.shape == (4, 2, 88, 24)
    assert slices[:, 0].sum() == 1
    assert slices[1:3, 1, 60 - LOWEST].all()
    assert _listed(notes(slices)) == [(12, 60, 72)]


def test_a_note_struck_again_is_two_notes() -> None:
    again = _score(480, [(0, 480, 60), (480, 480, 60)])
    assert _listed(notes(rolls(again))) == [(0, 60, 24), (24, 60, 24)]


def test_drums_are_left_out_and_tracks_are_one() -> None:
    both = _score(24, [(0, 24, 60)], [(12, 24, 64)])
    both.tracks.append(_score(24, [(0, 24, 36)], drum=True).tracks[0])
    assert _listed(notes(rolls(both))) == [(0, 60, 24), (12, 64, 24)]


def test_pitches_outside_the_piano_come_in_by_octaves() -> None:
    found = _listed(notes(rolls(_score(24, [(0, 24, 3), (24, 24, 127), (48, 24, 20), (72, 24, 109)]))))
    assert [pitch for _, pitch, _ in found] == [27, 103, 32, 97]


def test_rolls_can_be_cut_and_filled_up() -> None:
    score = _score(24, [(0, 60, 60), (72, 24, 62)])
    assert _listed(notes(rolls(score, quarters=2))) == [(0, 60, 48)]
    assert len(rolls(score, quarters=9)) == 9
    assert rolls(Score(480)).shape == (0, 2, 88, 24)
    assert not len(notes(rolls(Score(480))).tracks)


def test_real_music_comes_back(data: Path) -> None:
    files = sorted((data / "bach" / "mutopia").glob("*.mid"))[::40]
    assert files
    for path in files:
        score = clean(read_score(path))
        once = notes(rolls(score))
        assert _listed(notes(rolls(once))) == _listed(once)
        strokes = {
            (round(n.time * 24 / score.ticks_per_quarter + 1e-9), n.pitch) for t in score.tracks for n in t.notes
        }
        assert len(strokes ^ {(t, p) for t, p, _ in _listed(once)}) <= 0.01 * len(strokes)
