"""How long a user waits, process start and all.

`toccata --help`, and 16 bars from an 8-bit 6M model to a MIDI file on disk.

    python benchmarks/startup.py [--json] [--install] [--model DIR]

The 6M model has random weights, which crowd a bar with two hundred notes; it is told to come to its end after a
thousand ids, about what 16 bars of keyboard music take. With --model a trained model is timed as well, through the
command line. With --install also the size of the light install (no torch), made in a fresh environment with the pins of
constraints.txt.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

RUNS = 5
ROOT = Path(__file__).resolve().parents[1]
WRITE = """
import sys, toccata
toccata.load(sys.argv[1]).generate(bars=16, max_tokens=1000)[0].save(sys.argv[2], force=True)
"""


def main() -> None:
    """Print a table, or with ``--json`` one object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    found: dict[str, Any] = {}
    toccata = [sys.executable, "-m", "toccata"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = random_6m(folder / "model")
        found["help_s"] = seconds([*toccata, "--help"])
        found["generate_help_s"] = seconds([*toccata, "generate", "--help"])
        out = folder / "idea.mid"
        found["generate_16_bars_s"] = seconds([sys.executable, "-c", WRITE, str(model), str(out)])
        if options.model:
            command = [*toccata, "generate", "--model", str(options.model), "--bars", "16", "--force", "-o", str(out)]
            found["trained_16_bars_s"] = seconds(command)
        if options.install:
            found["light_install_mb"] = installed(folder / "light")
    if options.json:
        json.dump(found, sys.stdout)
        print()
    else:
        for name, value in found.items():
            print(f"{name:22}{value:10.3f}" if isinstance(value, float) else f"{name:22}{value:10}")


def seconds(command: list[str]) -> float:
    """The median of some runs, after one that is not counted."""
    taken = []
    for _ in range(RUNS + 1):
        before = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - before)
    return statistics.median(taken[1:])


def installed(folder: Path) -> float:
    """The size of an environment with the light install, less that of an empty one, in MB."""
    venv.create(folder, with_pip=True)
    empty = size(folder)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    command = [str(python), "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), str(ROOT)]
    subprocess.run(command, check=True)
    return round((size(folder) - empty) / 1e6, 1)


def size(folder: Path) -> int:
    """Bytes of all files, compiled ones left out: they come on first use."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc")


def random_6m(path: Path) -> Path:
    """A model folder of 6M random weights, with the toccata recipe's tokenizer."""
    import torch

    from toccata.model.decoder import Decoder
    from toccata.model.weights import to_arrays
    from toccata.recipes import load
    from toccata.tokenizers.load import build_tokenizer
    from toccata.training.export import export

    sizes = {"context": 1024, "layers": 8, "width": 256, "heads": 4, "kv_heads": 2, "ffn": 704}
    recipe = load("toccata", [f"model.{name}={value}" for name, value in sizes.items()])
    tokenizer = build_tokenizer(recipe.tokenizer)
    torch.manual_seed(0)
    shape = recipe.decoder(tokenizer.vocab_size, tokenizer.features)
    weights = to_arrays(Decoder(shape).state_dict())
    about = {"name": "random", "toccata": "0", "recipe": recipe.to_json(), "lineage": {}, "styles": []}
    return export(path, shape, weights, tokenizer, about, card="").path


if __name__ == "__main__":
    main()
