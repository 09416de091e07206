"""Any bytes at all: a file is read or refused, and no process crashes, hangs or eats the machine's memory.

``TOCCATA_FUZZ`` says how many mutated files the slow test reads (100,000), ``TOCCATA_FUZZ_SEED`` which ones; without it
each run has others, and says its seed. ``python tests/test_fuzz.py FILE.hex`` reads one again.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from symusic import Note, Score, Tempo, Track

from midi_mutations import built_seeds, mutated
from toccata.errors import MidiError
from toccata.midi import smf
from toccata.midi.bars import bar_map
from toccata.midi.mend import mend
from toccata.midi.read import read_score
from toccata.midi.repitch import Keys
from toccata.midi.splice import continue_file, drop_before

BATCH = 500
"""Files a worker reads before it says how it went."""
SECONDS, BYTES = 60, 4 * 2**30
"""Processor time for a batch, and memory, after which a worker is ended."""
LARGEST = 6_000
"""Real files up to this size are mutated, so that most mutations touch something that matters."""


def look_at(data: bytes) -> None:
    """Do with a file what toccata does with it first; it may be refused, and nothing else may go wrong."""
    score, refused = None, ""
    try:
        score = read_score(data, cut_short="use")
    except MidiError as error:
        refused = error.message
    assert score is not None or (refused and "\n" not in refused), "a refusal gives a reason"
    if score is not None:
        assert score.note_num()
        assert score.start() >= 0
        bars = bar_map(score)
        assert len(bars) >= 1
        assert bars.end > 0
    for step in (_mended, _apart, _spliced):
        with suppress(MidiError):
            step(data, score)


def _mended(data: bytes, score: Score | None) -> None:
    sound = mend(data)
    assert sound.files
    assert all(file.startswith(b"MThd\0\0\0\x06") for file in sound.files)


def _apart(data: bytes, score: Score | None) -> None:
    file = smf.read(data)
    again = smf.read(smf.write(file))
    assert [track.events for track in again.tracks] == [track.events for track in file.tracks]


def _spliced(data: bytes, score: Score | None) -> None:
    """What writes into a song's own bytes; only what can be read comes this far."""
    if score is None:
        return
    seam = min(bar_map(score).end, 2**24)
    new = Score(24)
    new.tempos = [Tempo(0, qpm=90)]
    new.tracks.append(Track("", 40, False))
    new.tracks[0].notes.append(Note(0, 24, 60, 80))
    continue_file(data, seam // 2, new, keep_until=seam // 2)
    drop_before(data, seam // 2)
    keys = Keys(data)
    keys.written([(note.pitch + 1) % 128 for note in keys.notes])


def _serve(seed: int, first: int, count: int, seeds: Sequence[bytes], at: object, out: object) -> None:
    """Look at some files, each made of the seed and its number, in a process that may be lost."""
    if sys.platform.startswith("linux"):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for index in range(first, first + count):
        at.value = index  # type: ignore[attr-defined]
        data = mutated_file(seed, index, seeds)
        if data.hex() == os.environ.get("TOCCATA_FUZZ_ABORT"):
            os.abort()
        try:
            look_at(data)
        except BaseException as error:
            import traceback

            where = traceback.format_exc().strip().splitlines()
            out.send(f"{type(error).__name__}: {error} ({' '.join(where[-3:-1])})")  # type: ignore[attr-defined]
            return
    out.send("")  # type: ignore[attr-defined]


def mutated_file(seed: int, index: int, seeds: Sequence[bytes]) -> bytes:
    """File ``index`` of a run with ``seed``."""
    return mutated(random.Random(f"{seed} {index}"), seeds)


def fuzzed(seed: int, count: int, seeds: Sequence[bytes]) -> list[tuple[str, bytes]]:
    """Look at so many mutated files.

    Returns:
        What went wrong, and over which bytes; after thirty different ones it is enough.
    """
    context = multiprocessing.get_context("spawn")
    at = context.Value("q", 0)
    faults: dict[str, bytes] = {}
    first = 0
    while first < count and len(faults) < 30:
        size = min(BATCH, count - first)
        ours, theirs = context.Pipe(duplex=False)
        worker = context.Process(target=_serve, args=(seed, first, size, seeds, at, theirs), daemon=True)
        worker.start()
        theirs.close()
        try:
            said = ours.recv()
        except EOFError:
            worker.join()
            said = f"the process was ended by {worker.exitcode}"
        worker.join()
        ours.close()
        if said:
            faults.setdefault(said, mutated_file(seed, at.value, seeds))
            first = at.value + 1
        else:
            first += size
    return list(faults.items())


def _tell(faults: Sequence[tuple[str, bytes]]) -> str:
    return "\n".join(f"{said}\n    {data.hex()}" for said, data in faults)


def test_mutated_files() -> None:
    """A few, always the same ones."""
    faults = fuzzed(0, int(os.environ.get("TOCCATA_FUZZ_FEW", "2000")), built_seeds())
    assert not faults, _tell(faults)


@pytest.mark.slow
def test_many_mutated_files(capsys: pytest.CaptureFixture[str]) -> None:
    """Others each time, of real music too where there is some."""
    count = int(os.environ.get("TOCCATA_FUZZ", "100000"))
    seed = int(os.environ.get("TOCCATA_FUZZ_SEED") or secrets.randbits(32))
    seeds = built_seeds()
    folder = Path(os.environ.get("TOCCATA_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if folder.is_dir():
        small = [path for path in sorted(folder.rglob("*.mid")) if path.stat().st_size <= LARGEST]
        seeds += [path.read_bytes() for path in small[:: max(1, len(small) // 200)]] + built_seeds() * 8
    with capsys.disabled():
        print(f"\n{count:,} mutated files of {len(seeds)}: TOCCATA_FUZZ_SEED={seed}")
    faults = fuzzed(seed, count, seeds)
    assert not faults, f"seed {seed}\n{_tell(faults)}"


def test_what_is_looked_at_can_be_read() -> None:
    """Else the mutations would be of files that are refused before anything happens."""
    for data in built_seeds():
        read_score(data, cut_short="use")
    readable = 0
    for index in range(200):
        try:
            read_score(mutated_file(1, index, built_seeds()), cut_short="use")
            readable += 1
        except MidiError:
            pass
    assert 60 < readable < 190, "some are refused, and most are not"


def test_a_lost_process_is_told_with_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """The net itself: a crash in native code comes back as the bytes that brought it about."""
    monkeypatch.setenv("TOCCATA_FUZZ_ABORT", mutated_file(3, 7, built_seeds()).hex())
    faults = fuzzed(3, 20, built_seeds())
    assert [data for _, data in faults] == [mutated_file(3, 7, built_seeds())]
    assert "ended by" in faults[0][0]


if __name__ == "__main__":
    look_at(bytes.fromhex(Path(sys.argv[1]).read_text()))
