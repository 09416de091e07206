"""Trains a tiny model as a program of its own, to be killed, resumed, or run twice at once by the tests.

python train_part.py CORPUS OUT [jax] [section.key=value ...]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from toccata.corpus.store import Corpus
from toccata.recipes import load
from toccata.training.backend import Backend
from toccata.training.loop import Step
from toccata.training.pipeline import Run

TINY = (
    "model.context=48", "model.layers=2", "model.width=32", "model.heads=2", "model.kv_heads=1", "model.ffn=48",
    "training.micro_batch_size=4", "training.steps=12", "training.evaluations=4", "training.valid_rows=4",
    "training.workers=0", "training.checkpoint_minutes=0", "training.patience=0",
)  # fmt: skip


def over(before: Sequence[str], *settings: str) -> list[str]:
    """Settings over others; how long to train among them replaces what the others say of it."""
    lengths = ("training.steps", "training.epochs", "training.minutes")
    timed = any(text.startswith(lengths) for text in settings)
    return [*(text for text in before if not (timed and text.startswith(lengths))), *settings]


def tell(step: Step) -> None:
    """One line a step, at once."""
    print(f"step {step.step}", flush=True)


def backend(name: str) -> Backend:
    """Only one of them is loaded."""
    if name == "jax":
        from toccata.jaxnet.backend import JaxBackend

        return JaxBackend()
    from toccata.training.torchnet import TorchBackend

    return TorchBackend()


def main() -> None:
    """Train to the end and print the run's state."""
    corpus, out = Corpus(Path(sys.argv[1])), Path(sys.argv[2])
    name, *settings = sys.argv[3:] if "jax" in sys.argv[3:4] else ["torch", *sys.argv[3:]]
    run = Run(
        load("toccata", over(TINY, *settings)), out, None, lambda text: print(text, flush=True), backend=backend(name)
    )
    state = run.train(corpus, run.tokenizer(corpus, lambda *_: None), tell)
    if run.is_main:
        print(json.dumps({"steps": state.steps, "step": state.step, "stopped": state.stopped}), flush=True)


if __name__ == "__main__":
    main()
