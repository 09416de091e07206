"""The engine's graph: a DecoderConfig and its weights, built as one ONNX model that reads a prompt and takes a step.

Built node by node, not traced: what ONNX Runtime is fast at is chosen here (grouped-query attention with the cache in
place, fused norms, 8-bit products), and one builder serves every config. Inputs and outputs of the graph, with B rows,
T new tokens a row, S places in the cache, K key-value heads, D head width and V the vocabulary:

- ``ids int64[B, T]``; ``keep int64[n]``, the columns whose logits are wanted (the head is computed for no others)
- ``last int32[B]``, the place of each row's last new token; ``total int32[]``, the longest row's length, new tokens too
- ``cos``, ``sin`` ``float[>= total, D / 2]`` (rotary), or ``positions int64[B, T]`` (learned)
- ``features float[B, T, C]``, the sums of the features' embeddings (where the config has features): so few numbers are
  added up faster outside
- ``from int64[B, T, k]``, for each known pitch the place of the lowest pitch id among the intervals from it, below 0
  where that is out of reach or there is no known pitch (where the config has intervals)
- ``key_i``, ``value_i`` ``float[B, K, S, D]`` for each layer i; ``key_i_out``, ``value_i_out``: the same with the new
  tokens written at their places. Bound to the same memory, nothing is copied.
- ``logits float[B * n, V]``

Either T is 1 (a step), or ``total`` is T (a prompt from its first token; B is 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from toccata.engine.message import FLOAT, INT32, INT64, MICROSOFT, Graph
from toccata.errors import ModelError
from toccata.model.config import INTERVALS, NORM_EPS, DecoderConfig

_BLOCK = 64
"""Weights that share a scale, in the 8-bit graph.

With 256, a step is 5 % faster and its error a fifth larger; but from 128 up ONNX Runtime (1.31) has another kernel for
one row than for several, and a row's logits would no longer be the same, to the bit, in every batch.
"""
Floats = NDArray[np.float32]


def build_graph(config: DecoderConfig, tensors: Mapping[str, Floats], *, bits: Literal[32, 8] = 32) -> Graph:
    """The engine's graph for these weights.

    Args:
        config: The architecture.
        tensors: The weights, named and shaped as in ``model.safetensors``.
        bits: 32: the weights as they are. 8: matrices in blocks of 8-bit numbers with one scale each; embeddings, norms
            and biases as they are.

    Raises:
        ModelError: A tensor is missing or has another shape than the config says.
    """
    return _Builder(config, tensors, bits).build()


def quantise(matrix: Floats, block: int) -> tuple[NDArray[np.uint8], Floats]:
    """8-bit blocks of ``matrix [N, K]`` along K: codes ``uint8[N, blocks, block]`` and scales ``float[N, blocks]``.

    Symmetric: a weight is ``(code - 128) * scale``, the largest of a block is met exactly, and a last block that is not
    full is filled up with zeros.
    """
    N, K = matrix.shape
    blocks = -(-K // block)
    padded = np.zeros((N, blocks * block), np.float32)
    padded[:, :K] = matrix
    padded = padded.reshape(N, blocks, block)
    scales = np.abs(padded).max(axis=-1) / np.float32(127)
    scales[scales == 0] = 1
    codes = np.rint(padded / scales[..., None]) + 128
    return codes.astype(np.uint8), scales.astype(np.float32)


def head_width(config: DecoderConfig) -> int:
    """Size of an attention head in the graph: the config's, rounded up to what the operator can do."""
    return -(-config.head_width // 16) * 16


def _widened(rows: Floats, heads: int) -> Floats:
    """``rows [heads * D, ..]`` with zeros between, so that each half of a head is as wide as the graph's."""
    halves = rows.reshape(heads * 2, -1, rows.shape[1])
    missing = -halves.shape[1] % 8
    return np.pad(halves, ((0, 0), (0, missing), (0, 0))).reshape(-1, rows.shape[1])


class _Builder:
    """Collects nodes and initialisers; each method adds a part and returns the name of its output."""

    def __init__(self, config: DecoderConfig, tensors: Mapping[str, Floats], bits: int) -> None:
        self.config, self.tensors, self.bits = config, tensors, bits
        self.graph = Graph("toccata")
        self.node = self.graph.node
        self.weight = self.graph.weight
        self.sunk = ""

    def build(self) -> Graph:
        c = self.config
        x = self.node(
            "Gather", [self.weight("embedding", self.tensor("model.embed_tokens.weight", c.vocab, c.width)), "ids"]
        )
        if c.positions == "learned":
            places = self.weight("places", self.tensor("model.embed_positions.weight", c.context, c.width))
            x = self.node("Add", [x, self.node("Gather", [places, "positions"])])  # [B, T, C]
        if c.features:
            x = self.node("Add", [x, "features"])  # [B, T, C]
        added: str | None = None  # what the residual stream still has to take up; the next norm does it
        for i in range(c.layers):
            x, added = self.block(i, x, added)
        x, normed = self.norm("model.norm", x, added)
        selected = self.node("Gather", [normed, "keep"], axis=1)  # [B, n, C]
        flat = self.node("Reshape", [selected, self.weight("rows", np.array([-1, c.width]))])  # [B * n, C]
        self.head(flat)
        self._add_ports()
        return self.graph

    def head(self, x: str) -> None:
        """The logits of ``x [B * n, C]``."""
        c = self.config
        if c.tied and self.bits == 32 and not c.intervals:
            self.node("Gemm", [x, "embedding"], outputs=["logits"], transB=1)
            return
        head = self.tensor("model.embed_tokens.weight" if c.tied else "lm_head.weight", c.vocab, c.width)
        if not c.intervals:
            self.product("head", x, head, outputs=["logits"])
            return
        more = self.tensor("interval_head.weight", len(c.intervals) * INTERVALS, c.width)
        both = self.product("head", x, np.concatenate([head, more]))  # one product is faster than two
        self.node(
            "Split", [both, self.weight("parts", np.array([len(head), len(more)]))], outputs=["own", "rest"], axis=1
        )
        self.node("Add", ["own", self.intervals("rest")], outputs=["logits"])

    def intervals(self, parts: str) -> str:
        """The logits that pitches get for their intervals; see ``model.decoder.IntervalHead``."""
        c, constant = self.config, self.weight
        first, _, pitches = c.pitches
        shape = constant("intervals", np.array([-1, len(c.intervals), INTERVALS]))
        edges = constant("edges", np.array([0, 0, 1, 0, 0, 1]))  # what is too far away, on either side
        table = self.node("Pad", [self.node("Reshape", [parts, shape]), edges])  # [N, k, INTERVALS + 2]
        kept = self.node("Gather", ["from", "keep"], axis=1)  # [B, n, k]
        start = self.node("Reshape", [kept, constant("starts", np.array([-1, len(c.intervals), 1]))])
        place = self.node("Add", [start, constant("pitches", np.arange(pitches)[None, None])])  # [N, k, P]
        place = self.node("Max", [place, constant("below", np.array(0))])
        place = self.node("Min", [place, constant("above", np.array(INTERVALS + 1))])
        found = self.node("GatherElements", [table, place], axis=2)
        total = self.node("ReduceSum", [found, constant("known", np.array([1]))], keepdims=0)  # [N, P]
        return self.node("Pad", [total, constant("others", np.array([0, first, 0, c.vocab - first - pitches]))])

    def block(self, i: int, x: str, added: str | None) -> tuple[str, str]:
        """One layer; returns the residual stream and what has to be added to it."""
        name = f"model.layers.{i}"
        x, normed = self.norm(f"{name}.input_layernorm", x, added)
        attended = self.attention(i, f"{name}.self_attn", normed)
        if self.config.block == "parallel":
            _, normed = self.norm(f"{name}.post_attention_layernorm", x, None)
            return x, self.node("Add", [attended, self.mlp(f"{name}.mlp", normed)])
        x, normed = self.norm(f"{name}.post_attention_layernorm", x, attended)
        return x, self.mlp(f"{name}.mlp", normed)

    def attention(self, i: int, name: str, x: str) -> str:
        c = self.config
        rows = {"q": c.heads, "k": c.kv_heads, "v": c.kv_heads}
        qkv = self.linear(f"{name}.qkv", x, [self.heads(f"{name}.{part}_proj", n) for part, n in rows.items()])
        rope = ["cos", "sin"] if c.positions == "rope" else ["", ""]
        cache = [f"key_{i}", f"value_{i}"]
        y = f"{name}.y"
        self.node(
            "GroupQueryAttention",
            [qkv, "", "", *cache, "last", "total", *rope, "", "", self.sink()],
            outputs=[y, *(f"{part}_out" for part in cache)],
            domain=MICROSOFT,
            num_heads=c.heads,
            kv_num_heads=c.kv_heads,
            do_rotary=int(c.positions == "rope"),
            local_window_size=c.window or -1,
            scale=1.0,  # it is in the query's weights: the kernel has a faster product for a scale of exactly one
        )
        matrix = self.tensor(f"{name}.o_proj.weight", c.width, c.width)
        return self.linear(f"{name}.out", y, [(_widened(matrix.T, c.heads).T, self.bias(f"{name}.o_proj", c.width))])

    def heads(self, name: str, count: int) -> tuple[Floats, Floats | None]:
        """Weight and bias of a projection to ``count`` heads, as wide as the attention operator wants them."""
        c = self.config
        size = count * c.head_width
        bias = self.bias(name, size)
        parts = [self.tensor(f"{name}.weight", size, c.width)] + ([] if bias is None else [bias[:, None]])
        if name.endswith("q_proj"):
            parts = [part * np.float32(c.head_width**-0.5) for part in parts]
        parts = [_widened(part, count) for part in parts]
        return parts[0], parts[1][:, 0] if bias is not None else None

    def sink(self) -> str:
        """A place of no weight that attention may fall into, which changes no number.

        But the kernel that knows sinks is twice as fast at a single token as the one that ONNX Runtime (1.31) prefers
        where there are none.
        """
        if not self.sunk:
            self.sunk = self.weight("sink", np.full(self.config.heads, -1e30, np.float32))
        return self.sunk

    def mlp(self, name: str, x: str) -> str:
        c = self.config
        if c.mlp == "swiglu":
            both = self.linear(f"{name}.up", x, [self.part(f"{name}.{p}_proj", c.ffn, c.width) for p in ("gate", "up")])
            gate, value = f"{name}.gate", f"{name}.value"
            self.node("Split", [both], outputs=[gate, value], axis=-1)
            h = self.node("Mul", [self.silu(gate), value])
        else:
            h = self.linear(f"{name}.up", x, [self.part(f"{name}.up_proj", c.ffn, c.width)])
            h = self.activated(h)
        return self.linear(f"{name}.down", h, [self.part(f"{name}.down_proj", c.width, c.ffn)])

    def activated(self, x: str) -> str:
        """The activation of a feed-forward part without a gate."""
        if self.config.mlp == "relu2":
            positive = self.node("Relu", [x])
            return self.node("Mul", [positive, positive])
        return self.node("FastGelu", [x], domain=MICROSOFT) if self.config.mlp == "gelu" else self.silu(x)

    def silu(self, x: str) -> str:
        return self.node("QuickGelu", [x], domain=MICROSOFT, alpha=1.0)

    def norm(self, name: str, x: str, added: str | None) -> tuple[str, str]:
        """Add what is to be added to the stream and norm it: (the stream, the normed)."""
        layer = self.config.norm == "layer"
        kinds = ("weight", "bias") if layer else ("weight",)
        scales = [self.weight(f"{name}.{k}", self.tensor(f"{name}.{k}", self.config.width)) for k in kinds]
        if added is None:
            op = "LayerNormalization" if layer else "SimplifiedLayerNormalization"
            return x, self.node(op, [x, *scales], epsilon=NORM_EPS, axis=-1)
        op = "SkipLayerNormalization" if layer else "SkipSimplifiedLayerNormalization"
        normed, total = f"{name}.normed", f"{name}.sum"
        self.node(op, [x, added, *scales], outputs=[normed, "", "", total], domain=MICROSOFT, epsilon=NORM_EPS)
        return total, normed

    def part(self, name: str, rows: int, columns: int) -> tuple[Floats, Floats | None]:
        """A linear map's weight ``[rows, columns]``, and its bias if the config has any."""
        return self.tensor(f"{name}.weight", rows, columns), self.bias(name, rows)

    def bias(self, name: str, rows: int) -> Floats | None:
        return self.tensor(f"{name}.bias", rows) if self.config.bias else None

    def linear(self, name: str, x: str, parts: Sequence[tuple[Floats, Floats | None]]) -> str:
        """``x [.., K]`` times the stacked matrices transposed, plus their biases."""
        y = self.product(name, x, np.concatenate([matrix for matrix, _ in parts]))
        biases = [bias for _, bias in parts if bias is not None]
        return self.node("Add", [y, self.weight(f"{name}.bias", np.concatenate(biases))]) if biases else y

    def product(self, name: str, x: str, matrix: Floats, outputs: Sequence[str] = ()) -> str:
        """``x [.., K]`` times ``matrix [N, K]`` transposed."""
        if self.bits == 32:
            return self.node("MatMul", [x, self.weight(name, matrix.T)], outputs=outputs)
        N, K = matrix.shape
        block = _BLOCK if K % _BLOCK == 0 else _BLOCK // 2  # as a block that is filled up is work for nothing
        codes, scales = quantise(matrix, block)
        return self.node(
            "MatMulNBits",
            [x, self.weight(f"{name}.codes", codes), self.weight(f"{name}.scales", scales.reshape(-1))],
            outputs=outputs,
            domain=MICROSOFT,
            N=N,
            K=K,
            bits=8,
            block_size=block,
            accuracy_level=4,  # the products in 8 bits too; without it, this operator is a hundred times slower
        )

    def tensor(self, name: str, *shape: int) -> Floats:
        try:
            value = self.tensors[name]
        except KeyError:
            raise ModelError(f"the weights lack {name}: they are not those of this config") from None
        if value.shape != shape:
            raise ModelError(f"{name} has shape {list(value.shape)}, but the config asks for {list(shape)}")
        return np.asarray(value, np.float32)

    def _add_ports(self) -> None:
        """The graph's inputs and outputs."""
        c, port, width = self.config, self.graph.port, head_width(self.config)
        port("ids", INT64, ["B", "T"])
        port("keep", INT64, ["n"])
        port("last", INT32, ["B"])
        port("total", INT32, [])
        if c.positions == "rope":
            port("cos", FLOAT, ["P", width // 2])
            port("sin", FLOAT, ["P", width // 2])
        else:
            port("positions", INT64, ["B", "T"])
        if c.features:
            port("features", FLOAT, ["B", "T", c.width])
        if c.intervals:
            port("from", INT64, ["B", "T", len(c.intervals)])
        cache = [f"{part}_{i}" for i in range(c.layers) for part in ("key", "value")]
        for name in cache:
            port(name, FLOAT, ["B", c.kv_heads, "S", width])
        port("logits", FLOAT, ["N", c.vocab], output=True)
        for name in cache:
            port(f"{name}_out", FLOAT, ["B", c.kv_heads, "S_out", width], output=True)
