"""A model's own judge: what of a piece it has written stands in the music it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from statistics import median_high
from typing import Any

from toccata import folder
from toccata.corpus.store import Corpus
from toccata.measure.learned import Seen, unindexed
from toccata.measure.originality import Normal, Originality, build_index, normal_of, originality
from toccata.measure.passages import Index
from toccata.musicmodel import Model
from toccata.piece import Piece


def write_index(
    made: folder.ModelFolder, corpus: Corpus, before: Seen | None = None, known: Collection[int] = ()
) -> Index:
    """Index what a model and those before it were trained on, into its folder.

    Args:
        made: The model's folder.
        corpus: What it was trained on.
        before: What the model that it started from has seen; None: it started from none.
        known: The held-out pieces of ``corpus`` that this one has seen, too.
    """
    if before is None:
        index = build_index(corpus)
    else:
        inherited = None if before.index is None else (before.learned.generations[0].model, before.index)
        index = build_index(corpus, inherited=inherited, unknown=before.unindexed, known=known)
    index.save(made.path / folder.ORIGINALITY)
    return index


class Judge:
    """Looks for passages of pieces in a model's training data.

    Attributes:
        normal: What is found in music by people that the model has not seen; None: it was trained on too little.
        unindexed: The models that it was finetuned from whose training pieces are not in the index.
    """

    def __init__(self, model: Model) -> None:
        """Open the index of ``model``.

        Raises:
            ModelError: The model has none, or it is damaged.
        """
        self.index = Index.load(model.folder.file(folder.ORIGINALITY))
        self.normal: Normal | None = normal_of(self.index)
        self.unindexed = unindexed(model.folder, self.index)

    @property
    def beside(self) -> str:
        """The text after a number of known notes: what is usual, and what was not compared; may be empty."""
        usual = "" if self.normal is None else f"; {self.normal.middle}"
        if self.unindexed:
            usual += f"; what {' and '.join(self.unindexed)} learned is not known, and not compared"
        return usual

    @staticmethod
    def has(model: Model) -> bool:
        """Whether a model has an index."""
        return model.folder.has(folder.ORIGINALITY)

    def of(self, piece: Piece) -> Originality:
        """The longest passage of ``piece``, by its new notes; only the bars in which these begin are looked at."""
        if piece.new is not None and not piece.new.note_num():
            return Originality()
        return originality(piece.score, self.index, since=piece.prompt_end or 0, new=piece.new)

    def within(self, notes: int) -> Callable[[Piece], bool]:
        """Whether a piece has no passage longer than so many notes; one without a new note has none."""
        return lambda piece: not piece.origin.get("notes", 1) or self.of(piece).notes <= notes

    def summary(self, pieces: Sequence[Piece]) -> dict[str, Any] | None:
        """The longest passages of some pieces, beside what is normal, as plain JSON values; of no pieces, None."""
        if not pieces:
            return None
        lengths = [self.of(piece).notes for piece in pieces]
        found: dict[str, Any] = {"pieces": len(lengths), "notes": median_high(lengths), "most": max(lengths)}
        if self.unindexed:
            found["unindexed"] = list(self.unindexed)
        if (normal := self.normal) is not None:
            return {**found, "people": {"pieces": normal.pieces, "notes": normal.notes, "most": normal.notes_90}}
        return {**found, "people": None}
