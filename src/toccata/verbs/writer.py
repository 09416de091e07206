"""The model as the verbs see it, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np

from toccata.engine.job import Decoded, DecodeJob
from toccata.engine.sampling import Sampling
from toccata.errors import RequestError
from toccata.events import Event, PieceRestarted
from toccata.piece import Piece
from toccata.tasks.compile import compile_request
from toccata.tasks.coverage import Coverage
from toccata.tasks.fill import can_fill
from toccata.tasks.request import Request, Task
from toccata.tasks.style_levels import with_style_levels
from toccata.tokenizers.base import Tokenizer
from toccata.tokenizers.vocabulary import DRUMS

PieceVerb: TypeAlias = Generator[DecodeJob | Event, Decoded | None, Piece]
"""A verb that writes one piece."""
MAX_TOKENS = 4096
"""The limit on the new ids of a piece without a number of bars; with one, the limit for every 8 bars."""
TRIES = 16
"""The most attempts at writing one piece, where ``accept`` rejects some."""


@dataclass(frozen=True)
class Writer:
    """A model, as the verbs see it.

    Attributes:
        name: The model's name.
        digest: The digest of its folder.
        precision: The precision of its weights.
        tokenizer: Its tokenizer.
        context: Its context length, in ids.
        styles: The styles it was trained to distinguish, by number.
        controls: Whether it was trained with control tokens.
        fill: Whether it was trained to infill.
        coverage: What it has learned of instruments, meters and tempos; None: unknown.
        style_files: The style files it is used with, as a piece's origin has them.
        version: The version of a model that comes with toccata; empty: it has none.
    """

    name: str
    digest: str
    precision: str
    tokenizer: Tokenizer
    context: int
    styles: tuple[str, ...] = ()
    controls: bool = False
    fill: bool = False
    coverage: Coverage | None = None
    style_files: Sequence[Mapping[str, Any]] = ()
    version: str = ""

    @property
    def fills(self) -> bool:
        """Whether it can infill."""
        return self.fill and can_fill(self.tokenizer)

    @property
    def how_to_fill(self) -> str:
        """How to train a model that can infill, in words."""
        other = "" if can_fill(self.tokenizer) else " and recipe toccata, as the tokens of this one cannot say it"
        return f"train a model with examples.fill=0.25{other}"

    def can_write(self, program: int, anyway: bool) -> bool:
        """Return whether it can write music for a program.

        Args:
            program: The program; -1 is the drums.
            anyway: Whether instruments that it has not learned may play.
        """
        grammar = self.tokenizer.grammar()
        if not grammar.scheme.has_programs:
            return program != -1
        if (DRUMS if program == -1 else program) not in grammar.program_values:
            return False
        return anyway or self.coverage is None or not self.coverage.known or program in self.coverage.known

    def refuse_no_fill(self) -> None:
        """Refuse to infill with a model that was not trained to.

        Raises:
            RequestError: The model cannot infill.
        """
        if not self.fills:
            raise RequestError(f"{self.name} has not learned to fill: {self.how_to_fill}")

    def compile(self, request: Request, room: int) -> Task:
        """Compile a request into a prompt of at most ``room`` ids, and the constraints on what is written.

        Raises:
            RequestError: The request contradicts itself, or the model cannot do it.
        """
        return compile_request(request, self.tokenizer, room, controls=self.controls, coverage=self.coverage)

    def with_style_levels(self, request: Request, seed: int) -> Request:
        """Return the request with levels of its style, see :mod:`toccata.tasks.style_levels`."""
        if not self.controls:
            return request
        return with_style_levels(request, self.coverage, self.tokenizer.grammar().scheme.levels, seed)

    def origin(self, seed: int, sampling: Sampling) -> dict[str, Any]:
        """Return what the origin of every piece records: the model, the seed and the sampling."""
        return {
            "model": self.name,
            "digest": self.digest,
            **({"version": self.version} if self.version else {}),
            "precision": self.precision,
            "seed": seed,
            "sampling": asdict(sampling),
            **({"style_files": [dict(one) for one in self.style_files]} if self.style_files else {}),
        }


def further_seed(seed: int, number: int) -> int:
    """Return the seed of one of the decode jobs of a piece; job 0 has the piece's own seed."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) if number else seed


def accepted(
    write: Callable[[int, int], PieceVerb], seed: int, accept: Callable[[Piece], bool] | None, piece: int
) -> PieceVerb:
    """Write a piece, again with other seeds until one is accepted.

    Args:
        write: Writes the piece of a seed and a number.
        seed: The seed of the first attempt.
        accept: Called with every piece; returns whether it is accepted. None: the first is.
        piece: The piece's number, for events.

    Raises:
        RequestError: No attempt is accepted.
    """
    own = seed
    for attempt in range(TRIES):
        made = yield from write(own, piece)
        if accept is None or accept(made):
            return made
        own = int(np.random.SeedSequence([seed, attempt]).generate_state(1)[0])
        yield PieceRestarted(piece)
    raise RequestError(f"none of {TRIES} pieces was accepted: change the test (accept, max_copy), or the request")
