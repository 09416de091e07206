"""Every value of every public function and of every option: what cannot be is refused in one line, before anything."""

from __future__ import annotations

import inspect
import io
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from symusic import Note, Score, Tempo, Track

import toccata
from cli_support import call
from random_model import random_model
from toccata import api
from toccata.arguments import TABLE, checked_value, kind_of, parsed_value
from toccata.engine.sampling import Sampling
from toccata.engine.seeds import seeds_of
from toccata.errors import ArgumentError, RecipeError, RequestError, ToccataError, shown
from toccata.midi.clean import CleanOptions
from toccata.midi.splice import new_file
from toccata.musicmodel import Model
from toccata.recipes import load
from toccata.tasks.compile import compile_request
from toccata.tasks.request import Request
from toccata.tokenizers.codes import CodesOptions
from toccata.tokenizers.events import EventOptions, EventTokenizer
from toccata.training.options import TrainOptions

HUGE = 10**5000
VERBS: list[Callable[..., Any]] = [
    *(getattr(toccata, name) for name in toccata.__all__ if inspect.isfunction(getattr(toccata, name))),
    api.render, api.inspect, api.bach, Model.__init__, Model.generate, Model.infill, Model.accompany,
    Model.vary, Model.harmonise, toccata.Piece.save, toccata.Piece.lock, toccata.Piece.audio, toccata.Piece.plot,
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("arguments") / "m"
    return random_model(place, EventOptions("REMI", {"program_changes": True}), context=128)


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return Model(folder, precision="fp32", threads=1)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for key in ("MODEL", "SOUNDFONT", "PRECISION", "RECIPE"):
        monkeypatch.delenv(f"TOCCATA_{key}", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def tune() -> Score:
    score, track = Score(480), Track("", 40, False)
    for i in range(32):
        track.notes.append(Note(i * 240, 240, 60 + i % 12, 80))
    score.tracks.append(track)
    return score


def refused(function: Callable[[], object]) -> ArgumentError | None:
    try:
        function()
    except ArgumentError as error:
        return error
    return None


def one_line(error: ToccataError | str) -> str:
    text = str(error)
    assert "\n" not in text
    assert len(text) < 500
    return text


# -- the table ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__qualname__)
def test_every_argument_of_every_public_function_is_checked(verb: Callable[..., Any]) -> None:
    signature = inspect.signature(verb)
    names = [name for name in signature.parameters if name != "self"]
    assert names
    for name in names:
        required = {
            other: object()
            for other, parameter in signature.parameters.items()
            if parameter.default is inspect.Parameter.empty and other != name
        }
        # The other ones are nonsense, too: whichever is looked at first is named.
        with pytest.raises(ArgumentError) as error:
            verb(**{**required, name: object()})
        assert one_line(error.value).split(" ")[0].strip(":") in names


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"n": 0}, "n must be a whole number from 1"),
        ({"n": True}, "n must be .*, not True"),
        ({"n": 2.0}, "n must be .*, not 2.0"),
        ({"n": "2"}, "n must be .*, not '2'"),
        ({"n": 10**18}, "n must be a whole number from 1 to 100,000, not 1000000000000000000"),
        ({"n": HUGE}, "not a number of about 5,001 digits"),
        ({"bars": 4.5}, "bars must be a whole number from 1 to 10,000, not 4.5"),
        ({"bars": HUGE}, "bars must be"),
        ({"end": "yes"}, "end must be True or False, not 'yes'"),
        ({"end": 1}, "end must be True or False, not 1"),
        ({"tempo": float("nan")}, "tempo must be .*, not nan"),
        ({"tempo": float("inf")}, "tempo must be .*, not inf"),
        ({"tempo": True}, "tempo must be .*, not True"),
        ({"tempo": "fast"}, "tempo must be .*, not 'fast'"),
        ({"meter": (3,)}, "meter must be"),
        ({"meter": (4, 3)}, "meter must be"),
        ({"meter": (0, 4)}, "meter must be"),
        ({"programs": []}, r"programs must be instruments, .*, not \[\]"),
        ({"programs": [0, 1.5]}, "programs must be .*, not 1.5"),
        ({"programs": [0, "violon"]}, "programs: there is no General MIDI instrument 'violon': do you mean Violin"),
        ({"pitches": (72, 60)}, "pitches must be"),
        ({"pitches": (60.0, 72)}, "pitches must be"),
        ({"key": ""}, "key must be"),
        ({"key": 7}, "key must be .*, not 7"),
        ({"controls": ["density"]}, "controls must be"),
        ({"controls": {"density": True}}, "levels of 'density' are whole numbers, not True"),
        ({"style": [3]}, "style must be .*, not 3"),
        ({"chords": ["C"]}, "chords must be"),
        ({"form": b"AABA"}, "form must be"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 2**63}, "seed must be a whole number from 0 to 9,223,372,036,854,775,807"),
        ({"seed": 2**63 - 1, "n": 2}, "seed must be"),
        ({"seed": [1, 2], "n": 3}, "seed is a list of 2, and 3 pieces are asked for"),
        ({"seed": [1, True], "n": 2}, "seed must be .*, not True"),
        ({"sampling": 1}, "sampling must be a Sampling"),
        ({"max_tokens": 0.5}, "max_tokens must be"),
        ({"prompt": 5}, "prompt must be a MIDI file, its bytes, a Score or a Piece, not 5"),
        ({"prompt": "s3://bucket/x.mid"}, "prompt: 's3://bucket/x.mid' is an address"),
        ({"prompt": ""}, "prompt must be"),
        ({"prompt": tune(), "prompt_bars": 2.0}, "prompt_bars must be"),
        ({"prompt": tune(), "prompt_seconds": float("nan")}, "prompt_seconds must be .*, not nan"),
        ({"accept": True}, "accept must be a function, not True"),
        ({"on_event": "print"}, "on_event must be a function"),
        ({"continuation_only": True}, "there is no prompt to leave out"),
    ],
)
def test_what_cannot_be_is_named(model: Model, asked: dict[str, Any], named: str) -> None:
    with pytest.raises(ArgumentError, match=named) as error:
        model.generate(**asked)
    one_line(error.value)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"precision": "int4"}, "precision must be 8bit or fp32, not 'int4'"),
        ({"precision": None}, "precision must be 8bit or fp32, not None"),
        ({"threads": 0}, "threads must be a whole number from 1 to [0-9,]+, not 0"),
        ({"threads": "two"}, "threads must be .*, not 'two'"),
        ({"threads": True}, "threads must be"),
        ({"threads": 10**6}, "threads must be .*, not 1000000"),
        ({"path": ""}, "path must be a path, not ''"),
        ({"path": 7}, "path must be a path, not 7"),
        ({"path": "a\0b"}, "path: a path cannot have a zero in it"),
    ],
)
def test_a_model_is_opened_with_what_there_is(folder: Path, asked: dict[str, Any], named: str) -> None:
    for opened in (toccata.load, Model):
        with pytest.raises(ArgumentError, match=named):
            opened(**{"path": folder, **asked})


def test_songs_are_asked_for_with_what_there_is(model: Model) -> None:
    song = tune()
    for verb, asked, named in (
        (model.infill, {"bars": [(1, 2.5)]}, "bars must be bars like 5-8"),
        (model.infill, {"bars": [(2, 1)]}, "bars must be"),
        (model.infill, {"bars": [(0, 1)]}, "bars must be"),
        (model.infill, {"bars": [(1, 2)], "tracks": [1.0]}, "tracks must be .*, not 1.0"),
        (model.infill, {"bars": [(1, 2)], "tracks": []}, "tracks must be"),
        (model.infill, {"bars": [(1, 2)], "locks": ["x:y:z:w"]}, "locks: 'x:y:z:w' is no lock"),
        (model.infill, {"bars": [(1, 2)], "n": np.bool_(True)}, "n must be"),
        (model.accompany, {"programs": [32, 32]}, "an instrument is named twice"),
        (model.accompany, {"programs": [128]}, "programs must be"),
        (model.vary, {"keep": "tempo"}, "keep must be rhythm, melody, harmony or contour, not 'tempo'"),
        (model.vary, {"strength": 1.5}, "strength must be a number from 0 to 1, not 1.5"),
        (model.vary, {"strength": float("nan")}, "strength must be .*, not nan"),
        (model.harmonise, {"melody": 0}, "melody must be"),
        (model.harmonise, {"voices": [1]}, "voices must be"),
    ):
        with pytest.raises(RequestError, match=named) as error:
            verb(song, **asked)  # type: ignore[operator]
        one_line(error.value)


def test_natural_values_are_read_alike_everywhere() -> None:
    assert checked_value("meter", "6/8") == parsed_value("meter", "6/8") == (6, 8)
    assert checked_value("pitches", "C3-C6") == parsed_value("pitches", "48-84") == (48, 84)
    assert checked_value("programs", "violin") == checked_value("programs", [40]) == (40,)
    assert checked_value("programs", ["Violin", "drums", np.int64(7)]) == (40, -1, 7)
    for bars in ("5-8", (5, 8), [(5, 8)], ["5-8"], [[5, 8]]):
        assert checked_value("bars", bars, verb="infill") == ((5, 8),), bars
    assert checked_value("bars", "5-8,13", verb="vary") == ((5, 8), (13, 13))
    assert checked_value("controls", {"density": np.int8(3), "length": [1, 2]}) == {"density": 3, "length": (1, 2)}
    assert checked_value("style", "bach") == ("bach",)


def test_numbers_of_numpy_are_numbers(model: Model) -> None:
    [piece] = model.generate(
        n=np.int64(1), bars=np.int32(1), seed=np.uint8(3), tempo=np.float32(77), sampling=Sampling(np.float32(0.5)),
        max_tokens=np.int16(40),
    )  # fmt: skip
    origin = json.loads(json.dumps(piece.origin))
    assert (origin["seed"], origin["bars"], origin["tempo"], origin["sampling"]["temperature"]) == (3, 1, 77.0, 0.5)


def test_a_request_of_ones_own_is_checked_too(model: Model) -> None:
    for asked, named in (
        ({"bars": 1.5}, "bars must be"),
        ({"bars": 1, "tempo": float("nan")}, "tempo must be"),
        ({"bars": 1, "meter": (4, 0)}, "meter must be"),
    ):
        with pytest.raises(ArgumentError, match=named):
            compile_request(Request(**asked), model.tokenizer, 64)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="verb must be one of accompany, generate, harmonise, infill, vary"):
        list(model.stream(verb="compose"))  # type: ignore[arg-type]


@given(st.sampled_from(sorted(TABLE)), st.text(max_size=50) | st.integers().map(str) | st.floats().map(str))
@example("threads", "0\x1f")  # a space to str.strip() that is none to int()
@settings(max_examples=300, deadline=None)
def test_whatever_is_typed_is_read_or_refused_in_a_line(row: str, text: str) -> None:
    verb, _, name = row.rpartition(".")
    error = refused(lambda: parsed_value(name, text, verb=verb))
    assert error is None or one_line(error)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20)
    | st.just(10**4000) | st.just("9" * 5000) | st.builds(object),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(st.sampled_from(sorted(TABLE)), JUNK)
@settings(max_examples=500, deadline=None)
def test_whatever_is_given_is_taken_or_refused_in_a_line(row: str, junk: Any) -> None:
    verb, _, name = row.rpartition(".")
    error = refused(lambda: checked_value(name, junk, verb=verb))
    assert error is None or one_line(error).startswith(name)


def test_a_value_is_shown_short_whatever_it_is() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise OSError

    for value in (HUGE, -HUGE, [HUGE] * 9, {"a": HUGE}, "x" * 9000, b"y" * 9000, [["a\nb"] * 9] * 9, Broken()):
        assert len(shown(value)) < 400
        assert "\n" not in shown(value)


# -- what a verb cannot use --------------------------------------------------------------------------------------------


def test_a_continuation_keeps_its_meter_and_takes_a_tempo(model: Model, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="keeps its meter: leave out the meter, or the prompt"):
        model.generate(tune(), bars=1, meter=(3, 4))
    [piece] = model.generate(tune(), bars=1, tempo=77, seed=0, max_tokens=40)
    assert (piece.prompt_end, 77) in [(t.time, round(t.qpm)) for t in piece.score.tempos]
    (tmp_path / "song.mid").write_bytes(new_file(tune()))
    done = call(
        "generate", tmp_path / "song.mid", "--model", model.folder.path, "--meter", "3/4", "-o", tmp_path / "x.mid"
    )
    assert done.code == 1
    assert "keeps its meter" in done.error
    assert not (tmp_path / "x.mid").exists()


def test_a_form_in_a_meter_says_so(model: Model) -> None:
    [piece] = model.generate(bars=4, form="AB", meter=(3, 4), seed=0, max_tokens=200)
    assert piece.origin["meter"] == (3, 4)
    assert {(s.numerator, s.denominator) for s in piece.score.time_signatures} == {(3, 4)}


def test_what_says_a_thing_twice_is_refused(here: Path, folder: Path) -> None:
    with pytest.raises(ArgumentError, match=r"minutes and training\.steps both say how long"):
        toccata.train(here, here / "out", minutes=1, settings=["training.steps=5"])
    with pytest.raises(ArgumentError, match=r"minutes and training\.epochs"):
        toccata.train(here, here / "out", minutes=1, settings=["training . epochs=5"])
    with pytest.raises(ArgumentError, match="keeps its recipe: leave out recipe or start_from"):
        toccata.train(here, here / "out", recipe="bach-gpt", start_from=folder)
    (here / "a.mid").write_bytes(new_file(tune()))
    with pytest.raises(ArgumentError, match="no sound is asked for"):
        api.render(here / "a.mid", [here / "a.png"], soundfont="x.sf2")
    for args, said in (
        (["--soundfont", "x.sf2"], "add --audio"),
        (["--control", "density=1", "--control", "density=2"], "density is given twice"),
    ):
        done = call("generate", "--model", folder, "-o", "x.mid", *args)
        assert done.code == 2
        assert said in done.error
    assert sorted(path.name for path in here.iterdir()) == ["a.mid"]


def test_a_place_that_is_written_to_is_here(here: Path, model: Model) -> None:
    [piece] = model.generate(bars=1, seed=0, max_tokens=60)
    for write in (
        lambda: toccata.Piece.save(piece, "s3://bucket/x.mid"),
        lambda: toccata.Piece.plot(piece, "gs://bucket/x.png"),
        lambda: toccata.Piece.audio(piece, Path("file:///x.wav")),
        lambda: api.bach("s3://bucket/bach"),
        lambda: api.render("s3://bucket/x.mid", ["x.png"]),
        lambda: toccata.song("s3://bucket/x.mid"),
    ):
        with pytest.raises(ArgumentError, match="is an address, and must be a local path"):
            write()
    assert list(here.iterdir()) == []


# -- seeds -------------------------------------------------------------------------------------------------------------


def test_seeds_that_nobody_gave_are_new_each_time() -> None:
    runs = [seeds_of(None, 64) for _ in range(40)]
    assert len({seed for run in runs for seed in run}) == 40 * 64
    assert all(0 <= seed < 2**48 for run in runs for seed in run)  # exact in JSON, whoever reads it
    assert seeds_of(7, 3) == [7, 8, 9]
    assert seeds_of((5, 5), 2) == [5, 5]


def test_a_piece_is_written_again_from_its_own_seed(model: Model) -> None:
    song = tune()
    verbs: dict[str, Callable[..., list[Any]]] = {
        "generate": lambda **how: model.generate(bars=1, max_tokens=60, **how),
        "continue": lambda **how: model.generate(song, bars=1, max_tokens=60, **how),
        "form": lambda **how: model.generate(bars=2, form="AB", max_tokens=60, **how),
        "infill": lambda **how: model.infill(song, [(2, 2)], **how),
        "accompany": lambda **how: model.accompany(song, [32], bars=[(1, 1)], **how),
        "harmonise": lambda **how: model.harmonise(song, voices=["bass"], bars=[(1, 1)], **how),
        "vary": lambda **how: model.vary(song, keep="rhythm", bars=[(1, 2)], **how),
    }
    for name, verb in verbs.items():
        pieces = verb(n=2)
        seeds = [piece.origin["seed"] for piece in pieces]
        assert len({*seeds, 0, 1}) == 4, name  # nor those that were the default once
        (again,) = verb(n=1, seed=seeds[1])
        assert again.midi == pieces[1].midi, name


def test_commands_tell_seeds_that_give_each_piece_again(folder: Path, here: Path) -> None:
    ask = ("generate", "--model", folder, "--precision", "fp32", "--bars", 1, "--max-tokens", 60)
    one, two = (call(*ask, "-n", 3, "-o", name, "--json").json["pieces"] for name in ("one", "two"))
    assert len({piece["seed"] for piece in (*one, *two)}) == 6
    for piece in one:
        assert str(piece["seed"]) in piece["path"]
        again = call(*ask, "--seed", piece["seed"], "-o", "again.mid", "--force")
        assert f"seed {piece['seed']}" in again.out
        assert Path("again.mid").read_bytes() == Path(piece["path"]).read_bytes()


def test_pieces_that_are_written_again_have_seeds_of_their_own(model: Model) -> None:
    first = model.generate(bars=1, seed=2, max_tokens=60)[0]
    [other] = model.generate(bars=1, seed=2, max_tokens=60, accept=lambda piece: piece.midi != first.midi)
    [again] = model.generate(bars=1, seed=other.origin["seed"], max_tokens=60)
    assert again.midi == other.midi != first.midi


def test_a_form_whose_first_section_is_silent_costs_only_itself(model: Model, here: Path) -> None:
    # One token is the end: no section gets a note.
    pieces = model.generate(n=2, bars=4, form="AB", seed=0, max_tokens=1)
    assert [(piece.origin["seed"], piece.origin["notes"]) for piece in pieces] == [(0, 0), (1, 0)]
    assert model.generate(bars=4, form="AB", seed=0, max_tokens=1, accept=lambda piece: not piece.origin["notes"])


# -- threads -----------------------------------------------------------------------------------------------------------


def test_two_threads_write_with_one_model(model: Model) -> None:
    alone = {seed: model.generate(bars=2, seed=seed, max_tokens=150)[0].midi for seed in range(4)}
    meeting = threading.Barrier(4, timeout=60)
    found: dict[int, bytes] = {}
    tokens: dict[int, int] = {}

    def write(seed: int) -> None:
        met = []

        def meet(_: object) -> None:  # all four are in the middle of a piece at once
            if not met:
                met.append(meeting.wait())

        [piece] = model.generate(bars=2, seed=seed, max_tokens=150, on_event=meet)
        found[seed], tokens[seed] = piece.midi, piece.origin["tokens"]

    threads = [threading.Thread(target=write, args=(seed,)) for seed in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == alone
    assert model.stats.tokens in tokens.values()  # of one of the calls, not of a mixture


def test_training_leaves_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    from toccata.training.threads import threads_that_wait_briefly

    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with threads_that_wait_briefly():
        assert os.environ["GOMP_SPINCOUNT"] == "1000"
    assert "GOMP_SPINCOUNT" not in os.environ


# -- recipes and settings ----------------------------------------------------------------------------------------------

DIGITS = "9" * 4000


@pytest.mark.parametrize(
    "setting",
    [
        f"training.steps={DIGITS}", "training.steps=1e9", "training.steps=10_000_000_000", f"training.lr={DIGITS}",
        f"training.lr={'9' * 5000}", "training.workers=1_000_000", f"training.seed={DIGITS}", "training.minutes=1e300",
        f"model.layers={DIGITS}", "model.layers=1_000_000_000", f"model.width={DIGITS}", "model.context=1_000_000_000",
        "tokenizer.options.beat_res={'0-4' = 1_000_000_000}", "tokenizer.options.beat_res={'0-1000000000' = 12}",
        f"tokenizer.options.beat_res={{'0-4' = {DIGITS}}}", f"tokenizer.options.beat_res={{'0-{'9' * 5000}' = 1}}",
        "tokenizer.options.beat_res={'0-1024' = 192}", "tokenizer.options.num_velocities=1_000_000_000",
        "tokenizer.options.num_tempos=1_000_000_000", "tokenizer.options.tempo_range=[1, 1_000_000_000]",
        "tokenizer.options.time_signature_range={'4' = [1_000_000_000]}", "tokenizer.merges=1_000_000_000",
        "tokenizer.options.pitch_bend_range=[-8192, 8191, 1_000_000_000]", f"clean.min_bars={DIGITS}",
        f"tokenizer.options.programs={'[' * 30}{']' * 30}", f"training.lr={'[' * 100_000}", "a.b.c.d.e.f.g=1",
        f"{'a.' * 50_000}b=1", f"examples.transpose={DIGITS}", f"prepare.valid={DIGITS}", "clean.quantize=1e9",
    ],
    ids=lambda setting: setting[:60],
)  # fmt: skip
def test_settings_beyond_all_measure(setting: str) -> None:
    with pytest.raises(RecipeError) as error:
        EventTokenizer.build(load("toccata", [setting]).tokenizer)  # type: ignore[arg-type]
    one_line(error.value)


def test_options_of_ones_own_are_checked() -> None:
    for make in (
        lambda: CleanOptions(min_bars=4.5),  # type: ignore[arg-type]
        lambda: CleanOptions(drop_drums="yes"),  # type: ignore[arg-type]
        lambda: CleanOptions(programs="piano"),  # type: ignore[arg-type]
        lambda: CleanOptions(max_bars=True),
        lambda: api.PrepareOptions(valid="some"),  # type: ignore[arg-type]
        lambda: api.PrepareOptions(valid=HUGE),
        lambda: TrainOptions(steps=HUGE),
        lambda: CodesOptions(steps=HUGE),
    ):
        with pytest.raises(RecipeError) as error:
            make()
        one_line(error.value)
    for sampling in (
        {"temperature": "hot"},
        {"top_k": 1.5},
        {"guards": "no"},
        {"min_p": float("nan")},
        {"top_p": True},
    ):
        with pytest.raises(ArgumentError, match=next(iter(sampling))):
            Sampling(**sampling)  # type: ignore[arg-type]


def test_wrong_settings_are_wrong_usage(here: Path, folder: Path) -> None:
    (here / "midi").mkdir()
    (here / "midi" / "a.mid").write_bytes(new_file(tune()))
    (here / "deep.toml").write_text("a = " + "[" * 100_000)
    (here / "large.toml").write_bytes(b"#" * 2_000_000)
    os.mkfifo(here / "pipe.toml")
    (here / "folder.toml").mkdir()
    (here / "nowhere.toml").symlink_to(here / "gone.toml")
    (here / "endless.toml").symlink_to("/dev/zero")
    for args in (
        ["training.steps=0"],
        ["nonsense.key=1"],
        ["--recipe", "nope"],
        *(["--recipe", f"{name}.toml"] for name in ("deep", "large", "pipe", "folder", "nowhere", "endless", "none")),
    ):
        done = call("train", "midi", "-o", "out", *args, "--json")
        assert done.code == 2, args
        assert done.json["error"]["kind"] == "bad-recipe"
        one_line(done.error)
    for ask in (["--key", "H"], ["--temperature", "99"], ["--chords", "Hm"], ["--form", "?"], ["-n", "9" * 18],
                ["-n", "9" * 5000], ["--bars", "-3"], ["--bars", ""], ["--model", ""], ["-o", ""], ["--seed", "x"],
                ["--tempo", "nan"], ["--top-k", "1e3"], ["--prompt-seconds", "inf"], ["--control", "loud=1"],
                ["--meter", "3/5"], ["--program", "²"], ["--range", "C9-C2"], ["--precision", "int4"]):  # fmt: skip
        done = call("generate", "--model", folder, "--bars", 2, "-o", "x.mid", *ask)
        assert done.code == 2, ask
        one_line(done.error)
    assert not (here / "x.mid").exists()
    assert not (here / "out" / "toccata.json").exists()


def test_numbers_of_every_command_have_an_end(here: Path) -> None:
    (here / "a.mid").write_bytes(new_file(tune()))
    for value in ("9" * 18, "9" * 5000, "-1", "nan", "", "²"):
        for command in (
            ["generate", f"--best-of={value}"], ["generate", f"--max-tokens={value}"],
            ["generate", f"--max-copy={value}"],
            ["generate", f"--guidance={value}"], ["generate", "a.mid", f"--prompt-tokens={value}"],
            ["vary", "a.mid", "--keep=rhythm", f"--strength={value}"],
            ["vary", "a.mid", "--keep=rhythm", f"--bars={value}"],
            ["infill", "a.mid", f"--bars={value}"], ["harmonise", "a.mid", f"--bars={value}-{value}"],
            ["train", ".", f"--minutes={value}"],
            ["finetune", ".", f"--minutes={value}"],
            ["clean", ".", "out", f"--min-bars={value}"], ["prepare", ".", "out", f"--quantize={value}"],
            ["prepare", ".", "out", f"--valid={value}"], ["dataset", "bach", "out", f"--limit={value}"],
            ["inspect", "a.mid", f"--bars={value}"],
        ):  # fmt: skip
            done = call(*command)
            assert done.code == 2, command
            one_line(done.error)
    assert [path.name for path in here.iterdir()] == ["a.mid"]


def test_a_place_that_is_taken_is_left(here: Path, folder: Path) -> None:
    (here / "a.mid").write_bytes(new_file(tune()))
    (here / "dir.mid").mkdir()
    (here / "gone.mid").symlink_to(here / "nowhere")
    ask = ("generate", "--model", folder, "--bars", 1, "--max-tokens", 40)
    for force in ([], ["--force"]):
        done = call(*ask, "-o", "dir.mid", *force)
        assert done.code == 1
        assert "dir.mid is a folder" in done.error
    for command in ([*ask, "-o", "gone.mid"], ["inspect", "a.mid", "--decode", "gone.mid"]):
        done = call(*command)
        assert done.code == 1
        assert "gone.mid exists already" in done.error
    assert (here / "gone.mid").is_symlink()
    with pytest.raises(RequestError, match="exists already"):
        toccata.song(here / "a.mid").save(here / "gone.mid")


# -- a project's toccata.toml ------------------------------------------------------------------------------------------

ASK = ("generate", "--bars", 1, "--max-tokens", 40, "-o", "x.mid")


@pytest.mark.parametrize(
    "line",
    [
        'model = "s3://bucket/model"', 'model = "gs://bucket/model"', 'model = "http://host/model"',
        'model = "file:///models/mine"', 'model = "../far"', 'model = "/far"', 'model = "models/link"',
        'model = "~/../../far"',
    ],
)  # fmt: skip
def test_a_projects_file_names_nothing_elsewhere(line: str, here: Path, folder: Path) -> None:
    (here.parent / "far").symlink_to(folder)
    (here / "models").mkdir()
    (here / "models" / "link").symlink_to(folder)
    (here / "toccata.toml").write_text(f"{line}\n")
    done = call(*ASK, "--json")
    assert (done.code, done.json["error"]["kind"]) == (2, "bad-settings")
    one_line(done.error)
    assert "which is not in its folder: to use it all the same, say --model" in done.error
    assert not (here / "x.mid").exists()


def test_a_projects_file_names_its_own(here: Path, folder: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(folder, here / "models" / "mine")
    for name in ("models/mine", "mine", str(here / "models" / "mine")):
        (here / "toccata.toml").write_text(f'model = "{name}"\nprecision = "fp32"\nrecipe = "bach-gpt"\n')
        assert call(*ASK, "--force").code == 0, name
    if sys.platform.startswith("linux"):  # one's own file may name what it likes
        (here / "toccata.toml").unlink()
        config = tmp_path / "config" / "toccata"
        config.mkdir(parents=True)
        (config / "config.toml").write_text(f'model = "{folder}"\n')
        assert call(*ASK, "--force").code == 0
    (here / "toccata.toml").write_text('recipe = "../mine.toml"\n')
    done = call("train", here, "-o", "out")
    assert (done.code, "names the recipe '../mine.toml'" in done.error) == (2, True)
    (here / "toccata.toml").write_text('model = "mine"\nsoundfont = "../x.sf2"\n')
    done = call(*ASK, "--force", "--audio")
    assert (done.code, "names the soundfont '../x.sf2'" in done.error) == (2, True)


def test_who_sits_at_a_terminal_is_asked(here: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    (here.parent / "far").symlink_to(folder)
    (here / "toccata.toml").write_text('model = "../far"\n')
    from toccata.cli.settings import setting

    for answer, used in (("y\n", True), ("n\n", False)):
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        monkeypatch.setattr(sys, "stderr", asked := Terminal())
        if used:
            assert setting("model", None) == "../far"
        else:
            with pytest.raises(ToccataError, match="it is not used"):
                setting("model", None)
        assert "names the model '../far', which is not in its folder. Use it?" in asked.getvalue()


@pytest.mark.parametrize(
    "text",
    ["x = " + "[" * 100_000, "x = " + "[" * 40 + "]" * 40, "model = " + "9" * 5000, f"model = {DIGITS}",
     "model = 'a'\n[", "\x00", "modle = 'x'", f"{'m' * 5000} = 1", "precision = 'fp16'"],
    ids=range(9),
)  # fmt: skip
def test_a_projects_file_that_cannot_be_read(text: str, here: Path, folder: Path) -> None:
    (here / "toccata.toml").write_text(text)
    done = call(*ASK, *(["--model", folder] if "precision" in text else []), "--json")
    assert (done.code, done.json["error"]["kind"]) == (2, "bad-settings")
    one_line(done.error)


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "endless"])
def test_a_projects_file_that_is_no_file(kind: str, here: Path) -> None:
    place = here / "toccata.toml"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to("/dev/zero" if kind == "endless" else here / "gone")
    done = call(*ASK, "--json")
    assert (done.code, done.json["error"]["kind"]) == (2, "bad-settings")
    assert "toccata.toml cannot be read" in one_line(done.error)


def test_rows_that_nobody_uses_are_none() -> None:
    assert all(kind_of(row.rpartition(".")[2], row.rpartition(".")[0]) is kind for row, kind in TABLE.items())
    unplayable = Score(480)
    unplayable.tempos.append(Tempo(0, qpm=120))
    assert checked_value("song", unplayable) is unplayable
