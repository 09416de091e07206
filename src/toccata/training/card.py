"""The model card: what a model folder's README says."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from toccata import folder
from toccata.corpus.store import Corpus
from toccata.folder import OwnSampling
from toccata.recipes import Recipe
from toccata.training.log import printable

Figure = Callable[[Mapping[str, Any], int], str]
"""Writes the likelihood in metrics as text, with so many digits and its confidence interval."""


def card(
    made: folder.ModelFolder,
    recipe: Recipe,
    corpus: Corpus,
    metrics: dict[str, Any],
    figure: Figure,
    few: Callable[[int], str],
    knows: str = "",
) -> str:
    """Return the card of a model, as Markdown.

    Args:
        made: The model.
        recipe: Its recipe.
        corpus: The corpus it was trained on.
        metrics: The results of its evaluation.
        figure: Writes the likelihood.
        few: Returns a text if so many pieces are too few for a statement; else an empty one.
        knows: The instruments, meters and tempos that it has learned, in words.
    """
    about, name = made.about, _inline(made.about["name"])
    lines = [
        f"# {name}",
        "",
        f"A music model made with toccata {about['toccata']}, recipe `{_inline(recipe.name)}`: "
        f"{_inline(recipe.about)}.",
        "",
        "## How to use it",
        "",
        "```sh",
        f"toccata generate --model {shlex.quote(name)} --bars 16 -o idea.mid",
        f"toccata generate prompt.mid --model {shlex.quote(name)} --bars 8 -o continued.mid",
        "```",
        "",
        *_data(made, corpus.about["splits"]),
        "",
        *([f"It knows {knows}; instruments that it has not learned are refused by name.", ""] if knows else []),
        *_quality(about["lineage"], metrics, about.get(folder.CALIBRATION), figure),
        "",
        *_sampling(metrics.get(folder.SAMPLING), about.get(folder.SAMPLING)),
        *sampling_by_style(metrics.get(folder.SAMPLING_BY_STYLE), about.get(folder.SAMPLING_BY_STYLE)),
        *copied_passages(metrics["copied"], few),
        "",
    ]
    return "\n".join(lines)


def _data(made: folder.ModelFolder, splits: Mapping[str, int]) -> list[str]:
    """Return the section on the training data."""
    about, lineage = made.about, made.about["lineage"]
    lines = [
        "## What it learned from",
        "",
        f"{lineage['pieces']:,} pieces, {lineage['notes']:,} notes ({splits['train']} pieces to learn from, "
        f"{splits['valid']} for validation, {splits['test']} for the score below). The licences of these "
        "pieces are not known to toccata: say here what they are before you pass the model on.",
    ]
    if about["styles"]:
        lines += ["", f"Folders: {', '.join(map(_inline, about['styles']))}."]
    if lineage["parent"]:
        parent = lineage["parent"]
        lines += ["", f"It started from `{_inline(parent['name'])}` (digest `{parent['digest'][:16]}`)."]
    return lines + [f"- {_generation(data)}" for data in made.learned[1:]]


def _quality(
    lineage: Mapping[str, Any], metrics: Mapping[str, Any], calibration: Mapping[str, Any] | None, figure: Figure
) -> list[str]:
    """Return the section on how well the model does on pieces that it has not seen."""
    lines = ["## How good it is", ""]
    if "nats_per_note" in metrics:
        which = (
            "kept aside" if metrics["split"] == "test" else "used to choose the weights, so this is a little too good"
        )
        whole = "whole piece" if metrics["pieces"] == 1 else "whole pieces"
        of = f" of {metrics['drawn_from']:,}" if "drawn_from" in metrics else ""
        lines.append(f"- {figure(metrics, 3)} on {metrics['pieces']}{of} {whole} {which}; {metrics['notes']:,} notes.")
    elif "known_before" in metrics:
        lines.append("- The models before it know all pieces held back: nothing tells how well it does on others.")
    else:
        lines.append("- There were too few pieces to hold any back, so nothing is known of how well it does on others.")
    if "known_before" in metrics:
        lines.append(
            f"- Left out here are held-out pieces that the models before it know: {metrics['known_before']:,}."
        )
    if calibration is not None:
        lines.append(
            f"- Calibrated: its logits are divided by {calibration['temperature']:.2f}, with which "
            f"{calibration['tokens']:,} tokens of the validation pieces cost {calibration['after']:.3f} nats each, "
            f"and not {calibration['before']:.3f}."
        )
    return [
        *lines,
        f"- {metrics['valid']:.0%} of eight pieces written without a prompt had no fault.",
        f"- {steps_in_words(lineage)}, {lineage['tokens'] / 1e6:.1f}M tokens, {lineage['minutes']:.0f} minutes of "
        "training; the curve is in `training/loss.png`.",
    ]


def steps_in_words(lineage: Mapping[str, Any]) -> str:
    """Return how many steps the training had, and of which of them the weights are."""
    step, steps = lineage["step"], lineage.get("steps", lineage["step"])
    return f"{steps:,} steps" if step == steps else f"{steps:,} steps (the weights are those of step {step:,})"


def _sampling(found: Mapping[str, Any] | None, own: Mapping[str, float] | None) -> list[str]:
    """Return the section on the sampling parameters with which it writes; empty if none were chosen."""
    if not found or not own:
        return []
    rows = sorted(found["settings"], key=lambda tried: float(tried["distance"]))
    return [
        "## How it writes",
        "",
        f"With {OwnSampling(**own)} by default. Of the settings tried, with these "
        f"the traits of {found['pieces']} pieces of {found['bars']} bars were closest to those of {found['held_out']} "
        "held-out pieces (mean Wasserstein distance, in standard deviations of the training music; "
        "`toccata.measure.traits`):",
        "",
        "| temperature | top-p | repeat penalty | distance |",
        "|---|---|---|---|",
        *(
            f"| {' | '.join(f'{tried[name]:g}' for name in OwnSampling._fields)} | {tried['distance']:.3f} |"
            for tried in rows
        ),
        "",
    ]


def sampling_by_style(found: Mapping[str, Any] | None, own: Mapping[str, Any] | None) -> list[str]:
    """Return the section on the sampling parameters of single styles; empty if none has its own."""
    if not found or not own:
        return []
    return [
        "### One style",
        "",
        "For one of these styles alone it has values of its own, unless temperature, top-p or repeat penalty are given."
        " Both distances are from pieces written with new seeds, to the same held-out pieces.",
        "",
        "| style | temperature | top-p | repeat penalty | distance | with the model's own |",
        "|---|---|---|---|---|---|",
        *(
            f"| {style} | {' | '.join(f'{setting[name]:g}' for name in OwnSampling._fields)} | "
            f"{found[style]['distance']:.3f} | {found[style]['own']:.3f} |"
            for style, setting in sorted(own.items())
        ),
        "",
    ]


def _generation(data: dict[str, Any]) -> str:
    """Return a line about the training data of an ancestor."""
    if data["pieces"] is None:
        return f"What `{_inline(data['model'])}` learned from is not known: pieces of it count as new to this model."
    return f"`{_inline(data['model'])}` had learned from {data['pieces']:,} pieces; this model knows them again."


def copied_passages(found: dict[str, Any] | None, few: Callable[[int], str]) -> list[str]:
    """Return the section on how much the model copies from its training pieces."""
    if found is None:
        return ["Whether it repeats its training pieces was not checked: it wrote no notes."]
    people = found["people"]
    lines = [
        "## How original it is",
        "",
        "The longest passage that also occurs in its training pieces, in any key and at any tempo, in "
        f"{found['pieces']} pieces{_of_bars(found)} that it wrote: median {found['notes']} notes, {found['most']} at "
        "most.",
    ]
    if found.get("at_least"):
        lines.append(
            "Of some of the pieces only a sample of all passages is known: passages may be longer, and short ones are "
            "often not found."
        )
    if found.get("unindexed"):
        names = " and ".join(f"`{_inline(name)}`" for name in found["unindexed"])
        lines.append(f"The pieces that {names} learned from were not compared: they are not in the index.")
    if people is not None and few(people["pieces"]):
        lines.append(
            f"What is usual in music by people that it was not trained on is not known: {few(people['pieces'])} was "
            "held back."
        )
    elif people is not None:
        longer = "" if "bars" in people else " They are longer than those it wrote, and longer music has longer ones."
        lines.append(
            f"In {people['pieces']} pieces by people that it was not trained on, "
            f"{_of_bars(people).strip() or 'of up to 64 bars'}: median {people['notes']} notes, {people['most']} at "
            f"most in nine of ten.{longer}"
        )
    return lines


def _of_bars(found: Mapping[str, Any]) -> str:
    """Return `` of 8 bars``; empty where the length is not known."""
    return f" of {found['bars']} bars" if "bars" in found else ""


def _inline(text: str) -> str:
    """Return a name for use in Markdown: on one line, without control characters and markup."""
    return " ".join(printable(text).split()).replace("`", "'").replace("<", "(").replace(">", ")")
