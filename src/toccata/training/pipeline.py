"""A run from corpus to model folder, stage by stage; each stage is skipped where its result is there already."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from toccata import __version__, folder
from toccata.corpus.examples import Examples, refuse_drums_alone
from toccata.corpus.store import Corpus
from toccata.engine.codec import OnnxCodec
from toccata.errors import CorpusError, MissingExtra, RecipeError, ToccataError
from toccata.files import read_json, write_json
from toccata.model.config import DecoderConfig
from toccata.recipes import Recipe, free_to_change
from toccata.recipes.renamed import renamed
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.codes import CodesOptions, CodesTokenizer
from toccata.tokenizers.load import build_tokenizer, load_tokenizer
from toccata.training import checkpoint
from toccata.training.backend import Backend, Weights
from toccata.training.boards import require_wandb
from toccata.training.compute import Compute
from toccata.training.export import export, load_weights
from toccata.training.info import machine
from toccata.training.loop import State, Step, Trainer
from toccata.training.options import FEWEST, TrainOptions
from toccata.training.share import rows_a_step, rows_of, shared

TORCH = "torch"
CODEC_SHARE = 0.25
"""Of the minutes there are, the share in which codes are learned, where a recipe has codes."""
FIT_PIECES = 2000
"""At most so many pieces of the training split, drawn from all of it, teach a tokenizer its merges."""


def learn_codes(
    recipe: Recipe,
    corpus: Corpus,
    place: Path,
    report: Callable[[str, int, int, str], None],
    say: Callable[[str], None],
) -> None:
    """The first stage of a recipe with codes: the networks that turn music into codes learn, with torch.

    Raises:
        MissingExtra: torch is not installed.
    """
    try:
        from toccata.training.vq import train_codec
    except ModuleNotFoundError as error:
        raise MissingExtra(f'learning codes needs {error.name}: pip install "toccata[train]"') from None
    options, minutes = recipe.codec_training, recipe.training.minutes
    if minutes is not None and options.minutes is None:
        options = replace(options, minutes=CODEC_SHARE * minutes)
    train_codec(
        corpus,
        recipe.vq(),
        options,
        place,
        report=lambda step: report("learning codes", step.step, step.steps, f"loss {step.loss:.2f}"),
        say=say,
    )


def _read(path: Path) -> Any:
    """What a JSON file says; None: it is not there, or was damaged."""
    try:
        return read_json(path)
    except (OSError, ValueError):
        return None


def _made_with(path: Path) -> Any:
    """What a tokenizer was made with, its options by the names that they have now."""
    made = _read(path)
    try:
        tokenizer, *others = made["options"]
        return {**made, "options": [renamed({"tokenizer": tokenizer})["tokenizer"], *others]}
    except (KeyError, TypeError, ValueError):
        return made


def _changed(made: Any, mark: dict[str, Any]) -> str:
    """What is otherwise than when a tokenizer was made."""
    sections = ("tokenizer", "codec", "codec_training")
    try:
        kept = {"recipe": dict(zip(sections, made["options"], strict=True)), "data": made["data"]}
    except (KeyError, TypeError, ValueError):
        return "it is not known what they were learned with"
    return checkpoint.differences(
        kept, {"recipe": dict(zip(sections, mark["options"], strict=True)), "data": mark["data"]}
    )


class Run:
    """One model being made.

    Args:
        recipe: How.
        out: The model folder.
        parent: The model to start from; None: from nothing.
        say: Hears what is worth a line.
        backend: What computes.
        command: What was called to make it, and goes on with it; for whoever finds the folder later.

    Raises:
        MissingExtra: The recipe asks for a logger that is not installed.
        ModelError: A model of this recipe could be trained, but not be exported.
    """

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        parent: folder.ModelFolder | None,
        say: Callable[[str], None],
        backend: Backend,
        *,
        command: str = "",
    ) -> None:
        if recipe.training.wandb:
            require_wandb()
        self.recipe, self.out, self.parent, self.say, self.command = recipe, out, parent, say, command
        self.backend = backend
        self.folder = out / folder.TRAINING

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes files."""
        return self.backend.is_main

    def main_first(self) -> AbstractContextManager[None]:
        """The main process goes through the block before the others."""
        return self.backend.main_first()

    def wait(self) -> folder.ModelFolder:
        """What the other processes do while the main one exports: nothing."""
        return folder.ModelFolder(
            self.out, {"name": folder.name_for(self.out), "files": {}, "recipe": {}, "lineage": {}}
        )

    def tokenizer(self, corpus: Corpus, report: Callable[[str, int, int, str], None]) -> Tokenizer:
        """The parent's tokenizer, the one of an interrupted run, or a new one, fitted to the training split.

        Args:
            corpus: What it learns from.
            report: Told of a task that takes minutes how far it has come: its name, done, total, and a word.

        Raises:
            CorpusError: It has nothing but drums, and the recipe's tokens have none.
            ToccataError: The folder holds a run with another recipe or other data.
        """
        self.refuse_other_run(corpus)
        refuse_drums_alone(corpus, self.recipe.tokenizer)
        if self.parent is not None:
            return load_tokenizer(self.parent.tokenizer(), OnnxCodec)
        place = self.folder / folder.TOKENIZER
        with self.main_first():
            asked = [asdict(self.recipe.tokenizer), self.recipe.codec, asdict(self.recipe.codec_training)]
            mark = {"options": json.loads(json.dumps(asked)), "data": corpus.digest}
            known = place / "made-with.json"
            if (made := _made_with(known)) == mark:
                return load_tokenizer(place, OnnxCodec)
            if made is not None and self.is_main:
                self.say(f"Learning the tokens anew, because {_changed(made, mark)}")
            tokenizer = self._learned(corpus, place, report)
            if self.is_main:
                tokenizer.save(place)
                write_json(known, mark)
            return tokenizer

    def _learned(self, corpus: Corpus, place: Path, report: Callable[[str, int, int, str], None]) -> Tokenizer:
        """A new tokenizer that has learned what it has to learn."""
        options = self.recipe.tokenizer
        if isinstance(options, CodesOptions):
            learn_codes(self.recipe, corpus, place, report, self.say)
            return CodesTokenizer(options, OnnxCodec(place))
        tokenizer = build_tokenizer(options)
        if options.merges:
            self.say(f"Learning {options.merges:,} tokens")
        tokenizer.fit(corpus.score(i) for i in corpus.sample("train", FIT_PIECES, self.recipe.training.seed))
        return tokenizer

    def train(
        self,
        corpus: Corpus,
        tokenizer: Tokenizer,
        report: Callable[[Step], None],
        kept: Callable[[], None] | None = None,
    ) -> State:
        """Train, or go on training, to the end; ``kept`` is called when the run's folder can be gone on from."""
        if not len(corpus.numbers("train")):
            raise CorpusError(f"{corpus.folder} has no piece to train on", path=corpus.folder)
        config, weights = self._start(tokenizer)
        options = self._options(corpus, config)
        beside = tokenizer.features if config.features else None
        train = Examples(corpus, tokenizer, "train", config.context, self.recipe.examples, options.seed, beside)
        held = len(corpus.numbers("valid"))
        valid = Examples(corpus, tokenizer, "valid", config.context, features=beside) if held else None
        trainer = Trainer(
            self.backend.learner(config, weights, train, valid, options),
            options,
            self.folder,
            identity=self._identity(corpus),
            report=report,
            say=lambda steps, speed: self._plan(config.parameters, train.notes, steps, speed),
            facts=self._facts(corpus, tokenizer, config, options),
            tell=self.say,
            kept=kept,
            batch=rows_a_step(options, self.backend.devices),
        )
        return trainer.run()

    def _options(self, corpus: Corpus, config: DecoderConfig) -> TrainOptions:
        """The recipe's options as this run can have them: on this machine, with these pieces, gone on with or begun."""
        options = self._compute(config).options(self.recipe.training)
        if options.minutes is not None and self.parent is None and self._learns_codes:
            options = replace(options, minutes=options.minutes * (1 - CODEC_SHARE))
        held_back = len(corpus.numbers("valid"))
        if not held_back:
            self.say("Too few pieces to hold any back: nothing will tell when the model begins to memorise")
        elif held_back < FEWEST and options.patience:
            few = f"Only {held_back} piece{'s' if held_back > 1 else ''} held back"
            self.say(f"{few}: the training does not stop early by so few, and keeps the weights that are best on them")
            options = replace(options, patience=0)
        last = self.folder / checkpoint.LAST
        rows = rows_of(checkpoint.state(last), config.context) if last.exists() else 0
        return shared(options, rows, self.backend.devices)

    @property
    def _learns_codes(self) -> bool:
        """Whether the time there is has to do for the codes too."""
        return isinstance(self.recipe.tokenizer, CodesOptions) and self.recipe.codec_training.minutes is None

    def _facts(
        self, corpus: Corpus, tokenizer: Tokenizer, config: DecoderConfig, options: TrainOptions
    ) -> dict[str, dict[str, Any]]:
        """What this run is, for its logs."""
        recipe, about = self.recipe, corpus.about
        # A run by minutes has as many steps as they have room for: how many is told with how far it is.
        left_out = {"wandb"} if recipe.training.minutes is None else {"wandb", "steps"}
        return {
            "recipe": {
                "name": recipe.name,
                "about": recipe.about,
                "started from": "nothing" if self.parent is None else self.parent.name,
                **{name: value for name, value in asdict(recipe.training).items() if name not in left_out},
            },
            "data": {
                "pieces": about["pieces"],
                "notes": about["notes"],
                "hours": round(about["hours"], 1),
                "cleaning": asdict(recipe.clean),
                "split": dict(about["splits"]),
                "left out": about["rejected"],
                "digest": corpus.digest,
            },
            "tokenizer": {
                **{name: value for name, value in asdict(recipe.tokenizer).items() if isinstance(value, str)},
                "ids": tokenizer.vocab_size,
                "fingerprint": tokenizer.fingerprint,
            },
            "model": {"parameters": config.parameters, **asdict(config)},
            "machine": {
                **machine(options.precision, self.backend.facts()),
                "attention": options.attention,
                "compiled": options.compile == "on",
                "processes": self.backend.devices,
                "toccata": __version__,
            },
            "commands": {
                "made with": self.command or "the Python API",
                "to go on": "the same again",
                "to write": f"toccata generate --model {shlex.quote(str(self.out))} --bars 16",
            },
        }

    def _compute(self, config: DecoderConfig) -> Compute:
        """Found out once a run and kept: all its processes, and what resumes it, compute in the same way."""
        place = self.folder / "compute.json"
        with self.main_first():
            if (known := Compute.from_json(_read(place))) is not None:
                return known
            found = self.backend.compute(config, self.recipe.training, self.say)
            write_json(place, found.to_json())
            return found

    def refuse_other_run(self, corpus: Corpus | None = None) -> None:
        """Refuse to go on with a run of something else, before anything of it is touched.

        Args:
            corpus: What would be trained on; None: it is not there yet, and only all else is compared.

        Raises:
            ToccataError: The folder holds a run with another recipe or parent, or of another backend, or other data.
        """
        last = self.folder / checkpoint.LAST
        if not last.exists():
            return
        kept, now = checkpoint.identity(last), self._identity(corpus)
        if (made := kept.get("backend", TORCH)) != self.backend.name:
            raise ToccataError(
                f"{self.out} holds a run of the {made} backend: go on with --backend {made}, or choose another folder",
                path=self.out,
                kind="other-run",
            )
        if corpus is None:
            now["data"] = kept.get("data")
        if not checkpoint.same_run(kept, now):
            raise checkpoint.other_run(self.folder, kept, now)

    def _start(self, tokenizer: Tokenizer) -> tuple[DecoderConfig, Weights | None]:
        """The Decoder's shape, and the weights it starts from; None: from chance."""
        features = tokenizer.features
        if self.recipe.model.get("features") and features is None:
            raise RecipeError(
                "model.features needs tokens of bars, positions and durations, none of them merged: set it to false, "
                "or choose another tokenizer.scheme"
            )
        shape = self.recipe.decoder(tokenizer.vocab_size, features)
        if self.parent is None:
            return shape, None
        theirs = DecoderConfig.from_json(self.parent.config, self.parent.path / folder.CONFIG)
        kept = free_to_change(theirs, shape)
        if kept != shape:
            wrong = next(f.name for f in fields(kept) if getattr(kept, f.name) != getattr(shape, f.name))
            raise RecipeError(f"model.{wrong} is {getattr(kept, wrong)!r} in {self.parent.path}, and stays so")
        return kept, load_weights(self.parent)

    def _identity(self, corpus: Corpus | None) -> dict[str, Any]:
        recipe = self.recipe.to_json()
        return {
            "recipe": json.loads(json.dumps(recipe)),
            "data": None if corpus is None else corpus.digest,
            "parent": None if self.parent is None else self.parent.digest,
            # torch was the only one once: its runs of then go on.
            **({} if self.backend.name == TORCH else {"backend": self.backend.name}),
        }

    def _plan(self, parameters: int, notes: int, steps: int, tokens_per_second: float) -> None:
        """Say, before the first step, what the run will be, and whether the model's size suits it."""
        options, context = self.recipe.training, self.recipe.model.get("context", 512)
        tokens = (
            steps * options.micro_batch_size * options.gradient_accumulation_steps * int(context) * self.backend.devices
        )
        seconds = tokens / tokens_per_second
        self.say(
            f"{parameters / 1e6:.1f}M parameters, {notes:,} notes: {steps:,} steps, {tokens / 1e6:.1f}M tokens, about "
            f"{seconds / 60:.0f} minutes"
        )
        if tokens < parameters:
            self.say(
                "That is less than one token for each parameter: in this time a model a third as large learns more "
                "(model.size, or model.width and model.layers)"
            )
        elif tokens > 60 * parameters and notes * 20 > parameters:
            self.say("There is time and music enough for a larger model (model.size, or model.width and model.layers)")

    # -- the finished folder -------------------------------------------------------------------------------------------

    def about(self, corpus: Corpus, state: State) -> dict[str, Any]:
        """What ``toccata.json`` says of the run."""
        return {
            "name": folder.name_for(self.out),
            "toccata": __version__,
            "recipe": json.loads(json.dumps(self.recipe.to_json())),
            "lineage": {
                "parent": None if self.parent is None else {"name": self.parent.name, "digest": self.parent.digest},
                "data": corpus.digest,
                "pieces": corpus.about["pieces"],
                "notes": corpus.about["notes"],
                "seed": self.recipe.training.seed,
                "backend": self.backend.name,
                "step": state.best_step or state.step,
                "tokens": state.tokens,
                "minutes": round(state.seconds / 60, 2),
            },
            "styles": corpus.styles,
        }

    def finished(self, corpus: Corpus, state: State) -> folder.ModelFolder | None:
        """The model folder, if it is there already and of this very run."""
        if not folder.is_model(self.out):
            return None
        made = folder.open_folder(self.out)
        if made.about.get("metrics") is None:
            return None  # interrupted before it was measured
        open_ends = dict.fromkeys(("files", "metrics", "usual", "learned", "format"))
        there, now = {**made.about, **open_ends}, {**self.about(corpus, state), **open_ends}
        return made if checkpoint.same_run(there, now) else None

    def export(self, corpus: Corpus, tokenizer: Tokenizer, state: State) -> folder.ModelFolder:
        """Write the model folder with the best weights."""
        best = self.folder / checkpoint.BEST
        _, arrays = checkpoint.load(best if best.exists() else self.folder / checkpoint.LAST)
        weights = checkpoint.part(arrays, checkpoint.MODEL)
        config, _ = self._start(tokenizer)
        return export(self.out, config, weights, tokenizer, self.about(corpus, state), card="")
