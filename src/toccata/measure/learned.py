"""What a model was trained on, and what the models it was finetuned from were: kept in its folder, and looked up.

``data.json`` names, for each generation of a model's lineage, the content hashes of the pieces it was trained on and
validated on, and the passages by which pieces are grouped before they are split (see ``corpus.groups``). A model folder
is all that is needed: what its ancestors learned is copied into it, and their folders may be gone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from symusic import Score

from toccata import folder
from toccata.corpus.contents import marked
from toccata.corpus.groups import FEW, SHARED, related, thinned
from toccata.corpus.store import Corpus, Split
from toccata.errors import ModelError
from toccata.files import write_json
from toccata.folder import ModelFolder
from toccata.measure.originality import known_share
from toccata.measure.passages import Index
from toccata.midi.facts import Fingerprint, fingerprint

LEARNED = "learned"
"""The key of ``toccata.json`` that says how many pieces each generation learned."""
FORMAT = 2
STEPS = "steps-1"
"""The hash of format 1, which had no name: intervals and new onsets, without rhythm and drums."""
HASH = STEPS
"""The content hash that corpora have now."""
GRAMS = "grams-1"
"""The passages of `Fingerprint`, as they are now."""
SIDES: tuple[Split, ...] = ("train", "valid")
MOST_BYTES = 2**30
"""A larger ``data.json`` is not read."""

Kind = Literal["whole", "passages", "new"]
"""How a model knows a piece: it was trained on it or validated on it; it shares long passages with such pieces; or not
at all."""


def hashes(mark: Fingerprint) -> dict[str, str]:
    """The content hashes of a piece by their kind, as far as this version knows them."""
    return {STEPS: mark.content}


@dataclass(frozen=True, eq=False)
class Generation:
    """What one model of a lineage was trained on.

    Attributes:
        model: The model's name.
        digest: The model's digest; None for the model that the folder is of.
        hash: The kind of the content hashes.
        pieces: The content hashes of each side of the split; None where nobody knows what the model was trained on.
        passages: Of each piece, those of ``train`` before those of ``valid``; None where they were not kept.
    """

    model: str
    digest: str | None = None
    hash: str = HASH
    pieces: Mapping[Split, Sequence[str]] | None = None
    passages: Sequence[NDArray[np.uint64]] | None = field(default=None, repr=False)

    @classmethod
    def of_corpus(cls, model: str, corpus: Corpus) -> Generation:
        """What a model learns that is trained on ``corpus``."""
        pieces: dict[Split, list[str]] = {}
        passages: list[NDArray[np.uint64]] = []
        for side in SIDES:
            numbers = sorted(corpus.split(side), key=lambda i: corpus.pieces[i].content)
            pieces[side] = [corpus.pieces[i].content for i in numbers]
            passages += [_kept(fingerprint(corpus.score(i))) for i in numbers]
        return cls(model, None, HASH, pieces, passages)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        out: dict[str, Any] = {"model": self.model, "digest": self.digest}
        if self.pieces is None:
            return {**out, "train": None, "valid": None}
        out |= {"hash": self.hash, **{side: list(self.pieces[side]) for side in SIDES}}
        if self.passages is not None:
            whole = np.concatenate([np.empty(0, np.uint64), *self.passages]).astype("<u8")
            counts = ",".join(str(len(part)) for part in self.passages)  # in one line of the file
            out["passages"] = {"kind": GRAMS, "counts": counts, "hashes": base64.b64encode(whole.tobytes()).decode()}
        return out

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Generation:
        """From the content of the file.

        Raises:
            ValueError: It cannot be understood; a KeyError or a TypeError says the same.
        """
        pieces: dict[Split, list[str]] | None = None
        if any(said[side] is not None for side in SIDES):
            pieces = {side: [str(content) for content in said[side]] for side in SIDES}
        passages = None
        if pieces is not None and (kept := said.get("passages")) is not None and kept["kind"] == GRAMS:
            counts = [int(count) for count in kept["counts"].split(",") if count]
            whole = np.frombuffer(base64.b64decode(kept["hashes"], validate=True), "<u8").astype(np.uint64)
            if min(counts, default=0) < 0 or sum(counts) != len(whole) or len(counts) != sum(map(len, pieces.values())):
                raise ValueError("passages that are not those of the pieces")
            passages = np.split(whole, np.cumsum(counts)[:-1]) if counts else []
        digest = said.get("digest")
        return cls(
            str(said["model"]), None if digest is None else str(digest), str(said.get("hash", "")), pieces, passages
        )


@dataclass(frozen=True)
class Learned:
    """What a model and those before it were trained on.

    Attributes:
        generations: The model itself, the one it started from, and so on to the first.
    """

    generations: tuple[Generation, ...]

    @classmethod
    def of_training(cls, model: str, corpus: Corpus, before: Seen | None) -> Learned:
        """What a model learns that is trained on ``corpus``; ``before`` is what the model it starts from has seen."""
        generations = () if before is None else before.learned.generations
        return cls((Generation.of_corpus(model, corpus), *generations))

    @classmethod
    def of_parent(cls, parent: ModelFolder) -> Learned:
        """What a model that another one starts from has learned; nothing is known of it where it has no such file.

        Raises:
            ModelError: The file is there, and damaged.
        """
        if not (parent.path / folder.DATA).is_file():
            return cls(tuple(Generation(name, digest) for name, digest in lineage(parent)))
        own, *others = cls.of_model(parent).generations
        return cls((replace(own, model=parent.name, digest=parent.digest), *others))

    @classmethod
    def of_model(cls, made: ModelFolder) -> Learned:
        """What a model folder tells.

        Raises:
            ModelError: It does not tell, or not in a way that can be read.
        """
        path = made.path / folder.DATA
        try:
            if made.has(folder.DATA):  # folders of older versions have no digest of it
                made.file(folder.DATA)
            if path.stat().st_size > MOST_BYTES:
                raise ValueError("too large")
            said = json.loads(path.read_text(encoding="utf-8"))
            if "format" not in said:
                # Format 1 knew of no other generation: what those before it learned is lost.
                own = Generation.from_json({"model": made.name, "hash": STEPS, **{side: said[side] for side in SIDES}})
                return cls((own, *(Generation(name, digest) for name, digest in lineage(made)[1:])))
            if said["format"] != FORMAT:
                raise ModelError(
                    f"{path} has format {said['format']!r}, this version of toccata reads {FORMAT}: update toccata",
                    path=path,
                )
            found = cls(tuple(Generation.from_json(generation) for generation in said["generations"]))
            if not found.generations or found.generations[0].pieces is None:
                raise ValueError("nothing of the model itself")
            return found
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise ModelError(
                f"{path} is missing or damaged, so nobody knows which pieces the model has seen: copy the whole "
                "model folder again",
                path=path,
            ) from None

    def save(self, path: Path) -> None:
        """Write ``data.json`` into the model folder ``path``."""
        said = [generation.to_json() for generation in self.generations]
        write_json(path / folder.DATA, {"format": FORMAT, "generations": said})

    def summary(self) -> list[dict[str, Any]]:
        """For ``toccata.json``: of each generation its name, its digest, and how many pieces it was trained on."""
        return [
            {"model": g.model, "digest": g.digest, "pieces": None if g.pieces is None else len(g.pieces["train"])}
            for g in self.generations
        ]

    @property
    def unknown(self) -> tuple[str, ...]:
        """The models of the lineage of which nobody knows what they were trained on.

        Those are among them whose hashes this version cannot compute.
        """
        return tuple(g.model for g in self.generations if g.pieces is None or g.hash not in hashes(_NOTHING))

    def kinds(self, marks: Sequence[Fingerprint]) -> list[Kind]:
        """How the pieces with these fingerprints are known.

        Two pieces share long passages if the split of a corpus would keep them together: see ``corpus.groups.related``.
        """
        contents = {(g.hash, content) for g in self.generations for content in _contents(g)}
        found: list[Kind] = ["whole" if not contents.isdisjoint(hashes(m).items()) else "new" for m in marks]
        others = [number for number, kind in enumerate(found) if kind == "new"]
        # Each piece once, whichever generations learned it: what is in many pieces counts as an idiom.
        known: dict[tuple[str, str], NDArray[np.uint64]] = {}
        for g in self.generations:
            for content, passages in zip(_contents(g), g.passages or (), strict=g.passages is not None):
                known.setdefault((g.hash, content), passages)
        roots = related([*known.values(), *(_kept(marks[number]) for number in others)])
        theirs = set(roots[: len(known)])
        for number, root in zip(others, roots[len(known) :], strict=True):
            if root in theirs:
                found[number] = "passages"
        return found


class Seen:
    """Tells which pieces a model, or one before it, has seen, whole or in part.

    Attributes:
        learned: What it was trained on.
        index: Of its training pieces; None: it has none.
        unknown: The models of the lineage of which nobody knows what they were trained on.
        unindexed: Those whose training pieces are not in the index.
    """

    def __init__(self, made: ModelFolder, learned: Learned, index: Index | None) -> None:
        self.learned, self.index = learned, index
        self.unknown = learned.unknown
        self.unindexed = unindexed(made, index)

    @classmethod
    def of_model(cls, made: ModelFolder) -> Seen:
        """What a model has seen.

        Raises:
            ModelError: Its folder does not tell what it was trained on, or its index is damaged.
        """
        has_index = made.has(folder.ORIGINALITY)
        return cls(made, Learned.of_model(made), Index.load(made.file(folder.ORIGINALITY)) if has_index else None)

    @classmethod
    def of_parent(cls, parent: ModelFolder) -> Seen:
        """What a model that another one starts from has seen, as far as its folder tells it.

        Raises:
            ModelError: A file that tells it is damaged.
        """
        has_index = parent.has(folder.ORIGINALITY) and (parent.path / folder.ORIGINALITY).is_file()
        index = Index.load(parent.file(folder.ORIGINALITY)) if has_index else None
        return cls(parent, Learned.of_parent(parent), index)

    def kinds(self, pieces: Sequence[tuple[Fingerprint, bytes]]) -> list[Kind]:
        """How each piece, given by its fingerprint and as MIDI, is known.

        Those that no group holds are looked up in the index of training pieces, too, which knows shorter excerpts: a
        quarter of their notes in passages of 24 notes is what makes a group, and is enough there as well.
        """
        found = self.learned.kinds([mark for mark, _ in pieces])
        for number, (_, midi) in enumerate(pieces):
            if found[number] == "new" and self.index is not None:
                shares = known_share(Score.from_midi(midi), self.index) >= SHARED
                found[number] = "passages" if shares else "new"
        return found

    def held_out(self, corpus: Corpus) -> frozenset[int]:
        """The pieces that ``corpus`` holds out and the model has seen all the same: they prove nothing."""
        numbers = [*corpus.split("valid"), *corpus.split("test")]
        kinds = self.kinds([(marked(corpus, number), corpus.midi(number)) for number in numbers])
        return frozenset(number for number, kind in zip(numbers, kinds, strict=True) if kind != "new")


def unindexed(made: ModelFolder, index: Index | None) -> tuple[str, ...]:
    """The models of a lineage whose training pieces are not in the index of the last of them."""
    names = tuple(name for name, _ in lineage(made))
    if index is None:
        return names
    if not index.is_merged:  # as every index was once: of the training pieces of the model alone
        return names[1:]
    return tuple(name or made.name for name, count in index.models if count is None)


def _contents(generation: Generation) -> Iterable[str]:
    """All content hashes of a generation, in the order of its passages."""
    return [content for side in SIDES for content in (generation.pieces or {}).get(side, ())]


def _kept(mark: Fingerprint) -> NDArray[np.uint64]:
    """The passages that a corpus keeps of a piece."""
    return thinned(mark.passages) if len(mark.passages) > FEW else mark.passages


def lineage(made: ModelFolder) -> list[tuple[str, str | None]]:
    """Names and digests of a model and those before it, as far as its ``toccata.json`` tells them."""
    own = (made.name, made.digest)
    try:
        if (said := made.about.get(LEARNED)) is not None:
            return [own, *((str(g["model"]), g["digest"]) for g in said[1:])]
        parent = made.about["lineage"].get("parent")
        return [own] if parent is None else [own, (str(parent["name"]), str(parent["digest"]))]
    except (KeyError, TypeError, AttributeError):
        return [own, ("a model without a name", None)]


_NOTHING = Fingerprint("", np.empty(0, np.uint64))
