"""A model's own judge: what of a piece it has written stands in the music it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median_high
from typing import Any

from toccata import folder
from toccata.corpus.store import Corpus
from toccata.engine.model import Model
from toccata.measure.originality import Normal, Originality, build_index, normal_of, originality
from toccata.measure.passages import Index
from toccata.piece import Piece


def write_index(made: folder.ModelFolder, corpus: Corpus) -> Index:
    """Index what a model was trained on, into its folder."""
    index = build_index(corpus)
    index.save(made.path / folder.ORIGINALITY)
    return index


class Judge:
    """Looks for passages of pieces in a model's training data.

    Attributes:
        normal: What is found in music by people that the model has not seen; None: it was trained on too little.
    """

    def __init__(self, model: Model) -> None:
        """Open the index of ``model``.

        Raises:
            ModelError: The model has none, or it is damaged.
        """
        self.index = Index.load(model.folder.file(folder.ORIGINALITY))
        self.normal: Normal | None = normal_of(self.index)

    @staticmethod
    def has(model: Model) -> bool:
        """Whether a model has an index."""
        return model.folder.has(folder.ORIGINALITY)

    def of(self, piece: Piece) -> Originality:
        """The longest passage of the new part of ``piece``."""
        score = piece.score if piece.new is None else piece.new
        return originality(score, self.index, since=piece.prompt_end or 0)

    def within(self, notes: int) -> Callable[[Piece], bool]:
        """Whether a piece has no passage longer than so many notes; one without a new note has none."""
        return lambda piece: not piece.origin.get("notes", 1) or self.of(piece).notes <= notes

    def summary(self, pieces: Sequence[Piece]) -> dict[str, Any] | None:
        """The longest passages of some pieces, beside what is normal, as plain JSON values; of no pieces, None."""
        if not pieces:
            return None
        lengths = [self.of(piece).notes for piece in pieces]
        found: dict[str, Any] = {"pieces": len(lengths), "notes": median_high(lengths), "most": max(lengths)}
        if (normal := self.normal) is not None:
            return {**found, "people": {"pieces": normal.pieces, "notes": normal.notes, "most": normal.notes_90}}
        return {**found, "people": None}
