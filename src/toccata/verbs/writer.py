"""What a verb knows of the model that writes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np

from toccata.engine.job import Decoded, DecodeJob
from toccata.engine.sampling import Sampling
from toccata.errors import RequestError
from toccata.events import Event, PieceRestarted
from toccata.piece import Piece
from toccata.tasks.compile import compile_request
from toccata.tasks.fill import can_fill
from toccata.tasks.request import Request, Task
from toccata.tokenizers.base import Tokenizer

PieceVerb: TypeAlias = Generator[DecodeJob | Event, Decoded | None, Piece]
"""A verb that writes one piece."""
MAX_TOKENS = 4096
"""New ids a piece may have if bars are not asked for; with bars, this many for every 8 of them."""
TRIES = 16
"""So many times a piece is written at most, where not all are accepted."""


@dataclass(frozen=True)
class Writer:
    """A model, as verbs see it.

    Attributes:
        name: What it is called.
        digest: Of its folder.
        precision: What its weights are computed with.
        tokenizer: Its tokenizer.
        context: Ids that it can read at a time.
        styles: The styles that it has learned to tell apart, by number.
        controls: Whether it has learned what controls mean.
        fill: Whether it has learned to fill.
    """

    name: str
    digest: str
    precision: str
    tokenizer: Tokenizer
    context: int
    styles: tuple[str, ...] = ()
    controls: bool = False
    fill: bool = False

    @property
    def fills(self) -> bool:
        """Whether it can write bars from what stands around them."""
        return self.fill and can_fill(self.tokenizer)

    @property
    def how_to_fill(self) -> str:
        """What a model needs that shall fill."""
        other = "" if can_fill(self.tokenizer) else " and recipe toccata, as the tokens of this one cannot say it"
        return f"train a model with examples.fill=0.25{other}"

    def refuse_no_fill(self) -> None:
        """Refuse to fill with a model that has not learned it.

        Raises:
            RequestError: It has not.
        """
        if not self.fills:
            raise RequestError(f"{self.name} has not learned to fill: {self.how_to_fill}")

    def compile(self, request: Request, room: int) -> Task:
        """A request as what the model reads, of at most ``room`` ids, and the rules for what it writes.

        Raises:
            RequestError: The request contradicts itself, or the model cannot do it.
        """
        return compile_request(request, self.tokenizer, room, controls=self.controls)

    def origin(self, seed: int, sampling: Sampling) -> dict[str, Any]:
        """What the origin of every piece says of who wrote it, and how."""
        return {
            "model": self.name,
            "digest": self.digest,
            "precision": self.precision,
            "seed": seed,
            "sampling": asdict(sampling),
        }


def further_seed(seed: int, number: int) -> int:
    """The seed of the job with a number, of those that make one piece; the first has the piece's own."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) if number else seed


def accepted(write: Callable[[int], PieceVerb], seed: int, accept: Callable[[Piece], bool], piece: int) -> PieceVerb:
    """Write a piece, again with other seeds until one is accepted.

    Args:
        write: Writes it with a seed.
        seed: The first.
        accept: Judges every piece that is written.
        piece: Its number, for events.

    Raises:
        RequestError: None is accepted.
    """
    own = seed
    for attempt in range(TRIES):
        made = yield from write(own)
        if accept(made):
            return made
        own = int(np.random.SeedSequence([seed, attempt]).generate_state(1)[0])
        yield PieceRestarted(piece)
    raise RequestError(f"none of {TRIES} pieces was accepted: ask for less, or for more than these bars")
