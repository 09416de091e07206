"""Causal attention over packed sequences, computed in the way that a machine does fastest.

Shape letters: B rows, T tokens a row, H query heads, K key-value heads, G = H / K, D head width.

A row may hold several sequences end to end (:class:`Packing`). None sees another: what a token sees is one mask for the
whole batch, of the same shape whatever is packed, so that a compiled step is compiled once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from toccata.model.config import Kernel

BLOCK = 128
"""Queries a block of ``blocks``."""


@dataclass(frozen=True)
class Packing:
    """The boundaries of sequences that are packed into the rows of a batch, end to end, without padding.

    Attributes:
        positions: ``int32[B, T]``, each token's place in its own sequence.
        sequences: ``int32[B, T]``, the number of its sequence in its row.
    """

    positions: Tensor
    sequences: Tensor

    @classmethod
    def of(cls, lengths: Sequence[Sequence[int]], device: torch.device | str = "cpu") -> Packing | None:
        """The packing of rows given as lists of sequence lengths; None where every row is one sequence.

        The lengths of each row must add up to the same T.
        """
        return None if all(len(row) == 1 for row in lengths) else cls.always(lengths, device)

    @classmethod
    def always(cls, lengths: Sequence[Sequence[int]], device: torch.device | str = "cpu") -> Packing:
        """The same, of whole rows too: one form for every batch."""
        positions = np.stack([np.concatenate([np.arange(n, dtype=np.int32) for n in row]) for row in lengths])
        sequences = np.stack([np.repeat(np.arange(len(row), dtype=np.int32), row) for row in lengths])
        return cls(torch.from_numpy(positions), torch.from_numpy(sequences)).to(device)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Packing:
        """The same on ``device``."""
        positions, sequences = (t.to(device, non_blocking=non_blocking) for t in (self.positions, self.sequences))
        return Packing(positions, sequences)

    def pin_memory(self) -> Packing:
        """The same in page-locked memory, which a GPU copies from while all else goes on."""
        return Packing(self.positions.pin_memory(), self.sequences.pin_memory())


def visible(tokens: int, packing: Packing | None, window: int | None, device: torch.device | str = "cpu") -> Tensor:
    """Return the attention mask, which tokens each token sees, itself included: ``bool[1 or B, T, T]``.

    Args:
        tokens: T.
        packing: Of the rows; None: each is one sequence.
        window: So many latest tokens are seen at most; None: all.
        device: Where the mask is to be.
    """
    return _visible(range(tokens), range(tokens), packing, window, device)


def _visible(
    queries: range, keys: range, packing: Packing | None, window: int | None, device: torch.device | str
) -> Tensor:
    """The part of the mask for these queries and keys: ``bool[1 or B, queries, keys]``."""
    q, k = (torch.arange(part.start, part.stop, device=device) for part in (queries, keys))
    behind = q[:, None] - k
    seen = behind >= 0 if window is None else (behind >= 0) & (behind < window)
    if packing is None:
        return seen[None]
    of = packing.sequences
    return seen & (of[:, queries.start : queries.stop, None] == of[:, None, keys.start : keys.stop])


class AttentionMask:
    """The attention mask of a batch, in the form that a kernel takes; made once for all layers.

    Args:
        kernel: That will read it.
        tokens: T.
        packing: Of the rows; None: each is one sequence.
        window: So many latest tokens are seen at most; None: all.
        device: Where the queries are.
        dtype: Of the queries.
    """

    def __init__(
        self,
        kernel: Kernel,
        tokens: int,
        packing: Packing | None,
        window: int | None,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.kernel = kernel
        window = None if window is None or window >= tokens else window
        self._window = window
        self.causal = packing is None and window is None  # nothing but the future is hidden
        self._mask: Tensor | None = None
        self._masks: list[Tensor] | None = None
        if kernel == "blocks" and not self.causal:
            self._masks = [
                _added(_visible(range(first, last), range(start, last), packing, window, device)[:, None], dtype)
                for start, first, last in _spans(tokens, window)
            ]
        elif kernel == "flex":
            self._blocks = _block_mask(tokens, packing, window, device)
        elif kernel == "plain" or not self.causal:
            seen = visible(tokens, packing, window, device)[:, None]  # [1 or B, 1, T, T]
            self._mask = seen if kernel == "fused" else _added(seen, dtype)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention of ``q [B, H, T, D]`` over ``k``, ``v [B, K, T, D]``: ``[B, H, T, D]``."""
        grouped = q.shape[1] != k.shape[1]
        if self.kernel == "blocks":
            return _in_blocks(q, k, v, self._masks, self._window)
        if self._mask is not None and self.kernel == "plain":
            return _plain(q, k, v, self._mask)
        if self.kernel == "flex":
            return _flex()(q, k, v, block_mask=self._blocks, enable_gqa=grouped)
        found: Tensor = F.scaled_dot_product_attention(
            q, k, v, attn_mask=self._mask, is_causal=self.causal, enable_gqa=grouped
        )
        return found


def _added(seen: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask as what is added to scores: 0, or minus infinity where nothing is seen."""
    return torch.where(seen, torch.zeros((), dtype=dtype, device=seen.device), float("-inf"))


def _spans(tokens: int, window: int | None) -> list[tuple[int, int, int]]:
    """Of each block of queries, the first key that is seen, the first query, and the end of both."""
    firsts = range(0, tokens, BLOCK)
    return [(0 if window is None else max(0, q - window + 1), q, min(q + BLOCK, tokens)) for q in firsts]


def _plain(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    B, H, T, D = q.shape
    K = k.shape[1]
    grouped = (q * D**-0.5).reshape(B, K, H // K * T, D)
    scores: Tensor = (grouped @ k.transpose(-1, -2)).view(B, K, H // K, T, T) + mask[:, :, None]
    found: Tensor = (scores.softmax(dim=-1).view(B, K, H // K * T, T) @ v).view(B, H, T, D)
    return found


class _Blocks(torch.autograd.Function):
    """Attention a block of queries at a time, each with the keys before its end: no product over what is to come.

    The backward pass reuses the softmax of the forward one. Beside what autograd makes of the same products it saves
    the passes over masks, copies and sums of slices, which cost more than the products.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, masks: list[Tensor] | None, window: int | None) -> Tensor:
        B, H, T, D = q.shape
        K = k.shape[1]
        G = H // K
        q = (q * D**-0.5).reshape(B * K, G, T, D)
        k, v = k.reshape(B * K, T, D), v.reshape(B * K, T, D)
        future = None if masks is not None else _future(min(BLOCK, T), q)
        out, shares, spans = torch.empty_like(q), [], _spans(T, window)
        for number, (start, first, last) in enumerate(spans):
            queries = q[:, :, first:last].reshape(B * K, -1, D)
            scores = torch.bmm(queries, k[:, start:last].transpose(1, 2)).view(B, K, G, last - first, last - start)
            if masks is not None:
                scores += masks[number][:, :, None]
            elif future is not None:
                scores[..., first:] += future[: last - first, : last - first]
            share = scores.softmax(dim=-1).view(B * K, -1, last - start)
            out[:, :, first:last] = torch.bmm(share, v[:, start:last]).view(B * K, G, -1, D)
            shares.append(share)
        ctx.save_for_backward(q, k, v, *shares)
        ctx.shape, ctx.spans = (B, H, K), spans
        return out.view(B, H, T, D)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        q, k, v, *shares = ctx.saved_tensors
        B, H, K = ctx.shape
        N, G, T, D = q.shape
        grad = grads[0].reshape(N, G, T, D)
        dq, dk, dv = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for share, (start, first, last) in zip(shares, ctx.spans, strict=True):
            mine = grad[:, :, first:last].reshape(N, -1, D)
            dv[:, start:last] += torch.bmm(share.transpose(1, 2), mine)
            dshare = torch.bmm(mine, v[:, start:last].transpose(1, 2))
            scores = torch.ops.aten._softmax_backward_data(dshare, share, -1, share.dtype)
            dq[:, :, first:last] = torch.bmm(scores, k[:, start:last]).view(N, G, -1, D)
            dk[:, start:last] += torch.bmm(scores.transpose(1, 2), q[:, :, first:last].reshape(N, -1, D))
        return dq.mul_(D**-0.5).view(B, H, T, D), dk.view(B, K, T, D), dv.view(B, K, T, D), None, None


def _apply_blocks(q: Tensor, k: Tensor, v: Tensor, masks: list[Tensor] | None, window: int | None) -> Tensor:
    apply: Callable[..., Tensor] = _Blocks.apply
    return apply(q, k, v, masks, window)


# A compiler leaves it as it is: it makes nothing faster of it.
_In = Callable[[Tensor, Tensor, Tensor, list[Tensor] | None, int | None], Tensor]
_in_blocks: _In = torch.compiler.disable(_apply_blocks)  # type: ignore[no-untyped-call]


def _future(size: int, like: Tensor) -> Tensor:
    """Minus infinity above the diagonal, ``[size, size]``."""
    return torch.full((size, size), float("-inf"), dtype=like.dtype, device=like.device).triu_(1)


def _block_mask(tokens: int, packing: Packing | None, window: int | None, device: torch.device) -> Any:
    """The mask of FlexAttention, which skips blocks of pairs that are masked altogether."""
    from torch.nn.attention.flex_attention import create_block_mask

    sequences = None if packing is None else packing.sequences

    def seen(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        found = query >= key
        if window is not None:
            found = found & (query - key < window)
        return found if sequences is None else found & (sequences[row, query] == sequences[row, key])

    rows = None if sequences is None else len(sequences)
    return create_block_mask(seen, rows, None, tokens, tokens, device=str(device))


def _flex() -> Callable[..., Tensor]:
    """FlexAttention, compiled: without that it is slow."""
    from torch.nn.attention.flex_attention import flex_attention

    if torch.compiler.is_compiling():  # as part of what is around it
        return flex_attention
    global _compiled
    if _compiled is None:
        _compiled = torch.compile(flex_attention, dynamic=False)
    return _compiled  # type: ignore[no-any-return]


_compiled: Any = None
