"""The pieces that a model, and the models it was finetuned from, were trained on: saved in its folder, and looked up.

``data.json`` names, for each generation of a model's lineage, the content hashes of the pieces it was trained on and
validated on; ``fingerprints.idx`` has the fingerprints of the same pieces in the same order, by which pieces are
grouped before they are split (see ``corpus.groups``). The data of all ancestors is copied into the model folder, so
their own folders are not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata import folder
from toccata.corpus.arrayfile import Types, read_arrays, write_arrays
from toccata.corpus.columns import as_text
from toccata.corpus.contents import marked
from toccata.corpus.groups import FEW, SHARED, related, thinned
from toccata.corpus.store import Corpus, Split
from toccata.errors import ModelError
from toccata.files import read_json, write_json
from toccata.folder import ModelFolder
from toccata.measure.lineage import UNNAMED, lineage, unindexed
from toccata.measure.originality import known_share
from toccata.measure.passages import Index
from toccata.measure.sketch import Sketch
from toccata.midi.facts import Fingerprint
from toccata.tasks.coverage import PASSAGES, Coverage, Passage
from toccata.tasks.coverage import PIECES as COUNTED
from toccata.tokenizers.options import MOST_STYLES

FORMAT, MARKS_FORMAT = 2, 1
EXACT, STEPS = "exact-2", "steps-1"
"""Kinds of content hashes: all notes with their rhythm; and intervals and new onsets alone, as format 1 had them."""
MARKS = "passages-1 sketch-1"
"""The kind of fingerprints that this version computes; those of another kind are not compared."""
SIDES: tuple[Split, ...] = ("train", "valid")
PIECES = "pieces"
"""The key of a style file's metadata with the content hashes of the pieces that it was trained and validated on."""
MOST_IN_STYLE = 2000
"""The most pieces whose content hashes are in a style file: 70 bytes each."""
MOST_BYTES = 2**30
"""A larger ``data.json`` is not read."""

Kind = Literal["whole", "passages", "new"]
"""How a model knows a piece: it was trained or validated on it; it shares long passages with such pieces, or is nearly
one of them; or not at all."""

TYPES: Types = {
    "steps": ("<u8",),
    "passages": ("<u8",),
    "sketches": ("<u8",),
    "starts": ("<u8",),
    "sketch_starts": ("<u8",),
}
"""The arrays of ``fingerprints.idx``: the hash of each piece's steps, its passages and its sketch."""


def hashes(mark: Fingerprint) -> dict[str, str]:
    """Return the content hashes of a piece that this version computes, by their kind."""
    return {EXACT: mark.content, STEPS: mark.steps}


@dataclass(frozen=True, eq=False)
class Generation:
    """The training data of one model of a lineage.

    Attributes:
        model: The model's name.
        digest: The model's digest; None for the folder's own model.
        hash: The kind of the content hashes.
        pieces: The content hashes of each side of the split; None where the training data is unknown.
        marks: The fingerprint of each piece, those of ``train`` before those of ``valid``; None where they were not
            saved. Their passages are thinned as in a corpus.
    """

    model: str
    digest: str | None = None
    hash: str = EXACT
    pieces: Mapping[Split, Sequence[str]] | None = None
    marks: Sequence[Fingerprint] | None = field(default=None, repr=False)

    @classmethod
    def of_corpus(cls, model: str, corpus: Corpus) -> Generation:
        """Return the training data of a model that is trained on ``corpus``."""
        hashed = corpus.column("content")
        sides = {side: (n := corpus.numbers(side))[np.argsort(hashed[n], kind="stable")].tolist() for side in SIDES}
        pieces = {side: [as_text(number) for number in hashed[sides[side]].tolist()] for side in SIDES}
        return cls(model, None, EXACT, pieces, [_thinned(marked(corpus, i)) for i in chain(*sides.values())])

    @classmethod
    def of_style(cls, name: str, digest: str, about: Mapping[str, Any]) -> Generation:
        """Return the training data that the metadata of a style file record; unknown where they do not."""
        saved, name = about.get(PIECES), name if name.isprintable() else UNNAMED
        try:
            return cls.from_json({**(saved or {}), "model": name, "digest": digest})
        except (ValueError, LookupError, TypeError, AttributeError):
            return cls(name, digest)

    @property
    def contents(self) -> list[str]:
        """All content hashes, in the order of the fingerprints; empty where they are unknown."""
        return [content for content, _ in self.of_sides(SIDES)]

    def of_sides(self, sides: Sequence[Split]) -> Iterator[tuple[str, Fingerprint | None]]:
        """Yield the content hash of each piece of some sides, and its fingerprint where it was saved."""
        marks = iter(self.marks or ())
        for side in SIDES:
            for content in () if self.pieces is None else self.pieces[side]:
                mark = next(marks, None)
                if side in sides:
                    yield content, mark

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, without the fingerprints."""
        pieces: dict[str, Any] = {side: None if self.pieces is None else list(self.pieces[side]) for side in SIDES}
        return {"model": self.model, "digest": self.digest, "hash": self.hash, **pieces}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Generation:
        """Return the generation that ``data``, a part of ``data.json``, describes.

        Raises:
            ValueError: ``data`` is invalid. A KeyError, TypeError or AttributeError means the same.
        """
        pieces: dict[Split, list[str]] | None = None
        if any(data[side] is not None for side in SIDES):
            pieces = {side: [str(content) for content in data[side]] for side in SIDES}
        digest = data.get("digest")
        if not str(data["model"]).isprintable():  # it is printed, and written into other files
            raise ValueError("a name that cannot be printed")
        return cls(str(data["model"]), None if digest is None else str(digest), str(data["hash"]), pieces)


@dataclass(frozen=True)
class Learned:
    """The training data of a model and of its ancestors.

    Attributes:
        generations: The model itself, its parent, and so on to the first.
    """

    generations: tuple[Generation, ...]

    @classmethod
    def of_training(cls, model: str, corpus: Corpus, before: Seen | None) -> Learned:
        """Return the training data of a new model; ``before`` is that of its parent, if it has one."""
        generations = () if before is None else before.learned.generations
        return cls((Generation.of_corpus(model, corpus), *generations))

    @classmethod
    def of_parent(cls, parent: ModelFolder) -> Learned:
        """Return the training data of a parent model; unknown where its folder has no ``data.json``.

        Raises:
            ModelError: The file is damaged.
        """
        if not (parent.path / folder.DATA).is_file():
            return cls(tuple(Generation(name, digest) for name, digest in lineage(parent)))
        own, *others = cls.of_model(parent).generations
        return cls((replace(own, model=parent.name, digest=parent.digest), *others))

    @classmethod
    def of_model(cls, made: ModelFolder) -> Learned:
        """Return the training data that a model folder records.

        Raises:
            ModelError: The file is missing or damaged.
        """
        path = made.path / folder.DATA
        try:
            if made.has(folder.DATA):  # folders of older versions have no digest of it
                made.file(folder.DATA)
            document = read_json(path, limit=MOST_BYTES)
            if "format" not in document:
                # Format 1 recorded no other generation: the training data of the ancestors is lost.
                own = Generation.from_json(
                    {"model": made.name, "hash": STEPS, **{side: document[side] for side in SIDES}}
                )
                return cls((own, *(Generation(name, digest) for name, digest in lineage(made)[1:])))
            if document["format"] != FORMAT:
                raise ModelError(
                    f"{path} has format {document['format']!r}, this version of toccata reads {FORMAT}: update toccata",
                    path=path,
                )
            found = [Generation.from_json(generation) for generation in document["generations"]]
            if not found or found[0].pieces is None:
                raise ValueError("nothing of the model itself")
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise ModelError(
                f"{path} is missing or damaged, so nobody knows which pieces the model has seen: copy the whole "
                "model folder again",
                path=path,
            ) from None
        if made.has(folder.FINGERPRINTS) and (made.path / folder.FINGERPRINTS).is_file():
            return cls(tuple(_with_marks(found, made.file(folder.FINGERPRINTS))))
        return cls(tuple(found))

    def save(self, path: Path) -> None:
        """Write ``data.json`` and ``fingerprints.idx`` into the model folder ``path``."""
        generations = [generation.to_json() for generation in self.generations]
        write_json(path / folder.DATA, {"format": FORMAT, "generations": generations})
        counts = [None if g.marks is None else len(g.marks) for g in self.generations]
        header = {"format": MARKS_FORMAT, "kind": MARKS, "generations": counts}
        marks = [mark for g in self.generations for mark in g.marks or ()]
        write_arrays(path / folder.FINGERPRINTS, header, _arrays(marks), TYPES)

    def summary(self) -> list[dict[str, Any]]:
        """Return the name, digest and number of training pieces of each generation, for ``toccata.json``."""
        return [
            {"model": g.model, "digest": g.digest, "pieces": None if g.pieces is None else len(g.pieces["train"])}
            for g in self.generations
        ]

    @property
    def unknown(self) -> tuple[str, ...]:
        """The models of the lineage whose training data is unknown, or hashed in a way this version cannot compute."""
        return tuple(g.model for g in self.generations if g.pieces is None or g.hash not in hashes(_NOTHING))

    def kinds(self, marks: Sequence[Fingerprint], sides: Sequence[Split] = SIDES) -> list[Kind]:
        """Return how the model knows each of some pieces.

        Two pieces share long passages if the split of a corpus would put them on one side: see
        ``corpus.groups.related``.

        Args:
            marks: The fingerprints of the pieces.
            sides: The sides of the split to compare with; ``train`` alone leaves out validation pieces.
        """
        learned = [(g.hash, *piece) for g in self.generations for piece in g.of_sides(sides)]
        contents = {(kind, content) for kind, content, _ in learned}
        found: list[Kind] = ["whole" if not contents.isdisjoint(hashes(m).items()) else "new" for m in marks]
        others = [number for number, kind in enumerate(found) if kind == "new"]
        # Each piece once, though several generations may have learned it: a passage of many pieces counts as an idiom.
        known = {(kind, content): mark for kind, content, mark in learned if mark is not None}
        every = [*known.values(), *(_thinned(marks[number]) for number in others)]
        roots = related([m.passages for m in every], [m.sketch for m in every], [m.steps for m in every])
        theirs = set(roots[: len(known)])
        for number, root in zip(others, roots[len(known) :], strict=True):
            if root in theirs:
                found[number] = "passages"
        return found


def coverage_of(corpus: Corpus) -> Coverage:
    """Count what the training pieces of a corpus have, and each of its styles."""
    numbers = corpus.sample("train", COUNTED)
    if len(corpus.styles) < 2:
        return Coverage.of_scores(corpus.score(number) for number in numbers)
    styles = [style - 1 if style else None for style in corpus.column("style")[numbers].tolist()]
    counted = Coverage.of_scores((corpus.score(number) for number in numbers), styles)
    return replace(counted, passages=dict(_passages(corpus)))


def _passages(corpus: Corpus) -> Iterator[tuple[int, tuple[Passage, ...]]]:
    """The first bars of some training pieces of each style that has a control token."""
    numbers = corpus.numbers("train")
    styles = corpus.column("style")[numbers]
    for style in range(min(len(corpus.styles), MOST_STYLES)):
        some = corpus.drawn(numbers[styles == style + 1], PASSAGES)
        yield style, tuple(Passage.of(corpus.score(int(number))) for number in some)


def learned_style(name: str, corpus: Corpus) -> dict[str, Any]:
    """Return what a style file says of the music it is trained on: content hashes, and what it covers.

    Of more than :data:`MOST_IN_STYLE` pieces the hashes are left out, as the file is to stay small.
    """
    pieces = None
    if sum(len(corpus.numbers(side)) for side in SIDES) <= MOST_IN_STYLE:
        pieces = Generation.of_corpus(name, corpus).to_json()
    covered = Coverage.of_scores(corpus.score(number) for number in corpus.sample("train", COUNTED))
    return {PIECES: pieces, folder.COVERAGE: covered.to_json()}


class Seen:
    """Finds out which pieces a model or its ancestors have seen, whole or in part.

    Attributes:
        learned: The training data of the model and its ancestors.
        index: The index of its training pieces; None: it has none.
        sketch: The thinned index of its training pieces, or of an ancestor's; None: it has none.
        unknown: The models of the lineage whose training data is unknown.
        unindexed: The models of the lineage whose training pieces are in neither of them.
        coverage: What they have learned of instruments, meters and tempos; None: unknown.
    """

    def __init__(self, made: ModelFolder, learned: Learned, index: Index | None, sketch: Sketch | None = None) -> None:
        self.learned, self.index, self.sketch = learned, index, sketch
        self.unknown = learned.unknown
        self.unindexed = unindexed(made, index, sketch)
        self.coverage = Coverage.from_json(made.about.get(folder.COVERAGE))

    @classmethod
    def of_model(cls, made: ModelFolder, style_files: Sequence[tuple[str, str, Mapping[str, Any]]] = ()) -> Seen:
        """Return what a model has seen.

        Args:
            made: Its folder.
            style_files: Name, digest and metadata of the style files it is used with.

        Raises:
            ModelError: Its folder does not record its training data, or its index is damaged.
        """
        index = Index.load(made.file(folder.ORIGINALITY)) if made.has(folder.ORIGINALITY) else None
        sketch = Sketch.load(made.file(folder.SKETCH)) if made.has(folder.SKETCH) else None
        learned = Learned.of_model(made)
        later = tuple(Generation.of_style(*style) for style in style_files)
        learned = replace(learned, generations=(*later, *learned.generations))
        return cls(made, learned, index, sketch)

    @classmethod
    def of_parent(cls, parent: ModelFolder, say: Callable[[str], None] | None = None) -> Seen:
        """Return what the parent of a new model has seen, as far as its folder records it.

        Args:
            parent: The model to start from.
            say: Called with a message about training data that is unknown.

        Raises:
            ModelError: A file is damaged.
        """
        has_index, has_sketch = (
            parent.has(name) and (parent.path / name).is_file() for name in (folder.ORIGINALITY, folder.SKETCH)
        )
        index = Index.load(parent.file(folder.ORIGINALITY)) if has_index else None
        sketch = Sketch.load(parent.file(folder.SKETCH)) if has_sketch else None
        seen = cls(parent, Learned.of_parent(parent), index, sketch)
        if seen.unknown and say is not None:
            say(
                f"Nobody knows which pieces {' and '.join(seen.unknown)} learned ({parent.path} does not tell): "
                "the new model will not know them again"
            )
        return seen

    def kinds(self, pieces: Sequence[tuple[Fingerprint, bytes]], sides: Sequence[Split] = SIDES) -> list[Kind]:
        """Return how the model knows each piece, given by its fingerprint and as MIDI; see `Learned.kinds`.

        Pieces that are new by their fingerprints are also looked up in the indexes of training pieces, which find
        shorter excerpts. The threshold is that of groups: a quarter of the notes in passages of 24 notes.
        """
        found = self.learned.kinds([mark for mark, _ in pieces], sides)
        for number, (_, midi) in enumerate(pieces):
            if found[number] != "new":
                continue
            indexes = [index for index in (self.index, self.sketch) if index is not None]
            if any(known_share(Score.from_midi(midi), index) >= SHARED for index in indexes):
                found[number] = "passages"
        return found

    def held_out(self, corpus: Corpus) -> frozenset[int]:
        """Return the held-out pieces of ``corpus`` that the model has seen: its score on them proves nothing.

        Validation pieces that the model was only validated on are not among them.
        """
        known: set[int] = set()
        sides: dict[Split, Sequence[Split]] = {"valid": ("train",), "test": SIDES}
        for side, seen in sides.items():
            numbers = corpus.numbers(side).tolist()
            kinds = self.kinds([(marked(corpus, number), corpus.midi(number)) for number in numbers], seen)
            known |= {number for number, kind in zip(numbers, kinds, strict=True) if kind != "new"}
        return frozenset(known)


def _thinned(mark: Fingerprint) -> Fingerprint:
    """Return a fingerprint with its passages thinned as in a corpus."""
    return replace(mark, passages=thinned(mark.passages)) if len(mark.passages) > FEW else mark


def _arrays(marks: Sequence[Fingerprint]) -> dict[str, NDArray[Any]]:
    """Return fingerprints as the arrays of a file."""

    def joined(parts: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
        return np.concatenate([np.empty(0, np.uint64), *parts]).astype("<u8")

    def starts(parts: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
        return np.cumsum([0, *map(len, parts)]).astype("<u8")

    passages, sketches = [mark.passages for mark in marks], [mark.sketch for mark in marks]
    return {
        "steps": np.array([int(mark.steps, 16) for mark in marks], "<u8"),
        "passages": joined(passages),
        "sketches": joined(sketches),
        "starts": starts(passages),
        "sketch_starts": starts(sketches),
    }


def _with_marks(generations: Sequence[Generation], path: Path) -> Iterator[Generation]:
    """Yield the generations with their fingerprints from the file at ``path``; without, if it has another kind of them.

    Raises:
        ModelError: The file is damaged, of another format, or not of these pieces.
    """
    try:
        header, arrays = read_arrays(path, MARKS_FORMAT, TYPES)
        if header["kind"] != MARKS:
            yield from generations
            return
        counts = [None if g.pieces is None else len(g.contents) for g in generations]
        there = [None if count is None else int(count) for count in header["generations"]]
        if len(there) != len(counts) or any(n not in (None, m) for n, m in zip(there, counts, strict=True)):
            raise ValueError("fingerprints of other pieces")
        bounds = [arrays[name].astype(np.int64) for name in ("starts", "sketch_starts")]
        total = sum(count or 0 for count in there)
        for edges, values in zip(bounds, (arrays["passages"], arrays["sketches"]), strict=True):
            if len(edges) != total + 1 or edges[0] or edges[-1] != len(values) or (np.diff(edges) < 0).any():
                raise ValueError("fingerprints that begin nowhere")
        if len(arrays["steps"]) != total:
            raise ValueError("other steps")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ModelError(f"{path} is damaged: copy the whole model folder again", path=path) from None
    number = 0
    for generation, count in zip(generations, there, strict=True):
        if count is None:
            yield generation
            continue
        marks = []
        for content in generation.contents:
            passages, sketch = (
                arrays[name][edges[number] : edges[number + 1]].astype(np.uint64)
                for name, edges in zip(("passages", "sketches"), bounds, strict=True)
            )
            marks.append(Fingerprint(content, passages, f"{int(arrays['steps'][number]):016x}", sketch))
            number += 1
        yield replace(generation, marks=marks)


_NOTHING = Fingerprint("", np.empty(0, np.uint64))
