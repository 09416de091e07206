"""Recipes: those that are shipped work, and what is wrong with one is said in a line that names it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from toccata import api
from toccata.errors import RecipeError, RecipeWarning
from toccata.recipes import FINETUNE, FINETUNE_EPOCHS, Recipe, for_finetuning, load, names, refuse_other_tokens, restore
from toccata.recipes.settings import Settings
from toccata.tokenizers.load import build_tokenizer
from toccata.training.checkpoint import same_run


@pytest.mark.parametrize("name", names())
def test_shipped_recipes_work(name: str) -> None:
    recipe = load(name)
    assert recipe.name == name
    assert recipe.about
    tokenizer = build_tokenizer(recipe.tokenizer)
    config = recipe.decoder(max(tokenizer.vocab_size, recipe.tokenizer.merges))
    assert config.parameters > 100_000
    assert recipe.prepare_options().valid > 0


@pytest.mark.parametrize("name", names())
def test_a_recipe_survives_a_model_folder(name: str) -> None:
    recipe = load(name, ["clean.programs=[0, 40]", "training.minutes=5", "model.window=128"])
    assert restore(json.loads(json.dumps(recipe.to_json()))) == recipe
    changed = restore(json.loads(json.dumps(recipe.to_json())), ["training.lr=0.5"])
    assert changed == replace(recipe, training=replace(recipe.training, lr=0.5))


def test_settings() -> None:
    recipe = load("toccata", [
        "training.lr=1e-3", "training.schedule=wsd", "training.optimizer='adamw'", "clean.drop_drums=true",
        "clean.programs=[0, 40]", "model.window=64", "training.clip=1", "tokenizer.options.beat_res={\"0-4\" = 8}",
        "prepare.test=0", "training.steps = 7",
    ])  # fmt: skip
    assert (recipe.training.lr, recipe.training.schedule, recipe.training.optimizer) == (1e-3, "wsd", "adamw")
    assert (recipe.clean.drop_drums, recipe.clean.programs, recipe.model["window"]) == (True, (0, 40), 64)
    assert (recipe.training.clip, type(recipe.training.clip), recipe.training.steps) == (1.0, float, 7)
    assert recipe.tokenizer.options["beat_res"] == {"0-4": 8} | load("toccata").tokenizer.options.get("beat_res", {})
    assert recipe.prepare["test"] == 0


@pytest.mark.parametrize("text", ["training.lr=0.001", "training.lr = 0.001", " training . lr =0.001 "])
def test_a_setting_is_the_same_with_spaces(text: str) -> None:
    assert Settings.of([text]).has("training.lr")
    assert load("toccata", [text]).training.lr == 0.001
    saved = load("toccata").to_json()
    assert for_finetuning(saved, [text], first=True).training.lr == 0.001


def test_finetuning_takes_a_lower_rate_once_and_its_own_time() -> None:
    saved = load("toccata", ["training.lr=0.01", "training.steps=700"]).to_json()
    saved["training"]["minutes"] = 3.0  # as saved before one length cleared the others
    first, again = (for_finetuning(saved, ["training.seed=5"], first=is_first).training for is_first in (True, False))
    assert (first.lr, again.lr) == (0.01 * FINETUNE, 0.01)
    assert (first.minutes, first.steps) == (None, 700)
    assert for_finetuning(saved, ["training.minutes = 2"], first=True).training.minutes == 2


def test_finetuning_takes_small_steps() -> None:
    """A model that was trained on a large machine is finetuned on a small one."""
    saved = load("toccata", ["training.micro_batch_size=64", "model.context=1024", "training.valid_rows=64"]).to_json()
    made = for_finetuning(saved, first=True).training
    assert (made.micro_batch_size, made.valid_rows) == (4, 16)
    assert for_finetuning(saved, ["training.micro_batch_size=9"], first=True).training.micro_batch_size == 9
    few = load("toccata", ["training.micro_batch_size=2"]).to_json()
    assert for_finetuning(few, first=True).training.micro_batch_size == 2


def test_finetuning_makes_few_passes_unless_its_length_is_set() -> None:
    saved = load("toccata", ["training.epochs=100"]).to_json()
    few = for_finetuning(saved, ["training.minutes=2"], first=True)
    assert (few.training.epochs, few.training.max_epochs) == (None, FINETUNE_EPOCHS)
    for setting, length in (("training.steps=7", (7, None, None)), ("training.epochs=3", (2000, 3, None))):
        own = for_finetuning(few.to_json() | {"training": {"epochs": 100}}, [setting], first=False).training
        assert (own.steps, own.epochs, own.max_epochs) == length
    assert for_finetuning(saved, ["training.max_epochs=3"], first=True).training.max_epochs == 3


def lengths(recipe: Recipe) -> tuple[int, float | None, float | None]:
    return recipe.training.steps, recipe.training.epochs, recipe.training.minutes


EACH = {"steps": (500, None, None), "epochs": (2000, 500, None), "minutes": (2000, None, 500)}


@pytest.mark.parametrize("given", EACH)
@pytest.mark.parametrize("inherited", ["steps = 7", "epochs = 7", "minutes = 3"])
def test_a_length_replaces_the_one_that_is_inherited(inherited: str, given: str, tmp_path: Path) -> None:
    """From another recipe, from the recipe's own file, and from the model that is finetuned."""
    mine, other, setting = tmp_path / "mine.toml", tmp_path / "other.toml", f"training.{given}=500"
    mine.write_text(f"extends = 'toccata'\n[training]\n{inherited}\n")
    other.write_text(f"extends = {str(mine)!r}\n[training]\n{given} = 500\n")
    assert lengths(load(str(mine), [setting])) == EACH[given]
    assert lengths(for_finetuning(load(str(mine)).to_json(), [setting], first=True)) == EACH[given]
    mine.write_text(f"[training]\n{inherited}\n")
    assert lengths(load(str(other))) == EACH[given]


def test_a_training_in_steps_has_nothing_of_its_recipes_minutes(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[training]\nminutes = 10\n[model]\nlayers = 4\n[times.10]\nmodel.layers = 2\n")
    assert load(str(path)).model["layers"] == 2
    assert load(str(path), ["training.steps=500"]).model["layers"] == 4


@pytest.mark.parametrize("section", ["training", "codec_training"])
def test_two_lengths_at_once_are_refused(section: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"[{section}]\nminutes = 10\nsteps = 500\n")
    why = rf"^{section}.steps and {section}.minutes each say how long to train"
    with pytest.raises(RecipeError, match=why):
        load(str(path))
    with pytest.raises(RecipeError, match=why):
        load("toccata", [f"{section}.steps=500", f"{section}.minutes=10"])


def test_one_setting_is_one_setting() -> None:
    with pytest.raises(RecipeError, match="more than one setting") as error:
        load("toccata", ["training.lr=0.1\nsteps = 3"])
    assert "\n" not in str(error.value)
    assert load("toccata", ["training.schedule = wsd"]).training.schedule == "wsd"


WRONG = {
    "optimiser": "training.optimiser='muon'",
    "colour": "model.colour=3",
    "vocab": "model.vocab=3",
    "min_note": "clean.min_note=3",
    "transposition": "examples.transposition=3",
    "scale": "prepare.scale=0.5",
    "merge": "tokenizer.merge=3",
    "trainings": "trainings.lr=0.1",
    "training.lr": "training.lr=fast",
    "training.steps": "training.steps=2.5",
    "training.seed": "training.seed=true",
    "training.minutes": "training.minutes=inf",
    "clean.drop_drums": "clean.drop_drums=1",
    "clean.programs": "clean.programs=['piano']",
    "clean.max_bars": "clean.max_bars='many'",
    "model.width": "model.width='wide'",
    "model.heads": "model.heads=7",
    "model.norm": "model.norm='batch'",
    "model.window": "model.window=0",
    "tokenizer.options": "tokenizer.options=3",
    "tokenizer.merges": "tokenizer.merges='lots'",
    "prepare.valid": "prepare.valid=1.5",
    "prepare": "prepare.valid=0.9",
    "examples.tempo": "examples.tempo=-1",
    "examples.voice_orders is for grids": "examples.voice_orders=true",
    "training.schedule": "training.schedule=['wsd']",
    "section.key=value": "lr=0.1",
    "REMI, RunningStatus, TSD, MIDILike, Structured, text, codes": "tokenizer.scheme=Foo",
    "BPE, Unigram, WordPiece": "tokenizer.algorithm=xyz",
    "tokenizer.merges must be from 0 to 1,000,000": "tokenizer.merges=-5",
    "training.seed must be at most 9223372036854775807": "training.seed=99999999999999999999999",
    "training.seed must be at least 0": "training.seed=-1",
    "codec_training.seed must be at most": "codec_training.seed=9223372036854775808",
    "model.context must be at most 131,072": "model.context=9999999999999",
    "model.width must be at most 65,536": "model.width=9999936",
    "write": "training.lr",
}


@pytest.mark.parametrize("named", WRONG)
def test_wrong_settings(named: str) -> None:
    settings = [WRONG[named]] + (["prepare.test=0.3"] if named == "prepare" else [])
    with pytest.raises(RecipeError) as error:
        load("toccata", settings)
    assert named in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("setting", ["tokenizer.layout=x", "tokenizer.merges=-5", "tokenizer.velocities=9"])
def test_wrong_settings_of_text(setting: str) -> None:
    with pytest.raises(RecipeError, match=setting.partition("=")[0]) as error:
        load("theremin", [setting])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("settings", [["training.seed=9223372036854775807"], ["model.context=131072"]])
def test_the_largest_there_may_be(settings: list[str]) -> None:
    assert load("toccata", settings)


KEPT = {
    "tokenizer.merges=3000": "tokenizer.merges is 0",
    "tokenizer.scheme=TSD": "tokenizer.scheme is 'RunningStatus'",
    "tokenizer.options.num_velocities=2": "tokenizer.options.num_velocities is 8",
    "tokenizer.options.use_rests=true": "tokenizer.options.use_rests is not set",
    "codec.width=64": "codec.width is not set",
    "codec_training.steps=7": "codec_training.steps is 4000",
}


@pytest.mark.parametrize("setting", KEPT)
def test_what_starts_from_a_model_keeps_its_tokens(setting: str, tmp_path: Path) -> None:
    recipe = "bachsformer" if setting.startswith("codec") else "toccata"
    saved = json.loads(json.dumps(load(recipe).to_json()))
    kept = restore(saved)
    refuse_other_tokens(restore(saved, ["training.lr=0.5", "clean.min_bars=4"]), kept, tmp_path)
    with pytest.raises(RecipeError, match=KEPT[setting]) as error:
        refuse_other_tokens(restore(saved, [setting]), kept, tmp_path)
    assert str(error.value).endswith(f" in {tmp_path}, and stays so")


def own(tmp_path: Path, text: str, name: str = "mine.toml") -> str:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return str(tmp_path / name)


def test_extends_one_level(tmp_path: Path) -> None:
    mine = own(tmp_path, 'extends = "toccata"\nabout = "mine"\n[training]\nlr = 0.5\n')
    recipe, base = load(mine), load("toccata")
    assert recipe == Recipe(
        name="mine", about="mine", seed=base.seed, clean=base.clean, prepare=base.prepare, tokenizer=base.tokenizer,
        model=base.model, examples=base.examples, training=replace(base.training, lr=0.5),
    )  # fmt: skip
    with pytest.raises(RecipeError, match="one level"):
        load(own(tmp_path, f"extends = {mine!r}\n", "deeper.toml"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[training\n", "not TOML"),
        ("training = 3\n", "training must be a section"),
        ("[modell]\nwidth = 3\n", "modell"),
        ("extends = 3\n", "no recipe '3'"),
        ('extends = "none"\n', "no recipe 'none'"),
        ("about = 3\n", "about"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(RecipeError, match=why) as error:
        load(own(tmp_path, text))
    assert "\n" not in str(error.value)


def test_no_such_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="toccata"):
        load("none")
    with pytest.raises(RecipeError, match="cannot be read"):
        load(str(tmp_path / "none.toml"))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="UTF-8"):
        load(str(tmp_path / "bytes.toml"))


# ---- keys that had another name once

OLD = [
    ("tokenizer.book", "tokenizer.codebook", 64),
    ("training.rows", "training.micro_batch_size", 3),
    ("training.accumulate", "training.gradient_accumulation_steps", 3),
]


@pytest.mark.parametrize(("old", "new", "value"), OLD)
def test_an_old_name_is_read_and_its_new_one_is_told(old: str, new: str, value: int, tmp_path: Path) -> None:
    now = load("bachsformer", [f"{new}={value}"])
    section, _, key = old.partition(".")
    mine = own(tmp_path, f'extends = "bachsformer"\n[{section}]\n{key} = {value}\n')
    for given in (["bachsformer", [f" {old} = {value}"]], [mine]):
        with pytest.warns(RecipeWarning) as said:
            found = load(*given)  # type: ignore[arg-type]
        assert replace(found, name=now.name) == now
        assert [str(one.message) for one in said] == [f"{old} is now called {new}"]


@pytest.mark.parametrize(("old", "new", "value"), OLD)
def test_what_was_saved_with_an_old_name_is_the_same(old: str, new: str, value: int, tmp_path: Path) -> None:
    now = load("bachsformer", [f"{new}={value}"])
    saved = json.loads(json.dumps(now.to_json()))
    section, _, key = old.partition(".")
    before = {**saved, section: {**saved[section], key: value}}
    del before[section][new.partition(".")[2]]
    assert before != saved
    assert restore(before) == now
    assert same_run({"recipe": before}, {"recipe": saved})
    assert not same_run({"recipe": before}, {"recipe": load("bachsformer").to_json()})
    refuse_other_tokens(restore(before), now, tmp_path)
    with pytest.warns(RecipeWarning):
        assert restore(before, [f"{old}=2"]) == restore(saved, [f"{new}=2"])


# ---- by the minutes there are


TIMES = """extends = "toccata"
[times.5]
model = { layers = 2 }
training = { micro_batch_size = 4 }
[times.20.model]
layers = 3
"""


@pytest.mark.parametrize(
    ("settings", "layers", "rows"),
    [
        ([], None, None),
        (["training.minutes=3"], 2, 4),
        (["training.minutes=5"], 2, 4),
        (["training.minutes=5.1"], 3, None),
        (["training.minutes=1000"], 3, None),
        (["training.minutes=3", "model.layers=7"], 7, 4),
    ],
)
def test_times(settings: list[str], layers: int | None, rows: int | None, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TIMES)
    found, plain = load(str(tmp_path / "mine.toml"), settings), load("toccata", ["training.steps=5"])
    assert found.model["layers"] == (layers or plain.model["layers"])
    assert found.training.micro_batch_size == (rows or plain.training.micro_batch_size)


def test_a_short_training_has_a_smaller_model(tmp_path: Path) -> None:
    def width(minutes: float | None, *settings: str, name: str = "toccata") -> int:
        return int(api._recipe(name, settings, minutes, None, tmp_path).model["width"])

    assert width(3) < width(18) == width(600) == width(None, "training.steps=9")
    assert width(3, "model.width=256") == 256
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "toccata"\n[model]\nwidth = 64\nheads = 1\nkv_heads = 1\n[training]\nminutes = 3\n')
    assert width(None, name=str(mine)) == 64


@pytest.mark.parametrize("wrong", ["times = 3", "[times.x]", "[times.3]\nclean = {}", "[times]\n3 = 4", "[times.0]"])
def test_times_that_are_none(wrong: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f'extends = "toccata"\n{wrong}')
    if wrong.startswith("times"):
        (tmp_path / "mine.toml").write_text(f'{wrong}\nextends = "toccata"')
    with pytest.raises(RecipeError, match="times"):
        load(str(tmp_path / "mine.toml"), ["training.minutes=3"])
