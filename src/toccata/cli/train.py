"""``toccata train`` and ``finetune``."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import click

from toccata.cli.base import PATH, Face, Value, command, many, refuse_file, refuse_remote
from toccata.cli.settings import setting

STYLE_FILE = ".safetensors"
"""The suffix of an output that is a style file."""
_BACKEND = click.option("--backend", type=click.Choice(["torch", "jax"]), help="Training library.  [torch]")


@command(
    "train",
    examples=(
        "toccata train midi/bach --minutes 10 -o models/bach",
        "toccata train midi/bach --recipe bach-gpt -o models/gpt training.steps=500",
        "toccata train midi/bach -o models/small --size nano training.lr=0.002 examples.transpose=0",
    ),
)
@click.argument("midi_dir", type=PATH)
@click.argument("settings", nargs=-1, metavar="[SECTION.KEY=VALUE]...")
@click.option(
    "--recipe", type=Value("recipe"), metavar="NAME|FILE", help="How: a recipe's name or your own .toml.  [toccata]"
)
@click.option(
    "--size", type=click.Choice(("nano", "micro", "small", "base")), help="Model size, instead of the recipe's."
)
@click.option("-o", "--output", type=PATH, metavar="DIR", help="The model.  [models/MIDI_DIR]")
@click.option("--minutes", type=Value("minutes"), metavar="M", help="Train for as long as you have.")
@click.option(
    "--from", "parent", type=Value("model"), metavar="DIR|NAME", help="Start from this model instead of from nothing."
)
@click.option("--seed", type=Value("run_seed"), metavar="S", help="Seed of the random numbers.  [0]")
@_BACKEND
def train(face: Face, midi_dir: Path, settings: tuple[str, ...], **options: Any) -> None:
    """Train a model on a folder of MIDI files, or on a corpus.

    All in one go: check, prepare, tokenizer, training, evaluation, model folder. Interrupted at any moment, the same
    command goes on; finished, it does nothing. SECTION.KEY=VALUE changes the recipe (`toccata recipes`).
    """
    _train(face, midi_dir, settings, **options)


@command(
    "finetune",
    examples=(
        "toccata finetune midi/mine --model models/bach --minutes 5 -o models/mine",
        "toccata finetune midi/mine --model models/bach -o mine.safetensors",
        "toccata generate --model models/bach --style-file mine.safetensors --bars 16",
    ),
)
@click.argument("midi_dir", type=PATH)
@click.argument("settings", nargs=-1, metavar="[SECTION.KEY=VALUE]...")
@click.option(
    "--model",
    "-m",
    "parent",
    type=Value("model"),
    metavar="DIR|NAME",
    help="The model to start from; else as for generate.",
)
@click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="DIR|FILE",
    help="The model, or a style file: NAME.safetensors.  [models/MIDI_DIR]",
)
@click.option("--minutes", type=Value("minutes"), metavar="M", help="Train for as long as you have.")
@click.option("--seed", type=Value("run_seed"), metavar="S", help="Seed of the random numbers.  [0]")
@_BACKEND
def finetune(face: Face, midi_dir: Path, settings: tuple[str, ...], parent: str | None, **options: Any) -> None:
    """Teach a model your own MIDI files.

    The model's tokenizer, shape and recipe are kept. It stops by itself where it would begin to memorise. A style file
    has only what is new (low-rank adaptation), and is small; the model that it is used with stays as it is.
    """
    output = options["output"]
    if output is not None and output.suffix == STYLE_FILE:
        _style_file(face, midi_dir, settings, parent=parent, **options)
        return
    _train(face, midi_dir, settings, parent=parent, recipe=None, finetunes=True, **options)


def _train(
    face: Face,
    midi_dir: Path,
    settings: Sequence[str],
    *,
    recipe: str | None,
    output: Path | None,
    minutes: float | None,
    parent: str | None,
    seed: int | None,
    backend: Literal["torch", "jax"] | None,
    size: Literal["nano", "micro", "small", "base"] | None = None,
    finetunes: bool = False,
) -> None:
    _refuse_no_settings(settings)
    from toccata import api

    out = output or Path("models") / midi_dir.resolve().name
    out = out if out.name else out.resolve()
    if parent is not None and recipe is not None:
        raise click.UsageError("a model that another one starts from keeps its recipe: leave out --recipe or --from")
    refuse_file(out, "the model")
    api.refuse_output(out)  # before the model to start from is fetched
    start_from: Path | None = None
    if finetunes or parent is not None:
        start_from = api.find_model(setting("model", parent) if finetunes else parent)
    face.place = out
    face.saved = f"what was done so far is kept in {api.display_url(out)}: run the same command again to go on"
    began = time.time()
    with face.progress() as progress:
        made = api.train(
            midi_dir,
            out,
            recipe=setting("recipe", recipe) or "toccata",
            settings=settings,
            size=size,
            seed=seed,
            minutes=minutes,
            start_from=start_from,
            backend=backend or "torch",
            progress=progress,
        )
    if not made.about["files"]:
        return  # the main process of the training prints the result
    metrics, lineage = made.metrics, made.about["lineage"]
    curve, log = made.path / "training" / "loss.png", made.path / "training" / "log.csv"
    value = {
        "model": made.about["name"],
        "path": api.display_url(made.path),
        "recipe": made.about["recipe"].get("name"),
        "finished_before": _made_at(made.path / "toccata.json") < began,
        "metrics": metrics,
        "lineage": lineage,
        "loss_curve": api.display_url(curve) if curve.exists() else None,
        "log": api.display_url(log) if log.exists() else None,
    }
    face.result(value, _trained(face, value))


def _style_file(
    face: Face,
    midi_dir: Path,
    settings: Sequence[str],
    *,
    output: Path,
    parent: str | None,
    minutes: float | None,
    seed: int | None,
    backend: str | None,
) -> None:
    """Train a style file."""
    from toccata import api

    if backend not in (None, "torch"):
        raise click.UsageError("style files are trained with torch: leave out --backend, or name a folder with -o")
    _refuse_no_settings(settings)
    refuse_remote([output])
    run = api.run_folder(output)
    start_from = api.find_model(setting("model", parent))
    face.place = run
    face.saved = f"what was done so far is kept in {run}: run the same command again to go on"
    began = time.time()
    with face.progress() as progress:
        made = api.finetune_style(
            midi_dir, output, model=start_from, settings=settings, minutes=minutes, seed=seed, progress=progress
        )
    if not made.digest:
        return  # the main process of the training prints the result
    curve, log = run / "training" / "loss.png", run / "training" / "log.csv"
    value = {
        "model": made.about["base"]["name"],
        "path": str(made.path),
        "recipe": made.about["recipe"].get("name"),
        "finished_before": _made_at(made.path) < began,
        "metrics": made.about.get("metrics", {}),
        "lineage": made.about["lineage"],
        "loss_curve": str(curve) if curve.exists() else None,
        "log": str(log) if log.exists() else None,
        "style_file": {
            **{name: made.about[name] for name in ("name", "base", "rank", "scale")},
            "digest": made.digest,
            "bytes": made.header.size,
        },
    }
    face.result(value, _trained_style(face, value, start_from))


def _trained_style(face: Face, value: dict[str, Any], model: Path) -> list[str]:
    if face.quiet:
        return [value["path"]]
    metrics, size = value["metrics"], value["style_file"]["bytes"] / 1000
    lines = [f"style file   {value['path']}, {size:,.0f} kB, for the model {value['model']}"]
    if "nats_per_note" in metrics:
        from toccata import api

        pieces = many(metrics["pieces"], "piece")
        lines.append(f"likelihood   {api.with_interval(metrics)} on {pieces} it has not seen; lower is better")
        lines.append(f"without it   {metrics['without']:.2f}")
    command = shlex.join(["toccata", "generate", "--model", str(model), "--style-file", value["path"]])
    return [*lines, "", "and now", f"  {command} --bars 16 --audio --plot"]


def _refuse_no_settings(texts: Sequence[str]) -> None:
    for text in texts:
        if text.find("=") < 1:
            raise click.UsageError(f"{text!r} is no setting: write section.key=value, e.g. training.lr=0.001")


def _made_at(out: Path) -> float:
    """When a model's ``toccata.json`` or a style file was written, as ``time.time`` tells it."""
    try:
        return out.stat().st_mtime
    except OSError:
        return math.inf


def _trained(face: Face, value: dict[str, Any]) -> list[str]:
    metrics, lines = value["metrics"], [f"model        {value['path']}"]
    if face.quiet:
        return [value["path"]]
    if "nats_per_note" in metrics:
        from toccata import api

        pieces = many(metrics["pieces"], "piece")
        lines.append(f"likelihood   {api.with_interval(metrics)} on {pieces} it has not seen; lower is better")
    if "valid" in metrics:
        lines.append(f"validity     {metrics['valid']:.0%} of the pieces it wrote are without a fault")
    if value["loss_curve"]:
        lines.append(f"loss curve   {value['loss_curve']}")
    if value["log"]:
        lines.append(f"log          {value['log']}")
    return [*lines, "", "and now", f"  toccata generate --model {value['path']} --bars 16 --audio --plot"]
