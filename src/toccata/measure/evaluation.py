"""What an evaluation found, and what it has to leave out: the pieces a model has seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toccata.corpus.store import Corpus
from toccata.errors import ModelError
from toccata.files import read_json, write_json
from toccata.measure.likelihood import Likelihood

DATA = "data.json"
"""The file in a model folder that names the contents of the pieces it was trained on and chosen by."""
_LARGEST = 128 << 20  # bytes; about 70 a piece


@dataclass(frozen=True)
class Evaluation:
    """What ``evaluate`` found.

    Attributes:
        model: The model's name.
        likelihood: Nats a note on the pieces.
        seen: Pieces left out because the model was trained on them or chose its weights by them.
        unread: Files left out because they cannot be read, or by the model's cleaning, each with its reason.
        written: Pieces written for this.
        valid: The share of those without a fault.
        faults: The faults of the others.
    """

    model: str
    likelihood: Likelihood
    seen: int
    unread: tuple[tuple[str, str], ...]
    written: int
    valid: float
    faults: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, the keys of DESIGN's ``evaluate``."""
        found = self.likelihood
        return {
            "model": self.model,
            "pieces": found.pieces,
            "notes": found.notes,
            "nats_per_note": round(found.nats_per_note, 4),
            "nats_per_note_ci95": [round(x, 4) for x in found.ci95],
            "nats_per_token": round(found.nats_per_token, 4),
            "tokens_per_note": round(found.tokens / found.notes, 4),
            "seen": self.seen,
            "unread": [{"path": path, "reason": reason} for path, reason in self.unread],
            "validity": {"pieces": self.written, "valid": self.valid, "faults": list(self.faults)},
        }


def write_seen(path: Path, corpus: Corpus) -> None:
    """Keep the contents of the pieces a model knows in its folder ``path``, for later evaluations to leave out."""
    seen = {side: sorted(corpus.pieces[i].content for i in corpus.split(side)) for side in ("train", "valid")}
    write_json(path / DATA, seen)


def seen_by(path: Path) -> set[str]:
    """The contents of the pieces that the model in ``path`` knows.

    Raises:
        ModelError: It does not say: measured on its own pieces, it would look far better than it is.
    """
    try:
        known = read_json(path / DATA, limit=_LARGEST)
        return {content for side in ("train", "valid") for content in known[side]}
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelError(
            f"{path / DATA} is missing or damaged, so nobody knows which pieces the model has seen: copy the whole "
            "model folder again, or measure on all of them (--all)",
            path=path / DATA,
        ) from None
