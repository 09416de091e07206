"""The VQ-VAE's two halves as ONNX models, built node by node from config and weights.

- encoder: ``rolls uint8[Q, 2, 88, S]`` to ``codes int64[Q, K]``
- decoder: ``codes int64[Q, K]`` to ``probabilities float[Q, 2, 88, S]``

The names of the weights are those of ``vq.safetensors``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from toccata.engine.message import BOOL, FLOAT, INT64, MICROSOFT, UINT8, Graph
from toccata.errors import ModelError
from toccata.model.vqconfig import CHANNELS, KEYS, SILENT, VqConfig

Floats = NDArray[np.float32]


def build_codec_graphs(config: VqConfig, tensors: Mapping[str, Floats]) -> tuple[Graph, Graph]:
    """The encoder and the decoder for these weights.

    Raises:
        ModelError: A tensor is missing.
    """
    kind = _Slots if config.layout == "slots" else _Grid
    return kind(config, tensors).encoder(), kind(config, tensors).decoder()


class _Builder:
    """Collects nodes and weights; each method adds a part and returns the name of its output."""

    def __init__(self, config: VqConfig, tensors: Mapping[str, Floats]) -> None:
        self.config, self.tensors = config, tensors
        self.graph = Graph("toccata-vq")
        self.node = self.graph.node
        self.constant = self.graph.weight

    def encoder(self) -> Graph:
        c = self.config
        self.read(self.node("Cast", ["rolls"], to=FLOAT))
        self.graph.port("rolls", UINT8, ["Q", CHANNELS, KEYS, c.steps])
        self.graph.port("codes", INT64, ["Q", c.codes], output=True)
        return self.graph

    def decoder(self) -> Graph:
        c = self.config
        self.node("Sigmoid", [self.play("codes")], outputs=["probabilities"])
        self.graph.port("codes", INT64, ["Q", c.codes])
        self.graph.port("probabilities", FLOAT, ["Q", CHANNELS, KEYS, c.steps], output=True)
        return self.graph

    def read(self, rolls: str) -> None:
        """From ``rolls float[Q, 2, 88, S]`` to ``codes``."""
        raise AssertionError("a layout says how")

    def play(self, codes: str) -> str:
        """From ``codes int64[Q, K]`` to log odds ``float[Q, 2, 88, S]``."""
        raise AssertionError("a layout says how")

    def nearest(self, z: str, outputs: Sequence[str] = ()) -> str:
        """The number of the nearest entry for each of ``z [Q, K, D]``."""
        book = self.tensor("book")
        product = self.node("MatMul", [z, self.constant("book.twice", 2 * book.T)])
        scores = self.node("Sub", [product, self.constant("book.square", np.square(book).sum(-1))])
        return self.node("ArgMax", [scores], outputs=outputs, axis=-1, keepdims=0)

    def linear(self, name: str, x: str) -> str:
        product = self.node("MatMul", [x, self.constant(f"{name}.matrix", self.tensor(f"{name}.weight").T)])
        return self.node("Add", [product, self.weight(f"{name}.bias")])

    def weight(self, name: str) -> str:
        return self.constant(name, self.tensor(name))

    def numbers(self, *values: int) -> str:
        return self.constant("numbers." + ".".join(map(str, values)), np.array(values, np.int64))

    def number(self, value: float) -> str:
        return self.constant(f"number.{value}", np.array(value, np.float32))

    def tensor(self, name: str) -> Floats:
        try:
            return np.asarray(self.tensors[name], np.float32)
        except KeyError:
            raise ModelError(f"the codes' weights lack {name}: they are not those of this config") from None


class _Slots(_Builder):
    """A code for each key that is used, from low to high."""

    def read(self, rolls: str) -> None:
        c = self.config
        claims = self.share(rolls)
        rows = self.node("Reshape", [self.node("Transpose", [rolls], perm=[0, 2, 1, 3]), self.numbers(0, KEYS, -1)])
        rhythms = self.node("MatMul", [claims, rows])
        rhythm = self.linear("rhythm_in.1", self.gelu(self.linear("rhythm_in.0", rhythms)))
        x = self.node("Add", [self.linear("key_in", claims), rhythm])
        for i in range(c.layers):
            x = self.residual(f"before.{i}", x)
        chosen = self.nearest(self.linear("narrow", self.norm("norm_in", x)))
        used = self.node("Cast", [self.node("ReduceMax", [claims], axes=[2], keepdims=0)], to=INT64)
        self.node("Mul", [self.node("Add", [chosen, self.numbers(1)]), used], outputs=["codes"])

    def play(self, codes: str) -> str:
        c = self.config
        book = self.tensor("book")
        table = self.constant("book.table", np.concatenate([book[:1], book]))  # what code 0 is counts for nothing
        x = self.linear("widen", self.node("Gather", [table, codes]))
        for i in range(c.layers):
            x = self.residual(f"behind.{i}", x)
        x = self.norm("norm_out", x)
        used = self.node("Cast", [self.node("Greater", [codes, self.numbers(0)])], to=FLOAT)
        used = self.node("Unsqueeze", [used, self.numbers(-1)])
        claims = self.node("Mul", [self.node("Sigmoid", [self.linear("key_out", x)]), used])  # [Q, K, 88]
        rhythms = self.linear("rhythm_out.1", self.gelu(self.linear("rhythm_out.0", x)))
        rhythms = self.node("Add", [rhythms, self.number(SILENT)])
        whole = self.node("MatMul", [self.node("Transpose", [claims], perm=[0, 2, 1]), rhythms])  # [Q, 88, 2 * S]
        logits = self.node("Sub", [whole, self.number(SILENT)])
        logits = self.node("Reshape", [logits, self.numbers(0, KEYS, CHANNELS, c.steps)])
        return self.node("Transpose", [logits], perm=[0, 2, 1, 3])

    def share(self, rolls: str) -> str:
        """The key that each slot is given, ``float[Q, K, 88]`` of zeros and ones."""
        K = self.config.codes
        most = self.node("ReduceMax", [rolls], axes=[1, 3], keepdims=0)
        active = self.node("Cast", [most], to=INT64)
        rank, number = self.rank(active), self.node("ReduceSum", [active, self.numbers(1)], keepdims=1)
        between = self.node("Max", [self.node("Sub", [number, self.numbers(1)]), self.numbers(1)])
        shares = []
        for place in (rank, self.node("Sub", [rank, self.numbers(1)])):
            shares.append(self.node("Div", [self.node("Mul", [place, self.numbers(K - 1)]), between]))
        keep = self.node("Not", [self.node("Equal", shares)])
        keep = self.node("Or", [keep, self.node("Equal", [rank, self.numbers(0)])])
        keep = self.node("Or", [keep, self.node("LessOrEqual", [number, self.numbers(K)])])
        keep = self.node("And", [keep, self.node("Cast", [most], to=BOOL)])
        slot = self.rank(self.node("Cast", [keep], to=INT64))
        slot = self.node("Where", [keep, slot, self.numbers(-1)])
        places = self.constant("places", np.arange(K, dtype=np.int64)[:, None])
        here = self.node("Equal", [self.node("Unsqueeze", [slot, self.numbers(1)]), places])
        return self.node("Cast", [here], to=FLOAT)

    def rank(self, ones: str) -> str:
        """How many ones are before each one of ``ones int64[Q, 88]``."""
        counted = self.node("CumSum", [ones, self.constant("axis", np.array(1, np.int64))])
        return self.node("Sub", [counted, self.numbers(1)])

    def residual(self, name: str, x: str) -> str:
        inner = self.gelu(self.linear(f"{name}.up", self.norm(f"{name}.norm", x)))
        return self.node("Add", [x, self.linear(f"{name}.down", inner)])

    def norm(self, name: str, x: str) -> str:
        scales = [self.weight(f"{name}.{kind}") for kind in ("weight", "bias")]
        return self.node("LayerNormalization", [x, *scales], epsilon=1e-5, axis=-1)

    def gelu(self, x: str) -> str:
        return self.node("Gelu", [x], domain=MICROSOFT)


class _Grid(_Builder):
    """Convolutions over the roll as a picture."""

    def read(self, rolls: str) -> None:
        c = self.config
        x = rolls
        for i, stride in enumerate((2, 2, 2, 1)):
            x = self.conv(f"down.{i}", self.node("Relu", [x]) if i else x, stride, pad=1 if stride == 1 else 0)
        for i in range(c.layers):
            x = self.residual(f"before.{i}", x)
        flat = self.node("Reshape", [self.node("Relu", [x]), self.numbers(0, c.width, -1)])
        self.nearest(self.node("Transpose", [flat], perm=[0, 2, 1]), outputs=["codes"])

    def play(self, codes: str) -> str:
        c = self.config
        places = self.node("Transpose", [self.node("Gather", [self.weight("book"), codes])], perm=[0, 2, 1])
        x = self.conv("first", self.node("Reshape", [places, self.numbers(0, c.width, 8, 2)]), pad=1)
        for i in range(c.layers):
            x = self.residual(f"behind.{i}", x)
        for i, more in enumerate((0, 1, 0)):
            weights = [self.weight(f"up.{i}.{kind}") for kind in ("weight", "bias")]
            inputs = [self.node("Relu", [x]), *weights]
            x = self.node("ConvTranspose", inputs, strides=[2, 2], output_padding=[more, more])
        return x

    def residual(self, name: str, x: str) -> str:
        inner = self.node("Relu", [self.conv(f"{name}.wide", self.node("Relu", [x]), pad=1)])
        return self.node("Add", [x, self.conv(f"{name}.back", inner)])

    def conv(self, name: str, x: str, stride: int = 1, *, pad: int = 0) -> str:
        weights = [self.weight(f"{name}.{kind}") for kind in ("weight", "bias")]
        return self.node("Conv", [x, *weights], strides=[stride, stride], pads=[pad] * 4)
