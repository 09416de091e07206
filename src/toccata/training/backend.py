"""The interface of training backends, which torch and JAX implement. Free of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from toccata.corpus.examples import Examples
from toccata.model.config import DecoderConfig
from toccata.training.compute import Compute
from toccata.training.options import TrainOptions

Weights = Mapping[str, NDArray[Any]]
"""A Decoder's parameters by name: ``blocks.0.attention.qkv.weight``; a tied head is left out."""


class Learner(Protocol):
    """A Decoder and its optimisers. What a step does follows from its number, so that runs can be resumed exactly."""

    @property
    def is_main(self) -> bool:
        """Whether this is the main process, which writes the files."""
        ...

    def begin(self, step: int) -> None:
        """Make ready for the batches from ``step`` on."""
        ...

    @property
    def sharded(self) -> bool:
        """Whether each process holds a part of the weights: what is done with them is done by all, then."""
        ...

    @property
    def reads(self) -> int:
        """The number of steps after which losses are read; 1 where reading them does not stall the device."""
        ...

    def step(self, number: int, lr: float) -> tuple[int, float]:
        """Update the weights once; the device may still be at it when this returns.

        Returns:
            Tokens read by all processes, seconds of waiting for data.
        """
        ...

    def losses(self) -> list[float]:
        """The loss of each step since this was last called: the mean over all processes, in nats a token."""
        ...

    def end(self) -> None:
        """No more steps."""
        ...

    def evaluate(self) -> float | None:
        """The loss on held-out examples in nats a token, of the averaged weights where there are any."""
        ...

    def mean(self, value: float) -> float:
        """The mean of ``value`` over all processes."""
        ...

    def any(self, yes: bool) -> bool:
        """Whether a process says yes: what all have to do alike, each of them asks for at the same place."""
        ...

    def weights(self) -> dict[str, NDArray[Any]]:
        """The weights by name, the averaged ones where there are any."""
        ...

    def saved(self) -> dict[str, NDArray[Any]]:
        """All that later steps depend on; the weights as ``model.NAME``."""
        ...

    def save_parts(self, folder: Path) -> bool:
        """Write what ``saved`` would give into a folder, each process its part; only of learners that are sharded.

        Returns:
            False: a number in it is not finite, and nothing was written.
        """
        ...

    def restore(self, arrays: Weights) -> None:
        """Put what :meth:`saved` gave into place; whatever it raises, the arrays are of another model."""
        ...


class Backend(Protocol):
    """A training backend: torch or JAX, with its devices."""

    @property
    def name(self) -> str:
        """The word for it on the command line."""
        ...

    @property
    def is_main(self) -> bool:
        """Whether this is the main process, which writes the files."""
        ...

    @property
    def devices(self) -> int:
        """The number of devices, each of which reads ``training.micro_batch_size`` rows of a batch."""
        ...

    def main_first(self) -> AbstractContextManager[None]:
        """A block that the main process runs before the others."""
        ...

    def compute(
        self, config: DecoderConfig, options: TrainOptions, say: Callable[[str], None], most: int | None = None
    ) -> Compute:
        """Return how a run computes on this machine; options left on ``auto`` are set to what is fastest.

        Args:
            config: The decoder.
            options: Of the run.
            say: Called with a message before a trial, which takes a while.
            most: The most steps that the run makes, whatever its options say; None: any number.
        """
        ...

    def usable(self, known: Compute) -> Compute:
        """Return how a resumed run computes, without what this machine cannot do."""
        ...

    def facts(self) -> dict[str, str]:
        """The device, and the library with its version."""
        ...

    def learner(
        self,
        config: DecoderConfig,
        weights: Weights | None,
        train: Examples,
        valid: Examples | None,
        options: TrainOptions,
    ) -> Learner:
        """A Decoder to be taught, from ``weights`` or from chance."""
        ...
