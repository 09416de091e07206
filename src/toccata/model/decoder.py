"""The Decoder: one class for every architecture that a DecoderConfig can name.

A pre-norm, decoder-only transformer (Vaswani et al. 2017; Radford et al. 2019). Where it departs from the textbook:

- RMSNorm, SwiGLU, rotary positions and grouped queries by choice, as in Llama and Mistral (arXiv 2310.06825); with
  these settings its numbers are those of transformers' Mistral, with LayerNorm, GELU and learned positions those of
  GPT-2.
- ``block="parallel"`` adds attention and feed-forward side by side, each behind its own norm (GPT-J).
- Query, key and value come out of one matrix, as do SwiGLU's gate and value: fewer, larger products are faster on a
  CPU. ``weights.py`` knows the names they have in a file.
- Several sequences may lie packed in one row without padding. Attention alone cares: it lays the sequences out side by
  side (:class:`Packing`), so that none sees another and no work is spent on pairs that are masked anyway.

Shape letters: B rows, T tokens a row, S packed sequences, L longest sequence, H query heads, K key-value heads,
D head width, C width, F feed-forward size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toccata.model.config import NORM_EPS, ROPE_THETA, DecoderConfig


@dataclass(frozen=True)
class Packing:
    """Where the sequences lie that were packed into the rows of a batch, end to end, without padding.

    Attributes:
        positions: ``int64[B, T]``, each token's place in its own sequence.
        gather: ``int64[S, L]``, the flat index (row * T + column) of each sequence's tokens; past a sequence's end,
            any.
        scatter: ``int64[B * T]``, for each flat token its place in the flattened ``[S, L]``.
    """

    positions: Tensor
    gather: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, lengths: Sequence[Sequence[int]], device: torch.device | str = "cpu") -> Packing | None:
        """The packing of rows given as lists of sequence lengths; None where every row is one sequence.

        The lengths of each row must add up to the same T.
        """
        if all(len(row) == 1 for row in lengths):
            return None
        flat = torch.tensor([n for row in lengths for n in row])
        longest = int(flat.max())
        starts = torch.cumsum(flat, 0) - flat
        steps = torch.arange(longest)
        gather = torch.minimum(starts[:, None] + steps, (starts + flat - 1)[:, None])
        inside = steps < flat[:, None]
        scatter = torch.nonzero(inside.flatten()).squeeze(1)
        positions = steps.expand(len(flat), -1)[inside].view(len(lengths), -1)
        return cls(positions.to(device), gather.to(device), scatter.to(device))


_BLOCK = 128


class Decoder(nn.Module):
    """Token ids in, logits out. The config is kept as ``.config``."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab, config.width)
        self.places = nn.Embedding(config.context, config.width) if config.positions == "learned" else None
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = _norm(config)
        self.head = nn.Linear(config.width, config.vocab, bias=False)
        if config.tied:
            self.head.weight = self.embedding.weight
        self.dropout = nn.Dropout(config.dropout)
        self.apply(_initialise)
        for name, weight in self.named_parameters():  # the residual stream keeps its size at any depth (GPT-2)
            if name.endswith(("attention.out.weight", "mlp.down.weight")):
                nn.init.normal_(weight, std=0.02 / (2 * config.layers) ** 0.5)

    def forward(self, ids: Tensor, packing: Packing | None = None, targets: Tensor | None = None) -> Tensor:
        """Logits ``[B, T, V]`` for ids ``int64[B, T]``; position t has read tokens 0..t of its sequence.

        With ``targets int64[B, T]``, the mean negative log-likelihood of them instead, in nats a token; targets of -100
        do not count.

        Raises:
            ValueError: Learned positions and a sequence longer than the context.
        """
        B, T = ids.shape
        positions = torch.arange(T, device=ids.device).expand(B, T) if packing is None else packing.positions
        x = self.embedding(ids)  # [B, T, C]
        rotation = None
        if self.places is not None:
            if self.config.context < T and packing is None:
                raise ValueError(f"{T} tokens, but learned positions for {self.config.context}")
            x = x + self.places(positions)  # [B, T, C]
        else:
            rotation = _rotation(positions, self.config.head_width)  # 2 x [B, T, 1, D]
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x, rotation, packing)  # [B, T, C]
        logits: Tensor = self.head(self.norm(x))  # [B, T, V]
        if targets is None:
            return logits
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=-100)


class Block(nn.Module):
    """Attention and feed-forward, each behind a norm, one after the other or side by side.

    sequential:  x = x + attention(norm1(x));  x = x + mlp(norm2(x))
    parallel:    x = x + attention(norm1(x)) + mlp(norm2(x))
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.parallel = config.block == "parallel"
        self.norm1 = _norm(config)
        self.attention = Attention(config)
        self.norm2 = _norm(config)
        self.mlp = Mlp(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor] | None, packing: Packing | None) -> Tensor:
        attended: Tensor = self.dropout(self.attention(self.norm1(x), rotation, packing))  # [B, T, C]
        x, read = x + attended, x if self.parallel else x + attended
        fed: Tensor = self.dropout(self.mlp(self.norm2(read)))  # [B, T, C]
        return x + fed


class Attention(nn.Module):
    """Causal self-attention with grouped queries, rotary positions and a sliding window, each if the config says so."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_width = config.heads, config.kv_heads, config.head_width
        self.window = config.window
        self.qkv = nn.Linear(config.width, (config.heads + 2 * config.kv_heads) * self.head_width, bias=config.bias)
        self.out = nn.Linear(config.width, config.width, bias=config.bias)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor] | None, packing: Packing | None) -> Tensor:
        B, T, C = x.shape
        H, K, D = self.heads, self.kv_heads, self.head_width
        qkv = self.qkv(x).view(B, T, H + 2 * K, D)
        qk, v = qkv.split([H + K, K], dim=2)  # [B, T, H + K, D], [B, T, K, D]
        if rotation is not None:
            cos, sin = (part.to(qk.dtype) for part in rotation)  # bf16 while training in bf16
            qk = _rotate(qk, cos, sin)
        q, k = qk.split([H, K], dim=2)  # [B, T, H, D], [B, T, K, D]
        if packing is not None:  # [B, T, n, D] -> [S, L, n, D]
            q, k, v = (part.flatten(0, 1)[packing.gather] for part in (q, k, v))
        y = self._attend(q, k, v)  # [B or S, T or L, H, D]
        if packing is not None:
            y = y.flatten(0, 1)[packing.scatter]
        projected: Tensor = self.out(y.reshape(B, T, C))  # [B, T, C]
        return projected

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))  # [B, n, T, D]
        if q.dtype == torch.bfloat16 and q.device.type == "cpu":
            return _attend_in_blocks(q, k, v, self.window).transpose(1, 2)
        mask = None
        if self.window is not None and q.shape[2] > self.window:
            mask = _visible(0, q.shape[2], 0, q.shape[2], self.window, q.device)  # [T, T]
        grouped = self.heads != self.kv_heads
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=grouped)
        return y.transpose(1, 2)  # [B, T, H, D]


class Mlp(nn.Module):
    """The feed-forward part: ``down(silu(gate(x)) * up(x))`` (Shazeer 2020), or ``down(act(up(x)))``."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.kind = config.mlp
        ups = 2 if config.mlp == "swiglu" else 1
        self.up = nn.Linear(config.width, ups * config.ffn, bias=config.bias)  # swiglu: gate and up, stacked
        self.down = nn.Linear(config.ffn, config.width, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        h = self.up(x)  # [B, T, F] or [B, T, 2 F]
        if self.kind == "swiglu":
            gate, value = h.chunk(2, dim=-1)
            h = F.silu(gate) * value  # [B, T, F]
        else:
            h = F.gelu(h, approximate="tanh") if self.kind == "gelu" else F.silu(h)
        projected: Tensor = self.down(h)  # [B, T, C]
        return projected


def _norm(config: DecoderConfig) -> nn.Module:
    if config.norm == "rms":
        return nn.RMSNorm(config.width, eps=NORM_EPS)
    return nn.LayerNorm(config.width, eps=NORM_EPS, bias=True)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def _visible(first: int, last: int, start: int, end: int, window: int | None, device: torch.device) -> Tensor:
    """Which keys from ``start`` to ``end`` the queries from ``first`` to ``last`` see.

    ``bool[last - first, end - start]``.
    """
    behind = torch.arange(first, last, device=device)[:, None] - torch.arange(start, end, device=device)
    return behind >= 0 if window is None else (behind >= 0) & (behind < window)


def _attend_in_blocks(q: Tensor, k: Tensor, v: Tensor, window: int | None) -> Tensor:
    """Causal attention, a block of queries at a time, each with the keys it can see.

    torch's fused kernel for the CPU does bf16 at half the speed of plain matrix products (see BENCHMARKS.md); in
    blocks, most of what a causal mask would throw away is never computed.
    """
    B, H, T, D = q.shape
    K = k.shape[1]
    q = q if H == K else q.reshape(B, K, H // K, T, D)
    if H != K:
        k, v = k[:, :, None], v[:, :, None]  # [B, K, 1, T, D], the same for every query head of a group
    parts = []
    for first in range(0, T, _BLOCK):
        last = min(first + _BLOCK, T)
        start = 0 if window is None else max(0, first - window + 1)
        scores = (q[..., first:last, :] * D**-0.5) @ k[..., start:last, :].transpose(-1, -2)  # [B, K, (G,) block, keys]
        hidden = ~_visible(first, last, start, last, window, q.device)
        scores = scores.masked_fill(hidden, float("-inf"))
        parts.append(scores.softmax(dim=-1) @ v[..., start:last, :])
    return torch.cat(parts, dim=-2).reshape(B, H, T, D)


def _rotation(positions: Tensor, head_width: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine ``[B, T, 1, D]`` of the rotary angles, in float32: bf16 cannot tell far positions apart."""
    half = torch.arange(0, head_width, 2, device=positions.device, dtype=torch.float32)
    inverse = ROPE_THETA ** (-half / head_width)  # [D / 2]
    angles = positions[..., None].float() * inverse  # [B, T, D / 2]
    angles = torch.cat([angles, angles], dim=-1)[:, :, None]  # [B, T, 1, D]
    return angles.cos(), angles.sin()


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (i, i + D / 2) of the head by its angle; ``x [B, T, n, D]``."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin
