"""How a run computes: number format, attention kernel, compiled or not; and the cached trials of this machine.

Nothing here is tuned for one processor: what is fastest is tried, once for each shape of decoder, and remembered in the
user's cache (:data:`FILE`). Free of torch; ``trial.py`` does the trying.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from toccata import __version__
from toccata.errors import ToccataError
from toccata.files import read_json, user_cache, write_json
from toccata.model.config import KERNELS, Kernel
from toccata.training.options import TrainOptions

_GAIN = 1.05
"""A compiled step has to be so much faster: compiling takes a while in every run."""
_MOST_WORKERS = 16
"""The most workers of a training process with ``auto``; each takes a few hundred megabytes."""
FILE = "compute.json"
"""The file in the user's cache that remembers what was tried."""


@dataclass(frozen=True)
class Compute:
    """How one run computes.

    Attributes:
        precision: The number format of products.
        attention: The kernel, see ``toccata.model.attention``; None: the backend has only one.
        compiled: Whether the decoder's blocks are compiled (``torch.compile``).
    """

    precision: Literal["bf16", "fp32"] = "fp32"
    attention: Kernel | None = None
    compiled: bool = False

    def options(self, options: TrainOptions) -> TrainOptions:
        """``options`` with what is left on ``auto`` decided."""
        return replace(
            options,
            precision=self.precision if options.precision == "auto" else options.precision,
            attention=(self.attention or "auto") if options.attention == "auto" else options.attention,
            compile=("on" if self.compiled else "off") if options.compile == "auto" else options.compile,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Any) -> Compute | None:
        """Parse the result of :meth:`to_json`; None if it is invalid."""
        try:
            made = cls(**found)
        except TypeError:
            return None
        known = made.precision in ("bf16", "fp32") and made.attention in (None, *KERNELS)
        return made if known and isinstance(made.compiled, bool) else None


def machine(torch: str) -> dict[str, Any]:
    """Return the key of a measurement: the versions of toccata and torch, the machine, its processor and cores.

    Args:
        torch: Its version.
    """
    given = {name: os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")}
    return {
        "toccata": __version__,
        "torch": torch,
        "system": platform.system(),
        "processor": f"{platform.node()} {platform.machine()} {processor()}",
        "cores": cores(),
        **given,
    }


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def workers(options: TrainOptions) -> int:
    """Return the number of workers that make the examples of a training process.

    With ``auto``, half of its cores but one, which is 1 on up to five cores; at most 16. Processes that torchrun
    started on one machine share its cores.
    """
    if options.workers != "auto":
        return options.workers
    processes = os.environ.get("LOCAL_WORLD_SIZE", "")
    here = int(processes) if processes.isdecimal() else 1
    return max(1, min(_MOST_WORKERS, cores() // max(1, here) // 2 - 1))


def processor() -> str:
    """The name of the processor, as well as the system knows it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor()


def compiler() -> str:
    """The C++ compiler that ``torch.compile`` would use on a processor; empty where there is none."""
    names = (os.environ.get("CXX", ""), "g++", "clang++", "cl")
    return next((name for name in names if name and shutil.which(name)), "")


def worth_compiling(trial: Mapping[str, Any]) -> bool:
    """Whether compiled steps were enough faster in a trial."""
    return bool(_GAIN * trial["compiled"] < trial["eager"])


def remembered(torch: str) -> dict[str, dict[str, Any]]:
    """The trials of this machine, by what was tried (see ``trial.py``); empty where there are none."""
    try:
        saved = read_json(user_cache() / FILE)
        trials = saved["trials"] if saved["machine"] == machine(torch) else {}
        return {str(name): dict(trial) for name, trial in trials.items() if _is_trial(trial)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ToccataError):
        return {}


def _is_trial(trial: Any) -> bool:
    """Whether a trial in the cache can be one: seconds of kernels that there are, of steps as they are and compiled."""
    if not isinstance(trial, Mapping):
        return False
    kernels = trial.get("attention", {"blocks": 1.0})
    times = [trial[name] for name in ("eager", "compiled") if name in trial]
    known = isinstance(kernels, Mapping) and len(kernels) > 0 and set(kernels) <= set(KERNELS) and len(times) != 1
    return known and all(type(time) in (int, float) and time > 0 for time in (*kernels.values(), *times))


def remember(torch: str, name: str, trial: dict[str, Any]) -> None:
    """Keep a trial; where the cache cannot be written to, it is tried anew the next time."""
    with suppress(OSError, ToccataError):
        write_json(user_cache() / FILE, {"machine": machine(torch), "trials": {**remembered(torch), name: trial}})
