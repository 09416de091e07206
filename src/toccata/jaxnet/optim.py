"""The optimisers of ``toccata.training.optim`` on optax: AdamW, and Muon for matrices with AdamW for the rest."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from toccata.jaxnet.decoder import Decoder
from toccata.model.layout import EMBEDDINGS
from toccata.training.options import TrainOptions


class Momentum(NamedTuple):
    """The state of Muon: a running sum of each matrix's gradients."""

    momentum: Any


def build(options: TrainOptions, dtype: Any = jnp.float32) -> optax.GradientTransformation:
    """The direction in which to move a Decoder's weights; the caller multiplies it by minus the learning rate.

    Norms, biases and embeddings are not decayed. ``dtype`` is what Muon multiplies matrices in.
    """
    adam = optax.scale_by_adam(options.beta1, options.beta2)
    decay = optax.add_decayed_weights(options.weight_decay)
    parts = {
        "muon": optax.chain(_muon(dtype), decay),
        "decayed": optax.chain(adam, decay),
        "plain": adam,
        "embeddings": optax.chain(adam, optax.scale(options.embedding_lr)),
    }
    return optax.partition(parts, lambda model: _kinds(model, options.optimizer))


def clipped(gradients: Decoder, most: float) -> Decoder:
    """The gradients, shortened to the norm ``most`` all together; 0: as they are.

    As torch does it, a millionth shorter than optax.
    """
    if not most:
        return gradients
    factor = jnp.minimum(1.0, most / (optax.tree.norm(gradients) + 1e-6))
    made: Decoder = jax.tree.map(lambda gradient: gradient * factor, gradients)
    return made


def orthogonalised(matrix: Array, dtype: Any = jnp.float32, iterations: int = 5) -> Array:
    """The nearest matrix with all singular values about 1, by a quintic Newton-Schulz iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.astype(dtype)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (jnp.linalg.norm(x) + 1e-7)

    def nearer(_: Array, x: Array) -> Array:
        square = x @ x.T
        return a * x + (b * square + c * (square @ square)) @ x

    x = jax.lax.fori_loop(0, iterations, nearer, x)  # a loop to the compiler, too: it has a matrix for each of these
    found: Array = (x.T if tall else x).astype(matrix.dtype)
    return found


def _kinds(model: Any, optimizer: str) -> Any:
    """For each weight, which part of the optimiser moves it."""

    def kind(path: tuple[Any, ...], leaf: Array) -> str:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        if leaf.ndim == 2 and name.startswith("blocks."):
            return "muon" if optimizer == "muon" else "decayed"
        if name in EMBEDDINGS:
            return "embeddings"
        return "decayed" if name == "head.weight" else "plain"

    return jax.tree_util.tree_map_with_path(kind, model)


def _muon(dtype: Any, decay: float = 0.95) -> optax.GradientTransformation:
    """Momentum, orthogonalised, as torch's Muon here does it.

    optax.contrib.muon corrects the momentum's beginning, ours does not: their first hundred steps differ.
    """

    def init(weights: Any) -> Momentum:
        return Momentum(jax.tree.map(jnp.zeros_like, weights))

    def update(gradients: Any, state: Any, weights: Any = None) -> tuple[Any, Momentum]:
        momentum = jax.tree.map(lambda m, g: decay * m + g, state.momentum, gradients)

        def direction(m: Array, g: Array) -> Array:
            way: Array = orthogonalised(g + decay * m, dtype) * (0.2 * max(g.shape) ** 0.5)  # Nesterov; AdamW's size
            return way

        return jax.tree.map(direction, momentum, gradients), Momentum(momentum)

    return optax.GradientTransformation(init, update)
