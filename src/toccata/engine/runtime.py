"""The one place that loads ONNX Runtime, with its telemetry switched off before."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toccata.engine.message import Graph

_SWITCH = "ORT_DISABLE_TELEMETRY"


def onnxruntime() -> Any:
    """ONNX Runtime's module; loaded with ``ORT_DISABLE_TELEMETRY=1``, whatever the environment says.

    ONNX Runtime reads the variable while it is imported: without it, importing writes a device id and a data base into
    the user's cache folder, and later tries to send what it collected. ``disable_telemetry_events`` stops neither.
    Where the calling program has imported ONNX Runtime before, with telemetry on, that has happened already: a warning
    says so, once.
    """
    if "onnxruntime" not in sys.modules:
        os.environ[_SWITCH] = "1"
    elif os.environ.get(_SWITCH) != "1":
        os.environ[_SWITCH] = "1"  # for the processes that this one starts
        warnings.warn(
            "onnxruntime was imported before toccata loaded it, so its telemetry may be on: set "
            f"{_SWITCH}=1 in the environment before importing it",
            RuntimeWarning,
            stacklevel=3,
        )
    import onnxruntime

    return onnxruntime


def open_graph(graph: Graph, *, threads: int, shares: str | None = None) -> Any:
    """An inference session on the processor for a graph that toccata has built.

    Graphs come from toccata's own builders and never from a file, so whatever a model folder holds, the operators that
    run are ours.

    Args:
        graph: The graph.
        threads: For one operator.
        shares: The option ``session.dynamic_block_base``, if it is to be set.
    """
    ort = onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # an error is reported once, by what is raised
    if shares is not None:
        options.add_session_config_entry("session.dynamic_block_base", shares)
    content, weights = graph.apart()
    if weights:
        values = [ort.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
