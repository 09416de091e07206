"""Named sizes: with every recipe, over what it says of its shape and under what is said beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cli_support import TINY, call, tiny
from toccata.errors import ModelError, RecipeError
from toccata.model.config import SIZES, DecoderConfig, sized
from toccata.recipes import Recipe, load, names, refuse_other_shape, restore

SHAPE = ("layers", "width", "heads", "kv_heads", "ffn")


def shape(recipe: Recipe) -> dict[str, int]:
    config = recipe.decoder(500)
    return {key: getattr(config, key) for key in SHAPE}


def own(tmp_path: Path, text: str) -> str:
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    return str(tmp_path / "mine.toml")


@pytest.mark.parametrize(("name", "millions"), [("nano", 0.8), ("micro", 5.8), ("small", 23.0), ("base", 76.9)])
def test_how_large_they_are(name: str, millions: float) -> None:
    config = DecoderConfig(vocab=500, **sized(name))
    assert config.parameters / 1e6 == pytest.approx(millions, abs=0.15)
    assert config.head_width == 64
    assert config.size == name


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mlp", ["gelu", "silu", "relu2"])
def test_without_a_gate_there_are_as_many_parameters(size: str, mlp: str) -> None:
    gated = DecoderConfig(vocab=500, **sized(size))
    plain = DecoderConfig(vocab=500, **{**sized(size, mlp), "mlp": mlp})
    assert plain.parameters == gated.parameters
    assert plain.size == size


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("size", SIZES)
def test_a_size_goes_with_every_recipe(name: str, size: str) -> None:
    before, after = load(name).decoder(500), load(name, [f"model.size={size}"]).decoder(500)
    assert after.size == size
    changed = {key: getattr(before, key) for key in SHAPE}
    assert replace(after, **changed) == before  # norm, mlp, positions, block, bias, context: the recipe's own


def test_in_a_recipe_of_ones_own(tmp_path: Path) -> None:
    # Over the recipe that it extends, which says all of the shape itself; under what is said beside it.
    mine = own(tmp_path, 'extends = "toccata"\n[model]\nsize = "micro"\nlayers = 3\n')
    assert shape(load(mine)) == {**SIZES["micro"], "layers": 3}
    assert shape(load(mine, ["model.size=small"])) == SIZES["small"]
    assert shape(load(mine, ["model.width=512"])) == {**SIZES["micro"], "layers": 3, "width": 512}
    assert load(mine).decoder(500).context == load("toccata").decoder(500).context


def test_what_is_said_later_wins(tmp_path: Path) -> None:
    assert shape(load("bach-gpt", ["model.size=nano"])) == SIZES["nano"]
    for settings in (["model.size=nano", "model.ffn=400"], ["model.ffn=400", "model.size=nano"]):
        assert shape(load("bach-gpt", settings)) == {**SIZES["nano"], "ffn": 400}
    assert shape(load("bach-gpt", ["model.size=nano", "model.size=micro"])) == SIZES["micro"]
    mine = own(tmp_path, '[model]\nsize = "small"\n')
    assert shape(load(mine)) == SIZES["small"]
    child = tmp_path / "child.toml"
    child.write_text('extends = "toccata"\n[model]\nmlp = "gelu"\n', encoding="utf-8")
    assert shape(load(str(child), ["model.size=nano"])) == {**SIZES["nano"], "ffn": 528}
    assert shape(load("toccata", ["model.size=nano", "model.mlp=silu"])) == {**SIZES["nano"], "ffn": 528}
    assert shape(load("toccata", ["model.size=nano", "model.mlp=silu", "model.ffn=100"]))["ffn"] == 100


def test_a_model_folder_has_the_numbers_not_the_name() -> None:
    recipe = load("toccata", ["model.size=nano"])
    saved = recipe.to_json()
    assert "size" not in saved["model"]
    assert restore(saved) == recipe
    assert restore(saved, ["model.size=nano"]) == recipe


@pytest.mark.parametrize("wrong", ["model.size=huge", "model.size=3", "model.size=['nano']", "model.size=true"])
def test_sizes_that_are_none(wrong: str) -> None:
    with pytest.raises(RecipeError, match="nano, micro, small, base") as error:
        load("toccata", [wrong])
    assert "\n" not in str(error.value)
    with pytest.raises(ModelError):
        sized(wrong)


def test_what_starts_from_a_model_keeps_its_size(tmp_path: Path) -> None:
    kept = load("toccata", ["model.size=nano"]).decoder(321)
    saved = load("toccata", ["model.size=nano"]).to_json()
    refuse_other_shape(restore(saved, ["model.size=nano", "model.dropout=0.1"]), kept, tmp_path)
    refuse_other_shape(restore(saved, ["model.context=1024"]), kept, tmp_path)  # rotary positions go on for ever
    learned = ["model.positions=learned"]
    with pytest.raises(RecipeError, match=r"model\.context is 512"):
        refuse_other_shape(
            restore(saved, [*learned, "model.context=1024"]), replace(kept, positions="learned"), tmp_path
        )
    for settings, says in (
        (["model.size=micro"], "leave out the size micro"),
        (["model.layers=2"], "model.layers is 4"),
    ):
        with pytest.raises(RecipeError, match=says) as error:
            refuse_other_shape(restore(saved, settings), kept, tmp_path)
        assert str(tmp_path) in str(error.value)
        assert "\n" not in str(error.value)


def test_train_takes_a_size(data: Path, tmp_path: Path) -> None:
    model, midi = tiny(data)
    small = [
        s for s in TINY if not s.startswith(("model.width", "model.layers", "model.heads", "model.kv", "model.ffn"))
    ]
    done = call("train", midi, "--size", "nano", "-o", tmp_path / "nano", *small, "--json")
    assert done.code == 0, done.err
    from toccata.folder import open_folder

    assert DecoderConfig.from_json(open_folder(tmp_path / "nano").config).size == "nano"
    again = call("train", midi, "--from", model, "--size", "nano", "-o", tmp_path / "other")
    assert again.code == 2
    assert "leave out the size nano" in again.error
    assert not (tmp_path / "other").exists()
    assert call("train", midi, "--size", "huge", "-o", tmp_path / "other").code == 2


def test_the_command_line_knows_all_sizes() -> None:
    from toccata.cli.train import train

    (option,) = [p for p in train.params if p.name == "size"]
    assert list(option.type.choices) == list(SIZES)  # type: ignore[attr-defined]
