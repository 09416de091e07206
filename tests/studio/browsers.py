"""A Chromium for tests and benchmarks: the one of this machine, without a window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
AT_ONCE = "--autoplay-policy=no-user-gesture-required"
"""Sound before anything was clicked."""


def chromium() -> str | None:
    """The path of a Chromium on this machine: of the variable CHROMIUM, or on the PATH."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


def why_not() -> str | None:
    """Why there is no browser to test with, or None."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "the Python package playwright is not installed"
    return None if chromium() else "no Chromium found: install one, or name it in the variable CHROMIUM"


@contextmanager
def browser(*arguments: str) -> Iterator[Any]:
    """A Chromium, with arguments of its command line."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox", *arguments])
        try:
            yield running
        finally:
            running.close()
