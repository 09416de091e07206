"""ONNX models as bytes: the few protobuf messages that the engine's graphs are made of, written without ``onnx``.

The numbers of the fields are those of `onnx.proto <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>`_; fields
stand in the order of their numbers, as protobuf's own writer puts them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT, UINT8, INT32, INT64, BOOL = 1, 2, 6, 7, 9
"""Element types (``TensorProto.DataType``)."""
MICROSOFT = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""
_TYPES = {"float32": FLOAT, "uint8": UINT8, "int32": INT32, "int64": INT64}
_INLINE = 1024
"""Bytes; arrays up to this size stand in the message: shapes have to, for the shapes of results are worked out from
them."""
_VARINT, _LENGTH, _FIXED32 = 0, 2, 5
_EXTERNAL = 1


@dataclass
class Graph:
    """A graph under construction: nodes, weights, inputs and outputs."""

    name: str
    nodes: list[bytes] = field(default_factory=list)
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)
    inputs: list[bytes] = field(default_factory=list)
    outputs: list[bytes] = field(default_factory=list)

    def node(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str] = (), domain: str = "", **attributes: Any
    ) -> str:
        """Add an operator; returns the name of its first output, which is made up if ``outputs`` is empty."""
        outputs = outputs or [f"{op}.{len(self.nodes)}"]
        fields = [_text(1, name) for name in inputs] + [_text(2, name) for name in outputs] + [_text(4, op)]
        fields += [_message(5, _attribute(name, value)) for name, value in sorted(attributes.items())]
        self.nodes.append(b"".join([*fields, _text(7, domain)]))
        return outputs[0]

    def weight(self, name: str, value: NDArray[Any]) -> str:
        """Add an array of constant numbers, a copy of ``value``; returns its name."""
        # A copy even where the layout is right: a graph must not depend on a file that may change while it is mapped.
        self.weights[name] = np.array(value, order="C", ndmin=1)
        return name

    def port(self, name: str, kind: int, shape: Sequence[int | str], *, output: bool = False) -> None:
        """Add an input or an output; sizes that are known only when the graph is run have names."""
        sizes = (_number(1, size) if isinstance(size, int) else _text(2, size) for size in shape)
        tensor = _number(1, kind) + _message(2, b"".join(_message(1, size) for size in sizes))
        value = _text(1, name) + _message(2, _message(1, tensor))
        (self.outputs if output else self.inputs).append(value)

    def to_bytes(self) -> bytes:
        """The whole model as one message, as an ``.onnx`` file holds it; at most 2 GiB."""
        return self._model(_tensor(name, array, external=False) for name, array in self.weights.items())

    def apart(self) -> tuple[bytes, dict[str, NDArray[Any]]]:
        """The model as a message of some kilobytes, and the larger arrays, which it only names."""
        large = {name: array for name, array in self.weights.items() if array.nbytes > _INLINE}
        tensors = (_tensor(name, array, external=name in large) for name, array in self.weights.items())
        return self._model(tensors), large

    def _model(self, tensors: Iterable[bytes]) -> bytes:
        graph = [_message(1, node) for node in self.nodes] + [_text(2, self.name)]
        graph += [_message(5, tensor) for tensor in tensors]
        graph += [_message(11, port) for port in self.inputs] + [_message(12, port) for port in self.outputs]
        opsets = (_message(8, _text(1, domain) + _number(2, version)) for domain, version in _OPSETS.items())
        return _number(1, _IR_VERSION) + _text(2, "toccata") + _message(7, b"".join(graph)) + b"".join(opsets)


_OPSETS: Mapping[str, int] = {"": 17, MICROSOFT: 1}
_IR_VERSION = 9


def _tensor(name: str, array: NDArray[Any], *, external: bool) -> bytes:
    fields = [_number(1, size) for size in array.shape]
    fields += [_number(2, _TYPES[array.dtype.name]), _text(8, name)]
    if not external:
        return b"".join([*fields, _message(9, array.tobytes())])
    place = {"location": "memory", "offset": "0", "length": str(array.nbytes)}
    fields += [_message(13, _text(1, key) + _text(2, value)) for key, value in place.items()]
    return b"".join([*fields, _number(14, _EXTERNAL)])


def _attribute(name: str, value: float | str | Sequence[int]) -> bytes:
    if isinstance(value, float):
        return _text(1, name) + _key(2, _FIXED32) + struct.pack("<f", value) + _number(20, 1)
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, 2)
    if isinstance(value, str):
        return _text(1, name) + _text(4, value) + _number(20, 3)
    return b"".join([_text(1, name), *(_number(8, one) for one in value), _number(20, 7)])


def _varint(value: int) -> bytes:
    value &= 2**64 - 1  # negative numbers are written as 64-bit two's complements
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _key(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _number(number: int, value: int) -> bytes:
    return _key(number, _VARINT) + _varint(value)


def _message(number: int, content: bytes) -> bytes:
    return _key(number, _LENGTH) + _varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode())
