"""Figures of music and their intervals, on music made so that they are known."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from symusic import Note, Pedal, Score, TimeSignature, Track

import toccata.report
from toccata.measure.choral import SILENT, by_height, by_track, crossings, full_cadences, parallels, part_writing
from toccata.measure.comparison import FEWEST, MEASURES, distances, figures_of, means
from toccata.measure.distributions import DISTRIBUTIONS, distance, histograms
from toccata.measure.resampling import resampled_mean, resampled_ratio, wilson
from toccata.measure.roundtrip import RoundTrip, notes_kept
from toccata.measure.structure import LAGS, groove_consistency, self_similarity
from toccata.midi.bars import bar_map
from toccata.midi.edit import opening, transpose
from toccata.report.text import cell, number
from toccata.tokenizers.events import EventOptions, EventTokenizer
from toccata.tokenizers.load import build_tokenizer
from toccata.tokenizers.text import TextOptions

TPQ = 480
Line = Sequence[tuple[float, float, int]]
"""Onset and length in quarters, and pitch."""


def made(*tracks: Line, meter: tuple[int, int] = (4, 4), velocity: int = 80, program: int = 0) -> Score:
    score = Score(TPQ)
    score.time_signatures.append(TimeSignature(0, *meter))
    for line in tracks:
        track = Track("", program, False)
        for onset, length, pitch in line:
            track.notes.append(Note(round(onset * TPQ), round(length * TPQ), pitch, velocity))
        score.tracks.append(track)
    return score


def quarters(pitches: Sequence[int]) -> Line:
    return [(number, 1, pitch) for number, pitch in enumerate(pitches)]


SCALE = made(quarters((60, 62, 64, 65, 67, 69, 71, 72)))


# -- distributions ---------------------------------------------------------------------------------


def test_the_distance_of_distributions_is_that_of_jensen_and_shannon() -> None:
    one, other, even = np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0.5, 0.5])
    assert distance(one, one) == 0
    assert distance(one, other) == pytest.approx(1)
    # The entropy of (3/4, 1/4), less half of the entropy of (1/2, 1/2), which is a bit.
    entropy = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert distance(one, even) == pytest.approx(math.sqrt(entropy - 0.5))
    assert distance(even, one) == distance(one, even)
    assert distance(np.array([one, even]), np.array([other, even])).tolist() == pytest.approx([1, 0])


def test_the_distributions_of_a_scale() -> None:
    found = histograms(SCALE)
    assert set(found) == set(DISTRIBUTIONS)
    for name, shares in found.items():
        assert shares.shape == (DISTRIBUTIONS[name].bins,)
        assert shares.sum() == pytest.approx(1)
    assert found["pitch_class"].tolist() == [2 / 8, 0, 1 / 8, 0, 1 / 8, 1 / 8, 0, 1 / 8, 0, 1 / 8, 0, 1 / 8]
    assert {step - 24: share * 7 for step, share in enumerate(found["interval"].tolist()) if share} == {1: 2, 2: 5}
    assert {place: share for place, share in enumerate(found["onset"].tolist()) if share} == {
        0: 0.25, 12: 0.25, 24: 0.25, 36: 0.25,
    }  # fmt: skip
    assert found["duration"][5 * 4] == 1  # five octaves above the shortest
    assert found["velocity"][80 // 16] == 1
    assert found["density"][2] == 1  # a note a quarter
    assert found["polyphony"][1] == 1


def test_another_key_changes_no_distribution() -> None:
    higher = histograms(transpose(SCALE, 5))
    for name, shares in histograms(SCALE).items():
        assert np.array_equal(shares, higher[name]), name


def test_chords_and_drums_in_distributions() -> None:
    chords = made(quarters((60, 60)), quarters((64, 64)), quarters((67, 67)))
    drums = Track("", 0, True)
    drums.notes.append(Note(0, 60, 36, 100))
    chords.tracks.append(drums)
    found = histograms(chords)
    assert found["polyphony"][3] == 0.5  # of four quarters of the bar, two are silent
    assert found["polyphony"][0] == 0.5
    assert found["interval"][24] == 1  # each track stays where it is
    assert found["pitch_class"][[0, 4, 7]].tolist() == pytest.approx([1 / 3] * 3)
    assert found["onset"][0] == pytest.approx(4 / 7)  # the drum counts where it is about time
    assert set(histograms(made([]))) == set()


def test_an_opening_has_no_more_bars_than_asked_for() -> None:
    long = made([(0, 1, 60), (3, 30, 64), (8, 1, 62), (40, 1, 60)])
    long.tracks[0].pedals.append(Pedal(0, 99 * TPQ))
    for bars in (1, 2, 3):
        cut = opening(long, bars)
        assert len(bar_map(cut)) <= bars
        assert [note.time for note in cut.tracks[0].notes] == [
            note.time for note in long.tracks[0].notes if note.time < bars * 4 * TPQ
        ]
    assert opening(SCALE, 9) is SCALE


# -- structure -------------------------------------------------------------------------------------


def test_groove_consistency() -> None:
    same = made([(4 * bar + place, 0.5, 60) for bar in range(4) for place in (0, 1.5)])
    assert groove_consistency(same) == 1
    # Every second bar has an onset more, at one of its 48 places.
    other = made([(4 * bar + place, 0.5, 60) for bar in range(4) for place in ((0, 1.5) if bar % 2 else (0,))])
    assert groove_consistency(other) == pytest.approx(1 - 1 / 48)
    waltz = made(
        [(3 * bar + place, 0.5, 60) for bar in range(4) for place in ((0, 1.5) if bar % 2 else (0,))], meter=(3, 4)
    )
    assert groove_consistency(waltz) == pytest.approx(1 - 1 / 36)
    assert groove_consistency(made([(0, 1, 60)])) is None


def test_self_similarity() -> None:
    two = made([(4 * bar + place, 1, 60 + 7 * (bar % 2) + place) for bar in range(20) for place in range(4)])
    assert self_similarity(two) == {1: 0, 2: 1, 4: 1, 8: 1, 16: 1}
    half = made([(4 * bar + place, 1, 60 + (bar if place > 1 else 0)) for bar in range(3) for place in range(4)])
    assert self_similarity(half) == {1: pytest.approx(2 / 6), 2: pytest.approx(2 / 6)}
    assert tuple(self_similarity(two)) == LAGS


# -- four voices -----------------------------------------------------------------------------------


def test_parallels() -> None:
    fifths = np.array([[67, 60], [69, 62]])
    octaves = np.array([[72, 60], [71, 59]])
    contrary = np.array([[67, 60], [60, 65]])
    sixths = np.array([[69, 60], [71, 62]])
    assert parallels(fifths) == (1, 1, 0)
    assert parallels(octaves) == (1, 0, 1)
    assert parallels(contrary) == (0, 0, 0)
    assert parallels(sixths) == (1, 0, 0)
    assert parallels(np.array([[67, 60], [67, 60]])) == (0, 0, 0)  # repeated, nothing moves
    assert parallels(np.array([[67, 60], [SILENT, 62]])) == (0, 0, 0)


def test_crossings() -> None:
    assert crossings(np.array([[72, 60], [59, 60], [72, SILENT]])) == 0.5
    assert crossings(np.array([[72, 60], [60, 60]])) == 0


CADENCE = ((67, 62, 59, 55), (67, 64, 60, 48))
"""The dominant of C major, and the tonic, from the soprano down."""


def choir(chords: Sequence[Sequence[int]], tracks: int = 4) -> Score:
    lines = [[(2 * number, 2, chord[voice]) for number, chord in enumerate(chords)] for voice in range(4)]
    return made(*lines) if tracks == 4 else made([note for line in lines for note in line])


SUNG = choir([(72, 67, 64, 48), (69, 65, 60, 53), *CADENCE])


def test_cadences_are_counted_in_any_key_and_track() -> None:
    assert full_cadences(SUNG) == 1
    assert full_cadences(transpose(SUNG, -3)) == 1
    inverted = choir([(72, 67, 64, 48), (69, 65, 60, 53), (67, 62, 55, 47), (67, 64, 60, 48)])
    assert full_cadences(inverted) == 0  # the third of the dominant is in the bass
    assert full_cadences(choir([(72, 67, 64, 48), *CADENCE, (72, 67, 64, 48), *CADENCE])) == 2


def test_part_writing_of_four_tracks_and_of_one() -> None:
    four, one = part_writing(SUNG), part_writing(choir([(72, 67, 64, 48), (69, 65, 60, 53), *CADENCE], tracks=1))
    assert four["cadences"] == 8 / 2
    assert four.pop("crossings") == 0
    assert four == one  # whose crossings nobody can see
    assert np.array_equal(by_height(SUNG), by_track(SUNG))
    parallel = part_writing(choir([(72, 67, 64, 48), (74, 69, 65, 50)]))
    # All six pairs of voices move up; soprano and bass, and no others, in octaves; alto and bass in fifths.
    assert parallel["parallel_octaves"] == pytest.approx(100 / 6)
    assert parallel["parallel_fifths"] == pytest.approx(100 / 6)
    assert part_writing(SCALE) == {}


# -- intervals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("successes", "trials"), [(7, 10), (0, 10), (10, 10), (50, 100), (1, 3)])
def test_the_interval_of_a_share_is_wilsons(successes: int, trials: int) -> None:
    found = wilson(successes, trials)
    assert (found.value, found.count) == (successes / trials, trials)
    # Its ends are the shares from which the one that was found is just 1.96 standard errors away.
    for end in (found.low, found.high):
        error = NormalDist().inv_cdf(0.975) * math.sqrt(end * (1 - end) / trials)
        assert abs(found.value - end) == pytest.approx(error, abs=1e-7)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0.18
    node = shutil.which("node")
    if node is not None:
        assert _in_the_page(node, f"wilson({successes}, {trials})") == {
            "value": found.value, "low": pytest.approx(found.low), "high": pytest.approx(found.high),
        }  # fmt: skip


def _in_the_page(node: str, expression: str) -> object:
    """What the script of a listening test finds."""
    script = Path(toccata.report.__path__[0]) / "pages" / "listening.js"
    code = f"{script.read_text(encoding='utf-8')}\nconsole.log(JSON.stringify({expression}))"
    done = subprocess.run([node, "-e", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_nothing_is_known_of_no_trials() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0, 1)


def test_resampled_figures() -> None:
    rng = np.random.default_rng(1)
    parts, wholes = rng.random(50), np.ones(50)
    found = resampled_ratio(parts, wholes)
    assert found.value == pytest.approx(parts.mean())
    # The interval of a mean of fifty is about four standard errors wide.
    assert found.high - found.low == pytest.approx(3.92 * parts.std() / math.sqrt(50), rel=0.1)
    assert resampled_ratio(parts - parts, wholes).to_dict() == {"value": 0, "low": 0, "high": 0, "count": 50}
    assert resampled_ratio(2 * parts, 2 * wholes) == found
    fewer = resampled_mean(parts, 5)
    assert fewer.high - fewer.low > 2 * (found.high - found.low)


def test_of_one_or_two_pieces_there_is_no_interval() -> None:
    for count in (1, 2):
        some = np.arange(1.0, count + 1)
        for found in (resampled_ratio(some, np.ones(count)), resampled_mean(some)):
            assert found.value == pytest.approx(some.mean())
            assert not found.has_interval
            assert found.to_dict() == {"value": pytest.approx(some.mean()), "low": None, "high": None, "count": count}
            assert cell(found, "") == number(found.value)
    assert resampled_mean(np.arange(3.0)).has_interval


def test_many_pieces_are_drawn_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, wholes = np.random.default_rng(3).random((2, 40))
    at_once = resampled_ratio(parts, wholes), resampled_mean(parts, 7)
    monkeypatch.setattr("toccata.measure.resampling._AT_ONCE", 100)  # two draws of forty pieces
    assert (resampled_ratio(parts, wholes), resampled_mean(parts, 7)) == at_once


# -- beside people ---------------------------------------------------------------------------------


def walks(seed: int, count: int, steps: Sequence[int], bars: int = 4) -> list[Score]:
    """Lines that walk by chance."""
    rng = np.random.default_rng(seed)
    return [
        made(quarters(np.clip(60 + np.cumsum(rng.choice(steps, 4 * bars)), 30, 100).tolist())) for _ in range(count)
    ]


def test_systems_like_people_are_within_their_range_and_others_are_not() -> None:
    people = walks(0, 24, (-2, -1, 1, 2))
    alike, leaping = walks(1, 12, (-2, -1, 1, 2)), walks(2, 12, (-9, 9))
    found = distances(people, [alike, leaping])
    assert found["interval"].within == (True, False)
    assert found["interval"].groups == (12, 12)
    assert found["onset"].within == (True, True)  # all of them are quarters
    assert found["onset"].people is not None
    assert found["onset"].people.value == 0
    close, far = found["interval"].systems
    assert close is not None
    assert far is not None
    assert far.value == pytest.approx(1)  # no interval in common
    assert close.value < 0.3
    of_means = means(people, [alike, leaping])
    assert of_means["leaps"].within == (True, False)
    assert of_means["parallel_fifths"].systems == (None, None)


def test_what_else_is_compared_changes_nothing() -> None:
    people, many, few = walks(0, 24, (-2, -1, 1, 2)), walks(1, 20, (-2, -1, 1, 3)), walks(2, 4, (-9, 9))
    for compare in (distances, means):
        alone, beside = compare(people, [many])["interval" if compare is distances else "leaps"], None
        beside = compare(people, [few, many])["interval" if compare is distances else "leaps"]
        assert beside.groups == (4, 12)
        assert (beside.systems[1], beside.within[1], beside.ranges[1]) == (
            alone.systems[0], alone.within[0], alone.ranges[0],
        )  # fmt: skip
        assert beside.people == beside.ranges[0] != beside.ranges[1]
        assert alone.people == alone.ranges[0]


def test_a_mean_distance_is_compared_with_mean_distances_of_people() -> None:
    """Of single draws the range would be wider, and systems that are not like people would be within it."""
    within = []
    for seed in range(12):
        people = walks(seed, 40, (-2, -1, 1, 2))
        alike, other = walks(100 + seed, 20, (-2, -1, 1, 2)), walks(200 + seed, 20, (-2, -1, 1, 1, 2))
        found = distances(people, [alike, other])["interval"]
        usual = found.ranges[0]
        assert usual is not None
        assert usual.low < usual.value < usual.high
        within.append(found.within)
    assert sum(bool(one) for one, _ in within) >= 10
    assert sum(bool(one) for _, one in within) <= 4


def test_equal_systems_have_equal_figures() -> None:
    people, pieces = walks(0, 12, (-2, 1, 2)), walks(1, 8, (-2, 1, 2))
    for found in (distances(people, [pieces, pieces]), means(people, [pieces, pieces])):
        assert all(beside.systems[0] == beside.systems[1] for beside in found.values())


def test_of_few_pieces_nothing_is_said() -> None:
    people, pieces = walks(0, 2 * FEWEST, (-2, 1)), walks(1, FEWEST, (-2, 1))
    assert distances(people, [pieces])["interval"].people is not None
    assert distances(people[1:], [pieces])["interval"].people is None
    assert distances(people, [pieces[1:]])["interval"].systems == (None,)
    assert means(people[1:], [pieces])["leaps"].within == (None,)


def test_every_figure_of_a_piece_has_a_name() -> None:
    assert set(figures_of(SUNG)) <= set(MEASURES)
    assert figures_of(SCALE)["in_key"] == 1
    assert figures_of(made([])) == {}


# -- round trips -----------------------------------------------------------------------------------


def test_notes_that_a_tokenizer_leaves_out_are_counted() -> None:
    trip = RoundTrip()
    trip.add(
        EventTokenizer.build(EventOptions("REMI", {"program_changes": True})), made(quarters((60, 62)), program=40)
    )
    assert (trip.notes, trip.lost, trip.kept) == (2, 0, 2)
    pianist = build_tokenizer(TextOptions())
    trip = RoundTrip()
    trip.add(pianist, made(quarters((60, 62)), quarters((60, 64)), program=40))  # in unison at first
    assert (trip.notes, trip.lost, trip.kept) == (4, 1, 0)
    assert trip.to_dict()["other_program"] == 3


def test_notes_are_matched_once() -> None:
    twice = made([(0, 1, 60), (0.05, 1, 60)])
    assert notes_kept(twice, made([(0, 1, 60)])) == 1
    assert notes_kept(made([(0, 1, 60)]), made([(0.2, 1, 60)])) == 0
    assert notes_kept(made([(0, 1, 60)], program=3), made([(0, 1, 60)])) == 0
    assert notes_kept(made([(0, 1, 60)], program=3), made([(0, 1, 60)]), programs=False) == 1
