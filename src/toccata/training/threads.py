"""The waiting policy of torch's threads. Free of torch."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SPIN = "GOMP_SPINCOUNT"


@contextmanager
def threads_that_wait_briefly() -> Iterator[None]:
    """Have torch, where it is loaded inside, use threads that wait for one another briefly, not for ever.

    Beside another busy program that is twenty times as fast, and no slower on a machine of one's own (see
    docs/experiments.md). GNU OpenMP reads the variable while it is loaded and never after: so the environment, which is
    the whole process's, is as it was again behind the block.
    """
    if "torch" in sys.modules or _SPIN in os.environ:
        yield
        return
    os.environ[_SPIN] = "1000"
    try:
        yield
    finally:
        os.environ.pop(_SPIN, None)
