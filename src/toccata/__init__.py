"""toccata: train a music model on your own MIDI files, and let it write with you.

import toccata

model = toccata.load("models/bach")
for i, piece in enumerate(model.generate(n=4, bars=16)):
    piece.save(f"idea-{i}.mid")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "Model", "Piece", "Sampling", "ToccataError", "__version__", "check", "clean", "compare", "evaluate", "finetune",
    "finetune_style", "listening_test", "load", "prepare", "rank", "song", "train",
]  # fmt: skip

if TYPE_CHECKING:
    from toccata.api import (
        check,
        clean,
        compare,
        evaluate,
        finetune,
        finetune_style,
        listening_test,
        load,
        prepare,
        rank,
        train,
    )
    from toccata.engine.sampling import Sampling
    from toccata.errors import ToccataError
    from toccata.musicmodel import Model
    from toccata.piece import Piece, song

_WHERE = {
    "Model": "toccata.musicmodel",
    "Piece": "toccata.piece",
    "Sampling": "toccata.engine.sampling",
    "ToccataError": "toccata.errors",
    "song": "toccata.piece",
}


def __getattr__(name: str) -> Any:
    # Loaded when first used: `import toccata` and `toccata --help` cost nothing.
    if name not in __all__:
        raise AttributeError(f"module 'toccata' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_WHERE.get(name, "toccata.api")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
