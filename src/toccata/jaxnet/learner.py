"""A training step in JAX: compiled once, its batch divided among all devices.

A step is a pure function of weights, optimiser state, batch, learning rate and a key made of seed and step number. So a
run resumed from step n does at every later step exactly what the unbroken run does.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from toccata.corpus.batches import Batch, batches
from toccata.corpus.examples import Examples
from toccata.jaxnet import optim
from toccata.jaxnet.decoder import Decoder, Packing, nats
from toccata.jaxnet.weights import named, placed
from toccata.model.config import DecoderConfig
from toccata.training.compute import workers
from toccata.training.options import TrainOptions


class JaxLearner:
    """A Decoder and its optimisers, taught by numbered steps.

    Args:
        config: The Decoder's shape.
        weights: What to start from, by the names of a Decoder's parameters; None: from chance.
        train: Examples to learn from.
        valid: Examples to be measured on.
        options: How; ``options.micro_batch_size`` is for each device.
    """

    is_main = True

    def __init__(
        self,
        config: DecoderConfig,
        weights: Mapping[str, NDArray[Any]] | None,
        train: Examples,
        valid: Examples | None,
        options: TrainOptions,
    ) -> None:
        self.config, self.train, self.valid, self.options = config, train, valid, options
        mesh = Mesh(np.array(jax.devices()), ("rows",))
        self.everywhere = NamedSharding(mesh, PartitionSpec())  # type: ignore[no-untyped-call]
        self.by_rows = NamedSharding(mesh, PartitionSpec(None, "rows"))  # type: ignore[no-untyped-call]  # [A, B, T]
        self.rows = options.micro_batch_size * mesh.size
        self.dtype = jnp.dtype(jnp.bfloat16 if options.precision == "bf16" else jnp.float32)
        self.key = jax.random.key(options.seed)
        model = Decoder(config, self.key)
        self.model: Decoder = self._put(model if weights is None else placed(model, weights))
        self.optimizer = optim.build(options, self.dtype)
        self.state: Any = self._put(self.optimizer.init(self.model))
        self.ema: Decoder | None = None
        self.source: Generator[Batch, None, None] | None = None
        self.reads, self.sharded = 1, False
        self._losses: list[Array] = []
        self._valid: list[Any] = []
        self._update = jax.jit(
            partial(_update, self.optimizer, options.clip, self.dtype),
            donate_argnums=(0, 1),
            out_shardings=self.everywhere,
        )
        self._measure = jax.jit(partial(_measure, self.dtype), out_shardings=self.everywhere)
        self._mix = jax.jit(_mix, out_shardings=self.everywhere)

    def begin(self, step: int) -> None:
        """Make ready for the batches from ``step`` on."""
        self.end()
        options = self.options
        self.source = batches(
            self.train, self.rows, start=step * options.gradient_accumulation_steps, workers=workers(options)
        )
        if self.valid is not None and not self._valid:
            self._valid = self._valid_batches(self.valid)
            self._measure(self.model, self._valid[0])  # compiled now, so that an evaluation takes what it takes

    def end(self) -> None:
        """No more steps: end the workers."""
        if self.source is not None:
            self.source.close()
            self.source = None

    def step(self, number: int, lr: float) -> tuple[int, float]:
        """Update the weights once.

        Returns:
            Tokens read, and seconds spent waiting for data.
        """
        assert self.source is not None
        before = time.monotonic()
        taken = [next(self.source) for _ in range(self.options.gradient_accumulation_steps)]
        waiting = time.monotonic() - before
        key = jax.random.fold_in(self.key, number + 1)
        self.model, self.state, loss = self._update(self.model, self.state, self._spread(taken), key, lr)
        if self.options.ema:
            # Early on faster, so that the beginning is forgotten.
            decay = min(self.options.ema, (1 + number) / (10 + number))
            self.ema = self._mix(self.model if self.ema is None else self.ema, self.model, 1 - decay)
        self._losses.append(loss)
        return sum(batch.inputs.size for batch in taken), waiting

    def losses(self) -> list[float]:
        """The loss of each step since this was last called, in nats a token."""
        taken, self._losses = self._losses, []
        return [float(loss) for loss in taken]

    def evaluate(self) -> float | None:
        """The loss on the held-out examples, of the averaged weights where there are any; nats a token."""
        if not self._valid:
            return None
        model = self.model if self.ema is None else self.ema
        found = [self._measure(model, batch) for batch in self._valid]
        return float(sum(float(total) for total, _ in found) / sum(float(count) for _, count in found))

    def mean(self, value: float) -> float:
        """The mean of ``value`` over all processes: there is one."""
        return value

    def any(self, yes: bool) -> bool:
        """Whether a process says yes: there is one."""
        return yes

    def weights(self) -> dict[str, NDArray[Any]]:
        """The weights, averaged where they are, by name."""
        return named(self.model if self.ema is None else self.ema)

    def saved(self) -> dict[str, NDArray[Any]]:
        """All that later steps depend on."""
        parts = {"model": self.model, "optimizer": self.state, "ema": self.ema}
        return {f"{part}.{name}": array for part, tree in parts.items() for name, array in named(tree).items()}

    def save_parts(self, folder: Path) -> bool:
        """Write nothing: there is one process, which has all of the state."""
        return False

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put what :meth:`saved` gave into place.

        Raises:
            ModelError: It is of another model.
        """

        def part(name: str) -> dict[str, NDArray[Any]]:
            return {key.removeprefix(f"{name}."): a for key, a in arrays.items() if key.startswith(f"{name}.")}

        ema = part("ema")
        self.ema = self._put(placed(self.model, ema)) if ema else None
        self.model, self.state = (
            self._put(placed(self.model, part("model"))),
            self._put(placed(self.state, part("optimizer"))),
        )

    def _put(self, tree: Any) -> Any:
        return jax.device_put(tree, self.everywhere)

    def _spread(self, taken: list[Batch]) -> Any:
        """Batches as arrays ``[A, B, T]``, each device with its rows."""
        each = [(b.inputs, b.targets, Packing.of(b.lengths), b.features) for b in taken]
        return jax.device_put(jax.tree.map(lambda *arrays: np.stack(arrays), *each), self.by_rows)

    def _valid_batches(self, valid: Examples) -> list[Any]:
        """The held-out rows, the last batch filled up with rows that do not count."""
        rows = [valid.row(i) for i in range(self.options.valid_rows)]
        found = []
        for first in range(0, len(rows), self.rows):
            some = rows[first : first + self.rows]
            batch = Batch.of(some + [rows[0]] * (self.rows - len(some)))
            batch.targets[len(some) :] = -100
            found.append(self._spread([batch]))
        return found


def _loss(model: Decoder, dtype: jnp.dtype, micro: Any, key: Array | None) -> Array:
    inputs, targets, packing, features = micro
    total, count = nats(model(inputs, packing, key, dtype, features), targets)
    return total / count


def _update(
    optimizer: optax.GradientTransformation,
    clip: float,
    dtype: jnp.dtype,
    model: Decoder,
    state: Any,
    batch: Any,
    key: Array,
    lr: Array,
) -> tuple[Decoder, Any, Array]:
    """One step; batch arrays are ``[A, B, T]``, and the gradients of the A batches are averaged."""
    count = batch[0].shape[0]

    def add(sums: tuple[Array, Decoder], micro: tuple[Any, Array]) -> tuple[tuple[Array, Decoder], None]:
        found = jax.value_and_grad(_loss)(model, dtype, *micro)
        return jax.tree.map(lambda total, one: total + one / count, sums, found), None

    nothing = jnp.zeros(()), jax.tree.map(jnp.zeros_like, model)
    (loss, gradients), _ = jax.lax.scan(add, nothing, (batch, jax.random.split(key, count)))
    gradients = optim.clipped(gradients, clip)
    direction, state = optimizer.update(gradients, state, model)
    moved = jax.tree.map(lambda weight, way: weight - lr * way, model, direction)
    return moved, state, loss


def _measure(dtype: jnp.dtype, model: Decoder, batch: Any) -> tuple[Array, Array]:
    inputs, targets, packing, features = jax.tree.map(lambda array: array[0], batch)
    return nats(model(inputs, packing, None, dtype, features), targets)


def _mix(average: Decoder, model: Decoder, share: Array) -> Decoder:
    made: Decoder = jax.tree.map(lambda mean, new: mean + share * (new - mean), average, model)
    return made
