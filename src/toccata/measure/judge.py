"""A model's own judge: what of a piece it has written stands in the music it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from toccata import folder
from toccata.corpus.store import Corpus
from toccata.errors import ModelError
from toccata.measure.figures import median
from toccata.measure.learned import Seen
from toccata.measure.lineage import lineage, unindexed
from toccata.measure.originality import Normal, Originality, build_index, build_sketch, nearest, normals_of, originality
from toccata.measure.passages import Index
from toccata.measure.sketch import EVERY, Sketch
from toccata.midi.bars import bar_map, rescaled_onset
from toccata.musicmodel import Model
from toccata.piece import Piece


def write_index(
    made: folder.ModelFolder, corpus: Corpus, before: Seen | None = None, known: Collection[int] = ()
) -> Index:
    """Index what a model and those before it were trained on, into its folder.

    A thinned index of those before it is copied: it cannot be made part of the new one.

    Args:
        made: The model's folder.
        corpus: What it was trained on.
        before: What the model that it started from has seen; None: it started from none.
        known: The held-out pieces of ``corpus`` that this one has seen, too.
    """
    (made.path / folder.SKETCH).unlink(missing_ok=True)
    if before is None:
        index = build_index(corpus)
    else:
        parent = before.learned.generations[0].model
        inherited = None if before.index is None else (parent, before.index)
        sketch = None if before.sketch is None else before.sketch.inherited(parent)
        index = build_index(corpus, inherited=inherited, sketch=sketch, unknown=before.unindexed, known=known)
        if sketch is not None:
            sketch.save(made.path / folder.SKETCH)
    index.save(made.path / folder.ORIGINALITY)
    return index


def thin_index(path: Path, corpus: Corpus, every: int = EVERY) -> folder.ModelFolder:
    """Put a thinned index of what a model was trained on in place of its index; its digest becomes another.

    Args:
        path: The model's folder.
        corpus: What it was trained on.
        every: The thinned index has a passage for each so many notes, about; see ``measure.sketch``.

    Raises:
        ModelError: It was finetuned, so that its index has the pieces of other models, too; or it was trained on
            another corpus.
    """
    made = folder.open_folder(path)
    if len(lineage(made)) > 1:
        raise ModelError(f"{path} was finetuned: only the index of a model trained from nothing is thinned", path=path)
    if (data := made.about["lineage"].get("data")) not in (None, corpus.digest):
        raise ModelError(f"{path} was trained on another corpus than {corpus.folder} ({data})", path=path)
    build_sketch(corpus, every=every).save(path / folder.SKETCH)
    (path / folder.ORIGINALITY).unlink(missing_ok=True)
    return folder.seal(path, {key: value for key, value in made.about.items() if key not in ("files", "format")})


class Judge:
    """Looks for passages of pieces in a model's training data.

    Attributes:
        normals: What is found in music by people that the model has not seen, by its length; empty: it was trained on
            too little.
        index: Of its training pieces, and of those of the models it was finetuned from; None: it has a thinned one
            alone.
        sketch: A thinned index: of its training pieces, or of those of the models it was finetuned from; None: it has
            none.
        unindexed: The models that it was finetuned from whose training pieces are in neither of them.
    """

    def __init__(self, model: Model) -> None:
        """Open the index of ``model``, or its thinned index, or both.

        Raises:
            ModelError: The model has none, or one is damaged.
        """
        has = model.folder.has
        self.sketch = Sketch.load(model.folder.file(folder.SKETCH)) if has(folder.SKETCH) else None
        self.index: Index | None = None
        if self.sketch is None or has(folder.ORIGINALITY):
            self.index = Index.load(model.folder.file(folder.ORIGINALITY))
        self._known = [index for index in (self.index, self.sketch) if index is not None]
        self.normals = normals_of(self._known[0])
        self.unindexed = unindexed(model.folder, self.index, self.sketch)

    def normal(self, bars: int) -> Normal | None:
        """What is found in music by people of about ``bars`` bars; None: it is not known."""
        return nearest(self.normals, bars)

    def usual(self, piece: Piece) -> Normal | None:
        """What is found in music by people about as long as the new bars of ``piece``; None: it is not known."""
        return self.normal(new_bars(piece))

    def beside(self, piece: Piece) -> str:
        """The text after the known notes of ``piece``: what is usual, and what was not compared; may be empty."""
        normal = self.usual(piece)
        usual = "" if normal is None else f"; {normal.middle}"
        if self.sketch is not None:
            names = " and ".join(name for name, _ in self.sketch.models if name)
            usual += f"; compared with a sample of {f'the passages that {names} learned' if names else 'its passages'}"
        if self.unindexed:
            usual += f"; what {' and '.join(self.unindexed)} learned is not known, and not compared"
        return usual

    @staticmethod
    def has(model: Model) -> bool:
        """Whether a model has an index, or a thinned one."""
        return model.folder.has(folder.ORIGINALITY) or model.folder.has(folder.SKETCH)

    def of(self, piece: Piece) -> Originality:
        """The longest passage of ``piece``, by its new notes; only the bars in which these begin are looked at."""
        if piece.new is not None and not piece.new.note_num():
            return Originality()
        return originality(piece.score, self._known, since=piece.prompt_end or 0, new=piece.new)

    def within(self, notes: int) -> Callable[[Piece], bool]:
        """Whether a piece has no passage longer than so many notes; one without a new note has none.

        By a thinned index passages are known by a lower bound of their length: some that are longer pass.
        """
        return lambda piece: not piece.origin.get("notes", 1) or self.of(piece).notes <= notes

    def summary(self, pieces: Sequence[Piece]) -> dict[str, Any] | None:
        """The longest passages of some pieces, beside what is normal, as plain JSON values; of no pieces, None.

        ``bars`` is the median length of the pieces, and in ``people`` that of the music by people; without it, that is
        of several lengths.
        """
        if not pieces:
            return None
        lengths = [self.of(piece).notes for piece in pieces]
        bars = median([new_bars(piece) for piece in pieces])
        found: dict[str, Any] = {
            "pieces": len(lengths), "bars": bars, "notes": median(lengths), "most": max(lengths),
        }  # fmt: skip
        if self.sketch is not None:
            found["at_least"] = True
        if self.unindexed:
            found["unindexed"] = list(self.unindexed)
        normal = self.normal(bars)
        if normal is None:
            return {**found, "people": None}
        people = {"pieces": normal.pieces, "notes": normal.notes, "most": normal.notes_90}
        return {**found, "people": people | ({"bars": normal.bars} if normal.bars else {})}


def new_bars(piece: Piece) -> int:
    """The number of bars of a piece that are new: those after a prompt, or in which new notes begin."""
    bars = bar_map(piece.score)
    if piece.new is None:
        return len(bars) - (bars.at(piece.prompt_end) if piece.prompt_end else 0)
    grids = piece.score.ticks_per_quarter, piece.new.ticks_per_quarter
    onsets = {rescaled_onset(note.time, *grids) for track in piece.new.tracks for note in track.notes}
    return len({bars.at(onset) for onset in onsets})
