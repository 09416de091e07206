"""What several tests share: real MIDI, where it is."""

from __future__ import annotations

import os
import signal
from pathlib import Path

# A shell that starts this in the background has it, and all it starts, deaf to Ctrl-C, which some tests are about.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Before anything loads torch: its threads shall wait briefly, or tests crawl beside other programs.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import pytest

from toccata.midi.clean import clean
from toccata.midi.read import read_score
from toccata.tokenizers.events import EventOptions, EventTokenizer


def _data() -> Path:
    return Path(os.environ.get("TOCCATA_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real MIDI (bach, songs, quartets, ...).

    Tests that need it are skipped, with a message, without it.
    """
    folder = _data()
    if not folder.is_dir():
        pytest.skip(f"no folder of real MIDI at {folder}: set TOCCATA_DATA to run this test")
    return folder


@pytest.fixture(scope="session")
def merged(data: Path) -> EventTokenizer:
    """REMI with merges learned from a few pieces of Bach."""
    tokenizer = EventTokenizer.build(EventOptions("REMI", merges=2500))
    files = sorted((data / "bach" / "mutopia").glob("*.mid"))[::20]
    tokenizer.fit([clean(read_score(path)) for path in files])
    return tokenizer
