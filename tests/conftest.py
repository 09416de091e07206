"""What several tests share: music."""

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

import made_music
from toccata.midi.clean import clean
from toccata.midi.read import read_score
from toccata.tokenizers.events import EventOptions, EventTokenizer


def _named() -> Path | None:
    """The folder of real MIDI on this machine, if there is one."""
    folder = Path(os.environ.get("TOCCATA_DATA") or Path(__file__).parents[2] / "shared" / "data")
    return folder if folder.is_dir() else None


_LONG = ("test_guarantees", "test_grammar", "test_scheduler")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long: begun last, they would leave one worker alone with them."""
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.path.stem in _LONG}
    items.sort(key=lambda item: item.path not in slow)


def pytest_report_header() -> str:
    """Say which music the tests are about."""
    return f"music: {_named() or 'made of the chorales in music21, as TOCCATA_DATA names no folder of real MIDI'}"


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of MIDI (bach, songs, quartets, ...): a real one, or the same kinds of music made of chorales."""
    folder = _named()
    if folder is None:
        pytest.importorskip("music21", reason='no folder of real MIDI, and no music21: pip install "toccata[dataset]"')
        folder = tmp_path_factory.mktemp("music")
        made_music.make(folder)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real MIDI, for tests of figures that particular files have; skipped without one."""
    folder = _named()
    if folder is None:  # the repository has no music of others
        pytest.skip("about particular real files: set TOCCATA_DATA to a folder of them to run this test")
    return folder


@pytest.fixture(scope="session")
def merged(data: Path) -> EventTokenizer:
    """REMI with merges learned from a few pieces of Bach."""
    tokenizer = EventTokenizer.build(EventOptions("REMI", merges=2500))
    files = sorted((data / "bach" / "mutopia").glob("*.mid"))[::20]
    tokenizer.fit([clean(read_score(path)) for path in files])
    return tokenizer
