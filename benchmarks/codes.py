"""What comes back of unseen Bach from a few codes a quarter note, and how many bits they are, at equal training time.

python benchmarks/codes.py [--data DIR] [--minutes 6] [--out DIR] [--json] [NAME ...]

Each NAME is one of CODECS below. Minutes are the processor's, one thread: other programs beside it change nothing.
Notes are those of the cleaned pieces of the test split, all tracks as one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from toccata.corpus.prepare import prepare
from toccata.corpus.store import Corpus
from toccata.engine.codec import OnnxCodec
from toccata.model.vqconfig import SEED, VqConfig
from toccata.tokenizers.agreement import Agreement, agreement
from toccata.tokenizers.rolls import notes, rolls
from toccata.training.options import CodecOptions
from toccata.training.vq import train_codec

CODECS: dict[str, tuple[VqConfig, CodecOptions]] = {
    "seed": (SEED, CodecOptions(rows=128, lr=1e-4, weight_decay=0, clip=0, transpose=0, evaluations=1)),
    "seed-small": (
        replace(SEED, width=64, entry=64, renew=0.2, decay=0.95, commitment=12.5),
        CodecOptions(rows=64, lr=2e-3, evaluations=4),
    ),
    "slots-16x16": (VqConfig(codes=16, codebook=16), CodecOptions()),
    "slots-6x1024": (VqConfig(codes=6, codebook=1024), CodecOptions()),
    "slots-8x512": (VqConfig(codes=8, codebook=512), CodecOptions()),
    "slots-8x1024": (VqConfig(codes=8, codebook=1024), CodecOptions()),
    "slots-8x2048": (VqConfig(codes=8, codebook=2048), CodecOptions()),
}
"""``seed``: the first layout with its own learning rate and batch; ``seed-small``: the same in small, which gets
further in a short time. The others are a code for each key that is used.
"""


def steps_in(minutes: float, corpus: Corpus, config: VqConfig, options: CodecOptions) -> int:
    """How many steps of a training take ``minutes`` of the processor's time, by doing a few."""
    ends: list[float] = []
    few = replace(options, steps=9, evaluations=1, valid_rows=1, checkpoint_minutes=60)
    with tempfile.TemporaryDirectory() as folder:
        train_codec(corpus, config, few, Path(folder), report=lambda step: ends.append(time.process_time()))
    return max(1, int(minutes * 60 / float(np.median(np.diff(ends[:-1])))))


def measure(corpus: Corpus, codec: OnnxCodec) -> dict[str, float]:
    """What comes back of the test split."""
    through, bare, codes = Agreement(), Agreement(), []
    for number in corpus.split("test"):
        score = corpus.score(number)
        slices = rolls(score, codec.steps)
        codes.append(codec.encode(slices))
        bare += agreement(score, notes(slices, codec.steps))
        through += agreement(score, notes(codec.decode(codes[-1]), codec.steps, threshold=codec.threshold))
    return {
        "f1": round(through.f1, 4),
        "precision": round(through.right / max(1, through.found), 4),
        "recall": round(through.right / max(1, through.truth), 4),
        "duration_error": round(through.duration_error, 4),
        "f1_of_rolls": round(bare.f1, 4),
        "notes": through.truth,
        "quarters": sum(map(len, codes)),
        "bits": round(codec.config.bits, 1),
        "bits_used": round(entropy(np.concatenate(codes)), 1),
    }


def entropy(codes: NDArray[np.int32]) -> float:
    """Bits a quarter note of ``codes [Q, K]``, each place for itself."""
    total = 0.0
    for place in codes.T:
        shares = np.unique(place, return_counts=True)[1] / len(place)
        total -= float((shares * np.log2(shares)).sum())
    return total


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CODECS))
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("TOCCATA_DATA", "../shared/data")) / "bach" / "mutopia"
    )
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--out", type=Path, help="keep the corpus and the codecs here")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        out = options.out or Path(temporary)
        corpus = prepare(options.data, out / "corpus")
        for name in options.names or CODECS:
            config, training = CODECS[name]
            steps = steps_in(options.minutes, corpus, config, training)
            state = train_codec(corpus, config, replace(training, steps=steps), out / name)
            row = {"codec": name, "codes": config.codes, "codebook": config.codebook, "steps": state.step}
            rows.append({**row, "minutes": options.minutes, **measure(corpus, OnnxCodec(out / name))})
            if not options.json:
                r = rows[-1]
                print(
                    f"{name:13} {r['bits']:5.1f} bits ({r['bits_used']:.1f} used)  {r['minutes']:.1f} min "
                    f"{r['steps']:6,} steps  F1 {r['f1']:.3f} (precision {r['precision']:.3f}, recall "
                    f"{r['recall']:.3f}; rolls alone {r['f1_of_rolls']:.3f})  durations off by "
                    f"{r['duration_error']:.3f} quarters  {r['notes']:,} notes, {r['quarters']:,} quarters",
                    flush=True,
                )
    if options.json:
        json.dump({"rows": rows}, sys.stdout)
        print()


if __name__ == "__main__":
    main()
