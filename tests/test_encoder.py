"""Event tokenizers write, merge and read what MidiTok does, id for id, and need neither it nor its libraries for it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from symusic import KeySignature, Note, Score, Tempo, Track

from miditok_music import Theirs, some_options, some_piece
from random_model import random_model
from toccata.errors import MissingExtra, ModelError, RecipeError, RequestError
from toccata.midi.read import find_midi, read_score
from toccata.recipes import load
from toccata.tokenizers.events import EventOptions, EventTokenizer
from toccata.tokenizers.schemes import finished
from toccata.tokenizers.state import State
from toccata.tokenizers.vocabulary import KINDS, Kind

RECIPES = ("toccata", "bach-gpt", "beatron", "tchaikovsky")
FOLDERS = (
    "bach",
    "choir",
    "drums",
    "game",
    "orchestra",
    "piano/chopin_first_editions",
    "piano/keyboard",
    "quartets",
    "songs",
    "benchmark_only",
)
OWN = ("REMI", "TSD", "MIDILike", "Structured")


@pytest.fixture(scope="module")
def scores(data: Path) -> dict[str, Score]:
    """Some pieces of every kind, none of them very long."""
    found = {}
    for folder in FOLDERS:
        files = [path for path in find_midi(data / folder) if path.stat().st_size < 40_000]
        found |= {path.name: read_score(path) for path in files[len(files) // 3 :][:1]}
    return found


@pytest.mark.parametrize("name", [*RECIPES, *OWN])
def test_ids_are_those_of_miditok(name: str, scores: dict[str, Score]) -> None:
    tokenizer = EventTokenizer.build(EventOptions(name) if name in OWN else _options(name, 0))
    theirs = Theirs(tokenizer)
    assert tokenizer.words(np.arange(tokenizer.vocab_size)) == [word.removesuffix("_None") for word in theirs.words]
    for piece, score in scores.items():
        assert tokenizer.encode(score, start=False, end=False).ids.tolist() == theirs.encode(score), piece


@pytest.mark.parametrize(("name", "merges"), [("bach-gpt", 35_000), ("tchaikovsky", 4_000)])
def test_merged_ids_are_those_of_hugging_face(name: str, merges: int, scores: dict[str, Score]) -> None:
    tokenizer = EventTokenizer.build(_options(name, merges))
    tokenizer.fit(list(scores.values())[::2])
    theirs = Theirs(tokenizer)
    assert theirs.miditok.vocab_size == tokenizer.vocab_size
    for piece, score in scores.items():
        assert tokenizer.encode(score, start=False, end=False).ids.tolist() == theirs.encode(score), piece


def test_what_is_learned_is_what_miditok_learns(scores: dict[str, Score]) -> None:
    options = _options("bach-gpt", 2_000)
    ours = EventTokenizer.build(options)
    theirs = Theirs(ours).miditok
    pieces = list(scores.values())[:4]
    texts = []
    for score in pieces:
        base, cuts = ours._encoding.write(score)
        bars = [bar.tolist() for bar in np.split(base, cuts[1:]) if len(bar)]
        texts.append([theirs._ids_to_bytes(bar, as_one_str=True) for bar in bars])
    ours.fit(pieces)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.train(vocab_size=options.merges, model="BPE", iterator=texts)
    assert json.loads(ours.document["_model"]) == json.loads(theirs.to_dict()["_model"])
    assert {**ours.document, "_model": ""} == {**json.loads(json.dumps(theirs.to_dict())), "_model": ""}


@settings(max_examples=15, deadline=None, phases=[Phase.generate])
@given(st.randoms(use_true_random=False))
def test_any_options_on_any_music(rng: random.Random) -> None:
    tokenizer = EventTokenizer.build(some_options(rng))
    theirs = Theirs(tokenizer)
    assert tokenizer._base_words == theirs.words
    for _ in range(3):
        score = some_piece(rng)
        ids = tokenizer.encode(score, start=False, end=False).ids.tolist()
        if not set(ids) - set(tokenizer.grammar().scheme.vocabulary.of_kind[Kind.BAR].tolist()):
            continue  # MidiTok 3.1 fails on music of which it has nothing to say
        assert ids == theirs.encode(score)
        cuts = tokenizer._encoding.write(score).cuts.tolist()
        sequence = theirs.base(score)
        parts = {"bar": sequence.split_per_bars, "beat": sequence.split_per_beats}.get(
            theirs.miditok.config.encode_ids_split, lambda sequence=sequence: [sequence]
        )()
        assert [b - a for a, b in zip(cuts, [*cuts[1:], len(ids)], strict=True)] == [len(part) for part in parts]


@settings(max_examples=15, deadline=None, phases=[Phase.generate])
@given(st.randoms(use_true_random=False))
def test_any_tokens_are_read_as_miditok_reads_them(rng: random.Random) -> None:
    tokenizer = EventTokenizer.build(some_options(rng))
    theirs = Theirs(tokenizer)
    ids = tokenizer.encode(some_piece(rng), start=False, end=False).ids.tolist()
    first = rng.randrange(len(ids) + 1) if rng.random() < 0.5 else 0
    ids = ids[first : rng.randrange(first, len(ids) + 1) if rng.random() < 0.5 else None]
    ours, other = tokenizer.decode(np.array(ids, np.int32)), theirs.decode(ids)
    notes = [[_notes(score, track) for track in range(len(score.tracks))] for score in (ours, other)]
    assert notes[0] == notes[1]
    meters = [[(s.time, s.numerator, s.denominator) for s in score.time_signatures] for score in (ours, other)]
    assert meters[0] == meters[1]
    assert [t.time for t in ours.tempos] == [t.time for t in other.tempos]
    keys = [[(k.time, k.key, k.tonality) for k in score.key_signatures] for score in (ours, other)]
    assert keys[0] == keys[1]


def _notes(score: Score, number: int) -> tuple[Any, ...]:
    track = score.tracks[number]
    notes = [(n.time, n.duration, n.pitch, n.velocity) for n in track.notes]
    bends = [(b.time, b.value) for b in track.pitch_bends]
    # A pedal that is never lifted MidiTok forgets.
    controls = [(c.time, c.number, c.value) for c in track.controls if c.number != 64]
    return track.program, track.is_drum, notes, bends, controls


@settings(max_examples=40, deadline=None, phases=[Phase.generate])
@given(st.randoms(use_true_random=False))
def test_what_may_follow_is_what_miditok_says(rng: random.Random) -> None:
    tokenizer = EventTokenizer.build(some_options(rng))
    graph: dict[Kind, set[Kind]] = {}
    for name, after in Theirs(tokenizer).miditok.tokens_types_graph.items():
        if name in KINDS:
            graph.setdefault(KINDS[name], set()).update(KINDS[a] for a in after if a in KINDS)
    scheme = tokenizer._encoding.scheme
    theirs = finished(graph, scheme.vocabulary, scheme.timing.clock)
    ours = tokenizer._encoding.follows
    for kind in {Kind(int(k)) for k in np.unique(scheme.vocabulary.kinds)}:
        assert ours.get(kind, frozenset()) == theirs.get(kind, frozenset()), kind


# -- tempos ------------------------------------------------------------------------------------------------------------


def test_running_status_says_what_remi_says(scores: dict[str, Score]) -> None:
    """The same notes, meters and tempos, in far fewer tokens; none of them says what holds already."""
    remi = EventTokenizer.build(_options("toccata", 0))
    tokenizer = EventTokenizer.build(load("toccata").tokenizer)
    scheme = tokenizer.grammar().scheme
    tokens, notes = {"remi": 0, "running": 0}, 0
    for piece, score in scores.items():
        ids, theirs = tokenizer.encode(score).ids, remi.encode(score).ids
        ours, other = tokenizer.decode(ids), remi.decode(theirs)
        for one in (ours, other):
            one.sort()
        assert ours.tempos == other.tempos, piece
        assert ours.time_signatures == other.time_signatures, piece
        assert sorted(map(str, _sounding(ours))) == sorted(map(str, _sounding(other))), piece
        tokens["remi"] += len(theirs)
        tokens["running"] += len(ids)
        notes += ours.note_num()
        state = State(scheme)
        for base in ids.tolist():
            kind, value = scheme.kinds[base], scheme.values[base]
            assert kind != Kind.VELOCITY or value != state.status.velocity
            assert kind != Kind.DURATION or base != state.status.duration
            assert kind != Kind.PROGRAM or not state.program_known or value != state.program
            state.read(base)
        assert state.notes == ours.note_num()
    assert tokens["running"] < 0.75 * tokens["remi"]


def _sounding(score: Score) -> list[tuple[int, ...]]:
    return [
        (track.program, int(track.is_drum), n.time, n.pitch, n.duration, n.velocity)
        for track in score.tracks
        for n in track.notes
    ]


@pytest.mark.parametrize("name", [*RECIPES, "TSD", "MIDILike"])
def test_the_usual_tempo_comes_back_exactly(name: str) -> None:
    tokenizer = EventTokenizer.build(_options(name, 0) if name in RECIPES else EventOptions(name))
    again = tokenizer.decode(tokenizer.encode(_piece(120)))
    assert [tempo.mspq for tempo in again.tempos] == [500_000]


@pytest.mark.parametrize(
    "qpm", [60, 66, 72, 80, 88, 90, 96, 100, 104, 108, 110, 116, 120, 126, 130, 140, 150, 160, 180]
)
def test_tempos_of_a_metronome_come_back_exactly(qpm: int) -> None:
    tokenizer = EventTokenizer.build(load("toccata").tokenizer)
    again = tokenizer.decode(tokenizer.encode(_piece(qpm)))
    assert [round(tempo.qpm, 3) for tempo in again.tempos] == [qpm]


@pytest.mark.parametrize("name", RECIPES)
def test_every_tempo_is_written_by_the_token_that_played_it(name: str) -> None:
    tokenizer = EventTokenizer.build(_options(name, 0))
    scheme = tokenizer.grammar().scheme
    for token in scheme.vocabulary.of_kind[Kind.TEMPO].tolist():
        assert token in tokenizer.encode(_piece(scheme.values[token] / 1000)).ids.tolist()


def _piece(qpm: float) -> Score:
    score = Score(480)
    score.tempos.append(Tempo(0, qpm))
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.append(Note(0, 480, 60, 64))
    return score


# -- without MidiTok ---------------------------------------------------------------------------------------------------

WITHOUT = """
import sys
for name in ("miditok", "tokenizers", "huggingface_hub", "hf_xet", "torch"):
    sys.modules[name] = None  # to Python: it is not installed
import toccata, toccata.api
model = toccata.load(sys.argv[1])
[piece] = model.generate(bars=1, max_tokens=40, seed=1)
[more] = model.generate(sys.argv[2], bars=1, max_tokens=40, seed=1)
print(toccata.api.inspect(sys.argv[2]).scheme)
"""


def test_writing_needs_neither_miditok_nor_what_it_brings(merged: EventTokenizer, data: Path, tmp_path: Path) -> None:
    model = random_model(tmp_path / "model", tokenizer=merged)
    prompt = find_midi(data / "choir")[2]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(model), str(prompt)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.split()[0] == "RunningStatus"  # of the recipe that inspect takes


def test_other_merges_say_how_to_get_what_applies_them(
    scores: dict[str, Score], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = EventTokenizer.build(EventOptions("REMI", merges=1_500, algorithm="WordPiece"))
    tokenizer.fit([next(iter(scores.values()))])
    tokenizer.save(tmp_path)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtra, match=r'WordPiece needs tokenizers: pip install "toccata\[train\]"'):
        EventTokenizer.load(tmp_path)
    with pytest.raises(MissingExtra, match=r"learning merges needs tokenizers"):
        EventTokenizer.build(EventOptions("REMI", merges=1_500)).fit([])
    monkeypatch.setitem(sys.modules, "miditok", None)
    with pytest.raises(MissingExtra, match=r'kind WordPiece needs MidiTok: pip install "toccata\[train\]"'):
        EventTokenizer.build(EventOptions("REMI", merges=1_500, algorithm="WordPiece")).fit([])


@pytest.mark.parametrize("name", [*RECIPES, *OWN])
def test_what_is_saved_is_what_miditok_saves(name: str) -> None:
    options = _options(name, 0) if name in RECIPES else EventOptions(name)
    tokenizer = EventTokenizer.build(options)
    theirs = json.loads(json.dumps(Theirs(tokenizer).miditok.to_dict()))
    assert {**tokenizer.document, "symusic_version": ""} == {**theirs, "symusic_version": ""}


# -- threads -----------------------------------------------------------------------------------------------------------


def test_threads_leave_the_warnings_of_others_alone(merged: EventTokenizer, scores: dict[str, Score]) -> None:
    pieces = sorted(scores.values(), key=lambda score: score.note_num())[:3]

    def work() -> None:
        for score in pieces:
            merged.decode(merged.encode(score))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mine = warnings.filters
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert warnings.filters is mine
        for thread in threads:
            thread.join()
        assert warnings.filters is mine


# -- damaged files -----------------------------------------------------------------------------------------------------


def _damages(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    config = document["config"]
    for name, value in [
        ("num_tempos", 10**9), ("num_velocities", 0), ("beat_res", {"0_1000000000": 12}), ("beat_res", {}),
        ("time_signature_range", {"4": [10**9]}), ("time_signature_range", {"0": [4]}), ("tempo_range", [0, 0]),
        ("programs", "all"), ("use_programs", 1), ("pitch_range", [9, 3]), ("chord_maps", [1]),
        ("one_token_stream_for_programs", False), ("beat_res", {"0_900": 900}),
        ("default_note_duration", "long"), ("encode_ids_split", "page"), ("use_note_duration_programs", None),
    ]:  # fmt: skip
        yield {**document, "config": {**config, name: value}}
    yield {**document, "config": []}
    yield {**document, "config": {}}
    model = json.loads(document["_model"])
    for part in ("vocab", "merges"):
        yield {**document, "_model": json.dumps({**model, "model": {**model["model"], part: [["a", "b"]]}})}
    yield {**document, "_model": "{}"}
    yield {**document, "_model": 7}
    yield {**document, "_vocab_base": {**document["_vocab_base"], "Pitch_60": 10**9}}
    yield {**document, "_vocab_base": dict(list(document["_vocab_base"].items())[:-1])}
    yield {**document, "_vocab_base": [1, 2]}
    yield {**document, "_vocab_base_byte_to_token": {}}


def test_a_tampered_tokenizer_is_refused_in_one_line(merged: EventTokenizer, tmp_path: Path) -> None:
    tried = 0
    for document in _damages(merged.document):
        (tmp_path / "tokenizer.json").write_text(json.dumps(document))
        with pytest.raises(ModelError, match=r"tokenizer\.json") as error:
            EventTokenizer.load(tmp_path)
        assert "\n" not in str(error.value)
        tried += 1
    assert tried > 20
    (tmp_path / "tokenizer.json").write_text("[" * 100_000)
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        EventTokenizer.load(tmp_path)


def test_what_would_be_written_in_part_only_is_refused() -> None:
    with pytest.raises(RecipeError, match="one_token_stream_for_programs is wrong: toccata writes all programs as one"):
        EventTokenizer.build(EventOptions("REMI", {"one_token_stream_for_programs": False}))
    with pytest.raises(RecipeError, match="more than 20,000 different lengths"):
        EventTokenizer.build(EventOptions("REMI", {"beat_res": {"0-900": 190}}))


def test_music_that_no_token_says_is_refused_in_one_line() -> None:
    score = _piece(120)
    score.key_signatures.append(KeySignature(0, 9, 0))
    with pytest.raises(RequestError, match="no token for something in the music"):
        EventTokenizer.build(EventOptions("REMI", {"use_key_signatures": True})).encode(score)


def _options(recipe: str, merges: int) -> EventOptions:
    found = load(recipe).tokenizer
    assert isinstance(found, EventOptions)
    if found.scheme == "RunningStatus":  # toccata's own: REMI, which it stands on
        return EventOptions("REMI", {**found.options, "program_changes": True}, merges)
    return EventOptions(found.scheme, found.options, merges)
