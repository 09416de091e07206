"""The device and the precision of a training, detected rather than configured."""

from __future__ import annotations

import atexit
import time
from typing import Literal

import torch
import torch.distributed as dist
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState

from toccata.training.options import TrainOptions


def device() -> str:
    """CUDA if there is one, else Apple's GPU, else the processor."""
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def processes() -> PartialState:
    """The processes that train together: several if started by torchrun or accelerate, else this one."""
    state = PartialState(cpu=device() == "cpu")
    if state.num_processes > 1:
        atexit.unregister(_leave_group)
        atexit.register(_leave_group)
    return state


def _leave_group() -> None:
    """Close the connections to other processes: at times one that ends with them open is aborted by its own threads."""
    if dist.is_initialized():
        dist.destroy_process_group()


def precision(options: TrainOptions) -> Literal["bf16", "fp32"]:
    """Return the precision on this machine; with ``auto``, it is measured."""
    if options.precision == "auto":
        return "bf16" if computes_bf16(device()) else "fp32"
    return options.precision


def accelerator(options: TrainOptions) -> Accelerator:
    """An Accelerator for the device and the precision there are."""
    mixed = "bf16" if precision(options) == "bf16" else "no"
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != mixed:
        AcceleratorState._reset_state()  # left by an earlier run in this process, which may have had another precision
    return Accelerator(cpu=device() == "cpu", mixed_precision=mixed)


def computes_bf16(device: str) -> bool:
    """Whether bf16 is faster than float32 on ``device``; on a processor, this is measured."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    return 1.2 * _seconds(torch.bfloat16) < _seconds(torch.float32)


def _seconds(dtype: torch.dtype) -> float:
    """The shortest of a few products of two matrices."""
    a = torch.ones(512, 512, dtype=dtype)
    times = []
    for _ in range(6):
        before = time.perf_counter()
        for _ in range(4):
            a @ a
        times.append(time.perf_counter() - before)
    return min(times)
