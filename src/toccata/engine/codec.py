"""Codes by ONNX Runtime: from piano rolls, and back to them, without torch."""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toccata.engine.codec_graph import build_codec_graphs
from toccata.engine.runtime import open_graph
from toccata.errors import ModelError
from toccata.files import read_json, written_aside
from toccata.model.tensors import read_tensors
from toccata.model.vqconfig import ABOUT, CHANNELS, KEYS, WEIGHTS, VqConfig, shapes

if TYPE_CHECKING:
    from toccata.engine.message import Graph

_AT_A_TIME = 512
"""Slices that are encoded or decoded together, so that a long piece takes no more memory than a short one."""
_FIRST = {"codebook": "book"}
"""What fields of the config were called at first, and still are in a fingerprint, which shall stay what it was."""


class OnnxCodec:
    """The codes of a folder with ``vq.json`` and ``vq.safetensors``.

    The two graphs are built from them when they are first used.

    Attributes:
        config: The VQ-VAE's shape.
        steps: Steps a quarter note.
        codes: Codes a quarter note.
        codebook: How many codes there are to choose of.
        threshold: The least probability that counts as a note.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        """Read ``vq.json``.

        Args:
            folder: Where the files are.
            threads: For the graphs.

        Raises:
            ModelError: It is missing or damaged.
        """
        path = folder / ABOUT
        try:
            about: dict[str, Any] = read_json(path)
            self.config = VqConfig.from_json(about["config"])
            self.threshold = float(about["threshold"])
            if not 0 <= self.threshold <= 1:
                raise ValueError("a threshold that is no probability")
        except (OSError, ValueError, KeyError, TypeError, ModelError) as error:
            raise ModelError(f"{path} cannot be read ({error}): copy the model folder again", path=path) from None
        self.folder, self.threads = folder, threads
        self.steps, self.codes, self.codebook = self.config.steps, self.config.codes, self.config.codebook
        self._sessions: tuple[Any, Any] | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the graphs and the threshold: everything that decides which code means what.

        Raises:
            ModelError: The weights are missing or damaged.
        """
        digests = (hashlib.sha256(graph.to_bytes()).hexdigest() for graph in self._graphs())
        shape = {_FIRST.get(name, name): value for name, value in self.config.to_json().items()}
        content = [shape, self.threshold, *digests]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Copy its files into ``folder``.

        Raises:
            ModelError: The weights are missing.
        """
        if folder.resolve() == self.folder.resolve():
            return
        for name in (WEIGHTS, ABOUT):
            path = self.folder / name
            if not path.is_file():
                raise ModelError(f"{path} is missing: copy the whole model folder again", path=path)
            with written_aside(folder / name) as aside:
                shutil.copyfile(path, aside)

    def encode(self, rolls: NDArray[np.uint8]) -> NDArray[np.int32]:
        """``int32[Q, K]`` of ``uint8[Q, 2, 88, S]``.

        Raises:
            ModelError: The weights are missing or damaged.
        """
        parts = [self._run(0, rolls[i : i + _AT_A_TIME].astype(np.uint8)) for i in range(0, len(rolls), _AT_A_TIME)]
        return np.concatenate([np.zeros((0, self.codes)), *parts]).astype(np.int32)

    def decode(self, codes: NDArray[np.int32]) -> NDArray[np.float32]:
        """``float32[Q, 2, 88, S]`` of ``int32[Q, K]``.

        Raises:
            ModelError: The weights are missing or damaged.
        """
        parts = [self._run(1, codes[i : i + _AT_A_TIME].astype(np.int64)) for i in range(0, len(codes), _AT_A_TIME)]
        return np.concatenate([np.zeros((0, CHANNELS, KEYS, self.steps), np.float32), *parts])

    def _run(self, half: int, given: NDArray[Any]) -> NDArray[Any]:
        """What the encoder (0) or the decoder (1) makes of ``given``."""
        if self._sessions is None:
            encoder, decoder = (open_graph(graph, threads=self.threads) for graph in self._graphs())
            self._sessions = encoder, decoder
        session = self._sessions[half]
        (made,) = session.run(None, {session.get_inputs()[0].name: given})
        found: NDArray[Any] = made
        return found

    def _graphs(self) -> tuple[Graph, Graph]:
        return build_codec_graphs(self.config, read_tensors(self.folder / WEIGHTS, shapes(self.config)))

    def __getstate__(self) -> dict[str, Any]:
        # A worker process loads the graphs itself.
        return {**self.__dict__, "_sessions": None}
