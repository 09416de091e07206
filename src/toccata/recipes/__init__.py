"""Recipes: everything that decides how a model is made, in one TOML file.

``extends`` takes another recipe and changes some of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
from toccata.tokenizers.features import Features
from toccata.tokenizers.load import TokenizerOptions, options_of
from toccata.training.options import CodecOptions, TrainOptions

Section = TypeVar("Section")
FINETUNE = 0.2
"""The learning rate of a finetuning, as a share of that of the training before it."""


@dataclass(frozen=True)
class Recipe:
    """A recipe, checked. ``model`` lacks the vocabulary's size, which the tokenizer tells."""

    name: str
    about: str
    """What it is, in a line."""
    seed: str = ""
    """The public project it follows, where it does."""
    clean: CleanOptions = field(default_factory=CleanOptions)
    prepare: Mapping[str, float] = field(default_factory=dict)
    tokenizer: TokenizerOptions = field(default_factory=EventOptions)
    codec: Mapping[str, Any] = field(default_factory=dict)
    """The networks of a tokenizer of codes."""
    codec_training: CodecOptions = field(default_factory=CodecOptions)
    """How they learn, before the model does."""
    model: Mapping[str, Any] = field(default_factory=dict)
    examples: ExampleOptions = field(default_factory=ExampleOptions)
    training: TrainOptions = field(default_factory=TrainOptions)

    def prepare_options(self) -> PrepareOptions:
        """How the corpus is made."""
        return PrepareOptions(clean=self.clean, **self.prepare)

    def decoder(self, vocab: int, features: Features | None = None) -> DecoderConfig:
        """The model for a vocabulary of this many ids.

        Args:
            vocab: How many.
            features: The tokenizer's, for a model that takes them (``model.features``, ``model.intervals``).
        """
        shape: dict[str, Any] = {**self.model, "features": (), "intervals": ()}
        if features is not None and self.model.get("features"):
            shape["features"] = features.blocks
            if self.model.get("intervals"):
                shape |= {"intervals": features.intervals, "pitches": features.pitches}
        return DecoderConfig(vocab=vocab, **shape)

    def vq(self) -> VqConfig:
        """The networks of a tokenizer of codes, which says itself how many codes there are.

        Raises:
            RecipeError: A value that cannot be, or the tokenizer is of another kind.
        """
        tokenizer = self.tokenizer
        if not isinstance(tokenizer, CodesOptions):
            raise RecipeError('[codec] is for tokenizers of codes: it needs tokenizer.scheme = "codes"')
        try:
            return VqConfig(steps=tokenizer.steps, codes=tokenizer.codes, codebook=tokenizer.codebook, **self.codec)
        except ModelError as error:
            raise RecipeError(error.message) from None

    def to_json(self) -> dict[str, Any]:
        """As plain values, for a model folder and for telling one run from another."""
        values = asdict(self)
        # To whom a run is reported is nothing of the model's: whoever goes on from it did not ask for that.
        del values["training"]["wandb"]
        return values


def names() -> list[str]:
    """The recipes that come with toccata."""
    found = (entry.name for entry in resources.files(__name__).iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def load(name: str, overrides: Sequence[str] | Settings = ()) -> Recipe:
    """Read a recipe that comes with toccata, or one of your own by its path, with some values changed.

    Args:
        name: ``bach-gpt``, ``toccata``, ... or a path that ends in ``.toml``.
        overrides: ``section.key=value``, the value as in TOML.

    Raises:
        RecipeError: No such recipe, an unknown key, or a value of the wrong type.
    """
    table = _read(name)
    if parent := table.pop("extends", None):
        base = _read(str(parent))
        if "extends" in base:
            raise RecipeError(f"recipe {name} extends {parent}, which extends another: one level is all there is")
        table = _laid(base, table)
    change = Settings.of(overrides).change
    table = _laid(table, for_minutes(table.pop("times", {}), _minutes(change, table)))
    table = _laid(table, change)
    return _recipe(Path(name).stem if name.endswith(".toml") else name, table)


def restore(saved: Mapping[str, Any], overrides: Sequence[str] | Settings = ()) -> Recipe:
    """The recipe a model was made with, from its folder, with some values changed.

    Raises:
        RecipeError: An unknown key, or a value of the wrong type.
    """
    table = {key: value for key, value in renamed(saved).items() if key != "name"}
    table = _laid(table, Settings.of(overrides).change)
    return _recipe(str(saved.get("name", "")), table)


def for_finetuning(saved: Mapping[str, Any], overrides: Sequence[str] | Settings = (), *, first: bool) -> Recipe:
    """The recipe of a model that starts from another one: the other's, but for what belongs to that one run.

    The first learning rate of a new model would make it forget what it knows, so a lower one is taken. How long the
    other was trained says nothing about how long this one shall be.

    Args:
        saved: The recipe of the model to start from, from its folder.
        overrides: Settings, which hold over both.
        first: Whether that model was trained from nothing; one that was finetuned itself has the low rate already.

    Raises:
        RecipeError: An unknown key, or a value of the wrong type.
    """
    asked = Settings.of(overrides)
    recipe = restore(saved, asked)
    training = recipe.training
    if first and not asked.has("training.lr"):
        training = replace(training, lr=training.lr * FINETUNE)
    if not asked.has("training.minutes"):
        training = replace(training, minutes=None)
    return replace(recipe, training=training)


def refuse_other_shape(recipe: Recipe, kept: DecoderConfig, path: Path) -> None:
    """A model that another one starts from keeps its shape, but for its dropout, and its context if positions rotate.

    Args:
        recipe: What the new one shall be made with.
        kept: The shape of the model to start from.
        path: Where that one is.

    Raises:
        RecipeError: The recipe says another shape.
    """
    asked = recipe.decoder(kept.vocab)
    if recipe.model.get("features"):  # of a trained model, they are those that it was trained with
        asked = replace(asked, features=kept.features)
        if recipe.model.get("intervals"):
            asked = replace(asked, intervals=kept.intervals, pitches=kept.pitches)
    if asked == free_to_change(kept, asked):
        return
    if asked.size and asked.size != kept.size:
        own = kept.size or f"{kept.layers} layers of {kept.width}"
        raise RecipeError(
            f"{path} is {own}, and what starts from it stays so: leave out the size {asked.size}", path=path
        )
    kept = free_to_change(kept, asked)
    wrong = next(f.name for f in fields(kept) if getattr(kept, f.name) != getattr(asked, f.name))
    raise RecipeError(f"model.{wrong} is {getattr(kept, wrong)!r} in {path}, and stays so", path=path)


def free_to_change(kept: DecoderConfig, asked: DecoderConfig) -> DecoderConfig:
    """The shape of a model to start from, with what ``asked`` says of all that its weights do not depend on."""
    context = asked.context if kept.positions == "rope" else kept.context
    return replace(kept, dropout=asked.dropout, context=context)


def refuse_other_tokens(recipe: Recipe, kept: Recipe, path: Path) -> None:
    """A model that another one starts from keeps its tokenizer, and the codes that one has learned.

    Args:
        recipe: What the new one shall be made with.
        kept: What the model to start from was made with.
        path: Where that one is.

    Raises:
        RecipeError: The recipe says another tokenizer.
    """
    asked, own = recipe.to_json(), kept.to_json()
    for section in ("tokenizer", "codec", "codec_training"):
        _refuse_other(asked[section], own[section], section, path)


def _refuse_other(asked: Mapping[str, Any], kept: Mapping[str, Any], where: str, path: Path) -> None:
    for key in sorted({*asked, *kept}, key=lambda key: (key != "scheme", key)):  # all else follows from the scheme
        one, other = asked.get(key), kept.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            _refuse_other(one, other, f"{where}.{key}", path)
        elif one != other:
            own = "not set" if other is None else repr(other)
            raise RecipeError(f"{where}.{key} is {own} in {path}, and stays so", path=path)


def of_corpus(recipe: Recipe, corpus: Corpus, overrides: Sequence[str] | Settings = ()) -> Recipe:
    """The recipe as a prepared corpus makes it true: cleaned and split as the corpus was.

    Args:
        recipe: How a model is made of it; its own cleaning comes too late.
        corpus: What it is made of.
        overrides: The settings that were given with the recipe.

    Raises:
        RecipeError: A setting says how to clean or to split.
        CorpusError: The corpus does not say how it was made.
    """
    for section, values in Settings.of(overrides).change.items():
        if section in ("clean", "prepare"):
            key = f"{section}.{min(values)}"
            raise RecipeError(
                f"{corpus.folder} is cleaned and split already: prepare it anew, or leave out {key}", path=corpus.folder
            )
    made, asked = options_of_corpus(corpus), recipe.prepare_options()
    # Only what is otherwise: a run whose recipe was right all along is the same run as before.
    shares = {name: getattr(made, name) for name in ("valid", "test") if getattr(made, name) != getattr(asked, name)}
    return replace(recipe, clean=made.clean, prepare={**recipe.prepare, **shares})


def _read(name: str) -> dict[str, Any]:
    try:
        if name.endswith(".toml"):
            return renamed(toml.parsed(toml.text_of(Path(name))), warn=True)
        if name in names():
            return toml.parsed(resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    except ValueError as error:
        raise RecipeError(f"recipe {name} cannot be read: {error}", path=name) from None
    known = ", ".join(names())
    raise RecipeError(f"there is no recipe {shown(name)}: choose one of {known}, or give the path of a .toml file")


def _minutes(*tables: Mapping[str, Any]) -> object:
    """``training.minutes`` of the first table that says it."""
    for table in tables:
        training = table.get("training")
        if isinstance(training, Mapping) and "minutes" in training:
            return training["minutes"]
    return None


def _laid(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe with a change laid over it; a size in the change takes the place of what was said before of the shape.

    What the change itself says of the shape holds beside its size, as does all that is said later.
    """
    model, new = base.get("model"), change.get("model")
    if isinstance(model, Mapping) and isinstance(new, Mapping) and "size" in new:
        shape = {key for size in SIZES.values() for key in size}
        base = {**base, "model": {key: value for key, value in model.items() if key not in shape}}
    return merged(base, change)


def _recipe(name: str, table: Mapping[str, Any]) -> Recipe:
    known = {f.name for f in fields(Recipe)} - {"name"}
    _refuse_unknown(table, known, f"recipe {name}")
    model = table.get("model", {})
    # Which features and intervals there are, the tokenizer knows.
    shape = {**get_type_hints(DecoderConfig), "features": bool, "intervals": bool}
    _refuse_unknown(model, (set(shape) | {"size"}) - {"vocab", "pitches"}, "model")
    model = _expanded(model)
    recipe = Recipe(
        name=name,
        about=_typed(table.get("about", ""), str, "about"),
        seed=_typed(table.get("seed", ""), str, "seed"),
        clean=_section(CleanOptions, table.get("clean", {}), "clean"),
        prepare=_numbers(table.get("prepare", {}), {"valid", "test"}, "prepare"),
        tokenizer=_tokenizer(table.get("tokenizer", {})),
        codec=_codec(table.get("codec", {})),
        codec_training=_section(CodecOptions, table.get("codec_training", {}), "codec_training"),
        model={key: _typed(value, shape[key], f"model.{key}") for key, value in model.items()},
        examples=_section(ExampleOptions, table.get("examples", {}), "examples"),
        training=_section(TrainOptions, table.get("training", {}), "training"),
    )
    if sum(recipe.prepare.values()) >= 1:
        raise RecipeError("prepare.valid and prepare.test leave nothing to train on: they must add up to less than 1")
    if recipe.codec or isinstance(recipe.tokenizer, CodesOptions):
        recipe.vq()
    try:
        recipe.decoder(vocab=1)  # says what is wrong with the sizes now, not after an hour of preparing
    except ModelError as error:
        raise RecipeError(error.message) from None
    return recipe


def _expanded(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """The model section with what its size stands for in the size's place, under what it says itself."""
    if "size" not in model:
        return model
    try:
        shape = sized(model["size"], model.get("mlp", "swiglu"))
    except ModelError as error:
        raise RecipeError(error.message) from None
    return {**shape, **{key: value for key, value in model.items() if key != "size"}}


def _tokenizer(table: Mapping[str, Any]) -> TokenizerOptions:
    """The options of the family of tokenizers that ``scheme`` belongs to."""
    scheme = table.get("scheme", "") if isinstance(table, Mapping) else ""
    options: TokenizerOptions = _section(options_of(str(scheme)), table, "tokenizer")
    return options


def _codec(table: Mapping[str, Any]) -> dict[str, Any]:
    """The shape of the networks of codes, but for what the tokenizer says of them."""
    shape = get_type_hints(VqConfig)
    _refuse_unknown(table, set(shape) - {"steps", "codes", "codebook"}, "codec")
    return {key: _typed(value, shape[key], f"codec.{key}") for key, value in table.items()}


def _section(cls: type[Section], table: Mapping[str, Any], where: str) -> Section:
    hints = get_type_hints(cls)
    _refuse_unknown(table, set(hints), where)
    values = {key: _typed(value, hints[key], f"{where}.{key}") for key, value in table.items()}
    return cls(**values)


def _typed(value: Any, hint: Any, where: str) -> Any:
    """``value``, checked against the annotation ``hint`` as far as TOML values go."""
    if get_origin(hint) is Literal:
        return value  # the section itself says which there are
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if value is None and type(None) in options:
        return None  # TOML has none of these, a model folder's JSON has
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
            except OverflowError:  # a whole number beyond all others
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


def _numbers(table: Mapping[str, Any], known: set[str], where: str) -> dict[str, float]:
    _refuse_unknown(table, known, where)
    for key, value in table.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1:
            raise RecipeError(f"{where}.{key} must be a share between 0 and 1, not {shown(value)}")
    return {key: float(value) for key, value in table.items()}


def _refuse_unknown(table: Any, known: set[str], where: str) -> None:
    if not isinstance(table, Mapping):
        raise RecipeError(f"{where} must be a section, not {shown(table)}")
    if unknown := set(table) - known:
        raise RecipeError(f"{where} has no setting {shown(min(unknown))}; there are {', '.join(sorted(known))}")
