"""The Decoder of ``toccata.model.decoder`` in JAX, on Equinox: the same config, the same names, the same numbers.

Shapes: B rows, T columns, H query heads, K key-value heads, D head width, C width, F feed-forward size, V vocabulary.

Where torch lays packed passages side by side to attend, a mask keeps them apart here: shapes may not change from batch
to batch, or every batch would be compiled anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from toccata.model.config import INTERVALS, NORM_EPS, REACH, ROPE_THETA, DecoderConfig


class Packing(eqx.Module):
    """The boundaries of passages that are packed into the rows of a batch, end to end, without padding.

    Attributes:
        positions: ``int32[B, T]``, each token's place in its own passage.
        passages: ``int32[B, T]``, the number of each token's passage in its row.
    """

    positions: Array
    passages: Array

    @classmethod
    def of(cls, lengths: Sequence[Sequence[int]]) -> Packing:
        """The packing of rows given as lists of passage lengths, which add up to the same T, as numpy arrays."""
        positions = [np.concatenate([np.arange(n) for n in row]) for row in lengths]
        passages = [np.repeat(np.arange(len(row)), row) for row in lengths]
        return cls(np.stack(positions).astype(np.int32), np.stack(passages).astype(np.int32))  # type: ignore[arg-type]


class Linear(eqx.Module):
    """``x @ weight.T + bias``, in the type of ``x``; the weights themselves stay float32."""

    weight: Array  # [out, in]
    bias: Array | None

    def __call__(self, x: Array) -> Array:
        y = x @ self.weight.T.astype(x.dtype)
        return y if self.bias is None else y + self.bias.astype(x.dtype)


class Table(eqx.Module):
    """A row for each id."""

    weight: Array  # [ids, C]


class Norm(eqx.Module):
    """RMSNorm, or LayerNorm where there is a bias; computed in float32."""

    weight: Array  # [C]
    bias: Array | None

    def __call__(self, x: Array) -> Array:
        if self.bias is not None:
            x = x - x.mean(-1, keepdims=True)
        x = x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + NORM_EPS) * self.weight
        return x if self.bias is None else x + self.bias


class Attention(eqx.Module):
    """Causal self-attention with grouped queries, rotary positions and a sliding window, each if the config says so."""

    qkv: Linear
    out: Linear
    config: DecoderConfig = eqx.field(static=True)

    def __call__(self, x: Array, rotation: tuple[Array, Array] | None, mask: Array) -> Array:
        B, T, C = x.shape
        H, K, D = self.config.heads, self.config.kv_heads, self.config.head_width
        qkv = self.qkv(x).reshape(B, T, H + 2 * K, D)
        qk, v = qkv[:, :, : H + K], qkv[:, :, H + K :]  # [B, T, H + K, D], [B, T, K, D]
        if rotation is not None:
            qk = _rotate(qk, *(part.astype(qk.dtype) for part in rotation))
        q, k = qk[:, :, :H], qk[:, :, H:]  # [B, T, H, D], [B, T, K, D]
        y = jax.nn.dot_product_attention(q, k, v, mask=mask)  # [B, T, H, D]
        return self.out(y.reshape(B, T, C))  # [B, T, C]


class Mlp(eqx.Module):
    """The feed-forward part: ``down(silu(gate(x)) * up(x))``, or ``down(act(up(x)))``."""

    up: Linear  # swiglu: gate and up, stacked
    down: Linear
    kind: str = eqx.field(static=True)

    def __call__(self, x: Array) -> Array:
        h = self.up(x)  # [B, T, F] or [B, T, 2 F]
        if self.kind == "swiglu":
            gate, value = jnp.split(h, 2, axis=-1)
            h = jax.nn.silu(gate) * value  # [B, T, F]
        elif self.kind == "relu2":
            h = jnp.square(jax.nn.relu(h))
        else:
            h = jax.nn.gelu(h, approximate=True) if self.kind == "gelu" else jax.nn.silu(h)
        return self.down(h)  # [B, T, C]


class Block(eqx.Module):
    """Attention and feed-forward, each behind a norm, one after the other or side by side."""

    norm1: Norm
    attention: Attention
    norm2: Norm
    mlp: Mlp
    config: DecoderConfig = eqx.field(static=True)

    def __call__(
        self, x: Array, rotation: tuple[Array, Array] | None, mask: Array, key: Array | None, dtype: jnp.dtype
    ) -> Array:
        one, two = (None, None) if key is None else jax.random.split(key)
        attended = self.attention(self.norm1(x).astype(dtype), rotation, mask)  # [B, T, C]
        attended = _dropped(attended, self.config.dropout, one).astype(x.dtype)
        x, read = x + attended, x if self.config.block == "parallel" else x + attended
        fed = self.mlp(self.norm2(read).astype(dtype))  # [B, T, C]
        return x + _dropped(fed, self.config.dropout, two).astype(x.dtype)


class Decoder(eqx.Module):
    """Token ids in, logits out. Every leaf is a weight; the config is ``.config``."""

    embedding: Table
    places: Table | None
    features: Table | None
    blocks: tuple[Block, ...]
    norm: Norm
    head: Table | None  # None: the embedding, which is tied to it
    intervals: Table | None
    config: DecoderConfig = eqx.field(static=True)

    def __init__(self, config: DecoderConfig, key: Array) -> None:
        self.config = config
        inner, *keys = jax.random.split(key, 4)
        C = config.width
        self.embedding = Table(_normal(keys[0], (config.vocab, C)))
        self.places = Table(_normal(keys[1], (config.context, C))) if config.positions == "learned" else None
        rows = config.feature_rows
        self.features = Table(_normal(jax.random.fold_in(key, 4), (rows, C))) if rows else None
        self.blocks = tuple(_block(config, one) for one in jax.random.split(inner, config.layers))
        self.norm = _norm(config)
        self.head = None if config.tied else Table(_normal(keys[2], (config.vocab, C)))
        self.intervals = Table(jnp.zeros((len(config.intervals) * INTERVALS, C))) if config.intervals else None
        ids, silent = config.silent  # what is no input stays 0
        self.embedding = Table(_without(self.embedding.weight, ids))
        self.features = None if self.features is None else Table(_without(self.features.weight, silent))

    def __call__(
        self,
        ids: Array,
        packing: Packing | None = None,
        key: Array | None = None,
        dtype: jnp.dtype | None = None,
        features: Array | None = None,
    ) -> Array:
        """Logits ``float32[B, T, V]`` for ids ``int32[B, T]``; position t has read tokens 0..t of its passage.

        Args:
            ids: The tokens.
            packing: Where passages begin and end; None: each row is one.
            key: Chance for dropout; None: nothing is dropped.
            dtype: What matrices are multiplied in; None: float32.
            features: ``int32[B, T, n]``, the rows of their table at each token, for a config that has some.

        Raises:
            ValueError: Learned positions and a sequence longer than the context; or features are missing.
        """
        T, config = ids.shape[1], self.config
        dtype = dtype or jnp.dtype(jnp.float32)
        if packing is None:
            if self.places is not None and config.context < T:
                raise ValueError(f"{T} tokens, but learned positions for {config.context}")
            packing = Packing(jnp.arange(T)[None], jnp.zeros((1, T), jnp.int32))
        keys: Sequence[Array | None] = [None] * (config.layers + 1)
        if key is not None and config.dropout:
            keys = list(jax.random.split(key, config.layers + 1))
        silent_ids, silent_rows = config.silent
        x = _without(self.embedding.weight, silent_ids)[ids]  # [B, T, C]
        if self.features is not None:
            if features is None:
                raise ValueError("this decoder needs features beside its tokens")
            x = x + _without(self.features.weight, silent_rows)[features].sum(-2)
        rotation = None
        if self.places is not None:
            x = x + self.places.weight[packing.positions]  # [B, T, C]
        else:
            rotation = _rotation(packing.positions, config.head_width)  # 2 x [B, T, 1, D]
        x = _dropped(x, config.dropout, keys[-1])
        mask = _visible(packing.passages, config.window)  # [B, 1, T, T]
        for block, own in zip(self.blocks, keys, strict=False):
            x = block(x, rotation, mask, own, dtype)  # [B, T, C]
        table = self.embedding if self.head is None else self.head
        x = self.norm(x).astype(dtype)
        logits = x @ table.weight.T.astype(dtype)  # [B, T, V]
        if self.intervals is not None and features is not None:
            first, _, pitches = config.pitches
            found = _of_intervals(x @ self.intervals.weight.T.astype(dtype), features, config)
            logits = logits.at[..., first : first + pitches].add(found)
        return logits.astype(jnp.float32)


def _of_intervals(parts: Array, features: Array, config: DecoderConfig) -> Array:
    """The logits ``[B, T, P]`` that pitches get for their intervals from known pitches.

    Args:
        parts: ``[B, T, k * INTERVALS]``.
        features: ``int32[B, T, n]``.
        config: Says which features are pitches, and which ids.
    """
    columns, offsets = (np.array(values) for values in zip(*config.interval_columns, strict=True))
    parts = parts.reshape(*parts.shape[:2], len(columns), INTERVALS)
    parts = jnp.pad(parts, ((0, 0), (0, 0), (0, 0), (1, 1)))  # what is too far away, on either side
    known = features[..., columns] - offsets  # [B, T, k]: from 1; 0 is none, from 129 on drums
    _, lowest, pitches = config.pitches
    interval = np.arange(lowest, lowest + pitches) - (known - 1)[..., None] + REACH + 1  # [B, T, k, P]
    there = ((known >= 1) & (known <= 128))[..., None]
    place = jnp.where(there, jnp.clip(interval, 0, INTERVALS + 1), 0)
    return jnp.take_along_axis(parts, place, axis=-1).sum(2)


def nats(logits: Array, targets: Array) -> tuple[Array, Array]:
    """The summed negative log-likelihood of ``targets int32[B, T]``, and how many count: those of -100 do not."""
    counted = targets != -100
    chosen = jnp.take_along_axis(logits, jnp.where(counted, targets, 0)[..., None], axis=-1)[..., 0]
    each = jax.nn.logsumexp(logits, axis=-1) - chosen
    return jnp.where(counted, each, 0).sum(), counted.sum()


def _normal(key: Array, shape: tuple[int, ...], std: float = 0.02) -> Array:
    return jax.random.normal(key, shape, jnp.float32) * std


def _linear(key: Array, inputs: int, outputs: int, bias: bool, std: float = 0.02) -> Linear:
    return Linear(_normal(key, (outputs, inputs), std), jnp.zeros(outputs) if bias else None)


def _norm(config: DecoderConfig) -> Norm:
    return Norm(jnp.ones(config.width), jnp.zeros(config.width) if config.norm == "layer" else None)


def _block(config: DecoderConfig, key: Array) -> Block:
    keys = jax.random.split(key, 4)
    C, F, D, bias = config.width, config.ffn, config.head_width, config.bias
    small = 0.02 / (2 * config.layers) ** 0.5  # the residual stream keeps its size at any depth (GPT-2)
    qkv = _linear(keys[0], C, (config.heads + 2 * config.kv_heads) * D, bias)
    up = _linear(keys[2], C, (2 if config.mlp == "swiglu" else 1) * F, bias)
    return Block(
        norm1=_norm(config),
        attention=Attention(qkv, _linear(keys[1], C, C, bias, small), config),
        norm2=_norm(config),
        mlp=Mlp(up, _linear(keys[3], F, C, bias, small), config.mlp),
        config=config,
    )


def _without(table: Array, rows: list[int]) -> Array:
    """A table without some of its rows, which are 0 and learn nothing."""
    return jnp.asarray(table).at[jnp.array(rows)].set(0) if rows else table


def _dropped(x: Array, share: float, key: Array | None) -> Array:
    if key is None or not share:
        return x
    return jnp.where(jax.random.bernoulli(key, 1 - share, x.shape), x / (1 - share), jnp.zeros_like(x))


def _visible(passages: Array, window: int | None) -> Array:
    """Return the mask, which keys each query sees, ``bool[B, 1, T, T]``: of its passage, before it, in the window."""
    T = passages.shape[1]
    behind = jnp.arange(T)[:, None] - jnp.arange(T)  # [T, T]
    seen = behind >= 0 if window is None else (behind >= 0) & (behind < window)
    return (seen & (passages[:, :, None] == passages[:, None]))[:, None]


def _rotation(positions: Array, head_width: int) -> tuple[Array, Array]:
    """Cosine and sine ``[B, T, 1, D]`` of the rotary angles, in float32: bf16 cannot tell far positions apart."""
    half = jnp.arange(0, head_width, 2, dtype=jnp.float32)
    inverse = ROPE_THETA ** (-half / head_width)  # [D / 2]
    angles = positions[..., None].astype(jnp.float32) * inverse  # [B, T, D / 2]
    angles = jnp.concatenate([angles, angles], axis=-1)[:, :, None]  # [B, T, 1, D]
    return jnp.cos(angles), jnp.sin(angles)


def _rotate(x: Array, cos: Array, sin: Array) -> Array:
    """Turn each pair (i, i + D / 2) of the head by its angle; ``x [B, T, n, D]``."""
    first, second = jnp.split(x, 2, axis=-1)
    return x * cos + jnp.concatenate([-second, first], axis=-1) * sin
