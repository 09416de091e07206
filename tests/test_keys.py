"""Keys: read, spelled, and found in music."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from symusic import Note, Score, Track

from toccata.errors import RequestError
from toccata.midi.keys import Key, estimate, every_octave, weights
from toccata.midi.read import read_score
from toccata.tasks.request import scale

KEYS = st.builds(Key, st.integers(0, 11), st.booleans())


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("C", Key(0, False)),
        ("F# minor", Key(6, True)),
        ("Bbm", Key(10, True)),
        ("e minor", Key(4, True)),
        (" E♭ Major ", Key(3, False)),
        ("Cb", Key(11, False)),
        ("BM", Key(11, False)),
    ],
)
def test_keys_are_read_as_they_are_written(text: str, key: Key) -> None:
    assert Key.read(text) == key


@given(KEYS)
def test_a_key_is_read_from_its_own_name(key: Key) -> None:
    assert Key.read(str(key)) == key


@pytest.mark.parametrize("text", ["", "H", "H minor", "C dorian", "#", "minor"])
def test_what_is_no_key_is_refused_by_name(text: str) -> None:
    with pytest.raises(RequestError, match=f"there is no key {text!r}"):
        Key.read(text)


@given(KEYS)
def test_the_chords_of_a_key_lie_in_its_scale(key: Key) -> None:
    assert key.scale()[key.triad()].all()
    assert key.scale()[key.dominant()].all()
    assert key.triad()[key.tonic]
    assert key.dominant()[(key.tonic + 11) % 12], "the leading note, in minor too"
    assert (scale(str(key)) == every_octave(key.scale())).all()


def test_a_minor_key_has_both_its_sevenths() -> None:
    assert np.flatnonzero(Key.read("A minor").scale()).tolist() == [0, 2, 4, 5, 7, 8, 9, 11]
    assert np.flatnonzero(Key.read("D major").scale()).tolist() == [1, 2, 4, 6, 7, 9, 11]


@given(st.integers(0, 2**32), st.integers(0, 11))
def test_what_is_transposed_is_in_the_transposed_key(seed: int, up: int) -> None:
    histogram = np.random.default_rng(seed).random(12)
    here, there = estimate(histogram), estimate(np.roll(histogram, up))
    assert there == Key((here.tonic + up) % 12, here.minor)


def test_nothing_heard_is_c_major() -> None:
    assert estimate(np.zeros(12)) == Key(0, False)


def test_weights_are_lengths_and_drums_have_none() -> None:
    score = Score(480)
    score.tracks.append(Track(program=0, notes=[Note(0, 960, 60, 80), Note(0, 480, 76, 80), Note(960, 480, 72, 80)]))
    score.tracks.append(Track(program=0, is_drum=True, notes=[Note(0, 9600, 38, 80)]))
    assert weights(score).tolist() == [3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]


def test_the_keys_that_engraved_music_states_are_found(real_data: Path) -> None:
    right = related = asked = 0
    for folder in ("bach/mutopia", "piano/keyboard"):
        for path in sorted((real_data / folder).glob("*.mid"))[::6]:
            score = read_score(path)
            stated = {(int(k.key), int(k.tonality)) for k in score.key_signatures} - {(0, 0)}
            if len(stated) != 1:
                continue
            sharps, minor = stated.pop()
            key = Key((sharps * 7 + 9 * minor) % 12, bool(minor))
            found = estimate(weights(score))
            relative = Key((key.tonic + (3 if minor else 9)) % 12, not minor)
            asked += 1
            right += found == key
            related += found in (key, relative) or found.tonic == key.tonic
    if not asked:
        pytest.skip("none of the music there states a key")
    assert right > 0.8 * asked
    assert related > 0.9 * asked
