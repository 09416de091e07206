"""What follows a training: the exported model is calibrated and evaluated, and its card is written."""

from __future__ import annotations

from collections.abc import Callable

from toccata import folder
from toccata.corpus.store import Corpus
from toccata.files import write_text
from toccata.measure.calibration import calibrate
from toccata.measure.evaluation import measure_trained
from toccata.measure.figures import few, with_interval
from toccata.measure.learned import Seen
from toccata.musicmodel import Model
from toccata.recipes import Recipe
from toccata.tasks.coverage import Coverage
from toccata.training.card import card
from toccata.training.export import divide_logits
from toccata.training.options import FEWEST

BARS, PIECES = 8, 8
"""The bars of the pieces that are written for their validity, and how many there are."""


def finish(
    made: folder.ModelFolder,
    corpus: Corpus,
    recipe: Recipe,
    before: Seen | None,
    say: Callable[[str], None],
    update: Callable[[str, int, int], None],
) -> folder.ModelFolder:
    """Calibrate and evaluate a model that was just exported, and write what was found into its folder.

    Args:
        made: Its folder.
        corpus: What it was trained on.
        recipe: Its recipe.
        before: What the model that it started from has seen.
        say: Called with each message for the user.
        update: Called with the progress of a task: its name, done, and total.
    """
    if recipe.training.calibrate:
        made = calibrated(made, corpus, recipe, before, say)
    made, metrics = measure_trained(
        made,
        corpus,
        before,
        pieces=PIECES,
        bars=BARS,
        choose=recipe.training.choose_sampling,
        say=say,
        update=update,
    )
    coverage = Coverage.from_json(made.about.get(folder.COVERAGE))
    knows = "" if coverage is None else coverage.summary()
    write_text(made.path / folder.CARD, card(made, recipe, corpus, metrics, with_interval, few, knows))
    return folder.seal(made.path, {**made.about, "metrics": metrics})


def calibrated(
    made: folder.ModelFolder, corpus: Corpus, recipe: Recipe, before: Seen | None, say: Callable[[str], None]
) -> folder.ModelFolder:
    """Divide the logits of a model by what makes held-out music likeliest.

    As it is stays one of which fewer than three pieces are held back, or that started from one that knows some of them.
    """
    if len(corpus.numbers("valid")) < FEWEST or (before is not None and before.held_out(corpus)):
        return made
    model = Model(made.path, precision="fp32")
    found = calibrate(model, corpus, recipe.examples.held_out(), recipe.training.valid_rows)
    if found is None:
        return made
    say(
        f"Calibrated on {found.tokens:,} held-out tokens: logits divided by {found.temperature:.2f}, "
        f"{found.before:.3f} to {found.after:.3f} nats a token"
    )
    return divide_logits(made, found.temperature, {folder.CALIBRATION: found.to_json()})
