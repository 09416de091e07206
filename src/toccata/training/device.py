"""Where to compute, and in which precision: found out, not asked for."""

from __future__ import annotations

import time

import torch
from accelerate import Accelerator

from toccata.training.options import TrainOptions


def accelerator(options: TrainOptions) -> Accelerator:
    """CUDA if there is one, else Apple's GPU, else the processor; several processes if started by torchrun or accelerate."""
    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    bf16 = options.precision == "bf16" or (options.precision == "auto" and computes_bf16(device))
    return Accelerator(cpu=device == "cpu", mixed_precision="bf16" if bf16 else "no")


def computes_bf16(device: str) -> bool:
    """Whether bf16 is faster than float32 on ``device``; processors are asked by doing it."""
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
