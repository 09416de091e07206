"""Codes by ONNX Runtime: from piano rolls, and back to them, without torch."""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toccata.errors import ModelError
from toccata.files import digest, written_aside
from toccata.model.vqconfig import ABOUT, CHANNELS, DECODER, ENCODER, KEYS, WEIGHTS, VqConfig

_AT_A_TIME = 512
"""Slices that are encoded or decoded together, so that a long piece takes no more memory than a short one."""


class OnnxCodec:
    """The codes of a folder with ``vq.json``, ``vq-encoder.onnx`` and ``vq-decoder.onnx``.

    The two graphs are loaded when they are first used.

    Attributes:
        config: The VQ-VAE's shape.
        steps: Steps a quarter note.
        codes: Codes a quarter note.
        book: How many codes there are to choose of.
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
            about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            self.config = VqConfig.from_json(about["config"])
            self.threshold = float(about["threshold"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{path} cannot be read ({error}): copy the model folder again", path=path) from None
        self.folder, self.threads = folder, threads
        self.steps, self.codes, self.book = self.config.steps, self.config.codes, self.config.book
        self._sessions: dict[str, Any] = {}

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the graphs and the threshold: everything that decides which code means what.

        Raises:
            ModelError: A graph is missing.
        """
        content = [self.config.to_json(), self.threshold, *(digest(self._file(name)) for name in (ENCODER, DECODER))]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Copy its files into ``folder``; the weights as they were trained too, where they are there.

        Raises:
            ModelError: A graph is missing.
        """
        if folder.resolve() == self.folder.resolve():
            return
        weights = [WEIGHTS] if (self.folder / WEIGHTS).exists() else []
        for name in (*weights, ENCODER, DECODER, ABOUT):
            with written_aside(folder / name) as aside:
                shutil.copyfile(self._file(name), aside)

    def encode(self, rolls: NDArray[np.uint8]) -> NDArray[np.int32]:
        """``int32[Q, K]`` of ``uint8[Q, 2, 88, S]``.

        Raises:
            ModelError: The graph is missing or damaged.
        """
        parts = [
            self._run(ENCODER, rolls[i : i + _AT_A_TIME].astype(np.uint8)) for i in range(0, len(rolls), _AT_A_TIME)
        ]
        return np.concatenate([np.zeros((0, self.codes)), *parts]).astype(np.int32)

    def decode(self, codes: NDArray[np.int32]) -> NDArray[np.float32]:
        """``float32[Q, 2, 88, S]`` of ``int32[Q, K]``.

        Raises:
            ModelError: The graph is missing or damaged.
        """
        parts = [
            self._run(DECODER, codes[i : i + _AT_A_TIME].astype(np.int64)) for i in range(0, len(codes), _AT_A_TIME)
        ]
        return np.concatenate([np.zeros((0, CHANNELS, KEYS, self.steps), np.float32), *parts])

    def _run(self, name: str, given: NDArray[Any]) -> NDArray[Any]:
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = _load(self._file(name), self.threads)
        (made,) = session.run(None, {session.get_inputs()[0].name: given})
        found: NDArray[Any] = made
        return found

    def _file(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            raise ModelError(f"{path} is missing: copy the whole model folder again", path=path)
        return path

    def __getstate__(self) -> dict[str, Any]:
        # A worker process loads the graphs itself.
        return {**self.__dict__, "_sessions": {}}


def _load(path: Path, threads: int) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # an error is told by what is raised, once
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime has many errors of its own; whichever it is, the file is not what it should be.
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path} cannot be loaded ({reason}): copy the model folder again", path=path) from None
