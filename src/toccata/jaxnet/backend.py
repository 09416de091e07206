"""Training with JAX, as the pipeline sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import jax
from numpy.typing import NDArray

from toccata.corpus.examples import Examples
from toccata.jaxnet.learner import JaxLearner
from toccata.model.config import DecoderConfig
from toccata.training.compute import Compute
from toccata.training.options import TrainOptions


class JaxBackend:
    """One process that uses every device JAX finds; each of them takes ``training.micro_batch_size`` rows a batch."""

    name = "jax"
    is_main = True

    @property
    def devices(self) -> int:
        """The number of devices."""
        return len(jax.devices())

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """A block that runs at once: there is one process only."""
        yield

    def compute(
        self, config: DecoderConfig, options: TrainOptions, say: Callable[[str], None], most: int | None = None
    ) -> Compute:
        """Return how a run computes: ``precision="auto"`` is bf16 on GPUs and TPUs, and float32 on processors."""
        usual: Literal["bf16", "fp32"] = "fp32" if jax.default_backend() == "cpu" else "bf16"
        return Compute(usual if options.precision == "auto" else options.precision)

    def usable(self, known: Compute) -> Compute:
        """Return how a resumed run computes: there are no kernels to choose from."""
        return Compute(known.precision)

    def facts(self) -> dict[str, str]:
        """The device, and JAX's version."""
        return {"device": str(jax.devices()[0].device_kind), "jax": str(jax.__version__)}

    def learner(
        self,
        config: DecoderConfig,
        weights: Mapping[str, NDArray[Any]] | None,
        train: Examples,
        valid: Examples | None,
        options: TrainOptions,
    ) -> JaxLearner:
        """A Decoder to be taught."""
        return JaxLearner(config, weights, train, valid, options)
