"""Controls: what is told of music is true, stands where it belongs, and changes nothing else."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic import Note, Score, Track

from decoding import decode_with
from random_model import random_model
from toccata.corpus.examples import ExampleOptions, Examples
from toccata.corpus.prepare import prepare
from toccata.corpus.store import Corpus
from toccata.errors import ModelError, RequestError
from toccata.midi.bars import bar_map
from toccata.midi.features import Sounding
from toccata.midi.keys import Key
from toccata.midi.levels import COUNTS, DEFAULT, Levels
from toccata.midi.read import find_midi, read_score
from toccata.musicmodel import Model
from toccata.recipes import load
from toccata.tasks.compile import compile_request
from toccata.tasks.conditioning import part, with_controls
from toccata.tasks.controls import (
    ENDS,
    Controls,
    encode_controls,
    guided_ids,
    insert_control_tokens,
    measured,
)
from toccata.tasks.fill import Hole
from toccata.tasks.passage import passage
from toccata.tasks.request import Request
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.events import EventOptions, EventTokenizer
from toccata.tokenizers.load import build_tokenizer
from toccata.tokenizers.options import SPECIALS
from toccata.tokenizers.state import State

FIRST, LAST = SPECIALS.index("DENSITY1"), SPECIALS.index("STYLE31")


def base_of(controls: Controls) -> list[int]:
    """The base tokens that say controls."""
    return [SPECIALS.index(word) for word in controls.words()]


def said(tokenizer: Tokenizer, ids: list[int]) -> list[int]:
    """The controls among ids, as base tokens."""
    base = [part for token in ids for part in tokenizer.grammar().base(token)]
    return [token for token in base if FIRST <= token <= LAST]


def unsaid(tokenizer: Tokenizer, ids: list[int]) -> list[int]:
    """Ids without controls."""
    return [i for i in ids if not said(tokenizer, [i])]


@pytest.fixture(scope="module", params=["toccata", "TSD"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    """One whose bars have tokens, and one that counts time alone."""
    if request.param == "TSD":
        return EventTokenizer.build(EventOptions("TSD"))
    return build_tokenizer(load("toccata").tokenizer)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Random weights, and a folder that says they have learned controls and styles."""
    recipe = load("toccata")
    assert isinstance(recipe.tokenizer, EventOptions)
    place = random_model(
        tmp_path_factory.mktemp("model") / "m", recipe.tokenizer, context=512, styles=["bach", "Chopin"]
    )
    return Model(place, precision="fp32")


def test_levels_are_counted_from_one_and_cover_everything() -> None:
    for name, most in COUNTS.items():
        scale = DEFAULT[name]
        assert scale.level(scale.bounds[0] - 0.01) == 1
        assert scale.level(scale.bounds[-1]) == most
        assert [scale.level(aim) for aim in scale.aims] == list(range(1, most + 1))
        Controls(**{name: most})  # type: ignore[arg-type]
        with pytest.raises(RequestError, match=f"{name} goes from 1 to {most}"):
            Controls(**{name: most + 1})  # type: ignore[arg-type]
    assert DEFAULT.density.level(None) is None


def test_levels_are_those_of_the_training_music(data: Path) -> None:
    """Each level occurs in the music that they are fitted to, those in the middle more often; they can be saved."""
    pieces = [read_score(path) for path in find_midi(data / "quartets")[:12]]
    levels = Levels.of(pieces)
    assert levels.density != DEFAULT.density
    found = [
        measured(notes.between(a, b), b - a, levels).density
        for notes, bars in ((Sounding.of(score), bar_map(score)) for score in pieces)
        for a, b in itertools.pairwise(bars.starts[::8].tolist())
        if len(notes.between(a, b))
    ]
    counts = [found.count(level) for level in range(1, COUNTS["density"] + 1)]
    assert all(counts)
    assert max(counts) in counts[2:6]
    assert Levels.from_json(json.loads(json.dumps(levels.to_json()))) == levels
    one = Score(480)  # of one velocity and one length no levels can be made
    one.tracks.append(Track("", 0, False))
    for beat in range(64):
        one.tracks[0].notes.append(Note(beat * 480, 480, 40 + beat, 64))
    assert (Levels.of([one]).velocity, Levels.of([one]).length) == (DEFAULT.velocity, DEFAULT.length)
    assert Levels.of([]) == DEFAULT


def test_a_tokenizer_keeps_its_levels(data: Path, tmp_path: Path) -> None:
    tokenizer = EventTokenizer.build(EventOptions("REMI"))
    before = tokenizer.fingerprint
    tokenizer.fit_levels(read_score(path) for path in find_midi(data / "quartets")[:12])
    tokenizer.save(tmp_path)
    again = EventTokenizer.load(tmp_path)
    assert again.grammar().scheme.levels == tokenizer.grammar().scheme.levels != DEFAULT
    assert again.fingerprint == tokenizer.fingerprint != before
    document = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    for damage in ({}, {"density": 1}, {**document["levels"], "density": [[3, 2], [1, 2, 3]]}):
        (tmp_path / "tokenizer.json").write_text(json.dumps({**document, "levels": damage}), encoding="utf-8")
        with pytest.raises(ModelError, match="is damaged"):
            EventTokenizer.load(tmp_path)


def test_every_control_has_a_token_of_its_own() -> None:
    tokens = [
        *(base_of(Controls(**{name: i + 1}))[0] for name, most in COUNTS.items() for i in range(most)),  # type: ignore[arg-type]
        *(base_of(Controls(key=Key(tonic, minor)))[0] for tonic in range(12) for minor in (False, True)),
        *(base_of(Controls(ends=left + 1))[0] for left in range(ENDS)),
        *(base_of(Controls(style=(number,)))[0] for number in range(32)),
    ]
    assert len(set(tokens)) == len(tokens)
    assert FIRST <= min(tokens) <= max(tokens) == LAST


def test_what_is_measured_is_what_is_there() -> None:
    score = Score(480)
    score.tracks.append(Track("", 0, False))
    for beat in range(8):  # a C major scale and its octave, eighths of which each sounds a quarter
        pitch = 60 + (0, 2, 4, 5, 7, 9, 11, 12)[beat]
        score.tracks[0].notes.append(Note(beat * 240, 480, pitch, 90))
    notes = Sounding.of(score)
    assert notes.density(4 * 480) == 2
    assert 1.5 < (notes.polyphony() or 0) < 2
    assert notes.length() == 1
    assert measured(notes, 4 * 480, DEFAULT) == Controls(
        density=1, polyphony=2, register=7, length=6, velocity=5, key=Key(0, False)
    )
    assert measured(notes.between(5000, 6000), 480, DEFAULT) == Controls()


def test_cues_stand_after_their_bar_lines(data: Path, tokenizer: Tokenizer) -> None:
    score = read_score(find_midi(data / "quartets")[3])
    bars, grammar = bar_map(score), tokenizer.grammar()
    ids = passage(tokenizer, score, bars, 4, 12).ids.tolist()
    controls = encode_controls(
        tokenizer, Controls(density=2, style=(3,)), {bar: Controls(density=bar + 1) for bar in range(8)}
    )
    head, rest = insert_control_tokens(grammar, ids[:2], ids[2:], bars.meters[4], controls.bars)
    assert unsaid(tokenizer, head + rest) == ids
    state = State(grammar.scheme, bars.meters[4])
    by_bar: dict[int, list[int]] = {}
    for token in head + rest:
        by_bar.setdefault(state.bar, []).extend(said(tokenizer, [token]))
        for base in grammar.base(token):
            state.read(base)
    assert {bar: tokens for bar, tokens in by_bar.items() if tokens} == {
        bar: base_of(Controls(density=bar + 1)) for bar in range(8)
    }


@pytest.mark.parametrize("scheme", ["MIDILike", "TSD", "REMI", "Structured"])
def test_the_first_new_bar_is_told_wherever_it_begins(scheme: str) -> None:
    tokenizer = EventTokenizer.build(EventOptions(scheme))
    score = Score(480)
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.extend(Note(480 * q, 480, 60 + q % 12, 80) for q in range(16))
    wanted = {bar: Controls(density=bar + 1) for bar in range(2)}
    hole = None if scheme == "Structured" else Hole(1, 3)
    first = base_of(Controls(density=1))
    for request in (Request(bars=2), Request(prompt=score, bars=2), Request(prompt=score, bars=2, hole=hole)):
        task = compile_request(replace(request, bar_controls=wanted), tokenizer, 400, controls=True)
        now = said(tokenizer, task.ids.tolist())
        coming = [
            said(tokenizer, list(words))
            for bar, words in sorted(task.control_tokens.items())
            if bar > task.cursor.state.bar
        ]
        assert (now or coming[0]) == first
        assert len(now) + sum(map(len, coming)) == 2


def test_training_is_told_as_often_as_asked_and_the_truth(data: Path, tmp_path: Path) -> None:
    source = tmp_path / "midi"
    for style, folder in (("bach", "bach/mutopia"), ("choir", "choir")):
        (source / style).mkdir(parents=True)
        for path in find_midi(data / folder)[:6]:
            (source / style / path.name).write_bytes(path.read_bytes())
    prepare(source, tmp_path / "corpus")
    corpus, tokenizer = Corpus(tmp_path / "corpus"), build_tokenizer(load("toccata").tokenizer)
    assert corpus.styles == ["bach", "choir"]
    shares, styles = [], set()
    for share in (0.0, 0.5, 1.0):
        options = ExampleOptions(controls=share, transpose=0, tempo=0, velocity=0)
        rows = [Examples(corpus, tokenizer, "train", 512, options, seed=1).row(number) for number in range(40)]
        firsts = [row.inputs[: row.lengths[0]].tolist() for row in rows]
        shares.append(sum(bool(said(tokenizer, ids)) for ids in firsts) / len(rows))
        styles |= {token for ids in firsts for token in said(tokenizer, ids) if token >= SPECIALS.index("STYLE0")}
    assert shares[0] == 0
    assert 0.2 < shares[1] < 0.8
    assert shares[2] > 0.9  # now and then nothing is chosen to be told
    assert styles == {SPECIALS.index("STYLE0"), SPECIALS.index("STYLE1")}


def test_a_bar_is_told_its_own_density(data: Path, tmp_path: Path) -> None:
    source = tmp_path / "midi"
    source.mkdir()
    for path in find_midi(data / "bach" / "mutopia")[:8]:
        (source / path.name).write_bytes(path.read_bytes())
    prepare(source, tmp_path / "corpus")
    corpus, tokenizer = Corpus(tmp_path / "corpus"), build_tokenizer(load("toccata").tokenizer)
    grammar = tokenizer.grammar()
    examples = Examples(corpus, tokenizer, "train", 512, ExampleOptions(controls=1.0), seed=2)
    levels = {base_of(Controls(density=i + 1))[0]: i + 1 for i in range(COUNTS["density"])}
    right = checked = 0
    for number in range(60):
        row = examples.row(number)
        state, asked_level, notes, length = State(grammar.scheme), 0, 0, 1
        for token in row.inputs[: row.lengths[0]].tolist():
            (base,) = grammar.base(token)
            bar = state.bar
            state.read(base)
            if state.bar != bar:
                if asked_level:
                    checked += 1
                    right += asked_level == DEFAULT.density.level(
                        notes * grammar.scheme.timing.ticks_per_quarter / length
                    )
                asked_level, notes = 0, 0
            elif state.bar >= 0 and base in levels:
                asked_level = levels[base]
            notes += len(state.made)
            length = state.ticks_per_bar
    assert checked > 50
    assert right > 0.95 * checked  # a grid may move a note over a bar line


def test_the_model_reads_what_is_asked_for(model: Model) -> None:
    request = with_controls(
        Request(bars=4, key="D minor", end=True), 4, model.styles, {"density": [2, 7], "length": 3}, ["CHOPIN"]
    )
    task = compile_request(request, model.tokenizer, 300, controls=True)
    prefix = task.ids[: task.prefix].tolist()
    assert said(model.tokenizer, prefix) == base_of(Controls(length=3, key=Key(2, True), style=(1,)))
    done = decode_with(model, task, 3)
    grammar, state = model.tokenizer.grammar(), State(model.tokenizer.grammar().scheme)
    by_bar: dict[int, list[int]] = {}
    for token in done.ids.tolist():
        if state.bar >= 0:
            by_bar.setdefault(state.bar, []).extend(said(model.tokenizer, [token]))
        for base in grammar.base(token):
            state.read(base)
    assert by_bar == {
        0: base_of(Controls(density=2, ends=4)), 1: base_of(Controls(density=7, ends=3)),
        2: base_of(Controls(density=7, ends=2)), 3: base_of(Controls(density=7, ends=1)),
    }  # fmt: skip


def test_prompts_and_holes_are_told_too(model: Model, data: Path) -> None:
    song = find_midi(data / "quartets")[3]
    (piece,) = model.generate(song, prompt_bars=4, bars=3, seed=1, controls={"density": 3}, chords="C | F", end=True)
    assert piece.bars == 7
    assert piece.origin["controls"] == {"density": 3}
    assert (piece.origin["chords"], piece.origin["end"]) == ("C | F", True)
    (piece,) = model.infill(
        song, [(3, 4), (7, 7)], controls={"density": [1, 2, 3]}, style=["bach"], chords="C | F | G", seed=1
    )
    assert piece.origin["style"] == ["bach"]
    assert piece.origin["controls"] == {"density": [1, 2, 3]}
    assert part(with_controls(Request(), 3, [], {"density": [1, 2, 3]}), 1, 2).bar_controls == {
        0: Controls(density=2), 1: Controls(density=3)
    }  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_controls_leave_the_guarantees_alone(model: Model, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bars = int(rng.integers(1, 5))
    controls = {name: int(rng.integers(1, most + 1)) for name, most in COUNTS.items() if rng.random() < 0.5}
    (piece,) = model.generate(
        bars=bars, seed=seed, controls=controls, meter=(3, 4), key="G major", end=bool(rng.integers(2)),
        style=["bach", "Chopin"][: int(rng.integers(0, 3))],
    )  # fmt: skip
    assert piece.bars == bars
    in_key = Key.read("G major").scale()
    assert all(in_key[note.pitch % 12] for track in piece.score.tracks if not track.is_drum for note in track.notes)


def test_what_cannot_be_told_is_refused(model: Model, tmp_path: Path) -> None:
    for options, words in (
        ({"controls": {"density": 9}}, "density goes from 1 to 8, not 9"),
        ({"controls": {"density": 3.5}}, "levels of 'density' are whole numbers, not 3.5"),
        ({"controls": {"density": [3.5]}}, "levels of 'density' are whole numbers, not 3.5"),
        ({"controls": {"loud": 1}}, "no control 'loud': there are density"),
        ({"controls": {"density": [1] * 9}}, "density has levels for 9 bars, and there are 8: give one for each"),
        ({"style": ["mozart"]}, "no style 'mozart': it knows bach, Chopin"),
        ({"chords": "C | Hm"}, "bar 2: there is no chord 'Hm'"),
        ({"chords": "F#", "pitches": (60, 60)}, "bar 1: no tone of F#.* lies in the range asked for"),
    ):
        with pytest.raises(RequestError, match=words):
            model.generate(bars=8, **options)  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="an ending needs a number of bars"):
        model.generate(bars=None, end=True)
    plain = Model(random_model(tmp_path / "m", settings=["examples.controls=0"]), precision="fp32")
    with pytest.raises(RequestError, match="has not learned controls"):
        plain.generate(bars=2, controls={"density": 2})
    assert plain.generate(bars=2, end=True, key="C major")[0].bars == 2  # masks need no learning


def test_a_chart_may_leave_the_key(model: Model) -> None:
    (piece,) = model.generate(bars=4, chords="C | F# | C | C", key="C major", meter=(4, 4), seed=1)
    bar = 4 * piece.score.ticks_per_quarter
    pitched = [note for track in piece.score.tracks if not track.is_drum for note in track.notes]
    assert all(note.pitch % 12 in (6, 10, 1) for note in pitched if note.time == bar)


def test_the_page_says_where_levels_end() -> None:
    page = (Path(__file__).parents[1] / "docs" / "asking.md").read_text(encoding="utf-8")
    for name, most in COUNTS.items():
        bounds = DEFAULT[name].bounds
        (row,) = [line for line in page.splitlines() if f"`--control {name}=1`" in line]
        assert row.endswith(f"| {', '.join(f'{bound:g}' for bound in bounds)} |")
        assert f"to `{most}`" in row


def test_a_control_that_is_added_later_moves_no_word(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A model finds its words by their names in its own vocabulary."""
    old = EventTokenizer.build(EventOptions("REMI"))
    old.save(tmp_path)
    asked = Controls(density=3, velocity=2, key=Key(2, True), style=(1,), ends=2)
    before = encode_controls(old, asked, {}).prefix
    words = list(SPECIALS)
    later = (*words[:6], "SWING1", "SWING2", *[word for word in words[6:] if word not in ("CONTROL126", "CONTROL127")])
    monkeypatch.setattr("toccata.tokenizers.options.SPECIALS", later)
    assert encode_controls(EventTokenizer.load(tmp_path), asked, {}).prefix == before
    new = EventTokenizer.build(EventOptions("REMI"))
    assert new.vocab_size == old.vocab_size
    assert encode_controls(new, asked, {}).prefix == tuple(
        one + 2 if one < later.index("STYLE0") else one for one in before
    )
    assert guided_ids(new).sum() == guided_ids(old).sum() == 34 + 32
    monkeypatch.setattr(Controls, "words", lambda _: ["SWING1"])
    with pytest.raises(RequestError, match="this model has no word for swing1"):
        encode_controls(old, asked, {})
