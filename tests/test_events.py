"""Event tokenizers keep the music: onset, pitch, program and seconds, on real files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import miditok
import numpy as np
import pytest
from symusic import Note, Score, TimeSignature, Track

from toccata.errors import ModelError, RecipeError, RequestError
from toccata.midi.clean import clean
from toccata.midi.facts import seconds_at
from toccata.midi.read import read_score
from toccata.tokenizers.base import Tokens
from toccata.tokenizers.events import SCHEMES, EventOptions, EventTokenizer

FOLDERS = [
    "bach/mutopia",
    "bach/hauptstimme",
    "piano/keyboard",
    "piano/chopin_first_editions",
    "choir",
    "songs",
    "quartets",
    "game",
]


def kept(before: Score, after: Score) -> float:
    """The share of notes that are there again: onset within 1/12 of a quarter, same pitch, same program."""

    def grid(score: Score) -> Counter[tuple[int, int, int]]:
        notes: Counter[tuple[int, int, int]] = Counter()
        for track in score.tracks:
            program = 128 if track.is_drum else track.program
            for note in track.notes:
                notes[round(note.time * 12 / score.ticks_per_quarter), note.pitch, program] += 1
        return notes

    old, new = grid(before), grid(after)
    lost = old - new
    found = 0
    for (time, pitch, program), count in lost.items():
        for near in (time - 1, time + 1):
            found += min(count, (new - old)[near, pitch, program])
    return 1 - (lost.total() - min(found, lost.total())) / old.total()


def small(data: Path, folder: str, count: int = 2) -> list[Path]:
    """A few files of a folder, none of them long."""
    files = sorted((data / folder).rglob("*.mid"), key=lambda p: (p.stat().st_size, p.name))
    return files[len(files) // 3 :: max(1, len(files) // (3 * count))][:count]


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_round_trip_keeps_the_notes(scheme: str, folder: str, data: Path) -> None:
    tokenizer = EventTokenizer.build(EventOptions(scheme))
    for path in small(data, folder):
        score = clean(read_score(path))
        tokens = tokenizer.encode(score)
        assert kept(score, tokenizer.decode(tokens)) >= 0.99, path.name
        assert tokens.ids[0] == tokenizer.bos
        assert tokens.ids[-1] == tokenizer.eos


@pytest.mark.parametrize("scheme", ["REMI", "TSD", "MIDILike", "PerTok"])
def test_round_trip_keeps_the_seconds(scheme: str, data: Path) -> None:
    tokenizer = EventTokenizer.build(EventOptions(scheme))
    for path in small(data, "piano/keyboard", 3):
        score = clean(read_score(path))
        again = tokenizer.decode(tokenizer.encode(score))
        last = [np.array([max(n.time for t in s.tracks for n in t.notes)]) for s in (score, again)]
        before, after = float(seconds_at(score, last[0])[0]), float(seconds_at(again, last[1])[0])
        assert after == pytest.approx(before, rel=0.013), path.name  # the tempo grid's half step


def test_a_change_of_meter_inside_a_bar_keeps_bar_lines_true() -> None:
    score = Score(480)
    score.time_signatures = [TimeSignature(0, 4, 4), TimeSignature(480 * 5, 3, 4)]  # the second bar has one quarter
    track = Track("", 0, False)
    track.notes.extend([Note(480 * i, 480, 60 + i, 64) for i in range(8)])
    score.tracks.append(track)
    tokenizer = EventTokenizer.build(EventOptions("REMI"))
    again = tokenizer.decode(tokenizer.encode(score))
    assert [(s.time // 12 * 480 // (again.ticks_per_quarter // 12), s.numerator) for s in again.time_signatures] == [
        (0, 4),
        (1920, 1),
        (2400, 3),
    ]


def test_ids_of_another_tokenizer_are_refused() -> None:
    one = EventTokenizer.build(EventOptions("REMI"))
    other = EventTokenizer.build(EventOptions("TSD"))
    with pytest.raises(RequestError, match="another tokenizer"):
        one.decode(Tokens(np.zeros(3, np.int32), other.fingerprint))
    with pytest.raises(RequestError, match="outside"):
        one.decode(np.array([one.vocab_size], np.int32))


@pytest.mark.parametrize("algorithm", ["BPE", "Unigram", "WordPiece"])
def test_learned_merges_shorten_and_say_the_same(algorithm: str, data: Path) -> None:
    scores = [clean(read_score(path)) for path in small(data, "bach/mutopia", 4)]
    plain = EventTokenizer.build(EventOptions("REMI"))
    learned = EventTokenizer.build(EventOptions("REMI", merges=plain.vocab_size + 400, algorithm=algorithm))
    learned.fit(scores)
    assert learned.fingerprint != plain.fingerprint
    for score in scores:
        assert len(learned.encode(score)) < len(plain.encode(score))
        assert kept(plain.decode(plain.encode(score)), learned.decode(learned.encode(score))) == 1


def test_no_merge_crosses_a_bar_line(merged: EventTokenizer) -> None:
    words = merged.words(np.arange(merged.vocab_size, dtype=np.int32))
    assert not [word for word in words if "Bar" in word.split("+")[1:]]


def test_what_was_saved_is_read_again_and_by_miditok(merged: EventTokenizer, data: Path, tmp_path: Path) -> None:
    merged.save(tmp_path)
    again = EventTokenizer.load(tmp_path)
    score = clean(read_score(small(data, "bach/mutopia")[0]))
    assert again.fingerprint == merged.fingerprint
    ids = merged.encode(score, start=False, end=False).ids
    assert again.encode(score, start=False, end=False).ids.tolist() == ids.tolist()
    theirs = miditok.REMI(params=tmp_path / "tokenizer.json")
    decoded = theirs.decode(miditok.TokSequence(ids=ids.tolist(), are_ids_encoded=True))
    assert kept(decoded, merged.decode(ids)) == 1


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        EventTokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (EventOptions("REMI", {"use_tempo": True}), "use_tempo"),
        (EventOptions("REMI", {"beat_res": {"0:4": 8}}), "0-4"),
        (EventOptions("PerTok", {"use_time_signatures": True}), "four quarters"),
        (EventOptions("REMI", {"beat_res": 5}), r"options\.beat_res must be"),
        (EventOptions("REMI", {"beat_res": {"0-4": 0}}), r"options\.beat_res must be"),
        (EventOptions("REMI", {"time_signature_range": []}), r"options\.time_signature_range must be"),
        (EventOptions("REMI", {"time_signature_range": {"4": [0]}}), r"options\.time_signature_range must be"),
        (EventOptions("REMI", {"time_signature_range": {"0": [4]}}), "time_signature_range is wrong"),
        (
            EventOptions("TSD", {"num_velocities": "many"}),
            "num_velocities must be a whole number from 1 to 127, not 'many'",
        ),
        (EventOptions("REMI", {"tempo_range": [0, 0]}), "tempo_range is wrong"),
        (EventOptions("REMI", {"programs": [999]}), r"options\.programs .*-1 for the drums, not \[999\]"),
        (EventOptions("REMI", {"programs": [-2]}), r"options\.programs"),
        (EventOptions("REMI", {"programs": [True]}), r"options\.programs"),
        (EventOptions("REMI", {"programs": 5}), r"options\.programs"),
    ],
)
def test_options_that_do_not_exist_are_named(options: EventOptions, said: str) -> None:
    with pytest.raises(RecipeError, match=said) as error:
        EventTokenizer.build(options)
    assert "\n" not in str(error.value)


def test_whatever_goes_wrong_in_miditok_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise KeyError("a\nb")

    monkeypatch.setattr(miditok.PerTok, "_create_base_vocabulary", fails)
    with pytest.raises(RecipeError, match="num_velocities is wrong, MidiTok says: KeyError") as error:
        EventTokenizer.build(EventOptions("PerTok", {"num_velocities": 8}))
    assert "\n" not in str(error.value)


def test_programs_of_ones_own() -> None:
    tokenizer = EventTokenizer.build(EventOptions("REMI", {"programs": [-1, 0, 127]}))
    assert {word for word in tokenizer.words(np.arange(tokenizer.vocab_size)) if word.startswith("Program")} == {
        "Program_-1",
        "Program_0",
        "Program_127",
    }


def test_too_few_merges_are_refused() -> None:
    with pytest.raises(RecipeError, match="base tokens"):
        EventTokenizer.build(EventOptions("REMI", merges=10)).fit([])


def test_learning_prints_nothing(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scores = [read_score(path) for path in sorted((data / "bach" / "mutopia").glob("*.mid"))[:2]]
    EventTokenizer.build(EventOptions("REMI", merges=1200)).fit(scores)
    assert capfd.readouterr().out == ""


def test_sixteenths_of_cut_time_stand_where_they_stood() -> None:
    score = Score(480)
    score.time_signatures.append(TimeSignature(0, 2, 2))
    score.tracks.append(Track("", 0, False))
    for step in range(16):
        score.tracks[0].notes.append(Note(step * 120, 120, 60 + step, 80))
    tokenizer = EventTokenizer.build(EventOptions("REMI"))
    again = tokenizer.decode(tokenizer.encode(score))
    times = sorted(note.time / again.ticks_per_quarter for note in again.tracks[0].notes)
    assert times == pytest.approx([step / 4 for step in range(16)])
