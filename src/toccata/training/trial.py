"""Trying out what computes fastest on this machine: number formats, attention kernels, ``torch.compile``.

A trial takes a few seconds, and that of ``torch.compile`` a minute: so short runs go without, and what was found is
remembered (``compute.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, cast

import torch
from torch import Tensor

from toccata.model.attention import Packing
from toccata.model.config import DecoderConfig, Kernel
from toccata.model.decoder import Decoder
from toccata.training.compute import Compute, compiler, remember, remembered, worth_compiling
from toccata.training.device import device, precision
from toccata.training.options import TrainOptions

WORTH_TRYING, WORTH_COMPILING = 90.0, 600.0
"""Seconds that a run must be likely to take for kernels, and for compiling, to be tried."""
_SLOW = 1e11
"""Operations a second, for the length of a run that is given in steps; most processors do more."""
_LAYERS = 2
"""Layers of the decoder that kernels are tried with: all layers are alike."""
_TURNS = 4


def choose(
    config: DecoderConfig, options: TrainOptions, say: Callable[[str], None], most: int | None = None
) -> Compute:
    """Return how a run computes on this machine; options left on ``auto`` are set by a trial.

    Args:
        config: The decoder.
        options: Of the run.
        say: Called with a message before a trial, which takes a while.
        most: The most steps that the run makes, whatever its options say; None: any number.
    """
    where, number = device(), precision(options)
    seconds = _seconds(config, options, most)
    kernel = options.attention if options.attention != "auto" else _usual(where, number)
    trial = remembered(torch.__version__).get(_name(config, options, number), {})
    if where == "cpu" and options.attention == "auto" and (seconds >= WORTH_TRYING or trial):
        if "attention" not in trial:
            trial = {**trial, "attention": _kernels(config, options, number)}
            remember(torch.__version__, _name(config, options, number), trial)
        kernel = min(trial["attention"], key=trial["attention"].__getitem__)
    compiled = options.compile == "on"
    able = _has_triton() if where == "cuda" else bool(compiler())
    # Each module of a style file's run has a class of its own, and would be compiled for itself.
    if options.compile == "auto" and not options.lora_rank and seconds >= WORTH_COMPILING and able:
        if where == "cpu" and "compiled" not in trial:
            say("Trying a compiled step, once for this machine and size: about a minute")
            trial = {**trial, **_compiling(config, options, number, kernel)}
            remember(torch.__version__, _name(config, options, number), trial)
        compiled = where == "cuda" or worth_compiling(trial)
    return Compute(number, kernel, compiled)


def usable(known: Compute) -> Compute:
    """Return how a resumed run computes: as before, without a kernel or a compiler that this machine does not have."""
    where = device()
    able = _has_triton() if where == "cuda" else bool(compiler())
    kernel = None if known.attention == "flex" and not (where == "cuda" and able) else known.attention
    return replace(known, attention=kernel, compiled=known.compiled and able)


def _usual(where: str, number: str) -> Kernel:
    """The kernel where none was tried."""
    if where == "cuda" and _has_triton():
        return "flex"
    return "blocks" if where == "cpu" and number == "bf16" else "fused"


def _has_triton() -> bool:
    """Whether Triton is there, which compiles for CUDA; on Windows it is not."""
    return find_spec("triton") is not None


def _seconds(config: DecoderConfig, options: TrainOptions, most: int | None) -> float:
    """Return a high estimate of a run's duration, in seconds."""
    tokens = options.micro_batch_size * options.gradient_accumulation_steps * config.context
    each = tokens * config.work(config.context) / _SLOW
    if options.minutes is None:
        return each * min(options.steps, most or options.steps)
    return options.minutes * 60 if most is None else min(options.minutes * 60, each * most)


def _name(config: DecoderConfig, options: TrainOptions, number: str) -> str:
    """Return the key of a trial: the decoder's shape, and the batch."""
    shape = f"{config.width}x{config.layers} heads {config.heads}/{config.kv_heads} ffn {config.ffn} {config.mlp}"
    return f"{shape} vocab {config.vocab} context {config.context} rows {options.micro_batch_size} {number}"


def _kernels(config: DecoderConfig, options: TrainOptions, number: str) -> dict[str, float]:
    """Seconds of a forward and backward pass of a few layers, by kernel."""
    small = replace(config, layers=min(_LAYERS, config.layers))
    steps = {kernel: _step(small, options, number, kernel) for kernel in ("blocks", "plain", "fused")}
    return _timed(steps)


def _compiling(config: DecoderConfig, options: TrainOptions, number: str, kernel: str) -> dict[str, Any]:
    """Seconds of a pass as it is (``eager``) and ``compiled``, and what compiling took; infinite where it failed."""
    steps = {"eager": _step(config, options, number, kernel)}
    before = time.monotonic()
    try:
        compiled = _step(config, options, number, kernel, compiled=True)
        compiled()
    except Exception as error:  # whatever a compiler, or what stands around it, may stumble over
        why = " ".join(str(error).split())[:200]
        return {**_timed(steps), "compiled": 1e9, "why": f"{type(error).__name__}: {why}"}
    took = time.monotonic() - before
    return {**_timed({**steps, "compiled": compiled}), "compiling": round(took, 1)}


def _timed(steps: dict[str, Callable[[], None]]) -> dict[str, float]:
    """The shortest of a few turns each, side by side, in seconds; the first turn warms up."""
    took: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(_TURNS + 1):
        for name, step in steps.items():
            before = time.perf_counter()
            step()
            took[name].append(time.perf_counter() - before)
    return {name: round(min(times[1:]), 4) for name, times in took.items()}


def _step(
    config: DecoderConfig, options: TrainOptions, number: str, kernel: str, *, compiled: bool = False
) -> Callable[[], None]:
    """A forward and backward pass over packed rows of random ids."""
    with torch.random.fork_rng(devices=[]):  # so that the process's random state is unchanged
        decoder = Decoder(config)
        ids = torch.randint(config.vocab, (options.micro_batch_size, config.context + 1))
    decoder.kernel = cast(Kernel, kernel)
    if compiled:
        decoder.compile_blocks()
    first = config.context // 3
    whole = [(config.context,)] * (options.micro_batch_size - 1)
    beside = options.micro_batch_size, config.context, len(config.features)
    features = torch.zeros(beside, dtype=torch.int32) if config.features else None
    packing = Packing.always([(first, config.context - first), *whole] if first else [*whole, (config.context,)])

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=number == "bf16"):
            loss: Tensor = decoder(ids[:, :-1], packing, ids[:, 1:], features)
        loss.backward()  # type: ignore[no-untyped-call]
        decoder.zero_grad()

    return step
