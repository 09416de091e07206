"""What a model card has of a training."""

from __future__ import annotations

import pytest

from toccata.training.card import steps_in_words


@pytest.mark.parametrize(
    ("lineage", "words"),
    [
        ({"step": 400}, "400 steps"),
        ({"step": 400, "steps": 400}, "400 steps"),
        ({"step": 400, "steps": 1000}, "1,000 steps (the weights are those of step 400)"),
    ],
)
def test_a_card_names_the_step_of_the_weights_where_it_is_not_the_last(lineage: dict[str, int], words: str) -> None:
    assert steps_in_words(lineage) == words
