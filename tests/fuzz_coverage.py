"""Coverage-guided fuzzing of what takes MIDI bytes apart, by atheris: ``toccata.midi.mend`` and ``toccata.midi.smf``.

    python tests/fuzz_coverage.py [--runs N] [--seed S]

Needs the extra ``fuzz`` (Linux). Inputs that reach new lines are kept and changed again, by libFuzzer's mutations and
by those of ``midi_mutations``. Ends with 1, and the bytes in hexadecimal, at the first that raises anything but a
MidiError or does not come back as it was.
"""

from __future__ import annotations

import argparse
import random
import secrets
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from midi_mutations import built_seeds, mutated

RUNS = 100_000
LONGEST = 2_048
SECONDS, MEGABYTES = 20, 2_000
"""What one input may take."""


def main() -> int:
    """Fuzz in a process of its own, which libFuzzer ends in its own way; then say what it found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = secrets.randbits(31) if options.seed is None else options.seed
    with tempfile.TemporaryDirectory(prefix="toccata-fuzz-") as temporary:
        place = Path(temporary)
        (place / "seeds").mkdir()
        (place / "kept").mkdir()
        for number, data in enumerate(built_seeds()):
            (place / "seeds" / f"{number}.mid").write_bytes(data)
        line = [
            sys.executable, __file__, "guided", f"-runs={options.runs}", f"-seed={seed or 1}", f"-timeout={SECONDS}",
            f"-rss_limit_mb={MEGABYTES}", f"-max_len={LONGEST}", "-print_final_stats=1", "-verbosity=0",
            f"-artifact_prefix={place}/fault-", str(place / "kept"), str(place / "seeds"),
        ]  # fmt: skip
        print(f"{options.runs:,} inputs by coverage: --seed {seed or 1}", flush=True)
        code = subprocess.run(line).returncode
        for fault in sorted(place.glob("fault-*")):
            print(f"{fault.name}: {fault.read_bytes().hex()}")
        kept = len(list((place / "kept").iterdir()))
        print(f"{kept} inputs reached something new; {'no fault' if not code else 'FAULT'}")
        return int(code != 0)


def guided() -> None:
    """What libFuzzer calls; does not return."""
    import atheris

    with atheris.instrument_imports(include=["toccata.midi.mend", "toccata.midi.smf"]):
        from toccata.midi import smf
        from toccata.midi.mend import mend
    from toccata.errors import MidiError

    seeds = built_seeds()

    def look_at(data: bytes) -> None:
        with suppress(MidiError):
            mend(data)
        try:
            file = smf.read(data)
            again = smf.read(smf.write(file))
        except MidiError:
            return
        assert [track.events for track in again.tracks] == [track.events for track in file.tracks]

    def change(data: bytes, longest: int, seed: int) -> bytes:
        dice = random.Random(seed)
        if dice.random() < 0.3:
            return atheris.Mutate(data, longest)
        return mutated(dice, [data, data, data, dice.choice(seeds)])[:longest]

    atheris.Setup([sys.argv[0], *sys.argv[2:]], look_at, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["guided"]:
        guided()
    else:
        sys.exit(main())
