"""What of a piece stands in the training data: copies are found in any dress, and other music is not called a copy."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic import Note, Score, Tempo, TimeSignature, Track

from toccata.corpus.groups import COMMON
from toccata.corpus.prepare import PrepareOptions, prepare
from toccata.corpus.store import Corpus
from toccata.errors import ModelError
from toccata.measure.follower import AGAIN, FIGURE, NEW, SHORT, Follower, Matcher
from toccata.measure.lines import lines, pitched
from toccata.measure.originality import (
    COPIED,
    LENGTHS,
    Originality,
    build_index,
    normal,
    normals_of,
    originality,
)
from toccata.measure.passages import DEEP, Index, is_normal
from toccata.midi.bars import bar_map
from toccata.midi.facts import REPEATS, novel
from toccata.midi.read import read_score

TPQ = 480
Event = tuple[int, int, int]
"""Onset and length in ticks, and pitch."""


def _score(*tracks: tuple[int, list[Event]], bpm: float = 120) -> Score:
    score = Score(TPQ)
    score.tempos.append(Tempo(0, bpm))
    score.time_signatures.append(TimeSignature(0, 4, 4))
    for program, events in tracks:
        track = Track("", program, False)
        for onset, length, pitch in events:
            track.notes.append(Note(onset, length, pitch, 80))
        score.tracks.append(track)
    return score


def _melody(rng: random.Random, notes: int, start: int = 0) -> list[Event]:
    """A line of notes one after another, like a voice: small steps, some leaps, mixed lengths."""
    out, pitch = [], rng.randint(58, 70)
    for _ in range(notes):
        length = rng.choice([120, 240, 240, 240, 480, 480, 960])
        out.append((start, length, pitch))
        start += length
        pitch = min(max(pitch + rng.choice([-7, -5, -4, -3, -2, -2, -1, 1, 2, 2, 3, 4, 5, 7, 12]), 40), 88)
    return out


def _end(events: list[Event]) -> int:
    return max(onset + length for onset, length, _ in events)


def _changed(events: list[Event], to: int, *, by: int = 0, stretch: float = 1) -> list[Event]:
    """Moved to tick ``to``, transposed, and slower."""
    first = events[0][0]
    return [(to + round((o - first) * stretch), round(n * stretch), p + by) for o, n, p in events]


@pytest.fixture(scope="module")
def bach(data: Path) -> dict[str, Score]:
    """Some pieces by Bach, by name."""
    return {path.name: read_score(path) for path in sorted((data / "bach" / "mutopia").glob("*.mid"))[::7]}


@pytest.fixture(scope="module")
def index(bach: dict[str, Score]) -> Index:
    """Of these pieces."""
    return Index.of(bach.items())


def _voice(score: Score, skip: int, count: int) -> list[Event] | None:
    """``count`` notes of the first track that plays one note at a time, after its first ``skip``."""
    for track in score.tracks:
        events = sorted((n.time * TPQ // score.ticks_per_quarter, n.duration, n.pitch) for n in track.notes)
        onsets = [onset for onset, _, _ in events]
        if not track.is_drum and len(events) > skip + count and len(set(onsets)) == len(onsets):
            return [(o, max(1, n * TPQ // score.ticks_per_quarter), p) for o, n, p in events[skip : skip + count]]
    return None


@pytest.mark.parametrize("dress", ["as it is", "transposed", "slower", "accompanied", "accompanied on one instrument"])
def test_a_planted_melody_is_found_with_its_file_and_bar(bach: dict[str, Score], index: Index, dress: str) -> None:
    rng = random.Random(dress)
    found = tried = 0
    for name, score in list(bach.items())[::3]:
        if (taken := _voice(score, 30, 24)) is None:
            continue
        before = _melody(rng, 30)
        by = 0 if dress == "as it is" else rng.choice([-5, -3, 4, 6])
        copy = _changed(taken, _end(before), by=by, stretch=1.5 if dress == "slower" else 1)
        new = before + copy + _melody(rng, 30, _end(copy))
        low = [(onset, n, 24 + rng.randint(0, 6)) for onset, n, _ in new[::3]]  # none in a rest
        tracks = {"accompanied": [(73, new), (32, low)], "accompanied on one instrument": [(0, sorted(new + low))]}
        said = originality(_score(*tracks.get(dress, [(73, new)]), bpm=rng.uniform(50, 180)), index)
        tried += 1
        assert said.notes >= 24, (name, said)
        assert said.piece_bar == before[-1][0] // 1920 + 1 or said.piece_bar == copy[0][0] // 1920 + 1, (name, said)
        assert 24 / len(new) / 2 <= said.share <= 0.7
        bars = bar_map(score)
        bar = bars.at(taken[0][0] * score.ticks_per_quarter // TPQ) + 1
        found += said.path == name and abs(said.bar - bar) <= 1
    assert tried >= 6
    assert found >= tried - 1  # the same notes may stand in another place, too


def test_chords_are_found_by_all_their_notes_but_the_others_of_the_first(index: Index) -> None:
    rng = random.Random(3)
    texture = [
        (480 * beat, 480, pitch) for beat in range(40) for pitch in sorted(rng.sample(range(40, 80), 3 + beat % 2))
    ]
    known = Index.of([("a.mid", _score((0, texture)))])
    before = _melody(rng, 10)
    passage = [event for event in texture if 480 * 10 <= event[0] < 480 * 20]
    new = before + _changed(passage, _end(before), by=3)
    said = originality(_score((40, new)), known)
    assert said.notes == len(passage) - 2  # the first chord has three notes
    assert (said.path, said.bar) == ("a.mid", 3)
    assert said.bars == 2.5
    assert originality(_score((0, texture)), index).notes < COPIED


def test_two_hands_in_two_tracks_are_one_piano(index: Index) -> None:
    rng = random.Random(5)
    right, left = _melody(rng, 60), [(o, n, p - 24) for o, n, p in _melody(rng, 60)]
    known = Index.of([("a.mid", _score((0, right), (0, left)))])
    together = originality(_score((0, sorted(right + left))), known)
    assert together.notes >= 115
    assert originality(_score((0, right)), known).notes == 60  # and each hand that has the top line of its track


def test_what_a_prompt_gave_does_not_count() -> None:
    rng = random.Random(8)
    given_, new = _melody(rng, 40), _melody(rng, 40)
    known = Index.of([("a.mid", _score((0, given_)))])
    piece = _score((0, given_ + _changed(new, _end(given_))))
    assert originality(piece, known).notes == 40
    assert originality(piece, known, since=_end(given_)).notes < SHORT
    assert originality(piece, known, until=given_[20][0]).notes == 20


def test_passages_longer_than_the_index_sorts_are_told_apart() -> None:
    rng = random.Random(11)
    common = _melody(rng, DEEP + 60)
    endings = [_melody(rng, 50, _end(common)) for _ in range(80)]
    known = Index.of([(f"{i}.mid", _score((0, common + ending))) for i, ending in enumerate(endings)])
    said = originality(_score((0, common + endings[70])), known)
    assert (said.notes, said.path, said.bar) == (DEEP + 110, "70.mid", 1)
    late = originality(_score((0, _melody(rng, 20) + _changed(common[5:] + endings[33], 99_840))), known)
    assert (late.notes, late.path) == (DEEP + 105, "33.mid")


def test_what_says_nothing_is_no_copy() -> None:
    scale = [(240 * i, 240, 40 + i) for i in range(40)]
    figure = [(120 * i, 120, (48, 55, 52, 55)[i % 4]) for i in range(64)]
    one = [(240 * i, 240, 60) for i in range(64)]
    chord = [(240 * i, 240, pitch) for i in range(24) for pitch in (36, 48, 52, 55, 60, 64)]
    melody = _melody(random.Random(2), 30)
    known = Index.of([("a.mid", _score((0, scale), (8, figure), (16, one), (24, melody), (32, chord)))])
    for events in (scale, figure, one, chord):
        assert originality(_score((0, events)), known) == Originality()
    everywhere = Index.of([(f"{i}.mid", _score((0, melody))) for i in range(COMMON + 1)])
    assert originality(_score((0, melody)), everywhere) == Originality()
    rare = Index.of([(f"{i}.mid", _score((0, melody))) for i in range(COMMON)])
    assert originality(_score((0, melody)), rare).notes == 30


def test_drums_are_not_compared() -> None:
    score = _score((0, _melody(random.Random(2), 30)))
    score.tracks[0].is_drum = True
    known = Index.of([("a.mid", score)])
    assert len(known) == 0
    assert originality(score, known) == Originality()


def test_held_out_music_is_not_called_a_copy(real_data: Path, bach: dict[str, Score], index: Index) -> None:
    others = [
        *sorted((real_data / "songs").glob("*.mid"))[::150],
        *sorted((real_data / "piano" / "keyboard").glob("*.mid"))[::60],
    ]
    scores = [read_score(path) for path in others]
    found = normal(index, scores)
    assert found.pieces == len(others) >= 12
    assert found.notes <= found.notes_90 < 24
    assert 0 <= found.share <= found.share_90 < 0.3
    assert normal(index, list(bach.values())[:5]).notes > 100  # nor is everything called none
    assert normal(index, []).pieces == 0


def test_the_training_pieces_of_a_corpus_are_indexed_and_the_others_are_what_is_normal(
    data: Path, tmp_path: Path
) -> None:
    (tmp_path / "midi").mkdir()
    for path in sorted((data / "bach" / "mutopia").glob("BWV[78]*.mid"))[:16]:
        (tmp_path / "midi" / path.name).write_bytes(path.read_bytes())
    options = PrepareOptions(valid=0.2, test=0.2)
    corpus: Corpus = prepare(tmp_path / "midi", tmp_path / "corpus", options, processes=0)
    known = build_index(corpus)
    assert known.paths == [corpus.pieces[i].path for i in corpus.split("train")]
    said, *longer = normals_of(known)
    assert said.pieces == len(corpus.split("valid")) + len(corpus.split("test"))
    assert [one.bars for one in (said, *longer)] == list(LENGTHS[: 1 + len(longer)])
    assert [one.notes for one in (said, *longer)] == sorted(one.notes for one in (said, *longer))
    number = corpus.split("train")[0]
    whole = originality(corpus.score(number), known)
    assert whole.path == corpus.pieces[number].path
    assert whole.notes > 2 * said.notes


def test_an_index_is_the_same_after_it_was_saved(bach: dict[str, Score], index: Index, tmp_path: Path) -> None:
    path = tmp_path / "originality.bin"
    one = {"pieces": 2, "notes": 12, "notes_90": 16, "share": 0.0, "share_90": 0.1}
    index.about["normal"] = [{**one, "bars": 8}, {**one, "bars": 16}]
    index.save(path)
    again = Index.load(path)
    assert (again.paths, again.about) == (index.paths, index.about)
    assert all((again.arrays[name] == array).all() for name, array in index.arrays.items())
    assert normals_of(again) == normals_of(index)
    assert [found.bars for found in normals_of(again)] == [8, 16]
    again.about["normal"] = one  # as indexes were written before
    again.save(path)
    assert [found.bars for found in normals_of(Index.load(path))] == [0]
    index.save(path)
    again = Index.load(path)
    score = next(iter(bach.values()))
    assert originality(score, again) == originality(score, index)
    first = path.read_bytes()
    again.save(tmp_path / "again.bin")
    assert (tmp_path / "again.bin").read_bytes() == first
    # State a note, all lines and their bars counted.
    assert path.stat().st_size < 9 * index.about["notes"]


NORMAL = {"pieces": 2, "notes": 12, "notes_90": 16, "share": 0.0, "share_90": 0.1, "bars": 8}


@pytest.mark.parametrize(
    "wrong", [{"bars": -8}, {"pieces": 1.5}, {"notes": "9"}, {"share": float("nan")}, {"more": 1}, {"notes": 2**40}]
)
def test_statistics_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    assert is_normal(None)
    assert is_normal(NORMAL)
    assert is_normal([NORMAL, NORMAL])
    assert not is_normal([NORMAL, {**NORMAL, **wrong}])
    assert not is_normal({**NORMAL, **wrong})
    assert not is_normal([3])


@pytest.mark.parametrize(
    "damage", ["missing", "empty", "short", "long", "magic", "header", "arrays", "format", "numbers"]
)
def test_a_damaged_index_is_refused_in_one_line(index: Index, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "originality.bin"
    index.save(path)
    good = path.read_bytes()
    length = int.from_bytes(good[8:16], "little")
    bad = {
        "empty": b"",
        "short": good[:-100],
        "long": good + b"\0" * 64,
        "magic": b"X" + good[1:],
        "header": good[:20] + b"}{" + good[22:],
        "arrays": good.replace(b'"<u2"', b'"|O8"', 1),
        "format": good.replace(b'"format": 1', b'"format": 7', 1),
        "numbers": good[: 16 + length] + b"\xff" * (len(good) - 16 - length),
    }
    path.unlink() if damage == "missing" else path.write_bytes(bad[damage])
    with pytest.raises(ModelError) as error:
        Index.load(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    assert ("reads 1" if damage == "format" else "copy the whole model folder again") in str(error.value)


_STEPS = st.lists(
    st.tuples(
        st.sampled_from([120, 240, 240, 480, 1440]),  # to the next onset
        st.lists(st.sampled_from([48, 50, 53, 60, 64, 65]), min_size=1, max_size=3, unique=True),
        st.sampled_from([120, 480, 960]),
    ),
    max_size=40,
)


def _events(steps: list[tuple[int, list[int], int]]) -> list[Event]:
    out, now = [], 0
    for step, pitches, length in steps:
        out += [(now, length, pitch) for pitch in sorted(pitches)]
        now += step
    return out


@settings(max_examples=60, deadline=None)
@given(_STEPS, _STEPS, _STEPS, st.integers(-5, 5))
def test_following_note_by_note_finds_what_the_whole_search_finds(
    known: list[tuple[int, list[int], int]],
    new: list[tuple[int, list[int], int]],
    bass: list[tuple[int, list[int], int]],
    by: int,
) -> None:
    index = Index.of([("a.mid", _score((0, _events(known)), (32, _events(bass[::-1]))))])
    tracks = {0: _changed(_events(new + known[5:30] + new) or [(0, 1, 60)], 0, by=by), 32: _events(bass)}
    matcher, longest = Matcher(index), 0
    for onset in sorted({event[0] for events in tracks.values() for event in events}):
        notes = [(program, p, n) for program, events in tracks.items() for o, n, p in events if o == onset]
        tried = matcher.copy().push(onset, notes)
        found = matcher.push(onset, notes)
        assert tried == found  # trying changes nothing
        longest = max(longest, found)
    assert longest == originality(_score(*tracks.items()), index).notes


@settings(max_examples=60, deadline=None)
@given(_STEPS, _STEPS)
def test_the_passages_found_are_the_longest_there_are(
    known: list[tuple[int, list[int], int]], new: list[tuple[int, list[int], int]]
) -> None:
    there = _score((0, _events(known)))
    index = Index.of([("a.mid", there)])
    held = [line.symbols for line in lines(pitched(there), TPQ)]
    texts = [line.tobytes() for line in held]
    for line in lines(pitched(_score((0, _events(new + known[3:])))), TPQ):
        symbols = line.symbols
        tokens = symbols.astype(np.int64) @ np.array([256, 1])
        fresh = novel(tokens)
        for lag in range(max(REPEATS) + 1, FIGURE + 1):
            for place in range(lag + AGAIN, len(tokens)):  # a line's first token is compared with nothing
                same = tokens[place - AGAIN + 1 : place + 1] == tokens[place - AGAIN + 1 - lag : place + 1 - lag]
                fresh[place] &= not same.all()
        follower = Follower(index)
        for end in range(1, len(symbols)):
            best = 0
            for begin in (i for i in range(1, end + 1) if symbols[i, 0]):
                passage = symbols[begin : end + 1].tobytes()[1:]
                stands = any(_at_odd(text, passage) for text in texts)
                says = int(fresh[begin : end + 1].sum())
                enough = says > max(REPEATS) and says >= NEW * (end + 1 - begin)
                if stands and enough and end - begin + 2 >= SHORT:
                    best = end - begin + 2
                    break
            assert follower.read(*symbols[end].tolist()).notes == best


def _at_odd(text: bytes, passage: bytes) -> bool:
    """Whether ``passage`` stands in ``text`` where an interval is that begins an onset."""
    at = text.find(passage)
    while at >= 0 and not (at % 2 and text[at - 1]):
        at = text.find(passage, at + 1)
    return at >= 0


def test_a_matcher_says_how_long_the_copy_is_by_now() -> None:
    rng = random.Random(4)
    melody = _melody(rng, 40)
    matcher = Matcher(Index.of([("a.mid", _score((0, melody)))]))
    new = _melody(rng, 10)
    runs = [matcher.push(o, [(73, p, n)]) for o, n, p in new + _changed(melody[10:30], _end(new), by=2)]
    assert max(runs[:10]) == 0
    assert runs[-12:] == list(range(9, 21))
    assert matcher.push(10**5, [(128, 36, 120), (-1, 36, 120)]) == 0  # drums
    assert matcher.push(10**6, [(73, 20, 120)]) == 0  # and as soon as it goes its own way, there is none
