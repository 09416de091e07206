"""The public functions, composed of the packages below. What needs torch is imported where it is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from toccata import folder
from toccata.arguments import checked
from toccata.arguments.together import RECIPE, refuse_two_lengths, refuse_two_recipes
from toccata.corpus.prepare import PrepareOptions
from toccata.corpus.prepare import prepare as prepare_corpus
from toccata.corpus.store import CORPUS, Corpus
from toccata.corpus.text import write_text_corpus
from toccata.datasets import DatasetReport, write_bach
from toccata.engine.sampling import Sampling
from toccata.engine.seeds import seeds_of
from toccata.errors import CorpusError, MissingExtra
from toccata.events import BarBegun, PieceFinished
from toccata.folder import is_trained
from toccata.folder_lock import locked, locks
from toccata.look import (
    Inspection,
    doctor,
    find_soundfont,
    inspect,
    model_rows,
    models,
    program_number,
    recipe_of,
    render,
    soundfont_folders,
)
from toccata.look import find_model as find_model_here
from toccata.measure.evaluation import (
    Evaluation,
    gather,
    likelihood_of,
    measure_style,
    read_pieces,
)
from toccata.measure.figures import with_interval
from toccata.measure.judge import Judge
from toccata.measure.learned import Seen, learned_style
from toccata.measure.likelihood import Likelihood
from toccata.measure.ranking import Ranked, Ranker, rank
from toccata.measure.reference import ReferenceStats
from toccata.measure.scoreboard import Scoreboard
from toccata.measure.validity import validity
from toccata.midi.check import Report
from toccata.midi.check import check as check_folder
from toccata.midi.clean import CleanOptions
from toccata.midi.copies import Copies, copy_cleaned
from toccata.midi.locks import pitch_range
from toccata.midi.read import SUFFIXES
from toccata.model.config import DecoderConfig
from toccata.model.stylefile import SUFFIX, StyleFile
from toccata.musicmodel import Model, Precision
from toccata.pace import recipe_table
from toccata.recipes import Recipe, for_finetuning, of_corpus, refuse_other_shape, refuse_other_tokens, refuse_rank
from toccata.recipes import load as load_recipe
from toccata.recipes.settings import Settings
from toccata.remote import Publishing, RemoteSpec, accepts_urls, admit, display_url, is_remote, publish
from toccata.report.page import as_page
from toccata.report.text import markdown, remarks, table_rows
from toccata.scoring import compare_systems, listening_test_page, place_of, write_page
from toccata.scoring import holds_midi as holds_midi_here
from toccata.tasks.coverage import Coverage
from toccata.training.info import command_line, finetune_line
from toccata.training.place import LAST, refuse_foreign, run_folder
from toccata.training.samples import SampleLog, samples_of, step_of
from toccata.training.threads import threads_that_wait_briefly

if TYPE_CHECKING:
    from toccata.tokenizers.base import Tokenizer
    from toccata.training.backend import Backend
    from toccata.training.log import Evaluated, Logger
    from toccata.training.loop import State
    from toccata.training.pipeline import Run

__all__ = [
    "BarBegun", "CleanOptions", "Copies", "Corpus", "Coverage", "Evaluation", "Inspection", "Judge", "Likelihood",
    "Model", "PieceFinished", "PrepareOptions", "Progress", "Ranked", "Ranker", "ReferenceStats", "Report",
    "Sampling", "Scoreboard", "Silent", "bach", "check", "clean", "compare", "display_url", "doctor", "evaluate",
    "find_model", "find_soundfont", "finetune", "finetune_style", "holds_midi", "inspect", "is_remote",
    "is_trained", "listening_test", "load", "markdown", "model_rows", "models", "pitch_range", "prepare",
    "program_number", "rank", "recipe_table", "refuse_output", "remarks", "render", "run_folder", "seeds_of",
    "soundfont_folders", "table_rows", "train", "training_samples", "with_interval", "write_scoreboard",
]  # fmt: skip

BackendName = Literal["torch", "jax"]
Size = Literal["nano", "micro", "small", "base"]
SAMPLE_BARS = 8

# What is fetched from and published to object stores, for each kind of input and output.
MUSIC = RemoteSpec(only=(*SUFFIXES, ".json", ".jsonl", ".bin"))
MODEL = RemoteSpec(leave=(folder.TRAINING,))
WRITTEN_CORPUS = RemoteSpec(writes=True, last=CORPUS)
WRITTEN_MODEL = RemoteSpec(writes=True, leave=(f"{folder.TRAINING}/corpus",), last=folder.ABOUT, admits=refuse_foreign)
find_model = accepts_urls(name=MODEL)(find_model_here)
holds_midi = accepts_urls(place=MODEL)(holds_midi_here)
_place_of = accepts_urls(system=MODEL)(place_of)


class Progress(Protocol):
    """Receives the progress of a long task."""

    def say(self, text: str) -> None:
        """Called with a message for the user."""
        ...

    def update(self, task: str, done: int, total: int, text: str = "") -> None:
        """Called when ``task`` has reached ``done`` of ``total``."""
        ...


class Silent:
    """A Progress that ignores all calls."""

    def say(self, text: str) -> None:
        """Nothing."""

    def update(self, task: str, done: int, total: int, text: str = "") -> None:
        """Nothing."""


@checked
@accepts_urls(path=MODEL)
def load(
    path: str | Path,
    *,
    precision: Precision = "8bit",
    threads: int | None = None,
    style_files: Sequence[str | Path | tuple[str | Path, float]] = (),
) -> Model:
    """Open a model folder for writing music, alone or with style files; see :class:`Model`. Needs no torch.

    Raises:
        ModelError: There is no model, or a file of it is missing or was changed; or a style file cannot be used.
    """
    model = Model(Path(path), precision=precision, threads=threads, style_files=style_files)
    model.copies_within = lambda most: Judge(model).within(most)
    model.best_first = lambda: Ranker.of(model).best_first
    return model


@checked
@accepts_urls(path=MUSIC)
def check(path: str | Path, progress: Progress | None = None) -> Report:
    """Report what is in a folder of MIDI files: music, duplicates, and what cannot be used and why."""
    listener = progress or Silent()
    return check_folder(Path(path), progress=lambda done, total: listener.update("checking", done, total))


@checked
@accepts_urls(source=MUSIC, out=RemoteSpec(writes=True))
def clean(
    source: str | Path,
    out: str | Path,
    options: CleanOptions | None = None,
    *,
    force: bool = False,
    report: bool = False,
    progress: Progress | None = None,
) -> Copies:
    """Write cleaned copies of a folder of MIDI files, or of one file; rejected files are reported with the reason.

    Args:
        source: A folder of MIDI files, or one file. Nothing in it is changed.
        out: Another folder; the copies stand in the same folders in it, under the same names.
        options: How to clean, and which pieces to leave out; by default those without notes.
        force: Replace files that are in ``out`` already.
        report: Look into the copies too, as :func:`check` does.
        progress: Receives the progress.

    Raises:
        CorpusError: There is no ``source``, or no MIDI file in it.
        RequestError: ``out`` lies in ``source`` or is no folder, or cannot be made.
    """
    listener = progress or Silent()
    return copy_cleaned(
        Path(source),
        Path(out),
        options,
        force=force,
        report=report,
        progress=lambda d, t: listener.update("cleaning", d, t),
    )


@checked
@accepts_urls(source=MUSIC, out=WRITTEN_CORPUS)
def prepare(
    source: str | Path, out: str | Path, options: PrepareOptions | None = None, progress: Progress | None = None
) -> Corpus:
    """Make a corpus of a folder of MIDI files, or bring it up to date."""
    listener = progress or Silent()
    report, name = (lambda d, t: listener.update("preparing", d, t)), display_url(Path(source).resolve())
    return prepare_corpus(Path(source), Path(out), options, named=name, progress=report)


def prepare_text(corpus: Corpus, progress: Progress | None = None) -> list[Path]:
    """Write a corpus as text to read, a note a character, into its ``text/`` folder; the files written."""
    listener = progress or Silent()
    written = write_text_corpus(corpus, progress=lambda d, t: listener.update("writing text", d, t))
    publish(corpus.folder)
    return written


@checked
@accepts_urls(source=MUSIC, out=WRITTEN_MODEL, start_from=MODEL)
@locks("out")
def train(
    source: str | Path,
    out: str | Path,
    *,
    recipe: str = RECIPE,
    settings: Sequence[str] = (),
    minutes: float | None = None,
    size: Size | None = None,
    seed: int | None = None,
    start_from: str | Path | None = None,
    backend: BackendName = "torch",
    progress: Progress | None = None,
) -> folder.ModelFolder:
    """Train a model on a folder of MIDI files: check, prepare, tokenizer, train, evaluate, export.

    A stage is skipped if its result exists. Run again after an interruption, it resumes; run again when finished, it
    does nothing.

    Args:
        source: A folder of MIDI files, or a prepared corpus.
        out: Where the model folder goes.
        recipe: The name of a recipe, or the path of a recipe file.
        settings: ``section.key=value``, over the recipe.
        minutes: Train for this long, instead of the recipe's number of steps.
        size: nano, micro, small or base, instead of the recipe's size.
        seed: The seed of the random numbers; by default the recipe's.
        start_from: A model folder to start from; its tokenizer, shape and recipe are used.
        backend: ``torch`` or ``jax``; an interrupted run continues with the backend it began with.
        progress: Receives the progress.

    Returns:
        The model; of processes that train together, only the main one gets a folder that lists files.

    Raises:
        MissingExtra: torch, or JAX, is not installed.
        CorpusError: The folder cannot be trained on.
        RecipeError: The recipe or a setting is wrong.
        RequestError: ``out`` holds anything but a run of ours. Nothing was read or fetched.
        NotFiniteError: The loss is no longer a finite number.
        ToccataError: The disk is full, or ``out`` holds another run.
    """
    refuse_two_recipes(recipe, start_from)
    refuse_two_lengths(minutes, settings)
    settings = [*_as_settings(size, seed), *settings]
    run_of, computes = _training(backend)
    listener, out = _of_main(progress, computes), Path(out)
    parent = None if start_from is None else folder.open_parent(Path(start_from), out)
    before = None if parent is None else Seen.of_parent(parent, listener.say)
    chosen = _recipe(recipe, settings, minutes, parent, Path(source))
    model = None if start_from is None else display_url(start_from)
    called = command_line(display_url(source), display_url(out), recipe, settings, minutes, model, backend)
    run = run_of(chosen, out, parent, listener.say, computes, command=called)
    corpus, tokenizer, state = _taught(run, Path(source), listener)
    if not run.is_main:
        return run.wait()
    if (finished := run.finished(corpus, state)) is not None:
        listener.say(f"{display_url(out)} is finished already: nothing to do")
        return finished
    from toccata.finish import finish

    made = run.export(corpus, tokenizer, state)
    return finish(made, corpus, chosen, before, listener.say, listener.update)


def _taught(run: Run, source: Path, listener: Progress) -> tuple[Corpus, Tokenizer, State]:
    """Prepare the corpus and train to the end, from where an earlier call was interrupted."""
    run.refuse_other_run()
    corpus = _corpus(source, run.out, run.recipe, run.main_first, listener)
    listener.say(corpus.summary())
    tokenizer = run.tokenizer(corpus, listener.update)
    state = run.train(
        corpus,
        tokenizer,
        lambda step: listener.update("training", step.step, step.steps, str(step)),
        on_checkpoint=Publishing(run.out, listener.say),
        more_loggers=_sample_log(run, corpus, tokenizer),
    )
    if state.stopped and run.is_main:
        listener.say(f"Stopped at step {state.step:,}: {state.stopped}.")
    return corpus, tokenizer, state


def _sample_log(run: Run, corpus: Corpus, tokenizer: Tokenizer) -> list[tuple[str, Logger]]:
    """Return the logger that writes music with the weights so far; none where they are no model of their own."""
    if run.recipe.training.lora_rank:
        return []
    from toccata.training.loop import State

    def write(draft: folder.ModelFolder, sample: Path) -> None:
        load(draft.path).generate(bars=SAMPLE_BARS, seed=0)[0].save(sample, force=True)

    def export(place: Path, found: Evaluated) -> folder.ModelFolder:
        return run.export(corpus, tokenizer, State.at(found), place)

    return [("samples", SampleLog(run.folder, export, write))]


def training_samples(out: str | Path) -> list[tuple[int, Path]]:
    """Return the music that a training has written so far: the step after which it was, and a MIDI file.

    Args:
        out: The model folder that is being trained.
    """
    return [(step_of(path), path) for path in samples_of(Path(out) / folder.TRAINING)]


def _as_settings(size: Size | None, seed: int | None) -> list[str]:
    """Return arguments as the settings that they stand for."""
    values = {"model.size": size, "training.seed": seed}
    return [f"{key}={value}" for key, value in values.items() if value is not None]


def _training(backend: str) -> tuple[type[Run], Backend]:
    """Return the class of runs and the backend; only one of torch and JAX is loaded."""
    try:
        with threads_that_wait_briefly():
            from toccata.training.pipeline import Run

            if backend == "jax":
                from toccata.jaxnet.backend import JaxBackend

                return Run, JaxBackend()
            from toccata.training.torchnet import TorchBackend

            return Run, TorchBackend()
    except ModuleNotFoundError as error:
        extra = "jax" if backend == "jax" else "train"
        raise MissingExtra(f'training needs {error.name}: pip install "toccata[{extra}]"') from None


def _of_main(progress: Progress | None, backend: Backend) -> Progress:
    """Return what receives the progress: of several processes that train together, one speaks."""
    return progress if progress is not None and backend.is_main else Silent()


def _recipe(
    name: str,
    settings: Sequence[str],
    minutes: float | None,
    parent: folder.ModelFolder | None,
    source: Path,
    *,
    style_file: bool = False,
) -> Recipe:
    overrides = Settings.of(settings if minutes is None else [*settings, f"training.minutes={minutes}"])
    if parent is None:
        chosen = load_recipe(name, overrides)
    else:
        first = parent.about["lineage"].get("parent") is None
        before = recipe_of(parent)
        chosen = for_finetuning(parent.about["recipe"], overrides, first=first, style_file=style_file)
        refuse_other_shape(chosen, DecoderConfig.from_json(parent.config, parent.path / folder.CONFIG), parent.path)
        refuse_other_tokens(chosen, before, parent.path)
    refuse_rank(chosen.training.lora_rank, style_file)
    if (source / CORPUS).is_file():
        chosen = of_corpus(chosen, Corpus(source), overrides)
    return chosen


def _corpus(source: Path, out: Path, recipe: Recipe, main_first: Callable[[], Any], progress: Progress) -> Corpus:
    if (source / CORPUS).is_file():
        return Corpus(source).verify()
    training, name = out / folder.TRAINING, display_url(source.resolve())
    fresh = not (training / LAST).exists()  # a resumed run has the music that it began with
    with main_first():  # a model in the folder of its music does not learn its own samples
        return prepare_corpus(
            source, training / "corpus", recipe.prepare_options(), named=name, without=out, again=fresh,
            progress=lambda done, files: progress.update("preparing", done, files),
        )  # fmt: skip


def refuse_output(out: str | Path) -> None:
    """Refuse a folder, or an address, that a model cannot be written to: it holds something else than a run of ours.

    Raises:
        RequestError: It does. Nothing was read or fetched.
    """
    admit(out, WRITTEN_MODEL)


@checked
def finetune(
    source: str | Path,
    out: str | Path,
    *,
    model: str | Path,
    settings: Sequence[str] = (),
    minutes: float | None = None,
    seed: int | None = None,
    backend: BackendName = "torch",
    progress: Progress | None = None,
) -> folder.ModelFolder:
    """Teach a model your own files: :func:`train`, started from ``model``."""
    return train(
        source,
        out,
        settings=settings,
        minutes=minutes,
        seed=seed,
        start_from=model,
        backend=backend,
        progress=progress,
    )


@checked
@accepts_urls(source=MUSIC, model=MODEL)
def finetune_style(
    source: str | Path,
    out: str | Path,
    *,
    model: str | Path,
    settings: Sequence[str] = (),
    minutes: float | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> StyleFile:
    """Teach a model your own files by low-rank adaptation, and write what it learned to a small style file.

    The model stays as it is; ``toccata.load(model, style_files=[out])`` writes with what was learned. What resuming
    needs is beside the file, in a folder of its name that ends in ``.run``.

    Args:
        source: A folder of MIDI files, or a prepared corpus.
        out: Where the style file goes, ``NAME.safetensors``.
        model: The model folder to start from.
        settings: ``section.key=value``, over the model's recipe.
        minutes: Train for this long.
        seed: The seed of the random numbers.
        progress: Receives the progress.

    Raises:
        MissingExtra: torch is not installed.
        CorpusError: The folder cannot be trained on.
        RecipeError: A setting is wrong.
        RequestError: There is another file or folder at ``out``. Nothing was read or fetched.
        NotFiniteError: The loss is no longer a finite number.
        ToccataError: The disk is full, or the run there is another one.
    """
    refuse_two_lengths(minutes, settings)
    path = Path(out)
    place = run_folder(path)
    with locked(place):
        run_of, computes = _training("torch")
        listener = _of_main(progress, computes)
        from toccata.training.style import about_style, is_finished, write_style

        parent = folder.open_parent(Path(model), place)
        before = Seen.of_parent(parent, listener.say)
        settings = [*_as_settings(None, seed), *settings]
        chosen = _recipe(RECIPE, settings, minutes, parent, Path(source), style_file=True)
        called = finetune_line(display_url(source), str(path), settings, minutes, display_url(model))
        run = run_of(chosen, place, parent, listener.say, computes, command=called)
        corpus, _, state = _taught(run, Path(source), listener)
        about = about_style(path, parent, chosen.training, run.about(corpus, state))
        if not run.is_main:
            return StyleFile.unread(path, about)
        if is_finished(path, about):
            listener.say(f"{path} is finished already: nothing to do")
            return StyleFile.read(path)
        about |= learned_style(path.stem, corpus)
        arrays = run.trained()
        draft = write_style(place / folder.TRAINING / f"draft{SUFFIX}", arrays, about)
        with_it, alone = (load(parent.path, precision="fp32", style_files=files) for files in ([draft.path], []))
        about |= measure_style(with_it, alone, corpus, before, say=listener.say, update=listener.update)
        made = write_style(path, arrays, about)
        draft.path.unlink()
        return made


@checked
@accepts_urls(model=MODEL, source=MUSIC)
def evaluate(
    model: str | Path,
    source: str | Path,
    *,
    style_files: Sequence[str | Path | tuple[str | Path, float]] = (),
    include_seen: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a model on the pieces below ``source`` that it has not seen.

    Left out are the pieces that it, or a model that it was finetuned from, was trained on or validated on, and those
    that share long passages with these: excerpts, transpositions, near copies.

    Args:
        model: A model folder.
        source: A folder of MIDI files, or a prepared corpus.
        style_files: Style files to measure it with; the pieces that these were trained on are left out, too.
        include_seen: Measure on those, too.
        progress: Receives the progress.

    Raises:
        CorpusError: There is no piece to measure on.
    """
    listener = progress or Silent()
    opened = load(model, precision="fp32", style_files=style_files)
    options = recipe_of(opened.folder).clean
    read = read_pieces(Path(source), options, lambda done, files: listener.update("reading", done, files))
    styles = [used.file for used in opened.style_files]
    material = gather(read, [opened.folder], style_files=styles, include_seen=include_seen)
    scores = material.pieces
    if not scores:
        known = (material.seen or 0) + (material.shared or 0)
        raise CorpusError(
            f"{source} holds no piece that {opened.name} has not seen ({known} seen, whole or in part, "
            f"{len(material.unread)} cannot be used)",
            path=source,
        )
    found, trip = likelihood_of(opened, scores, lambda done: listener.update("measuring", done, len(scores)))
    from toccata.finish import BARS, PIECES

    written = validity(load(model, style_files=style_files).generate(n=PIECES, bars=BARS, seed=0), BARS)
    valid = written.valid / written.pieces
    used = tuple(one.to_json() for one in opened.style_files)
    return Evaluation(opened.name, found, trip, material, include_seen, written.pieces, valid, written.faults, used)


@checked
@accepts_urls(source=MUSIC)
def compare(
    systems: Sequence[str | Path],
    source: str | Path,
    *,
    pieces: int = 32,
    bars: int = 32,
    seed: int = 0,
    include_seen: bool = False,
    progress: Progress | None = None,
) -> Scoreboard:
    """Measure systems that write music, beside one another and beside the music by people below ``source``.

    Args:
        systems: Models, and folders of MIDI that other systems wrote.
        source: A folder of MIDI files by people, or a prepared corpus. Pieces that one of the models has seen, whole or
            in part, are left out.
        pieces: How many pieces each model writes.
        bars: How long. Pieces by people and by other systems are cut to as many.
        seed: Piece i of a model is that of ``seed + i``.
        include_seen: Measure on pieces that a model has seen, too.
        progress: Receives the progress.

    Raises:
        CorpusError: There is no piece to measure on, or a system has none that can be read.
        ModelError: A system is neither a model nor a folder of MIDI, or a model cannot be opened.
    """
    listener = progress or Silent()
    return compare_systems(
        [_place_of(system) for system in systems],
        Path(source),
        pieces=pieces,
        bars=bars,
        seed=seed,
        include_seen=include_seen,
        update=listener.update,
    )


@checked
def write_scoreboard(board: Scoreboard, path: str | Path, *, force: bool = False) -> Path:
    """Write a scoreboard as an HTML page that needs nothing but itself: the figures, and pieces to see and to hear.

    Raises:
        RequestError: There is a file already, and ``force`` is not given.
    """
    return write_page(as_page(board), Path(path), force)


@checked
def listening_test(
    systems: Sequence[str | Path],
    out: str | Path,
    *,
    pairs: int = 12,
    bars: int = 8,
    seed: int = 0,
    rolls: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write a page for a blind listening test of two systems: pairs of pieces on random sides; it needs no network.

    Args:
        systems: Two models, or folders of MIDI: by another system, or by people.
        out: The HTML file.
        pairs: How many pairs of pieces there are to hear.
        bars: How long each piece is; of pieces in folders, the first bars.
        seed: Of the pieces, of their order and of the sides.
        rolls: Show piano rolls, too.
        force: Replace a file that is there.
        progress: Receives the progress.

    Raises:
        ModelError: A system is neither a model nor a folder of MIDI, or a model cannot be opened.
        CorpusError: A folder has no file that can be read.
        RequestError: There are not two systems, one has too few pieces, or there is a file already.
    """
    listener = progress or Silent()
    places = [_place_of(system) for system in systems]
    page = listening_test_page(places, pairs=pairs, bars=bars, seed=seed, rolls=rolls, update=listener.update)
    return write_page(page, Path(out), force)


@checked
def bach(out: str | Path, *, limit: int | None = None, progress: Progress | None = None) -> DatasetReport:
    """Write the Bach chorales that the music21 library carries to a folder here, as MIDI, for training of your own."""
    listener = progress or Silent()
    return write_bach(Path(out), limit=limit, progress=lambda done, total: listener.update("writing", done, total))
