"""A run from corpus to model folder, stage by stage; a stage whose result exists already is skipped."""

from __future__ import annotations

import json
import math
import shlex
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from toccata import __version__, folder
from toccata.corpus.examples import Examples, refuse_drums_alone
from toccata.corpus.store import Corpus
from toccata.engine.codec import OnnxCodec
from toccata.errors import CorpusError, MissingExtra, RecipeError, ToccataError
from toccata.files import read_json, write_json
from toccata.model.config import DecoderConfig
from toccata.model.stylefile import SUFFIX
from toccata.recipes import Recipe, finetuned_shape
from toccata.recipes.renamed import renamed
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.codes import CodesOptions, CodesTokenizer
from toccata.tokenizers.events import EventTokenizer
from toccata.tokenizers.load import build_tokenizer, load_tokenizer
from toccata.tokenizers.options import MOST_STYLES
from toccata.training import checkpoint
from toccata.training.backend import Backend, Weights
from toccata.training.boards import require_wandb
from toccata.training.compute import Compute
from toccata.training.export import export, load_weights
from toccata.training.info import machine
from toccata.training.log import Logger
from toccata.training.loop import State, Step, Trainer
from toccata.training.options import FEWEST, TrainOptions
from toccata.training.place import COMPUTE
from toccata.training.share import rows_a_step, rows_of, shared

TORCH = "torch"
CODEC_SHARE = 0.25
"""The share of the run's minutes in which codes are learned, where a recipe has codes."""
ENCODED = 16
"""Training pieces that are encoded to see how many tokens a note takes."""
FIT_PIECES = 2000
"""The most pieces of the training split, sampled at random, that a tokenizer's merges are fitted to."""
LEVEL_PIECES = 500
"""The most pieces of the training split, sampled at random, that the levels of controls are fitted to."""


def learn_codes(
    recipe: Recipe,
    corpus: Corpus,
    place: Path,
    report: Callable[[str, int, int, str], None],
    say: Callable[[str], None],
) -> None:
    """Train the VQ-VAE that turns music into codes, with torch: the first stage of a recipe with codes.

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


def _tokens(corpus: Corpus, tokenizer: Tokenizer) -> float:
    """About how many tokens the training split has, by those of a few of its pieces."""
    numbers = corpus.sample("train", ENCODED)
    scores = [corpus.score(number) for number in numbers]
    tokens = sum(len(tokenizer.encode(score).ids) for score in scores)
    notes: int = sum(score.note_num() for score in scores)
    return int(corpus.note_ends("train")[-1]) * tokens / max(1, notes)


def _read(path: Path) -> Any:
    """Return the content of a JSON file; None if it is missing or damaged."""
    try:
        return read_json(path)
    except (OSError, ValueError):
        return None


def _made_with(path: Path) -> Any:
    """Return the options and data that a tokenizer was made with, under their present names."""
    made = _read(path)
    try:
        tokenizer, *others = made["options"]
        return {**made, "options": [renamed({"tokenizer": tokenizer})["tokenizer"], *others]}
    except (KeyError, TypeError, ValueError):
        return made


def _changed(made: Any, mark: dict[str, Any]) -> str:
    """Return the differences from the options and data that a tokenizer was made with, in words."""
    sections = ("tokenizer", "codec", "codec_training")
    try:
        saved = {"recipe": dict(zip(sections, made["options"], strict=True)), "data": made["data"]}
    except (KeyError, TypeError, ValueError):
        return "it is not known what they were learned with"
    return checkpoint.differences(
        saved, {"recipe": dict(zip(sections, mark["options"], strict=True)), "data": mark["data"]}
    )


class Run:
    """The training of one model.

    Args:
        recipe: The recipe.
        out: The model folder.
        parent: The model to finetune; None: train from scratch.
        say: Called with each message for the user.
        backend: The training backend, torch or JAX.
        command: The command line that started the run and resumes it, for the folder's info page.

    Raises:
        MissingExtra: The recipe uses a logger that is not installed.
        ModelError: A model of this recipe could be trained, but not exported.
        RecipeError: The recipe shards the model, and the backend does not.
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
        if recipe.training.shard and backend.name != TORCH:
            raise RecipeError(
                f"training.shard is for {TORCH}: leave out --backend {backend.name}, or set training.shard=false"
            )
        self.recipe, self.out, self.parent, self.say, self.command = recipe, out, parent, say, command
        self.backend = backend
        self.folder = out / folder.TRAINING

    @property
    def is_main(self) -> bool:
        """Whether this is the main process, which writes the files."""
        return self.backend.is_main

    def main_first(self) -> AbstractContextManager[None]:
        """A block that the main process runs before the others."""
        return self.backend.main_first()

    def wait(self) -> folder.ModelFolder:
        """Return a placeholder for the model folder on the processes that do not export."""
        return folder.ModelFolder(
            self.out, {"name": folder.name_for(self.out), "files": {}, "recipe": {}, "lineage": {}}
        )

    def tokenizer(self, corpus: Corpus, report: Callable[[str, int, int, str], None]) -> Tokenizer:
        """Return the parent's tokenizer, that of an interrupted run, or a new one fitted to the training split.

        Args:
            corpus: The corpus to fit it to.
            report: Called with the progress of a long task: its name, done, total, and a short text.

        Raises:
            CorpusError: The corpus has nothing but drums, for which the recipe has no tokens.
            ToccataError: The folder holds a run with another recipe or other data.
        """
        self.refuse_other_run(corpus)
        refuse_drums_alone(corpus, self.recipe.tokenizer)
        if self.parent is not None:
            return load_tokenizer(self.parent.tokenizer(), OnnxCodec)
        place = self.folder / folder.TOKENIZER
        with self.main_first():
            options = [asdict(self.recipe.tokenizer), self.recipe.codec, asdict(self.recipe.codec_training)]
            mark = {"options": json.loads(json.dumps(options)), "data": corpus.digest}
            known = place / "made-with.json"
            if (made := _made_with(known)) == mark:
                return load_tokenizer(place, OnnxCodec)
            if made is not None and self.is_main:
                self.say(f"Learning the tokens anew, because {_changed(made, mark)}")
                shutil.rmtree(place)
            tokenizer = self._fitted(corpus, place, report)
            if self.is_main:
                for kind in folder.TOKENIZERS:  # an attempt with another recipe may have saved another one
                    (place / kind).unlink(missing_ok=True)
                tokenizer.save(place)
                write_json(known, mark)
            return tokenizer

    def _fitted(self, corpus: Corpus, place: Path, report: Callable[[str, int, int, str], None]) -> Tokenizer:
        """Return a new tokenizer, fitted to the training split."""
        options = self.recipe.tokenizer
        if isinstance(options, CodesOptions):
            learn_codes(self.recipe, corpus, place, report, self.say)
            return CodesTokenizer(options, OnnxCodec(place))
        tokenizer = build_tokenizer(options)
        if options.merges:
            self.say(f"Learning {options.merges:,} tokens")
        seed = self.recipe.training.seed
        tokenizer.fit(corpus.score(i) for i in corpus.sample("train", FIT_PIECES, seed))
        if self.recipe.examples.controls and isinstance(tokenizer, EventTokenizer):
            tokenizer.fit_levels(corpus.score(i) for i in corpus.sample("train", LEVEL_PIECES, seed))
        return tokenizer

    def train(
        self,
        corpus: Corpus,
        tokenizer: Tokenizer,
        report: Callable[[Step], None],
        on_checkpoint: Callable[[], None] | None = None,
        more_loggers: Sequence[tuple[str, Logger]] = (),
    ) -> State:
        """Train to the end, from the last checkpoint if there is one.

        Args:
            corpus: The corpus to train on.
            tokenizer: Its tokenizer.
            report: Called with each step, on the main process.
            on_checkpoint: Called after each checkpoint from which the run can be resumed.
            more_loggers: Further loggers of the main process, each with its name.

        Raises:
            CorpusError: The corpus has no training pieces.
        """
        if not len(corpus.numbers("train")):
            raise CorpusError(f"{corpus.folder} has no piece to train on", path=corpus.folder)
        config, weights = self._start(tokenizer)
        rows = self._rows(config)
        most = self._steps_of(self.recipe.training.max_epochs, rows, corpus, tokenizer, config)
        options = self._options(rows, most, corpus, tokenizer, config)
        beside = tokenizer.features if config.features else None
        train = Examples(corpus, tokenizer, "train", config.context, self.recipe.examples, options.seed, beside)
        held = len(corpus.numbers("valid"))
        plain = self.recipe.examples.held_out()
        valid = Examples(corpus, tokenizer, "valid", config.context, plain, features=beside) if held else None
        trainer = Trainer(
            self.backend.learner(config, weights, train, valid, options),
            options,
            self.folder,
            identity=self._identity(corpus),
            report=report,
            on_plan=lambda steps, speed: self._plan(config.parameters, train.notes, steps, speed),
            facts=self._facts(corpus, tokenizer, config, options),
            say=self.say,
            on_checkpoint=on_checkpoint,
            more_loggers=more_loggers,
            batch=rows,
            most_steps=most,
        )
        return trainer.run()

    def _rows(self, config: DecoderConfig) -> int:
        """Return the rows per step, over all devices: those of the run that is resumed, however many it had."""
        last = self.folder / checkpoint.LAST
        saved = rows_of(checkpoint.state(last), config.context) if last.exists() else 0
        return saved or rows_a_step(self.recipe.training, self.backend.devices)

    def _steps_of(
        self, epochs: float | None, rows: int, corpus: Corpus, tokenizer: Tokenizer, config: DecoderConfig
    ) -> int | None:
        """Return how many steps of so many rows so many passes over the training notes take; None: of any number."""
        if epochs is None:
            return None
        return max(1, math.ceil(epochs * _tokens(corpus, tokenizer) / (rows * config.context)))

    def _options(
        self, rows: int, most: int | None, corpus: Corpus, tokenizer: Tokenizer, config: DecoderConfig
    ) -> TrainOptions:
        """Return the recipe's options, adapted to this machine, to the corpus, and to a run that is resumed.

        Args:
            rows: The rows per step, over all devices.
            most: The most steps; None: any number.
            corpus: The corpus to train on.
            tokenizer: Its tokenizer.
            config: The decoder's.
        """
        options = self.recipe.training
        if options.minutes is None:
            steps = self._steps_of(options.epochs, rows, corpus, tokenizer, config) or options.steps
            options = replace(options, steps=min(steps, most or steps))
        options = self._compute(config, options, most).options(options)
        if options.minutes is not None and self.parent is None and self._learns_codes:
            options = replace(options, minutes=options.minutes * (1 - CODEC_SHARE))
        held_back = len(corpus.numbers("valid"))
        if not held_back:
            few = "Too few pieces to hold any back: nothing will tell when the model begins to memorise"
            self.say(f"{few}, and it keeps the last weights")
        elif held_back < FEWEST and options.patience:
            few = f"Only {held_back} piece{'s' if held_back > 1 else ''} held back"
            # A model that knows music has little to gain from which step chance prefers, and much from all of them.
            all_of_them = self.parent is not None and options.max_epochs is not None
            kept = "the last weights" if all_of_them else "the weights that are best on them"
            self.say(f"{few}: the training does not stop early by so few, and keeps {kept}")
            options = replace(options, patience=0, select="last" if all_of_them else options.select)
        return shared(options, rows, self.backend.devices)

    @property
    def _learns_codes(self) -> bool:
        """Whether the time limit includes learning codes."""
        return isinstance(self.recipe.tokenizer, CodesOptions) and self.recipe.codec_training.minutes is None

    def _facts(
        self, corpus: Corpus, tokenizer: Tokenizer, config: DecoderConfig, options: TrainOptions
    ) -> dict[str, dict[str, Any]]:
        """Return the run's recipe, data, tokenizer, model and machine, for its logs."""
        recipe, about = self.recipe, corpus.about
        # With a time limit, the number of steps comes from a measurement: the logs show it with the progress.
        timed = recipe.training.minutes is not None or recipe.training.epochs is not None
        left_out = {"wandb", "steps"} if timed else {"wandb"}
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
                "to resume": "run the same command",
                "to write": self._writing(),
            },
        }

    def _writing(self) -> str:
        """Return the command line that writes music with what is trained."""
        words = ["--model", str(self.out)]
        if self.parent is not None and self.recipe.training.lora_rank:
            words = ["--model", str(self.parent.path), "--style-file", str(self.out.with_suffix(SUFFIX))]
        return shlex.join(["toccata", "generate", *words, "--bars", "16"])

    def _compute(self, config: DecoderConfig, options: TrainOptions, most: int | None) -> Compute:
        """Return how to compute, chosen once and saved: all processes, and resumed runs, compute in the same way."""
        place = self.folder / COMPUTE
        with self.main_first():
            known = Compute.from_json(_read(place))
            if known is not None:
                options = self.backend.usable(known).options(options)
            found = self.backend.compute(config, options, self.say, most)
            if found != known and self.is_main:
                write_json(place, found.to_json())
            return found

    def refuse_other_run(self, corpus: Corpus | None = None) -> None:
        """Refuse to resume another run, before anything in its folder is changed.

        Args:
            corpus: The corpus to train on; None: it is not prepared yet, so data is not compared.

        Raises:
            ToccataError: The folder holds a run with another recipe or parent, or of another backend, or other data.
        """
        last = self.folder / checkpoint.LAST
        if not last.exists():
            return
        saved, now = checkpoint.identity(last), self._identity(corpus)
        if (made := saved.get("backend", TORCH)) != self.backend.name:
            raise ToccataError(
                f"{self.out} holds a run of the {made} backend: go on with --backend {made}, or choose another folder",
                path=self.out,
                kind="other-run",
            )
        if corpus is None:
            now["data"] = saved.get("data")
        if not checkpoint.same_run(saved, now):
            raise checkpoint.other_run(self.folder, saved, now)

    def _start(self, tokenizer: Tokenizer) -> tuple[DecoderConfig, Weights | None]:
        """Return the decoder's config, and the weights it starts from; None: random ones."""
        features = tokenizer.features
        if self.recipe.model.get("features") and features is None:
            raise RecipeError(
                "model.features needs tokens of bars, positions and durations, none of them merged: set it to false, "
                "or choose another tokenizer.scheme"
            )
        shape = self.recipe.decoder(tokenizer.vocab_size, features)
        if self.parent is None:
            return shape, None
        parent = DecoderConfig.from_json(self.parent.config, self.parent.path / folder.CONFIG)
        allowed = finetuned_shape(parent, shape)
        if allowed != shape:
            wrong = next(f.name for f in fields(allowed) if getattr(allowed, f.name) != getattr(shape, f.name))
            raise RecipeError(f"model.{wrong} is {getattr(allowed, wrong)!r} in {self.parent.path}, and stays so")
        return allowed, load_weights(self.parent)

    def _identity(self, corpus: Corpus | None) -> dict[str, Any]:
        recipe = self.recipe.to_json()
        return {
            "recipe": json.loads(json.dumps(recipe)),
            "data": None if corpus is None else corpus.digest,
            "parent": None if self.parent is None else self.parent.digest,
            # Runs from before there was another backend have no key: they can still be resumed.
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
        if options.lora_rank:
            return  # the model is there, and has the size it has
        if self.parent is not None:
            return  # what the model has learned before is not counted here
        if tokens < parameters:
            self.say(
                "That is less than one token for each parameter: in this time a model a third as large learns more "
                "(model.size, or model.width and model.layers)"
            )
        elif tokens > 60 * parameters and notes * 20 > parameters:
            self.say("There is time and music enough for a larger model (model.size, or model.width and model.layers)")

    # -- the finished folder -------------------------------------------------------------------------------------------

    def about(self, corpus: Corpus, state: State) -> dict[str, Any]:
        """Return the content of ``toccata.json``."""
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
                # That of the weights; the others are of the whole run.
                "step": state.selected_step or state.best_step or state.step,
                "steps": state.step,
                "tokens": state.tokens,
                "minutes": round(state.seconds / 60, 2),
            },
            "styles": corpus.styles[:MOST_STYLES],  # others have no token
        }

    def finished(self, corpus: Corpus, state: State) -> folder.ModelFolder | None:
        """Return the model folder if this run has exported and evaluated it already, else None."""
        if not folder.is_model(self.out):
            return None
        made = folder.open_folder(self.out)
        if not made.is_evaluated:
            return None  # interrupted
        return made if checkpoint.same_model(made.about, self.about(corpus, state)) else None

    def trained(self) -> dict[str, NDArray[Any]]:
        """Return the best of what was trained, by name: the weights, or low-rank changes of the parent's weights."""
        best = self.folder / checkpoint.BEST
        _, arrays = checkpoint.load(best if best.exists() else self.folder / checkpoint.LAST)
        return checkpoint.part(arrays, checkpoint.MODEL)

    def export(self, corpus: Corpus, tokenizer: Tokenizer, state: State, out: Path | None = None) -> folder.ModelFolder:
        """Write the model folder with the best weights, or one elsewhere with the best so far."""
        config, _ = self._start(tokenizer)
        return export(out or self.out, config, self.trained(), tokenizer, self.about(corpus, state), card="")
