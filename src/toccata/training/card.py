"""The model card: what a model folder's README says."""

from __future__ import annotations

from typing import Any

from toccata import folder
from toccata.corpus.store import Corpus
from toccata.recipes import Recipe


def card(made: folder.ModelFolder, recipe: Recipe, corpus: Corpus, metrics: dict[str, Any]) -> str:
    """The card of a model, as Markdown."""
    about, lineage = made.about, made.about["lineage"]
    splits = corpus.about["splits"]
    lines = [
        f"# {about['name']}",
        "",
        f"A music model made with toccata {about['toccata']}, recipe `{recipe.name}`: {recipe.about}.",
        "",
        "## How to use it",
        "",
        "```sh",
        f"toccata generate --model {about['name']} --bars 16 -o idea.mid",
        f"toccata generate prompt.mid --model {about['name']} --bars 8 -o continued.mid",
        "```",
        "",
        "## What it learned from",
        "",
        f"{lineage['pieces']:,} pieces, {lineage['notes']:,} notes ({splits['train']} pieces to learn from, "
        f"{splits['valid']} to choose the "
        f"weights by, {splits['test']} for the score below). The licences of these pieces are not known to toccata: "
        f"say here what they are "
        "before you pass the model on.",
    ]
    if about["styles"]:
        lines += ["", f"Folders: {', '.join(about['styles'])}."]
    if lineage["parent"]:
        lines += ["", f"It started from `{lineage['parent']['name']}` (digest `{lineage['parent']['digest'][:16]}`)."]
    lines += [f"- {_generation(said)}" for said in made.learned[1:]]
    lines += ["", "## How good it is", ""]
    if "nats_per_note" in metrics:
        low, high = metrics["nats_per_note_ci95"]
        which = (
            "kept aside" if metrics["split"] == "test" else "used to choose the weights, so this is a little too good"
        )
        lines.append(
            f"- {metrics['nats_per_note']:.3f} nats a note (95 %: {low:.2f} to {high:.2f}) on {metrics['pieces']} "
            f"whole pieces {which}; "
            f"{metrics['notes']:,} notes."
        )
    elif "known_before" in metrics:
        lines.append("- The models before it know all pieces held back: nothing tells how well it does on others.")
    else:
        lines.append("- There were too few pieces to hold any back, so nothing is known of how well it does on others.")
    if "known_before" in metrics:
        lines.append(
            f"- Left out here are held-out pieces that the models before it know: {metrics['known_before']:,}."
        )
    lines += [
        f"- {metrics['valid']:.0%} of eight pieces written without a prompt had no fault.",
        f"- {lineage['step']:,} steps, {lineage['tokens'] / 1e6:.1f}M tokens, {lineage['minutes']:.0f} minutes of "
        f"training; the curve is in "
        "`training/loss.png`.",
        "",
        *_copied(metrics["copied"]),
        "",
    ]
    return "\n".join(lines)


def _generation(said: dict[str, Any]) -> str:
    """What a model before this one was trained on."""
    if said["pieces"] is None:
        return f"What `{said['model']}` learned from is not known: pieces of it count as new to this model."
    return f"`{said['model']}` had learned from {said['pieces']:,} pieces; this model knows them again."


def _copied(found: dict[str, Any] | None) -> list[str]:
    """Whether what it writes stands in what it was trained on."""
    if found is None:
        return ["Whether it repeats its training pieces was not checked: it wrote no notes."]
    people = found["people"]
    lines = [
        "## How original it is",
        "",
        f"The longest passage that also stands in its training pieces, in any key and at any tempo: {found['notes']} "
        f"notes in the piece in the middle of {found['pieces']} it wrote, {found['most']} at most.",
    ]
    if found.get("unindexed"):
        names = " and ".join(f"`{name}`" for name in found["unindexed"])
        lines.append(f"The pieces that {names} learned from were not compared: they are not in the index.")
    if people is not None and people["pieces"] < 3:
        many = "two pieces" if people["pieces"] > 1 else "one piece"
        lines.append(f"In the {many} by people held out: up to {people['most']} notes; too few to say what is usual.")
    elif people is not None:
        lines.append(
            f"In {people['pieces']} pieces by people that it was not trained on: {people['notes']} notes in the "
            f"middle, {people['most']} at most in nine of ten."
        )
    return lines
