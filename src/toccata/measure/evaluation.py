"""Evaluation of a model on pieces that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from symusic import Score

from toccata.corpus.contents import contents_of
from toccata.corpus.store import Corpus, Split
from toccata.errors import ModelError
from toccata.folder import COVERAGE, LEARNED, SAMPLING, ModelFolder, seal
from toccata.measure.judge import Judge, write_index
from toccata.measure.learned import Kind, Learned, Seen, coverage_of, hashes
from toccata.measure.likelihood import Likelihood, likelihood
from toccata.measure.reference import USUAL, ReferenceStats, reference_stats, without
from toccata.measure.roundtrip import RoundTrip
from toccata.measure.sampling_choice import SamplingChoice, choose_sampling
from toccata.measure.validity import validity
from toccata.midi.clean import CleanOptions
from toccata.midi.facts import Fingerprint
from toccata.model.stylefile import StyleFile
from toccata.musicmodel import Model

MEASURED = 1000
"""The most held-out pieces that a newly trained model is measured on: more would add little."""


@dataclass(frozen=True)
class Material:
    """The pieces of a folder, as an evaluation sorts them.

    Attributes:
        pieces: Those to measure on, as MIDI.
        names: Their paths below the folder.
        seen: How many others, or of those if the seen ones are measured too, the model was trained on or validated on;
            None: unknown.
        shared: How many more share long passages with pieces that it was trained on or validated on: excerpts,
            arrangements, near copies; None: unknown.
        duplicates: Files left out because another one holds the same piece.
        unread: Files left out because they cannot be read, or by the cleaning, each with its reason.
        unknown: The models it was finetuned from whose training data is unknown.
    """

    pieces: tuple[bytes, ...]
    names: tuple[str, ...]
    seen: int | None
    shared: int | None
    duplicates: int
    unread: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Evaluation:
    """The result of ``evaluate``.

    Attributes:
        model: The model's name.
        likelihood: Nats a note on the pieces.
        trip: What the model's tokens leave out of the pieces: notes that are lost have no nats.
        material: Which pieces it was measured on, and which not.
        include_seen: Whether pieces that the model has seen were measured, too.
        written: Pieces written for this.
        valid: The share of those without a fault.
        faults: The faults of the others.
        style_files: The style files that the model was measured with, as a piece's origin has them.
    """

    model: str
    likelihood: Likelihood
    trip: RoundTrip
    material: Material
    include_seen: bool
    written: int
    valid: float
    faults: tuple[str, ...]
    style_files: tuple[dict[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, with the keys of DESIGN's ``evaluate``."""
        found, material = self.likelihood, self.material
        return {
            "model": self.model,
            "pieces": found.pieces,
            "notes": found.notes,
            "nats_per_note": round(found.nats_per_note, 4),
            "nats_per_note_ci95": found.interval,
            "nats_per_token": round(found.nats_per_token, 4),
            "tokens_per_note": round(found.tokens / found.notes, 4),
            "notes_lost": self.trip.lost,
            "seen": material.seen,
            "shared": material.shared,
            "seen_included": self.include_seen,
            "duplicates": material.duplicates,
            "unknown": list(material.unknown),
            "unread": [{"path": path, "reason": reason} for path, reason in material.unread],
            "validity": {"pieces": self.written, "valid": self.valid, "faults": list(self.faults)},
            **({"style_files": list(self.style_files)} if self.style_files else {}),
        }


@dataclass(frozen=True)
class PiecesRead:
    """The pieces of a folder, each once.

    Attributes:
        names: Their paths below the folder.
        pieces: Their fingerprints, and they themselves as MIDI.
        duplicates: How many more files hold one of them.
        unread: Files that cannot be used, each with its reason.
    """

    names: tuple[str, ...]
    pieces: tuple[tuple[Fingerprint, bytes], ...]
    duplicates: int
    unread: tuple[tuple[str, str], ...]


def read_pieces(source: Path, options: CleanOptions, progress: Callable[[int, int], None] | None = None) -> PiecesRead:
    """Read the pieces below ``source``.

    Args:
        source: A folder of MIDI files, or a prepared corpus.
        options: How files are cleaned.
        progress: Called with (files done, files in all).

    Raises:
        CorpusError: There is no such folder, or no MIDI file in it.
    """
    unread: list[tuple[str, str]] = []
    pieces, names = [], []
    contents: set[frozenset[tuple[str, str]]] = set()
    duplicates = 0
    for name, result in contents_of(source, options, progress):
        if isinstance(result, Exception):
            unread.append((name, str(result)))
            continue
        content = frozenset(hashes(result[0]).items())
        duplicates += content in contents
        if content not in contents:
            contents.add(content)
            pieces.append(result)
            names.append(name)
    return PiecesRead(tuple(names), tuple(pieces), duplicates, tuple(unread))


def gather(
    read: PiecesRead,
    models: Sequence[ModelFolder],
    *,
    style_files: Sequence[StyleFile] = (),
    include_seen: bool = False,
) -> Material:
    """Sort the pieces of a folder by whether some models have seen them, whole or in part.

    Args:
        read: The pieces.
        models: The folders of the models. A piece that one of them has seen counts as seen.
        style_files: The style files that they are used with.
        include_seen: Take pieces that they have seen, too.

    Raises:
        ModelError: A model does not say what it was trained on, and pieces that it has seen are not to be taken.
    """
    known = [_seen(made, style_files, include_seen) for made in models]
    each = [None if seen is None else seen.kinds(read.pieces) for seen in known]
    kinds: list[str] | None = None
    if None not in each:
        kinds = [_worst({kinds[number] for kinds in each if kinds}) for number in range(len(read.pieces))]
    unknown = [
        name
        for made, seen in zip(models, known, strict=True)
        for name in ((made.name,) if seen is None else seen.unknown)
    ]
    chosen = [n for n in range(len(read.pieces)) if include_seen or (kinds and kinds[n] == "new")]
    return Material(
        pieces=tuple(read.pieces[number][1] for number in chosen),
        names=tuple(read.names[number] for number in chosen),
        seen=None if kinds is None else kinds.count("whole"),
        shared=None if kinds is None else kinds.count("passages"),
        duplicates=read.duplicates,
        unread=read.unread,
        unknown=tuple(dict.fromkeys(unknown)),
    )


def _worst(kinds: Collection[Kind]) -> Kind:
    """Return how a piece is known to that of several models which knows it best."""
    return next((kind for kind in get_args(Kind) if kind in kinds), "new")


def likelihood_of(
    model: Model, pieces: Sequence[bytes], progress: Callable[[int], None]
) -> tuple[Likelihood, RoundTrip]:
    """The likelihood of pieces, given as MIDI, and what the model's tokens leave out of them; see `likelihood`."""
    trip = RoundTrip()

    def scores() -> Iterator[Score]:
        for midi in pieces:
            score = Score.from_midi(midi)
            trip.add(model.tokenizer, score)
            yield score

    return likelihood(model, scores(), progress), trip


def _seen(made: ModelFolder, style_files: Sequence[StyleFile], optional: bool) -> Seen | None:
    """Return what a model has seen, with style files; None: it is unknown, and ``optional``.

    Raises:
        ModelError: It is unknown: measured on its own pieces, the model would look far better than it is.
    """
    try:
        return Seen.of_model(made, [(style.name, style.digest, style.about) for style in style_files])
    except ModelError as error:
        if optional:
            return None
        message = f"{error.message}, or measure on all pieces (include_seen=True)"
        raise ModelError(message, path=error.path, kind=error.kind) from None


def measure_style(
    model: Model,
    plain: Model,
    corpus: Corpus,
    before: Seen,
    *,
    say: Callable[[str], None],
    update: Callable[[str, int, int], None],
) -> dict[str, Any]:
    """Measure a model with a style file that was just trained, and without it, on held-out pieces.

    Args:
        model: The model with the style file.
        plain: The model alone.
        corpus: What the style file was trained on.
        before: What the model has seen: held-out pieces that it knows are not measured on.
        say: Called with each message for the user.
        update: Called with the progress of a task: its name, done, and total.

    Returns:
        What to add to the file's metadata: ``metrics``, empty where there is no piece to measure on, in which
        ``without`` is the model's own likelihood; and what is usual in the music.
    """
    known = before.held_out(corpus)
    split, numbers, _ = _held_out(corpus, known)
    usual = reference_stats(corpus, model, None, known=known).to_dict()
    if not numbers:
        return {"metrics": {}, USUAL: usual}
    say(f"Measuring on {len(numbers):,} piece{'s' if len(numbers) > 1 else ''} the model has not seen")
    found = [
        likelihood(one, (corpus.score(i) for i in numbers), lambda done: update("measuring", done, len(numbers)))
        for one in (model, plain)
    ]
    metrics = {**found[0].to_dict(), "split": split, "without": found[1].to_dict()["nats_per_note"]}
    return {"metrics": metrics, USUAL: usual}


def measure_trained(
    made: ModelFolder,
    corpus: Corpus,
    before: Seen | None,
    *,
    pieces: int,
    bars: int,
    choose: bool = True,
    say: Callable[[str], None],
    update: Callable[[str, int, int], None],
) -> tuple[ModelFolder, dict[str, Any]]:
    """Measure a model that was just trained, and write into its folder what it learned and what is usual in it.

    Args:
        made: Its folder.
        corpus: What it was trained on.
        before: What the model that it started from has seen: held-out pieces that it knows are not measured on.
        pieces: How many pieces it writes, for their validity.
        bars: How long these are.
        choose: Whether to choose the temperature and top-p with which it writes by default.
        say: Called with each message for the user.
        update: Called with the progress of a task: its name, done, and total.

    Returns:
        The folder, with what was written into it, and the metrics.
    """
    known = frozenset() if before is None else before.held_out(corpus)
    metrics: dict[str, Any] = {"known_before": len(known)} if known else {}
    split, numbers, every = _held_out(corpus, known)
    if numbers:
        of = f", drawn from {every:,}" if every > len(numbers) else ""
        say(f"Measuring on {len(numbers):,} piece{'s' if len(numbers) > 1 else ''} the model has not seen{of}")
        found = likelihood(
            Model(made.path, precision="fp32"),
            (corpus.score(i) for i in numbers),
            lambda done: update("measuring", done, len(numbers)),
        )
        metrics |= {**found.to_dict(), "split": split}
        metrics |= {"drawn_from": every} if every > len(numbers) else {}
    index, model = write_index(made, corpus, before, known), Model(made.path)
    learned = Learned.of_training(made.name, corpus, before)
    learned.save(made.path)
    reference = reference_stats(corpus, model, index, known=known)
    tokens = int(made.about["lineage"]["tokens"])
    chosen = _chosen(model, corpus, known, reference, tokens, say, update) if choose else None
    if chosen is not None:
        metrics[SAMPLING] = chosen.to_dict()
    say("Writing a few pieces to see whether they are without a fault")
    written = model.generate(n=pieces, bars=bars, seed=0, sampling=None if chosen is None else chosen.sampling)
    metrics["valid"] = validity(written, bars).valid / pieces
    counted = coverage_of(corpus)
    coverage = counted.with_earlier(None if before is None else before.coverage)
    written_about: dict[str, Any] = {
        LEARNED: learned.summary(),
        USUAL: reference.to_dict(),
        COVERAGE: coverage.to_json(),
    }
    if chosen is not None:
        written_about[SAMPLING] = chosen.entry()
    made = seal(made.path, {**made.about, **written_about})
    metrics["copied"] = Judge(Model(made.path)).summary([piece for piece in written if piece.origin["notes"]])
    return made, metrics


def _chosen(
    model: Model,
    corpus: Corpus,
    known: Collection[int],
    reference: ReferenceStats,
    tokens: int,
    say: Callable[[str], None],
    update: Callable[[str, int, int], None],
) -> SamplingChoice | None:
    """Choose sampling parameters on the pieces for validation; None: there is too little to choose by."""
    try:
        chosen = choose_sampling(
            model,
            corpus,
            without(corpus.numbers("valid"), known).tolist(),
            reference,
            tokens,
            lambda done, every: update("choosing the temperature", done, every),
        )
    except Exception as error:  # whatever is wrong with it, a training is not lost for it
        say(f"The sampling parameters stay as they are, as none could be chosen: {error}")
        return None
    if chosen is not None:
        say(f"Writes most like music by people with {chosen.best.setting}")
    return chosen


def _held_out(corpus: Corpus, known: Collection[int]) -> tuple[Split, list[int], int]:
    """The pieces of ``corpus`` to measure on: those for tests, or, if there are none, those for validation.

    Returns:
        The side they are of; ``MEASURED`` of them at most, drawn by what they are; and how many there are.
    """
    sides: tuple[Split, ...] = ("test", "valid")
    for side in sides:
        numbers = without(corpus.numbers(side), known)
        if len(numbers):
            return side, corpus.drawn(numbers, MEASURED), len(numbers)
    return "test", [], 0
