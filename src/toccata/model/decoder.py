"""The Decoder: one class for every architecture that a DecoderConfig can name.

A pre-norm, decoder-only transformer (Vaswani et al. 2017; Radford et al. 2019). Where it departs from the textbook:

- RMSNorm, SwiGLU, rotary positions and grouped queries by choice, as in Llama and Mistral (arXiv 2310.06825); with
  these settings its numbers are those of transformers' Mistral, with LayerNorm, GELU and learned positions those of
  GPT-2.
- ``block="parallel"`` adds attention and feed-forward side by side, each behind its own norm (GPT-J).
- Query, key and value come out of one matrix, as do SwiGLU's gate and value: fewer, larger products are faster on a
  CPU. ``weights.py`` knows the names they have in a file.
- ``features`` adds, to the embedding of each token, those of what is known where it stands (tokenizers/features.py).
- ``intervals`` adds, to the logits of pitches, those of the intervals from pitches that are known.
- Several sequences may lie packed in one row without padding. Attention alone cares (``attention.py``): it masks them
  from one another.

Shape letters: B rows, T tokens a row, H query heads, K key-value heads, D head width, C width, F feed-forward size,
V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toccata.model.attention import AttentionMask, Packing
from toccata.model.config import INTERVALS, NORM_EPS, REACH, ROPE_THETA, DecoderConfig, Kernel


class Decoder(nn.Module):
    """Token ids in, logits out; ``.config`` is its shape.

    Attributes:
        kernel: How attention is computed; None: in blocks where a processor computes in bf16, else by torch's fused
            kernel.
    """

    kernel: Kernel | None = None

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab, config.width)
        self.places = nn.Embedding(config.context, config.width) if config.positions == "learned" else None
        self.features = nn.Embedding(config.feature_rows, config.width) if config.features else None
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = _norm(config)
        self.head = nn.Linear(config.width, config.vocab, bias=False)
        if config.tied:
            self.head.weight = self.embedding.weight
        self.intervals = IntervalHead(config) if config.intervals else None
        self.inputs = _Inputs(config) if config.relative else None
        self.dropout = nn.Dropout(config.dropout)
        self.apply(_initialise)
        if self.inputs is not None and self.features is not None:
            self.inputs.silence(self.embedding, self.features)
        if self.intervals is not None:
            nn.init.zeros_(self.intervals.weight)
        for name, weight in self.named_parameters():  # the residual stream keeps its size at any depth (GPT-2)
            if name.endswith(("attention.out.weight", "mlp.down.weight")):
                nn.init.normal_(weight, std=0.02 / (2 * config.layers) ** 0.5)

    def compile_blocks(self) -> None:
        """Compile the blocks (``torch.compile``): one compilation serves all, as they are alike."""
        for block in self.blocks:
            block.compile(dynamic=False)

    def compile_whole(self, backend: str | Callable[..., Any] = "inductor") -> None:
        """Compile all of it as one graph, for batches of one shape that have a packing each.

        What a batch's tokens see is made before the graph, as FlexAttention wants it.

        Args:
            backend: Of ``torch.compile``.
        """
        self._compute = torch.compile(self._compute, dynamic=False, fullgraph=True, backend=backend)  # type: ignore[method-assign]

    def forward(
        self,
        ids: Tensor,
        packing: Packing | None = None,
        targets: Tensor | None = None,
        features: Tensor | None = None,
    ) -> Tensor:
        """Logits ``[B, T, V]`` for ids ``int32[B, T]``; position t has read tokens 0..t of its sequence.

        With ``targets int32[B, T]``, the mean negative log-likelihood of them instead, in nats a token; targets of -100
        do not count. ``features int32[B, T, n]``: the rows of their table at each token, for a config that has some.

        Raises:
            ValueError: Learned positions and a sequence longer than the context; or features are missing, or too many.
        """
        B, T = ids.shape
        positions = torch.arange(T, device=ids.device).expand(B, T) if packing is None else packing.positions
        if self.places is not None and self.config.context < T and packing is None:
            raise ValueError(f"{T} tokens, but learned positions for {self.config.context}")
        kernel, dtype = _usual(ids.device)
        seen = AttentionMask(self.kernel or kernel, T, packing, self.config.window, ids.device, dtype)
        if (features is None) != (self.features is None):
            raise ValueError("features are for a decoder that has some, and it needs them")
        return self._compute(ids, positions, features, seen, targets)

    def _compute(
        self, ids: Tensor, positions: Tensor, features: Tensor | None, seen: AttentionMask, targets: Tensor | None
    ) -> Tensor:
        of_ids, of_features = self.embedding.weight, None if self.features is None else self.features.weight
        if self.inputs is not None and of_features is not None:
            of_ids, of_features = of_ids * self.inputs.ids, of_features * self.inputs.rows
        x = F.embedding(ids, of_ids)  # [B, T, C]
        if of_features is not None and features is not None:
            x = x + F.embedding_bag(features.flatten(0, 1), of_features, mode="sum").view_as(x)
        rotation = None
        if self.places is not None:
            x = x + self.places(positions)  # [B, T, C]
        else:
            rotation = _rotation(positions, self.config.head_width)  # 2 x [B, T, 1, D]
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x, rotation, seen)  # [B, T, C]
        x = self.norm(x)
        logits: Tensor = self.head(x)  # [B, T, V]
        if self.intervals is not None and features is not None:
            logits = logits + self.intervals(x, features)
        if targets is None:
            return logits
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten().long(), ignore_index=-100)


class _Inputs(nn.Module):
    """Which embeddings are inputs, for ``relative``: 1, or 0 for those of pitches, which stay 0.

    Whatever reads the weights needs to know nothing of it.
    """

    ids: Tensor
    rows: Tensor

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        sizes = config.vocab, config.feature_rows
        for name, size, silent in zip(("ids", "rows"), sizes, config.silent, strict=True):
            factor = torch.ones(size, 1)
            factor[silent] = 0
            self.register_buffer(name, factor, persistent=False)

    @torch.no_grad()
    def silence(self, embedding: nn.Embedding, features: nn.Embedding) -> None:
        """Set what is no input to 0."""
        embedding.weight *= self.ids
        features.weight *= self.rows


class IntervalHead(nn.Module):
    """A part of the logits for what a pitch is beside pitches that are known: their intervals.

    A pitch's logit gets, for each known pitch k, ``x . weight[k, pitch - k]``; nothing where there is no known pitch,
    or it is further away than :data:`REACH`.
    """

    columns: Tensor
    offsets: Tensor
    pitches: Tensor
    reached: Tensor

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.count, self.vocab = len(config.intervals), config.vocab
        self.first, self.lowest, pitches = config.pitches
        self.weight = nn.Parameter(torch.empty(self.count * INTERVALS, config.width))
        columns, offsets = zip(*config.interval_columns, strict=True)
        for name, values in (
            ("columns", columns),
            ("offsets", offsets),
            ("pitches", range(self.lowest, self.lowest + pitches)),
            ("reached", range(INTERVALS)),
        ):
            self.register_buffer(name, torch.tensor(tuple(values)), persistent=False)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """Logits ``[B, T, V]``, 0 for all that is no pitch, of ``x [B, T, C]`` and ``features int32[B, T, n]``."""
        parts = F.linear(x, self.weight).view(*x.shape[:2], self.count, INTERVALS)
        known = features[..., self.columns] - self.offsets  # [B, T, k]: from 1; 0 is none, from 129 on drums
        there = (known >= 1) & (known <= 128)
        found = (self.scattered if x.device.type == "cpu" else self.gathered)(parts, known, there)  # [B, T, P]
        return F.pad(found, (self.first, self.vocab - self.first - found.shape[-1]))

    def gathered(self, parts: Tensor, known: Tensor, there: Tensor) -> Tensor:
        """For each pitch the sum of its parts, as a GPU has it fastest, and in the same order each time."""
        parts = F.pad(parts, (1, 1))  # what is too far away, on either side
        interval = self.pitches - (known - 1)[..., None] + REACH + 1  # [B, T, k, P]
        place = torch.where(there[..., None], interval.clamp(0, INTERVALS + 1), 0)
        return parts.gather(-1, place).sum(2)

    def scattered(self, parts: Tensor, known: Tensor, there: Tensor) -> Tensor:
        """The same, each part added to the pitch that it reaches, as a processor has it fastest."""
        most = 128 + 2 * REACH  # pitches that can be reached, from REACH below 0; behind them goes what counts nowhere
        place = torch.where(there, known - 1, most)[..., None] + self.reached  # [B, T, k, INTERVALS]
        sums = torch.zeros(*parts.shape[:2], most + INTERVALS, device=parts.device)
        sums = sums.scatter_add(-1, place.flatten(2), parts.flatten(2).float())
        return sums[..., REACH + self.lowest :][..., : len(self.pitches)]


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

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor] | None, seen: AttentionMask) -> Tensor:
        attended: Tensor = self.dropout(self.attention(self.norm1(x), rotation, seen))  # [B, T, C]
        x, read = x + attended, x if self.parallel else x + attended
        fed: Tensor = self.dropout(self.mlp(self.norm2(read)))  # [B, T, C]
        return x + fed


class Attention(nn.Module):
    """Causal self-attention with grouped queries, rotary positions and a sliding window, each if the config says so."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_width = config.heads, config.kv_heads, config.head_width
        self.qkv = nn.Linear(config.width, (config.heads + 2 * config.kv_heads) * self.head_width, bias=config.bias)
        self.out = nn.Linear(config.width, config.width, bias=config.bias)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor] | None, seen: AttentionMask) -> Tensor:
        B, T, C = x.shape
        H, K, D = self.heads, self.kv_heads, self.head_width
        qkv = self.qkv(x).view(B, T, H + 2 * K, D)
        qk, v = qkv.split([H + K, K], dim=2)  # [B, T, H + K, D], [B, T, K, D]
        if rotation is not None:
            cos, sin = (part.to(qk.dtype) for part in rotation)  # bf16 while training in bf16
            qk = _rotate(qk, cos, sin)
        q, k, v = (part.transpose(1, 2) for part in (*qk.split([H, K], dim=2), v))  # [B, n, T, D]
        y = seen.attend(q, k, v).transpose(1, 2)  # [B, T, H, D]
        projected: Tensor = self.out(y.reshape(B, T, C))  # [B, T, C]
        return projected


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
        elif self.kind == "relu2":
            h = F.relu(h).square()
        else:
            h = F.gelu(h, approximate="tanh") if self.kind == "gelu" else F.silu(h)
        projected: Tensor = self.down(h)  # [B, T, C]
        return projected


def _usual(device: torch.device) -> tuple[Kernel, torch.dtype]:
    """The kernel where none was chosen, and the number format of queries and keys."""
    on = torch.is_autocast_enabled(device.type)
    dtype = torch.get_autocast_dtype(device.type) if on else torch.float32
    return ("blocks" if device.type == "cpu" and dtype == torch.bfloat16 else "fused"), dtype


def _norm(config: DecoderConfig) -> nn.Module:
    if config.norm == "rms":
        return nn.RMSNorm(config.width, eps=NORM_EPS)
    return nn.LayerNorm(config.width, eps=NORM_EPS, bias=True)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


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
