"""Recipes: all settings of a training run, in one TOML file.

``extends`` names another recipe, of which this one overrides some values.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from toccata.arguments import toml
from toccata.corpus.examples import ExampleOptions
from toccata.corpus.prepare import PrepareOptions, options_of_corpus
from toccata.corpus.store import Corpus
from toccata.errors import ModelError, RecipeError, shown
from toccata.midi.clean import CleanOptions
from toccata.model.config import SIZES, DecoderConfig, sized
from toccata.model.vqconfig import VqConfig
from toccata.recipes.renamed import renamed
from toccata.recipes.settings import Settings, merged
from toccata.recipes.times import for_minutes
from toccata.tokenizers.codes import CodesOptions
from toccata.tokenizers.events import EventOptions
from toccata.tokenizers.feature_reader import AnyFeatures
from toccata.tokenizers.grid import GridOptions
from toccata.tokenizers.load import TokenizerOptions, options_of
from toccata.training.options import CodecOptions, TrainOptions

Section = TypeVar("Section")
FINETUNE = 0.2
"""The learning rate of finetuning, as a fraction of the learning rate of the training before it."""
FINETUNE_EPOCHS = 8.0
"""The most passes over the music of a finetuning: few pieces are learned by heart soon."""
FINETUNE_TOKENS, FINETUNE_VALID = 4096, 16384
"""The most tokens of a step, and of a measurement on held-out rows: a model may come from a larger machine, and from
much music, where larger steps are better.
"""
LENGTHS = {"training": ("steps", "epochs", "minutes"), "codec_training": ("steps", "minutes")}
"""The sections that say how long to train, and the settings of each that do: one of them counts."""
STYLE_FILE: Mapping[str, Any] = {
    "lora_rank": 6,
    "lr": 5e-3,
    "optimizer": "adamw",
    "weight_decay": 0.0,
    "ema": 0.0,
    "shard": False,
}
"""The training options of a finetuning that writes a style file, where they are not set.

With rank 6 in all parts, the file for 8 layers of width 320 has less than a megabyte.
"""


@dataclass(frozen=True)
class Recipe:
    """A validated recipe. ``model`` has no vocabulary size: that comes from the tokenizer."""

    name: str
    about: str
    """A one-line description."""
    seed: str = ""
    """The public project that it reproduces, if any."""
    clean: CleanOptions = field(default_factory=CleanOptions)
    prepare: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: TokenizerOptions = field(default_factory=EventOptions)
    codec: Mapping[str, Any] = field(default_factory=dict)
    """The networks of a tokenizer of codes."""
    codec_training: CodecOptions = field(default_factory=CodecOptions)
    """How these networks are trained, before the model."""
    model: Mapping[str, Any] = field(default_factory=dict)
    examples: ExampleOptions = field(default_factory=ExampleOptions)
    training: TrainOptions = field(default_factory=TrainOptions)

    def prepare_options(self) -> PrepareOptions:
        """Return the options for preparing the corpus."""
        return PrepareOptions(clean=self.clean, **self.prepare)

    def decoder(self, vocab: int, features: AnyFeatures | None = None) -> DecoderConfig:
        """Return the decoder's config for a tokenizer.

        Args:
            vocab: The size of the vocabulary.
            features: The tokenizer's, used where the model has some (``model.features``, ``model.intervals``).
        """
        shape: dict[str, Any] = {**self.model, "features": (), "intervals": (), "relative": False}
        if features is not None and self.model.get("features"):
            shape["features"] = features.blocks
            if self.model.get("intervals"):
                relative = self.model.get("relative", False)
                shape |= {"intervals": features.intervals, "pitches": features.pitches, "relative": relative}
        return DecoderConfig(vocab=vocab, **shape)

    def vq(self) -> VqConfig:
        """Return the VQ-VAE's config; the number of codes and the codebook's size come from the tokenizer.

        Raises:
            RecipeError: A value is invalid, or the tokenizer does not use codes.
        """
        tokenizer = self.tokenizer
        if not isinstance(tokenizer, CodesOptions):
            raise RecipeError('[codec] is for tokenizers of codes: it needs tokenizer.scheme = "codes"')
        try:
            return VqConfig(steps=tokenizer.steps, codes=tokenizer.codes, codebook=tokenizer.codebook, **self.codec)
        except ModelError as error:
            raise RecipeError(error.message) from None

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as plain values, for the model folder and the identity of a run."""
        values = asdict(self)
        # The Weights & Biases project belongs to the run, not to the model: finetuning does not inherit it.
        del values["training"]["wandb"]
        if not self.training.lora_rank:  # so that a recipe without style files is what it was before there were any
            values["training"] = {key: v for key, v in values["training"].items() if not key.startswith("lora_")}
        return values


def names() -> list[str]:
    """Return the names of the recipes that come with toccata."""
    found = (entry.name for entry in resources.files(__name__).iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def load(name: str, overrides: Sequence[str] | Settings = ()) -> Recipe:
    """Read a recipe that comes with toccata, or one of your own by its path, with some values changed.

    Args:
        name: ``bach-gpt``, ``toccata``, ... or a path that ends in ``.toml``.
        overrides: ``section.key=value``, the value as in TOML.

    Raises:
        RecipeError: No such recipe, an unknown key, a value of the wrong type, or more than one length of the training.
    """
    table, change = _read(name), Settings.of(overrides).change
    if parent := table.pop("extends", None):
        base = _read(str(parent))
        if "extends" in base:
            raise RecipeError(f"recipe {name} extends {parent}, which extends another: one level is all there is")
        minutes = _minutes(_overlaid(_overlaid(base, table), change))
        # What the recipe says itself comes before what the other one changes by the minutes.
        table = _overlaid(_timed(base, minutes), _timed(table, minutes))
    else:
        table = _timed(table, _minutes(_overlaid(table, change)))
    table = _overlaid(table, change)
    return _recipe(Path(name).stem if name.endswith(".toml") else name, table)


def restore(saved: Mapping[str, Any], overrides: Sequence[str] | Settings = ()) -> Recipe:
    """Return the recipe that a model was made with, as saved in its folder, with some values overridden.

    Raises:
        RecipeError: An unknown key, or a value of the wrong type.
    """
    table = {key: value for key, value in renamed(saved).items() if key != "name"}
    table = _overlaid(table, Settings.of(overrides).change)
    return _recipe(str(saved.get("name", "")), table)


def for_finetuning(
    saved: Mapping[str, Any], overrides: Sequence[str] | Settings = (), *, first: bool, style_file: bool = False
) -> Recipe:
    """Return the recipe for finetuning a model: the model's own, without the values that belong to that run alone.

    The learning rate of training from scratch would make the model forget what it knows, so it is multiplied by
    ``FINETUNE``. The time limit of the earlier training is dropped. Unless steps or passes are set, there are at most
    ``FINETUNE_EPOCHS`` passes over the music. A step has at most ``FINETUNE_TOKENS`` tokens.

    Args:
        saved: The recipe of the model to start from, from its folder.
        overrides: Settings that override the result.
        first: Whether that model was trained from scratch; a finetuned model has the lower learning rate already.
        style_file: Whether a style file is to be written: low-rank changes are trained, by ``STYLE_FILE``.

    Raises:
        RecipeError: An unknown key, or a value of the wrong type.
    """
    settings = Settings.of(overrides)
    recipe = restore(saved, settings)
    training = recipe.training
    if style_file:
        unset = {name: value for name, value in STYLE_FILE.items() if not settings.has(f"training.{name}")}
        training = replace(training, **unset)
    elif first and not settings.has("training.lr"):
        training = replace(training, lr=training.lr * FINETUNE)
    if not settings.has("training.minutes"):
        training = replace(training, minutes=None)
    if not any(settings.has(f"training.{name}") for name in ("steps", "epochs", "max_epochs")):
        training = replace(training, epochs=None, max_epochs=FINETUNE_EPOCHS)
    elif not settings.has("training.max_epochs"):
        training = replace(training, max_epochs=None)
    return replace(recipe, training=_small_steps(training, int(recipe.model.get("context", 512)), settings))


def _small_steps(training: TrainOptions, context: int, settings: Settings) -> TrainOptions:
    """Return options with fewer rows a step and a measurement, where they are not set and the context is long."""
    most = {
        "micro_batch_size": max(1, FINETUNE_TOKENS // context),
        "gradient_accumulation_steps": 1,
        "valid_rows": max(1, FINETUNE_VALID // context),
    }
    fewer: dict[str, Any] = {
        name: min(getattr(training, name), rows) for name, rows in most.items() if not settings.has(f"training.{name}")
    }
    return replace(training, **fewer)


def refuse_rank(rank: int, style_file: bool) -> None:
    """Refuse a rank without a style file, and a style file without a rank.

    Raises:
        RecipeError: One is there without the other.
    """
    if style_file and not rank:
        raise RecipeError("training.lora_rank must be at least 1 for a style file; leave it out, or name a folder")
    if rank and not style_file:
        raise RecipeError("training.lora_rank is for style files: finetune a model with -o NAME.safetensors")


def refuse_other_shape(recipe: Recipe, parent: DecoderConfig, path: Path) -> None:
    """Refuse to finetune with another shape; only dropout, and the context of rotary positions, may change.

    Args:
        recipe: The recipe of the new model.
        parent: The shape of the model to start from.
        path: The folder of the model to start from.

    Raises:
        RecipeError: The recipe requests another shape.
    """
    requested = recipe.decoder(parent.vocab)
    if recipe.model.get("features"):  # those that the parent was trained with
        requested = replace(requested, features=parent.features)
        if recipe.model.get("intervals"):
            relative = recipe.model.get("relative", False)
            requested = replace(requested, intervals=parent.intervals, pitches=parent.pitches, relative=relative)
    allowed = finetuned_shape(parent, requested)
    if requested == allowed:
        return
    if requested.size and requested.size != parent.size:
        own = parent.size or f"{parent.layers} layers of {parent.width}"
        raise RecipeError(
            f"{path} is {own}, and what starts from it stays so: leave out the size {requested.size}", path=path
        )
    wrong = next(f.name for f in fields(allowed) if getattr(allowed, f.name) != getattr(requested, f.name))
    raise RecipeError(f"model.{wrong} is {getattr(allowed, wrong)!r} in {path}, and stays so", path=path)


def finetuned_shape(parent: DecoderConfig, requested: DecoderConfig) -> DecoderConfig:
    """Return the parent's shape with the requested values that its weights do not depend on."""
    context = requested.context if parent.positions == "rope" else parent.context
    return replace(parent, dropout=requested.dropout, context=context)


def refuse_other_tokens(recipe: Recipe, parent: Recipe, path: Path) -> None:
    """Refuse to finetune with another tokenizer, or with other learned codes.

    Args:
        recipe: The recipe of the new model.
        parent: The recipe of the model to start from.
        path: The folder of the model to start from.

    Raises:
        RecipeError: The recipe requests another tokenizer.
    """
    requested, own = recipe.to_json(), parent.to_json()
    for section in ("tokenizer", "codec", "codec_training"):
        _refuse_changes(requested[section], own[section], section, path)


def _refuse_changes(requested: Mapping[str, Any], parent: Mapping[str, Any], where: str, path: Path) -> None:
    # The scheme is compared first: all other values follow from it.
    for key in sorted({*requested, *parent}, key=lambda key: (key != "scheme", key)):
        new, old = requested.get(key), parent.get(key)
        if isinstance(new, Mapping) and isinstance(old, Mapping):
            _refuse_changes(new, old, f"{where}.{key}", path)
        elif new != old:
            own = "not set" if old is None else repr(old)
            raise RecipeError(f"{where}.{key} is {own} in {path}, and stays so", path=path)


def of_corpus(recipe: Recipe, corpus: Corpus, overrides: Sequence[str] | Settings = ()) -> Recipe:
    """Return the recipe with the cleaning and split options that a prepared corpus was made with.

    Args:
        recipe: The recipe; its own cleaning and split options are replaced.
        corpus: The prepared corpus to train on.
        overrides: The settings given with the recipe.

    Raises:
        RecipeError: A setting overrides cleaning or splitting.
        CorpusError: The corpus does not record how it was made.
    """
    for section, values in Settings.of(overrides).change.items():
        if section in ("clean", "prepare"):
            key = f"{section}.{min(values)}"
            raise RecipeError(
                f"{corpus.folder} is cleaned and split already: prepare it anew, or leave out {key}", path=corpus.folder
            )
    made, requested = options_of_corpus(corpus), recipe.prepare_options()
    # Only values that differ, so that the identity of a run whose recipe already agrees does not change.
    names = ("valid", "test", "folders")
    shares = {name: getattr(made, name) for name in names if getattr(made, name) != getattr(requested, name)}
    return replace(recipe, clean=made.clean, prepare={**recipe.prepare, **shares})


def _read(name: str) -> dict[str, Any]:
    try:
        if name.endswith(".toml"):
            table = renamed(toml.parsed(toml.text_of(Path(name))), warn=True)
            _refuse_two_lengths(table)
            return table
        if name in names():
            return toml.parsed(resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    except ValueError as error:
        raise RecipeError(f"recipe {name} cannot be read: {error}", path=name) from None
    known = ", ".join(names())
    raise RecipeError(f"there is no recipe {shown(name)}: choose one of {known}, or give the path of a .toml file")


def _timed(table: dict[str, Any], minutes: object) -> dict[str, Any]:
    """Return a recipe's table with what it changes for a training of so many minutes."""
    return _overlaid(table, for_minutes(table.pop("times", {}), minutes))


def _minutes(table: Mapping[str, Any]) -> object:
    """Return ``training.minutes``; None if the table does not set it."""
    training = table.get("training")
    return training.get("minutes") if isinstance(training, Mapping) else None


def _overlaid(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe with a change merged over it.

    A ``model.size`` in the change first removes all shape values; those in the change itself, or in a later one,
    override its size. A length of the training (``LENGTHS``) removes the others.
    """
    _refuse_two_lengths(change)
    for section, lengths in LENGTHS.items():
        if _lengths(change, section):
            base = _without(base, section, lengths)
    new = change.get("model")
    if isinstance(new, Mapping) and "size" in new:
        base = _without(base, "model", {key for size in SIZES.values() for key in size})
    return merged(base, change)


def _lengths(table: Mapping[str, Any], section: str) -> list[str]:
    """Return the settings in a section of a table that say how long to train."""
    values = table.get(section)
    return [key for key in LENGTHS[section] if key in values] if isinstance(values, Mapping) else []


def _refuse_two_lengths(table: Mapping[str, Any]) -> None:
    """Refuse a recipe or settings that say in several ways how long to train, of which only one would count.

    Raises:
        RecipeError: They do.
    """
    for section in LENGTHS:
        if len(several := _lengths(table, section)) > 1:
            which = " and ".join(f"{section}.{key}" for key in several)
            raise RecipeError(f"{which} each say how long to train: set one of them")


def _without(table: Mapping[str, Any], section: str, keys: Collection[str]) -> Mapping[str, Any]:
    """Return a recipe's table without some values of a section."""
    values = table.get(section)
    if not isinstance(values, Mapping):
        return table
    return {**table, section: {key: value for key, value in values.items() if key not in keys}}


def _recipe(name: str, table: Mapping[str, Any]) -> Recipe:
    known = {f.name for f in fields(Recipe)} - {"name"}
    _refuse_unknown(table, known, f"recipe {name}")
    model = table.get("model", {})
    # A recipe only turns features and intervals on.
    shape = {**get_type_hints(DecoderConfig), "features": bool, "intervals": bool}
    _refuse_unknown(model, (set(shape) | {"size"}) - {"vocab", "pitches"}, "model")
    model = _expanded(model)
    recipe = Recipe(
        name=name,
        about=_typed(table.get("about", ""), str, "about"),
        seed=_typed(table.get("seed", ""), str, "seed"),
        clean=_section(CleanOptions, table.get("clean", {}), "clean"),
        prepare=_prepare(table.get("prepare", {})),
        tokenizer=_tokenizer(table.get("tokenizer", {})),
        codec=_codec(table.get("codec", {})),
        codec_training=_section(CodecOptions, table.get("codec_training", {}), "codec_training"),
        model={key: _typed(value, shape[key], f"model.{key}") for key, value in model.items()},
        examples=_section(ExampleOptions, table.get("examples", {}), "examples"),
        training=_section(TrainOptions, table.get("training", {}), "training"),
    )
    if recipe.examples.voice_orders and not isinstance(recipe.tokenizer, GridOptions):
        raise RecipeError('examples.voice_orders is for grids of voices: it needs tokenizer.scheme = "grid"')
    if recipe.codec or isinstance(recipe.tokenizer, CodesOptions):
        recipe.vq()
    try:
        recipe.decoder(vocab=1)  # reports invalid sizes now, not after an hour of preparing
    except ModelError as error:
        raise RecipeError(error.message) from None
    return recipe


def _expanded(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the model section with its ``size`` expanded to shape values, which its own values override."""
    if "size" not in model:
        return model
    try:
        shape = sized(model["size"], model.get("mlp", "swiglu"))
    except ModelError as error:
        raise RecipeError(error.message) from None
    return {**shape, **{key: value for key, value in model.items() if key != "size"}}


def _tokenizer(table: Mapping[str, Any]) -> TokenizerOptions:
    """Return the options of the tokenizer family that ``scheme`` belongs to."""
    scheme = table.get("scheme", "") if isinstance(table, Mapping) else ""
    options: TokenizerOptions = _section(options_of(str(scheme)), table, "tokenizer")
    return options


def _codec(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the VQ-VAE's options, without those that the tokenizer sets."""
    shape = get_type_hints(VqConfig)
    _refuse_unknown(table, set(shape) - {"steps", "codes", "codebook"}, "codec")
    return {key: _typed(value, shape[key], f"codec.{key}") for key, value in table.items()}


def _section(cls: type[Section], table: Mapping[str, Any], where: str) -> Section:
    hints = get_type_hints(cls)
    _refuse_unknown(table, set(hints), where)
    values = {key: _typed(value, hints[key], f"{where}.{key}") for key, value in table.items()}
    return cls(**values)


def _typed(value: Any, hint: Any, where: str) -> Any:
    """Return ``value``, checked against the type annotation ``hint`` and converted where TOML has no such type."""
    if get_origin(hint) is Literal:
        return value  # checked by the section's own class
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if value is None and type(None) in options:
        return None  # TOML has no null, the JSON of a model folder has
    for option in options:
        if get_origin(option) is Literal and value in get_args(option):
            return value
        if get_origin(option) is tuple and isinstance(value, list | tuple):
            return tuple(_typed(one, get_args(option)[0], where) for one in value)
        if get_origin(option) is Mapping and isinstance(value, Mapping):
            return dict(value)
        if option is float and isinstance(value, int | float) and not isinstance(value, bool):
            try:
                if math.isfinite(value):
                    return float(value)
            except OverflowError:  # an integer too large for a float
                pass
            break
        if option in (int, bool, str) and type(value) is option:
            return value
    kinds = " or ".join(_kind(option) for option in options if option is not type(None))
    raise RecipeError(f"{where} must be {kinds}, not {shown(value)}")


_KINDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    tuple: "a list",
    Mapping: "a section",
}


def _kind(hint: Any) -> str:
    return " or ".join(get_args(hint)) if get_origin(hint) is Literal else _KINDS[get_origin(hint) or hint]


def _prepare(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the shares of the split, and whether folders are the split."""
    _refuse_unknown(table, {"valid", "test", "folders"}, "prepare")
    shares = {key: value for key, value in table.items() if key != "folders"}
    for key, value in shares.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1:
            raise RecipeError(f"prepare.{key} must be a share between 0 and 1, not {shown(value)}")
    if sum(shares.values()) >= 1:
        raise RecipeError("prepare.valid and prepare.test leave nothing to train on: they must add up to less than 1")
    folders = {key: _typed(value, bool, "prepare.folders") for key, value in table.items() if key == "folders"}
    return {**{key: float(value) for key, value in shares.items()}, **folders}


def _refuse_unknown(table: Any, known: set[str], where: str) -> None:
    if not isinstance(table, Mapping):
        raise RecipeError(f"{where} must be a section, not {shown(table)}")
    if unknown := set(table) - known:
        raise RecipeError(f"{where} has no setting {shown(min(unknown))}; there are {', '.join(sorted(known))}")
