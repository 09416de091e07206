"""A decoder that ONNX Runtime can run: its graph, built from the weights and the config of a model folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toccata import folder
from toccata.engine.graph import build_graph
from toccata.engine.runtime import onnxruntime, open_graph
from toccata.errors import ModelError
from toccata.model.config import DecoderConfig
from toccata.model.layout import shapes
from toccata.model.stylefile import UsedStyleFile, merged
from toccata.model.tensors import read_tensors

Bits = Literal[32, 8]
FEATURES = "model.embed_features.weight"


@dataclass(frozen=True, eq=False)
class Network:
    """A loaded graph; any number of sessions can share it, from any thread.

    Attributes:
        config: The decoder's shape.
        runtime: ONNX Runtime's session.
        name: What an error calls the model by.
        features: ``float[rows, C]``, the embeddings of features, where the config has some.
    """

    config: DecoderConfig
    runtime: Any
    name: str = "the model"
    features: NDArray[np.float32] | None = None

    @classmethod
    def of(
        cls,
        config: DecoderConfig,
        tensors: Mapping[str, NDArray[np.float32]],
        *,
        bits: Bits = 32,
        threads: int | None = None,
        name: str = "the model",
    ) -> Network:
        """Build and load the graph for these weights.

        Args:
            config: The shape.
            tensors: The weights, as in ``model.safetensors``.
            bits: Of the matrices' weights.
            threads: None: one for each processor this process may use, up to four.
            name: What an error calls the model by.

        Raises:
            ModelError: A tensor is missing or of another shape, or ONNX Runtime does not take the graph.
        """
        onnxruntime()  # it may have something to say that is no fault of the graph
        graph = build_graph(config, tensors, bits=bits)
        try:
            # Smaller shares of work, handed out as threads come free: 5 to 10 % faster where processors are shared.
            runtime = open_graph(graph, threads=threads or _processors(), shares="4")
        except Exception as error:  # onnxruntime's own errors share no other base
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"{name} cannot be run by ONNX Runtime: {reason}") from None
        table = tensors[FEATURES] if config.features else None
        return cls(config, runtime, name, table)

    @classmethod
    def open(
        cls,
        model: folder.ModelFolder,
        config: DecoderConfig,
        *,
        bits: Bits = 8,
        threads: int | None = None,
        style_files: Sequence[UsedStyleFile] = (),
    ) -> Network:
        """Build and load the graph of a model folder, its weights merged with style files, each by how much it counts.

        Raises:
            ModelError: The weights are missing, damaged, not finite, or not those of the config; or a style file is.
        """
        path: Path = model.file(folder.WEIGHTS)
        tensors = read_tensors(path, shapes(config))
        if style_files:  # before the weights are rounded to 8 bits, which would swallow small changes
            tensors = merged(config, tensors, style_files)
        return cls.of(config, tensors, bits=bits, threads=threads, name=str(model.path))


def _processors() -> int:
    """Processors this process may use, but no more than models of this size can keep busy."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(count, 4)
